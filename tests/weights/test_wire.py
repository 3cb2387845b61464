"""Weight files written byte by byte: every encoding reads the same, and every lie is refused without its memory."""

import os
import tracemalloc
from pathlib import Path

import files
import numpy as np
import pytest
from files import blob, number, run, tag, text, v0_layer, v1_layer, v2_layer, varint

from ilsvrc.errors import WeightsError
from ilsvrc.weights import wire

WEIGHT = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.caffemodel"


def read(path: Path, data: bytes) -> tuple[wire.Stored, ...]:
    path.write_bytes(data)
    return wire.read(path)


@pytest.mark.parametrize("layer", [v0_layer, v1_layer, v2_layer])
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_every_encoding_of_a_layer_reads_the_same(path: Path, layer, double: bool, packed: bool, legacy: bool) -> None:
    data = text(1, "net") + layer("conv1", "Convolution", [blob(WEIGHT, legacy=legacy, packed=packed, double=double)])
    (found,) = read(path, data)
    assert (found.name, found.type) == ("conv1", "Convolution")
    assert found.blobs[0].shape == (2, 3, 2, 2)
    assert (found.blobs[0] == WEIGHT).all()


def test_packed_and_unpacked_values_may_be_mixed_in_one_blob(path: Path) -> None:
    values = WEIGHT.ravel()
    parts = run(5, values[:5].tobytes()) + b"".join(tag(5, 5) + v.tobytes() for v in values[5:9])
    parts += run(5, values[9:20].tobytes()) + b"".join(b"\xad\x00" + v.tobytes() for v in values[20:])
    (found,) = read(path, v2_layer("a", "Convolution", [parts + files.shape_of(WEIGHT, legacy=False)]))
    assert (found.blobs[0] == WEIGHT).all()


def test_doubles_win_over_floats_and_diff_is_left_out(path: Path) -> None:
    floats = run(5, (WEIGHT + 1).tobytes()) + run(6, WEIGHT.tobytes()) + tag(6, 5) + b"diff"
    (found,) = read(path, v2_layer("a", "Convolution", [floats + blob(WEIGHT, double=True)]))
    assert (found.blobs[0] == WEIGHT).all()


def test_a_legacy_shape_wins_over_a_new_one(path: Path) -> None:
    both = number(4, 24) + blob(WEIGHT)
    (found,) = read(path, v2_layer("a", "InnerProduct", [both]))
    assert found.blobs[0].shape == (1, 1, 1, 24)


def test_fields_nobody_asked_for_are_skipped(path: Path) -> None:
    extra = number(7777, 1) + run(7776, b"x" * 99) + tag(7775, 5) + b"1234" + tag(7774, 1) + b"12345678"
    inside = v2_layer("a", "Convolution", [blob(WEIGHT) + extra])
    (found,) = read(path, extra + run(100, text(1, "data")) + inside + extra)
    assert (found.blobs[0] == WEIGHT).all()


def test_a_mean_file_is_one_blob(path: Path) -> None:
    mean = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    path.write_bytes(blob(mean, legacy=True))
    assert (wire.read_blob(path) == mean).all()


def shaped(*dims: int, data: bytes = b"") -> bytes:
    return v2_layer("fc", "InnerProduct", [run(7, run(1, b"".join(map(varint, dims)))) + (data or run(5, bytes(16)))])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"\x00" * 64, "field of a kind that Caffe does not write"),
        (text(1, "net"), "no layer with weights"),
        (tag(100, 2) + varint(2 << 30), "claims 2,147,483,648 bytes where 0 are left"),
        (run(100, text(1, "a") + tag(7, 2) + varint(1 << 62) + b"x"), "claims 4,611,686,018,427,387,904 bytes"),
        (shaped(1 << 20, 1 << 20, 1 << 20), r"4 values for the shape 1048576×1048576×1048576"),
        (shaped(1 << 32, 1), "an axis of 4,294,967,296"),
        (shaped(1 << 63, 2), "an axis of"),
        (shaped(*[1] * 40), "more than 32 axes"),
        (shaped(5), "4 values for the shape 5"),
        (shaped(4, data=run(5, bytes(15))), "do not fill 15 bytes"),
        (shaped(0, data=run(5, b"")), "no float values"),
        (shaped(4, data=run(12, bytes(8))), "no float values"),  # NVIDIA's half precision
        (shaped(4, data=tag(5, 0) + b"\x01"), "values of a kind that Caffe does not write"),
        (b"\xff" * 20, "a number does not end"),
        (b"\xa2", "a number is cut off"),
        (run(100, text(1, "a" * 5000)), "a name has 5,000 bytes"),
        (v2_layer("a", "Scale", [blob(np.ones(1))] * 65), "more than 64 blobs"),
        (v2_layer("a", "Scale", [blob(WEIGHT)]) + v1_layer("b", "ReLU", [blob(WEIGHT)]), "both V1 and V2 layers"),
        (b"PK\x03\x04rest", "is a PyTorch file"),
        (b"\x89HDF\r\n", "is an HDF5 file"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS"),
    ],
)
def test_a_file_that_lies_is_refused_in_a_sentence(path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        read(path, data)


def test_every_truncation_is_refused_or_reads_fewer_whole_layers(path: Path) -> None:
    first = v2_layer("a", "Convolution", [blob(WEIGHT)])
    data = first + v2_layer("b", "Convolution", [blob(WEIGHT, packed=False)])
    for length in range(len(data)):
        path.write_bytes(data[:length])
        if length == len(first):
            assert [layer.name for layer in wire.read(path)] == ["a"]
            continue
        with pytest.raises(WeightsError):
            wire.read(path)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("piece", [run(5, bytes(4)), tag(5, 5) + bytes(4), b"\xad\x00" + bytes(4), run(6, bytes(4))])
def test_memory_stays_below_the_files_size(path: Path, piece: bytes) -> None:
    data = v2_layer("a", "Scale", [piece * 20_000])
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(WeightsError):
        wire.read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(data) + (1 << 17)


@pytest.mark.slow
def test_twenty_thousand_empty_layers_take_no_memory(path: Path) -> None:
    path.write_bytes(run(100, b"") * 20_000)
    tracemalloc.start()
    with pytest.raises(WeightsError, match="no layer with weights"):
        wire.read(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 17
    tracemalloc.stop()


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(WeightsError, match="is not a file"):
            wire.read(path)
    with pytest.raises(WeightsError, match="cannot be read"):
        wire.read(tmp_path / "absent")
