"""Resampling: two implementations of one formula, and the mirror image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ilsvrc.transforms.resample import mirrored, resampled


@st.composite
def parts(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int, int, int], int, int]:
    height, width = draw(st.integers(1, 80)), draw(st.integers(1, 80))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return pixels, (left, top, right, bottom), draw(st.integers(1, 120)), draw(st.integers(1, 120))


@settings(max_examples=150)
@given(parts())
def test_both_agree_to_two_grey_levels_on_noise(case: tuple[np.ndarray, tuple[int, int, int, int], int, int]):
    # Noise is the hardest: a photograph's neighbours are alike, and most of its pixels agree to the bit.
    fast, reference = (resampled(*case, how).astype(int) for how in ("fast", "reference"))
    assert fast.shape == reference.shape == (case[3], case[2], 3)
    assert np.abs(fast - reference).max() <= 2
    assert np.abs(fast - reference).mean() < 0.3


@given(parts())
def test_the_reference_is_pillow_s_crop_and_resize_to_the_bit(
    case: tuple[np.ndarray, tuple[int, int, int, int], int, int],
):
    pixels, part, width, height = case
    wanted = Image.fromarray(pixels).crop(part).resize((width, height), Image.Resampling.BILINEAR)
    assert np.array_equal(resampled(pixels, part, width, height, "reference"), np.asarray(wanted))


@pytest.mark.parametrize("how", ["fast", "reference"])
def test_what_lies_outside_of_the_part_does_not_count(how):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    other = pixels.copy()
    other[:5], other[35:], other[:, :6], other[:, 44:] = 0, 0, 0, 0
    assert np.array_equal(resampled(pixels, (6, 5, 44, 35), 20, 60, how), resampled(other, (6, 5, 44, 35), 20, 60, how))


@pytest.mark.parametrize("how", ["fast", "reference"])
def test_bytes_that_may_not_be_written_to_are_resampled_without_a_warning(how, recwarn):
    pixels = np.frombuffer(bytes(range(192)), np.uint8).reshape(8, 8, 3)
    for part in ((0, 0, 8, 8), (0, 2, 8, 6), (1, 1, 5, 5)):
        found = resampled(pixels, part, 4, 4, how)
        assert not np.shares_memory(found, pixels)
    mirrored(pixels)
    assert len(recwarn) == 0


@pytest.mark.parametrize("size", [(1, 1), (224, 224), (3, 20_000), (500, 7)])
def test_a_mirror_image_is_the_columns_backwards(size: tuple[int, int]):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(mirrored(pixels), pixels[:, ::-1])
    assert np.array_equal(mirrored(pixels[:, ::-1]), pixels)
