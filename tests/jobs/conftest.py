"""Runs that several tests read."""

from pathlib import Path

import pytest
from small import BENCH, QUIET, training

from ilsvrc.data import mini
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.train import run_training
from ilsvrc.train.run import Run


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller set than `tiny`, with an image of each class to be judged, for what looks at every image often."""
    directory = tmp_path_factory.mktemp("data") / "few"
    mini.build(directory, train=40, val=20, test=20)
    return directory


@pytest.fixture(scope="session")
def splits(tiny: Path) -> Splits:
    """Both halves of the tiny set."""
    return open_splits(str(tiny))


@pytest.fixture(scope="session")
def finished(splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """One run of two epochs without any stop, by network. Read only."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        model: run_training(training(model), splits, folder / model, BENCH, QUIET) for model in ("alexnet", "resnet18")
    }
