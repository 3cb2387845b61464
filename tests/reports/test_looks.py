"""The report's part on what networks look at."""

from dataclasses import replace
from xml.etree import ElementTree

from synthetic_race import synthetic_race

from ilsvrc.reports.looks import Look, Looked, looks_section
from ilsvrc.reports.page import page
from ilsvrc.reports.race_report import results

NASTY = '<script>"&'
SHOWN = Looked(
    name=NASTY,
    truth=NASTY,
    jpeg=b"image",
    looks=(Look(title=NASTY, jpeg=b"one", clean=0.8, lowest=0.02), Look(title="b", jpeg=b"two", clean=0.5, lowest=0.4)),
)


def test_an_image_stands_beside_every_network_s_look_at_it():
    section = looks_section((SHOWN, SHOWN))
    assert section is not None
    rows = ElementTree.fromstring(section).findall("div")
    assert [len(row.findall("figure")) for row in rows] == [3, 3]
    words = ["".join(node.itertext()).replace("\xa0", " ") for node in rows[0].iter("figcaption")]
    assert words[1] == f"{NASTY}80.0 %, at the darkest place 2.0 %"


def test_they_are_a_part_of_the_page_where_there_are_any_and_no_numbers():
    race = synthetic_race(2, 1)
    assert 'href="#looks"' not in page(race)
    looked = replace(race, looks=(SHOWN,))
    text = page(looked)
    assert 'href="#looks"' in text
    assert "<script" not in text
    assert "looks" not in results(looked)
