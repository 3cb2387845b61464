"""VGG. Simonyan and Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014.

Read beside table 1: a configuration is one column, a stage what lies between two pools.
Every convolution has stride 1 and keeps the map's size. Later libraries add batch norm,
which the paper does not have, and leave out A-LRN and C.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Stage = tuple[tuple[int, int], ...]  # one (kernel, maps) per convolution


def vgg11(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration A: 11 layers with weights."""
    stages = (((3, 64),), ((3, 128),), ((3, 256),) * 2, ((3, 512),) * 2, ((3, 512),) * 2)
    return VGG(stages, classes, image_size, width)


def vgg11_lrn(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration A-LRN: A with response norm after its first convolution."""
    stages = (((3, 64),), ((3, 128),), ((3, 256),) * 2, ((3, 512),) * 2, ((3, 512),) * 2)
    return VGG(stages, classes, image_size, width, response_norm=True)


def vgg13(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration B: 13 layers with weights."""
    stages = (((3, 64),) * 2, ((3, 128),) * 2, ((3, 256),) * 2, ((3, 512),) * 2, ((3, 512),) * 2)
    return VGG(stages, classes, image_size, width)


def vgg16_c(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration C: 16 layers with weights, three of them 1×1."""
    stages = (
        ((3, 64),) * 2,
        ((3, 128),) * 2,
        ((3, 256), (3, 256), (1, 256)),
        ((3, 512), (3, 512), (1, 512)),
        ((3, 512), (3, 512), (1, 512)),
    )
    return VGG(stages, classes, image_size, width)


def vgg16(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration D: 16 layers with weights."""
    stages = (((3, 64),) * 2, ((3, 128),) * 2, ((3, 256),) * 3, ((3, 512),) * 3, ((3, 512),) * 3)
    return VGG(stages, classes, image_size, width)


def vgg19(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration E: 19 layers with weights."""
    stages = (((3, 64),) * 2, ((3, 128),) * 2, ((3, 256),) * 4, ((3, 512),) * 4, ((3, 512),) * 4)
    return VGG(stages, classes, image_size, width)


class VGG(nn.Module):
    """One column of table 1. Images (N, 3, 224, 224); after the five stages 112, 56, 28, 14 and 7 pixels a side.

    Layers are named as in the authors' release: conv3_2 is the second convolution of the third stage, pool3
    ends it. Pools round up, as Caffe's do, so images of any size have a last map.
    """

    def __init__(
        self, stages: tuple[Stage, ...], classes: int, image_size: int, width: float, *, response_norm: bool = False
    ):
        super().__init__()
        check(classes, image_size, width, smallest=1)
        self.stages = tuple(len(stage) for stage in stages)
        inputs, side = 3, image_size
        for number, stage in enumerate(stages, start=1):
            for place, (kernel, count) in enumerate(stage, start=1):
                maps = channels(count, width)
                conv = nn.Conv2d(inputs, maps, kernel, padding=kernel // 2)
                self.add_module(f"conv{number}_{place}", conv)
                inputs = maps
            if number == 1:
                self.norm1_1 = ResponseNorm() if response_norm else nn.Identity()
            self.add_module(f"pool{number}", nn.MaxPool2d(2, stride=2, ceil_mode=True))
            side = (side + 1) // 2
        n4096 = channels(4096, width)
        self.fc6 = nn.Linear(inputs * side * side, n4096)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(n4096, n4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(n4096, classes)

    def features(self, images: Tensor) -> Tensor:
        """What fc6 sees: the last convolutional map, pooled, (N, 512, 7, 7)."""
        x = images
        for number, convolutions in enumerate(self.stages, start=1):
            for place in range(1, convolutions + 1):
                x = F.relu(self.get_submodule(f"conv{number}_{place}")(x))
            if number == 1:
                x = self.norm1_1(x)
            x = self.get_submodule(f"pool{number}")(x)
        return x

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.features(images).flatten(1)
        x = self.drop6(F.relu(self.fc6(x)))
        x = self.drop7(F.relu(self.fc7(x)))
        logits: Tensor = self.fc8(x)
        return logits


class ResponseNorm(nn.Module):
    """x / (2 + 1e-4 / 5 · sum of squares over 5 neighbouring maps) ** 0.75, as AlexNet's code computes it.

    The window is cut off at the first and the last map. Computed in float32 whatever comes in;
    images (N, C, H, W) keep type and memory format.
    """

    k, towers = 2.0, 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        if torch.compiler.is_compiling():  # who compiles or exports wants the formula, and derives the rest
            return (wide(x) * (self.k + 1e-4 / 5 * window(wide(x) ** 2)) ** -0.75).to(x.dtype)
        y: Tensor = Response.apply(x, self.k, 1e-4 / 5)  # type: ignore[no-untyped-call]
        return y

    def extra_repr(self) -> str:
        """For print."""
        return f"k={self.k:g}"


class Response(torch.autograd.Function):
    """x · d ** -0.75 with d = k + alpha · window(x²), in float32, and its gradient written out.

    Two images at a time on a CPU: what lies between then stays in the cache, and nothing but x is kept.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, k: float, alpha: float) -> Tensor:
        """The normalised maps, of the type of x."""
        ctx.save_for_backward(x)
        ctx.constants = k, alpha
        y = torch.empty_like(x)
        for some, out in zip(*few(x, y), strict=True):
            a = wide(some)
            out.copy_(power(window(a * a).mul_(alpha).add_(k)).mul_(a))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        """dx = g · d ** -0.75 - 2 · 0.75 · alpha · x · window(g · x · d ** -1.75)."""
        (x,), (k, alpha) = ctx.saved_tensors, ctx.constants
        dx = torch.empty_like(x)
        for some, gradient, out in zip(*few(x, g, dx), strict=True):
            a = wide(some)
            d = window(a * a).mul_(alpha).add_(k)
            y = power(d).mul_(gradient)
            out.copy_(y.sub_(window((y * a).div_(d)).mul_(a), alpha=1.5 * alpha))
        return dx, None, None


def few(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """Each in pieces of two images, or whole where it is not on a CPU."""
    return [torch.split(tensor, 2 if tensor.is_cpu else max(1, len(tensor))) for tensor in tensors]


def wide(x: Tensor) -> Tensor:
    """In float32, or in float64 where it is that already."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def power(d: Tensor) -> Tensor:
    """Raise d to -0.75, without the slow `pow`."""
    root = torch.rsqrt(d)
    return torch.sqrt(root).mul_(root)


def window(x: Tensor) -> Tensor:
    """The sum over the five neighbouring maps, cut off at the first and the last."""
    total = x.clone()
    for shift in range(1, min(3, x.shape[-3])):
        total[..., shift:, :, :] += x[..., :-shift, :, :]
        total[..., :-shift, :, :] += x[..., shift:, :, :]
    return total


def channels(count: int, width: float) -> int:
    """`count` times `width`, rounded, at least one."""
    return max(1, round(count * width))


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
