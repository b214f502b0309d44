"""The mistakes that learners make in notebook 04, and what to tell them."""

import numpy as np

from nnlib.autograd import in_numpy
from nnlib.exercises import Exercise

mul_backward = Exercise(
    solution=in_numpy.mul_backward,
    hints=[
        "Hold `other` still and move x by a little: by how much does x * other move?",
        "The slope of the product in x is `other`, and the slope in `other` is x.",
        "Each slope is multiplied by what arrives from behind: grad_output * other, grad_output * x.",
    ],
    next="That is one rule of an engine. Next: what connects the rules.",
)


@mul_backward.mistake(
    "The two gradients are swapped. x is multiplied by `other`, so moving x counts `other` times."
)
def swapped(grad_output, x, other):
    return grad_output * x, grad_output * other


@mul_backward.mistake(
    "grad_output is missing. These are the slopes of the product; the chain rule multiplies each by what "
    "arrives from behind."
)
def slopes_alone(grad_output, x, other):
    return other.copy(), x.copy()


@mul_backward.mistake("That is the rule of addition, which passes on what it gets. A product has slopes.")
def as_if_added(grad_output, x, other):
    return grad_output.copy(), grad_output.copy()


@mul_backward.mistake(
    "You used the product itself as the slope. The slope of x * other in x is `other` alone."
)
def product_as_slope(grad_output, x, other):
    return grad_output * x * other, grad_output * x * other


@mul_backward.mistake(
    "You gave both the whole product rule, x + other. It adds the two paths where x and `other` are one "
    "variable; here they are two, and each has a path of its own."
)
def both_paths(grad_output, x, other):
    total = grad_output * (x + other)
    return total, total.copy()


@mul_backward.mistake(
    "You added grad_output to the slopes. Along a path slopes are multiplied; sums are for different paths."
)
def added_along_the_path(grad_output, x, other):
    return grad_output + other, grad_output + x


@mul_backward.mistake("You squared x: the slope of x * x would be 2 * x. Here x meets `other`, once.")
def as_a_square(grad_output, x, other):
    return grad_output * 2 * x, grad_output * 2 * other


@mul_backward.mistake("grad_output is missing in the gradient for `other`. It multiplies both slopes.")
def other_without_grad_output(grad_output, x, other):
    return grad_output * other, x.copy()


broadcast_to_backward = Exercise(
    solution=in_numpy.broadcast_to_backward,
    hints=[
        "One number of x stands in many places of y. Each place sends a gradient: what does the number get?",
        "Which axes were repeated? Those that x does not have, in front, and those where x has size 1.",
        "Sum over both kinds of axes at once, then `.reshape(x.shape)` puts the axes of size 1 back.",
    ],
    next="With this rule every operation may broadcast, since broadcasting is an operation of its own.",
)


def _repeated(x, size):
    """The new axes in front, and those where x has size 1."""
    new = len(size) - x.ndim
    return tuple(range(new)), tuple(new + i for i, n in enumerate(x.shape) if n == 1)


@broadcast_to_backward.mistake(
    "You averaged over the copies. Each copy moves the loss, and all move together: the effects add."
)
def averaged(grad_output, x, size):
    new, ones = _repeated(x, size)
    return grad_output.mean(axis=new + ones).reshape(x.shape)


@broadcast_to_backward.mistake(
    "You took the gradient of the first copy and dropped the others. Every copy is a path."
)
def first_copy(grad_output, x, size):
    new, ones = _repeated(x, size)
    index = tuple(0 if i in new + ones else slice(None) for i in range(len(size)))
    return np.array(grad_output[index]).reshape(x.shape)


@broadcast_to_backward.mistake("You took the gradient of the last copy: assigning in a loop overwrites. Add.")
def last_copy(grad_output, x, size):
    new, ones = _repeated(x, size)
    index = tuple(-1 if i in new + ones else slice(None) for i in range(len(size)))
    return np.array(grad_output[index]).reshape(x.shape)


@broadcast_to_backward.mistake(
    "You summed over all axes. Only those count along which x was repeated; along the others every number of "
    "x has a gradient of its own."
)
def summed_everything(grad_output, x, size):
    return np.broadcast_to(grad_output.sum(), x.shape).copy()


@broadcast_to_backward.mistake(
    "You multiplied by the number of copies instead of summing them: right only if all copies got the same."
)
def counted(grad_output, x, size):
    return first_copy(grad_output, x, size) * np.asarray(np.prod(size) // x.size, x.dtype)


@broadcast_to_backward.mistake(
    "You took the largest gradient among the copies. None of them wins: all of them add up."
)
def largest(grad_output, x, size):
    new, ones = _repeated(x, size)
    return grad_output.max(axis=new + ones).reshape(x.shape)


@broadcast_to_backward.mistake(
    "You multiplied by x. Copying has slope 1, whatever is copied: the gradients are summed and nothing else."
)
def times_x(grad_output, x, size):
    new, ones = _repeated(x, size)
    return x * grad_output.sum(axis=new + ones).reshape(x.shape)


@broadcast_to_backward.mistake(
    "grad_output is missing: you returned the number of copies. What each copy sends has to be added up."
)
def number_of_copies(grad_output, x, size):
    return np.full_like(x, np.prod(size) // x.size)


@broadcast_to_backward.mistake(
    "You cut the gradient into pieces of the size of x and added those. That fits only if all repeated axes "
    "stand in front; sum over the axes that were repeated."
)
def dealt_by_reshape(grad_output, x, size):
    return grad_output.reshape(-1, *x.shape).sum(axis=0)


reverse_sweep = Exercise(
    solution=in_numpy.reverse_sweep,
    hints=[
        "Start with an array of zeros; the output moves with itself one to one, so grad[-1] = 1.",
        "Walk from the last node to the first. When node j is reached, all nodes that use it are done.",
        "Node j hands local[i, j] * grad[j] to each input i, which adds it to what it has.",
    ],
    next="That loop is `backward`. The engine only replaces the table by a list of inputs for each node.",
)


@reverse_sweep.mistake(
    "You assign where you should add: a node that is used twice keeps only the path that came last."
)
def overwritten(local):
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for j in range(len(local) - 1, 0, -1):
        for i in np.flatnonzero(local[:, j]):
            grad[i] = local[i, j] * grad[j]
    return grad


@reverse_sweep.mistake(
    "These are the direct edges into the last node; paths through other nodes are missing. If you have a "
    "loop, it runs from the front: then nodes hand on a gradient that they have not got yet."
)
def direct_edges(local):
    grad = local[:, -1].copy()
    grad[-1] = 1
    return grad


@reverse_sweep.mistake(
    "Everything is 0: the sweep needs a seed. The output moves with itself one to one, so grad[-1] = 1."
)
def no_seed(local):
    return np.zeros_like(local[0])


@reverse_sweep.mistake(
    "You added the slopes along a path. Along a path they are multiplied; different paths are added."
)
def slopes_added(local):
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for j in range(len(local) - 1, 0, -1):
        grad += np.where(local[:, j] != 0, local[:, j] + grad[j], 0).astype(local.dtype)
    return grad


@reverse_sweep.mistake(
    "You started every node with gradient 1. Only the output does: the others get theirs from the nodes that "
    "use them."
)
def seeded_everywhere(local):
    grad = np.ones_like(local[0])
    for j in range(len(local) - 1, 0, -1):
        grad += local[:, j] * grad[j]
    return grad


@reverse_sweep.mistake(
    "That is the forward sweep: how each node moves with the first one. Asked is how the last one moves with "
    "each."
)
def forward(local):
    return in_numpy.forward_sweep.unchecked(local)


@reverse_sweep.mistake(
    "The first node is missing: the loop over j must reach 1, whose inputs include node 0."
)
def stopped_early(local):
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for j in range(len(local) - 1, 0, -1):
        grad[1:] += local[1:, j] * grad[j]
    return grad


@reverse_sweep.mistake(
    "You averaged over the nodes that use a node. Their contributions add up: no share is taken."
)
def averaged_paths(local):
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for i in range(len(local) - 2, -1, -1):
        users = max(1, np.count_nonzero(local[i]))
        grad[i] = local[i] @ grad / np.asarray(users, local.dtype)
    return grad


@reverse_sweep.mistake(
    "You read the columns of `local`, the inputs of a node. The gradient comes from the nodes that use it: a "
    "row."
)
def columns(local):
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for i in range(len(local) - 2, -1, -1):
        grad[i] = local[:, i] @ grad
    return grad


@reverse_sweep.mistake(
    "You assign where you should add: of the nodes that use a node, only the last one counts."
)
def last_user(local):
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for i in range(len(local) - 2, -1, -1):
        for j in np.flatnonzero(local[i]):
            grad[i] = local[i, j] * grad[j]
    return grad


@reverse_sweep.mistake(
    "You multiplied the contributions of different paths. Along a path slopes are multiplied; different "
    "paths are added."
)
def paths_multiplied(local):
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for i in range(len(local) - 2, -1, -1):
        users = np.flatnonzero(local[i])
        grad[i] = np.prod(local[i, users] * grad[users])
    return grad


@reverse_sweep.mistake(
    "You followed only the edge to the next node. Edges may skip nodes: every later node that uses this one "
    "sends something."
)
def as_a_chain(local):
    grad = np.zeros_like(local[0])
    grad[-1] = 1
    for i in range(len(local) - 2, -1, -1):
        grad[i] = local[i, i + 1] * grad[i + 1]
    return grad


matmul_backward = Exercise(
    solution=in_numpy.matmul_backward,
    hints=[
        "Write one number of the product: y[n, m] = sum over k of x[n, k] * other[k, m]. Where does x[n, k] "
        "occur?",
        "In row n of y, once for every m, with slope other[k, m]: grad_x[n, k] = sum over m of "
        "grad_output[n, m] * other[k, m]. Which product of matrices is that?",
        "grad_x = grad_output @ other.mT and grad_other = x.mT @ grad_output; `.mT` transposes each matrix "
        "of a stack.",
    ],
    next="This is the rule that training spends its time in: two products back for each one forward.",
)


@matmul_backward.mistake(
    "You reshaped where you should transpose. The shapes fit, but `.reshape` keeps the order of the numbers "
    "and only cuts the rows elsewhere."
)
def reshaped(grad_output, x, other):
    (*outer, n, k), m = x.shape, other.shape[-1]
    return grad_output @ other.reshape(*outer, m, k), x.reshape(*outer, k, n) @ grad_output


@matmul_backward.mistake(
    "grad_x is right; for grad_other you reshaped x. Transpose it: `x.mT` turns each matrix of a stack."
)
def x_reshaped(grad_output, x, other):
    (*outer, n, k) = x.shape
    return grad_output @ other.mT, x.reshape(*outer, k, n) @ grad_output


@matmul_backward.mistake(
    "grad_other is right; for grad_x you reshaped `other`. Transpose it: `other.mT` turns each matrix of a "
    "stack."
)
def other_reshaped(grad_output, x, other):
    (*outer, k, m) = other.shape
    return grad_output @ other.reshape(*outer, m, k), x.mT @ grad_output


@matmul_backward.mistake(
    "grad_output is missing: you took 1 for every number of it. That is the gradient of the product's sum."
)
def ones(grad_output, x, other):
    g = np.ones_like(grad_output)
    return g @ other.mT, x.mT @ g


@matmul_backward.mistake(
    "You averaged grad_other over the rows of x. If a loss is a mean, its 1/N is already inside grad_output."
)
def mean_over_rows(grad_output, x, other):
    return grad_output @ other.mT, x.mT @ grad_output / len(x)


@matmul_backward.mistake(
    "You summed over the stack. Here each matrix of the stack has an `other` of its own, and so a gradient "
    "of its own; where one is shared, broadcast_to does the summing."
)
def summed_over_the_stack(grad_output, x, other):
    grad_other = x.mT @ grad_output
    outer = tuple(range(x.ndim - 2))
    return grad_output @ other.mT, np.broadcast_to(
        grad_other.sum(axis=outer, keepdims=True), other.shape
    ).copy()


@matmul_backward.mistake(
    "You multiplied the product by grad_output, as for `mul`. A matrix product has sums inside: use @ with "
    "the transposed matrices."
)
def as_elementwise(grad_output, x, other):
    weighted = grad_output * (x @ other)
    return weighted @ other.mT, x.mT @ weighted
