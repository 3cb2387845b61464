"""A training by statistics that were computed before: mean, deviation, axes of colour noise; and which it refuses."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small import BENCH, QUIET, SIZE, training

from ilsvrc import data
from ilsvrc.cli import run as ilsvrc
from ilsvrc.data.decode import decode
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.colours import Colours, read_colours
from ilsvrc.jobs.finished import finished
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.statistics import statistics, write_statistics
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.training import Training
from ilsvrc.spec import Mirror, PcaLighting, RandomCrop, Recipe, ShortSide
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.transforms.picture import Picture
from ilsvrc.transforms.pipeline import apply


@pytest.fixture(scope="module")
def stated(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The statistics of the tiny set, with a mean image of the trainings' size."""
    out = tmp_path_factory.mktemp("statistics") / "tiny.json"
    write_statistics(statistics(str(tiny), size=SIZE), out)
    return out


def lit(recipe: Recipe) -> Recipe:
    """A recipe that takes all there is to take."""
    steps = (ShortSide(54, 54), RandomCrop(SIZE), Mirror(), PcaLighting(0.1))
    return replace(recipe, augment=steps, mean="pixel", unit="deviation")


def asked(path: Path) -> Training:
    usual = training(epochs=1)
    member = replace(usual.member, recipe=lit(usual.member.recipe))
    return replace(usual, member=member, colours=read_colours(path))


def test_lighting_along_own_axes_is_the_papers_formula(tiny: Path, stated: Path):
    """Krizhevsky et al. 2012, section 4.1, with the standard deviations of the authors' code: from the pixels up."""
    pixels = np.concatenate(
        [decode(each).reshape(-1, 3) for each in map(data.open(tiny, "train").__getitem__, range(60))]
    )
    assert read_colours(stated).found.source.size == SIZE  # of central squares: the numbers below are made of them
    path = stated.parent / "whole.json"
    write_statistics(statistics(str(tiny)), path)
    variances, vectors = np.linalg.eigh(np.cov(pixels.T / 255, bias=True))
    step = next(s for s in asked(stated).recipe.augment if isinstance(s, PcaLighting))
    step = next(s for s in read_colours(path).taken_by(lit(training().recipe)).augment if isinstance(s, PcaLighting))
    rng = random.Random(0)
    picture = Picture(np.zeros((2, 2, 3), np.uint8))
    shifts = np.array([apply(step, picture, rng).shift for _ in range(4000)]) / 255
    along = shifts @ vectors
    assert along.std(axis=0) == pytest.approx(0.1 * np.sqrt(variances), rel=0.05)
    assert np.corrcoef(along.T) == pytest.approx(np.eye(3), abs=0.06)
    draws = random.Random(7)
    alpha = [draws.gauss(0, 0.1) for _ in range(3)]
    once = apply(step, picture, random.Random(7)).shift
    found = read_colours(path).found
    wanted = 255 * sum(
        a * v**0.5 * axis for a, v, axis in zip(alpha, found.eigenvalues, found.eigenvectors.T, strict=True)
    )
    assert once == pytest.approx(wanted, rel=1e-4)


@pytest.mark.slow
def test_a_run_subtracts_the_stated_mean_and_is_judged_with_it(splits: Splits, stated: Path, tmp_path: Path):
    run = run_training(asked(stated), splits, tmp_path / "run", BENCH, QUIET)
    kept, found = load_tensors(run.directory / "input.safetensors"), read_colours(stated).found
    assert kept["mean"].numpy() == pytest.approx(255 * np.moveaxis(found.mean_image, -1, 0), abs=1e-3)
    assert kept["unit"].flatten().numpy() == pytest.approx(255 * found.deviation, abs=1e-3)
    assert torch.equal(finished(run.directory).normal.mean, kept["mean"])
    said = run.spec()["asked"]["statistics"]
    assert said["eigenvalues"] == pytest.approx(found.eigenvalues)
    assert said["computed_from"] == f"60 images of {found.source.data}, train"
    usual = run_training(replace(asked(stated), colours=None), splits, tmp_path / "usual", BENCH, QUIET)
    assert not torch.equal(load_tensors(usual.weights)["fc.weight"], load_tensors(run.weights)["fc.weight"])
    with pytest.raises(SpecError, match="holds a training with statistics = null, and "):
        run_training(asked(stated), splits, tmp_path / "usual", BENCH, QUIET)
    other = tmp_path / "other.json"
    write_statistics(statistics(str(splits.path), size=SIZE, images=30), other)
    with pytest.raises(SpecError, match=r"holds a training with statistics.computed_from = .60 images .* .30 images"):
        run_training(asked(other), splits, tmp_path / "run", BENCH, QUIET)


@pytest.mark.parametrize(("mean", "unit"), [("channel", "grey level"), ("middle", "half range")])
def test_a_recipe_takes_what_it_asks_for(mean: str, unit: str, stated: Path):
    colours = read_colours(stated)
    normal = colours.normal(replace(lit(training().recipe), mean=mean, unit=unit), SIZE)
    level = 255 * colours.found.mean if mean == "channel" else np.full(3, 127.5)
    assert normal.mean.shape == normal.unit.shape == (3, 1, 1)
    assert normal.mean.flatten().numpy() == pytest.approx(level, rel=1e-6)
    assert normal.unit.flatten().tolist() == [1.0 if unit == "grey level" else 127.5] * 3


def test_statistics_that_do_not_fit_are_refused_before_a_step(splits: Splits, stated: Path, tmp_path: Path):
    def refused(colours: Colours, recipe: Recipe | None = None) -> str:
        usual = asked(stated)
        member = replace(usual.member, recipe=recipe or usual.member.recipe)
        with pytest.raises(SpecError) as caught:
            run_training(replace(usual, member=member, colours=colours), splits, tmp_path / "no", BENCH, QUIET)
        return str(caught.value)

    colours = read_colours(stated)
    foreign = replace(colours.found, source=replace(colours.found.source, classes="0" * 12, data="others"))
    assert f"{stated} is of others, which has other classes than" in refused(Colours(stated, foreign))
    assert "has no mean image; write it with ilsvrc statistics --size 48" in refused(
        Colours(stated, replace(colours.found, mean_image=None))
    )
    assert "has one of 24 pixels on a side" in refused(
        Colours(stated, replace(colours.found, mean_image=colours.found.mean_image[:24, :24]))
    )
    plain = replace(
        lit(training().recipe), mean="middle", unit="half range", augment=(ShortSide(SIZE, SIZE), RandomCrop(SIZE))
    )
    assert "takes nothing from a data set's statistics; leave" in refused(colours, plain)
    assert not (tmp_path / "no").exists()


def test_a_file_of_one_channel_is_refused(stated: Path, tmp_path: Path, tiny: Path, capsys: pytest.CaptureFixture[str]):
    said = json.loads(stated.read_text())
    grey = tmp_path / "grey.json"
    grey.write_text(json.dumps(said | {"mean": said["mean"][:1]}))
    with pytest.raises(DataError, match=r"grey.json is no file .* \(it is of 1 channels, and images have 3\)"):
        read_colours(grey)
    words = ["train", "resnet18", "--data", str(tiny), "--statistics", str(tmp_path / "none.json"), "--device", "cpu"]
    assert ilsvrc(words) == 1
    assert "none.json cannot be read" in " ".join(capsys.readouterr().err.split())


def test_a_set_whose_boxes_alone_have_labels_is_no_set_to_classify(tmp_path: Path):
    from ilsvrc.data import mini

    mini.build(tmp_path / "mini", train=40, val=20, test=20)
    with pytest.raises(DataError, match=r"10 of 10 images of train have no label, as in a detection set"):
        open_splits(str(tmp_path / "mini" / "det"))
