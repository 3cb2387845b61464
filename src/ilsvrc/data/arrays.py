"""Arrays from the bytes of an .npz, believed only as far as they can be verified.

numpy's reader makes room for whatever a header says before it reads; here what a header says is compared with the bytes
that are there, and a file of kilobytes cannot ask for terabytes.
"""

import io
import zipfile
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.lib import format as npy

# What zipfile and numpy raise on damaged bytes.
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
    head = io.BytesIO(data)
    version = npy.read_magic(head)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} is of the version {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_column, dtype = read(head)
    count = 1
    for length in shape:
        count *= length
    if dtype.hasobject or min(shape, default=0) < 0 or count * dtype.itemsize != len(data) - head.tell():
        raise ValueError(f"{name} has not the bytes that its header says")
    array = np.frombuffer(data, dtype, count, head.tell()) if count and dtype.itemsize else np.zeros(count, dtype)
    return array.reshape(shape, order="F" if by_column else "C")
