"""Value level of the RAN: shift, random numbers, rounding, saturation, formats, statistics, on whole arrays.

Source: docs/ran/README.md, sections "Products", "Drain", "Random numbers", "Statistics". `J` jobs, `L` lanes, `Q`
products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.ran.config import CONTAINER, LANE_SEED, LFSR_POLY, PRECISION, RAND_BITS, RanDescriptor, Round, YBits

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
DRAW_BITS = 24
STAT_COUNT_BITS = 32  # of values, overflow, zeros of a tensor
STAT_SUM_BITS = 48  # of sum_abs
LEAP = 32


def shift_products(data: npt.NDArray[np.integer], order: npt.NDArray[np.integer]) -> I64:
    """Products (Q, L) in half units and their orders (Q,) as integers in units of one, rounded down."""
    weight = np.left_shift(np.int64(1), 4 * order.astype(np.int64))
    return np.right_shift(data.astype(np.int64) * weight[:, None], 1)


# ---- random numbers --------------------------------------------------------------------------------------------------
# A generator's step is linear over GF(2): a matrix of 32 x 32 bits, kept as the images (32,) of the unit vectors.
def _step_images(poly: int) -> U32:
    units = np.left_shift(np.uint64(1), np.arange(32, dtype=np.uint64))
    return ((units >> np.uint64(1)) ^ np.where(units & np.uint64(1), np.uint64(poly), np.uint64(0))).astype(np.uint32)


def _apply(images: U32, state: U32) -> U32:
    """The matrix on states (...,): by tables of a byte's images."""
    low = np.zeros(1, np.uint32)
    tables = []
    for byte in range(4):
        table = low
        for bit in range(8):
            table = np.concatenate([table, table ^ images[8 * byte + bit]])
        tables.append(table)
    return (
        tables[0][state & 0xFF] ^ tables[1][state >> 8 & 0xFF] ^ tables[2][state >> 16 & 0xFF] ^ tables[3][state >> 24]
    )


def _leap_images(poly: int) -> U32:
    """Images of 32 steps: the matrix, squared five times."""
    images = _step_images(poly)
    for _ in range(5):
        images = _apply(images, images)
    return images


_LEAPS = [_leap_images(poly) for poly in LFSR_POLY]


def seeded(lanes: int, seed: int) -> U32:
    """States (L,) of the generators after a seed."""
    states = np.zeros(lanes, np.uint32)
    for lane in range(lanes):
        start = (seed ^ (lane + 1) * LANE_SEED) & 0xFFFFFFFF
        states[lane] = _apply(_LEAPS[lane], np.array([start or 0xFFFFFFFF], np.uint32))[0]
    return states


def run_states(states: U32, count: int) -> U32:
    """States (count + 1, L): the given ones and those after 1 .. `count` draws."""
    lanes = len(states)
    out = np.zeros((count + 1, lanes), np.uint32)
    for lane in range(lanes):
        images, have = _LEAPS[lane], 1
        out[0, lane] = states[lane]
        while have <= count:  # twice as many with every turn, by a leap as long as what is there
            more = min(have, count + 1 - have)
            out[have : have + more, lane] = _apply(images, out[:more, lane])
            images = _apply(images, images)
            have += more
    return out


def draws_of(states: U32) -> I64:
    """The 24-bit draws that states give."""
    return (states >> 8).astype(np.int64)


class Lfsr:
    """The generators of all lanes, draw by draw."""

    def __init__(self, lanes: int, seed: int = 1) -> None:
        self.states = seeded(lanes, seed)

    def draw(self, count: int = 1) -> I64:
        """The next draws (count, L)."""
        states = run_states(self.states, count)
        self.states = states[-1]
        return draws_of(states[:-1])


# ---- rounding, saturation --------------------------------------------------------------------------------------------
def quantise(s: I64, desc: RanDescriptor, draw: I64 | None = None) -> I64:
    """Rounded sums z (J, L), ReLU included; `draw` (J, L) if the rounding is stochastic."""
    sh = desc.shift
    if desc.round == Round.NEAREST and sh:
        z = s >> sh
        rest = s - (z << sh)
        half = np.int64(1) << (sh - 1)
        z = z + ((rest > half) | ((rest == half) & ((z & 1) == 1)))
    elif desc.round == Round.STOCHASTIC:
        assert draw is not None
        drop = DRAW_BITS - RAND_BITS[desc.rand_bits]
        centred = ((draw >> drop) * 2 + 1) << drop  # 25 bits
        # floor(D' * 2^sh / 2^25) without leaving 64 bits
        r = centred >> (25 - sh) if sh <= 25 else centred << (sh - 25)
        z = (s + r) >> sh
    else:
        z = s >> sh
    return np.maximum(z, 0) if desc.relu else z


def output_range(desc: RanDescriptor) -> tuple[int, int]:
    """Smallest and largest result."""
    bits = PRECISION[YBits(desc.y_bits)]
    return (0, (1 << bits) - 1) if desc.y_unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)


def saturate(z: I64, desc: RanDescriptor) -> tuple[I64, npt.NDArray[np.bool_]]:
    """Results (J, L) and which were limited."""
    low, high = output_range(desc)
    return np.clip(z, low, high), (z < low) | (z > high)


def bit_length(values: I64) -> I64:
    """Bits of magnitudes; 0 for 0."""
    return np.where(values == 0, 0, np.frexp(np.abs(values).astype(np.float64))[1]).astype(np.int64)


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
