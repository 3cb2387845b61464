"""GoogLeNet. Szegedy et al.: Going Deeper with Convolutions, 2014 (table 1 and figure 3).

Nine inception modules, response norm, no batch norm, two side heads in training. What the
paper leaves open is as in the Caffe replica made with its first author's help: pools that
round up, 3 pixels of padding in conv1, k = 1 in the response norm. The network later
libraries give under this name has batch norm and a 3×3 where the 5×5 belongs.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def googlenet(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "GoogLeNet":
    """The network of table 1. Images of 79 pixels a side or more."""
    return GoogLeNet(classes, image_size, width)


class GoogLeNet(nn.Module):
    """Table 1, one row of the table per line. Images (N, 3, 224, 224).

    In training mode it returns three logits (table 1's, side_1's, side_2's); in eval mode table 1's alone.
    """

    def __init__(self, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=SMALLEST)
        n64, n192, n1024 = (channels(n, width) for n in (64, 192, 1024))
        side = (map_side(image_size) - 5) // 3 + 1
        self.conv1 = nn.Conv2d(3, n64, 7, stride=2, padding=3)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 64, 56, 56)
        self.norm1 = ResponseNorm()
        self.conv2_reduce = nn.Conv2d(n64, n64, 1)
        self.conv2 = nn.Conv2d(n64, n192, 3, padding=1)  # (N, 192, 56, 56)
        self.norm2 = ResponseNorm()
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 192, 28, 28)
        #                     inputs     1×1  3×3  3×3  5×5  5×5  pool
        #                                   reduce    reduce      proj
        self.inception_3a = Inception(n192, width, (64, 96, 128, 16, 32, 32))  # (N, 256, 28, 28)
        self.inception_3b = Inception(self.inception_3a.outputs, width, (128, 128, 192, 32, 96, 64))  # (N, 480, ...)
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 480, 14, 14)
        self.inception_4a = Inception(self.inception_3b.outputs, width, (192, 96, 208, 16, 48, 64))  # (N, 512, ...)
        self.inception_4b = Inception(self.inception_4a.outputs, width, (160, 112, 224, 24, 64, 64))  # (N, 512, ...)
        self.inception_4c = Inception(self.inception_4b.outputs, width, (128, 128, 256, 24, 64, 64))  # (N, 512, ...)
        self.inception_4d = Inception(self.inception_4c.outputs, width, (112, 144, 288, 32, 64, 64))  # (N, 528, ...)
        self.inception_4e = Inception(self.inception_4d.outputs, width, (256, 160, 320, 32, 128, 128))  # (N, 832, ...)
        self.pool4 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 832, 7, 7)
        self.inception_5a = Inception(self.inception_4e.outputs, width, (256, 160, 320, 32, 128, 128))  # (N, 832, 7, 7)
        self.inception_5b = Inception(self.inception_5a.outputs, width, (384, 192, 384, 48, 128, 128))  # (N, 1024, ...)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 1024, 1, 1)
        self.drop = nn.Dropout(0.4)
        self.linear = nn.Linear(self.inception_5b.outputs, classes)
        n128 = channels(128, width)
        self.side_1 = SideHead(self.inception_4a.outputs, n128, n1024, side, classes)
        self.side_2 = SideHead(self.inception_4d.outputs, n128, n1024, side, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 1024, 7, 7)."""
        return self.to_5b(self.to_4d(self.to_4a(images)))

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Logits, (N, classes), three times in training mode."""
        after_4a = self.to_4a(images)
        after_4d = self.to_4d(after_4a)
        x = self.pool5(self.to_5b(after_4d)).flatten(1)
        logits: Tensor = self.linear(self.drop(x))
        if not self.training:
            return logits
        return logits, self.side_1(after_4a), self.side_2(after_4d)

    def to_4a(self, images: Tensor) -> Tensor:
        """Images to the map of inception_4a, (N, 512, 14, 14)."""
        x = self.norm1(self.pool1(F.relu(self.conv1(images))))
        x = F.relu(self.conv2_reduce(x))
        x = self.pool2(self.norm2(F.relu(self.conv2(x))))
        x = self.pool3(self.inception_3b(self.inception_3a(x)))
        after_4a: Tensor = self.inception_4a(x)
        return after_4a

    def to_4d(self, x: Tensor) -> Tensor:
        """From inception_4a's map to inception_4d's, (N, 528, 14, 14)."""
        after_4d: Tensor = self.inception_4d(self.inception_4c(self.inception_4b(x)))
        return after_4d

    def to_5b(self, x: Tensor) -> Tensor:
        """From inception_4d's map to inception_5b's, (N, 1024, 7, 7)."""
        x = self.pool4(self.inception_4e(x))
        after_5b: Tensor = self.inception_5b(self.inception_5a(x))
        return after_5b


class Inception(nn.Module):
    """Four branches side by side (figure 2b).

    maps are one row of table 1: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj.
    """

    def __init__(self, inputs: int, width: float, maps: tuple[int, int, int, int, int, int]):
        super().__init__()
        n1, reduce3, n3, reduce5, n5, project = (channels(n, width) for n in maps)
        self.outputs = n1 + n3 + n5 + project
        self.conv_1x1 = nn.Conv2d(inputs, n1, 1)
        self.reduce_3x3 = nn.Conv2d(inputs, reduce3, 1)
        self.conv_3x3 = nn.Conv2d(reduce3, n3, 3, padding=1)
        self.reduce_5x5 = nn.Conv2d(inputs, reduce5, 1)
        self.conv_5x5 = nn.Conv2d(reduce5, n5, 5, padding=2)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.pool_proj = nn.Conv2d(inputs, project, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        a = F.relu(self.conv_1x1(x))
        b = F.relu(self.conv_3x3(F.relu(self.reduce_3x3(x))))
        c = F.relu(self.conv_5x5(F.relu(self.reduce_5x5(x))))
        d = F.relu(self.pool_proj(self.pool(x)))
        return torch.cat([a, b, c, d], dim=1)


class SideHead(nn.Module):
    """An auxiliary classifier (section 5): it pushes gradient into the middle of the network and is left out in eval.

    side is that of its pooled map, 4 at the paper's size: windows of 5×5 with a stride of 3, none over the edge.
    """

    def __init__(self, inputs: int, maps: int, hidden: int, side: int, classes: int):
        super().__init__()
        self.pool = nn.AvgPool2d(5, stride=3)  # (N, inputs, 4, 4)
        self.conv = nn.Conv2d(inputs, maps, 1)  # (N, 128, 4, 4)
        self.fc = nn.Linear(maps * side * side, hidden)
        self.drop = nn.Dropout(0.7)
        self.linear = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = F.relu(self.conv(self.pool(x))).flatten(1)
        logits: Tensor = self.linear(self.drop(F.relu(self.fc(x))))
        return logits


class ResponseNorm(nn.Module):
    """x / (1 + 1e-4 / 5 · sum of squares over 5 neighbouring maps) ** 0.75: Caffe's LRN with its default k.

    The paper names the layer and prints no constants. The window is cut off at the first and the last map.
    Computed in float32 whatever comes in; images (N, C, H, W) keep type and memory format.
    """

    k, towers = 1.0, 1

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


SMALLEST = 79  # pixels; gives inception_4a's map the 5 that the side heads' window needs


def channels(count: int, width: float) -> int:
    """`count` times `width`, rounded, at least one."""
    return max(1, round(count * width))


def map_side(size: int) -> int:
    """Side of inception_4a's map: four halvings, of which that of conv1 rounds up."""
    conv1 = (size + 1) // 2
    return conv1 // 2 // 2 // 2


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
