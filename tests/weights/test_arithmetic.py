"""Caffe's arithmetic beside its formulas written as plain loops, where torch's would be something else."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.weights.arithmetic import BatchNorm, Dropout, Eltwise, Pooling, ResponseNorm, RoiPooling


def pooled(x: np.ndarray, kernel: int, stride: int, pad: int, average: bool) -> np.ndarray:
    """pooling_layer.cpp, Reshape and Forward_cpu, along both axes of one map."""
    sides = []
    for size in x.shape:
        out = math.ceil((size + 2 * pad - kernel) / stride) + 1
        if pad and (out - 1) * stride >= size + pad:
            out -= 1
        sides.append(out)
    result = np.zeros(sides)
    for i, j in np.ndindex(*sides):
        y, z = i * stride - pad, j * stride - pad
        end_y, end_z = min(y + kernel, x.shape[0] + pad), min(z + kernel, x.shape[1] + pad)
        area = (end_y - y) * (end_z - z)
        inside = x[max(y, 0) : min(end_y, x.shape[0]), max(z, 0) : min(end_z, x.shape[1])]
        result[i, j] = inside.sum() / area if average else inside.max()
    return result


@given(st.integers(3, 14), st.integers(3, 14), st.integers(1, 5), st.integers(1, 5), st.integers(0, 4), st.booleans())
def test_pools_round_up_and_clip_as_caffe_does(
    height: int, width: int, kernel: int, stride: int, pad: int, average: bool
) -> None:
    if pad >= kernel or kernel > min(height, width):
        return
    if not pad and any((math.ceil((n - kernel) / stride)) * stride >= n for n in (height, width)):
        return  # a window outside the image, which Caffe reads as well
    x = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    layer = Pooling(average, (kernel, kernel), (stride, stride), (pad, pad), floor=False)
    ours = layer(torch.from_numpy(x)[None, None])[0, 0].numpy()
    assert np.allclose(ours, pooled(x, kernel, stride, pad, average), atol=1e-6)


def test_an_average_counts_the_padding_but_not_what_hangs_over_it() -> None:
    x = torch.ones(1, 1, 4, 4)
    corner = Pooling(True, (3, 3), (2, 2), (1, 1), floor=False)(x)[0, 0]
    assert corner[0, 0] == pytest.approx(4 / 9)
    assert corner[2, 2] == pytest.approx(1 / 4), "one pixel inside, and a window of two by two up to the padding"


@pytest.mark.parametrize("k", [1.0, 2.0])
def test_response_norm_across_channels_divides_alpha_by_the_window(k: float) -> None:
    x = torch.randn(1, 6, 2, 2)
    ours = ResponseNorm(3, 0.5, 0.75, k, within=False)(x)
    for c in range(6):
        squares = (x[:, max(0, c - 1) : c + 2] ** 2).sum(1)
        assert torch.allclose(ours[:, c], x[:, c] / (k + 0.5 / 3 * squares) ** 0.75)


def test_response_norm_within_a_channel_divides_by_the_whole_window_and_ignores_k() -> None:
    x = torch.randn(1, 2, 4, 4)
    ours = ResponseNorm(3, 0.5, 0.75, k=9.0, within=True)(x)
    corner = (x[0, 0, :2, :2] ** 2).sum() / 9
    assert ours[0, 0, 0, 0] == pytest.approx(float(x[0, 0, 0, 0] * (1 + 0.5 * corner) ** -0.75), rel=1e-5)


@pytest.mark.parametrize(("factor", "mean"), [(999.98, 3.0), (0.0, 0.0)])
def test_batch_norm_divides_its_sums_by_the_stored_factor(factor: float, mean: float) -> None:
    norm = BatchNorm(1, eps=1e-5, batch=False)
    norm.mean, norm.variance = torch.tensor([3.0 * factor]), torch.tensor([4.0 * factor])
    norm.factor = torch.tensor([factor])
    norm.settle()
    x = torch.full((1, 1, 1, 1), 5.0)
    deviation = math.sqrt((4.0 if factor else 0.0) + 1e-5)
    assert float(norm(x)) == pytest.approx((5 - mean) / deviation, rel=1e-5)


def test_dropout_that_does_not_scale_in_training_scales_at_test_time() -> None:
    x = torch.ones(1000)
    assert (Dropout(0.4, scaled=False).eval()(x) == 0.6).all()
    assert set(Dropout(0.4, scaled=False).train()(x).unique().tolist()) == {0.0, 1.0}
    assert (Dropout(0.4, scaled=True).eval()(x) == 1).all()


def test_eltwise_takes_coefficients_products_and_maxima() -> None:
    a, b = torch.tensor([1.0, -2.0]), torch.tensor([4.0, 3.0])
    assert Eltwise("SUM", (2.0, -0.5))(a, b).tolist() == [0.0, -5.5]
    assert Eltwise("PROD", ())(a, b).tolist() == [4.0, -6.0]
    assert Eltwise("MAX", ())(a, b).tolist() == [4.0, 3.0]


def test_regions_are_rounded_away_from_zero_and_end_inside() -> None:
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    whole = torch.tensor([[0.0, 0.0, 0.0, 7.0, 7.0]])
    assert RoiPooling(2, 2, 1.0)(x, whole).flatten().tolist() == [27.0, 31.0, 59.0, 63.0]
    half = torch.tensor([[0.0, 1.0, 3.0, 1.0, 3.0]])  # 0.5 goes to 1 and 1.5 to 2: one pixel in every bin
    assert RoiPooling(2, 2, 0.5)(x, half).flatten().tolist() == [17.0] * 4


def test_a_bin_outside_the_map_is_zero() -> None:
    x = torch.full((1, 1, 4, 4), -5.0)
    outside = RoiPooling(2, 2, 1.0)(x, torch.tensor([[0.0, 2.0, 2.0, 9.0, 9.0]]))
    assert outside.flatten().tolist() == [-5.0, 0.0, 0.0, 0.0]
