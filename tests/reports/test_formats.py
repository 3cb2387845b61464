"""Numbers as people read them; spaces before units do not break and are written as plain ones here."""

import math

import pytest

from ilsvrc.reports import formats


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.42, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (552, "9 min 12 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
        (86400 * 3 + 3600 * 4 + 59, "3 d 4 h"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float | None, text: str):
    assert formats.duration(seconds).replace("\xa0", " ") == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (940, "940"),
        (1000, "1.00 k"),
        (60_965_224, "61.0 M"),
        (999_999, "1.00 M"),
        (3_857_973_248, "3.86 G"),
        (0, "0"),
        (None, "–"),
    ],
)
def test_a_short_count_has_three_digits(number: float | None, text: str):
    assert formats.short(number).replace("\xa0", " ") == text


def test_a_whole_count_has_every_digit():
    assert formats.whole(138_357_544) == "138,357,544"
    assert formats.whole(None) == "–"


def test_percent_keeps_zero_and_refuses_what_is_no_number():
    assert formats.percent(0.0) == "0.0\xa0%"
    assert formats.percent(0.12345, 2) == "12.35\xa0%"
    assert formats.percent(math.inf) == "–"


def test_a_plain_number_has_no_trailing_zero():
    assert [formats.plain(n) for n in (90.0, 0.25, 1200, 18.2, 12_345_678)] == [
        "90",
        "0.25",
        "1,200",
        "18.2",
        "12,345,678",
    ]


def test_a_moment_is_written_with_its_zone_and_other_text_is_left_alone():
    assert formats.moment("2026-03-14T10:12:00+00:00") == "14 March 2026, 10:12 UTC"
    assert formats.moment("2026-03-04T09:02:00+05:30") == "4 March 2026, 09:02 UTC+05:30"
    assert formats.moment("yesterday") == "yesterday"


def test_plurals_and_lists():
    assert [formats.plural(n, "class").replace("\xa0", " ") for n in (1, 20)] == ["1 class", "20 classes"]
    assert formats.plural(0, "network").replace("\xa0", " ") == "0 networks"
    assert [formats.listed(w) for w in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
