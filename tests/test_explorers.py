"""Every explorer of every concept, driven as a front end drives it: by messages to its widgets.

What the framework promises for any explorer (an error is shown, events that pile up collapse, Stop works at
once …) is tested on small explorers of this file; what each explorer must keep itself, on all of them.
"""

import ast
import asyncio
import base64
import html
import io
import itertools
import json
import math
import threading
import time
import warnings
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from nnlib import figures
from nnlib.explorer import (
    Choice,
    Explorer,
    Goal,
    IntSlider,
    LogSlider,
    Seed,
    Slider,
    Steps,
    Text,
    Toggle,
    explore,
    explorers,
)

pytestmark = pytest.mark.slow  # every control of every explorer, over its whole range

FOUND = dict(explorers())
with mock.patch("nnlib.explorer.Canvas"):  # not drawn: what they declare is enough, and cheap to collect
    MADE = {path: make() for path, make in FOUND.items()}
TRAINED = [path for path, made in MADE.items() if made._generator]
WITH_GOAL = [path for path, made in MADE.items() if made.goal]
WITH_CODE = [path for path, made in MADE.items() if made.code()]


class Page:
    """An explorer on a page: what can be turned and pressed, and what is seen."""

    def __init__(self, explorer):
        self.explorer = explorer
        explorer.update()
        explorer.widget()
        self.parts = explorer._widgets

    @property
    def picture(self):
        return bytes(self.parts["picture"].value)

    @property
    def error(self):
        return self.parts["error"].value

    @property
    def note(self):
        return self.parts["note"].value

    def send(self, widget, **data):
        widget._handle_msg({"content": {"data": data}, "buffers": []})

    def turn(self, name, value):
        """Move a control; returns the picture that is there afterwards."""
        state = self.explorer.controls[name].message(value)
        self.send(self.parts["controls"][name], method="update", state=state, buffer_paths=[])
        return self.picture

    def press(self, text):
        buttons = [w for w in walk(self.parts["box"]) if getattr(w, "description", None) == text]
        assert len(buttons) == 1, f"{len(buttons)} buttons {text!r}"
        self.send(buttons[0], method="custom", content={"event": "click"})


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def finished(explorer, **changes):
    """What a learner sees in the end: the picture, after training where there is training."""
    picture = explorer.update(**changes)
    return explorer.finish() if explorer._generator else picture


def corners(controls):
    """Values at the ends of all ranges, each option once, and some mixtures."""
    ends = {name: [c.sweep()[0], c.sweep()[-1]] for name, c in controls.items()}
    yield {}
    yield {name: low for name, (low, _) in ends.items()}
    yield {name: high for name, (_, high) in ends.items()}
    for name, control in controls.items():
        if isinstance(control, (Choice, Toggle)):
            yield from ({name: value} for value in control.sweep() if value != control.value)
    rng = np.random.default_rng(0)
    for _ in range(2):
        yield {name: c.sweep()[rng.integers(len(c.sweep()))] for name, c in controls.items()}


# ------------------------------------------------------------------------------------- all explorers


def test_there_are_explorers():
    assert {"neuron.boundary", "neuron.rule"} <= set(FOUND)
    assert TRAINED and WITH_GOAL and WITH_CODE


@pytest.mark.slow
@pytest.mark.parametrize("path", FOUND)
def test_every_control_changes_the_picture_and_none_an_error(path, record_property):
    page = Page(FOUND[path]())
    controls, milliseconds = page.explorer.controls, []
    for name in controls:
        for context in contexts(controls):
            page.press("Reset")
            for other, value in context.items():
                page.turn(other, value)
            idle, pictures = name in page.explorer.idle(), set()
            for value in values(page, name):
                started = time.process_time()
                pictures.add(page.turn(name, value))
                milliseconds.append(1000 * (time.process_time() - started))
                assert not page.error, f"{name} = {value}: {page.error}"
                assert page.explorer.state()[name] == approximately(value)
            if len(pictures) > 1:
                assert not idle, f"{name} is greyed out beside {context}, and changes the picture"
                break
            assert idle or page.explorer._generator, f"{name} changes nothing beside {context}: grey it out"
        else:
            low, high = controls[name].sweep()[0], controls[name].sweep()[-1]
            fresh = FOUND[path]()  # what shows only after training
            assert fresh._generator, f"{name} changes nothing"
            assert finished(fresh, **{name: low}) != finished(fresh, **{name: high}), (
                f"{name} changes nothing"
            )
    median, slow = np.quantile(milliseconds, (0.5, 0.95))
    record_property("milliseconds", float(median))
    print(f"{path}: {median:.0f} ms of CPU time per update, {slow:.0f} ms at the 95th percentile")


def contexts(controls):
    """Where the other controls stand: at the start, or one option chosen that makes this control matter."""
    yield {}
    for name, control in controls.items():
        if isinstance(control, (Choice, Toggle)):
            yield from ({name: value} for value in control.sweep() if value != control.value)


def values(page, name):
    """The whole range, and for a logarithmic slider the ends as the widget computes them."""
    control, widget = page.explorer.controls[name], page.parts["controls"][name]
    if isinstance(control, LogSlider):
        return [widget.base**widget.min, *control.sweep(), widget.base**widget.max]
    return control.sweep()


def approximately(value):
    return pytest.approx(value) if isinstance(value, float) else value


@pytest.mark.parametrize("path", FOUND)
def test_reset_goes_back_to_the_first_picture(path):
    page = Page(FOUND[path]())
    first, state = page.picture, page.explorer.state()
    for name, control in page.explorer.controls.items():
        page.turn(name, next(v for v in reversed(control.sweep()) if v != state[name]))
    assert page.explorer.state() != state
    page.press("Reset")
    assert page.picture == first
    assert page.explorer.state() == state
    assert {n: w.value for n, w in page.parts["controls"].items()} == approximately(state)


@pytest.mark.parametrize("path", FOUND)
def test_a_handle_stands_on_a_step(path):
    """A front end moves a handle that lies between two steps, and with it the value, before anybody did."""
    explorer = MADE[path]
    for name, control in explorer.controls.items():
        if isinstance(control, Slider):
            for value in (control.value, *control.sweep()[1:-1]):
                assert stands(control.widget(value), control.accept(value)), f"{name} = {value}"


def stands(widget, value):
    at = (np.log10(value) if hasattr(widget, "base") else value) - widget.min
    return abs(at / widget.step - round(at / widget.step)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("path", FOUND)
def test_the_state_is_a_plain_dict_that_brings_the_picture_back(path):
    """What is seen depends on where the controls are, not on how they got there."""
    page = Page(FOUND[path]())
    for corner in list(corners(page.explorer.controls))[-2:]:
        for name, value in corner.items():
            page.turn(name, value)
        state = page.explorer.state()
        again = explore(path, **json.loads(json.dumps(state)))
        assert again.update() == page.picture, state
        assert again.state() == state
        again.update(**FOUND[path]().state())
        again.reset()
        assert again.state() == state, "Reset leads back to what was asked for"


def unacceptable(control):
    if isinstance(control, Choice):
        return ["no such option", None, object()]
    if isinstance(control, Toggle):
        return [0, 1, "yes", None]
    if isinstance(control, Text):
        return ["", "7 §", 1, None]
    span = control.high - control.low
    outside = [control.low - span, control.high + span, control.high + 1e-3 * span, math.nan, math.inf]
    fractions = [control.low + 0.5] if isinstance(control, IntSlider) else []
    return outside + fractions + ["1", None, True, [control.value]]


@pytest.mark.parametrize("path", FOUND)
def test_a_value_out_of_range_is_refused(path):
    page = Page(FOUND[path]())
    explorer, before, state = page.explorer, page.picture, page.explorer.state()
    for name, control in explorer.controls.items():
        for value in unacceptable(control):
            with pytest.raises((TypeError, ValueError), match="expected") as error:
                explorer.update(**{name: value})
            assert control.label in str(error.value)
            explorer._turned(name, value)  # as if the widget had let it through
            assert html.escape(control.label) in page.error and "expected" in page.error
            assert page.picture == before and explorer.state() == state
    with pytest.raises(ValueError, match="no control .*'nothing'.*; expected"):
        explorer.update(nothing=1)
    with pytest.raises((TypeError, ValueError), match="expected"):
        explore(path, **{name: value})
    page.press("Reset")
    assert not page.error and page.picture == before


@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_CODE)
def test_the_programs_compute_what_the_picture_shows(path):
    explorer = FOUND[path]()
    assert {"numpy", "torch"} == set(explorer._programs)
    chaotic, tried = [], list(corners(explorer.controls))
    for corner in tried:
        explorer.reset()
        finished(explorer, **corner)
        expected = explorer.answer()
        answers = {version: execute(explorer.code(version)) for version in ("numpy", "torch")}
        if all(map(agree, answers.values(), [expected] * 2)):
            continue
        where = f"{answers}, the explorer {expected} at {explorer.state()}"
        assert corner and not agree(nudged(explorer), answers["numpy"]), where
        chaotic.append(corner)
    assert len(chaotic) < len(tried) / 2, "chaos nearly everywhere: give the controls shorter ranges"


def execute(program):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a run that diverges may overflow
        names = {}
        exec(compile(program, "<code>", "exec"), names)
    return float(names["answer"])


def agree(a, b):
    if math.isfinite(a) and math.isfinite(b):
        return a == pytest.approx(b, rel=1e-3, abs=1e-9)
    return not math.isfinite(a) and not math.isfinite(b)


def nudged(explorer):
    """The NumPy program's answer after a change of 1e-6: where training is chaotic, no two versions agree."""
    kept = explorer.values
    floats = {n: v * (1 + 1e-6) for n, v in kept.items() if isinstance(v, float)}
    explorer.values = kept | floats
    try:
        return execute(explorer.code("numpy"))
    finally:
        explorer.values = kept


@pytest.mark.parametrize("path", WITH_CODE)
def test_the_programs_can_be_copied_anywhere(path):
    """They need the libraries, the course's package and nothing else; the NumPy one needs no torch."""
    everywhere = {"math", "numpy", "nnlib"}
    for version, allowed in {"numpy": everywhere, "torch": everywhere | {"torch"}}.items():
        program = MADE[path].code(version)
        assert "$" not in program, "a control's value is missing"
        needed = set(imported(ast.parse(program)))
        assert needed <= allowed and ("torch" in needed) == (version == "torch"), (
            f"{version} imports {needed}"
        )
    assert "# NumPy\n" in MADE[path].code() and "# PyTorch\n" in MADE[path].code()
    with pytest.raises(ValueError, match="version is 'jax'; expected one of"):
        MADE[path].code("jax")


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_GOAL)
def test_the_goal_can_be_reached_and_is_not_reached_at_the_start(path):
    explorer = FOUND[path]()
    finished(explorer)
    assert not explorer.goal.met(explorer.state(), explorer.result), "met before anything was turned"
    for values in grid(explorer.controls):
        values = {**explorer.state(), **explorer.accept(**values)}
        *_, (_, result) = explorer._steps(values)
        if explorer.goal.met(values, result):
            break
    else:
        pytest.fail(f"{explorer.goal.text!r} is met nowhere on a coarse grid")
    page = Page(FOUND[path]())
    if page.explorer._compute:
        for name, value in values.items():
            page.turn(name, value)
        assert "Goal met" in page.note


def grid(controls):
    """A coarse grid over everything but the seed: single moves first, then pairs, then random mixtures."""
    sweeps = {name: c.sweep() for name, c in controls.items() if c.label != "seed"}
    for names in itertools.chain(itertools.combinations(sweeps, 1), itertools.combinations(sweeps, 2)):
        for mixture in itertools.product(*(sweeps[name] for name in names)):
            yield dict(zip(names, mixture))
    rng = np.random.default_rng(0)
    for _ in range(1000):
        yield {name: sweep[rng.integers(len(sweep))] for name, sweep in sweeps.items()}


@pytest.mark.slow
@pytest.mark.parametrize("path", FOUND)
def test_pages_without_a_kernel_show_a_small_stable_picture(path):
    one, other = FOUND[path](), FOUND[path]()
    bundles = [explorer._repr_mimebundle_() for explorer in (one, one, other)]
    stills = {bundle["image/png"] for bundle in bundles}
    assert len(stills) == 1 and {bundle["text/plain"] for bundle in bundles} == {repr(one)}
    assert repr(one).startswith(f"Explorer: {one.title} (")
    for bundle in bundles:
        json.dumps(bundle)
        assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
    still = base64.b64decode(stills.pop())
    assert len(still) <= 45_000, f"{len(still)} bytes"
    width, height = Image.open(io.BytesIO(still)).size
    layout = one._widgets["picture"].layout
    assert (layout.width, layout.height) == (f"{width}px", f"{height}px"), "the page would jump"


@pytest.mark.slow
@pytest.mark.parametrize("path", TRAINED)
def test_training_runs_beside_everything_else(path, record_property):
    """Stop ends it at once, other coroutines run meanwhile, a slider answers; the end is that of finish()."""
    page, ticks = Page(FOUND[path]()), []
    explorer, untrained = page.explorer, page.picture

    async def tick():
        while True:
            ticks.append(time.perf_counter())
            await asyncio.sleep(0.002)

    async def session():
        ticking = asyncio.ensure_future(tick())
        page.press("Train")
        assert explorer.training
        await until(lambda: page.parts["progress"].value > 0 and page.picture != untrained)
        assert len(ticks) > 1, "nothing else ran while it trained"
        page.press("Stop")
        assert not explorer.training
        stopped = page.picture
        await asyncio.sleep(0.1)
        assert page.picture == stopped, "the picture changed after Stop"

        page.press("Train")
        await asyncio.sleep(0.02)
        name, control = next(iter(explorer.controls.items()))
        page.turn(name, next(v for v in reversed(control.sweep()) if v != control.value))
        assert not explorer.training and not page.error and page.parts["progress"].value == 0
        page.press("Reset")
        assert page.picture == untrained and page.parts["progress"].value == 0

        page.press("Train")
        await until(lambda: not explorer.training)
        assert page.parts["progress"].value == 1 and not page.error
        ticking.cancel()

    asyncio.run(session())
    assert page.picture == FOUND[path]().finish()
    usual, longest = 1000 * np.quantile(np.diff(ticks), (0.5, 1))
    record_property("milliseconds", float(longest))
    print(
        f"{path}: while it trains the kernel answers every {usual:.0f} ms, at the latest in {longest:.0f} ms"
    )


async def until(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        await asyncio.sleep(0.002)


# --------------------------------------------------------------------------- the framework, on a small one


def small(compute=lambda a, b, kind, on: a, **options):
    """A line whose height is the result, four controls, and whatever is to be tested."""

    def setup(fig):
        ax = figures.axes(fig)
        ax.set(xlim=(0, 1), ylim=(-10, 10), title="A line")
        return {"line": ax.plot([], [])[0], "text": ax.text(0.1, -9, "")}

    def draw(artists, result):
        artists["line"].set_data([0, 1], [result, result])
        artists["text"].set_text(f"{result:.3g}")

    controls = dict(
        a=Slider(-3, 3, 1.0, "height", step=0.1),
        b=LogSlider(0.3, 700, 1.0, "size"),
        kind=Choice(("up", "down"), "up", "direction"),
        on=Toggle(False, "light"),
    )
    if "train" not in options:
        options["compute"] = compute
    return Explorer("Small", controls, setup, options.pop("draw", draw), size=(2, 1.5), **options)


def lower_case(text):
    if not text.islower():
        raise ValueError(f"got {text!r}; expected lower case")


def test_text_is_typed_checked_and_reset():
    def setup(fig):
        return figures.axes(fig).text(0.1, 0.5, "")

    control = Text("abc", "a word", lower_case, samples=("hello",))
    explorer = Explorer(
        "Typed", {"word": control}, setup, lambda text, r: text.set_text(r), compute=lambda word: word
    )
    page = Page(explorer)
    before = page.turn("word", "xyz")
    page.turn("word", "Abc")
    assert "got &#x27;Abc&#x27;; expected lower case" in page.error
    assert page.picture == before and explorer.state() == {"word": "xyz"}, "the last good text stays"
    assert page.turn("word", "<b>") != before and not page.error
    page.press("Reset")
    assert explorer.state() == {"word": "abc"}
    for bad in ("", "ABC", 1, None):
        with pytest.raises((TypeError, ValueError)):
            explorer.update(word=bad)


def fail(*_, **__):
    raise RuntimeError("out of <luck>")


def only_at_two(a, b, kind, on):
    return fail() if a == 2 else a


@pytest.mark.parametrize(
    "broken",
    [
        dict(compute=only_at_two),
        dict(draw=lambda artists, r: fail() if r == 2 else artists["line"].set_data([0, 1], [r, r])),
        dict(note=lambda values, result: fail() if result == 2 else "fine"),
        dict(goal=Goal("a goal", lambda values, result: fail() if result == 2 else False)),
    ],
    ids=["compute", "draw", "note", "goal"],
)
def test_an_error_is_shown_and_the_last_picture_stays(broken):
    page = Page(small(**broken))
    before = page.picture
    page.turn("a", 2.0)
    assert "RuntimeError: out of &lt;luck&gt; (line" in page.error and "fail)" in page.error
    assert page.picture == before
    assert page.turn("a", 3.0) != before
    assert not page.error


def test_an_error_outside_of_the_page_is_raised_and_changes_nothing():
    explorer = small(only_at_two)
    explorer.update(a=3)
    with pytest.raises(RuntimeError):
        explorer.update(a=2)
    assert explorer.state()["a"] == 3 and explorer.result == 3


def test_events_that_pile_up_collapse_to_the_newest():
    started, go_on, computed = threading.Event(), threading.Event(), []

    def slow(a, b, kind, on):
        computed.append(a)
        if len(computed) == 2:  # the first computation made the first picture
            started.set()
            assert go_on.wait(60)
        return a

    page = Page(small(slow))
    first_move = threading.Thread(target=page.turn, args=("a", -3.0))
    first_move.start()
    assert started.wait(60)
    for value in (-2.0, -1.0, 0.5, 2.0):
        page.turn("a", value)  # at once: an update is running
    assert computed == [1.0, -3.0]
    go_on.set()
    first_move.join(60)
    assert computed == [1.0, -3.0, 2.0]
    assert page.picture == small().update(a=2.0)
    page.turn("a", 0.0)
    assert computed[-1] == 0.0


def test_what_is_not_a_number_is_drawn_too():
    page = Page(small(lambda a, b, kind, on: math.nan if a < 0 else math.inf if a == 0 else a))
    pictures = [page.turn("a", value) for value in (-1.0, 0.0, 2.0)]
    assert not page.error and len(set(pictures)) == 3


def test_overflow_in_a_computation_is_no_error():
    page = Page(small(lambda a, b, kind, on: float(np.exp(np.float64(1000 * a)))))
    page.turn("a", 3.0)
    assert not page.error and page.explorer.result == math.inf


def test_the_ends_of_a_logarithmic_slider_are_reached():
    page = Page(small())
    widget = page.parts["controls"]["b"]
    for exponent, end in ((widget.min, 0.3), (widget.max, 700)):
        page.turn("b", widget.base**exponent)
        assert not page.error and page.explorer.state()["b"] == end


def test_a_handle_put_in_its_place_is_no_move():
    """10 to the power that a front end computes for 1.1 is 1.1 but for a rounding."""
    computed = []
    page = Page(small(lambda a, b, kind, on: computed.append((a, b)) or a))
    page.turn("a", 1.0 + 1e-15)
    page.turn("b", 1.0 - 1e-15)
    assert computed == [(1.0, 1.0)] and page.explorer.state()["b"] == 1.0
    page.turn("a", 1.1)
    assert computed[-1] == (1.1, 1.0)


def test_steps_keep_their_size_where_the_value_allows_it():
    assert Slider(-3, 3, 1.0, "", step=0.05).widget(1.0).step == 0.05
    assert Slider(-3, 3, 1.0, "", step=0.05).widget(-3.0).step == 0.05
    moved = Slider(0, 1, 0.5, "", step=0.1).widget(0.33)
    assert moved.step == pytest.approx(0.11)
    assert (
        IntSlider(2, 128, 2, "", 2).widget(64).step == 2 and IntSlider(2, 128, 2, "", 2).widget(63).step == 1
    )
    assert LogSlider(1e-3, 10, 0.1, "").widget(0.1).step == pytest.approx(0.05)
    assert stands(LogSlider(1e-3, 10, 0.1, "").widget(0.3), 0.3)


def test_one_refresh_for_a_reset():
    computed = []
    page = Page(small(lambda a, b, kind, on: computed.append(a) or a))
    for name, value in dict(a=2.0, b=10.0, kind="down", on=True).items():
        page.turn(name, value)
    before = len(computed)
    page.press("Reset")
    assert len(computed) == before + 1 and computed[-1] == 1.0


def test_note_goal_and_time_stand_under_the_picture():
    page = Page(small(note=lambda values, r: f"a < {r:.0f}", goal=Goal("a of 3", lambda values, r: r == 3)))
    page.turn("a", 2.0)
    assert "a &lt; 2" in page.note and "<b>Goal:</b> a of 3" in page.note and " ms" in page.note
    page.turn("a", 3.0)
    assert "Goal met ✓" in page.note


def test_the_code_button_shows_programs_with_the_present_values():
    page = Page(small(code={"numpy": "answer = $a  # <b>", "torch": "answer = $a * 1"}, answer=lambda r: r))
    program = page.parts["program"]
    assert program.layout.display == "none"
    page.press("Code")
    assert program.layout.display == "block" and "answer = 1.0  # &lt;b&gt;" in program.value
    page.turn("a", 2.0)
    assert "answer = 2.0" in program.value and page.explorer.answer() == 2
    page.press("Code")
    assert program.layout.display == "none"
    with pytest.raises(ValueError, match="declares no answer"):
        small().answer()


def test_a_step_button_counts_up_to_the_end():
    def setup(fig):
        return figures.axes(fig).text(0.5, 0.5, "")

    controls = dict(n=Steps(0, 2, 0, "steps"), seed=Seed())
    explorer = Explorer(
        "Steps", controls, setup, lambda text, r: text.set_text(str(r)), compute=lambda n, seed: n
    )
    page = Page(explorer)
    seen = [page.picture]
    for _ in range(3):
        page.press("Step")
        seen.append(page.picture)
    assert explorer.state()["n"] == 2 and len(set(seen)) == 3 and seen[2] == seen[3]


def test_compute_or_train_but_not_both():
    for functions in ({}, dict(compute=fail, train=fail)):
        with pytest.raises(ValueError, match="expected either compute or train"):
            Explorer("None", {}, lambda fig: [], fail, **functions)


def test_the_static_picture_shows_the_present_state():
    explorer = small()
    first = explorer._repr_mimebundle_()
    explorer.update(a=3.0)
    second = explorer._repr_mimebundle_()
    assert first["image/png"] != second["image/png"]
    assert "height = 1," in first["text/plain"] and "height = 3," in second["text/plain"]
    assert first["text/plain"] == "Explorer: Small (height = 1, size = 1, direction = up, light = False)"


def steps(a, b, kind, on):
    for i in range(50):
        yield i / 49, a * i / 10


def test_stop_leaves_the_last_picture():
    page = Page(small(train=steps))

    async def session():
        page.press("Train")
        await until(lambda: page.explorer.result > 1)
        page.press("Stop")
        kept = page.explorer.result
        await asyncio.sleep(0.05)
        assert page.explorer.result == kept < 4.9

    asyncio.run(session())


def test_training_again_starts_over_and_only_once():
    page = Page(small(train=steps))

    async def session():
        page.press("Train")
        await until(lambda: page.explorer.result > 1)
        first = page.explorer._task
        page.press("Train")
        await asyncio.sleep(0)
        await until(lambda: first.done())
        assert first.cancelled() and page.explorer.result < 1
        await until(lambda: not page.explorer.training)

    asyncio.run(session())
    assert page.picture == small(train=steps).finish()


def test_a_cell_of_another_thread_ends_training_at_once():
    """A step that was under way when a cell called reset() or update() must not be seen after it."""
    started, go_on = threading.Event(), threading.Event()

    def waits(a, b, kind, on):
        yield 0.0, 0.0
        started.set()
        assert go_on.wait(60)
        yield 0.5, 9.0

    page = Page(small(train=waits))
    page.explorer.update(a=2.0)
    first = page.picture

    async def session():
        page.press("Train")
        await until(started.is_set)
        await asyncio.sleep(0.2)

    training = threading.Thread(target=lambda: asyncio.run(session()))
    training.start()
    assert started.wait(60)
    page.explorer.reset()
    assert not page.explorer.training
    go_on.set()
    training.join(10)
    assert page.explorer.result == 0.0 and page.picture == first and not page.error


def test_a_cell_that_is_run_again_ends_the_training_of_the_first_run():
    path = next(path for path in TRAINED)

    async def session():
        first = explore(path)
        first.start()
        await asyncio.sleep(0.01)
        assert first.training
        second = explore(path)
        assert not first.training
        second.start()
        explore(next(other for other in FOUND if other != path))
        assert second.training, "another explorer is left alone"
        second.stop()

    asyncio.run(session())


def test_what_is_started_before_it_is_shown_shows_its_error_later():
    def breaks(a, b, kind, on):
        yield 0.0, 1.0
        fail()

    explorer = small(train=breaks)

    async def session():
        explorer.start()
        await until(lambda: not explorer.training)

    asyncio.run(session())
    assert "RuntimeError: out of &lt;luck&gt;" in explorer._widgets["error"].value
    with pytest.raises(RuntimeError, match="no running event loop"):
        explorer.start()


def test_an_error_in_training_is_shown():
    def breaks(a, b, kind, on):
        yield 0.0, 1.0
        yield 0.5, 2.0
        raise ArithmeticError("it <broke>")

    page = Page(small(train=breaks))

    async def session():
        page.press("Train")
        await until(lambda: not page.explorer.training)

    asyncio.run(session())
    assert "ArithmeticError: it &lt;broke&gt; (line" in page.error
    assert page.explorer.result == 2.0


def test_training_that_ends_early_shows_its_last_picture():
    def early(a, b, kind, on):
        for i in range(5):
            yield i / 10, float(i)

    page = Page(small(train=early))

    async def session():
        page.press("Train")
        await until(lambda: not page.explorer.training)

    asyncio.run(session())
    assert page.picture == small(train=early).finish()
    assert page.parts["progress"].value == 1
