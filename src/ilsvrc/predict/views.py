"""Which pixels a protocol looks at. Geometry only: no tensor in sight."""

from collections.abc import Iterator
from dataclasses import dataclass

from ilsvrc.spec import Crops, Dense, Protocol

Box = tuple[int, int, int, int]
EACH = {"center": 1, "ten": 10, "twelve": 12, "googlenet": 36, "grid": 50}  # views at one short side
GRID = 5  # places in each direction


@dataclass(frozen=True)
class View:
    """Resize the short side, cut `box`, mirror or not. A box of another size than the protocol's is resized to it."""

    short_side: int
    box: Box  # left, top, right, bottom of the resized image; right and bottom excluded
    mirror: bool


def count(protocol: Protocol) -> int:
    """How often a protocol looks at each image: crops, or passes over the whole image."""
    match protocol:
        case Crops():
            return EACH[protocol.layout] * len(protocol.short_sides)
        case Dense():
            return len(protocol.sizes or protocol.short_sides) * (2 if protocol.mirror else 1)
    return sum(map(count, protocol.of))


def views(protocol: Crops, width: int, height: int, short_side: int) -> Iterator[View]:
    """The views of one resized image of `width` by `height` pixels, whose shorter side is `short_side`.

    Mirrors come behind all that they are the mirrors of, in the same order.
    """
    for mirror in (False,) if protocol.layout == "center" else (False, True):
        for box in boxes(protocol, width, height, short_side):
            yield View(short_side, box, mirror)


def boxes(protocol: Crops, width: int, height: int, short_side: int) -> Iterator[Box]:
    """What is cut at one short side, before mirrors."""
    size = protocol.size
    match protocol.layout:
        case "center":
            yield center(width, height, size)
        case "ten":
            yield from corners_and_center(center(width, height, short_side), size)
        case "twelve":
            yield from square_views(center(width, height, short_side), size)
        case "googlenet":
            for square in three_squares(width, height, short_side):
                yield from square_views(square, size)
        case "grid":
            yield from grid(width, height, size)


def center(width: int, height: int, size: int) -> Box:
    """The central square of `size` pixels."""
    left, top = (width - size) // 2, (height - size) // 2
    return left, top, left + size, top + size


def three_squares(width: int, height: int, side: int) -> Iterator[Box]:
    """Szegedy et al. 2014, section 7: the left, central and right square; of a portrait the top, central and bottom."""
    central = center(width, height, side)
    yield (0, 0, side, side)
    yield central
    yield (width - side, height - side, width, height)


def square_views(square: Box, size: int) -> Iterator[Box]:
    """Szegedy et al. 2014, section 7: of a square the four corners, the centre, and the whole, which is resized."""
    yield from corners_and_center(square, size)
    yield square


def corners_and_center(square: Box, size: int) -> Iterator[Box]:
    """Five squares of `size` pixels inside `square`: top left, top right, bottom left, bottom right, centre."""
    left, top, right, bottom = square
    for x, y in ((left, top), (right - size, top), (left, bottom - size), (right - size, bottom - size)):
        yield x, y, x + size, y + size
    x, y = (left + right - size) // 2, (top + bottom - size) // 2
    yield x, y, x + size, y + size


def grid(width: int, height: int, size: int) -> Iterator[Box]:
    """Simonyan and Zisserman 2014, section 4.3: 5 by 5 squares of `size` pixels, the outer ones along the edges."""
    for row in range(GRID):
        for column in range(GRID):
            left = round((width - size) * column / (GRID - 1))
            top = round((height - size) * row / (GRID - 1))
            yield left, top, left + size, top + size


def resized(protocol: Dense, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Width and height that a dense protocol brings an image of `width` by `height` pixels to, one pass after another.

    A fixed size is turned for an image that is higher than wide.
    """
    for high, wide in protocol.sizes:
        yield (wide, high) if width >= height else (high, wide)
    for side in () if protocol.sizes else protocol.short_sides:
        scale = side / min(width, height)
        yield max(side, round(width * scale)), max(side, round(height * scale))
