"""One data set in every form that is read: the same labels, boxes, names and order, whichever it is."""

import gzip
import os
import random
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from archives import tar_bytes, tar_of, tar_of_tars
from layouts import class_folders, put, tiny_imagenet

from ilsvrc import data
from ilsvrc.data import zips
from ilsvrc.data.annotations import read_boxes
from ilsvrc.errors import DataError

SPLITS = ("train", "val", "test")
REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tiny-imagenet"


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def gz_of(path: Path, *parts: tuple[Path, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for source, name in parts:
            archive.add(source, name)
    return path


def zip_of(path: Path, directory: Path, top: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(directory.rglob("*")):
            archive.write(file, os.path.join(top, file.relative_to(directory)))
    return path


def official(tiny: Path, out: Path) -> Path:
    """The archives under the names of image-net.org."""
    tar_of_tars(out / "ILSVRC2012_img_train.tar", {d.name: files_of(d) for d in (tiny / "train").iterdir()})
    tar_of(out / "ILSVRC2012_img_val.tar", files_of(tiny / "val"))
    tar_of(out / "ILSVRC2012_img_test_v10102019.tar", {f"test/{n}": b for n, b in files_of(tiny / "test").items()})
    folders = [(folder, folder.name) for folder in (tiny / "bbox/train").iterdir()]
    gz_of(out / "ILSVRC2012_bbox_train_v2.tar.gz", *folders)
    gz_of(out / "ILSVRC2012_bbox_val_v3.tgz", (tiny / "bbox/val", "val"))
    gz_of(out / "ILSVRC2012_devkit_t12.tar.gz", (tiny / "devkit", "ILSVRC2012_devkit_t12"))
    return out


def official_by_file(tiny: Path, out: Path) -> Path:
    return official(tiny, out) / "ILSVRC2012_img_train.tar"


def extracted(tiny: Path, out: Path) -> Path:
    return tiny


def zipped(tiny: Path, out: Path) -> Path:
    return zip_of(out / "set.zip", tiny, "mini")


def zipped_stored(tiny: Path, out: Path) -> Path:
    return zip_of(out / "set.zip", tiny, method=zipfile.ZIP_STORED)


def tarred(tiny: Path, out: Path) -> Path:
    with tarfile.open(out / "set.tar", "w") as archive:
        archive.add(tiny, ".")
    return out / "set.tar"


def gzipped(tiny: Path, out: Path) -> Path:
    return gz_of(out / "set.tar.gz", (tiny, "mini"))


def kaggle(tiny: Path, out: Path) -> Path:
    """The tree of Kaggle's challenge."""
    inner = out / "kaggle/ILSVRC"
    for split in SPLITS:
        shutil.copytree(tiny / split, inner / "Data/CLS-LOC" / split)
    for split in ("train", "val"):
        shutil.copytree(tiny / "bbox" / split, inner / "Annotations/CLS-LOC" / split)
    val = data.open(tiny, "val")
    mapping = "".join(f"{wnid} {words}\n" for wnid, words in zip(val.classes.wnids, val.classes.words, strict=True))
    (out / "kaggle/LOC_synset_mapping.txt").write_text(mapping)
    boxes = read_boxes(tiny / "bbox/val")
    rows = ["ImageId,PredictionString"]
    for image, name in reversed(list(enumerate(boxes.names))):  # Kaggle's rows are in no order
        mine = np.flatnonzero(boxes.image == image)
        groups = (f"{boxes.wnids[k]} {' '.join(map(str, boxes.box[k].astype(int)))} " for k in mine)
        rows.append(f"{name},{''.join(groups)}")
    (out / "kaggle/LOC_val_solution.csv").write_text("\n".join(rows) + "\n")
    return out / "kaggle"


def kaggle_zip(tiny: Path, out: Path) -> Path:
    return zip_of(out / "imagenet-object-localization-challenge.zip", kaggle(tiny, out))


def tree_of_2015(tiny: Path, out: Path) -> Path:
    """The organisers' own tree of later years: no table of Kaggle's, labels by the kit beside it."""
    shutil.copytree(kaggle(tiny, out) / "ILSVRC", out / "set/ILSVRC2015")
    shutil.copytree(tiny / "devkit", out / "set/ILSVRC2015_devkit")
    return out / "set"


FORMS = (
    extracted,
    tree_of_2015,
    official,
    official_by_file,
    zipped,
    zipped_stored,
    tarred,
    gzipped,
    kaggle,
    kaggle_zip,
)


@pytest.fixture(scope="module")
def reference(tiny):
    return {split: [data.open(tiny, split)[k] for k in range(len(data.open(tiny, split)))] for split in SPLITS}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_gives_the_same_samples(tiny, reference, tmp_path, form):
    path = form(tiny, tmp_path)
    for split in SPLITS:
        dataset = data.open(path, split)
        assert dataset.classes == data.open(tiny, split).classes
        assert len(dataset) == len(reference[split])
        for index, wanted in enumerate(reference[split]):
            sample = dataset[index]
            assert (sample.name, sample.label) == (wanted.name, wanted.label)
            assert sample.jpeg == wanted.jpeg
            assert np.array_equal(sample.boxes, wanted.boxes)
            assert np.array_equal(sample.box_labels, wanted.box_labels)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_has_the_same_fingerprint(tiny, tmp_path, form):
    path = form(tiny, tmp_path)
    for split in SPLITS:
        assert data.fingerprint(data.open(path, split)) == data.fingerprint(data.open(tiny, split))


def test_nothing_is_written_beside_the_archives(tiny, tmp_path):
    before = sorted(os.listdir(official(tiny, tmp_path)))
    assert data.open(tmp_path, "train")[0].boxes is not None
    assert sorted(os.listdir(tmp_path)) == before


def test_an_archive_without_the_kit_is_read_or_says_what_lacks(tiny, tmp_path):
    official(tiny, tmp_path)
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    train = data.open(tmp_path, "train")
    assert train.classes.words == train.classes.wnids
    with pytest.raises(DataError, match="development kit"):
        data.open(tmp_path, "val")
    (tmp_path / "ILSVRC2012_img_test_v10102019.tar").unlink()
    with pytest.raises(DataError, match="no folder test/"):
        data.open(tmp_path, "test")


def test_tiny_imagenet_is_the_same_as_folder_zip_and_parts(tmp_path):
    folder = tiny_imagenet(tmp_path / "tiny-imagenet-200")
    parts = tmp_path / "parts"
    parts.mkdir()
    for part in range(2):
        inner = {}
        for wnid in ("n01", "n02"):
            lines = (folder / f"train/{wnid}/{wnid}_boxes.txt").read_text().splitlines(keepends=True)
            at = f"tiny-imagenet-200/train/{wnid}"
            inner[f"{at}/{wnid}_boxes_{part}.txt"] = lines[part].encode()
            inner[f"{at}/images/{wnid}_{part}.JPEG"] = (folder / f"train/{wnid}/images/{wnid}_{part}.JPEG").read_bytes()
        (parts / f"train-{part}.tar.gz").write_bytes(gzip.compress(tar_bytes(inner)))
    gz_of(parts / "val.tar.gz", (folder / "val", "tiny-imagenet-200/val"))
    for name in ("wnids.txt", "words.txt"):
        shutil.copy(folder / name, parts / name)
    zipped = zip_of(tmp_path / "tiny-imagenet-200.zip", folder, "tiny-imagenet-200")
    for split, forms in (("train", (zipped, parts)), ("val", (zipped, parts)), ("test", (zipped,))):
        wanted = data.open(folder, split)
        for form in forms:
            found = data.open(form, split)
            assert found.classes == wanted.classes
            assert data.fingerprint(found) == data.fingerprint(wanted)
            for k in range(len(wanted)):
                one, other = found[k], wanted[k]
                assert (one.name, one.jpeg, one.label) == (other.name, other.jpeg, other.label)
                assert np.array_equal(one.boxes, other.boxes)


@pytest.mark.slow
def test_the_real_parts_of_tiny_imagenet_are_read_in_place(tmp_path):
    if not REAL.is_dir():
        pytest.skip("the parts of Tiny ImageNet are not here")
    for name in ("train-0.tar.gz", "val.tar.gz", "wnids.txt", "words.txt"):
        os.symlink(REAL / name, tmp_path / name)
    train, val = data.open(tmp_path, "train"), data.open(tmp_path, "val")
    assert (len(train), len(val)) == (25_000, 10_000)
    assert len(train.classes) == 200
    assert train[0].boxes.shape == val[0].boxes.shape == (1, 4)
    assert train.classes.words[0] != train.classes.wnids[0]


def test_class_folders_without_splits_divide_alike_in_an_archive(tmp_path):
    folder = class_folders(tmp_path / "set", split=".", images=20)
    zipped = zip_of(tmp_path / "set.zip", folder)
    for split in ("train", "val"):
        assert data.fingerprint(data.open(zipped, split)) == data.fingerprint(data.open(folder, split))


def test_images_of_one_name_in_two_classes_keep_their_paths_in_an_archive(tmp_path):
    folder = put(tmp_path / "set", "train/a/1.jpg", "train/b/1.jpg")
    zipped = zip_of(tmp_path / "set.zip", folder)
    assert list(data.open(zipped, "train").names) == list(data.open(folder, "train").names) == ["a/1.jpg", "b/1.jpg"]


def test_kaggles_solution_must_name_every_image(tiny, tmp_path):
    path = kaggle(tiny, tmp_path) / "LOC_val_solution.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(DataError, match="not named in"):
        data.open(tmp_path / "kaggle", "val")
    path.write_text("\n".join([*lines[:-1], "ILSVRC2012_val_00000001,"]))
    with pytest.raises(DataError, match="is missing, or a line"):
        data.open(tmp_path / "kaggle", "val")


# Bad zips


def test_a_zip_is_read_member_by_member(tmp_path):
    files = {f"d/{k}.JPEG": os.urandom(20) * k for k in range(30)}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
            archive.comment = b"a comment"
            for name, content in files.items():
                archive.writestr(name, content)
        index = zips.open_zip(tmp_path / "a.zip")
        assert {index.names[k]: index.read(k) for k in range(len(index))} == files
        assert index.unpacked.tolist() == [len(files[name]) for name in index.names]


@pytest.mark.parametrize("name", ["../a.JPEG", "/etc/a.JPEG", "a/../../b.JPEG"])
def test_a_zip_whose_names_climb_out_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"")
    with pytest.raises(DataError, match="leads out of the archive"):
        zips.open_zip(tmp_path / "a.zip")


def test_links_encryption_and_bombs_in_a_zip_are_refused(tmp_path):
    path = tmp_path / "a.zip"

    def written(change):
        with zipfile.ZipFile(path, "w") as archive:
            member = zipfile.ZipInfo("a.JPEG")
            member.external_attr = 0o120777 << 16 if change == "link" else 0
            archive.writestr(member, b"content")
        raw = bytearray(path.read_bytes())
        entry = raw.rindex(b"PK\x01\x02")
        if change == "encrypted":
            raw[entry + 8] |= 1
        if change == "bomb":
            struct.pack_into("<I", raw, entry + 24, (1 << 30) + 1)
        path.write_bytes(raw)

    for change, said in (("link", "symbolic link"), ("encrypted", "encrypted"), ("bomb", "more than any image")):
        written(change)
        with pytest.raises(DataError, match=said):
            zips.open_zip(path)


def test_two_members_of_one_name_in_a_zip_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("n01/a.JPEG", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("n01/a.JPEG", b"2")
    with pytest.raises(DataError, match=r"two members called n01/a\.JPEG"):
        zips.open_zip(tmp_path / "a.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_flipped_bit_of_a_content_in_a_zip_goes_unseen(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a.JPEG", random.Random(0).randbytes(400))
    whole = (tmp_path / "a.zip").read_bytes()
    for place in range(30 + len("a.JPEG"), 30 + 400, 7):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        (tmp_path / "a.zip").write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.zip is a truncated or damaged zip: .*a\.JPEG"):
            zips.open_zip(tmp_path / "a.zip").read(0)


def test_a_file_larger_than_any_image_is_not_read(tmp_path):
    folder = class_folders(tmp_path, images=1)
    os.truncate(folder / "train/a/a_0.JPEG", (1 << 30) + 1)
    with pytest.raises(DataError, match=r"a_0\.JPEG has 1,073,741,825 bytes, more than any image"):
        data.open(folder, "train")[0]


@pytest.mark.slow
def test_whatever_the_bytes_a_zip_is_read_or_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for k in range(3):
            archive.writestr(f"d/{k}.JPEG", bytes(range(200)) * k)
    whole = (tmp_path / "a.zip").read_bytes()
    rng, refused = random.Random(0), 0
    for _ in range(1500):
        damaged = bytearray(whole[: rng.choice((len(whole), rng.randrange(len(whole))))])
        for _ in range(rng.randrange(3)):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8) if damaged else 0
        (tmp_path / "a.zip").write_bytes(damaged)
        try:
            index = zips.open_zip(tmp_path / "a.zip")
            for k in range(len(index)):
                assert len(index.read(k)) == index.unpacked[k]
        except DataError:
            refused += 1
    assert refused > 500


def test_a_written_index_of_a_zip_is_used_and_refused_when_stale(tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "SAVED", 1)
    path = zip_of(tmp_path / "set.zip", put(tmp_path / "set", "train/a/1.jpg", "train/b/2.jpg"))
    zips.open_zip(path)
    assert (tmp_path / "set.zip.index").is_file()
    index = zips.open_zip(path)
    assert [index.read(k) for k in range(2)] == [b"train/a/1.jpg", b"train/b/2.jpg"]
    os.utime(path, ns=(1, 1))
    with pytest.raises(DataError, match="is not what it was"):
        zips.open_zip(path)


def test_a_plain_file_is_no_data_set(tmp_path):
    (tmp_path / "a.txt").write_text("not an archive")
    with pytest.raises(DataError, match="neither a tar nor a zip"):
        data.open(tmp_path / "a.txt", "train")
