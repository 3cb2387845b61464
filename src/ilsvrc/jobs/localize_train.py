"""Train a localization entry by name: its classifier first, then the box regressors that start from it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ilsvrc import models
from ilsvrc.data.decode import Reading
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature import PROTOCOL
from ilsvrc.entries.miniature_loc import CLASSIFIERS, LOCALIZERS
from ilsvrc.jobs import entry_size
from ilsvrc.jobs.fused_runs import classifier_name
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.localize_ask import Localizing, each_of
from ilsvrc.jobs.localize_fusion import error_of_proposals, errors_alone, run_regressors
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.starts import start_of
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.training import Training
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Crops, Entry, Regression
from ilsvrc.train.recipe import scaled
from ilsvrc.train.run import Run

if TYPE_CHECKING:
    from ilsvrc.jobs.train_one import Order


def train_entry(order: "Order", path: str, directory: Path, bench: Bench, watch: Watch) -> str:
    """Train the entry that the order names into `directory`, and say in a line what came out.

    Without a run to start from, the classifier is trained first, in `directory`/classifier. Raises as run_regressors.
    """
    entry, splits = ordered(order), open_splits(path)
    watch.say(f"{entry.key} as in {entry.members[0].recipe.source}")
    with watch.live():
        asked = []
        for one in each_of(entry):
            place = directory / classifier_name(entry, one)
            given = start_of(order.start, one.members[0]) if order.start else None
            start = given or classifier_for(one, order, splits, place, bench, watch)
            asked.append(localizing(one, start, order.epochs, order.seed, order.reading))
        run = run_regressors(asked, splits, directory, bench, watch)
    errors = ", ".join(f"{score['metric']} {score['value']:.1%}" for score in (run.read_scores() or {})["scores"])
    alone = ", ".join(f"{error:.1%}" for error in errors_alone(run))
    errors += f" (boxes of one regressor alone: {alone})" if alone else ""
    first = error_of_proposals(run)
    errors += "" if first is None else f" (proposals alone: {first:.1%})"
    epochs = " and ".join(dict.fromkeys(str(each.epochs) for each in asked))
    return f"{entry.key}: {errors} after {epochs} epochs; everything is in {directory}"


def localizing(one: Entry, classifier: Path, epochs: int | None, seed: int, reading: Reading) -> Localizing:
    """What is asked of an entry's one member, from that classifier; epochs are the recipe's by default."""
    epochs = epochs or max(1, round(one.members[0].recipe.epochs))
    return Localizing(entry=one, classifier=classifier, epochs=epochs, seed=seed, reading=reading)


def ordered(order: "Order") -> Entry:
    """The entry at the size that is asked for: a miniature where it, or its recipe, is asked for smaller.

    Raises SpecError on a recipe that it has none of.
    """
    entry = entry_size.ordered(order, LOCALIZERS)
    boxes = entry.boxes
    if order.batch and isinstance(boxes, Regression) and boxes.regions:
        regions = replace(boxes.regions, recipe=scaled(boxes.regions.recipe, order.batch))
        entry = replace(entry, boxes=replace(boxes, regions=regions))
    return entry


def classifier_for(entry: Entry, order: "Order", splits: Splits, directory: Path, bench: Bench, watch: Watch) -> Path:
    """The run of the classifier that the entry starts from, trained into `directory` unless it is there."""
    training = classifier_training(entry, order.seed, order.epochs)
    if not Run(directory).scores.exists():
        watch.say(f"first the classifier: {training.member.model} as in {training.member.recipe.source}")
    return run_training(replace(training, reading=order.reading), splits, directory, bench, watch).directory


def classifier_training(entry: Entry, seed: int, epochs: int | None) -> Training:
    """What trains the classifier of that entry: of its network, at its size and width."""
    assert entry.boxes is not None
    mine, key = entry.members[0], entry.boxes.classifier
    small = mine.image_size is not None or mine.width != 1
    published = ENTRIES[key].members
    known = next((member for member in published if member.model == mine.model), published[0])
    if small and key in CLASSIFIERS:
        known = CLASSIFIERS[key]
    protocol = PROTOCOL if small else Crops(layout="center", size=models.paper_size(mine.model))
    member = replace(known, model=mine.model, image_size=mine.image_size, width=mine.width)
    epochs = epochs or max(1, round(member.recipe.epochs))
    return Training(member=member, protocol=protocol, epochs=epochs, seed=seed)
