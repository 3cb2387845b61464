"""Several processes for one command: torchrun started, watched and stopped; and, in each of them, its place.

The launcher is light: torch is imported by those who work. What they have to say, they say on the launcher's own
error output, which they are handed as their input; what torchrun says goes to a file that is shown only when nobody
else says why it ended. A process of a torchrun that was started by hand uses the terminal that it has.
"""

import ctypes
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ilsvrc.errors import IlsvrcError, SpecError
from ilsvrc.jobs.interrupt import Stopped

if TYPE_CHECKING:
    from ilsvrc.jobs.machine import Bench
    from ilsvrc.train.parallel import How, Processes

FOLDER = "ILSVRC_LAUNCH"  # in the environment of those that were launched from here: where they leave notes
LAST_RESORT = 20.0  # seconds that a process which failed may take to end, its connections stuck


def joins() -> bool:
    """Whether this process is one of torchrun's."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def without_processes(words: Sequence[str]) -> list[str]:
    """The words of a command less `--processes N`."""
    kept, skip = [], False
    for word in words:
        if not skip and word != "--processes" and not word.startswith("--processes="):
            kept.append(word)
        skip = word == "--processes"
    return kept


def relaunch(processes: int) -> int:
    """`launch` with the words of this process, less those that say in how many."""
    return launch(processes, without_processes(sys.argv[1:]))


def torchrun(processes: int, words: Sequence[str]) -> list[str]:
    """The command line that runs these words of ours in so many processes on this machine."""
    beside = Path(sys.executable).with_name("torchrun")
    found = shutil.which("torchrun")
    start = [sys.executable, "-m", "torch.distributed.run"]
    if beside.exists():
        start = ["torchrun" if found and Path(found).resolve() == beside.resolve() else str(beside)]
    return [*start, "--standalone", "--nproc-per-node", str(processes), "-m", "ilsvrc", *words]


def launch(processes: int, words: Sequence[str]) -> int:
    """Run these words in so many processes and answer their common exit code; the line that does so is printed.

    The first Ctrl-C or SIGTERM asks them to save and stop, a second one ends them at once.
    """
    line = torchrun(processes, words)
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // processes))
    print(f"OMP_NUM_THREADS={threads} {shlex.join(line)}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="ilsvrc-") as folder:
        return _Watch(Path(folder)).run(line, {"OMP_NUM_THREADS": threads, FOLDER: folder})


class _Watch:
    """torchrun under way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signal = 0
        self._ended = False
        self._torchrun: subprocess.Popen[bytes] | None = None

    def run(self, line: list[str], environment: dict[str, str]) -> int:
        before = {number: signal.signal(number, self._pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with (self.folder / "log").open("wb") as log:
                self._torchrun = subprocess.Popen(
                    line,
                    env={**os.environ, **environment},
                    stdin=sys.stderr.fileno(),
                    stderr=log,
                    start_new_session=True,  # a terminal's Ctrl-C is passed on by us, once
                    preexec_fn=_end_with_us if sys.platform == "linux" else None,
                )
                code = self._torchrun.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._code(code)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        again = self.signal != 0
        self.signal = self.signal or number
        if self._torchrun is None:
            return
        pids = [int(path.name.split(".")[1]) for path in self.folder.glob("process.*")]
        if again:
            self._ended = True
            for pid in [*pids, self._torchrun.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        elif pids:  # to one that trains: they agree on the step, save, and leave together
            with suppress(ProcessLookupError):
                os.kill(min(pids), number)
        else:
            self._torchrun.terminate()

    def _code(self, code: int) -> int:
        """The exit code of the one that said why; without one, of the signal, or a sentence and 1."""
        outcome = self.folder / "outcome"
        if outcome.exists() and not self._ended:
            return int(outcome.read_text())
        if code == 0:
            return 0
        if self.signal:
            raise Stopped("stopped; what was saved is intact, and the same command goes on from there", self.signal)
        log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        ends = re.findall(r"rank\s*: (\d+).*?\n\s*exitcode\s*: (-?\d+)", log)
        killed = [(rank, -int(end)) for rank, end in ends if int(end) < 0]
        if not killed:
            raise IlsvrcError(f"torchrun ended with {code} and nobody said why; its own words are:\n{log}")
        rank, number = killed[-1]  # torchrun tells the first failure last
        raise IlsvrcError(
            f"process {rank} was ended by signal {number} (out of memory, or by hand), and the others with it; "
            "what was saved is intact, and the same command goes on from there"
        )


def _end_with_us() -> None:
    """In torchrun, before it starts: a launcher that is killed takes it along, gently."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


@contextmanager
def company(bench: Callable[[], "Bench"], how: "How", wanted: int | None) -> Iterator["Bench"]:
    """The bench with the processes that train together, met before the block and left after it.

    Each takes the GPU of its place on the machine, and its part of the threads that load. What is raised in the block,
    or by `bench`, is raised in the first process that fails; the others end with its exit code and say nothing.
    Raises SpecError when `wanted` is another number of processes, or there are more of them than GPUs.
    """
    from ilsvrc.train.parallel import join, seat

    place = seat()
    _hand_over(place.rank)
    processes = join(place, how)
    handlers = _stoppable() if processes.of > 1 else {}
    try:
        if wanted not in (None, place.of):
            raise SpecError(f"--processes {wanted} is asked for and torchrun started {place.of}; leave it out")
        yield _with(_placed(bench(), place.local, place.local_of), processes, place.local_of)
        processes.leave()
    except BaseException as error:
        # torchrun ends the others by a signal when one is gone: it must not take the word from who says why.
        while handlers:
            signal.signal(handlers.popitem()[0], signal.SIG_IGN)
        _fail(error, processes)
        raise
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _stoppable() -> dict[int, Any]:
    """Let signals that come while nothing is trained end this process as one that was asked to stop."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped("stopped; what was saved is intact, and the same command goes on from there", number)

    return {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}


def _hand_over(rank: int) -> None:
    """Take the launcher's error output, which came as input, and leave word of who this is."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    os.dup2(0, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    (Path(folder) / f"process.{os.getpid()}.{rank}").touch()


def _placed(bench: "Bench", local: int, local_of: int) -> "Bench":
    from dataclasses import replace

    import torch

    if local_of == 1 or bench.device.type != "cuda":
        return bench
    count = torch.cuda.device_count()
    if bench.device != torch.device("cuda") or local_of > count:
        raise SpecError(
            f"{local_of} processes are asked for on {bench.device}, of which this machine has {count}, and each takes "
            f"one; use --device cuda and at most {count} processes, or --device cpu"
        )
    torch.cuda.set_device(local)
    return replace(bench, device=torch.device("cuda", local))


def _with(bench: "Bench", processes: "Processes", local_of: int) -> "Bench":
    from dataclasses import replace

    return replace(bench, processes=processes, loaders=max(1, bench.loaders // local_of))


def _fail(error: BaseException, processes: "Processes") -> None:
    """Say why, if this is the first process to fail; else end as quietly as one can."""
    from ilsvrc.train.parallel import is_loss

    if processes.of == 1:
        return
    code = 128 + error.number if isinstance(error, Stopped) else 130 if isinstance(error, KeyboardInterrupt) else 1
    resort = threading.Timer(LAST_RESORT, os._exit, (code,))  # connections that are stuck must not keep us
    resort.daemon = True
    resort.start()
    if isinstance(error, SystemExit):
        return
    if not processes.claim():
        raise SystemExit(code) from error
    folder = os.environ.get(FOLDER)
    if folder:
        (Path(folder) / "outcome").write_text(str(code))
    if is_loss(error):
        raise IlsvrcError(
            "another process of this training is gone without a word (killed, or out of memory); "
            "what was saved is intact, and the same command goes on from there"
        ) from error
