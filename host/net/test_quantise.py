"""The rule of quantisation against exact fractions; a model's own integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from host.net.quantise import own_integers, quantise


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("unsigned", [False, True])
def test_rounding_to_nearest_even(bits, dtype, unsigned):
    rng = np.random.default_rng(bits)
    # Multiples of half a step when max is q_max: ties are met, and are exact.
    q_max = (1 << bits if unsigned else 1 << bits - 1) - 1
    values = rng.integers(0 if unsigned else -2 * q_max, 2 * q_max + 1, (3, 50)) / 2
    values[0, 0] = q_max
    x = values.astype(dtype) if dtype != np.float16 else rng.integers(-1000, 1000, (3, 50)).astype(dtype) / 7
    x = np.abs(x) if unsigned else x
    got = quantise(x, bits)
    largest = Fraction(float(np.abs(x).max()))
    want = [round(Fraction(float(each)) * q_max / largest) for each in x.reshape(-1)]  # Python rounds ties to even
    assert got.unsigned == unsigned
    assert got.q.reshape(-1).tolist() == want
    assert int(np.abs(got.q).max()) == q_max
    assert got.scale == pytest.approx(float(largest) / q_max)


@pytest.mark.parametrize("scale", [5e-324, 1e-40, 1e300])
def test_any_magnitude(scale):
    got = quantise(np.array([scale, 0.0, -scale]), 8)
    assert got.q.tolist() == [127, 0, -127]


def test_zeros_and_what_is_not_a_number():
    got = quantise(np.zeros((2, 2), np.float32), 8)
    assert (got.q.tolist(), got.unsigned, got.scale) == ([[0, 0], [0, 0]], True, 1.0)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not finite"):
            quantise(np.array([1.0, bad]), 8)


@pytest.mark.parametrize(
    ("span", "zero", "bits", "unsigned"),
    [
        ((-128, 127), None, 8, False), ((0, 255), None, 8, True), ((0, 255), 128, 8, False), ((0, 255), 100, 12, False),
        ((-8, 7), None, 4, False), ((0, 15), 0, 4, True), ((-32768, 32767), None, 16, False),
        ((-(1 << 31), (1 << 31) - 1), None, 8, False),
    ],
)  # fmt: skip
def test_own_integers(span, zero, bits, unsigned):
    q = np.array([[3, 7], [0, 5]]) - (120 if span[0] < -(1 << 16) else 0)
    got = own_integers(q, None if zero is None else np.array(zero), span, 0.5)
    assert (got.bits, got.unsigned, got.own) == (bits, unsigned, True)
    assert np.array_equal(got.q, q - (zero or 0))


def test_own_integers_that_fit_nothing():
    with pytest.raises(ValueError, match="do not fit 16 bits"):
        own_integers(np.array([1 << 20]), None, (-(1 << 31), (1 << 31) - 1), None)
