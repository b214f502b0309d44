"""The tools for notebooks find what they are there to find: a good one passes, a planted fault is named."""

import base64
import csv
import functools
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lint_notebooks import SANITIZE, SECTIONS, lint
from notebooks import METADATA, WIDGET_VIEW, Failed, normalize, refresh, write
from try_notebooks import run

PNG = base64.b64encode(b"\x89PNG" + bytes(100)).decode()
QUESTIONS = [
    ["id", "question", "topic", "notebook", "same_as"],
    ["Q001", "What is it?", "it", "05_example", ""],
    ["Q002", "How would you say what it is?", "it", "05_example", "Q001"],
    ["Q003", "What is elsewhere?", "elsewhere", "07_other", ""],
]
OPENING = """# Example

Can a notebook be good?

[![Binder](badge.svg)](https://mybinder.org/v2/gh/owner/repo/main?labpath=notebooks%2F{name}.ipynb)

You will be able to

- see,
- turn,
- explain it.

About 20 minutes. Before: [before]({before}.ipynb). Next: [next]({next}.ipynb#Summary)."""
ANSWER = """### Q001 · What is it?

It is an example. [The run](#Two-versions) shows it, e.g. by agreement.

Asked again: Q002 · How would you say what it is?"""
SOLUTION = "<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"
STUB = "def square(x):\n    raise NotImplementedError"


def text(id, source, tags=()):
    return new_markdown_cell(source, id=id, metadata={"tags": list(tags)} if tags else {})


def code(id, source, *outputs, tags=()):
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, id=id, outputs=list(outputs), metadata=metadata)


def shown(plain="", **data):
    return new_output("display_data", data={"text/plain": plain} | data)


def printed(words, name="stdout"):
    return new_output("stream", name=name, text=words)


def book(*cells):
    nb = new_notebook(cells=list(cells), metadata=METADATA)
    for count, cell in enumerate((cell for cell in nb.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
    return nb


def exercise(name, solution="def square(x):\n    return x * x"):
    return [
        code(f"stub-{name}", STUB, tags=["exercise"]),
        code(f"check-{name}", 'check("example.square", square)', printed("not attempted"), tags=["check"]),
        text(f"solution-{name}", SOLUTION.format(solution), tags=["solution"]),
    ]


@functools.cache
def example(name, before, next):
    """A notebook that follows the template, as text."""
    cells = [
        text("title", OPENING.format(name=name, before=before, next=next)),
        code("setup", "import numpy as np\n\nseed = 5"),
    ]
    bodies = {
        "In NumPy": [code(f"step-{'abcdefghijklmnopq'[i]}", f"{i}", printed("1")) for i in range(12)],
        "Two versions": [code("show-it", 'show("example.square")', printed("they agree, measured: 3 ms"))],
        "Explore": [code("turn-it", "explorer", shown("Explorer", **{"image/png": PNG}))],
        "The paper": [code("paper", 'headline("example.h")', printed("reproduced"))],
        "Myths": [code("myth", 'myth("example.m")', printed("wrong"))],
        "Exercises": [cell for part in ("warm-up", "core", "stretch") for cell in exercise(part)],
        "Questions": [text("answer", ANSWER)],
    }
    for section in SECTIONS:
        slug = section.lower().replace(" ", "-")
        cells += [text(f"section-{slug}", f"## {section}\n\nWords."), *bodies.get(section, [])]
    return nbformat.writes(book(*cells))


@pytest.fixture
def course(tmp_path):
    """A course of three notebooks; the middle one, 05_example, is for spoiling."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    names = ["04_before", "05_example", "06_after"]
    for name, before, next in zip(names, ["04_before", *names], [*names[1:], "06_after"]):
        (folder / f"{name}.ipynb").write_text(example(name, before, next), encoding="utf-8")
    with open(folder / "questions.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(QUESTIONS)
    return folder


def test_a_good_notebook_passes(course):
    assert lint(course / "05_example.ipynb") == []


def cell(nb, id):
    return next(cell for cell in nb.cells if cell.id == id)


def edit(id, old, new):
    """A fault: `old` becomes `new` in one cell."""

    def plant(nb):
        assert old in cell(nb, id).source
        cell(nb, id).source = cell(nb, id).source.replace(old, new)

    return plant


def drop(id):
    return lambda nb: nb.cells.remove(cell(nb, id))


def output(id, *outputs):
    return lambda nb: cell(nb, id).update(outputs=list(outputs))


def swap(a, b):
    def plant(nb):
        i, j = (nb.cells.index(cell(nb, id)) for id in (a, b))
        nb.cells[i], nb.cells[j] = nb.cells[j], nb.cells[i]

    return plant


def lengthen(nb):
    for n in range(12):
        cell(nb, f"step-{'abcdefghijklmnopq'[n]}").source = "\n".join("1" * 9)


FAULTS = [
    (edit("title", "# Example", "Example"), "does not start with a title"),
    (edit("title", "be good?", "be good."), "asks no question"),
    (edit("title", "- see,\n- turn,\n", ""), "lists 1 things"),
    (edit("title", "20 minutes", "a while"), "how many minutes"),
    (edit("title", "mybinder", "binder"), "no Binder badge"),
    (edit("title", "05_example", "04_before"), "badge opens notebooks/04_before.ipynb"),
    (edit("title", "Before: ", "Back: "), "no link Before: 04_before.ipynb"),
    (edit("title", "06_after", "04_before"), "Next links to 04_before.ipynb#Summary, but 06_after.ipynb"),
    (drop("section-the-idea"), "`## The idea` is missing"),
    (edit("section-the-idea", "The idea", "The thought"), "`## The thought` is no section"),
    (swap("section-the-idea", "section-the-problem"), "in the order The idea, The problem"),
    (edit("section-the-idea", "Words.", "## The problem"), "`## The problem` stands 2 times"),
    (drop("show-it"), "calls show(...) 0 times"),
    (edit("check-core", "check(", "print("), "calls check(...) 2 times"),
    (output("turn-it", shown("Explorer")), "`## Explore` stores no picture"),
    (edit("setup", "numpy as np", "numpy"), "the setup cell differs"),
    (drop("setup"), "the id 'setup'"),
    (lambda nb: nb.cells.extend(text(f"more-{'x' * n}", "More.") for n in range(1, 40)), "cells; 35 to 70"),
    (lambda nb: cell(nb, "step-a").update(source="1\n" * 26), "'step-a' has 26 lines; at most 25"),
    (lengthen, "have at most 8 lines; 70% should"),
    (lambda nb: cell(nb, "step-a").update(id="1f3a9c2e"), "the cell id '1f3a9c2e' cannot be read"),
    (lambda nb: cell(nb, "step-a").update(id="deadbeef"), "the cell id 'deadbeef' cannot be read"),
    (lambda nb: nb.metadata.update(widgets={}), "metadata.widgets is stored"),
    (lambda nb: nb.metadata.language_info.update(version="3.11.7"), "its metadata are not those"),
    (output("step-a", shown("Box", **{WIDGET_VIEW: {"model_id": "1"}})), "stores a widget's random id"),
    (lambda nb: cell(nb, "step-a").metadata.update(jupyter={"source_hidden": True}), "opens folded"),
    (lambda nb: cell(nb, "step-a").update(source=" "), "cell 'step-a' is empty"),
    (lambda nb: cell(nb, "step-a").update(execution_count=None), "execution counts are"),
    (output("step-a", new_output("error", ename="E", evalue="v", traceback=[])), "stores an error: E: v"),
    (output("step-a", printed("careful", "stderr")), "stores stderr: 'careful'"),
    (output("step-a", shown(**{"image/png": base64.b64encode(bytes(50_000)).decode()})), "a PNG of 50 kB"),
    (output("step-a", printed("saved " + "/ho" + "me/someone/file")), "prints a path"),
    (output("step-a", printed("<f at 0x7f0011223344>")), "prints an address"),
    (output("step-a", printed("took 12.5 ms")), "prints a time"),
    (output("step-a", shown("", **{"text/html": "<b>took 3.1 s</b>"})), "prints a time"),
    (output("step-a", printed("on 2026-01-02")), "prints a date"),
    (output("step-a", printed("UserWarning: no")), "prints a warning"),
    (output("check-core"), "cell 'check-core' stores no output"),
    (lambda nb: cell(nb, "step-a").update(source="plt.show()"), "cell 'step-a' stores no picture"),
    (edit("section-explore", "Words.", "See [there](gone.md)."), "links to gone.md, which is not there"),
    (edit("section-explore", "Words.", "See [there](#Gone)."), "links to #Gone, but no heading"),
    (
        edit("section-explore", "Words.", "[x](06_after.ipynb#Gone)"),
        "links to 06_after.ipynb#Gone, but no heading",
    ),
    (drop("solution-core"), "2 cells tagged solution for 3 exercises"),
    (drop("check-core"), "'stub-core' has no cell tagged check"),
    (edit("stub-core", "raise NotImplementedError", "return x"), "does not raise NotImplementedError"),
    (edit("solution-core", "<details>", "<div>"), "not folded"),
    (edit("solution-core", "```python", "```"), "has 0 Python fences"),
    (edit("solution-core", "def square", "def cube"), "does not define square"),
    (edit("answer", "Q001 · What is it?", "Q001 · What was it?"), "is not `### Q001 · `"),
    (edit("answer", "### Q001", "### Q003"), "Q001 is not answered: What is it?"),
    (edit("answer", "### Q001", "### Q003"), "Q003 is answered, but questions.csv puts it elsewhere"),
    (edit("answer", "Q002", "it"), "Q002, a re-wording, is not listed under Q001"),
    (edit("answer", "It is an example. ", ""), "answered in 1 sentences"),
    (edit("answer", "#Two-versions", "#Questions"), "Q001 links to no heading"),
    (edit("answer", "#Two-versions", "#In-practice"), "'In practice', which has no code cell"),
]


@pytest.mark.parametrize("plant, message", FAULTS, ids=[message for _, message in FAULTS])
def test_a_planted_fault_is_named(course, plant, message):
    path = course / "05_example.ipynb"
    nb = nbformat.read(path, as_version=4)
    plant(nb)
    nbformat.write(nb, path)
    assert message in "\n".join(lint(path))


def test_myths_are_asked_for_where_a_concept_has_one(course):
    path = course / "05_example.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells = [cell for cell in nb.cells if cell.id not in ("section-myths", "myth")]
    nbformat.write(normalize(nb), path)
    assert lint(path) == []
    concept = course.parent / "nnlib" / "example"
    concept.mkdir(parents=True)
    (concept / "__init__.py").write_text('"""Notebook: notebooks/05_example.ipynb"""')
    (concept / "experiments.py").write_text('@experiment(kind="myth")')
    assert lint(path) == ["the section `## Myths` is missing"]


def test_the_first_notebook_needs_no_concept(course):
    nb = nbformat.read(course / "04_before.ipynb", as_version=4)
    nb.cells = [c for c in nb.cells if re.match("title|setup|section-(questions|summary)", c.id)]
    cell(nb, "title").source = OPENING.format(name="00_start", before="04_before", next="04_before")
    nbformat.write(normalize(nb), course / "00_start.ipynb")
    assert lint(course / "00_start.ipynb") == []
    nb.cells.remove(cell(nb, "section-summary"))
    nbformat.write(nb, course / "00_start.ipynb")
    assert "the section `## Summary` is missing" in lint(course / "00_start.ipynb")


# ------------------------------------------------------------------------------------------- re-execution


@pytest.mark.slow
def test_a_notebook_run_again_is_the_same_file(tmp_path):
    path = tmp_path / "twice.ipynb"
    slider = code("slider", "import ipywidgets\nipywidgets.IntSlider()")
    streams = code("streams", "import sys\nprint(1, flush=True)\nprint(2, flush=True)")
    nbformat.write(book(text("title", "# Title"), slider, streams, code("sum", "1 + 1")), path)
    assert refresh(path)
    first = path.read_bytes()
    assert not refresh(path) and path.read_bytes() == first
    nb = nbformat.read(path, as_version=4)
    assert nb.metadata == METADATA and WIDGET_VIEW.encode() not in first
    assert [c.execution_count for c in nb.cells[1:]] == [1, 2, 3]
    assert cell(nb, "streams").outputs == [printed("1\n2\n")]
    assert first.endswith(b"}\n")


@pytest.mark.slow
def test_a_failing_cell_is_named_and_leaves_the_file_alone(tmp_path):
    path = tmp_path / "fails.ipynb"
    nbformat.write(book(code("good", "1"), code("bad", "1 / 0")), path)
    before = path.read_bytes()
    with pytest.raises(Failed, match="cell 'bad': ZeroDivisionError: division by zero"):
        refresh(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["fails.ipynb"]


def test_a_write_that_fails_leaves_the_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "kept.ipynb"
    assert write(book(text("old", "old")), path)
    before = path.read_bytes()

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write(book(text("new", "new")), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["kept.ipynb"]


@pytest.mark.slow
@pytest.mark.parametrize("stored, same", [("1 inside, measured: 8", True), ("2 inside, measured: 7", False)])
def test_nbval_compares_all_but_what_was_measured(tmp_path, stored, same):
    path = tmp_path / "compared.ipynb"
    nbformat.write(book(code("line", "print('1 inside, measured: 7')", printed(stored + "\n"))), path)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", "--nbval-sanitize-with"]
    done = subprocess.run([*command, SANITIZE, path], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode == 0) == same, done.stdout
    assert ("1 passed" if same else "1 failed") in done.stdout


# ------------------------------------------------------------------------------------------- a learner's run

CHECK = """
def check(name, mine):
    try:
        print("✓ correct · square" if mine(3) == 9 else "✗ not yet · square")
    except NotImplementedError:
        print("● not attempted · square")
"""


@pytest.mark.slow
def test_a_run_tells_found_from_solved(tmp_path):
    right, wrong = exercise("right"), exercise("wrong", "def square(x):\n    return x + x")
    done = exercise("done")
    done[0].source = "def square(x):\n    return x**2"
    outcome = run(book(code("checker", CHECK), *right, *wrong, *done), tmp_path)
    assert outcome.errors == []
    assert outcome.found == {
        "stub-right": "not attempted",
        "stub-wrong": "not attempted",
        "stub-done": "correct",
    }
    assert outcome.solved == {"stub-right": "correct", "stub-wrong": "not yet", "stub-done": "correct"}
    assert len(outcome.problems()) == 2
    assert 20 < outcome.megabytes < 500 and 0.05 < outcome.cpu_seconds < 60


@pytest.mark.slow
def test_a_run_has_no_network_and_no_home_but_this_machine(tmp_path):
    connect = "import socket\nsocket.create_connection(('{}', {}), timeout=5)"
    serve = "import socket\nserver = socket.create_server(('127.0.0.1', 0))\nport = server.getsockname()[1]"
    outside = "192.0.2.1"  # reserved for examples, so nobody answers there
    nb = book(
        code("address", connect.format(outside, 80)),
        code("name", connect.format("example.invalid", 80)),
        code("child", "import subprocess, sys\n" + CHILD.format(connect.format(outside, 80))),
        code("serve", serve),
        code("local", "socket.create_connection(('localhost', port), timeout=5).close()"),
        code("home", "import pathlib\nassert list(pathlib.Path.home().rglob('*.idx')) == []"),
    )
    outcome = run(nb, tmp_path)
    assert len(outcome.errors) == 3
    for name, error in zip(("address", "name", "child"), outcome.errors):
        assert error.startswith(f"cell {name!r}") and "the network is closed" in error


CHILD = """
done = subprocess.run([sys.executable, "-c", '''{}'''], capture_output=True, text=True)
if done.returncode:
    raise OSError(done.stderr)
"""


@pytest.mark.slow
def test_a_run_sees_its_peak_of_memory(tmp_path):
    outcome = run(book(code("large", "x = bytearray(300_000_000)\ndel x")), tmp_path)
    assert 300 < outcome.megabytes < 600
