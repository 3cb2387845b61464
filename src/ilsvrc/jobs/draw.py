"""What the drawings share: the network that is drawn, what it sees of images, and how that is shown."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ilsvrc import data
from ilsvrc.data.decode import decode
from ilsvrc.data.sample import Dataset
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import BadImage, DataError, SpecError
from ilsvrc.jobs.finished import data_of
from ilsvrc.jobs.machine import bench
from ilsvrc.jobs.predict import images as files_of
from ilsvrc.jobs.predictor import Loaded, loaded, pixels_of
from ilsvrc.train.run import Run
from ilsvrc.viz import deconvnet
from ilsvrc.viz.graph import graph
from ilsvrc.viz.layers import Layer, layer_of
from ilsvrc.viz.picture import contrast, resized

Split = Literal["train", "val", "test"]
BATCH = 32


@dataclass(frozen=True)
class Source:
    """The words of a command: a run or a weight file, what the file does not say, and where to compute."""

    path: Path
    model: str | None = None
    data: Path | None = None
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Seen:
    """An image as the network sees it: blob is (3, S, S), pixels (S, S, 3) uint8; label is its logit, if known."""

    name: str
    blob: Tensor
    pixels: np.ndarray
    label: int | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network that is drawn, and the data set its images are from where one is known."""

    source: Source
    found: Loaded
    device: torch.device

    @property
    def title(self) -> str:
        """As people say it."""
        return TITLES.get(self.found.model, self.found.model)

    def layer(self, name: str) -> Layer:
        """Raises SpecError with the layers there are."""
        return layer_of(self.found.network, self.found.image_size, name)

    def see(self, name: str, pixels: np.ndarray, label: int | None = None) -> Seen:
        """An image (H, W, 3) uint8 as the network sees it; label is one of the data set."""
        blob = self.found.view(pixels)
        shown = self.found.pixels(blob).movedim(0, -1).round().clamp(0, 255).byte().numpy()
        short, size = min(pixels.shape[:2]), self.found.image_size
        note = f"enlarged: the image has {pixels.shape[1]}×{pixels.shape[0]} pixels" if short < size else ""
        logit = None if label is None else int(self.found.places[label])
        return Seen(name, blob.to(self.device), shown, logit, note)

    def signed(self, blob: Tensor) -> np.ndarray:
        """What a signal (3, H, W) at the network's input means as colour, (H, W, 3) RGB around zero."""
        size, (_, height, width) = self.found.image_size, blob.shape
        canvas = torch.zeros(3, max(size, height), max(size, width))
        canvas[:, :height, :width] = blob.cpu()
        moved = self.found.pixels(canvas) - self.found.pixels(torch.zeros_like(canvas))
        return moved[:, :height, :width].movedim(0, -1).numpy()

    def word(self, logit: int) -> str:
        """The class of a logit."""
        return self.found.classes.name(int(np.flatnonzero(self.found.places == logit)[0]))

    def logit(self, word: str) -> int:
        """The logit of a class by WordNet id, by one of its words, or by its place from 0. Raises SpecError."""
        classes = self.found.classes
        lower = word.strip().lower()
        for label, (wnid, words) in enumerate(zip(classes.wnids, classes.words, strict=True)):
            if lower in (wnid.lower(), words.lower(), *(one.strip().lower() for one in words.split(","))):
                return int(self.found.places[label])
        if lower.isdecimal() and int(lower) < len(classes):
            return int(self.found.places[int(lower)])
        near = get_close_matches(lower, [classes.name(label).lower() for label in range(len(classes))], n=5)
        raise SpecError(
            f"no class is called {word!r}; give a WordNet id, a name or a place below {len(classes)}"
            + (f", such as {', '.join(near)}" if near else f", such as {classes.wnids[0]}, {classes.name(0)}")
        )

    def facts(self) -> tuple[tuple[str, str], ...]:
        """What is drawn, for the page."""
        size, classes = self.found.image_size, len(self.found.classes)
        return (
            ("Network", f"{self.title} ({self.found.model}), {size}×{size} pixels, {classes:,} classes"),
            ("Weights", self.source.path.name or str(self.source.path)),
        )


def subject(source: Source) -> Subject:
    """A run under way is taken by its last checkpoint.

    Raises WeightsError, DataError or SpecError where the file or the words do not fit.
    """
    device = bench(source.device).device
    if not source.path.exists():
        raise DataError(f"{source.path} is not there; give the directory of a training, or a file of weights")
    found = loaded(source.path, source.model, source.data, unfinished=True)
    found.network.to(device).eval()
    return Subject(source, found, device)


def dataset(who: Subject, split: Split) -> Dataset:
    """The data set that is asked for, or the one a run was trained on. Raises SpecError where there is none."""
    if who.source.data is not None:
        return data.open(str(who.source.data), split)
    if not who.source.path.is_dir():
        raise SpecError(f"{who.source.path} does not say on what it was trained; give images with --image, or --data")
    return data.open(data_of(Run(who.source.path)), split)


def chosen(who: Subject, words: Iterable[str], count: int, split: Split = "val") -> tuple[Seen, ...]:
    """The images that the words name, or `count` of the data set, evenly spaced.

    Raises DataError or SpecError where there are none.
    """
    named = tuple(words)
    if named:
        return tuple(who.see(path.stem, pixels_of(path)) for path in files_of(named))
    images = dataset(who, split)
    places = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    return tuple(seen(who, images, int(place)) for place in places)


def seen(who: Subject, images: Dataset, place: int) -> Seen:
    """One image of a data set."""
    sample = images[place]
    known = sample.label is not None and images.classes.wnids == who.found.classes.wnids
    return who.see(Path(sample.name).stem, decode(sample), sample.label if known else None)


def batches(who: Subject, images: Dataset, unread: list[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Places and views of all images, a batch at a time, decoded by threads; what cannot be read ends in `unread`."""

    def one(place: int) -> Tensor | None:
        try:
            return who.found.view(decode(images[place]))
        except BadImage:
            return None

    places = iter(range(len(images)))
    with ThreadPoolExecutor(bench().loaders) as pool:
        while part := list(islice(places, BATCH)):
            views = list(zip(part, pool.map(one, part), strict=True))
            unread += [place for place, view in views if view is None]
            good = [(place, view) for place, view in views if view is not None]
            if good:
                yield (
                    torch.tensor([place for place, _ in good]),
                    torch.stack([view for _, view in good]).to(who.device),
                )


def tiles(
    who: Subject, image: Seen, signal: Tensor, layer: Layer, place: tuple[int, int] | None, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """A projection and its image, both cropped to what the unit sees, (side, side, 3) uint8.

    The contrast of the projection is scaled in this crop.
    """
    size = image.pixels.shape[0]
    left, top, right, bottom = (0, 0, size - 1, size - 1)
    if layer.field is not None and place is not None:
        left, top, right, bottom = layer.field.box(*place, size)
    pattern = contrast(who.signed(signal)[top : bottom + 1, left : right + 1])
    return resized(pattern, side), resized(image.pixels[top : bottom + 1, left : right + 1], side)


def remarks(who: Subject, layer: Layer) -> tuple[str, ...]:
    """What a reader of a projection must know: the receptive field, and what the method means in this network."""
    size = who.found.image_size
    found = graph(who.found.network, size)
    words = {vertex.op for vertex in found.vertices} | {type(v.module).__name__ for v in found.vertices if v.module}
    inner = {type(part).__name__ for part in who.found.network.modules()}
    said = deconvnet.meaning(words | (inner & {"BatchNorm2d"}))
    later = (f"The paper's method is for convolutions, ReLUs and max-pools. Here {'; '.join(said)}.",) if said else ()
    return (field_words(layer, size), *later)


def field_words(layer: Layer, size: int) -> str:
    """How much of the image a unit sees, in a sentence."""
    if layer.field is None:
        return f"A unit of {layer.name} sees the whole image."
    field = layer.field.size
    if field > size:
        return (
            f"A unit of {layer.name} sees {field} pixels a side, and the image has {size}: "
            "it is smaller than the receptive field and is shown whole."
        )
    return f"A unit of {layer.name} sees {field} of the image's {size} pixels a side; pictures are cropped to that."
