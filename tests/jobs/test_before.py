"""The winners before the networks in a race: rows of the report, kept, read again, refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small import BENCH, QUIET

from ilsvrc.cli import run
from ilsvrc.entries.before import BEFORE
from ilsvrc.jobs import before_train
from ilsvrc.jobs.before import chosen, without
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.race import Wishes, race
from ilsvrc.train.run import Run

pytestmark = pytest.mark.slow

WISHES = Wishes(names=("fisher_vectors", "alexnet"), epochs=1, image_size=48, width=0.1)


@pytest.fixture(scope="module")
def raced(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race of one entry of each kind. Read only."""
    out = tmp_path_factory.mktemp("before")
    race(str(tiny), out, WISHES, BENCH, QUIET)
    return out


def test_fisher_vectors_race_beside_a_network(raced: Path):
    results = json.loads((raced / "results.json").read_text(encoding="utf-8"))
    first, second = results["entries"]
    assert (first["name"], first["year"], second["name"]) == ("fisher_vectors", 2011, "alexnet")
    scores = Run(raced / "before" / "fisher_vectors.0").read_scores()
    assert [first["top1_error"], first["top5_error"]] == [score["value"] for score in scores["scores"]]
    assert first["parameters"] == scores["parameters"] > 0
    assert (first["macs"], first["layers"], first["epochs"], first["network"]) == (None, None, None, False)
    assert first["top1_error"] < results["data"]["chance_top1_error"]
    found = read_predictions(raced / "before" / "fisher_vectors.0" / "predictions.npz")
    assert len(found.names) == results["data"]["val_images"]


def test_the_page_draws_it_among_the_contenders(raced: Path):
    page = (raced / "report.html").read_text(encoding="utf-8")
    assert "Fisher vectors" in page
    assert "no network: parameters are those of its linear classifier" in page
    assert "None" not in page
    assert "2 contenders" in page.replace("\N{NO-BREAK SPACE}", " ")


def test_what_is_done_is_read_and_runs_of_networks_stand_apart(
    raced: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(raced, tmp_path / "race")
    monkeypatch.setattr(before_train, "Work", None)
    again = race(str(tiny), tmp_path / "race", WISHES, BENCH, QUIET)
    assert [contender.name for contender in again.contenders] == ["fisher_vectors", "alexnet"]
    assert {path.name for path in (raced / "runs").iterdir()} == {"alexnet.0"}, "what ilsvrc report reads"


def test_who_takes_part_is_who_is_named_else_the_race_s_own():
    assert list(chosen(Wishes())) == list(BEFORE)
    assert list(chosen(Wishes(before=("xrce-2011-cls",)))) == ["xrce-2011-cls"]
    assert list(chosen(Wishes(names=("super_vectors", "xrce-2011-cls", "vgg16")))) == ["nec-2010-cls", "xrce-2011-cls"]
    assert list(chosen(Wishes(names=("vgg16",)))) == []
    assert without(Wishes(names=("super_vectors", "vgg16"))).names == ("vgg16",)


def test_one_without_networks_races_alone(tiny: Path, tmp_path: Path):
    alone = race(str(tiny), tmp_path, replace(WISHES, names=("nec-2010-cls",)), BENCH, QUIET)
    assert [contender.name for contender in alone.contenders] == ["super_vectors"]


def test_they_are_listed_and_shown(capsys: pytest.CaptureFixture[str]):
    assert run(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(key in shown for key in BEFORE)
    assert run(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["key"] for row in rows[:2]] == list(BEFORE)
    assert run(["show", "xrce-2011-cls"]) == 0
    shown = capsys.readouterr().out
    assert "25.77? % top-5 error (test)" in shown
    assert "ilsvrc race --models fisher_vectors" in shown
    assert run(["show", "xrce-2011-cls", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["method"]["code"] == "Fisher vectors"
    assert run(["show", "xrce-2011-cls", "--svg", "x.svg"]) == 1
    assert "xrce-2011-cls is of before the networks" in " ".join(capsys.readouterr().err.split())
    assert run(["race", "--data", ".", "--entries", "xrce-2011-cls"]) == 1
    assert "race it by --models fisher_vectors" in " ".join(capsys.readouterr().err.split())
