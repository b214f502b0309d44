"""Data for the notebooks: digits that ship with the course, toys made on the spot, larger sets on request.

    digits()                             1,797 images of 8 x 8 pixels; needs no network
    names()                              391 names of elements, constellations and minerals
    stories()                            the text of the language model: 3,800 short stories
    language_model_weights()             the language model that was trained on them
    spirals(n, noise, rng) and others    points in the plane with class labels
    mnist(), fashion_mnist()             70,000 images of 28 x 28 pixels, downloaded once and kept

Images come as a `Split` of x_train, y_train, x_test and y_test with pixels in [0, 1], toys as x (n, 2) and
y (n,). Labels are class numbers 0, 1, 2 … throughout. `data/README.md` names each set's source and license.
"""

from nnlib.data.bundled import KINDS, Names, digits, language_model_weights, names
from nnlib.data.downloaded import fashion_mnist, mnist
from nnlib.data.fetch import DownloadError
from nnlib.data.grammar import Stories, stories
from nnlib.data.split import Split
from nnlib.data.toys import blobs, circles, moons, separable, spirals, xor

__all__ = [
    "KINDS",
    "DownloadError",
    "Names",
    "Split",
    "Stories",
    "blobs",
    "circles",
    "digits",
    "fashion_mnist",
    "language_model_weights",
    "mnist",
    "moons",
    "names",
    "separable",
    "spirals",
    "stories",
    "xor",
]
