"""Simonyan and Zisserman 2014, tables 1 and 2."""

import pytest
import torch
from blank import meta
from torch import nn

from ilsvrc.models import build
from ilsvrc.models.anatomy import layer_table, macs, parameters

CONFIGURATIONS = {  # parameters, multiply-adds, maps of each stage's convolutions
    "vgg11": (132_863_336, 7_609_090_048, (1, 1, 2, 2, 2)),
    "vgg11_lrn": (132_863_336, 7_609_090_048, (1, 1, 2, 2, 2)),
    "vgg13": (133_047_848, 11_308_466_176, (2, 2, 2, 2, 2)),
    "vgg16_c": (133_638_952, 11_770_888_192, (2, 2, 3, 3, 3)),
    "vgg16": (138_357_544, 15_470_264_320, (2, 2, 3, 3, 3)),
    "vgg19": (143_667_240, 19_632_062_464, (2, 2, 4, 4, 4)),
}


def convolutions(name: str) -> dict[str, nn.Conv2d]:
    return {n: m for n, m in meta(name).named_modules() if isinstance(m, nn.Conv2d)}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_parameters_and_multiply_adds(name: str) -> None:
    count, multiply_adds, _ = CONFIGURATIONS[name]
    assert parameters(meta(name)) == count
    assert macs(layer_table(meta(name), 224)) == multiply_adds


@pytest.mark.parametrize(
    ("name", "millions"), [("vgg11", 133), ("vgg13", 133), ("vgg16_c", 134), ("vgg16", 138), ("vgg19", 144)]
)
def test_parameters_in_millions_of_table_2(name: str, millions: int) -> None:
    assert round(parameters(meta(name)) / 1e6) == millions


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_column_of_table_1(name: str) -> None:
    wanted = {
        f"conv{stage}_{place}": maps
        for stage, (maps, count) in enumerate(
            zip((64, 128, 256, 512, 512), CONFIGURATIONS[name][2], strict=True), start=1
        )
        for place in range(1, count + 1)
    }
    assert {n: m.out_channels for n, m in convolutions(name).items()} == wanted


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_maps_halve_in_the_pools_alone(name: str) -> None:
    sides = {layer.name: layer.shape[1] for layer in layer_table(meta(name), 224) if len(layer.shape) == 3}
    for stage, side in enumerate((224, 112, 56, 28, 14), start=1):
        assert {s for n, s in sides.items() if n.startswith(f"conv{stage}_")} == {side}
        assert sides[f"pool{stage}"] == side // 2


def test_every_window_is_3x3_but_for_three_1x1_in_c() -> None:
    for name in CONFIGURATIONS:
        ones = {n for n, m in convolutions(name).items() if m.kernel_size == (1, 1)}
        assert ones == ({"conv3_3", "conv4_3", "conv5_3"} if name == "vgg16_c" else set())
        assert all(m.kernel_size == (3, 3) for n, m in convolutions(name).items() if n not in ones)
        assert all(m.stride == (1, 1) for m in convolutions(name).values())


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_full_layers_are_the_same_in_every_configuration(name: str) -> None:
    full = [layer.parameters for layer in layer_table(meta(name), 224) if layer.kind == "linear"]
    assert full == [102_764_544, 16_781_312, 4_097_000]
    assert sum(full) == 123_642_856


def test_layers_of_configuration_d() -> None:
    table = {layer.name: layer for layer in layer_table(meta("vgg16"), 224)}
    assert table["conv1_1"].parameters == 1_792
    assert table["conv1_2"].macs == 1_849_688_064
    assert table["conv4_1"].parameters == 1_180_160
    assert table["conv5_3"].macs == 462_422_016


def test_response_norm_is_in_a_lrn_alone_after_its_first_convolution() -> None:
    names = [layer.name for layer in layer_table(meta("vgg11_lrn"), 224)]
    assert names[:3] == ["conv1_1", "norm1_1", "pool1"]
    for name in set(CONFIGURATIONS) - {"vgg11_lrn"}:
        assert all(layer.kind != "response norm" for layer in layer_table(meta(name), 224))


def test_two_3x3_see_5x5_and_three_see_7x7() -> None:
    x = torch.zeros(1, 1, 15, 15, requires_grad=True)
    stack = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.ones_(stack.weight)
    y = x
    for layers in (1, 2, 3):
        y = stack(y)
        seen = torch.autograd.grad(y[0, 0, 7, 7], x, retain_graph=True)[0].count_nonzero()
        assert seen == (2 * layers + 1) ** 2


def test_a_7x7_costs_81_percent_more_than_three_3x3() -> None:
    three = sum(p.numel() for _ in range(3) for p in nn.Conv2d(512, 512, 3, bias=False).parameters())
    seven = sum(p.numel() for p in nn.Conv2d(512, 512, 7, bias=False).parameters())
    assert round(100 * (seven - three) / three) == 81


def test_dropout_follows_the_first_two_full_layers() -> None:
    names = [layer.name for layer in layer_table(meta("vgg16"), 224)]
    assert names[-5:] == ["fc6", "drop6", "fc7", "drop7", "fc8"]


def test_pools_round_up_as_the_authors_caffe_does() -> None:
    assert build("vgg11", classes=3, image_size=72, width=0.05).features(torch.zeros(1, 3, 72, 72)).shape[-1] == 3
