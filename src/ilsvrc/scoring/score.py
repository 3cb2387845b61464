"""A verdict, with everything one must know to compare it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """One number and where it comes from.

    value is a fraction in [0, 1], smaller is better for errors and larger for precisions; percent exists only in
    print. It is nan or inf exactly where the kit's routine has them. The hierarchical cost alone is a height, from 0.
    """

    metric: str  # 'top-5 error'
    value: float
    images: int  # in the denominator
    excluded: int  # left out of it
    rules: str  # 'eval_clsloc.m, kit of 2014'
