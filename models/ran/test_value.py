"""Value level of the RAN against exact fractions, polynomial arithmetic and statistics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.common.formats import YBits
from models.common.generator import LFSR_POLY, Lfsr, run_states, seeded
from models.common.rounding import RAND_BITS, Round, bit_length
from models.ran.config import RanDescriptor
from models.ran.oracle import centred, is_primitive, requantise_exact, round_exact, state_after
from models.ran.value import pack_results, quantise, saturate, shift_products, start_words, unpack_results

SHIFTS = tuple(range(40))


def _sums(rng: np.random.Generator, shift: int) -> np.ndarray:
    """Sums of every size, half of them around ties."""
    wide = rng.integers(-(1 << 39), 1 << 39, 200)
    near = rng.integers(-40, 40, 200) * (1 << shift) + rng.choice([-1, 0, 1], 200) + ((1 << shift) >> 1)
    return np.concatenate([wide, near, [0, 1, -1, (1 << 39) - 1, -(1 << 39) + 1]])


@pytest.mark.parametrize("shift", SHIFTS)
def test_nearest_and_truncate_are_exact(shift: int) -> None:
    rng = np.random.default_rng(shift)
    s = _sums(rng, shift)
    for mode, relu in itertools.product((Round.NEAREST, Round.TRUNCATE), (False, True)):
        z = quantise(s, RanDescriptor(YBits.B16, relu=relu, round=mode, shift=shift))
        want = [round_exact(int(each), shift, mode) for each in s]
        assert z.tolist() == [max(0, each) if relu else each for each in want]


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("code", range(4))
def test_stochastic_adds_the_centred_draw(shift: int, code: int) -> None:
    rng = np.random.default_rng(shift)
    s = _sums(rng, shift)
    draw = rng.integers(0, 1 << 24, len(s))
    desc = RanDescriptor(YBits.B16, round=Round.STOCHASTIC, rand_bits=code, shift=shift)
    z = quantise(s, desc, draw)
    want = [
        round_exact(int(each), shift, Round.STOCHASTIC, centred(int(bits), RAND_BITS[code]))
        for each, bits in zip(s, draw, strict=True)
    ]
    assert z.tolist() == want


@pytest.mark.parametrize("y_bits", list(YBits))
def test_saturation_and_formats(y_bits: YBits) -> None:
    rng = np.random.default_rng(int(y_bits))
    z = np.concatenate([rng.integers(-(1 << 39), 1 << 39, 24), rng.integers(-300, 300, 24)]).reshape(3, 16)
    for unsigned in (False, True) if y_bits < YBits.RAW32 else (False,):
        desc = RanDescriptor(y_bits, unsigned)
        y, over = saturate(z, desc)
        want = [[requantise_exact(int(each), desc) for each in row] for row in z]
        assert y.tolist() == want
        assert np.array_equal(over, y != z)
        assert np.array_equal(unpack_results(pack_results(y, y_bits), y_bits, unsigned, 16), y)


def test_shift_is_exact_in_half_units() -> None:
    rng = np.random.default_rng(1)
    data, order = rng.integers(-465, 466, (500, 8)), rng.integers(0, 7, 500)
    want = [[value * 16**power // 2 for value in row] for row, power in zip(data.tolist(), order.tolist(), strict=True)]
    assert shift_products(data.astype(np.int16), order).tolist() == want


def test_bit_lengths() -> None:
    values = [0, 1, -1, 2, 3, -4, 255, 256, -(1 << 39), (1 << 39) - 1, (1 << 47) - 1]
    assert bit_length(np.array(values)).tolist() == [abs(value).bit_length() for value in values]


def test_missing_words_are_zero() -> None:
    beat = np.arange(16, dtype=np.uint8)
    words = start_words([beat], 32, 8)
    assert words[:4].tolist() == beat.view("<i4").tolist()
    assert not words[4:].any()
    assert start_words([beat] * 9, 32, 8).tolist() == start_words([beat] * 2, 32, 8).tolist()


# ---- random numbers --------------------------------------------------------------------------------------------------
def test_polynomials_are_primitive_and_different() -> None:
    assert len(set(LFSR_POLY)) == 32
    assert all(is_primitive(mask) for mask in LFSR_POLY)
    assert not is_primitive(0x80000003)  # the check can fail


def test_states_follow_the_polynomials() -> None:
    states = run_states(seeded(32, 12345), 70)
    for lane, mask in enumerate(LFSR_POLY):
        start = (12345 ^ (lane + 1) * 0x9E3779B9) & 0xFFFFFFFF
        for n in (0, 1, 2, 31, 70):
            assert int(states[n, lane]) == state_after(mask, start, 32 * (n + 1))
    # One lane step by step, as the page says it.
    s = (12345 ^ 0x9E3779B9) & 0xFFFFFFFF
    for _ in range(32):
        s = (s >> 1) ^ (LFSR_POLY[0] if s & 1 else 0)
    assert int(states[0, 0]) == s


def test_no_seed_stops_a_lane() -> None:
    for lane in range(32):
        assert seeded(32, (lane + 1) * 0x9E3779B9 & 0xFFFFFFFF)[lane] != 0


@pytest.mark.parametrize("code", range(4))
def test_stochastic_rounding_is_unbiased(code: int) -> None:
    """A million draws a fraction; on the grid of the random bits, and anywhere for 16 and 24 bits."""
    bits, shift, lanes = RAND_BITS[code], 20, 16
    draws = Lfsr(lanes, 7).draw(62_500)
    desc = RanDescriptor(YBits.B16, round=Round.STOCHASTIC, rand_bits=code, shift=shift)
    grid = [1, 5, (1 << min(bits, shift) - 1), (1 << min(bits, shift)) - 1]
    fractions = [each << shift - min(bits, shift) for each in grid] + ([12345, 777_777] if bits >= 16 else [])
    for fraction, whole in itertools.product(fractions, (0, 37, -1, -90)):
        s = np.full(draws.shape, (whole << shift) + fraction)
        exact = whole + fraction / 2**shift
        error = quantise(s, desc, draws).mean() - exact
        p = fraction / 2**shift
        assert abs(error) <= 4 * np.sqrt(p * (1 - p) / draws.size)


def test_eight_bits_off_their_grid_stay_within_half_a_step() -> None:
    draws = Lfsr(16, 3).draw(62_500)
    desc = RanDescriptor(YBits.B16, round=Round.STOCHASTIC, rand_bits=0, shift=20)
    s = np.full(draws.shape, (1 << 11) - 1)  # just below half a step of 2^-8
    assert abs(quantise(s, desc, draws).mean() - s[0, 0] / 2**20) <= 2.0**-9


def test_lanes_are_independent() -> None:
    """Neighbours' draws: no correlation at several distances in time, and none in the exclusive or of four lanes."""
    draws = Lfsr(32, 1).draw(100_000)
    unit = (draws / 2.0**24 - 0.5) * np.sqrt(12)
    for lag in range(4):
        other = np.roll(unit, -1, axis=1)[lag:]
        correlation = (unit[: len(other)] * other).mean(axis=0)
        assert np.abs(correlation).max() < 4.5 / np.sqrt(len(other))
    mixed = draws[:, 0::4] ^ draws[:, 1::4] ^ draws[:, 2::4] ^ draws[:, 3::4]
    ones = ((mixed[:, :, None] >> np.arange(24)) & 1).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 4.5 * 0.5 / np.sqrt(len(mixed))
