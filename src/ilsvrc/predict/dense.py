"""Fully convolutional scores: a network that answers at every place of an image of any size.

A full layer behind the last map is a convolution over it (Sermanet et al. 2013, section 3.5; Simonyan and Zisserman
2014, section 3.2). Computed here as the full layers themselves on every window of the map: the same products in the
same order, and the windows of images of one size are one matrix. A network that ends in a global mean and one layer has
windows of a single pixel; the mean of its answers over all places is what it says of the larger image itself.
"""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc.errors import SpecError
from ilsvrc.spec import Dense

ROWS = 512  # windows at a time, where an image does not have more: 25,088 numbers each in VGG
NEAR = 1e-3  # of the largest logit: how far a network's own answer may be from that of its only window


class Windows(nn.Module):
    """A network, and how it answers for an image of any size by a dense protocol.

    head are the full layers behind the map of `features`, a ReLU between them, the first of which takes windows of
    `side` pixels: none for a network whose last map is of classes. pool is the last pooling, where it is done at every
    offset (Sermanet et al. 2013, section 3.3).
    """

    def __init__(self, network: nn.Module, head: list[nn.Linear], side: int, pool: int, protocol: Dense) -> None:
        super().__init__()
        self.network, self.head = network, nn.ModuleList(head)
        self.side, self.pool = side, pool
        self.over, self.places = protocol.over, protocol.places

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) to (N, classes) float32: logits, or probabilities, reduced over all places."""
        linear = self.side == 1 and self.pool == 1 and len(self.head) <= 1
        if linear and self.over == "mean" and self.places == "logits":
            return self.answers(self.last_map(images).mean((2, 3))).float()  # the mean may as well come first
        logits = self.logits(images).flatten(1, 2)
        values = logits.softmax(-1) if self.places == "probabilities" else logits
        return values.mean(1) if self.over == "mean" else values.amax(1)

    def logits(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) to the map of logits (N, h, w, classes) float32.

        With offsets the maps of all are interleaved: place (k · i + dy, k · j + dx) is window (i, j) of the map pooled
        from offset (dy, dx), for a pooling of k. Raises SpecError where the image is smaller than what one answer sees.
        """
        x = self.last_map(images)
        reach = 1 + (self.side - 1) * self.pool
        high, wide = x.shape[2] - reach + 1, x.shape[3] - reach + 1
        if min(high, wide) < 1:
            raise SpecError(
                f"an image of {images.shape[3]} x {images.shape[2]} pixels is smaller than what the network looks at: "
                f"its last map is {x.shape[3]} x {x.shape[2]} and {reach} x {reach} are wanted; enlarge the short side"
            )
        few = max(1, ROWS // (high * wide))
        rows = [self.answers(self.windows(some)).float() for some in torch.split(x, few)]
        return torch.cat(rows).reshape(len(x), high, wide, -1)

    def last_map(self, images: Tensor) -> Tensor:
        """(N, C, H, W): the map that the full layers slide over."""
        network: Any = self.network
        if self.pool == 1:
            found: Tensor = network.features(images)
            return found
        # Pooling at every pixel has all offsets in it: every k-th pixel is the map of one.
        return F.max_pool2d(network.unpooled(images), self.pool, stride=1)

    def windows(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, windows, C · side · side), each as the network flattens its map."""
        if self.side == 1:
            return x.flatten(2).transpose(1, 2)
        return F.unfold(x, self.side, dilation=self.pool).transpose(1, 2)

    def answers(self, rows: Tensor) -> Tensor:
        """(..., inputs) to (..., classes)."""
        for number, layer in enumerate(self.head):
            rows = layer(F.relu(rows) if number else rows)
        return rows


def dense(network: nn.Module, protocol: Dense, size: int, name: str = "the network") -> Windows:
    """The network, in eval mode, as that protocol looks with it; size is that of the images it was built for.

    Weights are shared with it. Its only window on an image of that size is compared with the network itself.
    Raises SpecError where a head cannot become a convolution, or offsets are not those of its last pooling.
    """
    network = network.eval()
    if not hasattr(network, "features"):
        raise SpecError(f"{name} does not say which map its last layers see, so it cannot look densely; use crops")
    head = [layer for layer in network.children() if isinstance(layer, nn.Linear)]
    try:
        with torch.inference_mode():
            network = _without_fixed_pool(network, size, name)
            image = _image(network, size)
            last: Tensor = network.features(image)  # type: ignore[operator]
            side = _side(head, last, name)
            windows = Windows(network, head, side, _pool(network, protocol, name), protocol)
            found = windows.logits(image)
            own: Tensor = network(image).float()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise SpecError(f"{name} cannot look densely ({reason}); use a protocol of crops") from error
    mean = any(isinstance(layer, nn.AdaptiveAvgPool2d) for layer in network.children())
    one = found.mean((1, 2)) if mean else found[:, 0, 0]
    if not torch.allclose(one, own, atol=NEAR * float(own.abs().max()) + 1e-6):
        raise SpecError(
            f"{name} has a head behind its last map that cannot become a convolution, and a dense protocol is asked "
            "for; use a protocol of crops"
        )
    return windows


def _image(network: nn.Module, size: int) -> Tensor:
    """One image of noise, where the network is."""
    device = next(network.parameters()).device
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)


def _side(head: list[nn.Linear], last: Tensor, name: str) -> int:
    """Pixels on a side that the first full layer sees of the last map; 1 where there is none but the mean."""
    places = head[0].in_features / last.shape[1] if head else 1
    side = math.isqrt(int(places))
    if side * side != places:
        raise SpecError(
            f"{name}: a full layer of {head[0].in_features} inputs does not fit a last map of {last.shape[1]}; "
            "use a protocol of crops"
        )
    return side


def _pool(network: nn.Module, protocol: Dense, name: str) -> int:
    """By how much the last pooling moves, where it is done at every offset; else 1. Raises as `dense` does."""
    if protocol.offsets == 1:
        return 1
    pools = [layer for layer in network.children() if isinstance(layer, nn.MaxPool2d)]
    asked = f"{protocol.offsets} x {protocol.offsets} offsets of the last pooling are asked for"
    if not (hasattr(network, "unpooled") and pools and pools[-1].kernel_size == pools[-1].stride):
        raise SpecError(f"{asked} and {name} has no pooling before its full layers that could be shifted; use one")
    moves = int(pools[-1].stride)  # type: ignore[arg-type]
    if protocol.offsets != moves:
        raise SpecError(f"{asked} and that of {name} moves by {moves} pixels: use {moves} x {moves} offsets, or one")
    return moves


def _without_fixed_pool(network: nn.Module, size: int, name: str) -> nn.Module:
    """The network without a pooling that brings its last map to a fixed size, where it does nothing at its own size."""
    fixed = [(place, layer) for place, layer in network.named_children() if _is_fixed(layer)]
    if not fixed:
        return network
    ((place, layer),) = fixed
    met: list[tuple[torch.Size, torch.Size]] = []
    hook = layer.register_forward_hook(lambda _, given, found: met.append((given[0].shape, found.shape)))
    try:
        network(_image(network, size))
    finally:
        hook.remove()
    ((before, after),) = met
    if before != after:
        raise SpecError(
            f"{name} at {size} pixels brings its last map of {before[3]} x {before[2]} to {after[3]} x {after[2]}: its "
            "full layers are fixed and cannot become convolutions, as a dense protocol wants them; use one of crops"
        )
    bare = copy.copy(network)  # the same layers but one
    bare._modules = {**network._modules, place: nn.Identity()}
    return bare


def _is_fixed(layer: nn.Module) -> bool:
    return isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size not in (1, (1, 1))
