"""What the pages promise of the processor, whatever its host does: judged from the log of its ports alone.

The log says what was taken and answered, in order. From the writes that were answered OKAY follows which commands every
engine was given; from the words that were taken, what every load got. So the codes with which commands may end are
known, except where LAPS decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.common.commands import CMD_WORDS, Engine
from models.common.formats import YBits
from models.ioss.config import tile_beats, vec_beats
from models.optc.config import RspCode as OptcCode
from models.top.config import (
    BIAS_WORDS,
    LOADABLE,
    MASKS_A_WORD,
    MAX_M,
    PER_CORE,
    PSUM_WORDS,
    RAN_CODE,
    STATE_A_WORD,
    STORABLE,
    WORD_BYTES,
    Buffer,
    Code,
    Command,
    ErrorRecord,
    Gemm,
    Load,
    Opt,
    Plan,
    Reg,
    Store,
    TopParams,
    Update,
    command_of,
    reached,
    result_bytes,
)
from tb.top.abuse.program import engine_of

AW, W, AR, S, B, R, M, RESET, LAW, END = range(10)
LAST_FLAG = 1 << 31
OKAY, EXOKAY = 0, 1
DONE_COUNTS = 256
LAPS_CODES = range(1, 4)  # of a refusal
NAMES = {B: "a write answer", R: "a read answer", M: "a word out"}
FINISHING = (Reg.DONE, Reg.ERROR, Reg.STATUS)  # what is read when all is over


class Finding(Exception):
    """A promise that was not kept: which one, what of it, what was seen, what should have been."""

    def __init__(self, boundary: str, cycle: int, what: str, observed: object, expected: object) -> None:
        super().__init__(f"{boundary}: {what}: observed {observed}, expected {expected}")
        self.boundary, self.cycle, self.what = boundary, int(cycle), what
        self.observed, self.expected = str(observed), str(expected)


@dataclass(frozen=True)
class Outcome:
    """How a command may end: pairs of code and detail; `cycles`: it takes no more, given words and room for words."""

    ends: frozenset[tuple[int, int]]
    cycles: int

    @property
    def surely_fails(self) -> bool:
        """Whether it cannot succeed."""
        return (Code.OK, 0) not in self.ends

    @property
    def may_fail(self) -> bool:
        """Whether it need not succeed."""
        return self.ends != {(Code.OK, 0)}


def outcome(
    command: Command, params: TopParams, packet: int | None = None, kept: Opt | None = None
) -> Outcome:  # fmt: skip
    """How a command may end. `packet`: words that a load got; `kept`: the pass that a product would feed."""
    match command:
        case Load():
            return _simple(_load_code(command, params, packet), 4)
        case Store():
            if command.target not in STORABLE or command.count == 0:
                return _simple(Code.OPERATION if command.target not in STORABLE else Code.SIZE, 4)
            beyond = command.first + command.count > params.words_of(command.target)
            return _simple(Code.RANGE if beyond else Code.OK, command.count + 8)
    if command.target:
        return _simple(Code.OPERATION, 4)
    match command:
        case Opt():
            return _pass(command, params)
        case Plan():
            ends = {(Code.OK, 0), *((Code.PLAN, code) for code in LAPS_CODES)}
            return Outcome(frozenset(ends), 100)
        case Update():
            return Outcome(frozenset({(Code.OK, 0), *((Code.UPDATE, code) for code in LAPS_CODES)}), 100)
        case Gemm():
            return _product(command, params, kept)
    return _simple(Code.OPERATION, 4)


def _simple(code: Code, cycles: int, detail: int = 0) -> Outcome:
    return Outcome(frozenset({(int(code), detail)}), cycles)


def _load_code(command: Load, params: TopParams, packet: int | None) -> Code:
    if command.target not in LOADABLE:
        return Code.OPERATION
    buffer = Buffer(command.target)
    if command.count == 0 or (buffer in PER_CORE and not command.cores & (1 << params.cores) - 1):
        return Code.SIZE
    if packet != command.count:
        return Code.FRAMING
    return Code.RANGE if command.first + command.count > params.words_of(buffer) else Code.OK


def _pass(command: Opt, params: TopParams) -> Outcome:
    if command.fed:
        return _simple(Code.OK, 4)
    refused = command.config.check()
    if refused != OptcCode.OK:
        return _simple(Code.OPTC, 100, int(refused))
    words = -(-command.config.n // STATE_A_WORD)
    beyond = _pass_beyond(command, params) or command.gradients + words > params.y_words
    return _simple(Code.RANGE if beyond else Code.OK, words + 200)


def _pass_beyond(command: Opt, params: TopParams) -> bool:
    """Whether state or copies reach past the end of a buffer."""
    words = -(-command.config.n // STATE_A_WORD)
    return command.state + words > params.s_words or command.copies + command.copy_words > params.y_words


def _product(command: Gemm, params: TopParams, kept: Opt | None) -> Outcome:
    if 0 in (command.m, command.n, command.k) or command.m > MAX_M:
        return _simple(Code.SIZE, 4)
    if command.planned:  # LAPS has chosen: any precision, the most cycles
        codes = range(1, 2 * RAN_CODE)
        ends = {(Code.OK, 0), (Code.RANGE, 0), (Code.PLAN, 0), *((Code.GEMM, code) for code in codes)}
        if command.x_windows or command.w_windows:
            ends.add((Code.WINDOW, 0))
        if refused := _feed_refused(command, params, kept):
            ends = ends - {(Code.OK, 0), (Code.RANGE, 0)} | {refused}
        cycles = _cycles(command, params, 4, 4)
    else:
        chunks = command.chunks(params)
        refused = 0
        for index in {0: None, len(chunks) - 1: None}:  # those between are as the first
            core, ran = command.descriptors(params, index)
            code = int(ran.check(params.ran))
            refused = refused or int(core.check(params.core)) or (code and RAN_CODE + code)
        if refused:
            return _simple(Code.GEMM, 4, refused)
        if command.bad_windows(params):
            return _simple(Code.WINDOW, 4)
        if feed := _feed_refused(command, params, kept):
            return _simple(feed[0], 100, feed[1])
        beyond = _beyond(command, params) or bool(command.feeds and kept and _pass_beyond(kept, params))
        ends = {(Code.RANGE, 0)} if beyond else {(Code.OK, 0)}
        cycles = _cycles(command, params, command.n_x, command.n_w)
    if command.update and (Code.OK, 0) in ends:
        ends |= {(Code.UPDATE, code) for code in LAPS_CODES}
    return Outcome(frozenset((int(code), detail) for code, detail in ends), cycles)


def _feed_refused(command: Gemm, params: TopParams, kept: Opt | None) -> tuple[Code, int] | None:
    """Code and detail with which a product is refused that cannot feed the kept pass."""
    if command.bad_feed(params, kept):
        return Code.FEED, 0
    refused = kept.config.check() if command.feeds and kept else OptcCode.OK
    return (Code.OPTC, int(refused)) if refused != OptcCode.OK else None


def _beyond(command: Gemm, params: TopParams) -> bool:
    """Whether a word past the end of a buffer is used."""
    chunks = command.chunks(params)
    first, last = (command.descriptors(params, at)[0] for at in (0, len(chunks) - 1))
    before = len(chunks) - 1
    windows, ends = command.windows, []
    if command.x_windows:
        low, high = windows.words(command.n_x, 0, command.m - 1, command.image_words)
        ends += [(Buffer.X, command.x_first + high)] if high > low else []
    else:
        ends.append((Buffer.X, command.x_first + command.m * (before * vec_beats(first) + vec_beats(last))))
    for core in range(params.cores):
        tiles = len(range(core, command.tiles, params.cores))
        if not tiles:
            continue
        words = tiles * (before * tile_beats(first, params.core) + tile_beats(last, params.core))
        if command.w_windows:
            low, high = windows.words(command.n_w, 0, command.k - 1, command.image_words)
            words = high if high > low else 0
        if words:
            ends.append((Buffer.W, command.w_first + words))
        masks, jobs = -(-tiles * command.m // MASKS_A_WORD), tiles * command.m
        if command.biases:
            ends.append((Buffer.W, command.bias_first + BIAS_WORDS * tiles))
        if command.masks:
            ends.append((Buffer.M, command.mask_first + masks))
        if command.write_masks:
            ends.append((Buffer.A, command.a_first + core * command.a_step + masks))
        results = -(-jobs * command.result_size // WORD_BYTES)
        if not command.feeds:
            ends.append((Buffer.Y, command.y_first + core * command.y_step + results))
        if before:
            ends.append((Buffer.Y, command.psum_first + core * command.psum_step + jobs * PSUM_WORDS))
    return any(end > params.words_of(buffer) for buffer, end in ends)


def _cycles(command: Gemm, params: TopParams, n_x: int, n_w: int) -> int:
    """Cycles that a product surely does not exceed: nothing overlaps, no slice is zero."""
    jobs = command.m * command.tiles  # of one that feeds, four beats each and the OPTC's latency: within what follows
    # Words of images are asked for one by one, up to the farthest; every value may be a piece.
    windows = int(command.x_windows) + int(command.w_windows)
    walked = windows * command.tiles * ((1 << 18) * len(command.chunks(params)) + command.k * (command.m + 16))
    chunks = len(command.chunks(params))
    issues = command.k * n_x * n_w
    beats = command.k * 16 // 8 + 4 * chunks
    out = (result_bytes(YBits.RAW64) // WORD_BYTES + 2) * params.cores
    return jobs * (issues + command.k + chunks * (2 * out + 40)) + command.tiles * (beats + 40 * chunks) + walked + 500


@dataclass
class Pushed:
    """A command that an engine was given; `kept`: the pass that was kept then."""

    command: Command
    id: int
    kept: Opt | None = None


@dataclass
class Seen:
    """What the log has shown since the last reset."""

    aw: list[int] = field(default_factory=list)
    w: list[int] = field(default_factory=list)
    ar: list[int] = field(default_factory=list)
    b: list[int] = field(default_factory=list)
    r: list[tuple[int, int]] = field(default_factory=list)  # response, data
    packets: list[int] = field(default_factory=list)  # words of every one that was taken whole
    open_words: int = 0
    out: list[list[int]] = field(default_factory=list)  # words of every packet out
    open_out: list[int] = field(default_factory=list)
    cmd: list[int] = field(default_factory=lambda: [0] * CMD_WORDS)
    pushed: dict[Engine, list[Pushed]] = field(default_factory=lambda: {engine: [] for engine in Engine})
    cleared: bool = False  # ERROR, by the host
    kept: Opt | None = None  # the pass that compute keeps once it has come so far
    reads: int = 0  # answers that were handed on


class Watcher:
    """Follows the log of the ports; raises `Finding` where a promise is broken."""

    def __init__(self, params: TopParams) -> None:
        self.params = params
        self.seen = Seen()
        self.cycles = self.answers = 0
        self.busy = self.late = False  # at the end of the last script

    def follow(self, log: npt.NDArray[np.uint32]) -> None:
        """Takes a script's log (records, 6)."""
        for cycle, kind, *data in log.tolist():
            self._take(cycle, kind & ~LAST_FLAG, kind, data)
        if not len(log) or log[-1, 1] != END:
            raise Finding("bench", 0, "the script's log", "no end", "an end")
        self.cycles += int(log[-1, 0])
        self.busy, self.late = bool(log[-1, 2] & 1), bool(log[-1, 2] & 2)

    def _take(self, cycle: int, kind: int, flags: int, data: Sequence[int]) -> None:
        seen = self.seen
        if kind == AW:
            seen.aw.append(data[0])
        elif kind == W:
            seen.w.append(data[0])
        elif kind == AR:
            seen.ar.append(data[0])
        elif kind == S:
            seen.open_words += 1
            if data[0]:
                seen.packets.append(seen.open_words)
                seen.open_words = 0
        elif kind == B:
            self._written(cycle, data[0])
        elif kind == R:
            self._read(cycle, data[0] & 3, data[0] >> 2 | (data[1] & 3) << 30)
        elif kind == M:
            seen.open_out.append(data[0] | data[1] << 32 | data[2] << 64 | data[3] << 96)
            if flags & LAST_FLAG:
                seen.out.append(seen.open_out)
                seen.open_out = []
        elif kind == RESET and not data[0]:
            self.seen = Seen()
        elif kind == LAW:
            raise Finding("law", cycle, NAMES[data[0]], "changed, withdrawn or unknown", "held until it is taken")

    def _written(self, cycle: int, response: int) -> None:
        seen, at = self.seen, len(self.seen.b)
        if response == EXOKAY:
            raise Finding("answer", cycle, f"write {at}", "EXOKAY", "OKAY, SLVERR or DECERR")
        if at >= min(len(seen.aw), len(seen.w)):
            raise Finding("answer", cycle, "answers to writes", at + 1, min(len(seen.aw), len(seen.w)))
        seen.b.append(response)
        self.answers += 1
        address, data = seen.aw[at], seen.w[at]
        if response != OKAY:
            return
        if Reg.CMD <= address < Reg.CMD + 4 * CMD_WORDS:
            seen.cmd[(address - Reg.CMD) // 4] = data
        elif address == Reg.PUSH:
            command = command_of(seen.cmd)
            seen.pushed[engine_of(seen.cmd)].append(Pushed(command, data & 0xFF, seen.kept))
            if isinstance(command, Opt) and command.fed and command.target == 0:
                seen.kept = command
        elif address == Reg.ERROR_CLEAR:
            seen.cleared = True

    def _read(self, cycle: int, response: int, data: int) -> None:
        seen = self.seen
        if response == EXOKAY:
            raise Finding("answer", cycle, f"read {len(seen.r)}", "EXOKAY", "OKAY, SLVERR or DECERR")
        if len(seen.r) >= len(seen.ar):
            raise Finding("answer", cycle, "answers to reads", len(seen.r) + 1, len(seen.ar))
        if response != OKAY and data:
            raise Finding("answer", cycle, f"data of a read of {seen.ar[len(seen.r)]:#x} that failed", f"{data:#x}", 0)
        seen.r.append((response, data))
        self.answers += 1

    # ---- between scripts ---------------------------------------------------------------------------------------------
    def half_access(self) -> tuple[int, int]:
        """(addresses, data) that a host owes to end the writes that it began."""
        more = len(self.seen.w) - len(self.seen.aw)
        return max(0, more), max(0, -more)

    def slowest(self) -> int:
        """Cycles within which all commands end, unless they wait for what never comes."""
        return sum(outcome(each.command, self.params, kept=each.kept).cycles for each in self.all_pushed())

    def all_pushed(self) -> Iterable[Pushed]:
        """Every command that was given."""
        return (each for some in self.seen.pushed.values() for each in some)

    def answered(self) -> None:
        """Every access that was taken whole has its answer."""
        seen = self.seen
        for what, given, want in (
            ("writes", len(seen.b), min(len(seen.aw), len(seen.w))),
            ("reads", len(seen.r), len(seen.ar)),
        ):
            if given != want:
                raise Finding("answer", self.cycles, f"answers to {what}", given, want)

    def new_reads(self) -> list[int]:
        """Data of the reads since the last time. Raises `Finding` for one that failed."""
        seen = self.seen
        new = seen.r[seen.reads :]
        for at, (response, _) in enumerate(new, seen.reads):
            if response != OKAY:
                raise Finding("answer", self.cycles, f"a read of {seen.ar[at]:#x}", f"response {response}", "OKAY")
        seen.reads = len(seen.r)
        return [data for _, data in new]

    # ---- when all is over --------------------------------------------------------------------------------------------
    def ended(self, done: int, error: int, status: int) -> bool:
        """Every command that was given has ended, with a code of its own: whether that is so, or commands wait for
        what never comes."""
        counts = [done >> 8 * engine & 0xFF for engine in Engine]
        waiting = False
        for engine, given in self.seen.pushed.items():
            queued = status >> 4 * engine + 4 & 7
            if counts[engine] != (len(given) - queued) % DONE_COUNTS:
                raise Finding(
                    "end", self.cycles, f"commands of {engine.name} that are done, {queued} wait", counts[engine],
                    len(given) - queued,
                )  # fmt: skip
            if queued:
                waiting = True
                head = given[len(given) - queued].command
                if all(reached(count, wait) for count, wait in zip(counts, head.waits, strict=True)):
                    raise Finding("end", self.cycles, f"{type(head).__name__} of {engine.name}", "no end", "an end")
        if (self.busy or status & 7) and not waiting:
            raise Finding("end", self.cycles, "STATUS.busy, with empty queues", status & 7, 0)
        self._errors(error, counts)
        self._stores(counts)
        return not waiting

    def _errors(self, error: int, counts: Sequence[int]) -> None:
        """ERROR names a command that was given, with a code that it may end with, and counts."""
        over = {engine: self.seen.pushed[engine][: counts[engine]] for engine in Engine}
        loads = iter(self.seen.packets)
        ends: dict[tuple[int, int], list[Outcome]] = {}
        surely = perhaps = 0
        for engine, given in over.items():
            for each in given:
                packet = None
                if isinstance(each.command, Load) and _load_code(each.command, self.params, None) == Code.FRAMING:
                    packet = next(loads, None)
                one = outcome(each.command, self.params, packet, each.kept)
                ends.setdefault((int(engine), each.id), []).append(one)
                surely += one.surely_fails
                perhaps += one.may_fail
        left = sum(1 for _ in loads)
        if left:
            raise Finding("words", self.cycles, "packets that no load took", left, 0)
        if not error:
            if surely and not self.seen.cleared:
                raise Finding("error", self.cycles, "ERROR.count", 0, f"{surely} to {perhaps}")
            return
        code, engine, detail, identifier, count = (
            error & 0xF, error >> 4 & 3, error >> 8 & 0x1F, error >> 16 & 0xFF, error >> 24,
        )  # fmt: skip
        may = {end for one in ends.get((engine, identifier), []) for end in one.ends} - {(0, 0)}
        if (code, detail) not in may:
            names = {int(each): each.name for each in Code}
            raise Finding(
                "error", self.cycles, f"code and detail of command {identifier} of engine {engine}",
                f"{names.get(code, code)} {detail}",
                " or ".join(f"{names[a]} {b}" for a, b in sorted(may)[:6]) or "no error",
            )  # fmt: skip
        if not (1 if self.seen.cleared else max(1, surely)) <= count <= perhaps:
            raise Finding("error", self.cycles, "ERROR.count", count, f"{surely} to {perhaps}")

    def _stores(self, counts: Sequence[int]) -> None:
        """Every store that was carried out gave its words, and nothing else left."""
        given = self.seen.pushed[Engine.STORE][: counts[Engine.STORE]]
        want = [
            each.command.count
            for each in given
            if isinstance(each.command, Store) and outcome(each.command, self.params).cycles > 4
        ]
        got = [len(packet) for packet in self.seen.out]
        if got != want or self.seen.open_out:
            raise Finding("words", self.cycles, "words of every packet out", [*got, len(self.seen.open_out)], want)

    def commands(self) -> int:
        """Commands that were given since the last reset."""
        return sum(map(len, self.seen.pushed.values()))


def record_text(error: int) -> str:
    """ERROR, read by a person."""
    if not error:
        return "no error"
    record = ErrorRecord(Code(error & 0xF), Engine(error >> 4 & 3), error >> 8 & 0x1F, error >> 16 & 0xFF)
    return f"{record.code.name} of {record.engine.name}, detail {record.detail}, command {record.id}"
