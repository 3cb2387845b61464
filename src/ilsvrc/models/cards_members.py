"""The cards of the networks around the winners': members of their ensembles, seconds, parents."""

from functools import partial

from ilsvrc.models.card import Card

OVERFEAT = partial(Card, year=2013, team="OverFeat", paper="Sermanet et al. 2013")
GOOGLE = partial(Card, year=2015, team="ReCeption", paper="Szegedy et al. 2015", image_size=299)
INCEPTION_4 = partial(Card, year=2016, team="Google", paper="Szegedy et al. 2016", image_size=299)
PREACTIVATION = partial(Card, year=2016, team="MSRA", paper="He et al. 2016")
DPN = partial(Card, year=2017, team="NUS-Qihoo_DPNs", paper="Chen et al. 2017")
WMW = partial(Card, year=2017, team="WMW", paper="Hu et al. 2017")

ANY_MAP = "The last average pool spans the whole map, 7×7 at the paper's size, so that other sizes work."
ANY_8 = "The last average pool spans the whole map, 8×8 at 299 pixels, so that other sizes work."
SMALL_FIRST = "Images of other sizes give the first full layer another window."
INVERTED = "Dropout doubles what it keeps in training instead of halving everything at test time; the mean is the same."
NO_TRAINING_CODE = (
    "The authors released a feature extractor; padding and map sizes are those its README and the table agree on."
)
SAME_PADDING = (
    "Averages of 3×3 leave out the zeros outside the map, as TensorFlow's do; libraries and conversions that count "
    "them are other networks."
)
EPSILON = "Batch norm adds 0.001 to the variance and has a gain, which Google's code leaves out (unverified)."
SLIM_HEAD = "Google's training code has a side head, which the paper does not mention; it is left out."
UNIT_STRIDE = (
    "The stride of a stage sits in the 3×3 and pool1 is padded by one pixel, as in fb.resnet.torch; where the "
    "authors' own networks for ImageNet had the stride is unverified."
)
DEPTH_OF_THE_CODE = (
    "The depth is that of the code and of later use; the paper's networks for ImageNet have 152 and 200 layers."
)
DPN_SOURCE = (
    "Built from the released definition as converted for Caffe, which the libraries' model agrees with; the paper was "
    "not at hand."
)
BIASES = (
    "The two layers of the SE block have biases, as in the authors' releases; the paper's ablations leave them out."
)

OF_2013: dict[str, Card] = {
    "overfeat_fast": OVERFEAT(
        image_size=231,
        parameters=145_920_872,
        new="One network, run as a convolution over whole images, classifies, localizes and detects: first in "
        "localization. This is the smaller one, seven of which entered.",
        differences=(
            NO_TRAINING_CODE,
            "The row of input sizes in the paper's table gives 24×24 for layer 2 (unverified), which is the size it "
            "leaves; 28×28 goes in.",
            INVERTED,
            SMALL_FIRST,
        ),
    ),
    "overfeat_accurate": OVERFEAT(
        image_size=221,
        parameters=144_656_488,
        new="The larger network of after the challenge: twice the multiply-adds, a smaller step in the first layer.",
        differences=(
            NO_TRAINING_CODE,
            "The paper's text counts five layers of convolutions, with 256 maps at the end; the table, followed here, "
            "has six and 1024.",
            INVERTED,
            SMALL_FIRST,
        ),
    ),
    "nin": Card(
        year=2013,
        team="NUS",
        paper="Lin et al. 2013",
        parameters=7_595_176,
        new="1×1 convolutions between the others, a mean per map in place of full layers; GoogLeNet has both of it.",
        differences=(
            "The paper has networks for small images; this is the one of the Caffe model zoo, after ports of its file.",
            "The last 1×1 has a ReLU, so that no logit is below zero, as in the authors' file for small images.",
            "The group came second in 2013 with networks that were not published.",
            "The last pool spans the whole map, 6×6 at the usual size, so that other sizes work.",
        ),
    ),
}
OF_2015: dict[str, Card] = {
    "bn_inception": Card(
        year=2015,
        team="Google",
        paper="Ioffe and Szegedy 2015",
        parameters=11_285_224,
        new="Batch norm: each layer's inputs are brought to mean 0 and deviation 1 over the batch, and training takes "
        "a fourteenth of the steps.",
        differences=(
            "The paper's table gives other sums for 4c, 4d and 4e than its own widths (unverified); widths are built, "
            "and give the 608, 608 and 1056 maps of the releases.",
            "Convolutions have no biases, which the batch norm behind them would cancel; the release for Caffe keeps "
            "them, 10,016 values more.",
            "The paper states 13.6 million parameters; what its count holds beyond these layers is unknown.",
            "Averages of 3×3 count the zeros outside the map, as Caffe's do; what Google's own code did is unknown.",
            "Side heads, which the paper's training may have had, are left out: no release has them.",
            "On maps of odd size, which the paper's do not have, the stride of 3c and 4e rounds up in all branches.",
            ANY_MAP,
        ),
    ),
    "inception_v3": GOOGLE(
        parameters=27_161_264,
        new="Convolutions taken apart, 7×7 into 1×7 and 7×1, and a side head with batch norm: second in 2015, and the "
        "network most systems of the years after started from.",
        differences=(
            "27,161,264 parameters are those in training; without the side head it has 23,834,568.",
            "Google's release, from which the paper's table differs: there three 3×3 stand for the 1×1, 3×3 and pool "
            "of the stem, pairs of 3×3 for each 5×5, and five modules of 17×17 for the four.",
            SAME_PADDING,
            EPSILON,
            "The side head's last convolution spans its pooled map, 5×5 at 299 pixels, and less on smaller images.",
            ANY_8,
        ),
    ),
}
OF_2016: dict[str, Card] = {
    "inception_v4": INCEPTION_4(
        parameters=42_679_816,
        new="The pure Inception again, made uniform: three kinds of modules, four, seven and three times.",
        differences=(
            "Google's release; the order of some 1×7 and 7×1 differs from the paper's figures (unverified).",
            SAME_PADDING,
            SLIM_HEAD,
            EPSILON,
            ANY_8,
        ),
    ),
    "inception_resnet_v1": INCEPTION_4(
        parameters=22_756_328,
        new="Inception's branches beside a shortcut, at Inception-v3's cost: it trains faster to the same end.",
        differences=(
            "Never released; widths are read off the paper's figures (unverified), and their sums close exactly.",
            "The paper scales residuals by 0.1 to 0.3; the 0.17, 0.1 and 0.2 here are those released for v2.",
            "The 1×1 that closes a block has a bias and no batch norm, as in the release of v2.",
            EPSILON,
            ANY_8,
        ),
    ),
    "inception_resnet_v2": INCEPTION_4(
        parameters=55_843_464,
        new="Residual Inception at Inception-v4's cost, additions scaled down so that wide layers do not die: the best "
        "single member of the winner of 2016.",
        differences=(
            "Google's release, which is another network than the paper's: Inception-v3's stem, 10, 20 and 10 blocks "
            "for 5, 10 and 5, and a last 1×1; the paper's has 32 million parameters.",
            "The tenth block of 8×8 is not scaled and has no ReLU, as in the release.",
            SAME_PADDING,
            SLIM_HEAD,
            EPSILON,
            ANY_8,
        ),
    ),
    "preresnet50": PREACTIVATION(
        parameters=25_549_352,
        new="Batch norm and ReLU before each convolution: nothing stands on the way of the identity.",
        differences=(DEPTH_OF_THE_CODE, UNIT_STRIDE, ANY_MAP),
    ),
    "preresnet101": PREACTIVATION(
        parameters=44_541_480,
        new="101 layers of pre-activated units.",
        differences=(DEPTH_OF_THE_CODE, UNIT_STRIDE, ANY_MAP),
    ),
    "preresnet152": PREACTIVATION(
        parameters=60_185_128,
        new="152 layers: at this depth no better than the unit of 2015.",
        differences=(UNIT_STRIDE, ANY_MAP),
    ),
    "preresnet200": PREACTIVATION(
        parameters=64_666_152,
        new="200 layers, where the unit of 2015 overfits and this one gains: a member of the winner of 2016.",
        differences=(UNIT_STRIDE, ANY_MAP),
    ),
    "wideresnet50_2": Card(
        year=2016,
        team="WRN",
        paper="Zagoruyko and Komodakis 2016",
        parameters=68_883_240,
        new="Twice the maps in the 3×3 of every bottleneck: wider instead of deeper, and faster for its accuracy.",
        differences=("None known: strides and padding are those of fb.resnet.torch, as in the authors' code.", ANY_MAP),
    ),
    "wideresnet68_3": Card(
        year=2016,
        team="Trimps-Soushen",
        paper="Zagoruyko and Komodakis 2016",
        parameters=176_162_344,
        new="A reconstruction of the wide member of the winner of 2016, of which only a name is known.",
        differences=(
            "No layout was published; 68 layers are 22 bottlenecks, and 3, 4, 12 and 3 per stage are chosen here.",
            "One summary of the team's slides writes WRN-68-2, others 68-3, which is taken.",
            "Bottlenecks are three times as wide inside alone; the WRN authors' code, run with 3, widens outputs too.",
            ANY_MAP,
        ),
    ),
}
DUAL_PATH: dict[str, Card] = {
    "dpn92": DPN(
        parameters=37_668_392,
        new="A residual path and a growing one side by side in every stage: features are reused and new ones found. "
        "The family of the winner of 2017 in localization.",
        differences=(DPN_SOURCE, "Batch norm adds 0.001 to the variance, as in the release.", ANY_MAP),
    ),
    "dpn98": DPN(
        parameters=61_570_728,
        new="98 layers, 40 groups.",
        differences=(DPN_SOURCE, "Batch norm adds 0.001 to the variance, as in the release.", ANY_MAP),
    ),
    "dpn131": DPN(
        parameters=79_254_504,
        new="131 layers, 40 groups: the largest of the family that was released.",
        differences=(
            DPN_SOURCE,
            "The released definition takes 320 pixels, at which the network was tested; 224 are those of its siblings.",
            "Batch norm adds 0.001 to the variance, as in the release.",
            ANY_MAP,
        ),
    ),
}
GATED_INCEPTION: dict[str, Card] = {
    "se_bn_inception": WMW(
        parameters=11_931_622,
        new="The gates on BN-Inception: behind every module, those with a stride included.",
        differences=(
            "Layer by layer as the authors' release.",
            BIASES,
            "On maps of odd size, which the release does not have, the stride of 3c and 4e rounds up in all branches.",
            ANY_MAP,
        ),
    ),
    "se_inception_resnet_v2": WMW(
        image_size=299,
        parameters=65_092_718,
        new="The gates on the largest Inception; a reconstruction, as the authors' network was never released.",
        differences=(
            "Where the gates are is ours, after the paper's two rules: on every residual branch before its addition, "
            "and behind the three modules that have none.",
            "The network below is Google's released form; whether the authors had that one is unknown.",
            BIASES,
            SAME_PADDING,
            ANY_8,
        ),
    ),
}
