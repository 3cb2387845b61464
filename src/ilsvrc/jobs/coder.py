"""Descriptors and codes of encoded images; imports little, for it runs in processes of its own."""

from collections.abc import Sequence

import numpy as np

from ilsvrc.data.decode import Image, Reading
from ilsvrc.data.sample import Sample
from ilsvrc.entries.earlier import Shallow
from ilsvrc.errors import BadImage
from ilsvrc.shallow.codes import Codebook, coded
from ilsvrc.shallow.descriptors import described, resized


def descriptors_of(samples: Sequence[Sample], method: Shallow, most: int, seed: int) -> list[np.ndarray]:
    """At most `most` descriptors of each kind and image, drawn with the seed: an array (N, D) per kind."""
    draws = np.random.default_rng(seed)
    found: list[list[np.ndarray]] = [[] for _ in method.descriptors]
    for sample in samples:
        pixels = resized(Image(sample).pixels(), method.short_side)
        for kind, parts in zip(method.descriptors, found, strict=True):
            all_of_it, _ = described(pixels, kind, method.cells)
            parts.append(draws.permutation(all_of_it)[:most])
    return [np.concatenate(parts) for parts in found]


def codes_of(
    samples: Sequence[Sample], method: Shallow, books: Sequence[Codebook], reading: Reading
) -> list[np.ndarray | str]:
    """Each image's vector, its kinds side by side; for one that cannot be decoded and is passed over, why."""
    return [_code(sample, method, books, reading) for sample in samples]


def _code(sample: Sample, method: Shallow, books: Sequence[Codebook], reading: Reading) -> np.ndarray | str:
    try:
        pixels = resized(Image(sample, reading.decoder).pixels(), method.short_side)
    except BadImage as bad:
        if reading.bad == "stop":
            raise
        return str(bad)
    parts = [coded(*described(pixels, book.kind, method.cells), book, method) for book in books]
    return np.concatenate(parts)
