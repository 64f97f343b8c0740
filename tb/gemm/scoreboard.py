"""Scoreboard of the pair: its two parts by their own scoreboards, and what lies between and around them.

Both models are asked with what was observed at their side of the product streams: the IOSS core's with the cycles in
which the RAN took products, the RAN's with the cycles in which the IOSS core's model says that they were offered. Every
cycle of the streams between them is thus checked from both ends. Boundaries: those of both, `joint` (descriptors
before they reach a part, `busy_o`), `result` (docs/gemm/README.md).

By value alone, each part is judged by its own rules (values.py), and results by the oracles.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.ran.config import RanDescriptor
from models.ran.cycle import (
    AFTER_RESET,
    BYP_IN_DTYPE,
    CANCEL_DTYPE,
    PROD_IN_DTYPE,
    Prediction,
    Rest,
    Stimulus,
    predict,
)
from tb.gemm.program import GemmParams, GemmProgram, Product
from tb.gemm.values import jobs_of, taken
from tb.ioss.scoreboard import Epoch as CoreEpoch
from tb.ioss.scoreboard import Inputs, IossScoreboard
from tb.ioss.trace import events, products
from tb.lib.scoreboard import (
    RSP_DTYPE,
    Scoreboard,
    Verdict,
    compare_by_row,
    compare_counters,
    compare_tables,
    compare_values,
    cycle_table,
    event_levels,
    reset_spans,
)
from tb.lib.streams import SourceLog
from tb.ran.scoreboard import compare, host_inputs, job_results, within
from tb.ran.trace import SHIFT_DTYPE, RanTraces, read_traces
from tb.ran.values import Inputs as RanInputs
from tb.ran.values import ValueJudge

I64 = npt.NDArray[np.int64]
EV_RSP, EV_RAN, EV_IOSS, EV_BUSY = 1, 2, 3, 6
LEVEL_DTYPE = np.dtype([("cycle", "<i8"), ("level", "?")])


def _operands(program: GemmProgram) -> Inputs:
    """What the IOSS core's scoreboard wants to know of a program: without descriptors that never reached the core."""
    core = program.core
    descs = [desc for desc, code in zip(core.descs, program.codes(), strict=True) if code == 0]
    return Inputs(descs, core.tile_data, core.tile_last, core.vec_data, core.vec_last, core.vec_tag, core.vec_mask)


def _counted(cycles: I64, base: int) -> I64:
    """Cycles from `base` on, -1 for what never was."""
    return np.where(cycles >= 0, cycles - base, -1)


@dataclass
class Epoch:
    """The RAN's side of what was observed between two resets."""

    base: int
    stim: Stimulus
    prediction: Prediction
    traces: RanTraces
    core: CoreEpoch
    programs: list[GemmProgram]
    held: I64  # cycles that each accepted descriptor waited for (RAN, IOSS core), (D, 2)


class GemmScoreboard(Scoreboard):
    """Is told `programs` (by epoch), `products` (of the last epoch) and `counters`."""

    params: GemmParams
    programs: list[list[GemmProgram]]
    products: list[Product]
    counters: tuple[tuple[I64, I64], tuple[I64, I64]] | None  # IOSS core, RAN
    since: Rest = AFTER_RESET  # what the RAN kept when it was at rest before the first span
    epochs: list[Epoch]
    results: list[tuple[I64, npt.NDArray[np.bool_]]]

    def build_phase(self) -> None:
        super().build_phase()
        self.core = IossScoreboard.create("core", self)

    def judge(self) -> Verdict:
        """Splits the run at resets and compares each part; counters and results belong to the last part."""
        traces, spans, good = self._told()
        self._joint(spans)
        self._operands_of_the_core()
        self.core.judge()
        for at, (base, end) in enumerate(spans):
            self._ran(at, base, end, traces, good)
            self._busy(base, end, traces)
        if self.counters is not None and self.epochs:
            want = self.epochs[-1].prediction
            compare_counters(self.verdict, self.counters[1], (want.row_counters, want.global_counters), self.cycles)
        last = self.epochs[-1]
        return self._concluded(last.stim, last.traces, last.programs)

    def judge_values(self) -> Verdict:
        """Values and order of what left the IOSS core and the pair, whatever the cycles (values.py)."""
        traces, spans, good = self._told()
        self._joint_values(spans)
        self._operands_of_the_core()
        self.core.seen |= {name: np.ones_like(self.core.seen[name]) for name in ("prod", "byp")}
        self.core.judge_values()
        for at, (base, end) in enumerate(spans):
            stim, seen = self._ran_values(at, base, end, traces, good)
        return self._concluded(stim, seen, self.programs[-1])

    def _told(self) -> tuple[RanTraces, list[tuple[int, int]], list[RanDescriptor]]:
        """Traces, spans between resets, and the RAN's part of each descriptor that is legal."""
        traces = read_traces(self.seen)
        self.flat = [program for epoch in self.programs for program in epoch]
        self.codes = np.array([code for program in self.flat for code in program.codes()], np.int64)
        ran = [desc for program in self.flat for desc in program.ran]
        self.epochs = []
        self.core.spans = spans = self._spans(traces)
        return traces, spans, [ran[n] for n in np.flatnonzero(self.codes == 0)]

    def _spans(self, traces: RanTraces) -> list[tuple[int, int]]:
        """What is judged: the time between two resets, each."""
        return reset_spans(traces.reset, self.cycles)

    def _concluded(self, stim: Stimulus, traces: RanTraces, programs: list[GemmProgram]) -> Verdict:
        """The end of the judgement: work has ended, and the results of the last span are right."""
        if not self.drained:
            self.not_drained(self.cycles)
        elif not self.verdict.divergences:
            self._results(programs, traces, len(stim.cancel))
        return self.verdict

    # ---- descriptors -------------------------------------------------------------------------------------------------
    def _joint(self, spans: list[tuple[int, int]]) -> None:
        """The joint stage, exactly; and when each good descriptor was offered to and taken by the parts."""
        verdict, log = self.verdict, self.seen["desc"]
        event = self.seen["gemm_event"]
        kind, cycle = event["data"] >> 24, event["cycle"].astype(np.int64)
        place = self._places()
        answers: list[tuple[int, int]] = []
        for base, end in spans:
            mine = np.flatnonzero((log.offer >= base) & (log.offer < end))
            taken = [n for n in mine if log.accept[n] >= 0 and self.codes[n] == 0]
            takes = [cycle[(kind == which) & (cycle >= base) & (cycle < end)] for which in (EV_RAN, EV_IOSS)]
            verdict.count("cycle", sum(map(len, takes)))
            if len(takes[0]) > len(taken) or len(takes[1]) > len(takes[0]):
                verdict.diverge("joint", base, "descriptors of the parts", [len(t) for t in takes], len(taken))
            for n, at in enumerate(taken):
                self.ran_offer[place[at]] = log.accept[at] + 1 if log.accept[at] + 1 < end else -1
                if n < len(takes[0]):
                    self.ran_take[place[at]] = takes[0][n]
                    self.ioss_offer[place[at]] = takes[0][n] + 1 if takes[0][n] + 1 < end else -1
                if n < len(takes[1]):
                    self.ioss_take[place[at]] = takes[1][n]
            free = base
            want = np.full(len(mine), -1, np.int64)
            for n, at in enumerate(mine):
                due = max(int(log.offer[at]), free)
                if due >= end:
                    break
                want[n] = due
                if due + 1 < end:
                    answers.append((due + 1, int(self.codes[at])))
                if self.codes[at]:
                    free = due + 1
                else:
                    free = int(self.ioss_take[place[at]]) + 1 if self.ioss_take[place[at]] >= 0 else end
            compare_tables(verdict, "joint", "descriptor", cycle_table(log.accept[mine]), cycle_table(want))
        got = np.zeros(int((kind == EV_RSP).sum()), RSP_DTYPE)
        got["cycle"], got["code"] = cycle[kind == EV_RSP], event["data"][kind == EV_RSP] & 0x1F
        compare_tables(verdict, "joint", "answer", got, np.array(answers, RSP_DTYPE), kinds=("cycle", "value"))

    def _busy(self, base: int, end: int, traces: RanTraces) -> None:
        """Every change of busy_o: it is set while a descriptor is held, or a part is busy."""
        want = np.zeros(end - base + 1, bool)
        for changes in (events(self.seen["event"]).busy, traces.busy):
            mine = [(cycle - base, level) for cycle, level in changes if base <= cycle < end]
            for (since, level), (until, _) in itertools.pairwise([*mine, (end - base, False)]):
                want[since:until] |= level
        for offer, take in zip(self.ran_offer.tolist(), self.ioss_take.tolist(), strict=True):
            if base <= offer < end:
                want[offer - base : (take + 1 if take >= 0 else end) - base] = True
        at = np.flatnonzero(np.diff(want[:-1], prepend=False))
        wanted = np.array(list(zip(at + base, want[at], strict=True)), LEVEL_DTYPE)
        got = [each for each in event_levels(self.seen["gemm_event"], EV_BUSY) if base <= each[0] < end]
        compare_tables(self.verdict, "joint", "change of busy_o", np.array(got, LEVEL_DTYPE), wanted)

    def _places(self) -> I64:
        """Each descriptor's number among the legal ones, -1 for others; makes the tables of their cycles."""
        place = np.where(self.codes == 0, np.cumsum(self.codes == 0) - 1, -1)
        self.ran_offer, self.ran_take, self.ioss_offer, self.ioss_take = (
            np.full(int((self.codes == 0).sum()), -1, np.int64) for _ in range(4)
        )
        return place

    def _joint_values(self, spans: list[tuple[int, int]]) -> None:
        """Answers in order; a good descriptor that was taken is one for the parts from the next cycle on."""
        log, event, place = self.seen["desc"], self.seen["gemm_event"], self._places()
        answered = event[event["data"] >> 24 == EV_RSP]
        self.least = 0
        for base, end in spans:
            mine = np.flatnonzero((log.offer >= base) & (log.offer < end))
            went = [at for at in mine if 0 <= log.accept[at] < end - 1 and self.codes[at] == 0]
            self.ran_offer[place[went]] = self.ioss_offer[place[went]] = log.accept[went] + 1
            span = answered[(answered["cycle"] >= base) & (answered["cycle"] < end)]
            got, want = np.zeros(len(span), RSP_DTYPE), np.zeros(len(mine), RSP_DTYPE)
            got["cycle"], got["code"] = span["cycle"] - base, span["data"] & 0x1F
            want["code"] = self.codes[mine]
            cut = end != self.cycles
            compare_values(self.verdict, "joint", "answer", got, want, end - base, base=base, cut=cut)
            self.least = len(mine)

    # ---- IOSS core ---------------------------------------------------------------------------------------------------
    def _operands_of_the_core(self) -> None:
        """Tells the IOSS core's own scoreboard what it was given, and which consumer it had."""
        board, rows = self.core, self.params.core.rows
        board.verdict, board.params, board.cycles = self.verdict, self.params.core, self.cycles
        board.programs = [_operands(program) for program in self.flat]  # type: ignore[assignment,misc]
        board.counters = self.counters[0] if self.counters else None
        board.drained = True
        # Ready where something was taken: what the model must offer then, no earlier and no later.
        taken, _ = products(self.seen["product"])
        prod = np.zeros((self.cycles, rows), bool)
        prod[taken["cycle"], taken["row"]] = True
        byp = np.zeros((self.cycles, 1), bool)
        byp[events(self.seen["event"]).byp["cycle"], 0] = True
        board.seen = {
            **{name: self.seen[name] for name in ("tile", "vec", "event", "issue", "product")},
            "desc": SourceLog(self.ioss_offer, self.ioss_take),
            "prod": prod,
            "byp": byp,
        }

    # ---- RAN ---------------------------------------------------------------------------------------------------------
    def _ran(self, at: int, base: int, end: int, traces: RanTraces, good: list[RanDescriptor]) -> None:
        """The RAN against its model; products, bypassed and refused jobs are offered to it as the core's model says."""
        verdict, params, core = self.verdict, self.params.ran, self.core.epochs[at]
        got = within(traces, base, end)
        table = core.prediction.prod
        prod = np.zeros(len(table), PROD_IN_DTYPE)
        for name in PROD_IN_DTYPE.names or ():
            prod[name] = table["valid_cycle" if name == "offer" else name]
        byp = np.zeros(len(core.prediction.byp), BYP_IN_DTYPE)
        for name in BYP_IN_DTYPE.names or ():
            byp[name] = core.prediction.byp["valid_cycle" if name == "offer" else name]
        stim, mine = self._stimulus(base, end, got, good, prod, core.prediction.prod_data, byp, core.prediction.job_err)
        want = predict(params, stim)
        take = _counted(self.ran_take[mine], base)
        compare_tables(
            verdict, "descriptor", "RAN transfer", cycle_table(take), cycle_table(want.desc_accept), base=base
        )
        seen, wanted = (np.zeros(len(prod), SHIFT_DTYPE) for _ in range(2))
        seen["row"] = wanted["row"] = prod["row"]
        seen["cycle"], wanted["cycle"] = table["cycle"], want.prod_accept
        compare_by_row(verdict, "product", "RAN transfer", seen, wanted, params.rows, base=base)
        compare_tables(
            verdict,
            "bypass",
            "RAN transfer",
            cycle_table(core.prediction.byp["cycle"]),
            cycle_table(want.byp_accept),
            base=base,
        )
        log = self.seen["bias"]
        bias = _counted(log.accept[(log.offer >= base) & (log.offer < end)], base)
        compare_tables(verdict, "bias", "transfer", cycle_table(bias), cycle_table(want.bias_accept), base=base)
        compare(verdict, params, stim, want, got, base)
        held = np.stack([self.ran_take - self.ran_offer, self.ioss_take - self.ioss_offer], axis=1)[mine]
        self.epochs.append(Epoch(base, stim, want, got, core, self.programs[at], held))

    def _ran_values(
        self, at: int, base: int, end: int, traces: RanTraces, good: list[RanDescriptor]
    ) -> tuple[Stimulus, RanTraces]:
        """The RAN by value, of the products and bypassed jobs that it took; gives its inputs and what was seen."""
        core, got = self.core.epochs[at], within(traces, base, end)
        prod, byp = taken(core.prod, core.byp)
        stim, _ = self._stimulus(base, end, got, good, prod, core.prod_data, byp, core.prediction.job_err)
        inputs = RanInputs(stim, got, prod["offer"], {"byp": byp["offer"]})
        jobs = [jobs_of(self.programs[at], core.prediction)] if self.programs[at] else []
        judge = ValueJudge(self.verdict, self.params.ran, jobs, inputs, base, end != self.cycles)
        judge.judge()
        if end == self.cycles:
            self.least += self.core.least + judge.least
            # The core's model has a consumer that is always ready, which the RAN need not be.
            core_lines = [replace(line, what=f"{line.what} (model: no back-pressure)") for line in self.core.timing]
            self.timing = [*core_lines, *judge.timing()]
        return stim, got

    def _stimulus(
        self,
        base: int,
        end: int,
        got: RanTraces,
        good: list[RanDescriptor],
        prod: npt.NDArray[np.void],
        prod_data: npt.NDArray[np.int16],
        byp: npt.NDArray[np.void],
        errors: npt.NDArray[np.void],
    ) -> tuple[Stimulus, I64]:
        """The RAN's inputs in a span, and which of the legal descriptors are among them."""
        mine = np.flatnonzero((self.ran_offer >= base) & (self.ran_offer < end))
        cancel = np.zeros(len(errors), CANCEL_DTYPE)
        cancel["cycle"], cancel["tag"] = errors["cycle"], errors["tag"]
        stim = Stimulus(
            descs=[good[n] for n in mine],
            desc_offer=_counted(self.ran_offer[mine], base),
            prod=prod,
            prod_data=prod_data,
            byp=byp,
            cancel=cancel,
            since=self.since,
            **host_inputs(self.flat, self.seen, got, base, end),
        )
        return stim, mine

    # ---- results -----------------------------------------------------------------------------------------------------
    def _results(self, programs: list[GemmProgram], traces: RanTraces, refused: int) -> None:
        """Matrices that left, against the oracles; the `refused` jobs leave nothing."""
        verdict, lanes = self.verdict, self.params.core.lanes
        descs: dict[int, RanDescriptor] = {}
        final: set[int] = set()
        for program in programs:
            number = program.first_job
            for desc, code in zip(program.ran, program.codes(), strict=True):
                if code == 0:
                    descs |= dict.fromkeys(range(number, number + desc.n_jobs), desc)
                    number += desc.n_jobs
            final |= program.final
        try:
            first = min(descs, default=0)
            found = job_results(self.params.ran, descs, traces.out, traces.out_data, first)
        except ValueError as error:
            verdict.diverge("result", self.cycles, "output stream", str(error), "every job once")
            return
        verdict.count("value", len(descs))
        if len(found) != len(descs) - refused:
            verdict.diverge("result", self.cycles, "jobs that left", len(found), len(descs) - refused)
            return
        self.found = found
        self.results = []
        width = [-(-product.shape[2] // lanes) * lanes for product in self.products]
        full = [
            (np.zeros((product.shape[0], n), np.int64), np.zeros((product.shape[0], n), bool))
            for product, n in zip(self.products, width, strict=True)
        ]
        for program in programs:
            for job, place in enumerate(program.placements):
                number = program.first_job + job
                if number in program.final and number in found:
                    y, mask = found[number]
                    full[place.gemm][0][place.m, place.n0 : place.n0 + lanes] = y
                    full[place.gemm][1][place.m, place.n0 : place.n0 + lanes] = mask >> np.arange(lanes) & 1
        for product, (y, mask) in zip(self.products, full, strict=True):
            n = product.shape[2]
            self.results.append((y[:, :n], mask[:, :n]))
            low, high, off = product.expected(lanes)
            verdict.count("value", 2 * y[:, :n].size)
            for what, got, least, most in (
                ("", y[:, :n], low, high),
                (" mask", mask[:, :n], off, off),
            ):
                bad = np.argwhere((got < least) | (got > most))
                if len(bad):
                    m, col = (int(i) for i in bad[0])
                    verdict.diverge(
                        "result", self.cycles, f"{product.name}{what} [{m}, {col}]", got[m, col],
                        f"{least[m, col]} .. {most[m, col]}", len(bad),
                    )  # fmt: skip
                    break
