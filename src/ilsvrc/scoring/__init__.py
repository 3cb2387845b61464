"""The challenge's verdicts, as the official development kits reach them: numpy alone, quirks included."""

from ilsvrc.scoring.classification import flat_error
from ilsvrc.scoring.score import Score

__all__ = ["Score", "flat_error"]
