"""The core: what a docstring may say about a call, what is said when a call does not fit, and the small tools
on which every other test stands."""

import math
import types

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnlib import core
from nnlib.evidence import headline
from nnlib.exercises import check, hint
from nnlib.explorer import explore
from nnlib.show import show

NAN, INF = math.nan, math.inf


def sizes(*lines, library="numpy", **arguments):
    """Check a call of a function f with these parameter lines; returns what the letters stand for."""

    def f(): ...

    f.__doc__ = "One line.\n\nParameters\n----------\n" + "\n".join(lines)
    return core.check_call("f", {s.name: s for s in core.documented(f)}, arguments, library)


# ------------------------------------------------------------------------------- what a docstring may say

ACCEPTED = [
    ("x : array (N, C)", np.ones((2, 3))),
    ("x : array (N, C)      the input", np.ones((2, 3))),
    ("x : array (N, C)", np.ones((2, 3), np.float32)),
    ("x : array (N, C)", np.full((2, 3), NAN)),
    ("x : array (N, N)", np.ones((3, 3))),
    ("x : array (N, 1)", np.ones((3, 1))),
    ("x : array (N, 2 * N)", np.ones((3, 6))),
    ("x : array (N, N - 1)", np.ones((3, 2))),
    ("x : array (...)", np.array(1.0)),
    ("x : array (...)", np.ones((2, 3, 4))),
    ("x : array (N, C, ...)", np.ones((2, 3))),
    ("x : array (N, C, ...)", np.ones((2, 3, 4, 5))),
    ("x : array (..., D)", np.ones(3)),
    ("x : array (N, ..., D)", np.ones((2, 7, 7, 3))),
    ("x : array ()", np.array(0.5)),
    ("x : array ()", 0.5),
    ("x : array ()", np.float32(0.5)),
    ("x : array (N,) or None", None),
    ("x : array (N,) or None", np.ones(2)),
    ("x : array (N,) finite", np.ones(2)),
    ("x : array (N,) >= 0", np.array([0.0, 1.0])),
    ("x : array (N,) > 0", np.array([1e-300, 1e300])),
    ("x : array (N,) in [0, 1]", np.array([0.0, 1.0])),
    ("x : array () or (N,)", np.array(0.5)),
    ("x : array () or (N,)", np.ones(3)),
    ("x : array (N, 2) or (3,) or None", np.ones(3)),
    ("x : array (N, 2) or (3,) or None", None),
    ("x : int array (N,) or array (N, K)", np.arange(3)),
    ("x : int array (N,) or array (N, K)", np.ones((3, 2))),
    ("x : int array (N,)", np.arange(3, dtype=np.uint8)),
    ("x : int array (N,) in [0, N)", np.array([0, 2, 1])),
    ("x : int array (N,) in [-1, 2 * N]", np.array([-1, 6, 0])),
    ("x : bool array (N,)", np.array([True])),
    ("x : float", 1),
    ("x : float", np.float32(1)),
    ("x : float", -INF),
    ("x : float > 0", 1e-300),
    ("x : float >= 0", 0),
    ("x : float < 1", -1e300),
    ("x : float <= 1", 1.0),
    ("x : float in [0, 1]", 1.0),
    ("x : float in (0, 1)", 0.5),
    ("x : float > 0 or None     None is the machine epsilon", None),
    ("x : int", np.int64(-3)),
    ("x : int >= 1", 1),
    ("x : int in [1, 4)", 3),
    ("x : int >= 0 or {'same', 'valid'}", 0),
    ("x : int >= 0 or {'same', 'valid'}", "same"),
    ("x : int or pair >= 1", 1),
    ("x : int or pair >= 1", (np.int64(1), 3)),
    ("x : int or pair >= 1", [2, 1]),
    ("x : int or pair >= 1 or None     None is kernel_size", None),
    ("x : int or pair >= 0 or {'same', 'valid'}", "valid"),
    ("x : bool", np.True_),
    ("x : {'none', 'mean', 'sum'}", "mean"),
    ("x : {'none', 'mean'} or None", None),
    ("x : {1, 2}     one or two", 2),
    ("x : Generator", np.random.default_rng(0)),
    ("x : Generator or None", None),
    ("x : any", object()),
    ("x : tuple of ints, the sizes of the last axes", "whatever"),
]
REFUSED = [
    ("x : array (N, C)", np.ones(3), "x has shape (3,); expected (N, C)"),
    ("x : array (N, N)", np.ones((2, 3)), "x has shape (2, 3); expected (N, N)"),
    ("x : array (N, 1)", np.ones((3, 2)), "x has shape (3, 2); expected (N, 1)"),
    ("x : array (N, 2 * N)", np.ones((3, 5)), "x has shape (3, 5); expected (N, 2 * N)"),
    ("x : array (N, C, ...)", np.ones(3), "x has shape (3,); expected (N, C, ...)"),
    (
        "x : array (...)",
        np.ones((2, 0)),
        "x has shape (2, 0); expected at least one element along every axis",
    ),
    ("x : array ()", np.ones(1), "x has shape (1,); expected ()"),
    ("x : array () or (2,)", np.ones(3), "x has shape (3,); expected () or (2,)"),
    ("x : array (N,)", [1.0], "x is of type list; expected a numpy array"),
    ("x : array (N,)", None, "x is of type NoneType; expected a numpy array"),
    ("x : array (N,)", torch.ones(2), "x is of type Tensor; expected a numpy array"),
    ("x : array (N,)", np.arange(2), "x has dtype int64; expected a floating-point numpy array"),
    ("x : array (N,)", np.ones(2, bool), "x has dtype bool; expected a floating-point numpy array"),
    ("x : array (N,)", np.ones(2, complex), "x has dtype complex128; expected a floating-point numpy array"),
    ("x : int array (N,)", np.ones(2), "x has dtype float64; expected an integer numpy array"),
    ("x : bool array (N,)", np.arange(2), "x has dtype int64; expected a boolean numpy array"),
    (
        "x : int array (N,) or array (N, K)",
        np.ones(2, bool),
        "x has dtype bool; expected an integer or a floating-point numpy array",
    ),
    ("x : int array (N,) or array (N, K)", np.ones(2), "x has shape (2,); expected (N, K)"),
    ("x : array (N,) finite", np.array([1, NAN]), "x holds NaN or infinite values; expected finite numbers"),
    ("x : array (N,) finite", np.array([1, INF]), "x holds NaN or infinite values; expected finite numbers"),
    ("x : array () finite", NAN, "x holds NaN or infinite values; expected finite numbers"),
    ("x : array (N,) > 0", np.array([0.0, 2.0]), "x is values from 0.0 to 2.0; expected > 0"),
    ("x : array (N,) > 0", np.array([1.0, INF]), "x is values from 1.0 to inf; expected > 0 and finite"),
    ("x : array (N,) >= 0", np.array([NAN, 2.0]), "x is values from nan to nan; expected >= 0"),
    (
        "x : int array (N,) in [0, N)",
        np.array([0, 2]),
        "x is values from 0 to 2; expected in [0, N) with N = 2",
    ),
    ("x : int array (N,) in [0, 9]", np.array([-1]), "x is values from -1 to -1; expected in [0, 9]"),
    ("x : float", "1", "x is '1' of type str; expected float"),
    ("x : float", True, "x is True of type bool; expected float"),
    ("x : float", np.array(1.0), "x is array(1.) of type ndarray; expected float"),
    ("x : float", NAN, "x is NaN; expected a number"),
    ("x : float > 0", 0, "x is 0; expected > 0"),
    ("x : float >= 0", -1e-300, "x is -1e-300; expected >= 0"),
    ("x : float < 1", 1.0, "x is 1.0; expected in (-inf, 1)"),
    ("x : float <= 1", 1.5, "x is 1.5; expected in (-inf, 1]"),
    ("x : float in [0, 1]", 1.5, "x is 1.5; expected in [0, 1]"),
    ("x : float in (0, 1)", 0.0, "x is 0.0; expected in (0, 1)"),
    ("x : float > 0", INF, "x is inf; expected > 0 and finite"),
    ("x : int", 1.0, "x is 1.0 of type float; expected int"),
    ("x : int", False, "x is False of type bool; expected int"),
    ("x : int >= 1", 0, "x is 0; expected >= 1"),
    ("x : int >= 0 or {'same'}", "full", "x is 'full'; expected int >= 0 or {'same'}"),
    ("x : int >= 0", "same", "x is 'same' of type str; expected int"),
    ("x : int or pair >= 1", 0, "x is 0; expected >= 1"),
    ("x : int or pair >= 1", (2, 0), "x is 0; expected >= 1"),
    ("x : int or pair >= 1", (2, 1, 1), "x is (2, 1, 1); expected an int or a pair of ints"),
    ("x : int or pair >= 1", (), "x is (); expected an int or a pair of ints"),
    ("x : int or pair >= 1", None, "x is None of type NoneType; expected int or pair of ints"),
    ("x : int or pair >= 1", 1.5, "x is 1.5 of type float; expected int or pair of ints"),
    ("x : int or pair >= 1", (1, True), "x is True of type bool; expected int"),
    ("x : int or pair >= 1", "same", "x is 'same' of type str; expected int or pair of ints"),
    ("x : int or pair >= 0 or {'same'}", "full", "x is 'full'; expected int or pair >= 0 or {'same'}"),
    ("x : bool", 1, "x is 1; expected True or False"),
    ("x : {'none', 'mean', 'sum'}", "avg", "x is 'avg'; expected one of 'mean', 'none', 'sum'"),
    ("x : {'none', 'mean'}", None, "x is None; expected one of 'mean', 'none'"),
    ("x : {1, 2}", True, "x is True; expected one of 1, 2"),
    ("x : {1, 2}", np.ones(2), "x is array([1., 1.]); expected one of 1, 2"),
    ("x : Generator", 0, "x is of type int; expected a random Generator"),
]


@pytest.mark.parametrize("line, value", ACCEPTED, ids=[f"{i}-{line}" for i, (line, _) in enumerate(ACCEPTED)])
def test_what_fits_is_accepted(line, value):
    sizes(line, x=value)


@pytest.mark.parametrize("line, value, message", REFUSED, ids=[f"{line}={v!r}" for line, v, _ in REFUSED])
def test_a_refusal_says_what_came_and_what_was_expected(line, value, message):
    with pytest.raises((TypeError, ValueError)) as error:
        sizes(line, x=value)
    assert str(error.value) == f"f: {message}"


def test_a_wrong_kind_is_a_type_error_and_a_wrong_value_a_value_error():
    kind = "of type", "dtype", "True or False", "Generator"
    for line, value, message in REFUSED:
        with pytest.raises(TypeError if any(word in message for word in kind) else ValueError):
            sizes(line, x=value)


def test_letters_are_shared_by_all_arrays():
    lines = "x : array (N, C, ...)", "weight, bias : array (C,)", "y : array (N, C, ...)"
    x = np.ones((2, 3, 4))
    assert sizes(*lines, x=x, weight=x[0, :, 0], bias=x[0, :, 0], y=x) == {"N": 2, "C": 3, "...": (4,)}
    with pytest.raises(ValueError, match=r"f: bias has shape \(4,\); expected \(C,\) = \(3,\)"):
        sizes(*lines, x=x, weight=x[0, :, 0], bias=x[0, 0], y=x)
    with pytest.raises(ValueError, match=r"f: y has shape \(2, 3, 5\); expected \(N, C, ...\) = \(2, 3, 4\)"):
        sizes(*lines, x=x, weight=x[0, :, 0], bias=x[0, :, 0], y=np.ones((2, 3, 5)))


def test_arithmetic_waits_for_its_letters():
    lines = "path : array (T + 1, D)", "t : array (T,)"
    assert sizes(*lines, path=np.ones((4, 2)), t=np.ones(3)) == {"T": 3, "D": 2}
    with pytest.raises(ValueError, match=r"path has shape \(3, 2\); expected \(T \+ 1, D\)"):
        sizes(*lines, path=np.ones((3, 2)), t=np.ones(3))


def test_bounds_may_be_sizes():
    lines = "num_groups : int in [1, C]", "x : array (N, C)"
    sizes(*lines, x=np.ones((2, 3)), num_groups=3)
    with pytest.raises(ValueError, match=r"f: num_groups is 4; expected in \[1, C\] with C = 3"):
        sizes(*lines, x=np.ones((2, 3)), num_groups=4)


def test_a_bound_whose_letter_is_unknown_is_left_alone():
    lines = "weight : array (C,) or None", "target : int array (N,) in [0, C)"
    sizes(*lines, weight=None, target=np.array([7]))
    with pytest.raises(ValueError, match="target is values from -1 to -1"):
        sizes(*lines, weight=None, target=np.array([-1]))


def test_float_arrays_share_a_dtype():
    lines = "x : array (N,)", "bias : array ()", "target : int array (N,) or array (N,)"
    single = dict(x=np.ones(2, np.float32), bias=np.array(1, np.float32), target=np.ones(2, np.float32))
    sizes(*lines, **single)
    sizes(*lines, **single | {"target": np.arange(2)})
    sizes(*lines, **single | {"bias": 1.0})
    for name in single:
        with pytest.raises(
            TypeError, match=rf"^f: the arrays differ in dtype \(.*{name} float64.*; expected one"
        ):
            sizes(*lines, **single | {name: single[name].astype(float)})


def test_tensors_in_the_twin():
    sizes("x : array (N,)", "t : int array (N,)", library="torch", x=torch.ones(2), t=torch.arange(2))
    sizes("x : array (N,)", library="torch", x=torch.ones(2, dtype=torch.bfloat16))
    for value, message in {
        (1.0,): "x is of type tuple; expected a torch.Tensor",
        np.float64(1): "x is of type float64; expected a torch.Tensor",
        torch.arange(2): "x has dtype int64; expected a floating-point torch.Tensor",
        torch.ones(1, 2): r"x has shape \(1, 2\); expected \(N,\)",
    }.items():
        with pytest.raises((TypeError, ValueError), match=f"^f: {message}$"):
            sizes("x : array (N,)", library="torch", x=value)
    with pytest.raises(TypeError, match="x is of type ndarray; expected a torch.Tensor"):
        sizes("x : array (N,)", library="torch", x=np.ones(2))
    with pytest.raises(ValueError, match="x holds NaN"):
        sizes("x : array (N,) finite", library="torch", x=torch.tensor([NAN, 1]))


@given(st.lists(st.integers(1, 4), min_size=2, max_size=6))
def test_the_dots_take_what_the_letters_leave(shape):
    n, *extra, d = shape
    assert sizes("x : array (N, ..., D)", x=np.ones(shape)) == {"N": n, "...": tuple(extra), "D": d}
    assert sizes("x : array (N, ...)", "y : array (N,)", x=np.ones(shape), y=np.ones(n))["N"] == n


def test_the_parameters_section_alone_is_read():
    def f(x, a, b):
        """One line.

            y = x : not a parameter

        Parameters
        ----------
        x : array (N,)      a comment that
                            goes on : and on
        a, b : float > 0    both

        Returns
        -------
        y : array (N,)

        Raises
        ------
        ValueError : never
        """

    assert [(s.name, s.kind, s.shape) for s in core.documented(f)] == [
        ("x", "array", ("N",)),
        ("a", "float", ()),
        ("b", "float", ()),
    ]
    assert [s.name for s in core.documented(f, "Returns")] == ["y"]
    assert core.documented(f, "Notes") == ()


# --------------------------------------------------------------------------------------- the checked call


def scale(x, weight, power=1.0):
    """Multiply.

    Parameters
    ----------
    x : array (N, C)
    weight : array (C,)
    power : float > 0

    Returns
    -------
    y : array (N, C)
    """
    return x * weight**power


def scale_backward(grad_output, x, weight, power=1.0):
    """Not the gradient: it only shows what arrives."""
    return grad_output


@pytest.fixture
def example(monkeypatch):
    """A concept of two functions, as if it had a folder."""
    module = types.ModuleType("nnlib.example.in_numpy")
    options = {"inplace": False, "out": None, "alpha": 1.0}
    for f in (scale, scale_backward):
        copy = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__)
        copy.__module__, copy.__doc__ = module.__name__, f.__doc__
        setattr(module, f.__name__, core.checked(not_taught=options)(copy))
    monkeypatch.setattr(core, "load", lambda concept, role: module)
    yield module
    core.specs.cache_clear()


X, W = np.ones((2, 3)), np.arange(1.0, 4.0)


def test_a_good_call_goes_through(example):
    np.testing.assert_array_equal(example.scale(X, W, power=2), X * W**2)
    assert example.scale.__name__ == "scale" and example.scale.__doc__ == scale.__doc__


def test_the_bare_function_checks_nothing(example):
    assert example.scale.unchecked(3, 2, power=-1) == 1.5


def test_defaults_are_checked_and_names_come_in_any_order(example):
    np.testing.assert_array_equal(example.scale(weight=W, x=X), X * W)
    with pytest.raises(ValueError, match="^scale: power is 0; expected > 0$"):
        example.scale(X, W, 0)


def test_a_call_that_does_not_bind_shows_the_signature(example):
    for arguments in (dict(x=X), dict(x=X, weight=W, bias=W)):
        with pytest.raises(
            TypeError, match=r"^scale: .*'(weight|bias)'; expected scale\(x, weight, power=1.0\)$"
        ):
            example.scale(**arguments)


def test_the_backward_takes_what_the_forward_documents(example):
    g = np.zeros((2, 3))
    assert example.scale_backward(g, X, W) is g
    with pytest.raises(
        ValueError, match=r"^scale_backward: weight has shape \(2,\); expected \(C,\) = \(3,\)$"
    ):
        example.scale_backward(g, X, W[:2])
    with pytest.raises(ValueError, match="^scale_backward: power is -1; expected > 0$"):
        example.scale_backward(g, X, W, -1)


def test_a_grad_output_that_does_not_fit_is_blamed_itself(example):
    wanted = r"^scale_backward: grad_output has shape \(3, 3\); expected \(N, C\) = \(2, 3\)$"
    with pytest.raises(ValueError, match=wanted):
        example.scale_backward(np.zeros((3, 3)), X, W)


def test_what_torch_has_and_we_do_not_teach_is_named(example):
    np.testing.assert_array_equal(example.scale(X, W, inplace=False, out=None, alpha=1.0), X * W)
    for option in (dict(inplace=True), dict(out=W), dict(out=False), dict(alpha=W), dict(alpha=2.0)):
        name = next(iter(option))
        with pytest.raises(NotImplementedError, match=rf"^scale: {name}=.* does not teach; expected {name}="):
            example.scale(X, W, **option)


def test_a_twin_is_checked_by_the_docstring_of_its_reference(example):
    def scale(x, weight, power=1.0):
        """y = x * weight**power"""
        return x * weight**power

    scale.__module__ = "nnlib.example.in_torch"
    twin = core.checked(scale)
    assert twin(torch.ones(2, 3), torch.ones(3)).shape == (2, 3)
    with pytest.raises(TypeError, match="^scale: x is of type ndarray; expected a torch.Tensor$"):
        twin(X, torch.ones(3))
    with pytest.raises(ValueError, match=r"^scale: weight has shape \(2,\); expected \(C,\) = \(3,\)$"):
        twin(torch.ones(2, 3), torch.ones(2))


def test_a_twin_without_a_reference_says_so(example):
    def other(x): ...

    other.__module__ = "nnlib.example.in_torch"
    with pytest.raises(LookupError, match="example.other has no reference in in_numpy.py"):
        core.checked(other)(torch.ones(2))


# --------------------------------------------------------------------------------------------- discovery


def test_concepts_are_the_folders_with_a_reference():
    assert {"neuron", "normalization"} <= set(core.concepts())
    assert "data" not in core.concepts() and list(core.concepts()) == sorted(core.concepts())


def test_a_wrong_name_is_answered_with_the_right_ones():
    with pytest.raises(LookupError, match="no concept 'normalisation'; there is .*normalization"):
        core.load("normalisation", "in_numpy")
    with pytest.raises(LookupError, match="no file 'in_jax'; it has in_numpy, in_torch"):
        core.load("normalization", "in_jax")
    wrong = "normalization", "normalization.batchnorm", "normalization._affine", "normalization.np"
    for path in (*wrong, "normalization.checked", "normalization.batch_norm.unchecked"):
        with pytest.raises(
            LookupError, match=f"no '{path}' in in_numpy.py; there is .*normalization.batch_norm,"
        ):
            core.find(path, "in_numpy")


@pytest.mark.parametrize("ask", [lambda f: check(f, "neuron.step"), hint, headline, show, explore])
def test_a_function_in_the_place_of_a_name_is_refused(ask):
    with pytest.raises(TypeError, match="path is of type function; expected a string 'concept.name'"):
        ask(lambda x: x)


def test_find_finds_functions():
    assert core.find("neuron.step", "in_numpy")(np.zeros(1)) == 1
    assert core.find("neuron.step", "in_torch")(torch.zeros(1)) == 1


def test_public_leaves_out_imports_and_underscores():
    names = core.public(core.load("normalization", "in_numpy"))
    assert "batch_norm" in names and not {"checked", "np", "_affine"} & set(names)


def test_cases_of_a_backward_are_those_of_its_forward():
    forward, backward = (core.cases(f"normalization.{n}") for n in ("batch_norm", "batch_norm_backward"))
    assert [str(c) for c in forward] == [str(c) for c in backward] != []
    assert core.cases("normalization.nothing") == []
    a, b = (core.cases("normalization.batch_norm", seed)[0].args["x"] for seed in (0, 1))
    assert not np.array_equal(a, b)


def test_pairs_are_functions_with_a_backward():
    pairs = list(core.backward_pairs())
    assert ("normalization", "batch_norm") in pairs and ("neuron", "step") not in pairs


# ------------------------------------------------------------------------------------- cases and helpers


def test_a_case_is_cast_to_fresh_copies():
    x, target = np.ones(2), np.arange(2)
    case = core.Case("f", dict(x=x, target=target, lr=0.1, weight=None), "note")
    single = case.cast("float32")
    assert (single["x"].dtype, single["target"].dtype) == (np.float32, np.int64)
    assert (single["lr"], single["weight"]) == (0.1, None)
    double = case.cast("float64")
    assert not np.shares_memory(double["x"], x) and not np.shares_memory(double["target"], target)
    assert (str(case), str(core.Case("f", {}))) == ("f-note", "f")


def test_arguments_by_position():
    def f(a, b, c=3): ...

    assert core.positional(f, dict(b=2, a=1)) == (1, 2, 3)
    assert core.as_tuple(1) == (1,) and core.as_tuple((1, 2)) == (1, 2)


def test_random_gradients_have_the_shapes_and_dtypes_of_the_outputs():
    one, other = np.ones((2, 3), np.float32), np.float64(2)
    grads = core.grad_outputs((one, other))
    assert [(g.shape, g.dtype) for g in grads] == [((2, 3), np.float32), ((), np.float64)]
    assert len(np.unique(grads[0])) == 6
    np.testing.assert_array_equal(core.grad_outputs(one), core.grad_outputs(one))


SAME = [0.5, np.ones((2, 3)), np.array([NAN, INF, -INF]), None, (np.ones(2), None), np.array([]), True]
DIFFERENT = [
    (np.ones(2), np.ones(3)),
    (np.ones((1, 2)), np.ones(2)),
    (None, 0.0),
    (np.array([0.0]), None),
    (np.array([NAN]), np.array([0.0])),
    (np.array([INF]), np.array([-INF])),
    (np.array([INF]), np.array([NAN])),
    ((np.ones(2), np.ones(2)), (np.ones(2), np.ones(3))),
]


@pytest.mark.parametrize("value", SAME, ids=repr)
def test_equal_results_do_not_differ(value):
    assert core.max_difference(value, value) == 0


@pytest.mark.parametrize("a, b", DIFFERENT)
def test_shapes_gaps_and_infinities_must_match(a, b):
    assert core.max_difference(a, b) == core.max_difference(b, a) == INF


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.floats(-1e3, 1e3))
def test_the_difference_is_relative_to_the_largest_value_but_at_least_to_one(values, change):
    b = np.array(values)
    a = b.copy()
    a[-1] += change
    expected = abs(a[-1] - b[-1]) / max(1, np.abs(b).max())
    assert core.max_difference(a, b) == core.max_difference((b, a), (b, b)) == expected


def test_a_missing_output_is_no_agreement():
    with pytest.raises(ValueError):
        core.max_difference((np.ones(2),), (np.ones(2), np.ones(2)))


# --------------------------------------------------------------------------------------------- gradients


@given(
    st.lists(st.floats(-100, 100), min_size=3, max_size=3),
    st.lists(st.floats(-10, 10), min_size=9, max_size=9),
)
def test_central_differences_are_exact_on_quadratics(x, a):
    x, a = np.array(x), np.array(a).reshape(3, 3)
    gradient = core.numerical_gradient(lambda v: v @ a @ v, x)
    np.testing.assert_allclose(gradient, (a + a.T) @ x, atol=1e-5 * (1 + np.abs(a).max() * np.abs(x).max()))


def test_the_error_falls_with_the_square_of_h():
    errors = [core.numerical_gradient(np.exp, np.array(1.0), h) - np.e for h in (1e-2, 1e-3)]
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.01)
    assert core.numerical_gradient(np.exp, np.array(1.0)) == pytest.approx(np.e, rel=1e-10)


def test_the_point_itself_is_left_alone():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    kept, seen = x.copy(), []
    gradient = core.numerical_gradient(lambda v: seen.append(v.shape) or (v**3).sum(), x)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_allclose(gradient, 3 * x**2, rtol=1e-8)
    assert seen == [(2, 2)] * 8  # twice per element


def test_large_points_take_large_steps():
    x = np.array([1e8])
    np.testing.assert_allclose(core.numerical_gradient(lambda v: (v**2).sum(), x), 2 * x, rtol=1e-8)


def test_a_backward_by_differences():
    def f(x, index, scale=1.0):
        return scale * x[index], x.sum()

    g = np.array([1.0, 10.0]), 100.0
    grads = core.numerical_backward(f, g, np.array([1.0, 2.0, 3.0]), np.array([2, 0]), scale=2.0)
    np.testing.assert_allclose(grads[0], [120, 100, 102], rtol=1e-8)
    assert grads[1] is None and len(grads) == 2
    single = core.numerical_backward(lambda x: x**2, np.ones(2), x=np.array([1.0, 2.0]))
    np.testing.assert_allclose(single, [2, 4], rtol=1e-8)
