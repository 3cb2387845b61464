"""The benchmark of prediction: what it compares, on a small scale; its times are nobody's business here."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ilsvrc import models, weights
from ilsvrc.bench import peers, predict, predict_side
from ilsvrc.bench.predict_side import PEERS
from ilsvrc.cli import run
from ilsvrc.models import MODELS
from ilsvrc.weights import Weights


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network's weights and three images beside it."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "photos").mkdir()
    for name in "abc":
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{name}.png")
    torch.manual_seed(0)
    record = Weights(
        model="resnet18",
        origin="a test",
        licence="none",
        sha256="0" * 64,
        channels="BGR",
        top=255.0,
        mean=(104.0, 117.0, 123.0),
        image_size=32,
        resize=32,
        width=0.125,
    )
    weights.save(folder / "w.safetensors", models.build("resnet18", 1000, 32, 0.125).eval(), record)
    return folder / "w.safetensors"


def test_first_guesses_are_compared_for_every_engine_here(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "ENGINES", ("eager", "fp32", "bf16"))
    assert run(["bench", "predict", "--weights", str(file), "--images", str(file.parent / "photos"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == []
    assert any(line.startswith("machine: ") for line in found["environment"])
    assert [row["engine"] for row in found["photographs"]] == ["fp32", "bf16"]
    assert found["photographs"][0]["change"]["images"] == 3
    assert found["photographs"][0]["change"]["largest"] < 1e-5


def test_rows_hold_rates_over_the_peer_and_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "ENGINES", ("eager", "bf16"))
    taken = {("theirs", 32): 4.0, ("eager", 32): 2.0, ("bf16", 32): 1.0, ("theirs", 1): 1.0, ("bf16", 1): 0.25}

    class Process:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, **request: object) -> dict[str, object]:
            engine = "theirs" if self.name == "theirs" else request["engine"]
            if request["do"] == "logits":
                torch.save(torch.tensor([[2.0, 2.1 if engine == "bf16" else 2.0]]), str(request["file"]))
            return {"seconds": taken.get((engine, request["batch"]), 0.5)}

        def __enter__(self) -> "Process":
            return self

        def __exit__(self, *reason: object) -> None:
            return None

    monkeypatch.setattr(predict, "side", lambda model, ours, folder: Process("ours" if ours else "theirs"))
    rows = predict.measure("plain18", 32, 3)
    assert [row.engine for row in rows] == ["our eager, as shipped", "eager", "bf16"]
    assert [row.batch for row in rows] == [8, 16, 32]
    assert [row.batch_ratio for row in rows] == [1, 2, 4]
    assert [row.single_ratio for row in rows] == [1, 2, 4]
    assert rows[2].off == pytest.approx(0.05, rel=1e-3)
    assert "| bf16 | 1.0 | 32.0 | 4.00 | 4.0 | 4.00 | 5e-02 |" in predict.table(rows, "plain18", 32)


def test_words_that_do_not_fit_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "predict", "resnet51"]) == 1
    assert "no network is called 'resnet51'" in capsys.readouterr().err
    assert run(["bench", "predict", "--images", "photos"]) == 1
    assert "give --images and --weights, or neither" in capsys.readouterr().err


def test_peers_are_those_of_networks_of_ours_and_absent_ones_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise ImportError

    assert set(PEERS) <= set(MODELS)
    monkeypatch.setattr(peers, "torchvision", absent)
    monkeypatch.setattr(peers, "timm", absent)
    assert predict_side.peer("resnet50_v1_5") is predict_side.peer("se_resnet50") is None
    assert predict.peer_name("resnet50_v1_5") == "our eager, as shipped"


@pytest.mark.slow
def test_both_sides_hold_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where no compiler is
    monkeypatch.delenv("CXX", raising=False)
    sides = [predict.side("plain18", ours, str(tmp_path)) for ours in (False, True)]
    with sides[0] as theirs, sides[1] as ours:
        for process in (theirs, ours):
            assert process(do="prepare", engine="eager", batch=2)["seconds"] >= 0
        assert predict._differences([(theirs, "eager"), (ours, "eager")], 2, tmp_path) == [0, 0]
        assert "C++ compiler" in theirs(do="prepare", engine="compiled", batch=2)["fault"]
