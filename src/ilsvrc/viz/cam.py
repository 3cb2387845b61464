"""Class activation maps: which places speak for a class.

`class_map` is of networks that end in a global average and one linear layer, where the mean of a map is a
logit exactly (Zhou et al. 2016). `gradient_map` is Grad-CAM (Selvaraju et al. 2017), for any network: a sum of a
layer's maps weighted by gradients, which adds up to nothing in particular.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.models import anatomy
from ilsvrc.viz.graph import Graph, graph
from ilsvrc.viz.layers import listening


def class_map(network: nn.Module, image: Tensor, label: int) -> tuple[Tensor, Tensor]:
    """The map (H, W) of a logit for an image (3, S, S), and what is added to its mean to give the logit, the bias.

    Raises SpecError for a network that does not end in a global average and at most one linear layer.
    """
    pool, linear = head(network, image.shape[-1])
    heard: list[Tensor] = []

    def hook(module: nn.Module, inputs: Any) -> None:
        heard.append(inputs[0])

    handle = network.get_submodule(pool).register_forward_pre_hook(hook)
    try:
        with torch.inference_mode(), anatomy.mode(network, training=False):
            network(image[None])
    finally:
        handle.remove()
    (maps,) = heard[-1]
    if linear is None:
        return maps[label], torch.zeros(())
    layer = network.get_submodule(linear)
    assert isinstance(layer, nn.Linear)
    with torch.inference_mode():
        return torch.tensordot(layer.weight[label], maps, dims=1), layer.bias[label].clone()


def head(network: nn.Module, image_size: int) -> tuple[str, str | None]:
    """Names of the global average at the end and of the linear layer behind it; None where the average is the end."""
    found = graph(network, image_size)
    place, linear = found.outputs[0], None
    if isinstance(found.vertices[place].module, nn.Linear):
        linear = found.vertices[place].name
        (place,) = found.vertices[place].inputs
    if not isinstance(found.vertices[place].module, nn.AdaptiveAvgPool2d):
        raise SpecError(
            "a class activation map needs a network that ends in a global average and one linear layer, and this one "
            f"ends in {_ending(found)}; --gradient draws Grad-CAM, which is another thing"
        )
    return found.vertices[place].name, linear


def _ending(found: Graph) -> str:
    names = [vertex.name for vertex in found.vertices if isinstance(vertex.module, nn.Linear)]
    return ", ".join(names[-3:]) or found.vertices[-1].name


def gradient_map(network: nn.Module, image: Tensor, layer: str, label: int) -> Tensor:
    """Grad-CAM of a logit: the layer's maps, each times the mean of its gradient, added; cut off below zero, (H, W).

    Raises SpecError for a full layer, which has no places.
    """
    with torch.enable_grad(), listening(network, layer, stop=False) as heard:
        logits = network(image[None].detach().clone().requires_grad_())
        maps = heard[-1]
        if maps.dim() != 4:
            raise SpecError(f"{layer} is a full layer and has no places to draw; give a layer of maps")
        (slope,) = torch.autograd.grad(logits[0, label], maps)
    weights = slope[0].mean((1, 2))
    added: Tensor = torch.tensordot(weights, maps[0].detach(), dims=1)
    return added.relu()
