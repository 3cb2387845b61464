"""Box regression: a classifier's features, and four numbers instead of classes.

Three heads. Simonyan and Zisserman 2014, appendix A, replace the last layer: any network of the table built for 4
classes (a box for all, SCR), or for 4 times the classes (a box for each, PCR), is one. Sermanet et al. 2013,
section 4.1, put two hidden layers of their own on the last map, pooled. He et al. 2015, appendix C, score every class
at every anchor of the last map.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROWTH = math.log(1000 / 16)  # the most a box may grow from its anchor, as a logarithm: as Girshick's later code


class Regressor(nn.Module):
    """Hidden layers of 4096 and 1024 on the last pooled map of a network that has `features`; `outputs` numbers.

    On OverFeat's accurate network, whose map is (1024, 5, 5), the three layers have 109,061,124 parameters for four
    outputs. Of the trunk what comes behind its features is taken off.
    """

    def __init__(self, trunk: nn.Module, outputs: int, image_size: int, width: float = 1.0):
        super().__init__()
        maps, side = taken_off(trunk, image_size)
        n4096, n1024 = (max(1, round(count * width)) for count in (4096, 1024))
        self.trunk, self.side = trunk, side
        if hasattr(trunk, "unpooled"):
            self.pool = [layer for layer in trunk.children() if isinstance(layer, nn.MaxPool2d)][-1]
        self.full1 = nn.Linear(maps * side * side, n4096)
        self.full2 = nn.Linear(n4096, n1024)
        self.full3 = nn.Linear(n1024, outputs)

    def features(self, images: Tensor) -> Tensor:
        """The trunk's last map, pooled: (N, 1024, 5, 5)."""
        maps: Tensor = self.trunk.features(images)  # type: ignore[operator]
        return maps

    def unpooled(self, images: Tensor) -> Tensor:
        """The map before its last pool, where the trunk tells it: what is pooled at every offset."""
        maps: Tensor = self.trunk.unpooled(images)  # type: ignore[operator]
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, S, S) to (N, outputs)."""
        x = F.relu(self.full1(self.features(images).flatten(1)))
        numbers: Tensor = self.full3(F.relu(self.full2(x)))
        return numbers


class ClassProposals(nn.Module):
    """A score and a box for every class and anchor of a network's last map (He et al. 2015, appendix C).

    Two sibling 1x1 convolutions on the trunk's features. anchors: (P, 4) in the window's pixels, both edges inside,
    cell by cell along the rows of the map of a window of `image_size`, `stride` pixels apart. In training it gives
    (N, P, classes, 5): a logit of its own for each class, and four offsets; in testing, of each class the box of its
    surest anchor, as edges relative to the window, (N, 4 · classes).
    """

    def __init__(self, trunk: nn.Module, classes: int, anchors: Tensor, image_size: int, stride: int):
        super().__init__()
        maps, side = taken_off(trunk, image_size)
        self.trunk, self.classes, self.size, self.stride = trunk, classes, image_size, stride
        self.anchors: Tensor
        self.register_buffer("anchors", anchors.float(), persistent=False)
        each = len(anchors) // side**2
        if each * side**2 != len(anchors) or not each:
            raise ValueError(f"{len(anchors)} anchors do not divide over a map of {side} x {side}")
        self.each = each
        self.score = nn.Conv2d(maps, each * classes, 1)
        self.offset = nn.Conv2d(maps, each * classes * 4, 1)

    def features(self, images: Tensor) -> Tensor:
        """The trunk's last map."""
        maps: Tensor = self.trunk.features(images)  # type: ignore[operator]
        return maps

    @property
    def cell(self) -> Tensor:
        """(A, 4): the anchors of the first cell."""
        return self.anchors[: self.each]

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, S, S), S as it was built for."""
        found = self.everywhere(self.features(images))
        return found if self.training else self.surest(found)

    def everywhere(self, maps: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, P, classes, 5): logit and offsets of all anchors of a map that `features` gave, of any size.

        labels (G,) asks for some classes alone, (N, P, G, 5): of a thousand that spares half of the computing.
        """
        found = []
        for layer, numbers in ((self.score, 1), (self.offset, 4)):
            values = layer(maps) if labels is None else self._of_classes(layer, maps, labels, numbers)
            count = self.classes if labels is None else len(labels)
            found.append(values.permute(0, 2, 3, 1).reshape(len(maps), -1, count, numbers))
        return torch.cat(found, dim=-1)

    def _of_classes(self, layer: nn.Conv2d, maps: Tensor, labels: Tensor, numbers: int) -> Tensor:
        weight, bias = layer.weight, layer.bias
        assert bias is not None
        shape = self.each, self.classes, numbers
        weight = weight.reshape(*shape, *weight.shape[1:])[:, labels].flatten(0, 2)
        return F.conv2d(maps, weight, bias.reshape(shape)[:, labels].flatten())

    def surest(self, found: Tensor) -> Tensor:
        """(N, P, classes, 5) as said above to (N, 4 · classes)."""
        best = found[..., 0].argmax(dim=1)  # (N, classes)
        offsets = found[..., 1:].gather(1, best[:, None, :, None].expand(-1, 1, -1, 4))[:, 0].float()
        low, high = self.anchors[best][..., :2], self.anchors[best][..., 2:] + 1
        center = (low + high) / 2 + offsets[..., :2] * (high - low)
        half = offsets[..., 2:].clamp(max=GROWTH).exp() * (high - low) / 2
        return (torch.cat([center - half, center + half], dim=-1) / self.size).flatten(1)


def taken_off(trunk: nn.Module, image_size: int) -> tuple[int, int]:
    """Take off what comes behind a network's features; channels and side of its last map.

    Raises ValueError for a network without features.
    """
    if not callable(getattr(trunk, "features", None)):
        raise ValueError(f"{type(trunk).__name__} has no features; a regressor stands on the last map of a network")
    maps, side, used = look(trunk, image_size)
    for name in [name for name, _ in trunk.named_children() if name not in used]:
        delattr(trunk, name)
    return maps, side


def look(network: nn.Module, image_size: int) -> tuple[int, int, set[str]]:
    """Channels and side of the map that `features` gives, and the names of the children it runs."""
    used: set[str] = set()
    handles = [
        child.register_forward_hook(lambda *_, name=name: used.add(name)) for name, child in network.named_children()
    ]
    was = network.training
    weight = next(network.parameters())
    try:
        with torch.no_grad():
            images = torch.zeros(1, 3, image_size, image_size, device=weight.device, dtype=weight.dtype)
            maps: Tensor = network.eval().features(images)  # type: ignore[operator]
    finally:
        network.train(was)
        for handle in handles:
            handle.remove()
    return maps.shape[1], maps.shape[2], used


def stride_of(network: nn.Module, image_size: int) -> int:
    """Pixels between two places of the map that `features` gives: how much larger images must be for one more.

    Tried on images from `image_size` on; network may be on the meta device.
    """
    first = look(network, image_size)[1]
    grown: list[int] = []  # where the map had grown by one, and by two
    larger = 0
    while len(grown) < 2:
        larger += 1
        if look(network, image_size + larger)[1] > first + len(grown):
            grown.append(larger)
    return grown[1] - grown[0]


def last_layer(network: nn.Module) -> str:
    """The name of the layer whose outputs are the logits: the last with weights, side heads apart."""
    kinds = (nn.Linear, nn.Conv2d)
    layers: list[str] = [name for name, layer in network.named_modules() if isinstance(layer, kinds)]
    return [name for name in layers if not name.startswith("side")][-1]
