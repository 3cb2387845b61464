"""The benchmark of the test protocols measures what it says, on a network that takes no time."""

import json

import pytest
import torch
from torch import nn

from ilsvrc import models
from ilsvrc.bench import protocols
from ilsvrc.bench.photographs import pictures
from ilsvrc.bench.protocols import PARTS, Row, Wish, main, medians
from ilsvrc.errors import SpecError


@pytest.fixture(scope="module")
def photographs() -> list[tuple[str, bytes]]:
    return pictures(None, 6)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    def vgg() -> nn.Module:
        torch.manual_seed(0)
        return models.build("vgg11", 1000, 224, 0.03).eval()

    monkeypatch.setattr(protocols, "vgg", vgg)
    monkeypatch.setattr(protocols, "engines", lambda: ("fp32",))


@pytest.mark.slow
def test_the_parts_are_measured_as_they_are_called(narrow: None, photographs: list[tuple[str, bytes]]):
    rows = list(protocols.dense_beside_crops(1))
    assert [row.wanted for row in rows] == ["3.5 or more", "2.2 or more"]
    assert all(set(row.seconds) == {"ten crops", "dense", "dense and mirror"} for row in rows)
    assert rows[0].value == rows[0].seconds["ten crops"] / rows[0].seconds["dense"]
    (row,) = protocols.pixels_beside_network(1, photographs)
    assert "144 crops" in row.what
    assert 0 < row.value < 100
    (row,) = protocols.sizes_beside_one(1, photographs[:4])
    assert "4 photographs of" in row.what
    assert set(row.seconds) == {"all sizes", "one size"}


def test_a_part_that_is_none_is_a_sentence():
    with pytest.raises(SpecError, match="nothing to measure is called 'speed'; there are dense, crops, sizes, end"):
        main(Wish(parts=("speed",)), as_json=True)


def test_what_is_measured_is_printed_with_the_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(
        protocols, "dense_beside_crops", lambda rounds: iter([Row("a", 4.0, "3.5 or more", {"b": 0.5})])
    )
    monkeypatch.setattr(protocols, "pictures", lambda images, count: [])
    main(Wish(parts=PARTS[:1], rounds=2), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == [{"what": "a", "value": 4.0, "wanted": "3.5 or more", "seconds": {"b": 0.5}}]
    assert any(line.startswith("machine: ") for line in found["environment"])
    main(Wish(parts=PARTS[:1], rounds=2), as_json=False)
    assert "a: 4 (3.5 or more wanted): b 500.0 ms" in capsys.readouterr().out


def test_each_is_called_once_unmeasured_where_it_is_cold():
    calls: list[str] = []
    found = medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert set(found) == {"a", "b"}
    medians({"a": lambda: calls.append("a")}, 2, warm=True)
    assert len(calls) == 8
