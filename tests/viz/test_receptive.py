"""Occlusion finds the object, a class activation map adds up to its logit, hidden parts are compared."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc import models
from ilsvrc.errors import SpecError
from ilsvrc.viz import occlusion
from ilsvrc.viz.cam import class_map, gradient_map, head
from ilsvrc.viz.correspondence import changes, distances
from ilsvrc.viz.occlusion import occlude


class Finder(nn.Module):
    """Class 1 where a bright red spot is anywhere, class 0 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        self.conv.weight.data.zero_()
        self.conv.weight.data[1, 0] = 1 / 9

    def forward(self, images: Tensor) -> Tensor:
        found = F.relu(self.conv(images)).amax((2, 3))
        return torch.stack([torch.full_like(found[:, 1], 4.0), 8 * found[:, 1]], dim=1)


def spotted() -> Tensor:
    image = torch.zeros(3, 32, 32)
    image[0, 8:13, 18:23] = 1
    return image


def test_occlusion_of_a_synthetic_classifier_finds_the_object():
    found = occlude(Finder(), spotted(), "conv", side=9, stride=2)
    assert (found.map, found.label, found.clean_best) == (1, 1, 1)
    hidden = found.probability < 0.5
    rows, columns = (np.array(found.centres)[places] for places in np.nonzero(hidden))
    assert abs(rows.mean() - 10) < 1
    assert abs(columns.mean() - 20) < 1
    assert np.array_equal(found.best == 0, hidden)
    assert found.activation.max() == pytest.approx(found.clean_activation)
    lowest = np.unravel_index(found.activation.argmin(), found.activation.shape)
    assert abs(found.centres[lowest[0]] - 10) <= 2
    assert abs(found.centres[lowest[1]] - 20) <= 2
    assert found.probability[0, 0] == pytest.approx(found.clean_probability)


def test_the_label_may_be_given():
    found = occlude(Finder(), spotted(), "conv", 0, side=9, stride=4)
    assert found.label == 0
    assert found.probability.max() > 0.9


@pytest.mark.parametrize(("side", "stride"), [(0, 2), (32, 2), (5, 0)])
def test_a_square_that_covers_nothing_or_everything_is_refused(side: int, stride: int):
    with pytest.raises(SpecError, match="give a side from 1 to 31"):
        occlude(Finder(), spotted(), "conv", side=side, stride=stride)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["resnet18", "googlenet", "nin", "se_resnet50", "inception_v3", "preresnet50"])
def test_a_class_activation_map_averages_to_its_logit_less_the_bias(name: str):
    size = 128
    network = models.build(name, classes=7, image_size=size, width=0.1).eval().double()
    image = torch.randn(3, size, size, dtype=torch.float64)
    with torch.no_grad():
        logits = network(image[None])[0]
    for label in range(7):
        values, bias = class_map(network, image, label)
        assert float(values.mean()) == pytest.approx(float(logits[label] - bias), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "zfnet"])
def test_a_network_that_ends_in_full_layers_has_none_and_the_sentence_offers_grad_cam(name: str):
    with torch.device("meta"):
        network = models.build(name, image_size=64, width=0.1)
    with pytest.raises(SpecError, match=r"ends in fc6, fc7, fc8; --gradient draws Grad-CAM"):
        head(network, 64)


def test_grad_cam_is_the_cut_off_map_where_a_global_average_follows():
    network = models.build("resnet18", classes=5, image_size=64, width=0.1).eval()
    image = torch.randn(3, 64, 64)
    values, _ = class_map(network, image, 2)
    found = gradient_map(network, image, "conv5.1", 2)
    assert torch.allclose(found, values.relu() / values.numel(), atol=1e-6)


def test_grad_cam_has_no_places_on_a_full_layer():
    network = models.build("alexnet", classes=5, image_size=48, width=0.1)
    with pytest.raises(SpecError, match="fc7 is a full layer"):
        gradient_map(network, torch.rand(3, 48, 48), "fc7", 1)


def test_distances_are_the_share_of_signs_that_differ():
    changed = np.array([[1.0, -2, 0, 3], [5.0, -1, 0, -3], [-1.0, 0, 1, -1]])
    found = distances(changed)
    assert len(found) == 6  # ordered pairs
    assert sorted(found) == [0.25, 0.25, 0.75, 0.75, 1, 1]


def test_hiding_the_same_way_in_the_same_image_changes_it_alike():
    network = models.build("zfnet", classes=4, image_size=47, width=0.1)
    clean = torch.rand(1, 3, 47, 47).repeat(3, 1, 1, 1)
    masked = clean.clone()
    masked[:, :, 10:20, 10:20] = 0
    assert distances(changes(network, clean, masked, "conv3")).tolist() == [0] * 6


def test_one_image_cannot_be_compared():
    with pytest.raises(SpecError, match="takes at least two"):
        distances(np.ones((1, 4)))


def test_steps_so_fine_that_a_row_is_several_batches_give_the_same_map(monkeypatch: pytest.MonkeyPatch):
    whole = occlude(Finder(), spotted(), "conv", side=9, stride=3)
    monkeypatch.setattr(occlusion, "BATCH", 4)
    parts = occlude(Finder(), spotted(), "conv", side=9, stride=3)
    assert np.allclose(whole.probability, parts.probability, atol=1e-6)
    assert whole.probability.shape == (len(whole.centres),) * 2
