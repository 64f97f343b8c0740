"""Cycle model of the RAN: from what was offered and when outputs were taken to every event's cycle and value.

Source: docs/ran/README.md. Time first (models/ran/timing.py), at the granularity of jobs: inside a job nothing can stop
a row's products, so only its first product, the drain and the slots need a decision in a cycle. Values afterwards, on
whole arrays.

**Horizon.** ``Stimulus.horizon`` cycles, 0 .. horizon - 1, were observed. An event at or after the horizon is absent
from the tables (or -1 where a table has one entry per input).

**At rest.** With nothing offered that was not taken and nothing inside, all that a RAN keeps are the reduce factor and
the number of the next job (`Rest`). A long run may thus be predicted in parts, each with its own cycle 0:
`Prediction.rest` of one is `Stimulus.since` of the next, and counters add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.common.formats import CONTAINER, YBits
from models.common.rounding import Round, bit_length
from models.ran.config import (
    TAGS,
    GlobalCounter,
    RanDescriptor,
    RanParams,
    RowCounter,
    RspCode,
    Start,
)
from models.ran.jobs import AFTER_RESET, I64, U8, Flags, Job, Rest
from models.ran.timing import Timing
from models.ran.value import draws_of, join_stats, pack_results, quantise, saturate, shift_products, start_words

PROD_IN_DTYPE = np.dtype(
    [
        ("row", "u1"),
        ("offer", "<i8"),
        ("order", "u1"),
        ("last", "u1"),
        ("null", "u1"),
        ("bank", "u1"),
        ("tag", "<u2"),
        ("mask", "<u4"),
    ]
)
BYP_IN_DTYPE = np.dtype([("offer", "<i8"), ("tag", "<u2"), ("mask", "<u4")])
CANCEL_DTYPE = np.dtype([("cycle", "<i8"), ("tag", "<u2")])
REQ_DTYPE = np.dtype([("valid_cycle", "<i8"), ("cycle", "<i8"), ("tag", "<u2")])
TREE_DTYPE = np.dtype([("entry", "u1"), ("cycle", "<i8"), ("bank", "u1")])
SWAP_DTYPE = np.dtype([("cycle", "<i8"), ("byp", "u1"), ("entry", "u1"), ("bank", "u1"), ("tag", "<u2")])
QUANT_DTYPE = np.dtype([("cycle", "<i8"), ("tag", "<u2")])
JOB_STAT_DTYPE = np.dtype(
    [
        ("cycle", "<i8"),
        ("tag", "<u2"),
        ("overflow", "u1"),
        ("zeros", "u1"),
        ("max_bit", "u1"),
        ("sum_abs", "<u4"),
    ]
)
OUT_DTYPE = np.dtype(
    [
        ("valid_cycle", "<i8"),
        ("cycle", "<i8"),
        ("bits", "u1"),
        ("last", "u1"),
        ("jobs", "u1"),
        ("tag", "<u2", (4,)),
        ("mask", "<u4", (4,)),
    ]
)
STAT_DTYPE = np.dtype(
    [
        ("valid_cycle", "<i8"),
        ("cycle", "<i8"),
        ("values", "<u4"),
        ("overflow", "<u4"),
        ("zeros", "<u4"),
        ("max_bit", "u1"),
        ("sum_abs", "<u8"),
    ]
)
JOB_DTYPE = np.dtype(
    [
        ("tag", "<u2"),
        ("desc", "<i4"),
        ("byp", "u1"),
        ("complete", "<i8"),
        ("select", "<i8"),
        ("swap", "<i8"),
        ("quant", "<i8"),
        ("done", "<i8"),
    ]
)


@dataclass
class Stimulus:
    """Inputs as observed at the boundary. *Offer*: the first cycle with ``valid`` high for an item, -1: never."""

    descs: list[RanDescriptor]
    desc_offer: I64  # (D,)
    prod: npt.NDArray[np.void]  # (Q,) PROD_IN_DTYPE, by row, then order of the stream
    prod_data: npt.NDArray[np.int16]  # (Q, L) half units
    byp: npt.NDArray[np.void]  # BYP_IN_DTYPE
    cancel: npt.NDArray[np.void]  # CANCEL_DTYPE
    bias_data: U8  # (B, 16)
    bias_last: Flags  # (B,)
    bias_offer: I64  # (B,)
    psum_data: U8  # (B, 16)
    psum_last: Flags
    psum_offer: I64
    horizon: int
    psum_req_ready: Flags | None = None  # (cycles,); None = always; not ready past its end
    out_ready: Flags | None = None
    stat_ready: Flags | None = None
    since: Rest = AFTER_RESET  # how it begins


@dataclass
class Prediction:
    """Everything the RAN does before the horizon. Tables are NumPy structured arrays (see the dtypes above)."""

    desc_accept: I64  # (D,), -1 = not accepted; the response pulses one cycle later
    desc_code: npt.NDArray[np.uint8]  # (D,) RspCode, also of descriptors that were not accepted
    prod_accept: I64  # (Q,)
    byp_accept: I64  # (Y,)
    bias_accept: I64  # (B,)
    bias_err_cycle: I64
    psum_accept: I64  # (B,)
    psum_err_cycle: I64
    psum_req: npt.NDArray[np.void]  # requests transferred
    shift: I64  # (Q', L) of the products that were accepted, in the order of `prod`; seen one cycle later
    tree: npt.NDArray[np.void]  # updates by entry, then cycle
    tree_sum: I64  # (U, L)
    swap: npt.NDArray[np.void]
    swap_acc: I64  # (J, L)
    quant: npt.NDArray[np.void]
    quant_z: I64  # (J', L)
    job_stat: npt.NDArray[np.void]
    out: npt.NDArray[np.void]  # beats transferred
    out_data: U8  # (B, 16)
    stat: npt.NDArray[np.void]  # records transferred
    row_counters: I64  # (rows, 4), index RowCounter
    global_counters: I64  # (13,), index GlobalCounter
    jobs: npt.NDArray[np.void]  # JOB_DTYPE, in order of swap; times that did not come are -1
    rest: Rest | None = None  # at the horizon; None: not at rest


def job_numbers(stim: Stimulus, accepted: I64, codes: npt.NDArray[np.uint8], tags: npt.ArrayLike, cycles: I64) -> I64:
    """Numbers since reset of the jobs whose tags (N,) are covered in cycles (N,): tags wrap at 2^16, numbers do not.

    `accepted` and `codes` are those of the prediction. What the slots cover ends with the last job announced before the
    cycle and is shorter than 2^16.
    """
    good = (accepted >= 0) & (codes == RspCode.OK)
    jobs = np.array([desc.n_jobs for desc in stim.descs], np.int64)[good]
    last = np.concatenate([[0], np.cumsum(jobs)])[np.searchsorted(accepted[good], cycles, side="left")] - 1
    return last - (last - np.asarray(tags, np.int64)) % TAGS


def _table(dtype: np.dtype, rows: list[tuple[object, ...]]) -> npt.NDArray[np.void]:
    return np.array(rows, dtype) if rows else np.zeros(0, dtype)


def _sums(keys: I64, values: I64) -> tuple[I64, I64]:
    """Distinct keys in order, and the sums (K, L) of the values (Q, L) that belong to each."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begin = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1)) if len(ordered) else np.zeros(0, np.int64)
    total = np.add.reduceat(values[order], begin, axis=0) if len(begin) else np.zeros((0, values.shape[1]), np.int64)
    return ordered[begin], total


def predict(params: RanParams, stim: Stimulus) -> Prediction:
    """Everything the RAN does with `stim`."""
    time = Timing(params, stim)
    time.run()
    horizon, lanes = stim.horizon, params.lanes
    jobs = time.jobs
    accept, shifted, job_of, tree, tree_sum = _taken(params, stim, time)

    # ---- contents, sums, results: rows in the order of swaps
    present, totals = _sums(job_of, shifted)
    contents = np.zeros((len(jobs), lanes), np.int64)
    contents[present] = totals
    order = np.array(time.swaps, np.int64)
    swap_acc = contents[order] if len(order) else np.zeros((0, lanes), np.int64)
    swapped = [jobs[at] for at in time.swaps]
    swap = _table(
        SWAP_DTYPE, [(j.swap, j.byp, 0 if j.byp else j.entry, 0 if j.byp else j.bank, j.tag) for j in swapped]
    )
    done = _results(params, stim, time, swapped, swap_acc)
    stats = done.stats
    quant = np.zeros(len(stats), QUANT_DTYPE)
    quant["cycle"], quant["tag"] = stats["cycle"], stats["tag"]

    counters = time.counters
    counters[GlobalCounter.JOBS] = len(stats)
    counters[GlobalCounter.JOBS_BYPASSED] = int((time.byp_accept >= 0).sum())
    counters[GlobalCounter.BEATS] = len(time.beats)
    counters[GlobalCounter.MERGES] = len(time.merges)
    counters[GlobalCounter.OVERFLOWS] = int(stats["overflow"].sum())
    counters[GlobalCounter.DRAWS] = sum(
        job.quant >= 0 and stim.descs[job.desc].round == Round.STOCHASTIC for job in swapped
    )

    place = {at: n for n, at in enumerate(time.swaps)}
    out, out_data = _beats(params, stim, time, swapped, done.data, done.mask, place)
    return Prediction(
        desc_accept=time.desc_accept,
        desc_code=np.array([int(desc.check(params)) for desc in stim.descs], np.uint8),
        prod_accept=accept,
        byp_accept=time.byp_accept,
        bias_accept=time.bias_accept,
        bias_err_cycle=np.array([cycle for cycle in time.bias_err if cycle < horizon], np.int64),
        psum_accept=time.psum_accept,
        psum_err_cycle=np.array([cycle for cycle in time.psum_err if cycle < horizon], np.int64),
        psum_req=_table(REQ_DTYPE, list(time.requests)),
        shift=shifted,
        tree=tree,
        tree_sum=tree_sum,
        swap=swap,
        swap_acc=swap_acc,
        quant=quant,
        quant_z=done.z,
        job_stat=stats,
        out=out,
        out_data=out_data,
        stat=_records(stim, time, stats),
        row_counters=time.row_counters,
        global_counters=counters,
        jobs=_table(
            JOB_DTYPE,
            [(j.tag, j.desc, j.byp, j.complete, j.select, j.swap, j.quant, j.done) for j in swapped],
        ),
        rest=time.rest(),
    )


def _taken(params: RanParams, stim: Stimulus, time: Timing) -> tuple[I64, I64, I64, npt.NDArray[np.void], I64]:
    """Cycle in which each product was taken; of those taken, values shifted (P, L) and jobs; what left the tree and
    its sums (T, L)."""
    # Inside a job a product is taken when it is offered.
    seg_of = np.repeat(np.arange(len(time.seg_lo)), time.seg_hi - time.seg_lo)
    begun = time.prod_accept[time.seg_lo] >= 0 if len(seg_of) else np.zeros(0, bool)
    follows = np.ones(len(stim.prod), bool)
    follows[time.seg_lo] = False
    follows &= begun[seg_of] & (stim.prod["offer"] >= 0) & (stim.prod["offer"] < stim.horizon)
    accept = np.where(follows, stim.prod["offer"], time.prod_accept)
    taken = accept >= 0
    time.row_counters[:, RowCounter.PRODUCTS] = np.bincount(stim.prod["row"][taken], minlength=params.rows)

    shifted = shift_products(stim.prod_data[taken], stim.prod["order"][taken])
    job_of = time.seg_job[seg_of[taken]]
    entry_of = np.array([job.entry for job in time.jobs] or [0], np.int64)
    bank_of = np.array([job.bank for job in time.jobs] or [0], np.int64)
    keys = (entry_of[job_of] << 42) + (accept[taken] << 1) + bank_of[job_of]
    keys, tree_sum = _sums(keys, shifted)
    tree = np.zeros(len(keys), TREE_DTYPE)
    tree["entry"], tree["cycle"], tree["bank"] = keys >> 42, (keys >> 1 & (1 << 41) - 1) + 2, keys & 1
    seen = tree["cycle"] < stim.horizon
    return accept, shifted, job_of, tree[seen], tree_sum[seen]


def _started(
    params: RanParams, stim: Stimulus, time: Timing, swapped: list[Job], swap_acc: I64, dead: npt.NDArray[np.bool_]
) -> I64:
    """Sums (J, L) of jobs in the order of swaps, with what they start from; counts what was clamped."""
    lanes = params.lanes
    desc_of = np.array([job.desc for job in swapped], np.int64)
    sums = swap_acc.copy()
    for number in np.unique(desc_of):
        desc = stim.descs[number]
        mine = np.flatnonzero(desc_of == number)
        if desc.start == Start.ZERO:
            continue
        if desc.start == Start.BIAS:
            words = np.broadcast_to(start_words(time.bias_of[number], 32, lanes), (len(mine), lanes))
        else:
            width = 32 if desc.start == Start.PSUM32 else 64
            words = np.stack([start_words(swapped[at].psum, width, lanes) for at in mine])
        limit = desc.limit(params)
        clamped = np.clip(words, -limit, limit)
        time.counters[GlobalCounter.CLAMPED] += int(((clamped != words) & ~dead[mine]).sum())
        sums[mine] += clamped
    sums[dead] = 0
    return sums


@dataclass(frozen=True)
class _Results:
    """Of jobs in the order of swaps: the bytes and masks of all; statistics and quotients (J, L) of those that reached
    Q, the first ones, for jobs leave the drain in this order."""

    data: list[U8]
    mask: I64
    stats: npt.NDArray[np.void]
    z: I64


def _results(params: RanParams, stim: Stimulus, time: Timing, swapped: list[Job], swap_acc: I64) -> _Results:
    """Results of jobs from their contents (J, L)."""
    desc_of = np.array([job.desc for job in swapped], np.int64)
    lane = np.arange(params.lanes)
    live = np.array([stim.descs[job.desc].lanes for job in swapped], np.int64)[:, None] > lane
    masked = (np.array([job.mask for job in swapped], np.int64)[:, None] >> lane & 1) == 1
    dead = ~live | masked
    sums = _started(params, stim, time, swapped, swap_acc, dead)
    draws = _draws(params, stim, swapped)
    z = np.zeros_like(sums)
    y = np.zeros_like(sums)
    over = np.zeros(sums.shape, bool)
    relu = np.zeros(len(sums), bool)
    raw = np.zeros(len(sums), bool)
    data: list[U8] = [np.zeros(0, np.uint8)] * len(sums)
    for number in np.unique(desc_of):
        desc = stim.descs[number]
        mine = np.flatnonzero(desc_of == number)
        z[mine] = quantise(sums[mine], desc, draws[mine])
        y[mine], over[mine] = saturate(z[mine], desc)
        relu[mine], raw[mine] = desc.relu, desc.raw
        for at, bytes_of in zip(mine, pack_results(y[mine], desc.y_bits), strict=True):
            data[at] = bytes_of
    mask = dead | (relu[:, None] & (sums <= 0))
    mask_word = (mask.astype(np.int64) << lane).sum(axis=1)

    done = len(time.quants)
    stats = np.zeros(done, JOB_STAT_DTYPE)
    stats["cycle"] = [job.done for job in swapped[:done]]
    stats["tag"] = [job.tag for job in swapped[:done]]
    stats["overflow"] = over[:done].sum(axis=1)
    stats["zeros"] = ((y[:done] == 0) & live[:done]).sum(axis=1)
    stats["max_bit"] = bit_length(z[:done]).max(axis=1, initial=0)
    stats["sum_abs"] = np.where(raw[:done], 0, np.abs(y[:done]).sum(axis=1))
    return _Results(data, mask_word, stats, z[:done])


def _records(stim: Stimulus, time: Timing, stats: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """The statistics stream, joined from those of jobs in the order in which they reached Q."""
    stat_of = {at: stats[n] for n, at in enumerate(time.quants)}
    lanes_of = {at: stim.descs[time.jobs[at].desc].lanes for at in time.quants}
    records = np.zeros(len(time.records), STAT_DTYPE)
    for n, (valid, cycle, slots) in enumerate(time.records):
        mine = [at for slot in slots for at in slot.jobs]
        records[n] = (
            valid,
            cycle,
            *join_stats(
                [
                    (lanes_of[at], *(int(stat_of[at][name]) for name in ("overflow", "zeros", "max_bit", "sum_abs")))
                    for at in mine
                ]
            ),
        )
    return records


def _draws(params: RanParams, stim: Stimulus, swapped: list[Job]) -> I64:
    """The draws (J, L) of jobs in the order of swaps; 0 for those that draw nothing."""
    out = np.zeros((len(swapped), params.lanes), np.int64)
    places: dict[int, tuple[list[int], list[int]]] = {}  # of each descriptor: jobs here, and in it
    for n, job in enumerate(swapped):
        if job.quant >= 0 and stim.descs[job.desc].round == Round.STOCHASTIC:
            here, there = places.setdefault(job.desc, ([], []))
            here.append(n)
            assert job.slot is not None
            there.append((job.tag - job.slot.first) % TAGS)
    for desc, (here, there) in places.items():
        out[here] = draws_of(stim.descs[desc], there, params.lanes)
    return out


def _beats(
    params: RanParams,
    stim: Stimulus,
    time: Timing,
    swapped: list[Job],
    data: list[U8],
    mask: I64,
    place: dict[int, int],
) -> tuple[npt.NDArray[np.void], U8]:
    """The output stream."""
    out = np.zeros(len(time.beats), OUT_DTYPE)
    out_data = np.zeros((len(time.beats), 16), np.uint8)
    for n, (valid, cycle, beat, last, members) in enumerate(time.beats):
        at = [place[job] for job in members]
        bits = stim.descs[swapped[at[0]].desc].y_bits
        out["valid_cycle"][n], out["cycle"][n] = valid, cycle
        out["bits"][n], out["last"][n], out["jobs"][n] = bits, last, len(at)
        out["tag"][n, : len(at)] = [swapped[job].tag for job in at]
        out["mask"][n, : len(at)] = mask[at]
        size = params.lanes * CONTAINER[YBits(bits)] // 8
        if size >= 16:
            out_data[n] = data[at[0]][16 * beat : 16 * beat + 16]
        else:
            whole = np.concatenate([data[job] for job in at])
            out_data[n, : len(whole)] = whole
    return out, out_data
