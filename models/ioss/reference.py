"""Slow references of the IOSS core: nested loops for values, a state machine stepped cycle by cycle for time.

Source: docs/ioss/README.md. Written from the page in the shape of the hardware (registers, valid, ready, one step a
cycle) and without the code of ``value.py`` and ``cycle.py``, whose tests use it; only the containers of inputs and
results are shared. Plain Python integers, no arrays inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.ioss.config import CoreParams, Descriptor, GlobalCounter, JobErr, RowCounter
from models.ioss.cycle import (
    BYP_DTYPE,
    ISSUE_DTYPE,
    JOB_DTYPE,
    JOB_ERR_DTYPE,
    PROD_DTYPE,
    Prediction,
    Stimulus,
)


# ------------------------------------------------------------------------------------------------------------ values
@dataclass(frozen=True)
class Pair:
    """One issued pair (or a null) and its products in half units."""

    k: int
    i: int
    j: int
    sign: int
    x: int
    data: tuple[int, ...]
    null: bool = False


def decode(beat: bytes, n: int, unsigned: bool) -> list[int]:
    """All values of a beat."""
    width = {1: 4, 2: 8, 3: 16, 4: 16}[n]
    word = int.from_bytes(beat, "little")
    values = []
    for position in range(128 // width):
        q = (word >> (position * width)) & ((1 << (4 * n)) - 1)
        if not unsigned and q >> (4 * n - 1):
            q -= 1 << (4 * n)
        values.append(q)
    return values


def chunk_lengths(k_len: int, reduce_factor: int) -> list[int]:
    """len_m of every member."""
    chunk = (k_len + reduce_factor - 1) // reduce_factor
    return [min(chunk, max(0, k_len - m * chunk)) for m in range(reduce_factor)]


def beats_of(values: int, n: int) -> int:
    """Beats of a chunk of so many values."""
    per_beat = {1: 32, 2: 16, 3: 8, 4: 8}[n]
    return (values + per_beat - 1) // per_beat


def member_pairs(
    desc: Descriptor, w: Sequence[Sequence[int]], x: Sequence[int], mask: int, lanes: int
) -> tuple[list[Pair], list[int]]:
    """Issued pairs of one member's chunk (``w`` len x L, ``x`` len) and the skipped ones by cause."""
    issued: list[Pair] = []
    skipped = [0, 0, 0, 0]
    live = [not (mask >> lane) & 1 for lane in range(lanes)]
    for k in range(len(x)):
        for i in range(desc.x_slices):
            for j in range(desc.w_slices):
                x_slice = (abs(x[k]) >> (4 * i)) & 15
                w_slice = [(abs(q) >> (4 * j)) & 15 for q in w[k]]
                if not any(live):
                    skipped[0] += 1
                elif x_slice == 0:
                    skipped[1] += 1
                elif not any(w_slice[lane] and live[lane] for lane in range(lanes)):
                    skipped[2] += 1
                elif i + j < desc.min_order:
                    skipped[3] += 1
                else:
                    data = []
                    for lane in range(lanes):
                        c = desc.compensate and i + j == desc.min_order and j > 0 and w[k][lane] != 0
                        product = 2 * x_slice * w_slice[lane] + (x_slice if c else 0)
                        if (x[k] < 0) != (w[k][lane] < 0):
                            product = -product
                        data.append(product if live[lane] else 0)
                    issued.append(Pair(k, i, j, int(x[k] < 0), x_slice, tuple(data)))
    return issued, skipped


# ------------------------------------------------------------------------------------------------------------ state
@dataclass
class Bank:
    """A tile bank."""

    free: bool = True
    ready: bool = False
    refused: bool = False
    desc: Descriptor | None = None
    tile: int = -1
    beats: list[bytes] = field(default_factory=list)
    chunks: list[list[list[int]]] = field(default_factory=list)
    jobs_left: int = 0


@dataclass
class Slot:
    """A job in a row's slot; pairs are taken from its front."""

    bank: int
    pairs: list[Pair]
    tag: int
    mask: int
    ran_bank: int


@dataclass
class Flight:
    """A product in the operand or product register."""

    pair: Pair
    last: bool
    slot: Slot
    valid_cycle: int = -1


@dataclass
class Row:
    """Slots (front issues), pipeline registers and counters of a row."""

    slots: list[Slot] = field(default_factory=list)
    operand: Flight | None = None
    product: Flight | None = None
    jobs: int = 0
    counters: list[int] = field(default_factory=lambda: [0] * 8)


@dataclass
class Load:
    """The job whose beats are being taken."""

    bank: int
    tag: int
    mask: int
    group: int
    declared: int
    record: list[int]
    beats: list[bytes] = field(default_factory=list)


class _Machine:
    """The core, one call of :meth:`step` a cycle."""

    def __init__(self, params: CoreParams, stim: Stimulus) -> None:
        self.params, self.stim = params, stim
        self.t = 0
        self.next_desc = self.next_tile_beat = self.next_vec_beat = 0
        self.pending: Descriptor | None = None
        self.banks = [Bank(), Bank()]
        self.write_bank = self.job_bank = 0
        self.loading: int | None = None
        self.rf = 1
        self.rows = [Row() for _ in range(params.rows)]
        self.bypass: tuple[int, int, int] | None = None
        self.load: Load | None = None
        self.counters = [0] * 8
        self.opens: list[int] = []
        self.bank_free: list[int] = []
        self.desc_accept = [-1] * len(stim.descs)
        self.tile_accept = [-1] * len(stim.tile_last)
        self.vec_accept = [-1] * len(stim.vec_last)
        self.tile_err: list[int] = []
        self.job_err: list[tuple[int, int, int]] = []
        self.issue: list[list[tuple[int, ...]]] = [[] for _ in self.rows]
        self.prod: list[list[tuple[tuple[int, ...], tuple[int, ...]]]] = [[] for _ in self.rows]
        self.byp: list[tuple[int, int, int, int]] = []
        self.jobs: list[list[int]] = []

    # Inputs of this cycle.
    def prod_ready(self, row: int) -> bool:
        wave = self.stim.prod_ready
        return True if wave is None else self.t < len(wave) and bool(wave[self.t][row])

    def byp_ready(self) -> bool:
        wave = self.stim.byp_ready
        return True if wave is None else self.t < len(wave) and bool(wave[self.t])

    def step(self) -> None:
        """One cycle: every decision below looks at the state as it was when the cycle began."""
        t, stim = self.t, self.stim
        active = any(not bank.free for bank in self.banks)
        self.counters[GlobalCounter.CYCLES] += active

        # What the registers look like at the start of the cycle, for decisions that come late in this function.
        slots_used = [len(row.slots) for row in self.rows]
        drained = all(not row.slots and not row.operand and not row.product for row in self.rows) and not self.bypass
        freed = [
            b
            for b, bank in enumerate(self.banks)
            if not bank.free
            and bank.ready
            and bank.jobs_left == 0
            and not any(slot.bank == b for row in self.rows for slot in row.slots)
        ]
        may_open = (
            self.pending is not None
            and self.loading is None
            and self.banks[self.write_bank].free
            and (self.pending.reduce_factor == self.rf or (drained and all(bank.free for bank in self.banks)))
        )
        bypass_open = self.bypass is None or self.byp_ready()
        desc_ready = self.pending is None
        loading = self.loading

        # Rows.
        for number, row in enumerate(self.rows):
            self.step_row(number, row, active)

        # Bypass register.
        if self.bypass is not None and self.byp_ready():
            since, tag, mask = self.bypass
            self.byp.append((since, t, tag, mask))
            self.bypass = None

        # Vector stream.
        n = self.next_vec_beat
        if n < len(stim.vec_last) and t >= stim.vec_offer[n]:
            if self.take_vec(n, slots_used, bypass_open):
                self.vec_accept[n] = t
                self.next_vec_beat += 1
            else:
                self.counters[GlobalCounter.VEC_WAIT] += active

        # Tile stream.
        n = self.next_tile_beat
        if loading is not None and n < len(stim.tile_last) and t >= stim.tile_offer[n]:
            self.tile_accept[n] = t
            self.next_tile_beat += 1
            self.take_tile(loading, bytes(stim.tile_data[n].tolist()), bool(stim.tile_last[n]))

        # Banks and descriptor.
        for b in freed:
            self.bank_free[self.banks[b].tile] = t + 1
            self.banks[b] = Bank()
        if may_open:
            self.open_tile()
        n = self.next_desc
        if desc_ready and n < len(stim.descs) and t >= stim.desc_offer[n]:
            self.desc_accept[n] = t
            self.next_desc += 1
            if stim.descs[n].check(self.params) == 0:
                self.pending = stim.descs[n]
            else:
                self.counters[GlobalCounter.DESCS_REFUSED] += 1
        self.t += 1

    def open_tile(self) -> None:
        desc = self.pending
        self.pending = None
        if desc.reduce_factor != self.rf:
            self.rf = desc.reduce_factor
            for row in self.rows:
                row.jobs = 0
        b = self.write_bank
        self.banks[b] = Bank(free=False, desc=desc, tile=len(self.opens), jobs_left=desc.n_jobs)
        self.write_bank = 1 - b
        self.loading = b
        self.opens.append(self.t)
        self.bank_free.append(-1)

    def take_tile(self, b: int, beat: bytes, last: bool) -> None:
        bank = self.banks[b]
        bank.beats.append(beat)
        if not last:
            return
        desc, lanes = bank.desc, self.params.lanes
        lengths = chunk_lengths(desc.k_len, desc.reduce_factor)
        declared = [beats_of(length * lanes, desc.w_slices) for length in lengths]
        bank.ready = True
        self.loading = None
        self.counters[GlobalCounter.TILES] += 1
        if len(bank.beats) != sum(declared):
            bank.refused = True
            self.counters[GlobalCounter.TILES_REFUSED] += 1
            self.tile_err.append(self.t + 1)
            return
        at = 0
        for length, count in zip(lengths, declared, strict=True):
            flat = [q for beat in bank.beats[at : at + count] for q in decode(beat, desc.w_slices, desc.w_unsigned)]
            bank.chunks.append([flat[k * lanes : (k + 1) * lanes] for k in range(length)])
            at += count

    def take_vec(self, n: int, slots_used: list[int], bypass_open: bool) -> bool:
        """Take the vector beat if the core is ready for it."""
        stim = self.stim
        if self.load is None:
            bank = self.banks[self.job_bank]
            # A bank whose jobs are all taken may not be free yet: the next job belongs to the other one.
            if bank.free or not bank.ready or bank.jobs_left == 0:
                return False
            desc = bank.desc
            lengths = chunk_lengths(desc.k_len, desc.reduce_factor)
            declared = sum(beats_of(length, desc.x_slices) for length in lengths)
            group = -1
            if not bank.refused:
                members = [range(g * self.rf, (g + 1) * self.rf) for g in range(self.params.rows // self.rf)]
                for limit in (0, 1):
                    fits = [g for g, rows in enumerate(members) if all(slots_used[row] <= limit for row in rows)]
                    if fits:
                        group = fits[0]
                        break
                if group < 0 or (declared == 1 and not bypass_open):
                    return False
            tag, mask = int(stim.vec_tag[n]), int(stim.vec_mask[n]) & ((1 << self.params.lanes) - 1)
            record = [bank.tile, 3, group, self.t, -1, 0, tag]
            self.jobs.append(record)
            self.load = Load(self.job_bank, tag, mask, group, declared, record)
        elif self.load.group >= 0 and len(self.load.beats) + 1 == self.load.declared and not bypass_open:
            return False
        self.load.beats.append(bytes(stim.vec_data[n].tolist()))
        if stim.vec_last[n]:
            self.end_job()
        return True

    def end_job(self) -> None:
        job, self.load = self.load, None
        bank = self.banks[job.bank]
        bank.jobs_left -= 1
        if bank.jobs_left == 0:
            self.job_bank = 1 - self.job_bank
        job.record[4] = self.t
        if bank.refused or len(job.beats) != job.declared:
            code = JobErr.EARLY_LAST if len(job.beats) < job.declared else JobErr.LATE_LAST
            self.job_err.append((self.t + 1, int(JobErr.TILE if bank.refused else code), job.tag))
            self.counters[GlobalCounter.JOBS_REFUSED] += 1
            job.record[1] = 2
            return
        desc, at, work = bank.desc, 0, []
        for m, length in enumerate(chunk_lengths(desc.k_len, desc.reduce_factor)):
            count = beats_of(length, desc.x_slices)
            flat = [q for beat in job.beats[at : at + count] for q in decode(beat, desc.x_slices, desc.x_unsigned)]
            at += count
            pairs, skipped = member_pairs(desc, bank.chunks[m], flat[:length], job.mask, self.params.lanes)
            work.append(pairs)
            counters = self.rows[job.group * self.rf + m].counters
            for cause in range(4):
                counters[RowCounter.SKIP_MASK + cause] += skipped[cause]
        if not any(work):
            self.bypass = (self.t + 1, job.tag, job.mask)
            self.counters[GlobalCounter.JOBS_BYPASSED] += 1
            job.record[1] = 1
            return
        self.counters[GlobalCounter.JOBS] += 1
        job.record[1], job.record[5] = 0, sum(len(pairs) for pairs in work)
        for m, pairs in enumerate(work):
            row = self.rows[job.group * self.rf + m]
            null = Pair(0, 0, 0, 0, 0, (0,) * self.params.lanes, null=True)
            row.slots.append(Slot(job.bank, pairs or [null], job.tag, job.mask, row.jobs % 2))
            row.jobs += 1

    def step_row(self, number: int, row: Row, active: bool) -> None:
        if row.product is not None and self.prod_ready(number):
            done, row.product = row.product, None
            pair, slot = done.pair, done.slot
            fields = (number, done.valid_cycle, self.t, pair.i + pair.j, int(done.last), int(pair.null))
            self.prod[number].append(((*fields, slot.ran_bank, slot.tag, slot.mask), pair.data))
        if row.operand is not None and row.product is None:
            row.product, row.operand = row.operand, None
            row.product.valid_cycle = self.t + 1
        if not row.slots:
            row.counters[RowCounter.STALL_OPERAND] += active
        elif row.operand is not None:
            row.counters[RowCounter.STALL_RAN] += active
        else:
            slot = row.slots[0]
            pair = slot.pairs.pop(0)
            row.operand = Flight(pair, not slot.pairs, slot)
            row.counters[RowCounter.NULLS if pair.null else RowCounter.ISSUES] += 1
            five = (pair.sign << 4) | pair.x
            self.issue[number].append((number, self.t, int(pair.null), pair.k, pair.i, pair.j, five, slot.tag))
            if not slot.pairs:
                row.slots.pop(0)

    def result(self) -> Prediction:
        horizon, lanes = self.stim.horizon, self.params.lanes
        prod = [item for row in self.prod for item in row]
        data = np.array([item[1] for item in prod], dtype=np.int16).reshape(len(prod), lanes)
        return Prediction(
            desc_accept=np.array(self.desc_accept, dtype=np.int64),
            desc_code=np.array([desc.check(self.params) for desc in self.stim.descs], dtype=np.uint8),
            tile_accept=np.array(self.tile_accept, dtype=np.int64),
            tile_err_cycle=np.array([cycle for cycle in self.tile_err if cycle < horizon], dtype=np.int64),
            vec_accept=np.array(self.vec_accept, dtype=np.int64),
            job_err=np.array([e for e in self.job_err if e[0] < horizon], dtype=JOB_ERR_DTYPE),
            issue=np.array([item for row in self.issue for item in row], dtype=ISSUE_DTYPE),
            prod=np.array([item[0] for item in prod], dtype=PROD_DTYPE),
            prod_data=data,
            byp=np.array(self.byp, dtype=BYP_DTYPE),
            row_counters=np.array([row.counters for row in self.rows], dtype=np.int64),
            global_counters=np.array(self.counters, dtype=np.int64),
            opens=np.array(self.opens, dtype=np.int64),
            bank_free=np.array([cycle if cycle < horizon else -1 for cycle in self.bank_free], dtype=np.int64),
            jobs=np.array([tuple(job) for job in self.jobs], dtype=JOB_DTYPE),
        )


def simulate(params: CoreParams, stim: Stimulus) -> Prediction:
    """Step the core through all cycles before the horizon."""
    machine = _Machine(params, stim)
    while machine.t < stim.horizon:
        machine.step()
    return machine.result()
