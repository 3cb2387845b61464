"""Full layers whose weights stay rounded from step to step: the steps of those that are rounded anew, to rounding."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc.train import halves
from ilsvrc.train.loop import set_rate
from ilsvrc.train.optim import VelocitySGD

RATES = [0.1, 0.1, 0.01, 0.0, 0.01, 0.05]


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "LAYER", 1)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 5)).train()


def moves_of(net: nn.Module) -> VelocitySGD:
    return VelocitySGD(net.parameters(), 0.1, 0.9, 1e-2)


def pair() -> tuple[tuple[nn.Module, VelocitySGD], tuple[nn.Module, VelocitySGD]]:
    """A network, and the same with halves; the update is not compiled, so that the test takes no ten seconds."""
    plain, halved = network(), network()
    ours = moves_of(halved)
    halves.halve(halved, ours, halves.update)
    return (plain, moves_of(plain)), (halved, ours)


def step(net: nn.Module, moves: VelocitySGD, number: int, rate: float) -> float:
    images = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(number))
    set_rate(moves, rate)
    moves.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(images)
    loss = F.cross_entropy(logits.float(), torch.arange(8) % 5)
    loss.backward()
    moves.step()
    return loss.item()


def test_steps_with_halves_are_those_of_autocast():
    plain, halved = pair()
    for number, rate in enumerate(RATES):
        assert step(*halved, number, rate) == pytest.approx(step(*plain, number, rate), rel=1e-3)
    for (name, ours), theirs in zip(halved[0].named_parameters(), plain[0].parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=2e-4), name
        one, other = halved[1].state[ours]["momentum_buffer"], plain[1].state[theirs]["momentum_buffer"]
        assert torch.allclose(one, other, rtol=0, atol=2e-3), name


def test_an_update_is_the_papers_in_float32_and_the_half_is_its_rounding():
    # Krizhevsky et al. 2012, section 5, with b = -v / rate: b <- m b + d w + g;  w <- w - r b.
    w, b, g = torch.linspace(-1, 1, 8), torch.linspace(0, 1, 8), torch.linspace(2, 3, 8).bfloat16()
    wanted_b = 0.9 * b + (1e-2 * w + g.float())
    wanted = w - 0.1 * wanted_b
    half = torch.empty(8, dtype=torch.bfloat16)
    halves.update(w, b, half, g, *torch.tensor([0.9, 0.1, 1e-2]).unbind())
    assert torch.allclose(w, wanted, rtol=1e-6)
    assert torch.allclose(b, wanted_b, rtol=1e-6)
    assert torch.equal(half, w.bfloat16())


def test_names_and_gradients_of_a_network_are_its_own():
    _, (net, moves) = pair()
    step(net, moves, 0, 0.1)
    assert set(net.state_dict()) == set(network().state_dict())
    assert len(moves.state_dict()["state"]) == 6
    assert net[2].weight.grad is None
    assert net[2].bias.grad is not None
    moves.zero_grad()
    assert all(half.rounded.grad is None for half in moves.halves.values())


def test_whoever_writes_into_the_weights_is_heeded():
    plain, (net, moves) = pair()
    step(net, moves, 0, 0.1)
    net.load_state_dict(plain[0].state_dict())  # a checkpoint
    with torch.no_grad():
        net[4].weight.mul_(2)  # filters that are limited, averages that are put in
        plain[0][4].weight.mul_(2)
    x = torch.randn(4, 3, 6, 6)

    def seen(which: nn.Module) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return which(x).detach()

    assert torch.equal(seen(net), seen(plain[0]))
    assert torch.equal(seen(net.eval()), seen(plain[0].eval()))
    assert torch.equal(net(x), plain[0](x)), "float32 stays float32"


def test_a_training_goes_on_to_the_same_bits():
    _, (net, moves) = pair()
    for number in range(2):
        step(net, moves, number, 0.1)
    kept = copy.deepcopy((net.state_dict(), moves.state_dict()))
    losses = [step(net, moves, number, 0.05) for number in (2, 3)]
    _, (again, its) = pair()
    again.load_state_dict(kept[0])
    its.load_state_dict(kept[1])
    assert [step(again, its, number, 0.05) for number in (2, 3)] == losses
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), net.parameters(), strict=True))
