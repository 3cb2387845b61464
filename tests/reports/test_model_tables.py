"""The networks as tables for a terminal."""

from rich.console import Console
from rich.table import Table

from ilsvrc.reports import model_tables

CARD = {
    "name": "googlenet",
    "year": 2014,
    "team": "GoogLeNet",
    "paper": "Szegedy et al. 2014",
    "parameters": 13_378_280,
    "macs": 1_583_000_000,
    "image_size": 224,
    "depth": 22,
    "new": "Modules of parallel filters.",
    "differences": ["Pools round up [so]."],
    "layers": [
        {
            "name": "conv1",
            "kind": "convolution 7×7 / 2",
            "shape": [64, 112, 112],
            "parameters": 9472,
            "macs": 118013952,
        },
        {"name": "pool1", "kind": "max pool 3×3 / 2", "shape": [64, 56, 56], "parameters": 0, "macs": 0},
        {"name": "side_1.fc", "kind": "full", "shape": [1024], "parameters": 2098176, "macs": 2097152},
    ],
}


def printed(*parts: str | Table) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        for part in parts:
            console.print(part, markup=False) if isinstance(part, str) else console.print(part)
    return capture.get()


def test_a_line_says_who_how_deep_how_large():
    line = printed(model_tables.overview([CARD])).splitlines()[1]
    assert line.split() == ["googlenet", "2014", "GoogLeNet", "22", "13,378,280", "1.58", "G", "224", "px"]


def test_layers_come_in_order_with_shapes_and_exact_counts():
    lines = printed(*model_tables.layers(CARD)).splitlines()
    conv, pool = (next(line for line in lines if line.startswith(name)) for name in ("conv1", "pool1"))
    assert conv.split()[-3:] == ["64×112×112", "9,472", "118,013,952"]
    assert pool.split()[-1] == "64×56×56", "a layer without weights shows none"


def test_the_sums_say_for_which_image_and_that_side_heads_are_counted_by_halves():
    words = " ".join(printed(*model_tables.layers(CARD)).split())
    assert "22 layers with weights, 13,378,280 parameters, 1,583,000,000 multiply-adds for an image of 224×224" in words
    assert "side heads work in training only" in words
    without = CARD | {"layers": CARD["layers"][:2]}
    assert "side heads" not in printed(*model_tables.layers(without))


def test_what_differs_from_the_paper_is_part_of_the_picture():
    words = " ".join(printed(*model_tables.layers(CARD)).split())
    assert "What differs from the paper, or what it leaves open: - Pools round up [so]." in words
    assert "differs" not in printed(*model_tables.layers(CARD | {"differences": []}))
