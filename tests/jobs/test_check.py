"""Checking a data set: what is found, what is counted, and what the exit code says."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ilsvrc import data
from ilsvrc.cli import run
from ilsvrc.data import imagenet
from ilsvrc.data.devkit import read_ground_truth, read_synsets
from ilsvrc.data.health import KNOWN, health
from ilsvrc.data.sample import Sample
from ilsvrc.errors import DataError
from ilsvrc.jobs import check as job
from ilsvrc.jobs.check import check
from ilsvrc.jobs.check_order import Order
from ilsvrc.jobs.pack import Packing, pack

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "devkit"

NOISE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


def tar_of(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def encoded(form="JPEG", mode="RGB", **more) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(buffer, form, **more)
    return buffer.getvalue()


def oddities(jpeg: bytes) -> tuple[str, ...]:
    return health(Sample("x", jpeg, 0)).oddities


def test_a_usual_photograph_is_not_odd_and_a_grey_one_neither():
    assert oddities(encoded()) == oddities(encoded(mode="L")) == ()


@pytest.mark.parametrize(
    ("jpeg", "said"),
    [
        (encoded("PNG"), ("png",)),
        (encoded(mode="CMYK"), ("cmyk",)),
        (encoded(exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x7f"), ("exif",)),
        (encoded()[:-600], ("truncated",)),
        (encoded()[:100], ("undecodable",)),
        (b"", ("empty",)),
        (b"not an image", ("undecodable",)),
    ],
)
def test_an_odd_image_is_told_by_its_oddity(jpeg, said):
    assert oddities(jpeg) == said


def test_an_enormous_image_is_not_decoded():
    jpeg = bytearray(encoded())
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = b"\xff\xff\xff\xff"  # 65,535 by 65,535 pixels
    assert oddities(bytes(jpeg)) == ("enormous",)


def test_the_known_odd_files_are_the_challenges():
    assert {oddity: len(names) for oddity, names in KNOWN.items()} == {"png": 1, "exif": 1, "cmyk": 22}


def test_a_whole_set_is_sound(tiny):
    report = check(str(tiny), workers=2)
    assert report.sound
    assert [(split.split, split.images, split.boxed) for split in report.splits] == [
        ("train", 60, 60),
        ("val", 40, 40),
        ("test", 40, 0),
    ]
    assert (report.splits[1].fewest, report.splits[1].most) == (2, 2)
    assert not any(split.odd for split in report.splits)


@pytest.fixture
def damaged(tiny, tmp_path):
    """A copy with a truncated, an empty and a CMYK image, and one without boxes."""
    shutil.copytree(tiny, tmp_path / "set")
    images = sorted((tmp_path / "set/val").iterdir())
    images[3].write_bytes(images[3].read_bytes()[:-400])
    images[5].write_bytes(b"")
    images[7].write_bytes(encoded(mode="CMYK"))
    (tmp_path / f"set/bbox/val/{images[9].stem}.xml").unlink()
    return tmp_path / "set"


def test_bad_images_are_problems_and_odd_ones_are_remarks(damaged, tmp_path):
    report = check(str(damaged), fix_list=tmp_path / "fix.txt")
    val = report.splits[1]
    assert not report.sound
    assert val.odd == {
        "truncated": ["ILSVRC2012_val_00000004"],
        "empty": ["ILSVRC2012_val_00000006"],
        "cmyk": ["ILSVRC2012_val_00000008"],
        "box": ["ILSVRC2012_val_00000008"],  # which is of another size than the image it stands for
    }
    assert val.unboxed == ["ILSVRC2012_val_00000010"]
    assert set(val.details) == set(val.leave_out)
    assert val.boxed == 39
    assert (tmp_path / "fix.txt").read_text().split() == ["val/ILSVRC2012_val_00000004", "val/ILSVRC2012_val_00000006"]
    assert "2 images cannot be used" in val.problems[0]
    assert any("1 images without boxes: ILSVRC2012_val_00000010" in remark for remark in val.remarks)


def test_the_number_of_workers_does_not_change_the_report(damaged):
    assert check(str(damaged), workers=1).as_json() == check(str(damaged), workers=4).as_json()


def test_the_exit_code_says_whether_the_set_is_sound(tiny, damaged, capsys):
    assert run(["check", str(tiny), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sound"] is True
    assert run(["check", str(damaged), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["sound"] is False
    assert run(["check", str(damaged)]) == 1
    assert "not sound" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (((60, 40),), "60 by 40 pixels"),
        (((60, 40), (40, 50)), "a shorter side of 40 pixels"),
        (((60, 40), (30, 60)), "a longer side of 60 pixels"),
    ],
)
def test_images_that_were_resized_before_are_remarked(tmp_path, sizes, said):
    for wnid in ("n1", "n2"):
        (tmp_path / "train" / wnid).mkdir(parents=True)
        for k in range(4):
            width, height = sizes[k % len(sizes)]
            buffer = io.BytesIO()
            Image.new("RGB", (width, height)).save(buffer, "JPEG")
            (tmp_path / "train" / wnid / f"{wnid}_{k}.JPEG").write_bytes(buffer.getvalue())
    (split,) = check(str(tmp_path)).splits
    assert any(f"8 images have {said}: resized before" in remark for remark in split.remarks)


# Counts and the order of labels


def labelled(tmp_path, labels, wnids=("n01440764", "n01443537", "n01484850")):
    """WebDataset shards of images called by their class, with these labels for each."""
    files = {}
    for place, wnid in enumerate(wnids):
        for k in range(2):
            files |= {f"{wnid}_{k}.jpg": encoded(), f"{wnid}_{k}.cls": str(labels[place]).encode()}
    tar_of(tmp_path / "x-train-0.tar", files)
    return tmp_path


def problems(path, split=0):
    return check(str(path)).splits[split].problems


def test_labels_in_another_order_than_the_names_say_are_a_problem(tmp_path):
    (tmp_path / "synsets.txt").write_text("n01440764\nn01443537\nn01484850\n")
    assert problems(labelled(tmp_path, (0, 1, 2))) == []
    (said,) = problems(labelled(tmp_path, (1, 0, 2)))
    assert "4 labels contradict what the image's name or boxes say (n01440764_0, n01440764_1" in said
    assert "the label 1, which is n01443537, and is of n01440764" in said


def test_labels_without_a_list_must_rise_with_the_names(tmp_path):
    assert problems(labelled(tmp_path, (0, 1, 2))) == []
    assert "do not follow the sorted WordNet ids" in problems(labelled(tmp_path, (2, 1, 0)))[0]


def test_labels_by_the_kits_numbers_or_from_1_are_told_as_such(tmp_path):
    classes, kit = imagenet.classes().wnids, imagenet.devkit_places()
    (tmp_path / "synsets.txt").write_text("".join(f"{wnid}\n" for wnid in classes))
    chosen = (5, 77, 402)
    for labels, said in (
        ([kit[k] for k in chosen], "are the kit's numbers less one"),
        ([kit[k] + 1 for k in chosen], "are the kit's numbers, from 1"),
        ([k + 1 for k in chosen], "count from 1"),
    ):
        found = problems(labelled(tmp_path, labels, [classes[k] for k in chosen]))
        assert any(said in problem for problem in found)


def test_a_label_that_no_box_of_the_image_has_is_a_problem(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "set")
    truth = tmp_path / "set/devkit/data/ILSVRC2012_validation_ground_truth.txt"
    lines = truth.read_text().split()
    truth.write_text("\n".join(lines[1:] + lines[:1]))
    (problem,) = problems(tmp_path / "set", 1)
    assert "labels contradict what the image's name or boxes say" in problem


def test_shards_whose_labels_contradict_their_json_are_refused(tiny, tmp_path):
    pack(str(tiny), tmp_path / "out", Packing(), ("val",))
    said = json.loads((tmp_path / "out/classes.json").read_text())
    said["wnids"][:2] = said["wnids"][1::-1]
    (tmp_path / "out/classes.json").write_text(json.dumps(said))
    (tmp_path / "out/val.table.npz").unlink()
    with pytest.raises(DataError, match="labels are positions among the 20 sorted WNIDs"):
        check(str(tmp_path / "out"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the official kits' files are not beside the project")
def test_the_challenges_own_labels_are_known_in_every_order():
    truth = read_ground_truth(SHARED / "ILSVRC2012_validation_ground_truth.txt")[:, 0]
    right = read_synsets(SHARED / "ILSVRC2012_meta.mat").labels[truth]
    for labels, said in (
        (right, None),
        (truth - 1, "the kit's numbers less one"),
        (np.roll(right, 1), "not the challenge's, in this order"),
    ):
        order = Order(imagenet.classes().wnids)
        for label in labels.tolist():
            order.note("x", (), label)
        found = order.problems("val")
        assert (found == []) if said is None else said in found[0]


class Counted:
    """A data set of the challenge's classes, so many images each."""

    def __init__(self, counts):
        self.classes = imagenet.classes()
        self.labels = np.repeat(np.arange(1000), counts).tolist()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return Sample(str(index), b"", self.labels[index])


def test_counts_are_compared_with_the_challenges_class_by_class():
    assert imagenet.train_images().sum() == 1_281_167
    assert (imagenet.train_images().min(), imagenet.train_images().max()) == (732, 1300)
    counts = np.full(1000, 50)
    assert job._counted("val", Counted(counts)).problems == []
    counts[3] = 49
    report = job._counted("val", Counted(counts))
    assert report.fewer == {imagenet.classes().wnids[3]: (49, 50)}
    assert "49,999 images; the challenge has 50,000 in val" in report.problems[0]
    assert "49 of 50" in report.problems[1]


def test_the_detection_set_is_checked_by_its_list_and_boxes(tiny, tmp_path):
    report = check(str(tiny / "det"))
    assert report.sound
    assert [(split.images, split.boxed) for split in report.splits] == [(15, 15), (10, 10), (10, 0)]
    assert report.splits[1].boxes > 20
    shutil.copytree(tiny / "det", tmp_path / "det")
    (tmp_path / "det/val/ILSVRC2013_val_00000004.JPEG").unlink()
    (problem,) = problems(tmp_path / "det", 1)
    assert problem == "1 images that the kit lists are not there: ILSVRC2013_val_00000004"


def test_a_damaged_box_file_is_said_in_its_own_words(damaged, tmp_path):
    file = sorted((damaged / "bbox/val").iterdir())[0]
    file.write_text("<!DOCTYPE annotation><annotation/>")
    report = check(str(damaged)).splits[1]
    assert report.odd["unreadable"] == [file.stem]
    assert "declares a document type" in report.details[file.stem]


# What the list is for


def test_images_on_the_fix_list_are_left_out_when_packing(damaged, tmp_path):
    check(str(damaged), fix_list=tmp_path / "fix.txt")
    assert run(["pack", str(damaged), str(tmp_path / "out"), "--leave-out", str(tmp_path / "fix.txt")]) == 0
    names = list(data.open(tmp_path / "out", "val").names)
    assert len(names) == 38
    assert not {"ILSVRC2012_val_00000004", "ILSVRC2012_val_00000006"} & set(names)
    assert check(str(tmp_path / "out")).sound
    (tmp_path / "fix.txt").write_text("val/none\n")
    with pytest.raises(DataError, match=r"fix\.txt names none, which is no image"):
        pack(str(damaged), tmp_path / "new", Packing(), ("val",), leave_out=tmp_path / "fix.txt")
    (tmp_path / "fix.txt").write_text("none\n")
    with pytest.raises(DataError, match=r"line 1 of .*fix\.txt is 'none', not split/name"):
        pack(str(damaged), tmp_path / "new", Packing(), ("val",), leave_out=tmp_path / "fix.txt")


def test_a_split_that_is_there_and_cannot_be_opened_is_a_problem(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "set")
    next((tmp_path / "set/val").iterdir()).unlink()
    report = check(str(tmp_path / "set"))
    assert "extract them again" in report.splits[1].problems[0]
    with pytest.raises(DataError, match="does not exist"):
        check(str(tmp_path / "nowhere"))
