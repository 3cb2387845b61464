"""Three claims of Krizhevsky, Sutskever and Hinton 2012: ReLU, response norm, overlapping pooling."""

from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from ilsvrc.claims.claim import Budget, Claim, Comparison, Variant, plain, undropped
from ilsvrc.models import alexnet
from ilsvrc.spec import SGD, Steps

PAPER = "Krizhevsky et al. 2012"
WIDTH = 0.25
SMALL = "eight layers at a quarter of the width on small images of few classes; one network where the paper has five"


class FourLayers(nn.Module):
    """Three convolutions and a classifier, as the authors' released network for CIFAR-10, half as wide."""

    def __init__(self, activation: type[nn.Module], classes: int, size: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5, padding=2)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = nn.Conv2d(16, 16, 5, padding=2)
        self.pool2 = nn.AvgPool2d(3, stride=2, ceil_mode=True)
        self.conv3 = nn.Conv2d(16, 32, 5, padding=2)
        self.pool3 = nn.AvgPool2d(3, stride=2, ceil_mode=True)
        self.fc = nn.Linear(32 * (size // 8) ** 2, classes)
        self.activation = activation()

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, S, S), S a multiple of 8, to logits (N, classes)."""
        x = self.pool1(self.activation(self.conv1(images)))
        x = self.pool2(self.activation(self.conv2(x)))
        x = self.pool3(self.activation(self.conv3(x)))
        logits: Tensor = self.fc(x.flatten(1))
        return logits


def four_layers(activation: type[nn.Module], classes: int, size: int) -> nn.Module:
    """For a Variant."""
    return FourLayers(activation, classes, size)


def as_published(classes: int, size: int) -> nn.Module:
    """AlexNet, narrow."""
    return undropped(alexnet.alexnet(classes, size, WIDTH))


def without_overlap(classes: int, size: int) -> nn.Module:
    """AlexNet with pools of 2×2 and stride 2: the same map sizes, no window touches another."""
    network = alexnet.alexnet(classes, size, WIDTH)
    for name in ("pool1", "pool2", "pool5"):
        setattr(network, name, nn.MaxPool2d(2, stride=2))
    return undropped(network)


def without_norm(classes: int, size: int) -> nn.Module:
    """AlexNet without its two response norms."""
    network = alexnet.alexnet(classes, size, WIDTH)
    network.norm1, network.norm2 = nn.Identity(), nn.Identity()
    return undropped(network)


STEADY = replace(plain(20), schedule=Steps(at=()), warmup=0.0, clip_norm=0.0, optimizer=SGD(lr=0.03))

RELU = Claim(
    name="relu-tanh",
    paper=PAPER,
    source="section 3.1, figure 1",
    hypothesis="A network of ReLUs reaches 25 % training error in fewer epochs than the same network of tanh units.",
    published="six times sooner: 4-layer network on CIFAR-10, 25 % training error, no regularisation",
    unit="",
    variants=(
        Variant(name="ReLU", build=partial(four_layers, nn.ReLU), recipe=replace(STEADY, optimizer=SGD(lr=0.03))),
        Variant(name="tanh", build=partial(four_layers, nn.Tanh), recipe=replace(STEADY, optimizer=SGD(lr=0.03))),
    ),
    comparisons=(Comparison(first="ReLU", second="tanh"),),
    recipe=STEADY,
    budget=Budget(images=2000, epochs=20, size=24),
    measure="epochs",
    reach=0.25,
    cannot="the factor of six, which is of CIFAR-10 and of the paper's rates; here each network has the fastest of the "
    "rates 0.01, 0.03 and 0.1 in a trial with another seed",
)

POOLING = Claim(
    name="overlapping-pooling",
    paper=PAPER,
    source="section 3.4",
    hypothesis="Pools of 3×3 with stride 2 give a lower error than pools of 2×2 with stride 2.",
    published="top-1 error lower by 0.4, top-5 by 0.3 points (ILSVRC-2010); the released logs: 40.7 and 41.1 % top-1",
    unit="% top-1 error",
    variants=(
        Variant(name="3x3, stride 2", build=as_published, published=40.7),
        Variant(name="2x2, stride 2", build=without_overlap, published=41.1),
    ),
    comparisons=(Comparison(first="3x3, stride 2", second="2x2, stride 2"),),
    recipe=plain(5, rate=0.03, batch=16),
    budget=Budget(images=2000, epochs=5, size=64),
    cannot=f"a difference of 0.4 points, which is below what 1,000 images can tell; {SMALL}",
)

NORM = Claim(
    name="response-norm",
    paper=PAPER,
    source="section 3.3",
    hypothesis="Response norm after the first two layers lowers the error.",
    published="top-1 error lower by 1.4, top-5 by 1.2 points (ILSVRC-2010); the released logs: 40.7 and 42.0 % top-1",
    unit="% top-1 error",
    variants=(
        Variant(name="with norms", build=as_published, published=40.7),
        Variant(name="without", build=without_norm, published=42.0),
    ),
    comparisons=(Comparison(first="with norms", second="without"),),
    recipe=plain(5, rate=0.03, batch=16),
    budget=Budget(images=2000, epochs=5, size=64),
    cannot="how the norm acts on activations of the paper's size: its constants are for images of 0 to 255, and these "
    f"are divided by their deviation; {SMALL}",
)
