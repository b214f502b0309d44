"""What notebook 00 rests on: its two explorers, its headline, its exercises and its map of the course."""

import asyncio
import json
import re
from pathlib import Path

import numpy as np
import pytest

from nnlib.exercises import diagnose
from nnlib.explorer import explore
from nnlib.linear import exercises, explorers
from nnlib.linear.experiments import same_training_twice

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


# --------------------------------------------------------------------------------------------- playground


@pytest.fixture(scope="module")
def set_up():
    return explore("linear.playground")


@pytest.fixture
def playground(set_up):
    set_up.update(**set_up._origin)
    return set_up


def goal_met(explorer):
    return bool(explorer.goal.met(explorer.values, explorer.result))


def test_the_goal_is_reached_by_the_learning_rate_alone(playground):
    assert not goal_met(playground)
    met = []
    for lr in (0.01, 0.3, 0.5, 1.0, 10.0):
        playground.update(lr=lr)
        met.append(goal_met(playground))
    assert met == [False, True, True, True, False]


def test_other_points_do_not_meet_the_goal_of_the_spirals(playground):
    playground.update(kind="blobs")
    assert playground.result["accuracy"] == 1 and not goal_met(playground)


@pytest.mark.parametrize("version", ["numpy", "torch"])
@pytest.mark.parametrize(
    "state",
    [
        {},
        dict(lr=0.3, seed=3),
        dict(layers=0, kind="moons", noise=0.2),
        dict(layers=1, width=32, lr=1.0),
        dict(layers=3, activation="relu", lr=0.2, kind="xor", noise=0.3),
    ],
    ids=str,
)
def test_the_programs_compute_what_is_on_the_screen(playground, state, version):
    playground.update(**state)
    program = {}
    exec(playground.code(version), program)
    assert float(program["answer"]) == pytest.approx(playground.answer(), rel=1e-3)


def test_divergence_is_drawn_and_named(playground):
    says = playground._canvas.artists["diverged"]
    assert says.get_text() == ""
    playground.update(lr=10.0)
    assert re.fullmatch(r"diverged by step \d+\nand ends with a loss of \S+", says.get_text())
    playground.update(lr=0.3)
    assert says.get_text() == ""


def test_numbers_beyond_all_bounds_are_drawn_too():
    """A ReLU network whose loss overflows: no exception, and the surface stays drawable."""
    rng = np.random.default_rng(0)
    training, held_out = explorers.halves(rng.normal(size=(40, 2)), np.arange(40) % 2)
    model = explorers.network(4, 2, explorers.ReLU, rng)
    model.params[:] = 3e38
    history = explorers.fit(
        model,
        *training,
        lr=1.0,
        epochs=3,
        loss=explorers.binary_cross_entropy_with_logits,
        validation=held_out,
    )
    with np.errstate(all="ignore"):
        result = explorers.snapshot(model, training, held_out, history)
        explorer = explore("linear.playground")
        explorer._paint(result)
    assert np.isfinite(result["output"]).all() and result["diverged"]


def test_a_ring_marks_each_wrong_point(playground):
    wrong = round((1 - playground.result["accuracy"]) * explorers.POINTS)
    assert 0 < wrong == len(playground.result["wrong"])
    assert len(playground._canvas.artists["wrong"].get_offsets()) == wrong


def test_the_percentage_is_not_rounded_up(playground):
    playground.update(lr=0.3)
    assert playground.result["accuracy"] < 1
    says = playground._canvas.artists["accuracy"]
    assert says.get_text() == "99 %"
    for right in range(explorers.POINTS + 1):
        accuracy = 1 - np.repeat([False, True], [right, explorers.POINTS - right]).mean()
        explorers.draw(playground._canvas.artists, playground.result | {"accuracy": accuracy})
        assert says.get_text() == f"{100 * right // explorers.POINTS} %"


# ------------------------------------------------------------------------------------------ live training


@pytest.mark.slow
def test_a_larger_learning_rate_meets_the_goal_in_time():
    explorer = explore("linear.live_training")
    reached = {}
    for lr in (0.03, 0.1):
        explorer.update(lr=lr)
        explorer.finish()
        assert explorer.result["step"][-1] == explorers.LIVE_STEPS and explorer.result["accuracy"] > 0.98
        reached[lr] = explorer.result["reached"], goal_met(explorer)
    assert reached[0.1][0] < 3000 < reached[0.03][0]
    assert reached[0.1][1] and not reached[0.03][1]


@pytest.mark.parametrize("batch_size", explorers.live_training().controls["batch_size"].options)
def test_every_batch_size_makes_as_many_steps(batch_size):
    per_epoch, rest = divmod(explorers.LIVE_POINTS, batch_size)
    assert rest == 0 and explorers.LIVE_STEPS % per_epoch == 0


def test_stop_stops_at_once_and_keeps_the_picture():
    explorer = explore("linear.live_training")
    explorer.widget()

    async def watch():
        explorer.start()
        while explorer.result is None or explorer.result["step"][-1] < 30:
            await asyncio.sleep(0.001)
        explorer.stop()
        stopped = explorer.result["step"][-1]
        await asyncio.sleep(0.05)
        return stopped, explorer.result["step"][-1], explorer.training

    stopped, later, training = asyncio.run(watch())
    assert 30 <= stopped == later < explorers.LIVE_STEPS and not training
    assert explorer._widgets["picture"].value[:4] == b"\x89PNG"
    assert explorer._widgets["error"].value == ""


# --------------------------------------------------------------------------------------------------- H01


@pytest.mark.slow
def test_the_two_networks_agree_because_they_trained_not_because_nothing_moved():
    first, second = same_training_twice(0), same_training_twice(1)
    assert first["losses"]["NumPy"][0] > 2 and first["losses"]["PyTorch"][-1] < 0.2
    assert np.abs(first["weights"]["NumPy"] - second["weights"]["PyTorch"]).max() > 0.1


# ---------------------------------------------------------------------------------------------- exercises


def by_einsum(x, weight, bias=None):
    y = np.einsum("...d,od->...o", x, weight)
    return y if bias is None else y + bias


def by_loops(x, weight, bias=None):
    rows = [[sum(a * b for a, b in zip(row, w)) for w in weight] for row in x.reshape(-1, x.shape[-1])]
    y = np.array(rows, x.dtype).reshape(*x.shape[:-1], len(weight))
    return y if bias is None else y + bias


def no_transpose(x, weight, bias=None):
    return x @ weight


def backward_by_outer_products(grad_output, x, weight, bias=None):
    rows, inputs = grad_output.reshape(-1, len(weight)), x.reshape(-1, x.shape[-1])
    grad_weight = sum(np.outer(row, one) for row, one in zip(rows, inputs))
    grads = np.einsum("...o,od->...d", grad_output, weight), grad_weight
    return grads if bias is None else (*grads, np.ones(len(rows), x.dtype) @ rows)


@pytest.mark.parametrize(
    "name, mine",
    [("linear", by_einsum), ("linear", by_loops), ("linear_backward", backward_by_outer_products)],
)
def test_a_right_answer_is_correct_however_it_is_written(name, mine):
    assert diagnose(getattr(exercises, name), mine).word == "correct"


def test_a_missing_transpose_shows_the_learners_line():
    card = diagnose(exercises.linear, no_transpose)
    assert card.word == "error" and "`return x @ weight`" in card.lines[1]
    assert card.lines[2].startswith("`x @ weight.T` fits")


# --------------------------------------------------------------------------------------------- notebook 00


def stored(cell_id, kind):
    cells = json.loads((NOTEBOOKS / "00_start_here.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = (cell for cell in cells if cell["id"] == cell_id)
    (output,) = cell["outputs"]
    return "".join(output["text"] if kind == "text" else output["data"][kind])


def test_the_map_shows_the_notebooks_that_exist():
    shown = re.findall(r"^\| \[.*?\]\((.*?)\)", stored("map-table", "text/markdown"), re.M)
    there = sorted(path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    assert shown == there, "run: python tools/notebooks.py 00"


def test_the_machine_that_stored_the_outputs_was_fine():
    *lines, last = stored("machine-check", "text").splitlines()
    assert len(lines) >= 5 and all(line.endswith(": fine") for line in lines)
    assert last.startswith("measured: ")
