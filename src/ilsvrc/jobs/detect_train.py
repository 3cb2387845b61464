"""Train a detection entry by name: its classifier first, then the detector that starts from it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ilsvrc import data, models
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature import MINIATURES, PROTOCOL
from ilsvrc.entries.miniature_det import DETECTORS
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.detect_feed import open_halves
from ilsvrc.jobs.detect_run import Detecting, run_detecting
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.training import Training
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Crops, Detector, Entry
from ilsvrc.train.recipe import scaled

if TYPE_CHECKING:
    from ilsvrc.jobs.train_one import Order


def train_entry(order: "Order", path: str, directory: Path, bench: Bench, watch: Watch) -> str:
    """Train the entry that the order names into `directory`, and say in a line what came out.

    Without a run to start from, the classifier is trained first, in `directory`/classifier, where the data at `path`
    has images of one class each. Raises as run_detecting.
    """
    entry = ordered(order)
    halves = open_halves(path)
    watch.say(f"{entry.key} as in {entry.members[0].recipe.source}")
    with watch.live():
        start = order.start or classifier_for(entry, order, path, directory / "classifier", bench, watch)
        epochs = order.epochs or max(1, round(entry.members[0].recipe.epochs))
        asked = Detecting(entry=entry, classifier=start, epochs=epochs, seed=order.seed, reading=order.reading)
        run = run_detecting(asked, halves, directory, bench, watch)
    found = (run.read_scores() or {})["mean_ap"]
    return f"{entry.key}: mean AP {found:.1%} after {epochs} epochs; everything is in {directory}"


def ordered(order: "Order") -> Entry:
    """The entry at the size that is asked for. Raises SpecError on a recipe that it has none of."""
    entry = ENTRIES[order.name]
    size = models.paper_size(entry.members[0].model)
    small = order.width not in (None, 1.0) or order.image_size not in (None, size)
    kind = order.recipe or ("miniature" if small else "paper")
    if kind not in ("paper", "miniature"):
        raise SpecError(f"no recipe for {entry.key} is called {kind!r}; there are paper, miniature")
    if kind == "miniature" and entry.key not in DETECTORS:
        raise SpecError(f"{entry.key} has no miniature; those with one: {', '.join(DETECTORS)}")
    entry = DETECTORS[entry.key] if kind == "miniature" else entry
    member = entry.members[0]
    member = replace(
        member,
        width=order.width or member.width,
        image_size=order.image_size or member.image_size,
        recipe=scaled(member.recipe, order.batch) if order.batch else member.recipe,
    )
    return replace(entry, members=(member,))


def classifier_for(entry: Entry, order: "Order", path: str, directory: Path, bench: Bench, watch: Watch) -> Path:
    """The run of the classifier that the entry starts from, trained into `directory` unless it is there."""
    check_classified(entry, path)
    training = classifier_training(entry, order.seed, None)
    watch.say(f"first the classifier: {training.member.model} as in {training.member.recipe.source}")
    return run_training(replace(training, reading=order.reading), open_splits(path), directory, bench, watch).directory


def check_classified(entry: Entry, path: str) -> None:
    """Raise SpecError where the data has no images of one class each to train the classifier on."""
    try:
        labels = data.open(path, "train", boxes=False).labels  # type: ignore[union-attr]
    except (DataError, AttributeError):
        labels = None
    if labels is None:
        raise SpecError(
            f"{entry.key} starts from a classifier and {path} has no images of one class each to train it on; "
            "give a finished one with --start"
        )


def classifier_training(entry: Entry, seed: int, epochs: int | None) -> Training:
    """What trains the classifier of that entry: of its network, at its size and width."""
    assert isinstance(entry.boxes, Detector)
    mine, key = entry.members[0], entry.boxes.classifier
    small = mine.image_size is not None or mine.width != 1
    known = MINIATURES[key] if small else ENTRIES[key].members[0]
    protocol = PROTOCOL if small else Crops(layout="center", size=models.paper_size(mine.model))
    member = replace(known, model=mine.model, image_size=mine.image_size, width=mine.width)
    epochs = epochs or max(1, round(member.recipe.epochs))
    return Training(member=member, protocol=protocol, epochs=epochs, seed=seed)
