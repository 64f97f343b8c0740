"""What a test plays into LAPS: accesses, updates, queries and step pulses, as model and transactors take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.laps.config import CLASS_STRIDE, CLASSES, SCHEDULE_WHEN, SLOT_STRIDE, Entry, Slot, TensorStats, Word
from models.laps.cycle import Query, RegAccess, Update
from tb.lib.agents import BurstItem
from tb.lib.streams import source_records

Ref = tuple[int, int]  # layer, class
REG_BYTES, UPD_BYTES, ORD_BYTES = 6, 20, 6


def access_word(access: RegAccess) -> int:
    """The payload of `reg`, as tb_laps.sv splits it."""
    write, addr, data = access
    return int(write) << 44 | addr << 32 | data


def update_word(update: Update) -> int:
    """The payload of `upd`."""
    layer, cls, s = update
    return layer | cls << 8 | s.values << 10 | s.overflow << 42 | s.zeros << 74 | s.max_bit << 106 | s.sum_abs << 112


def query_word(query: Query) -> int:
    """The payload of `ord`."""
    *refs, k = query
    return sum((layer << 2 | cls) << (10 * at) for at, (layer, cls) in enumerate(refs)) | k << 30


@dataclass
class Program:
    """Streams of requests; each entry with its gap, idle cycles before the offer."""

    regs: list[tuple[RegAccess, int]] = field(default_factory=list)
    upds: list[tuple[Update, int]] = field(default_factory=list)
    ords: list[tuple[Query, int]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def write(self, addr: int, data: int, gap: int = 0) -> None:
        """A write."""
        self.regs.append((RegAccess(True, addr, data), gap))

    def read(self, addr: int, gap: int = 0) -> None:
        """A read."""
        self.regs.append((RegAccess(False, addr), gap))

    def configure(self, cls: int, *words: Word) -> None:
        """Writes registers of a class."""
        for word in words:
            self.write(word.address + CLASS_STRIDE * cls, word.word)

    def entry(self, layer: int, cls: int, entry: Entry) -> None:
        """Writes both words of an entry."""
        for word, data in enumerate(entry.words):
            self.write(2 * (CLASSES * layer + cls) + word, data)

    def schedule(self, slot: int, what: Slot) -> None:
        """Writes both words of a slot, its bounds first."""
        when, bounds = what.words
        self.write(SCHEDULE_WHEN + SLOT_STRIDE * slot + 1, bounds)
        self.write(SCHEDULE_WHEN + SLOT_STRIDE * slot, when)

    def update(self, layer: int, cls: int, stats: TensorStats, gap: int = 0) -> None:
        """A tensor's statistics."""
        self.upds.append((Update(layer, cls, stats), gap))

    def query(self, x: Ref, w: Ref, y: Ref, k: int, gap: int = 0) -> None:
        """A query."""
        self.ords.append((Query(x, w, y, k), gap))

    def step(self, gap: int = 0) -> None:
        """A training step is done."""
        self.steps.append(gap)

    def bound(self) -> int:
        """Cycles that it takes at most."""
        gaps = sum(gap for stream in (self.regs, self.upds, self.ords) for _, gap in stream) + sum(self.steps)
        return gaps + 5 * (len(self.regs) + len(self.upds) + len(self.ords)) + 2 * len(self.steps) + 100

    def bursts(self) -> Mapping[str, list[BurstItem]]:
        """For the agents, by stream."""
        streams = {
            "reg": ([access_word(each) for each, _ in self.regs], [gap for _, gap in self.regs], REG_BYTES),
            "upd": ([update_word(each) for each, _ in self.upds], [gap for _, gap in self.upds], UPD_BYTES),
            "ord": ([query_word(each) for each, _ in self.ords], [gap for _, gap in self.ords], ORD_BYTES),
            "step": ([0] * len(self.steps), self.steps, 1),
        }
        out: dict[str, list[BurstItem]] = {}
        for name, (words, gaps, size) in streams.items():
            if words:
                payload = np.frombuffer(b"".join(word.to_bytes(size, "big") for word in words), np.uint8)
                out[name] = [BurstItem(name, source_records(np.array(gaps), payload.reshape(-1, size)), len(words))]
        return out
