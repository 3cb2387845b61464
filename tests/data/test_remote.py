"""Shards at a URL: the same samples as on a disk, by byte ranges, whatever the server does wrong."""

import multiprocessing
import os
import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from archives import tar_of
from served import serving

from ilsvrc import data
from ilsvrc.cli import run
from ilsvrc.data import remote, remote_shards
from ilsvrc.data.remote import Remote, Store, expanded, url_of
from ilsvrc.errors import DataError
from ilsvrc.jobs import pack as job
from ilsvrc.jobs.pack import Packing, pack

pytest.importorskip("fsspec", reason="fsspec is not installed (extra remote)")
pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra remote)")
SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def packed(tiny, tmp_path_factory):
    """The tiny set in shards of 16. Read only."""
    out = tmp_path_factory.mktemp("shards") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "PER_SHARD", 16)
        pack(str(tiny), out, Packing(), SPLITS)
    return out


@pytest.fixture(autouse=True)
def impatient(monkeypatch, tmp_path):
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def server(packed, tmp_path):
    """A server of a copy of the shards."""
    shutil.copytree(packed, tmp_path / "served/set")
    with serving(tmp_path / "served") as server:
        yield server


def same(found, wanted):
    assert found.classes == wanted.classes
    assert data.fingerprint(found) == data.fingerprint(wanted)
    for k in range(len(wanted)):
        one, other = found[k], wanted[k]
        assert (one.name, one.label, one.jpeg) == (other.name, other.label, other.jpeg)
        assert np.array_equal(one.boxes, other.boxes)
        assert np.array_equal(one.box_labels, other.box_labels)


def test_packed_shards_read_the_same_over_http(tiny, server):
    for split in SPLITS:
        same(data.open(f"{server.url}/set/", split), data.open(tiny, split))
    assert data.open(f"{server.url}/set", "val", boxes=False)[0].boxes is None
    assert data.name(data.open(f"{server.url}/set/", "val")) == "set"


def test_opening_fetches_the_table_and_an_image_costs_its_own_bytes(server):
    dataset = data.open(f"{server.url}/set", "train")
    assert [path for path, _ in server.asked] == ["/set/train.table.npz"]
    before = server.sent
    image = dataset[7].jpeg
    assert server.sent - before == len(image)
    assert len(server.asked) == 2


def test_shards_without_a_table_are_scanned_by_ranges(tiny, server):
    (server.directory / "set/val.table.npz").unlink()
    dataset = data.open(f"{server.url}/set", "val")
    assert all(asked for path, asked in server.asked if path.endswith(".tar"))
    same(dataset, data.open(tiny, "val"))


def test_a_scan_passes_the_images_over(tmp_path, server):
    files = {}
    for k in range(8):
        files |= {f"{k}.jpg": os.urandom(300_000), f"{k}.cls": str(k % 2).encode(), f"{k}.json": b"[]"}
    place = tar_of(server.directory / "others-train-0.tar", files)
    before = server.sent
    dataset = data.open(f"{server.url}/others-train-0.tar", "train")
    assert len([path for path, _ in server.asked if path.endswith(".tar")]) <= 12
    assert server.sent - before < place.stat().st_size / 10
    assert [dataset[k].jpeg for k in range(8)] == [files[f"{k}.jpg"] for k in range(8)]


def test_a_pattern_names_the_shards_where_the_server_lists_nothing(tiny, server):
    for split in SPLITS:
        (server.directory / f"set/{split}.table.npz").unlink()
    server.lists = False
    with pytest.raises(DataError, match=r"no val\.table\.npz, and no \*val\*\.tar is named or listed; give .*000146"):
        data.open(f"{server.url}/set", "val")
    pattern = f"{server.url}/set/{{train,val}}-{{000000..000002}}.tar"
    same(data.open(pattern, "val"), data.open(tiny, "val"))
    assert len(data.open(pattern, "train")) == 48
    with pytest.raises(DataError, match="holds no shard of test"):
        data.open(pattern, "test")


def test_index_keeps_the_table_of_others_shards_in_the_cache(tiny, server, capsys):
    for split in SPLITS:
        (server.directory / f"set/{split}.table.npz").unlink()
    assert run(["index", f"{server.url}/set"]) == 0
    assert "140 of them images" in capsys.readouterr().out
    server.asked.clear()
    dataset = data.open(f"{server.url}/set", "val")
    assert not [path for path, _ in server.asked if path.endswith(".tar")]
    same(dataset, data.open(tiny, "val"))


def test_check_reads_shards_over_http_and_the_command_line_takes_a_url(server, capsys):
    assert run(["check", f"{server.url}/set"]) == 0
    assert "train: 60 images of 20 classes" in capsys.readouterr().out


def test_any_filesystem_of_fsspec_serves(tiny, packed):
    import fsspec

    memory = fsspec.filesystem("memory")
    for file in packed.iterdir():
        memory.pipe_file(f"/bucket/set/{file.name}", file.read_bytes())
    for url in ("memory://bucket/set", f"file://{packed}", Path(f"file://{packed}")):
        same(data.open(url, "val"), data.open(tiny, "val"))
    memory.rm("/bucket/set/val.table.npz")
    same(data.open("memory://bucket/set", "val"), data.open(tiny, "val"))
    dataset = data.open("memory://bucket/set", "val")
    memory.pipe_file("/bucket/set/val-000000.tar", b"another")
    with pytest.raises(DataError, match="is not the file it was"):
        dataset[0]


# What servers do


@pytest.mark.parametrize("wrong", ["500", "503", "429", "cut", "drop"])
def test_errors_that_pass_are_tried_again(tiny, server, wrong):
    dataset = data.open(f"{server.url}/set", "val")
    server.failing = [wrong, wrong]
    assert dataset[3].jpeg == data.open(tiny, "val")[3].jpeg
    assert server.failing == []


def test_errors_that_do_not_pass_are_said_with_the_url(server):
    dataset = data.open(f"{server.url}/set", "val")
    server.failing = ["503"] * 3
    with pytest.raises(DataError, match=r"set/val-000000\.tar cannot be read \(HTTP 503\), tried 3 times"):
        dataset[0]
    server.failing = ["403"]
    with pytest.raises(DataError, match="answers HTTP 403; check the URL and who may read it"):
        dataset[0]


def test_a_server_without_ranges_is_refused_before_a_shard_is_fetched(server):
    server.ranges = False
    dataset = data.open(f"{server.url}/set", "val")  # the table is wanted whole
    with pytest.raises(DataError, match=r"does not give byte ranges.*use a server or an object store that does"):
        dataset[0]
    (server.directory / "set/val.table.npz").unlink()
    with pytest.raises(DataError, match="does not give byte ranges"):
        data.open(f"{server.url}/set", "val")


def test_a_shard_that_changed_is_refused(server):
    dataset = data.open(f"{server.url}/set", "val")
    assert dataset[0].jpeg
    server.tag = "2"
    with pytest.raises(DataError, match=r'val-000000\.tar is not the file it was .*version "2".*version "1" before'):
        dataset[1]
    place = server.directory / "set/val-000001.tar"
    place.write_bytes(place.read_bytes() + bytes(512))
    with pytest.raises(DataError, match=r"val-000001\.tar is not the file it was"):
        dataset[20]
    place.unlink()
    with pytest.raises(DataError, match=r"val-000001\.tar is not there"):
        dataset[20]


def test_a_server_that_is_not_there_is_said():
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/set.* cannot be read .* tried 3 times"):
        data.open("http://127.0.0.1:9/set", "val")


def test_a_damaged_table_over_http_is_refused(server):
    place = server.directory / "set/val.table.npz"
    place.write_bytes(place.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"set/val\.table\.npz is no table of shards, or a damaged one"):
        data.open(f"{server.url}/set", "val")


QUERY = "sig=a%2Fb%2B%3D&se=2017-07-17"  # as stores sign: its letters must arrive as they were given


@pytest.mark.parametrize("name", ["", "val-{000000..000002}.tar"])
@pytest.mark.parametrize("table", [True, False])
def test_a_query_goes_with_every_request_and_stands_in_no_name(name, table, tiny, server):
    server.query = QUERY
    if not table:
        (server.directory / "set/val.table.npz").unlink()
    dataset = data.open(f"{server.url}/set/{name}?{QUERY}", "val")
    same(dataset, data.open(tiny, "val"))
    assert all(path.endswith(f"?{QUERY}") for path, _ in server.asked)
    assert pickle.loads(pickle.dumps(dataset))[3].jpeg == dataset[3].jpeg
    assert data.name(dataset) == (name or "set")
    assert "sig=" not in f"{dataset.root} {dataset.sources[0].path}"
    server.query = "another"
    with pytest.raises(DataError, match=r"answers HTTP 403; check the URL and who may read it") as caught:
        dataset[0]
    assert "sig=" not in str(caught.value)


def test_an_index_of_shards_serves_whatever_the_query(server, capsys):
    (server.directory / "set/val.table.npz").unlink()
    server.query = "token=1"
    assert run(["index", f"{server.url}/set?token=1"]) == 0
    assert "token" not in capsys.readouterr().out
    server.query, before = "token=2", len(server.asked)
    assert len(data.open(f"{server.url}/set?token=2", "val")) == 40
    assert not [path for path, _ in server.asked[before:] if ".tar" in path]


# Threads and processes


def test_threads_read_at_once(tiny, server):
    dataset, wanted = data.open(f"{server.url}/set", "val"), data.open(tiny, "val")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: dataset[k % 40].jpeg, range(200)))
    assert found == [wanted[k % 40].jpeg for k in range(200)]


def test_a_pickled_data_set_connects_anew(server):
    dataset = data.open(f"{server.url}/set", "val")
    assert pickle.loads(pickle.dumps(dataset))[5].jpeg == dataset[5].jpeg


def _read_in_child(dataset, pipe):
    pipe.send([dataset[k].jpeg for k in range(5)])


@pytest.mark.slow
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_another_process_connects_anew(server, way):
    if way not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {way} on this system")
    dataset = data.open(f"{server.url}/set", "val")
    wanted = [dataset[k].jpeg for k in range(5)]  # connected, with fsspec's own thread running, before the fork
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context(way).Process(target=_read_in_child, args=(dataset, theirs))
    child.start()
    assert ours.poll(60)
    assert ours.recv() == wanted
    child.join(30)
    assert child.exitcode == 0


# Words


def test_without_fsspec_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(DataError, match=r"pip install 'ilsvrc\[remote\]'"):
        data.open("https://host/set", "train")


def test_a_url_of_a_kind_that_nobody_knows_is_refused():
    with pytest.raises(DataError, match="is no URL that fsspec reads"):
        data.open("gopher2://host/set", "train")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("https://host/a", "https://host/a"),
        (Path("https://host/a"), "https://host/a"),
        (Path("s3://bucket/a"), "s3://bucket/a"),
        (Path("simplecache::s3://bucket/a"), "simplecache::s3://bucket/a"),
        (Path("file:///tmp/a"), "file:///tmp/a"),
        ("/data/imagenet", None),
        ("C:/data", None),
        ("train", None),
    ],
)
def test_a_url_is_told_from_a_path_also_when_a_path_was_made_of_it(path, url):
    assert url_of(path) == url


def test_braces_count_and_list():
    assert expanded("a/{000..002}.tar") == ["a/000.tar", "a/001.tar", "a/002.tar"]
    assert expanded("{a,b}-{8..10}") == ["a-8", "a-9", "a-10", "b-8", "b-9", "b-10"]
    with pytest.raises(DataError, match="more than 100,000"):
        expanded("{0..999999999}")


def test_a_remote_file_reads_as_a_file_does(server):
    place = server.directory / "a.tar"
    place.write_bytes(os.urandom(5000))
    file = Remote(Store(server.url), f"{server.url}/a.tar")
    assert file.size == 5000
    assert file.read(100, 50) == place.read_bytes()[100:150]
    assert file.read(4990, 100) == place.read_bytes()[4990:]
    assert file.read(6000, 10) == b""
    assert remote_shards.table_place(server.url, "val").name.endswith(".val.table.npz")
