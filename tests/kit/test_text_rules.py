"""How the kit reads its text files, and what is refused beyond that."""

import gzip

import numpy as np
import pytest

from ilsvrc.errors import SubmissionError
from ilsvrc.scoring.detection_file import read_detections
from ilsvrc.scoring.submission import read_guesses


@pytest.fixture
def labels(tmp_path):
    """Reads a classification submission from its text."""

    def read(text: str | bytes, **rest):
        path = tmp_path / "preds.txt"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_guesses(path, boxes=False, **rest).labels.tolist()

    return read


@pytest.fixture
def groups(tmp_path):
    """Reads a localization submission from its text."""

    def read(text: str, **rest):
        (tmp_path / "preds.txt").write_text(text)
        return read_guesses(tmp_path / "preds.txt", boxes=True, **rest)

    return read


@pytest.fixture
def detections(tmp_path):
    """Reads a detection submission from its text."""

    def read(text: str, **rest):
        (tmp_path / "preds.txt").write_text(text)
        return read_detections(tmp_path / "preds.txt", **rest)

    return read


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3\n4 5 6\n",
        "1 2 3\n4 5 6",
        "1  2   3\n 4 5 6 \n",
        "1\t2\t3\n4\t5\t6\n",
        "1,2,3\n4, 5, 6\n",
        "1 2 3\r\n4 5 6\r\n",
        "1.0 2.0 3.000\n4e0 50e-1 +6\n",
        "\n1 2 3\n\n\n4 5 6\n\n",
        "\ufeff1 2 3\n4 5 6\n",
    ],
    ids=["plain", "no end", "blanks", "tabs", "commas", "windows", "spellings", "blank lines", "byte order mark"],
)
def test_these_are_one_and_the_same_file(labels, text):
    assert labels(text) == [[1, 2, 3], [4, 5, 6]]


def test_a_gzipped_file_is_read_as_it_is_whatever_its_name(labels):
    assert labels(gzip.compress(b"1 2\n3 4\n")) == [[1, 2], [3, 4]]


def test_shorter_lines_are_filled_with_0(labels):
    assert labels("1 2 3\n4\n") == [[1, 2, 3], [4, 0, 0]]
    assert labels("1\n4 5\n") == [[1, 0], [4, 5]]


def test_where_classes_count_from_0_shorter_lines_are_filled_with_minus_1(labels):
    assert labels("0 1\n2\n", none=-1) == [[0, 1], [2, -1]]


def test_a_wrong_number_of_lines_is_refused_with_both_numbers(labels):
    with pytest.raises(SubmissionError, match=r"preds.txt has 2 lines of numbers; the ground truth has 3 images"):
        labels("1\n2\n", images=3)


def test_a_skipped_blank_line_is_named_when_the_number_of_lines_is_wrong(labels):
    with pytest.raises(SubmissionError, match=r"1 lines of numbers and 1 blank ones, which the kit skips: write 0"):
        labels("\n2\n", images=2)


def test_an_empty_submission_is_refused(labels):
    for text in ("", "\n\n", " \t \n"):
        with pytest.raises(SubmissionError, match="0 lines"):
            labels(text)


def test_words_are_refused_with_line_and_word(labels):
    with pytest.raises(SubmissionError, match=r"line 2: 'n02119789' where a number belongs"):
        labels("1 2\nn02119789 3\n")


def test_in_the_manner_of_the_kit_a_word_is_0(labels):
    assert labels("1 2\nkit 3\n", manner="kit") == [[1, 2], [0, 3]]


@pytest.mark.parametrize("label", ["-1", "2.5", "nan", "inf", "1001", "3000000000"])
def test_labels_of_no_class_are_refused(labels, label):
    with pytest.raises(SubmissionError, match=r"line 3: the label .*, where a class of 1 to 1000 belongs"):
        labels(f"1\n2\n{label}\n", classes=1000)


def test_in_the_manner_of_the_kit_a_label_may_be_anything(labels):
    assert labels("2.25 -3 5000\n", manner="kit") == [[2.25, -3, 5000]]
    assert np.isnan(labels("nan 1\n", manner="kit")[0][0])


def test_all_faults_are_counted_and_the_first_ten_shown(labels):
    with pytest.raises(SubmissionError) as caught:
        labels("".join(f"{'x' if i % 2 else 1}\n" for i in range(300)))
    assert "has 150 faults: line 2:" in str(caught.value)
    assert str(caught.value).count("line ") == 10
    assert "and 140 more" in str(caught.value)


def test_a_truncated_gzip_file_is_refused(labels):
    packed = gzip.compress("\n".join(map(str, range(1, 1000))).encode())
    for end in (5, 12, len(packed) // 2, len(packed) - 1):
        with pytest.raises(SubmissionError, match="truncated or damaged gzip"):
            labels(packed[:end])


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(SubmissionError, match="does not exist"):
        read_guesses(tmp_path / "none.txt", boxes=False)
    with pytest.raises(SubmissionError, match="cannot be read"):
        read_guesses(tmp_path, boxes=False)


def test_every_fifth_number_is_a_label_and_the_four_after_it_its_box(groups):
    found = groups("7 1 2 3 4 8 5 6 7 8\n9 1.5 -2 3 4\n")
    assert found.labels.tolist() == [[7, 8], [9, 0]]
    assert found.boxes.tolist() == [[[1, 2, 3, 4], [5, 6, 7, 8]], [[1.5, -2, 3, 4], [0, 0, 0, 0]]]


def test_an_incomplete_group_is_refused(groups):
    with pytest.raises(SubmissionError, match=r"line 1: 7 numbers, where groups of 5"):
        groups("7 1 2 3 4 8 5\n")


def test_in_the_manner_of_the_kit_an_incomplete_group_is_a_label(groups):
    found = groups("7 1 2 3 4 8 5\n", manner="kit")
    assert found.labels.tolist() == [[7, 8]]
    assert found.boxes.tolist() == [[[1, 2, 3, 4]]]


def test_a_box_that_is_not_finite_is_refused(groups):
    for number in ("nan", "inf", "-inf"):
        with pytest.raises(SubmissionError, match=r"line 1: the box 1 .* 3 4 .*, where finite numbers belong"):
            groups(f"7 1 {number} 3 4\n")
    assert np.isnan(groups("7 1 nan 3 4\n", manner="kit").boxes[0, 0, 1])


def test_an_inverted_box_is_refused_in_the_strict_manner_alone(groups):
    assert groups("7 9 2 3 4\n").boxes.tolist() == [[[9, 2, 3, 4]]]
    with pytest.raises(SubmissionError, match=r"line 1: the box 9 2 3 4 .*, where xmin <= xmax"):
        groups("7 9 2 3 4\n", manner="strict")


def test_the_box_of_no_guess_may_be_anything(groups):
    assert groups("7 1 2 3 4 0 9 9 1 1\n", manner="strict").labels.tolist() == [[7, 0]]


def test_a_detection_has_seven_numbers_in_this_order(detections):
    found = detections("3 17 0.25 1 2.5 3 4\n1 2.0 -1e-3 5 6 7 8\n")
    assert (found.image.tolist(), found.label.tolist()) == ([3, 1], [17, 2])
    assert found.confidence.tolist() == [0.25, -0.001]
    assert found.box.tolist() == [[1, 2.5, 3, 4], [5, 6, 7, 8]]


def test_a_detection_of_more_or_fewer_numbers_is_refused(detections):
    with pytest.raises(SubmissionError, match=r"2 faults: line 2: 6 numbers, where 7 belong; line 3: 8 numbers"):
        detections("1 1 1 1 1 1 1\n1 1 1 1 1 1\n1 1 1 1 1 1 1 1\n")


def test_commas_and_words_are_refused_in_detections(detections):
    with pytest.raises(SubmissionError, match=r"line 1: '1,1,0.9,51,51,150,150' where a number"):
        detections("1,1,0.9,51,51,150,150\n", manner="kit")


def test_a_blank_line_may_end_detections_but_not_stand_in_them(detections):
    line = "1 1 1 1 1 1 1\n"
    assert len(detections(line + line + "\n \n")) == 2
    with pytest.raises(SubmissionError, match="line 2: blank, between detections"):
        detections(line + "\n" + line)


def test_in_the_manner_of_the_kit_a_short_last_line_is_filled_with_0(detections):
    text = "1 1 0.9 51 51 150 150\n1 1 0.8 51 51 150\n"
    assert detections(text, manner="kit").box[1].tolist() == [51, 51, 150, 0]
    with pytest.raises(SubmissionError, match="line 2: 6 numbers"):
        detections(text)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("0 1 1 1 1 1 1", "the image 0"),
        ("1.5 1 1 1 1 1 1", "the image 1.5"),
        ("1 0 1 1 1 1 1", "the label 0, where an id of 1 to 200 belongs"),
        ("1 201 1 1 1 1 1", "the label 201"),
        ("1 1 nan 1 1 1 1", "the confidence nan"),
        ("1 1 1 nan 1 1 1", "the box nan 1 1 1"),
    ],
)
def test_detections_of_no_image_class_confidence_or_box_are_refused(detections, line, fault):
    with pytest.raises(SubmissionError, match=f"line 2: {fault}"):
        detections(f"1 1 1 1 1 1 1\n{line}\n", classes=200)
    assert len(detections(f"1 1 1 1 1 1 1\n{line}\n", classes=200, manner="kit")) == 2
