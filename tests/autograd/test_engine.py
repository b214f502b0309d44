"""The engine against torch.autograd: every operation, random programs, and where engines go wrong."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib.activations.in_numpy import log_softmax, log_softmax_backward
from nnlib.autograd import in_numpy, in_torch
from nnlib.autograd.in_numpy import (
    Dual,
    Tensor,
    forward_sweep,
    jacfwd,
    jacrev,
    jvp,
    reverse_sweep,
    vjp,
)
from nnlib.losses.in_numpy import cross_entropy, cross_entropy_backward

seeds = st.integers(0, 2**32 - 1)
OPERATIONS = {  # of x (2, 3), row (3,), column (2, 1), number (), stack (4, 3, 2); torch runs the same lines
    "add": lambda x, row, column, number, stack: x + row + column + number + 2,
    "add from the left": lambda x, row, column, number, stack: 1 + row,
    "sub": lambda x, row, column, number, stack: (1 - x) - row - number,
    "mul": lambda x, row, column, number, stack: 2 * x * column * number * x,
    "div": lambda x, row, column, number, stack: (row / (1 + x * x)) / (2 / (number * number + 1)),
    "neg": lambda x, row, column, number, stack: -x,
    "pow": lambda x, row, column, number, stack: x**2 + (x * x + 1) ** -0.5 + row**3,
    "matmul": lambda x, row, column, number, stack: x @ x.T @ column,
    "matmul of stacks": lambda x, row, column, number, stack: (x @ stack) @ x,
    "exp": lambda x, row, column, number, stack: x.exp(),
    "log": lambda x, row, column, number, stack: (x * x + 1).log(),
    "tanh": lambda x, row, column, number, stack: x.tanh(),
    "sigmoid": lambda x, row, column, number, stack: x.sigmoid(),
    "relu": lambda x, row, column, number, stack: x.relu(),
    "sum": lambda x, row, column, number, stack: x.sum() + x.sum(0) + x.sum(dim=1, keepdim=True),
    "mean": lambda x, row, column, number, stack: (
        stack.mean() + stack.mean((0, 2)) + x.mean(-1, keepdim=True)
    ),
    "amax": lambda x, row, column, number, stack: x - x.amax(dim=1, keepdim=True),
    "reshape": lambda x, row, column, number, stack: x.reshape(3, 2) + x.reshape((6,)).reshape(-1, 2),
    "transpose": lambda x, row, column, number, stack: stack.transpose(0, 2) * x.reshape(2, 3, 1) + x.sum(),
    "getitem": lambda x, row, column, number, stack: x[0] * x[:, 1:].sum() + row[[0, 0, 2]] + stack[1, 2, 0],
    "broadcast_to": lambda x, row, column, number, stack: column.broadcast_to((4, 2, 5)) * number,
    "a tensor used three times": lambda x, row, column, number, stack: x * x + (x * number) * x,
}


def leaves(rng, dtype):
    shapes = (2, 3), (3,), (2, 1), (), (4, 3, 2)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in shapes]


def gradients(f, arrays, make):
    """The value of sum(weights * f(...)) and the gradient of every leaf; 0 where f does not use it."""
    inputs = [make(a) for a in arrays]
    y = f(*inputs)
    shape = tuple(y.shape)
    weights = np.asarray(np.random.default_rng(1).normal(size=shape), arrays[0].dtype)
    y.backward(torch.from_numpy(weights) if isinstance(y, torch.Tensor) else weights)
    grads = [np.zeros_like(a) if t.grad is None else np.asarray(t.grad) for a, t in zip(arrays, inputs)]
    return np.asarray(y.data), grads


def agree(f, arrays):
    ours = gradients(f, arrays, Tensor)
    theirs = gradients(f, arrays, lambda a: torch.from_numpy(a.copy()).requires_grad_())
    tolerance = 1e-12 if arrays[0].dtype == np.float64 else 2e-5
    for mine, wanted in zip([ours[0], *ours[1]], [theirs[0], *theirs[1]]):
        assert mine.shape == wanted.shape and mine.dtype == wanted.dtype
        scale = max(1, np.abs(wanted).max())
        np.testing.assert_allclose(mine, wanted, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_torchs(name, dtype):
    agree(OPERATIONS[name], leaves(np.random.default_rng(0), dtype))


UNARY = {
    "tanh": lambda a: a.tanh(),
    "sigmoid": lambda a: a.sigmoid(),
    "relu": lambda a: a.relu(),
    "square": lambda a: a**2,
    "exp": lambda a: a.tanh().exp(),
    "log": lambda a: (a * a + 1).log(),
    "sum": lambda a: a.sum(-1, keepdim=True) if a.ndim else a.sum(),
    "mean": lambda a: a.mean(0) if a.ndim else a.mean(),
    "amax": lambda a: a.amax(-1) if a.ndim else a.amax(),
    "reshape": lambda a: a.reshape(-1),
    "turn": lambda a: a.T if a.ndim == 2 else -a,
    "pick": lambda a: a[0] if a.ndim else a,
}
BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b * b + 1),
    "matmul": lambda a, b: (a.T @ b if a.ndim == b.ndim == 2 and a.shape[0] == b.shape[0] else a * b).tanh(),
}


def program(steps):
    """A random straight-line program: each step takes two earlier results, if their shapes meet, or one."""

    def run(*inputs):
        values = list(inputs)
        for op, i, j in steps:
            a, b = values[i % len(values)], values[j % len(values)]
            if op in UNARY:
                values.append(UNARY[op](a))
                continue
            try:
                np.broadcast_shapes(tuple(a.shape), tuple(b.shape))
            except ValueError:
                b = b.sum()
            values.append(BINARY[op](a, b))
        return sum(v.tanh().sum() for v in values)

    return run


steps = st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 99), st.integers(0, 99))


@settings(max_examples=120, deadline=None)
@given(seed=seeds, steps=st.lists(steps, min_size=1, max_size=14))
def test_random_programs_have_torchs_gradients(seed, steps):
    agree(program(steps), leaves(np.random.default_rng(seed), "float64")[:4])


@settings(max_examples=60, deadline=None)
@given(seed=seeds, steps=st.lists(steps, min_size=1, max_size=10))
def test_forward_and_reverse_mode_are_two_sides_of_one_jacobian(seed, steps):
    """u · (J v) = (u J) · v, whatever the program."""
    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=(2, 2, 3))

    def f(x):
        return program(steps)(x) * x.tanh()

    u = rng.normal(size=(2, 3))
    left, right = (u * jvp(f, x, v)[1]).sum(), (vjp(f, x, u)[1] * v).sum()
    assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_a_jacobian_by_rows_and_by_columns(seed):
    x = np.random.default_rng(seed).normal(size=4)

    def f(x):
        return (x[1:] * x[:-1]).tanh() + x.sum()

    np.testing.assert_allclose(jacrev(f, x), jacfwd(f, x), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, n=st.integers(1, 9))
def test_both_sweeps_sum_over_all_paths(seed, n):
    """From the first node to the last it is one number, whichever way the graph is walked."""
    rng = np.random.default_rng(seed)
    local = np.triu(rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.7), k=1)
    every_path = sum(np.linalg.matrix_power(local, steps) for steps in range(n))
    np.testing.assert_allclose(forward_sweep(local), every_path[0], atol=1e-9)
    np.testing.assert_allclose(reverse_sweep(local), every_path[:, -1], atol=1e-9)


# -------------------------------------------------------------------------------------------- bookkeeping


def test_gradients_add_up_over_calls():
    x = Tensor(2.0)
    y = x * x
    f = y * 3
    for calls in (1, 2, 3):
        f.backward()
        assert (x.grad, y.grad, f.grad) == (12 * calls, 3 * calls, calls)


def test_a_tensor_comes_after_its_parents_and_once():
    x = Tensor(np.ones((2, 2)))
    a = x @ x
    b = (a + x).tanh()
    order = (b * a + b).sum().order()
    assert len(order) == len(set(order))
    place = {tensor: i for i, tensor in enumerate(order)}
    assert all(place[parent] < place[t] for t in order for parent in t.parents)


def test_many_paths_cost_no_more_than_their_edges():
    x = Tensor(1.0)
    y = x
    for _ in range(60):  # 2**60 paths
        y = 0.5 * y + 0.5 * y
    y.backward()
    assert x.grad == 1


def test_a_deep_graph_needs_no_recursion():
    x = Tensor(1.0)
    y = x
    for _ in range(5000):
        y = y + 1.0
    y.backward()
    assert x.grad == 1


def test_gradients_are_not_shared_with_the_caller():
    x, g = Tensor(np.zeros(3)), np.ones(3)
    y = x + x
    y.backward(g)
    g[:] = 7
    y.backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, [4, 4, 4])
    np.testing.assert_array_equal(y.grad, [2, 2, 2])


def test_gradients_are_not_shared_between_tensors():
    """A sum hands the same numbers to both; whoever scales one of them in place must not scale the other."""
    x, bias = Tensor(np.zeros(3)), Tensor(np.zeros(3))
    (x + bias).sum().backward()
    x.grad *= 0.5
    np.testing.assert_array_equal(bias.grad, [1, 1, 1])


def test_constants_get_no_gradient_and_keep_the_dtype():
    x = Tensor(np.ones((2, 3), np.float32))
    y = (np.arange(3) * x + 2.5 * x / 3 - np.ones((2, 1), np.float32)).mean()
    y.backward()
    assert y.data.dtype == x.grad.dtype == np.float32
    assert {t.name for t in y.order()} == {"", "mul", "div", "add", "sub", "mean"}


def test_gradients_have_the_dtype_of_their_tensors():
    x = Tensor(np.ones(3, np.float32))
    (x * 2).backward(np.ones(3))  # float64, as np.ones is: torch rounds it as well
    assert x.grad.dtype == np.float32


def test_an_array_on_the_left():
    w = Tensor(np.ones((3, 2)))
    y = np.ones((4, 3)) @ w
    y.sum().backward()
    assert isinstance(y, Tensor) and (w.grad == 4).all()


def test_any_pair_of_the_course_can_be_recorded():
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    scores = Tensor(x)
    loss = Tensor.apply(cross_entropy, cross_entropy_backward, scores * 2, target)
    loss.backward()
    theirs = torch.from_numpy(x).requires_grad_()
    torch.nn.functional.cross_entropy(theirs * 2, torch.from_numpy(target)).backward()
    np.testing.assert_allclose(scores.grad, theirs.grad, atol=1e-14)


@pytest.mark.parametrize(
    "wrong, said",
    [
        (lambda x: x.backward(), r"backward: y has shape \(2, 3\); expected one number, or a grad_output"),
        (lambda x: Tensor(np.ones(0)).backward(), r"backward: y has shape \(0,\); expected one number"),
        (lambda x: x.backward(np.ones(3)), r"grad_output has shape \(3,\); expected \(2, 3\)"),
        (lambda x: x @ np.ones(3), r"matmul: other has shape \(3,\); expected \(..., K, M\)"),
        (lambda x: x @ x, r"matmul: other has shape \(2, 3\); expected \(..., K, M\)"),
        (lambda x: x + np.ones(4), "shape mismatch|could not be broadcast"),
        (lambda x: x * np.ones(3, np.float32), "the arrays differ in dtype"),
        (lambda x: (x - 5).log(), "log: x is values from .* expected > 0"),
        (lambda x: x.sum(dim=2), "dim: axis 2 is out of bounds"),
        (lambda x: x + None, "Cannot cast"),  # what a function without `return` returns
        (lambda x: x * np.array([1j, 1, 1]), "Cannot cast"),
        (lambda x: Tensor(np.array([1j])), "Cannot cast"),
        (lambda x: Dual(np.ones(3), 1.0), r"Dual: the tangent has shape \(\); expected \(3,\)"),
    ],
)
def test_what_cannot_be_computed_is_refused(wrong, said):
    with pytest.raises((ValueError, TypeError), match=said):
        wrong(Tensor(np.ones((2, 3))))


def test_a_dual_number_squares_to_nothing():
    """(x + 1ε)² = x² + 2x ε: the tangent is the derivative, exactly."""
    square = Dual(np.array(3.0), np.array(1.0)) ** 2
    assert (square.data, square.tangent) == (9, 6)


@pytest.mark.parametrize("index", [(slice(None), [2, 0, 2]), ([1, 0, 1], 1), (..., np.array([0, 2]))])
def test_what_is_picked_keeps_its_tangent(index):
    x, tangent = np.arange(6.0).reshape(2, 3), np.arange(6.0, 0.0, -1).reshape(2, 3)
    picked = Dual(x, tangent)[index]
    np.testing.assert_array_equal(picked.data, x[index])
    np.testing.assert_array_equal(picked.tangent, tangent[index])


@pytest.mark.parametrize("mode", [Tensor, lambda x: Dual(x, x)])
def test_an_index_that_numpy_and_torch_read_differently_is_refused(mode):
    """x[0, :, [1, 0, 1]] is (3, 2) to NumPy and (2, 3) to torch; with the array in front both agree."""
    x, rows = np.arange(24.0).reshape(2, 2, 6), [1, 0, 1]
    for index in ((0, slice(None), rows), (slice(None), np.array(rows), slice(None), 0)):
        with pytest.raises(NotImplementedError, match="NumPy and torch disagree"):
            mode(x.reshape(2, 2, 2, 3))[index]
    for index in ((rows, slice(None), 0), (0, rows), (slice(None), 1, rows), (0, slice(None), 1)):
        np.testing.assert_array_equal(mode(x)[index].data, torch.from_numpy(x)[index])


@pytest.mark.parametrize("sweep", ["forward_sweep", "reverse_sweep"])
def test_both_versions_refuse_a_table_out_of_order(sweep):
    local = np.array([[0.0, 2.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="expected 0"):
        getattr(in_numpy, sweep)(local)
    with pytest.raises(ValueError, match="expected 0"):
        getattr(in_torch, sweep)(torch.from_numpy(local))


def test_the_twin_refuses_what_torch_refuses():
    x = torch.arange(-2.0, 2.0).reshape(2, 2)
    for refused in (lambda: in_torch.sum(x, dim=2), lambda: in_torch.reshape(x, ())):
        with pytest.raises((IndexError, RuntimeError)):
            refused()
    assert in_torch.pow(x, 0.5).isnan().tolist() == [[True, True], [False, False]]


def test_what_forward_mode_cannot_do_it_refuses():
    """The backward of log_softmax is no tangent: its Jacobian is neither diagonal nor symmetric."""
    x = Dual(np.arange(3.0), np.array([1.0, 0.0, 0.0]))
    with pytest.raises(NotImplementedError, match="log_softmax: no rule for its tangent"):
        Dual.apply(log_softmax, log_softmax_backward, x, 0)


def test_what_does_not_depend_on_x_has_gradient_zero():
    x, constant = np.arange(3.0), Tensor(np.ones(2))
    y, grad_x = vjp(lambda x: constant * 2, x, np.ones(2))
    assert y.tolist() == [2, 2] and grad_x.tolist() == [0, 0, 0]
    assert jacrev(lambda x: constant * 2, x).tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_only_matrices_have_a_transpose(shape):
    with pytest.raises(ValueError, match="T: x has shape .*; expected \\(N, M\\)"):
        _ = Tensor(np.ones(shape)).T
