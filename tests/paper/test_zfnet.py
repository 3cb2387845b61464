"""Zeiler and Fergus 2013, figure 3."""

import torch
from blank import meta
from torch import nn

from ilsvrc.models import build
from ilsvrc.models.anatomy import layer_table, macs, parameters


def test_parameters_and_multiply_adds() -> None:
    assert parameters(meta("zfnet")) == 62_357_608
    assert macs(layer_table(meta("zfnet"), 224)) == 1_168_032_896


def test_the_wider_network_of_table_2_has_wider_layers_3_to_6() -> None:
    with torch.device("meta"):
        wide = build("zfnet_big")
    assert (parameters(wide), macs(layer_table(wide, 224))) == (107_627_624, 2_476_704_896)
    wanted = [14_208, 614_656, 1_180_160, 4_719_616, 4_719_104, 75_501_568, 16_781_312, 4_097_000]
    assert [layer.parameters for layer in layer_table(wide, 224) if layer.parameters] == wanted


def test_parameters_layer_by_layer() -> None:
    wanted = [14_208, 614_656, 885_120, 1_327_488, 884_992, 37_752_832, 16_781_312, 4_097_000]
    assert [layer.parameters for layer in layer_table(meta("zfnet"), 224) if layer.parameters] == wanted


def test_map_sizes_of_figure_3() -> None:
    sides = {layer.name: layer.shape[1] for layer in layer_table(meta("zfnet"), 224) if len(layer.shape) == 3}
    wanted = {"conv1": 110, "pool1": 55, "norm1": 55, "conv2": 26, "pool2": 13, "norm2": 13}
    assert sides == wanted | {"conv3": 13, "conv4": 13, "conv5": 13, "pool5": 6}


def test_it_pools_before_it_normalises() -> None:
    names = [layer.name for layer in layer_table(meta("zfnet"), 224)]
    assert names[:6] == ["conv1", "pool1", "norm1", "conv2", "pool2", "norm2"]


def test_no_layer_is_split_in_groups() -> None:
    assert {m.groups for m in meta("zfnet").modules() if isinstance(m, nn.Conv2d)} == {1}


def test_the_first_two_layers_look_closer_than_alexnets() -> None:
    network = meta("zfnet")
    assert (network.conv1.kernel_size, network.conv1.stride) == ((7, 7), (2, 2))
    assert network.conv2.stride == (2, 2)


def test_the_receptive_field_of_pool5_is_171_pixels_with_steps_of_32() -> None:
    field, jump = 1, 1
    for layer in ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5"):
        module = meta("zfnet").get_submodule(layer)
        kernel, stride = (v if isinstance(v, int) else v[0] for v in (module.kernel_size, module.stride))
        field, jump = field + (kernel - 1) * jump, jump * stride
    assert (field, jump) == (171, 32)
