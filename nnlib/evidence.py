"""Claims that run: a paper's headline reproduced inside a stated band, or a popular myth put to the test.

An experiment is a short function of a seed, declared in a concept's `experiments.py` with what it is to
show. A notebook runs one seed and shows a card; the tests run every seed; `python -m nnlib.evidence`
writes the ledger of all cards.
"""

from __future__ import annotations

import functools
import inspect
import math
import statistics
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nnlib import core
from nnlib.cards import Card, declared, lookup

VOTES = ("right", "misleading", "wrong")
TOP = Path(__file__).parent.parent


class at_least(NamedTuple):  # noqa: N801  reads as a word: over=at_least(5)
    """So many seeds must lie inside the band."""

    count: int


@dataclass(frozen=True)
class Band:
    """Where a measured value must lie, both ends included, and how the seeds count.

    over="each": every seed lies inside; "mean" and "median" of the seeds do; "best": the seed nearest to
    the band does; at_least(5): at least five seeds do. `digits` are the significant digits shown.
    """

    low: float
    high: float
    over: str | at_least = "each"
    unit: str = ""
    digits: int = 2

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"the band from {self.low} to {self.high} is empty; expected low <= high")
        if self.low == -math.inf and self.high == math.inf:
            raise ValueError("a band from -inf to inf cannot be missed; expected a bound")
        if self.over not in ("each", "mean", "median", "best") and not isinstance(self.over, at_least):
            raise ValueError(f"over is {self.over!r}; expected each, mean, median, best or at_least(count)")

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def distance(self, value: float) -> float:
        return math.inf if math.isnan(value) else max(self.low - value, value - self.high, 0.0)

    def inside(self, values: list[float]) -> bool:
        """Do the values of all seeds satisfy the band?"""
        if isinstance(self.over, at_least):
            return sum(v in self for v in values) >= min(self.over.count, len(values))
        return all(v in self for v in self.reduced(values))

    def reduced(self, values: list[float]) -> list[float]:
        """What is compared with the band: all values, or the one that `over` makes of them."""
        reduce = {"mean": statistics.fmean, "median": statistics.median, "best": self._nearest}
        return [reduce[self.over](values)] if self.over in reduce else list(values)

    def _nearest(self, values: list[float]) -> float:
        return min(values, key=self.distance)

    def number(self, value: float) -> str:
        """Rounded to `digits` significant digits, never inside the integer part, with the unit."""
        if math.isfinite(value) and 1 <= abs(value) < 1e6:
            decimals = 0 if value == round(value) else max(0, self.digits - len(str(int(abs(value)))))
            text = f"{value:.{decimals}f}"
        else:
            text = f"{value:.{self.digits}g}"
        return f"{text} {self.unit}".rstrip()

    def text(self, seeds: int = 1) -> str:
        low, high = (f"{end:g} {self.unit}".rstrip() for end in (self.low, self.high))
        if self.low == self.high:
            range_ = f"exactly {low}"
        elif self.high == math.inf:
            range_ = f"at least {low}"
        elif self.low == -math.inf:
            range_ = f"at most {high}"
        else:
            range_ = f"{self.low:g} to {high}"
        if seeds == 1:
            return range_
        if isinstance(self.over, at_least):
            return f"{range_}, at least {self.over.count} of {seeds} seeds"
        return f"{range_}, {self.over} of {seeds} seeds"


@dataclass(frozen=True, eq=False)
class Experiment:
    """A function of a seed together with what it is to show. Calling it runs it."""

    function: Callable[[int], dict[str, Any]]
    id: str
    kind: str  # headline or myth
    claim: str
    settings: str
    seeds: int
    bands: dict[str, Band]
    source: str = ""  # of a headline
    verdict: str = ""  # on a myth: wrong or misleading
    truth: str = ""  # one sentence, for a myth

    def __post_init__(self) -> None:
        object.__setattr__(self, "__wrapped__", self.function)  # so that inspect shows its source
        for problem in self._problems():
            raise ValueError(f"{self.name}: {problem}")

    def _problems(self) -> Iterator[str]:
        if self.kind not in ("headline", "myth"):
            yield f"kind is {self.kind!r}; expected 'headline' or 'myth'"
        if self.kind == "headline" and not self.source:
            yield "a headline needs its source"
        if self.kind == "myth" and (self.verdict not in ("wrong", "misleading") or not self.truth):
            yield "a myth needs verdict='wrong' or 'misleading' and truth='one sentence'"
        if not self.bands:
            yield "without a band it cannot fail"
        if self.seeds < 1:
            yield f"seeds is {self.seeds}; expected at least 1"

    @property
    def name(self) -> str:
        return self.function.__name__

    def __call__(self, seed: int = 0) -> dict[str, Any]:
        result = self.function(seed)
        if missing := [label for label in self.bands if label not in result]:
            raise LookupError(f"{self.name}({seed}) returned no {missing[0]!r}, for which it has a band")
        return result

    def code(self) -> str:
        """The function as a learner can copy it, without the declaration above it."""
        source = textwrap.dedent(inspect.getsource(self.function))
        return source[source.index(f"def {self.name}(") :].rstrip()


def experiment(**declaration: Any) -> Callable[[Callable], Experiment]:
    """Declare a function of a seed as an experiment: id, kind, claim, settings, seeds, bands, and `source`
    for a headline, `verdict` and `truth` for a myth."""
    return lambda function: Experiment(function, **declaration)


class Measured(NamedTuple):
    """One band and what came out."""

    band: Band
    values: list[float]

    @property
    def inside(self) -> bool:
        return self.band.inside(self.values)

    def text(self) -> str:
        """measured: 3.1, or 3.1 to 3.4 for several seeds; where outputs are compared, the numbers are not."""
        shown = self.band.reduced(self.values)
        ends = dict.fromkeys(self.band.number(end) for end in (min(shown), max(shown)))
        return f"measured: {' to '.join(ends)}"


def evaluate(experiment: Experiment, seeds: Iterable[int] | None = None) -> dict[str, Measured]:
    """Run an experiment over seeds (its own, unless given): what was measured for each band."""
    results = [experiment(seed) for seed in (range(experiment.seeds) if seeds is None else seeds)]
    return _measure(experiment, results)


def _measure(experiment: Experiment, results: list[dict[str, Any]]) -> dict[str, Measured]:
    return {
        label: Measured(band, [float(result[label]) for result in results])
        for label, band in experiment.bands.items()
    }


def experiments() -> Iterator[tuple[str, Experiment]]:
    """Every declared experiment with its name, found by walking the concepts."""
    for concept in core.concepts():
        for name, found in declared(concept, "experiments", Experiment).items():
            yield f"{concept}.{name}", found


# ---------------------------------------------------------------------------------- in the notebook


_votes: dict[str, str] = {}


@functools.cache
def _run(path: str, seed: int) -> dict[str, Any]:
    return lookup(path, "experiments", Experiment)(seed)


def run(path: str, seed: int = 0) -> dict[str, Any]:
    """What one run returned. It is kept, so that a drawing and a card cost one run."""
    return dict(_run(path, seed))


def headline(path: str, seed: int = 0) -> None:
    """Run a paper's headline for one seed and show whether it is reproduced."""
    card(_of_kind(path, "headline"), run(path, seed), seed).show()


def myth(path: str, seed: int = 0) -> None:
    """Put a myth to the test for one seed and show the verdict, beside the learner's vote if there is one."""
    card(_of_kind(path, "myth"), run(path, seed), seed, _votes.get(path)).show()


def _of_kind(path: str, kind: str) -> Experiment:
    found = lookup(path, "experiments", Experiment)
    if found.kind != kind:
        raise LookupError(f"{path} is a {found.kind}: show it with {found.kind}({path!r})")
    return found


def card(experiment: Experiment, result: dict[str, Any], seed: int, vote: str | None = None) -> Card:
    """One run as a card. The sign speaks of the claim: a myth that is wrong gets a cross."""
    rows, held = [], True
    for label, m in _measure(experiment, [result]).items():
        held &= m.inside
        where = "inside" if m.inside else "outside"
        if m.band.over != "each" and experiment.seeds > 1:
            where += " (this run)"
        rows.append((label, m.text(), m.band.text(experiment.seeds), where))
    lines, word, tone = [experiment.claim], "reproduced", "good"
    if experiment.kind == "myth":
        word = experiment.verdict if held else "the claim held in this run"
        tone = {"wrong": "bad", "misleading": "neutral"}.get(word, "good")
        lines = [f"Claim: {experiment.claim}", f"What is true: {experiment.truth}"]
        if vote:
            lines.append(f"You voted: {vote}.")
    elif not held:
        word, tone = "not reproduced in this run", "bad"
    note = " · ".join(filter(None, [experiment.source, experiment.settings, f"seed {seed}"]))
    title = f"{experiment.kind} {experiment.id}"
    return Card(word, title, tone, tuple(lines), tuple(rows), note, folded=experiment.code())


def vote(path: str) -> None:
    """Ask for the learner's vote on a myth. `myth(path)` repeats it."""
    import ipywidgets
    from IPython.display import display

    asked = _of_kind(path, "myth")
    question = Card(
        "your vote", f"myth {asked.id}", lines=(asked.claim, f"Is this {VOTES[0]}, {VOTES[1]} or {VOTES[2]}?")
    )
    buttons = ipywidgets.ToggleButtons(options=VOTES, value=_votes.get(path))
    buttons.observe(lambda change: _votes.update({path: change["new"]}), "value")
    box = ipywidgets.VBox([ipywidgets.HTML(question.html()), buttons])
    display({**box._repr_mimebundle_(), **question._repr_mimebundle_()}, raw=True)


# ------------------------------------------------------------------------------------------ the ledger


def ledger() -> str:
    """All cards as one Markdown page."""
    found = sorted(experiments(), key=lambda item: item[1].id)
    lines = [
        "# Ledger",
        "",
        "Every headline and every myth of the course: what is claimed, and the band in which the measured",
        "value must lie. The tests run each over all its seeds. Written by `python -m nnlib.evidence`.",
        "",
        "| id | concept | claim | verdict | bands | source | experiment |",
        "|---|---|---|---|---|---|---|",
    ]
    for path, e in found:
        concept, name = path.split(".")
        bands = "<br>".join(f"{label}: {band.text(e.seeds)}" for label, band in e.bands.items())
        verdict = f"{e.verdict}: {e.truth}" if e.kind == "myth" else "reproduced"
        cells = (e.id, concept, e.claim, verdict, bands, e.source)
        link = f"[`{name}`](nnlib/{concept}/experiments.py)"
        lines.append(f"| {' | '.join(c.replace('|', '&#124;') for c in cells)} | {link} |")
    return "\n".join(lines) + "\n"


def write_ledger() -> Path:
    path = TOP / "LEDGER.md"
    path.write_text(ledger(), encoding="utf-8")
    return path


if __name__ == "__main__":
    from nnlib import (
        evidence,
    )  # not this module, which is __main__ and knows none of the declared experiments

    print(f"wrote {evidence.write_ledger().name}")
