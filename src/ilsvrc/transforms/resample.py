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
    images = torch.from_numpy(cut).permute(2, 0, 1)[None]  # channels last in memory, which is the fast form
    found = F.interpolate(images, (height, width), mode="bilinear", antialias=True)
    return found[0].permute(1, 2, 0).contiguous().numpy()


def mirrored(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, reflected left to right, in memory of its own."""
    pixels = np.ascontiguousarray(pixels)
    if not pixels.flags.writeable:  # PyTorch warns of memory it may not write to
        pixels = pixels.copy()
    images, found = torch.from_numpy(pixels), np.empty_like(pixels)
    out = torch.from_numpy(found)
    rows = max(1, AT_ONCE // max(1, pixels.shape[1] * 3))
    for top in range(0, len(pixels), rows):
        out[top : top + rows] = torch.flip(images[top : top + rows], [1])
    return found
