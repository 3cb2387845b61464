"""Archives as one tree of folders: what a directory of files is, without extracting anything.

An `Inside` is to an archive what a `Path` is to a directory, as far as reading goes; a `Place` is either. Several
archives make one tree: each is mounted under a folder, is opened when something under that folder is asked for, and
archives under the same folder complete each other.
"""

import errno
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np

from ilsvrc.data.tar_index import Index

HIDDEN = (".", "@", "__")  # .DS_Store, @eaDir, __MACOSX: of the file system, not of the set
LONE = ("train", "val", "test")


@dataclass(eq=False)
class Mount:
    """An archive as the folder `at` of a tree ('' for the root); opened once, when first asked for."""

    at: str
    path: Path
    opener: Callable[[Path], Index]
    within: str | None = None  # the folder of the archive that is mounted; None: past a lone outer folder

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: tuple[Index, str] | None = None

    def __reduce__(self) -> tuple[type["Mount"], tuple[str, Path, Callable[[Path], Index], str | None]]:
        """Another process opens the archive anew."""
        return Mount, (self.at, self.path, self.opener, self.within)

    @property
    def opened(self) -> tuple[Index, str]:
        """The archive's index and the folder of it that is mounted."""
        with self._lock:
            if self._opened is None:
                index = self.opener(self.path)
                within = _past_lone_folder(index, self.at) if self.within is None else self.within
                self._opened = index, within
            return self._opened

    def inner(self, path: str) -> str:
        """Where a path of the tree, at or under `at`, is in the archive."""
        rest = path[len(self.at) :].lstrip("/")
        return "/".join(filter(None, (self.opened[1], rest)))


def _past_lone_folder(index: Index, at: str) -> str:
    """The only folder of an archive, when it is but the wrapping of what is mounted; else its root."""
    folders, files = children(index, "")
    if len(folders) != 1 or files:
        return ""
    alone = folders[0]
    if at:
        return alone if alone.lower() in LONE or "devkit" in alone.lower() else ""
    return alone if any(split in children(index, alone)[0] for split in LONE) else ""


def children(index: Index, folder: str) -> tuple[list[str], list[int]]:
    """The names of the folders directly in a folder of an archive, sorted, and the places of the files there."""
    run = index.run(folder)
    level = folder.count("/") + 1 if folder else 0
    depth = index.depth[run.start : run.stop]
    files = (np.flatnonzero(depth == level) + run.start).tolist()
    deeper = np.flatnonzero(depth > level) + run.start
    folders, at = [], 0
    while at < len(deeper):
        name = index.names[int(deeper[at])].split("/")[level]
        folders.append(name)
        prefix = f"{folder}/{name}" if folder else name
        at = int(np.searchsorted(deeper, index.run(prefix).stop))
    return folders, files


@dataclass(frozen=True)
class Tree:
    """Archives mounted under one root; `root` is what it is called.

    Files that are in no archive are looked for under `loose`: lists of classes that lie beside the archives.
    """

    root: Path
    mounts: tuple[Mount, ...]
    loose: Path | None = None

    def above(self, path: str) -> Iterator[Mount]:
        """The mounts that have `path` in or under them, the last first."""
        for mount in reversed(self.mounts):
            if not mount.at or path == mount.at or path.startswith(f"{mount.at}/"):
                yield mount

    def below(self, path: str) -> list[str]:
        """The names of the folders directly in `path` that mounts stand at or under."""
        prefix = f"{path}/" if path else ""
        rests = (mount.at[len(prefix) :] for mount in self.mounts if mount.at.startswith(prefix) and mount.at != path)
        return [rest.partition("/")[0] for rest in rests if rest]


@dataclass(frozen=True)
class Inside:
    """A path inside a tree of archives, with the part of `pathlib.Path` that reading takes."""

    tree: Tree
    path: str = ""

    def __truediv__(self, part: str) -> "Inside":
        return Inside(self.tree, f"{self.path}/{part}" if self.path else part)

    def __str__(self) -> str:
        for mount in self.tree.above(self.path):
            rest = self.path[len(mount.at) :].lstrip("/")
            return f"{mount.path}:{rest}" if rest else str(mount.path)
        return str(self.tree.root / self.path)

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rpartition("/")[2] or self.tree.root.name

    @property
    def parent(self) -> "Inside":
        """The folder it is in; the root is its own."""
        return Inside(self.tree, self.path.rpartition("/")[0])

    def with_suffix(self, suffix: str) -> "Inside":
        """The same path with another suffix."""
        folder, slash, name = self.path.rpartition("/")
        return Inside(self.tree, f"{folder}{slash}{name.rpartition('.')[0] or name}{suffix}")

    def is_file(self) -> bool:
        """Whether there is a file of that path."""
        loose = self.tree.loose is not None and bool(self.path) and (self.tree.loose / self.path).is_file()
        return loose or self._found() is not None

    def is_dir(self) -> bool:
        """Whether there is a folder of that path."""
        if self.tree.below(self.path) or any(mount.at == self.path for mount in self.tree.mounts):
            return True
        return any(len(mount.opened[0].run(mount.inner(self.path))) for mount in self.tree.above(self.path))

    def exists(self) -> bool:
        """Whether there is anything of that path."""
        return self.is_file() or self.is_dir()

    def read_bytes(self) -> bytes:
        """The content. Raises FileNotFoundError when there is no such file, DataError when the archive is damaged."""
        found = self._found()
        if found is not None:
            return found[0].read(found[1])
        if self.tree.loose:
            return (self.tree.loose / self.path).read_bytes()
        raise FileNotFoundError(errno.ENOENT, "No such file in the archive", str(self))

    def size(self) -> int:
        """Bytes of the content. Raises FileNotFoundError when there is no such file."""
        found = self._found()
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "No such file in the archive", str(self))
        return int(found[0].unpacked[found[1]])

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The content as text."""
        return self.read_bytes().decode(encoding, errors)

    def _found(self) -> tuple[Index, int] | None:
        for mount in self.tree.above(self.path):
            place = mount.opened[0].place(mount.inner(self.path))
            if place is not None:
                return mount.opened[0], place
        return None

    def glob(self, pattern: str) -> list["Inside"]:
        """The paths whose parts fit the parts of the pattern, sorted."""
        part, slash, rest = pattern.partition("/")
        names = sorted({*self._folders(), *(name for name, _, _ in self._files())})
        fitting = [self / name for name in names if fnmatchcase(name, part)]
        return [path for each in fitting for path in each.glob(rest)] if slash else fitting

    def _folders(self) -> set[str]:
        found = set(self.tree.below(self.path))
        for mount in self.tree.above(self.path):
            found.update(children(mount.opened[0], mount.inner(self.path))[0])
        return found

    def _files(self) -> Iterator[tuple[str, Index, int]]:
        for mount in self.tree.above(self.path):
            index = mount.opened[0]
            for place in children(index, mount.inner(self.path))[1]:
                yield index.names[place].rpartition("/")[2], index, place

    def entries(self) -> tuple[list[str], list[str], int]:
        """Names of the folders and of the images here, and how many other files there are; hidden ones left out."""
        if not self.is_dir():
            raise FileNotFoundError(errno.ENOENT, "No such folder in the archive", str(self))
        folders = [name for name in self._folders() if not name.startswith(HIDDEN)]
        images, others = set(), 0
        for name, index, place in self._files():
            if index.image[place]:
                images.add(name)
            else:
                others += not name.startswith(HIDDEN)
        return folders, list(images), others

    def members(self, wnids: Sequence[str]) -> "tuple[Members, list[int], int] | None":
        """The images of class folders and how many each has, at once and without a string per image.

        None unless one archive holds them all, in folders that hold images directly or under images/.
        """
        mounts = [mount for mount in self.tree.above(self.path) if len(mount.opened[0].run(mount.inner(self.path)))]
        if len(mounts) != 1:
            return None
        index, base = mounts[0].opened[0], mounts[0].inner(self.path)
        places, others = [], 0
        for wnid in wnids:
            folder = f"{base}/{wnid}" if base else wnid
            found, strange = _images_in(index, folder)
            if not len(found):
                found, strange = _images_in(index, f"{folder}/images")
            places.append(found)
            others += strange
        counts = [len(found) for found in places]
        return Members(index, np.concatenate(places), len(base) + 1 if base else 0), counts, others


def _images_in(index: Index, folder: str) -> tuple[np.ndarray, int]:
    """The places of the images directly in a folder, and how many other files are there."""
    run = index.run(folder)
    part = slice(run.start, run.stop)
    direct = index.depth[part] == folder.count("/") + 1
    images = np.flatnonzero(direct & index.image[part]) + run.start
    return images, int(direct.sum()) - len(images)


class Members(Sequence[str]):
    """Paths of members of one archive, less the folder they are all in: no string is kept."""

    def __init__(self, archive: Index, places: np.ndarray, cut: int, *, stems: bool = False) -> None:
        self.archive, self.places, self.cut, self.stems = archive, places, cut, stems

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        path = self.archive.names[int(self.places[index])][self.cut :]
        return path.rpartition("/")[2].rpartition(".")[0] if self.stems else path

    def read(self, index: int) -> bytes:
        """The content of a member. Raises DataError when the archive gives less than it did."""
        return self.archive.read(int(self.places[index]))

    def taken(self, order: Sequence[int]) -> "Members":
        """The same members in another order."""
        return Members(self.archive, self.places[np.asarray(order, np.int64)], self.cut, stems=self.stems)

    @cached_property
    def sizes(self) -> np.ndarray:
        """(N,): bytes of each member."""
        sizes: np.ndarray = self.archive.unpacked[self.places]
        return sizes

    def without_folder(self) -> "Sequence[str]":
        """The file names without suffix where no two are the same, else the paths."""
        stems = Members(self.archive, self.places, self.cut, stems=True)
        return stems if self.archive.distinct or len(set(stems)) == len(stems) else self


Place = Path | Inside


def globbed(folder: Place, pattern: str) -> list[Place]:
    """The paths under a folder that fit a pattern, sorted."""
    return [*folder.glob(pattern)] if isinstance(folder, Inside) else [*sorted(folder.glob(pattern))]
