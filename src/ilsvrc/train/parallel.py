"""The only file that knows there is more than one process.

PyTorch's own engine does the work: torchrun starts processes, DistributedDataParallel averages gradients, fully_shard
(FSDP2) splits what one device cannot hold, torch.distributed.checkpoint writes what is split. A training asks
`Processes` what it would ask of itself; `ALONE` answers for the only process there is, without any of that.
"""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from ilsvrc.errors import DataError, IlsvrcError, SpecError, WeightsError
from ilsvrc.train.whole import see_whole

# sync: replicas, batch norm over the whole batch; ddp: replicas, batch norm of each process by itself;
# fsdp: weights and optimizer split over the processes, batch norm over the whole batch.
How = Literal["sync", "ddp", "fsdp"]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Seat:
    """What torchrun tells a process: its number of how many in all, and on its machine."""

    rank: int = 0
    of: int = 1
    local: int = 0
    local_of: int = 1


class Processes:
    """Those that train together, seen from one of them: number `rank` of `of`."""

    def __init__(self, seat: Seat = Seat(), how: How = "sync", store: Any = None, control: Any = None) -> None:
        self.rank, self.of, self.local, self.local_of = seat.rank, seat.of, seat.local, seat.local_of
        self.how = how
        self._store, self._control = store, control
        self._count = 0
        self._parent = os.getppid()
        self._asked: tuple[Any, Tensor] | None = None

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    # What is whose.

    def share(self, count: int) -> range:
        """Which of `count` images of a batch are this process's: a run of them, equal to one image."""
        return range(count * self.rank // self.of, count * (self.rank + 1) // self.of)

    def weigh(self, count: int) -> float:
        """Say that the next step has a batch of `count` images; the weight of this process's mean loss in it.

        The engine averages gradients over processes: weighted by this, their mean is that of the whole batch.
        """
        self._count = count
        return len(self.share(count)) * self.of / count

    def rows(self, here: int) -> tuple[int, int]:
        """(first, count): where `here` images of this process begin in the batch, and how many that has."""
        mine = self.share(self._count)
        if len(mine) == here:
            return mine.start, self._count
        return here * self.rank, here * self.of  # a part of a step: each process has taken as much of its own

    def turns(self, batches: int) -> range:
        """Which batches of a judgement are this process's."""
        return range(self.rank, batches, self.of)

    # What is said between them.

    def told(self, value: Value) -> Value:
        """What the first process gives, in all of them."""
        if self.of == 1:
            return value
        box = [value if self.first else None]
        dist.broadcast_object_list(box, 0, group=self._control)
        return box[0]  # type: ignore[return-value]

    def gathered(self, value: Value) -> list[Value]:
        """Everyone's value by rank, in all of them."""
        if self.of == 1:
            return [value]
        found: list[Any] = [None] * self.of
        dist.all_gather_object(found, value, group=self._control)
        return found

    def collected(self, value: Value) -> list[Value]:
        """Everyone's value by rank in the first process, nothing in the others."""
        if self.of == 1:
            return [value]
        found: list[Any] | None = [None] * self.of if self.first else None
        dist.gather_object(value, found, 0, group=self._control)
        return found or []

    def first_does(self, act: Callable[[], Value]) -> Value:
        """Let the first process act and tell the others what came of it; what it raises of ours, all raise."""
        if self.of == 1:
            return act()
        answer: Value | None = None
        fault: IlsvrcError | None = None
        if self.first:
            try:
                answer = act()
            except IlsvrcError as error:
                fault = error
        answer, fault = self.told((answer, fault))
        if fault is not None:
            raise fault
        return answer  # type: ignore[return-value]

    def summed(self, tensor: Tensor) -> Tensor:
        """The tensor's sum over the processes, in place and on its device."""
        if self.of > 1:
            # Beside the gradients' sums, which are under way meanwhile.
            dist.all_reduce(tensor, group=None if tensor.is_cuda else self._control)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether it is so in any of them."""
        return flag if self.of == 1 else any(self.gathered(flag))

    def heeded(self, signal: int, due: bool) -> tuple[int, bool]:
        """What was asked of any process before the step that has just been taken, the same in all of them.

        signal is that of a stop, 0 for none; due is heeded where the first process says it. Alone it is answered at
        once; among several one step later, so that no process waits for the answer.
        """
        if self.of == 1:
            return signal, due
        if os.getppid() != self._parent:
            signal = signal or 15  # torchrun is gone: nobody would end us
        before, self._asked = self._asked, None
        if before is not None:
            before[0].wait()
        flags = torch.tensor([signal, int(due and self.first)])
        self._asked = (dist.all_reduce(flags, dist.ReduceOp.MAX, group=self._control, async_op=True), flags)
        if before is None:
            return 0, False
        agreed = before[1].tolist()
        return int(agreed[0]), bool(agreed[1])

    def forget(self) -> None:
        """Drop what was asked for and not yet heeded: another training begins."""
        if self._asked is not None:
            self._asked[0].wait()
        self._asked = None

    def claim(self) -> bool:
        """Whether this process is the first to fail: the one that says why."""
        try:
            return self.of == 1 or self._store.add("failed", 1) == 1
        except Exception:  # whoever kept the store is gone: better said twice than not at all
            return True

    def leave(self) -> None:
        """Done: say so and close the connections."""
        if self.of > 1:
            dist.barrier(group=self._control)
            dist.destroy_process_group()

    # What trains.

    def spread(self, network: nn.Module) -> nn.Module:
        """What to call in a step instead of the network, which is changed in place where it must see the whole batch.

        Its tensors keep their names. With fsdp they are split from now on: make the optimizer after this.
        """
        if self.of == 1:
            return network
        cuda = next(network.parameters()).is_cuda
        see_whole(network, self, norm=self.how != "ddp" and not cuda)
        if cuda and self.how != "ddp":
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # in place
        if self.how == "fsdp":
            return self._sharded(network, cuda)
        # Renamed in PyTorch 2.13. Replicas keep their own running statistics; those of the first count.
        names = inspect.signature(DistributedDataParallel).parameters
        sync = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
        options: dict[str, Any] = {sync: False, "gradient_as_bucket_view": True}
        replica = DistributedDataParallel(network, **options)
        if not cuda and self.of > 2:
            replica.register_comm_hook(self.of, _tensor_by_tensor)
        return replica

    def _sharded(self, network: nn.Module, cuda: bool) -> nn.Module:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        for parameter in network.parameters():
            parameter.data = parameter.data.contiguous()  # it splits along the first axis of plain memory
        fully_shard(network, mesh=init_device_mesh("cuda" if cuda else "cpu", (self.of,)))
        return network

    def whole(self, network: nn.Module) -> dict[str, Tensor]:
        """The network's tensors by name, whole, the first process's running statistics: what is saved and judged."""
        if self.of == 1:
            return network.state_dict()
        if self.how == "fsdp":
            from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

            options = StateDictOptions(full_state_dict=True)
            whole: dict[str, Any] = dict(get_model_state_dict(network, options=options))
            return whole
        for buffer in network.buffers() if self.how == "ddp" else ():
            dist.broadcast(buffer, 0)
        return network.state_dict()

    # What is split is written by all.

    def write_shards(self, folder: Path, network: nn.Module, optimizer: Any, more: dict[str, Any]) -> None:
        """Each process's part of the network, the optimizer and `more`, into the folder. Raises DataError."""
        from torch.distributed.checkpoint.api import CheckpointException  # imported where it is used: it takes a second
        from torch.distributed.checkpoint.state_dict import get_state_dict
        from torch.distributed.checkpoint.state_dict_saver import save

        weights, moves = get_state_dict(network, optimizer)
        state = {"network": weights, "optimizer": moves, "more": more}
        fault = ""
        try:
            save(state, checkpoint_id=folder, process_group=self._control)
        except (Exception, CheckpointException) as error:  # the same in all processes, whoever met it
            fault = _innermost(error)
        if fault:
            raise DataError(
                f"{folder} could not be written ({fault}); what was saved before is intact: "
                "make room or choose another folder, and run the same command again"
            )

    def read_shards(self, folder: Path, network: nn.Module, optimizer: Any, more: dict[str, Any]) -> dict[str, Any]:
        """Fill network and optimizer from the folder and answer what `more` was. Raises WeightsError if damaged."""
        from torch.distributed.checkpoint.api import CheckpointException
        from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
        from torch.distributed.checkpoint.state_dict_loader import load

        weights, moves = get_state_dict(network, optimizer)
        state: dict[str, Any] = {"network": weights, "optimizer": moves, "more": more}
        try:
            load(state, checkpoint_id=folder, process_group=self._control)
        except (Exception, CheckpointException) as error:
            raise WeightsError(
                f"{folder} is not a checkpoint that can be read ({_innermost(error)}); "
                "delete it to start this training anew"
            ) from error
        set_state_dict(network, optimizer, model_state_dict=state["network"], optim_state_dict=state["optimizer"])
        found: dict[str, Any] = state["more"]
        return found


ALONE = Processes()


def seat() -> Seat:
    """Where torchrun put this process; the only seat there is where it did not. Raises SpecError on odd words."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Seat()
    names = {"rank": "RANK", "of": "WORLD_SIZE", "local": "LOCAL_RANK", "local_of": "LOCAL_WORLD_SIZE"}
    words = {key: os.environ.get(name, "1" if key == "local_of" else "0") for key, name in names.items()}
    try:
        found = Seat(**{key: int(word) for key, word in words.items()})
    except ValueError:
        found = Seat(-1)
    if not (0 <= found.rank < found.of and 0 <= found.local < found.local_of):
        told = " ".join(f"{names[key]}={word}" for key, word in words.items())
        raise SpecError(f"the environment says {told}, which is no place among processes; start them with torchrun")
    return found


def join(where: Seat, how: How) -> Processes:
    """Meet the others of torchrun's; ALONE where there are none. Raises SpecError when they cannot be met."""
    if where.of == 1:
        return ALONE
    try:
        store, rank, of = next(iter(rendezvous("env://")))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=of)
        control = dist.new_group(backend="gloo")
    except (RuntimeError, ValueError, OSError) as error:
        raise SpecError(
            f"process {where.rank} of {where.of} could not meet the others ({_innermost(error)}); start them with "
            "torchrun, with the same rendezvous on every machine"
        ) from error
    return Processes(where, how, store, control)


def is_loss(error: BaseException) -> bool:
    """Whether that is how the engine says that another process is gone."""
    said = str(error)
    words = ("gloo/transport", "NCCL", "Connection closed by peer", "Connection reset by peer", "Timed out waiting")
    return isinstance(error, RuntimeError) and any(word in said for word in words)


def _tensor_by_tensor(of: int, bucket: GradBucket) -> torch.futures.Future[Tensor]:
    """Add gradients up one tensor at a time: the order of a sum must not depend on which were ready first.

    PyTorch fills its buckets in another order after the first step, also after the first one of a resumed training;
    with three processes or more that would change the last bits.
    """
    futures = [_future(gradient) for gradient in bucket.gradients()]
    buffer = bucket.buffer()
    return torch.futures.collect_all(futures).then(lambda _: buffer.div_(of))


def _future(tensor: Tensor) -> torch.futures.Future[Any]:
    future: torch.futures.Future[Any] = dist.all_reduce(tensor, async_op=True).get_future()
    return future


def _innermost(error: BaseException) -> str:
    """The last line of what the engine says, where it says what it met."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:160] if lines else type(error).__name__
