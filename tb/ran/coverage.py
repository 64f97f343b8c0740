"""Functional coverage of the RAN: the bins (docs/ran/README.md gives the terms) and how a run fills them.

Everything is sampled after the verdict, from what was offered and from what the scoreboard has found equal to the
model's prediction. Bins are meant for the default parameters 8 x 16, two banks. `J` jobs in the order of their swaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.formats import YBits
from models.common.generator import NUMBERS
from models.common.rounding import Round
from models.ran.config import LEGAL_REDUCE, GlobalCounter, RanDescriptor, RanParams, RowCounter, RspCode
from models.ran.cycle import Prediction, Stimulus, job_numbers
from tb.lib.coverage import Coverage, CoverGroup, Coverpoint, Cross, Ignore, functional, write_run
from tb.lib.paths import REPORTS
from tb.lib.runinfo import RunInfo

I64 = npt.NDArray[np.int64]
FORMATS = ("4", "8", "12", "16", "raw 32", "raw 64")
ROUNDS = ("nearest", "truncate", "stochastic")
REDUCE = tuple(str(factor) for factor in LEGAL_REDUCE)
STARTS = ("zero", "bias", "psum 32", "psum 64")
NO_YES = ("no", "yes")
_RAW = "raw sums are neither shifted nor made unsigned nor passed through ReLU (RspShift, RspRaw)"
_PLACES = "at 16 lanes two jobs share a beat at 4 bits only"


def _raw(y_bits: str) -> bool:
    return y_bits.startswith("raw")


FORMAT = CoverGroup(
    "format",
    (
        Coverpoint("y_bits", FORMATS, "format of jobs that left the quantisers"),
        Coverpoint("rounding", ROUNDS),
        Coverpoint("unsigned", NO_YES),
        Coverpoint("relu", NO_YES),
        Coverpoint.ranges("shift", "sh", 0, 1, 2, 8, 16, 32),
        Coverpoint("rand_bits", ("8", "12", "16", "24"), "of jobs rounded stochastically"),
        Coverpoint("lanes", ("1", "some", "all"), "live lanes"),
        Cross("rounding_by_format", ("y_bits", "rounding")),
        Cross(
            "signs",
            ("y_bits", "unsigned", "relu"),
            ignore=(Ignore(lambda y, u, r: _raw(y) and "yes" in (u, r), _RAW),),
        ),
        Cross("rounding_by_shift", ("rounding", "shift")),
    ),
    "formats and roundings of jobs",
)

ORDER = CoverGroup(
    "output",
    (
        Coverpoint("y_from", FORMATS, "format of the job before"),
        Coverpoint("y_to", FORMATS),
        Cross("transitions", ("y_from", "y_to"), "formats of consecutive jobs"),
        Coverpoint("y_bits", FORMATS),
        Coverpoint("jobs", ("1", "2"), "jobs in a beat"),
        Cross("jobs_by_format", ("y_bits", "jobs"), ignore=(Ignore(lambda y, n: n == "2" and y != "4", _PLACES),)),
        Coverpoint.ranges("wait", "cycles that a beat waits", 0, 1, 4, 100, 1000),
        Cross("wait_by_format", ("y_bits", "wait")),
    ),
    "the output stream",
)

VALUES = CoverGroup(
    "values",
    (
        Coverpoint("fraction", ("none", "below half", "tie", "above half"), "what rounding takes away; jobs from zero"),
        Coverpoint("sign", ("not negative", "negative")),
        Coverpoint("rounding", ROUNDS),
        Cross("fractions", ("fraction", "sign", "rounding")),
        Coverpoint("y_bits", FORMATS),
        Coverpoint("limited", ("none", "high", "low"), "saturation of live lanes"),
        Cross(
            "saturation",
            ("y_bits", "limited"),
            ignore=(Ignore(lambda y, n: y == "raw 64" and n != "none", "64 bits hold every sum"),),
        ),
        Coverpoint.ranges("magnitude", "bits of a job's largest sum", 0, 1, 8, 16, 24, 32, 36),
        Coverpoint(
            "mask", ("on", "off by ReLU, negative", "off by ReLU, zero", "masked", "padding"), "why a lane is off"
        ),
    ),
    "values of lanes",
)

START = CoverGroup(
    "start",
    (
        Coverpoint("kind", STARTS, "start value of jobs"),
        Coverpoint("bias", ("good", "early", "late"), "framing"),
        Coverpoint("psum", ("good", "early", "late"), "framing"),
        Coverpoint("kind_from", STARTS),
        Coverpoint("kind_to", STARTS),
        Cross("transitions", ("kind_from", "kind_to"), "consecutive descriptors"),
        Coverpoint.ranges("request_wait", "cycles that a request waits", 0, 1, 4),
        Coverpoint.ranges("value_wait", "cycles that the oldest job of the drain queue waits, by kind", 1, 2, 10),
        Cross("waits", ("kind", "value_wait"), ignore=(
            Ignore(lambda k, w: k.startswith("psum") and w == "1", "partial sums take at least five cycles to come"),
        )),
    ),
    "start values",
)  # fmt: skip

GROUPING = CoverGroup(
    "groups",
    (
        Coverpoint("factor", REDUCE, "reduce factor of jobs"),
        Coverpoint("member", tuple(map(str, range(8))), "member that ends last"),
        Cross(
            "last_member",
            ("factor", "member"),
            ignore=(Ignore(lambda f, m: int(m) >= int(f), "the group has no such member"),),
        ),
        Coverpoint.ranges("spread", "cycles from the first member's end to the last's", 0, 1, 4, 32),
        Cross("spread_by_factor", ("factor", "spread"), ignore=(
            Ignore(lambda f, s: f == "1" and s != "0", "a row that is a group ends once"),
        )),
        Coverpoint("nulls", ("none", "some", "all but one"), "members with nothing"),
        Cross("nulls_by_factor", ("factor", "nulls"), ignore=(
            Ignore(lambda f, n: f == "1" and n != "none", "nulls belong to groups"),
            Ignore(lambda f, n: f == "2" and n == "some", "one of two members is all but one"),
        )),
        Coverpoint("factor_from", REDUCE),
        Coverpoint("factor_to", REDUCE),
        Cross("changes", ("factor_from", "factor_to")),
        Coverpoint("entry", tuple(map(str, range(8)))),
        Coverpoint("bank", ("0", "1")),
        Cross("places", ("entry", "bank"), "where jobs lay"),
        Coverpoint.ranges("products", "products of a row for a job", 1, 2, 8, 32),
    ),
    "rows and groups",
)  # fmt: skip

BANKS = CoverGroup(
    "banks",
    (
        Coverpoint("bank", ("0", "1")),
        Coverpoint.ranges("wait", "cycles that a row's first product of a job waits", 0, 1, 6, 100),
        Cross("wait_by_bank", ("bank", "wait")),
        Coverpoint("cause", ("not covered", "member", "drain"), "stalls that were counted"),
    ),
    "waiting for a bank",
)

COMPLETION = CoverGroup(
    "completion",
    (
        Coverpoint.ranges("together", "jobs complete in one cycle", 1, 2, 3, 5),
        Coverpoint("bypass", ("alone", "with others"), "bypassed jobs"),
        Coverpoint("order", ("in order", "overtaken"), "against the job numbers"),
        Coverpoint.ranges("queued", "cycles in the order queue", 0, 1, 2, 8),
        Coverpoint.ranges("drain", "cycles in the drain queue", 1, 2, 8, 100),
        Coverpoint.ranges("byp_wait", "cycles that a bypass waits", 0, 1, 10),
    ),
    "completion order",
)

SLOTS = CoverGroup(
    "slots",
    (
        Coverpoint("code", tuple(code.name for code in RspCode), "answers"),
        Coverpoint("before", ("accepted", "refused")),
        Coverpoint("this", ("accepted", "refused")),
        Cross("neighbours", ("before", "this")),
        Coverpoint.ranges("wait", "cycles that a descriptor waits", 0, 1, 100),
        Coverpoint.ranges("n_jobs", "jobs of accepted descriptors", 1, 2, 16, 64, 1000),
        Coverpoint("cancelled", ("none", "some", "all"), "of a slot's jobs"),
    ),
    "descriptors and slots",
)

STATISTICS = CoverGroup(
    "statistics",
    (
        Coverpoint.ranges("wait", "cycles that a record waits", 0, 1, 10),
        Coverpoint.ranges("overflow", "overflows of a tensor", 0, 1, 2),
        Coverpoint.ranges("max_bit", "largest magnitude of a job", 0, 1, 8, 16, 32),
        Coverpoint("zeros", ("none", "some", "all"), "zeros of a job"),
    ),
    "statistics",
)

RANDOM = CoverGroup(
    "random",
    (
        Coverpoint("number", ("below 2^32", "passes 2^32"), "numbers of a descriptor's draws"),
        Coverpoint("order", ("in order", "overtaken"), "a job that draws, and earlier ones of its descriptor"),
        Coverpoint.ranges("draws", "jobs of a descriptor that draw", 1, 2, 100),
    ),
    "random numbers",
)

RESET = CoverGroup(
    "reset",
    (
        Coverpoint(
            "state",
            ("slot only", "products in a bank", "both banks of a row", "drain queue", "beat at the output", "nothing"),
            "what a reset in the middle meets",
        ),
        Coverpoint("behind", ("job", "bypass"), "what comes first after it"),
    ),
    "resets in the middle of work",
)

COUNTERS = CoverGroup(
    "counters",
    (
        Coverpoint("row", tuple(map(str, range(8)))),
        Coverpoint("index", tuple(counter.name.lower() for counter in RowCounter)),
        Cross("row_counters", ("row", "index"), "counters that were not zero when they were read"),
        Coverpoint("whole", tuple(counter.name.lower() for counter in GlobalCounter)),
    ),
    "counters",
)

GROUPS = (
    FORMAT, ORDER, VALUES, START, GROUPING, BANKS, COMPLETION, SLOTS, STATISTICS, RANDOM, RESET, COUNTERS,
)  # fmt: skip


class Sampler:
    """Fills a `Coverage` from epochs."""

    def __init__(self, params: RanParams, out: Coverage) -> None:
        self.params, self.out = params, out

    def _index(self, group: CoverGroup, point: str, values: npt.ArrayLike) -> I64:
        return group.points[point].index(values)

    @staticmethod
    def _numbers(stim: Stimulus, want: Prediction, tags: npt.ArrayLike, cycles: I64) -> I64:
        return job_numbers(stim, want.desc_accept, want.desc_code, tags, cycles)

    def epoch(self, stim: Stimulus, want: Prediction, in_the_middle: bool, behind_reset: bool) -> None:
        """One epoch; `in_the_middle`: a reset ended it."""
        jobs = want.jobs
        self._descriptors(stim, want)
        if len(jobs):
            self._jobs(stim, want)
            self._values(stim, want)
            self._order(stim, want)
        self._groups(stim, want)
        self._streams(stim, want)
        if in_the_middle:
            self._reset(stim, want)
        if behind_reset and len(jobs):
            self.out.sample("reset", behind=int(jobs["byp"][0]))

    def _jobs(self, stim: Stimulus, want: Prediction) -> None:
        done = want.jobs[: len(want.job_stat)]
        descs = [stim.descs[at] for at in done["desc"]]
        column = {
            name: np.array([int(getattr(desc, name)) for desc in descs], np.int64)
            for name in ("y_bits", "round", "y_unsigned", "relu", "shift", "rand_bits", "lanes", "start")
        }
        lanes = np.select([column["lanes"] == self.params.lanes, column["lanes"] == 1], [2, 0], 1)
        self.out.sample(
            "format",
            y_bits=column["y_bits"],
            rounding=column["round"],
            unsigned=column["y_unsigned"],
            relu=column["relu"],
            shift=self._index(FORMAT, "shift", column["shift"]),
            lanes=lanes,
        )
        draws = column["round"] == Round.STOCHASTIC
        self.out.sample("format", rand_bits=column["rand_bits"][draws])
        self.out.sample("output", y_from=column["y_bits"][:-1], y_to=column["y_bits"][1:])
        stat = want.job_stat
        zeros = np.select([stat["zeros"] == 0, stat["zeros"] == column["lanes"]], [0, 2], 1)
        self.out.sample("statistics", max_bit=self._index(STATISTICS, "max_bit", stat["max_bit"]), zeros=zeros)
        waits = done["swap"] - np.maximum(
            done["select"] + 1, np.concatenate([[-1], done["swap"][:-1] + 1])[: len(done)]
        )
        waits = waits + 1
        self.out.sample("start", kind=column["start"], value_wait=self._index(START, "value_wait", waits))

    def _values(self, stim: Stimulus, want: Prediction) -> None:
        done = len(want.job_stat)
        lane = np.arange(self.params.lanes)
        magnitude = np.frexp(np.abs(want.swap_acc).max(axis=1, initial=0).astype(float))[1]
        self.out.sample("values", magnitude=self._index(VALUES, "magnitude", magnitude))
        for number in np.unique(want.jobs["desc"][:done]):
            desc: RanDescriptor = stim.descs[number]
            mine = np.flatnonzero(want.jobs["desc"][:done] == number)
            z = want.quant_z[mine]
            low, high = {
                YBits.RAW64: (-(1 << 62), 1 << 62),
            }.get(YBits(desc.y_bits), self._bounds(desc))
            limited = np.select([z > high, z < low], [1, 2], 0)[:, : desc.lanes]
            self.out.sample("values", y_bits=np.full(limited.shape, desc.y_bits), limited=limited)
            if desc.start:
                continue
            s = want.swap_acc[mine][:, : desc.lanes]
            rest, step = s % (1 << desc.shift), 1 << desc.shift
            fraction = np.select([rest == 0, 2 * rest < step, 2 * rest == step], [0, 1, 2], 3)
            self.out.sample(
                "values", fraction=fraction, sign=(s < 0).astype(int), rounding=np.full(s.shape, int(desc.round))
            )
        # Masks of the beats against what could have caused them; jobs from zero without a mask of their own.
        at = -1  # jobs leave in the order of `want.jobs`
        for entry in want.out[want.out["last"] == 1]:
            for place in range(int(entry["jobs"])):
                at += 1
                desc = stim.descs[want.jobs["desc"][at]]
                off = (int(entry["mask"][place]) >> lane & 1) == 1
                s = want.swap_acc[at]
                known = desc.relu and not desc.start
                cause = np.select(
                    [~off, lane >= desc.lanes, known & (s < 0), known & (s == 0), np.full(len(lane), not desc.relu)],
                    [0, 4, 1, 2, 3],
                    -1,
                )
                self.out.sample("values", mask=cause)

    @staticmethod
    def _bounds(desc: RanDescriptor) -> tuple[int, int]:
        bits = (4, 8, 12, 16, 32, 62)[desc.y_bits]
        return (0, (1 << bits) - 1) if desc.y_unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)

    def _order(self, stim: Stimulus, want: Prediction) -> None:
        jobs = want.jobs
        complete, together = np.unique(jobs["complete"], return_counts=True)
        self.out.sample("completion", together=self._index(COMPLETION, "together", together))
        alone = together[np.searchsorted(complete, jobs["complete"][jobs["byp"] == 1])] == 1
        self.out.sample("completion", bypass=(~alone).astype(int))
        number = self._numbers(stim, want, jobs["tag"], jobs["complete"])
        self.out.sample("completion", order=(np.diff(number) < 0).astype(int))
        chosen, left = jobs["select"] >= 0, jobs["swap"] >= 0
        self.out.sample(
            "completion", queued=self._index(COMPLETION, "queued", (jobs["select"] - jobs["complete"])[chosen])
        )
        self.out.sample("completion", drain=self._index(COMPLETION, "drain", (jobs["swap"] - jobs["select"])[left]))

    def _groups(self, stim: Stimulus, want: Prediction) -> None:
        prod = stim.prod
        if not len(prod):
            return
        taken = want.prod_accept >= 0
        ends = np.flatnonzero(prod["last"])
        begins = np.concatenate([[0], ends[:-1] + 1])
        whole = (want.prod_accept[ends] >= 0) & taken[begins]
        begins, ends = begins[whole], ends[whole]
        jobs = self._numbers(stim, want, want.jobs["tag"], want.jobs["complete"]).tolist()
        rf_of = {
            number: stim.descs[desc].reduce_factor
            for number, desc in zip(jobs, want.jobs["desc"].tolist(), strict=True)
        }
        self.out.sample("groups", products=self._index(GROUPING, "products", ends - begins + 1))
        wait = want.prod_accept[begins] - prod["offer"][begins]
        self.out.sample("banks", bank=prod["bank"][begins], wait=self._index(BANKS, "wait", wait))
        by_job: dict[int, list[int]] = {}
        numbers = self._numbers(stim, want, prod["tag"][ends], want.prod_accept[ends])
        for end, number in zip(ends.tolist(), numbers.tolist(), strict=True):
            by_job.setdefault(number, []).append(end)
        for number, mine in by_job.items():
            factor = rf_of.get(number)
            if factor is None or len(mine) != factor:
                continue
            cycles = want.prod_accept[mine]
            nulls = int(prod["null"][mine].sum())
            bin_of = LEGAL_REDUCE.index(factor)
            self.out.sample(
                "groups",
                factor=bin_of,
                member=int(prod["row"][mine[int(np.argmax(cycles))]]) % factor,
                spread=self._index(GROUPING, "spread", int(np.ptp(cycles))),
                nulls=0 if nulls == 0 else 2 if nulls == factor - 1 else 1,
            )
        lay = want.swap[want.swap["byp"] == 0]
        self.out.sample("groups", entry=np.minimum(lay["entry"], 7), bank=lay["bank"])

    def _descriptors(self, stim: Stimulus, want: Prediction) -> None:
        taken = np.flatnonzero(want.desc_accept >= 0)
        codes = want.desc_code[taken].astype(np.int64)
        self.out.sample("slots", code=codes)
        refused = (codes != RspCode.OK).astype(np.int64)
        self.out.sample("slots", before=refused[:-1], this=refused[1:])
        wait = want.desc_accept[taken] - stim.desc_offer[taken]
        self.out.sample("slots", wait=self._index(SLOTS, "wait", wait))
        good = [stim.descs[at] for at in taken[codes == RspCode.OK]]
        if not good:
            return
        self.out.sample("slots", n_jobs=self._index(SLOTS, "n_jobs", [desc.n_jobs for desc in good]))
        kinds = np.array([desc.start for desc in good])
        self.out.sample("start", kind_from=kinds[:-1], kind_to=kinds[1:])
        factors = np.array([LEGAL_REDUCE.index(desc.reduce_factor) for desc in good])
        self.out.sample("groups", factor_from=factors[:-1], factor_to=factors[1:])
        edges = np.cumsum([0, *(desc.n_jobs for desc in good)])
        count = np.histogram(self._numbers(stim, want, stim.cancel["tag"], stim.cancel["cycle"]), edges)[0]
        size = np.diff(edges)
        self.out.sample("slots", cancelled=np.select([count == 0, count == size], [0, 2], 1))
        for name, data, last, err in (
            ("bias", want.bias_accept, stim.bias_last, want.bias_err_cycle),
            ("psum", want.psum_accept, stim.psum_last, want.psum_err_cycle),
        ):
            ended = data[(data >= 0) & last]
            bad = np.isin(ended + 1, err)
            length = np.diff(np.flatnonzero(np.concatenate([[True], last[data >= 0]])))
            most = self.params.lanes // 4 if name == "bias" else self.params.lanes // 2
            late = length[: len(bad)] > most if name == "bias" else length[: len(bad)] > self.params.lanes // 4
            self.out.sample("start", **{name: np.select([~bad, late], [0, 2], 1)})

    def _streams(self, stim: Stimulus, want: Prediction) -> None:
        out = want.out
        wait = self._index(ORDER, "wait", out["cycle"] - out["valid_cycle"])
        self.out.sample("output", y_bits=out["bits"], wait=wait)
        single = out[out["last"] == 1]
        self.out.sample("output", y_bits=single["bits"], jobs=np.minimum(single["jobs"] - 1, 1))
        request = want.psum_req["cycle"] - want.psum_req["valid_cycle"]
        self.out.sample("start", request_wait=self._index(START, "request_wait", request))
        taken = want.byp_accept >= 0
        self.out.sample(
            "completion", byp_wait=self._index(COMPLETION, "byp_wait", (want.byp_accept - stim.byp["offer"])[taken])
        )
        record = want.stat
        self.out.sample(
            "statistics",
            wait=self._index(STATISTICS, "wait", record["cycle"] - record["valid_cycle"]),
            overflow=self._index(STATISTICS, "overflow", record["overflow"]),
        )
        stalls = want.row_counters[:, [RowCounter.STALL_DESC, RowCounter.STALL_MEMBER, RowCounter.STALL_DRAIN]]
        self.out.sample("banks", cause=np.flatnonzero(stalls.any(axis=0)))
        for at, desc in enumerate(stim.descs):
            drew = want.jobs[(want.jobs["desc"] == at) & (want.jobs["quant"] >= 0)]
            if desc.round != Round.STOCHASTIC or not len(drew):
                continue
            # Tags count from the descriptor's first job on, as far as it can be told from those that drew.
            place = drew["tag"][np.argsort(drew["quant"], kind="stable")].astype(np.uint16)
            late = np.diff(place).astype(np.int16) < 0
            self.out.sample("random", number=[int(desc.draw + desc.n_jobs > NUMBERS)])
            self.out.sample("random", order=late.astype(np.int64))
            self.out.sample("random", draws=self._index(RANDOM, "draws", [len(drew)]))

    def _reset(self, stim: Stimulus, want: Prediction) -> None:
        good = np.flatnonzero((want.desc_accept >= 0) & (want.desc_code == RspCode.OK))
        announced = sum(stim.descs[at].n_jobs for at in good)
        slots = announced - len(want.job_stat) - len(stim.cancel)
        began = want.prod_accept >= 0
        left = set(self._numbers(stim, want, want.jobs["tag"], want.jobs["complete"]).tolist())
        lying: dict[int, set[int]] = {}
        numbers = self._numbers(stim, want, stim.prod["tag"][began], want.prod_accept[began])
        for row, number in zip(stim.prod["row"][began].tolist(), numbers.tolist(), strict=True):
            if number not in left:
                lying.setdefault(row, set()).add(number)
        most = max(map(len, lying.values()), default=0)
        queue = len(want.jobs) and bool((want.jobs["done"] < 0).any())
        beats = len(want.jobs) > int(want.out["jobs"][want.out["last"] == 1].sum())
        state = (slots > 0 and not lying, most >= 1, most >= 2, queue, beats)
        self.out.sample("reset", state=np.flatnonzero(state) if any(state) else 5)

    def counters(self, counters: tuple[I64, I64]) -> None:
        """Counters read from the device: rows (R, 4) and global ones (13,)."""
        row, index = np.nonzero(counters[0][:8])
        self.out.sample("counters", row=row, index=index)
        self.out.sample("counters", whole=np.flatnonzero(counters[1]))


def sample_epochs(params: RanParams, epochs: Sequence[Any], counters: tuple[I64, I64] | None = None) -> Coverage:
    """Coverage of the epochs (`stim`, `prediction`) of one run; every one but the last was ended by a reset."""
    coverage = Coverage(GROUPS)
    sampler = Sampler(params, coverage)
    for at, epoch in enumerate(epochs):
        sampler.epoch(epoch.stim, epoch.prediction, at < len(epochs) - 1, at > 0)
    if counters is not None:
        sampler.counters(counters)
    return coverage


def sample(run_info: RunInfo, params: RanParams, board: Any) -> Coverage:
    """Samples a run that its scoreboard has judged; one that diverged counts nothing."""
    passed = board.verdict.first is None
    coverage = sample_epochs(params, board.epochs, board.counters) if passed else Coverage(GROUPS)
    write_run(run_info, coverage, passed)
    return coverage


def functional_coverage(results: Sequence[Any], folder: Path = REPORTS / "ran") -> dict[str, Any]:
    """The hook of `Block`."""
    return functional("ran", GROUPS, results, folder)
