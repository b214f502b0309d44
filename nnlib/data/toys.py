"""Points in the plane with class labels, made on the spot.

Every function takes the number of points, the noise and a generator, and returns x (n, 2) and y (n,): points in
random order, each class as often as the others (give or take one), labels 0, 1, 2, ... Noise is the standard
deviation of a Gaussian step added to each point. The same generator state gives the same points.
"""

import operator

import numpy as np

Toy = tuple[np.ndarray, np.ndarray]


def spirals(n: int, noise: float, rng: np.random.Generator, classes: int = 2, turns: float = 1.0) -> Toy:
    """Spiral arms that start at the origin and end on the unit circle.

        point = r * (cos(a), sin(a)),   a = 2 pi * (turns * r + y / classes)

    Parameters
    ----------
    n : number of points, >= classes
    noise : >= 0
    rng : Generator
    classes : number of arms, >= 1
    turns : how often an arm winds around the origin; each turn makes the problem harder

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     the arm, 0 to classes - 1
    """
    classes = _count("spirals", "classes", classes, 1)
    n = _check("spirals", n, classes, noise, rng)
    y = _labels(n, classes, rng)
    r = np.sqrt(rng.uniform(size=n))  # the root keeps the outer windings from thinning out
    x = r[:, None] * _unit(2 * np.pi * (turns * r + y / classes))
    return _blur(x, noise, rng), y


def moons(n: int, noise: float, rng: np.random.Generator) -> Toy:
    """Two interleaved half circles of radius 1, together centered on the origin.

    Parameters
    ----------
    n : number of points, >= 2
    noise : >= 0
    rng : Generator

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     0 the upper moon, 1 the lower
    """
    n = _check("moons", n, 2, noise, rng)
    y = _labels(n, 2, rng)
    upper = _unit(np.pi * rng.uniform(size=n)) - (0.5, 0.25)
    x = np.where(y[:, None] == 0, upper, -upper)  # half a turn about the origin maps one moon onto the other
    return _blur(x, noise, rng), y


def circles(n: int, noise: float, rng: np.random.Generator, factor: float = 0.5) -> Toy:
    """A circle inside the unit circle.

    Parameters
    ----------
    n : number of points, >= 2
    noise : >= 0
    rng : Generator
    factor : radius of the inner circle, in (0, 1)

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     0 the outer circle, 1 the inner
    """
    n = _check("circles", n, 2, noise, rng)
    _within("circles", "factor", factor, 0 < factor < 1, "a number between 0 and 1")
    y = _labels(n, 2, rng)
    x = np.where(y == 0, 1, factor)[:, None] * _unit(2 * np.pi * rng.uniform(size=n))
    return _blur(x, noise, rng), y


def blobs(n: int, noise: float, rng: np.random.Generator, centers=((-1, -1), (1, 1))) -> Toy:
    """Gaussian clouds, one per center; `noise` is their standard deviation.

    Parameters
    ----------
    n : number of points, >= number of centers
    noise : >= 0
    rng : Generator
    centers : array (K, 2)

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     the row of centers, 0 to K - 1
    """
    centers = np.asarray(centers, dtype=float)
    if centers.ndim != 2 or centers.shape[1] != 2:
        raise ValueError(f"blobs: centers has shape {centers.shape}; expected (K, 2), one row per class")
    n = _check("blobs", n, len(centers), noise, rng)
    y = _labels(n, len(centers), rng)
    return _blur(centers[y], noise, rng), y


def xor(n: int, noise: float, rng: np.random.Generator) -> Toy:
    """The four corners (-1, -1), (-1, 1), (1, -1), (1, 1); the class tells whether the two signs differ.

    Parameters
    ----------
    n : number of points, >= 4, so that no corner is empty
    noise : >= 0
    rng : Generator

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     0 the signs agree, 1 they differ
    """
    n = _check("xor", n, 4, noise, rng)
    signs = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)], dtype=float)
    corner = _labels(n, 4, rng)
    return _blur(signs[corner], noise, rng), np.array([0, 1, 1, 0])[corner]


def separable(n: int, margin: float, rng: np.random.Generator, normal=None) -> Toy:
    """Points uniform in [-1, 1]^2 on both sides of a line through the origin, none closer to it than the margin.

        y = 1 where  normal . x >= margin,     y = 0 where  normal . x <= -margin

    Parameters
    ----------
    n : number of points, >= 2
    margin : in [0, 0.9]; beyond that the square has hardly any room left
    rng : Generator
    normal : array (2,), perpendicular to the line, of length 1; None draws a random direction

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)
    """
    n = _check("separable", n, 2, margin, rng, noise_name="margin")
    _within("separable", "margin", margin, margin <= 0.9, "at most 0.9")
    if normal is None:
        normal = _unit(2 * np.pi * rng.uniform())
    normal = np.asarray(normal, dtype=float)
    if normal.shape != (2,) or not np.isclose(np.linalg.norm(normal), 1):
        raise ValueError(f"separable: normal is {normal.tolist()}; expected two numbers, a vector of length 1")
    y = _labels(n, 2, rng)
    x = np.empty((0, 2))
    while len(x) < n:
        draws = rng.uniform(-1, 1, size=(2 * n, 2))
        x = np.concatenate([x, draws[abs(draws @ normal) >= margin]])
    x = x[:n]
    other_side = (x @ normal > 0) != (y == 1)
    x[other_side] *= -1  # the square looks the same from both sides, so mirrored points are still uniform
    return x, y


def _labels(n, classes, rng):
    return rng.permutation(np.arange(n) % classes)


def _unit(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _blur(x, noise, rng):
    return x + noise * rng.standard_normal(x.shape)


def _check(function, n, smallest, noise, rng, noise_name="noise"):
    n = _count(function, "n", n, smallest)
    _within(function, noise_name, noise, 0 <= noise < np.inf, "a number >= 0")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"{function}: rng is a {type(rng).__name__}; expected a Generator, such as np.random.default_rng(0)"
        )
    return n


def _count(function, name, value, smallest):
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {name} is {value!r}; expected a whole number") from None
    _within(function, name, value, value >= smallest, f"at least {smallest}")
    return value


def _within(function, name, value, holds, expected):
    if not holds:
        raise ValueError(f"{function}: {name} is {value}; expected {expected}")
