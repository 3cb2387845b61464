"""WMW, ILSVRC 2017: Hu, Shen, Sun (later Albanie, Wu), Squeeze-and-Excitation Networks, 2017."""

from dataclasses import replace

from ilsvrc.entries.protocols import CENTER, CENTER_320, GOOGLENET, PROTOCOLS
from ilsvrc.entries.row import Paper, one, val
from ilsvrc.spec import SGD, AreaCrop, BatchNorm, Entry, Member, Mirror, Recipe, Reported, Rotation, Steps

MAIN = Recipe(  # of the paper's tables; RECIPE is the winner's
    source="Hu et al. 2017, implementation details of the main results",
    epochs=100,
    batch=1024,
    optimizer=SGD(lr=0.6, momentum=0.9, weight_decay=1e-4),
    schedule=Steps(at=(30, 60, 90), factor=0.1),
    augment=(AreaCrop(224, low=0.08), Mirror()),
    mean="channel",
    init="he",
    gaps=(
        "weight decay 1e-4 is the usual value (unverified)",
        "an early text draws the classes evenly; the final one does not, nor is it done here",
        "the released weights are of another training: RELEASED",
    ),
)

MAIN_299 = replace(  # of SE-Inception-ResNet-v2
    MAIN,
    source="Hu et al. 2017, implementation details of the main results, for images of 299",
    augment=(AreaCrop(299, low=0.08), Mirror()),
)

RELEASED = Recipe(
    source="Hu et al. 2017, the notes of the released weights",
    epochs=100,
    batch=256,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-4),
    schedule=Steps(at=(30, 60, 90), factor=0.1),
    augment=(Rotation(10), AreaCrop(224, low=0.08), Mirror()),
    mean="channel",
    init="he",
    gaps=(
        "'more epochs' than the paper's 100 and their schedule are not given: the paper's",
        "the image is turned by up to 10 degrees before it is cropped; the order is not given",
        "'pixel jitter' by up to 20 grey levels is not drawn: what it draws for is not said",
        "weight decay 1e-4 is the usual value (unverified)",
    ),
)

RECIPE = Recipe(
    source="Hu et al. 2017, implementation details and the description of SENet-154",
    epochs=100,
    batch=2048,
    optimizer=SGD(lr=1.0, momentum=0.9, weight_decay=1e-4),
    schedule=Steps(at=(30, 60, 90), factor=0.1),
    augment=(AreaCrop(224, low=0.08), Mirror()),
    mean="channel",
    init="he",
    label_smoothing=0.1,
    batch_norm=BatchNorm(frozen=5),
    gaps=(
        "weight decay 1e-4 and smoothing 0.1 are the usual values (unverified)",
        "schedule: the paper's main one (every 30 of 100 epochs; rate 0.6 at batch 1024); the winner's is not given",
        "batch norm is frozen, scale and shift too, for 'the last few' epochs: 5",
        "no warm-up is mentioned for batch 2048 at rate 1",
    ),
)

NEW = "A gate that reweighs channels by what the whole map holds, for under one percent more arithmetic."

CLASSIFICATION = Entry(
    key="wmw-2017-cls",
    year=2017,
    team="WMW",
    task="classification",
    members=(
        Member(model="senet154", recipe=RECIPE),
        Member(model="se_resnext101_32x4d", recipe=MAIN),
        Member(model="se_resnet152", recipe=MAIN),
    ),
    protocol=GOOGLENET,
    reported=(Reported(metric="top-5 error", percent=2.251, split="test", source="the ensemble; result page of 2017"),),
    source="Hu et al. 2017, the section on ILSVRC 2017",
    new=NEW,
    gaps=(
        "'a small ensemble of SENets', of which SENet-154 alone is named: the two other members are ours",
        "'standard' fusion of several scales and crops: which is not said; GoogLeNet's 144, and equal weights",
    ),
    reconstruction=True,
)

PAPER = Paper(
    key="wmw-2017",
    year=2017,
    team="WMW",
    source="Hu et al. 2017, the tables of main results and of comparison",
    new=NEW,
)
# Of each network: what the gate is added to, the network with the gate, and both results trained by them.
RESULTS = (
    ("50", "resnet50", "se_resnet50", (24.80, 7.48), (23.29, 6.62)),
    ("101", "resnet101", "se_resnet101", (23.17, 6.52), (22.38, 6.07)),
    ("152", "resnet152", "se_resnet152", (22.42, 6.34), (21.57, 5.73)),
    ("x50", "resnext50_32x4d", "se_resnext50_32x4d", (22.11, 5.90), (21.10, 5.49)),
    ("x101", "resnext101_32x4d", "se_resnext101_32x4d", (21.18, 5.57), (20.70, 5.01)),
    ("bn-inception", "bn_inception", "se_bn_inception", (25.38, 7.89), (24.23, 7.14)),
    ("inception-resnet-v2", "inception_resnet_v2", "se_inception_resnet_v2", (20.37, 5.21), (19.80, 4.79)),
    ("vgg16", "vgg16_bn", None, (27.02, 8.81), None),
)


def _result(key: str, words: str, model: str, found: tuple[float, float]) -> Entry:
    large = model.endswith("inception_resnet_v2")
    member, looked = one(model, MAIN_299 if large else MAIN), PROTOCOLS["inception-352"].protocol if large else CENTER
    return PAPER.row(f"{key}-center", f"main results, {words}", member, looked, val(*found))


ROWS = (
    *(_result(f"plain-{key}", f"{plain}, re-implemented", plain, found) for key, plain, _, found, _ in RESULTS),
    *(_result(f"se-{key}", se, se, found) for key, _, se, _, found in RESULTS if se and found),
    *(
        PAPER.row(f"{key}-released", f"release, {model}", one(model, RELEASED), CENTER, val(*found))
        for key, model, found in (
            ("se-bn-inception", "se_bn_inception", (23.62, 7.04)),
            ("se-50", "se_resnet50", (22.37, 6.36)),
            ("se-101", "se_resnet101", (21.75, 5.72)),
            ("se-152", "se_resnet152", (21.34, 5.54)),
            ("se-x50", "se_resnext50_32x4d", (20.97, 5.54)),
            ("se-x101", "se_resnext101_32x4d", (19.81, 4.96)),
        )
    ),
    PAPER.row("154-center", "results of comparison, SENet-154, 224", one("senet154", RECIPE), CENTER, val(18.68, 4.47)),
    PAPER.row(
        "154-320",
        "results of comparison, SENet-154, 320",
        one("senet154", RECIPE),
        CENTER_320,
        val(17.28, 3.79),
    ),
)
