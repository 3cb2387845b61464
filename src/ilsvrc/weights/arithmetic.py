"""Caffe's layers as torch modules, where torch has no module that computes the same.

After BVLC/caffe, src/caffe/layers, with the three layers of forks that the challenge's networks
use: Axpy (hujie-frank/SENet), ROIPooling (rbgirshick/caffe-fast-rcnn) and Dropout with
`scale_train: false`. Blobs are (N, C, H, W).
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Pair = tuple[int, int]


class Pooling(nn.Module):
    """MAX or AVE over windows that are cut off at the border; the number of windows rounds up unless `floor`.

    The last window must start inside the image or its leading padding. AVE divides by the
    window's area cut off at the trailing padding: padding counts, what hangs over it does not.
    """

    def __init__(self, average: bool, kernel: Pair, stride: Pair, pad: Pair, floor: bool):
        super().__init__()
        self.average, self.kernel, self.stride, self.pad, self.floor = average, kernel, stride, pad, floor
        # torch's own pools are the same where it takes the padding and windows leave no gaps
        self.native = all(2 * p <= k and s <= k for p, k, s in zip(pad, kernel, stride, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, windows down, windows across)."""
        if not self.native:
            return self.by_hand(x)
        if self.average:
            return F.avg_pool2d(x, self.kernel, self.stride, self.pad, not self.floor, count_include_pad=True)
        return F.max_pool2d(x, self.kernel, self.stride, self.pad, ceil_mode=not self.floor)

    def by_hand(self, x: Tensor) -> Tensor:
        """With the padding written out: pooling_layer.cpp, Reshape and Forward_cpu."""
        down, across = (self.windows(axis, x.shape[axis + 2]) for axis in (0, 1))
        after = [
            max(0, (count - 1) * self.stride[axis] + self.kernel[axis] - x.shape[axis + 2] - self.pad[axis])
            for axis, count in enumerate((down, across))
        ]
        fill = 0.0 if self.average else float("-inf")
        padded = F.pad(x, (self.pad[1], after[1], self.pad[0], after[0]), value=fill)
        if not self.average:
            return F.max_pool2d(padded, self.kernel, self.stride)[..., :down, :across]
        sums = F.avg_pool2d(padded, self.kernel, self.stride, divisor_override=1)[..., :down, :across]
        height, width = (self.areas(axis, x.shape[axis + 2], n, x) for axis, n in enumerate((down, across)))
        return sums / (height[:, None] * width)

    def windows(self, axis: int, size: int) -> int:
        """How many windows fit along an axis."""
        kernel, stride, pad = self.kernel[axis], self.stride[axis], self.pad[axis]
        room = size + 2 * pad - kernel
        count = (room // stride if self.floor else -(-room // stride)) + 1
        if pad and (count - 1) * stride >= size + pad:
            count -= 1
        return count

    def areas(self, axis: int, size: int, count: int, like: Tensor) -> Tensor:
        """The divisor's factor for each window along an axis."""
        start = torch.arange(count, device=like.device) * self.stride[axis]
        end = (start + self.kernel[axis]).clamp(max=size + 2 * self.pad[axis])
        return (end - start).to(like.dtype)


class GlobalPooling(nn.Module):
    """MAX or AVE over the whole map, (N, C, 1, 1)."""

    def __init__(self, average: bool):
        super().__init__()
        self.average = average

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 1, 1)."""
        return x.mean((2, 3), keepdim=True) if self.average else x.amax((2, 3), keepdim=True)


class ResponseNorm(nn.Module):
    """LRN. Across channels x / (k + alpha / n · Σ x²)^beta; within one, x / (1 + alpha · mean of x² over n×n)^beta."""

    def __init__(self, size: int, alpha: float, beta: float, k: float, within: bool):
        super().__init__()
        self.size, self.alpha, self.beta, self.k, self.within = size, alpha, beta, k, within

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        if not self.within:
            return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)
        # Caffe builds this of power and pooling layers, where k has no place and the padding counts.
        mean = F.avg_pool2d(x * x, self.size, 1, self.size // 2, count_include_pad=True)
        return x * (1 + self.alpha * mean) ** -self.beta


class InnerProduct(nn.Linear):
    """Everything from `axis` on as one vector, times the weight: (outputs, inputs), transposed (inputs, outputs)."""

    def __init__(self, inputs: int, outputs: int, bias: bool, axis: int, transposed: bool):
        super().__init__(inputs, outputs, bias, device="meta")
        self.axis, self.transposed = axis, transposed
        if transposed:
            self.weight = nn.Parameter(torch.empty(inputs, outputs, device="meta"))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, outputs) at axis 1."""
        return F.linear(x.flatten(self.axis), self.weight.mT if self.transposed else self.weight, self.bias)


class BatchNorm(nn.Module):
    """(x - mean) / √(variance + eps) by the stored statistics, without gain or shift; those are a Scale's.

    batch has it take the statistics of the batch instead (`use_global_stats: false`).
    """

    mean: Tensor
    variance: Tensor
    factor: Tensor

    def __init__(self, channels: int, eps: float, batch: bool):
        super().__init__()
        self.eps, self.batch = eps, batch
        self.register_buffer("mean", torch.empty(channels, device="meta"))
        self.register_buffer("variance", torch.empty(channels, device="meta"))
        self.register_buffer("factor", torch.empty(1, device="meta"))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same."""
        if self.batch:
            return F.batch_norm(x, None, None, training=True, eps=self.eps)
        return F.batch_norm(x, self.mean, self.variance, eps=self.eps)

    def settle(self) -> None:
        """Divide the sums a file stores by its factor, once; 0 where the factor is 0 (batch_norm_layer.cpp)."""
        factor = float(self.factor)
        share = 0.0 if factor == 0 else 1 / factor
        self.mean, self.variance = self.mean * share, self.variance * share
        self.factor = torch.ones(1)


class Scale(nn.Module):
    """Multiply by stored values, and add stored ones, along the axes that begin at `axis`."""

    def __init__(self, shape: tuple[int, ...], axis: int, bias: bool):
        super().__init__()
        self.axis = axis
        self.weight = nn.Parameter(torch.empty(shape, device="meta"))
        self.bias = nn.Parameter(torch.empty(shape, device="meta")) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        scaled = x * along(self.weight, self.axis, x)
        return scaled if self.bias is None else scaled + along(self.bias, self.axis, x)


class ScaleBy(nn.Module):
    """Multiply the first blob by the second along the axes that begin at `axis`; add stored values if bias."""

    def __init__(self, shape: tuple[int, ...], axis: int, bias: bool):
        super().__init__()
        self.axis = axis
        self.bias = nn.Parameter(torch.empty(shape, device="meta")) if bias else None

    def forward(self, x: Tensor, factor: Tensor) -> Tensor:
        """The first blob's shape."""
        scaled = x * along(factor, self.axis, x)
        return scaled if self.bias is None else scaled + along(self.bias, self.axis, x)


def along(values: Tensor, axis: int, x: Tensor) -> Tensor:
    """`values` with as many trailing axes of one as it takes for its first to lie on x's `axis`."""
    return values.reshape(values.shape + (1,) * (x.dim() - axis - values.dim()))


class Axpy(nn.Module):
    """a · x + y with one a per image and channel, (N, C, 1, 1): SENet's gate and its shortcut in one layer."""

    def forward(self, a: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """x's shape."""
        return a.reshape(a.shape[0], a.shape[1], 1, 1) * x + y


class Eltwise(nn.Module):
    """Sum with coefficients, product or maximum of blobs of one shape."""

    def __init__(self, operation: str, coefficients: tuple[float, ...]):
        super().__init__()
        self.operation, self.coefficients = operation, coefficients

    def forward(self, *blobs: Tensor) -> Tensor:
        """Their shape."""
        coefficients = self.coefficients or (1.0,) * len(blobs)
        result = blobs[0] if self.operation != "SUM" or coefficients[0] == 1 else blobs[0] * coefficients[0]
        for blob, coefficient in zip(blobs[1:], coefficients[1:], strict=True):
            match self.operation:
                case "SUM":
                    result = torch.add(result, blob, alpha=coefficient)
                case "PROD":
                    result = result * blob
                case _:
                    result = torch.maximum(result, blob)
        return result


class Concat(nn.Module):
    """Blobs side by side along an axis."""

    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis

    def forward(self, *blobs: Tensor) -> Tensor:
        """One blob."""
        return torch.cat(blobs, self.axis)


class Slice(nn.Module):
    """A blob in pieces of the given sizes along an axis."""

    def __init__(self, axis: int, sizes: tuple[int, ...]):
        super().__init__()
        self.axis, self.sizes = axis, sizes

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """As many blobs as sizes."""
        return tuple(torch.split(x, list(self.sizes), self.axis))


class Split(nn.Module):
    """The same blob several times; Caffe inserts it where a blob has several readers."""

    def __init__(self, copies: int):
        super().__init__()
        self.copies = copies

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """So many blobs."""
        return (x,) * self.copies


class Reshape(nn.Module):
    """Another shape for the same values: 0 keeps an axis, -1 takes what is left."""

    def __init__(self, dims: tuple[int, ...]):
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        """The shape asked for."""
        return x.reshape([x.shape[axis] if dim == 0 else dim for axis, dim in enumerate(self.dims)])


class Dropout(nn.Module):
    """Identity at test time; with `scaled` False everything times 1 - p there, as in Krizhevsky's paper."""

    def __init__(self, p: float, scaled: bool):
        super().__init__()
        self.p, self.scaled = p, scaled

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        if self.scaled:
            return F.dropout(x, self.p, self.training)
        if not self.training:
            return x * (1 - self.p)
        return x * torch.empty_like(x).bernoulli_(1 - self.p)


class RoiPooling(nn.Module):
    """The maximum of each bin of each region, 0 where a bin is empty.

    Regions are rows of image, xmin, ymin, xmax, ymax in pixels of the image, both edges inside
    after scaling and rounding half away from zero. Girshick 2015 (roi_pooling_layer.cpp).
    """

    def __init__(self, height: int, width: int, scale: float):
        super().__init__()
        self.height, self.width, self.scale = height, width, scale

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        """(N, C, H, W) and (R, 5), or (R, 5, 1, 1), to (R, C, height, width)."""
        if x.is_meta:
            return x.new_empty(len(rois), x.shape[1], self.height, self.width)
        regions = rois.reshape(len(rois), -1)[:, :5].detach().cpu().numpy().astype(np.float32)
        return (
            torch.stack([self.region(x, *row) for row in regions])
            if len(regions)
            else x.new_empty(0, x.shape[1], self.height, self.width)
        )

    def region(self, x: Tensor, image: float, *corners: float) -> Tensor:
        """(C, height, width) of one region."""
        scaled = np.array(corners, np.float32) * np.float32(self.scale)
        xmin, ymin, xmax, ymax = (np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))).astype(int)
        rows = bins(ymin, ymax, self.height, x.shape[2])
        columns = bins(xmin, xmax, self.width, x.shape[3])
        map_ = x[int(image)]
        bands = [map_[:, low:high].amax(1) if low < high else None for low, high in rows]
        empty = x.new_zeros(x.shape[1])
        cells = [
            band[:, low:high].amax(1) if band is not None and low < high else empty
            for band in bands
            for low, high in columns
        ]
        return torch.stack(cells, 1).reshape(-1, self.height, self.width)


def bins(low: int, high: int, count: int, size: int) -> list[tuple[int, int]]:
    """First and past-the-last pixel of each bin along an axis, in float32 as the original divides."""
    width = np.float32(max(high - low + 1, 1)) / np.float32(count)
    edges = [(int(np.floor(i * width)) + low, int(np.ceil((i + 1) * width)) + low) for i in range(count)]
    return [(min(max(start, 0), size), min(max(stop, 0), size)) for start, stop in edges]
