"""The optimizer of a recipe: SGD as Caffe and the papers mean it, and the groups a recipe asks for."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

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


class VelocitySGD(torch.optim.Optimizer):
    """v <- momentum · v - rate · (decay · w + gradient);  w <- w + v  (Krizhevsky et al. 2012, section 5; Caffe).

    PyTorch's SGD keeps the rate outside the velocity: the two agree while the rate is constant, but after a
    drop this one still carries the older, larger step for some ten iterations.
    """

    def __init__(self, params: Iterable[Any], lr: float, momentum: float = 0.9, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        value = None if closure is None else closure()
        for group in self.param_groups:
            parameters: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = [p.grad for p in parameters if p.grad is not None]
            velocities = [self._velocity(p) for p in parameters]
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, gradients, alpha=-group["lr"])
            if group["weight_decay"]:
                torch._foreach_add_(velocities, parameters, alpha=-group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, velocities)
        return value

    def _velocity(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(parameter)
        velocity: Tensor = state["velocity"]
        return velocity
