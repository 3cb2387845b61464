"""The initialisations by paper. `Recipe.init` names one; `initialise` applies it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError, WeightsError


def initialise(model: nn.Module, name: str, seed: int) -> None:
    """Fill the network's weights by the initialisation of that name, from `seed` alone.

    Raises SpecError on a name that is not in INITIALISATIONS.
    """
    if name not in INITIALISATIONS:
        raise SpecError(f"no initialisation is called {name!r}; there are {', '.join(INITIALISATIONS)}")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        INITIALISATIONS[name](model, generator)


def krizhevsky(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, 0.01) everywhere; biases 1 in conv2, conv4, conv5, fc6 and fc7, else 0 (Krizhevsky et al. 2012, section 5).

    The authors' code has 0.03 in conv3 to conv5; the paper's figure is used.
    """
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    for name, layer in _weighted(model):
        layer.weight.normal_(0, 0.01, generator=generator)
        _bias(layer, 1.0 if name.split(".")[-1] in ones else 0.0)


def krizhevsky_2014(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, 0.01), 0.03 in conv3 to conv5; biases 1 in five layers, -7 in fc8 (cuda-convnet2, its network for one GPU).

    With a bias of -7 every class starts as a rare event, as it is.
    """
    for name, layer in _weighted(model):
        own = name.split(".")[-1]
        layer.weight.normal_(0, 0.03 if own in ("conv3", "conv4", "conv5") else 0.01, generator=generator)
        _bias(layer, {"conv2": 1.0, "conv4": 1.0, "conv5": 1.0, "fc6": 1.0, "fc7": 1.0, "fc8": -7.0}.get(own, 0.0))


def bvlc_alexnet(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, 0.01), 0.005 in fc6 and fc7; biases 0.1 in conv2, conv4, conv5, fc6 and fc7, else 0 (bvlc_alexnet)."""
    _bvlc(model, generator, bias=0.1)


def bvlc_caffenet(model: nn.Module, generator: torch.Generator) -> None:
    """As BVLC's AlexNet with biases of 1 where that has 0.1 (BVLC's bvlc_reference_caffenet)."""
    _bvlc(model, generator, bias=1.0)


def gaussian(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, 0.01), biases 0 (Zeiler and Fergus 2013, section 3; Simonyan and Zisserman 2014, section 3.1)."""
    for _, layer in _weighted(model):
        layer.weight.normal_(0, 0.01, generator=generator)
        _bias(layer, 0.0)


def wider_gaussian(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, 0.05), biases 0 (the Caffe definition of Lin et al. 2013)."""
    for _, layer in _weighted(model):
        layer.weight.normal_(0, 0.05, generator=generator)
        _bias(layer, 0.0)


def glorot(model: nn.Module, generator: torch.Generator) -> None:
    """Uniform in ±sqrt(6 / (inputs + outputs)), biases 0 (Glorot and Bengio 2010; Simonyan and Zisserman 2014, 3.1)."""
    for _, layer in _weighted(model):
        inputs, outputs = _fans(layer)
        bound = math.sqrt(6 / (inputs + outputs))
        layer.weight.uniform_(-bound, bound, generator=generator)
        _bias(layer, 0.0)


def caffe_xavier(model: nn.Module, generator: torch.Generator) -> None:
    """Uniform in ±sqrt(3 / inputs); biases 0.2, 0 in classifiers (BVLC's GoogLeNet; the paper gives none)."""
    classifiers = _classifiers(model)
    for name, layer in _weighted(model):
        bound = math.sqrt(3 / _fans(layer)[0])
        layer.weight.uniform_(-bound, bound, generator=generator)
        _bias(layer, 0.0 if name in classifiers else 0.2)


def he(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, sqrt(2 / n)), n = kernel area times outputs; classifiers N(0, 0.01); batch norm 1 and 0.

    He et al. 2015, section 3.4; n by fan-out as in fb.resnet.torch. No residual branch starts at zero.
    """
    classifiers = _classifiers(model)
    for name, layer in _weighted(model):
        std = 0.01 if name in classifiers else math.sqrt(2 / _fans(layer)[1])
        layer.weight.normal_(0, std, generator=generator)
        _bias(layer, 0.0)


def he_inputs(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, sqrt(2 / n)), n = kernel area times inputs, biases 0; classifiers N(0, 0.01) (He et al. 2015a, eq. 10).

    Keeps the scale of activations through any depth of ReLU layers without normalisation.
    """
    classifiers = _classifiers(model)
    for name, layer in _weighted(model):
        std = 0.01 if name in classifiers else math.sqrt(2 / _fans(layer)[0])
        layer.weight.normal_(0, std, generator=generator)
        _bias(layer, 0.0)


def truncated_normal(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, 0.1) redrawn beyond two deviations, as TensorFlow's; biases 0 (Inception-v3's released code).

    In a side head its last convolution has 0.01 and its classifier 0.001.
    """
    stds = dict.fromkeys(_side_convolutions(model), 0.01)
    stds |= {name: 0.001 for name in _classifiers(model) if name.startswith("side")}
    for name, layer in _weighted(model):
        _truncated(layer, stds.get(name, 0.1), generator)
        _bias(layer, 0.0)


def variance_scaling(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, sqrt(2.6 / n)) redrawn beyond two deviations, n = kernel area times inputs; biases 0 (TF-slim's default).

    1.3 · 2 / n: the 1.3 makes up for the tails, so that the weights' own variance is about 2 / n.
    """
    for _, layer in _weighted(model):
        _truncated(layer, math.sqrt(2.6 / _fans(layer)[0]), generator)
        _bias(layer, 0.0)


INITIALISATIONS: dict[str, Callable[[nn.Module, torch.Generator], None]] = {
    "krizhevsky": krizhevsky,
    "krizhevsky 2014": krizhevsky_2014,
    "bvlc alexnet": bvlc_alexnet,
    "bvlc caffenet": bvlc_caffenet,
    "gaussian": gaussian,
    "wider gaussian": wider_gaussian,
    "glorot": glorot,
    "caffe xavier": caffe_xavier,
    "he": he,
    "he inputs": he_inputs,
    "truncated normal": truncated_normal,
    "variance scaling": variance_scaling,
}


def start_from(model: nn.Module, weights: dict[str, Tensor], layers: tuple[str, ...]) -> None:
    """Give the named layers, or all where none are named, the weights another training left under the same names.

    Raises WeightsError, before anything is changed, naming the first tensor that is missing or of another shape.
    """
    state: dict[str, Tensor] = model.state_dict()
    taken = [name for name in state if not layers or name.rpartition(".")[0] in layers]
    lost = [layer for layer in layers if not any(name.rpartition(".")[0] == layer for name in taken)]
    if lost:
        raise WeightsError(f"the network has no layer {lost[0]}, which it should take from another; look at the recipe")
    for name in taken:
        if name not in weights:
            raise WeightsError(f"the weights to start from have no {name}; these are the weights of another network")
        if weights[name].shape != state[name].shape:
            shapes = f"{tuple(weights[name].shape)} in the weights to start from and {tuple(state[name].shape)} here"
            raise WeightsError(f"{name} is {shapes}; start from a network of the same width, image size and classes")
    with torch.no_grad():
        for name in taken:
            state[name].copy_(weights[name])


def _bvlc(model: nn.Module, generator: torch.Generator, bias: float) -> None:
    for name, layer in _weighted(model):
        own = name.split(".")[-1]
        layer.weight.normal_(0, 0.005 if own in ("fc6", "fc7") else 0.01, generator=generator)
        _bias(layer, bias if own in ("conv2", "conv4", "conv5", "fc6", "fc7") else 0.0)


def _truncated(layer: nn.Conv2d | nn.Linear, std: float, generator: torch.Generator) -> None:
    nn.init.trunc_normal_(layer.weight, 0.0, std, -2 * std, 2 * std, generator=generator)


def _side_convolutions(model: nn.Module) -> set[str]:
    """The last convolution of each side head."""
    last: dict[str, str] = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d) and name.startswith("side"):
            last[name.split(".")[0]] = name
    return set(last.values())


def _weighted(model: nn.Module) -> list[tuple[str, nn.Conv2d | nn.Linear]]:
    """Convolutions and linear layers by name; batch norm is left at 1 and 0, where it starts."""
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def _classifiers(model: nn.Module) -> set[str]:
    """The layers whose outputs are logits: the last linear layer of the trunk and of each side head."""
    last: dict[str, str] = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            last[name.split(".")[0] if name.startswith("side") else ""] = name
    return set(last.values())


def _fans(layer: nn.Conv2d | nn.Linear) -> tuple[int, int]:
    """(inputs, outputs) of one unit: kernel area times maps. Outputs are not divided by groups, as in Torch7."""
    area = layer.weight[0, 0].numel() if layer.weight.ndim == 4 else 1
    return layer.weight.shape[1] * area, layer.weight.shape[0] * area


def _bias(layer: nn.Conv2d | nn.Linear, value: float) -> None:
    if layer.bias is not None:
        layer.bias.fill_(value)
