"""Dataset + transform + seed -> batches in a reproducible order.

The order of epoch e and the draws of image i are functions of (seed, e, i) alone: the number of
threads, a restart or the machine's size does not change what the network sees. Decoding lives here
and nowhere else; decoders release the interpreter lock, so threads suffice.
"""

import io
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from ilsvrc.data.sample import Dataset, Sample
from ilsvrc.errors import DataError

LARGEST = 178_956_970  # pixels; Pillow's limit against decompression bombs (a quarter GiB of grey, twice)


@dataclass(frozen=True, eq=False)
class Views:
    """What a transform made of one image: (V, S, S, 3) uint8, or (S, S, 3) for one view; (3,) float32 to add."""

    pixels: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True, eq=False)
class Batch:
    """pixels (B, S, S, 3) or (B, V, S, S, 3) uint8; shift (B, 3) float32; labels (B,) int64, -1 where unknown."""

    names: tuple[str, ...]
    pixels: np.ndarray
    shift: np.ndarray
    labels: np.ndarray


Fixed = Callable[[np.ndarray], np.ndarray]
Drawn = Callable[[np.ndarray, random.Random], Views]


def decode(sample: Sample) -> np.ndarray:
    """The sample's pixels, (H, W, 3) uint8, RGB. EXIF rotation is ignored, as the published accuracies ignore it.

    Raises DataError with the sample's name when the bytes are no image.
    """
    if sample.jpeg[:2] == b"\xff\xd8":
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(sample.jpeg)
            if height * width <= LARGEST:
                return np.asarray(simplejpeg.decode_jpeg(sample.jpeg, colorspace="RGB"))
        except ValueError:
            pass  # CMYK, truncated or odd: Pillow decides
    try:
        with Image.open(io.BytesIO(sample.jpeg)) as image:
            if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255
                grey = (np.asarray(image, np.int32) >> 8).clip(0, 255).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        size = len(sample.jpeg)
        raise DataError(
            f"{sample.name} ({size:,} bytes) is not an image that can be decoded ({error}); "
            "replace the file or take it out of the data set"
        ) from error


class Kept:
    """Decoded images that several loaders of one data set share, up to `room` bytes."""

    def __init__(self, room: int = 1 << 30) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._images: dict[int, tuple[str, np.ndarray, int]] = {}

    def get(self, index: int) -> tuple[str, np.ndarray, int] | None:
        """Name, pixels and label of that image, if it is kept."""
        return self._images.get(index)

    def put(self, index: int, image: tuple[str, np.ndarray, int]) -> None:
        """Keep it, if there is room."""
        with self._lock:
            if index not in self._images and image[1].nbytes <= self._room:
                self._room -= image[1].nbytes
                self._images[index] = image


class Loader:
    """Batches of a data set.

    fixed is applied once per image and its result kept in `kept` while there is room;
    drawn is applied at every visit with the generator of (seed, epoch, index).
    Of each batch process r of n in `part` (r, n) takes a run, equal to one image; together they take all of it.
    Without a seed the order is the data set's. No image is dropped and none is repeated: the last
    batch of an epoch may be smaller.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch: int,
        fixed: Fixed,
        drawn: Drawn,
        seed: int | None = None,
        threads: int = 2,
        kept: Kept | None = None,
    ) -> None:
        self.dataset = dataset
        self.part = (0, 1)  # (r, n): the share of process r of n
        self.batch = batch
        self.shuffle = seed is not None
        self.seed = seed or 0
        self.threads = max(1, threads)
        self._fixed, self._drawn = fixed, drawn
        self._kept = kept or Kept()

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of the data set in the order of that epoch."""
        count = len(self.dataset)
        if not self.shuffle:
            return np.arange(count)
        # Raw words of Philox: the one stream numpy promises never to change; equal words are broken by index.
        words = np.random.Philox(key=_mixed(self.seed, epoch, -1) % (1 << 128)).random_raw(count)
        return np.argsort(words, kind="stable")

    def epoch(self, epoch: int, first: int = 0) -> "Epoch":
        """The batches of that epoch from batch `first` on."""
        return Epoch(self, epoch, first)

    def one(self, epoch: int, index: int) -> tuple[str, Views, int]:
        """Name, views and label (-1 where unknown) of one image in one epoch."""
        kept = self._kept.get(index)
        if kept is None:
            sample = self.dataset[index]
            label = -1 if sample.label is None else sample.label
            kept = (sample.name, self._fixed(decode(sample)), label)
            self._kept.put(index, kept)
        name, pixels, label = kept
        return name, self._drawn(pixels, random.Random(_mixed(self.seed, epoch, index))), label


class Epoch:
    """The batches of one epoch: a length, and one pass in order, loaded ahead by threads."""

    def __init__(self, loader: Loader, epoch: int, first: int) -> None:
        self._loader, self._epoch, self.first = loader, epoch, first
        self._order = loader.order(epoch)

    def __len__(self) -> int:
        """Batches of the whole epoch, the skipped ones included."""
        return len(self._loader)

    def batch(self, number: int) -> Batch:
        """Batch `number` of the epoch, loaded here and now."""
        loader = self._loader
        chosen = self._order[number * loader.batch : (number + 1) * loader.batch]
        rank, of = loader.part
        chosen = chosen[len(chosen) * rank // of : len(chosen) * (rank + 1) // of]
        return _stacked([loader.one(self._epoch, int(index)) for index in chosen])

    def __iter__(self) -> Iterator[Batch]:
        ahead = self._loader.threads + 1
        pending: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(self._loader.threads, thread_name_prefix="loader")
        try:
            for number in range(self.first, len(self)):
                pending.append(pool.submit(self.batch, number))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _stacked(images: list[tuple[str, Views, int]]) -> Batch:
    return Batch(
        tuple(name for name, _, _ in images),
        np.stack([views.pixels for _, views, _ in images]),
        np.stack([views.shift for _, views, _ in images]),
        np.array([label for _, _, label in images], np.int64),
    )


def _mixed(seed: int, epoch: int, index: int) -> int:
    """One integer for (seed, epoch, index): no two share it; generators hash it themselves."""
    return (seed << 96) + (epoch << 48) + index + 1
