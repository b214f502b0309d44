"""Makes stories_plain.txt and stories_dialect.txt from their grammar: `python data/make_stories.py`."""

import hashlib
from pathlib import Path

import numpy as np

from nnlib.data.grammar import story

SIZES = {"plain": 3800, "dialect": 1500}  # the last 500 lines of each are for testing


def build(kind: str) -> bytes:
    """The content of a file, one story to a line, none of them twice."""
    rng = np.random.default_rng(len(kind))
    lines: dict[str, None] = {}
    while len(lines) < SIZES[kind]:
        lines[story(rng, kind)] = None
    return ("\n".join(lines) + "\n").encode("ascii")


if __name__ == "__main__":
    for kind in SIZES:
        content = build(kind)
        path = Path(__file__).with_name(f"stories_{kind}.txt")
        path.write_bytes(content)
        print(f"{path.name}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
