"""Every notebook follows the template and runs offline in little memory; its exercises can be solved.

nbval compares the stored outputs of each notebook as found (make test). Here each runs once more, with every
solution pasted in after its stub was checked, and several tests look at that one run.
"""

import nbformat
import pytest

from lint_notebooks import lint
from notebooks import course
from try_notebooks import CPU_SECONDS, MEGABYTES, run

NOTEBOOKS = [
    pytest.param(path, id=path.stem, marks=pytest.mark.xdist_group(f"notebook {path.stem}"))
    for path in course()
]


@pytest.fixture(scope="module", params=NOTEBOOKS)
def outcome(request):
    return run(nbformat.read(request.param, as_version=4), request.param.parent)


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
def test_it_fits_on_binder(outcome):
    assert outcome.megabytes <= MEGABYTES
    assert outcome.cpu_seconds <= CPU_SECONDS
