"""The test protocols of the papers by name: what `ilsvrc evaluate --protocol` takes.

Every length is for networks of `image_size` pixels, and in proportion for others. What is averaged, and over what, is
part of each; where a paper does not say it, `gaps` does.
"""

from dataclasses import replace

from ilsvrc.spec import Crops, Dense, NamedProtocol, Together

# Sermanet et al. 2013, table 5: height and width of the six scales of the accurate network.
ACCURATE = ((245, 245), (281, 317), (317, 389), (389, 461), (425, 497), (461, 569))
# The fast network's are not printed: at these its classifier has as many places at each offset as table 5 gives.
FAST = ((247, 247), (279, 311), (311, 375), (375, 439), (407, 471), (439, 535))
FOUR = (0, 1, 3, 5)  # of the six: "4 scales (1, 2, 4, 6)"

OVERFEAT_GAPS = (
    "the maximum over places is of the softmax, the network's last layer in its tables; the text says class scores",
    "which images are turned is not said: an image that is higher than wide takes each size turned",
)
FAST_GAPS = (
    *OVERFEAT_GAPS,
    "sizes of the fast network are not printed: those at which its classifier has as many places as table 5 gives",
    "its last pool moves by two pixels, so that two offsets in each direction, not three, are all there are",
)
VGG_GAPS = (
    "whether the softmax comes before the mean over places is not said: after it",
    "pools round up, as in the released networks, so that a side that is no multiple of 32 has one place more",
)
LARGER = "sides for networks of 299 pixels are not printed: those of 224 in proportion (unverified)"


def overfeat(*scales: int, offsets: int = 3) -> Dense:
    """Those of the accurate network's six scales, from 0."""
    sizes = tuple(ACCURATE[scale] for scale in scales)
    return Dense(sizes=sizes, mirror=True, over="max", places="probabilities", offsets=offsets)


def overfeat_fast(*scales: int, offsets: int = 2) -> Dense:
    """Those of the fast network's six scales, from 0."""
    return replace(overfeat(offsets=offsets), sizes=tuple(FAST[scale] for scale in scales))


CENTER = Crops(layout="center", short_sides=(256,), size=224)
TEN = Crops(layout="ten", short_sides=(256,), size=224)
CENTER_320 = Crops(layout="center", short_sides=(320,), size=320)
GOOGLENET = Crops(layout="googlenet", short_sides=(256, 288, 320, 352), size=224)
VGG_MULTISCALE = Dense(short_sides=(256, 384, 512), mirror=True)
VGG_GRID = Crops(layout="grid", short_sides=(256, 384, 512), size=224)
# 299 over 224 of 256, 288, 320 and 352.
INCEPTION_144 = Crops(layout="googlenet", short_sides=(342, 384, 427, 470), size=299)

PROTOCOLS: dict[str, NamedProtocol] = {
    "center": NamedProtocol(protocol=CENTER, image_size=224, source="Krizhevsky et al. 2012, section 4.1"),
    "bvlc-center": NamedProtocol(
        protocol=Crops(layout="center", short_sides=(256,), size=227, warp=True),
        image_size=227,
        source="BVLC's bvlc_alexnet and bvlc_reference_caffenet, training definitions",
    ),
    "ten": NamedProtocol(protocol=TEN, image_size=224, source="Krizhevsky et al. 2012, section 4.1"),
    "twelve": NamedProtocol(
        protocol=Crops(layout="twelve", short_sides=(256,), size=224),
        image_size=224,
        source="independent tests of released weights: corners, centre and the whole central square, and mirrors",
        gaps=("of what twelve crops are is not said: one side, the central square (unverified)",),
    ),
    "zfnet": NamedProtocol(
        protocol=TEN,
        image_size=224,
        source="Zeiler and Fergus 2013, section 3",
        gaps=("the paper gives none but its ten training crops: they, and the mean of the softmax as AlexNet",),
    ),
    "overfeat-ten": NamedProtocol(
        protocol=Crops(layout="ten", short_sides=(256,), size=221),
        image_size=221,
        source="Sermanet et al. 2013, table 2: 4 corners, centre and flip",
    ),
    "overfeat-1-coarse": NamedProtocol(
        protocol=overfeat(0, offsets=1),
        image_size=221,
        source="Sermanet et al. 2013, section 3.3 and table 5",
        gaps=OVERFEAT_GAPS,
    ),
    "overfeat-1": NamedProtocol(
        protocol=overfeat(0), image_size=221, source="Sermanet et al. 2013, section 3.3 and table 5", gaps=OVERFEAT_GAPS
    ),
    "overfeat": NamedProtocol(
        protocol=overfeat(*FOUR),
        image_size=221,
        source="Sermanet et al. 2013, section 3.3 and table 5: scales 1, 2, 4 and 6",
        gaps=OVERFEAT_GAPS,
    ),
    "overfeat-6": NamedProtocol(
        protocol=overfeat(*range(6)),
        image_size=221,
        source="Sermanet et al. 2013, section 3.3 and table 5",
        gaps=OVERFEAT_GAPS,
    ),
    "overfeat-fast-1-coarse": NamedProtocol(
        protocol=overfeat_fast(0, offsets=1),
        image_size=231,
        source="Sermanet et al. 2013, section 3.3 and table 2",
        gaps=FAST_GAPS,
    ),
    "overfeat-fast-1": NamedProtocol(
        protocol=overfeat_fast(0), image_size=231, source="Sermanet et al. 2013, section 3.3, table 2", gaps=FAST_GAPS
    ),
    "overfeat-fast": NamedProtocol(
        protocol=overfeat_fast(*FOUR),
        image_size=231,
        source="Sermanet et al. 2013, section 3.3, table 2: scales 1, 2, 4 and 6",
        gaps=FAST_GAPS,
    ),
    "overfeat-fast-6": NamedProtocol(
        protocol=overfeat_fast(*range(6)),
        image_size=231,
        source="Sermanet et al. 2013, section 3.3, table 2",
        gaps=FAST_GAPS,
    ),
    "googlenet": NamedProtocol(protocol=GOOGLENET, image_size=224, source="Szegedy et al. 2014, section 7: 144 crops"),
    "vgg-dense": NamedProtocol(
        protocol=Dense(short_sides=(256,), mirror=True),
        image_size=224,
        source="Simonyan and Zisserman 2014, section 3.2, table 3, Q = S = 256",
        gaps=VGG_GAPS,
    ),
    "vgg-dense-384": NamedProtocol(
        protocol=Dense(short_sides=(384,), mirror=True),
        image_size=224,
        source="Simonyan and Zisserman 2014, section 3.2, table 3, Q = 384, for S = 384 and S from 256 to 512",
        gaps=VGG_GAPS,
    ),
    "vgg-multiscale": NamedProtocol(
        protocol=VGG_MULTISCALE,
        image_size=224,
        source="Simonyan and Zisserman 2014, section 4.2, table 4, S from 256 to 512",
        gaps=VGG_GAPS,
    ),
    "vgg-multiscale-256": NamedProtocol(
        protocol=Dense(short_sides=(224, 256, 288), mirror=True),
        image_size=224,
        source="Simonyan and Zisserman 2014, section 4.2, table 4, S = 256",
        gaps=VGG_GAPS,
    ),
    "vgg-multiscale-384": NamedProtocol(
        protocol=Dense(short_sides=(352, 384, 416), mirror=True),
        image_size=224,
        source="Simonyan and Zisserman 2014, section 4.2, table 4, S = 384",
        gaps=VGG_GAPS,
    ),
    "vgg-grid": NamedProtocol(
        protocol=VGG_GRID,
        image_size=224,
        source="Simonyan and Zisserman 2014, sections 3.2 and 4.3, table 5, multi-crop: 50 crops at each of 3 scales",
    ),
    "vgg-both": NamedProtocol(
        protocol=Together(of=(VGG_GRID, VGG_MULTISCALE)),
        image_size=224,
        source="Simonyan and Zisserman 2014, section 4.3, table 5, multi-crop and dense",
        gaps=VGG_GAPS,
    ),
    "resnet-dense": NamedProtocol(
        protocol=Dense(short_sides=(224, 256, 384, 480, 640), mirror=True),
        image_size=224,
        source="He et al. 2015, section 3.4, table 4",
        gaps=(
            "the scores that are averaged are logits over places and probabilities over scales: the paper says scores",
            "mirrors are averaged too, as in the practice it cites (unverified)",
        ),
    ),
    "center-320": NamedProtocol(
        protocol=CENTER_320,
        image_size=224,
        source="He et al. 2016, table 5; Xie et al. 2016, table 5; Hu et al. 2017, table 3",
        gaps=("the networks are those of 224 pixels, looking at more",),
    ),
    "inception-center": NamedProtocol(
        protocol=Crops(layout="center", short_sides=(342,), size=299),
        image_size=299,
        source="Szegedy et al. 2015, section 8; released evaluation: the central 87.5 %",
        gaps=(
            "the paper does not say how the crop is made; the release cuts 87.5 % of both sides and warps that, "
            "here a square is cut",
            "the papers of v3 and v4 leave some 1,700 images of the validation set out (their list is not public)",
        ),
    ),
    "inception-352": NamedProtocol(
        protocol=Crops(layout="center", short_sides=(352,), size=299),
        image_size=299,
        source="Hu et al. 2017, section 4, for Inception-ResNet-v2",
    ),
    "inception-12": NamedProtocol(
        protocol=Crops(layout="twelve", short_sides=(342,), size=299),
        image_size=299,
        source="Szegedy et al. 2015, section 8, and Szegedy et al. 2016, tables",
        gaps=("of what twelve crops are is not said: one side, the central square (unverified)", LARGER),
    ),
    "inception-144": NamedProtocol(
        protocol=INCEPTION_144,
        image_size=299,
        source="Szegedy et al. 2015, section 8, and Szegedy et al. 2016: as GoogLeNet's 144",
        gaps=(LARGER,),
    ),
}
