"""Every entry, recipe and miniature is consistent; adding a row adds its tests."""

import importlib
import json
import re
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from pkgutil import iter_modules
from typing import Any

import pytest
from rich.console import Console

from ilsvrc import entries
from ilsvrc.entries import ENTRIES, ROWS, modern
from ilsvrc.entries.history import HISTORY
from ilsvrc.entries.miniature import MINIATURES, NORMALISED, PROTOCOL
from ilsvrc.entries.recipes import OTHERS, PAPER, miniature, recipes_of
from ilsvrc.entries.titles import TITLES
from ilsvrc.models import CARDS, MODELS, build, paper_size
from ilsvrc.reports import entry_tables
from ilsvrc.spec import Crops, Entry, Recipe, as_json, from_json
from ilsvrc.train import recipe as recipes
from ilsvrc.train.init import INITIALISATIONS
from ilsvrc.transforms import pipeline

ALL = {**ENTRIES, **ROWS}
CLASSIFIED = {key: entry for key, entry in ALL.items() if entry.task == "classification"}


def _recipes() -> dict[str, Recipe]:
    """Every recipe in entries/, whether a network is mapped to it yet or not."""
    modules = [importlib.import_module(f"ilsvrc.entries.{found.name}") for found in iter_modules(entries.__path__)]
    values = [value for module in modules for value in vars(module).values()]
    return {value.source: value for value in values if isinstance(value, Recipe)}


RECIPES = _recipes()


def _printed(*parts: Any) -> str:
    console = Console(width=400)
    with console.capture() as capture:
        for part in parts:
            console.print(part, markup=False) if isinstance(part, str) else console.print(part)
    return capture.get()


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_s_key_says_team_year_and_task(key: str):
    entry = ENTRIES[key]
    team, year, task = re.fullmatch(r"([a-z]+)-(\d{4})-(cls|loc|det)(?:-[a-z]+)?", key).groups()
    assert entry.key == key
    assert entry.team.lower().startswith(team)
    assert int(year) == entry.year
    assert not entry.row
    assert entry.task.startswith({"cls": "classification", "loc": "localization", "det": "detection"}[task])


def test_entries_are_in_the_order_of_the_years():
    assert [entry.year for entry in ENTRIES.values()] == sorted(entry.year for entry in ENTRIES.values())


@pytest.mark.sampled(24)
@pytest.mark.parametrize("key", ALL)
def test_an_entry_s_networks_exist_and_its_members_are_the_paper_s(key: str):
    entry = ALL[key]
    assert entry.members
    for member in entry.members:
        assert member.model in MODELS
        assert member.copies >= 1
        assert member.weight > 0
        assert (member.width, member.image_size) == (1.0, None), "an entry is what they did, not a miniature of it"
        assert entry.boxes or member.recipe in recipes_of(member.model).values(), "docs/recipes.md does not show it"


METRICS = {
    "classification": ("top-1 error", "top-5 error"),
    "localization": ("top-5 localization error",),
    "detection": ("mean AP",),
}


@pytest.mark.sampled(24)
@pytest.mark.parametrize("key", ALL)
def test_every_published_figure_has_a_source_and_a_split(key: str):
    entry = ALL[key]
    assert entry.source
    assert entry.reported
    for figure in entry.reported:
        assert figure.metric in METRICS[entry.task]
        assert figure.split in ("val", "test")
        assert re.search(r"table (\d|of )|section \d|figure \d|result page of \d{4}|release|results", figure.source), (
            figure
        )
        assert 0 < figure.percent < 100
    assert len({(figure.metric, figure.split, figure.source) for figure in entry.reported}) == len(entry.reported)


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_s_first_figure_is_what_the_organisers_announced(key: str):
    entry = ENTRIES[key]
    first = entry.reported[0]
    assert (first.metric, first.split) == (METRICS[entry.task][-1], "test")
    assert (entry.boxes is None) == (entry.task == "classification")
    rows = [
        row
        for row in HISTORY
        if (row.year, row.task, row.team, row.data) == (entry.year, entry.task, entry.team, entry.data)
    ]
    if key in ("zf-2013-cls", "overfeat-2013-cls"):  # third and fifth: the history has the first two
        assert (rows, first.source.split(",")[0]) == ([], "result page of 2013")
    else:
        assert len(rows) == 1, f"{entry.team} is not once among the published results of {entry.year}"
        assert first.percent == pytest.approx(100 * rows[0].value, abs=0.05)


@pytest.mark.sampled(24)
@pytest.mark.parametrize("key", ALL)
def test_an_entry_survives_json(key: str):
    assert from_json(json.loads(json.dumps(as_json(ALL[key])))) == ALL[key]


@pytest.mark.parametrize("member", MINIATURES.values(), ids=lambda member: member.model)
def test_a_miniature_survives_json(member: Any):
    assert from_json(json.loads(json.dumps(as_json(member)))) == member


def test_a_specification_of_another_version_is_refused_in_a_sentence():
    written = as_json(ENTRIES["msra-2015-cls"])
    with pytest.raises(ValueError, match=r"nothing is called 'Entry2'.*use the version that wrote it"):
        from_json(written | {"is": "Entry2"})
    with pytest.raises(ValueError, match="another version"):
        from_json(written | {"colour": "red"})
    with pytest.raises(ValueError, match="another version"):
        from_json({name: value for name, value in written.items() if name != "team"})
    with pytest.raises(ValueError, match="another version"):
        from_json({"is": "Any"})


@pytest.mark.sampled(24)
@pytest.mark.parametrize("key", ALL)
def test_an_entry_prints_all_it_knows(key: str):
    entry = ALL[key]
    words = " ".join(_printed(*entry_tables.page(entry)).split())
    wanted = [entry.key, entry.team, str(entry.year), entry.new, entry.source, entry.row, *entry.gaps]
    wanted += [f"{figure.percent:g}" for figure in entry.reported] + [figure.source for figure in entry.reported]
    wanted += [member.model for member in entry.members]
    for recipe in entry_tables.recipes_in(entry):
        wanted += [recipe.source, *recipe.gaps, str(recipe.optimizer)]
    regions = getattr(entry.boxes, "regions", None)
    if regions is not None:
        wanted += ["judged again", f"kept {regions.kept}", f"around {regions.around}", "per class yes"]
    assert "Regions(" not in words, "what judges again is told as a part of its own"
    assert [part for part in wanted if " ".join(part.split()) not in words] == []


def test_the_list_of_entries_is_whole_at_the_width_of_a_page():
    lines = _printed(entry_tables.overview(ENTRIES)).splitlines()
    assert len(lines) == 1 + len(ENTRIES)
    for line, (key, entry) in zip(lines[1:], ENTRIES.items(), strict=True):
        assert line.startswith(key)
        assert all(member.model in line for member in entry.members)
        assert f"{entry.reported[0].percent:g} % {entry.reported[0].metric} (test)" in line
    rows = json.loads(json.dumps(entry_tables.rows(ENTRIES)))
    assert [row["key"] for row in rows] == list(ENTRIES)
    msra = next(row for row in rows if row["key"] == "msra-2015-cls")
    assert msra["networks"] == {"resnet152": 2, "resnet101": 2, "resnet50": 1, "resnet34": 1}
    assert msra["reported"] == {
        "metric": "top-5 error",
        "percent": 3.57,
        "split": "test",
        "source": "table 5",
        "unverified": False,
    }
    assert {row["kind"] for row in rows} == {"entry"}
    assert {row["kind"] for row in entry_tables.rows(ROWS)} == {"row"}


def test_every_network_has_a_recipe_a_title_and_a_card():
    assert list(PAPER) == list(TITLES) == list(CARDS) == list(MODELS)
    assert len(set(TITLES.values())) == len(TITLES)


def test_every_entry_has_a_miniature_of_its_own_family():
    assert [key for key in ENTRIES if key in MINIATURES] == list(MINIATURES)
    for key, member in MINIATURES.items():
        assert CARDS[member.model].team == CARDS[ENTRIES[key].members[0].model].team
        ours = miniature(member.model)
        assert replace(member.recipe, epochs=ours.epochs) == ours, "they differ in length alone"


@pytest.mark.parametrize("key", MINIATURES)
def test_a_miniature_can_be_built_at_its_size(key: str):
    import torch

    member = MINIATURES[key]
    with torch.device("meta"):
        build(member.model, 20, member.image_size, member.width)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("model", MODELS)
def test_the_miniature_recipe_follows_whether_a_network_normalises_its_batches(model: str):
    import torch

    with torch.device("meta"):
        layers = [type(layer).__name__ for layer in build(model).modules()]
    assert (miniature(model) is NORMALISED) == ("BatchNorm2d" in layers)


@pytest.mark.parametrize("source", RECIPES)
def test_a_recipe_is_complete(source: str):
    recipe = RECIPES[source]
    recipes.check(recipe)
    assert recipe.init in INITIALISATIONS
    assert recipe.source
    assert recipe.gaps, "no paper says everything"
    assert recipe.epochs > 0
    assert recipe.batch > 0


@pytest.mark.parametrize("source", RECIPES)
def test_a_recipe_survives_json_and_prints_all_it_sets(source: str):
    recipe = RECIPES[source]
    assert from_json(json.loads(json.dumps(as_json(recipe)))) == recipe
    words = dict(entry_tables.told(recipe))
    for field in fields(Recipe):
        value = getattr(recipe, field.name)
        if field.name not in ("source", "gaps", "side_weight", "augment") and value != field.default:
            assert str(value) == words[field.name.replace("_", " ")], field.name


@pytest.mark.parametrize("model", MODELS)
def test_every_network_has_its_paper_s_recipe_a_miniature_s_and_a_modern_one(model: str):
    found = recipes_of(model)
    assert list(found)[:3] == ["paper", "miniature", "modern"]
    assert (found["paper"], found["miniature"]) == (PAPER[model], miniature(model))
    assert found["modern"] is (modern.NORMALISED if miniature(model) is NORMALISED else modern.PLAIN)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in found)
    assert set(OTHERS) <= set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_a_recipe_ends_in_the_crop_its_network_takes(model: str):
    size = paper_size(model)
    for recipe in recipes_of(model).values():
        for pixels in (size, 64, 96, 192):
            pipeline.check(recipes.at_size(recipe, pixels).augment, pixels)
    crops = [step.size for step in PAPER[model].augment if hasattr(step, "size")]
    assert crops[-1] == size, "the paper's recipe is of the paper's size"


def test_miniatures_are_judged_at_the_size_they_are_trained_at():
    for member in MINIATURES.values():
        judged = recipes.protocol_at_size(PROTOCOL, member.image_size)
        pipeline.check(recipes.at_size(member.recipe, member.image_size).augment, judged.size)
        resized = recipes.at_size(member.recipe, member.image_size).augment[0]
        assert judged.short_sides == (resized.low,) == (resized.high,), "an object is as large in both"


def test_a_recipe_of_the_paper_s_size_is_the_paper_s_recipe():
    recipe = PAPER["resnet50"]
    assert recipes.at_size(recipe, 224) is recipe
    halved = recipes.at_size(recipe, 112)
    assert str(halved.augment[:2]) == "(ShortSide(low=128, high=240), RandomCrop(size=112))"
    assert halved.gaps[-1] == "images of 112 instead of 224 pixels"
    assert replace(halved, augment=recipe.augment, gaps=recipe.gaps) == recipe


def test_a_protocol_of_another_size_keeps_its_proportions():
    protocol = Crops(layout="ten", short_sides=(256, 512), size=224)
    assert recipes.protocol_at_size(protocol, 224) is protocol
    assert recipes.protocol_at_size(protocol, 56) == Crops(layout="ten", short_sides=(64, 128), size=56)


def test_specifications_are_values_that_cannot_be_changed():
    entry = ENTRIES["supervision-2012-cls"]
    with pytest.raises(FrozenInstanceError):
        entry.year = 2013  # type: ignore[misc]
    assert hash(entry) == hash(replace(entry))
    for field in fields(Entry):
        value = getattr(entry, field.name)
        assert isinstance(value, str | int | tuple | None) or is_dataclass(value), field.name
