"""Boxes drawn on an image, as a PNG: what `ilsvrc localize` and `detect` leave to be looked at."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ilsvrc.train.checkpoint import write_whole

COLORS = ("#ffb000", "#4ade80", "#60a5fa", "#f472b6", "#fde047", "#fb7185", "#22d3ee", "#c084fc")
SMALLEST = 480  # pixels of the drawing's longer side: words on smaller ones could not be read


@dataclass(frozen=True)
class Labelled:
    """A box in the image's pixels, both edges inside, and what is written at it."""

    box: tuple[float, float, float, float]  # xmin, ymin, xmax, ymax
    text: str


def write_drawing(path: Path, pixels: np.ndarray, boxes: Sequence[Labelled]) -> None:
    """Write the image (H, W, 3) uint8 with its boxes to `path`, a PNG, whole or not at all.

    A small image is enlarged by a whole factor. Raises DataError when the file cannot be written.
    """
    height, width = pixels.shape[:2]
    times = max(1, -(-SMALLEST // max(height, width)))
    image = Image.fromarray(pixels).resize((width * times, height * times), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    size = max(12, round(max(image.size) / 40))
    font = ImageFont.load_default(size)
    for number, one in enumerate(boxes):
        _draw(pen, one, COLORS[number % len(COLORS)], times, font)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_whole(path, lambda temporary: temporary.write_bytes(buffer.getvalue()))


def _draw(
    pen: ImageDraw.ImageDraw, one: Labelled, color: str, times: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> None:
    xmin, ymin, xmax, ymax = one.box
    place = (xmin * times, ymin * times, (xmax + 1) * times - 1, (ymax + 1) * times - 1)
    thick = max(2, pen.im.size[0] // 240)
    pen.rectangle(place, outline="#000000", width=thick + 2)
    pen.rectangle(place, outline=color, width=thick)
    left, top, right, bottom = pen.textbbox((0, 0), one.text, font=font)
    high = bottom - top + 6
    y = place[1] - high if place[1] >= high else place[1]
    x = max(0.0, min(place[0], pen.im.size[0] - (right - left) - 6))
    pen.rectangle((x, y, x + right - left + 6, y + high), fill=color)
    pen.text((x + 3 - left, y + 3 - top), one.text, fill="#000000", font=font)
