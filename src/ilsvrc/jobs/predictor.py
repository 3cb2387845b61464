"""Predictor: a network with everything it takes to name what is in an image."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc import weights
from ilsvrc.data import imagenet
from ilsvrc.data.decode import decode
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.finished import finished
from ilsvrc.jobs.machine import bench, bf16_in_hardware, machine
from ilsvrc.predict import remember
from ilsvrc.predict.auto import Auto, Work
from ilsvrc.predict.auto import Wish as Wish
from ilsvrc.predict.engines import Engine, Runner, missing, prepared
from ilsvrc.predict.measure import Change, calibrated
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
    pixels: Callable[[Tensor], Tensor]  # what a view shows, (3, S, S), as RGB from 0 to 255
    classes: Classes
    places: np.ndarray  # of each label, its logit
    model: str  # a name in models.MODELS
    image_size: int  # S


class Predictor:
    """Names what is in images, best guess first.

    path is a `.safetensors` with a record (`ilsvrc convert` writes them), any file `weights.load` reads
    where `model` says which network's it is, or the directory of a run of ours; one from before runs
    said their classes needs the data set at `data_path`. Images are seen once, at the centre. engine is one of
    `predict.engines`: 'eager' computes the network bit for bit, the others faster; 'auto' chooses by `wish`.
    int8 is calibrated on what `calibrate` is given, or else on the first batch.
    Raises WeightsError, DataError or SpecError when the file or the words do not fit.
    """

    def __init__(
        self,
        path: File,
        model: str | None = None,
        *,
        data_path: File | None = None,
        device: str = "auto",
        engine: Engine | Literal["auto"] = "eager",
        wish: Wish | None = None,
    ) -> None:
        self.device = bench(device).device
        lacking = "" if engine == "auto" else missing(engine, self.device)
        if lacking:
            raise SpecError(f"engine {engine} {lacking}, or use another engine")
        found = loaded(Path(path), model, data_path)
        self.classes, self._view, self._places = found.classes, found.view, found.places
        self.network = found.network.to(self.device).eval()
        self._fixed: Engine | None = None if engine == "auto" else engine
        self._runner: Runner | None = None
        self._auto = Auto(self.network, wish or Wish(), machine=conditions(), half=half(self.device))

    @property
    def engine(self) -> Engine:
        """What computes now; 'auto' may come to another when more images come."""
        return self._fixed or self._auto.engine

    def __call__(self, images: Iterable[Any], top: int = 5, batch: int = 32) -> list[tuple[Guess, ...]]:
        """The `top` best guesses for each image, in the order of the images.

        An image is a path, a Pillow image, or RGB pixels (H, W, 3) uint8. Raises DataError for what is no image.
        """
        found: list[tuple[Guess, ...]] = []
        left = len(images) if isinstance(images, Sized) else 0
        for part in self._ahead(images, batch):
            views = [view for _, view in part]
            for view in views:
                if isinstance(view, DataError):
                    raise view
            size = batch if found else len(part)
            found += self.guesses(views, top, Work(size, max(left - len(found), len(part))))
        return found

    def view(self, image: Any) -> Tensor:
        """What the network sees of one image, (3, S, S) float32."""
        return self._view(pixels_of(image))

    def probabilities(self, blobs: Sequence[Tensor], work: Work | None = None) -> np.ndarray:
        """(N, classes) float32 by label, rows sum to 1, of what `view` made of images.

        work is what they are part of, for 'auto' to choose by; nothing else by default.
        """
        images = torch.stack(list(blobs)).to(self.device)
        if self._fixed is None:
            logits = self._auto(images, work or Work(len(images), len(images)))
        else:
            if self._runner is None:
                self._runner = prepared(self.network, self._fixed, images)
            logits = self._runner(images)
        by_label: np.ndarray = logits.softmax(1).cpu().numpy()[:, self._places]
        return by_label

    def calibrate(self, blobs: Sequence[Tensor], batch: int = 32) -> Change:
        """Prepare the engine on what `view` made of images: int8 takes its scales from them.

        The change of probabilities from eager's on these images, also kept where `predict.remember` keeps
        measurements. Raises SpecError where the engine is 'auto' or does not take the network.
        """
        if self._fixed is None or not blobs:
            raise SpecError("calibrating needs images and an engine; choose engine='int8' and give some")
        images = torch.stack(list(blobs)).to(self.device)
        found, self._runner = calibrated(self.network, self._fixed, images, batch)
        key = remember.key(self.network, images.shape[-1], batch, f"{conditions()} {self.device}")
        remember.write(key, remember.read(key) | {self._fixed: found})
        return found.change

    def guesses(self, blobs: Sequence[Tensor], top: int, work: Work | None = None) -> list[tuple[Guess, ...]]:
        """The best guesses for what `view` made of images; equal probabilities are ranked by label."""
        shares = self.probabilities(blobs, work)
        ranked = np.argsort(-shares, axis=1, kind="stable")[:, :top]
        return [
            tuple(
                Guess(int(label), self.classes.wnids[label], self.classes.name(int(label)), float(row[label]))
                for label in best
            )
            for row, best in zip(shares, ranked, strict=True)
        ]

    def each(self, paths: Sequence[Path], top: int, batch: int) -> Iterator[tuple[Path, Any]]:
        """For each file its guesses, or the DataError that says why it has none.

        The next batch is decoded by threads while the network computes on this one.
        """
        done = 0
        for part in self._ahead(paths, batch):
            blobs = [view for _, view in part if isinstance(view, Tensor)]
            work = Work(min(batch, len(paths)), len(paths) - done)
            answers = iter(self.guesses(blobs, top, work) if blobs else ())
            for path, view in part:
                yield path, next(answers) if isinstance(view, Tensor) else view
            done += len(part)

    def _ahead(self, images: Iterable[Any], batch: int) -> Iterator[list[tuple[Any, Any]]]:
        """Images with their views, or the DataError that says why there is none, a batch at a time, one batch ahead."""

        def seen(image: Any) -> Tensor | DataError:
            try:
                return self.view(image)
            except DataError as error:
                return error

        source = iter(images)
        pool = ThreadPoolExecutor(bench().loaders, thread_name_prefix="decoder")
        try:
            pending: deque[list[tuple[Any, Future[Tensor | DataError]]]] = deque()
            while True:
                while len(pending) < 2 and (part := list(islice(source, batch))):
                    pending.append([(image, pool.submit(seen, image)) for image in part])
                if not pending:
                    return
                yield [(image, view.result()) for image, view in pending.popleft()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def half(device: torch.device) -> bool:
    """Whether bfloat16 is multiplied in hardware there."""
    return device.type == "cuda" or bf16_in_hardware()


def conditions() -> str:
    """What a measurement holds for: the processor, the threads, and the versions of what computes."""
    found = machine(torch.device("cpu"))
    vino = version("openvino") if find_spec("openvino") else "absent"
    threads = torch.get_num_threads()
    return f"{found.cpu} {threads} of {found.cores}, torch {found.torch}, openvino {vino}, ilsvrc {found.ilsvrc}"


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


def loaded(path: Path, model: str | None = None, data_path: File | None = None, *, unfinished: bool = False) -> Loaded:
    """A run of ours or a weight file; see `Predictor`. unfinished takes a run under way by its last checkpoint."""
    return _run(path, data_path, unfinished) if path.is_dir() else _file(path, model)


def _file(path: Path, model: str | None) -> Loaded:
    """A weight file."""
    if model is None and path.suffix != ".safetensors":
        raise SpecError(
            f"{path} does not say which network's weights it holds; name it with --model, as ilsvrc models does"
        )
    network, record = weights.load(model or weights.read_record(path).model, path)
    classes, places = classes_of(record, path)
    return Loaded(
        network,
        lambda pixels: record.preprocess(pixels)[0],
        lambda blob: record.restore(blob[None])[0],
        classes,
        places,
        record.model,
        record.image_size,
    )


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


def _run(directory: Path, data_path: File | None, unfinished: bool) -> Loaded:
    """The directory of a training of ours."""
    found = finished(directory, data_path, unfinished=unfinished)
    cut = cutter(found.central, found.resampler)

    def view(pixels: np.ndarray) -> Tensor:
        seen = torch.from_numpy(cut(pixels, None)[0].copy()).movedim(-1, 0)  # type: ignore[arg-type]
        return (seen.float() - found.normal.mean) / found.normal.unit

    def pixels(blob: Tensor) -> Tensor:
        return blob.cpu() * found.normal.unit + found.normal.mean

    places = np.arange(len(found.classes))
    return Loaded(found.network, view, pixels, found.classes, places, found.member.model, found.central.size)
