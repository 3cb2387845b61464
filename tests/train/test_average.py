"""Averages of weights, by their formulas."""

import pytest
import torch
from torch import nn

from ilsvrc.spec import MovingAverage, TailMean
from ilsvrc.train.average import Averages


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))


def number(value: float) -> nn.Module:
    layer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    nn.init.constant_(layer.weight, value)
    return layer


def walked(spec: MovingAverage | TailMean, weights: list[float], start: float = 1.0) -> tuple[nn.Module, Averages]:
    """A network of one weight that takes those values in as many updates."""
    layer = number(start)
    averages = Averages(layer, spec)
    for step, weight in enumerate(weights):
        nn.init.constant_(layer.weight, weight)
        averages.update(step / len(weights))
    return layer, averages


def value(averages: Averages) -> float:
    return float(averages.values["weight"])


def test_a_moving_average_begins_as_tensorflow_s_does():
    # d = min(decay, (1 + n) / (10 + n)): 2 / 11 at the first update, 3 / 12 at the second.
    first = 2 / 11 * 1.0 + 9 / 11 * 2.0
    second = 3 / 12 * first + 9 / 12 * 4.0
    assert value(walked(MovingAverage(decay=0.9999), [2.0])[1]) == pytest.approx(first, rel=1e-12)
    assert value(walked(MovingAverage(decay=0.9999), [2.0, 4.0])[1]) == pytest.approx(second, rel=1e-12)


def test_a_moving_average_ends_with_its_own_decay():
    _, averages = walked(MovingAverage(decay=0.5), [2.0] * 30)
    before = value(averages)
    _, averages = walked(MovingAverage(decay=0.5), [2.0] * 30 + [6.0])
    assert value(averages) == pytest.approx(0.5 * before + 0.5 * 6.0, rel=1e-12)


def test_a_tail_mean_is_the_plain_mean_of_the_last_part():
    weights = [float(n * n) for n in range(20)]
    _, averages = walked(TailMean(last=0.25), weights)
    assert averages.updates == 5
    assert value(averages) == pytest.approx(sum(weights[15:]) / 5, rel=1e-12)
    _, whole = walked(TailMean(last=1.0), weights)
    assert value(whole) == pytest.approx(sum(weights) / 20, rel=1e-12)


def test_before_its_part_begins_a_tail_mean_leaves_the_network_as_it_is():
    layer, averages = walked(TailMean(last=0.1), [2.0, 3.0])
    with averages.applied():
        assert float(layer.weight.detach()) == 3.0


def test_the_network_has_the_averages_as_long_as_it_is_judged_and_then_its_own_weights_to_the_bit():
    model = network()
    averages = Averages(model, MovingAverage(decay=0.9))
    for _ in range(3):
        model(torch.randn(4, 3, 8, 8))  # moves batch norm's statistics
        with torch.no_grad():
            model[0].weight.add_(torch.randn_like(model[0].weight))
        averages.update(0.0)
    own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with averages.applied():
        for name, tensor in averages.values.items():
            assert torch.equal(model.state_dict()[name], tensor)
            assert not torch.equal(own[name], tensor) or name in ("1.weight", "1.bias", "0.bias")
    assert all(torch.equal(tensor, own[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(KeyboardInterrupt), averages.applied():
        raise KeyboardInterrupt
    assert all(torch.equal(tensor, own[name]) for name, tensor in model.state_dict().items())


def test_batch_norm_s_statistics_are_averaged_and_its_counter_is_not():
    assert set(Averages(network(), MovingAverage(decay=0.9)).values) == {
        *("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var")
    }


@pytest.mark.parametrize("spec", [MovingAverage(decay=0.7), TailMean(last=0.6)])
def test_averages_that_were_saved_go_on_to_the_same_bits(spec: MovingAverage | TailMean):
    weights = [0.1, 0.7, 0.2, 0.9, 0.4]
    _, whole = walked(spec, weights)
    layer = number(1.0)
    averages = Averages(layer, spec)
    for step, weight in enumerate(weights):
        if step == 3:
            saved = averages.state_dict()
            averages = Averages(layer, spec)
            averages.load_state_dict(saved)
        nn.init.constant_(layer.weight, weight)
        averages.update(step / len(weights))
    assert value(averages) == value(whole)
    assert averages.updates == whole.updates
