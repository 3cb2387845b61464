"""The kits' tables and lists. A kit of one's own, written in their formats, is read like theirs."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from ilsvrc.data import devkit
from ilsvrc.errors import DataError

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "devkit"
official = pytest.mark.skipif(not SHARED.is_dir(), reason="the official kits' files are not beside the project")

# Two fish and a fox; 4 is the root over 5 fish and 3 fox; the ids are not in the order of the WNIDs.
RECORDS = (
    {"WNID": "n02119789", "words": "kit fox, Vulpes macrotis", "gloss": "small grey fox", "children": []},
    {"WNID": "n01443537", "words": "goldfish, Carassius auratus", "gloss": "", "children": []},
    {"WNID": "n01440764", "words": "tench, Tinca tinca", "gloss": "a freshwater fish", "children": []},
    {"WNID": "n00001740", "words": "entity", "gloss": "that which is", "children": [5, 1]},
    {"WNID": "n02512053", "words": "fish", "gloss": "cold-blooded", "children": [2, 3]},
)


def write_meta(path: Path, records=RECORDS, *, drop: str = "", **changed) -> Path:
    """A table in the fields of the classification kits."""
    heights = (0, 0, 0, 18, 1)
    table = [
        {"ILSVRC2012_ID": i, "num_children": len(r["children"]), "wordnet_height": h, "num_train_images": 1300}
        | r
        | changed
        for i, (r, h) in enumerate(zip(records, heights, strict=False), 1)
    ]
    fields = [field for field in table[0] if field != drop]
    synsets = np.empty((len(table), 1), [(field, object) for field in fields])
    for row, record in enumerate(table):
        synsets[row, 0] = tuple(record[field] for field in fields)
    savemat(path, {"synsets": synsets})
    return path


def test_the_classes_are_the_leading_records_of_which_none_is_above_another(tmp_path):
    synsets = devkit.read_synsets(write_meta(tmp_path / "meta.mat"))
    assert synsets.classes == 3
    assert synsets.wnids == ("n02119789", "n01443537", "n01440764")
    assert len(synsets.records) == 5


def test_a_class_may_have_descendants_after_the_classes_as_in_the_detection_kits(tmp_path):
    records = [dict(RECORDS[0], children=[3]), dict(RECORDS[1]), dict(RECORDS[2])]
    assert devkit.read_synsets(write_meta(tmp_path / "meta.mat", records)).classes == 2


def test_a_table_without_ancestors_is_all_classes(tmp_path):
    assert devkit.read_synsets(write_meta(tmp_path / "meta.mat", RECORDS[:3])).classes == 3
    assert devkit.read_synsets(write_meta(tmp_path / "meta.mat", RECORDS[:1])).classes == 1


def test_a_record_has_every_field_of_the_table(tmp_path):
    records = devkit.read_synsets(write_meta(tmp_path / "meta.mat")).records
    assert records[0] == devkit.Synset(1, "n02119789", "kit fox, Vulpes macrotis", "small grey fox", (), 0, 1300)
    assert (records[1].gloss, records[3].children, records[3].height) == ("", (5, 1), 18)


def test_labels_are_positions_by_sorted_wnid(tmp_path):
    synsets = devkit.read_synsets(write_meta(tmp_path / "meta.mat"))
    assert synsets.sorted_wnids == ("n01440764", "n01443537", "n02119789")
    assert synsets.labels.tolist() == [-1, 2, 1, 0]
    assert synsets.ids["n02512053"] == 5
    assert synsets.name(1) == "kit fox"


def test_the_mini_sets_own_kits_are_read_like_the_official_ones(tiny):
    kit = devkit.read_synsets(tiny / "devkit" / "data" / "meta.mat")
    detection = devkit.read_synsets(tiny / "det" / "devkit" / "data" / "meta_det.mat")
    assert (kit.classes, detection.classes) == (20, 20)
    assert kit.wnids != detection.wnids
    assert kit.sorted_wnids == detection.sorted_wnids
    assert devkit.read_ground_truth(tiny / "devkit" / "data" / "ILSVRC2012_validation_ground_truth.txt").shape == (
        40,
        1,
    )


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"WNID": "n1"}, "record 1 of .* has the id 1 and the WNID 'n1'"),
        ({"ILSVRC2012_ID": 7}, "record 1 of .* has the id 7"),
        ({"children": [9]}, "record 1 has the child 9 of 5 records"),
        ({"children": [1]}, "its own ancestor"),
        ({"ILSVRC2012_ID": "one"}, "record 1 of .* has 'one' where one number belongs"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path, changed, fault):
    with pytest.raises(DataError, match=fault):
        devkit.read_synsets(write_meta(tmp_path / "meta.mat", **changed))


def test_a_repeated_wnid_is_refused(tmp_path):
    with pytest.raises(DataError, match="record 2 repeats n02119789 of record 1"):
        devkit.read_synsets(write_meta(tmp_path / "meta.mat", [RECORDS[0], RECORDS[0]]))


def test_what_is_no_table_of_synsets_is_refused(tmp_path):
    path = tmp_path / "meta.mat"
    with pytest.raises(DataError, match="cannot be read"):
        devkit.read_synsets(path)
    path.write_text("synsets")
    with pytest.raises(DataError, match="not a Matlab 5 file"):
        devkit.read_synsets(path)
    savemat(path, {"other": 1})
    with pytest.raises(DataError, match="has no table named 'synsets'"):
        devkit.read_synsets(path)
    savemat(path, {"synsets": np.eye(3)})
    with pytest.raises(DataError, match="has no table named 'synsets'"):
        devkit.read_synsets(path)


@given(st.data())
def test_a_damaged_table_is_read_or_refused(tmp_path_factory, data):
    path = write_meta(tmp_path_factory.mktemp("mat") / "meta.mat")
    whole = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        whole = whole[: data.draw(st.integers(0, len(whole)))]
    for place in data.draw(st.lists(st.integers(128, len(whole) - 1), max_size=3)) if len(whole) > 128 else ():
        whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        devkit.read_synsets(path)
    except DataError as error:
        message = str(error)
    else:
        message = str(path)
    assert str(path) in message


@pytest.fixture
def file(tmp_path):
    """Writes a text and gives its path."""

    def write(text: str | bytes) -> Path:
        (tmp_path / "file.txt").write_bytes(text.encode() if isinstance(text, str) else text)
        return tmp_path / "file.txt"

    return write


@pytest.mark.parametrize(
    "text",
    [
        "490\n361\n7\n",
        "490\n361\n7",
        "490\r\n361\r\n7\r\n",
        "490.0\n3.61e2\n\n7\n",
        gzip.compress(b"490\n361\n7\n", mtime=0),
    ],
)
def test_ground_truth_is_a_column_of_ids(file, text):
    assert devkit.read_ground_truth(file(text)).tolist() == [[490], [361], [7]]


def test_images_of_several_labels_make_rows_filled_with_0(file):
    assert devkit.read_ground_truth(file("1 2\n3\n4,5,6\n")).tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]


@pytest.mark.parametrize("word", ["tench", "-1", "2.5", "nan", "1e30", "1 ,, x"])
def test_ground_truth_of_no_ids_is_refused_by_line(file, word):
    with pytest.raises(DataError, match=re.escape(f"line 2 is '{word}', not whole numbers from 0")):
        devkit.read_ground_truth(file(f"1\n{word}\n"))


def test_an_empty_ground_truth_is_refused(file):
    with pytest.raises(DataError, match="is empty"):
        devkit.read_ground_truth(file("\n"))


def test_all_faults_of_a_file_are_counted_and_ten_shown(file):
    with pytest.raises(DataError, match=r"has 25 faults: line 1 is 'x'.*; and 15 more"):
        devkit.read_ground_truth(file("x\n" * 25))


def test_a_truncated_gzip_file_is_refused(file):
    with pytest.raises(DataError, match="truncated or damaged gzip"):
        devkit.read_ground_truth(file(gzip.compress(b"1\n" * 500)[:-9]))


def test_exclusions_are_image_numbers_from_1(file):
    assert devkit.read_exclusions(file("36\n50\n")).tolist() == [[36], [50]]
    assert devkit.read_exclusions(file("")).shape == (0, 1)


def test_exclusions_that_repeat_or_share_a_line_are_for_the_kits_manner_alone(file):
    assert devkit.read_exclusions(file("2\n2\n"), as_the_kit=True).tolist() == [[2], [2]]
    assert devkit.read_exclusions(file("1 2\n3 4\n"), as_the_kit=True).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match=r"lists 1 images more than once \(2\)"):
        devkit.read_exclusions(file("2\n2\n"))
    with pytest.raises(DataError, match="lines of 2 numbers"):
        devkit.read_exclusions(file("1 2\n3 4\n"))


def test_there_is_no_image_0_to_exclude(file):
    for manner in (True, False):
        with pytest.raises(DataError, match="excludes the image 0"):
            devkit.read_exclusions(file("0\n"), as_the_kit=manner)


def test_excluded_pairs_are_an_index_and_a_wnid(file):
    indices, wnids = devkit.read_excluded_pairs(file("46 n00007846\n 85\tn07753275 \n"))
    assert (indices.tolist(), wnids) == ([46, 85], ("n00007846", "n07753275"))
    assert devkit.read_excluded_pairs(file(""))[1] == ()
    for line in ("46", "46 tench", "n00007846 46", "46 n00007846 1", "-1 n00007846"):
        with pytest.raises(DataError, match=r"line 1 is .* not an image index and a WNID"):
            devkit.read_excluded_pairs(file(line))


def test_an_image_list_is_names_and_indices(file):
    found = devkit.read_image_list(file("ILSVRC2012_val_00032300 1\nval/a.JPEG 70\nb.xml 3\n"))
    assert found.names == ("ILSVRC2012_val_00032300", "val/a", "b")
    assert found.indices.tolist() == [1, 70, 3]
    for text in ("", "a\n", "a b\n", "a 1 2\n", "a -1\n", "a 12345678901\n"):
        with pytest.raises(DataError):
            devkit.read_image_list(file(text))


@given(data=st.binary(max_size=120) | st.text("0123456789 .-\n\tn,e", max_size=120).map(str.encode))
def test_whatever_a_list_holds_it_is_read_or_refused_by_name(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "f.txt"
    path.write_bytes(data)
    for read in (
        devkit.read_ground_truth,
        devkit.read_exclusions,
        devkit.read_excluded_pairs,
        devkit.read_image_list,
        lambda path: devkit.read_exclusions(path, as_the_kit=True),
    ):
        try:
            read(path)
        except DataError as error:
            message = str(error)
        else:
            message = str(path)
        assert str(path) in message


@official
def test_the_official_tables_have_1000_and_200_classes():
    for name, classes, records, first in (
        ("ILSVRC2012_meta.mat", 1000, 1860, "n02119789"),
        ("meta_clsloc.mat", 1000, 1860, "n02119789"),
        ("meta_det.mat", 200, 815, "n02672831"),
    ):
        synsets = devkit.read_synsets(SHARED / name)
        assert (synsets.classes, len(synsets.records), synsets.wnids[0]) == (classes, records, first)


@official
def test_the_official_ground_truth_has_50_images_of_each_class():
    truth = devkit.read_ground_truth(SHARED / "ILSVRC2012_validation_ground_truth.txt")
    assert truth.shape == (50_000, 1)
    assert np.bincount(truth[:, 0]).tolist() == [0] + [50] * 1000


@official
def test_the_official_lists_have_their_lengths():
    assert len(devkit.read_exclusions(SHARED / "ILSVRC2014_clsloc_validation_blacklist.txt")) == 1762
    assert len(devkit.read_excluded_pairs(SHARED / "ILSVRC2014_det_validation_blacklist.txt")[1]) == 409
    assert len(devkit.read_image_list(SHARED / "det_lists" / "val.txt")) == 20_121
