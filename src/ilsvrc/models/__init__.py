"""The networks the challenge's winners are known by, one family per file, each readable beside its paper."""

from collections.abc import Callable
from difflib import get_close_matches
from inspect import signature
from typing import Any

from torch import nn

from ilsvrc.models import (
    alexnet,
    alexnet_torchvision,
    bn_inception,
    dpn,
    googlenet,
    googlenet_torchvision,
    inception_resnet,
    inception_resnet_v1,
    inception_v3,
    inception_v4,
    nin,
    overfeat,
    preresnet,
    resnet,
    resnet_v1_5,
    resnext,
    senet,
    vgg,
    vgg_bn,
    wideresnet,
    zfnet,
)
from ilsvrc.models.cards import CARDS
from ilsvrc.models.thin import replace_thin_projections

__all__ = ["CARDS", "MODELS", "build", "paper_size"]

MODELS: dict[str, Callable[..., nn.Module]] = {
    "alexnet": alexnet.alexnet,  # Krizhevsky et al. 2012
    "alexnet_caffe": alexnet.alexnet_caffe,  # BVLC's replica of it
    "caffenet": alexnet.caffenet,  # BVLC's other one, pooled before it is normalised
    "alexnet_one_tower": alexnet.alexnet_one_tower,  # Krizhevsky 2014
    "zfnet": zfnet.zfnet,  # Zeiler and Fergus 2013, figure 3
    "zfnet_big": zfnet.zfnet_big,  # table 2, (b)
    "overfeat_fast": overfeat.overfeat_fast,  # Sermanet et al. 2013
    "overfeat_accurate": overfeat.overfeat_accurate,
    "nin": nin.nin,  # Lin et al. 2013
    "googlenet": googlenet.googlenet,  # Szegedy et al. 2014
    "vgg11": vgg.vgg11,  # Simonyan and Zisserman 2014, configuration A
    "vgg11_lrn": vgg.vgg11_lrn,  # A-LRN
    "vgg13": vgg.vgg13,  # B
    "vgg16_c": vgg.vgg16_c,  # C
    "vgg16": vgg.vgg16,  # D
    "vgg19": vgg.vgg19,  # E
    "bn_inception": bn_inception.bn_inception,  # Ioffe and Szegedy 2015
    "inception_v3": inception_v3.inception_v3,  # Szegedy et al. 2015
    "plain18": resnet.plain18,  # He et al. 2015
    "plain34": resnet.plain34,
    "resnet18": resnet.resnet18,
    "resnet34": resnet.resnet34,
    "resnet50": resnet.resnet50,
    "resnet101": resnet.resnet101,
    "resnet152": resnet.resnet152,
    "inception_v4": inception_v4.inception_v4,  # Szegedy et al. 2016
    "inception_resnet_v1": inception_resnet_v1.inception_resnet_v1,
    "inception_resnet_v2": inception_resnet.inception_resnet_v2,
    "preresnet50": preresnet.preresnet50,  # He et al. 2016
    "preresnet101": preresnet.preresnet101,
    "preresnet152": preresnet.preresnet152,
    "preresnet200": preresnet.preresnet200,
    "wideresnet50_2": wideresnet.wideresnet50_2,  # Zagoruyko and Komodakis 2016
    "wideresnet68_3": wideresnet.wideresnet68_3,  # Trimps-Soushen 2016, a reconstruction
    "resnext50_32x4d": resnext.resnext50_32x4d,  # Xie et al. 2016
    "resnext101_32x4d": resnext.resnext101_32x4d,
    "resnext101_64x4d": resnext.resnext101_64x4d,
    "dpn92": dpn.dpn92,  # Chen et al. 2017
    "dpn98": dpn.dpn98,
    "dpn131": dpn.dpn131,
    "se_resnet50": senet.se_resnet50,  # Hu et al. 2017
    "se_resnet101": senet.se_resnet101,
    "se_resnet152": senet.se_resnet152,
    "se_resnext50_32x4d": senet.se_resnext50_32x4d,
    "se_resnext101_32x4d": senet.se_resnext101_32x4d,
    "senet154": senet.senet154,
    "se_bn_inception": bn_inception.se_bn_inception,
    "se_inception_resnet_v2": inception_resnet.se_inception_resnet_v2,  # a reconstruction
    "resnet18_v1_5": resnet_v1_5.resnet18_v1_5,  # as today's libraries have them
    "resnet34_v1_5": resnet_v1_5.resnet34_v1_5,
    "resnet50_v1_5": resnet_v1_5.resnet50_v1_5,
    "resnet101_v1_5": resnet_v1_5.resnet101_v1_5,
    "resnet152_v1_5": resnet_v1_5.resnet152_v1_5,
    "wideresnet101_2": wideresnet.wideresnet101_2,
    "alexnet_torchvision": alexnet_torchvision.alexnet_torchvision,
    "googlenet_torchvision": googlenet_torchvision.googlenet_torchvision,
    "vgg11_bn": vgg_bn.vgg11_bn,
    "vgg13_bn": vgg_bn.vgg13_bn,
    "vgg16_bn": vgg_bn.vgg16_bn,
    "vgg19_bn": vgg_bn.vgg19_bn,
    "inception_v3_torchvision": inception_v3.inception_v3_torchvision,
    "inception_v3_mxnet": inception_v3.inception_v3_mxnet,
    "inception_v4_caffe": inception_v4.inception_v4_caffe,  # as third parties converted them
    "inception_resnet_v2_caffe": inception_resnet.inception_resnet_v2_caffe,
    "preresnet101_caffe": preresnet.preresnet101_caffe,
    "preresnet152_caffe": preresnet.preresnet152_caffe,
    "preresnet269_caffe": preresnet.preresnet269_caffe,
}


def build(name: str, classes: int = 1000, image_size: int | None = None, width: float = 1.0) -> nn.Module:
    """The network of that name, freshly initialised by PyTorch's defaults.

    image_size is the side of its images in pixels, None for the paper's; width multiplies the channels of every layer.
    Raises ValueError with the nearest names for a name that is not in MODELS, and with the
    smallest possible size for an image_size below it.
    """
    builder = _builder(name)
    arguments: dict[str, Any] = {"classes": classes, "width": width}
    if image_size is not None:
        arguments["image_size"] = image_size
    return replace_thin_projections(builder(**arguments))


def paper_size(name: str) -> int:
    """The side of the paper's images in pixels: the builder's default. Raises ValueError as `build` does."""
    size: int = signature(_builder(name)).parameters["image_size"].default
    return size


def _builder(name: str) -> Callable[..., nn.Module]:
    if name not in MODELS:
        near = ", ".join(get_close_matches(name, MODELS)) or ", ".join(MODELS)
        raise ValueError(f"no model is called {name!r}; did you mean {near}?")
    return MODELS[name]
