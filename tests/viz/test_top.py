"""The strongest images of a map, in one pass; the first filters; pixels."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ilsvrc import models
from ilsvrc.errors import SpecError
from ilsvrc.viz.filters import first_filters
from ilsvrc.viz.layers import answers
from ilsvrc.viz.picture import beside, contrast, grid, heat, png
from ilsvrc.viz.top import strongest

NETWORK = models.build("zfnet", classes=4, image_size=47, width=0.1)


def images(count: int) -> Tensor:
    return torch.rand(count, 3, 47, 47, generator=torch.Generator().manual_seed(3)) * 4 - 2


def test_the_nine_are_those_a_sort_of_everything_finds():
    every = images(40)
    batches = ((torch.arange(first, first + 7), every[first : first + 7]) for first in range(0, 35, 7))
    found = strongest(NETWORK, batches, "conv2", 9)
    assert found is not None
    peaks = answers(NETWORK, every[:35], "conv2").amax((2, 3)).T
    values, order = peaks.sort(dim=1, descending=True, stable=True)
    assert torch.allclose(found.values, values[:, :9])
    assert torch.equal(found.images, order[:, :9])
    maps = answers(NETWORK, every[:35], "conv2").flatten(2)
    assert torch.allclose(maps[found.images[3], 3, found.places[3]], found.values[3])


def test_an_image_is_there_once():
    found = strongest(NETWORK, [(torch.arange(5), images(5))], "conv1", 9)
    assert found is not None
    assert all(sorted(row) == [0, 1, 2, 3, 4] for row in found.images.tolist())


def test_without_images_there_is_nothing():
    assert strongest(NETWORK, [], "conv1", 9) is None


class Cheap(nn.Module):
    """One map, so that the images alone weigh something."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)

    def forward(self, batch: Tensor) -> Tensor:
        return self.conv(batch)


def test_what_is_kept_does_not_grow_with_the_images():
    def batches(count: int) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(count):
            yield torch.tensor([number]), torch.rand(1, 3, 8, 8)

    kept = []
    for count in (20, 200):
        tracemalloc.start()
        found = strongest(Cheap(), batches(count), "conv", 9)
        kept.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found is not None
        assert found.values.shape == (1, 9)
    assert kept[1] < 1.5 * kept[0] + 20_000


def test_first_filters_are_the_first_convolution_s():
    name, filters = first_filters(models.build("resnet18", width=0.1))
    assert (name, filters.shape) == ("conv1", (6, 3, 7, 7))
    with pytest.raises(SpecError, match="no first convolution on three colours"):
        first_filters(nn.Sequential(nn.Conv2d(1, 4, 3)))


def test_contrast_has_grey_at_zero_and_is_each_patch_s_own():
    patch = np.zeros((4, 4, 3))
    patch[0, 0] = [1, -1, 0]
    assert contrast(patch)[0, 0].tolist() == [255, 0, 128]
    assert contrast(patch)[2, 2].tolist() == [128, 128, 128]
    assert np.array_equal(contrast(patch), contrast(patch * 0.001))
    assert np.array_equal(contrast(np.zeros((2, 2, 3))), np.full((2, 2, 3), 128, np.uint8))


def test_heat_goes_from_dark_to_light():
    row = heat(np.array([[0.0, 0.5, 1.0, 9.0]]), 0, 1)[0].astype(int)
    assert row[0].sum() < row[1].sum() < row[2].sum()
    assert np.array_equal(row[2], row[3])
    assert heat(np.zeros((2, 2)), 0, 0).shape == (2, 2, 3)


def test_grids_are_clear_between_their_tiles():
    tiles = [np.full((4, 4, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = grid(tiles, 2, gap=1)
    assert sheet.shape == (9, 9, 4)
    assert sheet[0, 4, 3] == 0
    assert sheet[5, 5, 3] == 0  # no fourth tile
    assert sheet[0, 5].tolist() == [20, 20, 20, 255]
    assert beside([sheet, sheet], gap=2).shape == (9, 20, 4)
    assert png(sheet).startswith(b"\x89PNG")
