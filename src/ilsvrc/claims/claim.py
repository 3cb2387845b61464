"""What a paper claimed, as a small experiment: its networks, its budget, what it should show and what it cannot.

A claim is data like an entry. `experiment` trains its variants, `verdict` compares them; nothing is judged by eye.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from ilsvrc.entries.miniature import NORMALISED, PLAIN
from ilsvrc.spec import SGD, Recipe
from ilsvrc.train import recipe as recipes

# What is compared. "top-1 error" is of the validation images, after the last epoch; "training error" of the training
# images, then too; "epochs" are passes over the training images until the training error is `Claim.reach`.
Measure = Literal["top-1 error", "training error", "epochs"]
Expectation = Literal["lower", "not lower"]

PAD = 8  # a crop of S pixels is cut from S + S / 8, as in the entries' miniatures


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One of the networks that are compared.

    build(classes, image_size) is the network, not initialised. published is the paper's figure for it, in the
    paper's unit. recipe is its own where the paper trains each network differently, else None: the claim's.
    """

    name: str
    build: Callable[[int, int], nn.Module]
    published: float | None = None
    recipe: Recipe | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What one pair of variants should show: the figure of `first` is "lower" than that of `second`, or "not lower"."""

    first: str
    second: str
    expected: Expectation = "lower"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of everything a miniature takes."""

    images: int  # to learn from, at most
    epochs: int
    size: int  # of the network's input, in pixels on a side


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sentence of a paper, and how it is put to the test.

    margin is what counts as no difference where "not lower" is expected, in units of the measure.
    """

    name: str
    paper: str  # 'Krizhevsky et al. 2012'
    source: str  # 'section 3.4'
    hypothesis: str
    published: str  # the paper's figures, in words
    unit: str  # of the variants' published figures; '' where there are none
    variants: tuple[Variant, ...]
    comparisons: tuple[Comparison, ...]
    recipe: Recipe
    budget: Budget
    cannot: str  # what a miniature cannot show
    measure: Measure = "top-1 error"
    reach: float = 0.0  # the training error that "epochs" are counted to
    margin: float = 0.0

    def recipe_of(self, variant: Variant, epochs: int) -> Recipe:
        """The variant's recipe in so many epochs, for images of the budget's size."""
        return recipes.shortened(recipes.at_size(variant.recipe or self.recipe, self.budget.size), epochs)


def normalised(epochs: int, rate: float = 0.05, batch: int = 32) -> Recipe:
    """The entries' recipe for miniatures with batch normalisation, at another rate, batch and length."""
    return _ours(NORMALISED, epochs, rate, batch)


def plain(epochs: int, rate: float = 0.02, batch: int = 32) -> Recipe:
    """The entries' recipe for miniatures without batch normalisation."""
    return _ours(PLAIN, epochs, rate, batch)


def undropped(network: nn.Module) -> nn.Module:
    """The network with its dropout at zero, which keeps one this narrow from learning anything in a minute."""
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return network


def _ours(recipe: Recipe, epochs: int, rate: float, batch: int) -> Recipe:
    assert isinstance(recipe.optimizer, SGD)
    return replace(recipe, epochs=epochs, batch=batch, optimizer=replace(recipe.optimizer, lr=rate))
