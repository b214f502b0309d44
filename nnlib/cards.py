"""Cards: the calm box in which checks, headlines and comparisons answer, and the search for their subject.

A card reads the same in JupyterLab's light and dark theme and on GitHub, which drops styles: colors only
repeat what a word says, and structure is plain HTML. Its text/plain form holds the same facts.
"""

from __future__ import annotations

import functools
import html
import re
from dataclasses import dataclass
from typing import Any

from nnlib import core

# Each at least 3:1 against white and against JupyterLab's dark background.
TONES = {"good": ("#009E73", "✓"), "bad": ("#D55E00", "✗"), "neutral": ("#3584C8", "●")}

_BOX = (
    "border-left: 4px solid {}; border-radius: 3px; background: rgba(128, 128, 128, 0.08); "
    "padding: 0.7em 1.1em; margin: 0.3em 0; line-height: 1.5"
)
_CELL = "text-align: left; vertical-align: top; padding: 0.15em 1.5em 0.15em 0; border: none; white-space: {}"
_COLUMNS = "display: flex; flex-wrap: wrap; gap: 0.6em 2.5em; margin: 0.6em 0"
_PRE = (
    "background: none; border: none; margin: 0; padding: 0.2em 0; overflow-x: auto; "
    "white-space: pre-wrap; word-break: normal; overflow-wrap: normal; "
    "line-height: 1.4; font-size: 0.88em; font-family: var(--jp-code-font-family, monospace)"
)


@dataclass(frozen=True)
class Code:
    """Python source under a heading; `more` is folded below it."""

    heading: str
    source: str
    more: str = ""

    def html(self) -> str:
        more = _fold("what it calls", _pre(self.more)) if self.more else ""
        heading = html.escape(self.heading)
        return f'<div style="flex: 1 1 26em; min-width: 0"><em>{heading}</em>{_pre(self.source)}{more}</div>'


@dataclass(frozen=True)
class Card:
    """A word, a title, columns of code, paragraphs, a table, a note in small print and folded code.

    In text, `backticks` mark code.
    """

    word: str
    title: str
    tone: str = "neutral"
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = ""
    columns: tuple[Code, ...] = ()
    folded: str = ""
    printed: str = ""  # by a learner's function, of which only the check sees the output

    def html(self) -> str:
        color, sign = TONES[self.tone]
        word, title = html.escape(self.word), _inline(self.title)
        parts = [f'<div><span style="color: {color}">{sign}</span> <strong>{word}</strong> · {title}</div>']
        if self.columns:
            columns = "".join(code.html() for code in self.columns)
            parts.append(f'<div style="{_COLUMNS}">{columns}</div>')
        parts += [f'<p style="margin: 0.4em 0">{_inline(line)}</p>' for line in self.lines]
        if self.rows:
            rows = "".join(map(_row, self.rows))
            parts.append(f'<table style="border: none; margin: 0.5em 0">{rows}</table>')
        if self.printed:
            text = f'<pre style="{_PRE}">{html.escape(self.printed)}</pre>'
            parts.append(f'<p style="margin: 0.4em 0">Your function printed there:</p>{text}')
        if self.note:
            parts.append(f'<p style="margin: 0.4em 0; opacity: 0.75"><small>{_inline(self.note)}</small></p>')
        if self.folded:
            parts.append(_fold("the code", _pre(self.folded)))
        return f'<div style="{_BOX.format(color)}">{"".join(parts)}</div>'

    def __repr__(self) -> str:
        """The same facts as text; code is left to the HTML."""
        head = f"{TONES[self.tone][1]} {self.word} · {self.title}"
        said = ["Your function printed there:", *self.printed.splitlines()] if self.printed else []
        body = [*self.lines, *said, *(" | ".join(row) for row in self.rows), *filter(None, [self.note])]
        return "\n  ".join([head, *body]).replace("`", "")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}

    def show(self) -> None:
        from IPython.display import display

        display(self)


def _row(cells: tuple[str, ...]) -> str:
    styles = [_CELL.format("normal"), *[_CELL.format("nowrap")] * (len(cells) - 1)]
    row = "".join(f'<td style="{style}">{_inline(cell)}</td>' for style, cell in zip(styles, cells))
    return f'<tr style="background: none">{row}</tr>'


def _pre(source: str) -> str:
    return f'<pre style="{_PRE}">{highlight(source)}</pre>'


def _fold(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>{body}</details>"


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
    return re.sub(r"arXiv:([\w.-]+/?\d+)", r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>', text)


@functools.cache
def _formatter() -> Any:
    from pygments import token
    from pygments.formatters import HtmlFormatter
    from pygments.style import Style

    class Quiet(Style):
        """Four middle tones, readable on white and on near-black alike."""

        styles = {
            token.Comment: "italic #7A7A7A",
            token.Keyword: "#2F80C0",
            token.Operator.Word: "#2F80C0",
            token.Name.Function: "bold",
            token.Number: "#B5651D",
            token.String: "#2E8B57",
        }

    return HtmlFormatter(style=Quiet, noclasses=True, nowrap=True)


def highlight(source: str) -> str:
    """Python source as HTML with inline colors."""
    import pygments
    from pygments.lexers import PythonLexer

    return pygments.highlight(source, PythonLexer(), _formatter()).rstrip("\n")


def declared(concept: str, role: str, kind: type) -> dict[str, Any]:
    """What one file of a concept declares, by name; nothing where the concept has no such file."""
    try:
        module = core.load(concept, role)
    except ModuleNotFoundError as error:
        if error.name != f"nnlib.{concept}.{role}":
            raise
        return {}
    return {name: value for name, value in vars(module).items() if isinstance(value, kind)}


def lookup(path: str, role: str, kind: type) -> Any:
    """The declared thing behind "concept.name", or a LookupError that lists what there is."""
    concept, name = core.parts(path)
    if concept not in core.concepts():
        raise LookupError(f"there is no concept {concept!r}; there is {', '.join(core.concepts())}")
    known = declared(concept, role, kind)
    if name not in known:
        names = ", ".join(f"{concept}.{n}" for n in known)
        raise LookupError(f"there is no {path!r} in {role}.py; there is {names or 'nothing yet'}")
    return known[name]
