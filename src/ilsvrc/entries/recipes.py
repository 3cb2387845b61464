"""Which recipe trained which network: the paper's own, or that of the paper it belongs to."""

from dataclasses import replace

from ilsvrc.entries import clarifai_2013, googlenet_2014, msra_2015, resnext_2016, supervision_2012, vgg_2014, wmw_2017
from ilsvrc.entries.miniature import NORMALISED, PLAIN
from ilsvrc.spec import Recipe


def _for_now(recipe: Recipe) -> Recipe:
    """The recipe of another paper, which says so."""
    return replace(recipe, gaps=(*recipe.gaps, "another paper's recipe stands here: this network's own is not written"))


PAPER: dict[str, Recipe] = {
    "alexnet": supervision_2012.RECIPE,
    "alexnet_caffe": supervision_2012.RECIPE,
    "caffenet": supervision_2012.RECIPE,
    "alexnet_one_tower": supervision_2012.RECIPE,
    "zfnet": clarifai_2013.RECIPE,
    "overfeat_fast": _for_now(supervision_2012.RECIPE),
    "overfeat_accurate": _for_now(supervision_2012.RECIPE),
    "nin": _for_now(supervision_2012.RECIPE),
    "googlenet": googlenet_2014.RECIPE,
    "vgg11": vgg_2014.RECIPE,
    "vgg11_lrn": vgg_2014.RECIPE,
    "vgg13": vgg_2014.RECIPE,
    "vgg16_c": vgg_2014.RECIPE,
    "vgg16": vgg_2014.RECIPE,
    "vgg19": vgg_2014.RECIPE,
    "bn_inception": _for_now(googlenet_2014.RECIPE),
    "inception_v3": _for_now(googlenet_2014.RECIPE),
    "plain18": msra_2015.RECIPE,
    "plain34": msra_2015.RECIPE,
    "resnet18": msra_2015.RECIPE,
    "resnet34": msra_2015.RECIPE,
    "resnet50": msra_2015.RECIPE,
    "resnet101": msra_2015.RECIPE,
    "resnet152": msra_2015.RECIPE,
    "inception_v4": _for_now(googlenet_2014.RECIPE),
    "inception_resnet_v1": _for_now(googlenet_2014.RECIPE),
    "inception_resnet_v2": _for_now(googlenet_2014.RECIPE),
    "preresnet50": _for_now(msra_2015.RECIPE),
    "preresnet101": _for_now(msra_2015.RECIPE),
    "preresnet152": _for_now(msra_2015.RECIPE),
    "preresnet200": _for_now(msra_2015.RECIPE),
    "wideresnet50_2": _for_now(msra_2015.RECIPE),
    "wideresnet68_3": _for_now(msra_2015.RECIPE),
    "resnext50_32x4d": resnext_2016.RECIPE,
    "resnext101_32x4d": resnext_2016.RECIPE,
    "resnext101_64x4d": resnext_2016.RECIPE,
    "dpn92": _for_now(resnext_2016.RECIPE),
    "dpn98": _for_now(resnext_2016.RECIPE),
    "dpn131": _for_now(resnext_2016.RECIPE),
    "se_resnet50": wmw_2017.MAIN,
    "se_resnet101": wmw_2017.MAIN,
    "se_resnet152": wmw_2017.MAIN,
    "se_resnext50_32x4d": wmw_2017.MAIN,
    "se_resnext101_32x4d": wmw_2017.MAIN,
    "senet154": wmw_2017.RECIPE,
    "se_bn_inception": wmw_2017.MAIN,
    "se_inception_resnet_v2": wmw_2017.MAIN,
    "resnet18_v1_5": msra_2015.RECIPE,
    "resnet34_v1_5": msra_2015.RECIPE,
    "resnet50_v1_5": msra_2015.RECIPE,
    "resnet101_v1_5": msra_2015.RECIPE,
    "resnet152_v1_5": msra_2015.RECIPE,
    "wideresnet101_2": msra_2015.RECIPE,
    "alexnet_torchvision": supervision_2012.RECIPE,
    "googlenet_torchvision": googlenet_2014.RECIPE,
    "vgg11_bn": vgg_2014.RECIPE,
    "vgg13_bn": vgg_2014.RECIPE,
    "vgg16_bn": vgg_2014.RECIPE,
    "vgg19_bn": vgg_2014.RECIPE,
    "inception_v3_torchvision": _for_now(googlenet_2014.RECIPE),
    "inception_v3_mxnet": _for_now(googlenet_2014.RECIPE),
    "inception_v4_caffe": _for_now(googlenet_2014.RECIPE),
    "inception_resnet_v2_caffe": _for_now(googlenet_2014.RECIPE),
    "preresnet101_caffe": _for_now(msra_2015.RECIPE),
    "preresnet152_caffe": _for_now(msra_2015.RECIPE),
    "preresnet269_caffe": _for_now(msra_2015.RECIPE),
}
WITHOUT_NORMALISATION = ("alexnet", "caffenet", "zfnet", "googlenet", "vgg", "overfeat", "nin")
WITH_IT = ("googlenet_torchvision", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")


def miniature(model: str) -> Recipe:
    """The recipe for a miniature of that network."""
    return PLAIN if model.startswith(WITHOUT_NORMALISATION) and model not in WITH_IT else NORMALISED
