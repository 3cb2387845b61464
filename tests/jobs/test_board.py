"""TensorBoard's files say what the log says, once."""

import sys

import pytest

from ilsvrc.jobs.board import Board

EPOCHS = [
    {"epoch": n, "loss": 1.0 / n, "top1_error": 0.5 / n, "top5_error": 0.25 / n, "rate": 0.1, "images_per_second": 9.0}
    for n in (1, 2, 3)
]


def test_a_restart_writes_each_epoch_once(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    first = Board(tmp_path / "tensorboard", EPOCHS[:1])
    first.add(EPOCHS[1])
    again = Board(tmp_path / "tensorboard", EPOCHS[:2])  # the first was killed and never closed
    again.add(EPOCHS[2])
    again.close()
    first.close()
    events = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = [(scalar.step, scalar.value) for scalar in events.Scalars("loss/train")]
    assert found == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert {"error/top-1", "error/top-5", "rate"} <= set(events.Tags()["scalars"])


def test_without_the_extra_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = Board(tmp_path / "tensorboard", EPOCHS)
    board.add(EPOCHS[0])
    board.close()
    assert not (tmp_path / "tensorboard").exists()
