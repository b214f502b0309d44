"""Imports run one way: core < in_numpy, cases < in_torch < layers, figures < explorer … < notebooks.

So a NumPy lesson never waits for torch, and a twin is never derived from its reference.
"""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnlib import core

PACKAGE = Path(core.__file__).parent
LEVELS = [
    {"core"},
    {"data"},
    {"in_numpy", "cases"},
    {"in_torch"},
    {"figures", "language", "layers", "training"},
    {"cards", "diagnosis", "explorer", "evidence", "exercises", "show"},
    {"experiments", "explorers", "concept exercises"},
]
TORCH_FIRST = ("in_torch", "language", "training")
HEAVY = {"torch", "matplotlib", "ipywidgets", "IPython", "PIL"}


def kind(module: str) -> str:
    """The file's place in the order: its role inside a concept, its name at the top of the package."""
    first, *rest = module.split(".")[1:] or [""]
    if first in ("data", "layers") or not rest:
        return first
    return "concept exercises" if rest[0] == "exercises" else rest[0]


LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
CONCEPT_PACKAGES = {f"nnlib.{concept}" for concept in core.concepts()}


@functools.cache
def imports(module: str, everywhere: bool = True) -> list[str]:
    """The full names of what a module imports; inside functions too, where `everywhere`."""
    return list(imported(module, everywhere))


def imported(module: str, everywhere: bool) -> Iterator[str]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; write the name out"
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield whole if whole in MODULES else node.module


def test_every_module_has_its_place():
    unknown = {m for m in MODULES if m != "nnlib" and m not in CONCEPT_PACKAGES and kind(m) not in LEVEL}
    assert not unknown, f"not in the order of imports: {sorted(unknown)}"
    assert {kind(m) for m in MODULES} >= {"core", "in_numpy", "in_torch", "cases", "explorer", "explorers"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    if module == "nnlib" or module in CONCEPT_PACKAGES:
        assert list(imports(module)) == [], f"{module} says what it is and imports nothing"
        return
    for name in imports(module):
        if name.split(".")[0] != "nnlib" or name == module:
            continue
        assert name in MODULES, f"{module} imports {name}, which does not exist"
        assert name != "nnlib" and name not in CONCEPT_PACKAGES, f"{module} imports a whole package: {name}"
        mine, theirs = LEVEL[kind(module)], LEVEL[kind(name)]
        assert theirs <= mine, f"{module} imports {name}, which comes later in the order"


@pytest.mark.parametrize("concept", core.concepts())
def test_reference_and_twin_are_strangers(concept):
    for role, foreign in (("in_numpy", "in_torch"), ("in_torch", "in_numpy"), ("cases", "in_numpy")):
        roles = {name.split(".")[-1] for name in imports(f"nnlib.{concept}.{role}")}
        assert foreign not in roles, f"{concept}: {role} imports from {foreign}"
    assert "torch" not in {n.split(".")[0] for n in imports(f"nnlib.{concept}.in_numpy")}
    assert "torch" not in {n.split(".")[0] for n in imports(f"nnlib.{concept}.cases")}


@pytest.mark.parametrize("module", [m for m in MODULES if kind(m) not in TORCH_FIRST])
def test_torch_is_imported_where_it_is_needed_and_not_before(module):
    """Only twins, the PyTorch training loop and the language model import torch at the top."""
    assert "torch" not in {name.split(".")[0] for name in imports(module, everywhere=False)}


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


REFERENCES = [f"nnlib.{concept}.{role}" for concept in core.concepts() for role in ("in_numpy", "cases")]


def test_the_references_load_neither_torch_nor_a_picture():
    program = f"import sys, nnlib, {', '.join(REFERENCES)}\nprint(*{HEAVY} & set(sys.modules))"
    assert run(program).split() == []


def test_a_numpy_lesson_never_loads_torch():
    """What the setup cell of a notebook imports, and every experiment, explorer and exercise behind it."""
    lesson = [m for m in MODULES if kind(m) not in TORCH_FIRST]
    program = f"import sys, {', '.join(lesson)}\nprint('torch' in sys.modules, len(sys.modules))"
    loaded, count = run(program).split()
    assert loaded == "False" and int(count) > len(lesson)


def test_how_long_an_import_takes(record_property):
    program = (
        "import time; start = time.process_time()\n"
        "import nnlib, nnlib.neuron.in_numpy, sys; print(time.process_time() - start, 'numpy' in sys.modules)"
    )
    seconds, with_numpy = run(program).split()
    assert with_numpy == "True"
    record_property("seconds", seconds)
    print(f"nnlib and one reference: {float(seconds):.2f} s of CPU time, numpy included")
