"""Exercises of notebook 05, and what learners' gradients usually are when they are wrong."""

import numpy as np

from nnlib.backprop import in_numpy
from nnlib.exercises import Exercise

# --------------------------------------------------------------------------------------- one layer

tanh_layer_backward = Exercise(
    solution=in_numpy.tanh_layer_backward,
    hints=[
        "Two lines forward: z = x @ weight.T + bias and y = tanh(z). Backward takes them in the opposite "
        "order: first grad_z, then the three gradients that z passes on.",
        "The slope of tanh at z is 1 - tanh(z)**2, which is 1 - y**2. So grad_z = grad_output * (1 - y * y).",
        "Shapes decide the rest. grad_z is (N, O); weight is (O, D), so its gradient is grad_z.T @ x; x is "
        "(N, D), so its gradient is grad_z @ weight; bias is (O,) and met every row.",
    ],
    next="The same layer twice, with a bridge around it.",
)


def _layer(grad_z, x, weight):
    return grad_z @ weight, grad_z.T @ x, grad_z.sum(axis=0)


@tanh_layer_backward.mistake(
    "You skipped the tanh: its slope 1 - y**2 has to multiply grad_output before anything is passed on."
)
def layer_no_slope(grad_output, x, weight, bias):
    return _layer(grad_output, x, weight)


@tanh_layer_backward.mistake(
    "You used 1 - z**2. The slope of tanh is 1 - y**2 with its output y = tanh(z), not its input z."
)
def layer_slope_of_the_input(grad_output, x, weight, bias):
    z = x @ weight.T + bias
    return _layer(grad_output * (1 - z * z), x, weight)


@tanh_layer_backward.mistake(
    "You used the slope of the sigmoid, y * (1 - y). That of tanh is 1 - y**2: it is 1 at z = 0, not 1/4."
)
def layer_sigmoid_slope(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    return _layer(grad_output * y * (1 - y), x, weight)


@tanh_layer_backward.mistake(
    "You left the bias out of z when you computed the slope: tanh was taken of x @ weight.T + bias."
)
def layer_slope_without_bias(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T)
    return _layer(grad_output * (1 - y * y), x, weight)


@tanh_layer_backward.mistake(
    "You averaged over the rows. If the loss is a mean, its 1/N is already inside grad_output; here you add "
    "up."
)
def layer_averaged(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    grad_z = grad_output * (1 - y * y)
    return grad_z @ weight, grad_z.T @ x / len(x), grad_z.mean(axis=0)


@tanh_layer_backward.mistake(
    "grad_output is missing: the slope 1 - y**2 says what tanh does, and what arrives from behind "
    "multiplies it."
)
def layer_no_grad_output(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    return _layer(1 - y * y, x, weight)


@tanh_layer_backward.mistake(
    "Your grad_x multiplies by the slope once more. grad_z holds it already: grad_x = grad_z @ weight."
)
def layer_slope_twice(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    grad_z = grad_output * (1 - y * y)
    return (grad_z * (1 - y * y)) @ weight, grad_z.T @ x, grad_z.sum(axis=0)


@tanh_layer_backward.mistake(
    "You took the tanh of the output once more before its slope. y is the tanh already."
)
def layer_tanh_twice(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    return _layer(grad_output * (1 - np.tanh(y) ** 2), x, weight)


@tanh_layer_backward.mistake("Your slope is 1 - y. The square is missing.")
def layer_not_squared(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    return _layer(grad_output * (1 - y), x, weight)


@tanh_layer_backward.mistake(
    "You multiplied by the output y instead of the slope of tanh. Backward multiplies by slopes."
)
def layer_value_for_slope(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    return _layer(grad_output * y, x, weight)


@tanh_layer_backward.mistake("That is the slope of ReLU, 1 where z > 0. This layer has a tanh.")
def layer_relu_slope(grad_output, x, weight, bias):
    z = x @ weight.T + bias
    return _layer(grad_output * (z > 0), x, weight)


@tanh_layer_backward.mistake(
    "Your grad_bias adds up grad_output. The bias, too, sits behind the tanh: add up grad_z."
)
def layer_bias_without_slope(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    grad_z = grad_output * (1 - y * y)
    return grad_z @ weight, grad_z.T @ x, grad_output.sum(axis=0)


@tanh_layer_backward.mistake("Your grad_x skipped the tanh: it starts from grad_output instead of grad_z.")
def layer_x_without_slope(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    grad_z = grad_output * (1 - y * y)
    return grad_output @ weight, grad_z.T @ x, grad_z.sum(axis=0)


@tanh_layer_backward.mistake("Only your grad_weight went through the tanh. x and bias sit behind it as well.")
def layer_only_the_weight(grad_output, x, weight, bias):
    y = np.tanh(x @ weight.T + bias)
    grad_z = grad_output * (1 - y * y)
    return grad_output @ weight, grad_z.T @ x, grad_output.sum(axis=0)


# --------------------------------------------------------------------------------------- two paths

residual_mlp_backward = Exercise(
    solution=in_numpy.residual_mlp_backward,
    hints=[
        "Name the lines: z1 = x @ weight1.T + bias1, h = relu(z1), y = x + h @ weight2.T + bias2. Which of "
        "them use x?",
        "x is used twice, so two gradients arrive at it, and they add: grad_output over the bridge, and what "
        "comes back through the layers.",
        "grad_h = grad_output @ weight2, grad_z1 = grad_h * (z1 > 0), grad_x = grad_output + grad_z1 @ "
        "weight1. The weights see the layers' path only.",
    ],
    next="A value may be used twice; so may a weight.",
)


def _residual(grad_output, x, weight1, bias1, weight2, keep=None, bridge=1.0, through=1.0):
    z1 = x @ weight1.T + bias1
    h = np.maximum(z1, 0)
    grad_z1 = (grad_output @ weight2) * (z1 > 0 if keep is None else keep(z1))
    grad_x = bridge * grad_output + through * grad_z1 @ weight1
    return grad_x, grad_z1.T @ x, grad_z1.sum(axis=0), grad_output.T @ h, grad_output.sum(axis=0)


@residual_mlp_backward.mistake(
    "Your grad_x knows one path only, that through the layers. x also reaches y over the bridge: add "
    "grad_output."
)
def residual_no_bridge(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, bias1, weight2, bridge=0.0)


@residual_mlp_backward.mistake(
    "Your grad_x knows the bridge only. x also reaches y through the layers: add grad_z1 @ weight1."
)
def residual_bridge_only(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, bias1, weight2, through=0.0)


@residual_mlp_backward.mistake(
    "You took the mean of both paths. Gradients of different paths add up; nothing divides them by their "
    "number."
)
def residual_mean_of_paths(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, bias1, weight2, bridge=0.5, through=0.5)


@residual_mlp_backward.mistake(
    "You skipped the ReLU. Units that were off, z1 <= 0, pass nothing back: multiply by (z1 > 0)."
)
def residual_no_mask(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, bias1, weight2, keep=np.ones_like)


@residual_mlp_backward.mistake(
    "You multiplied by relu(z1) itself. Its slope is 1 where z1 > 0 and 0 elsewhere, however large z1 is."
)
def residual_value_for_slope(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, bias1, weight2, keep=lambda z: np.maximum(z, 0))


@residual_mlp_backward.mistake(
    "You masked where the gradient is positive, not where z1 is. The ReLU was fed z1: its sign decides."
)
def residual_mask_of_the_gradient(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(
        grad_output, x, weight1, bias1, weight2, keep=lambda z: (grad_output @ weight2 > 0).astype(z.dtype)
    )


@residual_mlp_backward.mistake(
    "Your grad_weight2 uses z1. The second layer was fed h = relu(z1), so its weights met h: grad_output.T "
    "@ h."
)
def residual_weight2_met_z1(grad_output, x, weight1, bias1, weight2, bias2):
    grad_x, grad_weight1, grad_bias1, _, grad_bias2 = _residual(grad_output, x, weight1, bias1, weight2)
    return grad_x, grad_weight1, grad_bias1, grad_output.T @ (x @ weight1.T + bias1), grad_bias2


@residual_mlp_backward.mistake(
    "You added 1 for the bridge. That is its slope; what arrives from behind multiplies it."
)
def residual_bridge_of_one(grad_output, x, weight1, bias1, weight2, bias2):
    _, *others = _residual(grad_output, x, weight1, bias1, weight2)
    return _residual(grad_output, x, weight1, bias1, weight2, bridge=0.0)[0] + 1, *others


@residual_mlp_backward.mistake(
    "You multiplied the two paths. Slopes are multiplied along one path; different paths add."
)
def residual_paths_multiplied(grad_output, x, weight1, bias1, weight2, bias2):
    grad_x, *others = _residual(grad_output, x, weight1, bias1, weight2, bridge=0.0)
    return grad_x * grad_output, *others


@residual_mlp_backward.mistake("You subtracted the bridge. Both paths lead from x to y with a plus.")
def residual_bridge_subtracted(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, bias1, weight2, bridge=-1.0)


@residual_mlp_backward.mistake(
    "Your mask lets the wrong units through: those that were on, z1 > 0, pass the gradient back."
)
def residual_mask_inverted(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, bias1, weight2, keep=lambda z: z < 0)


@residual_mlp_backward.mistake("You used 1 - h * h, the slope of tanh. The hidden layer here has a ReLU.")
def residual_tanh_slope(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, bias1, weight2, keep=lambda z: 1 - np.maximum(z, 0) ** 2)


@residual_mlp_backward.mistake("bias1 is missing where you compute z1 again.")
def residual_z1_without_bias(grad_output, x, weight1, bias1, weight2, bias2):
    return _residual(grad_output, x, weight1, np.zeros_like(bias1), weight2)


# --------------------------------------------------------------------------------- one weight, twice

tied_mlp_backward = Exercise(
    solution=in_numpy.tied_mlp_backward,
    hints=[
        "Pretend that there are two matrices: h = tanh(x @ a.T + bias1), y = h @ b + bias2. Find grad_a and "
        "grad_b, both of shape (H, D). Then remember that a and b are one.",
        "The decoder: y = h @ weight has no transpose, so grad_b = h.T @ grad_output and "
        "grad_h = grad_output @ weight.T.",
        "The encoder: grad_z1 = grad_h * (1 - h * h), grad_a = grad_z1.T @ x. A weight that is used twice "
        "gets both: grad_weight = grad_a + grad_b.",
    ],
    next="That is all there is to weight sharing: convolutions and recurrent networks do it many times over.",
)


def _tied(grad_output, x, weight, bias1):
    """Gradients of the first use, of the second use, and what else there is."""
    h = np.tanh(x @ weight.T + bias1)
    grad_z1 = (grad_output @ weight.T) * (1 - h * h)
    return grad_z1.T @ x, h.T @ grad_output, grad_z1, h


def _tied_with(grad_output, x, weight, bias1, grad_weight):
    grad_z1 = _tied(grad_output, x, weight, bias1)[2]
    return grad_z1 @ weight, grad_weight, grad_z1.sum(axis=0), grad_output.sum(axis=0)


@tied_mlp_backward.mistake(
    "Your grad_weight comes from the decoder only. The weight is used in the encoder too: add grad_z1.T @ x."
)
def tied_decoder_only(grad_output, x, weight, bias1, bias2):
    return _tied_with(grad_output, x, weight, bias1, _tied(grad_output, x, weight, bias1)[1])


@tied_mlp_backward.mistake(
    "Your grad_weight comes from the encoder only. The weight is used in the decoder too: add h.T @ "
    "grad_output."
)
def tied_encoder_only(grad_output, x, weight, bias1, bias2):
    return _tied_with(grad_output, x, weight, bias1, _tied(grad_output, x, weight, bias1)[0])


@tied_mlp_backward.mistake(
    "You halved the sum of both uses. A weight that acts in two places moves both, so both effects count in "
    "full."
)
def tied_mean(grad_output, x, weight, bias1, bias2):
    first, second, *_ = _tied(grad_output, x, weight, bias1)
    return _tied_with(grad_output, x, weight, bias1, (first + second) / 2)


@tied_mlp_backward.mistake(
    "You doubled the encoder's part, as if both uses had one gradient. They differ: grad_z1.T @ x and "
    "h.T @ grad_output."
)
def tied_doubled(grad_output, x, weight, bias1, bias2):
    return _tied_with(grad_output, x, weight, bias1, 2 * _tied(grad_output, x, weight, bias1)[0])


@tied_mlp_backward.mistake(
    "You skipped the tanh on the way back to the encoder: grad_z1 = grad_h * (1 - h * h)."
)
def tied_no_slope(grad_output, x, weight, bias1, bias2):
    h = np.tanh(x @ weight.T + bias1)
    grad_h = grad_output @ weight.T
    return grad_h @ weight, h.T @ grad_output + grad_h.T @ x, grad_h.sum(axis=0), grad_output.sum(axis=0)


@tied_mlp_backward.mistake(
    "Your decoder part uses z1. The decoder was fed h = tanh(z1): its part of the gradient is h.T @ "
    "grad_output."
)
def tied_decoder_met_z1(grad_output, x, weight, bias1, bias2):
    first = _tied(grad_output, x, weight, bias1)[0]
    z1 = x @ weight.T + bias1
    return _tied_with(grad_output, x, weight, bias1, first + z1.T @ grad_output)


def _tied_sloped(grad_output, x, weight, h, slope):
    grad_z1 = (grad_output @ weight.T) * slope
    grad_weight = grad_z1.T @ x + h.T @ grad_output
    return grad_z1 @ weight, grad_weight, grad_z1.sum(axis=0), grad_output.sum(axis=0)


@tied_mlp_backward.mistake("You used 1 - z1**2. The slope of tanh is 1 - h**2 with its output.")
def tied_slope_of_the_input(grad_output, x, weight, bias1, bias2):
    z1 = x @ weight.T + bias1
    return _tied_sloped(grad_output, x, weight, np.tanh(z1), 1 - z1 * z1)


@tied_mlp_backward.mistake("You used h * (1 - h), the slope of the sigmoid. That of tanh is 1 - h**2.")
def tied_sigmoid_slope(grad_output, x, weight, bias1, bias2):
    h = np.tanh(x @ weight.T + bias1)
    return _tied_sloped(grad_output, x, weight, h, h * (1 - h))


@tied_mlp_backward.mistake("bias1 is missing where you compute h again.")
def tied_z1_without_bias(grad_output, x, weight, bias1, bias2):
    h = np.tanh(x @ weight.T)
    return _tied_sloped(grad_output, x, weight, h, 1 - h * h)


@tied_mlp_backward.mistake(
    "You sent grad_output through a tanh first. Only the encoder has one; the decoder ends at the sum."
)
def tied_slope_at_both_ends(grad_output, x, weight, bias1, bias2):
    h = np.tanh(x @ weight.T + bias1)
    last = 1 - np.tanh(h @ weight + bias2) ** 2
    return _tied_sloped(grad_output * last, x, weight, h, 1 - h * h)


@tied_mlp_backward.mistake(
    "You added grad_output to grad_x, as for a bridge. Here x reaches y through the layers alone."
)
def tied_with_a_bridge(grad_output, x, weight, bias1, bias2):
    grad_x, *others = in_numpy.tied_mlp_backward.unchecked(grad_output, x, weight, bias1, bias2)
    return grad_x + grad_output, *others


@tied_mlp_backward.mistake("You multiplied the gradients of the two uses. The effects of both add.")
def tied_multiplied(grad_output, x, weight, bias1, bias2):
    first, second, *_ = _tied(grad_output, x, weight, bias1)
    return _tied_with(grad_output, x, weight, bias1, first * second)


# ---------------------------------------------------------------------------------- the whole network

mlp_loss_backward = Exercise(
    solution=in_numpy.mlp_loss_backward,
    hints=[
        "Write the five forward lines first: z1, h, z2, log_p, loss. Then backward, from the last to the "
        "first: one line for each array that a line reads, with a gradient of that array's shape.",
        "The first two backward lines join into one: grad_z2 = (p - one_hot) / N * grad_output, with "
        "p = exp(log_p) and a 1 for the right class.",
        "grad_weight2 = grad_z2.T @ h, grad_h = grad_z2 @ weight2, grad_z1 = grad_h * (1 - h * h), then the "
        "same pattern again with x for h. The last gradient, that of the target, is None: classes have none.",
    ],
    next="You have written what loss.backward() does. The rest is making it fast.",
)


def _mlp(x, weight1, bias1, weight2, bias2, target):
    """h, the probabilities, and a 1 for the right class."""
    h = np.tanh(x @ weight1.T + bias1)
    z2 = h @ weight2.T + bias2
    p = np.exp(z2 - z2.max(axis=1, keepdims=True))
    return h, p / p.sum(axis=1, keepdims=True), (np.arange(len(bias2)) == target[:, None]).astype(x.dtype)


def _mlp_from(grad_z2, x, weight1, weight2, h, slope=None):
    grad_z1 = grad_z2 @ weight2 * (1 - h * h if slope is None else slope)
    first = grad_z1 @ weight1, grad_z1.T @ x, grad_z1.sum(axis=0)
    return *first, grad_z2.T @ h, grad_z2.sum(axis=0), None


@mlp_loss_backward.mistake("The loss is a mean over N rows. Its gradient needs that 1/N.")
def mlp_no_mean(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from((p - one_hot) * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "You divided by the number of elements, N times K. The loss is a mean over the N rows only."
)
def mlp_mean_over_elements(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from((p - one_hot) / p.size * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "You forgot to subtract 1 at the right class: grad_z2 is the probability minus the target, not the "
    "probability."
)
def mlp_no_target(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, _ = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from(p / len(x) * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "You stopped at the right class: grad_log_p is 0 elsewhere, but the sum inside log_softmax reaches every "
    "class. Add p * grad_output / N."
)
def mlp_log_softmax_ignored(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, _, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from(-one_hot / len(x) * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "grad_output is missing. It is 1 if the loss is the end of the graph, but whoever scales the loss "
    "scales all gradients."
)
def mlp_no_grad_output(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from((p - one_hot) / len(x), x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "You skipped the tanh between the layers: grad_z1 = grad_h * (1 - h * h). The second layer is right, the "
    "first is not."
)
def mlp_no_slope(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    grad_z2 = (p - one_hot) / len(x) * grad_output
    return _mlp_from(grad_z2, x, weight1, weight2, h, slope=np.ones_like(h))


@mlp_loss_backward.mistake(
    "You sent z1's gradient through 1 - z1**2. The slope of tanh is 1 - h**2 with its output."
)
def mlp_slope_of_the_input(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    z1 = x @ weight1.T + bias1
    return _mlp_from((p - one_hot) / len(x) * grad_output, x, weight1, weight2, h, slope=1 - z1 * z1)


@mlp_loss_backward.mistake(
    "You took a sigmoid and a target for each class. Here the classes share one probability: p is the "
    "softmax of z2."
)
def mlp_sigmoid(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, _, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    p = 0.5 + 0.5 * np.tanh((h @ weight2.T + bias2) / 2)
    return _mlp_from((p - one_hot) / len(x) * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake("You used h * (1 - h), the slope of the sigmoid. That of tanh is 1 - h**2.")
def mlp_sigmoid_slope(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    grad_z2 = (p - one_hot) / len(x) * grad_output
    return _mlp_from(grad_z2, x, weight1, weight2, h, slope=h * (1 - h))


@mlp_loss_backward.mistake("That is the slope of ReLU. This network has a tanh between its layers.")
def mlp_relu_slope(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    grad_z2 = (p - one_hot) / len(x) * grad_output
    return _mlp_from(grad_z2, x, weight1, weight2, h, slope=(x @ weight1.T + bias1 > 0).astype(x.dtype))


@mlp_loss_backward.mistake(
    "Your grad_weight2 uses z1. The second layer was fed h = tanh(z1), so its weights met h."
)
def mlp_weight2_met_z1(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    grad_z2 = (p - one_hot) / len(x) * grad_output
    grads = _mlp_from(grad_z2, x, weight1, weight2, h)
    return *grads[:3], grad_z2.T @ (x @ weight1.T + bias1), *grads[4:]


@mlp_loss_backward.mistake("bias1 is missing where you compute h again.")
def mlp_z1_without_bias(grad_output, x, weight1, bias1, weight2, bias2, target):
    return in_numpy.mlp_loss_backward.unchecked(
        grad_output, x, weight1, np.zeros_like(bias1), weight2, bias2, target
    )


@mlp_loss_backward.mistake("You subtracted the target from the scores z2. The softmax is missing.")
def mlp_scores_for_p(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, _, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    grad_z2 = (h @ weight2.T + bias2 - one_hot) / len(x) * grad_output
    return _mlp_from(grad_z2, x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "Your softmax runs down the columns. The classes of one row share one probability: axis 1."
)
def mlp_softmax_over_rows(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, _, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    z2 = h @ weight2.T + bias2
    p = np.exp(z2 - z2.max(axis=0))
    return _mlp_from((p / p.sum(axis=0) - one_hot) / len(x) * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "`p[:, target] -= 1` subtracts in every row, at the classes of all rows. Each row has one target: pair "
    "the rows with their classes."
)
def mlp_every_target_in_every_row(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, _ = _mlp(x, weight1, bias1, weight2, bias2, target)
    p[:, target] -= 1
    return _mlp_from(p / len(x) * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "Two factors are missing: 1/N, since the loss is a mean over rows, and grad_output."
)
def mlp_neither_mean_nor_grad_output(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from(p - one_hot, x, weight1, weight2, h)


@mlp_loss_backward.mistake(
    "You multiplied by p * (1 - p) as well. p - target is the gradient of softmax and cross-entropy together."
)
def mlp_softmax_slope_again(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from((p - one_hot) * p * (1 - p) / len(x) * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake("You divided by the number of classes. The loss is a mean over the N rows.")
def mlp_mean_over_classes(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from((p - one_hot) / p.shape[1] * grad_output, x, weight1, weight2, h)


@mlp_loss_backward.mistake("Your slope is 1 - h. The square is missing.")
def mlp_not_squared(grad_output, x, weight1, bias1, weight2, bias2, target):
    h, p, one_hot = _mlp(x, weight1, bias1, weight2, bias2, target)
    return _mlp_from((p - one_hot) / len(x) * grad_output, x, weight1, weight2, h, slope=1 - h)
