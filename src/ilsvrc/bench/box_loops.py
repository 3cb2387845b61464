"""What the operators of `tasks` mean, box by box and cell by cell: slow, and what they are tested and timed against."""

import math
from itertools import product

import numpy as np


def overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (4,), both edges inside; 0 where they share no pixel."""
    width = min(box[2], other[2]) - max(box[0], other[0]) + 1
    height = min(box[3], other[3]) - max(box[1], other[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    area = [max(b[2] - b[0] + 1, 0) * max(b[3] - b[1] + 1, 0) for b in (box, other)]
    return float(width * height / (area[0] + area[1] - width * height))


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Going down by score, a box stays unless it overlaps one that stayed by more than the threshold."""
    kept: list[int] = []
    for place in np.argsort(-scores, kind="stable").tolist():
        if all(overlap(boxes[place], boxes[other]) <= threshold for other in kept):
            kept.append(place)
    return kept


def roi_pool(cells: np.ndarray, region: np.ndarray, size: int, stride: float) -> tuple[np.ndarray, np.ndarray]:
    """The largest value of each bin, (C, size, size), and the cell it is in, (C, size, size, 2); -1 for an empty bin.

    cells (C, H, W), region (4,).
    """
    channels, height, width = cells.shape
    x1, y1, x2, y2 = (math.copysign(math.floor(abs(edge) / stride + 0.5), edge) for edge in region.tolist())
    tall, wide = max(y2 - y1 + 1, 1) / size, max(x2 - x1 + 1, 1) / size
    largest, place = np.zeros((channels, size, size), cells.dtype), np.full((channels, size, size, 2), -1)
    for c, p, q in np.ndindex(channels, size, size):
        (top, bottom), (left, right) = _bounds(p, tall, y1, height), _bounds(q, wide, x1, width)
        best = -math.inf
        for y, x in product(range(top, bottom), range(left, right)):
            if cells[c, y, x] > best:
                best = largest[c, p, q] = cells[c, y, x]
                place[c, p, q] = y, x
    return largest, place


def _bounds(k: int, step: float, low: float, cells: int) -> tuple[int, int]:
    begin, end = math.floor(np.float32(k) * np.float32(step)), math.ceil(np.float32(k + 1) * np.float32(step))
    return min(max(begin + int(low), 0), cells), min(max(end + int(low), 0), cells)


def roi_align(cells: np.ndarray, region: np.ndarray, size: int, stride: float, samples: int = 2) -> np.ndarray:
    """The mean of samples · samples bilinear values of each bin, (C, size, size). cells (C, H, W), region (4,)."""
    x1, y1, x2, y2 = region[0], region[1], region[2] + 1, region[3] + 1
    answer = np.zeros((len(cells), size, size))
    for p, q, i, j in np.ndindex(size, size, samples, samples):
        y = (y1 + (p + (i + 0.5) / samples) * (y2 - y1) / size) / stride - 0.5
        x = (x1 + (q + (j + 0.5) / samples) * (x2 - x1) / size) / stride - 0.5
        answer[:, p, q] += bilinear(cells, y, x) / samples**2
    return answer


def bilinear(cells: np.ndarray, y: float, x: float) -> np.ndarray:
    """(C,): the values at a point of cells (C, H, W); the border's up to one cell outside, 0 beyond."""
    _, height, width = cells.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(len(cells))
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    top, left = min(int(y), max(height - 2, 0)), min(int(x), max(width - 2, 0))
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    a, b = y - top, x - left
    upper = (1 - b) * cells[:, top, left] + b * cells[:, top, right]
    lower = (1 - b) * cells[:, bottom, left] + b * cells[:, bottom, right]
    return np.asarray((1 - a) * upper + a * lower)
