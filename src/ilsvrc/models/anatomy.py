"""What a network is made of: its layers in the order they run, their shapes, parameters and multiply-adds.

Nothing is computed: the network is run on a batch of no images with blank weights in place of
its own. Every layer runs and learns its shape, the largest network takes a tenth of a second,
and weights and statistics stay as they are. A network built under `torch.device("meta")` will do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.func import functional_call


@dataclass(frozen=True)
class Layer:
    """One row of a layer table."""

    name: str  # as in the state dict: 'conv2', 'inception_4b.conv_5x5'
    kind: str  # 'convolution 11×11/4', 'max pool 3×3/2'
    shape: tuple[int, ...]  # of its output, without the batch
    parameters: int  # weights, biases, scales and shifts; not the running statistics
    macs: int  # multiply-adds of convolutions and linear layers for one image


def layer_table(network: nn.Module, image_size: int, training: bool = False) -> list[Layer]:
    """The layers in the order they run on images (N, 3, image_size, image_size).

    A convolution and its batch norm are one row; ReLUs and additions, which have no
    parameters and keep the shape, have none. training adds the side heads that a
    network has in training mode alone.
    """
    return noted(network, image_size, training)[0]


def layers_and_depth(network: nn.Module, image_size: int) -> tuple[list[Layer], int]:
    """`layer_table` and `depth` for the price of one."""
    table, logits = noted(network, image_size, training=False)
    return table, longest_way(logits)


def noted(network: nn.Module, image_size: int, training: bool) -> tuple[list[Layer], Tensor]:
    """The layers in the order they ran, and the logits."""
    table: list[Layer] = []

    def note(name: str, module: nn.Module) -> Any:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            shape = tuple(output.shape[1:])
            table.append(Layer(name, kind(module), shape, parameters(module), multiply_adds(module, shape)))

        return module.register_forward_hook(hook)

    handles = [note(name, module) for name, module in rows(network)]
    try:
        logits = run(network, image_size, training)
    finally:
        for handle in handles:
            handle.remove()
    return table, logits


def parameters(network: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs(table: list[Layer]) -> int:
    """Multiply-adds of convolutions and linear layers for one image, the papers' 'FLOPs'."""
    return sum(layer.macs for layer in table)


def depth(network: nn.Module, image_size: int) -> int:
    """Layers with weights on the longest way from the images to the logits, as the papers count them.

    The two small layers inside a squeeze-and-excitation block are not on the way: the papers
    count SE-ResNet-50 as 50. Found by walking the autograd graph backwards.
    """
    return longest_way(run(network, image_size, training=False))


def longest_way(logits: Tensor) -> int:
    """The most layers with weights on a way through the graph that made these logits."""
    assert logits.grad_fn is not None
    longest: dict[Node, int] = {}
    stack: list[Node] = [logits.grad_fn]
    while stack:
        node = stack[-1]
        before = [] if node.name() == "SigmoidBackward0" else [n for n, _ in node.next_functions if n is not None]
        waiting = [n for n in before if n not in longest]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        has_weights = node.name() in ("ConvolutionBackward0", "AddmmBackward0")
        longest[node] = has_weights + max((longest[n] for n in before), default=0)
    return longest[logits.grad_fn]


def run(network: nn.Module, image_size: int, training: bool) -> Tensor:
    """The logits of no images, (0, classes). Modes, weights and statistics of the network stay as they are."""
    state = chain(network.named_parameters(), network.named_buffers())
    # never read, so the memory behind them is never touched
    blanks = {name: torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu") for name, tensor in state}
    dtype = next(network.parameters()).dtype
    images = torch.empty(0, 3, image_size, image_size, dtype=dtype, device="cpu", requires_grad=True)
    with mode(network, training), torch.enable_grad():
        output = functional_call(network, blanks, (images,))
    logits: Tensor = output[0] if isinstance(output, tuple) else output
    return logits


@contextmanager
def mode(network: nn.Module, training: bool) -> Iterator[None]:
    """Put every module in training or eval mode, and each back into its own at the end."""
    before = [(module, module.training) for module in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, was in before:
            module.training = was


def rows(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that are a row of the table: leaves, but a convolution with its batch norm as one."""
    pairs = [name for name, module in network.named_modules() if is_conv_bn(module)]
    inside = {f"{name}.{child}" for name in pairs for child in ("conv", "norm")}
    for name, module in network.named_modules():
        leaf = not any(module.children()) and not isinstance(module, nn.Identity | nn.ReLU)
        if name not in inside and (leaf or is_conv_bn(module)):
            yield name, module


def is_conv_bn(module: nn.Module) -> bool:
    """Whether this is a convolution named conv followed by a batch norm named norm, and nothing else."""
    return isinstance(module, nn.Sequential) and [name for name, _ in module.named_children()] == ["conv", "norm"]


def kind(module: nn.Module) -> str:
    """What a layer does, in the words and the kernel/stride notation of the papers."""
    match module:
        case nn.Sequential():
            return f"{kind(module[0])}, batch norm"
        case nn.Conv2d(groups=1):
            return f"convolution {window(module.kernel_size, module.stride)}"
        case nn.Conv2d(groups=groups):
            return f"convolution {window(module.kernel_size, module.stride)}, {groups} groups"
        case nn.MaxPool2d():
            return f"max pool {window(module.kernel_size, module.stride)}"
        case nn.AvgPool2d():
            return f"average pool {window(module.kernel_size, module.stride)}"
        case nn.AdaptiveAvgPool2d():
            return "global average pool"
        case nn.Linear():
            return "linear"
        case nn.Dropout(p=p):
            return f"dropout {p:g}"
    return {"ResponseNorm": "response norm"}.get(type(module).__name__, type(module).__name__)


def window(kernel: int | tuple[int, ...], stride: int | tuple[int, ...]) -> str:
    """'3×3/2', or '3×3' for a stride of one; height before width."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    step = stride if isinstance(stride, int) else stride[0]
    return f"{height}×{width}" + (f"/{step}" if step > 1 else "")


def multiply_adds(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Of a convolution or a linear layer whose output for one image has this shape; 0 for any other."""
    layer = module[0] if isinstance(module, nn.Sequential) else module
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return prod(shape) * layer.weight[0].numel()
    return 0
