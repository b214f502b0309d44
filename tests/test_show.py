"""The card of `show`: what it prints of the sources, and that the agreement it states is measured."""

import re
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from nnlib import cards, core, show
from nnlib.cards import Card, Code

FORWARD = [
    f"{concept}.{name}"
    for concept in core.concepts()
    for name in core.public(core.load(concept, "in_numpy"))
    if not name.endswith("_backward")
]
CARD = show.card("normalization.batch_norm")


@pytest.mark.parametrize("path", FORWARD)
def test_every_function_can_be_shown(path):
    card = show.card(path)
    assert card.word == "they agree", repr(card)
    concept, _, name = path.partition(".")
    has_backward = hasattr(core.load(concept, "in_numpy"), f"{name}_backward")
    versions, *backwards = [what for what, _ in card.rows]
    assert versions.startswith("NumPy = PyTorch")
    assert len(backwards) == (2 if has_backward else 0), repr(card)
    has_official = name in getattr(core.load(concept, "in_torch"), "official", {})
    assert bool(re.search(r"= (F|nn|torch)\.\w+", versions)) == has_official, repr(card)
    numpy, torch = card.columns
    assert f"def {name}(" in numpy.source and f"def {name}(" in torch.source
    assert (f"def {name}_backward(" in numpy.source) == has_backward
    assert ("# backward: autograd" in torch.source) == has_backward
    for code in (numpy, torch):
        assert '"""' not in code.source + code.more and "@checked" not in code.source
        for call in re.findall(r"\b(_[a-z]\w*)\(", code.source):
            assert f"def {call}(" in code.more, f"{path} calls {call}, which is not shown"


def test_the_text_of_a_card():
    assert repr(CARD).splitlines() == [
        "✓ they agree · normalization.batch_norm over 8 cases, measured: on " + " and ".join(show.devices()),
        "  NumPy = PyTorch = F.batch_norm | measured: to 1e-12 in float64, to 1e-5 in float32",
        "  backward by hand = autograd | measured: to 1e-12 in float64, to 1e-5 in float32",
        "  backward by hand = central differences | measured: to 1e-8 in float64",
    ]


def test_a_card_is_the_same_each_time():
    assert show.card("normalization.batch_norm").html() == CARD.html()


@pytest.mark.parametrize(
    "difference, floor, text",
    [
        (0.0, 1e-12, "to 1e-12 in float64"),
        (3e-16, 1e-12, "to 1e-12 in float64"),
        (2e-11, 1e-12, "to 1e-10 in float64"),
        (1e-5, 1e-12, "to 1e-5 in float64"),
        (0.3, 1e-12, "to 1e0 in float64"),
        (float("inf"), 1e-12, "by inf in float64"),
    ],
)
def test_a_difference_is_shown_as_a_bound(difference, floor, text):
    assert show.Agreement("", "float64", difference, floor, 1e-11).text() == text


@pytest.fixture
def altered(monkeypatch):
    """Replace one function of normalization's files for the length of a test."""

    def alter(role, name, function):
        module = core.load("normalization", role)
        if isinstance(getattr(module, name), dict):
            monkeypatch.setitem(getattr(module, name), "batch_norm", function)
        else:
            function.__module__ = module.__name__  # a concept's functions are those it defines itself
            monkeypatch.setattr(module, name, function)
        return {a.what: a for a in show.agreements("normalization.batch_norm") if a.dtype == "float64"}

    return alter


def fits(agreements):
    return [a.difference <= a.limit for a in agreements.values()]


def test_a_wrong_twin_is_seen(altered):
    twin = core.find("normalization.batch_norm", "in_torch").unchecked
    assert fits(altered("in_torch", "batch_norm", lambda *args: 1.001 * twin(*args))) == [False, False, True]


def test_a_wrong_official_is_seen(altered):
    official = core.load("normalization", "in_torch").official["batch_norm"]
    assert fits(altered("in_torch", "official", lambda *args: 1.001 * official(*args))) == [
        False,
        False,
        True,
    ]


def test_a_gpu_computes_in_full_precision(altered):
    official, seen = core.load("normalization", "in_torch").official["batch_norm"], set()

    def look(*args):
        seen.add(torch.backends.cudnn.allow_tf32)
        return official(*args)

    before = torch.backends.cudnn.allow_tf32
    assert all(fits(altered("in_torch", "official", look)))
    assert seen == {False} and torch.backends.cudnn.allow_tf32 == before


def test_a_wrong_backward_is_seen(altered):
    backward = core.find("normalization.batch_norm_backward", "in_numpy").unchecked

    def wrong(*args, **kwargs):
        grads = backward(*args, **kwargs)
        return (grads[0], *[1.001 * g for g in grads[1:]]) if isinstance(grads, tuple) else grads

    assert fits(altered("in_numpy", "batch_norm_backward", wrong)) == [True, False, False]


def test_a_card_that_does_not_agree_says_so(monkeypatch):
    twin = core.find("normalization.batch_norm", "in_torch").unchecked

    def wrong(*args, **settings):
        return -twin(*args, **settings)

    wrong.__module__ = "nnlib.normalization.in_torch"  # a concept's functions are those it defines itself
    monkeypatch.setattr(core.load("normalization", "in_torch"), "batch_norm", wrong)
    monkeypatch.setattr(show, "source", lambda *functions: ("", ""))
    card = show.card("normalization.batch_norm")
    assert (card.word, card.tone) == ("they DIFFER", "bad")


def test_the_name_of_the_official_operation():
    module = ModuleType("example")
    source = """
def _sgd(x):
    y = torch.stack([x])
    return torch.optim.SGD([y])

def _plain(x):
    return helper(x)

official = {
    "direct": F.gelu,
    "called": lambda x: F.batch_norm(torch.zeros(3), x).mean(),
    "nested": lambda x: torch.sigmoid(F.linear(x)),
    "helper": _sgd,
    "other": _plain,
}
"""
    module.__file__ = "example.py"
    names = ["direct", "called", "nested", "helper", "other"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(show.inspect, "getsource", lambda module: source)
        found = [show.official_name(module, name) for name in names]
    assert found == [
        "F.gelu",
        "F.batch_norm",
        "torch.sigmoid of F.linear",
        "torch.optim.SGD",
        "the library's own",
    ]


@pytest.mark.parametrize("path", ["normalization.nothing", "normalization", "nothing.batch_norm"])
def test_a_name_that_is_not_there_lists_what_is(path):
    with pytest.raises(LookupError, match="there is"):
        show.show(path)


def test_show_loads_torch_only_when_it_measures():
    code = "import sys, nnlib.show; print({'torch', 'matplotlib', 'IPython'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ----------------------------------------------------------------------------------------------- cards


CODE = "def f(x):\n    return x < 1  # & so on\n"
EXAMPLE = Card(
    "correct",
    "`f` & g",
    "good",
    ("a < b, in `x < y`", "Wu & He (2018), arXiv:1803.08494, Figure 1"),
    (("error", "measured: 3.1 %", "0 to 15 %", "inside"),),
    "small print",
    (Code("NumPy", CODE, CODE),),
    CODE,
)


def test_a_card_escapes_what_it_is_given():
    html = EXAMPLE.html()
    assert "<code>f</code> &amp; g" in html and "a &lt; b, in <code>x &lt; y</code>" in html
    assert '<a href="https://arxiv.org/abs/1803.08494">arXiv:1803.08494</a>, Figure 1' in html


def test_a_card_needs_no_scripts_no_style_sheets_and_closes_what_it_opens():
    html = EXAMPLE.html()
    assert "<script" not in html and "<style" not in html and "class=" not in html
    tags = re.findall(r"<(/?)(\w+)[^>]*>", html)
    opened = []
    for closing, tag in tags:
        if closing:
            assert opened.pop() == tag
        else:
            opened.append(tag)
    assert not opened


def test_a_card_says_the_same_as_html_and_as_text():
    bundle = EXAMPLE._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    seen = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bundle["text/html"]))
    for word in ("✓", "correct", "measured: 3.1 %", "0 to 15 %", "inside", "small print", "Figure 1"):
        assert word in bundle["text/plain"] and word in seen


@pytest.mark.parametrize("pattern", [r"measured: [^<|\n]*"])
def test_one_pattern_removes_what_was_measured(pattern):
    other = Card(**{**vars(EXAMPLE), "rows": (("error", "measured: 4.7e-05 %", "0 to 15 %", "inside"),)})
    for one, two in zip(EXAMPLE._repr_mimebundle_().values(), other._repr_mimebundle_().values()):
        assert one != two
        assert re.sub(pattern, "measured: value ", one) == re.sub(pattern, "measured: value ", two)


def contrast(one, two):
    def luminance(color):
        rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [
            0.2126,
            0.7152,
            0.0722,
        ]

    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", ["#FFFFFF", "#F5F5F5", "#111111", "#1E1E1E"])
def test_colors_are_readable_on_light_and_dark(background):
    code = re.findall(r"#[0-9A-Fa-f]{6}", " ".join(cards._formatter().style.styles.values()))
    assert len(code) >= 4
    assert all(contrast(color, background) >= 3 for color in [*code, *(c for c, _ in cards.TONES.values())])
