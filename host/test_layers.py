"""Layers: lowering against a convolution written out, transposes, pooling, and gradients against finite differences."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from host.fixed import (
    DynamicRule,
    FixedConfig,
    FixedNet,
    FloatNet,
    Rounding,
    TrainConfig,
    init_layers,
    softmax_error,
)
from host.layers import INPUT, Conv, Dense, Pool, check_layers, conv3, dense, wires
from host.network import load_network

CONV = conv3(4, 2, 3)
SMALL = (conv3(8, 1, 2), conv3(4, 2, 3), Dense(12, 4))
# A block with a convolution beside it and pooling that overlaps, one without, a mean; a convolution in groups.
RESIDUAL = (
    Conv((8, 8), 1, 4),
    Conv((8, 8), 4, 4, (1, 1), (2, 2), (0, 0), linear=True),
    Conv((8, 8), 4, 4, stride=(2, 2), groups=2, source=0),
    Conv((4, 4), 4, 4, add=(1,), pooling=Pool((3, 3), (1, 1), (1, 1))),
    Conv((4, 4), 4, 4),
    Conv((4, 4), 4, 4, add=(3,), pooling=Pool((3, 3), (3, 3), average=True)),
    Dense(4, 4),
)


def _rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_columns_times_weights_is_the_convolution() -> None:
    x, w = _rng().integers(-9, 10, (3, 32)), _rng().integers(-9, 10, CONV.shape)
    kernel, images = w.reshape(3, 3, 2, 3), x.reshape(3, 4, 4, 2)
    y = (CONV.columns(x) @ w).reshape(3, 4, 4, 3)
    for row in range(4):
        for col in range(4):
            expected = np.zeros((3, 3), np.int64)
            for a in range(3):
                for b in range(3):
                    if 0 <= row + a - 1 < 4 and 0 <= col + b - 1 < 4:
                        expected += images[:, row + a - 1, col + b - 1] @ kernel[a, b]
            assert np.array_equal(y[:, row, col], expected)


def _convolved(layer: Conv, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """(R x n), place by place."""
    (rows, cols), (a, b), (down, right), (top, left) = layer.size, layer.kernel, layer.stride, layer.padding
    images = x.reshape(-1, rows, cols, layer.channels_in)
    kernel = w.reshape(a, b, layer.channels_in, layer.channels_out)
    y = np.zeros((len(images), *layer.made, layer.channels_out), np.int64)
    for row, col in product(range(layer.made[0]), range(layer.made[1])):
        for i, j in product(range(a), range(b)):
            at, to = down * row + i - top, right * col + j - left
            if 0 <= at < rows and 0 <= to < cols:
                y[:, row, col] += images[:, at, to] @ kernel[i, j]
    return y.reshape(-1, layer.channels_out)


GENERAL = [
    Conv((5, 7), 2, 3, (3, 2), (2, 1), (1, 0)),
    Conv((6, 6), 4, 6, (1, 1), (2, 2), (0, 0)),
    Conv((6, 5), 4, 6, (5, 3), (1, 2), (4, 2), groups=2),  # the widest padding
    Conv((4, 4), 3, 3, (3, 3), (3, 3), (0, 1), groups=3),  # places of the input that nobody takes
]


@pytest.mark.parametrize("layer", GENERAL)
def test_columns_of_any_convolution(layer: Conv) -> None:
    rng = _rng()
    x, w = rng.integers(-9, 10, (2, layer.features[0])), rng.integers(-9, 10, layer.shape)
    w = w if layer.absent is None else np.where(layer.absent, 0, w)
    assert np.array_equal(layer.columns(x) @ w, _convolved(layer, x, w))


def test_groups_keep_apart() -> None:
    """A group's outputs are those of a convolution of its own."""
    layer, rng = Conv((4, 4), 4, 6, groups=2), _rng()
    x, w = rng.integers(-9, 10, (2, 64)), np.where(layer.absent, 0, rng.integers(-9, 10, layer.shape))
    y = (layer.columns(x) @ w).reshape(2, 16, 2, 3)
    for group in range(2):
        mine = x.reshape(2, 16, 2, 2)[:, :, group].reshape(2, -1)
        part = w.reshape(9, 2, 2, 2, 3)[:, group, :, group].reshape(18, 3)
        assert np.array_equal(_convolved(Conv((4, 4), 2, 3), mine, part).reshape(2, 16, 3), y[:, :, group])
    assert layer.fan_in == 18


@pytest.mark.parametrize(
    "pooling",
    [Pool(), Pool((3, 3), (2, 2), (1, 1)), Pool((2, 3), (3, 3)), Pool((3, 2), (1, 2), average=True)],
)
def test_spread_is_the_transpose_of_pool(pooling: Pool) -> None:
    """<dP, pool(y)> = <spread(dP), y>, with windows that overlap, leave places out or are padded."""
    layer = Conv((6, 7), 2, 3, pooling=pooling)
    y = _rng().random((2 * layer.places, 3)) + 0.1
    out, shut, route = layer.pool(y, np.zeros(y.shape, bool))
    assert out.shape == (2, layer.features[1])
    assert not shut.any()
    dp = _rng().random(out.shape)
    assert (dp * out).sum() == pytest.approx((layer.spread(dp, route) * y).sum())
    rows, cols = layer.given
    image = y.reshape(2, *layer.made, 3)
    for row, col in product(range(rows), range(cols)):
        top, left = (
            at * step - border for at, step, border in zip((row, col), pooling.stride, pooling.padding, strict=True)
        )
        window = image[:, max(0, top) : top + pooling.size[0], max(0, left) : left + pooling.size[1]]
        want = window.mean(axis=(1, 2)) if pooling.average else window.max(axis=(1, 2))
        assert np.allclose(out.reshape(2, rows, cols, 3)[:, row, col], want)


def test_the_mean_of_integers_rounds_to_even_and_closed_places_get_no_error() -> None:
    layer = Conv((2, 2), 1, 1, pooling=Pool(average=True))
    y = np.array([[1], [1], [2], [2], [3], [3], [2], [2]])
    out, shut, route = layer.pool(y, y == 1)
    assert out.tolist() == [[2], [2]]
    assert not shut.any()
    assert layer.spread(np.array([[4.0], [8.0]]), route).ravel().tolist() == [0, 0, 1, 1, 2, 2, 2, 2]


def test_who_feeds_whom() -> None:
    net = wires(RESIDUAL)
    assert net.source == (INPUT, 0, 0, 2, 3, 4, 5)
    assert net.takes == (0, 1, 1, 3, 4, 5, 6)
    assert net.gives == (1, 4, 3, 4, 5, 6, -1)
    assert net.errs == (0, 3, 2, 3, 4, 5, 6)
    assert net.adds == (True, False, False, True, False, True, True)


@pytest.mark.parametrize("layer", [CONV, Dense(5, 7), *GENERAL])
def test_bp_is_the_transpose_of_fp(layer: Conv | Dense) -> None:
    """<dY, W x> = <W' dY, x> for every x and dY, exactly on integers."""
    rng = _rng()
    x, w = rng.integers(-9, 10, (2, layer.features[0])), rng.integers(-9, 10, layer.shape)
    dy = rng.integers(-9, 10, (2 * layer.places, layer.shape[1]))
    dx = layer.from_rows(layer.back_columns(dy) @ layer.back_weights(w))
    assert dx.shape == x.shape
    assert layer.back_columns(dy).shape[1] == layer.back_length
    assert (dy * (layer.columns(x) @ w)).sum() == (dx * x).sum()
    assert np.array_equal(layer.from_rows(layer.to_rows(x)), x)


def test_pooling_takes_the_largest_and_spreads_back_to_it() -> None:
    y = _rng().integers(0, 4, (2 * 16, 3))
    closed = y <= 1
    out, shut, route = CONV.pool(y, closed)
    images, off = y.reshape(2, 2, 2, 2, 2, 3), closed.reshape(2, 2, 2, 2, 2, 3)
    assert np.array_equal(out, images.max(axis=(2, 4)).reshape(2, 12))
    assert np.array_equal(shut, off.all(axis=(2, 4)).reshape(2, 12))
    back = CONV.spread(np.arange(1, 25).reshape(2, 12), route)
    assert sorted(back[back != 0].tolist()) == list(range(1, 25))
    assert np.array_equal(np.sort(y[back != 0]), np.sort(out.ravel()))


def test_pooling_prefers_an_open_place_among_equal_values() -> None:
    y = np.zeros((4, 1), np.int64)  # sums that rounded to 0; only the last was positive
    _, shut, route = conv3(2, 1, 1).pool(y, np.array([[True], [True], [True], [False]]))
    assert (route.item(), shut.item()) == (3, False)


@pytest.mark.parametrize("layers", [SMALL, RESIDUAL], ids=["cnn", "residual"])
def test_gradients_against_finite_differences(layers: tuple[Conv | Dense, ...]) -> None:
    rng = _rng()
    net = FloatNet(layers, init_layers(layers, rng), TrainConfig())
    net.params = net.params.copy(np.float64)
    pixels, labels = rng.random((4, 64)).astype(np.float32), rng.integers(0, 4, 4)
    _, grad_w, grad_b = net.gradients(pixels, labels)
    small = 1e-5
    for tensors, grads in ((net.params.weights, grad_w), (net.params.biases, grad_b)):
        for tensor, grad in zip(tensors, grads, strict=True):
            present = np.flatnonzero((tensor != 0) | (tensor.ndim == 1))  # others are between groups
            for at in rng.choice(present, min(len(present), 12), replace=False):
                values = []
                for sign in (1, -1):
                    tensor.flat[at] += sign * small
                    values.append(softmax_error(net.logits(pixels), labels)[0])
                    tensor.flat[at] -= sign * small
                assert (values[0] - values[1]) / (2 * small) == pytest.approx(grad.flat[at], rel=2e-3, abs=2e-6)


@pytest.mark.parametrize("layers", [SMALL, dense((64, 12, 4)), RESIDUAL])
def test_16_bits_give_the_gradients_of_float32(layers: tuple[Conv | Dense, ...]) -> None:
    rng = _rng()
    start = init_layers(layers, rng)
    wide = FixedConfig(16, 16, 16, error_rounding=Rounding.NEAREST_EVEN)
    fixed = FixedNet(layers, start, TrainConfig(), wide, rng, DynamicRule(wide))
    pixels, labels = rng.random((16, 64)), rng.integers(0, 4, 16)
    done = fixed.compute(pixels, labels)
    loss, grad_w, grad_b = FloatNet(layers, start, TrainConfig()).gradients(pixels, labels)
    assert done.step.loss == pytest.approx(loss, rel=1e-3)
    for mine, theirs in zip((*done.grad_w, *done.grad_b), (*grad_w, *grad_b), strict=True):
        assert np.abs(mine - theirs).max() <= 3e-3 * np.abs(theirs).max()


def test_networks_fit() -> None:
    for name in ("mlp", "cnn"):
        layers = load_network(name).lowered
        check_layers(layers)
        assert (layers[0].features[0], layers[-1].features[1]) == (64, 10)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "at least one layer"),
        ((conv3(8, 1, 8),), "last one is Dense"),
        ((Dense(4, 3), Dense(4, 2)), "layer 1 gives 3 features, layer 2 takes 4"),
    ],
)
def test_networks_that_do_not_fit(layers: tuple[Conv | Dense, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        init_layers(layers, _rng())
