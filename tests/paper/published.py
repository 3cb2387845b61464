"""Every recipe, with its length, its batch and the rate at some epochs, beside the paper or code it is from."""

import importlib
import pkgutil

from ilsvrc import entries
from ilsvrc.entries import (
    clarifai_2013,
    dpn_2017,
    facebook_2016,
    googlenet_2014,
    inception_2015,
    inception_2016,
    miniature,
    miniature_det,
    miniature_loc,
    modern,
    msra_2015,
    nin_2013,
    overfeat_2013,
    preresnet_2016,
    resnext_2016,
    supervision_2012,
    trimps_2016,
    vgg_2014,
    wideresnet_2016,
    wmw_2017,
)
from ilsvrc.spec import Recipe

EVERY_30 = {0: 0.1, 30: 1e-2, 60: 1e-3}
VGG = {0: 1e-2, 30: 1e-3, 50: 1e-4, 65: 1e-5}
VGG_AGAIN = {0: 1e-3, 30: 1e-4, 50: 1e-5, 65: 1e-6}
BVLC = {0: 1e-2, 19.99: 1e-3, 39.97: 1e-4, 59.95: 1e-5, 79.94: 1e-6}
OVERFEAT = {0: 0.05, 30: 0.025, 50: 0.0125, 60: 0.00625, 70: 0.003125, 80: 0.0015625}
INCEPTION = {0: 0.045, 1.99: 0.045, 2: 0.0423, 50: 0.045 * 0.94**25, 98: 0.045 * 0.94**49}

# Epochs, images per update, and the rate at some epochs.
PUBLISHED: dict[str, tuple[Recipe, float, int, dict[float, float]]] = {
    # Three divisions by 10 (section 5); the epochs are those of net 145 in the 2012 code.
    "alexnet": (supervision_2012.RECIPE, 90, 128, {0: 1e-2, 25: 1e-3, 51: 1e-4, 79: 1e-5}),
    # 450,000 updates of 256; a tenth every 100,000: epochs 19.98, 39.96, ...
    "alexnet_caffe": (supervision_2012.BVLC_ALEXNET, 89.92, 256, BVLC),
    "caffenet": (supervision_2012.BVLC_CAFFENET, 89.92, 256, BVLC),
    # Quarters of 0.01, 0.00159, 0.000252, 0.00004.
    "alexnet_one_tower": (
        supervision_2012.ONE_TOWER,
        90,
        128,
        {0: 1e-2, 22.5: 1.587e-3, 45: 2.5186e-4, 67.5: 3.9970e-5},
    ),
    # 0.01, annealed by hand; 70 epochs (section 3).
    "zfnet": (clarifai_2013.RECIPE, 70, 128, {0: 1e-2, 25: 1e-3, 45: 1e-4, 60: 1e-5}),
    # 0.05, halved after epochs 30, 50, 60, 70 and 80 (section 3.1).
    "overfeat_accurate": (overfeat_2013.ACCURATE, 90, 128, OVERFEAT),
    "overfeat_fast": (overfeat_2013.FAST, 90, 128, OVERFEAT),
    # Divided by 10 when it stalls, until a hundredth is left.
    "nin": (nin_2013.RECIPE, 90, 128, {0: 0.1, 45: 1e-2, 70: 1e-3, 89: 1e-3}),
    # 4 % less every 8 epochs (section 6); 0.01 from BVLC.
    "googlenet": (
        googlenet_2014.RECIPE,
        250,
        32,
        {0: 1e-2, 7.999: 1e-2, 8: 0.96e-2, 16: 0.9216e-2, 80: 1e-2 * 0.96**10, 248: 1e-2 * 0.96**31},
    ),
    "googlenet, bvlc": (googlenet_2014.BVLC, 250, 32, {0: 1e-2, 8: 0.96e-2, 248: 1e-2 * 0.96**31}),
    # poly, power 0.5, 2,400,000 updates of 32: half the rate at three quarters of the way.
    "googlenet, bvlc quick": (googlenet_2014.BVLC_QUICK, 60, 32, {0: 1e-2, 15: 8.6603e-3, 45: 5e-3}),
    # 0.01, three divisions by 10, 74 epochs (section 3.1); from another training's weights 0.001.
    "vgg16": (vgg_2014.RECIPE, 74, 256, VGG),
    "vgg11": (vgg_2014.A, 74, 256, VGG),
    "vgg16, staged": (vgg_2014.STAGED, 74, 256, VGG),
    "vgg16, glorot": (vgg_2014.GLOROT, 74, 256, VGG),
    "vgg16, s384": (vgg_2014.S384, 74, 256, VGG_AGAIN),
    "vgg16, jittered": (vgg_2014.JITTERED, 74, 256, VGG_AGAIN),
    # 30 times 0.0015; 0.96 six times as often as every 8 epochs.
    "bn_inception": (inception_2015.BN_INCEPTION, 150, 32, {0: 0.045, 1.3: 0.045, 4: 0.045 * 0.96**3, 8: 0.035224}),
    # 0.045, 0.94 every 2 epochs, 100 epochs (section 8).
    "inception_v3": (inception_2015.INCEPTION_V3, 100, 32, INCEPTION),
    "inception_v4": (inception_2016.RECIPE, 100, 32, INCEPTION),
    # 0.1, divided by 10 at plateaus, up to 60e4 iterations of 256: 120 epochs (section 3.4). No warm-up.
    "resnet50": (msra_2015.RECIPE, 120, 256, {0: 0.1, 40: 1e-2, 80: 1e-3, 100: 1e-4}),
    # 0.1, every 30 of 90 epochs.
    "resnet50, facebook": (facebook_2016.RECIPE, 90, 256, EVERY_30),
    "wideresnet50_2": (wideresnet_2016.RECIPE, 90, 256, EVERY_30),
    # 0.1 without warm-up, divided by 10 at epochs 30 and 60 (appendix).
    "preresnet200": (preresnet_2016.RECIPE, 90, 256, EVERY_30),
    "preresnet200, aspect": (preresnet_2016.ASPECT, 90, 256, EVERY_30),
    # 0.1, every 30 epochs (the authors' code), 90 in all.
    "resnext50_32x4d": (resnext_2016.RECIPE, 90, 256, EVERY_30),
    # 0.6 at batch 1024, divided by 10 every 30 of 100 epochs.
    "se_resnet50": (wmw_2017.MAIN, 100, 1024, {0: 0.6, 30: 0.06, 60: 0.006, 90: 0.0006}),
    "se_inception_resnet_v2": (wmw_2017.MAIN_299, 100, 1024, {0: 0.6, 30: 0.06, 60: 0.006, 90: 0.0006}),
    "se_resnet50, released": (wmw_2017.RELEASED, 100, 256, {0: 0.1, 30: 1e-2, 60: 1e-3, 90: 1e-4}),
    # 1.0 at batch 2048.
    "senet154": (wmw_2017.RECIPE, 100, 2048, {0: 1.0, 30: 0.1, 60: 0.01, 90: 0.001}),
    # The root of 0.1, and 0.4 for 98 layers; 40 GPUs of 32 images, or 24.
    "dpn92": (dpn_2017.DPN_92, 90, 1280, {0: 0.316, 30: 0.0316, 60: 0.00316}),
    "dpn98": (dpn_2017.DPN_98, 90, 1280, {0: 0.4, 30: 0.04, 60: 0.004}),
    "dpn131": (dpn_2017.DPN_131, 90, 960, {0: 0.316, 30: 0.0316, 60: 0.00316}),
    # Ours.
    "modern": (modern.NORMALISED, 90, 256, {0: 0.001, 2.5: 0.0505, 5: 0.1, 47.5: 0.05}),
    "modern, plain": (modern.PLAIN, 90, 256, {0: 0.001, 2.5: 0.0505, 5: 0.1, 47.5: 0.05}),
    "miniature": (miniature.NORMALISED, 5, 32, {0: 0.0002, 0.5: 0.02, 2.75: 0.01}),
    "miniature, plain": (miniature.PLAIN, 7, 32, {0: 0.0002, 0.5: 0.02, 3.75: 0.01}),
    # Boxes: the network's own training again, VGG's from a tenth of the rate (appendix A).
    "vgg16, boxes at 384": (vgg_2014.BOXES, 74, 256, VGG_AGAIN),
    "vgg16, boxes at 256": (vgg_2014.BOXES_256, 74, 256, VGG_AGAIN),
    "alexnet, boxes": (supervision_2012.BOXES, 90, 128, {0: 1e-3, 25: 1e-4, 51: 1e-5, 79: 1e-6}),
    "overfeat, boxes": (overfeat_2013.BOXES, 90, 128, OVERFEAT),
    "googlenet, boxes": (googlenet_2014.BOXES, 250, 32, {0: 1e-2, 8: 9.6e-3, 16: 9.216e-3}),
    "resnet, boxes": (msra_2015.BOXES, 120, 256, {0: 1e-2, 40: 1e-3, 80: 1e-4, 100: 1e-5}),
    "trimps, boxes": (trimps_2016.BOXES, 100, 32, INCEPTION),
    "trimps, boxes of v3": (trimps_2016.BOXES_V3, 100, 32, INCEPTION),
    "trimps, boxes of preresnet200": (trimps_2016.BOXES_PRE_200, 90, 256, EVERY_30),
    "trimps, boxes of wideresnet68_3": (trimps_2016.BOXES_WIDE_68, 90, 256, EVERY_30),
    "resnet, judged again": (msra_2015.JUDGED_AGAIN, 120, 256, {0: 1e-2, 40: 1e-3, 80: 1e-4, 100: 1e-5}),
    "trimps, judged again": (trimps_2016.JUDGED_AGAIN, 100, 32, INCEPTION),
    # 240,000 updates at 0.001 and 80,000 at a tenth, in proportion (He et al. 2015, appendix A).
    "faster r-cnn": (msra_2015.REGIONS, 5.5, 8, {0: 1e-3, 4.12: 1e-3, 4.125: 1e-4}),
    "r-cnn": (googlenet_2014.REGIONS, 50, 2, {0: 1e-3, 20: 1e-4, 40: 1e-5}),
    "miniature, boxes": (miniature_loc.BOXES_NORMALISED, 3, 32, {0: 0.0002, 0.5: 0.02, 1.75: 0.01}),
    "miniature, boxes of two": (miniature_loc.BOXES_OF_TWO, 2, 32, {0: 0.0002, 0.5: 0.02, 1.25: 0.01}),
    "miniature, judged again by two": (miniature_loc.REGIONS_OF_TWO, 2, 32, {0: 0.0002, 0.5: 0.02, 1.25: 0.01}),
    "miniature, judged again": (miniature_loc.REGIONS, 3, 32, {0: 0.0002, 0.5: 0.02, 1.75: 0.01}),
    "miniature, plain, boxes of scales": (miniature_loc.BOXES_OF_SCALES, 3, 32, {0: 0.0002, 0.5: 0.02, 1.75: 0.01}),
    "miniature, plain, boxes": (miniature_loc.BOXES, 3, 32, {0: 0.0002, 0.5: 0.02, 1.75: 0.01}),
    "miniature, regions": (miniature_det.REGIONS, 5, 4, {0: 0.0002, 0.5: 0.02, 2.75: 0.01}),
    "miniature, windows": (miniature_det.WINDOWS, 5, 4, {0: 0.0002, 0.5: 0.02, 2.75: 0.01}),
}


def all_recipes() -> dict[str, Recipe]:
    """Every recipe in entries/, by its source."""
    found: dict[str, Recipe] = {}
    for module in pkgutil.iter_modules(entries.__path__):
        values = vars(importlib.import_module(f"ilsvrc.entries.{module.name}")).values()
        for recipe in (value for value in values if isinstance(value, Recipe)):
            assert found.setdefault(recipe.source, recipe) == recipe, f"two recipes from {recipe.source}"
    return found
