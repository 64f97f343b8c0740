"""Random stimulus of the registers."""

from __future__ import annotations

import numpy as np

from models.common.axil import STROBE_ALL
from models.regs.events import ENGINES, Answer, EventRecord, Failure, Levels
from models.regs.map import ADDRESS_BITS, RegisterMap
from tb.lib.axil import AxilItem

Rng = np.random.Generator
_DELAYS = {"none": 1, "rare": 4, "frequent": 12}


def word(number: int) -> int:
    """A word that tells `number` and has ones and zeros everywhere."""
    return (number + 1) * 0x9E37_79B1 & 0xFFFF_FFFF


def random_levels(rng: Rng, full: int) -> Levels:
    """Levels with these full queues; commands are seldom still to come."""
    queued, done = rng.integers(0, 5, 3).tolist(), rng.integers(0, 256, 3).tolist()
    busy, pattern = int(rng.integers(8)), int(rng.integers(1 << 32))
    run = int(rng.choice([1, int(rng.integers(1 << 16)), 0xFFFF])) if rng.random() < 0.2 else 0
    return Levels(busy, tuple(queued), tuple(done), full, pattern, run)


def random_answer(rng: Rng) -> Answer:
    """LAPS' answer to an update."""
    return Answer(*rng.integers((4, 256, 8, 32)).tolist())


def random_event(rng: Rng, gap: int) -> EventRecord:
    """An event with anything in it, failures rarely."""
    failing = [engine for engine in range(len(ENGINES)) if rng.random() < 0.1]
    return EventRecord(
        gap,
        int(rng.integers(8)) & int(rng.integers(8)),
        {engine: Failure(*rng.integers((16, 32, 256)).tolist()) for engine in failing},
        random_answer(rng) if rng.random() < 0.3 else None,
        random_levels(rng, int(rng.integers(8)) & int(rng.integers(8))) if rng.random() < 0.2 else None,
    )


def random_item(rng: Rng, regs: RegisterMap, slow: str, *, pipelined: bool) -> AxilItem:
    """An access: mostly of a register, of a window, seldom of any address; `slow`: delays none, rare or frequent."""
    kind = rng.random()
    if kind < 0.65:
        register = regs.registers[int(rng.integers(len(regs.registers)))]
        addr = register.addresses[int(rng.integers(register.count))]
        mask = register.mask if rng.random() < 0.7 else 0xFFFF_FFFF
    elif kind < 0.9:
        window = regs.windows[int(rng.integers(len(regs.windows)))]
        addr, mask = int(rng.integers(window.offset, window.end)) & ~3, 0xFFFF_FFFF
    else:
        addr, mask = int(rng.integers(1 << ADDRESS_BITS)), 0xFFFF_FFFF
    delays = rng.integers(0, _DELAYS[slow], 3).tolist()
    return AxilItem(
        bool(rng.integers(2)),
        addr,
        int(rng.integers(1 << 32)) & mask,
        STROBE_ALL if rng.random() < 0.9 else int(rng.integers(STROBE_ALL + 1)),
        addr_delay=delays[0],
        data_delay=delays[1],
        hold=delays[2],
        pipelined=pipelined,
    )
