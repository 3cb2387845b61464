"""Regions cut out of an image and warped to one size, with some of what is around them (Girshick et al. 2014, 2.1)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def warped(image: Tensor, regions: Tensor, size: int, around: int) -> Tensor:
    """(R, 3, size, size): each region (R, 4) of an image, (3, H, W), whatever its shape, bilinear without antialiasing.

    The region itself becomes a square of size - 2 · around pixels in the middle; `around` pixels of the image lie on
    each side, enlarged as it is. What lies outside of the image is 0, the mean of a normalised one. Regions count
    both edges. Raises ValueError where nothing would be left of a region.
    """
    inner = size - 2 * around
    if inner < 1:
        raise ValueError(f"{around} pixels around a region leave nothing of {size}; take fewer")
    height, width = image.shape[1:]
    place = (
        torch.arange(size, device=image.device, dtype=regions.dtype) + 0.5 - around
    ) / inner  # 0 to 1 in the region
    x = regions[:, 0:1] + place * (regions[:, 2:3] - regions[:, 0:1] + 1)  # on the image plane
    y = regions[:, 1:2] + place * (regions[:, 3:4] - regions[:, 1:2] + 1)
    across, down = 2 * x / width - 1, 2 * y / height - 1
    grid = torch.stack([across[:, None, :].expand(-1, size, -1), down[:, :, None].expand(-1, -1, size)], dim=-1).to(
        image.dtype
    )
    images = image[None].expand(len(regions), -1, -1, -1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def warped_levels(image: Tensor, regions: Tensor, size: int, around: int, outside: Tensor) -> Tensor:
    """(R, 3, size, size) in whole grey levels: `warped` of an image of 0 to 255; what lies outside of it is `outside`.

    outside: (3, 1, 1), the mean that is subtracted before a network sees it.
    """
    return (warped(image - outside, regions, size, around) + outside).round().clamp(0, 255)
