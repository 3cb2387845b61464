"""Our networks beside the definitions their authors released: every layer's shapes, and the numbers that come out.

The tables and the seeded reference outputs lie in a folder beside the project; without it these tests are skipped.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ilsvrc.models import CARDS, build
from ilsvrc.models.anatomy import run
from ilsvrc.weights.releases import RELEASES

ORIGINALS = Path(__file__).resolve().parents[2].parent / "shared" / "originals"
pytestmark = pytest.mark.skipif(not ORIGINALS.is_dir(), reason="the folder of original definitions is absent")


# --- from a layer's name in Caffe to its name in our state dict; None for a layer we have no module for


def same(name: str) -> str:
    return name


def googlenet_name(name: str) -> str:
    fixed = {
        "conv1/7x7_s2": "conv1",
        "conv2/3x3_reduce": "conv2_reduce",
        "conv2/3x3": "conv2",
        "pool1/norm1": "norm1",
        "conv2/norm2": "norm2",
        "pool5/7x7_s1": "pool5",
        "pool5/drop_7x7_s1": "drop",
        "loss3/classifier": "linear",
    }
    if name in fixed:
        return fixed[name]
    block, layer = name.split("/")
    if block.startswith("pool"):
        return block
    if block.startswith("loss"):
        names = {"ave_pool": "pool", "conv": "conv", "fc": "fc", "drop_fc": "drop", "classifier": "linear"}
        return f"side_{block[-1]}.{names[layer]}"
    names = {"1x1": "conv_1x1", "3x3_reduce": "reduce_3x3", "3x3": "conv_3x3", "5x5_reduce": "reduce_5x5"}
    return f"{block}.{names.get(layer, {'5x5': 'conv_5x5'}.get(layer, layer))}"


def resnet_name(name: str) -> str:
    if name in ("pool1", "pool5"):
        return name
    if name in ("conv1", "fc1000"):
        return {"conv1": "conv1.conv", "fc1000": "fc"}[name]
    stage, letter, number, branch = re.fullmatch(r"res(\d)([a-z])(\d*)_branch(\w+)", name).groups()
    place = int(number) if number else ord(letter) - ord("a")
    layer = {"1": "shortcut", "2a": "conv1", "2b": "conv2", "2c": "conv3"}[branch]
    return f"conv{stage}.{place}.{layer}.conv"


def resnext_name(repeats: tuple[int, ...], block: str = "resx") -> Callable[[str], str]:
    places = [f"conv{stage}.{place}" for stage, count in enumerate(repeats, start=2) for place in range(count)]

    def translate(name: str) -> str:
        if not name.startswith(block):
            return {"conv1": "conv1.conv", "pool1": "pool1", "pool_ave": "pool5", "classifier": "fc"}[name]
        number, layer = re.fullmatch(rf"{block}(\d+)_(\w+)", name).groups()
        return f"{places[int(number) - 1]}.{'shortcut' if layer == 'match_conv' else layer}.conv"

    return translate


def senet_name(name: str) -> str | None:
    if name.startswith(("pool", "classifier")):
        return {"p": name.split("/")[0], "c": "fc"}[name[0]]
    if name.startswith("conv1/"):
        return "conv1.conv"
    if name.startswith("conv1_"):
        return f"conv1.{name.split('/')[0]}.conv"
    stage, number, layer = re.fullmatch(r"conv(\d)_(\d+)_(\w+)", name).groups()
    block = f"conv{stage}.{int(number) - 1}"
    names = {
        "1x1_reduce": "conv1.conv",
        "3x3": "conv2.conv",
        "1x1_increase": "conv3.conv",
        "1x1_down": "se.fc1",
        "1x1_up": "se.fc2",
        "1x1_proj": "shortcut.conv",  # also where it is a 3x3
        "global_pool": None,  # a mean inside our block
    }
    return f"{block}.{names[layer]}" if names[layer] else None


def bn_inception_name(name: str) -> str | None:
    if name.startswith(("pool", "classifier")):
        return {"p": name.split("/")[0], "c": "linear"}[name[0]]
    if name.startswith("conv"):
        layer = {"conv1/7x7_s2": "conv1", "conv2/3x3_reduce": "conv2_reduce", "conv2/3x3": "conv2"}[name]
        return f"{layer}.conv"
    module, layer = re.fullmatch(r"(inception_\d\w)[/_](.*)", name).groups()
    names = {
        "1x1": "conv_1x1.conv",
        "3x3_reduce": "reduce_3x3.conv",
        "3x3": "conv_3x3.conv",
        "double3x3_reduce": "reduce_double.conv",
        "double3x3a": "double_a.conv",
        "double3x3b": "double_b.conv",
        "pool": "pool",
        "pool/3x3_s2": "pool",
        "pool_proj": "pool_proj.conv",
        "1x1_down": "se.fc1",
        "1x1_up": "se.fc2",
        "global_pool": None,  # a mean inside our gate
    }
    return f"{module}.{names[layer]}" if names[layer] else None


def unit_name(repeats: tuple[int, ...], block: str) -> Callable[[str], str]:
    """Pre-activated ResNets and dual-path networks: blocks are counted through."""
    places = [f"conv{stage}.{place}" for stage, count in enumerate(repeats, start=2) for place in range(count)]

    def translate(name: str) -> str:
        fixed = {"conv1": "conv1.conv", "pool5": "pool5", "pool_ave": "pool5", "classifier": "fc", "pool1": "pool1"}
        if name in fixed:
            return fixed[name]
        number, layer = re.fullmatch(rf"{block}(\d+)_(\w+)", name).groups()
        inside = {"conv1": "conv1.conv", "conv2": "conv2.conv", "conv3": "conv3"}
        if block == "res":
            return f"{places[int(number) - 1]}.{inside.get(layer, 'shortcut')}"
        return f"{places[int(number) - 1]}.{f'branch.{inside[layer]}' if layer in inside else 'shortcut.conv'}"

    return translate


def inception_name(model: str) -> Callable[[str], str]:
    """By the table of names in weights/, turned round; what that says of branch and place, shapes and strides hold."""
    with torch.device("meta"):
        network = build(model)
    names = RELEASES[model].names
    places = {names(n.removesuffix(".conv"))[0]: n for n, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    places |= {
        "classifier": "linear",
        "pool_8x8_s1": "pool",
        "pool_8x8_s1_drop": "drop",
        "ave_pool": "mixed_5b.branch_4.pool",
    }
    stem = {"pool1_3x3_s2": "pool_3a", "pool2_3x3_s2": "pool_5a"}
    places |= stem | {f"inception_stem{k}_pool": f"mixed_{k + 2}a.branch_{(1, 0, 2)[k - 1]}" for k in (1, 3)}
    reductions = ("mixed_6a.branch_3", "mixed_7a.branch_3" if "v3" in model else "mixed_7a.branch_4")
    if "v4" in model:
        reductions = ("reduction_a.branch_3", "reduction_b.branch_3")
    places |= dict(zip(("reduction_a_pool", "reduction_b_pool"), reductions, strict=True))

    def translate(name: str) -> str:
        pool = re.fullmatch(r"inception_([abc])(\d)_pool(_ave)?", name)
        if name in places or not pool:
            return places[name]
        kind, number = pool.group(1), int(pool.group(2)) - 1
        if "v4" in model:
            return f"inception_{kind}.{number}.branch_4.pool"
        return f"mixed_{'567'['abc'.index(kind)]}{'bcdef'[number]}.branch_4.pool"

    return translate


ORIGINAL = {  # definition: our network, translation of names
    "bvlc_alexnet_deploy": ("alexnet_caffe", same),
    "bvlc_alexnet_train_val": ("alexnet_caffe", same),
    "bvlc_reference_caffenet_deploy": ("caffenet", same),
    "bvlc_googlenet_deploy": ("googlenet", googlenet_name),
    "bvlc_googlenet_train_val": ("googlenet", googlenet_name),
    "VGG_ILSVRC_16_layers_deploy_v1": ("vgg16", same),
    "VGG_ILSVRC_19_layers_deploy_v1": ("vgg19", same),
    "ResNet-50-deploy": ("resnet50", resnet_name),
    "ResNet-101-deploy": ("resnet101", resnet_name),
    "ResNet-152-deploy": ("resnet152", resnet_name),
    "soeaver_resnext50-32x4d": ("resnext50_32x4d", resnext_name((3, 4, 6, 3))),
    "soeaver_resnext101-32x4d": ("resnext101_32x4d", resnext_name((3, 4, 23, 3))),
    "soeaver_resnext101-64x4d": ("resnext101_64x4d", resnext_name((3, 4, 23, 3))),
    "SE-ResNet-50": ("se_resnet50", senet_name),
    "SE-ResNet-101": ("se_resnet101", senet_name),
    "SE-ResNet-152": ("se_resnet152", senet_name),
    "SE-ResNeXt-50": ("se_resnext50_32x4d", senet_name),
    "SE-ResNeXt-101": ("se_resnext101_32x4d", senet_name),
    "SENet-154": ("senet154", senet_name),
    "SE-BN-Inception": ("se_bn_inception", bn_inception_name),
    "soeaver_wrn50-2": ("wideresnet50_2", resnext_name((3, 4, 6, 3), "res")),
    "soeaver_resnet101-v2": ("preresnet101_caffe", unit_name((3, 4, 23, 3), "res")),
    "soeaver_resnet152-v2": ("preresnet152_caffe", unit_name((3, 8, 36, 3), "res")),
    "soeaver_resnet269-v2": ("preresnet269_caffe", unit_name((3, 30, 48, 8), "res")),
    "soeaver_dpn92": ("dpn92", unit_name((3, 4, 20, 3), "dpn")),
    "soeaver_dpn98": ("dpn98", unit_name((3, 6, 20, 3), "dpn")),
    "soeaver_dpn131": ("dpn131", unit_name((4, 8, 28, 3), "dpn")),
    "soeaver_inception-v3": ("inception_v3_mxnet", inception_name("inception_v3_mxnet")),
    "soeaver_inception-v4": ("inception_v4_caffe", inception_name("inception_v4_caffe")),
    "soeaver_inception-resnet-v2": ("inception_resnet_v2_caffe", inception_name("inception_resnet_v2_caffe")),
}


def layers_of(definition: str) -> dict[str, dict[str, Any]]:
    layers = json.loads((ORIGINALS / "tables" / f"{definition}.json").read_text())["layers"]
    return {layer["name"]: layer for layer in layers}


def shapes_of(network: nn.Module, image_size: int, training: bool) -> dict[str, tuple[int, ...]]:
    """Output shape, without the batch, of every module that ran."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: shapes.update({name: tuple(getattr(output, "shape", ())[1:])})

    for name, module in network.named_modules():
        module.register_forward_hook(note(name))
    run(network, image_size, training)
    return shapes


def padded(shape: tuple[int, ...], length: int) -> tuple[int, ...]:
    return tuple(shape) + (1,) * (length - len(shape))


def compare(layer: dict[str, Any], module: nn.Module, shape: tuple[int, ...]) -> None:
    """One layer of a definition and our module for it."""
    theirs = tuple(layer["top_shapes"][0][1:])
    assert padded(shape, len(theirs)) == theirs
    if layer["type"] in ("Convolution", "InnerProduct"):
        weight = tuple(layer["blobs"][0])
        assert padded(tuple(module.weight.shape), len(weight)) == weight
        assert np.prod(shape) * module.weight[0].numel() == layer["macs"]
    if layer["type"] == "Convolution" and isinstance(module, nn.Conv2d):
        ours = (module.stride, module.padding, module.dilation, module.groups)
        assert ours == (tuple(layer["stride"]), tuple(layer["pad"]), tuple(layer["dilation"]), layer["group"])
    if layer["type"] == "Pooling" and layer["pool"] == "MAX":
        ours = (module.kernel_size, module.stride, module.padding)
        assert ours == (layer["kernel"][0], layer["stride"][0], layer["pad"][0])
        theirs_up = layer["round_mode"] == "CEIL"
        assert module.stride == 1 or module.ceil_mode == theirs_up or exact(layer)
    if layer["type"] == "Pooling" and layer["pool"] == "AVE" and not isinstance(module, nn.AdaptiveAvgPool2d):
        ours = (module.kernel_size, module.stride, module.padding)
        assert ours == (layer["kernel"][0], layer["stride"][0], layer["pad"][0])
        assert module.count_include_pad or not module.padding
    if layer["type"] == "Dropout" and "dropout_ratio" in layer:
        assert module.p == pytest.approx(layer["dropout_ratio"])
    if layer["type"] == "LRN":
        assert (layer["k"], layer["local_size"], layer["alpha"], layer["beta"]) == (1.0, 5, 1e-4, 0.75)
        assert getattr(module, "k", 1.0) == 1.0


def exact(layer: dict[str, Any]) -> bool:
    """Whether rounding up and rounding down come to the same here."""
    side = layer["bottom_shapes"][0][2]
    return bool((side + 2 * layer["pad"][0] - layer["kernel"][0]) % layer["stride"][0] == 0)


@pytest.mark.sampled
@pytest.mark.parametrize("definition", ORIGINAL)
def test_every_layer_is_as_in_the_original_definition(definition: str) -> None:
    name, translate = ORIGINAL[definition]
    with torch.device("meta"):
        network = build(name)
    layers = [
        layer
        for layer in layers_of(definition).values()
        if layer["type"] in ("Convolution", "InnerProduct", "Pooling", "LRN")
        or (layer["type"] == "Dropout" and not name.startswith("senet"))
    ]
    size = 320 if definition == "soeaver_dpn131" else CARDS[name].image_size
    shapes = shapes_of(network, size, training=definition.endswith("train_val"))
    met = set()
    for layer in layers:
        ours = translate(layer["name"])
        if ours is not None:
            compare(layer, network.get_submodule(ours), shapes[ours])
            met.add(ours)
    weighted = {n for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear) and n in shapes}
    assert weighted <= met, "we have layers that the definition has not"


@pytest.mark.sampled
@pytest.mark.parametrize("definition", ORIGINAL)
def test_biases_are_where_the_original_definition_has_them(definition: str) -> None:
    name, translate = ORIGINAL[definition]
    with torch.device("meta"):
        network = build(name)
    for layer in layers_of(definition).values():
        if layer["type"] not in ("Convolution", "InnerProduct"):
            continue
        biased = len(layer["blobs"]) == 2
        if definition == "ResNet-50-deploy" and layer["name"] == "conv1":
            assert biased, "the release's oddity: 64 values that the batch norm behind them makes redundant"
            biased = False
        assert (network.get_submodule(translate(layer["name"])).bias is not None) == biased, layer["name"]


# --- the numbers: the same seeded weights and image through our network and through Caffe's rules


def stream(seed: int, count: int, c: float, a: float) -> np.ndarray:
    """The reference's numbers: PCG64's raw bits to float32 in [c - a, c + a), drawn in pieces to spare memory."""
    bits = np.random.PCG64(seed)
    values = np.empty(count, np.float32)
    for start in range(0, count, 1 << 22):
        raw = bits.random_raw(min(1 << 22, count - start))
        values[start : start + len(raw)] = a * ((raw >> 40) * 2.0**-23 - 1) + c
    return values


def image(spec: dict[str, Any]) -> Tensor:
    _, channels, height, width = spec["shape"]
    block = spec["block"]
    rows, columns = -(-height // block), -(-width // block)
    coarse = stream(spec["coarse_seed"], channels * rows * columns, 0, spec["coarse_amplitude"])
    coarse = coarse.reshape(channels, rows, columns).repeat(block, 1).repeat(block, 2)[:, :height, :width]
    fine = stream(spec["fine_seed"], channels * height * width, 0, spec["fine_amplitude"])
    return torch.from_numpy(coarse + fine.reshape(channels, height, width))[None]


def seeded_state(definition: str, blobs: list[Any], translate: Callable[[str], str]) -> Iterator[tuple[str, Tensor]]:
    """Our state dict from the reference's blobs. A batch norm works in place on the convolution before it."""
    layers = layers_of(definition)
    values = {(row[0], row[1]): torch.from_numpy(stream(row[3], int(np.prod(row[2])), *row[4:])) for row in blobs}
    for (name, index), value in values.items():
        layer = layers[name]
        if layer["type"] in ("Convolution", "InnerProduct"):
            yield f"{translate(name)}.{('weight', 'bias')[index]}", value
            continue
        norm = translate(layer["bottom"][0]).removesuffix("conv") + "norm"
        if layer["type"] == "Scale":
            yield f"{norm}.{('weight', 'bias')[index]}", value
        elif index < 2:
            yield f"{norm}.{('running_mean', 'running_var')[index]}", value / values[name, 2]


def load(network: nn.Module, definition: str, blobs: list[Any], translate: Callable[[str], str]) -> None:
    state = dict(seeded_state(definition, blobs, translate))
    bias = state.pop("conv1.conv.bias", None)
    if bias is not None:  # ResNet-50's; the batch norm takes it in
        state["conv1.norm.running_mean"] -= bias
    ours = network.state_dict()
    state = {name: value.view(ours[name].shape) for name, value in state.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    side_heads = [name for name in missing if name.startswith("side_")]
    assert not unexpected
    assert [n for n in missing if n not in side_heads and not n.endswith("num_batches_tracked")] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "definition",
    [
        "bvlc_alexnet_deploy",
        "bvlc_googlenet_deploy",
        "VGG_ILSVRC_16_layers_deploy_v1",
        "ResNet-50-deploy",
        "soeaver_resnext50-32x4d",
        "SE-ResNet-50",
        "SE-ResNeXt-50",
    ],
)
def test_the_same_weights_give_the_same_logits_as_the_original(definition: str) -> None:
    name, translate = ORIGINAL[definition]
    reference = json.loads((ORIGINALS / "oracle" / f"{definition}.json").read_text())
    outputs = np.load(ORIGINALS / "oracle" / f"{definition}.npz")
    network = build(name).eval()
    load(network, definition, reference["weights"]["blobs"], translate)
    with torch.no_grad():
        logits = network(image(reference["inputs"]["data"]))
    wanted = torch.from_numpy(outputs[reference["full"][0]["key"]]).flatten()
    assert (logits.flatten() - wanted).abs().max() < 2e-5 * wanted.abs().max()


@pytest.mark.slow
def test_caffenet_pools_before_it_normalises_like_the_original() -> None:
    reference = json.loads((ORIGINALS / "oracle" / "caffenet_full_conv.json").read_text())
    outputs = np.load(ORIGINALS / "oracle" / "caffenet_full_conv.npz")
    network = build("caffenet").eval()
    blobs = [row for row in reference["weights"]["blobs"] if not row[0].startswith("fc")]
    network.load_state_dict(
        {name: value.view(network.state_dict()[name].shape) for name, value in seeded_convolutions(blobs)}, strict=False
    )
    with torch.no_grad():
        pooled = network.features(image(reference["inputs"]["data"])).flatten()
    key = next(sample["key"] for sample in reference["samples"] if sample["layer"] == "pool5")
    wanted = torch.from_numpy(outputs[key]).flatten()
    ours = pooled[torch.arange(256) * pooled.numel() // 256]
    assert (ours - wanted).abs().max() < 2e-5 * wanted.abs().max()


def seeded_convolutions(blobs: list[Any]) -> Iterator[tuple[str, Tensor]]:
    for name, index, shape, seed, c, a in blobs:
        yield f"{name}.{('weight', 'bias')[index]}", torch.from_numpy(stream(seed, int(np.prod(shape)), c, a))
