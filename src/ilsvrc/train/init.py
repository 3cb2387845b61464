"""The initialisations by paper. `Recipe.init` names one; `initialise` applies it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

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
    "calibrated": he_inputs,  # and then `calibrate`, which wants images
}


def calibrate(model: nn.Module, images: Tensor) -> None:
    """Scale and shift each layer so that its units have mean 0 and deviation 1 over these images.

    Krähenbühl et al. 2015 (data-dependent initialisation), Mishkin and Matas 2015: what batch normalisation does,
    done once. Without it a deep ReLU network starts with nearly the same answer for every image. One pass: each
    layer hands on its corrected output. Layers without a bias and classifiers stay as they are.
    images is (N, 3, H, W), as the network is fed in training.
    """
    classifiers = _classifiers(model)
    handles = [
        layer.register_forward_hook(_center)
        for name, layer in _weighted(model)
        if layer.bias is not None and name not in classifiers
    ]
    modes = {layer: layer.training for layer in model.modules()}
    model.train()  # side heads answer in training only
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
        for layer, mode in modes.items():
            layer.training = mode


def _center(layer: nn.Module, _: object, output: Tensor) -> Tensor:
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    assert layer.bias is not None
    others = [axis for axis in range(output.ndim) if axis != 1]
    mean, deviation = output.mean(others), output.std(others).clamp_min(1e-3)
    layer.weight.div_(deviation.reshape(-1, *[1] * (layer.weight.ndim - 1)))
    layer.bias.sub_(mean).div_(deviation)
    shape = (-1, *[1] * (output.ndim - 2))
    return (output - mean.reshape(shape)) / deviation.reshape(shape)


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
