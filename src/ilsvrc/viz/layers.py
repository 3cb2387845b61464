"""The layers of a network by name, what they answer to images, and where they answer most."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.models import anatomy
from ilsvrc.viz.field import Fields, fields
from ilsvrc.viz.graph import graph

SHOWN = 40  # names of layers in a sentence


@dataclass(frozen=True)
class Layer:
    """A layer whose maps can be drawn. Its answer is what is left of its output above zero."""

    name: str
    maps: int  # channels, or units of a full layer
    side: tuple[int, int] | None  # height and width of a map; None for a full layer
    field: Fields | None  # what one unit sees; None for the whole image


class _Reached(Exception):  # noqa: N818 - a way out, no error
    """The layer has answered; what is above it need not run."""


def layers(network: nn.Module, image_size: int) -> dict[str, Layer]:
    """Every layer by name, in the order they run, blocks included."""
    found = graph(network, image_size)
    seen = fields(found)
    known = {}
    for name, place in sorted(found.named.items(), key=lambda item: item[1]):
        shape = found.shapes[name]
        if len(shape) in (1, 3):
            side = (shape[1], shape[2]) if len(shape) == 3 else None
            known[name] = Layer(name, shape[0], side, seen[place] if side else None)
    return known


def layer_of(network: nn.Module, image_size: int, name: str) -> Layer:
    """The layer of that name. Raises SpecError with the names there are."""
    known = layers(network, image_size)
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=5)
    guess = f"; did you mean {', '.join(near)}?" if near else ""
    some = list(known)[:SHOWN]
    more = f" and {len(known) - len(some)} more inside them" if len(known) > len(some) else ""
    raise SpecError(f"there is no layer {name!r}{guess} There are {', '.join(_outer(known) if more else some)}{more}")


def last_maps(network: nn.Module, image_size: int) -> str:
    """The last convolution whose map has more than one place: what the papers call the top layer of maps."""
    known = layers(network, image_size)
    inner = [
        name
        for name, module in network.named_modules()
        if name in known and (isinstance(module, nn.Conv2d) or anatomy.is_conv_bn(module))
    ]
    spread = {name for name in inner if known[name].side is not None and max(known[name].side or (0,)) > 1}
    return [name for name in known if name in spread][-1] if spread else inner[-1]


def last_full(network: nn.Module, image_size: int) -> str | None:
    """The last full layer below the logits, layer 7 of AlexNet and ZFNet; None where there is none."""
    known = layers(network, image_size)
    found = [name for name in known if isinstance(network.get_submodule(name), nn.Linear) and "." not in name]
    return found[-2] if len(found) > 1 else None


def _outer(known: dict[str, Layer]) -> list[str]:
    """The names with the fewest dots, as many as can be said."""
    for dots in (2, 1, 0):
        some = [name for name in known if name.count(".") <= dots]
        if len(some) <= SHOWN:
            return some
    return some[:SHOWN]


def check_map(layer: Layer, number: int) -> None:
    """Raise SpecError for a map that the layer does not have."""
    if not 0 <= number < layer.maps:
        raise SpecError(f"{layer.name} has the maps 0 to {layer.maps - 1}, and map {number} is asked for; give one")


@contextmanager
def listening(network: nn.Module, name: str, stop: bool) -> Iterator[list[Tensor]]:
    """A list that receives the layer's output, whenever the network runs inside.

    With stop the network is left behind the layer; the caller's `with` ends there.
    """
    heard: list[Tensor] = []

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        heard.append(output)
        if stop:
            raise _Reached

    handle = network.get_submodule(name).register_forward_hook(hook)
    try:
        with anatomy.mode(network, training=False):
            yield heard
    except _Reached:
        pass
    finally:
        handle.remove()


def output_of(network: nn.Module, images: Tensor, name: str) -> Tensor:
    """What the layer gives to images (N, 3, S, S) in eval mode, before any ReLU behind it; what is above does not run.

    The caller says whether gradients are noted.
    """
    with listening(network, name, stop=True) as heard:
        network(images)
    return heard[-1]


def answers(network: nn.Module, images: Tensor, name: str) -> Tensor:
    """The layer's maps (N, maps, H, W), or (N, maps) of a full layer, what is below zero cut off."""
    with torch.inference_mode():
        return output_of(network, images, name).relu()


def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Of maps (N, C, H, W) the largest value of each and its place in the flattened map; both (N, C).

    Of equal values the first counts. Of a full layer's (N, C) the value itself, at place 0.
    """
    flat = maps.flatten(2) if maps.dim() == 4 else maps[:, :, None]
    places = flat.argmax(dim=2)
    return flat.gather(2, places[:, :, None])[:, :, 0], places
