"""Detection trainings that are stopped go on to the same bits: weights, detections, verdict."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small import BENCH, QUIET, Told, training

from ilsvrc.entries.miniature_det import DETECTORS
from ilsvrc.jobs.detect_feed import Halves, open_halves
from ilsvrc.jobs.detect_judge import read_spotted
from ilsvrc.jobs.detect_run import run_detecting
from ilsvrc.jobs.detecting import Detecting
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.train import run_training
from ilsvrc.spec import Detector
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.run import Run

MEMBER = training("resnet18").member
ENTRY = DETECTORS["msra-2015-det"]
HOW = ENTRY.boxes
assert isinstance(HOW, Detector)


@pytest.fixture(scope="module")
def classifier(splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished ResNet-18 of one epoch. Read only."""
    return run_training(
        training("resnet18", epochs=1), splits, tmp_path_factory.mktemp("classifier"), BENCH, QUIET
    ).directory


@pytest.fixture(scope="module")
def halves(tiny: Path) -> Halves:
    """Both halves of the tiny set's images with objects."""
    return open_halves(str(tiny))


def asked(classifier: Path, how: Detector = HOW, batch: int = 4) -> Detecting:
    """Two epochs of four steps; every detection counts, however unsure, so that there are some to compare."""
    member = ENTRY.members[0]
    member = replace(
        member, image_size=MEMBER.image_size, width=MEMBER.width, recipe=replace(member.recipe, batch=batch)
    )
    entry = replace(ENTRY, members=(member,), boxes=replace(how, score=0.0, most=20))
    return Detecting(entry=entry, classifier=classifier, epochs=2, seed=0)


def stopped_after(steps: int, wanted: Detecting, halves: Halves, directory: Path) -> None:
    """Train until so many steps of this call are taken, as a signal would have it."""
    taken = []

    def moved(fraction: float) -> None:
        taken.append(fraction)
        if len(taken) == steps:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match=f"saved in {directory}; the same command goes on"):
        run_detecting(wanted, halves, directory, BENCH, QUIET, moved)


def verdict(run: Run) -> dict[str, object]:
    """What was scored, but for the time it took."""
    return {key: value for key, value in (run.read_scores() or {}).items() if "second" not in key}


def same(one: Path, other: Path) -> None:
    """Weights, detections and verdict of both runs are the same to the bit."""
    weights, theirs = (load_tensors(Run(at).weights) for at in (one, other))
    assert weights.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in weights.items())
    found, known = (read_spotted(at / "spotted.npz") for at in (one, other))
    assert len(found) > 0
    for name in ("image", "label", "confidence", "box"):
        assert np.array_equal(getattr(found, name), getattr(known, name)), name
    assert verdict(Run(one)) == verdict(Run(other))
    logs = [[{k: v for k, v in line.items() if "second" not in k} for line in Run(at).log()] for at in (one, other)]
    assert logs[0] == logs[1]


@pytest.fixture(scope="module")
def through(classifier: Path, halves: Halves, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nobody stopped. Read only."""
    return run_detecting(asked(classifier), halves, tmp_path_factory.mktemp("through"), BENCH, QUIET).directory


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 4, 6])
def test_a_stopped_detection_training_goes_on_to_the_same_bits(steps, classifier, halves, through, tmp_path: Path):
    stopped_after(steps, asked(classifier), halves, tmp_path / "run")
    assert not Run(tmp_path / "run").scores.exists()
    run_detecting(asked(classifier), halves, tmp_path / "run", BENCH, QUIET)
    same(tmp_path / "run", through)


@pytest.mark.slow
def test_alternating_training_stopped_in_its_second_step_goes_on_to_the_same_bits(classifier, halves, tmp_path: Path):
    wanted = asked(classifier, replace(HOW, steps="alternating"))
    run_detecting(wanted, halves, tmp_path / "whole", BENCH, QUIET)
    closed = []

    def stop() -> None:
        closed.append(1)
        if len(closed) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="step2"):
        run_detecting(wanted, halves, tmp_path / "stopped", BENCH, Told("epoch  1 of 2", stop))
    first = Run(tmp_path / "stopped" / "step1").weights
    before = first.stat().st_mtime_ns
    run_detecting(wanted, halves, tmp_path / "stopped", BENCH, QUIET)
    assert first.stat().st_mtime_ns == before, "a step that is done is not redone"
    same(tmp_path / "stopped", tmp_path / "whole")
