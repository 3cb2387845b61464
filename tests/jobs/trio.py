"""What three processes do in a test of test_processes.py: a training whole, and one in which the last is killed.

Run by torchrun with a data set and a folder for the runs; run again, the training that was killed is continued.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from small import BENCH, Told, training

from ilsvrc.jobs import train as job
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.train import run_training
from ilsvrc.train.parallel import join, seat


def main() -> None:
    """Both."""
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    processes = join(seat(), "sync")
    splits, bench = open_splits(str(data)), replace(BENCH, processes=processes)
    asked = training("resnet18", batch=18)  # shares of six; of the last batch's six images two each
    run_training(asked, splits, folder / "whole", bench, Told())
    first, taken = processes.told(not (folder / "killed").exists()), list[float]()

    def moved(fraction: float) -> None:
        taken.append(fraction)
        if first and len(taken) == 6 and processes.rank == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    job.SAVE_EVERY = 0.0  # every step
    run_training(asked, splits, folder / "killed", bench, Told(), moved=moved)
    assert first or 0 < len(taken) < 8, "it went on from what was saved"
    processes.leave()


main()
