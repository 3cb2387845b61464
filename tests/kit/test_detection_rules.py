"""The rules of `eval_detection.m` (kits from 2014 on), a case for each."""

import math

import numpy as np
import pytest

from ilsvrc.errors import DataError, SubmissionError
from ilsvrc.scoring.detection import Detection, average_precision, detect, thresholds
from ilsvrc.scoring.localization import Objects
from ilsvrc.scoring.submission import Detections

BOX = (51, 51, 150, 150)  # 100 x 100 pixels, both edges inside
FAR = (1, 1, 9, 9)
Corners = tuple[float, float, float, float]


def things(*images: list[tuple[int, Corners]]) -> Objects:
    """The objects of each image: label and box."""
    flat = [(place, *thing) for place, image in enumerate(images) for thing in image]
    image, label, box = zip(*flat, strict=True) if flat else ((), (), ())
    return Objects(len(images), np.array(image, int), np.array(label, int), np.array(box, float).reshape(-1, 4))


def found(*rows: tuple[int, int, float, Corners]) -> Detections:
    """Detections: image, label, confidence, box."""
    image, label, confidence, box = zip(*rows, strict=True) if rows else ((), (), (), ())
    boxes = np.array(box, float).reshape(-1, 4)
    return Detections(np.array(image, np.int32), np.array(label, np.int32), np.array(confidence, float), boxes)


def verdict(
    rows: Detections, objects: Objects, indices: list[int] | None = None, pairs: list | None = None
) -> Detection:
    exclusions = None if pairs is None else np.array(pairs)
    return detect(rows, objects, np.array(indices or range(1, objects.images + 1)), exclusions)


def ap(*rows: tuple[int, int, float, Corners], of: list[tuple[int, Corners]], label: int = 1) -> float:
    """Of one image."""
    return float(verdict(found(*rows), things(of)).ap[label - 1])


def hit(box: Corners, of: Corners) -> bool:
    return ap((1, 1, 0.9, box), of=[(1, of)]) == 1


def test_thresholds_fall_below_one_half_for_small_objects():
    boxes = np.array([(1, 1, 25, 25), (1, 1, 24, 24), (1, 1, 10, 10), (1, 1, 1, 1), (1, 1, 5, 100)], float)
    assert thresholds(boxes).tolist() == [0.5, 576 / 1156, 0.25, 1 / 121, 500 / 1650]


def test_an_overlap_that_reaches_the_threshold_is_enough():
    assert hit((51, 51, 100, 150), BOX)
    assert not hit((51, 51, 99, 150), BOX)
    assert not hit((51, 51, 99.999999, 150), BOX)


def test_a_small_object_is_found_at_its_own_threshold():
    assert hit((46, 46, 65, 65), (51, 51, 60, 60))  # 100 / 400, for 10 x 10 exactly the threshold
    assert not hit((46, 46, 66, 65), (51, 51, 60, 60))
    assert hit((46, 46, 56, 56), (51, 51, 51, 51))  # 1 / 121


def test_an_object_is_found_once():
    assert verdict(found((1, 1, 0.9, BOX), (1, 1, 0.8, BOX)), things([(1, BOX)])).classes[0].outcome.tolist() == [1, 0]


def test_a_taken_object_is_passed_over_and_the_second_best_may_be_found():
    # Both detections overlap the first object most. In PASCAL VOC the second would be a duplicate.
    objects = [(1, BOX), (1, (61, 51, 160, 150))]
    assert ap((1, 1, 0.9, BOX), (1, 1, 0.8, BOX), of=objects) == 1


def test_a_detection_takes_the_object_it_overlaps_most():
    objects = [(1, (61, 51, 160, 150)), (1, BOX)]
    one = verdict(found((1, 1, 0.9, BOX), (1, 1, 0.8, (91, 51, 190, 150))), things(objects)).classes[0]
    assert one.taken.tolist() == [1, 0]


def test_among_equal_overlaps_the_first_object_of_the_file_is_taken():
    objects = things([(1, (61, 51, 160, 150)), (1, (41, 51, 140, 150))])
    assert verdict(found((1, 1, 0.9, BOX)), objects).classes[0].taken.tolist() == [0]


def test_an_object_is_a_candidate_by_its_own_threshold_alone():
    # 0.49 of the large object is not enough; neither is 100 / 784 of the small one, which wants 0.25.
    assert ap((1, 1, 0.9, (13, 13, 40, 40)), of=[(1, (1, 1, 40, 40)), (1, (31, 31, 40, 40))]) == 0


def test_the_surest_detection_goes_first_whatever_its_line():
    rows = found((1, 1, 0.1, FAR), (1, 1, 0.8, BOX), (1, 1, 0.5, FAR))
    assert verdict(rows, things([(1, BOX)])).classes[0].order.tolist() == [1, 2, 0]
    assert ap((1, 1, 0.2, BOX), (1, 1, 0.9, (53, 53, 152, 152)), of=[(1, BOX)]) == 1


def test_equal_confidences_in_an_image_keep_the_order_of_the_file():
    assert ap((1, 1, 0.5, FAR), (1, 1, 0.5, BOX), of=[(1, BOX)]) == 0.5
    assert ap((1, 1, 0.5, BOX), (1, 1, 0.5, FAR), of=[(1, BOX)]) == 1


def test_equal_confidences_across_images_are_ordered_by_image_number():
    rows = found((2, 1, 0.5, BOX), (1, 1, 0.5, FAR))
    assert verdict(rows, things([(1, BOX)], [(1, BOX)])).ap.tolist() == [0.25]
    # The number decides, not the place in the list.
    assert verdict(found((3, 1, 0.5, FAR), (7, 1, 0.5, BOX)), things([(1, BOX)], [(1, BOX)]), [7, 3]).ap.tolist() == [
        0.25
    ]


def test_confidences_differ_by_their_last_digit():
    rows = found((1, 1, 0.12345678901234567, FAR), (1, 1, 0.12345678901234568, BOX))
    assert verdict(rows, things([(1, BOX)])).ap.tolist() == [1]


def test_confidences_may_be_negative_or_infinite_and_nan_comes_first():
    assert ap((1, 1, -3, BOX), (1, 1, 17, FAR), (1, 1, -2, FAR), of=[(1, BOX)]) == pytest.approx(1 / 3, rel=1e-15)
    assert ap((1, 1, math.inf, BOX), (1, 1, 5, FAR), of=[(1, BOX)]) == 1
    assert ap((1, 1, math.inf, FAR), (1, 1, math.nan, BOX), of=[(1, BOX)]) == 1


def test_classes_do_not_meet():
    assert ap((1, 2, 0.9, BOX), of=[(1, BOX)]) == 0


def test_boxes_that_are_swapped_or_not_numbers_find_nothing():
    assert not hit((150, 150, 51, 51), BOX)
    assert not hit((math.nan, 51, 150, 150), BOX)
    assert not hit(BOX, (150, 150, 51, 51))


def test_precision_and_recall_run_along_the_detections():
    rows = found((1, 1, 0.9, BOX), (1, 1, 0.8, FAR), (1, 1, 0.7, (1, 1, 20, 20)))
    one = verdict(rows, things([(1, BOX), (1, (1, 1, 20, 20)), (1, (160, 160, 190, 190))])).classes[0]
    assert one.recall.tolist() == [1 / 3, 1 / 3, 2 / 3]
    assert one.precision.tolist() == [1, 1 / 2, 2 / 3]
    assert one.average_precision == pytest.approx(5 / 9, rel=1e-15)


def test_the_area_lies_under_precision_made_to_fall():
    assert average_precision(np.array([0.5, 0.5, 1]), np.array([0.4, 0.3, 0.6])) == pytest.approx(0.6)
    assert average_precision(np.array([0.5]), np.array([1.0])) == 0.5
    assert average_precision(np.zeros(0), np.zeros(0)) == 0


def test_the_last_class_reported_is_the_highest_with_an_object():
    rows = found((1, 1, 0.9, BOX), (1, 5, 0.9, BOX))
    assert len(verdict(rows, things([(1, BOX)])).ap) == 1
    assert len(verdict(rows, things([(1, BOX), (203, BOX)])).ap) == 203


def test_a_class_without_object_is_0_undetected_and_nan_detected():
    objects = things([(1, BOX), (3, BOX)])
    assert verdict(found((1, 1, 0.9, BOX)), objects).ap.tolist() == [1, 0, 0]
    one = verdict(found((1, 1, 0.9, BOX), (1, 2, 0.9, BOX)), objects)
    assert np.array_equal(one.ap, [1, np.nan, 0], equal_nan=True)
    assert math.isnan(one.mean.value)
    assert math.isnan(one.median.value)
    assert one.mean_of_present.value == 0.5


def test_labels_of_no_class_change_nothing():
    rows = found((1, 1, 0.8, BOX), (1, 0, 0.9, BOX), (1, -4, 0.9, BOX), (1, 500, 0.9, BOX))
    assert verdict(rows, things([(1, BOX)])).ap.tolist() == [1]


def test_detections_on_images_without_object_are_false():
    assert verdict(found((2, 1, 0.8, BOX), (1, 1, 0.9, BOX)), things([], [(1, BOX)])).ap.tolist() == [0.5]


def test_excluded_pairs_are_neither_sought_nor_held_against_anyone():
    objects = things([(1, BOX), (2, (1, 1, 40, 40))], [(1, BOX)])
    rows = found((1, 1, 0.99, FAR), (1, 1, 0.9, BOX), (2, 1, 0.8, BOX), (1, 2, 0.7, (1, 1, 40, 40)))
    one = verdict(rows, objects, pairs=[(1, 1)])
    assert one.ap.tolist() == [1, 1]
    assert one.classes[0].recall.tolist() == [0, 0, 1]
    assert np.array_equal(one.classes[0].precision, [np.nan, np.nan, 1], equal_nan=True)


def test_an_ignored_detection_repeats_the_point_before_it():
    rows = found((2, 1, 0.99, BOX), (1, 1, 0.9, BOX), (2, 1, 0.5, FAR))
    one = verdict(rows, things([(1, BOX)], [(1, BOX)]), pairs=[(1, 1)]).classes[0]
    assert one.precision.tolist() == [1, 1, 0.5]


def test_a_pair_listed_twice_acts_once():
    objects = things([(1, BOX)], [(1, BOX)])
    one = verdict(found((2, 1, 0.8, BOX)), objects, pairs=[(1, 1), (1, 1)])
    assert (one.ap.tolist(), one.excluded) == ([1], 1)


def test_a_class_whose_objects_are_all_excluded_is_nan_when_detected():
    objects = things([(1, BOX), (2, BOX)])
    one = verdict(found((1, 1, 0.9, BOX), (1, 2, 0.9, BOX)), objects, pairs=[(1, 1)])
    assert np.array_equal(one.ap, [np.nan, 1], equal_nan=True)


def test_indices_may_have_gaps_and_any_order():
    objects = things([(1, BOX)], [(1, (1, 1, 20, 20))], [])
    rows = found((30, 1, 0.9, BOX), (10, 1, 0.8, (1, 1, 20, 20)), (20, 1, 0.85, BOX))
    assert verdict(rows, objects, [30, 10, 20]).ap[0] == pytest.approx(5 / 6, rel=1e-15)


def test_of_an_index_given_twice_the_last_image_is_matched_and_both_count():
    assert verdict(found((1, 1, 0.9, BOX)), things([(1, BOX)], [(1, BOX)]), [1, 1]).ap.tolist() == [0.5]
    assert verdict(found((1, 1, 0.9, BOX)), things([(1, BOX)], [(1, FAR)]), [1, 1]).ap.tolist() == [0]


def test_a_detection_on_an_unlisted_image_is_refused():
    with pytest.raises(SubmissionError, match="line 2: image 2"):
        verdict(found((1, 1, 0.9, BOX), (2, 1, 0.8, BOX)), things([(1, BOX)], [(1, BOX)]), [1, 3])


def test_no_detection_at_all_is_refused():
    with pytest.raises(SubmissionError, match="no detection"):
        verdict(found(), things([(1, BOX)]))


def test_images_without_any_object_are_refused():
    with pytest.raises(DataError, match="no image has an object"):
        verdict(found((1, 1, 0.9, BOX)), things([]))
