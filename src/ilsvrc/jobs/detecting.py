"""What is asked of a detection training, and the network it is of."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from ilsvrc import models
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.models.rcnn import FasterRCNN, RegionClassifier
from ilsvrc.spec import Detector, Entry, Member, Recipe
from ilsvrc.train import recipe as recipes


@dataclass(frozen=True, kw_only=True)
class Detecting:
    """What is asked: the first member of an entry, trained from a finished classifier for so many epochs.

    Of an entry of several networks each is asked by itself (`each_of`).
    """

    entry: Entry
    classifier: Path
    epochs: int
    seed: int
    reading: Reading = USUAL
    step: int = 0  # of alternating training, 1 to 4; 0 where both networks learn at once
    before: Path | None = None  # the run of the step before

    @property
    def member(self) -> Member:
        """The network that is cut in two."""
        return self.entry.members[0]

    @property
    def how(self) -> Detector:
        """How it finds objects."""
        assert isinstance(self.entry.boxes, Detector)
        return self.entry.boxes

    @property
    def recipe(self) -> Recipe:
        """The member's recipe at that length."""
        return recipes.shortened(self.member.recipe, self.epochs)


def each_of(entry: Entry, seed: int) -> tuple[tuple[Entry, int], ...]:
    """The entry once for each of its networks, which alone is in it, and the seed of its training.

    Copies of one network differ in seed alone: `seed` and those that follow it.
    """
    taken: Counter[str] = Counter()
    found = []
    for member in entry.members:
        for _ in range(member.copies):
            found.append((replace(entry, members=(replace(member, copies=1),)), seed + taken[member.model]))
            taken[member.model] += 1
    return tuple(found)


def size_of(member: Member) -> int:
    """Pixels on a side of what the classifier was shown, and of a warped region."""
    return member.image_size or models.paper_size(member.model)


def detector_of(member: Member, how: Detector, classes: int) -> FasterRCNN | RegionClassifier:
    """The network, with PyTorch's weights. Raises ValueError with what does not fit."""
    classifier = models.build(member.model, 1, size_of(member), member.width)
    if how.kind == "r-cnn":
        return RegionClassifier(classifier, classes)
    return FasterRCNN(classifier, classes, len(how.scales) * len(how.ratios), context=how.context)
