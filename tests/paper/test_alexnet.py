"""Krizhevsky, Sutskever, Hinton 2012, and its descendants."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc.models import alexnet, build, googlenet, vgg, zfnet
from ilsvrc.models.anatomy import layer_table, macs, parameters


def rows(name: str, size: int = 224) -> dict:
    with torch.device("meta"):
        return {layer.name: layer for layer in layer_table(build(name), size)}


def formula(x: Tensor, k: float, alpha: float, groups: list[range]) -> Tensor:
    """Section 3.3, map by map: b_i = a_i / (k + alpha * sum over the window of a_j squared) ** 0.75."""
    out = torch.empty_like(x)
    for maps in groups:
        for i in maps:
            window = [x[:, j] ** 2 for j in range(max(maps[0], i - 2), min(maps[-1], i + 2) + 1)]
            out[:, i] = x[:, i] / (k + alpha * sum(window)) ** 0.75
    return out


@pytest.mark.parametrize(
    ("name", "size", "count", "multiply_adds"),
    [
        ("alexnet", 224, 60_965_224, 724_406_816),
        ("alexnet_caffe", 227, 60_965_224, 724_406_816),
        ("caffenet", 227, 60_965_224, 724_406_816),
        ("alexnet_one_tower", 224, 61_100_840, 714_188_480),
    ],
)
def test_parameters_and_multiply_adds(name: str, size: int, count: int, multiply_adds: int) -> None:
    with torch.device("meta"):
        network = build(name)
    assert parameters(network) == count
    assert macs(layer_table(network, size)) == multiply_adds


def test_parameters_layer_by_layer() -> None:
    wanted = [34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000]
    assert [layer.parameters for layer in rows("alexnet").values() if layer.parameters] == wanted


def test_parameters_of_the_one_tower_layer_by_layer() -> None:
    wanted = [23_296, 307_392, 663_936, 884_992, 590_080, 37_752_832, 16_781_312, 4_097_000]
    assert [layer.parameters for layer in rows("alexnet_one_tower").values() if layer.parameters] == wanted


def test_map_sizes_of_figure_2() -> None:
    table = rows("alexnet")
    assert [table[f"conv{i}"].shape for i in range(1, 6)] == [
        (96, 55, 55),
        (256, 27, 27),
        (384, 13, 13),
        (384, 13, 13),
        (256, 13, 13),
    ]
    assert table["pool5"].shape == (256, 6, 6)


def test_neurons_printed_in_figure_2() -> None:
    table = rows("alexnet")
    neurons = [torch.Size(table[name].shape).numel() for name in ("conv2", "conv3", "conv4", "conv5", "fc6", "fc7")]
    assert neurons == [186_624, 64_896, 64_896, 43_264, 4096, 4096]


def test_the_receptive_field_of_pool5_is_195_pixels_with_steps_of_32() -> None:
    field, jump = 1, 1
    with torch.device("meta"):
        network = build("alexnet")
    for layer in ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5"):
        module = network.get_submodule(layer)
        kernel, stride = (v if isinstance(v, int) else v[0] for v in (module.kernel_size, module.stride))
        field, jump = field + (kernel - 1) * jump, jump * stride
    assert (field, jump) == (195, 32)


def test_pools_overlap() -> None:
    with torch.device("meta"):
        network = build("alexnet")
    pools = [m for m in network.modules() if isinstance(m, nn.MaxPool2d)]
    assert [(pool.kernel_size, pool.stride) for pool in pools] == [(3, 2)] * 3


def test_order_of_the_layers() -> None:
    with torch.device("meta"):
        paper, caffe, caffenet, one = (build(n) for n in ("alexnet", "alexnet_caffe", "caffenet", "alexnet_one_tower"))
    for network, norm_first in ((paper, True), (caffe, True), (caffenet, False), (one, True)):
        names = [layer.name for layer in layer_table(network, 227)]
        first = ["conv1", "norm1", "pool1", "conv2", "norm2", "pool2"]
        if not norm_first:
            first = ["conv1", "pool1", "norm1", "conv2", "pool2", "norm2"]
        assert names[:6] == first
        assert names[6:] == ["conv3", "conv4", "conv5", "pool5", "fc6", "drop6", "fc7", "drop7", "fc8"]


def test_the_last_window_of_conv1_hangs_three_pixels_over_the_right_and_lower_edge() -> None:
    network = build("alexnet", classes=3, width=0.02)
    images = torch.zeros(1, 3, 224, 224, requires_grad=True)
    seen: list[Tensor] = []
    network.conv1.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    network(images)
    first, last = seen[0][..., 0, 0].sum(), seen[0][..., -1, -1].sum()
    for output, rows_seen in ((first, range(11)), (last, range(216, 224))):
        gradient = torch.autograd.grad(output, images, retain_graph=True)[0].abs().sum(dim=(0, 1, 3))
        assert gradient.nonzero().flatten().tolist() == list(rows_seen)


@pytest.mark.parametrize(("layer", "inputs"), [("conv2", 24), ("conv4", 96), ("conv5", 96)])
def test_a_tower_sees_its_own_maps_alone(layer: str, inputs: int) -> None:
    conv = build("alexnet", image_size=64, width=0.25).get_submodule(layer)
    x = torch.randn(1, inputs, 5, 5, requires_grad=True)
    conv(x)[:, : conv.out_channels // 2].sum().backward()
    assert x.grad[:, : inputs // 2].any()
    assert not x.grad[:, inputs // 2 :].any()


def test_conv3_sees_both_towers() -> None:
    conv = build("alexnet", image_size=64, width=0.25).conv3
    x = torch.randn(1, 64, 5, 5, requires_grad=True)
    conv(x)[:, :48].sum().backward()
    assert x.grad[:, :32].any()
    assert x.grad[:, 32:].any()


def test_one_tower_normalises_negative_responses_too() -> None:
    network = build("alexnet_one_tower", classes=3, image_size=64, width=0.1)
    seen: list[Tensor] = []
    network.norm1.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    network(torch.randn(1, 3, 64, 64))
    assert (seen[0] < 0).any()


def test_dropout_is_one_half_after_fc6_and_fc7() -> None:
    network = build("alexnet", classes=3, image_size=64, width=0.02)
    assert (network.drop6.p, network.drop7.p) == (0.5, 0.5)
    assert sum(isinstance(m, nn.Dropout) for m in network.modules()) == 2


# --- response norm, of this family and of the three others that repeat it

NORMS = {
    "alexnet": (lambda: build("alexnet", image_size=64, width=0.1).norm1, 2.0, [range(5), range(5, 10)]),
    "alexnet_caffe": (lambda: build("alexnet_caffe", image_size=64, width=0.1).norm2, 1.0, [range(10)]),
    "caffenet": (lambda: build("caffenet", image_size=64, width=0.1).norm1, 1.0, [range(10)]),
    "alexnet_one_tower": (lambda: build("alexnet_one_tower", image_size=64, width=0.1).norm2, 2.0, [range(10)]),
    "zfnet": (lambda: build("zfnet", image_size=64, width=0.1).norm1, 2.0, [range(10)]),
    "googlenet": (lambda: build("googlenet", image_size=80, width=0.1).norm2, 1.0, [range(10)]),
    "vgg11_lrn": (lambda: build("vgg11_lrn", image_size=64, width=0.1).norm1_1, 2.0, [range(10)]),
}


@pytest.mark.parametrize("name", NORMS)
def test_response_norm_is_the_formula_with_alpha_divided_by_five(name: str) -> None:
    make, k, towers = NORMS[name]
    x = 300 * torch.randn(2, 10, 4, 3, dtype=torch.float64)
    wanted = formula(x, k, 1e-4 / 5, towers)
    assert (wanted / x).min() < 0.7, "the numbers are too small to show anything"
    assert torch.allclose(make()(x.float()).double(), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NORMS)
def test_the_gradient_of_response_norm_is_that_of_the_formula(name: str) -> None:
    make, k, towers = NORMS[name]
    x = 300 * torch.randn(2, 10, 3, 2, dtype=torch.float64)
    gradient = torch.randn_like(x)
    ours, theirs = x.float().requires_grad_(), x.clone().requires_grad_()
    make()(ours).backward(gradient.float())
    formula(theirs, k, 1e-4 / 5, towers).backward(gradient)
    assert torch.allclose(ours.grad.double(), theirs.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", [zfnet, googlenet, vgg])
def test_the_written_out_gradient_holds_to_double_precision(family: object) -> None:
    x = 100 * torch.randn(1, 6, 2, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda t: family.Response.apply(t, 2.0, 2e-5), x.requires_grad_())


@pytest.mark.parametrize("maps", [1, 2, 3, 4])
def test_response_norm_of_fewer_maps_than_its_window(maps: int) -> None:
    x = 300 * torch.randn(1, maps, 2, 2)
    wanted = formula(x, 2.0, 1e-4 / 5, [range(maps)])
    assert torch.allclose(alexnet.ResponseNorm(k=2.0)(x), wanted, rtol=1e-5)
    assert torch.allclose(vgg.ResponseNorm()(x), wanted, rtol=1e-5)


def test_response_norm_equals_pytorchs_slow_one() -> None:
    x = 300 * torch.randn(2, 96, 5, 5)
    slow = F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=2.0)
    assert torch.allclose(alexnet.ResponseNorm(k=2.0)(x), slow, rtol=1e-5)


@pytest.mark.parametrize("name", NORMS)
def test_response_norm_keeps_type_and_memory_format_and_computes_in_float32(name: str) -> None:
    norm = NORMS[name][0]()
    x = (300 * torch.randn(2, 10, 4, 4)).to(torch.bfloat16).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        y = norm(x)
    assert y.dtype == torch.bfloat16
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(y, norm(x.float()).to(torch.bfloat16))
