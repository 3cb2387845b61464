"""`ilsvrc claim`: what is done is kept, what was asked in other words is refused, what comes out is printed."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ilsvrc.claims import CLAIMS
from ilsvrc.cli import run
from ilsvrc.data.decode import Image
from ilsvrc.data.mini import build
from ilsvrc.data.sample import Sample
from ilsvrc.errors import SpecError
from ilsvrc.jobs import claim as job
from ilsvrc.jobs.claim import Order, run_claim, slug, square
from ilsvrc.jobs.machine import Bench
from ilsvrc.reports.claim_tables import page
from ilsvrc.reports.progress import Watch

BENCH = Bench(torch.device("cpu"), "fp32", 1)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("claims") / "mini"
    build(place, 40, 20, 20, detection=False)
    return str(place)


@pytest.fixture(scope="module")
def found(mini: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Order]:
    order = Order(name="se-gain", data=mini, seeds=2, epochs=1, out=tmp_path_factory.mktemp("out"))
    return run_claim(order, BENCH, Watch(quiet=True)), order


@pytest.mark.slow
def test_a_claim_comes_to_a_verdict_with_every_figure(found: tuple[dict, Order]):
    result, order = found
    assert result["verdict"] in ("holds", "falls short", "undecided")
    assert [len(variant["figures"]) for variant in result["variants"]] == [2, 2]
    assert (result["images"], result["val_images"], result["seeds"]) == (40, 20, [0, 1])
    (pair,) = result["comparisons"]
    with_gates, without = (variant["figures"] for variant in result["variants"])
    assert pair["gains"] == pytest.approx(tuple(b - a for a, b in zip(with_gates, without, strict=True)))
    assert json.loads(json.dumps(result))["machine"]["torch"] == torch.__version__
    assert sorted(place.name for place in (order.out / "se-gain").iterdir()) == [
        "with-gates.0",
        "with-gates.1",
        "without.0",
        "without.1",
    ]


@pytest.mark.slow
def test_what_is_done_is_not_done_again_and_what_is_not_is(found: tuple[dict, Order], monkeypatch: pytest.MonkeyPatch):
    result, order = found
    (order.out / "se-gain" / "without.1" / "scores.json").unlink()
    trained = []
    once = job.run_variant

    def counted(claim, variant, pixels, **how):
        trained.append((variant.name, how["seed"]))
        return once(claim, variant, pixels, **how)

    monkeypatch.setattr(job, "run_variant", counted)
    again = run_claim(order, BENCH, Watch(quiet=True))
    assert trained == [("without", 1)]
    assert [variant["figures"] for variant in again["variants"]] == [v["figures"] for v in result["variants"]]


def test_other_words_in_the_same_place_are_refused_by_name(found: tuple[dict, Order]):
    with pytest.raises(SpecError, match=r"with-gates\.0 holds a training with .*epochs = 1.* and 2 is asked now"):
        run_claim(replace(found[1], epochs=2), BENCH, Watch(quiet=True))


def test_a_claim_that_is_not_there_is_refused_with_those_that_are(capsys: pytest.CaptureFixture[str]):
    assert run(["claim", "attention"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "no claim is called 'attention'; there are relu-tanh, " in said


def test_the_command_prints_the_paper_s_figures_ours_and_the_verdict(
    found: tuple[dict, Order], mini: str, capsys: pytest.CaptureFixture[str]
):
    order = found[1]
    words = ["claim", "se-gain", "--data", mini, "--seeds", "2", "--epochs", "1", "--out", str(order.out)]
    assert run([*words, "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "23.29" in shown
    assert f"verdict: {found[0]['verdict']}" in shown
    assert "this cannot show:" in shown
    assert run(["claims"]) == 0
    assert all(name in capsys.readouterr().out for name in ("relu-tanh",))


def test_the_page_of_results_has_every_claim_that_was_tried(found: tuple[dict, Order]):
    text = page([found[0]], list(CLAIMS))
    assert text.count("## se-gain") == 1
    assert "Not recorded yet: relu-tanh, " in text
    assert "Not recorded yet" not in page([found[0]], ["se-gain"])
    assert f"**{found[0]['verdict'].capitalize()}.**" in text
    assert "with gates | 23.29 |" in text
    assert CLAIMS["se-gain"].cannot in text


def test_an_epoch_count_that_was_not_reached_is_shown_as_more(found: tuple[dict, Order]):
    variant = {"figures": [3.5, 20.0], "reached": [True, False], "mean": 11.75, "low": 3.5, "high": 20.0}
    result = found[0] | {"measure": "epochs", "reach": 0.25}
    result["variants"] = [result["variants"][0] | variant]
    text = page([result], list(CLAIMS))
    assert "over 11.75 | 3.5 | over 20" in text
    assert "3.5, over 20" in text


def _image(height: int, width: int, box: tuple[int, int, int, int] | None) -> Image:
    pixels = f"P6\n{width} {height}\n255\n".encode() + bytes(3 * height * width)
    boxes = None if box is None else np.array([box])
    return Image(Sample("x", pixels, 0, boxes, None if box is None else np.array([0])))


def test_the_square_holds_the_object_and_stays_in_the_image():
    assert square(_image(100, 140, None)) == (20, 0, 120, 100)
    assert square(_image(100, 140, (60, 40, 79, 59))) == (59, 39, 81, 61)
    left, top, right, bottom = square(_image(100, 140, (0, 0, 39, 19)))
    assert (left, top, right - left, bottom - top) == (0, 0, 44, 44)
    assert square(_image(100, 140, (0, 0, 139, 99))) == (20, 0, 120, 100)


def test_a_variant_s_name_becomes_a_folder():
    assert slug("pairs of 3x3 (B)") == "pairs-of-3x3-b"
    for claim in CLAIMS.values():
        assert len({slug(variant.name) for variant in claim.variants}) == len(claim.variants)
