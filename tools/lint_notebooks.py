"""What the template asks of a notebook, checked without running it.

    python tools/lint_notebooks.py                        all of notebooks/
    python tools/lint_notebooks.py 01 11_normalization    these

Each rule is a function that yields what is wrong; `lint` runs them all.
"""

from __future__ import annotations

import ast
import base64
import csv
import html
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import nbformat
from nbval.plugin import get_sanitize_patterns

from notebooks import METADATA, WIDGET_VIEW, course, find

SECTIONS = (
    "The problem",
    "The idea",
    "In NumPy",
    "Two versions",
    "Explore",
    "The paper",
    "Myths",
    "In practice",
    "Exercises",
    "Questions",
    "Summary",
)
CALLS = {"Two versions": "show", "The paper": "headline", "Myths": "myth", "Exercises": "check"}
CELLS = 35, 70
LINES, FEW_LINES, SHARE_OF_FEW = 25, 8, 0.7
PNG_BYTES = 40_000
EXERCISES = 3
SENTENCES = 2, 6

UNSTABLE = {
    "a path": r"(?<![\w.])/(?:tmp|home|root|work|usr|opt|var|Users)/|\b[A-Z]:\\",
    "an address": r"\b0x[0-9a-f]{6,}",
    "a time": r"\d ?(?:ns|µs|us|ms|sec|secs|seconds?|min|minutes?)\b|\d\.\d+ ?s\b",
    "a date": r"\b20\d\d-\d\d-\d\d\b",
    "a warning": r"\b\w*Warning\b",
}
SANITIZE = Path(__file__).resolve().parent.parent / "tests" / "nbval_sanitize.cfg"
LINK = re.compile(
    r"(?<!!)\[((?:[^\[\]]|!?\[[^\]]*\](?:\([^)]*\))?)*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)"
)
BADGE = re.compile(r"https://mybinder\.org/v2/gh/[\w.-]+/[\w.-]+/[\w.-]+\?(?:labpath|urlpath)=(\S+?)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*?$", re.M | re.S)


class Heading(NamedTuple):
    """A heading, the number of its cell, and the Markdown between it and the next heading."""

    level: int
    title: str
    cell: int
    body: str

    @property
    def anchor(self) -> str:
        """Its id in JupyterLab: the text as shown, spaces replaced."""
        shown = LINK.sub(r"\1", self.title)
        return re.sub(r"[`*]", "", shown).replace(" ", "-")


@dataclass(frozen=True)
class Notebook:
    path: Path
    nb: nbformat.NotebookNode

    @property
    def cells(self) -> list:
        return self.nb.cells

    @property
    def code(self) -> list:
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def markdown(self) -> list:
        return [cell for cell in self.cells if cell.cell_type == "markdown"]

    @property
    def is_first(self) -> bool:
        """00 shows how the course works; it has no concept of its own."""
        return self.path.stem.startswith("00_")

    @cached_property
    def headings(self) -> list[Heading]:
        found = []
        for number, cell in enumerate(self.cells):
            if cell.cell_type != "markdown":
                continue
            text = FENCE.sub(lambda fence: re.sub(r"^", "    ", fence[0], flags=re.M), cell.source)
            pieces = re.split(r"^(#{1,6}) +(.*?)\s*$", text, flags=re.M)
            for marks, title, body in zip(pieces[1::3], pieces[2::3], pieces[3::3]):
                found.append(Heading(len(marks), title, number, body))
        return found

    def extent(self, heading: Heading) -> list:
        """The cells from a heading to the next one that is not below it."""
        later = self.headings[self.headings.index(heading) + 1 :]
        end = next((h.cell for h in later if h.level <= heading.level), len(self.cells))
        return self.cells[heading.cell : max(end, heading.cell + 1)]

    def section(self, title: str) -> list:
        """The cells of a `## section`; none where it is missing."""
        return next((self.extent(h) for h in self.headings if h.level == 2 and h.title == title), [])

    @property
    def opening(self) -> str:
        """The Markdown above the first code cell."""
        first = next((i for i, cell in enumerate(self.cells) if cell.cell_type == "code"), len(self.cells))
        return "\n\n".join(cell.source for cell in self.cells[:first])

    @property
    def siblings(self) -> list[Path]:
        return course(self.path.parent)


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def calls(cells: list, name: str) -> int:
    """How often the code in `cells` calls the function `name`."""
    trees = [ast.walk(ast.parse(c.source)) for c in cells if c.cell_type == "code"]
    return sum(
        isinstance(n, ast.Call) and getattr(n.func, "id", None) == name for tree in trees for n in tree
    )


def texts(cell) -> Iterator[str]:
    """What a cell's stored outputs say, as text, without what may differ between machines."""
    for output in cell.outputs:
        data = output.get("data", {})
        page = re.sub(r"<[^>]*>", " ", data.get("text/html", ""))
        for text in (output.get("text", ""), data.get("text/plain", ""), html.unescape(page)):
            for pattern, replacement in get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8")):
                text = re.sub(pattern, replacement, text)
            yield text


# ------------------------------------------------------------------------------------------------- rules

rules: list[Callable[[Notebook], Iterator[str]]] = []


def rule(function: Callable[[Notebook], Iterator[str]]) -> Callable[[Notebook], Iterator[str]]:
    rules.append(function)
    return function


@rule
def opening(book: Notebook) -> Iterator[str]:
    text = book.opening
    if not text.startswith("# "):
        yield "the first cell does not start with a title, `# ...`"
    if "?" not in LINK.sub("", BADGE.sub("", text)):
        yield "the opening asks no question that the notebook answers"
    if not 3 <= (goals := len(re.findall(r"^ *[-*] ", text, re.M))) <= 5:
        yield f"the opening lists {goals} things you will be able to do; 3 to 5 are asked for"
    if not re.search(r"\d+ (min|minutes)\b", text):
        yield "the opening does not say how many minutes it takes"
    badge = BADGE.search(text)
    if not badge:
        yield "the opening has no Binder badge, a link to https://mybinder.org/v2/gh/..."
    elif not unquote(badge[1]).endswith(f"notebooks/{book.path.name}"):
        yield f"the Binder badge opens {unquote(badge[1])}, not this notebook"


@rule
def before_and_next(book: Notebook) -> Iterator[str]:
    order = [path.name for path in book.siblings]
    here = order.index(book.path.name)
    neighbors = {"Before": order[here - 1] if here else None, "Next": (order[here + 1 :] or [None])[0]}
    for word, name in neighbors.items():
        line = re.search(rf"\b{word}\b[^\n]*?{LINK.pattern}", book.opening)
        if name and not line:
            yield f"the opening has no link {word}: {name}"
        elif name and line[2].split("#")[0] != name:
            yield f"{word} links to {line[2]}, but {name} is the one"


@rule
def sections(book: Notebook) -> Iterator[str]:
    titles = [h.title for h in book.headings if h.level == 2]
    needed = ("Questions", "Summary") if book.is_first else SECTIONS
    for title in needed:
        if title not in titles and (title != "Myths" or has_myths(book)):
            yield f"the section `## {title}` is missing"
    if not book.is_first:
        for title in titles:
            if title not in SECTIONS:
                yield f"`## {title}` is no section of the template; use ###"
    known = [title for title in titles if title in SECTIONS]
    if known != sorted(known, key=SECTIONS.index):
        yield f"the sections stand in the order {', '.join(known)}"
    for title in set(titles):
        if titles.count(title) > 1:
            yield f"`## {title}` stands {titles.count(title)} times"


def has_myths(book: Notebook) -> bool:
    """Does a concept that names this notebook declare a myth?"""
    for folder in (book.path.parent.parent / "nnlib").glob("*/"):
        about, experiments = folder / "__init__.py", folder / "experiments.py"
        if about.is_file() and f"notebooks/{book.path.name}" in about.read_text(encoding="utf-8"):
            if experiments.is_file() and 'kind="myth"' in experiments.read_text(encoding="utf-8"):
                return True
    return False


@rule
def what_sections_hold(book: Notebook) -> Iterator[str]:
    for title, name in CALLS.items():
        least = EXERCISES if name == "check" else 1
        cells = book.section(title)
        if cells and not book.is_first and (n := calls(cells, name)) < least:
            yield f"`## {title}` calls {name}(...) {n} times; at least {least} is asked for"
    explore = book.section("Explore")
    if explore and not any("image/png" in o.get("data", {}) for c in explore for o in c.get("outputs", [])):
        yield "`## Explore` stores no picture"


@rule
def setup_cell(book: Notebook) -> Iterator[str]:
    if not book.code or book.code[0].id != "setup":
        yield "the first code cell is not the one with the id 'setup'"
        return
    first = nbformat.read(book.siblings[0], as_version=4)
    model = next((c.source for c in first.cells if c.get("id") == "setup"), "")
    if seedless(book.code[0].source) != seedless(model):
        yield f"the setup cell differs from that of {book.siblings[0].name} in more than its seed"


def seedless(source: str) -> str:
    return re.sub(r"(\w*seed\w*\s*[=(]\s*|default_rng\()\d+", r"\1N", source, flags=re.I)


@rule
def sizes(book: Notebook) -> Iterator[str]:
    few, many = CELLS
    if len(book.cells) > many or (len(book.cells) < few and not book.is_first):
        yield f"{len(book.cells)} cells; {few} to {many} are asked for"
    lines = [len(cell.source.splitlines()) for cell in book.code]
    for cell, n in zip(book.code, lines):
        if n > LINES:
            yield f"cell {cell.id!r} has {n} lines; at most {LINES}"
    short = sum(n <= FEW_LINES for n in lines)
    if lines and short < SHARE_OF_FEW * len(lines):
        yield f"{short} of {len(lines)} code cells have at most {FEW_LINES} lines; {SHARE_OF_FEW:.0%} should"


@rule
def cell_ids(book: Notebook) -> Iterator[str]:
    ids = [cell.get("id", "") for cell in book.cells]
    for name in ids:
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or re.fullmatch(r"[0-9a-f-]{8,}", name):
            yield f"the cell id {name!r} cannot be read; words joined by '-' are asked for"
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"the cell id {name!r} stands {ids.count(name)} times"


@rule
def stored_metadata(book: Notebook) -> Iterator[str]:
    if "widgets" in book.nb.metadata:
        yield "metadata.widgets is stored"
    elif book.nb.metadata != METADATA:
        yield "its metadata are not those that tools/notebooks.py writes"
    for cell in book.code:
        if any(WIDGET_VIEW in output.get("data", {}) for output in cell.outputs):
            yield f"cell {cell.id!r} stores a widget's random id"
        if cell.metadata.get("jupyter", {}).get("source_hidden") and not cell.source.startswith("#"):
            yield f"cell {cell.id!r} opens folded, so its first line, which is shown, should be a comment"


@rule
def stored_outputs(book: Notebook) -> Iterator[str]:
    for cell in book.cells:
        if not cell.source.strip():
            yield f"cell {cell.id!r} is empty"
    counts = [cell.execution_count for cell in book.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1, 2, 3 …: run tools/notebooks.py"
    for cell in book.code:
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {cell.id!r} stores an error: {output.ename}: {output.evalue}"
            if output.get("name") == "stderr":
                yield f"cell {cell.id!r} stores stderr: {output.text.strip()[:80]!r}"
            png = base64.b64decode(output.get("data", {}).get("image/png", ""))
            if len(png) > PNG_BYTES:
                yield f"cell {cell.id!r} stores a PNG of {len(png) // 1000} kB; at most {PNG_BYTES // 1000}"
        for shown in texts(cell):
            for what, pattern in UNSTABLE.items():
                if found := re.search(pattern, shown):
                    around = shown[max(0, found.start() - 20) : found.end() + 20]
                    yield f"cell {cell.id!r} prints {what}: {around!r}"
        shows = ("check", "headline", "myth", "show", "hint")
        if not cell.outputs and any(calls([cell], name) for name in shows):
            yield f"cell {cell.id!r} stores no output"
        if "plt.show()" in cell.source and not any("image/png" in o.get("data", {}) for o in cell.outputs):
            yield f"cell {cell.id!r} stores no picture"


@rule
def links(book: Notebook) -> Iterator[str]:
    anchors = {book.path.name: {h.anchor for h in book.headings}}
    for cell in book.markdown:
        for _, target in LINK.findall(FENCE.sub("", cell.source)):
            file, _, anchor = unquote(target).partition("#")
            if re.match(r"[a-z]+:", file):
                continue
            path = (book.path.parent / file).resolve() if file else book.path
            if not path.exists():
                yield f"cell {cell.id!r} links to {target}, which is not there"
            elif anchor and path.suffix == ".ipynb":
                if path.name not in anchors:
                    other = Notebook(path, nbformat.read(path, as_version=4))
                    anchors[path.name] = {h.anchor for h in other.headings}
                if anchor not in anchors[path.name]:
                    yield f"cell {cell.id!r} links to {target}, but no heading there has that anchor"


@rule
def exercises(book: Notebook) -> Iterator[str]:
    found = attempts(book.nb)
    for tag in ("check", "solution"):
        if (n := sum(tag in tags(cell) for cell in book.cells)) != len(found):
            yield f"{n} cells tagged {tag} for {len(found)} exercises"
    for attempt in found:
        where = f"exercise {attempt.stub.id!r}"
        if attempt.check is None or attempt.solution is None:
            yield f"{where} has no cell tagged {'check' if attempt.check is None else 'solution'} after it"
            continue
        if not calls([attempt.check], "check"):
            yield f"{where}: its check cell {attempt.check.id!r} does not call check(...)"
        if "NotImplementedError" not in attempt.stub.source:
            yield f"{where}: the stub does not raise NotImplementedError"
        if "<details>" not in attempt.solution.source:
            yield f"{where}: the solution is not folded in <details>"
        if len(fences := attempt.fences) != 1:
            yield f"{where}: the solution has {len(fences)} Python fences; one is asked for"
        elif not (wanted := defined(attempt.stub.source)) or not wanted <= defined(fences[0]):
            yield f"{where}: the solution does not define {', '.join(sorted(wanted)) or 'a function'}"


class Attempt(NamedTuple):
    """An exercise's cells: the stub, its check and the Markdown of the solution."""

    stub: nbformat.NotebookNode
    check: nbformat.NotebookNode | None
    solution: nbformat.NotebookNode | None

    @property
    def fences(self) -> list[str]:
        """The solution's code."""
        return re.findall(r"^```python\s*\n(.*?)^```", self.solution.source, re.M | re.S)


def attempts(nb: nbformat.NotebookNode) -> list[Attempt]:
    """The exercises of a notebook, each with the check and the solution that follow before the next one."""
    starts = [i for i, cell in enumerate(nb.cells) if "exercise" in tags(cell)]
    found = []
    for start, end in zip(starts, [*starts[1:], len(nb.cells)]):
        tagged = {tag: cell for cell in reversed(nb.cells[start:end]) for tag in tags(cell)}
        found.append(Attempt(nb.cells[start], tagged.get("check"), tagged.get("solution")))
    return found


def defined(source: str) -> set[str]:
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


@rule
def questions(book: Notebook) -> Iterator[str]:
    with open(book.path.parent / "questions.csv", encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    mine = {id for id, row in rows.items() if row["notebook"] == book.path.stem}
    again = {id for id in mine if rows[id]["same_as"] in mine}
    answers = {}
    part = book.section("Questions")
    for h in book.headings:
        if book.cells[h.cell] in part and (m := re.match(r"(Q\d+)\b *·? *(.*)", h.title)):
            answers[m[1]] = h
            if h.level != 3 or h.title != f"{m[1]} · {rows.get(m[1], {}).get('question')}":
                yield f"the heading {h.title!r} is not `### {m[1]} · ` and the question of questions.csv"
    for id in sorted(mine - again - set(answers)):
        yield f"{id} is not answered: {rows[id]['question']}"
    for id in sorted(set(answers) - (mine - again)):
        yield f"{id} is answered, but questions.csv puts it elsewhere"
    for id in sorted(again):
        first = answers.get(rows[id]["same_as"])
        if first and not (id in first.body and rows[id]["question"] in first.body):
            yield f"{id}, a re-wording, is not listed under {rows[id]['same_as']}: {rows[id]['question']}"
    for id, h in answers.items():
        yield from answer(book, id, h, part)


def answer(book: Notebook, id: str, h: Heading, part: list) -> Iterator[str]:
    """What is wrong with one answer."""
    prose = [p for p in re.split(r"\n\s*\n", h.body) if not re.search(r"\bQ\d{3}\b", p)]
    n = sentences(" ".join(prose))
    if not SENTENCES[0] <= n <= SENTENCES[1]:
        yield f"{id} is answered in {n} sentences; {SENTENCES[0]} to {SENTENCES[1]} are asked for"
    shown_in = {unquote(target[1:]) for _, target in LINK.findall(h.body) if target.startswith("#")}
    shown = [g for g in book.headings if g.anchor in shown_in and book.cells[g.cell] not in part]
    if not shown:
        yield f"{id} links to no heading of this notebook above the questions"
    elif not any(cell.cell_type == "code" for g in shown for cell in book.extent(g)):
        yield f"{id} links to {shown[0].title!r}, which has no code cell that shows it"


def sentences(text: str) -> int:
    """How many sentences a paragraph has."""
    text = re.sub(r"\$[^$]*\$|`[^`]*`", "x", LINK.sub(r"\1", text))
    text = re.sub(r"\b(e\.g|i\.e|vs|cf|et al|Fig|Eq|approx)\.", r"\1", text)
    return len(re.findall(r"[.!?][\"'”)*_]*(?=\s+[^a-z]|\s*$)", text))


# -------------------------------------------------------------------------------------------------- main


def lint(path: Path) -> list[str]:
    """Everything that is wrong with the notebook at `path`."""
    try:
        nb = nbformat.read(path, as_version=4)
        nbformat.validate(nb)
    except Exception as error:
        return [f"not a notebook: {error}"]
    book = Notebook(path.resolve(), nb)
    return [problem for check in rules for problem in check(book)]


def main(names: list[str]) -> int:
    problems = [f"{p.stem}: {what}" for p in [find(n) for n in names] or course() for what in lint(p)]
    print("\n".join(problems) or "nothing to mend")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
