"""AlexNet and its three descendants. Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep ConvNets, 2012.

The two GPUs of the paper are two towers: convolutions in two groups, towers side by side
in the channels. Where the paper and the authors' code of 2012 differ, the order of layers
is the paper's and the constants of the response norm are the code's (the paper's alpha
divided by the window). The net most libraries call AlexNet is `alexnet_one_tower` without
its response norm.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def alexnet(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "AlexNet":
    """The network of the paper: section 3 and figure 2. Images of 36 pixels a side or more."""
    return AlexNet(classes, image_size, width, overhang=3, norm=partial(ResponseNorm, 2.0, towers=2), pool_first=False)


def alexnet_caffe(classes: int = 1000, image_size: int = 227, width: float = 1.0) -> "AlexNet":
    """BVLC's replica `bvlc_alexnet`: response norm across the towers and with k = 1. Images of 39 pixels or more."""
    return AlexNet(classes, image_size, width, overhang=0, norm=partial(ResponseNorm, 1.0, towers=1), pool_first=False)


def caffenet(classes: int = 1000, image_size: int = 227, width: float = 1.0) -> "AlexNet":
    """BVLC's `bvlc_reference_caffenet`: as `alexnet_caffe`, but pooled before it is normalised."""
    return AlexNet(classes, image_size, width, overhang=0, norm=partial(ResponseNorm, 1.0, towers=1), pool_first=True)


def alexnet_one_tower(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "OneTower":
    """The variant of Krizhevsky 2014 for one GPU. Images of 36 pixels a side or more."""
    return OneTower(classes, image_size, width)


class AlexNet(nn.Module):
    """Eight layers with weights; conv2, conv4 and conv5 see only their own tower.

    overhang is how many pixels the last window of conv1 hangs over the right and the lower
    edge. Shapes are those of images (N, 3, 224, 224) with an overhang of 3, or (N, 3, 227, 227) with none.
    """

    def __init__(
        self,
        classes: int,
        image_size: int,
        width: float,
        *,
        overhang: int,
        norm: Callable[[], nn.Module],
        pool_first: bool,
    ):
        super().__init__()
        check(classes, image_size, width, smallest=39 - overhang)
        n96, n256, n384, n4096 = (channels(n, width) for n in (96, 256, 384, 4096))
        side = map_side(image_size + overhang)
        self.overhang = overhang
        self.pool_first = pool_first
        self.conv1 = nn.Conv2d(3, n96, 11, stride=4)  # (N, 96, 55, 55)
        self.norm1 = norm()
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 96, 27, 27)
        self.conv2 = nn.Conv2d(n96, n256, 5, padding=2, groups=2)  # (N, 256, 27, 27)
        self.norm2 = norm()
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 256, 13, 13)
        self.conv3 = nn.Conv2d(n256, n384, 3, padding=1)  # (N, 384, 13, 13)
        self.conv4 = nn.Conv2d(n384, n384, 3, padding=1, groups=2)  # (N, 384, 13, 13)
        self.conv5 = nn.Conv2d(n384, n256, 3, padding=1, groups=2)  # (N, 256, 13, 13)
        self.pool5 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 256, 6, 6)
        self.fc6 = nn.Linear(n256 * side * side, n4096)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(n4096, n4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(n4096, classes)

    def features(self, images: Tensor) -> Tensor:
        """What fc6 sees: the last convolutional map, pooled, (N, 256, 6, 6)."""
        x = F.relu(self.conv1(F.pad(images, (0, self.overhang, 0, self.overhang))))
        x = self.norm1(self.pool1(x)) if self.pool_first else self.pool1(self.norm1(x))
        x = F.relu(self.conv2(x))
        x = self.norm2(self.pool2(x)) if self.pool_first else self.pool2(self.norm2(x))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.relu(self.conv5(x))
        pooled: Tensor = self.pool5(x)
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.features(images).flatten(1)
        x = self.drop6(F.relu(self.fc6(x)))
        x = self.drop7(F.relu(self.fc7(x)))
        logits: Tensor = self.fc8(x)
        return logits


class OneTower(nn.Module):
    """One column, 64-192-384-256-256 maps, no groups (cuda-convnet2, layers-imagenet-1gpu).

    conv1 has its ReLU after response norm and pooling, so its negative responses take part in both.
    """

    def __init__(self, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=36)
        n64, n192, n256, n384, n4096 = (channels(n, width) for n in (64, 192, 256, 384, 4096))
        side = map_side(image_size + 3)
        self.conv1 = nn.Conv2d(3, n64, 11, stride=4)  # (N, 64, 55, 55)
        self.norm1 = ResponseNorm(k=2.0)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 64, 27, 27)
        self.conv2 = nn.Conv2d(n64, n192, 5, padding=2)  # (N, 192, 27, 27)
        self.norm2 = ResponseNorm(k=2.0)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 192, 13, 13)
        self.conv3 = nn.Conv2d(n192, n384, 3, padding=1)  # (N, 384, 13, 13)
        self.conv4 = nn.Conv2d(n384, n256, 3, padding=1)  # (N, 256, 13, 13)
        self.conv5 = nn.Conv2d(n256, n256, 3, padding=1)  # (N, 256, 13, 13)
        self.pool5 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 256, 6, 6)
        self.fc6 = nn.Linear(n256 * side * side, n4096)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(n4096, n4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(n4096, classes)

    def features(self, images: Tensor) -> Tensor:
        """What fc6 sees: the last convolutional map, pooled, (N, 256, 6, 6)."""
        x = self.conv1(F.pad(images, (0, 3, 0, 3)))
        x = F.relu(self.pool1(self.norm1(x)))
        x = F.relu(self.conv2(x))
        x = self.pool2(self.norm2(x))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.relu(self.conv5(x))
        pooled: Tensor = self.pool5(x)
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.features(images).flatten(1)
        x = self.drop6(F.relu(self.fc6(x)))
        x = self.drop7(F.relu(self.fc7(x)))
        logits: Tensor = self.fc8(x)
        return logits


class ResponseNorm(nn.Module):
    """Section 3.3 as the authors' code computes it: x / (k + 1e-4 / 5 · sum of squares over 5 maps) ** 0.75.

    The paper prints the formula without the division by 5; its figures come from code that
    divides. Each tower is normalised by itself; the window is cut off at a tower's first
    and last map. Computed in float32 whatever comes in; images (N, C, H, W) keep type and memory format.
    """

    def __init__(self, k: float, towers: int = 1):
        super().__init__()
        self.k = k
        self.towers = towers

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        x = x.unflatten(1, (self.towers, -1))  # type: ignore[no-untyped-call]
        if torch.compiler.is_compiling():  # who compiles or exports wants the formula, and derives the rest
            y = (wide(x) * (self.k + 1e-4 / 5 * window(wide(x) ** 2)) ** -0.75).to(x.dtype)
        else:
            y = Response.apply(x, self.k, 1e-4 / 5)  # type: ignore[no-untyped-call]
        return y.flatten(1, 2)

    def extra_repr(self) -> str:
        """For print."""
        return f"k={self.k:g}, towers={self.towers}"


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
    """`count` times `width`, rounded to a whole number per tower, at least one."""
    return 2 * max(1, round(count * width / 2))


def map_side(size: int) -> int:
    """Side of pool5's map: conv1 rounds down, the three pools round up."""
    conv1 = (size - 11) // 4 + 1
    return conv1 // 2 // 2 // 2


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
