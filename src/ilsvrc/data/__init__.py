"""From bytes on disk to samples.

`open` recognises how a directory is laid out and gives its data set; `fingerprint` tells two apart.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ilsvrc.data.folders import Folder

__all__ = ["fingerprint", "open"]


def open(path: Path | str, split: str, *, boxes: bool = True) -> "Folder":
    """The data set in a directory: split 'train', 'val' or 'test'.

    Reads the official archives as extracted (the mini set too), class folders with or without splits,
    and Tiny ImageNet; docs/data.md shows each. Files are listed now and read when asked for. Labels are
    positions by sorted WordNet id, or folder name. boxes=False leaves box files unread.
    Raises DataError when the directory is none of these or contradicts itself.
    """
    from ilsvrc.data import folders

    return folders.read(path, split, boxes=boxes)


def fingerprint(dataset: "Folder") -> str:
    """Twelve hexadecimal digits of the classes, and the names, sizes in bytes and labels of all images.

    Pixels are not read; where the directory stands does not matter. Raises DataError when a file is gone.
    """
    from ilsvrc.data import folders

    return folders.fingerprint(dataset)
