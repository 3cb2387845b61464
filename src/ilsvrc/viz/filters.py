"""The filters of the first layer, which alone are pictures themselves. Krizhevsky et al. 2012, figure 3."""

from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.models import anatomy


def first_filters(network: nn.Module) -> tuple[str, Tensor]:
    """Name of the first convolution and its filters (maps, 3, height, width), in the channel order of the input.

    Raises SpecError where the first convolution does not look at three colours.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            outer = name.removesuffix(".conv") if anatomy.is_conv_bn(_parent(network, name)) else name
            if module.weight.shape[1] == 3:
                return outer, module.weight.detach()
            break
    raise SpecError("the network has no first convolution on three colours, whose filters could be drawn")


def _parent(network: nn.Module, name: str) -> nn.Module:
    return network.get_submodule(name.rpartition(".")[0])
