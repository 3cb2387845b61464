"""What an entry was before the networks, as data: descriptors, a code of them, a linear classifier."""

from dataclasses import dataclass
from typing import Literal

from ilsvrc.spec import Reported, Task

Descriptor = Literal["gradients", "colours", "patterns"]  # SIFT-like; local colour statistics; local binary patterns


@dataclass(frozen=True, kw_only=True)
class Shallow:
    """How images were told apart without a network.

    Images are resized so that the shorter side has `short_side` pixels. Descriptors have 4 × 4 cells and stand on a
    grid of one cell, at several scales. Each kind is reduced and coded by itself; an image's codes stand side by side.
    """

    source: str  # 'Perronnin et al. 2010'
    short_side: int
    descriptors: tuple[Descriptor, ...]
    cells: tuple[int, ...]  # sides of a cell in pixels, one per scale
    components: int  # that PCA leaves of a descriptor
    code: Literal["Fisher vectors", "super vectors"]
    words: int  # Gaussians of a mixture, or centres
    regions: tuple[tuple[int, int], ...]  # (rows, columns) that an image is divided into, each division for itself
    sampled: int  # descriptors of a kind that components and words are learnt from
    epochs: int  # of the classifier's stochastic gradient descent
    regularisation: float
    gaps: tuple[str, ...] = ()  # what the source leaves open, and what is done otherwise


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """One challenge entry without a network, executable; `miniature` is the method for minutes on two cores."""

    key: str  # 'xrce-2011-cls'
    year: int
    team: str
    task: Task
    name: str  # of the method, where a race has the names of networks: 'fisher_vectors'
    title: str  # as people say it
    method: Shallow
    miniature: Shallow
    reported: tuple[Reported, ...]
    source: str
    new: str  # what it brought, in a sentence
    gaps: tuple[str, ...] = ()
