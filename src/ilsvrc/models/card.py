"""The form of a card, the standard library alone."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a reader wants to know of a network before its layers."""

    year: int  # of the challenge it entered, or of the paper where it entered none
    team: str
    paper: str  # 'Krizhevsky et al. 2012'
    parameters: int  # at 1000 classes, side heads included
    new: str  # what was new, one sentence
    differences: tuple[str, ...]  # from the paper or the release, and what the paper leaves open; one sentence each
    image_size: int = 224  # side of its images in pixels
