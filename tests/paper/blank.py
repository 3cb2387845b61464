"""Networks without weights: their shapes are all that is asked of them."""

from functools import cache

import torch
from torch import nn

from ilsvrc.models import build, paper_size


@cache
def meta(name: str, size: int | None = None) -> nn.Module:
    """The network at that image size, by default its paper's. Read only: whoever asks for it next gets the same."""
    with torch.device("meta"):
        return build(name, image_size=paper_size(name) if size is None else size)
