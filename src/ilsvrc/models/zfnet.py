"""ZFNet. Zeiler and Fergus: Visualizing and Understanding Convolutional Networks, 2013 (figure 3).

AlexNet with smaller windows and strides in its first layers and without the split over two
GPUs; pooled before it is normalised. The paper prints neither the padding nor the constants
of its contrast norm: padding and rounding are those that give the map sizes of figure 3,
the constants AlexNet's.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def zfnet(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ZFNet":
    """The network of figure 3. Images of 47 pixels a side or more."""
    return ZFNet(classes, image_size, width, (384, 384, 256))


def zfnet_big(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ZFNet":
    """The network (b) of table 2, with 512, 1024 and 512 maps in layers 3 to 5. Images of 47 pixels a side or more."""
    return ZFNet(classes, image_size, width, (512, 1024, 512))


class ZFNet(nn.Module):
    """Figure 3, one layer per line. Images (N, 3, 224, 224); maps are those of layers 3, 4 and 5."""

    def __init__(self, classes: int, image_size: int, width: float, maps: tuple[int, int, int]):
        super().__init__()
        check(classes, image_size, width, smallest=SMALLEST)
        n96, n256, n4096 = (channels(n, width) for n in (96, 256, 4096))
        n3, n4, n5 = (channels(n, width) for n in maps)
        side = map_side(image_size)
        self.conv1 = nn.Conv2d(3, n96, 7, stride=2, padding=1)  # (N, 96, 110, 110)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 96, 55, 55)
        self.norm1 = ResponseNorm()
        self.conv2 = nn.Conv2d(n96, n256, 5, stride=2)  # (N, 256, 26, 26)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 256, 13, 13)
        self.norm2 = ResponseNorm()
        self.conv3 = nn.Conv2d(n256, n3, 3, padding=1)  # (N, 384, 13, 13)
        self.conv4 = nn.Conv2d(n3, n4, 3, padding=1)  # (N, 384, 13, 13)
        self.conv5 = nn.Conv2d(n4, n5, 3, padding=1)  # (N, 256, 13, 13)
        self.pool5 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 256, 6, 6)
        self.fc6 = nn.Linear(n5 * side * side, n4096)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(n4096, n4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(n4096, classes)

    def features(self, images: Tensor) -> Tensor:
        """What fc6 sees: the last convolutional map, pooled, (N, 256, 6, 6)."""
        x = self.norm1(self.pool1(F.relu(self.conv1(images))))
        x = self.norm2(self.pool2(F.relu(self.conv2(x))))
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


SMALLEST = 47  # pixels; leaves 4 for conv2's map, 2 for conv5's, 1 for pool5's


def channels(count: int, width: float) -> int:
    """`count` times `width`, rounded, at least one."""
    return max(1, round(count * width))


def map_side(size: int) -> int:
    """Side of pool5's map: convolutions round down, pools up."""
    conv1 = (size - 3) // 2
    conv2 = (conv1 // 2 - 3) // 2
    return conv2 // 2 // 2


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
