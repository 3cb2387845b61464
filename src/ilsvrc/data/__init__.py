"""From bytes on disk to samples.

`open` recognises how a directory or an archive is laid out and gives its data set; the other functions say what a
data set is: its name, what its images are and whose, and a fingerprint that tells two apart.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ilsvrc.data.folders import Folder
    from ilsvrc.data.parquet import Parquet
    from ilsvrc.data.sample import Dataset
    from ilsvrc.data.shards import Shards

__all__ = ["Split", "credits", "description", "fingerprint", "name", "open"]

Split = Literal["train", "val", "test"]


def open(path: Path | str, split: Split, *, boxes: bool = True) -> "Folder | Shards | Parquet":
    """The data set in a directory, in archives, or in shards at a URL: split 'train', 'val' or 'test'.

    Reads the official archives as they are or extracted (the mini set too), class folders with or without
    splits, Kaggle's tree, Tiny ImageNet and the detection set, each as a directory, a zip or a tar, and shards as
    `ilsvrc pack` and WebDataset write them, and Hugging Face's parquet files; docs/data.md shows them. Files are listed
    now and read when asked for. Labels are positions by sorted WordNet id, or folder name: the same, in the same
    order, whichever form is read. Of the detection set they are None, and boxes alone have labels; where a place
    holds both tasks it is asked for by the path of `Data/DET` or of one of its image archives.
    boxes=False leaves box files unread.
    Raises DataError when the path holds none of these or contradicts itself.
    """
    from ilsvrc.data import archives, detection, folders, parquet, remote, remote_shards, shards

    url = remote.url_of(path)
    if url is not None:
        return remote_shards.read(url, split, boxes=boxes)
    place = Path(path)
    tree = archives.tree_of(place)
    if tree is None and any(shards.shards_in(place, each) for each in folders.SPLITS):
        return shards.read(place, split, boxes=boxes)
    if tree is None and any(parquet.files_in(place, each) for each in folders.SPLITS):
        return parquet.read(place, split)
    root = tree or place
    if detection.holds(root):
        return detection.read(root, split, boxes=boxes)
    return folders.read(root, split, boxes=boxes)


def name(dataset: "Dataset") -> str:
    """What the data set is called: its own name where it has one, else 'unnamed'."""
    return str(getattr(dataset, "name", "unnamed"))


def description(dataset: "Dataset") -> str:
    """What the images are and how they were found, in a few sentences; empty where the data set does not say."""
    return str(getattr(dataset, "description", ""))


def credits(dataset: "Dataset") -> tuple[str, ...]:
    """Whose images they are, a sentence each; empty where the data set does not say."""
    return tuple(getattr(dataset, "credits", ()))


def fingerprint(dataset: "Dataset") -> str:
    """Twelve hexadecimal digits of the classes, and the names, sizes in bytes and labels of all images in order.

    Of a directory no image is read, and where it stands does not matter. Raises DataError when a file is gone.
    """
    from ilsvrc.data import folders

    digest = hashlib.sha256("\n".join(dataset.classes.wnids).encode(errors="surrogateescape"))
    for image, size, label in folders.rows(dataset):
        digest.update(f"\n{image}\t{size}\t{label}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]
