"""Zagoruyko and Komodakis 2016: bottlenecks that are wider inside; and what is known of WRN-68-3."""

import pytest
import torch
from blank import meta
from torch import nn

from ilsvrc.models import build
from ilsvrc.models.anatomy import depth, layer_table, macs, parameters

COUNTS = {  # parameters, multiply-adds, blocks, how many times wider
    "wideresnet50_2": (68_883_240, 11_398_021_120, (3, 4, 6, 3), 2),
    "wideresnet68_3": (176_162_344, 30_498_619_392, (3, 4, 12, 3), 3),
    "wideresnet101_2": (126_886_696, 22_753_050_624, (3, 4, 23, 3), 2),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_adds(name: str) -> None:
    assert (parameters(meta(name)), macs(layer_table(meta(name), 224))) == COUNTS[name][:2]


@pytest.mark.parametrize("name", COUNTS)
def test_a_block_is_wider_inside_alone_and_the_stem_is_not(name: str) -> None:
    network = meta(name)
    blocks, k = COUNTS[name][2:]
    assert network.conv1.conv.out_channels == 64
    for place, maps in enumerate((64, 128, 256, 512)):
        stage = network.get_submodule(f"conv{place + 2}")
        assert len(stage) == blocks[place]
        assert {(b.conv1.conv.out_channels, b.conv2.conv.out_channels, b.conv3.conv.out_channels) for b in stage} == {
            (k * maps, k * maps, 4 * maps)
        }


def test_the_name_counts_layers() -> None:
    assert [depth(meta(name), 224) for name in COUNTS] == [50, 68, 101]


@pytest.mark.parametrize("name", COUNTS)
def test_strides_are_in_the_3x3_and_pool1_is_padded_and_rounds_down(name: str) -> None:
    network = meta(name)
    for stage in (network.conv3, network.conv4, network.conv5):
        parts = (stage[0].conv1, stage[0].conv2, stage[0].conv3, stage[0].shortcut)
        assert [part.conv.stride[0] for part in parts] == [1, 2, 1, 2]
    assert (network.pool1.padding, network.pool1.ceil_mode) == (1, False)


def test_relu_comes_after_the_addition() -> None:
    block = build("wideresnet50_2", classes=2, width=0.05).eval().conv2[1]
    nn.init.zeros_(block.conv3.norm.weight)
    nn.init.constant_(block.conv3.norm.bias, -1.0)
    x = torch.rand(1, block.conv1.conv.in_channels, 4, 4) * 2
    assert torch.equal(block(x), torch.clamp(x - 1.0, min=0))
