"""The loop: what it calls when, and that being interrupted changes nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ilsvrc.errors import Diverged
from ilsvrc.train import checkpoint
from ilsvrc.train.loop import Batch, Course, Place, set_rate, train
from ilsvrc.train.optim import VelocitySGD

STEPS, EPOCHS, BEGIN = 5, 3, Place()


class Pass:
    """The batches of one epoch from a step on: a function of (epoch, step), the last one smaller."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def __len__(self) -> int:
        return STEPS

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self.place.step, STEPS):
            generator = torch.Generator().manual_seed(1000 * self.place.epoch + step)
            size = 2 if step == STEPS - 1 else 4
            yield torch.randn(size, 3, 8, 8, generator=generator), torch.randint(0, 3, (size,), generator=generator)


def network() -> nn.Module:
    """A convolution, batch norm and dropout: everything that has a memory or draws."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, 3)
    )


def loss(model: nn.Module, batch: Batch) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def rate(t: float) -> float:
    return 0.1 / (1 + t)


def moves(model: nn.Module, kind: str) -> torch.optim.Optimizer:
    if kind == "velocity":
        return VelocitySGD(model.parameters(), lr=0.1, weight_decay=1e-3)
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def course(start: Place = BEGIN, **changes: object) -> Course:
    plain = Course(epochs=EPOCHS, start=start, seed=5, after_epoch=lambda place, measured: None)
    return replace(plain, **changes)


def train_whole(kind: str = "velocity", **changes: object) -> nn.Module:
    model = network()
    end = train(model, Pass, moves(model, kind), rate=rate, loss=loss, run=course(**changes))
    assert end == Place(EPOCHS)
    return model


def same(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", ["velocity", "torch"])
@pytest.mark.parametrize("stops", [{3}, {1, 2, 3, 4, 8, 9, 13}, {5}, {4, 5, 6}, set(range(1, 15))])
def test_a_training_that_was_stopped_ends_in_the_same_bits(stops: set[int], kind: str, tmp_path: Path):
    left = set(stops)

    def pause(place: Place) -> bool:
        steps = place.epoch * STEPS + place.step
        return steps in left and (left.discard(steps) or True)

    model, place = network(), Place()
    optimizer = moves(model, kind)
    while place.epoch < EPOCHS:
        place = train(model, Pass, optimizer, rate=rate, loss=loss, run=course(place, pause=pause))
        state = {"network": model.state_dict(), "optimizer": optimizer.state_dict(), "place": vars(place)}
        checkpoint.save_state(tmp_path / "state.pt", state)
        # Another process: fresh objects, other global draws in between.
        torch.manual_seed(99)
        model = network()
        optimizer = moves(model, kind)
        state = checkpoint.load_state(tmp_path / "state.pt")
        model.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        place = Place(**state["place"])
    assert same(model, train_whole(kind))
    assert left <= {EPOCHS * STEPS}


def test_an_epoch_reports_the_mean_over_images_not_over_batches():
    # With a rate of 0 the network stays, so the mean can be taken again by hand.
    reports: list[dict[str, float]] = []
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    one = course(epochs=1, after_epoch=lambda place, measured: reports.append(measured))
    train(model, Pass, VelocitySGD(model.parameters(), lr=0.0), rate=lambda t: 0.0, loss=loss, run=one)
    images = torch.cat([batch[0] for batch in Pass(Place())])
    labels = torch.cat([batch[1] for batch in Pass(Place())])
    assert reports[0]["loss"] == pytest.approx(float(F.cross_entropy(model(images), labels).detach()), rel=1e-6)
    assert reports[0]["images"] == len(images) == 18
    assert reports[0]["seconds"] > 0


def test_a_stopped_epoch_reports_what_the_whole_one_would():
    reports: list[dict[str, float]] = []

    def noted(place: Place, measured: dict[str, float]) -> None:
        reports.append({"epoch": place.epoch, **measured})

    train_whole(after_epoch=noted)
    whole, model = list(reports), network()
    reports.clear()
    optimizer = moves(model, "velocity")
    stopped = course(after_epoch=noted, pause=lambda place: (place.epoch, place.step) == (1, 2))
    place = train(model, Pass, optimizer, rate=rate, loss=loss, run=stopped)
    assert (place.epoch, place.step, place.images) == (1, 2, 8)
    assert place.seconds > 0
    train(model, Pass, optimizer, rate=rate, loss=loss, run=course(place, after_epoch=noted))
    assert [(r["epoch"], r["loss"], r["images"]) for r in reports] == [
        (r["epoch"], r["loss"], r["images"]) for r in whole
    ]
    assert [r["epoch"] for r in reports] == [1, 2, 3]


def test_the_seconds_of_a_stopped_epoch_are_added_to_those_after_it():
    reports: list[float] = []
    late = Place(epoch=2, step=3, images=12, loss=12.0, seconds=1000.0)
    model = network()
    noted = course(late, after_epoch=lambda place, measured: reports.append(measured["seconds"]))
    train(model, Pass, moves(model, "velocity"), rate=rate, loss=loss, run=noted)
    assert 1000 < reports[0] < 1060


def test_the_rate_is_that_of_the_fraction_of_the_epoch():
    asked: list[float] = []

    def noted(t: float) -> float:
        asked.append(t)
        return 0.1

    model = network()
    train(model, Pass, moves(model, "velocity"), rate=noted, loss=loss, run=course(epochs=2))
    assert asked == pytest.approx([step / STEPS for step in range(2 * STEPS)])


def test_a_group_s_factor_multiplies_the_rate():
    model = network()
    optimizer = VelocitySGD(
        [{"params": model[0].parameters(), "rate_factor": 2.0}, {"params": model[5].parameters()}], 0.1
    )
    set_rate(optimizer, 0.03)
    assert [group["lr"] for group in optimizer.param_groups] == [0.06, 0.03]


def test_gradients_can_be_changed_before_each_update_and_are_fresh_each_time():
    seen: list[float] = []

    def still(model: nn.Module) -> None:
        seen.append(float(model[5].weight.grad.abs().sum()))
        for parameter in model.parameters():
            parameter.grad.zero_()

    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, Pass, optimizer, rate=rate, loss=loss, run=course(before_update=still))
    assert all(torch.equal(p, was) for p, was in zip(model.parameters(), before, strict=True))
    assert len(seen) == EPOCHS * STEPS
    assert min(seen) > 0


def test_the_network_is_in_training_mode_even_if_the_judge_left_it_otherwise():
    modes: list[bool] = []

    def noted(model: nn.Module, batch: Batch) -> Tensor:
        modes.append(model.training)
        return loss(model, batch)

    model = network()
    judged = course(after_epoch=lambda place, measured: model.eval())
    train(model, Pass, moves(model, "velocity"), rate=rate, loss=noted, run=judged)
    assert modes == [True] * (EPOCHS * STEPS)


def test_a_stop_asked_for_at_the_end_of_an_epoch_closes_it_first():
    closed: list[Place] = []
    model = network()
    asked = course(after_epoch=lambda place, measured: closed.append(place), pause=lambda place: place.epoch == 1)
    end = train(model, Pass, moves(model, "velocity"), rate=rate, loss=loss, run=asked)
    assert end == Place(1)
    assert closed == [Place(1)]


def test_a_training_that_is_done_takes_no_step():
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    end = train(model, Pass, moves(model, "velocity"), rate=rate, loss=loss, run=course(Place(EPOCHS)))
    assert end == Place(EPOCHS)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(("epoch", "kept"), [(0, "nothing was saved yet"), (2, "the last checkpoint is intact")])
def test_a_loss_that_is_no_number_ends_the_training_in_a_sentence(epoch: int, kept: str):
    model, closed = network(), []

    def broken(model: nn.Module, batch: Batch) -> Tensor:
        return loss(model, batch) * float("nan")

    fatal = course(Place(epoch), after_epoch=lambda place, measured: closed.append(place))
    with pytest.raises(Diverged, match=f"epoch {epoch + 1} has a loss of nan by step 5; {kept}; a lower learning"):
        train(model, Pass, moves(model, "velocity"), rate=rate, loss=broken, run=fatal)
    assert closed == []


def test_each_step_of_each_seed_draws_for_itself():
    # What counts is what comes out: PyTorch's CPU generator ignores all but 32 bits of its seed.
    draws = set()
    for seed in (0, 1, 2, 40_000, 2**32 - 1):
        for epoch in (0, 1, 16, 500):
            for step in (0, 1, 2, 300_000):
                torch.manual_seed(replace(course(), seed=seed).draw(epoch, step))
                draws.add(float(torch.rand(1, dtype=torch.float64)))
    assert len(draws) == 5 * 4 * 4


def test_dropout_depends_on_the_seed():
    assert not same(train_whole(seed=1), train_whole(seed=2))
    assert same(train_whole(seed=1), train_whole(seed=1))
