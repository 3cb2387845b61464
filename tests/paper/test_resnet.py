"""He, Zhang, Ren, Sun 2015: table 1, figures 3 and 5, section 4.1."""

import pytest
import torch
from blank import meta
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc.models import build
from ilsvrc.models.anatomy import layer_table, macs, parameters
from ilsvrc.models.resnet import Basic, Bottleneck

COUNTS = {
    "plain18": (11_515_688, 1_794_805_760),
    "resnet18": (11_689_512, 1_814_073_344),
    "plain34": (21_623_848, 3_644_493_824),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 3_857_973_248),
    "resnet101": (44_549_160, 7_570_194_432),
    "resnet152": (60_192_808, 11_282_415_616),
}
BLOCKS = {
    "plain18": (2, 2, 2, 2),
    "resnet18": (2, 2, 2, 2),
    "plain34": (3, 4, 6, 3),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
DEEP = ("resnet50", "resnet101", "resnet152")


@pytest.mark.sampled
@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_adds(name: str) -> None:
    assert (parameters(meta(name)), macs(layer_table(meta(name), 224))) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "billions"), [("resnet18", 1.8), ("resnet34", 3.6), ("resnet50", 3.8), ("resnet101", 7.6)]
)
def test_flops_printed_in_table_1(name: str, billions: float) -> None:
    assert macs(layer_table(meta(name), 224)) / 1e9 == pytest.approx(billions, abs=0.07)


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_and_map_sizes_of_table_1(name: str) -> None:
    network = meta(name)
    stages = (network.conv2, network.conv3, network.conv4, network.conv5)
    assert tuple(len(stage) for stage in stages) == BLOCKS[name]
    rows = {layer.name: layer.shape for layer in layer_table(network, 224)}
    e = 4 if name in DEEP else 1
    last = "conv3" if name in DEEP else "conv2"
    assert rows["conv1"] == (64, 112, 112)
    assert rows["pool1"] == (64, 56, 56)
    for stage, (maps, side) in enumerate(((64, 56), (128, 28), (256, 14), (512, 7)), start=2):
        for place in range(BLOCKS[name][stage - 2]):
            assert rows[f"conv{stage}.{place}.{last}"] == (maps * e, side, side)
    assert rows["pool5"] == (512 * e, 1, 1)


@pytest.mark.parametrize("name", DEEP)
def test_the_stride_of_a_bottleneck_sits_in_its_first_1x1(name: str) -> None:
    network = meta(name)
    for stage in (network.conv3, network.conv4, network.conv5):
        strides = [part.conv.stride[0] for part in (stage[0].conv1, stage[0].conv2, stage[0].conv3, stage[0].shortcut)]
        assert strides == [2, 1, 1, 2]
        assert {m.stride for block in stage[1:] for m in block.modules() if isinstance(m, nn.Conv2d)} == {(1, 1)}


@pytest.mark.parametrize("name", ["plain18", "resnet18", "plain34", "resnet34"])
def test_the_stride_of_a_basic_block_sits_in_its_first_3x3(name: str) -> None:
    network = meta(name)
    for stage in (network.conv3, network.conv4, network.conv5):
        assert [stage[0].conv1.conv.stride, stage[0].conv2.conv.stride] == [(2, 2), (1, 1)]


@pytest.mark.parametrize(("name", "projections"), [("resnet18", 3), ("resnet34", 3), ("resnet50", 4), ("resnet152", 4)])
def test_shortcuts_project_only_where_the_shape_changes(name: str, projections: int) -> None:
    names = [n for n, m in meta(name).named_modules() if n.endswith("shortcut") and isinstance(m, nn.Sequential)]
    assert len(names) == projections
    assert all(n.endswith(".0.shortcut") for n in names)


@pytest.mark.parametrize(("plain", "residual"), [("plain18", "resnet18"), ("plain34", "resnet34")])
def test_a_plain_network_is_the_residual_one_without_its_shortcuts(plain: str, residual: str) -> None:
    keys = {n for n in meta(residual).state_dict() if ".shortcut." not in n}
    assert keys == set(meta(plain).state_dict())
    network = build(plain, classes=4, width=0.1).eval()
    block = network.conv2[1]
    nn.init.zeros_(block.conv2.norm.weight)
    assert not block(torch.rand(1, 6, 4, 4)).any(), "nothing may pass beside the convolutions"


@pytest.mark.parametrize("block", [Basic(8, 8, 1), Bottleneck(32, 8, 1)])
def test_a_block_that_adds_nothing_is_the_identity(block: nn.Module) -> None:
    last = block.conv3 if isinstance(block, Bottleneck) else block.conv2
    nn.init.zeros_(last.norm.weight)
    x = torch.rand(2, 32 if isinstance(block, Bottleneck) else 8, 4, 4)
    assert torch.equal(block.eval()(x), x)


def test_the_relu_comes_after_the_addition() -> None:
    block = Bottleneck(32, 8, 1).eval()
    nn.init.zeros_(block.conv3.norm.weight)
    nn.init.constant_(block.conv3.norm.bias, -0.5)
    x = torch.rand(2, 32, 4, 4)
    assert torch.allclose(block(x), F.relu(x - 0.5))


def test_pool1_starts_at_the_first_pixel_and_its_last_window_is_cut_off() -> None:
    pool = meta("resnet50").pool1
    x = torch.zeros(1, 1, 112, 112)
    x[..., 2, 2], x[..., 109, 109] = 1.0, 2.0
    y: Tensor = pool(x)
    assert y.shape[-2:] == (56, 56)
    assert y[0, 0, 0, 0] == 1.0, "the first window covers rows 0 to 2"
    assert y[0, 0, 54, 54] == 2.0, "the last but one covers rows 108 to 110"
    assert y[0, 0, 55, 55] == 0.0, "the last covers rows 110 and 111 alone"


@pytest.mark.parametrize("name", BLOCKS)
def test_no_convolution_has_a_bias_and_each_has_a_batch_norm(name: str) -> None:
    convolutions = [m for m in meta(name).modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in meta(name).modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(conv.bias is None for conv in convolutions)
    assert [conv.out_channels for conv in convolutions] == [norm.num_features for norm in norms]


def test_nothing_starts_at_zero_but_the_shifts() -> None:
    network = build("resnet18", classes=4, width=0.1)
    assert all((m.weight == 1).all() for m in network.modules() if isinstance(m, nn.BatchNorm2d))


def test_the_head_is_the_mean_of_the_last_map() -> None:
    network = build("resnet18", classes=4, width=0.1).eval()
    images = torch.randn(2, 3, 96, 64)
    assert torch.allclose(network(images), network.fc(network.features(images).mean(dim=(2, 3))), atol=1e-6)
