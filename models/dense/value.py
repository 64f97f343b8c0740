"""Results of the dense arrays (rtl/dense/), bit for bit (docs/cells.md, The dense arrays)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

INT16 = np.iinfo(np.int16)
SMALLEST = np.float16(2.0**-14)  # below it FP16 is subnormal


def int_product(x: npt.NDArray[np.int16], w: npt.NDArray[np.int16], shift: int) -> npt.NDArray[np.int16]:
    """X (M x K) times W (K x N), shifted right by `shift` (0..31) to nearest, ties to even, saturated."""
    sums = x.astype(np.int64) @ w.astype(np.int64)
    kept = sums >> shift
    lost = 2 * (sums - (kept << shift))
    one = 1 << shift
    kept += (lost > one) | ((lost == one) & (kept % 2 == 1))
    return np.clip(kept, INT16.min, INT16.max).astype(np.int16)


def fp_product(x: npt.NDArray[np.float16], w: npt.NDArray[np.float16]) -> npt.NDArray[np.float16]:
    """X (M x K) times W (K x N): subnormal operands are zero, products exact, sums in float32 in the order of k, each
    rounded to nearest even, then float16 to nearest even: infinite from 65,520 on, zero below 2^-14."""
    x32, w32 = (np.where(np.abs(each) < SMALLEST, np.float16(0), each).astype(np.float32) for each in (x, w))
    sums = np.zeros((x.shape[0], w.shape[1]), np.float32)
    for k in range(x.shape[1]):
        sums = sums + x32[:, k, None] * w32[None, k, :]
    with np.errstate(over="ignore"):
        rounded = sums.astype(np.float16)
    return np.where(np.abs(sums) < np.float32(SMALLEST), np.copysign(np.float16(0), sums), rounded).astype(np.float16)
