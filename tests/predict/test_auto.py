"""The choice of an engine: when it is measured, what is taken, what is remembered, and what damage does."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.predict import auto, remember
from ilsvrc.predict.auto import Auto, Wish, Work
from ilsvrc.predict.engines import Engine
from ilsvrc.predict.measure import Change, Measured

EAGER = 0.1  # seconds per image


def took(prepare: float, image: float, largest: float) -> Measured:
    return Measured(prepare, image, Change(8, 1.0, largest, largest / 2))


@dataclass
class Machine:
    """One that has these engines and takes the time they say; it notes what was tried and what was prepared."""

    engines: dict[Engine, Measured]
    tried: list[Engine] = field(default_factory=list)
    prepared: list[Engine] = field(default_factory=list)

    def measure(self, network: nn.Module, engine: Engine, images: Tensor, eager: Tensor) -> tuple[Measured, Callable]:
        self.tried.append(engine)
        if engine not in self.engines:
            raise SpecError("not here")
        return self.engines[engine], self.runner(engine)

    def prepare(self, network: nn.Module, engine: Engine, images: Tensor) -> Callable:
        if engine != "eager":
            self.prepared.append(engine)
        return self.runner(engine)

    @staticmethod
    def runner(engine: Engine) -> Callable[[Tensor], Tensor]:
        return lambda images: torch.full((len(images), 2), float(len(engine)))


USUAL: dict[Engine, Measured] = {
    "fp32": took(0.1, 0.08, 1e-7),
    "bf16": took(0.1, 0.04, 1e-3),
    "openvino": took(3, 0.06, 1e-7),
    "openvino-bf16": took(3, 0.03, 1e-3),
    "compiled": took(10, 0.07, 1e-7),
    "compiled-bf16": took(10, 0.01, 0.5),
}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """Everything is there and fast enough to count on."""
    made = Machine(dict(USUAL))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(auto, "measured", made.measure)
    monkeypatch.setattr(auto, "prepared", made.prepare)
    monkeypatch.setattr(auto, "missing", lambda engine, device: "")
    monkeypatch.setattr(auto, "timed", lambda run, images: (EAGER * len(images), run(images)))
    return made


def chooser(lines: list[str] | None = None, *, half: bool = True, on: str = "a machine", **wish: object) -> Auto:
    network = nn.Sequential(*(nn.Linear(2, 2) for _ in range(50)))
    say = lines.append if lines is not None else (lambda line: None)
    return Auto(network, Wish(say=say, **wish), machine=on, half=half)  # type: ignore[arg-type]


BATCH = torch.zeros(32, 3, 8, 8)
MANY, FEW = Work(32, 100_000), Work(32, 32)


def test_one_image_is_computed_by_eager_and_nothing_is_measured_or_written(machine: Machine, tmp_path: Path) -> None:
    lines: list[str] = []
    choice = chooser(lines)
    choice(BATCH[:1], Work(1, 1))
    assert (choice.engine, machine.tried, machine.prepared) == ("eager", [], [])
    assert list(tmp_path.iterdir()) == []
    assert lines == ["engine: eager; 1 images are too few to measure others on"]


def test_much_work_has_all_measured_and_the_fastest_near_enough_taken(machine: Machine) -> None:
    lines: list[str] = []
    choice = chooser(lines)
    first = choice(BATCH, MANY)
    second = choice(BATCH, Work(32, 99_968))
    assert machine.tried == ["fp32", "bf16", "openvino", "openvino-bf16", "compiled", "compiled-bf16"]
    assert float(first[0, 0]) == len("eager"), "what eager has computed already is the answer"
    assert choice.engine == "openvino-bf16"
    assert float(second[0, 0]) == len("openvino-bf16")
    assert len(lines) == 1
    assert "openvino-bf16, 33.3 images/s where eager does 10; no probability was off by more than 0.001" in lines[0]


def test_what_is_off_by_more_than_was_said_is_not_taken(machine: Machine) -> None:
    choice = chooser(within=1e-5)
    choice(BATCH, MANY)
    assert choice.engine == "openvino"


def test_bfloat16_is_not_tried_where_it_is_emulated(machine: Machine) -> None:
    choice = chooser(half=False)
    choice(BATCH, MANY)
    assert machine.tried == ["fp32", "openvino", "compiled"]


def test_an_engine_is_tried_only_where_the_rest_repays_it(machine: Machine) -> None:
    chooser()(BATCH, Work(32, 300))
    assert machine.tried == ["fp32", "bf16"], "OpenVINO takes 3 s to be ready, and the rest is done in 11"


def test_what_was_measured_is_remembered_by_the_next_process(machine: Machine) -> None:
    chooser()(BATCH, MANY)
    machine.tried.clear()
    again = chooser()
    found = again(BATCH, MANY)
    assert (machine.tried, machine.prepared) == ([], ["openvino-bf16"])
    assert float(found[0, 0]) == len("openvino-bf16")


def test_a_remembered_engine_is_not_prepared_for_less_than_it_saves(machine: Machine) -> None:
    chooser()(BATCH, MANY)
    machine.prepared.clear()
    choice = chooser()
    choice(BATCH[:1], Work(32, 1))
    assert (choice.engine, machine.prepared) == ("eager", [])
    choice(BATCH, Work(32, 32))
    assert machine.prepared == ["bf16"], "ready in 0.1 s: 32 images in 1.3 s more, where OpenVINO needs 3 to start"


def test_another_machine_version_network_or_batch_is_measured_anew(machine: Machine) -> None:
    chooser()(BATCH, MANY)
    machine.tried.clear()
    chooser(on="a machine with another torch")(BATCH, MANY)
    assert len(machine.tried) == 6
    chooser()(BATCH[:1], Work(1, 100_000))
    assert len(machine.tried) == 12
    chooser()(torch.zeros(32, 3, 16, 16), MANY)
    assert len(machine.tried) == 18


def test_engines_that_fail_are_left_out_and_not_tried_again(machine: Machine) -> None:
    del machine.engines["openvino-bf16"], machine.engines["openvino"]
    choice = chooser()
    choice(BATCH, MANY)
    assert choice.engine == "bf16"
    machine.tried.clear()
    chooser()(BATCH, MANY)
    assert machine.tried == []


def test_a_remembered_engine_that_cannot_be_prepared_any_more_gives_way(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    chooser()(BATCH, MANY)

    def refuse(network: nn.Module, engine: Engine, images: Tensor) -> Callable:
        if engine == "openvino-bf16":
            raise SpecError("gone")
        return machine.runner(engine)

    monkeypatch.setattr(auto, "prepared", refuse)
    choice = chooser()
    assert float(choice(BATCH, MANY)[0, 0]) == len("bf16")


def test_all_are_measured_at_once_when_that_is_asked_for(machine: Machine) -> None:
    choice = chooser(at_once=True)
    choice(BATCH[:1], Work(1, 1))
    assert len(machine.tried) == 6


def test_who_shows_many_images_one_by_one_is_measured_for_too(machine: Machine) -> None:
    choice = chooser()
    for _ in range(60):
        choice(BATCH[:1], Work(1, 1))
    assert choice.engine == "bf16"


def test_engines_as_fast_as_another_yield_to_the_one_nearer_to_the_network(machine: Machine) -> None:
    machine.engines["openvino"] = took(3, 0.0301, 1e-7)
    choice = chooser()
    choice(BATCH, MANY)
    assert choice.engine == "openvino"


def test_int8_is_never_chosen_though_it_is_remembered(machine: Machine) -> None:
    choice = chooser()
    key = remember.key(choice.network, 8, 32, "a machine cpu")
    remember.write(key, {"eager": took(0, EAGER, 0), "int8": took(1, 0.001, 0.001)})
    choice(BATCH, FEW)
    assert choice.engine == "eager"


def test_a_file_is_written_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a" / "engines.json"
    remember.write("k", USUAL, path)
    remember.write("other", {"eager": took(0, 1, 0)}, path)
    assert remember.read("k", path) == USUAL
    assert [child.name for child in path.parent.iterdir()] == ["engines.json"]


@pytest.mark.parametrize(
    "damage",
    [
        *["", "{", "[]", "null", "7", '{"format": 1}', '{"format": 2, "engines": {}}', "[" * 100_000, "\x00\xff"],
        '{"format": 1, "engines": {"k": 3}}',
        '{"format": 1, "engines": {"k": {"fp32": {"prepare": "x", "image": 1, "change": {}}}}}',
        '{"format": 1, "engines": {"k": {"fp32": {"prepare": NaN, "image": 0, "change": null}}}}',
        '{"format": 1, "engines": {"k": {"fp32": {"prepare": 1, "image": -1, "change": '
        '{"images": 1, "agreement": 1, "largest": 0, "mean": 0}}}}}',
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "engines.json"
    path.write_text(damage, encoding="latin-1")
    assert remember.read("k", path) == {}
    remember.write("k", USUAL, path)
    assert remember.read("k", path) == USUAL


def test_a_file_cut_anywhere_is_read_without_complaint(tmp_path: Path) -> None:
    path = tmp_path / "engines.json"
    remember.write("k", USUAL, path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        assert set(remember.read("k", path)) <= set(USUAL)


def test_a_cache_that_cannot_be_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    remember.write("k", USUAL, tmp_path / "file" / "engines.json")
    assert remember.read("k", tmp_path / "file" / "engines.json") == {}
    (tmp_path / "taken").mkdir()
    remember.write("k", USUAL, tmp_path / "taken")  # a directory of that name: the rename fails
    assert sorted(child.name for child in tmp_path.iterdir()) == ["file", "taken"]


def test_the_file_is_in_the_user_s_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert remember.place() == Path("/somewhere/ilsvrc/engines.json")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert remember.place() == tmp_path / ".cache" / "ilsvrc" / "engines.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "")
    assert remember.place() is None or remember.place().is_absolute()  # type: ignore[union-attr]


def test_only_the_newest_networks_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remember, "ENTRIES", 3)
    path = tmp_path / "engines.json"
    for key in "abcad":
        remember.write(key, {"fp32": USUAL["fp32"]}, path)
    assert list(json.loads(path.read_text())["engines"]) == ["c", "a", "d"]
