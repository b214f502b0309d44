"""The mistakes that learners make in notebook 01, and what to tell them."""

import numpy as np

from nnlib import core
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


@perceptron.mistake("You answer -1 and 1. Here a neuron that stays silent answers 0.")
def minus_one_or_one(x, weight, bias):
    return np.where(x @ weight + bias >= 0, 1.0, -1.0)


@perceptron.mistake("Your answers are the wrong way round: a sum that reaches 0 makes the unit fire.")
def wrong_way_round(x, weight, bias):
    return (x @ weight + bias < 0).astype(x.dtype)


@perceptron.mistake("A sigmoid answers by degrees. This neuron decides: 0 or 1.")
def by_degrees(x, weight, bias):
    return 1 / (1 + np.exp(-(x @ weight + bias)))


def _update_cases(rng):
    yield from core.cases("neuron.perceptron_update")
    args = dict(x=np.array([1.0, 2.0]), weight=np.array([1.0, 0.5]), bias=np.array(-3.0))
    yield Case("perceptron_update", dict(**args, target=1, lr=0.5), "silent because of its bias")


perceptron_update = Exercise(
    solution=in_numpy.perceptron_update,
    cases=_update_cases,
    hints=[
        "First compute the output for this one sample: step(x @ weight + bias).",
        "error = target - output is 1, 0 or -1. What should happen to the weights in each case?",
        "Add lr * error * x to the weight and lr * error to the bias, as new values: leave the old alone.",
    ],
    next="That one line is the whole of Rosenblatt's rule. Next: when it stops, and when it never does.",
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


@perceptron_update.mistake("You compare with > 0. A sum of exactly 0 fires, so there the output is 1.")
def update_strict(x, target, weight, bias, lr=1.0):
    error = target - (x @ weight + bias > 0)
    return weight + lr * error * x, bias + lr * error


@perceptron_update.mistake(
    "The bias is missing in the sum that decides. It moves, but your output never sees it."
)
def output_without_bias(x, target, weight, bias, lr=1.0):
    error = target - step(x @ weight)
    return weight + lr * error * x, bias + lr * error


@perceptron_update.mistake("The bias moves without lr. It is learned like any weight.")
def bias_without_lr(x, target, weight, bias, lr=1.0):
    error = target - step(x @ weight + bias)
    return weight + lr * error * x, bias + error


@perceptron_update.mistake(
    "You moved all weights by the same amount. Each moves with its own input, so the sample has to come in."
)
def without_the_sample(x, target, weight, bias, lr=1.0):
    error = target - step(x @ weight + bias)
    return weight + lr * error, bias + lr * error


@perceptron_update.mistake("You returned the changes. Wanted are the new weight and the new bias.")
def changes_alone(x, target, weight, bias, lr=1.0):
    error = target - step(x @ weight + bias)
    return lr * error * x, lr * error


@perceptron_update.mistake(
    "You add the sample after every mistake. A unit that fired wrongly has to move away from it."
)
def always_towards(x, target, weight, bias, lr=1.0):
    wrong = abs(target - step(x @ weight + bias))
    return weight + lr * wrong * x, bias + lr * wrong


@perceptron_update.mistake(
    "You took the target for the error. A right answer must change nothing, and a wrong 1 must subtract."
)
def target_for_error(x, target, weight, bias, lr=1.0):
    return weight + lr * target * x, bias + lr * target


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


@logistic_neuron_backward.mistake("1 - y * y is the slope of tanh. That of the sigmoid is y * (1 - y).")
def slope_of_tanh(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, bias)
    d = grad_output * (1 - y * y)
    return np.outer(d, weight), x.T @ d, d.sum()


@logistic_neuron_backward.mistake(
    "You took the sigmoid of the output once more before its slope. y is the sigmoid already."
)
def sigmoid_twice(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, bias)
    y = 1 / (1 + np.exp(-y))
    d = grad_output * y * (1 - y)
    return np.outer(d, weight), x.T @ d, d.sum()


@logistic_neuron_backward.mistake(
    "The bias is missing where you compute the output again: z = x @ weight + bias."
)
def output_without_bias_backward(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, 0.0)
    d = grad_output * y * (1 - y)
    return np.outer(d, weight), x.T @ d, d.sum()


@logistic_neuron_backward.mistake(
    "Your grad_bias adds up grad_output. The bias, too, sits behind the sigmoid and needs its slope."
)
def bias_without_slope(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, bias)
    d = grad_output * y * (1 - y)
    return np.outer(d, weight), x.T @ d, grad_output.sum()


@logistic_neuron_backward.mistake(
    "Your grad_x skipped the sigmoid: the slope is in the other two gradients only."
)
def x_without_slope(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, bias)
    d = grad_output * y * (1 - y)
    return np.outer(grad_output, weight), x.T @ d, d.sum()


@logistic_neuron_backward.mistake(
    "Your grad_x multiplies by x. In the sum x meets weight, so moving x counts weight times."
)
def x_met_itself(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, bias)
    d = grad_output * y * (1 - y)
    return d[:, None] * x, x.T @ d, d.sum()


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


@adaline_update.mistake(
    "You stepped uphill: with error = target - sum the step is added, with sum - target it is subtracted."
)
def uphill(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight - lr * x.T @ error / len(x), bias - lr * error.mean()


@adaline_update.mistake(
    "Your step is twice as long: the loss has a factor 1/2 in front, which cancels the 2 of the square."
)
def without_the_half(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + 2 * lr * x.T @ error / len(x), bias + 2 * lr * error.mean()


@adaline_update.mistake(
    "You took the error after a step, as Rosenblatt does. Adaline learns from the sum itself."
)
def error_of_the_step(x, target, weight, bias, lr=0.01):
    error = target - step(x @ weight + bias)
    return weight + lr * x.T @ error / len(x), bias + lr * error.mean()


@adaline_update.mistake("The learning rate is missing: lr scales both changes.")
def adaline_without_lr(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + x.T @ error / len(x), bias + error.mean()


@adaline_update.mistake("The bias never moves. The loss depends on it as on any weight.")
def adaline_frozen_bias(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + lr * x.T @ error / len(x), bias


@adaline_update.mistake("The bias is missing in the sum from which you take the error.")
def error_without_bias(x, target, weight, bias, lr=0.01):
    error = target - x @ weight
    return weight + lr * x.T @ error / len(x), bias + lr * error.mean()


@adaline_update.mistake(
    "The weight moves by a sum over the batch, the bias by a mean. Both take the mean: divide by N."
)
def only_the_weight_summed(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + lr * x.T @ error, bias + lr * error.mean()


@adaline_update.mistake("The bias moves by a sum over the batch, the weight by a mean. Both take the mean.")
def only_the_bias_summed(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + lr * x.T @ error / len(x), bias + lr * error.sum()


@adaline_update.mistake("Your step is half as long: the 1/2 of the loss cancels against the 2 of the square.")
def half_the_step(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + lr * x.T @ error / len(x) / 2, bias + lr * error.mean() / 2


@adaline_update.mistake(
    "The weight goes downhill, the bias uphill. Both follow the same error with the same sign."
)
def bias_uphill(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + lr * x.T @ error / len(x), bias - lr * error.mean()


@adaline_update.mistake(
    "Your bias moves by an error that the new weight made. Take the error once, before anything moves."
)
def bias_after_the_weight(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    weight = weight + lr * x.T @ error / len(x)
    return weight, bias + lr * (target - (x @ weight + bias)).mean()


@adaline_update.mistake(
    "You moved after every sample, so later errors come from moved weights. Here one step is taken for the "
    "whole batch."
)
def sample_by_sample(x, target, weight, bias, lr=0.01):
    for sample, wanted in zip(x, target):
        error = wanted - (sample @ weight + bias)
        weight, bias = weight + lr * error * sample, bias + lr * error
    return weight, bias


@adaline_update.mistake(
    "You divided the weight by the number of elements of x, N times D. The mean is over the N samples."
)
def divided_by_elements(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + lr * x.T @ error / x.size, bias + lr * error.mean()


@adaline_update.mistake(
    "You averaged over the features too, so all weights move alike. Each weight has its own mean over the "
    "samples."
)
def one_number_for_all_weights(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return weight + lr * (error[:, None] * x).mean(), bias + lr * error.mean()


@adaline_update.mistake(
    "You returned the gradient. Wanted are the new weight and the new bias, after a step."
)
def gradient_alone(x, target, weight, bias, lr=0.01):
    error = target - (x @ weight + bias)
    return -x.T @ error / len(x), -error.mean()


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


@tanh_neuron_backward.mistake(
    "You skipped the tanh: its slope has to multiply grad_output before anything else."
)
def no_tanh_slope(grad_output, x, weight, bias):
    return np.outer(grad_output, weight), x.T @ grad_output, grad_output.sum()


@tanh_neuron_backward.mistake(
    "grad_output is missing: what comes from behind has to multiply the slope of tanh."
)
def no_grad_output_tanh(grad_output, x, weight, bias):
    y = _tanh_neuron(x, weight, bias)
    d = 1 - y * y
    return np.outer(d, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake("Your slope is 1 - y. The square is missing.")
def tanh_not_squared(grad_output, x, weight, bias):
    y = _tanh_neuron(x, weight, bias)
    d = grad_output * (1 - y)
    return np.outer(d, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake(
    "You multiplied by the output y instead of the slope of tanh. Backward multiplies by slopes."
)
def tanh_for_its_slope(grad_output, x, weight, bias):
    y = _tanh_neuron(x, weight, bias)
    d = grad_output * y
    return np.outer(d, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake(
    "You took the tanh of the output once more before its slope. y is the tanh already."
)
def tanh_twice(grad_output, x, weight, bias):
    y = np.tanh(_tanh_neuron(x, weight, bias))
    d = grad_output * (1 - y * y)
    return np.outer(d, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake(
    "This is the backward of the logistic neuron. Here the output is tanh(z), and so the slope is another."
)
def as_the_logistic_neuron(grad_output, x, weight, bias):
    y = logistic_neuron(x, weight, bias)
    d = grad_output * y * (1 - y)
    return np.outer(d, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake(
    "The bias is missing where you compute the output again: z = x @ weight + bias."
)
def tanh_without_bias(grad_output, x, weight, bias):
    y = _tanh_neuron(x, weight, 0.0)
    d = grad_output * (1 - y * y)
    return np.outer(d, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake(
    "Your grad_bias adds up grad_output. The bias, too, sits behind the tanh and needs its slope."
)
def tanh_bias_without_slope(grad_output, x, weight, bias):
    y = _tanh_neuron(x, weight, bias)
    d = grad_output * (1 - y * y)
    return np.outer(d, weight), x.T @ d, grad_output.sum()


@tanh_neuron_backward.mistake("Your grad_x skipped the tanh: the slope is in the other two gradients only.")
def tanh_x_without_slope(grad_output, x, weight, bias):
    y = _tanh_neuron(x, weight, bias)
    d = grad_output * (1 - y * y)
    return np.outer(grad_output, weight), x.T @ d, d.sum()


@tanh_neuron_backward.mistake(
    "Your grad_x multiplies by x. In the sum x meets weight, so moving x counts weight times."
)
def tanh_x_met_itself(grad_output, x, weight, bias):
    y = _tanh_neuron(x, weight, bias)
    d = grad_output * (1 - y * y)
    return d[:, None] * x, x.T @ d, d.sum()
