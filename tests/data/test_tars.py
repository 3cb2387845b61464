"""Tars read in place: every member by its offset, and every way a tar or its index can be wrong."""

import contextlib
import gzip
import os
import random
import shutil
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from archives import odd_tar, sparse_content, sparse_imagenet, tar_bytes, tar_of, tar_of_tars
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ilsvrc.data import tar_index, tars
from ilsvrc.data.source import Source
from ilsvrc.errors import DataError

TWO = {"n02": {"n02_1.JPEG": b"two-one"}, "n01": {"n01_10.JPEG": b"one-ten" * 200, "n01_9.JPEG": b""}}


def contents(index):
    return {index.names[place]: index.read(place) for place in range(len(index))}


# What is read


def test_a_tar_of_tars_reads_as_folders_sorted_by_path(tmp_path):
    index = tars.open_tar(tar_of_tars(tmp_path / "train.tar", TWO))
    assert list(index.names) == ["n01/n01_10.JPEG", "n01/n01_9.JPEG", "n02/n02_1.JPEG"]
    assert contents(index) == {f"{d}/{n}": b for d, inner in TWO.items() for n, b in inner.items()}
    assert index.run("n01") == range(2)
    assert index.run("n0") == range(0)
    assert index.place("n02/n02_1.JPEG") == 2
    assert index.place("n02/n02_2.JPEG") is None


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.JPEG", f"{'d' * 90}/{'n' * 60}.JPEG", "./x/a.JPEG", "é/ü.JPEG", "a b.JPEG"])
def test_names_of_every_tar_form_are_read_whole(tmp_path, form, name):
    index = tars.open_tar(tar_of(tmp_path / "a.tar", {name: b"1", "z": b"22"}, form))
    assert contents(index) == {name.removeprefix("./"): b"1", "z": b"22"}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_longer_than_a_header_are_read_whole(tmp_path, form):
    long = "/".join("part" * 20 for _ in range(5)) + "/a.JPEG"
    index = tars.open_tar(tar_of(tmp_path / "a.tar", {long: b"content"}, form))
    assert contents(index) == {long: b"content"}
    tar_index.save(index)
    assert contents(tar_index.load(tmp_path / "a.tar")) == {long: b"content"}


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_is_read_without_extraction(tmp_path, mode):
    with tarfile.open(tmp_path / "a.tar.z", mode) as archive:
        (tmp_path / "x").write_bytes(b"content")
        archive.add(tmp_path / "x", "d/x.JPEG")
    assert contents(tars.open_tar(tmp_path / "a.tar.z")) == {"d/x.JPEG": b"content"}
    assert sorted(os.listdir(tmp_path)) == ["a.tar.z", "x"]


def test_images_are_told_by_suffix_and_hidden_files_are_none(tmp_path):
    files = ["a.JPEG", "b.PNG", "c.txt", "d/._a.JPEG", "d/e.jpg", "@eaDir", "JPEG"]
    index = tars.open_tar(tar_of(tmp_path / "a.tar", dict.fromkeys(files, b"")))
    assert [index.names[k] for k in np.flatnonzero(index.image)] == ["a.JPEG", "b.PNG", "d/e.jpg"]
    assert index.distinct
    assert not tars.open_tar(tar_of(tmp_path / "b.tar", {"d/a.JPEG": b"", "e/a.png": b""})).distinct


def test_threads_reading_one_archive_do_not_disturb_each_other(tmp_path):
    wanted = {f"{k}.JPEG": random.Random(k).randbytes(3000) for k in range(50)}
    index = tars.open_tar(tar_of(tmp_path / "a.tar", wanted))
    wrong = []

    def read():
        wrong.extend(k for k in range(len(index)) for _ in range(5) if index.read(k) != wanted[index.names[k]])

    threads = [threading.Thread(target=read) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert wrong == []


# The index on disk


def test_an_index_gives_what_it_was_written_from(tmp_path):
    path = tar_of_tars(tmp_path / "train.tar", TWO)
    made, written = tars.write_index(path)
    assert written == tmp_path / "train.tar.index"
    found = tars.open_tar(path)
    assert contents(found) == contents(made)
    assert found.image.tolist() == made.image.tolist()
    assert found.distinct == made.distinct


def test_an_index_goes_to_the_cache_where_the_archive_may_not_be_written(tmp_path, monkeypatch):
    path = tar_of_tars(tmp_path / "train.tar", TWO)
    (tmp_path / "train.tar.index").mkdir()  # stands in the way of the file, for root too
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, written = tars.write_index(path)
    assert written.is_relative_to(tmp_path / "cache")
    assert len(tar_index.load(path)) == 3


def test_small_archives_are_opened_without_leaving_a_file(tmp_path):
    tars.open_tar(tar_of_tars(tmp_path / "train.tar", TWO))
    assert os.listdir(tmp_path) == ["train.tar"]


def test_a_large_archive_is_indexed_for_the_next_time(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "SAVED", 3)
    tars.open_tar(tar_of_tars(tmp_path / "train.tar", TWO))
    assert (tmp_path / "train.tar.index").is_file()


def grown(path):
    path.write_bytes(path.read_bytes() + bytes(512))


def touched(path):
    os.utime(path, ns=(1, 1))


def rewritten(path):
    """The same size and time, another member."""
    time = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.write(tarfile.TarInfo("other.JPEG").tobuf(tarfile.GNU_FORMAT))
    os.utime(path, ns=(time, time))


@pytest.mark.parametrize("change", [grown, touched, rewritten])
def test_an_index_is_refused_when_the_archive_changed(tmp_path, change):
    path = tar_of(tmp_path / "a.tar", {"n01/a.JPEG": b"1" * 600, "n02/b.JPEG": b"2"})
    tars.write_index(path)
    change(path)
    with pytest.raises(DataError, match=r"ilsvrc index .*a\.tar"):
        tars.open_tar(path)


def test_the_index_of_another_archive_is_refused(tmp_path):
    tars.write_index(tar_of(tmp_path / "a.tar", {"a.JPEG": b"1"}))
    tar_of(tmp_path / "b.tar", {"b.JPEG": b"1"})
    shutil.copy(tmp_path / "a.tar.index", tmp_path / "b.tar.index")
    with pytest.raises(DataError, match=r"b\.tar is not what it was"):
        tars.open_tar(tmp_path / "b.tar")


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"ilsvrc archive index 2\n", b"ilsvrc archive index 2\n{}\n"])
def test_what_is_no_index_is_refused(tmp_path, content):
    path = tar_of(tmp_path / "a.tar", {"a.JPEG": b"1"})
    (tmp_path / "a.tar.index").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.tar\.index"):
        tars.open_tar(path)


def test_no_flipped_bit_of_an_index_goes_unseen(tmp_path):
    path = tar_of_tars(tmp_path / "train.tar", TWO)
    _, written = tars.write_index(path)
    whole = written.read_bytes()
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        written.write_bytes(damaged)
        with pytest.raises(DataError):
            tars.open_tar(path)


def test_an_archive_cut_while_it_is_open_is_an_error(tmp_path):
    index = tars.open_tar(tar_of(tmp_path / "a.tar", {"a.JPEG": bytes(9000)}))
    os.truncate(tmp_path / "a.tar", 5000)
    with pytest.raises(DataError, match=r"a\.JPEG in .*a\.tar ends after 4,488 of 9,000 bytes"):
        index.read(0)


# Bad tars


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "../a.JPEG"}, "leads out of the archive"),
        ({"name": "b/../../a.JPEG"}, "leads out of the archive"),
        ({"name": "/etc/a.JPEG"}, "leads out of the archive"),
        ({"type": tarfile.SYMTYPE, "linkname": "b"}, "a symbolic link"),
        ({"type": tarfile.LNKTYPE, "linkname": "b"}, "a hard link"),
        ({"type": tarfile.CHRTYPE}, "a device"),
        ({"type": tarfile.FIFOTYPE}, "a pipe"),
        ({"type": tarfile.GNUTYPE_SPARSE}, "a GNU sparse file"),
        ({"size": 10_000}, "has 10,000 bytes and only 1,536 are left"),
        ({"size": 1 << 40}, "has 1,099,511,627,776 bytes"),
        ({"name": "a//b.JPEG"}, "plain names"),
    ],
)
def test_a_dangerous_member_is_refused_by_name(tmp_path, fields, said):
    path = odd_tar(tmp_path / "bad.tar", **fields)
    with pytest.raises(DataError, match=r"bad\.tar") as caught:
        tars.open_tar(path)
    assert said in str(caught.value)
    assert fields.get("name", "a.JPEG") in str(caught.value)


def test_a_member_of_an_inner_tar_may_not_reach_past_it(tmp_path):
    inner = odd_tar(tmp_path / "n01", size=4096).read_bytes()
    path = tar_of(tmp_path / "train.tar", {"n01.tar": inner, "n02.tar": tar_bytes({"x": bytes(9000)})})
    with pytest.raises(DataError, match=r"a\.JPEG in .*train\.tar:n01\.tar has 4,096 bytes and only 1,536 are left"):
        tars.open_tar(path)


def test_two_members_of_one_name_are_refused(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("n01/a.JPEG"))
    with pytest.raises(DataError, match=r"two members called n01/a\.JPEG"):
        tars.open_tar(path)


def test_a_member_larger_than_any_image_is_not_read(tmp_path):
    path = tmp_path / "a.tar"
    with path.open("wb") as file:
        member = tarfile.TarInfo("a.JPEG")
        member.size = (1 << 30) + 1
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        file.truncate(512 + (1 << 30) + 512 + 1024)  # holes
    with pytest.raises(DataError, match=r"a\.JPEG in .*a\.tar has 1,073,741,825 bytes, more than any image"):
        tars.open_tar(path).read(0)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0" * 500, b"PK\x03\x04" + bytes(600), bytes(100)])
def test_what_is_no_tar_is_refused(tmp_path, content):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.tar"):
        tars.open_tar(tmp_path / "a.tar")


def test_joined_archives_are_refused(tmp_path):
    one = tar_bytes({"a": b"1"})
    (tmp_path / "a.tar").write_bytes(one + tar_bytes({"b": b"2"}))
    with pytest.raises(DataError, match="joined"):
        tars.open_tar(tmp_path / "a.tar")


def test_every_truncation_within_members_is_refused(tmp_path):
    whole = tar_bytes({f"{k}.JPEG": bytes(700) for k in range(4)})
    end = 4 * (512 + 1024)
    for cut in (*range(1, end, 97), end - 1):
        if cut % 1536:  # between two members nothing tells that there were more
            (tmp_path / "a.tar").write_bytes(whole[:cut])
            with pytest.raises(DataError, match=r"a\.tar"):
                tars.open_tar(tmp_path / "a.tar")


def test_a_truncated_or_damaged_gzip_is_refused(tmp_path):
    whole = gzip.compress(tar_bytes({"a": os.urandom(5000)}))
    for damaged in (whole[:-1], whole[:2000], whole[:1000] + b"\0\0\0\0" + whole[1004:]):
        (tmp_path / "a.tar.gz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.tar\.gz"):
            tars.open_tar(tmp_path / "a.tar.gz")


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "LARGEST", 1 << 20)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(bytes(1 << 22)))
    with pytest.raises(DataError, match="decompress it yourself"):
        tars.open_tar(tmp_path / "a.tar.gz")


def test_no_flipped_bit_of_a_header_goes_unseen(tmp_path):
    whole = tar_bytes({"n01/a.JPEG": bytes(512), "n02/b.JPEG": bytes(512)})
    path, rng = tmp_path / "a.tar", random.Random(1)
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.choice((0, 1024)) + rng.randrange(512)] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DataError):
            tars.open_tar(path)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_bytes_a_tar_is_read_or_refused(tmp_path, data):
    whole = bytearray(tar_bytes({"n01.tar": tar_bytes({"a.JPEG": b"1" * 600}), "long/" * 30 + "b.png": b"2"}))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        piece = data.draw(st.binary(max_size=40))
        whole[place : place + len(piece)] = piece
    (tmp_path / "a.tar").write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with contextlib.suppress(DataError):
        index = tars.open_tar(tmp_path / "a.tar")
        assert all(len(index.read(place)) == index.size[place] for place in range(len(index)))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(st.from_regex(r"[a-z0-9é ]{1,9}(/[a-zA-Z0-9_-]{1,130}){0,3}", fullmatch=True), st.binary())
)
def test_what_tarfile_writes_is_read_back(tmp_path, files):
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert contents(tars.open_tar(tar_of(tmp_path / "a.tar", files, form))) == files


# ImageNet's shape


@pytest.mark.slow
def test_a_large_archive_is_indexed_fast_and_in_little_memory(tmp_path):
    path = sparse_imagenet(tmp_path / "train.tar", images=10_000, classes=100)
    program = (
        "import resource, sys, time; from pathlib import Path; from ilsvrc.data import tars\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; started = time.process_time()\n"
        "tars.write_index(Path(sys.argv[1])); took = time.process_time() - started\n"
        "print(took, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    seconds, grown_by = map(float, done.stdout.split())
    assert seconds / 10_000 * 1_281_167 < 60
    assert grown_by / 10_000 * 1_281_167 < 1_500_000_000  # what every process has once is not taken out
    index = tars.open_tar(path)
    rng = random.Random(0)
    for place in (rng.randrange(10_000) for _ in range(500)):
        folder, _, image = index.names[place].removesuffix(".JPEG").partition("/")
        content = sparse_content(int(folder[1:]), int(image.rpartition("_")[2]))
        assert index.read(place) == content.ljust(110_000, b"\0")


def test_a_source_opens_itself_anew_in_another_process(tmp_path):
    import pickle

    (tmp_path / "a").write_bytes(b"0123456789")
    source = Source(Path(tmp_path / "a"))
    assert pickle.loads(pickle.dumps(source)).read(3, 4) == source.read(3, 4) == b"3456"
    assert source.read(8, 9) == b"89"
