"""Reference == twin == official, hand-written backward == autograd == central differences.

Everything is discovered: a function without a twin, a case, an official operation or a backward fails here
by name, unless the concept says why it has none.
"""

import functools
import inspect

import numpy as np
import pytest
import torch

from nnlib import core
from nnlib.show import devices

DTYPES = ["float64", "float32"]
RUNS = [(device, dtype) for dtype in DTYPES for device in devices(dtype)]


def functions():
    return [f"{c}.{name}" for c in core.concepts() for name in core.public(core.load(c, "in_numpy"))]


FUNCTIONS = functions()
FORWARD = [f for f in FUNCTIONS if not f.endswith("_backward")]
BACKWARD = [f for f in FUNCTIONS if f.endswith("_backward")]
DIFFERENTIABLE = [f for f in FORWARD if f + "_backward" in BACKWARD]


def each_case(test):
    """Run a test on every case of a function; a failure says which case it was.

    One test for a function and not one for a case: thousands of tests take longer to count than to run.
    """

    @functools.wraps(test)
    def run(path, *args, **kwargs):
        for case in core.cases(path):
            try:
                test(path, *args, case=case, **kwargs)
            except BaseException as error:
                error.add_note(f"in the case {case}")
                raise

    signature = inspect.signature(test)
    kept = [p for p in signature.parameters.values() if p.name != "case"]
    run.__signature__ = signature.replace(parameters=kept)
    return run


def declared(path, role, attribute):
    concept, _, name = path.partition(".")
    return name, getattr(core.load(concept, role), attribute, {})


def arrays_of(f, args):
    """The names of the array arguments in the order in which f takes them."""
    return [k for k, v in inspect.signature(f).bind(**args).arguments.items() if isinstance(v, np.ndarray)]


def tensors(args, device="cpu", grad=False):
    out = {}
    for name, value in args.items():
        if isinstance(value, np.ndarray):
            value = torch.from_numpy(value.copy()).to(device)
            if grad and value.is_floating_point():
                value.requires_grad_()
        out[name] = value
    return out


def arrays(y):
    values = tuple(v.detach().cpu().numpy() if isinstance(v, torch.Tensor) else v for v in core.as_tuple(y))
    return values if isinstance(y, tuple) else values[0]


@pytest.fixture(autouse=True)
def full_precision():
    """Newer GPUs would round what cuDNN multiplies in float32 to ten bits (TF32)."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def test_there_is_something_to_test():
    assert "normalization.batch_norm" in FORWARD
    assert len(DIFFERENTIABLE) > 30


@pytest.mark.parametrize("path", FUNCTIONS)
def test_every_function_is_complete(path):
    """A docstring with parameters, a twin with the same signature, cases, an official, a backward."""
    concept, _, name = path.partition(".")
    f = core.find(path, "in_numpy")
    assert hasattr(f, "unchecked"), f"{path} is not @checked"
    assert f.__doc__, f"{path} has no docstring"
    if name.endswith("_backward"):
        base = core.find(path.removesuffix("_backward"), "in_numpy")
        took = list(inspect.signature(base).parameters.values())
        takes = list(inspect.signature(f).parameters.values())
        assert takes[0].name == "grad_output"
        assert takes[1:] == took, f"{path} takes grad_output and exactly what {base.__name__} took"
        return
    documented = [s.name for s in core.documented(f)]
    assert documented == list(inspect.signature(f).parameters), f"{path}: Parameters and signature differ"
    assert core.documented(f, "Returns"), f"{path} does not say what it returns"
    assert core.cases(path), f"{path} has no case in cases.py"
    twin = core.find(path, "in_torch")
    assert inspect.signature(twin) == inspect.signature(f), f"{path}: reference and twin differ in signature"
    name, no_gradient = declared(path, "in_numpy", "no_gradient")
    assert (path + "_backward" in BACKWARD) != (name in no_gradient), (
        f"{path} needs either a {name}_backward or a reason in in_numpy.no_gradient"
    )
    official, no_official = (declared(path, "in_torch", a)[1] for a in ("official", "no_official"))
    assert (name in official) != (name in no_official), (
        f"{path} needs either an entry in in_torch.official or a reason in in_torch.no_official"
    )


@pytest.mark.parametrize("concept", core.concepts())
def test_nothing_is_declared_that_does_not_exist(concept):
    names = set(core.public(core.load(concept, "in_numpy")))
    numpy_module, torch_module = core.load(concept, "in_numpy"), core.load(concept, "in_torch")
    for module, attribute in (
        (numpy_module, "no_gradient"),
        (numpy_module, "constants"),
        (torch_module, "official"),
        (torch_module, "no_official"),
    ):
        assert set(getattr(module, attribute, {})) <= names, (
            f"{concept}: {attribute} names an unknown function"
        )
    assert set(core.public(torch_module)) <= names, f"{concept}: a twin without a reference"
    known = {case.name for case in core.load(concept, "cases").cases(np.random.default_rng(0))}
    assert known <= names, f"{concept}: a case for an unknown function"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("path", FORWARD)
@each_case
def test_documented_shapes(path, case, dtype):
    """The shapes in the docstring are executed: inputs by the check of the call, outputs here."""
    f = core.find(path, "in_numpy")
    args = case.cast(dtype)
    concept, _, name = path.partition(".")
    wanted = core.specs(concept, name)
    settings = {
        k: v for k, v in args.items() if type(v) in (int, float) and wanted[k].kind in ("int", "float")
    }
    before = {k: np.copy(v) for k, v in args.items() if isinstance(v, np.ndarray)}
    y = f(**args | {k: np.array(v)[()] for k, v in settings.items()})  # numbers as out of np.linspace
    for argument, kept in before.items():
        np.testing.assert_array_equal(args[argument], kept, err_msg=f"{path} changed its input {argument}")
    sizes = core.check_call(name, wanted, args, "numpy")
    returns = core.documented(f, "Returns")
    assert len(core.as_tuple(y)) == len(returns), f"{path} returns {len(core.as_tuple(y))} values"
    for spec, value in zip(returns, core.as_tuple(y), strict=True):
        if value is None and spec.optional:
            continue
        core._check_array(spec, np.asarray(value), "numpy", sizes)
        if spec.dtype == "float":
            assert np.asarray(value).dtype == dtype, (
                f"{path}: {spec.name} is {value.dtype} for {dtype} inputs"
            )


@pytest.mark.parametrize("device, dtype", RUNS)
@pytest.mark.parametrize("path", FORWARD)
@each_case
def test_three_versions_agree(path, case, device, dtype):
    args = case.cast(dtype)
    expected = core.find(path, "in_numpy")(**args)
    twin = arrays(core.find(path, "in_torch")(**tensors(args, device)))
    assert core.max_difference(twin, expected) < core.tolerance(dtype), f"{path}: reference and twin differ"
    name, official = declared(path, "in_torch", "official")
    if name in official:
        theirs = arrays(official[name](*core.positional(core.find(path, "in_numpy"), tensors(args, device))))
        assert core.max_difference(theirs, expected) < core.tolerance(dtype), f"{path} and the library differ"


@pytest.mark.parametrize("device, dtype", RUNS)
@pytest.mark.parametrize("path", DIFFERENTIABLE)
@each_case
def test_backward_is_autograd_of_twin_and_official(path, case, device, dtype):
    args = case.cast(dtype)
    f, backward = core.find(path, "in_numpy"), core.find(path + "_backward", "in_numpy")
    grad_output = core.grad_outputs(f(**args))
    before = {k: np.copy(v) for k, v in args.items() if isinstance(v, np.ndarray)}
    mine = core.as_tuple(backward(grad_output, **args))
    for name, kept in before.items():
        np.testing.assert_array_equal(args[name], kept, err_msg=f"{path}_backward changed its input {name}")
    names = arrays_of(f, args)
    assert len(mine) == len(names), f"{path}_backward: {len(mine)} gradients for the arrays {names}"
    name, constants = declared(path, "in_numpy", "constants")
    held = constants.get(name, ())
    _, official = declared(path, "in_torch", "official")
    versions = {"the twin": core.find(path, "in_torch").unchecked}
    if name in official:
        versions["the library"] = official[name]
    for label, version in versions.items():
        inputs = tensors(args, device, grad=True)
        for constant in held:
            if inputs.get(constant) is not None:
                inputs[constant] = inputs[constant].detach()
        y = version(*core.positional(f, inputs))
        wanted = core.as_tuple(grad_output)
        torch.autograd.backward(
            core.as_tuple(y), tuple(torch.as_tensor(np.asarray(g)).to(device) for g in wanted)
        )
        for k, grad in zip(names, mine, strict=True):
            if args[k].dtype.kind != "f" or k in held:
                assert grad is None, f"{path}_backward: the gradient for {k} must be None"
                continue
            theirs = inputs[k].grad
            theirs = torch.zeros_like(inputs[k]) if theirs is None else theirs
            assert grad.dtype == args[k].dtype, f"{path}_backward: grad_{k} is {grad.dtype}"
            difference = core.max_difference(grad, arrays(theirs))
            assert difference < 5 * core.tolerance(dtype), f"{path}_backward: grad_{k} against {label}"


@pytest.mark.parametrize("path", DIFFERENTIABLE)
@each_case
def test_backward_is_the_central_difference(path, case):
    args = case.cast("float64")
    f, backward = core.find(path, "in_numpy"), core.find(path + "_backward", "in_numpy")
    grad_output = core.grad_outputs(f(**args))
    ordered = inspect.signature(f).bind(**args).arguments
    numerical = core.as_tuple(core.numerical_backward(f.unchecked, grad_output, **ordered))
    mine = core.as_tuple(backward(grad_output, **args))
    name, constants = declared(path, "in_numpy", "constants")
    kinks = getattr(core.load(path.split(".")[0], "in_numpy"), "kinks", {})
    for k, n, m in zip(
        [k for k, v in args.items() if isinstance(v, np.ndarray)], numerical, mine, strict=True
    ):
        if m is None or n is None or k in constants.get(name, ()):
            continue
        smooth = np.ones(n.shape, bool)
        if (
            name in kinks and k == "x"
        ):  # at a kink the two one-sided slopes differ; torch's choice is checked above
            smooth = ~np.isin(args["x"], kinks[name])
        assert core.max_difference(m[smooth], n[smooth]) < 1e-6, f"{path}_backward: grad_{k} by differences"


@pytest.mark.parametrize("path", FORWARD)
def test_gradients_hide_nothing(path):
    """Parameters that are zero or one by convention get random values, since zeros hide a wrong backward."""
    for case in core.cases(path):
        for name in ("weight", "bias"):
            value = case.args.get(name)
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size > 1:
                assert len(np.unique(value)) > 1, f"{path}, case {case.note!r}: {name} is constant"
