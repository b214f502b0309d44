"""Points in the plane with class labels, made on the spot.

Every function takes the number of points, the noise and a generator, and returns x (n, 2) and y (n,): points
in random order, each class as often as the others (give or take one), labels 0, 1, 2 … Noise is the standard
deviation of a Gaussian step added to each point. The same state of the generator gives the same points.
"""

import operator
from numbers import Real

import numpy as np


def spirals(n, noise, rng, classes=2, turns=1.0):
    """Spiral arms from the origin to the unit circle.

        x = r * (cos(a), sin(a)),   a = 2 pi * (turns * r + y / classes)

    Parameters
    ----------
    n : int >= classes
    noise : float >= 0
    rng : Generator
    classes : int >= 1
    turns : float     how often each arm winds around the origin; the more, the harder

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     which arm
    """
    classes = _count("spirals", "classes", classes, 1)
    n = _check("spirals", n, classes, rng, noise=noise)
    _number("spirals", "turns", turns)
    _hold("spirals", "turns", turns, np.isfinite(turns), "a finite number")
    y = _labels(n, classes, rng)
    r = np.sqrt(rng.uniform(size=n))  # without the root the outer windings would be thin
    x = r[:, None] * _unit(2 * np.pi * (turns * r + y / classes))
    return _blur(x, noise, rng), y


def moons(n, noise, rng):
    """Two half circles of radius 1, each with its end inside the other, together centered on the origin.

    Parameters
    ----------
    n : int >= 2
    noise : float >= 0
    rng : Generator

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     0 the upper moon, 1 the lower
    """
    n = _check("moons", n, 2, rng, noise=noise)
    y = _labels(n, 2, rng)
    upper = _unit(np.pi * rng.uniform(size=n)) - (0.5, 0.25)
    x = np.where(y[:, None] == 0, upper, -upper)  # half a turn maps one moon onto the other
    return _blur(x, noise, rng), y


def circles(n, noise, rng, factor=0.5):
    """A circle of radius `factor` inside the unit circle.

    Parameters
    ----------
    n : int >= 2
    noise : float >= 0
    rng : Generator
    factor : float in (0, 1)

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     0 the outer circle, 1 the inner
    """
    n = _check("circles", n, 2, rng, noise=noise)
    _number("circles", "factor", factor)
    _hold("circles", "factor", factor, 0 < factor < 1, "a number between 0 and 1")
    y = _labels(n, 2, rng)
    x = np.where(y == 0, 1, factor)[:, None] * _unit(2 * np.pi * rng.uniform(size=n))
    return _blur(x, noise, rng), y


def blobs(n, noise, rng, centers=((-1, -1), (1, 1))):
    """Gaussian clouds, one per center; the noise is their standard deviation.

    Parameters
    ----------
    n : int >= K
    noise : float >= 0
    rng : Generator
    centers : array (K, 2)

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     which center
    """
    centers = np.asarray(centers, dtype=float)
    if centers.ndim != 2 or centers.shape[1] != 2 or len(centers) == 0:
        raise ValueError(f"blobs: centers has shape {centers.shape}; expected (K, 2), one row per class")
    _hold("blobs", "centers", centers.tolist(), np.isfinite(centers).all(), "finite numbers")
    n = _check("blobs", n, len(centers), rng, noise=noise)
    y = _labels(n, len(centers), rng)
    return _blur(centers[y], noise, rng), y


def xor(n, noise, rng):
    """The corners (-1, -1), (-1, 1), (1, -1) and (1, 1), labeled by whether the two signs differ.

    Parameters
    ----------
    n : int >= 4     so that no corner is empty
    noise : float >= 0
    rng : Generator

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)     0 the signs agree, 1 they differ
    """
    n = _check("xor", n, 4, rng, noise=noise)
    corners = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)], dtype=float)
    corner = _labels(n, 4, rng)
    return _blur(corners[corner], noise, rng), np.array([0, 1, 1, 0])[corner]


def separable(n, margin, rng, normal=None):
    """Points uniform in [-1, 1]^2 on both sides of a line through 0, none nearer to it than the margin.

        y = 1 where  normal . x >= margin,     y = 0 where  normal . x <= -margin

    Parameters
    ----------
    n : int >= 2
    margin : float in [0, 0.9]     more would leave the square nearly empty
    rng : Generator
    normal : array (2,) or None    direction across the line, of length 1; None draws one from rng

    Returns
    -------
    x : array (n, 2)
    y : int array (n,)
    """
    n = _check("separable", n, 2, rng, margin=margin)
    _hold("separable", "margin", margin, margin <= 0.9, "at most 0.9")
    normal = _unit(2 * np.pi * rng.uniform()) if normal is None else np.asarray(normal, dtype=float)
    if normal.shape != (2,) or not np.isclose(np.linalg.norm(normal), 1):
        raise ValueError(f"separable: normal is {normal.tolist()}; expected a vector (2,) of length 1")
    y = _labels(n, 2, rng)
    x = np.empty((0, 2))
    while len(x) < n:
        draws = rng.uniform(-1, 1, size=(2 * n, 2))
        x = np.concatenate([x, draws[abs(draws @ normal) >= margin]])
    x = x[:n]
    wrong_side = (x @ normal > 0) != (y == 1)
    x[wrong_side] *= -1  # both sides of the square look alike, so mirrored points are as uniform as before
    return x, y


def _labels(n, classes, rng):
    return rng.permutation(np.arange(n) % classes)


def _unit(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _blur(x, noise, rng):
    return x + noise * rng.standard_normal(x.shape)


def _check(function, n, smallest, rng, **spread):
    for name, value in spread.items():  # the noise, or what stands in its place
        _number(function, name, value)
        _hold(function, name, value, 0 <= value < np.inf, "a finite number >= 0")
    if not isinstance(rng, np.random.Generator):
        kind = type(rng).__name__
        raise TypeError(f"{function}: rng is a {kind}; expected a Generator, e.g. np.random.default_rng(0)")
    return _count(function, "n", n, smallest)


def _number(function, name, value):
    if not isinstance(value, Real):
        raise TypeError(f"{function}: {name} is a {type(value).__name__}; expected a number")


def _count(function, name, value, smallest):
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {name} is {value!r}; expected a whole number") from None
    _hold(function, name, value, value >= smallest, f"at least {smallest}")
    return value


def _hold(function, name, value, condition, expected):
    if not condition:
        raise ValueError(f"{function}: {name} is {value}; expected {expected}")
