"""Every notebook follows the template, runs without a network in little memory, and has exercises that can be solved.

nbval compares the stored outputs of each notebook as found (make test). Here each runs once more, with every
solution pasted in after its stub was checked, and several tests look at that one run.
"""

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from lint_notebooks import attempts, lint
from nbformat.v4 import new_code_cell
from notebooks import client, course, plain

OFFLINE = Path(__file__).with_name("offline")
MEGABYTES, CPU_SECONDS = 1000, 60  # of one kernel; Binder promises 1 GB
NEEDS = """
import pathlib, re, resource, sys, time

status = pathlib.Path("/proc/self/status")  # where there is none, getrusage: in bytes on macOS
kilobytes = re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1] if status.exists() else (
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(kilobytes, time.process_time())
"""

NOTEBOOKS = [
    pytest.param(path, id=path.stem, marks=pytest.mark.xdist_group(f"notebook {path.stem}")) for path in course()
]


@dataclass
class Run:
    """One run: errors by cell, the word of each exercise's check before and after its solution, the needs."""

    errors: list[str] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    solved: dict[str, str] = field(default_factory=dict)
    megabytes: float = 0.0
    cpu_seconds: float = 0.0


def run(nb: nbformat.NotebookNode, folder: Path, home: Path) -> Run:
    """Run a notebook to its end, without a network and with an empty home folder."""
    solved = {f"solved-{attempt.check.id}": attempt for attempt in attempts(nb)}
    paste(nb)
    nb.cells.append(new_code_cell(NEEDS.strip(), id="needs"))
    folders = {name: str(home) for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    env = os.environ | folders | {"PYTHONPATH": str(OFFLINE), "OMP_NUM_THREADS": "1"}
    client(nb, folder, allow_errors=True).execute(env=env)
    cells = {cell.id: cell for cell in nb.cells}
    outcome = Run()
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                outcome.errors.append(plain(f"cell {cell.id!r}: {output.ename}: {output.evalue}"))
    for again, attempt in solved.items():
        outcome.found[attempt.stub.id] = word(cells[attempt.check.id])
        outcome.solved[attempt.stub.id] = word(cells[again])
    kilobytes, outcome.cpu_seconds = map(float, cells["needs"].outputs[0].text.split())
    outcome.megabytes = kilobytes / 1000
    return outcome


def paste(nb: nbformat.NotebookNode) -> None:
    """After each check, put the solution in place of the stub and check once more."""
    for attempt in attempts(nb):
        after = 1 + next(i for i, cell in enumerate(nb.cells) if cell.id == attempt.check.id)
        nb.cells[after:after] = [
            new_code_cell(attempt.fences[0], id=f"solved-{attempt.stub.id}"),
            new_code_cell(attempt.check.source, id=f"solved-{attempt.check.id}"),
        ]


def word(cell: nbformat.NotebookNode) -> str:
    """What a check says: the word that its card starts with."""
    for output in cell.outputs:
        text = output.get("data", {}).get("text/plain", "") or output.get("text", "")
        if found := re.match(r"\W*([a-z ]+?) ·", text):
            return found[1]
    return f"no card: {cell.outputs}"


@pytest.fixture(scope="module", params=NOTEBOOKS)
def outcome(request, tmp_path_factory) -> Run:
    nb = nbformat.read(request.param, as_version=4)
    return run(nb, request.param.parent, tmp_path_factory.mktemp("home"))


# ------------------------------------------------------------------------------------------- the course


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_the_template(path):
    problems = lint(path)
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.slow
def test_it_runs_without_a_network(outcome):
    assert not outcome.errors, "\n" + "\n".join(outcome.errors)


@pytest.mark.slow
def test_an_exercise_as_found_is_not_attempted(outcome):
    assert set(outcome.found.values()) <= {"not attempted"}, outcome.found


@pytest.mark.slow
def test_an_exercise_as_solved_is_correct(outcome):
    assert set(outcome.solved.values()) <= {"correct"}, outcome.solved


@pytest.mark.slow
def test_what_it_needs(outcome):
    assert outcome.megabytes < MEGABYTES, f"{outcome.megabytes:.0f} MB at its peak; at most {MEGABYTES}"
    assert outcome.cpu_seconds < CPU_SECONDS, f"{outcome.cpu_seconds:.0f} s; at most {CPU_SECONDS}"


# ------------------------------------------------------------- that these tests can fail: small notebooks

CHECK = """
def check(name, mine):
    try:
        print("✓ correct · square" if mine(3) == 9 else "✗ not yet · square")
    except NotImplementedError:
        print("● not attempted · square")
"""
STUB = "def square(x):\n    raise NotImplementedError"
RIGHT, WRONG = "def square(x):\n    return x * x", "def square(x):\n    return x + x"


def exercise(solution: str, stub: str = STUB) -> nbformat.NotebookNode:
    fold = f"<details><summary>Solution</summary>\n\n```python\n{solution}\n```\n\n</details>"
    return book(
        code("checker", CHECK),
        code("square", stub, tags=["exercise"]),
        code("check-square", 'check("example.square", square)', tags=["check"]),
        text("solution", fold, tags=["solution"]),
    )


def test_a_run_tells_found_from_solved(tmp_path):
    outcome = run(exercise(RIGHT), tmp_path, tmp_path)
    assert outcome.errors == []
    assert (outcome.found, outcome.solved) == ({"square": "not attempted"}, {"square": "correct"})
    assert 20 < outcome.megabytes < 500 and 0.1 < outcome.cpu_seconds < 60
