"""The loader's other promises: shares for processes, boxes, images that cannot be decoded, and flat memory."""

import io
import random
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from ilsvrc.data.batch import Batch, Views
from ilsvrc.data.decode import Image, Reading
from ilsvrc.data.kept import Kept, Prepared
from ilsvrc.data.loader import Fault, Loader, Treatment
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.errors import BadImage, DataError

SKIP = Reading(bad="skip")


class Numbered:
    """A data set whose image i is flat in level i, of class i % 3; the bad ones are no images."""

    classes = Classes(("n00000001", "n00000002", "n00000003"), ("one", "two", "three"))

    def __init__(self, count: int, bad: tuple[int, ...] = (), side: int = 4) -> None:
        self.count, self.bad, self.side = count, bad, side

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        pixels = np.full((self.side, self.side, 3), index % 256, np.uint8)
        content = b"P6\n%d %d\n255\n" % (self.side, self.side) + pixels.tobytes()
        boxes = (np.array([[0, 0, index, 1]]), np.array([index % 3])) if index % 2 else (None, None)
        return Sample(f"image {index}", b"no image" if index in self.bad else content, index % 3, *boxes)


def noisy(image: Image | Prepared, rng: random.Random) -> Views:
    """Pixels and a shift that show every draw."""
    shift = np.array([rng.random()] * 3, np.float32)
    return Views(image.pixels() + np.uint8(rng.randrange(9)), shift, image.boxes)


def batches(dataset: Numbered, treatment: Treatment, **words: object) -> list[Batch]:
    return list(Loader(dataset, treatment, **{"batch": 4, "seed": 0, **words}).epoch(1))


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 5))
def test_processes_together_see_the_batches_of_one(count: int, batch: int, processes: int):
    treatment = Treatment(drawn=noisy)
    whole = batches(Numbered(count), treatment, batch=batch)
    parts = [batches(Numbered(count), treatment, batch=batch, part=(r, processes)) for r in range(processes)]
    for number, one in enumerate(whole):
        shares = [part[number] for part in parts]
        assert np.array_equal(np.concatenate([share.pixels for share in shares]), one.pixels)
        assert np.array_equal(np.concatenate([share.shift for share in shares]), one.shift)
        assert np.concatenate([share.labels for share in shares]).tolist() == one.labels.tolist()
        assert sum((share.names for share in shares), ()) == one.names
        sizes = [len(share.names) for share in shares]
        assert max(sizes) - min(sizes) <= 1


def test_an_empty_share_has_the_shape_of_the_others():
    treatment = Treatment(drawn=noisy)
    last = batches(Numbered(5), treatment, part=(0, 3))[-1]
    assert (last.names, last.pixels.shape, last.shift.shape, last.labels.shape) == ((), (0, 4, 4, 3), (0, 3), (0,))
    (only,) = Loader(Numbered(1), treatment, batch=4, part=(0, 2)).epoch(0)
    assert only.pixels.shape == (0, 4, 4, 3)


def test_boxes_come_with_their_images_where_they_are_wanted():
    for batch in batches(Numbered(9), Treatment(drawn=noisy, boxes=True)):
        for name, boxes, labels in zip(batch.names, batch.boxes, batch.box_labels, strict=True):
            number = int(name.split()[1])
            assert (boxes is None, labels is None) == ((number + 1) % 2, (number + 1) % 2)
            if boxes is not None:
                assert (boxes.tolist(), labels.tolist()) == ([[0, 0, number, 1]], [number % 3])
    assert batches(Numbered(9), Treatment(drawn=noisy))[0].boxes is None


@pytest.mark.parametrize("room", [0, 1 << 20])
@pytest.mark.parametrize("threads", [1, 4])
def test_the_next_good_image_of_the_class_stands_in_for_a_bad_one(room: int, threads: int):
    # 4 is of class 1, and so are 7, which is bad too, and 10. 28 is the last of the class, so the first one follows.
    dataset = Numbered(30, bad=(4, 7, 28))
    loader = Loader(
        dataset,
        Treatment(drawn=noisy, reading=SKIP, substitute=True),
        batch=7,
        seed=3,
        threads=threads,
        kept=Kept(room),
    )
    for epoch in range(2):
        names = [name for batch in loader.epoch(epoch) for name in batch.names]
        wanted = {4: 10, 7: 10, 28: 1}
        assert names == [f"image {wanted.get(index, index)}" for index in loader.order(epoch).tolist()]
    assert {index: fault.instead for index, fault in loader.faults.items()} == {
        4: "image 10",
        7: "image 10",
        28: "image 1",
    }
    assert all("is not an image that can be decoded" in fault.why for fault in loader.faults.values())


def test_a_stand_in_is_the_very_next_where_classes_lie_together():
    class Sorted(Numbered):
        def __getitem__(self, index: int) -> Sample:
            return replace(super().__getitem__(index), label=index // 4)

    loader = Loader(Sorted(12, bad=(5, 7)), Treatment(drawn=noisy, reading=SKIP, substitute=True), batch=12, seed=0)
    assert (loader.one(0, 5).name, loader.one(0, 7).name) == ("image 6", "image 4")


def test_a_stand_in_has_the_draws_of_the_image_it_stands_for():
    treatment = Treatment(drawn=noisy, reading=SKIP, substitute=True)
    good, bad = (Loader(Numbered(9, bad), treatment, batch=9, seed=5) for bad in ((), (2,)))
    assert np.array_equal(good.one(4, 2).views.shift, bad.one(4, 2).views.shift)
    assert bad.one(4, 2).name == "image 5"


def test_a_class_without_any_good_image_is_an_error():
    loader = Loader(Numbered(6, bad=(1, 4)), Treatment(drawn=noisy, reading=SKIP, substitute=True), batch=6, seed=0)
    with pytest.raises(DataError, match="and no other of its class can be decoded; get the data again"):
        list(loader.epoch(0))


def test_where_nothing_may_stand_in_a_bad_image_is_marked_missing():
    loader = Loader(Numbered(10, bad=(0, 5)), Treatment(drawn=noisy, reading=SKIP), batch=4)
    found = list(loader.epoch(0))
    assert [sorted(batch.missing) for batch in found] == [[0], [1], []]
    assert [name for batch in found for name in batch.names] == [f"image {index}" for index in range(10)]
    assert found[1].labels.tolist() == [1, 2, 0, 1]
    assert not found[0].pixels[0].any()
    assert loader.faults[5].instead == ""


def test_a_batch_of_bad_images_alone_has_the_shape_of_the_others():
    (first, _) = Loader(Numbered(8, bad=(0, 1, 2, 3)), Treatment(drawn=noisy, reading=SKIP), batch=4).epoch(0)
    assert (first.pixels.shape, len(first.missing)) == ((4, 4, 4, 3), 4)
    with pytest.raises(DataError, match="no image can be decoded"):
        list(Loader(Numbered(3, bad=(0, 1, 2)), Treatment(drawn=noisy, reading=SKIP), batch=4).epoch(0))


def test_a_bad_image_is_refused_with_place_name_and_remedy():
    dataset = Numbered(9, bad=(3,))
    dataset.root = Path("/data/photos")
    wanted = (
        r"^/data/photos: image 3 \(8 bytes\) is not an image that can be decoded \(.*\); "
        "replace the file or take it out of the data set, or pass over such images with --bad-images skip$"
    )
    with pytest.raises(BadImage, match=wanted):
        list(Loader(dataset, Treatment(drawn=noisy), batch=4).epoch(0))


def test_a_disk_that_fails_is_no_bad_image():
    class Failing(Numbered):
        def __getitem__(self, index: int) -> Sample:
            raise DataError("the disk is gone")

    loader = Loader(Failing(9), Treatment(drawn=noisy, reading=SKIP, substitute=True), batch=4, kept=Kept(0))
    with pytest.raises(DataError, match="the disk is gone"):
        list(loader.epoch(0))


def test_whether_an_image_is_bad_does_not_depend_on_the_rows_that_are_drawn():
    # Under "skip" all of an image is decoded: otherwise epochs would disagree about one that is damaged below.
    asked: list[int | None] = []

    class Watched(Numbered):
        def __getitem__(self, index: int) -> Sample:
            buffer = io.BytesIO()
            noise = np.random.default_rng(0).integers(0, 256, (400, 50, 3), dtype=np.uint8)
            PillowImage.fromarray(noise).save(buffer, "JPEG")
            return Sample(f"image {index}", buffer.getvalue(), 0)

    def upper(image: Image | Prepared, rng: random.Random) -> Views:
        asked.append(len(image.pixels(20)))
        return Views(image.pixels(20)[:20], np.zeros(3, np.float32))

    for reading, rows in ((Reading(), 32), (SKIP, 400)):
        asked.clear()
        list(Loader(Watched(4), Treatment(drawn=upper, reading=reading), batch=2, kept=Kept(0)).epoch(0))
        assert set(asked) == {rows}


def test_each_bad_image_is_one_fault_however_many_threads_meet_it():
    dataset = Numbered(40, bad=tuple(range(0, 40, 5)))
    loader = Loader(dataset, Treatment(drawn=noisy, reading=SKIP, substitute=True), batch=4, seed=0, threads=8)
    for epoch in range(3):
        list(loader.epoch(epoch))
    assert sorted(loader.faults) == list(range(0, 40, 5))
    assert all(isinstance(fault, Fault) for fault in loader.faults.values())


def resident() -> int:
    """Bytes of this process in memory."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say how much memory is used")
def test_memory_is_flat_over_an_epoch_of_a_large_set():
    # 1,200 images of 108 KB are 124 MiB decoded: a loader that kept any share of them would show it.
    dataset = Numbered(1200, side=192)
    loader = Loader(dataset, Treatment(drawn=noisy), batch=16, seed=0, threads=3, kept=Kept(room=64 << 20))
    taken = []
    for number, _ in enumerate(loader.epoch(0)):
        if number % 5 == 4:
            taken.append(resident())
    assert max(taken[2:]) - taken[2] < 12 << 20
    assert loader._kept.get(0) is None


def test_arrays_are_written_by_several_threads_into_one_batch():
    seen: set[str] = set()
    waiting = threading.Barrier(2, timeout=10)

    def drawn(image: Image | Prepared, rng: random.Random) -> Views:
        seen.add(threading.current_thread().name)
        if len(seen) < 2:
            waiting.wait()  # the first waits for another thread to take a piece of the same batch
        elif not waiting.broken and waiting.n_waiting:
            waiting.wait()
        return Views(image.pixels(), np.zeros(3, np.float32))

    (batch,) = Loader(Numbered(16), Treatment(drawn=drawn), batch=16, threads=2, kept=Kept(0)).epoch(0)
    assert len(seen) == 2
    assert batch.pixels[:, 0, 0, 0].tolist() == list(range(16))


def test_written_batches_are_float_and_written_once_per_image():
    def write(views: Views, out: np.ndarray) -> None:
        out[:] = views.pixels / np.float32(2) + views.shift

    def plain(image: Image | Prepared, rng: random.Random) -> Views:
        return Views(image.pixels(), np.array([1, 2, 3], np.float32))

    (batch,) = Loader(Numbered(5, bad=(3,)), Treatment(drawn=plain, reading=SKIP), batch=8).epoch(0, write=write)
    assert batch.pixels.dtype == np.float32
    assert batch.pixels[:, 0, 0].tolist() == [[1, 2, 3], [1.5, 2.5, 3.5], [2, 3, 4], [0, 0, 0], [3, 4, 5]]
