"""The pictures of the mini set: handwritten digits pasted over photographs.

Digits are scikit-learn's copy of the UCI test set (Alpaydin and Kaynak 1998), 8x8 counts from
0 to 16; backgrounds and textures are windows of its two sample photographs. Every pixel comes
from integer arithmetic and from the raw stream of PCG64, which numpy keeps frozen, so that no
machine, thread or numpy version draws another picture. A picture depends on (seed, split,
index) alone, never on how many are drawn.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SPLITS = ("train", "val", "test")
DIGITS = 10
FILLINGS = 2  # label = FILLINGS * digit + filling; filling 0 is flat, 1 is textured
CLASSES = DIGITS * FILLINGS

SIDE = (96, 160)  # width and height of a picture, each drawn alone, in pixels
CROWD_SIDE = (128, 160)  # the same where several objects must fit
OBJECT_HEIGHT = (55, 85)  # of the picture's short side, in percent
OBJECT_WIDTH = 94  # the most of its cell's width an object may take, in percent
CROWD_HEIGHT = (60, 95)  # of the height of an object's cell, in percent
OBJECTS = (2, 5)  # objects in a picture of the detection variant
ROTATION = 45  # largest k of rotations by 2 atan(k / 256): 20 degrees
SHEAR = 40  # largest horizontal shear, in 1/256
STRETCH = (220, 300)  # width against height, in 1/256
# Objects are lighter than what they cover: where both occur, networks without batch norm take three times as long.
BACKGROUND_LUMA = (35, 95)
LUMA = ((125, 235), (130, 200))  # of an object, by filling: a texture needs room to both sides
CONTRAST = 85  # least excess of an object's luma over the mean of what it covers, where LUMA has room
BACKGROUND_SPREAD = 20  # largest standard deviation of a background's luma
TEXTURE_SPREAD = 44  # standard deviation of a texture's luma
CHROMA = 50  # largest distance of a colour's channel from its luma
NOISE = (2, 10)  # half width of the uniform noise on every channel

SHARES = (60, 20, 20)  # percent of each digit's instances, by index, to train, val, test
TILE = (142, 128)  # height and width of a photograph's tile; a tile belongs to one split
TILES = (  # t train, v val, s test, a letter per tile
    ("ttsvt", "tvtts", "sttvt"),  # china.jpg
    ("tvtst", "tstvt", "stvtt"),  # flower.jpg
)
TEXTURED = 7  # least mean step in luma between neighbours, everywhere in a quarter of a tile, to serve as texture
INK = 520  # level, of 1024, at which a digit's enlarged counts become ink
LUMA_WEIGHTS = (77, 150, 29)  # ITU-R BT.601 in 1/256


@dataclass(frozen=True)
class Picture:
    """pixels (H, W, 3) uint8; labels (B,); boxes (B, 4), xmin ymin xmax ymax, both edges inside, from 0."""

    pixels: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class Sources:
    """fields (1797, 48, 48): the digits enlarged four times, ink near 1024; the rest by split."""

    fields: np.ndarray
    digits: dict[str, list[np.ndarray]]  # per digit, indices of its instances
    tiles: dict[str, list[np.ndarray]]
    textures: dict[str, list[np.ndarray]]


class Draws:
    """Integers from the raw stream of PCG64; numpy promises the stream, not what its distributions make of it."""

    def __init__(self, seed: int, stream: int, index: int):
        self.bits = np.random.PCG64(np.random.SeedSequence((seed, stream, index)))
        self.words: list[int] = []

    def between(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both possible."""
        if not self.words:
            self.words = self.bits.random_raw(32).tolist()
        return low + (self.words.pop() * (high - low + 1) >> 64)

    def order(self, count: int) -> list[int]:
        """The numbers below `count`, shuffled (Fisher and Yates)."""
        items = list(range(count))
        for last in range(count - 1, 0, -1):
            other = self.between(0, last)
            items[last], items[other] = items[other], items[last]
        return items

    def noise(self, count: int) -> np.ndarray:
        """(count,) int16, uniform from -128 to 127."""
        words = self.bits.random_raw((count + 7) // 8).astype("<u8")
        return words.view(np.int8)[:count].astype(np.int16)


def draw(seed: int, split: str, index: int) -> Picture:
    """Picture `index` (from 0) of `split`: one object, inside the central square as a photographer would have it."""
    draws = Draws(seed, SPLITS.index(split), index)
    label = label_of(seed, split, index)
    height, width = draws.between(*SIDE), draws.between(*SIDE)
    pixels = background(draws, split, height, width)
    tall = min(height, width) * draws.between(*OBJECT_HEIGHT) // 100
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    box = paint(pixels, draws, split, label, (left, top, left + side, top + side), tall)
    return Picture(grain(pixels, draws), np.array([label]), np.array([box]))


def draw_crowd(seed: int, split: str, index: int) -> Picture:
    """Picture `index` (from 0) of `split` of the detection variant: two to five objects, each in its own cell."""
    draws = Draws(seed, len(SPLITS) + SPLITS.index(split), index)
    count = draws.between(*OBJECTS)
    height, width = draws.between(*CROWD_SIDE), draws.between(*CROWD_SIDE)
    pixels = background(draws, split, height, width)
    along, across = (2, 1) if count == 2 else (2, 2) if count < 5 else (3, 2)
    columns, rows = (along, across) if width >= height else (across, along)
    labels, boxes = [], []
    for cell in draws.order(columns * rows)[:count]:
        row, column = divmod(cell, columns)
        left, top = width * column // columns, height * row // rows
        right, bottom = width * (column + 1) // columns, height * (row + 1) // rows
        tall = min(bottom - top, 96) * draws.between(*CROWD_HEIGHT) // 100
        labels.append(draws.between(0, CLASSES - 1))
        boxes.append(paint(pixels, draws, split, labels[-1], (left, top, right, bottom), tall))
    return Picture(grain(pixels, draws), np.array(labels), np.array(boxes))


def label_of(seed: int, split: str, index: int) -> int:
    """The label of picture `index`: every run of 20 pictures holds each class once, in an order of its own."""
    block, place = divmod(index, CLASSES)
    return _block(seed, SPLITS.index(split), block)[place]


@lru_cache(maxsize=64)
def _block(seed: int, split: int, block: int) -> list[int]:
    return Draws(seed, 2 * len(SPLITS) + split, block).order(CLASSES)


def background(draws: Draws, split: str, height: int, width: int) -> np.ndarray:
    """(height, width, 3) int16: a window of one of the split's tiles, enlarged, with its colours changed."""
    tile = _turned(draws, sources().tiles[split])
    zoom = min(256 * tile.shape[0] // height, 256 * tile.shape[1] // width, 256)
    zoom = draws.between(zoom // 2, zoom)  # source pixels per pixel, in 1/256
    tall, wide = height * zoom >> 8, width * zoom >> 8
    top, left = draws.between(0, tile.shape[0] - tall), draws.between(0, tile.shape[1] - wide)
    color = _color(draws, draws.between(*BACKGROUND_LUMA))
    gain = draws.between(128, 256)
    window = _recolored(tile[top : top + tall, left : left + wide], color, BACKGROUND_SPREAD * gain >> 8, 256)
    return enlarge(window, height, width)


def texture(draws: Draws, split: str, height: int, width: int, color: tuple[int, int, int]) -> np.ndarray:
    """(height, width, 3) int16: a photograph at twice its size about a colour, reflected where it ends."""
    tile = _turned(draws, sources().textures[split])
    rows = _reflected(draws.between(0, tile.shape[0] - 1), (height + 3) // 2, tile.shape[0])
    columns = _reflected(draws.between(0, tile.shape[1] - 1), (width + 3) // 2, tile.shape[1])
    return enlarge(_recolored(tile[rows][:, columns], color, TEXTURE_SPREAD, 6 * 256), height, width)


def paint(
    pixels: np.ndarray, draws: Draws, split: str, label: int, cell: tuple[int, int, int, int], tall: int
) -> tuple[int, int, int, int]:
    """Paste an object of about `tall` pixels somewhere inside `cell`, in place; returns its tight box.

    cell: left, top, right, bottom; right and bottom excluded. The luma of the object differs by
    CONTRAST or more from the mean luma of what its box covers, or as far as LUMA lets it.
    """
    left, top, right, bottom = cell
    instances = sources().digits[split][label // FILLINGS]
    field = sources().fields[instances[draws.between(0, len(instances) - 1)]]
    cover = stencil(draws, field, tall, (right - left) * OBJECT_WIDTH // 100)
    height, width = cover.shape
    x = draws.between(left + 1, max(left + 1, right - width - 1))
    y = draws.between(top + 1, max(top + 1, bottom - height - 1))
    under = pixels[y : y + height, x : x + width]
    low, high = LUMA[label % FILLINGS]
    middle = int(_luma(under).sum(dtype=np.int64)) // (height * width)
    color = _color(draws, draws.between(min(high, max(low, middle + CONTRAST)), high))
    ink = texture(draws, split, height, width, color) if label % FILLINGS else np.array(color, np.int16)
    under += (ink - under) * cover[..., None] + 64 >> 7
    return x, y, x + width - 1, y + height - 1


def stencil(draws: Draws, field: np.ndarray, tall: int, wide: int) -> np.ndarray:
    """How much of each pixel an object covers, (h, w) int16 from 0 to 128, cut to the pixels half covered or more.

    The digit is stretched, sheared and rotated, then scaled to `tall` pixels of height, or less where
    it would be wider than `wide`.
    """
    k, shear, stretch = draws.between(-ROTATION, ROTATION), draws.between(-SHEAR, SHEAR), draws.between(*STRETCH)
    unit = 65536 + k * k
    cos, sin = (65536 - k * k << 14) // unit, (512 * k << 14) // unit  # of 2 atan(k / 256), in 1/2**14
    a, b = cos * stretch >> 8, (cos * shear >> 8) - sin
    c, d = sin * stretch >> 8, (sin * shear >> 8) + cos
    y, x = np.nonzero(field > INK)
    x, y = 2 * x + 1, 2 * y + 1  # the samples' centres, in halves
    left, right = _ends(a * x + b * y, 1 << 14)  # in 1/2**15 of a sample, to the samples' edges
    top, bottom = _ends(c * x + d * y, 1 << 14)
    scale = min((tall << 31) // (bottom - top), (wide << 31) // (right - left))  # pixels per sample, in 1/2**16
    across = _centered(((right - left) * scale >> 31) + 6)
    down = _centered(((bottom - top) * scale >> 31) + 6)[:, None]
    determinant = a * d - b * c
    p, q, r, s = ((v << 41) // (determinant * scale) for v in (d, -b, -c, a))  # the inverse per half pixel, in 1/4096
    u, v = d * (left + right) - b * (top + bottom), a * (top + bottom) - c * (left + right)
    u, v = ((w << 10) // determinant - 2048 for w in (u, v))  # the centre, in 1/4096
    values = _sample(field, u + p * across + q * down, v + r * across + s * down)
    cover: np.ndarray = np.clip(((values - INK) * (scale >> 9) >> 7) + 64, 0, 128)  # an edge is a pixel wide
    (top, bottom), (left, right) = (_ends(np.flatnonzero((cover >= 64).any(axis))) for axis in (1, 0))
    return cover[top : bottom + 1, left : right + 1].astype(np.int16)


def _ends(values: np.ndarray, margin: int = 0) -> tuple[int, int]:
    return int(values.min()) - margin, int(values.max()) + margin


def _centered(count: int) -> np.ndarray:
    """Places of `count` pixels about the middle, in half pixels."""
    return np.arange(1 - count, count, 2, dtype=np.int32)


def grain(pixels: np.ndarray, draws: Draws) -> np.ndarray:
    """(H, W, 3) uint8: the picture with uniform noise on every channel."""
    noise = draws.noise(pixels.size).reshape(pixels.shape)
    noisy: np.ndarray = np.clip(pixels + (noise * draws.between(*NOISE) >> 7), 0, 255)
    return noisy.astype(np.uint8)


def enlarge(window: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear enlargement of (h, w, 3) values from 0 to 255 to (height, width, 3) int16, corner to corner."""
    window = np.ascontiguousarray(window, np.uint16)
    for axis, size in ((1, width), (0, height)):  # columns while there are few rows: they are dear to gather
        place = np.arange(size) * (window.shape[axis] - 1) * 256 // (size - 1)
        low = np.minimum(place >> 8, window.shape[axis] - 2)
        part = (place - low * 256).astype(np.uint16).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        first, second = window.take(low, axis), window.take(low + 1, axis)
        window = (first * (256 - part) + second * part) >> 8  # 255 * 256 fits 16 bits
    return window.astype(np.int16)


@lru_cache(maxsize=1)
def sources() -> Sources:
    """The digits and photographs that scikit-learn carries, divided among the splits; no download."""
    from sklearn.datasets import load_digits, load_sample_images  # over a second to import

    digits = load_digits()
    fields = _fields(digits.images.astype(np.int64))
    by_split: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for digit in range(DIGITS):
        instances = np.flatnonzero(digits.target == digit)
        ends = [len(instances) * sum(SHARES[:k]) // 100 for k in range(len(SHARES) + 1)]
        for split, start, end in zip(SPLITS, ends, ends[1:], strict=False):
            by_split[split].append(instances[start:end])
    photographs = load_sample_images().images
    tiles = {split: _tiles(photographs, letter) for split, letter in zip(SPLITS, "tvs", strict=True)}
    textures = {s: [part for tile in tiles[s] for part in _quarters(tile) if _busy(part)] for s in SPLITS}
    return Sources(fields, by_split, tiles, textures)


def _fields(counts: np.ndarray) -> np.ndarray:
    """(D, 8, 8) counts to (D, 48, 48): two cells of margin, four samples a cell, cubic (Catmull and Rom 1974)."""
    cubic = np.zeros((48, 12), np.int64)
    for row in range(48):
        cell, n = divmod(2 * row - 3, 8)  # n / 8 past the middle of `cell`
        weights = (
            -64 * n + 16 * n**2 - n**3,
            1024 - 40 * n**2 + 3 * n**3,
            64 * n + 32 * n**2 - 3 * n**3,
            n**3 - 8 * n**2,
        )
        for k, weight in enumerate(weights):
            if 0 <= cell - 1 + k < 12:
                cubic[row, cell - 1 + k] = weight
    cells = np.pad(counts, ((0, 0), (2, 2), (2, 2)))
    enlarged: np.ndarray = cubic @ cells @ cubic.T
    return (enlarged >> 14).astype(np.int32)


def _tiles(photographs: list[np.ndarray], letter: str) -> list[np.ndarray]:
    tall, wide = TILE
    return [
        photograph[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
        for photograph, rows in zip(photographs, TILES, strict=True)
        for row, letters in enumerate(rows)
        for column in range(len(letters))
        if letters[column] == letter
    ]


def _quarters(tile: np.ndarray) -> list[np.ndarray]:
    tall, wide = tile.shape[0] // 2, tile.shape[1] // 2
    return [tile[y : y + tall, x : x + wide] for y in (0, tall) for x in (0, wide)]


def _busy(part: np.ndarray) -> bool:
    """Whether no corner of it could be taken for a flat colour."""
    steps = [np.abs(np.diff(_luma(corner), axis=1)) for corner in _quarters(part)]
    return all(int(step.sum()) >= TEXTURED * step.size for step in steps)


def _luma(pixels: np.ndarray) -> np.ndarray:
    red, green, blue = LUMA_WEIGHTS
    wide = pixels.astype(np.int32)
    return (wide[..., 0] * red + wide[..., 1] * green + wide[..., 2] * blue) >> 8


def _turned(draws: Draws, tiles: list[np.ndarray]) -> np.ndarray:
    """One of the tiles in one of its eight attitudes, its channels in any order."""
    tile = tiles[draws.between(0, len(tiles) - 1)][..., draws.order(3)]
    attitude = draws.between(0, 7)
    tile = tile[:: -1 if attitude & 1 else 1, :: -1 if attitude & 2 else 1]
    return tile.transpose(1, 0, 2) if attitude & 4 else tile


def _reflected(start: int, count: int, size: int) -> np.ndarray:
    place = (start + np.arange(count)) % (2 * size)
    return np.minimum(place, 2 * size - 1 - place)


def _recolored(window: np.ndarray, color: tuple[int, int, int], spread: int, most: int) -> np.ndarray:
    """Values from 0 to 255 about `color`; a gain up to most / 256 brings the deviation of luma to `spread`."""
    count = window.shape[0] * window.shape[1]
    luma = _luma(window).astype(np.int64)
    deviation = math.isqrt(max(0, count * int((luma * luma).sum()) - int(luma.sum()) ** 2)) // count
    gain = min(most, (spread << 8) // max(1, deviation))
    mean = window.sum((0, 1), dtype=np.int64) // count
    moved = ((window.astype(np.int32) - mean.astype(np.int32)) * gain >> 8) + np.array(color, np.int32)
    clipped: np.ndarray = np.clip(moved, 0, 255)
    return clipped.astype(np.int16)


def _color(draws: Draws, luma: int) -> tuple[int, int, int]:
    """A colour of that luma, as far from grey as CHROMA and the range allow."""
    offsets = [draws.between(-CHROMA, CHROMA) for _ in range(3)]
    middle = sum(weight * offset for weight, offset in zip(LUMA_WEIGHTS, offsets, strict=True)) >> 8
    offsets = [offset - middle for offset in offsets]
    room = min((256 * (255 - luma if offset > 0 else luma)) // max(1, abs(offset)) for offset in offsets)
    red, green, blue = (luma + (offset * min(256, room) >> 8) for offset in offsets)
    return max(0, red), max(0, green), max(0, blue)


def _sample(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The field at (x, y), in 1/4096 of a sample, bilinear; its empty margin continues outside."""
    side = field.shape[0]
    x, y = np.clip(x, 0, (side - 1) * 4096 - 1), np.clip(y, 0, (side - 1) * 4096 - 1)
    corner = (y >> 12) * side + (x >> 12)
    fx, fy = (x & 4095) >> 4, (y & 4095) >> 4
    flat = field.ravel()
    upper = flat[corner] * (256 - fx) + flat[corner + 1] * fx
    lower = flat[corner + side] * (256 - fx) + flat[corner + side + 1] * fx
    values: np.ndarray = ((upper >> 8) * (256 - fy) + (lower >> 8) * fy) >> 8
    return values
