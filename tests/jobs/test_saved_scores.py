"""Files of scores: they come back as they were, and a damaged one is a sentence."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ilsvrc.entries.protocols import PROTOCOLS
from ilsvrc.errors import DataError
from ilsvrc.jobs.saved_scores import Record, Scores, read_scores, save_scores, writer

RECORD = Record(
    model="vgg16",
    weights="runs/vgg16.0",
    image_size=224,
    width=1.0,
    protocol_name="vgg-both",
    protocol=PROTOCOLS["vgg-both"].protocol,
    data="mini",
    split="val",
    fingerprint="0123456789ab",
    engine="bf16",
    bad_images=("val_3",),
)


def some(count: int = 7, classes: int = 5) -> tuple[Scores, np.ndarray]:
    logits = np.random.default_rng(0).normal(size=(count, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    names = tuple(f"val_{number}" for number in range(count))
    labels = np.arange(count) % classes
    return Scores(RECORD, names, labels, tuple(f"n{number:08d}" for number in range(classes))), probabilities


@pytest.mark.parametrize(("kind", "off"), [("float32", 1e-7), ("float16", 1e-3)])
def test_scores_come_back_as_they_were(kind: str, off: float, tmp_path: Path):
    scores, probabilities = some()
    save_scores(tmp_path / "new" / "a.npz", scores, probabilities, kind)
    back = read_scores(tmp_path / "new" / "a.npz")
    assert (back.record, back.names, back.wnids) == (RECORD, scores.names, scores.wnids)
    assert np.array_equal(back.labels, scores.labels)
    assert back.probabilities.dtype == np.float32
    assert np.allclose(back.probabilities, probabilities, atol=off)
    with np.load(tmp_path / "new" / "a.npz") as stored:
        assert stored["probabilities"].dtype == kind, "numpy alone reads it"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.npz"]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_survives_the_file(name: str, tmp_path: Path):
    scores, probabilities = some(2)
    record = replace(RECORD, protocol=PROTOCOLS[name].protocol)
    save_scores(tmp_path / "a.npz", replace(scores, record=record), probabilities)
    assert read_scores(tmp_path / "a.npz").record.protocol == PROTOCOLS[name].protocol


def test_rows_may_come_in_any_order(tmp_path: Path):
    scores, probabilities = some()
    with writer(tmp_path / "a.npz", 5) as file:
        for place in (4, 0, 6, 2):
            file.rows.put(place, probabilities[place : place + 2])
        file.close(scores)
    assert np.allclose(read_scores(tmp_path / "a.npz").probabilities, probabilities, atol=1e-7)


def test_what_was_there_stays_when_nothing_is_closed(tmp_path: Path):
    scores, probabilities = some()
    save_scores(tmp_path / "a.npz", scores, probabilities)
    before = (tmp_path / "a.npz").read_bytes()
    with writer(tmp_path / "a.npz", 5) as file:
        file.rows.put(0, probabilities)
    assert (tmp_path / "a.npz").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_refused_wherever_it_was_cut_or_changed(tmp_path: Path):
    path = tmp_path / "a.npz"
    save_scores(path, *some())
    whole = path.read_bytes()
    sentence = r"a\.npz is no whole file of scores \(.*\); write it again with ilsvrc evaluate --save"
    for kept in range(0, len(whole), 61):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match=sentence):
            read_scores(path)
    place = whole.index(b"probabilities.npy") + 200  # within the first rows
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    with pytest.raises(DataError, match=sentence):
        read_scores(path)


def without(path: Path, name: str, **other: object) -> None:
    with np.load(path) as stored:
        parts = {each: stored[each] for each in stored.files if each != name}
    np.savez(path, **parts, **other)


@pytest.mark.parametrize("name", ["names", "probabilities", "labels", "wnids", "record"])
def test_a_file_that_lacks_a_part_is_refused(name: str, tmp_path: Path):
    save_scores(tmp_path / "a.npz", *some())
    without(tmp_path / "a.npz", name)
    with pytest.raises(DataError, match="is no whole file of scores"):
        read_scores(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"names": np.array(["a"] * 7)}, "an image is named twice"),
        ({"names": np.array(["a", "b"])}, "7 rows of 5 classes, and 2 names"),
        ({"labels": np.arange(7)}, "a label is not among 5 classes"),
        ({"labels": np.zeros(7)}, "of another type"),
        ({"wnids": np.array(["n1"])}, "1 WordNet ids"),
        ({"probabilities": np.full((7, 5), 0.5, np.float32)}, "a row is no distribution"),
        ({"probabilities": np.full((7, 5), np.nan, np.float32)}, "a row is no distribution"),
        ({"probabilities": np.full((7, 5), 0.2)}, r"probabilities are \(7, 5\) float64"),
        ({"record": np.array("{}")}, "of another version"),
        ({"record": np.array("[]")}, "is no whole file"),
        ({"record": np.array(json.dumps({"format": 1, "model": "a", "protocol": 3}))}, "names no protocol"),
        ({"record": np.array("[" * 99999)}, "is no whole file"),
    ],
    ids=str,
)
def test_parts_that_do_not_fit_are_refused_with_the_reason(other: dict, why: str, tmp_path: Path):
    save_scores(tmp_path / "a.npz", *some())
    (name,) = other
    without(tmp_path / "a.npz", name, **other)
    with pytest.raises(DataError, match=why):
        read_scores(tmp_path / "a.npz")


def test_other_files_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="is no whole file of scores"):
        read_scores(tmp_path / "absent.npz")
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(DataError, match="is no whole file of scores"):
        read_scores(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("record.npy", "no array")
    with pytest.raises(DataError, match="is no whole file of scores"):
        read_scores(tmp_path / "a.zip")


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written \(.*\); choose another place for --save"):
        save_scores(tmp_path / "file" / "a.npz", *some())
