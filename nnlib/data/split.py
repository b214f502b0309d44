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
    if not np.issubdtype(dtype, np.floating):
        raise TypeError(f"dtype is {np.dtype(dtype)}; expected a float type such as np.float32")
    return np.dtype(dtype)


def as_inputs(images: np.ndarray, brightest: int, dtype: type) -> np.ndarray:
    """Images as rows of pixels in [0, 1]."""
    x = images.reshape(len(images), -1).astype(dtype)
    x /= brightest
    return x
