"""Anchors: the boxes that a proposal network starts from. Ren et al. 2015, section 3.1.1 and the authors' code."""

import math

import torch
from torch import Tensor

BASE = 16  # pixels on a side of the box that all are made from: a cell of the map


def anchors(scales: tuple[float, ...] = (8, 16, 32), ratios: tuple[float, ...] = (0.5, 1, 2)) -> Tensor:
    """(A, 4): the anchors of the cell at (0, 0, 15, 15), ratio by ratio; a ratio is height over width.

    The base is first reshaped to each ratio, its sides rounded to whole pixels (halves to even), and then enlarged: at
    the defaults these are the nine boxes of the authors' code, areas of 128, 256 and 512 pixels squared but for the
    rounding. Raises ValueError where a scale or a ratio is not above 0.
    """
    if not scales or not ratios or min(*scales, *ratios) <= 0:
        raise ValueError(f"anchors of scales {scales} and ratios {ratios} are none; both must be above 0")
    center = (BASE - 1) / 2
    boxes = []
    for ratio in ratios:
        width = round(math.sqrt(BASE * BASE / ratio))
        height = round(width * ratio)
        boxes += [
            [
                center - (width * scale - 1) / 2,
                center - (height * scale - 1) / 2,
                center + (width * scale - 1) / 2,
                center + (height * scale - 1) / 2,
            ]
            for scale in scales
        ]
    return torch.tensor(boxes)


def over_map(boxes: Tensor, height: int, width: int, stride: int) -> Tensor:
    """(height · width · A, 4): the anchors of every cell of a map, cell by cell along the rows."""
    x = torch.arange(width, device=boxes.device, dtype=boxes.dtype) * stride
    y = torch.arange(height, device=boxes.device, dtype=boxes.dtype) * stride
    down, across = torch.meshgrid(y, x, indexing="ij")
    shifts = torch.stack([across, down, across, down], dim=-1).reshape(-1, 1, 4)
    return (shifts + boxes).reshape(-1, 4)
