"""Dense local descriptors: what an image is like around each point of a grid.

A descriptor looks at 4 × 4 cells and moves by one cell, as SIFT on a grid does. Gradients are histograms of
orientations (Lowe 2004; Dalal and Triggs 2005, whose unsigned ones these are), colours the mean and the deviation of
each channel in each cell (Clinchant et al. 2007), patterns histograms of uniform local binary patterns (Ojala et al.
2002).
"""

import numpy as np
from PIL import Image
from skimage.feature import hog, local_binary_pattern

from ilsvrc.entries.earlier import Descriptor

CELLS = 4  # of a descriptor on a side
ORIENTATIONS = 8
PATTERNS = 10  # uniform ones of eight neighbours, and one for all others
LUMA = np.array((0.299, 0.587, 0.114), np.float32)


def resized(pixels: np.ndarray, short_side: int) -> np.ndarray:
    """(H, W, 3) uint8, bilinear with antialiasing, so that the shorter side has that many pixels."""
    height, width = pixels.shape[:2]
    scale = short_side / min(height, width)
    size = max(short_side, round(width * scale)), max(short_side, round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def described(pixels: np.ndarray, kind: Descriptor, cells: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors (N, D) float32 at all scales, and their centres (N, 2) as (y, x) in [0, 1] of the image.

    pixels are (H, W, 3) uint8; cells are the sides of a cell in pixels, one per scale. A scale at which the image has
    fewer than 4 × 4 cells has no descriptors.
    """
    found, places = [], []
    for cell in cells:
        rows, columns = pixels.shape[0] // cell, pixels.shape[1] // cell
        if min(rows, columns) < CELLS:
            continue
        found.append(KINDS[kind](pixels[: rows * cell, : columns * cell], cell))
        places.append(_centres(rows, columns))
    if not found:
        return np.zeros((0, SIZES[kind]), np.float32), np.zeros((0, 2), np.float32)
    return np.concatenate(found), np.concatenate(places)


def gradients(pixels: np.ndarray, cell: int) -> np.ndarray:
    """(N, 128): histograms of eight orientations in 4 × 4 cells, normalised, cut off at 0.2 and normalised again."""
    blocks: np.ndarray = hog(
        _grey(pixels),
        orientations=ORIENTATIONS,
        pixels_per_cell=(cell, cell),
        cells_per_block=(CELLS, CELLS),
        block_norm="L2-Hys",
        feature_vector=False,
    )
    return blocks.reshape(-1, SIZES["gradients"]).astype(np.float32)


def colours(pixels: np.ndarray, cell: int) -> np.ndarray:
    """(N, 96): mean and deviation of red, green and blue, in [0, 1], in 4 × 4 cells."""
    parts = _cut(pixels.astype(np.float32) / 255, cell)
    return _windows(np.concatenate([parts.mean(axis=(1, 3)), parts.std(axis=(1, 3))], axis=-1))


def patterns(pixels: np.ndarray, cell: int) -> np.ndarray:
    """(N, 160): roots of the shares of the ten uniform patterns in 4 × 4 cells."""
    grey = np.round(_grey(pixels) * 255).astype(np.uint8)
    kinds = local_binary_pattern(grey, 8, 1, "uniform").astype(int)  # type: ignore[no-untyped-call]
    shares = _cut(np.eye(PATTERNS, dtype=np.float32)[kinds], cell).mean(axis=(1, 3))
    return _windows(np.sqrt(shares))


KINDS = {"gradients": gradients, "colours": colours, "patterns": patterns}
SIZES = {"gradients": CELLS * CELLS * ORIENTATIONS, "colours": CELLS * CELLS * 6, "patterns": CELLS * CELLS * PATTERNS}


def _grey(pixels: np.ndarray) -> np.ndarray:
    grey: np.ndarray = pixels.astype(np.float32) @ LUMA / 255
    return grey


def _cut(values: np.ndarray, cell: int) -> np.ndarray:
    """(H, W, V) as (rows, cell, columns, cell, V)."""
    height, width, depth = values.shape
    return values.reshape(height // cell, cell, width // cell, cell, depth)


def _windows(cells: np.ndarray) -> np.ndarray:
    """(rows, columns, V) as (N, 16 · V): each 4 × 4 cells."""
    views = np.lib.stride_tricks.sliding_window_view(cells, (CELLS, CELLS), axis=(0, 1))
    return np.ascontiguousarray(views.reshape(-1, cells.shape[-1] * CELLS * CELLS), dtype=np.float32)


def _centres(rows: int, columns: int) -> np.ndarray:
    y = (np.arange(rows - CELLS + 1) + CELLS / 2) / rows
    x = (np.arange(columns - CELLS + 1) + CELLS / 2) / columns
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)
