"""The initialisations, layer by layer, as their papers give them."""

import math

import pytest
import torch
from torch import nn

from ilsvrc.errors import SpecError
from ilsvrc.models import MODELS, build
from ilsvrc.train.init import INITIALISATIONS, _classifiers, initialise

# A quarter wide and on small images: every kind of layer, in a fraction of a second.
SMALL = {
    name: {"classes": 20, "image_size": size, "width": 0.25}
    for name, size in (
        ("alexnet", 64),
        ("zfnet", 64),
        ("googlenet", 96),
        ("vgg11", 64),
        ("resnet18", 64),
        ("resnext50_32x4d", 64),
        ("se_resnet50", 64),
    )
}
CLASSIFIERS = {"alexnet": {"fc8"}, "googlenet": {"linear", "side_1.linear", "side_2.linear"}, "resnet18": {"fc"}}

Weighted = nn.Conv2d | nn.Linear


def started(name: str, init: str, seed: int = 0) -> nn.Module:
    model = build(name, **SMALL[name])
    initialise(model, init, seed)
    return model


def layers(model: nn.Module) -> dict[str, Weighted]:
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, Weighted)}


def fans(layer: Weighted) -> tuple[int, int]:
    """Inputs and outputs of a unit; outputs over all groups, as fb.resnet.torch counts them."""
    area = math.prod(layer.kernel_size) if isinstance(layer, nn.Conv2d) else 1
    return layer.weight.shape[1] * area, layer.weight.shape[0] * area


def assert_normal(layer: Weighted, std: float, name: str) -> None:
    """Mean 0 and that deviation, to within five standard errors; wider than any uniform law of that deviation."""
    values, count = layer.weight.detach().flatten(), layer.weight.numel()
    assert abs(float(values.mean())) < 5 * std / math.sqrt(count), name
    assert float(values.std()) == pytest.approx(std, rel=5 / math.sqrt(2 * count) + 1e-3), name
    if count > 1000:
        assert float(values.abs().max()) > 2.5 * std, name


def assert_uniform(layer: Weighted, bound: float, name: str) -> None:
    values, count = layer.weight.detach().flatten(), layer.weight.numel()
    assert float(values.abs().max()) <= bound * (1 + 1e-6), name
    assert float(values.std()) == pytest.approx(bound / math.sqrt(3), rel=5 / math.sqrt(count) + 1e-3), name


@pytest.mark.sampled(2)
@pytest.mark.parametrize("init", INITIALISATIONS)
@pytest.mark.parametrize("name", SMALL)
def test_a_start_is_a_function_of_the_seed_alone(name: str, init: str):
    torch.manual_seed(11)
    one = started(name, init, seed=4).state_dict()
    torch.manual_seed(12)
    same, other = started(name, init, seed=4).state_dict(), started(name, init, seed=5).state_dict()
    assert all(torch.equal(tensor, same[key]) for key, tensor in one.items())
    weights = [key for key, tensor in one.items() if tensor.ndim > 1]
    assert not any(torch.equal(one[key], other[key]) for key in weights)


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_batch_norm_starts_at_one_and_zero(init: str):
    # No residual branch starts at zero, as later libraries have it: the papers do not.
    for layer in started("resnet18", init).modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))
            assert torch.equal(layer.bias, torch.zeros_like(layer.bias))


def test_krizhevsky_starts_at_one_hundredth_with_biases_of_one_in_five_layers():
    # Krizhevsky et al. 2012, section 5: "second, fourth, and fifth convolutional layers, [and] the hidden layers".
    found = layers(started("alexnet", "krizhevsky"))
    for name, layer in found.items():
        assert_normal(layer, 0.01, name)
        one = name in ("conv2", "conv4", "conv5", "fc6", "fc7")
        assert torch.equal(layer.bias, torch.full_like(layer.bias, float(one))), name
    assert list(found) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]


@pytest.mark.parametrize("name", ["zfnet", "vgg11"])
def test_gaussian_is_one_hundredth_with_biases_of_zero(name: str):
    for layer_name, layer in layers(started(name, "gaussian")).items():
        assert_normal(layer, 0.01, layer_name)
        assert not layer.bias.any()


def test_glorot_is_uniform_within_the_root_of_six_over_inputs_and_outputs():
    for name, layer in layers(started("vgg11", "glorot")).items():
        assert_uniform(layer, math.sqrt(6 / sum(fans(layer))), name)
        assert not layer.bias.any()


def test_caffe_s_xavier_is_uniform_by_inputs_alone_with_small_biases():
    # BVLC's bvlc_googlenet: filler "xavier", bias 0.2, and 0 in the three classifiers.
    for name, layer in layers(started("googlenet", "caffe xavier")).items():
        assert_uniform(layer, math.sqrt(3 / fans(layer)[0]), name)
        wanted = 0.0 if name in CLASSIFIERS["googlenet"] else 0.2
        assert torch.equal(layer.bias, torch.full_like(layer.bias, wanted)), name


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d", "se_resnet50"])
def test_he_is_normal_by_outputs_and_the_classifier_one_hundredth(name: str):
    for layer_name, layer in layers(started(name, "he")).items():
        assert_normal(layer, 0.01 if layer_name == "fc" else math.sqrt(2 / fans(layer)[1]), layer_name)
        assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize("name", ["alexnet", "googlenet"])
def test_he_by_inputs_leaves_classifiers_at_one_hundredth(name: str):
    for layer_name, layer in layers(started(name, "he inputs")).items():
        classifier = layer_name in CLASSIFIERS[name]
        assert_normal(layer, 0.01 if classifier else math.sqrt(2 / fans(layer)[0]), layer_name)
        assert not layer.bias.any()


def test_he_by_inputs_keeps_the_scale_through_sixteen_layers():
    # He et al. 2015a, equation 10: without it the signal of a deep ReLU network fades or bursts.
    torch.manual_seed(0)
    stack = nn.Sequential(*[part for _ in range(16) for part in (nn.Linear(512, 512), nn.ReLU())], nn.Linear(512, 10))
    initialise(stack, "he inputs", seed=0)
    x = torch.randn(256, 512)
    scales = [float((x := part(x)).detach().square().mean()) for part in stack[:-1]]
    assert 0.4 < scales[-1] / scales[1] < 2.5
    initialise(stack, "gaussian", seed=0)
    with torch.no_grad():
        assert float(stack[:-1](torch.randn(256, 512)).square().mean()) < 1e-10


@pytest.mark.sampled
@pytest.mark.parametrize("name", MODELS)
def test_classifiers_are_the_layers_with_an_output_per_class(name: str):
    with torch.device("meta"):
        model = build(name, classes=7)  # as many as no hidden layer has
    found = {n for n, layer in model.named_modules() if isinstance(layer, nn.Linear) and layer.out_features == 7}
    assert _classifiers(model) == found


def test_an_unknown_start_is_refused_with_those_there_are():
    with pytest.raises(SpecError, match="no initialisation is called 'xavier'; there are krizhevsky, krizhevsky 2014"):
        initialise(nn.Linear(2, 2), "xavier", 0)
