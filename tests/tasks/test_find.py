"""Ensembles of detectors on networks made by hand: proposals are joined, boxes and probabilities are means."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ilsvrc import models
from ilsvrc.models.rcnn import FasterRCNN, RegionClassifier, initialise
from ilsvrc.spec import Detector
from ilsvrc.tasks import find as job
from ilsvrc.tasks.detect import Scene
from ilsvrc.tasks.find import Look, Shown, find, find_given

HOW = Detector(
    classifier="", short_side=64, scales=(1, 2), least_side=4, kept_testing=(200, 8), region_size=4, score=0.0, most=9
)  # fmt: skip
SCENE = Scene(64, 64, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
A, B = (2.0, 2.0, 21.0, 21.0), (40.0, 40.0, 59.0, 59.0)


def made(seed: int, name: str = "resnet18", side: int = 64) -> FasterRCNN:
    """A detector whose new layers are drawn so wide that seeds differ in what they find."""
    torch.manual_seed(0)
    network = FasterRCNN(models.build(name, 1, side, 0.07), 3, 6)
    initialise(network, seed)
    with torch.no_grad():
        for layer in network.new_layers():
            layer.weight.mul_(30)
    return network.eval()


def look(seed: int = 0) -> list[Look]:
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    return [Look(images, SCENE)]


@pytest.mark.parametrize("refined", [False, True])
def test_a_network_twice_finds_what_it_finds_once(refined: bool):
    how = replace(HOW, refined=refined)
    one, two = find([made(1)], [look()], how), find([made(1)] * 2, [look()] * 2, how)
    assert len(one.labels) == 9
    assert torch.equal(one.labels, two.labels)
    assert torch.allclose(one.scores, two.scores, atol=1e-6)
    assert torch.allclose(one.boxes, two.boxes, atol=1e-3)


def test_networks_of_different_families_judge_together():
    how = replace(HOW, region_size=None, refined=True)
    found = find([made(1), made(2, "zfnet", 80)], [look(), look()], how)
    assert len(found.labels) == 9
    assert torch.isfinite(found.boxes).all()


def test_every_network_is_shown_the_image_as_it_was_taught_to_be():
    seen: list[Tensor] = []
    networks = [made(1), made(2)]
    for network in networks:
        inner = network.shared
        network.shared = lambda images, inner=inner: (seen.append(images), inner(images))[1]  # type: ignore[method-assign]
    looks = [look(1), look(2)]
    find(networks, looks, HOW)
    assert [torch.equal(a, b[0].images) for a, b in zip(seen, looks, strict=True)] == [True, True]


class Sure(nn.Module):
    """An R-CNN that says the same of every window: logits of background and two classes, and offsets of each."""

    def __init__(self, logits: list[float], right: float) -> None:
        super().__init__()
        self.logits, self.right = torch.tensor(logits), right

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """The same for each; boxes go to the right by so many of their widths."""
        offsets = torch.zeros(len(windows), 3, 4)
        offsets[..., 0] = self.right / 0.1  # over the deviation that offsets are learnt in
        return self.logits.expand(len(windows), 3), offsets


def windows(*networks: Sure) -> job.Found:
    shown = [Shown(torch.zeros(3, 64, 64), 32)] * len(networks)
    given = torch.tensor([A])
    return find_given(networks, shown, given, SCENE, replace(HOW, around=0))  # type: ignore[arg-type]


def test_probabilities_and_boxes_of_r_cnns_are_means():
    first, second = Sure([0.0, 2.0, -1.0], 0.2), Sure([1.0, 0.0, 1.0], 0.6)
    found = windows(first, second)
    expected = torch.stack([first.logits.softmax(0), second.logits.softmax(0)]).mean(0)[1:]
    assert found.labels.tolist() == [0, 1]
    assert found.scores.tolist() == pytest.approx(expected.tolist())
    assert found.boxes[0].tolist() == pytest.approx([2 + 0.4 * 20, 2, 21 + 0.4 * 20, 21], abs=1e-4)
    alone = windows(first)
    assert alone.boxes[0].tolist() == pytest.approx([2 + 0.2 * 20, 2, 21 + 0.2 * 20, 21], abs=1e-4)


def test_an_r_cnn_is_shown_windows_of_its_own_size():
    sizes: list[tuple[int, float]] = []

    class Watching(Sure):
        def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
            sizes.append((windows.shape[-1], float(windows.max())))
            return super().forward(windows)

    networks = [Watching([0.0, 1.0, 1.0], 0.0), Watching([0.0, 1.0, 1.0], 0.0)]
    shown = [Shown(torch.ones(3, 64, 64), 32), Shown(2 * torch.ones(3, 64, 64), 48)]
    find_given(networks, shown, torch.tensor([A]), SCENE, replace(HOW, around=0))  # type: ignore[arg-type]
    assert sizes == [(32, pytest.approx(1)), (48, pytest.approx(2))]


class Told(nn.Module):
    """A Faster R-CNN by what it proposes and what it says of any region; it notes what it is asked about."""

    def __init__(self, proposes: tuple[float, ...], logits: list[float]) -> None:
        super().__init__()
        self.proposes, self.logits, self.asked = torch.tensor([proposes]), torch.tensor(logits), torch.zeros(0, 4)

    def shared(self, images: Tensor) -> Tensor:
        """Nothing is looked at."""
        return images

    def judge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same of every region, which stays where it is."""
        self.asked = x
        return self.logits.expand(len(x), 3), torch.zeros(len(x), 3, 4)


def test_every_network_judges_the_proposals_of_all_and_the_mean_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(job, "proposed", lambda network, maps, scene, how: network.proposes)
    monkeypatch.setattr(job, "at_scales", lambda network, maps, regions, views: regions)
    first, second = Told(A, [0.0, 2.0, -9.0]), Told(B, [0.0, 0.0, -9.0])
    found = find([first, second], [look(), look()], replace(HOW, score=0.01))  # type: ignore[list-item]
    assert first.asked.tolist() == second.asked.tolist() == [list(A), list(B)]
    mean = (first.logits.softmax(0)[1] + second.logits.softmax(0)[1]) / 2
    assert found.labels.tolist() == [0, 0]
    assert found.scores.tolist() == pytest.approx([float(mean)] * 2)
    assert sorted(found.boxes.tolist()) == [list(A), list(B)]


def test_networks_and_looks_are_as_many():
    with pytest.raises(ValueError, match="zip"):
        find([made(1), made(1)], [look()], HOW)
    network = RegionClassifier(models.build("alexnet", 1, 80, 0.05), 3).eval()
    with pytest.raises(ValueError, match="zip"):
        find_given([network, network], [Shown(torch.zeros(3, 64, 64), 80)], torch.tensor([A]), SCENE, HOW)
