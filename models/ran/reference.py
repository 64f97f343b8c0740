"""Second reading of the RAN: every register, every cycle, plain Python integers. Slow; tests hold cycle.py to it.

Source: docs/ran/README.md. :class:`Machine` is the block, one call of :meth:`Machine.step` a cycle: decisions look at
the registers as they were when the cycle began. :func:`simulate` feeds it from recorded offers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.common.generator import LANE_TAPS, MIX_START, MIX_STEPS
from models.common.rounding import RAND_BITS
from models.ran.config import TAGS, GlobalCounter, RanDescriptor, RanParams, RowCounter
from models.ran.cycle import (
    JOB_DTYPE,
    JOB_STAT_DTYPE,
    OUT_DTYPE,
    QUANT_DTYPE,
    REQ_DTYPE,
    STAT_DTYPE,
    SWAP_DTYPE,
    TREE_DTYPE,
    Prediction,
    Stimulus,
)

# By `y_bits`: bits of a value, bits of its container.
FORMATS = ((4, 4), (8, 8), (12, 16), (16, 16), (32, 32), (64, 64))
NEAREST, STOCHASTIC = 0, 2
BIAS, PSUM32, PSUM64 = 1, 2, 3


# ------------------------------------------------------------------------------------------------------------- inputs
@dataclass(frozen=True)
class Product:
    """A product of a row."""

    data: tuple[int, ...]
    order: int
    last: bool
    null: bool
    bank: int
    tag: int
    mask: int


@dataclass(frozen=True)
class Beat:
    """A beat of a start value stream."""

    data: bytes
    last: bool


@dataclass
class Inputs:
    """What the ports show in a cycle; None: valid is low."""

    rows: int
    desc: RanDescriptor | None = None
    prod: list[Product | None] = field(default_factory=list)
    byp: tuple[int, int] | None = None  # tag, mask
    cancel: int | None = None
    bias: Beat | None = None
    psum: Beat | None = None
    psum_req_ready: bool = True
    out_ready: bool = True
    stat_ready: bool = True

    def __post_init__(self) -> None:
        self.prod = self.prod or [None] * self.rows


@dataclass
class Taken:
    """Which transfers a cycle made."""

    desc: bool
    prod: list[bool]
    byp: bool
    bias: bool
    psum: bool
    request: int | None  # tag of the request that was taken


# ---------------------------------------------------------------------------------------------------------- registers
@dataclass
class Slot:
    """An occupied slot."""

    number: int
    desc: RanDescriptor
    first: int
    left: int
    loaded: bool
    bias: list[int] = field(default_factory=list)
    stat: list[int] = field(default_factory=lambda: [0] * 5)


@dataclass
class Job:
    """A job from its completion on."""

    complete: int
    tag: int
    mask: int
    byp: bool
    entry: int = 0
    bank: int = 0
    rows: tuple[int, ...] = ()
    row_bank: int = 0
    slot: Slot | None = None
    request: int = -1  # since when its partial sums are asked for
    select: int = -1
    swap: int = -1
    quant: int = -1
    done: int = -1
    s: list[int] = field(default_factory=list)
    z: list[int] = field(default_factory=list)
    y: list[int] = field(default_factory=list)
    out_mask: int = 0


@dataclass
class End:
    """The last product of a row for a bank."""

    cycle: int
    tag: int
    mask: int


@dataclass
class Words:
    """Collects the beats of a start value."""

    beats: list[Beat] = field(default_factory=list)

    def add(self, beat: Beat, lanes: int, width: int) -> tuple[list[int], bool] | None:
        """The value and whether its framing was wrong, with the beat that has `last`."""
        self.beats.append(beat)
        if not beat.last:
            return None
        want = lanes * width // 128
        data = b"".join(beat.data for beat in self.beats[:want])
        wrong = len(self.beats) != want
        self.beats = []
        data += bytes(lanes * width // 8 - len(data))
        size = width // 8
        return [int.from_bytes(data[size * i : size * i + size], "little", signed=True) for i in range(lanes)], wrong


@dataclass
class Wires:
    """What a cycle does, told from the registers at its start: which inputs are taken, which stages move."""

    busy: bool
    desc: bool = False
    prod: list[bool] = field(default_factory=list)
    byp: bool = False
    bias: Slot | None = None  # that takes the beat
    cancel: Slot | None = None  # whose job it is
    psum: bool = False
    started: bool = False  # the drain's first job has its start value
    asks: bool = False  # for partial sums
    select: bool = False
    merge: bool = False
    emit: bool = False
    last_beat: bool = False
    to_pack: bool = False
    to_quant: bool = False
    swap: bool = False
    stat: bool = False
    retire: bool = False


def add_stat(total: list[int], more: list[int]) -> list[int]:
    """Values, overflow, zeros, largest bit length, sum of magnitudes: of both."""
    return [max(a, b) if at == 3 else a + b for at, (a, b) in enumerate(zip(total, more, strict=True))]


class Machine:
    """The block."""

    def __init__(self, params: RanParams) -> None:
        self.params = params
        self.t = 0
        rows, lanes = params.rows, params.lanes
        # descriptors
        self.slots: list[Slot] = []
        self.rf = 1
        self.refused = False
        self.next_number = 0
        # banks
        self.ends: list[list[End | None]] = [[None, None] for _ in range(rows)]  # done[r][b]
        self.queued: list[list[bool]] = [[False, False] for _ in range(rows)]  # [group][b]: went into the order queue
        self.acc = [[[0] * lanes, [0] * lanes] for _ in range(rows)]
        self.shifted: list[tuple[list[int], int] | None] = [None] * rows
        self.tree: list[tuple[list[int], int] | None] = [None] * rows
        # queues and the drain
        self.byp_next: Job | None = None
        self.order: list[Job] = []
        self.drain: list[Job] = []
        self.sum: Job | None = None
        self.quant: Job | None = None
        self.pack: list[Job] = []
        self.pack_beat = 0
        self.out: tuple[int, int, bool, list[Job], bytes] | None = None
        # start values, statistics
        self.bias_words, self.psum_words = Words(), Words()
        self.psum: list[int] | None = None
        self.tensor = [0] * 5
        self.record: tuple[int, list[int]] | None = None
        # what is seen from outside
        self.row_counters = [[0] * len(RowCounter) for _ in range(rows)]
        self.counters = [0] * len(GlobalCounter)
        self.descs = 0
        self.log: dict[str, list] = {
            name: []
            for name in (
                *("desc_accept", "byp_accept", "bias_accept", "bias_err", "psum_accept", "psum_err", "psum_req"),
                *("tree", "swap", "quant", "job_stat", "out", "stat", "jobs"),
            )
        }
        self.prod_accept: list[list[int]] = [[] for _ in range(rows)]
        self.shift_log: list[list[list[int]]] = [[] for _ in range(rows)]

    # ---- random numbers
    def draws(self, number: int) -> list[int]:
        """The draw of every lane that a number gives."""
        word = number % 2**32 ^ MIX_START
        for step, (a, b, c) in enumerate(MIX_STEPS):
            if step % 2 == 0:
                word ^= word * 2**a % 2**32 ^ (word * 2**b & word * 2**c) % 2**32
            else:
                word ^= word // 2**a ^ (word // 2**b & word // 2**c)
        digits = f"{word:032b}"
        out = []
        for taps in LANE_TAPS[: self.params.lanes]:
            copies = [digits[32 - tap :] + digits[: 32 - tap] for tap in taps]
            ones = [sum(copy[at] == "1" for copy in copies) for at in range(24)]
            out.append(int("".join(str(count % 2) for count in ones), 2))
        return out

    # ---- tags
    def slot_of(self, tag: int) -> Slot | None:
        """The occupied slot that a tag belongs to."""
        for slot in self.slots:
            if (tag - slot.first) % TAGS < slot.desc.n_jobs:
                return slot
        return None

    def group_of(self, row: int) -> range:
        """Rows of the group that a row belongs to."""
        first = row - row % self.rf
        return range(first, first + self.rf)

    # ---- the cycle
    def step(self, now: Inputs) -> Taken:
        """One cycle."""
        self.arrive()
        self.counters[GlobalCounter.DESCS_REFUSED] += self.refused  # with the answer, one cycle after the transfer
        self.refused = False
        wires = self.wires(now)
        self.count(now, wires)
        self.move_output(now, wires)
        request = self.move_drain(now, wires)
        self.move_rows(now, wires)
        self.move_slots(now, wires)
        self.t += 1
        return Taken(wires.desc, wires.prod, wires.byp, wires.bias is not None, wires.psum, request)

    def wires(self, now: Inputs) -> Wires:
        """What the registers say at the start of the cycle."""
        wires = Wires(busy=bool(self.slots or self.pack or self.out or self.record))
        self.inputs(now, wires)
        self.drain_moves(now, wires)
        self.slot_moves(now, wires)
        return wires

    def inputs(self, now: Inputs, wires: Wires) -> None:
        """Which inputs are taken, but start values."""
        room = len(self.slots) < 4 and (not self.slots or (now.desc is not None and now.desc.reduce_factor == self.rf))
        wires.desc = now.desc is not None and room
        wires.prod = [prod is not None and self.row_takes(row, prod) for row, prod in enumerate(now.prod)]
        waiting_byps = sum(job.byp for job in self.order)
        wires.byp = now.byp is not None and waiting_byps < 4 and self.slot_of(now.byp[0]) is not None
        wires.cancel = None if now.cancel is None else self.slot_of(now.cancel)

    def row_takes(self, row: int, prod: Product) -> bool:
        """Whether a row takes its product; counts it, or why it does not."""
        bank = prod.bank if self.params.banks == 2 else 0
        if self.slot_of(prod.tag) is None:
            counter = RowCounter.STALL_DESC
        elif self.ends[row][bank] is None:
            counter = RowCounter.PRODUCTS
        elif all(self.ends[other][bank] is not None for other in self.group_of(row)):
            counter = RowCounter.STALL_DRAIN
        else:
            counter = RowCounter.STALL_MEMBER
        self.row_counters[row][counter] += 1
        return counter == RowCounter.PRODUCTS

    def drain_moves(self, now: Inputs, wires: Wires) -> None:
        """Which stages move, from the order queue to the output."""
        head = self.drain[0] if self.drain else None
        start = head.slot.desc.start if head else 0
        wires.started = start == 0 or (head.slot.loaded if start == BIAS else self.psum is not None)
        wires.psum = now.psum is not None and start in (PSUM32, PSUM64) and self.psum is None

        first = self.order[0] if self.order else None
        if first is not None:
            room = len(self.drain) < 4
            first.slot = self.slot_of(first.tag)
            wires.asks = room and first.slot.desc.start in (PSUM32, PSUM64)
            wires.select = room and (not wires.asks or now.psum_req_ready)

        free = self.out is None or now.out_ready
        if self.pack:
            packed = self.pack[0].slot.desc
            places = self.places(packed)
            same = self.quant is not None and self.quant.slot.desc.y_bits == packed.y_bits
            wires.merge = places > 1 and len(self.pack) < places and same
            wires.emit = not wires.merge and free
            wires.last_beat = wires.emit and self.pack_beat == self.beats(packed) - 1
        wires.to_pack = self.quant is not None and (wires.merge or not self.pack or wires.last_beat)
        wires.to_quant = self.sum is not None and (self.quant is None or wires.to_pack)
        wires.swap = head is not None and wires.started and (self.sum is None or wires.to_quant)

    def slot_moves(self, now: Inputs, wires: Wires) -> None:
        """Whether a bias is taken, a record is taken, a slot retires."""
        if now.bias is not None:
            wires.bias = next((slot for slot in self.slots if not slot.loaded), None)
        wires.stat = self.record is not None and now.stat_ready
        oldest = self.slots[0] if self.slots else None
        wires.retire = (
            oldest is not None
            and oldest.left == 0
            and oldest.loaded
            and (not oldest.desc.stat_last or self.record is None or wires.stat)
        )

    def count(self, now: Inputs, wires: Wires) -> None:
        """Global counters of the cycle."""
        counters = self.counters
        counters[GlobalCounter.CYCLES] += wires.busy
        counters[GlobalCounter.STALL_OUT] += self.out is not None and not now.out_ready
        counters[GlobalCounter.STALL_START] += bool(self.drain) and not wires.started
        counters[GlobalCounter.STALL_REQUEST] += wires.asks and not now.psum_req_ready
        counters[GlobalCounter.JOBS_CANCELLED] += wires.cancel is not None
        counters[GlobalCounter.JOBS_BYPASSED] += wires.byp

    def move_output(self, now: Inputs, wires: Wires) -> None:
        """From the output backwards: a register is read before it is filled."""
        if self.out is not None and now.out_ready:
            self.end_beat()
        if wires.emit:
            self.emit(wires.last_beat)
        if wires.to_pack:
            self.to_pack(wires.merge)
        if wires.to_quant:
            self.to_quant()

    def move_drain(self, now: Inputs, wires: Wires) -> int | None:
        """The drain and the order queue; the tag of a request that was taken."""
        wide = bool(self.drain) and self.drain[0].slot.desc.start != PSUM32
        if wires.swap:
            self.swap()
        if wires.psum:
            self.log["psum_accept"].append(self.t)
            got = self.psum_words.add(now.psum, self.params.lanes, 64 if wide else 32)
            if got is not None:
                self.psum = got[0]
                if got[1]:
                    self.log["psum_err"].append(self.t + 1)
        first = self.order[0] if self.order else None
        if wires.asks and first.request < 0:
            first.request = self.t
        if not wires.select:
            return None
        self.order.pop(0)
        first.select = self.t
        self.drain.append(first)
        if not wires.asks:
            return None
        self.log["psum_req"].append((first.request, self.t, first.tag))
        return first.tag

    def move_rows(self, now: Inputs, wires: Wires) -> None:
        """Banks, tree and shifters, then what enters."""
        self.accumulate()
        for row, prod in enumerate(now.prod):
            self.shifted[row] = self.take_product(row, prod) if wires.prod[row] else None
        if wires.byp:
            self.log["byp_accept"].append(self.t)
            self.byp_next = Job(self.t + 1, *now.byp, byp=True)

    def move_slots(self, now: Inputs, wires: Wires) -> None:
        """Slots and statistics; a descriptor last."""
        if wires.cancel is not None:
            wires.cancel.left -= 1
        if wires.bias is not None:
            self.log["bias_accept"].append(self.t)
            got = self.bias_words.add(now.bias, self.params.lanes, 32)
            if got is not None:
                wires.bias.bias, wires.bias.loaded = got[0], True
                if got[1]:
                    self.log["bias_err"].append(self.t + 1)
        if wires.stat:
            self.log["stat"].append((self.record[0], self.t, *self.record[1]))
            self.record = None
        if wires.retire:
            oldest = self.slots.pop(0)
            self.tensor = add_stat(self.tensor, oldest.stat)
            if oldest.desc.stat_last:
                self.record = (self.t + 1, self.tensor)
                self.tensor = [0] * 5
        if wires.desc:
            self.take_desc(now.desc)

    def arrive(self) -> None:
        """Jobs that are complete from this cycle on, by group, then the bypass."""
        for group in range(self.params.rows // self.rf):
            rows = range(group * self.rf, (group + 1) * self.rf)
            for bank in range(self.params.banks):
                ends = [self.ends[row][bank] for row in rows]
                if None in ends or self.queued[group][bank]:
                    continue
                complete = max(end.cycle for end in ends) + 3
                if complete == self.t:
                    entry, entry_bank = (group, bank) if self.rf == 1 else (group * self.rf + bank, 0)
                    member0 = ends[0]
                    job = Job(complete, member0.tag, member0.mask, False, entry, entry_bank, tuple(rows), bank)
                    self.order.append(job)
                    self.queued[group][bank] = True
        if self.byp_next is not None:
            self.order.append(self.byp_next)
            self.byp_next = None

    def take_desc(self, desc: RanDescriptor) -> None:
        """A descriptor is taken."""
        self.log["desc_accept"].append(self.t)
        if desc.check(self.params) != 0:
            self.refused = True
        else:
            self.rf = desc.reduce_factor
            slot = Slot(self.descs, desc, self.next_number % TAGS, desc.n_jobs, desc.start != BIAS)
            self.slots.append(slot)
            self.next_number += desc.n_jobs
        self.descs += 1

    def take_product(self, row: int, prod: Product) -> tuple[list[int], int]:
        """A product is taken: its shifted lanes and its order."""
        self.prod_accept[row].append(self.t)
        bank = prod.bank if self.params.banks == 2 else 0
        if prod.last:
            self.ends[row][bank] = End(self.t, prod.tag, prod.mask)
        lanes = [value * 16**prod.order // 2 for value in prod.data]
        self.shift_log[row].append(lanes)
        return lanes, bank

    def accumulate(self) -> None:
        """The tree's registers into the banks, the shift registers into the tree."""
        for entry, update in enumerate(self.tree):
            if update is not None:
                bank = self.acc[entry][update[1]]
                self.acc[entry][update[1]] = [a + b for a, b in zip(bank, update[0], strict=True)]
                self.log["tree"].append((entry, self.t, update[1], update[0]))
        self.tree = [None] * self.params.rows
        for row, product in enumerate(self.shifted):
            if product is None:
                continue
            lanes, bank = product
            entry, entry_bank = (row, bank) if self.rf == 1 else (row - row % self.rf + bank, 0)
            so_far = self.tree[entry][0] if self.tree[entry] is not None else [0] * self.params.lanes
            self.tree[entry] = ([a + b for a, b in zip(so_far, lanes, strict=True)], entry_bank)

    def dead(self, job: Job, lane: int) -> bool:
        """Whether a lane is masked or padding."""
        return bool(job.mask >> lane & 1) or lane >= job.slot.desc.lanes

    def swap(self) -> None:
        """The oldest job of the drain queue into the sum register."""
        job = self.drain.pop(0)
        job.swap = self.t
        desc, lanes = job.slot.desc, range(self.params.lanes)
        contents = [0] * self.params.lanes
        if not job.byp:
            contents = self.acc[job.entry][job.bank]
            self.acc[job.entry][job.bank] = [0] * self.params.lanes
            for row in job.rows:
                self.ends[row][job.row_bank] = None
            self.queued[job.rows[0] // self.rf][job.row_bank] = False
        self.log["swap"].append(((self.t, job.byp, job.entry, job.bank, job.tag), contents))
        start = [0] * self.params.lanes
        if desc.start == BIAS:
            start = job.slot.bias
        elif desc.start in (PSUM32, PSUM64):
            start, self.psum = self.psum, None
        limit = desc.limit(self.params)
        for lane in lanes:
            clamped = max(-limit, min(limit, start[lane]))
            if not self.dead(job, lane):
                self.counters[GlobalCounter.CLAMPED] += clamped != start[lane]
            job.s.append(0 if self.dead(job, lane) else contents[lane] + clamped)
        self.log["jobs"].append(job)
        self.sum = job

    def to_quant(self) -> None:
        """A job moves from sum to quant."""
        job, self.sum = self.sum, None
        self.quant = job
        job.quant = self.t
        desc, sh = job.slot.desc, job.slot.desc.shift
        draws = [0] * self.params.lanes
        if desc.round == STOCHASTIC:
            self.counters[GlobalCounter.DRAWS] += 1
            draws = self.draws(desc.draw + (job.tag - job.slot.first) % TAGS)
        for s, draw in zip(job.s, draws, strict=True):
            r = 0
            if desc.round == NEAREST and sh > 0:
                r = 2 ** (sh - 1) - 1 + (s >> sh & 1)
            elif desc.round == STOCHASTIC:
                bits = RAND_BITS[desc.rand_bits]
                digits = f"{draw:024b}"[:bits] + "1"
                r = int(digits.ljust(25, "0"), 2) * 2**sh // 2**25
            z = (s + r) >> sh
            job.z.append(max(z, 0) if desc.relu else z)

    def to_pack(self, merge: bool) -> None:
        """A job moves from quant to pack."""
        job, self.quant = self.quant, None
        job.done = self.t
        desc = job.slot.desc
        bits = FORMATS[desc.y_bits][0]
        low, high = (0, 2**bits - 1) if desc.y_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        overflow = zeros = longest = total = 0
        for lane, z in enumerate(job.z):
            y = z if desc.y_bits == 5 else max(low, min(high, z))
            job.y.append(y)
            dead = self.dead(job, lane)
            if dead or (desc.relu and job.s[lane] <= 0):
                job.out_mask |= 1 << lane
            overflow += y != z and not dead
            if lane < desc.lanes:
                zeros += y == 0
                longest = max(longest, abs(z).bit_length())
                total += 0 if desc.y_bits >= 4 else abs(y)
        self.log["quant"].append(job)
        self.log["job_stat"].append((self.t, job.tag, overflow, zeros, longest, total))
        job.slot.stat = add_stat(job.slot.stat, [desc.lanes, overflow, zeros, longest, total])
        job.slot.left -= 1
        self.counters[GlobalCounter.JOBS] += 1
        self.counters[GlobalCounter.OVERFLOWS] += overflow
        self.counters[GlobalCounter.MERGES] += merge
        self.pack.append(job)

    def places(self, desc: RanDescriptor) -> int:
        """Jobs that can share a beat."""
        size = self.params.lanes * FORMATS[desc.y_bits][1]
        return 128 // size if size < 128 else 1

    def beats(self, desc: RanDescriptor) -> int:
        """Beats of a job."""
        size = self.params.lanes * FORMATS[desc.y_bits][1]
        return size // 128 if size > 128 else 1

    def emit(self, last: bool) -> None:
        """A beat moves to the out register."""
        container = FORMATS[self.pack[0].slot.desc.y_bits][1]
        bits = 0
        for place, job in enumerate(self.pack):
            for lane, y in enumerate(job.y):
                bits |= y % 2**container << (place * self.params.lanes + lane) * container
        data = (bits >> 128 * self.pack_beat).to_bytes(4096, "little")[:16]
        self.out = (self.t + 1, self.pack[0].slot.desc.y_bits, last, list(self.pack), data)
        self.pack_beat += 1
        if last:
            self.pack, self.pack_beat = [], 0

    def end_beat(self) -> None:
        """The beat at the output is taken."""
        since, bits, last, jobs, data = self.out
        self.out = None
        self.counters[GlobalCounter.BEATS] += 1
        rest = (0,) * (4 - len(jobs))
        tags, masks = (*(job.tag for job in jobs), *rest), (*(job.out_mask for job in jobs), *rest)
        self.log["out"].append(((since, self.t, bits, last, len(jobs), tags, masks), data))

    # ---- the answer
    def result(self, stim: Stimulus) -> Prediction:
        """Everything so far; `stim` says how many inputs there were."""
        lanes, log, horizon = self.params.lanes, self.log, self.t

        def accepts(got: list[int], count: int) -> np.ndarray:
            return np.array(got + [-1] * (count - len(got)), np.int64)

        def values(rows: list[list[int]]) -> np.ndarray:
            return np.array(rows, np.int64).reshape(len(rows), lanes)

        counts = np.bincount(stim.prod["row"], minlength=self.params.rows)
        per_row = [accepts(got, int(count)) for got, count in zip(self.prod_accept, counts, strict=True)]
        tree = sorted((entry, cycle, bank, lanes_of) for entry, cycle, bank, lanes_of in log["tree"])
        jobs = [
            (j.tag, j.slot.number, j.byp, j.complete, j.select, j.swap, j.quant, j.done)
            for j in log["jobs"]
        ]  # fmt: skip
        out_data = np.frombuffer(b"".join(data for _, data in log["out"]), np.uint8)
        return Prediction(
            desc_accept=accepts(log["desc_accept"], len(stim.descs)),
            desc_code=np.array([desc.check(self.params) for desc in stim.descs], np.uint8),
            prod_accept=np.concatenate(per_row),
            byp_accept=accepts(log["byp_accept"], len(stim.byp)),
            bias_accept=accepts(log["bias_accept"], len(stim.bias_last)),
            bias_err_cycle=np.array([cycle for cycle in log["bias_err"] if cycle < horizon], np.int64),
            psum_accept=accepts(log["psum_accept"], len(stim.psum_last)),
            psum_err_cycle=np.array([cycle for cycle in log["psum_err"] if cycle < horizon], np.int64),
            psum_req=np.array(log["psum_req"], REQ_DTYPE),
            shift=values([item for row in self.shift_log for item in row]),
            tree=np.array([item[:3] for item in tree], TREE_DTYPE),
            tree_sum=values([item[3] for item in tree]),
            swap=np.array([item[0] for item in log["swap"]], SWAP_DTYPE),
            swap_acc=values([item[1] for item in log["swap"]]),
            quant=np.array([(job.done, job.tag) for job in log["quant"]], QUANT_DTYPE),
            quant_z=values([job.z for job in log["quant"]]),
            job_stat=np.array(log["job_stat"], JOB_STAT_DTYPE),
            out=np.array([item[0] for item in log["out"]], OUT_DTYPE),
            out_data=out_data.reshape(-1, 16).copy(),
            stat=np.array(log["stat"], STAT_DTYPE),
            row_counters=np.array(self.row_counters, np.int64),
            global_counters=np.array(self.counters, np.int64),
            jobs=np.array(jobs, JOB_DTYPE),
        )


def simulate(params: RanParams, stim: Stimulus) -> Prediction:
    """Step the block through all cycles before the horizon."""
    machine = Machine(params)
    lists = [np.flatnonzero(stim.prod["row"] == row).tolist() for row in range(params.rows)]
    offer = stim.prod["offer"].tolist()
    prods = [
        Product(tuple(data), int(p["order"]), bool(p["last"]), bool(p["null"]), int(p["bank"]), int(p["tag"]),
                int(p["mask"]))
        for p, data in zip(stim.prod, stim.prod_data.tolist(), strict=True)
    ]  # fmt: skip
    cancels = {int(c["cycle"]): int(c["tag"]) for c in stim.cancel}
    at = {"desc": 0, "byp": 0, "bias": 0, "psum": 0}
    offers = {
        "desc": stim.desc_offer.tolist(),
        "byp": stim.byp["offer"].tolist(),
        "bias": stim.bias_offer.tolist(),
        "psum": stim.psum_offer.tolist(),
    }

    def shown(name: str, t: int) -> int | None:
        n = at[name]
        return n if n < len(offers[name]) and 0 <= offers[name][n] <= t else None

    def ready(wave: np.ndarray | None, t: int) -> bool:
        return wave is None or (t < len(wave) and bool(wave[t]))

    at_row = [0] * params.rows
    for t in range(stim.horizon):
        now = Inputs(params.rows, cancel=cancels.get(t))
        now.psum_req_ready, now.out_ready = ready(stim.psum_req_ready, t), ready(stim.out_ready, t)
        now.stat_ready = ready(stim.stat_ready, t)
        for row, mine in enumerate(lists):
            if at_row[row] < len(mine) and 0 <= offer[mine[at_row[row]]] <= t:
                now.prod[row] = prods[mine[at_row[row]]]
        if (n := shown("desc", t)) is not None:
            now.desc = stim.descs[n]
        if (n := shown("byp", t)) is not None:
            now.byp = (int(stim.byp["tag"][n]), int(stim.byp["mask"][n]))
        if (n := shown("bias", t)) is not None:
            now.bias = Beat(stim.bias_data[n].tobytes(), bool(stim.bias_last[n]))
        if (n := shown("psum", t)) is not None:
            now.psum = Beat(stim.psum_data[n].tobytes(), bool(stim.psum_last[n]))
        taken = machine.step(now)
        for name in at:
            at[name] += bool(getattr(taken, name))
        for row, yes in enumerate(taken.prod):
            at_row[row] += yes
    return machine.result(stim)
