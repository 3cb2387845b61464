"""What the winners' papers claimed, each as a small experiment that can be run again."""

from ilsvrc.claims import alexnet, googlenet, preresnet, resnet, resnext, senet, vgg, zfnet
from ilsvrc.claims.claim import Claim

__all__ = ["CLAIMS", "Claim"]

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        alexnet.RELU,
        alexnet.POOLING,
        alexnet.NORM,
        zfnet.FIRST_LAYER,
        vgg.DEPTH,
        vgg.USELESS_NORM,
        vgg.SMALL_FILTERS,
        googlenet.SIDE_HEADS,
        resnet.DEGRADATION,
        resnet.SMALL_DEPTH,
        preresnet.PREACTIVATION,
        resnext.CARDINALITY,
        senet.GAIN,
        senet.REDUCTION,
    )
}
