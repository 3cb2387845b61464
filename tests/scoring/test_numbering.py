"""From one numbering of the classes to another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.scoring.numbering import NUMBERINGS, none_of, numbered, renumber

KIT = ("n02119789", "n02100735", "n01440764")  # kit fox, English setter, tench, as a kit may order them
FOX = {"kit": 1, "kit-from-0": 0, "sorted": 2, "sorted-from-1": 3}
TENCH = {"kit": 3, "kit-from-0": 2, "sorted": 0, "sorted-from-1": 1}


@pytest.mark.parametrize("numbering", NUMBERINGS)
def test_each_numbering_calls_a_class_as_its_files_do(numbering):
    found = numbered(KIT, numbering)
    assert (found["n02119789"], found["n01440764"]) == (FOX[numbering], TENCH[numbering])


@pytest.mark.parametrize("source", NUMBERINGS)
@pytest.mark.parametrize("target", NUMBERINGS)
def test_a_class_keeps_its_wnid_from_any_numbering_to_any(source, target):
    given_ = np.array([[FOX[source], TENCH[source]], [none_of(source), FOX[source]]])
    wanted = [[FOX[target], TENCH[target]], [none_of(target), FOX[target]]]
    assert renumber(given_, source, KIT, target).tolist() == wanted


def test_between_two_kits_the_wnid_decides():
    other = ("n01440764", "n02119789", "n09999999", "n02100735")
    assert renumber(np.array([1, 2, 3, 0]), "kit", KIT, "kit", other).tolist() == [2, 4, 1, 0]


def test_a_class_the_other_kit_lacks_is_refused_only_where_it_is_guessed():
    assert renumber(np.array([1]), "kit", KIT, "kit", KIT[:1]).tolist() == [1]
    with pytest.raises(ValueError, match="n01440764 is guessed, but is not among the 1 classes"):
        renumber(np.array([1, 3]), "kit", KIT, "kit", KIT[:1])


@pytest.mark.parametrize(("source", "number"), [("kit", 4), ("kit", -1), ("sorted", 3), ("sorted", -2)])
def test_a_number_of_no_class_is_refused(source, number):
    with pytest.raises(ValueError, match=f"{number} is no class"):
        renumber(np.array([number]), source, KIT, "kit")


@given(st.permutations([f"n0{i:07d}" for i in range(30)]), st.lists(st.integers(0, 30), min_size=1))
def test_there_and_back_is_where_one_began(wnids, labels):
    for target in NUMBERINGS:
        there = renumber(np.array(labels), "kit", wnids, target)
        assert renumber(there, target, wnids, "kit").tolist() == labels
