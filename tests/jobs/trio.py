"""What three processes do in a test of test_processes.py: a training whole, and one whose last process is killed.

Run with a data set and a folder for the runs; the training that was killed is continued by three others.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from forked import together
from small import BENCH, Told, training
from torch.multiprocessing import ProcessExitedException

from ilsvrc.jobs import train as job
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.train import run_training
from ilsvrc.train.parallel import join, seat


def work(data: Path, folder: Path, first: bool) -> None:
    """The training that is killed, or its end and the one that nobody disturbs."""
    processes = join(seat(), "sync")
    splits, bench = open_splits(str(data)), replace(BENCH, processes=processes)
    asked = training("resnet18", batch=18)  # shares of six; of the last batch's six images two each
    taken: list[float] = []

    def moved(fraction: float) -> None:
        taken.append(fraction)
        if first and len(taken) == 6 and processes.rank == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    if not first:
        run_training(asked, splits, folder / "whole", bench, Told())
    job.SAVE_EVERY = 0.0  # every step
    run_training(asked, splits, folder / "killed", bench, Told(), moved=moved)
    assert 0 < len(taken) < 8, "it went on from what was saved"
    processes.leave()


words = Path(sys.argv[1]), Path(sys.argv[2])
with pytest.raises(ProcessExitedException) as killed:
    together(3, work, *words, True)
assert killed.value.signal_name == "SIGKILL"
together(3, work, *words, False)
