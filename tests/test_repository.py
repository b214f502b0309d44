"""The repository itself: what it installs, what Binder builds, and what no file may hold."""

import ast
import csv
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lint_notebooks import SECTIONS
from notebooks import METADATA

ROOT = Path(__file__).resolve().parent.parent
POSIX = pytest.mark.skipif(os.name == "nt", reason="bash, make and repo2docker are not for Windows")
TEXT = {"", ".cff", ".cfg", ".csv", ".ipynb", ".md", ".mplstyle", ".py", ".toml", ".txt", ".yml"}

# In pieces, so that this file holds none of them.
FORBIDDEN = [
    r"\bTO" + r"DO\b",
    r"\bFIX" + r"ME\b",
    r"/wo" + r"rk/\w",
    r"/tm" + r"p/\w",
    r"/ho" + r"me/\w",
    r"py" + r"pi\.org",
    r"python" + r"hosted\.org",
    r"npm" + r"js\.(org|com)",
    r"deb\.deb" + r"ian",
]


@cache
def files() -> list[Path]:
    """What git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in sorted(filter(None, names)) if (ROOT / name).is_file()]


def lines(name: str) -> list[str]:
    """The lines of a requirements file that are neither comments nor empty."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins(name: str) -> dict[str, str]:
    """The exact versions that a requirements file asks for; every other kind of line must be an option."""
    found = {}
    for line in lines(name):
        if line.startswith("-"):
            continue
        requirement = Requirement(line)
        version = re.fullmatch(r"==([^*,]+)", str(requirement.specifier))
        assert version, f"{name}: {line} is no exact version"
        assert requirement.name not in found, f"{name}: {requirement.name} stands twice"
        found[requirement.name] = version[1]
    return found


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# ------------------------------------------------------------------------------------------ what installs


def test_the_last_line_installs_the_package():
    assert lines("requirements.txt")[-1] == "-e ."
    assert lines("requirements-dev.txt")[0] == "-r requirements.txt"
    assert [line for line in lines("requirements.txt") if line.startswith("-")] == ["-e ."]
    assert [line for line in lines("requirements-dev.txt") if line.startswith("-")] == ["-r requirements.txt"]
    assert not set(pins("requirements.txt")) & set(pins("requirements-dev.txt"))


def test_the_package_has_lower_bounds_which_the_pins_satisfy(project):
    pinned = pins("requirements.txt")
    for line in project["dependencies"]:
        requirement = Requirement(line)
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == {">="}, f"pyproject.toml: {line} is no lower bound"
        assert requirement.specifier.contains(pinned[requirement.name]), f"{line} is pinned lower"
    python = SpecifierSet(project["requires-python"])
    assert all(python.contains(version) for version in ("3.11", "3.12", "3.13", "3.14"))


def test_binder_installs_what_the_tests_ran_with(project):
    binder, learner = pins("binder/requirements.txt"), pins("requirements.txt")
    assert {name: version.removesuffix("+cpu") for name, version in binder.items()}.items() <= learner.items()
    assert {Requirement(line).name for line in project["dependencies"]} <= set(binder)
    assert binder["torch"].endswith("+cpu")


def test_what_is_installed_is_what_is_pinned():
    from importlib.metadata import version

    for name in ("numpy", "matplotlib", "pillow", "ipython", "ipywidgets", "nbclient", "nbval"):
        assert version(name) == (pins("requirements.txt") | pins("requirements-dev.txt"))[name]


@pytest.mark.slow
@POSIX
def test_binder_can_be_built():
    command = ["jupyter-repo2docker", "--no-build", "--debug", str(ROOT)]
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for step in ("binder/requirements.txt", "binder/postBuild", "binder/start"):
        assert step in said, f"the build does not use {step}"


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("name", ["binder/postBuild", "binder/start", ".ci/run"])
def test_a_script_can_run(name):
    done = subprocess.run(["bash", "-n", name], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert os.access(ROOT / name, os.X_OK), f"{name} is not executable"


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("target", ["lab", "test", "check", "notebooks", "bench"])
def test_make_knows_the_target(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for file in re.findall(r"(?:notebooks|tools|benchmarks|tests)/\w+\.\w+", done.stdout):
        assert (ROOT / file).is_file(), f"make {target} uses {file}, which is not there"


# ---------------------------------------------------------------------------------------- what it says


def test_it_says_how_to_cite_it(project):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["authors"] == [{"name": "The nnlib contributors"}]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def test_it_says_under_which_licenses():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    text = (ROOT / "LICENSE-TEXT.md").read_text(encoding="utf-8")
    assert "https://creativecommons.org/licenses/by/4.0/" in text


def test_contributing_names_the_sections_that_the_lint_asks_for():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"`## ([^`]+)`(?=[,.])", text)) == SECTIONS


def test_links_in_markdown_files_resolve():
    for path in files():
        if path.suffix == ".md":
            for target in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", path.read_text(encoding="utf-8")):
                known = re.match(r"[a-z]+:", target) or (path.parent / target).exists()
                assert known, f"{path.relative_to(ROOT)} links to {target}, which is not there"


# ---------------------------------------------------------------------------------------- what no file holds


def test_no_file_holds_a_forbidden_word():
    for path in files():
        if path.suffix in TEXT:
            text = path.read_text(encoding="utf-8")
            for word in FORBIDDEN:
                found = re.search(word, text)
                assert not found, f"{path.relative_to(ROOT)} holds {found[0]!r}"


def test_no_docstring_holds_a_control_character():
    for path in files():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                found = re.search(
                    r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f]", ast.get_docstring(node, clean=False) or ""
                )
                name = getattr(node, "name", "the module")
                assert not found, f"{path.relative_to(ROOT)}: {name}: docstring holds {found[0]!r}"


def test_no_notebook_stores_widgets_or_versions():
    for path in files():
        if path.suffix == ".ipynb":
            metadata = nbformat.read(path, as_version=4).metadata
            assert metadata == METADATA, f"{path.name}: metadata are {metadata}: run tools/notebooks.py"


def test_nothing_big_is_tracked():
    for path in files():
        assert path.stat().st_size < 1_000_000, f"{path.relative_to(ROOT)} has {path.stat().st_size:,} bytes"


def test_the_question_index_is_consistent():
    with open(ROOT / "notebooks" / "questions.csv", encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 200
    for id, row in rows.items():
        assert row["question"].endswith("?") and re.fullmatch(r"\d\d_\w+", row["notebook"]), id
        first = row["same_as"] and rows[row["same_as"]]
        assert not first or not first["same_as"], f"{id} is a re-wording of a re-wording"
        assert not first or first["topic"] == row["topic"], f"{id} and {first['id']} differ in topic"


def test_the_index_of_questions_is_up_to_date():
    import questions

    stale = "QUESTIONS.md is stale: run python tools/questions.py"
    assert questions.PAGE.read_text(encoding="utf-8") == questions.page(), stale
