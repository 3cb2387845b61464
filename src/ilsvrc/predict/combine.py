"""The mean over views, then over members, and of what: probabilities or logits is part of the protocol."""

from typing import Literal

import torch
from torch import Tensor


def over_views(logits: Tensor, average: Literal["probabilities", "logits"]) -> Tensor:
    """Probabilities (N, C) of images seen V times: logits is (N, V, C)."""
    if average == "logits":
        return torch.softmax(logits.mean(dim=1), dim=-1)
    return torch.softmax(logits, dim=-1).mean(dim=1)
