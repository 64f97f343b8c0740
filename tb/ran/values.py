"""CHECK=value of the RAN: every job that left, to the bit and in its order, whatever the cycles.

What decides is known from the ports alone. A job's value, random numbers included, follows from what it is made of and
from its number; the order of jobs from the cycles in which their last products were taken (docs/ran/reference.md,
"Completion order, bypass, partial-sum requests"). How jobs share beats depends on cycles: beats must hold what they say
they hold.
Counters and observation ports are not looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.common.formats import CONTAINER, YBits
from models.common.generator import draws
from models.common.rounding import Round, bit_length
from models.ran.config import TAGS, RanDescriptor, RanParams, RspCode, Start
from models.ran.cycle import JOB_STAT_DTYPE, OUT_DTYPE, REQ_DTYPE, STAT_DTYPE, Stimulus, predict
from models.ran.value import pack_results, quantise, saturate, start_words, unpack_results
from tb.lib.scoreboard import RSP_DTYPE, Timing, Verdict, compare_values
from tb.ran.program import Program, Work
from tb.ran.trace import RanTraces

I64 = npt.NDArray[np.int64]
COUNTED = ("overflow", "zeros", "max_bit", "sum_abs")


@dataclass
class Inputs:
    """What one span between resets was given, and what was seen; cycles count from its begin."""

    stim: Stimulus
    traces: RanTraces
    prod_accept: I64  # (Q,) of `stim.prod`, -1: was not taken
    accepts: dict[str, I64]  # of the other sources


@dataclass
class _Left:
    """A job as it left: its number, its beats (from, to), its place in them, the cycle in which they were offered."""

    number: int
    beats: tuple[int, int]
    place: int
    offered: int


class ValueJudge:
    """Judges a span into `verdict`. `cut`: a reset ends it, so what is missing may be missing."""

    def __init__(
        self, verdict: Verdict, params: RanParams, programs: Sequence[Program], inputs: Inputs, base: int, cut: bool
    ) -> None:
        self.verdict, self.params, self.inputs, self.base, self.cut = verdict, params, inputs, base, cut
        self.programs = programs
        self.work: dict[int, Work] = {
            program.first + n: entry for program in programs for n, entry in enumerate(program.work)
        }
        self.due = [number for number, entry in self.work.items() if entry.total is not None]
        self.least = len(self.due) * params.lanes + len(inputs.stim.descs)
        self.end = inputs.stim.horizon

    def judge(self) -> None:
        """Answers, order, results, statistics, requests, errors."""
        stim, got = self.inputs.stim, self.inputs.traces
        answers = np.zeros(len(stim.descs), RSP_DTYPE)
        answers["code"] = [int(desc.check(self.params)) for desc in stim.descs]
        self._same("descriptor", "answer", got.rsp, answers)
        self._starts()
        left = self._left()
        if left is None:
            return
        self._order(left)
        numbers = [job.number for job in left]
        sums, dead = self._sums(numbers)
        self._results(left, sums, dead)

    def timing(self) -> list[Timing]:
        """First and last beat of the output, beside the model's for the same offers."""
        want, got = predict(self.params, self.inputs.stim).out, self.inputs.traces.out
        if not len(got) or not len(want):
            return []
        lines = [
            Timing("first beat of results offered", int(got["valid_cycle"][0]), int(want["valid_cycle"][0])),
            Timing("last beat of results taken", int(got["cycle"][-1]), int(want["cycle"][-1])),
        ]
        lines = [replace(line, yours=line.yours + self.base, model=line.model + self.base) for line in lines]
        return [*lines, Timing("beats of results", len(got), len(want))]

    def _same(self, boundary: str, what: str, got: npt.NDArray[np.void], want: npt.NDArray[np.void]) -> bool:
        return compare_values(self.verdict, boundary, what, got, want, self.end, base=self.base, cut=self.cut)

    def _diverge(self, boundary: str, cycle: int, what: str, observed: object, expected: object) -> None:
        self.verdict.diverge(boundary, int(cycle) + self.base, what, observed, expected)

    # ---- start values ------------------------------------------------------------------------------------------------
    def _starts(self) -> None:
        """Start words of every job by number, and how often framing was wrong."""
        stim, got, lanes = self.inputs.stim, self.inputs.traces, self.params.lanes
        self.start: dict[int, I64] = {}
        bias = self._framed(stim.bias_data, stim.bias_last)
        number = errors = 0
        for desc in stim.descs:
            if desc.check(self.params) != RspCode.OK:
                continue
            if desc.start == Start.BIAS and bias:
                beats = bias.pop(0)
                errors += len(beats) != lanes // 4
                words = start_words(beats[: lanes // 4], 32, lanes)
                self.start |= dict.fromkeys(range(number, number + desc.n_jobs), words)
            number += desc.n_jobs
        self._errors("bias", len(got.bias_err), errors)
        errors = 0
        offered = got.psum_offer >= 0
        at = number = 0
        for beats in self._framed(got.psum_data[offered], got.psum_last[offered]):
            number = self._number(int(got.psum_tag[offered][at]), number)
            at += len(beats)
            desc = self.work[number].desc if number in self.work else None
            if desc is None or desc.start not in (Start.PSUM32, Start.PSUM64):
                continue  # the request was wrong, and is named as such
            whole = desc.start_beats(self.params)
            errors += len(beats) != whole
            self.start[number] = start_words(beats[:whole], 32 if desc.start == Start.PSUM32 else 64, lanes)
        self._errors("psum", len(got.psum_err), errors)

    @staticmethod
    def _framed(data: npt.NDArray[np.uint8], last: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.uint8]]:
        ends = np.flatnonzero(last) + 1
        return [data[lo:hi] for lo, hi in zip([0, *ends[:-1]], ends, strict=False)]

    def _errors(self, boundary: str, got: int, want: int) -> None:
        self.verdict.count("value", 1)
        if got != want and not (self.cut and got < want):
            self._diverge(boundary, self.end, "framing errors told", got, want)

    # ---- jobs --------------------------------------------------------------------------------------------------------
    def _number(self, tag: int, near: int) -> int:
        """The number with this tag next to the job `near`: far fewer than 2^15 jobs are under way."""
        return tag + TAGS * round((near - tag) / TAGS)

    def _left(self) -> list[_Left] | None:
        """Jobs in the order in which they left; None if the stream cannot be read."""
        out, lanes = self.inputs.traces.out, self.params.lanes
        left: list[_Left] = []
        seen: set[int] = set()
        at = near = 0
        while at < len(out):
            entry = out[at]
            jobs = int(entry["jobs"])
            tags = entry["tag"][: max(1, min(jobs, 4))].tolist()
            numbers = []
            for tag in tags:
                near = self._number(tag, near)
                numbers.append(near)
            wrong = next((n for n in numbers if n in seen or n not in self.work or self.work[n].total is None), None)
            if wrong is not None:
                why = "left before" if wrong in seen else "never came"
                self._diverge("output", entry["valid_cycle"], f"tag {wrong % TAGS}, which {why}", "a job", "none")
                return None
            seen.update(numbers)
            descs = [self.work[n].desc for n in numbers]
            places = descs[0].places(self.params)
            if not 1 <= jobs <= places or len({desc.y_bits for desc in descs}) > 1:
                formats = [YBits(desc.y_bits).name for desc in descs]
                what = f"beat of job {numbers[0]}: jobs in it"
                self._diverge(
                    "output", entry["valid_cycle"], what, f"{jobs} ({formats})", f"1 .. {places} of one format"
                )
                return None
            count = max(1, lanes * CONTAINER[YBits(descs[0].y_bits)] // 128)
            stop = min(at + count, len(out))
            left += [_Left(n, (at, stop), place, int(entry["valid_cycle"])) for place, n in enumerate(numbers)]
            if at + count > len(out) and not self.cut:
                self._diverge("output", self.end, f"beats of job {numbers[0]}", stop - at, count)
                return None
            at += count
        missing = [number for number in self.due if number not in seen]
        self.verdict.count("value", len(self.due))
        if missing and not self.cut:
            self._diverge(
                "output", self.end, f"{len(missing)} of {len(self.due)} jobs", "missing", f"job {missing[0]} .."
            )
        return left

    def _order(self, left: list[_Left]) -> None:
        """Jobs leave in the order in which they were complete; those of one cycle by group. Where a bypassed job stands
        among others depends on cycles; bypassed jobs keep their own order."""
        self.taken = self._taken()
        places = {True: [], False: []}  # type: dict[bool, list[tuple[tuple[int, int], int, int]]]
        for job in left:
            key = self.taken.get(job.number)
            if key is None:
                self._diverge(
                    "output", job.offered, f"job {job.number} left", "before its last product was taken", "later"
                )
                continue
            bypassed, cycle, group = key
            places[bypassed].append(((cycle, group), job.number, job.offered))
        for bypassed, jobs in places.items():
            self.verdict.count("value", len(jobs))
            for before, after in itertools.pairwise(jobs):
                if after[0] < before[0]:
                    what = "bypassed jobs in their order" if bypassed else "jobs in the order of their last products"
                    self._diverge("output", after[2], what, f"job {after[1]} after job {before[1]}", "before it")
                    break
        for job in left:
            if job.number in self.taken and self.taken[job.number][1] >= job.offered:
                self._diverge("output", job.offered, f"job {job.number} left", "before its last product", "after it")
                break

    def _taken(self) -> dict[int, tuple[bool, int, int]]:
        """Of every job whose last products were taken: bypassed, cycle, group."""
        stim, out = self.inputs.stim, {}
        ends = np.flatnonzero(stim.prod["last"] == 1)
        near = dict.fromkeys(range(self.params.rows), 0)
        count: dict[int, list[int]] = {}
        for at in ends:
            row = int(stim.prod["row"][at])
            number = near[row] = self._number(int(stim.prod["tag"][at]), near[row])
            if number not in self.work:
                continue
            count.setdefault(number, []).append(int(self.inputs.prod_accept[at]))
            members = self.work[number].desc.reduce_factor
            if len(count[number]) == members and min(count[number]) >= 0:
                out[number] = (False, max(count[number]), row // members)
        number = 0
        for tag, cycle in zip(stim.byp["tag"].tolist(), self.inputs.accepts["byp"].tolist(), strict=True):
            number = self._number(tag, number)
            if cycle >= 0:
                out[number] = (True, cycle, 0)
        return out

    # ---- values ------------------------------------------------------------------------------------------------------
    def _sums(self, numbers: list[int]) -> tuple[I64, npt.NDArray[np.bool_]]:
        """Sums (J, L) on their way to rounding, 0 in dead lanes; dead lanes."""
        lanes, lane = self.params.lanes, np.arange(self.params.lanes)
        sums = np.zeros((len(numbers), lanes), np.int64)
        dead = np.zeros(sums.shape, bool)
        for at, number in enumerate(numbers):
            entry = self.work[number]
            limit = entry.desc.limit(self.params)
            start = self.start.get(number, np.zeros(lanes, np.int64))
            dead[at] = (entry.mask >> lane & 1 == 1) | (lane >= entry.desc.lanes)
            sums[at] = np.where(dead[at], 0, np.asarray(entry.total) + np.clip(start, -limit, limit))
        return sums, dead

    def _results(self, left: list[_Left], sums: I64, dead: npt.NDArray[np.bool_]) -> None:
        got, lanes, lane = self.inputs.traces, self.params.lanes, np.arange(self.params.lanes)
        descs = [self.work[job.number].desc for job in left]
        drawn = self._draws(left, descs)
        y = np.zeros_like(sums)
        stats = np.zeros(len(left), JOB_STAT_DTYPE)
        packed: list[npt.NDArray[np.uint8]] = [np.zeros(0, np.uint8)] * len(left)
        by_desc: dict[RanDescriptor, list[int]] = {}
        for at, desc in enumerate(descs):
            by_desc.setdefault(desc, []).append(at)
        for desc, mine in by_desc.items():
            y[mine], of = self._finished(desc, sums[mine], drawn[mine])
            for name in COUNTED:
                stats[name][mine] = of[name]
            for at, data in zip(mine, pack_results(y[mine], desc.y_bits), strict=True):
                packed[at] = data
        relu = np.array([desc.relu for desc in descs], bool).reshape(-1, 1)
        masks = ((dead | (relu & (sums <= 0))).astype(np.int64) << lane).sum(axis=1)
        stats["tag"] = [job.number % TAGS for job in left]

        want = np.zeros(len(got.out), OUT_DTYPE)
        data = np.zeros((len(got.out), 16), np.uint8)
        at = 0
        while at < len(left):
            job = left[at]
            group = [at]
            while group[-1] + 1 < len(left) and left[group[-1] + 1].beats == job.beats:
                group.append(group[-1] + 1)
            lo, hi = job.beats
            want["bits"][lo:hi], want["jobs"][lo:hi] = descs[at].y_bits, len(group)
            want["tag"][lo:hi, : len(group)] = stats["tag"][group]
            want["mask"][lo:hi, : len(group)] = masks[group]
            count = max(1, lanes * CONTAINER[YBits(descs[at].y_bits)] // 128)
            if hi - lo == count:
                want["last"][hi - 1] = 1
            whole = np.concatenate([packed[other] for other in group])
            whole = np.concatenate([whole, np.zeros(-len(whole) % 16, np.uint8)])
            data[lo:hi] = whole.reshape(-1, 16)[: hi - lo]
            at = group[-1] + 1
        self._lanes(left, y)
        self._same("output", "beat", got.out, want)
        bad = np.flatnonzero((data != got.out_data).any(axis=1))
        if len(bad) and not any(each.boundary == "output" for each in self.verdict.divergences):
            self._diverge(
                "output", got.out["valid_cycle"][bad[0]], f"beat {bad[0]}", got.out_data[bad[0]], data[bad[0]]
            )
        self._statistics(left, descs, stats)
        requests = [
            job.number % TAGS for job in left if self.work[job.number].desc.start in (Start.PSUM32, Start.PSUM64)
        ]
        req = np.zeros(len(requests), REQ_DTYPE)
        req["tag"] = requests
        # A request comes before its job leaves: of a span that is cut there may be more.
        self._same("psum", "request", got.req[: len(req)] if self.cut else got.req, req)

    @staticmethod
    def _finished(desc: RanDescriptor, sums: I64, draws: I64) -> tuple[I64, dict[str, I64]]:
        """Results (J, L) of sums, and the statistics of each job."""
        z = quantise(sums, desc, draws)
        y, over = saturate(z, desc)
        sum_abs = np.zeros(len(y), np.int64) if desc.raw else np.abs(y).sum(axis=1)
        zeros = ((y == 0) & (np.arange(y.shape[1]) < desc.lanes)).sum(axis=1)
        columns = (over.sum(axis=1), zeros, bit_length(z).max(axis=1, initial=0), sum_abs)
        return y, dict(zip(COUNTED, columns, strict=True))

    def _lanes(self, left: list[_Left], y: I64) -> None:
        """Results as they lie in the beats, lane by lane."""
        got = self._unpacked(left)
        self.verdict.count("value", y.size)
        whole = np.array([g is not None for g in got], bool)
        seen = np.array([g if g is not None else np.zeros(self.params.lanes, np.int64) for g in got], np.int64)
        bad = np.argwhere((seen.reshape(y.shape) != y) & whole[:, None])
        if len(bad):
            at, lane = bad[0]
            job = left[at]
            what = f"job {job.number} lane {lane}"
            self.verdict.diverge("output", job.offered + self.base, what, seen[at, lane], y[at, lane], len(bad))

    def _unpacked(self, left: list[_Left]) -> list[I64 | None]:
        out: list[I64 | None] = []
        lanes = self.params.lanes
        for job in left:
            desc = self.work[job.number].desc
            size = lanes * CONTAINER[YBits(desc.y_bits)] // 8
            whole = self.inputs.traces.out_data[slice(*job.beats)].reshape(-1)[
                job.place * size : (job.place + 1) * size
            ]
            full = len(whole) == size
            out.append(unpack_results(whole[None], desc.y_bits, desc.y_unsigned, lanes)[0] if full else None)
        return out

    def _statistics(self, left: list[_Left], descs: list[RanDescriptor], stats: npt.NDArray[np.void]) -> None:
        """Of jobs, in the order in which they left; of tensors, in the order of descriptors."""
        got = self.inputs.traces
        # A job's statistics come before its beat: of a span that is cut there may be more.
        seen = got.job_stat[: len(stats)] if self.cut else got.job_stat
        self._same("statistic", "job", seen, stats)
        of = {job.number: at for at, job in enumerate(left)}
        records: list[tuple[int, ...]] = []
        pending: list[int] = []
        number = 0
        lanes = 0
        for desc in self.inputs.stim.descs:
            if desc.check(self.params) != RspCode.OK:
                continue
            jobs = range(number, number + desc.n_jobs)
            mine = [of[job] for job in jobs if job in of]
            number += desc.n_jobs
            if self.cut and any(self.work[job].total is not None and job not in of for job in jobs):
                break
            pending += mine
            lanes += len(mine) * desc.lanes
            if desc.stat_last:
                part = stats[pending]
                sums = (part["overflow"].sum(), part["zeros"].sum(), part["max_bit"].max(initial=0))
                records.append((0, 0, lanes, *map(int, sums), int(part["sum_abs"].astype(np.int64).sum())))
                pending, lanes = [], 0
        seen = got.stat[: len(records)] if self.cut else got.stat
        self._same("statistic", "tensor", seen, np.array(records, STAT_DTYPE))

    # ---- random numbers ----------------------------------------------------------------------------------------------
    def _draws(self, left: list[_Left], descs: list[RanDescriptor]) -> I64:
        """Draws (J, L) of the jobs, 0 for those that draw nothing."""
        first: dict[int, int] = {}  # number of the first job of a job's descriptor
        number = 0
        for desc in self.inputs.stim.descs:
            if desc.check(self.params) == RspCode.OK:
                first |= dict.fromkeys(range(number, number + desc.n_jobs), number)
                number += desc.n_jobs
        out = np.zeros((len(left), self.params.lanes), np.int64)
        drawing = [at for at, desc in enumerate(descs) if desc.round == Round.STOCHASTIC]
        numbers = [descs[at].draw + left[at].number - first[left[at].number] for at in drawing]
        out[drawing] = draws(numbers, self.params.lanes)
        return out
