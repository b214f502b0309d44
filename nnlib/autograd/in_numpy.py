"""The reference: one rule for each array operation, an engine that chains the rules, and what it computes.

The rules are pure f / f_backward pairs. `Tensor` records which of them a program uses and runs them backward;
`Dual` runs them forward. The engine, from `Operations` to `Dual`, is meant to be read in one sitting.
"""

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from nnlib.activations.in_numpy import relu, relu_backward, sigmoid, sigmoid_backward, tanh, tanh_backward
from nnlib.core import as_tuple, checked

no_gradient = {
    "forward_sweep": "it computes derivatives itself",
    "reverse_sweep": "it computes derivatives itself",
    "finite_difference": "it computes derivatives itself",
    "jvp": "it computes derivatives itself",
    "vjp": "it computes derivatives itself",
    "jacfwd": "it computes derivatives itself",
    "jacrev": "it computes derivatives itself",
}
kinks = {"amax": (2.5,)}  # a tie, in a case of its own: there the one-sided slopes differ


# ------------------------------------------------------------------------------ rules: element by element


@checked(not_taught={"alpha": 1})
def add(x, other):
    """Add two arrays of one shape.

        y = x + other

    Parameters
    ----------
    x, other : array (...)

    Returns
    -------
    y : array (...)
    """
    return x + other


@checked
def add_backward(grad_output, x, other):
    """Gradients of `add`: the sum passes on what it gets, to both.

    grad_x = grad_output,   grad_other = grad_output
    """
    return grad_output, grad_output


@checked(not_taught={"alpha": 1})
def sub(x, other):
    """Subtract an array from another of the same shape.

        y = x - other

    Parameters
    ----------
    x, other : array (...)

    Returns
    -------
    y : array (...)
    """
    return x - other


@checked
def sub_backward(grad_output, x, other):
    """Gradients of `sub`.

    grad_x = grad_output,   grad_other = -grad_output
    """
    return grad_output, -grad_output


@checked
def mul(x, other):
    """Multiply two arrays of one shape, element by element.

        y = x * other

    Parameters
    ----------
    x, other : array (...)

    Returns
    -------
    y : array (...)
    """
    return x * other


@checked
def mul_backward(grad_output, x, other):
    """Gradients of `mul`: each factor gets the other one.

    grad_x = grad_output * other,   grad_other = grad_output * x
    """
    return grad_output * other, grad_output * x


@checked(not_taught={"rounding_mode": None})
def div(x, other):
    """Divide an array by another of the same shape, element by element.

        y = x / other

    Parameters
    ----------
    x, other : array (...)

    Returns
    -------
    y : array (...)
    """
    return x / other


@checked
def div_backward(grad_output, x, other):
    """Gradients of `div`.

    grad_x = grad_output / other,   grad_other = -grad_output * x / other**2
    """
    grad_x = grad_output / other
    return grad_x, -grad_x * x / other


@checked
def pow(x, exponent):
    """Raise every element to the same power.

        y = x**exponent

    Parameters
    ----------
    x : array (...)
    exponent : float

    Returns
    -------
    y : array (...)
    """
    return x**exponent


@checked
def pow_backward(grad_output, x, exponent):
    """Gradient of `pow`; for exponent 0 it is 0 everywhere, where the formula would be 0 * inf at x = 0.

    grad_x = grad_output * exponent * x**(exponent - 1)
    """
    return grad_output * (exponent * x ** (exponent - 1)) if exponent else np.zeros_like(x)


@checked
def exp(x):
    """The exponential function.

        y = e**x

    Parameters
    ----------
    x : array (...)

    Returns
    -------
    y : array (...)
    """
    return np.exp(x)


@checked
def exp_backward(grad_output, x):
    """Gradient of `exp`, which is its own derivative.

    grad_x = grad_output * exp(x)
    """
    return grad_output * np.exp(x)


@checked
def log(x):
    """The natural logarithm.

        y = log(x)

    Parameters
    ----------
    x : array (...) > 0

    Returns
    -------
    y : array (...)
    """
    return np.log(x)


@checked
def log_backward(grad_output, x):
    """Gradient of `log`.

    grad_x = grad_output / x
    """
    return grad_output / x


# ------------------------------------------------------------------------------- rules: sums and products


@checked
def matmul(x, other):
    """The product of two matrices, or of each pair of matrices in two stacks.

        y = x @ other

    Parameters
    ----------
    x : array (..., N, K)
    other : array (..., K, M)

    Returns
    -------
    y : array (..., N, M)
    """
    return x @ other


@checked
def matmul_backward(grad_output, x, other):
    """Gradients of `matmul`: from y[n, m] = sum over k of x[n, k] * other[k, m].

    grad_x = grad_output @ other.T,   grad_other = x.T @ grad_output
    """
    return grad_output @ other.mT, x.mT @ grad_output


@checked(not_taught={"dtype": None})
def sum(x, dim=None, keepdim=False):
    """Add up along some axes.

        y = sum of x over dim

    Parameters
    ----------
    x : array (...)
    dim : any          an axis, a tuple of axes, or None for all
    keepdim : bool     leave the axes in place, with size 1

    Returns
    -------
    y : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)
    """
    return x.sum(axis=_axes(x, dim), keepdims=keepdim)


@checked
def sum_backward(grad_output, x, dim=None, keepdim=False):
    """Gradient of `sum`: every summand gets all of it.

    grad_x = grad_output, repeated along dim
    """
    return np.broadcast_to(_kept("sum", grad_output, x, dim, keepdim), x.shape).copy()


@checked(not_taught={"dtype": None})
def mean(x, dim=None, keepdim=False):
    """Average along some axes.

        y = sum of x over dim / n,   n = how many values meet in each mean

    Parameters
    ----------
    x : array (...)
    dim : any          an axis, a tuple of axes, or None for all
    keepdim : bool     leave the axes in place, with size 1

    Returns
    -------
    y : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)
    """
    return x.mean(axis=_axes(x, dim), keepdims=keepdim)


@checked
def mean_backward(grad_output, x, dim=None, keepdim=False):
    """Gradient of `mean`: every value gets its share.

    grad_x = grad_output / n, repeated along dim
    """
    g = _kept("mean", grad_output, x, dim, keepdim)
    return np.broadcast_to(g, x.shape) / (x.size // g.size)


@checked
def amax(x, dim=None, keepdim=False):
    """The largest value along some axes.

        y = max of x over dim

    Parameters
    ----------
    x : array (...)
    dim : any          an axis, a tuple of axes, or None for all
    keepdim : bool     leave the axes in place, with size 1

    Returns
    -------
    y : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)
    """
    return x.max(axis=_axes(x, dim), keepdims=keepdim)


@checked
def amax_backward(grad_output, x, dim=None, keepdim=False):
    """Gradient of `amax`: only the largest gets it; where several are equally large, they share it.

    grad_x = grad_output * winner / number of winners
    """
    axes = _axes(x, dim)
    winner = x == x.max(axis=axes, keepdims=True)
    g = _kept("amax", grad_output, x, dim, keepdim)
    return g * winner / winner.sum(axis=axes, keepdims=True, dtype=x.dtype)


def _axes(x, dim):
    """The axes that `dim` means, counted from the front; with none named it means all, as in torch."""
    if dim is None or np.size(dim) == 0:
        return tuple(range(x.ndim))
    return normalize_axis_tuple(dim, x.ndim, "dim")


def _kept(name, grad_output, x, dim, keepdim):
    """grad_output with the axes `dim` in place, so that it broadcasts against x."""
    axes = _axes(x, dim)
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    _expect(f"{name}_backward", grad_output, kept if keepdim else np.delete(x.shape, axes))
    return np.reshape(grad_output, kept)


def _expect(name, grad_output, shape):
    """Where the documented letters cannot tell the shape of the output, it is checked here."""
    if np.shape(grad_output) != (shape := tuple(map(int, shape))):
        raise ValueError(f"{name}: grad_output has shape {np.shape(grad_output)}; expected {shape}")


# ------------------------------------------------------------------------- rules: moving numbers around


@checked
def broadcast_to(x, size):
    """Repeat x along new axes in front and along its axes of size 1, until it has the shape `size`.

        y[..., i, j] = x[0, j]        for example, where x has one row

    Parameters
    ----------
    x : array (...)
    size : sizes

    Returns
    -------
    y : array (*size)
    """
    return np.broadcast_to(x, size)


@checked
def broadcast_to_backward(grad_output, x, size):
    """Gradient of `broadcast_to`: a number that was used several times gets the sum over its uses.

    grad_x = sum of grad_output over the axes along which x was repeated
    """
    new = grad_output.ndim - x.ndim
    repeated = [new + i for i, n in enumerate(x.shape) if n == 1]
    return grad_output.sum(axis=(*range(new), *repeated)).reshape(x.shape)


@checked
def reshape(x, shape):
    """The same numbers in the same order, in another shape.

        y = x, read row by row into `shape`

    Parameters
    ----------
    x : array (...)
    shape : any      tuple of ints; one of them may be -1 and is found from the others

    Returns
    -------
    y : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)
    """
    return x.reshape(shape)


@checked
def reshape_backward(grad_output, x, shape):
    """Gradient of `reshape`.

    grad_x = grad_output in the shape of x
    """
    _expect("reshape_backward", grad_output, x.reshape(shape).shape)
    return grad_output.reshape(x.shape)


@checked
def transpose(x, dim0, dim1):
    """Swap two axes.

        y[j, i] = x[i, j]

    Parameters
    ----------
    x : array (...)
    dim0, dim1 : int

    Returns
    -------
    y : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)
    """
    return np.swapaxes(x, dim0, dim1)


@checked
def transpose_backward(grad_output, x, dim0, dim1):
    """Gradient of `transpose`: swap back.

    grad_x[i, j] = grad_output[j, i]
    """
    _expect("transpose_backward", grad_output, np.swapaxes(x, dim0, dim1).shape)
    return np.swapaxes(grad_output, dim0, dim1)


@checked
def getitem(x, index):
    """Pick elements.

        y = x[index]

    Parameters
    ----------
    x : array (...)
    index : any      tuple of ints, slices and integer arrays, as between brackets

    Returns
    -------
    y : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)

    Raises
    ------
    NotImplementedError
        For an index such as x[0, :, rows], which NumPy and torch read differently.
    """
    _check_index(index)
    return np.array(x[index])


@checked
def getitem_backward(grad_output, x, index):
    """Gradient of `getitem`: back to where each element came from; one that was picked twice gets both.

    grad_x = 0,   then grad_x[index] += grad_output, one element after the other
    """
    _check_index(index)
    _expect("getitem_backward", grad_output, x[index].shape)
    grad_x = np.zeros_like(x)
    np.add.at(grad_x, index, grad_output)
    return grad_x


def _check_index(index):
    """With a slice between an int and an array NumPy moves the array's axes to the front, torch does not."""
    ints, arrays = (int, np.integer), (list, np.ndarray)
    parts = as_tuple(index)
    kinds = "".join("i" if isinstance(p, ints) else "a" if isinstance(p, arrays) else "s" for p in parts)
    between, in_front = "s" in kinds.strip("s"), kinds.replace("i", "")[:1] == "a"
    if {"i", "a"} <= set(kinds) and between and not in_front:
        raise NotImplementedError(
            f"getitem: NumPy and torch disagree on the order of axes for the index {index}; expected one "
            "pick after the other, as in x[0][:, rows]"
        )


# --------------------------------------------------------------------------------------------- the engine


class Operations:
    """What tensors can do: torch's methods, and Python's operators for them.

    Each of them calls `apply(f, f_backward, *args)`, which Tensor and Dual define: there, and only there,
    reverse and forward mode differ.
    """

    __array_ufunc__ = None  # array * tensor: NumPy gives up, and Python asks the tensor's __rmul__

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)

    @property
    def T(self):
        if self.ndim != 2:
            raise ValueError(f"T: x has shape {self.shape}; expected (N, M). transpose swaps any two axes")
        return self.transpose(0, 1)

    def __add__(self, other):
        return self.meet(add, add_backward, self, other)

    def __radd__(self, other):
        return self.meet(add, add_backward, other, self)

    def __sub__(self, other):
        return self.meet(sub, sub_backward, self, other)

    def __rsub__(self, other):
        return self.meet(sub, sub_backward, other, self)

    def __mul__(self, other):
        return self.meet(mul, mul_backward, self, other)

    def __rmul__(self, other):
        return self.meet(mul, mul_backward, other, self)

    def __truediv__(self, other):
        return self.meet(div, div_backward, self, other)

    def __rtruediv__(self, other):
        return self.meet(div, div_backward, other, self)

    def __matmul__(self, other):
        return self.meet(matmul, matmul_backward, self, other, keep=2)

    def __rmatmul__(self, other):
        return self.meet(matmul, matmul_backward, other, self, keep=2)

    def __neg__(self):
        return self * -1

    def __pow__(self, exponent):
        return self.apply(pow, pow_backward, self, exponent)

    def __getitem__(self, index):
        return self.apply(getitem, getitem_backward, self, index if isinstance(index, tuple) else (index,))

    def exp(self):
        return self.apply(exp, exp_backward, self)

    def log(self):
        return self.apply(log, log_backward, self)

    def tanh(self):
        return self.apply(tanh, tanh_backward, self)

    def sigmoid(self):
        return self.apply(sigmoid, sigmoid_backward, self)

    def relu(self):
        return self.apply(relu, relu_backward, self)

    def sum(self, dim=None, keepdim=False):
        return self.apply(sum, sum_backward, self, dim, keepdim)

    def mean(self, dim=None, keepdim=False):
        return self.apply(mean, mean_backward, self, dim, keepdim)

    def amax(self, dim=None, keepdim=False):
        return self.apply(amax, amax_backward, self, dim, keepdim)

    def broadcast_to(self, size):
        return self.apply(broadcast_to, broadcast_to_backward, self, tuple(size))

    def reshape(self, *shape):
        return self.apply(reshape, reshape_backward, self, shape if len(shape) > 1 else as_tuple(shape[0]))

    def transpose(self, dim0, dim1):
        return self.apply(transpose, transpose_backward, self, dim0, dim1)

    def meet(self, f, f_backward, *pair, keep=0):
        """f of two arrays, after both were broadcast to one shape in all but the last `keep` axes."""
        pair = [a if isinstance(a, Operations) else self.constant(a) for a in pair]
        outer = np.broadcast_shapes(*(a.shape[: a.ndim - keep] for a in pair))
        wanted = [outer + a.shape[max(a.ndim - keep, 0) :] for a in pair]
        for i, (a, size) in enumerate(zip(pair, wanted)):
            if a.shape != size:
                pair[i] = a.broadcast_to(size) if isinstance(a, Operations) else np.broadcast_to(a, size)
        return self.apply(f, f_backward, *pair)

    def constant(self, value):
        """A number or an array of integers takes this tensor's dtype; an array of floats must have it."""
        is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return value if is_float else np.asarray(value).astype(self.data.dtype, casting="same_kind")


class Tensor(Operations):
    """Reverse mode: an array that remembers what it was computed from.

    `data` is the array; `grad` the gradient that `backward` has added up so far, None before. `parents` are
    the tensors it was computed from, `rule` turns its gradient into theirs. Arrays and numbers that meet a
    tensor are constants: they get no gradient.
    """

    def __init__(self, data, name=""):
        data = np.asarray(data)
        self.data = data if data.dtype.kind == "f" else data.astype(np.float64, casting="same_kind")
        self.grad, self.parents, self.rule, self.name = None, [], None, name

    @classmethod
    def apply(cls, f, f_backward, *args, **settings):
        """f of tensors and constants, recorded. Any f / f_backward pair of this course will do."""
        values = [a.data if isinstance(a, Tensor) else a for a in args]
        arrays = [a for a in args if isinstance(a, (Tensor, np.ndarray))]
        backward = getattr(f_backward, "unchecked", f_backward)  # f has checked the arguments

        def rule(grad):
            grads = as_tuple(backward(grad, *values, **settings))  # one for each array, in order
            return [g for a, g in zip(arrays, grads, strict=True) if isinstance(a, Tensor)]

        out = cls(f(*values, **settings), f.__name__)
        out.parents, out.rule = [a for a in arrays if isinstance(a, Tensor)], rule
        return out

    def order(self):
        """All tensors behind this one, each after everything it was computed from: a topological order."""
        order, seen, waiting = [], set(), [(self, False)]
        while waiting:  # no recursion: graphs are deeper than Python's stack
            tensor, parents_done = waiting.pop()
            if parents_done:
                order.append(tensor)
            elif tensor not in seen:
                seen.add(tensor)
                waiting += [(tensor, True), *((parent, False) for parent in tensor.parents[::-1])]
        return order

    def backward(self, grad_output=None):
        """Add the gradient of this tensor, weighted by grad_output, to the `grad` of all that led to it."""
        if grad_output is None and self.data.size != 1:
            raise ValueError(f"backward: y has shape {self.shape}; expected one number, or a grad_output")
        grad_output = (
            np.ones_like(self.data) if grad_output is None else np.asarray(grad_output, self.data.dtype)
        )
        _expect("backward", grad_output, self.shape)
        grads = {self: grad_output}  # of this sweep alone
        for tensor in reversed(self.order()):
            grad = np.asarray(grads.pop(tensor))
            tensor.grad = grad.copy() if tensor.grad is None else tensor.grad + grad
            for parent, part in zip(tensor.parents, tensor.rule(grad) if tensor.rule else ()):
                grads[parent] = grads[parent] + part if parent in grads else part  # a sum over paths

    def item(self):
        return self.data.item()

    def __repr__(self):
        return f"Tensor({np.array2string(self.data, precision=4, separator=', ')})"


ELEMENTWISE = (add, sub, mul, div, pow, exp, log, relu, sigmoid, tanh)


class Dual(Operations):
    """Forward mode: a value and its tangent, how fast it moves while the input moves in some direction."""

    def __init__(self, data, tangent):
        self.data, self.tangent = np.asarray(data), np.asarray(tangent)
        if self.tangent.shape != self.shape:
            raise ValueError(f"Dual: the tangent has shape {self.tangent.shape}; expected {self.shape}")

    @classmethod
    def apply(cls, f, f_backward, *args):
        """f of the values, and beside it what f makes of the tangents; constants stand still."""
        values = [a.data if isinstance(a, Dual) else a for a in args]
        moves = [a.tangent if isinstance(a, Dual) else _at_rest(a) for a in args]
        y = np.asarray(f(*values))
        if f in (sum, mean, broadcast_to, reshape, transpose, getitem):  # linear: tangents add up like values
            tangent = f.unchecked(moves[0], *values[1:])
        elif f is matmul:  # the product rule
            tangent = moves[0] @ values[1] + values[0] @ moves[1]
        elif f is amax:  # the tangent of the largest
            tangent = sum.unchecked(amax_backward.unchecked(np.ones_like(y), *values) * moves[0], *values[1:])
        elif f in ELEMENTWISE:  # the Jacobian is diagonal: forward and backward multiply by the same
            parts = [
                as_tuple(f_backward.unchecked(move, *values))[i]
                for i, (a, move) in enumerate(zip(args, moves))
                if isinstance(a, Dual)
            ]
            tangent = np.sum(parts, axis=0, dtype=y.dtype)
        else:  # its backward multiplies by the transpose of the Jacobian, which is not what a tangent needs
            raise NotImplementedError(
                f"{f.__name__}: no rule for its tangent; use Tensor, or the methods of Dual"
            )
        return cls(y, tangent)


def _at_rest(constant):
    """The tangent of an array that does not move; a setting, such as an index, has none."""
    return np.zeros_like(constant) if isinstance(constant, np.ndarray) else None


# ---------------------------------------------------------------------------- derivatives of whole programs


@checked
def jvp(f, x, tangent):
    """Forward mode: how y = f(x) moves while x moves along `tangent`. One run serves all outputs.

        y_tangent = J @ tangent,   J[i, j] = dy[i] / dx[j]

    Parameters
    ----------
    f : any      a function of one array, written with torch's methods
    x, tangent : array (...)

    Returns
    -------
    y : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)
    y_tangent : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)

    References
    ----------
    Wengert (1964), Communications of the ACM 7, 463-464.
    """
    y = f(Dual(x, tangent))
    return y.data, y.tangent


@checked
def vjp(f, x, grad_output):
    """Reverse mode: the gradient of sum(grad_output * f(x)). One sweep serves all inputs.

        grad_x = grad_output @ J,   J[i, j] = dy[i] / dx[j]

    Parameters
    ----------
    f : any      a function of one array, written with torch's methods
    x : array (...)
    grad_output : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)

    Returns
    -------
    y : array () or (A,) or (A, B) or (A, B, C) or (A, B, C, D)
    grad_x : array (...)

    References
    ----------
    Linnainmaa (1970), master's thesis, University of Helsinki.
    """
    leaf = Tensor(x)
    y = f(leaf)
    _expect("vjp", grad_output, y.shape)
    y.backward(grad_output)
    return y.data, np.zeros_like(x) if leaf.grad is None else leaf.grad  # None: y does not depend on x


@checked
def jacfwd(f, x):
    """The Jacobian column by column: one forward run for each input.

        J[i, j] = dy[i] / dx[j],   J[:, j] = jvp along input j

    Parameters
    ----------
    f : any      a function of one vector that returns one, written with torch's methods
    x : array (D,)

    Returns
    -------
    J : array (O, D)
    """
    return np.stack([f(Dual(x, e)).tangent for e in np.eye(len(x), dtype=x.dtype)], axis=1)


@checked
def jacrev(f, x):
    """The Jacobian row by row: one backward sweep for each output.

        J[i, j] = dy[i] / dx[j],   J[i] = vjp of output i

    Parameters
    ----------
    f : any      a function of one vector that returns one, written with torch's methods
    x : array (D,)

    Returns
    -------
    J : array (O, D)
    """
    leaf, rows = Tensor(x), []
    y = f(leaf)
    for e in np.eye(len(y.data), dtype=x.dtype):
        leaf.grad = None  # or the rows would add up
        y.backward(e)
        rows.append(np.zeros_like(x) if leaf.grad is None else leaf.grad)
    return np.stack(rows)


# ------------------------------------------------------------------------- a graph as a table of slopes


@checked
def forward_sweep(local):
    """How every node of a graph moves with the first one: the sum over all paths that lead to it.

        tangent[0] = 1,   tangent[j] = sum over i of tangent[i] * local[i, j]

    Parameters
    ----------
    local : array (N, N)      local[i, j] is the slope of node j in its input i; 0 where i is no input of j

    Returns
    -------
    tangent : array (N,)
    """
    _in_order("forward_sweep", local)
    tangent = np.zeros_like(local[0])
    tangent[0] = 1
    for j in range(1, len(local)):
        tangent[j] = tangent @ local[:, j]
    return tangent


@checked
def reverse_sweep(local):
    """How the last node of a graph moves with every other: the sum over all paths that lead from it.

        grad[-1] = 1,   grad[i] = sum over j of local[i, j] * grad[j]

    Parameters
    ----------
    local : array (N, N)      local[i, j] is the slope of node j in its input i; 0 where i is no input of j

    Returns
    -------
    grad : array (N,)
    """
    _in_order("reverse_sweep", local)
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for j in range(len(local) - 1, 0, -1):
        grad += local[:, j] * grad[j]  # node j is done: it passes its gradient to its inputs
    return grad


def _in_order(name, local):
    for i, j in np.argwhere(np.tril(local))[:1]:
        raise ValueError(
            f"{name}: local[{i}, {j}] is {local[i, j]:g}; expected 0, since node {j} comes after its inputs"
        )


@checked
def finite_difference(f, x, h, scheme="central"):
    """The slope of a function of single numbers at each x, from its values a step h away.

        forward:  (f(x + h) - f(x)) / h
        central:  (f(x + h) - f(x - h)) / (2 * h)
        complex:  imaginary part of f(x + i * h), / h

    Parameters
    ----------
    f : any      works element by element; for 'complex' also on complex numbers, by the same formula
    x : array (...)
    h : float > 0
    scheme : {'forward', 'central', 'complex'}

    Returns
    -------
    slope : array (...)

    References
    ----------
    Squire & Trapp (1998), SIAM Review 40, 110-112 (complex step), after Lyness & Moler (1967), SIAM Journal
    on Numerical Analysis 4, 202-210.
    """
    if scheme == "complex":
        return f(x + 1j * h).imag / h
    if scheme == "forward":
        return (f(x + h) - f(x)) / h
    return (f(x + h) - f(x - h)) / (2 * h)
