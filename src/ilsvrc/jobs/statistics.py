"""Mean, deviation and principal axes of a data set's colours, with what they were computed from.

Sums over pixels are sums of integers, added up exactly: the result is the same for any number of threads, in any order
and on any machine. Pixels count as fractions of 255, so that the mean of ImageNet is 0.48, 0.46, 0.41.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc import data
from ilsvrc.data.arrays import read_arrays
from ilsvrc.data.decode import decode
from ilsvrc.data.sample import Dataset
from ilsvrc.data.tar_index import write_whole
from ilsvrc.errors import DataError
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture

WHAT = "ilsvrc statistics 1"
BLOCK = 1 << 20  # pixels multiplied at once: 24 MB
AHEAD = 16  # images a thread is ahead of the sum
DIGITS = 12  # that are written: a library of linear algebra may differ in the last of its sixteen
LARGEST = 1 << 30  # bytes of a mean image

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """What statistics were computed from."""

    data: str  # the data set's name
    fingerprint: str  # of the split
    split: str
    images: int  # that were read
    of: int  # images of the split; more than `images` where evenly spaced ones were taken
    pixels: int
    size: int | None  # of the central square after scaling the shorter side to it; None: whole images as they are
    decoding: str  # with what
    classes: str = ""  # twelve digits of its WordNet ids; older files do not say it


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of RGB pixels as fractions of 255, all pixels of all images alike."""

    mean: np.ndarray  # (3,)
    deviation: np.ndarray  # (3,) of the population
    covariance: np.ndarray  # (3, 3)
    eigenvalues: np.ndarray  # (3,) of the covariance, falling: variances along the axes
    eigenvectors: np.ndarray  # (3, 3) column k is the axis of eigenvalue k, its largest part positive
    source: Source
    mean_image: np.ndarray | None = None  # (S, S, 3) float32

    def as_json(self) -> dict[str, Any]:
        """As plain values, but for the mean image."""
        named = ("mean", "deviation", "covariance", "eigenvalues", "eigenvectors")
        numbers = {name: _rounded(getattr(self, name)) for name in named}
        return {"what": WHAT, "scale": "RGB, fractions of 255", **numbers, "computed_from": vars(self.source)}

    def lines(self) -> Iterator[str]:
        """The result as lines of text."""
        for name in ("mean", "deviation", "eigenvalues"):
            yield f"{name:12}" + " ".join(f"{value:.6f}" for value in getattr(self, name))
        for row in self.eigenvectors:
            yield f"{'eigenvectors':12}" + " ".join(f"{value:9.6f}" for value in row)
        of = f" of {self.source.of:,}" if self.source.of > self.source.images else ""
        yield f"of {self.source.pixels:,} pixels of {self.source.images:,}{of} images, {self.source.split}"


def statistics(
    path: str,
    *,
    split: data.Split = "train",
    size: int | None = None,
    images: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Statistics:
    """The statistics of a split; of `images` of them, evenly spaced, where that is given.

    Without a size all pixels of whole images count. With one, those of the central square of `size` pixels after the
    shorter side was scaled to it, and the mean image is computed too. progress(done, of) counts images.
    Raises DataError when the data set cannot be read or an image not be decoded.
    """
    dataset = data.open(path, split, boxes=False)
    count = min(images or len(dataset), len(dataset))
    chosen = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(int)).tolist()
    sums, products, pixels = [0] * 3, [[0] * 3 for _ in range(3)], 0
    total = None if size is None else np.zeros((size, size, 3), np.int64)
    for done, (added, multiplied, counted, square) in enumerate(_each(dataset, chosen, size, workers), 1):
        pixels += counted
        for row in range(3):
            sums[row] += added[row]
            products[row] = [known + more for known, more in zip(products[row], multiplied[row], strict=True)]
        if total is not None:
            total += square
        if progress:
            progress(done, len(chosen))
    decoding = f"simplejpeg {version('simplejpeg')}, Pillow {version('Pillow')}; EXIF rotation ignored"
    fingerprint = data.fingerprint(dataset)
    source = Source(
        *(data.name(dataset), fingerprint, split, len(chosen), len(dataset), pixels, size, decoding),
        classes=of_classes(dataset.classes.wnids),
    )
    image = None if total is None else (total / (255 * len(chosen))).astype(np.float32)
    return _of_sums(sums, products, pixels, source, image)


def of_classes(wnids: tuple[str, ...]) -> str:
    """Twelve hexadecimal digits of the WordNet ids in order."""
    return hashlib.sha256("\n".join(wnids).encode(errors="surrogateescape")).hexdigest()[:12]


def _each(
    dataset: Dataset, chosen: list[int], size: int | None, workers: int
) -> Iterator[tuple[list[int], list[list[int]], int, np.ndarray]]:
    """Sums, sums of products, pixels and the square (empty without a size) of each image; read by threads."""

    def one(index: int) -> tuple[list[int], list[list[int]], int, np.ndarray]:
        pixels = decode(dataset[index])
        if size is not None:
            pixels = geometry.center_square(geometry.short_side(Picture(pixels), size), size).pixels
        flat = pixels.reshape(-1, 3)
        sums, products = np.zeros(3, np.int64), np.zeros((3, 3), np.int64)
        for start in range(0, len(flat), BLOCK):
            block = flat[start : start + BLOCK].astype(np.float64)
            sums += block.sum(axis=0).astype(np.int64)  # whole numbers under 2**53: exact in any order
            products += (block.T @ block).astype(np.int64)
        return sums.tolist(), products.tolist(), len(flat), pixels if size is not None else pixels[:0]

    with ThreadPoolExecutor(max(1, workers)) as pool:
        step = AHEAD * max(1, workers)
        for start in range(0, len(chosen), step):
            yield from pool.map(one, chosen[start : start + step])


def _of_sums(
    sums: list[int], products: list[list[int]], pixels: int, source: Source, image: np.ndarray | None
) -> Statistics:
    mean = np.array([total / (255 * pixels) for total in sums])
    square = (255 * pixels) ** 2
    # Numerators are exact integers of any length; one division each.
    covariance = np.array(
        [
            [(pixels * products[row][column] - sums[row] * sums[column]) / square for column in range(3)]
            for row in range(3)
        ]
    )
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    vectors = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), range(3)] < 0, -1, 1)
    return Statistics(mean, np.sqrt(np.diag(covariance)), covariance, values, vectors, source, image)


def _rounded(values: np.ndarray) -> Any:
    return [_rounded(each) if each.ndim else float(f"{each:.{DIGITS}g}") for each in values]


def write_statistics(found: Statistics, out: Path) -> tuple[Path, ...]:
    """Write the numbers to `out`, JSON, and the mean image beside it, NAME.mean.npz; gives what was written.

    Raises OSError when a file cannot be written.
    """
    said, written = found.as_json(), [out]
    if found.mean_image is not None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, mean_image=found.mean_image)
        place = out.with_suffix(".mean.npz")
        write_whole(place, buffer.getvalue())
        said["mean_image"] = {"file": place.name, "sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}
        written.append(place)
    write_whole(out, (json.dumps(said, indent=1) + "\n").encode())
    return tuple(written)


def read_statistics(path: Path) -> Statistics:
    """Statistics as `write_statistics` wrote them, with the mean image where there is one.

    Raises DataError when a file is missing, damaged, or not of the other.
    """
    try:
        said: Any = json.loads(path.read_bytes())
        if said["what"] != WHAT:
            raise ValueError(f"it is {said['what']!r}")
        shapes = {"mean": 3, "deviation": 3, "covariance": (3, 3), "eigenvalues": 3, "eigenvectors": (3, 3)}
        if len(said["mean"]) != 3:
            raise ValueError(f"it is of {len(said['mean'])} channels, and images have 3")
        numbers = {name: np.array(said[name], np.float64).reshape(shape) for name, shape in shapes.items()}
        if not all(np.isfinite(each).all() for each in numbers.values()):
            raise ValueError("a number is not finite")
        image = _mean_image(path, said["mean_image"]) if "mean_image" in said else None
        return Statistics(**numbers, source=Source(**said["computed_from"]), mean_image=image)
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read ({error.strerror}); write it with ilsvrc statistics"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise DataError(f"{path} is no file of ilsvrc statistics, or a damaged one ({error}); write it anew") from error


def _mean_image(path: Path, said: dict[str, str]) -> np.ndarray:
    raw = (path.parent / Path(said["file"]).name).read_bytes()
    if hashlib.sha256(raw).hexdigest() != said["sha256"]:
        raise ValueError(f"{said['file']} is another mean image than the one written with it")
    return read_arrays(raw, ["mean_image"], LARGEST)["mean_image"]
