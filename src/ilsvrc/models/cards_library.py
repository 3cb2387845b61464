"""The cards of the networks that today's libraries have under the names of the challenge's and that are others."""

from functools import partial

from ilsvrc.models.card import Card

TORCHVISION = partial(Card, year=2017, team="torchvision", paper="Marcel and Rodriguez 2010")
FB_RESNET = partial(Card, year=2016, team="fb.resnet.torch", paper="Gross and Wilber 2016")
MXNET = partial(Card, year=2015, team="MXNet", paper="Szegedy et al. 2015", image_size=299)
SLIM = partial(Card, year=2016, team="Google", paper="Szegedy et al. 2016", image_size=299)
CUIMAGE = partial(Card, year=2016, team="CUImage", paper="He et al. 2016")
WRN = partial(Card, year=2016, team="WRN", paper="Zagoruyko and Komodakis 2016")

ANY_MAP = "The last average pool spans the whole map, 7×7 at the usual size, so that other sizes work."
STRIDE = (
    "The stride of a stage sits in the 3×3 of its first bottleneck, and pool1 is padded by one pixel and rounds down; "
    "in the network of 2015 it sits in the first 1×1, and pool1 has no padding and rounds up."
)
POOL = "pool1 is padded by one pixel and rounds down; in the release of 2015 it has no padding and rounds up."
ROUNDED_UP = "pool1 has no padding and rounds up; in fb.resnet.torch it is padded by one pixel and rounds down."
SIX = "An average brings the last map to the usual size, so that other sizes work."
ANY_8 = "The last average pool spans the whole map, 8×8 at the usual size, so that other sizes work."
COUNTED = "Averages of 3×3 count the zeros outside the map as pixels; in Google's network they do not."
CONVERTED = (
    "Weights converted for Caffe by a third party (soeaver) belong to it, whose definition it follows layer by layer."
)
BATCH_NORM = "Batch norm stands behind every convolution, which keeps its bias; the paper has none."
FLOORED = "Pools round down."

LIBRARY: dict[str, Card] = {
    "resnet18_v1_5": FB_RESNET(
        parameters=11_689_512,
        new="The ResNet-18 of today's libraries.",
        differences=(POOL, ANY_MAP),
    ),
    "resnet34_v1_5": FB_RESNET(
        parameters=21_797_672,
        new="The ResNet-34 of today's libraries.",
        differences=(POOL, ANY_MAP),
    ),
    "resnet50_v1_5": FB_RESNET(
        parameters=25_557_032,
        new="The ResNet-50 of today's libraries: its 3×3 sees every pixel, a 1×1 with a stride one of four.",
        differences=(STRIDE, ANY_MAP),
    ),
    "resnet101_v1_5": FB_RESNET(
        parameters=44_549_160,
        new="The ResNet-101 of today's libraries.",
        differences=(STRIDE, ANY_MAP),
    ),
    "resnet152_v1_5": FB_RESNET(
        parameters=60_192_808,
        new="The ResNet-152 of today's libraries.",
        differences=(STRIDE, ANY_MAP),
    ),
    "wideresnet101_2": WRN(
        parameters=126_886_696,
        new="The wide network with 101 layers, which libraries added.",
        differences=("Not in the paper.", ANY_MAP),
    ),
    "alexnet_torchvision": TORCHVISION(
        parameters=61_100_840,
        new="What torchvision calls alexnet: one tower without response norm.",
        differences=(
            "Response norm is left out, and conv1 is padded on every side; the network of 2012 has two towers.",
            "Dropout stands before the full layers and not behind them.",
            SIX,
        ),
    ),
    "googlenet_torchvision": TORCHVISION(
        parameters=13_004_888,
        new="What torchvision calls googlenet: TensorFlow's later version with batch norm.",
        differences=(
            "Batch norm behind every convolution, no response norm, and a 3×3 where the 5×5 belongs.",
            "pool4 has a window of 2×2, dropout is 0.2, and the side heads see a mean of 4×4.",
            ANY_MAP,
        ),
    ),
    "vgg11_bn": TORCHVISION(
        parameters=132_868_840,
        new="Configuration A with batch norm.",
        differences=(BATCH_NORM, FLOORED, SIX),
    ),
    "vgg13_bn": TORCHVISION(
        parameters=133_053_736,
        new="Configuration B with batch norm.",
        differences=(BATCH_NORM, FLOORED, SIX),
    ),
    "vgg16_bn": TORCHVISION(
        parameters=138_365_992,
        new="Configuration D with batch norm.",
        differences=(BATCH_NORM, FLOORED, SIX),
    ),
    "vgg19_bn": TORCHVISION(
        parameters=143_678_248,
        new="Configuration E with batch norm.",
        differences=(BATCH_NORM, FLOORED, SIX),
    ),
    "inception_v3_torchvision": TORCHVISION(
        image_size=299,
        parameters=27_161_264,
        new="What torchvision and timm call inception_v3: Google's layers with other averages.",
        differences=(
            COUNTED,
            "Dropout is 0.5; Google's is 0.2.",
            "27,161,264 parameters are those in training; without the side head it has 23,834,568.",
            ANY_8,
        ),
    ),
    "inception_v3_mxnet": MXNET(
        parameters=27_161_264,
        new="MXNet's Inception-v3, the one that was converted for Caffe.",
        differences=(
            CONVERTED,
            "The last module has a maximum where Google's has an average.",
            COUNTED,
            "The definition has no side head; the one here is Google's.",
            ANY_8,
        ),
    ),
    "inception_v4_caffe": SLIM(
        parameters=42_679_816,
        new="Inception-v4 as it was converted for Caffe.",
        differences=(CONVERTED, COUNTED, ANY_8),
    ),
    "inception_resnet_v2_caffe": SLIM(
        parameters=55_843_464,
        new="Inception-ResNet-v2 as it was converted for Caffe.",
        differences=(CONVERTED, COUNTED, ANY_8),
    ),
    "preresnet101_caffe": CUIMAGE(
        parameters=44_541_480,
        new="The pre-activated ResNet-101 that was released for Caffe, of a team of 2016.",
        differences=(ROUNDED_UP, ANY_MAP),
    ),
    "preresnet152_caffe": CUIMAGE(
        parameters=60_185_128,
        new="The pre-activated ResNet-152 that was released for Caffe.",
        differences=(ROUNDED_UP, ANY_MAP),
    ),
    "preresnet269_caffe": CUIMAGE(
        parameters=102_065_704,
        new="269 layers, which that team added.",
        differences=("Not in the paper.", ROUNDED_UP, ANY_MAP),
    ),
}
