"""Images and labels, divided into what a model learns from and what it is judged by."""

from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """`x_train, y_train, x_test, y_test = digits()`, or `digits().x_train`."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def float_type(dtype: type) -> np.dtype:
    """`dtype`, refused unless it can hold pixels between 0 and 1."""
    try:
        found = np.dtype(dtype)
    except TypeError:  # torch.float32, or no type at all
        found = None
    if found is None or found.kind != "f":
        came = dtype if found is None else found
        raise TypeError(f"dtype is {came}; expected a float type such as np.float32")
    return found


def as_inputs(images: np.ndarray, brightest: int, dtype: type) -> np.ndarray:
    """Images as rows of pixels in [0, 1]."""
    x = images.reshape(len(images), -1).astype(dtype)
    x /= brightest
    return x
