"""One look for every picture: colors that can be seen, a style that is applied, bytes that are stable."""

import io
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from nnlib import figures


def luminance(color):
    """Relative luminance as WCAG 2 defines it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(color, background="white"):
    light, dark = sorted((luminance(color), luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_the_standard_says():
    assert contrast("black") == pytest.approx(21) and contrast("white") == 1
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("color", [*figures.COLORS, figures.GRAY, *figures.ROLES.values()])
def test_every_color_stands_out_against_white(color):
    assert contrast(color) >= 3, f"{color}: {contrast(color):.2f}"


def test_the_colors_are_different_and_have_a_second_cue():
    assert (
        len(set(figures.COLORS)) == len(figures.COLORS) == len(figures.MARKERS) == len(set(figures.MARKERS))
    )
    with mpl.style.context(figures.STYLE):
        cycle = mpl.rcParams["axes.prop_cycle"].by_key()
    assert cycle["color"] == list(figures.COLORS)
    assert len(set(cycle["linestyle"])) == len(figures.COLORS)


def test_fixed_pairs_keep_their_colors():
    for one, other in (("numpy", "torch"), ("train", "validation"), ("value", "gradient")):
        assert (figures.ROLES[one], figures.ROLES[other]) == (figures.BLUE, figures.VERMILLION)


def test_labels_on_every_part_of_a_surface_can_be_read():
    assert min(contrast("black", figures.BOUNDARY(v)) for v in (0.0, 0.5, 1.0)) > 7


def test_the_style_sheet_holds_inside_and_leaks_nothing():
    before = dict(mpl.rcParams)
    fig = figures.figure(figures.WIDE)
    ax = figures.axes(fig)
    assert dict(mpl.rcParams) == before
    assert tuple(fig.get_size_inches()) == figures.WIDE
    assert not ax.spines["top"].get_visible() and not ax.spines["right"].get_visible()
    assert ax.spines["left"].get_visible()
    ax.set_title("what to see")
    assert ax.get_title("left") == "" and ax.title.get_text() == "what to see"


def test_figures_belong_to_no_window():
    program = (
        "import sys; from nnlib import figures; figures.axes(figures.figure()); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_use_sets_the_style_for_a_whole_kernel():
    with mpl.rc_context():
        mpl.rcdefaults()
        figures.use()
        assert mpl.rcParams["axes.spines.top"] is False and mpl.rcParams["axes.titlelocation"] == "left"
        assert mpl.rcParams["figure.dpi"] == 100


def drawn():
    fig = figures.figure()
    ax = figures.axes(fig)
    line = ax.plot([0, 1, 2], [0, 1, 4])[0]
    ax.set(xlabel="step", ylabel="loss", title="It grows")
    figures.label_line(ax, line, "squares")
    return fig, line


def test_the_same_figure_is_the_same_bytes():
    (fig, line), (other, _) = drawn(), drawn()
    first = figures.png(fig)
    assert figures.png(fig) == first == figures.png(other)
    assert not re.search(rb"[Mm]atplotlib|Software|Creation", first)
    assert Image.open(io.BytesIO(first)).size == (500, 320)
    line.set_ydata([0, 1, 3])
    assert figures.png(fig) != first


def test_the_same_figure_is_the_same_bytes_in_another_process():
    program = (
        "import hashlib, test_figures as t; print(hashlib.sha256(t.figures.png(t.drawn()[0])).hexdigest())"
    )
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); {program}",
    ]
    hashes = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(hashes) == 1


def test_a_line_is_labeled_at_its_last_visible_point():
    ax = figures.axes(figures.figure())
    line = ax.plot([0, 1, 2, 3], [5.0, 6.0, np.nan, np.inf])[0]
    label = figures.label_line(ax, line, "name")
    assert (label.xy, label.get_color()) == ((1, 6), line.get_color())
    assert figures.label_line(ax, line, "name", at=0).xy == (0, 5)
    assert figures.label_line(ax, ax.plot([0], [np.nan])[0], "nothing") is None


def test_classes_differ_in_color_and_marker():
    ax = figures.axes(figures.figure())
    x, y = np.arange(10.0).reshape(5, 2), np.array([0, 1, 0, 1, 1])
    zero, one = figures.points(ax, x, y)
    np.testing.assert_array_equal(zero.get_offsets(), x[y == 0])
    np.testing.assert_array_equal(one.get_offsets(), x[y == 1])
    assert not np.array_equal(zero.get_facecolor(), one.get_facecolor())
    assert not np.array_equal(zero.get_paths()[0].vertices, one.get_paths()[0].vertices)


def test_a_surface_shows_its_values_where_they_were_taken():
    grid = figures.plane(-2, 2, 5)
    assert grid.shape == (25, 2) and tuple(grid[0]) == (-2, -2) and tuple(grid[1]) == (-1, -2)
    image = figures.surface(figures.axes(figures.figure()), (grid[:, 0] > 0).astype(float), -2, 2)
    shown = image.get_array()
    assert image.get_extent() == [-2, 2, -2, 2] and image.origin == "lower"
    assert (shown[:, :3] == 0).all() and (shown[:, 3:] == 1).all()
