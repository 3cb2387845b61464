"""Reading numbers fast must give what reading them slowly gives."""

import gzip
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilsvrc.errors import SubmissionError
from ilsvrc.scoring import numbers
from ilsvrc.scoring.faults import Faults
from ilsvrc.scoring.numbers import parse_block, read_table

plain = st.one_of(
    st.integers(-(10**18), 10**18).map(str),
    st.decimals(-(10**9), 10**9, places=6).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(0, 1).map(lambda number: f"{number:.9f}"),
    st.sampled_from(["0", "-0", "-0.0", "007", "1.", ".5", "-.25", "9007199254740993", "0.1234567890123456", "1e-5"]),
)


@given(st.lists(st.lists(plain, max_size=6), max_size=12), st.sampled_from([" ", "  ", "\t", " \t"]), st.booleans())
def test_any_number_is_read_to_the_last_digit(rows, separator, end):
    text = "\n".join(separator.join(row) for row in rows) + "\n" * end
    faults = Faults("f")
    found = parse_block(text.encode(), 1, faults)
    assert faults.count == 0
    assert found.values.tolist() == [float(word) for row in rows for word in row]
    lines = text.split("\n")
    assert found.counts.tolist() == [len(line.split()) for line in (lines[:-1] if not lines[-1] else lines)]


@given(st.binary(max_size=60), st.booleans(), st.booleans())
def test_any_bytes_are_read_or_noted_as_faults(data, words_as_zero, commas):
    faults = Faults("f")
    found = parse_block(data, 1, faults, words_as_zero=words_as_zero, commas=commas)
    assert found.counts.sum() == len(found.values)
    assert len(found.counts) == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


words = st.text("0123456789.-+eEnaif, x", max_size=8) | st.from_regex(
    r"-?[0-9]{1,12}(\.[0-9]{0,9})?(e-?[0-9])?", fullmatch=True
)


@pytest.mark.slow
@given(st.lists(words, min_size=1, max_size=8), st.sampled_from([" ", "\n", " \n"]), st.booleans())
@settings(max_examples=300)
def test_the_fast_way_and_the_careful_way_read_the_same(some, separator, end):
    text = (separator.join(some) + "\n" * end).encode()
    fast, careful = Faults("f"), Faults("f")
    ours = parse_block(text, 1, fast)
    theirs = numbers._parse_carefully(text, 1, careful, words_as_zero=False, commas=False)
    assert fast.count == careful.count
    assert np.array_equal(ours.values, theirs.values, equal_nan=True)
    assert np.array_equal(ours.counts, theirs.counts)


@pytest.mark.parametrize(
    "word", ["1-2", "1.2.3", "--1", "-", ".", "-.", "+", "1e", "e5", "0x10", "1_000", "١", "1,2", "+-1"]
)
def test_these_are_no_numbers_wherever_they_stand(word):
    for text in (f"1 {word} 2", f"{word} 1.5", f"1\n{word}", f"1e5 {word}", f"{word} 0.12345678901234567", word):
        faults = Faults("f")
        parse_block(text.encode(), 1, faults)
        assert faults.count == 1, text


@pytest.mark.parametrize("text", ["1,,2", ",1", "1,", "1, \n2", "1\n,2"])
def test_nothing_between_two_commas_is_a_fault(text, tmp_path):
    (tmp_path / "f.txt").write_text(text)
    with pytest.raises(SubmissionError, match="nothing between two commas"):
        read_table(tmp_path / "f.txt")


def test_blocks_may_end_anywhere(tmp_path, monkeypatch):
    rows = [[f"{7 * i}", f"{i / 8}", f"-{i}"][: 1 + i % 3] for i in range(200)]
    text = "\n".join(" ".join(row) for row in rows)
    (tmp_path / "f.txt").write_bytes(gzip.compress(text.encode()))
    whole = read_table(tmp_path / "f.txt")
    for size in (1, 2, 7, 64):
        monkeypatch.setattr(numbers, "BLOCK", size)
        found = read_table(tmp_path / "f.txt")
        assert np.array_equal(found.values, whole.values)
        assert np.array_equal(found.lines, whole.lines)


def test_faults_name_the_line_of_the_file_in_any_block(tmp_path, monkeypatch):
    monkeypatch.setattr(numbers, "BLOCK", 16)
    (tmp_path / "f.txt").write_text("1 2 3\n" * 99 + "1 two 3\n" + "4\n" * 20)
    with pytest.raises(SubmissionError, match=r"a fault: line 100: 'two'"):
        read_table(tmp_path / "f.txt")


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(numbers, "LONGEST", 1000)
    monkeypatch.setattr(numbers, "BLOCK", 100)
    (tmp_path / "f.txt").write_text("1 " * 2000)
    with pytest.raises(SubmissionError, match="has a line of more than"):
        read_table(tmp_path / "f.txt")


def test_one_wide_line_among_many_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(numbers, "LARGEST", 1000)
    (tmp_path / "f.txt").write_text("1\n" * 50 + "1 " * 50 + "\n")
    with pytest.raises(SubmissionError, match=r"line 51 of .* has 50 numbers"):
        read_table(tmp_path / "f.txt")


def test_an_odd_word_is_shown_shortened_and_escaped(tmp_path):
    (tmp_path / "f.txt").write_bytes(b"1\n" + b"\xff\x00\x1b" * 50 + b"\n")
    with pytest.raises(SubmissionError) as caught:
        read_table(tmp_path / "f.txt")
    assert re.fullmatch(r"[\x20-\x7e\ufffd]*", str(caught.value).removeprefix(str(tmp_path)))
    assert len(str(caught.value)) < 300
