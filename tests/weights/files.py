"""Weight files made in the tests, byte by byte, and the seeded networks of the folder of originals.

`stream` and `image` follow oracle/ORACLE.md there: PCG64's raw bits as float32.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ORIGINALS = Path(__file__).resolve().parents[2].parent / "shared" / "originals"
needs_originals = pytest.mark.skipif(not ORIGINALS.is_dir(), reason="the folder of original definitions is absent")

V1_NUMBERS = {"Convolution": 4, "InnerProduct": 14, "Pooling": 17, "ReLU": 18, "LRN": 15, "Dropout": 6, "Softmax": 20}


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)


def number(field: int, value: int) -> bytes:
    return tag(field, 0) + varint(value)


def run(field: int, data: bytes) -> bytes:
    return tag(field, 2) + varint(len(data)) + data


def text(field: int, value: str) -> bytes:
    return run(field, value.encode())


def shape_of(array: np.ndarray, legacy: bool, packed: bool = True) -> bytes:
    if legacy:
        four = (1,) * (4 - array.ndim) + array.shape
        return b"".join(number(field, extent) for field, extent in enumerate(four, start=1))
    dims = run(1, b"".join(map(varint, array.shape))) if packed else b"".join(number(1, d) for d in array.shape)
    return run(7, dims)


def blob(array: np.ndarray, *, legacy: bool = False, packed: bool = True, double: bool = False) -> bytes:
    """A BlobProto."""
    field, kind, wire = (8, "<f8", 1) if double else (5, "<f4", 5)
    values = array.astype(kind)
    if packed:
        return shape_of(array, legacy, packed) + run(field, values.tobytes())
    return shape_of(array, legacy, packed) + b"".join(tag(field, wire) + v.tobytes() for v in values.ravel())


def v2_layer(name: str, kind: str, blobs: Iterable[bytes]) -> bytes:
    return run(100, text(1, name) + text(2, kind) + b"".join(run(7, b) for b in blobs))


def v1_layer(name: str, kind: str, blobs: Iterable[bytes]) -> bytes:
    return run(2, text(4, name) + number(5, V1_NUMBERS[kind]) + b"".join(run(6, b) for b in blobs))


def v0_layer(name: str, kind: str, blobs: Iterable[bytes]) -> bytes:
    return run(2, run(1, text(1, name) + text(2, kind) + b"".join(run(50, b) for b in blobs)))


def stream(seed: int, count: int, c: float, a: float) -> np.ndarray:
    """The reference's numbers in [c - a, c + a), drawn in pieces that fit the processor's cache."""
    bits = np.random.PCG64(seed)
    values = np.empty(count, np.float32)
    for start in range(0, count, 1 << 15):
        raw = bits.random_raw(min(1 << 15, count - start))
        values[start : start + len(raw)] = a * ((raw >> 40) * 2.0**-23 - 1) + c
    return values


def image(spec: dict[str, Any]) -> np.ndarray:
    """The reference's input blob, (1, 3, H, W)."""
    _, channels, height, width = spec["shape"]
    block = spec["block"]
    rows, columns = -(-height // block), -(-width // block)
    coarse = stream(spec["coarse_seed"], channels * rows * columns, 0, spec["coarse_amplitude"])
    coarse = coarse.reshape(channels, rows, columns).repeat(block, 1).repeat(block, 2)[:, :height, :width]
    fine = stream(spec["fine_seed"], channels * height * width, 0, spec["fine_amplitude"])
    return (coarse + fine.reshape(channels, height, width))[None]


class Reference:
    """One of the 18 networks: definition, seeded weights as a file, inputs, and what came out."""

    def __init__(self, name: str):
        self.name = name
        self.spec = json.loads((ORIGINALS / "oracle" / f"{name}.json").read_text())
        self.outputs = np.load(ORIGINALS / "oracle" / f"{name}.npz")
        self.prototxt = ORIGINALS / self.spec["prototxt"]

    def inputs(self) -> list[np.ndarray]:
        return [
            image(value) if "coarse_seed" in value else np.float32(value["values"])
            for value in self.spec["inputs"].values()
        ]

    def write(self, path: Path) -> Path:
        """The weight file, in the generation of the definition, one layer at a time."""
        old = self.spec["caffemodel_layers"].startswith("V1")
        with path.open("wb") as file:
            file.write(text(1, self.name))
            for name, blobs in self.layers():
                encoded = [blob(b, legacy=old) for b in blobs]
                kind = "InnerProduct" if name.startswith("fc") else "Convolution"
                file.write(v1_layer(name, kind, encoded) if old else v2_layer(name, kind, encoded))
        return path

    def layers(self) -> Iterator[tuple[str, list[np.ndarray]]]:
        by_name: dict[str, list[Any]] = {}
        for row in self.spec["weights"]["blobs"]:
            by_name.setdefault(row[0], []).append(row)
        for name, rows in by_name.items():
            yield name, [stream(r[3], int(np.prod(r[2])), r[4], r[5]).reshape(r[2]) for r in rows]

    def full(self, layer: str) -> np.ndarray:
        return self.outputs[next(entry["key"] for entry in self.spec["full"] if entry["layer"] == layer)]


def references() -> list[str]:
    return sorted(path.stem for path in (ORIGINALS / "oracle").glob("*.npz"))
