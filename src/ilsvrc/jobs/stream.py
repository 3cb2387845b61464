"""Images of any size on their way to a network: decoded ahead by threads, those of one shape one after another.

A window of the data set is opened at a time, encoded; it is looked at in the order of the images' shapes, so that
most of those that go through a network together come together. No more than a window, the images that threads are
ahead, and what waits for company are in memory, however many there are.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from ilsvrc.data.decode import Image
from ilsvrc.data.loader import Fault, refusal
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import BadImage
from ilsvrc.jobs.input import Feed, Normal
from ilsvrc.predict.predict import VIEWS, Group, Pass, parts, passes
from ilsvrc.predict.views import resized
from ilsvrc.spec import Crops, Dense, Protocol
from ilsvrc.transforms.resample import by_themselves

WINDOW = 256  # images that are opened at once
HELD = 64 << 20  # bytes of them, encoded, and decoded where their size is not known otherwise
AHEAD = 2  # images per thread that are looked at before they are wanted
TOGETHER = {"cpu": 1 << 20, "cuda": 12 << 20}  # pixels of one size that go through a network at once

Shape = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Looked:
    """One image and all that the protocol sees of it; passes is None where it could not be decoded."""

    place: int  # in the data set
    name: str
    label: int
    shape: Shape  # what its dense passes are resized to
    passes: list[Pass] | None


class Stream:
    """The images at some places of a data set as a protocol sees them; `faults` has those that could not be decoded."""

    def __init__(self, dataset: Dataset, places: Sequence[int], protocol: Protocol, feed: Feed) -> None:
        self.dataset, self.places, self.protocol, self.feed = dataset, places, protocol, feed
        self.faults: dict[int, Fault] = {}
        self._look = passes(protocol, feed.reading.decoder)
        self._dense = [part for part in parts(protocol) if isinstance(part, Dense)]

    def __iter__(self) -> Iterator[Looked]:
        threads = max(1, self.feed.threads)
        pool = ThreadPoolExecutor(threads, thread_name_prefix="looker")
        try:
            by_themselves(pool, threads)
            following = pool.submit(self._window, 0)
            while window := following.result():
                following = pool.submit(self._window, window[-1][0] + 1)
                yield from self._seen(pool, sorted(window, key=_shape))
        finally:
            pool.shutdown(cancel_futures=True)

    def _seen(self, pool: ThreadPoolExecutor, window: list[tuple[int, "_Opened"]]) -> Iterator[Looked]:
        """The images of a window, a few looked at ahead."""
        pending: deque[Future[Looked]] = deque()
        for _, opened in window:
            pending.append(pool.submit(self._looked, opened))
            if len(pending) > AHEAD * max(1, self.feed.threads):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def _window(self, first: int) -> list[tuple[int, "_Opened"]]:
        """The images from that number on, as many as a window holds, each with its number."""
        found: list[tuple[int, _Opened]] = []
        held = 0
        for number in range(first, min(first + WINDOW, len(self.places))):
            opened = self._opened(self.places[number])
            found.append((number, opened))
            held += opened.image.held if opened.image else 0
            if held > HELD:
                break
        return found

    def _opened(self, place: int) -> "_Opened":
        sample = self.dataset[place]
        label = -1 if sample.label is None else sample.label
        try:
            image = Image(sample, self.feed.reading.decoder)
        except BadImage as error:
            self._bad(place, sample.name, error)
            return _Opened(place, sample.name, label, None, ())
        shape = tuple(size for part in self._dense for size in resized(part, image.width, image.height))
        return _Opened(place, sample.name, label, image, shape)

    def _looked(self, opened: "_Opened") -> Looked:
        found = None
        if opened.image is not None:
            try:
                found = self._look(opened.image.pixels())
            except BadImage as error:
                self._bad(opened.place, opened.name, error)
            opened.image = None  # the window is held until its last image is looked at
        return Looked(opened.place, opened.name, opened.label, opened.shape, found)

    def _bad(self, place: int, name: str, error: BadImage) -> None:
        """Note it. Raises BadImage where such images are not passed over."""
        if self.feed.reading.bad == "stop":
            raise refusal(self.dataset, error) from error
        self.faults[place] = Fault(name, str(error))


@dataclass(eq=False)
class _Opened:
    """An image whose size is known."""

    place: int
    name: str
    label: int
    image: Image | None
    shape: Shape


def _shape(numbered: tuple[int, _Opened]) -> Shape:
    return numbered[1].shape


class Groups:
    """Passes of images, gathered by part and size until enough are there to be computed together."""

    def __init__(self, protocol: Protocol, normal: Normal, device: torch.device) -> None:
        self._parts = parts(protocol)
        self._normals = [normal.fitting(part.size if isinstance(part, Crops) else None) for part in self._parts]
        self._device, self._most = device, TOGETHER[device.type]
        self._waiting: dict[tuple[int, tuple[int, ...]], list[tuple[int, np.ndarray]]] = defaultdict(list)
        self._shape: Shape = ()

    def add(self, looked: Looked) -> Iterator[Group]:
        """What can be computed now that this image is there."""
        if looked.shape != self._shape:  # images of the last one's shape will hardly come any more
            yield from self.rest(lambda part: isinstance(part, Dense))
            self._shape = looked.shape
        for each in looked.passes or ():
            key = (each.part, each.views.shape[1:])
            self._waiting[key].append((looked.place, each.views))
            if self._full(each.part, self._waiting[key]):
                yield from self._groups(key)

    def rest(self, of: Callable[[Crops | Dense], bool] = lambda part: True) -> Iterator[Group]:
        """What waits for company that does not come."""
        for key in list(self._waiting):
            if of(self._parts[key[0]]):
                yield from self._groups(key)

    def _full(self, part: int, waiting: list[tuple[int, np.ndarray]]) -> bool:
        if isinstance(self._parts[part], Crops):
            return sum(len(views) for _, views in waiting) >= VIEWS
        views = waiting[0][1]
        mirrored = 2 if getattr(self._parts[part], "mirror", False) else 1
        high, wide = views.shape[1:3]
        return bool((len(waiting) + 1) * mirrored * high * wide > self._most)

    def _groups(self, key: tuple[int, tuple[int, ...]]) -> Iterator[Group]:
        waiting = self._waiting.pop(key)
        whose = [place for place, views in waiting for _ in views]
        pixels = np.concatenate([views for _, views in waiting])
        for first in range(0, len(pixels), VIEWS):
            some = slice(first, first + VIEWS)
            images = self._normals[key[0]].shown(pixels[some], self._device)
            yield Group(key[0], images, tuple(whose[some]))
