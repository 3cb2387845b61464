"""The deconvnet, held against transposes, switches put back and a loop written by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc import models
from ilsvrc.errors import SpecError
from ilsvrc.viz.deconvnet import meaning, project
from ilsvrc.viz.layers import answers, check_map, layer_of


class OneLayer(nn.Module):
    """A convolution and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 4, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)


class TwoLayers(nn.Module):
    """Convolution, ReLU, overlapping pool, convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = nn.Conv2d(4, 6, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv2(self.pool1(F.relu(self.conv1(images))))


class PoolOnly(nn.Module):
    """Windows that do not overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(images)


def matrix(network: nn.Module, size: int) -> Tensor:
    """The linear part of a network on images of one size, (outputs, inputs)."""
    base = network(torch.zeros(1, 3, size, size, dtype=torch.float64)).flatten()
    unit = torch.eye(3 * size * size, dtype=torch.float64).view(-1, 3, size, size)
    return (network(unit).flatten(1) - base).T


def test_the_deconvnet_of_a_linear_layer_is_its_transpose_exactly():
    network, images = OneLayer().double(), torch.randn(1, 3, 10, 10, dtype=torch.float64)
    network.conv.bias.data.fill_(100.0)  # so that every unit answers; it must not come down
    with torch.no_grad():
        transposed = matrix(network, 10).T
    for number in range(5):
        found = project(network, images, "conv", [number], [7])
        unit = torch.zeros(5, 25, dtype=torch.float64)
        unit[number, 7] = found.activations[0]
        assert torch.allclose(found.pixels.flatten(), transposed @ unit.flatten(), rtol=1e-12, atol=1e-12)


def test_switches_put_a_maximum_back_where_it_was():
    images = torch.rand(1, 3, 6, 6)
    images[0, 1, 3, 4] = 5.0
    found = project(PoolOnly(), images, "pool", [1])
    expected = torch.zeros(1, 3, 6, 6)
    expected[0, 1, 3, 4] = 5.0
    assert torch.equal(found.pixels, expected)
    assert found.places == ((1, 2),)


def by_hand(network: TwoLayers, image: Tensor, number: int) -> np.ndarray:
    """Up and down with loops: switches noted, values that share one added, the signal rectified, filters turned."""
    first, second = network.conv1.weight.detach().numpy(), network.conv2.weight.detach().numpy()
    up = np.maximum(network.conv1(image).detach().numpy()[0], 0)
    maps, side, _ = up.shape
    pooled = -(-(side - 3) // 2) + 1
    switch = {}
    small = np.zeros((maps, pooled, pooled), np.float32)
    for k, i, j in np.ndindex(maps, pooled, pooled):
        window = [(y, x) for y in range(2 * i, min(2 * i + 3, side)) for x in range(2 * j, min(2 * j + 3, side))]
        switch[k, i, j] = max(window, key=lambda at: up[k, at[0], at[1]])
        small[k, i, j] = up[(k, *switch[k, i, j])]
    top = network.conv2(torch.from_numpy(small)[None]).detach().numpy()[0, number]
    y, x = np.unravel_index(top.argmax(), top.shape)
    down = np.zeros((maps, pooled, pooled), np.float32)
    for k, i, j in np.ndindex(maps, 3, 3):
        if 0 <= y + i - 1 < pooled and 0 <= x + j - 1 < pooled:
            down[k, y + i - 1, x + j - 1] += max(top[y, x], 0) * second[number, k, i, j]
    unpooled = np.zeros_like(up)
    for place, to in switch.items():
        unpooled[(place[0], *to)] += down[place]
    rectified = np.maximum(unpooled, 0)
    pixels = np.zeros(image.shape[1:], np.float32)
    for k, y, x in np.ndindex(*rectified.shape):
        pixels[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3] += rectified[k, y, x] * first[k]
    return pixels


@pytest.mark.parametrize("number", range(6))
def test_two_layers_go_down_as_a_loop_by_hand_does(number: int):
    network, image = TwoLayers(), torch.randn(1, 3, 16, 16)
    network.conv2.bias.data += 1  # every map answers somewhere
    found = project(network, image, "conv2", [number])
    assert float(found.activations[0]) > 0
    np.testing.assert_allclose(found.pixels[0].numpy(), by_hand(network, image, number), atol=1e-5)


def test_it_is_not_the_gradient():
    network, image = TwoLayers(), torch.randn(1, 3, 16, 16, requires_grad=True)
    output = network(image)
    (gradient,) = torch.autograd.grad(output[0, 0].max(), image)
    found = project(network, image, "conv2", [0])
    assert not torch.allclose(found.pixels, gradient * found.activations[0], atol=1e-4)


def test_a_map_that_does_not_answer_projects_to_nothing():
    network = TwoLayers()
    network.conv2.bias.data -= 1000
    found = project(network, torch.randn(2, 3, 16, 16), "conv2", [0, 3])
    assert found.activations.tolist() == [0, 0]
    assert not found.pixels.any()


def test_response_norm_is_passed_as_it_is():
    network = models.build("zfnet", classes=4, image_size=47, width=0.1)
    images = torch.randn(1, 3, 47, 47)
    found = project(network, images, "norm1", [2])
    below = project(network, images, "pool1", [2], [answers(network, images, "norm1")[0, 2].argmax().item()])
    scale = found.activations / below.activations
    assert torch.allclose(found.pixels, below.pixels * scale, atol=1e-6)


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "googlenet", "resnet18", "se_resnet50", "dpn92", "nin"])
def test_every_family_has_a_way_down(name: str):
    network = models.build(name, classes=4, image_size=80, width=0.1)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    layer = {"nin": "cccp6", "alexnet": "conv5", "vgg11": "conv4_1", "googlenet": "inception_4a"}.get(name, "conv3.1")
    found = project(network, torch.rand(2, 3, 80, 80), layer, [0, 1])
    assert found.pixels.shape == (2, 3, 80, 80)
    assert found.pixels.isfinite().all()
    assert network.training
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_a_full_layer_has_units_and_no_places():
    network = models.build("alexnet", classes=4, image_size=48, width=0.1)
    found = project(network, torch.rand(1, 3, 48, 48), "fc8", [3])
    assert found.places is None


def test_a_layer_that_is_not_there_names_those_that_are():
    network = models.build("zfnet", classes=4, image_size=47, width=0.1)
    with pytest.raises(SpecError, match=r"no layer 'conv9'; did you mean conv5.* There are conv1, pool1, norm1, .*fc8"):
        layer_of(network, 47, "conv9")
    deep = models.build("resnet50", classes=4, image_size=32, width=0.1)
    with pytest.raises(
        SpecError, match=r"no layer 'layer1'.* There are conv1, pool1.*conv5.* and \d+ more inside them"
    ):
        layer_of(deep, 32, "layer1")


def test_a_map_that_is_not_there_is_refused():
    layer = layer_of(models.build("zfnet", classes=4, image_size=47, width=0.1), 47, "conv1")
    check_map(layer, 9)
    with pytest.raises(SpecError, match="conv1 has the maps 0 to 9, and map 10 is asked for"):
        check_map(layer, 10)


def test_what_the_method_means_in_later_networks_is_said():
    assert meaning({"relu", "layer"}) == ()
    assert len(meaning({"BatchNorm2d", "add", "sigmoid"})) == 3
