"""What the learner can turn in notebook 17: a place in the plane of codes, the width of the bottleneck, the
noise on a picture, the threshold for anomalies, β, and the variance of two gradients.
"""

from functools import cache

import numpy as np

from nnlib import figures
from nnlib.autoencoder.experiments import autoencoder, encode, halves, mlp, trained_vae
from nnlib.autoencoder.in_numpy import pca, roc_auc
from nnlib.data import digits
from nnlib.explorer import Choice, Explorer, Goal, IntSlider, LogSlider, Seed, Slider
from nnlib.layers import fit, train
from nnlib.losses.in_numpy import mse_loss
from nnlib.optimizers.in_numpy import adam


@cache
def _digits():
    return digits()


def _mosaic(*rows):
    """Rows of pictures (n, 64) as one picture, a white line between them."""
    picture = np.zeros((9 * len(rows) - 1, 9 * len(rows[0]) - 1))
    for i, row in enumerate(rows):
        for j, x in enumerate(row):
            picture[9 * i : 9 * i + 8, 9 * j : 9 * j + 8] = x.reshape(8, 8)
    return picture


def _blocks(x, rebuilt):
    """Inputs above what was made of them, in two blocks of two rows."""
    half = len(x) // 2
    return _mosaic(x[:half], rebuilt[:half], x[half:], rebuilt[half:])


BLOCKS = ["input", "rebuilt"] * 2


def _gallery(ax, names, count):
    """An axes for a mosaic: its image, with the name of each row on the left."""
    shape = 9 * len(names) - 1, 9 * count - 1
    image = ax.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[9 * i + 3.5 for i in range(len(names))], yticklabels=names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image


# Two programs that train in float64, as the explorers here do: there NumPy and PyTorch round so finely that
# a thousand steps later they still agree.

_DATA = """\
import numpy as np
from nnlib import data

x, y, x_test, y_test = data.digits(np.float64)
"""

_NUMPY = """
def layers(*sizes):                                       # torch's start
    start = lambda i, *shape: rng.uniform(-1 / i**0.5, 1 / i**0.5, shape)
    return [[start(i, o, i), start(i, o)] for i, o in zip(sizes, sizes[1:])]

def forward(net, x):                                      # the inputs of all layers, then the output
    inputs = [x]
    for k, (w, b) in enumerate(net):
        z = inputs[-1] @ w.T + b
        inputs.append(np.maximum(z, 0) if k < len(net) - 1 else z)
    return inputs

def backward(net, inputs, grad):                          # gradients of all layers, and that of the input
    grads = []
    for k in reversed(range(len(net))):
        grads.insert(0, [grad.T @ inputs[k], grad.sum(axis=0)])
        grad = grad @ net[k][0] * ((inputs[k] > 0) if k else 1)
    return grads, grad

moments = {}

def adam(net, grads, lr, t):
    for k, layer in enumerate(net):
        for i, g in enumerate(grads[k]):
            m, v = moments.get((id(net), k, i), (0, 0))
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            moments[id(net), k, i] = m, v
            layer[i] = layer[i] - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
"""

_TORCH = """
import torch
from torch import nn

def network(*sizes):                                      # torch's start, drawn by NumPy's generator
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        linear = nn.Linear(i, o, dtype=torch.float64)
        for p in (linear.weight, linear.bias):
            p.data = torch.from_numpy(rng.uniform(-1 / i**0.5, 1 / i**0.5, tuple(p.shape)))
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
"""

# ------------------------------------------------------------------------------ a walk through the codes

VARIATIONAL, PLAIN = "variational", "plain"


@cache
def _maps():
    """Of each model: its decoder in the units of the sliders, and the codes of the test digits in them."""
    x, _, x_test, _ = _digits()
    encoder, decoder = trained_vae(0, dtype=np.float64)
    found = {VARIATIONAL: (decoder, encode(encoder, x_test)[0])}
    rng = np.random.default_rng(0)
    model = autoencoder(rng, 64, 128, 64, 2, dtype=np.float64)
    fit(model, x, x, loss=mse_loss, optimizer=adam, lr=2e-3, epochs=60, batch_size=64, rng=rng)
    encoder, decoder = halves(model)
    codes = encoder(x)
    mean, std = codes.mean(axis=0), codes.std(axis=0)
    found[PLAIN] = (lambda z: decoder(z * std + mean), (encoder(x_test) - mean) / std)
    return found


def _a(digit):
    return f"an {digit}" if digit == 8 else f"a {digit}"


def latent_walk():
    def compute(model, z1, z2):
        x, y, *_ = _digits()
        decode, codes = _maps()[model]
        picture = decode(np.array([[z1, z2]]))[0]
        distance = np.linalg.norm(x - picture, axis=1)
        nearest = distance.argmin()
        gap = np.linalg.norm(codes - (z1, z2), axis=1).min()
        return {
            "model": model,
            "z": (z1, z2),
            "picture": picture,
            "nearest": x[nearest],
            "label": y[nearest],
            "distance": distance[nearest],
            "gap": gap,
        }

    def setup(fig):
        left, middle, right = figures.axes(fig, 1, 3, width_ratios=(1.6, 1, 1))
        left.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), xlabel="first number of the code", ylabel="second")
        left.set_title("Codes of the test digits")
        labels = _digits().y_test
        artists = {"codes": {}, "names": {}}
        for model, (_, codes) in _maps().items():
            style = dict(c=labels, cmap="tab10", marker="s", s=6, linewidths=0, antialiased=False)
            artists["codes"][model] = left.scatter(*codes.T, **style)
            centers = [np.median(codes[labels == d], axis=0) for d in range(10)]
            box = dict(boxstyle="circle,pad=0.15", fc="white", ec="none", alpha=0.8)
            artists["names"][model] = [
                left.text(*at, str(d), weight="bold", ha="center", va="center", bbox=box)
                for d, at in enumerate(centers)
            ]
        artists["cross"] = left.plot([], [], "P", color="black", mec="white", ms=13, zorder=5)[0]
        for name, ax in (("picture", middle), ("nearest", right)):
            artists[name] = ax.imshow(np.zeros((8, 8)), cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        middle.set_title("Decoded")
        right.set_title("Nearest training digit")
        artists["far"] = right.text(3.5, 7.7, "", ha="center", va="top", fontsize=9)
        return artists

    def draw(artists, r):
        for kind in ("codes", "names"):
            for model, found in artists[kind].items():
                for artist in found if isinstance(found, list) else [found]:
                    artist.set_visible(model == r["model"])
        artists["cross"].set_data([r["z"][0]], [r["z"][1]])
        artists["picture"].set_data(r["picture"].reshape(8, 8))
        artists["nearest"].set_data(r["nearest"].reshape(8, 8))
        artists["far"].set_text(f"{_a(r['label'])}, at distance {r['distance']:.2f}")

    def note(values, r):
        return (
            f"nearest training digit: {_a(r['label'])}, at distance {r['distance']:.2f}; "
            f"a test digit's code is {r['gap']:.2f} away"
        )

    return Explorer(
        "A walk through the plane of codes",
        dict(
            model=Choice((VARIATIONAL, PLAIN), VARIATIONAL, "autoencoder"),
            z1=Slider(-3, 3, 0.0, "first number", step=0.05),
            z2=Slider(-3, 3, 0.0, "second number", step=0.05),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "a picture that no training digit resembles: distance above 1.8",
            lambda values, r: r["distance"] > 1.8,
        ),
        code={
            "numpy": _DATA + "\nrng = np.random.default_rng(0)\n" + _NUMPY + _WALK_NUMPY,
            "torch": _DATA + "\nrng = np.random.default_rng(0)\n" + _TORCH + _WALK_TORCH,
        },
        answer=lambda r: r["picture"].mean(),
    )


_WALK_NUMPY = """
vae = $model == "variational"
encoder, decoder = layers(64, 128, 64, 4 if vae else 2), layers(2, 64, 128, 64)
step = 0
for epoch in range(60):
    order = rng.permutation(len(x))
    for start in range(0, len(x), 64):
        rows = x[order[start : start + 64]]
        down = forward(encoder, rows)
        mu, logvar = down[-1][:, :2], down[-1][:, 2:]
        noise = rng.standard_normal(mu.shape) if vae else 0
        std = np.exp(logvar / 2) if vae else 0
        up = forward(decoder, mu + std * noise)
        error = (up[-1] - rows) / len(rows)
        grads_up, grad_z = backward(decoder, up, error / 0.02 if vae else 2 * error / 64)
        if vae:                                           # -elbo: the error, and a pull to N(0, 1)
            grad_logvar = grad_z * noise * std / 2 + (std**2 - 1) / 2 / len(rows)
            grad_code = np.concatenate([grad_z + mu / len(rows), grad_logvar], axis=1)
        grads_down, _ = backward(encoder, down, grad_code if vae else grad_z)
        step += 1
        adam(encoder, grads_down, 2e-3, step)
        adam(decoder, grads_up, 2e-3, step)

z = np.array([[$z1, $z2]])
if not vae:                                               # in standard deviations of its codes
    codes = forward(encoder, x)[-1]
    z = z * codes.std(axis=0) + codes.mean(axis=0)
answer = forward(decoder, z)[-1].mean()
"""

_WALK_TORCH = """
vae = $model == "variational"
encoder, decoder = network(64, 128, 64, 4 if vae else 2), network(2, 64, 128, 64)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
inputs = torch.from_numpy(x)
for epoch in range(60):
    for rows in inputs[rng.permutation(len(x))].split(64):
        code = encoder(rows)
        if vae:
            q = torch.distributions.Normal(code[:, :2], (code[:, 2:] / 2).exp())
            noise = torch.from_numpy(rng.standard_normal((len(rows), 2)))
            p = torch.distributions.Normal(decoder(q.mean + q.stddev * noise), 0.02**0.5)
            kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
            loss = (kl - p.log_prob(rows).sum(1)).mean()
        else:
            loss = nn.functional.mse_loss(decoder(code), rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

with torch.no_grad():
    z = torch.tensor([[$z1, $z2]], dtype=torch.float64)
    if not vae:
        codes = encoder(inputs)
        z = z * codes.std(0, correction=0) + codes.mean(0)
    answer = decoder(z).mean()
"""


# ------------------------------------------------------------------------------------- the bottleneck

INPUTS = "test digits", "uniform noise"


@cache
def _principal():
    """Mean, all components, and the mean squared error for every k: of training, of test, of noise."""
    x, _, x_test, _ = _digits()
    mean, components = pca(x, 64)
    noise = np.random.default_rng(0).uniform(size=x_test.shape)
    curves = []
    for part in (x, x_test, noise):
        energy = (((part - mean) @ components.T) ** 2).mean(axis=0)
        curves.append((energy.sum() - np.cumsum(energy)) / 64)
    return mean, components, noise, np.maximum(curves, 1e-5)


def bottleneck():
    def compute(k, inputs, first):
        mean, components, noise, curves = _principal()
        x = (_digits().x_test if inputs == INPUTS[0] else noise)[first : first + 16]
        codes = (x - mean) @ components[:k].T
        return {
            "x": x,
            "rebuilt": codes @ components[:k] + mean,
            "k": k,
            "error": curves[1 if inputs == INPUTS[0] else 2][k - 1],
        }

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.5, 1))
        artists = {"image": _gallery(left, BLOCKS, 8)}
        left.set_title("Rebuilt from k numbers")
        right.set(xlim=(0, 64), ylim=(1e-5, 0.3), yscale="log", xlabel="numbers in the code, k")
        right.set_ylabel("mean squared error (log, cut at 10⁻⁵)")
        right.set_title("The error falls with k, for noise too")
        names = ("training digits", figures.BLUE, "-"), ("test digits", figures.VERMILLION, "--")
        for (name, color, dash), curve in zip(
            (*names, ("uniform noise", figures.GREEN, "-.")), _principal()[3], strict=True
        ):
            right.plot(range(1, 65), curve, color=color, ls=dash, label=name)
        right.legend(loc="lower left")
        artists["point"] = right.plot([], [], "o", color="black", ms=8, clip_on=False, in_layout=False)[0]
        return artists

    def draw(artists, r):
        artists["image"].set_data(_blocks(r["x"], r["rebuilt"]))
        artists["point"].set_data([r["k"]], [r["error"]])

    return Explorer(
        "The best linear code: k numbers for 64 pixels",
        dict(
            k=IntSlider(1, 64, 2, "numbers in the code, k"),
            inputs=Choice(INPUTS, INPUTS[0], "pictures"),
            first=IntSlider(0, 500, 0, "first picture"),
        ),
        setup,
        draw,
        compute=compute,
        note=lambda values, r: (
            f"{r['k']} of 64 numbers: mean squared error "
            + (f"{r['error']:.3g}" if r["error"] > 1e-5 else "below 0.00001")
        ),
        goal=Goal(
            "test digits with an error below 0.01, from at most 22 numbers",
            lambda values, r: values["inputs"] == INPUTS[0] and r["error"] < 0.01 and r["k"] <= 22,
        ),
        code={"numpy": _DATA + _PCA_NUMPY, "torch": _DATA + _PCA_TORCH},
        answer=lambda r: ((r["rebuilt"] - r["x"]) ** 2).sum(),
    )


_PCA_NUMPY = """
inputs = x_test if $inputs == "test digits" else np.random.default_rng(0).uniform(size=x_test.shape)
inputs, mean = inputs[$first : $first + 16], x.mean(axis=0)
components = np.linalg.svd(x - mean, full_matrices=False)[2][:$k]     # the best linear decoder
rebuilt = (inputs - mean) @ components.T @ components + mean
answer = ((rebuilt - inputs) ** 2).sum()
"""

_PCA_TORCH = """
import torch

inputs = x_test if $inputs == "test digits" else np.random.default_rng(0).uniform(size=x_test.shape)
inputs, x = torch.from_numpy(inputs[$first : $first + 16]), torch.from_numpy(x)
vectors = torch.linalg.eigh(torch.cov(x.T)).eigenvectors[:, -$k:]     # the largest eigenvalues come last
rebuilt = (inputs - x.mean(0)) @ vectors @ vectors.T + x.mean(0)
answer = ((rebuilt - inputs) ** 2).sum()
"""


# ---------------------------------------------------------------------------------- the deep bottleneck


def deep_bottleneck():
    epochs = 60

    def steps(k, lr, seed):
        x, _, x_test, _ = _digits()
        rng = np.random.default_rng(seed)
        model = autoencoder(rng, 64, 128, 64, k, dtype=np.float64)
        options = dict(lr=lr, epochs=epochs, batch_size=64, rng=rng, validation=(x_test, x_test))
        for history in train(model, x, x, loss=mse_loss, optimizer=adam, **options):
            result = {"history": history, "k": k, "rebuilt": model(x_test[:8])}
            yield history.epoch[-1] / epochs, result

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.5))
        left.set(xlim=(0, epochs), ylim=(0.002, 0.6), yscale="log", xlabel="epochs")
        left.set_ylabel("mean squared error (log scale)")
        left.set_title("Deep against linear, same k")
        artists = {
            "train": left.plot([], [], color=figures.BLUE, label="deep, training digits")[0],
            "test": left.plot([], [], color=figures.VERMILLION, ls="--", label="deep, test digits")[0],
            "pca": left.plot([], [], color=figures.GRAY, ls=":", label="PCA, test digits")[0],
        }
        left.legend(loc="upper right", fontsize=8)
        artists["image"] = _gallery(right, ["input", "PCA", "deep"], 8)
        right.set_title("Rebuilt from k numbers")
        return artists

    def draw(artists, r):
        h, (mean, components, _, curves) = r["history"], _principal()
        artists["train"].set_data(h.epoch, np.clip(h.loss, 1e-3, 1))
        artists["test"].set_data(h.epoch, np.clip(h.validation_loss, 1e-3, 1))
        artists["pca"].set_data([0, epochs], [curves[1][r["k"] - 1]] * 2)
        x = _digits().x_test[:8]
        linear = (x - mean) @ components[: r["k"]].T @ components[: r["k"]] + mean
        artists["image"].set_data(_mosaic(x, linear, np.nan_to_num(r["rebuilt"])))

    def share(r):
        return r["history"].validation_loss[-1] / _principal()[3][1][r["k"] - 1]

    return Explorer(
        "A deep autoencoder against PCA",
        dict(
            k=IntSlider(1, 32, 2, "numbers in the code, k"),
            lr=LogSlider(1e-4, 0.1, 3e-4, "learning rate"),
            seed=Seed(),
        ),
        setup,
        draw,
        train=steps,
        note=lambda values, r: f"test error {r['history'].validation_loss[-1]:.4f}, {share(r):.2f} of PCA's",
        goal=Goal(
            "with two numbers, an error of at most 0.65 of PCA's",
            lambda values, r: values["k"] == 2 and share(r) <= 0.65,
        ),
        code={"numpy": _DATA + _NUMPY + _DEEP_NUMPY, "torch": _DATA + _TORCH + _DEEP_TORCH},
        answer=lambda r: r["history"].validation_loss[-1],
    )


_DEEP_NUMPY = """
rng = np.random.default_rng($seed)
net = layers(64, 128, 64, $k) + layers($k, 64, 128, 64)

def through(net, x):                                      # the code, layer 3, has no ReLU
    return forward(net[:3], x), lambda code: forward(net[3:], code)

step = 0
for epoch in range(60):
    order = rng.permutation(len(x))
    for start in range(0, len(x), 64):
        rows = x[order[start : start + 64]]
        down, decode = through(net, rows)
        up = decode(down[-1])
        grads_up, grad_code = backward(net[3:], up, 2 * (up[-1] - rows) / rows.size)
        grads_down, _ = backward(net[:3], down, grad_code)
        step += 1
        adam(net, grads_down + grads_up, $lr, step)

code, decode = through(net, x_test)
answer = ((decode(code[-1])[-1] - x_test) ** 2).mean()
"""

_DEEP_TORCH = """
rng = np.random.default_rng($seed)
net = nn.Sequential(network(64, 128, 64, $k), network($k, 64, 128, 64))
loss, optimizer = nn.MSELoss(), torch.optim.Adam(net.parameters(), lr=$lr)
x, x_test = torch.from_numpy(x), torch.from_numpy(x_test)
for epoch in range(60):
    for rows in x[rng.permutation(len(x))].split(64):
        optimizer.zero_grad()
        loss(net(rows), rows).backward()
        optimizer.step()

with torch.no_grad():
    answer = loss(net(x_test), x_test)
"""


# ------------------------------------------------------------------------------------------- the noise

GAUSSIAN, BLANKED = "Gaussian", "blanked pixels"
LEVELS = np.linspace(0, 1, 11)


@cache
def _denoiser(trained_at):
    """64-128-64, wider than its input, trained on ten noisy copies of the training digits."""
    x, rng = _digits().x_train, np.random.default_rng(0)
    model = mlp(rng, 64, 128, 64, dtype=np.float64)
    clean = np.tile(x, (10, 1))
    noisy = clean + trained_at * rng.standard_normal(clean.shape)
    fit(model, noisy, clean, loss=mse_loss, optimizer=adam, lr=2e-3, epochs=5, batch_size=64, rng=rng)
    return model


def _spoil(x, level, kind, seed):
    rng = np.random.default_rng(seed)
    if kind == GAUSSIAN:
        return x + level * rng.standard_normal(x.shape)
    return x * (rng.uniform(size=x.shape) >= level)


@cache
def _noise_curves(trained_at, kind):
    x = _digits().x_test
    spoiled = [_spoil(x, level, kind, 0) for level in LEVELS]
    model = _denoiser(trained_at)
    return np.array([[((s - x) ** 2).mean(), ((model(s) - x) ** 2).mean()] for s in spoiled]).T


TOP = 0.175  # of the error axis; a dot on this edge lies above, and its error is told in words


def denoising():
    def compute(level, trained_at, kind, seed):
        x = _digits().x_test
        noisy = _spoil(x, level, kind, seed)
        rebuilt = _denoiser(trained_at)(noisy)
        return {
            "pictures": (x[:8], noisy[:8], rebuilt[:8]),
            "level": level,
            "before": ((noisy - x) ** 2).mean(),
            "after": ((rebuilt - x) ** 2).mean(),
            "curves": _noise_curves(trained_at, kind),
        }

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.3, 1))
        artists = {"image": _gallery(left, ["clean", "input", "rebuilt"], 8)}
        left.set_title("Eight of 540 test digits")
        right.set(xlim=(0, 1), ylim=(0, TOP), xlabel="noise level", ylabel="mean squared error")
        right.set_title("Distance to the clean picture")
        artists["before"] = right.plot([], [], color=figures.GRAY, ls=":", label="input")[0]
        artists["after"] = right.plot([], [], color=figures.BLUE, label="rebuilt")[0]
        artists["points"] = right.plot([], [], "o", color="black", ms=7, clip_on=False, in_layout=False)[0]
        artists["beyond"] = right.text(0, 0.98 * TOP, "", fontsize=9, ha="center", va="top")
        artists["beyond"].set_bbox(dict(fc="white", ec="none", alpha=0.8, pad=1))
        right.legend(loc="upper left")
        return artists

    def draw(artists, r):
        artists["image"].set_data(_mosaic(*r["pictures"]))
        for name, curve in zip(("before", "after"), r["curves"]):
            artists[name].set_data(LEVELS, curve)
        errors = np.array([r["before"], r["after"]])
        artists["points"].set_data([r["level"]] * 2, np.minimum(errors, TOP))
        above = [f"{n} {e:.2f}" for n, e in zip(("input", "rebuilt"), errors) if e > TOP]
        artists["beyond"].set_text(f"↑ {', '.join(above)}" if above else "")
        artists["beyond"].set_x(np.clip(r["level"], 0.6, 0.75))

    def note(values, r):
        errors = f"error of the input {r['before']:.3f}, rebuilt {r['after']:.3f}"
        if r["after"] >= r["before"]:
            return f"{errors}: no better than it came"
        return f"{errors}, {r['after'] / r['before']:.2f} of the noise is left"

    return Explorer(
        "Noise: how much of it does the autoencoder take out?",
        dict(
            level=Slider(0, 1, 0.3, "noise level"),
            trained_at=Choice((0.0, 0.25, 0.5), 0.0, "noise level in training"),
            kind=Choice((GAUSSIAN, BLANKED), GAUSSIAN, "kind of noise"),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "Gaussian noise at a level of exactly 0.5: leave at most 0.15 of it",
            lambda values, r: (
                values["kind"] == GAUSSIAN and values["level"] == 0.5 and r["after"] <= 0.15 * r["before"]
            ),
        ),
        code={
            "numpy": _DATA + "\nrng = np.random.default_rng(0)\n" + _NUMPY + _NOISE_NUMPY,
            "torch": _DATA + "\nrng = np.random.default_rng(0)\n" + _TORCH + _NOISE_TORCH,
        },
        answer=lambda r: r["after"],
    )


_NOISE_NUMPY = """
net = layers(64, 128, 64)
clean = np.tile(x, (10, 1))
noisy = clean + $trained_at * rng.standard_normal(clean.shape)
step = 0
for epoch in range(5):
    order = rng.permutation(len(clean))
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        inputs = forward(net, noisy[rows])
        grad = 2 * (inputs[-1] - clean[rows]) / clean[rows].size
        step += 1
        adam(net, backward(net, inputs, grad)[0], 2e-3, step)

rng = np.random.default_rng($seed)
if $kind == "Gaussian":
    spoiled = x_test + $level * rng.standard_normal(x_test.shape)
else:
    spoiled = x_test * (rng.uniform(size=x_test.shape) >= $level)
answer = ((forward(net, spoiled)[-1] - x_test) ** 2).mean()
"""

_NOISE_TORCH = """
net = network(64, 128, 64)
loss, optimizer = nn.MSELoss(), torch.optim.Adam(net.parameters(), lr=2e-3)
clean = torch.from_numpy(x).repeat(10, 1)
noisy = clean + $trained_at * torch.from_numpy(rng.standard_normal(tuple(clean.shape)))
for epoch in range(5):
    for rows in torch.from_numpy(rng.permutation(len(clean))).split(64):
        optimizer.zero_grad()
        loss(net(noisy[rows]), clean[rows]).backward()
        optimizer.step()

rng, target = np.random.default_rng($seed), torch.from_numpy(x_test)
if $kind == "Gaussian":
    spoiled = target + $level * torch.from_numpy(rng.standard_normal(x_test.shape))
else:
    spoiled = target * torch.from_numpy(rng.uniform(size=x_test.shape) >= $level)
with torch.no_grad():
    answer = loss(net(spoiled), target)
"""


# --------------------------------------------------------------------------------------- the threshold

UNSEEN, BLENDS, NOISE = "a digit left out of training", "blends of two digits", "uniform noise"


@cache
def _without(digit):
    """PCA of the training digits but one (or of all, for None)."""
    x, y, *_ = _digits()
    return pca(x[y != digit], 64)


def threshold():
    bins = np.geomspace(1e-5, 0.5, 60)

    def compute(kind, digit, k, alarms):
        _, _, x_test, y_test = _digits()
        mean, components = _without(digit if kind == UNSEEN else None)
        rng = np.random.default_rng(0)
        if kind == UNSEEN:
            normal, odd = x_test[y_test != digit], x_test[y_test == digit]
        else:
            blends = (x_test + x_test[rng.permutation(len(x_test))]) / 2
            normal, odd = x_test, blends if kind == BLENDS else rng.uniform(size=x_test.shape)
        error = []
        for part in (normal, odd):
            centered = part - mean
            outside = (centered**2).sum(axis=1) - ((centered @ components[:k].T) ** 2).sum(axis=1)
            error.append(np.maximum(outside, 0) / 64)
        cut = np.quantile(error[0], 1 - alarms, method="higher")
        steps = np.concatenate([[np.inf], np.sort(np.concatenate(error))[::-1]])
        rates = [1 - np.searchsorted(np.sort(e), steps, side="left") / len(e) for e in error]
        label = np.arange(len(normal) + len(odd)) >= len(normal)
        return {
            "counts": [np.histogram(np.clip(e, bins[0], bins[-1]), bins)[0] / len(e) for e in error],
            "cut": cut,
            "roc": rates,
            "at": [(e > cut).mean() for e in error],
            "auc": roc_auc.unchecked(np.concatenate(error), label),
        }

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1.6, 1))
        left.set(xlim=(1e-5, 0.5), ylim=(0, 0.6), xscale="log", ylabel="share of the pictures")
        left.set_xlabel("reconstruction error (log, cut at 10⁻⁵)")
        left.set_title("Whatever lies right of the line raises an alarm")
        artists = {}
        for name, color, hatch in (("normal", figures.BLUE, ""), ("odd", figures.VERMILLION, "///")):
            style = dict(fill=True, fc=(color, 0.25), ec=color, hatch=hatch, label=name)
            artists[name] = left.stairs(np.zeros(len(bins) - 1), bins, **style)
        artists["cut"] = left.axvline(0.01, color="black", ls="--")
        left.legend(loc="upper left")
        right.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        right.set(xlabel="false alarms, share of the normal", ylabel="caught, share of the odd")
        right.set_title("ROC: every threshold")
        right.plot([0, 1], [0, 1], color=figures.GRAY, ls=":")
        artists["roc"] = right.plot([], [], color=figures.BLUE)[0]
        artists["point"] = right.plot([], [], "o", color="black", ms=8, clip_on=False, in_layout=False)[0]
        artists["auc"] = right.text(0.97, 0.05, "", ha="right")
        return artists

    def draw(artists, r):
        for name, counts in zip(("normal", "odd"), r["counts"]):
            artists[name].set_data(counts)
        highest = max(max(counts) for counts in r["counts"])
        artists["cut"].axes.set_ylim(0, max(0.6, np.ceil(5 * highest) / 5))  # seldom: new limits are slow
        artists["cut"].set_xdata([np.clip(r["cut"], bins[0], bins[-1])] * 2)
        artists["roc"].set_data(*r["roc"])
        artists["point"].set_data([r["at"][0]], [r["at"][1]])
        artists["auc"].set_text(f"area {r['auc']:.2f}")
        free = (0.97, 0.05) if r["auc"] >= 0.5 else (0.45, 0.9)  # where the curve is not
        artists["auc"].set_position(free)

    def note(values, r):
        alarms, caught = (100 * share for share in r["at"])
        return (
            f"alarms: {alarms:.1f} % of the normal, {caught:.1f} % of the odd pictures; area {r['auc']:.3f}"
        )

    return Explorer(
        "The threshold: which pictures are anomalies?",
        dict(
            kind=Choice((UNSEEN, BLENDS, NOISE), UNSEEN, "odd pictures"),
            digit=IntSlider(0, 9, 1, "digit left out"),
            k=IntSlider(1, 63, 2, "numbers in the code, k"),
            alarms=LogSlider(0.005, 0.5, 0.05, "false alarms allowed"),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        idle=lambda values: set() if values["kind"] == UNSEEN else {"digit"},
        goal=Goal(
            "catch 70 % of a digit left out, with at most 5 % false alarms",
            lambda values, r: values["kind"] == UNSEEN and r["at"][1] >= 0.7 and r["at"][0] <= 0.05,
        ),
        code={
            "numpy": _DATA + _THRESHOLD_DATA + _THRESHOLD_NUMPY,
            "torch": _DATA + _THRESHOLD_DATA + _THRESHOLD_TORCH,
        },
        answer=lambda r: r["auc"],
    )


_THRESHOLD_DATA = """
unseen = $kind == "a digit left out of training"
seen = x[y != $digit] if unseen else x
rng = np.random.default_rng(0)
if unseen:
    normal, odd = x_test[y_test != $digit], x_test[y_test == $digit]
elif $kind == "blends of two digits":
    normal, odd = x_test, (x_test + x_test[rng.permutation(len(x_test))]) / 2
else:
    rng.permutation(len(x_test))
    normal, odd = x_test, rng.uniform(size=x_test.shape)
"""

_THRESHOLD_NUMPY = """
mean = seen.mean(axis=0)
components = np.linalg.svd(seen - mean, full_matrices=False)[2][:$k]
error = [(((p - mean) @ components.T @ components + mean - p) ** 2).mean(axis=1) for p in (normal, odd)]
threshold = np.quantile(error[0], 1 - $alarms, method="higher")
caught = (error[1] > threshold).mean()
answer = (error[1][:, None] > error[0]).mean()            # the area: how often the odd one errs more
"""

_THRESHOLD_TORCH = """
import torch

normal, odd, seen = map(torch.from_numpy, (normal, odd, seen))
vectors = torch.linalg.eigh(torch.cov(seen.T)).eigenvectors[:, -$k:]
rebuild = lambda p: (p - seen.mean(0)) @ vectors @ vectors.T + seen.mean(0)
error_normal, error_odd = ((rebuild(p) - p).square().mean(1) for p in (normal, odd))
threshold = error_normal.quantile(1 - $alarms, interpolation="higher")
caught = (error_odd > threshold).double().mean()
answer = (error_odd[:, None] > error_normal).double().mean()
"""


# ------------------------------------------------------------------------------------------- collapse


def collapse():
    size, count = 20, 12

    def compute(beta, noise, first):
        x, _, x_test, _ = _digits()
        mean, components, *_ = _principal()
        variances = _variances()[:size]
        level = beta * noise
        kept = np.maximum(1 - level / variances, 0)  # of each component, what the best linear VAE rebuilds
        kl = 0.5 * np.log(np.maximum(variances / level, 1))
        centered = x_test - mean
        rebuilt = centered @ components[:size].T * kept @ components[:size] + mean
        return {
            "level": level,
            "kl": kl,
            "active": int((kl > 0).sum()),
            "pictures": (x_test[first : first + count], rebuilt[first : first + count]),
            "error": ((rebuilt - x_test) ** 2).mean(),
        }

    def setup(fig):
        left, middle, right = figures.axes(fig, 1, 3, width_ratios=(1, 1, 1.5))
        units = np.arange(1, size + 1)
        left.bar(units, _variances()[:size], color=figures.GRAY, width=0.7)
        left.set(yscale="log", ylim=(1e-3, 3), xlabel="unit", ylabel="variance (log scale)")
        left.set_title("Data along each unit")
        artists = {
            "level": left.axhline(0.1, color=figures.VERMILLION, ls="--"),
            "name": left.text(
                size,
                0.1,
                "",
                color=figures.VERMILLION,
                ha="right",
                va="bottom",
                bbox=dict(fc="white", ec="none", pad=1),
            ),
        }
        middle.set(xlim=(0, size + 1), ylim=(0, 6), xlabel="unit", ylabel="KL, nats")
        middle.set_title("What each unit says")
        artists["kl"] = list(middle.bar(units, np.zeros(size), color=figures.BLUE, width=0.7))
        artists["active"] = middle.text(size, 5.6, "", ha="right")
        artists["image"] = _gallery(right, BLOCKS, count // 2)
        right.set_title("Rebuilt")
        return artists

    def draw(artists, r):
        artists["level"].set_ydata([r["level"]] * 2)
        artists["name"].set_y(np.clip(r["level"] * 1.05, 1.05e-3, 1.6))  # below the title
        where = "↓ " if r["level"] < 1e-3 else "↑ " if r["level"] > 3 else ""
        artists["name"].set_text(f"{where}β · noise = {r['level']:.2g}")
        for bar, kl in zip(artists["kl"], r["kl"]):
            bar.set_height(kl)
        artists["active"].set_text(f"{r['active']} of {size} units in use")
        artists["image"].set_data(_blocks(*r["pictures"]))

    return Explorer(
        "Collapse: which units are worth their price?",
        dict(
            beta=LogSlider(0.01, 100, 1.0, "β, the price of the code"),
            noise=LogSlider(0.002, 0.2, 0.02, "variance of the pixels' noise"),
            first=IntSlider(0, 500, 0, "first picture"),
        ),
        setup,
        draw,
        compute=compute,
        note=lambda values, r: (
            f"{r['active']} of {size} units in use, {r['kl'].sum():.1f} nats per picture, "
            f"mean squared error {r['error']:.3f}"
        ),
        goal=Goal(
            "exactly 3 units in use",
            lambda values, r: r["active"] == 3,
        ),
        code={"numpy": _DATA + _COLLAPSE_NUMPY, "torch": _DATA + _COLLAPSE_TORCH},
        answer=lambda r: r["kl"].sum() + r["pictures"][1].mean(),
    )


@cache
def _variances():
    mean, components, *_ = _principal()
    return (((_digits().x_train - mean) @ components.T) ** 2).mean(axis=0)


_COLLAPSE_NUMPY = """
mean = x.mean(axis=0)
_, s, components = np.linalg.svd(x - mean, full_matrices=False)
variances, components = s[:20] ** 2 / len(x), components[:20]
level = $beta * $noise
kept = np.maximum(1 - level / variances, 0)               # what the best linear VAE rebuilds
kl = 0.5 * np.log(np.maximum(variances / level, 1))       # 0 for a unit that says nothing
rebuilt = (x_test[$first : $first + 12] - mean) @ components.T * kept @ components + mean
answer = kl.sum() + rebuilt.mean()
"""

_COLLAPSE_TORCH = """
import torch

x, x_test = torch.from_numpy(x), torch.from_numpy(x_test)
variances, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
variances, vectors = variances[-20:], vectors[:, -20:]
level = $beta * $noise
weight = vectors * (variances - level).clamp(min=0).sqrt()                       # the decoder
encoder = torch.linalg.solve(weight.T @ weight + level * torch.eye(20), weight.T)
q = torch.distributions.Normal((x - x.mean(0)) @ encoder.T, (level / variances.clamp(min=level)).sqrt())
kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean(0)
rebuilt = (x_test[$first : $first + 12] - x.mean(0)) @ encoder.T @ weight.T + x.mean(0)
answer = kl.sum() + rebuilt.mean()
"""


# --------------------------------------------------------------------------------------- two gradients


def two_gradients():
    runs, bins = 4000, np.linspace(-40, 40, 81)

    def compute(mu, std, samples, shift, seed):
        noise = np.random.default_rng(seed).standard_normal((runs, samples))
        z = mu + std * noise
        through = (2 * (z - 2)).mean(axis=1)
        score = (((z - 2) ** 2 + shift) * noise / std).mean(axis=1)
        return {"true": 2 * (mu - 2), "through": through, "score": score, "z": z[0, :50], "shift": shift}

    def setup(fig):
        left, right = figures.axes(fig, 1, 2, width_ratios=(1, 1.3))
        line = np.linspace(-5, 7, 121)
        left.set(xlim=(-5, 7), ylim=(-20, 50), xlabel="z", ylabel="f(z)")
        left.set_title("f at up to 50 samples of z")
        artists = {
            "curve": left.plot(line, (line - 2) ** 2, color=figures.GRAY)[0],
            "points": left.plot([], [], "o", color="black", ms=4, alpha=0.5)[0],
        }
        right.set(xlim=(-40, 40), ylim=(0, 1.4), yticks=[])  # with room for the names
        right.set_xlabel("estimate of the slope for mu (at the edge: beyond)")
        right.set_title(f"{runs:,} estimates, each from fresh samples")
        for name, color, hatch, text in (
            ("score", figures.VERMILLION, "///", "score function"),
            ("through", figures.BLUE, "", "reparameterized"),
        ):
            style = dict(fill=True, fc=(color, 0.25), ec=color, hatch=hatch, label=text)
            artists[name] = right.stairs(np.zeros(80), bins, **style)
        artists["true"] = right.axvline(0, color="black", ls="--", lw=1.2)
        right.legend(loc="upper left")
        artists["ratio"] = right.text(39, 1.27, "", ha="right")
        return artists

    def draw(artists, r):
        line = artists["curve"].get_xdata()
        artists["curve"].set_ydata((line - 2) ** 2 + r["shift"])
        artists["points"].set_data(r["z"], (r["z"] - 2) ** 2 + r["shift"])
        for name in ("score", "through"):
            counts = np.histogram(np.clip(r[name], -39.9, 39.9), bins)[0]
            artists[name].set_data(counts / counts.max())
        artists["true"].set_xdata([r["true"]] * 2)
        artists["ratio"].set_text(f"variance × {r['score'].var() / r['through'].var():,.0f}")

    def note(values, r):
        return (
            f"true slope {r['true']:z.1f}; mean ± spread: reparameterized {r['through'].mean():z.1f} ± "
            f"{r['through'].std():.2f}, score function {r['score'].mean():z.1f} ± {r['score'].std():.2f}"
        ).replace("-", "−")

    return Explorer(
        "Two ways to differentiate through chance",
        dict(
            mu=Slider(-3, 5, -1.0, "mu"),
            std=LogSlider(0.1, 2, 1.0, "standard deviation"),
            samples=IntSlider(1, 200, 1, "samples per estimate"),
            shift=Slider(-20, 20, 0.0, "added to f", step=0.5),
            seed=Seed(),
        ),
        setup,
        draw,
        compute=compute,
        note=note,
        goal=Goal(
            "at mu = −1 and standard deviation 1, a variance of at most 25 times the other",
            lambda values, r: (
                values["mu"] == -1 and values["std"] == 1 and r["score"].var() <= 25 * r["through"].var()
            ),
        ),
        code={"numpy": _SLOPE_NUMPY, "torch": _SLOPE_TORCH},
        answer=lambda r: r["score"].mean() + 1000 * r["through"].mean(),
    )


_SLOPE_NUMPY = """
import numpy as np

noise = np.random.default_rng($seed).standard_normal((4000, $samples))
z = $mu + $std * noise
through = (2 * (z - 2)).mean(axis=1)                              # f'(z), since dz / d mu = 1
score = (((z - 2) ** 2 + $shift) * noise / $std).mean(axis=1)     # f(z) times d log q(z) / d mu
answer = score.mean() + 1000 * through.mean()
"""

_SLOPE_TORCH = """
import numpy as np
import torch

noise = torch.from_numpy(np.random.default_rng($seed).standard_normal((4000, $samples)))

def slope(loss):                                                  # one mu per estimate
    mu = torch.full((4000, 1), float($mu), dtype=torch.float64, requires_grad=True)
    loss(torch.distributions.Normal(mu, $std)).mean(1).sum().backward()
    return mu.grad[:, 0]

f = lambda z: (z - 2) ** 2 + $shift
through = slope(lambda q: f(q.mean + q.stddev * noise))           # what q.rsample() does
score = slope(lambda q: f((z := (q.mean + q.stddev * noise).detach())) * q.log_prob(z))
answer = score.mean() + 1000 * through.mean()
"""
