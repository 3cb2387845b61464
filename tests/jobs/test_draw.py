"""Pictures of a run as the command draws them: files, a page that says what one sees, and sentences for bad input."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from ilsvrc import data, models, weights
from ilsvrc.cli import run as command
from ilsvrc.errors import DataError
from ilsvrc.jobs import draw
from ilsvrc.jobs.draw import Source, subject
from ilsvrc.jobs.draw_parts import read_parts
from ilsvrc.jobs.looks import looks
from ilsvrc.train import checkpoint
from ilsvrc.train.run import Run
from ilsvrc.weights import Weights


@pytest.fixture
def alexnet(finished: dict[str, Run]) -> str:
    """A finished run."""
    return str(finished["alexnet"].directory)


def drawn(out: Path, *words: object) -> str:
    """The page that the command wrote."""
    assert command(["draw", *map(str, words), "--out", str(out)]) == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    files = {path.name for path in out.iterdir()} - {"index.html"}
    assert page.count("data:image/png") == len(files) > 0
    for name in files:
        with Image.open(out / name) as picture:
            assert picture.format == "PNG"
    return page


@pytest.mark.slow
def test_a_deconvnet_page_has_a_picture_per_map_and_image(alexnet: str, tmp_path: Path):
    page = drawn(tmp_path, "deconvnet", alexnet, "--layer", "conv3", "--map", 0, 7)
    assert {path.name for path in tmp_path.glob("01-*")} == {"01-image.png", "01-map0000.png", "01-map0007.png"}
    assert len(list(tmp_path.glob("*-image.png"))) == 4
    assert "conv3 of AlexNet" in page
    assert "Zeiler and Fergus 2013" in page
    assert "smaller than the receptive field and is shown whole" in page


def test_an_image_of_one_s_own_is_drawn_and_said_to_be_enlarged(alexnet: str, tmp_path: Path):
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "mine.png")
    page = drawn(tmp_path / "out", "deconvnet", alexnet, "--layer", "conv1", "--image", tmp_path / "mine.png")
    assert "mine" in page
    assert "the image has 30×20 pixels" in page


@pytest.mark.slow
def test_the_top_nine_are_drawn_for_maps_drawn_by_chance(alexnet: str, tmp_path: Path):
    page = drawn(tmp_path, "top9", alexnet, "--layer", "conv2")
    assert page.count("<figure>") == 8
    assert "over 40 images" in page


@pytest.mark.slow
def test_a_later_network_says_what_the_method_means(finished: dict[str, Run], tmp_path: Path):
    page = drawn(tmp_path, "deconvnet", finished["resnet18"].directory, "--layer", "conv3.1", "--map", 1)
    assert "batch norm is taken as a scale per map" in page
    assert "an addition sends the signal down both ways" in page


def test_an_evolution_takes_runs_that_are_under_way(finished: dict[str, Run], tmp_path: Path):
    done = finished["alexnet"]
    early = tmp_path / "epoch1"
    shutil.copytree(done.directory, early)
    network = draw.loaded(done.directory).network
    checkpoint.save_state(early / "state.pt", {"network": {k: v * 0.5 for k, v in network.state_dict().items()}})
    (early / "weights.safetensors").unlink()
    page = drawn(tmp_path / "out", "evolution", early, done.directory, "--layer", "conv1", "--map", 2)
    assert "from left to right epoch1, alexnet" in page


def test_an_evolution_is_of_one_network(finished: dict[str, Run], alexnet: str, capsys: pytest.CaptureFixture[str]):
    assert command(["draw", "evolution", alexnet, "--layer", "conv1"]) == 1
    assert "takes two or more" in capsys.readouterr().err
    assert command(["draw", "evolution", alexnet, str(finished["resnet18"].directory), "--layer", "conv1"]) == 1
    assert "an evolution is of one network" in capsys.readouterr().err


@pytest.mark.slow
def test_filters_and_occlusion_and_maps_of_classes_are_drawn(
    finished: dict[str, Run], alexnet: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert "conv1, 10 filters" in drawn(tmp_path / "f", "filters", alexnet)
    page = drawn(tmp_path / "o", "occlusion", alexnet, "--step", 12)
    assert page.count("<figcaption>(e) The most probable class") == 3
    assert "the true class" in page
    assert "The mean over the places" in drawn(tmp_path / "c", "cam", finished["resnet18"].directory)
    assert "Grad-CAM" in drawn(tmp_path / "g", "cam", alexnet, "--gradient")
    assert command(["draw", "cam", alexnet, "--out", str(tmp_path)]) == 1
    assert "--gradient draws Grad-CAM, which is another thing" in capsys.readouterr().err


def test_parts_are_compared_beside_the_paper_s_table(alexnet: str, tmp_path: Path):
    page = drawn(tmp_path, "correspondence", alexnet, "--images", 3, "--label", "0")
    assert re.search(r"upper left.*random.*right eye.*0\.107 ± 0\.017", page, re.DOTALL)


def test_parts_may_be_said_in_a_file(alexnet: str, tmp_path: Path):
    for name in ("a.png", "b.png"):
        Image.fromarray(np.random.default_rng(3).integers(0, 255, (60, 60, 3), np.uint8)).save(tmp_path / name)
    parts = tmp_path / "parts.csv"
    parts.write_text("image,part,xmin,ymin,xmax,ymax\na.png,nose,1,2,20,22\nb.png,nose,3,4,25,30\na.png,ear,0,0,5,5\n")
    assert read_parts(parts)[0].parts == {"nose": (1, 2, 20, 22), "ear": (0, 0, 5, 5)}
    page = drawn(tmp_path / "out", "correspondence", alexnet, "--parts", parts, "--layer", "conv3")
    assert "ear" not in re.sub(r"<style>.*</style>", "", page, flags=re.DOTALL).replace("learn", "")
    parts.write_text("a.png,nose,1,2,20\n")
    with pytest.raises(DataError, match=r"line 1 of .* wanted is a line per part"):
        read_parts(parts)
    parts.write_text("a.png,nose,1,2,20,99\n")
    with pytest.raises(DataError, match="outside its 60×60 pixels"):
        read_parts(parts)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deconvnet", "--layer", "conv9"], "no layer 'conv9'; did you mean conv5"),
        (["top9", "--layer", "conv9"], "There are conv1, norm1, pool1"),
        (["deconvnet", "--layer", "conv1", "--map", "10"], "conv1 has the maps 0 to 9, and map 10 is asked for"),
        (["top9", "--layer", "fc8", "--map", "99"], "fc8 has the maps 0 to 19"),
        (["deconvnet", "--layer", "conv1", "--image", "nothing.png"], "no file, folder or pattern"),
        (["occlusion", "--label", "unicorn"], "no class is called 'unicorn'; give a WordNet id"),
        (["occlusion", "--square", "48"], "a square of 48 pixels"),
    ],
)
def test_bad_words_get_a_sentence(words: list[str], said: str, alexnet: str, capsys: pytest.CaptureFixture[str]):
    assert command(["draw", words[0], alexnet, *words[1:]]) == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_weights_without_their_record_get_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    checkpoint.save_tensors(tmp_path / "bare.safetensors", {"conv1.weight": torch.zeros(1)}, {})
    (tmp_path / "bare.pth").write_bytes(b"x")
    for name, said in (
        ("bare.safetensors", "record"),
        ("bare.pth", "--model"),
        ("gone", "gone is not there; give the directory of a training"),
    ):
        assert command(["draw", "filters", str(tmp_path / name)]) == 1
        assert said in capsys.readouterr().err


def test_what_a_network_sees_comes_back_as_pixels(finished: dict[str, Run]):
    who = subject(Source(finished["alexnet"].directory))
    image = draw.chosen(who, (), 1)[0]
    assert image.pixels.shape == (who.found.image_size, who.found.image_size, 3)
    again = (torch.from_numpy(image.pixels).movedim(-1, 0) - who.found.pixels(torch.zeros_like(image.blob))).abs()
    assert float(again.max()) > 20  # an image, not the mean
    signal = torch.zeros(3, 5, 4)
    signal[0, 2, 1] = 1.0
    shown = who.signed(signal)
    assert shown.shape == (5, 4, 3)
    assert shown[2, 1, 0] > 0
    assert np.count_nonzero(np.abs(shown) > 1e-4) == 1


@pytest.mark.slow
def test_networks_entries_and_runs_are_drawn_as_svg(
    alexnet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert command(["draw", "architecture", "resnet18"]) == 0
    assert command(["draw", "architecture", alexnet, "--out", "run.svg"]) == 0
    assert command(["show", "googlenet-2014-cls", "--svg", "entry.svg"]) == 0
    assert command(["show", "trimps-2016-cls", "--svg", "many.svg"]) == 0
    titles = {path.name: ElementTree.parse(path).getroot().get("aria-label") for path in tmp_path.glob("*.svg")}
    assert titles["resnet18.svg"] == "ResNet-18, layer by layer"
    assert titles["entry.svg"] == "GoogLeNet, layer by layer"
    assert titles["many-inception_v4.svg"] == "Inception-v4, layer by layer"
    assert "full, 20" in (tmp_path / "run.svg").read_text()  # the classes it was trained on
    assert "0.1 of its width" in (tmp_path / "run.svg").read_text()
    capsys.readouterr()
    assert command(["draw", "architecture", "resnt18"]) == 1
    assert "is no network, entry or run; did you mean resnet18" in capsys.readouterr().err
    assert command(["draw", "architecture", "alexnet", "--image-size", "9"]) == 1
    assert "the smallest this network can take is 36" in capsys.readouterr().err


def test_show_takes_a_network_too(capsys: pytest.CaptureFixture[str]):
    assert command(["show", "resnet18"]) == 0
    assert "conv1" in capsys.readouterr().out


@pytest.mark.slow
def test_networks_of_a_race_are_shown_looking_at_images_they_got(finished: dict[str, Run], tiny: Path):
    found = looks(data.open(str(tiny), "val"), finished, "cpu")
    assert 1 <= len(found) <= 2
    assert [one.title for one in found[0].looks] == ["AlexNet", "ResNet-18"]
    assert all(0 <= one.lowest <= 1 and one.jpeg.startswith(b"\xff\xd8") for one in found[0].looks)
    assert looks(data.open(str(tiny), "val"), {}, "cpu") == ()


def test_a_weight_file_that_sees_blue_first_is_drawn_in_its_colours(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    network = models.build("resnet18", classes=3, image_size=32, width=0.1)
    network.conv1.conv.weight.data.zero_()
    network.conv1.conv.weight.data[:, 0] = 1.0  # the first channel, which is blue here
    record = Weights(
        model="resnet18",
        origin="a test",
        licence="none",
        sha256="0" * 64,
        channels="BGR",
        top=255.0,
        mean=(10.0, 20.0, 30.0),
        image_size=32,
        resize=40,
        width=0.1,
        classes=3,
        order="own",
        wnids=("n00000001", "n00000002", "n00000003"),
    )
    file = tmp_path / "blue.safetensors"
    weights.save(file, network, record)
    drawn(tmp_path / "f", "filters", file)
    with Image.open(tmp_path / "f" / "filters.png") as picture:
        assert picture.convert("RGB").getpixel((5, 5)) == (128, 128, 255)
    Image.fromarray(np.full((50, 60, 3), (200, 30, 10), np.uint8)).save(tmp_path / "red.png")
    drawn(tmp_path / "d", "deconvnet", file, "--layer", "conv2.0", "--image", tmp_path / "red.png")
    with Image.open(tmp_path / "d" / "01-image.png") as picture:
        assert picture.convert("RGB").getpixel((9, 9)) == (200, 30, 10)
    assert command(["draw", "top9", str(file), "--layer", "conv2.0"]) == 1
    assert "does not say on what it was trained; give images with --image, or --data" in capsys.readouterr().err
