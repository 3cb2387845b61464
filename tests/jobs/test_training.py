"""One training, into a directory: stopped and continued, repeated, refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from small import BENCH, QUIET, SIZE, Told, stopped_after, training

from ilsvrc.data.decode import Image
from ilsvrc.data.loader import Loader
from ilsvrc.errors import DataError, Diverged, SpecError, WeightsError
from ilsvrc.jobs import train as job
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.train import run_training
from ilsvrc.spec import Steps
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.keeper import Keeper
from ilsvrc.train.run import Run


def same_weights(one: Run, other: Run) -> bool:
    ours, theirs = load_tensors(one.weights), load_tensors(other.weights)
    return ours.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


CLOCK = ("seconds", "images_per_second", "epoch_seconds", "waiting")


def without_clock(run: Run) -> list[dict[str, float]]:
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in run.log()]


@pytest.mark.slow
def test_a_run_leaves_what_can_be_read_years_later(finished: dict[str, Run], splits: Splits):
    run = finished["resnet18"]
    names = {path.name for path in run.directory.iterdir()} - {"tensorboard"}  # where the extra tb is installed
    assert names == {
        *{"spec.json", "log.jsonl", "state.pt", "weights.safetensors", "scores.json"},
        *{"predictions.npz", "input.safetensors", "classes.json"},
    }
    spec = run.spec()
    assert spec["asked"]["member"]["model"] == "resnet18"
    assert spec["asked"]["data"] == splits.fingerprint
    assert {"torch", "ilsvrc", "python", "cpu", "commit", "command"} <= set(spec["circumstances"])
    scores = run.read_scores()
    assert [score["metric"] for score in scores["scores"]] == ["top-1 error", "top-5 error"]
    assert all(score["images"] == 40 for score in scores["scores"])
    with safe_open(run.weights, "pt") as file:
        assert file.metadata() == {"model": "resnet18", "width": "0.1"}


def test_the_log_has_a_line_per_epoch_with_every_number(finished: dict[str, Run]):
    log = finished["resnet18"].log()
    assert [line["epoch"] for line in log] == [1, 2]
    measured = {"epoch", "loss", "top1_error", "top5_error", "rate", "images"}
    assert set(log[0]) == measured | {"seconds", "images_per_second", "epoch_seconds", "waiting"}
    assert 0 < log[0]["seconds"] < log[1]["seconds"], "seconds add up over the epochs"
    assert 2 < log[0]["loss"] < 4
    scores = finished["resnet18"].read_scores()["scores"]
    assert [score["value"] for score in scores] == [log[-1]["top1_error"], log[-1]["top5_error"]]


@pytest.mark.parametrize("model", ["alexnet", "resnet18"])
def test_the_same_words_give_the_same_bits(model: str, finished: dict[str, Run], splits: Splits, tmp_path: Path):
    torch.manual_seed(77)  # what was drawn before does not matter, nor how many threads load
    again = run_training(training(model), splits, tmp_path / "run", Bench(BENCH.device, "fp32", 3), QUIET)
    assert same_weights(again, finished[model])
    assert without_clock(again) == without_clock(finished[model])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("model", ["alexnet", "resnet18"])
@pytest.mark.parametrize("steps", [(1, 1, 1, 1, 1, 1, 1), (3,), (4,), (6,)])
def test_a_run_that_was_stopped_ends_in_the_same_bits(
    model: str, steps: tuple[int, ...], finished: dict[str, Run], splits: Splits, tmp_path: Path
):
    for count in steps:
        stopped_after(count, training(model), splits, tmp_path / "run")
        assert not (tmp_path / "run" / "scores.json").exists()
    again = run_training(training(model), splits, tmp_path / "run", BENCH, QUIET)
    assert same_weights(again, finished[model])
    assert without_clock(again) == without_clock(finished[model])
    ours, theirs = (read_predictions(run.directory / "predictions.npz") for run in (again, finished[model]))
    assert np.array_equal(ours.probabilities, theirs.probabilities)


class Killed(BaseException):
    """As a SIGKILL: nothing of ours catches it."""


def kill() -> None:
    raise Killed


@pytest.mark.sampled(1)
@pytest.mark.parametrize("moment", ["write_log", "save", "finish"])
def test_a_run_that_was_killed_ends_in_the_same_bits(
    moment: str, finished: dict[str, Run], splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    owner = {"write_log": Run, "save": Keeper, "finish": job.Work}[moment]
    written = getattr(owner, moment)
    calls = []

    def dies(self: object, *arguments: object) -> None:
        calls.append(1)
        if len(calls) == (1 if moment == "finish" else 2):
            kill()
        written(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, moment, dies)
        with pytest.raises(Killed):
            run_training(training(), splits, tmp_path / "run", BENCH, QUIET)
    again = run_training(training(), splits, tmp_path / "run", BENCH, QUIET)
    assert same_weights(again, finished["resnet18"])
    assert without_clock(again) == without_clock(finished["resnet18"])


def test_a_finished_run_is_not_touched(finished: dict[str, Run], splits: Splits, monkeypatch: pytest.MonkeyPatch):
    run = finished["resnet18"]
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in run.directory.iterdir()}
    monkeypatch.setattr(job, "Work", None)
    assert run_training(training(), splits, run.directory, BENCH, QUIET) == run
    assert before == {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in run.directory.iterdir()}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"epochs": 3}, "epochs = 2, and 3 is"),
        ({"seed": 1}, "seed = 0, and 1 is"),
        ({"width": 0.2}, r"member\.width = 0\.1, and 0\.2 is"),
        ({"batch": 8}, r"member\.recipe\.batch = 16, and 8 is"),
        ({"model": "alexnet"}, r"member\.model = \"resnet18\", and \"alexnet\" is"),
    ],
)
def test_other_words_are_refused_by_name(
    changes: dict[str, object], name: str, finished: dict[str, Run], splits: Splits
):
    with pytest.raises(SpecError, match=f"holds a training with .*{name} asked now; choose another output folder"):
        run_training(training(**changes), splits, finished["resnet18"].directory, BENCH, QUIET)


def test_other_images_are_refused(finished: dict[str, Run], splits: Splits):
    other = replace(splits, fingerprint="0123456789ab-0123456789ab")
    with pytest.raises(SpecError, match="holds a training with data = "):
        run_training(training(), other, finished["resnet18"].directory, BENCH, QUIET)


def test_another_seed_starts_orders_and_draws_otherwise(finished: dict[str, Run], splits: Splits, tmp_path: Path):
    other = run_training(training(seed=1), splits, tmp_path / "run", BENCH, QUIET)
    assert not same_weights(other, finished["resnet18"])


@pytest.mark.slow
def test_a_damaged_checkpoint_is_a_sentence_and_deleting_it_starts_anew(
    finished: dict[str, Run], splits: Splits, tmp_path: Path
):
    stopped_after(5, training(), splits, tmp_path / "run")
    states = [tmp_path / "run" / name for name in ("state.pt", "state.previous.pt")]
    for state in states:
        state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"state\.pt is not a checkpoint .*; delete it to start this training anew"):
        run_training(training(), splits, tmp_path / "run", BENCH, QUIET)
    for state in states:
        state.unlink()
    assert same_weights(run_training(training(), splits, tmp_path / "run", BENCH, QUIET), finished["resnet18"])


def test_a_training_that_diverges_says_what_is_left(splits: Splits, tmp_path: Path):
    wild = training()
    optimizer = replace(wild.member.recipe.optimizer, lr=1e30)
    recipe = replace(wild.member.recipe, optimizer=optimizer, schedule=Steps(at=()), clip_norm=0.0)
    with pytest.raises(Diverged, match=r"epoch 1 has a loss of (nan|inf) by step \d; nothing was saved"):
        run_training(replace(wild, member=replace(wild.member, recipe=recipe)), splits, tmp_path, BENCH, QUIET)


def test_a_network_that_cannot_be_is_a_sentence_before_anything_is_trained(splits: Splits, tmp_path: Path):
    small = training("alexnet")
    with pytest.raises(SpecError, match="image_size is 20 pixels; the smallest this network can take is 36"):
        run_training(replace(small, member=replace(small.member, image_size=20)), splits, tmp_path, BENCH, QUIET)
    assert not any(tmp_path.iterdir()), "the same folder must serve the size that is then asked for"
    assert not any(tmp_path.iterdir()), "nothing is left that would stand in the way of better words"


def test_what_a_person_sees_is_a_line_per_epoch(splits: Splits, tmp_path: Path):
    watch = Told()
    run_training(training(), splits, tmp_path / "run", BENCH, watch)
    assert len(watch.lines) == 2
    assert "resnet18" in watch.lines[0]
    assert all(word in watch.lines[0] for word in ("epoch  1 of 2", "loss", "top-1 error", "top-5 error", "images/s"))


def test_gradients_are_clipped_where_the_recipe_says_so(splits: Splits, tmp_path: Path):
    plain = training("alexnet")
    recipe = replace(plain.member.recipe, clip_norm=1.0)
    work = job.Work(
        replace(plain, member=replace(plain.member, recipe=recipe)), splits, Run(tmp_path), BENCH, job.Stores()
    )
    for parameter in work.network.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    work.upkeep.before_update(work.network)
    norm = torch.cat([p.grad.flatten() for p in work.network.parameters()]).norm()
    assert float(norm) == pytest.approx(1.0, rel=1e-3)


def test_an_image_that_cannot_be_read_is_a_sentence_with_its_name(tiny: Path, tmp_path: Path):
    shutil.copytree(tiny, tmp_path / "bad")
    victim = sorted((tmp_path / "bad" / "train").rglob("*.JPEG"))[7]
    victim.write_bytes(b"\xff\xd8 not any more")
    with pytest.raises(DataError, match=rf"{victim.stem} \(\d+ bytes\) is not an image that can be decoded"):
        run_training(training(), open_splits(str(tmp_path / "bad")), tmp_path / "run", BENCH, QUIET)


@pytest.mark.slow
def test_images_are_prepared_once_for_all_epochs(splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    prepared, seen = [], []
    prepare, one = Loader._prepared, Loader.one

    def noted(self: Loader, image: Image) -> object:
        prepared.append(image.name)
        return prepare(self, image)

    def looked(self: Loader, epoch: int, index: int) -> object:
        seen.append(index)
        return one(self, epoch, index)

    monkeypatch.setattr(Loader, "_prepared", noted)
    monkeypatch.setattr(Loader, "one", looked)
    run_training(training(epochs=3), splits, tmp_path / "run", BENCH, QUIET)
    # 60 for the mean, 60 to learn from and 40 to be judged on; three epochs, and a judgement more at the end.
    assert len(prepared) == 60 + 60 + 40
    assert len(seen) == 60 + 3 * 60 + 4 * 40


def test_the_size_is_the_one_asked_for():
    assert training().size == SIZE
    assert training().judged_by.size == SIZE
    whole = replace(training(), member=replace(training().member, image_size=None))
    assert whole.size == 224
