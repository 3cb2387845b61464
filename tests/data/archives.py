"""Tars to read: small ones with their contents, and one of ImageNet's shape that is nearly all holes."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

Contents = Mapping[str, bytes]


def tar_bytes(contents: Contents, form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of these files, in their order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def tar_of(path: Path, contents: Contents, form: int = tarfile.GNU_FORMAT) -> Path:
    path.write_bytes(tar_bytes(contents, form))
    return path


def tar_of_tars(path: Path, folders: Mapping[str, Contents]) -> Path:
    """The shape of the training archive: n01440764.tar holds n01440764_18.JPEG."""
    return tar_of(path, {f"{folder}.tar": tar_bytes(contents) for folder, contents in folders.items()})


def odd_tar(path: Path, name: str = "a.JPEG", **fields: object) -> Path:
    """A tar of one member whose header has these fields of TarInfo, and 512 zeros for its content."""
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(512) + bytes(1024))
    return path


def sparse_imagenet(path: Path, images: int = 1_281_167, classes: int = 1000, size: int = 110_000) -> Path:
    """A tar of `classes` tars with `images` members of `size` bytes: headers and a few bytes each, the rest holes.

    With the defaults it says it has 142 GB, takes 6 GB of disk and some minutes to write.
    """
    step = 512 + -(-size // 512) * 512
    with path.open("wb") as file:
        for place in range(classes):
            count = images // classes + (place < images % classes)
            outer = tarfile.TarInfo(f"n{place:08d}.tar")
            outer.size = count * step + 1024
            file.write(outer.tobuf(tarfile.GNU_FORMAT))
            start = file.tell()
            for image in range(count):
                member = tarfile.TarInfo(f"n{place:08d}_{image}.JPEG")
                member.size = size
                file.seek(start + image * step)
                file.write(member.tobuf(tarfile.GNU_FORMAT) + sparse_content(place, image))
            file.seek(start + count * step + 1024)
        file.truncate(file.tell() + 1024)
    return path


def sparse_content(place: int, image: int) -> bytes:
    """The first bytes of an image of the sparse archive."""
    return b"\xff\xd8%08d %08d" % (place, image)
