"""Networks for other programs: run there on pictures, named as in the paper, with all one must know to use them."""

import builtins
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ilsvrc import models, weights
from ilsvrc.cli import run as ilsvrc
from ilsvrc.data import imagenet
from ilsvrc.errors import DataError, SpecError, WeightsError
from ilsvrc.jobs import export as job
from ilsvrc.jobs import onnx_graph
from ilsvrc.jobs.export import export, opened, pictures
from ilsvrc.jobs.finished import finished as finished_run
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.predictor import Predictor
from ilsvrc.models.senet import SENet, resnext_block
from ilsvrc.train.run import Run
from ilsvrc.weights import Weights
from ilsvrc.weights.source import from_json

pytestmark = pytest.mark.slow

onnx = pytest.importorskip("onnx", reason="the extra export is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")
pytest.importorskip("onnxscript", reason="the extra export is not installed")

SIZE = 96
RECORD = Weights(
    model="resnet18",
    origin="a test",
    licence="none",
    sha256="0" * 64,
    channels="BGR",
    top=255.0,
    mean=(104.0, 117.0, 123.0),
    image_size=SIZE,
    resize=SIZE + 16,
    width=0.06,
)
LAYERS = {  # network: nodes it must have, as the paper calls its layers, and weights
    "alexnet": ({"conv1/Conv", "norm1/LRN", "fc6/Gemm", "fc6/Relu", "fc8/Gemm"}, {"conv1.weight", "fc8.bias"}),
    "googlenet": ({"norm2/LRN", "inception_4b.conv_5x5/Conv", "inception_4b/Concat"}, {"linear.weight"}),
    "se_resnext50_32x4d": (
        {"conv1/Relu", "conv3.0.shortcut/Conv", "conv2.1/Add", "pool5/ReduceMean", "conv2.0.se.fc1/Gemm"}
        | {"conv2.0.se/Mul", "conv2.0/Relu"},
        {"conv2.0.se.fc2.bias"},
    ),
}
RUNS: list[Callable[[Tensor], Tensor]] = []
SHORT = {  # five blocks instead of sixteen that are wired alike: an export takes as long as there are nodes
    "se_resnext50_32x4d": partial(SENet, resnext_block, (2, 1, 1, 1)),
}


def saved(folder: Path, model: str, record: Weights = RECORD) -> Path:
    """A miniature whose batch norms do something."""
    network = models.build(model, record.classes, SIZE, record.width).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    path = folder / f"{model}.safetensors"
    weights.save(path, network, replace(record, model=model))
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("export"), "resnet18")


def by_onnxruntime(path: Path, images: Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    return np.asarray(logits)


@pytest.mark.slow
@pytest.mark.parametrize("model", LAYERS)
def test_onnx_runtime_says_what_the_network_says_for_any_number_of_images(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(models.MODELS, model, SHORT.get(model, models.MODELS[model]))
    path = saved(tmp_path, model)
    found = export(path, "onnx")
    assert found.path == path.with_suffix(".onnx")
    assert found.difference < 5e-6
    network, _ = weights.load(model, path)
    for count in (1, 2, 5):
        images = torch.randn(count, 3, SIZE, SIZE) * 50
        with torch.inference_mode():
            wanted = network(images).numpy()
        assert np.abs(by_onnxruntime(found.path, images) - wanted).max() < 1e-5 * np.abs(wanted).max()
    graph = onnx.load(found.path).graph
    nodes, tensors = LAYERS[model]
    assert nodes <= {node.name for node in graph.node}
    assert tensors <= {tensor.name for tensor in graph.initializer}
    assert len({node.name for node in graph.node}) == len(graph.node)
    stems = {name.split(".")[0] for name, _ in network.named_children()}
    assert {node.name.split("/")[0].split(".")[0] for node in graph.node} <= stems, "every node is a layer's"


def test_an_onnx_file_says_what_it_wants_and_what_its_logits_mean(tmp_path: Path) -> None:
    path = saved(tmp_path, "resnet18", replace(RECORD, order="devkit"))
    model = onnx.load(export(path, "onnx", tmp_path / "x.onnx").path)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    record = from_json(texts["ilsvrc weights"], "here")
    assert record == weights.read_record(path)
    classes = json.loads(texts["ilsvrc classes"])
    assert len(classes) == 1000
    assert classes[0][0] == "n02119789", "the kit's number 1"
    assert dict(classes) == dict(zip(imagenet.classes().wnids, imagenet.classes().words, strict=True))
    assert "shorter side to 112 pixels" in model.doc_string
    assert "channels BGR, 0 to 255, less (104, 117, 123)" in model.doc_string
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", onnx_graph.OPSET)]
    assert model.producer_name == "ilsvrc"
    (images,), (logits,) = model.graph.input, model.graph.output
    assert (images.name, logits.name) == ("images", "logits")
    assert [d.dim_param or d.dim_value for d in images.type.tensor_type.shape.dim] == ["batch", 3, SIZE, SIZE]
    assert [d.dim_param or d.dim_value for d in logits.type.tensor_type.shape.dim] == ["batch", 1000]
    assert str(Path.cwd()).encode() not in model.SerializeToString(), "no paths of the machine it was made on"


def test_a_torch_export_computes_the_same_and_carries_its_record(tmp_path: Path, small: Path) -> None:
    found = export(small, "torch", tmp_path / "x.pt2")
    assert found.difference < 1e-6
    texts = {"ilsvrc_weights.json": "", "ilsvrc_classes.json": ""}
    program = torch.export.load(found.path, extra_files=texts)
    assert from_json(texts["ilsvrc_weights.json"], "here") == weights.read_record(small)
    assert json.loads(texts["ilsvrc_classes.json"])[0][0] == "n01440764"
    network, _ = weights.load("resnet18", small)
    assert set(program.state_dict) == set(network.state_dict())
    images = torch.randn(7, 3, SIZE, SIZE)
    assert torch.allclose(program.module()(images), network(images), atol=1e-5)


def test_the_pictures_of_the_check_are_images_and_always_the_same() -> None:
    one, others = pictures(RECORD)
    assert (one.shape, others.shape) == ((1, 3, SIZE, SIZE), (3, 3, SIZE, SIZE))
    assert torch.equal(torch.cat(pictures(RECORD)), torch.cat([one, others]))
    assert len({float(picture.sum()) for picture in (*one, *others)}) == 4


@pytest.mark.parametrize("fault", ["values", "shape", "numbers"])
def test_a_file_that_disagrees_is_not_left(
    tmp_path: Path, small: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.as_torch

    def wrong(*words: object) -> object:
        def write(path: Path) -> object:
            if not RUNS:  # to export takes most of the time, and is the same for all three
                RUNS.append(real(*words)(path))  # type: ignore[arg-type]
            path.write_text("of today")
            run = RUNS[0]
            off = {"values": lambda y: y * 1.001, "shape": lambda y: y[:, :3], "numbers": lambda y: y * float("nan")}
            return lambda images: off[fault](run(images))

        return write

    (tmp_path / "x.pt2").write_text("of yesterday")
    monkeypatch.setattr(job, "as_torch", wrong)
    with pytest.raises(SpecError, match=r"resnet18 exported to torch is off by .* no file was left"):
        export(small, "torch", tmp_path / "x.pt2")
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt2"]
    assert (tmp_path / "x.pt2").read_text() == "of yesterday"


def test_a_missing_extra_is_named_with_its_cure(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *words: object, **named: object) -> object:
        if name.startswith("onnxscript"):
            raise ModuleNotFoundError("no", name="onnxscript")
        return real(name, *words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SpecError, match=r"takes onnxscript, which is not installed; pip install 'ilsvrc\[export\]'"):
        export(small, "onnx", tmp_path / "x.onnx")


def test_what_cannot_be_exported_is_a_sentence(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"what is written is \.onnx; name it x.onnx"):
        export(small, "onnx", tmp_path / "x.pt2")
    with pytest.raises(SpecError, match="name it with --model"):
        export(tmp_path / "x.caffemodel", "torch")
    with pytest.raises(WeightsError, match="cannot be read"):
        export(tmp_path / "absent.safetensors", "torch")
    with pytest.raises(SpecError, match="has 7 classes and does not say which"):
        export(saved(tmp_path, "resnet18", replace(RECORD, classes=7)), "torch")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="could not be written"):
        export(small, "torch", tmp_path / "file" / "x.pt2")
    monkeypatch.setattr(onnx_graph, "LARGEST", 1000)
    with pytest.raises(SpecError, match="ONNX holds 2 in one file; export --to torch"):
        export(small, "onnx", tmp_path / "x.onnx")

    class Branch(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images if float(images.sum()) > 0 else -images

    monkeypatch.setattr(job, "opened", lambda *words: (Branch(), *opened(small, None, None)[1:]))
    with pytest.raises(SpecError, match=r"resnet18 cannot be exported to torch \(.*\); please report it"):
        export(small, "torch", tmp_path / "x.pt2")


@pytest.mark.parametrize("model", ["alexnet", "resnet18"])
def test_a_run_is_exported_with_its_classes_and_without_its_data(
    finished: dict[str, Run], tiny: Path, tmp_path: Path, model: str
) -> None:
    """alexnet's recipe removes a mean image, resnet18's a mean per channel."""
    run = finished[model]
    found = export(run.directory, "onnx", tmp_path / "x.onnx")
    assert found.record.order == "own"
    assert found.record.wnids == found.classes.wnids
    assert found.record.error.startswith("top-1 error ")
    stored = read_predictions(run.directory / "predictions.npz")
    predictor = Predictor(run.directory, device="cpu")
    paths = [tiny / "val" / f"{name}.JPEG" for name in stored.names[:3]]
    seen = torch.stack([predictor.view(path) for path in paths])
    whole = finished_run(run.directory)
    pixels = seen * whole.normal.unit + whole.normal.mean
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (found.record.mean, found.record.std))
    logits = by_onnxruntime(found.path, (pixels - mean) / std)
    shares = torch.from_numpy(logits).softmax(1).numpy()
    assert np.allclose(shares, stored.probabilities[:3], atol=1e-5)
    assert "network/" not in " ".join(node.name for node in onnx.load(found.path).graph.node)


def test_the_command_says_what_it_wrote(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ilsvrc(["export", str(small), "--to", "torch", "--out", str(tmp_path / "y.pt2")]) == 0
    shown = capsys.readouterr()
    assert "resnet18, torch.export of PyTorch" in shown.out
    assert "shown 4 pictures, its logits differ by at most " in shown.out
    assert shown.err == ""
    assert ilsvrc(["export", str(small), "--to", "torch", "--out", str(tmp_path / "y.onnx")]) == 1
    assert "name it y.pt2" in capsys.readouterr().err
