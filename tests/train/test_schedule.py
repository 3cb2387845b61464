"""Schedules as functions of the epoch; what the papers' recipes make of them is in tests/paper/published.py."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ilsvrc.entries.miniature import NORMALISED, PLAIN
from ilsvrc.entries.recipes import PAPER
from ilsvrc.spec import SGD, Cosine, Exponential, Polynomial, Recipe, Schedule, Steps
from ilsvrc.train import recipe as recipes
from ilsvrc.train.schedule import rate

RECIPES = {recipe.source: recipe for recipe in PAPER.values()}


def recipe(schedule: Schedule, epochs: float = 10, lr: float = 0.5, warmup: float = 0) -> Recipe:
    return Recipe(
        source="here",
        epochs=epochs,
        batch=1,
        optimizer=SGD(lr=lr),
        schedule=schedule,
        warmup=warmup,
        augment=(),
        mean="channel",
        init="he",
    )


@pytest.mark.sampled(12)
@pytest.mark.parametrize("source", [*RECIPES, NORMALISED.source, PLAIN.source])
@pytest.mark.parametrize("epochs", [1, 5, 30, 400])
def test_a_shortened_recipe_does_everything_in_proportion(source: str, epochs: int):
    full = (RECIPES | {NORMALISED.source: NORMALISED, PLAIN.source: PLAIN})[source]
    short, whole = rate(full, epochs), rate(full)
    for step in range(997):
        t = step / 997  # off the steps, where rounding would decide
        assert short(t * epochs) == pytest.approx(whole(t * full.epochs), rel=1e-6)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("source", RECIPES)
@pytest.mark.parametrize("epochs", [1, 3, 7, 13])
def test_a_step_that_falls_on_a_fraction_is_not_put_off_by_rounding(source: str, epochs: int):
    full = RECIPES[source]
    if isinstance(full.schedule, Steps):
        at = rate(full, epochs)
        for number, step in enumerate(full.schedule.at, 1):
            wanted = full.optimizer.lr * full.schedule.factor**number
            assert at(step * epochs / full.epochs) == pytest.approx(wanted, rel=1e-9)


KINDS: list[Schedule] = [
    Cosine(),
    Steps(at=(3, 6)),
    Exponential(factor=0.9, every=2),
    Polynomial(power=0.5),
]


@given(st.floats(0, 0.999), st.sampled_from(KINDS), st.sampled_from([0.0, 2.0]))
def test_a_rate_is_above_zero_and_never_above_the_recipe_s(t: float, schedule: Schedule, warmup: float):
    assert 0 < rate(recipe(schedule, warmup=warmup))(t * 10) <= 0.5


@given(st.floats(0, 0.999), st.sampled_from(KINDS), st.sampled_from([1, 3, 7, 40]))
def test_a_shortened_recipe_has_the_rates_of_the_whole_one(t: float, schedule: Schedule, epochs: int):
    assume(min(abs(10 * t - step) for step in range(11)) > 1e-6)  # at a step itself, rounding decides
    whole = recipe(schedule, warmup=1)
    short = recipes.shortened(whole, epochs)
    assert short.epochs == epochs
    assert rate(short)(t * epochs) == pytest.approx(rate(whole, epochs)(t * epochs), rel=1e-9)


def test_a_polynomial_falls_to_zero_by_its_power():
    # Caffe's "poly": base_lr (1 - iter / max_iter) ^ power.
    at = rate(recipe(Polynomial(power=0.5)))
    assert at(0) == 0.5
    assert at(7.5) == pytest.approx(0.25)
    assert at(9.9) == pytest.approx(0.05)
    assert rate(recipe(Polynomial(power=1)))(2.5) == pytest.approx(0.375)


def test_a_cosine_goes_from_the_rate_to_zero_by_half_a_cosine():
    at = rate(recipe(Cosine()))
    assert at(0) == 0.5
    assert at(5) == pytest.approx(0.25)
    assert at(2.5) == pytest.approx(0.25 * (1 + math.sqrt(0.5)))
    assert at(10 - 1e-9) == pytest.approx(0, abs=1e-12)


def test_a_warm_up_rises_in_a_line_and_meets_the_cosine():
    at = rate(recipe(Cosine(), warmup=2))
    assert at(0) == pytest.approx(0.005)
    assert at(1) == pytest.approx((0.005 + 0.5) / 2)
    assert at(2 - 1e-9) == pytest.approx(at(2))
    assert at(2) == 0.5
    assert at(6) == pytest.approx(0.25)


def test_a_warm_up_meets_steps_where_they_are():
    at = rate(recipe(Steps(at=(1, 6)), warmup=2))
    assert at(0) == pytest.approx(0.005)
    assert at(1) == pytest.approx(0.05 * 0.505)
    assert (at(2), at(6)) == (0.05, pytest.approx(0.005))
