"""Resize, crop, mirror, rotate. Inputs are never changed in place.

A box's edges are pixels, both inside: a box (xmin, xmax) covers the interval
[xmin, xmax + 1) of the image plane, which is what is scaled, cut, reflected and turned.
A box that was cut away holds no pixel: xmax < xmin. It stays, so that boxes keep their labels.
"""

import math
import random
from dataclasses import replace

import numpy as np
from PIL import Image

from ilsvrc.transforms.picture import Picture
from ilsvrc.transforms.resample import Part, mirrored, resampled


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The whole picture at another size, bilinear with antialiasing."""
    if (width, height) == (picture.width, picture.height):
        return picture
    return stretched(picture, (0, 0, picture.width, picture.height), width, height)


def short_side(picture: Picture, pixels: int) -> Picture:
    """Scale so that the shorter side has `pixels`; the longer is rounded to the nearest pixel."""
    scale = pixels / min(picture.width, picture.height)
    return resized(picture, max(pixels, round(picture.width * scale)), max(pixels, round(picture.height * scale)))


def cut(picture: Picture, left: int, top: int, width: int, height: int) -> Picture:
    """The rectangle from (left, top); boxes are clipped to it, and one wholly outside becomes (0, 0, -1, -1).

    Where the picture's boxes may lie beyond it, they are moved alone.
    """
    pixels = picture.pixels[top : top + height, left : left + width]
    if not len(picture.boxes):
        return picture.showing(pixels)
    boxes = picture.boxes - np.array([left, top, left, top], picture.boxes.dtype)
    return replace(picture, pixels=pixels, boxes=boxes if picture.beyond else inside(boxes, width, height))


def inside(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """The boxes, (B, 4), clipped to an image of that size; those that hold none of its pixels become (0, 0, -1, -1)."""
    low, high = np.zeros(2, boxes.dtype), np.array([width - 1, height - 1], boxes.dtype)
    clipped = np.concatenate([np.maximum(boxes[:, :2], low), np.minimum(boxes[:, 2:], high)], axis=1)
    clipped[_empty(clipped)] = (0, 0, -1, -1)
    return clipped


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
    """The rectangle of `area_part`, resized to a square."""
    return stretched(picture, area_part(picture.width, picture.height, rng, low), size, size)


def area_part(width: int, height: int, rng: random.Random, low: float) -> Part:
    """A rectangle of `low` to 1 of the area of an image, and a ratio of 3/4 to 4/3, both uniform.

    Ten draws; when none fits, the central square (the usual reading of Szegedy et al. 2015, section 6).
    """
    area = width * height
    for _ in range(10):
        target, ratio = rng.uniform(low, 1.0) * area, rng.uniform(3 / 4, 4 / 3)
        wide, high = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left, top = rng.randint(0, width - wide), rng.randint(0, height - high)
            return left, top, left + wide, top + high
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def mirror(picture: Picture, rng: random.Random, probability: float) -> Picture:
    """Reflect left to right, with the boxes.

    Both edges are inside a box, so column x goes to width - 1 - x and the two x change places.
    """
    if rng.random() >= probability:
        return picture
    if not len(picture.boxes):
        return picture.showing(mirrored(picture.pixels))
    last = picture.width - 1
    xmin, ymin, xmax, ymax = picture.boxes.T
    boxes = np.stack([last - xmax, ymin, last - xmin, ymax], axis=1)
    return replace(picture, pixels=mirrored(picture.pixels), boxes=boxes)


def rotate(picture: Picture, rng: random.Random, degrees: float) -> Picture:
    """Turn about the centre by an angle uniform within ± `degrees`, bilinear; what comes from outside is black.

    The size stays. A box becomes the smallest upright one about the turned one, clipped to the picture, and empty
    where it lies wholly outside.
    """
    angle = rng.uniform(-degrees, degrees)
    image = Image.fromarray(np.ascontiguousarray(picture.pixels))
    pixels = np.asarray(image.rotate(angle, Image.Resampling.BILINEAR))
    if not len(picture.boxes):
        return picture.showing(pixels)
    xmin, ymin, xmax, ymax = (picture.boxes + np.array([0, 0, 1, 1])).T  # edges of the image plane
    across = np.stack([xmin, xmax, xmax, xmin], axis=1) - picture.width / 2
    down = np.stack([ymin, ymin, ymax, ymax], axis=1) - picture.height / 2
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))  # counterclockwise, rows downwards
    x = across * cosine + down * sine + picture.width / 2
    y = down * cosine - across * sine + picture.height / 2
    boxes = np.stack([x.min(1), y.min(1), x.max(1) - 1, y.max(1) - 1], axis=1).astype(np.float32)
    boxes[_empty(picture.boxes)] = (0, 0, -1, -1)
    turned = replace(picture, pixels=pixels, boxes=boxes)
    return cut(turned, 0, 0, picture.width, picture.height)


def _empty(boxes: np.ndarray) -> np.ndarray:
    """(B,): which boxes hold no pixel."""
    return np.asarray((boxes[:, 2:] < boxes[:, :2]).any(axis=1))


def at_least(picture: Picture, size: int) -> Picture:
    """The picture, enlarged where its shorter side is under `size`."""
    return picture if min(picture.width, picture.height) >= size else short_side(picture, size)


def stretched(picture: Picture, part: Part, width: int, height: int) -> Picture:
    """A part of a picture (right and bottom excluded) resized to `width` by `height`, boxes with it.

    Only the pixels of the part count, and rows below it need not be there.
    """
    left, top, right, bottom = part
    pixels = resampled(picture.pixels, part, width, height, picture.resampler)
    if not len(picture.boxes):
        return picture.showing(pixels)
    inner = cut(picture, left, top, right - left, bottom - top)
    scale = np.array([width / (right - left), height / (bottom - top)] * 2)
    edges = inner.boxes + np.array([0, 0, 1, 1])  # pixel numbers to edges of the image plane
    boxes = edges * scale - np.array([0, 0, 1, 1])
    return replace(inner, pixels=pixels, boxes=boxes.astype(np.float32))
