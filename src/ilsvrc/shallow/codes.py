"""From an image's descriptors to one long vector: Fisher vectors and super vectors, over a pyramid of regions.

Fisher vectors: Perronnin, Sánchez, Mensink: Improving the Fisher Kernel for Large-Scale Image Classification, 2010.
Super vectors: Zhou, Yu, Zhang, Huang: Image Classification Using Super-Vector Coding of Local Image Descriptors, 2010.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from skimage.feature import fisher_vector
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from ilsvrc.entries.earlier import Descriptor, Shallow
from ilsvrc.errors import DataError

STEPS = 30  # of the mixture's fit
FEW = 100  # super vectors: a word's share counts as much as a residual of a hundredth of it


@dataclass(frozen=True, eq=False)
class Codebook:
    """What was learnt of one kind of descriptor: principal components, and the words of the code."""

    kind: Descriptor
    components: PCA
    mixture: GaussianMixture | None  # of Fisher vectors
    centres: np.ndarray | None  # (words, components), of super vectors


def learnt(kind: Descriptor, descriptors: np.ndarray, method: Shallow, seed: int) -> Codebook:
    """The codebook of these descriptors, (N, D).

    Raises DataError when there are fewer of them than the method has words.
    """
    count = min(method.components, descriptors.shape[1])
    if len(descriptors) < max(method.words, count):
        raise DataError(
            f"the images have {len(descriptors)} descriptors and {max(method.words, count)} are needed to learn from; "
            "give more images, or larger ones"
        )
    components = PCA(count, random_state=seed).fit(descriptors)
    reduced = components.transform(descriptors).astype(np.float32)
    if method.code == "super vectors":
        means = MiniBatchKMeans(method.words, random_state=seed, n_init=1).fit(reduced)
        return Codebook(kind, components, None, means.cluster_centers_.astype(np.float32))
    mixture = GaussianMixture(method.words, covariance_type="diag", max_iter=STEPS, random_state=seed, reg_covar=1e-4)
    with warnings.catch_warnings():  # where it stands after so many steps is good enough for a code
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(reduced)
    return Codebook(kind, components, mixture, None)


def coded(descriptors: np.ndarray, places: np.ndarray, book: Codebook, method: Shallow) -> np.ndarray:
    """The image's vector, (R · size,) float32, of length 1: one code per region, in the order of `method.regions`.

    A region without descriptors is zero.
    """
    if len(descriptors) == 0:
        return np.zeros(regions(method) * size(method, book), np.float32)
    reduced = book.components.transform(descriptors).astype(np.float32)
    parts = []
    for rows, columns in method.regions:
        row, column = (places * (rows, columns)).astype(int).T
        for number in range(rows * columns):
            inside = reduced[(row * columns + column) == number]
            parts.append(_code(inside, book) if len(inside) else np.zeros(size(method, book), np.float32))
    whole = np.concatenate(parts)
    return np.asarray(whole / max(float(np.linalg.norm(whole)), 1e-12), np.float32)


def size(method: Shallow, book: Codebook) -> int:
    """Numbers in the code of one region."""
    d = book.components.n_components_
    return int(method.words * (d + 1) if book.mixture is None else method.words * (2 * d + 1))


def regions(method: Shallow) -> int:
    """How many regions an image is looked at in."""
    return sum(rows * columns for rows, columns in method.regions)


def _code(x: np.ndarray, book: Codebook) -> np.ndarray:
    if book.mixture is None:
        assert book.centres is not None
        return super_vector(x, book.centres)
    # Power and L2 normalisation are what "improved" adds.
    code = fisher_vector(x, book.mixture, improved=True, alpha=0.5)  # type: ignore[no-untyped-call]
    return np.asarray(code, np.float32)


def super_vector(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Of descriptors (N, d) with hard assignment to (words, d): per word √p / FEW and the mean residual over √p.

    p is the share of the descriptors that are nearest to the word; a word with none is zero.
    """
    distances = (centres**2).sum(axis=1) - 2 * x @ centres.T
    nearest = distances.argmin(axis=1)
    code = np.zeros((len(centres), centres.shape[1] + 1), np.float32)
    for word in np.unique(nearest):
        own = x[nearest == word]
        share = np.sqrt(len(own) / len(x))
        code[word, 0] = share / FEW
        code[word, 1:] = (own - centres[word]).sum(axis=0) / (len(x) * share)
    return code.reshape(-1)
