"""The PyTorch training loops: one `fit` for the CPU, a GPU, and several processes under torchrun.

`fit_adversarial` trains a generator and a discriminator against each other, with the same data, devices,
mixed precision, progress and checkpoints, in one process.

    python -m nnlib.training --epochs 20
    torchrun --nproc_per_node=2 -m nnlib.training --epochs 20

Both commands train the same small network on the digits. They give the same loss curve, since `batch_size`
counts the samples of one step over all processes.
"""

import argparse
import contextlib
import functools
import json
import math
import operator
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.serialization import get_unsafe_globals_in_checkpoint
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset, TensorDataset
from tqdm.auto import tqdm

Data = tuple | Dataset | DataLoader
CHECK_EVERY = 50  # steps between looks at the loss: a look makes a GPU wait, so not at every step


class History(dict):
    """One list per quantity, one number per epoch: "lr", "loss", "validation_loss" and the metrics."""

    def append(self, **values: float) -> None:
        for name, value in values.items():
            self.setdefault(name, []).append(float(value))

    @property
    def epochs(self) -> int:
        return len(next(iter(self.values()), ()))

    @property
    def last(self) -> dict[str, float]:
        return {name: values[-1] for name, values in self.items()}


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """Share of samples whose largest output is at the target: `metrics={"accuracy": accuracy}`."""
    return (output.argmax(1) == target).float().mean()


# ----------------------------------------------------------------------------------------- where it runs


def devices() -> list[str]:
    """Kinds of device present here, fastest first; the last is always "cpu"."""
    present = {"cuda": torch.cuda.is_available(), "mps": _has_mps(), "cpu": True}
    return [kind for kind, is_present in present.items() if is_present]


@functools.cache
def _has_mps() -> bool:
    """Virtual machines on Apple's hardware announce a GPU on which nothing can be allocated."""
    if not torch.backends.mps.is_available():
        return False
    try:
        torch.zeros(1, device="mps")
    except RuntimeError:
        return False
    return True


def choose_device(name: str | torch.device | None = None, dtype: torch.dtype | None = None) -> torch.device:
    """The named device, or else the fastest one here; under torchrun each process has a GPU of its own.

    With `dtype`, only devices that have it: Apple's GPU, "mps", has no float64.
    """
    able = [kind for kind in devices() if (kind, dtype) != ("mps", torch.float64)]
    if name is None:
        name = "cpu" if dist.is_torchelastic_launched() and "cuda" not in able else able[0]
    kind, _, index = str(name).partition(":")
    if kind not in able or not (index or "0").isdecimal():
        what = "has no float64" if kind in devices() and kind not in able else "is not available"
        raise ValueError(f"device {str(name)!r} {what}; expected one of {', '.join(able)}")
    if kind != "cuda":
        return torch.device(kind)
    place = torch.device(kind, int(index or os.environ.get("LOCAL_RANK", torch.cuda.current_device())))
    if place.index >= torch.cuda.device_count():
        raise ValueError(f"device {place} is not available; GPUs here: {torch.cuda.device_count()}")
    return place


@contextlib.contextmanager
def processes() -> Iterator[None]:
    """Join the processes that torchrun started (gloo on CPU, NCCL on GPU); without torchrun, do nothing."""
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        yield
        return
    dist.init_process_group()
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """Number of this process; 0 is the one that prints and writes files."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


# ------------------------------------------------------------------------------------------- checkpoints


def save_checkpoint(path: str | os.PathLike, state: Mapping) -> None:
    """Write `state` so that `path` holds, at every moment, either the old checkpoint or the whole new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")  # same folder: only then is os.replace atomic
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        if unsafe := get_unsafe_globals_in_checkpoint(temporary):
            raise TypeError(f"{path}: {', '.join(unsafe)} found; expected tensors and plain Python values")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: str | os.PathLike) -> dict:
    """Read what `save_checkpoint` wrote, onto the CPU, without running any code from the file."""
    try:
        # torch.load ignores the checksums: it would hand over a weight with a flipped bit.
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"wrong checksum in {damaged}")
        if unsafe := get_unsafe_globals_in_checkpoint(path):
            raise TypeError(f"it names {', '.join(unsafe)}; expected tensors and plain Python values")
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise RuntimeError(
            f"{path} is not a readable checkpoint ({error}). It was left as it is: restore it from a copy, "
            f"or start again with resume=False or another path."
        ) from error


@dataclass
class _Checkpoint:
    """The file of one run: `parts` are whatever has a state_dict."""

    path: Path
    parts: Mapping[str, Any]
    settings: Mapping[str, Any]  # a run with other settings would not go on as if never interrupted

    def save(self, history: History) -> None:
        states = {name: part.state_dict() for name, part in self.parts.items()}
        save_checkpoint(self.path, {"history": dict(history), "settings": self.settings, **states})

    def restore(self, epochs: int) -> History:
        saved = load_checkpoint(self.path)
        found = sorted(saved) if isinstance(saved, dict) else type(saved).__name__
        if found != (expected := sorted({"history", "settings", *self.parts})):
            raise ValueError(f"{self.path} holds {found}; expected {expected}")
        if saved["settings"] != self.settings:
            raise ValueError(
                f"{self.path} was written with {saved['settings']}; this run has {self.settings}"
            )
        history = History(saved["history"])
        if history.epochs > epochs:
            raise ValueError(f"{self.path} holds {history.epochs} epochs; epochs={epochs} asks for fewer")
        for name, part in self.parts.items():
            try:
                part.load_state_dict(saved[name])
            except Exception as error:
                raise ValueError(f"{self.path} does not fit this {name}: {error}") from error
        return history


# -------------------------------------------------------------------------------------------------- data


def _dataset(name: str, data: Data, batch_size: int | None, move: Callable) -> Dataset | DataLoader:
    """`data`, checked; a pair becomes a dataset that lies on the device."""
    if isinstance(data, (tuple, list)) and len(data) == 2:
        x, y = (part if isinstance(part, Tensor) else torch.tensor(np.asarray(part)) for part in data)
        if len(x) != len(y):
            raise ValueError(f"{name}: x has {len(x)} samples and y has {len(y)}; expected the same number")
        data = TensorDataset(move(x), move(y))
    if not isinstance(data, (Dataset, DataLoader)) or isinstance(data, IterableDataset):
        kind = type(data).__name__
        raise TypeError(
            f"{name} is a {kind}; expected a pair (x, y), a Dataset with a length or a DataLoader"
        )
    if len(data) == 0:
        raise ValueError(f"{name} is empty; expected at least one sample")
    if isinstance(data, DataLoader):
        if world_size() > 1 and not isinstance(data.sampler, DistributedSampler):
            raise ValueError(f"{name} has no DistributedSampler; add one, or give its Dataset")
        return data
    _check_count("batch_size", batch_size)
    last = (len(data) - 1) % batch_size + 1
    if last < world_size():
        raise ValueError(
            f"{name}: the last batch has {last} samples for {world_size()} processes; expected more"
        )
    return data


def _batches(data: Dataset | DataLoader, batch_size: int | None, shuffle: int | None = None) -> Iterable:
    """This process's part of every batch, in an order that the seed `shuffle` decides.

    All processes draw the same order, so a batch is the same set of samples for any number of them.
    """
    if isinstance(data, DataLoader):
        if shuffle is not None and isinstance(data.sampler, DistributedSampler):
            data.sampler.set_epoch(shuffle)
        if shuffle is not None and data.generator is not None:
            data.generator.manual_seed(shuffle)
        return data
    order = torch.arange(len(data))
    if shuffle is not None:
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(shuffle))
    parts = [batch[rank() :: world_size()] for batch in order.split(batch_size)]
    if isinstance(data, TensorDataset):
        return (data[part] for part in parts)
    return DataLoader(data, batch_sampler=[part.tolist() for part in parts])


def _mix(*numbers: int) -> int:
    """A seed that depends on every number. Seeded afresh in each epoch, no generator needs to be saved."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


# ------------------------------------------------------------------------------------------------ checks


def _check_count(name: str, value: Any, least: int = 1) -> int:
    """The value as a plain int: torch and a checkpoint take none of NumPy's."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected an int >= {least}")
    if value < least:
        raise ValueError(f"{name} is {value}; expected an int >= {least}")
    return operator.index(value)


def _batch_size(train: Data, batch_size: int | None) -> int | None:
    """The batch size, which a DataLoader brings along."""
    if not isinstance(train, DataLoader):
        return _check_count("batch_size", batch_size)
    if batch_size is not None:
        raise ValueError(f"train is a DataLoader with its own batch size; got batch_size={batch_size} too")
    return train.batch_size


def _check_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, name: str = "model") -> None:
    trained = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    if trained.isdisjoint(id(weight) for weight in model.parameters()):
        this = "this model" if name == "model" else f"the {name}"
        raise ValueError(f"optimizer holds no parameter of {this}; make it from {name}.parameters()")


def _check_labels(output: Tensor, y: Tensor, ignore_index: int) -> None:
    """Name a label for which there is no output, before a GPU aborts on it."""
    classes = output.shape[1] if output.ndim > 1 else 1
    if classes == 1 or y.dtype != torch.long or y.shape != output.shape[:1] + output.shape[2:]:
        return  # not class labels of the outputs along dim 1, as F.cross_entropy takes them
    wrong = y[((y < 0) | (y >= classes)) & (y != ignore_index)]
    if len(wrong):
        raise ValueError(
            f"y has the label {int(wrong[0])}; expected 0 to {classes - 1} for {classes} outputs"
        )


def _precision(amp: bool | torch.dtype, place: torch.device) -> torch.dtype | None:
    """The dtype of mixed precision, or None."""
    if amp is False:
        return None
    if amp is True:
        emulated = place.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.float16 if emulated else torch.bfloat16
    if amp not in (torch.bfloat16, torch.float16):
        raise ValueError(f"amp is {amp!r}; expected True, False, torch.bfloat16 or torch.float16")
    return amp


# ---------------------------------------------------------------------------------------------- the loop


@dataclass
class _Loop:
    """What every step needs."""

    model: nn.Module  # inside DistributedDataParallel when there are several processes
    loss: Callable
    metrics: Mapping[str, Callable]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler  # does nothing unless mixed precision is float16
    place: torch.device
    dtype: torch.dtype
    precision: torch.dtype | None
    clip_grad_norm: float | None

    def move(self, data: Tensor) -> Tensor:
        if data.is_floating_point():
            data = data.to(self.dtype)
        elif data.dtype != torch.bool:
            data = data.long()
        return data.to(self.place, non_blocking=self.place.type == "cuda")

    def learn(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        if self.clip_grad_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def run(self, batches: Iterable, where: str, train: bool, check_labels: bool) -> dict[str, float]:
        """One pass over the data: means over all samples of all processes."""
        self.model.train(train)
        rows = []
        for x, y in batches:
            x, y = self.move(x), self.move(y)
            with torch.set_grad_enabled(train):
                with torch.autocast(self.place.type, self.precision, enabled=self.precision is not None):
                    output = self.model(x)
                    if check_labels:
                        _check_labels(output, y, getattr(self.loss, "ignore_index", -100))
                    loss = self.loss(output, y)
                if loss.ndim:
                    raise ValueError(f"loss has shape {tuple(loss.shape)}; expected (), the batch's mean")
                row = self.measure(output.detach(), y, loss.detach())
                if train:
                    # Gradients are averaged over processes; so weighted, the average is the batch's.
                    self.learn(loss * (len(y) * world_size() / row[0]) if world_size() > 1 else loss)
            rows.append(row)
            if len(rows) % CHECK_EVERY == 0:
                _check_finite(rows, where)
        _check_finite(rows, where)
        samples, *sums = torch.stack(rows).cpu().double().sum(0).tolist()
        return {name: total / samples for name, total in zip(("loss", *self.metrics), sums, strict=True)}

    def measure(self, output: Tensor, y: Tensor, loss: Tensor) -> Tensor:
        """Number of samples and sums of the loss and the metrics, over the whole batch."""
        means = [torch.ones_like(loss), loss, *(metric(output, y) for metric in self.metrics.values())]
        dtype = torch.promote_types(self.dtype, torch.float32)  # bfloat16 cannot count to 257
        row = torch.stack([torch.as_tensor(mean, dtype=dtype, device=self.place) for mean in means]) * len(y)
        if world_size() > 1:
            dist.all_reduce(row)
        return row


def _check_finite(rows: list[Tensor], where: str) -> None:
    first = (len(rows) - 1) // CHECK_EVERY * CHECK_EVERY
    for step, loss in enumerate(torch.stack(rows[first:])[:, 1].tolist(), first + 1):
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"{where}, step {step}: loss is {loss}; try a smaller lr or clip_grad_norm"
            )


def fit(
    model: nn.Module,
    train: Data,
    validation: Data | None = None,
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    batch_size: int | None = None,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    metrics: Mapping[str, Callable[[Tensor, Tensor], Tensor | float]] | None = None,
    clip_grad_norm: float | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    amp: bool | torch.dtype = False,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = True,
    progress: bool | None = None,
) -> History:
    """Train `model` in place; it ends on the device, in eval mode.

    Parameters
    ----------
    train, validation : a pair (x, y) of arrays or tensors, a Dataset, or a DataLoader with its own batch size
        Floats are given the dtype of the model's parameters.
    loss : function (output, y) -> mean over the samples
    metrics : more such functions, by name: {"accuracy": accuracy}
        Training values are taken while the weights move and dropout is on, validation values after the epoch.
    batch_size : samples in one step, over all processes; batch normalization sees those of one process
    scheduler : stepped after each epoch
    clip_grad_norm : longer gradients are shortened to this norm
    seed : decides the order of the samples and the dropout masks; torch's own generator is left as it was
    device : the fastest one here unless named
    amp : True for mixed precision, bfloat16 where the hardware has it and else float16 with scaled gradients
    checkpoint : file that is replaced after each epoch
    resume : go on from the checkpoint that is there, as if never interrupted
    progress : True for a bar once a second has passed; None for one only in a terminal

    Returns
    -------
    history : History

    Raises
    ------
    FloatingPointError : the loss or a weight is no longer finite; `checkpoint` keeps the last good epoch
    """
    epochs, seed = _check_count("epochs", epochs), _check_count("seed", seed, least=0)
    if clip_grad_norm is not None and not clip_grad_norm > 0:
        raise ValueError(f"clip_grad_norm is {clip_grad_norm}; expected a number > 0, or None")
    if dist.is_torchelastic_launched() and not dist.is_initialized():
        raise RuntimeError("torchrun started this script; call fit inside `with processes():`")
    batch_size = _batch_size(train, batch_size)
    _check_optimizer(optimizer, model)
    weights = list(model.parameters())

    dtype = next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)
    place = choose_device(device, dtype)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    precision = _precision(amp, place)
    scaler = torch.amp.GradScaler(place.type, enabled=precision == torch.float16)
    loop = _Loop(model, loss, metrics or {}, optimizer, scaler, place, dtype, precision, clip_grad_norm)
    train = _dataset("train", train, batch_size, loop.move)
    if validation is not None:
        validation = _dataset("validation", validation, batch_size, loop.move)
    model.to(place)
    if isinstance(loss, nn.Module):
        loss.to(place)

    history, saved = History(), None
    if checkpoint is not None:
        parts = {"model": model, "optimizer": optimizer, "scaler": scaler, "scheduler": scheduler}
        parts = {name: part for name, part in parts.items() if part is not None}
        saved = _Checkpoint(Path(checkpoint), parts, {"seed": seed, "batch_size": batch_size})
        if resume and saved.path.exists():
            history = saved.restore(epochs)
    if world_size() > 1:
        loop.model = DistributedDataParallel(model, device_ids=[place] if place.type == "cuda" else None)

    first = history.epochs
    steps = len(train) if isinstance(train, DataLoader) else math.ceil(len(train) / batch_size)
    bar = _bar(steps * first, steps * epochs, progress)
    with _then_in_use(model), bar, _own_random_numbers(place):
        for epoch in range(first, epochs):
            where, new = f"epoch {epoch + 1}", epoch == first
            torch.manual_seed(_mix(seed, epoch, 1 + rank()))  # dropout: other masks in each process
            batches = _counted(_batches(train, batch_size, shuffle=_mix(seed, epoch, 0)), bar)
            lr = float(optimizer.param_groups[0]["lr"])  # now: the scheduler may change a tensor in place
            values = {"lr": lr, **loop.run(batches, where, train=True, check_labels=new)}
            if not all(weight.isfinite().all() for weight in weights):
                raise FloatingPointError(f"{where}, step {steps}: a weight is no longer finite")
            if validation is not None:
                batches, where = _batches(validation, batch_size), f"{where}, validation"
                means = loop.run(batches, where, train=False, check_labels=new)
                values |= {f"validation_{name}": mean for name, mean in means.items()}
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(values.get("validation_loss", values["loss"]))
            elif scheduler is not None:
                scheduler.step()
            history.append(**values)
            bar.set_postfix(epoch=history.epochs, loss=f"{values['loss']:.4f}", refresh=False)
            if saved is not None and rank() == 0:
                saved.save(history)
    return history


@contextlib.contextmanager
def _then_in_use(*models: nn.Module) -> Iterator[None]:
    """In eval mode afterwards, also where training was interrupted or failed."""
    try:
        yield
    finally:
        for model in models:
            model.eval()


def _own_random_numbers(place: torch.device) -> contextlib.AbstractContextManager:
    return torch.random.fork_rng(devices=[place] if place.type == "cuda" else [])


def _bar(first: int, last: int, progress: bool | None) -> tqdm:
    if progress is None:  # tqdm's own None shows a bar in notebooks as well
        progress = sys.stderr.isatty()
    return tqdm(total=last, initial=first, disable=rank() > 0 or not progress, leave=False, delay=1)


def _counted(batches: Iterable, bar: tqdm) -> Iterator:
    for batch in batches:
        yield batch
        bar.update()


# -------------------------------------------------------------------------------------------- two players


@dataclass
class _Duel:
    """What every step of two players needs; each has an optimizer and a scaler in a loop of its own."""

    generator: _Loop
    discriminator: _Loop
    latent: int
    conditional: bool
    penalty: Callable[..., Tensor] | None
    discriminator_steps: int

    def noise(self, samples: int) -> Tensor:
        """Drawn on the CPU, so that every device plays with the same."""
        return self.generator.move(torch.randn(samples, self.latent))

    def run(self, batches: Iterable, where: str) -> dict[str, float]:
        """One pass over the data: the mean losses of both."""
        self.generator.model.train()
        self.discriminator.model.train()
        rows: dict[str, list[Tensor]] = {"discriminator_loss": [], "generator_loss": []}
        for step, (x, y) in enumerate(batches, 1):
            real = self.discriminator.move(x)
            label = (self.discriminator.move(y),) if self.conditional else ()
            losses = {"discriminator_loss": self.teach_discriminator(real, label)}
            if step % self.discriminator_steps == 0:
                losses["generator_loss"] = self.teach_generator(len(real), label)
            for name, loss in losses.items():
                rows[name].append(torch.stack([torch.ones_like(loss), loss]).float() * len(real))
                if len(rows[name]) % CHECK_EVERY == 0:
                    _check_finite(rows[name], where)
        means = {}
        for name, parts in rows.items():
            _check_finite(parts, where)
            samples, total = torch.stack(parts).cpu().double().sum(0).tolist()
            means[name] = total / samples
        return means

    def teach_discriminator(self, real: Tensor, label: tuple[Tensor, ...]) -> Tensor:
        judge = self.discriminator
        with self.precision():
            with torch.no_grad():
                fake = self.generator.model(self.noise(len(real)), *label)
            loss = judge.loss(judge.model(real, *label), judge.model(fake, *label))
        if loss.ndim:
            raise ValueError(f"the discriminator's loss has shape {tuple(loss.shape)}; expected (), a mean")
        if self.penalty is not None:  # in full precision: it takes the slope of a slope
            loss = loss + self.penalty(judge.model, real, fake.to(real.dtype), *label)
        judge.learn(loss)
        return loss.detach()

    def teach_generator(self, samples: int, label: tuple[Tensor, ...]) -> Tensor:
        judge = self.discriminator.model
        with _frozen(judge):  # its own gradients would be thrown away
            with self.precision():
                loss = self.generator.loss(judge(self.generator.model(self.noise(samples), *label), *label))
            if loss.ndim:
                raise ValueError(f"the generator's loss has shape {tuple(loss.shape)}; expected (), a mean")
            self.generator.learn(loss)
        return loss.detach()

    def precision(self) -> torch.autocast:
        make = self.generator
        return torch.autocast(make.place.type, make.precision, enabled=make.precision is not None)


@contextlib.contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """No gradients for the weights of the model meanwhile; those through it are still computed."""
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    try:
        for weight in learning:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in learning:
            weight.requires_grad_(True)


def fit_adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    train: Data,
    *,
    losses: tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]],
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
    epochs: int,
    batch_size: int | None = None,
    latent: int,
    conditional: bool = False,
    penalty: Callable[..., Tensor] | None = None,
    discriminator_steps: int = 1,
    metrics: Mapping[str, Callable[[nn.Module], float]] | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    amp: bool | torch.dtype = False,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = True,
    progress: bool | None = None,
) -> History:
    """Train two models against each other, in place; they end on the device, in eval mode.

    For every batch the discriminator takes a step, and for every `discriminator_steps`-th the generator one.

    Parameters
    ----------
    train : as for `fit`, a pair (x, y) or what gives pairs; y is used only if `conditional`
    losses : the discriminator's, a function (real scores, fake scores) -> mean, and the generator's, a
        function (fake scores) -> mean
    optimizers : the generator's and the discriminator's
    latent : numbers of noise for each sample; the generator is called with noise (N, latent)
    conditional : call generator(noise, y) and discriminator(x, y)
    penalty : function (discriminator, real, fake, *y) -> mean, added to the discriminator's loss
    metrics : functions (generator in eval mode) -> number, taken after each epoch
    epochs, batch_size, seed, device, amp, checkpoint, resume, progress : as for `fit`

    Returns
    -------
    history : History     "discriminator_loss", "generator_loss" and the metrics

    Raises
    ------
    FloatingPointError : a loss or a weight is no longer finite; `checkpoint` keeps the last good epoch
    """
    epochs, latent = _check_count("epochs", epochs), _check_count("latent", latent)
    discriminator_steps = _check_count("discriminator_steps", discriminator_steps)
    seed = _check_count("seed", seed, least=0)
    if dist.is_torchelastic_launched():
        raise RuntimeError("torchrun started this script; fit_adversarial trains in a single process")
    batch_size = _batch_size(train, batch_size)
    models = {"generator": generator, "discriminator": discriminator}
    dtypes = {w.dtype for model in models.values() for w in model.parameters()}
    place = choose_device(device, torch.float64 if torch.float64 in dtypes else None)
    precision = _precision(amp, place)
    loops, parts = {}, {}
    for (name, model), optimizer, loss in zip(models.items(), optimizers, reversed(losses), strict=True):
        _check_optimizer(optimizer, model, name)
        scaler = torch.amp.GradScaler(place.type, enabled=precision == torch.float16)
        dtype = next((w.dtype for w in model.parameters() if w.is_floating_point()), torch.float32)
        loops[name] = _Loop(model.to(place), loss, {}, optimizer, scaler, place, dtype, precision, None)
        parts |= {name: model, f"{name}_optimizer": optimizer, f"{name}_scaler": scaler}
    train = _dataset("train", train, batch_size, loops["discriminator"].move)
    duel = _Duel(**loops, latent=latent, conditional=conditional, penalty=penalty,
                 discriminator_steps=discriminator_steps)  # fmt: skip

    steps = len(train) if isinstance(train, DataLoader) else math.ceil(len(train) / batch_size)
    if discriminator_steps > steps:
        raise ValueError(
            f"discriminator_steps is {discriminator_steps}; expected at most the {steps} of an epoch"
        )

    history, saved = History(), None
    if checkpoint is not None:
        settings = dict(
            seed=seed, batch_size=batch_size, latent=latent, discriminator_steps=discriminator_steps
        )
        saved = _Checkpoint(Path(checkpoint), parts, settings)
        if resume and saved.path.exists():
            history = saved.restore(epochs)
    first = history.epochs
    bar = _bar(steps * first, steps * epochs, progress)
    with _then_in_use(*models.values()), bar, _own_random_numbers(place):
        for epoch in range(first, epochs):
            where = f"epoch {epoch + 1}"
            torch.manual_seed(_mix(seed, epoch, 1))  # noise and dropout
            batches = _batches(train, batch_size, shuffle=_mix(seed, epoch, 0))
            values = duel.run(_counted(batches, bar), where)
            if not all(w.isfinite().all() for model in models.values() for w in model.parameters()):
                raise FloatingPointError(f"{where}, step {steps}: a weight is no longer finite")
            generator.eval()
            with torch.no_grad():
                values |= {name: float(metric(generator)) for name, metric in (metrics or {}).items()}
            history.append(**values)
            bar.set_postfix(epoch=history.epochs, refresh=False)
            if saved is not None:
                saved.save(history)
    return history


# ------------------------------------------------------------------------------------------ from a shell


def main(arguments: list[str] | None = None) -> History:
    """Train a small network on the digits."""
    from nnlib.data import digits  # only this example needs data

    parser = argparse.ArgumentParser(prog="python -m nnlib.training", description=main.__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32, help="over all processes (%(default)s)")
    parser.add_argument("--lr", type=float, default=0.2)
    parser.add_argument("--hidden", type=int, default=64, help="hidden units (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", help=f"one of {', '.join(devices())} ({devices()[0]})")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--amp", action="store_true", help="mixed precision")
    parser.add_argument("--checkpoint", type=Path, help="file to write after each epoch and to continue from")
    parser.add_argument("--history", type=Path, help="JSON file for the loss curve")
    options = parser.parse_args(arguments)

    torch.manual_seed(options.seed)
    model = nn.Sequential(nn.Linear(64, options.hidden), nn.ReLU(), nn.Linear(options.hidden, 10))
    model.to(getattr(torch, options.dtype))
    data = digits()
    with processes():
        history = fit(
            model,
            (data.x_train, data.y_train),
            (data.x_test, data.y_test),
            loss=nn.functional.cross_entropy,
            optimizer=torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9),
            epochs=options.epochs,
            batch_size=options.batch_size,
            metrics={"accuracy": accuracy},
            seed=options.seed,
            device=options.device,
            amp=options.amp,
            checkpoint=options.checkpoint,
        )
        if rank() == 0:
            numbers = ", ".join(f"{name} {value:.4f}" for name, value in history.last.items())
            print(f"epoch {history.epochs}, processes {world_size()}: {numbers}")
            if options.history is not None:
                options.history.write_text(json.dumps(history, indent=1))
    return history


if __name__ == "__main__":
    main()
