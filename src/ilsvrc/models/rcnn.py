"""Region networks. Girshick 2015; Ren, He, Girshick, Sun: Faster R-CNN, 2015; He et al. 2015, appendices A and B.

A classifier is cut in two: what looks at the whole image, down to a map of stride 16, and what looks at a region of
that map. Between them stands the proposal network. VGG-16 and ZFNet are cut before their last pool, which RoI pooling
replaces, and keep fc6 and fc7 for regions; residual networks are cut before conv5, which runs on each region.
Pooling is not here: it takes boxes, which are the business of `ilsvrc.tasks`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 16  # pixels per cell of the shared map, of all three trunks
STAGES = (1, 2, 3, 4, 5)  # of VGG


class FasterRCNN(nn.Module):
    """The proposal network and the region network on one trunk.

    classifier is a VGG, a ZFNet or a ResNet of this project, whose weights stay and whose last layer goes. context
    (He et al. 2015, appendix B): features of the whole image stand beside those of each region. Raises ValueError for
    another classifier: one without a map of stride 16 cannot serve. What `trunk.head` makes of regions is put
    together in `ilsvrc.tasks.pooling`.
    """

    def __init__(self, classifier: nn.Module, classes: int, anchors: int, *, context: bool = False):
        super().__init__()
        self.trunk = trunk_of(classifier)
        self.classes, self.context = classes, context
        maps = proposal_maps(self.trunk)
        self.rpn = nn.Conv2d(self.trunk.channels, maps, 3, padding=1)
        self.rpn_scores = nn.Conv2d(maps, 2 * anchors, 1)
        self.rpn_offsets = nn.Conv2d(maps, 4 * anchors, 1)
        features = self.trunk.features * (2 if context else 1)
        self.scores = nn.Linear(features, classes + 1)
        self.offsets = nn.Linear(features, 4 * (classes + 1))

    def shared(self, images: Tensor) -> Tensor:
        """The map that proposals and regions share, (N, C, H / 16, W / 16), rounded as the trunk rounds."""
        shared: Tensor = self.trunk.shared(images)
        return shared

    def propose(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, not an object and an object, and offsets of each anchor: (N, H · W · A, 2) and (N, H · W · A, 4).

        Anchors of a cell stand together, cells go along rows.
        """
        x = F.relu(self.rpn(maps))
        count = len(maps)
        logits = self.rpn_scores(x).permute(0, 2, 3, 1).reshape(count, -1, 2)
        offsets = self.rpn_offsets(x).permute(0, 2, 3, 1).reshape(count, -1, 4)
        return logits, offsets

    def judge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of features (R, F): logits (R, classes + 1), the background first, and offsets (R, classes + 1, 4)."""
        return self.scores(x), self.offsets(x).reshape(len(x), -1, 4)

    def proposing(self) -> tuple[nn.Conv2d, ...]:
        """The layers of the proposal network alone."""
        return self.rpn, self.rpn_scores, self.rpn_offsets

    def new_layers(self) -> tuple[nn.Conv2d | nn.Linear, ...]:
        """Those that no classifier leaves to it, in the order they are drawn in."""
        return self.rpn, self.rpn_scores, self.rpn_offsets, self.scores, self.offsets


class RegionClassifier(nn.Module):
    """R-CNN (Girshick et al. 2014): a classifier that sees one warped region, and a box regressor on its features.

    classifier is any network of this project that ends in a linear layer; its side heads go. Whether GoogLeNet kept
    the linear SVMs of R-CNN is not said; here the classes are the network's own, with one for the background. Without
    background each class has a logit of its own, an object of it or not (He et al. 2015, appendix C).
    """

    def __init__(self, classifier: nn.Module, classes: int, *, background: bool = True):
        super().__init__()
        name, last = last_linear(classifier)
        setattr(classifier, name, nn.Identity())
        for side in ("side_1", "side_2"):
            if hasattr(classifier, side):
                setattr(classifier, side, nn.Identity())
        self.network = classifier
        outputs = classes + background
        self.scores = nn.Linear(last.in_features, outputs)
        self.offsets = nn.Linear(last.in_features, 4 * outputs)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (R, classes + 1), the background first, if any, and offsets (R, classes + 1, 4) of warped regions."""
        x = self.network(images)
        x = x[0] if isinstance(x, tuple) else x
        return self.scores(x), self.offsets(x).reshape(len(x), -1, 4)

    def new_layers(self) -> tuple[nn.Linear, ...]:
        """Those that no classifier leaves to it."""
        return self.scores, self.offsets


class VggTrunk(nn.Module):
    """VGG without pool5 and fc8; conv1 and conv2 hold still (Girshick 2015, section 4.5)."""

    def __init__(self, network: Any):
        super().__init__()
        self.stages: tuple[int, ...] = network.stages
        stages = self.stages
        self.channels, self.features, self.size = full_head(network, self._layer(network, 5, stages[4]))
        network.fc8 = nn.Identity()
        self.network: Any = network
        self.still = tuple(self._layer(network, stage, n + 1) for stage in (1, 2) for n in range(stages[stage - 1]))

    def lower(self) -> tuple[nn.Module, ...]:
        """The layers that look at the whole image."""
        return tuple(self._layer(self.network, n, k + 1) for n in STAGES for k in range(self.stages[n - 1]))

    def _layer(self, network: nn.Module, stage: int, place: int) -> nn.Module:
        return network.get_submodule(f"conv{stage}_{place}")

    def shared(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 512, H / 16, W / 16), rounded up."""
        x = images
        for number in STAGES:
            for place in range(1, self.stages[number - 1] + 1):
                x = F.relu(self._layer(self.network, number, place)(x))
            x = self.network.norm1_1(x) if number == 1 else x
            x = self.network.get_submodule(f"pool{number}")(x) if number < 5 else x
        return x

    def head(self, pooled: Tensor) -> Tensor:
        """(R, 512, 7, 7) to (R, 4096)."""
        return through_full(self.network, pooled)


class ZfTrunk(nn.Module):
    """ZFNet without pool5 and fc8. Its first layers have no padding, so a cell's centre lies some pixels off."""

    def __init__(self, network: Any):
        super().__init__()
        self.channels, self.features, self.size = full_head(network, network.get_submodule("conv5"))
        network.fc8 = nn.Identity()
        self.network: Any = network
        self.still: tuple[nn.Module, ...] = ()

    def lower(self) -> tuple[nn.Module, ...]:
        """The layers that look at the whole image."""
        net = self.network
        return net.conv1, net.conv2, net.conv3, net.conv4, net.conv5

    def shared(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 256, H / 16, W / 16), some cells fewer."""
        net = self.network
        x = net.norm1(net.pool1(F.relu(net.conv1(images))))
        x = net.norm2(net.pool2(F.relu(net.conv2(x))))
        shared: Tensor = F.relu(net.conv5(F.relu(net.conv4(F.relu(net.conv3(x))))))
        return shared

    def head(self, pooled: Tensor) -> Tensor:
        """(R, 256, 6, 6) to (R, 4096)."""
        return through_full(self.network, pooled)


class ResNetTrunk(nn.Module):
    """conv1 to conv4 on the image, conv5 and the average on each region; batch norm holds still, affine and all."""

    def __init__(self, network: Any):
        super().__init__()
        fc, block = network.get_submodule("fc"), network.get_submodule("conv5.0")
        assert isinstance(fc, nn.Linear)
        first = next(layer for layer in block.modules() if isinstance(layer, nn.Conv2d))
        self.channels, self.features = first.in_channels, fc.in_features
        self.size = 14  # conv5 halves it to 7; the paper does not print it, re-implementations take 14
        network.fc = nn.Identity()
        self.network: Any = network
        self.still = tuple(layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d))

    def lower(self) -> tuple[nn.Module, ...]:
        """The layers that look at the whole image."""
        return self.network.conv1, self.network.conv2, self.network.conv3, self.network.conv4

    def shared(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 1024, H / 16, W / 16), rounded up."""
        net = self.network
        shared: Tensor = net.conv4(net.conv3(net.conv2(net.pool1(F.relu(net.conv1(images))))))
        return shared

    def head(self, pooled: Tensor) -> Tensor:
        """(R, 1024, 14, 14) to (R, 2048)."""
        x: Tensor = self.network.pool5(self.network.conv5(pooled)).flatten(1)
        return x


Trunk = VggTrunk | ZfTrunk | ResNetTrunk


def trunk_of(classifier: nn.Module) -> Trunk:
    """The classifier cut in two. Raises ValueError for one that is not cut here."""
    kind = type(classifier).__name__
    if kind == "VGG":
        return VggTrunk(classifier)
    if kind == "ZFNet":
        return ZfTrunk(classifier)
    if kind == "ResNet":
        return ResNetTrunk(classifier)
    raise ValueError(
        f"a {kind} has no map of stride {STRIDE} that proposals and regions could share; take a VGG, zfnet or a ResNet"
    )


def proposal_maps(trunk: Trunk) -> int:
    """Maps of the proposal network: 256 of ZFNet's 256, 512 of VGG's 512 and of the 1,024 that ResNets have there."""
    return max(1, round(512 * trunk.channels / 1024)) if isinstance(trunk, ResNetTrunk) else trunk.channels


def full_head(network: Any, last: nn.Module) -> tuple[int, int, int]:
    """Channels of the shared map, features of fc7, and the side in cells that fc6 takes."""
    fc6, fc7 = network.get_submodule("fc6"), network.get_submodule("fc7")
    assert isinstance(last, nn.Conv2d)
    assert isinstance(fc6, nn.Linear)
    assert isinstance(fc7, nn.Linear)
    return last.out_channels, fc7.out_features, round((fc6.in_features / last.out_channels) ** 0.5)


def through_full(network: Any, pooled: Tensor) -> Tensor:
    """fc6 and fc7 with their dropout."""
    x = network.drop6(F.relu(network.fc6(pooled.flatten(1))))
    seen: Tensor = network.drop7(F.relu(network.fc7(x)))
    return seen


def last_linear(network: nn.Module) -> tuple[str, nn.Linear]:
    """The name and the layer of a classifier's last linear layer. Raises ValueError where there is none to replace."""
    for name in ("fc8", "fc", "linear", "classifier"):
        layer = getattr(network, name, None)
        if isinstance(layer, nn.Linear):
            return name, layer
    raise ValueError(f"a {type(network).__name__} ends in no linear layer that region classes could replace")


@torch.no_grad()
def initialise(network: FasterRCNN | RegionClassifier, seed: int) -> None:
    """Draw the new layers: Gaussians of 0.01, 0.001 for offsets of regions; biases 0 (Ren et al. 2015, 3.3)."""
    draws = torch.Generator().manual_seed(seed)
    for layer in network.new_layers():
        std = 0.001 if layer is network.offsets else 0.01
        layer.weight.copy_(std * torch.randn(layer.weight.shape, generator=draws))
        assert layer.bias is not None
        layer.bias.zero_()
