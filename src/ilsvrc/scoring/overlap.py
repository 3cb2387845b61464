"""Overlap of pixel boxes with both edges inside, as `compute_overlap.m` counts it."""

import numpy as np


def overlap(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of every box with every true box.

    Both edges belong to a box: (10, 10, 10, 10) is one pixel, not none. Nothing is clipped or rounded.
    boxes: (P, 4) and truth: (T, 4), each row xmin, ymin, xmax, ymax in pixels.
    Returns (P, T) in [0, 1]; 0 where two boxes share no pixel, nan where a box is not a number.
    """
    found = pair_overlap(boxes[:, None, :], truth[None, :, :])
    return np.where(found == -1, 0.0, found)


def pair_overlap(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes paired with true boxes, to the kit's last digit.

    boxes and truth: (..., 4), of one shape or broadcast to one. Returns (...), with -1 where two boxes share no pixel.
    As in Matlab the larger or smaller of a number and nan is the number; the sizes, and with them the overlap, are nan.
    """
    b = np.moveaxis(np.asarray(boxes, dtype=np.float64), -1, 0)
    t = np.moveaxis(np.asarray(truth, dtype=np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        width = np.fmin(b[2], t[2]) - np.fmax(b[0], t[0]) + 1
        height = np.fmin(b[3], t[3]) - np.fmax(b[1], t[1]) + 1
        common = width * height
        union = (b[2] - b[0] + 1) * (b[3] - b[1] + 1) + (t[2] - t[0] + 1) * (t[3] - t[1] + 1) - common
        apart = (width <= 0) | (height <= 0)
        found: np.ndarray = np.where(apart, -1.0, common / union)
    return found
