"""The data sets that ship with the course, in `data/`."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnlib.data.split import Split, as_inputs, float_type

FOLDER = Path(__file__).resolve().parents[2] / "data"
DIGITS = FOLDER / "digits.npz"
DIGITS_SHA256 = "5f44d7b8e1e4eb000d821ba5656974eb3d5b035fdb08fd8804ee65fa65b2b210"
NAMES = FOLDER / "names.csv"
NAMES_SHA256 = "217f8781f34a33ac74a55578cb5e9bf14a2a33cd06286aa1c801097e6f68a6af"
LANGUAGE_MODEL = FOLDER / "language_model.npz"
LANGUAGE_MODEL_SHA256 = "e594cb32af45d5dd8d42f5636097c5cfdc58b221f75ca33ebb389df8fd9d0f32"
KINDS = ("element", "constellation", "mineral")


class Names(NamedTuple):
    """`names, kinds = names()`: strings, and for each the number of its kind in `KINDS`."""

    names: np.ndarray
    kinds: np.ndarray


def digits(dtype: type = np.float64) -> Split:
    """Handwritten digits, 8 x 8 pixels, in the one split that all experiments share.

    The split keeps 70 % of each digit for training. Every call returns new arrays.

    Parameters
    ----------
    dtype : the float type of the pixels

    Returns
    -------
    x_train : array (1257, 64)     pixels in [0, 1]; `x.reshape(-1, 8, 8)` gives pictures
    y_train : int array (1257,)    the digit, 0 to 9
    x_test : array (540, 64)
    y_test : int array (540,)

    Raises
    ------
    FileNotFoundError, ValueError : `data/digits.npz` is missing or not the original
    TypeError : dtype is not a float type

    References
    ----------
    Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
    doi:10.24432/C50P49.
    """
    dtype = float_type(dtype)
    with np.load(io.BytesIO(original(DIGITS, DIGITS_SHA256)), allow_pickle=False) as file:
        x = as_inputs(file["images"], 16, dtype)
        y = file["labels"].astype(np.int64)
        train, test = file["train"], file["test"]
    return Split(x[train], y[train], x[test], y[test])


def names() -> Names:
    """Names of chemical elements, constellations and minerals, for models that read letter by letter.

    Every call returns new arrays.

    Returns
    -------
    names : str array (391,)     lower case, letters a to z and the space
    kinds : int array (391,)     0 element (118), 1 constellation (88), 2 mineral (185)

    Raises
    ------
    FileNotFoundError, ValueError : `data/names.csv` is missing or not the original
    """
    lines = original(NAMES, NAMES_SHA256).decode("ascii").splitlines()[1:]
    kinds, words = zip(*(line.lower().split(",") for line in lines))
    return Names(np.array(words), np.array([KINDS.index(kind) for kind in kinds]))


def language_model_weights() -> dict[str, np.ndarray]:
    """The weights of the small language model, float32, by their names in `nnlib.language.LanguageModel`.

    Every call returns new arrays.

    Raises
    ------
    FileNotFoundError, ValueError : `data/language_model.npz` is missing or not the original
    """
    content = io.BytesIO(original(LANGUAGE_MODEL, LANGUAGE_MODEL_SHA256))
    with np.load(content, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def original(path: Path, sha256: str) -> bytes:
    """The bytes of a file, once its checksum is right."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing. It is part of the repository: restore it with `git checkout data` in the "
            "course's folder, and install the course from there with `pip install -e .`."
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} was changed: its SHA-256 is {found}; expected {sha256}. "
            "Restore it with `git checkout data` in the course's folder."
        )
    return content
