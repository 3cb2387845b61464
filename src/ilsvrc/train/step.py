"""What may differ in a step without changing the loop: a batch in parts, the small numbers of fp16, compiled code.

Each is a loss made from a loss, or a network called in place of the network.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]
Loss = Callable[[nn.Module, Batch], Tensor]
Compile = Literal["no", "parts", "whole"]


def accumulated(loss: Loss, parts: int) -> Loss:
    """The same loss and the same gradient, a part of the batch after the other: the memory of one part suffices.

    A part counts by its images, so value and gradient are those of the whole batch to rounding. Batch norm is the
    exception: it normalises by the statistics of a part, and its running statistics move once per part. A batch of
    fewer images than parts has as many parts as images.
    """

    def in_parts(model: nn.Module, batch: Batch) -> Tensor:
        images, labels = batch
        count = min(parts, len(labels))
        if count < 2:
            return loss(model, batch)
        pieces = list(zip(images.tensor_split(count), labels.tensor_split(count), strict=True))
        shares = [len(piece[1]) / len(labels) for piece in pieces]
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        gradients = [torch.zeros_like(parameter) for parameter in parameters]
        total = torch.zeros((), device=labels.device)
        # Processes exchange gradients once, with the last part.
        inside = getattr(model, "_orig_mod", model)  # of what is compiled as a whole
        with inside.no_sync() if isinstance(inside, nn.parallel.DistributedDataParallel) else nullcontext():
            for piece, share in zip(pieces[:-1], shares[:-1], strict=True):
                value = share * loss(model, piece)
                found = torch.autograd.grad(value, parameters, allow_unused=True)
                used = [(sum_, one) for sum_, one in zip(gradients, found, strict=True) if one is not None]
                torch._foreach_add_([sum_ for sum_, _ in used], [one for _, one in used])
                total += value.detach()
        before: Tensor = Known.apply(total, gradients, *parameters)  # type: ignore[no-untyped-call]
        return before + shares[-1] * loss(model, pieces[-1])

    return in_parts


class Known(torch.autograd.Function):
    """A value whose gradients are known already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        """The value."""
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients, times that of the value."""
        torch._foreach_mul_(ctx.gradients, g)
        return None, None, *ctx.gradients


class LossScale:
    """Keeps gradients within what fp16 can hold (Micikevicius et al. 2018, section 3.2).

    The gradient of the loss is multiplied on its way into the network and divided where it arrives, so whoever reads
    a parameter's gradient sees the true one. A step with a gradient that is no number is left out, and the scale
    halved; after `patience` good steps it is doubled. Both live in the optimizer's state, and are saved with it.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, scale: float = 2.0**16, patience: int = 2000) -> None:
        self.patience = patience
        self._group = optimizer.param_groups[0]
        self._optimizer = optimizer
        self._group["loss_scale"], self._group["good_steps"] = scale, 0
        for parameter in self._parameters():
            parameter.register_post_accumulate_grad_hook(self._divide)  # type: ignore[no-untyped-call]
        optimizer.register_step_pre_hook(self._before_step)

    @property
    def scale(self) -> float:
        """What the gradient of the loss is multiplied with in the next step."""
        return float(self._optimizer.param_groups[0]["loss_scale"])

    def of(self, loss: Loss) -> Loss:
        """The loss, of the same value."""

        def scaled(model: nn.Module, batch: Batch) -> Tensor:
            value = loss(model, batch)
            value.register_hook(lambda gradient: gradient * self.scale)  # type: ignore[no-untyped-call]
            return value

        return scaled

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self._optimizer.param_groups for parameter in group["params"]]

    def _divide(self, parameter: Tensor) -> None:
        assert parameter.grad is not None
        parameter.grad.div_(self.scale)

    def _before_step(self, *_: object) -> None:
        group = self._optimizer.param_groups[0]  # loading a state replaces the groups
        gradients = [parameter.grad for parameter in self._parameters() if parameter.grad is not None]
        if bool(torch.isfinite(nn.utils.get_total_norm(gradients))):
            group["good_steps"] += 1
            if group["good_steps"] % self.patience == 0:
                group["loss_scale"] *= 2.0
            return
        group["loss_scale"], group["good_steps"] = max(1.0, group["loss_scale"] / 2), 0
        for parameter in self._parameters():
            parameter.grad = None  # what has no gradient is not moved


def compiled(model: nn.Module) -> nn.Module:
    """The network as it is called in a step, compiled as a whole; on a GPU its launches are recorded and replayed."""
    on_gpu = next(model.parameters()).is_cuda
    called: nn.Module = torch.compile(model, mode="reduce-overhead" if on_gpu else "default")  # type: ignore[assignment]
    return called
