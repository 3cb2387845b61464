"""The record of Tiny ImageNet: what it says it will do, and that a tiny version does it and leaves the record."""

import json
from pathlib import Path

import pytest
import torch

from ilsvrc import models
from ilsvrc.bench import record
from ilsvrc.errors import SpecError
from ilsvrc.jobs.machine import Bench
from ilsvrc.reports.progress import Watch

HERE = Bench(torch.device("cpu"), "fp32", 1)


def test_every_winner_can_be_built_at_its_size():
    for name, size in {**record.WINNERS, record.BEST[0]: record.BEST[1]}.items():
        with torch.device("meta"):
            models.build(name, 200, size)


def test_the_plan_names_every_training_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    record.main(["--data", "nowhere", "--out", str(tmp_path / "out"), "--seeds", "0", "1", "--device", "cpu", "--plan"])
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1 + 2 * (len(record.WINNERS) + 1)
    assert sum("at its best" in line and "176 px" in line and "100 epochs" in line for line in told) == 2
    assert sum("30 epochs" in line for line in told) == 2 * len(record.WINNERS)
    assert not (tmp_path / "out").exists()


def test_the_recipe_under_the_budget_is_chosen_and_the_best_one_stays():
    wish = record.Wish(data="nowhere", out=Path("out"), networks=("resnet18",), recipe="miniature", epochs=2)
    trained = {place: order.training().recipe.source for place, order in wish.orders().items()}
    assert trained == {
        "resnet18.0": "ours, for miniatures of networks with batch normalisation",
        "best.0": "modern, for networks with batch normalisation",
    }


def test_an_unknown_network_is_a_sentence():
    with pytest.raises(SpecError, match="no network is called 'resnet51'"):
        record.main(["--data", "nowhere", "--networks", "resnet51"])


@pytest.mark.slow
def test_a_tiny_version_leaves_table_curves_and_numbers_and_goes_on(tiny: Path, tmp_path: Path):
    wish = record.Wish(
        data=str(tiny),
        out=tmp_path,
        name="small",
        runs=tmp_path / "runs",
        networks=("resnet18",),
        epochs=1,
        best_epochs=1,
        width=0.1,
        batch=30,
        device="cpu",
    )
    page = record.record(wish, HERE, Watch(quiet=True))
    found = json.loads((tmp_path / "small.json").read_text())
    assert [row["run"] for row in found["runs"]] == ["resnet18.0", "best.0"]
    assert [len(row["curve"]) for row in found["runs"]] == [1, 1]
    assert {"command", "machine", "fingerprint"} <= set(found)
    assert f"--data {tiny}" not in found["command"], "places are of no use elsewhere"
    text = page.read_text()
    assert "[small.json](small.json)" in text
    assert "| resnet18, width 0.1 | 64 | " in text
    assert "Goal for ResNet-50 at its best: 65% top-1." in text
    assert (tmp_path / "small.html").stat().st_size > 1000
    before = (tmp_path / "runs/best.0/log.jsonl").read_bytes()
    assert record.plan(wish, HERE)[1].endswith("done")
    record.record(wish, HERE, Watch(quiet=True))
    assert (tmp_path / "runs/best.0/log.jsonl").read_bytes() == before
