"""What was released for Caffe, network by network: how the release calls our layers, and what it expects to be shown.

Names, means and class orders are those of the published definitions and their notes: BVLC/caffe
(model zoo), the VGG authors' gists, KaimingHe/deep-residual-networks, hujie-frank/SENet and
soeaver/caffe-model (a third party's conversions, and weights of a team of 2016).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ilsvrc.weights import inception
from ilsvrc.weights.source import CAFFE_RANGE

# From the name of one of our layers to the release's names of the convolution or matrix, the batch norm and the scale.
# The name of a block stands for the batch norm it begins with.
Names = Callable[[str], tuple[str, str, str]]


@dataclass(frozen=True)
class Release:
    """One network's Caffe release."""

    names: Names
    record: dict[str, Any]  # fields of Weights
    net: str = ""  # what the release's file calls itself, where another release has the same layers


def plain(name: str) -> tuple[str, str, str]:
    """AlexNet and VGG: our names are the release's."""
    return name, "", ""


def googlenet(name: str) -> tuple[str, str, str]:
    """'inception_4b.conv_5x5' is 'inception_4b/5x5', 'side_1.fc' is 'loss1/fc'."""
    fixed = {
        "conv1": "conv1/7x7_s2",
        "conv2_reduce": "conv2/3x3_reduce",
        "conv2": "conv2/3x3",
        "linear": "loss3/classifier",
    }
    if name in fixed:
        return fixed[name], "", ""
    block, layer = name.split(".")
    if block.startswith("side_"):
        return f"loss{block[-1]}/{'classifier' if layer == 'linear' else layer}", "", ""
    words = {"conv_1x1": "1x1", "conv_3x3": "3x3", "conv_5x5": "5x5", "reduce_3x3": "3x3_reduce"}
    return f"{block}/{words.get(layer, {'reduce_5x5': '5x5_reduce'}.get(layer, layer))}", "", ""


def resnet(lettered: bool) -> Names:
    """'conv3.1.conv2' is 'res3b_branch2b', or 'res3b1_branch2b' where the release numbers stages 3 and 4."""

    def names(name: str) -> tuple[str, str, str]:
        if name in ("conv1", "fc"):
            return {"conv1": "conv1", "fc": "fc1000"}[name], "bn_conv1", "scale_conv1"
        stage, place, layer = name.removeprefix("conv").split(".")
        block = chr(ord("a") + int(place))
        if stage in "34" and not lettered:
            block = "a" if place == "0" else f"b{place}"
        branch = {"shortcut": "1", "conv1": "2a", "conv2": "2b", "conv3": "2c"}[layer]
        end = f"{stage}{block}_branch{branch}"
        return f"res{end}", f"bn{end}", f"scale{end}"

    return names


def soeaver(repeats: tuple[int, ...], block: str) -> Names:
    """'conv3.1.conv2' is 'resx5_conv2', with 'resx' for block: blocks are counted through."""

    def names(name: str) -> tuple[str, str, str]:
        if name in ("conv1", "fc"):
            layer = {"conv1": "conv1", "fc": "classifier"}[name]
        else:
            stage, place, part = name.removeprefix("conv").split(".")
            number = sum(repeats[: int(stage) - 2]) + int(place) + 1
            layer = f"{block}{number}_{'match_conv' if part == 'shortcut' else part}"
        return layer, f"{layer}_bn", f"{layer}_scale"

    return names


def senet(name: str) -> tuple[str, str, str]:
    """'conv3.1.conv2' is 'conv3_2_3x3', 'conv3.1.se.fc1' is 'conv3_2_1x1_down'."""
    fixed = {
        "conv1": "conv1/7x7_s2",
        "conv1.conv1_1": "conv1_1/3x3_s2",
        "conv1.conv1_2": "conv1_2/3x3",
        "conv1.conv1_3": "conv1_3/3x3",
        "fc": "classifier",
    }
    layer = fixed.get(name, "")
    if not layer:
        stage, place, part = name.split(".", 2)
        words = {
            "conv1": "1x1_reduce",
            "conv2": "3x3",
            "conv3": "1x1_increase",
            "se.fc1": "1x1_down",
            "se.fc2": "1x1_up",
            "shortcut": "1x1_proj",  # also where it is a 3x3
        }
        layer = f"{stage}_{int(place) + 1}_{words[part]}"
    return layer, f"{layer}/bn", f"{layer}/bn/scale"


def se_bn_inception(name: str) -> tuple[str, str, str]:
    """'inception_4b.double_a' is 'inception_4b/double3x3a', 'inception_4b.se.fc1' is 'inception_4b_1x1_down'."""
    fixed = {"conv1": "conv1/7x7_s2", "conv2_reduce": "conv2/3x3_reduce", "conv2": "conv2/3x3", "linear": "classifier"}
    module, _, layer = name.partition(".")
    words = {"conv_1x1": "/1x1", "reduce_3x3": "/3x3_reduce", "conv_3x3": "/3x3", "pool_proj": "/pool_proj"}
    words |= {"reduce_double": "/double3x3_reduce", "double_a": "/double3x3a", "double_b": "/double3x3b"}
    words |= {"se.fc1": "_1x1_down", "se.fc2": "_1x1_up"}
    theirs = fixed.get(name) or f"{module}{words[layer]}"
    return theirs, f"{theirs}/bn", f"{theirs}/bn/scale"


def preactivated(repeats: tuple[int, ...], block: str, end: str) -> Names:
    """'conv3.1.conv2' is 'res5_conv2', 'conv3.1' the batch norm 'res5_bn', 'norm5' what `end` says."""

    def names(name: str) -> tuple[str, str, str]:
        if name == "norm5":
            return "", f"{end}_bn", f"{end}_scale"
        if name in ("conv1", "fc"):
            return {"conv1": "conv1", "fc": "classifier"}[name], "conv1_bn", "conv1_scale"
        stage, place, *rest = name.removeprefix("conv").split(".")
        unit = f"{block}{sum(repeats[: int(stage) - 2]) + int(place) + 1}"
        part = "".join(word for word in rest if word != "branch")
        if not part:
            return "", f"{unit}_bn", f"{unit}_scale"
        match = part == "shortcut"
        layer = f"{unit}_match_conv" if match else f"{unit}_{part}"
        norm = f"{unit}_match" if match else layer  # of a projection it stands before the convolution
        return layer, f"{norm}_bn", f"{norm}_scale"

    return names


def _caffe(origin: str, licence: str, mean: tuple[float, float, float], **more: Any) -> dict[str, Any]:
    return {"origin": origin, "licence": licence, "channels": "BGR", "top": CAFFE_RANGE, "mean": mean, **more}


_BVLC = {
    **_caffe("BVLC, Caffe", "unrestricted use", (104.007, 116.669, 122.679), image_size=227, warp=True),
    "note": "the release removes a mean image; its mean per channel is taken here",
}
_GOOGLENET = _caffe("BVLC, Caffe", "unrestricted use", (104.0, 117.0, 123.0))
_VGG = _caffe("VGG, Caffe", "CC BY 4.0 (unverified)", (103.939, 116.779, 123.68))
_MSRA = {
    **_caffe("MSRA, Caffe", "MIT", (102.9801, 115.9465, 122.7717)),
    "note": "the release removes a mean image; the mean of its centre per channel is taken here",
}
_WMW = _caffe("WMW, Caffe", "Apache-2.0", (104.0, 117.0, 123.0), order="devkit")
_SOEAVER = _caffe(
    "soeaver's conversion of the authors' weights, Caffe",
    "CC BY-NC 4.0 (the authors' weights)",
    (103.52, 116.28, 123.675),
    std=(57.375, 57.12, 58.395),
)
_WIDE = {
    **_SOEAVER,
    "licence": "unverified",
    "note": "mean and deviation are those of the same author's ResNeXt conversions, unverified for this file",
}
_MXNET = _caffe(
    "soeaver's conversion of MXNet's weights, Caffe",
    "unverified",
    (128.0, 128.0, 128.0),
    std=(128.0, 128.0, 128.0),
    image_size=299,
    resize=320,
    order="devkit",
)
_SLIM = {
    **_MXNET,
    "origin": "soeaver's conversion of Google's weights, Caffe",
    "order": "wnid",
    "note": "that the classes are in the order of their WordNet ids is unverified for this file",
}
_CUIMAGE = _caffe(
    "CUImage's weights of 2016 as published by soeaver, Caffe",
    "unverified",
    (102.9801, 115.9465, 122.7717),
    note="the mean is that of the same years' Caffe ResNets, unverified for this file",
)
_DPN = _caffe(
    "soeaver's conversion of the authors' weights, Caffe",
    "unverified",
    (104.0, 117.0, 124.0),
    std=(1 / 0.0167,) * 3,
)
_DPN131 = {
    **_DPN,
    "image_size": 320,
    "resize": 366,
    "note": "the definition takes 320 pixels; that images are resized to 366 before is chosen here",
}


def _dpn(*repeats: int) -> Names:
    return preactivated(repeats, "dpn", "pool_ave_concat")


def _preresnet(*repeats: int) -> Names:
    return preactivated(repeats, "res", f"res{sum(repeats)}_eletwise")


RELEASES: dict[str, Release] = {  # by our network's name
    "alexnet_caffe": Release(plain, _BVLC, net="AlexNet"),
    "caffenet": Release(plain, _BVLC, net="CaffeNet"),
    "googlenet": Release(googlenet, _GOOGLENET),
    "vgg16": Release(plain, _VGG),
    "vgg19": Release(plain, _VGG),
    "resnet50": Release(resnet(lettered=True), _MSRA),
    "resnet101": Release(resnet(lettered=False), _MSRA),
    "resnet152": Release(resnet(lettered=False), _MSRA),
    "resnext50_32x4d": Release(soeaver((3, 4, 6, 3), "resx"), _SOEAVER),
    "resnext101_32x4d": Release(soeaver((3, 4, 23, 3), "resx"), _SOEAVER),
    "resnext101_64x4d": Release(soeaver((3, 4, 23, 3), "resx"), _SOEAVER),
    "wideresnet50_2": Release(soeaver((3, 4, 6, 3), "res"), _WIDE),
    "se_resnet50": Release(senet, _WMW),
    "se_resnet101": Release(senet, _WMW),
    "se_resnet152": Release(senet, _WMW),
    "se_resnext50_32x4d": Release(senet, _WMW),
    "se_resnext101_32x4d": Release(senet, _WMW),
    "senet154": Release(senet, _WMW),
    "se_bn_inception": Release(se_bn_inception, _WMW),
    "inception_v3_mxnet": Release(inception.soeaver_v3, _MXNET),
    "inception_v4_caffe": Release(inception.soeaver_v4, _SLIM),
    "inception_resnet_v2_caffe": Release(inception.soeaver_resnet_v2, _SLIM),
    "preresnet101_caffe": Release(_preresnet(3, 4, 23, 3), _CUIMAGE),
    "preresnet152_caffe": Release(_preresnet(3, 8, 36, 3), _CUIMAGE),
    "preresnet269_caffe": Release(_preresnet(3, 30, 48, 8), _CUIMAGE),
    "dpn92": Release(_dpn(3, 4, 20, 3), _DPN),
    "dpn98": Release(_dpn(3, 6, 20, 3), _DPN),
    "dpn131": Release(_dpn(4, 8, 28, 3), _DPN131),
}

_AVERAGES = "the conversion for Caffe counts the padding in its averages, and Google's network does not"
_ROUNDED = "in the release for Caffe pool1 has no padding and rounds up"
INSTEAD: dict[str, tuple[str, str]] = {  # networks of which a release is another form: the form, and why it is another
    "inception_v3": ("inception_v3_mxnet", "MXNet's network counts the padding in its averages and ends in a maximum"),
    "inception_v3_torchvision": ("inception_v3_mxnet", "MXNet's network ends in a maximum where this has an average"),
    "inception_v4": ("inception_v4_caffe", _AVERAGES),
    "inception_resnet_v2": ("inception_resnet_v2_caffe", _AVERAGES),
    "preresnet101": ("preresnet101_caffe", _ROUNDED),
    "preresnet152": ("preresnet152_caffe", _ROUNDED),
}
