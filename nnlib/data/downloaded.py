"""MNIST and Fashion-MNIST: downloaded once, verified, kept in a cache."""

from typing import NamedTuple

import numpy as np

from nnlib.data.fetch import DownloadError, RemoteFile, cache_dir, fetch
from nnlib.data.idx import read_idx
from nnlib.data.split import Split, as_inputs, float_type


class Collection(NamedTuple):
    """Four IDX files: training images, training labels, test images, test labels."""

    name: str
    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, RemoteFile, RemoteFile, RemoteFile]


MNIST = Collection(
    "mnist",
    (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    (
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            9912422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            28881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            1648877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            4542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
)

FASHION_MNIST = Collection(
    "fashion_mnist",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
        "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    (
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            26421880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            29515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            4422102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            5148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
)


def mnist(dtype: type = np.float32, progress: bool = True) -> Split:
    """Handwritten digits, 28 x 28 pixels. The first call downloads 12 MB.

    Parameters
    ----------
    dtype : the float type of the pixels; float64 takes 440 MB
    progress : whether to show how far a download is

    Returns
    -------
    x_train : array (60000, 784)     pixels in [0, 1]; `x.reshape(-1, 28, 28)` gives pictures
    y_train : int array (60000,)     the digit, 0 to 9
    x_test : array (10000, 784)
    y_test : int array (10000,)

    Raises
    ------
    DownloadError : no mirror delivered, or the cache cannot be written; says which files to put where
    TypeError : dtype is not a float type

    References
    ----------
    LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition.
    """
    return load(MNIST, dtype, progress)


def fashion_mnist(dtype: type = np.float32, progress: bool = True) -> Split:
    """Pictures of clothes, 28 x 28 pixels, harder than digits. The first call downloads 31 MB.

    The classes: 0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag,
    9 ankle boot. Parameters, returned arrays and errors are those of `mnist`.

    References
    ----------
    Xiao, Rasul & Vollgraf (2017), arXiv:1708.07747.
    """
    return load(FASHION_MNIST, dtype, progress)


def load(collection: Collection, dtype: type, progress: bool) -> Split:
    """Fetch what is missing, then read the four files."""
    dtype = float_type(dtype)
    folder = cache_dir() / collection.name
    try:
        paths = [fetch(file, collection.mirrors, folder, progress) for file in collection.files]
    except OSError as error:  # no mirror delivered, or the folder cannot be written
        raise DownloadError(f"{error}\n\n{_advice(collection, folder)}") from None
    x_train, y_train, x_test, y_test = map(read_idx, paths)
    return Split(
        as_inputs(x_train, 255, dtype),
        y_train.astype(np.int64),
        as_inputs(x_test, 255, dtype),
        y_test.astype(np.int64),
    )


def _advice(collection, folder):
    files = [f"    {file.name}   {file.size:,} bytes, SHA-256 {file.sha256}" for file in collection.files]
    return "\n".join(
        [
            "With a network, try again: what has arrived is kept. Without one, bring these files",
            "another way and put them, as they are (.gz), into",
            f"    {folder}",
            *files,
            f"The environment variable NNLIB_CACHE names another folder to hold {collection.name}/.",
            "nnlib.data.digits() needs no network.",
        ]
    )
