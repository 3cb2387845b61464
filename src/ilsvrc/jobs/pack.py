"""Pack a data set into shards: images made small once, boxes with them, readable in sequence and by random access.

A shard is written under another name and renamed when it is whole, so that what has its name is complete: the same
command, started again after a kill, writes the shards that are missing. Every shard is read back before the table is
written.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from ilsvrc import data
from ilsvrc.data import shards
from ilsvrc.data.decode import decode
from ilsvrc.data.folders import rows
from ilsvrc.data.part import read_fix_list, without
from ilsvrc.data.sample import Dataset, Sample
from ilsvrc.data.tar_index import write_whole
from ilsvrc.errors import DataError, SpecError
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture

PER_SHARD = 1000  # samples: a hundred megabytes of photographs, and resumption loses little
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "PPM": "ppm"}

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Packing:
    """What becomes of each image. No side: its bytes stay as they are, unless raw pixels are wanted."""

    short_side: int | None = None  # pixels of the shorter side; a smaller image stays as it is
    max_side: int | None = None  # pixels of the longer side at most
    quality: int = 95  # of the JPEG written, 1 to 100
    raw: bool = False  # write pixels, as PPM, instead of JPEG

    def check(self) -> None:
        """Raise SpecError for what cannot be meant."""
        if self.short_side and self.max_side:
            raise SpecError("--short-side and --max-side each give the size; choose one of them")
        if min(self.short_side or 1, self.max_side or 1) < 1 or not 1 <= self.quality <= 100:
            raise SpecError(f"{self} has a side under 1 pixel or a quality outside 1 to 100; give others")


@dataclass(frozen=True)
class Packed:
    """What was packed."""

    out: Path
    images: dict[str, int]  # by split
    shards: int
    megabytes: float

    def __str__(self) -> str:
        images = ", ".join(f"{count:,} {split}" for split, count in self.images.items())
        return f"{self.out}: {images} images in {self.shards:,} shards of {self.megabytes:,.1f} MB together, verified"


def pack(
    source: str,
    out: Path,
    packing: Packing,
    splits: tuple[data.Split, ...],
    workers: int = 1,
    progress: Progress | None = None,
    leave_out: Path | None = None,
) -> Packed:
    """Pack those splits of the data set at `source` into `out`; what an earlier run of the same packing made stays.

    leave_out is a list as `ilsvrc check --fix-list` writes it. progress(shards done, shards in all) is called after
    each.
    Raises SpecError for a packing that contradicts itself, DataError for an `out` of another packing or other data,
    an image that cannot be decoded, or a shard that does not read back as it was written.
    """
    packing.check()
    sets: dict[str, Any] = {split: data.open(source, split) for split in splits}
    if leave_out:
        gone = read_fix_list(leave_out)
        sets = {
            k: without(each, rows(each), gone[k], str(leave_out)) if k in gone else each for k, each in sets.items()
        }
    if not sets:
        raise SpecError("no split is to be packed; name train, val or test")
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, packing, sets)
    tasks = [(split, number) for split, images in sets.items() for number in range(-(-len(images) // PER_SHARD) or 1)]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = [pool.submit(_write_shard, sets[split], out, split, number, packing) for split, number in tasks]
        try:
            for done, task in enumerate(as_completed(waiting), 1):
                task.result()
                if progress:
                    progress(done, len(tasks))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    for split, images in sets.items():
        _verify(out, split, images)
    written = [path for split in sets for path in shards.shards_in(out, split)]
    size = sum(path.stat().st_size for path in written) / 1e6
    return Packed(out, {split: len(images) for split, images in sets.items()}, len(written), size)


def _claim(out: Path, packing: Packing, sets: dict[str, Any]) -> None:
    """Write what `out` is to hold. Raises DataError when it holds another packing, or something else."""
    place = out / "pack.json"
    wanted: dict[str, Any] = {"packing": asdict(packing), "per_shard": PER_SHARD, "data": {}}
    try:
        before = json.loads(place.read_bytes()) if place.is_file() else None
    except (OSError, ValueError) as error:
        raise DataError(f"{place} cannot be read ({error}); choose a new directory") from error
    if before is None and any(out.iterdir()):
        raise DataError(f"{out} is not empty and was not made by ilsvrc pack; choose a new directory")
    if before is not None and {**before, "data": {}} != wanted:
        raise DataError(f"{out} holds shards packed otherwise ({before.get('packing')}); choose a new directory")
    known = before["data"] if before else {}
    for split, images in sets.items():
        found = data.fingerprint(images)
        if known.get(split, found) != found:
            raise DataError(f"the {split} shards in {out} are of other data ({known[split]}, not {found}); choose anew")
        known[split] = found
    classes = next(iter(sets.values())).classes
    write_whole(out / "classes.json", json.dumps({"wnids": classes.wnids, "words": classes.words}).encode())
    write_whole(place, json.dumps({**wanted, "data": known}, indent=1).encode())


def shard_path(out: Path, split: str, number: int) -> Path:
    """Where shard `number` of a split is."""
    return out / f"{split}-{number:06d}.tar"


def _write_shard(dataset: Dataset, out: Path, split: str, number: int, packing: Packing) -> None:
    place = shard_path(out, split, number)
    if place.exists():
        return
    part = place.with_suffix(".part")
    with part.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for index in range(number * PER_SHARD, min((number + 1) * PER_SHARD, len(dataset))):
                for name, content in _files(dataset, index, packing).items():
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, place)


def _files(dataset: Dataset, index: int, packing: Packing) -> dict[str, bytes]:
    """The files of a sample: image, label and what else is known, under one key."""
    sample = dataset[index]
    image, suffix, boxes, size = packed_image(sample, packing)
    key = sample.name.replace(".", "_")  # WebDataset ends a key at the first dot
    said: dict[str, Any] = {"by": "ilsvrc pack", "name": sample.name, "width": size[0], "height": size[1]}
    if sample.label is not None:
        said["wnid"] = dataset.classes.wnids[sample.label]
    if boxes is not None and sample.box_labels is not None:
        said["boxes"] = boxes.tolist()
        said["box_wnids"] = [dataset.classes.wnids[label] for label in sample.box_labels.tolist()]
    files = {f"{key}.{suffix}": image, f"{key}.json": json.dumps(said).encode()}
    if sample.label is not None:
        files[f"{key}.cls"] = str(sample.label).encode()
    return files


def packed_image(sample: Sample, packing: Packing) -> tuple[bytes, str, np.ndarray | None, tuple[int, int]]:
    """The image's bytes and suffix, its boxes moved with the pixels, (B, 4) int, and its width and height.

    Raises DataError when the image cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(sample.jpeg)) as header:
            form, (width, height) = header.format or "", header.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{sample.name} ({len(sample.jpeg):,} bytes) is not an image that can be decoded ({error}); "
            "replace the file or take it out of the data set"
        ) from error
    target = _target(width, height, packing)
    if target == (width, height) and not packing.raw:
        return sample.jpeg, SUFFIXES.get(form, "jpg"), sample.boxes, target
    boxes = np.zeros((0, 4)) if sample.boxes is None else sample.boxes
    picture = geometry.resized(Picture(decode(sample), boxes.astype(np.float32)), *target)
    moved = None if sample.boxes is None else _whole_pixels(picture.boxes, *target)
    if packing.raw:
        return b"P6\n%d %d\n255\n" % target + picture.pixels.tobytes(), "ppm", moved, target
    pixels = np.ascontiguousarray(picture.pixels)
    encoded = simplejpeg.encode_jpeg(pixels, quality=packing.quality, colorspace="RGB", colorsubsampling="420")
    return encoded, "jpg", moved, target


def _target(width: int, height: int, packing: Packing) -> tuple[int, int]:
    """Width and height after packing; nothing is enlarged, and no side falls under one pixel."""
    scale = 1.0
    if packing.short_side:
        scale = packing.short_side / min(width, height)
    elif packing.max_side:
        scale = packing.max_side / max(width, height)
    if scale >= 1:
        return width, height
    return max(1, round(width * scale)), max(1, round(height * scale))


def _whole_pixels(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Boxes rounded to whole pixels, at least one, within the image."""
    rounded = np.rint(boxes).astype(np.int64)
    limit = np.array([width - 1, height - 1])
    low = np.clip(rounded[:, :2], 0, limit)
    return np.concatenate([low, np.clip(np.maximum(rounded[:, 2:], low), 0, limit)], axis=1)


def _verify(out: Path, split: str, dataset: Dataset) -> None:
    """Read the shards back, compare names and labels with the data set's, and write their table."""
    table = shards.scan(out, split)
    ends, blob = table["ends"], table["blob"].tobytes()
    names = [blob[a:b].decode("utf-8", "surrogateescape") for a, b in pairwise(ends)]
    wanted = [(name, -1 if label is None else label) for name, _, label in rows(dataset)]
    if list(zip(names, table["label"].tolist(), strict=True)) != wanted:
        raise DataError(
            f"the {split} shards in {out} do not hold the {len(wanted):,} images they were packed from; "
            "remove them and pack again"
        )
    shards.save(out, split, table)
