"""Matlab 5 files: as scipy writes them, as the format's description says, and damaged."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from ilsvrc.data.matlab import read_records
from ilsvrc.errors import DataError

RECORDS = (
    {"ID": 1, "WNID": "n02119789", "words": "kit fox, Vulpes macrotis", "children": [], "gloss": ""},
    {"ID": 2, "WNID": "n01440764", "words": "Ångström 東", "children": [3, 4, 70000], "gloss": "x" * 300},
)


def write(path, records=RECORDS, name="synsets", **options):
    table = np.empty((len(records), 1), [(field, object) for field in records[0]])
    for row, record in enumerate(records):
        table[row, 0] = tuple(record.values())
    savemat(path, {"first": np.eye(2), name: table, "text": "synsets"}, **options)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_records_are_read_as_scipy_writes_them(tmp_path, compressed):
    found = read_records(write(tmp_path / "f.mat", do_compression=compressed), "synsets")
    assert [record["WNID"] for record in found] == ["n02119789", "n01440764"]
    assert [record["words"] for record in found] == ["kit fox, Vulpes macrotis", "Ångström 東"]
    assert [record["children"] for record in found] == [(), (3, 4, 70000)]
    assert [record["ID"] for record in found] == [(1,), (2,)]
    assert found[1]["gloss"] == "x" * 300


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_numbers_of_every_width_are_read(tmp_path, kind):
    numbers = np.array([1, 2, 100], kind)
    found = read_records(write(tmp_path / "f.mat", [{"x": numbers}]), "synsets")
    assert found == [{"x": (1, 2, 100)}]


def test_fields_of_other_kinds_are_left_out(tmp_path):
    records = [{"x": 1, "cell": np.array([[1], "two"], dtype=object), "inner": {"a": 1}, "y": "yes"}]
    assert read_records(write(tmp_path / "f.mat", records), "synsets") == [{"x": (1,), "y": "yes"}]


def element(order: str, kind: int, content: bytes) -> bytes:
    return struct.pack(f"{order}II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def by_hand(order: str) -> bytes:
    """One record with a text and a number, by the format's description alone."""

    def matrix(kind: int, name: bytes, *parts: bytes) -> bytes:
        flags = element(order, 6, struct.pack(f"{order}II", kind, 0))
        size = element(order, 5, struct.pack(f"{order}ii", 1, 1))
        return element(order, 14, flags + size + element(order, 1, name) + b"".join(parts))

    # A small element: its length stands in the upper half of its kind, its content in the same eight bytes.
    small = struct.pack(f"{order}Ii", 4 << 16 | 5, 8)
    names = element(order, 1, b"WNID".ljust(8, b"\0") + b"ID".ljust(8, b"\0"))
    text = matrix(4, b"", element(order, 4, "n02119789".encode("utf-16-le" if order == "<" else "utf-16-be")))
    number = matrix(6, b"", element(order, 3, struct.pack(f"{order}h", -7)))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49)
    return header + matrix(2, b"synsets", small, names, text, number)


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_order_of_bytes_is_read(tmp_path, order):
    (tmp_path / "f.mat").write_bytes(by_hand(order))
    assert read_records(tmp_path / "f.mat", "synsets") == [{"WNID": "n02119789", "ID": (-7,)}]


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_records(tmp_path / "none.mat", "synsets")
    with pytest.raises(DataError, match="has no table named 'other'"):
        read_records(write(tmp_path / "f.mat"), "other")
    (tmp_path / "f.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(128))
    with pytest.raises(DataError, match="not a Matlab 5 file"):
        read_records(tmp_path / "f.mat", "synsets")


def test_a_part_that_unfolds_to_more_than_any_kit_has_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ilsvrc.data.matlab._LARGEST", 1000)
    records = [{"x": "y" * 5000}]
    with pytest.raises(DataError, match="cut short, or larger than any kit's"):
        read_records(write(tmp_path / "f.mat", records, do_compression=True), "synsets")


@given(st.data())
def test_a_damaged_file_is_read_or_refused_by_name(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("mat") / "f.mat"
    whole = bytearray(write(path, do_compression=data.draw(st.booleans())).read_bytes())
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole)))]
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)) if whole else ():
        whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        read_records(path, "synsets")
    except DataError as error:
        message = str(error)
    else:
        message = str(path)
    assert str(path) in message


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_header_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("mat") / "f.mat"
    path.write_bytes(by_hand("<")[:128] + data)
    with pytest.raises(DataError, match=r"is damaged|has no table"):
        read_records(path, "synsets")
