"""Receptive fields: the figures published for AlexNet, ZFNet and VGG, and what a unit can be seen to see."""

import pytest
import torch
from torch import nn

from ilsvrc import models
from ilsvrc.viz.deconvnet import downwards
from ilsvrc.viz.field import Field, Fields
from ilsvrc.viz.layers import layers, output_of

PUBLISHED = {
    # layer: pixels, step
    "zfnet": {
        "conv1": (7, 2),
        "pool1": (11, 4),
        "conv2": (27, 8),
        "pool2": (43, 16),
        "conv3": (75, 16),
        "conv4": (107, 16),
        "conv5": (139, 16),
        "pool5": (171, 32),
    },
    "alexnet": {
        "conv1": (11, 4),
        "pool1": (19, 8),
        "conv2": (51, 8),
        "pool2": (67, 16),
        "conv3": (99, 16),
        "conv4": (131, 16),
        "conv5": (163, 16),
        "pool5": (195, 32),
    },
    "vgg16": {"conv1_2": (5, 1), "pool1": (6, 2), "conv3_3": (40, 4), "conv5_3": (196, 16), "pool5": (212, 32)},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_receptive_fields_are_the_published_ones(name: str):
    with torch.device("meta"):
        network = models.build(name)
    known = layers(network, models.paper_size(name))
    found = {layer: known[layer].field for layer in PUBLISHED[name]}
    assert {layer: (one.size, one.across.jump) for layer, one in found.items() if one} == PUBLISHED[name]


def test_a_full_layer_sees_the_whole_image():
    network = models.build("alexnet", classes=4, image_size=48, width=0.1)
    assert layers(network, 48)["fc6"].field is None


def positive(network: nn.Module) -> None:
    for parameter in network.parameters():
        parameter.data.fill_(0.1)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.zero_()
            part.running_var.fill_(1)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("nin", "cccp4"), ("resnet18", "conv3.1"), ("inception_v3", "mixed_5b"), ("dpn92", "conv2.1"), ("nin", "conv2")],
)
def test_a_unit_sees_what_its_field_says_and_nothing_else(name: str, layer: str):
    size = 160
    network = models.build(name, classes=4, image_size=size, width=0.1)
    positive(network)
    for key, part in list(network.named_modules()):  # a maximum looks at one of its pixels, a mean at all
        if isinstance(part, nn.MaxPool2d):
            mean = nn.AvgPool2d(part.kernel_size, part.stride, part.padding, part.ceil_mode)
            setattr(network.get_submodule(key.rpartition(".")[0]), key.rpartition(".")[2], mean)
    field = layers(network, size)[layer].field
    images = torch.ones(1, 3, size, size, requires_grad=True)
    with downwards(network):
        maps = output_of(network, images, layer)
    row, column = maps.shape[2] // 2, maps.shape[3] // 2 + 1
    (slope,) = torch.autograd.grad(maps[0, :, row, column].sum(), images)
    rows, columns = (slope[0].sum(0) != 0).nonzero(as_tuple=True)
    across = field.across.start + column * field.across.jump
    down = field.down.start + row * field.down.jump
    wanted = [max(0, across), max(0, down)]
    wanted += [min(size, across + field.across.size) - 1, min(size, down + field.down.size) - 1]
    assert [int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())] == wanted


def test_a_window_is_moved_into_the_image_and_is_never_larger():
    assert Field(7, 2, -1).window(0, 20) == (0, 6)
    assert Field(7, 2, -1).window(9, 20) == (13, 19)
    assert Field(7, 2, -1).window(3, 20) == (5, 11)
    assert Field(70, 2, -1).window(3, 20) == (0, 19)
    assert Fields(Field(7, 2, -1), Field(3, 1, 0)).box(4, 3, 20) == (5, 4, 11, 6)
