"""Hugging Face's parquet files: the samples of the directory they were made from."""

import json
import sys

import pytest

from ilsvrc import data
from ilsvrc.errors import DataError


@pytest.fixture
def hub(tiny, tmp_path):
    """The mini set as the hub has ImageNet: shuffled rows, WNIDs in the paths, -1 for the labels of test."""
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra parquet)")
    from pyarrow import parquet

    (tmp_path / "data").mkdir()
    for split in ("train", "val", "test"):
        dataset = data.open(tiny, split)
        rows = []
        for k in range(len(dataset)):
            sample = dataset[k * 7 % len(dataset)]
            label = -1 if sample.label is None else sample.label
            ending = "" if sample.label is None else f"_{dataset.classes.wnids[label]}"
            rows.append({"image": {"bytes": sample.jpeg, "path": f"{sample.name}{ending}.JPEG"}, "label": label})
        for part in range(2):
            table = pyarrow.Table.from_pylist(rows[part::2])
            name = {"val": "validation"}.get(split, split)
            parquet.write_table(table, tmp_path / f"data/{name}-0000{part}-of-00002.parquet", row_group_size=7)
    classes = data.open(tiny, "val").classes
    (tmp_path / "classes.json").write_text(json.dumps({"wnids": classes.wnids, "words": classes.words}))
    return tmp_path


def test_parquet_gives_the_samples_of_the_directory_in_its_order(tiny, hub):
    for split in ("train", "val", "test"):
        found, wanted = data.open(hub, split), data.open(tiny, split)
        assert found.classes == wanted.classes
        assert data.fingerprint(found) == data.fingerprint(wanted)
        for k in range(len(wanted)):
            one, other = found[k], wanted[k]
            assert (one.name, one.label, one.jpeg) == (other.name, other.label, other.jpeg)
            assert one.boxes is None


def test_without_a_list_the_classes_are_those_of_the_paths(tiny, hub):
    (hub / "classes.json").unlink()
    assert data.open(hub, "val").classes.wnids == data.open(tiny, "val").classes.wnids


def test_a_label_that_contradicts_the_path_is_refused(hub):
    said = json.loads((hub / "classes.json").read_text())
    said["wnids"][:2] = said["wnids"][1::-1]
    (hub / "classes.json").write_text(json.dumps(said))
    with pytest.raises(DataError, match="positions among the 20 sorted WNIDs"):
        data.open(hub, "train")


def test_a_damaged_parquet_file_is_refused(hub):
    path = next((hub / "data").glob("train-00000*"))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"train-00000-of-00002\.parquet"):
        data.open(hub, "train")


def test_without_pyarrow_the_error_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'ilsvrc\[parquet\]'"):
        data.open(tmp_path, "train")
