"""Scoreboard of the RAN: every boundary of the bench against the model, to the bit and the cycle.

Boundaries, upstream first: descriptor, product, bypass, bias, psum, shift, tree, swap, quant, statistic, output,
counter, result, drain. The model gets only what was offered at the inputs and when the outputs were ready
(docs/ran/README.md; models/ran/cycle.py). `compare` is of use to every bench that has a RAN in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.formats import CONTAINER, PRECISION, YBits
from models.common.rounding import Round
from models.ran.config import TAGS, RanDescriptor, RanParams, RspCode
from models.ran.cycle import CANCEL_DTYPE, Prediction, Stimulus, job_numbers, predict
from models.ran.oracle import requantise_exact
from models.ran.value import unpack_results
from tb.lib.scoreboard import (
    CYCLES,
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
from tb.ran.program import Program, Work
from tb.ran.trace import SHIFT_DTYPE, RanTraces, read_traces
from tb.ran.values import Inputs, ValueJudge

I64 = npt.NDArray[np.int64]
TABLES = ("shift", "tree", "swap", "job_stat", "out", "stat", "req", "rsp")
DATA = {"shift": "shift_data", "tree": "tree_data", "swap": "swap_acc", "job_stat": "quant_z", "out": "out_data"}
_FRACTIONS = 200


def within(traces: RanTraces, base: int, end: int) -> RanTraces:
    """What was observed from `base` on and before `end`, in cycles from `base`."""
    parts: dict[str, Any] = {}
    for name in TABLES:
        table = getattr(traces, name)
        pick = (table["cycle"] >= base) & (table["cycle"] < end)
        part = table[pick]
        part["cycle"] -= base
        if "valid_cycle" in (part.dtype.names or ()):
            part["valid_cycle"] -= base
        parts[name] = part
        if name in DATA:
            parts[DATA[name]] = getattr(traces, DATA[name])[pick]
    for name in ("bias_err", "psum_err"):
        cycles = getattr(traces, name)
        parts[name] = cycles[(cycles >= base) & (cycles < end)] - base
    pick = (traces.psum_offer >= base) & (traces.psum_offer < end)
    parts["psum_offer"] = traces.psum_offer[pick] - base
    parts["psum_accept"] = np.where(traces.psum_accept[pick] >= 0, traces.psum_accept[pick] - base, -1)
    for name in ("psum_data", "psum_last", "psum_tag"):
        parts[name] = getattr(traces, name)[pick]
    return RanTraces(**parts, reset=[], busy=[])


def compare_lanes(
    verdict: Verdict,
    boundary: str,
    got: npt.NDArray[Any],
    want: npt.NDArray[Any],
    table: npt.NDArray[np.void],
    base: int,
) -> None:
    """Numbers (N, L) that belong to the entries of `table`; the first that differs is named. Counts them as values."""
    both = min(len(got), len(want))
    verdict.count("value", want.size)
    bad = np.argwhere(got[:both] != want[:both])
    if len(bad):
        at, lane = bad[np.argmin(table["cycle"][bad[:, 0]])]
        names = [name for name in table.dtype.names or () if name not in CYCLES and table[name].ndim == 1]
        entry = ", ".join(f"{name} {table[at][name]}" for name in names)
        verdict.diverge(
            boundary, int(table["cycle"][at]) + base, f"lane {lane} of {entry}", got[at, lane], want[at, lane], len(bad)
        )


def compare_rows(
    verdict: Verdict,
    boundary: str,
    field: str,
    tables: tuple[npt.NDArray[np.void], npt.NDArray[np.void]],
    lanes: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    rows: int,
    base: int,
) -> None:
    """Observed and expected tables by row (or entry, `field`) with their lanes, up to each row's first difference."""
    got, want = (table if field == "row" else _renamed(table, field) for table in tables)
    if compare_by_row(verdict, boundary, boundary, got, want, rows, kinds=("cycle", "slice"), base=base):
        compare_lanes(verdict, boundary, *lanes, got, base)
        return
    for mine, wanted in zip(row_slices(got, rows), row_slices(want, rows), strict=True):
        compare_lanes(verdict, boundary, lanes[0][mine], lanes[1][wanted], got[mine], base)


def _renamed(table: npt.NDArray[np.void], field: str) -> npt.NDArray[np.void]:
    names = [("row" if name == field else name, table.dtype[name]) for name in table.dtype.names or ()]
    return table.view(np.dtype(names))


def compare(verdict: Verdict, params: RanParams, stim: Stimulus, want: Prediction, got: RanTraces, base: int) -> None:
    """Everything after the inputs' transfers: `got` counts cycles from `base`, as the model does."""
    horizon = stim.horizon

    def same(boundary: str, what: str, mine: npt.NDArray[np.void], wanted: npt.NDArray[np.void]) -> bool:
        return compare_tables(verdict, boundary, what, mine, wanted, kinds=("cycle", "value"), base=base)

    answers = answer_table(want.desc_accept, want.desc_code, horizon)
    codes = {"code": named(RspCode)}
    compare_tables(
        verdict, "descriptor", "answer", got.rsp, answers, kinds=("cycle", "value"), base=base, layouts=codes
    )
    same("bias", "error", cycle_table(got.bias_err), cycle_table(want.bias_err_cycle))
    same("psum", "request", got.req, want.psum_req)
    same("psum", "beat", cycle_table(got.psum_accept), cycle_table(want.psum_accept))
    same("psum", "error", cycle_table(got.psum_err), cycle_table(want.psum_err_cycle))

    accepted = want.prod_accept >= 0
    shift = np.zeros(int(accepted.sum()), SHIFT_DTYPE)
    shift["row"], shift["cycle"] = stim.prod["row"][accepted], want.prod_accept[accepted] + 1
    seen = shift["cycle"] < horizon
    compare_rows(
        verdict, "shift", "row", (got.shift, shift[seen]), (got.shift_data, want.shift[seen]), params.rows, base
    )
    compare_rows(verdict, "tree", "entry", (got.tree, want.tree), (got.tree_data, want.tree_sum), params.rows, base)
    compare_tables(verdict, "swap", "job", got.swap, want.swap, kinds=("cycle", "slice"), base=base)
    compare_lanes(verdict, "swap", got.swap_acc, want.swap_acc, got.swap, base)
    # z first: what is wrong before saturation is wrong in the statistics too.
    quant = [np.array(table[["cycle", "tag"]]) for table in (got.job_stat, want.job_stat)]
    same("quant", "job", *quant)
    compare_lanes(verdict, "quant", got.quant_z, want.quant_z, got.job_stat, base)
    same("statistic", "job", got.job_stat, want.job_stat)
    same("statistic", "tensor", got.stat, want.stat)
    same("output", "beat", got.out, want.out)
    compare_lanes(verdict, "output", got.out_data, want.out_data, got.out, base)


def job_results(
    params: RanParams,
    descs: dict[int, RanDescriptor],
    out: npt.NDArray[np.void],
    data: npt.NDArray[np.uint8],
    first: int = 0,
) -> dict[int, tuple[I64, int]]:
    """Results (L,) and mask of every job by number, from `first` on, unpacked from the output stream; `descs` by
    number.

    Raises `ValueError` for a job that left twice, or that nobody announced.
    """
    found: dict[int, tuple[I64, int]] = {}
    beats: list[npt.NDArray[np.uint8]] = []
    last = first
    for entry, beat in zip(out, data, strict=True):
        beats.append(beat)
        if not entry["last"]:
            continue
        whole = np.concatenate(beats)
        beats = []
        for place in range(int(entry["jobs"])):
            tag = int(entry["tag"][place])
            # The number with this tag that is next to the job before: far fewer than 2^15 jobs are under way.
            number = tag + TAGS * round((last - tag) / TAGS)
            last = number
            if number in found or number not in descs:
                raise ValueError(f"job {number} left twice, or was never announced")
            size = params.lanes * CONTAINER[YBits(int(entry["bits"]))] // 8
            mine = whole[None, place * size : (place + 1) * size]
            y = unpack_results(mine, int(entry["bits"]), descs[number].y_unsigned, params.lanes)[0]
            found[number] = (y, int(entry["mask"][place]))
    return found


def exact_range(s: I64, desc: RanDescriptor) -> tuple[I64, I64]:
    """Smallest and largest legal result of sums (J, L): by division, with its remainder."""
    step = 1 << desc.shift
    down, rest = np.divmod(s, step)
    up = down + (rest > 0)
    if desc.round == Round.NEAREST:
        down = down + ((2 * rest > step) | ((2 * rest == step) & (down % 2 == 1)))
    low, high = (0, 2**63 - 1) if desc.relu else (-(2**63), 2**63 - 1)
    bits = PRECISION[YBits(desc.y_bits)]
    small, large = (0, 2**bits - 1) if desc.y_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    bounds = (max(low, small), min(high, large))
    return np.clip(down, *bounds), np.clip(up if desc.round == Round.STOCHASTIC else down, *bounds)


def judge_results(
    verdict: Verdict, params: RanParams, work: dict[int, Work], found: dict[int, tuple[I64, int]], cycle: int
) -> None:
    """Results against exact arithmetic on what the jobs were made of, by number since reset: everything left once, and
    is right.

    Every lane by division in whole arrays; jobs in equal distances, at most `_FRACTIONS`, also by exact fractions.
    """
    expected = {number for number, entry in work.items() if entry.total is not None}
    verdict.count("value", len(expected))
    if expected != set(found):
        missing, extra = sorted(expected - set(found)), sorted(set(found) - expected)
        verdict.diverge("result", cycle, "jobs that left", f"{extra[:3]} too many", f"{missing[:3]} more", 1)
        return
    numbers = [number for number, entry in work.items() if entry.total is not None and entry.start is not None]
    by_desc: dict[RanDescriptor, list[int]] = {}
    for number in numbers:
        by_desc.setdefault(work[number].desc, []).append(number)
    lane = np.arange(params.lanes)
    for desc, mine in by_desc.items():
        y = np.stack([found[number][0] for number in mine])
        masks = np.array([found[number][1] for number in mine])[:, None] >> lane & 1 == 1
        dead = (np.array([work[number].mask for number in mine])[:, None] >> lane & 1 == 1) | (lane >= desc.lanes)
        limit = desc.limit(params)
        start = np.stack([np.asarray(work[number].start) for number in mine]).clip(-limit, limit)
        s = np.where(dead, 0, np.stack([np.asarray(work[number].total) for number in mine]) + start)
        low, high = exact_range(s, desc)
        verdict.count("value", 2 * y.size)
        for what, got, least, most in (
            ("mask", masks, dead | (desc.relu & (s <= 0)), dead | (desc.relu & (s <= 0))),
            ("result", y, low, high),
        ):
            bad = np.argwhere((got < least) | (got > most))
            if len(bad):
                job, at = bad[0]
                expectation = f"{least[job, at]} .. {most[job, at]}"
                verdict.diverge(
                    "result", cycle, f"job {mine[job]} lane {at}: {what}", got[job, at], expectation, len(bad)
                )
                return
        for job in range(0, len(mine), max(1, len(numbers) // _FRACTIONS)):
            for at in range(params.lanes):
                ends = (requantise_exact(int(s[job, at]), desc, Fraction(r, 2**26)) for r in (1, 2**26 - 1))
                least, most = ends
                verdict.count("value", 1)
                if not least <= y[job, at] <= most:
                    what = f"job {mine[job]} lane {at} by fractions"
                    verdict.diverge("result", cycle, what, y[job, at], f"{least} .. {most}")
                    return


def host_inputs(
    programs: Sequence[Any], seen: Mapping[str, Any], got: RanTraces, base: int, end: int
) -> dict[str, Any]:
    """Fields of `Stimulus` that come from the RAN's host alone, in a span: biases, partial sums, ready waves.

    `programs` have `bias_data` and `bias_last`; `seen` holds the log of "bias", and the waves.
    """
    pick = (seen["bias"].offer >= base) & (seen["bias"].offer < end)
    return {
        "bias_data": np.concatenate([program.bias_data for program in programs])[pick],
        "bias_last": np.concatenate([program.bias_last for program in programs])[pick],
        "bias_offer": seen["bias"].offer[pick] - base,
        "psum_data": got.psum_data,
        "psum_last": got.psum_last,
        "psum_offer": got.psum_offer,
        "horizon": end - base,
        "psum_req_ready": wave_or_none(seen["req"][base:end, 0]),
        "out_ready": wave_or_none(seen["out"][base:end, 0]),
        "stat_ready": wave_or_none(seen["stat"][base:end, 0]),
    }


@dataclass
class Epoch:
    """What was observed between two resets; cycles count from `base`."""

    base: int
    stim: Stimulus
    prediction: Prediction
    traces: RanTraces
    programs: list[Program]


class RanScoreboard(Scoreboard):
    """Is told `programs`, `counters` (None if they were not read) and `cleared` (the cycle in which they were)."""

    params: RanParams
    programs: list[list[Program]]  # by epoch
    counters: tuple[I64, I64] | None
    cleared: int | None
    epochs: list[Epoch]

    def judge(self) -> Verdict:
        """Splits the run at resets and compares each part; counters and results belong to the last part."""
        traces = read_traces(self.seen)
        self.epochs = []
        for base, end in reset_spans(traces.reset, self.cycles):
            self._epoch(traces, base, end)
        last = self.epochs[-1]
        if self.counters is not None:
            before = None
            if self.cleared is not None:
                cut = Stimulus(**{**last.stim.__dict__, "horizon": self.cleared - last.base})
                part = predict(self.params, cut)
                before = (part.row_counters, part.global_counters)
            want = (last.prediction.row_counters, last.prediction.global_counters)
            compare_counters(self.verdict, self.counters, want, self.cycles, before)
        if not self.drained:
            self.not_drained(self.cycles)
        elif not self.verdict.divergences:
            self._results(last)
        return self.verdict

    def judge_values(self) -> Verdict:
        """Values and order of what left, whatever the cycles (tb/ran/values.py)."""
        traces = read_traces(self.seen)
        self.epochs = []
        spans = reset_spans(traces.reset, self.cycles)
        for number, (base, end) in enumerate(spans):
            inputs = self._inputs(traces, base, end)
            judge = ValueJudge(self.verdict, self.params, self.programs[number], inputs, base, number + 1 < len(spans))
            judge.judge()
            self.least, self.timing = judge.least, judge.timing()
        if not self.drained:
            self.not_drained(self.cycles)
        return self.verdict

    def _inputs(self, traces: RanTraces, base: int, end: int) -> Inputs:
        """Sources' records come in epochs' order; those of one epoch are the ones offered in it."""
        log: dict[str, SourceLog] = {name: self.seen[name] for name in ("desc", "byp", "bias", "cancel")}
        rows: list[SourceLog] = self.seen["prod"]
        pick = {name: (entry.offer >= base) & (entry.offer < end) for name, entry in log.items()}
        programs = [program for epoch in self.programs for program in epoch]
        got = within(traces, base, end)

        # Products by row over all programs, then those of this epoch.
        tables, datas, accepted = [], [], []
        parts = [program.products() for program in programs]
        for row, entry in enumerate(rows):
            table = np.concatenate([part[0][part[0]["row"] == row] for part in parts])
            data = np.concatenate([part[1][part[0]["row"] == row] for part in parts])
            mine = (entry.offer >= base) & (entry.offer < end)
            table["offer"] = entry.offer - base
            tables.append(table[mine])
            datas.append(data[mine])
            accepted.append(np.where(entry.accept[mine] >= 0, entry.accept[mine] - base, -1))

        def counted(name: str) -> I64:
            mine = log[name].accept[pick[name]]
            return np.where(mine >= 0, mine - base, -1)

        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([getattr(program, name) for program in programs])

        byp = joined("byp")[pick["byp"]]
        byp["offer"] = log["byp"].offer[pick["byp"]] - base
        # A cancel acts when its source's gate lets it go.
        tags = np.array([tag for program in programs for tag, *_ in program.cancels], np.int64)
        gone = log["cancel"].accept
        acting = (gone >= base) & (gone < end)
        cancel = np.zeros(int(acting.sum()), CANCEL_DTYPE)
        cancel["cycle"], cancel["tag"] = gone[acting] - base, tags[acting]

        descs = [desc for program in programs for desc in program.descs]
        stim = Stimulus(
            descs=[desc for desc, take in zip(descs, pick["desc"], strict=True) if take],
            desc_offer=log["desc"].offer[pick["desc"]] - base,
            prod=np.concatenate(tables),
            prod_data=np.concatenate(datas),
            byp=byp,
            cancel=cancel,
            **host_inputs(programs, self.seen, got, base, end),
        )
        return Inputs(stim, got, np.concatenate(accepted), {name: counted(name) for name in pick})

    def _epoch(self, traces: RanTraces, base: int, end: int) -> None:
        verdict, params = self.verdict, self.params
        inputs = self._inputs(traces, base, end)
        stim, got = inputs.stim, inputs.traces
        want = predict(params, stim)

        def transfers(boundary: str, name: str, expected: I64) -> None:
            mine = cycle_table(inputs.accepts[name])
            compare_tables(verdict, boundary, "transfer", mine, cycle_table(expected), base=base)

        transfers("descriptor", "desc", want.desc_accept)
        mine = np.zeros(len(stim.prod), SHIFT_DTYPE)
        mine["row"], mine["cycle"] = stim.prod["row"], inputs.prod_accept
        wanted = mine.copy()
        wanted["cycle"] = want.prod_accept
        compare_by_row(verdict, "product", "product", mine, wanted, params.rows, base=base)
        transfers("bypass", "byp", want.byp_accept)
        transfers("bias", "bias", want.bias_accept)
        self._partial_sums(stim, want, got, base)
        compare(verdict, params, stim, want, got, base)
        self.epochs.append(Epoch(base, stim, want, got, self.programs[len(self.epochs)]))

    def _partial_sums(self, stim: Stimulus, want: Prediction, got: RanTraces, base: int) -> None:
        """What the memory offered is what was prepared for the job (only where Python prepared it)."""
        prepared = {
            number: beats for program in self.programs[len(self.epochs)] for number, beats in program.psum_work.items()
        }
        numbers = job_numbers(stim, want.desc_accept, want.desc_code, got.psum_tag, got.psum_offer)
        for number in np.unique(numbers):
            mine = numbers == number
            wanted = prepared.get(int(number))
            if wanted is None:
                continue
            self.verdict.count("value", mine.sum())
            data = got.psum_data[mine]
            if not np.array_equal(data, wanted[: len(data)]):
                self.verdict.diverge("psum", int(got.psum_offer[mine][0]) + base, f"sums of job {number}", data, wanted)

    def _results(self, epoch: Epoch) -> None:
        work = {program.first + n: entry for program in epoch.programs for n, entry in enumerate(program.work)}
        descs = {number: entry.desc for number, entry in work.items()}
        try:
            self.found = job_results(self.params, descs, epoch.traces.out, epoch.traces.out_data)
        except ValueError as error:
            self.verdict.diverge("result", self.cycles, "output stream", str(error), "every job once")
            return
        judge_results(self.verdict, self.params, work, self.found, self.cycles)
