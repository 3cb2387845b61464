"""Resampling: a part of an image at another size, bilinear with antialiasing, and the mirror image.

Two implementations of one formula. `fast` is PyTorch's for uint8; `reference` is Pillow's, which the published
accuracies were measured with. They round differently: by two grey levels at most, and by 0.03 on average over
photographs (docs/data.md). Neither lets a pixel outside of the part count.
"""

from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

Resampler = Literal["fast", "reference"]
Part = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom excluded

AT_ONCE = 32_000  # elements: from 32,768 on PyTorch would wake its own threads, in each thread of a loader


def resampled(pixels: np.ndarray, part: Part, width: int, height: int, how: Resampler) -> np.ndarray:
    """The part of (H, W, 3) uint8 as (height, width, 3), in memory of its own."""
    left, top, right, bottom = part
    cut = pixels[top:bottom, left:right].copy()
    if (right - left, bottom - top) == (width, height):
        return cut
    if how == "reference":
        return np.asarray(Image.fromarray(cut).resize((width, height), Image.Resampling.BILINEAR))
    # Channels last in memory is the fast form. PyTorch knows it by its strides, that of the single image included.
    high, wide = bottom - top, right - left
    images = torch.from_numpy(cut).as_strided((1, 3, high, wide), (high * wide * 3, 1, wide * 3, 3))
    found: np.ndarray = F.interpolate(images, (height, width), mode="bilinear", antialias=True).numpy()
    return np.ascontiguousarray(np.moveaxis(found[0], 0, -1))


def mirrored(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, reflected left to right, in memory of its own."""
    if not (pixels.flags.c_contiguous and pixels.flags.writeable and min(pixels.strides) > 0):
        pixels = pixels.copy()  # PyTorch knows no negative strides, and warns of memory it may not write to
    images, found = torch.from_numpy(pixels), np.empty_like(pixels)
    out = torch.from_numpy(found)
    rows = max(1, AT_ONCE // max(1, pixels.shape[1] * 3))
    for top in range(0, len(pixels), rows):
        out[top : top + rows] = torch.flip(images[top : top + rows], [1])
    return found
