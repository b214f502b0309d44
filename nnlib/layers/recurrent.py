"""Recurrent layers: whole sequences in few large products, several layers, both directions, many lengths.

`RNN`, `LSTM` and `GRU` compute what the pairs in `nnlib.recurrent` compute, with less work: one product takes
the inputs of all steps through the weights, another gives a weight's gradient for all steps together. What
remains in the loop over time is the product with the state and a few operations in arrays that are kept.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnlib.core import as_tuple
from nnlib.layers.base import Array, Layer
from nnlib.recurrent import in_numpy as recurrent

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

# -------------------------------------------------------------------------- one layer in one direction


class _Pass:
    """One layer in one direction, steps first: x (T, N, D) with state (N, H) to y (T, N, H).

    `running` (T, N, 1) is 1 until a sequence has ended, 0 from then on; None where all are equally long.
    """

    states = ("h",)

    def __init__(self, params: dict[str, Array], grads: dict[str, Array], nonlinearity: str = "tanh"):
        self.params, self.grads, self.nonlinearity = params, grads, nonlinearity
        self.weight_ih, self.weight_hh = params["weight_ih"], params["weight_hh"]
        self.shape: tuple[int, ...] | None = None

    def forward(self, x: Array, state: list[Array], running: Array | None) -> tuple[Array, list[Array]]:
        if x.shape != self.shape:
            self.shape = x.shape
            self.allocate(*x.shape[:2], self.weight_hh.shape[1], x.dtype)
        self.x, self.running = x, running
        for own, start in zip((self.h, getattr(self, "c", None)), state):
            own[0] = start
        self.run()
        y = self.h[1:] if running is None else self.h[1:] * running
        return y, [self.h[-1], *([self.c[-1]] if len(state) > 1 else [])]

    def backward(self, grad_y: Array, grad_state: list[Array], want_input: bool) -> tuple[Any, list[Array]]:
        if self.running is not None:
            grad_y = grad_y * self.running
        grad_a, grad_b, grad_state = self.run_back(grad_y, [np.array(g) for g in grad_state])
        grad_a, grad_b = (g.reshape(-1, g.shape[-1]) for g in (grad_a, grad_b))
        np.dot(grad_a.T, self.x.reshape(len(grad_a), -1), out=self.grads["weight_ih"])
        np.dot(grad_b.T, self.h[:-1].reshape(len(grad_b), -1), out=self.grads["weight_hh"])
        if "bias_ih" in self.grads:
            ones = np.ones(len(grad_a), grad_a.dtype)  # a product is quicker than a sum over rows
            np.dot(ones, grad_a, out=self.grads["bias_ih"])
            np.dot(ones, grad_b, out=self.grads["bias_hh"])
        return np.dot(grad_a, self.weight_ih).reshape(self.x.shape) if want_input else None, grad_state

    def inputs(self, weight: Array, bias: Array | None, out: Array) -> None:
        """What the inputs of all steps add to the sums of the units."""
        rows = out.reshape(-1, out.shape[-1])
        np.dot(self.x.reshape(len(rows), -1), weight.T, out=rows)
        if bias is not None:
            np.add(rows, bias, out=rows)

    def hold(self, t: int) -> None:
        """Sequences that have ended keep their state."""
        if self.running is not None:
            np.copyto(self.h[t + 1], self.h[t], where=self.running[t] == 0)


class _RNNPass(_Pass):
    """h = tanh(a + h @ weight_hh.T), or relu"""

    def allocate(self, steps: int, rows: int, hidden: int, dtype: Any) -> None:
        self.h = np.empty((steps + 1, rows, hidden), dtype)
        self.grad_z = np.empty((steps, rows, hidden), dtype)
        self.sum = np.empty((rows, hidden), dtype)

    def run(self) -> None:
        bias = self.params["bias_ih"] + self.params["bias_hh"] if "bias_ih" in self.params else None
        self.inputs(self.weight_ih, bias, out=self.h[1:])
        h, weight, tanh = self.h, np.ascontiguousarray(self.weight_hh.T), self.nonlinearity == "tanh"
        for t in range(len(self.x)):
            z = np.add(h[t + 1], np.dot(h[t], weight, out=self.sum), out=h[t + 1])
            np.tanh(z, out=z) if tanh else np.maximum(z, 0, out=z)
            self.hold(t)

    def run_back(self, grad_y: Array, grad_state: list[Array]) -> tuple[Array, Array, list[Array]]:
        (grad_h,), g, y = grad_state, self.grad_z, self.h[1:]
        if self.nonlinearity == "tanh":
            np.subtract(1, np.multiply(y, y, out=g), out=g)
        else:
            g[...] = y > 0
        if self.running is not None:
            np.multiply(g, self.running, out=g)
        for t in range(len(y) - 1, -1, -1):
            np.add(grad_h, grad_y[t], out=grad_h)
            z = np.multiply(grad_h, g[t], out=g[t])
            if self.running is None:
                np.dot(z, self.weight_hh, out=grad_h)
            else:
                grad_h = np.dot(z, self.weight_hh) + (1 - self.running[t]) * grad_h
        return g, g, [grad_h]


class _LSTMPass(_Pass):
    """All gates in one array (T, N, 4H): sigmoid(z) = (1 + tanh(z / 2)) / 2 lets one tanh do for all four."""

    states = ("h", "c")

    def allocate(self, steps: int, rows: int, hidden: int, dtype: Any) -> None:
        self.h, self.c = (np.empty((steps + 1, rows, hidden), dtype) for _ in range(2))
        self.gates, self.slopes = (np.empty((steps, rows, 4 * hidden), dtype) for _ in range(2))
        self.shown, self.leak = (np.empty((steps, rows, hidden), dtype) for _ in range(2))
        self.sum, self.part = np.empty((rows, 4 * hidden), dtype), np.empty((rows, hidden), dtype)
        self.scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], dtype), hidden)
        self.shift = np.repeat(np.array([0.5, 0.5, 0, 0.5], dtype), hidden)

    def of(self, array: Array) -> list[Array]:
        """The four gates' parts of an array, i f g o."""
        return [array[..., k : k + self.h.shape[-1]] for k in range(0, array.shape[-1], self.h.shape[-1])]

    def run(self) -> None:
        scale, shift, gates = self.scale, self.shift, self.gates
        bias = (self.params["bias_ih"] + self.params["bias_hh"]) * scale if "bias_ih" in self.params else None
        self.inputs(self.weight_ih * scale[:, None], bias, out=gates)
        weight = np.ascontiguousarray((self.weight_hh * scale[:, None]).T)
        h, c, shown, parts = self.h, self.c, self.shown, self.of(gates)
        for t in range(len(gates)):
            z = np.add(gates[t], np.dot(h[t], weight, out=self.sum), out=gates[t])
            np.tanh(z, out=z)
            np.multiply(z, scale, out=z)
            np.add(z, shift, out=z)
            i, f, g, o = (part[t] for part in parts)
            if self.running is not None:  # an ended sequence forgets nothing and takes nothing in
                np.copyto(f, 1, where=self.running[t] == 0)
                np.copyto(i, 0, where=self.running[t] == 0)
            np.multiply(f, c[t], out=c[t + 1])
            np.add(c[t + 1], np.multiply(i, g, out=self.part), out=c[t + 1])
            np.multiply(o, np.tanh(c[t + 1], out=shown[t]), out=h[t + 1])
            self.hold(t)

    def run_back(self, grad_y: Array, grad_state: list[Array]) -> tuple[Array, Array, list[Array]]:
        (grad_h, grad_c), slopes = grad_state, self.slopes
        _, f, g, o = self.of(self.gates)
        np.multiply(self.gates, self.gates, out=slopes)  # sigmoid: y - y²; tanh: 1 - y²
        g_slope = self.of(slopes)[2]
        np.subtract(1, g_slope, out=self.leak)
        np.subtract(self.gates, slopes, out=slopes)
        np.copyto(g_slope, self.leak)
        for part, other in zip(self.of(slopes), (g, self.c[:-1], self.of(self.gates)[0], self.shown)):
            np.multiply(part, other, out=part)
        leak = np.multiply(self.shown, self.shown, out=self.leak)  # from h into c: o (1 - tanh²)
        np.multiply(np.subtract(1, leak, out=leak), o, out=leak)
        if self.running is not None:
            np.multiply(slopes, self.running, out=slopes)
            np.multiply(leak, self.running, out=leak)
        hidden, rows = self.h.shape[-1], len(self.part)
        into_c = slopes.reshape(len(slopes), rows, 4, hidden)[:, :, :3]
        into_o = self.of(slopes)[3]
        for t in range(len(slopes) - 1, -1, -1):
            np.add(grad_h, grad_y[t], out=grad_h)
            np.add(grad_c, np.multiply(grad_h, leak[t], out=self.part), out=grad_c)
            np.multiply(into_c[t], grad_c[:, None], out=into_c[t])
            np.multiply(into_o[t], grad_h, out=into_o[t])
            np.multiply(grad_c, f[t], out=grad_c)
            if self.running is None:
                np.dot(slopes[t], self.weight_hh, out=grad_h)
            else:
                grad_h = np.dot(slopes[t], self.weight_hh) + (1 - self.running[t]) * grad_h
        return slopes, slopes, [grad_h, grad_c]


class _GRUPass(_Pass):
    """r and z in one array; the candidate's two sums stay apart, since r multiplies only one of them."""

    def allocate(self, steps: int, rows: int, hidden: int, dtype: Any) -> None:
        self.h = np.empty((steps + 1, rows, hidden), dtype)
        self.gates, self.grad_b = (np.empty((steps, rows, 3 * hidden), dtype) for _ in range(2))
        self.grad_a = np.empty((steps, rows, 3 * hidden), dtype)
        self.from_state = np.empty((steps, rows, 3 * hidden), dtype)
        self.part = np.empty((rows, hidden), dtype)
        self.to_n, self.keep = (np.empty((steps, rows, hidden), dtype) for _ in range(2))

    def run(self) -> None:
        hidden, gates, h = self.h.shape[-1], self.gates, self.h
        rz, n = gates[..., : 2 * hidden], gates[..., 2 * hidden :]
        scale = np.repeat(np.array([0.5, 0.5, 1], h.dtype), hidden)
        given = "bias_ih" in self.params
        self.inputs(
            self.weight_ih * scale[:, None], self.params["bias_ih"] * scale if given else None, out=gates
        )
        weight, bias = np.ascontiguousarray((self.weight_hh * scale[:, None]).T), self.params.get("bias_hh")
        bias = bias * scale if given else None
        for t in range(len(gates)):
            b = np.dot(h[t], weight, out=self.from_state[t])
            if given:
                np.add(b, bias, out=b)
            y = np.add(rz[t], b[:, : 2 * hidden], out=rz[t])
            np.tanh(y, out=y)
            np.multiply(y, 0.5, out=y)
            np.add(y, 0.5, out=y)
            r, z = y[:, :hidden], y[:, hidden:]
            np.add(n[t], np.multiply(r, b[:, 2 * hidden :], out=self.part), out=n[t])
            np.tanh(n[t], out=n[t])
            np.multiply(np.subtract(h[t], n[t], out=self.part), z, out=self.part)
            np.add(n[t], self.part, out=h[t + 1])
            self.hold(t)

    def run_back(self, grad_y: Array, grad_state: list[Array]) -> tuple[Array, Array, list[Array]]:
        (grad_h,), hidden = grad_state, self.h.shape[-1]
        r, z, n = (self.gates[..., k * hidden : (k + 1) * hidden] for k in range(3))
        b_n, h = self.from_state[..., 2 * hidden :], self.h[:-1]
        grad_b, to_n, keep = self.grad_b, self.to_n, self.keep
        to_r, to_z, through_r = (grad_b[..., k * hidden : (k + 1) * hidden] for k in range(3))
        np.subtract(1, z, out=keep)
        np.multiply(n, n, out=to_n)
        np.multiply(np.subtract(1, to_n, out=to_n), keep, out=to_n)  # (1 - n²) (1 - z)
        np.multiply(keep, z, out=keep)
        np.multiply(np.subtract(h, n, out=to_z), keep, out=to_z)  # (h - n) z (1 - z)
        if self.running is not None:
            np.multiply(to_n, self.running, out=to_n)
            np.multiply(to_z, self.running, out=to_z)
        np.multiply(to_n, r, out=through_r)
        np.multiply(np.subtract(1, r, out=to_r), b_n, out=to_r)
        np.multiply(to_r, through_r, out=to_r)  # r (1 - r) b_n (1 - n²) (1 - z)
        np.copyto(keep, z)
        if self.running is not None:
            np.copyto(keep, 1, where=self.running == 0)
        slopes = grad_b.reshape(len(grad_b), -1, 3, hidden)
        for t in range(len(grad_b) - 1, -1, -1):
            np.add(grad_h, grad_y[t], out=grad_h)
            np.multiply(slopes[t], grad_h[:, None], out=slopes[t])
            np.multiply(to_n[t], grad_h, out=to_n[t])
            np.multiply(grad_h, keep[t], out=grad_h)
            np.add(grad_h, np.dot(grad_b[t], self.weight_hh, out=self.part), out=grad_h)
        self.grad_a[..., : 2 * hidden] = grad_b[..., : 2 * hidden]
        self.grad_a[..., 2 * hidden :] = to_n
        return self.grad_a, grad_b, [grad_h]


# --------------------------------------------------------------------------------------------- layers


class _Recurrent(Layer):
    """What RNN, LSTM and GRU share: layers on top of each other, two directions, states and lengths."""

    gates, cell = 1, _RNNPass

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        rng: np.random.Generator,
        dtype: Any = np.float32,
    ):
        if dropout:
            raise NotImplementedError(
                f"{type(self).__name__}: dropout={dropout} is an option of torch's that this course does not "
                "teach; expected dropout=0.0 or nothing"
            )
        for size, value in (("hidden_size", hidden_size), ("num_layers", num_layers)):
            if value < 1:
                raise ValueError(f"{type(self).__name__}: {size} is {value}; expected at least 1")
        self.hidden_size, self.num_layers, self.batch_first = hidden_size, num_layers, batch_first
        self.directions = ("", "_reverse") if bidirectional else ("",)
        self.training, self.shape = True, None
        bound, rows = 1 / math.sqrt(hidden_size), self.gates * hidden_size
        params = {}
        for k in range(num_layers):
            inputs = input_size if k == 0 else hidden_size * len(self.directions)
            for direction in self.directions:
                shapes = (rows, inputs), (rows, hidden_size), (rows,), (rows,)
                for name, shape in zip(WEIGHTS[: 4 if bias else 2], shapes):
                    params[f"{name}_l{k}{direction}"] = rng.uniform(-bound, bound, shape).astype(dtype)
        self.bind(params, {name: np.zeros_like(p) for name, p in params.items()})

    def bind(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        super().bind(params, grads)
        self.passes = [
            [self.cell(*self.part(k, direction), **self.options()) for direction in self.directions]
            for k in range(self.num_layers)
        ]

    def options(self) -> dict[str, Any]:
        return {}

    def part(self, k: int, direction: str) -> list[dict[str, Array]]:
        """The parameters and the gradients of one layer in one direction, under their short names."""
        names = {
            name: f"{name}_l{k}{direction}" for name in WEIGHTS if f"{name}_l{k}{direction}" in self.params
        }
        return [{short: held[name] for short, name in names.items()} for held in (self.params, self.grads)]

    def steps_first(self, x: Array) -> Array:
        return x.swapaxes(0, 1) if self.batch_first else x

    def running(self, x: Array, lengths: Array | None) -> Array | None:
        """1 until a sequence has ended, as a column for each step."""
        if lengths is None:
            return None
        return (np.arange(len(x))[:, None, None] < np.asarray(lengths)[:, None]).astype(x.dtype)

    def start(self, state: Any, rows: int, dtype: Any) -> list[Array]:
        """The given states as arrays (layers and directions, N, H), or zeros."""
        if state is not None:
            return [np.asarray(s, dtype) for s in as_tuple(state)]
        shape = self.num_layers * len(self.directions), rows, self.hidden_size
        return [np.zeros(shape, dtype) for _ in self.cell.states]

    def forward(self, x: Array, state: Any = None, lengths: Array | None = None) -> Array:
        """The last layer's output at every step; the final states are kept as `h_n`, and the LSTM's `c_n`."""
        x = np.ascontiguousarray(self.steps_first(x))
        running, start, last = self.running(x, lengths), self.start(state, x.shape[1], x.dtype), []
        if running is not None:  # behind its end anything may stand, even NaN
            x = np.where(running, x, 0)
        for passes in self.passes:
            outputs = []
            for way, one in zip((1, -1), passes):
                given = [s[len(last)] for s in start]
                flipped = running if running is None else running[::way]
                y, final = one.forward(np.ascontiguousarray(x[::way]), given, flipped)
                outputs.append(y[::way])
                last.append(final)
            x = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=2)
            x = np.ascontiguousarray(x)
        for name, values in zip(self.cell.states, zip(*last)):
            setattr(self, f"{name}_n", np.stack(values))
        return self.steps_first(x)

    def backward(self, grad_output: Array | None, want_input: bool = True, *grad_state: Array) -> Any:
        """Gradients for the parameters, into `grads`, and for the input, which is returned.

        `grad_state` are those for h_n and c_n, zeros unless given; those for the first states are kept as
        `grad_h_0` and `grad_c_0`. No grad_output means that nobody looked at the outputs of the steps.
        """
        count, one = len(self.directions), self.passes[-1][0]
        steps, rows = one.x.shape[:2]
        dtype, states = one.x.dtype, list(grad_state) or self.start(None, rows, one.x.dtype)
        if grad_output is None:
            grad = np.zeros((steps, rows, count * self.hidden_size), dtype)
        else:
            grad = self.steps_first(grad_output)
        first: list[Any] = [None] * (count * self.num_layers)
        for k in range(self.num_layers - 1, -1, -1):
            total: Any = None
            for d, (way, one) in enumerate(zip((1, -1), self.passes[k])):
                at = k * count + d
                own = grad[::way, :, d * self.hidden_size : (d + 1) * self.hidden_size]
                grad_x, first[at] = one.backward(own, [s[at] for s in states], want_input or k > 0)
                if grad_x is not None:
                    total = grad_x if total is None else total + grad_x[::way]
            grad = total
        for name, values in zip(self.cell.states, zip(*first)):
            setattr(self, f"grad_{name}_0", np.stack(values))
        return None if grad is None else self.steps_first(grad)

    def __call__(self, x: Array, state: Any = None, lengths: Array | None = None) -> tuple[Array, Any]:
        """As in torch: y and h_n, or y and (h_n, c_n). All sequences are checked."""
        self.check(x, state, lengths)
        y = self.forward(x, state, lengths).copy()
        final = tuple(getattr(self, f"{name}_n").copy() for name in self.cell.states)
        return y, final if len(final) > 1 else final[0]

    def check(self, x: Array, state: Any = None, lengths: Array | None = None) -> Array:
        """The same by the checked functions of `nnlib.recurrent`, layer by layer."""
        f = getattr(recurrent, type(self).__name__.lower())
        if x.ndim != 3:
            came = f"{type(self).__name__}: x has shape {x.shape}"
            raise ValueError(f"{came}; expected {'(N, T, D)' if self.batch_first else '(T, N, D)'}")
        x, at = self.steps_first(x), 0
        start = self.start(state, x.shape[1], x.dtype)
        for k in range(self.num_layers):
            outputs = []
            for direction in self.directions:
                given = [s[at] for s in start]
                params, _ = self.part(k, direction)
                reverse = direction == "_reverse"
                y, *_ = f(x, *given, **params, **self.options(), lengths=lengths, reverse=reverse)
                outputs.append(y)
                at += 1
            x = np.concatenate(outputs, axis=2)
        return self.steps_first(x)


class RNN(_Recurrent):
    """torch.nn.RNN: `rnn_cell` along a sequence, in layers and directions."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *others: Any,
        **settings: Any,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity is {nonlinearity!r}; expected 'tanh' or 'relu'")
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, num_layers, *others, **settings)

    def options(self) -> dict[str, Any]:
        return {"nonlinearity": self.nonlinearity}


class LSTM(_Recurrent):
    """torch.nn.LSTM: `lstm_cell` along a sequence, in layers and directions; gates in the order i f g o."""

    gates, cell = 4, _LSTMPass


class GRU(_Recurrent):
    """torch.nn.GRU: `gru_cell` along a sequence, in layers and directions; gates in the order r z n."""

    gates, cell = 3, _GRUPass


class LastStep(Layer):
    """What a sequence ends with: (N, T, H) to (N, H)."""

    def __init__(self) -> None:
        self.training, self.shape = True, None
        self.bind({}, {})

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x[:, -1]

    check = forward

    def backward(self, grad_output: Array, want_input: bool = True) -> Array:
        grad = np.zeros(self.shape, grad_output.dtype)
        grad[:, -1] = grad_output
        return grad


class EachStep(Layer):
    """The same layer at every step: (N, T, D) to (N, T, O)."""

    def __init__(self, layer: Layer):
        self.layer, self.shape = layer, None
        self.bind(layer.params, layer.grads)

    def bind(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        self.params, self.grads = params, grads
        self.layer.bind(params, grads)

    @property
    def training(self) -> bool:
        return self.layer.training

    @training.setter
    def training(self, mode: bool) -> None:
        self.layer.training = mode

    def apply(self, f: Any, x: Array) -> Array:
        y = f(np.ascontiguousarray(x).reshape(-1, x.shape[-1]))
        return y.reshape(*x.shape[:-1], y.shape[-1])

    def forward(self, x: Array) -> Array:
        return self.apply(self.layer.forward, x)

    def check(self, x: Array) -> Array:
        return self.apply(self.layer.check, x)

    def backward(self, grad_output: Array, want_input: bool = True) -> Array | None:
        if want_input:
            return self.apply(self.layer.backward, grad_output)
        self.layer.backward(grad_output.reshape(-1, grad_output.shape[-1]), want_input=False)
        return None

    def copy(self) -> EachStep:
        return EachStep(self.layer.copy())
