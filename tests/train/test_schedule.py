"""The learning rate at each epoch, by each paper's recipe."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.entries.miniature import NORMALISED, PLAIN
from ilsvrc.entries.recipes import PAPER
from ilsvrc.errors import SpecError
from ilsvrc.spec import SGD, Cosine, Exponential, Recipe, Schedule, Steps
from ilsvrc.train import recipe as recipes
from ilsvrc.train.schedule import rate

RECIPES = {recipe.source: recipe for recipe in PAPER.values()}

# model -> the epochs at which the rate changes and what it is from there on.
PUBLISHED: dict[str, dict[float, float]] = {
    # Three divisions by 10 (section 5); the epochs are those of net 145 in the 2012 code.
    "alexnet": {0: 1e-2, 25: 1e-3, 51: 1e-4, 79: 1e-5},
    # 0.01, annealed by hand; 70 epochs (section 3).
    "zfnet": {0: 1e-2, 25: 1e-3, 45: 1e-4, 60: 1e-5},
    # 4 % less every 8 epochs (section 6); 0.01 from BVLC.
    "googlenet": {0: 1e-2, 8: 0.96e-2, 16: 0.9216e-2, 80: 1e-2 * 0.96**10, 248: 1e-2 * 0.96**31},
    # 0.01, three divisions by 10, 74 epochs (section 3.1).
    "vgg16": {0: 1e-2, 30: 1e-3, 50: 1e-4, 65: 1e-5},
    # 0.1, divided by 10 at plateaus, up to 60e4 iterations of 256: 120 epochs (section 3.4).
    "resnet50": {0: 0.1, 40: 1e-2, 80: 1e-3, 100: 1e-4},
    # 0.1, every 30 epochs (the authors' code), 90 in all.
    "resnext50_32x4d": {0: 0.1, 30: 1e-2, 60: 1e-3},
    # 0.6 at batch 1024, divided by 10 every 30 of 100 epochs.
    "se_resnet50": {0: 0.6, 30: 0.06, 60: 0.006, 90: 0.0006},
    # 1.0 at batch 2048.
    "senet154": {0: 1.0, 30: 0.1, 60: 0.01, 90: 0.001},
}
EPOCHS_AND_BATCH = {
    "alexnet": (90, 128),
    "zfnet": (70, 128),
    "googlenet": (250, 32),
    "vgg16": (74, 256),
    "resnet50": (120, 256),
    "resnext50_32x4d": (90, 256),
    "se_resnet50": (100, 1024),
    "senet154": (100, 2048),
}


def recipe(schedule: Schedule, epochs: float = 10, lr: float = 0.5) -> Recipe:
    return Recipe(
        source="here",
        epochs=epochs,
        batch=1,
        optimizer=SGD(lr=lr),
        schedule=schedule,
        augment=(),
        mean="channel",
        init="he",
    )


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_rate_at_each_epoch_is_the_paper_s(model: str):
    at = rate(PAPER[model])
    changes = sorted(PUBLISHED[model])
    for number, epoch in enumerate(changes):
        wanted = PUBLISHED[model][epoch]
        assert at(epoch) == pytest.approx(wanted, rel=1e-9)
        assert at(epoch + 0.999) == pytest.approx(wanted, rel=1e-9)
        if number and model != "googlenet":
            assert at(epoch - 0.001) == pytest.approx(PUBLISHED[model][changes[number - 1]], rel=1e-9)
    if model == "googlenet":
        assert at(7.999) == pytest.approx(1e-2)


@pytest.mark.parametrize("model", PUBLISHED)
def test_length_and_batch_are_the_paper_s(model: str):
    assert (PAPER[model].epochs, PAPER[model].batch) == EPOCHS_AND_BATCH[model]


def test_every_paper_s_recipe_is_in_the_table():
    assert {PAPER[model].source for model in PUBLISHED} == set(RECIPES)


@pytest.mark.parametrize("source", [*RECIPES, NORMALISED.source, PLAIN.source])
@pytest.mark.parametrize("epochs", [1, 5, 30, 400])
def test_a_shortened_recipe_does_everything_in_proportion(source: str, epochs: int):
    full = (RECIPES | {NORMALISED.source: NORMALISED, PLAIN.source: PLAIN})[source]
    short, whole = rate(full, epochs), rate(full)
    for step in range(997):
        t = step / 997  # off the steps, where rounding would decide
        assert short(t * epochs) == pytest.approx(whole(t * full.epochs), rel=1e-6)


@pytest.mark.parametrize("source", RECIPES)
@pytest.mark.parametrize("epochs", [1, 3, 7, 13])
def test_a_step_that_falls_on_a_fraction_is_not_put_off_by_rounding(source: str, epochs: int):
    full = RECIPES[source]
    if isinstance(full.schedule, Steps):
        at = rate(full, epochs)
        for number, step in enumerate(full.schedule.at, 1):
            wanted = full.optimizer.lr * full.schedule.factor**number
            assert at(step * epochs / full.epochs) == pytest.approx(wanted, rel=1e-9)


KINDS: list[Schedule] = [Cosine(), Cosine(warmup=2), Steps(at=(3, 6)), Exponential(factor=0.9, every=2)]


@given(st.floats(0, 0.999), st.sampled_from(KINDS))
def test_a_rate_is_above_zero_and_never_above_the_recipe_s(t: float, schedule: Schedule):
    assert 0 < rate(recipe(schedule))(t * 10) <= 0.5


def test_a_cosine_goes_from_the_rate_to_zero_by_half_a_cosine():
    at = rate(recipe(Cosine()))
    assert at(0) == 0.5
    assert at(5) == pytest.approx(0.25)
    assert at(2.5) == pytest.approx(0.25 * (1 + math.sqrt(0.5)))
    assert at(10 - 1e-9) == pytest.approx(0, abs=1e-12)


def test_a_warm_up_rises_in_a_line_and_meets_the_cosine():
    at = rate(recipe(Cosine(warmup=2)))
    assert at(0) == pytest.approx(0.005)
    assert at(1) == pytest.approx((0.005 + 0.5) / 2)
    assert at(2 - 1e-9) == pytest.approx(at(2))
    assert at(2) == 0.5
    assert at(6) == pytest.approx(0.25)


def test_recipes_that_contradict_themselves_are_refused():
    with pytest.raises(SpecError, match="learning rate of 0; it must be above 0"):
        recipes.check(recipe(Steps(at=()), lr=0))
    with pytest.raises(SpecError, match="0 epochs of batches of 1; both must be at least 1"):
        recipes.check(recipe(Steps(at=()), epochs=0))
    with pytest.raises(SpecError, match="warms up for 10 of 10 epochs"):
        recipes.check(recipe(Cosine(warmup=10)))
    both = replace(recipe(Steps(at=())), optimizer=SGD(lr=0.1, nesterov=True))
    with pytest.raises(SpecError, match="Nesterov momentum with the rate inside"):
        recipes.check(both)
