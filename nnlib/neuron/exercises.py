"""The mistakes that learners make in notebook 01, and what to tell them."""

import numpy as np

from nnlib.core import Case
from nnlib.exercises import Exercise
from nnlib.neuron import in_numpy
from nnlib.neuron.in_numpy import logistic_neuron, step

perceptron = Exercise(
    solution=in_numpy.perceptron,
    hints=[
        "One weighted sum per row: x has shape (N, D) and weight (D,). Which product gives (N,)?",
        "Add the bias to every sum, then ask of each whether it is at least 0.",
        "(x @ weight + bias >= 0) is True or False; `.astype(x.dtype)` makes it 1 or 0.",
    ],
    next="You have a neuron that decides. Next: how it learns from a wrong decision.",
)


@perceptron.mistake(
    "You subtracted the bias. A threshold is subtracted; the bias is minus the threshold, so it is added."
)
def bias_taken_for_threshold(x, weight, bias):
    return step(x @ weight - bias)


@perceptron.mistake("The bias is missing: your line always passes through the origin.")
def no_bias(x, weight, bias):
    return step(x @ weight)


@perceptron.mistake(
    "You compare with > 0. A sum of exactly 0 reaches the threshold, so the unit fires: step uses >= 0."
)
def strict(x, weight, bias):
    return (x @ weight + bias > 0).astype(x.dtype)


@perceptron.mistake("These are the weighted sums themselves. The step behind them is missing.")
def no_step(x, weight, bias):
    return x @ weight + bias


perceptron_update = Exercise(
    solution=in_numpy.perceptron_update,
    hints=[
        "First compute the output for this one sample: step(x @ weight + bias).",
        "error = target - output is 1, 0 or -1. What should happen to the weights in each case?",
        "Add lr * error * x to the weight and lr * error to the bias, as new values: leave the old alone.",
    ],
    next="That one line is the whole learning rule of 1958. Next: when it stops, and when it never does.",
)


@perceptron_update.mistake(
    "Your correction points the wrong way: error is target - output, so that a silent unit that should have "
    "fired moves towards x."
)
def wrong_sign(x, target, weight, bias, lr=1.0):
    error = step(x @ weight + bias) - target
    return weight + lr * error * x, bias + lr * error


@perceptron_update.mistake("The bias never moves. It learns too: as a weight whose input is always 1.")
def frozen_bias(x, target, weight, bias, lr=1.0):
    error = target - step(x @ weight + bias)
    return weight + lr * error * x, bias


@perceptron_update.mistake(
    "You move after every sample. Rosenblatt's rule moves only after a mistake: a right answer has error 0."
)
def moves_always(x, target, weight, bias, lr=1.0):
    direction = 2 * target - 1
    return weight + lr * direction * x, bias + lr * direction


@perceptron_update.mistake(
    "You took the error of the sum before the step. That is the delta rule of Adaline; Rosenblatt's error is "
    "that of the decision, 1, 0 or -1."
)
def error_of_the_sum(x, target, weight, bias, lr=1.0):
    error = target - (x @ weight + bias)
    return weight + lr * error * x, bias + lr * error


@perceptron_update.mistake("The learning rate is missing: lr scales both corrections.")
def no_learning_rate(x, target, weight, bias, lr=1.0):
    error = target - step(x @ weight + bias)
    return weight + error * x, bias + error


logistic_neuron_backward = Exercise(
    solution=in_numpy.logistic_neuron_backward,
    hints=[
        "Go backward one step at a time. First through the sigmoid: its slope at z is y * (1 - y).",
        "d = grad_output * y * (1 - y) has shape (N,), one number per sample. What did z = x @ weight + bias "
        "make of x, of weight and of bias?",
        "weight met every row of x, so its gradient sums over rows: x.T @ d. The bias gets sum(d), and row i "
        "of x gets d[i] * weight.",
    ],
    next="Every layer of every network repeats this pattern: through the activation, then through the sum.",
)


@logistic_neuron_backward.mistake(
    "You skipped the sigmoid: its slope y * (1 - y) has to multiply grad_output before anything else."
)
def no_slope(grad_output, x, weight, bias):
    return np.outer(grad_output, weight), x.T @ grad_output, grad_output.sum()


@logistic_neuron_backward.mistake(
    "You used z * (1 - z). The slope of the sigmoid is y * (1 - y) with its output y, not its input z."
)
def slope_of_the_input(grad_output, x, weight, bias):
    z = x @ weight + bias
    d = grad_output * z * (1 - z)
    return np.outer(d, weight), x.T @ d, d.sum()


@logistic_neuron_backward.mistake(
    "You averaged over the batch. If the loss is a mean, its 1/N is already inside grad_output; here you sum."
)
def averaged(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, bias)
    d = grad_output * y * (1 - y)
    return np.outer(d, weight), x.T @ d / len(x), d.mean()


@logistic_neuron_backward.mistake(
    "grad_output is missing: what comes from behind has to multiply the slope of the sigmoid."
)
def no_grad_output(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, bias)
    d = y * (1 - y)
    return np.outer(d, weight), x.T @ d, d.sum()


adaline_update = Exercise(
    solution=in_numpy.adaline_update,
    hints=[
        "The error is taken before any threshold: target - (x @ weight + bias), one number per sample.",
        "Half the squared error of sample i is (target[i] - x[i] @ weight - bias)² / 2. Its weight gradient "
        "is -error[i] * x[i]. Average over the batch and step downhill.",
        "weight + lr * x.T @ error / len(x); the bias has inputs of 1, so it moves by lr * error.mean().",
    ],
    next="This is gradient descent, as early as 1960. Notebook 07 looks at it in slow motion.",
)


@adaline_update.mistake(
    "You took the error after a threshold. Adaline learns from the sum itself; that is what makes its error "
    "differentiable."
)
def error_of_the_decision(x, target, weight, bias, lr=0.01):
    error = target - np.where(x @ weight + bias >= 0, 1, -1)
    return weight + lr * x.T @ error / len(x), bias + lr * error.mean()


@adaline_update.mistake("You summed over the batch. The step is the mean over samples: divide by N.")
def summed(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + lr * x.T @ error, bias + lr * error.sum()


@adaline_update.mistake("You stepped uphill: the error is target minus sum, or the step must be subtracted.")
def uphill(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight - lr * x.T @ error / len(x), bias - lr * error.mean()


@adaline_update.mistake(
    "Your step is twice as long: the loss has a factor 1/2 in front, which cancels the 2 of the square."
)
def without_the_half(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + 2 * lr * x.T @ error / len(x), bias + 2 * lr * error.mean()


def _tanh_neuron(x, weight, bias):
    return np.tanh(x @ weight + bias)


def _tanh_neuron_backward(grad_output, x, weight, bias):
    d = grad_output * (1 - _tanh_neuron(x, weight, bias) ** 2)
    return np.outer(d, weight), x.T @ d, d.sum()


def _tanh_neuron_cases(rng):
    for n, d in ((7, 2), (4, 5)):
        args = dict(x=rng.normal(size=(n, d)), weight=rng.normal(size=d), bias=np.array(rng.normal()))
        yield Case("tanh_neuron", args, f"{d} inputs")


tanh_neuron_backward = Exercise(
    solution=_tanh_neuron_backward,
    cases=_tanh_neuron_cases,
    hints=[
        "Go backward step by step. First through the tanh: its slope at z is 1 - y * y, with y = tanh(z).",
        "d = grad_output * (1 - y * y) has shape (N,). From there on nothing knows which activation it was.",
        "As for the logistic neuron: row i of x gets d[i] * weight, the weight x.T @ d, the bias sum(d).",
    ],
    next="Only the first line differed. A backward is put together from parts that do not know each other.",
)


@tanh_neuron_backward.mistake("This is the slope of the sigmoid, y * (1 - y). That of tanh is 1 - y * y.")
def slope_of_the_sigmoid(grad_output, x, weight, bias):
    y = _tanh_neuron(x, weight, bias)
    d = grad_output * y * (1 - y)
    return np.outer(d, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake("You took the slope at the wrong place: 1 - y * y needs the output y, not z.")
def slope_of_the_sum(grad_output, x, weight, bias):
    d = grad_output * (1 - (x @ weight + bias) ** 2)
    return np.outer(d, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake(
    "You left the bias without a gradient. It acts like a weight whose input is 1: it gets the sum of d."
)
def no_bias_gradient(grad_output, x, weight, bias):
    d = grad_output * (1 - _tanh_neuron(x, weight, bias) ** 2)
    return np.outer(d, weight), x.T @ d, np.zeros_like(bias)
