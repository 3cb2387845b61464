"""Train one network by one recipe on one data set, into a Run."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ilsvrc import models
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.data.kept import Kept
from ilsvrc.errors import SpecError
from ilsvrc.jobs.bad_images import BadImages
from ilsvrc.jobs.evaluate import Judge, write_predictions
from ilsvrc.jobs.input import Feed, Normal, OnDevice, Splits, epochs_on, normal_of, training_loader
from ilsvrc.jobs.interrupt import Interruption, Stopped
from ilsvrc.jobs.machine import Bench, circumstances, set_arithmetic
from ilsvrc.jobs.pace import called, outcome, paced, settled
from ilsvrc.jobs.start import Left, left_by
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Crops, Member, Recipe, as_json
from ilsvrc.train import checkpoint, normalise
from ilsvrc.train import recipe as recipes
from ilsvrc.train.init import initialise, start_from
from ilsvrc.train.loop import Course, Place, train
from ilsvrc.train.loss import autocast, classification
from ilsvrc.train.optim import optimizer
from ilsvrc.train.run import Run
from ilsvrc.train.schedule import rate
from ilsvrc.train.upkeep import Upkeep
from ilsvrc.transforms.pipeline import check as check_augmentation
from ilsvrc.transforms.pipeline import split


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is asked: one seat of an entry, for so many epochs, judged by a protocol."""

    member: Member
    protocol: Crops
    epochs: int
    seed: int
    start: Path | None = None  # a finished run, or weights: what a recipe with starts_from starts from
    reading: Reading = USUAL

    @property
    def size(self) -> int:
        """Pixels on a side at the network's input."""
        return self.member.image_size or models.paper_size(self.member.model)

    @property
    def recipe(self) -> Recipe:
        """The member's recipe at that size and length; what differs from the member's is said in its gaps."""
        return recipes.shortened(recipes.at_size(self.member.recipe, self.size), self.epochs)

    @property
    def judged_by(self) -> Crops:
        """The protocol at that size."""
        return recipes.protocol_at_size(self.protocol, self.size)


class Stores:
    """What the trainings of one race share: decoded images and their mean, by what was done to them."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._normal: dict[str, Normal] = {}

    def of(self, key: object) -> Kept:
        """The store for images prepared like that."""
        return self._kept.setdefault(repr(key), Kept())

    def normal(self, key: object, compute: Callable[[], Normal]) -> Normal:
        """Mean and deviation for such images, computed once."""
        if repr(key) not in self._normal:
            self._normal[repr(key)] = compute()
        return self._normal[repr(key)]


def built(training: Training, classes: int, device: torch.device) -> nn.Module:
    """The network, initialised from the seed, channels last, on the device. Raises SpecError with what does not fit."""
    network = plain(training, classes)
    initialise(network, training.member.recipe.init, training.seed)
    placed: nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def plain(training: Training, classes: int) -> nn.Module:
    """The network as it is built, wherever torch builds now. Raises SpecError with what does not fit."""
    member = training.member
    try:
        return models.build(member.model, classes, training.size, member.width)
    except ValueError as error:
        raise SpecError(str(error)) from error


def run_training(
    training: Training,
    splits: Splits,
    directory: Path,
    bench: Bench,
    watch: Watch,
    stores: Stores | None = None,
    moved: Callable[[float], None] = lambda fraction: None,
) -> Run:
    """Train, or go on where the run in `directory` stands, until its scores are written.

    moved is told after each step which part of the way is behind.
    Raises SpecError when `directory` holds another training, Stopped when a signal asked to stop and the
    place was saved, Diverged when the loss is no longer a number.
    """
    run = Run(directory)
    recipes.check(training.recipe)
    check_augmentation(training.recipe.augment, training.size)
    left = left_by(training.start, training.member)
    with torch.device("meta"):
        blank = plain(training, len(splits.train.classes))  # what cannot be built must leave no directory behind
    bench = settled(bench, blank, training.size, min(training.recipe.batch, len(splits.train)))
    set_arithmetic(bench)
    run.start(asked(training, splits, bench, left), circumstances(bench))
    if run.scores.exists():
        return run
    work = Work(training, splits, run, bench, stores or Stores(), left)
    start = work.resume()
    with Interruption() as interruption, watch.stage(training.member.model, training.epochs) as stage:

        def after_epoch(place: Place, measured: dict[str, float]) -> None:
            line = work.close_epoch(place, measured)
            for fault in work.bad_images():
                watch.say(fault)
            stage.at(place.epoch, line)
            watch.say(f"  {training.member.model:>18}  epoch {place.epoch:>2} of {training.epochs}  {line}")

        def pause(place: Place) -> bool:
            epochs = place.epoch + place.step / len(work.loader)
            stage.at(epochs, work.line)
            moved(epochs / training.epochs)
            return interruption.asked()

        course = Course(
            epochs=training.epochs,
            start=start,
            seed=training.seed,
            after_epoch=after_epoch,
            pause=pause,
            before_step=work.upkeep.before_step,
            before_update=work.upkeep.before_update,
            after_update=work.upkeep.after_update,
        )
        place = train(work.model, work.batches, work.optimizer, rate=work.rate, loss=work.loss, run=course)
        for fault in work.bad_images():
            watch.say(fault)
        if place.epoch < training.epochs:
            work.save(place)
            raise Stopped(
                f"stopped in epoch {place.epoch + 1} of {training.member.model}, saved in {directory}; "
                "the same command goes on from there",
                interruption.number or 2,
            )
    work.finish()
    return run


class Work:
    """One training under way: the network, what moves it, and its directory."""

    def __init__(
        self, training: Training, splits: Splits, run: Run, bench: Bench, stores: Stores, left: Left | None = None
    ) -> None:
        recipe, size = training.recipe, training.size
        self.training, self.run, self.bench = training, run, bench
        self.network = built(training, len(splits.train.classes), bench.device)
        if left:
            start_from(self.network, left.tensors(), left.layers)
        self.normal = self._normal(splits, stores)
        reading = training.reading
        feed = Feed(
            threads=bench.loaders, kept=stores.of(("train", split(recipe.augment)[0], reading)), reading=reading
        )
        batch = min(recipe.batch, len(splits.train))
        self.loader = training_loader(splits.train, recipe, batch, training.seed, feed)
        recipe = recipes.in_updates(recipe, training.epochs * len(self.loader))
        self.upkeep = Upkeep(self.network, recipe)
        self.optimizer = optimizer(self.network, recipe.optimizer)
        self.model = called(self.network, bench)
        self.rate = rate(recipe, training.epochs)
        loss = classification(
            side_weight=recipe.side_weight, label_smoothing=recipe.label_smoothing, precision=bench.precision
        )
        self.loss = paced(loss, self.optimizer, bench)
        views = stores.of(("val", training.judged_by, reading))
        self.judge = Judge(splits.val, training.judged_by, bench, views, reading)
        self.bad, self._unsaid = BadImages(), list[str]()
        self.epochs: list[dict[str, Any]] = []
        self.line = f"{size} px, {bench.precision}"

    def resume(self) -> Place:
        """Load the checkpoint, if there is one, and answer where it stands."""
        if not self.run.state.exists():
            self.run.write_log([])
            return Place()
        state = checkpoint.load_state(self.run.state)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.upkeep.load_state_dict(state.get("upkeep", {}))
        place = Place(**state["place"])
        self.epochs = self.run.log()[: place.epoch]
        self.bad = BadImages(state.get("bad_images"))
        return place

    def bad_images(self) -> list[str]:
        """A line for each image that was found to be undecodable since this was asked."""
        self._learn()
        lines, self._unsaid = self._unsaid, []
        return lines

    def _learn(self) -> None:
        self._unsaid += [*self.bad.learn("train", self.loader), *self.bad.learn("val", self.judge.loader)]

    def batches(self, place: Place) -> OnDevice:
        """The rest of the epoch at `place`."""
        return epochs_on(self.loader, self.normal, self.bench.device, place)

    def close_epoch(self, place: Place, measured: dict[str, float]) -> str:
        """Judge, log and save; the epoch in a few words."""
        with self.upkeep.judged():
            verdict = self.judge(self.network, self.normal)
        before = self.epochs[-1]["seconds"] if self.epochs else 0.0
        speed = measured["images"] / measured["seconds"]
        self._learn()
        logged = {
            "epoch": place.epoch,
            "loss": measured["loss"],
            "top1_error": verdict.top1.value,
            "top5_error": verdict.top5.value,
            "rate": self.rate(place.epoch - 1e-6),
            "seconds": before + measured["seconds"],
            "images_per_second": speed,
        }
        self.epochs.append(self.bad.added(logged, self.bad.names()))
        self.run.write_log(self.epochs)
        self.save(place)
        self.line = (
            f"loss {measured['loss']:.3f}  top-1 error {verdict.top1.value:6.1%}  "
            f"top-5 error {verdict.top5.value:6.1%}  {speed:,.0f} images/s"
        )
        return self.line

    def save(self, place: Place) -> None:
        """Everything needed to continue from `place`."""
        self._learn()
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "upkeep": self.upkeep.state_dict(),
            "place": asdict(place),
            "bad_images": self.bad.found,
        }
        checkpoint.save_state(self.run.state, state)

    def finish(self) -> None:
        """The weights, the predictions and the verdicts: the run is done."""
        words = {"model": self.training.member.model, "width": str(self.training.member.width)}
        with self.upkeep.judged():
            self.recompute()
            verdict = self.judge(self.network, self.normal)
            checkpoint.save_weights(self.run.weights, self.network, words)
        write_predictions(self.run.directory / "predictions.npz", verdict.predictions)
        last = self.epochs[-1]
        scores = {
            "protocol": as_json(self.training.judged_by),
            "split": "val",
            "scores": [asdict(verdict.top1), asdict(verdict.top5)],
            "seconds": last["seconds"],
            "images_per_second": last["images_per_second"],
        }
        self.run.write_scores(self.bad.added(scores, self.bad.found))

    def recompute(self) -> None:
        """Batch norm's statistics over training images, where the recipe asks for it; the same whenever it is done."""
        images = self.upkeep.recipe.batch_norm.recomputed
        if images and normalise.norms(self.network):
            epoch = self.batches(Place(self.training.epochs))  # one that no step has seen
            count = max(1, min(len(epoch), images // self.loader.batch))
            with autocast(self.bench.device, self.bench.precision):
                normalise.recompute(self.network, (batch[0] for batch in islice(epoch, count)))

    def _normal(self, splits: Splits, stores: Stores) -> Normal:
        path = self.run.directory / "input.safetensors"
        if not path.exists():
            recipe, protocol, reading = self.training.recipe, self.training.judged_by, self.training.reading
            feed = Feed(threads=self.bench.loaders, reading=reading)
            normal = stores.normal(
                (recipe.mean, recipe.unit, protocol, reading), lambda: normal_of(splits.train, recipe, protocol, feed)
            )
            checkpoint.save_tensors(path, {"mean": normal.mean, "unit": normal.unit}, {})
        return Normal(**checkpoint.load_tensors(path))


def asked(training: Training, splits: Splits, bench: Bench, left: Left | None = None) -> dict[str, Any]:
    """What decides the outcome: two trainings that agree in it are the same training."""
    start = {"start": left.digest} if left else {}
    return start | {
        "member": as_json(training.member),
        "protocol": as_json(training.protocol),
        "epochs": training.epochs,
        "seed": training.seed,
        "data": splits.fingerprint,
        "classes": len(splits.train.classes),
        "precision": bench.precision,
        "device": bench.device.type,
        "reading": asdict(training.reading),
        **outcome(bench),
    }
