"""Correspondence analysis: the same part hidden in several images. Zeiler and Fergus 2013, section 4.3."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ilsvrc.data.decode import decode
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs import draw
from ilsvrc.jobs.draw import Source, Subject, subject
from ilsvrc.jobs.predictor import pixels_of
from ilsvrc.reports.drawings_page import Drawings, Panel, Plate, write_drawings
from ilsvrc.reports.layout import grid as table
from ilsvrc.reports.markup import Html
from ilsvrc.viz.correspondence import PUBLISHED, changes, distances
from ilsvrc.viz.layers import last_full, last_maps
from ilsvrc.viz.picture import grid, png, resized

TILE = 120
DRAWS = 5  # random places per image
FORM = "a line per part of an image: image,part,xmin,ymin,xmax,ymax"

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Parted:
    """An image (H, W, 3) uint8 and the boxes of its parts, pixels with both edges inside."""

    name: str
    pixels: np.ndarray
    parts: dict[str, Box]


def correspondence(
    source: Source, layers: Sequence[str], parts: Path | None, label: str | None, images: int, out: Path
) -> str:
    """Hide the same part in several images and draw a table of how alike the features change, beside the paper's.

    parts is a file that says where the parts are; without one they are the quarters of the objects' boxes in
    `images` images of a class of the data set. In a line, what was written.
    Raises DataError or SpecError where there are no two images with the same parts.
    """
    who = subject(source)
    size = who.found.image_size
    top = [last_maps(who.found.network, size), last_full(who.found.network, size)]
    at = [who.layer(name).name for name in layers or [name for name in top if name]]
    shown = read_parts(parts) if parts else _quarters(who, label, images)
    names = [name for name in shown[0].parts if all(name in one.parts for one in shown)]
    if len(shown) < 2 or not names:
        raise SpecError(f"{len(shown)} images with {len(names)} parts in common are given; two with one are the least")
    rows: list[tuple[str, ...]] = []
    panels: list[Panel] = []
    for name in (*names, "random"):
        masked = [_masked(who, one, name, draw_) for draw_ in range(DRAWS if name == "random" else 1) for one in shown]
        rows.append((name, *(_spread(who, shown, masked, layer) for layer in at)))
        tiles = [_square(pixels) for pixels in masked[: len(shown)]]
        file = f"{len(panels) + 1:02d}-{name.replace(' ', '-')}.png"
        panels.append(Panel(file=file, png=png(grid(tiles, min(5, len(tiles)))), title=name))
    plates = (
        Plate(title="What is hidden", caption=_caption(parts), panels=tuple(panels), least=300, most=TILE * 5 + 12),
        Plate(
            title="How alike the features change",
            caption="The lower, the more alike. Mean over ordered pairs of images and its standard deviation; the "
            "paper does not say what its spread is over.",
            panels=(),
            table=_table(("part", *at), rows),
        ),
        Plate(
            title="In the paper",
            caption="Five dogs seen from the front, ZFNet on ImageNet (table 1 of Zeiler and Fergus 2013).",
            panels=(),
            table=_table(("part", "layer 5", "layer 7"), _published()),
        ),
    )
    page = Drawings(
        title=f"Parts in {who.title}",
        kicker="Correspondence",
        lead="A network that knows a part by itself changes in the same way when it is hidden, whatever the image.",
        how="A part is covered with the mean colour in every image; the signs of what changes in the features are "
        "compared between images by their Hamming distance, as a share of the features (section 4.3).",
        plates=plates,
        facts=(*who.facts(), ("Layers", ", ".join(at)), ("Images", str(len(shown)))),
        remarks=(f"'random' covers a place drawn by chance in each image, {DRAWS} times over, as large as the parts.",),
    )
    return write_drawings(page, out)


def read_parts(path: Path) -> list[Parted]:
    """Images with the boxes of their parts, as FORM says; images are found beside the file.

    Raises DataError naming the line that does not fit.
    """
    found: dict[str, dict[str, Box]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text; give {FORM}") from error
    for number, row in enumerate(csv.reader(lines), start=1):
        if not row or row[0] == "image":
            continue
        try:
            image, part, *edges = (cell.strip() for cell in row)
            left, top, right, bottom = (int(edge) for edge in edges)
        except ValueError as error:
            raise DataError(f"line {number} of {path} is {','.join(row)!r}; wanted is {FORM}") from error
        found.setdefault(image, {})[part] = (left, top, right, bottom)
    return [_checked(path, image, parts) for image, parts in found.items()]


def _checked(path: Path, image: str, parts: dict[str, Box]) -> Parted:
    pixels = pixels_of(path.parent / image)
    height, width = pixels.shape[:2]
    for part, (left, top, right, bottom) in parts.items():
        if not (0 <= left <= right < width and 0 <= top <= bottom < height):
            raise DataError(f"{path} has the {part} of {image} outside its {width}×{height} pixels; correct the box")
    return Parted(image, pixels, parts)


def _quarters(who: Subject, label: str | None, count: int) -> list[Parted]:
    """Images of one class with one box each, in order, and the quarters of the box."""
    images = draw.dataset(who, "val")
    wanted = None if label is None else who.logit(label)
    found: list[Parted] = []
    for place in range(len(images)):
        sample = images[place]
        if sample.boxes is None or len(sample.boxes) != 1 or sample.label is None:
            continue
        logit = int(who.found.places[sample.label])
        wanted = logit if wanted is None else wanted
        if logit == wanted:
            left, top, right, bottom = (int(edge) for edge in sample.boxes[0])
            across, down = (left + right) // 2, (top + bottom) // 2
            parts = {
                "upper left": (left, top, across, down),
                "upper right": (across, top, right, down),
                "lower left": (left, down, across, bottom),
                "lower right": (across, down, right, bottom),
            }
            found.append(Parted(sample.name, decode(sample), parts))
        if len(found) == count:
            break
    if len(found) < 2:
        raise DataError(
            "the data set has no two images of the class with one box; say where the parts are with --parts"
        )
    return found


def _masked(who: Subject, image: Parted, part: str, draw_: int) -> np.ndarray:
    """The image with a part in the mean colour; 'random' is a place drawn by chance, as large as the parts."""
    zero = torch.zeros(3, who.found.image_size, who.found.image_size)
    colour = who.found.pixels(zero).mean((1, 2)).round().clamp(0, 255).byte().numpy()
    left, top, right, bottom = image.parts[part] if part in image.parts else _random(image, draw_)
    pixels = image.pixels.copy()
    pixels[top : bottom + 1, left : right + 1] = colour
    return pixels


def _random(image: Parted, draw_: int) -> Box:
    sizes = np.array([(right - left + 1, bottom - top + 1) for left, top, right, bottom in image.parts.values()])
    across, down = (int(side) for side in sizes.mean(0).round())
    height, width = image.pixels.shape[:2]
    rng = np.random.default_rng([draw_, *image.name.encode()])
    left, top = int(rng.integers(0, max(1, width - across))), int(rng.integers(0, max(1, height - down)))
    return left, top, min(width, left + across) - 1, min(height, top + down) - 1


def _spread(who: Subject, shown: list[Parted], masked: list[np.ndarray], layer: str) -> str:
    """Mean and deviation of the distances, over as many draws as there are."""
    clean = torch.stack([who.see(one.name, one.pixels).blob for one in shown])
    found = []
    for start in range(0, len(masked), len(shown)):
        views = [who.see("", pixels).blob for pixels in masked[start : start + len(shown)]]
        found.append(distances(changes(who.found.network, clean, torch.stack(views), layer)))
    every = np.concatenate(found)
    return f"{every.mean():.3f} ± {every.std():.3f}"


def _square(pixels: np.ndarray) -> np.ndarray:
    short = min(pixels.shape[:2])
    top, left = ((side - short) // 2 for side in pixels.shape[:2])
    return resized(pixels[top : top + short, left : left + short], TILE)


def _caption(parts: Path | None) -> str:
    if parts is not None:
        return f"The parts are those of {parts.name}."
    return "The parts are the quarters of the objects' boxes: a stand-in for the paper's eyes and noses."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    return table("Mean Hamming distance of sign changes", head, [tuple(row) for row in rows])


def _published() -> list[tuple[str, ...]]:
    return [(part, *(f"{mean:.3f} ± {spread:.3f}" for mean, spread in both)) for part, both in PUBLISHED.items()]
