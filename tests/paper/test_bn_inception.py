"""Ioffe and Szegedy 2015: the table of modules; Hu et al. 2017: a gate behind each."""

import pytest
import torch
from blank import meta
from torch import nn
from torch.nn import functional as F

from ilsvrc.models.anatomy import layer_table, macs, parameters
from ilsvrc.models.bn_inception import Halving, Inception, SqueezeExcitation, even

COUNTS = {"bn_inception": (11_285_224, 2_032_600_064), "se_bn_inception": (11_931_622, 2_033_239_424)}
OUTPUTS = {
    "3a": (256, 28),
    "3b": (320, 28),
    "3c": (576, 14),
    "4a": (576, 14),
    "4b": (576, 14),
    "4c": (608, 14),
    "4d": (608, 14),
    "4e": (1056, 7),
    "5a": (1024, 7),
    "5b": (1024, 7),
}
HIDDEN = (16, 20, 36, 36, 36, 38, 38, 66, 64, 64)  # a sixteenth of the maps, not rounded to multiples of anything
PAIR = tuple(COUNTS)


def modules(network: nn.Module) -> dict[str, nn.Module]:
    return {row: network.get_submodule(f"inception_{row}") for row in OUTPUTS}


@pytest.mark.parametrize("name", PAIR)
def test_parameters_and_multiply_adds(name: str) -> None:
    assert (parameters(meta(name)), macs(layer_table(meta(name), 224))) == COUNTS[name]


@pytest.mark.parametrize("name", PAIR)
def test_maps_and_sides_of_the_table(name: str) -> None:
    network = meta(name)
    shapes: dict[str, tuple[int, int]] = {}
    for row, module in modules(network).items():
        module.register_forward_hook(lambda _m, _i, y, row=row: shapes.update({row: (y.shape[1], y.shape[2])}))
    rows = {layer.name: layer.shape for layer in layer_table(network, 224)}
    assert shapes == OUTPUTS
    assert [rows[name][1] for name in ("conv1", "pool1", "conv2", "pool2", "pool5")] == [112, 56, 56, 28, 1]


@pytest.mark.parametrize("name", PAIR)
def test_pools_are_averages_that_count_the_zeros_but_for_5b_s_maximum(name: str) -> None:
    for row, module in modules(meta(name)).items():
        if isinstance(module, Halving):
            assert (type(module.pool), module.pool.stride, module.pool.ceil_mode) == (nn.MaxPool2d, 2, True)
        elif row == "5b":
            assert isinstance(module.pool, nn.MaxPool2d)
        else:
            corner = module.pool(torch.ones(1, 1, 5, 5))[0, 0, 0, 0]
            assert float(corner) == pytest.approx(4 / 9)


def test_in_modules_with_a_stride_it_sits_in_the_last_layer_of_each_branch() -> None:
    for row, module in modules(meta("bn_inception")).items():
        strides = {n: m.stride[0] for n, m in module.named_modules() if isinstance(m, nn.Conv2d)}
        halves = [name for name, stride in strides.items() if stride == 2]
        assert halves == (["conv_3x3.conv", "double_b.conv"] if row in ("3c", "4e") else [])


def test_branches_are_stacked_in_the_order_of_the_table() -> None:
    block = Inception(4, 1.0, (1, 1, 2, 1, 3, 4), nn.AvgPool2d(3, 1, 1), gated=False).eval()
    for name, value in (("conv_1x1", 1.0), ("conv_3x3", 2.0), ("double_b", 3.0), ("pool_proj", 4.0)):
        nn.init.zeros_(block.get_submodule(name).norm.weight)
        nn.init.constant_(block.get_submodule(name).norm.bias, value)
    assert block(torch.randn(1, 4, 5, 5))[0, :, 2, 2].tolist() == [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0, 4.0]
    halving = Halving(2, 1.0, (0, 1, 1, 1, 1, 0), gated=False).eval()
    for name, value in (("conv_3x3", 1.0), ("double_b", 2.0)):
        nn.init.zeros_(halving.get_submodule(name).norm.weight)
        nn.init.constant_(halving.get_submodule(name).norm.bias, value)
    x = torch.arange(32.0).view(1, 2, 4, 4)
    assert halving(x)[0, :, 0, 0].tolist() == [1.0, 2.0, 10.0, 26.0]


def test_a_map_of_odd_size_gets_as_many_windows_as_convolutions() -> None:
    pool, conv = nn.MaxPool2d(3, stride=2, ceil_mode=True), nn.Conv2d(1, 1, 3, stride=2, padding=1)
    for side in range(1, 9):
        x = torch.randn(1, 1, side, side + 3)
        pooled = pool(even(x))
        assert pooled.shape == conv(x).shape
        assert pooled.isfinite().all()
        shared = pool(x) if min(x.shape[2:]) > 1 else pooled[:, :, :0]
        assert torch.equal(pooled[:, :, : shared.shape[2], : shared.shape[3]], shared), "the others stay as they were"


@pytest.mark.parametrize("name", PAIR)
def test_every_convolution_has_batch_norm_and_no_bias(name: str) -> None:
    network = meta(name)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(convolutions) == len(norms) == 69
    assert all(m.bias is None for m in convolutions)
    assert {m.eps for m in norms} == {1e-5}


def test_the_gates_are_a_sixteenth_as_wide() -> None:
    gates = [m.se for m in modules(meta("se_bn_inception")).values()]
    assert tuple(g.fc1.out_features for g in gates) == HIDDEN
    added = sum(2 * g.fc1.in_features * g.fc1.out_features + g.fc1.in_features + g.fc1.out_features for g in gates)
    assert COUNTS["se_bn_inception"][0] - COUNTS["bn_inception"][0] == added


def test_the_gate_multiplies_what_the_branches_gave_stacked() -> None:
    torch.manual_seed(0)
    gated = Inception(16, 1.0, (8, 8, 8, 8, 8, 8), nn.AvgPool2d(3, 1, 1), gated=True).eval()
    plain = Inception(16, 1.0, (8, 8, 8, 8, 8, 8), nn.AvgPool2d(3, 1, 1), gated=False).eval()
    plain.load_state_dict({k: v for k, v in gated.state_dict().items() if not k.startswith("se.")})
    x = torch.rand(2, 16, 5, 5)
    u = plain(x)
    z = u.mean(dim=(2, 3))
    s = torch.sigmoid(F.linear(F.relu(F.linear(z, gated.se.fc1.weight, gated.se.fc1.bias)), gated.se.fc2.weight))
    nn.init.zeros_(gated.se.fc2.bias)
    assert torch.allclose(gated(x), u * s[:, :, None, None], atol=1e-6)
    assert isinstance(gated.se, SqueezeExcitation)
