"""Which recipes a network can be trained by: that of the paper it belongs to, and others under names of their own."""

from ilsvrc.entries import (
    clarifai_2013,
    dpn_2017,
    facebook_2016,
    googlenet_2014,
    inception_2015,
    inception_2016,
    modern,
    msra_2015,
    nin_2013,
    overfeat_2013,
    preresnet_2016,
    resnext_2016,
    supervision_2012,
    vgg_2014,
    wideresnet_2016,
    wmw_2017,
)
from ilsvrc.entries.miniature import NORMALISED, PLAIN, WITHOUT_NORMALISATION
from ilsvrc.spec import Recipe

PAPER: dict[str, Recipe] = {
    "alexnet": supervision_2012.RECIPE,
    "alexnet_caffe": supervision_2012.BVLC_ALEXNET,
    "caffenet": supervision_2012.BVLC_CAFFENET,
    "alexnet_one_tower": supervision_2012.ONE_TOWER,
    "zfnet": clarifai_2013.RECIPE,
    "zfnet_big": clarifai_2013.RECIPE,
    "overfeat_fast": overfeat_2013.FAST,
    "overfeat_accurate": overfeat_2013.ACCURATE,
    "nin": nin_2013.RECIPE,
    "googlenet": googlenet_2014.RECIPE,
    "vgg11": vgg_2014.A,
    "vgg11_lrn": vgg_2014.A,
    "vgg13": vgg_2014.GLOROT,
    "vgg16_c": vgg_2014.RECIPE,
    "vgg16": vgg_2014.RECIPE,
    "vgg19": vgg_2014.RECIPE,
    "bn_inception": inception_2015.BN_INCEPTION,
    "inception_v3": inception_2015.INCEPTION_V3,
    "plain18": msra_2015.RECIPE,
    "plain34": msra_2015.RECIPE,
    "resnet18": msra_2015.RECIPE,
    "resnet34": msra_2015.RECIPE,
    "resnet50": msra_2015.RECIPE,
    "resnet101": msra_2015.RECIPE,
    "resnet152": msra_2015.RECIPE,
    "inception_v4": inception_2016.RECIPE,
    "inception_resnet_v1": inception_2016.RECIPE,
    "inception_resnet_v2": inception_2016.RECIPE,
    "preresnet50": preresnet_2016.RECIPE,
    "preresnet101": preresnet_2016.RECIPE,
    "preresnet152": preresnet_2016.RECIPE,
    "preresnet200": preresnet_2016.RECIPE,
    "wideresnet50_2": wideresnet_2016.RECIPE,
    "wideresnet68_3": wideresnet_2016.RECIPE,
    "resnext50_32x4d": resnext_2016.RECIPE,
    "resnext101_32x4d": resnext_2016.RECIPE,
    "resnext101_64x4d": resnext_2016.RECIPE,
    "dpn92": dpn_2017.DPN_92,
    "dpn98": dpn_2017.DPN_98,
    "dpn131": dpn_2017.DPN_131,
    "se_resnet50": wmw_2017.MAIN,
    "se_resnet101": wmw_2017.MAIN,
    "se_resnet152": wmw_2017.MAIN,
    "se_resnext50_32x4d": wmw_2017.MAIN,
    "se_resnext101_32x4d": wmw_2017.MAIN,
    "senet154": wmw_2017.RECIPE,
    "se_bn_inception": wmw_2017.MAIN,
    "se_inception_resnet_v2": wmw_2017.MAIN_299,
    "resnet18_v1_5": facebook_2016.RECIPE,
    "resnet34_v1_5": facebook_2016.RECIPE,
    "resnet50_v1_5": facebook_2016.RECIPE,
    "resnet101_v1_5": facebook_2016.RECIPE,
    "resnet152_v1_5": facebook_2016.RECIPE,
    "wideresnet101_2": wideresnet_2016.RECIPE,
    "alexnet_torchvision": supervision_2012.RECIPE,
    "googlenet_torchvision": googlenet_2014.RECIPE,
    "vgg11_bn": vgg_2014.RECIPE,
    "vgg13_bn": vgg_2014.RECIPE,
    "vgg16_bn": vgg_2014.RECIPE,
    "vgg19_bn": vgg_2014.RECIPE,
    "inception_v3_torchvision": inception_2015.INCEPTION_V3,
    "inception_v3_mxnet": inception_2015.INCEPTION_V3,
    "inception_v4_caffe": inception_2016.RECIPE,
    "inception_resnet_v2_caffe": inception_2016.RECIPE,
    "preresnet101_caffe": preresnet_2016.RECIPE,
    "preresnet152_caffe": preresnet_2016.RECIPE,
    "preresnet269_caffe": preresnet_2016.RECIPE,
}
VGG = {"staged": vgg_2014.STAGED, "glorot": vgg_2014.GLOROT, "s384": vgg_2014.S384, "jittered": vgg_2014.JITTERED}
OTHERS: dict[str, dict[str, Recipe]] = {
    "googlenet": {"bvlc": googlenet_2014.BVLC, "bvlc-quick": googlenet_2014.BVLC_QUICK},
    "vgg13": {"staged": vgg_2014.STAGED},
    "vgg16_c": VGG,
    "vgg16": VGG,
    "vgg19": VGG,
    **{f"resnet{layers}": {"facebook": facebook_2016.RECIPE} for layers in (18, 34)},
    **{f"resnet{layers}": {"facebook": facebook_2016.RECIPE, "senet": wmw_2017.MAIN} for layers in (50, 101, 152)},
    **{f"resnext{layers}_32x4d": {"senet": wmw_2017.MAIN} for layers in (50, 101)},
    "bn_inception": {"senet": wmw_2017.MAIN},
    "inception_resnet_v2": {"senet": wmw_2017.MAIN_299},
    "vgg16_bn": {"senet": wmw_2017.MAIN},
    **{f"se_resnet{layers}": {"released": wmw_2017.RELEASED} for layers in (50, 101, 152)},
    **{f"se_resnext{layers}_32x4d": {"released": wmw_2017.RELEASED} for layers in (50, 101)},
    "senet154": {"released": wmw_2017.RELEASED},
    "se_bn_inception": {"released": wmw_2017.RELEASED},
    **{f"preresnet{layers}": {"aspect": preresnet_2016.ASPECT} for layers in (50, 101, 152, 200)},
}

WITH_IT = ("googlenet_torchvision", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")


def normalises(model: str) -> bool:
    """Whether that network has batch normalisation."""
    return not model.startswith(WITHOUT_NORMALISATION) or model in WITH_IT


def miniature(model: str) -> Recipe:
    """The recipe for a miniature of that network."""
    return NORMALISED if normalises(model) else PLAIN


def recipes_of(model: str) -> dict[str, Recipe]:
    """Every recipe there is for that network, by the name it is asked for."""
    today = modern.NORMALISED if normalises(model) else modern.PLAIN
    return {"paper": PAPER[model], "miniature": miniature(model), "modern": today, **OTHERS.get(model, {})}
