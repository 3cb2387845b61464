"""What a network does, as a graph: its layers and the operations between them, in the order they ran.

As in `models.anatomy` nothing is computed: the network runs on a batch of no images, and the graph is read from
what autograd noted. A layer with modules inside is in the graph by its parts; its name leads to its last one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node

from ilsvrc.models import anatomy

# Operations that only say differently what is there.
SILENT = {"View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Squeeze", "Expand", "Clone", "Alias", "AsStrided"}
NAMES = {
    "Relu": "relu",
    "Cat": "cat",
    "Add": "add",
    "Mul": "mul",
    "Sigmoid": "sigmoid",
    "Mean": "mean",
    "ConstantPadNd": "pad",
    "Slice": "slice",
}


@dataclass(frozen=True, eq=False)
class Vertex:
    """A layer or an operation. shape is that of its output without the batch; inputs are places in the graph."""

    name: str  # of the layer, as in the state dict; empty for an operation
    module: nn.Module | None
    op: str  # 'images', 'layer', 'relu', 'cat', 'add', 'mul', 'sigmoid', 'mean', 'pad', 'slice', or autograd's word
    shape: tuple[int, ...]
    inputs: tuple[int, ...]
    pad: tuple[int, ...] = ()  # of 'pad': left, right, top, bottom


@dataclass(frozen=True, eq=False)
class Graph:
    """Vertices in the order they ran, the images first; outputs has the logits first, then those of side heads."""

    vertices: tuple[Vertex, ...]
    outputs: tuple[int, ...]
    named: dict[str, int]  # every layer's name and place, blocks included
    shapes: dict[str, tuple[int, ...]]  # of every layer's output, without the batch


@dataclass(frozen=True, eq=False)
class _Ran:
    name: str
    module: nn.Module
    inputs: tuple[Tensor, ...]
    output: Tensor


def graph(network: nn.Module, image_size: int, training: bool = False) -> Graph:
    """The network's graph on images (N, 3, image_size, image_size); training adds side heads and dropout."""
    ran, outputs = _run(network, image_size, training)
    whole = {name for name, _ in anatomy.rows(network)}
    steps = {
        _node(one.output): one
        for one in ran
        if one.name in whole and all(_node(tensor) is not _node(one.output) for tensor in one.inputs)
    }
    ends = [_spoken(_node(output), steps) for output in outputs]
    order = sorted(_reached(ends, steps), key=_age)
    places = {node: place for place, node in enumerate(order)}
    vertices = tuple(_vertex(node, steps, places, image_size) for node in order)
    last = {one.name: _spoken(_node(one.output), steps) for one in ran}
    known = {one.name: one for one in ran if last[one.name] in places}
    return Graph(
        vertices,
        tuple(places[end] for end in ends),
        {name: places[last[name]] for name in known},
        {name: tuple(one.output.shape[1:]) for name, one in known.items()},
    )


def _run(network: nn.Module, image_size: int, training: bool) -> tuple[list[_Ran], list[Tensor]]:
    """Every module that ran outside a pair of convolution and norm, and the logits."""
    ran: list[_Ran] = []
    outputs: list[Tensor] = []

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Tensor | None:
            if not name:
                outputs.extend(output if isinstance(output, tuple) else [output])
                return None
            if not isinstance(output, Tensor) or output.grad_fn is None:
                return None
            if isinstance(module, nn.Dropout) and training:  # on no images it hands on what it was given
                output = output.view_as(output)
            kept: Tensor = output
            ran.append(_Ran(name, module, tuple(t for t in inputs if isinstance(t, Tensor)), kept))
            return kept

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in outer(network)]
    try:
        anatomy.run(network, image_size, training)
    finally:
        for handle in handles:
            handle.remove()
    return ran, outputs


def outer(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """All modules by name, the network itself as '', but not what is inside a pair of convolution and batch norm."""
    pairs = tuple(f"{name}." for name, module in network.named_modules() if anatomy.is_conv_bn(module))
    for name, module in network.named_modules():
        if not name.startswith(pairs or ("\n",)):
            yield name, module


def _node(tensor: Tensor) -> Node | None:
    return tensor.grad_fn


def _age(node: Node | None) -> int:
    """By when it was noted; the images, None, first."""
    return -1 if node is None else node._sequence_nr()


def _before(node: Node | None, steps: dict[Node | None, _Ran]) -> list[Node | None]:
    """The nodes whose outputs a node takes; None is the images."""
    if node is None:
        return []
    if node in steps:
        return [_spoken(_node(tensor), steps) for tensor in steps[node].inputs]
    return [_spoken(before, steps) for before in _above(node)]


def _above(node: Node) -> list[Node | None]:
    """What autograd has before a node; None is the images, whose own node gathers their gradient."""
    found = [before for before, _ in node.next_functions if before is not None]
    return [None if before.name().endswith("AccumulateGrad") else before for before in found]


def _spoken(node: Node | None, steps: dict[Node | None, _Ran]) -> Node | None:
    """The node, or the first before it that does something."""
    while node is not None and node not in steps and _word(node) in SILENT:
        (node,) = _above(node)
    return node


def _word(node: Node) -> str:
    return node.name().rsplit("::", 1)[-1].split("Backward")[0]


def _reached(ends: list[Node | None], steps: dict[Node | None, _Ran]) -> set[Node | None]:
    seen: set[Node | None] = set()
    stack = list(ends)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += _before(node, steps)
    return seen


def _vertex(
    node: Node | None, steps: dict[Node | None, _Ran], places: dict[Node | None, int], image_size: int
) -> Vertex:
    if node is None:
        return Vertex("", None, "images", (3, image_size, image_size), ())
    inputs, step = tuple(places[before] for before in _before(node, steps)), steps.get(node)
    if step is not None:
        return Vertex(step.name, step.module, "layer", tuple(step.output.shape[1:]), inputs)
    word = _word(node)
    shape = tuple(node._input_metadata[0].shape[1:])
    pad = tuple(getattr(node, "_saved_pad", ()))
    return Vertex("", None, NAMES.get(word, word.lower()), shape, inputs, pad)
