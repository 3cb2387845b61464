"""What a training leaves on the disk while it runs: often enough, whole, with the one before; and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small import BENCH, QUIET, Told, stopped_after, training
from test_training import same_weights, without_clock

from ilsvrc.cli import run
from ilsvrc.errors import DataError, Diverged, SpecError, WeightsError
from ilsvrc.jobs import train as job
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.train import run_training
from ilsvrc.spec import Steps
from ilsvrc.train import checkpoint, keeper
from ilsvrc.train.run import Run


@pytest.fixture
def half(splits: Splits, tmp_path: Path) -> Path:
    """A run that was stopped in its second epoch; it has two generations of its state."""
    stopped_after(6, training(), splits, tmp_path / "run")
    return tmp_path / "run"


def places(directory: Path) -> list[tuple[int, int]]:
    """Where the states in the directory stand, the newest first."""
    states = [torch.load(directory / name)["places"][0] for name in ("state.pt", "state.previous.pt")]
    return [(place["epoch"], place["step"]) for place in states]


@pytest.mark.slow
def test_the_generation_before_is_kept_until_the_training_is_done(half: Path, splits: Splits):
    assert places(half) == [(1, 1), (1, 0)]
    run_training(training(), splits, half, BENCH, QUIET)
    assert not (half / "state.previous.pt").exists()


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("harm", [flipped, cut_short, Path.unlink])
def test_a_damaged_state_falls_back_to_the_one_before_and_ends_in_the_same_bits(
    harm, half: Path, finished: dict[str, Run], splits: Splits
):
    harm(half / "state.pt")
    watch = Told()
    again = run_training(training(), splits, half, BENCH, watch)
    assert watch.lines[0] == (
        "state.pt is missing or damaged; state.previous.pt, the one before, is whole: going on from it"
    )
    assert same_weights(again, finished["resnet18"])
    assert without_clock(again) == without_clock(finished["resnet18"])


def test_a_long_epoch_is_saved_within(splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple[int, int]] = []
    save = keeper.Keeper.save
    monkeypatch.setattr(job, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(time, "monotonic", iter(range(10**6)).__next__)  # a save takes a second: 20 until the next
    monkeypatch.setattr(
        keeper.Keeper, "save", lambda self, place: (seen.append((place.epoch, place.step)), save(self, place))
    )
    run_training(training(), splits, tmp_path / "run", BENCH, QUIET)
    assert seen[0] == (0, 1)
    assert {place for place in seen if place[1] == 0} == {(1, 0), (2, 0)}
    assert len(seen) < 8, "saving takes a twentieth of the time at most"


PROGRAM = "import sys\nfrom ilsvrc.jobs import train\ntrain.SAVE_EVERY = 0.0\nfrom ilsvrc.cli import main\nmain()"
WORDS = ["train", "resnet18", "--width", "0.1", "--image-size", "48", "--epochs", "4", "--device", "cpu"]
WORDS += ["--precision", "fp32"]


def started(tiny: Path, out: Path, loaders: int) -> subprocess.Popen[str]:
    words = [*WORDS, "--data", str(tiny), "--out", str(out), "--loaders", str(loaders)]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_ends_in_the_same_bits(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert run([*WORDS, "--data", str(tiny), "--out", str(tmp_path / "whole"), "--loaders", "1"]) == 0
    seen: set[int] = set()
    for kills in range(2):
        process = started(tiny, tmp_path / "run", 1 + kills)
        state, before = tmp_path / "run" / "state.pt", state_of(tmp_path / "run")
        while process.poll() is None and (not state.exists() or state_of(tmp_path / "run") == before):
            time.sleep(0.001)
        time.sleep(0.02 * kills)  # somewhere between two saves, or in one
        process.send_signal(signal.SIGKILL)
        seen.add(process.wait())
    assert seen == {-signal.SIGKILL}
    monkeypatch.setattr(job, "SAVE_EVERY", 0.0)
    assert run([*WORDS, "--data", str(tiny), "--out", str(tmp_path / "run"), "--loaders", "3"]) == 0
    whole, other = Run(tmp_path / "whole"), Run(tmp_path / "run")
    assert same_weights(other, whole)
    assert without_clock(other) == without_clock(whole)
    states = [torch.load(each.state) for each in (other, whole)]
    buffers = [state["optimizer"]["state"] for state in states]
    assert buffers[0].keys() == buffers[1].keys()
    for place, ours in buffers[0].items():
        assert ours.keys() == buffers[1][place].keys()
        assert all(bool((value == buffers[1][place][name]).all()) for name, value in ours.items())
    assert {path.name for path in other.directory.iterdir()} == {path.name for path in whole.directory.iterdir()}


def state_of(directory: Path) -> object:
    try:
        return os.stat(directory / "state.pt").st_ino
    except FileNotFoundError:
        return None


def test_a_full_disk_is_known_before_the_first_step(splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(job, "train", None)
    with pytest.raises(DataError, match=r"has 1 MB free and this training needs \d+ MB there, for two checkpoints and"):
        run_training(training(), splits, tmp_path / "run", BENCH, QUIET)


def test_the_room_that_is_asked_for_is_what_is_taken(half: Path, splits: Splits, monkeypatch: pytest.MonkeyPatch):
    taken = max((half / name).stat().st_size for name in ("state.pt", "state.previous.pt"))
    network = job.built(training(), len(splits.train.classes), torch.device("cpu"))
    weights = keeper._bytes(network.state_dict())
    assert 2 * weights < taken < 1.3 * 3 * weights, "the estimate before the first step is of weights and two moments"


def test_a_folder_that_cannot_be_written_is_known_before_the_first_step(half: Path, splits: Splits, monkeypatch):
    def refused(*words: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoint.tempfile, "mkstemp", refused)
    monkeypatch.setattr(job, "train", None)
    with pytest.raises(DataError, match=r"could not be written .Permission denied.; what was saved before"):
        run_training(training(), splits, half, BENCH, QUIET)


def rewritten(directory: Path, change) -> None:
    for name in ("state.pt", "state.previous.pt"):
        state = torch.load(directory / name)
        change(state)
        torch.save(state, directory / name)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda state: state.pop("format"),
            r"state\.pt was written in format 1 by ilsvrc .*reads format 2; go on",
        ),
        (
            lambda state: state.update(format=9),
            r"written in format 9 by ilsvrc \S+, and ilsvrc \S+ reads format 2; go on",
        ),
        (
            lambda state: state["words"].update(model="vgg16"),
            "its model is vgg16, and resnet18 is trained here",
        ),
        (lambda state: state["words"].update(classes=7), "its classes is 7, and 20 is trained here; choose another"),
        (
            lambda state: state["kinds"].update(optimizer="SGD"),
            "it holds BadImages, SGD, Upkeep, and this training has BadImages, Upkeep, VelocitySGD",
        ),
        (lambda state: state["network"].pop("fc.bias"), "has no fc.bias, which the network wants"),
        (lambda state: state["optimizer"]["param_groups"].pop(), "its optimizer has other groups of parameters"),
    ],
)
def test_a_state_of_something_else_is_a_sentence(change, sentence: str, half: Path, splits: Splits):
    rewritten(half, change)
    with pytest.raises(WeightsError, match=sentence) as caught:
        run_training(training(), splits, half, BENCH, QUIET)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_state_of_two_processes_goes_on_alone_and_says_so(half: Path, splits: Splits):
    def divide(state: dict) -> None:
        place = state["places"][0]
        state["places"] = [
            {**place, "images": place["images"] - 9, "loss": place["loss"] - 20.0},
            {**place, "images": 9, "loss": 20.0},
        ]

    rewritten(half, divide)
    watch = Told()
    log = run_training(training(), splits, half, BENCH, watch).log()
    assert watch.lines[0] == "saved by 2 processes and continued by 1: equal to rounding, no longer to the bit"
    assert log[1]["loss"] == pytest.approx(2.9, abs=0.5)


def wild(**changes: object) -> job.Training:
    plain = training(epochs=3)
    recipe = replace(plain.member.recipe, schedule=Steps(at=(1.25,), factor=1e30), clip_norm=0.0, **changes)
    return replace(plain, member=replace(plain.member, recipe=recipe))


def test_a_training_that_diverges_keeps_the_last_good_state(splits: Splits, tmp_path: Path):
    with pytest.raises(Diverged, match=r"epoch 2 has a loss of .*; the last checkpoint is intact; a lower"):
        run_training(wild(), splits, tmp_path, BENCH, QUIET)
    state = torch.load(tmp_path / "state.pt")
    assert (state["places"][0]["epoch"], state["places"][0]["step"]) == (1, 0)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in state["network"].values())


def test_a_weight_that_is_no_number_is_not_saved(half: Path, splits: Splits):
    work = job.Work(training(), splits, Run(half), BENCH, job.Stores())
    work.resume(print)
    before = (half / "state.pt").read_bytes()
    with torch.no_grad():
        next(work.network.parameters())[0] = float("inf")
    with pytest.raises(Diverged, match="a weight is no longer a number in epoch 2; nothing of it is saved"):
        work.keeper.save(job.Place(1, 3))
    assert (half / "state.pt").read_bytes() == before


def test_a_mean_that_is_no_number_is_a_sentence(half: Path, splits: Splits):
    checkpoint.save_tensors(
        half / "input.safetensors", {"mean": torch.full((3, 1, 1), float("nan")), "unit": torch.ones(3, 1, 1)}, {}
    )
    with pytest.raises(WeightsError, match=r"input\.safetensors holds something that is no number; delete it and run"):
        run_training(training(), splits, half, BENCH, QUIET)


def test_fewer_images_than_a_batch_are_refused_before_anything_is_written(splits: Splits, tmp_path: Path):
    with pytest.raises(SpecError, match="has 60 training images and a batch is 64; give more images, or --batch 60 or"):
        run_training(training(batch=64), splits, tmp_path / "run", BENCH, QUIET)
    assert not (tmp_path / "run").exists()


def test_a_last_batch_of_one_image_is_refused_where_batch_norm_has_no_variance(splits: Splits, tmp_path: Path):
    small = training(batch=59)
    tiny = replace(small, member=replace(small.member, image_size=32))
    with pytest.raises(SpecError, match="leaves one image to a process, of which this network's batch norm"):
        run_training(tiny, splits, tmp_path / "run", BENCH, QUIET)
    assert not (tmp_path / "run").exists()


def test_another_batch_is_the_linear_rule_and_is_printed(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["train", "resnet18", "--data", str(tiny), "--out", str(tmp_path), "--width", "0.1", "--image-size", "48"]
    assert run([*words, "--epochs", "1", "--batch", "16", "--device", "cpu"]) == 0
    assert "batch 16 instead of 32, and the rate 0.01 instead of 0.02" in capsys.readouterr().err
    recipe = json.loads((tmp_path / "spec.json").read_text())["asked"]["member"]["recipe"]
    assert (recipe["batch"], recipe["optimizer"]["lr"]) == (16, 0.01)
    assert recipe["gaps"][-1].startswith("batch 16 instead of 32")
