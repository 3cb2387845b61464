"""Train one network by name: from the words of a command line to a Training."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ilsvrc import models
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature import PROTOCOL
from ilsvrc.entries.recipes import recipes_of
from ilsvrc.errors import SpecError
from ilsvrc.jobs.box_tasks import TRAIN
from ilsvrc.jobs.colours import read_colours
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.training import Training
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Crops, Member
from ilsvrc.train.recipe import scaled


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which network, and what is asked of it here and now."""

    name: str
    recipe: str | None  # a name in recipes_of; None for the paper's, or the miniature's for a miniature
    epochs: int | None
    width: float | None
    image_size: int | None
    seed: int
    start: Path | None = None  # a finished run, or weights, for a recipe that starts from another training
    batch: int | None = None  # images per update; the recipe's by default
    reading: Reading = USUAL
    statistics: Path | None = None  # as `ilsvrc statistics` wrote them, of the data that is trained on

    def training(self) -> Training:
        """What that asks. Raises SpecError on an unknown network or recipe."""
        try:
            paper_size = models.paper_size(self.name)
        except ValueError as error:
            raise SpecError(str(error)) from error
        size = self.image_size or paper_size
        width = 1.0 if self.width is None else self.width
        small = width != 1 or size != paper_size
        kind = self.recipe or ("miniature" if small else "paper")
        known = recipes_of(self.name)
        if kind not in known:
            raise SpecError(f"no recipe for {self.name} is called {kind!r}; there are {', '.join(known)}")
        recipe = scaled(known[kind], self.batch) if self.batch else known[kind]
        member = Member(model=self.name, recipe=recipe, image_size=size, width=width)
        protocol = PROTOCOL if kind == "miniature" else Crops(layout="center")
        epochs = self.epochs or max(1, round(recipe.epochs))
        return Training(
            member=member,
            protocol=protocol,
            epochs=epochs,
            seed=self.seed,
            start=self.start,
            reading=self.reading,
            colours=read_colours(self.statistics) if self.statistics else None,
        )


def train_one(
    order: Order, path: str, out: Path | None, resume: Literal["auto", "never"], bench: Bench, watch: Watch
) -> str:
    """Train, and say in a line what came out and where it is; of several processes the first one says it.

    Raises SpecError, DataError, Diverged or Stopped, as run_training does.
    """
    directory = out or Path("runs") / f"{order.name}.{order.seed}"
    bench.processes.first_does(lambda: _check_new(directory, resume))
    entry = ENTRIES.get(order.name)
    if entry and entry.task in TRAIN:
        return TRAIN[entry.task](order, path, directory, bench, watch)
    training = order.training()
    watch.say(f"{order.name} as in {training.member.recipe.source}")
    written = replace(order, batch=None).training().member.recipe.gaps
    for change in training.recipe.gaps[len(written) :]:
        watch.say(f"  {change}")
    with watch.live():
        run = run_training(training, open_splits(path), directory, bench, watch)
    if not bench.processes.first:
        return ""
    scores = run.read_scores() or {}
    errors = ", ".join(f"{score['metric']} {score['value']:.1%}" for score in scores["scores"])
    return f"{order.name}: {errors} after {training.epochs} epochs{_skipped(scores)}; everything is in {directory}"


def train_together(order: Order, path: str, out: Path | None, resume: Literal["auto", "never"], bench: Bench) -> None:
    """train_one, shown and said by the first process alone."""
    line = train_one(order, path, out, resume, bench, Watch(quiet=not bench.processes.first))
    if line:
        print(line)


def _check_new(directory: Path, resume: Literal["auto", "never"]) -> None:
    if resume == "never" and (directory / "spec.json").exists():
        raise SpecError(f"{directory} holds a training and --resume never is asked for; choose another --out")


def _skipped(scores: dict[str, Any]) -> str:
    """How many images were passed over; nothing where none was."""
    count = sum(len(faults) for faults in scores.get("bad_images", {}).values())
    return f", {count:,} images that cannot be decoded passed over" if count else ""
