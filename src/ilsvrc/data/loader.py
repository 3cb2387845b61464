"""Dataset + treatment + seed -> batches in a reproducible order.

The order of epoch e and the draws of image i are functions of (seed, e, i) alone: the number of threads or
processes, a restart or the machine's size does not change what the network sees. Decoding releases the interpreter
lock, so threads suffice: they share the data set, and write into the batch in place.
"""

import random
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ilsvrc.data.batch import Batch, Filling, Seen, Views, Write
from ilsvrc.data.crew import SPARE, Crew, Owed, Room, possible
from ilsvrc.data.decode import USUAL, Image, Reading
from ilsvrc.data.kept import Kept, Prepared
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import BadImage, DataError

PROBES = 16  # images, evenly spaced, by which it is decided whether all of them fit into memory
AHEAD = 2  # batches under way behind the one that is waited for, at least
WORTH = 512  # images of a data set from which on processes are thought of
QUICK = 1e-3  # seconds of computing for an image: below it threads wait for each other
CHUNKS = 4  # pieces of a batch per thread: enough that none waits long for the last

Fixed = Callable[[Image], tuple[np.ndarray, np.ndarray | None]]  # pixels, and the boxes moved with them
Drawn = Callable[[Image | Prepared, random.Random], Views]
Begin = Callable[[ThreadPoolExecutor, int], None]  # what has to be done before so many threads of a pool load images


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What becomes of every image.

    fixed needs no draw, and its result is kept where all fit into memory; None where there is no such step, so that
    drawn may ask for those rows alone that it needs. drawn is applied at every visit with the generator of
    (seed, epoch, index). boxes says whether they are wanted. substitute says that another image stands in for one
    that cannot be decoded, where it is passed over; without it the image is marked as missing. alone is called in a
    process of the loader's own before it loads images; without it there are threads alone.
    """

    drawn: Drawn
    fixed: Fixed | None = None
    boxes: bool = False
    reading: Reading = USUAL
    substitute: bool = False
    begin: Begin | None = None
    alone: Callable[[], None] | None = None


@dataclass(frozen=True)
class Fault:
    """An image that could not be decoded, and which stood in for it ('' for none)."""

    name: str
    why: str
    instead: str = ""


class Loader:
    """Batches of a data set.

    Without a seed the order is the data set's. No image is dropped and none is repeated: the last batch of an epoch
    may be smaller. part (r, n) is the share of process r of n: a run of every batch, equal to one image, none of it
    twice and all of it once over the processes; a share of a small last batch may be empty.
    """

    def __init__(
        self,
        dataset: Dataset,
        treatment: Treatment,
        *,
        batch: int,
        seed: int | None = None,
        threads: int = 2,
        kept: Kept | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self.dataset, self.treatment = dataset, treatment
        self.batch = batch
        self.shuffle = seed is not None
        self.seed = seed or 0
        self.threads = max(1, threads)
        self.part = part
        self.faults: dict[int, Fault] = {}  # by index; those found so far
        self.shape: tuple[int, ...] | None = None  # of one image's views, once one was seen
        self._kept = kept or Kept()
        self._standins: dict[int, int] = {}
        self._lock = threading.Lock()
        self._generators = _Generators()
        self._crew: Crew | None = None
        self._asked_for_crew = False

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

    def epoch(self, epoch: int, first: int = 0, write: Write | None = None) -> "Epoch":
        """The batches of that epoch from batch `first` on; `write` makes them float32, in the loader's threads."""
        return Epoch(self, epoch, first, write)

    def one(self, epoch: int, index: int) -> Seen:
        """One image in one epoch. Raises BadImage where it cannot be decoded and is not passed over."""
        try:
            return self._seen(epoch, index, index)
        except BadImage as error:
            if self.treatment.reading.bad == "stop":
                raise refusal(self.dataset, error) from error
            if self.treatment.substitute:
                return self._seen(epoch, index, self._standin(index, str(error)))
            sample = self.dataset[index]
            self.faults[index] = Fault(sample.name, str(error))
            return Seen(sample.name, -1 if sample.label is None else sample.label, None)

    def fill(
        self, filling: Filling, epoch: int, indices: list[int], at: int = 0, left: threading.Event | None = None
    ) -> None:
        """These images into a batch, from place `at` on, until `left` is set."""
        for offset, index in enumerate(indices):
            if left and left.is_set():
                return
            filling.put(at + offset, self.one(epoch, index))

    def crew(self, write: Write | None, count: int, ahead: int) -> Crew | None:
        """Processes for a pass over the data, batches of `count` images at most; None where threads do.

        They do where there is one of them, images wait for a network or are kept in memory, or take so long that Python
        between the decoders does not count; and for a second pass at a time.
        """
        if not self._asked_for_crew:
            self._asked_for_crew = True
            shape = self._quick()
            if shape:
                room = Room(ahead + 1 + SPARE, count, shape, np.float32 if write else np.uint8)
                self._crew = Crew(self.threads, self._fill_apart, self.treatment.alone or _nothing, room, write)
        crew = self._crew
        if crew is None or crew.busy or crew.write is not write:
            return None
        crew.busy = True
        return crew

    def _fill_apart(self, filling: Filling, epoch: int, indices: list[int]) -> dict[int, Fault]:
        known = set(self.faults)
        self.fill(filling, epoch, indices)
        return {index: fault for index, fault in self.faults.items() if index not in known}

    def _quick(self) -> tuple[int, ...] | None:
        """The shape of the views, where images come so quickly that processes are worth it; else None."""
        if self.threads < 2 or self.treatment.alone is None or not possible() or "://" in _place(self.dataset):
            return None
        if len(self.dataset) < WORTH:
            return None
        self._decide()
        if self._kept.all:
            return None
        hands = _Threads(self, None)  # in one of which PyTorch computes alone, as it will
        try:
            return hands.pool.submit(self._probed).result()
        finally:
            hands.leave()

    def _probed(self) -> tuple[int, ...] | None:
        """The shape of the views where a few images of the data set are loaded quickly enough."""
        seconds, shape = list[float](), None
        for index in np.linspace(0, len(self.dataset) - 1, PROBES).round().astype(int).tolist():
            started = time.thread_time()
            try:
                views = self.one(0, index).views
            except BadImage:
                return None  # whoever meets it in its turn says so
            seconds.append(time.thread_time() - started)
            shape = views.pixels.shape if views else shape
        return shape if statistics.median(seconds) < QUICK else None

    def _seen(self, epoch: int, index: int, source: int) -> Seen:
        """Image `source` with the draws of image `index`."""
        image = self._image(source)
        views = self.treatment.drawn(image, self._generators.seeded(_mixed(self.seed, epoch, index)))
        return Seen(image.name, image.label, views, image.box_labels)

    def _image(self, index: int) -> Image | Prepared:
        if not self._kept.decided:
            self._decide()
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        treatment = self.treatment
        image = Image(self.dataset[index], treatment.reading.decoder)
        if treatment.fixed is None and not self._kept.all:
            if treatment.reading.bad == "skip":
                image.pixels()  # whether it is bad must not depend on the rows that are drawn
            return image
        kept = self._prepared(image)
        self._kept.put(index, kept)
        return kept

    def _prepared(self, image: Image) -> Prepared:
        fixed = self.treatment.fixed
        pixels, boxes = fixed(image) if fixed else (image.pixels(), image.boxes)
        if isinstance(pixels.base, np.ndarray):
            pixels = pixels.copy()  # of a part alone the whole must not stay in memory
        return Prepared(image.name, image.label, pixels, boxes, image.box_labels)

    def _decide(self) -> None:
        """Whether prepared images are kept, by a sample of them, the first time one is asked for."""
        with self._lock:
            if self._kept.decided:
                return
            probes = {}
            if self._kept.room:
                count = len(self.dataset)
                for index in np.unique(np.linspace(0, count - 1, min(PROBES, count)).round().astype(int)).tolist():
                    try:
                        probes[index] = self._prepared(Image(self.dataset[index], self.treatment.reading.decoder))
                    except BadImage:
                        continue  # it is met again in its turn
            self._kept.decide(probes, len(self.dataset), self.part[1])

    def _standin(self, index: int, why: str) -> int:
        """The next image of the same class that can be decoded, which the data set alone decides."""
        with self._lock:
            if index not in self._standins:
                bad, count = self.dataset[index], len(self.dataset)
                for other in ((index + step) % count for step in range(1, count)):
                    if self.dataset[other].label == bad.label and self._is_good(other):
                        break
                else:
                    raise DataError(
                        f"{_place(self.dataset)}{why}, and no other of its class can be decoded; get the data again"
                    )
                self.faults[index] = Fault(bad.name, why, self.dataset[other].name)
                self._standins[index] = other
            return self._standins[index]

    def _is_good(self, index: int) -> bool:
        try:
            Image(self.dataset[index], self.treatment.reading.decoder).pixels()
        except BadImage:
            return False
        return True


class Epoch:
    """The batches of one epoch: a length, and one pass in order, loaded ahead by threads."""

    def __init__(self, loader: Loader, epoch: int, first: int, write: Write | None) -> None:
        self._loader, self._epoch, self.first = loader, epoch, first
        self._write = write
        self._order = loader.order(epoch)

    def __len__(self) -> int:
        """Batches of the whole epoch, the skipped ones included."""
        return len(self._loader)

    def batch(self, number: int) -> Batch:
        """Batch `number` of the epoch, loaded here and now."""
        chosen = self._chosen(number)
        filling = Filling(len(chosen), self._loader.shape, self._write)
        self._loader.fill(filling, self._epoch, chosen)
        return self._whole(filling)

    def __iter__(self) -> Iterator[Batch]:
        loader = self._loader
        batch = -(-loader.batch // loader.part[1])
        chunk = -(-batch // (loader.threads * CHUNKS))
        ahead = max(AHEAD, -(-2 * loader.threads * chunk // batch))
        pending: deque[tuple[Filling, list[Future[None] | Owed]]] = deque()
        crew = loader.crew(self._write, batch, ahead)
        chunk = -(-batch // loader.threads) if crew else chunk  # processes have batches ahead of them, and fewer words
        hands = crew or _Threads(loader, self._write)
        try:
            for number in range(self.first, len(self)):
                pending.append(self._begun(hands, number, chunk))
                if len(pending) > ahead:
                    yield self._done(hands, *pending.popleft())
            while pending:
                yield self._done(hands, *pending.popleft())
        finally:
            hands.leave()

    def _chosen(self, number: int) -> list[int]:
        """The indices of this process's share of a batch."""
        loader = self._loader
        whole = self._order[number * loader.batch : (number + 1) * loader.batch]
        rank, of = loader.part
        share: list[int] = whole[len(whole) * rank // of : len(whole) * (rank + 1) // of].tolist()
        return share

    def _begun(self, hands: "Crew | _Threads", number: int, chunk: int) -> tuple[Filling, list[Future[None] | Owed]]:
        chosen = self._chosen(number)
        filling = hands.filling(len(chosen))
        starts = range(0, len(chosen), chunk)
        return filling, [hands.submit(filling, self._epoch, chosen[at : at + chunk], at) for at in starts]

    def _done(self, hands: "Crew | _Threads", filling: Filling, parts: list[Future[None] | Owed]) -> Batch:
        for part in parts:
            self._loader.faults.update(part.result() or {})
        batch = self._whole(filling)
        # Whoever keeps the batches he took gets copies, so that there is always room for the next.
        return replace(batch, pixels=batch.pixels.copy()) if hands.scarce else batch

    def _whole(self, filling: Filling) -> Batch:
        loader = self._loader
        if filling.shape is None:  # of an empty share, or of images that are all missing
            filling.shape = loader.shape or self._shape()
        loader.shape = filling.shape
        return filling.batch(loader.treatment.boxes)

    def _shape(self) -> tuple[int, ...]:
        for index in self._order.tolist():
            views = self._loader.one(self._epoch, index).views
            if views is not None:
                return views.pixels.shape
        raise DataError(f"{_place(self._loader.dataset)}no image can be decoded; get the data again")


class _Threads:
    """Threads that load images into batches: what `Crew` is in processes."""

    scarce = False

    def __init__(self, loader: Loader, write: Write | None) -> None:
        self._loader, self._write, self._left = loader, write, threading.Event()
        self.pool = ThreadPoolExecutor(loader.threads, thread_name_prefix="loader")
        if loader.treatment.begin:
            loader.treatment.begin(self.pool, loader.threads)

    def filling(self, count: int) -> Filling:
        return Filling(count, self._loader.shape, self._write)

    def submit(self, filling: Filling, epoch: int, indices: list[int], at: int) -> Future[None]:
        return self.pool.submit(self._loader.fill, filling, epoch, indices, at, self._left)

    def leave(self) -> None:
        self._left.set()
        self.pool.shutdown(cancel_futures=True)  # waits for the images that are in hand, no more


class _Generators(threading.local):
    """A generator for each thread, seeded anew for each image: making one takes longer than seeding one."""

    def __init__(self) -> None:
        self._generator = random.Random()

    def seeded(self, seed: int) -> random.Random:
        """As random.Random(seed) is."""
        generator = self._generator
        super(random.Random, generator).seed(seed)  # what Random.seed does with a whole number, without asking
        vars(generator)["gauss_next"] = None
        return generator


def refusal(dataset: Dataset, error: BadImage) -> BadImage:
    """What to raise for an image that cannot be decoded and is not passed over."""
    return BadImage(f"{_place(dataset)}{error}, or pass over such images with --bad-images skip")


def _nothing() -> None:
    pass


def _place(dataset: Dataset) -> str:
    """Where the data set is, for the beginning of a sentence, where it says so."""
    root = getattr(dataset, "root", None)
    return f"{root}: " if root else ""


def _mixed(seed: int, epoch: int, index: int) -> int:
    """One integer for (seed, epoch, index): no two share it; generators hash it themselves."""
    return (seed << 96) + (epoch << 48) + index + 1
