"""Decoding: Pillow's pixels to the bit, whole or in part, and what is wrong is found."""

import io
import random

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from ilsvrc.data import decode as module
from ilsvrc.data.decode import Image, decode
from ilsvrc.data.sample import Sample
from ilsvrc.errors import BadImage


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth shapes with grain."""
    rng = np.random.default_rng(seed)
    small = PillowImage.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((width, height), PillowImage.Resampling.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-20, 21, (height, width, 1)), 0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "JPEG", **{"quality": 88, **options})
    return buffer.getvalue()


def by_pillow(content: bytes) -> np.ndarray:
    with PillowImage.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


FORMS = [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"progressive": True}, {"restart_marker_rows": 2}]


@pytest.mark.parametrize("options", FORMS, ids=str)
@pytest.mark.parametrize("size", [(97, 131), (256, 200), (16, 16), (40, 333)])
def test_both_decoders_give_pillow_s_pixels_to_the_bit(options: dict[str, object], size: tuple[int, int]):
    content = jpeg(photograph(*size), **options)
    wanted = by_pillow(content)
    assert np.array_equal(decode(Sample("a", content, 0), "fast"), wanted)
    assert np.array_equal(decode(Sample("a", content, 0), "reference"), wanted)


def test_the_reference_never_asks_the_fast_decoder(monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("this is Pillow's part")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", refused)
    monkeypatch.setattr(simplejpeg, "decode_jpeg_header", refused)
    content = jpeg(photograph(50, 60))
    image = Image(Sample("a", content, 0), "reference")
    assert (image.height, image.width) == (50, 60)
    assert np.array_equal(image.pixels(20)[:20], by_pillow(content)[:20])


@settings(max_examples=60)
@given(st.integers(1, 300), st.integers(1, 90), st.integers(1, 300), st.integers(0, len(FORMS) - 1), st.integers(0, 3))
def test_the_upper_rows_are_those_of_the_whole_to_the_bit(height: int, width: int, rows: int, form: int, seed: int):
    rows = min(rows, height)
    content = jpeg(photograph(height, width, seed), **FORMS[form])
    image = Image(Sample("a", content, 0))
    assert (image.height, image.width) == (height, width)
    part = image.pixels(rows)
    assert part.shape[0] >= rows
    assert np.array_equal(part[:rows], by_pillow(content)[:rows])


@pytest.mark.parametrize("grey", [False, True])
def test_rows_that_nobody_asks_for_are_not_decoded(grey: bool):
    pixels = photograph(400, 300)
    content = jpeg(pixels[..., 0] if grey else pixels)
    image = Image(Sample("a", content, 0))
    assert image.pixels(100).shape == (112, 300, 3)
    assert image.pixels(386).shape == (400, 300, 3), "not worth it for the last ones"
    assert image.pixels().shape == (400, 300, 3)


@pytest.mark.parametrize("options", FORMS[2:], ids=str)
def test_only_a_jpeg_of_one_scan_without_restarts_is_declared_shorter(options: dict[str, object]):
    content = jpeg(photograph(400, 300), **options)
    assert (module._height_place(content) is None) == ("subsampling" not in options)
    place = module._height_place(content)
    if place is not None:
        assert int.from_bytes(content[place : place + 2], "big") == 400


def test_a_file_cut_below_the_rows_is_found_out():
    content = jpeg(photograph(400, 300))
    for kept in (len(content) - 2, len(content) - 100, len(content) * 3 // 4):
        with pytest.raises(BadImage, match=r"cut \([0-9,]+ bytes\) is not an image that can be decoded"):
            Image(Sample("cut", content[:kept], 0)).pixels(40)


def test_damage_within_the_rows_gives_what_the_whole_decoder_gives():
    whole = jpeg(photograph(400, 300))
    rng = random.Random(0)
    start = whole.index(b"\xff\xda") + 20
    for _ in range(150):
        content = bytearray(whole)
        content[rng.randrange(start, start + (len(content) - start) // 4)] = rng.randrange(256)
        found, wanted = [], []
        for seen, rows in ((found, 120), (wanted, None)):
            try:
                seen.append(Image(Sample("a", bytes(content), 0)).pixels(rows)[:120])
            except BadImage:
                seen.append(np.zeros(0))
        assert np.array_equal(found[0], wanted[0])


def test_raw_pixels_are_read_where_they_are():
    pixels = photograph(30, 20)
    content = b"P6\n20 30\n255\n" + pixels.tobytes()
    found = decode(Sample("raw", content, 0))
    assert np.array_equal(found, pixels)
    assert np.array_equal(found, decode(Sample("raw", content, 0), "reference"))
    assert not found.flags.writeable
    assert found.__array_interface__["data"][0] == np.frombuffer(content, np.uint8).__array_interface__["data"][0] + 13


@pytest.mark.parametrize("content", [b"P6\n20 30\n255\n" + bytes(1799), b"P6\n99999 99999\n255\n", b"P6\n2 2\n255\n"])
def test_raw_pixels_that_are_not_all_there_are_refused(content: bytes):
    with pytest.raises(BadImage, match=r"raw \([0-9,]+ bytes\) is not an image .* rows of .* pixels take"):
        decode(Sample("raw", content, 0))


def test_an_image_says_what_its_sample_says():
    boxes, labels = np.array([[1, 2, 3, 4]]), np.array([5])
    image = Image(Sample("n0_1", jpeg(photograph(20, 30)), None, boxes, labels))
    assert (image.name, image.label, image.height, image.width) == ("n0_1", -1, 20, 30)
    assert image.boxes is boxes
    assert image.box_labels is labels
