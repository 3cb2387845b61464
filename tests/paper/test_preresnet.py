"""He, Zhang, Ren, Sun 2016: the pre-activated unit, its special cases, and the networks for ImageNet."""

import pytest
import torch
from blank import meta
from torch import nn
from torch.nn import functional as F

from ilsvrc.models import build
from ilsvrc.models.anatomy import layer_table, macs, parameters
from ilsvrc.models.preresnet import PreResNet, Unit

COUNTS = {  # parameters, multiply-adds, units
    "preresnet50": (25_549_352, 4_089_184_256, (3, 4, 6, 3)),
    "preresnet101": (44_541_480, 7_801_405_440, (3, 4, 23, 3)),
    "preresnet152": (60_185_128, 11_513_626_624, (3, 8, 36, 3)),
    "preresnet200": (64_666_152, 15_007_481_856, (3, 24, 36, 3)),
    "preresnet101_caffe": (44_541_480, 7_801_405_440, (3, 4, 23, 3)),
    "preresnet152_caffe": (60_185_128, 11_513_626_624, (3, 8, 36, 3)),
    "preresnet269_caffe": (102_065_704, 20_029_898_752, (3, 30, 48, 8)),
}


def stages(network: nn.Module) -> tuple[nn.Sequential, ...]:
    return (network.conv2, network.conv3, network.conv4, network.conv5)


def norm(x: torch.Tensor, layer: nn.BatchNorm2d) -> torch.Tensor:
    mean, variance, gain, shift = (
        t.view(1, -1, 1, 1) for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (x - mean) / torch.sqrt(variance + 1e-5) * gain + shift


def with_statistics(network: nn.Module) -> nn.Module:
    """Batch norms that do something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", COUNTS)
def test_parameters_multiply_adds_and_units(name: str) -> None:
    network = meta(name)
    assert (parameters(network), macs(layer_table(network, 224))) == COUNTS[name][:2]
    assert tuple(map(len, stages(network))) == COUNTS[name][2]


def test_200_layers_are_152_with_sixteen_more_units_at_28_pixels() -> None:
    more = COUNTS["preresnet200"][1] - COUNTS["preresnet152"][1]
    unit = 512 * 128 + 128 * 128 * 9 + 128 * 512
    assert more == 16 * unit * 28 * 28
    norms = 512 + 128 + 128  # two values each
    assert COUNTS["preresnet200"][0] - COUNTS["preresnet152"][0] == 16 * (unit + 2 * norms)


def test_at_320_pixels_the_cost_is_that_of_the_papers_test() -> None:
    assert macs(layer_table(meta("preresnet200"), 320)) == 30_625_382_400


def test_moving_the_batch_norms_takes_7680_parameters_away() -> None:
    for depth in (50, 101, 152):
        with torch.device("meta"):
            after = build(f"resnet{depth}_v1_5")
        assert parameters(after) - COUNTS[f"preresnet{depth}"][0] == 7_680


def test_a_unit_adds_to_its_input_what_comes_of_it_activated() -> None:
    torch.manual_seed(0)
    unit = with_statistics(Unit(8, 2, 1, first=False))
    x = torch.randn(2, 8, 5, 5)
    y = F.conv2d(F.relu(norm(x, unit.norm)), unit.conv1.conv.weight)
    y = F.conv2d(F.relu(norm(y, unit.conv1.norm)), unit.conv2.conv.weight, padding=1)
    y = F.conv2d(F.relu(norm(y, unit.conv2.norm)), unit.conv3.weight)
    assert torch.allclose(unit(x), x + y, atol=1e-5)


def test_a_projection_takes_the_activated_map_and_has_no_batch_norm() -> None:
    torch.manual_seed(0)
    unit = with_statistics(Unit(8, 4, 2, first=False))
    nn.init.zeros_(unit.conv3.weight)
    x = torch.randn(2, 8, 6, 6)
    wanted = F.conv2d(F.relu(norm(x, unit.norm)), unit.shortcut.weight, stride=2)
    assert torch.allclose(unit(x), wanted, atol=1e-5)
    assert isinstance(unit.shortcut, nn.Conv2d)


def test_the_first_unit_leaves_the_activation_to_the_stem_and_a_last_one_follows_the_last_addition() -> None:
    torch.manual_seed(0)
    network = with_statistics(build("preresnet50", classes=3, width=0.05))
    assert isinstance(network, PreResNet)
    assert isinstance(network.conv2[0].norm, nn.Identity)
    assert all(isinstance(u.norm, nn.BatchNorm2d) for s in stages(network) for u in s if u is not network.conv2[0])
    images = torch.randn(1, 3, 64, 64)
    x = network.pool1(F.relu(network.conv1(images)))
    for stage in stages(network):
        x = stage(x)
    assert torch.allclose(network.features(images), F.relu(norm(x, network.norm5)), atol=1e-5)


@pytest.mark.parametrize("name", COUNTS)
def test_strides_are_in_the_3x3_of_the_first_unit_of_a_stage(name: str) -> None:
    for number, stage in enumerate(stages(meta(name))):
        first = stage[0]
        strides = [first.conv1.conv.stride[0], first.conv2.conv.stride[0], first.conv3.stride[0]]
        step = 2 if number else 1
        assert (strides, first.shortcut.stride[0]) == ([1, step, 1], step)
        assert all(unit.shortcut is None and unit.conv2.conv.stride == (1, 1) for unit in stage[1:])


@pytest.mark.sampled
@pytest.mark.parametrize("name", COUNTS)
def test_pool1_is_padded_and_rounds_down_but_in_the_releases_for_caffe(name: str) -> None:
    pool = meta(name).pool1
    assert (pool.padding, pool.ceil_mode) == ((0, True) if name.endswith("_caffe") else (1, False))
