"""Directories that contradict themselves: one sentence for each way, with the path and what to do."""

import os
import shutil

import pytest
from layouts import class_folders, put, tiny_imagenet

from ilsvrc import data
from ilsvrc.errors import DataError


def no_class(directory):
    (directory / "train").mkdir()


def images_and_no_class(directory):
    put(directory, "train/1.jpg", "train/2.jpg")


def one_class(directory):
    class_folders(directory, wnids="a")


def an_empty_class(directory):
    class_folders(directory)
    (directory / "train/c").mkdir()


def a_class_of_other_files(directory):
    put(class_folders(directory), "train/c/readme.txt")


def val_alone(directory):
    class_folders(directory, "val")


def a_flat_val_without_kit(directory):
    put(class_folders(directory), "val/1.jpg")


def an_empty_plain_folder(directory):
    pass


def a_single_image_in_a_plain_class(directory):
    put(directory, "a/1.jpg", "a/2.jpg", "b/3.jpg")


def a_folder_that_holds_the_set(directory):
    class_folders(directory / "tiny-imagenet-200")


def more_classes_in_val(directory):
    class_folders(class_folders(directory), "val", "abc")


def fewer_classes_in_val(directory):
    class_folders(class_folders(directory, wnids="abc"), "val", "ab")


def an_annotated_image_that_is_gone(directory):
    (tiny_imagenet(directory) / "val/images/val_1.JPEG").unlink()


def an_image_without_annotation(directory):
    put(tiny_imagenet(directory), "val/images/val_9.JPEG")


def an_annotation_of_no_class(directory):
    path = tiny_imagenet(directory) / "val/val_annotations.txt"
    path.write_text(path.read_text().replace("n01", "n03"))


def a_class_of_the_list_that_is_gone(directory):
    with open(tiny_imagenet(directory) / "wnids.txt", "a") as file:
        file.write("n03\n")


def a_short_annotation(directory):
    path = tiny_imagenet(directory) / "val/val_annotations.txt"
    path.write_text(path.read_text() + "val_0.JPEG\tn01\n")


def an_annotation_with_a_wordy_box(directory):
    path = tiny_imagenet(directory) / "val/val_annotations.txt"
    path.write_text(path.read_text().replace("62", "wide"))


def an_empty_test(directory):
    class_folders(directory)
    (directory / "test").mkdir()


WRONG = [
    (no_class, "train", r"train holds no class folders; put"),
    (images_and_no_class, "train", r"train holds 2 images and no class folders; put"),
    (one_class, "train", r"train holds only one class, a; two or more"),
    (an_empty_class, "train", r"train has no image in c of its 3 classes; put"),
    (a_class_of_other_files, "train", r"train has no image in c of its 3 classes; put"),
    (val_alone, "train", r"has val but no folder train/; put"),
    (class_folders, "val", r"has train but no folder val/; put"),
    (class_folders, "test", r"has train but no folder test/; put"),
    (class_folders, "trian", r"no split is called 'trian'"),
    (a_flat_val_without_kit, "val", r"no devkit/data with meta.mat .*; extract the development kit"),
    (an_empty_plain_folder, "train", r"holds no class folders; put"),
    (a_single_image_in_a_plain_class, "train", r"only one image in b; .*needs two"),
    (a_folder_that_holds_the_set, "train", r"holds tiny-imagenet-200, which holds train; give .*tiny-imagenet-200"),
    (more_classes_in_val, "val", r"c more; make the two the same"),
    (fewer_classes_in_val, "val", r"c fewer; make the two the same"),
    (an_annotated_image_that_is_gone, "val", r"names val_1.JPEG, not found in .*images; extract"),
    (an_image_without_annotation, "val", r"holds val_9.JPEG, not named in .*val_annotations.txt"),
    (an_annotation_of_no_class, "val", r"n03 more and n01 fewer; make the two the same"),
    (a_class_of_the_list_that_is_gone, "train", r"than the 3 of wnids.txt: n03 fewer; make"),
    (a_short_annotation, "val", r"line 3 of .*val_annotations.txt has 2 fields, 6 are wanted"),
    (an_annotation_with_a_wordy_box, "val", r"the box of val_0.JPEG in .* not four whole numbers"),
    (an_empty_test, "test", r"test holds no class folders"),
]


@pytest.mark.parametrize(
    ("make", "split", "words"), WRONG, ids=[f"{make.__name__}-{split}" for make, split, _ in WRONG]
)
def test_a_wrong_directory_is_refused_in_a_sentence_with_its_path(tmp_path, make, split, words):
    make(tmp_path)
    with pytest.raises(DataError, match=words) as caught:
        data.open(tmp_path, split)
    assert str(tmp_path) in str(caught.value) or split == "trian"
    assert "\n" not in str(caught.value)


def test_a_missing_directory_and_a_file_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist; give the directory"):
        data.open(tmp_path / "nowhere", "train")
    put(tmp_path, "file")
    with pytest.raises(DataError, match=r"file is a file, and neither a tar nor a zip; give the directory"):
        data.open(tmp_path / "file", "train")


def test_the_test_split_of_a_plain_folder_is_refused(tmp_path):
    put(tmp_path, "a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg")
    with pytest.raises(DataError, match="divided into train and val; ask for those"):
        data.open(tmp_path, "test")


@pytest.mark.parametrize("damage", ["image", "line", "id", "words"])
def test_a_flat_val_that_contradicts_its_kit_is_refused(tiny, tmp_path, damage):
    for part in ("val", "devkit"):
        shutil.copytree(tiny / part, tmp_path / part)
    truth = tmp_path / "devkit/data/ILSVRC2012_validation_ground_truth.txt"
    if damage == "image":
        (tmp_path / "val/ILSVRC2012_val_00000007.JPEG").unlink()
    else:
        lines = truth.read_text().splitlines()
        lines[:1] = {"line": [lines[0], "1"], "id": ["21"], "words": ["cat"]}[damage]
        truth.write_text("\n".join(lines))
    words = {"image": "39 images and .* 40 lines", "line": "40 images and .* 41 lines", "id": "ids from 1 to 21"}
    with pytest.raises(DataError, match=words.get(damage, "line 1 is 'cat', not whole numbers")):
        data.open(tmp_path, "val")


def test_a_train_folder_unlike_the_kit_is_refused_for_val(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "set")
    shutil.rmtree(tmp_path / "set/train/n90010001")
    with pytest.raises(DataError, match=r"n90010001 more; make the two the same"):
        data.open(tmp_path / "set", "val")


def test_an_image_that_went_after_listing_is_named(tmp_path):
    dataset = data.open(class_folders(tmp_path), "train")
    (tmp_path / "train/a/a_0.JPEG").unlink()
    with pytest.raises(DataError, match=r"a_0.JPEG was listed and cannot be read \(No such file"):
        dataset[0]
    with pytest.raises(DataError, match=r"a_0.JPEG was listed and is gone"):
        data.fingerprint(dataset)


def test_a_link_to_nothing_is_an_error_and_not_a_smaller_set(tmp_path):
    class_folders(tmp_path)
    (tmp_path / "train/a/lost.jpg").symlink_to(tmp_path / "nowhere")
    dataset = data.open(tmp_path, "train")
    assert len(dataset) == 5
    with pytest.raises(DataError, match=r"lost\.jpg"):
        dataset[dataset.names.index("lost")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path):
    dataset = data.open(class_folders(tmp_path), "train")
    (tmp_path / "train/a/a_0.JPEG").chmod(0)
    with pytest.raises(DataError, match=r"a_0.JPEG .*Permission denied"):
        dataset[0]
    (tmp_path / "train/a").chmod(0)
    with pytest.raises(DataError, match=r"train/a cannot be listed \(Permission denied\); make it readable"):
        data.open(tmp_path, "train")
    (tmp_path / "train/a").chmod(0o755)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    class_folders(tmp_path)

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot be listed \(Permission denied\); make it readable"):
        data.open(tmp_path, "train")


def test_a_box_of_a_class_that_is_not_there_is_refused(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "set")
    path = tmp_path / "set/bbox/val/ILSVRC2012_val_00000001.xml"
    path.write_text(path.read_text().replace("<name>n9", "<name>n0"))
    with pytest.raises(DataError, match=r"is of n0[0-9]+, which is none of the 20 classes"):
        data.open(tmp_path / "set", "val")[0]


def test_a_damaged_box_file_is_refused(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "set")
    (tmp_path / "set/bbox/val/ILSVRC2012_val_00000001.xml").write_text("<annotation>")
    with pytest.raises(DataError, match=r"ILSVRC2012_val_00000001.xml"):
        data.open(tmp_path / "set", "val")[0]
