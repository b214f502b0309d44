"""The reference: penalties and their proximal steps, when to stop, data made from data, honest judging."""

import math

import numpy as np

from nnlib.core import checked

_A_STEP = "it is a step of training; nothing flows back through it"
no_gradient = {
    **dict.fromkeys(("proximal_step", "group_softshrink", "renorm", "early_stopping"), _A_STEP),
    "cutmix": "it makes training data, which nothing flows back into",
    "ridge": "it is the solution itself: there is nothing left to train",
    "k_fold": "it hands out rows, and an assignment has no slope",
    "bias_variance": "it measures; nobody descends on it",
}


# -------------------------------------------------------------------------------------------- penalties


@checked
def elastic_net(weight, l1=0.0, l2=0.0):
    """What the loss is charged for the size of the weights: L1, L2 or both.

        penalty = l1 * sum(|weight|) + l2 / 2 * sum(weight**2)

    With the factor 1/2 the gradient of the second part is l2 * weight: torch's `weight_decay` in SGD.

    Parameters
    ----------
    weight : array (...)
    l1, l2 : float >= 0

    Returns
    -------
    penalty : array ()

    References
    ----------
    Tibshirani (1996), JRSS B 58, 267-288 (L1); Zou & Hastie (2005), JRSS B 67, 301-320 (both).
    """
    return l1 * np.abs(weight).sum() + l2 / 2 * (weight * weight).sum()


@checked
def elastic_net_backward(grad_output, weight, l1=0.0, l2=0.0):
    """Gradient of `elastic_net`; at 0, where |weight| has a kink, the subgradient 0.

    grad_weight = grad_output * (l1 * sign(weight) + l2 * weight)
    """
    return grad_output * (l1 * np.sign(weight) + l2 * weight)


@checked
def group_lasso(weight, l1=0.0):
    """A charge for each row as a whole, so that rows vanish together: those of `weight` are units.

        penalty = l1 * sqrt(D) * sum over rows of ||weight[row]||

    Parameters
    ----------
    weight : array (O, D)
    l1 : float >= 0

    Returns
    -------
    penalty : array ()

    References
    ----------
    Yuan & Lin (2006), JRSS B 68, 49-67.
    """
    return l1 * math.sqrt(weight.shape[1]) * np.sqrt((weight * weight).sum(axis=1)).sum()


@checked
def group_lasso_backward(grad_output, weight, l1=0.0):
    """Gradient of `group_lasso`: each row's direction, and 0 for a row of zeros.

    grad_weight = grad_output * l1 * sqrt(D) * weight / ||weight||
    """
    norm = np.sqrt((weight * weight).sum(axis=1, keepdims=True))
    direction = weight / np.where(norm > 0, norm, 1).astype(weight.dtype)
    return grad_output * l1 * math.sqrt(weight.shape[1]) * direction


# --------------------------------------------------------------------------------------- proximal steps


@checked
def softshrink(x, lambd=0.5):
    """Soft thresholding: every value moves towards 0 by lambd, and stops there.

        y = sign(x) * max(|x| - lambd, 0)

    It is the proximal operator of the L1 penalty: the y with the smallest (y - x)**2 / 2 + lambd * |y|.

    Parameters
    ----------
    x : array (...)
    lambd : float >= 0

    Returns
    -------
    y : array (...)

    References
    ----------
    Donoho (1995), IEEE Transactions on Information Theory 41, 613-627.
    """
    return np.sign(x) * np.maximum(np.abs(x) - lambd, 0)


@checked
def softshrink_backward(grad_output, x, lambd=0.5):
    """Gradient of `softshrink`: 1 where a value came through, 0 where it was set to zero.

    grad_x = grad_output * (|x| > lambd)
    """
    return grad_output * (np.abs(x) > lambd)


@checked
def proximal_step(param, grad, lr=1e-3, l1=0.0, l2=0.0):
    """A gradient step on the loss, then the exact answer to the penalty (ISTA).

        z = param - lr * grad
        param = softshrink(z, lr * l1) / (1 + lr * l2)

    `grad` is the gradient of the loss alone. The second line is the proximal operator of the elastic net,
    and the reason why weights become exactly 0.

    Parameters
    ----------
    param, grad : array (...)
    lr : float > 0
    l1, l2 : float >= 0

    Returns
    -------
    param : array (...)

    References
    ----------
    Daubechies, Defrise & De Mol (2004), CPAM 57, 1413-1457; Beck & Teboulle (2009), SIIMS 2, 183-202.
    """
    z = param - lr * grad
    return softshrink.unchecked(z, lr * l1) / (1 + lr * l2)


@checked
def group_softshrink(x, lambd=0.5):
    """Soft thresholding of lengths: every row becomes shorter by lambd * sqrt(D), or all zeros.

        y[row] = x[row] * max(1 - lambd * sqrt(D) / ||x[row]||, 0)

    Parameters
    ----------
    x : array (O, D)
    lambd : float >= 0

    Returns
    -------
    y : array (O, D)

    References
    ----------
    Yuan & Lin (2006), JRSS B 68, 49-67.
    """
    norm = np.sqrt((x * x).sum(axis=1, keepdims=True))
    shorter = np.maximum(norm - lambd * math.sqrt(x.shape[1]), 0)
    return x * (shorter / np.where(norm > 0, norm, 1).astype(x.dtype))


@checked(not_taught={"p": 2, "dim": 0})
def renorm(x, maxnorm):
    """Max-norm: rows longer than maxnorm are cut back to that length, the others stay as they are.

        y[row] = x[row] * maxnorm / (||x[row]|| + 1e-7)     where ||x[row]|| > maxnorm

    The 1e-7 is torch's.

    Parameters
    ----------
    x : array (O, D)
    maxnorm : float > 0

    Returns
    -------
    y : array (O, D)

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), JMLR 15, 1929-1958, section 5.1.
    """
    norm = np.sqrt((x * x).sum(axis=1, keepdims=True))
    return x * np.where(norm > maxnorm, maxnorm / (norm + 1e-7), 1).astype(x.dtype)


@checked
def ridge(x, y, l2):
    """The weights with the smallest mean squared error and L2 penalty, in closed form.

        weight = argmin ||x @ w - y||**2 / (2 N) + l2 / 2 * ||w||**2 = inv(x.T @ x / N + l2 * I) @ x.T @ y / N

    Parameters
    ----------
    x : array (N, D)
    y : array (N, K)
    l2 : float > 0

    Returns
    -------
    weight : array (D, K)

    References
    ----------
    Hoerl & Kennard (1970), Technometrics 12, 55-67.
    """
    moments = x.T @ x / len(x)
    moments.flat[:: len(moments) + 1] += l2
    return np.linalg.solve(moments, x.T @ y / len(x))


# ----------------------------------------------------------------------------------------- when to stop


@checked
def early_stopping(loss, best=None, num_bad_epochs=None, patience=5, min_delta=0.0):
    """Watch the validation loss: give up after `patience` epochs in a row without a better one.

        better: loss < best - min_delta
        best, num_bad_epochs = (loss, 0) where better, else (best, num_bad_epochs + 1)
        stop = num_bad_epochs >= patience

    Whoever trains keeps a copy of the model whenever num_bad_epochs is 0, and goes back to it at the end.

    Parameters
    ----------
    loss : array ()                                this epoch's validation loss
    best : array () or None                        None in the first epoch
    num_bad_epochs : int array () >= 0 or None     None in the first epoch
    patience : int >= 1
    min_delta : float >= 0

    Returns
    -------
    best : array ()
    num_bad_epochs : int array ()
    stop : bool array ()

    References
    ----------
    Prechelt (1998), Early stopping - but when?, in Neural Networks: Tricks of the Trade.
    """
    if best is None or num_bad_epochs is None or loss < best - min_delta:
        best, num_bad_epochs = loss, np.int64(0)
    else:
        num_bad_epochs = num_bad_epochs + 1
    return best, num_bad_epochs, np.bool_(num_bad_epochs >= patience)


# ----------------------------------------------------------------------------------- data made from data


@checked(not_taught={"align_corners": False})
def affine_grid(theta, size):
    """Where each pixel of a turned, shifted or scaled image is to be read, in coordinates from -1 to 1.

        grid[n, i, j] = theta[n] @ (column, row, 1),   column = (2 j + 1) / W - 1,   row = (2 i + 1) / H - 1

    Parameters
    ----------
    theta : array (N, 2, 3)     a linear map and a shift, from places in the new image to places in the old
    size : sizes                (N, C, H, W) of the new images

    Returns
    -------
    grid : array (N, H, W, 2)   column, then row
    """
    _check_size("affine_grid", theta, size)
    return np.einsum("ijk,nlk->nijl", _places(theta, size), theta)


@checked(not_taught={"align_corners": False})
def affine_grid_backward(grad_output, theta, size):
    """Gradient of `affine_grid` for theta.

    grad_theta[n] = sum over pixels of grad_output[n, i, j] (column, row, 1)
    """
    _check_size("affine_grid_backward", theta, size)
    expected = (len(theta), *size[2:], 2)
    if grad_output.shape != expected:
        came = grad_output.shape
        raise ValueError(f"affine_grid_backward: grad_output has shape {came}; expected {expected}")
    return np.einsum("nijl,ijk->nlk", grad_output, _places(theta, size))


def _check_size(name, theta, size):
    if len(size) != 4 or size[0] != len(theta):
        raise ValueError(f"{name}: size is {size}; expected (N, C, H, W) with N = {len(theta)}")


def _places(theta, size):
    """(column, row, 1) of every pixel's center: (H, W, 3)."""
    height, width = size[2:]
    column = (2 * np.arange(width) + 1) / width - 1
    row = (2 * np.arange(height) + 1) / height - 1
    places = np.ones((height, width, 3), theta.dtype)
    places[..., 0], places[..., 1] = column, row[:, None]
    return places


@checked(not_taught={"mode": "bilinear", "padding_mode": "zeros", "align_corners": False})
def grid_sample(x, grid):
    """Read images at places between their pixels: a weighted mean of the four around, 0 outside.

        y[n, c, i, j] = sum over the four of (1 - |r - row|) * (1 - |s - column|) * x[n, c, r, s]
        column = ((grid[..., 0] + 1) * W - 1) / 2,   row = ((grid[..., 1] + 1) * H - 1) / 2

    Parameters
    ----------
    x : array (N, C, H, W)
    grid : array (N, I, J, 2) finite     column, then row; -1 and 1 are the edges of the image

    Returns
    -------
    y : array (N, C, I, J)

    References
    ----------
    Jaderberg, Simonyan, Zisserman & Kavukcuoglu (2015), arXiv:1506.02025, section 3.3.
    """
    n = np.arange(len(x))[:, None, None]
    y = np.zeros((*grid.shape[:3], x.shape[1]), x.dtype)
    for r, s, share_r, share_s, *_ in _neighbors(x, grid):
        y += (share_r * share_s)[..., None] * x[n, :, r, s]
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2))


@checked(not_taught={"mode": "bilinear", "padding_mode": "zeros", "align_corners": False})
def grid_sample_backward(grad_output, x, grid):
    """Gradients of `grid_sample`: pixels get back what was read of them, places the slope between pixels.

        grad_x[n, c, r, s] += (1 - |r - row|) * (1 - |s - column|) * grad_output[n, c, i, j]
        grad_column = sum over the four of ±(1 - |r - row|) * sum_c grad_output[n, c, i, j] * x[n, c, r, s]
        grad_grid = (W / 2 * grad_column, H / 2 * grad_row)

    The sign is + for the two pixels to the right and - for those to the left; for grad_row, + below, - above.
    At a pixel's center it is the slope to the right, and the one downwards, as in torch.
    """
    n, (height, width) = np.arange(len(x))[:, None, None], x.shape[2:]
    g = grad_output.transpose(0, 2, 3, 1)
    grad_x, grad_grid = np.zeros((len(x), height, width, x.shape[1]), x.dtype), np.zeros_like(grid)
    for r, s, share_r, share_s, side_r, side_s, inside in _neighbors(x, grid):
        np.add.at(grad_x, (n, r, s), (share_r * share_s)[..., None] * g)
        pixel = (g * x[n, :, r, s]).sum(axis=-1) * inside
        grad_grid[..., 0] += pixel * share_r * (side_s * width / 2)
        grad_grid[..., 1] += pixel * share_s * (side_r * height / 2)
    return grad_x.transpose(0, 3, 1, 2), grad_grid


def _neighbors(x, grid):
    """For each of the four pixels around a place: its row and column, its two shares, in which direction
    each share grows, and whether it lies inside of the image. Outside, the first share is 0."""
    height, width = x.shape[2:]
    row, column = ((grid[..., 1] + 1) * height - 1) / 2, ((grid[..., 0] + 1) * width - 1) / 2
    top, left = np.floor(row), np.floor(column)
    for down in (0, 1):
        for right in (0, 1):
            r, s = top + down, left + right
            inside = (r >= 0) & (r < height) & (s >= 0) & (s < width)
            share_r, share_s = (1 - np.abs(row - r)) * inside, (1 - np.abs(column - s)) * inside
            rows, columns = np.where(inside, r, 0).astype(int), np.where(inside, s, 0).astype(int)
            yield rows, columns, share_r, share_s, 2 * down - 1, 2 * right - 1, inside


@checked
def mixup(x, lam, permutation):
    """Mix every row with another one; call it for the inputs and for their targets, with the same lam.

        y = lam * x + (1 - lam) * x[permutation]

    Parameters
    ----------
    x : array (N, ...)                        inputs, or a probability for each class
    lam : float in [0, 1]                     the paper draws it from Beta(alpha, alpha)
    permutation : int array (N,) in [0, N)    the partner of each row; each row once

    Returns
    -------
    y : array (N, ...)

    References
    ----------
    Zhang, Cisse, Dauphin & Lopez-Paz (2018), arXiv:1710.09412.
    """
    _check_permutation("mixup", permutation)
    return lam * x + (1 - lam) * x[permutation]


@checked
def mixup_backward(grad_output, x, lam, permutation):
    """Gradient of `mixup` for x: each row was used twice, by itself and by the row whose partner it was.

    grad_x = lam * grad_output + (1 - lam) * grad_output[inverse permutation]
    """
    _check_permutation("mixup", permutation)
    inverse = np.argsort(permutation)
    return lam * grad_output + (1 - lam) * grad_output[inverse], None


def _check_permutation(name, permutation):
    if len(np.unique(permutation)) < len(permutation):
        raise ValueError(f"{name}: permutation names a row twice; expected each of 0 to N - 1 once")


@checked
def cutmix(x, target, lam, permutation, row, column):
    """Paste a box of another image into every image; targets are mixed by area.

        the box: sqrt(1 - lam) of height and width, rounded down to an even number of pixels, centered on
                 (row, column), cut off at the edges
        mixed_target = (1 - share) * target + share * target[permutation],   share = its area / (H W)

    Parameters
    ----------
    x : array (N, C, H, W)
    target : array (N, K)                     a probability for each class
    lam : float in [0, 1]                     the share of the old image, before the edges cut the box
    permutation : int array (N,) in [0, N)    where each image's box comes from; each image once
    row : int in [0, H)
    column : int in [0, W)

    Returns
    -------
    y : array (N, C, H, W)
    mixed_target : array (N, K)

    References
    ----------
    Yun, Han, Oh, Chun, Choe & Yoo (2019), arXiv:1905.04899.
    """
    _check_permutation("cutmix", permutation)
    rows, columns, share = _box(x, lam, row, column)
    y = x.copy()
    y[:, :, rows, columns] = x[permutation][:, :, rows, columns]
    return y, (1 - share) * target + share * target[permutation]


def _box(x, lam, row, column):
    """Rows and columns of the box, and its share of the area."""
    height, width = x.shape[2:]
    half_height, half_width = (int(size * math.sqrt(1 - lam) / 2) for size in (height, width))
    rows = slice(max(row - half_height, 0), min(row + half_height, height))
    columns = slice(max(column - half_width, 0), min(column + half_width, width))
    return rows, columns, (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)


# -------------------------------------------------------------------------------------------- judging


@checked
def k_fold(permutation, k):
    """In which of k folds each row is held out; the folds differ in size by at most one.

        fold[permutation[i]] = floor(i * k / N)

    Fold f is judged by a model trained on the rows where fold != f, so that each row is judged once, by a
    model that has not seen it.

    Parameters
    ----------
    permutation : int array (N,) in [0, N)    a random order of the rows; each row once
    k : int in [2, N]

    Returns
    -------
    fold : int array (N,) in [0, k)

    References
    ----------
    Stone (1974), JRSS B 36, 111-147.
    """
    _check_permutation("k_fold", permutation)
    fold = np.empty_like(permutation)
    fold[permutation] = np.arange(len(permutation)) * k // len(permutation)
    return fold


@checked
def bias_variance(predictions, target):
    """Why models that learned from different samples are wrong: all in one way, or each in its own.

        bias2 = mean over rows of (mean over models of prediction - target)**2
        variance = mean over rows of the variance over models

    Their sum is the mean squared error for the target; noise in new targets would come on top.

    Parameters
    ----------
    predictions : array (M, N)     of M models for N rows
    target : array (N,)            without noise

    Returns
    -------
    bias2 : array ()
    variance : array ()

    References
    ----------
    Geman, Bienenstock & Doursat (1992), Neural Computation 4, 1-58.
    """
    mean = predictions.mean(axis=0)
    bias, scatter = mean - target, predictions - mean
    return (bias * bias).mean(), (scatter * scatter).mean()
