"""Scoreboard of the processor: every part by its own scoreboard, as a passive checker at the ports inside, and the
whole against the value model.

The parts' models are asked with what was offered to each part inside, so the first boundary that diverges is named with
its part (`core0.issue`, `laps.update`, `optc.moment`). Around them: `register` (answers and data of the host's
accesses), `command` (how each command ended), `sequence` (when), `store` (words that left).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.ioss.oracle import PairCount
from models.laps.config import LapsParams
from models.optc.config import BOTH_MODES
from models.top.config import Action, Code, Engine, Gemm, Issue, Load, Reg, TopParams
from models.top.energy import Meter
from models.top.value import Processor
from tb.common.scoreboard import Scoreboard, Verdict, compare_tables, event_levels, reset_spans
from tb.gemm.program import GemmParams
from tb.gemm.scoreboard import GemmScoreboard
from tb.laps.scoreboard import LapsScoreboard
from tb.optc.scoreboard import OptcScoreboard
from tb.top.program import READ, WRITE, Program
from tb.top.trace import EV_RESET, M_DTYPE, PAIR_TAPS, PairProgram, laps_program, optc_program, pair_seen

END_DTYPE = np.dtype([("cycle", "<i8"), ("code", "u1"), ("detail", "u1"), ("id", "u1")])


class TopScoreboard(Scoreboard):
    """Set `params`, `batches` (actions since each reset), `programs` (what was played since each reset), `cycles` and
    `drained`, then call `judge`. `processor` is the model behind the last part of the run."""

    params: TopParams
    batches: list[list[Action]]
    programs: list[list[Program]]
    cycles: int
    drained: bool
    processor: Processor
    counters: list[Any] | None = None  # of each pair: those of the IOSS core, of the RAN
    meter: Meter

    def build_phase(self) -> None:
        super().build_phase()
        self.laps = LapsScoreboard("laps", self)
        self.optc = OptcScoreboard("optc", self)
        self.pairs: list[GemmScoreboard] = []

    def judge(self) -> Verdict:
        """Parts first, then the whole, from the last reset on."""
        self.spans = list(reset_spans(event_levels(self.seen["top_top_event"], EV_RESET), self.cycles))
        for core in range(self.params.cores):
            self._pair(core)
        self._laps()
        self._optc()
        self._whole()
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
            self.pairs.append(GemmScoreboard(f"core{core}", self))
            self.pairs[core].build_phase()
        board = self.pairs[core]
        taps = {name: self.seen[f"core{core}_{name}"] for name in PAIR_TAPS}
        seed = self.seen["all_seed"]
        board.params = GemmParams(self.params.core, self.params.ran)
        board.programs = [[PairProgram.of(self.params, taps, seed, *span)] for span in self.spans]  # type: ignore[misc]
        board.products, board.cycles, board.drained = [], self.cycles, True
        board.counters = self.counters[core] if self.counters else None
        board.seen = pair_seen(self.seen, core, self.cycles)
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
        board.seen |= {"seed": self.seen["all_seed"].log, "out": always, "stat": always}
        self._part("optc", board)

    # ---- the whole ---------------------------------------------------------------------------------------------------
    def _orders(self, ends: list[npt.NDArray[np.void]], base: int) -> Iterator[list[list[int]] | None]:
        """Of each GEMM that was carried out, tags in order of completion on every core; None for one refused."""
        tags = [board.epochs[-1].traces.swap["tag"].tolist() for board in self.pairs]
        place = [0] * self.params.cores
        computed = [
            issue.command
            for issue in self.batches[-1]
            if isinstance(issue, Issue) and issue.command.engine == Engine.COMPUTE
        ]
        for command, end in zip(computed, ends[Engine.COMPUTE], strict=False):
            if not isinstance(command, Gemm):
                continue
            if end["code"] not in (Code.OK, Code.RANGE, Code.UPDATE):
                yield None
                continue
            chunks = len(command.chunks(self.params))
            out = []
            for core in range(self.params.cores):
                count = len(command.tiles_of(core, self.params.cores)) * command.m * chunks
                out.append(tags[core][place[core] : place[core] + count])
                place[core] += count
            yield out
        while True:
            yield None

    def _ends(self, base: int, end: int) -> list[npt.NDArray[np.void]]:
        """How commands ended, by engine."""
        trace = self.seen["top_cmd"]
        trace = trace[(trace["cycle"] >= base) & (trace["cycle"] < end)]
        out = []
        for engine in Engine:
            mine = trace[trace["head"] >> 24 == engine]
            table = np.zeros(len(mine), END_DTYPE)
            table["cycle"], table["code"] = mine["cycle"] - base, mine["head"] >> 16 & 0xF
            table["detail"], table["id"] = mine["head"] >> 8 & 0x1F, mine["head"] & 0xFF
            out.append(table)
        return out

    def _whole(self) -> None:
        base, end = self.spans[-1]
        actions, ends = self.batches[-1], self._ends(base, end)
        self.processor, self.meter = Processor(self.params), Meter(self.params)
        said: list[list[tuple[int, int, int]]] = [[], [], []]
        issues = iter([each for each in actions if isinstance(each, Issue)])
        ids: dict[int, list[int]] = {}
        for issue in issues:
            ids.setdefault(issue.command.engine, []).append(issue.id)

        def note(command: Any, result: Any) -> None:
            result.activity.pairs = PairCount(0, 0, 0, 0, 0, 0)  # counted by the device
            self.meter.seen(command, result)
            error = result.error
            engine = command.engine
            number = ids[engine][len(said[engine])]
            said[engine].append((int(error.code), error.detail, number) if error else (0, 0, number))

        orders = self._orders(ends, base)
        answer = self.processor.run(actions, orders=lambda _: next(orders), seen=note)
        for engine in Engine:
            want = np.zeros(len(said[engine]), END_DTYPE)
            for at, (code, detail, number) in enumerate(said[engine]):
                want[at] = (0, code, detail, number)
            if len(ends[engine]) == len(want):
                want["cycle"] = ends[engine]["cycle"]
            what = f"{engine.name.lower()} command"
            compare_tables(self.verdict, "command", what, ends[engine], want, kinds=("value",), base=base)
        self._stored(answer.stored, base, end)
        self._registers(answer.read, base, end)
        self._sequence(actions, ends, base, end)

    def _stored(self, stored: Sequence[npt.NDArray[np.uint8]], base: int, end: int) -> None:
        trace = self.seen["top_m"]
        trace = trace[(trace["cycle"] >= base) & (trace["cycle"] < end)]
        words = [np.asarray(each, np.uint8).reshape(-1, 16) for each in stored]
        want = np.zeros(sum(map(len, words)), M_DTYPE)
        if words:
            want["data"] = np.concatenate(words)
            want["last"] = np.concatenate([np.arange(len(each)) == len(each) - 1 for each in words])
        if len(trace) == len(want):
            want["cycle"], want["valid"] = trace["cycle"], trace["valid"]
        compare_tables(self.verdict, "store", "word", trace, want, kinds=("value",))

    def _registers(self, read: Sequence[int], base: int, end: int) -> None:
        """Every access is answered OKAY here (the registers' own block has the others); data of reads."""
        trace = self.seen["top_axil"]
        trace = trace[(trace["cycle"] >= base) & (trace["cycle"] < end)]
        accesses = [access for program in self.programs[-1] for access in program.accesses]
        verdict = self.verdict
        verdict.count("value", len(accesses))
        if len(trace) != len(accesses):
            verdict.diverge("register", base, "accesses answered", len(trace), len(accesses))
            return
        op, code = trace["op"] >> 16, trace["op"] & 0xFFFF
        want = np.array([(access[0], access[1]) for access in accesses], np.int64).reshape(-1, 2)
        bad = np.flatnonzero((code != 0) | (op != want[:, 0]) | (trace["address"] != want[:, 1]))
        for at in bad[:1]:
            what = f"{'write' if op[at] == WRITE else 'read'} of {int(trace['address'][at]):#x}"
            verdict.diverge("register", int(trace["cycle"][at]), what, f"answer {code[at]}", "answer 0", len(bad))
        known = (op == READ) & (trace["address"] < Reg.COUNTERS)  # counters are the pairs' affair
        got, where = trace["data"][known].astype(np.int64), trace["address"][known]
        if len(got) != len(read):
            verdict.diverge("register", base, "reads answered", len(got), len(read))
            return
        bad = np.flatnonzero((got != np.array(read, np.int64)) & (where != Reg.CYCLES))
        verdict.count("value", len(got))
        for at in bad[:1]:
            cycle = int(trace["cycle"][known][at])
            what = f"read {at} of {int(where[at]):#x}"
            verdict.diverge("register", cycle, what, hex(got[at]), hex(read[at]), len(bad))

    def _sequence(self, actions: Sequence[Action], ends: list[npt.NDArray[np.void]], base: int, end: int) -> None:
        """A load is done a cycle behind its last word came, a store a cycle behind its last word left."""
        came = self.seen["s"].accept
        came = came[(came >= base) & (came < end)] - base
        left = self.seen["top_m"]
        left = left[(left["cycle"] >= base) & (left["cycle"] < end)]
        last = left["cycle"][left["last"] == 1].astype(np.int64) - base
        kinds = {Engine.LOAD: [], Engine.STORE: []}
        at = 0
        lengths = [
            (len(np.asarray(each.stream).reshape(-1, 16)), each) for each in actions
            if isinstance(each, Issue) and isinstance(each.command, Load) and each.stream is not None
        ]  # fmt: skip
        for length, _ in lengths:
            at += length
            kinds[Engine.LOAD].append(int(came[at - 1]) + 1 if at <= len(came) else -1)
        kinds[Engine.STORE] = (last + 1).tolist()
        for engine, want in kinds.items():
            done = ends[engine]
            moved = done["cycle"][~np.isin(done["code"], (Code.OPERATION, Code.SIZE))]
            self.verdict.count("cycle", len(moved))
            if moved.tolist() != want:
                both = min(len(moved), len(want))
                at = next((n for n in range(both) if moved[n] != want[n]), both)
                got = int(moved[at]) if at < len(moved) else "nothing"
                expected = want[at] if at < len(want) else "nothing"
                cycle = base + min(each for each in (got, expected) if isinstance(each, int))
                self.verdict.diverge("sequence", cycle, f"end of {engine.name.lower()} {at}", got, expected)
