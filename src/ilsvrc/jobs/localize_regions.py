"""Train what judges a class's proposals again, into a Run: the network that proposes first, in a run of its own.

As alternating training of detectors: DIRECTORY/proposals is a localization run by itself, with its own verdict, and
DIRECTORY that of both together.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ilsvrc
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.box_course import INPUT, close, go, take
from ilsvrc.jobs.finished import Finished
from ilsvrc.jobs.input import Chosen, Feed, Normal, Splits
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.localize_ask import Localizing, check_proposes, starting, words
from ilsvrc.jobs.localize_feed import boxed_images
from ilsvrc.jobs.localize_judge import BoxJudge
from ilsvrc.jobs.localize_networks import region_network, regressor
from ilsvrc.jobs.localize_propose import Proposer, propose
from ilsvrc.jobs.localize_referee import Referee, Side
from ilsvrc.jobs.localize_run import CLASSIFIER, run_localizing
from ilsvrc.jobs.localize_submission import leave
from ilsvrc.jobs.machine import Bench, circumstances, set_arithmetic
from ilsvrc.jobs.region_feed import RegionBatch, TaughtRegions, WithProposals, region_loader, warp_of
from ilsvrc.models import rcnn
from ilsvrc.models.rcnn import RegionClassifier
from ilsvrc.models.regressor import ClassProposals
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Regression, as_json
from ilsvrc.tasks.class_regions import region_loss
from ilsvrc.train import checkpoint
from ilsvrc.train import recipe as recipes
from ilsvrc.train.keeper import Keeper
from ilsvrc.train.loop import Place
from ilsvrc.train.loss import autocast
from ilsvrc.train.optim import optimizer
from ilsvrc.train.run import Run
from ilsvrc.train.schedule import rate
from ilsvrc.train.upkeep import Upkeep

PROPOSER = "proposals.safetensors"  # in the run's directory, beside the weights of what judges again
FIRST = "proposals"  # the run of the network that proposes, in the run's directory
FOUND = "regions"  # what it proposed for the images to learn from


def run_regions(
    asked: Localizing,
    splits: Splits,
    directory: Path,
    bench: Bench,
    watch: Watch,
    moved: Callable[[float], None] = lambda fraction: None,
) -> Run:
    """Train both networks, or go on where the runs in `directory` stand, until the scores are written.

    Raises as run_localizing, and DataError when no training image has proposals. moved is told of each by itself.
    """
    run, done = Run(directory), starting(asked, splits, bench)
    set_arithmetic(bench)
    run.start(words(asked, done, splits, bench), circumstances(bench))
    run.write_data(splits.path, splits.train.classes.wnids, splits.train.classes.words)
    if run.scores.exists():
        return run
    boxes = asked.entry.boxes
    assert isinstance(boxes, Regression)
    first = replace(asked, entry=replace(asked.entry, boxes=replace(boxes, regions=None)))
    watch.say(f"first the proposals: {asked.member.model} as in {asked.member.recipe.source}")
    before = run_localizing(first, splits, directory / FIRST, bench, watch, moved)
    watch.say(f"then what judges them again: {asked.member.model} as in {asked.region_recipe.source}")
    return judge_again(asked, before.directory, splits, run, bench, watch, moved)


def judge_again(
    asked: Localizing,
    proposals: Path,
    splits: Splits,
    run: Run,
    bench: Bench,
    watch: Watch,
    moved: Callable[[float], None] = lambda fraction: None,
) -> Run:
    """Train what judges the proposals of the finished run in `proposals` again, into `run`, which was started.

    Raises as run_regions, and SpecError where that run does not propose, is not done, or is of another network.
    """
    check_proposes(asked, Run(proposals), splits)
    done = starting(asked, splits, bench)
    take(
        run,
        {
            CLASSIFIER: done.run.weights,
            INPUT: done.run.directory / INPUT,
            PROPOSER: Run(proposals).weights,
        },
    )
    work = Work(asked, done, splits, run, bench, watch)
    go(work, watch, moved)
    work.finish(Run(proposals).read_scores() or {})
    return run


class Work:
    """One training of what judges proposals again, under way."""

    def __init__(self, asked: Localizing, done: Finished, splits: Splits, run: Run, bench: Bench, watch: Watch) -> None:
        self.asked, self.run, self.bench, self.normal = asked, run, bench, done.normal
        recipe, classes = asked.region_recipe, len(splits.train.classes)
        recipes.check(recipe)
        self.name, self.seed, self.of = asked.entry.key, asked.seed, round(recipe.epochs)
        self.known = splits.val.classes.wnids, splits.path
        assert asked.regression.regions is not None
        self.how = asked.regression.regions
        warp = warp_of(asked.size, self.how, self.normal)
        self.network = self._network(done, classes)
        self.optimizer = optimizer(self.network, recipe.optimizer)
        self.proposer = proposer_of(asked, classes, run, self.normal, bench)
        dataset = self._dataset(splits, watch)
        updates = self.of * -(-len(dataset) // recipe.batch)
        self.upkeep = Upkeep(self.network, recipes.in_updates(recipe, updates))
        self.before_update, self.after_update = self.upkeep.before_update, self.upkeep.after_update
        said = {"model": asked.member.model, "classes": classes, "ilsvrc": ilsvrc.__version__}
        self.keeper = Keeper(run, self.network, self.optimizer, {"upkeep": self.upkeep}, said, bench.processes)
        self.keeper.check_room()
        feed = Feed(threads=bench.loaders, reading=asked.reading)
        self.loader = region_loader(dataset, self.how, recipe, warp, asked.seed, feed)
        self.steps, self.rate = len(self.loader), rate(recipe, self.of)
        self.judge = BoxJudge(splits.val, asked.judged_by, asked.regression, asked.size, bench, asked.reading)
        self.said = read_predictions(done.run.directory / "predictions.npz").probabilities
        self.epochs: list[dict[str, Any]] = []

    def _network(self, done: Finished, classes: int) -> RegionClassifier:
        """The classifier with its weights, and new layers at its end, which start at random."""
        try:
            network = region_network(self.asked.member, classes)
        except ValueError as error:
            raise SpecError(str(error)) from error
        rcnn.initialise(network, self.asked.seed)
        taken = done.network.state_dict()
        network.network.load_state_dict({name: taken[name] for name in network.network.state_dict()})
        return network.to(self.bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _dataset(self, splits: Splits, watch: Watch) -> WithProposals:
        """The images to learn from, with what is proposed in each for its own class."""
        boxed = Chosen(splits.train, boxed_images(splits, watch))
        proposed = propose(self.proposer, boxed, self.run.directory / FOUND, self.how, watch)
        dataset = WithProposals(boxed, proposed)
        lost = len(boxed) - len(dataset)
        if lost:
            watch.say(f"  {lost:,} of {len(boxed):,} training images have no proposals and teach none")
        if not len(dataset):
            raise DataError(
                f"no training image of {splits.path} has proposals; {self.run.directory / FIRST} has learnt nothing: "
                "a lower learning rate is the usual cure"
            )
        return dataset

    def batches(self, place: Place) -> TaughtRegions:
        """The rest of the epoch at `place`."""
        epoch = self.loader.epoch(place.epoch, place.step, self.normal.writer(self.bench.device))
        return TaughtRegions(epoch, self.normal, self.bench.device, self.how)

    def loss(self, model: nn.Module, batch: RegionBatch) -> Tensor:
        """The loss of a batch of regions."""
        images, said = batch
        with autocast(images.device, self.bench.precision):
            logits, offsets = model(images)
        return region_loss(logits.float(), offsets.float(), said[:, 0].long(), said[:, 1], said[:, 2:])

    def before_step(self, model: nn.Module, t: float) -> None:
        """Batch norm is frozen where the recipe says so."""
        self.upkeep.before_step(model, t)

    def close_epoch(self, place: Place, measured: dict[str, float]) -> str:
        """Log and save; the epoch in a few words. Judging takes many times an epoch and is done once, in the end."""
        speed = close(self, place, measured, {})
        return f"loss {measured['loss']:.4f}  {speed:,.0f} regions/s"

    def finish(self, before: dict[str, Any]) -> None:
        """The weights, the boxes and the verdicts, beside those of the proposals alone: the run is done."""
        with self.upkeep.judged():
            side = Side(self.proposer, self.network, self.normal, self.how, self.asked.size)
            referee = Referee([side], self.bench)
            located = self.judge.one_by_one(referee, self.said)
            said = {"model": self.asked.member.model, "task": "localization"}
            checkpoint.save_weights(self.run.weights, self.network, said)
        found = self.judge.score(located)
        leave(self.run.directory, located, *self.known)
        self.run.write_scores(
            {
                "protocol": as_json(self.asked.judged_by),
                "split": "val",
                "scores": [asdict(found.localization), asdict(found.classification)],
                "proposals": before["scores"],
                "seconds": self.epochs[-1]["seconds"] + before["seconds"],
                "images_per_second": self.epochs[-1]["images_per_second"],
            }
        )
        self.keeper.tidy()


def proposer_of(asked: Localizing, classes: int, run: Run, normal: Normal, bench: Bench) -> Proposer:
    """What proposes, by the copy of its weights in the run."""
    network = regressor(asked.member, asked.regression, classes)
    assert isinstance(network, ClassProposals)
    checkpoint.load_weights(run.directory / PROPOSER, network)
    placed = network.to(bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Proposer(placed, normal, asked.judged_by, bench, asked.reading)
