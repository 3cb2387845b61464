"""Train a detection entry by name: its classifier first, then the detectors that start from it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ilsvrc import data, models
from ilsvrc.data.decode import Reading
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature import MINIATURES, PROTOCOL
from ilsvrc.entries.miniature_det import DETECTORS
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.detect_feed import open_halves
from ilsvrc.jobs.detect_fusion import alone_in, run_detectors
from ilsvrc.jobs.detecting import Detecting, each_of
from ilsvrc.jobs.entry_size import ordered
from ilsvrc.jobs.fused_runs import classifier_name
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.starts import start_of
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.training import Training
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Crops, Detector, Entry
from ilsvrc.train.run import Run

if TYPE_CHECKING:
    from ilsvrc.jobs.train_one import Order


def train_entry(order: "Order", path: str, directory: Path, bench: Bench, watch: Watch) -> str:
    """Train the entry that the order names into `directory`, and say in a line what came out.

    Without a run to start from, the classifier is trained first, in `directory`/classifier, where the data at `path`
    has images of one class each; copies of one network share it. Raises as run_detectors.
    """
    entry, halves = ordered(order, DETECTORS), open_halves(path)
    watch.say(f"{entry.key} as in {entry.members[0].recipe.source}")
    with watch.live():
        asked, starts = [], dict[str, Path]()
        for one, seed in each_of(entry, order.seed):
            name = classifier_name(entry, one)
            if name not in starts:
                given = start_of(order.start, one.members[0]) if order.start else None
                starts[name] = given or classifier_for(one, order, path, directory / name, bench, watch)
            asked.append(detecting(one, starts[name], order.epochs, seed, order.reading))
        run = run_detectors(asked, halves, directory, bench, watch)
    found, alone = (run.read_scores() or {})["mean_ap"], ", ".join(f"{value:.1%}" for value in alone_in(run))
    of = f" (of each of {len(asked)} networks alone: {alone})" if alone else ""
    epochs = " and ".join(dict.fromkeys(str(each.epochs) for each in asked))
    return f"{entry.key}: mean AP {found:.1%}{of} after {epochs} epochs; everything is in {directory}"


def detecting(one: Entry, classifier: Path, epochs: int | None, seed: int, reading: Reading) -> Detecting:
    """What is asked of an entry's one network, from that classifier; epochs are the recipe's by default."""
    epochs = epochs or max(1, round(one.members[0].recipe.epochs))
    return Detecting(entry=one, classifier=classifier, epochs=epochs, seed=seed, reading=reading)


def classifier_for(entry: Entry, order: "Order", path: str, directory: Path, bench: Bench, watch: Watch) -> Path:
    """The run of the classifier that the entry starts from, trained into `directory` unless it is there."""
    check_classified(entry, path)
    training = classifier_training(entry, order.seed, None)
    if not Run(directory).scores.exists():
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
