"""Networks judged by the papers' protocols: every one of them, one answer per image, in memory that does not grow."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small import BENCH, SIZE, evaluated
from torch import Tensor, nn

from ilsvrc import data, models
from ilsvrc.cli import run as ilsvrc
from ilsvrc.data.decode import Reading, decode
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs import stream
from ilsvrc.jobs.computing import Computing, How
from ilsvrc.jobs.evaluate import named
from ilsvrc.jobs.input import Feed, Normal
from ilsvrc.jobs.judge import Judge
from ilsvrc.jobs.saved_scores import read_scores
from ilsvrc.jobs.stream import Groups, Stream
from ilsvrc.predict.combine import over_views
from ilsvrc.predict.dense import dense
from ilsvrc.predict.predict import parts, passes, plain
from ilsvrc.spec import Crops, Dense, Protocol, Together
from ilsvrc.train.parallel import Processes, Seat
from ilsvrc.train.run import Run
from ilsvrc.weights import Weights, save

NORMAL = Normal(torch.full((3, 1, 1), 120.0), torch.full((3, 1, 1), 60.0))
SIDES = ((60, 40), (40, 60), (50, 50), (60, 40), (73, 41), (50, 50), (60, 40), (40, 60), (60, 40), (44, 90))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of six shapes in two classes."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate(SIDES):
        place = folder / "val" / f"n0000000{number % 2 + 1}"
        place.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        small.resize((width, height), Image.Resampling.BICUBIC).save(place / f"{number}.jpg", quality=95)
    return folder


def network(model: str = "vgg11", classes: int = 2) -> nn.Module:
    torch.manual_seed(0)
    built = models.build(model, classes, 32, 0.1).eval()
    for parameter in built.parameters():
        parameter.data *= 1.7  # answers of some difference
    return built


def judged(
    place: Path, protocol: Protocol, model: str = "vgg11", reading: Reading | None = None
) -> dict[str, np.ndarray]:
    dataset = data.open(place, "val")
    judge = Judge(dataset, protocol, BENCH, None, reading or Reading(), 32)
    verdict = judge(network(model), NORMAL)
    assert verdict.top1.images == len(dataset)
    return dict(zip(verdict.predictions.names, verdict.predictions.probabilities, strict=True))


def by_hand(place: Path, protocol: Protocol) -> dict[str, np.ndarray]:
    """The same, one image and one view at a time, as the protocol's words say it."""
    found, net = {}, network()
    dataset = data.open(place, "val")
    for index in range(len(dataset)):
        sample = dataset[index]
        seen = passes(protocol)(decode(sample))
        means = []
        for number, part in enumerate(parts(protocol)):
            views = [view for each in seen if each.part == number for view in each.views]
            module = dense(net, part, 32) if isinstance(part, Dense) else net
            with torch.no_grad():
                answers = [module(shown(view)) for view in views]
                if isinstance(part, Dense) and part.mirror:
                    answers += [module(shown(view[:, ::-1])) for view in views]
            means.append(over_views(torch.stack(answers, 1), part.average)[0])
        found[sample.name] = torch.stack(means).mean(0).numpy()
    return found


def shown(view: np.ndarray) -> Tensor:
    return ((torch.from_numpy(view.copy()).float() - 120) / 60).permute(2, 0, 1)[None]


MULTI = Dense(short_sides=(32, 40, 56))
CASES: dict[str, Protocol] = {
    "dense": MULTI,
    "dense without mirror": replace(MULTI, mirror=False),
    "dense, logits averaged": replace(MULTI, average="logits"),
    "dense of fixed sizes": Dense(sizes=((32, 48), (48, 64))),
    "multi-crop and dense": Together(of=(Crops(layout="grid", short_sides=(36, 44), size=32), MULTI)),
    "two kinds of crops": Together(
        of=(Crops(layout="ten", short_sides=(36,), size=32), Crops(layout="center", short_sides=(40,), size=32))
    ),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("case", CASES)
def test_images_of_any_shape_are_judged_as_one_by_one(case: str, shapes: Path):
    found, wanted = judged(shapes, CASES[case]), by_hand(shapes, CASES[case])
    assert set(found) == set(wanted)
    for name, row in wanted.items():
        assert np.allclose(found[name], row, atol=2e-5), name
    assert max(abs(row[0] - 0.5) for row in wanted.values()) > 0.01, "the network says something"


def test_the_size_of_a_window_changes_nothing(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    whole = judged(shapes, MULTI)
    for window, held in ((1, 1 << 20), (3, 1 << 20), (256, 1)):
        monkeypatch.setattr(stream, "WINDOW", window)
        monkeypatch.setattr(stream, "HELD", held)
        found = judged(shapes, MULTI)
        assert list(found) == list(whole)
        assert all(np.allclose(found[name], whole[name], atol=1e-5) for name in whole)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["dense", "multi-crop and dense"])
def test_several_processes_share_the_images_and_say_the_same(case: str, shapes: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ilsvrc.jobs.judge.TURN", 3)
    dataset, whole, met = data.open(shapes, "val"), judged(shapes, CASES[case]), []
    for rank in range(3):
        place = replace(BENCH, processes=Processes(Seat(rank, 3)))
        judge = Judge(dataset, CASES[case], place, size=32)
        prepare = lambda module, views: plain(module, nullcontext)  # noqa: E731
        for answer in judge.answers(network(), NORMAL, prepare):
            met += answer.places.tolist()
            for name, row in zip(answer.said.names, answer.said.probabilities, strict=True):
                assert np.allclose(row, whole[name], atol=1e-5)
    assert sorted(met) == list(range(len(dataset)))
    assert met != sorted(met), "in turns"


def test_images_of_one_shape_go_through_the_network_together(shapes: Path):
    dataset = data.open(shapes, "val")
    groups = Groups(MULTI, NORMAL, torch.device("cpu"))
    looked = Stream(dataset, range(len(dataset)), MULTI, Feed(threads=2))
    held = []
    for image in looked:
        held += list(groups.add(image))
    held += list(groups.rest())
    seen = [tuple(group.images.shape) for group in held]
    shapes_there = {tuple(size) for size in SIDES}
    assert len(seen) == 3 * len(shapes_there), "one group for each shape and side"
    assert sum(shape[0] for shape in seen) == 3 * len(SIDES)


@pytest.mark.slow
def test_no_more_than_a_window_and_what_is_under_way_is_in_memory(shapes: Path, monkeypatch: pytest.MonkeyPatch):
    """A data set that counts what it has given out: thousands of images, of which few are ever ahead."""
    monkeypatch.setattr(stream, "WINDOW", 8)
    few = data.open(shapes, "val")

    class Many:
        classes, root, asked = few.classes, None, 0

        def __len__(self) -> int:
            return 2000

        def __getitem__(self, index: int):
            Many.asked = max(Many.asked, index)
            return replace(few[index % len(few)], name=f"image {index}")

    protocol = Dense(short_sides=(4,), mirror=False)
    most = done = 0
    groups = Groups(protocol, NORMAL, torch.device("cpu"))
    for number, looked in enumerate(Stream(Many(), range(2000), protocol, Feed(threads=2))):
        done += sum(len(group.whose) for group in groups.add(looked))
        most = max(most, Many.asked - number, number - done)
    assert most <= 3 * 8, "images that were asked for and are not looked at, or looked at and not computed"
    assert done + sum(len(group.whose) for group in groups.rest()) == 2000


def test_damaged_images_are_refused_or_counted_as_wrong_in_dense_protocols_too(shapes: Path, tmp_path: Path):
    import shutil

    place = tmp_path / "damaged"
    shutil.copytree(shapes, place)
    bad = next((place / "val" / "n00000001").glob("*.jpg"))
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(DataError, match=r"is not an image that can be decoded .* --bad-images skip"):
        judged(place, MULTI)
    found, whole = judged(place, MULTI, reading=Reading(bad="skip")), judged(shapes, MULTI)
    name = next(name for name in found if bad.stem in name)
    assert np.allclose(found[name], 0.5)
    assert all(np.allclose(found[other], whole[other], atol=1e-5) for other in whole if other != name)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["center", "twelve", "googlenet", "vgg-both", "resnet-dense", "center-320"])
def test_a_run_is_judged_by_a_protocol_s_name(name: str, finished: dict[str, Run], tiny: Path, tmp_path: Path):
    found = evaluated(finished["resnet18"].directory, str(tiny), protocol=name, save=tmp_path / "a.npz")
    kept = read_scores(tmp_path / "a.npz")
    assert kept.probabilities.shape == (40, 20)
    assert np.allclose(kept.probabilities.sum(1), 1, atol=1e-5)
    assert kept.record.protocol == named(name, SIZE)
    assert (kept.record.protocol_name, kept.record.model) == (name, "resnet18")
    assert found.lines()[1].startswith(f"{name}: top-1 error ")
    assert [score.images for score in found.scores] == [40, 40]


@pytest.mark.slow
def test_overfeat_is_judged_at_its_offsets(tiny: Path, tmp_path: Path):
    torch.manual_seed(0)
    wnids = data.open(tiny, "val").classes.wnids
    built = models.build("overfeat_accurate", 20, 110, 0.05).eval()
    save(tmp_path / "overfeat.safetensors", built, record("overfeat_accurate", 110, wnids, width=0.05))
    errors = {}
    for name in ("overfeat-1-coarse", "overfeat-1", "overfeat", "overfeat-ten"):
        found = evaluated(tmp_path / "overfeat.safetensors", str(tiny), protocol=name, save=tmp_path / f"{name}.npz")
        errors[name] = read_scores(tmp_path / f"{name}.npz").probabilities
        assert len(found.scores) == 2
    assert not np.allclose(errors["overfeat-1"], errors["overfeat-1-coarse"], atol=1e-7)
    with pytest.raises(SpecError, match=r"2 x 2 offsets .* and that of overfeat_accurate moves by 3 pixels"):
        evaluated(tmp_path / "overfeat.safetensors", str(tiny), protocol="overfeat-fast")


def record(model: str, size: int, wnids: tuple[str, ...], **more: object) -> Weights:
    values: dict = {
        "model": model,
        "origin": "a test",
        "licence": "none",
        "sha256": "0" * 64,
        "channels": "RGB",
        "top": 255.0,
        "mean": (120.0, 110.0, 100.0),
        "std": (60.0, 61.0, 62.0),
        "image_size": size,
        "resize": round(size * 8 / 7),
        "order": "own",
        "wnids": wnids,
        "classes": len(wnids),
    }
    return Weights(**{**values, **more})


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
@pytest.mark.parametrize("top", [255.0, 1.0])
def test_weights_are_shown_images_as_their_record_says(channels: str, top: float, shapes: Path, tmp_path: Path):
    scale = top / 255
    said = record("vgg11", 32, ("n00000002", "n00000001"), channels=channels, top=top, width=0.1)
    said = replace(said, mean=tuple(m * scale for m in said.mean), std=tuple(s * scale for s in said.std))
    built = network()
    save(tmp_path / "w.safetensors", built, said)
    evaluated(tmp_path / "w.safetensors", str(shapes), save=tmp_path / "a.npz")
    kept = read_scores(tmp_path / "a.npz")
    dataset = data.open(shapes, "val")
    for index, row in enumerate(kept.probabilities):
        sample = dataset[index]
        pixels = decode(sample)
        with torch.no_grad():
            wanted = built(said.preprocess(pixels)).softmax(1)[0].flip(0)  # by WordNet id, not in the file's order
        assert np.allclose(row, wanted.numpy(), atol=0.02), "the record rounds the longer side otherwise"
        assert kept.labels[index] == sample.label
    assert kept.wnids == ("n00000001", "n00000002")


def test_what_a_network_or_a_data_set_cannot_give_is_a_sentence_that_names_both_sides(
    finished: dict[str, Run], tiny: Path, shapes: Path, tmp_path: Path
):
    save(tmp_path / "w.safetensors", network(), record("vgg11", 32, ("n00000001", "n00000002"), width=0.1))
    file, place = tmp_path / "w.safetensors", str(shapes)
    with pytest.raises(SpecError, match=r"crops of 46 pixels are asked for and vgg11 was built for 32: its full"):
        evaluated(file, place, protocol="center-320")
    with pytest.raises(SpecError, match=r"w\.safetensors knows 2 classes and .*tiny has 20; give data of its classes"):
        evaluated(file, str(tiny))
    with pytest.raises(SpecError, match=r"w\.safetensors does not say what data it is to be judged on; give a"):
        evaluated(file, None)
    with pytest.raises(SpecError, match=r"3 x 3 offsets of the last pooling are asked for and resnet18 has no pooling"):
        evaluated(finished["resnet18"].directory, str(tiny), protocol="overfeat")
    with pytest.raises(SpecError, match=r"no protocol is called 'tne'; did you mean .*ten"):
        evaluated(finished["resnet18"].directory, str(tiny), protocol="tne")
    save(tmp_path / "w.safetensors", network(), record("vgg11", 32, ("n00000001", "n00000003"), width=0.1))
    with pytest.raises(SpecError, match=r"w\.safetensors knows the class n00000003 where .*shapes.* has n00000002"):
        evaluated(file, place)


def test_a_protocol_that_contradicts_itself_is_refused(shapes: Path):
    with pytest.raises(SpecError, match=r"crops of 32 pixels are asked for from a short side of 24: an image is s"):
        judged(shapes, Crops(layout="ten", short_sides=(24,), size=32))
    with pytest.raises(SpecError, match=r"brings images to a side of 24 pixels, and the network looks at 32 at once"):
        judged(shapes, Dense(short_sides=(24, 40)))
    with pytest.raises(SpecError, match="has probabilities at its places and averages logits"):
        judged(shapes, Dense(short_sides=(40,), places="probabilities", average="logits"))


@pytest.mark.parametrize("engine", ["compiled", "openvino", "int8"])
def test_an_engine_for_one_size_is_refused_where_images_differ(engine: str):
    module = dense(network(), MULTI, 32)
    with pytest.raises(SpecError, match=rf"engine {engine} computes images of one size, and a dense protocol shows"):
        Computing(module, 10, How(engine), torch.device("cpu"))


def test_auto_computes_dense_protocols_in_what_is_near_enough(monkeypatch: pytest.MonkeyPatch):
    module, images, lines = dense(network(), MULTI, 32), torch.randn(2, 3, 40, 48), []
    for half, within, engine in ((False, 1.0, "fp32"), (True, 1.0, "bf16"), (True, 0.0, "fp32")):
        monkeypatch.setattr("ilsvrc.jobs.computing.half", lambda device, half=half: half)
        run = Computing(module, 10, How("auto", within, lines.append), torch.device("cpu"))
        assert torch.allclose(run(images), module(images), atol=0.1)
        assert run.engine == engine
    assert lines[0].startswith("engine: bf16; bf16 moved no probability of the first image by more than")


def test_the_command_writes_errors_with_the_protocol_s_name_and_keeps_scores(
    finished: dict[str, Run], tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["evaluate", str(finished["alexnet"].directory), "--data", str(tiny), "--protocol", "vgg-dense"]
    words += ["--device", "cpu", "--save", str(tmp_path / "s.npz"), "--half"]
    assert ilsvrc([*words, "--engine", "eager"]) == 0
    out = capsys.readouterr().out
    assert "vgg-dense: top-1 error " in out
    assert "alexnet at 0.1 of its width, vgg-dense: the whole image and its mirror at short side 55" in out
    assert ilsvrc([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["record"]["protocol_name"] == "vgg-dense"
    assert [score["metric"] for score in found["scores"]] == ["top-1 error", "top-5 error"]
    assert read_scores(tmp_path / "s.npz").record.split == "val"
    with np.load(tmp_path / "s.npz") as stored:
        assert stored["probabilities"].dtype == np.float16


def test_scores_of_images_without_labels_can_be_kept(finished: dict[str, Run], tiny: Path, tmp_path: Path):
    found = evaluated(finished["resnet18"].directory, str(tiny), split="test", save=tmp_path / "test.npz")
    assert found.scores == ()
    assert "40 images without labels, so no error" in found.lines()[1]
    assert (read_scores(tmp_path / "test.npz").labels == -1).all()
