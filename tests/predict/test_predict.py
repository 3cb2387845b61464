"""From views to one answer per image."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ilsvrc.predict.combine import over_views
from ilsvrc.predict.predict import Predictions, plain, predict
from ilsvrc.spec import Crops
from ilsvrc.train.loss import autocast

CPU = torch.device("cpu")
FULL = partial(autocast, CPU, "fp32")
LOGITS = torch.tensor([[[4.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])  # one image seen twice: sure of 0, then leaning to 1


def test_probabilities_are_averaged_over_views():
    # Krizhevsky et al. 2012, section 4.1: "averaging the predictions made by the network's softmax layer".
    one, other = torch.softmax(LOGITS[0, 0], 0), torch.softmax(LOGITS[0, 1], 0)
    assert torch.allclose(over_views(LOGITS, "probabilities"), ((one + other) / 2)[None])


def test_logits_are_averaged_before_the_softmax_where_the_protocol_says_so():
    assert torch.allclose(over_views(LOGITS, "logits"), torch.softmax(torch.tensor([[2.0, 0.5, 0.0]]), -1))
    assert not torch.allclose(over_views(LOGITS, "logits"), over_views(LOGITS, "probabilities"), atol=0.01)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_rows_sum_to_one_and_one_view_is_its_softmax(average: str):
    logits = torch.randn(5, 7, 11) * 20
    assert torch.allclose(over_views(logits, average).sum(1), torch.ones(5), atol=1e-5)
    assert torch.allclose(over_views(logits[:, :1], average), torch.softmax(logits[:, 0], -1), atol=1e-7)


def all_of(
    model: nn.Module,
    given: Iterator[tuple[tuple[str, ...], Tensor, np.ndarray]],
    protocol: Crops,
    context: object = FULL,
) -> Predictions:
    """What the network says of all batches."""
    found = list(predict(plain(model, context), given, protocol))
    return Predictions(
        tuple(name for batch in found for name in batch.names),
        np.concatenate([batch.probabilities for batch in found]),
        np.concatenate([batch.labels for batch in found]),
    )


class Sum(nn.Module):
    """Three logits: the mean of each channel. Notes what it is fed."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, affine=False, track_running_stats=True)
        self.fed: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        assert not self.training
        assert torch.is_inference_mode_enabled()
        assert images.is_contiguous(memory_format=torch.channels_last)
        self.fed.append(tuple(images.shape))
        return images.mean((2, 3))


def batches(sizes: list[int], views: int) -> Iterator[tuple[tuple[str, ...], Tensor, np.ndarray]]:
    generator = torch.Generator().manual_seed(0)
    first = 0
    for size in sizes:
        names = tuple(f"image {first + i}" for i in range(size))
        yield names, torch.randn(size, views, 3, 8, 8, generator=generator), np.arange(first, first + size) % 3
        first += size


def test_every_image_is_answered_once_under_its_name():
    model = Sum()
    found = all_of(model, batches([4, 4, 1], 10), Crops(layout="ten"))
    assert found.names == tuple(f"image {i}" for i in range(9))
    assert found.labels.tolist() == [i % 3 for i in range(9)]
    assert found.probabilities.shape == (9, 3)
    assert found.probabilities.dtype == np.float32
    assert model.fed == [(40, 3, 8, 8), (40, 3, 8, 8), (10, 3, 8, 8)], "nothing is padded"


def test_views_stay_with_their_image():
    found = all_of(Sum(), batches([4, 3], 10), Crops(layout="ten"))
    images = torch.cat([images for _, images, _ in batches([4, 3], 10)])
    wanted = torch.softmax(images.mean((3, 4)), -1).mean(1)
    assert found.probabilities == pytest.approx(wanted.numpy(), abs=1e-6)


def test_the_size_of_a_batch_changes_nothing():
    images = torch.cat([images for _, images, _ in batches([7], 2)])

    def cut(size: int) -> Iterator[tuple[tuple[str, ...], Tensor, np.ndarray]]:
        for first in range(0, 7, size):
            part = images[first : first + size]
            yield tuple(map(str, range(first, first + len(part)))), part, np.zeros(len(part), np.int64)

    answers = [all_of(Sum(), cut(size), Crops(layout="center")).probabilities for size in (1, 3, 7)]
    assert np.allclose(answers[0], answers[1], atol=1e-7)
    assert np.allclose(answers[0], answers[2], atol=1e-7)


def test_in_bf16_the_mean_is_still_taken_in_float32():
    class Fine(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean((2, 3)).bfloat16()

    found = all_of(Fine(), batches([3], 10), Crops(layout="ten"), partial(autocast, CPU, "bf16"))
    assert found.probabilities.dtype == np.float32
    assert found.probabilities.sum(1) == pytest.approx(1, abs=1e-5)
