"""Networks as lists of layers, and what a host does around the matrix products of one: lowering of a convolution to a
product (im2col), pooling, and their transposes.

Between layers a tensor is (batch x features), an image's features in the order row, column, channel. Layer l with
input X, weights W, output Y and error dY (of Y before ReLU) computes, R rows = batch times output places:

===== =========================== ====================== ===================================
GEMM  broadcast                   stationary             result
===== =========================== ====================== ===================================
fp    `columns(X)` (R x k)        W (k x n)              Y (R x n), then ReLU, then `pool`
bp    `back_columns(dY)`          `back_weights(W)`      dX, as `to_rows` lays out the input
wg    dY^T (n x R)                `columns(X)` (R x k)   dW^T (n x k)
===== =========================== ====================== ===================================

Works on any dtype, exactly: values are moved, never computed with. Errors: ValueError for layers that do not fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.common.floats import uniform

Array = npt.NDArray[np.generic]
BoolArray = npt.NDArray[np.bool_]
KERNEL = 3  # convolutions are 3 x 3 with a border of zeros, so that an image keeps its size
POOL = 2  # pooling takes the largest of 2 x 2


@dataclass(frozen=True)
class Dense:
    """Every output from every input."""

    inputs: int
    outputs: int

    @property
    def shape(self) -> tuple[int, int]:
        """(k, n): of the weights."""
        return self.inputs, self.outputs

    @property
    def features(self) -> tuple[int, int]:
        """Of the input and of the output."""
        return self.inputs, self.outputs

    @property
    def places(self) -> int:
        """R, of one image."""
        return 1

    @property
    def back_length(self) -> int:
        """Inner length of bp."""
        return self.outputs

    def columns(self, x: Array) -> Array:
        """(R x k) from (batch x features)."""
        return x

    def pool(self, y: Array, closed: BoolArray) -> tuple[Array, BoolArray, None]:
        """(batch x features) from (R x n), with the same of `closed` (ReLU' = 0), and what `spread` needs."""
        return y, closed, None

    def spread(self, dy: Array, route: None) -> Array:
        """Transpose of `pool`: (R x n) from (batch x features)."""
        return dy

    def back_columns(self, dy: Array) -> Array:
        """Broadcast operand of bp from dY (R x n)."""
        return dy

    def back_weights(self, w: Array) -> Array:
        """Stationary operand of bp from W."""
        return np.ascontiguousarray(w.T)

    def to_rows(self, x: Array) -> Array:
        """(batch x features of the input) as bp's result is laid out."""
        return x

    def from_rows(self, dx: Array) -> Array:
        """The inverse."""
        return dx


@dataclass(frozen=True)
class Conv:
    """3 x 3 convolution of `side` x `side` images with a border of zeros, ReLU, largest of 2 x 2."""

    side: int
    channels_in: int
    channels_out: int

    @property
    def shape(self) -> tuple[int, int]:
        """(k, n): of the weights; k in the order row, column, channel."""
        return KERNEL * KERNEL * self.channels_in, self.channels_out

    @property
    def features(self) -> tuple[int, int]:
        """Of the input and of the output."""
        places = self.side * self.side
        return places * self.channels_in, places // POOL**2 * self.channels_out

    @property
    def places(self) -> int:
        """R, of one image."""
        return self.side * self.side

    @property
    def back_length(self) -> int:
        """Inner length of bp."""
        return KERNEL * KERNEL * self.channels_out

    def _patches(self, x: Array, channels: int) -> Array:
        images = x.reshape(-1, self.side, self.side, channels)
        bordered = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
        # (batch, row, column, channel, kernel row, kernel column)
        windows = np.lib.stride_tricks.sliding_window_view(bordered, (KERNEL, KERNEL), axis=(1, 2))
        return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, KERNEL * KERNEL * channels)

    def columns(self, x: Array) -> Array:
        """(R x k) from (batch x features)."""
        return self._patches(x, self.channels_in)

    def pool(self, y: Array, closed: BoolArray) -> tuple[Array, BoolArray, npt.NDArray[np.int64]]:
        """(batch x features) from (R x n), with the same of `closed` (ReLU' = 0), and what `spread` needs.

        Of equal values (several positive sums can round to one operand, or to 0) an open one wins, then the first.
        """
        windows, shut = self._windows(y), self._windows(closed)
        top = windows.max(axis=2, keepdims=True)
        route = ((windows == top) * (2 - shut.astype(np.int8))).argmax(axis=2)
        return self._flat(top[:, :, 0]), self._flat(shut.all(axis=2)), route

    def spread(self, dy: Array, route: npt.NDArray[np.int64]) -> Array:
        """Transpose of `pool`: (R x n) from (batch x features); zero where `pool` took nothing from."""
        half = self.side // POOL
        values = dy.reshape(len(route), half * half, 1, self.channels_out)
        windows = np.zeros((len(route), half * half, POOL * POOL, self.channels_out), dy.dtype)
        np.put_along_axis(windows, route[:, :, None], values, axis=2)
        rows = windows.reshape(-1, half, half, POOL, POOL, self.channels_out).transpose(0, 1, 3, 2, 4, 5)
        return rows.reshape(-1, self.channels_out)

    def _windows(self, y: Array) -> Array:
        """(batch, place, 4, n) from (R x n)."""
        half = self.side // POOL
        parts = y.reshape(-1, half, POOL, half, POOL, self.channels_out).transpose(0, 1, 3, 2, 4, 5)
        return parts.reshape(-1, half * half, POOL * POOL, self.channels_out)

    def _flat(self, y: Array) -> Array:
        return y.reshape(len(y), -1)

    def back_columns(self, dy: Array) -> Array:
        """Broadcast operand of bp from dY (R x n)."""
        return self._patches(dy, self.channels_out)

    def back_weights(self, w: Array) -> Array:
        """Stationary operand of bp from W: the kernel turned by half a turn, channels exchanged."""
        kernel = w.reshape(KERNEL, KERNEL, self.channels_in, self.channels_out)[::-1, ::-1]
        return np.ascontiguousarray(kernel.transpose(0, 1, 3, 2)).reshape(-1, self.channels_in)

    def to_rows(self, x: Array) -> Array:
        """(batch x features of the input) as bp's result is laid out."""
        return x.reshape(-1, self.channels_in)

    def from_rows(self, dx: Array) -> Array:
        """The inverse."""
        return dx.reshape(-1, self.features[0])


Layer = Dense | Conv

MLP: tuple[Layer, ...] = (Dense(64, 64), Dense(64, 32), Dense(32, 10))
CNN: tuple[Layer, ...] = (Conv(8, 1, 8), Conv(4, 8, 16), Dense(64, 10))
NETWORKS: dict[str, tuple[Layer, ...]] = {"mlp": MLP, "cnn": CNN}


def dense(sizes: Sequence[int]) -> tuple[Layer, ...]:
    """Fully connected layers. Raises ValueError if `sizes` is no network."""
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"a network has at least an input and an output size, all >= 1, not {tuple(sizes)}")
    return tuple(Dense(n_in, n_out) for n_in, n_out in pairwise(sizes))


def check_layers(layers: Sequence[Layer]) -> None:
    """Raises ValueError unless every layer takes what the one below gives and the last one has no ReLU."""
    if not layers or not isinstance(layers[-1], Dense):
        raise ValueError("a network has at least one layer, and the last one is Dense")
    for number, (below, above) in enumerate(pairwise(layers), start=1):
        if below.features[1] != above.features[0]:
            raise ValueError(
                f"layer {number} gives {below.features[1]} features, layer {number + 1} takes {above.features[0]}"
            )
    if any(isinstance(each, Conv) and each.side % POOL for each in layers):
        raise ValueError(f"pooling needs images whose side is a multiple of {POOL}")


def start_weights(layers: Sequence[Layer], rng: np.random.Generator) -> list[npt.NDArray[np.float64]]:
    """He-uniform weights (limit sqrt(6 / k)), float64. Uniform, because that repeats bit by bit."""
    return [uniform(rng, -1.0, 1.0, each.shape) * math.sqrt(6.0 / each.shape[0]) for each in layers]
