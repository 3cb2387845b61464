"""The mini set on disk: the files it writes, what they say, and the directories it must not harm."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features
from scipy.io import loadmat

from ilsvrc import data
from ilsvrc.data import devkit, mini, mini_kit
from ilsvrc.data.annotations import parse_annotation
from ilsvrc.data.mini_pictures import draw, label_of
from ilsvrc.errors import DataError
from ilsvrc.jobs.mini import mini as mini_job

OFFICIAL = Path(__file__).resolve().parents[2].parent / "shared" / "devkit"
FILES = "3aad2334a3bfd832"
TURBO = "3.2.0"


def digest(chunks) -> str:
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()[:16]


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


# The files


def test_seed_0_writes_these_files_with_the_tested_jpeg_library(tiny):
    if features.version("libjpeg_turbo") != TURBO:
        pytest.skip(f"the bytes of JPEGs depend on the library; pinned for libjpeg-turbo {TURBO}")
    files = {path: content for path, content in tree(tiny).items() if not path.endswith(".mat")}
    assert digest(part for path in sorted(files) for part in (path.encode(), files[path])) == FILES


def test_tables_do_not_carry_the_hour(tiny):
    for path in ("devkit/data/meta.mat", "det/devkit/data/meta_det.mat"):
        head = (tiny / path).read_bytes()[:116]
        assert head.startswith(b"MATLAB 5.0 MAT-file")
        assert b"Created on" not in head


def test_a_picture_does_not_depend_on_how_many_are_asked_for(tiny, tmp_path):
    mini.build(tmp_path / "other", train=20, val=40, test=20, detection=False)
    small, large = tree(tmp_path / "other"), tree(tiny)
    images = [path for path in small if path.endswith((".JPEG", ".xml"))]
    assert len(images) == 160
    assert all(small[path] == large[path] for path in images)


def test_the_tree_is_that_of_the_official_archives(tiny):
    files = set(tree(tiny))
    assert {path for path in files if "/" not in path} == {"mini.json", "README.txt"}
    for path in (
        "train/n90010001/n90010001_1.JPEG",
        "val/ILSVRC2012_val_00000040.JPEG",
        "test/ILSVRC2012_test_00000040.JPEG",
        "bbox/train/n90010001/n90010001_1.xml",
        "bbox/val/ILSVRC2012_val_00000040.xml",
        "devkit/data/meta.mat",
        "devkit/data/ILSVRC2012_validation_ground_truth.txt",
        "devkit/data/ILSVRC2014_clsloc_validation_blacklist.txt",
        "withheld/ILSVRC2012_test_ground_truth.txt",
        "withheld/bbox/test/ILSVRC2012_test_00000001.xml",
        "det/train/ILSVRC2014_train_0000/ILSVRC2014_train_00000015.JPEG",
        "det/val/ILSVRC2013_val_00000010.JPEG",
        "det/test/ILSVRC2013_test_00000010.JPEG",
        "det/bbox/train/ILSVRC2014_train_0000/ILSVRC2014_train_00000015.xml",
        "det/bbox/val/ILSVRC2013_val_00000010.xml",
        "det/withheld/bbox/test/ILSVRC2013_test_00000010.xml",
        "det/devkit/data/meta_det.mat",
        "det/devkit/data/det_lists/val.txt",
    ):
        assert path in files
    assert not any("test" in path for path in files if path.startswith(("bbox/", "devkit/", "det/bbox")))


def test_jpegs_are_of_quality_88(tiny, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "88.jpg", quality=88)
    with Image.open(tmp_path / "88.jpg") as reference, Image.open(tiny / "val/ILSVRC2012_val_00000001.JPEG") as image:
        assert image.quantization == reference.quantization
        assert image.mode == "RGB"


def test_wnids_are_invented_ones():
    wnids = [synset.wnid for synset in mini_kit.synsets()]
    assert len(set(wnids)) == 31
    assert all(len(wnid) == 9 and wnid > "n16000000" for wnid in wnids)  # WordNet 3.0 ends before
    assert [mini_kit.wnid(label) for label in range(20)] == sorted(mini_kit.wnid(label) for label in range(20))


def test_the_kits_number_the_classes_in_orders_of_their_own():
    kit = [mini_kit.ilsvrc_id(label) for label in range(20)]
    detection = [mini_kit.detection_id(label) for label in range(20)]
    assert sorted(kit) == sorted(detection) == list(range(1, 21))
    assert all(kit[label] != label + 1 for label in range(20))
    assert all(kit[label] != label for label in range(1, 20))
    assert not any(a == b for a, b in zip(kit, detection, strict=True))


def test_meta_mat_is_a_tree_of_twenty_classes_under_ten_digits(tiny):
    synsets = devkit.read_synsets(tiny / "devkit/data/meta.mat")
    assert synsets.classes == 20
    assert synsets.sorted_wnids == tuple(mini_kit.wnid(label) for label in range(20))
    root = synsets.records[20]
    assert (root.wnid, root.height, len(root.children)) == (mini_kit.ROOT, 2, 10)
    digits = [synsets.records[child - 1] for child in root.children]
    assert [digit.height for digit in digits] == [1] * 10
    leaves = [synsets.records[child - 1] for digit in digits for child in digit.children]
    assert sorted(leaf.ilsvrc_id for leaf in leaves) == list(range(1, 21))
    assert {leaf.train_images for leaf in leaves} == {3}
    for digit in digits:
        names = {synsets.name(child) for child in digit.children}
        assert names == {f"flat {digit.words.split(',')[0]}", f"textured {digit.words.split(',')[0]}"}


@pytest.mark.parametrize(("ours", "theirs"), [
    ("devkit/data/meta.mat", "ILSVRC2012_meta.mat"),
    ("det/devkit/data/meta_det.mat", "meta_det.mat"),
])  # fmt: skip
def test_meta_mat_has_the_shape_of_the_official_one(tiny, ours, theirs):
    if not (OFFICIAL / theirs).exists():
        pytest.skip("the official development kit is not beside the checkout")
    mine, official = (loadmat(path)["synsets"] for path in (tiny / ours, OFFICIAL / theirs))
    assert mine.dtype == official.dtype
    assert np.argmax(mine.shape) == np.argmax(official.shape)
    for field in mine.dtype.names:
        a, b = mine.ravel()[20][field], official.ravel()[-1][field]
        assert (a.dtype.kind, a.ndim) == (b.dtype.kind, b.ndim), field


def test_the_detection_kit_lists_its_images(tiny):
    synsets = devkit.read_synsets(tiny / "det/devkit/data/meta_det.mat")
    assert synsets.classes == 20
    assert [record.ilsvrc_id for record in synsets.records] == list(range(1, 32))
    for split, count in (("train", 15), ("val", 10), ("test", 10)):
        listed = devkit.read_image_list(tiny / f"det/devkit/data/det_lists/{split}.txt")
        assert listed.indices.tolist() == list(range(1, count + 1))
        assert all((tiny / "det" / split / f"{name}.JPEG").exists() for name in listed.names)


def test_ground_truth_and_box_files_name_the_same_classes(tiny):
    synsets = devkit.read_synsets(tiny / "devkit/data/meta.mat")
    for truth, boxes, name in (
        ("devkit/data/ILSVRC2012_validation_ground_truth.txt", "bbox/val", "ILSVRC2012_val"),
        ("withheld/ILSVRC2012_test_ground_truth.txt", "withheld/bbox/test", "ILSVRC2012_test"),
    ):
        ids = devkit.read_ground_truth(tiny / truth)[:, 0]
        assert len(ids) == 40
        for number, ilsvrc_id in enumerate(ids, 1):
            path = tiny / boxes / f"{name}_{number:08d}.xml"
            assert parse_annotation(path.read_bytes(), path.name).wnids == (synsets.wnids[ilsvrc_id - 1],)


def test_box_files_give_the_size_and_box_of_their_image(tiny):
    for index in range(5):
        picture = draw(0, "val", index)
        path = tiny / f"bbox/val/ILSVRC2012_val_{index + 1:08d}.xml"
        annotation = parse_annotation(path.read_bytes(), path.name)
        assert annotation.boxes.tolist() == picture.boxes.tolist()
        with Image.open(tiny / f"val/{path.stem}.JPEG") as image:
            assert image.size == (annotation.width, annotation.height) == picture.pixels.shape[1::-1]


def test_no_image_of_val_is_excluded(tiny):
    path = tiny / "devkit/data/ILSVRC2014_clsloc_validation_blacklist.txt"
    assert len(devkit.read_exclusions(path)) == 0


def test_withheld_labels_are_those_of_the_test_pictures(tiny):
    labels = mini.withheld_labels(tiny)
    dataset = data.open(tiny, "test")
    assert list(labels) == list(dataset.names)
    assert list(labels.values()) == [label_of(0, "test", index) for index in range(40)]
    assert dataset[0].label is None


@pytest.mark.parametrize("content", ["", "1\n21\n", "one\n", None])
def test_damaged_withheld_labels_are_refused(tiny, tmp_path, content):
    path = tmp_path / mini.WITHHELD
    path.parent.mkdir()
    if content is not None:
        path.write_text(content)
    if content == "":
        assert mini.withheld_labels(tmp_path) == {}
        return
    with pytest.raises(DataError, match="withheld labels"):
        mini.withheld_labels(tmp_path)


def test_the_set_says_what_it_is_and_whose_it_is(tiny):
    manifest = json.loads((tiny / "mini.json").read_text())
    readme = (tiny / "README.txt").read_text()
    for text in (manifest["what"], readme):
        assert "not ImageNet" in text
        assert "invented" in text
    for name in ("Alpaydin", "Kaynak", "china.jpg", "flower.jpg", "CC BY", "scikit-learn"):
        assert name in readme
        assert any(name in credit for credit in manifest["credits"])


# The directory


def test_building_again_does_nothing(tmp_path):
    assert mini.build(tmp_path / "set", 20, 20, 20, detection=False)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}
    assert not mini.build(tmp_path / "set", 20, 20, 20, detection=False)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")} == before


def test_a_set_with_detection_serves_where_none_is_asked_for(tiny):
    assert not mini.build(tiny, 60, 40, 40, detection=False)


def test_an_empty_directory_stays_the_same_directory(tmp_path):
    inode = os.stat(tmp_path).st_ino
    assert mini.build(tmp_path, 20, 20, 20, detection=False)
    assert os.stat(tmp_path).st_ino == inode
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert len(data.open(tmp_path, "val")) == 20


def test_a_directory_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="is not a mini set"):
        mini.build(tmp_path)
    assert tree(tmp_path) == {"thesis.tex": b"mine"}


def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "set").write_text("mine")
    with pytest.raises(DataError, match="is not a mini set"):
        mini.build(tmp_path / "set")
    assert (tmp_path / "set").read_text() == "mine"


@pytest.mark.parametrize("plan", [{"train": 80}, {"seed": 1}])
def test_a_set_of_another_plan_is_refused_with_both_plans(tiny, plan):
    with pytest.raises(DataError, match=r"holds the mini set of 60 train.*seed 0.*not of .*another directory"):
        mini.build(tiny, **{"train": 60, "val": 40, "test": 40, **plan})


def test_a_set_that_lost_files_is_refused(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "set")
    (tmp_path / "set/val/ILSVRC2012_val_00000001.JPEG").unlink()
    with pytest.raises(DataError, match=r"lost 1 of the [0-9]+ files"):
        mini.build(tmp_path / "set", 60, 40, 40)


@pytest.mark.parametrize("damaged", [b"{", b"[]", b'{"plan": {"train": 60}}', b'{"plan": {"trains": 1}}', b"\xff"])
def test_a_damaged_manifest_is_refused(tmp_path, damaged):
    (tmp_path / "mini.json").write_bytes(damaged)
    with pytest.raises(DataError, match="is not a mini set"):
        mini.build(tmp_path)


@pytest.mark.parametrize(("code", "words"), [
    (errno.ENOSPC, r"disk is full at .*takes about [0-9]+ MB"),
    (errno.EACCES, "cannot be written"),
    (errno.EROFS, "cannot be written"),
])  # fmt: skip
def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path, monkeypatch, code, words):
    def refuse(path, content):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(DataError, match=words) as caught:
        mini.build(tmp_path / "set", 20, 20, 20)
    assert str(tmp_path) in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_a_place_that_may_not_be_looked_into_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(DataError, match=r"set may not be read \(Permission denied\); name a directory"):
        mini.build(tmp_path / "set")


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written to"):
        mini.build(tmp_path / "file" / "set", 20, 20, 20)


@pytest.mark.parametrize("exists", [False, True])
def test_an_interrupt_leaves_nothing_behind(tmp_path, exists):
    def interrupt(done, total):
        if done == 5:
            raise KeyboardInterrupt

    directory = tmp_path / "set"
    if exists:
        directory.mkdir()
    with pytest.raises(KeyboardInterrupt):
        mini.build(directory, 20, 20, 20, progress=interrupt)
    assert not tree(tmp_path)
    assert mini.build(directory, 20, 20, 20, detection=False)


def test_what_a_killed_build_left_is_swept_away(tmp_path):
    mini.build(tmp_path / "sample", 20, 20, 20, detection=False, progress=lambda done, total: names.append(
        [path.name for path in tmp_path.iterdir()]
    )) if (names := []) is not None else None  # fmt: skip
    own = names[0][0]
    assert own.startswith(".sample.building-")
    prefix = own.rpartition("-")[0].replace("sample", "set")
    for process in ("999999999", "1"):
        (tmp_path / f"{prefix}-{process}").mkdir()
    mini.build(tmp_path / "set", 20, 20, 20, detection=False)
    assert not (tmp_path / f"{prefix}-999999999").exists()
    assert (tmp_path / f"{prefix}-1").exists()  # process 1 runs: it may be building


def test_two_builds_at_once_end_in_one_set(tmp_path):
    def overtaken(done, total):
        if done == total:
            os.rename(tmp_path / "first", tmp_path / "set")

    mini.build(tmp_path / "first", 20, 20, 20, detection=False)
    assert not mini.build(tmp_path / "set", 20, 20, 20, detection=False, progress=overtaken)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


@pytest.mark.parametrize("counts", [{"train": 19}, {"val": 0}, {"test": -1}, {"train": 100_000_000}, {"seed": -1}])
def test_impossible_numbers_are_refused(tmp_path, counts):
    with pytest.raises(DataError, match="was asked for"):
        mini.build(tmp_path / "set", **counts)
    assert not any(tmp_path.iterdir())


def test_progress_counts_every_picture_once(tmp_path):
    calls = []
    mini.build(tmp_path / "set", 21, 20, 22, progress=lambda *call: calls.append(call))
    assert calls == [(done, 63 + 15) for done in range(1, 79)]
    assert len(list((tmp_path / "set").rglob("*.JPEG"))) == 78


def test_the_job_says_what_stands_where(tiny, tmp_path):
    built = mini_job(tmp_path / "set", 20, 20, 20)
    assert built.new
    assert str(built).startswith(f"{tmp_path / 'set'}: the mini set, built: 20 train")
    again = mini_job(tmp_path / "set", 20, 20, 20)
    assert not again.new
    assert again.detection == 15
