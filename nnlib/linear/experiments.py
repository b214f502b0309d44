"""What this course claims about itself: the two columns of every notebook compute the same."""

import numpy as np

from nnlib.data import digits
from nnlib.evidence import Band, experiment
from nnlib.layers import Linear, Sequential, Tanh, fit


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
