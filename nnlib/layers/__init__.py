"""Layers, models and the training loop: the bookkeeping, written once for every f / f_backward pair.

The mathematics stays in the concept folders. Here live the things around it: which parameters belong to
which function, what forward must remember for backward, batches, histories, and what makes training fast
enough to run while a slider moves. `Layer` works with any pair; the activations and the dense, convolutional
and recurrent layers compute the same with less work, and tests hold them equal to their pairs.

    model = Sequential(Linear(2, 16, rng=rng), Tanh(), Linear(16, 2, rng=rng))
    history = fit(model, x, y, lr=0.1, momentum=0.9, epochs=500)

Four tricks, by what they save: float32; parameters and gradients as views of one flat vector, so that an
optimizer is a few operations on that vector; results written into arrays that the layers keep (`out=`); and
the loss computed only for the points of the history, since training needs its gradient alone.
"""

from nnlib.layers.adversarial import Game, Player, train_adversarial
from nnlib.layers.base import Layer
from nnlib.layers.convolution import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    MaxPool2d,
    Pad2d,
)
from nnlib.layers.dense import Linear, ReLU, Sigmoid, Tanh
from nnlib.layers.dropout import Dropout
from nnlib.layers.init import draw, initialize
from nnlib.layers.lora import LoRALinear
from nnlib.layers.models import Residual, Sequential, Stack
from nnlib.layers.norms import BatchNorm1d, GroupNorm, LayerNorm
from nnlib.layers.quantized import FakeQuantized
from nnlib.layers.recurrent import GRU, LSTM, RNN, EachStep, LastStep
from nnlib.layers.stopping import stop_early
from nnlib.layers.training import History, fit, fit_many, train

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "EachStep",
    "FakeQuantized",
    "Flatten",
    "GRU",
    "Game",
    "GroupNorm",
    "History",
    "LSTM",
    "LastStep",
    "Layer",
    "LayerNorm",
    "Linear",
    "LoRALinear",
    "MaxPool2d",
    "Pad2d",
    "Player",
    "RNN",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Stack",
    "Tanh",
    "draw",
    "fit",
    "fit_many",
    "initialize",
    "stop_early",
    "train",
    "train_adversarial",
]
