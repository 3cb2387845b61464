"""What tests of several localizers ask of a finished run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ilsvrc.cli import run as command
from ilsvrc.jobs.localize_judge import Located, read_located
from ilsvrc.train.run import Run


def says_what_it_found(
    directory: Path, image: Path, out: Path, capsys: Any
) -> tuple[list[dict[str, Any]], Located, int]:
    """Ask `evaluate` and `localize` of a localization run: the same errors as it kept, and the same boxes.

    Gives the places found in the image, by class, what the run kept of all images, and the image's row of that.
    """
    words = ["evaluate", str(directory), "--device", "cpu", "--engine", "eager", "--json"]
    assert command(words) == 0
    told = json.loads(capsys.readouterr().out)
    scores = Run(directory).read_scores() or {}
    assert [score["value"] for score in told["scores"]] == [score["value"] for score in scores["scores"]]
    words = ["localize", str(image), "--run", str(directory), "--top", "5", "--json", "--device", "cpu"]
    assert command([*words, "--precision", "fp32", "--out", str(out)]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    located = read_located(directory / "located.npz")
    row = located.names.index(image.stem)
    assert np.array([each["box"] for each in found["places"]]) == pytest.approx(located.boxes[row], abs=0.05)
    return found["places"], located, row
