"""RMSProp as TensorFlow means it, and so the papers of Inception."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class TensorFlowRMSProp(torch.optim.Optimizer):
    """s <- decay · s + (1 - decay) · g²;  m <- momentum · m + rate · g / sqrt(s + epsilon);  w <- w - m.

    g is the gradient plus weight_decay · w; s starts at 1 and m at 0 (tf.train.RMSPropOptimizer). PyTorch's own
    adds epsilon to the root, keeps the rate outside m and starts s at 0: with the papers' epsilon of 1 that is
    another optimizer. Raises ValueError on an epsilon that is not above 0.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        *,
        decay: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        if epsilon <= 0:
            raise ValueError(f"epsilon is {epsilon}; it must be above 0")
        defaults = {"lr": lr, "decay": decay, "momentum": momentum, "epsilon": epsilon, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        value = None if closure is None else closure()
        for group in self.param_groups:
            parameters: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = [p.grad for p in parameters if p.grad is not None]
            if group["weight_decay"]:
                gradients = list(torch._foreach_add(gradients, parameters, alpha=group["weight_decay"]))
            squares = [self._kept(p, "squares", 1.0) for p in parameters]
            velocities = [self._kept(p, "velocity", 0.0) for p in parameters]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, value=1 - group["decay"])
            roots = torch._foreach_add(squares, group["epsilon"])
            torch._foreach_sqrt_(roots)
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_addcdiv_(velocities, gradients, roots, value=group["lr"])
            torch._foreach_sub_(parameters, velocities)
        return value

    def _kept(self, parameter: Tensor, name: str, start: float) -> Tensor:
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.full_like(parameter, start)
        kept: Tensor = state[name]
        return kept
