"""The rule by which a claim holds, falls short, or stays undecided."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ilsvrc.claims.claim import Expectation

Verdict = Literal["holds", "falls short", "undecided"]

# Student's t, 95 % one-sided, for 2, 3, ... seeds; more than there are here take the last, which is wider than theirs.
T95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833)

RULE = (
    "Two networks are compared seed by seed. The mean of their differences has a 90 % interval by Student's t. Where a "
    "lower figure is claimed, the claim holds if the interval lies above zero, and falls short if it lies below. Where "
    "no gain is claimed, it holds if the interval lies below the margin, and falls short if it lies above zero and "
    "reaches the margin. Otherwise, and with one seed, it is undecided. A claim holds when all its comparisons do, and "
    "falls short when one of them does."
)


@dataclass(frozen=True)
class Finding:
    """One comparison: what `first` gains over `second` by seed, its mean and 90 % interval, and what follows."""

    gains: tuple[float, ...]
    mean: float
    low: float
    high: float
    verdict: Verdict


def compared(first: Sequence[float], second: Sequence[float], expected: Expectation, margin: float = 0.0) -> Finding:
    """Both figures by seed, in the same order; a gain is how much lower the first one is.

    With one seed the interval is everything.
    """
    gains = tuple(b - a for a, b in zip(first, second, strict=True))
    mean = sum(gains) / len(gains)
    half = _half(gains, mean)
    low, high = mean - half, mean + half
    verdict: Verdict = "undecided"
    if expected == "lower" and (low > 0 or high < 0):
        verdict = "holds" if low > 0 else "falls short"
    elif expected == "not lower" and (high < margin or low > 0):
        verdict = "holds" if high < margin else "falls short"
    return Finding(gains, mean, low, high, verdict)


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """Of a claim with several comparisons."""
    if "falls short" in verdicts:
        return "falls short"
    return "holds" if verdicts and all(verdict == "holds" for verdict in verdicts) else "undecided"


def _half(gains: tuple[float, ...], mean: float) -> float:
    count = len(gains)
    if count < 2:
        return math.inf
    deviation = math.sqrt(sum((gain - mean) ** 2 for gain in gains) / (count - 1))
    return T95[min(count - 2, len(T95) - 1)] * deviation / math.sqrt(count)
