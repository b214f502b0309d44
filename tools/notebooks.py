"""Re-execute notebooks in place and store them so that an unchanged notebook changes nothing in git.

python tools/notebooks.py                        all of notebooks/
python tools/notebooks.py 01 11_normalization    these: a number, a name or a path
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_CELL_METADATA = {"tags", "jupyter"}


class Failed(Exception):
    """A notebook that did not run to its end; the message names the cell and the error."""


def find(name: str, folder: Path = FOLDER) -> Path:
    """The notebook that a number, a stem, a file name or a path stands for."""
    if Path(name).is_file():
        return Path(name)
    stem = name.removesuffix(".ipynb")
    found = [path for path in course(folder) if stem in (path.stem, path.stem.split("_")[0])]
    if len(found) != 1:
        raise SystemExit(f"no notebook {name!r} in {folder}; there are: {[p.stem for p in course(folder)]}")
    return found[0]


def course(folder: Path = FOLDER) -> list[Path]:
    """The notebooks of the course, in their order."""
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def client(nb: nbformat.NotebookNode, folder: Path, **options) -> NotebookClient:
    """What runs `nb` as if it lay in `folder`; it adds neither times nor widget state."""
    settings = dict(kernel_name="python3", timeout=600, record_timing=False, store_widget_state=False)
    settings["coalesce_streams"] = True  # a kernel may send one print in two messages
    settings["extra_arguments"] = ["--log-level=ERROR"]  # else each kernel warns of its loopback connection
    return NotebookClient(nb, resources={"metadata": {"path": str(folder)}}, **(settings | options))


def execute(nb: nbformat.NotebookNode, folder: Path, **start_kernel) -> None:
    """Run every cell of `nb` in a fresh kernel and fill in its outputs; raise Failed at the first error."""
    reached = []
    runner = client(nb, folder, on_cell_start=lambda cell, cell_index: reached.append(cell))
    try:
        runner.execute(**start_kernel)
    except CellExecutionError as error:
        raise Failed(f"cell {reached[-1].id!r}: {error.ename}: {error.evalue}") from error
    except CellTimeoutError as error:
        raise Failed(f"cell {reached[-1].id!r}: no end after {runner.timeout} s") from error
    except DeadKernelError as error:
        where = f"cell {reached[-1].id!r}" if reached else "before the first cell"
        raise Failed(f"{where}: the kernel died") from error


def normalize(nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs between two runs of a notebook: widgets' random ids, versions, the editor's state."""
    nb.metadata = nbformat.from_dict(METADATA)
    nb.nbformat, nb.nbformat_minor = 4, 5
    runs = 0
    for cell in nb.cells:
        cell.metadata = nbformat.from_dict(
            {k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA}
        )
        if cell.cell_type != "code":
            continue
        ran = bool(cell.source.strip())
        runs += ran
        cell.execution_count = runs if ran else None
        cell.outputs = joined(cell.outputs)
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_VIEW, None)
            if "metadata" in output:
                output.metadata.pop(WIDGET_VIEW, None)
            if "execution_count" in output:
                output.execution_count = cell.execution_count
    return nb


def joined(outputs: list) -> list:
    """`outputs` with neighboring pieces of one stream as one: where a stream is cut depends on the moment."""
    whole: list = []
    for output in outputs:
        if (
            whole
            and output.output_type == whole[-1].output_type == "stream"
            and output.name == whole[-1].name
        ):
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def write(nb: nbformat.NotebookNode, path: Path) -> bool:
    """Put `nb` at `path` in one step, so that nobody sees half of it; True where that changed the file."""
    text = nbformat.writes(nb).rstrip("\n") + "\n"
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_bytes(text.encode())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return True


def refresh(path: Path) -> bool:
    """Re-execute the notebook at `path` in place; True where its file changed. An error changes nothing."""
    nb = nbformat.read(path, as_version=4)
    execute(nb, path.parent)
    nbformat.validate(normalize(nb))
    return write(nb, path)


def plain(text: str) -> str:
    """`text` without terminal colors."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def main(names: list[str]) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    failed = False
    for path in [find(name) for name in names] or course():
        try:
            print(f"{path.stem}: {'changed' if refresh(path) else 'unchanged'}", flush=True)
        except Failed as error:
            failed = True
            print(f"{path.stem}: {plain(str(error))}", file=sys.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
