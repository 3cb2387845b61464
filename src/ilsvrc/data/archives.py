"""Which archives make one data set, told by their names and by what they hold.

The official archives stand beside each other under the names image-net.org gave them; parts of one archive are
called train-0.tar.gz, train-1.tar.gz; anything else is one archive that holds everything.
"""

from pathlib import Path

from ilsvrc.data.source import Source
from ilsvrc.data.tars import PACKED, open_tar
from ilsvrc.data.tree import Inside, Mount, Tree
from ilsvrc.data.zips import is_zip, open_zip
from ilsvrc.errors import DataError

OFFICIAL = (  # where in the tree, and the names there are: with dates and versions, gzipped or not
    ("train", "ILSVRC*_img_train.tar"),
    ("val", "ILSVRC*_img_val.tar"),
    ("test", "ILSVRC*_img_test*.tar"),
    ("bbox/train", "ILSVRC*_bbox_train*.t*gz"),
    ("bbox/val", "ILSVRC*_bbox_val*.t*gz"),
    ("devkit", "ILSVRC*_devkit*.t*gz"),
)
PARTS = ("train*.tar.gz", "val*.tar.gz", "test*.tar.gz", "train*.tgz", "val*.tgz", "test*.tgz")


def tree_of(path: Path) -> Inside | None:
    """The archives at a path as one tree of folders: one archive, or a directory of them; None for neither.

    Nothing is opened but the first bytes. Raises DataError when the path is a file that is no archive.
    """
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        return None
    mounts = _official(path) or _parts(path)
    return Inside(Tree(path, mounts, path)) if mounts else None


def _of_file(path: Path) -> Inside:
    if any(path.match(pattern) for _, pattern in OFFICIAL[:3]):
        return Inside(Tree(path.parent, _official(path.parent, path), path.parent))
    head = Source(path).read(0, 512)
    if is_zip(path):
        return Inside(Tree(path, (Mount("", path, open_zip),)))
    if head[:2] in PACKED or head[257:262] == b"ustar" or path.suffix == ".tar":
        return Inside(Tree(path, (Mount("", path, open_tar),)))
    raise DataError(f"{path} is a file, and neither a tar nor a zip; give the directory of a data set or its archive")


def _official(directory: Path, wanted: Path | None = None) -> tuple[Mount, ...]:
    """The official archives of a directory; `wanted` before another that stands for the same folder."""
    mounts = []
    for at, pattern in OFFICIAL:
        found = sorted(directory.glob(pattern))
        if found:
            mounts.append(Mount(at, wanted if wanted in found else found[-1], open_tar))
    return tuple(mounts) if any(mount.at in ("train", "val", "test") for mount in mounts) else ()


def _parts(directory: Path) -> tuple[Mount, ...]:
    found = sorted({path for pattern in PARTS for path in directory.glob(pattern)})
    return tuple(Mount("", path, open_tar) for path in found)
