"""Statistics of a data set: against numpy on all pixels at once, and what is written of them."""

import json

import numpy as np
import pytest
from PIL import Image

from ilsvrc import data
from ilsvrc.cli import run
from ilsvrc.data.decode import decode
from ilsvrc.errors import DataError
from ilsvrc.jobs.statistics import read_statistics, statistics, write_statistics


def pictures(path, split="train"):
    dataset = data.open(path, split)
    return [decode(dataset[k]) for k in range(len(dataset))]


def test_whole_images_give_what_numpy_gives_of_all_their_pixels(tiny):
    found = statistics(str(tiny), workers=2)
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures(tiny)]) / 255
    assert found.source.pixels == len(pixels)
    assert np.allclose(found.mean, pixels.mean(axis=0), rtol=1e-12)
    assert np.allclose(found.deviation, pixels.std(axis=0), rtol=1e-10)
    assert np.allclose(found.covariance, np.cov(pixels.T, bias=True), rtol=1e-9)


def test_axes_are_the_covariances_and_fall(tiny):
    found = statistics(str(tiny))
    assert np.allclose(found.covariance @ found.eigenvectors, found.eigenvectors * found.eigenvalues, atol=1e-12)
    assert np.allclose(found.eigenvectors.T @ found.eigenvectors, np.eye(3), atol=1e-12)
    assert found.eigenvalues[0] > found.eigenvalues[1] > found.eigenvalues[2] > 0
    largest = found.eigenvectors[np.abs(found.eigenvectors).argmax(axis=0), range(3)]
    assert (largest > 0).all()


def test_colours_along_one_axis_are_found_on_it(tmp_path):
    """Grey pictures vary along (1, 1, 1) alone, and by as much as they were made to."""
    for wnid in "ab":
        (tmp_path / "train" / wnid).mkdir(parents=True)
        for k, grey in enumerate((51, 102, 153, 204)):
            Image.new("RGB", (8, 8), (grey,) * 3).save(tmp_path / f"train/{wnid}/{k}.png")
    found = statistics(str(tmp_path))
    assert np.allclose(found.mean, 0.5)
    assert np.allclose(found.eigenvalues, [3 * 0.05, 0, 0])  # variance of .2 .4 .6 .8 is .05, in three channels
    assert np.allclose(found.eigenvectors[:, 0], 3**-0.5)


def test_with_a_size_the_mean_image_is_that_of_the_central_squares(tiny):
    found = statistics(str(tiny), size=24, split="val")
    assert found.mean_image.shape == (24, 24, 3)
    assert found.source.pixels == 40 * 24 * 24
    total = np.zeros((24, 24, 3))
    for picture in pictures(tiny, "val"):
        height, width = picture.shape[:2]
        scale = 24 / min(height, width)
        small = Image.fromarray(picture).resize(
            (max(24, round(width * scale)), max(24, round(height * scale))), Image.Resampling.BILINEAR
        )
        left, top = (small.width - 24) // 2, (small.height - 24) // 2
        total += np.asarray(small)[top : top + 24, left : left + 24]
    assert np.abs(found.mean_image - total / 40 / 255).max() < 2 / 255
    assert np.allclose(found.mean_image.mean(axis=(0, 1)), found.mean, atol=1e-6)


@pytest.mark.parametrize("size", [None, 16])
def test_the_number_of_threads_changes_no_digit(tiny, size):
    one, four = (statistics(str(tiny), size=size, workers=workers) for workers in (1, 4))
    assert json.dumps(one.as_json()) == json.dumps(four.as_json())
    assert size is None or np.array_equal(one.mean_image, four.mean_image)


def test_some_images_are_evenly_spaced_and_said_to_be_some(tiny):
    found = statistics(str(tiny), images=7)
    assert (found.source.images, found.source.of) == (7, 60)
    every = statistics(str(tiny), images=1000)
    assert (every.source.images, every.source.of) == (60, 60)


def test_what_is_written_is_read_back_with_what_it_was_computed_from(tiny, tmp_path):
    found = statistics(str(tiny), size=16)
    written = write_statistics(found, tmp_path / "colours.json")
    assert [path.name for path in written] == ["colours.json", "colours.mean.npz"]
    read = read_statistics(tmp_path / "colours.json")
    assert read.source == found.source
    assert read.source.fingerprint == data.fingerprint(data.open(tiny, "train"))
    assert np.array_equal(read.mean_image, found.mean_image)
    for name in ("mean", "deviation", "covariance", "eigenvalues", "eigenvectors"):
        assert np.allclose(getattr(read, name), getattr(found, name), rtol=1e-11)


def test_a_damaged_file_or_another_mean_image_is_refused(tiny, tmp_path):
    place = tmp_path / "statistics.json"
    write_statistics(statistics(str(tiny), size=16), place)
    whole = place.read_text()
    for damaged in ("{}", "[1]", whole[:100], whole.replace("ilsvrc statistics 1", "other"), "NaN" + whole):
        place.write_text(damaged)
        with pytest.raises(DataError, match=r"statistics\.json is no file of ilsvrc statistics"):
            read_statistics(place)
    place.write_text(whole)
    image = tmp_path / "statistics.mean.npz"
    image.write_bytes(image.read_bytes()[:-1])
    with pytest.raises(DataError, match="another mean image"):
        read_statistics(place)
    image.unlink()
    with pytest.raises(DataError, match=r"statistics\.mean\.npz cannot be read"):
        read_statistics(place)


def test_an_image_that_cannot_be_decoded_stops_it_by_name(tmp_path):
    for wnid in "ab":
        (tmp_path / "train" / wnid).mkdir(parents=True)
        (tmp_path / f"train/{wnid}/{wnid}1.JPEG").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a1 .* is not an image"):
        statistics(str(tmp_path))


def test_the_command_writes_and_prints(tiny, tmp_path, capsys):
    out = tmp_path / "s.json"
    assert run(["statistics", str(tiny), "--out", str(out), "--json", "--workers", "2"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text())
    assert run(["statistics", str(tiny), "--out", str(out), "--images", "5"]) == 0
    shown = capsys.readouterr().out
    assert "pixels of 5 of 60 images, train" in shown
    assert str(out) in shown
