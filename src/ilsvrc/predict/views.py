"""Which pixels a protocol looks at. Geometry only: no tensor in sight."""

from collections.abc import Iterator
from dataclasses import dataclass

from ilsvrc.spec import Crops

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class View:
    """Resize the short side, cut `box`, mirror or not."""

    short_side: int
    box: Box  # left, top, right, bottom of the resized image; right and bottom excluded
    mirror: bool


def views(protocol: Crops, width: int, height: int, short_side: int) -> Iterator[View]:
    """The views of one resized image of `width` by `height` pixels, whose shorter side is `short_side`."""
    match protocol.layout:
        case "center":
            yield View(short_side, center(width, height, protocol.size), mirror=False)
        case "ten":
            yield from ten(width, height, protocol.size, short_side)


def ten(width: int, height: int, size: int, short_side: int) -> Iterator[View]:
    """Krizhevsky et al. 2012, section 4.1: four corners and the centre of the central square, and their mirrors."""
    square = center(width, height, short_side)
    for mirror in (False, True):
        for box in corners_and_center(square, size):
            yield View(short_side, box, mirror)


def center(width: int, height: int, size: int) -> Box:
    """The central square of `size` pixels."""
    left, top = (width - size) // 2, (height - size) // 2
    return left, top, left + size, top + size


def corners_and_center(square: Box, size: int) -> Iterator[Box]:
    """Five squares of `size` pixels inside `square`: top left, top right, bottom left, bottom right, centre."""
    left, top, right, bottom = square
    for x, y in ((left, top), (right - size, top), (left, bottom - size), (right - size, bottom - size)):
        yield x, y, x + size, y + size
    x, y = (left + right - size) // 2, (top + bottom - size) // 2
    yield x, y, x + size, y + size
