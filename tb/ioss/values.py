"""CHECK=value of the IOSS core: every product of every job, to the bit and in its order, whatever the cycles.

Which row a job goes to depends on cycles; what its rows then send does not (docs/ioss/README.md). So products are
compared job by job and member by member; along a row jobs keep their order and the RAN's banks alternate. Counters and
observation ports are not looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.ioss.config import CoreParams
from models.ioss.cycle import Prediction, Stimulus, predict
from tb.ioss.program import TAGS
from tb.ioss.trace import TRACE_BYP_DTYPE, Events, job_numbers
from tb.lib.scoreboard import RSP_DTYPE, Timing, Verdict, compare_values

I64 = npt.NDArray[np.int64]
FIELDS = ("order", "last", "null", "tag", "mask")
SLACK = 64  # cycles a record that the model may need, at the most


def unhurried(params: CoreParams, stim: Stimulus) -> Prediction:
    """Everything that comes of what was offered, with consumers that are always ready and time enough."""
    work = stim.horizon + SLACK * (1 + len(stim.vec_data) + len(stim.tile_data) + len(stim.descs)) * params.depth
    return predict(params, replace(stim, horizon=work, prod_ready=None, byp_ready=None))


class ValueJudge:
    """Judges a span between resets into `verdict`. `cut`: a reset ends it, so what is missing may be missing."""

    def __init__(self, verdict: Verdict, params: CoreParams, stim: Stimulus, base: int, cut: bool) -> None:
        self.verdict, self.params, self.stim, self.base, self.cut = verdict, params, stim, base, cut
        self.want = unhurried(params, stim)
        self.least = self.want.prod_data.size + len(stim.descs)
        self.end = stim.horizon

    def judge(self, seen: Events, prod: npt.NDArray[np.void], data: npt.NDArray[np.int16]) -> None:
        """Answers, errors, products and bypassed jobs; all in cycles from the span's begin."""
        want = self.want
        answers = np.zeros(len(self.stim.descs), RSP_DTYPE)
        answers["code"] = want.desc_code
        self._same("descriptor", "answer", seen.rsp, answers)
        self.verdict.count("value", 1)
        told, due = len(seen.tile_err), len(want.tile_err_cycle)
        if told != due and not (self.cut and told < due):
            self.verdict.diverge("tile", self.end + self.base, "framing errors told", told, due)
        self._same("vector", "error", seen.job_err, want.job_err)
        self._rows(prod)
        self._products(prod, data)
        wanted = np.zeros(len(want.byp), TRACE_BYP_DTYPE)
        for name in ("tag", "mask"):
            wanted[name] = want.byp[name]
        self._same("bypass", "job", seen.byp, wanted)

    def timing(self, prod: npt.NDArray[np.void]) -> list[Timing]:
        """First and last product, beside the model's for the same offers and consumers."""
        want = predict(self.params, self.stim).prod
        if not len(prod) or not len(want):
            return []
        lines = [("first product taken", np.min), ("last product taken", np.max)]
        return [
            Timing(what, int(of(prod["cycle"])) + self.base, int(of(want["cycle"])) + self.base) for what, of in lines
        ]

    def _same(self, boundary: str, what: str, got: npt.NDArray[np.void], want: npt.NDArray[np.void]) -> bool:
        return compare_values(self.verdict, boundary, what, got, want, self.end, base=self.base, cut=self.cut)

    def _rows(self, prod: npt.NDArray[np.void]) -> None:
        """Along a row: whole jobs, and banks that alternate (from 0 again where the number of members changes)."""
        if not len(prod):
            return
        new = np.ones(len(prod), bool)
        new[1:] = (prod["row"][1:] != prod["row"][:-1]) | (prod["last"][:-1] == 1)
        held = np.flatnonzero(~new)
        first = np.flatnonzero(new)
        self.verdict.count("value", len(prod))
        for name in ("tag", "bank"):
            bad = held[prod[name][held] != prod[name][held - 1]]
            if len(bad):
                at = bad[0]
                what = f"row {prod['row'][at]}: {name} within a job"
                cycle = int(prod["cycle"][at]) + self.base
                self.verdict.diverge("product", cycle, what, prod[name][at], prod[name][at - 1], len(bad))
        regime = self._regimes(job_numbers(prod["tag"], prod["row"])[first])
        follows = first[1:][prod["row"][first[1:]] == prod["row"][first[:-1]]]
        place = np.searchsorted(first, follows)
        bank, before = prod["bank"][follows], prod["bank"][first[place - 1]]
        again = (regime[place] != regime[place - 1]) & (bank == 0)
        bad = follows[(bank == before) & ~again]
        if len(bad):
            at = bad[0]
            what = f"row {prod['row'][at]}: bank of job with tag {prod['tag'][at]}"
            cycle = int(prod["cycle"][at]) + self.base
            self.verdict.diverge("product", cycle, what, prod["bank"][at], 1 - prod["bank"][at], len(bad))

    def _regimes(self, numbers: I64) -> I64:
        """How often the reduce factor had changed before each of these jobs (-1 for jobs that nobody announced)."""
        good = [desc for desc, code in zip(self.stim.descs, self.want.desc_code, strict=True) if code == 0]
        factors = np.array([1, *(desc.reduce_factor for desc in good)])
        changes = np.cumsum(np.diff(factors) != 0)
        jobs = self.want.jobs
        place = np.arange(len(jobs))
        tags = jobs["tag"].astype(np.int64)
        of = dict(zip((tags + TAGS * np.rint((place - tags) / TAGS)).astype(int), changes[jobs["tile"]], strict=True))
        return np.array([of.get(int(number), -1) for number in numbers], np.int64)

    def _members(self, numbers: I64) -> I64:
        """How many rows share each of these jobs (1 for jobs that nobody announced)."""
        want = job_numbers(self.want.prod["tag"], self.want.prod["row"])
        pairs = np.unique(np.stack([want, self.want.prod["row"].astype(np.int64)], axis=1), axis=0)
        count = np.bincount(pairs[:, 0]) if len(pairs) else np.zeros(0, np.int64)
        known = (numbers >= 0) & (numbers < len(count))
        out = np.ones(len(numbers), np.int64)
        out[known] = np.maximum(count[numbers[known]], 1)
        return out

    def _keys(self, prod: npt.NDArray[np.void]) -> tuple[I64, I64]:
        """(order, key) of products by job, member and time; the key is one number for job and member."""
        number = job_numbers(prod["tag"], prod["row"])
        member = prod["row"].astype(np.int64) % self._members(number)
        key = number * self.params.rows + member
        order = np.argsort(key, kind="stable")
        return order, key[order]

    def _products(self, prod: npt.NDArray[np.void], data: npt.NDArray[np.int16]) -> None:
        want, rows, verdict = self.want, self.params.rows, self.verdict
        order, key = self._keys(prod)
        wanted_order, wanted_key = self._keys(want.prod)
        if self.cut:  # of every job and member as many as came
            place = np.arange(len(wanted_key)) - np.searchsorted(wanted_key, wanted_key)
            came = np.searchsorted(key, wanted_key, side="right") - np.searchsorted(key, wanted_key)
            keep = place < came
            wanted_order, wanted_key = wanted_order[keep], wanted_key[keep]
        verdict.count("value", len(wanted_key) * (self.params.lanes + 1))
        both = min(len(key), len(wanted_key))
        mine, theirs = order[:both], wanted_order[:both]
        bad = key[:both] != wanted_key[:both]
        for name in FIELDS:
            bad |= prod[name][mine] != want.prod[name][theirs]
        lanes = data[mine] != want.prod_data[theirs]
        wrong = np.flatnonzero(bad | lanes.any(axis=1))
        if not len(wrong) and len(key) == len(wanted_key):
            return
        at = int(wrong[0]) if len(wrong) else both
        at_end = self.end + self.base
        cycle = int(prod["cycle"][order[at]]) + self.base if at < len(key) else at_end
        named = min(each[at] for each in (key, wanted_key) if at < len(each))
        count = len(wrong) + abs(len(key) - len(wanted_key))
        nth = at - int(np.searchsorted(wanted_key, named))
        what = f"job {named // rows} member {named % rows} product {nth}"
        if at < both and not bad[at]:
            lane = int(np.flatnonzero(lanes[at])[0])
            got, due = data[order[at], lane], want.prod_data[wanted_order[at], lane]
            verdict.diverge("product", cycle, f"{what} lane {lane}", got, due, count)
            return

        def said(table: npt.NDArray[np.void], places: I64, keys: I64) -> str:
            if at >= len(keys) or keys[at] != named:
                return "nothing"
            return ", ".join(f"{name}={table[name][places[at]]}" for name in FIELDS)

        verdict.diverge(
            "product", cycle, what, said(prod, order, key), said(want.prod, wanted_order, wanted_key), count
        )
