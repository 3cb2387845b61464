"""Processes that train together, forked from one that has imported everything: each start of torchrun imports it anew.

They find each other by the environment that torchrun would give them; how it is given is the tests' of the launcher.
"""

import os
import socket
from collections.abc import Callable

import torch
import torch._dynamo  # this and what follows: what else each would import at its first step and its first state
import torch.distributed.checkpoint.state_dict_saver
import torch.distributed.fsdp
from torch.multiprocessing.spawn import start_processes


def together(count: int, work: Callable[..., None], *words: object) -> None:
    """Do this work in so many processes. Raises torch's ProcessExitedException when one of them is killed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start_processes(_seated, (count, port, work, words), count, start_method="fork")


def _seated(rank: int, count: int, port: int, work: Callable[..., None], words: tuple[object, ...]) -> None:
    place = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": count}
    os.environ.update({key: str(value) for key, value in place.items()}, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    work(*words)
