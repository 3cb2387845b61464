"""The page of several trainings, from the directories they leave."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ilsvrc.cli import run
from ilsvrc.entries.miniature import NORMALISED
from ilsvrc.errors import DataError
from ilsvrc.jobs.report import labels, report
from ilsvrc.spec import Member, as_json


def directory(folder: Path, name: str, *, seed: int = 0, losses: tuple[float, ...] = (2.0, 1.0)) -> Path:
    """A run as a training leaves it, without weights."""
    place = folder / name
    place.mkdir(parents=True)
    member = as_json(Member(model="resnet18", recipe=NORMALISED, image_size=64, width=0.25))
    asked = {"member": member, "epochs": 2, "classes": 20, "seed": seed, "data": "abc-def", "precision": "fp32"}
    here = {"cpu": "a processor", "cores": 2, "device": "cpu", "ilsvrc": "0", "torch": "0", "commit": "c"}
    (place / "spec.json").write_text(json.dumps({"asked": asked, "circumstances": here}))
    lines = [
        {"epoch": n, "loss": loss, "top1_error": loss / 4, "top5_error": loss / 8, "rate": 0.1, "seconds": 10.0 * n}
        | {"images_per_second": 120.0, "images": 1200}
        for n, loss in enumerate(losses, start=1)
    ]
    (place / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return place


def page(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>\n"))


def words(root: ElementTree.Element) -> str:
    return " ".join("".join(root.itertext()).replace("\N{NO-BREAK SPACE}", " ").split())


def test_every_run_has_its_line_in_every_drawing_and_its_numbers(tmp_path):
    directory(tmp_path / "runs", "one", losses=(2.0, 0.8))
    directory(tmp_path / "runs", "two", seed=1, losses=(2.4, 1.2))
    report([tmp_path / "runs"], tmp_path / "out" / "page.html")
    root = page(tmp_path / "out" / "page.html")
    for drawing in root.findall(".//svg"):
        assert len(drawing.findall(".//path[@class='line']")) == 2
    text = words(root)
    assert "The lowest top-1 error is 20.0 %, of one." in text
    assert "2 trainings not finished" in text
    assert "They differ in: seed." in text
    assert "30.0 %" in text


def test_a_training_that_looks_wrong_says_so_at_the_top(tmp_path):
    report([directory(tmp_path, "leapt", losses=(1.0, 9.0))], tmp_path / "page.html")
    assert "coming apart" in words(page(tmp_path / "page.html").find(".//header[@class='top']"))


def test_a_run_without_an_epoch_yet_is_drawn(tmp_path):
    report([directory(tmp_path, "new", losses=())], tmp_path / "page.html")
    assert "No epoch is done." in words(page(tmp_path / "page.html"))


def test_runs_of_the_same_name_are_told_apart_by_what_is_above_them():
    assert labels([Path("/a/x/run"), Path("/a/y/run")]) == ["x/run", "y/run"]
    assert labels([Path("/a/x/run"), Path("/a/y/other")]) == ["run", "other"]


def test_what_is_no_run_is_refused_in_a_sentence(tmp_path, capsys):
    assert run(["report", str(tmp_path)]) == 1
    assert "holds no training" in capsys.readouterr().err
    place = directory(tmp_path, "odd")
    spec = json.loads((place / "spec.json").read_text())
    spec["asked"]["member"] = {"is": "Nothing"}
    (place / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(DataError, match="cannot be understood"):
        report([place], tmp_path / "page.html")
