"""The loss: cross entropy, side heads, label smoothing, precision."""

import math

import pytest
import torch
from torch import Tensor, nn

from ilsvrc.train.loss import autocast, classification

LABELS = torch.tensor([0, 2, 0])  # not one of each: smoothing would not show in their mean
CPU = torch.device("cpu")


class Heads(nn.Module):
    """Answers the same logits for every image, from one head or several."""

    def __init__(self, *logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.ParameterList([nn.Parameter(torch.tensor(head)) for head in logits])

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        heads = tuple(head.expand(len(images), -1) for head in self.logits)
        return heads[0] if len(heads) == 1 else heads


def entropy(logits: list[float], smoothing: float = 0.0) -> float:
    """Mean over LABELS of the cross entropy with 1 - smoothing on the label and smoothing spread evenly, by hand."""
    total = 0.0
    for label in LABELS.tolist():
        rest = math.log(sum(map(math.exp, logits)))
        for index, logit in enumerate(logits):
            wanted = (1 - smoothing) * (index == label) + smoothing / len(logits)
            total -= wanted * (logit - rest)
    return total / len(LABELS)


def value(network: nn.Module, side_weight: float = 0.3, label_smoothing: float = 0.0) -> float:
    loss = classification(side_weight=side_weight, label_smoothing=label_smoothing, precision="fp32")
    return float(loss(network, (torch.zeros(3, 3, 2, 2), LABELS)).detach())


def test_one_head_has_its_mean_cross_entropy():
    assert value(Heads([2.0, -1.0, 0.5])) == pytest.approx(entropy([2.0, -1.0, 0.5]), rel=1e-6)


def test_a_network_that_knows_nothing_loses_the_logarithm_of_its_classes():
    assert value(Heads([0.0] * 1000)) == pytest.approx(math.log(1000), rel=1e-6)


def test_side_heads_are_added_with_three_tenths_of_their_loss_each():
    # Szegedy et al. 2015, section 5.
    main, side_1, side_2 = [2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [-1.0, 0.0, 1.0]
    wanted = entropy(main) + 0.3 * entropy(side_1) + 0.3 * entropy(side_2)
    assert value(Heads(main, side_1, side_2)) == pytest.approx(wanted, rel=1e-6)
    assert value(Heads(main, side_1, side_2), side_weight=0.0) == pytest.approx(entropy(main), rel=1e-6)


def test_smoothing_gives_a_tenth_to_all_classes_evenly():
    # Szegedy et al. 2016, section 7: the label has 1 - 0.1 + 0.1 / K.
    assert value(Heads([2.0, -1.0, 0.5]), label_smoothing=0.1) == pytest.approx(
        entropy([2.0, -1.0, 0.5], 0.1), rel=1e-6
    )


def test_every_head_gets_a_gradient():
    network = Heads([2.0, -1.0, 0.5], [0.1, 0.2, 0.3])
    loss = classification(side_weight=0.3, label_smoothing=0.0, precision="fp32")
    loss(network, (torch.zeros(3, 3, 2, 2), LABELS)).backward()
    main, side = (head.grad for head in network.logits)
    shares = torch.tensor([2 / 3, 0.0, 1 / 3])  # of the labels
    assert torch.allclose(main, torch.softmax(network.logits[0], 0) - shares, atol=1e-6)
    assert torch.allclose(side, 0.3 * (torch.softmax(network.logits[1], 0) - shares), atol=1e-6)


def test_in_bf16_the_network_computes_in_bf16_and_the_loss_in_float32():
    seen = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(12, 3)

        def forward(self, images: Tensor) -> Tensor:
            seen.append(self.fc(images.flatten(1)).dtype)
            return self.fc(images.flatten(1))

    batch = (torch.randn(3, 3, 2, 2), LABELS)
    for precision, wanted in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        loss = classification(side_weight=0.3, label_smoothing=0.0, precision=precision)(Watching(), batch)
        assert seen.pop() == wanted
        assert loss.dtype == torch.float32
    with autocast(CPU, "fp32"):
        assert not torch.is_autocast_enabled("cpu")
