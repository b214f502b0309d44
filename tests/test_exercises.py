"""What the exercise check says, mistake by mistake; then every exercise of every concept."""

import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from nnlib import core, exercises
from nnlib.activations.in_numpy import elu
from nnlib.core import Case
from nnlib.exercises import Exercise, diagnose

EXERCISES = dict(exercises.exercises())
MISTAKES = [(path, m.function.__name__, m) for path, e in EXERCISES.items() for m in e.mistakes]


# --------------------------------------------------- a small exercise, and ways to get it wrong


def scaled(x, weight, bias, eps=1e-5):
    """A weighted average of the rows, which is enough to go wrong in many ways.

    Parameters
    ----------
    x : array (N, D)
    weight, bias : array (D,)
    eps : float > 0

    Returns
    -------
    y : array (D,)
    """
    return (weight * x).mean(axis=0) + eps * bias


def scaled_backward(grad_output, x, weight, bias, eps=1e-5):
    grad_x = np.repeat((grad_output * weight / len(x))[None], len(x), axis=0)
    return grad_x, grad_output * x.mean(axis=0), eps * grad_output


def scaled_cases(rng):
    for note, shape in {"tall": (8, 3), "square": (3, 3)}.items():
        x, d = rng.normal(2, 3, size=shape), shape[1]
        yield Case("scaled", dict(x=x, weight=rng.normal(size=d), bias=rng.normal(size=d)), note)


def right(grad_output, x, weight, bias, eps=1e-5):
    return scaled_backward(grad_output, x, weight, bias, eps)


BACKWARD = Exercise(scaled_backward, hints=["a", "b", "c"], next="dinner.", cases=scaled_cases)
FORWARD = Exercise(scaled, hints=["a"], next="the backward.", cases=scaled_cases)


@BACKWARD.mistake("You forgot that the weight scales x.")
def no_weight(grad_output, x, weight, bias, eps=1e-5):
    _, *rest = right(grad_output, x, weight, bias, eps)
    return np.repeat(grad_output[None] / len(x), len(x), axis=0), *rest


@BACKWARD.mistake("You forgot to copy the gradient to every row.")
def one_row(grad_output, x, weight, bias, eps=1e-5):
    grad_x, *rest = right(grad_output, x, weight, bias, eps)
    return grad_x[0], *rest


def lines(mine, exercise=BACKWARD):
    card = diagnose(exercise, mine)
    return [f"{card.word}: {card.lines[0]}", *card.lines[1:]]


def altered(change):
    """A wrong solution: the right gradients passed through `change`."""
    return lambda grad_output, x, weight, bias, eps=1e-5: change(*right(grad_output, x, weight, bias, eps))


def renamed(g, inputs, w, b, epsilon=1e-5):
    n = inputs.shape[0]
    return [np.ones((n, 1), g.dtype) @ (g * w)[None] / n, g * inputs.sum(0) / n, g * epsilon]


@pytest.mark.parametrize("mine", [right, renamed, scaled_backward], ids=lambda f: f.__name__)
def test_a_right_answer_is_correct_however_it_is_written(mine):
    assert lines(mine) == ["correct: 2 cases, in float64 and in float32.", "Next: dinner."]


def test_a_stub_is_not_attempted():
    def stub(grad_output, x, weight, bias, eps=1e-5):
        raise NotImplementedError

    assert lines(stub)[0].startswith("not attempted: Replace")


@pytest.mark.parametrize(
    "mine, said",
    [
        (np.ones(3), "You passed a value of type ndarray. Pass the function itself"),
        (lambda grad_output, x: x, "too many positional arguments. Expected `scaled_backward("),
        (lambda x, grad_output, weight, bias, eps=1e-5: x, "The arguments are in another order."),
        (lambda grad_output, x, weight, bias, eps=1e-3: x, "The default of `eps` is another."),
        (lambda grad_output, x, weight, bias, eps: x, "missing a required argument: 'eps'"),
    ],
)
def test_a_wrong_signature(mine, said):
    assert said in lines(mine)[0] and lines(mine)[0].startswith("not yet")


def test_an_error_shows_the_learners_line_and_nothing_of_ours():
    def mine(grad_output, x, weight, bias, eps=1e-5):
        scaled = x
        return scaled.reshape(7)

    error, line, call = lines(mine)
    assert error.startswith("error: ValueError: cannot reshape")
    assert re.fullmatch(r"In line \d+ of your cell: `return scaled.reshape\(7\)`", line)
    assert call.startswith("It was called with `grad_output` of shape (3,), `x` of shape (8, 3)")
    assert call.endswith("(case: tall).")
    assert "nnlib" not in repr(diagnose(BACKWARD, mine)) and "Traceback" not in repr(diagnose(BACKWARD, mine))


def test_an_error_deep_in_numpy_still_names_the_learners_line():
    def mine(grad_output, x, weight, bias, eps=1e-5):
        return np.stack([x, weight])

    assert lines(mine)[1].endswith("`return np.stack([x, weight])`")


def a_product(a, b):
    """Rows of weighted sums.

    Parameters
    ----------
    a : array (N, D)
    b : array (O, D)
    """
    return a @ b.T


def product_exercise(*sizes):
    """`a_product` on arrays of these sizes."""

    def cases(rng):
        for size in sizes:
            yield Case("a_product", dict(a=rng.normal(size=size), b=rng.normal(size=(3, 4))), f"{size}")

    return Exercise(a_product, ["a"], "sleep.", cases)


@pytest.mark.parametrize(
    "mine, said",
    [
        (lambda a, b: a @ b, ["`a @ b` multiplies (6, 4) by (3, 4)", "4 and 3,", "`a @ b.T` fits"]),
        (lambda a, b: np.dot(a, b), ["`a @ b.T` fits: (6, 4) by (4, 3). `b` has shape (O, D)."]),
        (lambda a, b: np.matmul(a, b), ["`a @ b.T` fits"]),
        (lambda a, b: a.dot(b), ["`a @ b.T` fits"]),
        (lambda a, b: (2 * a) @ b, ["`2 * a @ b` multiplies", "`2 * a @ b.T` fits"]),
        (lambda a, b: b.T @ a, ["`b.T @ a` multiplies (4, 3) by (6, 4)"]),
        (lambda a, b: a.T @ b.T, ["`a @ b.T` fits: (6, 4) by (4, 3). `a` has shape (N, D)."]),
        (lambda a, b: a[0] @ b, ["`a[0] @ b` multiplies (4,) by (3, 4)", "`a[0] @ b.T` fits"]),
    ],
)
def test_a_product_that_does_not_fit_names_the_transpose_that_does(mine, said):
    first, line, *others = lines(mine, product_exercise((6, 4)))
    assert first.startswith("error: ValueError") and line.startswith("In line")
    for part in said:
        assert part in "\n".join([first, *others])


@pytest.mark.parametrize("size", [(4,), (2, 5, 4)])
def test_a_transpose_of_more_or_less_than_two_axes_is_no_remedy(size):
    text = "\n".join(lines(lambda a, b: a.T @ b, product_exercise(size)))
    assert f"`a` has shape {size}. `a.reshape(-1, 4)` first makes rows of it." in text


@pytest.mark.parametrize("source", ["lambda a, b: a @ b", "lambda a, b: b + a"])
def test_where_nothing_can_be_told_of_a_product_numpy_speaks(source):
    first, *_ = lines(eval(source), product_exercise((6, 4)))  # there is no file to read the line from
    assert "matmul" in first or "broadcast" in first


def test_merged_rows_are_told_to_take_their_shape_back():
    def mine(a, b):
        return a.reshape(-1, 4) @ b.T

    for sizes in (((2, 5, 4),), ((6, 4), (4,), (2, 5, 4))):
        assert "a last `reshape` gives them" in lines(mine, product_exercise(*sizes))[1]


def test_what_is_printed_is_shown_for_the_first_case_that_fails(capsys):
    def mine(grad_output, x, weight, bias, eps=1e-5):
        print("rows <", len(x), ">")
        return only_tall(grad_output, x, weight, bias, eps)

    card = diagnose(BACKWARD, mine)
    assert card.printed == "rows < 3 >"
    assert repr(card).endswith("Your function printed there:\n  rows < 3 >")
    assert "rows &lt; 3 &gt;</pre>" in card.html()
    assert capsys.readouterr() == ("", "")


def test_what_is_printed_before_an_error_is_shown(capsys):
    def mine(a, b):
        print(len(a))
        return a @ b.T if len(a) == 2 else a + b

    assert diagnose(product_exercise((2, 4), (6, 4)), mine).printed == "6"
    assert capsys.readouterr() == ("", "")


def test_a_right_answer_may_print_and_a_flood_is_cut(capsys):
    def mine(a, b):
        print("x" * 10_000)
        return a @ b.T

    assert not diagnose(product_exercise((2, 4)), mine).printed
    cut = diagnose(product_exercise((2, 4)), lambda a, b: -mine(a, b)).printed
    assert len(cut) < 2000 and cut.endswith("…")
    assert capsys.readouterr() == ("", "")


def fires(x):
    return (x > 0).astype(x.dtype)


@pytest.mark.parametrize(
    "mine, said",
    [
        (np.sign, "answers -1, 0 or 1, as `np.sign` does. Expected 0 or 1"),
        (lambda x: np.where(x > 0, 1.0, 0.0), "`np.where` with two plain numbers"),
        (lambda x: np.where(x > 0, 1, 0), "`.astype(x.dtype)` sets it right"),
        (lambda x: x > 0, "`.astype(x.dtype)` sets it right"),
    ],
)
def test_answers_of_zero_and_one_that_went_wrong(mine, said):
    fire = Exercise(fires, ["a"], "sleep.", lambda rng: [Case("fires", dict(x=np.array([-2.0, 1.0])))])
    assert said in "\n".join(lines(lambda x: mine(x), fire))


def test_a_gap_met_later_is_an_error_not_a_stub():
    def mine(grad_output, x, weight, bias, eps=1e-5):
        if x.shape == (3, 3):
            raise NotImplementedError
        return right(grad_output, x, weight, bias, eps)

    assert lines(mine)[0] == "error: NotImplementedError"


def test_a_gap_in_what_it_calls_is_an_error_not_a_stub():
    def mine(grad_output, x, weight, bias, eps=1e-5):
        return elu(x, inplace=True)

    first, line, *_ = lines(mine)
    assert first.startswith("error: NotImplementedError: elu: inplace=True is an option of torch's")
    assert "`return elu(x, inplace=True)`" in line


def test_addresses_do_not_get_into_a_card():
    def mine(grad_output, x, weight, bias, eps=1e-5):
        raise ValueError(f"bad {object()}")

    assert lines(mine)[0] == "error: ValueError: bad <object object>"


def writes(grad_output, x, weight, bias, eps=1e-5):
    result = right(grad_output, x, weight, bias, eps)
    grad_output *= 2
    return result


def draws(grad_output, x, weight, bias, eps=1e-5):
    grad_x, *rest = right(grad_output, x, weight, bias, eps)
    return grad_x + np.random.default_rng().normal(), *rest


def only_tall(grad_output, x, weight, bias, eps=1e-5):
    grad_x, *rest = right(grad_output, x, weight, bias, eps)
    return grad_x / 8 * len(x) + 0.1 * (len(x) == 3) * grad_x**2, *rest


def zeros_in_float64(grad_output, x, weight, bias, eps=1e-5):
    grad_x, *rest = right(grad_output, x, weight, bias, eps)
    return np.zeros(x.shape) + grad_x, *rest


def loses_digits(grad_output, x, weight, bias, eps=1e-5):
    big = x.dtype.type(1e7)
    grad_x, grad_weight, grad_bias = right(grad_output, x, weight, bias, eps)
    return grad_x, (grad_weight + big) - big, grad_bias


def wrong_below_zero(grad_output, x, weight, bias, eps=1e-5):
    grad_x, *rest = right(grad_output, x, weight, bias, eps)
    return grad_x + (x < 0), *rest


@pytest.mark.parametrize(
    "mine, said",
    [
        (altered(lambda x, w, b: None), ["Your function returns None. Is a `return` missing?"]),
        (altered(lambda x, w, b: x), ["returns 1 of 3 values: `grad_x`, `grad_weight`, `grad_bias`"]),
        (
            altered(lambda x, w, b: (x, w, b, b)),
            ["returns 4 values; expected `grad_x`, `grad_weight`, `grad_bias`"],
        ),
        (
            altered(lambda x, w, b: (x, w.tolist(), b)),
            ["`grad_weight` is of type list; expected a NumPy array"],
        ),
        (
            altered(lambda x, w, b: (x, w, torch.tensor(b))),
            ["`grad_bias` is of type Tensor; expected a NumPy"],
        ),
        (altered(lambda x, w, b: (x, None, b)), ["`grad_weight` is None; expected an array"]),
        (altered(lambda x, w, b: (x, b, w)), ["their order is not: return `grad_x, grad_weight, grad_bias`"]),
        (writes, ["changes its argument `grad_output` (case: tall)", "`grad_output -= …`"]),
        (draws, ["Two calls with the same arguments give different results", "random"]),
        (
            altered(lambda x, w, b: (x.T, w, b)),
            ["`grad_x` has shape (3, 8); expected (N, D) = (8, 3)", "transpose"],
        ),
        (altered(lambda x, w, b: (x, w[None], b)), ["has shape (1, 3); expected (D,) = (3,)", "length 1"]),
        (altered(lambda x, w, b: (x, w + 0 * x, b)), ["shape (8, 3); expected (D,)", "Averaged over axis 0"]),
        (
            altered(lambda x, w, b: (x, w / len(x) + 0 * x, b)),
            ["`grad_weight` has", "Summed over axis 0, it is"],
        ),
        (altered(lambda x, w, b: (x, w.sum(), b)), ["has shape (); expected (D,) = (3,)", "without `axis=`"]),
        (zeros_in_float64, ["`grad_x` is float64 for float32 inputs; expected float32", "`np.zeros`"]),
        (altered(lambda x, w, b: (x, w, b.astype(int))), ["`grad_bias` is int64 for float64 inputs"]),
        (altered(lambda x, w, b: (x / 0, w, b)), ["`grad_x` holds inf", "division by zero"]),
        (
            altered(lambda x, w, b: (x * np.nan, w, b)),
            ["`grad_x` holds NaN; expected finite numbers (case: tall)"],
        ),
        (
            altered(lambda x, w, b: (-x, w, b)),
            ["`grad_x` has the wrong sign.", "`grad_x[0, 0]` is", "`grad_bias`"],
        ),
        (altered(lambda x, w, b: (x * len(x), w, b)), ["too large by the factor N, here 8 (case: tall)"]),
        (
            altered(lambda x, w, b: (-x / len(x), w, b)),
            ["too small by the factor N, here 8 (case: tall) and has"],
        ),
        (altered(lambda x, w, b: (x, 2.5 * w, b)), ["`grad_weight` is 2.5 times the expected value."]),
        (altered(lambda x, w, b: (x, w * 3, b)), ["`grad_weight` is too large by the factor D, here 3"]),
        (
            altered(lambda x, w, b: (x, w + 3e-9, b)),
            ["`grad_weight` is nearly right. Look at where `eps` stands"],
        ),
        (
            only_tall,
            ["`grad_x` is wrong.", "Right for: tall.", "Wrong for: square.", "Right already: `grad_weight`"],
        ),
        (wrong_below_zero, ["`grad_x` is wrong exactly where `x < 0`."]),
        (
            altered(lambda x, w, b: (x, w, b + 1)),
            ["`grad_bias` is wrong.", "All 3 values", "Right already: `grad_x`"],
        ),
        (loses_digits, ["`grad_weight` is nearly right."]),
    ],
)
def test_what_is_said(mine, said):
    text = "\n".join(lines(mine))
    assert text.startswith("not yet")
    for part in said:
        assert part in text, text


def test_a_wrong_answer_of_true_and_false_is_told_as_any_other():
    exercise = EXERCISES["regularization.early_stopping"]

    def early_stopping(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
        best, bad, stop = exercise.solution(loss, best, num_bad_epochs, patience, min_delta)
        return best, bad, np.array(loss > 0.65)

    assert "`stop` is wrong" in lines(early_stopping, exercise)[0]


def test_square_matrices_betray_a_missing_transpose():
    square = Exercise(
        lambda a, b: a @ b, [], "", lambda rng: [Case("", dict(a=A, b=rng.normal(size=(3, 3))))]
    )
    A = np.random.default_rng(0).normal(size=(3, 3))
    assert "is right but transposed" in lines(lambda a, b: (a @ b).T, square)[0]


def test_lost_digits_that_only_float32_shows():
    def mine(x, weight, bias, eps=1e-5):
        return (scaled(x, weight, bias, eps) + x.dtype.type(1e4)) - x.dtype.type(1e4)

    assert lines(mine, FORWARD)[0] == "not yet: Right in float64, but too far off in float32 (case: tall)."


def test_an_overflow_names_the_size_of_the_inputs():
    softplus = Exercise(
        lambda x: np.logaddexp(0, x), [], "", lambda rng: [Case("", dict(x=np.array([-1000.0, 1000.0])))]
    )
    first, second, third = lines(lambda x: np.log(1 + np.exp(x)), softplus)
    assert first == "not yet: `the result` holds inf; expected finite numbers, float64."
    assert second == "The inputs reach 1000 there: `exp` of that overflows."
    assert "log(0) or 0 / 0" in third


def test_a_row_whose_exps_are_all_zero_is_named_as_a_cause():
    head = EXERCISES["linear.output_head"]

    def mine(x, task):
        e = np.exp(x - x.max())
        return e / e.sum(axis=1, keepdims=True) if task == "multiclass" else head.solution(x, task)

    _, second, _ = lines(mine, head)
    assert "or every `exp` of a row becomes 0" in second and "each row's own maximum" in second


def test_random_generators_give_both_sides_the_same_numbers():
    drop = Exercise(
        lambda x, rng: x * (rng.random(x.shape) > 0.5).astype(x.dtype),
        [],
        "sleep.",
        lambda rng: [Case("", dict(x=np.ones((4, 5)), rng=rng))],
    )
    assert lines(lambda x, rng: np.where(rng.random(x.shape) > 0.5, x, 0 * x), drop)[0].startswith("correct")


def test_a_plain_number_will_do_for_a_scalar():
    total = Exercise(lambda x: x.sum(), [], "sleep.", lambda rng: [Case("", dict(x=rng.normal(size=4)))])
    assert lines(lambda x: float(x.sum()), total)[0].startswith("correct")


@pytest.mark.parametrize("planted", BACKWARD.mistakes, ids=lambda m: m.function.__name__)
def test_a_known_mistake_is_named_also_when_written_otherwise(planted):
    def mine(g, x, w, b, eps=1e-5):
        return [1.0 * v for v in planted.function(g, x, w, b, eps)]

    assert lines(mine)[0] == f"not yet: {planted.message}"


def test_nothing_is_printed_and_no_warning_escapes(capsys):
    def mine(grad_output, x, weight, bias, eps=1e-5):
        return np.log(-np.abs(x)), weight / 0, bias

    assert "NaN" in lines(mine)[0]
    assert capsys.readouterr() == ("", "")


def test_an_exercise_without_cases_says_so():
    with pytest.raises(LookupError, match="scaled has no cases"):
        diagnose(Exercise(scaled, [], "", lambda rng: []), scaled)


@pytest.fixture
def shown(monkeypatch):
    """A concept `fake` with the exercise above, and what its cards display."""
    module, texts = ModuleType("nnlib.fake.exercises"), []
    module.scaled_backward = BACKWARD
    monkeypatch.setattr(core, "concepts", lambda: ["fake"])
    monkeypatch.setattr(core, "load", lambda concept, role: module)
    monkeypatch.setattr(exercises.Card, "show", lambda card: texts.append(repr(card)))
    monkeypatch.setattr(exercises, "_opened", {})
    return texts


def test_check_and_hint_in_the_notebook(shown):
    exercises.check("fake.scaled_backward", right)
    for _ in range(4):
        exercises.hint("fake.scaled_backward")
    title = "fake.scaled_backward"
    assert shown == [
        f"✓ correct · {title}\n  2 cases, in float64 and in float32.\n  Next: dinner.",
        f"● hint 1 of 3 · {title}\n  a\n  Run this cell again for the next.",
        f"● hint 2 of 3 · {title}\n  a\n  b\n  Run this cell again for the next.",
        f"● hint 3 of 3 · {title}\n  a\n  b\n  c\n  The solution is in the next cell.",
        f"● hint 3 of 3 · {title}\n  a\n  b\n  c\n  The solution is in the next cell.",
    ]


@pytest.mark.parametrize(
    "path, said", [("fake.x", "there is fake.scaled_backward"), ("x.y", "there is fake")]
)
def test_a_name_that_is_not_there_lists_what_is(shown, path, said):
    for call in (lambda: exercises.check(path, right), lambda: exercises.hint(path)):
        with pytest.raises(LookupError, match=said):
            call()


def test_exercises_load_no_torch():
    heavy = {"torch", "ipywidgets", "matplotlib", "IPython"}
    code = f"import sys, nnlib.exercises; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ------------------------------------------------------------------------------- every exercise there is


def in_longdouble(exercise):
    """A solution with other roundings: computed in extended precision, then cast."""

    def mine(*args, **kwargs):
        def wide(v):
            return v.astype(np.longdouble) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v

        dtype = next(v.dtype for v in args if isinstance(v, np.ndarray) and v.dtype.kind == "f")
        y = exercise.reference(*map(wide, args), **{k: wide(v) for k, v in kwargs.items()})
        cast = [
            v if v is None or np.asarray(v).dtype.kind != "f" else np.asarray(v, dtype)
            for v in core.as_tuple(y)
        ]
        return tuple(cast) if isinstance(y, tuple) else cast[0]

    mine.__signature__ = exercise.signature
    return mine


def by_torch(path, exercise):
    """A solution derived independently: the twin, or autograd through it."""
    concept, _, _ = path.partition(".")
    name = exercise.name.removesuffix("_backward")
    twin = inspect.unwrap(getattr(core.load(concept, "in_torch"), name))
    held = getattr(core.load(concept, "in_numpy"), "constants", {}).get(name, ())

    def mine(*args, **kwargs):
        given = exercise.signature.bind(*args, **kwargs).arguments
        t = {k: torch.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for k, v in given.items()}
        grad_output = t.pop("grad_output", None)
        leaves = {k: v for k, v in t.items() if torch.is_tensor(v)}
        for k, v in leaves.items():
            v.requires_grad_(grad_output is not None and v.is_floating_point() and k not in held)
        y = twin(**t)
        if grad_output is None:
            values = tuple(None if v is None else v.detach().numpy() for v in core.as_tuple(y))
            return values if isinstance(y, tuple) else values[0]
        torch.autograd.backward(core.as_tuple(y), core.as_tuple(grad_output))
        grads = tuple(v.grad.numpy() if v.requires_grad else None for v in leaves.values())
        return grads if len(grads) > 1 else grads[0]

    mine.__signature__ = exercise.signature
    return mine


def has_twin(path, exercise):
    role = f"nnlib.{path.split('.')[0]}.in_numpy"
    return exercise.solution.__module__ == role


def test_there_are_exercises():
    assert len(EXERCISES) >= 3 and len(MISTAKES) >= 2 * len(EXERCISES)


@pytest.mark.parametrize("path", EXERCISES)
def test_an_exercise_is_complete(path):
    exercise = EXERCISES[path]
    assert exercise.hints, f"{path} has no hint"
    assert exercise.next.strip(), f"{path} does not say what comes next"
    assert exercise.mistakes, f"{path} knows no mistake"
    messages = [m.message for m in exercise.mistakes]
    assert len(set(messages)) == len(messages), f"{path}: two mistakes with one message"
    for text in [*exercise.hints, *messages]:
        assert text.count("`") % 2 == 0, f"{path}: an odd number of backticks in {text!r}"


@pytest.mark.parametrize("path", EXERCISES)
def test_the_solution_and_one_with_other_roundings_are_correct(path):
    exercise = EXERCISES[path]
    for mine in (exercise.solution, in_longdouble(exercise)):
        card = diagnose(exercise, mine, path)
        assert card.word == "correct", repr(card)


@pytest.mark.parametrize("path", [path for path, e in EXERCISES.items() if has_twin(path, e)])
def test_an_independent_derivation_is_correct(path):
    card = diagnose(EXERCISES[path], by_torch(path, EXERCISES[path]), path)
    assert card.word == "correct", repr(card)


@pytest.mark.parametrize(
    "path, name, planted", MISTAKES, ids=[f"{path}-{name}" for path, name, _ in MISTAKES]
)
def test_each_planted_mistake_is_rejected_with_its_own_message(path, name, planted):
    exercise = EXERCISES[path]
    assert inspect.signature(planted.function) == exercise.signature, f"{path}: {name} takes other arguments"
    card = diagnose(exercise, planted.function, path)
    assert card.word == "not yet", repr(card)
    assert card.lines[0] == planted.message, f"{path}: {name} is taken for another mistake: {card.lines[0]}"
    assert len(card.lines) > 1, "and the first difference is shown"


@pytest.mark.parametrize("path", EXERCISES)
def test_a_notebook_offers_the_exercise(path):
    notebooks = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
    text = "\n".join(notebook.read_text(encoding="utf-8") for notebook in notebooks)
    missing = [call for call in ("check", "hint") if f'{call}(\\"{path}\\"' not in text]
    assert not missing, f"no notebook has a cell with {missing[0]}({path!r})"
