"""What looks wrong in a training is said early, with its figure; a healthy one says nothing."""

import math

import pytest

from ilsvrc.train.signs import signs, stuck

CLASSES = 200


def epoch(number: int = 1, loss: float = 4.0, top1_error: float = 0.9, **more: float) -> dict[str, float]:
    measured = {"epoch": number, "loss": loss, "top1_error": top1_error, "top5_error": 0.7, "images_per_second": 100.0}
    return {**measured, "epoch_seconds": 100.0, "waiting": 1.0, **more}


def test_a_healthy_training_says_nothing():
    assert signs([epoch(1, 4.5), epoch(2, 3.9), epoch(3, 3.5, 0.8)], CLASSES, 100_000) == ()
    assert signs([], CLASSES, 100_000) == ()


def test_a_loss_at_the_logarithm_of_the_classes_is_remarked_with_both_figures():
    (sign,) = signs([epoch(1, math.log(CLASSES), 0.995)], CLASSES, 100_000)
    assert "5.298" in sign
    assert "ln(200)" in sign


@pytest.mark.parametrize(("loss", "images"), [(math.log(CLASSES), 1_000), (math.log(CLASSES) - 0.1, 100_000)])
def test_the_plateau_at_the_start_and_a_loss_that_moved_are_not_remarked(loss: float, images: float):
    assert stuck(loss, images, CLASSES) is None


def test_a_loss_that_leaps_is_remarked_and_one_that_wavers_is_not():
    (sign,) = signs([epoch(1, 1.0, 0.4), epoch(2, 5.0, 0.4)], CLASSES, 100_000)
    assert "5.000" in sign
    assert "1.000" in sign
    assert signs([epoch(1, 0.01, 0.4), epoch(2, 0.05, 0.4)], CLASSES, 100_000) == ()


def test_learnt_images_and_a_validation_at_chance_smell_of_another_class_order():
    (sign,) = signs([epoch(5, 1.0, 0.994)], CLASSES, 100_000)
    assert "class order" in sign
    assert "99.4%" in sign
    assert "99.5%" in sign
    assert signs([epoch(5, 1.0, 0.94)], CLASSES, 100_000) == ()


def test_waiting_for_images_is_remarked_with_what_the_network_could_take():
    (sign,) = signs([epoch(waiting=50.0)], CLASSES, 100_000)
    assert "50%" in sign
    assert "100 a second came, and it could take 200" in sign


def test_a_high_loss_of_a_network_that_has_learnt_is_not_remarked():
    # Side heads add their losses: GoogLeNet's is above ln(classes) while it answers well.
    assert signs([epoch(7, 1.2 * math.log(CLASSES), 0.5)], CLASSES, 100_000) == ()
