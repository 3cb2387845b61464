"""Localization on the tiny set: from a classifier to boxes, scored by the kit, in a race and alone."""

import json
from pathlib import Path

import pytest
from small import BENCH, QUIET

from ilsvrc.cli import run
from ilsvrc.jobs.localize_judge import read_located
from ilsvrc.jobs.race import race
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.train.run import Run

WISHES = Wishes(tasks=("localization",), names=("vgg-2014-loc",), epochs=1, image_size=48, width=0.1)


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race in localization. Read only."""
    out = tmp_path_factory.mktemp("localization")
    race(str(tiny), out, WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    return out


def test_a_race_in_localization_leaves_errors_baselines_and_pictures(whole: Path):
    assert {path.name for path in (whole / "runs").iterdir()} == {"vgg16.0", "vgg-2014-loc.0"}
    results = json.loads((whole / "results.json").read_text())
    (entry,) = results["entries"]
    assert (entry["task"], entry["key"], entry["name"]) == ("localization", "vgg-2014-loc", "vgg16")
    scores = Run(whole / "runs" / "vgg-2014-loc.0").read_scores()
    assert scores is not None
    assert entry["localization_error"] == scores["scores"][0]["value"]
    assert entry["top5_error"] <= entry["localization_error"] <= 1
    task = results["tasks"]["localization"]
    assert len(task["baselines"]) == 2
    assert all(entry["top5_error"] <= base["value"] <= 1 for base in task["baselines"])
    page = (whole / "report.html").read_text()
    assert page.count('class="overlay"') == len(task["pictures"]) > 0


def test_every_box_is_on_its_image(whole: Path):
    located = read_located(whole / "runs" / "vgg-2014-loc.0" / "located.npz")
    low, high = located.boxes[..., :2], located.boxes[..., 2:]
    assert (low >= 0).all()
    assert (low <= high).all()
    assert (high <= located.sizes[:, None] - 1).all()


def test_evaluate_judges_a_localization_run_as_it_was_judged(whole: Path, capsys: pytest.CaptureFixture[str]):
    directory = whole / "runs" / "vgg-2014-loc.0"
    words = ["evaluate", str(directory), "--device", "cpu", "--engine", "eager", "--json"]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    scores = Run(directory).read_scores()
    assert scores is not None
    assert [score["value"] for score in told["scores"]] == [score["value"] for score in scores["scores"]]
    assert run([*words, "--protocol", "ten"]) == 1
    assert "has its own protocol" in capsys.readouterr().err


def test_train_takes_an_entry_and_trains_its_classifier_first(tiny: Path, tmp_path: Path):
    words = ["train", "vgg-2014-loc", "--data", str(tiny), "--epochs", "1", "--image-size", "48", "--width", "0.1"]
    assert run([*words, "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    assert Run(tmp_path / "run" / "classifier").scores.exists()
    assert Run(tmp_path / "run").spec()["asked"]["task"] == "localization"
