"""Train a detector from a finished classifier, into a Run: the loop of classification, with scenes for a batch."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ilsvrc
from ilsvrc import models
from ilsvrc.data.proposals import Given, find_proposals
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.box_course import INPUT, close, go, take
from ilsvrc.jobs.detect_feed import Halves, OnDevice, SceneFeed, Scenes, other_search
from ilsvrc.jobs.detect_judge import Finder, Looker, Spotted, judge, leave, objects_in
from ilsvrc.jobs.detecting import Detecting, detector_of, size_of
from ilsvrc.jobs.finished import Finished, finished
from ilsvrc.jobs.machine import Bench, circumstances, set_arithmetic
from ilsvrc.jobs.start import Left
from ilsvrc.models import rcnn
from ilsvrc.models.rcnn import FasterRCNN, RegionClassifier
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Split, as_json
from ilsvrc.tasks.learn import PARTS, step_loss, warped_loss
from ilsvrc.train import checkpoint
from ilsvrc.train import recipe as recipes
from ilsvrc.train.keeper import Keeper
from ilsvrc.train.loop import Place
from ilsvrc.train.loss import autocast
from ilsvrc.train.optim import optimizer
from ilsvrc.train.run import Run
from ilsvrc.train.schedule import rate

JUDGED = 5  # times that a training is judged on its way, at most: finding is dear


def run_detecting(
    asked: Detecting,
    halves: Halves,
    directory: Path,
    bench: Bench,
    watch: Watch,
    moved: Callable[[float], None] = lambda fraction: None,
) -> Run:
    """Train, or go on where the run in `directory` stands, until its scores are written.

    Raises SpecError when `directory` holds another training or this one cannot be, DataError when no training image
    has an object, Stopped when a signal asked to stop, Diverged when the loss is no longer a number.
    """
    if asked.how.steps == "alternating" and not asked.step:
        return _in_steps(asked, halves, directory, bench, watch)
    run, done = Run(directory), starting(asked, bench)
    set_arithmetic(bench)
    run.start(words(asked, done, halves, bench), circumstances(bench))
    run.write_data(halves.path, halves.train.classes.wnids, halves.train.classes.words)
    if run.scores.exists():
        return run
    work = Work(asked, done, halves, run, bench)
    go(work, watch, moved, lambda: work.say_remarks(watch))
    work.finish()
    return run


def _in_steps(asked: Detecting, halves: Halves, directory: Path, bench: Bench, watch: Watch) -> Run:
    """Alternating training (Ren et al. 2015, section 3.2), each step a run of its own; the last is the detector.

    1: proposals, from the classifier. 2: regions, from the classifier, on the proposals of 1. 3: proposals again, on
    the shared layers of 2, which hold still. 4: the regions' own layers, on the proposals of 3.
    """
    before: Path | None = None
    for step in (1, 2, 3):
        place = directory / f"step{step}"
        before = run_detecting(replace(asked, step=step, before=before), halves, place, bench, watch).directory
    return run_detecting(replace(asked, step=4, before=before), halves, directory, bench, watch)


def words(asked: Detecting, done: Finished, halves: Halves, bench: Bench) -> dict[str, Any]:
    """What decides the outcome: two trainings that agree in it are the same training."""
    return {
        "task": "detection",
        "entry": asked.entry.key,
        "member": as_json(asked.member),
        "boxes": as_json(asked.how),
        "start": Left(done.run.weights, ()).digest,
        "epochs": asked.epochs,
        "seed": asked.seed,
        **({"step": asked.step} if asked.step else {}),
        "data": halves.fingerprint,
        "classes": len(halves.train.classes),
        "precision": bench.precision,
        "device": bench.device.type,
        "reading": asdict(asked.reading),
    }


def starting(asked: Detecting, bench: Bench) -> Finished:
    """The classifier to start from. Raises SpecError where it does not fit, or nothing can be trained so."""
    if bench.processes.of > 1:
        raise SpecError("detection trains in one process; leave --processes out")
    done = finished(asked.classifier)
    mine, its = asked.member, done.member
    sizes = [member.image_size or models.paper_size(member.model) for member in (mine, its)]
    if (mine.model, sizes[0], mine.width) != (its.model, sizes[1], its.width):
        raise SpecError(
            f"{asked.entry.key} starts from {mine.model} at {sizes[0]} px and {mine.width:g} of its width, and "
            f"{asked.classifier} is {its.model} at {sizes[1]} px and {its.width:g}; give such a classifier"
        )
    if not done.run.scores.exists():
        raise SpecError(f"{asked.classifier} is a training that is not done; finish it first")
    recipes.check(asked.recipe)
    return done


class Work:
    """One detection training under way."""

    def __init__(self, asked: Detecting, done: Finished, halves: Halves, run: Run, bench: Bench) -> None:
        self.asked, self.run, self.bench, self.normal, self.halves = asked, run, bench, done.normal, halves
        recipe, classes = asked.recipe, len(halves.train.classes)
        _check_objects(halves)
        self.of_given: list[str] = []  # what is to be said of proposals
        self.still: tuple[nn.Module, ...] = ()
        self.parts: tuple[str, ...] = PARTS
        self.teacher: FasterRCNN | None = None
        take(run, {INPUT: done.run.directory / INPUT})
        self.network = self._network(done, classes)
        self.optimizer = optimizer(self.network, recipe.optimizer)
        self.given: dict[Split, Given | None] = {split: self._given(split) for split in ("train", "val")}
        self.feed = SceneFeed(halves.train, asked.how, recipe, asked.seed, asked.reading, self.given["train"])
        said = {"model": asked.member.model, "classes": classes, "ilsvrc": ilsvrc.__version__}
        carried = {"faults": self.feed.faults}  # what the epochs before a stop have seen of the data
        self.keeper = Keeper(run, self.network, self.optimizer, carried, said, bench.processes)
        self.keeper.check_room()
        self.name, self.seed, self.of = asked.entry.key, asked.seed, asked.epochs
        self.steps, self.rate = len(self.feed), rate(recipe, asked.epochs)
        self.epochs: list[dict[str, Any]] = []
        self.objects = objects_in(halves.val)
        self._said: set[str] = set()

    def _given(self, split: Split) -> Given | None:
        """The proposals of a split, where regions are given. Raises DataError where they are not there."""
        if self.asked.how.kind != "r-cnn":
            return None
        dataset = self.halves.train if split == "train" else self.halves.val
        given = find_proposals(Path(self.halves.path), split)
        lacking, other = given.check(getattr(dataset, "names", ())), other_search(given, self.asked.how)
        self.of_given += [*([f"{split}: {lacking}"] if lacking else []), *([other] if other else [])]
        return given

    def _network(self, done: Finished, classes: int) -> FasterRCNN | RegionClassifier:
        """The detector with the classifier's weights; new layers start at random, others hold still."""
        try:
            network = detector_of(self.asked.member, self.asked.how, classes)
        except ValueError as error:
            raise SpecError(str(error)) from error
        rcnn.initialise(network, self.asked.seed)
        taken = done.network.state_dict()
        inner = network.network if isinstance(network, RegionClassifier) else network.trunk.network
        inner.load_state_dict({name: taken[name] for name in inner.state_dict()})
        if isinstance(network, RegionClassifier):
            return network.to(self.bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
        before, step = self.asked.before, self.asked.step
        if before is not None and step >= 3:
            checkpoint.load_weights(Run(before).weights, network)
        self.teacher = self._teacher(before, classes) if before is not None and step == 2 else None
        self.parts = {1: ("proposals",), 3: ("proposals",), 2: ("regions",), 4: ("regions",)}.get(step, PARTS)
        self.still = (
            *network.trunk.still,
            *(network.trunk.lower() if step >= 3 else ()),
            *(network.proposing() if step == 4 else ()),
        )
        for layer in self.still:
            for parameter in layer.parameters():
                parameter.requires_grad_(False)
        placed: FasterRCNN = network.to(self.bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def _teacher(self, before: Path, classes: int) -> FasterRCNN:
        """The network of the step before, which gives the proposals."""
        teacher = detector_of(self.asked.member, self.asked.how, classes)
        assert isinstance(teacher, FasterRCNN)
        checkpoint.load_weights(Run(before).weights, teacher)
        placed: FasterRCNN = teacher.eval().to(self.bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def batches(self, place: Place) -> OnDevice:
        """The rest of the epoch at `place`."""
        return OnDevice(self.feed, place, self.normal, self.bench.device, self.bench.loaders)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Scenes]) -> Tensor:
        """The loss of a batch. Its draws are those of the step, which the loop has seeded."""
        images, scenes = batch
        draws = torch.default_generator
        with autocast(images.device, self.bench.precision):
            if isinstance(model, RegionClassifier):
                size = size_of(self.asked.member)
                return warped_loss(model, images, scenes.given, scenes.scenes, self.asked.how, draws, size)
            assert isinstance(model, FasterRCNN)
            return step_loss(model, images, scenes.scenes, self.asked.how, draws, self.parts, self.teacher)

    def before_step(self, model: nn.Module, t: float) -> None:
        """What holds still is also not changed by being looked at."""
        for layer in self.still:
            layer.eval()

    def before_update(self, model: nn.Module) -> None:
        """Clip the gradient where the recipe says so."""
        if self.asked.recipe.clip_norm:
            nn.utils.clip_grad_norm_(model.parameters(), self.asked.recipe.clip_norm)

    def after_update(self, model: nn.Module) -> None:
        """Nothing is kept beside the weights."""

    def judged(self) -> Spotted:
        """What the network finds on val."""
        looker = Looker(self.network, self.normal, size_of(self.asked.member))
        finder = Finder([looker], self.asked.how, self.given["val"])
        return judge(finder, self.halves.val, self.asked.reading, self.objects)

    def say_remarks(self, watch: Watch) -> None:
        """Say what the data has that teaches nothing, and what its proposals are, each once."""
        for line in self._lines():
            if line not in self._said:
                watch.say(f"  {line}")
        self._said.update(self._lines())

    def _lines(self) -> list[str]:
        """What is to be said of the data so far."""
        return self.feed.faults.lines(self.halves.train.classes, len(self.halves.train)) + self.of_given

    def close_epoch(self, place: Place, measured: dict[str, float]) -> str:
        """Judge now and then, log and save; the epoch in a few words."""
        every = max(1, -(-self.asked.epochs // JUDGED))
        due = place.epoch % every == 0 and place.epoch < self.asked.epochs and self.asked.step in (0, 4)
        found = self.judged().mean_ap if due else None
        speed = close(self, place, measured, {} if found is None else {"mean_ap": found})
        said = "" if found is None else f"mean AP {found:6.1%}  "
        return f"loss {measured['loss']:.3f}  {said}{speed:,.1f} images/s"

    def finish(self) -> None:
        """The weights, the detections and the verdict: the run is done. A step on the way has weights alone."""
        said = {"model": self.asked.member.model, "task": "detection"}
        checkpoint.save_weights(self.run.weights, self.network, said)
        if self.asked.step in (1, 2, 3):
            self.run.write_scores({"scores": [], "seconds": self.epochs[-1]["seconds"]})
            return self.keeper.tidy()
        self.run.write_scores(
            {
                **leave(self.run.directory, self.judged(), self.halves.val),
                "seconds": self.epochs[-1]["seconds"],
                "images_per_second": self.epochs[-1]["images_per_second"],
                "data": self._lines(),
            }
        )
        return self.keeper.tidy()


def _check_objects(halves: Halves) -> None:
    """Raise DataError where no image to learn from has an object."""
    for place in range(len(halves.train)):
        sample = halves.train[place]
        if sample.boxes is not None and len(sample.boxes):
            return
    raise DataError(f"no training image of {halves.path} has an object; put the box files there")
