"""Whether labels follow the order they must: sorted WordNet ids, against names, boxes and the challenge's own labels.

Four orders are in use: the kit's numbers, those less one, the places among sorted WordNet ids, and those plus one. A
set that mixes two trains without a word and scores as chance does.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ilsvrc.data import imagenet
from ilsvrc.data.sample import Sample

WITH_WNID = re.compile(r"(n[0-9]{8})(_.*)?")
SHOWN = 3
# Of the 50,000 validation labels in the order of names, as little-endian uint16: their SHA-256 begins so.
VAL_LABELS = {
    "f5350687a5a78da7": "",
    "b764f00e57b83984": "the kit's numbers less one",
    "a07c15a7bccd4280": "the kit's numbers, which count from 1",
    "3ade9eb71e11c1e6": "one more than the places, which count from 0",
}
VAL_IMAGES = 50_000


@dataclass
class Order:
    """What is gathered of the labels of a split, image by image."""

    wnids: Sequence[str]
    labels: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # of the images whose label is contradicted
    pairs: list[tuple[int, str]] = field(default_factory=list)  # label, and the WNID that is said of the image
    unnamed: dict[str, set[int]] = field(default_factory=dict)  # labels by WNID, where no list of classes is there

    def note(self, name: str, said: Sequence[str], label: int | None) -> None:
        """An image, the WordNet ids that its name and boxes say, and its label."""
        self.labels.append(-1 if label is None else label)
        if label is None or not said or label >= len(self.wnids):
            return
        if self.wnids[label].isdigit():  # made of the labels, for want of a list
            self.unnamed.setdefault(said[0], set()).add(label)
        elif self.wnids[label] not in said:
            self.names.append(name)
            self.pairs.append((label, said[0]))

    def problems(self, split: str) -> list[str]:
        """What is wrong with the order of the labels, in sentences."""
        return [*self._contradicted(), *self._unsorted(), *self._of_the_challenge(split)]

    def _contradicted(self) -> list[str]:
        if not self.pairs:
            return []
        label, said = self.pairs[0]
        shown = ", ".join(self.names[:SHOWN])
        return [
            f"{len(self.pairs):,} labels contradict what the image's name or boxes say ({shown}): the first has the "
            f"label {label}, which is {self.wnids[label]}, and is of {said}{self._guess()}"
        ]

    def _guess(self) -> str:
        """Which other order explains every contradiction, as the end of a sentence."""
        place = {wnid: label for label, wnid in enumerate(self.wnids)}
        if not all(said in place for _, said in self.pairs):
            return ""
        known = [(label, place[said]) for label, said in self.pairs]
        kit = imagenet.devkit_places() if tuple(self.wnids) == imagenet.classes().wnids else None
        if kit is not None and all(label == kit[right] for label, right in known):
            return "; the labels are the kit's numbers less one: convert them through the WNIDs"
        if kit is not None and all(label == kit[right] + 1 for label, right in known):
            return "; the labels are the kit's numbers, from 1: convert them through the WNIDs"
        if all(label == right + 1 for label, right in known):
            return "; the labels count from 1: take one from each"
        return ""

    def _unsorted(self) -> list[str]:
        """Labels without a list of classes are right when they rise with the WordNet ids that the names say."""
        many = next((wnid for wnid, labels in self.unnamed.items() if len(labels) > 1), None)
        if many:
            return [f"images of {many} have the labels {', '.join(map(str, sorted(self.unnamed[many])[:SHOWN]))}"]
        labels = [next(iter(self.unnamed[wnid])) for wnid in sorted(self.unnamed)]
        if labels != sorted(labels) or len(set(labels)) < len(labels):
            return [
                "the labels do not follow the sorted WordNet ids of the images' names: convert them through the WNIDs"
            ]
        return []

    def _of_the_challenge(self, split: str) -> list[str]:
        whole = split == "val" and len(self.labels) == VAL_IMAGES and min(self.labels) >= 0
        if not whole or tuple(self.wnids) != imagenet.classes().wnids:
            return []
        digest = hashlib.sha256(np.array(self.labels, "<u2").tobytes()).hexdigest()[:16]
        if digest in VAL_LABELS:
            other = VAL_LABELS[digest]
            return [f"the labels of val are {other}, not places among the sorted WordNet ids"] if other else []
        counts = np.bincount(self.labels, minlength=1000)
        return (
            [] if len(np.unique(counts)) > 1 else ["the labels of val are not the challenge's, in this order of images"]
        )


def said_of(sample: Sample, wnids: Sequence[str]) -> tuple[str, ...]:
    """The WordNet ids that an image's name begins with, else those of its boxes; none where nothing is said."""
    named = WITH_WNID.fullmatch(sample.name.rpartition("/")[2])
    if named:
        return (named[1],)
    if sample.box_labels is None:
        return ()
    return tuple(dict.fromkeys(wnids[label] for label in sample.box_labels.tolist()))
