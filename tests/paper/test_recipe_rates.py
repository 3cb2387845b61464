"""The learning rate at each epoch by each recipe."""

import pytest
from published import PUBLISHED, all_recipes

from ilsvrc.spec import Steps
from ilsvrc.train.schedule import rate


def test_every_recipe_is_in_the_table():
    assert {recipe.source for recipe, *_ in PUBLISHED.values()} == set(all_recipes())


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_rate_at_each_epoch_is_the_paper_s(name: str):
    recipe, epochs, batch, rates = PUBLISHED[name]
    assert (recipe.epochs, recipe.batch) == (epochs, batch)
    at = rate(recipe)
    assert {epoch: at(epoch) for epoch in rates} == pytest.approx(rates, rel=5e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_step_falls_at_its_epoch_and_no_other(name: str):
    recipe, *_ = PUBLISHED[name]
    if isinstance(recipe.schedule, Steps):
        at = rate(recipe)
        ends = [*recipe.schedule.at, recipe.epochs]
        for begin, end in zip([0.0, *recipe.schedule.at], ends, strict=True):
            assert at(begin) == at((begin + end) / 2) == at(end - 1e-6)
        assert len({at(begin) for begin in (0.0, *recipe.schedule.at)}) == len(ends)


def test_no_winner_warms_up():
    # He et al. 2016 say so of ImageNet; Hu et al. 2017 mention none at batch 2048.
    assert [name for name, (recipe, *_) in PUBLISHED.items() if recipe.warmup] == [
        *("modern", "modern, plain", "miniature", "miniature, plain"),
        *(
            "miniature, boxes",
            "miniature, boxes of two",
            "miniature, judged again by two",
            "miniature, judged again",
            "miniature, plain, boxes of scales",
            "miniature, plain, boxes",
            "miniature, regions",
            "miniature, windows",
        ),
    ]
