"""What `ilsvrc bench data` reads: photographs of one's own, or generated ones of the same sizes, in several forms."""

import io
import random
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ilsvrc.data.tars import SUFFIXES
from ilsvrc.errors import DataError
from ilsvrc.jobs.pack import Packing, pack

GENERATED = 400
CLASSES = 20  # folders they are dealt to: the loaders do not look at what the pictures show
# Width, height and share of ImageNet's usual sizes; the rest is between 120 and 1,600 pixels wide.
SIZES = (((500, 375), 0.45), ((375, 500), 0.12), ((500, 333), 0.2), ((333, 500), 0.08), ((400, 300), 0.07))


@dataclass(frozen=True)
class Forms:
    """The same images as class folders, as one tar of them, and packed in two ways."""

    count: int
    origin: str
    folders: Path
    archive: Path
    small: Path  # shards of JPEG, short side 256
    raw: Path  # shards of pixels, short side 256

    def by_name(self) -> dict[str, Path]:
        """What is measured, and where it is."""
        return {"original JPEG": self.folders, "shards, short side 256": self.small, "raw shards": self.raw}


def forms(images: Path | None, place: Path) -> Forms:
    """All forms, made in `place`, of the images in a directory or tar, or of generated ones.

    Raises DataError when there are no images.
    """
    folders = place / "folders"
    found = pictures(images)
    for number, (name, content) in enumerate(found):
        folder = folders / "train" / f"class{number % CLASSES:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    archive = place / "train.tar"
    with tarfile.open(archive, "w") as tar:
        for folder in sorted((folders / "train").iterdir()):
            tar.add(folder, f"train/{folder.name}")
    for name, raw in (("small", False), ("raw", True)):
        pack(str(folders), place / name, Packing(short_side=256, raw=raw), ("train",), workers=2)
    origin = f"{len(found)} generated images" if images is None else f"{len(found)} images of {images.name}"
    return Forms(len(found), origin, folders, archive, place / "small", place / "raw")


def pictures(images: Path | None, count: int = GENERATED) -> list[tuple[str, bytes]]:
    """Name and content of at most so many images of a directory or tar, or of generated ones.

    Raises DataError where there are too few.
    """
    return _generated(count) if images is None else _found(images)[:count]


def _found(images: Path) -> list[tuple[str, bytes]]:
    """Name and content of each image in a directory or a tar, by name; names are made unique."""
    if images.is_dir():
        found = [(path.name, path.read_bytes()) for path in images.rglob("*") if _is_image(path.name)]
    else:
        found = _members(images)
    if len(found) < 2 * CLASSES:
        raise DataError(f"{images} holds {len(found)} images; {2 * CLASSES} at least are wanted to measure with")
    return [(f"{number:06d}_{name}", content) for number, (name, content) in enumerate(sorted(found))]


def _members(archive: Path) -> list[tuple[str, bytes]]:
    try:
        with tarfile.open(archive) as tar:
            members = [member for member in tar if member.isreg() and _is_image(member.name)]
            files = [(member.name.rpartition("/")[2], tar.extractfile(member)) for member in members]
            return [(name, file.read()) for name, file in files if file]
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{archive} cannot be read ({error}); give a directory or a tar of images") from error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.rpartition(".")[2].lower().encode() in SUFFIXES


def _generated(count: int) -> list[tuple[str, bytes]]:
    """JPEGs of the sizes and the weight of ImageNet's: smooth shapes, edges, and grain."""
    rng, draw = np.random.default_rng(0), random.Random(0)
    return [(f"{number:06d}.JPEG", _picture(rng, *_size(draw))) for number in range(count)]


def _size(draw: random.Random) -> tuple[int, int]:
    left = draw.random()
    for size, share in SIZES:
        left -= share
        if left < 0:
            return size
    width = draw.randint(120, 1600)
    return width, round(width * draw.uniform(0.66, 1.3))


def _picture(rng: np.random.Generator, width: int, height: int) -> bytes:
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.float32)
    y, x = np.mgrid[:height, :width]
    for _ in range(6):  # edges at any angle
        a, b, c = rng.normal(size=3)
        pixels[(a * (x - width / 2) + b * (y - height / 2)) > c * width / 4] += rng.normal(0, 25, 3)
    pixels += rng.normal(0, 14, (height, width, 1))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
