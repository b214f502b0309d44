"""A real JupyterLab in a real Chromium.

A test asks for `page`, a fresh tab, and for `lab`, the server with a copy of notebooks/ and everything that a
learner does there:

    def test_something(lab, page):
        lab.open_notebook(page, "11_normalization")  # waits until the kernel is ready
        lab.run_all(page)                            # waits until nothing runs; fails on a cell's error
        before = lab.picture(page)                   # of the first explorer; picture(page, 2) of the third
        lab.drag(page, 0, +3)                        # first slider, three steps to the right by arrow key
        after = lab.new_picture(page, before)        # waits for it; fails where nothing changes
        lab.drag_to(page, 0, 1.0)                    # with the mouse, to a fraction of the slider's length
        lab.screenshot(page, "normalization")        # build/screenshots/normalization.png
        lab.latencies(page, 0, 15)                   # ms from key press to new picture, reported at the end

Sliders and pictures are counted from the top of the page. Notebooks of a test's own go to the server with
`lab.add(name, nb)`. Nothing here asserts a time. Mark every test `browser`.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
SETTINGS = {
    "notebook-extension/tracker": '{"windowingMode": "none"}',  # cells out of sight are in the page too
    "docmanager-extension/plugin": '{"autosave": false}',
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}

# The notebook in front: its kernel answers and has nothing to do. A look never waits longer than two seconds.
READY = """() => {
    const look = async () => {
        const app = window.jupyterapp;
        if (!app) return false;
        await app.restored;
        const widget = app.shell.currentWidget;
        if (!widget || !widget.sessionContext) return false;
        await widget.context.ready;
        await widget.sessionContext.ready;
        const kernel = widget.sessionContext.session.kernel;
        await kernel.info;
        return kernel.status === 'idle';
    };
    return Promise.race([look(), new Promise(late => setTimeout(late, 2000, false))]);
}"""

IDLE = """() => {
    const widget = window.jupyterapp.shell.currentWidget;
    const waiting = [...document.querySelectorAll('.jp-InputPrompt')].some(p => p.textContent.includes('*'));
    return !waiting && widget.sessionContext.session.kernel.status === 'idle';
}"""

ERRORS = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.flatMap(cell =>
    (cell.toJSON().outputs || [])
        .filter(output => output.output_type === 'error')
        .map(output => `${cell.id}: ${output.ename}: ${output.evalue}`))"""

# A picture's bytes, not its address: the address is new each time, even when nothing changed.
DIGEST = """async image => {
    const bytes = await (await fetch(image.src)).arrayBuffer();
    const hash = await crypto.subtle.digest('SHA-256', bytes);
    return [...new Uint8Array(hash)].map(b => b.toString(16).padStart(2, '0')).join('');
}"""

# From a key press, seen before any handler, to the frame after the new picture was decoded.
STOPWATCH = """image => {
    const watch = window.stopwatch = {pressed: null, times: []};
    addEventListener('keydown', () => { watch.pressed = performance.now(); }, {capture: true});
    image.addEventListener('load', () => {
        const pressed = watch.pressed;
        if (pressed === null) return;
        watch.pressed = null;
        requestAnimationFrame(() => watch.times.push(performance.now() - pressed));
    });
}"""

report: list[str] = []


def pytest_terminal_summary(terminalreporter):
    if report:
        terminalreporter.section("from key press to new picture")
        terminalreporter.write_line("\n".join(report))


class Lab:
    """A running JupyterLab and what a learner does with it."""

    def __init__(self, url: str, root: Path):
        self.url = url
        self.root = root

    def add(self, name: str, nb: nbformat.NotebookNode) -> None:
        """Put a notebook of the test's own beside those of the course; their metadata name its kernel."""
        nbformat.write(nb, self.root / "notebooks" / f"{name}.ipynb")

    def open_notebook(self, page: Page, name: str) -> None:
        """Open notebooks/NAME.ipynb alone in the window and wait until its kernel is ready."""
        page.goto(f"{self.url}/lab/tree/notebooks/{name}.ipynb?reset")
        _until(page, READY, 120)

    def run_all(self, page: Page, seconds: float = 240) -> None:
        """Run All Cells, wait until nothing runs any more, and fail if a cell shows an error."""
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.wait_idle(page, seconds)
        errors = page.evaluate(ERRORS)
        assert not errors, f"{len(errors)} cells end in an error:\n" + "\n".join(errors)

    def wait_idle(self, page: Page, seconds: float = 60) -> None:
        """Wait until no cell runs or waits and the kernel has been idle for three looks in a row."""
        for _ in range(3):
            _until(page, IDLE, seconds)
            page.wait_for_timeout(100)

    def drag(self, page: Page, index: int, steps: int) -> None:
        """Move the slider `index` by `steps` steps (to the left where negative) with the arrow keys."""
        page.locator(".noUi-handle").nth(index).focus()
        for _ in range(abs(steps)):
            page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")

    def drag_to(self, page: Page, index: int, fraction: float, moves: int = 20) -> None:
        """Drag the slider `index` with the mouse to `fraction` of its length, in `moves` moves."""
        handle = page.locator(".noUi-handle").nth(index)
        handle.scroll_into_view_if_needed()
        track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
        grip = handle.bounding_box()
        page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
        page.mouse.down()
        page.mouse.move(track["x"] + fraction * track["width"], track["y"] + track["height"] / 2, steps=moves)
        page.mouse.up()

    def picture(self, page: Page, index: int = 0) -> str:
        """A hash of what the explorer's picture `index` shows."""
        image = page.locator("img.widget-image").nth(index)
        for _ in range(20):
            try:
                return image.evaluate(DIGEST)
            except Exception as error:  # replaced between its address and its bytes: look again
                if "Failed to fetch" not in str(error):
                    raise
                page.wait_for_timeout(20)
        raise AssertionError("the picture never stood still")

    def new_picture(self, page: Page, before: str, index: int = 0, seconds: float = 20) -> str:
        """Wait until the picture `index` differs from `before`, a hash of `picture`; the new hash."""
        end = time.monotonic() + seconds
        while (now := self.picture(page, index)) == before:
            assert time.monotonic() < end, f"picture {index} has not changed in {seconds} s"
            page.wait_for_timeout(20)
        return now

    def latencies(self, page: Page, slider: int, presses: int, index: int = 0, name: str = "") -> list[float]:
        """Milliseconds from each of `presses` key presses on a slider to the new picture on the screen.

        The median goes to the end of the test report under `name`. Leave the slider room to the right.
        """
        page.locator("img.widget-image").nth(index).evaluate(STOPWATCH)
        for seen in range(presses):
            self.drag(page, slider, 1)
            page.wait_for_function("seen => window.stopwatch.times.length > seen", arg=seen, timeout=20_000)
        times = page.evaluate("window.stopwatch.times")
        median, slowest = statistics.median(times), max(times)
        report.append(
            f"{name or page.title()}: median {median:.0f} ms, slowest {slowest:.0f} ms of {presses}"
        )
        return times

    def screenshot(self, page: Page, name: str) -> Path:
        """What the window shows, as build/screenshots/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png")
        return SCREENSHOTS / f"{name}.png"


def _until(page: Page, condition: str, seconds: float) -> None:
    """Wait until `condition`, a JavaScript function that may be asynchronous, returns true."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        if time.monotonic() > end:
            dialog = " ".join(page.locator(".jp-Dialog").all_inner_texts())
            raise AssertionError(f"not reached in {seconds} s: {condition}\n{dialog}")
        page.wait_for_timeout(50)


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Iterator[Lab]:
    """JupyterLab on a free port, with its settings, kernels' files and notebooks in a temporary place."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(
        ROOT / "notebooks", home / "root" / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    for plugin, text in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    folders = {
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTER_DATA_DIR": "data",
        "IPYTHONDIR": "ipython",
    }
    env = (
        os.environ | {"OMP_NUM_THREADS": "1"} | {name: str(home / folder) for name, folder in folders.items()}
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={home / 'root'}"]
    command += ["--IdentityProvider.token=", "--ServerApp.password=", "--LabApp.news_url=None"]
    command += ["--expose-app-in-browser"]
    with open(home / "lab.log", "wb") as log:
        server = subprocess.Popen(command, env=env, cwd=home, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _answering(server, url, home / "lab.log")
        yield Lab(url, home / "root")
    finally:
        server.terminate()  # it ends its kernels
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answering(server: subprocess.Popen, url: str, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/api/status", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")


def chromium() -> str:
    """The path of Chromium, or of Chrome; the environment variable CHROMIUM decides where it is set."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not found:
        pytest.fail(
            "the browser tests need Chromium. Debian: apt-get install chromium. Elsewhere: install "
            "Chromium or Chrome and set the environment variable CHROMIUM to the program's path.",
            pytrace=False,
        )
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium()
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS) as browser:
            yield browser


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A fresh tab, 1400 x 1000, without cookies or history."""
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        page = context.new_page()
        yield page
        page.evaluate(
            "() => window.jupyterapp?.serviceManager.sessions.shutdownAll()"
        )  # kernels outlive their tab
