"""The detection task's data: images with boxes of 200 classes, in archives, extracted, or in the tree of 2015 and 2017.

Its val mixes images called ILSVRC2012_val_* and ILSVRC2013_val_*, its train has folders by class (2013) and by number
(2014), so images and box files are gathered from all folders of a split and paired by folder and name. Samples come
in the order of their names, which is that of the kit's val.txt, whichever form is read.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ilsvrc.data import imagenet
from ilsvrc.data.boxes import Found, read_xml
from ilsvrc.data.devkit import descendants, read_image_list, read_synsets
from ilsvrc.data.folders import SPLITS, Folder
from ilsvrc.data.listing import listing, short_names
from ilsvrc.data.sample import Classes
from ilsvrc.data.tree import Inside, Place, globbed
from ilsvrc.errors import DataError

BY_NUMBER = re.compile(r"ILSVRC20[0-9]{2}_(DET_)?train.*")  # folders of train that no classification set has
OF_DETECTION = ("ILSVRC2013_val_*", "ILSVRC2013_DET_val_*")  # images of val that no classification set has
FEW = 8  # folders of boxes in which an image is looked for whatever they are called


@dataclass(frozen=True)
class _Parts:
    """Where the parts of a detection set are, by split."""

    images: dict[str, tuple[Place, ...]]
    boxes: dict[str, tuple[Place, ...]]
    kit: Place | None  # the data folder of a development kit with meta_det.mat
    lists: tuple[Place, ...]  # folders of val.txt, test.txt


@dataclass(frozen=True)
class FoundBoxes:
    """Box files of a split, in any of its folders: those called as the image's folder first."""

    folders: dict[str, tuple[Place, ...]]  # by last name; under '' those that hold all the others
    ancestors: dict[str, str]  # WNID of a synset to that of the class above it

    def find(self, file: str) -> Found | None:
        """The boxes of an image, None where it has no file: pictures without any of the classes may lack one."""
        above, _, name = file.rpartition("/")
        likely = (*self.folders.get(above.rpartition("/")[2], ()), *self.folders[""])
        every = [place for places in self.folders.values() for place in places]
        for place in dict.fromkeys((*likely, *every) if len(every) <= FEW else likely):
            found = read_xml((place / name).with_suffix(".xml"))
            if found:
                return found[0], [self.ancestors.get(wnid, wnid) for wnid in found[1]]
        return None


def holds(root: Place) -> bool:
    """Whether a place has the shape of a detection set and not of one of classification."""
    if isinstance(root, Inside) and any("_DET_" in mount.path.name for mount in root.tree.mounts):
        return True
    if _top(root) is not None or any(place.is_dir() for place in globbed(root, "ILSVRC*_DET_*")):
        return True
    kit = _kit(root)
    classification = any((kit / name).is_file() for name in ("meta.mat", "meta_clsloc.mat")) if kit else False
    if kit and not classification:
        return any((root / name).is_dir() for names in SPLITS.values() for name in names)
    if any(BY_NUMBER.fullmatch(place.name) for place in globbed(root / "train", "ILSVRC*")):
        return True
    return kit is not None and any(globbed(root / "val", pattern) for pattern in OF_DETECTION)


def read(root: Place, split: str, *, boxes: bool = True) -> Folder:
    """The detection set at a place. Labels are None; boxes have labels, positions among the 200 sorted WordNet ids.

    Raises DataError when the split is missing, has no image, or the kit is damaged.
    """
    if split not in SPLITS:
        raise DataError(f"no split is called {split!r}; a data set has train, val and test")
    parts = _parts(root)
    places = parts.images.get(split, ())
    if not places:
        have = " and ".join(parts.images) or "nothing"
        raise DataError(f"{root} has {have} of the detection set but no folder {split}/; put the {split} images there")
    base, found = _base(root, places), []
    for place in places:
        found += list(_images(place, _relative(place, base)))
    if not found:
        raise DataError(f"{root} holds no image of {split}; put the {split} images there")
    found.sort(key=lambda file: (file.rpartition("/")[2], file))
    files = tuple(found)
    names = short_names(files)
    classes, ancestors = _classes(parts.kit)
    finder = FoundBoxes(_box_folders(parts.boxes.get(split, ())), ancestors) if boxes else None
    finder = finder if finder and finder.folders[""] else None
    lacking = _lacking(parts, split, names)
    said = f"; {len(lacking):,} images of {split}.txt are not there" if lacking else ""
    layout = f"The detection set, labels on boxes alone{said}."
    return Folder(root, base, layout, classes, names, files, None, finder, lacking)


def numbers(dataset: Folder) -> list[int]:
    """Of each label the number that the kit beside a detection set calls the class by, else the challenge's own kit.

    label + 1 where neither knows the classes. Raises DataError when the kit is damaged.
    """
    kit = _parts(dataset.root).kit
    if kit is not None:
        ids = read_synsets(kit / "meta_det.mat").ids
        return [ids[wnid] for wnid in dataset.classes.wnids]
    if dataset.classes.wnids == imagenet.detection_classes().wnids:
        return [int(number) for number in imagenet.detection_ids()]
    return [*range(1, len(dataset.classes) + 1)]


def _top(root: Place) -> Place | None:
    """The folder with Data/DET, given it, what it is in, or Data/DET itself; None where CLS-LOC is beside it."""
    if root.name == "DET" and root.parent.name == "Data":
        return root.parent.parent
    for place in (root, *globbed(root, "ILSVRC*")):
        if (place / "Data" / "DET").is_dir():
            return None if (place / "Data" / "CLS-LOC").is_dir() else place
    return None


def _kit(root: Place) -> Place | None:
    for place in (root / "devkit" / "data", *globbed(root, "*devkit*/data"), root / "data"):
        if (place / "meta_det.mat").is_file():
            return place
    return None


def _parts(root: Place) -> _Parts:
    top = _top(root)
    kit = _kit(root) if top is None else _kit(top) or _kit(top.parent)
    images: dict[str, tuple[Place, ...]] = {}
    boxes: dict[str, tuple[Place, ...]] = {}
    for split, names in SPLITS.items():
        if top is None:
            here = tuple(root / name for name in names if (root / name).is_dir())
            images[split] = (*here, *_extracted(root, f"ILSVRC*_DET_{split}*"))
            boxes[split] = (*_there(root / "bbox" / split), *_extracted(root, f"ILSVRC*_DET_bbox_{split}*"))
        else:
            images[split] = _there(top / "Data" / "DET" / split)
            boxes[split] = _there(top / "Annotations" / "DET" / split)
    lists = [top / "ImageSets" / "DET"] if top else []
    lists += [kit / "det_lists"] if kit else []
    return _Parts({split: places for split, places in images.items() if places}, boxes, kit, tuple(lists))


def _there(place: Place) -> tuple[Place, ...]:
    return (place,) if place.is_dir() else ()


def _extracted(root: Place, pattern: str) -> list[Place]:
    """Folders under the names of the archives they came from."""
    return [place for place in globbed(root, pattern) if place.is_dir()]


def _base(root: Place, places: tuple[Place, ...]) -> Place:
    """The folder that files are relative to: the split's own where there is one."""
    return places[0] if len(places) == 1 else root


def _relative(place: Place, base: Place) -> str:
    return "" if str(place) == str(base) else f"{place.name}/"


def _images(place: Place, prefix: str) -> Iterator[str]:
    """The paths of the images in a folder and all folders under it."""
    folders, images = listing(place)
    yield from (prefix + image for image in images)
    for folder in folders:
        yield from _images(place / folder, f"{prefix}{folder}/")


def _box_folders(roots: tuple[Place, ...]) -> dict[str, tuple[Place, ...]]:
    found: dict[str, list[Place]] = {"": list(roots)}
    waiting = list(roots)
    while waiting:
        place = waiting.pop()
        found.setdefault(place.name, []).append(place)
        waiting += [place / folder for folder in listing(place)[0]]
    return {name: tuple(sorted(places, key=str)) for name, places in found.items()}


def _classes(kit: Place | None) -> tuple[Classes, dict[str, str]]:
    """The classes of the kit, else of the challenge; and of each synset under a class the class."""
    if kit is None:
        return imagenet.detection_classes(), {}
    synsets = read_synsets(kit / "meta_det.mat")
    words = {wnid: record.words for wnid, record in zip(synsets.wnids, synsets.records, strict=False)}
    below = descendants([record.children for record in synsets.records])
    above: dict[str, str] = {}
    for wnid, under in zip(synsets.wnids, below, strict=False):
        above.update({synsets.records[number - 1].wnid: wnid for number in under})
    return Classes(synsets.sorted_wnids, tuple(words[wnid] for wnid in synsets.sorted_wnids)), above


def _lacking(parts: _Parts, split: str, names: Sequence[str]) -> tuple[str, ...]:
    """Images that the kit's list of a split names and that are not there."""
    for folder in parts.lists:
        if (folder / f"{split}.txt").is_file():
            listed = read_image_list(folder / f"{split}.txt").names
            here = {name.rpartition("/")[2] for name in names}
            return tuple(name for name in listed if name.rpartition("/")[2] not in here)
    return ()
