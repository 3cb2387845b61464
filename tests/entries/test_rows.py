"""The entries and rows against the papers: every row of a table, its protocol, and what the tables say was gained."""

import re
from collections import Counter
from pathlib import Path

import pytest
import torch

from ilsvrc.entries import ENTRIES, ROWS
from ilsvrc.entries.before import BEFORE
from ilsvrc.entries.gains import gains, looks, rows_of
from ilsvrc.entries.trimps_2016 import CLASSIFICATION as TRIMPS
from ilsvrc.models import build, paper_size
from ilsvrc.spec import Crops, Dense, Protocol, Together

PAPERS = Path(__file__).resolve().parents[2].parent / "shared" / "papers"
ALL = {key: entry for key, entry in {**ENTRIES, **ROWS}.items() if entry.task == "classification"}


def percents(key: str) -> list[tuple[str, float, str]]:
    return [(f.metric, f.percent, f.split) for f in ALL[key].reported]


def parts(protocol: Protocol) -> tuple[Crops | Dense, ...]:
    return protocol.of if isinstance(protocol, Together) else (protocol,)


def looked_at() -> dict[tuple[str, Crops | Dense], str]:
    """Every network with every protocol it is tested by, and one entry that does so."""
    return {
        (member.model, part): entry.key
        for entry in ALL.values()
        for member in entry.members
        for part in parts(member.protocol or entry.protocol)
    }


def test_no_two_entries_are_called_alike_and_rows_are_named_after_their_paper():
    assert not set(ENTRIES) & set(ROWS)
    for key, row in ROWS.items():
        assert row.key == key
        assert re.fullmatch(r"[a-z][a-z0-9-]+", key)
        assert str(row.year) in key
        assert row.row
        assert {figure.source for figure in row.reported} == {row.row}
    named = Counter((row.source, row.row, row.protocol, row.members) for row in ROWS.values())
    assert max(named.values()) == 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("model", "part"), looked_at(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_network_can_take_what_it_is_shown(model: str, part: Crops | Dense):
    own = paper_size(model)
    if isinstance(part, Crops):
        assert min(part.short_sides) >= part.size
        sizes = [part.size]
    else:
        sizes = [min(size) for size in part.sizes] or list(part.short_sides)
        assert min(sizes) >= own, "the smallest window a fully connected layer sees is the crop it was trained on"
    if sizes == [own] or isinstance(part, Dense):
        return
    with torch.device("meta"):  # other crops than the paper's: a network whose last map may be of any size
        network = build(model, classes=10, width=0.1).eval()
        assert network(torch.zeros(1, 3, sizes[0], sizes[0])).shape == (1, 10)


def test_the_entries_of_the_challenge_were_tested_as_their_papers_say():
    tested = {key: entry.protocol for key, entry in ENTRIES.items()}
    assert tested["supervision-2012-cls"] == Crops(layout="ten", short_sides=(256,), size=224)  # section 4.1
    assert looks(tested["googlenet-2014-cls"]) == 144
    assert tested["msra-2015-cls"] == Dense(short_sides=(224, 256, 384, 480, 640))  # section 3.4
    assert tested["overfeat-2013-cls"].over == "max"  # type: ignore[union-attr]
    assert {part.average for _, part in looked_at() if part.average} == {"probabilities", "logits"}
    logits = {ALL[key].team for (_, part), key in looked_at().items() if part.average == "logits"}
    assert logits == {"Facebook", "MSRA"}  # fb.resnet.torch sums logits, and tested the pre-activated networks


def test_the_submission_of_vgg_is_the_seven_networks_of_table_6():
    entry = ENTRIES["vgg-2014-cls"]
    letters = {"vgg16": "D", "vgg16_c": "C", "vgg19": "E"}
    s = {"S = 256, staged": "256", "S = 384": "384", "S from 256 to 512, fine-tuned": "[256;512]"}
    seats = [
        (letters[m.model], s[m.recipe.source.split("section 3.1, ")[1]], m.protocol.short_sides)  # type: ignore[union-attr]
        for m in entry.members
    ]
    assert seats == [
        ("D", "256", (224, 256, 288)),
        ("D", "384", (352, 384, 416)),
        ("D", "[256;512]", (256, 384, 512)),
        ("C", "256", (224, 256, 288)),
        ("C", "384", (352, 384, 416)),
        ("E", "256", (224, 256, 288)),
        ("E", "384", (352, 384, 416)),
    ]
    assert sum(m.copies for m in entry.members) == 7


@pytest.mark.parametrize(
    ("key", "count"),
    [
        ("supervision-2012-cls", 5),
        ("supervision-2012-cls-seven", 7),
        ("zf-2013-cls", 6),
        ("overfeat-2013-cls", 7),
        ("googlenet-2014-cls", 7),
        ("msra-2015-cls", 6),
        ("reception-2015-cls", 4),
        ("trimps-2016-cls", 5),
        ("inception-2016-v4-resnet-v2", 4),
        ("bn-inception-2015-6", 6),
    ],
)
def test_an_ensemble_has_as_many_networks_as_its_paper_says(key: str, count: int):
    assert sum(member.copies for member in ALL[key].members) == count


def test_two_of_msra_s_six_have_152_layers():
    assert {m.model: m.copies for m in ENTRIES["msra-2015-cls"].members}["resnet152"] == 2


def test_trimps_soushen_weighs_its_five_by_accuracy_and_one_of_them_more():
    weights = {member.model: member.weight for member in TRIMPS.members}
    assert weights["inception_resnet_v2"] == max(weights.values())
    rest = {model: weight for model, weight in weights.items() if model != "inception_resnet_v2"}
    assert sorted(rest, key=rest.__getitem__) == ["wideresnet68_3", "preresnet200", "inception_v3", "inception_v4"]
    assert TRIMPS.reconstruction
    assert "a reconstruction" in TRIMPS.gaps[0]


def test_what_was_never_published_is_marked_as_a_reconstruction():
    marked = {key for key, entry in ENTRIES.items() if entry.reconstruction and key in ALL}
    teams = {"supervision-2012-cls-seven", "clarifai-2013-cls", "clarifai-2013-cls-outside"}
    assert marked == teams | {"trimps-2016-cls", "resnext-2016-cls", "wmw-2017-cls"}


def test_what_was_trained_on_other_data_says_so():
    outside = {key for key, entry in ENTRIES.items() if entry.data == "outside"}
    assert outside == {"supervision-2012-cls-seven", "clarifai-2013-cls-outside", "googlenet-2014-det"}


# What the papers say was gained, in points of top-5 error: by how images were looked at, and by how many networks.
GAINED = {
    "supervision-2012-cls": (1.3, 1.8),  # 18.3 to 17.0 on ILSVRC-2010; 18.2 to 16.4
    "overfeat-2013-cls": (0.73, 2.53),
    "googlenet-2014-cls": (1.42, 1.22),  # 8.09 to 6.67; 7.89 to 6.67
    "vgg-2014-cls": (0.6, 0.0),  # 8.1 to 7.5; 7.5 to 7.5
    "msra-2015-cls": (2.21, 0.92),  # 6.7 to 4.49; 4.49 on val to 3.57 on test
    "reception-2015-cls": (1.4, 0.74),
    "resnext-2016-cls": (1.6, 0.67),
}


@pytest.mark.parametrize("key", GAINED)
def test_what_was_gained_is_the_difference_of_two_rows_of_the_tables(key: str):
    found = {gain.what: gain for gain in gains(ENTRIES[key]) if gain.first.metric == "top-5 error"}
    assert (found["protocol"].points, found["ensemble"].points) == GAINED[key]
    assert looks(found["protocol"].before.protocol) < looks(found["protocol"].after.protocol)
    assert found["ensemble"].across == (key in ("msra-2015-cls", "resnext-2016-cls"))


def test_a_single_network_has_gained_nothing_by_others():
    assert [gain.what for gain in gains(ROWS["googlenet-2014-1-144"])] == ["protocol"]
    assert gains(ENTRIES["clarifai-2013-cls"]) == ()


# Paper -> how many rows the tables have that can be produced here.
COUNTS = {
    "vgg-2014-cls": 12 + 10 + 4 + 3,  # tables 3 to 6; the dense column of table 5 is table 4's
    "googlenet-2014-cls": 5,  # and the entry itself
    "overfeat-2013-cls": 7,
    "reception-2015-cls": 3,
}


@pytest.mark.parametrize("key", COUNTS)
def test_every_row_of_a_table_is_there(key: str):
    assert len(rows_of(ENTRIES[key])) == COUNTS[key]


def _published(sheet: str) -> str:
    if not (PAPERS / sheet).exists():
        pytest.skip(f"shared/papers/{sheet} is not beside the project")
    return (PAPERS / sheet).read_text(encoding="utf-8")


SHEETS = {
    "alexnet.md": ("Krizhevsky",),
    "zfnet.md": ("Zeiler",),
    "overfeat.md": ("Sermanet",),
    "googlenet.md": ("Szegedy et al. 2015",),
    "vgg.md": ("Simonyan",),
    "resnet.md": ("He et al. 2015", "fb.resnet.torch"),
    "inception.md": ("Ioffe", "Szegedy et al. 2016", "Szegedy, Ioffe"),
    "preact_resnet.md": ("He et al. 2016",),
    "wide_resnet.md": ("Zagoruyko",),
    "resnext.md": ("Xie",),
    "senet.md": ("Hu et al.", "Chen et al."),
    "trimps_soushen.md": ("the slides", "result page of 2016; the slides"),
}


@pytest.mark.parametrize("sheet", SHEETS)
def test_every_figure_is_printed_in_the_sheet_of_its_paper(sheet: str):
    text = _published(sheet)
    printed = {float(number) for number in re.findall(r"\d+\.\d+|\d+", text)}
    for entry in ALL.values():
        if entry.source.startswith(SHEETS[sheet]):
            missing = [figure for figure in entry.reported if figure.percent not in printed]
            assert missing == [], entry.key


def test_every_paper_has_a_sheet_that_its_figures_are_held_against():
    starts = tuple(start for found in SHEETS.values() for start in found)
    without = {entry.source for entry in ALL.values() if not entry.source.startswith(starts)}
    assert without == {"BVLC's model zoo, the networks' notes", "result page of 2013; Zeiler and Fergus 2013, table 2"}


def test_a_row_shown_says_which_row_it_is(capsys: pytest.CaptureFixture[str]):
    from ilsvrc.cli import run

    assert run(["show", "vgg-2014-d-384-single"]) == 0
    shown = capsys.readouterr().out
    assert "table 3, D, S = 384" in shown
    assert "26.8" in shown
    assert run(["show", "vgg-2014-d-384-singel"]) == 1
    assert "did you mean vgg-2014-d-384-single" in capsys.readouterr().err


def test_the_list_has_entries_alone_unless_all_is_asked_for(capsys: pytest.CaptureFixture[str]):
    import json

    from ilsvrc.cli import run

    assert run(["list", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [row["key"] for row in entries] == [*BEFORE, *ENTRIES]
    assert run(["list", "--all", "--json"]) == 0
    everything = json.loads(capsys.readouterr().out)
    assert [row["key"] for row in everything] == [*BEFORE, *ENTRIES, *ROWS]
    assert {"key", "year", "team", "task", "kind", "protocol", "figures"} <= set(everything[-1])
