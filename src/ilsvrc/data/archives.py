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
DETECTION = (  # the same of the detection task; its train came in two years and several archives
    ("train", "ILSVRC*_DET_train*.tar"),
    ("val", "ILSVRC*_DET_val*.tar"),
    ("test", "ILSVRC*_DET_test*.tar"),
    ("bbox/train", "ILSVRC*_DET_bbox_train*.t*gz"),
    ("bbox/val", "ILSVRC*_DET_bbox_val*.t*gz"),
    ("devkit", "ILSVRC*_devkit*.t*gz"),
)
TOGETHER = ("devkit",)  # of classification too: kits of several years complete each other
PARTS = ("train*.tar.gz", "val*.tar.gz", "test*.tar.gz", "train*.tgz", "val*.tgz", "test*.tgz")


def tree_of(path: Path) -> Inside | None:
    """The archives at a path as one tree of folders: one archive, or a directory of them; None for neither.

    Of a directory with the official archives of both tasks those of classification; of one image archive those of its
    task. Nothing is opened but the first bytes. Raises DataError when the path is a file that is no archive.
    """
    if path.is_file():
        return _of_file(path)
    if not path.is_dir():
        return None
    mounts = _classification(path) or _detection(path) or _parts(path)
    return Inside(Tree(path, mounts, path)) if mounts else None


def _of_file(path: Path) -> Inside:
    for patterns, mounted in ((OFFICIAL, _classification), (DETECTION, _detection)):
        if any(path.match(pattern) for _, pattern in patterns[:3]):
            return Inside(Tree(path.parent, mounted(path.parent, path), path.parent))
    head = Source(path).read(0, 512)
    if is_zip(path):
        return Inside(Tree(path, (Mount("", path, open_zip),)))
    if head[:2] in PACKED or head[257:262] == b"ustar" or path.suffix == ".tar":
        return Inside(Tree(path, (Mount("", path, open_tar),)))
    raise DataError(f"{path} is a file, and neither a tar nor a zip; give the directory of a data set or its archive")


def _classification(directory: Path, wanted: Path | None = None) -> tuple[Mount, ...]:
    """The official archives of a directory; `wanted` before another that stands for the same folder."""
    mounts = []
    for at, pattern in OFFICIAL:
        found = sorted(path for path in directory.glob(pattern) if "_DET_" not in path.name)
        if at not in TOGETHER:
            found = [wanted] if wanted in found else found[-1:]
        mounts += [Mount(at, path, open_tar) for path in found if path]
    return _with_images(mounts)


def _detection(directory: Path, wanted: Path | None = None) -> tuple[Mount, ...]:
    """The official archives of detection in a directory: all of them, for they complete each other."""
    return _with_images(
        [Mount(at, path, open_tar) for at, pattern in DETECTION for path in sorted(directory.glob(pattern))]
    )


def _with_images(mounts: list[Mount]) -> tuple[Mount, ...]:
    """The mounts, none where they hold boxes or a kit alone."""
    return tuple(mounts) if any(mount.at in ("train", "val", "test") for mount in mounts) else ()


def _parts(directory: Path) -> tuple[Mount, ...]:
    found = sorted({path for pattern in PARTS for path in directory.glob(pattern)})
    return tuple(Mount("", path, open_tar) for path in found)
