"""Correspondence: does hiding the same part change the features of all images alike? Zeiler and Fergus 2013, 4.3."""

from itertools import permutations

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.viz.layers import answers

# Table 1: mean Hamming distance and its spread, layers 5 and 7, on five dogs seen from the front.
PUBLISHED = {
    "right eye": ((0.067, 0.007), (0.069, 0.015)),
    "left eye": ((0.069, 0.007), (0.068, 0.013)),
    "nose": ((0.079, 0.017), (0.069, 0.011)),
    "random": ((0.107, 0.017), (0.073, 0.014)),
}


def changes(network: nn.Module, clean: Tensor, masked: Tensor, layer: str) -> np.ndarray:
    """e = x - x~, the features of images (N, 3, S, S) less those of the same with a part masked, (N, features)."""
    with torch.inference_mode():
        found: np.ndarray = (answers(network, clean, layer) - answers(network, masked, layer)).flatten(1).cpu().numpy()
    return found


def distances(changed: np.ndarray) -> np.ndarray:
    """H(sign e_i, sign e_j) of every ordered pair i ≠ j of the rows, each in [0, 1].

    The share of places where the signs differ; a sign is -1, 0 or 1. The paper sums over pairs and does not say
    that H is divided by the length, which the size of its figures implies; the mean is what to compare. Lower is
    more alike. Raises SpecError for fewer than two images.
    """
    if len(changed) < 2:
        raise SpecError(f"{len(changed)} image is given; whether a part changes images alike takes at least two")
    signs = np.sign(changed)
    return np.array([np.mean(signs[i] != signs[j]) for i, j in permutations(range(len(signs)), 2)])
