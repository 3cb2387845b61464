"""Train a box regressor from a finished classifier, into a Run: one loop with classification's, another loss."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ilsvrc
from ilsvrc.errors import SpecError
from ilsvrc.jobs.box_course import INPUT, close, go, take
from ilsvrc.jobs.finished import Finished
from ilsvrc.jobs.input import Chosen, Feed, Splits, training_loader
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.localize_ask import Localizing, starting, words
from ilsvrc.jobs.localize_feed import BoxBatch, Taught, boxed_images
from ilsvrc.jobs.localize_judge import BoxJudge
from ilsvrc.jobs.localize_networks import hold_still, new_layers, regressor
from ilsvrc.jobs.localize_submission import leave
from ilsvrc.jobs.machine import Bench, circumstances, set_arithmetic
from ilsvrc.models.regressor import ClassProposals, Regressor
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import as_json
from ilsvrc.tasks.class_proposals import class_proposal_loss
from ilsvrc.tasks.localize import coordinates_of, euclidean, of_class
from ilsvrc.train import checkpoint
from ilsvrc.train import recipe as recipes
from ilsvrc.train.init import initialise
from ilsvrc.train.keeper import Keeper
from ilsvrc.train.loop import Place
from ilsvrc.train.loss import autocast
from ilsvrc.train.optim import optimizer
from ilsvrc.train.run import Run
from ilsvrc.train.schedule import rate
from ilsvrc.train.upkeep import Upkeep

CLASSIFIER = "classifier.safetensors"  # in the run's directory, beside the regressor's weights


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
    go(work, watch, moved)
    work.finish()
    return run


class Work:
    """One localization training under way."""

    def __init__(self, asked: Localizing, done: Finished, splits: Splits, run: Run, bench: Bench, watch: Watch) -> None:
        self.asked, self.run, self.bench, self.normal = asked, run, bench, done.normal
        self.name, self.seed, self.of = asked.entry.key, asked.seed, asked.epochs
        self.known = splits.val.classes.wnids, splits.path
        recipe, classes = asked.recipe, len(splits.train.classes)
        take(run, {CLASSIFIER: done.run.weights, INPUT: done.run.directory / INPUT})
        self.network = self._network(done, classes)
        self.optimizer = optimizer(self.network, recipe.optimizer)
        teaching = boxed_images(splits, watch)
        updates = asked.epochs * -(-len(teaching) // recipe.batch)
        self.upkeep = Upkeep(self.network, recipes.in_updates(recipe, updates))
        self.before_update, self.after_update = self.upkeep.before_update, self.upkeep.after_update
        said = {"model": asked.member.model, "classes": classes, "ilsvrc": ilsvrc.__version__}
        self.keeper = Keeper(run, self.network, self.optimizer, {"upkeep": self.upkeep}, said, bench.processes)
        self.keeper.check_room()
        feed = Feed(threads=bench.loaders, reading=asked.reading, boxes=True, beyond=True)
        self.loader = training_loader(Chosen(splits.train, teaching), recipe, recipe.batch, asked.seed, feed)
        self.steps = len(self.loader)
        self.rate = rate(recipe, asked.epochs)
        quick = recipes.while_training(asked.judged_by, asked.size)
        self.judge, self.last = (
            BoxJudge(splits.val, protocol, asked.regression, asked.size, bench, asked.reading)
            for protocol in (quick, asked.judged_by)
        )
        self.classifier = done.network.to(bench.device)
        self.said = read_predictions(done.run.directory / "predictions.npz").probabilities
        self.epochs: list[dict[str, Any]] = []

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
        error = found.localization.value
        speed = close(self, place, measured, {"localization_error": error})
        return f"loss {measured['loss']:.4f}  localization error {error:6.1%}  {speed:,.0f} images/s"

    def finish(self) -> None:
        """The weights, the boxes and the verdicts: the run is done."""
        with self.upkeep.judged():
            located = self.last((self.network, self.classifier), self.normal, self.said)
            said = {"model": self.asked.member.model, "task": "localization"}
            checkpoint.save_weights(self.run.weights, self.network, said)
        found = self.last.score(located)
        leave(self.run.directory, located, *self.known)
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
