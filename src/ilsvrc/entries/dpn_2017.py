"""Dual path networks: Chen, Li, Xiao, Jin, Yan, Feng, 2017. Team NUS-Qihoo_DPNs, first in localization in 2017."""

from dataclasses import replace

from ilsvrc.entries.protocols import CENTER, CENTER_320
from ilsvrc.entries.row import Paper, one, val
from ilsvrc.spec import SGD, AreaCrop, ColorJitter, Mirror, Recipe, Steps

DPN_92 = Recipe(
    source="Chen et al. 2017, section 4; the authors' release, DPN-92",
    epochs=90,
    batch=1280,
    optimizer=SGD(lr=0.316, momentum=0.9, weight_decay=1e-4),
    schedule=Steps(at=(30, 60), factor=0.1),
    augment=(AreaCrop(224, low=0.08), Mirror(), ColorJitter(0.2)),
    mean="channel",
    init="he",
    unit="deviation",
    gaps=(
        "rate: the square root of 0.1, in steps by 0.1; when is not said: every 30 of 90 epochs, as ResNeXt",
        "momentum, weight decay and initialisation are not given: ResNeXt's",
        "colours: the release moves hue, saturation and lightness by up to 20, 40 and 50; here brightness, contrast "
        "and saturation by up to a fifth",
        "every colour is divided by its own deviation; the release divides all by 59.9, 1 / 0.0167",
        "the crop is resized bilinearly; there bicubically",
    ),
)
DPN_98 = replace(
    DPN_92,
    source="Chen et al. 2017, section 4; the authors' release, DPN-98",
    optimizer=replace(DPN_92.optimizer, lr=0.4),
    gaps=(
        "rate: 0.4 (unverified), in steps by 0.1; when is not said: as DPN-92",
        *DPN_92.gaps[1:],
    ),
)
DPN_131 = replace(
    DPN_92,
    source="Chen et al. 2017, section 4; the authors' release, DPN-131",
    batch=960,
)

PAPER = Paper(
    key="dpn-2017",
    year=2017,
    team="NUS-Qihoo_DPNs",
    source="Chen et al. 2017, as Hu et al. 2017 quote it in their comparison of networks",
    new="A path that adds and a path that grows, side by side.",
)
ROWS = tuple(
    PAPER.row(f"131-{key}", f"results as quoted, DPN-131, {words}", one("dpn131", DPN_131), protocol, val(*found))
    for key, words, protocol, found in (
        ("center", "224", CENTER, (19.93, 5.12)),
        ("320", "320", CENTER_320, (18.55, 4.16)),
    )
)
