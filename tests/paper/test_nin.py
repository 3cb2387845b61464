"""Lin, Chen, Yan 2013: layers that are networks, and the mean of a map per class."""

import torch
from blank import meta
from torch import nn

from ilsvrc.models import build
from ilsvrc.models.anatomy import layer_table, macs, parameters


def test_parameters_and_multiply_adds() -> None:
    assert parameters(meta("nin")) == 7_595_176
    assert round(macs(layer_table(meta("nin"), 224)) / 1e9, 3) == 1.1


def test_the_layers_and_their_map_sizes() -> None:
    rows = [(row.kind, row.shape[0], row.shape[1]) for row in layer_table(meta("nin"), 224)]
    assert rows == [
        ("convolution 11×11/4", 96, 54),
        *[("convolution 1×1", 96, 54)] * 2,
        ("max pool 3×3/2", 96, 27),
        ("convolution 5×5", 256, 27),
        *[("convolution 1×1", 256, 27)] * 2,
        ("max pool 3×3/2", 256, 13),
        ("convolution 3×3", 384, 13),
        *[("convolution 1×1", 384, 13)] * 2,
        ("max pool 3×3/2", 384, 6),
        ("dropout 0.5", 384, 6),
        ("convolution 3×3", 1024, 6),
        ("convolution 1×1", 1024, 6),
        ("convolution 1×1", 1000, 6),
        ("global average pool", 1000, 1),
    ]


def test_a_logit_is_the_mean_of_its_class_s_map() -> None:
    network = build("nin", classes=5, image_size=96, width=0.1).eval()
    images = torch.randn(2, 3, 96, 96)
    maps = network.features(images)
    wanted = torch.stack([torch.stack([maps[n, c].mean() for c in range(5)]) for n in range(2)])
    assert torch.allclose(network(images), wanted, atol=1e-6)


def test_every_convolution_has_a_relu_behind_it() -> None:
    network = build("nin", classes=5, image_size=96, width=0.1).eval()
    seen: dict[str, bool] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and name != "conv1":
            module.register_forward_hook(
                lambda _m, inputs, _o, name=name: seen.update({name: bool((inputs[0] >= 0).all())})
            )
    images = torch.randn(1, 3, 96, 96)
    assert (network.features(images) >= 0).all()
    assert seen == dict.fromkeys(seen, True)
    assert len(seen) == 11
