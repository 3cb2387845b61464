"""Predictor: a network with everything it takes to name what is in an image."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc import weights
from ilsvrc.data import imagenet
from ilsvrc.data.decode import decode
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.finished import finished
from ilsvrc.jobs.machine import bench
from ilsvrc.predict.fast import Engine, prepared
from ilsvrc.predict.predict import cutter
from ilsvrc.weights import Weights

File = str | PathLike[str]


@dataclass(frozen=True)
class Guess:
    """One class and how likely it is. label is the place of the class by WordNet id, whatever the file's order."""

    label: int
    wnid: str
    name: str
    probability: float


@dataclass(frozen=True)
class Loaded:
    """A network, the view it takes of an image's pixels, and its classes in the order of its logits."""

    network: nn.Module
    view: Callable[[np.ndarray], Tensor]  # (H, W, 3) uint8 RGB to (3, S, S) float32
    classes: Classes
    places: np.ndarray  # of each label, its logit


class Predictor:
    """Names what is in images, best guess first.

    path is a `.safetensors` with a record (`ilsvrc convert` writes them), any file `weights.load` reads
    where `model` says which network's it is, or the directory of a run of ours; one from before runs
    said their classes needs the data set at `data_path`. Images are seen once, at the centre. engine is 'eager', or
    'bf16' for folded batch norms and weights in bfloat16: faster where the machine multiplies it.
    Raises WeightsError, DataError or SpecError when the file or the words do not fit.
    """

    def __init__(
        self,
        path: File,
        model: str | None = None,
        *,
        data_path: File | None = None,
        device: str = "auto",
        engine: Engine = "eager",
    ) -> None:
        self.device = bench(device).device
        found = _run(Path(path), data_path) if Path(path).is_dir() else _file(Path(path), model)
        self.classes, self._view, self._places = found.classes, found.view, found.places
        network = prepared(found.network, engine).to(self.device)
        self.dtype = torch.bfloat16 if engine == "bf16" else torch.float32
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, images: Iterable[Any], top: int = 5, batch: int = 32) -> list[tuple[Guess, ...]]:
        """The `top` best guesses for each image, in the order of the images.

        An image is a path, a Pillow image, or RGB pixels (H, W, 3) uint8. Raises DataError for what is no image.
        """
        blobs: list[Tensor] = []
        found: list[tuple[Guess, ...]] = []
        for image in images:
            blobs.append(self.view(image))
            if len(blobs) == batch:
                found += self.guesses(blobs, top)
                blobs = []
        return found + self.guesses(blobs, top) if blobs else found

    def view(self, image: Any) -> Tensor:
        """What the network sees of one image, (3, S, S) float32."""
        return self._view(pixels_of(image))

    def probabilities(self, blobs: Sequence[Tensor]) -> np.ndarray:
        """(N, classes) float32 by label, rows sum to 1, of what `view` made of images."""
        images = torch.stack(list(blobs)).to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            shares = self.network(images).float().softmax(1).cpu().numpy()
        by_label: np.ndarray = shares[:, self._places]
        return by_label

    def guesses(self, blobs: Sequence[Tensor], top: int) -> list[tuple[Guess, ...]]:
        """The best guesses for what `view` made of images; equal probabilities are ranked by label."""
        shares = self.probabilities(blobs)
        ranked = np.argsort(-shares, axis=1, kind="stable")[:, :top]
        return [
            tuple(
                Guess(int(label), self.classes.wnids[label], self.classes.name(int(label)), float(row[label]))
                for label in best
            )
            for row, best in zip(shares, ranked, strict=True)
        ]

    def each(self, paths: Sequence[Path], top: int, batch: int, threads: int) -> Iterable[tuple[Path, Any]]:
        """For each file its guesses, or the DataError that says why it has none. Decoded by so many threads."""

        def seen(path: Path) -> Tensor | DataError:
            try:
                return self.view(path)
            except DataError as error:
                return error

        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(paths), batch):
                part = paths[start : start + batch]
                views = list(pool.map(seen, part))
                blobs = [view for view in views if isinstance(view, Tensor)]
                answers = iter(self.guesses(blobs, top) if blobs else ())
                for path, view in zip(part, views, strict=True):
                    yield path, next(answers) if isinstance(view, Tensor) else view


def pixels_of(image: Any) -> np.ndarray:
    """RGB pixels (H, W, 3) uint8 of a path, a Pillow image or an array. Raises DataError for anything else."""
    if isinstance(image, str | PathLike):
        try:
            encoded = Path(image).read_bytes()
        except OSError as error:
            raise DataError(f"{image} cannot be read ({error.strerror}); give an image file") from error
        return decode(Sample(name=str(image), jpeg=encoded, label=None, boxes=None, box_labels=None))
    if hasattr(image, "convert"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise DataError(
            f"an array of shape {pixels.shape} and type {pixels.dtype} is no image; give RGB, (H, W, 3) uint8"
        )
    return pixels


def _file(path: Path, model: str | None) -> Loaded:
    """A weight file."""
    if model is None and path.suffix != ".safetensors":
        raise SpecError(
            f"{path} does not say which network's weights it holds; name it with --model, as ilsvrc models does"
        )
    network, record = weights.load(model or weights.read_record(path).model, path)
    classes, places = classes_of(record, path)
    return Loaded(network, lambda pixels: record.preprocess(pixels)[0], classes, places)


def classes_of(record: Weights, path: Path) -> tuple[Classes, np.ndarray]:
    """The classes of a record by label, and of each the place of its logit. Raises SpecError where unknown."""
    if record.order == "own":
        places = np.argsort(np.array(record.wnids), kind="stable")
        wnids = tuple(record.wnids[place] for place in places)
        return Classes(wnids, wnids), places
    if record.classes != 1000:
        raise SpecError(
            f"{path} has {record.classes} classes and does not say which; convert it again with their WNIDs"
        )
    return imagenet.classes(), imagenet.devkit_places() if record.order == "devkit" else np.arange(1000)


def _run(directory: Path, data_path: File | None) -> Loaded:
    """The directory of a training of ours."""
    found = finished(directory, data_path)
    cut = cutter(found.central)

    def view(pixels: np.ndarray) -> Tensor:
        seen = torch.from_numpy(cut(pixels, None)[0].copy()).movedim(-1, 0)  # type: ignore[arg-type]
        return (seen.float() - found.normal.mean) / found.normal.unit

    return Loaded(found.network, view, found.classes, np.arange(len(found.classes)))
