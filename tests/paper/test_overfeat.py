"""Sermanet et al. 2013: the tables of the fast and the accurate model, and that of the scales."""

import pytest
import torch
from blank import meta
from torch import nn

from ilsvrc.models import build
from ilsvrc.models.anatomy import layer_table, macs, parameters, run

SIZE = {"overfeat_fast": 231, "overfeat_accurate": 221}
COUNTS = {"overfeat_fast": (145_920_872, 2_801_403_904), "overfeat_accurate": (144_656_488, 5_355_446_784)}
LAYERS = {  # parameters and multiply-adds, layer by layer
    "overfeat_fast": [
        (34_944, 109_283_328),
        (614_656, 353_894_400),
        (1_180_160, 169_869_312),
        (4_719_616, 679_477_248),
        (9_438_208, 1_358_954_496),
        (113_249_280, 113_246_208),
        (12_587_008, 12_582_912),
        (4_097_000, 4_096_000),
    ],
    "overfeat_accurate": [
        (14_208, 164_602_368),
        (1_204_480, 1_083_801_600),
        (1_180_160, 265_420_800),
        (2_359_808, 530_841_600),
        (4_719_616, 1_061_683_200),
        (9_438_208, 2_123_366_400),
        (104_861_696, 104_857_600),
        (16_781_312, 16_777_216),
        (4_097_000, 4_096_000),
    ],
}
SIDES = {
    "overfeat_fast": [56, 28, 24, 12, 12, 12, 12, 6],
    "overfeat_accurate": [108, 36, 30, 15, 15, 15, 15, 15, 5],
}
SCALES = {  # input: the last convolution's map before its pool (accurate model)
    (245, 245): (17, 17),
    (281, 317): (20, 23),
    (317, 389): (23, 29),
    (389, 461): (29, 35),
    (425, 497): (32, 38),
    (461, 569): (35, 44),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_adds(name: str) -> None:
    assert (parameters(meta(name)), macs(layer_table(meta(name), SIZE[name]))) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_layer_by_layer(name: str) -> None:
    rows = layer_table(meta(name), SIZE[name])
    assert [(row.parameters, row.macs) for row in rows if row.parameters] == LAYERS[name]
    assert [row.shape[1] for row in rows if len(row.shape) == 3] == SIDES[name]


@pytest.mark.parametrize("size", SCALES)
def test_the_maps_of_the_six_scales(size: tuple[int, int]) -> None:
    network = build("overfeat_accurate", classes=3, width=0.02)
    assert network.unpooled(torch.zeros(1, 3, *size)).shape[2:] == SCALES[size]


@pytest.mark.parametrize(("name", "step"), [("overfeat_fast", 32), ("overfeat_accurate", 36)])
def test_the_window_of_the_classifier_is_the_image_and_its_step_is_that_of_all_layers(name: str, step: int) -> None:
    field, jump = 1, 1
    for _, module in meta(name).named_children():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            kernel, stride = (v if isinstance(v, int) else v[0] for v in (module.kernel_size, module.stride))
            padding = module.padding if isinstance(module.padding, int) else module.padding[0]
            field, jump = field + (kernel - 1 - 2 * padding) * jump, jump * stride
    side = {"overfeat_fast": 6, "overfeat_accurate": 5}[name]
    assert (field + (side - 1) * jump, jump) == (SIZE[name], step)


@pytest.mark.parametrize("name", COUNTS)
def test_pools_do_not_overlap_and_the_first_two_convolutions_are_not_padded(name: str) -> None:
    network = meta(name)
    for module in network.modules():
        if isinstance(module, nn.MaxPool2d):
            assert (module.kernel_size, module.padding, module.ceil_mode) == (module.stride, 0, False)
    paddings = [m.padding[0] for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert paddings == [0, 0] + [1] * (len(paddings) - 2)


@pytest.mark.parametrize("name", COUNTS)
def test_dropout_of_one_half_behind_both_hidden_layers_and_no_norm(name: str) -> None:
    kinds = [layer.kind for layer in layer_table(meta(name), SIZE[name])]
    assert kinds[-5:] == ["linear", "dropout 0.5", "linear", "dropout 0.5", "linear"]
    assert not any("norm" in kind for kind in kinds)


def test_a_larger_image_of_training_needs_a_larger_first_full_layer() -> None:
    with torch.device("meta"):
        larger = build("overfeat_fast", image_size=231 + 32)
    assert larger.fc6.in_features == 1024 * 7 * 7
    assert run(larger, 231 + 32, training=False).shape[1:] == (1000,)
