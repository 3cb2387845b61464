"""Boxes as numbers to learn: areas, overlap, and the four offsets from one box to another.

Girshick et al. 2014, appendix C; Ren et al. 2015, section 3.1.2. Both edges of a box are inside, as everywhere here and
in the authors' code: its width is xmax - xmin + 1. Boxes are (B, 4), each row xmin, ymin, xmax, ymax in pixels.
"""

import math

import torch
from torch import Tensor

# The most that a box may grow in one step, as a logarithm: 1000 / 16, what Girshick's later code (Detectron) clips to.
GROWTH = math.log(1000 / 16)


def sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of each box in pixels, (B,) each; 0 or less where an edge is inverted."""
    return boxes[..., 2] - boxes[..., 0] + 1, boxes[..., 3] - boxes[..., 1] + 1


def areas(boxes: Tensor) -> Tensor:
    """(B,): pixels in each box, 0 where it holds none."""
    width, height = sides(boxes)
    return width.clamp(min=0) * height.clamp(min=0)


def overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """(B, T): intersection over union of each box with each of the others, in [0, 1].

    0 where two do not touch or hold no pixel, never nan.
    """
    common = shared(boxes, others)
    union = areas(boxes)[:, None] + areas(others)[None, :] - common
    return torch.where(common > 0, common / union.clamp(min=1e-12), torch.zeros_like(common))


def shared(boxes: Tensor, others: Tensor) -> Tensor:
    """(B, T): pixels that each box shares with each of the others."""
    width = torch.minimum(boxes[:, None, 2], others[:, 2]) - torch.maximum(boxes[:, None, 0], others[:, 0]) + 1
    height = torch.minimum(boxes[:, None, 3], others[:, 3]) - torch.maximum(boxes[:, None, 1], others[:, 1]) + 1
    return width.clamp(min=0) * height.clamp(min=0)


def coded(boxes: Tensor, anchors: Tensor) -> Tensor:
    """(B, 4): tx, ty, tw, th that lead from each anchor to its box; `decoded` undoes it.

    t_x = (x - x_a) / w_a, t_w = log(w / w_a), the same for y and h, x and y being centres (Girshick et al. 2014,
    equations 6 to 9). Both (B, 4), each box at least one pixel wide and high: what is not is coded as one pixel.
    """
    (x, y, width, height), (x_a, y_a, w_a, h_a) = centered(boxes), centered(anchors)
    return torch.stack(
        [(x - x_a) / w_a, (y - y_a) / h_a, torch.log(width / w_a), torch.log(height / h_a)],
        dim=-1,
    )


def decoded(offsets: Tensor, anchors: Tensor) -> Tensor:
    """(..., 4): the boxes to which offsets lead from anchors, both (..., 4), neither clipped nor rounded.

    A box grows at most GROWTH in one step; beyond it the exponential would reach infinity.
    """
    x_a, y_a, w_a, h_a = centered(anchors)
    tx, ty, tw, th = offsets.unbind(-1)
    x, y = tx * w_a + x_a, ty * h_a + y_a
    # The authors' code forgets one pixel here and decodes what it coded one pixel too large; this is the inverse.
    half_w, half_h = (torch.exp(tw.clamp(max=GROWTH)) * w_a - 1) / 2, (torch.exp(th.clamp(max=GROWTH)) * h_a - 1) / 2
    return torch.stack([x - half_w, y - half_h, x + half_w, y + half_h], dim=-1)


def centered(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centre x, centre y, width and height of each box; width and height are at least one pixel."""
    width, height = sides(boxes)
    x, y = (boxes[..., 0] + boxes[..., 2]) / 2, (boxes[..., 1] + boxes[..., 3]) / 2
    return x, y, width.clamp(min=1), height.clamp(min=1)


def clipped(boxes: Tensor, width: float, height: float) -> Tensor:
    """The boxes with every edge inside an image of that size; one wholly outside shrinks to its border."""
    low = boxes.new_zeros(4)
    high = boxes.new_tensor([width - 1, height - 1, width - 1, height - 1])
    return torch.minimum(torch.maximum(boxes, low), high)


def inside(boxes: Tensor, width: float, height: float) -> Tensor:
    """(B,) bool: whether a box crosses no border of an image of that size."""
    return (boxes[:, 0] >= 0) & (boxes[:, 1] >= 0) & (boxes[:, 2] <= width - 1) & (boxes[:, 3] <= height - 1)


def usable(boxes: Tensor, width: float, height: float) -> Tensor:
    """(B,) bool: whether a box is finite, not inverted, and shares a pixel with an image of that size."""
    finite = torch.isfinite(boxes).all(dim=-1)
    upright = (boxes[:, 2] >= boxes[:, 0]) & (boxes[:, 3] >= boxes[:, 1])
    touches = (boxes[:, 2] >= 0) & (boxes[:, 3] >= 0) & (boxes[:, 0] <= width - 1) & (boxes[:, 1] <= height - 1)
    return finite & upright & touches
