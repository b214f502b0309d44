"""Bands, cards, votes and the ledger on small experiments; then every declared experiment over its seeds."""

import itertools
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nnlib import core, evidence
from nnlib.evidence import Band, at_least, evaluate, experiment

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
MEASURED = re.compile(r"measured: [^<|\n]*")  # what tests/nbval_sanitize.cfg replaces
EXPERIMENTS = dict(evidence.experiments())
RUNS = []


@experiment(
    id="H99",
    kind="headline",
    claim="Twice two is four, & more < less.",
    source="Adam & Eve (2015), arXiv:1412.6980, Figure 1",
    settings="pencil and paper",
    seeds=4,
    bands={"mean of the seeds": Band(1, 2, over="mean"), "error": Band(0, 15, unit="%")},
)
def four(seed):
    RUNS.append(seed)
    return {"mean of the seeds": seed, "error": 12.34, "curve": [1, 2]}


@experiment(
    id="M99",
    kind="myth",
    claim="Odd numbers are prime.",
    verdict="misleading",
    truth="3, 5 and 7 are; 9 is not.",
    settings="numbers below 10",
    seeds=1,
    bands={"odd numbers that are not prime": Band(1, 2)},
)
def odd(seed):
    return {"odd numbers that are not prime": 2 if seed == 0 else 0}


@pytest.fixture
def concept(monkeypatch):
    """A concept `fake` with the two experiments above."""
    module = ModuleType("nnlib.fake.experiments")
    module.four, module.odd = four, odd
    monkeypatch.setattr(core, "concepts", lambda: ["fake"])
    monkeypatch.setattr(core, "load", lambda concept, role: module)
    evidence._run.cache_clear()
    RUNS.clear()
    evidence._votes.clear()
    yield
    evidence._run.cache_clear()
    evidence._votes.clear()


@pytest.fixture
def shown(monkeypatch):
    """What cards would display, as text."""
    texts = []
    monkeypatch.setattr(evidence.Card, "show", lambda card: texts.append(repr(card)))
    return texts


@pytest.mark.parametrize(
    "over, values, inside",
    [
        ("each", [1, 2, 3], True),
        ("each", [1, 2, 3.01], False),
        ("mean", [0, 4], True),
        ("mean", [3, 4], False),
        ("median", [2, 2, 99], True),
        ("median", [2, 9, 99], False),
        ("best", [9, 0, 3], True),
        ("best", [9, 0], False),
        (at_least(2), [1, 3, 99], True),
        (at_least(2), [1, 4, 99], False),
        ("each", [math.nan], False),
        ("mean", [2, math.nan], False),
        ("best", [math.nan, 2], True),
        (at_least(1), [math.nan], False),
    ],
)
def test_how_seeds_count(over, values, inside):
    assert Band(1, 3, over=over).inside(values) is inside


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (dict(low=2, high=1), "empty"),
        (dict(low=-math.inf, high=math.inf), "cannot be missed"),
        (dict(low=0, high=1, over="all"), "expected each, mean"),
    ],
)
def test_bands_that_make_no_sense_are_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        Band(**arguments)


@pytest.mark.parametrize(
    "band, seeds, text",
    [
        (Band(3, math.inf), 1, "at least 3"),
        (Band(-math.inf, 15, unit="%"), 1, "at most 15 %"),
        (Band(0, 15, unit="%"), 4, "0 to 15 %, each of 4 seeds"),
        (Band(0, 0), 1, "exactly 0"),
        (Band(0.9, 1, over="mean"), 10, "0.9 to 1, mean of 10 seeds"),
        (Band(0.9, 1, over=at_least(5)), 7, "0.9 to 1, at least 5 of 7 seeds"),
    ],
)
def test_text_of_a_band(band, seeds, text):
    assert band.text(seeds) == text


@pytest.mark.parametrize(
    "value, text",
    [(7.123, "7.1"), (97.84, "98"), (1234.5, "1234"), (0.01234, "0.012"), (9.3e-16, "9.3e-16"), (2, "2")]
    + [(-3.46, "-3.5"), (math.inf, "inf"), (math.nan, "nan"), (0, "0"), (2e7, "2e+07")],
)
def test_numbers_are_rounded_to_what_matters(value, text):
    assert Band(0, 1).number(value) == text


@pytest.mark.parametrize(
    "change, problem",
    [
        (dict(kind="rumor"), "expected 'headline' or 'myth'"),
        (dict(source=""), "needs its source"),
        (dict(kind="myth"), "a myth needs verdict"),
        (dict(bands={}), "cannot fail"),
        (dict(seeds=0), "at least 1"),
    ],
)
def test_incomplete_declarations_are_refused(change, problem):
    complete = dict(
        id="H1", kind="headline", claim="c", source="s", settings="", seeds=1, bands={"a": Band(0, 1)}
    )
    with pytest.raises(ValueError, match=problem):
        experiment(**{**complete, **change})(lambda seed: {})


def test_an_experiment_stays_a_function_that_shows_its_source():
    assert four(3)["mean of the seeds"] == 3
    assert four.code().startswith("def four(seed):")
    assert "@experiment" not in four.code()


def test_a_band_without_a_value_is_an_error():
    silent = experiment(
        id="H1", kind="headline", claim="c", source="s", settings="", seeds=1, bands={"a": Band(0, 1)}
    )(lambda seed: {"b": 1})
    with pytest.raises(LookupError, match="returned no 'a'"):
        silent(0)


def test_evaluate_runs_every_seed_unless_told_otherwise():
    all_seeds = evaluate(four)
    assert all_seeds["mean of the seeds"].values == [0, 1, 2, 3]
    assert all_seeds["mean of the seeds"].inside and all_seeds["error"].inside
    assert not evaluate(four, [3, 4])["mean of the seeds"].inside


def test_a_headline_card(concept, shown):
    evidence.headline("fake.four", seed=1)
    assert shown == [
        "✓ reproduced · headline H99\n"
        "  Twice two is four, & more < less.\n"
        "  mean of the seeds | measured: 1 | 1 to 2, mean of 4 seeds | inside (this run)\n"
        "  error | measured: 12 % | 0 to 15 %, each of 4 seeds | inside\n"
        "  Adam & Eve (2015), arXiv:1412.6980, Figure 1 · pencil and paper · seed 1"
    ]
    evidence.headline("fake.four", seed=3)
    assert shown[1].startswith("✗ not reproduced in this run")
    assert "measured: 3 | 1 to 2, mean of 4 seeds | outside (this run)" in shown[1]


def test_drawing_and_card_cost_one_run(concept, shown):
    assert evidence.run("fake.four", 1)["curve"] == [1, 2]
    evidence.headline("fake.four", 1)
    evidence.headline("fake.four", 2)
    assert RUNS == [1, 2]


def test_a_myth_card_repeats_the_vote(concept, shown):
    evidence.myth("fake.odd")
    evidence._votes["fake.odd"] = "wrong"
    evidence.myth("fake.odd")
    evidence.myth("fake.odd", seed=1)
    assert [text.splitlines()[0] for text in shown] == [
        "● misleading · myth M99",
        "● misleading · myth M99",
        "✓ the claim held in this run · myth M99",
    ]
    assert ["You voted: wrong." in text for text in shown] == [False, True, True]


def test_a_vote_reaches_the_card_through_the_front_ends_own_message(concept, shown, monkeypatch):
    import ipywidgets
    from IPython import display

    made, bundles = [], []
    buttons = ipywidgets.ToggleButtons
    monkeypatch.setattr(ipywidgets, "ToggleButtons", lambda **k: made.append(buttons(**k)) or made[-1])
    monkeypatch.setattr(display, "display", lambda bundle, raw: bundles.append(bundle))
    evidence.vote("fake.odd")
    assert "application/vnd.jupyter.widget-view+json" in bundles[0]
    assert bundles[0]["text/plain"].endswith("Is this right, misleading or wrong?")
    message = {"method": "update", "state": {"index": 2}, "buffer_paths": []}
    made[0]._handle_msg({"content": {"data": message}, "buffers": []})
    evidence.myth("fake.odd")
    assert "You voted: wrong." in shown[0]
    evidence.vote("fake.odd")
    assert made[1].value == "wrong", "a second call keeps the vote"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: evidence.headline("fake.nine"), "there is fake.four, fake.odd"),
        (lambda: evidence.headline("nothing.nine"), "there is no concept 'nothing'; there is fake"),
        (lambda: evidence.headline("fake.odd"), "is a myth"),
        (lambda: evidence.myth("fake.four"), "is a headline"),
        (lambda: evidence.vote("fake.four"), "is a headline"),
        (lambda: evidence.run("fake.nine"), "there is fake.four, fake.odd"),
    ],
)
def test_a_name_that_is_not_there_lists_what_is(concept, call, message):
    with pytest.raises(LookupError, match=message):
        call()


def test_the_ledger_lists_every_card(concept):
    rows = [line for line in evidence.ledger().splitlines() if line.startswith(("| H", "| M"))]
    assert [row.split(" | ")[0] for row in rows] == ["| H99", "| M99"]
    assert "1 to 2, mean of 4 seeds<br>error: 0 to 15 %" in rows[0]
    assert all(row.count(" | ") == 6 for row in rows)


def test_evidence_loads_no_torch_and_no_widgets():
    code = "import sys, nnlib.evidence; print({'torch', 'ipywidgets', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ---------------------------------------------------------------------------------- what is declared


def test_ids_are_unique():
    ids = [e.id for e in EXPERIMENTS.values()]
    assert sorted(ids) == sorted(set(ids))
    assert all(re.fullmatch(r"[HM]\d\d[a-z]?", i) for i in ids), ids


def test_the_ledger_is_up_to_date():
    stored = evidence.TOP / "LEDGER.md"
    assert stored.exists() and stored.read_text(encoding="utf-8") == evidence.ledger(), (
        "run: python -m nnlib.evidence"
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS)
def test_every_band_holds_over_all_seeds(path):
    found = EXPERIMENTS[path]
    for label, measured in evaluate(found, range(max(3, found.seeds))).items():
        assert measured.inside, (
            f"{path} ({found.id}): {label} came out as {measured.values}; band {measured.band}"
        )


def stored_cards():
    """Every headline and myth that a notebook shows, with the text stored for it."""
    call = re.compile(r"^(headline|myth)\(\"([\w.]+)\"(?:, (?:seed=)?(\d+))?\)", re.M)
    for notebook in NOTEBOOKS:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            calls = call.findall("".join(cell["source"])) if cell["cell_type"] == "code" else []
            texts = ["".join(o["data"].get("text/plain", "")) for o in cell.get("outputs", []) if "data" in o]
            cards = [t for t in texts if re.match(r". (?!your vote).* · (headline|myth) [HM]\d\d", t)]
            for (_, path, seed), text in itertools.zip_longest(calls, cards[: len(calls)], fillvalue=""):
                yield pytest.param(path, int(seed or 0), text, id=f"{notebook.stem}-{path}")


@pytest.mark.slow
@pytest.mark.parametrize("path, seed, text", list(stored_cards()))
def test_a_stored_card_is_what_the_experiment_prints(path, seed, text):
    found = EXPERIMENTS[path]
    printed = repr(evidence.card(found, found(seed), seed))
    assert MEASURED.sub("measured: value ", printed) == MEASURED.sub("measured: value ", text)
    assert "reproduced ·" in text or f"{found.verdict} ·" in text, "a notebook shows a run that fails"


def test_every_experiment_is_shown_in_a_notebook():
    shown = "\n".join(notebook.read_text(encoding="utf-8") for notebook in NOTEBOOKS)
    missing = [path for path in EXPERIMENTS if f'(\\"{path}\\"' not in shown]
    assert not missing, f"declared, but in no notebook: {', '.join(missing)}"
