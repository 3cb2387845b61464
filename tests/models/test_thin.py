"""Narrow projections of a miniature: exchanged, equal to what they replace, their names and first weights kept."""

import pytest
import torch
from torch import nn

from ilsvrc.models import build
from ilsvrc.models.thin import ThinProjection, replace_thin_projections


def strided(network: nn.Module) -> list[nn.Conv2d]:
    convs = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    return [conv for conv in convs if conv.kernel_size == (1, 1) and conv.stride != (1, 1)]


def test_no_miniature_keeps_a_strided_projection_of_under_eight_channels():
    # The kernel that computes its weight gradient writes outside its memory on a CPU with AVX2 alone.
    thin = [conv for conv in strided(build("resnet18", width=0.1, image_size=64)) if conv.in_channels < 8]
    assert thin
    assert all(type(conv) is ThinProjection for conv in thin)


def test_a_network_of_the_paper_s_width_is_left_alone():
    with torch.device("meta"):
        assert {type(conv) for conv in strided(build("resnet50"))} == {nn.Conv2d}


@pytest.mark.parametrize(("inputs", "groups", "stride", "bias"), [(6, 1, 2, False), (12, 2, 2, True), (3, 1, 3, True)])
def test_an_exchanged_projection_gives_the_same_numbers(inputs: int, groups: int, stride: int, bias: bool):
    conv = nn.Conv2d(inputs, 8, 1, stride, groups=groups, bias=bias).double()
    thin = replace_thin_projections(nn.Sequential(conv))[0]
    assert type(thin) is ThinProjection
    x = torch.randn(2, inputs, 7, 8, dtype=torch.float64)
    answers = []
    for layer in (conv, thin):
        images = x.clone().requires_grad_()
        layer.zero_grad()
        out = layer(images)
        (out * torch.arange(out.numel()).view_as(out)).sum().backward()
        answers.append((out.detach(), images.grad, layer.weight.grad.clone()))
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other)


def test_names_and_initialisation_stay(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    ours = build("resnet18", width=0.1, image_size=64).state_dict()
    monkeypatch.setattr("ilsvrc.models.replace_thin_projections", lambda network: network)
    torch.manual_seed(0)
    plain = build("resnet18", width=0.1, image_size=64).state_dict()
    assert list(ours) == list(plain)
    assert all(torch.equal(ours[name], plain[name]) for name in plain)
