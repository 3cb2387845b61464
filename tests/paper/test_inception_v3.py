"""Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2015, as released: shapes, factorised windows, the side head."""

import pytest
import torch
from blank import meta
from torch import Tensor, nn

from ilsvrc.models import build
from ilsvrc.models.anatomy import layer_table, macs, parameters
from ilsvrc.models.inception_v3 import Chain, Conv, Mixed, module_8, module_17

NAMES = ("inception_v3", "inception_v3_torchvision", "inception_v3_mxnet")
SHAPES = {
    "conv_1a": (32, 149),
    "conv_2a": (32, 147),
    "conv_2b": (64, 147),
    "pool_3a": (64, 73),
    "conv_3b": (80, 73),
    "conv_4a": (192, 71),
    "pool_5a": (192, 35),
    "mixed_5b": (256, 35),
    "mixed_5c": (288, 35),
    "mixed_5d": (288, 35),
    "mixed_6a": (768, 17),
    "mixed_6b": (768, 17),
    "mixed_6c": (768, 17),
    "mixed_6d": (768, 17),
    "mixed_6e": (768, 17),
    "mixed_7a": (1280, 8),
    "mixed_7b": (2048, 8),
    "mixed_7c": (2048, 8),
    "pool": (2048, 1),
}


def small() -> nn.Module:
    torch.manual_seed(0)
    return build("inception_v3", classes=7, image_size=107, width=0.1)


def shapes(network: nn.Module, size: int) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _m, _i, y, name=name: found.update({name: (y.shape[1], y.shape[2])}) if y.ndim == 4 else None
        )
    layer_table(network, size)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_parameters_with_and_without_the_side_head_and_multiply_adds(name: str) -> None:
    table = layer_table(meta(name), 299)
    assert parameters(meta(name)) == 27_161_264
    assert sum(layer.parameters for layer in table) == 23_834_568
    assert macs(table) == 5_713_216_096


@pytest.mark.parametrize("name", NAMES)
def test_maps_and_sides_of_the_released_definition(name: str) -> None:
    assert shapes(meta(name), 299) == SHAPES


def windows(network: nn.Module, branch: str) -> list[tuple[tuple[int, int], int, int]]:
    inside = network.get_submodule(branch)
    return [(m.kernel_size, m.out_channels, m.stride[0]) for m in inside.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize(("letter", "c"), [("b", 128), ("c", 160), ("d", 160), ("e", 192)])
def test_seven_by_seven_is_taken_apart_into_1x7_and_7x1_in_this_order(letter: str, c: int) -> None:
    network = meta("inception_v3")
    once = [((1, 1), c, 1), ((1, 7), c, 1), ((7, 1), 192, 1)]
    twice = [((1, 1), c, 1), ((7, 1), c, 1), ((1, 7), c, 1), ((7, 1), c, 1), ((1, 7), 192, 1)]
    assert windows(network, f"mixed_6{letter}.branch_2") == once
    assert windows(network, f"mixed_6{letter}.branch_3") == twice


def test_modules_of_35_by_35_have_a_true_5x5_and_projections_of_32_and_64() -> None:
    network = meta("inception_v3")
    for letter, project in (("b", 32), ("c", 64), ("d", 64)):
        assert windows(network, f"mixed_5{letter}.branch_2") == [((1, 1), 48, 1), ((5, 5), 64, 1)]
        assert windows(network, f"mixed_5{letter}.branch_4") == [((1, 1), project, 1)]


def test_reductions_have_their_stride_in_the_last_layer_and_no_padding_there() -> None:
    for name, ends in (("mixed_6a", ["branch_1", "branch_2"]), ("mixed_7a", ["branch_1", "branch_2"])):
        module = meta("inception_v3").get_submodule(name)
        strided = [
            (n.split(".")[0], m) for n, m in module.named_modules() if isinstance(m, nn.Conv2d) and m.stride[0] == 2
        ]
        assert [n for n, _ in strided] == ends
        assert all(m.padding == (0, 0) for _, m in strided)
        assert module.branch_3.padding == 0


def test_a_fork_stacks_1x3_before_3x1_of_the_same_map() -> None:
    torch.manual_seed(0)
    chain = Chain(3, 1.0, Conv(1, 1, 4), fork=(Conv(1, 3, 2), Conv(3, 1, 2))).eval()
    x = torch.rand(1, 3, 6, 6)
    before = torch.clamp(chain.line[0](x), min=0)
    wanted = torch.cat([chain.fork[0](before), chain.fork[1](before)], dim=1).clamp(min=0)
    assert torch.equal(chain(x), wanted)
    assert [layer.conv.kernel_size for layer in module_8(4, 0.1, nn.Identity()).branch_2.fork] == [(1, 3), (3, 1)]


def test_branches_are_stacked_in_their_order() -> None:
    module = module_17(4, 1.0, 4, nn.AvgPool2d(3, 1, 1)).eval()
    assert isinstance(module, Mixed)
    for number, branch in enumerate(module.children(), start=1):
        nn.init.zeros_(branch.line[-1].norm.weight)
        nn.init.constant_(branch.line[-1].norm.bias, float(number))
    maps = module(torch.randn(1, 4, 9, 9))[0, :, 4, 4].tolist()
    assert maps == [1.0] * 192 + [2.0] * 192 + [3.0] * 192 + [4.0] * 192


def test_google_s_averages_leave_out_the_padding_and_the_others_count_it() -> None:
    ones = torch.ones(1, 1, 5, 5)
    for name, corner in zip(NAMES, (1.0, 4 / 9, 4 / 9), strict=True):
        pools = [m for m in meta(name).modules() if isinstance(m, nn.AvgPool2d) and m.stride == 1]
        assert len(pools) == (8 if name == "inception_v3_mxnet" else 9)
        assert all(float(pool(ones)[0, 0, 0, 0]) == pytest.approx(corner) for pool in pools)
        assert all(float(pool(ones)[0, 0, 2, 2]) == pytest.approx(1.0) for pool in pools)


def test_mxnet_s_last_module_alone_has_a_maximum() -> None:
    for name in NAMES:
        kinds = [type(meta(name).get_submodule(f"mixed_7{letter}").branch_4.pool) for letter in "bc"]
        assert kinds == [nn.AvgPool2d, nn.MaxPool2d if name == "inception_v3_mxnet" else nn.AvgPool2d]


def test_dropout_keeps_four_fifths_in_google_s_and_half_in_torchvision_s() -> None:
    assert [meta(name).drop.p for name in NAMES] == [0.2, 0.5, 0.2]


def test_batch_norm_adds_a_thousandth() -> None:
    assert {m.eps for m in meta("inception_v3").modules() if isinstance(m, nn.BatchNorm2d)} == {0.001}


def test_the_side_head() -> None:
    inside = {
        row.name: row for row in layer_table(meta("inception_v3"), 299, training=True) if row.name.startswith("side_1")
    }
    assert sum(row.parameters for row in inside.values()) == 3_326_696
    shapes = [inside[f"side_1.{name}"].shape for name in ("pool", "conv_1", "conv_2", "linear")]
    assert shapes == [(768, 5, 5), (128, 5, 5), (768, 1, 1), (1000,)]


def test_two_logits_in_training_and_one_in_eval() -> None:
    network, images = small(), torch.randn(2, 3, 107, 107)
    assert [part.shape for part in network.train()(images)] == [(2, 7)] * 2
    logits = network.eval()(images)
    assert isinstance(logits, Tensor)
    assert logits.shape == (2, 7)


def test_the_side_head_pushes_gradient_into_what_lies_below_mixed_6e_alone() -> None:
    network = small().train()
    _, side = network(torch.randn(2, 3, 107, 107))
    side.sum().backward()
    reached = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None}
    assert reached == {name for name in SHAPES if not name.startswith(("pool", "mixed_7"))} | {"side_1"}


@pytest.mark.parametrize(("size", "window"), [(107, 1), (171, 2), (299, 5), (363, 5)])
def test_the_side_head_s_last_convolution_spans_its_map_up_to_the_released_size(size: int, window: int) -> None:
    network = meta("inception_v3", size=size)
    assert network.side_1.conv_2.conv.kernel_size == (window, window)
    assert layer_table(network, size, training=True)
