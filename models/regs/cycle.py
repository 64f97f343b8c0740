"""The registers' side of the bus in Python: what each access answers and causes, and when (docs/top/registers_block.md,
Timing of port and registers).

Written from the page and the register map. All cycles are those of the bench; an epoch lies between two resets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.common.axil import STROBE_ALL, Resp
from models.regs.events import LAPS_ADDRESS, LAPS_OK, Answer, EventRecord, Levels, counter, laps_answer
from models.regs.map import Register, RegisterMap

LOAD, COMPUTE, STORE = range(3)
ENGINE_OF = {1: LOAD, 4: STORE}  # by operation; every other one is compute's
COUNT_MAX = 255
FOREVER = 1 << 40
RIVAL_NONE, RIVAL_OLDER, RIVAL_SAME, RIVAL_YOUNGER = range(4)


@dataclass(frozen=True)
class Shape:
    """Parameters of the instance."""

    cores: int = 1
    rows: int = 8
    lanes: int = 16
    layers: int = 16

    @property
    def fields(self) -> dict[str, int]:
        """Fields of PARAMS."""
        return {"cores": self.cores, "rows": self.rows, "lanes": self.lanes, "layers": self.layers}


@dataclass
class Access:
    """A read or write at the port. Offers and transfers of AW and W, or of AR in `addr_`; `taken`: transfer of the
    answer, which ends the wait of the next one of its kind."""

    write: bool
    addr: int
    data: int
    strobe: int
    addr_offer: int
    data_offer: int
    taken: int
    # what the model says
    addr_accept: int = -1
    data_accept: int = -1
    chosen: int = -1
    requested: int = -1  # taken by the registers; -1: refused at the port
    valid: int = -1  # first cycle of the answer
    code: int = -1
    value: int = 0
    rival: int = 0  # the other kind when it was chosen: RIVAL_*
    blocked: bool = False  # it waited for the answer before it to be taken

    @property
    def complete(self) -> int:
        """Cycle of the last transfer."""
        return max(self.addr_accept, self.data_accept)


@dataclass
class Caused:
    """What left the register file, in order: cycle first."""

    pushes: list[tuple[int, ...]] = field(default_factory=list)  # engine, id, 16 words
    pulses: list[tuple[int, int, int]] = field(default_factory=list)  # PULSE_*, data
    laps: list[tuple[int, ...]] = field(default_factory=list)  # transfer, offer, write, address, data
    updates: list[tuple[int, ...]] = field(default_factory=list)  # transfer, offer, fields as in UPDATE_FIELDS
    irq: list[tuple[int, int]] = field(default_factory=list)  # new level


PULSE_SEED, PULSE_STEP, PULSE_RUN = 0, 1, 2


class Registers:
    """Values of the registers, from a reset on; `base`: the cycle in which rst_ni is first high again."""

    def __init__(
        self, regs: RegisterMap, shape: Shape, base: int, events: Sequence[tuple[int, EventRecord]],
        upd_ready: npt.NDArray[np.bool_],
    ) -> None:  # fmt: skip
        self.regs, self.shape, self.base = regs, shape, base
        self.events, self.done_events = events, 0
        self.upd_ready = upd_ready
        self.caused = Caused()
        self.levels = Levels()
        self.stored = {
            register.name: [register.reset] * register.count for register in regs.registers if register.access == "rw"
        }
        self.status = 0
        self.error, self.count = 0, 0
        self.answer = Answer()
        self.pending = self.taken = False
        self.take_at = FOREVER  # LAPS takes the host's update
        self.cleared = self.acknowledged = -1  # cycle of the last write of ERROR_CLEAR, of IRQ_STATUS
        self.samples: list[tuple[str, dict[str, int]]] = []  # for functional coverage: group, bins by point

    # ---- time ------------------------------------------------------------------------------------------------------
    def advance(self, cycle: int) -> None:
        """Lets everything happen that comes before `cycle`."""
        while True:
            at = self.events[self.done_events][0] if self.done_events < len(self.events) else FOREVER
            if min(at, self.take_at) >= cycle:
                return
            if at <= self.take_at:
                self._event(at, self.events[self.done_events][1])
                self.done_events += 1
            else:
                self.taken, self.take_at = True, FOREVER

    def _event(self, at: int, event: EventRecord) -> None:
        self._note_event(at, event)
        self.status |= event.done | bool(event.failures) << 3
        if event.failures and self.count == 0:
            engine = min(event.failures)
            first = event.failures[engine]
            error = self.regs.register("ERROR")
            self.error = error.pack(code=first.code, engine=engine, detail=first.detail, id=first.id)
        self.count = min(COUNT_MAX, self.count + len(event.failures))
        if event.answer is not None:
            self.answer = event.answer
            if self.taken:
                self.pending = self.taken = False
        if event.levels is not None:
            self.levels = event.levels
        self._interrupt(at)

    def _note_event(self, at: int, event: EventRecord) -> None:
        if event.failures:
            engines = sum(1 << engine for engine in event.failures)
            full = self.count + len(event.failures) > COUNT_MAX
            record = 2 if self.cleared == at else 3 if full else 1 if self.count else 0
            self.samples.append(("event", {"failed": engines - 1, "record": record}))
        if event.done:
            clear = int(self.acknowledged == at)
            self.samples.append(("event", {"done": event.done - 1, "status_clear": clear}))
        if event.answer is not None:
            kind = 3 if self.taken else 0 if not self.pending else 2 if self.take_at == at else 1
            self.samples.append(("event", {"answer": kind}))

    def _interrupt(self, at: int) -> None:
        """irq_o after a change at `at`."""
        level = int(self.status & self.stored["IRQ_ENABLE"][0] != 0)
        irq = self.caused.irq
        if irq and irq[-1][0] == at + 2:  # two changes in one cycle: an access and an event
            irq.pop()
        if level != (irq[-1][1] if irq else 0):
            irq.append((at + 2, level))

    # ---- accesses --------------------------------------------------------------------------------------------------
    def access(self, access: Access) -> None:
        """Carries out an access that the registers take at `access.requested`; sets its code and value."""
        at = access.requested
        self.advance(at)
        window = self.regs.window_at(access.addr)
        place = self.regs.at(access.addr)
        if window is not None and window[0].name == "LAPS":
            code, value = laps_answer(access.write, (access.addr - window[0].offset) >> 2, access.data)
            access.code = {LAPS_OK: Resp.OKAY, LAPS_ADDRESS: Resp.DECERR}.get(code, Resp.SLVERR)
            access.value = value
        elif window is not None:
            exists = window[1] < self.shape.cores
            access.code = Resp.DECERR if not exists else Resp.SLVERR if access.write else Resp.OKAY
            if access.code == Resp.OKAY:
                access.value = counter(window[1], (access.addr % window[0].size) >> 2)
        elif place is None:
            access.code = Resp.DECERR
        elif access.write:
            access.code = Resp.OKAY if self._write(at, *place, access.data) else Resp.SLVERR
        else:
            access.code = Resp.OKAY if place[0].readable else Resp.SLVERR
            access.value = self._read(at, *place) if place[0].readable else 0

    def _read(self, at: int, register: Register, index: int) -> int:
        levels = self.levels
        match register.name:
            case "ID":
                return register.reset
            case "PARAMS":
                return register.pack(**self.shape.fields)
            case "STATUS":
                queued = dict(zip(("load_queued", "compute_queued", "store_queued"), levels.queued, strict=True))
                return register.pack(busy=levels.busy, run=int(levels.run > 0), **queued)
            case "IRQ_STATUS":
                return self.status
            case "DONE":
                return register.pack(**dict(zip(("load", "compute", "store"), levels.done, strict=True)))
            case "ERROR":
                return self.error | register.pack(count=self.count)
            case "RUN":
                return register.pack(count=levels.run)
            case "CYCLES":
                return (at - self.base) % (1 << 32)
            case "UPD_ANSWER":
                return self.answer.word | register.pack(pending=self.pending)
            case "STAT":
                return levels.stat(index)
            case "OPT_STAT":
                return levels.opt_stat(index)
            case "PLAN":
                return levels.plan(index)
        return self.stored[register.name][index]

    def _write(self, at: int, register: Register, index: int, value: int) -> bool:
        if not register.legal(value):
            return False
        match register.name:
            case "IRQ_STATUS":
                self.acknowledged = at
                self.status &= ~value
                self._interrupt(at)
            case "ERROR_CLEAR":
                self.cleared = at
                self.error = self.count = 0
            case "SEED":
                self.caused.pulses.append((at + 1, PULSE_SEED, value))
            case "STEP":
                self.caused.pulses.append((at + 1, PULSE_STEP, 0))
            case "PUSH":
                operation = self.stored["CMD"][0] & 15
                engine = ENGINE_OF.get(operation, COMPUTE)
                full = 2 if self.levels.run else self.levels.full >> engine & 1
                self.samples.append(("event", {"operation": operation, "push": full}))
                if full:
                    return False
                self.caused.pushes.append((at + 1, engine, value, *self.stored["CMD"]))
            case "RUN":
                self.samples.append(("event", {"run": int(self.levels.run > 0)}))
                if self.levels.run:
                    return False
                self.caused.pulses.append((at + 1, PULSE_RUN, value))
            case "UPD_PUSH":
                self.samples.append(("event", {"update": int(self.pending)}))
                if self.pending:
                    return False
                self._push_update(at)
        if register.name in self.stored:
            self.stored[register.name][index] = value
        if register.name == "IRQ_ENABLE":
            self._interrupt(at)
        return True

    def _push_update(self, at: int) -> None:
        self.pending = True
        ready = np.flatnonzero(self.upd_ready[at + 1 :])
        words = self.stored["UPD"]
        if len(ready):
            self.take_at = at + 1 + int(ready[0])
            layer, cls, max_bit = words[5] >> 2 & 0xFF, words[5] & 3, words[5] >> 10 & 0x3F
            record = (layer, cls, *words[:3], max_bit, words[3], words[4] & 0xFFFF)
            self.caused.updates.append((self.take_at, at + 1, *record))


def predict(
    registers: Registers, writes: list[Access], reads: list[Access], laps_ready: npt.NDArray[np.bool_], end: int
) -> list[Access]:
    """Accesses in the order in which they are carried out, with everything that the model says of them; those that are
    not chosen before `end` stay without. `laps_ready` (cycles,): LAPS' ready."""
    order: list[Access] = []
    free = registers.base  # the port may choose from here on
    queues = {True: writes, False: reads}
    at = {True: 0, False: 0}

    def eligible(write: bool) -> tuple[int, int] | None:
        """(cycle of choice, complete) of the oldest one of its kind."""
        if at[write] >= len(queues[write]):
            return None
        one, before = queues[write][at[write]], queues[write][at[write] - 1] if at[write] else None
        room = before.chosen + 1 if before else 0
        one.addr_accept = max(one.addr_offer, room)
        one.data_accept = max(one.data_offer, room) if write else one.addr_accept
        return max(one.complete + 1, free, before.taken if before else 0), one.complete

    while True:
        write, read = eligible(True), eligible(False)
        if write is None and read is None:
            break
        kind = read is None or (write is not None and (write[0], write[1]) <= (read[0], read[1]))
        chosen = (write if kind else read)[0]  # type: ignore[index]
        if chosen >= end:
            break
        one = queues[kind][at[kind]]
        at[kind] += 1
        one.chosen = chosen
        other = queues[not kind][at[not kind]] if at[not kind] < len(queues[not kind]) else None
        if other is not None and other.complete < chosen:
            one.rival = (
                RIVAL_OLDER if other.complete < one.complete
                else RIVAL_SAME if other.complete == one.complete else RIVAL_YOUNGER
            )  # fmt: skip
        before = queues[kind][at[kind] - 2].taken if at[kind] > 1 else 0
        one.blocked = before == chosen and before > one.complete + 1 and before > free
        order.append(one)
        refused = Resp.DECERR if one.addr & 3 else Resp.SLVERR if kind and one.strobe != STROBE_ALL else None
        if refused is not None:
            one.code, one.valid, free = refused, chosen + 1, chosen + 1
            continue
        one.requested = chosen + 1
        window = registers.regs.window_at(one.addr)
        if window is not None and window[0].name == "LAPS":
            ready = np.flatnonzero(laps_ready[chosen + 1 :])
            if not len(ready):
                break
            one.requested = chosen + 1 + int(ready[0])
            record = (int(one.write), (one.addr - window[0].offset) >> 2, one.data if one.write else 0)
            registers.caused.laps.append((one.requested, chosen + 1, *record))
        registers.access(one)
        one.valid = free = one.requested + 2
    registers.advance(end)
    return order
