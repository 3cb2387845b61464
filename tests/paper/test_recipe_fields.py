"""What else the papers say of a training: the update's form, exemptions, losses, averages, batch norm, starts."""

import pytest
from published import PUBLISHED

from ilsvrc.entries import vgg_2014
from ilsvrc.entries.recipes import OTHERS, PAPER
from ilsvrc.models import build
from ilsvrc.spec import SGD, BatchNorm, MovingAverage, Recipe, RMSProp, Rotation, ShortSide, TailMean, Warp

RECIPES = {name: recipe for name, (recipe, *_) in PUBLISHED.items()}


def sgd(momentum: float, decay: float, **changes: object) -> dict[str, object]:
    return {"momentum": momentum, "weight_decay": decay, "decay_biases": True, "bias_rate": 1.0} | changes


CAFFE = {"decay_biases": False, "bias_rate": 2.0, "rate_inside": True}
TORCH = {"rate_inside": False, "nesterov": True}
RELEASE = {"decay": 0.9, "momentum": 0.9, "epsilon": 1.0, "weight_decay": 4e-5, "decay_biases": False}

# The fields of the optimizer, as printed, or as the released solver or code has them.
OPTIMIZERS: dict[str, dict[str, object]] = {
    # Biases at twice the rate and without decay: the 2012 code, and the multipliers of Caffe's definitions.
    "alexnet": sgd(0.9, 5e-4, **CAFFE),
    "alexnet_caffe": sgd(0.9, 5e-4, **CAFFE),
    "caffenet": sgd(0.9, 5e-4, **CAFFE),
    "alexnet_one_tower": sgd(0.9, 5e-4, **CAFFE),
    "googlenet": sgd(0.9, 2e-4, **CAFFE),
    "googlenet, bvlc": sgd(0.9, 2e-4, **CAFFE),
    "zfnet": sgd(0.9, 5e-4),
    "overfeat_accurate": sgd(0.6, 1e-5),  # they look like typing errors and are not
    "nin": sgd(0.9, 1e-4),
    "vgg16": sgd(0.9, 5e-4),
    "vgg16, s384": sgd(0.9, 5e-4),
    "bn_inception": sgd(0.9, 4e-5, decay_biases=False),  # a fifth of 2e-4
    "inception_v3": RELEASE,
    "inception_v4": RELEASE,
    "resnet50": sgd(0.9, 1e-4, decay_biases=False, rate_inside=True, nesterov=False),
    "preresnet200": sgd(0.9, 1e-4, decay_biases=False),
    "resnet50, facebook": sgd(0.9, 1e-4, **TORCH),
    "resnext50_32x4d": sgd(0.9, 1e-4, **TORCH),
    "wideresnet50_2": sgd(0.9, 1e-4, **TORCH),
    "se_resnet50": sgd(0.9, 1e-4),
    "senet154": sgd(0.9, 1e-4),
    "dpn92": sgd(0.9, 1e-4),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizer_s_fields_are_the_paper_s(name: str):
    optimizer = RECIPES[name].optimizer
    assert {field: getattr(optimizer, field) for field in OPTIMIZERS[name]} == OPTIMIZERS[name]


def having(field: str, default: object) -> dict[str, object]:
    """The recipes that set a field, ours left out, with what they set it to."""
    ours = ("modern", "miniature")
    values = {name: getattr(recipe, field) for name, recipe in RECIPES.items() if not name.startswith(ours)}
    return {name: value for name, value in values.items() if value != default}


# Szegedy et al.'s released training; Trimps-Soushen's boxes, whose training is not public, are regressed by it too.
INCEPTION = ("inception_v3", "inception_v4", "trimps, boxes", "trimps, boxes of v3", "trimps, judged again")


def test_rmsprop_is_inception_s_alone():
    kinds = {name: type(recipe.optimizer) for name, recipe in RECIPES.items()}
    assert {name for name, kind in kinds.items() if kind is RMSProp} == set(INCEPTION)
    assert set(kinds.values()) == {SGD, RMSProp}


def test_labels_are_smoothed_by_a_tenth_in_three_recipes():
    assert having("label_smoothing", 0.0) == dict.fromkeys((*INCEPTION, "senet154"), 0.1)


def test_side_heads_count_three_tenths_and_inception_v3_s_four():
    for name in ("googlenet", "googlenet, bvlc", "bn_inception"):
        assert RECIPES[name].side_weight == 0.3  # Szegedy et al. 2015, section 5
    assert RECIPES["inception_v3"].side_weight == RECIPES["inception_v4"].side_weight == 0.4


def test_gradients_are_clipped_at_two_by_inception_alone():
    assert having("clip_norm", 0.0) == dict.fromkeys(INCEPTION, 2.0)


def test_filters_are_scaled_back_to_a_tenth_by_zfnet_alone():
    assert having("filter_rms", 0.0) == {"zfnet": 0.1}


def test_what_is_tested_are_averages_for_google_s_networks():
    assert having("average", None) == {
        **dict.fromkeys(("googlenet", "googlenet, boxes"), TailMean(last=0.1)),
        **dict.fromkeys(INCEPTION, MovingAverage(decay=0.9999)),
    }


def test_batch_norm_is_recomputed_by_resnet_frozen_by_senet_and_slow_in_inception():
    assert having("batch_norm", BatchNorm()) == {
        **dict.fromkeys(("resnet50", "resnet, boxes", "resnet, judged again"), BatchNorm(recomputed=50_000)),
        "senet154": BatchNorm(frozen=5),
        **dict.fromkeys(INCEPTION, BatchNorm(decay=0.9997)),
    }


def test_inputs_are_what_each_release_says():
    assert {name: (r.mean, r.unit) for name, r in RECIPES.items() if r.mean != "channel"} == {
        **dict.fromkeys(("alexnet", "alexnet_caffe", "caffenet", "alexnet_one_tower"), ("pixel", "grey level")),
        **dict.fromkeys(("zfnet", "nin", "resnet50"), ("pixel", "grey level")),
        **dict.fromkeys(
            ("preresnet200", "preresnet200, aspect", "trimps, boxes of preresnet200"), ("pixel", "grey level")
        ),
        **dict.fromkeys(("alexnet, boxes", "resnet, boxes", "resnet, judged again"), ("pixel", "grey level")),
        **dict.fromkeys(INCEPTION, ("middle", "half range")),  # -1 to 1
    }


def test_bvlc_warps_where_the_papers_keep_the_shape():
    warped = {name for name, recipe in RECIPES.items() if Warp(256) in recipe.augment}
    assert warped == {"alexnet_caffe", "caffenet", "googlenet, bvlc", "googlenet, bvlc quick"}


def test_senet_s_released_weights_were_trained_on_turned_images():
    assert {name for name, recipe in RECIPES.items() if Rotation(10) in recipe.augment} == {"se_resnet50, released"}


def test_vgg_s_scales_are_the_paper_s():
    scales = {
        name: next(step for step in recipe.augment if isinstance(step, ShortSide))
        for name, recipe in RECIPES.items()
        if name.startswith("vgg")
    }
    fixed, jittered = ShortSide(256, 256), ShortSide(256, 512)
    assert scales == {
        **dict.fromkeys(("vgg11", "vgg16, staged", "vgg16, glorot"), fixed),
        # Appendix A: boxes were trained at one of the two fixed scales, never jittered.
        "vgg16, boxes at 256": fixed,
        **dict.fromkeys(("vgg16, s384", "vgg16, boxes at 384"), ShortSide(384, 384)),
        **dict.fromkeys(("vgg16", "vgg16, jittered"), jittered),
    }


def test_vgg_s_stages_lead_from_a_to_the_jittered_network():
    # Section 3.1: A from random weights; the deeper from A; S = 384 from S = 256; the jittered from S = 384.
    chain, recipe = [], vgg_2014.JITTERED
    by_source: dict[str, Recipe] = {recipe.source: recipe for recipe in RECIPES.values()}
    while recipe.starts_from:
        chain.append((recipe.starts_from.model, len(recipe.starts_from.layers)))
        recipe = by_source[recipe.starts_from.recipe]
    assert chain == [(None, 0), (None, 0), ("vgg11", 7)]
    assert recipe == PAPER["vgg11"]
    assert set(having("starts_from", None)) == {"vgg16, staged", "vgg16, s384", "vgg16, jittered"}


@pytest.mark.parametrize("model", [model for model, others in OTHERS.items() if "staged" in others])
def test_what_a_deeper_vgg_takes_from_a_fits_it(model: str):
    # "The first four convolutional layers and the last three fully-connected": by stage, where alone they fit.
    import torch

    with torch.device("meta"):
        shallow, deep = build("vgg11").state_dict(), build(model).state_dict()
    layers = vgg_2014.STAGED.starts_from.layers
    assert layers == ("conv1_1", "conv2_1", "conv3_1", "conv3_2", "fc6", "fc7", "fc8")
    for name in (f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")):
        assert shallow[name].shape == deep[name].shape
    assert [name for name in shallow if name.startswith("conv")][:8:2] == [f"{layer}.weight" for layer in layers[:4]]
