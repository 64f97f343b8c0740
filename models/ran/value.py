"""Value level of the RAN: shift, saturation, formats, statistics, on whole arrays.

Source: docs/ran/README.md, sections "Products", "Drain", "Statistics". `J` jobs, `L` lanes, `Q`
products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.common.formats import CONTAINER, PRECISION, YBits
from models.common.generator import draws
from models.common.rounding import rounded
from models.ran.config import RanDescriptor

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
STAT_COUNT_BITS = 32  # of values, overflow, zeros of a tensor
STAT_SUM_BITS = 48  # of sum_abs


def shift_products(data: npt.NDArray[np.integer], order: npt.NDArray[np.integer]) -> I64:
    """Products (Q, L) in half units and their orders (Q,) as integers in units of one, rounded down."""
    weight = np.left_shift(np.int64(1), 4 * order.astype(np.int64))
    return np.right_shift(data.astype(np.int64) * weight[:, None], 1)


def draws_of(desc: RanDescriptor, places: npt.ArrayLike, lanes: int) -> I64:
    """Draws (J, L) of the jobs at `places` (J,) of a descriptor, from 0."""
    return draws(desc.draw + np.asarray(places, np.int64), lanes)


# ---- rounding, saturation --------------------------------------------------------------------------------------------
def quantise(s: I64, desc: RanDescriptor, draw: I64 | None = None) -> I64:
    """Rounded sums z (J, L), ReLU included; `draw` (J, L) if the rounding is stochastic."""
    z = rounded(s, desc.shift, desc.round, desc.rand_bits, draw)
    return np.maximum(z, 0) if desc.relu else z


def output_range(desc: RanDescriptor) -> tuple[int, int]:
    """Smallest and largest result."""
    bits = PRECISION[YBits(desc.y_bits)]
    return (0, (1 << bits) - 1) if desc.y_unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)


def saturate(z: I64, desc: RanDescriptor) -> tuple[I64, npt.NDArray[np.bool_]]:
    """Results (J, L) and which were limited."""
    low, high = output_range(desc)
    return np.clip(z, low, high), (z < low) | (z > high)


def join_stats(parts: Sequence[tuple[int, int, int, int, int]]) -> tuple[int, int, int, int, int]:
    """Statistics (values, overflow, zeros, max_bit, sum_abs) of parts of a tensor as those of the whole; sums stay at
    their largest value."""
    count, largest = (1 << STAT_COUNT_BITS) - 1, (1 << STAT_SUM_BITS) - 1
    values, overflow, zeros, max_bit, sum_abs = zip(*parts, strict=True) if parts else ((0,),) * 5
    return (
        min(sum(values), count), min(sum(overflow), count), min(sum(zeros), count), max(max_bit),
        min(sum(sum_abs), largest),
    )  # fmt: skip


# ---- formats ---------------------------------------------------------------------------------------------------------
def pack_results(y: I64, y_bits: int) -> U8:
    """Results (J, L) as bytes (J, L * container / 8), lane 0 lowest."""
    container = CONTAINER[YBits(y_bits)]
    if container == 4:
        nibbles = (y & 0xF).astype(np.uint8)
        return nibbles[:, 0::2] | nibbles[:, 1::2] << 4
    return np.ascontiguousarray(y.astype(f"<i{container // 8}")).view(np.uint8).reshape(len(y), -1)


def unpack_results(data: U8, y_bits: int, y_unsigned: bool, lanes: int) -> I64:
    """Inverse of `pack_results`: (J, L) from (J, at least L * container / 8)."""
    container = CONTAINER[YBits(y_bits)]
    data = np.ascontiguousarray(data[:, : lanes * container // 8])
    if container == 4:
        y = np.stack([data & 0xF, data >> 4], axis=-1).reshape(len(data), lanes).astype(np.int64)
        return y if y_unsigned else (y ^ 8) - 8
    sign = "u" if y_unsigned else "i"
    return data.view(f"<{sign}{container // 8}").astype(np.int64)


def start_words(beats: Sequence[U8], width: int, lanes: int) -> I64:
    """Signed words (L,) of `width` bits from beats of 16 bytes; those that are missing are 0."""
    raw = np.zeros(lanes * width // 8, np.uint8)
    data = np.concatenate(beats)[: len(raw)] if len(beats) else np.zeros(0, np.uint8)
    raw[: len(data)] = data
    return raw.view(f"<i{width // 8}").astype(np.int64)
