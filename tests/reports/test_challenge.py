"""The two well-known figures, on the page."""

from xml.etree import ElementTree

from ilsvrc.entries.history import HISTORY
from ilsvrc.reports.challenge import challenge_section

ROOT = ElementTree.fromstring(challenge_section())
WORDS = " ".join("".join(ROOT.itertext()).replace("\xa0", " ").split())


def drawing(title: str) -> str:
    figure = next(node for node in ROOT.iter("figure") if node.findtext("h3") == title)
    return " ".join("".join(figure.itertext()).replace("\xa0", " ").split())


def test_the_winners_of_eight_years_stand_beside_the_human_line():
    text = drawing("Winner's top-5 error per year")
    for value in ("28.2 %", "25.8 %", "16.4 %", "11.7 %", "6.7 %", "3.57 %", "2.99 %", "2.25 %", "human 5.1 %"):
        assert value in text
    assert "15.3 % in 2012" in text  # outside data is named and not mixed in
    assert "Russakovsky et al. 2015" in text


def test_the_three_tasks_have_a_panel_each():
    assert all(value in drawing("Classification") for value in ("28.2", "16.4", "2.3"))
    assert all(value in drawing("Localization") for value in ("42.5", "25.3", "6.2"))
    assert all(value in drawing("Detection") for value in ("22.6", "37.2", "43.9", "73.2"))


def test_how_much_each_task_improved_is_the_quotient_of_first_and_last():
    assert "12.5 times smaller" in drawing("Classification")  # 28.2 / 2.251
    assert "6.8 times smaller" in drawing("Localization")  # 42.5 / 6.23
    assert "3.2 times larger" in drawing("Detection")  # 73.2 / 22.6


def test_every_winner_has_its_source_and_every_unverified_one_its_mark():
    rows = [["".join(cell.itertext()) for cell in row] for row in ROOT.iter("tr")][1:]
    first = [result for result in HISTORY if result.place == 1]
    assert len(rows) == len(first)
    assert all(f"LSVRC/{row[0]}" in row[-1] for row in rows)
    assert sum("(unverified)" in row[-1] for row in rows) == sum(result.unverified for result in first)


def test_the_notes_name_what_is_unverified():
    notes = next(node.text or "" for node in ROOT.iter("li") if (node.text or "").startswith("Unverified"))
    assert "2011 localization (provided data)" in notes
    assert "2012" not in notes
