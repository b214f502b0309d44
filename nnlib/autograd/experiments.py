"""What a gradient costs, and what is claimed about the chain rule."""

import os
import time
from functools import lru_cache
from math import inf

import numpy as np

from nnlib.autograd.in_numpy import Tensor
from nnlib.evidence import Band, experiment
from nnlib.layers import Linear, Sequential, Tanh
from nnlib.losses.in_numpy import cross_entropy, cross_entropy_backward

WIDTHS = (128, 256, 512)
# CPU time: what other programs take of a busy machine does not count. On Windows that clock is too coarse.
clock = time.process_time if os.name == "posix" else time.perf_counter


@lru_cache
def cost(width, seed, batch=256, repeats=30):
    """(forward + backward) / forward in time, medians of the repeats, and the number of weights."""
    rng, layers = np.random.default_rng(seed), []
    for inputs in (64, width, width):
        layers += [Linear(inputs, width, rng=rng), Tanh()]
    model = Sequential(*layers, Linear(width, 10, rng=rng))
    x, y = rng.normal(size=(batch, 64)).astype(np.float32), rng.integers(10, size=batch)
    grad_output, seconds = np.float32(1), []
    for _ in range(repeats + 3):  # the first three warm up
        start = clock()
        scores = model.forward(x)
        cross_entropy.unchecked(scores, y)
        middle = clock()
        model.backward(cross_entropy_backward.unchecked(grad_output, scores, y)[0], want_input=False)
        seconds.append((middle - start, clock() - start))
    forward, both = np.median(seconds[3:], axis=0)
    return {"ratio": both / forward, "parameters": model.params.size}


@experiment(
    id="H06",
    kind="headline",
    claim="A gradient costs a small constant number of forward passes.",
    source="Linnainmaa (1970); Baur & Strassen (1983)",
    settings="64-w-w-w-10 tanh, cross-entropy, batch 256, float32; (forward + backward) ÷ forward, medians "
    "of 30 timings",
    seeds=3,
    bands={f"gradient ÷ forward pass, width {w}": Band(1.2, 8) for w in WIDTHS},
)
def cheap_gradient(seed):
    found = {w: cost(w, seed) for w in WIDTHS}
    ratios = {f"gradient ÷ forward pass, width {w}": c["ratio"] for w, c in found.items()}
    return ratios | {"parameters": [c["parameters"] for c in found.values()]}


@experiment(
    id="M12",
    kind="myth",
    claim="Backward gradients are products of activation derivatives.",
    verdict="misleading",
    truth="They are products of Jacobians, weights included, summed over all paths from the weight to the "
    "loss.",
    settings="f = (3x)(x²) at x = 2; a 4-5-1 tanh network in float64, gradient for its 4 inputs",
    seeds=5,
    bands={
        "f: both paths": Band(36, 36),
        "f: the path through 3x alone": Band(12, 12),
        "network: sum over all paths − gradient": Band(0, 1e-12),
        "network: the best single path is off by": Band(10, inf, unit="%"),
        "network: activation slopes alone, no weights, are off by": Band(10, inf, unit="%"),
    },
)
def sum_over_paths(seed):
    x = Tensor(2.0)
    ((3 * x) * x**2).backward()
    through_3x = 3 * 2.0**2  # the slope of 3x, times the slope of the product in it, which is x²

    rng = np.random.default_rng(seed)
    inputs, w1, w2 = Tensor(rng.normal(size=(1, 4))), rng.normal(size=(4, 5)), rng.normal(size=(5, 1))
    hidden = (inputs @ w1).tanh()
    (hidden @ w2).sum().backward()
    gradient = inputs.grad[0]
    slopes = 1 - hidden.data[0] ** 2
    paths = w1 * slopes * w2[:, 0]  # (4, 5): from input i through hidden unit j
    off = np.linalg.norm(paths - gradient[:, None], axis=0) / np.linalg.norm(gradient)
    no_weights = np.linalg.norm(slopes.sum() - gradient) / np.linalg.norm(gradient)
    return {
        "f: both paths": x.grad,
        "f: the path through 3x alone": through_3x,
        "network: sum over all paths − gradient": np.abs(paths.sum(axis=1) - gradient).max(),
        "network: the best single path is off by": 100 * off.min(),
        "network: activation slopes alone, no weights, are off by": 100 * no_weights,
    }


@experiment(
    id="M13",
    kind="myth",
    claim="The chain rule saves work because one need not go directly from the output to the input.",
    verdict="misleading",
    truth="Reverse mode does go from the output to the input. It saves work because each partial result is "
    "used again: by every path that passes through it.",
    settings="64-w-w-w-10 tanh, cross-entropy, batch 256, w = 64 and 512; median of 30 timings; central "
    "differences are not run but counted: two forward passes per weight",
    seeds=3,
    bands={
        "forward passes for a gradient, timed, width 64": Band(1.2, 8),
        "forward passes for a gradient, timed, width 512": Band(1.2, 8),
        "forward passes for central differences, counted, width 64": Band(26_000, 27_000),
        "forward passes for central differences, counted, width 512": Band(1_100_000, 1_200_000),
    },
)
def partial_results(seed):
    result = {}
    for w in (64, 512):
        found = cost(w, seed)
        result[f"forward passes for a gradient, timed, width {w}"] = found["ratio"]
        result[f"forward passes for central differences, counted, width {w}"] = 2 * found["parameters"]
    return result


@experiment(
    id="M14",
    kind="myth",
    claim="A computational graph is for visualizing the structure of data.",
    verdict="wrong",
    truth="It records operations and their order, so that derivatives can be passed back through them. That "
    "it can be drawn is a by-product.",
    settings="f = (3x)(x²) at x = 2: record, sort, sweep backward; 9x² = 36",
    seeds=1,
    bands={"gradient from the graph": Band(36, 36)},
)
def graph(seed):
    x = Tensor(2.0)
    ((3 * x) * x**2).backward()
    return {"gradient from the graph": x.grad}


@experiment(
    id="M14b",
    kind="myth",
    claim="Calling backward twice is harmless.",
    verdict="wrong",
    truth="Gradients accumulate: the second call adds to what the first one left.",
    settings="f = x² at x = 2, once with this course's engine and once with torch.autograd",
    seeds=1,
    bands={
        "after one call": Band(4, 4),
        "after two calls": Band(8, 8),
        "PyTorch after two calls": Band(8, 8),
    },
)
def backward_twice(seed):
    import torch

    x, theirs = Tensor(2.0), torch.tensor(2.0, requires_grad=True)
    f, g, seen = x**2, theirs**2, []
    for _ in range(2):
        f.backward()
        g.backward(retain_graph=True)  # without it, torch frees the graph and refuses the second call
        seen.append((float(x.grad), theirs.grad.item()))
    return {
        "after one call": seen[0][0],
        "after two calls": seen[1][0],
        "PyTorch after two calls": seen[1][1],
    }
