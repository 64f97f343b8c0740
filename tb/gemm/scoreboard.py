"""Scoreboard of the pair: its two parts by their own scoreboards, and what lies between and around them.

Both models are asked with what was observed at their side of the product streams: the IOSS core's with the cycles in
which the RAN took products, the RAN's with the cycles in which the IOSS core's model says that they were offered. Every
cycle of the streams between them is thus checked from both ends. Boundaries: those of both, `joint` (descriptors
before they reach a part), `result` (docs/gemm/README.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.ran.config import RanDescriptor
from models.ran.cycle import CANCEL_DTYPE, PROD_IN_DTYPE, SEED_DTYPE, Prediction, Stimulus, predict
from tb.gemm.program import GemmParams, GemmProgram, Product
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
    cycle_table,
    reset_spans,
    wave_or_none,
)
from tb.lib.streams import SourceLog
from tb.ran.scoreboard import compare, job_results, within
from tb.ran.trace import SHIFT_DTYPE, RanTraces, read_traces

I64 = npt.NDArray[np.int64]
EV_RSP, EV_RAN, EV_IOSS, EV_BUSY = 1, 2, 3, 6


def _operands(program: GemmProgram) -> Inputs:
    """What the IOSS core's scoreboard wants to know of a program: without descriptors that never reached the core."""
    core = program.core
    descs = [desc for desc, code in zip(core.descs, program.codes(), strict=True) if code == 0]
    return Inputs(descs, core.tile_data, core.tile_last, core.vec_data, core.vec_last, core.vec_tag, core.vec_mask)


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
    epochs: list[Epoch]
    results: list[tuple[I64, npt.NDArray[np.bool_]]]

    def build_phase(self) -> None:
        super().build_phase()
        self.core = IossScoreboard.create("core", self)

    def judge(self) -> Verdict:
        """Splits the run at resets and compares each part; counters and results belong to the last part."""
        traces = read_traces(self.seen)
        spans = reset_spans(traces.reset, self.cycles)
        flat = [program for epoch in self.programs for program in epoch]
        self.codes = np.array([code for program in flat for code in program.codes()], np.int64)
        ran_descs = [desc for program in flat for desc in program.ran]
        self._joint(spans)
        self._core(flat)
        self.epochs = []
        good = np.flatnonzero(self.codes == 0)
        for at, (base, end) in enumerate(spans):
            mine = np.flatnonzero((self.ran_offer >= base) & (self.ran_offer < end))
            self._ran(at, base, end, traces, [ran_descs[good[n]] for n in mine], mine)
        if self.counters is not None and self.epochs:
            want = self.epochs[-1].prediction
            compare_counters(self.verdict, self.counters[1], (want.row_counters, want.global_counters), self.cycles)
        if not self.drained:
            self.not_drained(self.cycles)
        elif not self.verdict.divergences:
            self._results()
        return self.verdict

    # ---- descriptors -------------------------------------------------------------------------------------------------
    def _joint(self, spans: list[tuple[int, int]]) -> None:
        """The joint stage, exactly; and when each good descriptor was offered to and taken by the parts."""
        verdict, log = self.verdict, self.seen["desc"]
        event = self.seen["gemm_event"]
        kind, cycle = event["data"] >> 24, event["cycle"].astype(np.int64)
        good = np.flatnonzero(self.codes == 0)
        place = np.full(len(self.codes), -1, np.int64)
        place[good] = np.arange(len(good))
        self.ran_offer, self.ran_take, self.ioss_offer, self.ioss_take = (
            np.full(len(good), -1, np.int64) for _ in range(4)
        )
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

    # ---- IOSS core ---------------------------------------------------------------------------------------------------
    def _core(self, programs: list[GemmProgram]) -> None:
        """The IOSS core by its own scoreboard, with the consumer that it had."""
        board, rows = self.core, self.params.core.rows
        board.verdict, board.params, board.cycles = self.verdict, self.params.core, self.cycles
        board.programs = [_operands(program) for program in programs]  # type: ignore[assignment,misc]
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
        board.judge()

    # ---- RAN ---------------------------------------------------------------------------------------------------------
    def _ran(
        self, at: int, base: int, end: int, traces: RanTraces, descs: list[RanDescriptor], mine: npt.NDArray[np.int64]
    ) -> None:
        verdict, params, core = self.verdict, self.params.ran, self.core.epochs[at]
        got = within(traces, base, end)
        table = core.prediction.prod
        prod = np.zeros(len(table), PROD_IN_DTYPE)
        for name in PROD_IN_DTYPE.names or ():
            prod[name] = table["valid_cycle" if name == "offer" else name]
        byp = np.zeros(len(core.prediction.byp), [("offer", "<i8"), ("tag", "<u2"), ("mask", "<u4")])
        for name in byp.dtype.names or ():
            byp[name] = core.prediction.byp["valid_cycle" if name == "offer" else name]
        errors = core.prediction.job_err
        cancel = np.zeros(len(errors), CANCEL_DTYPE)
        cancel["cycle"], cancel["tag"] = errors["cycle"], errors["tag"]
        programs = [program for epoch in self.programs for program in epoch]
        log: dict[str, SourceLog] = {name: self.seen[name] for name in ("bias", "seed")}
        pick = {name: (entry.offer >= base) & (entry.offer < end) for name, entry in log.items()}
        values = np.array([value for program in programs for value, _ in program.seeds], np.int64)
        seed = np.zeros(int(pick["seed"].sum()), SEED_DTYPE)
        seed["cycle"], seed["value"] = log["seed"].offer[pick["seed"]] - base, values[pick["seed"]]

        def counted(cycles: I64) -> I64:
            return np.where(cycles >= 0, cycles - base, -1)

        stim = Stimulus(
            descs=descs,
            desc_offer=counted(self.ran_offer[mine]),
            prod=prod,
            prod_data=core.prediction.prod_data,
            byp=byp,
            cancel=cancel,
            seed=seed,
            bias_data=np.concatenate([program.bias_data for program in programs])[pick["bias"]],
            bias_last=np.concatenate([program.bias_last for program in programs])[pick["bias"]],
            bias_offer=log["bias"].offer[pick["bias"]] - base,
            psum_data=got.psum_data,
            psum_last=got.psum_last,
            psum_offer=got.psum_offer,
            horizon=end - base,
            psum_req_ready=wave_or_none(self.seen["req"][base:end, 0]),
            out_ready=wave_or_none(self.seen["out"][base:end, 0]),
            stat_ready=wave_or_none(self.seen["stat"][base:end, 0]),
        )
        want = predict(params, stim)
        take = counted(self.ran_take[mine])
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
        bias = counted(log["bias"].accept[pick["bias"]])
        compare_tables(verdict, "bias", "transfer", cycle_table(bias), cycle_table(want.bias_accept), base=base)
        compare(verdict, params, stim, want, got, base)
        held = np.stack([self.ran_take - self.ran_offer, self.ioss_take - self.ioss_offer], axis=1)[mine]
        self.epochs.append(Epoch(base, stim, want, got, core, self.programs[at], held))

    # ---- results -----------------------------------------------------------------------------------------------------
    def _results(self) -> None:
        """Matrices that left, against the oracles; jobs that were refused leave nothing."""
        epoch, verdict, lanes = self.epochs[-1], self.verdict, self.params.core.lanes
        descs: dict[int, RanDescriptor] = {}
        final: set[int] = set()
        for program in epoch.programs:
            number = program.first_job
            for desc, code in zip(program.ran, program.codes(), strict=True):
                if code == 0:
                    descs |= dict.fromkeys(range(number, number + desc.n_jobs), desc)
                    number += desc.n_jobs
            final |= program.final
        try:
            found = job_results(self.params.ran, descs, epoch.traces.out, epoch.traces.out_data)
        except ValueError as error:
            verdict.diverge("result", self.cycles, "output stream", str(error), "every job once")
            return
        refused = len(epoch.stim.cancel)
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
        for program in epoch.programs:
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
