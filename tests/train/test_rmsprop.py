"""RMSProp as TensorFlow means it: two steps by hand, the formula over many, and what PyTorch's does otherwise."""

import math

import pytest
import torch
from torch import nn

from ilsvrc.spec import RMSProp
from ilsvrc.train.loop import set_rate
from ilsvrc.train.optim import optimizer
from ilsvrc.train.rmsprop import TensorFlowRMSProp


def number(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor([value], dtype=torch.float64))


def stepped(parameter: nn.Parameter, moves: torch.optim.Optimizer, gradient: float) -> float:
    parameter.grad = torch.full_like(parameter, gradient)
    moves.step()
    return float(parameter.detach())


def test_two_steps_are_those_worked_out_by_hand():
    # decay 0.9, momentum 0.9, epsilon 1, rate 0.1; w = 1, gradients 2 and then -1.
    # s = 0.9 * 1 + 0.1 * 4 = 1.3;   m = 0.1 * 2 / sqrt(2.3) = 0.131876;          w = 0.868124
    # s = 0.9 * 1.3 + 0.1 = 1.27;    m = 0.9 m - 0.1 / sqrt(2.27) = 0.052316;     w = 0.815808
    w = number(1.0)
    moves = TensorFlowRMSProp([w], lr=0.1, decay=0.9, momentum=0.9, epsilon=1.0)
    assert stepped(w, moves, 2.0) == pytest.approx(0.868124, abs=1e-6)
    assert stepped(w, moves, -1.0) == pytest.approx(0.815808, abs=1e-6)


def test_weight_decay_goes_through_the_root_as_a_penalty_s_gradient_does():
    # g = 2 + 0.5 * 1 = 2.5: s = 0.9 + 0.1 * 6.25 = 1.525, w = 1 - 0.1 * 2.5 / sqrt(2.525).
    w = number(1.0)
    moves = TensorFlowRMSProp([w], lr=0.1, decay=0.9, epsilon=1.0, weight_decay=0.5)
    assert stepped(w, moves, 2.0) == pytest.approx(1 - 0.25 / math.sqrt(2.525), abs=1e-12)
    assert float(w.grad) == 2.0, "the gradient that others look at stays as it is"


def test_the_velocity_carries_the_rate_it_was_made_with():
    # As Caffe's SGD, and unlike PyTorch's: after a drop of the rate the older, larger step goes on.
    w = number(1.0)
    moves = TensorFlowRMSProp([w], lr=0.1, decay=0.9, momentum=0.9, epsilon=1.0)
    first = 1 - stepped(w, moves, 2.0)
    set_rate(moves, 0.001)
    assert 1 - first - stepped(w, moves, 0.0) == pytest.approx(0.9 * first, rel=1e-12)


def test_many_steps_follow_the_formula():
    generator = torch.Generator().manual_seed(2)
    w = nn.Parameter(torch.randn(4, 3, generator=generator, dtype=torch.float64))
    moves = TensorFlowRMSProp([w], lr=0.045, decay=0.9, momentum=0.9, epsilon=1.0, weight_decay=4e-5)
    wanted, s, m = w.detach().clone(), torch.ones(4, 3, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64)
    for rate in (0.045, 0.045, 0.0423, 0.0423):
        gradient = torch.randn(4, 3, generator=generator, dtype=torch.float64)
        g = gradient + 4e-5 * wanted
        s = 0.9 * s + 0.1 * g * g
        m = 0.9 * m + rate * g / torch.sqrt(s + 1.0)
        wanted = wanted - m
        set_rate(moves, rate)
        w.grad = gradient
        moves.step()
    assert torch.allclose(w.detach(), wanted, rtol=0, atol=1e-15)


def test_pytorch_s_own_is_another_optimizer():
    ours, theirs = number(1.0), number(1.0)
    one = stepped(ours, TensorFlowRMSProp([ours], lr=0.1, decay=0.9, momentum=0.9, epsilon=1.0), 2.0)
    other = stepped(theirs, torch.optim.RMSprop([theirs], lr=0.1, alpha=0.9, momentum=0.9, eps=1.0), 2.0)
    assert (1 - other) / (1 - one) == pytest.approx(0.93, abs=0.01)  # 1 / (sqrt(0.4) + 1) against 1 / sqrt(2.3)


def test_a_recipe_s_rmsprop_spares_vectors_the_decay():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    moves = optimizer(network, RMSProp(lr=0.045, momentum=0.9, epsilon=0.5, weight_decay=4e-5))
    assert isinstance(moves, TensorFlowRMSProp)
    weights, vectors = moves.param_groups
    assert (weights["weight_decay"], vectors["weight_decay"]) == (4e-5, 0.0)
    assert all((group["decay"], group["momentum"], group["epsilon"]) == (0.9, 0.9, 0.5) for group in (weights, vectors))
    assert [len(group["params"]) for group in (weights, vectors)] == [1, 3]


def test_what_was_saved_takes_the_steps_it_would_have_taken():
    whole, first = number(1.0), number(1.0)
    every = TensorFlowRMSProp([whole], lr=0.1, momentum=0.9)
    before = TensorFlowRMSProp([first], lr=0.1, momentum=0.9)
    for gradient in (2.0, -1.0):
        stepped(whole, every, gradient)
        stepped(first, before, gradient)
    second = nn.Parameter(first.detach().clone())
    after = TensorFlowRMSProp([second], lr=9.0)
    after.load_state_dict(before.state_dict())
    assert stepped(second, after, 0.5) == stepped(whole, every, 0.5)


def test_parameters_without_a_gradient_stay_and_a_closure_is_evaluated():
    used, unused = number(1.0), number(1.0)
    moves = TensorFlowRMSProp([used, unused], lr=0.1, weight_decay=0.1)
    used.grad = torch.ones_like(used)
    assert moves.step(lambda: 3.5) == 3.5
    assert float(unused.detach()) == 1.0 > float(used.detach())
    TensorFlowRMSProp([number(1.0)], lr=0.1).step()


def test_an_epsilon_of_zero_is_refused():
    with pytest.raises(ValueError, match="epsilon is 0; it must be above 0"):
        TensorFlowRMSProp([number(1.0)], lr=0.1, epsilon=0)
