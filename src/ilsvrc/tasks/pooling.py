"""Regions of one or several images through the upper part of a network."""

import torch
from torch import Tensor

from ilsvrc.models.rcnn import STRIDE, FasterRCNN
from ilsvrc.spec import Detector
from ilsvrc.tasks.regions import roi_align, roi_pool


def pooled(maps: Tensor, regions: Tensor, image: Tensor, size: int, how: Detector) -> Tensor:
    """(R, C, size, size): regions (R, 4) of the maps, image (R,) says of which."""
    operator = roi_pool if how.pooling == "pool" else roi_align
    return operator(maps, regions, image, size, STRIDE)


def regarded(network: FasterRCNN, maps: Tensor, regions: Tensor, image: Tensor, sizes: Tensor, how: Detector) -> Tensor:
    """(R, F): what the network sees in regions (R, 4) of maps; image (R,) says of which, sizes (N, 2) their pixels.

    sizes are widths and heights: the whole image, pooled as a region, is the context where one is looked at (He et al.
    2015, appendix B). Its features are the same for all regions of an image and computed once.
    """
    size = how.region_size or network.trunk.size
    x = network.trunk.head(pooled(maps, regions, image, size, how))
    if not network.context:
        return x
    whole = torch.cat([torch.zeros_like(sizes), sizes - 1], dim=1)
    around = network.trunk.head(pooled(maps, whole, torch.arange(len(maps), device=maps.device), size, how))
    return torch.cat([x, around[image.long()]], dim=1)
