"""Box annotations: the XML files of the challenge, one per image, in a folder or in a tar that is read in place.

The files follow PASCAL VOC: pixels count with both edges inside a box. Localization files count from 1, detection
files from 0 and write xmin, xmax, ymin, ymax where the others write xmin, ymin, xmax, ymax; coordinates are read by
their tags. Files of the known shape are read by one pattern; any other goes through a real parser, which refuses
document type declarations and with them entities.
"""

import lzma
import math
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

import numpy as np

from ilsvrc.data.devkit import refuse
from ilsvrc.data.source import too_large
from ilsvrc.errors import DataError

LARGEST = 1 << 26  # bytes of an annotation: a compressed archive of kilobytes can hold gigabytes
STUMBLES = (ValueError, TypeError, LookupError, ArithmeticError)  # what else Python's tarfile raises on damaged headers
Corners = tuple[float, float, float, float]  # xmin, ymin, xmax, ymax


@dataclass(frozen=True)
class Annotation:
    """What one XML file says of one image."""

    wnids: tuple[str, ...]  # of the objects, in the order of the file
    corners: tuple[Corners, ...]  # xmin, ymin, xmax, ymax in pixels, both edges inside; as written, never clipped
    width: int | None = None  # of the image, in pixels
    height: int | None = None

    @property
    def boxes(self) -> np.ndarray:
        """(B, 4) float64, each row xmin, ymin, xmax, ymax."""
        return np.array(self.corners, dtype=np.float64).reshape(-1, 4)


@dataclass(frozen=True, eq=False)
class Boxes:
    """The objects of many images, one row each, image by image and in the order of their files."""

    names: tuple[str, ...]  # of the N images; an image may have no object
    image: np.ndarray  # (B,) int64: the image's place in names
    wnids: tuple[str, ...]  # (B,)
    box: np.ndarray  # (B, 4) float64: xmin, ymin, xmax, ymax, both edges inside


def read_boxes(path: Path | str, names: Sequence[str] | None = None) -> Boxes:
    """Read the XML files of a folder or of a tar (plain, gz, bz2, xz), one per image.

    Without `names` every .xml file is read, subfolders of a tar included, and images come sorted by file name: the
    i-th belongs to line i of a localization ground truth, whatever it calls itself inside. With `names` one file per
    name is read, in their order, and others are passed over.
    Raises DataError when the folder or tar is missing or damaged, a file is missing or doubled, or is no annotation;
    all such files are counted and the first ten named.
    """
    path = Path(path)
    files = _read_folder(path, names) if path.is_dir() else _read_tar(path, names)
    read: dict[str, Annotation] = {}
    faults = []
    for name, data in files:
        if name in read:
            faults.append(f"{name}.xml occurs twice")
            continue
        try:
            read[name] = parse_annotation(data, f"{name}.xml")
        except DataError as error:
            faults.append(str(error))
            read[name] = Annotation((), ())
    order = sorted(read) if names is None else list(names)
    faults += [f"{name}.xml is missing" for name in order if name not in read]
    if not order:
        faults.append("no .xml file is in it")
    refuse(path, faults)
    return _together(order, read)


def _together(order: Sequence[str], read: dict[str, Annotation]) -> Boxes:
    found = [read[name] for name in order]
    image = np.repeat(np.arange(len(found)), [len(annotation.wnids) for annotation in found])
    wnids = tuple(wnid for annotation in found for wnid in annotation.wnids)
    rows = [corners for annotation in found for corners in annotation.corners]
    return Boxes(tuple(order), image, wnids, np.array(rows, dtype=np.float64).reshape(-1, 4))


def _read_folder(folder: Path, names: Sequence[str] | None) -> Iterator[tuple[str, bytes]]:
    """The name and content of each file. A name that is not there is left out."""
    wanted = sorted(f.stem for f in folder.glob("[!.]*.xml")) if names is None else dict.fromkeys(names)
    for name in wanted:
        try:
            yield name, (folder / f"{name}.xml").read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DataError(f"{folder / name}.xml cannot be read ({error.strerror}); a file is wanted") from error


def _read_tar(path: Path, names: Sequence[str] | None) -> Iterator[tuple[str, bytes]]:
    """The name and content of each XML file, read in one pass. Nothing is extracted."""
    wanted = None if names is None else set(names)
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if not member.isreg() or not name.endswith(".xml") or name.startswith("._"):
                    continue
                name = name.removesuffix(".xml")
                if wanted is None or name in wanted:
                    yield name, _content(archive, member, path)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give a folder or a tar of XML files") from error
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, *STUMBLES) as error:
        raise DataError(
            f"{path} is no tar or a truncated one ({error}); give a folder or a tar of XML files"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); give a folder or a tar of XML files") from error


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    if member.size > LARGEST:
        raise too_large(f"{member.name} in {path}", member.size)
    file = archive.extractfile(member)
    return file.read() if file else b""


# One pattern for the files as the challenge wrote them: no entities, no attributes, fixed order of tags.
_NUMBER = rb"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)"
_HEAD = re.compile(
    rb"\s*<annotation>\s*(?:<(folder|filename)>[^<&]*</\1>\s*){0,2}"
    rb"(?:<source>\s*<database>[^<&]*</database>\s*</source>\s*)?"
    rb"(?:<size>\s*<width>([0-9]{1,9})</width>\s*<height>([0-9]{1,9})</height>\s*(?:<depth>[0-9]*</depth>\s*)?</size>\s*)?"
    rb"(?:<segmented>[0-9]*</segmented>\s*)?"
)
_OBJECT = re.compile(
    rb"<object>\s*<name>(n[0-9]{8})</name>\s*"
    rb"(?:<(pose|truncated|occluded|difficult)>[^<&]*</\2>\s*){0,4}"
    rb"<bndbox>\s*<xmin>" + _NUMBER + rb"</xmin>\s*(?:"
    rb"<ymin>" + _NUMBER + rb"</ymin>\s*<xmax>" + _NUMBER + rb"</xmax>\s*|"
    rb"<xmax>" + _NUMBER + rb"</xmax>\s*<ymin>" + _NUMBER + rb"</ymin>\s*)"
    rb"<ymax>" + _NUMBER + rb"</ymax>\s*</bndbox>\s*</object>\s*"
)
_TAIL = re.compile(rb"</annotation>\s*")


def parse_annotation(data: bytes, where: str) -> Annotation:
    """Read one annotation; `where` names the file in errors.

    Any order of tags is understood and unknown tags are passed over; the name and the four coordinates of each object
    must be there once, as finite numbers. Boxes are not judged: corners may be swapped or outside of the image.
    Raises DataError for what is no well-formed XML, carries a document type declaration, or lacks one of these.
    """
    known = _parse_known(data)
    return _parse_any(data, where) if known is None else known


def _parse_known(data: bytes) -> Annotation | None:
    """The annotation where it has the shape the challenge gave it to the letter; otherwise None."""
    head = _HEAD.match(data)
    if head is None:
        return None
    place = head.end()
    wnids: list[str] = []
    corners: list[Corners] = []
    while found := _OBJECT.match(data, place):
        place = found.end()
        wnid, _, xmin, y_first, x_second, x_first, y_second, ymax = found.groups()
        wnids.append(wnid.decode())
        corners.append((float(xmin), float(y_first or y_second), float(x_second or x_first), float(ymax)))
    if not _TAIL.fullmatch(data, place):
        return None
    width, height = head.group(2, 3)
    size = (int(width), int(height)) if width else (None, None)
    return Annotation(tuple(wnids), tuple(corners), *size)


def _parse_any(data: bytes, where: str) -> Annotation:
    leaves = _Leaves(where)
    leaves.read(data)
    wnids, corners = [], []
    for place, found in enumerate(leaves.objects, 1):
        lacking = [path for path in _OBJECT_LEAVES if path not in found]
        if lacking:
            raise DataError(f"{where} has no <{lacking[0].rpartition('/')[2]}> in object {place}")
        name, xmin, ymin, xmax, ymax = (found[path] for path in _OBJECT_LEAVES)
        wnids.append(name)
        corners.append((_number(xmin, where), _number(ymin, where), _number(xmax, where), _number(ymax, where)))
    width, height = (leaves.image.get(f"size/{side}", "") for side in ("width", "height"))
    return Annotation(tuple(wnids), tuple(corners), _length(width), _length(height))


_BOX = "object/bndbox/"
_OBJECT_LEAVES = ("object/name", _BOX + "xmin", _BOX + "ymin", _BOX + "xmax", _BOX + "ymax")


class _Leaves:
    """The texts of the tags that matter, gathered while expat reads."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.image: dict[str, str] = {}
        self.objects: list[dict[str, str]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def read(self, data: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self.doctype
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text.append
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding of no one's
            raise DataError(f"{self.where} is not well-formed XML ({error})") from error

    def doctype(self, *_: object) -> None:
        raise DataError(f"{self.where} declares a document type, which no annotation of the challenge does; remove it")

    def start(self, tag: str, _: dict[str, str]) -> None:
        self.open.append(tag)
        self.text.clear()
        if self.open[0] != "annotation":
            raise DataError(f"{self.where} is a <{self.open[0][:40]}>, not an <annotation>")
        if len(self.open) == 2 and tag == "object":
            self.objects.append({})

    def end(self, _: str) -> None:
        if len(self.open) <= 4:  # no leaf that matters is deeper, and joining deep paths costs their square
            path = "/".join(self.open[1:])
            texts = self.objects[-1] if path in _OBJECT_LEAVES else self.image
            if path in _OBJECT_LEAVES and path in texts:
                raise DataError(f"{self.where} has two <{self.open[-1]}> in object {len(self.objects)}")
            texts[path] = "".join(self.text).strip()
        self.open.pop()
        self.text.clear()


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text:
        raise DataError(f"{where} has {text[:40]!r} where a coordinate in pixels belongs")
    return number


def _length(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
