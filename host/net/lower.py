"""Operators as products X (M x K) @ W (K x N), rows of X made when they are asked for.

`Lowered` works on arrays of any type: integers for the array, floats for comparisons. A layer has one or more *parts*
of one shape, products of their own: groups of a convolution, elements of a batched MatMul.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class LowerError(ValueError):
    """Operands that the operator cannot have; one line."""


def spread_rows(m: int, most: int) -> npt.NDArray[np.int64]:
    """At most `most` of `m` rows, spread evenly, in order."""
    n = min(m, most)
    return (2 * np.arange(n, dtype=np.int64) + 1) * m // (2 * n)


@dataclass(frozen=True, eq=False)
class Lowered:
    """Products of a layer. `shape`: M, K, N of every part."""

    shape: tuple[int, int, int]
    parts: int

    def x(self, part: int, rows: npt.NDArray[np.int64]) -> Array:
        """Rows of X (len(rows), K)."""
        raise NotImplementedError

    def w(self, part: int) -> Array:
        """W (K, N)."""
        raise NotImplementedError


# ---- matrices --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Matrices(Lowered):
    """Matrices as they are: `left` (P or 1, M, K), `right` (P or 1, K, N)."""

    left: Array
    right: Array

    def x(self, part: int, rows: npt.NDArray[np.int64]) -> Array:  # noqa: D102
        return self.left[part % len(self.left)][rows]

    def w(self, part: int) -> Array:  # noqa: D102
        return self.right[part % len(self.right)]


def _matrices(left: Array, right: Array) -> Matrices:
    shape = (left.shape[1], left.shape[2], right.shape[2])
    return Matrices(shape, max(len(left), len(right)), left, right)


def lower_gemm(a: Array, b: Array, trans_a: bool = False, trans_b: bool = False) -> Lowered:
    """Gemm: op(A) @ op(B); alpha, beta and C are not the array's business."""
    if a.ndim != 2 or b.ndim != 2:
        raise LowerError(f"Gemm takes matrices, not {a.shape} and {b.shape}")
    left, right = (a.T if trans_a else a), (b.T if trans_b else b)
    if left.shape[1] != right.shape[0]:
        raise LowerError(f"Gemm cannot multiply {left.shape} and {right.shape}")
    return _matrices(left[None], right[None])


def lower_matmul(a: Array, b: Array) -> Lowered:
    """MatMul as NumPy's `matmul`: leading dimensions are batches; those that only A has become rows."""
    if a.ndim == 0 or b.ndim == 0:
        raise LowerError("MatMul takes no scalars")
    left = a[None] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise LowerError(f"MatMul cannot multiply {a.shape} and {b.shape}")
    if math.prod(right.shape[:-2]) == 1:
        return _matrices(left.reshape(1, -1, left.shape[-1]), right.reshape(1, *right.shape[-2:]))
    try:
        batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    except ValueError:
        raise LowerError(f"MatMul cannot multiply {a.shape} and {b.shape}") from None
    left, right = (np.broadcast_to(each, (*batch, *each.shape[-2:])) for each in (left, right))
    return _matrices(left.reshape(-1, *left.shape[-2:]), right.reshape(-1, *right.shape[-2:]))


# ---- convolutions ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Window:
    """A convolution's attributes, for any number of spatial dimensions; `pads`: all begins, then all ends."""

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1

    @property
    def attributes(self) -> dict[str, Any]:
        """As ONNX has them."""
        return {"strides": self.strides, "pads": self.pads, "dilations": self.dilations, "group": self.groups}

    @classmethod
    def of(cls, attributes: dict[str, Any], spatial: Sequence[int], kernel: Sequence[int]) -> Window:
        """From ONNX attributes, defaults and `auto_pad` filled in. `spatial`: of the input."""
        ones = (1,) * len(spatial)
        strides = tuple(attributes.get("strides") or ones)
        dilations = tuple(attributes.get("dilations") or ones)
        mode = attributes.get("auto_pad") or "NOTSET"
        pads = tuple(attributes.get("pads") or (0,) * (2 * len(spatial)))
        if mode == "VALID":
            pads = (0,) * (2 * len(spatial))
        elif mode != "NOTSET":
            spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
            whole = [
                max(0, (-(-size // stride) - 1) * stride + span - size)
                for size, stride, span in zip(spatial, strides, spans, strict=True)
            ]
            less, more = tuple(pad // 2 for pad in whole), tuple(pad - pad // 2 for pad in whole)
            pads = (*less, *more) if mode == "SAME_UPPER" else (*more, *less)
        return cls(strides, pads, dilations, int(attributes.get("group", 1)))


@dataclass(frozen=True, eq=False)
class Convolution(Lowered):
    """im2col: rows go over (image, output position), columns of X over (channel of the group, kernel position)."""

    padded: Array  # flat
    base: npt.NDArray[np.int64]  # (M,) place of each window's first element, of the first group
    offset: npt.NDArray[np.int64]  # (K,) of each element from there
    group_step: int
    weights: Array  # (groups, N, K)

    def x(self, part: int, rows: npt.NDArray[np.int64]) -> Array:  # noqa: D102
        return self.padded[self.base[rows][:, None] + (self.offset + part * self.group_step)]

    def w(self, part: int) -> Array:  # noqa: D102
        return self.weights[part].T


def lower_conv(x: Array, w: Array, attributes: dict[str, Any]) -> Lowered:
    """Conv: `x` (images, channels, ...), `w` (filters, channels / groups, ...)."""
    if x.ndim < 3 or w.ndim != x.ndim:
        raise LowerError(f"Conv takes tensors of the same 3 or more dimensions, not {x.shape} and {w.shape}")
    spatial, kernel = x.shape[2:], w.shape[2:]
    window = Window.of(attributes, spatial, kernel)
    groups, filters = window.groups, w.shape[0]
    if len({len(spatial), len(window.strides), len(window.dilations), len(window.pads) // 2}) != 1:
        raise LowerError(f"Conv's attributes do not have {len(spatial)} spatial dimensions")
    if x.shape[1] != groups * w.shape[1] or filters % groups:
        raise LowerError(f"Conv of {groups} groups cannot take {x.shape} and {w.shape}")
    pads = list(zip(window.pads[: len(spatial)], window.pads[len(spatial) :], strict=True))
    size = [n + lo + hi for n, (lo, hi) in zip(spatial, pads, strict=True)]
    out = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(size, kernel, window.strides, window.dilations, strict=True)
    ]
    if min(out) < 1 or min(map(min, pads)) < 0:
        raise LowerError(f"Conv's kernel {tuple(kernel)} does not fit {tuple(spatial)} with pads {window.pads}")
    padded = np.pad(x, [(0, 0), (0, 0), *pads]) if any(map(any, pads)) else np.ascontiguousarray(x)
    steps = [math.prod(size[at + 1 :]) for at in range(len(size))]
    plane, channels = math.prod(size), x.shape[1] // groups
    base = np.arange(len(x), dtype=np.int64) * (x.shape[1] * plane)
    for count, stride, step in zip(out, window.strides, steps, strict=True):
        base = (base[:, None] + np.arange(count, dtype=np.int64) * (stride * step)).reshape(-1)
    offset = np.arange(channels, dtype=np.int64) * plane
    for count, dilation, step in zip(kernel, window.dilations, steps, strict=True):
        offset = (offset[:, None] + np.arange(count, dtype=np.int64) * (dilation * step)).reshape(-1)
    n = filters // groups
    shape = (len(base), len(offset), n)
    return Convolution(
        shape, groups, padded.reshape(-1), base, offset, channels * plane, w.reshape(groups, n, len(offset))
    )
