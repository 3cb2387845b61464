"""The mean over members: several networks' probabilities of the same images, and the weights of their combination."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np


def over_members(members: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The weighted mean of the members' probabilities, each (N, C), over the sum of the weights: (N, C) float32."""
    total = float(sum(weights))
    mixed = np.zeros(members[0].shape, np.float64)
    for probabilities, weight in zip(members, weights, strict=True):
        mixed += probabilities.astype(np.float64) * (weight / total)
    return mixed.astype(np.float32)


def ranks(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The place of the true label among the guesses of each image, from 0: (N,) of (N, C) and (N,).

    Equal probabilities are ranked by label, lowest first. An image is wrong in the top k where its rank is k or more.
    """
    truth = probabilities[np.arange(len(labels)), labels][:, None]
    before = np.arange(probabilities.shape[1])[None] < labels[:, None]
    return np.asarray((probabilities > truth).sum(1) + ((probabilities == truth) & before).sum(1))


def fitted_weights(truths: np.ndarray, rounds: int = 2000) -> np.ndarray:
    """The weights of a mean of K members under which the true labels are likeliest: (K,), none negative, of sum 1.

    truths is (N, K), what each member gives the true label of each image. The log loss of a mixture is convex in its
    weights, and expectation maximisation (Dempster et al. 1977) goes down to its only minimum without a step size.
    """
    likely = np.maximum(truths.astype(np.float64), 1e-12)
    weights = np.full(likely.shape[1], 1 / likely.shape[1])
    for _ in range(rounds):
        shares = likely * weights
        moved = np.asarray((shares / shares.sum(1, keepdims=True)).mean(0))
        done = float(np.abs(moved - weights).max()) < 1e-7
        weights = moved
        if done:
            break
    return weights


def first_half(names: Iterable[str]) -> np.ndarray:
    """Which images are of the first half: (N,) bool, by a hash of the name, the same on every machine and in any order.

    The halves are equal up to chance; a data set's order, which is often that of its classes, has no part in it.
    """
    return np.array([hashlib.sha256(name.encode(errors="surrogateescape")).digest()[0] < 128 for name in names], bool)
