"""Box regressors: the papers' parameter counts, and what learns."""

import pytest
import torch
from torch import nn

from ilsvrc.entries import ENTRIES
from ilsvrc.jobs.localize_networks import hold_still, new_layers, region_network, regressor
from ilsvrc.models import MODELS, build
from ilsvrc.models.anatomy import parameters
from ilsvrc.models.regressor import Regressor, last_layer
from ilsvrc.spec import Member, Recipe, Regression


def meta(model: str, head: str, per_class: bool) -> nn.Module:
    how = Regression(classifier="", head=head, per_class=per_class, coordinates="centre", trained="all")
    recipe: Recipe = None  # type: ignore[assignment]
    with torch.device("meta"):
        return regressor(Member(model=model, recipe=recipe), how, 1000)


def test_vgg_d_with_one_box_and_with_a_box_per_class():
    assert parameters(meta("vgg16", "last layer", per_class=False)) == 134_276_932
    assert parameters(meta("vgg16", "last layer", per_class=True)) == 150_648_544


def test_overfeat_s_regressor_on_the_accurate_network():
    network = meta("overfeat_accurate", "hidden layers", per_class=False)
    assert sum(parameters(layer) for layer in (network.full1, network.full2, network.full3)) == 109_061_124
    assert (network.full1.in_features, network.full1.out_features) == (1024 * 5 * 5, 4096)
    assert (network.full2.out_features, network.full3.out_features) == (1024, 4)
    assert not any(isinstance(layer, nn.Linear) for layer in network.trunk.modules()), "the classifier's end is off"


@pytest.mark.slow
def test_msra_s_two_networks_have_a_score_and_a_box_for_each_class():
    entry = ENTRIES["msra-2015-loc"]
    trunk = 42_500_160  # ResNet-101 without its last layer
    with torch.device("meta"):
        proposes, judges = regressor(entry.members[0], entry.boxes, 1000), region_network(entry.members[0], 1000)
    assert parameters(proposes) == trunk + 9 * (2048 + 1) * 5 * 1000 == 134_705_160
    assert parameters(judges) == trunk + (2048 + 1) * (1000 + 4000) == 52_745_160
    assert proposes.anchors.shape == (7 * 7 * 9, 4)
    assert proposes.stride == 32


@pytest.mark.sampled
@pytest.mark.parametrize("model", MODELS)
def test_every_network_has_a_last_layer_that_gives_its_classes(model: str):
    with torch.device("meta"):
        network = build(model, 7)
    assert network.get_submodule(last_layer(network)).weight.shape[0] == 7


@pytest.mark.parametrize("model", ["alexnet", "resnet18", "nin", "bn_inception"])
def test_a_regressor_stands_on_any_network(model: str):
    network = Regressor(build(model, 5, 96, 0.1), 4, 96, 0.1).eval()
    assert network(torch.zeros(2, 3, 96, 96)).shape == (2, 4)


def test_what_is_not_trained_holds_still():
    network = build("vgg11", 4, 32, 0.1)
    how = Regression(classifier="", head="last layer", per_class=False, coordinates="centre", trained="full layers")
    hold_still(network, how, new_layers(network))
    learns = {name.split(".")[0] for name, value in network.named_parameters() if value.requires_grad}
    assert learns == {"fc6", "fc7", "fc8"}
