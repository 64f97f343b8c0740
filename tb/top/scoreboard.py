"""Scoreboard of the processor: every part by its own scoreboard, as a passive checker at the ports inside, and the
whole against the value model.

The parts' models are asked with what was offered to each part inside, so the first boundary that diverges is named with
its part (`core0.issue`, `laps.update`, `optc.moment`). Around them: `register` (answers and data of the host's
accesses), `command` (how each command ended), `sequence` (when), `store` (words that left).
"""

from __future__ import annotations

import copy
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from host.energy import Counts, Meter
from models.common.axil import Resp
from models.common.generator import NUMBERS
from models.common.rounding import Round
from models.ioss.oracle import PairCount
from models.laps.config import LapsParams
from models.optc.config import BOTH_MODES
from models.regs.map import load_map
from models.top.config import (
    Action,
    Code,
    Command,
    Engine,
    Gemm,
    Issue,
    Opt,
    Reg,
    TopParams,
)
from models.top.value import Processor
from tb.laps.scoreboard import LapsScoreboard
from tb.lib.scoreboard import (
    EV_RESET,
    Scoreboard,
    Verdict,
    compare_tables,
    event_levels,
    named,
    reset_spans,
    seen_when,
    word_fields,
)
from tb.lib.streams import SourceLog
from tb.optc.scoreboard import OptcScoreboard
from tb.ran.trace import EV_RSP
from tb.top.pair import PairScoreboard
from tb.top.program import READ, WRITE, Program
from tb.top.timing import Checker, PairLog, PartLog, Run, Sources
from tb.top.trace import EV_IRQ, M_DTYPE, PAIR_TAPS, laps_program, optc_program, within

DRAW_DTYPE = np.dtype([("cycle", "<i8"), ("number", "<u4")])
IRQ_DTYPE = np.dtype([("cycle", "<i8"), ("level", "?")])
END_DTYPE = np.dtype([("cycle", "<i8"), ("code", "u1"), ("detail", "u1"), ("id", "u1")])
END_UNPACK = {"code": named(Code)}


class TopScoreboard(Scoreboard):
    """Is told `batches` (actions since each reset), `programs` (what was played since each reset), `counters` and
    `marks`. `processor` is the model after the last part of the run.

    What a reset interrupts is judged as far as it came: the model carries out everything that was played, and what was
    seen must be the begin of that; `sequence` says how far it must have come."""

    params: TopParams
    batches: list[list[Action]]
    programs: list[list[Program]]
    processor: Processor
    run: Run  # after the last reset, as `coverage.py` samples it, with commands as issued and details, by engine
    issued: list[list[Command]]
    details: list[list[int]]
    counters: list[Any] | None = None  # of each pair: those of the IOSS core, of the RAN
    meter: Meter
    marks: Sequence[int] = ()  # numbers of commands of the last batch after which `marked` keeps what was counted
    marked: list[Counts]

    def build_phase(self) -> None:
        super().build_phase()
        self.laps = LapsScoreboard.create("laps", self)
        self.optc = OptcScoreboard.create("optc", self)
        self.pairs: list[PairScoreboard] = []

    def judge(self) -> Verdict:
        """Parts first, then the whole, from each reset on."""
        self.spans = list(reset_spans(event_levels(self.seen["top_top_event"], EV_RESET), self.cycles))
        for core in range(self.params.cores):
            self._pair(core)
        self._laps()
        self._optc()
        # Resets before the first action leave nothing to judge.
        for batch, span in zip(range(-len(self.batches), 0), self.spans[-len(self.batches) :], strict=True):
            self._whole(batch, *span)
        if not self.drained:
            self.not_drained(self.cycles)
        return self.verdict

    def _part(self, name: str, board: Scoreboard) -> None:
        """Lets a part's scoreboard judge into this verdict; its boundaries get the part's name."""
        verdict, before = self.verdict, len(self.verdict.divergences)
        board.verdict = verdict
        board.judge()
        for at in range(before, len(verdict.divergences)):
            each = verdict.divergences[at]
            verdict.divergences[at] = replace(each, boundary=f"{name}.{each.boundary}")

    # ---- parts -------------------------------------------------------------------------------------------------------
    def _pair(self, core: int) -> None:
        if len(self.pairs) == core:
            self.pairs.append(PairScoreboard.create(f"core{core}", self))
            self.pairs[core].build_phase()
        board = self.pairs[core]
        board.top, board.pair, board.heard, board.spans = self.params, core, self.seen, self.spans
        board.counters = self.counters[core] if self.counters else None
        self._part(f"core{core}", board)

    def _laps(self) -> None:
        board = self.laps
        board.params = LapsParams(self.params.layers)
        board.programs, board.cycles, board.drained = [laps_program(self.seen)], self.cycles, True
        board.seen = {name[5:]: value for name, value in self.seen.items() if name.startswith("laps_")}
        board.seen |= {name: self.seen[f"laps_{name}"].log for name in ("reg", "upd", "ord", "step")}
        self._part("laps", board)

    def _optc(self) -> None:
        board = self.optc
        always = np.ones((self.cycles, 1), bool)
        board.params, board.modes = 4, BOTH_MODES
        board.programs, board.cycles, board.drained = [optc_program(self.seen)], self.cycles, True
        board.seen = {name[5:]: value for name, value in self.seen.items() if name.startswith("optc_")}
        board.seen |= {name: self.seen[f"optc_{name}"].log for name in ("cfg", "in")}
        board.seen |= {"out": always, "stat": always}
        self._part("optc", board)

    # ---- the whole ---------------------------------------------------------------------------------------------------
    def _ends(self, base: int, end: int) -> list[npt.NDArray[np.void]]:
        """How commands ended, by engine."""
        trace = _span(self.seen["top_cmd"], base, end)
        out = []
        for engine in Engine:
            mine = trace[trace["head"] >> 24 == engine]
            table = np.zeros(len(mine), END_DTYPE)
            table["cycle"], table["code"] = mine["cycle"] - base, mine["head"] >> 16 & 0xF
            table["detail"], table["id"] = mine["head"] >> 8 & 0x1F, mine["head"] & 0xFF
            out.append(table)
        return out

    def _whole(self, batch: int, base: int, end: int) -> None:
        actions, ends, over = self.batches[batch], self._ends(base, end), batch == -1
        self.processor, self.meter = Processor(self.params), Meter(self.params)
        self.marked = [Counts() for mark in self.marks if mark == 0]
        commands = itertools.count(1)
        said: list[list[tuple[int, int, int]]] = [[], [], []]
        carried: list[list[Command]] = [[], [], []]  # as carried out
        self.issued = [[], [], []]
        ids: dict[int, list[int]] = {}
        drawn: dict[str, list[int]] = defaultdict(list)  # numbers of first draws, by part
        for each in actions:
            if isinstance(each, Issue):
                ids.setdefault(each.command.engine, []).append(each.id)
                self.issued[each.command.engine].append(each.command)

        def note(command: Any, result: Any) -> None:
            result.activity.pairs = PairCount(0, 0, 0, 0, 0, 0)  # counted by the device
            self.meter.seen(command, result)
            number = next(commands)
            self.marked += [copy.deepcopy(self.meter.counts) for mark in self.marks if mark == number]
            error = result.error
            engine = command.engine
            number = ids[engine][len(said[engine])]
            said[engine].append((int(error.code), error.detail, number) if error else (0, 0, number))
            planned = self.processor.planned(command) if isinstance(command, Gemm) and command.planned else None
            carried[engine].append(planned or command)
            self._note_draws(planned or command, error, drawn)

        answer = self.processor.run(actions, seen=note)
        for engine in Engine:
            want = np.zeros(len(said[engine]), END_DTYPE)
            for at, (code, detail, number) in enumerate(said[engine]):
                want[at] = (0, code, detail, number)
            want = want if over else want[: len(ends[engine])]
            seen_when(want["cycle"], ends[engine]["cycle"], end - base)
            tables = (f"{engine.name.lower()} command", ends[engine], want)
            compare_tables(self.verdict, "command", *tables, kinds=("value",), base=base, layouts=END_UNPACK)
        self.details = [[detail for _, detail, _ in codes] for codes in said]
        self._stored(answer.stored, base, end, over)
        self._registers(answer.read, base, end, batch)
        self._draws(drawn, base, end)
        self._interrupts(ends, base, end)
        self._sequence(batch, ends, carried, [[each[0] for each in codes] for codes in said], base, end)

    def _stored(self, stored: Sequence[npt.NDArray[np.uint8]], base: int, end: int, over: bool) -> None:
        trace = _span(self.seen["top_m"], base, end)
        words = [np.asarray(each, np.uint8).reshape(-1, 16) for each in stored]
        want = np.zeros(sum(map(len, words)), M_DTYPE)
        if words:
            want["data"] = np.concatenate(words)
            want["last"] = np.concatenate([np.arange(len(each)) == len(each) - 1 for each in words])
        want = want if over else want[: len(trace)]
        for name in ("cycle", "valid"):
            seen_when(want[name], trace[name], end)
        compare_tables(self.verdict, "store", "word", trace, want, kinds=("value",))

    def _registers(self, read: Sequence[int], base: int, end: int, batch: int) -> None:
        """Every access is answered OKAY here, but writes that are to be refused (the registers' own block has more);
        data of reads."""
        trace = _span(self.seen["top_axil"], base, end)
        accesses = [
            (*access[:2], Resp.SLVERR if at in program.refused else Resp.OKAY)
            for program in self.programs[batch]
            for at, access in enumerate(program.accesses)
        ]
        verdict = self.verdict
        verdict.count("value", len(accesses))
        answered, given = len(trace), len(accesses)
        trace, accesses = trace[:given], accesses[:answered]
        op, code = trace["op"] >> 16, trace["op"] & 0xFFFF
        want = np.array(accesses, np.int64).reshape(-1, 3)
        bad = np.flatnonzero((code != want[:, 2]) | (op != want[:, 0]) | (trace["address"] != want[:, 1]))
        for at in bad[:1]:
            what = f"{'write' if op[at] == WRITE else 'read'} of {int(trace['address'][at]):#x}"
            verdict.diverge(
                "register", int(trace["cycle"][at]), what, f"answer {code[at]}", f"answer {want[at, 2]}", len(bad)
            )
        known = (op == READ) & (trace["address"] < Reg.COUNTERS)  # counters are the pairs' affair
        got, where = trace["data"][known].astype(np.int64), trace["address"][known]
        read = read[: len(got)]
        bad = np.flatnonzero((got[: len(read)] != np.array(read, np.int64)) & (where[: len(read)] != Reg.CYCLES))
        verdict.count("value", len(got))
        for at in bad[:1]:
            cycle = int(trace["cycle"][known][at])
            mine, wanted, address = int(got[at]), int(read[at]), int(where[at])
            what, fields = f"read {at} of {address:#x}", ()
            if found := load_map().at(address):
                what += f" ({found[0].name})"
                fields = word_fields(mine, wanted, lambda word: {each.name: each.get(word) for each in found[0].fields})
            verdict.diverge("register", cycle, what, hex(mine), hex(wanted), len(bad), fields)
        if answered > given or (batch == -1 and answered < given):
            verdict.diverge("register", end, "accesses answered", answered, given)

    def _note_draws(self, command: Command, error: Any, drawn: dict[str, list[int]]) -> None:
        """Adds the numbers with which draws must begin in descriptors and passes of a command that was carried out."""
        seed = self.processor.seed_word
        code = Code.OK if error is None else error.code
        drawing = isinstance(command, Opt) and not command.fed and command.config.copy_round == Round.STOCHASTIC
        if drawing and code in (Code.OK, Code.OPTC, Code.RANGE):
            drawn["optc"].append((seed + command.config.draw) % NUMBERS)
        if isinstance(command, Gemm) and code in (Code.OK, Code.RANGE, Code.UPDATE):
            for _ in command.chunks(self.params):
                for core in range(self.params.cores):
                    tiles = command.tiles_of(core, self.params.cores)
                    drawn[f"core{core}"] += [command.first_draw(seed, tile) for tile in tiles]

    def _draws(self, drawn: dict[str, list[int]], base: int, end: int) -> None:
        """Where draws begin, of every descriptor of every core and of passes that draw: SEED, command and tile say."""
        for name in (*(f"core{core}" for core in range(self.params.cores)), "optc"):
            tap, word = self.seen[f"{name}_{'cfg' if name == 'optc' else 'desc'}"], 72
            mine = within(tap.log, base, end)
            if name == "optc":  # a pass that draws nothing may be fed, and has no number of its own then
                word = 256
                mine &= tap.data[:, 6] >> 15 & 3 == Round.STOCHASTIC
            got = np.zeros(int(mine.sum()), DRAW_DTYPE)
            got["cycle"], got["number"] = tap.log.offer[mine], _bits(tap.data[mine], word)
            want = np.zeros(len(drawn[name]), DRAW_DTYPE)
            want["number"] = drawn[name]
            want = want if end == self.cycles else want[: len(got)]
            seen_when(want["cycle"], got["cycle"], end)
            compare_tables(self.verdict, "draw", f"first draws of {name}", got, want, kinds=("value",))

    def _interrupts(self, ends: Sequence[npt.NDArray[np.void]], base: int, end: int) -> None:
        """Every change of irq_o in its cycle, from the cycles of ends (compared before) and of the host's writes."""
        axil = _span(self.seen["top_axil"], base, end)
        set_at: dict[int, int] = defaultdict(int)
        for engine, table in zip(Engine, ends, strict=True):
            for cycle, code in zip(table["cycle"].tolist(), table["code"].tolist(), strict=True):
                set_at[cycle + base] |= 1 << engine | (code != 0) << 3
        written: dict[int, tuple[int, int]] = {}
        for each in axil[(axil["op"] == WRITE << 16) & np.isin(axil["address"], (Reg.IRQ_STATUS, Reg.IRQ_ENABLE))]:
            written[int(each["cycle"]) - 2] = int(each["address"]), int(each["data"])  # taken two before the answer
        status = enable = level = 0
        changes = []
        for cycle in sorted({*set_at, *written}):
            address, data = written.get(cycle, (None, 0))
            enable = data if address == Reg.IRQ_ENABLE else enable
            status = status & ~(data if address == Reg.IRQ_STATUS else 0) | set_at.get(cycle, 0)
            if (status & enable != 0) != level:
                level = int(not level)
                changes.append((cycle + 2, level))
        want = np.array([each for each in changes if each[0] < end], IRQ_DTYPE)
        levels = event_levels(_span(self.seen["top_top_event"], base, end), EV_IRQ)
        compare_tables(self.verdict, "interrupt", "change of irq_o", np.array(levels, IRQ_DTYPE), want)

    def _sequence(
        self, batch: int, done: list[npt.NDArray[np.void]], carried: list[list[Command]], codes: list[list[int]],
        base: int, end: int,
    ) -> None:  # fmt: skip
        """Every start, every word and every end in its cycle (timing.py)."""
        trace = _span(self.seen["top_start"], base, end)
        begun = [trace["cycle"][trace["head"] >> 24 == engine].astype(np.int64) for engine in Engine]
        axil = _span(self.seen["top_axil"], base, end)
        written = axil["op"] == WRITE << 16
        sources = self.sources(batch, base, end)
        m = _span(self.seen["top_m"], base, end)
        optc = {name: self.seen[f"optc_{name}_trace"] for name in ("optc_event", "stat", "out")}
        optc["optc_event"] = optc["optc_event"][optc["optc_event"]["data"] >> 24 == EV_RSP]
        self.run = Run(
            params=self.params,
            end=end,
            issues=[each for each in self.batches[batch] if isinstance(each, Issue)],
            sources=sources,
            commands=carried,
            codes=codes,
            begun=begun,
            done=[each["cycle"] + base for each in done],
            pairs=[self._pair_log(core, base, end) for core in range(self.params.cores)],
            laps=PartLog(
                {name: _log(self.seen[f"laps_{name}"].log, base, end) for name in ("ord", "upd")},
                {name: _cycles(self.seen[f"laps_{name}_trace"], base, end) for name in ("ord_rsp", "upd_rsp")},
            ),
            optc=PartLog(
                {name: _log(self.seen[f"optc_{name}"].log, base, end) for name in ("cfg", "in")},
                {
                    name: _cycles(optc[kind], base, end)
                    for name, kind in (("rsp", "optc_event"), ("stat", "stat"), ("out", "out"))
                },
            ),
            m=SourceLog(m["valid"].astype(np.int64), m["cycle"].astype(np.int64)),
            host_updates=(axil["cycle"][written & (axil["address"] == Reg.UPD_PUSH)].astype(np.int64) - 1).tolist(),
            m_ready=self.seen["m"][:, 0],
        )
        Checker(self.verdict, self.run).check()

    def sources(self, batch: int, base: int, end: int) -> Sources:
        """Where the commands of a batch came from, and the stream in by what its words are."""
        programs = self.programs[batch]
        axil, log = _span(self.seen["top_axil"], base, end), _log(self.seen["s"], base, end)
        axil = axil[axil["op"] == WRITE << 16]
        mine = np.array([each for program in programs for each in program.commands], bool)[: len(log.offer)]
        words = SourceLog(log.offer[mine], log.accept[mine])
        runs = axil[axil["address"] == Reg.RUN]
        counts = (runs["data"] & 0xFFFF).astype(np.int64)
        streamed = [each for program in programs for each in program.sources]
        given = iter(axil["cycle"][axil["address"] == Reg.PUSH].tolist())
        taken = iter((words.accept[3::4] + 1).tolist())
        cycles = (next(taken if each else given, 0) for each in streamed)
        in_force = np.repeat(runs["cycle"].astype(np.int64), counts).tolist()
        data = SourceLog(log.offer[~mine], log.accept[~mine])
        return Sources(list(itertools.takewhile(bool, cycles)), streamed, in_force, words, data)

    def between(self, name: str, base: int, end: int) -> npt.NDArray[np.void]:
        """Records of a trace in a span of cycles."""
        return _span(self.seen[name], base, end)

    def _pair_log(self, core: int, base: int, end: int) -> PairLog:
        taps = {name: self.seen[f"core{core}_{name}"] for name in PAIR_TAPS}
        beats = _span(self.seen[f"core{core}_out_trace"], base, end)
        tags = taps["req"].data[within(taps["req"].log, base, end), 0].astype(np.int64)
        return PairLog(
            {name: _log(tap.log, base, end) for name, tap in taps.items()},
            (beats["head"] & 7).astype(np.int64),
            (beats["head"] >> 8 & 1).astype(bool),
            tags,
            beats["tag"][:, 0].astype(np.int64),
            _cycles(self.seen[f"core{core}_stat_trace"], base, end),
        )


def _bits(words: npt.NDArray[np.uint32], at: int) -> npt.NDArray[np.uint32]:
    """32 bits from bit `at` on of payloads (N, words)."""
    low, by = divmod(at, 32)
    wide = words[:, low].astype(np.uint64)
    if by:
        wide |= words[:, low + 1].astype(np.uint64) << np.uint64(32)
    return (wide >> np.uint64(by)).astype(np.uint32)


def _span(trace: npt.NDArray[np.void], base: int, end: int) -> npt.NDArray[np.void]:
    """Records of a span of cycles."""
    return trace[(trace["cycle"] >= base) & (trace["cycle"] < end)]


def _cycles(trace: npt.NDArray[np.void], base: int, end: int) -> npt.NDArray[np.int64]:
    return _span(trace, base, end)["cycle"].astype(np.int64)


def _log(log: SourceLog, base: int, end: int) -> SourceLog:
    """What was offered in a span of cycles."""
    mine = within(log, base, end)
    return SourceLog(log.offer[mine], log.accept[mine])
