"""The machine at hand: what it is, and what is best on it."""

import ctypes
import os
import platform
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


@dataclass(frozen=True)
class Bench:
    """Where a job computes: the device, the precision of the network, threads that load images, and with whom."""

    device: torch.device
    precision: Precision
    loaders: int
    processes: Processes = ALONE


def bench(
    device: str = "auto", precision: Literal["auto", "fp32", "bf16"] = "auto", loaders: int | None = None
) -> Bench:
    """Choose by what the machine has.

    bf16 is chosen where the processor multiplies it in hardware: elsewhere it is emulated, and slower than fp32.
    Raises SpecError when the device is of another kind, or a CUDA device that is not there.
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
    return Bench(
        chosen if chosen.type == "cuda" else torch.device("cpu"),
        kind,
        loaders or max(1, min(8, (os.cpu_count() or 2) // 2)),
    )


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
    """The words this process was started with."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


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
