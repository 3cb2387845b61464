"""Layer tables: their sums, and that making one leaves no trace."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ilsvrc.models import build
from ilsvrc.models.anatomy import Layer, depth, layer_table, macs, parameters


def meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return build(name)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["alexnet", "googlenet", "vgg11", "resnet18", "resnext50_32x4d", "se_resnet50"])
def test_multiply_adds_are_half_of_what_pytorch_counts_as_operations(name: str) -> None:
    size = 96
    network = build(name, classes=10, image_size=size, width=0.25).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, size, size))
    assert macs(layer_table(network, size)) == counter.get_total_flops() // 2


def test_a_row_says_what_the_layer_is() -> None:
    rows = {layer.name: layer for layer in layer_table(meta("alexnet"), 224)}
    assert rows["conv2"] == Layer("conv2", "convolution 5×5, 2 groups", (256, 27, 27), 307_456, 223_948_800)
    assert rows["pool5"] == Layer("pool5", "max pool 3×3/2", (256, 6, 6), 0, 0)
    assert rows["drop6"].kind == "dropout 0.5"
    assert rows["norm1"].kind == "response norm"
    assert rows["fc8"] == Layer("fc8", "linear", (1000,), 4_097_000, 4_096_000)


def test_a_window_that_is_no_square_has_its_height_first() -> None:
    rows = {layer.name: layer for layer in layer_table(meta("inception_v3"), 299)}
    assert rows["mixed_6b.branch_2.line.1"].kind == "convolution 1×7, batch norm"
    assert rows["mixed_6b.branch_2.line.2"].kind == "convolution 7×1, batch norm"


def test_a_convolution_and_its_batch_norm_are_one_row() -> None:
    rows = layer_table(meta("resnet18"), 224)
    assert rows[0] == Layer("conv1", "convolution 7×7/2, batch norm", (64, 112, 112), 9_408 + 128, 118_013_952)
    assert len(rows) == 1 + 1 + 16 + 3 + 1 + 1
    assert sum(row.parameters for row in rows) == parameters(meta("resnet18"))


def test_side_heads_are_rows_in_training_alone() -> None:
    network = meta("googlenet")
    at_test = {layer.name for layer in layer_table(network, 224)}
    in_training = {layer.name for layer in layer_table(network, 224, training=True)}
    assert {name.split(".")[0] for name in in_training - at_test} == {"side_1", "side_2"}


def test_making_a_table_leaves_the_network_and_the_generator_as_they_were() -> None:
    network = build("googlenet", classes=5, image_size=80, width=0.1)
    network.side_1.eval()
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    layer_table(network, 80, training=True)
    depth(network, 80)
    assert torch.equal(torch.rand(4), wanted)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_running_statistics_stay_as_they_are() -> None:
    network = build("resnet18", classes=5, width=0.1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layer_table(network, 64, training=True)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_of_another_type_has_the_same_table(dtype: torch.dtype) -> None:
    network = build("alexnet", classes=5, image_size=64, width=0.1)
    table = layer_table(network, 64)
    assert layer_table(network.to(dtype), 64) == table


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("alexnet", 8),
        ("zfnet", 8),
        ("googlenet", 22),
        ("vgg11", 11),
        ("vgg16_c", 16),
        ("vgg19", 19),
        ("plain34", 34),
        ("resnet18", 18),
        ("resnet152", 152),
        ("resnext101_32x4d", 101),
        ("se_resnet50", 50),
        ("senet154", 154),
        ("preresnet200", 200),
        ("wideresnet68_3", 68),
        ("dpn131", 131),
    ],
)
def test_the_longest_way_has_as_many_layers_as_the_name_says(name: str, layers: int) -> None:
    assert depth(meta(name), 224) == layers
