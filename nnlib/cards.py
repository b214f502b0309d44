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
    "padding: 0.7em 1.1em; margin: 0.3em 0; line-height: 1.5; max-width: {}"
)
_CELL = (
    "text-align: left; vertical-align: top; padding: 0.15em 1.5em 0.15em 0; border: none; white-space: normal"
)
_PRE = "background: none; padding: 0.2em 0; margin: 0; line-height: 1.4; font-size: 0.9em; overflow-x: auto"
_COLUMNS = "display: flex; flex-wrap: wrap; gap: 0.4em 2.5em; margin: 0.6em 0"


@dataclass(frozen=True)
class Card:
    """A word, a title, paragraphs, a table and code. In paragraphs, `backticks` mark code."""

    word: str
    title: str
    tone: str = "neutral"
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    code: tuple[tuple[str, str], ...] = ()  # (heading, Python source), side by side
    folded: str = ""  # with a heading, the code is folded under it, below everything else

    def html(self) -> str:
        color, sign = TONES[self.tone]
        head = f'<div><span style="color: {color}">{sign}</span> <strong>{html.escape(self.word)}</strong>'
        head += f" · {_inline(self.title)}</div>"
        lines = "".join(f'<p style="margin: 0.4em 0">{_inline(line)}</p>' for line in self.lines)
        rows = ""
        for row in self.rows:
            cells = "".join(f'<td style="{_CELL}">{_inline(cell)}</td>' for cell in row)
            rows += f'<tr style="background: none">{cells}</tr>'
        table = f'<table style="border: none; margin: 0.5em 0">{rows}</table>' if rows else ""
        code = "".join(
            f'<div style="flex: 1 1 24em; min-width: 0"><em>{html.escape(heading)}</em>'
            f'<pre style="{_PRE}">{highlight(source)}</pre></div>'
            for heading, source in self.code
        )
        code = f'<div style="{_COLUMNS}">{code}</div>' if code else ""
        fold = f"<details><summary>{html.escape(self.folded)}</summary>{code}</details>"
        body = lines + table + fold if self.folded else code + lines + table
        return (
            f'<div style="{_BOX.format(color, "54em" if len(self.code) < 2 else "none")}">{head}{body}</div>'
        )

    def __repr__(self) -> str:
        """The same facts as text; code is left to the HTML."""
        body = [line.replace("`", "") for line in self.lines] + [" | ".join(row) for row in self.rows]
        return "\n".join([f"{TONES[self.tone][1]} {self.word} · {self.title}", *(f"  {b}" for b in body)])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}

    def show(self) -> None:
        from IPython.display import display

        display(self)


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
    concept, _, name = path.partition(".")
    if concept not in core.concepts():
        raise LookupError(f"there is no concept {concept!r}; there is {', '.join(core.concepts())}")
    known = declared(concept, role, kind)
    if name not in known:
        names = ", ".join(f"{concept}.{n}" for n in known)
        raise LookupError(f"there is no {path!r} in {role}.py; there is {names or 'nothing yet'}")
    return known[name]
