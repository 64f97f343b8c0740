"""Value and slice model of the IOSS core: which slice pairs are issued, what they produce, what they sum to.

Source: docs/ioss/README.md, "Which slice pairs are issued" and "Counters" (causes of skipping).

Everything works on all jobs of a tile at once. ``J`` jobs, ``K`` elements, ``L`` lanes, ``RF`` members, ``N`` issues.
A pair is coded inside its job as ``g = (k * n_x + i) * n_w + j`` with ``k`` the element of the whole vector: at most
4096 elements x 16 pairs, so a ``uint16`` holds it, and ascending ``g`` is the order of issue.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from models.common.slices import pack, split, unpack, values_per_beat
from models.ioss.config import CoreParams, Descriptor, member_lengths, member_tile_beats, member_vec_beats

# Pair positions looked at in one go: keeps the temporary arrays inside the caches.
_CHUNK_PAIRS = 1 << 20
_CHUNK_ROWS = 1 << 16


# ---------------------------------------------------------------------------------------------- streams <-> operands
def pack_tile(desc: Descriptor, params: CoreParams, w: npt.ArrayLike, **fill: int) -> npt.NDArray[np.uint8]:
    """Pack a tile ``w`` (K, L) into beats ``uint8 (B, 16)``; ``fill`` goes to :func:`models.common.slices.pack`."""
    arr = np.asarray(w)
    if arr.shape != (desc.k_len, params.lanes):
        raise ValueError(f"tile must have shape {(desc.k_len, params.lanes)}, not {arr.shape}")
    parts, at = [], 0
    for length in member_lengths(desc.k_len, desc.reduce_factor):
        parts.append(pack(arr[at : at + length], desc.w_slices, unsigned=desc.w_unsigned, **fill))
        at += length
    return np.concatenate(parts)


def pack_vector(desc: Descriptor, x: npt.ArrayLike, **fill: int) -> npt.NDArray[np.uint8]:
    """Pack one job's vector ``x`` (K,) into beats ``uint8 (B, 16)``; ``fill`` goes to ``pack``."""
    arr = np.asarray(x)
    if arr.shape != (desc.k_len,):
        raise ValueError(f"vector must have shape {(desc.k_len,)}, not {arr.shape}")
    parts, at = [], 0
    for length in member_lengths(desc.k_len, desc.reduce_factor):
        parts.append(pack(arr[at : at + length], desc.x_slices, unsigned=desc.x_unsigned, **fill))
        at += length
    return np.concatenate(parts)


def pack_jobs(
    desc: Descriptor, x: npt.NDArray[np.integer], pad_fill: int = 0, container_fill: int = 0
) -> npt.NDArray[np.uint8]:
    """Beats (J, B, 16) of vectors `x` (J, K), every member chunk beginning with a new beat."""
    per_beat = values_per_beat(desc.x_slices)
    parts, at = [], 0
    for length in member_lengths(desc.k_len, desc.reduce_factor):
        width = -(-length // per_beat) * per_beat
        chunk = np.full((len(x), width), pad_fill, np.int64)
        chunk[:, :length] = x[:, at : at + length]
        beats = pack(chunk, desc.x_slices, container_fill=container_fill)
        parts.append(beats.reshape(len(x), -1, beats.shape[-1]))
        at += length
    return np.concatenate(parts, axis=1)


def unpack_tile(desc: Descriptor, params: CoreParams, beats: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Values ``int32 (K, L)`` of a complete tile's beats ``uint8 (B, 16)``."""
    flat = unpack(beats, desc.w_slices, desc.w_unsigned, np.int32)
    per_beat, parts, at = values_per_beat(desc.w_slices), [], 0
    lengths = member_lengths(desc.k_len, desc.reduce_factor)
    for length, count in zip(lengths, member_tile_beats(desc, params), strict=True):
        parts.append(flat[at * per_beat : at * per_beat + length * params.lanes])
        at += count
    return np.concatenate(parts).reshape(desc.k_len, params.lanes)


def unpack_vectors(desc: Descriptor, beats: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Values ``int32 (J, K)`` of complete jobs' beats ``uint8 (J, B, 16)``."""
    flat = unpack(beats, desc.x_slices, desc.x_unsigned, np.int32)
    per_beat, parts, at = values_per_beat(desc.x_slices), [], 0
    for length, count in zip(member_lengths(desc.k_len, desc.reduce_factor), member_vec_beats(desc), strict=True):
        parts.append(flat[:, at * per_beat : at * per_beat + length])
        at += count
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


# ------------------------------------------------------------------------------------------------------------- pairs
@dataclass(frozen=True)
class PairTable:
    """What a pair code ``g`` stands for, for one shape of tile. All arrays have ``K * n_x * n_w`` entries."""

    k: npt.NDArray[np.uint16]  # element inside its member's chunk
    ij: npt.NDArray[np.uint8]  # i * 4 + j
    order: npt.NDArray[np.uint8]  # i + j
    weight_row: npt.NDArray[np.int32]  # row of weight_table()


@lru_cache(maxsize=256)
def pair_table(k_len: int, reduce_factor: int, x_slices: int, w_slices: int, comp_order: int) -> PairTable:
    """Lookup table of the pair codes; ``comp_order`` is the compensated order, or -1 for none."""
    shape = (k_len, x_slices, w_slices)
    k, i, j = (index.reshape(-1) for index in np.indices(shape))
    chunk = -(-k_len // reduce_factor)
    comp = (i + j == comp_order) & (j > 0)
    return PairTable(
        k=(k % chunk).astype(np.uint16),
        ij=(i * 4 + j).astype(np.uint8),
        order=(i + j).astype(np.uint8),
        weight_row=((comp * k_len + k) * w_slices + j).astype(np.int32),
    )


def desc_pair_table(desc: Descriptor) -> PairTable:
    """The pair table of a descriptor."""
    comp_order = desc.min_order if desc.compensate and desc.min_order > 0 else -1
    return pair_table(desc.k_len, desc.reduce_factor, desc.x_slices, desc.w_slices, comp_order)


def weight_table(desc: Descriptor, w: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
    """Stationary factors of the products in half units, ``int16 (2 * K * n_w, L)``.

    A product is the signed broadcast slice times one row of this table. Row ``(c * K + k) * n_w + j`` holds
    ``sign * (2 * slice j of w[k] + c * (w[k] != 0))``.
    """
    sign, slices = split(w, desc.w_slices)
    k_len, lanes = w.shape
    signum = np.sign(w).astype(np.int16)[:, None, :]
    plain = 2 * np.moveaxis(slices, -1, 1).astype(np.int16)  # (K, n_w, L)
    np.negative(plain, out=plain, where=np.broadcast_to(sign[:, None, :], plain.shape))
    return np.concatenate((plain, plain + signum)).reshape(2 * k_len * desc.w_slices, lanes)


@dataclass(frozen=True)
class Pairs:
    """Issued pairs of ``J`` jobs of a tile, in (job, order of issue)."""

    code: npt.NDArray[np.uint16]  # (N,) pair code g
    x: npt.NDArray[np.uint8]  # (N,) {sign, slice} of the broadcast operand
    bounds: npt.NDArray[np.int64]  # (J * RF + 1,) issues of (job, member) are bounds[job * RF + m] : bounds[... + 1]
    counts: npt.NDArray[np.int64]  # (J, RF) issues
    skips: npt.NDArray[np.int64]  # (J, RF, 4) pairs skipped by cause: mask, x, w, order


def issued_pairs(
    desc: Descriptor, w: npt.NDArray[np.integer], x: npt.NDArray[np.integer], masks: npt.ArrayLike
) -> Pairs:
    """Find the issued pairs of all jobs of a tile.

    Args:
        desc: a legal descriptor.
        w: tile values (K, L).
        x: job vectors (J, K).
        masks: ``out_mask`` of every job (J,), bit l set = lane l is masked.
    """
    n_jobs, k_len = x.shape
    lanes, n_x, n_w, n_m = w.shape[1], desc.x_slices, desc.w_slices, desc.reduce_factor
    full = np.uint32((1 << lanes) - 1)
    live = ~np.asarray(masks, dtype=np.uint32) & full  # (J,)
    w_slices = split(w, n_w)[1]  # (K, L, n_w)
    lane_bit = np.uint32(1) << np.arange(lanes, dtype=np.uint32)
    w_lanes = (np.where(w_slices != 0, lane_bit[None, :, None], np.uint32(0))).sum(axis=1, dtype=np.uint32)  # (K, n_w)
    kept = (np.arange(n_x)[:, None] + np.arange(n_w)[None, :]) >= desc.min_order  # (n_x, n_w)
    shared = bool((live == live[0]).all()) if n_jobs else True

    lengths = member_lengths(k_len, n_m)
    edges = np.concatenate(([0], np.cumsum(lengths)))
    per_job = k_len * n_x * n_w
    step = max(1, _CHUNK_PAIRS // per_job)
    codes, xs, bounds = [], [], [np.zeros(1, dtype=np.int64)]
    skips = np.zeros((n_jobs, n_m, 4), dtype=np.int64)
    total = 0
    for lo in range(0, n_jobs, step):
        hi = min(n_jobs, lo + step)
        chunk_live = live[lo : lo + 1] if shared else live[lo:hi]
        x_sign, x_slices = split(x[lo:hi], n_x)  # (J, K), (J, K, n_x)
        x_used = x_slices != 0
        w_used = (w_lanes[None] & chunk_live[:, None, None]) != 0  # (J or 1, K, n_w)
        issued = x_used[..., None] & (w_used[:, :, None, :] & kept)  # (J, K, n_x, n_w)
        flat = np.flatnonzero(issued.reshape(-1))
        job_edges = np.arange(hi - lo, dtype=np.int64)[:, None] * per_job + edges[1:] * (n_x * n_w)
        ends = np.searchsorted(flat, job_edges.reshape(-1))
        per_issue = np.diff(ends.reshape(-1, n_m)[:, -1], prepend=0)
        x_five = (x_slices | (x_sign[..., None].astype(np.uint8) << 4)).reshape(-1)
        xs.append(x_five[flat // n_w if n_w != 1 else flat])
        flat -= np.repeat(np.arange(hi - lo, dtype=np.int64) * per_job, per_issue)
        codes.append(flat.astype(np.uint16))
        bounds.append(ends + total)
        total += flat.size

        x_count, w_count = x_used.sum(axis=2), w_used.sum(axis=2)  # (J, K), (J or 1, K)
        counts = np.diff(ends, prepend=0).reshape(-1, n_m)
        dead = live[lo:hi] == 0
        for m in range(n_m):
            part = slice(edges[m], edges[m + 1])
            pairs = lengths[m] * n_x * n_w
            used = x_count[:, part].sum(axis=1) * n_w
            both = (x_count[:, part] * w_count[:, part]).sum(axis=1)
            skips[lo:hi, m, 0] = np.where(dead, pairs, 0)
            skips[lo:hi, m, 1] = np.where(dead, 0, pairs - used)
            skips[lo:hi, m, 2] = np.where(dead, 0, used - both)
            skips[lo:hi, m, 3] = np.where(dead, 0, both - counts[:, m])
    all_bounds = np.concatenate(bounds)
    return Pairs(
        code=np.concatenate(codes) if codes else np.empty(0, np.uint16),
        x=np.concatenate(xs) if xs else np.empty(0, np.uint8),
        bounds=all_bounds,
        counts=np.diff(all_bounds).reshape(n_jobs, n_m),
        skips=skips,
    )


# ---------------------------------------------------------------------------------------------------------- products
def live_lanes(masks: npt.ArrayLike, lanes: int) -> npt.NDArray[np.int16]:
    """Live lanes ``int16 (J, L)``, 1 = live, of out_masks (J,)."""
    arr = np.asarray(masks, dtype=np.uint32)
    return (1 - ((arr[:, None] >> np.arange(lanes, dtype=np.uint32)) & 1).astype(np.int16)).astype(np.int16)


def signed_slice(x_five: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Signed value ``int16`` of {sign, slice}."""
    return _SIGNED[x_five]


_SIGNED = np.concatenate((np.arange(16), -np.arange(16))).astype(np.int16)


@dataclass(frozen=True)
class Products:
    """Issues and products of ``J`` jobs of a tile, in (job, order of issue); the products in half units."""

    job: npt.NDArray[np.int64]  # (N,)
    member: npt.NDArray[np.int64]  # (N,)
    k: npt.NDArray[np.uint16]  # (N,) chunk-local
    i: npt.NDArray[np.uint8]
    j: npt.NDArray[np.uint8]
    x: npt.NDArray[np.uint8]  # (N,) {sign, slice}
    order: npt.NDArray[np.uint8]
    data: npt.NDArray[np.int16]  # (N, L)
    pairs: Pairs


def products(desc: Descriptor, w: npt.ArrayLike, x: npt.ArrayLike, masks: npt.ArrayLike | None = None) -> Products:
    """Issues and products of all jobs ``x`` (J, K) of a tile ``w`` (K, L); no masks = every lane is live."""
    w_arr, x_arr = np.asarray(w), np.asarray(x)
    mask_arr = np.zeros(len(x_arr), np.uint32) if masks is None else np.asarray(masks, dtype=np.uint32)
    pairs = issued_pairs(desc, w_arr, x_arr, mask_arr)
    table = desc_pair_table(desc)
    data = np.take(weight_table(desc, w_arr), table.weight_row[pairs.code], axis=0)
    data *= signed_slice(pairs.x)[:, None]
    job = np.repeat(np.arange(len(x_arr)), pairs.counts.sum(axis=1))
    if mask_arr.any():
        data *= live_lanes(mask_arr, w_arr.shape[1])[job]
    member = np.repeat(np.tile(np.arange(desc.reduce_factor), len(x_arr)), pairs.counts.reshape(-1))
    ij = table.ij[pairs.code]
    return Products(
        job=job, member=member, k=table.k[pairs.code], i=ij >> 2, j=ij & 3, x=pairs.x,
        order=table.order[pairs.code], data=data, pairs=pairs,
    )  # fmt: skip


def accumulate(
    job_index: npt.ArrayLike, order: npt.ArrayLike, data: npt.ArrayLike, n_jobs: int
) -> npt.NDArray[np.int64]:
    """Add products in half units to results.

    Args:
        job_index: job of every product (N,), 0 .. n_jobs - 1, in any order; long runs of one job are fast.
        order: order of every product (N,).
        data: products (N, L) in half units (nulls are all zero and add nothing).
        n_jobs: rows of the result.

    Returns:
        ``int64 (n_jobs, L)``, exact. ``ValueError`` if a sum is not a whole number (cannot happen with products of
        the core: what is compensated has order >= 1, so its half is a multiple of 8).
    """
    jobs = np.asarray(job_index, dtype=np.int64)
    orders = np.asarray(order).astype(np.int64)
    values = np.asarray(data)
    out = np.zeros((n_jobs, values.shape[1]), dtype=np.int64)
    for lo in range(0, len(jobs), _CHUNK_ROWS):
        part = slice(lo, lo + _CHUNK_ROWS)
        runs = np.flatnonzero(np.diff(jobs[part], prepend=-1))
        shifted = values[part].astype(np.int64) << (4 * orders[part])[:, None]
        np.add.at(out, jobs[part][runs], np.add.reduceat(shifted, runs, axis=0))
    if (out & 1).any():
        raise ValueError("a sum of half units is odd: not a whole number")
    return out >> 1
