"""Directories to read, made of files whose content is their path."""

from pathlib import Path


def put(directory: Path, *files: str) -> Path:
    """Files whose content is their path; reading a data set decodes nothing."""
    for file in files:
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    return directory


def class_folders(directory: Path, split: str = "train", wnids: str = "ab", images: int = 2) -> Path:
    return put(directory, *(f"{split}/{wnid}/{wnid}_{n}.JPEG" for wnid in wnids for n in range(images)))


def tiny_imagenet(directory: Path) -> Path:
    """Two classes in the shape of Stanford's archive."""
    lines = []
    for place, wnid in enumerate(("n02", "n01")):
        folder = f"train/{wnid}"
        put(directory, f"{folder}/images/{wnid}_0.JPEG", f"{folder}/images/{wnid}_1.JPEG")
        boxes = "".join(f"{wnid}_{n}.JPEG\t{n}\t2\t30\t{40 + n}\n" for n in range(2))
        (directory / folder / f"{wnid}_boxes.txt").write_text(boxes)
        put(directory, f"val/images/val_{place}.JPEG", f"test/images/test_{place}.JPEG")
        lines.append(f"val_{place}.JPEG\t{wnid}\t0\t{place}\t62\t63\n")
    (directory / "val/val_annotations.txt").write_text("".join(lines))
    (directory / "words.txt").write_text("n01\ttench, Tinca tinca\nn02\tgoldfish\nn03\tshark\n")
    (directory / "wnids.txt").write_text("n02\nn01\n")
    return directory
