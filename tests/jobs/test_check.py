"""Checking a data set: what is found, what is counted, and what the exit code says."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ilsvrc.cli import run
from ilsvrc.data.health import KNOWN, health
from ilsvrc.data.sample import Sample
from ilsvrc.errors import DataError
from ilsvrc.jobs.check import check

NOISE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


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
    }
    assert val.boxed == 39
    assert (tmp_path / "fix.txt").read_text().split() == ["val/ILSVRC2012_val_00000004", "val/ILSVRC2012_val_00000006"]
    assert "2 images cannot be used" in val.problems[0]
    assert any("1 images without boxes" in remark for remark in val.remarks)


def test_the_number_of_workers_does_not_change_the_report(damaged):
    assert check(str(damaged), workers=1).as_json() == check(str(damaged), workers=4).as_json()


def test_the_exit_code_says_whether_the_set_is_sound(tiny, damaged, capsys):
    assert run(["check", str(tiny), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sound"] is True
    assert run(["check", str(damaged), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["sound"] is False
    assert run(["check", str(damaged)]) == 1
    assert "not sound" in capsys.readouterr().out


def test_images_of_one_size_are_remarked(tmp_path):
    for wnid in ("n1", "n2"):
        (tmp_path / "train" / wnid).mkdir(parents=True)
        for k in range(3):
            (tmp_path / "train" / wnid / f"{wnid}_{k}.JPEG").write_bytes(encoded())
    (split,) = check(str(tmp_path)).splits
    assert any("60 by 40 pixels" in remark for remark in split.remarks)


def test_a_split_that_is_there_and_cannot_be_opened_is_a_problem(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "set")
    next((tmp_path / "set/val").iterdir()).unlink()
    report = check(str(tmp_path / "set"))
    assert "extract them again" in report.splits[1].problems[0]
    with pytest.raises(DataError, match="does not exist"):
        check(str(tmp_path / "nowhere"))
