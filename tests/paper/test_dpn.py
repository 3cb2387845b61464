"""Chen et al. 2017, after the released definitions: two paths, one added up and one that grows."""

import pytest
import torch
from blank import meta
from torch import nn
from torch.nn import functional as F

from ilsvrc.models.anatomy import layer_table, macs, parameters
from ilsvrc.models.dpn import Block, Convolutions, Projection

COUNTS = {  # parameters, image size, multiply-adds, blocks, groups, maps inside conv2, grown by
    "dpn92": (37_668_392, 224, 6_501_684_224, (3, 4, 20, 3), 32, 96, (16, 32, 24, 128)),
    "dpn98": (61_570_728, 224, 11_671_217_152, (3, 6, 20, 3), 40, 160, (16, 32, 32, 128)),
    "dpn131": (79_254_504, 320, 32_678_118_400, (4, 8, 28, 3), 40, 160, (16, 32, 32, 128)),
}


def stages(network: nn.Module) -> tuple[nn.Sequential, ...]:
    return (network.conv2, network.conv3, network.conv4, network.conv5)


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_adds(name: str) -> None:
    count, size, multiply_adds, *_ = COUNTS[name]
    assert (parameters(meta(name)), macs(layer_table(meta(name), size))) == (count, multiply_adds)


@pytest.mark.parametrize("name", COUNTS)
def test_blocks_groups_and_widths(name: str) -> None:
    _, _, _, blocks, groups, inside, _ = COUNTS[name]
    for place, stage in enumerate(stages(meta(name))):
        assert len(stage) == blocks[place]
        assert {(b.branch.conv2.conv.groups, b.branch.conv2.conv.out_channels) for b in stage} == {
            (groups, inside << place)
        }


@pytest.mark.parametrize("name", COUNTS)
def test_the_one_path_keeps_its_maps_and_the_other_grows(name: str) -> None:
    blocks, grow = COUNTS[name][3], COUNTS[name][6]
    for place, stage in enumerate(stages(meta(name))):
        add = 256 << place
        assert stage[0].shortcut.conv.out_channels == add + 2 * grow[place]
        seen = [block.branch.norm.num_features for block in stage[1:]]
        assert seen == [add + (3 + number) * grow[place] for number in range(blocks[place] - 1)]
        assert {b.branch.conv3.out_channels for b in stage} == {add + grow[place]}
    assert meta(name).fc.in_features == 2048 + 5 * 128


def test_a_block_adds_to_the_one_path_and_stacks_onto_the_other() -> None:
    torch.manual_seed(0)
    block = Block(Convolutions(12, 4, 2, 1, 10), None, add=8).eval()
    x = torch.randn(2, 12, 5, 5)
    y = block.branch(x)
    out = block(x)
    assert out.shape == (2, 14, 5, 5)
    assert torch.equal(out[:, :8], x[:, :8] + y[:, :8])
    assert torch.equal(out[:, 8:12], x[:, 8:])
    assert torch.equal(out[:, 12:], y[:, 8:])


def test_batch_norm_and_relu_come_before_every_convolution() -> None:
    torch.manual_seed(0)
    branch = Convolutions(6, 4, 2, 2, 5).eval()
    for module in (branch.norm, branch.conv1.norm, branch.conv2.norm):
        nn.init.uniform_(module.running_mean, -0.5, 0.5)
        nn.init.uniform_(module.running_var, 0.5, 1.5)
        assert module.eps == 0.001

    def activated(x: torch.Tensor, layer: nn.BatchNorm2d) -> torch.Tensor:
        mean, variance = layer.running_mean.view(1, -1, 1, 1), layer.running_var.view(1, -1, 1, 1)
        return torch.clamp((x - mean) / torch.sqrt(variance + 0.001), min=0)

    x = torch.randn(2, 6, 6, 6)
    y = F.conv2d(activated(x, branch.norm), branch.conv1.conv.weight)
    y = F.conv2d(activated(y, branch.conv1.norm), branch.conv2.conv.weight, stride=2, padding=1, groups=2)
    y = F.conv2d(activated(y, branch.conv2.norm), branch.conv3.weight)
    assert torch.allclose(branch(x), y, atol=1e-5)
    projection = Projection(6, 4, 2).eval()
    wanted = F.conv2d(torch.clamp(x / 1.001**0.5, min=0), projection.conv.weight, stride=2)
    assert torch.allclose(projection(x), wanted, atol=1e-5)


@pytest.mark.parametrize("name", COUNTS)
def test_a_stage_but_the_first_halves_the_map_in_the_3x3_and_in_the_projection(name: str) -> None:
    for place, stage in enumerate(stages(meta(name))):
        first = stage[0]
        strides = [first.branch.conv1.conv, first.branch.conv2.conv, first.branch.conv3, first.shortcut.conv]
        step = 2 if place else 1
        assert [conv.stride[0] for conv in strides] == [1, step, 1, step]
        assert all(block.shortcut is None for block in stage[1:])
