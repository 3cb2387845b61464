"""SGD as the papers write it, and the groups that recipes ask for."""

import pytest
import torch
from torch import nn

from ilsvrc.entries.recipes import PAPER
from ilsvrc.models import build
from ilsvrc.spec import SGD
from ilsvrc.train.loop import set_rate
from ilsvrc.train.optim import VelocitySGD, optimizer

RATES = [0.1, 0.1, 0.1, 0.01, 0.01, 0.001]


def gradients(count: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(3, 4, generator=generator, dtype=torch.float64) for _ in range(count)]


def start() -> nn.Parameter:
    return nn.Parameter(torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4))


def walked(parameter: nn.Parameter, moves: torch.optim.Optimizer, rates: list[float]) -> torch.Tensor:
    """Where the parameter ends after a step with each rate on the same gradients."""
    for rate, gradient in zip(rates, gradients(len(rates)), strict=True):
        set_rate(moves, rate)
        parameter.grad = gradient.clone()
        moves.step()
    return parameter.detach()


def test_a_velocity_step_is_the_one_krizhevsky_et_al_print():
    # Section 5: v <- 0.9 v - 0.0005 e w - e dL/dw;  w <- w + v.
    w, v = start().detach().clone(), torch.zeros(3, 4, dtype=torch.float64)
    for e, gradient in zip(RATES, gradients(), strict=True):
        v = 0.9 * v - 0.0005 * e * w - e * gradient
        w = w + v
    parameter = start()
    moves = VelocitySGD([parameter], lr=0.1, momentum=0.9, weight_decay=0.0005)
    assert torch.allclose(walked(parameter, moves, RATES), w, rtol=0, atol=1e-15)


@pytest.mark.parametrize("decay", [0.0, 5e-4])
def test_both_forms_agree_while_the_rate_is_constant(decay: float):
    ours, theirs = start(), start()
    inside = walked(ours, VelocitySGD([ours], lr=0.1, momentum=0.9, weight_decay=decay), [0.1] * 6)
    outside = walked(theirs, torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=decay), [0.1] * 6)
    assert torch.allclose(inside, outside, rtol=0, atol=1e-12)


def test_after_a_drop_of_the_rate_the_velocity_still_carries_the_larger_step():
    ours, theirs = start(), start()
    zero = torch.zeros(3, 4, dtype=torch.float64)
    inside, outside = VelocitySGD([ours], lr=0.1, momentum=0.9), torch.optim.SGD([theirs], lr=0.1, momentum=0.9)
    walked(ours, inside, [0.1])
    walked(theirs, outside, [0.1])
    before = ours.detach().clone()
    for parameter, moves in ((ours, inside), (theirs, outside)):
        set_rate(moves, 0.01)
        parameter.grad = zero
        moves.step()
    gradient = gradients(1)[0]
    assert torch.allclose(ours - before, -0.9 * 0.1 * gradient, atol=1e-12)
    assert torch.allclose(theirs - before, -0.9 * 0.01 * gradient, atol=1e-12)


def test_parameters_without_a_gradient_stay():
    used, unused = start(), start()
    moves = VelocitySGD([used, unused], lr=0.1, weight_decay=0.1)
    used.grad = torch.ones_like(used)
    moves.step()
    assert torch.equal(unused, start())
    assert not torch.equal(used, start())
    VelocitySGD([start()], lr=0.1).step()


def test_an_optimizer_that_was_saved_takes_the_steps_it_would_have_taken():
    whole = start()
    wanted = walked(whole, VelocitySGD([whole], lr=0.1, weight_decay=1e-3), RATES)
    first, all_gradients = start(), gradients()
    moves = VelocitySGD([first], lr=0.1, weight_decay=1e-3)
    walked(first, moves, RATES[:3])
    second = nn.Parameter(first.detach().clone())
    resumed = VelocitySGD([second], lr=123.0, weight_decay=0.0)
    resumed.load_state_dict(moves.state_dict())
    for rate, gradient in zip(RATES[3:], all_gradients[3:], strict=True):
        set_rate(resumed, rate)
        second.grad = gradient.clone()
        resumed.step()
    assert torch.equal(second, wanted)


def test_a_closure_is_evaluated_once_and_its_value_returned():
    parameter = start()
    parameter.grad = torch.ones_like(parameter)
    assert VelocitySGD([parameter], lr=0.1).step(lambda: 3.5) == 3.5


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def test_biases_have_their_own_rate_and_no_decay_where_the_recipe_says_so():
    network = small()
    moves = optimizer(network, SGD(lr=0.01, weight_decay=5e-4, decay_biases=False, bias_rate=2.0))
    set_rate(moves, 0.005)
    weights, vectors = moves.param_groups
    assert {id(p) for p in weights["params"]} == {id(network[0].weight), id(network[3].weight)}
    assert {id(p) for p in vectors["params"]} == {id(p) for p in network.parameters() if p.ndim == 1}
    assert (weights["lr"], vectors["lr"]) == (0.005, 0.01)
    assert (weights["weight_decay"], vectors["weight_decay"]) == (5e-4, 0.0)


def test_biases_decay_where_the_recipe_says_so():
    moves = optimizer(small(), SGD(lr=0.01, weight_decay=5e-4))
    assert [group["weight_decay"] for group in moves.param_groups] == [5e-4, 5e-4]
    assert [group["rate_factor"] for group in moves.param_groups] == [1.0, 1.0]


def test_a_network_without_vectors_has_one_group():
    assert len(optimizer(nn.Linear(2, 2, bias=False), SGD(lr=0.1)).param_groups) == 1


def test_the_form_is_the_recipe_s():
    assert isinstance(optimizer(small(), SGD(lr=0.1)), VelocitySGD)
    theirs = optimizer(small(), SGD(lr=0.1, momentum=0.8, rate_inside=False, nesterov=True))
    assert isinstance(theirs, torch.optim.SGD)
    assert all(group["nesterov"] and group["momentum"] == 0.8 for group in theirs.param_groups)
    assert all(group["dampening"] == 0 for group in theirs.param_groups)


# Momentum and weight decay as printed, or as the released solver has them.
@pytest.mark.parametrize(
    ("model", "momentum", "decay", "decayed_biases", "bias_rate"),
    [
        ("alexnet", 0.9, 5e-4, False, 2.0),
        ("zfnet", 0.9, 5e-4, True, 1.0),
        ("googlenet", 0.9, 2e-4, False, 2.0),
        ("vgg16", 0.9, 5e-4, True, 1.0),
        ("resnet50", 0.9, 1e-4, False, 1.0),
        ("resnext50_32x4d", 0.9, 1e-4, True, 1.0),
        ("se_resnet50", 0.9, 1e-4, True, 1.0),
        ("senet154", 0.9, 1e-4, True, 1.0),
    ],
)
def test_momentum_and_decay_are_the_paper_s(
    model: str, momentum: float, decay: float, decayed_biases: bool, bias_rate: float
):
    spec = PAPER[model].optimizer
    assert (spec.momentum, spec.weight_decay) == (momentum, decay)
    assert (spec.decay_biases, spec.bias_rate) == (decayed_biases, bias_rate)


@pytest.mark.parametrize("model", ["alexnet", "googlenet", "resnet18", "se_resnet50"])
def test_every_parameter_of_a_network_is_in_one_group(model: str):
    with torch.device("meta"):
        network = build(model)
    groups = optimizer(network, SGD(lr=0.1)).param_groups
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


def test_a_rate_of_zero_lets_the_velocity_run_out_and_the_next_rate_goes_on_with_it():
    rates = [0.0, 0.1, 0.1, 0.0, 0.0, 0.05, 0.2]
    w, v = start().detach().clone(), torch.zeros(3, 4, dtype=torch.float64)
    for e, gradient in zip(rates, gradients(len(rates)), strict=True):
        v = 0.9 * v - 0.0005 * e * w - e * gradient
        w = w + v
    parameter = start()
    moves = VelocitySGD([parameter], lr=0.1, momentum=0.9, weight_decay=0.0005)
    assert torch.allclose(walked(parameter, moves, rates), w, rtol=0, atol=1e-15)


def test_a_gradient_that_lies_otherwise_in_memory_is_no_obstacle():
    ours, theirs = (nn.Parameter(torch.arange(24.0).reshape(2, 3, 2, 2)) for _ in range(2))
    gradient = torch.randn(2, 3, 2, 2)
    for parameter, grad in ((ours, gradient), (theirs, gradient.to(memory_format=torch.channels_last))):
        parameter.grad = grad
        VelocitySGD([parameter], lr=0.1).step()
    assert torch.equal(ours, theirs)
