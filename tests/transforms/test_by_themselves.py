"""Threads that load images: PyTorch computes alone in them, and as it did everywhere else."""

import subprocess
import sys

import pytest

# In a process of its own: how many threads PyTorch uses is a setting of the process.
PROGRAM = """
import threading, torch
from concurrent.futures import ThreadPoolExecutor
from ilsvrc.transforms.resample import by_themselves

torch.set_num_threads(3)
pool = ThreadPoolExecutor(2)
by_themselves(pool, 2)
large = torch.ones(1 << 20)
def work():
    large.add(1)
    return torch.get_num_threads()
print([pool.submit(work).result() for _ in range(8)])
print(torch.get_num_threads())
other = []
thread = threading.Thread(target=lambda: other.append(torch.get_num_threads()))
thread.start(); thread.join()
print(other)
"""


@pytest.mark.slow
def test_threads_of_a_pool_compute_alone_and_all_others_as_before():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str([1] * 8), "3", "[3]"]
