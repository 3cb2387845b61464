"""The initialisations by paper. `Recipe.init` names one; `initialise` applies it."""

import math
from collections.abc import Callable

import torch
from torch import nn

from ilsvrc.errors import SpecError


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


def gaussian(model: nn.Module, generator: torch.Generator) -> None:
    """N(0, 0.01), biases 0 (Zeiler and Fergus 2013, section 3; Simonyan and Zisserman 2014, section 3.1)."""
    for _, layer in _weighted(model):
        layer.weight.normal_(0, 0.01, generator=generator)
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


INITIALISATIONS: dict[str, Callable[[nn.Module, torch.Generator], None]] = {
    "krizhevsky": krizhevsky,
    "gaussian": gaussian,
    "glorot": glorot,
    "caffe xavier": caffe_xavier,
    "he": he,
    "he inputs": he_inputs,
}


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
