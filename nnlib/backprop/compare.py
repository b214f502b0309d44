"""Line by line: every array of a network beside torch's, so that the first False is the first wrong line.

    mine = {"z1": z1, "h": h, …, "grad_h": grad_h, "grad_z1": grad_z1, …}     in the order of computation
    theirs = {"z1": z1, "h": h, …}                                            tensors, after loss.backward()
    compare(mine, theirs)

`grad_h` is compared with `theirs["h"].grad`; for tensors that are no leaves, call `retain_grad()` before the
backward, or torch forgets their gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnlib.cards import Card
from nnlib.core import tolerance


@dataclass(frozen=True)
class Line:
    """One array and how far it is from torch's."""

    name: str
    exact: bool  # equal to the last bit
    approximate: bool  # equal but for rounding
    difference: float  # the largest
    note: str = ""  # where the difference is not a number


@dataclass(frozen=True)
class Comparison:
    """All lines in the order of computation."""

    lines: tuple[Line, ...]

    @property
    def first_wrong(self) -> str | None:
        """The name of the first line that is wrong: what comes after it was computed from it."""
        return next((line.name for line in self.lines if not line.approximate), None)

    def card(self) -> Card:
        rows = tuple(
            (f"`{line.name}`", f"approximate: {line.approximate}", _said(line)) for line in self.lines
        )
        title = f"{len(self.lines)} lines, each beside torch's"
        if self.first_wrong is None:
            return Card("all lines agree", title, "good", rows=rows)
        before = [line.name for line in self.lines].index(self.first_wrong)
        word = "line before it agrees" if before == 1 else "lines before it agree"
        mend = f"The {before} {word}; those after it are computed from it. Mend `{self.first_wrong}` first."
        return Card(f"first wrong line: {self.first_wrong}", title, "bad", (mend,), rows)

    def __repr__(self) -> str:
        return repr(self.card())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.card()._repr_mimebundle_()


def _said(line: Line) -> str:
    return line.note or f"measured: exact {line.exact}, max difference {line.difference:.1e}"


def compare(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Comparison:
    """Compare arrays of ours with tensors of torch's, `grad_name` with the `.grad` of `name`."""
    if not mine:
        raise ValueError("compare: there are no lines; expected arrays by name")
    return Comparison(tuple(_line(name, value, _wanted(name, theirs)) for name, value in mine.items()))


def _wanted(name: str, theirs: Mapping[str, Any]) -> np.ndarray:
    known = name.removeprefix("grad_")
    if known not in theirs:
        raise LookupError(f"compare: torch's side has no {known!r}; it has {', '.join(theirs)}")
    tensor = theirs[known]
    if name.startswith("grad_"):
        if not tensor.is_leaf and not tensor.retains_grad:
            raise LookupError(f"compare: torch kept no gradient of {known!r}; call its retain_grad() first")
        tensor = tensor.grad
        if tensor is None:
            raise LookupError(f"compare: {known!r} has no gradient; call loss.backward() before comparing")
    return tensor.detach().cpu().numpy()


def _line(name: str, value: Any, wanted: np.ndarray) -> Line:
    value = np.asarray(value)
    if value.shape != wanted.shape:
        return Line(name, False, False, np.inf, f"shape {value.shape}; torch's is {wanted.shape}")
    if not np.isfinite(value).all():
        return Line(name, False, False, np.inf, "holds NaN or infinite values")
    difference = float(np.abs(value - wanted).max())
    # Relative to the line's own size: gradients are often far smaller than 1.
    limit = tolerance(wanted.dtype) * max(np.abs(wanted).max(), np.finfo(wanted.dtype).eps)
    return Line(name, bool((value == wanted).all()), bool(difference <= limit), difference)
