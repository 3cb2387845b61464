"""The machine at hand: what it is, and what is best on it."""

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

import ilsvrc
from ilsvrc.errors import SpecError
from ilsvrc.reports.race_report import Machine
from ilsvrc.train.loss import Precision
from ilsvrc.train.parallel import ALONE, Processes
from ilsvrc.train.step import Compile


@dataclass(frozen=True)
class Bench:
    """Where a job computes: the device, the precision of the network, threads that load images, and with whom.

    compile: nothing; "parts", of which compiling makes more than it costs; or the "whole" network.
    accumulate: parts that a batch is taken in.
    """

    device: torch.device
    precision: Precision
    loaders: int
    processes: Processes = ALONE
    compile: Compile = "no"
    accumulate: int = 1


def bench(
    device: str = "auto",
    precision: Literal["auto"] | Precision = "auto",
    loaders: int | None = None,
    compile: Literal["auto"] | Compile = "auto",
    accumulate: int = 1,
) -> Bench:
    """Choose by what the machine has.

    bf16 is chosen where the processor multiplies it in hardware: elsewhere it is emulated, and slower than fp32.
    Compiling is chosen where there is a compiler, parts on a CPU and the whole on a GPU, unless fp32 is asked for:
    that is the plain reference. Raises SpecError when the device is of another kind, or a CUDA device that is not
    there, or has no such precision, or when code is to be compiled and nothing can.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    try:
        chosen = torch.device(("cuda" if count else "cpu") if device == "auto" else device)
    except RuntimeError as error:
        raise SpecError(f"{device!r} is no device; use auto, cpu, cuda or cuda:1") from error
    if chosen.type not in ("cpu", "cuda"):
        raise SpecError(f"device {device} is asked for and this works on cpu and cuda; use one of them, or auto")
    if chosen.type == "cuda" and (chosen.index or 0) >= count:
        there = f"numbers {count} CUDA devices from 0" if count else "sees no CUDA device"
        raise SpecError(f"device {device} is asked for and PyTorch {there}; use --device cpu or auto")
    fast = chosen.type == "cuda" or bf16_in_hardware()
    kind: Precision = ("bf16" if fast else "fp32") if precision == "auto" else precision
    if kind in ("fp16", "tf32") and chosen.type != "cuda":
        raise SpecError(f"precision {kind} is asked for on a processor, which has none; use bf16, fp32 or auto")
    if compile in ("parts", "whole") and not compiler():
        raise SpecError(f"compile {compile} is asked for and there is no C++ compiler; install g++, or use compile no")
    plain = precision == "fp32" or not compiler()
    best: Compile = "no" if plain else "whole" if chosen.type == "cuda" else "parts"
    return Bench(
        chosen if chosen.type == "cuda" else torch.device("cpu"),
        kind,
        loaders or max(1, min(8, (os.cpu_count() or 2) // 2)),
        compile=best if compile == "auto" else compile,
        accumulate=accumulate,
    )


def compiler() -> str | None:
    """The C++ compiler that PyTorch would call, or None."""
    return next(filter(None, map(shutil.which, filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++")))), None)


def set_arithmetic(bench: Bench) -> None:
    """What PyTorch keeps for a whole process: TensorFloat-32 where it is asked for, the fastest convolutions found."""
    if bench.device.type != "cuda":
        return
    # fp32 means float32 of 24 bits everywhere; beside half precision, what stays in float32 is small and exact.
    torch.set_float32_matmul_precision("high" if bench.precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = bench.precision == "tf32"
    torch.backends.cudnn.benchmark = True


def bf16_in_hardware() -> bool:
    """Whether the processor has bfloat16 multiplication (AVX512-BF16 or AMX on x86, BF16 on ARM)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16"))


def keep_memory() -> None:
    """Tell glibc to keep freed memory: returning every tensor over 32 MiB to the kernel costs up to half the time.

    Results do not change. The process does not shrink any more, so a command does this, an import never.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)
        libc.mallopt(m_top_pad, 64 << 20)
    except (OSError, AttributeError):
        pass  # not glibc: nothing to mend


def machine(device: torch.device) -> Machine:
    """What a reader of the results must know of the hardware and the versions."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1),
        memory_gib=round(_memory() / 2**30, 1),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        torch=str(torch.__version__),
        ilsvrc=ilsvrc.__version__,
        commit=commit(),
    )


def circumstances(bench: Bench) -> dict[str, Any]:
    """The same as a dictionary for spec.json, with the command and the threads."""
    return {
        **asdict(machine(bench.device)),
        "threads": torch.get_num_threads(),
        "processes": bench.processes.of,
        "command": command(),
    }


def command() -> str:
    """The words this process was started with, less what follows a URL's question mark: that may be a secret."""
    return re.sub(r"(https?:/+[^\s?]*)\?\S*", r"\1", " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]))


def commit() -> str | None:
    """The commit of the source tree this package is run from, or None for an installed one."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
