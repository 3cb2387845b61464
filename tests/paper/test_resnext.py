"""Xie, Girshick, Dollár, Tu, He 2016: table 1 and figure 3."""

import pytest
import torch
from blank import meta
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc.models.anatomy import layer_table, macs, parameters
from ilsvrc.models.resnext import Block

COUNTS = {  # parameters, multiply-adds, C, blocks
    "resnext50_32x4d": (25_028_904, 4_230_479_872, 32, (3, 4, 6, 3)),
    "resnext101_32x4d": (44_177_704, 7_969_996_800, 32, (3, 4, 23, 3)),
    "resnext101_64x4d": (83_455_272, 15_460_270_080, 64, (3, 4, 23, 3)),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_adds(name: str) -> None:
    assert (parameters(meta(name)), macs(layer_table(meta(name), 224))) == COUNTS[name][:2]


@pytest.mark.parametrize("name", COUNTS)
def test_blocks_and_map_sizes_of_table_1(name: str) -> None:
    network = meta(name)
    blocks = COUNTS[name][3]
    assert tuple(len(s) for s in (network.conv2, network.conv3, network.conv4, network.conv5)) == blocks
    rows = {layer.name: layer.shape for layer in layer_table(network, 224)}
    assert rows["pool1"] == (64, 56, 56)
    for stage, (maps, side) in enumerate(((256, 56), (512, 28), (1024, 14), (2048, 7)), start=2):
        assert rows[f"conv{stage}.{blocks[stage - 2] - 1}.conv3"] == (maps, side, side)


@pytest.mark.parametrize("name", COUNTS)
def test_the_width_of_a_path_doubles_from_stage_to_stage_and_their_number_stays(name: str) -> None:
    network = meta(name)
    C = COUNTS[name][2]
    for d, stage in zip((4, 8, 16, 32), (network.conv2, network.conv3, network.conv4, network.conv5), strict=True):
        for block in stage:
            conv = block.conv2.conv
            assert (conv.groups, conv.in_channels, conv.out_channels) == (C, C * d, C * d)


@pytest.mark.parametrize("name", COUNTS)
def test_the_stride_of_a_stage_sits_in_its_grouped_3x3(name: str) -> None:
    network = meta(name)
    for stage in (network.conv3, network.conv4, network.conv5):
        strides = [part.conv.stride[0] for part in (stage[0].conv1, stage[0].conv2, stage[0].conv3, stage[0].shortcut)]
        assert strides == [1, 2, 1, 2]


def test_pool1_is_padded_by_one_pixel() -> None:
    pool = meta("resnext50_32x4d").pool1
    assert (pool.padding, pool.ceil_mode) == (1, False)


def test_70_thousand_parameters_per_block_of_conv2() -> None:
    block = meta("resnext50_32x4d").conv2[1]
    weights = sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d))
    assert weights == 32 * (256 * 4 + 3 * 3 * 4 * 4 + 4 * 256) == 70_144


def test_the_grouped_block_is_the_sum_of_its_paths() -> None:
    """Figure 3: form (c), which is built, equals form (a), C separate bottlenecks added up."""
    torch.manual_seed(0)
    C, d = 8, 3
    block = Block(C, d, inputs=16, outputs=16, stride=1).eval().double()
    for norm in (m for m in block.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
    x = torch.randn(2, 16, 6, 6, dtype=torch.float64)

    def normalised(y: Tensor, norm: nn.BatchNorm2d, part: slice) -> Tensor:
        return F.batch_norm(y, norm.running_mean[part], norm.running_var[part], norm.weight[part], norm.bias[part])

    paths = torch.zeros_like(x)
    for path in range(C):
        part = slice(path * d, path * d + d)
        y = F.relu(normalised(F.conv2d(x, block.conv1.conv.weight[part]), block.conv1.norm, part))
        y = F.relu(normalised(F.conv2d(y, block.conv2.conv.weight[part], padding=1), block.conv2.norm, part))
        paths += F.conv2d(y, block.conv3.conv.weight[:, part])
    wanted = F.relu(x + normalised(paths, block.conv3.norm, slice(None)))
    assert torch.allclose(block(x), wanted, atol=1e-12)


def test_32x4d_has_about_the_parameters_of_a_resnet_of_the_same_depth() -> None:
    assert abs(parameters(meta("resnext50_32x4d")) / parameters(meta("resnet50")) - 1) < 0.03
