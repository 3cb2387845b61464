"""One step of a detector: what a batch of scenes teaches both networks, as a loss. Ren et al. 2015, section 3.2."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ilsvrc.models.rcnn import STRIDE, FasterRCNN, RegionClassifier
from ilsvrc.spec import Detector
from ilsvrc.tasks.anchors import anchors, over_map
from ilsvrc.tasks.detect import Scene, proposal_loss, proposals, region_loss, taught_anchors, taught_regions
from ilsvrc.tasks.pooling import regarded
from ilsvrc.tasks.warp import warped

PARTS = ("proposals", "regions")


def step_loss(
    network: FasterRCNN,
    images: Tensor,
    scenes: Sequence[Scene],
    how: Detector,
    draws: torch.Generator,
    parts: Sequence[str] = PARTS,
    teacher: FasterRCNN | None = None,
) -> Tensor:
    """The loss of a batch, (B, 3, H, W) with a scene each: that of proposals, of regions, or the sum of both.

    Approximate joint training: proposals count as given where regions learn, no gradient goes through their edges. In
    alternating training they may be those of another network, the teacher.
    """
    maps = network.shared(images)
    logits, offsets = (each.float() for each in network.propose(maps))
    every = over_map(anchors(how.scales, how.ratios).to(offsets), maps.shape[2], maps.shape[3], STRIDE)
    total = maps.new_zeros((), dtype=torch.float32)
    if "proposals" in parts:
        for place, scene in enumerate(scenes):
            taught = taught_anchors(every, scene, how, draws)
            total = total + sum(proposal_loss(logits[place], offsets[place], taught, how)) / len(scenes)
    if "regions" in parts:
        if teacher is not None:
            with torch.no_grad():
                logits, offsets = (each.float() for each in teacher.propose(teacher.shared(images)))
        given = [
            proposals(logits[place], offsets[place], every, scene, how, training=True)
            for place, scene in enumerate(scenes)
        ]
        total = total + regions_loss(network, maps, given, scenes, how, draws)
    return total


def regions_loss(
    network: FasterRCNN,
    maps: Tensor,
    given: Sequence[Tensor],
    scenes: Sequence[Scene],
    how: Detector,
    draws: torch.Generator,
) -> Tensor:
    """The loss of the region network on proposals (P, 4) of each image."""
    taught = [taught_regions(some, scene, how, draws) for some, scene in zip(given, scenes, strict=True)]
    regions = torch.cat([some for some, _ in taught])
    image = torch.cat([torch.full((len(some),), place, device=maps.device) for place, (some, _) in enumerate(taught)])
    sizes = regions.new_tensor([[scene.width, scene.height] for scene in scenes])
    logits, offsets = network.judge(regarded(network, maps, regions, image, sizes, how))
    classes = torch.cat([one.classes for _, one in taught])
    wanted = torch.cat([one.offsets for _, one in taught])
    said, where = region_loss(logits.float(), offsets.float(), classes, wanted)
    return said + where


def warped_loss(
    network: RegionClassifier,
    images: Tensor,
    given: Sequence[Tensor],
    scenes: Sequence[Scene],
    how: Detector,
    draws: torch.Generator,
    size: int,
) -> Tensor:
    """The loss of an R-CNN on proposals (P, 4) that are given for each image, warped to `size` pixels.

    As of the region network of Faster R-CNN; R-CNN itself trains its classes and its boxes one after the other.
    """
    taught = [taught_regions(some, scene, how, draws) for some, scene in zip(given, scenes, strict=True)]
    windows = [warped(image, some, size, how.around) for image, (some, _) in zip(images, taught, strict=True)]
    logits, offsets = network(torch.cat(windows))
    classes = torch.cat([one.classes for _, one in taught])
    said, where = region_loss(logits.float(), offsets.float(), classes, torch.cat([one.offsets for _, one in taught]))
    return said + where
