"""Laws of the game: the best discriminator, distances that are distances, the slope of a slope, the cures."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlib.gan import in_numpy as gan
from nnlib.gan import in_torch
from nnlib.gan.explorers import METHODS, spectrum
from nnlib.layers import Linear, ReLU, Sequential, Sigmoid, Tanh, train_adversarial
from nnlib.layers.adversarial import GAMES, penalty_backward

SEEDS = st.integers(0, 10_000)


# ------------------------------------------------------------------------------------------ distributions


@settings(max_examples=30)
@given(SEEDS)
def test_no_discriminator_beats_the_best_one(seed):
    """Its value is 2 JS - log 4, and any other answer on any cell is worth less."""
    rng = np.random.default_rng(seed)
    log_p, log_q = np.log(rng.dirichlet(np.ones(6), size=2))

    def value(d):
        return np.exp(log_p) @ np.log(d) + np.exp(log_q) @ np.log(1 - d)

    best = gan.optimal_discriminator(log_p, log_q)
    assert value(best) == pytest.approx(2 * gan.jensen_shannon(log_p, log_q) - np.log(4))
    assert value(best) >= value(np.clip(best + rng.normal(0, 0.1, 6), 1e-3, 1 - 1e-3))


@settings(max_examples=30)
@given(SEEDS)
def test_distances_are_zero_at_home_symmetric_and_bounded(seed):
    rng = np.random.default_rng(seed)
    log_p, log_q = np.log(rng.dirichlet(np.ones(5), size=2))
    x, y = rng.normal(size=(2, 7))
    a, b = rng.normal(size=(9, 3)), rng.normal(1, 2, (8, 3))
    pairs = (
        (gan.jensen_shannon, log_p, log_q),
        (gan.wasserstein_distance, x, y),
        (gan.frechet_distance, a, b),
    )
    for distance, one, other in pairs:
        assert distance(one, one) == pytest.approx(0, abs=1e-12)
        assert distance(one, other) == pytest.approx(distance(other, one)) and distance(one, other) >= 0
    assert gan.jensen_shannon(log_p, log_q) <= np.log(2)
    shift = rng.normal()
    assert gan.wasserstein_distance(x, x + shift) == pytest.approx(abs(shift))
    assert gan.frechet_distance(a, a + shift) == pytest.approx(3 * shift**2)


def test_equal_samples_find_the_same_partners_in_both_versions():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 3, 40) * 1.0, rng.integers(0, 3, 40) + 0.1 * rng.normal(size=40)
    inputs = [torch.from_numpy(v).requires_grad_() for v in (x, y)]
    in_torch.wasserstein_distance(*inputs).backward()
    for grad, theirs in zip(gan.wasserstein_distance_backward(np.array(1.0), x, y), inputs):
        np.testing.assert_allclose(grad, theirs.grad.numpy(), atol=1e-15)


def test_frechet_distance_is_the_formula_with_a_root_of_a_matrix():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 4)), rng.normal(1, 2, (20, 4))
    c_x, c_y = np.cov(x.T), np.cov(y.T)
    root = np.sqrt(np.linalg.eigvals(c_x @ c_y).astype(complex)).sum().real
    shift = x.mean(axis=0) - y.mean(axis=0)
    expected = shift @ shift + np.trace(c_x) + np.trace(c_y) - 2 * root
    assert gan.frechet_distance(x, y) == pytest.approx(expected)


def test_copies_have_full_precision_and_recall_and_no_distance():
    for seed in range(20):  # rounding must not put the distance below 0
        x = np.random.default_rng(seed).normal(5, 2, size=(20, 3))
        for version, copy in ((gan, x[::-1].copy()), (in_torch, torch.from_numpy(x[::-1].copy()))):
            one = x if version is gan else torch.from_numpy(x)
            assert 0 <= version.frechet_distance(one, copy) < 1e-10
    assert gan.precision_recall(x, x.copy()) == (1, 1)
    assert (gan.nearest_distance(x[:5], x) == 0).all()
    one_mode = x[0] + 1e-3 * np.random.default_rng(1).normal(size=(20, 3))
    precision, recall = gan.precision_recall(x, one_mode)
    assert precision == 1 and recall < 0.2  # all of them look real, nearly nothing is covered


@pytest.mark.parametrize("measure", [gan.frechet_distance, in_torch.frechet_distance])
def test_too_few_samples_are_refused(measure):
    x = np.ones((1, 2)) if measure is gan.frechet_distance else torch.ones(1, 2)
    with pytest.raises(ValueError, match="1 and 1 rows; expected at least 2 of each"):
        measure(x, x)


def test_a_neighbor_too_many_is_refused():
    x = np.random.default_rng(0).normal(size=(4, 2))
    for version, rows in ((gan, x), (in_torch, torch.tensor(x))):
        with pytest.raises(ValueError, match="k is 4; expected fewer than the 4 rows"):
            version.precision_recall(rows, rows, k=4)


# --------------------------------------------------------------------------------------- the four games


@given(st.floats(-30, 30), st.floats(-30, 30))
def test_the_two_generator_losses_differ_by_the_score(one, other):
    """-log D = log(1 - D) - score: the same wish, but for a term that never goes flat."""
    fake = np.array([one, other])
    difference = gan.non_saturating_generator(fake) - gan.minimax_generator(fake)
    softplus = np.logaddexp(0, fake).mean() + np.logaddexp(0, -fake).mean()
    assert difference == pytest.approx(softplus)
    total = gan.non_saturating_generator_backward(1.0, fake) + gan.minimax_generator_backward(1.0, -fake)
    assert total == pytest.approx(2 * gan.minimax_generator_backward(1.0, -fake))


@given(st.floats(0.5, 1))
def test_smoothing_moves_the_best_answer_and_nothing_else(label):
    score = np.log(label / (1 - label)) if label < 1 else 50.0
    grad_real, _ = gan.minimax_discriminator_backward(1.0, np.array([score]), np.zeros(1), label)
    assert grad_real == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("activation", [ReLU, Tanh])
def test_the_penalty_through_any_critic_is_autograds(activation):
    rng = np.random.default_rng(0)
    sizes, x = (2, 7, 5, 1), rng.normal(size=(6, 2))
    linears = [Linear(i, o, rng=rng, dtype=np.float64) for i, o in zip(sizes, sizes[1:])]
    critic = Sequential(linears[0], activation(), linears[1], activation(), linears[2])
    value = penalty_backward(critic, x)

    twins = [torch.nn.Linear(i, o).double() for i, o in zip(sizes, sizes[1:])]
    for twin, linear in zip(twins, linears):
        twin.weight.data, twin.bias.data = map(torch.tensor, linear.params.values())
    kind = getattr(torch.nn, activation.__name__)
    network = torch.nn.Sequential(twins[0], kind(), twins[1], kind(), twins[2])
    inputs = torch.tensor(x, requires_grad=True)
    (slope,) = torch.autograd.grad(network(inputs).sum(), inputs, create_graph=True)
    expected = in_torch.gradient_penalty(slope)
    grads = torch.autograd.grad(expected, list(network.parameters()), allow_unused=True)
    flat = [torch.zeros_like(p) if g is None else g for g, p in zip(grads, network.parameters())]
    assert value == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(critic.grads, torch.cat([g.ravel() for g in flat]).numpy(), atol=1e-13)


def test_a_critic_with_other_layers_is_refused():
    rng = np.random.default_rng(0)
    critic = Sequential(Linear(2, 3, rng=rng), Sigmoid(), Linear(3, 1, rng=rng))
    with pytest.raises(TypeError, match="a layer is Sigmoid; expected Linear, ReLU or Tanh"):
        penalty_backward(critic, np.zeros((2, 2), np.float32))


def two_players(seed):
    rng = np.random.default_rng(seed)
    shapes = ((1, 8, 1), (1, 16, 1))
    return rng, [Sequential(Linear(a, b, rng=rng), Tanh(), Linear(b, c, rng=rng)) for a, b, c in shapes]


@pytest.mark.parametrize(
    "game", [game for game in GAMES if game != "Wasserstein"]
)  # whose critic circles here
def test_each_game_moves_the_generator_to_the_data(game):
    """Data near 2, samples near 0 at first: half of the way is done within 400 steps."""
    rng, (generator, discriminator) = two_players(1)
    settings = dict(game=game, lr=(5e-3, 5e-3), steps=400, every=100, batch_size=64)
    *_, history = train_adversarial(
        generator, discriminator, 2 + 0.1 * rng.normal(size=(500, 1)), rng=rng, **settings
    )
    made = generator(rng.normal(size=(500, 1)))
    assert abs(made.mean() - 2) < 1, made.mean()
    assert history.step == [100, 200, 300, 400] and history.diverged_at is None
    assert len(history.generator_loss) == len(history.discriminator_loss) == 4


@pytest.mark.parametrize("game, penalty", [(game, 0) for game in GAMES] + [("Wasserstein", 10)])
def test_a_game_is_the_loop_written_in_pytorch(game, penalty):
    """Six steps of two discriminator updates each, in float64, on the same draws."""
    make = [Linear(2, 5, rng=np.random.default_rng(1), dtype=np.float64)]
    make += [Tanh(), Linear(5, 3, rng=np.random.default_rng(2), dtype=np.float64)]
    judge = [Linear(3, 6, rng=np.random.default_rng(3), dtype=np.float64)]
    judge += [Tanh(), Linear(6, 1, rng=np.random.default_rng(4), dtype=np.float64)]
    generator, discriminator = Sequential(*make), Sequential(*judge)
    twins, optimizers = [], []
    for layers, lr in ((make, 0.01), (judge, 0.03)):
        linears = [torch.nn.Linear(*layers[i].params["weight"].T.shape).double() for i in (0, 2)]
        for twin, linear in zip(linears, (layers[0], layers[2])):
            twin.weight.data, twin.bias.data = (torch.tensor(p.copy()) for p in linear.params.values())
        twins.append(torch.nn.Sequential(linears[0], torch.nn.Tanh(), linears[1]))
        optimizers.append(torch.optim.Adam(twins[-1].parameters(), lr, betas=(0.5, 0.999)))
    data = np.random.default_rng(5).normal(size=(30, 3))
    settings = dict(game=game, penalty=penalty, lr=(0.01, 0.03), discriminator_steps=2, batch_size=7)
    *_, history = train_adversarial(
        generator, discriminator, data, steps=6, rng=np.random.default_rng(6), **settings
    )

    rng = np.random.default_rng(6)
    d_loss, g_loss = (getattr(in_torch, loss.__name__) for loss in GAMES[game])
    for _ in range(6):
        for _ in range(2):
            real = torch.tensor(data[rng.integers(0, 30, 7)])
            fake = twins[0](torch.tensor(rng.standard_normal((7, 2)))).detach()
            loss = total = d_loss(twins[1](real), twins[1](fake))
            if penalty:
                mix = torch.tensor(rng.random((7, 1)))
                between = (mix * real + (1 - mix) * fake).requires_grad_()
                (slope,) = torch.autograd.grad(twins[1](between).sum(), between, create_graph=True)
                total = loss + penalty * in_torch.gradient_penalty(slope)
            optimizers[1].zero_grad()
            total.backward()
            optimizers[1].step()
        wish = g_loss(twins[1](twins[0](torch.tensor(rng.standard_normal((7, 2))))))
        optimizers[0].zero_grad()
        wish.backward()
        optimizers[0].step()
    assert history.discriminator_loss[-1] == pytest.approx(loss.item(), rel=1e-9)
    assert history.generator_loss[-1] == pytest.approx(wish.item(), rel=1e-9)
    for model, twin in ((generator, twins[0]), (discriminator, twins[1])):
        flat = torch.cat([p.detach().ravel() for p in twin.parameters()]).numpy()
        np.testing.assert_allclose(model.params, flat, atol=1e-9)


def test_the_same_seed_plays_the_same_game_and_others_may_stop_it():
    results = []
    for _ in range(2):
        rng, players = two_players(3)
        game = train_adversarial(*players, np.ones((20, 1)), steps=30, rng=rng, every=7)
        seen = [history.step[-1] for history in game]
        results.append((seen, players[0].params.tolist()))
    assert results[0] == results[1] and results[0][0] == [7, 14, 21, 28, 30]


def test_a_game_that_diverges_ends_early():
    rng, players = two_players(0)
    *_, history = train_adversarial(*players, np.ones((20, 1)), steps=50, rng=rng, lr=(1e38, 1e38), every=50)
    assert history.diverged_at is not None and history.diverged_at < 50


@pytest.mark.parametrize(
    "bad, message",
    [
        (dict(game="poker"), "game is 'poker'; expected one of"),
        (dict(steps=0), "steps is 0; expected >= 1"),
        (dict(rng=0), "rng is of type int; expected a random Generator"),
        (dict(penalty=-1.0), "penalty is -1.0; expected >= 0"),
    ],
)
def test_bad_settings_are_refused(bad, message):
    rng, players = two_players(0)
    with pytest.raises((TypeError, ValueError), match=message):
        next(train_adversarial(*players, np.ones((20, 1)), **(dict(steps=5, rng=rng) | bad)))


# -------------------------------------------------------------------------------------------- small games


@settings(max_examples=25)
@given(st.floats(0.05, 0.5))
def test_the_eigenvalues_tell_who_spirals_where(lr):
    radius = {method: np.abs(spectrum(lr, method)).max() for method in METHODS}
    assert radius["simultaneous"] == pytest.approx(np.sqrt(1 + lr**2))
    assert radius["alternating"] == pytest.approx(1)
    assert radius["extragradient"] == pytest.approx(np.sqrt(1 - lr**2 + lr**4))
    assert radius["optimistic"] < 1


@given(SEEDS)
@settings(max_examples=25)
def test_power_iteration_finds_the_largest_stretch(seed):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(4, 3))
    u, v = gan.power_iteration(weight, rng.normal(size=3), 2000)
    largest = np.linalg.svd(weight, compute_uv=False)[0]
    assert u @ weight @ v == pytest.approx(largest, rel=1e-3)
    assert np.linalg.norm(gan.spectral_norm(weight, u, v), 2) == pytest.approx(1, rel=1e-3)


# ------------------------------------------------------------------------------------------- the networks


@pytest.mark.parametrize("size", [8, 28])
@pytest.mark.parametrize("classes", [0, 10])
def test_the_networks_make_and_judge_pictures_of_both_sizes(size, classes):
    torch.manual_seed(0)
    generator = in_torch.Generator(size, latent=5, channels=4, classes=classes)
    discriminator = in_torch.Discriminator(size, channels=4, classes=classes)
    label = (torch.arange(6) % 10,) if classes else ()
    pictures = generator(torch.randn(6, 5), *label)
    assert pictures.shape == (6, size * size) and 0 <= pictures.min() and pictures.max() <= 1
    scores = discriminator(pictures, *label)
    assert scores.shape == (6,)
    if classes:
        others = discriminator(pictures, (label[0] + 1) % 10)
        assert not torch.allclose(scores, others)
    penalty = in_torch.GradientPenalty(10)(discriminator, pictures.detach(), torch.rand(6, size**2), *label)
    penalty.backward()
    assert penalty > 0 and discriminator.judge[0].weight.grad.abs().sum() > 0


def test_a_size_that_cannot_be_halved_twice_is_refused():
    with pytest.raises(ValueError, match="size is 10; expected a multiple of 4"):
        in_torch.Generator(10)
