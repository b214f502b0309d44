"""Exercises that say what probably went wrong: `check` and `hint` in the notebook, `Exercise` to declare one.

A learner's function runs beside the solution on every case, in float64 and in float32. The first thing that
is wrong is shown, and where the results equal those of a known mistake, the mistake is named.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from nnlib import core
from nnlib.cards import Card, declared, lookup
from nnlib.diagnosis import STEPS, Trial, attempts, first_difference, printed, raised, unwritten


class Mistake(NamedTuple):
    message: str
    function: Callable


@dataclass(frozen=True, eq=False)
class Exercise:
    """A function to write: its solution, hints, what comes next, and the mistakes that learners make."""

    solution: Callable
    hints: list[str]
    next: str
    cases: Callable[[np.random.Generator], list[core.Case]] | None = None  # else those of the concept
    mistakes: list[Mistake] = field(default_factory=list)

    def mistake(self, message: str) -> Callable[[Callable], Callable]:
        """Plant a known mistake: whoever's results equal those of the function reads the message."""

        def plant(function: Callable) -> Callable:
            self.mistakes.append(Mistake(message, function))
            return function

        return plant

    @property
    def name(self) -> str:
        return self.solution.__name__

    @cached_property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.solution)

    @cached_property
    def reference(self) -> Callable:
        """The solution without its check of the call: the cases are known to be good."""
        return inspect.unwrap(self.solution)

    @cached_property
    def forward(self) -> Callable:
        """What a backward belongs to: its docstring tells the shapes. Any other function is its own."""
        bare = self.reference
        return inspect.unwrap(bare.__globals__.get(self.name.removesuffix("_backward"), bare))

    def call(self, f: Callable, args: dict[str, Any]) -> Any:
        """Call by position, so that a learner may rename arguments."""
        bound = self.signature.bind(**args)
        return f(*bound.args, **bound.kwargs)

    def inputs(self, seed: int = 0) -> list[core.Case]:
        """The calls that a solution must get right. A backward takes a random grad_output and those of f."""
        if self.cases:
            found = list(self.cases(np.random.default_rng(seed)))
        else:
            found = core.cases(f"{self.solution.__module__.split('.')[1]}.{self.name}", seed)
        if not found:
            raise LookupError(f"the exercise {self.name} has no cases")
        backward = "grad_output" in self.signature.parameters
        return [self._backward(c) if backward and "grad_output" not in c.args else c for c in found]

    def _backward(self, case: core.Case) -> core.Case:
        grad_output = core.grad_outputs(self.forward(**case.args))
        return replace(case, name=self.name, args={"grad_output": grad_output, **case.args})

    def output_names(self, args: dict[str, Any], count: int) -> list[str]:
        """grad_x, grad_weight … for a backward, else what the docstring's Returns section says."""
        if self.name.endswith("_backward"):
            given = self.signature.bind(**args).arguments.items()
            names = [f"grad_{k}" for k, v in given if isinstance(v, np.ndarray) and k != "grad_output"]
        else:
            names = [spec.name for spec in core.documented(self.forward, "Returns")]
        if len(names) == count:
            return names
        return ["the result"] if count == 1 else [f"result {i + 1}" for i in range(count)]


def exercises() -> Iterator[tuple[str, Exercise]]:
    """Every declared exercise with its name, found by walking the concepts."""
    for concept in core.concepts():
        for name, found in declared(concept, "exercises", Exercise).items():
            yield f"{concept}.{name}", found


# ------------------------------------------------------------------------------------ in the notebook


_opened: dict[str, int] = {}


def check(path: str, mine: Callable) -> None:
    """Run a learner's function beside the solution and show what came out."""
    diagnose(lookup(path, "exercises", Exercise), mine, path).show()


def hint(path: str) -> None:
    """Open one more hint."""
    hints = lookup(path, "exercises", Exercise).hints
    count = _opened[path] = min(_opened.get(path, 0) + 1, len(hints))
    more = "Run this cell again for the next." if count < len(hints) else "The solution is in the next cell."
    Card(f"hint {count} of {len(hints)}", f"`{path}`", lines=(*hints[:count], more)).show()


def diagnose(exercise: Exercise, mine: Callable, path: str = "") -> Card:
    """One card: not attempted, error, not yet (with the first thing that is wrong) or correct."""
    title = f"`{path or exercise.name}`"
    cases = exercise.inputs()
    if problem := unusable(exercise, mine, cases):
        return Card("not yet", title, "bad", (problem,))
    trials = attempts(exercise, mine, cases)
    if unwritten(trials[0], mine):
        line = "Replace `raise NotImplementedError` with your code, then run both cells again."
        return Card("not attempted", title, "neutral", (line,))
    if trials[-1].error:
        return Card("error", title, "bad", tuple(raised(trials[-1], mine)), printed=printed(trials))
    looks = (known_mistake, *STEPS)
    if lines := next(filter(None, (look(exercise, trials) for look in looks)), None):
        return Card("not yet", title, "bad", tuple(lines), printed=printed(trials))
    count = f"{len(cases)} cases" if len(cases) > 1 else "one case"
    return Card("correct", title, "good", (f"{count}, in float64 and in float32.", f"Next: {exercise.next}"))


def unusable(exercise: Exercise, mine: Any, cases: list[core.Case]) -> str | None:
    """Can it be called the way the solution is called?"""
    if not callable(mine):
        kind = type(mine).__name__
        return f"You passed a value of type {kind}. Pass the function itself: its name, without parentheses."
    try:
        signature = inspect.signature(mine)
    except ValueError:  # some functions written in C do not tell
        return None
    expected = f"Expected `{exercise.name}{exercise.signature}`; yours is `{signature}`."
    ours, yours = exercise.signature.parameters, signature.parameters
    if list(ours) != list(yours) and sorted(ours) == sorted(yours):
        return f"The arguments are in another order. {expected}"
    for case in cases:
        bound = exercise.signature.bind(**case.args)
        try:
            signature.bind(*bound.args, **bound.kwargs)
        except TypeError as error:
            return f"Your function cannot be called like the solution: {error}. {expected}"
    for name in [k for k in ours if k in yours]:
        if ours[name].default not in (inspect.Parameter.empty, yours[name].default):
            return f"The default of `{name}` is another. {expected}"
    return None


def known_mistake(exercise: Exercise, trials: list[Trial]) -> list[str] | None:
    """The message of the planted mistake whose results equal the learner's on every case."""
    exact = [t for t in trials if t.dtype == "float64"]
    for message, function in exercise.mistakes:
        if all(t.equals(function) for t in exact):
            return [message, *first_difference(exercise, exact)]
    return None
