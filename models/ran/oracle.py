"""Oracles of the RAN that share nothing with its model: exact fractions, Python integers, polynomials over GF(2).

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


def _mul(a: int, b: int, modulus: int) -> int:
    out = 0
    while b:
        if b & 1:
            out ^= a
        a <<= 1
        if a >> 32:
            a ^= modulus
        b >>= 1
    return out


def _power(a: int, exponent: int, modulus: int) -> int:
    out = 1
    while exponent:
        if exponent & 1:
            out = _mul(out, a, modulus)
        a = _mul(a, a, modulus)
        exponent >>= 1
    return out


def polynomial(mask: int) -> int:
    """Characteristic polynomial (33 bits) of the generator with this Galois mask.

    A state's bit i is the coefficient of x^(31 - i): a step to the right is a multiplication by x.
    """
    return 1 << 32 | int(f"{mask:032b}"[::-1], 2)


def is_primitive(mask: int) -> bool:
    """Whether the generator runs through all 2^32 - 1 states."""
    modulus, order = polynomial(mask), 2**32 - 1
    x = 2
    return _power(x, order, modulus) == 1 and all(
        _power(x, order // prime, modulus) != 1 for prime in (3, 5, 17, 257, 65537)
    )


def state_after(mask: int, state: int, steps: int) -> int:
    """The state after `steps` steps: multiplied by x^steps modulo the polynomial."""
    reverse = int(f"{state:032b}"[::-1], 2)
    moved = _mul(reverse, _power(2, steps, polynomial(mask)), polynomial(mask))
    return int(f"{moved:032b}"[::-1], 2)
