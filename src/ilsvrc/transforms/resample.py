"""Resampling: a part of an image at another size, bilinear with antialiasing, and the mirror image.

Two implementations of one formula. `fast` is PyTorch's for uint8; `reference` is Pillow's, which the published
accuracies were measured with. They round differently: by two grey levels at most, and by 0.03 on average over
photographs (docs/data.md). Neither lets a pixel outside of the part count.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

Resampler = Literal["fast", "reference"]
Part = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom excluded


def resampled(pixels: np.ndarray, part: Part, width: int, height: int, how: Resampler) -> np.ndarray:
    """The part of (H, W, 3) uint8 as (height, width, 3), in memory of its own."""
    left, top, right, bottom = part
    cut = np.empty((1, bottom - top, right - left, 3), np.uint8)
    image: np.ndarray = cut[0]
    np.copyto(image, pixels[top:bottom, left:right])
    if (right - left, bottom - top) == (width, height):
        return image
    if how == "reference":
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    # Channels last in memory is the fast form. PyTorch knows it by its strides, that of the single image included.
    images = torch.from_numpy(cut.transpose(0, 3, 1, 2))
    found: np.ndarray = F.interpolate(images, (height, width), mode="bilinear", antialias=True).numpy()
    return np.ascontiguousarray(found[0].transpose(1, 2, 0))


def mirrored(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, reflected left to right, in memory of its own."""
    if not (pixels.flags.c_contiguous and pixels.flags.writeable and min(pixels.strides) > 0):
        pixels = pixels.copy()  # PyTorch knows no negative strides, and warns of memory it may not write to
    found: np.ndarray = torch.flip(torch.from_numpy(pixels), [1]).numpy()
    return found


def by_themselves(pool: ThreadPoolExecutor, threads: int) -> None:
    """Make PyTorch compute alone in each of the pool's threads, of which none has begun yet.

    It would wake a team of its own in every one of them, and they would get in each other's way. What other threads
    do stays as it is: the setting is a thread's own, and the one for new threads is put back.
    """
    usual = torch.get_num_threads()
    begun = threading.Barrier(threads + 1)

    def begin() -> None:
        torch.get_num_threads()  # PyTorch takes the setting for new threads when it is first asked
        torch.set_num_threads(1)
        begun.wait()

    for _ in range(threads):
        pool.submit(begin)
    begun.wait()
    torch.set_num_threads(usual)


def alone() -> None:
    """Make PyTorch compute alone in this process, which was forked: its team of threads was left behind."""
    torch.set_num_threads(1)
