"""Oracles of the RAN that share nothing with its model: exact fractions, Python integers, sums of bits.

Source: docs/ran/README.md, sections "Drain" and "Random numbers".
"""

from __future__ import annotations

import math
from fractions import Fraction

from models.common.rounding import Round
from models.ran.config import RanDescriptor

_BITS = (4, 8, 12, 16, 32, 64)


def round_exact(s: int, shift: int, mode: int, random: Fraction = Fraction(0)) -> int:
    """The sum `s` / 2^shift as an integer; `random` (0 .. 1) is what stochastic rounding adds before it rounds down."""
    exact = Fraction(s, 1 << shift)
    if mode == Round.NEAREST:
        return round(exact)  # ties to even
    if mode == Round.STOCHASTIC:
        return math.floor(exact + random)
    return math.floor(exact)


def requantise_exact(s: int, desc: RanDescriptor, random: Fraction = Fraction(0)) -> int:
    """The result for a sum: rounded, ReLU, saturated."""
    z = round_exact(s, desc.shift, desc.round, random)
    if desc.relu and z < 0:
        z = 0
    bits = _BITS[desc.y_bits]
    low, high = (0, 2**bits - 1) if desc.y_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return min(max(z, low), high)


def centred(draw: int, rand_bits: int) -> Fraction:
    """The random number of a 24-bit draw of which `rand_bits` count, in the middle of its step."""
    kept = draw // 2 ** (24 - rand_bits)
    return (kept + Fraction(1, 2)) / 2**rand_bits


def rank(rows: list[int]) -> int:
    """How many of `rows`, sums of bits as masks, are independent of the others: their rank over GF(2)."""
    leading: dict[int, int] = {}
    for row in rows:
        while row and row.bit_length() in leading:
            row ^= leading[row.bit_length()]
        if row:
            leading[row.bit_length()] = row
    return len(leading)
