"""The papers' test protocols: how often they look, and where, by hand-made numbers."""

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ilsvrc.entries.protocols import ACCURATE, FAST, PROTOCOLS
from ilsvrc.predict.predict import cutter
from ilsvrc.predict.views import boxes, count, resized, views
from ilsvrc.spec import Crops, Dense, Together
from ilsvrc.train.recipe import in_proportion, while_training

COUNTS = {
    "center": 1,  # Krizhevsky et al. 2012: the centre patch
    "bvlc-center": 1,
    "ten": 10,  # Krizhevsky et al. 2012, section 4.1
    "twelve": 12,
    "zfnet": 10,  # Zeiler and Fergus 2013, section 3
    "overfeat-ten": 10,  # Sermanet et al. 2013, table 2
    "overfeat-1-coarse": 2,  # one scale and its mirror
    "overfeat-1": 2,
    "overfeat": 8,  # scales 1, 2, 4 and 6 and their mirrors
    "overfeat-6": 12,
    "overfeat-fast-1-coarse": 2,
    "overfeat-fast-1": 2,
    "overfeat-fast": 8,
    "overfeat-fast-6": 12,
    "googlenet": 144,  # Szegedy et al. 2014, section 7: 4 x 3 x 6 x 2
    "vgg-dense": 2,  # Simonyan and Zisserman 2014, section 3.2: the image and its mirror
    "vgg-dense-384": 2,
    "vgg-multiscale": 6,
    "vgg-multiscale-256": 6,
    "vgg-multiscale-384": 6,
    "vgg-grid": 150,  # section 3.2: "50 crops per scale ... for a total of 150 crops over 3 scales"
    "vgg-both": 156,
    "resnet-dense": 10,  # He et al. 2015: five scales, and mirrors
    "center-320": 1,
    "inception-center": 1,
    "inception-352": 1,
    "inception-12": 12,
    "inception-144": 144,
}


def crops(name: str) -> Crops:
    protocol = PROTOCOLS[name].protocol
    assert isinstance(protocol, Crops)
    return protocol


def dense(name: str) -> Dense:
    protocol = PROTOCOLS[name].protocol
    assert isinstance(protocol, Dense)
    return protocol


def test_these_are_the_protocols_and_no_others():
    assert set(COUNTS) == set(PROTOCOLS)


def test_the_page_of_the_protocols_has_a_row_for_each():
    page = (Path(__file__).resolve().parents[2] / "docs" / "protocols.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \| (\d+) \| .* \| (.*) \|$", page, re.MULTILINE)
    wanted = [(name, str(COUNTS[name]), str(p.image_size), p.source) for name, p in PROTOCOLS.items()]
    assert rows == wanted


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_looks_as_often_as_its_paper_says(name: str):
    protocol = PROTOCOLS[name].protocol
    assert count(protocol) == COUNTS[name]
    if isinstance(protocol, Crops):
        seen = cutter(in_proportion(protocol, PROTOCOLS[name].image_size, 16))(np.zeros((40, 50, 3), np.uint8), None)
        assert len(seen) == COUNTS[name]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_says_its_source_and_what_it_averages(name: str):
    named = PROTOCOLS[name]
    assert " 20" in named.source or "BVLC" in named.source or "tests of released" in named.source
    parts = named.protocol.of if isinstance(named.protocol, Together) else (named.protocol,)
    assert {part.average for part in parts} == {"probabilities"}, "no winner averaged logits over views"


def test_googlenet_s_crops_are_four_corners_centre_and_whole_of_three_squares_at_four_sides():
    # Szegedy et al. 2014, section 7, for an image of 500 x 375: short sides 256, 288, 320, 352.
    protocol = crops("googlenet")
    assert protocol.short_sides == (256, 288, 320, 352)
    found = list(boxes(protocol, 341, 256, 256))
    lefts = (0, 42, 85)  # left, central and right square of 256 in 341
    for square, left in enumerate(lefts):
        assert found[6 * square : 6 * square + 6] == [
            (left, 0, left + 224, 224),
            (left + 32, 0, left + 256, 224),
            (left, 32, left + 224, 256),
            (left + 32, 32, left + 256, 256),
            (left + 16, 16, left + 240, 240),
            (left, 0, left + 256, 256),
        ]
    assert [view.mirror for view in views(protocol, 341, 256, 256)] == [False] * 18 + [True] * 18


def test_of_a_portrait_the_squares_are_top_centre_and_bottom():
    squares = list(boxes(crops("googlenet"), 256, 341, 256))[5::6]
    assert squares == [(0, 0, 256, 256), (0, 42, 256, 298), (0, 85, 256, 341)]


def test_the_whole_square_is_seen_at_the_network_s_size():
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 3 * np.arange(64), 4 * np.arange(48)[:, None]  # columns in red, rows in green
    seen = cutter(Crops(layout="twelve", short_sides=(48,), size=24))(pixels, random.Random(0))
    inner = seen[5][1:-1, 1:-1].astype(float)  # two pixels of the square, columns 8 to 55, are one of the crop
    assert np.abs(inner[..., 0] - 3 * (8.5 + 2 * np.arange(1, 23))).max() <= 1
    assert np.abs(inner[..., 1] - 4 * (0.5 + 2 * np.arange(1, 23))[:, None]).max() <= 1
    assert np.array_equal(seen[11], seen[5][:, ::-1])


def test_twelve_crops_are_those_of_the_central_square():
    protocol = replace(crops("googlenet"), layout="twelve", short_sides=(256,))
    assert list(boxes(protocol, 341, 256, 256)) == list(boxes(crops("googlenet"), 341, 256, 256))[6:12]


def test_vgg_s_grid_reaches_from_edge_to_edge_in_equal_steps():
    # Simonyan and Zisserman 2014, section 4.3: a 5 x 5 regular grid over the whole image, not its central square.
    found = list(boxes(crops("vgg-grid"), 384, 256, 256))
    assert [box[0] for box in found[:5]] == [0, 40, 80, 120, 160]
    assert [box[1] for box in found[::5]] == [0, 8, 16, 24, 32]
    assert found[-1] == (160, 32, 384, 256)
    assert len(set(found)) == 25


def test_dense_protocols_bring_the_short_side_to_q():
    # Simonyan and Zisserman 2014, section 3.2; sizes by hand for a photograph of 500 x 375.
    assert list(resized(dense("vgg-multiscale"), 500, 375)) == [(341, 256), (512, 384), (683, 512)]
    assert list(resized(dense("resnet-dense"), 375, 500)) == [
        (224, 299),
        (256, 341),
        (384, 512),
        (480, 640),
        (640, 853),
    ]
    assert dense("vgg-multiscale-256").short_sides == (224, 256, 288)  # Q = S - 32, S, S + 32
    assert dense("vgg-multiscale-384").short_sides == (352, 384, 416)


def test_overfeat_s_scales_are_those_of_table_5_turned_for_a_portrait():
    assert list(resized(dense("overfeat-6"), 500, 375)) == [(wide, high) for high, wide in ACCURATE]
    assert list(resized(dense("overfeat"), 375, 500)) == [ACCURATE[scale] for scale in (0, 1, 3, 5)]
    assert [dense(name).offsets for name in ("overfeat-1-coarse", "overfeat-1", "overfeat")] == [1, 3, 3]
    assert {(part.over, part.mirror) for part in map(dense, ("overfeat", "overfeat-fast"))} == {("max", True)}
    assert len(FAST) == len(ACCURATE) == 6


def test_larger_crops_are_the_whole_resized_short_side():
    assert list(boxes(crops("center-320"), 427, 320, 320)) == [(53, 0, 373, 320)]
    assert crops("inception-center").short_sides == (round(299 / 0.875),)  # released evaluation: 87.5 %
    assert list(boxes(crops("inception-352"), 352, 352, 352)) == [(26, 26, 325, 325)]


def test_sides_for_299_are_those_of_224_in_proportion():
    assert in_proportion(crops("googlenet"), 224, 299) == crops("inception-144")
    assert in_proportion(crops("twelve"), 224, 299) == crops("inception-12")


def test_a_miniature_is_tested_in_proportion():
    assert in_proportion(crops("ten"), 224, 64) == Crops(layout="ten", short_sides=(73,), size=64)
    assert in_proportion(crops("center-320"), 224, 64) == Crops(layout="center", short_sides=(91,), size=91)
    assert in_proportion(dense("vgg-multiscale"), 224, 56).short_sides == (64, 96, 128)
    assert in_proportion(dense("vgg-multiscale-256"), 224, 64).short_sides == (64, 73, 82)
    small = in_proportion(PROTOCOLS["vgg-both"].protocol, 224, 112)
    assert isinstance(small, Together)
    assert [part.short_sides for part in small.of] == [(128, 192, 256)] * 2
    assert small.of[0].size == 112
    halves = in_proportion(dense("overfeat-1"), 221, 221)
    assert halves == dense("overfeat-1")
    for name, named in PROTOCOLS.items():
        assert in_proportion(named.protocol, named.image_size, named.image_size) == named.protocol, name


def test_warped_images_keep_nothing_of_their_shape():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 60, 3), dtype=np.uint8)
    (seen,) = cutter(Crops(layout="center", short_sides=(16,), size=16, warp=True))(pixels, random.Random(0))
    whole = pixels.reshape(20, 60, 3).astype(float)
    assert abs(seen[:, :4].mean() - whole[:, :15].mean()) < 6, "the left edge is in it"
    kept = cutter(Crops(layout="center", short_sides=(16,), size=16))(pixels, random.Random(0))[0]
    assert not np.array_equal(seen, kept)


def test_a_training_is_judged_by_what_costs_little():
    assert while_training(crops("ten"), 224) == crops("ten")
    assert while_training(crops("googlenet"), 224) == crops("center")
    assert while_training(dense("vgg-multiscale"), 224) == crops("center")
    assert while_training(dense("resnet-dense"), 299) == crops("inception-center")
