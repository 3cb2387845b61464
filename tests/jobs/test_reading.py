"""How images are read, from the loader to a run's record: the reference, boxes, and images that cannot be decoded."""

import io
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from safetensors.torch import load_file
from small import BENCH, QUIET, SIZE, Told, evaluated, stopped_after, training

from ilsvrc.cli import run as command
from ilsvrc.data.batch import Batch, Views
from ilsvrc.data.decode import Reading, decode
from ilsvrc.data.kept import Kept
from ilsvrc.errors import BadImage, DataError, SpecError
from ilsvrc.jobs.input import Feed, Normal, Splits, judging_loader, normal_of, open_splits, training_loader
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.predictor import Predictor
from ilsvrc.jobs.saved_scores import read_scores
from ilsvrc.jobs.train import run_training
from ilsvrc.spec import AreaCrop, Crops, Mirror, PcaLighting, RandomCrop, Rotation, ShortSide
from ilsvrc.train.recipe import protocol_at_size
from ilsvrc.train.run import Run
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture
from ilsvrc.transforms.pipeline import pipeline

CPU = torch.device("cpu")
REFERENCE = Reading("reference")
AREA = replace(training().recipe, augment=(AreaCrop(48), Mirror(), PcaLighting()))


def generator(seed: int, epoch: int, index: int) -> random.Random:
    """What the loader promises: one generator per seed, epoch and image."""
    return random.Random((seed << 96) + (epoch << 48) + index + 1)


@pytest.fixture(scope="module")
def damaged(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny set with two training images and one of val that are none any more."""
    place = tmp_path_factory.mktemp("damaged") / "set"
    shutil.copytree(tiny, place)
    for victim in (*sorted((place / "train").rglob("*.JPEG"))[4:6], place / "val" / f"{first_of_val(tiny)}.JPEG"):
        victim.write_bytes(b"\xff\xd8 not any more")
    return place


def first_of_val(tiny: Path) -> str:
    """The first image of val of class 0, which is the guess of who knows nothing."""
    val = open_splits(str(tiny)).val
    return next(sample.name for sample in (val[i] for i in range(40)) if sample.label == 0)


@pytest.mark.parametrize("room", [0, 1 << 30])
def test_the_reference_is_pillow_s_decoding_and_resampling_to_the_bit(splits: Splits, room: int):
    loader = training_loader(splits.train, AREA, 16, 3, Feed(reading=REFERENCE, kept=Kept(room)))
    for number, batch in enumerate(loader.epoch(2)):
        for place, index in enumerate(loader.order(2)[16 * number :][:3].tolist()):
            rng = generator(3, 2, index)
            with PillowImage.open(io.BytesIO(splits.train[index].jpeg)) as image:
                part = geometry.area_part(image.width, image.height, rng, 0.08)
                wanted = image.convert("RGB").crop(part).resize((48, 48), PillowImage.Resampling.BILINEAR)
            pixels = np.asarray(wanted)
            assert np.array_equal(batch.pixels[place], pixels[:, ::-1] if rng.random() < 0.5 else pixels)


def test_judging_by_the_reference_is_pillow_s_too(splits: Splits):
    (batch,) = judging_loader(
        splits.val, Crops(layout="center", short_sides=(40,), size=32), 40, Feed(reading=REFERENCE)
    ).epoch(0)
    for place in range(0, 40, 7):
        with PillowImage.open(io.BytesIO(splits.val[place].jpeg)) as image:
            scale = 40 / min(image.size)
            width, height = (max(40, round(side * scale)) for side in image.size)
            pixels = np.asarray(image.convert("RGB").resize((width, height), PillowImage.Resampling.BILINEAR))
        top, left = (height - 32) // 2, (width - 32) // 2
        assert np.array_equal(batch.pixels[place, 0], pixels[top : top + 32, left : left + 32])


@pytest.mark.parametrize(
    "augment", [AREA.augment, (ShortSide(56, 56), RandomCrop(48)), (ShortSide(50, 64), RandomCrop(48))], ids=str
)
def test_fast_and_reference_see_the_same_crops_and_nearly_the_same_pixels(splits: Splits, augment: tuple[object, ...]):
    recipe = replace(AREA, augment=augment)
    fast, reference = (
        np.concatenate([b.pixels for b in training_loader(splits.train, recipe, 16, 0, Feed(reading=r)).epoch(1)])
        for r in (Reading(), REFERENCE)
    )
    apart = np.abs(fast.astype(int) - reference)
    assert apart.max() <= 2
    assert 0 < apart.mean() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 1 << 30])
def test_boxes_arrive_as_the_pipeline_moves_them(splits: Splits, room: int):
    recipe = replace(AREA, augment=(ShortSide(60, 60), AreaCrop(48, low=0.3), Mirror(), Rotation(10)))
    for augment in (recipe.augment, recipe.augment[1:]):
        loader = training_loader(
            splits.train, replace(recipe, augment=augment), 60, 1, Feed(boxes=True, kept=Kept(room))
        )
        (batch,) = loader.epoch(4)
        for place, index in enumerate(loader.order(4).tolist()):
            sample = splits.train[index]
            assert sample.boxes is not None
            whole = np.asarray(PillowImage.open(io.BytesIO(sample.jpeg)).convert("RGB"))
            wanted = pipeline(augment)(Picture(whole, sample.boxes.astype(np.float32)), generator(1, 4, index))
            assert np.array_equal(batch.boxes[place], wanted.boxes)
            assert np.array_equal(batch.pixels[place], wanted.pixels)
            assert np.array_equal(batch.box_labels[place], sample.box_labels)
    assert next(iter(training_loader(splits.train, recipe, 60, 1, Feed()).epoch(0))).boxes is None


@pytest.mark.parametrize(
    "mean", [torch.tensor([120.0, 110, 100]).reshape(3, 1, 1), 200 * torch.rand(3, 8, 8)], ids=["channel", "pixel"]
)
@pytest.mark.parametrize(
    "unit", [torch.ones(3, 1, 1), torch.tensor([58.0, 57, 56]).reshape(3, 1, 1)], ids=["grey", "deviation"]
)
@pytest.mark.parametrize("views", [(), (10,)], ids=["one", "ten"])
def test_threads_write_what_the_device_would_compute_to_the_bit(
    mean: torch.Tensor, unit: torch.Tensor, views: tuple[int, ...]
):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (4, *views, 8, 8, 3), dtype=np.uint8)
    shift = np.concatenate([np.zeros((2, 3)), rng.normal(0, 3, (2, 3))]).astype(np.float32)
    batch = Batch(tuple("abcd"), pixels, shift, np.zeros(4, np.int64))
    normal = Normal(mean, unit)
    wanted = normal.images(batch, CPU)
    write, out = normal.writer(CPU), np.empty(pixels.shape, np.float32)
    for place in range(4):
        write(Views(pixels[place], shift[place]), out[place])
    found = normal.images(replace(batch, pixels=out), CPU)
    assert torch.equal(found, wanted)
    assert found.stride() == wanted.stride()
    assert normal.writer(torch.device("meta")) is None, "a GPU is sent bytes"


@pytest.mark.slow
def test_how_images_are_read_decides_the_run(splits: Splits, tmp_path: Path):
    asked = replace(training(), reading=REFERENCE)
    stopped_after(2, asked, splits, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "spec.json").read_text())["asked"]["reading"] == {
        "decoder": "reference",
        "bad": "stop",
    }
    with pytest.raises(
        SpecError, match=r'holds a training with reading.decoder = "reference", and "fast" is asked now'
    ):
        run_training(training(), splits, tmp_path / "run", BENCH, QUIET)
    run = run_training(asked, splits, tmp_path / "run", BENCH, QUIET)
    again = evaluated(run.directory, splits.path)  # decodes as the run did, without being told
    assert [score["value"] for score in run.read_scores()["scores"]] == [score.value for score in again.scores]


def test_a_bad_image_stops_a_training_with_place_name_and_remedy(damaged: Path, tmp_path: Path):
    with pytest.raises(BadImage, match=rf"^{damaged}: .* is not an image that can be decoded .* --bad-images skip"):
        run_training(training(), open_splits(str(damaged)), tmp_path / "run", BENCH, QUIET)


@pytest.mark.slow
def test_bad_images_that_are_passed_over_are_named_once_and_recorded(damaged: Path, tmp_path: Path):
    watch, asked = Told(), replace(training(), reading=Reading(bad="skip"))
    splits = open_splits(str(damaged))
    run = run_training(asked, splits, tmp_path / "whole", BENCH, watch)
    said = [line for line in watch.lines if "skipped" in line]
    assert len(said) == 3
    assert sum("stands in for it" in line for line in said) == 2
    assert sum("skipped in val, it counts as wrong" in line for line in said) == 1
    scores = run.read_scores()
    assert {split: len(found) for split, found in scores["bad_images"].items()} == {"train": 2, "val": 1}
    for name, fault in scores["bad_images"]["train"].items():
        assert fault["instead"].split("_")[0] == name.split("_")[0], "of the same class"
    assert all(score["rules"].endswith("; 1 that cannot be decoded count as wrong") for score in scores["scores"])
    assert all(score["images"] == 40 for score in scores["scores"])
    assert all(len(epoch["bad_images"]) == 3 for epoch in run.log())
    # Stopped before its last step and gone on with, it is the same run with the same record.
    stopped_after(7, asked, splits, tmp_path / "halved")
    halved = run_training(asked, splits, tmp_path / "halved", BENCH, QUIET)
    one, other = (load_file(each.weights) for each in (run, halved))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert halved.read_scores()["bad_images"] == scores["bad_images"]


def test_an_image_that_cannot_be_judged_is_wrong_and_the_score_says_so(
    finished, damaged: Path, tiny: Path, tmp_path: Path, capsys
):
    run = finished["resnet18"].directory
    with pytest.raises(DataError, match="--bad-images skip"):
        evaluated(run, str(damaged))
    files = [tmp_path / "whole.npz", tmp_path / "damaged.npz"]
    whole = evaluated(run, str(tiny), save=files[0])
    found = evaluated(run, str(damaged), save=files[1], reading=Reading(bad="skip"))
    before, after = map(read_scores, files)
    place = after.names.index(first_of_val(tiny))
    assert after.record.bad_images == (after.names[place],)
    assert np.allclose(after.probabilities[place], 1 / 20)
    others = np.arange(40) != place
    assert np.allclose(after.probabilities[others], before.probabilities[others], atol=1e-6)
    rank = (-before.probabilities[place]).argsort().tolist().index(0)
    for top, one, other in zip((1, 5), found.scores, whole.scores, strict=True):
        assert one.value == pytest.approx(other.value + (rank < top) / 40)
    assert command(["evaluate", str(run), "--data", str(damaged), "--bad-images", "skip", "--device", "cpu"]) == 0
    assert "1 that cannot be decoded count as wrong)" in capsys.readouterr().out


def test_the_mean_leaves_out_what_cannot_be_decoded(damaged: Path, tiny: Path):
    center = Crops(layout="center", short_sides=(40,), size=32)
    feed = Feed(reading=Reading(bad="skip"))
    found = normal_of(open_splits(str(damaged)).train, training().recipe, center, feed)
    splits = open_splits(str(tiny))
    pixels = np.concatenate([b.pixels[:, 0] for b in judging_loader(splits.train, center, 64, Feed()).epoch(0)])
    kept = [i for i in range(60) if i not in (4, 5)]
    assert found.mean.flatten().numpy() == pytest.approx(pixels[kept].mean(axis=(0, 1, 2)), abs=1e-3)


@pytest.mark.slow
def test_a_run_is_shown_images_as_it_was_trained_on_them(splits: Splits, tmp_path: Path):
    run = run_training(replace(training(epochs=1), reading=REFERENCE), splits, tmp_path / "run", BENCH, QUIET)
    predictor = Predictor(run.directory)
    judged = read_predictions(run.directory / "predictions.npz").probabilities[:4]
    blobs = [predictor.view(decode(splits.val[index])) for index in range(4)]
    assert np.array_equal(torch.stack(blobs), torch.stack([_as_judged(splits, run, index) for index in range(4)]))
    assert np.allclose(predictor.probabilities(blobs), judged, atol=1e-6)


def _as_judged(splits: Splits, run: Run, index: int) -> torch.Tensor:
    """What the judge of that run saw of an image."""
    normal = Normal(**load_file(run.directory / "input.safetensors"))
    feed = Feed(reading=REFERENCE)
    batch = judging_loader(splits.val, protocol_at_size(training().protocol, SIZE), 60, feed).epoch(0).batch(0)
    return normal.images(batch, torch.device("cpu"))[index, 0]
