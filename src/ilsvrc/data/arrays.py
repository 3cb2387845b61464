"""Arrays from the bytes of an .npz, believed only as far as they can be verified.

numpy's reader makes room for whatever a header says before it reads, and parses headers as Python; here what a header
says is compared with the bytes that are there, and a file of kilobytes cannot ask for terabytes.
"""

import io
import math
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable

import numpy as np

HEADER = re.compile(
    rb"\{'descr': '([<>|][biufU][0-9]{1,5})', 'fortran_order': (False|True), "
    rb"'shape': \(([0-9]{0,15}(?:, ?[0-9]{0,15}){0,8})\), \}\s*"
)
# What zipfile raises on damaged bytes.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, NotImplementedError, RuntimeError),
    *(SyntaxError, TypeError, OverflowError, IndexError, UnicodeDecodeError, MemoryError),
)


def read_arrays(raw: bytes, names: Iterable[str], largest: int) -> dict[str, np.ndarray]:
    """The arrays of those names, read only.

    Raises ValueError when the bytes are no .npz, lack one, are damaged, or unfold to more than `largest` bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return {name: _array(archive, f"{name}.npy", largest) for name in names}
    except DAMAGE as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _array(archive: zipfile.ZipFile, name: str, largest: int) -> np.ndarray:
    if archive.getinfo(name).file_size > largest:
        raise ValueError(f"{name} has more than {largest:,} bytes")
    with archive.open(name) as file:
        data = file.read(largest + 1)
    start = 10 if data[:8] == b"\x93NUMPY\x01\0" else 12 if data[:8] == b"\x93NUMPY\x02\0" else len(data)
    end = start + int.from_bytes(data[8:start], "little")
    found = HEADER.fullmatch(data[start:end])
    if not found:
        raise ValueError(f"{name} has no header of an array of numbers or text")
    shape = tuple(int(length) for length in found[3].split(b",") if length.strip())
    dtype, count = np.dtype(found[1].decode()), math.prod(shape)
    if count * dtype.itemsize != len(data) - end:
        raise ValueError(f"{name} has not the bytes that its header says")
    array = np.frombuffer(data, dtype, count, end) if count and dtype.itemsize else np.zeros(count, dtype)
    if dtype.kind == "U" and len(array) and array.view(dtype.str[0] + "u4").max(initial=0) > sys.maxunicode:
        raise ValueError(f"{name} has what is no character")
    return array.reshape(shape, order="F" if found[2] == b"True" else "C")
