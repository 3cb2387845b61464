"""One card per network: whose it is, what was new in it, and what differs here from the paper or the release.

The standard library alone. Figures are those of the networks at the paper's size; the tests compare them.
"""

from functools import partial

from ilsvrc.models.card import Card
from ilsvrc.models.cards_library import LIBRARY
from ilsvrc.models.cards_members import DUAL_PATH, GATED_INCEPTION, OF_2013, OF_2015, OF_2016

BVLC = partial(Card, year=2014, team="BVLC", paper="Jia et al. 2014")
VGG = partial(Card, year=2014, team="VGG", paper="Simonyan and Zisserman 2014")
MSRA = partial(Card, year=2015, team="MSRA", paper="He et al. 2015")
RESNEXT = partial(Card, year=2016, team="ResNeXt", paper="Xie et al. 2016")
WMW = partial(Card, year=2017, team="WMW", paper="Hu et al. 2017")

RESPONSE_NORM = (
    "The response norm divides alpha by its window of 5, as the authors' code does; the printed formula does not."
)
INVERTED_DROPOUT = (
    "Dropout doubles what it keeps in training instead of halving everything at test time; the mean is the same."
)
ROUNDED_POOLS = (
    "Pools round up, as the authors' Caffe does, which at multiples of 32 pixels is the same as rounding down."
)
MOVING_AVERAGE = (
    "Batch norm tests with a moving average; the authors recomputed the statistics over training images afterwards."
)
ANY_MAP = "The last average pool spans the whole map, 7×7 at the paper's size, so that other sizes work."
OPTION_B = (
    "Shortcuts are option B, of table 3; the networks of this depth in table 2 have option A, without parameters."
)
POOL_OF_THE_RELEASE = (
    "pool1 has no padding and rounds up as in the release, which covers 50, 101 and 152 layers; the paper does not say."
)
TORCH_CODE = "None known: strides and padding are those of the authors' Torch code."
SE_BIASES = "The two layers of the SE block have biases, as in the release; the paper's ablations leave them out."
SE_POOL = "pool1 has no padding and rounds up, as in the release; the paper does not say."
STRIDE_1X1 = "The stride of a stage sits in its first 1×1, as in the release; later libraries put it in the 3×3."
STRIDE_3X3 = "The stride of a stage sits in its grouped 3×3, as in the release."

PAPERS: dict[str, Card] = {
    "alexnet": Card(
        year=2012,
        team="SuperVision",
        paper="Krizhevsky et al. 2012",
        parameters=60_965_224,
        new="Five convolutions and three full layers on two GPUs, with ReLUs, dropout and overlapping pools: "
        "16.4 % top-5 error where the runner-up had 26.2 %.",
        differences=(
            RESPONSE_NORM,
            "Images get 3 rows and columns of zeros at the bottom and the right, which is how the authors' code "
            "makes 55×55 of 224×224; the paper does not say.",
            "conv1, ReLU, norm, pool is the paper's order; in the authors' code conv1's ReLU comes after the pool.",
            "The authors' code also normalises over 5×5 pixels after norm2; the paper does not mention it "
            "and it is left out.",
            INVERTED_DROPOUT,
        ),
    ),
    "alexnet_caffe": BVLC(
        image_size=227,
        parameters=60_965_224,
        new="Berkeley's replica of AlexNet in Caffe, whose weights many later systems started from.",
        differences=(
            "Layer by layer as BVLC's definition; what follows is how that differs from the paper.",
            "Images are 227×227 without padding instead of 224×224.",
            "The response norm spans both towers and has k = 1, Caffe's default, instead of 2.",
        ),
    ),
    "caffenet": BVLC(
        image_size=227,
        parameters=60_965_224,
        new="The replica that pools before it normalises, on a quarter of the pixels.",
        differences=(
            "Layer by layer as BVLC's definition; what follows is how that differs from AlexNet's paper.",
            "Layers 1 and 2 pool before the response norm instead of after it.",
            "Images are 227×227 without padding instead of 224×224.",
            "The response norm spans both towers and has k = 1, Caffe's default, instead of 2.",
        ),
    ),
    "alexnet_one_tower": Card(
        year=2014,
        team="Krizhevsky",
        paper="Krizhevsky 2014",
        parameters=61_100_840,
        new="AlexNet in one column, without the split over two GPUs, for training many images in parallel instead.",
        differences=(
            "After the configuration released with cuda-convnet2: conv1's ReLU comes after its norm and pool.",
            "k = 2 in the response norm is that of the code of 2012, and alpha is divided by the window as there.",
            "Whether the paper's own network ends in a softmax, as here, or in 1000 logistic units is unverified.",
            "Libraries call this network, without its response norm and with padding on every side, AlexNet.",
            INVERTED_DROPOUT,
        ),
    ),
    "zfnet": Card(
        year=2013,
        team="ZF",
        paper="Zeiler and Fergus 2013",
        parameters=62_357_608,
        new="Looking at what its layers respond to led to smaller windows and strides in the first two layers.",
        differences=(
            "The winner of 2013, Clarifai, never published its networks; ZF, with those of this paper, came third.",
            "The paper prints no padding; 1 pixel in conv1, none in conv2 and pools that round up give its map sizes.",
            "The paper prints no constants of its contrast norm; they are AlexNet's (k 2, 5 maps, 1e-4 / 5, 0.75).",
            INVERTED_DROPOUT,
        ),
    ),
    "zfnet_big": Card(
        year=2013,
        team="ZF",
        paper="Zeiler and Fergus 2013",
        parameters=107_627_624,
        new="ZFNet with 512, 1024 and 512 maps in layers 3 to 5: wider in the middle, half a point better.",
        differences=(
            "Of the paper's six networks five are ZFNets, and this is the sixth.",
            "Padding and the constants of the contrast norm: as ZFNet's, of which the paper prints neither.",
            INVERTED_DROPOUT,
        ),
    ),
    **OF_2013,
    "googlenet": Card(
        year=2014,
        team="GoogLeNet",
        paper="Szegedy et al. 2014",
        parameters=13_378_280,
        new="Nine modules that look through windows of three sizes at once, behind 1×1 convolutions that keep them "
        "cheap, and two side heads that push gradient into the middle: 22 layers on 7 million parameters.",
        differences=(
            "13,378,280 parameters are those in training; without the two side heads it has 6,998,552.",
            "The paper's column of parameters does not follow from its column of widths; the widths are built here.",
            "Response norm has Caffe's constants (k 1, 5 maps, 1e-4 / 5, 0.75), those of the replica made with the "
            "first author's help; the paper prints none.",
            "conv1 is padded by 3 on every side as in that replica; 'same' padding as in the paper's figure would put "
            "2 left and above, 3 right and below.",
            ANY_MAP,
        ),
    ),
    "vgg11": VGG(
        parameters=132_863_336,
        new="Configuration A: nothing but 3×3 convolutions and 2×2 pools, the start of the deeper ones.",
        differences=(ROUNDED_POOLS, "The authors released no definition of this configuration."),
    ),
    "vgg11_lrn": VGG(
        parameters=132_863_336,
        new="Configuration A-LRN: shows that response norm does not help a deep network.",
        differences=(
            "Response norm has AlexNet's constants and divides alpha by its window; the k of the authors' Caffe is "
            "unknown, 2 is taken.",
            ROUNDED_POOLS,
            "The authors released no definition of this configuration.",
        ),
    ),
    "vgg13": VGG(
        parameters=133_047_848,
        new="Configuration B: pairs of 3×3 convolutions see as much as one 5×5 and do better.",
        differences=(ROUNDED_POOLS, "The authors released no definition of this configuration."),
    ),
    "vgg16_c": VGG(
        parameters=133_638_952,
        new="Configuration C: 1×1 convolutions add ReLUs without a wider view; part of the entry of 2014.",
        differences=(ROUNDED_POOLS, "The authors released no definition of this configuration."),
    ),
    "vgg16": VGG(
        parameters=138_357_544,
        new="Configuration D: depth alone, in the plainest layers, won localization and came second in classification.",
        differences=("Layer by layer as the authors' release.", ROUNDED_POOLS),
    ),
    "vgg19": VGG(
        parameters=143_667_240,
        new="Configuration E: 19 layers, where the gain of plain depth ended.",
        differences=("Layer by layer as the authors' release.", ROUNDED_POOLS),
    ),
    **OF_2015,
    "plain18": MSRA(
        parameters=11_515_688,
        new="The comparison: 18 layers with batch norm and without shortcuts.",
        differences=(POOL_OF_THE_RELEASE, MOVING_AVERAGE, ANY_MAP),
    ),
    "plain34": MSRA(
        parameters=21_623_848,
        new="The comparison: 34 layers without shortcuts, worse than 18, in training too.",
        differences=(POOL_OF_THE_RELEASE, MOVING_AVERAGE, ANY_MAP),
    ),
    "resnet18": MSRA(
        parameters=11_689_512,
        new="Blocks of two 3×3 convolutions that learn what to add to their input.",
        differences=(OPTION_B, POOL_OF_THE_RELEASE, MOVING_AVERAGE, ANY_MAP),
    ),
    "resnet34": MSRA(
        parameters=21_797_672,
        new="With shortcuts, 34 layers do better than 18.",
        differences=(OPTION_B, POOL_OF_THE_RELEASE, MOVING_AVERAGE, ANY_MAP),
    ),
    "resnet50": MSRA(
        parameters=25_557_032,
        new="Bottlenecks, 1×1 down and 1×1 up around a 3×3, make 50 layers as cheap as 34.",
        differences=(
            "conv1 has no bias; the released definition of this depth alone has one, 64 values that the batch norm "
            "behind it makes redundant.",
            STRIDE_1X1,
            MOVING_AVERAGE,
            ANY_MAP,
        ),
    ),
    "resnet101": MSRA(
        parameters=44_549_160,
        new="101 layers, also the trunk of the detection winner.",
        differences=(
            STRIDE_1X1,
            MOVING_AVERAGE,
            ANY_MAP,
        ),
    ),
    "resnet152": MSRA(
        parameters=60_192_808,
        new="152 layers, eight times VGG's depth with less computation, and still easy to train.",
        differences=(
            STRIDE_1X1,
            MOVING_AVERAGE,
            ANY_MAP,
        ),
    ),
    **OF_2016,
    "resnext50_32x4d": RESNEXT(
        parameters=25_028_904,
        new="Many narrow paths in parallel, added up: at equal cost, more paths do better than more layers or maps.",
        differences=(TORCH_CODE, ANY_MAP),
    ),
    "resnext101_32x4d": RESNEXT(
        parameters=44_177_704,
        new="32 paths through 101 layers: more accurate than the ResNet of that depth and cost.",
        differences=(TORCH_CODE, ANY_MAP),
    ),
    "resnext101_64x4d": RESNEXT(
        parameters=83_455_272,
        new="64 paths: doubling the computation by more paths gains more than by more layers or maps.",
        differences=(TORCH_CODE, ANY_MAP),
    ),
    **DUAL_PATH,
    "se_resnet50": WMW(
        parameters=28_088_024,
        new="A gate per map, set by the mean of every map, for less than 1 % more computation.",
        differences=(STRIDE_1X1, SE_BIASES, SE_POOL, ANY_MAP),
    ),
    "se_resnet101": WMW(
        parameters=49_326_872,
        new="The gates in a ResNet of 101 layers.",
        differences=(STRIDE_1X1, SE_BIASES, SE_POOL, ANY_MAP),
    ),
    "se_resnet152": WMW(
        parameters=66_821_848,
        new="The gates in a ResNet of 152 layers: depth and gates add up.",
        differences=(STRIDE_1X1, SE_BIASES, SE_POOL, ANY_MAP),
    ),
    "se_resnext50_32x4d": WMW(
        parameters=27_559_896,
        new="The gates in a ResNeXt of 50 layers.",
        differences=(STRIDE_3X3, SE_BIASES, SE_POOL, ANY_MAP),
    ),
    "se_resnext101_32x4d": WMW(
        parameters=48_955_416,
        new="The gates in a ResNeXt of 101 layers.",
        differences=(STRIDE_3X3, SE_BIASES, SE_POOL, ANY_MAP),
    ),
    "senet154": WMW(
        parameters=115_088_984,
        new="The gates in a ResNeXt of 152 layers with a stem of three 3×3, halved first 1×1 and 3×3 shortcuts: "
        "a member of the last winner.",
        differences=(
            "The winning ensemble was not published; this network is the one of its members that was.",
            STRIDE_3X3,
            SE_BIASES,
            SE_POOL,
            ANY_MAP,
        ),
    ),
    **GATED_INCEPTION,
}
CARDS = PAPERS | LIBRARY  # in the order of MODELS
