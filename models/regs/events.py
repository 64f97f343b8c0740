"""What the bench plays on the inputs of the register file (tb_regs.sv), and what its stubs answer.

An event record sets pulses for the cycle in which it is played and, with `levels`, levels from the next cycle on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

EVENT_BYTES = 21
ENGINES = ("load", "compute", "store")
STAT_WORDS, OPT_STAT_WORDS = 6, 8
LAPS_OK, LAPS_ADDRESS, LAPS_VALUE = 0, 1, 2


@dataclass(frozen=True)
class Failure:
    """What an engine says of a failed command."""

    code: int
    detail: int
    id: int


@dataclass(frozen=True)
class Answer:
    """LAPS' answer to an update."""

    code: int = 0
    fl: int = 0
    n: int = 0
    events: int = 0

    @property
    def word(self) -> int:
        """Fields of UPD_ANSWER without `pending`."""
        return self.fl | self.n << 8 | self.events << 11 | self.code << 16


@dataclass(frozen=True)
class Levels:
    """Inputs that stay: engines at work, queue lengths, done counters, full queues, the number that statistics and plan
    table of the bench are made of, and how many commands are still to come from the stream in."""

    busy: int = 0
    queued: tuple[int, int, int] = (0, 0, 0)
    done: tuple[int, int, int] = (0, 0, 0)
    full: int = 0
    pattern: int = 0
    run: int = 0

    def stat(self, index: int) -> int:
        """Word of the last GEMM's statistics."""
        return self.pattern ^ 0x0101_0101 * (index + 1)

    def opt_stat(self, index: int) -> int:
        """Word of the last OPT's record."""
        return ~self.pattern & 0xFFFF_FFFF ^ 0x1010_1010 * (index + 1) & 0xFFFF_FFFF

    def plan(self, index: int) -> int:
        """Word of the plan table."""
        return self.pattern ^ (index << 25 | index << 13 | index)


@dataclass(frozen=True)
class EventRecord:
    """One record: `gap` idle cycles before it (see ts_source), pulses by engine, LAPS' answer, new levels."""

    gap: int = 0
    done: int = 0
    failures: dict[int, Failure] = field(default_factory=dict)
    answer: Answer | None = None
    levels: Levels | None = None

    @property
    def payload(self) -> int:
        """As the bench takes it apart."""
        bits = self.done | sum(1 << engine for engine in self.failures) << 3
        bits |= (self.answer is not None) << 6 | (self.levels is not None) << 7
        for engine, failure in self.failures.items():
            bits |= failure.code << 8 + 4 * engine | failure.detail << 20 + 5 * engine | failure.id << 35 + 8 * engine
        if self.answer is not None:
            answer = self.answer
            bits |= answer.code << 59 | answer.fl << 61 | answer.n << 69 | answer.events << 72
        if self.levels is not None:
            levels = self.levels
            bits |= levels.busy << 77 | levels.full << 113 | levels.pattern << 116 | levels.run << 148
            for engine in range(len(ENGINES)):
                bits |= levels.queued[engine] << 80 + 3 * engine | levels.done[engine] << 89 + 8 * engine
        return bits


def laps_answer(write: bool, address: int, data: int) -> tuple[int, int]:
    """(code, data) of the bench's LAPS: no registers in the last quarter, values with both top bits refused."""
    if address >> 10 == 3:
        return LAPS_ADDRESS, 0
    if write:
        return (LAPS_VALUE if data >> 30 == 3 else LAPS_OK), 0
    return LAPS_OK, address << 20 | 0xC3 << 12 | address


def counter(core: int, address: int) -> int:
    """Counter `address` of pair `core` in the bench."""
    return (0xA0 + core) << 24 | address ^ 0x155
