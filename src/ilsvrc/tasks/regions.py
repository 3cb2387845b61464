"""Regions of a map, all brought to one size: RoI pooling and RoI align.

RoIPool is Girshick 2015, section 2.1, with the rounding of the authors' code; RoIAlign is He et al. 2017, section 3,
which later libraries use in its place. Plain torch; torchvision's operators serve where they import.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ilsvrc.tasks import native

LAST = 2**31 - 1  # the highest place: of a map, or of several together
LOW = 2**32 - 1  # the lower half of a key
Bins = tuple[Tensor, Tensor]  # first cell and the one behind the last, each (R, P)


def roi_pool(maps: Tensor, regions: Tensor, image: Tensor, size: int, stride: float) -> Tensor:
    """(R, C, size, size): the largest value in each of size · size bins of each region.

    maps (N, C, H, W); regions (R, 4) boxes in pixels of the images, both edges inside; image (R,) int, whose; stride:
    pixels per cell of the map. Edges divided by stride are rounded, halves away from 0; a region is at least one cell;
    bin k of n goes from floor(k · w / n) to ceil((k + 1) · w / n), so neighbours may share cells. A bin outside the map
    is 0. The gradient goes to the first cell that has the largest value.
    """
    operator = native.torchvision_ops()
    if operator is not None and len(regions):
        rows = torch.cat([image[:, None].to(maps.dtype), regions.to(maps.dtype)], dim=1)
        pooled: Tensor = operator.roi_pool(maps, rows, size, 1 / stride)
        return pooled
    return plain_roi_pool(maps, regions, image, size, stride)


def plain_roi_pool(maps: Tensor, regions: Tensor, image: Tensor, size: int, stride: float) -> Tensor:
    """roi_pool without torchvision."""
    _, channels, height, width = maps.shape
    if not len(regions):
        return maps.new_zeros(0, channels, size, size) + 0 * maps.sum()
    columns, lines = _bins(regions[:, 0::2], size, width, stride), _bins(regions[:, 1::2], size, height, stride)
    cells = maps.permute(0, 2, 3, 1)  # channels last: a cell is one row
    with torch.no_grad():
        place = _first_largest(cells.detach(), image.long(), lines, columns)  # (R, size, size, C)
    flat = cells.reshape(-1, channels)
    pooled = torch.gather(flat, 0, place.clamp(min=0).reshape(-1, channels)).reshape(place.shape)
    return torch.where(place >= 0, pooled, pooled.new_zeros(())).permute(0, 3, 1, 2)


def _bins(edges: Tensor, size: int, cells: int, stride: float) -> Bins:
    """First cell and the one behind the last of each bin, (R, size) each; edges (R, 2): low and high in pixels."""
    low, high = _rounded(edges / stride).unbind(1)
    step = (high - low + 1).clamp(min=1) / size
    k = torch.arange(size, device=edges.device)
    begin = torch.floor(k * step[:, None]) + low[:, None]
    end = torch.ceil((k + 1) * step[:, None]) + low[:, None]
    return begin.clamp(0, cells).long(), end.clamp(0, cells).long()


def _rounded(values: Tensor) -> Tensor:
    """To the nearest whole number, halves away from 0, as C's round does."""
    return torch.sign(values) * torch.floor(values.abs() + 0.5)


def _first_largest(cells: Tensor, image: Tensor, rows: Bins, columns: Bins) -> Tensor:
    """(R, P, P, C) int64: where in the flat maps the largest value of each bin is, the first among equals; -1: nowhere.

    cells (N, H, W, C). A window of n cells is covered by two of the largest power of two in n, so the largest of
    every window of powers of two is found once and each bin looks four of them up.
    """
    keys = _keys(cells)
    answer = keys.new_full((len(image), rows[0].shape[1], columns[0].shape[1], cells.shape[3]), LAST + 1)
    tall, wide = _levels(rows), _levels(columns)
    for up in range(int(tall.max()) + 1):
        level = keys
        for along in range(int(wide.max()) + 1):
            region, row, column = torch.nonzero((tall == up)[:, :, None] & (wide == along)[:, None, :], as_tuple=True)
            if len(region):
                windows = [
                    level[image[region], down, across]
                    for down in _ends(rows, region, row, up)
                    for across in _ends(columns, region, column, along)
                ]
                answer[region, row, column] = torch.stack(windows).amax(dim=0)
            level = _doubled(level, 2, 2**along)
        keys = _doubled(keys, 1, 2**up)
    return LAST - (answer & LOW)


def _keys(cells: Tensor) -> Tensor:
    """(N, H, W, C) int64: numbers in the order of the values, as float32, and among equals of falling place.

    The upper half is the value, as a whole number of the same order; the lower half counts places down from LAST.
    """
    bits = (cells.float() + 0.0).contiguous().view(torch.int32)  # + 0.0 makes one zero of two
    value = bits ^ ((bits >> 31) & LAST)
    count, height, width, _ = cells.shape
    place = torch.arange(count * height * width, device=cells.device).reshape(count, height, width, 1)
    return (value.long() << 32) | (LAST - place)


def _levels(bins: Bins) -> Tensor:
    """(R, P): the exponent of the largest power of two in a bin's length; -1 where it has none."""
    length = bins[1] - bins[0]
    exponent = torch.floor(torch.log2(length.clamp(min=1).double() + 0.25)).long()  # + 0.25: 8 must not become 2.99
    return torch.where(length > 0, exponent, -1)


def _ends(bins: Bins, region: Tensor, place: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """The two windows of 2 ** level cells that cover a bin, by their first cells."""
    return bins[0][region, place], bins[1][region, place] - 2**level


def _doubled(keys: Tensor, dim: int, step: int) -> Tensor:
    """Each window joined with its neighbour `step` cells on; those without one are left out, nobody asks for them."""
    rest = keys.shape[dim] - step
    return torch.maximum(keys.narrow(dim, 0, rest), keys.narrow(dim, step, rest)) if rest > 0 else keys


def roi_align(maps: Tensor, regions: Tensor, image: Tensor, size: int, stride: float, samples: int = 2) -> Tensor:
    """(R, C, size, size): the mean over `samples` · `samples` points of each bin, bilinear; nothing is rounded.

    Arguments as of roi_pool. A box covers the plane from xmin to xmax + 1, cells have their values at their centres;
    a point up to one cell outside takes the border's value, one further out is 0 (torchvision: aligned=True).
    """
    operator = native.torchvision_ops()
    if operator is not None and len(regions):
        edges = regions + regions.new_tensor([0, 0, 1, 1])
        rows = torch.cat([image[:, None].to(maps.dtype), edges.to(maps.dtype)], dim=1)
        pooled: Tensor = operator.roi_align(maps, rows, size, 1 / stride, samples, aligned=True)
        return pooled
    return plain_roi_align(maps, regions, image, size, stride, samples)


def plain_roi_align(maps: Tensor, regions: Tensor, image: Tensor, size: int, stride: float, samples: int = 2) -> Tensor:
    """roi_align without torchvision."""
    edges = regions + regions.new_tensor([0, 0, 1, 1])
    _, channels, height, width = maps.shape
    if not len(regions):
        return maps.new_zeros(0, channels, size, size) + 0 * maps.sum()
    across, along = _points(edges[:, 0::2], size, samples, stride, width)
    down, under = _points(edges[:, 1::2], size, samples, stride, height)
    # A bin is a sum of rows of the map, with weights: (R, size, size, 2 samples, 2 samples), both axes alike.
    place = image.long()[:, None, None, None, None] * (height * width)
    place = place + down[:, :, None, :, None] * width + across[:, None, :, None, :]
    weight = under[:, :, None, :, None] * along[:, None, :, None, :]
    bins = len(regions) * size * size
    flat = maps.permute(0, 2, 3, 1).reshape(-1, channels)
    bins = len(regions) * size * size
    summed: Tensor = Sums.apply(flat, place.reshape(bins, -1), weight.reshape(bins, -1).to(flat.dtype))  # type: ignore[no-untyped-call]
    return summed.reshape(len(regions), size, size, channels).permute(0, 3, 1, 2)


class Sums(torch.autograd.Function):
    """Weighted sums of rows: bin b is the sum over k of weight[b, k] · rows[place[b, k]]; so is the gradient.

    rows (M, C), place and weight (B, K), the answer (B, C). PyTorch's own gradient of embedding_bag takes ten times
    as long; read backwards, by row instead of by bin, it is the same operation once more.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, place: Tensor, weight: Tensor) -> Tensor:
        """(B, C)."""
        ctx.save_for_backward(place, weight)
        ctx.rows = len(rows)
        return F.embedding_bag(place, rows, mode="sum", per_sample_weights=weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        """Of the rows alone: where a region lies is not learnt through its pooling."""
        place, weight = ctx.saved_tensors
        flat, order = torch.sort(place.flatten().int(), stable=True)
        begin = torch.searchsorted(flat, torch.arange(ctx.rows, device=g.device, dtype=torch.int32))
        bins = torch.div(order, place.shape[1], rounding_mode="floor")
        weights = weight.flatten()[order]
        return F.embedding_bag(bins, g.contiguous(), begin, mode="sum", per_sample_weights=weights), None, None


def _points(edges: Tensor, size: int, samples: int, stride: float, cells: int) -> tuple[Tensor, Tensor]:
    """The cells that the points of each bin lie between, (R, size, 2 · samples), and their weights in the mean.

    edges (R, 2): low and high edge of each region in pixels of the image plane, high excluded.
    """
    low, high = (edges / stride - 0.5).unbind(1)
    k = (torch.arange(size * samples, device=edges.device) + 0.5) / samples
    point = low[:, None] + k * ((high - low) / size)[:, None]
    there = ((point >= -1) & (point <= cells)).to(edges.dtype) / samples
    point = point.clamp(0, cells - 1)
    first = point.floor().clamp(max=max(cells - 2, 0))
    part = point - first
    both = torch.stack([first, (first + 1).clamp(max=cells - 1)], dim=-1).long()
    weight = torch.stack([(1 - part) * there, part * there], dim=-1)
    return both.reshape(len(edges), size, -1), weight.reshape(len(edges), size, -1)
