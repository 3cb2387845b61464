"""Recipes run: averages that survive a stop, batch norm in the end, a start from another training; which is taken."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small import BENCH, QUIET, SIZE, Told, stopped_after, training

from ilsvrc.entries import modern, vgg_2014
from ilsvrc.entries.recipes import OTHERS, PAPER, miniature, recipes_of
from ilsvrc.errors import SpecError, WeightsError
from ilsvrc.jobs.input import Feed, Splits, normal_of
from ilsvrc.jobs.start import left_by
from ilsvrc.jobs.train import Stores, Training, Work, run_training
from ilsvrc.jobs.train_one import Order, train_one
from ilsvrc.spec import BatchNorm, MovingAverage, RMSProp, Start, TailMean
from ilsvrc.train import recipe as recipes
from ilsvrc.train.checkpoint import load_state, load_tensors
from ilsvrc.train.run import Run


def changed(model: str = "resnet18", **changes: object) -> Training:
    """The small training with other fields in its recipe."""
    plain = training(model)
    return replace(plain, member=replace(plain.member, recipe=replace(plain.member.recipe, **changes)))


EVERYTHING = {
    "optimizer": RMSProp(lr=0.01, momentum=0.9, epsilon=1.0, weight_decay=4e-5),
    "average": MovingAverage(decay=0.9),
    "batch_norm": BatchNorm(decay=0.95, frozen=1.0, recomputed=32),
    "filter_rms": 0.1,
    "clip_norm": 2.0,
}


def tensors(run: Run) -> dict[str, torch.Tensor]:
    return load_tensors(run.weights)


@pytest.mark.slow
def test_a_stop_changes_no_bit_of_averages_frozen_norms_or_rmsprop(splits: Splits, tmp_path: Path):
    asked = changed(**EVERYTHING)
    whole = run_training(asked, splits, tmp_path / "whole", BENCH, QUIET)
    for steps in (2, 1, 3):  # of 8, and of being asked between the epochs: before and behind the freezing
        stopped_after(steps, asked, splits, tmp_path / "stopped")
    state = load_state(tmp_path / "stopped" / "state.pt")
    assert state["upkeep"]["averages"]["updates"] == 5
    again = run_training(asked, splits, tmp_path / "stopped", BENCH, QUIET)
    ours, theirs = tensors(again), tensors(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert [line["loss"] for line in again.log()] == [line["loss"] for line in whole.log()]
    assert [line["top1_error"] for line in again.log()] == [line["top1_error"] for line in whole.log()]


def test_the_weights_kept_are_the_averages_and_the_checkpoint_s_are_the_last(splits: Splits, tmp_path: Path):
    run = run_training(changed(average=TailMean(last=0.5)), splits, tmp_path, BENCH, QUIET)
    state = load_state(run.state)
    kept = tensors(run)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in state["upkeep"]["averages"]["values"].items())
    assert not torch.equal(state["network"]["fc.weight"], kept["fc.weight"])


def test_statistics_are_recomputed_in_the_end_alone(splits: Splits, tmp_path: Path):
    run = run_training(changed(batch_norm=BatchNorm(recomputed=48)), splits, tmp_path, BENCH, QUIET)
    last, kept = load_state(run.state)["network"], tensors(run)
    moved = {name for name, tensor in kept.items() if not torch.equal(tensor, last[name])}
    assert moved
    assert {name.rpartition(".")[2] for name in moved} == {"running_mean", "running_var", "num_batches_tracked"}
    assert {int(kept[name]) for name in kept if name.endswith("num_batches_tracked")} == {3}


def vgg(recipe_of: object, model: str = "vgg13", start: Path | None = None) -> Training:
    asked = changed(model, **vars(miniature("vgg16")) | {"batch": 30, "starts_from": recipe_of, "clip_norm": 1.0})
    return replace(asked, start=start, epochs=1)


STAGED = Start(model="vgg11", recipe="A", layers=vgg_2014.FROM_A)


@pytest.mark.slow
def test_a_staged_training_starts_from_another_s_layers_and_those_alone(splits: Splits, tmp_path: Path):
    shallow = run_training(vgg(None, "vgg11"), splits, tmp_path / "A", BENCH, QUIET)
    staged = vgg(STAGED, start=shallow.directory)
    left = left_by(staged.start, staged.member)
    work = Work(staged, splits, Run(tmp_path / "B"), BENCH, Stores(), left)
    plain = Work(vgg(None), splits, Run(tmp_path / "C"), BENCH, Stores())
    taken, ours, fresh = tensors(shallow), work.network.state_dict(), plain.network.state_dict()
    for name, tensor in ours.items():
        wanted = taken if name.rpartition(".")[0] in vgg_2014.FROM_A else fresh
        assert torch.equal(tensor, wanted[name]), name
    run = run_training(staged, splits, tmp_path / "D", BENCH, QUIET)
    assert run.spec()["asked"]["start"] == left.digest
    by_file = replace(staged, start=shallow.weights)
    assert run_training(by_file, splits, tmp_path / "D", BENCH, QUIET) == run, "the same weights, the same training"
    again = vgg(Start(model=None, recipe="D"), start=run.directory)
    assert left_by(again.start, again.member).layers == ()
    with pytest.raises(SpecError, match="is a training of vgg13, and the recipe starts from one of vgg11; give such"):
        left_by(run.directory, staged.member)
    narrow = replace(staged, member=replace(staged.member, width=0.2))
    with pytest.raises(WeightsError, match=r"conv1_1.weight is .* start from a network of the same width"):
        run_training(narrow, splits, tmp_path / "E", BENCH, QUIET)


def test_a_start_that_is_missing_or_too_much_is_a_sentence_and_leaves_no_directory(splits: Splits, tmp_path: Path):
    with pytest.raises(SpecError, match=r"starts from a trained vgg11 .*; give its run, or its weights, by --start"):
        run_training(vgg(STAGED), splits, tmp_path / "run", BENCH, QUIET)
    with pytest.raises(SpecError, match="and the recipe starts from random weights; leave it out"):
        run_training(replace(training(), start=tmp_path), splits, tmp_path / "run", BENCH, QUIET)
    with pytest.raises(SpecError, match="nowhere is given to start from and is not there"):
        run_training(vgg(STAGED, start=Path("nowhere")), splits, tmp_path / "run", BENCH, QUIET)
    assert not (tmp_path / "run").exists()
    unfinished = Run(tmp_path / "A")
    unfinished.start({"member": {"model": "vgg11"}}, {})
    with pytest.raises(SpecError, match="is a training that is not done; finish it before another starts from it"):
        left_by(unfinished.directory, vgg(STAGED).member)


def order(name: str, **changes: object) -> Order:
    words = {"recipe": None, "epochs": None, "width": None, "image_size": None, "seed": 0}
    return Order(name=name, **(words | changes))


def test_a_recipe_is_taken_by_its_name():
    assert order("resnet50").training().member.recipe == PAPER["resnet50"]
    assert order("resnet50", image_size=64).training().member.recipe == miniature("resnet50")
    assert order("resnet50", recipe="modern").training().member.recipe == modern.NORMALISED
    assert order("vgg16", recipe="modern").training().member.recipe == modern.PLAIN
    for model, others in OTHERS.items():
        for name, recipe in others.items():
            assert order(model, recipe=name).training().member.recipe == recipe
    with pytest.raises(SpecError, match="no recipe for resnet50 is called 'best'; there are paper, miniature"):
        order("resnet50", recipe="best").training()


def test_what_is_changed_of_a_recipe_is_said_before_it_runs(splits: Splits, tmp_path: Path):
    told = Told()
    small = order("resnet18", recipe="modern", epochs=1, width=0.1, image_size=SIZE, batch=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ilsvrc.jobs.train_one.open_splits", lambda path: splits)
        train_one(small, "here", tmp_path / "run", "auto", BENCH, told)
    assert told.lines[:4] == [
        "resnet18 as in modern, for networks with batch normalisation",
        "  batch 16 instead of 256, and the rate 0.00625 instead of 0.1; "
        "the average's decay 0.999994 instead of 0.9999",
        f"  images of {SIZE} instead of 224 pixels",
        "  a length of 1 instead of 90 epochs, and the schedule in proportion",
    ]


def test_inputs_in_half_ranges_go_from_minus_one_to_one(splits: Splits):
    recipe = replace(training().member.recipe, mean="middle", unit="half range")
    normal = normal_of(splits.train, recipe, training().judged_by, Feed(threads=1))
    assert (normal.mean.flatten().tolist(), normal.unit.flatten().tolist()) == ([127.5] * 3, [127.5] * 3)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("model", ["alexnet", "resnet18"])
def test_the_modern_recipe_learns(model: str, splits: Splits, tmp_path: Path):
    asked = training(model)
    recipe = recipes.scaled(recipes_of(model)["modern"], 16)
    run = run_training(
        replace(asked, member=replace(asked.member, recipe=recipe), epochs=4), splits, tmp_path, BENCH, QUIET
    )
    losses = [line["loss"] for line in run.log()]
    assert losses[-1] < losses[0]
