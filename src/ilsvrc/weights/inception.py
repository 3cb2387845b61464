"""What releases and libraries call the layers of the Inception networks, table by table.

Our layers are 'mixed_6b.branch_3.line.4', the fifth convolution of the third branch, and
'mixed_7b.branch_2.fork.1', the second of the two that end one. A table has a row per branch, in our order,
with their names in the order the convolutions run; the last two of a row are the fork where there is
one, and a pool that passes its maps through has an empty row.
"""

Rows = tuple[tuple[str, ...], ...]

# --- soeaver/caffe-model's definitions

_REDUCTION_A: Rows = (("3x3",), ("3x3_2_reduce", "3x3_2", "3x3_3"))
_REDUCTION_B: Rows = (("3x3_reduce", "3x3"), ("1x7_reduce", "1x7", "7x1", "3x3_2"))
_V3_A: Rows = (("1x1",), ("5x5_reduce", "5x5"), ("3x3_reduce", "3x3_1", "3x3_2"), ("pool_proj",))
_V3_B: Rows = (
    ("1x1_2",),
    ("1x7_reduce", "1x7", "7x1"),
    ("7x1_reduce", "7x1_2", "1x7_2", "7x1_3", "1x7_3"),
    ("1x1",),
)
_V3_C: Rows = (
    ("1x1_2",),
    ("1x3_reduce", "1x3", "3x1"),
    ("3x3_reduce", "3x3", "1x3_2", "3x1_2"),
    ("1x1",),
)
_V4_A: Rows = (("1x1_2",), ("3x3_reduce", "3x3"), ("3x3_2_reduce", "3x3_2", "3x3_3"), ("1x1",))
_V4_B: Rows = (
    ("1x1_2",),
    ("1x7_reduce", "1x7", "7x1"),
    ("7x1_2_reduce", "7x1_2", "1x7_2", "7x1_3", "1x7_3"),
    ("1x1",),
)
_V4_C: Rows = (
    ("1x1_2",),
    ("1x1_3", "1x3", "3x1"),
    ("1x1_4", "3x1_2", "1x3_2", "1x3_3", "3x1_3"),
    ("1x1",),
)
_STEM = {"conv_1a": "conv1_3x3_s2", "conv_2a": "conv2_3x3_s1", "conv_2b": "conv3_3x3_s1", "linear": "classifier"}
_STEM_V3 = _STEM | {"conv_3b": "conv4_3x3_reduce", "conv_4a": "conv4_3x3"}

SOEAVER_V3: dict[str, tuple[str, Rows]] = {  # our module: what its layers' names begin with, and their table
    **{f"mixed_5{letter}": (f"inception_a{number}_", _V3_A) for number, letter in enumerate("bcd", start=1)},
    "mixed_6a": ("reduction_a_", _REDUCTION_A),
    **{f"mixed_6{letter}": (f"inception_b{number}_", _V3_B) for number, letter in enumerate("bcde", start=1)},
    "mixed_7a": ("reduction_b_", _REDUCTION_B),
    **{f"mixed_7{letter}": (f"inception_c{number}_", _V3_C) for number, letter in enumerate("bc", start=1)},
}
SOEAVER_V4: dict[str, tuple[str, Rows]] = {
    "mixed_3a": ("inception_stem1_", ((), ("3x3_s2",))),
    "mixed_4a": ("inception_stem2_", (("3x3_reduce", "3x3"), ("1x7_reduce", "1x7", "7x1", "3x3_2"))),
    "mixed_5a": ("inception_stem3_", (("3x3_s2",),)),
    **{f"inception_a.{place}": (f"inception_a{place + 1}_", _V4_A) for place in range(4)},
    "reduction_a": ("reduction_a_", _REDUCTION_A),
    **{f"inception_b.{place}": (f"inception_b{place + 1}_", _V4_B) for place in range(7)},
    "reduction_b": ("reduction_b_", _REDUCTION_B),
    **{f"inception_c.{place}": (f"inception_c{place + 1}_", _V4_C) for place in range(3)},
}
_BLOCK_A: Rows = (("1x1",), ("3x3_reduce", "3x3"), ("3x3_2_reduce", "3x3_2", "3x3_3"))
_BLOCK_B: Rows = (("1x1",), ("1x7_reduce", "1x7", "7x1"))
_BLOCK_C: Rows = (("1x1",), ("1x3_reduce", "1x3", "3x1"))
SOEAVER_RESNET_V2: dict[str, tuple[str, Rows]] = {
    "mixed_5b": ("conv5_", (("1x1",), ("5x5_reduce", "5x5"), ("3x3_reduce", "3x3", "3x3_2"), ("1x1_ave",))),
    **{f"block35.{place}": (f"inception_resnet_v2_a{place + 1}_", _BLOCK_A) for place in range(10)},
    "mixed_6a": ("reduction_a_", _REDUCTION_A),
    **{f"block17.{place}": (f"inception_resnet_v2_b{place + 1}_", _BLOCK_B) for place in range(20)},
    "mixed_7a": (
        "reduction_b_",
        (("3x3_reduce", "3x3"), ("3x3_2_reduce", "3x3_2"), ("3x3_3_reduce", "3x3_3", "3x3_4")),
    ),
    **{f"block8.{place}": (f"inception_resnet_v2_c{place + 1}_", _BLOCK_C) for place in range(9)},
    "block8_last": ("inception_resnet_v2_c10_", _BLOCK_C),
}


def soeaver_v3(name: str) -> tuple[str, str, str]:
    """'mixed_6b.branch_2.line.1' is 'inception_b1_1x7'. The conversion has no side head."""
    return _soeaver("" if name.startswith("side_1.") else _STEM_V3.get(name) or in_table(SOEAVER_V3, name))


def soeaver_v4(name: str) -> tuple[str, str, str]:
    """'inception_a.2.branch_1.line.0' is 'inception_a3_1x1_2'."""
    return _soeaver(_STEM.get(name) or in_table(SOEAVER_V4, name))


def soeaver_resnet_v2(name: str) -> tuple[str, str, str]:
    """'block35.0.branches.branch_1.line.0' is 'inception_resnet_v2_a1_1x1'."""
    fixed = _STEM_V3 | {"conv_7b": "conv6_1x1"}
    return _soeaver(fixed.get(name) or in_table(SOEAVER_RESNET_V2, name))


def _soeaver(layer: str) -> tuple[str, str, str]:
    return layer, f"{layer}_bn", f"{layer}_scale"


# --- torchvision, timm and Cadene

_TV_35: Rows = (
    ("branch1x1",),
    ("branch5x5_1", "branch5x5_2"),
    ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
    ("branch_pool",),
)
_TV_17: Rows = (
    ("branch1x1",),
    tuple(f"branch7x7_{number}" for number in (1, 2, 3)),
    tuple(f"branch7x7dbl_{number}" for number in (1, 2, 3, 4, 5)),
    ("branch_pool",),
)
_TV_8: Rows = (
    ("branch1x1",),
    ("branch3x3_1", "branch3x3_2a", "branch3x3_2b"),
    ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a", "branch3x3dbl_3b"),
    ("branch_pool",),
)
TORCHVISION_V3: dict[str, tuple[str, Rows]] = {
    **{f"mixed_5{letter}": (f"Mixed_5{letter}.", _TV_35) for letter in "bcd"},
    "mixed_6a": ("Mixed_6a.", (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"))),
    **{f"mixed_6{letter}": (f"Mixed_6{letter}.", _TV_17) for letter in "bcde"},
    "mixed_7a": (
        "Mixed_7a.",
        (("branch3x3_1", "branch3x3_2"), tuple(f"branch7x7x3_{number}" for number in (1, 2, 3, 4))),
    ),
    **{f"mixed_7{letter}": (f"Mixed_7{letter}.", _TV_8) for letter in "bc"},
}


def _numbered(*lengths: int) -> Rows:
    """'branch0' for a branch of one convolution, 'branch1.0', 'branch1.1' for longer ones; -1 for one behind a pool."""
    return tuple(
        (f"branch{place}.1",)
        if length < 0
        else (f"branch{place}",)
        if length == 1
        else tuple(f"branch{place}.{number}" for number in range(length))
        for place, length in enumerate(lengths)
    )


_TIMM_C: Rows = (
    ("branch0",),
    ("branch1_0", "branch1_1a", "branch1_1b"),
    ("branch2_0", "branch2_1", "branch2_2", "branch2_3a", "branch2_3b"),
    ("branch3.1",),
)
TIMM_V4: dict[str, tuple[str, Rows]] = {
    "mixed_3a": ("features.3.", ((), ("conv",))),
    "mixed_4a": ("features.4.", _numbered(2, 4)),
    "mixed_5a": ("features.5.", (("conv",),)),
    **{f"inception_a.{place}": (f"features.{6 + place}.", _numbered(1, 2, 3, -1)) for place in range(4)},
    "reduction_a": ("features.10.", _numbered(1, 3)),
    **{f"inception_b.{place}": (f"features.{11 + place}.", _numbered(1, 3, 5, -1)) for place in range(7)},
    "reduction_b": ("features.18.", _numbered(2, 4)),
    **{f"inception_c.{place}": (f"features.{19 + place}.", _TIMM_C) for place in range(3)},
}
TIMM_RESNET_V2: dict[str, tuple[str, Rows]] = {
    "mixed_5b": ("mixed_5b.", _numbered(1, 2, 3, -1)),
    **{f"block35.{place}": (f"repeat.{place}.", _numbered(1, 2, 3)) for place in range(10)},
    "mixed_6a": ("mixed_6a.", _numbered(1, 3)),
    **{f"block17.{place}": (f"repeat_1.{place}.", _numbered(1, 3)) for place in range(20)},
    "mixed_7a": ("mixed_7a.", _numbered(2, 2, 3)),
    **{f"block8.{place}": (f"repeat_2.{place}.", _numbered(1, 3)) for place in range(9)},
    "block8_last": ("block8.", _numbered(1, 3)),
}


def torchvision_v3(ours: str) -> str:
    """'mixed_6b.branch_2.line.1.conv' is 'Mixed_6b.branch7x7_2.conv', '.norm' is '.bn'."""
    fixed = {"linear": "fc", "side_1.linear": "AuxLogits.fc"}
    if ours in fixed:
        return fixed[ours]
    name, _, part = ours.rpartition(".")
    stem = {"conv_1a": "Conv2d_1a_3x3", "conv_2a": "Conv2d_2a_3x3", "conv_2b": "Conv2d_2b_3x3"}
    stem |= {"conv_3b": "Conv2d_3b_1x1", "conv_4a": "Conv2d_4a_3x3"}
    stem |= {"side_1.conv_1": "AuxLogits.conv0", "side_1.conv_2": "AuxLogits.conv1"}
    return f"{stem.get(name) or in_table(TORCHVISION_V3, name)}.{_part(part)}"


def timm_v4(ours: str) -> str:
    """'inception_a.2.branch_1.line.0.conv' is 'features.8.branch0.conv'."""
    if ours == "linear":
        return "last_linear"
    name, _, part = ours.rpartition(".")
    stem = {"conv_1a": "features.0", "conv_2a": "features.1", "conv_2b": "features.2"}
    return f"{stem.get(name) or in_table(TIMM_V4, name)}.{_part(part)}"


def timm_resnet_v2(ours: str) -> str:
    """'block35.0.branches.branch_1.line.0.conv' is 'repeat.0.branch0.conv', 'block35.0.up' is 'repeat.0.conv2d'."""
    if ours == "linear":
        return "classif"
    if ours.endswith(".up"):
        return f"{TIMM_RESNET_V2[ours.removesuffix('.up')][0]}conv2d"
    name, _, part = ours.rpartition(".")
    stem = {name: f"conv2d_{name[5:]}" for name in ("conv_1a", "conv_2a", "conv_2b", "conv_3b", "conv_4a", "conv_7b")}
    return f"{stem.get(name) or in_table(TIMM_RESNET_V2, name)}.{_part(part)}"


def cadene_resnet_v2(ours: str) -> str:
    """As timm's, with another word for the classifier."""
    return "last_linear" if ours == "linear" else timm_resnet_v2(ours)


def _part(part: str) -> str:
    return "bn" if part == "norm" else part


def in_table(table: dict[str, tuple[str, Rows]], name: str) -> str:
    """The name of a convolution, looked up by module, branch and place."""
    if name.endswith(".up"):
        return f"{table[name.removesuffix('.up')][0]}up"
    module, _, rest = name.partition(".branch_")
    begins, rows = table[module.removesuffix(".branches")]
    branch, part, place = rest.split(".")
    row = rows[int(branch) - 1]
    return begins + row[int(place) - 2 if part == "fork" else int(place)]
