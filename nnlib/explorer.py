"""Explorers: declare some controls, a pure `compute` and a `draw`; turning a control redraws the picture.

    def learning_rate():
        def compute(lr, seed):                  # pure: the same values give the same result
            return {"losses": …}

        def setup(fig):                         # axes, labels and every artist that will move
            ax = axes(fig)
            return {"loss": ax.plot([], [])[0]}

        def draw(artists, result):              # only moves the artists of `setup`
            artists["loss"].set_data(…)

        return Explorer("The learning rate", dict(lr=LogSlider(1e-3, 10, 0.1, "learning rate"), seed=Seed()),
                        setup, draw, compute=compute)

What takes longer than a drag allows is written as a generator `train(**values)` that yields (progress,
result) every few milliseconds; the explorer then gets a Train and a Stop button.
"""

from __future__ import annotations

import asyncio
import html
import inspect
import io
import math
import string
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from nnlib import core, figures

live: weakref.WeakSet[Explorer] = (
    weakref.WeakSet()
)  # every explorer of this kernel, for tests that sweep them


# ------------------------------------------------------------------------------------------------ controls


def _step(low: float, value: float, step: float) -> float:
    """The step nearest to `step` on which `value` stands: a front end moves what lies between two steps."""
    count = round((value - low) / step)
    on_a_step = math.isclose(low + count * step, value, rel_tol=1e-9, abs_tol=1e-9)
    return step if on_a_step else (value - low) / max(count, 1)


@dataclass(frozen=True)
class Slider:
    """A number between low and high."""

    low: float
    high: float
    value: float
    label: str
    step: float = 0.0
    format: str = ".2f"

    def widget(self, value: Any) -> Any:
        import ipywidgets as w

        step = _step(self.low, value, self.step or (self.high - self.low) / 100)
        return w.FloatSlider(value, min=self.low, max=self.high, step=step, readout_format=self.format)

    def accept(self, value: Any) -> Any:
        """The value as this control would give it, or an error that says what was expected."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"{self.label} is {value!r}; expected a number from {self.low} to {self.high}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.label} is {value}; expected a number from {self.low} to {self.high}")
        return float(value)

    def sweep(self) -> list[Any]:
        """Values over the whole range, both ends among them."""
        return [float(v) for v in np.linspace(self.low, self.high, 7)]

    def message(self, value: Any) -> dict[str, Any]:
        """The state a front end sends when the control moves to `value`."""
        return {"value": value}


@dataclass(frozen=True)
class LogSlider(Slider):
    """A positive number whose exponent is dragged: every step multiplies."""

    format: str = ".3g"

    def widget(self, value: Any) -> Any:
        import ipywidgets as w

        low, high = np.log10(self.low), np.log10(self.high)
        step = _step(low, np.log10(value), self.step or (high - low) / 80)
        return w.FloatLogSlider(value, min=low, max=high, step=step, readout_format=self.format)

    def accept(self, value: Any) -> Any:
        """A widget computes its ends as powers: those a rounding outside of the range are the range's own."""
        for end in (self.low, self.high):
            if isinstance(value, float) and math.isclose(value, end, rel_tol=1e-12):
                value = end
        return super().accept(value)

    def sweep(self) -> list[Any]:
        return [float(v) for v in np.geomspace(self.low, self.high, 7)]


@dataclass(frozen=True)
class IntSlider(Slider):
    """A whole number from low to high."""

    format: str = "d"

    def widget(self, value: Any) -> Any:
        import ipywidgets as w

        step = math.gcd(int(self.step or 1), int(value - self.low))
        return w.IntSlider(value, min=self.low, max=self.high, step=step, readout_format=self.format)

    def accept(self, value: Any) -> Any:
        number = super().accept(value)
        if number != int(number):
            raise ValueError(f"{self.label} is {value}; expected a whole number")
        return int(number)

    def sweep(self) -> list[Any]:
        step = int(self.step or 1)
        values = np.linspace(self.low, self.high, 7)
        return sorted({int(self.low + step * ((v - self.low) // step)) for v in values} | {int(self.high)})


@dataclass(frozen=True)
class Steps(IntSlider):
    """A count that a Step button raises by one: one update per click."""


def Seed(high: int = 19) -> IntSlider:
    """The seed of everything random in the explorer."""
    return IntSlider(0, high, 0, "seed")


@dataclass(frozen=True)
class Choice:
    """One of a few named options."""

    options: tuple[Any, ...]
    value: Any
    label: str

    def widget(self, value: Any) -> Any:
        import ipywidgets as w

        return w.Dropdown(options=self.options, value=value)

    def accept(self, value: Any) -> Any:
        if value not in self.options:
            raise ValueError(
                f"{self.label} is {value!r}; expected one of {', '.join(map(repr, self.options))}"
            )
        return value

    def sweep(self) -> list[Any]:
        return list(self.options)

    def message(self, value: Any) -> dict[str, Any]:
        return {"index": self.options.index(value)}


@dataclass(frozen=True)
class Toggle:
    """On or off."""

    value: bool
    label: str

    def widget(self, value: Any) -> Any:
        import ipywidgets as w

        return w.ToggleButton(value, description=self.label, layout={"width": "auto"})

    def accept(self, value: Any) -> Any:
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{self.label} is {value!r}; expected True or False")
        return bool(value)

    def sweep(self) -> list[Any]:
        return [False, True]

    def message(self, value: Any) -> dict[str, Any]:
        return {"value": value}


@dataclass(frozen=True)
class Text:
    """A line of text, which counts once Enter is pressed; `check` raises ValueError for what it refuses."""

    value: str
    label: str
    check: Callable[[str], Any]
    samples: tuple[str, ...]  # more texts that are accepted, each with a picture of its own

    def widget(self, value: Any) -> Any:
        import ipywidgets as w

        return w.Text(value, continuous_update=False)

    def accept(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"{self.label} is {value!r}; expected text")
        try:
            self.check(value)
        except ValueError as error:
            raise ValueError(f"{self.label}: {error}") from None
        return value

    def sweep(self) -> list[Any]:
        return [self.value, *self.samples]

    def message(self, value: Any) -> dict[str, Any]:
        return {"value": value}


@dataclass(frozen=True)
class Goal:
    """Something to reach by turning the controls: `met(values, result)` says whether it is reached."""

    text: str
    met: Callable[[dict[str, Any], Any], bool]


def _width(control: Any) -> str:
    """A slider is as wide as its label, and room to move."""
    slider = f"{max(320, 200 + 7 * len(control.label))}px"
    return {Choice: "auto", Text: "100%"}.get(type(control), slider)


# ------------------------------------------------------------------------------------------------ canvas


class Canvas:
    """One persistent Agg figure: the still part is drawn once, the moving artists over it each time."""

    def __init__(self, size: tuple[float, float], setup: Callable, dpi: int = 110):
        self.figure = figures.figure(size)
        self.figure.set_dpi(dpi)
        with figures.mpl.style.context(figures.STYLE):
            self.artists = setup(self.figure)
        self.canvas = FigureCanvasAgg(self.figure)
        self.moving = sorted(_flatten(self.artists), key=lambda a: a.get_zorder())
        for artist in self.moving:
            artist.set_animated(True)
        self.canvas.draw()
        self.figure.set_layout_engine("none")  # the layout is found once, from what setup drew: nothing jumps
        self._keep()

    def _keep(self) -> None:
        self._still, self._key = self.canvas.copy_from_bbox(self.figure.bbox), self._looks()

    def _looks(self) -> list[Any]:
        return [
            (ax.get_xlim(), ax.get_ylim(), ax.get_title("left"), ax.get_title()) for ax in self.figure.axes
        ]

    def paint(self) -> Image.Image:
        """The picture as it is now; the still part is redrawn only when limits or titles have changed."""
        if self._looks() != self._key:
            self.canvas.draw()
            self._keep()
        else:
            self.canvas.restore_region(self._still)
        for artist in self.moving:
            (artist.axes or self.figure).draw_artist(artist)
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB")


def _flatten(artists: Any) -> list[Artist]:
    if isinstance(artists, Artist):
        return [artists]
    if isinstance(artists, dict):
        artists = artists.values()
    return [a for part in artists for a in _flatten(part)] if not isinstance(artists, str) else []


def _png(image: Image.Image, small: bool = False) -> bytes:
    """PNG bytes: quick ones for the screen, small ones for a stored notebook."""
    buffer = io.BytesIO()
    if small:
        image.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            buffer, "png", optimize=True
        )
    else:
        image.save(buffer, "png", compress_level=1)
    return buffer.getvalue()


# ---------------------------------------------------------------------------------------------- explorer


class Explorer:
    """Controls, a pure computation and a drawing, joined to a live picture.

    `compute(**values)` gives a result at once; `train(**values)` yields (progress, result) and runs behind
    a Train button, its first result being the untrained state. `note(values, result)` is a line of text
    under the picture. `idle(values)` names the controls that change nothing beside these values: they are
    greyed out. `code` maps "numpy" and "torch" to programs in which $name stands for a control's value and
    which end by assigning `answer`; `answer(result)` is the same number from the explorer.
    """

    def __init__(
        self,
        title: str,
        controls: dict[str, Any],
        setup: Callable[[Any], Any],
        draw: Callable[[Any, Any], None],
        *,
        compute: Callable[..., Any] | None = None,
        train: Callable[..., Iterator[tuple[float, Any]]] | None = None,
        size: tuple[float, float] = figures.WIDE,
        note: Callable[[dict[str, Any], Any], str] | None = None,
        idle: Callable[[dict[str, Any]], Collection[str]] | None = None,
        goal: Goal | None = None,
        code: dict[str, str] | None = None,
        answer: Callable[[Any], float] | None = None,
    ):
        if (compute is None) == (train is None):
            raise ValueError(f"explorer {title!r}: expected either compute or train")
        self.title, self.controls, self.goal, self.size = title, controls, goal, size
        self._compute, self._generator, self._draw, self._note = compute, train, draw, note
        self._programs, self._answer, self._idle = code or {}, answer, idle
        self._origin = {name: control.accept(control.value) for name, control in controls.items()}
        self.values = dict(self._origin)
        self.result: Any = None
        self._canvas = Canvas(size, setup)
        self._lock = threading.RLock()
        self._busy, self._dirty, self._resetting = threading.Lock(), False, False
        self._widgets: dict[str, Any] | None = None
        self._task: Any = None
        live.add(self)

    # -- values in, picture out

    def state(self) -> dict[str, Any]:
        """A plain dict that reproduces what is on the screen: explore(path, **state)."""
        return dict(self.values)

    def idle(self) -> set[str]:
        """The controls that change nothing at present."""
        return set(self._idle(self.values)) if self._idle else set()

    def accept(self, **changes: Any) -> dict[str, Any]:
        """The changes as the controls would give them; unknown names and values out of range are refused."""
        if unknown := set(changes) - set(self.controls):
            raise ValueError(f"{self.title}: no control {sorted(unknown)}; expected {sorted(self.controls)}")
        return {name: self.controls[name].accept(value) for name, value in changes.items()}

    def update(self, **changes: Any) -> bytes:
        """Change some values, compute and draw; returns the picture as PNG."""
        self.stop()
        with self._lock:
            values = {**self.values, **self.accept(**changes)}
            result = self._first(values)
            image = self._paint(result)
            self.values, self.result = values, result
            return _png(image)

    def finish(self) -> bytes:
        """Train to the end without a screen; returns the last picture as PNG."""
        self.stop()
        with self._lock:
            for _, result in self._steps(self.values):
                self.result = result
            return _png(self._paint(self.result))

    def answer(self) -> float:
        """The number that `code()` computes as well."""
        if self._answer is None:
            raise ValueError(f"{self.title}: this explorer declares no answer")
        with np.errstate(all="ignore"):
            return float(self._answer(self.result))

    def code(self, version: str = "") -> str:
        """The program behind the picture, with the present values: "numpy", "torch" or both."""
        if version:
            if version not in self._programs:
                raise ValueError(f"version is {version!r}; expected one of {sorted(self._programs)}")
            values = {name: repr(value) for name, value in self.values.items()}
            return string.Template(self._programs[version]).substitute(values).strip() + "\n"
        names = {"numpy": "NumPy", "torch": "PyTorch"}
        return "\n\n".join(f"# {names[v]}\n{self.code(v)}" for v in self._programs)

    def _first(self, values: dict[str, Any]) -> Any:
        with np.errstate(all="ignore"):  # divergence is a result here: it is drawn, not warned about
            return self._compute(**values) if self._compute else next(iter(self._generator(**values)))[1]

    def _steps(self, values: dict[str, Any]) -> Iterator[tuple[float, Any]]:
        if self._generator is None:
            yield 1.0, self._first(values)
            return
        steps = self._generator(**values)
        while True:
            with np.errstate(all="ignore"):
                step = next(steps, None)
            if step is None:
                return
            yield step

    def _paint(self, result: Any) -> Image.Image:
        with np.errstate(all="ignore"):
            self._draw(self._canvas.artists, result)
        return self._canvas.paint()

    # -- on the screen

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The live widget, and for pages without a kernel the picture of the present state."""
        import base64

        bundle = {"text/plain": repr(self), "image/png": base64.b64encode(self.still()).decode()}
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget().model_id}
        return bundle | {"application/vnd.jupyter.widget-view+json": view}

    def still(self) -> bytes:
        """The picture of the present state as a small PNG; what trains by a button is trained to the end."""
        with self._lock:
            if self.result is None:
                self.finish() if self._generator else self.update()
            return _png(self._paint(self.result), small=True)

    def __repr__(self) -> str:
        settings = ", ".join(f"{c.label} = {_text(self.values[n])}" for n, c in self.controls.items())
        return f"Explorer: {self.title} ({settings})"

    def widget(self) -> Any:
        """The controls, the picture and the line under it, as one ipywidget."""
        if self._widgets is None:
            self._widgets = self._build()
            if self.result is not None:
                self._show_result()
        return self._widgets["box"]

    def _build(self) -> dict[str, Any]:
        import ipywidgets as w

        width, height = (round(inches * self._canvas.figure.dpi) for inches in self.size)
        controls: dict[str, Any] = {}
        rows: list[Any] = []
        for name, control in self.controls.items():
            widget = control.widget(self.values[name])
            widget.style.description_width = "initial"
            widget.observe(lambda change, name=name: self._turned(name, change["new"]), names="value")
            controls[name] = widget
            if isinstance(control, Toggle):
                rows.append(widget)
                continue
            widget.description = control.label
            widget.layout.width = _width(control)
            rows.append(w.HBox([widget, self._step_button(widget)]) if isinstance(control, Steps) else widget)
        buttons = [self._button("Reset", "back to the start", self.reset)]
        progress = w.FloatProgress(0, min=0, max=1, layout={"width": "160px"})
        if self._generator:
            start = self._button("Train", "train with these settings", self.start)
            start.button_style = "primary"
            buttons = [start, self._button("Stop", "stop at once", self.stop), *buttons, progress]
        program = w.HTML(layout={"display": "none"})
        if self._programs:
            buttons.append(self._button("Code", "the same in NumPy and PyTorch", self._toggle_code))
        picture = w.Image(
            format="png", layout={"width": f"{width}px", "height": f"{height}px", "max_width": "100%"}
        )
        picture.layout.object_fit = "contain"
        wrap = w.Layout(display="flex", flex_flow="row wrap", align_items="center", grid_gap="2px 16px")
        note, error = w.HTML(), w.HTML()
        box = w.VBox([w.Box(rows, layout=wrap), w.Box(buttons, layout=wrap), error, picture, note, program])
        box.add_class("nnlib-explorer")
        return dict(
            box=box,
            picture=picture,
            note=note,
            error=error,
            progress=progress,
            program=program,
            **{"controls": controls},
        )

    @staticmethod
    def _button(text: str, tip: str, action: Callable[[], None]) -> Any:
        import ipywidgets as w

        button = w.Button(description=text, tooltip=tip, layout={"width": "auto"})
        button.on_click(lambda _: action())
        return button

    def _step_button(self, slider: Any) -> Any:
        def step() -> None:
            slider.value = min(slider.value + 1, slider.max)

        return self._button("Step", "one more", step)

    def _turned(self, name: str, value: Any) -> None:
        """A control moved. While an update runs, further moves only mark it stale: the newest one wins."""
        if self._resetting:
            return
        try:
            value = self.controls[name].accept(value)
        except (TypeError, ValueError) as error:
            self._complain(error)
            return
        if isinstance(value, float) and math.isclose(value, self.values[name], rel_tol=1e-9, abs_tol=1e-12):
            return  # nobody moved it: a front end has computed the place of its handle
        self.stop()
        self.values[name] = value
        self._dirty = True
        while self._dirty and self._busy.acquire(blocking=False):
            try:
                self._dirty = False
                self._refresh()
            finally:
                self._busy.release()

    def _refresh(self) -> None:
        started = time.perf_counter()
        try:
            with self._lock:
                self._widgets["progress"].value = 0
                result = self._first(self.values)
                image, self.result = self._paint(result), result
            self._show(image, time.perf_counter() - started)
        except Exception as error:  # whatever went wrong belongs on the page: prints in callbacks are lost
            self._complain(error)

    def _show(self, image: Image.Image, seconds: float | None = None) -> None:
        if self._widgets is None:
            return
        parts = [html.escape(self._note(self.values, self.result))] if self._note else []
        if self.goal:
            met = self.goal.met(self.values, self.result)
            parts.append(f"<b>Goal{' met ✓' if met else ''}:</b> {html.escape(self.goal.text)}")
        if seconds is not None:
            parts.append(f"<span style='opacity:.6'>{1000 * seconds:.0f} ms</span>")
        with self._widgets["picture"].hold_sync():
            self._widgets["picture"].value = _png(image)
        idle = self.idle()
        for name, control in self._widgets["controls"].items():
            control.disabled = name in idle
        self._widgets["note"].value = " &nbsp;·&nbsp; ".join(parts)
        self._widgets["error"].value = ""
        if self._widgets["program"].layout.display != "none":
            self._write_code()

    def _show_result(self) -> None:
        with self._lock:
            image = self._paint(self.result)
        self._show(image)

    def _complain(self, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)
        line = f" (line {where[-1].lineno} of {where[-1].name})" if where else ""
        text = f"{type(error).__name__}: {error}{line}"
        if self._widgets is not None:
            self._widgets[
                "error"
            ].value = f"<pre style='color:#b00020;white-space:pre-wrap'>{html.escape(text)}</pre>"

    def _toggle_code(self) -> None:
        layout = self._widgets["program"].layout
        layout.display = "none" if layout.display != "none" else "block"
        self._write_code()

    def _write_code(self) -> None:
        self._widgets["program"].value = f"<pre>{html.escape(self.code())}</pre>"

    def reset(self) -> None:
        """Every control back to where it started."""
        self.stop()
        self.values = dict(self._origin)
        if self._widgets is None:
            self.update()
            return
        self._resetting = True  # one refresh for all controls, not one each
        try:
            for name, widget in self._widgets["controls"].items():
                widget.value = self.values[name]
        finally:
            self._resetting = False
        self._refresh()

    # -- live training

    def start(self) -> None:
        """Train in the background of the kernel: sliders, Stop and other cells answer meanwhile."""
        self.stop()
        self.widget()  # where its errors are shown
        self._task = asyncio.get_running_loop().create_task(self._train())

    def stop(self) -> None:
        """Stop training; the last picture stays."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    @property
    def training(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _train(self) -> None:
        me, painted = asyncio.current_task(), 0.0
        try:
            for progress, result in self._steps(dict(self.values)):
                with self._lock:
                    if self._task is not me:  # stopped by a cell, which runs in another thread
                        return
                    self.result = result
                    self._widgets["progress"].value = progress
                    if time.perf_counter() - painted > 0.03:  # about 30 pictures a second
                        self._show_result()
                        painted = time.perf_counter()
                await asyncio.sleep(0.001)  # the kernel's turn: this is what lets Stop work at once
            self._show_result()
            self._widgets["progress"].value = 1
        except Exception as error:
            self._complain(error)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# --------------------------------------------------------------------------------------------- discovery


def explorers() -> Iterator[tuple[str, Callable[[], Explorer]]]:
    """Every explorer of every concept: its path and the function, without arguments, that makes it."""
    from importlib.util import find_spec

    for concept in core.concepts():
        if find_spec(f"nnlib.{concept}.explorers"):
            for name, make in core.public(core.load(concept, "explorers")).items():
                if not inspect.signature(make).parameters:
                    yield f"{concept}.{name}", make


def explore(path: str, **state: Any) -> Explorer:
    """Show an explorer: explore("descent.learning_rate"); values from `state()` are where it starts."""
    explorer = core.find(path, "explorers")()
    for earlier in list(live):  # the cell was run again: what it showed before must not train on unseen
        if earlier is not explorer and earlier.title == explorer.title:
            earlier.stop()
    explorer._origin.update(explorer.accept(**state))
    explorer.values = dict(explorer._origin)
    if state and explorer._compute:
        explorer.update()
    return explorer
