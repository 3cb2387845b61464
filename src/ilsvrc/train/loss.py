"""Cross entropy, auxiliary heads, label smoothing, and the precision the network computes in."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Precision = Literal["fp32", "bf16", "fp16", "tf32"]
HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def classification(
    *, side_weight: float, label_smoothing: float, precision: Precision
) -> Callable[[nn.Module, tuple[Tensor, Tensor]], Tensor]:
    """The loss of a classifier on one batch, a scalar.

    A network that returns (logits, side logits, ...) has auxiliary heads: their losses are added with
    `side_weight` each (Szegedy et al. 2015, section 5: 0.3). label_smoothing is the weight given to the
    uniform distribution. In bf16 and fp16 the network runs under autocast and the loss in float32.
    """

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        with autocast(images.device, precision):
            outputs = model(images)
        heads = outputs if isinstance(outputs, tuple) else (outputs,)
        losses = [F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing) for logits in heads]
        return losses[0] + side_weight * sum(losses[1:], start=torch.zeros_like(losses[0]))

    return loss


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which the network computes; tf32 is float32 to it, and a setting of the device."""
    return torch.autocast(device.type, dtype=HALF.get(precision, torch.bfloat16), enabled=precision in HALF)
