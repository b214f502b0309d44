"""Run notebooks as a learner does who solves every exercise: without a network, in a fresh home folder.

    python tools/try_notebooks.py                        all of notebooks/
    python tools/try_notebooks.py 01 11_normalization    these

After each check of a stub the solution takes the stub's place and is checked too. No file changes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from lint_notebooks import attempts
from notebooks import client, course, find, plain

OFFLINE = Path(__file__).with_name("offline")
MEGABYTES, CPU_SECONDS = 1000, 60  # of one kernel; Binder promises 1 GB
PACE = 0.2  # seconds for the yardstick below on the processor for which CPU_SECONDS is meant
NEEDS = """
import pathlib, re, sys, time

used = time.process_time()
status = pathlib.Path("/proc/self/status")
if status.exists():  # getrusage would count what the process that started the kernel needed
    kilobytes = re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]
else:
    import resource

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # macOS counts bytes


def yardstick():
    for i in range(5_000_000):
        i * i

start = time.process_time()
yardstick()
print(kilobytes, used, time.process_time() - start)
"""


@dataclass
class Outcome:
    """Errors by cell, what each check says of the stub and of the solution, what the kernel needed."""

    errors: list[str] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    solved: dict[str, str] = field(default_factory=dict)
    megabytes: float = 0.0
    cpu_seconds: float = 0.0

    def problems(self) -> list[str]:
        problems = list(self.errors)
        problems += [f"exercise {n!r} as found: {w}" for n, w in self.found.items() if w != "not attempted"]
        problems += [f"exercise {n!r} as solved: {w}" for n, w in self.solved.items() if w != "correct"]
        if self.megabytes > MEGABYTES:
            problems.append(f"{self.megabytes:.0f} MB at its peak; at most {MEGABYTES}")
        if self.cpu_seconds > CPU_SECONDS:
            problems.append(f"{self.cpu_seconds:.0f} s of the processor; at most {CPU_SECONDS}")
        return problems


def run(nb: nbformat.NotebookNode, folder: Path) -> Outcome:
    """Run the notebook as if it lay in `folder`, to its end."""
    solved = {f"solved-{attempt.check.id}": attempt for attempt in attempts(nb)}
    paste(nb)
    nb.cells.append(new_code_cell(NEEDS.strip(), id="needs"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        client(nb, folder, allow_errors=True).execute(env=offline(home))
    cells = {cell.id: cell for cell in nb.cells}
    outcome = Outcome()
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                outcome.errors.append(plain(f"cell {cell.id!r}: {output.ename}: {output.evalue}"))
    for again, attempt in solved.items():
        outcome.found[attempt.stub.id] = word(cells[attempt.check.id])
        outcome.solved[attempt.stub.id] = word(cells[again])
    kilobytes, seconds, yardstick = map(float, cells["needs"].outputs[0].text.split())
    outcome.megabytes = kilobytes / 1000
    outcome.cpu_seconds = seconds / max(1, yardstick / PACE)  # a slower processor may take longer
    return outcome


def offline(home: str) -> dict[str, str]:
    """The environment of a kernel that reaches nothing but this machine, has never cached anything and, as
    on Binder, has no GPU."""
    homes = ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    settings = {"PYTHONPATH": str(OFFLINE), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return dict(os.environ) | dict.fromkeys(homes, home) | settings


def paste(nb: nbformat.NotebookNode) -> None:
    """After each check, put the solution in place of the stub and check once more."""
    for attempt in attempts(nb):
        after = 1 + next(i for i, cell in enumerate(nb.cells) if cell.id == attempt.check.id)
        nb.cells[after:after] = [
            new_code_cell(attempt.fences[0], id=f"solved-{attempt.stub.id}"),
            new_code_cell(attempt.check.source, id=f"solved-{attempt.check.id}"),
        ]


def word(cell: nbformat.NotebookNode) -> str:
    """What a check says: the word that its card starts with, or whatever else stands there."""
    shown = [output.get("data", {}).get("text/plain") or output.get("text", "") for output in cell.outputs]
    card = re.match(r"\W*([a-z ]+?) ·", "\n".join(shown))
    return card[1] if card else f"no card but {shown}"


def main(names: list[str]) -> int:
    failed = False
    for path in [find(name) for name in names] or course():
        outcome = run(nbformat.read(path, as_version=4), path.parent)
        print(
            f"{path.stem}: {outcome.megabytes:.0f} MB, {outcome.cpu_seconds:.0f} s of the processor",
            flush=True,
        )
        for problem in outcome.problems():
            failed = True
            print(f"    {problem}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
