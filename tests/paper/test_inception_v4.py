"""Szegedy, Ioffe, Vanhoucke, Alemi 2016: Inception-v4 as released."""

import pytest
import torch
from blank import meta
from torch import nn

from ilsvrc.models.anatomy import layer_table, macs, parameters

NAMES = ("inception_v4", "inception_v4_caffe")
SHAPES = {
    "conv_1a": (32, 149),
    "conv_2a": (32, 147),
    "conv_2b": (64, 147),
    "mixed_3a": (160, 73),
    "mixed_4a": (192, 71),
    "mixed_5a": (384, 35),
    "inception_a": (384, 35),
    "reduction_a": (1024, 17),
    "inception_b": (1024, 17),
    "reduction_b": (1536, 8),
    "inception_c": (1536, 8),
    "pool": (1536, 1),
}


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_multiply_adds(name: str) -> None:
    assert (parameters(meta(name)), macs(layer_table(meta(name), 299))) == (42_679_816, 12_253_974_624)


def test_maps_and_sides() -> None:
    network = meta("inception_v4")
    found: dict[str, tuple[int, int]] = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _m, _i, y, name=name: found.update({name: (y.shape[1], y.shape[2])}) if y.ndim == 4 else None
        )
    layer_table(network, 299)
    assert found == SHAPES


def test_four_seven_and_three_modules() -> None:
    network = meta("inception_v4")
    assert [len(stack) for stack in (network.inception_a, network.inception_b, network.inception_c)] == [4, 7, 3]


def windows(branch: str) -> list[tuple[tuple[int, int], int]]:
    return [
        (m.kernel_size, m.out_channels)
        for m in meta("inception_v4").get_submodule(branch).modules()
        if isinstance(m, nn.Conv2d)
    ]


@pytest.mark.parametrize(
    ("branch", "wanted"),
    [
        ("mixed_4a.branch_2", [((1, 1), 64), ((1, 7), 64), ((7, 1), 64), ((3, 3), 96)]),
        ("inception_a.0.branch_3", [((1, 1), 64), ((3, 3), 96), ((3, 3), 96)]),
        ("reduction_a.branch_2", [((1, 1), 192), ((3, 3), 224), ((3, 3), 256)]),
        ("inception_b.6.branch_2", [((1, 1), 192), ((1, 7), 224), ((7, 1), 256)]),
        ("inception_b.0.branch_3", [((1, 1), 192), ((7, 1), 192), ((1, 7), 224), ((7, 1), 224), ((1, 7), 256)]),
        ("reduction_b.branch_2", [((1, 1), 256), ((1, 7), 256), ((7, 1), 320), ((3, 3), 320)]),
        ("inception_c.0.branch_2", [((1, 1), 384), ((1, 3), 256), ((3, 1), 256)]),
        ("inception_c.2.branch_3", [((1, 1), 384), ((3, 1), 448), ((1, 3), 512), ((1, 3), 256), ((3, 1), 256)]),
    ],
)
def test_the_convolutions_of_a_branch_in_their_order(branch: str, wanted: list[tuple[tuple[int, int], int]]) -> None:
    assert windows(branch) == wanted


def test_the_stem_and_the_reductions_are_not_padded_where_they_lose_pixels() -> None:
    for name, module in meta("inception_v4").named_modules():
        if isinstance(module, nn.Conv2d) and (
            module.stride[0] == 2 or name in ("conv_2a.conv", "mixed_4a.branch_1.line.1.conv")
        ):
            assert module.padding == (0, 0), name
    pools = [m for m in meta("inception_v4").modules() if isinstance(m, nn.MaxPool2d)]
    assert [(m.kernel_size, m.stride, m.padding) for m in pools] == [(3, 2, 0)] * 4


def test_google_s_averages_leave_out_the_padding_and_the_conversion_counts_it() -> None:
    ones = torch.ones(1, 1, 5, 5)
    for name, corner in zip(NAMES, (1.0, 4 / 9), strict=True):
        pools = [m for m in meta(name).modules() if isinstance(m, nn.AvgPool2d)]
        assert len(pools) == 14
        assert all(float(pool(ones)[0, 0, 0, 0]) == pytest.approx(corner) for pool in pools)


def test_dropout_keeps_four_fifths_and_batch_norm_adds_a_thousandth() -> None:
    assert meta("inception_v4").drop.p == 0.2
    assert {m.eps for m in meta("inception_v4").modules() if isinstance(m, nn.BatchNorm2d)} == {0.001}
