"""A layer's initial weights and biases by each recipe: numbers worked out from the papers, on layers of their sizes."""

import pytest
import torch
from published import PUBLISHED
from torch import nn

from ilsvrc.train.init import initialise


def conv(maps_in: int, maps_out: int, size: int, groups: int = 1) -> nn.Module:
    return nn.Conv2d(maps_in, maps_out, size, groups=groups)


# Recipe -> (name of the layer, the layer, deviation of its weights, its biases).
STARTS: dict[str, list[tuple[str, nn.Module, float, float]]] = {
    "alexnet": [("conv3", conv(256, 384, 3), 0.01, 0.0), ("fc7", nn.Linear(4096, 512), 0.01, 1.0)],
    "alexnet_caffe": [("conv4", conv(384, 384, 3, 2), 0.01, 0.1), ("fc6", nn.Linear(2304, 1024), 0.005, 0.1)],
    "caffenet": [("conv2", conv(96, 256, 5, 2), 0.01, 1.0), ("fc8", nn.Linear(4096, 1000), 0.01, 0.0)],
    "alexnet_one_tower": [("conv3", conv(192, 384, 3), 0.03, 0.0), ("fc8", nn.Linear(4096, 1000), 0.01, -7.0)],
    "zfnet": [("conv1", conv(3, 96, 7), 0.01, 0.0), ("fc6", nn.Linear(2304, 1024), 0.01, 0.0)],
    "overfeat_fast": [("conv4", conv(512, 1024, 3), 0.01, 0.0)],
    "nin": [("conv2", conv(96, 256, 5), 0.05, 0.0)],
    # Uniform within sqrt(3 / (64 * 9)): a deviation of 1 / 24.
    "googlenet": [("conv2", conv(64, 192, 3), 1 / 24, 0.2), ("linear", nn.Linear(1024, 1000), 1 / 32, 0.0)],
    "bn_inception": [("conv2", conv(64, 192, 3), 1 / 24, 0.2)],
    # Uniform within sqrt(6 / (inputs + outputs)): a deviation of sqrt(2 / (256 * 9 + 512 * 9)).
    "vgg16": [("conv4_1", conv(256, 512, 3), 0.0170103, 0.0), ("fc8", nn.Linear(4096, 1000), 0.0198107, 0.0)],
    "vgg11": [("conv4_1", conv(256, 512, 3), 0.01, 0.0)],
    # sqrt(2 / (9 * 128)), by outputs; of a grouped convolution all of them.
    "resnet50": [("conv", conv(128, 128, 3), 1 / 24, 0.0), ("fc", nn.Linear(2048, 1000), 0.01, 0.0)],
    "preresnet200": [("conv", conv(128, 128, 3), 1 / 24, 0.0)],
    "wideresnet50_2": [("conv", conv(512, 512, 3), 1 / 48, 0.0)],
    "resnext50_32x4d": [("conv", conv(512, 512, 3, 32), 1 / 48, 0.0)],
    "senet154": [("conv", conv(512, 512, 3, 64), 1 / 48, 0.0)],
    # Cut off at two deviations, a normal of 0.1 has a deviation of 0.08796.
    "inception_v3": [("conv", conv(192, 320, 3), 0.087963, 0.0), ("fc", nn.Linear(2048, 1000), 0.087963, 0.0)],
    # sqrt(1.3 * 2 / (9 * 192)) times 0.87963: close to sqrt(2 / (9 * 192)), which the 1.3 is for.
    "inception_v4": [("conv", conv(192, 224, 3), 0.034120, 0.0)],
    # sqrt(2 / (9 * 256)), by inputs.
    "modern, plain": [("conv", conv(256, 512, 3), 0.0294628, 0.0)],
}


@pytest.mark.sampled
@pytest.mark.parametrize("name", STARTS)
def test_a_layer_starts_as_the_paper_says(name: str):
    recipe = PUBLISHED[name][0]
    torch.manual_seed(1)
    network = nn.ModuleDict({layer: module for layer, module, _, _ in STARTS[name]})
    initialise(network, recipe.init, seed=0)
    for layer, module, deviation, bias in STARTS[name]:
        weights = module.weight.detach().flatten()
        error = 5 * deviation / len(weights) ** 0.5
        assert abs(float(weights.mean())) < error, layer
        assert float(weights.std()) == pytest.approx(deviation, abs=error), layer
        assert torch.equal(module.bias, torch.full_like(module.bias, bias)), layer


def test_every_start_of_a_paper_s_recipe_is_in_the_table():
    ours = {"miniature", "miniature, plain"}
    used = {recipe.init for name, (recipe, *_) in PUBLISHED.items() if name not in ours}
    assert {PUBLISHED[name][0].init for name in STARTS} == used


def test_inception_v3_s_side_head_starts_smaller():
    # Its last convolution at 0.01 and its classifier at 0.001, as released; cut off at two deviations.
    side = nn.ModuleDict({"reduce": conv(768, 128, 1), "conv": conv(128, 768, 5), "linear": nn.Linear(768, 1000)})
    network = nn.ModuleDict({"side": side, "fc": nn.Linear(64, 1000)})
    initialise(network, PUBLISHED["inception_v3"][0].init, seed=0)
    deviations = [float(layer.weight.detach().std()) / 0.87963 for layer in (*side.values(), network["fc"])]
    assert deviations == pytest.approx([0.1, 0.01, 0.001, 0.1], rel=0.02)
    assert float(side["conv"].weight.detach().abs().max()) <= 0.02
