"""Cutting products: everything once, within every limit, and the count of issues by the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from flow.core.blocks import get_block
from models.common.generator import TILE_DRAWS
from models.common.slices import operand_range
from models.ioss.oracle import count_pairs
from models.ran.config import MAX_JOBS, RanDescriptor
from tb.gemm.capture import Capture
from tb.gemm.pieces import Format, as_config, count_issues, cut, longest_k, part_of, parts, product_of, reduce_factor
from tb.gemm.program import MOST_JOBS_OF_A_STAGE, Product, gemm_params

PARAMS = gemm_params(get_block("gemm").resolve_params(None))


def _operands(shape, form, seed=1):
    rng = np.random.default_rng(seed)
    m, k, n = shape
    x = rng.integers(*operand_range(4 * form.n_x, form.x_unsigned), (m, k), endpoint=True)
    w = rng.integers(*operand_range(4 * form.n_w, form.w_unsigned), (k, n), endpoint=True)
    return np.where(rng.random(x.shape) < 0.5, 0, x).astype(np.int32), (w * (rng.random(w.shape) < 0.3)).astype(
        np.int32
    )


@pytest.mark.parametrize("form", [Format(1, 1, True, False), Format(2, 2, True, False), Format(4, 3, False, True)])
def test_issues_are_those_of_the_oracle(form):
    x, w = _operands((5, 40, 37), form)
    lanes = PARAMS.core.lanes
    assert count_issues(x, w, form.n_w, lanes) == count_pairs(x, w, form.n_x, form.n_w, lanes).issues


@pytest.mark.parametrize(("dtype", "n"), [(np.int8, 2), (np.int16, 4)])
def test_the_most_negative_value_of_a_type_is_counted(dtype, n):
    x, w = np.full((2, 3), np.iinfo(dtype).min, dtype), np.full((3, 4), np.iinfo(dtype).min, dtype)
    lanes = PARAMS.core.lanes
    assert count_issues(x, w, n, lanes) == count_pairs(x, w, n, n, lanes).issues == 6


@pytest.mark.parametrize("most", [500, 4000])
def test_parts_keep_k_and_the_draws_of_every_job(most):
    """Each job in one part, with its own bias, mask and number of draws."""
    rng = np.random.default_rng(5)
    x, w = _operands((50, 300, 40), Format(2, 2, False, False))
    mask, lanes = rng.random((50, 40)) < 0.2, PARAMS.core.lanes
    product = Product(x, w, 2, 2, RanDescriptor(), mask=mask, bias=rng.integers(-9, 9, 40), reduce_factor=2)
    sums, draws = np.zeros((50, 40), np.int64), np.zeros((50, 3), np.int64)
    pieces = parts(product, PARAMS, most)
    for piece in pieces:
        mine, seed = part_of(product, 7, as_config(piece), lanes)
        assert mine.shape[1] == 300
        assert piece.issues <= most or (mine.shape[0] == 1 and mine.shape[2] <= lanes)
        sums[piece.rows, piece.columns] += mine.sums(lanes)
        tiles = np.arange(-(-mine.shape[2] // lanes))
        numbers = seed + TILE_DRAWS * tiles + np.arange(mine.shape[0])[:, None]
        draws[piece.rows, piece.columns.start // lanes :][:, : len(tiles)] += numbers
    assert len(pieces) > 10
    assert np.array_equal(sums, product.sums(lanes))
    assert np.array_equal(draws, 7 + TILE_DRAWS * np.arange(3) + np.arange(50)[:, None])
    assert part_of(product, 7, None, lanes) == (product, 7)


@pytest.mark.parametrize(
    ("shape", "form", "most"),
    [
        ((64, 27, 40), Format(2, 2, False, False), 400_000),
        ((70, 300, 70), Format(2, 2, True, False), 4000),
        ((1, 3000, 33), Format(2, 2, False, False), 2000),
        ((40, 1400, 20), Format(4, 4, False, False), 50_000),
        ((9, 700, 17), Format(4, 4, True, True), 400_000),
        ((MAX_JOBS + 1, 2, 3), Format(1, 1, True, False), 400_000),
        ((9000, 2000, 20), Format(1, 1, True, False), 10_000_000),
    ],
)
def test_every_element_once_and_within_the_limits(shape, form, most):
    x, w = _operands(shape, form)
    m, k, n = shape
    y, met = np.zeros((m, n), np.int64), np.zeros((m, n), np.int64)
    issues = 0
    for piece in cut(x, w, form, PARAMS, most):
        product = product_of(piece, x, w, form, PARAMS, "piece")
        Capture(product).check(PARAMS)  # as the bench would refuse it
        jobs = product.shape[0] * -(-product.shape[2] // PARAMS.core.lanes)
        assert product.shape[0] <= MAX_JOBS
        assert product.shape[1] <= longest_k(form, PARAMS)
        assert product.shape[1] <= product.reduce_factor * PARAMS.core.depth or jobs <= MOST_JOBS_OF_A_STAGE
        assert piece.issues <= most
        assert piece.columns.start % PARAMS.core.lanes == 0
        y[piece.rows, piece.columns] += product.x.astype(np.int64) @ product.w
        met[piece.rows, piece.columns] += product.shape[1]
        issues += piece.issues
    assert np.array_equal(y, x.astype(np.int64) @ w)
    assert (met == k).all()
    assert issues == count_issues(x, w, form.n_w, PARAMS.core.lanes)


def test_the_longest_k_is_the_limit():
    form = Format(4, 4, True, True)
    k = longest_k(form, PARAMS)
    for more, good in ((0, True), (1, False)):
        x, w = np.full((1, k + more), 65535, np.int32), np.full((k + more, 1), 65535, np.int32)
        pieces = list(cut(x, w, form, PARAMS))
        assert (len(pieces) == 1) == good


def test_reduce_factor():
    depth, rows = PARAMS.core.depth, PARAMS.core.rows
    assert reduce_factor(rows, depth, PARAMS) == 1
    assert reduce_factor(rows, depth + 1, PARAMS) == 2
    assert reduce_factor(rows // 2, 9, PARAMS) == 2
    assert reduce_factor(1, 9, PARAMS) == reduce_factor(64, 99 * depth, PARAMS) == 8
