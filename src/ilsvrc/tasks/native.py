"""torchvision's compiled operators where its wheel fits the PyTorch beside it; nothing here needs them."""

from functools import cache
from importlib import import_module
from typing import Any

import torch


@cache
def torchvision_ops() -> Any:
    """The module torchvision.ops; None where it is not installed, does not import, or has no compiled operators."""
    try:
        module = import_module("torchvision.ops")
        module.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)  # importing alone does not tell that it computes
    except (ImportError, RuntimeError, OSError, AttributeError):
        return None
    return module
