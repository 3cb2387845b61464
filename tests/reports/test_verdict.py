"""The sentences are of the race as it came out."""

from dataclasses import replace

from synthetic_race import bare_race, synthetic_race

from ilsvrc.reports.race_report import Race
from ilsvrc.reports.verdict import caveats, certificate, headline, newer_won, order_of_history, verdict


def with_errors(*errors: float | None) -> Race:
    race = synthetic_race(len(errors), 0)
    changed = (replace(c, top5_error=e, top1_error=e) for c, e in zip(race.contenders, errors, strict=True))
    return replace(race, contenders=tuple(changed))


def test_the_headline_names_the_winner_whoever_it_is():
    assert headline(with_errors(0.1, 0.2, 0.3)) == "AlexNet wins the re-run"
    assert headline(with_errors(0.3, 0.1, 0.2)) == "ZFNet wins the re-run"


def test_a_tie_is_shared():
    assert headline(with_errors(0.1, 0.1, 0.2)) == "AlexNet and ZFNet share the first place"


def test_who_is_not_below_chance_has_not_won():
    assert headline(with_errors(0.75, 0.8)) == "No network beat chance"
    assert "No better than chance: AlexNet" in verdict(with_errors(0.75, 0.1))
    assert headline(bare_race()) == "No network finished"


def test_a_lead_within_the_interval_is_called_too_small():
    # 0.10 of 400 images: up to 13.3 % is within the 95 % interval.
    assert "closer than 400\xa0images can tell apart" in verdict(with_errors(0.10, 0.13))
    assert "tell apart" not in verdict(with_errors(0.10, 0.14))


def test_who_ended_without_a_result_is_named():
    assert verdict(with_errors(0.2, None)).endswith("Without a result: ZFNet.")


def test_the_order_of_history_is_counted_in_pairs_of_different_years():
    # 2012: 0.4, 2013: 0.3, 2014: 0.35 and 0.2. Newer won: 13-12, 14a-12, 14b-12, 14b-13; lost: 14a-13.
    race = with_errors(0.4, 0.3, 0.35, 0.2)
    assert newer_won(race) == (4, 5)
    assert "5\xa0pairs" in (order_of_history(race) or "")
    assert order_of_history(with_errors(0.4)) is None


def test_the_limits_say_what_differs_and_nothing_else():
    race = synthetic_race(3, 0)
    images, small, short = caveats(race)
    assert "20\xa0classes" in images
    assert small.startswith("All networks are miniatures")
    assert "24 epochs, where the papers took 90" in short
    full = tuple(replace(c, miniature=False, epochs=90) for c in race.contenders)
    assert caveats(replace(race, contenders=full, data=replace(race.data, classes=1000))) == ()


def test_the_birth_certificate_has_split_number_protocol_seed_hardware_and_version():
    text = certificate(synthetic_race(1, 0))
    for part in (
        "val split",
        "n = 400",
        "one centre crop",
        "seed 17",
        "Example CPU 3000, 2 cores",
        "ilsvrc 0.1.0",
        "00632d8",
    ):
        assert part in text
