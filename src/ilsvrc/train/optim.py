"""The optimizer of a recipe: SGD as Caffe and the papers mean it, and the groups a recipe asks for."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from ilsvrc.spec import Optimizer, RMSProp
from ilsvrc.train.rmsprop import TensorFlowRMSProp


def optimizer(model: nn.Module, spec: Optimizer) -> torch.optim.Optimizer:
    """The optimizer of a recipe on the parameters of a network.

    Two groups: weights, and vectors (biases, normalisation). Vectors have `spec.bias_rate` times the
    rate and, unless `spec.decay_biases`, no weight decay.
    """
    weights = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": spec.weight_decay, "rate_factor": 1.0},
        {
            "params": vectors,
            "weight_decay": spec.weight_decay if spec.decay_biases else 0.0,
            "rate_factor": spec.bias_rate,
        },
    ]
    groups = [group for group in groups if group["params"]]
    if isinstance(spec, RMSProp):
        return TensorFlowRMSProp(groups, spec.lr, decay=spec.decay, momentum=spec.momentum, epsilon=spec.epsilon)
    if spec.rate_inside:
        return VelocitySGD(groups, lr=spec.lr, momentum=spec.momentum)
    return torch.optim.SGD(groups, lr=spec.lr, momentum=spec.momentum, nesterov=spec.nesterov)


class Half:
    """A weight in bfloat16 beside its float32 master: it takes the gradient, and `by` moves both in one pass."""

    def __init__(self, master: Tensor, by: Callable[..., None]) -> None:
        self.master, self._by = master, by
        self.rounded = torch.empty_like(master, dtype=torch.bfloat16, requires_grad=True)
        self._seen: tuple[int, int] | None = None

    def fresh(self) -> Tensor:
        """The master, rounded: anew where anyone but `move` wrote into it."""
        if self._seen != self._now():
            with torch.no_grad():
                self.rounded.copy_(self.master)
            self._seen = self._now()
        return self.rounded

    def move(self, b: Tensor, momentum: float, rate: float, decay: float) -> None:
        """One update of master and half by the half's gradient."""
        assert self.rounded.grad is not None
        flat = [tensor.view(-1) for tensor in (self.master, b, self.rounded, self.rounded.grad)]
        self._by(*flat, *torch.tensor([momentum, rate, decay]).unbind())
        self._seen = self._now()

    def _now(self) -> tuple[int, int]:
        return self.master.data_ptr(), self.master._version


class VelocitySGD(torch.optim.Optimizer):
    """v <- momentum · v - rate · (decay · w + gradient);  w <- w + v  (Krizhevsky et al. 2012, section 5; Caffe).

    PyTorch's SGD keeps the rate outside the velocity: the two agree while the rate is constant, but after a
    drop this one still carries the older, larger step for some ten iterations.

    What is kept is b = -v / rate. In it the same step reads b <- momentum · (rate before / rate) · b + decay · w +
    gradient;  w <- w - rate · b, which is PyTorch's with another momentum: its fused kernel does all of it in one pass.
    """

    def __init__(self, params: Iterable[Any], lr: float, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        # rate_before is that of the last step, whose unit b is in; 0 before the first.
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "rate_before": 0.0}
        super().__init__(params, defaults)
        self.halves: dict[Tensor, Half] = {}  # parameters whose gradient their half has

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, the halves' too."""
        super().zero_grad(set_to_none)
        for half in self.halves.values():
            half.rounded.grad = None

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        value = None if closure is None else closure()
        for group in self.param_groups:
            parameters: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            halves = [half for p in group["params"] if (half := self.halves.get(p)) and half.rounded.grad is not None]
            rate, before = group["lr"], group["rate_before"]
            if rate == 0:  # no unit for b: the velocity decays and is followed, the gradient is not
                moved = parameters + [half.master for half in halves]
                buffers = [self._buffer(p) for p in moved]
                if moved:
                    torch._foreach_add_(moved, buffers, alpha=-before * group["momentum"])
                    torch._foreach_mul_(buffers, group["momentum"])
                continue
            momentum = group["momentum"] * (before or rate) / rate
            for half in halves:
                half.move(self._buffer(half.master), momentum, rate, group["weight_decay"])
            if parameters:
                sgd(
                    [_here(parameter) for parameter in parameters],
                    [_here(_gradient(parameter)) for parameter in parameters],
                    [_here(self._buffer(parameter)) for parameter in parameters],
                    fused=True,
                    weight_decay=group["weight_decay"],
                    momentum=momentum,
                    lr=rate,
                    dampening=0.0,
                    nesterov=False,
                    maximize=False,
                )
            if parameters or halves:
                group["rate_before"] = rate
        return value

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum_buffer"]
        return buffer


def _gradient(parameter: Tensor) -> Tensor:
    """The gradient, laid out in memory as its parameter: the fused kernel goes through both in a line."""
    assert parameter.grad is not None
    if parameter.grad.stride() == parameter.stride():
        return parameter.grad
    return torch.empty_like(parameter).copy_(parameter.grad)


def _here(tensor: Tensor) -> Tensor:
    """This process's part of a tensor that is split over processes, else the tensor."""
    part: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part
