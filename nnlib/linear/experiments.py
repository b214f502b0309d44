"""What the course claims about itself, and what papers and myths claim about networks that run forward."""

from math import inf

import numpy as np

from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import Linear, Sequential, Tanh, fit
from nnlib.losses.in_numpy import mse_loss
from nnlib.optimizers.in_numpy import adam


@experiment(
    id="H01",
    kind="headline",
    claim="The same training run twice, by hand in NumPy and in PyTorch, gives the same network.",
    source="House result: what the two columns of every notebook rest on",
    settings="digits, 64-32-10 tanh, float64, cross-entropy, batch 64, SGD 0.1 momentum 0.9, 10 epochs, same "
    "start, same order",
    seeds=3,
    bands={
        "largest difference of any weight": Band(0, 1e-10),
        "largest difference of any epoch's loss": Band(0, 1e-10),
        "test accuracy, NumPy": Band(94, 100, unit="%", digits=3),
        "test accuracy, PyTorch": Band(94, 100, unit="%", digits=3),
    },
)
def same_training_twice(seed):
    import torch
    from torch.nn import functional as F

    x, y, x_test, y_test = digits(np.float64)
    rng = np.random.default_rng(seed)
    model = Sequential(
        Linear(64, 32, rng=rng, dtype=np.float64), Tanh(), Linear(32, 10, rng=rng, dtype=np.float64)
    )
    start, order = model.params.copy(), np.random.default_rng(seed)

    # By hand: layers with a backward of their own.
    history = fit(model, x, y, lr=0.1, momentum=0.9, epochs=10, batch_size=64, rng=order)

    # With autograd: the same start, the same order, PyTorch's layers, loss and optimizer.
    twin = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10)).double()
    torch.nn.utils.vector_to_parameters(torch.tensor(start), twin.parameters())
    optimizer, order = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9), np.random.default_rng(seed)
    x_torch, y_torch = torch.tensor(x), torch.tensor(y)
    losses = [F.cross_entropy(twin(x_torch), y_torch).item()]
    for _ in range(10):
        for rows in torch.tensor(order.permutation(len(x))).split(64):
            optimizer.zero_grad()
            F.cross_entropy(twin(x_torch[rows]), y_torch[rows]).backward()
            optimizer.step()
        losses.append(F.cross_entropy(twin(x_torch), y_torch).item())

    weights = torch.nn.utils.parameters_to_vector(twin.parameters()).detach().numpy()
    answers = model(x_test).argmax(axis=1), twin(torch.tensor(x_test)).argmax(dim=1).numpy()
    return {
        "largest difference of any weight": np.abs(model.params - weights).max(),
        "largest difference of any epoch's loss": np.abs(np.array(history.loss) - losses).max(),
        "test accuracy, NumPy": 100 * (answers[0] == y_test).mean(),
        "test accuracy, PyTorch": 100 * (answers[1] == y_test).mean(),
        "losses": {"NumPy": history.loss, "PyTorch": losses},
        "weights": {"NumPy": model.params, "PyTorch": weights},
    }


# --------------------------------------------------------------------------- what one hidden layer can do

BENDS = {"tanh": np.tanh, "ReLU": lambda z: np.maximum(z, 0), "x²": np.square, "x³": lambda z: z * z * z}
INSIDE = np.linspace(-np.pi, np.pi, 400)  # where the networks are fitted


def wave(x):
    """The function to approximate: its waves grow away from 0."""
    return np.sin(3 * x) * np.abs(x)


def random_units(f, width, rng):
    """A hidden layer that is drawn and never trained: from x (N,) to (N, width + 1), the last column 1."""
    weight, bias = 2 * rng.normal(size=width), rng.uniform(-6, 6, width)
    return lambda x: np.column_stack([f(np.outer(x, weight) + bias), np.ones(len(x))])


def best_outputs(hidden, x, y):
    """A network: the output weights with the smallest squared error on top of a hidden layer."""
    weight = np.linalg.lstsq(hidden(x), y, rcond=1e-10)[0]
    return lambda x: hidden(x) @ weight


def rmse(network, x):
    return np.sqrt(np.mean((network(x) - wave(x)) ** 2))


@experiment(
    id="H05",
    kind="headline",
    claim="One hidden layer follows a wave with tanh or ReLU units; with x² or x³ more units do not help.",
    source="Cybenko (1989); Hornik, Stinchcombe & White (1989); Leshno, Lin, Pinkus & Schocken (1993)",
    settings="sin(3x)·|x| at 400 points in [−π, π]; random hidden units (weights 2·N(0, 1), biases "
    "U(−6, 6)), output weights by least squares; 4, 16, 64, 256 units",
    seeds=10,
    bands={
        "tanh, 256 units: error": Band(0, 0.01),
        "ReLU, 256 units: error": Band(0, 0.05, over="mean"),
        "x²: error with 256 units ÷ with 4": Band(0.99, 1.01, digits=3),
        "x³: error with 256 units ÷ with 4": Band(0.99, 1.01, digits=3),
    },
)
def universal_approximation(seed):
    widths, errors = (4, 16, 64, 256), {}
    for name, f in BENDS.items():
        networks = [
            best_outputs(random_units(f, width, np.random.default_rng(seed)), INSIDE, wave(INSIDE))
            for width in widths
        ]
        errors[name] = [rmse(network, INSIDE) for network in networks]
    return {
        "tanh, 256 units: error": errors["tanh"][-1],
        "ReLU, 256 units: error": errors["ReLU"][-1],
        "x²: error with 256 units ÷ with 4": errors["x²"][-1] / errors["x²"][0],
        "x³: error with 256 units ÷ with 4": errors["x³"][-1] / errors["x³"][0],
        "widths": widths,
        "errors": errors,
    }


@experiment(
    id="M11",
    kind="myth",
    claim="One hidden layer approximates any continuous function.",
    verdict="misleading",
    truth="On a closed and bounded region, with enough units, and with a continuous activation that is no "
    "polynomial. That such weights exist does not mean that training finds them.",
    settings="as H05, with 4 and 256 units; outside is [π, 3π/2]; trained: all weights of 256 tanh units, "
    "hidden ones drawn in the same way, by 500 full-batch steps of Adam 0.01",
    seeds=10,
    bands={
        "tanh, 256 units: error": Band(0, 0.01),
        "ReLU, 256 units: error": Band(0, 0.05),
        "x²: error with 256 units ÷ with 4": Band(0.99, 1.01, digits=3),
        "x³: error with 256 units ÷ with 4": Band(0.99, 1.01, digits=3),
        "tanh, 256 units: error outside": Band(1, inf),
        "tanh, trained: error ÷ that of the best output weights": Band(10, inf),
    },
)
def any_function(seed):
    outside, errors = np.linspace(np.pi, 1.5 * np.pi, 200), {}
    for name, f in BENDS.items():
        rng = np.random.default_rng(seed)
        few, many = (best_outputs(random_units(f, n, rng), INSIDE, wave(INSIDE)) for n in (4, 256))
        errors[name] = rmse(few, INSIDE), rmse(many, INSIDE), rmse(many, outside)

    rng = np.random.default_rng(seed)
    model = Sequential(Linear(1, 256, rng=rng), Tanh(), Linear(256, 1, rng=rng))
    model[0].params["weight"][:, 0] = 2 * rng.normal(size=256)
    model[0].params["bias"][:] = rng.uniform(-6, 6, 256)
    x, y = INSIDE[:, None], wave(INSIDE)[:, None]
    trained = fit(model, x, y, lr=0.01, epochs=500, loss=mse_loss, optimizer=adam).loss[-1] ** 0.5
    return {
        "tanh, 256 units: error": errors["tanh"][1],
        "ReLU, 256 units: error": errors["ReLU"][1],
        "x²: error with 256 units ÷ with 4": errors["x²"][1] / errors["x²"][0],
        "x³: error with 256 units ÷ with 4": errors["x³"][1] / errors["x³"][0],
        "tanh, 256 units: error outside": errors["tanh"][2],
        "tanh, trained: error ÷ that of the best output weights": trained / errors["tanh"][1],
        "trained": trained,
    }


@experiment(
    id="M10",
    kind="myth",
    claim="A feedforward network cannot process sequences, takes inputs of one length, and is the same as an "
    "MLP.",
    verdict="wrong",
    truth="Feedforward means without loops. A unit that slides along the input is feedforward and takes any "
    "length; an MLP is one kind of feedforward network.",
    settings="one ReLU unit with weights (1, −1, 1) and bias −1 slides along random bits, an output unit "
    "adds up: how often is there 101? 200 strings of length 20 and 200 of length 1,000",
    seeds=3,
    bands={"wrong counts, of 400 strings": Band(0, 0)},
)
def only_one_length(seed):
    rng = np.random.default_rng(seed)
    wrong = 0
    for length in (20, 1000):
        bits = rng.integers(0, 2, size=(200, length))
        windows = np.lib.stride_tricks.sliding_window_view(bits, 3, axis=1)  # (200, length - 2, 3)
        fires = np.maximum(windows @ np.array([1, -1, 1]) - 1, 0)  # 1 on 1, 0, 1 and 0 on all else
        truth = [sum(row[i : i + 3].tolist() == [1, 0, 1] for i in range(length - 2)) for row in bits]
        wrong += int((fires.sum(axis=1) != truth).sum())
    return {"wrong counts, of 400 strings": wrong}
