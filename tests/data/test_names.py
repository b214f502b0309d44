"""The names that ship with the course."""

import numpy as np
import pytest

from nnlib.data import KINDS, bundled, names


def test_what_is_there():
    words, kinds = names()
    assert [(kinds == k).sum() for k in range(len(KINDS))] == [118, 88, 185]
    assert len(set(words)) == len(words) == 391
    assert set("".join(words)) == set(" abcdefghijklmnopqrstuvwxyz")
    assert all(word == word.strip() and 3 <= len(word) <= 19 for word in words)
    assert {"hydrogen", "orion", "quartz"} <= set(words) and words[78] == "gold"


def test_every_call_gives_new_arrays():
    names().kinds[:] = 7
    assert names().kinds.max() == 2


def test_a_changed_or_missing_file_is_explained(tmp_path, monkeypatch):
    path = tmp_path / "names.csv"
    monkeypatch.setattr(bundled, "NAMES", path)
    with pytest.raises(FileNotFoundError, match="git checkout data"):
        names()
    path.write_bytes(b"kind,name\nelement,Unobtainium\n")
    with pytest.raises(ValueError, match="SHA-256"):
        names()


def test_kinds_fit_the_targets_of_a_loss():
    assert np.issubdtype(names().kinds.dtype, np.integer)
