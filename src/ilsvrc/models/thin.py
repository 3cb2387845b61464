"""Very narrow projections of a miniature, computed in a way that every CPU survives.

On a CPU with AVX2 and without AVX-512, oneDNN (as in PyTorch 2.13) writes past the end of its memory when it computes
the weight gradient of a strided 1x1 convolution of fewer than eight input channels, channels last: the process dies,
or goes on with a damaged heap. Full-size networks have no such layer; miniatures below an eighth of the width do, in
every projection shortcut. Taking every stride-th pixel first is the same convolution and leaves that kernel out.
"""

from torch import Tensor, nn

SAFE_INPUTS = 8  # channels per group from which the kernel stays within its memory


class ThinProjection(nn.Conv2d):
    """A strided 1x1 convolution as a selection of pixels and an unstrided one: equal for every input (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Images (N, C, H, W) to maps (N, out, ceil(H / stride), ceil(W / stride))."""
        down, right = self.stride
        pixels = input[:, :, ::down, ::right]
        return nn.functional.conv2d(pixels, self.weight, self.bias, 1, 0, 1, self.groups)


def replace_thin_projections(network: nn.Module) -> nn.Module:
    """The network with its strided 1x1 convolutions of under eight inputs exchanged; parameters and names stay."""
    for parent in network.modules():
        for name, layer in parent.named_children():
            if type(layer) is nn.Conv2d and _is_thin(layer):
                setattr(parent, name, _exchanged(layer))
    return network


def _is_thin(layer: nn.Conv2d) -> bool:
    pointwise = layer.kernel_size == (1, 1) and layer.padding == (0, 0)
    return pointwise and layer.stride != (1, 1) and layer.in_channels // layer.groups < SAFE_INPUTS


def _exchanged(layer: nn.Conv2d) -> ThinProjection:
    down, right = layer.stride
    bias = layer.bias is not None
    # On the meta device nothing is drawn: initialisation stays what it was.
    thin = ThinProjection(
        layer.in_channels, layer.out_channels, 1, (down, right), groups=layer.groups, bias=bias, device="meta"
    )
    thin.weight, thin.bias = layer.weight, layer.bias
    return thin
