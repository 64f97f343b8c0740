"""Rounding by a right shift, and bit lengths: what RAN and OPTC share.

Source: docs/ran/README.md, section "Drain". `J` jobs, `L` lanes.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from models.common.generator import DRAW_BITS

I64 = npt.NDArray[np.int64]


class Round(IntEnum):
    """Rounding (``desc_round_i``)."""

    NEAREST = 0
    TRUNCATE = 1
    STOCHASTIC = 2


RAND_BITS = (8, 12, 16, 24)


def rounded(s: I64, shift: int, rule: int, rand_bits: int = 0, draw: I64 | None = None) -> I64:
    """S / 2^shift (J, L) as integers by `rule` (`Round`); `draw` (J, L) and `rand_bits`, the code of how many of its
    bits count, if the rounding is stochastic."""
    if rule == Round.NEAREST and shift:
        z = s >> shift
        rest = s - (z << shift)
        half = np.int64(1) << (shift - 1)
        return z + ((rest > half) | ((rest == half) & ((z & 1) == 1)))
    if rule == Round.STOCHASTIC:
        assert draw is not None
        drop = DRAW_BITS - RAND_BITS[rand_bits]
        centred = ((draw >> drop) * 2 + 1) << drop  # 25 bits
        # floor(D' * 2^shift / 2^25) without leaving 64 bits
        r = centred >> (25 - shift) if shift <= 25 else centred << (shift - 25)
        return (s + r) >> shift
    return s >> shift


def bit_length(values: I64) -> I64:
    """Bits of magnitudes; 0 for 0."""
    return np.where(values == 0, 0, np.frexp(np.abs(values).astype(np.float64))[1]).astype(np.int64)
