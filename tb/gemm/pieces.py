"""Products of any size, cut into pieces that one run of the bench holds: by columns, rows and K (docs/net.md).

A piece takes at most `MOST_ISSUES` issues, counted from the operands, since the bench keeps some 1.3 KB an issue; its
jobs are within the bench's and the RAN's limits, and its sums within the accumulators. Pieces of K add up; where
results leave in a format of their own, K stays whole, and only jobs are dealt out (`parts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.formats import YBits
from models.common.generator import NUMBERS, TILE_DRAWS
from models.ioss.config import LEGAL_REDUCE
from models.ran.config import MAX_JOBS, RanDescriptor, sum_bound
from tb.gemm.program import MOST_JOBS_OF_A_STAGE, GemmParams, Product

I64 = npt.NDArray[np.int64]
IntArray = npt.NDArray[np.integer]
MOST_ISSUES = 400_000
JOB_COST = 4  # issues that a job counts as at least: an empty one is traced too
ROWS_EACH = 4  # jobs for every row of the array, below which columns and K are cut rather than rows
_NIBBLES = sum(((np.arange(1 << 16) >> 4 * at & 15) != 0).astype(np.uint8) for at in range(4))


@dataclass(frozen=True)
class Format:
    """Slices and signs of both operands."""

    n_x: int
    n_w: int
    x_unsigned: bool
    w_unsigned: bool


@dataclass(frozen=True)
class Piece:
    """Rows, elements of K and columns of a product, and the issues that they take."""

    rows: slice
    k: slice
    columns: slice
    issues: int


def x_slices(x: IntArray) -> npt.NDArray[np.uint8]:
    """Slices of each element (M, K) that are not zero."""
    return np.asarray(_NIBBLES[np.abs(x.astype(np.int32))])


def w_slices(w: IntArray, n_w: int, lanes: int) -> I64:
    """Slices of each element of K with a lane that is not zero, by tile of columns: (K, tiles)."""
    k, n = w.shape
    tiles = -(-n // lanes)
    padded = np.zeros((k, tiles * lanes), np.int64)
    padded[:, :n] = np.abs(w.astype(np.int64))
    cut = padded.reshape(k, tiles, lanes)
    out = np.zeros((k, tiles), np.int64)
    for j in range(n_w):
        out += (cut >> 4 * j & 15 != 0).any(axis=2)
    return out


def count_issues(x: IntArray, w: IntArray, n_w: int, lanes: int) -> int:
    """Issues of a whole product, with nothing masked and no order dropped."""
    return int(x_slices(x).sum(axis=0, dtype=np.int64) @ w_slices(w, n_w, lanes).sum(axis=1))


def reduce_factor(rows: int, k: int, params: GemmParams) -> int:
    """The smallest with a job for every row of the array and K in one chunk; the largest if there is none such."""
    legal = [each for each in LEGAL_REDUCE if each <= params.core.rows]
    good = (each for each in legal if rows * each >= params.core.rows and k <= each * params.core.depth)
    return next(good, legal[-1])


def longest_k(form: Format, params: GemmParams) -> int:
    """Elements whose sums no accumulator can overflow."""
    return ((1 << params.ran.acc_w - 1) - 1) // sum_bound(
        1, form.n_x, form.n_w, form.x_unsigned, form.w_unsigned, False
    )


def cut(
    x: IntArray, w: IntArray, form: Format, params: GemmParams, most: int = MOST_ISSUES, factor: int | None = None
) -> Iterator[Piece]:
    """The pieces of x @ w; each element of each result is in exactly one piece for every part of K. With the reduce
    factor given, K stays whole: then a row with one tile of columns may take more than `most` issues."""
    (m, k), n, lanes = x.shape, w.shape[1], params.core.lanes
    whole = factor is not None
    span = (factor or reduce_factor(m, k, params)) * params.core.depth
    longest = longest_k(form, params)
    step = k if whole else longest // span * span or longest
    x_on, w_on = x_slices(x), w_slices(w, form.n_w, lanes)
    few = 1 if whole else ROWS_EACH * params.core.rows

    def split(r0: int, r1: int, k0: int, k1: int, t0: int, t1: int) -> Iterator[Piece]:
        rows, tiles, length = r1 - r0, t1 - t0, k1 - k0
        issues = int(x_on[r0:r1, k0:k1].sum(axis=0, dtype=np.int64) @ w_on[k0:k1, t0:t1].sum(axis=1))
        cost = max(issues, JOB_COST * rows * tiles * -(-length // span))
        jobs = rows * tiles
        small = cost <= most or (whole and jobs == 1)
        if small and rows <= MAX_JOBS and (length <= span or jobs <= MOST_JOBS_OF_A_STAGE):
            yield Piece(slice(r0, r1), slice(k0, k1), slice(t0 * lanes, min(n, t1 * lanes)), issues)
            return
        if tiles > 1 and rows <= MAX_JOBS:
            at = t0 + tiles // 2
            halves = [(r0, r1, k0, k1, t0, at), (r0, r1, k0, k1, at, t1)]
        elif rows > few or (length <= span and rows > 1):
            at = r0 + rows // 2
            halves = [(r0, at, k0, k1, t0, t1), (at, r1, k0, k1, t0, t1)]
        else:
            assert length > 1, "a single element of K takes too many issues"
            at = k0 + (-(-length // span) // 2 * span if length > span else length // 2)
            halves = [(r0, r1, k0, at, t0, t1), (r0, r1, at, k1, t0, t1)]
        for half in halves:
            yield from split(*half)

    for k0 in range(0, k, step):
        yield from split(0, m, k0, min(k, k0 + step), 0, w_on.shape[1])


def product_of(piece: Piece, x: IntArray, w: IntArray, form: Format, params: GemmParams, name: str) -> Product:
    """The piece as a product of exact sums."""
    x_part, w_part = x[piece.rows, piece.k], w[piece.k, piece.columns]
    return Product(
        x_part, w_part, form.n_x, form.n_w, RanDescriptor(YBits.RAW64), name,
        form.x_unsigned, form.w_unsigned, reduce_factor=reduce_factor(*x_part.shape, params),
    )  # fmt: skip


def parts(product: Product, params: GemmParams, most: int = MOST_ISSUES) -> list[Piece]:
    """A product with its own format and options cut by rows and columns, counted with nothing masked and no order
    dropped."""
    form = Format(product.n_x, product.n_w, product.x_unsigned, product.w_unsigned)
    return list(cut(product.x, product.w, form, params, most, product.reduce_factor))


def as_config(piece: Piece) -> dict[str, list[int]]:
    """A piece as the configuration of a test has it (`part`)."""
    return {"rows": [piece.rows.start, piece.rows.stop], "columns": [piece.columns.start, piece.columns.stop]}


def part_of(product: Product, seed: int, part: Mapping[str, Any] | None, lanes: int) -> tuple[Product, int]:
    """The rows and columns of a product that a configuration's `part` names (None: all), and where the numbers of its
    draws begin: each job draws what it draws in the whole product."""
    if not part:
        return product, seed
    rows, columns = slice(*part["rows"]), slice(*part["columns"])
    mask, bias = product.mask, product.bias
    mine = replace(
        product, x=product.x[rows], w=product.w[:, columns], mask=None if mask is None else mask[rows, columns],
        bias=None if bias is None else bias[columns],
    )  # fmt: skip
    return mine, (seed + TILE_DRAWS * (columns.start // lanes) + rows.start) % NUMBERS
