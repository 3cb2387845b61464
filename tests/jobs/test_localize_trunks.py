"""Two networks that propose and judge together, as Trimps-Soushen's several did."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from boxed import says_what_it_found
from small import BENCH, QUIET

from ilsvrc.cli import run
from ilsvrc.data.decode import USUAL, decode
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature_loc import LOCALIZERS
from ilsvrc.errors import SpecError
from ilsvrc.jobs import machine
from ilsvrc.jobs.box_ensemble import in_turn
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.localize_ensemble import ensemble
from ilsvrc.jobs.localize_judge import read_located
from ilsvrc.jobs.localize_referee import Referee
from ilsvrc.jobs.localize_submission import BOXED
from ilsvrc.jobs.localizer import fused, load_localizer, load_localizers
from ilsvrc.jobs.race import race
from ilsvrc.jobs.starts import start_of
from ilsvrc.jobs.submission import ids_of, kit_beside
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.reports.box_ensemble_tables import BoxEnsemble, verdict
from ilsvrc.scoring import read_guesses
from ilsvrc.spec import Dense, from_json
from ilsvrc.tasks.boxes import clipped, decoded
from ilsvrc.tasks.class_regions import agreed
from ilsvrc.train.run import Run

pytestmark = pytest.mark.slow

KEY = "trimps-2016-loc"
WISHES = Wishes(tasks=("localization",), names=(KEY,), epochs=1, width=0.05)


@pytest.fixture(scope="module")
def whole(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race of the miniature, two trunks, made narrower. Read only."""
    out = tmp_path_factory.mktemp("trunks")
    race(str(few), out, WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    return out


def place(whole: Path) -> Path:
    return whole / "runs" / f"{KEY}.0"


def test_what_two_networks_say_is_averaged_by_weight():
    one = [(torch.tensor([[0.0, 0, 10, 10], [4, 4, 8, 8]]), torch.tensor([0.0, -100.0]))]
    other = [(torch.tensor([[4.0, 0, 14, 10], [4, 4, 12, 8]]), torch.tensor([-100.0, 100.0]))]
    ((boxes, sure),) = agreed([one, other], [3, 1])
    assert boxes.tolist() == [[1, 0, 11, 10], [4, 4, 9, 8]]
    assert sure.tolist() == pytest.approx([0.375, 0.25]), "probabilities are averaged, not logits"
    ((boxes, sure),) = agreed([one], [7])
    assert boxes.tolist() == one[0][0].tolist()
    assert sure.argmax() == one[0][1].argmax()


def test_a_race_trains_both_and_judges_them_together(whole: Path, few: Path):
    names = {path.name for path in (whole / "runs").iterdir()}
    assert names == {"preresnet50.0", "inception_v3.0", f"{KEY}.0"}
    alone = [Run(place(whole) / name) for name in ("regressor1", "regressor2")]
    assert [each.spec()["asked"]["member"]["model"] for each in alone] == ["preresnet50", "inception_v3"]
    scores = Run(place(whole)).read_scores() or {}
    assert scores["alone"] == [(each.read_scores() or {})["scores"] for each in alone]
    assert all("proposals" in (each.read_scores() or {}) for each in alone), "each has two networks"
    (entry,) = json.loads((whole / "results.json").read_text())["entries"]
    assert entry["localization_error"] == scores["scores"][0]["value"]
    assert entry["title"] == "Pre-ResNet-50, Inception-v3, RPN + R-CNN"
    page = (whole / "report.html").read_text(encoding="utf-8")
    assert "localization error of each regressor alone" in page
    before = {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*") if path.is_file()}
    race(str(few), whole, WISHES, BENCH, QUIET)
    assert before == {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*") if path.is_file()}


def test_classes_are_named_by_the_classifiers_of_both(whole: Path):
    said = [
        read_predictions(whole / "runs" / name / "predictions.npz").probabilities.astype(np.float64)
        for name in ("preresnet50.0", "inception_v3.0")
    ]
    located = read_located(place(whole) / "located.npz")
    np.testing.assert_allclose(
        located.probabilities, np.take_along_axis(sum(said) / 2, located.labels, axis=1), atol=1e-7
    )
    first = read_located(place(whole) / "regressor1" / "located.npz")
    assert (located.labels != first.labels).any(), "another order than that of the first alone"


def test_each_network_judges_the_proposals_of_both(whole: Path, few: Path):
    pixels, labels = decode(open_splits(str(few)).val[3]), np.array([7, 2])
    referee = fused(load_localizers(place(whole)), BENCH, USUAL)
    assert isinstance(referee, Referee)
    assert len(referee.sides) == 2
    image = torch.from_numpy(np.array(pixels)).movedim(-1, 0).float()
    for row, label in enumerate(labels.tolist()):
        some = torch.cat([side.proposer.proposals(pixels, labels, side.how)[row] for side in referee.sides])
        boxes, sure = [], []
        for side, warp in zip(referee.sides, referee.warps, strict=True):
            with torch.no_grad():
                logits, offsets = side.network((warp(image, some) - side.normal.mean) / side.normal.unit)
            moved = decoded(offsets[:, label] * torch.tensor(side.how.offset_deviations), some)
            boxes.append(clipped(moved, pixels.shape[1], pixels.shape[0]))
            sure.append(logits[:, label].sigmoid())
        best = (sure[0] + sure[1]).argmax()
        expected = (boxes[0][best] + boxes[1][best]) / 2
        np.testing.assert_allclose(referee.boxes(pixels, labels)[row], expected, atol=1e-2)


def test_evaluate_and_localize_say_what_the_race_found(whole: Path, few: Path, tmp_path: Path, capsys):
    image = min((few / "val").glob("*.JPEG"))
    places, located, row = says_what_it_found(place(whole), image, tmp_path / "out", capsys)
    assert [each["probability"] for each in places] == pytest.approx(located.probabilities[row].tolist())


def test_a_run_of_two_is_taken_apart_and_its_submission_is_the_run_s(whole: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(machine, "bf16_in_hardware", lambda: True)  # and yet it is looked at in fp32, as it was judged
    assert run(["ensemble", str(place(whole)), "--device", "cpu", "--json", "--out", str(tmp_path / "all.txt")]) == 0
    apart, scores = json.loads(capsys.readouterr().out), Run(place(whole)).read_scores() or {}
    alone = [each[0]["value"] for each in scores["alone"]]
    assert (apart["metric"], apart["all"]) == ("localization error", scores["scores"][0]["value"])
    assert (apart["alone"], apart["networks"], apart["left_out"]) == (alone, [1, 1], [])
    assert apart["gain"] == pytest.approx(min(alone) - apart["all"])
    assert (tmp_path / "all.txt").read_bytes() == (place(whole) / BOXED).read_bytes()


def test_of_more_each_one_is_left_out():
    assert in_turn(["a", "b", "cd"], "".join, QUIET) == ("abcd", ["bcd", "acd", "ab"])
    assert in_turn(["a", "b"], "".join, QUIET) == ("ab", [])


def test_the_best_of_an_ensemble_has_the_lowest_error_and_the_highest_precision():
    words = {"members": ("one", "other"), "networks": (1, 2), "images": 50, "data": "val of here", "left_out": ()}
    worse = BoxEnsemble(metric="localization error", alone=(0.4, 0.3), whole=0.25, **words)
    assert (worse.best, worse.gain) == (1, pytest.approx(0.05))
    assert "3\N{NO-BREAK SPACE}networks: localization error 25.00" in verdict(worse)
    assert "5 points better than other, the best of them" in verdict(worse)
    higher = BoxEnsemble(metric="mean AP", alone=(0.4, 0.3), whole=0.35, **words)
    assert (higher.best, higher.gain) == (0, pytest.approx(-0.05))
    assert "5 points worse than one" in verdict(higher)


def test_a_submission_scores_what_the_run_scored(whole: Path, few: Path):
    splits, located = open_splits(str(few)), read_located(place(whole) / "located.npz")
    guesses = read_guesses(place(whole) / BOXED, boxes=True)
    ids, _ = ids_of(splits.val.classes.wnids, kit_beside(str(few)))
    np.testing.assert_array_equal(guesses.labels, ids[located.labels])
    np.testing.assert_allclose(guesses.boxes, located.boxes)


def test_images_without_labels_get_a_submission_and_no_score(whole: Path, few: Path, tmp_path: Path, capsys):
    words = ["evaluate", str(place(whole) / "regressor1"), "--split", "test", "--device", "cpu", "--engine", "eager"]
    assert run(words) == 1
    assert "or --save what is guessed" in " ".join(capsys.readouterr().err.split())
    assert run([*words, "--save", str(tmp_path / "test.npz")]) == 1
    assert "name it test.txt" in " ".join(capsys.readouterr().err.split())
    assert run([*words, "--save", str(tmp_path / "none" / "test.txt")]) == 1
    assert "none is no folder to write a submission into" in " ".join(capsys.readouterr().err.split())
    assert run([*words, "--save", str(tmp_path / "test.txt")]) == 0
    assert "images without a truth, so no score" in capsys.readouterr().out
    guesses = read_guesses(tmp_path / "test.txt", boxes=True, images=20, classes=20)
    assert guesses.labels.shape == (20, 5)
    assert (guesses.boxes[..., 2:] >= guesses.boxes[..., :2]).all()


def test_who_judges_again_is_not_joined_with_who_does_not(whole: Path):
    both, first = (place(whole) / "regressor1" / name for name in ("", "proposals"))
    with pytest.raises(SpecError, match=r"regressor1 judges proposals again and .*proposals does not"):
        ensemble([both, first], None, None, BENCH, QUIET)
    proposing = load_localizer(first)
    with pytest.raises(SpecError, match="has 2 networks that propose boxes and none that judges"):
        fused([proposing, replace(proposing)], BENCH, USUAL)


def test_a_folder_of_runs_has_the_classifier_of_each_network(whole: Path, tmp_path: Path):
    runs, members = whole / "runs", Run(place(whole)).spec()["asked"]
    first = from_json(members["member"])
    assert start_of(runs, first) == runs / "preresnet50.0"
    assert start_of(runs / "inception_v3.0", first) == runs / "inception_v3.0", "a run is itself, and refused elsewhere"
    with pytest.raises(SpecError, match=r"has no finished run of preresnet50 at 64 px and 0\.1 of its width"):
        start_of(runs, replace(first, width=0.1))
    for name in ("one", "other"):
        shutil.copytree(runs / "preresnet50.0", tmp_path / name)
    with pytest.raises(SpecError, match=r"has 2 runs of preresnet50 .*one and .*other; leave one in it"):
        start_of(tmp_path, first)


def test_the_entry_has_its_five_networks_and_the_miniature_two_of_them():
    entry, small = ENTRIES[KEY], LOCALIZERS[KEY]
    members = ENTRIES["trimps-2016-cls"].members
    assert [(m.model, m.weight) for m in entry.members] == [(m.model, m.weight) for m in members]
    sides = [(m.protocol or entry.protocol) for m in entry.members]
    assert sides == [Dense(short_sides=(side,), mirror=False) for side in (342, 342, 342, 256, 256)]
    assert [m.model for m in small.members] == ["preresnet50", "inception_v3"]
