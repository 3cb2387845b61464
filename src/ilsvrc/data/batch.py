"""Batches, and how one comes about: images are written into its arrays in place, by whichever thread has them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, eq=False)
class Views:
    """What a transform made of one image: (V, S, S, 3) uint8, or (S, S, 3) for one view; (3,) float32 to add.

    boxes is (B, 4), moved with the pixels, and empty (xmax < xmin) where a box was cut away; None where not wanted.
    """

    pixels: np.ndarray
    shift: np.ndarray
    boxes: np.ndarray | None = None


Write = Callable[[Views, np.ndarray], None]  # one image's views into its place, float32 of the shape of the pixels


@dataclass(frozen=True, eq=False)
class Batch:
    """pixels (B, S, S, 3) or (B, V, S, S, 3); shift (B, 3) float32; labels (B,) int64, -1 where unknown.

    pixels are uint8, or float32 with everything done where the pass was asked to write them so. boxes and box_labels
    have an entry per image, (N, 4) and (N,), or None for one without boxes; they are None where boxes were not asked
    for. missing has the places of images that could not be decoded, whose pixels are 0.
    """

    names: tuple[str, ...]
    pixels: np.ndarray
    shift: np.ndarray
    labels: np.ndarray
    boxes: tuple[np.ndarray | None, ...] | None = None
    box_labels: tuple[np.ndarray | None, ...] | None = None
    missing: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, eq=False)
class Seen:
    """One image in one epoch; views is None where it could not be decoded."""

    name: str
    label: int
    views: Views | None
    box_labels: np.ndarray | None = None


class Told(NamedTuple):
    """What a part of a batch says of its images beside their pixels, in their order; missing are places in the part."""

    names: list[str]
    labels: np.ndarray
    shift: np.ndarray
    boxes: list[np.ndarray | None]
    box_labels: list[np.ndarray | None]
    missing: list[int]


class Filling:
    """A batch of `count` images under way. Its pixels get their shape from the first image, where it is not known.

    They lie in `pixels` where that is given, (count, ...) of the right kind.
    """

    def __init__(
        self, count: int, shape: tuple[int, ...] | None, write: Write | None, pixels: np.ndarray | None = None
    ) -> None:
        self.count, self.shape = count, shape
        self._write = write
        self._names, self._labels = [""] * count, np.full(count, -1, np.int64)
        self._boxes: list[np.ndarray | None] = [None] * count
        self._box_labels: list[np.ndarray | None] = [None] * count
        self._missing: list[int] = []
        self._shift = np.zeros((count, 3), np.float32)
        self._lock = threading.Lock()
        self._pixels = pixels if pixels is not None or shape is None else self._room(shape)

    def _room(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.empty((self.count, *shape), np.float32 if self._write else np.uint8)

    def put(self, place: int, seen: Seen) -> None:
        """That image into its place."""
        views = seen.views
        self._names[place], self._labels[place] = seen.name, seen.label
        self._box_labels[place] = seen.box_labels
        if views is None:
            self._missing.append(place)
            return
        pixels = self._pixels if self._pixels is not None else self._first(views.pixels.shape)
        if self._write:
            self._write(views, pixels[place])
        else:
            pixels[place] = views.pixels
        self._shift[place], self._boxes[place] = views.shift, views.boxes

    def _first(self, shape: tuple[int, ...]) -> np.ndarray:
        with self._lock:
            if self._pixels is None:
                self.shape = shape
                self._pixels = self._room(shape)
            return self._pixels

    def told(self) -> Told:
        """What is known of all images but their pixels."""
        return Told(self._names, self._labels, self._shift, self._boxes, self._box_labels, self._missing)

    def take(self, at: int, told: Told) -> None:
        """What another process says of the images from place `at` on, whose pixels it put where they belong."""
        part = slice(at, at + len(told.names))
        self._names[part], self._labels[part], self._shift[part] = told.names, told.labels, told.shift
        self._boxes[part], self._box_labels[part] = told.boxes, told.box_labels
        self._missing += [at + place for place in told.missing]

    def batch(self, boxes: bool) -> Batch:
        """The batch, when every image is in its place and the shape is known."""
        if self._pixels is None:
            assert self.shape is not None
            self._pixels = self._room(self.shape)
        self._pixels[self._missing] = 0
        return Batch(
            tuple(self._names),
            self._pixels,
            self._shift,
            self._labels,
            tuple(self._boxes) if boxes else None,
            tuple(self._box_labels) if boxes else None,
            frozenset(self._missing),
        )
