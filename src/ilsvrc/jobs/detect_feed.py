"""From a detection set to scenes on the device: images at the detector's size, boxes with them, a batch at a time."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ilsvrc import data
from ilsvrc.data import detection as detection_set
from ilsvrc.data.archives import tree_of
from ilsvrc.data.decode import Reading, decode
from ilsvrc.data.folders import Folder
from ilsvrc.data.proposals import Given
from ilsvrc.data.sample import Classes, Dataset
from ilsvrc.errors import BadImage, DataError
from ilsvrc.jobs.input import Normal
from ilsvrc.spec import Detector, Mirror, Recipe, Search
from ilsvrc.tasks import boxes as b
from ilsvrc.tasks.detect import Scene
from ilsvrc.train.loop import Place
from ilsvrc.train.run import first_difference
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture

KEPT = 512 * 2**20  # bytes of decoded and resized images that are kept from epoch to epoch


@dataclass(frozen=True, eq=False)
class Halves:
    """A detection set: what is learnt from and what is judged on."""

    path: str
    train: Dataset
    val: Dataset
    fingerprint: str


def open_halves(path: str) -> Halves:
    """Both halves of the detection set at `path`, or in its folder det/, as the mini set has it.

    Raises DataError when there is none, or its halves name other classes.
    """
    place = place_of(path)
    train, val = data.open(place, "train"), data.open(place, "val")
    if train.classes.wnids != val.classes.wnids:
        raise DataError(f"{place} has other classes in train than in val; both halves must name the same classes")
    return Halves(place, train, val, f"{data.fingerprint(train)}-{data.fingerprint(val)}")


def place_of(path: str) -> str:
    """Where the detection set is. Raises DataError when the path leads to none."""
    for place in (Path(path), Path(path) / "det"):
        if place.exists() and detection_set.holds(tree_of(place) or place):
            return str(place)
    raise DataError(
        f"{path} holds no detection set (images with boxes of several classes, docs/data.md); give the path of one, "
        "of Data/DET, or of a mini set built with detection"
    )


def other_search(given: Given | None, how: Detector) -> str:
    """That proposals were computed by another search than the detector's own, in words; '' where none is known."""
    own = json.loads(json.dumps(asdict(how.search or Search())))
    difference = first_difference(given.search, own) if given and given.search is not None else None
    if given is None or difference is None:
        return ""
    name, was, now = difference
    where = f"{given.path.name} has proposals of another search than the entry's"
    return f"{where}: {name} = {was}, and the entry has {now}"


@dataclass(eq=False)
class Faults:
    """What was found in the data that teaches nothing, counted once per image; a training that goes on keeps it."""

    seen: set[int] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    classes: set[int] = field(default_factory=set)  # labels that an object has
    _lock: Lock = field(default_factory=Lock, repr=False)

    def count(self, index: int, counts: dict[str, int], labels: tuple[int, ...]) -> None:
        """Count what image `index` has, unless that was done; labels are those of its objects. From any thread."""
        with self._lock:
            if index not in self.seen:
                self.seen.add(index)
                self.counts.update(counts)
                self.classes.update(labels)

    def state_dict(self) -> dict[str, Any]:
        """What was counted so far."""
        with self._lock:
            seen = torch.tensor(sorted(self.seen), dtype=torch.long)
            return {"seen": seen, "counts": dict(self.counts), "classes": sorted(self.classes)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on counting from what state_dict gave."""
        with self._lock:
            self.seen, self.classes = set(state["seen"].tolist()), set(state["classes"])
            self.counts = Counter(state["counts"])

    def lines(self, classes: Classes, images: int) -> list[str]:
        """A sentence per kind of fault."""
        said = [f"{self.counts[kind]:,} {words}" for kind, words in WORDS.items() if self.counts[kind]]
        absent = [classes.name(label) for label in range(len(classes)) if label not in self.classes]
        if absent and len(self.seen) >= images:
            few = ", ".join(absent[:3]) + (", ..." if len(absent) > 3 else "")
            said.append(f"{len(absent):,} of {len(classes):,} classes have no object in the training images: {few}")
        return said


WORDS = {
    "unusable": "boxes are inverted, no numbers or wholly outside of their image, and teach nothing",
    "clipped": "boxes reach over the border of their image, and are clipped to it",
    "empty": "images have no object, and teach the background alone",
    "bad": "images cannot be decoded, and others stand in for them",
}


@dataclass(frozen=True, eq=False)
class Scenes:
    """A batch: images of different sizes, padded with the mean at right and bottom, and what is in each."""

    images: Tensor  # (B, 3, H, W) float32, normalised
    scenes: tuple[Scene, ...]
    given: tuple[Tensor, ...] = ()  # of each image the proposals (P, 4) that came with it

    def __len__(self) -> int:
        return len(self.scenes)


def sized(picture: Picture, short_side: int, long_side: int) -> Picture:
    """The picture with that shorter side, or less where its longer side would be over the other (Girshick 2015)."""
    scale = min(short_side / min(picture.width, picture.height), long_side / max(picture.width, picture.height))
    width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return geometry.resized(picture, width, height)


def scene_of(picture: Picture, labels: np.ndarray) -> Scene:
    """The picture's objects, the first of its boxes, which must be usable; the others are proposals."""
    boxes = torch.from_numpy(np.array(picture.boxes[: len(labels)], np.float32)).reshape(-1, 4)
    boxes = b.clipped(boxes, picture.width, picture.height)
    return Scene(picture.width, picture.height, boxes, torch.from_numpy(np.asarray(labels, np.int64)))


def given_of(picture: Picture, labels: np.ndarray) -> Tensor:
    """(P, 4): the picture's proposals, which stand behind its objects."""
    boxes = torch.from_numpy(np.array(picture.boxes[len(labels) :], np.float32)).reshape(-1, 4)
    return b.clipped(boxes, picture.width, picture.height)


def tensor_of(picture: Picture, normal: Normal) -> Tensor:
    """(3, H, W) float32: the picture as networks take it; of a mean image the mean per channel."""
    pixels = torch.from_numpy(picture.pixels.astype(np.float32)).permute(2, 0, 1)
    mean = normal.mean.reshape(3, -1).mean(dim=1).reshape(3, 1, 1)
    return (pixels - mean) / normal.unit.reshape(3, -1).mean(dim=1).reshape(3, 1, 1)


def together(images: list[Tensor], scenes: list[Scene], device: torch.device) -> Scenes:
    """Images of different sizes as one batch."""
    height, width = max(image.shape[1] for image in images), max(image.shape[2] for image in images)
    batch = torch.zeros(len(images), 3, height, width)
    for place, image in enumerate(images):
        batch[place, :, : image.shape[1], : image.shape[2]] = image
    on_device = batch.to(device, memory_format=torch.channels_last)
    return Scenes(on_device, tuple(scene.to(device) for scene in scenes))


class SceneFeed:
    """The batches of a training, in an order and with draws that are functions of (seed, epoch, index) alone."""

    def __init__(
        self,
        dataset: Dataset,
        how: Detector,
        recipe: Recipe,
        seed: int,
        reading: Reading,
        given: Given | None = None,
    ) -> None:
        self.given = given
        self.dataset, self.how, self.batch, self.seed, self.reading = dataset, how, recipe.batch, seed, reading
        self._mirrored = any(isinstance(step, Mirror) for step in recipe.augment)
        self.faults = Faults()
        self._kept: dict[int, tuple[Picture, np.ndarray]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch)

    def epoch(self, place: Place, normal: Normal, device: torch.device, threads: int) -> Iterator[Scenes]:
        """The rest of the epoch at `place`."""
        order = list(range(len(self.dataset)))
        random.Random(f"{self.seed} {place.epoch}").shuffle(order)
        parts = [order[k : k + self.batch] for k in range(place.step * self.batch, len(order), self.batch)]
        with ThreadPoolExecutor(max(1, threads)) as pool:
            ahead = [pool.submit(self._items, part, place.epoch) for part in parts[:2]]
            for k in range(len(parts)):
                items = ahead.pop(0).result()
                if k + 2 < len(parts):
                    ahead.append(pool.submit(self._items, parts[k + 2], place.epoch))
                images = [tensor_of(picture, normal) for picture, _ in items]
                scenes = together(images, [scene_of(picture, labels) for picture, labels in items], device)
                yield replace(scenes, given=tuple(given_of(*item).to(device) for item in items))

    def _items(self, places: list[int], epoch: int) -> list[tuple[Picture, np.ndarray]]:
        items = []
        for place in places:
            picture, labels = self._picture(place)
            rng = random.Random(f"{self.seed} {epoch} {place}")
            items.append((geometry.mirror(picture, rng, 0.5) if self._mirrored else picture, labels))
        return items

    def _picture(self, place: int) -> tuple[Picture, np.ndarray]:
        """Image `place` at its size, or the first after it that can be decoded where others may stand in."""
        for turn in range(len(self.dataset)):
            index = (place + turn) % len(self.dataset)
            if index in self._kept:
                return self._kept[index]
            try:
                return self._keep(index, self._read(index))
            except BadImage:
                if self.reading.bad == "stop":
                    raise
                self.faults.count(index, {"bad": 1}, ())
        raise DataError("no image of the training set can be decoded; look at the files with 'ilsvrc check'")

    def _read(self, index: int) -> tuple[Picture, np.ndarray]:
        sample = self.dataset[index]
        pixels = decode(sample, self.reading.decoder)
        none = np.zeros((0, 4), np.float32)
        boxes = none if sample.boxes is None else np.asarray(sample.boxes, np.float32).reshape(-1, 4)
        labels = np.zeros(0, np.int64) if sample.box_labels is None else np.asarray(sample.box_labels, np.int64)
        height, width = pixels.shape[:2]
        good = b.usable(torch.from_numpy(boxes), width, height).numpy()
        within = b.inside(torch.from_numpy(boxes), width, height).numpy()
        counts = {"unusable": int((~good).sum()), "clipped": int((good & ~within).sum()), "empty": int(not good.any())}
        self.faults.count(index, counts, tuple(labels[good].tolist()))
        proposed = none if self.given is None else self.given.of(sample.name)
        proposed = proposed[b.usable(torch.from_numpy(proposed), width, height).numpy()]
        picture = Picture(pixels, np.concatenate([boxes[good], proposed]), resampler=self.reading.decoder)
        return sized(picture, self.how.short_side, self.how.long_side), labels[good]

    def _keep(self, index: int, item: tuple[Picture, np.ndarray]) -> tuple[Picture, np.ndarray]:
        if self._bytes + item[0].pixels.nbytes <= KEPT:
            self._bytes += item[0].pixels.nbytes
            self._kept[index] = item
        return item


@dataclass(frozen=True, eq=False)
class OnDevice:
    """The rest of an epoch; its length is that of the whole epoch."""

    feed: SceneFeed
    place: Place
    normal: Normal
    device: torch.device
    threads: int

    def __len__(self) -> int:
        return len(self.feed)

    def __iter__(self) -> Iterator[tuple[Tensor, Scenes]]:
        for scenes in self.feed.epoch(self.place, self.normal, self.device, self.threads):
            yield scenes.images, scenes


def kit_numbers(dataset: Dataset) -> list[int]:
    """Of each label the number that the detection kit calls its class by; label + 1 where no kit says it."""
    return detection_set.numbers(dataset) if isinstance(dataset, Folder) else [*range(1, len(dataset.classes) + 1)]
