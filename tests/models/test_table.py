"""Every network of the table: it builds, runs, learns, shrinks, survives being saved, and says no in a sentence."""

import copy
import inspect
import io
import math
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from ilsvrc.models import MODELS, build
from ilsvrc.models.anatomy import run
from ilsvrc.models.cards import CARDS

SMALLEST = {  # the sides, in pixels, that the geometry of each network allows at the least
    **dict.fromkeys(("alexnet", "alexnet_one_tower"), 36),
    **dict.fromkeys(("alexnet_caffe", "caffenet"), 39),
    **dict.fromkeys(("zfnet", "zfnet_big"), 47),
    "googlenet": 79,
    **{name: 1 for name in MODELS if name.startswith(("vgg", "resnext"))},
    **{name: 3 for name in MODELS if name.startswith(("resnet", "plain", "se_", "senet"))},
    **{name: 1 for name in MODELS if name.startswith("wideresnet") or name.endswith("_v1_5")},
    **dict.fromkeys(("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"), 32),
    "googlenet_torchvision": 15,
    "overfeat_fast": 71,
    "overfeat_accurate": 77,
    "nin": 39,
    **dict.fromkeys(("bn_inception", "se_bn_inception"), 7),
    **{name: 107 for name in MODELS if name.startswith("inception_v3")},  # the side head's window
    **{name: 75 for name in MODELS if "inception_v4" in name or "inception_resnet" in name},
    **{name: 3 if name.endswith("_caffe") else 1 for name in MODELS if name.startswith("preresnet")},
    **{name: 1 for name in MODELS if name.startswith("dpn")},
    "alexnet_torchvision": 63,
}
CLASSIFIERS = ("linear.weight", "fc.weight", "fc8.weight", "fc9.weight", "cccp8.weight")  # one output per class

SAME_CODE = {  # networks that differ from one that is run in depth, or in the padding of a pool, alone
    *("preresnet101", "preresnet152", "preresnet200", "preresnet152_caffe", "preresnet269_caffe"),
    *("zfnet_big", "dpn98", "dpn131", "wideresnet68_3", "inception_v3_torchvision", "inception_v4_caffe"),
    *("inception_resnet_v2", "inception_resnet_v2_caffe"),  # the one with gates is run
    *("resnet101", "resnet152", "resnet101_v1_5", "resnet152_v1_5", "se_resnet101", "se_resnet152"),
    *("resnext101_32x4d", "resnext101_64x4d", "se_resnext101_32x4d"),
}
RUN = [name for name in MODELS if name not in SAME_CODE]


@cache
def whole(name: str) -> nn.Module:
    """As printed, without weights. Read only."""
    return blank(name)


def blank(name: str, **arguments: float) -> nn.Module:
    with torch.device("meta"):
        return build(name, **arguments)


def miniature(name: str, width: float = 0.25) -> nn.Module:
    torch.manual_seed(0)
    return build(name, classes=20, image_size=mini_size(name), width=width)


def mini_size(name: str) -> int:
    return max(64, SMALLEST[name] + 1)


def pictures(name: str, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, mini_size(name), mini_size(name), generator=generator)


def loss_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    logits = output if isinstance(output, tuple) else (output,)
    labels = torch.arange(len(logits[0])) % 20
    return sum(nn.functional.cross_entropy(part.float(), labels) for part in logits)


def geometry(network: nn.Module) -> list[tuple[object, ...]]:
    """What a miniature must keep: kinds, kernels, strides, paddings and groups, in order."""
    return [
        (
            name,
            "Conv2d" if isinstance(m, nn.Conv2d) else type(m).__name__,  # very narrow ones are computed otherwise
            *(getattr(m, key, None) for key in ("kernel_size", "stride", "padding", "groups", "p")),
        )
        for name, m in network.named_modules()
    ]


@pytest.mark.parametrize("name", MODELS)
def test_a_builder_takes_classes_image_size_and_width_and_nothing_else(name: str) -> None:
    signature = inspect.signature(MODELS[name])
    assert [(p.name, p.default) for p in signature.parameters.values()] == [
        ("classes", 1000),
        ("image_size", CARDS[name].image_size),
        ("width", 1.0),
    ]


@pytest.mark.sampled
@pytest.mark.parametrize("name", MODELS)
def test_at_the_papers_size_it_has_a_logit_per_class(name: str) -> None:
    network = whole(name)
    assert run(network, CARDS[name].image_size, training=False).shape[1:] == (1000,)
    assert sum(p.numel() for p in network.parameters()) == CARDS[name].parameters


@pytest.mark.sampled
@pytest.mark.parametrize("name", RUN)
def test_a_miniature_trains_and_every_parameter_gets_a_gradient(name: str) -> None:
    network = miniature(name).train()
    loss = loss_of(network(pictures(name, count=4)))
    loss.backward()
    assert math.isfinite(loss.item())
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert dead == []
    still = [n for n, p in network.named_parameters() if n.endswith("weight") and not p.grad.any()]
    assert still == []


@pytest.mark.sampled
@pytest.mark.parametrize("name", RUN)
def test_a_miniature_takes_channels_last_and_bf16(name: str) -> None:
    network = miniature(name, width=0.125).eval()
    images = pictures(name)
    with torch.no_grad():
        wanted = network(images)
        network = network.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
        assert network.features(images).is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(network(images), wanted, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(images)
    assert logits.dtype == torch.bfloat16
    assert (logits - wanted).abs().max() < 0.1 * wanted.abs().max() + 0.02


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", RUN)
def test_saved_weights_give_the_same_logits_in_a_new_network(name: str) -> None:
    first = miniature(name, width=0.125).eval()
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    torch.manual_seed(5)
    second = build(name, classes=20, image_size=mini_size(name), width=0.125).eval()
    second.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        assert torch.equal(first(pictures(name)), second(pictures(name)))
        assert torch.equal(first(pictures(name)), copy.deepcopy(first)(pictures(name)))


@pytest.mark.sampled
@pytest.mark.parametrize("name", RUN)
def test_the_smallest_size_works_and_one_pixel_less_does_not(name: str) -> None:
    smallest = SMALLEST[name]
    network = build(name, classes=3, image_size=smallest, width=0.02).train()
    output = network(torch.randn(2, 3, smallest, smallest))
    assert all(part.shape == (2, 3) for part in (output if isinstance(output, tuple) else (output,)))
    with pytest.raises(ValueError, match=rf"image_size is {smallest - 1} .* smallest .* {smallest}$"):
        build(name, classes=3, image_size=smallest - 1)
    with pytest.raises(RuntimeError):  # the refusal is not over-careful: forced through, it fails
        network(torch.randn(2, 3, smallest - 1, smallest - 1))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", MODELS)
def test_width_keeps_depth_strides_groups_and_heads(name: str) -> None:
    as_printed = geometry(whole(name))
    for width in (0.02, 0.3):
        assert geometry(blank(name, width=width)) == as_printed, width


@pytest.mark.sampled
@pytest.mark.parametrize("name", MODELS)
def test_half_the_width_is_half_the_channels_of_every_layer(name: str) -> None:
    full, half = whole(name).state_dict(), blank(name, width=0.5).state_dict()
    for key, weight in full.items():
        if not key.endswith("weight") or key in CLASSIFIERS:
            continue
        outputs = 1000 if key.endswith("linear.weight") else weight.shape[0] // 2
        if name == "dpn92" and outputs == 48:
            outputs = 64  # 32 groups of three maps keep two
        assert half[key].shape[0] == outputs, key


@pytest.mark.sampled(24)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"classes": 0}, "classes is 0; a classifier needs at least 1"),
        ({"width": 0.0}, "width is 0.0; it multiplies the channels and must be above 0"),
        ({"width": -1.0}, "width is -1.0; it multiplies"),
        ({"width": math.nan}, "width is nan; it multiplies"),
        ({"width": math.inf}, "width is inf; it multiplies"),
    ],
)
def test_a_network_that_cannot_be_is_refused_in_a_sentence(
    name: str, arguments: dict[str, float], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        build(name, **arguments)


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(ValueError, match="no model is called 'resnet51'; did you mean resnet50"):
        build("resnet51")


def test_a_name_like_no_other_brings_them_all() -> None:
    with pytest.raises(ValueError, match=r"did you mean alexnet, .*senet154.*vgg19_bn.*preresnet269_caffe\?"):
        build("???")


def test_networks_that_are_not_run_are_those_of_the_table() -> None:
    assert set(MODELS) > SAME_CODE


def test_every_network_has_a_card_and_the_order_is_the_same() -> None:
    assert list(CARDS) == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_card_is_whole_sentences(name: str) -> None:
    card = CARDS[name]
    assert 2012 <= card.year <= 2017
    assert card.differences
    assert all(text.endswith(".") for text in (card.new, *card.differences))


def test_layers_carry_the_papers_names() -> None:
    keys = {
        "alexnet": {"conv1.weight", "conv5.bias", "fc6.weight", "fc8.bias"},
        "vgg19": {"conv1_1.weight", "conv5_4.bias", "fc7.weight"},
        "googlenet": {"conv1.weight", "inception_4b.conv_5x5.weight", "side_1.conv.weight", "linear.bias"},
        "resnet50": {"conv1.conv.weight", "conv4.5.conv2.norm.running_mean", "conv3.0.shortcut.conv.weight", "fc.bias"},
        "senet154": {"conv1.conv1_3.conv.weight", "conv5.2.se.fc2.bias"},
    }
    for name, wanted in keys.items():
        assert wanted <= set(whole(name).state_dict())
