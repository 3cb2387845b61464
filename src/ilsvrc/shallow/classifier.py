"""The linear classifier: one support vector machine per class, by averaged stochastic gradient descent."""

import numpy as np
from sklearn.linear_model import SGDClassifier

from ilsvrc.entries.earlier import Shallow


def fitted(codes: np.ndarray, labels: np.ndarray, method: Shallow, seed: int, threads: int) -> SGDClassifier:
    """One against all (Perronnin et al. 2012; Lin et al. 2011): codes (N, D) float32, labels (N,)."""
    machine = SGDClassifier(
        loss="hinge",
        alpha=method.regularisation,
        average=True,
        max_iter=method.epochs,
        tol=None,
        random_state=seed,
        n_jobs=threads,
    )
    return machine.fit(codes, labels)


def probabilities(machine: SGDClassifier, codes: np.ndarray, classes: int) -> np.ndarray:
    """(N, classes) float32, rows that sum to 1: the softmax of the margins, which orders as they do and means no more.

    A class that no training image had comes last.
    """
    margins = machine.decision_function(codes)
    if margins.ndim == 1:  # of two classes scikit-learn gives the second one's
        margins = np.stack([-margins, margins], axis=1)
    known = np.full((len(codes), classes), -np.inf)
    known[:, machine.classes_] = margins
    exponents = np.exp(known - known.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), np.float32)


def parameters(machine: SGDClassifier) -> int:
    """Weights and thresholds."""
    return int(machine.coef_.size + machine.intercept_.size)
