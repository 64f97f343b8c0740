"""Quantisation of a tensor to operands, by the rule of docs/net.md: the same integers on every machine.

q = round(x * q_max / max |x|), ties to the even integer; q_max = 2^p - 1 if no element is negative (unsigned operands),
else 2^(p-1) - 1. The largest magnitude is first brought between 1/2 and 1 by a power of two, which is exact; then a
product, a quotient and the rounding are done in float64, each rounded by itself as IEEE 754 fixes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.slices import operand_range
from models.common.tensors import LEGAL_BITS

BLOCK = 1 << 20  # elements that are rounded at a time


@dataclass(frozen=True, eq=False)
class Quantised:
    """Operands `q` (any shape, int32) of `bits` bits, and where they come from: `own` integers of the model, or rounded
    by the rule above. Their value is q * scale (`scale` is None where the model has a scale for every column, or says
    none)."""

    q: npt.NDArray[np.int32]
    bits: int
    unsigned: bool
    scale: float | None
    own: bool = False


def quantise(x: npt.NDArray[Any], bits: int) -> Quantised:
    """A tensor of floats as operands. Raises `ValueError` for NaN and infinity."""
    flat = np.asarray(x).reshape(-1)
    if not np.isfinite(flat).all():
        raise ValueError("not finite")
    low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    unsigned = low >= 0
    largest = max(-low, high)
    q_max = (1 << bits if unsigned else 1 << bits - 1) - 1
    q = np.zeros(flat.shape, np.int32)
    if largest == 0:
        return Quantised(q.reshape(x.shape), bits, True, 1.0)
    fraction, exponent = np.frexp(largest)
    for at in range(0, flat.size, BLOCK):
        part = np.ldexp(flat[at : at + BLOCK].astype(np.float64), -int(exponent))
        q[at : at + BLOCK] = np.rint(part * q_max / fraction)
    return Quantised(q.reshape(x.shape), bits, unsigned, largest / q_max)


def own_integers(
    q: npt.NDArray[Any], zero: npt.NDArray[Any] | None, dtype_range: tuple[int, int], scale: float
) -> Quantised:
    """A model's own integers less their zero point (broadcast against `q`), in the smallest operands that hold the
    type's range less the zero point; the values decide only where no operand holds that range. Raises `ValueError` if
    they do not fit 16 bits either."""
    zeros = np.zeros(1, np.int64) if zero is None else np.asarray(zero).astype(np.int64)
    values = np.asarray(q).astype(np.int64) - zeros
    span = dtype_range[0] - int(zeros.max()), dtype_range[1] - int(zeros.min())
    for low, high in (span, (int(values.min(initial=0)), int(values.max(initial=0)))):
        unsigned = low >= 0
        for bits in LEGAL_BITS:
            least, most = operand_range(bits, unsigned)
            if least <= low and high <= most:
                return Quantised(values.astype(np.int32), bits, unsigned, scale, own=True)
    raise ValueError("do not fit 16 bits")
