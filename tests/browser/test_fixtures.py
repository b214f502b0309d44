"""The browser fixtures themselves, on a notebook with one slider and one picture."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from notebooks import METADATA

pytestmark = pytest.mark.browser

SLIDER_AND_PICTURE = """
import io
import ipywidgets
from PIL import Image

slider = ipywidgets.IntSlider(value=10, min=0, max=100)
picture = ipywidgets.Image(layout={"width": "120px", "height": "120px"})

def draw(change=None):
    file = io.BytesIO()
    Image.new("L", (120, 120), 2 * slider.value).save(file, "PNG")
    picture.value = file.getvalue()

slider.observe(draw, "value")
draw()
ipywidgets.VBox([slider, picture])
"""


def notebook(*sources: str) -> nbformat.NotebookNode:
    cells = [new_code_cell(source.strip(), id=f"cell-{i}") for i, source in enumerate(sources)]
    return new_notebook(cells=cells, metadata=METADATA)


@pytest.fixture
def explorer(lab, page):
    lab.add("slider", notebook(SLIDER_AND_PICTURE, "slider.value"))
    lab.open_notebook(page, "slider")
    lab.run_all(page)
    return page


def test_an_arrow_key_changes_the_picture(lab, explorer):
    before = lab.picture(explorer)
    assert lab.picture(explorer) == before
    lab.drag(explorer, 0, 1)
    after = lab.new_picture(explorer, before)
    lab.drag(explorer, 0, -1)
    assert lab.new_picture(explorer, after) == before
    assert lab.screenshot(explorer, "slider").stat().st_size > 0


def test_the_mouse_reaches_both_ends(lab, explorer):
    readout = explorer.locator(".widget-readout").first
    for fraction, value in ((1.0, "100"), (0.0, "0")):
        before = lab.picture(explorer)
        lab.drag_to(explorer, 0, fraction)
        lab.new_picture(explorer, before)
        explorer.wait_for_function("([e, v]) => e.textContent === v", arg=[readout.element_handle(), value])


def test_each_key_press_is_timed(lab, explorer):
    times = lab.latencies(explorer, 0, 15, name="one slider, one plain picture")
    assert len(times) == 15 and min(times) > 0


def test_an_error_in_a_cell_fails_the_run(lab, page):
    lab.add("error", notebook("1 / 0"))
    lab.open_notebook(page, "error")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        lab.run_all(page)
