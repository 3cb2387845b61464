"""Random reads of whole images, all in the page cache: from one indexed tar by offset, and from plain files.

Differences of a microsecond are less than what a machine's other work makes of a round. So turns are short, all ways
read the same images in each, the order of the ways changes from turn to turn, and what is told of two ways is the
median of their ratio within a turn.
"""

import mmap
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from ilsvrc import data
from ilsvrc.bench.photographs import Forms
from ilsvrc.data.tars import open_tar

TURN = 64  # reads of each way in a turn
TURNS = 40  # in a round
Read = Callable[[int], bytes]
FILES, TAR = "plain files", "indexed tar"  # as data sets: name, label and image


def random_reads(made: Forms, rounds: int, turns: int = TURNS) -> dict[str, Any]:
    """Microseconds per image by way, medians, and the ratios of a tar to files, with their quartiles."""
    with made.archive.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        found = _timed(_ways(made, mapped), made.count, rounds * turns)
    return {
        "microseconds": {name: 1e6 * statistics.median(each) / TURN for name, each in found.items()},
        "tar_over_files": _ratio(found[TAR], found[FILES]),
        "pread_over_files": _ratio(found["tar, pread"], found["file, open and read and close"]),
        "mmap_over_files": _ratio(found["tar, mmap"], found["file, open and read and close"]),
        "turns": rounds * turns,
        "reads_in_a_turn": TURN,
    }


def _ways(made: Forms, mapped: mmap.mmap) -> dict[str, Read]:
    index = open_tar(made.archive)
    rows = [(int(index.offset[k]), int(index.size[k]), index.names[k]) for k in range(len(index)) if index.image[k]]
    paths = [str(made.folders / name) for _, _, name in rows]
    sets = {name: data.open(place, "train") for name, place in ((FILES, made.folders), (TAR, made.archive))}

    def plain(k: int) -> bytes:
        with open(paths[k], "rb", buffering=0) as file:
            return file.readall()

    def through_map(k: int) -> bytes:
        start, size, _ = rows[k]
        return mapped[start : start + size]

    return {
        FILES: lambda k: sets[FILES][k].jpeg,
        TAR: lambda k: sets[TAR][k].jpeg,
        "file, open and read and close": plain,
        "tar, pread": lambda k: index.source.read(*rows[k][:2]),
        "tar, mmap": through_map,
    }


def _timed(ways: dict[str, Read], count: int, turns: int) -> dict[str, list[float]]:
    """Seconds of each turn by way; the first turn fills caches and does not count."""
    rng, names = random.Random(0), list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(turns + 1):
        chosen = [rng.randrange(count) for _ in range(TURN)]
        rng.shuffle(names)
        for name in names:
            read, started = ways[name], time.perf_counter()
            for k in chosen:
                read(k)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _ratio(one: list[float], other: list[float]) -> dict[str, float]:
    ratios = sorted(a / b for a, b in zip(one, other, strict=True))
    return {
        "median": statistics.median(ratios),
        "low": ratios[len(ratios) // 4],
        "high": ratios[(3 * len(ratios)) // 4],
    }


def line(found: dict[str, Any]) -> list[str]:
    """The same in words."""
    times, names = found["microseconds"], ("tar_over_files", "pread_over_files", "mmap_over_files")
    ratios = [found[name] for name in names]
    tar, pread, mapped = (f"{each['median']:.2f} ({each['low']:.2f} to {each['high']:.2f})" for each in ratios)
    return [
        f"random reads, {found['turns']} turns of {found['reads_in_a_turn']}, medians, quartiles of a turn's ratio:",
        *(f"  {name}: {each:.1f} us" for name, each in times.items()),
        f"  a data set in a tar over one of files {tar}",
        f"  by offset alone over opening a file: pread {pread}, mmap {mapped}",
    ]
