"""Kaggle's submission, solution and synset mapping."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.errors import DataError, SubmissionError
from ilsvrc.scoring import kaggle
from ilsvrc.scoring.submission import Guesses

WNIDS = ("n01440764", "n01443537", "n02119789")
HEADER = "ImageId,PredictionString\n"


@pytest.fixture
def file(tmp_path):
    """Writes a text and gives its path."""

    def write(text: str):
        (tmp_path / "file.csv").write_text(text)
        return tmp_path / "file.csv"

    return write


def test_a_submission_numbers_classes_from_1_by_sorted_wnid(file):
    path = file(HEADER + "b,3 1 2 3 4 1 5 6 7.5 8\na,n01443537 1 1 1 1\n")
    names, guesses = kaggle.read_kaggle_submission(path, WNIDS)
    assert names == ("a", "b")
    assert guesses.labels.tolist() == [[2, 0], [3, 1]]
    assert guesses.boxes[1].tolist() == [[1, 2, 3, 4], [5, 6, 7.5, 8]]


def test_an_image_without_guess_has_an_empty_string(file):
    _, guesses = kaggle.read_kaggle_submission(file(HEADER + "a,\nb,3 1 2 3 4\n"), WNIDS)
    assert guesses.labels.tolist() == [[0], [3]]


def test_a_solution_names_classes_by_wnid_and_comes_sorted_by_image(file):
    found = kaggle.read_solution(file(HEADER + "b,n02119789 1 2 3 4 n01440764 5 6 7 8 \na,n01443537 1 1 1 1 \nc, \n"))
    assert found.names == ("a", "b", "c")
    assert found.wnids == ("n01443537", "n02119789", "n01440764")
    assert found.image.tolist() == [0, 1, 1]
    assert found.box.tolist() == [[1, 1, 1, 1], [1, 2, 3, 4], [5, 6, 7, 8]]


def test_quotes_and_windows_line_ends_do_no_harm(file):
    found = kaggle.read_solution(file('ImageId,PredictionString\r\n"a","n01443537 1 1 1 1"\r\n'))
    assert (found.names, found.wnids) == (("a",), ("n01443537",))


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("a,n01443537 1 1 1\n", "line 2: 4 words, where groups of 5"),
        ("a,n01443537 1 1 one 1\n", "line 2: 'one' where a number"),
        ("a,n01443537 1 1 nan 1\n", "line 2: the box 1 1 nan 1"),
        ("a,n01443537 9 1 1 1\n", "line 2: the box 9 1 1 1"),
        ("a,1 1 1 1 1\n", "line 2: the class '1', where a WNID"),
        ("a,n01443537 1 1 1 1\na,\n", "line 3: the image 'a' again, first on line 2"),
        ("a\n", "line 2: 'a', where an image name, a comma"),
        (",n01443537 1 1 1 1\n", "line 2: ',n01443537 1 1 1 1', where"),
        ("", "no row below its header"),
    ],
)
def test_a_solution_with_a_fault_is_refused_by_line(file, rows, fault):
    with pytest.raises(DataError, match=re.escape(fault)):
        kaggle.read_solution(file(HEADER + rows))


def test_another_header_is_refused(file):
    with pytest.raises(DataError, match="where the header ImageId,PredictionString belongs"):
        kaggle.read_solution(file("image,boxes\na,n01443537 1 1 1 1\n"))


@pytest.mark.parametrize("word", ["0", "4", "n99999999", "-1", "tench", "1.0"])
def test_a_guess_of_no_class_is_refused(file, word):
    with pytest.raises(SubmissionError, match=f"line 2: the class '{word}', where 1 to 3 or its WNID belongs"):
        kaggle.read_kaggle_submission(file(HEADER + f"a,{word} 1 1 1 1\n"), WNIDS)


@given(data=st.text(max_size=80) | st.text('aImgeId,PredctonSr n0123456789.-\n"', max_size=80).map(HEADER.__add__))
def test_any_text_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("kaggle") / "any.csv"
    path.write_bytes(data.encode(errors="surrogatepass"))
    for read in (kaggle.read_solution, kaggle.read_mapping, lambda path: kaggle.read_kaggle_submission(path, WNIDS)):
        try:
            read(path)
        except (DataError, SubmissionError) as caught:
            message = str(caught)
        else:
            message = str(path)
        assert str(path) in message


number = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-10, 5000).map(float)


@given(st.lists(st.lists(st.tuples(st.integers(1, 3), number, number), max_size=5), min_size=1, max_size=6))
def test_a_submission_reads_back_as_it_was_written(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("kaggle")
    labels, boxes = np.zeros((len(rows), 5), int), np.zeros((len(rows), 5, 4))
    for place, row in enumerate(rows):
        for column, (label, x, y) in enumerate(row):
            labels[place, column], boxes[place, column] = label, (x, y, x + 1, y + 2)
    names = [f"ILSVRC2012_test_{place:08d}" for place in range(len(rows))]
    for name in ("a.csv", "a.csv.gz"):
        kaggle.write_kaggle_submission(folder / name, names, Guesses(labels, boxes))
        read, guesses = kaggle.read_kaggle_submission(folder / name, WNIDS)
        width = guesses.labels.shape[1]
        assert list(read) == names
        assert np.array_equal(guesses.labels, labels[:, :width])
        assert np.array_equal(guesses.boxes, boxes[:, :width])
        assert not labels[:, width:].any()


def test_a_solution_reads_back_as_it_was_written(tmp_path):
    solution = kaggle.Solution(("a", "b"), np.array([0, 0, 1]), WNIDS, np.arange(12.0).reshape(3, 4) / 4)
    kaggle.write_solution(tmp_path / "s.csv", solution)
    found = kaggle.read_solution(tmp_path / "s.csv")
    assert (found.names, found.wnids, found.image.tolist()) == (("a", "b"), WNIDS, [0, 0, 1])
    assert np.array_equal(found.box, solution.box)


def test_a_mapping_reads_back_sorted(tmp_path):
    kaggle.write_mapping(tmp_path / "m.txt", ("n02119789", "n01440764"), ("kit fox, Vulpes macrotis", "tench"))
    assert (tmp_path / "m.txt").read_text() == "n01440764 tench\nn02119789 kit fox, Vulpes macrotis\n"
    assert kaggle.read_mapping(tmp_path / "m.txt") == (
        ("n01440764", "n02119789"),
        ("tench", "kit fox, Vulpes macrotis"),
    )


def test_a_mapping_that_is_not_sorted_is_refused(file):
    with pytest.raises(DataError, match="line 2: n01440764 after n02119789"):
        kaggle.read_mapping(file("n02119789 kit fox\nn01440764 tench\n"))


def test_guesses_without_boxes_or_names_cannot_be_written(tmp_path):
    with pytest.raises(SubmissionError, match="without boxes"):
        kaggle.write_kaggle_submission(tmp_path / "a.csv", ["a"], Guesses(np.array([[1]])))
    with pytest.raises(SubmissionError, match="1 image names for 2 rows"):
        kaggle.write_kaggle_submission(tmp_path / "a.csv", ["a"], Guesses(np.ones((2, 1), int), np.ones((2, 1, 4))))
