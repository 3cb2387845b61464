"""The mean over views, and of what: probabilities or logits is part of the protocol."""

from typing import Literal

import torch
from torch import Tensor

from ilsvrc.spec import Crops, Dense


def over_views(logits: Tensor, average: Literal["probabilities", "logits"]) -> Tensor:
    """Probabilities (N, C) of images seen V times: logits is (N, V, C)."""
    if average == "logits":
        return torch.softmax(logits.mean(dim=1), dim=-1)
    return torch.softmax(logits, dim=-1).mean(dim=1)


def told(answers: Tensor, protocol: Crops | Dense) -> Tensor:
    """What is averaged, (N, C), of a network's answers to views: logits, or for some dense protocols probabilities."""
    if protocol.average == "logits" or (isinstance(protocol, Dense) and protocol.places == "probabilities"):
        return answers
    return torch.softmax(answers, dim=-1)


def settled(mean: Tensor, protocol: Crops | Dense) -> Tensor:
    """Probabilities (N, C), rows that sum to 1, of the mean over views of what was told."""
    if protocol.average == "logits":
        return torch.softmax(mean, dim=-1)
    return mean / mean.sum(dim=-1, keepdim=True)
