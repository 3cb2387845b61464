"""The loader: what a network sees is a function of (seed, epoch, index) alone, and no image is lost on the way."""

import io
import random
import threading
import time
import zlib
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from ilsvrc.data.batch import Batch, Views
from ilsvrc.data.decode import Image, decode
from ilsvrc.data.kept import Kept, Prepared
from ilsvrc.data.loader import Loader, Treatment
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.errors import DataError


def encoded(form: str, mode: str = "RGB", size: tuple[int, int] = (9, 7), **options: object) -> bytes:
    """A picture of that mode as bytes; the same colours whatever the form."""
    colours = np.zeros((size[1], size[0], 3), np.uint8)
    colours[:] = (200, 90, 30)
    buffer = io.BytesIO()
    PillowImage.fromarray(colours).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


class Numbered:
    """A data set whose image i is flat in level i; the bad ones are no images."""

    classes = Classes(("n00000001", "n00000002"), ("one", "two"))

    def __init__(self, count: int, bad: tuple[int, ...] = ()) -> None:
        self.count, self.bad = count, bad
        self.read: list[int] = []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        self.read.append(index)
        buffer = io.BytesIO()
        PillowImage.new("RGB", (4, 4), (index, index, index)).save(buffer, "PNG")
        content = b"not an image" if index in self.bad else buffer.getvalue()
        return Sample(f"image {index}", content, None if index % 5 == 4 else index % 2)


def noisy(image: Image | Prepared, rng: random.Random) -> Views:
    """Pixels and a shift that show every draw."""
    return Views(image.pixels() + np.uint8(rng.randrange(100)), np.array([rng.random()] * 3, np.float32))


def loader(
    dataset: Numbered,
    batch: int = 4,
    seed: int | None = 0,
    threads: int = 2,
    kept: Kept | None = None,
    part: tuple[int, int] = (0, 1),
) -> Loader:
    return Loader(dataset, Treatment(drawn=noisy), batch=batch, seed=seed, threads=threads, kept=kept, part=part)


def equal(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        a.names == b.names
        and np.array_equal(a.pixels, b.pixels)
        and np.array_equal(a.shift, b.shift)
        and np.array_equal(a.labels, b.labels)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_the_number_of_threads_changes_nothing(threads: int):
    wanted = [loader(Numbered(23)).epoch(3).batch(number) for number in range(6)]
    assert equal(list(loader(Numbered(23), threads=threads).epoch(3)), wanted)


def test_threads_that_finish_out_of_order_hand_over_in_order():
    class Slow(Numbered):
        def __getitem__(self, index: int) -> Sample:
            time.sleep(0.001 * ((index * 7) % 5))
            return super().__getitem__(index)

    assert equal(list(loader(Slow(40), threads=5).epoch(0)), list(loader(Numbered(40), threads=1).epoch(0)))


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 45), st.integers(0, 2**32 - 1), st.integers(0, 200))
def test_no_image_is_dropped_and_none_is_repeated(count: int, batch: int, seed: int, epoch: int):
    given_out = loader(Numbered(count), batch, seed)
    batches = list(given_out.epoch(epoch))
    assert sorted(name for b in batches for name in b.names) == sorted(f"image {i}" for i in range(count))
    assert len(batches) == len(given_out) == len(given_out.epoch(epoch))
    assert [len(b.names) for b in batches[:-1]] == [batch] * (len(batches) - 1)
    assert all(len(b.names) == len(b.pixels) == len(b.shift) == len(b.labels) for b in batches)


def test_an_epoch_goes_on_from_any_batch_as_if_it_had_never_stopped():
    whole = list(loader(Numbered(23)).epoch(2))
    for first in range(len(whole) + 1):
        rest = loader(Numbered(23)).epoch(2, first)
        assert equal(list(rest), whole[first:])
        assert len(rest) == len(whole), "the length is that of the whole epoch: rates depend on it"


def test_each_epoch_has_an_order_and_draws_of_its_own():
    given_out = loader(Numbered(50), batch=50)
    orders = {next(iter(given_out.epoch(epoch))).names for epoch in range(6)}
    assert len(orders) == 6
    shifts = {given_out.one(epoch, 7).views.shift.tobytes() for epoch in range(6)}
    assert len(shifts) == 6


def test_each_image_has_draws_of_its_own_and_each_seed_too():
    draws = {
        loader(Numbered(20), seed=seed).one(epoch, index).views.shift.tobytes()
        for seed in (0, 1, 2**32 - 1)
        for epoch in range(4)
        for index in range(20)
    }
    assert len(draws) == 3 * 4 * 20


def test_an_image_s_draws_are_those_of_a_generator_of_its_own():
    """A thread has one generator that is seeded anew: nothing of the image before it is left."""
    seen: dict[int, list[float]] = {}

    def drawn(image: Image | Prepared, rng: random.Random) -> Views:
        seen[int(image.name.split()[1])] = [rng.gauss(0, 1), rng.random(), rng.gauss(0, 1), rng.gauss(0, 1)]
        return noisy(image, rng)

    list(Loader(Numbered(6), Treatment(drawn=drawn), batch=3, seed=5, threads=1).epoch(2))
    for index, draws in seen.items():
        rng = random.Random((5 << 96) + (2 << 48) + index + 1)
        assert draws == [rng.gauss(0, 1), rng.random(), rng.gauss(0, 1), rng.gauss(0, 1)]


def test_the_order_of_an_epoch_is_frozen():
    # The numbers are a promise: runs of other machines and other years are repeated by them.
    assert loader(Numbered(10), seed=0).order(0).tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]
    assert loader(Numbered(10), seed=7).order(3).tolist() == [9, 1, 4, 7, 2, 0, 5, 8, 6, 3]
    big = loader(Numbered(100_000), seed=0).order(1)
    assert zlib.crc32(big.astype("<i8").tobytes()) == 2386313375


def test_every_order_of_three_is_equally_likely():
    orders = [tuple(loader(Numbered(3), seed=seed).order(0)) for seed in range(1200)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert max(counts) < 1.35 * min(counts)


def test_without_a_seed_images_come_in_the_data_set_s_order():
    batches = list(loader(Numbered(10), seed=None).epoch(5))
    assert [name for b in batches for name in b.names] == [f"image {i}" for i in range(10)]


def test_labels_are_the_samples_and_less_than_zero_where_there_is_none():
    (batch,) = loader(Numbered(10), batch=10, seed=None).epoch(0)
    assert batch.labels.tolist() == [0, 1, 0, 1, -1, 1, 0, 1, 0, -1]
    assert batch.labels.dtype == np.int64


def test_what_is_kept_is_read_and_prepared_once():
    dataset, prepared = Numbered(12), []

    def prepare(image: Image) -> tuple[np.ndarray, None]:
        prepared.append(1)
        return image.pixels(), None

    given_out = Loader(dataset, Treatment(fixed=prepare, drawn=noisy), batch=4, seed=0)
    for epoch in range(3):
        list(given_out.epoch(epoch))
    assert len(dataset.read) == len(prepared) == 12


def test_keeping_changes_nothing_but_the_reading():
    roomy, none = loader(Numbered(12)), loader(Numbered(12), kept=Kept(0))
    for epoch in range(3):
        assert equal(list(roomy.epoch(epoch)), list(none.epoch(epoch)))


@pytest.mark.parametrize(("short", "read"), [(0, 0), (1, 12)])
def test_all_images_are_kept_or_none(short: int, read: int):
    # Half of a large set in memory would grow through the first epoch, and spare half of the reading.
    dataset = Numbered(12)
    given_out = loader(dataset, kept=Kept(room=12 * 4 * 4 * 3 - short))
    list(given_out.epoch(0))
    dataset.read.clear()
    list(given_out.epoch(1))
    assert len(dataset.read) == read


def test_whether_a_large_set_fits_is_decided_by_a_few_of_its_images():
    dataset = Numbered(2000)
    loader(dataset, kept=Kept(room=1999 * 4 * 4 * 3)).one(0, 5)
    assert len(dataset.read) == 16 + 1


def test_a_set_that_is_larger_than_its_sample_foretold_is_let_go_whole():
    kept = Kept(room=100)
    kept.decide({0: Prepared("a", 0, np.zeros((1, 3, 3), np.uint8))}, 10)
    assert kept.all
    kept.put(1, Prepared("b", 0, np.zeros((9, 4, 3), np.uint8)))
    assert (kept.all, kept.get(0), kept.get(1)) == (False, None, None)
    kept.put(2, Prepared("c", 0, np.zeros((1, 1, 3), np.uint8)))
    assert kept.get(2) is None


def test_processes_share_the_room():
    probes = {index: Prepared("a", 0, np.zeros((1, 3, 3), np.uint8)) for index in range(4)}
    for processes, all_of_them in ((1, True), (2, True), (3, False)):
        kept = Kept(room=2 * 4 * 9)
        kept.decide(probes, 4, processes)
        assert kept.all is all_of_them


@pytest.mark.parametrize("threads", [1, 3])
def test_a_bad_image_is_an_error_with_its_name_and_size(threads: int):
    with pytest.raises(
        DataError, match=r"image 13 \(12 bytes\) is not an image that can be decoded .*; replace the file"
    ):
        list(loader(Numbered(20, bad=(13,)), threads=threads).epoch(0))


def test_batches_before_a_bad_image_are_handed_over():
    batches = iter(loader(Numbered(20, bad=(13,)), seed=None).epoch(0))
    assert [name for _ in range(3) for name in next(batches).names] == [f"image {i}" for i in range(12)]
    with pytest.raises(DataError, match="image 13"):
        next(batches)


def test_threads_end_when_an_epoch_is_left_early():
    pass_ = iter(loader(Numbered(200), threads=4).epoch(0))
    next(pass_)
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("loader")]
    assert ours
    pass_.close()
    for thread in ours:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_a_loader_reads_only_a_little_ahead():
    dataset = Numbered(400)
    pass_ = iter(loader(dataset, batch=4, threads=2).epoch(0))
    next(pass_)
    time.sleep(0.2)
    assert len(dataset.read) <= 4 * 8, "memory would grow with the data set"
    pass_.close()


FLAT = np.array([200, 90, 30])


@pytest.mark.parametrize(
    ("form", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 95}),
        ("JPEG", "RGB", {"quality": 95, "progressive": True}),
        ("JPEG", "CMYK", {"quality": 95}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("BMP", "RGB", {}),
        ("GIF", "P", {}),
        ("WEBP", "RGB", {"lossless": True}),
    ],
)
def test_colours_come_out_whatever_the_file_is(form: str, mode: str, options: dict[str, object]):
    # ImageNet has PNGs and CMYK files named .JPEG: what a file is decides, never its name.
    pixels = decode(Sample("n02105855_2933.JPEG", encoded(form, mode, **options), 0))
    assert (pixels.shape, pixels.dtype) == ((7, 9, 3), np.uint8)
    # Pillow's palette of the web has steps of 51, and mixes neighbours.
    assert np.abs(pixels.mean(axis=(0, 1)) - FLAT).max() <= (15 if mode == "P" else 4)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_grey_images_become_three_equal_channels(form: str):
    pixels = decode(Sample("grey", encoded(form, "L"), 0))
    assert pixels.shape == (7, 9, 3)
    assert np.ptp(pixels, axis=2).max() == 0
    assert abs(int(pixels[0, 0, 0]) - 116) <= 2  # 0.299 * 200 + 0.587 * 90 + 0.114 * 30


def test_sixteen_bits_of_grey_keep_their_brightness():
    buffer = io.BytesIO()
    PillowImage.fromarray(np.full((7, 9), 0x8000, np.uint16)).save(buffer, "PNG")
    assert abs(int(decode(Sample("deep", buffer.getvalue(), 0))[0, 0, 0]) - 128) <= 1


def test_the_fast_decoder_and_pillow_agree_on_odd_sizes_and_smooth_colours():
    y, x = np.mgrid[:172, :257]
    waves = [127 + 120 * np.sin(x / a + y / b) for a, b in ((17, 11), (5, 29), (31, 7))]
    buffer = io.BytesIO()
    PillowImage.fromarray(np.stack(waves, axis=2).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    with PillowImage.open(io.BytesIO(buffer.getvalue())) as image:
        wanted = np.asarray(image).astype(int)
    found = decode(Sample("photo", buffer.getvalue(), 0)).astype(int)
    assert found.shape == (172, 257, 3)
    assert np.abs(found - wanted).max() <= 2


def test_a_rotation_in_exif_is_not_applied():
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turn by a quarter
    assert decode(Sample("turned", encoded("JPEG", exif=exif), 0)).shape == (7, 9, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_truncated_image_is_refused_not_half_read(form: str):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PillowImage.fromarray(noise).save(buffer, form)
    content = buffer.getvalue()
    for kept in (len(content) // 2, len(content) // 4, 30, 3, 0):
        with pytest.raises(DataError, match=rf"cut\.JPEG \({kept:,} bytes\) is not an image that can be decoded"):
            decode(Sample("cut.JPEG", content[:kept], 0))


def test_an_image_too_large_to_be_one_is_refused_before_it_is_decoded():
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = (60_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match=r"bomb\.png"):
        decode(Sample("bomb.png", bomb, 0))


def test_a_stranger_s_bytes_never_raise_anything_else():
    content = bytearray(encoded("JPEG", size=(40, 30), quality=80))
    rng = random.Random(0)
    for _ in range(200):
        broken = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        with suppress(DataError):
            assert decode(Sample("broken", bytes(broken), 0)).shape[2] == 3


def test_batches_of_several_views_keep_them_apart():
    def two(image: Image | Prepared, rng: random.Random) -> Views:
        return Views(np.stack([image.pixels(), 255 - image.pixels()]), np.zeros(3, np.float32))

    (batch,) = Loader(Numbered(3), Treatment(drawn=two), batch=3).epoch(0)
    assert batch.pixels.shape == (3, 2, 4, 4, 3)
    assert [(int(a), int(b)) for a, b in batch.pixels[:, :, 0, 0, 0]] == [(0, 255), (1, 254), (2, 253)]


def test_two_passes_at_once_do_not_disturb_each_other():
    given_out = loader(Numbered(20))
    both = list(zip(given_out.epoch(0), given_out.epoch(1), strict=True))
    assert equal([a for a, _ in both], list(loader(Numbered(20)).epoch(0)))
    assert equal([b for _, b in both], list(loader(Numbered(20)).epoch(1)))
    assert all(a.names != b.names for a, b in pairwise(list(given_out.epoch(0))))
