"""Szegedy, Ioffe, Vanhoucke, Alemi 2016: Inception-ResNet-v1 of the paper, v2 as released; Hu et al. 2017: gates."""

import pytest
import torch
from blank import meta
from torch import nn
from torch.nn import functional as F

from ilsvrc.models.anatomy import layer_table, macs, parameters
from ilsvrc.models.inception_resnet import SqueezeExcitation, block_8, block_17, block_35

V2 = ("inception_resnet_v2", "inception_resnet_v2_caffe")
GATED = "se_inception_resnet_v2"
SHAPES_V2 = {
    "conv_4a": (192, 71),
    "pool_5a": (192, 35),
    "mixed_5b": (320, 35),
    "block35": (320, 35),
    "mixed_6a": (1088, 17),
    "block17": (1088, 17),
    "mixed_7a": (2080, 8),
    "block8": (2080, 8),
    "block8_last": (2080, 8),
    "conv_7b": (1536, 8),
}
SHAPES_V1 = {
    "conv_4a": (192, 71),
    "conv_4b": (256, 35),
    "block35": (256, 35),
    "mixed_6a": (896, 17),
    "block17": (896, 17),
    "mixed_7a": (1792, 8),
    "block8": (1792, 8),
}


@pytest.mark.parametrize("name", V2)
def test_parameters_and_multiply_adds_of_the_released_form(name: str) -> None:
    assert (parameters(meta(name)), macs(layer_table(meta(name), 299))) == (55_843_464, 13_155_794_016)


def test_parameters_and_multiply_adds_of_the_paper_s_v1() -> None:
    network = meta("inception_resnet_v1")
    assert (parameters(network), macs(layer_table(network, 299))) == (22_756_328, 6_206_361_696)


@pytest.mark.parametrize(("name", "wanted"), [("inception_resnet_v2", SHAPES_V2), ("inception_resnet_v1", SHAPES_V1)])
def test_maps_and_sides(name: str, wanted: dict[str, tuple[int, int]]) -> None:
    network = meta(name)
    found: dict[str, tuple[int, int]] = {}
    for part, module in network.named_children():
        module.register_forward_hook(
            lambda _m, _i, y, part=part: found.update({part: (y.shape[1], y.shape[2])}) if y.ndim == 4 else None
        )
    layer_table(network, 299)
    assert {part: found[part] for part in wanted} == wanted


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("inception_resnet_v2", (10, 20, 9)), (GATED, (10, 20, 9)), ("inception_resnet_v1", (5, 10, 5))],
)
def test_blocks_and_their_scales(name: str, blocks: tuple[int, int, int]) -> None:
    network = meta(name)
    stacks = (network.block35, network.block17, network.block8)
    assert tuple(map(len, stacks)) == blocks
    assert [{block.scale for block in stack} for stack in stacks] == [{0.17}, {0.1}, {0.2}]


@pytest.mark.parametrize("name", V2)
def test_the_last_block_is_not_scaled_and_has_no_relu(name: str) -> None:
    last = meta(name).block8_last
    assert (last.scale, last.activated) == (1.0, False)
    assert all(block.activated for block in meta(name).block8)


@pytest.mark.parametrize("make", [block_35, block_17, block_8])
def test_a_block_adds_the_scaled_sum_of_its_branches_to_its_input(make: object) -> None:
    torch.manual_seed(0)
    block = make(16, 0.1, gated=False).eval()
    x = torch.rand(1, 16, 5, 5)
    stacked = torch.cat([branch(x) for branch in block.branches.children()], dim=1)
    up = F.conv2d(stacked, block.up.weight, block.up.bias)
    scale = {block_35: 0.17, block_17: 0.10, block_8: 0.20}[make]
    assert torch.allclose(block(x), torch.clamp(x + scale * up, min=0), atol=1e-6)


def test_the_1x1_that_closes_a_block_has_a_bias_and_no_batch_norm_and_is_the_only_one() -> None:
    network = meta("inception_resnet_v2")
    biased = [name for name, m in network.named_modules() if isinstance(m, nn.Conv2d) and m.bias is not None]
    assert len(biased) == 40
    assert all(name.endswith(".up") for name in biased)


def test_the_one_average_leaves_out_the_padding_in_google_s_and_counts_it_in_the_conversion() -> None:
    for name, corner in zip(V2, (1.0, 4 / 9), strict=True):
        (pool,) = [m for m in meta(name).modules() if isinstance(m, nn.AvgPool2d)]
        assert float(pool(torch.ones(1, 1, 5, 5))[0, 0, 0, 0]) == pytest.approx(corner)


@pytest.mark.parametrize(
    ("name", "wanted"), [("inception_resnet_v2", (256, 256, 384, 384)), ("inception_resnet_v1", (192, 192, 256, 384))]
)
def test_reduction_a_has_the_paper_s_k_l_m_and_n(name: str, wanted: tuple[int, ...]) -> None:
    module = meta(name).mixed_6a
    double = [layer.conv.out_channels for layer in module.branch_2.line]
    assert (*double, module.branch_1.line[0].conv.out_channels) == wanted


def test_dropout_keeps_four_fifths_and_batch_norm_adds_a_thousandth() -> None:
    for name in ("inception_resnet_v2", "inception_resnet_v1"):
        assert meta(name).drop.p == 0.2
        assert {m.eps for m in meta(name).modules() if isinstance(m, nn.BatchNorm2d)} == {0.001}


def test_the_gates_cost_what_equation_5_says_for_forty_blocks_and_three_modules() -> None:
    sizes = [320] * 11 + [1088] * 21 + [2080] * 11
    added = sum(2 * c * (c // 16) + c + c // 16 for c in sizes)
    assert parameters(meta(GATED)) - parameters(meta("inception_resnet_v2")) == added
    gates = [m for m in meta(GATED).modules() if isinstance(m, SqueezeExcitation)]
    assert sorted(gate.fc1.in_features for gate in gates) == sorted(sizes)


def test_a_gate_is_on_the_branch_before_the_scaled_addition() -> None:
    torch.manual_seed(0)
    block = block_35(32, 0.1, gated=True).eval()
    x = torch.rand(1, 32, 5, 5)
    nn.init.zeros_(block.se.fc2.weight)
    nn.init.constant_(block.se.fc2.bias, -100.0)  # a closed gate lets the shortcut pass and nothing else
    assert torch.allclose(block(x), x)
    nn.init.zeros_(block.se.fc2.bias)  # half open
    assert torch.allclose(block(x), F.relu(x + 0.17 * 0.5 * block.up(block.branches(x))), atol=1e-6)
