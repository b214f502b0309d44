"""The downloads against a local server that misbehaves in every way a network can.

After each test the cache holds nothing but intact files, pieces named .part and the lock.
"""

import gzip
import hashlib
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlib.data import DownloadError, downloaded, fashion_mnist, mnist
from nnlib.data import fetch as fetch_module
from nnlib.data.downloaded import Collection
from nnlib.data.fetch import CHUNK, RemoteFile, cache_dir, fetch
from nnlib.data.idx import TYPES, parse_idx, read_idx

CONTENT = np.random.default_rng(0).bytes(5 * CHUNK + 1000)  # several chunks, the last one short
FILE = RemoteFile("set.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


# ------------------------------------------------------------------------------------------ the server


class Server(ThreadingHTTPServer):
    """Answers by `routes`, path -> function(handler), and remembers what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes, self.asked = {}, []

    def url(self, mirror="a"):
        return f"http://127.0.0.1:{self.server_port}/{mirror}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        answer = self.server.routes.get(self.path)
        if answer is None:
            self.send_error(404)
        else:
            answer(self)

    def log_message(self, *args):
        """The tests look at `asked` instead."""


def serve(content=CONTENT, ranges=True, cut=(), length=True, wait=None):
    """Send `content`; the i-th answer ends after cut[i] bytes although more were announced."""
    cuts = iter(cut)

    def answer(handler):
        asked = handler.headers.get("Range") if ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        handler.send_response(206 if asked else 200)
        if asked:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if length:
            handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        with suppress(OSError):  # the reader may hang up
            handler.wfile.write(content[start:][: next(cuts, None)])
        if wait:
            wait()

    return answer


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    """A cache folder, looked through at the end."""
    folder = tmp_path / "cache" / "set"
    yield folder
    for path in folder.glob("*"):
        assert path.suffix == ".part" or path.name == ".lock" or path.read_bytes() == CONTENT, path


def get(server, folder, *mirrors):
    return fetch(FILE, [server.url(m) for m in mirrors or "a"], folder, progress=False)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


# --------------------------------------------------------------------------------------- good and bad


def test_a_good_file_is_fetched_once(server, folder):
    server.routes["/a/set.bin"] = serve()
    assert get(server, folder).read_bytes() == CONTENT
    assert get(server, folder) == folder / "set.bin"
    assert server.asked == [("/a/set.bin", None)]
    assert names(folder) == ["set.bin"]


def test_a_server_that_announces_no_length(server, folder):
    server.routes["/a/set.bin"] = serve(length=False)
    assert get(server, folder).read_bytes() == CONTENT


def test_an_intact_cache_may_be_read_only(server, folder):
    folder.mkdir(parents=True)
    (folder / "set.bin").write_bytes(CONTENT)
    get(server, folder)
    assert not server.asked and not (folder / ".lock").exists()


@pytest.mark.parametrize("cut", [1, CHUNK, CHUNK + 1, FILE.size - 1])
def test_a_cut_connection_is_resumed(server, folder, cut):
    server.routes["/a/set.bin"] = serve(cut=[cut])
    assert get(server, folder).read_bytes() == CONTENT
    assert server.asked == [("/a/set.bin", None), ("/a/set.bin", f"bytes={cut}-")]
    assert names(folder) == ["set.bin"]


def test_several_cuts_in_a_row(server, folder):
    server.routes["/a/set.bin"] = serve(cut=[1000, 1000, 1000])
    assert get(server, folder).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=1000-", "bytes=2000-", "bytes=3000-"]


def test_a_second_mirror_continues_where_the_first_ended(server, folder):
    server.routes["/a/set.bin"] = serve(cut=[500] + [0] * 9)
    server.routes["/b/set.bin"] = serve()
    assert get(server, folder, "a", "b").read_bytes() == CONTENT
    assert server.asked[-1] == ("/b/set.bin", "bytes=500-")


def test_a_later_call_continues_too(server, folder):
    server.routes["/a/set.bin"] = serve(cut=[500] + [0] * 9)
    with pytest.raises(DownloadError, match="ended after 500 of 328,680 bytes"):
        get(server, folder)
    assert names(folder) == ["set.bin.part"]
    server.routes["/a/set.bin"] = serve()
    assert get(server, folder).read_bytes() == CONTENT
    assert server.asked[-1] == ("/a/set.bin", "bytes=500-")


def test_a_server_that_ignores_range_starts_over(server, folder):
    server.routes["/a/set.bin"] = serve(ranges=False, cut=[500])
    assert get(server, folder).read_bytes() == CONTENT
    assert server.asked == [("/a/set.bin", None), ("/a/set.bin", "bytes=500-")]


def test_a_connection_that_never_lasts_is_given_up(server, folder):
    server.routes["/a/set.bin"] = serve(cut=[1] * 100)
    with pytest.raises(DownloadError, match=f"ended after {fetch_module.TRIES} of"):
        get(server, folder)
    assert len(server.asked) == fetch_module.TRIES


def test_a_silent_server_times_out(server, folder, monkeypatch):
    real, done, was_done = fetch_module.urlopen, threading.Event(), []

    def impatient(request, timeout):  # with the silent one alone: the other may run on a busy machine
        return real(request, timeout=timeout / 200 if "/a/" in request.full_url else timeout)

    monkeypatch.setattr(fetch_module, "urlopen", impatient)
    server.routes["/a/set.bin"] = lambda handler: was_done.append(done.wait(30))
    server.routes["/b/set.bin"] = serve()
    assert get(server, folder, "a", "b").read_bytes() == CONTENT
    done.set()
    wait_until(lambda: was_done == [True])  # False: the server spoke first, after its 30 seconds


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("wrong", [CONTENT[:-7], CONTENT + b"more", b"<html>Please log in</html>", b""])
def test_a_file_of_another_length_is_refused(server, folder, wrong, length):
    server.routes["/a/set.bin"] = serve(wrong, length=length)
    with pytest.raises(DownloadError, match="expected|ended after"):
        get(server, folder)
    assert names(folder) == [] if length else "set.bin" not in names(folder)
    server.routes["/b/set.bin"] = serve()
    assert get(server, folder, "a", "b").read_bytes() == CONTENT


def test_an_endless_answer_is_cut_off(server, folder):
    sent = []

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):  # the reader hangs up
            while len(sent) < 2000:  # 131 MB for a file of 329 kB
                sent.append(handler.wfile.write(bytes(CHUNK)))

    server.routes["/a/set.bin"] = answer
    with pytest.raises(DownloadError, match="sent something else"):
        get(server, folder)
    assert names(folder) == [] and len(sent) < 1000


def damaged():
    return CONTENT[:1000] + bytes([CONTENT[1000] ^ 1]) + CONTENT[1001:]


def test_a_corrupted_file_is_refused(server, folder):
    server.routes["/a/set.bin"] = serve(damaged())
    with pytest.raises(DownloadError, match=f"something else: its SHA-256 is .*; expected {FILE.sha256}"):
        get(server, folder)
    assert len(server.asked) == 1 and names(folder) == []


def test_after_a_corrupted_file_the_next_mirror_is_asked(server, folder):
    server.routes["/a/set.bin"] = serve(damaged())
    server.routes["/b/set.bin"] = serve()
    assert get(server, folder, "a", "b").read_bytes() == CONTENT
    assert server.asked == [("/a/set.bin", None), ("/b/set.bin", None)]


@pytest.mark.parametrize("size", [1, 5000, FILE.size - 1, FILE.size, FILE.size + 1])
def test_a_piece_that_does_not_belong_to_the_file(server, folder, size):
    folder.mkdir(parents=True)
    (folder / "set.bin.part").write_bytes(bytes(size))
    server.routes["/a/set.bin"] = serve()
    assert get(server, folder).read_bytes() == CONTENT
    assert server.asked[-1] == ("/a/set.bin", None)


def test_a_complete_piece_needs_only_its_name(server, folder):
    folder.mkdir(parents=True)
    (folder / "set.bin.part").write_bytes(CONTENT)
    assert get(server, folder).read_bytes() == CONTENT
    assert not server.asked and names(folder) == ["set.bin"]


@pytest.mark.parametrize("found", [damaged(), CONTENT[:100], b""])
def test_a_damaged_cache_is_repaired(server, folder, found):
    folder.mkdir(parents=True)
    (folder / "set.bin").write_bytes(found)
    server.routes["/a/set.bin"] = serve()
    assert get(server, folder).read_bytes() == CONTENT


def test_missing_on_the_first_mirror(server, folder):
    server.routes["/b/set.bin"] = serve()
    assert get(server, folder, "a", "b").read_bytes() == CONTENT
    assert server.asked == [("/a/set.bin", None), ("/b/set.bin", None)]


def test_missing_everywhere(server, folder):
    with pytest.raises(DownloadError) as caught:
        get(server, folder, "a", "b")
    lines = str(caught.value).splitlines()
    assert lines[0] == "set.bin could not be downloaded:"
    assert [line.split(": ", 1)[1] for line in lines[1:]] == ["HTTP Error 404: Not Found"] * 2
    assert names(folder) == []


def test_no_server_at_all(folder, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as gone:
        url = gone.url()
    with pytest.raises(DownloadError, match="refused"):
        fetch(FILE, [url], folder, progress=False)
    assert names(folder) == []


def test_the_bar_counts_every_byte(server, folder, capsys):
    server.routes["/a/set.bin"] = serve(cut=[CHUNK])
    fetch(FILE, [server.url()], folder)
    shown = capsys.readouterr().err
    assert "set.bin" in shown and "329k/329k" in shown


def test_without_a_bar_nothing_is_printed(server, folder, capsys):
    server.routes["/a/set.bin"] = serve()
    get(server, folder)
    assert capsys.readouterr() == ("", "")


# -------------------------------------------------------------------------------- several processes

CHILD = """
import sys
from pathlib import Path
from nnlib.data.fetch import RemoteFile, fetch
name, size, sha256, url, folder, ready = sys.argv[1:]
Path(ready).touch()
fetch(RemoteFile(name, int(size), sha256), [url], Path(folder), progress=False)
"""


@contextmanager
def child(server, folder, ready):
    arguments = [FILE.name, str(FILE.size), FILE.sha256, server.url(), str(folder), str(ready)]
    process = subprocess.Popen([sys.executable, "-c", CHILD, *arguments])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited 30 seconds"
        time.sleep(0.01)


def test_two_processes_share_one_download(server, folder, tmp_path):
    ready = [tmp_path / "ready-0", tmp_path / "ready-1"]

    def until_both_are_there():
        wait_until(lambda: all(path.exists() for path in ready))
        time.sleep(0.2)  # the second one now waits for the lock

    server.routes["/a/set.bin"] = serve(cut=[1000], wait=until_both_are_there)
    with child(server, folder, ready[0]) as first, child(server, folder, ready[1]) as second:
        assert first.wait(30) == 0 and second.wait(30) == 0
    assert (folder / "set.bin").read_bytes() == CONTENT and names(folder) == ["set.bin"]
    assert server.asked == [("/a/set.bin", None), ("/a/set.bin", "bytes=1000-")]


def test_what_a_killed_process_fetched_is_used(server, folder, tmp_path):
    dead = threading.Event()
    server.routes["/a/set.bin"] = serve(cut=[2 * CHUNK], wait=lambda: dead.wait(30))
    part = folder / "set.bin.part"
    with child(server, folder, tmp_path / "ready") as process:
        wait_until(lambda: part.exists() and part.stat().st_size >= CHUNK)
        os.kill(process.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        process.wait(30)
    dead.set()
    kept = part.stat().st_size
    server.routes["/a/set.bin"] = serve()
    assert get(server, folder).read_bytes() == CONTENT
    assert server.asked[-1] == ("/a/set.bin", f"bytes={kept}-")


# ------------------------------------------------------------------------------------- the collections


def idx(array, code=0x08):
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(TYPES[code]).tobytes()


@pytest.fixture
def tiny(server, monkeypatch, tmp_path):
    """A collection like MNIST, 7 + 3 images of 2 x 2 pixels, on the local server."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (7, 2, 2)),
        rng.integers(0, 10, 7),
        rng.integers(0, 256, (3, 2, 2)),
        rng.integers(0, 10, 3),
    ]
    files = []
    for original, array in zip(downloaded.MNIST.files, arrays):
        content = gzip.compress(idx(array), mtime=0)
        files.append(RemoteFile(original.name, len(content), hashlib.sha256(content).hexdigest()))
        server.routes[f"/tiny/{original.name}"] = serve(content)
    monkeypatch.setenv("NNLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloaded, "MNIST", Collection("tiny", (server.url("tiny"),), tuple(files)))
    return arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_collection_becomes_a_split(tiny, server, tmp_path, dtype):
    images_train, labels_train, images_test, labels_test = tiny
    for _ in range(2):
        split = mnist(dtype, progress=False)
        assert split.x_train.dtype == split.x_test.dtype == dtype
        assert np.array_equal(split.x_train, images_train.reshape(7, 4).astype(dtype) / dtype(255))
        assert np.array_equal(split.x_test, images_test.reshape(3, 4).astype(dtype) / dtype(255))
        assert np.array_equal(split.y_train, labels_train) and split.y_train.dtype == np.int64
        assert np.array_equal(split.y_test, labels_test) and split.y_test.dtype == np.int64
    assert len(server.asked) == 4
    assert names(tmp_path / "cache" / "tiny") == sorted(file.name for file in downloaded.MNIST.files)


def test_without_a_network_the_error_says_what_to_do(tiny, server, tmp_path):
    server.routes.clear()
    with pytest.raises(DownloadError) as caught:
        mnist(progress=False)
    message = str(caught.value)
    assert "HTTP Error 404" in message and str(tmp_path / "cache" / "tiny") in message
    assert "NNLIB_CACHE" in message and "digits()" in message
    for file in downloaded.MNIST.files:
        assert f"{file.name}   {file.size:,} bytes, SHA-256 {file.sha256}" in message


def test_a_cache_that_cannot_be_written_is_explained(tiny, tmp_path):
    (tmp_path / "cache").write_text("a file in the place of the folder")
    with pytest.raises(DownloadError) as caught:
        mnist(progress=False)
    assert str(tmp_path / "cache") in str(caught.value) and "NNLIB_CACHE" in str(caught.value)


def test_files_put_there_by_hand_are_enough(tiny, server, tmp_path):
    mnist(progress=False)
    server.routes.clear()
    assert mnist(progress=False).x_train.shape == (7, 4)


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_a_wrong_type_is_refused_before_any_download(load, monkeypatch):
    monkeypatch.setattr(downloaded, "fetch", lambda *args: pytest.fail("asked the network"))
    with pytest.raises(TypeError, match="dtype is int64; expected a float type"):
        load(dtype=np.int64)


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("NNLIB_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for unset in ("", None):
        monkeypatch.delenv("NNLIB_CACHE") if unset is None else monkeypatch.setenv("NNLIB_CACHE", unset)
        assert cache_dir() == tmp_path / ".cache" / "nnlib"


@pytest.mark.parametrize("collection", [downloaded.MNIST, downloaded.FASHION_MNIST], ids=lambda c: c.name)
def test_the_collections_are_well_formed(collection):
    assert len(collection.mirrors) >= 2 and all(mirror.endswith("/") for mirror in collection.mirrors)
    assert len({file.sha256 for file in collection.files}) == 4
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in collection.files)


# ---------------------------------------------------------------------------------------------- IDX


codes = st.sampled_from(sorted(TYPES))
shapes = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)


@given(codes, shapes, st.integers(0, 2**32 - 1))
def test_idx_gives_back_what_was_written(code, shape, seed):
    native = np.dtype(TYPES[code]).newbyteorder("=")
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(native)
    read = parse_idx(idx(array, code))
    assert read.dtype == array.dtype and read.flags.writeable
    assert np.array_equal(read, array) and read.shape == shape


@given(codes, shapes, st.data())
def test_idx_of_any_other_length_is_refused(code, shape, data):
    content = idx(np.zeros(shape), code)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ValueError, match="starts with|ends within the header|needs"):
        parse_idx(content[:cut])
    with pytest.raises(ValueError, match="needs"):
        parse_idx(content + b"\0")


def test_idx_huge_sizes_allocate_nothing():
    with pytest.raises(ValueError, match="needs 18,446,744,065,119,617,037"):
        parse_idx(struct.pack(">HBB2I", 0, 0x08, 2, 2**32 - 1, 2**32 - 1))


@pytest.mark.parametrize("start", [b"\x80\x04\x95\x00", b"\0\1\x08\1", b"\0\0\x0a\1", b"\0\0", b""])
def test_idx_must_start_like_idx(start):
    with pytest.raises(ValueError, match="starts with the bytes"):
        parse_idx(start + bytes(100) if len(start) == 4 else start)


def test_idx_errors_name_the_file(tmp_path):
    good = idx(np.arange(6).reshape(2, 3))
    for name, content in {
        "short": good[:-1],
        "plain.gz": good,
        "short.gz": gzip.compress(good)[:-9],
        "damaged.gz": gzip.compress(bytes(1000))[:20] + b"\xff" * 20,
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            read_idx(tmp_path / name)
    (tmp_path / "good").write_bytes(good)
    (tmp_path / "good.gz").write_bytes(gzip.compress(good))
    assert np.array_equal(read_idx(tmp_path / "good"), read_idx(tmp_path / "good.gz"))
