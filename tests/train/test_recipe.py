"""Recipes shortened, scaled to a batch, refused: what changes, and that it is said."""

from dataclasses import replace

import pytest

from ilsvrc.entries import googlenet_2014, inception_2015, modern, msra_2015, wmw_2017
from ilsvrc.errors import SpecError
from ilsvrc.spec import (
    SGD,
    BatchNorm,
    Cosine,
    Exponential,
    MovingAverage,
    Polynomial,
    Recipe,
    RMSProp,
    Start,
    Steps,
    TailMean,
)
from ilsvrc.train import recipe as recipes

RESNET, SENET, V3 = msra_2015.RECIPE, wmw_2017.RECIPE, inception_2015.INCEPTION_V3


def changed(old: Recipe, new: Recipe) -> set[str]:
    return {name for name, value in vars(old).items() if getattr(new, name) != value}


def test_a_shortened_recipe_moves_everything_in_proportion_and_says_so():
    short = recipes.shortened(SENET, 20)
    assert changed(SENET, short) == {"epochs", "schedule", "batch_norm", "gaps"}
    assert short.schedule == Steps(at=(6.0, 12.0, 18.0), factor=0.1)
    assert short.batch_norm == BatchNorm(frozen=1.0)
    assert short.gaps[-1] == "a length of 20 instead of 100 epochs, and the schedule in proportion"
    recipes.check(short)
    assert recipes.shortened(googlenet_2014.RECIPE, 25).schedule == Exponential(factor=0.96, every=0.8)
    assert recipes.shortened(modern.PLAIN, 9).warmup == pytest.approx(0.5)
    assert recipes.shortened(RESNET, 240).schedule == Steps(at=(80.0, 160.0, 200.0), factor=0.1)
    assert recipes.shortened(SENET, 100) is SENET


def test_a_recipe_of_no_epochs_is_refused():
    with pytest.raises(SpecError, match="0 epochs are asked for; a training takes at least 1"):
        recipes.shortened(RESNET, 0)


def test_another_batch_changes_the_rate_by_the_linear_rule_and_says_so():
    # Goyal et al. 2017: k times the batch, k times the rate.
    small = recipes.scaled(RESNET, 64)
    assert changed(RESNET, small) == {"batch", "optimizer", "gaps"}
    assert small.optimizer == replace(RESNET.optimizer, lr=0.025)
    assert small.gaps[-1] == "batch 64 instead of 256, and the rate 0.025 instead of 0.1"
    assert recipes.scaled(RESNET, 8192).optimizer.lr == pytest.approx(3.2)
    assert recipes.scaled(RESNET, 256) is RESNET
    with pytest.raises(SpecError, match="a batch of 0 images is asked for; an update takes at least 1"):
        recipes.scaled(RESNET, 0)


def test_an_average_reaches_back_as_many_images_at_another_batch():
    large = recipes.scaled(V3, 320)
    assert large.average == MovingAverage(decay=0.9999**10)
    assert large.gaps[-1].endswith("the rate 0.45 instead of 0.045; the average's decay 0.999 instead of 0.9999")
    assert recipes.scaled(googlenet_2014.RECIPE, 64).average == TailMean(last=0.1)


def test_batch_norm_s_averages_reach_back_a_tenth_of_a_short_training():
    assert recipes.in_updates(V3, 4_000_000) is V3
    assert recipes.in_updates(RESNET, 50) is RESNET
    short = recipes.in_updates(V3, 1000)
    assert changed(V3, short) == {"batch_norm", "gaps"}
    assert short.batch_norm.decay == pytest.approx(0.99)
    assert short.gaps[-1] == (
        "batch norm's statistics decay by 0.99 instead of 0.9997: this training has 1,000 updates"
    )
    assert recipes.in_updates(V3, 5).batch_norm.decay == 0.9


WRONG: list[tuple[dict[str, object], str]] = [
    ({"epochs": 0}, "has 0 epochs of batches of 256; both must be at least 1"),
    ({"batch": 0}, "has 120 epochs of batches of 0"),
    ({"optimizer": SGD(lr=0)}, "has a learning rate of 0; it must be above 0"),
    ({"optimizer": SGD(lr=0.1, momentum=1)}, "has a momentum of 1; it must be at least 0 and below 1"),
    ({"optimizer": SGD(lr=0.1, weight_decay=-1e-4)}, "has a weight decay of -0.0001; it must be 0, for none, or above"),
    ({"optimizer": SGD(lr=0.1, nesterov=True)}, "asks for Nesterov momentum with the rate inside the velocity"),
    ({"optimizer": SGD(lr=0.1, momentum=0, rate_inside=False, nesterov=True)}, "Nesterov's form of a momentum of 0"),
    ({"optimizer": RMSProp(lr=0.1, epsilon=0)}, "has an RMSProp with decay 0.9 and epsilon 0; the first must be"),
    ({"schedule": Steps(at=(40, 120))}, "changes its rate at epochs 40, 120 of 120; they must rise and lie within"),
    ({"schedule": Steps(at=(80, 40))}, "changes its rate at epochs 80, 40 of 120"),
    ({"schedule": Steps(at=(40,), factor=0)}, "multiplies its rate by 0; it must be above 0"),
    ({"schedule": Exponential(factor=1.2, every=2)}, "multiplies its rate by 1.2 every 2 epochs; by at most 1"),
    ({"schedule": Polynomial(power=0)}, "has a polynomial schedule of power 0; it must be above 0"),
    ({"schedule": Cosine(), "warmup": 120}, "warms up for 120 of 120 epochs; leave some to train in"),
    ({"warmup": -1}, "warms up for -1 of 120 epochs"),
    ({"init": "xavier"}, "starts from 'xavier'; there are krizhevsky, "),
    ({"label_smoothing": 1.0}, "smooths labels by 1; it must be at least 0 and below 1"),
    ({"side_weight": -0.3}, "has side_weight = -0.3; it must be 0, for none, or above"),
    ({"clip_norm": -1}, "has clip_norm = -1; it must be 0, for none, or above"),
    ({"filter_rms": -0.1}, "has filter_rms = -0.1; it must be 0"),
    ({"average": MovingAverage(decay=1.0)}, "averages its weights with decay 1; it must be between 0 and 1"),
    ({"average": TailMean(last=0)}, "averages the last 0 of its updates; it must be above 0 and at most 1"),
    ({"batch_norm": BatchNorm(decay=1)}, "has batch norm's averages decay by 1; it must be at least 0 and below 1"),
    ({"batch_norm": BatchNorm(frozen=120)}, "freezes batch norm for 120 of 120 epochs; leave some to gather"),
    ({"batch_norm": BatchNorm(recomputed=-1)}, "recomputes batch norm's statistics over -1 images; it must be 0"),
    ({"starts_from": Start(model="vgg11", recipe="", layers=("fc6", "fc6"))}, "takes a layer twice from vgg11: fc6"),
]


@pytest.mark.parametrize(("changes", "sentence"), WRONG, ids=lambda value: str(value)[:40])
def test_a_recipe_that_contradicts_itself_is_refused_in_a_sentence(changes: dict[str, object], sentence: str):
    with pytest.raises(SpecError, match=r"^a recipe ") as refused:
        recipes.check(replace(RESNET, **changes))
    assert sentence in str(refused.value)
    recipes.check(RESNET)
