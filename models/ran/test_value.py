"""Value level of the RAN against exact fractions, ranks of sums of bits and statistics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.common.formats import YBits
from models.common.generator import LANE_TAPS, MIX_START, NUMBERS, draws, mixed
from models.common.rounding import RAND_BITS, Round, bit_length
from models.ran.config import RanDescriptor
from models.ran.oracle import centred, rank, requantise_exact, round_exact
from models.ran.value import draws_of, pack_results, quantise, saturate, shift_products, start_words, unpack_results

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
STARTS = (0, 0x0001_0000, 0x9E37_79B9, 0xFFFF_8000)  # of a product's jobs; the last ones pass 2^32
JOBS = 1 << 16
TILE = 1 << 16  # numbers from one tile of columns to the next


def _row(taps: tuple[int, ...], bit: int) -> int:
    """Bits of the mixed word that a bit of a lane's draw adds, as a mask."""
    return sum(1 << (bit + tap) % 32 for tap in taps)


def _top(lanes: tuple[int, ...], bits: int) -> list[int]:
    return [_row(LANE_TAPS[lane], 31 - bit) for lane in lanes for bit in range(bits)]


def test_a_draw_step_by_step() -> None:
    """As the page says it, for one number."""
    x = 12345 ^ MIX_START
    for at, (a, b, c) in enumerate(
        ((13, 6, 14), (17, 5, 6), (6, 2, 11), (7, 12, 14), (3, 2, 3), (12, 8, 9), (8, 6, 10), (6, 5, 9), (11, 2, 10))
    ):
        x ^= (x >> a) ^ ((x >> b) & (x >> c)) if at % 2 else (x << a) ^ ((x << b) & (x << c))
        x &= 0xFFFF_FFFF
    assert int(mixed([12345])[0]) == x
    turned = 0
    for tap in (3, 7, 9, 13, 23):
        turned ^= (x >> tap | x << 32 - tap) & 0xFFFF_FFFF
    assert int(draws([12345], 1)[0, 0]) == turned >> 8


def test_numbers_count_modulo_2_32() -> None:
    assert np.array_equal(draws([0, 1, -1], 32), draws([NUMBERS, NUMBERS + 1, NUMBERS - 1], 32))
    desc = RanDescriptor(round=Round.STOCHASTIC, draw=NUMBERS - 2)
    assert np.array_equal(draws_of(desc, np.arange(4), 16), draws([NUMBERS - 2, NUMBERS - 1, 0, 1], 16))


def test_no_two_numbers_give_the_same_word() -> None:
    """A step can be undone from one end of the word to the other; here on what can be counted."""
    numbers = np.concatenate([np.arange(1 << 20), (np.arange(1 << 12) << 20) + 7])
    assert len(np.unique(mixed(numbers))) == len(np.unique(numbers))


def test_every_bit_of_a_number_moves_every_bit_of_the_word() -> None:
    """In half of all numbers, within what 100,000 of them say."""
    numbers = np.random.default_rng(3).integers(0, NUMBERS, 100_000)
    words = mixed(numbers)
    for bit in range(32):
        moved = words ^ mixed(numbers ^ 1 << bit)
        shares = np.array([(moved >> np.uint32(at) & 1).mean() for at in range(32)])
        assert np.abs(shares - 0.5).max() < 5 * 0.5 / np.sqrt(len(numbers))


def test_lanes_are_independent_by_rank() -> None:
    """Upper bits of two, three and four lanes, and of all: no sum of some of them is always the same."""
    lanes = range(32)
    assert all(len(set(_top((lane,), 24))) == 24 == rank(_top((lane,), 24)) for lane in lanes)
    assert len({row for lane in lanes for row in _top((lane,), 24)}) == 32 * 24
    assert all(rank(_top(pair, 13)) == 26 for pair in itertools.combinations(lanes, 2))
    assert all(rank(_top(three, 8)) == 24 for three in itertools.combinations(range(16), 3))
    assert rank(_top(tuple(range(16)), 2)) == rank(_top(tuple(lanes), 1)) == 32
    assert rank([0b11, 0b110, 0b101]) == 2  # the check can fail


@pytest.mark.parametrize("start", STARTS)
def test_consecutive_jobs_and_tiles_are_independent(start: int) -> None:
    """Of a lane's draws: no correlation between jobs that follow each other, between jobs of tiles beside each other,
    or between lanes; upper bits of two jobs in all combinations alike; the difference of two jobs as random as they."""
    numbers = start + np.arange(JOBS)
    mine = draws(numbers, 16)
    unit = (mine / 2.0**24 - 0.5) * np.sqrt(12)
    allowed = 5 / np.sqrt(JOBS)
    for apart in (1, 2, 3, 4, 8, 64, TILE, 2 * TILE, 3 * TILE, 4 * TILE + 1):
        other = draws(numbers + apart, 16)
        theirs = (other / 2.0**24 - 0.5) * np.sqrt(12)
        assert np.abs((unit * theirs).mean(axis=0)).max() < allowed
        assert np.abs((unit * np.roll(theirs, 1, axis=1)).mean(axis=0)).max() < allowed
        for lane in (0, 7, 15):
            seen = np.bincount((mine[:, lane] >> 20) * 16 + (other[:, lane] >> 20), minlength=256)
            expected = JOBS / 256
            assert ((seen - expected) ** 2 / expected).sum() < 255 + 5 * np.sqrt(2 * 255)
        # Numbers that differ in their lowest bit alone, and those that carry, apart from each other.
        for part in (slice(0, None, 2), slice(1, None, 2)):
            moved = (mine ^ other)[part]
            ones = np.array([(moved >> bit & 1).mean(axis=0) for bit in range(24)])
            assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(len(moved))


def test_products_do_not_share_their_noise() -> None:
    """Jobs of products whose numbers begin anywhere, as seeds spread them: their draws correlate with none before."""
    starts = np.random.default_rng(9).integers(0, NUMBERS, 24)
    units = [(draws(start + np.arange(4096), 4) / 2.0**24 - 0.5) * np.sqrt(12) for start in starts]
    for one, other in itertools.combinations(units, 2):
        assert np.abs((one * other).mean(axis=0)).max() < 5.5 / np.sqrt(4096)


@pytest.mark.parametrize("code", range(4))
def test_stochastic_rounding_is_unbiased(code: int) -> None:
    """A million draws a fraction; on the grid of the random bits, and anywhere for 16 and 24 bits."""
    bits, shift, lanes = RAND_BITS[code], 20, 16
    drawn = draws(7 + np.arange(62_500), lanes)
    desc = RanDescriptor(YBits.B16, round=Round.STOCHASTIC, rand_bits=code, shift=shift)
    grid = [1, 5, (1 << min(bits, shift) - 1), (1 << min(bits, shift)) - 1]
    fractions = [each << shift - min(bits, shift) for each in grid] + ([12345, 777_777] if bits >= 16 else [])
    for fraction, whole in itertools.product(fractions, (0, 37, -1, -90)):
        s = np.full(drawn.shape, (whole << shift) + fraction)
        exact = whole + fraction / 2**shift
        error = quantise(s, desc, drawn).mean() - exact
        p = fraction / 2**shift
        assert abs(error) <= 4 * np.sqrt(p * (1 - p) / drawn.size)


def test_eight_bits_off_their_grid_stay_within_half_a_step() -> None:
    drawn = draws(3 + np.arange(62_500), 16)
    desc = RanDescriptor(YBits.B16, round=Round.STOCHASTIC, rand_bits=0, shift=20)
    s = np.full(drawn.shape, (1 << 11) - 1)  # just below half a step of 2^-8
    assert abs(quantise(s, desc, drawn).mean() - s[0, 0] / 2**20) <= 2.0**-9


def test_lanes_are_independent() -> None:
    """Neighbours' draws: no correlation at several distances in time, and none in the exclusive or of four lanes."""
    drawn = draws(1 + np.arange(100_000), 32)
    unit = (drawn / 2.0**24 - 0.5) * np.sqrt(12)
    for lag in range(4):
        other = np.roll(unit, -1, axis=1)[lag:]
        correlation = (unit[: len(other)] * other).mean(axis=0)
        assert np.abs(correlation).max() < 4.5 / np.sqrt(len(other))
    four = drawn[:, 0::4] ^ drawn[:, 1::4] ^ drawn[:, 2::4] ^ drawn[:, 3::4]
    ones = ((four[:, :, None] >> np.arange(24)) & 1).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 4.5 * 0.5 / np.sqrt(len(four))
