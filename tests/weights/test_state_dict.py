"""State dicts of today's libraries: which file fits which network, what it computes there, and what is refused."""

import json
import pickle
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
from files import ORIGINALS, needs_originals
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc import models, weights
from ilsvrc.errors import WeightsError
from ilsvrc.weights import pickled, state_dict
from ilsvrc.weights.libraries import LAYOUTS

FITS = {  # a library's model: our network, or None where we have none
    "timm_dpn92": "dpn92",
    "timm_inception_resnet_v2": "inception_resnet_v2",
    "timm_inception_v3": "inception_v3_torchvision",
    "timm_inception_v4": "inception_v4",
    "timm_legacy_senet154": "senet154",
    "timm_legacy_seresnet101": "se_resnet101",
    "timm_legacy_seresnet50": "se_resnet50",
    "timm_legacy_seresnext50_32x4d": "se_resnext50_32x4d",
    "timm_resnet50": "resnet50_v1_5",
    "timm_resnext101_32x4d": "resnext101_32x4d",
    "timm_seresnet50": None,
    "timm_vgg16": "vgg16",
    "torchvision_alexnet": "alexnet_torchvision",
    "torchvision_googlenet": "googlenet_torchvision",
    "torchvision_inception_v3": "inception_v3_torchvision",
    "torchvision_resnet101": "resnet101_v1_5",
    "torchvision_resnet152": "resnet152_v1_5",
    "torchvision_resnet50": "resnet50_v1_5",
    "torchvision_resnext101_32x8d": None,
    "torchvision_resnext101_64x4d": "resnext101_64x4d",
    "torchvision_resnext50_32x4d": "resnext50_32x4d",
    "torchvision_vgg16": "vgg16",
    "torchvision_vgg16_bn": "vgg16_bn",
    "torchvision_vgg19": "vgg19",
    "torchvision_wide_resnet50_2": "wideresnet50_2",
}
SAME_SHAPES = {  # published networks whose names and shapes are the libraries', and whose graph is not
    "resnet50": "torchvision_resnet50",
    "resnet101": "torchvision_resnet101",
    "resnet152": "torchvision_resnet152",
    "googlenet": "torchvision_googlenet",
    "alexnet": "torchvision_alexnet",
    "alexnet_one_tower": "torchvision_alexnet",
    "inception_v3": "torchvision_inception_v3",
    "inception_v3_mxnet": "timm_inception_v3",
    "inception_v4_caffe": "timm_inception_v4",
    "inception_resnet_v2_caffe": "timm_inception_resnet_v2",
}


def keys_of(library: str) -> dict[str, Tensor]:
    """Tensors of the library's names and shapes that take no memory."""
    keys = json.loads((ORIGINALS / "state_dicts" / f"{library}.json").read_text())["keys"]
    return {name: torch.zeros(()).expand(shape) for name, shape in keys.items()}


@pytest.mark.sampled(1)
@needs_originals
@pytest.mark.parametrize("library", FITS)
def test_a_library_s_file_fits_one_network_and_no_other(library: str) -> None:
    tensors = keys_of(library)
    fitting = {
        name
        for name, layouts in LAYOUTS.items()
        if any(state_dict.fit_of(name, layout, tensors, Path("f.pth")) for layout in layouts)
    }
    assert fitting == ({FITS[library]} if FITS[library] else set())


@needs_originals
@pytest.mark.parametrize("model", SAME_SHAPES)
def test_a_library_s_file_is_refused_by_the_published_network_with_the_reason_and_the_one_that_fits(model: str) -> None:
    library = SAME_SHAPES[model]
    with pytest.raises(WeightsError, match=f"fits {FITS[library]}, not {model}: .*; load it as {FITS[library]}"):
        state_dict.fitted(model, keys_of(library), Path("f.pth"))


@needs_originals
def test_cadene_s_caffe_resnet_is_known_by_its_file_s_name() -> None:
    tensors = {key.replace("fc.", "last_linear."): value for key, value in keys_of("torchvision_resnet101").items()}
    fit = state_dict.fitted("resnet101", tensors, Path("cafferesnet101-9d633cc0.pth"))
    assert (fit.layout.record["channels"], fit.layout.record["top"]) == ("BGR", 255.0)
    with pytest.raises(WeightsError, match="fits resnet101 in no layout"):
        state_dict.fitted("resnet101", tensors, Path("resnet101.pth"))


@needs_originals
@pytest.mark.parametrize(
    ("model", "library", "classifier"),
    [("dpn92", "timm_dpn92", "classifier"), ("inception_resnet_v2", "timm_inception_resnet_v2", "classif")],
)
def test_cadene_s_files_have_another_word_for_the_classifier(model: str, library: str, classifier: str) -> None:
    tensors = {key.replace(f"{classifier}.", "last_linear."): value for key, value in keys_of(library).items()}
    assert len(state_dict.fitted(model, tensors, Path("f.pth")).state) == len(tensors)


@needs_originals
def test_timm_s_se_network_without_legacy_is_refused_with_the_reason() -> None:
    with pytest.raises(WeightsError, match="without 'legacy' in their name have the stride elsewhere"):
        state_dict.fitted("se_resnet50", keys_of("timm_seresnet50"), Path("f.pth"))


class Indexed(nn.Module):
    """As torchvision builds its networks: a Sequential called features, an average, a Sequential called classifier."""

    def __init__(self, features: list[nn.Module], side: int, classifier: list[nn.Module]):
        super().__init__()
        self.features, self.classifier = nn.Sequential(*features), nn.Sequential(*classifier)
        self.pool = nn.AdaptiveAvgPool2d(side)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.pool(self.features(images)).flatten(1))


def theirs_alexnet() -> Indexed:
    convolutions = [
        (3, 64, 11, 4, 2),
        (64, 192, 5, 1, 2),
        (192, 384, 3, 1, 1),
        (384, 256, 3, 1, 1),
        (256, 256, 3, 1, 1),
    ]
    features: list[nn.Module] = []
    for place, (inputs, outputs, kernel, stride, padding) in enumerate(convolutions):
        features += [nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU()]
        features += [nn.MaxPool2d(3, 2)] if place in (0, 1, 4) else []
    full = [nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()]
    return Indexed(features, 6, [*full, nn.Linear(4096, 1000)])


def theirs_vgg11_bn() -> Indexed:
    features: list[nn.Module] = []
    inputs = 3
    for outputs in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        if not outputs:
            features.append(nn.MaxPool2d(2, 2))
            continue
        features += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    full = [nn.Linear(25088, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()]
    return Indexed(features, 7, [*full, nn.Linear(4096, 1000)])


def with_statistics(network: nn.Module) -> nn.Module:
    """Batch norms that do something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize(("model", "theirs"), [("alexnet_torchvision", theirs_alexnet), ("vgg11_bn", theirs_vgg11_bn)])
def test_the_same_weights_give_the_same_logits_as_in_the_library(tmp_path: Path, model: str, theirs: object) -> None:
    peer = with_statistics(theirs())
    path = tmp_path / "peer.pth"
    torch.save(peer.state_dict(), path)
    ours, record = weights.load(model, path)
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        wanted = peer(images)
        assert (ours(images) - wanted).abs().max() < 2e-5 * wanted.abs().max()
    assert (record.channels, record.top) == ("RGB", 1.0)


@pytest.mark.slow
@needs_originals
def test_torchvision_s_googlenet_is_the_network_of_its_layers_names() -> None:
    keys = json.loads((ORIGINALS / "state_dicts" / "torchvision_googlenet.json").read_text())["keys"]
    torch.manual_seed(1)
    tensors = {
        name: torch.rand(shape) + 0.5 if len(shape) == 1 and "bias" not in name else torch.randn(shape) * 0.05
        for name, shape in keys.items()
    }
    fit = state_dict.fitted("googlenet_torchvision", tensors, Path("f.pth"))
    ours = models.build("googlenet_torchvision")
    ours.load_state_dict(fit.state, strict=False)

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = tensors[f"{name}.conv.weight"]
        x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2)
        parts = (tensors[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.relu(F.batch_norm(x, *parts, eps=0.001))

    def inception(name: str, x: Tensor) -> Tensor:
        pooled = F.max_pool2d(x, 3, 1, 1, ceil_mode=True)
        branches = [conv(f"{name}.branch1", x), conv(f"{name}.branch4.1", pooled)]
        branches[1:1] = [conv(f"{name}.branch{b}.1", conv(f"{name}.branch{b}.0", x)) for b in (2, 3)]
        return torch.cat(branches, 1)

    x = images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        x = F.max_pool2d(conv("conv1", x, 2), 3, 2, ceil_mode=True)
        x = F.max_pool2d(conv("conv3", conv("conv2", x)), 3, 2, ceil_mode=True)
        for group, pool in (("3a 3b", 3), ("4a 4b 4c 4d 4e", 2), ("5a 5b", 0)):
            for name in group.split():
                x = inception(f"inception{name}", x)
            x = F.max_pool2d(x, pool, 2, ceil_mode=True) if pool else x
        wanted = F.linear(x.mean((2, 3)), tensors["fc.weight"], tensors["fc.bias"])
        assert (ours.eval()(images) - wanted).abs().max() < 2e-5 * wanted.abs().max()


@pytest.fixture
def resnet18(tmp_path: Path) -> tuple[dict[str, Tensor], Path]:
    """A state dict as torchvision would write it, from our network."""
    torch.manual_seed(0)
    network = models.build("resnet18_v1_5")
    (layout,) = LAYOUTS["resnet18_v1_5"]
    ours = network.state_dict()
    return {theirs: ours[key] for key, theirs in state_dict.translated(ours, layout)}, tmp_path / "resnet18.pth"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("form", ["zip", "old", "safetensors", "wrapped", "parallel", "half"])
def test_every_form_of_a_state_dict_is_read(resnet18: tuple[dict[str, Tensor], Path], form: str) -> None:
    tensors, path = resnet18
    match form:
        case "safetensors":
            save_file(tensors, path)
        case "wrapped":
            torch.save({"epoch": 3, "state_dict": tensors}, path)
        case "parallel":
            torch.save({f"module.{key}": value for key, value in tensors.items()}, path)
        case "half":
            torch.save({key: value.half() for key, value in tensors.items()}, path)
        case _:
            torch.save(tensors, path, _use_new_zipfile_serialization=form == "zip")
    network, record = weights.load("resnet18_v1_5", path)
    assert record.sha256 == weights.networks.sha256(path)
    found = network.state_dict()["conv3.0.shortcut.conv.weight"]
    assert found.dtype == torch.float32
    assert torch.allclose(found, tensors["layer2.0.downsample.0.weight"], atol=1e-3)
    assert not any(tensor.is_meta for tensor in network.state_dict().values())


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("trap-was-sprung"),))


def test_no_code_runs_from_a_file(resnet18: tuple[dict[str, Tensor], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, path = resnet18
    monkeypatch.chdir(path.parent)
    for protocol in (2, 4):
        path.write_bytes(pickle.dumps(Trap(), protocol))
        with pytest.raises(WeightsError, match="a pickle that PyTorch did not write, and is not read, for that runs"):
            weights.load("resnet18_v1_5", path)
    torch.save(tensors | {"fc.bias": Trap()}, path)
    with pytest.raises(WeightsError, match="without running code"):
        weights.load("resnet18_v1_5", path)
    assert not Path("trap-was-sprung").exists()


@pytest.mark.slow
def test_what_is_no_whole_state_dict_is_refused(resnet18: tuple[dict[str, Tensor], Path]) -> None:
    tensors, path = resnet18
    for wrong, sentence in (
        ({"a": 1}, "'a', which is no tensor"),
        ([1], "holds a list"),
        (tensors | {"fc.bias": torch.full((1000,), torch.nan)}, "fc.bias holds values that are not finite"),
        (tensors | {"fc.bias": torch.zeros(1000, dtype=torch.int64)}, "fc.bias is of type torch.int64"),
        ({key: value for key, value in tensors.items() if key != "fc.bias"}, "it has no fc.bias"),
        (tensors | {"fc.bias": torch.zeros(10)}, r"fc.bias is \(10,\), and fc.bias is \(1000,\)"),
        (tensors | {"extra": torch.zeros(1)}, "tensors that this network lacks"),
    ):
        torch.save(wrong, path)
        with pytest.raises(WeightsError, match=sentence):
            weights.load("resnet18_v1_5", path)


def test_truncated_flipped_and_inflating_files_are_refused(resnet18: tuple[dict[str, Tensor], Path]) -> None:
    tensors, path = resnet18
    torch.save({"fc.bias": tensors["fc.bias"]}, path)
    data = path.read_bytes()
    for length in range(4, len(data), len(data) // 20):
        path.write_bytes(data[:length])
        with pytest.raises(WeightsError):
            weights.load("resnet18_v1_5", path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 24))
    with pytest.raises(WeightsError, match="a zip archive that PyTorch did not write"):
        weights.load("resnet18_v1_5", path)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old"])
def test_what_is_read_without_unpickling_is_what_torch_reads(tmp_path: Path, new: bool) -> None:
    """Every kind, views of one storage, transposed, empty, a scalar, parameters, and names given twice by wrapping."""
    path, whole = tmp_path / "t.pth", torch.randn(5, 4)
    tensors = {str(kind): torch.arange(6).to(kind) for kind in set(pickled.KINDS.values())}
    tensors |= {"rows": whole[1:3], "columns": whole.t()[2], "turned": whole.t(), "whole": whole}
    tensors |= {"empty": torch.empty(0, 3), "one": torch.tensor(2.5), "parameter": nn.Parameter(torch.randn(2))}
    tensors |= {"strided": torch.arange(40.0)[::7]}
    torch.save({"epoch": 1, "model": tensors}, path, _use_new_zipfile_serialization=new)
    wanted, found = torch.load(path, weights_only=True)["model"], state_dict.read(path)
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name
    places = {tensor.untyped_storage().data_ptr() for tensor in found.values() if tensor.numel()}
    assert len(places) == len(found) - 1, "no two share memory"


def archive(path: Path, program: bytes, values: bytes = bytes(16)) -> Path:
    """A .pth as torch.save lays it out, with a pickle of one's own."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", program)
        file.writestr("archive/data/0", values)
        file.writestr("archive/version", "3")
    return path


def tensor_program(size: str, stride: str, count: int = 4, offset: str = "K\x00") -> bytes:
    """{'fc.bias': a tensor}: what pickle writes of it, with any size and stride in pickle's own words."""
    return (
        b"\x80\x02}X\x07\x00\x00\x00fc.biasctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
        b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuI"
        + str(count).encode()
        + b"\ntQ"
        + offset.encode("latin-1")
        + f"({size}t({stride}t".encode("latin-1")
        + b"\x89ccollections\nOrderedDict\n)RtRs."
    )


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (tensor_program("I4294967296\nI4294967296\n", "I0\nI0\n"), "claims more than the 4 values it has"),
        (tensor_program("I2000000000\n", "I0\n"), "claims more than the 4 values it has"),
        (tensor_program("I5\n", "I1\n"), "a tensor of 5 claims more than the 4 values it has"),
        (tensor_program("I2\n", "I4\n"), "claims more than the 4 values"),
        (tensor_program("I4\n", "I1\n", offset="K\x01"), "claims more than the 4 values"),
        (tensor_program("I-4\n", "I1\n"), "a size or a stride that cannot be"),
        (tensor_program("I4\n", "I1\nI1\n"), "a size or a stride that cannot be"),
        (tensor_program("I1\n" * 33, "I1\n" * 33), "a size or a stride that cannot be"),
        (b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "holds a builtins.bytearray, and a state dict"),
        (b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.", "holds a os.system, and a state dict"),
        (b"\x80\x02)" + b"2\x86" * 5000 + b"}" + b"\x86" + b".", "holds a tuple"),
        (b"\x80\x02}" + b")" + b"2\x86" * 5000 + b"Ns.", "holds|keys that are no names"),
        (b"\x80\x02]r\xff\xff\xff\xff.", "holds a list"),
        (b"\x80\x02}X\xff\xff\xff\x7fabc", "its pickle is damaged"),
        (b"\x80\x02\x96" + b"\xff" * 8, "its pickle is damaged"),
        (b"", "its pickle is damaged"),
    ],
)
def test_a_pickle_that_lies_is_refused_at_once_and_in_no_memory(tmp_path: Path, program: bytes, sentence: str) -> None:
    path = archive(tmp_path / "f.pth", program)
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match=sentence):
            weights.load("resnet18_v1_5", path)
        assert tracemalloc.get_traced_memory()[1] < 50 * path.stat().st_size + (40 << 20)
    finally:
        tracemalloc.stop()


def test_a_pickle_of_more_steps_than_any_network_takes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickled, "MOST_STEPS", 1000)
    with pytest.raises(WeightsError, match="more than 1,000 steps"):
        state_dict.read(archive(tmp_path / "f.pth", b"\x80\x02" + b"]" * 1100))


def test_a_storage_that_many_tensors_claim_is_not_copied_for_each(tmp_path: Path) -> None:
    one = torch.randn(100_000)
    torch.save({str(number): one[:] for number in range(1000)}, tmp_path / "f.pth")
    with pytest.raises(WeightsError, match="claim more values than the file has bytes for"):
        state_dict.read(tmp_path / "f.pth")


def test_what_pytorch_wrote_before_its_pickles_is_named(tmp_path: Path) -> None:
    (tmp_path / "sys_info").write_bytes(b"x")
    with tarfile.open(tmp_path / "f.pth", "w") as tar:
        tar.add(tmp_path / "sys_info", "sys_info")
    with pytest.raises(WeightsError, match="a tar archive, as PyTorch wrote before 2017"):
        state_dict.read(tmp_path / "f.pth")
