"""Which guesses count as right, and that the filter counts them."""

from dataclasses import replace

import pytest
from synthetic_race import synthetic_race

from ilsvrc.reports.gallery import agreement, gallery_section, place_of_truth, source
from ilsvrc.reports.race_report import Answer, Guess, Picture


def answer(*labels: int, contender: str = "alexnet") -> Answer:
    guesses = tuple(Guess(label=label, word=f"word {label}", probability=0.5) for label in labels)
    return Answer(contender=contender, guesses=guesses)


def picture(*answers: Answer) -> Picture:
    return Picture(name="a", jpeg=b"", label=3, truth="three", answers=answers)


@pytest.mark.parametrize(
    ("labels", "place"), [((3, 1), 1), ((1, 2, 4, 5, 3), 5), ((1, 2, 4, 5, 6, 3), None), ((), None), ((1,), None)]
)
def test_the_truth_is_looked_for_among_five_guesses(labels: tuple[int, ...], place: int | None):
    assert place_of_truth(answer(*labels), picture()) == place


def test_words_may_repeat_among_classes_and_only_the_label_counts():
    crane = Answer(contender="a", guesses=(Guess(label=517, word="crane", probability=0.9),))
    assert place_of_truth(crane, Picture(name="a", jpeg=b"", label=134, truth="crane")) is None


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([(3,), (3, 1)], "right"),
        ([(3,), (1, 3)], "split"),
        ([(1, 3), (2,)], "wrong"),
        ([(3,)], "right"),
        ([()], "wrong"),
        ([], "split"),
    ],
)
def test_pictures_are_sorted_by_how_many_first_guesses_are_right(answers: list[tuple[int, ...]], kind: str):
    assert agreement(picture(*(answer(*labels) for labels in answers))) == kind


def test_the_filter_counts_what_it_shows():
    race = synthetic_race(1, 0)
    race = replace(race, pictures=(picture(answer(3)), picture(answer(1, 3)), picture(answer(1))))
    section = gallery_section(race) or ""
    for label in ("All (3)", "All right (1)", "Divided (0)", "All wrong (2)"):
        assert f">{label}</label>" in section
    assert section.count('class="card picture wrong"') == 2


def test_a_guess_right_at_the_second_place_is_shown_as_near():
    race = replace(synthetic_race(1, 0), pictures=(picture(answer(1, 3)),))
    assert 'aria-label="right is guess 2"' in (gallery_section(race) or "")


def test_an_answer_of_a_network_that_is_not_in_the_race_is_shown_by_its_name():
    race = replace(synthetic_race(1, 0), pictures=(picture(answer(1, contender="stranger")),))
    assert "stranger" in (gallery_section(race) or "")


@pytest.mark.parametrize(
    ("head", "kind"), [(b"\xff\xd8\xff\xe0", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"RIFF\0\0\0\0WEBP", "webp")]
)
def test_an_image_says_what_it_is(head: bytes, kind: str):
    assert source(head).startswith(f"data:image/{kind};base64,")
