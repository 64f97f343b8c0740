"""Scoreboard of the IOSS core: every boundary of the bench against the model, to the bit and the cycle.

Boundaries, upstream first: descriptor, tile, vector, dispatch, issue, product, bypass, counter, drain. The model
gets only what was offered at the inputs and when the outputs were ready (docs/ioss/README.md; models/ioss/cycle.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.ma  # np.unique would import it in the middle of the first check
import numpy.typing as npt

from models.ioss.config import CoreParams, Descriptor, RspCode
from models.ioss.cycle import AFTER_RESET, ISSUE_DTYPE, Prediction, Rest, Stimulus, predict
from models.ioss.oracle import PairCount
from models.ioss.value import accumulate
from tb.ioss.program import Program
from tb.ioss.trace import (
    ISSUE_TAG_BITS,
    ISSUE_UNPACK,
    TRACE_BYP_DTYPE,
    TRACE_PROD_DTYPE,
    Events,
    events,
    issues,
    job_numbers,
    products,
)
from tb.ioss.values import ValueJudge
from tb.lib.scoreboard import (
    Scoreboard,
    Verdict,
    answer_table,
    compare_by_row,
    compare_counters,
    compare_tables,
    cycle_table,
    named,
    reset_spans,
    row_slices,
    wave_or_none,
)
from tb.lib.streams import SourceLog


@dataclass
class Inputs:
    """All records that were handed to the sources, in order, over the whole run."""

    descs: list[Descriptor]
    tile_data: npt.NDArray[np.uint8]
    tile_last: npt.NDArray[np.bool_]
    vec_data: npt.NDArray[np.uint8]
    vec_last: npt.NDArray[np.bool_]
    vec_tag: npt.NDArray[np.uint16]
    vec_mask: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, programs: list[Program]) -> Inputs:
        """The records of programs played one after the other."""
        return cls(
            [desc for program in programs for desc in program.descs],
            *(
                np.concatenate([getattr(program, name) for program in programs])
                for name in ("tile_data", "tile_last", "vec_data", "vec_last", "vec_tag", "vec_mask")
            ),
        )


@dataclass
class Epoch:
    """What was observed between two resets; cycles count from `base`."""

    base: int
    stim: Stimulus
    prediction: Prediction
    issue: npt.NDArray[np.void]
    prod: npt.NDArray[np.void]
    prod_data: npt.NDArray[np.int16]
    byp: npt.NDArray[np.void]
    selected: dict[str, npt.NDArray[np.bool_]]
    """Which records of each source belong to this epoch."""


def _in(table: npt.NDArray[np.void], base: int, horizon: int) -> npt.NDArray[np.void]:
    """The entries of the `horizon` cycles from `base` on, with cycles counted from `base`."""
    part = table[(table["cycle"] >= base) & (table["cycle"] < base + horizon)]
    part["cycle"] -= base
    return part


def _split(
    table: npt.NDArray[np.void], spans: list[tuple[int, int]]
) -> list[tuple[npt.NDArray[np.void], npt.NDArray[np.bool_] | slice]]:
    """A table by span of cycles, counted from the span's begin, and which of its entries each part has.

    The largest arrays of a run come here: in the usual case, everything in the only span, nothing is copied and `table`
    itself is changed.
    """
    picks = [(table["cycle"] >= base) & (table["cycle"] < end) for base, end in spans]
    picks = [slice(None)] if len(spans) == 1 and picks[0].all() else picks
    parts = [(table[pick], pick) for pick in picks]
    for (part, _), (base, _) in zip(parts, spans, strict=True):
        part["cycle"] -= base
    return parts


def _job_order(table: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """First issue of every job of every row."""
    new = np.ones(len(table), bool)
    new[1:] = (table["tag"][1:] != table["tag"][:-1]) | (table["row"][1:] != table["row"][:-1])
    return table[new]


@dataclass(frozen=True)
class Gemm:
    """A product that was played: its expected result and pair counts from the oracles, and the options it ran with."""

    name: str
    shape: tuple[int, int, int]  # M, K, N
    expected: npt.NDArray[np.int64]
    pairs: PairCount
    options: dict[str, Any]


class IossScoreboard(Scoreboard):
    """Is told `programs`, `counters` (None if they were not read), and of the time since the last reset
    `epoch_programs` and `gemms`, the products in them; `found`: their results as they left the core.

    A part inside another scoreboard may be given the `spans` to be judged, and what the core kept `since` it was at
    rest before the first."""

    params: CoreParams
    programs: list[Program]
    counters: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None
    epoch_programs: Sequence[Program] = ()
    gemms: Sequence[Gemm] = ()
    spans: Sequence[tuple[int, int]] | None = None
    since: Rest = AFTER_RESET
    epochs: list[Epoch]
    found: list[npt.NDArray[np.int64]]

    def judge(self) -> Verdict:
        """Splits the run at resets and compares each part; counters belong to the last part."""
        self.inputs = Inputs.of(self.programs)
        seen_events = events(self.seen["event"])
        all_issues = issues(self.seen["issue"])
        all_prod, all_data = products(self.seen["product"])
        self.epochs = []
        spans = self._spans(seen_events)
        for (base, end), (issue, _), (prod, pick) in zip(
            spans, _split(all_issues, spans), _split(all_prod, spans), strict=True
        ):
            stim, selected = self._stimulus(base, end)
            epoch = Epoch(
                base, stim, predict(self.params, stim), issue, prod, all_data[pick],
                _in(seen_events.byp, base, end - base), selected,
            )  # fmt: skip
            self.epochs.append(epoch)
            self._compare(epoch, seen_events, end)
        if self.counters is not None and self.epochs:
            want = self.epochs[-1].prediction
            compare_counters(self.verdict, self.counters, (want.row_counters, want.global_counters), self.cycles)
        if not self.drained:
            self.not_drained(self.cycles)
        self._judge_gemms()
        return self.verdict

    def judge_values(self) -> Verdict:
        """Values and order of what left, whatever the cycles (tb/ioss/values.py)."""
        self.inputs = Inputs.of(self.programs)
        seen = events(self.seen["event"])
        all_prod, all_data = products(self.seen["product"])
        self.epochs = []
        spans = self._spans(seen)
        for (base, end), (prod, pick) in zip(spans, _split(all_prod, spans), strict=True):
            stim, selected = self._stimulus(base, end)
            judge = ValueJudge(self.verdict, self.params, stim, base, end != self.cycles)
            tile_err = seen.tile_err[(seen.tile_err >= base) & (seen.tile_err < end)] - base
            mine = {name: _in(getattr(seen, name), base, end - base) for name in ("rsp", "job_err", "byp")}
            judge.judge(replace(seen, tile_err=tile_err, **mine), prod, all_data[pick])
            self.least, self.timing = judge.least, judge.timing(prod)
            none = np.zeros(0, ISSUE_DTYPE)  # not looked at
            data = all_data[pick]
            self.epochs.append(Epoch(base, stim, judge.want, none, prod, data, mine["byp"], selected))
        if not self.drained:
            self.not_drained(self.cycles)
        self._judge_gemms()
        return self.verdict

    def _spans(self, seen: Events) -> list[tuple[int, int]]:
        return reset_spans(seen.reset, self.cycles) if self.spans is None else list(self.spans)

    def _judge_gemms(self) -> None:
        """Results and issue counts of the products since the last reset against the oracles."""
        # After a divergence the products mean nothing: their jobs may be anybody's.
        if not self.gemms or self.verdict.divergences:
            return
        verdict = self.verdict
        self.found = self.results(self.epoch_programs, [(gemm.shape[0], gemm.shape[2]) for gemm in self.gemms])
        number = self.job_of_products()
        place = [at.gemm for program in self.epoch_programs for at in program.placements]
        issued = np.bincount(np.asarray(place)[number[self.epochs[-1].prod["null"] == 0]], minlength=len(self.gemms))
        for gemm, got, made in zip(self.gemms, self.found, issued, strict=True):
            verdict.count("value", got.size + 1)
            bad = np.argwhere(got != gemm.expected)
            if len(bad):
                at = tuple(int(n) for n in bad[0])
                what = f"{gemm.name} element {at}"
                verdict.diverge("result", self.cycles, what, got[at], gemm.expected[at], len(bad))
            if made != gemm.pairs.issues:
                verdict.diverge("result", self.cycles, f"{gemm.name} issues", made, gemm.pairs.issues)

    def _stimulus(self, base: int, end: int) -> tuple[Stimulus, dict[str, npt.NDArray[np.bool_]]]:
        inputs = self.inputs
        log: dict[str, SourceLog] = {name: self.seen[name] for name in ("desc", "tile", "vec")}
        pick = {name: (entry.offer >= base) & (entry.offer < end) for name, entry in log.items()}
        offer = {name: entry.offer[pick[name]] - base for name, entry in log.items()}
        stim = Stimulus(
            descs=[desc for desc, take in zip(inputs.descs, pick["desc"], strict=True) if take],
            desc_offer=offer["desc"],
            tile_data=inputs.tile_data[pick["tile"]],
            tile_last=inputs.tile_last[pick["tile"]],
            tile_offer=offer["tile"],
            vec_data=inputs.vec_data[pick["vec"]],
            vec_last=inputs.vec_last[pick["vec"]],
            vec_tag=inputs.vec_tag[pick["vec"]],
            vec_mask=inputs.vec_mask[pick["vec"]],
            vec_offer=offer["vec"],
            horizon=end - base,
            prod_ready=wave_or_none(self.seen["prod"][base:end]),
            byp_ready=wave_or_none(self.seen["byp"][base:end, 0]),
            since=self.since,
        )
        return stim, pick

    def _compare(self, epoch: Epoch, seen: Events, end: int) -> None:
        verdict, want, base = self.verdict, epoch.prediction, epoch.base
        horizon = end - base

        def accepts(name: str, expected: npt.NDArray[np.int64], boundary: str) -> None:
            got = self.seen[name].accept[epoch.selected[name]]
            got = np.where(got >= 0, got - base, -1)
            compare_tables(verdict, boundary, "beat", cycle_table(got), cycle_table(expected), base=base)

        accepts("desc", want.desc_accept, "descriptor")
        answers = answer_table(want.desc_accept, want.desc_code, horizon)
        compare_tables(
            verdict, "descriptor", "answer", _in(seen.rsp, base, horizon), answers, kinds=("cycle", "value"), base=base,
            layouts={"code": named(RspCode)},
        )  # fmt: skip

        accepts("tile", want.tile_accept, "tile")
        got_err = seen.tile_err[(seen.tile_err >= base) & (seen.tile_err < end)] - base
        compare_tables(verdict, "tile", "error", cycle_table(got_err), cycle_table(want.tile_err_cycle), base=base)

        accepts("vec", want.vec_accept, "vector")
        compare_tables(
            verdict,
            "vector",
            "error",
            _in(seen.job_err, base, horizon),
            want.job_err,
            kinds=("cycle", "value"),
            base=base,
        )

        expected = want.issue
        if (expected["tag"] >> ISSUE_TAG_BITS).any():
            expected = expected.copy()
            expected["tag"] &= (1 << ISSUE_TAG_BITS) - 1
        self._compare_dispatch(_job_order(epoch.issue), _job_order(expected), base)
        compare_by_row(
            verdict,
            "issue",
            "issue",
            epoch.issue,
            expected,
            self.params.rows,
            kinds=("cycle", "slice"),
            base=base,
            layouts=ISSUE_UNPACK,
        )
        self._compare_products(epoch)
        wanted = np.zeros(len(want.byp), TRACE_BYP_DTYPE)
        for name in TRACE_BYP_DTYPE.names or ():
            wanted[name] = want.byp[name]
        compare_tables(verdict, "bypass", "job", epoch.byp, wanted, kinds=("cycle", "value"), base=base)

    def _compare_dispatch(self, got: npt.NDArray[np.void], want: npt.NDArray[np.void], base: int) -> None:
        """Which jobs each row worked on, in order; when is the issue boundary's affair."""
        for row in range(self.params.rows):
            mine = [table[table["row"] == row] for table in (got, want)]
            both = min(len(mine[0]), len(mine[1]))
            bad = np.flatnonzero(mine[0]["tag"][:both] != mine[1]["tag"][:both])
            self.verdict.count("slice", max(len(mine[0]), len(mine[1])))
            if len(bad) or len(mine[0]) != len(mine[1]):
                at = int(bad[0]) if len(bad) else both
                tags = [f"tag {int(table['tag'][at])}" if at < len(table) else "no job" for table in mine]
                cycle = min(int(table["cycle"][at]) for table in mine if at < len(table))
                self.verdict.diverge("dispatch", cycle + base, f"row {row} job {at}", tags[0], tags[1])

    def _compare_products(self, epoch: Epoch) -> None:
        """Handshake fields and lanes of every product; lanes count as values."""
        want, base = epoch.prediction, epoch.base
        expected = np.zeros(len(want.prod), TRACE_PROD_DTYPE)
        for name in TRACE_PROD_DTYPE.names or ():
            expected[name] = want.prod[name]
        same = compare_by_row(self.verdict, "product", "product", epoch.prod, expected, self.params.rows, base=base)
        self.verdict.count("value", want.prod_data.size)
        if same:
            if np.array_equal(epoch.prod_data, want.prod_data):
                return
            at, lane = np.argwhere(epoch.prod_data != want.prod_data)[
                np.argmin(epoch.prod["cycle"][np.nonzero(epoch.prod_data != want.prod_data)[0]])
            ]
            number = int((epoch.prod_data != want.prod_data).sum())
            got, exp = epoch.prod_data[at, lane], want.prod_data[at, lane]
            entry = epoch.prod[at]
            what = f"row {entry['row']} lane {lane} order {entry['order']} tag {entry['tag']}"
            self.verdict.diverge("product", int(entry["cycle"]) + base, what, got, exp, number)
            return
        # The tables differ: compare data up to the first entry of each row that is missing or late.
        slices = [row_slices(table, self.params.rows) for table in (epoch.prod, expected)]
        for row, spans in enumerate(zip(*slices, strict=True)):
            data = [epoch.prod_data[spans[0]], want.prod_data[spans[1]]]
            both = min(len(data[0]), len(data[1]))
            bad = np.argwhere(data[0][:both] != data[1][:both])
            if len(bad):
                at, lane = bad[0]
                cycle = int(epoch.prod[spans[0]]["cycle"][at])
                self.verdict.diverge(
                    "product", cycle + base, f"row {row} lane {lane}", data[0][at, lane], data[1][at, lane]
                )

    # ---- independent of the model ----------------------------------------------------------------------------------
    def job_of_products(self) -> npt.NDArray[np.int64]:
        """Running job number of each product of the last epoch."""
        prod = self.epochs[-1].prod
        return job_numbers(prod["tag"], prod["row"])

    def results(self, programs: Sequence[Program], shapes: list[tuple[int, int]]) -> list[npt.NDArray[np.int64]]:
        """Output matrices (M, N) of GEMMs, summed from the products that left the core since the last reset.

        `programs` were played since then, with job numbers from 0 on; GEMM number g has shape `shapes[g]`.
        """
        epoch = self.epochs[-1]
        number = self.job_of_products()
        order = np.argsort(number, kind="stable")
        place = [at for program in programs for at in program.placements]
        sums = accumulate(number[order], epoch.prod["order"][order], epoch.prod_data[order], len(place))
        lanes = self.params.lanes
        out = [np.zeros((m, -(-n // lanes) * lanes), np.int64) for m, n in shapes]
        for job in np.flatnonzero(sums.any(axis=1)):
            at = place[job]
            out[at.gemm][at.m, at.n0 : at.n0 + lanes] += sums[job]
        return [full[:, :n] for full, (_, n) in zip(out, shapes, strict=True)]
