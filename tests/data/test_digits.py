"""The digits are scikit-learn's, in the split that all experiments share, and cannot change unnoticed."""

import hashlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnlib.data import bundled, digits, downloaded
from nnlib.data.grammar import SHA256

DATA = Path(__file__).resolve().parents[2] / "data"


def test_shapes_and_ranges():
    x_train, y_train, x_test, y_test = digits()
    assert x_train.shape == (1257, 64) and y_train.shape == (1257,)
    assert x_test.shape == (540, 64) and y_test.shape == (540,)
    assert y_train.dtype == y_test.dtype == np.int64
    for x in (x_train, x_test):
        assert x.dtype == np.float64
        assert x.min() == 0 and x.max() == 1
        assert np.array_equal(x * 16, np.round(x * 16))


def test_the_split_is_that_of_scikit_learn():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        images / 16, labels, test_size=0.3, stratify=labels, random_state=0
    )
    ours = digits()
    assert np.array_equal(ours.x_train, x_train) and np.array_equal(ours.y_train, y_train)
    assert np.array_equal(ours.x_test, x_test) and np.array_equal(ours.y_test, y_test)


def test_each_digit_is_split_70_to_30():
    _, y_train, _, y_test = digits()
    train, test = np.bincount(y_train, minlength=10), np.bincount(y_test, minlength=10)
    assert np.all(abs(train - 0.7 * (train + test)) <= 1)


def test_no_image_is_in_both_parts():
    with np.load(bundled.DIGITS, allow_pickle=False) as file:
        rows = np.concatenate([file["train"], file["test"]])
    assert np.array_equal(np.sort(rows), np.arange(1797))


def test_the_script_makes_the_file_byte_for_byte():
    script = runpy.run_path(str(DATA / "make_digits.py"))
    content = script["build"]()
    assert content == (DATA / "digits.npz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == bundled.DIGITS_SHA256


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32"])
def test_the_float_type_loses_nothing(dtype):
    split = digits(dtype)
    assert split.x_train.dtype == split.x_test.dtype == np.dtype(dtype)
    assert np.array_equal(split.x_test, digits().x_test)  # sixteenths are exact in every float type


@pytest.mark.parametrize("dtype", [int, np.uint8, bool, "no type", "torch.float32", Path])
def test_other_types_are_refused(dtype):
    with pytest.raises(TypeError, match="expected a float type"):
        digits(dtype)


def test_every_call_returns_its_own_arrays():
    spoiled = digits()
    spoiled.x_train[:], spoiled.y_train[:] = -1, -1
    assert digits().x_train.min() == 0 and digits().y_train.min() == 0


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    content = bytearray(bundled.DIGITS.read_bytes())
    content[5000] ^= 1
    path = tmp_path / "digits.npz"
    path.write_bytes(content)
    monkeypatch.setattr(bundled, "DIGITS", path)
    with pytest.raises(ValueError, match="digits.npz was changed.*expected 5f44d7b8"):
        digits()


def test_a_missing_file_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(bundled, "DIGITS", tmp_path / "digits.npz")
    with pytest.raises(FileNotFoundError, match="pip install -e"):
        digits()


def test_the_readme_names_every_file_and_checksum():
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    checksums = {bundled.DIGITS_SHA256, bundled.NAMES_SHA256, bundled.LANGUAGE_MODEL_SHA256}
    checksums |= set(SHA256.values())
    for collection in (downloaded.MNIST, downloaded.FASHION_MNIST):
        for file in collection.files:
            assert f"| `{file.name}` | {file.size:,} | `{file.sha256}` |" in readme
            checksums.add(file.sha256)
    assert set(re.findall(r"\b[0-9a-f]{64}\b", readme)) == checksums
    assert {
        f"`{path.name}`" for path in DATA.iterdir() if path.suffix in (".npz", ".csv", ".txt", ".py")
    } <= set(re.findall(r"`[^`]+`", readme))


def test_importing_the_data_loads_numpy_only():
    code = "import sys, nnlib.data; nnlib.data.digits(); print(*sorted(m.split('.')[0] for m in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "numpy" in loaded
    assert not loaded & {"torch", "matplotlib", "sklearn", "scipy", "tqdm", "IPython"}
