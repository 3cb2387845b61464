"""The page whole: it opens offline, is well-formed, reads aloud, and holds every number."""

import html
import itertools
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_race import bare_race, synthetic_race

from ilsvrc.errors import SpecError
from ilsvrc.reports.page import page, write_page
from ilsvrc.reports.race_report import Race

NASTY = '<script>alert(\'&amp;\')</script>" onload="x" ]]> \x00\ud800 [bold]'


def tree(race: Race) -> ElementTree.Element:
    """The page as XML: every element is closed, every text escaped."""
    return ElementTree.fromstring(page(race).removeprefix("<!DOCTYPE html>\n"))


def words(race: Race) -> str:
    return " ".join("".join(tree(race).itertext()).replace("\xa0", " ").split())


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


@pytest.fixture(scope="module")
def whole() -> Race:
    return synthetic_race(7, 12)


class References(HTMLParser):
    """Everything a browser would fetch or run, as a browser's parser sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "poster", "data", "action", "background", "formaction"):
                self.found.append(value or "")
            assert not name.startswith("on"), f"a script in {name}"


def test_nothing_outside_the_file_is_referred_to(whole: Race):
    text = page(whole)
    parser = References()
    parser.feed(text)
    assert {re.split("[:,]", reference)[0] for reference in parser.found if not reference.startswith("#")} == {"data"}
    assert not parser.tags & {"script", "iframe", "object", "embed", "form", "audio", "video", "base"}
    style = "".join(re.findall(r"<style>(.*?)</style>", text, re.S) + re.findall(r'style="(.*?)"', text))
    assert not re.search(r"url\(|@import|expression\(", style)
    assert "default-src 'none'" in html.unescape(text)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 12, 13, 20])
def test_any_number_of_networks_makes_a_well_formed_page(count: int):
    root = tree(synthetic_race(count, 2))
    assert len(root.findall(".//article[@aria-labelledby]")) == count


@pytest.mark.parametrize("pictures", [0, 1, 3, 4, 13])
def test_any_number_of_pictures_is_drawn(pictures: int):
    root = tree(synthetic_race(2, pictures))
    assert len(root.findall(".//section[@id='images']//img")) == pictures
    assert (root.find(".//a[@href='#images']") is not None) == (pictures > 0)


def test_a_race_of_which_nothing_is_known_is_a_page_of_dashes():
    text = words(bare_race())
    assert "No network finished" in text
    assert "None" not in text
    assert "nan" not in text.split()


def test_every_number_of_the_race_is_on_the_page(whole: Race):
    text = words(whole)
    titles = " ".join(plain(node.get("title") or "") for node in tree(whole).iter())
    for c in whole.contenders:
        assert c.top5_error is not None
        assert c.top1_error is not None
        for number in (
            f"{100 * c.top5_error:.1f} %",
            f"{100 * c.top1_error:.1f} %",
            f"{c.parameters:,}",
            f"{c.macs:,}",
        ):
            assert number in text, (c.name, number)
        assert f"{c.paper_parameters:,}" in titles
        for reported in c.published:
            assert f"{reported.percent:.4g} % {reported.metric}, {reported.split}; {reported.source}" in text
    for number in ("75.0 %", "95.0 %", "1,200", "400", "9 min 12 s", "24 of 90", "56 × 56", "17", "bfloat16"):
        assert number in text


def test_every_fact_of_the_machine_and_the_data_is_on_the_page(whole: Race):
    text = words(whole)
    machine = whole.machine
    assert whole.command in text
    assert whole.data.fingerprint in text
    assert "14 March 2026, 10:12 UTC" in text
    for fact in (machine.cpu, machine.system, machine.python, machine.torch, machine.ilsvrc, machine.commit):
        assert fact in text
    assert all(credit in text for credit in whole.data.credits)


def test_errors_carry_their_birth_certificate_wherever_they_stand(whole: Race):
    root = tree(whole)
    captions = ["".join(node.itertext()) for node in root.iter("figcaption")]
    of_this_race = [caption for caption in captions if "val split" in caption]
    assert len(of_this_race) == 3  # the bars and the two curves of the top-5 error
    assert all("n = 400" in caption and "seed 17" in caption for caption in of_this_race)


def test_published_and_own_errors_have_drawings_of_their_own(whole: Race):
    figures = {node.findtext("h3"): node for node in tree(whole).iter("figure")}
    ours, theirs = figures["This race"], figures["As published"]
    assert "41.2" in "".join(ours.itertext())
    assert "18.2" not in "".join(ours.itertext())
    assert "41.2" not in "".join(theirs.itertext())
    assert "another axis" in (theirs.findtext("p") or "")


@pytest.mark.parametrize("field", ["title", "command", "protocol", "started"])
def test_text_of_the_race_is_never_markup(whole: Race, field: str):
    race = replace(whole, **{field: NASTY})
    assert "<script" not in page(race)
    tree(race)


def test_text_of_networks_pictures_and_machine_is_never_markup(whole: Race):
    picture = whole.pictures[0]
    answers = tuple(
        replace(a, contender=NASTY, guesses=tuple(replace(g, word=NASTY) for g in a.guesses)) for a in picture.answers
    )
    texts = {f.name: NASTY for f in fields(whole.contenders[0]) if f.type == "str" or f.type is str}
    contender = replace(
        whole.contenders[0], **texts, differences=(NASTY,), notes=(NASTY,), paper=NASTY, precision=NASTY
    )
    race = replace(
        whole,
        contenders=(contender,),
        pictures=(replace(picture, name=NASTY, truth=NASTY, answers=answers),),
        data=replace(whole.data, name=NASTY, description=NASTY, fingerprint=NASTY, credits=(NASTY,)),
        machine=replace(whole.machine, cpu=NASTY, device=NASTY, system=NASTY, commit=NASTY),
    )
    text = page(race)
    assert "<script" not in text
    assert 'onload="' not in text
    assert text.encode("utf-8")
    tree(race)


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=40))
def test_any_name_makes_a_well_formed_page(name: str):
    race = synthetic_race(1, 1)
    tree(replace(race, contenders=(replace(race.contenders[0], title=name, team=name, new=name),)))


def test_a_picture_stands_once_large_and_at_most_once_small(whole: Race):
    big = replace(whole, pictures=tuple(replace(p, jpeg=b"\xff\xd8" + bytes(40_000)) for p in whole.pictures[:9]))
    assert len(tree(big).findall(".//header//img")) <= 3 + 9
    assert len(tree(big).findall(".//section[@id='images']//img")) == 9


def test_the_page_with_24_thumbnails_of_ten_kilobytes_is_below_a_megabyte():
    race = synthetic_race(7, 24)
    race = replace(race, pictures=tuple(replace(p, jpeg=p.jpeg + bytes(10_000)) for p in race.pictures))
    assert len(page(race).encode()) < 1_000_000


# Accessibility


def test_headings_start_at_one_and_leave_out_no_level(whole: Race):
    levels = [int(node.tag[1]) for node in tree(whole).iter() if re.fullmatch("h[1-6]", node.tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_ids_are_unique_and_what_is_referred_to_exists(whole: Race):
    root = tree(whole)
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    wanted = [node.get("for") or node.get("aria-labelledby") for node in root.iter()]
    wanted += [(node.get("href") or "")[1:] for node in root.iter("a")]
    assert {name for name in wanted if name} <= set(ids)


def test_every_image_and_drawing_says_what_it_is(whole: Race):
    root = tree(whole)
    assert all(node.get("alt") for node in root.findall(".//section//img"))
    for svg in root.iter("svg"):
        assert svg.get("role") == "img"
        assert len(svg.get("aria-label") or "") > 10


def test_tables_have_captions_and_header_cells_and_scroll_by_keyboard(whole: Race):
    root = tree(whole)
    for table in root.iter("table"):
        assert table.findtext("caption")
        assert {cell.get("scope") for cell in table.iter("th")} <= {"row", "col"}
    assert all(node.get("tabindex") == "0" for node in root.iter("div") if node.get("class") == "scroll")


def palettes() -> dict[str, dict[str, str]]:
    style = files("ilsvrc.reports").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.S)[:2]
    read = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block)) for block in (light, dark)]
    return {"light": read[0], "dark": {**read[0], **read[1]}}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21."""

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_a_contrast_of_four_and_a_half(scheme: str):
    colors = palettes()[scheme]
    text = ["ink", "muted", "accent", "good", "bad", "near", *(f"k{i}" for i in range(10))]
    pairs = [(name, ground) for name in text for ground in ("card", "paper")] + [("ink", "warn"), ("ink", "soft")]
    assert not [(a, b) for a, b in pairs if contrast(colors[a], colors[b]) < 4.5]


def test_the_style_knows_every_color_a_race_may_use():
    style = files("ilsvrc.reports").joinpath("page.css").read_text(encoding="utf-8")
    assert all(re.search(rf"\.c{i}\b[^}}]*\{{ --c:", style) for i in range(20))


# Writing


def test_the_page_is_written_whole_with_its_folder(tmp_path: Path, whole: Race):
    path = tmp_path / "new" / "report.html"
    write_page(whole, path)
    assert path.read_text(encoding="utf-8") == page(whole)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_page_that_cannot_be_written_is_a_sentence_and_leaves_the_old_one(tmp_path: Path, whole: Race):
    path = tmp_path / "report.html"
    path.mkdir()
    with pytest.raises(SpecError, match=r"report\.html cannot be written \(.*\); free some space or choose another"):
        write_page(whole, path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cannot be written"):
        write_page(whole, tmp_path / "file" / "report.html")
