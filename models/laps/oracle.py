"""Independent checks of LAPS: logarithms in float64, min_order by exact comparison, and what must hold of sequences of
updates, whatever computed them.

Source: docs/laps/README.md, sections "Terms", "Update" and "min_order"; nothing here is shared with the value model but
the records. In a sequence, what moves is *full scale*: the exponent of the largest magnitude, 4 n - signed - FL. A
slice more or less leaves it alone, FL's moves change it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from models.laps.config import Entry, TensorStats

F64 = npt.NDArray[np.float64]

# Straight lines between powers of two lie up to this below log2: at a mantissa of 1 / ln 2.
CHORD = -math.log2(math.log(2)) - (1 / math.log(2) - 1)
# Of numbers with more than 9 bits only 8 after the leading one count.
CUT = 1 / 256
LOG2_LOW = CHORD + CUT


def log2_low(a: int, log: int) -> float:
    """By how much `log` (1/256) is below log2 of `a`, in bits."""
    return math.log2(a) - log / 256


def log2_bound(a: int) -> float:
    """How much too low the page lets the logarithm of `a` be, in bits; never too high."""
    return CHORD if a < 512 else LOG2_LOW


def min_order(s: int, k: int, n_x: int, n_w: int, most: int) -> int:
    """The largest o with 16^o sqrt(k) <= 4 * 2^s, squared so that all is rational; 0 if there is none."""
    scale = 16 * Fraction(4) ** s
    orders = [o for o in range(min(n_x, n_w, most + 1)) if Fraction(16) ** (2 * o) * k <= scale]
    return max(orders, default=0)


@dataclass(frozen=True)
class Rule:
    """What a sequence of updates of one entry has to keep: the class' registers, unchanged, without schedule."""

    hold: int
    dwell_min: int
    n_min: int = 1
    n_max: int = 4
    fl_min: int = -64
    fl_max: int = 63


@dataclass(frozen=True)
class Step:
    """One update: its statistics, FL and n after it, and the tolerance (2^-16 of the values) it met."""

    stats: TensorStats
    fl: int
    n: int
    tolerance: int = 0


def violations(start: Entry, rule: Rule, history: Sequence[Step]) -> list[str]:
    """What a history does that the rule forbids, or leaves undone. `start` lies within the limits and is not pinned."""
    found: list[str] = []
    fl, n = start.fl, start.n
    since = start.dwell  # updates since n changed; 255 stands for more
    quiet = start.quiet  # quiet updates in a row
    for at, step in enumerate(history):
        full, full_before = 4 * step.n - step.fl, 4 * n - fl
        grown = full - full_before  # what does not fit, falls by this many bits
        capacity = 4 * n - (0 if start.is_unsigned else 1)
        missing = step.stats.max_bit - capacity
        over = Fraction(step.stats.overflow, step.stats.values) > Fraction(step.tolerance, 1 << 16)
        lowest = step.fl - 4 * (step.n - n) == rule.fl_min
        highest = step.fl - 4 * (step.n - n) == rule.fl_max

        def note(what: str, at: int = at, step: Step = step) -> None:
            found.append(f"update {at}: {what} ({step})")

        if not (rule.fl_min <= step.fl <= rule.fl_max and rule.n_min <= step.n <= rule.n_max):
            note("leaves the limits")
        if over:
            quiet = 0
            if grown <= 0 and not lowest:
                note("over, but FL does not fall")
            elif grown < min(missing, 15) and not lowest:
                note(f"over by {missing} bits, but FL falls by {grown}")
            elif grown > max(1, min(missing, 15)):
                note(f"FL falls by {grown}, more than the {missing} bits that are missing")
        else:
            quiet = quiet + 1 if missing < 0 else 0
            due = quiet >= rule.hold
            if due:
                quiet = 0
            if grown > 0:
                note("FL falls without overflow")
            elif grown < -1:
                note(f"FL rises by {-grown} at once")
            elif grown == -1 and not due:
                note("FL rises before it was quiet for long enough")
            elif grown == 0 and due and not highest:
                note("FL stays though it was quiet for long enough")
        if step.n != n:
            if abs(step.n - n) > 1:
                note("n moves by more than a slice")
            if since + 1 < rule.dwell_min:
                note(f"n changes {since + 1} updates after its last change")
            since = 0
        else:
            since += 1
        fl, n = step.fl, step.n
    return found


def requantise(values: F64, fl: int, n: int, unsigned: bool) -> tuple[F64, F64]:
    """Real values as integers of an entry, limited, and before that; both as floats."""
    z = np.rint(np.ldexp(values, fl))
    low, high = (0, 16**n - 1) if unsigned else (-(16**n) / 2, 16**n / 2 - 1)
    return np.minimum(np.maximum(z, low), high), z


def float_stats(q: F64, z: F64) -> TensorStats:
    """The record of a tensor by floats alone; magnitudes below 2^53."""
    top = float(np.max(np.abs(z)))
    return TensorStats(
        values=q.size,
        overflow=int(np.sum(q != z)),
        zeros=int(np.sum(q == 0)),
        max_bit=math.frexp(top)[1],
        sum_abs=int(np.sum(np.abs(q))),
    )


class RealSignal:
    """The signal in float64 and in units of real values, where moves of FL and n leave it alone: smoothed log2 of the
    mean magnitude."""

    def __init__(self, smooth: int, nonzero: bool) -> None:
        self.smooth, self.nonzero = smooth, nonzero
        self.value: float | None = None

    @property
    def bound(self) -> float:
        """Error allowed to an entry's signal / 256 - FL: of two logarithms, of rounding down a quotient for ever."""
        return LOG2_LOW + 2**self.smooth / 256

    def update(self, stats: TensorStats, fl: int) -> float | None:
        """The signal after a tensor that was quantised with `fl`; None before the first one that is not all zero."""
        if stats.sum_abs:
            count = stats.values - (stats.zeros if self.nonzero else 0)
            mean = math.log2(stats.sum_abs / count) - fl
            self.value = mean if self.value is None else self.value + (mean - self.value) / 2**self.smooth
        return self.value
