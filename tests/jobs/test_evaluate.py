"""Judging a run: the same errors as at its end, other views, and what cannot be judged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small import evaluated as evaluate
from small import stopped_after, training

from ilsvrc.cli import run as ilsvrc
from ilsvrc.errors import DataError, SpecError, WeightsError
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.judge import error, read_predictions, write_predictions
from ilsvrc.jobs.saved_scores import SavedScores, read_scores
from ilsvrc.predict.predict import Predictions
from ilsvrc.train.run import Run


def said(directory: Path, path: Path, protocol: str | None, place: Path) -> SavedScores:
    """What a network says of the validation images, by way of a file."""
    evaluate(directory, str(path), "val", protocol, place / "scores.npz")
    return read_scores(place / "scores.npz")


def stored(run: Run) -> np.ndarray:
    return read_predictions(run.directory / "predictions.npz").probabilities


def test_evaluating_a_run_repeats_its_scores(finished: dict[str, Run], tiny: Path, tmp_path: Path):
    run = finished["resnet18"]
    found = evaluate(run.directory, str(tiny), "val", None, tmp_path / "scores.npz")
    scores = run.read_scores()["scores"]
    assert [score.value for score in found.scores] == [score["value"] for score in scores]
    kept = read_scores(tmp_path / "scores.npz")
    assert np.allclose(kept.probabilities, stored(run), atol=1e-5)
    assert kept.names == tuple(f"ILSVRC2012_val_{number:08d}" for number in range(1, 41))
    assert (kept.record.model, kept.record.split, kept.record.engine) == ("resnet18", "val", "eager")


def test_a_run_is_judged_on_its_own_data_where_none_is_named(
    finished: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = finished["resnet18"]
    assert ilsvrc(["evaluate", str(run.directory), "--device", "cpu", "--engine", "eager", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["scores"]
    assert [score["value"] for score in found] == [score["value"] for score in run.read_scores()["scores"]]
    old, moved = tmp_path / "old", tmp_path / "moved"
    for copy in (old, moved):
        shutil.copytree(run.directory, copy)
    (old / "classes.json").unlink()
    with pytest.raises(SpecError, match="does not say what data it was trained on; give a data set with --data"):
        evaluate(old, None, "val", None)
    text = (moved / "classes.json").read_text()
    (moved / "classes.json").write_text(text.replace('"data": "', '"data": "/nowhere'))
    with pytest.raises(SpecError, match=r"was trained on /nowhere.*, which is not there now; give the data set"):
        evaluate(moved, None, "val", None)


def test_ten_crops_see_more_than_one(finished: dict[str, Run], tiny: Path, tmp_path: Path):
    run = finished["resnet18"]
    ten = said(run.directory, tiny, "ten", tmp_path)
    assert ten.probabilities.shape == (40, 20)
    assert not np.allclose(ten.probabilities, stored(run), atol=1e-6)


def test_the_training_images_can_be_judged_too(finished: dict[str, Run], tiny: Path):
    assert evaluate(finished["alexnet"].directory, str(tiny), "train", None).scores[1].images == 60


def test_images_without_labels_cannot_be_judged(finished: dict[str, Run], tiny: Path):
    with pytest.raises(DataError, match="ILSVRC2012_test_00000001 has no label"):
        evaluate(finished["resnet18"].directory, str(tiny), "test", None)


def test_data_of_other_classes_is_refused(finished: dict[str, Run], tiny: Path, tmp_path: Path):
    for split in ("train", "val"):
        for number in range(3):
            folder = tmp_path / "three" / split / f"class{number}"
            folder.mkdir(parents=True)
            (folder / "1.jpg").write_bytes(next((tiny / "val").glob("*.JPEG")).read_bytes())
    with pytest.raises(SpecError, match=r"was trained on 20 classes and .* has 3; give the data it was"):
        evaluate(finished["resnet18"].directory, str(tmp_path / "three"), "val", None)


def test_a_directory_that_is_no_run_is_a_sentence(tiny: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"spec\.json cannot be read .* the directory of a run"):
        evaluate(tmp_path, str(tiny), "val", None)
    (tmp_path / "spec.json").write_text(json.dumps({"asked": {"member": {"is": "Seat"}}}))
    with pytest.raises(DataError, match=r"cannot be understood: .*nothing is called 'Seat'"):
        evaluate(tmp_path, str(tiny), "val", None)


def test_an_unfinished_run_is_a_sentence(splits: Splits, tiny: Path, tmp_path: Path):
    stopped_after(1, training(), splits, tmp_path / "run")
    with pytest.raises(WeightsError, match=r"weights\.safetensors cannot be read as weights"):
        evaluate(tmp_path / "run", str(tiny), "val", None)


def predictions(rows: list[list[float]], labels: list[int]) -> Predictions:
    names = tuple(f"image {number}" for number in range(len(rows)))
    return Predictions(names, np.array(rows, np.float32), np.array(labels))


def test_an_image_is_right_when_its_label_is_among_the_first_guesses():
    said = predictions([[0.5, 0.3, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], [0, 2, 3])
    assert [error(said, top).value for top in (1, 2, 3, 4)] == pytest.approx([2 / 3, 1 / 3, 1 / 3, 0])
    assert (error(said, 1).metric, error(said, 2).metric, error(said, 1).images) == ("top-1 error", "top-2 error", 3)


def test_equal_probabilities_go_to_the_lower_label():
    # Every second class is equally probable: enough of them that a sort which is not stable shows.
    said = predictions([[0.02, 0.0] * 50] * 5, [0, 2, 4, 6, 8])
    assert [error(said, top).value for top in (1, 2, 5)] == pytest.approx([0.8, 0.6, 0.0])


def test_five_guesses_among_three_classes_are_three():
    assert error(predictions([[0.2, 0.3, 0.5]], [0]), 5).value == 0.0


def test_predictions_come_back_as_they_were(tmp_path: Path):
    said = predictions([[0.5, 0.5], [0.1, 0.9]], [0, 1])
    write_predictions(tmp_path / "predictions.npz", said)
    back = read_predictions(tmp_path / "predictions.npz")
    assert back.names == said.names
    assert np.array_equal(back.probabilities, said.probabilities)
    assert np.array_equal(back.labels, said.labels)


@pytest.mark.parametrize("kept", [0, 10, 200, -30])
def test_damaged_predictions_are_a_sentence_with_the_remedy(kept: int, tmp_path: Path):
    path = tmp_path / "predictions.npz"
    write_predictions(path, predictions([[0.5, 0.5], [0.1, 0.9]], [0, 1]))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"predictions\.npz cannot be read .*; delete .*scores\.json and run the same"):
        read_predictions(path)
