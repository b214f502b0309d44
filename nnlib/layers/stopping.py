"""Early stopping: train until the validation loss stops falling, and go back to the best model."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlib.layers.base import Array
from nnlib.layers.models import Sequential
from nnlib.layers.training import History, train
from nnlib.regularization.in_numpy import early_stopping


def stop_early(
    model: Sequential,
    x: Array,
    y: Array,
    *,
    validation: tuple[Array, Array],
    patience: int = 5,
    min_delta: float = 0.0,
    **arguments: Any,
) -> tuple[History, int]:
    """Train as `train` does, until `patience` measurements in a row bring no better validation loss.

    Afterwards the model is what it was at its best, running statistics included, not what it was when
    training ended. Returns the history, up to the end, and the place of the best in it:
    `history.epoch[best]`. All other arguments are those of `train`.
    """
    watched: tuple = ()  # best loss and number of bad epochs, as `early_stopping` hands them on
    for history in train(model, x, y, validation=validation, **arguments):
        loss = np.float64(history.validation_loss[-1])
        *watched, stop = early_stopping(loss, *watched, patience=patience, min_delta=min_delta)
        if watched[1] == 0:
            kept, best = model.copy(), len(history.step) - 1
        if stop:
            break
    restore(model, kept)
    return history, best


def restore(model: Sequential, kept: Sequential) -> None:
    """Let a model be an earlier copy of itself: parameters and whatever else its layers remember."""
    model.layers = kept.layers
    model.lay_out(kept.params)
