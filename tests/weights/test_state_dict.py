"""State dicts of today's libraries: which file fits which network, what it computes there, and what is refused."""

import json
import pickle
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
from ilsvrc.weights import state_dict
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
