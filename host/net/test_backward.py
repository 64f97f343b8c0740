"""BP and WG as products: exactly the transposes of FP, for every window; shapes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from host.net.backward import conv_passes, dense_passes
from host.net.lower import Lowered, LowerError, Window

WINDOWS = [
    ((5, 6), (3, 3), Window((1, 1), (1, 1, 1, 1), (1, 1))),
    ((7, 6), (3, 2), Window((2, 3), (1, 0, 1, 0), (1, 1))),  # places that no window reaches
    ((6, 5), (3, 3), Window((1, 2), (2, 1, 3, 2), (2, 1), 2)),
    ((4, 4), (1, 1), Window((1, 1), (2, 1, 0, 3), (1, 1))),  # windows in nothing but padding
    ((8, 8), (4, 4), Window((4, 4), (0, 0, 0, 0), (1, 1), 2)),
    ((5, 5), (2, 2), Window((3, 3), (3, 3, 3, 3), (1, 1))),
]


def _whole(lowered: Lowered) -> np.ndarray:
    rows = np.arange(lowered.shape[0])
    return np.stack([lowered.x(part, rows) @ lowered.w(part) for part in range(lowered.parts)])


def _conv(x: np.ndarray, w: np.ndarray, window: Window) -> np.ndarray:
    """(images, filters, ...) by loops over the definition."""
    (top, left, bottom, right), groups = window.pads, window.groups
    padded = np.pad(x, [(0, 0), (0, 0), (top, bottom), (left, right)])
    filters, channels = w.shape[:2]
    reach = [(k - 1) * d for k, d in zip(w.shape[2:], window.dilations, strict=True)]
    size = [(n - r - 1) // s + 1 for n, r, s in zip(padded.shape[2:], reach, window.strides, strict=True)]
    y = np.zeros((len(x), filters, *size), x.dtype)
    for f, i, j in np.ndindex(filters, *size):
        first = f // (filters // groups) * channels
        for c, a, b in np.ndindex(*w.shape[1:]):
            row, column = (
                place * stride + tap * dilation
                for place, stride, tap, dilation in zip((i, j), window.strides, (a, b), window.dilations, strict=True)
            )
            y[:, f, i, j] += padded[:, first + c, row, column] * w[f, c, a, b]
    return y


@pytest.mark.parametrize(("spatial", "kernel", "window"), WINDOWS)
def test_backward_passes_of_a_convolution(spatial: tuple[int, int], kernel: tuple[int, int], window: Window) -> None:
    rng, groups = np.random.default_rng(5), window.groups
    x, w = rng.integers(-9, 10, (2, 2 * groups, *spatial)), rng.integers(-9, 10, (3 * groups, 2, *kernel))
    y = _conv(x, w, window)
    dy = rng.integers(-9, 10, y.shape)
    forward, back, gradient = conv_passes(x, w, dy, window)
    images, filters, channels = len(x), len(w), x.shape[1]
    split = np.moveaxis(_whole(forward), 1, 2).reshape(filters, images, *y.shape[2:])
    assert np.array_equal(np.moveaxis(split, 0, 1), y)
    # Y is linear in X and in W: each error, each gradient is the change of <Y, dY> by a unit step.
    dx = np.moveaxis(np.moveaxis(_whole(back), 1, 2).reshape(channels, images, *spatial), 0, 1)
    dw = _whole(gradient).reshape(w.shape)
    units = np.eye(x[0].size, dtype=x.dtype).reshape(-1, *x.shape[1:])
    moved = _conv(units, w, window)
    assert np.array_equal(dx.reshape(images, -1), dy.reshape(images, -1) @ moved.reshape(len(units), -1).T)
    taps = np.eye(w[0].size, dtype=w.dtype).reshape(-1, *w.shape[1:])
    moved = _conv(x, np.concatenate([taps] * groups), window)
    for f in range(filters):
        first = f // (filters // groups) * len(taps)
        changes = moved[:, first : first + len(taps)]
        assert np.array_equal(dw[f].reshape(-1), (changes * dy[:, f : f + 1]).sum(axis=(0, 2, 3)))


def test_backward_passes_of_a_dense_layer() -> None:
    rng = np.random.default_rng(6)
    x, w, dy = (rng.integers(-9, 10, shape) for shape in ((4, 6), (3, 6), (4, 3)))
    forward, back, gradient = (_whole(each)[0] for each in dense_passes(x, w, dy))
    assert np.array_equal(forward, x @ w.T)
    assert np.array_equal(back, dy @ w)
    assert np.array_equal(gradient, dy.T @ x)


def test_errors_of_another_shape_are_refused() -> None:
    with pytest.raises(LowerError, match="are not those of"):
        dense_passes(np.ones((4, 6)), np.ones((3, 6)), np.ones((5, 3)))
    window = WINDOWS[0][2]
    for shape in ((2, 3, 5, 5), (1, 3, 5, 6), (2, 4, 5, 6)):
        with pytest.raises(LowerError):
            conv_passes(np.ones((2, 2, 5, 6)), np.ones((3, 2, 3, 3)), np.ones(shape), window)
