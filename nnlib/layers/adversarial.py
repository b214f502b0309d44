"""Two models that train against each other: a generator and a discriminator, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnlib.core import check_call, documented
from nnlib.gan import in_numpy as gan
from nnlib.layers.base import Array, bare
from nnlib.layers.dense import Linear, ReLU, Tanh
from nnlib.layers.models import Sequential
from nnlib.optimizers.in_numpy import adam

# For each game the discriminator's loss and the generator's; their gradients stand beside them.
GAMES: dict[str, tuple[Callable, Callable]] = {
    "minimax": (gan.minimax_discriminator, gan.minimax_generator),
    "non-saturating": (gan.minimax_discriminator, gan.non_saturating_generator),
    "least squares": (gan.least_squares_discriminator, gan.least_squares_generator),
    "Wasserstein": (gan.wasserstein_critic, gan.wasserstein_generator),
}


def backward_of(loss: Callable) -> Callable:
    """The gradient of a loss of `GAMES`, without the check of each call."""
    return bare(getattr(gan, f"{loss.__name__}_backward"))


@dataclass
class Game:
    """What the players went through: after every `every` steps the losses of the last of them."""

    step: list[int] = field(default_factory=list)
    discriminator_loss: list[float] = field(default_factory=list)
    generator_loss: list[float] = field(default_factory=list)
    diverged_at: int | None = None  # the step after which a parameter was no longer finite


class Player:
    """A model with an Adam of its own."""

    def __init__(self, model: Sequential, lr: float, betas: tuple[float, float] = (0.5, 0.999)):
        self.model, self.lr, self.betas = model, float(lr), betas
        self.state: list[Any] = []
        self.t = 0

    def step(self) -> None:
        """Move the parameters against the gradients that `backward` has left in the model."""
        self.t += 1
        new, *self.state = bare(adam)(
            self.model.params, self.model.grads, *self.state, lr=self.lr, betas=self.betas, t=self.t
        )
        self.model.params[...] = new


def train_adversarial(
    generator: Sequential,
    discriminator: Sequential,
    data: Any,
    *,
    steps: int,
    rng: np.random.Generator,
    game: str = "non-saturating",
    lr: tuple[float, float] = (1e-3, 1e-3),
    betas: tuple[float, float] = (0.5, 0.999),
    batch_size: int = 128,
    generator_steps: int = 1,
    discriminator_steps: int = 1,
    penalty: float = 0.0,
    every: int = 1,
) -> Iterator[Game]:
    """Let two models play: a generator that yields the growing `Game` after every `every` steps.

    One step is `discriminator_steps` updates of the discriminator, then `generator_steps` of the
    generator, each by Adam on a fresh batch. A run that diverges ends early, with `diverged_at`.

    Parameters
    ----------
    data : any                         an array (N, D) to draw rows from, or a function (count, rng)
    steps : int >= 1
    rng : Generator                    draws the batches and the noise
    game : {'minimax', 'non-saturating', 'least squares', 'Wasserstein'}
    lr : any                           the generator's and the discriminator's
    betas : any                        Adam's, for both
    batch_size : int >= 1
    generator_steps, discriminator_steps : int >= 1
    penalty : float >= 0               factor of the gradient penalty, 0 for none; 10 goes with Wasserstein
    every : int >= 1
    """
    given = dict(
        steps=steps, rng=rng, game=game, batch_size=batch_size, generator_steps=generator_steps,
        discriminator_steps=discriminator_steps, penalty=penalty, every=every,
    )  # fmt: skip
    wanted = {s.name: s for s in documented(train_adversarial) if s.name in given}
    check_call("train_adversarial", wanted, given, "numpy")
    draw = data if callable(data) else lambda count, rng: data[rng.integers(0, len(data), count)]
    d_loss, g_loss = GAMES[game]
    d_backward, g_backward = backward_of(d_loss), backward_of(g_loss)
    latent = next(layer for layer in generator.layers if layer.params).params["weight"].shape[1]
    making, judging = (Player(model, rate, betas) for model, rate in zip((generator, discriminator), lr))
    one = generator.dtype.type(1)
    result = Game()

    def fake() -> Array:
        return generator.forward(rng.standard_normal((batch_size, latent), dtype=generator.dtype))

    def update_discriminator() -> tuple[Array, Array]:
        real, made = np.asarray(draw(batch_size, rng), discriminator.dtype), fake()
        scores = discriminator.forward(np.concatenate([real, made]))
        scores = scores[:batch_size].copy(), scores[batch_size:].copy()
        discriminator.backward(np.concatenate(d_backward(one, *scores)), want_input=False)
        if penalty:
            mix = rng.random((batch_size, 1), dtype=discriminator.dtype)
            between, grads = mix * real + (1 - mix) * made, discriminator.grads.copy()
            penalty_backward(discriminator, between)
            discriminator.grads[...] = grads + penalty * discriminator.grads
        judging.step()
        return scores

    def update_generator() -> Array:
        scores = discriminator.forward(fake())
        generator.backward(discriminator.backward(g_backward(one, scores)), want_input=False)
        making.step()
        return scores

    for step in range(1, steps + 1):
        with np.errstate(all="ignore"):  # closed before the yield, or it would hold for the caller too
            for _ in range(discriminator_steps):
                both = update_discriminator()
            for _ in range(generator_steps):
                scores = update_generator()
            finite = all(np.vdot(m.params, m.params) < np.inf for m in (generator, discriminator))
            if step % every == 0 or step == steps or not finite:
                result.step.append(step)
                result.discriminator_loss.append(float(bare(d_loss)(*both)))
                result.generator_loss.append(float(bare(g_loss)(scores)))
        if not finite:
            result.diverged_at = step
            yield result
            return
        if result.step and result.step[-1] == step:
            yield result


def penalty_backward(model: Sequential, x: Array, target: float = 1.0) -> float:
    """Put the gradients of the gradient penalty at the rows of x into `model.grads`; return the penalty.

    The penalty is a function of g, the model's gradient for x, so this is a backward through a backward.
    With u = d penalty / dg held fixed, sum(u * g) is how fast the scores rise as the rows of x move along u.
    That speed is computed forward, layer by layer, beside the values; and then backward for the weights.
    Layers may be Linear, ReLU and Tanh, with one score at the end.
    """
    for layer in model.layers:
        if type(layer) not in (Linear, ReLU, Tanh):
            kind = type(layer).__name__
            raise TypeError(f"penalty_backward: a layer is {kind}; expected Linear, ReLU or Tanh")
    score = model.forward(x)
    g = model.backward(np.ones_like(score)).copy()
    u = bare(gan.gradient_penalty_backward)(x.dtype.type(1), g, target)

    speeds = [u]  # of the input of each layer; values are where forward left them
    for layer in model.layers:
        linear = isinstance(layer, Linear)
        speeds.append(speeds[-1] @ layer.params["weight"].T if linear else _slope(layer) * speeds[-1])

    on_value, on_speed = np.zeros_like(score), np.ones_like(score)  # how the final speed feels each
    for layer, speed in zip(reversed(model.layers), reversed(speeds[:-1])):
        if isinstance(layer, Linear):
            layer.grads["weight"][...] = on_speed.T @ speed + on_value.T @ layer.x
            if "bias" in layer.grads:
                layer.grads["bias"][...] = on_value.sum(axis=0)
            weight = layer.params["weight"]
            on_value, on_speed = on_value @ weight, on_speed @ weight
        else:
            slope = _slope(layer)
            bend = -2 * layer.y * slope if isinstance(layer, Tanh) else 0  # the second derivative
            on_value, on_speed = slope * on_value + bend * speed * on_speed, slope * on_speed
    return float(bare(gan.gradient_penalty)(g, target))


def _slope(layer: Any) -> Array:
    return 1 - layer.y * layer.y if isinstance(layer, Tanh) else (layer.y > 0).astype(layer.y.dtype)
