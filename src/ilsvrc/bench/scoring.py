"""The scorer's times: whole commands with reading, and its matching against pycocotools.

Run `ilsvrc bench scoring`. Files are generated in the sizes of the real ones. Each command is a process of
its own, so its time holds the start of Python and every import; of several runs the median is printed, and the
largest memory. pycocotools is timed without reading, on the same detections in memory, and so is ours beside it.
It answers another question (its matching differs), so times are compared and values are not.
"""

import contextlib
import io
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc import __version__
from ilsvrc.bench import scoring_files
from ilsvrc.bench.scoring_files import Truth
from ilsvrc.scoring import Detections, Objects, detect


@dataclass(frozen=True)
class Run:
    """A command, or a call, and what it took."""

    what: str
    seconds: float  # median
    runs: int
    mebibytes: float | None = None  # the largest resident memory of the process


def main(lines: int = 5_000_000, repeat: int = 5) -> None:
    """Write the files, run everything, print the table."""
    print("\n".join(environment(lines, repeat)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scoring_files.write_classification(folder)
        scoring_files.write_localization(folder)
        truth, detections = scoring_files.write_detection(folder, scoring_files.HALF, scoring_files.LINES)
        assert detections is not None
        runs = [command(what, words, folder, repeat) for what, words in COMMANDS.items()]
        runs += in_memory(truth, detections, repeat)
        scoring_files.write_detection(folder, scoring_files.LISTED, lines)
        what = f"detection, {lines:,} lines on {scoring_files.LISTED:,} images"
        runs.append(command(what, COMMANDS[DETECTION], folder, max(1, repeat // 2)))
    print("\n".join(table(runs)))


DETECTION = f"detection, {scoring_files.LINES:,} lines, {scoring_files.HALF:,} XML files in a tar.gz"
COMMANDS = {
    "classification, 50,000 images": "classification labels.txt --truth truth.txt",
    "localization, 50,000 images, box CSV": "localization groups.txt.gz --truth truth.txt --boxes boxes.csv.gz "
    "--meta meta.mat --exclude exclude.txt",
    DETECTION: "detection detections.txt --truth boxes.tar.gz --images list.txt --meta meta_det.mat",
}


def command(what: str, words: str, folder: Path, repeat: int) -> Run:
    """`ilsvrc score` with these words, in a process of its own, in the folder of the files."""
    seconds, kibibytes = [], [0]
    for _ in range(repeat):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", PROCESS, "score", *words.split(), "--json"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        seconds.append(time.perf_counter() - start)
        if done.returncode:
            raise RuntimeError(f"'ilsvrc score {words}' left with status {done.returncode}: {done.stderr}")
        kibibytes += [int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("VmHWM")]
    return Run(what, statistics.median(seconds), repeat, max(kibibytes) / 1024 or None)


# The command, which then says what memory it took at most. The resource module would answer with the memory of the
# parent as well, which a child has until it becomes another program.
PROCESS = """
import pathlib, sys
from ilsvrc.cli import run
status = run(sys.argv[1:])
if pathlib.Path("/proc/self/status").exists():
    print(pathlib.Path("/proc/self/status").read_text(), file=sys.stderr)
sys.exit(status)
"""


def in_memory(truth: Truth, detections: Detections, repeat: int) -> list[Run]:
    """Matching and average precision alone: ours, and pycocotools where it is installed."""
    objects = Objects(truth.images, truth.image - 1, truth.label, truth.box)
    indices = np.arange(1, truth.images + 1)
    runs = [timed("detection in memory: ilsvrc", lambda: detect(detections, objects, indices), repeat)]
    for what, lean in (("IoU 0.5 alone", True), ("as it comes", False)):
        known, found = coco_form(truth, detections)  # made anew, for pycocotools writes into it; outside of the time
        with contextlib.suppress(ImportError):
            runs.append(timed(f"detection in memory: pycocotools, {what}", partial(coco, known, found, lean), 1))
    return runs


def timed(what: str, call: Callable[[], Any], repeat: int) -> Run:
    """The median of several calls."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return Run(what, statistics.median(seconds), repeat)


def coco(truth: dict[str, Any], found: list[dict[str, Any]], lean: bool) -> None:
    """pycocotools on the same boxes; lean asks it for one threshold and one range of sizes, as the challenge does.

    Raises ImportError where it is not installed.
    """
    peer = import_module("pycocotools.coco"), import_module("pycocotools.cocoeval")
    with contextlib.redirect_stdout(io.StringIO()):
        known = peer[0].COCO()
        known.dataset = truth
        known.createIndex()
        evaluation = peer[1].COCOeval(known, known.loadRes(found), "bbox")
        if lean:
            evaluation.params.iouThrs = np.array([0.5])
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
            evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()


def coco_form(truth: Truth, detections: Detections) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Truth and detections as pycocotools wants them."""
    known = {
        "images": [{"id": number} for number in range(1, truth.images + 1)],
        "categories": [{"id": label} for label in range(1, scoring_files.DETECTED_CLASSES + 1)],
        "annotations": _annotations(truth.image, truth.label, truth.box),
    }
    found = _annotations(detections.image, detections.label, detections.box)
    for one, confidence in zip(found, detections.confidence.tolist(), strict=True):
        one["score"] = confidence
    return known, found


def _annotations(image: np.ndarray, label: np.ndarray, box: np.ndarray) -> list[dict[str, Any]]:
    sides = np.concatenate([box[:, :2], box[:, 2:] - box[:, :2] + 1], axis=1)
    area = sides[:, 2] * sides[:, 3]
    rows = zip(image.tolist(), label.tolist(), sides.tolist(), area.tolist(), strict=True)
    return [
        {"id": number, "image_id": i, "category_id": c, "bbox": b, "area": a, "iscrowd": 0}
        for number, (i, c, b, a) in enumerate(rows, 1)
    ]


def environment(lines: int, repeat: int) -> list[str]:
    """The machine, the versions and the command, a line each."""
    with contextlib.suppress(OSError):
        info = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(": ")[2] for line in info if line.startswith("model name")), "")
    packages = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "scipy", "pycocotools"))
    return [
        f"machine: {cpu or platform.processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        f"versions: ilsvrc {__version__}, Python {platform.python_version()}, {packages}",
        f"command: ilsvrc bench scoring --lines {lines} --repeat {repeat}",
        "",
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "not installed"


def table(runs: Sequence[Run]) -> list[str]:
    """Rows of Markdown: time, memory, and how many times ours fits into pycocotools'."""
    ours = next((run.seconds for run in runs if run.what.endswith(": ilsvrc")), None)
    lines = ["| what | seconds, median | runs | MiB | over ours |", "| --- | ---: | ---: | ---: | ---: |"]
    for run in runs:
        memory = f"{run.mebibytes:.0f}" if run.mebibytes else ""
        ratio = f"{run.seconds / ours:.0f}x" if ours and "pycocotools" in run.what else ""
        lines.append(f"| {run.what} | {run.seconds:.2f} | {run.runs} | {memory} | {ratio} |")
    return lines
