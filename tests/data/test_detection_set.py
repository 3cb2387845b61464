"""The detection set in every form it is distributed in: the same boxes, labels, names and order."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from archives import tar_of, tar_of_tars
from test_archives import files_of, gz_of, official

from ilsvrc import data
from ilsvrc.data import imagenet
from ilsvrc.data.annotations import read_boxes
from ilsvrc.data.devkit import read_synsets
from ilsvrc.errors import DataError
from ilsvrc.jobs.pack import Packing, pack

SPLITS = ("train", "val", "test")
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "devkit"
LATER = "ILSVRC2014_train_00000005"  # from this image on train is laid down as of 2014, before as of 2013


@pytest.fixture(scope="module")
def det(tiny, tmp_path_factory):
    """The mini detection set with train as in 2014: by class what is of 2013, by number what was new."""
    place = tmp_path_factory.mktemp("det") / "set"
    shutil.copytree(tiny / "det", place)
    for folder, suffix in ((place / "train", ".JPEG"), (place / "bbox/train", ".xml")):
        for file in sorted(folder.rglob(f"*{suffix}")):
            if file.stem < LATER:
                (folder / "n90010001").mkdir(exist_ok=True)
                file.rename(folder / "n90010001" / file.name)
    return place


def as_it_is(det: Path, out: Path) -> Path:
    return det


def archives(det: Path, out: Path) -> Path:
    """The archives under the names of image-net.org; boxes of both years of train are in one."""
    tar_of_tars(out / "ILSVRC2013_DET_train.tar", {"n90010001": files_of(det / "train/n90010001")})
    new = files_of(det / "train/ILSVRC2014_train_0000")
    inner = {f"ILSVRC2014_train_0000/{name}": content for name, content in new.items()}
    tar_of_tars(out / "ILSVRC2014_DET_train.tar", {"ILSVRC2014_train_0000": inner})
    tar_of(out / "ILSVRC2013_DET_val.tar", {f"ILSVRC2013_DET_val/{n}": b for n, b in files_of(det / "val").items()})
    tar_of(out / "ILSVRC2013_DET_test.tar", files_of(det / "test"))
    gz_of(out / "ILSVRC2014_DET_bbox_train.tgz", (det / "bbox/train", "bbox_train"))
    gz_of(out / "ILSVRC2013_DET_bbox_val.tgz", (det / "bbox/val", "ILSVRC2013_DET_bbox_val"))
    gz_of(out / "ILSVRC2014_devkit.tgz", (det / "devkit", "ILSVRC2014_devkit"))
    return out


def one_archive(det: Path, out: Path) -> Path:
    return archives(det, out) / "ILSVRC2013_DET_val.tar"


def extracted(det: Path, out: Path) -> Path:
    """Each archive extracted into a folder of its name."""
    for folder in ("n90010001", "ILSVRC2014_train_0000"):
        shutil.copytree(det / "train" / folder, out / f"ILSVRC201{3 + (folder[0] == 'I')}_DET_train" / folder)
    for split in ("val", "test"):
        shutil.copytree(det / split, out / f"ILSVRC2013_DET_{split}")
    shutil.copytree(det / "bbox/train", out / "ILSVRC2014_DET_bbox_train/bbox_train")
    shutil.copytree(det / "bbox/val", out / "ILSVRC2013_DET_bbox_val")
    shutil.copytree(det / "devkit", out / "ILSVRC2014_devkit")
    return out


def tree(det: Path, out: Path, top: str = "ILSVRC") -> Path:
    """The tree of 2015 and 2017."""
    for part, source in (("Data", det), ("Annotations", det / "bbox")):
        at = out / "set" / top / part / "DET"
        shutil.copytree(source / "train/n90010001", at / "train/ILSVRC2013_train/n90010001")
        shutil.copytree(source / "train/ILSVRC2014_train_0000", at / "train/ILSVRC2014_train_0000")
        shutil.copytree(source / "val", at / "val")
    shutil.copytree(det / "test", out / "set" / top / "Data/DET/test")
    shutil.copytree(det / "devkit/data/det_lists", out / "set" / top / "ImageSets/DET")
    shutil.copytree(det / "devkit", out / "set/devkit")
    return out / "set"


def tree_of_2015(det: Path, out: Path) -> Path:
    return tree(det, out, "ILSVRC2015")


def tree_by_its_folder(det: Path, out: Path) -> Path:
    """Beside the classification images, which are opened by the path of the whole tree."""
    root = tree(det, out)
    shutil.copytree(det / "val", root / "ILSVRC/Data/CLS-LOC/val")
    with pytest.raises(DataError, match=r"LOC_synset_mapping|ground_truth"):
        data.open(root, "val")
    return root / "ILSVRC/Data/DET"


def tree_in_one_archive(det: Path, out: Path) -> Path:
    root = tree(det, out)
    return gz_of(out / "ILSVRC2017_DET.tar.gz", (root / "ILSVRC", "ILSVRC"), (root / "devkit", "devkit"))


FORMS = (as_it_is, archives, one_archive, extracted, tree, tree_of_2015, tree_by_its_folder, tree_in_one_archive)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_gives_the_same_samples(tiny, det, tmp_path, form):
    path = form(det, tmp_path)
    for split in SPLITS:
        found, wanted = data.open(path, split), data.open(tiny / "det", split)
        assert found.classes == wanted.classes
        assert data.fingerprint(found) == data.fingerprint(wanted)
        for k in range(len(wanted)):
            one, other = found[k], wanted[k]
            assert (one.name, one.jpeg, one.label) == (other.name, other.jpeg, None)
            assert np.array_equal(one.boxes, other.boxes)
            assert np.array_equal(one.box_labels, other.box_labels)
        assert data.open(path, split, boxes=False)[0].boxes is None
        assert found.lacking == ()


def test_packed_it_is_the_same(tiny, tmp_path):
    pack(str(tiny / "det"), tmp_path, Packing(), SPLITS)
    for split in SPLITS:
        found, wanted = data.open(tmp_path, split), data.open(tiny / "det", split)
        assert data.fingerprint(found) == data.fingerprint(wanted)
        for k in range(len(wanted)):
            assert (found[k].name, found[k].label) == (wanted[k].name, None)
            assert np.array_equal(found[k].boxes, wanted[k].boxes)
            assert np.array_equal(found[k].box_labels, wanted[k].box_labels)


def test_boxes_and_labels_are_those_of_the_box_files(tiny):
    dataset, wnids = data.open(tiny / "det", "val"), read_synsets(tiny / "det/devkit/data/meta_det.mat").sorted_wnids
    wanted = read_boxes(tiny / "det/bbox/val")
    assert tuple(dataset.names) == wanted.names
    for place, sample in enumerate(map(dataset.__getitem__, range(len(dataset)))):
        mine = np.flatnonzero(wanted.image == place)
        assert sample.boxes.tolist() == wanted.box[mine].tolist()
        assert [wnids[label] for label in sample.box_labels] == [wanted.wnids[k] for k in mine]


def test_where_both_tasks_lie_together_an_archive_of_detection_asks_for_it(tiny, det, tmp_path):
    official(tiny, tmp_path)
    archives(det, tmp_path)
    assert data.open(tmp_path, "val")[0].label is not None
    assert data.fingerprint(data.open(tmp_path, "train")) == data.fingerprint(data.open(tiny, "train"))
    found = data.open(tmp_path / "ILSVRC2013_DET_test.tar", "val")
    assert data.fingerprint(found) == data.fingerprint(data.open(tiny / "det", "val"))


def test_without_a_kit_the_classes_are_the_challenges_two_hundred(tiny, tmp_path):
    tar_of(tmp_path / "ILSVRC2013_DET_val.tar", files_of(tiny / "det/val"))
    dataset = data.open(tmp_path, "val")
    assert dataset.classes == imagenet.detection_classes()
    assert len(dataset.classes) == 200
    assert dataset[0].boxes is None
    with pytest.raises(DataError, match="no folder train/"):
        data.open(tmp_path, "train")


def test_an_image_without_a_box_file_has_no_boxes_and_one_without_objects_has_none_in_it(det, tmp_path):
    shutil.copytree(det, tmp_path / "set")
    first, second = sorted((tmp_path / "set/bbox/val").iterdir())[:2]
    first.unlink()
    second.write_text("<annotation><filename>a</filename></annotation>")
    dataset = data.open(tmp_path / "set", "val")
    assert dataset[0].boxes is None
    assert dataset[1].boxes.shape == (0, 4)


def test_images_that_the_kit_lists_and_that_lack_are_named(det, tmp_path):
    shutil.copytree(det, tmp_path / "set")
    gone = sorted((tmp_path / "set/val").iterdir())[3]
    gone.unlink()
    dataset = data.open(tmp_path / "set", "val")
    assert dataset.lacking == (gone.stem,)
    assert "1 images of val.txt are not there" in dataset.description


def test_a_box_of_a_synset_under_a_class_is_of_the_class(det, tmp_path):
    """The kit of 2014 has such synsets in its table; the mini set's classes have none under them, so one is made."""
    from scipy.io import savemat

    shutil.copytree(det, tmp_path / "set")
    rows = [(1, "n90010001", "a", "", [3]), (2, "n90010002", "b", "", []), (3, "n90010003", "kind of a", "", [])]
    table = np.empty(3, [(name, object) for name in ("ILSVRC2013_DET_ID", "WNID", "name", "description", "children")])
    table[:] = rows
    savemat(tmp_path / "set/devkit/data/meta_det.mat", {"synsets": table})
    file = sorted((tmp_path / "set/bbox/val").iterdir())[0]
    box = "<bndbox><xmin>1</xmin><xmax>2</xmax><ymin>3</ymin><ymax>4</ymax></bndbox>"
    file.write_text(f"<annotation><object><name>n90010003</name>{box}</object></annotation>")
    dataset = data.open(tmp_path / "set", "val")
    assert dataset.classes.wnids == ("n90010001", "n90010002")
    assert dataset[0].box_labels.tolist() == [0]


def test_a_tree_of_several_tasks_with_an_unknown_split_is_refused(tiny):
    with pytest.raises(DataError, match="no split is called"):
        data.open(tiny / "det", "training")


def test_a_damaged_box_file_is_refused_by_its_path(det, tmp_path):
    archives(det, tmp_path)
    with tarfile.open(tmp_path / "ILSVRC2013_DET_bbox_val.tgz", "w:gz") as archive:
        (tmp_path / "x").write_text("<annotation><object></annotation>")
        archive.add(tmp_path / "x", "ILSVRC2013_DET_bbox_val/ILSVRC2013_val_00000001.xml")
    dataset = data.open(tmp_path, "val")
    with pytest.raises(DataError, match=r"ILSVRC2013_val_00000001\.xml is not well-formed"):
        dataset[0]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the official kits' files are not beside the project")
def test_the_table_of_detection_classes_is_the_kits(tmp_path):
    synsets = read_synsets(SHARED / "meta_det.mat")
    assert imagenet.detection_classes().wnids == synsets.sorted_wnids
    counts = {record.wnid: record.train_images for record in read_synsets(SHARED / "ILSVRC2012_meta.mat").records}
    assert imagenet.train_images().tolist() == [counts[wnid] for wnid in imagenet.classes().wnids]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the official kits' files are not beside the project")
def test_the_official_boxes_of_val2_open_in_place_with_the_kits_classes(tmp_path):
    """The real box archive beside a val that names some of its images, which are not here: their bytes are empty."""
    boxes = read_boxes(SHARED / "ilsvrc13_det_val2_bbox.tar.gz")
    tar_of(tmp_path / "ILSVRC2013_DET_val.tar", {f"{name}.JPEG": b"" for name in boxes.names[:300]})
    shutil.copy(SHARED / "ilsvrc13_det_val2_bbox.tar.gz", tmp_path / "ILSVRC2013_DET_bbox_val.tgz")
    (tmp_path / "kit/data/det_lists").mkdir(parents=True)
    shutil.copy(SHARED / "meta_det.mat", tmp_path / "kit/data")
    shutil.copy(SHARED / "det_lists/val.txt", tmp_path / "kit/data/det_lists")
    gz_of(tmp_path / "ILSVRC2014_devkit.tgz", (tmp_path / "kit", "ILSVRC2014_devkit"))
    dataset = data.open(tmp_path, "val")
    assert len(dataset.lacking) == 20_121 - 300
    for place in range(300):
        sample = dataset[place]
        mine = np.flatnonzero(boxes.image == place)
        assert sample.name == boxes.names[place]
        assert sample.boxes.tolist() == boxes.box[mine].astype(int).tolist()
        assert [dataset.classes.wnids[label] for label in sample.box_labels] == [boxes.wnids[k] for k in mine]
