"""When everything in the RAN happens, job by job: the first half of the cycle model (models/ran/cycle.py).

Each part of the RAN is an object. Its ``decide(t)`` sees the state at the beginning of cycle t, its updates change it.
Decisions go from the drain's end upwards, because a stage moves if the one after it does; all of them come before the
first update. Cycles in which nothing changes are skipped.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from models.ran.config import (
    BYPASS_DEPTH,
    DRAIN_DEPTH,
    SLOTS,
    TAGS,
    GlobalCounter,
    RanParams,
    RowCounter,
    RspCode,
    Start,
)
from models.ran.jobs import NEVER, U8, Job, Rest, Slot, Stream, next_ready

if TYPE_CHECKING:
    from models.ran.cycle import Stimulus


class _Output:
    """Registers S and Q, the packer, the beat that is offered."""

    def __init__(self, time: Timing) -> None:
        self._time = time
        self._after = next_ready(time.stim.out_ready, time.stim.horizon)
        self.sum = self.quant = -1  # jobs in S and Q
        self.packed: list[int] = []
        self.left = 0  # beats
        self.beat: tuple[int, int, bool, tuple[int, ...]] | None = None  # valid, beat, last, jobs

    @property
    def busy(self) -> bool:
        return bool(self.packed) or self.beat is not None

    def decide(self, t: int) -> None:
        self.fire = self.beat is not None and bool(self._after[t] == t)
        self.stall = self.beat is not None and not self.fire
        self.merge = bool(self.packed) and self.quant >= 0 and self._fits()
        self.emit = bool(self.packed) and not self.merge and not self.stall
        emptied = self.emit and self.left == 1
        self.take = self.quant >= 0 and (self.merge or not self.packed or emptied)
        self.sum_move = self.sum >= 0 and (self.quant < 0 or self.take)

    def _fits(self) -> bool:
        """Whether Q's job shares a beat with those that are packed."""
        jobs, first = self._time.jobs, self._time.jobs[self.packed[0]].work
        return jobs[self.quant].work.y_bits == first.y_bits and len(self.packed) < first.places(self._time.params)

    def update(self, t: int) -> bool:
        """Whether anything moved."""
        if self.fire:
            assert self.beat is not None
            self._time.beats.append((self.beat[0], t, *self.beat[1:]))
            self.beat = None
        if self.emit:
            beats = self._time.jobs[self.packed[0]].work.beats(self._time.params)
            self.beat = (t + 1, beats - self.left, self.left == 1, tuple(self.packed))
            self.left -= 1
            if self.left == 0:
                self.packed = []
        if self.take:
            self._pack(t)
        if self.sum_move:
            self._time.jobs[self.sum].quant = t
            self.quant, self.sum = self.sum, -1
        return self.fire or self.emit or self.take or self.sum_move

    def _pack(self, t: int) -> None:
        time, job = self._time, self._time.jobs[self.quant]
        assert job.slot is not None
        job.done = t
        job.slot.left -= 1
        time.quants.append(self.quant)
        if self.merge:
            self.packed = [*self.packed, self.quant]
            time.merges.add(self.quant)
        else:
            self.packed = [self.quant]
            self.left = job.work.beats(time.params)
        self.quant = -1

    def wakes(self, t: int) -> list[int]:
        return [int(self._after[t + 1])] if self.beat is not None else []


class _Drain:
    """Jobs that were selected, and the partial sums that the first of them starts from."""

    def __init__(self, time: Timing) -> None:
        self._time = time
        self.queue: deque[tuple[int, int]] = deque()  # since, job
        self.stream = Stream(time.stim.psum_offer.tolist())
        self._last = time.stim.psum_last.tolist()
        self._beats: list[U8] = []
        self._full = False
        self._seen = 0

    def decide(self, t: int, free: bool) -> None:
        """`free`: register S takes a job."""
        self.room = len(self.queue) < DRAIN_DEPTH
        self.psum = self.swap = self.stall = self.fire = False
        self.head = self._time.jobs[self.queue[0][1]] if self.queue and self.queue[0][0] <= t else None
        if self.head is None:
            return
        assert self.head.slot is not None
        self.psum = self.head.work.start >= Start.PSUM32
        started = self._full if self.psum else self.head.slot.loaded
        self.stall = not started
        self.swap = started and free
        self.fire = self.psum and not self._full and self.stream.there(t)

    def leave(self, t: int) -> int:
        """The first job swaps its bank; its index."""
        assert self.head is not None
        at = self.queue.popleft()[1]
        self.head.swap = t
        self._time.swaps.append(at)
        if self.psum:
            self.head.psum, self._beats, self._full = self._beats, [], False
        return at

    def load(self, t: int) -> None:
        """A beat of a partial sum is taken."""
        assert self.head is not None
        at = self.stream.take()
        self._time.psum_accept[at] = t
        if not self._seen:
            self._beats = []
        self._beats.append(self._time.stim.psum_data[at])
        self._seen += 1
        if self._last[at]:
            if self._seen != self.head.work.start_beats(self._time.params):
                self._time.psum_err.append(t + 1)
            self._full, self._seen = True, 0

    @property
    def under_way(self) -> bool:
        """Whether a job waits, or a partial sum is loaded."""
        return bool(self.queue) or self._full or self._seen > 0

    def wakes(self) -> list[int]:
        return [*self.stream.wakes(), *([self.queue[0][0]] if self.queue else [])]


class _Order:
    """The order queue: complete jobs, of which one a cycle is selected; bypasses enter here."""

    def __init__(self, time: Timing) -> None:
        self._time = time
        self._after = next_ready(time.stim.psum_req_ready, time.stim.horizon)
        offers, self._tag, self._mask = (time.stim.byp[name].tolist() for name in ("offer", "tag", "mask"))
        self.stream = Stream(offers)
        self.waiting: list[tuple[int, int, int]] = []  # complete, place, job: in time those to come
        self.byps = 0
        self._since = -1  # of the request that is offered

    def decide(self, t: int, room: bool, slots: _Slots) -> None:
        """`room`: the drain takes a job."""
        self.wants = self.select = self.stall = False
        there = [entry for entry in self.waiting if entry[0] <= t]
        self._pick = min(there) if there else None
        if self._pick is not None:
            self._slot = slots.of(self._time.jobs[self._pick[2]].tag)
            self.wants = room and self._slot.desc.start >= Start.PSUM32
            self.stall = self.wants and bool(self._after[t] != t)
            self.select = room and not self.stall
        self.fire = self.stream.there(t) and self.byps < BYPASS_DEPTH and slots.covered(self._tag[self.stream.at])

    def update(self, t: int, drain: _Drain) -> bool:
        """Whether anything moved."""
        if self.wants and self._since < 0:
            self._since = t
        if self.select:
            self._leave(t, drain)
        if self.fire:
            at = self.stream.take()
            self._time.byp_accept[at] = t
            self._time.jobs.append(Job(self._tag[at], self._mask[at], t + 1, byp=True))
            self.waiting.append((t + 1, 2 * self._time.params.rows, len(self._time.jobs) - 1))
            self.byps += 1
        return self.select or self.fire

    def _leave(self, t: int, drain: _Drain) -> None:
        assert self._pick is not None
        at = self._pick[2]
        job = self._time.jobs[at]
        if self.wants:
            self._time.requests.append((self._since, t, job.tag))
        self._since = -1
        self.waiting.remove(self._pick)
        job.select, job.slot, job.desc = t, self._slot, self._slot.index
        self._slot.jobs.append(at)
        drain.queue.append((t + 1, at))
        self.byps -= job.byp

    def wakes(self, t: int) -> list[int]:
        wakes = [entry[0] for entry in self.waiting] + self.stream.wakes()
        return [*wakes, int(self._after[t + 1])] if self.wants else wakes


class _Slots:
    """Descriptors from their acceptance to their retirement, their biases, the record of a tensor."""

    def __init__(self, time: Timing) -> None:
        self._time = time
        self._after = next_ready(time.stim.stat_ready, time.stim.horizon)
        self._codes = [int(desc.check(time.params)) for desc in time.stim.descs]
        self.descs = Stream(time.stim.desc_offer.tolist())
        self.bias = Stream(time.stim.bias_offer.tolist())
        self.slots: deque[Slot] = deque()
        self.rf = time.stim.since.reduce_factor
        # Of the first job that is covered, of the first that is not.
        self._base = self.number = time.stim.since.jobs
        self._beats: list[U8] = []
        self._record: tuple[int, list[Slot]] | None = None
        self._tensor: list[Slot] = []

    @property
    def busy(self) -> bool:
        return bool(self.slots) or self._record is not None

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, not even a tensor between two of its descriptors, and nothing is offered."""
        return not (self.busy or self._tensor or self._beats) and self.descs.over and self.bias.over

    def covered(self, tag: int) -> bool:
        """Whether the job with this tag was announced."""
        return (tag - self._base) % TAGS < self.number - self._base

    def of(self, tag: int) -> Slot:
        """The slot that covers the tag."""
        return next(slot for slot in self.slots if slot.covers(tag))

    def decide(self, t: int) -> None:
        slots = self.slots
        self.stat_fire = self._record is not None and bool(self._after[t] == t)
        self.retire = False
        if slots and slots[0].left == 0 and slots[0].since <= t and slots[0].loaded:
            self.retire = not slots[0].desc.stat_last or self._record is None or self.stat_fire
        self.fire = self.descs.there(t) and (
            not slots or (len(slots) < SLOTS and self._time.stim.descs[self.descs.at].reduce_factor == self.rf)
        )
        self._wanted = next((slot for slot in slots if not slot.loaded), None)
        self.bias_fire = self._wanted is not None and self.bias.there(t)

    def load(self, t: int) -> None:
        """A beat of a bias is taken."""
        assert self._wanted is not None
        time, at = self._time, self.bias.take()
        time.bias_accept[at] = t
        self._beats.append(time.stim.bias_data[at])
        if time.stim.bias_last[at]:
            if len(self._beats) != time.params.lanes // 4:
                time.bias_err.append(t + 1)
            time.bias_of[self._wanted.index] = self._beats
            self._beats = []
            self._wanted.loaded = True

    def update(self, t: int, rows: _Rows) -> bool:
        """Whether anything moved."""
        if self.stat_fire:
            assert self._record is not None
            self._time.records.append((self._record[0], t, self._record[1]))
            self._record = None
        if self.retire:
            oldest = self.slots.popleft()
            self._base += oldest.desc.n_jobs
            self._tensor.append(oldest)
            if oldest.desc.stat_last:
                self._record, self._tensor = (t + 1, self._tensor), []
        if self.fire:
            self._accept(t, rows)
        return self.stat_fire or self.retire or self.fire

    def _accept(self, t: int, rows: _Rows) -> None:
        time, at = self._time, self.descs.take()
        desc = time.stim.descs[at]
        time.desc_accept[at] = t
        if self._codes[at] == RspCode.OK:
            if desc.reduce_factor != self.rf:
                rows.regroup()
            self.rf = desc.reduce_factor
            self.slots.append(Slot(at, desc, self.number, desc.n_jobs, desc.start != Start.BIAS, t + 1))
            self.number += desc.n_jobs
        elif t + 1 < time.stim.horizon:
            time.counters[GlobalCounter.DESCS_REFUSED] += 1

    def wakes(self, t: int) -> list[int]:
        wakes = self.descs.wakes() + self.bias.wakes()
        return [*wakes, int(self._after[t + 1])] if self._record is not None else wakes


class _Rows:
    """Rows of the array: their streams of products, and the banks that these fill."""

    def __init__(self, time: Timing) -> None:
        self._time = time
        prod, rows = time.stim.prod, time.params.rows
        self._offer, self._tag, self._mask = (prod[name].tolist() for name in ("offer", "tag", "mask"))
        self._bank = prod["bank"].tolist() if time.params.banks == 2 else [0] * len(prod)
        self._is_last = prod["last"].tolist()
        self._lo, self._hi = time.seg_lo.tolist(), time.seg_hi.tolist()
        self._segs = [iter(segs) for segs in time.row_segs]
        self._first: dict[int, tuple[int, int]] = {}  # row: segment whose first product it waits for, that product
        self._holder: dict[tuple[int, int], list[Job]] = {}  # (row, bank): jobs, the newest last
        self._begun: dict[int, int] = {}  # row: jobs begun since the change of RF
        self._group_jobs: dict[int, list[int]] = {}
        self._free_from = [[0, 0] for _ in range(rows)]  # by bank; NEVER: it holds a job
        self.takes: list[int] = []
        for row in range(rows):
            self._go_on(row)

    def _go_on(self, row: int) -> None:
        """The row waits for its next job, if there is one."""
        seg = next(self._segs[row], None)
        if seg is None:
            self._first.pop(row, None)
        else:
            self._first[row] = seg, self._lo[seg]

    def decide(self, t: int, slots: _Slots) -> None:
        offer, bank, free = self._offer, self._bank, self._free_from
        self.takes = [
            row
            for row, (_, lo) in self._first.items()
            if 0 <= offer[lo] <= t and free[row][bank[lo]] <= t and slots.covered(self._tag[lo])
        ]

    def release(self, t: int, job: Job) -> None:
        """The banks of a job that swaps are free in the next cycle."""
        bank = job.bank if job.rf == 1 else job.entry % job.rf
        for member in range(job.rf):
            self._free_from[job.group * job.rf + member][bank] = t + 1

    def regroup(self) -> None:
        """A descriptor with another RF: groups begin anew."""
        self._begun.clear()
        self._group_jobs.clear()

    def begin(self, row: int, t: int, slots: _Slots, order: _Order) -> None:
        """A row takes the first product of a job; the others are taken when they are offered."""
        time, (seg, lo) = self._time, self._first[row]
        end = self._hi[seg] - 1
        bank = self._bank[lo]
        at = self._job_of(row, bank, slots.rf)
        job = time.jobs[at]
        time.seg_job[seg] = at
        time.prod_accept[lo] = t
        held = self._holder.setdefault((row, bank), [])
        self._stalls(row, lo, t, slots, held, True)
        held.append(job)
        self._free_from[row][bank] = NEVER
        last = t if end == lo else self._offer[end]
        if not (self._is_last[end] and 0 <= last < time.stim.horizon):
            del self._first[row]  # the job's end was not seen: nothing follows
            return
        self._go_on(row)
        job.last = max(job.last, last)
        job.members += 1
        if row % slots.rf == 0:
            job.tag, job.mask = self._tag[end], self._mask[end]
        if job.members == slots.rf:
            job.complete = job.last + 3
            order.waiting.append((job.complete, 2 * job.entry + job.bank, at))

    def _job_of(self, row: int, bank: int, rf: int) -> int:
        """The job that the row begins: its group's next one, or a new one."""
        group, begun = row // rf, self._begun.get(row, 0)
        self._begun[row] = begun + 1
        mine = self._group_jobs.setdefault(group, [])
        if begun == len(mine):
            entry = group if rf == 1 else group * rf + bank
            self._time.jobs.append(Job(0, 0, entry=entry, bank=bank if rf == 1 else 0, group=group, rf=rf))
            mine.append(len(self._time.jobs) - 1)
        return mine[begun]

    def count_waiting(self, slots: _Slots) -> None:
        """Counts stalls of products that still wait at the horizon."""
        horizon = self._time.stim.horizon
        for row, (_, lo) in self._first.items():
            if 0 <= self._offer[lo] < horizon:
                held = self._holder.get((row, self._bank[lo]), [])
                self._stalls(row, lo, horizon, slots, held, slots.covered(self._tag[lo]))

    def _stalls(self, row: int, at: int, taken: int, slots: _Slots, before: list[Job], known: bool) -> None:
        """Counts why a product waited from its offer to `taken` (exclusive); `before`: jobs that held its bank."""
        offered = self._offer[at]
        if offered == taken:
            return
        since = next((slot.since for slot in slots.slots if slot.covers(self._tag[at])), taken) if known else taken
        start = min(taken, max(offered, since))
        counters = self._time.row_counters
        counters[row, RowCounter.STALL_DESC] += start - offered
        if start < taken:
            whole = before[-1].complete - 2 if before and before[-1].complete < NEVER else taken
            whole = min(max(whole, start), taken)
            counters[row, RowCounter.STALL_MEMBER] += whole - start
            counters[row, RowCounter.STALL_DRAIN] += taken - whole

    @property
    def over(self) -> bool:
        """Whether every product was taken."""
        return not self._first

    def wakes(self) -> list[int]:
        return [self._offer[lo] for _, lo in self._first.values()]


class Timing:
    """The cycles of everything, job by job; `run` fills the tables."""

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
        self.jobs: list[Job] = []
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
        self.records: list[tuple[int, int, list[Slot]]] = []

    def run(self) -> None:
        """Fills everything above."""
        self._output, self._drain, self._order = _Output(self), _Drain(self), _Order(self)
        self._slots, self._rows = _Slots(self), _Rows(self)
        self._cancels = Stream(self.stim.cancel["cycle"].tolist())
        busy = out = start = request = 0  # cycles
        t, horizon = 0, self.stim.horizon
        while t < horizon:
            self._decide(t)
            is_busy = self._slots.busy or self._output.busy
            after = t + 1 if self._update(t) else min(self._wake(t), horizon)
            span, t = after - t, after
            busy += span * is_busy
            out += span * self._output.stall
            start += span * self._drain.stall
            request += span * self._order.stall
        self.counters[GlobalCounter.CYCLES] = busy
        self.counters[GlobalCounter.STALL_OUT] = out
        self.counters[GlobalCounter.STALL_START] = start
        self.counters[GlobalCounter.STALL_REQUEST] = request
        self._rows.count_waiting(self._slots)

    def rest(self) -> Rest | None:
        """What is kept at the horizon, if everything offered was taken and is over by then."""
        drain = self._drain
        over = all(each.over for each in (self._cancels, drain.stream, self._order.stream, self._rows))
        answered = int(self.desc_accept.max(initial=-2)) + 1 < self.stim.horizon
        if not (over and answered and self._slots.idle) or self._output.busy or drain.under_way:
            return None
        return Rest(self._slots.rf, self._slots.number)

    def _decide(self, t: int) -> None:
        output, drain = self._output, self._drain
        output.decide(t)
        drain.decide(t, output.sum < 0 or output.sum_move)
        self._order.decide(t, drain.room, self._slots)
        self._slots.decide(t)
        self._rows.decide(t, self._slots)

    def _update(self, t: int) -> bool:
        """Whether anything changed."""
        output, drain, order, slots, rows = self._output, self._drain, self._order, self._slots, self._rows
        changed = output.update(t)
        if drain.swap:
            output.sum = drain.leave(t)
            job = self.jobs[output.sum]
            if not job.byp:
                rows.release(t, job)
        if drain.fire:
            drain.load(t)
        changed |= self._cancel(t) | order.update(t, drain)
        for row in rows.takes:
            rows.begin(row, t, slots, order)
        if slots.bias_fire:
            slots.load(t)
        moved = drain.swap or drain.fire or bool(rows.takes) or slots.bias_fire
        return slots.update(t, rows) or changed or moved

    def _cancel(self, t: int) -> bool:
        """Takes jobs out that were cancelled; whether any was."""
        found = self._cancels.there(t)
        while self._cancels.there(t):
            tag = int(self.stim.cancel["tag"][self._cancels.take()])
            if self._slots.covered(tag):
                self.counters[GlobalCounter.JOBS_CANCELLED] += 1
                self._slots.of(tag).left -= 1
        return found

    def _wake(self, t: int) -> int:
        """The next cycle in which anything can happen."""
        wakes = [*self._cancels.wakes(), *self._drain.wakes(), *self._rows.wakes()]
        for part in (self._output, self._order, self._slots):
            wakes += part.wakes(t)
        return min((wake for wake in wakes if wake > t), default=self.stim.horizon)
