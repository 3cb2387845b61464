"""The networks of a localization run, as its specification builds them, and what of them learns."""

from functools import cache

import torch
from torch import nn

from ilsvrc import models
from ilsvrc.models.rcnn import RegionClassifier
from ilsvrc.models.regressor import ClassProposals, Regressor, last_layer, look, stride_of
from ilsvrc.spec import Member, Regression
from ilsvrc.tasks.anchors import BASE, anchors, over_map


def regressor(member: Member, regression: Regression, classes: int) -> nn.Module:
    """The network, with PyTorch's weights. Raises ValueError with what does not fit."""
    outputs = 4 * classes if regression.per_class else 4
    size = member.image_size or models.paper_size(member.model)
    if regression.head == "last layer":
        return models.build(member.model, outputs, size, member.width)
    if regression.head == "proposals":
        return _proposals(member, regression, classes, size)
    return Regressor(models.build(member.model, classes, size, member.width), outputs, size, member.width)


def _proposals(member: Member, regression: Regression, classes: int, size: int) -> ClassProposals:
    """Proposals per class: anchors as Faster R-CNN's, about the middle of each cell of the last map."""
    trunk = models.build(member.model, classes, size, member.width)
    side, stride = _cells(member.model, size)
    with torch.device("cpu"):
        cell = anchors(regression.scales) + (stride - BASE) / 2
        boxes = over_map(cell, side, side, stride)
    return ClassProposals(trunk, classes, boxes.to(next(trunk.parameters()).device), size, stride)


@cache
def _cells(model: str, size: int) -> tuple[int, int]:
    """The side of the network's last map in cells, and how many pixels a cell is wide; no width changes them."""
    # A narrow network on the CPU: on the meta device a look takes a hundred times as long.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        narrow = models.build(model, 2, size, 0.05)
        return look(narrow, size)[1], stride_of(narrow, size)


def classifier(member: Member, classes: int) -> nn.Module:
    """The network of a finished classification run, with PyTorch's weights."""
    size = member.image_size or models.paper_size(member.model)
    return models.build(member.model, classes, size, member.width)


def region_network(member: Member, classes: int) -> RegionClassifier:
    """What judges proposals again: the member's classifier with a logit and a box per class (He et al. 2015, C)."""
    return RegionClassifier(classifier(member, 1), classes, background=False)


def new_layers(network: nn.Module) -> set[str]:
    """The layers that no classifier leaves to it."""
    if isinstance(network, ClassProposals):
        return {"score", "offset"}
    return {"full1", "full2", "full3"} if isinstance(network, Regressor) else {last_layer(network)}


def hold_still(network: nn.Module, regression: Regression, new: set[str]) -> list[nn.Module]:
    """Keep what the specification does not train from learning; the layers that hold still."""
    still = []
    for name, layer in network.named_modules():
        full = isinstance(layer, nn.Linear) and regression.trained == "full layers"
        if regression.trained == "all" or name in new or full or not list(layer.parameters(recurse=False)):
            continue
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(False)
        still.append(layer)
    return still
