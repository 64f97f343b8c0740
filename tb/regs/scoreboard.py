"""Scoreboard of the registers: every transfer at the port, every answer and everything that leaves the register file,
against the model, with its cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.commands import Engine, word_layouts
from models.regs.cycle import FOREVER, Access, Registers, Shape, predict
from models.regs.events import EventRecord
from models.regs.map import RegisterMap
from tb.lib.axil import AxilLog, Channel
from tb.lib.scoreboard import (
    EVENT_DTYPE,
    Layouts,
    SpannedScoreboard,
    bits,
    compare_tables,
    cycle_table,
    event_levels,
    named,
)  # fmt: skip

EV_IRQ = 7
PUSH_DTYPE = np.dtype([("cycle", "<u4"), ("engine", "<u4"), ("id", "<u4"), ("cmd", "<u4", (16,))])
PULSE_DTYPE = np.dtype([("cycle", "<u4"), ("kind", "<u4"), ("data", "<u4")])
LAPS_DTYPE = np.dtype([("cycle", "<u4"), ("since", "<u4"), ("write", "<u4"), ("address", "<u4"), ("data", "<u4")])
UPD_DTYPE = np.dtype(
    [("cycle", "<u4"), ("since", "<u4"), ("layer", "<u4"), ("class", "<u4"), ("values", "<u4"), ("overflow", "<u4"),
     ("zeros", "<u4"), ("max_bit", "<u4"), ("sum_low", "<u4"), ("sum_high", "<u4")]
)  # fmt: skip
ANSWER_DTYPE = np.dtype([("cycle", "<u4"), ("code", "<u4"), ("data", "<u4")])
IRQ_DTYPE = np.dtype([("cycle", "<u4"), ("level", "<u4")])
DTYPES = {
    "push": PUSH_DTYPE, "pulse": PULSE_DTYPE, "laps": LAPS_DTYPE, "upd": UPD_DTYPE, "regs_event": EVENT_DTYPE,
}  # fmt: skip


def push_layouts(push: np.void) -> Layouts:
    """What a push holds: the engine by name, and the fields of its command, whose operation is in word 0."""
    words = word_layouts(int(push["cmd"][0]) & 0xF)
    return {"engine": named(Engine)} | {f"cmd[{at}]": bits(*fields) for at, fields in enumerate(words) if fields}


@dataclass
class Epoch:
    """Between two resets: the accesses in the order in which they were carried out, and the registers after them."""

    base: int
    end: int
    order: list[Access]
    writes: list[Access]
    reads: list[Access]
    registers: Registers


def _rows(entries: Sequence[tuple[Any, ...]], dtype: np.dtype, base: int, end: int) -> npt.NDArray[np.void]:
    """Entries (cycle first) that lie before `end`, counted from `base`."""
    table = np.array([entry for entry in entries if entry[0] < end], dtype)
    table["cycle"] -= base
    return table


class RegsScoreboard(SpannedScoreboard):
    """Is told `regs`, `records` (events in the order in which they were handed over), `stuck` (what the port's driver
    waits for), `checked` and `differences` (of the register layer)."""

    BLOCK = "regs"
    params: Shape
    regs: RegisterMap
    records: list[EventRecord]
    stuck: str
    checked: int
    differences: list[tuple[int, str, int, int]]
    epochs: list[Epoch]

    def _whole(self) -> None:
        self.verdict.count("slice", self.checked)
        for cycle, name, got, want in self.differences:
            self.verdict.diverge("mirror", cycle, name, f"{got:#x}", f"{want:#x}")
        if self.stuck:
            self.verdict.diverge("drain", self.cycles, "the port", self.stuck, "an answer")

    @staticmethod
    def _between(table: npt.NDArray[np.void], base: int, end: int, field: str = "cycle") -> npt.NDArray[np.void]:
        return table[(table[field] >= base) & (table[field] < end)]

    def _accesses(self, base: int, end: int) -> tuple[list[Access], list[Access]]:
        log: AxilLog = self.seen["axil"]
        aw, w, b, ar, r = (self._between(log[channel], base, end) for channel in Channel)

        def taken(table: npt.NDArray[np.void], index: int) -> int:
            return int(table["cycle"][index]) if index < len(table) else FOREVER

        writes = [
            Access(True, *map(int, (a["data"], d["data"], d["code"], a["since"], d["since"])), taken(b, at))
            for at, (a, d) in enumerate(zip(aw, w, strict=False))
        ]
        reads = [Access(False, int(a["data"]), 0, 0, int(a["since"]), -1, taken(r, at)) for at, a in enumerate(ar)]
        return writes, reads

    def _epoch(self, base: int, end: int) -> None:
        writes, reads = self._accesses(base, end)
        log = self.seen["event"]
        events = [(int(at), record) for at, record in zip(log.accept, self.records, strict=True) if base <= at < end]
        registers = Registers(self.regs, self.params, base, events, self.seen["upd_ready"][:end, 0])
        order = predict(registers, writes, reads, self.seen["laps_ready"][:end, 0], end)
        port: AxilLog = self.seen["axil"]
        for channel, accesses in ((Channel.AW, writes), (Channel.W, writes), (Channel.AR, reads)):
            mine = self._between(port[channel], base, end)["cycle"].astype(np.int64)[: len(accesses)]
            wanted = [one.data_accept if channel == Channel.W else one.addr_accept for one in accesses]
            what = f"{channel.name} transfer"
            compare_tables(
                self.verdict,
                "port",
                what,
                cycle_table(mine - base),
                cycle_table(np.array(wanted, np.int64) - base),
                base=base,
            )
        caused = registers.caused
        for name, boundary, entries in (
            ("laps", "laps", caused.laps), ("push", "push", caused.pushes), ("pulse", "pulse", caused.pulses),
            ("upd", "update", caused.updates),
        ):  # fmt: skip
            got = self._between(self.seen[f"{name}_trace"], base, end).copy()
            got["cycle"] -= base
            dtype = DTYPES[name]
            if name == "push":
                entries = [(*entry[:3], entry[3:]) for entry in entries]
            layouts = push_layouts if name == "push" else None
            self._compare(boundary, boundary, got, _rows(entries, dtype, base, end), base, layouts)
        for channel, write in ((Channel.B, True), (Channel.R, False)):
            table = self._between(port[channel], base, end, "since")
            got = np.zeros(len(table), ANSWER_DTYPE)
            got["cycle"], got["code"] = table["since"] - base, table["code"]
            got["data"] = 0 if write else table["data"]
            mine = [(one.valid, one.code, one.value) for one in order if one.write == write and one.code >= 0]
            self._compare("answer", f"answer on {channel.name}", got, _rows(mine, ANSWER_DTYPE, base, end), base)
        levels = event_levels(self.seen["regs_event_trace"], EV_IRQ)
        irq = _rows([(cycle, level) for cycle, level in levels if base <= cycle < end], IRQ_DTYPE, base, end)
        self._compare("irq", "change", irq, _rows(caused.irq, IRQ_DTYPE, base, end), base)
        self.epochs.append(Epoch(base, end, order, writes, reads, registers))

    def _compare(self, boundary: str, what: str, got: Any, want: Any, base: int, layouts: Any = None) -> None:
        kinds = ("cycle", "value")
        compare_tables(self.verdict, boundary, what, got, want, kinds=kinds, base=base, layouts=layouts)

    def figures(self) -> dict[str, Any]:
        """What `make sim` prints."""
        order = [one for epoch in self.epochs for one in epoch.order]
        waits = [one.valid - one.complete for one in order if one.valid >= 0]
        return {
            "cycles": self.cycles,
            "writes": sum(one.write for one in order),
            "reads": sum(not one.write for one in order),
            "refused": sum(one.code > 0 for one in order),
            "mean_latency": round(float(np.mean(waits)), 2) if waits else 0,
            "pushes": sum(len(epoch.registers.caused.pushes) for epoch in self.epochs),
            "resets": len(self.epochs) - 1,
        }
