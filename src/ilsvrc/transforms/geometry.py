"""Resize, crop, mirror. Inputs are never changed in place.

A box's edges are pixels, both inside: a box (xmin, xmax) covers the interval
[xmin, xmax + 1) of the image plane, which is what is scaled, cut and reflected.
"""

import math
import random
from dataclasses import replace

import numpy as np
from PIL import Image

from ilsvrc.transforms.picture import Picture


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The whole picture at another size, bilinear with antialiasing (Pillow's)."""
    if (width, height) == (picture.width, picture.height):
        return picture
    return _stretched(picture, (0, 0, picture.width, picture.height), width, height)


def short_side(picture: Picture, pixels: int) -> Picture:
    """Scale so that the shorter side has `pixels`; the longer is rounded to the nearest pixel."""
    scale = pixels / min(picture.width, picture.height)
    return resized(picture, max(pixels, round(picture.width * scale)), max(pixels, round(picture.height * scale)))


def cut(picture: Picture, left: int, top: int, width: int, height: int) -> Picture:
    """The rectangle from (left, top); boxes are clipped to it, and one wholly outside becomes empty (xmax < xmin)."""
    pixels = picture.pixels[top : top + height, left : left + width]
    boxes = picture.boxes - np.array([left, top, left, top], picture.boxes.dtype)
    low, high = np.zeros(2, boxes.dtype), np.array([width - 1, height - 1], boxes.dtype)
    boxes = np.concatenate([np.maximum(boxes[:, :2], low), np.minimum(boxes[:, 2:], high)], axis=1)
    return replace(picture, pixels=pixels, boxes=boxes)


def center_square(picture: Picture, size: int) -> Picture:
    """The central square of `size` pixels; the picture is enlarged first where it is smaller."""
    picture = at_least(picture, size)
    return cut(picture, (picture.width - size) // 2, (picture.height - size) // 2, size, size)


def random_crop(picture: Picture, rng: random.Random, size: int) -> Picture:
    """A square of `size` pixels; every place that fits is equally likely."""
    picture = at_least(picture, size)
    left, top = rng.randint(0, picture.width - size), rng.randint(0, picture.height - size)
    return cut(picture, left, top, size, size)


def ten_crop(picture: Picture, rng: random.Random, size: int) -> Picture:
    """One of ten squares: four corners and centre, mirrored or not (Zeiler and Fergus 2013, section 3)."""
    picture = at_least(picture, size)
    right, bottom = picture.width - size, picture.height - size
    places = ((0, 0), (right, 0), (0, bottom), (right, bottom), (right // 2, bottom // 2))
    left, top = places[rng.randrange(5)]
    return mirror(cut(picture, left, top, size, size), rng, 0.5)


def area_crop(picture: Picture, rng: random.Random, size: int, low: float) -> Picture:
    """A rectangle of `low` to 1 of the area and a ratio of 3/4 to 4/3, both uniform, resized to a square.

    Ten draws; when none fits, the central square (the usual reading of Szegedy et al. 2015, section 6).
    """
    area = picture.width * picture.height
    for _ in range(10):
        target, ratio = rng.uniform(low, 1.0) * area, rng.uniform(3 / 4, 4 / 3)
        width, height = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < width <= picture.width and 0 < height <= picture.height:
            left, top = rng.randint(0, picture.width - width), rng.randint(0, picture.height - height)
            return _stretched(picture, (left, top, left + width, top + height), size, size)
    side = min(picture.width, picture.height)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return _stretched(picture, (left, top, left + side, top + side), size, size)


def mirror(picture: Picture, rng: random.Random, probability: float) -> Picture:
    """Reflect left to right, with the boxes.

    Both edges are inside a box, so column x goes to width - 1 - x and the two x change places.
    """
    if rng.random() >= probability:
        return picture
    last = picture.width - 1
    xmin, ymin, xmax, ymax = picture.boxes.T
    boxes = np.stack([last - xmax, ymin, last - xmin, ymax], axis=1)
    return replace(picture, pixels=picture.pixels[:, ::-1], boxes=boxes)


def at_least(picture: Picture, size: int) -> Picture:
    """The picture, enlarged where its shorter side is under `size`."""
    return picture if min(picture.width, picture.height) >= size else short_side(picture, size)


def _stretched(picture: Picture, box: tuple[int, int, int, int], width: int, height: int) -> Picture:
    """The part `box` (right and bottom excluded) resized to `width` by `height`, boxes with it."""
    left, top, right, bottom = box
    image = Image.fromarray(np.ascontiguousarray(picture.pixels))
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
    part = cut(picture, left, top, right - left, bottom - top)
    scale = np.array([width / (right - left), height / (bottom - top)] * 2)
    edges = part.boxes + np.array([0, 0, 1, 1])  # pixel numbers to edges of the image plane
    boxes = edges * scale - np.array([0, 0, 1, 1])
    return replace(part, pixels=pixels, boxes=boxes.astype(np.float32))
