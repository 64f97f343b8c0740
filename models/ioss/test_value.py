"""Value and slice model: against nested loops, the plain matrix product, and the definitions counted directly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.common.slices import operand_range, split
from models.ioss.config import CoreParams, Descriptor, member_lengths
from models.ioss.reference import member_pairs
from models.ioss.value import (
    accumulate,
    issued_pairs,
    pack_tile,
    pack_vector,
    products,
    unpack_tile,
    unpack_vectors,
)

PRECISIONS = [(x, w) for x in (1, 2, 3, 4) for w in (1, 2, 3, 4)]


def sparse_operands(
    rng: np.random.Generator, shape: tuple[int, ...], n: int, unsigned: bool, zero: float = 0.3
) -> np.ndarray:
    """Full-range values with zeros, zero slices and both extremes."""
    low, high = operand_range(4 * n, unsigned)
    values = rng.integers(low, high + 1, shape)
    for i in range(n):  # punch holes into the magnitudes
        hole = np.where(rng.random(shape) < 0.3, 15 << (4 * i), 0)
        values = np.sign(values) * (np.abs(values) & ~hole)
    values = np.where(rng.random(shape) < 0.05, rng.choice([low, high], shape), values)
    return np.where(rng.random(shape) < zero, 0, values)


def case(
    rng: np.random.Generator, desc: Descriptor, n_jobs: int, lanes: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    w = sparse_operands(rng, (desc.k_len, lanes), desc.w_slices, desc.w_unsigned)
    x = sparse_operands(rng, (n_jobs, desc.k_len), desc.x_slices, desc.x_unsigned)
    w[rng.random(desc.k_len) < 0.3, rng.integers(1, lanes) :] = 0
    masks = np.where(rng.random(n_jobs) < 0.5, 0, rng.integers(0, 1 << lanes, n_jobs)).astype(np.uint32)
    masks[rng.random(n_jobs) < 0.2] = (1 << lanes) - 1
    return w, x, masks


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 1 << 20),
    precision=st.sampled_from(PRECISIONS),
    unsigned=st.tuples(st.booleans(), st.booleans()),
    order=st.integers(0, 6),
    compensate=st.booleans(),
    rf=st.sampled_from([1, 2, 4, 8]),
    k_len=st.integers(1, 24),
    lanes=st.sampled_from([8, 16, 32]),
)
def test_equals_nested_loops(
    seed: int,
    precision: tuple[int, int],
    unsigned: tuple[bool, bool],
    order: int,
    compensate: bool,
    rf: int,
    k_len: int,
    lanes: int,
) -> None:
    n_x, n_w = precision
    desc = Descriptor(n_x, n_w, *unsigned, min(order, n_x + n_w - 2), compensate, rf, k_len)
    w, x, masks = case(np.random.default_rng(seed), desc, 3, lanes)
    got = products(desc, w, x, masks)
    at = 0
    for job in range(3):
        begin = 0
        for m, length in enumerate(member_lengths(k_len, rf)):
            part = slice(begin, begin + length)
            begin += length
            issued, skipped = member_pairs(desc, w[part].tolist(), x[job, part].tolist(), int(masks[job]), lanes)
            assert got.pairs.counts[job, m] == len(issued)
            assert got.pairs.skips[job, m].tolist() == skipped
            for pair in issued:
                index = (int(got.job[at]), int(got.member[at]), int(got.k[at]), int(got.i[at]), int(got.j[at]))
                assert index == (job, m, pair.k, pair.i, pair.j)
                assert int(got.x[at]) == 16 * pair.sign + pair.x
                assert int(got.order[at]) == pair.i + pair.j
                assert tuple(got.data[at].tolist()) == pair.data
                at += 1
    assert at == len(got.data)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("unsigned", [(False, False), (False, True), (True, False), (True, True)])
def test_sum_of_products_is_the_matrix_product(precision: tuple[int, int], unsigned: tuple[bool, bool]) -> None:
    """The oracle of min_order 0: nothing but zeros is left out. Compensation changes nothing there."""
    rng = np.random.default_rng([*precision, *unsigned])
    for rf, compensate in ((1, False), (4, True)):
        desc = Descriptor(*precision, *unsigned, 0, compensate, rf, 37)
        w = sparse_operands(rng, (37, 16), precision[1], unsigned[1])
        x = sparse_operands(rng, (25, 37), precision[0], unsigned[0])
        got = products(desc, w, x)
        assert (got.data & 1 == 0).all()
        np.testing.assert_array_equal(accumulate(got.job, got.order, got.data, 25), x @ w)
        pad = {"pad_fill": 0xFFFF, "container_fill": 0xF}
        beats = pack_tile(desc, CoreParams(8, 16, 32), w, **pad)
        np.testing.assert_array_equal(unpack_tile(desc, CoreParams(8, 16, 32), beats), w)
        vectors = np.stack([pack_vector(desc, row, **pad) for row in x])
        np.testing.assert_array_equal(unpack_vectors(desc, vectors), x)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_issue_counts_from_the_definition(precision: tuple[int, int]) -> None:
    rng = np.random.default_rng(precision)
    n_x, n_w = precision
    for order in range(n_x + n_w - 1):
        desc = Descriptor(n_x, n_w, min_order=order, k_len=50)
        w, x, masks = case(rng, desc, 20)
        live = (masks[:, None] >> np.arange(8)) & 1 == 0  # (J, L)
        x_on = split(x, n_x)[1] != 0  # (J, K, i)
        w_on = np.einsum("kln,jl->jkn", split(w, n_w)[1] != 0, live) > 0  # (J, K, n)
        kept = np.add.outer(np.arange(n_x), np.arange(n_w)) >= order
        pairs = issued_pairs(desc, w, x, masks)
        want = np.einsum("jki,jkn,in->j", x_on.astype(int), w_on.astype(int), kept.astype(int))
        np.testing.assert_array_equal(pairs.counts[:, 0], want)
        np.testing.assert_array_equal(pairs.counts.sum(axis=1) + pairs.skips.sum(axis=(1, 2)), 50 * n_x * n_w)


def test_masked_lanes_are_zero_and_keep_nothing_alive() -> None:
    desc = Descriptor(2, 2, k_len=4)
    w = np.zeros((4, 8), int)
    w[:, 0] = 0x33
    w[2, 5] = 0x30
    x = np.full((3, 4), 0x22)
    got = products(desc, w, x, [0x00, 0x01, 0xFF])
    assert got.pairs.counts[:, 0].tolist() == [16, 2, 0]
    assert (got.data[16:, 0] == 0).all()
    assert got.data[16:, 5].tolist() == [12, 12]
    assert got.pairs.skips[:, 0].tolist() == [[0, 0, 0, 0], [0, 0, 14, 0], [16, 0, 0, 0]]


def test_min_order_drops_exactly_the_lower_orders() -> None:
    rng = np.random.default_rng(1)
    whole = Descriptor(4, 3, k_len=30)
    w, x, masks = case(rng, whole, 10)
    everything = products(whole, w, x, masks)
    for order in range(6):
        got = products(Descriptor(4, 3, min_order=order, k_len=30), w, x, masks)
        kept = everything.order >= order
        np.testing.assert_array_equal(got.data, everything.data[kept])
        np.testing.assert_array_equal(got.pairs.code, everything.pairs.code[kept])


@pytest.mark.parametrize("unsigned", [False, True])
def test_compensation_is_the_half_range_mean_of_what_was_dropped(unsigned: bool) -> None:
    """What compensation adds for x slice i is sign * x_i 16^i * 16^j / 2 with j = min_order - i > 0."""
    rng = np.random.default_rng(2)
    low, high = operand_range(16, unsigned)
    w = rng.choice([low, high], (12, 8)) - (0 if unsigned else rng.integers(0, 2, (12, 8)))
    w = np.clip(w | 0x1111, low, high)
    x = rng.integers(*operand_range(16), (6, 12))
    sign, slices = split(x, 4)
    x_slices = np.where(sign[..., None], -1, 1) * slices.astype(np.int64)
    for order in range(7):
        plain, comp = (
            accumulate(p.job, p.order, p.data, 6)
            for p in (
                products(Descriptor(4, 4, False, unsigned, order, flag, k_len=12), w, x) for flag in (False, True)
            )
        )
        want = np.zeros((6, 8), np.int64)
        w_sign, w_slices = split(w, 4)
        for i in range(4):
            j = order - i
            if not 0 < j < 4:
                continue
            rides = (w_slices[..., j] != 0).any(axis=1)  # compensation never causes an issue
            signed = np.where(w == 0, 0, np.where(w_sign, -1, 1)) * rides[:, None]
            want += x_slices[..., i] @ signed * (16 ** (i + j) // 2)
        np.testing.assert_array_equal(comp - plain, want)


def test_compensation_reduces_the_mean_error() -> None:
    """Why it exists: for full-range random operands the bias towards zero shrinks."""
    rng = np.random.default_rng(4)
    w, x = rng.integers(0, 1 << 16, (64, 8)), rng.integers(0, 1 << 16, (40, 64))
    errors = []
    for flag in (False, True):
        got = products(Descriptor(4, 4, True, True, 4, flag, k_len=64), w, x)
        errors.append(np.abs(accumulate(got.job, got.order, got.data, 40) - x @ w).mean())
    assert errors[1] < errors[0] / 2


def test_accumulate_is_exact_and_refuses_halves() -> None:
    big = accumulate(np.zeros(4096, int), np.full(4096, 6), np.full((4096, 8), 450), 1)
    assert big.tolist() == [[4096 * 225 * 16**6] * 8]
    scattered = accumulate([2, 0, 2, 2], [0, 1, 1, 0], np.array([[2], [4], [6], [-2]]), 3)
    assert scattered.tolist() == [[32], [0], [48]]
    assert accumulate(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 8), np.int16), 2).shape == (2, 8)
    with pytest.raises(ValueError, match="odd"):
        accumulate([0], [0], np.array([[1]]), 1)


def test_largest_tile() -> None:
    """K = 8 x 512 at 16 b x 16 b: pair codes use all 16 bits."""
    rng = np.random.default_rng(6)
    desc = Descriptor(4, 4, k_len=4096, reduce_factor=8)
    w, x = rng.integers(-(1 << 15), 1 << 15, (4096, 32)), rng.integers(-(1 << 15), 1 << 15, (2, 4096))
    w[-1], x[:, -1] = 0x7777, -0x7777
    got = products(desc, w, x)
    assert got.pairs.code.max() == 0xFFFF
    assert got.k.max() == 511
    np.testing.assert_array_equal(accumulate(got.job, got.order, got.data, 2), x @ w)


def test_wrong_shapes() -> None:
    desc = Descriptor(1, 1, k_len=8)
    with pytest.raises(ValueError, match="tile must have shape"):
        pack_tile(desc, CoreParams(), np.zeros((8, 8), int))
    with pytest.raises(ValueError, match="vector must have shape"):
        pack_vector(desc, np.zeros(9, int))
