"""Layers: lowering against a convolution written out, transposes, pooling, and gradients against finite differences."""

from __future__ import annotations

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
from host.layers import CNN, MLP, Conv, Dense, check_layers, dense

CONV = Conv(4, 2, 3)
SMALL = (Conv(8, 1, 2), Conv(4, 2, 3), Dense(12, 4))


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


@pytest.mark.parametrize("layer", [CONV, Dense(5, 7)])
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
    _, shut, route = Conv(2, 1, 1).pool(y, np.array([[True], [True], [True], [False]]))
    assert (route.item(), shut.item()) == (3, False)


def test_gradients_of_the_cnn_against_finite_differences() -> None:
    rng = _rng()
    net = FloatNet(SMALL, init_layers(SMALL, rng), TrainConfig())
    net.params = net.params.copy(np.float64)
    pixels, labels = rng.random((4, 64)).astype(np.float32), rng.integers(0, 4, 4)
    _, grad_w, grad_b = net.gradients(pixels, labels)
    small = 1e-5
    for tensors, grads in ((net.params.weights, grad_w), (net.params.biases, grad_b)):
        for tensor, grad in zip(tensors, grads, strict=True):
            for at in rng.choice(tensor.size, min(tensor.size, 12), replace=False):
                values = []
                for sign in (1, -1):
                    tensor.flat[at] += sign * small
                    values.append(softmax_error(net.logits(pixels), labels)[0])
                    tensor.flat[at] -= sign * small
                assert (values[0] - values[1]) / (2 * small) == pytest.approx(grad.flat[at], rel=2e-3, abs=2e-6)


@pytest.mark.parametrize("layers", [SMALL, dense((64, 12, 4))])
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
    for layers in (MLP, CNN):
        check_layers(layers)
        assert (layers[0].features[0], layers[-1].features[1]) == (64, 10)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "at least one layer"),
        ((Conv(8, 1, 8),), "last one is Dense"),
        ((Dense(4, 3), Dense(4, 2)), "layer 1 gives 3 features, layer 2 takes 4"),
        ((Conv(3, 1, 2), Dense(4, 2)), "multiple of 2"),
    ],
)
def test_networks_that_do_not_fit(layers: tuple[Conv | Dense, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        init_layers(layers, _rng())
