"""One file from the network: complete and verified, or not there at all.

A file is known by its size and SHA-256, so it does not matter from which mirror it comes, nor in how many
pieces. Bytes collect in `<name>.part`, where the next try picks them up, even after a crash. Only what has
the right checksum gets the name, in one atomic step.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

TRIES = 5  # per mirror, and only as long as a try changes something
TIMEOUT = 20  # seconds without a byte
CHUNK = 1 << 16


class RemoteFile(NamedTuple):
    name: str
    size: int
    sha256: str


class DownloadError(OSError):
    """A file could not be fetched from any mirror."""


def cache_dir() -> Path:
    """Where downloads are kept: `NNLIB_CACHE` if set, else ~/.cache/nnlib."""
    return Path(os.environ.get("NNLIB_CACHE") or "~/.cache/nnlib").expanduser()


def fetch(file: RemoteFile, mirrors: Iterable[str], folder: Path, progress: bool = True) -> Path:
    """The path of `file` in `folder`, downloaded from the first mirror that has it if it is not there yet.

    Parameters
    ----------
    mirrors : addresses of folders, each ending in "/"
    progress : whether to show a bar

    Raises
    ------
    DownloadError : no mirror delivered; says what each one did
    """
    target = folder / file.name
    if is_intact(target, file):  # asked before anything is written: a class may share a read-only folder
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        if not is_intact(target, file):  # another process may have fetched it while this one waited
            part = folder / f"{file.name}.part"
            _download(file, mirrors, part, progress)
            os.replace(part, target)
    return target


def is_intact(path: Path, file: RemoteFile) -> bool:
    return _size(path) == file.size and _sha256(path) == file.sha256


def _download(file, mirrors, part, progress):
    """Fill `part` until it is the file. A try that changed `part` is worth another one at the same mirror."""
    failures = []
    for mirror in mirrors:
        for _ in range(TRIES):
            before = _size(part)
            try:
                if before < file.size:
                    _append(mirror + file.name, file, part, progress)
                return _verify(part, file)
            except (OSError, HTTPException) as error:
                if isinstance(error, HTTPError):
                    error.close()  # it holds the answer's connection
                failure = f"{mirror}{file.name}: {str(error) or type(error).__name__}"
            if _size(part) == before:
                break
        failures.append(failure)
    raise DownloadError("\n".join([f"{file.name} could not be downloaded:", *failures]))


def _append(url, file, part, progress):
    """Ask for the bytes that `part` lacks. A server that ignores the question sends all: then start over."""
    from tqdm.auto import tqdm  # late: most notebooks download nothing

    done = _size(part)
    request = Request(url, headers={"User-Agent": "nnlib"} | ({"Range": f"bytes={done}-"} if done else {}))
    with urlopen(request, timeout=TIMEOUT) as response:
        done = done if response.status == 206 else 0
        announced = response.headers.get("Content-Length")
        if announced and done + int(announced) != file.size:
            raise DownloadError(f"offers {done + int(announced):,} bytes; expected {file.size:,}")
        scale = dict(total=file.size, initial=done, unit="B", unit_scale=True)
        bar = tqdm(desc=file.name, disable=not progress, **scale)
        with bar, open(part, "ab" if done else "wb") as output:
            while done <= file.size and (chunk := response.read(CHUNK)):
                done += output.write(chunk)
                bar.update(len(chunk))


def _verify(part, file):
    """Keep an incomplete `part`, to be resumed; delete one that cannot become the file."""
    size, found = _size(part), _sha256(part)
    if size < file.size:
        raise DownloadError(f"the connection ended after {size:,} of {file.size:,} bytes")
    if found != file.sha256:
        part.unlink()
        raise DownloadError(f"sent something else: its SHA-256 is {found}; expected {file.sha256}")


def _size(path):
    return path.stat().st_size if path.exists() else 0


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes wait for. The system frees it when its owner ends, however it ends."""
    with open(path, "a") as file:
        while not _try_lock(file.fileno()):
            time.sleep(0.1)
        yield


if os.name == "nt":
    import msvcrt

    def _try_lock(descriptor):
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
