"""Floating point whose every bit is the same on every machine, for what decides stimuli, weights or expected values.

NumPy's `exp`, `log` and `power` (and the C library's) differ in the last bit between processors: other code runs where
AVX-512 or FMA exists. Everything here uses, in a stated order, only what IEEE 754 fixes: +, -, x, / and square root of
float64, each rounded by itself (NumPy and CPython never fuse two of them), scaling by powers of two, and integers.
models/common/test_floats.py forbids the other functions in the whole tree, and lists who may use one and why.

Functions take numbers or arrays of any shape and return float64 of that shape. Errors: ValueError outside a domain.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

# ln 2 in two parts: the first has 32 trailing zero bits, so that its product with an exponent is exact.
_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
_ROOT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")
_EXP_TERMS = 14  # of the power series; the rest is below 2^-60 for |r| <= ln(2) / 2
_LOG_TERMS = 12  # of the series of the inverse hyperbolic tangent, |s| <= .1716
_EXP_LOW, _EXP_HIGH = -745.0, 709.0
_NORMAL_DRAWS = 12
_BITS = 32


def exp(x: npt.ArrayLike) -> F64:
    """e^x to about one unit in the last place; 0 below -745. Raises ValueError above 709 and for NaN."""
    values = np.asarray(x, np.float64)
    if not (values <= _EXP_HIGH).all():
        raise ValueError("exp takes numbers up to 709")
    values = np.maximum(values, _EXP_LOW)
    k = np.rint(values * _LOG2_E)
    r = (values - k * _LN2_HIGH) - k * _LN2_LOW
    out = np.ones_like(r)
    for n in range(_EXP_TERMS, 0, -1):  # Horner's rule: 1 + r (1 + r/2 (1 + r/3 (...)))
        out = 1.0 + r / n * out
    return np.asarray(np.ldexp(out, k.astype(np.int64)))


def log(x: npt.ArrayLike) -> F64:
    """The natural logarithm to about one unit in the last place of its larger part. Raises ValueError for x <= 0,
    infinity and NaN."""
    values = np.asarray(x, np.float64)
    if not ((values > 0) & (values < np.inf)).all():
        raise ValueError("log takes positive numbers")
    mantissa, exponent = np.frexp(values)
    low = mantissa < _ROOT_HALF
    mantissa = np.where(low, 2.0 * mantissa, mantissa)
    k = exponent.astype(np.float64) - low
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    series = np.zeros_like(s)
    for n in range(_LOG_TERMS, 0, -1):
        series = (1.0 / (2 * n + 1) + series) * square
    return np.asarray(k * _LN2_HIGH + (k * _LN2_LOW + 2.0 * s * (1.0 + series)))


def log2(x: npt.ArrayLike) -> F64:
    """The logarithm to base 2; exact for powers of two. Raises ValueError as `log` does."""
    mantissa, exponent = np.frexp(np.asarray(x, np.float64))
    low = mantissa < _ROOT_HALF
    return np.asarray((exponent - low) + log(np.where(low, 2.0 * mantissa, mantissa)) * _LOG2_E)


def power(base: float, x: npt.ArrayLike) -> F64:
    """base^x for base > 0; the relative error is that of x log(base), at most 1e-13."""
    return exp(np.asarray(x, np.float64) * log(base))


def whole_power(base: float, n: int) -> float:
    """base^n, n >= 0, by repeated squaring from the lowest bit of n on."""
    if n < 0:
        raise ValueError("whole_power takes n >= 0")
    out, square = 1.0, float(base)
    while n:
        if n & 1:
            out *= square
        square *= square
        n >>= 1
    return out


def total(x: npt.ArrayLike, axis: int) -> F64:
    """Sum of float64 over an axis, in the order of that axis (NumPy's `sum` chooses an order of its own)."""
    values = np.moveaxis(np.asarray(x, np.float64), axis, 0)
    out = np.zeros(values.shape[1:])
    for each in values:
        out = out + each
    return out


def product(a: npt.ArrayLike, b: npt.ArrayLike) -> F64:
    """The matrix product (M, K) x (K, N) of float64, sums in the order of k (a BLAS has an order of its own)."""
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    out = np.zeros((len(left), right.shape[1]))
    for column, row in zip(left.T, right, strict=True):
        out = out + column[:, None] * row
    return out


def uniform(rng: np.random.Generator, low: float, high: float, shape: Any = None) -> Any:
    """Uniform between `low` and `high`, the product rounded before the sum; a float without `shape`."""
    return low + (high - low) * rng.random(shape)


def normal(rng: np.random.Generator, shape: Any = (), mean: float = 0.0, deviation: float = 1.0) -> F64:
    """About normal: the sum of twelve uniform integers (Irwin and Hall), at most six deviations from the mean."""
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    total = rng.integers(0, 1 << _BITS, (_NORMAL_DRAWS, *shape)).sum(axis=0)
    unit = np.ldexp((total - (_NORMAL_DRAWS << (_BITS - 1))).astype(np.float64), -_BITS)
    return np.asarray(mean + deviation * unit)


def geometric(rng: np.random.Generator, p: float, shape: Any = None) -> Any:
    """Number of trials up to the first success, each with probability 0 < p <= 1, by inversion; at least 1; an int
    without `shape`, else int64."""
    if not 0 < p <= 1:
        raise ValueError(f"geometric takes a probability above 0 and up to 1, not {p}")
    draws = 1.0 - np.asarray(rng.random(shape))  # above 0, up to 1
    found = np.ones(draws.shape, np.int64)
    if p < 1:
        found = np.maximum(np.ceil(log(draws) / log(1.0 - p)), 1.0).astype(np.int64)
    return int(found) if shape is None else found


@functools.cache
def fingerprint() -> str:
    """Digest of what this machine's arithmetic gives for fixed inputs, subnormal numbers among them: the same on every
    machine that follows IEEE 754 (`FINGERPRINT`). Another one means flushed subnormals, extended precision or fused
    operations, and results that must not be mixed with others."""
    grid = np.ldexp(np.arange(-3000.0, 3000.0) + 1 / 3, np.arange(6000) % 7 - 3)
    positive = np.abs(grid)
    rng = np.random.default_rng(7)
    tiny = np.ldexp(positive, -1060)
    parts = (
        exp(np.maximum(grid / 64, -700.0)), log(positive), log2(positive), power(10.0, grid / 2500), tiny, tiny * 0.75,
        np.sqrt(positive), positive / 3.0, grid * grid + grid, np.rint(grid), np.floor(grid), normal(rng, 1000),
        uniform(rng, -0.3, 1.1, 1000), geometric(rng, 1e-3, 1000).astype(np.float64),
        np.array([whole_power(0.999, n) for n in range(700)]),
        grid.astype(np.float32) * np.float32(1.1) + np.float32(0.3),
    )  # fmt: skip
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).astype(part.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()[:16]


FINGERPRINT = "7c7c8294d028f9ba"


def check_platform() -> str | None:
    """None where arithmetic is as it should be, else what to tell the user."""
    if fingerprint() == FINGERPRINT:
        return None
    return (
        f"floating point of this machine does not follow IEEE 754 double precision (fingerprint {fingerprint()}, "
        f"expected {FINGERPRINT}): results would differ from those of other machines. A library that flushes "
        "subnormal numbers to zero does this, or an emulator"
    )
