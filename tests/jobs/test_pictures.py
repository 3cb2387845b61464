"""The images the report shows: chosen by their place, half of them hard."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ilsvrc.data.sample import Classes
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.judge import write_predictions
from ilsvrc.jobs.pictures import guesses, pictures, thumbnail
from ilsvrc.predict.predict import Predictions
from ilsvrc.train.run import Run

CLASSES = Classes(tuple(f"n{i:08}" for i in range(7)), ("zero", "one, uno", "two", "three", "four", "five", "six"))


def run_with(directory: Path, splits: Splits, right: set[int]) -> Run:
    """A run that is sure of the label of some images and of the next class for the others."""
    labels = np.array([splits.val[i].label for i in range(40)])
    said = np.array([label if i in right else (label + 1) % 20 for i, label in enumerate(labels)])
    probabilities = np.full((40, 20), 0.01, np.float32)
    probabilities[np.arange(40), said] = 0.81
    names = tuple(splits.val[i].name for i in range(40))
    write_predictions(directory / "predictions.npz", Predictions(names, probabilities, labels))
    return Run(directory)


def hard(splits: Splits, tmp_path: Path, right: set[int], count: int = 24) -> list[bool]:
    runs = {"one": run_with(tmp_path / "one", splits, right), "two": run_with(tmp_path / "two", splits, right)}
    shown = pictures(splits.val, runs, count)
    return [picture.answers[0].guesses[0].label != picture.label for picture in shown]


@pytest.mark.parametrize(
    ("right", "missed"),
    [(set(range(20)), 12), (set(range(40)), 0), (set(), 12), (set(range(35)), 5), (set(range(3)), 12)],
)
def test_half_the_pictures_were_missed_by_most_where_there_are_so_many(
    right: set[int], missed: int, splits: Splits, tmp_path: Path
):
    found = hard(splits, tmp_path, right)
    assert sum(found) == missed
    assert len(found) == min(24, missed + len(right))


def test_pictures_are_evenly_spaced_in_the_order_of_the_split(splits: Splits, tmp_path: Path):
    runs = {"one": run_with(tmp_path / "one", splits, set(range(0, 40, 2)))}
    shown = [picture.name for picture in pictures(splits.val, runs, 8)]
    assert shown == sorted(shown)
    assert [int(name[-8:]) - 1 for name in shown] == [0, 1, 12, 13, 26, 27, 38, 39]


def test_each_network_answers_under_its_name(splits: Splits, tmp_path: Path):
    runs = {
        "alexnet": run_with(tmp_path / "a", splits, set(range(40))),
        "zfnet": run_with(tmp_path / "z", splits, set()),
    }
    for picture in pictures(splits.val, runs):
        first, second = picture.answers
        assert (first.contender, second.contender) == ("alexnet", "zfnet")
        assert first.guesses[0].label == picture.label
        assert first.guesses[0].word == picture.truth
        assert first.guesses[0].probability == pytest.approx(0.81)
        assert second.guesses[0].label == (picture.label + 1) % 20
        assert len(first.guesses) == 5


def test_a_race_of_nobody_has_no_pictures(splits: Splits):
    assert pictures(splits.val, {}) == ()


def test_guesses_are_the_five_best_and_equal_ones_by_label():
    found = guesses(np.array([0.1, 0.3, 0.1, 0.2, 0.1, 0.1, 0.1], np.float32), CLASSES)
    assert [guess.label for guess in found] == [1, 3, 0, 2, 4]
    assert [guess.word for guess in found] == ["one", "three", "zero", "two", "four"]


def test_a_thumbnail_keeps_the_shape_and_weighs_little(splits: Splits):
    content = thumbnail(splits.val, 3)
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG"
        assert max(image.size) <= 160
    assert len(content) < 15_000
