"""What a recipe does around an update: batch norm's statistics, filters, gradients, averages."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ilsvrc.entries.miniature import NORMALISED
from ilsvrc.errors import WeightsError
from ilsvrc.spec import BatchNorm, MovingAverage, Recipe, TailMean
from ilsvrc.train import normalise
from ilsvrc.train.optim import optimizer
from ilsvrc.train.upkeep import Upkeep, limit_filters


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(4, 2, 3))


def images(seed: int, count: int = 6) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def recipe(**changes: object) -> Recipe:
    return replace(NORMALISED, **({"epochs": 10, "clip_norm": 0.0} | changes))


def statistics(model: nn.Module) -> tuple[Tensor, Tensor]:
    return model[1].running_mean.clone(), model[1].running_var.clone()


def one_step(model: nn.Module, moves: torch.optim.Optimizer, upkeep: Upkeep, t: float) -> None:
    """As the loop takes it."""
    model.train()
    upkeep.before_step(model, t)
    loss = F.mse_loss(model(images(int(10 * t))), torch.ones(6, 2, 4, 4))
    moves.zero_grad()
    loss.backward()
    upkeep.before_update(model)
    moves.step()
    upkeep.after_update(model)


def test_statistics_follow_by_the_recipe_s_decay():
    model = network()
    Upkeep(model, recipe(batch_norm=BatchNorm(decay=0.9997)))
    model.train()
    batch = model[0](images(0)).detach()
    model(images(0))
    assert torch.allclose(model[1].running_mean, 0.0003 * batch.mean(dim=(0, 2, 3)), rtol=1e-3)


def test_frozen_batch_norm_keeps_statistics_scale_and_shift_while_the_rest_learns():
    # Hu et al. 2017: parameters and statistics, in the last epochs. Momentum and decay would move them else.
    model = network()
    upkeep = Upkeep(model, recipe(batch_norm=BatchNorm(frozen=2)))
    moves = optimizer(model, recipe().optimizer)
    one_step(model, moves, upkeep, 7.9)
    assert model[1].training
    held, scale, shift = statistics(model), model[1].weight.detach().clone(), model[1].bias.detach().clone()
    first = model[0].weight.detach().clone()
    for t in (8.0, 8.5, 9.9):
        one_step(model, moves, upkeep, t)
    assert all(torch.equal(now, was) for now, was in zip(statistics(model), held, strict=True))
    assert torch.equal(model[1].weight, scale)
    assert torch.equal(model[1].bias, shift)
    assert not torch.equal(model[0].weight, first)
    assert model[3].training, "dropout goes on"


def test_frozen_batch_norm_normalises_by_its_averages_in_training_too():
    model = network()
    model[1].running_mean.fill_(5.0)
    upkeep = Upkeep(model, recipe(batch_norm=BatchNorm(frozen=1)))
    model.train()
    upkeep.before_step(model, 9.5)
    x = model[0](images(1))
    assert torch.allclose(model[1](x), (x - 5.0) / (1 + 1e-5) ** 0.5, atol=1e-5)


def test_recomputed_statistics_are_the_mean_over_the_batches():
    # He et al. 2015: true averages over training images, after training. Torch: a batch's variance is unbiased.
    model = network()
    model[1].running_mean.fill_(7.0)
    batches = [images(seed) for seed in range(3)]
    normalise.recompute(model, batches)
    maps = [model[0](batch).detach() for batch in batches]
    assert torch.allclose(model[1].running_mean, sum(m.mean(dim=(0, 2, 3)) for m in maps) / 3, atol=1e-6)
    assert torch.allclose(model[1].running_var, sum(m.var(dim=(0, 2, 3)) for m in maps) / 3, atol=1e-5)
    assert model[1].momentum == pytest.approx(0.1)
    assert not any(layer.training for layer in model.modules())


def test_recomputing_draws_nothing_and_leaves_weights_alone():
    model = network()
    weights = [p.detach().clone() for p in model.parameters()]
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # dropout would show
        normalise.recompute(model, [images(0), images(1)])
        results.append(statistics(model))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    assert all(torch.equal(p, was) for p, was in zip(model.parameters(), weights, strict=True))


def test_a_norm_that_no_batch_reaches_keeps_its_statistics():
    class Sided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.side = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            x = self.norm(x)
            return (x, self.side(x)) if self.training else x

    model = Sided()
    model.side.running_mean.fill_(3.0)
    normalise.recompute(model, [images(0)])
    assert torch.equal(model.side.running_mean, torch.full((3,), 3.0))
    assert not torch.equal(model.norm.running_mean, torch.zeros(3))


def test_a_filter_over_the_limit_comes_back_to_it_and_others_stay():
    # Zeiler and Fergus 2013, section 3: a root mean square above 0.1, over all a filter sees.
    conv, full = nn.Conv2d(2, 3, 2), nn.Linear(4, 2)
    with torch.no_grad():
        conv.weight[0] = 0.4  # RMS 0.4
        conv.weight[1] = 0.05  # below
        conv.weight[2] = torch.tensor([0.3, 0.0, 0.0, 0.0, -0.1, 0.0, 0.0, 0.0]).reshape(2, 2, 2)  # sqrt(0.1 / 8)
        conv.bias.fill_(9.0)
        full.weight.fill_(9.0)
    limit_filters(nn.Sequential(conv, full), 0.1)
    rms = conv.weight.detach().square().mean(dim=(1, 2, 3)).sqrt()
    assert rms.tolist() == pytest.approx([0.1, 0.05, 0.1])
    assert torch.equal(conv.weight[1], torch.full((2, 2, 2), 0.05))
    ratio = float((conv.weight[2, 0, 0, 0] / conv.weight[2, 1, 0, 0]).detach())
    assert ratio == pytest.approx(-3), "a filter is scaled, not cut"
    assert torch.equal(conv.bias, torch.full((3,), 9.0))
    assert torch.equal(full.weight, torch.full((2, 4), 9.0))


def test_filters_are_limited_after_every_update():
    model = network()
    upkeep = Upkeep(model, recipe(filter_rms=0.1))
    one_step(model, torch.optim.SGD(model.parameters(), lr=5.0), upkeep, 0.0)
    for layer in (model[0], model[4]):
        assert float(layer.weight.detach().square().mean(dim=(1, 2, 3)).sqrt().max()) <= 0.1 + 1e-6


def test_averages_are_taken_after_filters_are_limited():
    model = network()
    upkeep = Upkeep(model, recipe(filter_rms=0.1, average=TailMean(last=1.0)))
    one_step(model, torch.optim.SGD(model.parameters(), lr=5.0), upkeep, 0.0)
    with upkeep.judged():
        assert float(model[0].weight.detach().square().mean(dim=(1, 2, 3)).sqrt().max()) <= 0.1 + 1e-6


def test_a_tail_mean_begins_at_its_part_of_the_recipe():
    model = network()
    upkeep = Upkeep(model, recipe(average=TailMean(last=0.2)))
    moves = torch.optim.SGD(model.parameters(), lr=0.1)
    for t in (0.0, 7.9, 8.0, 9.0):
        one_step(model, moves, upkeep, t)
    assert upkeep.averages.updates == 2


def test_a_checkpoint_without_averages_is_refused_where_the_recipe_keeps_some():
    upkeep = Upkeep(network(), recipe(average=MovingAverage(decay=0.9)))
    with pytest.raises(WeightsError, match=r"the checkpoint has no averages .* delete it to start this training anew"):
        upkeep.load_state_dict({})
    plain = Upkeep(network(), recipe())
    plain.load_state_dict({})
    assert plain.state_dict() == {}
