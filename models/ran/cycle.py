"""Cycle model of the RAN: from what was offered and when outputs were taken to every event's cycle and value.

Source: docs/ran/README.md. Time first, at the granularity of jobs: inside a job nothing can stop a row's products, so
only its first product, the drain and the slots need a decision in a cycle; cycles in which nothing changes are
skipped.
Values afterwards, on whole arrays.

**Horizon.** ``Stimulus.horizon`` cycles, 0 .. horizon - 1, were observed. An event at or after the horizon is absent
from the tables (or -1 where a table has one entry per input).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.common.formats import CONTAINER, YBits
from models.common.generator import RESET_SEED, draws_of, run_states, seeded
from models.common.rounding import Round, bit_length
from models.ran.config import (
    BYPASS_DEPTH,
    DRAIN_DEPTH,
    SLOTS,
    TAGS,
    GlobalCounter,
    RanDescriptor,
    RanParams,
    RowCounter,
    RspCode,
    Start,
)
from models.ran.value import join_stats, pack_results, quantise, saturate, shift_products, start_words

NEVER = 1 << 48
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

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
SEED_DTYPE = np.dtype([("cycle", "<i8"), ("value", "<u4")])
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
    seed: npt.NDArray[np.void]  # SEED_DTYPE
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


@dataclass
class _Slot:
    desc: int
    first: int  # number of its first job
    left: int
    loaded: bool
    since: int  # first cycle in which it is occupied
    jobs: list[int] = field(default_factory=list)


@dataclass
class _Job:
    tag: int
    mask: int
    complete: int = NEVER
    byp: bool = False
    entry: int = 0
    bank: int = 0
    group: int = 0
    rf: int = 1
    segments: list[int] = field(default_factory=list)  # one a member
    members: int = 0  # whose last product's cycle is known
    last: int = -1
    slot: _Slot | None = None
    desc: int = -1
    select: int = -1
    swap: int = -1
    quant: int = -1
    done: int = -1
    psum: list[U8] = field(default_factory=list)


def job_numbers(stim: Stimulus, accepted: I64, codes: npt.NDArray[np.uint8], tags: npt.ArrayLike, cycles: I64) -> I64:
    """Numbers since reset of the jobs whose tags (N,) are covered in cycles (N,): tags wrap at 2^16, numbers do not.

    `accepted` and `codes` are those of the prediction. What the slots cover ends with the last job announced before the
    cycle and is shorter than 2^16.
    """
    good = (accepted >= 0) & (codes == RspCode.OK)
    jobs = np.array([desc.n_jobs for desc in stim.descs], np.int64)[good]
    last = np.concatenate([[0], np.cumsum(jobs)])[np.searchsorted(accepted[good], cycles, side="left")] - 1
    return last - (last - np.asarray(tags, np.int64)) % TAGS


def _next_ready(ready: Flags | None, horizon: int) -> I64:
    """For every cycle the first one from there on that is ready."""
    out = np.full(horizon + 1, NEVER, np.int64)
    if ready is None:
        out[:horizon] = np.arange(horizon)
        return out
    at = np.flatnonzero(ready[:horizon])
    where = np.searchsorted(at, np.arange(horizon))
    inside = where < len(at)
    out[:horizon][inside] = at[where[inside]]
    return out


class _Timing:
    """The cycles of everything, job by job."""

    def __init__(self, params: RanParams, stim: Stimulus) -> None:
        self.params, self.stim = params, stim
        prod = stim.prod
        self.prod_accept = np.full(len(prod), -1, np.int64)
        # Segments: the products of one row for one job.
        ends = np.flatnonzero(prod["last"]) + 1
        rows = prod["row"].astype(np.int64)
        breaks = np.flatnonzero(np.diff(rows)) + 1  # a row's unfinished last job
        self.seg_hi = np.union1d(np.union1d(ends, breaks), [len(prod)] if len(prod) else []).astype(np.int64)
        self.seg_lo = np.concatenate([[0], self.seg_hi[:-1]]).astype(np.int64) if len(self.seg_hi) else self.seg_hi
        self.seg_job = np.full(len(self.seg_lo), -1, np.int64)
        seg_row = rows[self.seg_lo] if len(self.seg_lo) else np.zeros(0, np.int64)
        self.row_segs = [np.flatnonzero(seg_row == row).tolist() for row in range(params.rows)]
        self.jobs: list[_Job] = []
        self.row_counters = np.zeros((params.rows, len(RowCounter)), np.int64)
        self.counters = np.zeros(len(GlobalCounter), np.int64)
        self.desc_accept = np.full(len(stim.descs), -1, np.int64)
        self.byp_accept = np.full(len(stim.byp), -1, np.int64)
        self.bias_accept = np.full(len(stim.bias_data), -1, np.int64)
        self.psum_accept = np.full(len(stim.psum_data), -1, np.int64)
        self.bias_err: list[int] = []
        self.psum_err: list[int] = []
        self.bias_of: dict[int, list[U8]] = {}  # descriptor -> beats
        self.requests: list[tuple[int, int, int]] = []
        self.swaps: list[int] = []
        self.quants: list[int] = []
        self.merges: set[int] = set()
        self.beats: list[tuple[int, int, int, bool, tuple[int, ...]]] = []  # valid, taken, beat, last, jobs
        self.records: list[tuple[int, int, list[_Slot]]] = []

    def run(self) -> None:
        """Fills everything above."""
        params, stim, horizon = self.params, self.stim, self.stim.horizon
        rows, prod, jobs = params.rows, stim.prod, self.jobs
        codes = [int(desc.check(params)) for desc in stim.descs]
        out_next, req_next, stat_next = (
            _next_ready(ready, horizon) for ready in (stim.out_ready, stim.psum_req_ready, stim.stat_ready)
        )
        offer = prod["offer"].tolist()
        tags, masks, banks = prod["tag"].tolist(), prod["mask"].tolist(), prod["bank"].tolist()
        seg_lo, seg_hi = self.seg_lo.tolist(), self.seg_hi.tolist()
        is_last = prod["last"].tolist()
        cancels = [(int(c["cycle"]), int(c["tag"])) for c in stim.cancel]
        byp_offer, byp_tag, byp_mask = (stim.byp[name].tolist() for name in ("offer", "tag", "mask"))
        desc_offer = stim.desc_offer.tolist()
        bias_offer, bias_last = stim.bias_offer.tolist(), stim.bias_last.tolist()
        psum_offer, psum_last = stim.psum_offer.tolist(), stim.psum_last.tolist()

        at_row = [0] * rows
        holder: dict[tuple[int, int], list[_Job]] = {}  # (group, bank): jobs, the newest last
        row_jobs: dict[tuple[int, int], list[int]] = {}  # (group, member): jobs begun since the change of RF
        group_jobs: dict[int, list[int]] = {}
        free_from: dict[tuple[int, int], int] = {}  # (row, bank) that is not done: since
        row_done: dict[tuple[int, int], _Job | None] = {}
        slots: deque[_Slot] = deque()
        rf, base, number = 1, 0, 0
        at_desc = at_byp = at_bias = at_psum = at_cancel = 0
        waiting: list[tuple[int, int, int]] = []  # complete, place, job: the order queue, in time those to come
        byps = 0
        req_since = -1
        drain: deque[tuple[int, int]] = deque()  # since, job
        psum_beats: list[U8] = []
        psum_full = False
        psum_seen = 0
        bias_beats: list[U8] = []
        sum_job = quant_job = -1
        pack_jobs: list[int] = []
        pack_left = 0
        out_beat: tuple[int, int, bool, tuple[int, ...]] | None = None  # valid, beat, last, jobs
        record: tuple[int, list[_Slot]] | None = None
        tensor: list[_Slot] = []

        def covered(tag: int) -> bool:
            return (tag - base) % TAGS < (number - base)

        t = 0
        while t < horizon:
            changed = False
            # ---- decisions, from the drain's end upwards; all see the state at the begin of t
            out_fire = out_beat is not None and out_next[t] == t
            free = out_beat is None or out_fire
            pack_desc = stim.descs[jobs[pack_jobs[0]].desc] if pack_jobs else None
            merge = False
            if pack_desc is not None and quant_job >= 0:
                merge = stim.descs[jobs[quant_job].desc].y_bits == pack_desc.y_bits and len(
                    pack_jobs
                ) < pack_desc.places(params)
            emit = bool(pack_jobs) and not merge and free
            emptied = emit and pack_left == 1
            take = quant_job >= 0 and (merge or not pack_jobs or emptied)
            sum_move = sum_job >= 0 and (quant_job < 0 or take)
            head = drain[0] if drain and drain[0][0] <= t else None
            head_start = stim.descs[jobs[head[1]].desc].start if head else Start.ZERO
            head_psum = head is not None and head_start >= Start.PSUM32
            if head is None:
                started = False
            elif head_psum:
                started = psum_full
            else:
                slot = jobs[head[1]].slot
                assert slot is not None
                started = slot.loaded
            swap = head is not None and started and (sum_job < 0 or sum_move)
            psum_ready = head_psum and not psum_full
            room = len(drain) < DRAIN_DEPTH
            ready_now = [entry for entry in waiting if entry[0] <= t]
            pick = min(ready_now) if ready_now else None
            pick_job = jobs[pick[2]] if pick else None
            pick_slot = None
            if pick_job is not None:
                pick_slot = next(s for s in slots if (pick_job.tag - s.first) % TAGS < stim.descs[s.desc].n_jobs)
            wants = (
                pick is not None
                and room
                and pick_slot is not None
                and (stim.descs[pick_slot.desc].start >= Start.PSUM32)
            )
            request_fire = wants and req_next[t] == t
            select = pick is not None and room and (not wants or request_fire)
            oldest = slots[0] if slots and slots[0].since <= t else None
            stat_fire = record is not None and stat_next[t] == t
            retire = (
                oldest is not None
                and oldest.left == 0
                and oldest.loaded
                and (not stim.descs[oldest.desc].stat_last or record is None or stat_fire)
            )
            busy = bool(slots) or bool(pack_jobs) or out_beat is not None or record is not None

            # ---- inputs
            desc_fire = (
                at_desc < len(desc_offer)
                and 0 <= desc_offer[at_desc] <= t
                and (not slots or (len(slots) < SLOTS and stim.descs[at_desc].reduce_factor == rf))
            )
            byp_fire = (
                at_byp < len(byp_offer)
                and 0 <= byp_offer[at_byp] <= t
                and byps < BYPASS_DEPTH
                and covered(byp_tag[at_byp])
            )
            wanted = next((s for s in slots if not s.loaded), None)
            bias_fire = at_bias < len(bias_offer) and 0 <= bias_offer[at_bias] <= t and wanted is not None
            psum_fire = at_psum < len(psum_offer) and 0 <= psum_offer[at_psum] <= t and psum_ready
            takes: list[int] = []
            for row in range(rows):
                at = at_row[row]
                if at >= len(self.row_segs[row]):
                    continue
                lo = seg_lo[self.row_segs[row][at]]
                if not 0 <= offer[lo] <= t or not covered(tags[lo]):
                    continue
                bank = banks[lo] if params.banks == 2 else 0
                if row_done.get((row, bank)) is None and free_from.get((row, bank), 0) <= t:
                    takes.append(row)
            cancelled: list[_Slot] = []
            while at_cancel < len(cancels) and cancels[at_cancel][0] <= t:
                tag = cancels[at_cancel][1]
                at_cancel += 1
                if covered(tag):
                    self.counters[GlobalCounter.JOBS_CANCELLED] += 1
                    cancelled += [s for s in slots if (tag - s.first) % TAGS < stim.descs[s.desc].n_jobs]
                changed = True

            # ---- counters over the stretch, whose length is known at its end
            stall_out = out_beat is not None and not out_fire
            stall_start = head is not None and not started
            stall_request = wants and not request_fire

            # ---- updates
            if out_fire:
                assert out_beat is not None
                self.beats.append((out_beat[0], t, *out_beat[1:]))
                out_beat = None
                changed = True
            if emit:
                assert pack_desc is not None
                beats = pack_desc.beats(params)
                out_beat = (t + 1, beats - pack_left, pack_left == 1, tuple(pack_jobs))
                pack_left -= 1
                if emptied:
                    pack_jobs = []
                changed = True
            if take:
                jobs[quant_job].done = t
                self.quants.append(quant_job)
                slot = jobs[quant_job].slot
                assert slot is not None
                slot.left -= 1
                if merge:
                    pack_jobs = [*pack_jobs, quant_job]
                    self.merges.add(quant_job)
                else:
                    pack_jobs = [quant_job]
                    pack_left = stim.descs[jobs[quant_job].desc].beats(params)
                quant_job = -1
                changed = True
            if sum_move:
                jobs[sum_job].quant = t
                quant_job, sum_job = sum_job, -1
                changed = True
            if swap:
                assert head is not None
                job = jobs[head[1]]
                job.swap = t
                self.swaps.append(head[1])
                sum_job = head[1]
                drain.popleft()
                if head_psum:
                    job.psum, psum_beats, psum_full = psum_beats, [], False
                if not job.byp:
                    for member in range(job.rf):
                        key = (job.group * job.rf + member, job.bank if job.rf == 1 else job.entry % job.rf)
                        row_done[key] = None
                        free_from[key] = t + 1
                changed = True
            if psum_fire:
                self.psum_accept[at_psum] = t
                if not psum_seen:
                    psum_beats = []
                psum_beats.append(stim.psum_data[at_psum])
                psum_seen += 1
                if psum_last[at_psum]:
                    assert head is not None
                    if psum_seen != stim.descs[jobs[head[1]].desc].start_beats(params):
                        self.psum_err.append(t + 1)
                    psum_full, psum_seen = True, 0
                at_psum += 1
                changed = True
            if wants and req_since < 0:
                req_since = t
            if select:
                assert pick is not None
                assert pick_job is not None
                assert pick_slot is not None
                if wants:
                    self.requests.append((req_since, t, pick_job.tag))
                req_since = -1
                waiting.remove(pick)
                pick_job.select, pick_job.slot, pick_job.desc = t, pick_slot, pick_slot.desc
                pick_slot.jobs.append(pick[2])
                drain.append((t + 1, pick[2]))
                byps -= pick_job.byp
                changed = True
            for slot in cancelled:
                slot.left -= 1
            if byp_fire:
                self.byp_accept[at_byp] = t
                jobs.append(_Job(byp_tag[at_byp], byp_mask[at_byp], t + 1, byp=True))
                waiting.append((t + 1, 2 * rows, len(jobs) - 1))
                byps += 1
                at_byp += 1
                changed = True
            for row in takes:
                seg = self.row_segs[row][at_row[row]]
                lo, hi = seg_lo[seg], seg_hi[seg]
                bank = banks[lo] if params.banks == 2 else 0
                group, member = row // rf, row % rf
                begun = row_jobs.setdefault((group, member), [])
                mine = group_jobs.setdefault(group, [])
                if len(begun) == len(mine):
                    entry = group if rf == 1 else group * rf + bank
                    jobs.append(_Job(0, 0, entry=entry, bank=bank if rf == 1 else 0, group=group, rf=rf))
                    mine.append(len(jobs) - 1)
                job_at = mine[len(begun)]
                begun.append(job_at)
                job = jobs[job_at]
                self.seg_job[seg] = job_at
                self._stalls(row, offer[lo], t, tags[lo], slots, holder.get((row, bank)))
                holder.setdefault((row, bank), []).append(job)
                self.prod_accept[lo] = t
                last = t if hi == lo + 1 else offer[hi - 1]
                if is_last[hi - 1] and 0 <= last < horizon:
                    row_done[(row, bank)] = job
                    job.last = max(job.last, last)
                    job.members += 1
                    if member == 0:
                        job.tag, job.mask = tags[hi - 1], masks[hi - 1]
                    if job.members == rf:
                        job.complete = job.last + 3
                        place = 2 * job.entry + job.bank
                        waiting.append((job.complete, place, job_at))
                else:
                    row_done[(row, bank)] = job
                    at_row[row] = NEVER  # the job's end was not seen: nothing follows
                at_row[row] += 1
                changed = True
            if bias_fire:
                assert wanted is not None
                self.bias_accept[at_bias] = t
                bias_beats.append(stim.bias_data[at_bias])
                if bias_last[at_bias]:
                    if len(bias_beats) != params.lanes // 4:
                        self.bias_err.append(t + 1)
                    self.bias_of[wanted.desc] = bias_beats
                    bias_beats = []
                    wanted.loaded = True
                at_bias += 1
                changed = True
            if stat_fire:
                assert record is not None
                self.records.append((record[0], t, record[1]))
                record = None
                changed = True
            if retire:
                assert oldest is not None
                slots.popleft()
                base += stim.descs[oldest.desc].n_jobs
                tensor.append(oldest)
                if stim.descs[oldest.desc].stat_last:
                    record, tensor = (t + 1, tensor), []
                changed = True
            if desc_fire:
                self.desc_accept[at_desc] = t
                if codes[at_desc] == RspCode.OK:
                    desc = stim.descs[at_desc]
                    if desc.reduce_factor != rf:
                        row_jobs.clear()
                        group_jobs.clear()
                    rf = desc.reduce_factor
                    slots.append(_Slot(at_desc, number, desc.n_jobs, desc.start != Start.BIAS, t + 1))
                    number += desc.n_jobs
                elif t + 1 < horizon:
                    self.counters[GlobalCounter.DESCS_REFUSED] += 1
                at_desc += 1
                changed = True

            # ---- the next cycle in which anything can happen
            after = t + 1
            if not changed:
                wakes = [entry[0] for entry in waiting]
                wakes += desc_offer[at_desc : at_desc + 1] + byp_offer[at_byp : at_byp + 1]
                wakes += bias_offer[at_bias : at_bias + 1] + psum_offer[at_psum : at_psum + 1]
                wakes += [cancels[at_cancel][0]] if at_cancel < len(cancels) else []
                wakes += [entry[0] for entry in list(drain)[:1]]
                for row in range(rows):
                    if at_row[row] < len(self.row_segs[row]):
                        wakes.append(offer[seg_lo[self.row_segs[row][at_row[row]]]])
                if out_beat is not None:
                    wakes.append(int(out_next[t + 1]))
                if record is not None:
                    wakes.append(int(stat_next[t + 1]))
                if wants:
                    wakes.append(int(req_next[t + 1]))
                after = min((wake for wake in wakes if wake > t), default=horizon)
            span = min(after, horizon) - t
            self.counters[GlobalCounter.CYCLES] += span * busy
            self.counters[GlobalCounter.STALL_OUT] += span * stall_out
            self.counters[GlobalCounter.STALL_START] += span * stall_start
            self.counters[GlobalCounter.STALL_REQUEST] += span * stall_request
            t = after

        for row in range(rows):  # products that still wait at the horizon
            at = at_row[row]
            if at < len(self.row_segs[row]):
                lo = seg_lo[self.row_segs[row][at]]
                bank = banks[lo] if params.banks == 2 else 0
                if 0 <= offer[lo] < horizon:
                    self._stalls(row, offer[lo], horizon, tags[lo], slots, holder.get((row, bank)), covered(tags[lo]))

    def _stalls(
        self,
        row: int,
        offered: int,
        taken: int,
        tag: int,
        slots: deque[_Slot],
        before: list[_Job] | None,
        known: bool = True,
    ) -> None:
        """Counts why the product waited from `offered` to `taken` (exclusive)."""
        mine = [s for s in slots if (tag - s.first) % TAGS < self.stim.descs[s.desc].n_jobs] if known else []
        since = mine[0].since if mine else taken
        start = min(taken, max(offered, since))
        self.row_counters[row, RowCounter.STALL_DESC] += start - offered
        if start < taken:
            whole = before[-1].complete - 2 if before and before[-1].complete < NEVER else taken
            whole = min(max(whole, start), taken)
            self.row_counters[row, RowCounter.STALL_MEMBER] += whole - start
            self.row_counters[row, RowCounter.STALL_DRAIN] += taken - whole


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
    time = _Timing(params, stim)
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
    )


def _taken(params: RanParams, stim: Stimulus, time: _Timing) -> tuple[I64, I64, I64, npt.NDArray[np.void], I64]:
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
    params: RanParams, stim: Stimulus, time: _Timing, swapped: list[_Job], swap_acc: I64, dead: npt.NDArray[np.bool_]
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


def _results(params: RanParams, stim: Stimulus, time: _Timing, swapped: list[_Job], swap_acc: I64) -> _Results:
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


def _records(stim: Stimulus, time: _Timing, stats: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
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


def _draws(params: RanParams, stim: Stimulus, swapped: list[_Job]) -> I64:
    """The draws (J, L) of jobs in the order of swaps; 0 for those that draw nothing."""
    out = np.zeros((len(swapped), params.lanes), np.int64)
    drawing = [n for n, job in enumerate(swapped) if job.quant >= 0 and stim.descs[job.desc].round == Round.STOCHASTIC]
    cycles = np.array([swapped[n].quant for n in drawing], np.int64)
    seeds = [(-1, RESET_SEED), *((int(entry["cycle"]), int(entry["value"])) for entry in stim.seed)]
    edges = [np.searchsorted(cycles, cycle, side="right") for cycle, _ in seeds] + [len(drawing)]
    for (_, seed), lo, hi in zip(seeds, edges[:-1], edges[1:], strict=True):
        if hi > lo:
            states = run_states(seeded(params.lanes, seed), int(hi - lo) - 1)
            out[drawing[lo:hi]] = draws_of(states)
    return out


def _beats(
    params: RanParams,
    stim: Stimulus,
    time: _Timing,
    swapped: list[_Job],
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
