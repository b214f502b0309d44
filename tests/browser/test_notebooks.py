"""Every notebook as a learner meets it: read before it ran, run, turned, trained, stopped, tried and solved.

Each notebook is opened once, in a real JupyterLab in Chromium, and its tests share the page. Times from key
press to new picture stand in a table at the end of the report; none is asserted. With NNLIB_SCREENSHOTS set
to a folder, each explorer is saved there as a picture.
"""

import inspect
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from lint_notebooks import attempts
from nnlib.cards import lookup
from nnlib.core import find
from nnlib.exercises import Exercise
from nnlib.explorer import Text
from notebooks import course

pytestmark = pytest.mark.browser

PRESSES = 12

# The number of the cell in which an element stands.
CELL = """element => [...document.querySelectorAll('.jp-Notebook .jp-Cell')]
    .indexOf(element.closest('.jp-Cell'))"""

# From a key press, seen before any handler, to the frame after the new picture was decoded.
STOPWATCH = """image => {
    if (!window.watched) {
        window.watched = true;
        addEventListener('keydown', () => { window.pressed = performance.now(); }, {capture: true});
    }
    image.times = [];
    image.addEventListener('load', () => {
        const pressed = window.pressed;
        if (pressed === undefined) return;
        window.pressed = undefined;
        requestAnimationFrame(() => image.times.push(performance.now() - pressed));
    });
}"""


class Latencies:
    """The table at the end of the report."""

    def __init__(self) -> None:
        self.rows: dict[str, list[float]] = {}

    def pytest_terminal_summary(self, terminalreporter) -> None:
        if not self.rows:
            return
        terminalreporter.section("key press to new picture, ms")
        terminalreporter.write_line(f"{'explorer':40} {'median':>8} {'p95':>8} {'pictures':>9}")
        for name, times in self.rows.items():
            median, p95 = np.quantile(times, (0.5, 0.95))
            terminalreporter.write_line(f"{name:40} {median:8.0f} {p95:8.0f} {len(times):9}")


@pytest.fixture(scope="session")
def latencies(request) -> Latencies:
    table = Latencies()
    request.config.pluginmanager.register(table)
    return table


# ------------------------------------------------------------------------------------------- the notebook


@dataclass
class Box:
    """One explorer on the page."""

    lab: object
    page: Page
    name: str
    place: Locator
    index: int  # of its picture among all

    @property
    def trains(self) -> bool:
        return self.button("Train").count() == 1

    def button(self, text: str) -> Locator:
        return self.place.get_by_role("button", name=text, exact=True)

    def picture(self) -> str:
        return self.lab.picture(self.page, self.index)

    def new_picture(self, before: str) -> str:
        return self.lab.new_picture(self.page, before, self.index)

    def settled(self, seconds: float = 20) -> str:
        """The picture once it has stayed the same for a while."""
        end, before = time.monotonic() + seconds, self.picture()
        while time.monotonic() < end:
            self.page.wait_for_timeout(250)
            now = self.picture()
            if now == before:
                return now
            before = now
        raise AssertionError(f"{self.name}: the picture has not come to rest in {seconds} s")

    def error(self) -> str:
        return " ".join(self.place.locator("pre[style*='b00020']").all_inner_texts())

    def press(self, slider: int, key: str, seconds: float = 5) -> float | None:
        """A key on a slider; milliseconds to the new picture, None where the picture stays as it is."""
        image = self.page.locator("img.widget-image").nth(self.index)
        seen = image.evaluate("image => image.times ? image.times.length : -1")
        if seen < 0:
            image.evaluate(STOPWATCH)
            seen = 0
        self.place.locator(".noUi-handle").nth(slider).focus()
        self.page.keyboard.press(key)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            times = image.evaluate("image => image.times")
            if len(times) > seen:
                return times[-1]
            self.page.wait_for_timeout(5)
        image.evaluate("() => { window.pressed = undefined; }")
        return None

    def live_slider(self) -> tuple[int, str]:
        """A slider and an arrow key that change the picture."""
        for slider in range(self.place.locator(".noUi-handle").count()):
            for key in ("ArrowRight", "ArrowLeft"):
                if self.press(slider, key, seconds=2) is not None:
                    return slider, key
        raise AssertionError(f"{self.name}: no slider changes the picture")


@dataclass
class Opened:
    """A notebook in the browser, after Run All."""

    lab: object
    page: Page
    nb: nbformat.NotebookNode
    stills: int  # explorers whose stored picture was seen before anything ran
    errors: str
    boxes: list[Box] = field(default_factory=list)

    def run(self, cell: int) -> str:
        """Run one cell, by its number; what stands under it then."""
        self.page.evaluate(
            """async number => {
                const app = window.jupyterapp, notebook = app.shell.currentWidget.content;
                notebook.activeCellIndex = number;
                await app.commands.execute('notebook:run-cell');
            }""",
            cell,
        )
        self.lab.wait_idle(self.page)
        outputs = self.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-OutputArea-output")
        return "\n".join(outputs.all_inner_texts())

    def write(self, cell: int, source: str) -> None:
        self.page.evaluate(
            """([number, source]) => window.jupyterapp.shell.currentWidget.content.widgets[number]
                .model.sharedModel.setSource(source)""",
            [cell, source],
        )

    def number(self, id: str) -> int:
        return next(i for i, cell in enumerate(self.nb.cells) if cell.id == id)


def shows_explorer(cell: nbformat.NotebookNode) -> bool:
    return any(
        o.get("data", {}).get("text/plain", "").startswith("Explorer: ") for o in cell.get("outputs", [])
    )


def still(page: Page, image: Locator) -> bool:
    """Does a stored picture show, after at most ten seconds?"""
    for _ in range(100):
        if image.count() and image.evaluate("image => image.complete && image.naturalWidth > 300"):
            return True
        page.wait_for_timeout(100)
    return False


@pytest.fixture(scope="module", params=course(), ids=lambda path: path.stem)
def opened(request, lab, browser):
    nb = nbformat.read(request.param, as_version=4)
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        page = context.new_page()
        lab.open_notebook(page, request.param.stem)
        cells = page.locator(".jp-Notebook .jp-Cell")
        expect(cells).to_have_count(len(nb.cells), timeout=20_000)
        stills = 0
        for number, cell in enumerate(nb.cells):
            if shows_explorer(cell):
                stills += still(page, cells.nth(number).locator(".jp-OutputArea img").first)
        errors = ""
        try:
            lab.run_all(page)
        except AssertionError as error:
            errors = str(error)
        notebook = Opened(lab, page, nb, stills, errors)
        places = page.locator(".nnlib-explorer")
        images = page.locator("img.widget-image")
        owners = [images.nth(i).evaluate(CELL) for i in range(images.count())]
        for i in range(places.count()):
            cell = places.nth(i).evaluate(CELL)
            name = re.search(r'explore\(\s*"([\w.]+)"', nb.cells[cell].source)
            notebook.boxes.append(
                Box(lab, page, name[1] if name else f"cell {cell}", places.nth(i), owners.index(cell))
            )
        yield notebook
        page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")


# ----------------------------------------------------------------------------------------------- the tests


def test_pictures_stand_there_before_anything_ran(opened):
    assert opened.stills == sum(map(shows_explorer, opened.nb.cells))


def test_run_all_ends_without_an_error(opened):
    assert not opened.errors, opened.errors
    text = opened.page.locator(".jp-Notebook").inner_text()
    for complaint in ("Error displaying widget", "Loading widget", "Traceback (most recent call last)"):
        assert complaint not in text
    assert len(opened.boxes) == sum(map(shows_explorer, opened.nb.cells)), "an explorer does not show"
    for box in opened.boxes:
        assert not box.error(), f"{box.name}: {box.error()}"


def test_sliders_answer(opened, latencies):
    for box in opened.boxes:
        save(box)
        if box.trains:
            continue
        first = box.picture()
        slider, key = box.live_slider()
        times, back = [], {"ArrowRight": "ArrowLeft", "ArrowLeft": "ArrowRight"}
        answered = True
        for _ in range(PRESSES):
            milliseconds = box.press(slider, key, seconds=2)
            if milliseconds is not None:
                times.append(milliseconds)
            elif answered:  # the end of the slider, or nothing left to change: turn around
                key = back[key]
            answered = milliseconds is not None
        assert len(times) >= 2, f"{box.name}: the picture hardly changes"
        latencies.rows[box.name] = times
        assert not box.error(), f"{box.name}: {box.error()}"
        box.settled()
        box.button("Reset").click()
        opened.lab.wait_idle(opened.page)
        assert box.settled() == first, f"{box.name}: Reset does not lead back"


def save(box: Box) -> None:
    if folder := os.environ.get("NNLIB_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        box.place.scroll_into_view_if_needed()
        box.place.screenshot(path=Path(folder) / f"{box.name}.png")


def test_a_text_can_be_typed(opened):
    for box in opened.boxes:
        fields = box.place.locator(".widget-text input")
        controls = [c for c in find(box.name, "explorers")().controls.values() if isinstance(c, Text)]
        assert fields.count() == len(controls), f"{box.name}: {len(controls)} text controls"
        for number, control in enumerate(controls):
            first, field = box.settled(), fields.nth(number)
            field.fill(control.samples[0])
            field.press("Enter")
            typed = box.new_picture(first)
            assert not box.error(), f"{box.name}: {box.error()}"
            field.fill("7 §")
            field.press("Enter")
            expect(box.place.locator("pre[style*='b00020']")).to_contain_text(control.label, timeout=20_000)
            assert box.picture() == typed, f"{box.name}: the last good picture does not stay"
            box.button("Reset").click()
            opened.lab.wait_idle(opened.page)
            assert box.settled() == first and not box.error(), f"{box.name}: Reset does not lead back"


def test_training_can_be_watched_and_stopped(opened, latencies):
    for box in opened.boxes:
        if not box.trains:
            continue
        bar = box.place.locator(".progress-bar")
        width = "bar => parseFloat(bar.style.width) || 0"
        box.button("Reset").click()
        opened.lab.wait_idle(opened.page)
        untrained = box.settled()
        box.button("Train").click()
        moving = box.new_picture(untrained)
        assert bar.evaluate(width) > 0, f"{box.name}: no progress is shown"
        box.button("Stop").click()
        stopped, reached = box.settled(), bar.evaluate(width)
        opened.page.wait_for_timeout(500)
        assert box.picture() == stopped and bar.evaluate(width) == reached, f"{box.name}: Stop does not stop"
        assert moving != untrained

        box.button("Train").click()
        box.new_picture(stopped)
        slider, key = box.live_slider()  # a slider answers while it trains
        times = []
        for _ in range(3):
            box.button("Train").click()
            opened.page.wait_for_timeout(300)
            times.append(box.press(slider, key))
        latencies.rows[f"{box.name}, while it trains"] = [t for t in times if t is not None]
        assert not box.error(), f"{box.name}: {box.error()}"
        assert latencies.rows[f"{box.name}, while it trains"], (
            f"{box.name}: no slider answers while it trains"
        )


def test_the_code_button_shows_both_programs(opened):
    for box in opened.boxes:
        if box.button("Code").count():
            program = box.place.locator("pre", has_text="# PyTorch")
            expect(program).to_have_count(0)
            box.button("Code").click()
            expect(program).to_be_visible(timeout=10_000)
            assert "# NumPy" in program.inner_text() and "import torch" in program.inner_text()
            box.button("Code").click()
            expect(program).to_be_hidden(timeout=10_000)


def test_a_check_tells_a_known_mistake_from_a_solution(opened):
    exercises = [attempt for attempt in attempts(opened.nb) if attempt.fences]
    assert exercises, "no exercise with a solution"
    for attempt in exercises[:2]:
        path, mine = re.search(r'check\(\s*"([\w.]+)",\s*(\w+)', attempt.check.source).groups()
        exercise = lookup(path, "exercises", Exercise)
        stub, check = opened.number(attempt.stub.id), opened.number(attempt.check.id)
        mistake = exercise.mistakes[0]
        opened.write(stub, as_learner(mistake.function, mine))
        opened.run(stub)
        said = opened.run(check)
        assert "not yet" in said and mistake.message.replace("`", "")[:60] in said, f"{path}: {said}"
        opened.write(stub, attempt.fences[0])
        opened.run(stub)
        said = opened.run(check)
        assert "correct" in said and "not yet" not in said, f"{path}: {said}"


def as_learner(function, name: str) -> str:
    """A planted mistake as if typed into the stub: under the stub's name, with all that its module knows."""
    source = re.sub(r"^@.*?(?=^def )", "", inspect.getsource(function), flags=re.M | re.S)
    source = re.sub(r"^def \w+", f"def {name}", source)
    return f"import {function.__module__} as known\n\nglobals().update(vars(known))\n\n\n{source}"
