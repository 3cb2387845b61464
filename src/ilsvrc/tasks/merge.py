"""Greedy merging of boxes that a regressor predicted at many places (Sermanet et al. 2013, section 4.3).

No suppression: boxes of windows that agree become one, and what a class scores in each of those windows is summed, so
that agreement raises confidence. Simonyan and Zisserman 2014, appendix A, do the same without the shifted poolings;
of several networks the boxes are put together before they are merged.
"""

import numpy as np


def far(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(B, T): how badly two boxes match, 0 for equal ones; (B, 4) and (T, 4) with both edges inside, none inverted.

    The distance of the centres over the mean side of both boxes, plus 1, less the intersection over the union. The
    printed match_score adds the distance of the centres and the *area* of the intersection, of which the least is
    merged first: boxes that share nothing would match best. Neither unit nor threshold is printed.
    """
    a, b = boxes[:, None, :].astype(np.float64), others[None, :, :].astype(np.float64)
    sides_a, sides_b = a[..., 2:] - a[..., :2] + 1, b[..., 2:] - b[..., :2] + 1
    common = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1, 0, None).prod(-1)
    union = sides_a.prod(-1) + sides_b.prod(-1) - common
    apart = np.hypot(*np.moveaxis((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2, -1, 0))
    return np.asarray(apart / ((sides_a + sides_b).mean(-1) / 2) + 1 - common / union)


def merged(boxes: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The boxes (M, 4) that are left, and (M, B) bool, from which of the given ones each came.

    Again and again the two that match best are replaced by the mean of their corners, as long as they are not more than
    `threshold` apart; of equal pairs the first. A merged box counts as one, however many it came from.
    """
    left = np.array(boxes, np.float64)
    came = np.eye(len(left), dtype=bool)
    apart = far(left, left)
    np.fill_diagonal(apart, np.inf)
    while len(left) > 1:
        one, other = sorted(np.unravel_index(int(apart.argmin()), apart.shape))
        if apart[one, other] > threshold:
            break
        left[one] = (left[one] + left[other]) / 2
        came[one] |= came[other]
        left, came = np.delete(left, other, axis=0), np.delete(came, other, axis=0)
        apart = np.delete(np.delete(apart, other, axis=0), other, axis=1)
        apart[one] = apart[:, one] = far(left[one][None], left)[0]
        apart[one, one] = np.inf
    return left, came


def surest(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[np.ndarray, float]:
    """The merged box, (4,), whose windows score most in sum, and that sum; boxes (B, 4), scores (B,) of one class."""
    left, came = merged(boxes, threshold)
    sums = came @ scores
    best = int(sums.argmax())
    return left[best], float(sums[best])
