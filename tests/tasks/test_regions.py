"""RoIPool and RoIAlign: cases made by hand, the loop definitions, and gradients."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ilsvrc.bench import box_loops
from ilsvrc.tasks import native
from ilsvrc.tasks.regions import roi_align, roi_pool


@pytest.fixture(autouse=True)
def _plain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, whatever else is installed; the tests that compare with torchvision say so by their names."""
    if "torchvision" not in request.node.name:
        monkeypatch.setattr(native, "torchvision_ops", lambda: None)


def _case(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two maps of 9 by 14 cells, of which many are equal, and regions of all sizes, inside and outside."""
    draws = torch.Generator().manual_seed(seed)
    maps = torch.relu(torch.randn(2, 3, 9, 14, generator=draws))
    corner = torch.rand(12, 2, generator=draws) * torch.tensor([230.0, 150.0]) - 20
    regions = torch.cat([corner, corner + torch.rand(12, 2, generator=draws) * 180], dim=1)
    regions[0], regions[1] = torch.tensor([40.0, 8, 40, 8]), torch.tensor([-80.0, -80, -60, -60])
    regions[2] = torch.tensor([24.0, 24, 103, 71])  # edges that lie half between two cells
    return maps, regions, torch.randint(0, 2, (12,), generator=draws)


def test_the_bins_of_a_region_of_two_by_two_cells_are_the_cells():
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert roi_pool(maps, torch.tensor([[16.0, 16, 32, 32]]), torch.tensor([0]), 2, 16).tolist() == [
        [[[5, 6], [9, 10]]]
    ]


def test_a_region_is_at_least_one_cell_and_its_bins_share_it():
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    pooled = roi_pool(maps, torch.tensor([[20.0, 20, 21, 21]]), torch.tensor([0]), 3, 16)
    assert pooled.tolist() == [[[[5] * 3] * 3]]


def test_a_bin_outside_the_map_is_0():
    pooled = roi_pool(torch.full((1, 1, 4, 4), -3.0), torch.tensor([[48.0, 0, 95, 15]]), torch.tensor([0]), 2, 16)
    assert pooled.tolist() == [[[[-3, 0], [-3, 0]]]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [2, 3])
def test_pooling_and_where_its_gradient_goes_are_those_of_the_loop(seed: int, size: int):
    maps, regions, image = _case(seed)
    leaf = maps.clone().requires_grad_()
    pooled = roi_pool(leaf, regions, image, size, 16)
    weight = torch.rand(pooled.shape, generator=torch.Generator().manual_seed(9))
    (pooled * weight).sum().backward()
    wanted = np.zeros(maps.shape)
    for r, n in enumerate(image.tolist()):
        largest, place = box_loops.roi_pool(maps[n].numpy(), regions[r].numpy(), size, 16)
        np.testing.assert_array_equal(pooled[r].detach().numpy(), largest)
        for c, p, q in np.ndindex(*largest.shape):
            if place[c, p, q, 0] >= 0:
                wanted[n, c, place[c, p, q, 0], place[c, p, q, 1]] += float(weight[r, c, p, q])
    np.testing.assert_allclose(leaf.grad, wanted, atol=1e-5)


def test_large_windows_are_pooled_as_well():
    draws = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 2, 40, 61, generator=draws)
    for region in ([0, 0, 975, 639], [30, 5, 600, 600]):
        wanted, _ = box_loops.roi_pool(maps[0].numpy(), np.array(region, np.float32), 2, 16)
        found = roi_pool(maps, torch.tensor([region], dtype=torch.float32), torch.tensor([0]), 2, 16)
        np.testing.assert_array_equal(found[0], wanted)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("size", "samples"), [(2, 2), (3, 1)])
def test_alignment_is_that_of_the_loop(seed: int, size: int, samples: int):
    maps, regions, image = _case(seed)
    found = roi_align(maps, regions, image, size, 16, samples)
    for r, n in enumerate(image.tolist()):
        wanted = box_loops.roi_align(maps[n].numpy(), regions[r].numpy(), size, 16, samples)
        np.testing.assert_allclose(found[r], wanted, atol=1e-4)


@pytest.mark.slow
def test_the_gradient_of_alignment_is_that_of_its_formula():
    maps, regions, image = _case(4)
    leaf = maps.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: roi_align(x, regions.double(), image, 2, 16), (leaf,))


def test_alignment_of_a_ramp_gives_the_middles_of_the_bins():
    ramp = torch.arange(20.0).expand(1, 1, 20, 20) + 0.5  # a cell's value is the place of its centre, in cells
    found = roi_align(ramp, torch.tensor([[32.0, 32, 159, 159]]), torch.tensor([0]), 4, 16)
    np.testing.assert_allclose(found[0, 0, 0], [3, 5, 7, 9], atol=1e-5)


@pytest.mark.parametrize("operator", [roi_pool, roi_align], ids=["pool", "align"])
def test_no_regions_give_no_maps_and_a_gradient_of_0(operator):
    maps = torch.randn(1, 3, 4, 4, requires_grad=True)
    found = operator(maps, torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), 7, 16)
    assert found.shape == (0, 3, 7, 7)
    found.sum().backward()
    assert (maps.grad == 0).all()


@pytest.mark.skipif(native.torchvision_ops() is None, reason="torchvision's operators do not import here")
@pytest.mark.parametrize("operator", [roi_pool, roi_align], ids=["pool", "align"])
def test_torchvision_gives_the_same(operator, monkeypatch: pytest.MonkeyPatch):
    maps, regions, image = _case(0)
    theirs = operator(maps, regions, image, 3, 16)
    monkeypatch.setattr(native, "torchvision_ops", lambda: None)
    np.testing.assert_allclose(operator(maps, regions, image, 3, 16), theirs, atol=1e-4)
