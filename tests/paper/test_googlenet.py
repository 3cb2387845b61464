"""Szegedy et al. 2014, table 1 and section 5."""

import pytest
import torch
from blank import meta
from torch import Tensor, nn

from ilsvrc.models import build
from ilsvrc.models.anatomy import Layer, layer_table, macs, parameters

BLOCKS = {  # parameters, multiply-adds, output maps, side
    "inception_3a": (163_696, 128_049_152, 256, 28),
    "inception_3b": (388_736, 304_267_264, 480, 28),
    "inception_4a": (376_176, 73_608_192, 512, 14),
    "inception_4b": (449_160, 87_908_352, 512, 14),
    "inception_4c": (510_104, 99_850_240, 512, 14),
    "inception_4d": (605_376, 118_515_712, 528, 14),
    "inception_4e": (868_352, 169_996_288, 832, 14),
    "inception_5a": (1_043_456, 51_079_168, 832, 7),
    "inception_5b": (1_444_080, 70_697_984, 1024, 7),
}


def small() -> nn.Module:
    torch.manual_seed(0)
    return build("googlenet", classes=7, image_size=80, width=0.1)


def table(training: bool = False) -> list[Layer]:
    return layer_table(meta("googlenet"), 224, training)


def test_parameters_with_and_without_side_heads() -> None:
    assert parameters(meta("googlenet")) == 13_378_280
    assert sum(layer.parameters for layer in table()) == 6_998_552


def test_multiply_adds_at_test_time() -> None:
    assert macs(table()) == 1_582_671_872


def test_the_layers_before_the_first_module() -> None:
    rows = {layer.name: layer for layer in table()}
    assert (rows["conv1"].parameters, rows["conv2_reduce"].parameters, rows["conv2"].parameters) == (
        9_472,
        4_160,
        110_784,
    )
    sides = [rows[name].shape[1] for name in ("conv1", "pool1", "conv2", "pool2", "pool3", "pool4", "pool5")]
    assert sides == [112, 56, 56, 28, 14, 7, 1]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_row_of_table_1(block: str) -> None:
    count, multiply_adds, maps, side = BLOCKS[block]
    inside = [layer for layer in table() if layer.name.startswith(block + ".")]
    assert sum(layer.parameters for layer in inside) == count
    assert macs(inside) == multiply_adds
    ends = [layer for layer in inside if layer.name.split(".")[1] in ("conv_1x1", "conv_3x3", "conv_5x5", "pool_proj")]
    assert sum(layer.shape[0] for layer in ends) == maps
    assert {layer.shape[1] for layer in inside} == {side}


@pytest.mark.parametrize(
    ("head", "conv", "total", "multiply_adds"),
    [("side_1", 65_664, 3_188_840, 4_169_728), ("side_2", 67_712, 3_190_888, 4_202_496)],
)
def test_side_heads(head: str, conv: int, total: int, multiply_adds: int) -> None:
    inside = {layer.name.split(".")[1]: layer for layer in table(training=True) if layer.name.startswith(head)}
    assert inside["conv"].parameters == conv
    assert (inside["fc"].parameters, inside["linear"].parameters) == (2_098_176, 1_025_000)
    assert sum(layer.parameters for layer in inside.values()) == total
    assert macs(list(inside.values())) == multiply_adds
    assert (inside["pool"].shape[1:], inside["conv"].shape) == ((4, 4), (128, 4, 4))


def test_a_side_head_pools_windows_of_five_with_steps_of_three_and_no_padding() -> None:
    x = torch.zeros(1, 512, 14, 14, requires_grad=True)
    pooled = meta("googlenet").side_1.pool(x)
    for place, rows in enumerate((range(5), range(3, 8), range(6, 11), range(9, 14))):
        gradient = torch.autograd.grad(pooled[0, 0, place].sum(), x, retain_graph=True)[0][0, 0]
        assert gradient.sum(dim=1).nonzero().flatten().tolist() == list(rows)


def test_norms_lie_after_pool1_and_before_pool2() -> None:
    names = [layer.name for layer in table()]
    assert names[:7] == ["conv1", "pool1", "norm1", "conv2_reduce", "conv2", "norm2", "pool2"]


def test_the_third_branch_is_a_true_5x5() -> None:
    fives = [m for n, m in meta("googlenet").named_modules() if n.endswith("conv_5x5")]
    assert [m.kernel_size for m in fives] == [(5, 5)] * 9


def test_branches_are_stacked_in_the_order_of_table_1() -> None:
    block = build("googlenet").inception_3a
    for module in block.children():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    for value, name in enumerate(("conv_1x1", "conv_3x3", "conv_5x5", "pool_proj"), start=1):
        nn.init.constant_(block.get_submodule(name).bias, float(value))
    maps = block(torch.randn(1, 192, 5, 5))[0, :, 2, 2].tolist()
    assert maps == [1.0] * 64 + [2.0] * 128 + [3.0] * 32 + [4.0] * 32


def test_there_is_no_batch_norm() -> None:
    assert not any(isinstance(m, nn.BatchNorm2d) for m in meta("googlenet").modules())


def test_dropout_is_040_before_the_classifier_and_070_in_the_side_heads() -> None:
    network = small()
    assert (network.drop.p, network.side_1.drop.p, network.side_2.drop.p) == (0.4, 0.7, 0.7)


def test_three_logits_in_training_and_one_in_eval() -> None:
    network, images = small(), torch.randn(2, 3, 80, 80)
    assert [part.shape for part in network.train()(images)] == [(2, 7)] * 3
    logits = network.eval()(images)
    assert isinstance(logits, Tensor)
    assert logits.shape == (2, 7)


def test_a_side_head_pushes_gradient_into_what_lies_below_it_alone() -> None:
    network = small().train()
    _, side_1, side_2 = network(torch.randn(2, 3, 80, 80))
    side_1.sum().backward(retain_graph=True)
    reached = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None}
    below_4a = {"conv1", "conv2_reduce", "conv2", "inception_3a", "inception_3b", "inception_4a"}
    assert reached == below_4a | {"side_1"}
    network.zero_grad()
    side_2.sum().backward()
    reached = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None}
    assert reached == below_4a | {"inception_4b", "inception_4c", "inception_4d", "side_2"}


def test_side_heads_have_no_part_in_the_logits() -> None:
    network, images = small().eval(), torch.randn(1, 3, 80, 80)
    before = network(images)
    for parameter in (*network.side_1.parameters(), *network.side_2.parameters()):
        nn.init.constant_(parameter, 7.0)
    assert torch.equal(network(images), before)
