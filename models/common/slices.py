"""Operands, slices and packing on 128-bit streams.

Source: docs/conventions.md, sections "Numbers" and "Packing on 128-bit streams".

An operand has ``n`` = 1..4 slices (``p = 4 n`` bits). A beat is 16 bytes, byte 0 holds bits 7:0, so a stream of
``B`` beats is a ``uint8 (B, 16)`` array whose bytes, read in memory order, are the stream from its lowest bit up.
Every function raises ``ValueError`` on an illegal ``n`` or a value out of range.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BEAT_BYTES = 16
BEAT_BITS = 128

_CONTAINER_BITS = {1: 4, 2: 8, 3: 16, 4: 16}


def _check_slices(n: int) -> int:
    if n not in _CONTAINER_BITS:
        raise ValueError(f"slices must be 1, 2, 3 or 4, not {n}")
    return int(n)


def container_bits(n: int) -> int:
    """Bits that one value of ``n`` slices takes on a stream."""
    return _CONTAINER_BITS[_check_slices(n)]


def values_per_beat(n: int) -> int:
    """Values of ``n`` slices in one 128-bit beat (``V`` of the conventions page)."""
    return BEAT_BITS // container_bits(n)


def operand_range(bits: int, unsigned: bool = False) -> tuple[int, int]:
    """Smallest and largest operand of ``bits`` bits, both included."""
    if bits < 1:
        raise ValueError(f"bits must be positive, not {bits}")
    return (0, (1 << bits) - 1) if unsigned else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def check_range(values: npt.ArrayLike, bits: int, unsigned: bool = False) -> npt.NDArray[np.integer]:
    """Return ``values`` as an integer array; raise ``ValueError`` if one of them does not fit ``bits`` bits."""
    arr = np.asarray(values)
    if arr.size and arr.dtype.kind not in "iu":
        raise ValueError(f"values must be integers, not {arr.dtype}")
    low, high = operand_range(bits, unsigned)
    if arr.size and (arr.min() < low or arr.max() > high):
        raise ValueError(f"values {arr.min()}..{arr.max()} leave the range {low}..{high} of {bits} bits")
    return arr


def pack(
    values: npt.ArrayLike,
    n: int,
    *,
    unsigned: bool | None = None,
    pad_fill: int | npt.ArrayLike = 0,
    container_fill: int = 0,
) -> npt.NDArray[np.uint8]:
    """Pack a vector of values into beats.

    Args:
        values: integers, flattened in C order.
        n: slices of a value.
        unsigned: range to check against; ``None`` accepts what fits ``4 n`` bits either signed or unsigned.
        pad_fill: container bits written past the last value of the last beat (one number, or one for each
            padding position); receivers ignore them.
        container_fill: bits 15:12 of every 12-bit container; receivers ignore them.

    Returns:
        ``uint8 (B, 16)``, ``B = ceil(values / V)`` (0 beats for no values).
    """
    width, per_beat, bits = container_bits(n), values_per_beat(n), 4 * n
    arr = np.asarray(values).reshape(-1)
    if unsigned is None:
        low, high = operand_range(bits)[0], operand_range(bits, True)[1]
        if arr.size and (arr.dtype.kind not in "iu" or arr.min() < low or arr.max() > high):
            raise ValueError(f"values must be integers in {low}..{high} for {n} slices")
    else:
        arr = check_range(arr, bits, unsigned)
    beats = -(-arr.size // per_beat)
    raw = np.empty(beats * per_beat, dtype=np.uint16)
    raw[: arr.size] = (arr.astype(np.int64) & ((1 << bits) - 1)).astype(np.uint16)
    if n == 3 and container_fill:
        raw[: arr.size] |= np.uint16((int(container_fill) & 0xF) << 12)
    raw[arr.size :] = (np.asarray(pad_fill, dtype=np.int64) & ((1 << width) - 1)).astype(np.uint16)
    if width == 4:
        out = (raw[0::2] | (raw[1::2] << 4)).astype(np.uint8)
    elif width == 8:
        out = raw.astype(np.uint8)
    else:
        out = raw.astype("<u2").view(np.uint8)
    return out.reshape(beats, BEAT_BYTES)


def unpack(
    beats: npt.ArrayLike, n: int, unsigned: bool = False, dtype: npt.DTypeLike = np.int64
) -> npt.NDArray[np.signedinteger]:
    """Unpack beats ``uint8 (..., B, 16)`` into values ``(..., B * V)``, padding included (the caller cuts it off).

    ``dtype`` must hold 17 bits signed (``int32`` halves the memory of large streams).
    """
    width, per_beat = container_bits(n), values_per_beat(n)
    arr = np.ascontiguousarray(beats, dtype=np.uint8)
    if arr.ndim < 2 or arr.shape[-1] != BEAT_BYTES:
        raise ValueError(f"beats must have shape (..., B, {BEAT_BYTES}), not {arr.shape}")
    shape = (*arr.shape[:-2], arr.shape[-2] * per_beat)
    if width == 4:
        raw = np.empty((*arr.shape, 2), dtype=np.uint8)
        np.bitwise_and(arr, 15, out=raw[..., 0])
        np.right_shift(arr, 4, out=raw[..., 1])
        raw = raw.reshape(shape)
        return raw.astype(dtype) if unsigned else ((raw ^ 8).view(np.int8) - np.int8(8)).astype(dtype)
    if width == 8:
        raw = arr.reshape(shape)
        return (raw if unsigned else raw.view(np.int8)).astype(dtype)
    raw = arr.view("<u2").reshape(shape)
    if n == 3:
        raw = raw & np.uint16(0xFFF)
        return raw.astype(dtype) if unsigned else ((raw ^ 0x800).view(np.int16) - np.int16(0x800)).astype(dtype)
    return (raw if unsigned else raw.view("<i2")).astype(dtype)


def split(values: npt.ArrayLike, n: int = 4) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
    """Split operands into sign and magnitude slices.

    Returns:
        ``sign bool (...)`` (False for zero) and ``slices uint8 (..., n)``, slice 0 lowest:
        ``q = (-1)^sign * sum(slices[i] * 16^i)``.
    """
    _check_slices(n)
    arr = np.asarray(values)
    sign = arr < 0
    magnitude = np.abs(arr.astype(np.int64, copy=False))
    if arr.size and magnitude.max() >= 1 << (4 * n):
        raise ValueError(f"magnitude {magnitude.max()} does not fit {n} slices")
    magnitude = magnitude.astype(np.uint16)
    slices = np.empty((*arr.shape, n), dtype=np.uint8)
    for i in range(n):
        slices[..., i] = (magnitude >> (4 * i)) & 15
    return sign, slices


def join(sign: npt.ArrayLike, slices: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Inverse of :func:`split`: values ``int64 (...)``."""
    parts = np.asarray(slices, dtype=np.int64)
    magnitude = (parts << (4 * np.arange(parts.shape[-1], dtype=np.int64))).sum(axis=-1)
    return np.where(np.asarray(sign, dtype=bool), -magnitude, magnitude)
