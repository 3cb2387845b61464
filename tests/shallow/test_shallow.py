"""Descriptors and codes against cases made by hand, and the method as a whole on images that differ in one thing."""

import numpy as np
import pytest

from ilsvrc.entries.before import BEFORE
from ilsvrc.entries.earlier import Shallow
from ilsvrc.errors import DataError
from ilsvrc.shallow.classifier import fitted, parameters, probabilities
from ilsvrc.shallow.codes import FEW, coded, learnt, regions, size, super_vector
from ilsvrc.shallow.descriptors import SIZES, colours, described, gradients, patterns, resized

METHOD = Shallow(
    source="a test",
    short_side=32,
    descriptors=("gradients",),
    cells=(4,),
    components=8,
    code="Fisher vectors",
    words=4,
    regions=((1, 1), (3, 1)),
    sampled=1000,
    epochs=20,
    regularisation=1e-4,
)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def stripes(vertical: bool, seed: int) -> np.ndarray:
    """Stripes of a drawn phase with noise."""
    draws = np.random.default_rng(seed)
    wave = 100 + 80 * np.sin(np.arange(32) * 0.8 + draws.uniform(0, 6))
    image = np.tile(wave, (32, 1)) if vertical else np.tile(wave[:, None], (1, 32))
    grey = np.clip(image + draws.normal(0, 10, image.shape), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("kind", ["gradients", "colours", "patterns"])
def test_a_grid_of_descriptors_moves_by_one_cell_and_each_sees_four_by_four(kind):
    found, places = described(noise(32, 40), kind, (4, 8))
    # 8 × 10 cells of 4 pixels hold 5 × 7 descriptors, 4 × 5 of 8 pixels hold 1 × 2.
    assert found.shape == (35 + 2, SIZES[kind])
    assert found.dtype == np.float32
    assert places[0].tolist() == pytest.approx([2 / 8, 2 / 10])
    assert places[-1].tolist() == pytest.approx([2 / 4, 3 / 5])


def test_an_image_of_too_few_cells_has_no_descriptors():
    found, places = described(noise(15, 40), "colours", (4,))
    assert (found.shape, places.shape) == ((0, 96), (0, 2))


def test_colours_are_the_mean_and_the_deviation_of_each_cell():
    image = np.zeros((16, 16, 3), np.uint8)
    image[:4, :4] = (255, 0, 51)
    image[4:8, :4, 0] = np.tile([0, 255], (4, 2))
    (descriptor,) = colours(image, 4)
    cells = descriptor.reshape(6, 4, 4)  # red, green, blue mean; red, green, blue deviation
    assert cells[:, 0, 0].tolist() == pytest.approx([1, 0, 0.2, 0, 0, 0], abs=1e-6)
    assert cells[:, 1, 0].tolist() == pytest.approx([0.5, 0, 0, 0.5, 0, 0], abs=1e-6)
    assert not cells[:, 2:].any()


def test_gradients_tell_directions_apart_and_are_of_length_one():
    upright, lying = (gradients(stripes(vertical, 0), 4) for vertical in (True, False))
    assert np.linalg.norm(upright, axis=1) == pytest.approx(1, abs=1e-3)
    strongest = [set(found.reshape(-1, 16, 8).sum(axis=1).argmax(axis=1)) for found in (upright, lying)]
    assert not strongest[0] & strongest[1]


def test_patterns_are_roots_of_shares():
    (descriptor,) = patterns(noise(16, 16), 4)
    assert (descriptor.reshape(10, 16) ** 2).sum(axis=0) == pytest.approx(1, abs=1e-5)


def test_the_shorter_side_is_resized_and_the_shape_kept():
    assert resized(noise(60, 90), 30).shape == (30, 45, 3)
    assert resized(noise(90, 60), 30).shape == (45, 30, 3)


def test_a_super_vector_is_residuals_by_word_over_the_root_of_its_share():
    centres = np.array([[0, 0], [10, 10], [99, 99]], np.float32)
    code = super_vector(np.array([[1, 0], [0, 1], [1, 1], [12, 10]], np.float32), centres).reshape(3, 3)
    share = np.sqrt(3 / 4)
    assert code[0].tolist() == pytest.approx([share / FEW, 2 / (4 * share), 2 / (4 * share)])
    assert code[1].tolist() == pytest.approx([0.5 / FEW, 2 / (4 * 0.5), 0])
    assert not code[2].any()


@pytest.mark.parametrize("code", ["Fisher vectors", "super vectors"])
def test_an_image_s_vector_has_a_code_for_each_region_and_length_one(code):
    from dataclasses import replace

    method = replace(METHOD, code=code)
    found, places = described(noise(32, 32), "gradients", (4,))
    book = learnt("gradients", found, method, seed=0)
    vector = coded(found, places, book, method)
    own = 4 * (2 * 8 + 1) if code == "Fisher vectors" else 4 * (8 + 1)
    assert (size(method, book), regions(method)) == (own, 4)
    assert vector.shape == (4 * own,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    upper = places[:, 0] < 1 / 3
    only = coded(found[upper], places[upper], book, method).reshape(4, own)
    assert [bool(part.any()) for part in only] == [True, True, False, False], "whole, upper, middle, lower third"
    assert not coded(found[:0], places[:0], book, method).any()


def test_too_few_descriptors_are_refused_in_a_sentence():
    found, _ = described(noise(16, 16), "gradients", (4,))
    with pytest.raises(DataError, match="the images have 1 descriptors and 8 are needed"):
        learnt("gradients", found, METHOD, seed=0)


def test_directions_of_stripes_are_learnt_and_repeat_to_the_bit():
    def scores() -> np.ndarray:
        images = [described(stripes(bool(i % 2), i), "gradients", (4,)) for i in range(40)]
        book = learnt("gradients", np.concatenate([found for found, _ in images]), METHOD, seed=0)
        codes = np.stack([coded(found, places, book, METHOD) for found, places in images])
        labels = np.arange(40) % 2
        machine = fitted(codes[:30], labels[:30], METHOD, 0, 1)
        assert parameters(machine) == codes.shape[1] + 1
        return probabilities(machine, codes[30:], 2)

    found = scores()
    assert found.argmax(axis=1).tolist() == [0, 1] * 5
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array_equal(found, scores())


def test_a_class_that_was_never_seen_comes_last():
    codes = np.eye(6, dtype=np.float32)
    machine = fitted(codes, np.array([0, 0, 2, 2, 3, 3]), METHOD, 0, 1)
    found = probabilities(machine, codes, 5)
    assert found.shape == (6, 5)
    assert not found[:, [1, 4]].any()


@pytest.mark.parametrize("key", BEFORE)
def test_an_earlier_entry_says_who_what_and_what_is_not_known(key: str):
    entry = BEFORE[key]
    assert entry.key == key
    assert key.endswith("-cls")
    assert str(entry.year) in key
    assert entry.year < 2012
    for method in (entry.method, entry.miniature):
        assert method.gaps
        assert set(method.descriptors) <= set(SIZES)
        assert min(method.cells) * 4 <= method.short_side
    assert entry.miniature.words < entry.method.words
    assert entry.reported[0].unverified
    assert entry.gaps
