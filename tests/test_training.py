"""The training loop equals one written by hand, on any device, in any number of processes, and resumes."""

import io
import json
import math
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, Dataset, TensorDataset

from nnlib import training
from nnlib.training import (
    History,
    accuracy,
    choose_device,
    devices,
    fit,
    fit_adversarial,
    load_checkpoint,
    save_checkpoint,
)

N, D, K = 50, 6, 3
EVERY_DEVICE = pytest.mark.parametrize("device", devices())
SCHEDULERS = {
    "none": lambda optimizer: None,
    "step": lambda optimizer: StepLR(optimizer, 2, 0.5),
    "cosine": lambda optimizer: CosineAnnealingLR(optimizer, 4),
    "plateau": lambda optimizer: ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0.2),
}


def samples(seed=0, n=N):
    """Three classes that a linear map separates, up to a little noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D))
    return x, (x[:, :K] + 0.1 * rng.normal(size=(n, K))).argmax(1)


def network():
    """Dropout draws masks and batch normalization has buffers: an interruption must not change either."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(D, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, K))


def train(data=None, *, model=None, lr=0.05, scheduler="step", **settings):
    """A short run of `fit`: history and model."""
    model = model or network()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    defaults = {
        "validation": samples(1),
        "loss": cross_entropy,
        "optimizer": optimizer,
        "scheduler": SCHEDULERS[scheduler](optimizer),
        "epochs": 4,
        "batch_size": 16,
        "metrics": {"accuracy": accuracy},
        "device": "cpu",
        "progress": False,
    }
    return fit(model, samples() if data is None else data, **(defaults | settings)), model


def assert_same_weights(model, other):
    for (name, ours), theirs in zip(model.state_dict().items(), other.state_dict().values()):
        torch.testing.assert_close(ours.cpu(), theirs.cpu(), rtol=0, atol=0, msg=name)


class At:
    """Cross-entropy, but for one of its calls."""

    def __init__(self, call, effect):
        self.left, self.effect = call, effect

    def __call__(self, output, y):
        self.left -= 1
        loss = cross_entropy(output, y)
        return loss if self.left else self.effect(loss)


def interrupt(*_):
    raise KeyboardInterrupt


def to_nan(loss):
    return loss * math.nan


STEPS, VALIDATION_STEPS = 4, 4  # of 16, 16, 16 and 2 samples
EPOCH = STEPS + VALIDATION_STEPS


# ---------------------------------------------------------------------------------------------- the loop


@EVERY_DEVICE
def test_fit_is_the_loop_written_by_hand(device):
    """To the last bit on the CPU; a GPU sums in another order, so there within 1e-4 of the CPU's curve."""
    x, y = (torch.tensor(part) for part in samples())
    batches = DataLoader(TensorDataset(x.float(), y), batch_size=16)

    def pieces():
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(D, 16), nn.Tanh(), nn.Linear(16, K))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        return model, optimizer, StepLR(optimizer, 1, 0.8)

    model, optimizer, scheduler = pieces()
    losses = []
    for _ in range(3):
        total = 0.0
        for x_batch, y_batch in batches:
            loss = cross_entropy(model(x_batch), y_batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.3)
            optimizer.step()
            total += float(loss.detach() * len(x_batch))
        scheduler.step()
        losses.append(total / N)

    ours, optimizer, scheduler = pieces()
    history = fit(
        ours,
        batches,
        loss=cross_entropy,
        optimizer=optimizer,
        scheduler=scheduler,
        epochs=3,
        clip_grad_norm=0.3,
        device=device,
        progress=False,
    )
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-15 if device == "cpu" else 1e-4)
    np.testing.assert_allclose(history["lr"], [0.5, 0.4, 0.32], rtol=1e-12)
    tolerance = 0 if device == "cpu" else 1e-4
    for name, weight in model.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name).cpu(), weight, rtol=tolerance, atol=tolerance)


def test_history_is_what_an_evaluation_finds():
    history, model = train(epochs=20, scheduler="none")
    x, y = (torch.tensor(part) for part in samples(1))
    output = model(x.float())  # fit leaves the model in eval mode
    assert history.last["validation_loss"] == pytest.approx(cross_entropy(output, y).item(), rel=1e-5)
    assert history.last["validation_accuracy"] == pytest.approx(accuracy(output, y).item(), rel=1e-5)
    assert history.last["validation_accuracy"] > 0.7
    assert history.epochs == 20 and all(len(values) == 20 for values in history.values())
    assert list(history) == ["lr", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert History().epochs == 0 and History().last == {}


class Recorder(Dataset):
    """Remembers the order in which its samples were asked for."""

    def __init__(self, x, y):
        self.x, self.y, self.order = torch.tensor(x), torch.tensor(y), []

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        self.order.append(index)
        return self.x[index], self.y[index]


def test_every_epoch_takes_every_sample_once_in_a_new_order():
    data, again, other = (Recorder(*samples()) for _ in range(3))
    history, model = train(data)
    train(again)
    train(other, seed=1)
    orders = np.array(data.order).reshape(4, N)
    assert (np.sort(orders) == np.arange(N)).all()
    assert len({tuple(order) for order in orders}) == 4
    assert again.order == data.order != other.order


def test_an_interrupted_model_is_in_eval_mode():
    model = network()
    with pytest.raises(KeyboardInterrupt):
        train(model=model, loss=At(2, interrupt))
    assert not model.training


def test_a_trained_model_is_in_eval_mode():
    assert not train(validation=None)[1].training


def test_arrays_tensors_and_datasets_are_the_same_data():
    x, y = samples()
    plain = nn.Linear(D, K)
    start = {name: weight.clone() for name, weight in plain.state_dict().items()}
    curves = []
    for data in [(x, y), [torch.tensor(x), torch.tensor(y, dtype=torch.int32)], Recorder(x, y)]:
        plain.load_state_dict(start)
        curves.append(train(data, model=plain)[0])
    assert curves[0] == curves[1] == curves[2]


def test_the_generators_of_others_are_left_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    model = network()
    torch.manual_seed(7)
    train(model=model)
    assert torch.equal(torch.rand(3), expected)


@EVERY_DEVICE
@pytest.mark.parametrize("amp", [True, torch.bfloat16, torch.float16], ids=str)
def test_mixed_precision_trains(device, amp):
    seen = set()

    def loss(output, y):
        seen.add(output.dtype)
        return cross_entropy(output, y)

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)  # clipping before unscaling would stop it
    settings = {"optimizer": optimizer, "epochs": 8, "clip_grad_norm": 1.0, "scheduler": "none"}
    history, _ = train(model=model, amp=amp, loss=loss, device=device, **settings)
    assert seen == {amp} if amp is not True else seen <= {torch.bfloat16, torch.float16}
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
    assert history["loss"][-1] < 0.6 * history["loss"][0]


# ------------------------------------------------------------------------------------------- checkpoints


@EVERY_DEVICE
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("interrupted_at", [1, EPOCH + 1, 2 * EPOCH + 3, 4 * EPOCH - 1], ids="call{}".format)
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(tmp_path, scheduler, device, interrupted_at):
    """The same losses, learning rates and weights, to the last bit."""
    settings = {"scheduler": scheduler, "device": device, "amp": torch.float16 if device == "cuda" else False}
    whole, model = train(**settings)
    settings["checkpoint"] = tmp_path / "new folder" / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        train(loss=At(interrupted_at, interrupt), **settings)
    finished = (interrupted_at - 1) // EPOCH
    assert settings["checkpoint"].exists() == (finished > 0)
    if finished:
        assert len(load_checkpoint(settings["checkpoint"])["history"]["loss"]) == finished
    torch.rand(5)  # whatever happens in between
    resumed, ours = train(**settings)
    assert resumed == whole
    assert_same_weights(ours, model)
    assert [path.name for path in settings["checkpoint"].parent.iterdir()] == ["run.pt"]


@pytest.mark.parametrize("generator", [None, torch.Generator()], ids=["global", "own"])
def test_a_shuffling_loader_resumes_too(tmp_path, generator):
    def loader():
        x, y = (torch.tensor(part) for part in samples())
        return DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True, generator=generator)

    settings = {"batch_size": None, "validation": None}
    whole, model = train(loader(), **settings)
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        train(loader(), loss=At(3 * STEPS, interrupt), checkpoint=path, **settings)
    resumed, ours = train(loader(), checkpoint=path, **settings)
    assert resumed == whole
    assert_same_weights(ours, model)


def test_a_finished_run_is_read_back_and_can_be_made_longer(tmp_path):
    path = tmp_path / "run.pt"
    history, model = train(checkpoint=path)
    again, ours = train(checkpoint=path)
    assert again == history
    assert_same_weights(ours, model)
    longer, _ = train(checkpoint=path, epochs=6)
    assert longer == train(epochs=6)[0]
    with pytest.raises(ValueError, match="holds 6 epochs; epochs=4 asks for fewer"):
        train(checkpoint=path)
    assert train(checkpoint=path, resume=False)[0] == history
    assert len(load_checkpoint(path)["history"]["loss"]) == 4


def test_loss_scaling_is_part_of_a_checkpoint(tmp_path):
    train(amp=torch.float16, checkpoint=tmp_path / "run.pt")
    assert load_checkpoint(tmp_path / "run.pt")["scaler"]["scale"] > 1


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync", "torch.save"])
def test_an_interruption_while_writing_keeps_the_old_checkpoint(tmp_path, monkeypatch, broken):
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"epoch": 1})
    monkeypatch.setattr(broken, interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, {"epoch": 2})
    assert load_checkpoint(path) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]


def flip_a_bit(content):
    """In a weight, where torch.load alone does not notice."""
    weights = torch.load(io.BytesIO(content))["model"]["0.weight"].numpy().tobytes()
    at = content.index(weights) + len(weights) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def trapped(_):
    file = io.BytesIO()
    torch.save(Trap(), file)
    return file.getvalue()


DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "one bit": flip_a_bit,
    "empty": lambda content: b"",
    "text": lambda content: b"not a checkpoint",
    "pickle": lambda content: pickle.dumps(Trap()),
    "pickle inside": trapped,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.pt"
    history, _ = train(checkpoint=path)
    path.write_bytes(content := DAMAGE[damage](path.read_bytes()))
    with pytest.raises(RuntimeError, match=r"run\.pt is not a readable checkpoint .* resume=False"):
        train(checkpoint=path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]  # and no code in the file has run
    assert train(checkpoint=path, resume=False)[0] == history
    assert load_checkpoint(path)["history"] == history


OTHER_RUN = {
    "seed": ({"seed": 1}, "written with {'seed': 0, 'batch_size': 16}; this run has {'seed': 1"),
    "batch size": ({"batch_size": 10}, "this run has {'seed': 0, 'batch_size': 10}"),
    "scheduler": ({"scheduler": "none"}, "expected ['history', 'model', 'optimizer', 'scaler', 'settings']"),
    "model": ({"model": nn.Linear(D, K)}, "does not fit this model"),
}


@pytest.mark.parametrize("other", OTHER_RUN)
def test_the_checkpoint_of_another_run_is_refused(tmp_path, other):
    settings, message = OTHER_RUN[other]
    train(checkpoint=tmp_path / "run.pt", epochs=1)
    with pytest.raises(ValueError) as caught:
        train(checkpoint=tmp_path / "run.pt", **settings)
    assert message in str(caught.value)


def test_a_file_of_bare_weights_is_refused(tmp_path):
    torch.save(network().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"weights\.pt holds \['0.bias', .* expected \['history', 'model'"):
        train(checkpoint=tmp_path / "weights.pt")


def test_what_could_not_be_read_back_is_not_written(tmp_path):
    """A NumPy number as learning rate would make a file that weights_only=True refuses."""
    with pytest.raises(TypeError, match="numpy.*expected tensors and plain Python values"):
        train(checkpoint=tmp_path / "run.pt", lr=np.float64(0.05))
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("step", [1, 49, 50, 51, 99, 100])
def test_a_loss_that_is_not_a_number_is_named_by_its_step(step):
    data = samples(n=100)
    with pytest.raises(FloatingPointError, match=f"epoch 1, step {step}: loss is nan"):
        train(data, batch_size=1, model=nn.Linear(D, K), loss=At(step, to_nan))


@pytest.mark.parametrize(
    "call, where",
    [(EPOCH + 2, "epoch 2, step 2: loss is nan"), (2 * EPOCH, "epoch 2, validation, step 4: loss is nan")],
)
def test_divergence_keeps_the_last_good_checkpoint(tmp_path, call, where):
    path = tmp_path / "run.pt"
    with pytest.raises(FloatingPointError, match=where):
        train(loss=At(call, to_nan), checkpoint=path)
    assert len(load_checkpoint(path)["history"]["loss"]) == 1
    assert train(checkpoint=path)[0] == train()[0]


def test_weights_that_are_not_numbers_are_never_saved(tmp_path):
    """The loss of the last step is finite, its gradient is not: sqrt has slope infinity at 0."""

    def steep(loss):
        return loss + (0 * loss).sqrt()

    with pytest.raises(FloatingPointError, match="epoch 2, step 4: a weight is no longer finite"):
        train(loss=At(2 * STEPS, steep), checkpoint=tmp_path / "run.pt", validation=None)
    assert all(w.isfinite().all() for w in load_checkpoint(tmp_path / "run.pt")["model"].values())


X, Y = samples()
LOADER = DataLoader(Recorder(X, Y), batch_size=16)
BAD = {
    "device": ({"device": "tpu"}, ValueError, "device 'tpu' is not available; expected one of .*cpu"),
    "device index": ({"device": "cpu:x"}, ValueError, "device 'cpu:x' is not available"),
    "no device": ({"device": ""}, ValueError, "device '' is not available"),
    "epochs": ({"epochs": 0}, ValueError, "epochs is 0; expected an int >= 1"),
    "seed": ({"seed": -1}, ValueError, "seed is -1; expected an int >= 0"),
    "no seed": ({"seed": None}, TypeError, "seed is None; expected an int >= 0"),
    "clipping": ({"clip_grad_norm": 0}, ValueError, "clip_grad_norm is 0; expected a number > 0, or None"),
    "negative clipping": ({"clip_grad_norm": -1.0}, ValueError, "clip_grad_norm is -1.0; expected"),
    "half epochs": ({"epochs": 1.5}, TypeError, "epochs is 1.5; expected an int >= 1"),
    "batch size": ({"batch_size": 0}, ValueError, "batch_size is 0; expected an int >= 1"),
    "no batch size": ({"batch_size": None}, TypeError, "batch_size is None; expected an int >= 1"),
    "two batch sizes": ({"data": LOADER}, ValueError, "its own batch size; got batch_size=16 too"),
    "lengths": ({"data": (X, Y[:-1])}, ValueError, "train: x has 50 samples and y has 49"),
    "validation": ({"validation": (X[:-1], Y)}, ValueError, "validation: x has 49 samples and y has 50"),
    "empty": ({"data": (X[:0], Y[:0])}, ValueError, "train is empty"),
    "no pair": ({"data": X}, TypeError, r"train is a ndarray; expected a pair \(x, y\)"),
    "triple": ({"data": (X, Y, Y)}, TypeError, "train is a tuple; expected a pair"),
    "label": ({"data": (X, Y + 1)}, ValueError, "y has the label 3; expected 0 to 2 for 3 outputs"),
    "negative label": ({"data": (X, Y - 1)}, ValueError, "y has the label -1; expected 0 to 2"),
    "amp": ({"amp": torch.float64}, ValueError, "amp is torch.float64; expected True, False"),
    "loss": (
        {"loss": nn.CrossEntropyLoss(reduction="none")},
        ValueError,
        r"loss has shape \(16,\); expected \(\)",
    ),
    "optimizer": (
        {"optimizer": torch.optim.SGD(network().parameters()), "scheduler": "none"},
        ValueError,
        "optimizer holds no parameter of this model",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_says_what_came_and_what_was_expected(bad):
    settings, error, message = BAD[bad]
    with pytest.raises(error, match=message):
        train(**settings)


def test_numbers_of_numpy_are_numbers(tmp_path):
    plain, numpys = {"batch_size": 16, "epochs": 2, "seed": 3}, {}
    for name, value in plain.items():
        numpys[name] = np.int64(value)
    history, _ = train(**numpys, checkpoint=tmp_path / "run.pt")
    assert history == train(**plain)[0]
    assert load_checkpoint(tmp_path / "run.pt")["settings"] == {"seed": 3, "batch_size": 16}


@pytest.mark.parametrize("dims", [0, 1])
@pytest.mark.parametrize("dtype", [int, bool, float])
def test_one_output_for_yes_and_no_takes_whole_labels(dtype, dims):
    def yes_or_no(output, y):
        return nn.functional.binary_cross_entropy_with_logits(output.flatten(), y.float())

    model = nn.Sequential(nn.Linear(D, 1), nn.Flatten(dims))  # outputs (N,) or (N, 1)
    history, _ = train((X, (Y == 1).astype(dtype)), validation=None, model=model, loss=yes_or_no, metrics={})
    assert history["loss"][-1] < history["loss"][0]


def test_ignored_labels_are_not_wrong_labels():
    y = Y.copy()
    y[::5] = -100
    history, _ = train((X, y))
    assert history["loss"][-1] < history["loss"][0]


def test_a_device_without_float64_is_not_chosen_for_it(monkeypatch):
    monkeypatch.setattr(training, "devices", lambda: ["mps", "cpu"])
    assert choose_device() == choose_device(None, torch.float32) == torch.device("mps")
    assert choose_device(None, torch.float64) == torch.device("cpu")
    with pytest.raises(ValueError, match="device 'mps' has no float64; expected one of cpu"):
        train(model=network().double(), device="mps")
    with pytest.raises(ValueError, match="device 'cuda' is not available; expected one of cpu"):
        choose_device("cuda", torch.float64)
    history, _ = train(model=network().double(), device=None)
    assert history.epochs == 4


class Bar(training.tqdm):
    made = []

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.made.append(self)


def test_the_progress_bar_counts_steps_and_leaves_nothing_behind(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(training, "tqdm", Bar)
    train(progress=True, checkpoint=tmp_path / "run.pt", epochs=3)
    train(progress=True, checkpoint=tmp_path / "run.pt", epochs=5)
    train(progress=False)
    train(progress=None)  # standard error is no terminal here
    first, second, *silent = Bar.made
    assert (first.initial, first.n, first.total) == (0, 3 * STEPS, 3 * STEPS)
    assert (second.initial, second.n, second.total) == (3 * STEPS, 5 * STEPS, 5 * STEPS)
    assert all(bar.disable for bar in silent) and not first.leave
    assert capfd.readouterr() == ("", "")


def test_the_fastest_device_is_chosen_unless_another_is_named():
    assert choose_device().type == devices()[0]
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    assert devices()[-1] == "cpu"


# ------------------------------------------------------------------------------------------ two players


class Forger(nn.Module):
    """Batch normalization has buffers, dropout draws masks: an interruption must not change either."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, D))
        self.label = nn.Embedding(K, 4)

    def forward(self, noise, y=None):
        return self.layers(noise if y is None else noise + self.label(y))


class Detective(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(D, 8), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(8, 1))
        self.label = nn.Embedding(K, D)

    def forward(self, x, y=None):
        return self.layers(x if y is None else x + self.label(y)).squeeze(1)


def judged(real, fake):
    return nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()


def fooled(fake):
    return nn.functional.softplus(-fake).mean()


def steepness(discriminator, real, fake, *y):
    x = real.detach().requires_grad_()
    (grad,) = torch.autograd.grad(discriminator(x, *y).sum(), x, create_graph=True)
    return grad.square().sum(1).mean()


class At2(At):
    """The discriminator's loss, but for one of its calls."""

    def __call__(self, real, fake):
        self.left -= 1
        return judged(real, fake) if self.left else self.effect(judged(real, fake))


def duel(data=None, *, models=None, lr=0.01, **settings):
    """A short run of `fit_adversarial`: history and both models."""
    torch.manual_seed(1)
    models = models or (Forger(), Detective())
    defaults = {
        "losses": (judged, fooled),
        "optimizers": tuple(
            torch.optim.Adam(model.parameters(), lr=lr, betas=(0.5, 0.999)) for model in models
        ),
        "epochs": 4,
        "batch_size": 16,
        "latent": 4,
        "device": "cpu",
        "progress": False,
    }
    return fit_adversarial(*models, samples() if data is None else data, **(defaults | settings)), *models


@EVERY_DEVICE
def test_fit_adversarial_is_the_loop_written_by_hand(device):
    """To the last bit on the CPU, with the noise that the seed decides."""
    x, y = (torch.tensor(part) for part in samples())
    loader = DataLoader(TensorDataset(x.float(), y), batch_size=16)

    def pieces():
        torch.manual_seed(1)
        forger, detective = Forger(), Detective()
        detective.layers[2].p = 0.0
        optimizers = [torch.optim.SGD(model.parameters(), 0.05) for model in (forger, detective)]
        return forger, detective, optimizers

    forger, detective, (g_optimizer, d_optimizer) = pieces()
    curves = {"discriminator_loss": [], "generator_loss": []}
    for epoch in range(3):
        torch.manual_seed(training._mix(0, epoch, 1))
        sums = np.zeros(2)
        for x_batch, _ in loader:
            fake = forger(torch.randn(len(x_batch), 4)).detach()
            d_loss = judged(detective(x_batch), detective(fake)) + steepness(detective, x_batch, fake)
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
            g_loss = fooled(detective(forger(torch.randn(len(x_batch), 4))))
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
            sums += len(x_batch) * np.array([d_loss.item(), g_loss.item()])
        for name, total in zip(curves, sums):
            curves[name].append(total / N)

    ours, other, optimizers = pieces()
    settings = {"optimizers": optimizers, "batch_size": None, "epochs": 3, "penalty": steepness}
    history, *_ = duel(loader, models=(ours, other), device=device, **settings)
    for name, values in curves.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-6 if device == "cpu" else 1e-3)
    if device == "cpu":
        for model, by_hand in ((ours, forger), (other, detective)):
            assert_same_weights(model, by_hand)


def test_the_generator_waits_for_the_discriminator():
    moves = {"discriminator": 0, "generator": 0}

    def judging(real, fake):
        moves["discriminator"] += 1
        return judged(real, fake)

    def wishing(fake):
        moves["generator"] += 1
        return fooled(fake)

    history, *_ = duel(losses=(judging, wishing), discriminator_steps=3, epochs=2)
    assert moves == {"discriminator": 2 * STEPS, "generator": 2 * (STEPS // 3)}
    assert history.epochs == 2 and all(np.isfinite(values).all() for values in history.values())


@EVERY_DEVICE
@pytest.mark.parametrize("amp", [True, torch.float16], ids=str)
def test_two_players_train_in_mixed_precision(device, amp):
    history, forger, _ = duel(amp=amp, device=device, epochs=3, penalty=steepness)
    assert all(np.isfinite(values).all() for values in history.values())
    assert all(weight.dtype == torch.float32 for weight in forger.parameters())


def test_metrics_see_the_generator_as_in_use():
    seen = []

    def mean(forger):
        seen.append(forger.training)
        return forger(torch.ones(3, 4)).mean()

    history, forger, detective = duel(metrics={"mean": mean})
    assert seen == [False] * 4 and len(history["mean"]) == 4
    assert history["mean"][-1] == pytest.approx(forger(torch.ones(3, 4)).mean().item())
    assert not forger.training and not detective.training
    assert all(weight.requires_grad for weight in detective.parameters())


@EVERY_DEVICE
@pytest.mark.parametrize(
    "interrupted_at, conditional", [(1, True), (STEPS + 1, True), (3 * STEPS - 1, False)]
)
def test_an_interrupted_duel_goes_on_as_if_nothing_had_happened(
    tmp_path, conditional, device, interrupted_at
):
    amp = torch.float16 if device == "cuda" else False
    settings = {"conditional": conditional, "device": device, "amp": amp, "penalty": steepness}
    whole, *models = duel(**settings)
    path = tmp_path / "new folder" / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        duel(losses=(At2(interrupted_at, interrupt), fooled), checkpoint=path, **settings)
    assert path.exists() == (interrupted_at > STEPS)
    torch.rand(5)
    resumed, *ours = duel(checkpoint=path, **settings)
    assert resumed == whole
    for model, other in zip(models, ours):
        assert_same_weights(model, other)
    longer, *_ = duel(checkpoint=path, epochs=5, **settings)
    assert longer == duel(epochs=5, **settings)[0]


def test_the_checkpoint_of_another_duel_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    duel(checkpoint=path, epochs=1)
    with pytest.raises(ValueError, match="was written with .*'seed': 0.*this run has .*'seed': 1"):
        duel(checkpoint=path, seed=1)
    with pytest.raises(ValueError, match="'discriminator_steps': 2"):
        duel(checkpoint=path, discriminator_steps=2)
    train(checkpoint=tmp_path / "other.pt", epochs=1)
    with pytest.raises(ValueError, match="expected .*'discriminator'"):
        duel(checkpoint=tmp_path / "other.pt")


@pytest.mark.parametrize("step", [1, STEPS + 2])
def test_a_duel_that_diverges_keeps_the_last_good_checkpoint(tmp_path, step):
    where = f"epoch {1 + (step - 1) // STEPS}, step {1 + (step - 1) % STEPS}: loss is nan"
    with pytest.raises(FloatingPointError, match=where):
        duel(losses=(At2(step, to_nan), fooled), checkpoint=tmp_path / "run.pt")
    assert (tmp_path / "run.pt").exists() == (step > STEPS)


BAD_DUEL = {
    "epochs": ({"epochs": 0}, ValueError, "epochs is 0; expected an int >= 1"),
    "latent": ({"latent": 1.5}, TypeError, "latent is 1.5; expected an int >= 1"),
    "steps": ({"discriminator_steps": 0}, ValueError, "discriminator_steps is 0; expected an int >= 1"),
    "many steps": ({"discriminator_steps": 5}, ValueError, "is 5; expected at most the 4 of an epoch"),
    "batch size": ({"batch_size": None}, TypeError, "batch_size is None"),
    "device": ({"device": "tpu"}, ValueError, "device 'tpu' is not available"),
    "lengths": ({"data": (X, Y[:-1])}, ValueError, "train: x has 50 samples and y has 49"),
    "one optimizer": (
        {"optimizers": [torch.optim.SGD(network().parameters())] * 2},
        ValueError,
        r"optimizer holds no parameter of the generator; make it from generator.parameters\(\)",
    ),
    "loss of D": (
        {"losses": (lambda real, fake: fake - real, fooled)},
        ValueError,
        r"the discriminator's loss has shape \(16,\); expected \(\)",
    ),
    "loss of G": (
        {"losses": (judged, lambda fake: fake)},
        ValueError,
        r"the generator's loss has shape \(16,\)",
    ),
}


@pytest.mark.parametrize("bad", BAD_DUEL)
def test_bad_input_of_a_duel_says_what_came_and_what_was_expected(bad):
    settings, error, message = BAD_DUEL[bad]
    with pytest.raises(error, match=message):
        duel(**settings)


def test_a_duel_is_not_for_torchrun(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(RuntimeError, match="trains in a single process"):
        duel()


# ------------------------------------------------------------------------------------- several processes


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("data", [TensorDataset(torch.arange(21)), Recorder(np.arange(21), np.arange(21))])
def test_processes_share_each_batch_out(monkeypatch, count, data):
    def batches():
        return [set(batch[0].tolist()) for batch in training._batches(data, 6, shuffle=3)]

    whole = batches()
    monkeypatch.setattr(training, "world_size", lambda: count)
    parts = []
    for number in range(count):
        monkeypatch.setattr(training, "rank", lambda number=number: number)
        parts.append(batches())
    for batch, *shares in zip(whole, *parts):
        assert set.union(*shares) == batch
        assert sum(map(len, shares)) == len(batch)


def test_every_process_needs_a_sample_and_a_share(monkeypatch):
    monkeypatch.setattr(training, "world_size", lambda: 4)
    with pytest.raises(ValueError, match="the last batch has 2 samples for 4 processes"):
        train()
    with pytest.raises(ValueError, match="train has no DistributedSampler"):
        train(LOADER, batch_size=None)


def test_under_torchrun_fit_insists_on_the_other_processes(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(RuntimeError, match="with processes()"):
        train()


@pytest.mark.slow
def test_two_processes_draw_the_same_curve_as_one(tmp_path):
    """In float64 to 1e-10; and one process goes on where two stopped."""
    settings = ["--dtype=float64", "--device=cpu", "--hidden=16"]
    alone = training.main([*settings, "--epochs=4"])
    two = tmp_path / "two.json", tmp_path / "run.pt"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
    script = ["nnlib.training", *settings, "--epochs=3", f"--history={two[0]}", f"--checkpoint={two[1]}"]
    run = subprocess.run(
        launch + script,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("epoch 3, processes 2: lr 0.2000, loss") and run.stdout.count("\n") == 1
    curve = json.loads(two[0].read_text())
    assert curve["loss"] == pytest.approx(alone["loss"][:3], rel=1e-10)
    assert curve["validation_loss"] == pytest.approx(alone["validation_loss"][:3], rel=1e-10)
    continued = training.main([*settings, "--epochs=4", f"--checkpoint={two[1]}"])
    for name, values in alone.items():
        assert continued[name] == pytest.approx(values, rel=1e-6 if "accuracy" in name else 1e-10), name
    assert alone["validation_accuracy"][-1] > 0.9
