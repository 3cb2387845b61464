"""Prepared images in memory: all of a data set or none, so that memory is what it is from the first image on."""

import threading
from dataclasses import dataclass

import numpy as np

SPARE = 1.1  # of the size that a sample of the images foretells


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image after all that needs no draw, with `decode.Image`'s members.

    array is (H, W, 3) uint8, or (V, S, S, 3) for several views; boxes moved with the pixels.
    """

    name: str
    label: int  # -1 where unknown
    array: np.ndarray
    boxes: np.ndarray | None = None
    box_labels: np.ndarray | None = None

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.array.shape[-3])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.array.shape[-2])

    def pixels(self, rows: int | None = None) -> np.ndarray:
        """All of them; not to be written to."""
        return self.array


class Kept:
    """Prepared images that several loaders of one data set share, where all of them fit into `room` bytes."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self._lock = threading.Lock()
        self._images: dict[int, Prepared] = {}
        self._bytes = 0
        self._all: bool | None = None  # whether they fit; None before anyone asked

    def decide(self, probes: dict[int, Prepared], count: int, processes: int = 1) -> None:
        """Say once whether `count` images are kept, by a sample of them; an empty sample keeps none.

        Of several processes each comes to keep all of them, so that they share the room.
        """
        with self._lock:
            if self._all is not None:
                return
            size = sum(image.array.nbytes for image in probes.values())
            spare = 1.0 if len(probes) == count else SPARE
            self._all = bool(probes) and size * count / len(probes) * spare * processes <= self.room
            if self._all:
                self._images, self._bytes = dict(probes), size

    @property
    def decided(self) -> bool:
        """Whether `decide` was called."""
        return self._all is not None

    @property
    def all(self) -> bool:
        """Whether every image is kept once it is prepared."""
        return bool(self._all)

    def get(self, index: int) -> Prepared | None:
        """That image, if it is kept."""
        return self._images.get(index)

    def put(self, index: int, image: Prepared) -> None:
        """Keep it, where all are kept; should the sample have been misleading, none is kept from now on."""
        with self._lock:
            if not self._all or index in self._images:
                return
            self._bytes += image.array.nbytes
            self._images[index] = image
            if self._bytes > self.room:
                self._all, self._images = False, {}
