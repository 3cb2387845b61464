"""Localization: what a network that regresses boxes is taught, and what its numbers mean.

Pixels of a box count with both edges inside. Between a box and a network's four numbers stand its edges, left, top,
right and bottom, relative to the window that the network looks at: 0 and 1 are the window's own edges, and a box from
pixel 0 to pixel 31 of a window of 64 has the edges 0 and 0.5.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ilsvrc.scoring import Objects

Coordinates = Literal["centre", "edges"]
GRID = 21  # edges that a constant box is sought among, in each direction


def target(
    boxes: np.ndarray, labels: np.ndarray, label: int, size: int, least_overlap: float = 0.0
) -> np.ndarray | None:
    """The edges, (4,), that a window should be answered with; None where it has nothing to teach.

    boxes: (B, 4) in the window's pixels, also beyond it; labels: (B,), of which those of `label` count. Of several
    the one with most pixels inside the window is taken, the first of equals: the papers have one object. A window
    teaches when a pixel of that object lies inside and at least `least_overlap` of its area does (Sermanet et al. 2013,
    section 4.2: 0.5).
    """
    mine = boxes[(labels == label) & holds_pixels(boxes)].astype(np.float64)
    if not len(mine):
        return None
    edges = mine + np.array([0, 0, 1, 1])
    whole = (edges[:, 2:] - edges[:, :2]).prod(axis=1)
    seen = np.clip(np.minimum(edges[:, 2:], size) - np.maximum(edges[:, :2], 0), 0, None).prod(axis=1)
    best = int(seen.argmax())
    if seen[best] <= 0 or seen[best] < least_overlap * whole[best]:
        return None
    return np.asarray(edges[best] / size, np.float32)


def holds_pixels(boxes: np.ndarray) -> np.ndarray:
    """(B,) bool: boxes that are numbers and neither empty nor inverted."""
    with np.errstate(invalid="ignore"):
        right_way = (boxes[:, 2:] >= boxes[:, :2]).all(axis=1)
    return np.asarray(right_way & np.isfinite(boxes).all(axis=1))


def coordinates_of(edges: Tensor, kind: Coordinates) -> Tensor:
    """(..., 4) edges as what is regressed: themselves, or centre x, centre y, width and height."""
    if kind == "edges":
        return edges
    low, high = edges[..., :2], edges[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def edges_of(coordinates: Tensor, kind: Coordinates) -> Tensor:
    """(..., 4) of what was regressed as edges. Nothing is put right: left may lie right of right."""
    if kind == "edges":
        return coordinates
    center, half = coordinates[..., :2], coordinates[..., 2:] / 2
    return torch.cat([center - half, center + half], dim=-1)


def of_class(outputs: Tensor, labels: Tensor) -> Tensor:
    """(N, 4): of a network's (N, 4) the numbers themselves, of its (N, 4 C) those of each image's class."""
    if outputs.shape[1] == 4:
        return outputs
    each = outputs.reshape(len(outputs), -1, 4)
    return each[torch.arange(len(outputs), device=outputs.device), labels]


def euclidean(found: Tensor, wanted: Tensor, teaches: Tensor) -> Tensor:
    """Half the squared distance of two boxes, (N, 4) each, meaned over those that teach; 0 where none does.

    Sermanet et al. 2013, section 4.2, and Simonyan and Zisserman 2014, appendix A; the half is Caffe's. teaches: (N,)
    of 0 and 1.
    """
    each = 0.5 * (found - wanted).square().sum(dim=1)
    return (each * teaches).sum() / teaches.sum().clamp(min=1)


def on_image(edges: np.ndarray, windows: np.ndarray, width: int, height: int) -> np.ndarray:
    """Boxes on the image, (..., 4) float64 pixels with both edges inside, of edges relative to windows.

    windows: (..., 4) left, top, right, bottom in the image's pixels, right and bottom outside; a mirrored window has
    its left and right exchanged. Edges the wrong way round are exchanged; what lies outside the image is cut off, and
    at least one pixel stays. An edge that is no number becomes the window's.
    """
    windows = np.asarray(windows, np.float64)
    edges = np.where(np.isfinite(edges), edges, np.array([0.0, 0.0, 1.0, 1.0]))
    origin, extent = windows[..., :2], windows[..., 2:] - windows[..., :2]
    one, other = origin + edges[..., :2] * extent, origin + edges[..., 2:] * extent
    last = np.array([width, height], np.float64)
    low = np.clip(np.minimum(one, other), 0, last - 1)
    high = np.clip(np.maximum(one, other), low + 1, last)
    return np.concatenate([low, high - 1], axis=-1)


def best_constant(objects: Objects, labels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The edges, (4,), relative to the image, of the constant box that half-overlaps an object in most images.

    labels: (N,) of the images; objects of another label do not count. sizes: (N, 2) width and height. Sought among all
    boxes whose edges are on a grid of GRID lines, on at most 2,000 images; of equals the first.
    """
    own = objects.label == labels[objects.image] + 1
    image, box = objects.image[own], objects.box[own]
    kept = np.unique(image)[:: max(1, len(np.unique(image)) // 2000)]
    chosen = np.isin(image, kept)
    image, edges = image[chosen], (box[chosen] + np.array([0, 0, 1, 1])) / np.tile(sizes[image[chosen]], 2)
    lines = np.linspace(0, 1, GRID)
    low, high = (index for index in np.triu_indices(GRID, 1))
    spans = np.stack([lines[low], lines[high]], axis=1)  # (S, 2)
    shared = [
        np.clip(np.minimum(spans[:, 1:], edges[:, 2 + axis]) - np.maximum(spans[:, :1], edges[:, axis]), 0, None)
        for axis in (0, 1)
    ]  # (S, B) along x and along y
    area = (edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1])
    length = spans[:, 1] - spans[:, 0]
    first = np.searchsorted(image, kept)  # objects come image by image
    best, answer = -1, np.array([0.0, 0.0, 1.0, 1.0])
    for x, span in enumerate(spans):
        common = shared[0][x] * shared[1]  # (S, B)
        good = common >= 0.5 * (length[x] * length[:, None] + area - common)
        counts = np.logical_or.reduceat(good, first, axis=1).sum(axis=1)
        if counts.max() > best:
            y = int(counts.argmax())
            best, answer = int(counts[y]), np.array([span[0], spans[y, 0], span[1], spans[y, 1]])
    return answer
