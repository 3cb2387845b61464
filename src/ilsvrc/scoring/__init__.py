"""The challenge's verdicts, as the official development kits reach them: numpy alone, quirks included.

Classification, `flat_error`, `clsloc_flat_error`, `hierarchical_cost`; localization, `localization_errors`;
detection, `detect`. Submissions are `Guesses` or `Detections`, read from the kits' text forms and from Kaggle's.
"""

from ilsvrc.scoring.classification import clsloc_flat_error, flat_error
from ilsvrc.scoring.detection import ClassVerdict, Detection, average_precision, detect
from ilsvrc.scoring.detection_file import read_detections
from ilsvrc.scoring.hierarchy import cost_matrix, hierarchical_cost
from ilsvrc.scoring.kaggle import (
    Solution,
    read_kaggle_submission,
    read_mapping,
    read_solution,
    write_kaggle_submission,
    write_mapping,
    write_solution,
)
from ilsvrc.scoring.localization import Localization, Objects, localization_errors
from ilsvrc.scoring.numbering import NUMBERINGS, Numbering, renumber
from ilsvrc.scoring.overlap import overlap
from ilsvrc.scoring.score import Score
from ilsvrc.scoring.submission import Detections, Guesses, read_guesses, write_detections, write_guesses

__all__ = [
    "NUMBERINGS",
    "ClassVerdict",
    "Detection",
    "Detections",
    "Guesses",
    "Localization",
    "Numbering",
    "Objects",
    "Score",
    "Solution",
    "average_precision",
    "clsloc_flat_error",
    "cost_matrix",
    "detect",
    "flat_error",
    "hierarchical_cost",
    "localization_errors",
    "overlap",
    "read_detections",
    "read_guesses",
    "read_kaggle_submission",
    "read_mapping",
    "read_solution",
    "renumber",
    "write_detections",
    "write_guesses",
    "write_kaggle_submission",
    "write_mapping",
    "write_solution",
]
