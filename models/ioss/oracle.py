"""Independent oracles of the IOSS core: whole matrices, written from the definitions, sharing nothing with the model.

Source: docs/ioss/README.md, "Which slice pairs are issued". Slices here come from integer division, not from nibbles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]


def slices(q: npt.NDArray[np.integer], n: int) -> list[I64]:
    """Signed slices of `q`, lowest first: q = sum of slice[i] * 16^i."""
    magnitude = np.abs(q.astype(np.int64))
    return [np.sign(q) * (magnitude // 16**i % 16) for i in range(n)]


def kept_product(
    x: npt.NDArray[np.integer],
    w: npt.NDArray[np.integer],
    n_x: int,
    n_w: int,
    lanes: int,
    min_order: int = 0,
    compensate: bool = False,
    mask: npt.NDArray[np.bool_] | None = None,
) -> I64:
    """What the products of `x` (M, K) and `w` (K, N) sum up to (M, N): the whole product if `min_order` is 0.

    Compensation with a partial mask is not covered (an element's compensation then depends on the live lanes of each
    row): `ValueError`.
    """
    if compensate and min_order and mask is not None and mask.any():
        raise ValueError("no oracle for compensation under a mask")
    xs, ws = slices(x, n_x), slices(w, n_w)
    out = np.zeros((x.shape[0], w.shape[1]), np.int64)
    for i in range(n_x):
        for j in range(n_w):
            if i + j < min_order:
                continue
            out += 16 ** (i + j) * (xs[i] @ ws[j])
            if compensate and i + j == min_order and j > 0:
                for n0 in range(0, w.shape[1], lanes):
                    tile = slice(n0, n0 + lanes)
                    issued = (ws[j][:, tile] != 0).any(axis=1)
                    out[:, tile] += 16**min_order // 2 * (xs[i] * issued @ np.sign(w[:, tile]).astype(np.int64))
    return out if mask is None else np.where(mask, 0, out)


@dataclass(frozen=True)
class PairCount:
    """Slice pairs of a product: issued, and skipped by cause. `dense`: at 16b x 16b with nothing skipped."""

    issues: int
    mask: int
    x: int
    w: int
    order: int
    dense: int


def count_pairs(
    x: npt.NDArray[np.integer],
    w: npt.NDArray[np.integer],
    n_x: int,
    n_w: int,
    lanes: int,
    min_order: int = 0,
    mask: npt.NDArray[np.bool_] | None = None,
) -> PairCount:
    """Counts pairs (m, column tile, k, i, j) from the definition."""
    m_total, k_total = x.shape
    n_total = w.shape[1]
    dead = np.zeros((m_total, n_total), bool) if mask is None else mask
    x_on = np.stack([s != 0 for s in slices(x, n_x)])  # (i, m, k)
    w_on = np.stack([s != 0 for s in slices(w, n_w)])  # (j, k, n)
    order = np.add.outer(np.arange(n_x), np.arange(n_w))
    issues = by_mask = by_x = by_w = by_order = 0
    for n0 in range(0, n_total, lanes):
        tile = slice(n0, n0 + lanes)
        alive = ~dead[:, tile]
        some = alive.any(axis=1)
        all_pairs = k_total * n_x * n_w
        by_mask += int((~some).sum()) * all_pairs
        # (j, m, k): slice j of element k is not zero in a live lane of job m
        live = np.stack([(alive.astype(np.int32) @ w_on[j][:, tile].T.astype(np.int32)) > 0 for j in range(n_w)])
        on = x_on[:, some]
        by_x += int((~on).sum()) * n_w
        both = np.einsum("imk,jmk->ij", on.astype(np.int64), live[:, some].astype(np.int64))
        by_w += int(on.sum()) * n_w - int(both.sum())
        by_order += int(both[order < min_order].sum())
        issues += int(both[order >= min_order].sum())
    tiles = -(-n_total // lanes)
    return PairCount(issues, by_mask, by_x, by_w, by_order, 16 * m_total * k_total * tiles)
