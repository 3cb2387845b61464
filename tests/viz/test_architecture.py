"""Drawings of networks: all of them draw, nothing is lost in folding, and they read as the papers' figures do."""

import re
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

from ilsvrc import models
from ilsvrc.viz.architecture import drawing
from ilsvrc.viz.boxes import lettering
from ilsvrc.viz.graph import graph
from ilsvrc.viz.outline import Box, Chain, Fork, Frame, Side, layers_in, outline

SVG = "{http://www.w3.org/2000/svg}"


def blank(name: str) -> nn.Module:
    with torch.device("meta"):
        return models.build(name)


def drawn(name: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawing(blank(name), models.paper_size(name), name))


def counted(node: ElementTree.Element, times: int = 1) -> int:
    """Boxes of convolutions and full layers below a node, those in a folded block as often as it says."""
    times *= int(node.get("data-times", 1))
    own = times if node.get("class") in ("layer-conv", "layer-full") else 0
    return own + sum(counted(child, times) for child in node)


def weighted(network: nn.Module) -> list[str]:
    return [name for name, part in network.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", models.MODELS)
def test_every_network_draws_with_as_many_layers_as_it_has(name: str):
    assert counted(drawn(name)) == len(weighted(blank(name)))


@pytest.mark.parametrize("name", ["googlenet", "preresnet50", "dpn92", "inception_v3"])
def test_a_graph_has_every_layer_once_in_the_order_of_its_inputs(name: str):
    network = blank(name)
    found = graph(network, models.paper_size(name), training=True)
    names = [vertex.name for vertex in found.vertices if vertex.name]
    assert len(names) == len(set(names))
    assert {name.removesuffix(".conv") for name in weighted(network)} <= {name.removesuffix(".conv") for name in names}
    assert all(place > above for place, vertex in enumerate(found.vertices) for above in vertex.inputs)


def all_of(chain: Chain, kind: type) -> list:
    found = []
    for item in chain:
        found += [item] if isinstance(item, kind) else []
        inner = item.branches if isinstance(item, Fork) else (item.chain,) if isinstance(item, Frame | Side) else ()
        found += [one for part in inner for one in all_of(part, kind)]
    return found


def of(name: str) -> Chain:
    return outline(blank(name), models.paper_size(name))


def test_alexnet_is_two_towers_that_cross_in_its_third_convolution():
    boxes = {box.name: box for box in all_of(of("alexnet"), Box)}
    assert [name for name, box in boxes.items() if box.towers == 2][::3] == ["conv1", "conv2", "conv3", "pool5"]
    assert [name for name, box in boxes.items() if box.crossed] == ["conv3"]
    assert boxes["fc6"].towers == 1
    caffe = {box.name: box for box in all_of(of("alexnet_caffe"), Box)}
    assert caffe["norm1"].towers == 0  # looks across them
    one = all_of(of("alexnet_one_tower"), Box)
    assert all(box.towers != 2 for box in one)


def test_an_inception_module_has_four_branches_that_are_stacked():
    frames = {frame.name: frame for frame in all_of(of("googlenet"), Frame)}
    (fork,) = frames["inception_3a"].chain
    assert (fork.meeting, fork.shape) == ("stack", (256, 28, 28))
    assert [[box.words[:2] for box in branch] for branch in fork.branches] == [
        [("1×1", "64")],
        [("1×1", "96"), ("3×3", "128")],
        [("1×1", "16"), ("5×5", "32")],
        [("max pool", "3×3"), ("1×1", "32")],
    ]
    sides = [item for item in of("googlenet") if isinstance(item, Frame | Side)]
    names = [item.name for item in sides]
    assert names[names.index("side_1") - 1] == "inception_4a"
    assert names[names.index("side_2") - 1] == "inception_4d"


@pytest.mark.slow
def test_blocks_that_are_alike_are_folded():
    frames = [(frame.name, frame.times) for frame in of("resnet152") if isinstance(frame, Frame)]
    assert frames == [
        *[("conv2.0", 1), ("conv2.1 to conv2.2", 2), ("conv3.0", 1), ("conv3.1 to conv3.7", 7)],
        *[("conv4.0", 1), ("conv4.1 to conv4.35", 35), ("conv5.0", 1), ("conv5.1 to conv5.2", 2)],
    ]
    assert [frame.times for frame in of("inception_v4") if isinstance(frame, Frame) and frame.times > 1] == [4, 7, 3]
    assert layers_in(of("resnet152")) == 156  # with the four projections


def test_a_shortcut_is_a_branch_without_boxes_and_a_projection_one_with():
    frames = [frame for frame in of("resnet50") if isinstance(frame, Frame)]
    projected, plain = frames[0].chain[0], frames[1].chain[0]
    assert (projected.meeting, plain.meeting) == ("add", "add")
    assert [len(branch) for branch in projected.branches] == [3, 1]
    assert [len(branch) for branch in plain.branches] == [3, 0]
    assert plain.after == ("relu",)
    assert [box.after for box in plain.branches[0]] == [("norm", "relu"), ("norm", "relu"), ("norm",)]


def test_a_pre_activated_unit_has_its_norm_before_the_convolution():
    frames = {frame.name: frame for frame in of("preresnet50") if isinstance(frame, Frame)}
    unit = frames["conv2.1 to conv2.2"].chain[0]
    assert unit.branches[0][0].before == ("norm", "relu")
    assert unit.after == ()


def test_a_gate_is_inside_the_branch_it_scales():
    fork = next(frame for frame in of("se_resnet50") if isinstance(frame, Frame) and frame.times > 1).chain[0]
    gate = fork.branches[0][-1]
    assert gate.meeting == "gate"
    assert gate.branches[0] == ()
    assert [box.words[0] for box in gate.branches[1]] == ["global average", "16", "256"]
    assert gate.branches[1][-1].after == ("sigmoid",)
    modules = [frame for frame in of("se_bn_inception") if isinstance(frame, Frame)]
    assert [item.meeting for item in modules[0].chain] == ["stack", "gate"]


def test_a_dual_path_block_adds_and_stacks():
    forks = all_of(of("dpn92"), Fork)
    assert {fork.meeting for fork in forks} == {"add and stack"}
    assert [frame.times for frame in of("dpn92") if isinstance(frame, Frame)] == [1, 2, 1, 3, 1, 19, 1, 2]


def test_groups_are_written_and_the_sizes_of_maps_stand_beside():
    words = {"".join(node.itertext()) for node in drawn("resnext50_32x4d").iter(f"{SVG}text")}
    assert "3×3 conv, 128, 32 groups" in words
    assert {"64×112×112", "256×56×56", "2048×7×7"} <= words


@pytest.mark.slow
def test_nothing_stands_outside_the_drawing_and_words_fit_their_boxes():
    for name in ("inception_v4", "alexnet", "senet154", "googlenet"):
        tree = drawn(name)
        _, _, width, height = map(float, tree.get("viewBox", "").split())
        for node in tree.iter(f"{SVG}rect"):
            x, y, w, h = (float(node.get(key, 0)) for key in ("x", "y", "width", "height"))
            assert 0 <= x <= x + w <= width
            assert 0 <= y <= y + h <= height + 0.5
    narrow = lettering(Box("conv", "a", ("1×3", "256", "/2"), (256, 8, 8)), 50)
    assert narrow == ["1×3, 256", "/2"]
    assert lettering(Box("conv", "a", ("1×3", "256"), (256, 8, 8)), 200) == ["1×3 conv, 256"]


def test_text_is_escaped_and_nothing_is_fetched():
    svg = drawing(blank("zfnet"), 224, 'a < b & "c"', "<script>")
    tree = ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert 'a < b & "c"' in [node.text for node in tree.iter(f"{SVG}text")]
    assert not re.search(r"href|url\(|@import", svg)
    assert "prefers-color-scheme: dark" in svg


class Tangled(nn.Module):
    """Ways that cannot be laid side by side: a and b are added twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(3, 3, 1) for _ in range(3))
        self.fc = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        a = self.a(images)
        b = self.b(a)
        c = self.c(a + b)
        return self.fc((a + b + c).mean((2, 3)))


def test_ways_that_cannot_lie_side_by_side_are_refused():
    with pytest.raises(ValueError, match="the ways through b, c cannot be drawn side by side"):
        outline(Tangled(), 8)
