"""The IDX format of MNIST: one array, all numbers big-endian.

    bytes 0, 1    zero
    byte 2        type of the numbers
    byte 3        number of dimensions
    then          one 4-byte size per dimension, then the numbers, last dimension fastest

Unlike a pickle, nothing in such a file can run code.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, compressed (.gz) or not."""
    content = Path(path).read_bytes()
    try:
        return parse_idx(gzip.decompress(content) if Path(path).suffix == ".gz" else content)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: {error}") from error


def parse_idx(content: bytes) -> np.ndarray:
    """The array that the bytes of an IDX file describe, in the byte order of this machine."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise ValueError(
            f"starts with the bytes {content[:4].hex(' ') or 'of nothing'}; an IDX file starts with 00 00, "
            f"a type ({', '.join(f'{code:02x}' for code in TYPES)}) and a number of dimensions"
        )
    dtype, dimensions = np.dtype(TYPES[content[2]]), content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise ValueError(f"ends within the header, after {len(content)} of its {start} bytes")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, offset=4).tolist())
    expected = start + dtype.itemsize * math.prod(shape)
    if len(content) != expected:
        raise ValueError(f"holds {len(content):,} bytes; a header that says {shape} needs {expected:,}")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
