"""A card shows the network that ran beside the paper's."""

from dataclasses import replace
from xml.etree import ElementTree

from synthetic_race import bare_race, synthetic_race

from ilsvrc.reports.cards import cards_section
from ilsvrc.reports.markup import Html
from ilsvrc.reports.race_report import Contender, results


def card(contender: Contender) -> tuple[str, dict[str, tuple[str, str]]]:
    root = ElementTree.fromstring(cards_section(replace(synthetic_race(1, 0), contenders=(contender,))))
    sides = {}
    for row in root.findall(".//table[@class='sides']/tbody/tr"):
        name, here, paper = ("".join(cell.itertext()).replace("\xa0", " ") for cell in row)
        sides[name] = (here, paper)
    return " ".join("".join(root.itertext()).replace("\xa0", " ").split()), sides


def test_here_and_paper_stand_side_by_side():
    _, sides = card(synthetic_race(1, 0).contenders[0])
    assert sides == {
        "Layers": ("8", "8"),
        "Parameters": ("1,234,567", "61.0 M"),
        "Multiply-adds": ("12,345,678", "723 M"),
        "Input": ("56 × 56", "224 × 224"),
        "Width": ("0.25", "1"),
        "Epochs": ("24", "90"),
    }


def test_a_miniature_is_called_one_beside_its_name_and_a_whole_network_is_not():
    contender = synthetic_race(1, 0).contenders[0]
    assert "miniature" in card(contender)[0]
    assert "miniature" not in card(replace(contender, miniature=False))[0]


def test_what_was_new_what_differs_what_happened_and_what_was_published_are_told():
    contender = replace(synthetic_race(1, 0).contenders[0], notes=("It diverged at epoch 5.",))
    text, _ = card(contender)
    for part in (contender.new, *contender.differences, "It diverged at epoch 5.", "18.2 % top-5 error, val; table 2"):
        assert part in text


def test_an_unknown_network_is_all_dashes_but_for_its_width():
    text, sides = card(bare_race().contenders[0])
    assert {name: side for name, side in sides.items() if side != ("–", "–")} == {"Width": ("1", "1")}
    assert "no result" in text
    assert "None" not in text


def test_a_network_that_is_drawn_opens_below_the_cards_and_is_no_number():
    race = synthetic_race(2, 0)
    drawing = Html("<svg><title>a network</title></svg>")
    drawn = replace(race, contenders=(replace(race.contenders[0], drawing=drawing), *race.contenders[1:]))
    section = cards_section(drawn)
    assert f"<summary>{race.contenders[0].title}, drawn</summary>{drawing}" in section
    assert 'class="drawings"' not in cards_section(race)
    assert "drawing" not in results(drawn)["entries"][0]
