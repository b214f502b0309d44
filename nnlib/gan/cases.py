"""Inputs on which reference, twin and official operation must agree: sets of unequal size, extreme scores."""

from itertools import product

import numpy as np

from nnlib.core import Case

BOTH = ("minimax_discriminator", "least_squares_discriminator", "wasserstein_critic")
GENERATOR = tuple(
    f"{game}_generator" for game in ("minimax", "non_saturating", "least_squares", "wasserstein")
)
METHODS = ("simultaneous", "alternating", "extragradient", "optimistic")


def cases(rng):
    yield from losses(rng)
    yield from slopes(rng)
    yield from spectral(rng)
    yield from distributions(rng)
    yield from games(rng)
    yield from samples(rng)


def losses(rng):
    shapes = {"one score each": ((5,), (7,)), "a column": ((4, 1), (3, 1)), "patches": ((2, 3, 2), (4, 3, 2))}
    for name, (note, (n, m)) in product(BOTH, shapes.items()):
        yield Case(name, dict(real=rng.normal(0, 2, n), fake=rng.normal(0, 2, m)), note)
    for name, (note, (_, m)) in product(GENERATOR, shapes.items()):
        yield Case(name, dict(fake=rng.normal(0, 2, m)), note)
    extreme = np.array([-1000.0, -30.0, 0.0, 30.0, 1000.0])
    for name in BOTH:
        yield Case(name, dict(real=extreme, fake=extreme[:4]), "extreme")
    for name in GENERATOR:
        yield Case(name, dict(fake=extreme), "extreme")
    for label in (0.9, 0.5, 0.0):
        args = dict(real=rng.normal(0, 2, 6), fake=rng.normal(0, 2, 4), real_label=label)
        yield Case("minimax_discriminator", args, f"real_label {label}")
    args = dict(real=rng.normal(size=6), fake=rng.normal(size=4), a=-1.0, b=0.7)
    yield Case("least_squares_discriminator", args, "other targets")
    yield Case("least_squares_generator", dict(fake=rng.normal(size=4), c=-0.3), "another target")


def slopes(rng):
    for target in (1.0, 0.0, 2.5):
        yield Case("gradient_penalty", dict(grad=rng.normal(size=(5, 3)), target=target), f"target {target}")
    for note, row in {"a row of zeros": [0.0, 0.0], "a long row": [1e3, -1e3]}.items():
        yield Case("gradient_penalty", dict(grad=np.array([row, [3.0, 4.0]])), note)
    for note, (n, d, h) in {"plane": (6, 2, 5), "one sample": (1, 4, 3), "one unit": (3, 2, 1)}.items():
        args = dict(x=rng.normal(size=(n, d)), weight1=rng.normal(size=(h, d)), bias1=rng.normal(size=h))
        yield Case("input_gradient", {**args, "weight2": rng.normal(size=h)}, note)
    yield Case("input_gradient", {**args, "x": 1000 * args["x"], "weight2": rng.normal(size=1)}, "saturated")


def spectral(rng):
    for note, (o, d) in {"wide": (3, 5), "tall": (6, 2), "one row": (1, 4)}.items():
        weight = rng.normal(size=(o, d))
        for count in (1, 4):
            args = dict(weight=weight, v=rng.normal(size=d), n_power_iterations=count)
            yield Case("power_iteration", args, f"{note}, {count}")
        left, _, right = np.linalg.svd(weight)
        yield Case("spectral_norm", dict(weight=weight, u=left[:, 0], v=right[0]), f"{note}, exact")
        tilted = [s + 0.1 * rng.normal(size=s.shape) for s in (left[:, 0], right[0])]
        yield Case("spectral_norm", dict(weight=weight, u=tilted[0], v=tilted[1]), f"{note}, rough")


def distributions(rng):
    for shape in ((5,), (2, 3)):
        args = dict(log_p=rng.normal(0, 2, shape), log_q=rng.normal(0, 2, shape))
        yield Case("optimal_discriminator", args, f"{len(shape)} axes")
    extreme = dict(log_p=np.array([0.0, -1000.0, -1000.0, 5.0]), log_q=np.array([-1000.0, 0.0, -1000.0, 5.0]))
    yield Case("optimal_discriminator", extreme, "extreme")
    for k in (2, 6):
        p, q = rng.dirichlet(np.ones(k), size=2)
        yield Case("jensen_shannon", dict(log_p=np.log(p), log_q=np.log(q)), f"{k} outcomes")
    yield Case("jensen_shannon", dict(log_p=np.log(p), log_q=np.log(p)), "equal")
    never = np.array([-1000.0, 0.0])
    yield Case("jensen_shannon", dict(log_p=never, log_q=never[::-1].copy()), "they never meet")
    for n in (1, 8):
        yield Case("wasserstein_distance", dict(x=rng.normal(size=n), y=rng.normal(1, 2, n)), f"{n} samples")
    far = dict(x=np.array([1000.0, -1000.0, 3.0]), y=np.array([-2000.0, 0.5, 500.0]))
    yield Case("wasserstein_distance", far, "far apart")


def games(rng):
    for method, lr in product(METHODS, (0.1, 0.7)):
        x, y, last_x, last_y = rng.normal(size=(4, 3))
        args = dict(x=x, y=y, last_x=last_x, last_y=last_y, lr=lr, method=method)
        yield Case("bilinear_step", args, f"{method}, lr {lr}")
    yield Case("bilinear_step", {k: v for k, v in args.items() if k not in ("lr", "method")}, "defaults")


def samples(rng):
    centers = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    near = centers[rng.integers(0, 2, 12)] + rng.normal(0, 0.4, (12, 2))  # the third mode stays empty
    for radius in (0.2, 1.0, 100.0):
        args = dict(x=near, centers=centers, radius=radius)
        yield Case("mode_coverage", args, f"radius {radius}")
    sizes = {"plane": (8, 6, 2), "fewer rows than features": (3, 4, 6), "one feature": (5, 5, 1)}
    for note, (n, m, d) in sizes.items():
        x, y = rng.normal(size=(n, d)), rng.normal(1, 2, (m, d))
        yield Case("frechet_distance", dict(x=x, y=y), note)
        yield Case("nearest_distance", dict(x=x, y=y), note)
    yield Case("frechet_distance", dict(x=x, y=x[::-1].copy()), "the same set")
    yield Case("nearest_distance", dict(x=x, y=x[::-1].copy()), "copies")
    for k in (1, 3):
        real, fake = rng.normal(size=(12, 2)), rng.normal(0.7, 1.2, (9, 2))
        yield Case("precision_recall", dict(real=real, fake=fake, k=k), f"k {k}")
    yield Case("precision_recall", dict(real=real, fake=fake + 1000), "far apart")
    yield Case("precision_recall", dict(real=real, fake=real[:6].copy()), "copies of half")
