"""What is in a folder of a data set, on disk or in an archive: class folders, images, and the rest.

Listing reads no image: a hundred thousand files take about a second.
"""

import os
from collections.abc import Sequence
from itertools import chain, repeat

from ilsvrc.data.tree import HIDDEN, Inside, Members, Place
from ilsvrc.errors import DataError

SUFFIXES = {  # in any case
    *(".jpeg", ".jpg", ".jpe", ".jfif", ".png", ".bmp", ".webp"),
    *(".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif"),
}
SHOWN = 3  # classes or files named in an error; the rest is counted


def listing(directory: Place) -> tuple[list[str], list[str]]:
    """Names of the folders and of the images in a directory, sorted; hidden ones and other files are left out."""
    folders, images, _ = _entries(directory)
    return sorted(folders), sorted(images)


def _entries(directory: Place) -> tuple[list[str], list[str], int]:
    try:
        return directory.entries() if isinstance(directory, Inside) else _entries_on_disk(str(directory))
    except FileNotFoundError as error:
        raise DataError(f"{directory} does not exist; give the directory of a data set") from error
    except NotADirectoryError as error:
        raise DataError(f"{directory} is a file; give the directory of a data set") from error
    except OSError as error:
        raise DataError(f"{directory} cannot be listed ({error.strerror}); make it readable") from error


def _entries_on_disk(directory: str) -> tuple[list[str], list[str], int]:
    folders, images, others = [], [], 0
    with os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(HIDDEN):
                continue
            if entry.is_dir():
                folders.append(name)
            elif os.path.splitext(name)[1].lower() in SUFFIXES:
                images.append(name)
            else:
                others += 1
    return folders, images, others


def class_names(directory: Place) -> list[str]:
    """The names of the class folders in a directory, sorted. Raises DataError when there are none or only one."""
    folders, images = listing(directory)
    if not folders:
        what = f"{len(images):,} images and no class folders" if images else "no class folders"
        raise DataError(f"{directory} holds {what}; put the images of each class in a folder of its own")
    if len(folders) == 1:
        raise DataError(f"{directory} holds only one class, {folders[0]}; two or more are wanted, one folder each")
    return folders


def scan(directory: Place, wnids: Sequence[str]) -> tuple[Sequence[str], tuple[int, ...], int]:
    """Relative paths and labels of the images of all classes, and how many other files there are.

    Raises DataError when a class has no image.
    """
    found = directory.members(wnids) if isinstance(directory, Inside) else None
    files, counts, others = found or _scan_folders(directory, wnids)
    empty = [wnid for wnid, count in zip(wnids, counts, strict=True) if not count]
    if empty:
        raise DataError(
            f"{directory} has no image in {some(empty)} of its {len(wnids):,} classes; "
            "put images there or remove the empty folder"
        )
    labels = chain.from_iterable(repeat(label, count) for label, count in enumerate(counts))
    return files, tuple(labels), others


def _scan_folders(directory: Place, wnids: Sequence[str]) -> tuple[Sequence[str], list[int], int]:
    files: list[str] = []
    counts, others = [], 0
    for wnid in wnids:
        prefix = f"{wnid}/"
        folders, images, strange = _entries(directory / wnid)
        if not images and "images" in folders:
            prefix = f"{wnid}/images/"
            _, images, strange = _entries(directory / wnid / "images")
        files += [prefix + image for image in sorted(images)]
        counts.append(len(images))
        others += strange
    return tuple(files), counts, others


def by_name(files: Sequence[str], labels: Sequence[int]) -> tuple[Sequence[str], tuple[int, ...]]:
    """Images of class folders in the order of their file names, as of a flat folder; by path where names repeat."""
    if short_names(files) is files:
        return files, tuple(labels)
    order = sorted(range(len(files)), key=[file.rpartition("/")[2] for file in files].__getitem__)
    sorted_files = files.taken(order) if isinstance(files, Members) else tuple(files[place] for place in order)
    return sorted_files, tuple(labels[place] for place in order)


def short_names(files: Sequence[str]) -> Sequence[str]:
    """File names without suffix where they are unique, else the paths."""
    if isinstance(files, Members):
        return files.without_folder()
    stems = [os.path.splitext(file.rpartition("/")[2])[0] for file in files]
    return tuple(stems if len(set(stems)) == len(stems) else files)


def passed_over(others: int) -> str:
    """The words that say how many files were no images; empty for none."""
    return f"; {others:,} other files there are no images by their suffix" if others else ""


def some(names: Sequence[str]) -> str:
    """The first names and how many more there are."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
