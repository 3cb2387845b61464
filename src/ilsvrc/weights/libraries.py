"""State dicts of torchvision, timm and Cadene's collection: how they call our layers, and what their networks expect.

Key names and shapes are those of torchvision 0.28 and timm 1.0 and of Cadene's model code. A file is
recognised by its names and shapes alone, which do not tell a stride in the 1×1 from one in the 3×3;
so each of our networks takes only the layouts whose graph is known to be its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ilsvrc.weights import inception
from ilsvrc.weights.source import CAFFE_RANGE, UNIT_RANGE

Name = Callable[[str], str]  # from the name of one of our layers to theirs


@dataclass(frozen=True)
class Layout:
    """One way a library calls a network's layers."""

    name: Name
    record: dict[str, Any]  # fields of Weights
    file: str = ""  # what the file's name must begin with, where names and shapes do not tell two networks apart
    optional: tuple[str, ...] = ()  # beginnings of our names that a file may lack


def resnet(fc: str = "fc", gate: str = "se", stem: str = "") -> Name:
    """'conv3.1.conv2.conv' is 'layer2.1.conv2', '.norm' is 'bn2', the shortcut 'downsample.0' and '.1'."""

    def name(ours: str) -> str:
        if ours == "fc":
            return fc
        if ours.startswith("conv1."):
            number = ours.split(".")[1][-1] if "_" in ours else "1"  # SENet-154's stem has three
            return f"{stem}{'bn' if ours.endswith('norm') else 'conv'}{number}"
        stage, place, layer, *rest = ours.removeprefix("conv").split(".")
        block = f"layer{int(stage) - 1}.{place}"
        if layer == "se":
            return f"{block}.{gate}.{rest[0]}"
        norm = rest == ["norm"]
        if layer == "shortcut":
            return f"{block}.downsample.{int(norm)}"
        return f"{block}.{'bn' if norm else 'conv'}{layer[-1]}"

    return name


def resnext_cadene(ours: str) -> str:
    """'conv3.1.conv2.conv' is 'features.5.1.0.0.0.3': a Sequential in a Sequential."""
    if ours == "fc":
        return "last_linear"
    norm = ours.endswith(".norm")
    if ours.startswith("conv1."):
        return f"features.{int(norm)}"
    stage, place, layer, _ = ours.removeprefix("conv").split(".")
    inner = {
        "conv1": ("0.0.0", "0.0.1"),
        "conv2": ("0.0.3", "0.0.4"),
        "conv3": ("0.1", "0.2"),
        "shortcut": ("1.0", "1.1"),
    }
    return f"features.{int(stage) + 2}.{place}.0.{inner[layer][norm]}"


def vgg(stages: tuple[int, ...], full: tuple[str, str, str], trunk: str = "features", norms: bool = False) -> Name:
    """'conv2_1' is 'features.5': layers are counted with their ReLUs and pools, and batch norms where there are any."""
    places: dict[str, int] = {}
    count = 0
    for stage, convolutions in enumerate(stages, start=1):
        for number in range(1, convolutions + 1):
            places[f"conv{stage}_{number}"] = count
            count += 3 if norms else 2
        count += 1

    def name(ours: str) -> str:
        if ours in ("fc6", "fc7", "fc8"):
            return full[int(ours[2]) - 6]
        layer, _, part = ours.partition(".")
        return f"{trunk}.{places[layer] + (part == 'norm')}"

    return name


def alexnet(ours: str) -> str:
    """'conv3' is 'features.6'."""
    places = {"conv1": 0, "conv2": 3, "conv3": 6, "conv4": 8, "conv5": 10}
    full = {"fc6": "classifier.1", "fc7": "classifier.4", "fc8": "classifier.6"}
    return full.get(ours) or f"features.{places[ours]}"


def googlenet(ours: str) -> str:
    """'inception_4b.conv_3x3.conv' is 'inception4b.branch2.1.conv', 'side_1.fc' is 'aux1.fc1'."""
    if ours == "linear":
        return "fc"
    if ours.startswith("side_"):
        head, _, layer = ours.partition(".")
        words = {"fc": "fc1", "linear": "fc2", "conv.conv": "conv.conv", "conv.norm": "conv.bn"}
        return f"aux{head[-1]}.{words[layer]}"
    *path, part = ours.split(".")
    stem = {"conv1": "conv1", "conv2_reduce": "conv2", "conv2": "conv3"}
    branch = {"conv_1x1": "branch1", "reduce_3x3": "branch2.0", "conv_3x3": "branch2.1", "reduce_second": "branch3.0"}
    branch |= {"conv_second": "branch3.1", "pool_proj": "branch4.1"}
    layer = stem[path[0]] if len(path) == 1 else f"{path[0].replace('_', '')}.{branch[path[1]]}"
    return f"{layer}.{'bn' if part == 'norm' else part}"


def dpn(ours: str) -> str:
    """'conv3.1.branch.conv2' is 'features.conv3_2.c3x3_b': there a batch norm goes with the convolution behind it."""
    fixed = {"conv1.conv": "conv1_1.conv", "conv1.norm": "conv1_1.bn", "norm5": "conv5_bn_ac.bn"}
    if ours == "fc":
        return "classifier"
    if ours in fixed:
        return f"features.{fixed[ours]}"
    stage, place, *rest = ours.removeprefix("conv").split(".")
    words = {
        "branch.norm": "c1x1_a.bn",
        "branch.conv1.conv": "c1x1_a.conv",
        "branch.conv1.norm": "c3x3_b.bn",
        "branch.conv2.conv": "c3x3_b.conv",
        "branch.conv2.norm": "c1x1_c.bn",
        "branch.conv3": "c1x1_c.conv",
        "shortcut.norm": f"c1x1_w_s{1 if stage == '2' else 2}.bn",
        "shortcut.conv": f"c1x1_w_s{1 if stage == '2' else 2}.conv",
    }
    return f"features.conv{stage}_{int(place) + 1}.{words['.'.join(rest)]}"


def dpn_cadene(ours: str) -> str:
    """As timm's, with another word for the classifier."""
    return "last_linear" if ours == "fc" else dpn(ours)


def _unit(origin: str, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "channels": "RGB"}
    return {"origin": origin, "licence": "unverified", "top": UNIT_RANGE, **usual, **more}


_TORCHVISION = _unit("torchvision or timm, state dict", note="the size it was resized to in training varies by file")
_CADENE = _unit("Cadene or timm (legacy), state dict")
_RESNET = Layout(resnet(), _TORCHVISION)
_GATED = Layout(resnet(fc="last_linear", gate="se_module", stem="layer0."), _CADENE)
_RESNEXT = Layout(resnext_cadene, _unit("Cadene's conversion of the authors' weights, state dict"))
_CAFFERESNET = Layout(
    resnet(fc="last_linear"),
    {
        **_unit("Cadene's conversion of the authors' Caffe weights, state dict", channels="BGR"),
        "top": CAFFE_RANGE,
        "mean": (102.9801, 115.9465, 122.7717),
        "std": (1.0, 1.0, 1.0),
    },
    file="cafferesnet101",
)
# torchvision re-maps the usual normalisation inside the network; here the record has what comes out.
_GOOGLENET = Layout(
    googlenet, _unit("torchvision, state dict", mean=(0.5,) * 3, std=(0.5,) * 3), optional=("side_1.", "side_2.")
)
_HALF: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "image_size": 299, "resize": 320}
_INCEPTION_V3 = Layout(
    inception.torchvision_v3,
    _unit(
        "torchvision or timm, state dict",
        note="mean and deviation are those of Google's weights; some of timm's files were trained with the usual ones",
        **_HALF,
    ),
    optional=("side_1.",),
)
_DPN = _unit(
    "timm or Cadene, state dict",
    mean=(124 / 255, 117 / 255, 104 / 255),
    std=(1 / (0.0167 * 255),) * 3,
)
_VGG = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
_FULL = ("classifier.0", "classifier.3", "classifier.6")
_FULL_TIMM = ("pre_logits.fc1", "pre_logits.fc2", "head.fc")
_FULL_CADENE = ("linear0", "linear1", "last_linear")

LAYOUTS: dict[str, tuple[Layout, ...]] = {  # by our network's name
    **{f"resnet{depth}_v1_5": (_RESNET,) for depth in (18, 34, 50, 101, 152)},
    "resnet101": (_CAFFERESNET,),
    "wideresnet50_2": (_RESNET,),
    "wideresnet101_2": (_RESNET,),
    "resnext50_32x4d": (_RESNET,),
    "resnext101_32x4d": (_RESNET, _RESNEXT),
    "resnext101_64x4d": (_RESNET, _RESNEXT),
    "se_resnet50": (_GATED,),
    "se_resnet101": (_GATED,),
    "se_resnet152": (_GATED,),
    "se_resnext50_32x4d": (_GATED,),
    "se_resnext101_32x4d": (_GATED,),
    "senet154": (_GATED,),
    **{
        name: (
            Layout(vgg(stages, _FULL), _TORCHVISION),
            Layout(vgg(stages, _FULL_TIMM), _TORCHVISION),
            Layout(vgg(stages, _FULL_CADENE, trunk="_features"), _TORCHVISION),
        )
        for name, stages in _VGG.items()
    },
    **{
        f"{name}_bn": (
            Layout(vgg(stages, _FULL, norms=True), _TORCHVISION),
            Layout(vgg(stages, _FULL_TIMM, norms=True), _TORCHVISION),
            Layout(vgg(stages, _FULL_CADENE, trunk="_features", norms=True), _TORCHVISION),
        )
        for name, stages in _VGG.items()
    },
    "alexnet_torchvision": (Layout(alexnet, _TORCHVISION),),
    "googlenet_torchvision": (_GOOGLENET,),
    "inception_v3_torchvision": (_INCEPTION_V3,),
    "inception_v4": (Layout(inception.timm_v4, _unit("timm or Cadene, state dict", **_HALF)),),
    "inception_resnet_v2": (
        Layout(inception.timm_resnet_v2, _unit("timm, state dict", **_HALF)),
        Layout(inception.cadene_resnet_v2, _unit("Cadene, state dict", **_HALF)),
    ),
    **{name: (Layout(dpn, _DPN), Layout(dpn_cadene, _DPN)) for name in ("dpn92", "dpn98", "dpn131")},
}

_STRIDE = (
    "the libraries' network has the stride in the 3×3 and a padded pool1; in the published one the same weights run "
    "without an error and lose accuracy"
)
_GATES = "timm's SE networks without 'legacy' in their name have the stride elsewhere than the published ones"
_ALEXNET = "torchvision's alexnet is one tower without groups and response norm"
_PADDING = "averages of the libraries' network {}, those of this network {}"
REASONS: dict[str, str] = {  # why a network that libraries have under that name is not ours
    **dict.fromkeys(("alexnet", "alexnet_caffe", "caffenet", "alexnet_one_tower"), _ALEXNET),
    "googlenet": "torchvision's googlenet has batch norm and a 3×3 in place of the 5×5",
    **dict.fromkeys(("resnet18", "resnet34"), "the libraries' network has a padded pool1, the published one has not"),
    **dict.fromkeys(("resnet50", "resnet101", "resnet152"), _STRIDE),
    **dict.fromkeys(("se_resnet50", "se_resnet101", "se_resnet152"), _GATES),
    **dict.fromkeys(("se_resnext50_32x4d", "se_resnext101_32x4d"), _GATES),
    "inception_v3": _PADDING.format("count the padding", "do not"),
    "inception_v3_mxnet": "the libraries' network ends in an average, this one in a maximum",
    **dict.fromkeys(
        ("inception_v4_caffe", "inception_resnet_v2_caffe"), _PADDING.format("leave out the padding", "count it")
    ),
}
