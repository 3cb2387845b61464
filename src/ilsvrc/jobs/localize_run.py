"""Train a box regressor from a finished classifier, into a Run: one loop with classification's, another loss."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ilsvrc
from ilsvrc import models
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.finished import Finished, check_classes, finished
from ilsvrc.jobs.input import Chosen, Feed, Splits, training_loader
from ilsvrc.jobs.interrupt import Interruption, Stopped
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.localize_feed import BoxBatch, Taught, boxed
from ilsvrc.jobs.localize_judge import BoxJudge, write_located
from ilsvrc.jobs.localize_look import check_protocol
from ilsvrc.jobs.machine import Bench, circumstances, set_arithmetic
from ilsvrc.jobs.start import Left
from ilsvrc.jobs.train import Reins
from ilsvrc.models.regressor import ClassProposals, Regressor, last_layer, look, stride_of
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import AreaCrop, Crops, Dense, Entry, Member, RandomCrop, Recipe, Regression, TenCrop, as_json
from ilsvrc.tasks.anchors import BASE, anchors, over_map
from ilsvrc.tasks.class_proposals import class_proposal_loss
from ilsvrc.tasks.localize import coordinates_of, euclidean, of_class
from ilsvrc.train import checkpoint
from ilsvrc.train import recipe as recipes
from ilsvrc.train.init import initialise
from ilsvrc.train.keeper import Keeper
from ilsvrc.train.loop import Course, Place, train
from ilsvrc.train.loss import autocast
from ilsvrc.train.optim import optimizer
from ilsvrc.train.run import Run
from ilsvrc.train.schedule import rate
from ilsvrc.train.upkeep import Upkeep

CLASSIFIER = "classifier.safetensors"  # in the run's directory, beside the regressor's weights


@dataclass(frozen=True, kw_only=True)
class Localizing:
    """What is asked: the first member of an entry, trained from a finished classifier for so many epochs.

    Of an entry of several each is asked by itself (`each_of`), with the entry's protocol where it has none of its own.
    """

    entry: Entry
    classifier: Path  # the run of a classifier: where it starts, and whose labels get boxes
    epochs: int
    seed: int
    reading: Reading = USUAL

    @property
    def member(self) -> Member:
        """The regressor."""
        return self.entry.members[0]

    @property
    def regression(self) -> Regression:
        """How it regresses."""
        assert isinstance(self.entry.boxes, Regression)
        return self.entry.boxes

    @property
    def size(self) -> int:
        """Pixels on a side at the network's input."""
        return self.member.image_size or models.paper_size(self.member.model)

    @property
    def recipe(self) -> Recipe:
        """The member's recipe at that size and length."""
        return recipes.shortened(recipes.at_size(self.member.recipe, self.size), self.epochs)

    @property
    def judged_by(self) -> Crops | Dense:
        """The protocol at that size. Raises SpecError for one that boxes cannot be found by."""
        protocol = self.member.protocol or self.entry.protocol
        return at_size(check_protocol(protocol, self.regression, self.entry.key), self.member, self.size)


def each_of(entry: Entry) -> tuple[Entry, ...]:
    """The entry once for each of its members, which alone is in it."""
    return tuple(replace(entry, members=(member,)) for member in entry.members)


def at_size(protocol: Crops | Dense, member: Member, size: int) -> Crops | Dense:
    """A protocol of an entry for windows of `size`: its lengths are for the crops that its member's recipe ends in."""
    if isinstance(protocol, Crops):
        return recipes.protocol_at_size(protocol, size)
    crops = [step.size for step in member.recipe.augment if isinstance(step, RandomCrop | AreaCrop | TenCrop)]
    scaled = recipes.in_proportion(protocol, crops[-1] if crops else size, size)
    assert isinstance(scaled, Dense)
    return scaled


def regressor(member: Member, regression: Regression, classes: int) -> nn.Module:
    """The network, with PyTorch's weights. Raises ValueError with what does not fit."""
    outputs = 4 * classes if regression.per_class else 4
    size = member.image_size or models.paper_size(member.model)
    if regression.head == "last layer":
        return models.build(member.model, outputs, size, member.width)
    if regression.head == "proposals":
        return _proposals(member, regression, classes, size)
    return Regressor(models.build(member.model, classes, size, member.width), outputs, size, member.width)


def _proposals(member: Member, regression: Regression, classes: int, size: int) -> ClassProposals:
    """Proposals per class: anchors as Faster R-CNN's, about the middle of each cell of the last map."""
    trunk = models.build(member.model, classes, size, member.width)
    side, stride = look(trunk, size)[1], _stride(member.model, size)
    with torch.device("cpu"):
        cell = anchors(regression.scales) + (stride - BASE) / 2
        boxes = over_map(cell, side, side, stride)
    return ClassProposals(trunk, classes, boxes.to(next(trunk.parameters()).device), size)


@cache
def _stride(model: str, size: int) -> int:
    with torch.device("meta"):
        return stride_of(models.build(model, 2, size, 0.05), size)


def classifier(member: Member, classes: int) -> nn.Module:
    """The network of a finished classification run, with PyTorch's weights."""
    size = member.image_size or models.paper_size(member.model)
    return models.build(member.model, classes, size, member.width)


def run_localizing(
    asked: Localizing,
    splits: Splits,
    directory: Path,
    bench: Bench,
    watch: Watch,
    moved: Callable[[float], None] = lambda fraction: None,
) -> Run:
    """Train, or go on where the run in `directory` stands, until its scores are written.

    Raises SpecError when `directory` holds another training or this one cannot be, DataError when no training image
    has a box of its label, Stopped when a signal asked to stop, Diverged when the loss is no longer a number.
    """
    run, done = Run(directory), starting(asked, splits, bench)
    set_arithmetic(bench)
    run.start(words(asked, done, splits, bench), circumstances(bench))
    run.write_data(splits.path, splits.train.classes.wnids, splits.train.classes.words)
    if run.scores.exists():
        return run
    work = Work(asked, done, splits, run, bench, watch)
    _go(work, watch, moved)
    work.finish()
    return run


def starting(asked: Localizing, splits: Splits, bench: Bench) -> Finished:
    """The classifier it starts from. Raises SpecError where it cannot start there, or not in several processes."""
    if bench.processes.of > 1:
        raise SpecError("localization trains in one process; leave --processes out")
    done = finished(asked.classifier)
    _check(asked, done, splits)
    return done


def words(asked: Localizing, done: Finished, splits: Splits, bench: Bench) -> dict[str, Any]:
    """What decides the outcome: two trainings that agree in it are the same training."""
    return {
        "task": "localization",
        "entry": asked.entry.key,
        "member": as_json(asked.member),
        "boxes": as_json(asked.regression),
        "protocol": as_json(asked.member.protocol or asked.entry.protocol),
        "classifier": as_json(done.member),
        "classifier_protocol": done.run.spec()["asked"]["protocol"],
        "start": Left(done.run.weights, ()).digest,
        "epochs": asked.epochs,
        "seed": asked.seed,
        "data": splits.fingerprint,
        "classes": len(splits.train.classes),
        "precision": bench.precision,
        "device": bench.device.type,
        "reading": asdict(asked.reading),
    }


def _check(asked: Localizing, done: Finished, splits: Splits) -> None:
    """Raise SpecError unless the classifier can be where this starts."""
    mine, its = asked.member, done.member
    size = its.image_size or models.paper_size(its.model)
    if (mine.model, asked.size, mine.width) != (its.model, size, its.width):
        raise SpecError(
            f"{asked.entry.key} starts from {mine.model} at {asked.size} px and {mine.width:g} of its width, and "
            f"{asked.classifier} is {its.model} at {size} px and {its.width:g}; give such a classifier"
        )
    if not done.run.scores.exists():
        raise SpecError(f"{asked.classifier} is a training that is not done; finish it first")
    check_classes(done.run, len(done.classes), splits.train.classes, splits.path)
    recipes.check(asked.recipe)


def _go(work: "Work", watch: Watch, moved: Callable[[float], None]) -> None:
    """Take the steps that are left. Raises Stopped when a signal asked to stop, and the place is saved."""
    asked, name = work.asked, work.asked.entry.key
    start = work.keeper.load(watch.say) or Place()
    work.epochs = work.run.log()[: start.epoch]
    interruption = Interruption()
    with interruption, watch.stage(name, asked.epochs) as stage:
        reins = Reins(interruption, work.bench.processes)

        def after_epoch(place: Place, measured: dict[str, float]) -> None:
            line = reins.saving(lambda: work.close_epoch(place, measured))
            stage.at(place.epoch, line)
            watch.say(f"  {name:>18}  epoch {place.epoch:>2} of {asked.epochs}  {line}")

        def pause(place: Place) -> bool:
            epochs = place.epoch + place.step / len(work.loader)
            stage.at(epochs)
            moved(epochs / asked.epochs)
            return reins.asked()

        course = Course(
            epochs=asked.epochs,
            start=start,
            seed=asked.seed,
            after_epoch=after_epoch,
            pause=pause,
            due=lambda: reins.due,
            save=lambda place: reins.saving(lambda: work.keeper.save(place)),
            before_step=work.before_step,
            before_update=work.upkeep.before_update,
            after_update=work.upkeep.after_update,
        )
        place = train(work.network, work.batches, work.optimizer, rate=work.rate, loss=work.loss, run=course)
        if place.epoch < asked.epochs:
            work.keeper.save(place)
            raise Stopped(
                f"stopped in epoch {place.epoch + 1} of {name}, saved in {work.run.directory}; "
                "the same command goes on from there",
                reins.signal or 2,
            )


class Work:
    """One localization training under way."""

    def __init__(self, asked: Localizing, done: Finished, splits: Splits, run: Run, bench: Bench, watch: Watch) -> None:
        self.asked, self.run, self.bench, self.normal = asked, run, bench, done.normal
        recipe, classes = asked.recipe, len(splits.train.classes)
        self._take(done)
        self.network = self._network(done, classes)
        self.optimizer = optimizer(self.network, recipe.optimizer)
        teaching = boxed(splits.train)
        self.images = len(teaching)
        updates = asked.epochs * -(-len(teaching) // recipe.batch)
        self.upkeep = Upkeep(self.network, recipes.in_updates(recipe, updates))
        said = {"model": asked.member.model, "classes": classes, "ilsvrc": ilsvrc.__version__}
        self.keeper = Keeper(run, self.network, self.optimizer, {"upkeep": self.upkeep}, said, bench.processes)
        self.keeper.check_room()
        if len(teaching) < len(splits.train):
            lost = len(splits.train) - len(teaching)
            watch.say(f"  {lost:,} of {len(splits.train):,} training images have no box of their label and teach none")
        if not len(teaching):
            raise DataError(f"no training image of {splits.path} has a box of its label; put the box files there")
        feed = Feed(threads=bench.loaders, reading=asked.reading, boxes=True, beyond=True)
        self.loader = training_loader(Chosen(splits.train, teaching), recipe, recipe.batch, asked.seed, feed)
        self.rate = rate(recipe, asked.epochs)
        quick = recipes.while_training(asked.judged_by, asked.size)
        self.judge, self.last = (
            BoxJudge(splits.val, protocol, asked.regression, asked.size, bench, asked.reading)
            for protocol in (quick, asked.judged_by)
        )
        self.classifier = done.network.to(bench.device)
        self.said = read_predictions(done.run.directory / "predictions.npz").probabilities
        self.epochs: list[dict[str, Any]] = []

    def _take(self, done: Finished) -> None:
        """The classifier and what it is shown, so that the run stands alone."""
        for name, source in (
            (CLASSIFIER, done.run.weights),
            ("input.safetensors", done.run.directory / "input.safetensors"),
        ):
            if not (self.run.directory / name).exists():
                content = source.read_bytes()
                checkpoint.write_whole(self.run.directory / name, partial(Path.write_bytes, data=content))

    def _network(self, done: Finished, classes: int) -> nn.Module:
        """The regressor with the classifier's weights but in its new layers, which start at random."""
        asked = self.asked
        try:
            network = regressor(asked.member, asked.regression, classes)
        except ValueError as error:
            raise SpecError(str(error)) from error
        initialise(network, asked.recipe.init, asked.seed)
        new = new_layers(network)
        taken = done.network.state_dict()
        prefix = "trunk." if isinstance(network, Regressor | ClassProposals) else ""
        state = network.state_dict()
        with torch.no_grad():
            for name, value in state.items():
                if name.rpartition(".")[0] not in new:
                    value.copy_(taken[name.removeprefix(prefix)])
        self.still = hold_still(network, asked.regression, new)
        placed: nn.Module = network.to(self.bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return placed

    def batches(self, place: Place) -> "Taught":
        """The rest of the epoch at `place`."""
        epoch = self.loader.epoch(place.epoch, place.step, self.normal.writer(self.bench.device))
        return Taught(epoch, self.normal, self.bench.device, self.asked.size, self.asked.regression.least_overlap)

    def loss(self, model: nn.Module, batch: BoxBatch) -> Tensor:
        """The Euclidean loss of a batch."""
        images, taught = batch
        with autocast(images.device, self.bench.precision):
            outputs = model(images)
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        if isinstance(model, ClassProposals):
            boxes = taught[:, 2:] * self.asked.size - taught.new_tensor([0, 0, 1, 1])
            draws = torch.Generator().manual_seed(torch.initial_seed())  # of the step, which the loop has seeded
            return class_proposal_loss(outputs.float(), model.anchors, taught[:, 0].long(), boxes, taught[:, 1], draws)
        found = of_class(outputs.float(), taught[:, 0].long())
        return euclidean(found, coordinates_of(taught[:, 2:], self.asked.regression.coordinates), taught[:, 1])

    def before_step(self, model: nn.Module, t: float) -> None:
        """What holds still is also not changed by being looked at."""
        for layer in self.still:
            layer.eval()
        self.upkeep.before_step(model, t)

    def close_epoch(self, place: Place, measured: dict[str, float]) -> str:
        """Judge, log and save; the epoch in a few words."""
        found = self.judge.score(self.judge((self.network, self.classifier), self.normal, self.said))
        before = self.epochs[-1]["seconds"] if self.epochs else 0.0
        self.epochs.append(
            {
                "epoch": place.epoch,
                "loss": measured["loss"],
                "localization_error": found.localization.value,
                "rate": self.rate(place.epoch - 1e-6),
                "seconds": before + measured["seconds"],
                "images_per_second": measured["images"] / measured["seconds"],
                "images": measured["images"],
            }
        )
        self.run.write_log(self.epochs)
        self.keeper.save(place)
        speed = self.epochs[-1]["images_per_second"]
        return f"loss {measured['loss']:.4f}  localization error {found.localization.value:6.1%}  {speed:,.0f} images/s"

    def finish(self) -> None:
        """The weights, the boxes and the verdicts: the run is done."""
        with self.upkeep.judged():
            located = self.last((self.network, self.classifier), self.normal, self.said)
            said = {"model": self.asked.member.model, "task": "localization"}
            checkpoint.save_weights(self.run.weights, self.network, said)
        found = self.last.score(located)
        write_located(self.run.directory / "located.npz", located)
        self.run.write_scores(
            {
                "protocol": as_json(self.asked.judged_by),
                "split": "val",
                "scores": [asdict(found.localization), asdict(found.classification)],
                "seconds": self.epochs[-1]["seconds"],
                "images_per_second": self.epochs[-1]["images_per_second"],
            }
        )
        self.keeper.tidy()


def new_layers(network: nn.Module) -> set[str]:
    """The layers that no classifier leaves to it."""
    if isinstance(network, ClassProposals):
        return {"score", "offset"}
    return {"full1", "full2", "full3"} if isinstance(network, Regressor) else {last_layer(network)}


def hold_still(network: nn.Module, regression: Regression, new: set[str]) -> list[nn.Module]:
    """Keep what the specification does not train from learning; the layers that hold still."""
    still = []
    for name, layer in network.named_modules():
        full = isinstance(layer, nn.Linear) and regression.trained == "full layers"
        if regression.trained == "all" or name in new or full or not list(layer.parameters(recurse=False)):
            continue
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(False)
        still.append(layer)
    return still
