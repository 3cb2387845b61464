"""Damaged bytes, many thousand times: each reader gives a right answer or a DataError, soon and in little memory.

The suite takes a few mutations of each; ILSVRC_FUZZ=10000 takes so many, ILSVRC_FUZZ_SEED=1 others.
Mutations are of the bytes, and of what checksums would hide: fields of tar headers with their sum put right, arrays
inside a table, the body of an index under a checksum that fits, words of XML and JSON.
"""

import gzip
import io
import json
import os
import random
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import tar_bytes
from PIL import Image

from ilsvrc import data
from ilsvrc.data import shards, tar_index, tars, zips
from ilsvrc.data.annotations import parse_annotation, read_boxes
from ilsvrc.data.decode import LARGEST
from ilsvrc.data.devkit import read_ground_truth, read_image_list, read_synsets
from ilsvrc.data.health import health
from ilsvrc.data.part import read_fix_list
from ilsvrc.data.sample import Sample
from ilsvrc.errors import DataError
from ilsvrc.jobs.statistics import read_statistics

TIMES = int(os.environ.get("ILSVRC_FUZZ", "40"))
SEED = int(os.environ.get("ILSVRC_FUZZ_SEED", "0"))
SLOW = 20  # seconds that one mutation may take on a busy machine: what hangs takes more
MEMORY = 192 << 20  # bytes at most: the largest mutation has some hundred thousand
IMAGE = 4 * LARGEST  # an image may say it has so many pixels, three bytes each, and is then decoded
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)


def mutated(whole: bytes, rng: random.Random) -> bytes:
    """One to four changes: bits, numbers, pieces moved, doubled or gone, an end."""
    found = bytearray(whole)
    for _ in range(rng.randint(1, 4)):
        if not found:
            break
        place, size = rng.randrange(len(found)), min(rng.choice((1, 2, 4, 8, 30, 512)), len(found))
        match rng.randrange(7):
            case 0:
                found[place] ^= 1 << rng.randrange(8)
            case 1:
                number = struct.pack(rng.choice("<>") + "Q", rng.choice(NUMBERS))
                found[place : place + size] = number[: min(size, 8)]
            case 2:
                found[place : place + size] = rng.randbytes(size)
            case 3:
                del found[place : place + size]
            case 4:
                found[place:place] = found[place : place + size]
            case 5:
                other = rng.randrange(len(found))
                found[place : place + size] = found[other : other + size]
            case 6:
                del found[place:]
    return bytes(found)


def reworded(whole: bytes, words: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Words put in or in the place of others, then perhaps bytes changed."""
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(whole) + 1)
        whole = whole[:place] + rng.choice(words) + whole[place + rng.choice((0, 0, 1, 5, 20)) :]
    return mutated(whole, rng) if rng.random() < 0.3 else whole


# What is damaged, and how it is read


def a_tar(rng: random.Random) -> bytes:
    """A tar of tars, with long names in both forms; in half of them fields of headers are changed and summed anew."""
    inner = {"n01.tar": tar_bytes({"a.JPEG": b"1" * 600, "b.JPEG": b""}), "long/" * 30 + "b.png": b"2"}
    whole = tar_bytes(inner, rng.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)))
    if rng.random() < 0.5:
        return mutated(whole, rng)
    found = bytearray(whole)
    headers = [at for at in range(0, len(found) - 511, 512) if found[at + 257 : at + 262] == b"ustar"]
    for at in rng.sample(headers, rng.randint(1, 2)):
        start, size = rng.choice(((0, 100), (124, 12), (156, 1), (157, 100), (345, 155), (257, 8)))
        field = rng.choice((rng.randbytes(size), b"7" * size, b"/" * size, b"../" * size, bytes(size), b"\x80" * size))
        found[at + start : at + start + size] = field[:size]
        found[at + 148 : at + 156] = b" " * 8
        found[at + 148 : at + 156] = b"%06o\0 " % (sum(found[at : at + 512]) % 0o777777)
    return bytes(found)


def read_tar(path: Path) -> None:
    index = tars.open_tar(path)
    assert all(len(index.read(place)) == index.size[place] for place in range(len(index)))
    assert not any(name.startswith("/") or ".." in name.split("/") for name in index.names)


def a_packed_tar(rng: random.Random) -> bytes:
    whole = gzip.compress(a_tar(rng), mtime=0)
    return mutated(whole, rng) if rng.random() < 0.3 else whole


def a_zip(rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for k in range(3):
            archive.writestr(f"d/{k}.JPEG", bytes(range(200)) * k)
    whole = bytearray(buffer.getvalue())
    if rng.random() < 0.5:  # the directory alone, where every byte says something
        start = whole.index(b"PK\x01\x02")
        return bytes(whole[:start]) + mutated(bytes(whole[start:]), rng)
    return mutated(bytes(whole), rng)


def read_zip(path: Path) -> None:
    index = zips.open_zip(path)
    assert all(len(index.read(place)) == index.unpacked[place] for place in range(len(index)))


XML = (
    b"<annotation><folder>a</folder><filename>b</filename><size><width>5</width><height>6</height></size><object>"
    b"<name>n01440764</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>"
    b"</annotation>"
)
XML_WORDS = (
    *(b"<object>", b"</object>", b"<name>", b"</name>", b"<bndbox>", b"<xmin>", b"</xmin>", b"<size>", b"<!--", b"-->"),
    *(
        b"<!DOCTYPE annotation [<!ENTITY a 'b'>]>",
        b"<!ENTITY a '&a;&a;'>",
        b"&a;",
        b"&#0;",
        b"&#x10FFFF;",
        b"<![CDATA[",
    ),
    *(
        b"]]>",
        b"<?xml version='1.0' encoding='utf-16'?>",
        b"<?xml",
        b"\0",
        b"\xff\xfe",
        b"1e999",
        b"nan",
        b"-",
        b"9" * 400,
    ),
    *(b"<a " + b"x" * 300 + b"='1'>", b"<a>" * 200, b" xmlns:a='b'", b"\xed\xa0\x80", b"</annotation>", b"."),
)


def an_annotation(rng: random.Random) -> bytes:
    return reworded(XML, XML_WORDS, rng) if rng.random() < 0.7 else mutated(XML, rng)


def read_annotation(path: Path) -> None:
    found = parse_annotation(path.read_bytes(), "a.xml")
    assert np.isfinite(found.boxes).all()
    assert len(found.boxes) == len(found.wnids)


def a_box_archive(rng: random.Random) -> bytes:
    whole = tar_bytes({f"val/{k}.xml": XML for k in range(3)}, rng.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)))
    return mutated(mutated(whole, rng) if rng.random() < 0.7 else gzip.compress(whole, mtime=0), rng)


def a_kit(rng: random.Random) -> bytes:
    from scipy.io import savemat

    table = np.empty(3, [(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "children", "wordnet_height")])
    for k in range(3):
        table[k] = (k + 1, f"n0000000{k}", "a, b", [1, 2] if k == 2 else [], k)
    buffer = io.BytesIO()
    savemat(buffer, {"synsets": table})
    whole = buffer.getvalue()
    if rng.random() < 0.5:
        return mutated(whole, rng)
    body = mutated(whole[128:], rng)  # compressed: damage beneath the checksum of the compression
    packed = zlib.compress(body)
    return whole[:128] + struct.pack("<II", 15, len(packed)) + packed


def a_shard(rng: random.Random) -> bytes:
    files = {}
    for k in range(3):
        said = {"by": "ilsvrc pack", "name": f"i{k}", "wnid": "n01", "boxes": [[1, 2, 3, 4]], "box_wnids": ["n02"]}
        raw = json.dumps(said).encode()
        words = (
            b"1e400",
            b"-1",
            b"9" * 30,
            b"NaN",
            b"null",
            b"[" * 3000,
            b'"\\ud800"',
            b"{}",
            b"[]",
            b'"n03"',
            b"true",
        )
        files[f"{k}.jpg"] = b"image"
        files[f"{k}.json"] = reworded(raw, words, rng) if rng.random() < 0.2 else raw
        files[f"{k}.cls"] = rng.choice((mutated(b"1", rng), b"9" * 8, b"1")) if rng.random() < 0.2 else b"0"
    whole = tar_bytes(files)
    return mutated(whole, rng) if rng.random() < 0.3 else whole


def read_shard(path: Path) -> None:
    folder = path.with_suffix(".d")
    folder.mkdir(exist_ok=True)
    (folder / "x-train-0.tar").write_bytes(path.read_bytes())
    listed = folder / "synsets.txt"
    listed.write_text("n01\nn02\n") if zlib.crc32(path.read_bytes()) % 4 else listed.unlink(missing_ok=True)
    dataset = data.open(folder, "train")
    found = [dataset[k] for k in range(len(dataset))]
    assert len({sample.name for sample in found}) == len(found)
    assert all(sample.label is None or 0 <= sample.label < len(dataset.classes) for sample in found)
    assert all(sample.boxes is None or sample.boxes.shape == (len(sample.box_labels), 4) for sample in found)


def a_table(rng: random.Random) -> bytes:
    """A table whose bytes are damaged, or the arrays in it beneath the sums of the zip."""
    shard = tar_bytes({"a.jpg": b"12345", "a.cls": b"0", "b.jpg": b"1", "b.cls": b"1"})
    found = [[shards.Found(0, "a", 512, 5, 0, "", [[1, 2, 3, 4]], ("n01",)), shards.Found(0, "b", 2560, 1, 1)]]
    whole = shards.as_bytes(
        shards.tabled(Path("x"), found, [("x-train-0.tar", len(shard))], (["n01", "n02"], ["a", "b"]))
    )
    if rng.random() < 0.4:
        return mutated(whole, rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = rng.choice(old.namelist())
        for name in old.namelist():
            raw = old.read(name)
            header = reworded(raw[:128], (b"10**9", b"99999999999", b"'O'", b"|O", b"<f8", b"(", b",", b"-1"), rng)
            damaged = header + raw[128:] if rng.random() < 0.5 else mutated(raw, rng)
            new.writestr(name, damaged if name == chosen else raw)
    return buffer.getvalue()


def read_table(path: Path) -> None:
    folder = path.with_suffix(".d")
    folder.mkdir(exist_ok=True)
    files = {"a.jpg": b"12345", "a.cls": b"0", "b.jpg": b"1", "b.cls": b"1"}
    (folder / "x-train-0.tar").write_bytes(tar_bytes(files))
    (folder / "train.table.npz").write_bytes(path.read_bytes())
    dataset = data.open(folder, "train")
    found = [dataset[k] for k in range(len(dataset))]
    assert all(sample.label is None or 0 <= sample.label < len(dataset.classes) for sample in found)
    assert all(sample.boxes is None or sample.boxes.shape == (len(sample.box_labels), 4) for sample in found)


def an_index(rng: random.Random) -> bytes:
    """An index file: its body damaged and its checksum put right, or its bytes damaged."""
    path = WORK[0] / "indexed.tar"
    if not path.exists():
        path.write_bytes(tar_bytes({f"n01/{k}.JPEG": b"1" * 700 for k in range(4)}))
        WHOLE.append(tars.write_index(path)[1].read_bytes())
        tar_index.load(path)
    whole = WHOLE[0]
    if rng.random() < 0.4:
        return mutated(whole, rng)
    line, _, body = whole[len(tar_index.MAGIC) :].partition(b"\n")
    head = json.loads(line)
    body = zlib.compress(mutated(zlib.decompress(body), rng))
    if rng.random() < 0.3:
        head[rng.choice(("members", "text", "extra", "kind", "distinct"))] = rng.choice(
            (-1, 10**12, None, "x", [], ["a"])
        )
    head["checksum"] = tar_index._checksum(head, body)
    return tar_index.MAGIC + json.dumps(head).encode() + b"\n" + body


def read_index(path: Path) -> None:
    archive = WORK[0] / "indexed.tar"
    archive.with_name("indexed.tar.index").write_bytes(path.read_bytes())
    index = tar_index.load(archive)
    assert index is not None
    assert all(len(index.read(place)) == index.size[place] for place in range(len(index)))
    [index.names[place] for place in range(len(index))]


def a_list(rng: random.Random) -> bytes:
    whole = rng.choice((b"1\n2\n3\n", b"val/a 1\nval/b 2\n", b"train/a\nval/b\n", b"490 490.0 4.9e+02\n"))
    return reworded(whole, (b"1e999", b"nan", b"-1", b"9" * 30, b"\0", b",", b"\xff", b"\x1f\x8b", b"\t", b"\r\n"), rng)


def read_lists(path: Path) -> None:
    for read in (read_ground_truth, read_image_list, read_fix_list):
        try:
            read(path)
        except DataError:
            continue


def some_statistics(rng: random.Random) -> bytes:
    numbers = {"mean": [0.4] * 3, "deviation": [0.2] * 3, "eigenvalues": [0.1] * 3}
    numbers |= {name: [[1, 0, 0], [0, 1, 0], [0, 0, 1]] for name in ("covariance", "eigenvectors")}
    source = {"data": "a", "fingerprint": "b", "split": "train", "images": 1, "of": 1, "pixels": 2, "size": None}
    said = {"what": "ilsvrc statistics 1", **numbers, "computed_from": {**source, "decoding": "x"}}
    said["mean_image"] = {"file": "none.npz", "sha256": "0"} if rng.random() < 0.3 else None
    if said["mean_image"] is None:
        del said["mean_image"]
    words = (b"1e999", b"NaN", b"null", b"[", b"]", b"{}", b'"x"', b"9" * 5000, b"[" * 3000, b"\xff", b",")
    return reworded(json.dumps(said).encode(), words, rng)


def an_image(rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    form = rng.choice(("JPEG", "JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP"))
    Image.new("RGB", (40, 30), (200, 10, 90)).save(buffer, form)
    return mutated(buffer.getvalue(), rng)


def read_image(path: Path) -> None:
    """Whatever the bytes, what is odd about them is said and nothing is raised."""
    found = health(Sample("x", path.read_bytes(), 0))
    assert found.width >= 0


READERS: dict[str, tuple[Callable[[random.Random], bytes], Callable[[Path], object]]] = {
    "tar": (a_tar, read_tar),
    "packed tar": (a_packed_tar, read_tar),
    "zip": (a_zip, read_zip),
    "annotation": (an_annotation, read_annotation),
    "box archive": (a_box_archive, read_boxes),
    "meta.mat": (a_kit, read_synsets),
    "shard": (a_shard, read_shard),
    "table": (a_table, read_table),
    "index": (an_index, read_index),
    "lists": (a_list, read_lists),
    "statistics": (some_statistics, read_statistics),
    "image": (an_image, read_image),
}
WORK: list[Path] = []
WHOLE: list[bytes] = []


@pytest.fixture(autouse=True)
def work(tmp_path):
    WORK[:] = [tmp_path]
    WHOLE.clear()


@pytest.mark.sampled
@pytest.mark.parametrize("reader", READERS)
def test_damaged_bytes_are_refused_or_read_right(tmp_path, reader):
    make, read = READERS[reader]
    refused, path = 0, tmp_path / "damaged"
    for number in range(TIMES):
        content = make(random.Random(f"{reader} {SEED} {number}"))
        path.write_bytes(content)
        tracemalloc.start()
        started = time.monotonic()
        try:
            read(path)
        except DataError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"mutation {number} of {reader}: {type(error).__name__}: {error}") from error
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert time.monotonic() - started < SLOW, f"mutation {number} of {reader} takes too long"
        assert peak < (IMAGE if reader == "image" else MEMORY), f"mutation {number} of {reader} takes {peak:,} bytes"
    print(f"{reader}: {refused:,} of {TIMES:,} refused")
    assert refused or reader in ("lists", "image")


def test_damaged_parquet_is_refused_or_read_right(tmp_path):
    """Read by pyarrow, whose memory is its own and not counted here; what it raises becomes a DataError."""
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra parquet)")
    from pyarrow import parquet

    rows = [
        {"image": {"bytes": b"image" * k, "path": f"n0000000{k % 2}_{k}_n0000000{k % 2}.JPEG"}, "label": k % 2}
        for k in range(6)
    ]
    whole = tmp_path / "whole.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), whole, row_group_size=3)
    place, refused = tmp_path / "train-0.parquet", 0
    for number in range(TIMES):
        place.write_bytes(mutated(whole.read_bytes(), random.Random(f"parquet {SEED} {number}")))
        try:
            dataset = data.open(tmp_path, "train")
            [dataset[k] for k in range(len(dataset))]
        except DataError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"mutation {number}: {type(error).__name__}: {error}") from error
    print(f"parquet: {refused:,} of {TIMES:,} refused")
    assert refused
