"""Proposals computed, kept and used: the command, a race of R-CNN's miniature, photographs; and what is refused."""

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small import BENCH, QUIET

from ilsvrc.cli import run
from ilsvrc.data.proposals import find_proposals, read_proposals
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs import propose as job
from ilsvrc.jobs.detect_feed import other_search
from ilsvrc.jobs.detect_race import seats
from ilsvrc.jobs.propose import propose, search_of
from ilsvrc.jobs.race import race
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.spec import Detector, Search

pytestmark = pytest.mark.slow

KEY = "googlenet-2014-det"
SMALL = Search(width=64, superpixels=(100,), least_side=10)
needs_opencv = pytest.mark.skipif(importlib.util.find_spec("cv2") is None, reason="needs the extra proposals")


@pytest.fixture
def det(tiny: Path, tmp_path: Path) -> Path:
    """The detection variant of the tiny set, to be written beside."""
    return Path(shutil.copytree(tiny / "det", tmp_path / "det"))


@pytest.fixture(scope="module")
def raced(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data and the folder of a race of R-CNN's miniature."""
    data = Path(shutil.copytree(tiny, tmp_path_factory.mktemp("data") / "tiny"))
    out = tmp_path_factory.mktemp("race")
    wishes = Wishes(tasks=("detection",), names=(KEY,), epochs=1, width=0.1)
    race(str(data), out, wishes, BENCH, QUIET, command="ilsvrc race of the tests")
    return data, out


@needs_opencv
def test_r_cnn_s_miniature_races_on_proposals_that_are_computed_once(raced: tuple[Path, Path]):
    data, out = raced
    given = read_proposals(data / "det" / "proposals" / "train.npz")
    assert given.check(path.stem for path in (data / "det" / "train").rglob("*.JPEG")) == ""
    assert {path.name for path in (data / "det" / "proposals").iterdir()} == {
        *("train.npz", "train.json", "val.npz", "val.json")
    }
    (entry,) = json.loads((out / "results.json").read_text())["entries"]
    assert (entry["key"], entry["name"]) == (KEY, "googlenet")
    assert "R-CNN, GoogLeNet" in (out / "report.html").read_text()
    assert not propose(str(data), "val", search_of(KEY, "miniature")).new


@needs_opencv
def test_detect_computes_the_proposals_of_a_photograph_or_reads_them(
    raced: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data, out = raced
    image = min((data / "det" / "val").rglob("*.JPEG"))
    words = ["detect", str(image), "--run", str(out / "runs" / f"{KEY}.0"), "--out", str(tmp_path / "drawn")]
    words += ["--least", "0", "--device", "cpu", "--json"]
    assert run(words) == 0
    computed = json.loads(capsys.readouterr().out)
    assert Path(computed[0]["drawing"]).read_bytes().startswith(b"\x89PNG")
    assert run([*words, "--proposals", str(data / "det" / "proposals" / "val.npz")]) == 0
    assert json.loads(capsys.readouterr().out) == computed
    assert run([*words, "--proposals", str(data / "det" / "proposals" / "train.npz")]) == 1
    assert "has no proposals of" in capsys.readouterr().out


@needs_opencv
def test_the_command_writes_both_splits_and_does_nothing_twice(det: Path, capsys: pytest.CaptureFixture[str]):
    words = ["proposals", str(det), "--recipe", "miniature", "--workers", "2"]
    assert run(words) == 0
    first = capsys.readouterr().out
    assert "train.npz" in first
    assert "val.npz" in first
    assert "computed" in first
    assert run(words) == 0
    assert capsys.readouterr().out == first.replace("computed", "stand already")
    assert run([*words[:2], "--splits", "val"]) == 1
    assert "search.least_side = 10, and 20 is asked now; delete val.npz" in " ".join(capsys.readouterr().err.split())


@needs_opencv
def test_the_note_of_proposals_tells_the_search_of_another_entry(det: Path):
    propose(str(det), "val", SMALL)
    given, how = find_proposals(det, "val"), Detector(classifier="", kind="r-cnn")
    assert other_search(given, replace(how, search=SMALL)) == ""
    words = "val.npz has proposals of another search than the entry's: least_side = 10, and the entry has 20"
    assert other_search(given, how) == words, "one without a search of its own has the defaults"
    given.path.with_suffix(".json").unlink()
    assert other_search(find_proposals(det, "val"), how) == "", "of proposals from elsewhere nothing is known"


@needs_opencv
def test_a_search_that_stops_goes_on_to_the_same_file(det: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(job, "PART", 4)

    def stop(done: int, of: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        propose(str(det), "train", SMALL, 2, stop)
    folder = det / "proposals"
    assert not (folder / "train.npz").exists()
    assert len([*(folder / "train.parts").glob("*.npz")]) == 2
    with pytest.raises(DataError, match=r"superpixels = .* is asked now; give the same words, or delete"):
        propose(str(det), "train", Search(width=64, superpixels=(50,), least_side=10))
    searched = []
    true = job.searched
    monkeypatch.setattr(job, "searched", lambda pixels, how: searched.append(1) or true(pixels, how))
    done = propose(str(det), "train", SMALL)
    assert len(searched) == done.images - 8
    again = read_proposals(done.path).boxes
    done.path.unlink()
    whole = read_proposals(propose(str(det), "train", SMALL).path).boxes
    assert again.keys() == whole.keys()
    assert all(np.array_equal(again[name], whole[name]) for name in whole)


@needs_opencv
def test_an_image_that_cannot_be_decoded_has_none_and_is_counted(det: Path):
    bad = min((det / "val").rglob("*.JPEG"))
    bad.write_bytes(b"no image")
    done = propose(str(det), "val", SMALL)
    assert done.bad == (bad.stem,)
    assert bad.stem not in read_proposals(done.path).boxes
    assert "1 images cannot be decoded" in str(done)


def test_proposals_from_elsewhere_are_not_written_over(det: Path):
    (det / "proposals").mkdir()
    (det / "proposals" / "val.mat").write_bytes(b"somebody's")
    with pytest.raises(DataError, match=r"val\.mat stands there and was not computed by this command"):
        propose(str(det), "val", SMALL)


def test_without_opencv_nothing_is_begun(det: Path, monkeypatch: pytest.MonkeyPatch):
    def absent() -> None:
        raise SpecError("not installed")

    monkeypatch.setattr(job, "opencv", absent)
    with pytest.raises(SpecError, match="not installed"):
        propose(str(det), "val", SMALL)
    assert not (det / "proposals").exists()


def test_an_entry_without_given_proposals_and_a_faster_r_cnn_say_so():
    with pytest.raises(SpecError, match=f"msra-2015-det takes no proposals that are given; those that do: {KEY}"):
        search_of("msra-2015-det", "paper")
    assert search_of(KEY, "paper") == Search(superpixels=(100, 200)), "superpixels of twice the size"


def test_r_cnn_races_only_where_it_is_named():
    assert list(seats(Wishes())) == ["msra-2015-det"]
    assert list(seats(Wishes(names=(KEY,)))) == [KEY]
    assert KEY not in seats(Wishes(full=True))
