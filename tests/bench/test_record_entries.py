"""The record of entries, as small as can be: part of a data set, one entry, the page and its numbers."""

import json
from pathlib import Path

import pytest

from ilsvrc import data
from ilsvrc.bench.record_entries import Wish, part, record
from ilsvrc.errors import SpecError
from ilsvrc.reports.progress import Watch

pytestmark = pytest.mark.slow


def test_a_part_has_every_so_manieth_class_and_so_many_images(tiny: Path, tmp_path: Path):
    part(str(tiny), tmp_path / "part", 5, 2)
    train, val = data.open(tmp_path / "part", "train"), data.open(tmp_path / "part", "val")
    whole = data.open(tiny, "val")
    assert train.classes.wnids == whole.classes.wnids[::4]
    assert train.classes.words == whole.classes.words[::4]
    assert len(train) == 10
    wanted = [whole[i].jpeg for i in range(len(whole)) if (whole[i].label or 0) % 4 == 0]
    assert sorted(val[i].jpeg for i in range(len(val))) == sorted(wanted)
    with pytest.raises(SpecError, match=r"21 classes are asked for and .* has 20"):
        part(str(tiny), tmp_path / "more", 21, 2)


def test_the_record_has_what_was_gained_beside_the_paper_and_says_how_to_repeat_it(tiny: Path, tmp_path: Path):
    wish = Wish(
        data=str(tiny), out=tmp_path / "results", work=tmp_path / "work", classes=20, images=3,
        entries=("zf-2013-1-big", "vgg-2014-d-e-multi"), epochs=1, width=0.05, device="cpu",
    )  # fmt: skip
    assert "2 entries" in record(wish, Watch(quiet=True))
    page = (tmp_path / "results" / "entries.md").read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "results" / "entries.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in numbers["entries"]] == list(wish.entries)
    assert "pictures" not in numbers
    assert "2 networks instead of the best of them" in page
    assert "7.10 %" in page
    assert "scripts/record_entries --data tiny-imagenet-200 --images 3 --entries zf-2013-1-big" in page
