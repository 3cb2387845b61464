"""Numbers as pixels: contrast, grids, heat maps, PNG and JPEG."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

# Dark to light, each step as visible as the next; between them the colours are mixed.
HEAT = np.array(
    [(13, 8, 60), (84, 15, 109), (150, 38, 103), (206, 68, 71), (245, 125, 21), (250, 193, 39), (252, 255, 164)]
)
# Of classes that stand side by side, the most frequent first.
PALETTE = np.array(
    [
        *[(86, 125, 196), (222, 143, 5), (2, 158, 115), (204, 87, 124), (148, 105, 189), (140, 110, 85)],
        *[(236, 182, 214), (130, 130, 130), (200, 190, 60), (90, 190, 220)],
    ]
)


def contrast(patch: np.ndarray) -> np.ndarray:
    """A signed patch (H, W, 3) as pixels, uint8: zero is grey, black and white are the largest magnitudes.

    Each patch is scaled by itself, as the paper's figures are: brightness says nothing across patches. So that a
    few pixels do not leave the rest in grey, the half percent that is strongest is cut off.
    """
    most = float(np.quantile(np.abs(patch), 0.995)) or float(np.abs(patch).max()) or 1.0
    return np.round(127.5 + 127.5 * np.clip(patch / most, -1, 1)).astype(np.uint8)


def heat(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Numbers (H, W) from low, dark, to high, light, as pixels (H, W, 3) uint8; what is outside is cut off."""
    share = np.clip((values - low) / ((high - low) or 1.0), 0, 1) * (len(HEAT) - 1)
    below = np.minimum(share.astype(int), len(HEAT) - 2)
    part = (share - below)[..., None]
    mixture: np.ndarray = HEAT[below] * (1 - part) + HEAT[below + 1] * part
    return np.round(mixture).astype(np.uint8)


def coloured(places: np.ndarray) -> np.ndarray:
    """Places in the palette (H, W) as pixels (H, W, 3) uint8; those beyond its end take the last colour."""
    colours: np.ndarray = PALETTE[np.minimum(places, len(PALETTE) - 1)]
    return colours.astype(np.uint8)


def resized(pixels: np.ndarray, side: int, smooth: bool = True) -> np.ndarray:
    """Pixels (H, W, 3) uint8 with a longer side of `side`; without smooth each keeps its edges."""
    height, width = pixels.shape[:2]
    new = (max(1, round(width * side / max(height, width))), max(1, round(height * side / max(height, width))))
    kind = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(pixels).resize(new, kind))


def mixed(pixels: np.ndarray, over: np.ndarray, share: float = 0.55) -> np.ndarray:
    """Two pictures of one size, the second laid over the first by that share."""
    return np.round(pixels * (1 - share) + over * share).astype(np.uint8)


def grid(tiles: Sequence[np.ndarray], columns: int, gap: int = 3) -> np.ndarray:
    """Tiles of one size (H, W, 3) uint8 side by side, `columns` in a row, as (H, W, 4): what is between is clear."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        sheet[top : top + height, left : left + width] = np.dstack([tile, np.full((height, width), 255, np.uint8)])
    return sheet


def beside(sheets: Sequence[np.ndarray], gap: int = 12) -> np.ndarray:
    """Sheets (H, W, 4) of one height side by side, clear between them."""
    height = max(sheet.shape[0] for sheet in sheets)
    parts: list[np.ndarray] = []
    for sheet in sheets:
        if parts:
            parts.append(np.zeros((height, gap, 4), np.uint8))
        parts.append(np.pad(sheet, ((0, height - sheet.shape[0]), (0, 0), (0, 0))))
    return np.concatenate(parts, axis=1)


def jpeg(pixels: np.ndarray, quality: int = 80) -> bytes:
    """Pixels (H, W, 3) uint8 as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def png(pixels: np.ndarray) -> bytes:
    """Pixels (H, W, 3) or (H, W, 4) uint8 as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
