"""Proposals from files: both forms, and what is wrong with them in a sentence."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ilsvrc.data.proposals import find_proposals, read_proposals
from ilsvrc.errors import DataError


def test_an_npz_has_boxes_by_the_image_s_name(tmp_path: Path):
    np.savez(tmp_path / "val.npz", a=np.array([[0, 1, 2, 3]]), b=np.zeros((0, 4)))
    given = read_proposals(tmp_path / "val.npz")
    assert given.of("folder/a").tolist() == [[0, 1, 2, 3]]
    assert given.of("b").shape == given.of("unknown").shape == (0, 4)


def test_matlab_s_boxes_count_from_1_and_begin_with_the_row(tmp_path: Path):
    images, boxes = np.empty((2, 1), object), np.empty((2, 1), object)
    images[:, 0] = ["a", "b"]
    boxes[0, 0], boxes[1, 0] = np.array([[1.0, 11, 21, 41]]), np.array([[2.0, 3, 4, 5], [1, 1, 1, 1]])
    savemat(tmp_path / "val.mat", {"images": images, "boxes": boxes})
    given = read_proposals(tmp_path / "val.mat")
    assert given.of("a").tolist() == [[10, 0, 40, 20]]
    assert given.of("b").tolist() == [[2, 1, 4, 3], [0, 0, 0, 0]]


def test_proposals_of_other_images_are_refused_and_missing_ones_counted(tmp_path: Path):
    np.savez(tmp_path / "val.npz", a=np.zeros((1, 4)))
    given = read_proposals(tmp_path / "val.npz")
    assert given.check(["x/a"]) == ""
    assert given.check(["a", "b", "c"]) == "2 of 3 images have no proposals in val.npz"
    with pytest.raises(DataError, match=r"proposals of 1 other images, the first a, and of none of these, such as b"):
        given.check(["b", "c"])


def test_rows_that_are_not_four_numbers_are_refused(tmp_path: Path):
    np.savez(tmp_path / "val.npz", a=np.zeros((2, 5)))
    with pytest.raises(DataError, match=r"the proposals of a .* an array of \(2, 5\)"):
        read_proposals(tmp_path / "val.npz")
    (tmp_path / "bad.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no proposals that can be read"):
        read_proposals(tmp_path / "bad.mat")


def test_a_set_without_proposals_says_where_they_belong(tmp_path: Path):
    with pytest.raises(DataError, match=r"proposals/train\.npz or proposals/train\.mat"):
        find_proposals(tmp_path, "train")
    (tmp_path / "proposals").mkdir()
    np.savez(tmp_path / "proposals" / "train.npz", a=np.zeros((1, 4)))
    assert find_proposals(tmp_path, "train").of("a").shape == (1, 4)


def test_a_note_beside_them_says_by_which_search_they_were_computed(tmp_path: Path):
    np.savez(tmp_path / "val.npz", a=np.array([[0, 0, 9, 9]]))
    assert read_proposals(tmp_path / "val.npz").search is None, "from elsewhere"
    (tmp_path / "val.json").write_text('{"asked": {"search": {"width": 500}}}')
    assert read_proposals(tmp_path / "val.npz").search == {"width": 500}
    for damaged in ("{", "[]", '{"asked": {}}', '{"asked": {"search": 3}}'):
        (tmp_path / "val.json").write_text(damaged)
        assert read_proposals(tmp_path / "val.npz").search is None
