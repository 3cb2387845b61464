"""What may differ in a step: parts of a batch, fp16's scale. Neither may change what is learnt."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ilsvrc.train.loss import classification
from ilsvrc.train.optim import VelocitySGD
from ilsvrc.train.step import LossScale, accumulated

LOSS = classification(side_weight=0.3, label_smoothing=0.1, precision="fp32")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 5)).double()


def batch(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 3, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.randint(0, 5, (count,), generator=generator)


def gradients(loss: object, count: int, weight: float = 1.0) -> tuple[float, list[Tensor]]:
    model = network()
    value = loss(model, batch(count))
    (value * weight).backward()
    return float(value.detach()), [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize(("count", "parts"), [(8, 2), (8, 8), (7, 3), (2, 5), (1, 4), (9, 1)])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(count: int, parts: int) -> None:
    value, wanted = gradients(LOSS, count, weight=0.7)
    in_parts, found = gradients(accumulated(LOSS, parts), count, weight=0.7)
    assert in_parts == pytest.approx(value, rel=1e-6)
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_only_a_part_is_in_the_network_at_a_time() -> None:
    sizes: list[int] = []
    model = network()
    model.register_forward_pre_hook(lambda _module, inputs: sizes.append(len(inputs[0])))
    accumulated(LOSS, 3)(model, batch(7)).backward()
    assert sizes == [3, 2, 2]


def test_parameters_that_a_batch_does_not_reach_are_no_obstacle() -> None:
    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(192, 5), nn.Linear(3, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.used(images.flatten(1).float())

    model = Partly()
    accumulated(LOSS, 2)(model, batch(4)).backward()
    assert model.used.weight.grad is not None
    assert float(model.idle.weight.grad.abs().max()) == 0


def trained(scaled: bool, steps: int = 4, spoil: int | None = None) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = network()
    optimizer = VelocitySGD(model.parameters(), lr=0.1)
    loss = LossScale(optimizer, scale=1024.0, patience=3).of(LOSS) if scaled else LOSS
    for step in range(steps):
        optimizer.zero_grad()
        loss(model, batch(4)).backward()
        if step == spoil:
            model[0].bias.grad[0] = float("inf")
        optimizer.step()
    return model, optimizer


def test_a_scaled_loss_learns_the_same() -> None:
    plain, scaled = trained(False)[0], trained(True)[0]
    for ours, theirs in zip(scaled.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12)


def test_gradients_are_scaled_inside_the_network_and_true_outside() -> None:
    inside: list[Tensor] = []
    for scaled in (False, True):
        model = network()
        optimizer = VelocitySGD(model.parameters(), lr=0.1)
        model[1].register_full_backward_hook(lambda _module, _into, out: inside.append(out[0]))
        loss = LossScale(optimizer, scale=1024.0).of(LOSS) if scaled else LOSS
        accumulated(loss, 2)(model, batch(4)).backward()
    assert torch.allclose(inside[2], 1024 * inside[0])
    assert torch.allclose(inside[3], 1024 * inside[1])


def test_a_step_with_an_infinite_gradient_is_left_out_and_the_scale_halved() -> None:
    model, optimizer = trained(True, steps=3, spoil=1)
    wanted, _ = trained(False, steps=2)
    assert optimizer.param_groups[0]["loss_scale"] == 512
    for ours, theirs in zip(model.parameters(), wanted.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12)


def test_the_scale_rises_after_good_steps_and_is_saved_with_the_optimizer() -> None:
    _, optimizer = trained(True, steps=4)
    assert optimizer.param_groups[0]["loss_scale"] == 2048
    other = VelocitySGD(network().parameters(), lr=0.1)
    scale = LossScale(other)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert scale.scale == 2048
    assert other.param_groups[0]["good_steps"] == 4
