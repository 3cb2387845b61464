"""What is asked of a localization training, whether it can be had, and what of it decides the outcome."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ilsvrc import models
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.errors import SpecError
from ilsvrc.jobs.finished import Finished, check_classes, finished
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.localize_look import check_protocol
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.start import Left
from ilsvrc.spec import (
    AreaCrop,
    Crops,
    Dense,
    Entry,
    Member,
    RandomCrop,
    Recipe,
    Regression,
    TenCrop,
    as_json,
    from_json,
)
from ilsvrc.train import recipe as recipes
from ilsvrc.train.run import Run


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
        """How it regresses, at that size."""
        assert isinstance(self.entry.boxes, Regression)
        return boxes_at_size(self.entry.boxes, self.member, self.size)

    @property
    def size(self) -> int:
        """Pixels on a side at the network's input."""
        return self.member.image_size or models.paper_size(self.member.model)

    @property
    def recipe(self) -> Recipe:
        """The member's recipe at that size and length."""
        return recipes.shortened(recipes.at_size(self.member.recipe, self.size), self.epochs)

    @property
    def region_recipe(self) -> Recipe:
        """The recipe of the network that judges proposals again, at that size and in proportion to that length."""
        regions = self.regression.regions
        assert regions is not None
        share = self.epochs / self.member.recipe.epochs
        sized = recipes.at_size(regions.recipe, self.size)
        return recipes.shortened(sized, max(1, round(regions.recipe.epochs * share)))

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
    scaled = recipes.in_proportion(protocol, _crop(member, size), size)
    assert isinstance(scaled, Dense)
    return scaled


def boxes_at_size(boxes: Regression, member: Member, size: int) -> Regression:
    """An entry's way of finding boxes for windows of `size`: anchors and context in proportion, as `at_size`."""
    share = size / _crop(member, size)
    if share == 1:
        return boxes
    regions = boxes.regions and replace(boxes.regions, around=round(boxes.regions.around * share))
    return replace(boxes, scales=tuple(scale * share for scale in boxes.scales), regions=regions)


def _crop(member: Member, size: int) -> int:
    """What the member's recipe ends in; `size` where it cuts nothing."""
    crops = [step.size for step in member.recipe.augment if isinstance(step, RandomCrop | AreaCrop | TenCrop)]
    return crops[-1] if crops else size


def starting(asked: Localizing, splits: Splits, bench: Bench) -> Finished:
    """The classifier it starts from. Raises SpecError where it cannot start there, or not in several processes."""
    if bench.processes.of > 1:
        raise SpecError("localization trains in one process; leave --processes out")
    done = finished(asked.classifier)
    _check(asked, done, splits)
    return done


def words(asked: Localizing, done: Finished, splits: Splits, bench: Bench) -> dict[str, Any]:
    """What decides the outcome: two trainings that agree in it are the same training."""
    again = {"region_epochs": asked.region_recipe.epochs} if asked.regression.regions else {}
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
        **again,
        "seed": asked.seed,
        "data": splits.fingerprint,
        "classes": len(splits.train.classes),
        "precision": bench.precision,
        "device": bench.device.type,
        "reading": asdict(asked.reading),
    }


def check_proposes(asked: Localizing, run: Run, splits: Splits) -> None:
    """Raise SpecError unless the run can be the proposals that are judged again: done, and of the same network."""
    its = run.spec()["asked"]
    try:
        member, boxes = from_json(its["member"]), from_json(its["boxes"])
        head, scales = boxes.head, boxes.scales
        size = member.image_size or models.paper_size(member.model)
        theirs = member.model, size, member.width
    except (KeyError, ValueError, AttributeError) as error:
        raise SpecError(
            f"{run.directory} is no run of localization, and one that proposes boxes is wanted; give such a run"
        ) from error
    mine = asked.member.model, asked.size, asked.member.width
    if head != "proposals" or boxes.regions is not None:
        raise SpecError(f"{run.directory} proposes no boxes: its head is {head!r}; give a run of proposals alone")
    if mine != theirs or scales != asked.regression.scales:
        told = ["{} at {} px and {:g} of its width".format(*each) for each in (mine, theirs)]
        raise SpecError(
            f"{asked.entry.key} judges proposals of {told[0]}, anchors of scales {asked.regression.scales}, and "
            f"{run.directory} is {told[1]}, of {scales}; give such proposals"
        )
    if not run.scores.exists():
        raise SpecError(f"{run.directory} is a training that is not done; finish it first")
    check_classes(run, int(its["classes"]), splits.train.classes, splits.path)


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
