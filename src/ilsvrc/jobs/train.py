"""Train one network by one recipe on one data set, into a Run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

import ilsvrc
from ilsvrc.data.remote_shards import split_query
from ilsvrc.errors import WeightsError
from ilsvrc.jobs.bad_images import BadImages
from ilsvrc.jobs.board import Board
from ilsvrc.jobs.input import Feed, Normal, Splits, epochs_on, normal_of, training_loader
from ilsvrc.jobs.interrupt import Interruption, Stopped
from ilsvrc.jobs.judge import Judge, Verdict, write_predictions
from ilsvrc.jobs.machine import Bench, circumstances, set_arithmetic
from ilsvrc.jobs.pace import Waited, called, halved, paced, settled
from ilsvrc.jobs.preflight import built, preflight
from ilsvrc.jobs.start import Left, left_by
from ilsvrc.jobs.stores import Stores
from ilsvrc.jobs.training import Training, asked
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import as_json
from ilsvrc.train import checkpoint, normalise
from ilsvrc.train import recipe as recipes
from ilsvrc.train.init import start_from
from ilsvrc.train.keeper import Keeper, Part
from ilsvrc.train.loop import Course, Place, train
from ilsvrc.train.loss import autocast, classification
from ilsvrc.train.optim import optimizer
from ilsvrc.train.parallel import Processes
from ilsvrc.train.run import Run
from ilsvrc.train.schedule import rate
from ilsvrc.train.signs import signs
from ilsvrc.train.upkeep import Upkeep
from ilsvrc.transforms.pipeline import split

SAVE_EVERY = 600.0  # seconds between checkpoints within an epoch: the most that a kill may cost
Value = TypeVar("Value")


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

    moved is told after each step which part of the way is behind. Of several processes all call this; the first one
    writes, and the others need no `directory`.
    Raises SpecError when `directory` holds another training or this one cannot be, Stopped when a signal asked to
    stop and the place was saved, Diverged when the loss is no longer a number, DataError when there is no room.
    """
    run, processes = Run(directory), bench.processes
    blank = preflight(training, splits, bench)
    left = left_by(training.start, training.member)
    bench = settled(bench, blank, training.size, training.recipe.batch // processes.of, training.recipe)
    set_arithmetic(bench)
    processes.first_does(lambda: run.start(asked(training, splits, bench, left), circumstances(bench)))
    processes.first_does(
        lambda: run.write_data(split_query(splits.path)[0], splits.train.classes.wnids, splits.train.classes.words)
    )
    if processes.told(run.scores.exists()):
        return run
    work = Work(training, splits, run, bench, stores or Stores(), left)
    _go(work, watch, moved)
    work.finish()
    return run


def _go(work: "Work", watch: Watch, moved: Callable[[float], None]) -> None:
    """Take the steps that are left. Raises Stopped when a signal asked to stop, and the place is saved."""
    training, processes = work.training, work.processes
    start = work.resume(watch.say)
    interruption = Interruption(patient=processes.of > 1)
    with interruption, watch.stage(training.member.model, training.epochs) as stage:
        reins = Reins(interruption, processes)

        def after_epoch(place: Place, measured: dict[str, float]) -> None:
            line = reins.saving(lambda: work.close_epoch(place, measured))
            for remark in work.remarks():
                watch.say(remark)
            stage.at(place.epoch, line)
            watch.say(f"  {training.member.model:>18}  epoch {place.epoch:>2} of {training.epochs}  {line}")

        def pause(place: Place) -> bool:
            epochs = place.epoch + place.step / len(work.loader)
            stage.at(epochs, work.line)
            moved(epochs / training.epochs)
            return reins.asked()

        course = Course(
            epochs=training.epochs,
            start=start,
            seed=training.seed,
            after_epoch=after_epoch,
            pause=pause,
            due=lambda: reins.due,
            save=lambda place: reins.saving(lambda: work.save(place)),
            before_step=work.upkeep.before_step,
            before_update=work.upkeep.before_update,
            after_update=work.upkeep.after_update,
            weigh=work.weigh,
            added_up=work.added_up,
        )
        place = train(work.model, work.batches, work.optimizer, rate=work.rate, loss=work.loss, run=course)
        if place.epoch < training.epochs:
            work.save(place)
        for remark in work.remarks():
            watch.say(remark)
        if place.epoch < training.epochs:
            raise Stopped(
                f"stopped in epoch {place.epoch + 1} of {training.member.model}, saved in {work.run.directory}; "
                "the same command goes on from there",
                reins.signal or 2,
            )


class Reins:
    """What is asked of a training between two steps, to stop or to save: the same in all its processes."""

    def __init__(self, interruption: Interruption, processes: Processes) -> None:
        self.signal, self.due = 0, False
        self._interruption, self._processes = interruption, processes
        self._next = time.monotonic() + SAVE_EVERY
        processes.forget()

    def asked(self) -> bool:
        """Whether to stop; afterwards `due` says whether to save and go on."""
        due = time.monotonic() >= self._next
        self.signal, self.due = self._processes.heeded(self._interruption.number or 0, due)
        return self.signal != 0

    def saving(self, save: Callable[[], Value]) -> Value:
        """Save now, and next when it is time again: at most a twentieth of the time goes into it."""
        started = time.monotonic()
        answer = save()
        ended = time.monotonic()
        self._next = ended + max(SAVE_EVERY, 20 * (ended - started))
        return answer


class Work:
    """One training under way: the network, what moves it, and its directory."""

    def __init__(
        self, training: Training, splits: Splits, run: Run, bench: Bench, stores: Stores, left: Left | None = None
    ) -> None:
        recipe, size, classes = training.recipe, training.size, len(splits.train.classes)
        self.training, self.run, self.bench, self.processes = training, run, bench, bench.processes
        self.network = built(training, classes, bench.device)
        if left:
            start_from(self.network, left.tensors(), left.layers)
        self.model = called(self.processes.spread(self.network), bench)  # what is called in a step
        self.optimizer = optimizer(self.network, recipe.optimizer)
        halved(self.network, self.optimizer, bench, recipe)
        self.upkeep = Upkeep(self.network, recipes.in_updates(recipe, self._updates(splits)))
        self.bad, self._unsaid, self._signs = BadImages(), list[str](), set[str]()
        words = {"model": training.member.model, "classes": classes, "ilsvrc": ilsvrc.__version__}
        carried: dict[str, Part] = {"upkeep": self.upkeep, "bad_images": self.bad}
        self.keeper = Keeper(run, self.network, self.optimizer, carried, words, self.processes)
        self.keeper.check_room()
        self._copy = built(training, classes, bench.device) if self.keeper.sharded else None
        self.normal = self._normal(splits, stores)
        self.loader = training_loader(splits.train, recipe, recipe.batch, training.seed, self._feed(stores))
        self.rate = rate(recipe, training.epochs)
        loss = classification(
            side_weight=recipe.side_weight, label_smoothing=recipe.label_smoothing, precision=bench.precision
        )
        self.loss = paced(loss, self.optimizer, bench)
        views = stores.of(("val", training.judged_by, training.reading))
        self.judge = Judge(splits.val, training.judged_by, bench, views, training.reading)
        self.epochs: list[dict[str, Any]] = []
        self.board: Board | None = None
        self.waited: Waited | None = None
        self.line = f"{size} px, {bench.precision}"

    def _updates(self, splits: Splits) -> int:
        return self.training.epochs * -(-len(splits.train) // self.training.recipe.batch)

    def _feed(self, stores: Stores) -> Feed:
        reading = self.training.reading
        return Feed(
            threads=self.bench.loaders,
            part=(self.processes.rank, self.processes.of),
            kept=stores.of(("train", split(self.training.recipe.augment)[0], reading)),
            reading=reading,
        )

    def resume(self, say: Callable[[str], None]) -> Place:
        """Load the checkpoint, if there is one, and answer where it stands."""
        place = self.keeper.load(say)
        if place is None:
            self.processes.first_does(lambda: self.run.write_log([]))
        else:
            self.epochs = self.processes.told(self.run.log())[: place.epoch]
        if self.processes.first:
            self.board = Board(self.run.directory / "tensorboard", self.epochs)
        return place or Place()

    def remarks(self) -> list[str]:
        """What there is to say since this was asked, a line each; all processes ask together."""
        self._learn()
        lines, self._unsaid = self._unsaid, []
        found = signs(self.epochs, len(self.loader.dataset.classes), len(self.loader.dataset))
        for sign in found:
            if sign[:30] not in self._signs:  # said once, although its figures change
                self._signs.add(sign[:30])
                lines.append(f"  looks wrong: {sign}")
        return lines

    def _learn(self) -> None:
        for name, faults in (("train", self.loader.faults), ("val", self.judge.faults)):
            everyones = self.processes.gathered(faults)
            self._unsaid += self.bad.learn(name, {index: fault for part in everyones for index, fault in part.items()})

    def batches(self, place: Place) -> Waited:
        """The rest of the epoch at `place`, this process's share of it."""
        self.waited = Waited(epochs_on(self.loader, self.normal, self.bench.device, place))
        return self.waited

    def weigh(self, place: Place) -> float:
        """The weight of this process's mean loss in the step at `place`."""
        return self.processes.weigh(min(self.loader.batch, len(self.loader.dataset) - place.step * self.loader.batch))

    def added_up(self, loss: float, images: int) -> tuple[float, int]:
        """Both, over all processes."""
        if self.processes.of == 1:
            return loss, images
        losses, counts = self.processes.summed(torch.tensor([loss, images], dtype=torch.float64)).tolist()
        return losses, round(counts)

    def close_epoch(self, place: Place, measured: dict[str, float]) -> str:
        """Judge, log and save; the epoch in a few words."""
        with self.judged() as network:
            verdict = self.judge(network, self.normal)
        before = self.epochs[-1]["seconds"] if self.epochs else 0.0
        speed = measured["images"] / measured["seconds"]
        several = {"processes": self.processes.of} if self.processes.of > 1 else {}
        self._learn()
        logged = {
            "epoch": place.epoch,
            "loss": measured["loss"],
            "top1_error": verdict.top1.value,
            "top5_error": verdict.top5.value,
            "rate": self.rate(place.epoch - 1e-6),
            "seconds": before + measured["seconds"],
            "images_per_second": speed,
            "images": measured["images"],
            "epoch_seconds": measured["seconds"],
            "waiting": self.waited.seconds if self.waited else 0.0,
            **several,
        }
        self.epochs.append(self.bad.added(logged, self.bad.names()))
        self.processes.first_does(lambda: self.run.write_log(self.epochs))
        self.save(place)
        if self.board:
            self.board.add(logged)
        self.line = (
            f"loss {measured['loss']:.3f}  top-1 error {verdict.top1.value:6.1%}  "
            f"top-5 error {verdict.top5.value:6.1%}  {speed:,.0f} images/s"
        )
        return self.line

    def save(self, place: Place) -> None:
        """Everything needed to continue from `place`; called by all processes."""
        self._learn()
        self.keeper.save(place)

    @contextmanager
    def judged(self, *, done: bool = False) -> Iterator[nn.Module]:
        """The network as it is judged and kept: whole, averaged, and with the running statistics that count."""
        with self.upkeep.judged():
            if done:
                self.recompute()
            state = self.processes.whole(self.network)
            if self._copy is None:
                yield self.network
                return
            self._copy.load_state_dict(state)
            yield self._copy

    def finish(self) -> None:
        """The weights, the predictions and the verdicts: the run is done."""
        with self.judged(done=True) as network:
            verdict = self.judge(network, self.normal)
            self.processes.first_does(lambda: self._write(network, verdict))

    def recompute(self) -> None:
        """Batch norm's statistics over training images, where the recipe asks for it; the same whenever it is done."""
        images = self.upkeep.recipe.batch_norm.recomputed
        if images and normalise.norms(self.network):
            count = max(1, min(len(self.loader), images // self.loader.batch))
            with autocast(self.bench.device, self.bench.precision):
                normalise.recompute(self.network, self._unseen(count))

    def _unseen(self, count: int) -> Iterator[Tensor]:
        """Images of an epoch that no step has seen: this process's share of so many batches."""
        place = Place(self.training.epochs)
        for step, (images, _) in enumerate(islice(self.batches(place), count)):
            self.weigh(replace(place, step=step))  # whose batch norm sees the whole batch wants to know its size
            yield images

    def _write(self, network: nn.Module, verdict: Verdict) -> None:
        words = {"model": self.training.member.model, "width": str(self.training.member.width)}
        checkpoint.save_weights(self.run.weights, network, words)
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
        self.keeper.tidy()
        if self.board:
            self.board.close()

    def _normal(self, splits: Splits, stores: Stores) -> Normal:
        found = self.processes.first_does(lambda: self._written_normal(splits, stores))
        return Normal(found["mean"], found["unit"])

    def _written_normal(self, splits: Splits, stores: Stores) -> dict[str, Tensor]:
        path = self.run.directory / "input.safetensors"
        if not path.exists():
            recipe, protocol, reading = self.training.recipe, self.training.judged_by, self.training.reading
            feed = Feed(threads=self.bench.loaders, reading=reading)
            colours = self.training.colours
            normal = (
                colours.normal(recipe, self.training.size)
                if colours
                else stores.normal(
                    (recipe.mean, recipe.unit, protocol, reading),
                    lambda: normal_of(splits.train, recipe, protocol, feed),
                )
            )
            checkpoint.save_tensors(path, {"mean": normal.mean, "unit": normal.unit}, {})
        found = checkpoint.load_tensors(path)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in found.values()):
            raise WeightsError(f"{path} holds something that is no number; delete it and run the same command again")
        return found
