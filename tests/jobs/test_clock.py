"""The estimate of the time left, on a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.jobs.clock import Clock


class Time:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def drive(clock: Clock, time: Time, name: str, seconds: float, start: float = 0.0, steps: int = 100) -> list[float]:
    """One network at an even pace from `start` to its end; the estimates after each step."""
    clock.start(name)
    estimates = []
    for step in range(1, steps + 1):
        time.seconds += seconds / steps
        estimates.append(clock.left(start + (1 - start) * step / steps))
    clock.done(name)
    return estimates


def test_before_the_start_it_is_what_the_laps_promised():
    clock = Clock({"alexnet": 30.0, "vgg16": 90.0}, Time())
    assert clock.left() == 120.0
    assert clock.gone() == 0.0


def test_networks_at_the_promised_pace_count_down_second_by_second():
    time = Time()
    clock = Clock({"alexnet": 30.0, "vgg16": 90.0}, time)
    estimates = drive(clock, time, "alexnet", 30.0)
    assert estimates == pytest.approx([120 - 0.3 * step for step in range(1, 101)], abs=0.5)
    assert clock.left() == pytest.approx(90, abs=0.5)
    assert clock.gone() == pytest.approx(30)


def test_a_network_at_half_the_pace_is_believed_after_a_quarter_of_its_way():
    time = Time()
    clock = Clock({"alexnet": 30.0}, time)
    estimates = drive(clock, time, "alexnet", 60.0)
    assert estimates[1] == pytest.approx(29.4, abs=2), "two steps tell little"
    assert estimates[26] == pytest.approx(60 * 0.73, rel=0.02)
    assert estimates[-1] == pytest.approx(0, abs=1e-9)


def test_what_is_done_corrects_what_is_to_come():
    time = Time()
    clock = Clock({"alexnet": 30.0, "zfnet": 20.0, "vgg16": 90.0}, time)
    drive(clock, time, "alexnet", 36.0)
    assert clock.left() == pytest.approx(1.2 * 110, rel=0.01)
    drive(clock, time, "zfnet", 44.0)
    assert clock.left() == pytest.approx((1.2 + 2.2) / 2 * 90, rel=0.01), "the median of 1.2 and 2.2"


def test_one_disturbed_lap_corrects_by_no_more_than_half():
    time = Time()
    clock = Clock({"alexnet": 3000.0, "zfnet": 20.0}, time)
    drive(clock, time, "alexnet", 40.0)
    assert clock.left() == pytest.approx(10.0, rel=0.01)


def test_networks_that_were_done_before_cost_nothing_and_correct_nothing():
    time = Time()
    clock = Clock({"vgg16": 90.0}, time)
    for name in ("alexnet", "zfnet"):
        clock.start(name)
        clock.done(name)
    assert clock.left() == 90.0
    clock.start("vgg16")
    assert clock.left(0.1) == pytest.approx(81)


def test_a_network_that_goes_on_at_four_fifths_is_not_taken_for_a_fast_one():
    time = Time()
    clock = Clock({"alexnet": 100.0, "vgg16": 50.0}, time)
    estimates = drive(clock, time, "alexnet", 20.0, start=0.8)
    assert estimates[9] == pytest.approx(18 + 50, abs=1)
    assert clock.left() == pytest.approx(50), "too little was seen of it to correct the others"


def test_a_race_of_none_is_over():
    assert Clock({}, Time()).left() == 0.0


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 1e4)), st.data())
def test_it_is_never_below_zero_and_is_zero_at_the_end(expected: dict[str, float], data: st.DataObject):
    time = Time()
    clock = Clock(expected, time)
    for name in "abcdef":
        seconds = data.draw(st.floats(0, 1e4))
        estimates = drive(
            clock, time, name, seconds, start=data.draw(st.floats(0, 0.99)), steps=data.draw(st.integers(1, 7))
        )
        assert min(estimates) >= 0
        assert clock.left() >= 0
    assert clock.left() == 0
