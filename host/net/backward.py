"""The backward passes of a layer as products: BP gives the errors of its input, WG the gradients of its weights.

Beside FP (lower.py), with dY the errors of a layer's output:

==== ========================= ============================ =================
pass broadcast                 stationary                   result
==== ========================= ============================ =================
BP   dY, for a convolution     W^T, for a convolution       dX, a row for an
     im2col of dY with zeros   turned by half a turn        element of the
     between its elements,                                  batch, or a place
     stride - 1 of them                                     of the input
WG   dY^T                      X as FP takes it (im2col)    dW^T
==== ========================= ============================ =================

Values are moved, never computed with. Errors: `LowerError` for shapes that do not fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from host.net.lower import Array, Lowered, LowerError, Window, lower_conv, lower_gemm


@dataclass(frozen=True, eq=False)
class Gradient(Lowered):
    """WG: dY (parts, N, M of `forward`) times X of `forward`."""

    forward: Lowered
    dy: Array

    def x(self, part: int, rows: npt.NDArray[np.int64]) -> Array:  # noqa: D102
        return self.dy[part][rows]

    def w(self, part: int) -> Array:  # noqa: D102
        return self.forward.x(part, np.arange(self.forward.shape[0]))


def _gradient(forward: Lowered, dy: Array) -> Lowered:
    m, k, n = forward.shape
    if dy.shape != (forward.parts, n, m):
        raise LowerError(f"errors of shape {dy.shape} are not those of {forward.parts} products {m}x{k}x{n}")
    return Gradient((n, m, k), forward.parts, forward, dy)


def dense_passes(x: Array, w: Array, dy: Array) -> tuple[Lowered, Lowered, Lowered]:
    """FP, BP and WG of Y = X W^T: `x` (M, inputs), `w` (outputs, inputs), `dy` (M, outputs)."""
    forward = lower_gemm(x, w, trans_b=True)
    return forward, lower_gemm(dy, w), _gradient(forward, dy.T[None])


def conv_passes(x: Array, w: Array, dy: Array, window: Window) -> tuple[Lowered, Lowered, Lowered]:
    """FP, BP and WG of a convolution: `x` (images, channels, ...), `w` (filters, channels / groups, ...), `dy` (images,
    filters, ...)."""
    forward = lower_conv(x, w, window.attributes)
    if dy.ndim != x.ndim or (dy.shape[0], dy.shape[1]) != (x.shape[0], w.shape[0]):
        raise LowerError(f"errors of shape {dy.shape} are not those of {x.shape} and {w.shape}")
    groups, filters = window.groups, w.shape[0]
    columns = np.moveaxis(dy, 1, 0).reshape(groups, filters // groups, -1)
    return forward, _conv_errors(x.shape[2:], w, dy, window), _gradient(forward, columns)


def _conv_errors(spatial: tuple[int, ...], w: Array, dy: Array, window: Window) -> Lowered:
    """BP: windows of the spread errors, one for each place of the input."""
    spread = np.zeros(
        (*dy.shape[:2], *((n - 1) * s + 1 for n, s in zip(dy.shape[2:], window.strides, strict=True))), dy.dtype
    )
    spread[(..., *(slice(None, None, s) for s in window.strides))] = dy
    before, after = [], []
    for at, (size, kernel, dilation) in enumerate(zip(spatial, w.shape[2:], window.dilations, strict=True)):
        reach = (kernel - 1) * dilation
        lead = reach - window.pads[at]
        trail = size + reach - spread.shape[2 + at] - lead
        # Errors that meet nothing but padding: they lie before the first place, or after the last.
        spread = np.take(spread, np.arange(max(0, -lead), spread.shape[2 + at] - max(0, -trail)), axis=2 + at)
        before.append(max(0, lead))
        after.append(max(0, trail))
    groups, filters = window.groups, w.shape[0]
    turned = np.flip(w, tuple(range(2, w.ndim))).reshape(groups, filters // groups, *w.shape[1:])
    turned = np.swapaxes(turned, 1, 2).reshape(groups * w.shape[1], filters // groups, *w.shape[2:])
    back = Window((1,) * len(spatial), (*before, *after), window.dilations, groups)
    return lower_conv(spread, turned, back.attributes)
