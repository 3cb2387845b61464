"""The benchmark of the loader: what it reads, that it runs, and that it says what is needed to repeat it."""

import io
import json
import mmap
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ilsvrc import data
from ilsvrc.bench import data as bench
from ilsvrc.bench import photographs, reads
from ilsvrc.bench.photographs import forms
from ilsvrc.cli import run
from ilsvrc.errors import DataError


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty small JPEGs and a text in a tar."""
    path = tmp_path_factory.mktemp("archive") / "photos.tar"
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for number in range(40):
            buffer = io.BytesIO()
            small = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
            small.resize((300, 280 + number)).save(buffer, "JPEG")
            for name, content in ((f"a/{number}.JPEG", buffer.getvalue()), (f"a/{number}.txt", b"no image")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def test_every_form_holds_the_same_images(archive: Path, tmp_path: Path):
    made = forms(archive, tmp_path)
    sets = [data.open(place, "train") for place in (made.folders, made.archive, *made.by_name().values())]
    assert [len(found) for found in sets] == [40] * 5
    assert {found[7].name for found in sets} == {sets[0][7].name}
    assert sets[1][7].jpeg == sets[0][7].jpeg


def test_an_archive_of_too_few_images_is_a_sentence(tmp_path: Path):
    (tmp_path / "few").mkdir()
    with pytest.raises(DataError, match="few holds 0 images; 40 at least are wanted"):
        forms(tmp_path / "few", tmp_path / "made")
    (tmp_path / "no.tar").write_bytes(b"no tar")
    with pytest.raises(DataError, match=r"no\.tar cannot be read"):
        forms(tmp_path / "no.tar", tmp_path / "made")


@pytest.mark.slow
def test_generated_photographs_are_as_large_as_imagenet_s():
    made = photographs._generated(30)
    sizes = [Image.open(io.BytesIO(content)).size for _, content in made]
    assert np.median(np.prod(sizes, axis=1)) == pytest.approx(500 * 375, rel=0.15)
    assert 60_000 < np.mean([len(content) for _, content in made]) < 200_000
    assert made[:4] == photographs._generated(4)


@pytest.mark.slow
def test_the_command_prints_every_rate_and_ratio(archive: Path, monkeypatch, capsys):
    monkeypatch.setattr(reads, "TURN", 4)
    monkeypatch.setattr(bench, "network", lambda made: dict.fromkeys(NETWORK, 0))  # half a minute on a slow machine
    assert run(["bench", "data", "--images", str(archive), "--rounds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ours = {"original JPEG", "shards, short side 256", "raw shards"}
    assert ours <= set(found["images_per_second"]) <= ours | {"torchvision"}
    assert all(set(rates) == {"1", "2"} for rates in found["images_per_second"].values())
    assert set(found["two_workers_over_twice_one"]) == set(found["images_per_second"])
    assert set(found["over_torchvision"]) in (ours, set())
    assert {"machine", "versions", "images", "rounds", "command"} <= set(found)
    assert all(set(spent) == {*bench.STEPS, "bottleneck"} for spent in found["microseconds"].values())
    assert 0 < found["difference"]["normalised"] < 0.005
    assert found["difference"]["decoding_grey_levels"] == 0
    assert found["random_reads"]["turns"] == reads.TURNS
    assert all(each > 0 for each in found["random_reads"]["microseconds"].values())
    text = "\n".join(bench.lines(found, "ilsvrc bench data"))
    assert all(
        word in text for word in (*ours, "machine:", "versions:", "command:", "bottleneck", "two over twice one")
    )


NETWORK = ("images", "logit_change_over_deviation", "top1_changes", "top5_changes")


def test_a_rate_over_torchvision_s_is_taken_at_the_same_number_of_workers():
    rates = {"torchvision": {"1": 100.0, "2": 180.0}, "raw shards": {"1": 600.0, "2": 1260.0}}
    assert bench.over(rates) == {"raw shards": {"1": 6.0, "2": 7.0}}
    assert bench.over({"raw shards": {"1": 1.0}}) == {}


def test_all_ways_of_reading_give_the_same_image(archive: Path, tmp_path: Path):
    made = forms(archive, tmp_path)
    with made.archive.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        ways = reads._ways(made, mapped)
        for k in (0, 7, 39):
            assert len({read(k) for read in ways.values()}) == 1


def test_two_ways_are_compared_within_a_turn():
    """A turn in which the machine did something else is slow for both: their ratio tells nothing of it."""
    files, tar = [1.0, 1.0, 50.0, 1.0, 2.0], [0.9, 0.8, 45.0, 0.9, 1.8]
    assert reads._ratio(tar, files)["median"] == pytest.approx(0.9)
