"""Selective search on small images: what it finds, and what it says where OpenCV is missing."""

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import pytest

from ilsvrc.errors import SpecError
from ilsvrc.spec import Search
from ilsvrc.tasks.selective import opencv, searched

needs_opencv = pytest.mark.skipif(importlib.util.find_spec("cv2") is None, reason="needs the extra proposals")
SMALL = Search(width=64, superpixels=(20,), least_side=4)


def _square(width: int = 80, height: int = 60) -> np.ndarray:
    pixels = np.full((height, width, 3), 30, np.uint8)
    pixels[20:40, 30:60] = (230, 40, 40)
    return pixels


@needs_opencv
def test_a_square_on_a_plain_ground_is_among_the_proposals():
    boxes = searched(_square(), SMALL)
    assert boxes.dtype == np.int32
    assert np.abs(boxes - [30, 20, 59, 39]).max(axis=1).min() <= 2


@needs_opencv
@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (3, 3), (40, 4), (64, 48)])
@pytest.mark.parametrize("plain", [True, False])
def test_boxes_lie_within_an_image_of_any_shape_and_are_there_once(shape: tuple[int, int], plain: bool):
    draws = np.random.default_rng(0)
    pixels = np.full((*shape, 3), 77, np.uint8) if plain else draws.integers(0, 255, (*shape, 3), dtype=np.uint8)
    boxes = searched(pixels, SMALL)
    assert len(boxes) >= 1
    assert boxes.min() >= 0
    assert (boxes[:, 2:] < [shape[1], shape[0]]).all()
    assert (boxes[:, :2] <= boxes[:, 2:]).all()
    assert len(np.unique(boxes, axis=0)) == len(boxes)


@needs_opencv
def test_the_same_image_has_the_same_proposals_in_any_thread():
    draws = np.random.default_rng(1)
    images = [np.kron(draws.integers(0, 255, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(6)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda pixels: searched(pixels, SMALL), images))
    assert all(np.array_equal(searched(pixels, SMALL), found) for pixels, found in zip(images, together, strict=True))


@needs_opencv
def test_small_boxes_are_left_out():
    least = searched(_square(), Search(width=80, superpixels=(20,), least_side=25))
    assert ((least[:, 2:] - least[:, :2] + 1) >= 25).all()


@pytest.mark.parametrize(("module", "words"), [(None, "is not installed; pip install"), ("bare", "pip uninstall")])
def test_without_opencv_s_contributed_modules_it_says_what_to_install(
    module: str | None, words: str, monkeypatch: pytest.MonkeyPatch
):
    opencv.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None if module is None else ModuleType("cv2"))
    with pytest.raises(SpecError, match=words):
        searched(_square(), SMALL)
    opencv.cache_clear()
