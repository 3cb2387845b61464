"""Submissions written and read again, and whatever else a file may hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.errors import SubmissionError
from ilsvrc.scoring.detection_file import read_detections
from ilsvrc.scoring.submission import Detections, Guesses, read_guesses, write_detections, write_guesses

number = st.floats(-1e9, 1e9, allow_nan=False) | st.integers(-10, 5000).map(float)
rows = st.lists(st.lists(st.integers(1, 1000), max_size=5), min_size=1, max_size=8)


@given(rows, st.sampled_from([0, -1]))
def test_labels_read_back_as_they_were_written(tmp_path_factory, labels, none):
    path = tmp_path_factory.mktemp("labels") / "f.txt.gz"
    table = np.full((len(labels), 5), none)
    for place, row in enumerate(labels):
        table[place, : len(row)] = np.array(row, int) + none
    write_guesses(path, Guesses(table), none=none)
    found = read_guesses(path, boxes=False, images=len(labels), classes=1000, none=none).labels
    assert np.array_equal(found, table[:, : found.shape[1]])
    assert (table[:, found.shape[1] :] == none).all()


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 1000), number, number), min_size=1, max_size=5), min_size=1, max_size=6)
)
def test_boxes_read_back_as_they_were_written(tmp_path_factory, guesses):
    path = tmp_path_factory.mktemp("boxes") / "f.txt"
    labels, boxes = np.zeros((len(guesses), 5), int), np.zeros((len(guesses), 5, 4))
    for place, row in enumerate(guesses):
        for column, (label, x, y) in enumerate(row):
            labels[place, column], boxes[place, column] = label, (x, y, x + 0.1, y + 7)
    write_guesses(path, Guesses(labels, boxes))
    found = read_guesses(path, boxes=True, images=len(guesses))
    width = found.labels.shape[1]
    assert np.array_equal(found.labels, labels[:, :width])
    assert np.array_equal(found.boxes, boxes[:, :width])


@given(st.lists(st.tuples(st.integers(1, 30000), st.integers(1, 200), st.floats(allow_nan=False), number), min_size=1))
def test_detections_read_back_as_they_were_written(tmp_path_factory, some):
    path = tmp_path_factory.mktemp("detections") / "f.txt"
    image, label, confidence, x = (np.array(column) for column in zip(*some, strict=True))
    box = np.stack([x, x / 3, x + 1, x / 3 + 2], axis=1)
    write_detections(path, Detections(image, label, confidence, box))
    found = read_detections(path, classes=200)
    for ours, theirs in ((found.image, image), (found.label, label), (found.confidence, confidence), (found.box, box)):
        assert np.array_equal(ours, theirs)


def test_a_row_without_guess_is_written_as_a_0_for_the_kit_skips_blank_lines(tmp_path):
    write_guesses(tmp_path / "f.txt", Guesses(np.array([[0, 0], [3, 0], [0, 4]])))
    assert (tmp_path / "f.txt").read_text() == "0\n3\n0 4\n"


def test_a_file_that_cannot_be_written_is_an_error_of_one_sentence(tmp_path):
    with pytest.raises(SubmissionError, match="cannot be written"):
        write_guesses(tmp_path / "no" / "folder.txt", Guesses(np.array([[1]])))


@given(data=st.binary(max_size=200) | st.text("0123456789 .-\n\tnae,", max_size=200).map(str.encode))
def test_whatever_a_file_holds_it_is_read_or_refused_by_name(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "f.txt"
    path.write_bytes(data)
    readers = [lambda manner: read_detections(path, classes=200, manner=manner)]
    readers += [lambda manner, b=b: read_guesses(path, boxes=b, classes=1000, manner=manner) for b in (True, False)]
    for read in readers:
        for manner in ("usual", "strict", "kit"):
            try:
                read(manner)
            except SubmissionError as error:
                message = str(error)
            else:
                message = str(path)
            assert str(path) in message


@given(st.binary(max_size=60))
def test_whatever_follows_the_first_bytes_of_gzip_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "f.txt"
    path.write_bytes(b"\x1f\x8b\x08\x00" + data)
    with pytest.raises(SubmissionError, match="truncated or damaged gzip"):
        read_detections(path)
