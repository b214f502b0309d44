"""Render the README's pictures from the explorers: python tools/pictures.py"""

from __future__ import annotations

from pathlib import Path

from nnlib.explorer import explore

FOLDER = Path(__file__).parent.parent / ".github" / "pictures"
PICTURES = {
    "playground": ("linear.playground", dict(lr=0.3)),
    "averaging_axes": ("normalization.averaging_axes", {}),
    "rule": ("neuron.rule", dict(updates=60, gap=-0.05)),
}


def main() -> None:
    for name, (path, state) in PICTURES.items():
        explorer = explore(path, **state)
        explorer.update()
        (FOLDER / f"{name}.png").write_bytes(explorer.still())


if __name__ == "__main__":
    main()
