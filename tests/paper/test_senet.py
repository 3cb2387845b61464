"""Hu, Shen, Albanie, Sun, Wu 2017: table 1, equations 2 to 5, appendix on SENet-154."""

import pytest
import torch
from blank import meta
from torch import nn
from torch.nn import functional as F

from ilsvrc.models import build
from ilsvrc.models.anatomy import layer_table, macs, parameters
from ilsvrc.models.senet import SqueezeExcitation, resnet_block

COUNTS = {  # parameters, multiply-adds, blocks
    "se_resnet50": (28_088_024, 3_860_488_192, (3, 4, 6, 3)),
    "se_resnet101": (49_326_872, 7_574_937_600, (3, 4, 23, 3)),
    "se_resnet152": (66_821_848, 11_288_993_792, (3, 8, 36, 3)),
    "se_resnext50_32x4d": (27_559_896, 4_232_994_816, (3, 4, 6, 3)),
    "se_resnext101_32x4d": (48_955_416, 7_974_739_968, (3, 4, 23, 3)),
    "senet154": (115_088_984, 20_688_363_520, (3, 8, 36, 3)),
}


def stages(network: nn.Module) -> tuple[nn.Sequential, ...]:
    return (network.conv2, network.conv3, network.conv4, network.conv5)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_adds(name: str) -> None:
    assert (parameters(meta(name)), macs(layer_table(meta(name), 224))) == COUNTS[name][:2]


@pytest.mark.sampled
@pytest.mark.parametrize("name", COUNTS)
def test_blocks_and_map_sizes_of_table_1(name: str) -> None:
    network = meta(name)
    blocks = COUNTS[name][2]
    assert tuple(len(stage) for stage in stages(network)) == blocks
    rows = {layer.name: layer.shape for layer in layer_table(network, 224)}
    for stage, (maps, side) in enumerate(((256, 56), (512, 28), (1024, 14), (2048, 7)), start=2):
        assert rows[f"conv{stage}.{blocks[stage - 2] - 1}.conv3"] == (maps, side, side)


@pytest.mark.parametrize(
    ("name", "blocks", "plain"),
    [
        ("se_resnet50", (3, 4, 6, 3), "resnet50"),
        ("se_resnet101", (3, 4, 23, 3), "resnet101"),
        ("se_resnet152", (3, 8, 36, 3), "resnet152"),
        ("se_resnext50_32x4d", (3, 4, 6, 3), "resnext50_32x4d"),
        ("se_resnext101_32x4d", (3, 4, 23, 3), "resnext101_32x4d"),
    ],
)
def test_what_the_gates_add_is_equation_5(name: str, blocks: tuple[int, ...], plain: str) -> None:
    r, maps = 16, (256, 512, 1024, 2048)
    weights = sum(2 * N * C * C // r for N, C in zip(blocks, maps, strict=True))
    biases = sum(N * (C // r + C) for N, C in zip(blocks, maps, strict=True))
    assert parameters(meta(name)) - parameters(meta(plain)) == weights + biases


def test_squeeze_and_excitation_is_equations_2_to_4() -> None:
    torch.manual_seed(0)
    block = SqueezeExcitation(32)
    u = torch.randn(2, 32, 5, 3)
    z = torch.stack([torch.stack([u[n, c].mean() for c in range(32)]) for n in range(2)])
    hidden = torch.clamp(z @ block.fc1.weight.T + block.fc1.bias, min=0)
    s = 1 / (1 + torch.exp(-(hidden @ block.fc2.weight.T + block.fc2.bias)))
    wanted = torch.stack([torch.stack([s[n, c] * u[n, c] for c in range(32)]) for n in range(2)])
    assert torch.allclose(block(u), wanted, atol=1e-6)


@pytest.mark.parametrize("name", COUNTS)
def test_the_ratio_is_16_in_every_stage(name: str) -> None:
    for maps, stage in zip((256, 512, 1024, 2048), stages(meta(name)), strict=True):
        assert {(b.se.fc1.in_features, b.se.fc1.out_features, b.se.fc2.out_features) for b in stage} == {
            (maps, maps // 16, maps)
        }


def test_the_gate_is_on_the_branch_before_the_addition() -> None:
    torch.manual_seed(0)
    block = resnet_block(32, 8, 1, 1.0).eval()
    x = torch.rand(2, 32, 4, 4)
    nn.init.zeros_(block.se.fc2.weight)
    nn.init.constant_(block.se.fc2.bias, -100.0)  # a closed gate lets the shortcut pass and nothing else
    assert torch.allclose(block(x), x)
    nn.init.constant_(block.se.fc2.bias, 100.0)  # an open one is the block without it
    branch = block.conv3(F.relu(block.conv2(F.relu(block.conv1(x)))))
    assert torch.allclose(block(x), F.relu(branch + x))


@pytest.mark.parametrize("name", COUNTS)
def test_strides_are_in_the_1x1_of_se_resnet_and_in_the_3x3_of_the_others(name: str) -> None:
    for stage in stages(meta(name))[1:]:
        strides = [part.conv.stride[0] for part in (stage[0].conv1, stage[0].conv2, stage[0].conv3, stage[0].shortcut)]
        assert strides == ([2, 1, 1, 2] if name.startswith("se_resnet") and "resnext" not in name else [1, 2, 1, 2])


@pytest.mark.parametrize("name", COUNTS)
def test_pool1_has_no_padding_and_rounds_up(name: str) -> None:
    pool = meta(name).pool1
    assert (pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode) == (3, 2, 0, True)


def test_se_resnext_has_32_groups_of_doubling_width() -> None:
    for d, stage in zip((4, 8, 16, 32), stages(meta("se_resnext50_32x4d")), strict=True):
        assert {(b.conv2.conv.groups, b.conv2.conv.out_channels) for b in stage} == {(32, 32 * d)}


def test_the_first_1x1_of_senet154_has_half_the_maps_of_its_3x3() -> None:
    for maps, stage in zip((128, 256, 512, 1024), stages(meta("senet154")), strict=True):
        for block in stage:
            assert block.conv1.conv.out_channels == maps
            assert block.conv2.conv.out_channels == 2 * maps
            assert block.conv2.conv.groups == 64


def test_the_shortcuts_of_senet154_are_3x3_but_for_that_of_conv2() -> None:
    projections = [stage[0].shortcut.conv for stage in stages(meta("senet154"))]
    assert [(conv.kernel_size[0], conv.stride[0]) for conv in projections] == [(1, 1), (3, 2), (3, 2), (3, 2)]


def test_the_stem_of_senet154_is_three_3x3() -> None:
    rows = layer_table(meta("senet154"), 224)[:4]
    assert [(row.kind.split(",")[0], row.shape) for row in rows] == [
        ("convolution 3×3/2", (64, 112, 112)),
        ("convolution 3×3", (64, 112, 112)),
        ("convolution 3×3", (128, 112, 112)),
        ("max pool 3×3/2", (128, 56, 56)),
    ]


def test_every_convolution_of_the_stem_is_followed_by_a_relu() -> None:
    network = build("senet154", classes=2, width=0.1).eval()
    for part in ("conv1_2", "conv1_3"):
        seen: list[torch.Tensor] = []
        network.conv1.get_submodule(part).register_forward_hook(
            lambda _m, inputs, _o, seen=seen: seen.append(inputs[0])
        )
        network(torch.randn(1, 3, 32, 32))
        assert (seen[0] >= 0).all()


def test_dropout_is_02_in_senet154_and_nowhere_else() -> None:
    for name in COUNTS:
        rates = [m.p for m in meta(name).modules() if isinstance(m, nn.Dropout)]
        assert rates == ([0.2] if name == "senet154" else [])
