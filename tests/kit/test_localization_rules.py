"""The rules of `eval_clsloc.m` (from 2013 on) and `eval_localization_flat.m` (2012), a case for each."""

import math

import numpy as np
import pytest

from ilsvrc.errors import DataError, SubmissionError
from ilsvrc.scoring.localization import Localization, Objects, localization_errors
from ilsvrc.scoring.submission import Guesses

BOX = (101, 51, 200, 150)  # 100 x 100 pixels, both edges inside
Guess = tuple[int, tuple[float, float, float, float]]


def things(*images: list[Guess]) -> Objects:
    """The objects of each image."""
    flat = [(place, *thing) for place, image in enumerate(images) for thing in image]
    image, label, box = zip(*flat, strict=True) if flat else ((), (), ())
    return Objects(len(images), np.array(image, int), np.array(label, int), np.array(box, float).reshape(-1, 4))


def guesses(*rows: list[Guess]) -> Guesses:
    width = max(map(len, rows))
    filled = [row + [(0, (0, 0, 0, 0))] * (width - len(row)) for row in rows]
    return Guesses(
        np.array([[c for c, _ in row] for row in filled]), np.array([[b for _, b in row] for row in filled], float)
    )


def verdict(rows: Guesses, truth: list, objects: Objects, top: int = 5, **rest) -> Localization:
    return localization_errors(rows, np.array(truth), objects, top, **rest)


def error(box: tuple[float, float, float, float], *, of: tuple[float, float, float, float] = BOX) -> float:
    """Of one image of label 13 with one object, guessed with its label and a box; by both kits, which agree."""
    both = {kit: verdict(guesses([(13, box)]), [13], things([(13, of)]), kit=kit) for kit in (2012, 2014)}
    assert both[2012].localization.value == both[2014].localization.value
    return both[2014].localization.value


def test_an_overlap_of_exactly_one_half_is_right():
    assert error((101, 51, 150, 150)) == 0


def test_an_overlap_just_below_one_half_is_wrong():
    assert error((101, 51, 149, 150)) == 1
    assert error((101, 51, 149.999999, 150)) == 1


def test_both_edges_belong_to_a_box():
    assert error((10, 10, 10, 10), of=(10, 10, 10, 10)) == 0
    assert error((10, 10, 10, 10), of=(10, 10, 11, 10)) == 0  # one pixel of two
    assert error((10, 10, 10, 10), of=(10, 10, 11, 11)) == 1  # one of four


def test_boxes_side_by_side_share_no_pixel():
    assert error((201, 51, 300, 150)) == 1


def test_nothing_is_clipped_to_the_image_or_rounded():
    assert error((101, 51, 1200, 150)) == 1
    assert error((10.5, 10.5, 10.5, 10.5), of=(10, 10, 11, 11)) == 1
    assert error((100.6, 51, 200.4, 150.2)) == 0


def test_a_box_with_swapped_corners_overlaps_nothing():
    assert error((200, 150, 101, 51)) == 1
    assert error((200, 51, 101, 150)) == 1


def test_a_box_that_is_not_a_number_counts_as_right():
    for corner in range(4):
        assert error((*BOX[:corner], math.nan, *BOX[corner + 1 :])) == 0


def test_any_object_of_the_label_will_do():
    rows, objects = guesses([(13, (301, 201, 400, 300))]), things([(13, BOX), (13, (301, 201, 400, 300))])
    assert verdict(rows, [13], objects).localization.value == 0


def test_objects_of_other_classes_do_not_help():
    rows, objects = guesses([(13, BOX)]), things([(14, BOX), (13, (301, 201, 400, 300))])
    assert verdict(rows, [13], objects).localization.value == 1


def test_the_same_guess_must_have_the_label_and_the_box():
    rows = guesses([(13, (1, 1, 5, 5)), (14, BOX)])
    found = verdict(rows, [13], things([(13, BOX)]))
    assert (found.classification.value, found.localization.value) == (0, 1)


def test_only_the_first_guesses_count():
    rows = guesses([(13, (1, 1, 5, 5)), (13, BOX)])
    assert [verdict(rows, [13], things([(13, BOX)]), k).localization.value for k in (1, 2, 5)] == [1, 0, 0]


FIVE = guesses([(13, BOX)], [(13, (1, 1, 5, 5))], [(14, BOX)], [(13, BOX)], [(13, (1, 1, 5, 5))])
OBJECTS = things(*[[(13, BOX)]] * 5)


def excluding(*rows: list[int]) -> Localization:
    return verdict(
        FIVE, [13] * 5, OBJECTS, exclusions=np.array(rows, int).reshape(len(rows), len(rows[0]) if rows else 1)
    )


def test_excluded_images_leave_the_localization_error_but_not_the_error_of_labels():
    found = excluding([1], [3])
    assert found.localization.value == 2 / 3
    assert found.classification.value == 1 / 5
    assert (found.localization.images, found.localization.excluded) == (3, 2)


def test_an_empty_exclusion_list_is_none():
    assert excluding().localization.value == 3 / 5


def test_an_image_listed_twice_lowers_the_denominator_twice():
    assert excluding([2], [2]).localization.value == 2 / 3


def test_a_number_beyond_the_last_image_lowers_the_denominator_too():
    assert excluding([2], [99]).localization.value == 2 / 3


def test_two_numbers_on_a_line_exclude_both_images_and_lower_the_denominator_once():
    assert excluding([1, 2], [3, 4]).localization.value == 1 / 3


def test_with_all_images_excluded_the_error_is_nan():
    assert math.isnan(excluding([1], [2], [3], [4], [5]).localization.value)


def test_an_exclusion_of_image_0_is_refused():
    with pytest.raises(DataError, match="below 1"):
        excluding([0])


def test_the_routine_of_2012_takes_no_exclusion_list():
    with pytest.raises(DataError, match="no exclusion list"):
        verdict(FIVE, [13] * 5, OBJECTS, kit=2012, exclusions=np.array([[1]]))


def test_an_image_without_an_object_of_its_guessed_label_is_refused():
    with pytest.raises(DataError, match="image 1 has the label 13 but no object of it"):
        verdict(guesses([(13, BOX)]), [13], things([(14, BOX)]))


def test_it_is_an_ordinary_error_when_no_guess_names_that_label():
    assert verdict(guesses([(15, BOX)]), [13], things([(14, BOX)])).localization.value == 1


def test_an_image_without_any_object_is_refused_even_when_excluded_or_beyond_the_last_line():
    with pytest.raises(DataError, match="image 2 of the true boxes has no object"):
        verdict(guesses([(13, BOX)], [(13, BOX)]), [13, 13], things([(13, BOX)], []), exclusions=np.array([[2]]))
    with pytest.raises(DataError, match="image 2 of the true boxes has no object"):
        verdict(guesses([(13, BOX)]), [13], things([(13, BOX)], []))


def test_more_images_with_boxes_than_lines_do_no_harm():
    assert verdict(guesses([(13, BOX)]), [13], things([(13, BOX)], [(14, BOX)])).localization.value == 0


def test_a_line_without_boxes_is_refused_unless_it_is_excluded():
    with pytest.raises(DataError, match="image 2 has no true boxes"):
        verdict(guesses([(13, BOX)], [(13, BOX)]), [13, 13], things([(13, BOX)]))
    found = verdict(guesses([(13, BOX)], [(13, BOX)]), [13, 13], things([(13, BOX)]), exclusions=np.array([[2]]))
    assert found.localization.value == 0


def test_the_label_1001_of_the_root_takes_an_object_of_any_class():
    assert verdict(guesses([(1001, BOX)]), [1001], things([(55, BOX)])).localization.value == 0
    assert verdict(guesses([(55, BOX)]), [1001], things([(55, BOX)])).localization.value == 1


def test_several_labels_of_an_image_are_averaged():
    rows = guesses([(13, BOX), (14, (1, 1, 5, 5))])
    found = verdict(rows, [[13, 14]], things([(13, BOX), (14, BOX)]))
    assert found.localization.value == 0.5


def test_the_number_of_labels_looked_at_is_that_of_the_first_line():
    rows = guesses([(13, BOX)], [(13, BOX)], [(14, BOX)])
    objects = things(*[[(13, BOX), (14, BOX)]] * 3)
    truth = [[13, 0], [13, 14], [13, 14]]
    # From 2013 on only label 13 is looked at, and lines 2 and 3 still divide by their two labels: (0 + 0 + 1/2) / 3.
    assert verdict(rows, truth, objects).localization.value == pytest.approx(1 / 6, rel=1e-15)
    # In 2012 the widest line decides, for looking and for dividing: (1/2 + 1/2 + 1/2) / 3.
    assert verdict(rows, truth, objects, kit=2012).localization.value == 0.5


def test_a_first_line_without_label_makes_the_error_nan():
    rows, objects = guesses([(13, BOX)], [(13, BOX)]), things([(13, BOX)], [(13, BOX)])
    found = verdict(rows, [[0], [13]], objects)
    assert math.isnan(found.localization.value)
    assert found.classification.value == math.inf


def test_a_label_without_its_whole_box_counts_as_a_label_and_not_for_localization():
    rows = Guesses(np.array([[14, 13]]), np.array([[BOX]], float))  # seven numbers on the line
    found = verdict(rows, [13], things([(13, BOX)]))
    assert (found.classification.value, found.localization.value) == (0, 1)
    with pytest.raises(SubmissionError, match="lacks a part of its box"):
        verdict(rows, [13], things([(13, BOX)]), kit=2012)


def test_labels_alone_are_refused():
    with pytest.raises(SubmissionError, match="no box"):
        verdict(Guesses(np.array([[13]])), [13], things([(13, BOX)]))


def test_the_causes_tell_wrong_labels_from_wrong_boxes():
    found = verdict(FIVE, [13] * 5, OBJECTS, exclusions=np.array([[5]]))
    assert found.wrong_label.tolist() == [False, False, True, False, False]
    assert found.wrong_box.tolist() == [False, True, False, False, False]
    assert found.excluded.tolist() == [False, False, False, False, True]
