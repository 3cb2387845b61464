"""The race in a terminal, and in a log."""

import io
from dataclasses import replace

from rich.console import Console
from synthetic_race import bare_race, synthetic_race

from ilsvrc.reports.race_report import Race
from ilsvrc.reports.tables import plain_text, table


def printed(race: Race, width: int) -> str:
    file = io.StringIO()
    Console(width=width, file=file).print(table(race))
    return file.getvalue().replace("\xa0", " ")


def test_every_contender_has_a_row_with_published_and_own_error():
    text = printed(synthetic_race(7, 0), 100)
    for row in ("AlexNet * 2012 18.2 % 41.2 % 78.5 % 1.23 M 12.3 M 41 s", "SE-ResNet-50 * 2017 6.62 % 13.2 % 44.8 %"):
        assert row in " ".join(text.split())
    assert "does not compare" in " ".join(text.split())


def test_no_number_is_cut_on_a_terminal_of_80_columns():
    assert "…" not in printed(synthetic_race(7, 0), 80)


def test_a_name_in_square_brackets_is_printed_as_it_is():
    race = synthetic_race(1, 0)
    race = replace(race, contenders=(replace(race.contenders[0], title="[bold]Net[/bold]"),))
    assert "[bold]Net[/bold]" in printed(race, 100)


def test_plain_text_is_aligned_and_needs_no_terminal():
    lines = plain_text(synthetic_race(7, 0)).splitlines()
    rows = lines[2:10]
    assert rows[0].split() == ["Entry", "Year", "Published", "Top-5", "Top-1", "Params", "MACs", "Time"]
    assert {row.index("%") for row in rows[1:]} == {rows[1].index("%")}
    assert any(line.startswith("SE-ResNet-50 of 2017 came out first") for line in lines)
    assert all(ord(c) < 128 for c in "".join(lines))


def test_what_is_unknown_is_a_dash():
    assert plain_text(bare_race()).splitlines()[3].split() == ["Unknown", "2012", *["-"] * 6]
