"""Networks as lists of layers, and what a host does around the matrix products of one: lowering of a convolution to a
product (im2col), pooling, residual additions, and their transposes.

Between layers a tensor is (batch x features), an image's features in the order row, column, channel. Layer l with
input X, weights W, output Y and error dY (of Y before ReLU) computes, R rows = batch times output places:

===== =========================== ====================== ===================================
GEMM  broadcast                   stationary             result
===== =========================== ====================== ===================================
fp    `columns(X)` (R x k)        W (k x n)              Y (R x n), then ReLU, then `pool`
bp    `back_columns(dY)`          `back_weights(W)`      dX, as `to_rows` lays out the input
wg    dY^T (n x R)                `columns(X)` (R x k)   dW^T (n x k)
===== =========================== ====================== ===================================

A convolution in groups is one product: W is zero where input and output are of two groups (`absent`).

A layer takes what the one before it gives, or what layer `source` gives (layers count from 0; -1: the network's input).
Before ReLU it adds what the layers `add` give. A `linear` layer has neither ReLU nor pooling: its sums are added to
those of a later layer. `wires` says who feeds whom.

Works on any dtype; only average pooling computes with values. Errors: ValueError for layers that do not fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.floats import uniform
from models.top.config import Windows

Array = npt.NDArray[np.generic]
BoolArray = npt.NDArray[np.bool_]
Pair = tuple[int, int]  # rows, columns
SHORT = 3  # channels of an image whose windows are made of joined rows
INPUT = -1  # as a source: what the network is given


@dataclass(frozen=True)
class Images:
    """What a lowered matrix is made of: its row number j is window number j of images with `values`, of which element i
    is the matrix' column `order`[i]."""

    windows: Windows
    values: Array
    order: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """Largest or mean (`average`) of a window; `padding` (none for a mean) are places that never win."""

    size: Pair = (2, 2)
    stride: Pair = (2, 2)
    padding: Pair = (0, 0)
    average: bool = False

    @property
    def moves(self) -> bool:
        """`spread` only moves values: no window meets another."""
        return not self.average and all(step >= size for step, size in zip(self.stride, self.size, strict=True))


@dataclass(frozen=True, kw_only=True)
class _Wired:
    """How a layer is wired (module's text), and what its first weights are multiplied by."""

    source: int | None = None
    add: tuple[int, ...] = ()
    linear: bool = False
    gain: float = 1.0


@dataclass(frozen=True)
class Dense(_Wired):
    """Every output from every input."""

    inputs: int
    outputs: int

    @property
    def shape(self) -> tuple[int, int]:
        """(k, n): of the weights."""
        return self.inputs, self.outputs

    @property
    def fan_in(self) -> int:
        """Inputs of an output."""
        return self.inputs

    @property
    def absent(self) -> BoolArray | None:
        """(k x n): True where there is no weight; None: nowhere."""
        return None

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

    @property
    def moves(self) -> bool:
        """`spread` only moves values."""
        return True

    def columns(self, x: Array) -> Array:
        """(R x k) from (batch x features)."""
        return x

    def images(self, x: Array) -> None:
        """Of `columns`: none."""

    def back_images(self, dy: Array) -> None:
        """Of `back_columns`: none."""

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
class Conv(_Wired):
    """Convolution of `size` images with a border of `padding` zeros, ReLU, pooling."""

    size: Pair
    channels_in: int
    channels_out: int
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Pair = (1, 1)
    groups: int = 1
    pooling: Pool | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(k, n): of the weights; k in the order row, column, channel."""
        return math.prod(self.kernel) * self.channels_in, self.channels_out

    @property
    def fan_in(self) -> int:
        """Inputs of an output."""
        return self.shape[0] // self.groups

    @property
    def absent(self) -> BoolArray | None:
        """(k x n): True where there is no weight; None: nowhere."""
        if self.groups == 1:
            return None
        of_input = np.arange(self.channels_in) * self.groups // self.channels_in
        of_output = np.arange(self.channels_out) * self.groups // self.channels_out
        return np.tile(of_input[:, None] != of_output, (math.prod(self.kernel), 1))

    @property
    def made(self) -> Pair:
        """Size of the image before pooling."""
        return _windows(self.size, self.kernel, self.stride, self.padding)

    @property
    def given(self) -> Pair:
        """Size of the image after pooling."""
        if self.pooling is None:
            return self.made
        return _windows(self.made, self.pooling.size, self.pooling.stride, self.pooling.padding)

    @property
    def features(self) -> tuple[int, int]:
        """Of the input and of the output."""
        return math.prod(self.size) * self.channels_in, math.prod(self.given) * self.channels_out

    @property
    def places(self) -> int:
        """R, of one image."""
        return math.prod(self.made)

    @property
    def back_length(self) -> int:
        """Inner length of bp."""
        return math.prod(self.kernel) * self.channels_out

    @property
    def moves(self) -> bool:
        """`spread` only moves values."""
        return self.pooling is None or self.pooling.moves

    def columns(self, x: Array) -> Array:
        """(R x k) from (batch x features)."""
        images = x.reshape(-1, *self.size, self.channels_in)
        rows, cols = self.padding
        return self._patches(np.pad(images, ((0, 0), (rows, rows), (cols, cols), (0, 0))), self.stride)

    def _patches(self, images: Array, stride: Pair) -> Array:
        # (batch, row, column, channel, kernel row, kernel column)
        windows = np.lib.stride_tricks.sliding_window_view(images, self.kernel, axis=(1, 2))
        windows = windows[:, :: stride[0], :: stride[1]]
        return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, math.prod(self.kernel) * images.shape[3])

    def images(self, x: Array) -> Images | None:
        """Of `columns`; None: these are no windows that move alike in rows and columns."""
        (rows, cols), (down, right), (border, edge) = self.size, self.stride, self.padding
        if down != right:
            return None
        index = np.arange(self.shape[0])
        if self.channels_in > SHORT or down > 1:
            return Images(Windows(self.channels_in, cols, rows, *self.kernel, border, edge, down), x.reshape(-1), index)
        # Rows of the kernel are so short that each would be a piece of its own: the host joins those of a column, and
        # a row of the image has all that its windows need.
        images = np.pad(x.reshape(-1, rows, cols, self.channels_in), ((0, 0), (border, border), (0, 0), (0, 0)))
        joined = np.stack([images[:, at : at + self.made[0]] for at in range(self.kernel[0])], axis=3)
        windows = Windows(self.kernel[0] * self.channels_in, cols, 1, 1, self.kernel[1], 0, edge)
        order = index.reshape(*self.kernel, self.channels_in).transpose(1, 0, 2).reshape(-1)
        return Images(windows, joined.reshape(-1), order)

    def back_images(self, dy: Array) -> Images | None:
        """Of `back_columns`; None: padding or stride make them no windows of dY."""
        border, edge = (kernel - 1 - padding for kernel, padding in zip(self.kernel, self.padding, strict=True))
        if self.stride != (1, 1) or min(border, edge) < 0:
            return None
        windows = Windows(self.channels_out, self.made[1], self.made[0], *self.kernel, border, edge)
        return Images(windows, dy.reshape(-1), np.arange(self.back_length))

    def pool(self, y: Array, closed: BoolArray) -> tuple[Array, BoolArray, Any]:
        """(batch x features) from (R x n), with the same of `closed` (ReLU' = 0), and what `spread` needs.

        Of equal values (several positive sums can round to one operand, or to 0) an open one wins, then the first.
        The mean of integers is rounded to nearest-even.
        """
        if self.pooling is None:
            return self._flat(y), self._flat(closed), None
        windows, shut = self._windows(y, 0), self._windows(closed, True)
        if self.pooling.average:
            mean = windows.sum(axis=-1) / np.asarray(windows.shape[-1], _float_of(y.dtype))
            out = mean if y.dtype.kind == "f" else np.rint(mean).astype(y.dtype)
            return self._flat(out), self._flat(shut.all(axis=-1)), closed
        top = windows.max(axis=-1, keepdims=True)
        route = ((windows == top) * (2 - shut.astype(np.int8))).argmax(axis=-1)
        return self._flat(top[..., 0]), self._flat(shut.all(axis=-1)), route

    def spread(self, dy: Array, route: Any) -> Array:
        """Transpose of `pool`: (R x n) from (batch x features); zero where `pool` took nothing from, or where a mean's
        value was closed."""
        if self.pooling is None:
            return dy.reshape(-1, self.channels_out)
        pooling = self.pooling
        values = dy.reshape(-1, *self.given, self.channels_out)
        (rows, cols), (border, edge) = self.made, pooling.padding
        images = np.zeros((len(values), rows + 2 * border, cols + 2 * edge, self.channels_out), dy.dtype)
        if pooling.average:
            values = values / np.asarray(math.prod(pooling.size), dy.dtype)
        for number, (a, b) in enumerate(product(range(pooling.size[0]), range(pooling.size[1]))):
            down = slice(a, a + pooling.stride[0] * (self.given[0] - 1) + 1, pooling.stride[0])
            right = slice(b, b + pooling.stride[1] * (self.given[1] - 1) + 1, pooling.stride[1])
            chosen = values if pooling.average else np.where(route == number, values, dy.dtype.type(0))
            images[:, down, right] += chosen
        out = images[:, border : border + rows, edge : edge + cols].reshape(-1, self.channels_out)
        return np.where(route, dy.dtype.type(0), out) if pooling.average else out

    def _windows(self, y: Array, border: Any) -> Array:
        """(batch, row, column, channel, place in the window) from (R x n)."""
        assert self.pooling is not None
        (rows, cols), (down, right) = self.pooling.padding, self.pooling.stride
        images = y.reshape(-1, *self.made, self.channels_out)
        images = np.pad(images, ((0, 0), (rows, rows), (cols, cols), (0, 0)), constant_values=border)
        windows = np.lib.stride_tricks.sliding_window_view(images, self.pooling.size, axis=(1, 2))
        windows = windows[:, ::down, ::right]
        return windows.reshape(*windows.shape[:4], -1)

    def _flat(self, y: Array) -> Array:
        return y.reshape(-1, self.features[1])

    def back_columns(self, dy: Array) -> Array:
        """Broadcast operand of bp from dY (R x n): dY with stride - 1 zeros between its elements, a window for each
        place of the input."""
        values = dy.reshape(-1, *self.made, self.channels_out)
        (rows, cols), (down, right) = self.size, self.stride
        reach = [kernel - 1 for kernel in self.kernel]
        images = np.zeros((len(values), rows + reach[0], cols + reach[1], self.channels_out), dy.dtype)
        top, left = reach[0] - self.padding[0], reach[1] - self.padding[1]
        images[
            :, top : top + down * (self.made[0] - 1) + 1 : down, left : left + right * (self.made[1] - 1) + 1 : right
        ] = values
        return self._patches(images, (1, 1))

    def back_weights(self, w: Array) -> Array:
        """Stationary operand of bp from W: the kernel turned by half a turn, channels exchanged."""
        kernel = w.reshape(*self.kernel, self.channels_in, self.channels_out)[::-1, ::-1]
        return np.ascontiguousarray(kernel.transpose(0, 1, 3, 2)).reshape(-1, self.channels_in)

    def to_rows(self, x: Array) -> Array:
        """(batch x features of the input) as bp's result is laid out."""
        return x.reshape(-1, self.channels_in)

    def from_rows(self, dx: Array) -> Array:
        """The inverse."""
        return dx.reshape(-1, self.features[0])


Layer = Dense | Conv


def conv3(side: int, channels_in: int, channels_out: int) -> Conv:
    """3 x 3 convolution of `side` x `side` images that keep their size, then the largest of 2 x 2."""
    return Conv((side, side), channels_in, channels_out, pooling=Pool())


def dense(sizes: Sequence[int]) -> tuple[Layer, ...]:
    """Fully connected layers. Raises ValueError if `sizes` is no network."""
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"a network has at least an input and an output size, all >= 1, not {tuple(sizes)}")
    return tuple(Dense(n_in, n_out) for n_in, n_out in pairwise(sizes))


def _windows(size: Pair, window: Pair, stride: Pair, padding: Pair) -> Pair:
    down, right = (
        (length + 2 * border - reach) // step + 1
        for length, reach, step, border in zip(size, window, stride, padding, strict=True)
    )
    return down, right


def _float_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


# -------------------------------------------------------------------------------------------------------------- wiring
@dataclass(frozen=True)
class Wires:
    """Who feeds whom, a place a layer; layers count from 0.

    source: the layer whose output it takes, `INPUT` for the network's input.
    takes: the layer that has the activation entry of its input: the first that takes the same.
    gives: the layer that has the activation entry of its output (of the sum, for a linear layer); -1 of the last.
    errs: the layer that has the error entry of dY: itself, or for a linear layer the one that adds it up.
    adds: its output is taken by one product alone, whose result is its error but for places: False; True: errors from
        several layers add up, or pooling computes, on the host.
    """

    source: tuple[int, ...]
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    errs: tuple[int, ...]
    adds: tuple[bool, ...]
    fans: dict[int, tuple[int, ...]] = field(compare=False, default_factory=dict)  # layers that add a layer's output

    def has_bp(self, at: int) -> bool:
        """Somebody needs the error of the layer's input."""
        return self.source[at] != INPUT


@lru_cache(maxsize=64)
def wires(layers: tuple[Layer, ...]) -> Wires:
    """The wiring of layers that `check_layers` takes."""
    count = len(layers)
    source = tuple(at - 1 if each.source is None else each.source for at, each in enumerate(layers))
    first: dict[int, int] = {}
    for at, below in enumerate(source):
        first.setdefault(below, at)
    total = {part: at for at, each in enumerate(layers) for part in each.add if part >= 0 and layers[part].linear}
    fans = {below: tuple(at for at, each in enumerate(layers) if below in each.add) for below in range(INPUT, count)}
    gives = tuple(first.get(total.get(at, at), -1) for at in range(count))
    adds = tuple(
        not layers[at].linear and (source.count(at) != 1 or bool(fans[at]) or not layers[at].moves)
        for at in range(count)
    )
    return Wires(
        source,
        tuple(first[below] for below in source),
        gives,
        tuple(total.get(at, at) for at in range(count)),
        adds,
        fans,
    )


def check_layers(layers: Sequence[Layer]) -> None:
    """Raises ValueError unless every layer takes what its source gives and the last one has no ReLU."""
    if not layers or not isinstance(layers[-1], Dense):
        raise ValueError("a network has at least one layer, and the last one is Dense")
    if layers[-1].add or layers[-1].linear:
        raise ValueError("the last layer adds nothing up, and is added to nothing")
    for number, (each, what) in enumerate(zip(layers, map(fault, layers), strict=True), start=1):
        if what:
            raise ValueError(f"layer {number}: {what}")
        at = number - 1
        below = at - 1 if each.source is None else each.source
        if not INPUT <= below < at:
            raise ValueError(f"layer {number} takes what layer {below + 1} gives, which comes after it")
        if below != INPUT and layers[below].features[1] != each.features[0]:
            raise ValueError(
                f"layer {below + 1} gives {layers[below].features[1]} features, layer {number} takes {each.features[0]}"
            )
        if below != INPUT and layers[below].linear:
            raise ValueError(f"layer {number} takes what layer {below + 1} gives, which is only there to be added")
        for part in each.add:
            given = layers[0].features[0] if part == INPUT else layers[part].features[1] if part < at else None
            if given != each.places * each.shape[1]:
                raise ValueError(
                    f"layer {number} cannot add what layer {part + 1} gives: {given} features, not "
                    f"{each.places * each.shape[1]}"
                )
    taken = [at - 1 if each.source is None else each.source for at, each in enumerate(layers)]
    for at, each in enumerate(layers[:-1]):
        uses = sum(at in other.add for other in layers)
        if each.linear and uses != 1:
            raise ValueError(f"layer {at + 1} is linear, and added {uses} times: once is legal")
        if not each.linear and at not in taken:
            raise ValueError(f"no layer takes what layer {at + 1} gives")


def fault(each: Layer) -> str:
    """What is wrong with a layer alone; nothing: an empty string."""
    if isinstance(each, Dense):
        return "" if min(each.shape) >= 1 else f"{each.inputs} inputs, {each.outputs} outputs: at least 1 of each"
    if each.channels_in % each.groups or each.channels_out % each.groups:
        return f"{each.channels_in} and {each.channels_out} channels cannot be divided into {each.groups} groups"
    if any(border >= reach for border, reach in zip(each.padding, each.kernel, strict=True)):
        return f"a padding of {each.padding} is not below the kernel of {each.kernel}"
    if min(each.made) < 1:
        return f"a kernel of {each.kernel} does not fit images of {each.size} with a padding of {each.padding}"
    pooling = each.pooling
    if pooling is None:
        return ""
    if each.linear:
        return "a linear layer has no pooling"
    if min(each.given) < 1 or any(b >= r for b, r in zip(pooling.padding, pooling.size, strict=True)):
        return f"pooling of {pooling.size} with a padding of {pooling.padding} does not fit images of {each.made}"
    if pooling.average and any(pooling.padding):
        return "a mean has no padding"
    return ""


def start_weights(layers: Sequence[Layer], rng: np.random.Generator) -> list[npt.NDArray[np.float64]]:
    """He-uniform weights (limit sqrt(6 / inputs of an output), times `gain`), float64. Uniform, because that repeats
    bit by bit."""
    out = []
    for each in layers:
        w = uniform(rng, -1.0, 1.0, each.shape) * math.sqrt(6.0 / each.fan_in) * each.gain
        out.append(w if each.absent is None else np.where(each.absent, 0.0, w))
    return out
