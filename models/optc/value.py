"""Value level of the OPTC: one tensor's update in integers, on whole arrays.

Source: docs/optc/README.md, section "Arithmetic"; written from the definitions (integer root and quotient), not
from digit recurrences. `P` parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.common.formats import PRECISION, YBits
from models.common.rounding import bit_length, rounded
from models.optc.config import SQUARE_BITS, Mode, OptcConfig, Scalar

I64 = npt.NDArray[np.int64]
S32 = (-(1 << 31), (1 << 31) - 1)
U32 = (0, (1 << 32) - 1)


class State(NamedTuple):
    """w, m (signed) and v (unsigned), each (P,)."""

    w: I64
    m: I64
    v: I64


@dataclass
class Statistics:
    """Of a tensor."""

    values: int
    sat_w: int = 0
    sat_m: int = 0
    sat_v: int = 0
    sat_copy: int = 0
    clipped: int = 0
    eps_used: int = 0
    bits_w: int = 0
    bits_m: int = 0
    bits_v: int = 0


@dataclass
class Update:
    """What an update gives, with what lies between: `r`, `n` the root's mantissa and exponent, `d`, `k` the
    denominator's (0 in momentum mode), `u` the update, `y` the copy."""

    state: State
    y: I64
    r: I64
    n: I64
    d: I64
    k: I64
    u: I64
    statistics: Statistics


def round_nearest(x: I64, shift: int) -> I64:
    """RN: x * 2^-shift to the nearest integer, ties to even; |x| < 2^63 and exact for shift <= 0."""
    if shift <= 0:
        return x << -shift
    if shift >= 63:
        # |x| * 2^-63 <= 1/2 only as a tie, which goes to 0; x = 0 otherwise.
        return np.zeros_like(x)
    floor = x >> shift
    rest, half = x - (floor << shift), np.int64(1) << (shift - 1)
    return floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))


def _limit(x: I64, bounds: tuple[int, int]) -> tuple[I64, npt.NDArray[np.bool_]]:
    return np.clip(x, *bounds), (x < bounds[0]) | (x > bounds[1])


def root(v: I64) -> tuple[I64, I64]:
    """(r, n): v * 4^n in 2^30 .. 2^32 - 1 and the floor of its root; (0, 0) for 0."""
    n = np.where(v == 0, 0, (32 - bit_length(v)) // 2)
    scaled = v << (2 * n)
    r = np.sqrt(scaled.astype(np.float64)).astype(np.int64)
    r -= r * r > scaled  # the float root is within one of the floor
    r += (r + 1) * (r + 1) <= scaled
    return r, n


def quotient(m: I64, d: I64, shift: I64, clip: int) -> tuple[I64, npt.NDArray[np.bool_]]:
    """abs(m) * 2^shift / d towards zero, limited to `clip`, with the sign of m; and which were limited."""
    # Python's integers: no bound on what a host's FLs make of the shift.
    pairs = zip(m.tolist(), d.tolist(), shift.tolist(), strict=True)
    q = [(abs(a) << s) // b if s >= 0 else abs(a) // (b << -s) for a, b, s in pairs]
    over = np.array([each > clip for each in q], bool)
    limited = np.array([min(each, clip) for each in q], np.int64)
    return np.where(m < 0, -limited, limited), over


def _scaled(scalar: Scalar, x: I64, shift: int) -> I64:
    return round_nearest(scalar.mant * x, shift)


def update(config: OptcConfig, state: State, g: I64, draw: I64 | None = None, count: int | None = None) -> Update:
    """The next state of a tensor, its copy and its statistics.

    `draw` (P,) are 24-bit draws where the copy is rounded stochastically; `count`: statistics are those of the first
    parameters (all of them otherwise). `config` must be legal.
    """
    live = slice(count)
    stats = Statistics(len(g[live]))
    w, over_w = _limit(round_nearest(state.w, -config.pre_w), S32)
    m, over_m = _limit(round_nearest(state.m, -config.pre_m), S32)
    v, over_v = _limit(round_nearest(state.v, -config.pre_v), U32)
    aligned = round_nearest(g, -config.align)
    zero = np.zeros_like(g)
    r = n = d = k = zero
    if config.mode == Mode.ADAM:
        next_m = m + _scaled(config.c1, aligned - m, config.c1.exp)
        square, wide = _limit(round_nearest(g * g, config.square_shift), (0, (1 << SQUARE_BITS) - 1))
        next_v, over = _limit(v + _scaled(config.c2, square - v, config.c2.exp), U32)
        over_v = over_v | wide | over
    else:
        next_m = m + aligned + _scaled(config.c1, -m, config.c1.exp)
        next_v = v
    next_m, over = _limit(next_m, S32)
    over_m |= over
    u = next_m
    if config.mode == Mode.ADAM:
        r, n = root(next_v)
        # r * 2^-n against eps_mant * 2^-eps_exp: both mantissas are normalised.
        eps = (next_v == 0) | (n > config.eps_exp) | ((n == config.eps_exp) & (r < config.eps_mant))
        d, k = np.where(eps, config.eps_mant, r), np.where(eps, config.eps_exp, n)
        u, clipped = quotient(next_m, d, k + 16 + config.fl_v // 2 - config.fl_m, config.clip)
        stats.clipped, stats.eps_used = int(clipped[live].sum()), int(eps[live].sum())
    step = _scaled(config.step, u, config.step_shift)
    decay = _scaled(config.wd, w, config.wd.exp)
    next_w, over = _limit(w - step - decay, S32)
    over_w |= over
    bits = PRECISION[YBits(config.copy_format)]
    z = rounded(next_w, config.copy_shift, config.copy_round, config.copy_rand_bits, draw)
    y, over = _limit(z, (-(1 << bits - 1), (1 << bits - 1) - 1))
    stats.sat_w, stats.sat_m, stats.sat_v = (int(over[live].sum()) for over in (over_w, over_m, over_v))
    stats.sat_copy = int(over[live].sum())
    stats.bits_w, stats.bits_m, stats.bits_v = (
        int(bit_length(x[live]).max(initial=0)) for x in (next_w, next_m, next_v)
    )  # fmt: skip
    return Update(State(next_w, next_m, next_v), y, r, n, d, k, u, stats)
