"""Processes that load images into batches in memory they share: for images so quick that threads wait for each other.

They are forked from the process that wants the batches and do what its threads would do; what comes out is the same to
the bit. Batches lie in anonymous shared memory, used again when nobody holds them any more: memory is flat, and nothing
is left behind, however the processes end. A forked process ends when its parent does.
"""

import mmap
import multiprocessing
import signal
import sys
import traceback
import weakref
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from ilsvrc.data.batch import Filling, Write
from ilsvrc.errors import DataError, IlsvrcError

SPARE = 2  # batches that whoever takes them may hold before he gets copies
PAGE = mmap.PAGESIZE
PATIENCE = 5.0  # seconds that a process has to end by itself

Fill = Callable[[Filling, int, list[int]], Any]  # epoch and indices into a filling; what else was learnt


def possible() -> bool:
    """Whether processes can be forked here."""
    return sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()


class Crew:
    """Processes, and room for some batches of `count` images of a shape.

    fill(filling, epoch, indices) is called in them, begin() once before. One pass over data uses a crew at a time.
    """

    def __init__(self, hands: int, fill: Fill, begin: Callable[[], None], room: "Room", write: Write | None) -> None:
        self.write, self.busy = write, False
        self._room = room
        context = multiprocessing.get_context("fork")
        self._lines: list[Connection] = []
        self._workers = []
        for _ in range(hands):
            ours, theirs = context.Pipe()
            others = [*self._lines, ours]
            worker = context.Process(target=_serve, args=(theirs, others, fill, begin, room, write), daemon=True)
            worker.start()
            theirs.close()
            self._lines.append(ours)
            self._workers.append(worker)
        self._turn, self._owed = 0, [0] * hands
        self._places = weakref.WeakKeyDictionary[Filling, int]()
        self.close = weakref.finalize(self, _ended, self._lines, self._workers)

    def filling(self, count: int) -> Filling:
        """A batch to be filled. There is room: `batch` sees to it."""
        place, pixels = self._room.leased()
        filling = Filling(count, self._room.shape, self.write, pixels[:count])
        self._places[filling] = place
        return filling

    def submit(self, filling: Filling, epoch: int, indices: list[int], at: int) -> "Owed":
        """Have these images loaded, from place `at` of the batch on."""
        number = self._turn
        self._turn = (self._turn + 1) % len(self._lines)
        self._owed[number] += 1
        self._asked(number, (self._room.generation, self._places[filling], at, epoch, indices))
        return Owed(self, number, filling, at)

    @property
    def scarce(self) -> bool:
        """Whether whoever takes batches holds so many that no room is left."""
        return not self._room.free

    def answer(self, number: int) -> Any:
        """The next answer of that process. Raises what it raised, DataError when it is gone."""
        self._owed[number] -= 1
        try:
            answer = self._lines[number].recv()
        except (EOFError, OSError) as error:
            self._owed[number] = 0
            raise self._gone(number) from error
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def leave(self) -> None:
        """The pass is over, maybe early: what is still under way is of no use."""
        self._room.next_pass()
        for number, owed in enumerate(list(self._owed)):
            for _ in range(owed):
                try:
                    self.answer(number)
                except Exception:  # nobody waits for it any more, and of one that is gone the next pass hears
                    continue
        self.busy = False

    def _asked(self, number: int, task: Any) -> None:
        try:
            self._lines[number].send(task)
        except OSError as error:
            self._owed[number] = 0
            raise self._gone(number) from error

    def _gone(self, number: int) -> DataError:
        worker = self._workers[number]
        worker.join(PATIENCE)
        code = worker.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
        return DataError(
            f"a process that loads images ended {how}, as one does that gets no memory; what was saved is intact: "
            "start again, with fewer --loaders where memory is short"
        )


class Owed:
    """A part of a batch that a process was asked for."""

    def __init__(self, crew: Crew, number: int, filling: Filling, at: int) -> None:
        self._crew, self._number, self._filling, self._at = crew, number, filling, at

    def result(self) -> Any:
        """Wait for it; what else was learnt on the way."""
        told, learnt = self._crew.answer(self._number)
        self._filling.take(self._at, told)
        return learnt


class Room:
    """Shared memory for batches of `count` images; its first page holds the number of the pass under way."""

    def __init__(self, batches: int, count: int, shape: tuple[int, ...], kind: type[np.generic]) -> None:
        self.shape, self._count, self._kind = shape, count, np.dtype(kind)
        size = count * int(np.prod(shape)) * self._kind.itemsize
        self._stride = -(-size // PAGE) * PAGE
        self._memory = mmap.mmap(-1, PAGE + batches * self._stride)
        self._pass = np.frombuffer(self._memory, np.int64, 1)
        self.free = list(range(batches))

    @property
    def generation(self) -> int:
        """Of the pass under way: an answer to an earlier one is of no use."""
        return int(self._pass[0])

    def next_pass(self) -> None:
        """What was asked for until now is of no use any more."""
        self._pass[0] += 1

    def at(self, place: int) -> np.ndarray:
        """The pixels of that batch; every view of them keeps this array alive."""
        numbers = self._count * int(np.prod(self.shape))
        return np.frombuffer(self._memory, self._kind, numbers, PAGE + place * self._stride)

    def leased(self) -> tuple[int, np.ndarray]:
        """A batch that nobody holds, which is free again when nobody holds its pixels any more."""
        place = self.free.pop()
        pixels = self.at(place)
        weakref.finalize(pixels, self.free.append, place).atexit = False
        return place, pixels.reshape(self._count, *self.shape)

    def shaped(self, place: int) -> np.ndarray:
        """The pixels of that batch, not leased."""
        return self.at(place).reshape(self._count, *self.shape)


def _serve(
    line: Connection, others: list[Connection], fill: Fill, begin: Callable[[], None], room: Room, write: Write | None
) -> None:
    """What a forked process does: answer until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()  # else a parent that is killed would seem to be there
    begin()
    while True:
        try:
            task = line.recv()
        except (EOFError, OSError):
            return
        if task is None:
            return
        generation, place, at, epoch, indices = task
        answer: Any = None
        if generation == room.generation:
            filling = Filling(len(indices), room.shape, write, room.shaped(place)[at : at + len(indices)])
            try:
                learnt = fill(filling, epoch, indices)
                answer = filling.told(), learnt
            except Exception as error:
                answer = _portable(error)
        try:
            line.send(answer)
        except OSError:
            return


def _portable(error: Exception) -> Exception:
    """The error, if it can travel; else its words."""
    if isinstance(error, IlsvrcError) and error.args == (str(error),):
        return error
    return RuntimeError("".join(traceback.format_exception(error)))


def _ended(lines: list[Connection], workers: list[Any]) -> None:
    for line in lines:
        with suppress(OSError):
            line.send(None)  # closing alone is not seen while a process forked later holds this end, too
        line.close()
    for worker in workers:
        worker.join(PATIENCE)
        if worker.is_alive():
            worker.kill()
            worker.join()
