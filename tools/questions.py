"""Write QUESTIONS.md: the questions of notebooks/questions.csv that a notebook answers, with links.

python tools/questions.py            write the page
python tools/questions.py --check    exit 1 if the page is not what this would write
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from pathlib import Path
from urllib.parse import quote

TOP = Path(__file__).parent.parent
NOTEBOOKS = TOP / "notebooks"
PAGE = TOP / "QUESTIONS.md"


def rows() -> list[dict[str, str]]:
    with open(NOTEBOOKS / "questions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def answers(stem: str) -> dict[str, str]:
    """Question id -> heading of its answer, for one notebook."""
    notebook = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"))
    text = "\n".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown")
    return {m[2]: m[1] for m in re.finditer(r"^### ((Q\d{3}) · .+)$", text, re.M)}


def page() -> str:
    questions = rows()
    by_id = {row["id"]: row for row in questions}
    sections, answered = [], 0
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        found, lines = answers(path.stem), []
        for row in questions:
            first = by_id[row["same_as"]] if row["same_as"] else row
            if first["id"] in found and first["notebook"] == path.stem:
                anchor = quote(found[first["id"]].replace(" ", "-"), safe="-·?,")
                lines.append(f"- {row['id']} [{row['question']}](notebooks/{path.name}#{anchor})")
        if lines:
            answered += len(lines)
            title = next(
                line[2:].strip()
                for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
                for line in "".join(cell["source"]).splitlines()
                if line.startswith("# ")
            )
            sections.append(f"## {title}\n\n" + "\n".join(lines))
    count = f"{answered} of {len(questions)} questions that people ask about neural networks"
    head = (
        f"# Questions\n\n{count}, each answered in a notebook beside a cell that shows it. Re-wordings "
        "lead to the answer of their first wording.\n"
    )
    return "\n".join([head, *("\n" + s if i else s for i, s in enumerate(sections))]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    if parser.parse_args().check:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        print(
            "QUESTIONS.md is up to date" if fresh else "QUESTIONS.md is stale: run python tools/questions.py"
        )
        return 0 if fresh else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
