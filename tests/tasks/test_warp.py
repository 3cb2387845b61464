"""Warping of regions and R-CNN's network, on cases made by hand."""

import math

import numpy as np
import pytest
import torch

from ilsvrc import models
from ilsvrc.models.rcnn import RegionClassifier, initialise
from ilsvrc.spec import Detector
from ilsvrc.tasks.detect import Scene
from ilsvrc.tasks.find import Shown, find_given
from ilsvrc.tasks.learn import warped_loss
from ilsvrc.tasks.warp import warped


def test_a_region_of_the_wanted_size_is_what_it_is():
    image = torch.arange(3 * 8 * 9.0).reshape(3, 8, 9)
    np.testing.assert_allclose(warped(image, torch.tensor([[2.0, 1, 5, 4]]), 4, 0)[0], image[:, 1:5, 2:6], atol=1e-4)


def test_sixteen_pixels_of_context_lie_around_the_region():
    image = torch.zeros(3, 60, 60)
    image[:, 20:28, 20:28] = 1
    found = warped(image, torch.tensor([[20.0, 20, 27, 27]]), 40, 16)
    assert (found[0, :, 16:24, 16:24] == 1).all()
    assert found[0, :, :15].abs().max() == 0
    np.testing.assert_allclose(found[0, 0], image[0, 4:44, 4:44], atol=1e-5)


def test_what_lies_outside_of_the_image_is_the_mean():
    found = warped(torch.ones(3, 10, 10), torch.tensor([[0.0, 0, 9, 9]]), 30, 10)
    assert found[0, :, :9].abs().max() == 0
    np.testing.assert_allclose(found[0, :, 10:20, 10:20], 1)


def test_more_context_than_there_is_room_for_is_refused():
    with pytest.raises(ValueError, match="leave nothing of 32"):
        warped(torch.ones(3, 10, 10), torch.tensor([[0.0, 0, 9, 9]]), 32, 16)


@pytest.mark.parametrize("name", ["googlenet", "alexnet", "resnet18"])
def test_r_cnn_learns_from_given_proposals_and_finds(name: str):
    torch.manual_seed(0)
    network = RegionClassifier(models.build(name, 1, 80, 0.05), 3)
    initialise(network, 0)
    how = Detector(classifier="", kind="r-cnn", regions_taught=6, around=8, score=0.0)
    image = torch.randn(3, 60, 70)
    scene = Scene(70, 60, torch.tensor([[5.0, 5, 40, 40]]), torch.tensor([1]))
    given = torch.tensor([[6.0, 6, 40, 42], [20, 30, 60, 55], [0, 0, 20, 20]])
    loss = warped_loss(network, image[None], [given], [scene], how, torch.Generator().manual_seed(0), 80)
    loss.backward()
    assert math.isfinite(loss.item())
    assert all(parameter.grad is not None for parameter in network.parameters())
    shown = [Shown(image, 80)]
    found = find_given([network.eval()], shown, given, scene, how)
    assert torch.isfinite(found.boxes).all()
    assert len(find_given([network], shown, given[:0], scene, how).labels) == 0
