"""Plant known bugs, one at a time, and see whether the tests notice.

    python tools/seeded_faults.py               all of them
    python tools/seeded_faults.py momentum      those whose description holds the word

Each fault is one replacement in a copy of one concept, reference or twin. Only the parity tests of the
function behind it run. A fault that they let pass is a hole in the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARITY = "test_parity.py"


@dataclass(frozen=True)
class Fault:
    """`old` becomes `new` in one file of a concept, where it stands first after `after`."""

    what: str
    file: str  # concept/role
    old: str
    new: str
    tests: str  # what pytest's -k selects
    after: str = ""

    @property
    def concept(self) -> str:
        return self.file.partition("/")[0]

    def plant(self, source: str) -> str:
        start = source.find(self.after)
        at = source.find(self.old, start)
        if start < 0 or at < 0:
            missing = self.after if start < 0 else self.old
            raise LookupError(f"{self.what}: nnlib/{self.file}.py no longer holds {missing!r}")
        return source[:at] + self.new + source[at + len(self.old) :]


FAULTS = [
    Fault(
        "the running variance is biased",
        "normalization/in_numpy",
        "x.var(axis=axes, ddof=1)",
        "x.var(axis=axes)",
        "normalization.batch_norm_running",
    ),
    Fault(
        "momentum weighs the old instead of the new",
        "normalization/in_numpy",
        "(1 - momentum) * running_mean + momentum * mean",
        "momentum * running_mean + (1 - momentum) * mean",
        "normalization.batch_norm_running",
        after="mean, var = x.mean(axis=axes)",
    ),
    Fault(
        "the mean sends nothing back",
        "normalization/in_numpy",
        "return rstd * (g - mean_g - x_hat * mean_gx)",
        "return rstd * (g - x_hat * mean_gx)",
        "normalization.batch_norm-",
    ),
    Fault(
        "the variance sends nothing back",
        "normalization/in_numpy",
        "return rstd * (g - mean_g - x_hat * mean_gx)",
        "return rstd * (g - mean_g)",
        "normalization.group_norm-",
    ),
    Fault(
        "eps is added outside of the root",
        "normalization/in_numpy",
        "1 / np.sqrt((centered * centered).mean(axis=axes, keepdims=True) + eps)",
        "1 / (np.sqrt((centered * centered).mean(axis=axes, keepdims=True)) + eps)",
        "normalization.layer_norm-",
    ),
    Fault(
        "weight is forgotten in grad_x",
        "normalization/in_numpy",
        "grad_x_hat = grad_output if weight is None else weight.reshape(shape) * grad_output",
        "grad_x_hat = grad_output",
        "normalization.instance_norm-",
    ),
    Fault(
        "a sum of squares instead of their mean",
        "normalization/in_numpy",
        "1 / np.sqrt((x * x).mean(",
        "1 / np.sqrt((x * x).sum(",
        "normalization.rms_norm-",
    ),
    Fault(
        "the wrong sign across the direction",
        "normalization/in_numpy",
        "(grad_output - grad_g * u)",
        "(grad_output + grad_g * u)",
        "normalization.weight_norm-",
        after="u = v / norm",
    ),
    Fault(
        "the twin divides by n - 1",
        "normalization/in_torch",
        "correction=0, keepdim=True",
        "correction=1, keepdim=True",
        "normalization.layer_norm-",
        after="def layer_norm",
    ),
    Fault(
        "the twin averages over all groups together",
        "normalization/in_torch",
        "range(2, groups.dim())",
        "range(1, groups.dim())",
        "normalization.group_norm-",
    ),
    Fault(
        "a transpose is missing",
        "linear/in_numpy",
        "grad_output @ weight, rows.T @ inputs",
        "grad_output @ weight, inputs.T @ rows",
        "linear.linear-",
    ),
    Fault(
        "a mean instead of a sum over the rows",
        "linear/in_numpy",
        "rows.sum(axis=0)",
        "rows.mean(axis=0)",
        "linear.linear-",
    ),
    Fault(
        "the twin multiplies along the wrong axis",
        "linear/in_torch",
        '"...d,od->...o"',
        '"...d,od->...d"',
        "linear.linear-",
    ),
    Fault(
        "softmax without the shift by its maximum",
        "losses/in_numpy",
        "x = x - x.max(axis=1, keepdims=True)",
        "x = x - 0",
        "losses.cross_entropy-",
    ),
    Fault(
        "ignored rows count",
        "losses/in_numpy",
        "(one_hot & ~ignored)",
        "one_hot",
        "losses.cross_entropy-",
    ),
    Fault(
        "smoothing gives every class the whole share",
        "losses/in_numpy",
        "(label_smoothing / x.shape[1])",
        "label_smoothing",
        "losses.cross_entropy-",
    ),
    Fault(
        "the twin sums where it should average",
        "losses/in_torch",
        'losses.sum() if reduction == "sum" else losses.sum() / count',
        "losses.sum()",
        "losses.mse_loss-",
    ),
    Fault(
        "the factor 2 of the square is lost",
        "losses/in_numpy",
        "_weigh(2 * (x - target), weight)",
        "_weigh(x - target, weight)",
        "losses.mse_loss-",
    ),
    Fault(
        "dampening is ignored",
        "optimizers/in_numpy",
        "momentum * momentum_buffer + (1 - dampening) * g",
        "momentum * momentum_buffer + g",
        "optimizers.sgd-",
        after="g.copy()",
    ),
    Fault(
        "Nesterov looks nowhere ahead",
        "optimizers/in_numpy",
        "g + momentum * momentum_buffer if nesterov else momentum_buffer",
        "momentum_buffer",
        "optimizers.sgd-",
        after="step = ",
    ),
    Fault(
        "weight decay pushes away from zero",
        "optimizers/in_torch",
        "alpha=weight_decay",
        "alpha=-weight_decay",
        "optimizers.sgd-",
        after="def sgd(",
    ),
    Fault(
        "exp of a large number",
        "activations/in_numpy",
        "z = np.exp(-np.abs(x))",
        "z = np.exp(-x)",
        "activations.sigmoid-",
    ),
    Fault(
        "the slope of tanh from its output, not squared",
        "activations/in_numpy",
        "(1 - y * y)",
        "(1 - y)",
        "activations.tanh-",
        after="def tanh_backward(",
    ),
    Fault(
        "another one-sided slope at the kink",
        "activations/in_numpy",
        "np.where(x > 0, grad_output, 0)",
        "np.where(x >= 0, grad_output, 0)",
        "activations.relu-",
    ),
    Fault(
        "a sum of exactly 0 stays silent",
        "neuron/in_numpy",
        "return (x >= 0)",
        "return (x > 0)",
        "neuron.step-",
    ),
    Fault(
        "Adaline climbs",
        "neuron/in_numpy",
        "weight + lr * x.T @ error / len(x)",
        "weight - lr * x.T @ error / len(x)",
        "neuron.adaline_update-",
        after="error = target - (x @ weight + bias)\n    return",
    ),
    Fault(
        "only half of a matrix that is not symmetric",
        "descent/in_numpy",
        "(hessian + hessian.T)",
        "(hessian + hessian)",
        "descent.quadratic-",
        after="weighted =",
    ),
]


# ------------------------------------------------------------------------------------------ planting


def needed(concept: str) -> set[str]:
    """The concept and those whose functions it uses."""
    found, new = set(), {concept, "linear"}  # where there is no gradient to check, the parity tests complain
    while new:
        found |= new
        sources = (p.read_text(encoding="utf-8") for c in new for p in (ROOT / "nnlib" / c).glob("in_*.py"))
        new = {m for source in sources for m in re.findall(r"nnlib\.(\w+)\.in_", source)} - found
    return found


def copy(concepts: Iterable[str], folder: Path) -> None:
    """A package with these concepts alone, so that little is collected, and its parity tests."""
    package = folder / "nnlib"
    package.mkdir()
    for name in ("__init__.py", "core.py"):
        shutil.copy(ROOT / "nnlib" / name, package)
    for concept in concepts:
        (package / concept).mkdir()
        for role in ("__init__", "in_numpy", "in_torch", "cases"):
            shutil.copy(ROOT / "nnlib" / concept / f"{role}.py", package / concept)
    shutil.copy(ROOT / "tests" / PARITY, folder)
    shutil.copy(ROOT / "pyproject.toml", folder)


def run(tests: str, folder: Path) -> tuple[int, str]:
    """pytest's exit status on the selected tests of the copy, and the end of what it printed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["--tb=line", "-k", tests, PARITY]
    env = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}  # plugins take longer than the tests
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    return done.returncode, (done.stdout + done.stderr)[-2000:]


def caught(fault: Fault) -> str:
    """The test that notices the fault; nothing where none does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(needed(fault.concept), folder)
        target = folder / "nnlib" / f"{fault.file}.py"
        target.write_text(fault.plant(target.read_text(encoding="utf-8")), encoding="utf-8")
        status, output = run(fault.tests, folder)
    if status not in (0, 1):  # 0: all passed, 1: a test failed
        raise RuntimeError(f"{fault.what}: the tests did not run:\n{output}")
    failed = re.search(r"^FAILED \S+::(.*?)( - |$)", output, re.M)
    return failed[1] if status and failed else ""


def sound() -> str:
    """The same tests on copies without a fault: what fails there, which must be nothing."""
    with tempfile.TemporaryDirectory() as name:
        copy(set.union(*(needed(fault.concept) for fault in FAULTS)), Path(name))
        status, output = run(" or ".join(dict.fromkeys(fault.tests for fault in FAULTS)), Path(name))
    return "" if status == 0 else output


def main(words: list[str]) -> int:
    chosen = [fault for fault in FAULTS if all(word in fault.what for word in words)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(caught, chosen))
    for fault, test in zip(chosen, results):
        print(f"{'caught' if test else 'MISSED'}  {fault.what} ({fault.file})\n        {test}")
    print(f"{sum(map(bool, results))} of {len(chosen)} caught")
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
