"""The classes, their words and the labels of flat folders, as a kit and lists beside the images say them."""

import re
from collections.abc import Sequence

from ilsvrc.data.boxes import read_lines
from ilsvrc.data.devkit import Synsets, read_ground_truth, read_synsets
from ilsvrc.data.sample import Classes
from ilsvrc.data.tree import Place, globbed
from ilsvrc.errors import DataError


def kit_in(root: Place) -> Place | None:
    """The data folder of a development kit of classification beside the images."""
    for place in (root / "devkit" / "data", *globbed(root, "*devkit*/data"), root / "data"):
        if (place / "meta.mat").is_file() or (place / "meta_clsloc.mat").is_file():
            return place
    return None


def synsets_of(kit: Place) -> Synsets:
    """The synsets of classification of a kit."""
    return read_synsets(kit / "meta.mat" if (kit / "meta.mat").exists() else kit / "meta_clsloc.mat")


def labels_by_kit(kit: Place, files: Sequence[str], directory: Place) -> tuple[list[str], tuple[int, ...]]:
    """The sorted WordNet ids, and the label of each image by its number: line i of the ground truth is of image i.

    Raises DataError when there are more or fewer images than lines, or the kit contradicts itself.
    """
    synsets = synsets_of(kit)
    path = (globbed(kit, "*validation_ground_truth.txt") or [kit / "ILSVRC2012_validation_ground_truth.txt"])[0]
    truth = read_ground_truth(path)[:, 0]
    numbers = [re.search(r"(\d+)\.\w+$", file) for file in files]
    lines = [int(number[1]) if number else 0 for number in numbers]
    if sorted(lines) != list(range(1, len(truth) + 1)):
        raise DataError(
            f"{directory} holds {len(files):,} images and {path} has {len(truth):,} lines; "
            f"images ILSVRC2012_val_00000001 to {len(truth):08d} are wanted, one per line: extract them again"
        )
    ids = [int(truth[line - 1]) for line in lines]
    if not 1 <= min(ids) <= max(ids) <= synsets.classes:
        raise DataError(
            f"{path} has ids from {min(ids)} to {max(ids)} and the kit {synsets.classes} classes; get it again"
        )
    return list(synsets.sorted_wnids), tuple(synsets.labels[ids].tolist())


def classes_of(root: Place, wnids: Sequence[str]) -> Classes:
    """The classes with the words of the kit, of words.txt, or of LOC_synset_mapping.txt; else their own names."""
    words: dict[str, str] = {}
    kit = kit_in(root)
    if kit:
        words = {record.wnid: record.words for record in synsets_of(kit).records}
    for path in (root / "words.txt", root.parent / "words.txt", root / "LOC_synset_mapping.txt"):
        if not words and path.is_file():
            pairs = (re.split(r"\s", line, maxsplit=1) for line in read_lines(path))
            words = {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}
    return Classes(tuple(wnids), tuple(words.get(wnid, wnid) for wnid in wnids))
