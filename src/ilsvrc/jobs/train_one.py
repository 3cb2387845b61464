"""Train one network by name: from the words of a command line to a Training."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ilsvrc import models
from ilsvrc.entries.miniature import PROTOCOL
from ilsvrc.entries.recipes import PAPER, miniature
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.train import Training, run_training
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Crops, Member
from ilsvrc.train.recipe import scaled


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which network, and what is asked of it here and now."""

    name: str
    recipe: Literal["paper", "miniature"] | None
    epochs: int | None
    width: float | None
    image_size: int | None
    seed: int
    batch: int | None = None  # images per update; the recipe's by default

    def training(self) -> Training:
        """What that asks. Raises SpecError on an unknown name."""
        try:
            paper_size = models.paper_size(self.name)
        except ValueError as error:
            raise SpecError(str(error)) from error
        size = self.image_size or paper_size
        width = 1.0 if self.width is None else self.width
        small = width != 1 or size != paper_size
        kind = self.recipe or ("miniature" if small else "paper")
        recipe = miniature(self.name) if kind == "miniature" else PAPER[self.name]
        if self.batch:
            recipe = scaled(recipe, self.batch)
        member = Member(model=self.name, recipe=recipe, image_size=size, width=width)
        protocol = PROTOCOL if kind == "miniature" else Crops(layout="center")
        epochs = self.epochs or max(1, round(recipe.epochs))
        return Training(member=member, protocol=protocol, epochs=epochs, seed=self.seed)


def train_one(
    order: Order, path: str, out: Path | None, resume: Literal["auto", "never"], bench: Bench, watch: Watch
) -> str:
    """Train, and say in a line what came out and where it is; of several processes the first one says it.

    Raises SpecError, DataError, Diverged or Stopped, as run_training does.
    """
    training = order.training()
    directory = out or Path("runs") / f"{order.name}.{order.seed}"
    bench.processes.first_does(lambda: _check_new(directory, resume))
    asked = replace(order, batch=None).training().member.recipe.gaps
    for change in training.member.recipe.gaps[len(asked) :]:
        watch.say(change)
    with watch.live():
        run = run_training(training, open_splits(path), directory, bench, watch)
    if not bench.processes.first:
        return ""
    scores = run.read_scores() or {}
    errors = ", ".join(f"{score['metric']} {score['value']:.1%}" for score in scores["scores"])
    return f"{order.name}: {errors} after {training.epochs} epochs; everything is in {directory}"


def _check_new(directory: Path, resume: Literal["auto", "never"]) -> None:
    if resume == "never" and (directory / "spec.json").exists():
        raise SpecError(f"{directory} holds a training and --resume never is asked for; choose another --out")
