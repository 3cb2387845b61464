"""Dense evaluation is the sliding window it stands for, and pooling at offsets is its definition."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc import models
from ilsvrc.entries.protocols import ACCURATE, FAST
from ilsvrc.errors import SpecError
from ilsvrc.predict.dense import dense
from ilsvrc.predict.engines import prepared
from ilsvrc.spec import Dense

WHOLE = Dense(short_sides=(64,))
SIZE = 23  # of Toy: (23 - 3) / 2 + 1 = 11, pooled by 3 to 3, of which the full layer sees 3 x 3
STRIDE = 6  # pixels between neighbouring windows of Toy; 2 where its last pooling is done at all offsets


class Toy(nn.Module):
    """Convolutions without padding, a last pooling of 3 by 3, full layers: a window sees nothing beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 5, 3, stride=2)
        self.pool1 = nn.MaxPool2d(3, stride=3)
        self.fc2 = nn.Linear(5 * 9, 7)
        self.drop2 = nn.Dropout(0.5)
        self.fc3 = nn.Linear(7, 4)

    def unpooled(self, images: Tensor) -> Tensor:
        return F.relu(self.conv1(images))

    def features(self, images: Tensor) -> Tensor:
        return self.pool1(self.unpooled(images))

    def forward(self, images: Tensor) -> Tensor:
        x = self.features(images).flatten(1)
        return self.fc3(self.drop2(F.relu(self.fc2(x))))


def toy() -> Toy:
    torch.manual_seed(1)
    return Toy().eval()


def noise(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def crop(image: Tensor, row: int, column: int, size: int) -> Tensor:
    return image[..., row : row + size, column : column + size]


@torch.no_grad()
def test_the_dense_map_is_the_sliding_window_at_every_place():
    network, images = toy(), noise(2, 3, 41, 53)
    found = dense(network, WHOLE, SIZE).logits(images)
    assert found.shape == (2, 4, 6, 4)
    for i in range(4):
        for j in range(6):
            wanted = network(crop(images, STRIDE * i, STRIDE * j, SIZE))
            assert torch.allclose(found[:, i, j], wanted, atol=1e-6), (i, j)


@torch.no_grad()
def test_with_offsets_it_is_the_sliding_window_at_every_third_of_its_step():
    network, images = toy(), noise(2, 3, 41, 53)
    found = dense(network, Dense(short_sides=(64,), offsets=3), SIZE).logits(images)
    assert found.shape == (2, 12, 18, 4)
    # Toy reads 19 of its 23 pixels: the last places have no crop of 23, so they are held by the definition below.
    for i in range(10):
        for j in range(16):
            wanted = network(crop(images, 2 * i, 2 * j, SIZE))
            assert torch.allclose(found[:, i, j], wanted, atol=1e-6), (i, j)


@torch.no_grad()
def test_pooling_at_offsets_is_its_definition():
    # Sermanet et al. 2013, section 3.3: for each offset in {0, 1, 2}^2 pool 3 x 3, slide the classifier, interleave.
    network, images = toy(), noise(1, 3, 47, 59)
    found = dense(network, Dense(short_sides=(64,), offsets=3), SIZE).logits(images)[0]
    unpooled = network.unpooled(images)[0]
    wanted = {}
    for dy in range(3):
        for dx in range(3):
            pooled = F.max_pool2d(unpooled[None, :, dy:, dx:], 3, 3)[0]
            high, wide = pooled.shape[1] - 2, pooled.shape[2] - 2
            for i in range(high):
                for j in range(wide):
                    row = pooled[:, i : i + 3, j : j + 3].reshape(1, -1)
                    wanted[3 * i + dy, 3 * j + dx] = network.fc3(F.relu(network.fc2(row)))[0]
    assert {(i, j) for i in range(found.shape[0]) for j in range(found.shape[1])} == set(wanted)
    for (i, j), logits in wanted.items():
        assert torch.allclose(found[i, j], logits, atol=1e-6), (i, j)


@torch.no_grad()
@pytest.mark.parametrize("scale", range(6))
def test_overfeat_s_table_of_map_sizes(scale: int):
    # Sermanet et al. 2013, table 5: the map before the pool, after it, the classifier's, and that of all offsets.
    before = ((17, 17), (20, 23), (23, 29), (29, 35), (32, 38), (35, 44))[scale]
    pooled = ((5, 5), (6, 7), (7, 9), (9, 11), (10, 12), (11, 14))[scale]
    places = ((1, 1), (2, 3), (3, 5), (5, 7), (6, 8), (7, 10))[scale]
    with torch.device("meta"):
        network = models.build("overfeat_accurate", 10, width=0.02).eval()
    network = network.to_empty(device="cpu")
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    image = torch.zeros(1, 3, *ACCURATE[scale])
    assert network.unpooled(image).shape[2:] == before
    assert network.features(image).shape[2:] == pooled
    assert dense(network, WHOLE, 221).logits(image).shape[1:3] == places
    fine = dense(network, Dense(short_sides=(221,), offsets=3), 221).logits(image)
    assert fine.shape[1:3] == (3 * places[0], 3 * places[1])
    fast = models.build("overfeat_fast", 10, width=0.02)
    other = torch.zeros(1, 3, *FAST[scale])
    assert dense(fast, WHOLE, 231).logits(other).shape[1:3] == places, "the sizes for the fast one give as many"
    assert dense(fast, Dense(short_sides=(231,), offsets=2), 231).logits(other).shape[1:3] == (
        2 * places[0],
        2 * places[1],
    )


@torch.no_grad()
def test_vgg_on_its_own_size_is_the_network_with_full_layers():
    # Simonyan and Zisserman 2014: claim 9 of every implementation; narrow, so that it is quick.
    torch.manual_seed(0)
    network, images = models.build("vgg16", 10, width=0.1).eval(), noise(2, 3, 224, 224)
    found = dense(network, WHOLE, 224)
    assert found.logits(images).shape == (2, 1, 1, 10)
    own = network(images)
    assert torch.allclose(found(images), own, atol=1e-5 * float(own.abs().max()))


@torch.no_grad()
def test_vgg_s_map_has_a_thirty_second_of_the_side_less_six():
    network = models.build("vgg11", 4, width=0.02).eval()
    for side, places in ((224, 1), (256, 2), (288, 3), (352, 5), (384, 6)):
        assert dense(network, WHOLE, 224).logits(torch.zeros(1, 3, 224, side)).shape[1:3] == (1, places)


@torch.no_grad()
def test_of_a_padded_network_the_inner_places_are_the_sliding_window_s():
    # Two 3 x 3 with padding see two pixels past their map: windows that touch no edge of the image agree with crops
    # that are wider by what is padded, and nothing is promised of the others.
    torch.manual_seed(0)
    padded = nn.Sequential(
        OrderedDict(conv1=nn.Conv2d(3, 4, 3, padding=1), relu=nn.ReLU(), conv2=nn.Conv2d(4, 4, 3, padding=1))
    )

    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.fc1 = padded, nn.Linear(4 * 25, 3)

        def features(self, images: Tensor) -> Tensor:
            return self.trunk(images)

        def forward(self, images: Tensor) -> Tensor:
            return self.fc1(self.features(images).flatten(1))

    network, image = Padded().eval(), noise(1, 3, 16, 16)
    found = dense(network, WHOLE, 5).logits(image)[0]
    assert found.shape == (12, 12, 3)
    differ = 0
    for i in range(2, 10):
        for j in range(2, 10):
            wide = padded(crop(image, i - 2, j - 2, 9))[:, :, 2:7, 2:7]  # the padding is outside of these
            assert torch.allclose(found[i, j], network.fc1(wide.flatten(1))[0], atol=1e-6)
            differ += not torch.allclose(found[i, j], network(crop(image, i, j, 5))[0], atol=1e-4)
    assert differ > 0, "a crop sees zeros at its borders, dense evaluation the neighbouring image"


@torch.no_grad()
@pytest.mark.parametrize("model", ["resnet18", "googlenet", "nin", "se_resnet50"])
def test_where_the_head_is_a_global_mean_the_mean_of_all_places_is_the_network_itself(model: str):
    torch.manual_seed(0)
    network, images = models.build(model, 10, width=0.1).eval(), noise(2, 3, 256, 341)
    own = network(images)
    found = dense(network, WHOLE, 224)
    assert torch.allclose(found(images), own, atol=1e-5 * float(own.abs().max()) + 1e-6)
    assert torch.allclose(found.logits(images).mean((1, 2)), own, atol=1e-4 * float(own.abs().max()) + 1e-6)


@torch.no_grad()
def test_what_is_reduced_over_places_and_how_is_the_protocol_s():
    network, images = toy(), noise(1, 3, 41, 53)
    logits = dense(network, WHOLE, SIZE).logits(images)[0].flatten(0, 1)
    wanted = {
        ("mean", "logits"): logits.mean(0),
        ("max", "logits"): logits.max(0).values,
        ("mean", "probabilities"): logits.softmax(1).mean(0),
        ("max", "probabilities"): logits.softmax(1).max(0).values,
    }
    for (over, places), values in wanted.items():
        protocol = Dense(short_sides=(64,), over=over, places=places)
        assert torch.allclose(dense(network, protocol, SIZE)(images)[0], values, atol=1e-6), (over, places)
    assert len({tuple(values.tolist()) for values in wanted.values()}) == 4


@torch.no_grad()
def test_a_network_of_several_full_layers_on_a_single_pixel_is_not_averaged_before_them():
    torch.manual_seed(0)
    network, images = models.build("vgg11", 6, image_size=32, width=0.1).eval(), 10 * noise(1, 3, 96, 96)
    found = dense(network, WHOLE, 32)
    assert found.side == 1
    assert torch.allclose(found(images), found.logits(images).mean((1, 2)), atol=1e-6)


@pytest.mark.sampled
@torch.no_grad()
@pytest.mark.parametrize("model", {build.__module__: name for name, build in reversed(models.MODELS.items())}.values())
def test_every_family_looks_densely(model: str):
    size = models.paper_size(model)
    network = models.build(model, 5, width=0.03).eval()
    for parameter in network.parameters():
        parameter.data += 1e-3  # of so narrow a network some maps are all zero otherwise
    found = dense(network, WHOLE, size, model)
    if found.side > 1:
        assert found(torch.zeros(1, 3, size, size + 64)).shape == (1, 5)


@torch.no_grad()
@pytest.mark.parametrize("engine", ["fp32", "bf16"])
def test_engines_compute_it_for_images_of_any_size(engine: str):
    torch.manual_seed(0)
    network = dense(models.build("resnet18", 10, width=0.1), WHOLE, 224)
    run = prepared(network, engine, torch.empty(0))
    for shape in ((1, 3, 224, 300), (2, 3, 256, 256)):
        images = noise(*shape)
        own = network(images)
        assert torch.allclose(run(images), own, atol=(1e-5 if engine == "fp32" else 5e-2) * float(own.abs().max()))


def test_a_head_that_cannot_become_a_convolution_is_refused_with_both_sides():
    network = models.build("vgg11_bn", 5, image_size=96, width=0.03)
    with pytest.raises(
        SpecError, match=r"vgg11_bn at 96 pixels brings its last map of 3 x 3 to 7 x 7: .* dense protocol"
    ):
        dense(network, WHOLE, 96, "vgg11_bn")

    class Odd(Toy):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) + images.mean()

    with pytest.raises(
        SpecError, match=r"toy has a head behind its last map that cannot become a convolution, and a d"
    ):
        dense(Odd().eval(), WHOLE, SIZE, "toy")
    with pytest.raises(SpecError, match=r"toy does not say which map its last layers see"):
        dense(nn.Linear(3, 4), WHOLE, SIZE, "toy")
    unfit = toy()
    unfit.conv1 = nn.Conv2d(3, 6, 3, stride=2)
    with pytest.raises(SpecError, match=r"toy: a full layer of 45 inputs does not fit a last map of 6"):
        dense(unfit, WHOLE, SIZE, "toy")


def test_offsets_that_a_network_does_not_have_are_refused_with_both_sides():
    three = Dense(short_sides=(224,), offsets=3)
    with pytest.raises(SpecError, match=r"3 x 3 offsets of the last pooling are asked for and resnet18 has no pooling"):
        dense(models.build("resnet18", 5, width=0.03), three, 224, "resnet18")
    with pytest.raises(
        SpecError, match=r"asked for and that of overfeat_fast moves by 2 pixels: use 2 x 2 offsets, or o"
    ):
        dense(models.build("overfeat_fast", 5, width=0.03), three, 231, "overfeat_fast")


def test_an_image_smaller_than_the_window_is_refused_with_both_sizes():
    with pytest.raises(
        SpecError, match=r"an image of 16 x 30 pixels is smaller than what the network looks at: .* 3 x 3"
    ):
        dense(toy(), WHOLE, SIZE).logits(torch.zeros(1, 3, 30, 16))
