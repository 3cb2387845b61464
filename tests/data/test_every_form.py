"""The claim of docs/data.md: labels, boxes, names, order and fingerprint are the same whichever form is read."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from served import serving
from test_archives import SPLITS, gz_of, kaggle, kaggle_zip, official, official_by_file, tarred, tree_of_2015, zip_of

from ilsvrc import data
from ilsvrc.jobs import pack as job
from ilsvrc.jobs.pack import Packing, pack

Form = Callable[[Path, Path], Path]


def extracted(tiny: Path, out: Path) -> Path:
    """Flat val, its labels by the kit."""
    for part in (*SPLITS, "bbox", "devkit"):
        shutil.copytree(tiny / part, out / part)
    return out


def image_folder(tiny: Path, out: Path) -> Path:
    """torchvision's: val sorted into class folders, test in one folder."""
    shutil.copytree(tiny / "train", out / "train")
    shutil.copytree(tiny / "test", out / "test/images")
    val = data.open(tiny, "val")
    for sample in map(val.__getitem__, range(len(val))):
        folder = out / "val" / val.classes.wnids[sample.label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{sample.name}.JPEG").write_bytes(sample.jpeg)
    return out


def image_folder_tar(tiny: Path, out: Path) -> Path:
    return gz_of(out / "set.tar.gz", (image_folder(tiny, out / "set"), "imagenet"))


def image_folder_with_boxes(tiny: Path, out: Path) -> Path:
    """The box files stayed flat when val was sorted."""
    shutil.copytree(tiny / "bbox", out / "bbox")
    return image_folder(tiny, out)


def tiny_imagenet(tiny: Path, out: Path) -> Path:
    """Stanford's shape: boxes in text files, labels of val in one."""
    root = out / "tiny-imagenet-200"
    train, val, test = (data.open(tiny, split) for split in SPLITS)
    lines: dict[str, list[str]] = {}
    for sample in map(train.__getitem__, range(len(train))):
        wnid = train.classes.wnids[sample.label]
        _put(root / f"train/{wnid}/images/{sample.name}.JPEG", sample.jpeg)
        numbers = "\t".join(map(str, sample.boxes[0].tolist()))
        lines.setdefault(f"train/{wnid}/{wnid}_boxes.txt", []).append(f"{sample.name}.JPEG\t{numbers}\n")
    for sample in map(val.__getitem__, range(len(val))):
        _put(root / f"val/images/{sample.name}.JPEG", sample.jpeg)
        numbers = "\t".join(map(str, sample.boxes[0].tolist()))
        line = f"{sample.name}.JPEG\t{val.classes.wnids[sample.label]}\t{numbers}\n"
        lines.setdefault("val/val_annotations.txt", []).append(line)
    for sample in map(test.__getitem__, range(len(test))):
        _put(root / f"test/images/{sample.name}.JPEG", sample.jpeg)
    lines["wnids.txt"] = [f"{wnid}\n" for wnid in reversed(train.classes.wnids)]
    lines["words.txt"] = [f"{w}\t{words}\n" for w, words in zip(train.classes.wnids, train.classes.words, strict=True)]
    for name, text in lines.items():
        (root / name).write_text("".join(text))
    return root


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tiny_imagenet_zip(tiny: Path, out: Path) -> Path:
    return zip_of(out / "tiny-imagenet-200.zip", tiny_imagenet(tiny, out / "x"), "tiny-imagenet-200")


def tiny_imagenet_parts(tiny: Path, out: Path) -> Path:
    root = tiny_imagenet(tiny, out / "x")
    parts = out / "parts"
    parts.mkdir()
    classes = sorted((root / "train").iterdir())
    for number, half in enumerate((classes[::2], classes[1::2])):
        gz_of(parts / f"train-{number}.tar.gz", *((each, f"tiny-imagenet-200/train/{each.name}") for each in half))
    for split in ("val", "test"):
        gz_of(parts / f"{split}.tar.gz", (root / split, f"tiny-imagenet-200/{split}"))
    for name in ("wnids.txt", "words.txt"):
        shutil.copy(root / name, parts)
    return parts


def parquet(tiny: Path, out: Path) -> Path:
    """Hugging Face's: rows in any order, validation for val, -1 for the labels of test."""
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra parquet)")
    from pyarrow import parquet as files

    (out / "data").mkdir()
    for split in SPLITS:
        dataset, rows = data.open(tiny, split), []
        for k in range(len(dataset)):
            sample = dataset[k * 7 % len(dataset)]
            label = -1 if sample.label is None else sample.label
            ending = "" if sample.label is None else f"_{dataset.classes.wnids[label]}"
            rows.append({"image": {"bytes": sample.jpeg, "path": f"{sample.name}{ending}.JPEG"}, "label": label})
        name = {"val": "validation"}.get(split, split)
        for part in range(2):
            table = pyarrow.Table.from_pylist(rows[part::2])
            files.write_table(table, out / f"data/{name}-0000{part}-of-00002.parquet", row_group_size=9)
    (out / "synsets.txt").write_text("".join(f"{wnid}\n" for wnid in data.open(tiny, "val").classes.wnids))
    return out


def webdataset(tiny: Path, out: Path) -> Path:
    """Shards as WebDataset's own writer makes them: image and label, and JSON of someone's."""
    library = pytest.importorskip("webdataset", reason="webdataset is not installed")
    for split in SPLITS:
        dataset = data.open(tiny, split)
        for shard in range(-(-len(dataset) // 25)):
            with library.TarWriter(str(out / f"imagenet-{split}-{shard:06d}.tar")) as writer:
                for sample in map(dataset.__getitem__, range(shard * 25, min(shard * 25 + 25, len(dataset)))):
                    parts = {"__key__": sample.name, "jpg": sample.jpeg, "json": {"filename": sample.name}}
                    writer.write(parts if sample.label is None else parts | {"cls": sample.label})
    (out / "synsets.txt").write_text("".join(f"{wnid}\n" for wnid in data.open(tiny, "val").classes.wnids))
    return out


def packed(tiny: Path, out: Path) -> Path:
    pack(str(tiny), out, Packing(), SPLITS)
    return out


def packed_from_kaggle(tiny: Path, out: Path) -> Path:
    """Packed from another form than the one it is compared with."""
    pack(str(kaggle_zip(tiny, out)), out / "shards", Packing(), SPLITS)
    return out / "shards"


def packed_without_table(tiny: Path, out: Path) -> Path:
    packed(tiny, out)
    for table in out.glob("*.npz"):
        table.unlink()
    return out


BOXED: tuple[Form, ...] = (
    *(extracted, official, official_by_file, tarred, kaggle, kaggle_zip, tree_of_2015, image_folder_with_boxes),
    *(tiny_imagenet, tiny_imagenet_zip, tiny_imagenet_parts, packed, packed_from_kaggle, packed_without_table),
)
BARE: tuple[Form, ...] = (image_folder, image_folder_tar, parquet, webdataset)
SERVED: tuple[Form, ...] = (packed, packed_without_table, webdataset)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(job, "PER_SHARD", 25)


@pytest.fixture(scope="module")
def facts(tiny):
    """What every form must say of each image, by split, as the set says it where it was built."""
    return {split: facts_of(tiny, split, boxed=True) for split in SPLITS}


def facts_of(path: Path | str, split: str, *, boxed: bool) -> list[tuple[object, ...]]:
    dataset, found = data.open(path, split), []
    for sample in map(dataset.__getitem__, range(len(dataset))):
        wnid = None if sample.label is None else dataset.classes.wnids[sample.label]
        known = sample.boxes is not None and boxed
        boxes = sample.boxes.tolist() if known else None
        labels = np.asarray(sample.box_labels).tolist() if known else None
        found.append((sample.name, sample.label, wnid, hash(sample.jpeg), boxes, labels))
    return found


def compare(tiny: Path, facts: dict[str, list[tuple[object, ...]]], path: Path | str, *, boxed: bool) -> None:
    for split in SPLITS:
        wanted = facts[split] if boxed else [(*fact[:4], None, None) for fact in facts[split]]
        assert facts_of(path, split, boxed=boxed) == wanted
        dataset = data.open(path, split)
        assert data.fingerprint(dataset) == data.fingerprint(data.open(tiny, split))
        elsewhere = pickle.loads(pickle.dumps(dataset))  # as another process gets it
        assert elsewhere[len(elsewhere) - 1].jpeg == dataset[len(dataset) - 1].jpeg


@pytest.mark.sampled
@pytest.mark.parametrize("form", BOXED, ids=lambda form: form.__name__)
def test_labels_boxes_names_and_order_are_the_same(tiny, facts, tmp_path, form):
    compare(tiny, facts, form(tiny, tmp_path), boxed=True)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("form", BARE, ids=lambda form: form.__name__)
def test_labels_names_and_order_are_the_same_where_the_form_has_no_boxes(tiny, facts, tmp_path, form):
    path = form(tiny, tmp_path)
    compare(tiny, facts, path, boxed=False)
    assert data.open(path, "train")[0].boxes is None


@pytest.mark.sampled(1)
@pytest.mark.parametrize("form", SERVED, ids=lambda form: form.__name__)
def test_they_are_the_same_over_http(tiny, facts, tmp_path, form):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra remote)")
    with serving(form(tiny, tmp_path)) as server:
        compare(tiny, facts, server.url, boxed=form is not webdataset)


def test_the_facts_are_those_of_the_kit(tiny, facts):
    """What the forms are compared with is held against the kit's own files, by hand."""
    from ilsvrc.data.annotations import read_boxes
    from ilsvrc.data.devkit import read_ground_truth, read_synsets

    synsets = read_synsets(tiny / "devkit/data/meta.mat")
    truth = read_ground_truth(tiny / "devkit/data/ILSVRC2012_validation_ground_truth.txt")[:, 0]
    boxes = read_boxes(tiny / "bbox/val")
    for line, (name, _, wnid, _, corners, _) in enumerate(facts["val"]):
        assert name == f"ILSVRC2012_val_{line + 1:08d}"
        assert wnid == synsets.wnids[truth[line] - 1]
        assert corners == boxes.box[boxes.image == line].tolist()
    assert [fact[0] for fact in facts["train"]] == sorted(
        (file.stem for file in (tiny / "train").rglob("*.JPEG")),
        key=lambda stem: (stem.partition("_")[0], f"{stem}.JPEG"),
    )
    assert all(fact[0].startswith(str(fact[2])) for fact in facts["train"])
