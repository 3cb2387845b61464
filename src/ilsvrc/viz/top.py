"""The images of a data set that a map answers most to, found in one pass. Zeiler and Fergus 2013, figure 2."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ilsvrc.viz.layers import answers, peaks


@dataclass(frozen=True, eq=False)
class Strongest:
    """For every map its strongest activations, the largest first, one per image; equal ones by the image's place.

    All are (maps, found), found at most the count that was asked for.
    """

    values: Tensor
    images: Tensor  # places in the data set
    places: Tensor  # in the flattened map


def strongest(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], layer: str, count: int = 9
) -> Strongest | None:
    """Of every map of the layer the `count` images with the strongest activation; None where there is no image.

    batches yields places in the data set (N,) and images (N, 3, S, S) on the network's device. Kept are the
    best so far alone: memory does not grow with the images.
    """
    best: Strongest | None = None
    for numbers, images in batches:
        values, places = (found.T.cpu() for found in peaks(answers(network, images, layer)))
        these = Strongest(values, numbers.cpu().expand_as(values), places)
        best = _best(these if best is None else _beside(best, these), count)
    return best


def _beside(one: Strongest, other: Strongest) -> Strongest:
    pairs = ((one.values, other.values), (one.images, other.images), (one.places, other.places))
    values, images, places = (torch.cat(pair, dim=1) for pair in pairs)
    return Strongest(values, images, places)


def _best(found: Strongest, count: int) -> Strongest:
    order = found.values.argsort(dim=1, descending=True, stable=True)[:, :count]
    return Strongest(*(part.gather(1, order) for part in (found.values, found.images, found.places)))
