"""Loading by processes: the same batches as by threads to the bit, in memory that is used again; and how they end."""

import gc
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ilsvrc.data import crew, loader
from ilsvrc.data.batch import Batch, Views
from ilsvrc.data.decode import Image, Reading
from ilsvrc.data.kept import Kept, Prepared
from ilsvrc.data.loader import Loader, Treatment
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.errors import BadImage, DataError

pytestmark = pytest.mark.skipif(not crew.possible(), reason="processes cannot be forked here")


class Flat:
    """Image i is flat in level i, of 5 by 4 pixels, with i % 3 boxes; the bad ones are no images."""

    classes = Classes(("n1", "n2"), ("one", "two"))

    def __init__(self, count: int, bad: tuple[int, ...] = ()) -> None:
        self.count, self.bad = count, bad

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        content = b"P6\n5 4\n255\n" + bytes([index % 256]) * 60
        boxes = np.full((index % 3, 4), index)
        return Sample(f"image {index}", b"bad" if index in self.bad else content, index % 2, boxes, boxes[:, 0] % 2)


def noisy(image: Image | Prepared, rng: random.Random) -> Views:
    return Views(image.pixels() + np.uint8(rng.randrange(100)), np.array([rng.random()] * 3, np.float32), image.boxes)


def write(views: Views, out: np.ndarray) -> None:
    np.multiply(views.pixels, np.float32(0.5), out=out)


@pytest.fixture(autouse=True)
def for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small and slow sets, too."""
    monkeypatch.setattr(loader, "WORTH", 1)
    monkeypatch.setattr(loader, "QUICK", 1e9)


def made(dataset: Flat, threads: int = 2, *, apart: bool = True, bad: str = "stop", **more: object) -> Loader:
    treatment = Treatment(
        drawn=noisy, boxes=True, reading=Reading(bad=bad), substitute=True, alone=(lambda: None) if apart else None
    )
    return Loader(dataset, treatment, batch=8, seed=3, threads=threads, kept=Kept(0), **more)


def same(one: list[Batch], other: list[Batch]) -> bool:
    for a, b in zip(one, other, strict=True):
        assert (a.names, a.missing) == (b.names, b.missing)
        assert all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("pixels", "shift", "labels"))
        for ours, theirs in ((a.boxes, b.boxes), (a.box_labels, b.box_labels)):
            assert all(np.array_equal(x, y) for x, y in zip(ours, theirs, strict=True))
    return True


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_make_the_batches_of_threads_to_the_bit(processes: int):
    ours, theirs = made(Flat(45), processes), made(Flat(45), 1, apart=False)
    for epoch in (0, 1):  # every batch is kept: more of them than there is room for
        assert same(list(ours.epoch(epoch, write=write)), list(theirs.epoch(epoch, write=write)))
    assert ours._crew is not None
    assert theirs._crew is None
    rest = list(ours.epoch(1, 3, write))
    assert same(rest, list(theirs.epoch(1, 3, write)))


def test_a_share_of_every_batch_is_the_same_too():
    for rank in (0, 1, 2):
        ours, theirs = (made(Flat(45), 2, apart=apart, part=(rank, 3)) for apart in (True, False))
        assert same(list(ours.epoch(0)), list(theirs.epoch(0)))
        assert ours._crew is not None


def test_bad_images_are_passed_over_and_told_alike():
    ours, theirs = (made(Flat(45, bad=(4, 11, 12)), 2, apart=apart, bad="skip") for apart in (True, False))
    ours._asked_for_crew = True  # as if no probe had met them
    ours._crew = crew.Crew(2, ours._fill_apart, lambda: None, crew.Room(5, 8, (4, 5, 3), np.uint8), None)
    assert same(list(ours.epoch(0)), list(theirs.epoch(0)))
    assert ours.faults == theirs.faults
    assert sorted(ours.faults) == [4, 11, 12]


def test_a_bad_image_ends_the_pass_with_its_sentence_and_not_what_came_before():
    probes = np.linspace(0, 44, loader.PROBES).round().tolist()
    bad = next(index for index in made(Flat(45)).order(0)[16:24].tolist() if index not in probes)
    found, batches = made(Flat(45, bad=(bad,))), list[Batch]()
    with pytest.raises(BadImage, match=rf"image {bad} .* is not an image that can be decoded"):
        batches.extend(found.epoch(0))
    assert len(batches) == 2
    assert found._crew is not None
    assert len(list(made(Flat(45)).epoch(0))) == 6


def test_a_pass_that_is_left_early_does_not_disturb_the_next():
    ours, theirs = made(Flat(90)), made(Flat(90), apart=False)
    for epoch in range(5):
        for number, _ in enumerate(ours.epoch(epoch)):
            if number == 2:
                break
    assert same(list(ours.epoch(9)), list(theirs.epoch(9)))


def test_two_passes_at_once_are_those_of_one_after_the_other():
    ours, theirs = made(Flat(45)), made(Flat(45), apart=False)
    pairs = list(zip(ours.epoch(0), ours.epoch(1), strict=True))
    assert same([one for one, _ in pairs], list(theirs.epoch(0)))
    assert same([other for _, other in pairs], list(theirs.epoch(1)))


@pytest.mark.slow
def test_room_is_used_again_when_nobody_holds_a_view_of_it():
    room = crew.Room(2, 4, (2, 2, 3), np.float32)
    place, pixels = room.leased()
    view = pixels[1:3].reshape(-1)[::2]  # of a view of a view
    del pixels
    assert room.free == [1 - place]
    del view
    gc.collect()
    assert sorted(room.free) == [0, 1]


def test_a_process_that_is_killed_is_a_sentence():
    found = made(Flat(200))
    passed = iter(found.epoch(0))
    next(passed)
    os.kill(found._crew._workers[0].pid, signal.SIGKILL)
    with pytest.raises(DataError, match=r"a process that loads images ended by signal 9.*fewer --loaders"):
        list(passed)


@pytest.mark.slow
def test_processes_end_with_their_loader():
    found = made(Flat(45))
    list(found.epoch(0))
    workers = found._crew._workers
    later = made(Flat(45))  # whose processes are forked with all that is open
    next(iter(later.epoch(0)))
    del found
    gc.collect()
    assert [worker.exitcode for worker in workers] == [0, 0]


PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
import test_crew as t
t.loader.WORTH, t.loader.QUICK = 1, 1e9
first, second = t.made(t.Flat(200)), t.made(t.Flat(200))
passes = [iter(each.epoch(0)) for each in (first, second)]
[next(each) for each in passes]
print(*[worker.pid for each in (first, second) for worker in each._crew._workers], flush=True)
time.sleep(60)
"""


def test_processes_end_when_their_parent_is_killed():
    line = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as parent:
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 4
        parent.kill()
    until = time.monotonic() + 20
    while any(_alive(child) for child in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(_alive(child) for child in children)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_small_sets_and_those_kept_in_memory_stay_with_threads(monkeypatch: pytest.MonkeyPatch):
    kept = made(Flat(45))
    kept._kept = Kept()
    list(kept.epoch(0))
    monkeypatch.setattr(loader, "WORTH", 46)
    small = made(Flat(45))
    list(small.epoch(0))
    monkeypatch.setattr(loader, "WORTH", 1)
    monkeypatch.setattr(loader, "QUICK", 0.0)
    slow = made(Flat(45))
    list(slow.epoch(0))
    assert (kept._crew, small._crew, slow._crew) == (None, None, None)
