"""Several regressors of one entry: each trained by itself, their boxes joined and then merged, as VGG's two were."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from boxed import says_what_it_found
from small import BENCH, QUIET, Told

from ilsvrc.cli import run
from ilsvrc.data.decode import USUAL, decode
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature_loc import LOCALIZERS
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.localize_ask import Localizing, each_of
from ilsvrc.jobs.localize_fusion import run_regressors
from ilsvrc.jobs.localize_judge import read_located
from ilsvrc.jobs.localize_look import Fused, Looker, Seen
from ilsvrc.jobs.localizer import fused, load_localizers
from ilsvrc.jobs.race import race
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.spec import Merging, Regression
from ilsvrc.tasks.localize import on_image
from ilsvrc.tasks.merge import surest
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.run import Run

pytestmark = pytest.mark.slow

KEY = "vgg-2014-loc"
WISHES = Wishes(tasks=("localization",), full=True, names=(KEY,), epochs=1, image_size=48, width=0.1)
SCR = replace(ENTRIES[KEY].boxes, per_class=False)
A, B, FAR = (0, 0, 9, 9), (2, 0, 11, 9), (50, 50, 59, 59)


@pytest.fixture(scope="module")
def whole(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race of the paper's entry, two regressors, made small. Read only."""
    out = tmp_path_factory.mktemp("fusion")
    race(str(few), out, WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    return out


def place(whole: Path) -> Path:
    return whole / "runs" / f"{KEY}.0"


class Saw:
    """A looker that saw these boxes, with these scores, in an image of 100 pixels on a side."""

    def __init__(self, boxes: list[tuple[int, ...]], scores: list[float]) -> None:
        edges = (np.array(boxes, np.float64) + np.array([0, 0, 1, 1])) / 100
        windows = np.tile(np.array([0.0, 0.0, 100.0, 100.0]), (len(boxes), 1))
        self.seen = Seen(windows, edges[:, None], np.array(scores)[:, None])

    def look(self, pixels: np.ndarray) -> Seen:
        """What it saw, whatever it is shown."""
        return self.seen


def answer(*lookers: Saw) -> list[float]:
    """The one box that lookers give together."""
    together = Fused(lookers, SCR)  # type: ignore[arg-type]
    return together.boxes(np.zeros((100, 100, 3), np.uint8), np.zeros(1, int))[0].tolist()


def test_boxes_of_two_regressors_are_joined_first_and_merged_then():
    first, second = Saw([A], [0.4]), Saw([B, FAR], [0.4, 0.7])
    assert answer(first) == pytest.approx(A)
    assert answer(second) == pytest.approx(FAR), "alone it is surer of the other place"
    assert answer(first, second) == pytest.approx([1, 0, 10, 9]), "both together are surest where they agree"


def test_merging_each_by_itself_and_joining_then_would_be_another_box():
    between = (1, 0, 10, 9)
    assert answer(Saw([A, B], [0.5, 0.5])) == pytest.approx(between), "which with its like would stay where it is"
    joined = answer(Saw([A, B], [0.5, 0.5]), Saw([between], [0.5]))
    assert joined == pytest.approx([1.25, 0, 10.25, 9]), "A and the one between to 0.5, and that and B to 1.25"


def test_one_regressor_alone_gives_what_it_gave_before(whole: Path):
    (only,) = load_localizers(place(whole) / "regressor2")
    looker = Looker(
        (only.network, only.classifier), only.normal, only.protocol, only.regression, only.size, BENCH, USUAL
    )
    pixels, labels = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8), np.arange(5)
    seen, found = looker.look(pixels), []
    for label in labels:  # as it was written when an entry had one regressor
        boxes = [on_image(e, w, 70, 90) for e, w in zip(seen.edges[:, label], seen.windows, strict=True)]
        found.append(surest(np.array(boxes), seen.scores[:, label], 0.75)[0])
    assert np.array_equal(looker.boxes(pixels, labels), np.array(found))
    assert np.array_equal(fused([only], BENCH, USUAL).boxes(pixels, labels), np.array(found))


def test_a_race_trains_each_regressor_and_judges_them_together(whole: Path, few: Path):
    assert {path.name for path in (whole / "runs").iterdir()} == {"vgg16.0", f"{KEY}.0"}
    alone = [Run(place(whole) / name) for name in ("regressor1", "regressor2")]
    sources = [each.spec()["asked"]["member"]["recipe"]["source"][-7:] for each in alone]
    assert sources == ["S = 384", "S = 256"]
    scores = Run(place(whole)).read_scores() or {}
    assert scores["alone"] == [(each.read_scores() or {})["scores"] for each in alone]
    (entry,) = json.loads((whole / "results.json").read_text())["entries"]
    assert entry["localization_error"] == scores["scores"][0]["value"]
    assert entry["title"] == "2 regressors on VGG-16, PCR"
    page = (whole / "report.html").read_text()
    assert "localization error of each regressor alone" in page
    before = {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*") if path.is_file()}
    race(str(few), whole, WISHES, BENCH, QUIET)
    assert before == {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*") if path.is_file()}


def test_a_box_of_the_race_is_merged_from_the_windows_of_both(whole: Path, few: Path):
    located, dataset = read_located(place(whole) / "located.npz"), open_splits(str(few)).val
    lookers = fused(load_localizers(place(whole)), BENCH, USUAL).lookers
    pixels, label = decode(dataset[3]), int(located.labels[3, 0])
    seen, (height, width) = [looker.look(pixels) for looker in lookers], pixels.shape[:2]
    assert len(seen[0].windows) > len(seen[1].windows) > 0, "two scales of the one, one of the other"
    boxes = [on_image(e[label], w, width, height) for s in seen for e, w in zip(s.edges, s.windows, strict=True)]
    sums = np.concatenate([s.scores[:, label] for s in seen])
    assert located.boxes[3, 0] == pytest.approx(surest(np.array(boxes), sums, 0.75)[0], abs=1e-3)


def test_evaluate_localize_and_report_take_both(whole: Path, few: Path, tmp_path: Path, capsys):
    says_what_it_found(place(whole), min((few / "val").glob("*.JPEG")), tmp_path / "out", capsys)
    assert run(["report", str(whole / "runs"), "--out", str(tmp_path / "runs.html")]) == 0
    assert "3 trainings" in capsys.readouterr().out, "the classifier and each regressor"


def test_train_takes_an_entry_of_two_and_says_what_each_scores_alone(whole: Path, few: Path, tmp_path: Path, capsys):
    words = ["train", KEY, "--recipe", "paper", "--data", str(few), "--epochs", "1", "--device", "cpu"]
    words += ["--precision", "fp32", "--image-size", "48", "--width", "0.1", "--start", str(whole / "runs" / "vgg16.0")]
    assert run([*words, "--out", str(tmp_path / "run")]) == 0
    assert "boxes of one regressor alone: " in " ".join(capsys.readouterr().out.split())
    for name in ("regressor1", "regressor2"):
        one, other = (load_tensors(at / name / "weights.safetensors") for at in (tmp_path / "run", place(whole)))
        assert all(torch.equal(value, other[key]) for key, value in one.items()), "the same as in the race"


def asked(whole: Path, epochs: int = 1, boxes: Regression | None = None) -> list[Localizing]:
    members = [replace(m, image_size=48, width=0.1, recipe=replace(m.recipe, batch=32)) for m in ENTRIES[KEY].members]
    entry = replace(ENTRIES[KEY], members=tuple(members), boxes=boxes or ENTRIES[KEY].boxes)
    start = whole / "runs" / "vgg16.0"
    return [Localizing(entry=one, classifier=start, epochs=epochs, seed=0) for one in each_of(entry)]


def test_stopped_in_the_second_regressor_it_goes_on_to_the_same_bits_and_redoes_nothing(whole, few, tmp_path: Path):
    closed, splits = [], open_splits(str(few))

    def stop() -> None:
        closed.append(1)
        if len(closed) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="regressor2"):
        run_regressors(asked(whole, 2), splits, tmp_path / "stopped", BENCH, Told("epoch  1 of 2", stop))
    assert not (tmp_path / "stopped" / "scores.json").exists()
    first = tmp_path / "stopped" / "regressor1" / "weights.safetensors"
    before = first.stat().st_mtime_ns
    run_regressors(asked(whole, 2), splits, tmp_path / "stopped", BENCH, QUIET)
    run_regressors(asked(whole, 2), splits, tmp_path / "whole", BENCH, QUIET)
    assert first.stat().st_mtime_ns == before
    for name in ("regressor1", "regressor2"):
        one, other = (load_tensors(tmp_path / at / name / "weights.safetensors") for at in ("stopped", "whole"))
        assert all(torch.equal(value, other[key]) for key, value in one.items())
    one, other = (read_located(tmp_path / at / "located.npz") for at in ("stopped", "whole"))
    assert np.array_equal(one.boxes, other.boxes)


def test_another_number_of_regressors_and_boxes_that_are_not_merged_are_refused(whole: Path, few: Path, tmp_path: Path):
    splits, three = open_splits(str(few)), [*asked(whole), asked(whole)[0]]
    run_ = Run(tmp_path / "run")
    run_.start({**Run(place(whole)).spec()["asked"]}, {})
    with pytest.raises(SpecError, match="fused = 2, and 3 is asked now"):
        run_regressors([replace(each, epochs=1) for each in three], splits, run_.directory, BENCH, QUIET)
    apart = asked(whole, boxes=replace(ENTRIES[KEY].boxes, merging=None))
    with pytest.raises(SpecError, match="has 2 regressors, whose boxes its specification does not merge"):
        run_regressors(apart, splits, tmp_path / "apart", BENCH, QUIET)


def test_the_miniature_of_the_entry_has_one_regressor_and_the_entry_two():
    assert len(LOCALIZERS[KEY].members) == 1
    assert len(ENTRIES[KEY].members) == 2
    assert ENTRIES[KEY].boxes.merging == Merging(threshold=0.75)
