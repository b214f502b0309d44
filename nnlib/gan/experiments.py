"""Headlines and the myth of notebook 18, each a function of a seed that fits on a screen."""

from math import inf, log

import numpy as np

from nnlib.evidence import Band, experiment
from nnlib.gan.explorers import CENTERS, players, points
from nnlib.gan.in_numpy import (
    jensen_shannon,
    minimax_discriminator,
    minimax_discriminator_backward,
    minimax_generator_backward,
    mode_coverage,
    non_saturating_generator_backward,
    optimal_discriminator,
)
from nnlib.layers import Linear, Player, ReLU, Sequential, Tanh, train_adversarial


def discriminator(width, activation, rng):
    """1-width-width-1."""
    layers = [Linear(1, width, rng=rng), activation(), Linear(width, width, rng=rng), activation()]
    return Sequential(*layers, Linear(width, 1, rng=rng))


def teach(judge, real, fake):
    """One step of a discriminator: better at telling these real samples from these generated ones."""
    scores = judge.model.forward(np.concatenate([real, fake]))
    grads = minimax_discriminator_backward.unchecked(np.float32(1), scores[: len(real)], scores[len(real) :])
    judge.model.backward(np.concatenate(grads), want_input=False)
    judge.step()


def log_normal(x, mean, std):
    """The logarithm of a Gaussian density."""
    return -(((x - mean) / std) ** 2) / 2 - np.log(std * np.sqrt(2 * np.pi))


@experiment(
    id="H46",
    kind="headline",
    claim="The best discriminator is p / (p + q), and its value is 2 · JS − log 4.",
    source="Goodfellow et al. (2014), arXiv:1406.2661, Proposition 1 and Theorem 1",
    settings="real N(0, 1), generated N(2, 1.5), D 1-32-32-1 tanh, Adam 5e-3, batch 512, 1,500 steps; value "
    "on 50,000 fresh samples of each",
    seeds=4,
    bands={
        "error of D, weighted by density": Band(0, 0.04),
        "value, distance from 2 · JS − log 4": Band(0, 0.02),
    },
)
def optimal(seed):
    rng = np.random.default_rng(seed)
    judge = discriminator(32, Tanh, rng)
    player = Player(judge, lr=5e-3, betas=(0.9, 0.999))

    def samples(n):
        draws = rng.standard_normal((2, n, 1), dtype=np.float32)
        return draws[0], 2 + 1.5 * draws[1]

    for _ in range(1500):
        teach(player, *samples(512))

    x = np.linspace(-6, 10, 1601)
    log_p, log_q = log_normal(x, 0, 1), log_normal(x, 2, 1.5)
    learned, best = 1 / (1 + np.exp(-judge(x[:, None])[:, 0])), optimal_discriminator(log_p, log_q)
    weight = np.exp(log_p) + np.exp(log_q)
    width = np.log(x[1] - x[0])  # densities times the width of a cell are probabilities
    value = -minimax_discriminator(*map(judge, samples(50_000)))
    theory = 2 * jensen_shannon(log_p + width, log_q + width) - log(4)
    return {
        "error of D, weighted by density": np.average(abs(learned - best), weights=weight),
        "value, distance from 2 · JS − log 4": abs(value - theory),
        "value": value,
        "theory": theory,
        "curves": (x, learned, best),
    }


def starve(seed, steps=1500):
    """Train D alone, far from the data; after steps 1, 2, 5, 10 … how strongly would each loss pull G?

    The generator is scale * z + shift. Its gradient has two numbers: for the scale and for the shift.
    """
    rng = np.random.default_rng(seed)
    judge = discriminator(64, ReLU, rng)
    player = Player(judge, lr=1e-3, betas=(0.9, 0.999))
    marks = {m * 10**k for m in (1, 2, 5) for k in range(4)} & set(range(steps)) | {steps}
    pull = {"saturating": {}, "non-saturating": {}}
    backwards = minimax_generator_backward, non_saturating_generator_backward
    noise = rng.standard_normal((10_000, 1), dtype=np.float32)  # to measure on
    for step in range(1, steps + 1):
        z = rng.standard_normal((256, 1), dtype=np.float32)
        teach(player, 0.3 * rng.standard_normal((256, 1), dtype=np.float32), 0.3 * z + 3)
        if step in marks:
            for name, backward in zip(pull, backwards):
                scores = judge.forward(0.3 * noise + 3).copy()
                grad_x = judge.backward(backward(np.float32(1), scores))
                pull[name][step] = float(np.hypot((grad_x * noise).sum(), grad_x.sum()))
    return pull


@experiment(
    id="H47",
    kind="headline",
    claim="A good discriminator starves the saturating generator; the non-saturating one it feeds.",
    source="Arjovsky & Bottou (2017), arXiv:1701.04862, section 2",
    settings="data N(0, 0.3), generator 0.3·z + 3 kept fixed; D 1-64-64-1 ReLU, Adam 1e-3, batch 256; norm "
    "of the generator's gradient after 1,500 steps ÷ after 10",
    seeds=5,
    bands={"saturating": Band(0, 2, unit="%"), "non-saturating": Band(100, inf, unit="%")},
)
def starved_generator(seed):
    pull = starve(seed)
    return {name: 100 * norms[1500] / norms[10] for name, norms in pull.items()} | {"pull": pull}


def shares(seed, rates, steps=3000, every=50):
    """The share of generated points on a peak of the ring, after every 50 steps of training."""
    rng = np.random.default_rng(seed)
    models, noise = players(32, rng), rng.standard_normal((1000, 2))
    game = train_adversarial(*models, points("ring of 8"), steps=steps, lr=rates, rng=rng, every=every)
    centers = CENTERS["ring of 8"]
    return [float(mode_coverage.unchecked(models[0](noise), centers, 0.15)[1]) for _ in game]


def falls(values, high=0.5, low=0.1):
    """How often a curve that had reached `high` falls to `low`."""
    count, up = 0, False
    for value in values:
        count += up and value <= low
        up = value >= high or (up and value > low)
    return count


@experiment(
    id="M63",
    kind="myth",
    claim="A GAN produces ever more realistic samples.",
    verdict="misleading",
    truth="Nothing guarantees it: with a generator that outruns its opponent the quality comes and goes.",
    settings="the fixed generator of H47; ring of 8, generator and discriminator 2-32-32, Adam, batch 128, "
    "3,000 steps; a point within 0.15 of a center is on a peak, measured every 50 steps; rates G 0.01 and "
    "D 0.001, then both 0.01",
    seeds=5,
    bands={
        "fixed generator, saturating: gradient at the end ÷ at step 10": Band(0, 2, unit="%"),
        "fixed generator, non-saturating": Band(300, inf, unit="%"),
        "G ten times as fast: falls from half on a peak to a tenth": Band(2, inf, unit="times", digits=0),
        "both as fast: share on a peak, last 1,000 steps": Band(65, 100, unit="%"),
    },
)
def ever_more_realistic(seed):
    fast, fair, starved = shares(seed, (1e-2, 1e-3)), shares(seed, (1e-2, 1e-2)), starved_generator(seed)
    return {
        "fixed generator, saturating: gradient at the end ÷ at step 10": starved["saturating"],
        "fixed generator, non-saturating": starved["non-saturating"],
        "G ten times as fast: falls from half on a peak to a tenth": falls(fast),
        "both as fast: share on a peak, last 1,000 steps": 100 * float(np.mean(fair[-20:])),
        "shares": {"G ten times as fast": fast, "both as fast": fair},
    }
