"""The race on the tiny set: from images to a report, stopped in the middle, started again, refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small import BENCH, QUIET, Told, training

from ilsvrc.cli import run
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature import MINIATURES, PROTOCOL
from ilsvrc.errors import SpecError
from ilsvrc.jobs import train as training_job
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.lap import expected_seconds
from ilsvrc.jobs.race import Wishes, race, seats
from ilsvrc.jobs.train import Training, run_training
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.run import Run

NAMES = ("alexnet", "resnet18")
WISHES = Wishes(names=NAMES, epochs=1, image_size=48, width=0.1)
WORDS = ["--models", *NAMES, "--epochs", "1", "--image-size", "48", "--width", "0.1", "--device", "cpu"]


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race without any stop. Read only."""
    out = tmp_path_factory.mktemp("race")
    race(str(tiny), out, WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    return out


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file()
    }


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = load_tensors(Run(one).weights), load_tensors(Run(other).weights)
    return ours.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_a_race_leaves_runs_numbers_and_a_report(whole: Path):
    assert {path.name for path in whole.iterdir()} == {"runs", "results.json", "report.html"}
    assert {path.name for path in (whole / "runs").iterdir()} == {"alexnet.0", "resnet18.0"}
    page = (whole / "report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert all(word in page for word in ("AlexNet", "ResNet-18", "ilsvrc race of the tests"))


def test_the_numbers_are_those_of_the_runs(whole: Path):
    results = json.loads((whole / "results.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in results["entries"]] == ["alexnet", "resnet18"]
    for entry in results["entries"]:
        scores = Run(whole / "runs" / f"{entry['name']}.0").read_scores()
        assert {"name", "year", "top1_error", "top5_error", "parameters", "epochs", "seconds"} <= set(entry)
        assert entry["top1_error"] == scores["scores"][0]["value"]
        assert entry["top5_error"] == scores["scores"][1]["value"]
        assert entry["epochs"] == 1
        assert entry["seconds"] == pytest.approx(scores["seconds"], rel=0.01)
        weights = load_tensors(whole / "runs" / f"{entry['name']}.0" / "weights.safetensors")
        learnt = sum(t.numel() for n, t in weights.items() if "running" not in n and "num_batches" not in n)
        assert entry["parameters"] == learnt
    assert [entry["year"] for entry in results["entries"]] == [2012, 2015]


def test_a_finished_race_redoes_nothing(whole: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(whole, tmp_path / "race")
    before = state_of(tmp_path / "race" / "runs")
    monkeypatch.setattr(training_job, "Work", None)  # whoever trains or judges again fails
    again = race(str(tiny), tmp_path / "race", WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    assert state_of(tmp_path / "race" / "runs") == before
    assert [c.name for c in again.contenders] == list(NAMES)
    old, new = (json.loads((folder / "results.json").read_text())["entries"] for folder in (whole, tmp_path / "race"))
    assert old == new


class Killed(BaseException):
    """As a SIGKILL: nothing of ours catches it."""


def die() -> None:
    raise Killed


@pytest.mark.slow
def test_a_killed_race_goes_on_and_redoes_nothing(whole: Path, tiny: Path, tmp_path: Path):
    out = tmp_path / "race"
    with pytest.raises(Killed):
        race(str(tiny), out, WISHES, BENCH, Told("2 of 2", die))
    done = state_of(out / "runs" / "alexnet.0")
    assert "scores.json" in done
    assert not (out / "results.json").exists()
    watch = Told()
    race(str(tiny), out, WISHES, BENCH, watch)
    assert state_of(out / "runs" / "alexnet.0") == done
    assert not any("1 of 2" in line for line in watch.lines)
    assert any("2 of 2" in line for line in watch.lines)
    for name in NAMES:
        assert same_weights(out / "runs" / f"{name}.0", whole / "runs" / f"{name}.0")
    assert (out / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_race_that_is_asked_to_stop_says_where_it_stands(number: signal.Signals, tiny: Path, tmp_path: Path):
    wishes = replace(WISHES, names=("resnet18",), epochs=3)
    asked = Told("epoch  1 of 3", lambda: os.kill(os.getpid(), number))
    with pytest.raises(
        Stopped, match=r"stopped in epoch 2 of resnet18, saved in .*; the same command goes on"
    ) as caught:
        race(str(tiny), tmp_path, wishes, BENCH, asked)
    assert caught.value.number == number
    assert len(Run(tmp_path / "runs" / "resnet18.0").log()) == 1
    race(str(tiny), tmp_path, wishes, BENCH, QUIET)
    assert len(Run(tmp_path / "runs" / "resnet18.0").log()) == 3


def test_a_race_with_other_settings_is_refused(whole: Path, tiny: Path, tmp_path: Path):
    before = state_of(whole)
    with pytest.raises(SpecError, match=r"holds a training with epochs = 1, and 2 is asked now; choose another output"):
        race(str(tiny), whole, replace(WISHES, epochs=2), BENCH, QUIET)
    assert state_of(whole) == before


def test_everybody_races_where_nobody_is_named():
    assert list(seats(Wishes())) == list(MINIATURES)
    full = seats(Wishes(full=True))
    assert {key: member.model for key, member in full.items()} == {
        key: ENTRIES[key].members[0].model for key in MINIATURES
    }
    assert all(member.recipe.starts_from is None for member in full.values()), "each can be trained from nothing"


def test_racers_are_named_by_network_or_entry_and_start_in_the_order_of_the_years():
    assert list(seats(Wishes(names=("resnet18", "clarifai-2013-cls", "alexnet")))) == [
        "supervision-2012-cls",
        "clarifai-2013-cls",
        "msra-2015-cls",
    ]


def test_a_stranger_is_refused_with_those_who_race():
    with pytest.raises(SpecError, match="'resnet50' does not race here; those who do: alexnet, zfnet, googlenet"):
        seats(Wishes(names=("alexnet", "resnet50")))


def test_wishes_hold_for_all():
    for member in seats(Wishes(image_size=96, width=0.3)).values():
        assert (member.image_size, member.width) == (96, 0.3)


def test_a_lap_tells_how_long_a_network_will_take(tiny: Path, splits: Splits):
    short, long = (expected_seconds(training(epochs=epochs), splits, BENCH) for epochs in (1, 50))
    assert 0 < short < 5
    assert long > 5 * short


def test_a_lap_does_not_change_what_is_trained(whole: Path, tiny: Path, tmp_path: Path):

    member = seats(WISHES)["msra-2015-cls"]
    alone = Training(member=member, protocol=PROTOCOL, epochs=1, seed=0)
    again = run_training(alone, open_splits(str(tiny)), tmp_path / "run", BENCH, QUIET)
    assert same_weights(again.directory, whole / "runs" / "resnet18.0")


def ilsvrc(*words: str, at: str | None = None, number: int = signal.SIGINT) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own; the signal is sent when a line holds `at`."""
    command = [sys.executable, "-m", "ilsvrc", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    lines = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if at and at in line:
            process.send_signal(number)
            at = None
    out = process.stdout.read() if process.stdout else ""
    return subprocess.CompletedProcess(command, process.wait(timeout=120), out, "".join(lines))


@pytest.mark.slow
def test_ctrl_c_saves_leaves_with_130_and_the_same_words_continue_to_the_same_bits(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["train", "alexnet", "--data", str(tiny), "--epochs", "10", "--image-size", "48", "--width", "0.1"]
    words += ["--device", "cpu", "--precision", "fp32", "--loaders", "2"]
    stopped = ilsvrc(*words, "--out", str(tmp_path / "stopped"), at="epoch  1 of 10")
    assert stopped.returncode == 130
    assert "stopped in epoch" in stopped.stderr
    assert "the same command goes on from there" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not (tmp_path / "stopped" / "scores.json").exists()
    assert run([*words, "--out", str(tmp_path / "stopped")]) == 0  # here: a process more would start for six seconds
    went_on = capsys.readouterr()
    assert "epoch  1 of 10" not in went_on.err
    assert f"everything is in {tmp_path / 'stopped'}" in went_on.out
    assert run([*words, "--out", str(tmp_path / "whole")]) == 0
    assert same_weights(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.slow
def test_a_race_that_was_killed_by_the_system_goes_on(
    whole: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["race", "--data", str(tiny), "--out", str(tmp_path / "race"), *WORDS, "--precision", "fp32"]
    killed = ilsvrc(*words, at="2 of 2", number=signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    done = state_of(tmp_path / "race" / "runs" / "alexnet.0")
    assert "scores.json" in done
    assert run(words) == 0
    assert state_of(tmp_path / "race" / "runs" / "alexnet.0") == done
    assert f"report: {tmp_path / 'race' / 'report.html'}" in capsys.readouterr().out
    for name in NAMES:
        assert same_weights(tmp_path / "race" / "runs" / f"{name}.0", whole / "runs" / f"{name}.0")
