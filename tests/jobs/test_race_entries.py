"""Whole entries raced on the tiny set: trained once, looked at as the papers did, combined, submitted, scored."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small import BENCH, QUIET, Told

from ilsvrc import models
from ilsvrc.cli import run
from ilsvrc.data.devkit import read_ground_truth, read_synsets
from ilsvrc.entries import ENTRIES, ROWS
from ilsvrc.entries.miniature import MINIATURES, miniature_of
from ilsvrc.errors import SpecError
from ilsvrc.jobs import entry_scores
from ilsvrc.jobs import train as training_job
from ilsvrc.jobs.race import race
from ilsvrc.jobs.race_entries import chosen, in_order, seated
from ilsvrc.jobs.saved_scores import read_scores
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.scoring import flat_error, read_guesses
from ilsvrc.spec import Crops, Dense, Together
from ilsvrc.train.recipe import in_proportion

pytestmark = pytest.mark.slow

KEYS = ("supervision-2012-cls", "supervision-2012-1", "vgg-2014-d-e-multi")
WISHES = Wishes(entries=KEYS, epochs=1, image_size=48, width=0.05)
RUNS = {*(f"alexnet.{seed}" for seed in range(5)), "vgg16-73-146.0", "vgg19-73-146.0"}


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race of three entries without any stop. Read only."""
    out = tmp_path_factory.mktemp("entries")
    race(str(tiny), out, WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    return out


@pytest.fixture(scope="module")
def results(whole: Path) -> dict:
    return json.loads((whole / "results.json").read_text(encoding="utf-8"))


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in (".npz", ".safetensors", ".pt")
    }


def test_each_network_is_trained_once_and_shared_by_the_entries_that_have_it(whole: Path, results: dict):
    assert {path.name for path in (whole / "runs").iterdir()} == RUNS
    five, one, two = results["entries"]
    assert [seat["run"] for seat in five["seats"]] == [f"alexnet.{seed}" for seed in range(5)]
    assert [seat["run"] for seat in one["seats"]] == ["alexnet.0"]
    assert [seat["run"] for seat in two["seats"]] == ["vgg16-73-146.0", "vgg19-73-146.0"]
    assert [seat["stands_for"] for seat in two["seats"]] == ["VGG-16", "VGG-19"]


def test_each_network_looked_at_the_images_as_the_paper_says_in_proportion(whole: Path):
    looked = {read_scores(path).record.protocol for path in (whole / "scores").glob("alexnet.*.npz")}
    assert looked == {Crops(layout=kind, short_sides=(55,), size=48) for kind in ("center", "ten")}  # by 48 / 224
    dense = {read_scores(path).record.protocol for path in (whole / "scores").glob("vgg16*.npz")}
    assert dense == {Dense(short_sides=(82,)), Dense(short_sides=(55, 82, 110))}  # 384; and 256, 384, 512


def test_the_submission_is_the_mean_of_the_networks_and_scored_by_the_kit(whole: Path, results: dict, tiny: Path):
    kept = [read_scores(next((whole / "scores").glob(f"alexnet.{seed}.10-crops*.npz"))) for seed in range(5)]
    mean = np.mean([one.probabilities.astype(np.float64) for one in kept], axis=0).astype(np.float32)
    right = np.argsort(-mean, axis=1, kind="stable")[:, :5] == kept[0].labels[:, None]
    assert results["entries"][0]["top5_error"] == pytest.approx(1 - right.any(1).mean())
    # The kit's own ground truth scores the file alike: its lines and its numbers are the kit's.
    kit = next(tiny.rglob("meta.mat"))
    truth = read_ground_truth(next(tiny.rglob("*validation_ground_truth.txt")))[:, 0]
    submission = whole / results["entries"][0]["submission"]
    guesses = read_guesses(submission, boxes=False, images=len(truth), classes=read_synsets(kit).classes)
    assert flat_error(guesses.labels, truth, none=0).value == pytest.approx(results["entries"][0]["top5_error"])


def test_the_command_scores_the_submission_alike(whole: Path, results: dict, capsys: pytest.CaptureFixture[str]):
    words = ["score", "classification", str(whole / "submissions" / "vgg-2014-d-e-multi.txt")]
    assert run([*words, "--truth", str(whole / "submissions" / "truth.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["error"] == pytest.approx(results["entries"][2]["top5_error"])


def test_every_way_of_looking_and_what_it_gained_stands_beside_the_paper_s(results: dict):
    five, one, two = results["entries"]
    assert [(look["who"], look["protocol"]) for look in five["looks"]] == [
        ("one network", "1 crop of 224"),
        ("one network", "10 crops of 224"),
        ("all 5", "1 crop of 224"),
        ("all 5", "10 crops of 224"),
    ]
    assert [look["published"] for look in five["looks"]] == [0.183, 0.182, None, 0.16399999999999998]
    assert five["looks"][3]["top5_error"] == pytest.approx(five["top5_error"])
    protocol, ensemble = five["gained"]
    assert (protocol["published_before"], protocol["published_after"]) == (0.183, 0.17)  # on ILSVRC-2010
    assert (ensemble["published_before"], ensemble["published_after"]) == (0.182, pytest.approx(0.164))
    assert ensemble["after"] == pytest.approx(five["top5_error"])
    assert ensemble["before"] == min(seat["top5_error"] for seat in five["seats"])
    assert [gain["what"] for gain in one["gained"]] == ["protocol"]
    assert two["gained"][1]["published_after"] == pytest.approx(0.071)


def test_the_page_shows_entries_and_what_the_papers_say_they_gained(whole: Path):
    page = (whole / "report.html").read_text(encoding="utf-8")
    for words in ("The entries", "What looking more took away", "What more networks took away", "SuperVision 2012"):
        assert words in page
    assert "18.30" in page
    assert "submissions/vgg-2014-d-e-multi.txt" in page


def test_a_race_of_entries_that_is_done_redoes_nothing(
    whole: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(whole, tmp_path / "race")
    before = state_of(tmp_path / "race")
    monkeypatch.setattr(training_job, "Work", None)  # whoever trains or judges again fails
    monkeypatch.setattr(entry_scores, "Judge", None)
    again = race(str(tiny), tmp_path / "race", WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    assert state_of(tmp_path / "race") == before
    assert [entry.name for entry in again.entries] == list(KEYS)


def test_a_later_entry_trains_only_what_is_not_there_and_a_torn_file_of_scores_is_made_again(
    whole: Path, tiny: Path, tmp_path: Path
):
    out = tmp_path / "race"
    shutil.copytree(whole, out)
    torn = next((out / "scores").glob("alexnet.0.10-crops*.npz"))
    torn.write_bytes(torn.read_bytes()[:100])
    watch = Told()
    wishes = replace(WISHES, entries=("supervision-2012-cls", "vgg-2014-e-jittered-multi", "vgg-2014-b-256-single"))
    race(str(tiny), out, wishes, BENCH, watch)
    assert {path.name for path in (out / "runs").iterdir()} - RUNS == {"vgg13.0"}
    assert sum("alexnet.0" in line for line in watch.lines) == 1
    assert not any("alexnet.1" in line for line in watch.lines)
    assert read_scores(torn).probabilities.shape[0] == 40


def test_what_cannot_race_is_refused_in_a_sentence(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["race", "--data", str(tiny), "--out", str(tmp_path), "--device", "cpu"]
    assert run([*words, "--entries", "msra-2015-cls", "--models", "alexnet"]) == 1
    assert "--models and --entries are both given" in capsys.readouterr().err
    assert run([*words, "--entries", "msra-2015-clss"]) == 1
    assert "did you mean msra-2015-cls" in capsys.readouterr().err
    with pytest.raises(SpecError, match=r"vgg-2014-loc is an entry in localization; race --entries takes those in"):
        chosen(Wishes(entries=("vgg-2014-loc",)))
    with pytest.raises(SpecError, match="--task localization and --entries are both given"):
        chosen(Wishes(entries=KEYS, tasks=("localization",)))
    with pytest.raises(SpecError, match="0 epochs are asked for"):
        seated(ENTRIES["msra-2015-cls"], Wishes(epochs=0))


def test_copies_differ_in_seed_and_members_that_share_a_stand_in_too():
    names = [chair.name for chair in seated(ENTRIES["msra-2015-cls"], Wishes(seed=7))]
    assert names == ["resnet50.7", "resnet50.8", "resnet34.7", "resnet34.8", "resnet18.7", "resnet18.8"]
    contest = [chair.name for chair in seated(ENTRIES["vgg-2014-cls"], Wishes())]
    assert contest[:4] == ["vgg16.0", "vgg16-110.0", "vgg16-73-146.0", "vgg16_c.0"]
    assert len(set(contest)) == 7


def test_at_full_size_what_a_recipe_starts_from_is_trained_before_it(tmp_path: Path):
    wishes = Wishes(full=True)
    trainings = in_order(list(seated(ENTRIES["vgg-2014-cls"], wishes)), tmp_path, wishes)
    order = list(trainings)
    for name, training in trainings.items():
        start = training.member.recipe.starts_from
        assert (start is None) == (training.start is None)
        if training.start is not None:
            assert training.start.parent == tmp_path
            assert order.index(training.start.name) < order.index(name)
    assert trainings["vgg16-jittered.0"].start == tmp_path / "vgg16-s384.0"
    assert trainings["vgg16-staged.0"].start == tmp_path / "vgg11.0"
    assert len(order) == 7 + 1  # the submission's networks, and A, from which the first stage starts


def test_every_network_of_every_entry_has_a_miniature_that_can_look_as_it_must():
    entries = [entry for entry in {**ENTRIES, **ROWS}.values() if entry.task == "classification"]
    members = {(m.model, m.recipe, m.protocol or entry.protocol) for entry in entries for m in entry.members}
    built = set()
    for model, recipe, protocol in members:
        small = miniature_of(replace(ENTRIES["msra-2015-cls"].members[0], model=model, recipe=recipe))
        here = in_proportion(protocol, models.paper_size(model), small.image_size)
        for part in here.of if isinstance(here, Together) else (here,):
            sides = [min(size) for size in part.sizes] if getattr(part, "sizes", ()) else part.short_sides
            assert min(sides) >= (part.size if isinstance(part, Crops) else small.image_size)
        if (small.model, small.image_size) not in built:
            built.add((small.model, small.image_size))
            with torch.device("meta"):
                models.build(small.model, 20, small.image_size, small.width)


def test_the_miniature_of_an_entry_s_first_network_is_the_one_that_races_alone_where_none_stands_in():
    same = [key for key, member in MINIATURES.items() if miniature_of(ENTRIES[key].members[0]) == member]
    assert {"supervision-2012-cls", "clarifai-2013-cls", "googlenet-2014-cls", "vgg-2014-cls"} <= set(same)
