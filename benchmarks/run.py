"""How fast everything is, measured side by side: python benchmarks/run.py writes benchmarks/RESULTS.md.

Candidates of a comparison run in turn, several rounds of them, and their medians are compared, so that a busy
machine slows all of them alike. One thread throughout. Nothing here can fail a build: what breaks is written
into its row.
"""

from __future__ import annotations

import inspect
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from nnlib import core
from nnlib.data import digits
from nnlib.dropout import in_torch as dropout
from nnlib.layers import (
    GRU,
    LSTM,
    RNN,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Tanh,
    fit,
    fit_many,
    train,
)
from nnlib.losses.in_numpy import binary_cross_entropy_with_logits
from nnlib.optimizers.in_numpy import adam, sgd

RESULTS = Path(__file__).with_name("RESULTS.md")


def medians(candidates: dict[str, Callable], rounds: int = 9, seconds: float = 0.004) -> dict[str, float]:
    """The median time of each candidate in ms. Short ones are repeated for about `seconds`."""
    repeats = {}
    for name, run in candidates.items():
        run()
        start = time.perf_counter()
        run()
        repeats[name] = max(1, round(seconds / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                run()
            times[name].append(1e3 * (time.perf_counter() - start) / repeats[name])
    return {name: median(values) for name, values in times.items()}


def table(header: list[str], rows: Iterator[list[str]]) -> str:
    """A Markdown table; a row is printed as soon as it is measured."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def attempts(names: Any, measure: Callable[..., list[str]], columns: int) -> Iterator[list[str]]:
    """One row for each name; an exception becomes the row's text."""
    for name, *arguments in names:
        try:
            yield [name, *measure(*arguments)]
        except Exception as error:
            yield [name, f"{type(error).__name__}: {error}", *[""] * (columns - 1)]


# ------------------------------------------------------------------------------------------- functions

dropout._drawn = lambda op, x, mask: op(x)  # draws once: 256 draws, to find our mask, are a proof and no cost


def enlarged(path: str, elements: int = 2**16) -> core.Case:
    """The largest case of a function, its batch repeated up to about 2**16 numbers: cases alone are tiny.

    Less where a call takes long before: distances between all pairs grow with the square of the batch.
    """
    concept, _, name = path.partition(".")
    f, found = core.find(path, "in_numpy"), core.cases(path)
    case = max(found, key=lambda c: sum(v.size for v in c.args.values() if isinstance(v, np.ndarray)))
    batched = {s.name for s in core.specs(concept, name).values() if s.shape[:1] in (("N",), ("...",))}
    arrays = {k: v for k, v in case.args.items() if k in batched and isinstance(v, np.ndarray) and v.ndim}
    times, most = 1, max([1, *(elements // v.size for v in arrays.values())])
    larger: dict[str, np.ndarray] = {}
    while times < most:
        times = min(4 * times, most)
        larger = {k: np.concatenate([v] * times) for k, v in arrays.items()}
        start = time.perf_counter()
        try:
            f(**{**case.args, **larger})
        except (TypeError, ValueError):  # the first axis was no batch axis after all
            return case
        if time.perf_counter() - start > 0.02:
            break
    return core.Case(name, {**case.args, **larger}, case.note)


def functions() -> Iterator[tuple[str, str]]:
    for concept in core.concepts():
        for name in core.public(core.load(concept, "in_numpy")):
            if not name.endswith("_backward"):
                yield f"{concept}.{name}", f"{concept}.{name}"


def with_autograd(f: Callable, arguments: list, grads: tuple) -> None:
    for a in arguments:
        if isinstance(a, torch.Tensor):
            a.grad = None
    torch.autograd.backward(core.as_tuple(f(*arguments)), grads)


def function_row(path: str) -> list[str]:
    """Size, the reference's forward in ms, and its time divided by that of twin and library."""
    concept, _, name = path.partition(".")
    module = core.load(concept, "in_numpy")
    f, backward = core.find(path, "in_numpy"), getattr(module, f"{name}_backward", None)
    versions = {"twin": core.find(path, "in_torch").unchecked}
    if name in getattr(core.load(concept, "in_torch"), "official", {}):
        versions["library"] = core.load(concept, "in_torch").official[name]

    arrays = core.positional(f, enlarged(path).cast("float32"))
    tensors = [torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else v for v in arrays]
    candidates = {"numpy": partial(f.unchecked, *arrays)}
    forward = medians(candidates | {k: partial(v, *tensors) for k, v in versions.items()})
    both: dict[str, float] = {}
    if backward:
        constants = getattr(module, "constants", {}).get(name, ())
        for parameter, tensor in zip(inspect.signature(f).parameters, tensors):
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and parameter not in constants:
                tensor.requires_grad_()
        grads = core.grad_outputs(f.unchecked(*arrays))
        sent = tuple(torch.as_tensor(np.asarray(g)) for g in core.as_tuple(grads))
        candidates = {"numpy": lambda: (f.unchecked(*arrays), backward.unchecked(grads, *arrays))}
        both = medians(
            candidates | {k: partial(with_autograd, v, tensors, sent) for k, v in versions.items()}
        )
    largest = max((v.shape for v in arrays if isinstance(v, np.ndarray)), key=np.prod, default=())
    ratios = [
        f"{times['numpy'] / times[label]:.2f}" if label in times else "–"
        for times in (forward, both)
        for label in ("twin", "library")
    ]
    return ["×".join(map(str, largest)), f"{forward['numpy']:.3f}", *ratios]


# -------------------------------------------------------------------------------------------- training


OPTIMIZERS = {"SGD": (sgd, torch.optim.SGD), "Adam": (adam, torch.optim.Adam)}
STEPS, LR = 500, 0.05


def points(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Two classes in the plane, by the signs of both coordinates."""
    x = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    return x, (x[:, :1] * x[:, 1:] > 0).astype(np.float32)


def mlp(seed: int = 0, sizes: tuple[int, ...] = (2, 16, 16, 1)) -> Sequential:
    rng = np.random.default_rng(seed)
    layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (Linear(a, b, rng=rng), Tanh())]
    return Sequential(*layers[:-1])


def torch_mlp(model: Sequential) -> torch.nn.Sequential:
    """The same model, parameter by parameter, in torch."""
    modules = [
        torch.nn.Linear(*reversed(layer.weight.shape)) if isinstance(layer, Linear) else torch.nn.Tanh()
        for layer in model.layers
    ]
    twin = torch.nn.Sequential(*modules)
    torch.nn.utils.vector_to_parameters(torch.from_numpy(model.params.copy()), twin.parameters())
    return twin


def by_fit(optimizer: str) -> np.ndarray:
    model = mlp()
    settings = dict(loss=binary_cross_entropy_with_logits, optimizer=OPTIMIZERS[optimizer][0])
    fit(model, *points(), lr=LR, epochs=STEPS, every=STEPS, **settings)
    return model.params


def unrolled(optimizer: str) -> np.ndarray:
    """The same training as one stretch of NumPy calls for this one architecture: how fast it can get.

    One flat float32 vector, every result written in place, features × points so that rows are long.
    """
    (x, y), p = points(), mlp().params
    g, m, v, s = (np.zeros_like(p) for _ in range(4))
    at = [(0, (16, 2)), (32, (16, 1)), (48, (16, 16)), (304, (16, 1)), (320, (1, 16)), (336, (1, 1))]
    (w1, b1, w2, b2, w3, b3), (dw1, db1, dw2, db2, dw3, db3) = (
        [flat[start : start + np.prod(shape)].reshape(shape) for start, shape in at] for flat in (p, g)
    )
    xt, yt, ones = np.ascontiguousarray(x.T), y.T, np.ones((len(x), 1), np.float32)
    h1, h2, d1, d2, d = (np.empty((16, len(x)), np.float32) for _ in range(5))
    out = np.empty((1, len(x)), np.float32)
    one, half, share, lr = (np.array(c, np.float32) for c in (1, 0.5, 1 / len(x), LR))
    for t in range(1, STEPS + 1):
        np.tanh(np.add(np.dot(w1, xt, out=h1), b1, out=h1), out=h1)
        np.tanh(np.add(np.dot(w2, h1, out=h2), b2, out=h2), out=h2)
        np.add(np.dot(w3, h2, out=out), b3, out=out)
        np.tanh(np.multiply(out, half, out=out), out=out)
        np.add(np.multiply(out, half, out=out), half, out=out)
        np.multiply(np.subtract(out, yt, out=out), share, out=out)
        np.dot(out, h2.T, out=dw3)
        np.dot(out, ones, out=db3)
        np.subtract(one, np.multiply(h2, h2, out=d), out=d)
        np.multiply(np.multiply(w3.T, out, out=d2), d, out=d2)
        np.dot(d2, h1.T, out=dw2)
        np.dot(d2, ones, out=db2)
        np.subtract(one, np.multiply(h1, h1, out=d), out=d)
        np.multiply(np.dot(w2.T, d2, out=d1), d, out=d1)
        np.dot(d1, x, out=dw1)
        np.dot(d1, ones, out=db1)
        if optimizer == "SGD":
            np.subtract(p, np.multiply(g, lr, out=s), out=p)
            continue
        np.add(np.multiply(m, 0.9, out=m), np.multiply(g, 0.1, out=s), out=m)
        np.add(np.multiply(v, 0.999, out=v), np.multiply(np.multiply(g, g, out=s), 0.001, out=s), out=v)
        np.add(np.sqrt(np.divide(v, 1 - 0.999**t, out=s), out=s), 1e-8, out=s)
        np.subtract(p, np.multiply(np.divide(m, s, out=s), LR / (1 - 0.9**t), out=s), out=p)
    return p


def by_torch(optimizer: str) -> np.ndarray:
    model, (x, y) = torch_mlp(mlp()), map(torch.from_numpy, points())
    steps, loss = OPTIMIZERS[optimizer][1](model.parameters(), lr=LR), torch.nn.BCEWithLogitsLoss()
    for _ in range(STEPS):
        steps.zero_grad()
        loss(model(x), y).backward()
        steps.step()
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy()


def training_row(optimizer: str) -> list[str]:
    ways = {"fit": by_fit, "unrolled": unrolled, "torch": by_torch}
    results = {name: way(optimizer) for name, way in ways.items()}
    for name in ("unrolled", "torch"):  # the time for another result would be worth nothing
        if (off := np.abs(results["fit"] - results[name]).max()) > 0.02:
            raise ValueError(f"fit and {name} do not train the same network: {off:.3f}")
    times = medians({name: partial(way, optimizer) for name, way in ways.items()}, rounds=7)
    ratios = f"{times['fit'] / times['unrolled']:.2f}", f"{times['torch'] / times['fit']:.1f}"
    return [*(f"{times[name]:.1f}" for name in ways), *ratios]


def digits_by_fit() -> None:
    data, rng = digits(), np.random.default_rng(0)
    settings = dict(batch_size=64, rng=rng, epochs=10, validation=(data.x_test, data.y_test))
    fit(mlp(sizes=(64, 32, 10)), data.x_train, data.y_train, lr=0.1, momentum=0.9, **settings)


def digits_by_torch() -> None:
    data, rng = digits(), np.random.default_rng(0)
    x, y = torch.from_numpy(data.x_train.astype(np.float32)), torch.from_numpy(data.y_train)
    model = torch_mlp(mlp(sizes=(64, 32, 10)))
    steps, loss = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), torch.nn.CrossEntropyLoss()
    for _ in range(10):
        for rows in torch.from_numpy(rng.permutation(len(x))).split(64):
            steps.zero_grad()
            loss(model(x[rows]), y[rows]).backward()
            steps.step()


def digits_row() -> list[str]:
    times = medians({"fit": digits_by_fit, "torch": digits_by_torch}, rounds=7)
    return [f"{times['fit']:.1f}", "", f"{times['torch']:.1f}", "", f"{times['torch'] / times['fit']:.1f}"]


def live_row(every: int) -> list[str]:
    """What one turn of a live loop costs: some steps, then an entry of the history."""
    settings = dict(lr=0.1, epochs=10**9, every=every, loss=binary_cross_entropy_with_logits)
    running = train(mlp(), *points(), **settings)
    return [f"{medians({'turn': lambda: next(running)})['turn']:.3f}"]


def many_row(count: int, n: int) -> list[str]:
    rates = list(np.geomspace(0.01, 1, 12)) * (count // 12)
    settings = dict(epochs=STEPS, every=STEPS, loss=binary_cross_entropy_with_logits)

    def one_by_one() -> None:
        for seed, lr in enumerate(rates):
            fit(mlp(seed), *points(n), lr=lr, **settings)

    def together() -> None:
        fit_many([mlp(seed) for seed in range(count)], *points(n), lr=rates, **settings)

    times = medians({"loop": one_by_one, "many": together}, rounds=3)
    return [f"{times['loop']:.0f}", f"{times['many']:.0f}", f"{times['many'] / times['loop']:.2f}"]


# ----------------------------------------------------------------------------------------- convolution


CONVOLUTIONS = {  # batch, channels in, size, channels out, kernel; the first layer needs no gradient for x
    "64×1×28×28 to 8, 3×3": (64, 1, 28, 8, 3),
    "64×1×28×28 to 16, 3×3": (64, 1, 28, 16, 3),
    "64×1×28×28 to 16, 5×5": (64, 1, 28, 16, 5),
    "32×16×14×14 to 32, 3×3": (32, 16, 14, 32, 3),
}


def both_ways(layer: Any, x: np.ndarray, module: Callable, parameters: list, want: bool) -> list[str]:
    """Forward and backward of a layer and of torch's operation, once both have given the same gradients."""
    inputs = torch.from_numpy(x).requires_grad_(want)
    g = np.random.default_rng(1).normal(size=layer.forward(x).shape).astype(np.float32)
    sent, wanted = torch.from_numpy(g), [*([inputs] if want else []), *parameters]

    def by_torch() -> None:
        for p in wanted:
            p.grad = None
        module(inputs).backward(sent)

    def by_layer() -> Any:
        layer.forward(x)
        return layer.backward(g, want_input=want)

    by_torch()
    grad_x = by_layer()
    mine = [
        *([grad_x] if want else []),
        *(p.grads[k] for p in getattr(layer, "layers", [layer]) for k in p.grads),
    ]
    off = max(core.max_difference(a, b.grad.numpy()) for a, b in zip(mine, wanted, strict=True))
    if off > 1e-4:
        raise ValueError(f"the layer and torch differ by {off}")
    times = medians({"numpy": by_layer, "torch": by_torch}, rounds=11)
    return [f"{times['numpy']:.2f}", f"{times['torch']:.2f}", f"{times['numpy'] / times['torch']:.2f}"]


def convolution_row(n: int, channels: int, size: int, outputs: int, kernel: int) -> list[str]:
    rng, padding = np.random.default_rng(0), kernel // 2
    layer = Conv2d(channels, outputs, kernel, padding=padding, rng=rng)
    weights = [torch.from_numpy(p.copy()).requires_grad_() for p in layer.params.values()]
    x = rng.normal(size=(n, channels, size, size)).astype(np.float32)
    operation = lambda x: torch.nn.functional.conv2d(x, *weights, padding=padding)  # noqa: E731
    return both_ways(layer, x, operation, weights, want=channels > 1)


def pooling_row() -> list[str]:
    x = np.random.default_rng(0).normal(size=(64, 8, 28, 28)).astype(np.float32)
    return both_ways(MaxPool2d(2), x, partial(torch.nn.functional.max_pool2d, kernel_size=2), [], want=True)


def network_row() -> list[str]:
    """Forward and backward of two convolutions with pooling and a dense layer."""
    rng, nn = np.random.default_rng(0), torch.nn
    first = Conv2d(1, 8, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2)
    second = Conv2d(8, 16, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2)
    model = Sequential(*first, *second, Flatten(), Linear(16 * 49, 10, rng=rng))
    there = nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    behind = nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    twin = nn.Sequential(*there, *behind, nn.Flatten(), nn.Linear(16 * 49, 10))
    nn.utils.vector_to_parameters(torch.from_numpy(model.params.copy()), twin.parameters())
    x = rng.normal(size=(64, 1, 28, 28)).astype(np.float32)
    return both_ways(model, x, twin, list(twin.parameters()), want=False)


def convolution_entries() -> Iterator[list[str]]:
    yield from attempts([(name, *sizes) for name, sizes in CONVOLUTIONS.items()], convolution_row, 3)
    yield from attempts([("max pooling by 2, 64×8×28×28",)], pooling_row, 3)
    yield from attempts([("two convolutions, two poolings, dense; batch 64",)], network_row, 3)


def formulations_row(kernel: int) -> list[str]:
    """Three ways to the same convolution, forward, without padding, as multiples of the columns' time."""
    conv = core.load("convolution", "in_numpy")
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(4, 4, 64, 64)), rng.normal(size=(8, 4, kernel, kernel))
    ways = {"columns": conv.conv2d, "loops": conv.conv2d_loops, "waves": conv.conv2d_fft}
    results = [way.unchecked(x, weight) for way in ways.values()]
    if max(core.max_difference(y, results[0]) for y in results) > 1e-10:
        raise ValueError("the three differ")
    times = medians({name: partial(way.unchecked, x, weight) for name, way in ways.items()}, rounds=3)
    ratios = (f"{times[name] / times['columns']:.3g}" for name in ("loops", "waves"))
    return [f"{times['columns']:.2f}", *ratios]


# ------------------------------------------------------------------------------------------- recurrent


def recurrent_row(kind: type, goal: str) -> list[str]:
    """Forward and backward over 50 steps of 32 sequences, 64 inputs and 64 units."""
    name, rng = kind.__name__, np.random.default_rng(0)
    layer, module = kind(64, 64, rng=rng), getattr(torch.nn, name)(64, 64)
    module.load_state_dict({key: torch.from_numpy(p.copy()) for key, p in layer.params.items()})
    x, grad = rng.normal(size=(2, 50, 32, 64)).astype(np.float32)
    state = [np.zeros((32, 64), np.float32)] * len(layer.cell.states)
    weights, pairs = layer.params.values(), core.load("recurrent", "in_numpy")
    f, backward = (getattr(pairs, name.lower() + ending).unchecked for ending in ("", "_backward"))
    tensors, sent = torch.from_numpy(x), torch.from_numpy(grad)

    def by_layer() -> np.ndarray:
        y = layer.forward(x)
        layer.backward(grad, want_input=False)
        return y

    def by_pair() -> np.ndarray:
        y, *last = f(x, *state, *weights)
        backward((grad, *map(np.zeros_like, last)), x, *state, *weights)
        return y

    def by_torch() -> np.ndarray:
        module.zero_grad()
        y, _ = module(tensors)
        y.backward(sent)
        return y.detach().numpy()

    ways = {"layer": by_layer, "pair": by_pair, "torch": by_torch}
    results = {way: run() for way, run in ways.items()}
    if max(np.abs(results["torch"] - results[way]).max() for way in ways) > 1e-4:
        raise ValueError(f"{name}: the three do not compute the same")
    times = medians(ways, rounds=11)
    ratios = [f"{times[way] / times['torch']:.2f}" for way in ("layer", "pair")]
    return [*(f"{times[way]:.2f}" for way in ways), *ratios, goal]


RECURRENT = [("RNN", RNN, "0.5"), ("LSTM", LSTM, "2.2"), ("GRU", GRU, "0.65")]


# ------------------------------------------------------------------------------------------- explorers


def explorer_row(make: Callable) -> list[str]:
    """From a value to the picture, every control over its whole range, without a page to show it in."""
    explorer, times = make(), []
    explorer.update()
    for name, control in explorer.controls.items():
        for value in control.sweep():
            start = time.perf_counter()
            explorer.update(**{name: value})
            times.append(1e3 * (time.perf_counter() - start))
        explorer.update(**{name: control.value})
    return [str(len(times)), f"{median(times):.0f}", f"{np.percentile(times, 95):.0f}", f"{max(times):.0f}"]


def explorer_entries() -> list[tuple[str, Callable]]:
    try:
        from nnlib.explorer import explorers

        return list(explorers())
    except Exception as error:
        print(f"explorers left out: {error}")
        return []


# ---------------------------------------------------------------------------------------------- report

REPORT = """# Measured

One thread; Python {python}, NumPy {numpy}, torch {torch}. Times depend on the machine and on what
else it does; only ratios travel. `make bench` writes this file anew.

## Functions

The time of the NumPy reference divided by that of the twin and of PyTorch's own operation, in
float32: below 1 NumPy is faster. The references are written to be read. PyTorch's dropouts draw their
masks, ours are given one.

{functions}

## Training

2-16-16-1 on 300 points in {steps} full-batch steps, and 64-32-10 on the digits. Goals: `fit` at
most 2 times the unrolled form and at least 8 times faster than eager PyTorch; the digits under 40
ms.

{training}

## Live training

One turn of `train` with the same network: some steps, then an entry of the history.

{live}

## Many models

2-16-16-1, {steps} full-batch steps, 12 learning rates. Goals: at most 0.7 times as long as `fit` of
each at 300 points, 0.35 at 64.

{many}

## Convolution

Forward and backward of the layers against torch's operations with equal gradients, in float32. Goals:
at most 0.8 with one input channel, 2.7 beyond sixteen, 0.4 for pooling, 0.85 for the network.

{convolution}

Loops, columns (a matrix product) and waves (Fourier), forward, 4×4×64×64 to 8 channels in float64.

{formulations}

## Recurrent layers

50 steps, 32 sequences, 64 inputs, 64 units, float32: forward, and backward without the gradient for the
input. `nnlib.layers` and the readable pair against PyTorch's module.

{recurrent}

## Explorers

From a control's value to the picture, in the kernel, every control over its whole range. Goal, with
the way into the page: 100 ms in the median, 200 ms at the 95th percentile.

{explorers}
"""


def main() -> None:
    torch.set_num_threads(1)
    np.seterr(all="ignore")
    ways = ["fit, ms", "unrolled NumPy, ms", "PyTorch, ms", "fit ÷ unrolled", "PyTorch ÷ fit"]
    sizes = [(f"{m}, {n}", m, n) for n in (64, 300) for m in (12, 96)]
    report = REPORT.format(
        python=platform.python_version(),
        numpy=np.__version__,
        torch=torch.__version__,
        steps=STEPS,
        functions=table(
            ["function", "size", "forward, ms", "÷ twin", "÷ library", "both ways ÷ twin", "÷ library"],
            attempts(functions(), function_row, 6),
        ),
        training=table(
            ["", *ways],
            chain(
                attempts([(name, name) for name in OPTIMIZERS], training_row, 5),
                attempts([("digits, SGD, batch 64, 10 epochs",)], digits_row, 5),
            ),
        ),
        live=table(["steps in a turn", "ms"], attempts([("1", 1), ("10", 10), ("100", 100)], live_row, 1)),
        many=table(
            ["models, points", "fit of each, ms", "fit_many, ms", "ratio"], attempts(sizes, many_row, 3)
        ),
        convolution=table(["", "NumPy, ms", "torch, ms", "NumPy ÷ torch"], convolution_entries()),
        formulations=table(
            ["kernel", "columns, ms", "loops ÷ columns", "waves ÷ columns"],
            attempts([(f"{k} × {k}", k) for k in (3, 7, 15, 31)], formulations_row, 3),
        ),
        recurrent=table(
            ["layer", "layer, ms", "pair, ms", "PyTorch, ms", "layer ÷ PyTorch", "pair ÷ PyTorch", "goal"],
            attempts(RECURRENT, recurrent_row, 6),
        ),
        explorers=table(
            ["explorer", "updates", "median, ms", "95 %, ms", "longest, ms"],
            attempts(explorer_entries(), explorer_row, 4),
        ),
    )
    RESULTS.write_text(report, encoding="utf-8")


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") != "1":  # read when NumPy is imported: too late for this process
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "OMP_NUM_THREADS": "1"})
    main()
