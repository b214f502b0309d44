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
        "np.where(x <= 0, 0, grad_output)",
        "np.where(x < 0, 0, grad_output)",
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
    Fault(
        "the gate's path is left out of grad_x",
        "gradient_flow/in_numpy",
        "grad_x = grad_output * (1 - t) + grad_z @ weight + grad_gate @ weight_gate",
        "grad_x = grad_output * (1 - t) + grad_z @ weight",
        "gradient_flow.highway-",
        after="grad_z = grad_output * t * (1 - h * h)",
    ),
    Fault(
        "clipping stretches short gradients",
        "gradient_flow/in_numpy",
        "np.minimum(max_norm / (total_norm + grads.dtype.type(1e-6)), 1).astype(grads.dtype)",
        "(max_norm / (total_norm + grads.dtype.type(1e-6))).astype(grads.dtype)",
        "gradient_flow.clip_grad_norm",
    ),
    Fault(
        "the ReLU behind the sum closes neither path",
        "gradient_flow/in_numpy",
        "grad_sum = grad_output * (residual_mlp.unchecked(*args) > 0)",
        "grad_sum = grad_output",
        "gradient_flow.residual_block-",
    ),
    Fault(
        "only the last use of a weight in time counts",
        "gradient_flow/in_numpy",
        "grad_w += grad_s * p",
        "grad_w = grad_w if grad_w.any() else grad_s * p",
        "gradient_flow.cliff-",
    ),
    Fault(
        "the twin forgets the 1e-6",
        "gradient_flow/in_torch",
        "(max_norm / (total_norm + 1e-6)).clamp(max=1)",
        "(max_norm / total_norm).clamp(max=1)",
        "gradient_flow.clip_grad_norm",
    ),
    Fault(
        "Xavier takes the deviation for the bound",
        "initialization/in_numpy",
        "return _spread(u, math.sqrt(3) * gain * _xavier_std(u))",
        "return _spread(u, gain * _xavier_std(u))",
        "initialization.xavier_uniform",
    ),
    Fault(
        "fan_out forgets the positions of the kernel",
        "initialization/in_numpy",
        "outputs * math.prod(kernel)",
        "outputs",
        "initialization.kaiming_normal",
    ),
    Fault(
        "the signs of the rotation follow the routine",
        "initialization/in_numpy",
        "q = q * np.sign(np.diag(r))",
        "q = q * np.sign(np.diag(r)) ** 2",
        "initialization.orthogonal",
    ),
    Fault(
        "dropout divides by p, the share that is dropped",
        "dropout/in_numpy",
        "kept / (1 - p) if p < 1",
        "kept / p if p > 0",
        "dropout.dropout",
        after="def _factor",
    ),
    Fault(
        "dropout scales once more in use",
        "dropout/in_numpy",
        "if training else x.copy()",
        "if training else x * (1 - p)",
        "dropout.dropout",
        after="def _drop",
    ),
    Fault(
        "alpha dropout divides by the root of the mean square",
        "dropout/in_numpy",
        "((1 - p) * (1 + SELU_FLOOR**2 * p)) ** -0.5",
        "(1 - p + SELU_FLOOR**2 * p) ** -0.5",
        "dropout.alpha_dropout",
        after="def _alpha_factors",
    ),
    Fault(
        "the twin of dropconnect keeps the other weights",
        "dropout/in_torch",
        "x * keep / (1 - p)",
        "x * ~keep / (1 - p)",
        "dropout.dropconnect",
        after="def _drop",
    ),
    Fault(
        "soft thresholding lets values jump over zero",
        "regularization/in_numpy",
        "return np.sign(x) * np.maximum(np.abs(x) - lambd, 0)",
        "return np.sign(x) * (np.abs(x) - lambd)",
        "regularization.softshrink",
    ),
    Fault(
        "mixup sends its gradient along the permutation instead of back",
        "regularization/in_numpy",
        "(1 - lam) * grad_output[inverse]",
        "(1 - lam) * grad_output[permutation]",
        "regularization.mixup",
    ),
    Fault(
        "patience lasts one epoch too long",
        "regularization/in_numpy",
        "np.bool_(num_bad_epochs >= patience)",
        "np.bool_(num_bad_epochs > patience)",
        "regularization.early_stopping",
    ),
    Fault(
        "bilinear reading forgets that pixel centers lie half a pixel inside",
        "regularization/in_torch",
        "((grid[..., 0] + 1) * width - 1) / 2",
        "((grid[..., 0] + 1) * width) / 2",
        "regularization.grid_sample",
    ),
    Fault(
        "a convolution's weight gradient is a mean over the batch",
        "convolution/in_numpy",
        "grad_weight = (g @ flat.mT).sum(axis=0)",
        "grad_weight = (g @ flat.mT).mean(axis=0)",
        "convolution.conv2d",
    ),
    Fault(
        "folding overwrites where windows overlap",
        "convolution/in_numpy",
        ": stride[1]] += columns[:, :, i, j]",
        ": stride[1]] = columns[:, :, i, j]",
        "convolution.conv2d",
    ),
    Fault(
        "max pooling's gradient goes to the last of equals",
        "convolution/in_numpy",
        "first = columns.argmax(axis=2)[:, :, None]",
        "first = K - 1 - columns[:, :, ::-1].argmax(axis=2)[:, :, None]",
        "convolution.max_pool2d",
    ),
    Fault(
        "the odd pixel of same padding stands in front",
        "convolution/in_numpy",
        "(e // 2, e - e // 2) for e in extra",
        "(e - e // 2, e // 2) for e in extra",
        "convolution.conv2d",
    ),
    Fault(
        "the LSTM's cell keeps all: no forget gate on the way back",
        "recurrent/in_numpy",
        "grad_x, grad_hx, grad_c * f, grad_ih",
        "grad_x, grad_hx, grad_c, grad_ih",
        "recurrent.lstm_cell",
    ),
    Fault(
        "the GRU's reset gate has no say in what goes back to the state",
        "recurrent/in_numpy",
        "[grad_r, grad_z, r * grad_n]",
        "[grad_r, grad_z, grad_n]",
        "recurrent.gru_cell",
    ),
    Fault(
        "the gradient stops where a sequence has ended",
        "recurrent/in_numpy",
        "np.where(running[t], g, kept)",
        "np.where(running[t], g, 0)",
        "recurrent.gru",
    ),
    Fault(
        "the weights' gradient is that of the first step alone",
        "recurrent/in_numpy",
        "[total + g for total, g in zip(grad_params, here)]",
        "[g for total, g in zip(grad_params, here)]",
        "recurrent.rnn",
    ),
    Fault(
        "the twin's update gate weighs the new instead of the old",
        "recurrent/in_torch",
        "n.lerp(hx, (a_z + b_z).sigmoid())",
        "hx.lerp(n, (a_z + b_z).sigmoid())",
        "recurrent.gru_cell",
    ),
    Fault(
        "the noise is scaled by the variance, not by the standard deviation",
        "autoencoder/in_numpy",
        "mu + np.exp(logvar / 2) * noise",
        "mu + np.exp(logvar) * noise",
        "autoencoder.reparameterize",
    ),
    Fault(
        "the price of a code pulls its variance to 0 instead of 1",
        "autoencoder/in_numpy",
        "g * np.expm1(logvar) / 2",
        "g * np.exp(logvar) / 2",
        "autoencoder.kl_standard_normal",
        after="def kl_standard_normal_backward",
    ),
    Fault(
        "a linear VAE forgets that the width of its codes costs error",
        "autoencoder/in_numpy",
        "- total * precision * weight * sigma2",
        "",
        "autoencoder.linear_vae_elbo",
        after="def linear_vae_elbo_backward",
    ),
    Fault(
        "ties in a ROC curve count as wins",
        "autoencoder/in_numpy",
        "np.cumsum(counts) - (counts - 1) / 2",
        "np.cumsum(counts)",
        "autoencoder.roc_auc",
    ),
    Fault(
        "the generated samples are smoothed too",
        "gan/in_numpy",
        "grad_output * sigmoid.unchecked(fake) / fake.size",
        "grad_output * (sigmoid.unchecked(fake) - (1 - real_label)) / fake.size",
        "gan.minimax_discriminator-",
    ),
    Fault(
        "the slopes of a slope are constants",
        "gan/in_numpy",
        "grad_z = -2 * h * slope * weight2 * g",
        "grad_z = 0 * h * slope * weight2 * g",
        "gan.input_gradient-",
    ),
    Fault(
        "the penalty's norm is squared",
        "gan/in_torch",
        "torch.linalg.vector_norm(grad, dim=1) - target",
        "grad.square().sum(1) - target",
        "gan.gradient_penalty-",
    ),
    Fault(
        "the zero point of the weights meets the row sums of the weights",
        "quantization/in_numpy",
        "q_x.sum(axis=1, keepdims=True, dtype=np.int32) * z_w",
        "q_weight.sum(axis=1, dtype=np.int32) * z_w",
        "quantization.quantized_linear",
    ),
    Fault(
        "what was cut off gets a gradient",
        "quantization/in_numpy",
        "grad_output * ((quant_min <= q) & (q <= quant_max)), None",
        "grad_output * (q == q), None",
        "quantization.fake_quantize",
    ),
    Fault(
        "subnormal numbers are flushed to steps of the wrong size",
        "quantization/in_numpy",
        "np.maximum(exponent - 1, lowest) - fraction)",
        "(exponent - 1) - fraction)",
        "quantization.round_to_float",
    ),
    Fault(
        "the twin's levels of NF4 let seven stand above zero",
        "quantization/in_torch",
        "torch.cat([-quantiles(7).flip(0), wide.new_zeros(1), quantiles(8)])",
        "torch.cat([-quantiles(8).flip(0), wide.new_zeros(1), quantiles(7)])",
        "quantization.nf4_levels",
    ),
    Fault(
        "the gradient of lora_A lacks the scaling",
        "lora/in_numpy",
        "h, grad_h = rows @ lora_A.T, s * (g @ lora_B)",
        "h, grad_h = rows @ lora_A.T, g @ lora_B",
        "lora.lora_linear",
    ),
    Fault(
        "x hears nothing from the detour",
        "lora/in_numpy",
        "grad_x = grad_output @ weight + (grad_h @ lora_A).reshape(x.shape)",
        "grad_x = grad_output @ weight",
        "lora.lora_linear",
    ),
    Fault(
        "DoRA forgets that its norm depends on the adapter",
        "lora/in_numpy",
        "across = G if norm is not None else G - v * along * r",
        "across = G",
        "lora.dora_linear",
    ),
    Fault(
        "-1 picks the last adapter instead of none",
        "lora/in_torch",
        "F.pad(stack, (0, 0, 0, 0, 0, 1))[adapter.long()]",
        "stack[adapter.long()]",
        "lora.mixed_lora_linear",
    ),
    Fault(
        "what the weights of a row share is forgotten",
        "attention/in_numpy",
        "grad_scores = w * (grad_output - (grad_output * w).sum(axis=-1, keepdims=True))",
        "grad_scores = w * grad_output",
        "attention.attention_weights-",
    ),
    Fault(
        "the sum of earlier blocks does not shrink",
        "attention/in_numpy",
        "total = total * shrink + p.sum(axis=-1, keepdims=True)",
        "total = total + p.sum(axis=-1, keepdims=True)",
        "attention.blockwise_attention-",
    ),
    Fault(
        "the cache's mask counts from the upper left",
        "attention/in_numpy",
        "np.tri(new, seen, seen - new, dtype=bool)",
        "np.tri(new, seen, dtype=bool)",
        "attention.cached_attention-",
    ),
    Fault(
        "rotary positions pair neighbors",
        "attention/in_torch",
        "torch.complex(*x.chunk(2, dim=-1))",
        "torch.complex(x[..., 0::2].contiguous(), x[..., 1::2].contiguous())",
        "attention.rotary_embedding-",
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
