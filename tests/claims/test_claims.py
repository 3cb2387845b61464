"""Every claim: its networks can be built and take a step, and differ in what they say and in nothing else."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from ilsvrc.claims import CLAIMS
from ilsvrc.claims.claim import Budget, Claim, Variant
from ilsvrc.claims.experiment import build, reached, run_variant, spaced
from ilsvrc.claims.pixels import Feed, Pixels
from ilsvrc.jobs.claim import listed
from ilsvrc.models import anatomy
from ilsvrc.train import recipe as recipes
from ilsvrc.train.loop import Place

VARIANTS = [(claim, variant) for claim in CLAIMS.values() for variant in claim.variants]


def pixels(size: int, count: int = 8, classes: int = 4) -> Pixels:
    """Images of one colour per class."""
    side = size + size // 8
    labels = torch.arange(count) % classes
    images = (40 * labels).to(torch.uint8)[:, None, None, None].repeat(1, 3, side, side)
    images = images + torch.randint(20, images.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return Pixels(images, labels, images, labels, classes, "colours")


def of(name: str, variant: str) -> nn.Module:
    claim = CLAIMS[name]
    return build(claim, next(one for one in claim.variants if one.name == variant), 20, 0)


def parameters(name: str) -> list[int]:
    claim = CLAIMS[name]
    with torch.device("meta"):
        return [anatomy.parameters(variant.build(20, claim.budget.size)) for variant in claim.variants]


def test_what_the_papers_claimed_is_here():
    assert len(CLAIMS) >= 11
    assert {"relu-tanh", "overlapping-pooling", "response-norm", "first-layer", "vgg-depth"} <= set(CLAIMS)
    assert {"vgg-response-norm", "small-filters", "side-heads", "degradation", "cifar-depth"} <= set(CLAIMS)
    assert {"cardinality", "se-gain", "se-reduction", "preactivation"} <= set(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.name)
def test_a_claim_says_what_it_is_and_what_it_compares(claim: Claim):
    names = [variant.name for variant in claim.variants]
    assert len(set(names)) == len(names) >= 2
    assert claim.comparisons
    for pair in claim.comparisons:
        assert {pair.first, pair.second} <= set(names)
        assert pair.expected == "lower" or claim.margin > 0, "no gain is a gain below something"
    for words in (claim.hypothesis, claim.paper, claim.source, claim.published, claim.cannot):
        assert words
    assert (claim.measure == "epochs") == (claim.reach > 0)
    assert bool(claim.unit) == any(variant.published is not None for variant in claim.variants)
    assert claim.recipe.epochs == claim.budget.epochs
    for variant in claim.variants:
        recipes.check(claim.recipe_of(variant, claim.budget.epochs))


@pytest.mark.sampled
@pytest.mark.parametrize(("claim", "variant"), VARIANTS, ids=lambda one: one.name)
def test_a_variant_takes_a_step_and_is_judged(claim: Claim, variant: Variant):
    batch = replace(variant.recipe or claim.recipe, batch=4)
    tiny = replace(claim, budget=replace(claim.budget, epochs=1), reach=0.0, measure="top-1 error")
    outcome = run_variant(tiny, replace(variant, recipe=batch), pixels(claim.budget.size, 4), seed=0, epochs=1)
    (epoch,) = outcome.epochs
    assert math.isfinite(epoch["loss"])
    assert 0 <= epoch["top1_error"] <= 1
    assert (epoch["images"], epoch["judged"]) == (4, 4)


@pytest.mark.parametrize(
    ("name", "first", "second", "of_type"),
    [
        ("relu-tanh", "ReLU", "tanh", (nn.ReLU, nn.Tanh)),
        ("overlapping-pooling", "3x3, stride 2", "2x2, stride 2", (nn.MaxPool2d,)),
        ("response-norm", "with norms", "without", ("ResponseNorm", nn.Identity)),
        ("vgg-response-norm", "A-LRN", "A", ("ResponseNorm", nn.Identity)),
        ("side-heads", "side heads", "none", ()),
    ],
)
def test_two_variants_start_from_the_same_weights_and_differ_in_one_kind_of_layer(
    name: str, first: str, second: str, of_type: tuple[type | str, ...]
):
    one, other = of(name, first), of(name, second)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert [key for key, _ in one.named_parameters()] == [key for key, _ in other.named_parameters()]
    differing = {
        kind
        for a, b in zip(one.modules(), other.modules(), strict=True)
        if str(a) != str(b) and not list(a.children())
        for kind in (type(a), type(b))
    }
    assert differing <= {kind for kind in differing if kind in of_type or kind.__name__ in of_type}
    assert bool(differing) == bool(of_type)


def test_side_heads_that_weigh_nothing_give_the_trunk_no_gradient():
    claim = CLAIMS["side-heads"]
    with_heads, without = (claim.recipe_of(variant, 1) for variant in claim.variants)
    assert (with_heads.side_weight, without.side_weight) == (0.3, 0.0)
    assert replace(without, side_weight=0.3) == with_heads


def test_paths_cost_the_same_within_a_tenth():
    wide, *rest = parameters("cardinality")
    assert all(abs(count / wide - 1) < 0.1 for count in rest), (wide, rest)


def test_plain_networks_have_what_the_residual_ones_have_but_the_projections():
    plain18, plain34, resnet18, resnet34 = parameters("degradation")
    assert plain18 < resnet18 < 1.05 * plain18
    assert plain34 < resnet34 < 1.05 * plain34
    plain20, plain56, resnet20, resnet56, resnet110 = parameters("cifar-depth")
    assert (plain20, plain56) == (resnet20, resnet56), "shortcuts of option A have no weights"
    assert resnet20 < resnet56 < resnet110


def test_the_small_resnet_is_the_paper_s_at_its_width():
    from ilsvrc.claims.resnet import small

    counts = {depth: anatomy.parameters(small("residual", depth, 16, 10, 32)) for depth in (20, 32, 44, 56, 110)}
    assert counts == {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}
    assert anatomy.depth(small("residual", 20, 16, 10, 32), 32) == 20


def test_the_deep_networks_have_164_layers_and_differ_in_order_alone():
    before, original = (of("preactivation", variant.name) for variant in CLAIMS["preactivation"].variants)
    assert (anatomy.depth(before, 16), anatomy.depth(original, 16)) == (164, 164)
    assert abs(anatomy.parameters(before) / anatomy.parameters(original) - 1) < 0.01


def test_the_shallow_network_of_5x5_sees_what_b_sees_with_half_the_layers():
    pairs, single = (of("small-filters", name) for name in ("pairs of 3x3 (B)", "one 5x5 each"))
    kernels = [layer.kernel_size for layer in single.modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [(5, 5)] * 5
    assert [layer.kernel_size for layer in pairs.modules() if isinstance(layer, nn.Conv2d)] == [(3, 3)] * 10


def test_a_first_layer_of_either_kind_leaves_maps_of_the_same_size():
    size = CLAIMS["first-layer"].budget.size
    shapes = set()
    for variant in CLAIMS["first-layer"].variants:
        network = variant.build(20, size).eval()
        shapes.add(network.features(torch.zeros(1, 3, size, size)).shape)
    assert len(shapes) == 1


def test_gates_cost_few_parameters_and_hardly_a_multiply_add():
    gated, bare = parameters("se-gain")
    assert bare < gated < 1.15 * bare
    two, sixteen, thirty_two = parameters("se-reduction")
    assert two > sixteen > thirty_two > bare


def test_crops_and_order_are_functions_of_seed_and_epoch_alone():
    fed = pixels(16)

    def images(seed: int, epoch: int) -> torch.Tensor:
        return torch.cat([batch[0] for batch in Feed(fed, 16, 3, seed).epoch(Place(epoch))])

    assert torch.equal(images(0, 1), images(0, 1))
    assert not torch.equal(images(0, 1), images(0, 2))
    assert not torch.equal(images(0, 1), images(1, 1))
    assert len(Feed(fed, 16, 3, 0).epoch(Place())) == 3
    sizes = {
        count: [len(batch[1]) for batch in Feed(pixels(16, count), 16, 4, 0).epoch(Place())] for count in (1, 8, 9, 10)
    }
    assert sizes == {1: [1], 8: [4, 4], 9: [4, 5], 10: [4, 4, 2]}, "no image is a batch of its own"
    labels = torch.cat([batch[1] for batch in Feed(fed, 16, 3, 0).epoch(Place())])
    assert sorted(labels.tolist()) == sorted(fed.labels.tolist()), "each image once"


def test_the_moment_an_error_is_reached_lies_on_the_line_between_two_looks():
    assert reached([(0.5, 0.6), (1.0, 0.2)], 0.4) == pytest.approx(0.75)
    assert reached([(0.5, 0.6), (1.0, 0.4)], 0.4) == 1.0
    assert reached([(0.5, 0.6)], 0.4) is None


def test_images_are_looked_at_evenly_and_each_once():
    assert spaced(10, 20).tolist() == list(range(10))
    assert spaced(100_001, 3).tolist() == [0, 50_000, 100_000]


def test_a_training_stops_when_the_error_is_reached_or_somebody_asks():
    claim = replace(CLAIMS["relu-tanh"], budget=Budget(images=8, epochs=9, size=16), reach=1.0)
    outcome = run_variant(claim, claim.variants[0], pixels(16), seed=0, epochs=9)
    assert (outcome.reached, outcome.stopped, len(outcome.epochs)) == (0.0, False, 1)
    claim = replace(claim, reach=0.0, measure="top-1 error")
    outcome = run_variant(claim, claim.variants[0], pixels(16), seed=0, epochs=9, asked=lambda: True)
    assert outcome.stopped


def test_the_list_is_json():
    rows = json.loads(json.dumps(listed()))
    assert [row["name"] for row in rows] == list(CLAIMS)
    assert rows[0]["comparisons"] == [{"first": "ReLU", "second": "tanh", "expected": "lower"}]
