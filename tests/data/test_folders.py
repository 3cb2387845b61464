"""Directories of images: what each layout that is read gives."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from layouts import class_folders, put, tiny_imagenet
from PIL import Image

from ilsvrc import data
from ilsvrc.data import mini_kit
from ilsvrc.data.mini_pictures import draw, label_of
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.errors import DataError

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tiny-imagenet"


# The official archives


def test_the_mini_set_opens_with_the_labels_and_boxes_it_was_drawn_with(tiny):
    for split in ("train", "val"):
        dataset = data.open(tiny, split)
        samples = {sample.name: sample for sample in (dataset[k] for k in range(len(dataset)))}
        assert len(samples) == len(dataset) == {"train": 60, "val": 40}[split]
        for index in range(len(dataset)):
            label = label_of(0, split, index)
            train = f"{mini_kit.wnid(label)}_{index // 20 + 1}"
            sample = samples[train if split == "train" else f"ILSVRC2012_val_{index + 1:08d}"]
            assert sample.label == label
            assert sample.box_labels.tolist() == [label]
            if index % 10 == 0:
                picture = draw(0, split, index)
                assert sample.boxes.tolist() == picture.boxes.tolist()
                assert sample.boxes.dtype.kind == "i"
                with Image.open(io.BytesIO(sample.jpeg)) as image:
                    assert image.size == picture.pixels.shape[1::-1]


def test_classes_are_sorted_wnids_with_the_words_of_the_kit(tiny):
    classes = data.open(tiny, "val").classes
    assert classes == data.open(tiny, "train").classes == data.open(tiny, "test").classes
    assert classes.wnids == tuple(sorted(classes.wnids)) == tuple(sorted(os.listdir(tiny / "train")))
    assert classes.name(7) == "textured three"


def test_a_flat_val_without_train_takes_its_classes_from_the_kit(tiny, tmp_path):
    for part in ("val", "devkit"):
        shutil.copytree(tiny / part, tmp_path / part)
    dataset = data.open(tmp_path, "val")
    assert dataset.classes == data.open(tiny, "val").classes
    assert dataset.labels == data.open(tiny, "val").labels
    assert dataset[0].boxes is None


def test_a_kit_that_extracted_under_its_own_name_is_found(tiny, tmp_path):
    shutil.copytree(tiny / "val", tmp_path / "val")
    shutil.copytree(tiny / "devkit", tmp_path / "ILSVRC2012_devkit_t12")
    assert data.open(tmp_path, "val").labels == data.open(tiny, "val").labels


def test_the_test_split_has_names_and_no_labels(tiny):
    dataset = data.open(tiny, "test")
    assert dataset.names[0] == dataset[0].name == "ILSVRC2012_test_00000001"
    assert dataset.labels is None
    assert dataset[39].label is dataset[39].boxes is None


def test_an_image_without_box_file_has_no_boxes(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "set")
    (tmp_path / "set/bbox/val/ILSVRC2012_val_00000002.xml").unlink()
    dataset = data.open(tmp_path / "set", "val")
    assert dataset[0].boxes is not None
    assert dataset[1].boxes is dataset[1].box_labels is None


def test_boxes_can_be_left_unread(tiny):
    assert data.open(tiny, "train", boxes=False)[0].boxes is None


def test_the_set_is_named_described_and_credited(tiny):
    dataset = data.open(tiny, "train")
    assert data.name(dataset) == "mini"
    assert "not ImageNet" in data.description(dataset)
    assert any("Alpaydin" in credit for credit in data.credits(dataset))


# Class folders


def test_class_folders_are_labelled_in_sorted_order(tmp_path):
    class_folders(tmp_path, wnids="bca", images=3)
    dataset = data.open(tmp_path, "train")
    assert dataset.classes == Classes(("a", "b", "c"), ("a", "b", "c"))
    assert [dataset[k].label for k in range(9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert dataset[4].jpeg == b"train/b/b_1.JPEG"
    assert dataset[4].name == "b_1"
    assert data.name(dataset) == tmp_path.name
    assert data.credits(dataset) == ()


@pytest.mark.parametrize("suffix", ["JPEG", "jpg", "jpeg", "JPG", "png", "PNG", "bmp", "webp", "gif", "tiff"])
def test_images_of_every_usual_suffix_are_found(tmp_path, suffix):
    put(tmp_path, f"train/a/1.{suffix}", f"train/b/2.{suffix}")
    assert len(data.open(tmp_path, "train")) == 2


def test_other_files_are_passed_over_and_counted(tmp_path):
    put(class_folders(tmp_path), "train/a/notes.txt", "train/b/Thumbs.db", "train/.DS_Store", "train/a/.hidden.jpg")
    dataset = data.open(tmp_path, "train")
    assert len(dataset) == 4
    assert "2 other files" in data.description(dataset)


def test_names_are_paths_where_file_names_repeat(tmp_path):
    put(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/2.jpg")
    assert data.open(tmp_path, "train").names == ("a/1.jpg", "b/1.jpg")
    assert data.open(tmp_path, "val").names == ("1", "2")


@pytest.mark.parametrize("folder", ["val", "valid", "validation"])
def test_val_goes_by_its_usual_names(tmp_path, folder):
    class_folders(class_folders(tmp_path), folder)
    assert len(data.open(tmp_path, "val")) == 4


def test_words_are_read_from_a_synset_mapping(tmp_path):
    class_folders(tmp_path)
    (tmp_path / "LOC_synset_mapping.txt").write_text("a tench, Tinca tinca\nb goldfish\n")
    assert data.open(tmp_path, "train").classes.words == ("tench, Tinca tinca", "goldfish")


def test_a_folder_called_like_an_image_is_no_class_and_no_crash(tmp_path):
    put(class_folders(tmp_path), "train/a.jpg/x.txt")
    with pytest.raises(DataError, match=r"a\.jpg"):
        data.open(tmp_path, "train")


def test_links_to_images_and_classes_are_followed(tmp_path):
    class_folders(tmp_path / "real")
    (tmp_path / "set/train").mkdir(parents=True)
    for wnid in "ab":
        (tmp_path / "set/train" / wnid).symlink_to(tmp_path / "real/train" / wnid)
    assert len(data.open(tmp_path / "set", "train")) == 4


# A folder of classes without splits


def test_a_plain_folder_is_divided_80_to_20_by_name(tmp_path):
    put(tmp_path, *(f"{wnid}/{n}.png" for wnid in "abc" for n in range(100)))
    train, val = data.open(tmp_path, "train"), data.open(tmp_path, "val")
    assert set(train.files).isdisjoint(val.files)
    assert len(train) + len(val) == 300
    assert 40 <= len(val) <= 80
    assert train.classes == val.classes
    assert "20 %" in data.description(val)
    assert "hash" in data.description(val)


def test_more_images_move_none_from_train_to_val(tmp_path):
    put(tmp_path, *(f"{wnid}/{n}.png" for wnid in "ab" for n in range(50)))
    before = set(data.open(tmp_path, "val").names)
    put(tmp_path, *(f"{wnid}/{n}.png" for wnid in "abc" for n in range(50, 60)))
    assert before == {name for name in data.open(tmp_path, "val").names if int(Path(name).stem) < 50}


@pytest.mark.parametrize("images", [2, 3, 4])
def test_a_small_class_has_an_image_in_either_part(tmp_path, images):
    put(tmp_path, *(f"{wnid}/{wnid}{n}.png" for wnid in "abcdefgh" for n in range(images)))
    for split in ("train", "val"):
        assert set(data.open(tmp_path, split).labels) == set(range(8))


# Tiny ImageNet


def test_tiny_imagenet_gives_labels_boxes_and_words(tmp_path):
    tiny_imagenet(tmp_path)
    train, val, test = (data.open(tmp_path, split) for split in ("train", "val", "test"))
    assert train.classes == val.classes == test.classes == Classes(("n01", "n02"), ("tench, Tinca tinca", "goldfish"))
    assert [(s.name, s.label, s.boxes.tolist(), s.box_labels.tolist()) for s in map(train.__getitem__, range(4))] == [
        ("n01_0", 0, [[0, 2, 30, 40]], [0]),
        ("n01_1", 0, [[1, 2, 30, 41]], [0]),
        ("n02_0", 1, [[0, 2, 30, 40]], [1]),
        ("n02_1", 1, [[1, 2, 30, 41]], [1]),
    ]
    assert [(s.name, s.label, s.boxes.tolist(), s.box_labels.tolist()) for s in map(val.__getitem__, range(2))] == [
        ("val_0", 1, [[0, 0, 62, 63]], [1]),
        ("val_1", 0, [[0, 1, 62, 63]], [0]),
    ]
    assert [(s.name, s.label) for s in map(test.__getitem__, range(2))] == [("test_0", None), ("test_1", None)]


def test_words_may_lie_beside_the_set(tmp_path):
    tiny_imagenet(tmp_path / "tiny")
    (tmp_path / "tiny/words.txt").rename(tmp_path / "words.txt")
    assert data.open(tmp_path / "tiny", "val").classes.name(0) == "tench"


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """Three classes of the real set, a quarter of their images."""
    if not REAL.exists():
        pytest.skip("Tiny ImageNet is not beside the checkout")
    directory = tmp_path_factory.mktemp("real")
    classes: list[str] = []
    with tarfile.open(REAL / "train-0.tar.gz", "r|gz") as archive:
        for member in archive:
            wnid = member.name.split("/")[2]
            if wnid not in classes and len(classes) == 3:
                break
            classes += [wnid] if wnid not in classes else []
            archive.extract(member, directory, filter="data")
    root = directory / "tiny-imagenet-200"
    with tarfile.open(REAL / "val.tar.gz", "r|gz") as archive:
        first = archive.next()
        lines = archive.extractfile(first).read().decode().splitlines(keepends=True)
        lines = [line for line in lines if line.split("\t")[1] in classes]
        wanted = {line.split("\t")[0] for line in lines}
        for member in archive:
            if member.name.rpartition("/")[2] in wanted:
                archive.extract(member, directory, filter="data")
    (root / "val/val_annotations.txt").write_text("".join(lines))
    shutil.copy(REAL / "words.txt", directory)
    return root


@pytest.mark.slow
def test_the_real_tiny_imagenet_opens(real):
    train, val = data.open(real, "train"), data.open(real, "val")
    assert (len(train), len(val), len(train.classes)) == (375, 150, 3)
    assert np.bincount(train.labels).tolist() == [125] * 3
    assert np.bincount(val.labels).tolist() == [50] * 3
    assert all(wnid != words for wnid, words in zip(train.classes.wnids, train.classes.words, strict=True))
    for sample in (train[0], train[374], val[0], val[149]):
        with Image.open(io.BytesIO(sample.jpeg)) as image:
            assert image.size == (64, 64)
        assert sample.boxes.shape == (1, 4)
        assert (sample.boxes >= 0).all()
        assert (sample.boxes < 64).all()
        assert sample.box_labels.tolist() == [sample.label]


# What a directory can be told apart by


def test_a_fingerprint_follows_the_content_and_not_the_place(tiny, tmp_path):
    shutil.copytree(tiny / "train", tmp_path / "set/train")
    (tmp_path / "set/words.txt").write_text("no matter\n")
    expected = data.fingerprint(data.open(tiny, "train"))
    assert data.fingerprint(data.open(tmp_path / "set", "train")) == expected
    assert len(expected) == 12
    assert expected != data.fingerprint(data.open(tiny, "val"))


@pytest.mark.parametrize("change", ["longer", "renamed", "gone", "moved"])
def test_a_fingerprint_changes_with_any_image(tmp_path, change):
    class_folders(tmp_path, images=3)
    before = data.fingerprint(data.open(tmp_path, "train"))
    image = tmp_path / "train/a/a_1.JPEG"
    if change == "longer":
        image.write_text(image.read_text() + " ")
    elif change == "gone":
        image.unlink()
    else:
        image.rename(image.with_name("a_7.JPEG") if change == "renamed" else tmp_path / "train/b/a_1.JPEG")
    assert data.fingerprint(data.open(tmp_path, "train")) != before


def test_a_data_set_of_ones_own_has_a_fingerprint_too():
    class Own:
        classes = Classes(("a", "b"), ("a", "b"))

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return Sample(f"{index}", b"x" * index, index)

    assert len(data.fingerprint(Own())) == 12
    assert (data.name(Own()), data.description(Own()), data.credits(Own())) == ("unnamed", "", ())


def test_importing_the_package_imports_neither_numpy_nor_torch():
    code = "import sys, ilsvrc.data; print(sorted({'numpy', 'torch', 'scipy', 'PIL', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_twenty_thousand_images_are_listed_within_a_second(tmp_path):
    for wnid in range(100):
        (tmp_path / f"train/{wnid:03d}").mkdir(parents=True)
        for n in range(200):
            (tmp_path / f"train/{wnid:03d}/{wnid:03d}_{n}.JPEG").touch()
    fastest = []
    for _ in range(3):
        started = time.perf_counter()
        assert len(data.open(tmp_path, "train")) == 20_000
        fastest.append(time.perf_counter() - started)
    assert min(fastest) < 1
