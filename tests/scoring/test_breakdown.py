"""Where errors come from, on problems small enough to count by hand."""

import math

import numpy as np

from ilsvrc.scoring.breakdown import (
    ClassErrors,
    Confusion,
    class_errors,
    confusions,
    errors_by_guesses,
    localization_class_errors,
)
from ilsvrc.scoring.detection import detect
from ilsvrc.scoring.detection_breakdown import CAUSES, false_detections, scores_by_size
from ilsvrc.scoring.localization import Objects, localization_errors
from ilsvrc.scoring.submission import Detections, Guesses

LABELS = np.array([[1, 2], [2, 1], [3, 2], [3, 1], [0, 0]])
TRUTH = np.array([1, 1, 1, 3, 2])


def test_errors_fall_with_the_number_of_guesses():
    assert errors_by_guesses(LABELS, TRUTH, 2) == (3 / 5, 2 / 5)


def test_classes_come_with_most_errors_first():
    assert class_errors(LABELS, TRUTH, 1) == (ClassErrors(2, 1, 1), ClassErrors(1, 3, 2), ClassErrors(3, 1, 0))
    assert class_errors(LABELS, TRUTH, 2)[1].error == 1 / 3


def test_an_image_of_several_labels_counts_in_each():
    assert class_errors(np.array([[1, 5]]), np.array([[1, 2, 0]])) == (ClassErrors(2, 1, 1), ClassErrors(1, 1, 0))


def test_confused_pairs_are_counted_from_wrong_first_guesses():
    assert confusions(LABELS, TRUTH) == (Confusion(1, 2, 1), Confusion(1, 3, 1))
    many = confusions(np.array([[2], [3], [3]]), np.array([1, 1, 1]))
    assert many == (Confusion(1, 3, 2), Confusion(1, 2, 1))


def test_a_first_guess_of_another_true_label_confuses_nothing():
    assert confusions(np.array([[2]]), np.array([[1, 2]])) == ()


def test_localization_tells_wrong_labels_from_wrong_boxes_by_class():
    box = (1, 1, 10, 10)
    guesses = Guesses(np.array([[1], [1], [2], [1]]), np.array([[box], [(50, 50, 60, 60)], [box], [box]], float))
    objects = Objects(4, np.arange(4), np.array([1, 1, 1, 1]), np.array([box] * 4, float))
    truth = np.array([1, 1, 1, 1])
    found = localization_errors(guesses, truth, objects, exclusions=np.array([[4]]))
    assert localization_class_errors(found, truth) == (ClassErrors(1, 3, 1, 1),)


def detected(*rows: tuple) -> Detections:
    image, label, confidence, box = zip(*rows, strict=True)
    return Detections(np.array(image), np.array(label), np.array(confidence, float), np.array(box, float))


SMALL, LARGE = (1, 1, 20, 20), (101, 101, 200, 200)
THINGS = Objects(2, np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([LARGE, SMALL, SMALL], float))
ROWS = (
    (7, 1, 0.9, LARGE),
    (7, 1, 0.8, LARGE),  # duplicate
    (7, 1, 0.7, (101, 101, 200, 130)),  # 0.3 of the large object: a poor box
    (7, 1, 0.6, SMALL),  # on an object of class 2
    (7, 1, 0.5, (300, 300, 400, 400)),  # background
    (9, 1, 0.4, SMALL),
)


def test_false_detections_are_told_apart_by_what_they_show():
    rows = detected(*ROWS)
    found = detect(rows, THINGS, np.array([7, 9]))
    first, second = false_detections(found, rows, THINGS, np.array([7, 9]))
    assert dict(zip(CAUSES, first.counts, strict=True)) == dict.fromkeys(CAUSES, 1)
    assert first.surest == (1, 0, 0, 0)  # class 1 has two objects: of its two surest detections one is false
    assert second.counts == (0, 0, 0, 0)


def test_false_detections_do_not_depend_on_the_order_of_the_image_list():
    rows = detected(*ROWS)
    swapped = Objects(2, np.array([0, 1, 1]), np.array([1, 1, 2]), np.array([SMALL, LARGE, SMALL], float))
    found = detect(rows, swapped, np.array([9, 7]))
    assert false_detections(found, rows, swapped, np.array([9, 7]))[0].counts == (1, 1, 1, 1)


def test_detections_of_excluded_pairs_are_not_false():
    rows = detected(*ROWS)
    found = detect(rows, THINGS, np.array([7, 9]), np.array([[7, 1]]))
    assert false_detections(found, rows, THINGS, np.array([7, 9]))[0].counts == (0, 0, 0, 0)


def test_each_range_of_sizes_has_its_own_curve():
    rows = detected(*ROWS)
    small, medium, large = scores_by_size(detect(rows, THINGS, np.array([7, 9])), rows, THINGS)
    assert (small.size, small.objects, small.found, small.classes) == ("small", 2, 1, 2)
    # Class 1 finds its small object after one small false detection; class 2 is not detected.
    assert small.mean_ap == (0.5 + 0) / 2
    assert (medium.objects, medium.classes) == (0, 0)
    assert math.isnan(medium.mean_ap)
    assert (large.objects, large.found, large.mean_ap) == (1, 1, 1)


def test_the_edges_of_the_ranges_are_32_and_96_pixels_squared():
    boxes = np.array([(1, 1, 32, 32), (1, 1, 31, 33), (1, 1, 96, 96), (1, 1, 95, 97)], float)
    things = Objects(4, np.arange(4), np.ones(4, int), boxes)
    rows = detected((1, 1, 0.5, (1, 1, 2, 2)))
    counts = [one.objects for one in scores_by_size(detect(rows, things, np.arange(1, 5)), rows, things)]
    assert counts == [1, 2, 1]  # 1023 pixels are small, 1024 and 9215 medium, 9216 large
