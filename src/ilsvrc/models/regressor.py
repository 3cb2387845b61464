"""Box regression: a classifier's features, and four numbers instead of classes.

Two heads. Simonyan and Zisserman 2014, appendix A, replace the last layer: any network of the table built for 4
classes (a box for all, SCR), or for 4 times the classes (a box for each, PCR), is one. Sermanet et al. 2013,
section 4.1, put two hidden layers of their own on the last map, pooled.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Regressor(nn.Module):
    """Hidden layers of 4096 and 1024 on the last pooled map of a network that has `features`; `outputs` numbers.

    On OverFeat's accurate network, whose map is (1024, 5, 5), the three layers have 109,061,124 parameters for four
    outputs. Of the trunk what comes behind its features is taken off.
    """

    def __init__(self, trunk: nn.Module, outputs: int, image_size: int, width: float = 1.0):
        super().__init__()
        if not callable(getattr(trunk, "features", None)):
            raise ValueError(f"{type(trunk).__name__} has no features; a regressor stands on the last map of a network")
        maps, side, used = look(trunk, image_size)
        for name in [name for name, _ in trunk.named_children() if name not in used]:
            delattr(trunk, name)
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
