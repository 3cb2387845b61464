"""Packing: what is in the shards, what a stop leaves, and what is refused."""

import io
import json
import os
import random
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from ilsvrc import data
from ilsvrc.data import shards
from ilsvrc.data.decode import decode
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs import pack as job
from ilsvrc.jobs.index import index
from ilsvrc.jobs.pack import Packing, pack

SPLITS = ("train", "val", "test")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(job, "PER_SHARD", 16)


def samples(path, split):
    dataset = data.open(path, split)
    return [dataset[k] for k in range(len(dataset))]


def test_unchanged_shards_give_the_samples_of_the_data_set(tiny, tmp_path):
    done = pack(str(tiny), tmp_path / "out", Packing(), SPLITS, workers=2)
    assert done.images == {"train": 60, "val": 40, "test": 40}
    assert done.shards == 4 + 3 + 3
    for split in SPLITS:
        found = data.open(tmp_path / "out", split)
        assert found.classes == data.open(tiny, split).classes
        assert data.fingerprint(found) == data.fingerprint(data.open(tiny, split))
        for one, other in zip(samples(tmp_path / "out", split), samples(tiny, split), strict=True):
            assert (one.name, one.label, one.jpeg) == (other.name, other.label, other.jpeg)
            assert np.array_equal(one.boxes, other.boxes)
            assert np.array_equal(one.box_labels, other.box_labels)
    assert data.open(tmp_path / "out", "train", boxes=False)[0].boxes is None


def test_without_its_table_a_directory_of_shards_reads_the_same(tiny, tmp_path):
    pack(str(tiny), tmp_path / "out", Packing(), ("val",))
    before = [sample.name for sample in samples(tmp_path / "out", "val")]
    (tmp_path / "out/val.table.npz").unlink()
    found = samples(tmp_path / "out", "val")
    assert [sample.name for sample in found] == before
    assert found[0].boxes.tolist() == samples(tiny, "val")[0].boxes.tolist()
    index(tmp_path / "out")
    assert (tmp_path / "out/val.table.npz").is_file()


@pytest.mark.parametrize(
    ("packing", "size"),
    [(Packing(short_side=32), (48, 32)), (Packing(max_side=32), (32, 21)), (Packing(short_side=500), (96, 64))],
)
def test_images_shrink_to_the_side_and_never_grow(tmp_path, packing, size):
    folder = one_image(tmp_path, 96, 64)
    pack(str(folder), tmp_path / "out", packing, ("train",))
    assert decode(samples(tmp_path / "out", "train")[0]).shape[1::-1] == size


def one_image(tmp_path, width, height):
    """Two classes, one image each: left half black, right half white, with a box around the right half."""
    for wnid in ("n00000001", "n00000002"):
        folder = tmp_path / "set/train" / wnid
        folder.mkdir(parents=True)
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[:, width // 2 :] = 255
        Image.fromarray(pixels).save(folder / f"{wnid}_1.JPEG", quality=95)
        boxes = tmp_path / "set/bbox/train" / wnid
        boxes.mkdir(parents=True)
        corners = f"<xmin>{width // 2}</xmin><ymin>0</ymin><xmax>{width - 1}</xmax><ymax>{height - 1}</ymax>"
        text = f"<annotation><object><name>{wnid}</name><bndbox>{corners}</bndbox></object></annotation>"
        (boxes / f"{wnid}_1.xml").write_text(text)
    return tmp_path / "set"


@pytest.mark.parametrize("raw", [False, True])
def test_boxes_move_with_the_pixels(tmp_path, raw):
    folder = one_image(tmp_path, 200, 100)
    pack(str(folder), tmp_path / "out", Packing(short_side=50, raw=raw), ("train",))
    sample = samples(tmp_path / "out", "train")[0]
    pixels = decode(sample)
    assert pixels.shape == (50, 100, 3)
    assert sample.boxes.tolist() == [[50, 0, 99, 49]]
    xmin = sample.boxes[0, 0]
    assert pixels[:, xmin + 2 :].min() > 230
    assert pixels[:, : xmin - 2].max() < 25


def test_raw_shards_hold_the_pixels_to_the_bit(tiny, tmp_path):
    pack(str(tiny), tmp_path / "out", Packing(raw=True), ("val",))
    for one, other in zip(samples(tmp_path / "out", "val")[:5], samples(tiny, "val")[:5], strict=True):
        assert np.array_equal(decode(one), decode(other))
        assert one.jpeg.startswith(b"P6\n")


def test_shards_are_named_as_webdataset_reads_them(tiny, tmp_path):
    pack(str(tiny), tmp_path / "out", Packing(), ("train",))
    with tarfile.open(tmp_path / "out/train-000000.tar") as archive:
        names = archive.getnames()
        assert len(names) == 3 * 16
        for image, said, label in zip(names[::3], names[1::3], names[2::3], strict=True):
            assert image.removesuffix(".jpg") == said.removesuffix(".json") == label.removesuffix(".cls")
        assert archive.extractfile(names[2]).read() == b"0"


def test_webdataset_itself_reads_them(tiny, tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    pack(str(tiny), tmp_path / "out", Packing(), ("train",))
    urls = [str(path) for path in shards.shards_in(tmp_path / "out", "train")]
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("jpg", "cls"))
    wanted = samples(tiny, "train")
    assert [int(label) for _, label in found] == [sample.label for sample in wanted]
    assert np.array_equal(found[0][0], np.asarray(Image.open(io.BytesIO(wanted[0].jpeg))))


def test_a_stopped_packing_goes_on_and_ends_the_same(tiny, tmp_path):
    pack(str(tiny), tmp_path / "whole", Packing(short_side=32), ("train",))
    shutil.copytree(tmp_path / "whole", tmp_path / "out")
    (tmp_path / "out/train.table.npz").unlink()
    (tmp_path / "out/train-000002.tar").unlink()
    (tmp_path / "out/train-000003.tar").rename(tmp_path / "out/train-000003.part")  # killed while it was written
    kept = os.stat(tmp_path / "out/train-000000.tar").st_mtime_ns
    pack(str(tiny), tmp_path / "out", Packing(short_side=32), ("train",))
    assert os.stat(tmp_path / "out/train-000000.tar").st_mtime_ns == kept
    assert sorted(os.listdir(tmp_path / "out")) == sorted(os.listdir(tmp_path / "whole"))
    for name in os.listdir(tmp_path / "whole"):
        if name.endswith(".tar"):
            assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_another_packing_or_other_data_in_the_same_place_is_refused(tiny, tmp_path):
    pack(str(tiny), tmp_path / "out", Packing(short_side=32), ("val",))
    with pytest.raises(DataError, match="packed otherwise"):
        pack(str(tiny), tmp_path / "out", Packing(short_side=48), ("val",))
    with pytest.raises(DataError, match="is not empty"):
        pack(str(tiny), tiny, Packing(), ("val",))
    shutil.copytree(tiny, tmp_path / "other")
    (tmp_path / "other/val/ILSVRC2012_val_00000001.JPEG").write_bytes(b"other")
    with pytest.raises(DataError, match="of other data"):
        pack(str(tmp_path / "other"), tmp_path / "out", Packing(short_side=32), ("val",))


def test_two_sizes_at_once_are_refused(tiny, tmp_path):
    with pytest.raises(SpecError, match="choose one"):
        pack(str(tiny), tmp_path / "out", Packing(short_side=32, max_side=32), ("val",))


def test_an_image_that_cannot_be_decoded_is_named(tmp_path):
    folder = one_image(tmp_path, 20, 20)
    (folder / "train/n00000002/n00000002_1.JPEG").write_bytes(b"no image")
    with pytest.raises(DataError, match="n00000002_1"):
        pack(str(folder), tmp_path / "out", Packing(short_side=10), ("train",))


# Shards that are wrong


def test_a_shard_that_changed_after_packing_is_refused(tiny, tmp_path):
    pack(str(tiny), tmp_path / "out", Packing(), ("val",))
    path = tmp_path / "out/val-000001.tar"
    path.write_bytes(path.read_bytes()[:-512])
    with pytest.raises(DataError, match=r"not those that val\.table\.npz was written for.*ilsvrc index"):
        data.open(tmp_path / "out", "val")
    path.unlink()
    with pytest.raises(DataError, match="not those"):
        data.open(tmp_path / "out", "val")
    with pytest.raises(DataError, match="no shard"):
        data.open(tmp_path / "out", "train")


def test_whatever_the_bytes_of_a_table_it_is_read_or_refused(tiny, tmp_path):
    pack(str(tiny), tmp_path / "out", Packing(), ("val",))
    place = tmp_path / "out/val.table.npz"
    whole, rng, refused = place.read_bytes(), random.Random(0), 0
    wanted = [sample.jpeg for sample in samples(tmp_path / "out", "val")]
    for _ in range(200):
        damaged = bytearray(whole[: rng.choice((len(whole), rng.randrange(len(whole))))])
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8) if damaged else 0
        place.write_bytes(damaged)
        try:
            assert [sample.jpeg for sample in samples(tmp_path / "out", "val")] == wanted
        except DataError:
            refused += 1
    assert refused > 150


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.cls": b"0"}, "a in .* has no image"),
        ({"a.jpg": b"", "a.png": b""}, "two images"),
        ({"a.jpg": b"", "a.cls": b"-1"}, "not a whole number"),
        ({"a.jpg": b"", "a.cls": b"1.5"}, "not a whole number"),
        ({"a.jpg": b"", "a.cls": b"7"}, "list of 2 classes"),
        ({"a.jpg": b"", "a.json": json.dumps({"by": "ilsvrc pack"}).encode()}, "damaged"),
        ({"a.jpg": b"", "b.jpg": b"", "b.json": b'{"by": "ilsvrc pack", "name": "a"}'}, "a more than once"),
    ],
)
def test_a_damaged_shard_is_refused(tmp_path, files, said):
    with tarfile.open(tmp_path / "x-train-0.tar", "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (tmp_path / "wnids.txt").write_text("n02\nn01\n")
    with pytest.raises(DataError, match=said):
        data.open(tmp_path, "train")


def test_shards_of_others_are_read(tmp_path):
    with tarfile.open(tmp_path / "imagenet1k-validation-00.tar", "w") as archive:
        for key, label in (("00/a", b"1"), ("00/b", b"0\n")):
            for name, content in ((f"{key}.jpg", key.encode()), (f"{key}.cls", label), (f"{key}.json", b"[]")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    (tmp_path / "synsets.txt").write_text("n02 goldfish\nn01 tench, Tinca tinca\n")
    dataset = data.open(tmp_path, "val")
    assert dataset.classes.words == ("tench, Tinca tinca", "goldfish")
    assert [(s.name, s.jpeg, s.label) for s in map(dataset.__getitem__, range(2))] == [
        ("00/a", b"00/a", 1),
        ("00/b", b"00/b", 0),
    ]
