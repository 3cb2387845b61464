"""From a data set to numbers on the device: means, units, views."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small import training

from ilsvrc.data.batch import Batch
from ilsvrc.data.decode import decode
from ilsvrc.errors import DataError
from ilsvrc.jobs.input import (
    Chosen,
    Feed,
    Normal,
    Splits,
    epochs_on,
    judging_loader,
    normal_of,
    open_splits,
    training_loader,
)
from ilsvrc.spec import Crops
from ilsvrc.train.loop import Place
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture

CENTER = Crops(layout="center", short_sides=(40,), size=32)
CPU = torch.device("cpu")


def crops(splits: Splits) -> np.ndarray:
    """(N, 32, 32, 3): the central crops of the training images, cut here by hand."""
    whole = [geometry.short_side(Picture(decode(splits.train[i])), 40) for i in range(len(splits.train))]
    return np.stack([geometry.center_square(picture, 32).pixels for picture in whole]).astype(np.float64)


@pytest.mark.parametrize("mean", ["pixel", "channel"])
@pytest.mark.parametrize("unit", ["grey level", "deviation"])
def test_mean_and_unit_are_those_of_the_central_crops(mean: str, unit: str, splits: Splits):
    recipe = replace(training().recipe, mean=mean, unit=unit)
    normal = normal_of(splits.train, recipe, CENTER, Feed(threads=2))
    pixels = crops(splits)
    wanted = pixels.mean(axis=0) if mean == "pixel" else pixels.mean(axis=(0, 1, 2))[None, None]
    deviation = pixels.std(axis=(0, 1, 2)) if unit == "deviation" else np.ones(3)
    assert normal.mean.shape == ((3, 32, 32) if mean == "pixel" else (3, 1, 1))
    assert normal.mean.numpy() == pytest.approx(np.moveaxis(wanted, -1, 0), abs=1e-3)
    assert normal.unit.flatten().numpy() == pytest.approx(deviation, abs=1e-3)


def test_the_mean_is_the_same_for_any_number_of_threads(splits: Splits):
    one, four = (normal_of(splits.train, training().recipe, CENTER, Feed(threads=threads)) for threads in (1, 4))
    assert torch.equal(one.mean, four.mean)
    assert torch.equal(one.unit, four.unit)


def test_the_mean_of_a_large_set_is_taken_from_images_evenly_spaced(splits: Splits, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ilsvrc.jobs.input.SAMPLED", 7)
    normal = normal_of(splits.train, training().recipe, CENTER, Feed(threads=1))
    chosen = crops(splits)[[0, 10, 20, 30, 39, 49, 59]]
    assert normal.mean.flatten().numpy() == pytest.approx(chosen.mean(axis=(0, 1, 2)), abs=1e-3)


def test_an_image_is_less_its_mean_plus_its_colour_noise_over_the_unit():
    normal = Normal(torch.tensor([10.0, 20, 30]).reshape(3, 1, 1), torch.tensor([2.0, 4, 5]).reshape(3, 1, 1))
    pixels = np.full((2, 4, 4, 3), 100, np.uint8)
    shift = np.array([[0, 0, 0], [1, 2, 3]], np.float32)
    images = normal.images(Batch(("a", "b"), pixels, shift, np.zeros(2, np.int64)), CPU)
    assert images.shape == (2, 3, 4, 4)
    assert images.dtype == torch.float32
    assert images[0, :, 0, 0].tolist() == [45, 20, 14]
    assert images[1, :, 0, 0].tolist() == pytest.approx([45.5, 20.5, 14.6])
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_each_view_of_an_image_is_treated_alike():
    normal = Normal(torch.zeros(3, 1, 1), torch.ones(3, 1, 1))
    pixels = np.arange(2 * 10 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 10, 4, 4, 3)
    shift = np.array([[0, 0, 0], [1, 2, 3]], np.float32)
    images = normal.images(Batch(("a", "b"), pixels, shift, np.zeros(2, np.int64)), CPU)
    assert images.shape == (2, 10, 3, 4, 4)
    assert images[1, 7, 2, 3, 1] == float(pixels[1, 7, 3, 1, 2]) + 3


def test_a_mean_image_is_subtracted_pixel_by_pixel():
    mean = torch.arange(3 * 4 * 4, dtype=torch.float32).reshape(3, 4, 4)
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    shift = np.zeros((1, 3), np.float32)
    images = Normal(mean, torch.ones(3, 1, 1)).images(Batch(("a",), pixels, shift, np.zeros(1, np.int64)), CPU)
    assert torch.equal(images[0], -mean)


def test_an_epoch_goes_on_at_its_place(splits: Splits):
    loader = training_loader(splits.train, training().recipe, 16, 3, Feed(threads=1))
    normal = Normal(torch.zeros(3, 1, 1), torch.ones(3, 1, 1))
    whole = list(epochs_on(loader, normal, CPU, Place(epoch=2)))
    rest = epochs_on(loader, normal, CPU, Place(epoch=2, step=3))
    assert len(rest) == len(whole) == 4
    ((images, labels),) = list(rest)
    assert torch.equal(images, whole[3][0])
    assert torch.equal(labels, whole[3][1])
    assert labels.dtype == torch.int64


def test_judging_sees_every_image_once_in_order(splits: Splits):
    loader = judging_loader(splits.val, Crops(layout="ten", short_sides=(40,), size=32), 7, Feed())
    batches = list(loader.epoch(0))
    assert [name for batch in batches for name in batch.names] == [splits.val[i].name for i in range(len(splits.val))]
    assert batches[0].pixels.shape == (7, 10, 32, 32, 3)


def test_chosen_samples_are_a_data_set(splits: Splits):
    some = Chosen(splits.train, np.array([5, 0]))
    assert len(some) == 2
    assert some.classes is splits.train.classes
    assert [some[0].name, some[1].name] == [splits.train[5].name, splits.train[0].name]


def test_halves_of_different_classes_are_refused(tiny: Path, tmp_path: Path):
    image = next((tiny / "val").glob("*.JPEG")).read_bytes()
    for split, names in (("train", "ab"), ("val", "ac")):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "1.jpg").write_bytes(image)
    with pytest.raises(DataError):
        open_splits(str(tmp_path))


def test_a_data_set_is_known_by_its_images_not_by_its_place(splits: Splits, tiny: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(tiny)
    assert open_splits(str(tmp_path / "link")).fingerprint == splits.fingerprint
