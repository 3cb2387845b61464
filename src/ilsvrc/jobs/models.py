"""What `ilsvrc models NAME` shows: a network layer by layer; and every network counted, for the table of the list."""

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from ilsvrc.errors import SpecError
from ilsvrc.models import MODELS, build
from ilsvrc.models.anatomy import layer_table, layers_and_depth, macs, parameters
from ilsvrc.models.cards import CARDS


def counted() -> list[dict[str, Any]]:
    """What `networks.summaries` lists, counted anew: each network is built, in some seconds for all."""
    return [summary(name, blank(name)) for name in MODELS]


def describe(name: str) -> dict[str, Any]:
    """A network's summary with three more keys: new (a sentence), differences (sentences) and layers.

    layers has one object per layer in the order they run: name, kind, shape (without the batch),
    parameters, macs. Side heads, which run in training alone, come last; their parameters
    are part of the summary's, their macs are not.
    Raises SpecError with the nearest names when there is no such network.
    """
    try:
        network = blank(name)
    except ValueError as error:
        raise SpecError(str(error)) from error
    card = CARDS[name]
    layers = [asdict(layer) for layer in layer_table(network, card.image_size, training=True)]
    return summary(name, network) | {"new": card.new, "differences": list(card.differences), "layers": layers}


def blank(name: str) -> nn.Module:
    """The network at the paper's size, without memory for its weights."""
    with torch.device("meta"):
        return build(name)


def summary(name: str, network: nn.Module) -> dict[str, Any]:
    """The keys of `networks.summaries`."""
    card = CARDS[name]
    layers, depth = layers_and_depth(network, card.image_size)
    return {
        "name": name,
        "year": card.year,
        "team": card.team,
        "paper": card.paper,
        "parameters": parameters(network),
        "macs": macs(layers),
        "image_size": card.image_size,
        "depth": depth,
    }
