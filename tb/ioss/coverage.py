"""Functional coverage of the IOSS core: the bins (docs/ioss/README.md gives the terms) and how a run fills them.

Everything is sampled after the verdict from what a run observed at the boundary (`Epoch`: stimulus, tables of issues
and products) and from the model's jobs and openings, which the scoreboard has found equal to the device's. Bins are
meant for the default parameters 8 x 16 x 128; what other parameter sets have beyond them is not counted.

`J` jobs, `K` elements, `L` lanes, `N` issues; a *segment* is what one row issues for one job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.common.slices import split, unpack, values_per_beat
from models.ioss.config import (
    LEGAL_REDUCE,
    CoreParams,
    Descriptor,
    GlobalCounter,
    JobErr,
    RowCounter,
    RspCode,
    member_lengths,
    member_tile_beats,
    member_vec_beats,
    tile_beats,
    vec_beats,
)
from models.ioss.cycle import KIND_BYPASS, KIND_OPEN, KIND_REFUSED, KIND_ROWS, Prediction, Stimulus
from tb.lib.coverage import (
    NO_BIN,
    Coverage,
    CoverageError,
    CoverGroup,
    Coverpoint,
    Cross,
    Ignore,
    functional,
    write_run,
)
from tb.lib.paths import REPORTS
from tb.lib.runinfo import RunInfo

I64 = npt.NDArray[np.int64]
NEVER = 1 << 60
_CHUNK = 1 << 20  # values looked at in one go
_DEFAULT = CoreParams()

SLICES = ("1", "2", "3", "4")
ORDERS = tuple(str(order) for order in range(7))
PRECISIONS = tuple(f"{n_x}x{n_w}" for n_x in SLICES for n_w in SLICES)
SPARSITIES = ("none", "below 1/4", "1/4 to 3/4", "above 3/4", "all")
REDUCE = tuple(str(factor) for factor in LEGAL_REDUCE)


def _highest_order(precision: str) -> int:
    n_x, n_w = precision.split("x")
    return int(n_x) + int(n_w) - 2


# ----------------------------------------------------------------------------------------------------------------- bins
_ABOVE_HIGHEST = "slices of this precision have no such order; a higher min_order is refused (RspOrder)"

PRECISION = CoverGroup(
    "precision",
    (
        Coverpoint("x_slices", SLICES, "n_x of jobs that reached the rows"),
        Coverpoint("w_slices", SLICES, "n_w"),
        Coverpoint("signedness", ("s x s", "s x u", "u x s", "u x u"), "broadcast x stationary, signed or unsigned"),
        Cross("operands", ("x_slices", "w_slices", "signedness")),
        Coverpoint("min_order", ORDERS, "lowest order issued"),
        Cross(
            "min_orders",
            ("x_slices", "w_slices", "min_order"),
            "every legal min_order of every precision",
            ignore=(Ignore(lambda x, w, order: int(order) > int(x) + int(w) - 2, _ABOVE_HIGHEST),),
        ),
        Coverpoint("compensate", ("off", "on, min_order 0", "on, min_order above 0")),
        Coverpoint(
            "compensated",
            PRECISIONS,
            "precisions in which an issue was compensated",
            ignore=(
                Ignore(lambda p: p.endswith("x1"), "compensation needs a stationary slice below j, that is n_w > 1"),
            ),
        ),
    ),
    "operands of jobs",
)

ISSUES = CoverGroup(
    "issues",
    (
        Coverpoint("precision", PRECISIONS, "n_x x n_w of issues"),
        Coverpoint("order", ORDERS, "i + j"),
        Coverpoint("sparsity", SPARSITIES[:-1], "zero share of the job's broadcast slices"),
        Coverpoint("x_slice", ("0", "1", "2", "3"), "i"),
        Coverpoint("w_slice", ("0", "1", "2", "3"), "j"),
        Cross(
            "orders_by_precision",
            ("precision", "order"),
            "orders that data of every precision made the rows issue",
            ignore=(Ignore(lambda p, order: int(order) > _highest_order(p), _ABOVE_HIGHEST),),
        ),
        Cross("orders_by_sparsity", ("sparsity", "order")),
        Cross("precision_by_sparsity", ("precision", "sparsity")),
        Cross("slice_pairs", ("x_slice", "w_slice")),
    ),
    "slice pairs issued",
)

SPARSITY = CoverGroup(
    "sparsity",
    (
        Coverpoint("x_slices", SLICES),
        Coverpoint("x_zero", SPARSITIES, "share of a job's broadcast slices that are zero"),
        Cross("x_zero_by_slices", ("x_slices", "x_zero")),
        Coverpoint("w_slices", SLICES),
        Coverpoint("w_zero", SPARSITIES, "share of a tile's stationary slices that are zero"),
        Cross("w_zero_by_slices", ("w_slices", "w_zero")),
        Coverpoint(
            "vector",
            ("zero", "only the first element", "only the last element", "every slice full"),
            "shapes of vectors with more than one element",
        ),
    ),
    "zero slices in the data",
)

SKIPS = CoverGroup(
    "skips",
    (
        Coverpoint("cause", ("mask", "x", "w", "order"), "causes of skipped pairs, weighted with the pairs"),
        Coverpoint("precision", PRECISIONS),
        Cross(
            "cause_by_precision",
            ("cause", "precision"),
            ignore=(
                Ignore(lambda cause, p: cause == "order" and p == "1x1", "the only legal min_order of 1 x 1 is 0"),
            ),
        ),
        Coverpoint(
            "bypass",
            ("all masked", "zero vector", "zero tile", "no common element", "below min_order"),
            "why a job bypassed; 'no common element': vector and live weights have work, but no pair of them",
        ),
        Coverpoint("members", ("RF = 1", "RF > 1")),
        Cross("bypass_by_members", ("bypass", "members")),
    ),
    "pairs that cost no cycle, jobs that bypass",
)

_OTHER = ("tile before still worked on", "free", "loading", "ready", "its jobs are taken")
BANKS = CoverGroup(
    "banks",
    (
        Coverpoint("bank", ("0", "1"), "bank that the row computes from"),
        Coverpoint("other", _OTHER, "state of the other bank"),
        Coverpoint("activity", ("issue", "stall operand", "stall RAN"), "what a row does"),
        Cross(
            "phases",
            ("bank", "other", "activity"),
            ignore=(
                Ignore(
                    lambda _, other, activity: other == _OTHER[4] and activity == "stall operand",
                    "jobs are taken in order: none of the next tile before this tile's last one is in a slot",
                ),
            ),
        ),
        Coverpoint("open_waits_for", ("nothing", "tile loading", "bank", "RF change"), "what an opening waits for"),
        Coverpoint("job_change", ("back to back", "stall operand", "stall RAN"), "between two jobs of a row"),
        Coverpoint("tile_change", ("same tile", "next tile")),
        Cross("job_changes", ("job_change", "tile_change")),
    ),
    "double buffering of tiles",
)

TRANSITIONS = CoverGroup(
    "transitions",
    (
        Coverpoint("x_from", SLICES, "n_x of a tile"),
        Coverpoint("x_to", SLICES, "n_x of the next tile"),
        Cross("x_slices", ("x_from", "x_to")),
        Coverpoint("w_from", SLICES, "n_w of a tile"),
        Coverpoint("w_to", SLICES, "n_w of the next tile"),
        Cross("w_slices", ("w_from", "w_to")),
        Coverpoint("rf_from", REDUCE, "RF of a tile"),
        Coverpoint("rf_to", REDUCE, "RF of the next tile"),
        Cross("reduce_factor", ("rf_from", "rf_to")),
    ),
    "consecutive tiles, both with jobs taken",
)

_OUTCOMES = ("rows", "bypass", "refused")
DISPATCH = CoverGroup(
    "dispatch",
    (
        Coverpoint("reduce_factor", REDUCE),
        Coverpoint("group", tuple(str(group) for group in range(_DEFAULT.rows)), "group chosen"),
        Cross(
            "groups",
            ("reduce_factor", "group"),
            ignore=(Ignore(lambda rf, g: int(g) >= _DEFAULT.rows // int(rf), "there are Rows / RF groups"),),
        ),
        Coverpoint("available", ("one", "some", "all"), "groups with a free slot, of two or more"),
        Coverpoint("chosen", ("empty", "half full"), "both slots of the group free, or one"),
        Cross("choice", ("available", "chosen")),
        Coverpoint("first_beat_waits_for", ("nothing", "tile", "slot", "bypass"), "what holds a job's first beat"),
        Coverpoint.ranges("first_beat_wait", "cycles that it is held", 0, 1, 2, 8),
        Cross(
            "first_beat",
            ("first_beat_waits_for", "first_beat_wait"),
            ignore=(Ignore(lambda what, wait: (what == "nothing") != (wait == "0"), "held means at least a cycle"),),
        ),
        Coverpoint.ranges(
            "last_beat_wait", "cycles that the bypass register holds a job's later last beat", 0, 1, 2, 8
        ),
        Coverpoint("beats", ("single", "several"), "declared beats of a job"),
        Coverpoint("outcome", _OUTCOMES),
        Cross("jobs", ("beats", "outcome")),
    ),
    "where jobs go, and what they wait for",
)

REDUCTION = CoverGroup(
    "reduction",
    (
        Coverpoint("reduce_factor", REDUCE, "RF of jobs on rows"),
        Coverpoint("x_slices", SLICES),
        Cross("precision", ("reduce_factor", "x_slices")),
        Coverpoint("member", tuple(str(member) for member in range(8)), "members that issued a null"),
        Cross(
            "null_members",
            ("reduce_factor", "member"),
            ignore=(
                Ignore(lambda rf, _: rf == "1", "nulls exist with RF > 1 only"),
                Ignore(lambda rf, m: int(m) >= int(rf), "a group has RF members"),
            ),
        ),
        Coverpoint("nulls", ("none", "one", "several", "all but one"), "nulls of a job"),
        Cross(
            "null_counts",
            ("reduce_factor", "nulls"),
            ignore=(
                Ignore(lambda rf, n: rf == "1" and n != "none", "nulls exist with RF > 1 only"),
                Ignore(lambda rf, n: rf == "2" and n in ("one", "several"), "of two members, one is all but one"),
            ),
        ),
        Coverpoint("chunk", ("C elements", "fewer", "none"), "length of a member's chunk"),
        Cross(
            "chunks",
            ("reduce_factor", "chunk"),
            ignore=(Ignore(lambda rf, c: rf == "1" and c != "C elements", "a single member takes all of K"),),
        ),
    ),
    "jobs split over rows",
)

SHAPE = CoverGroup(
    "shape",
    (
        Coverpoint.ranges("k", "K of tiles", 1, 2, 8, 32, 128, 129),
        Coverpoint("span", ("K < RF * Depth", "K = RF * Depth"), "rows' depth used up or not"),
        Coverpoint("reduce_factor", REDUCE),
        Cross("spans", ("reduce_factor", "span")),
        Coverpoint("x_slices", SLICES),
        Coverpoint("vector_end", ("whole beat", "part of a beat"), "last beat of a job's last chunk"),
        Cross("vector_ends", ("x_slices", "vector_end")),
        Coverpoint("tile_end", ("whole beat", "part of a beat"), "last beat of a tile's last chunk"),
        Coverpoint.ranges("n_jobs", "jobs of a tile (M)", 1, 2, 8, 64),
        Coverpoint("masked", ("none", "one", "some", "all but one", "all"), "masked lanes of a job"),
        Coverpoint("masked_lane", tuple(str(lane) for lane in range(16)), "lanes masked while others are live"),
        Coverpoint(
            "ignored_bits",
            ("vector padding", "tile padding", "vector containers", "tile containers"),
            "bits without meaning that were not zero: past a chunk's end, bits 15:12 of 12-bit containers",
        ),
    ),
    "sizes and masks",
)

_CODES = tuple(f"Rsp{name}" for name in ("Ok", "XSlices", "WSlices", "Reduce", "KLen", "Order", "Jobs"))
_FIELDS = (
    "x_slices 0", "x_slices > 4", "w_slices 0", "w_slices > 4", "reduce_factor 0", "reduce_factor no power of 2",
    "k_len 0", "k_len one too long", "k_len far too long", "min_order one too high", "min_order far too high",
    "n_jobs 0",
)  # fmt: skip
DESCRIPTORS = CoverGroup(
    "descriptors",
    (
        Coverpoint("code", _CODES, "answers"),
        Coverpoint("illegal", _FIELDS, "illegal values of single fields"),
        Coverpoint(
            "first_of_several",
            _CODES[1:],
            "codes of descriptors with more than one illegal field: the first check names the code",
            ignore=(Ignore(lambda code: code == _CODES[-1], "no check comes after that of n_jobs"),),
        ),
        Coverpoint("before", ("accepted", "refused"), "answer to the descriptor before"),
        Coverpoint("this", ("accepted", "refused")),
        Cross("sequence", ("before", "this")),
    ),
    "answers to descriptors",
)

_ERRORS = ("good", "JobEarlyLast", "JobLateLast", "JobTile")
FRAMING = CoverGroup(
    "framing",
    (
        Coverpoint("tile", ("good", "early last", "late last")),
        Coverpoint("tile_before", ("good", "refused")),
        Coverpoint("tile_this", ("good", "refused")),
        Cross("tile_sequence", ("tile_before", "tile_this")),
        Coverpoint("job", _ERRORS),
        Coverpoint("beats", ("single", "several"), "declared beats"),
        Cross(
            "job_errors",
            ("job", "beats"),
            ignore=(Ignore(lambda job, beats: job == "JobEarlyLast" and beats == "single", "nothing comes earlier"),),
        ),
        Coverpoint("place", ("only", "first", "middle", "last"), "place of a refused job among its tile's jobs"),
    ),
    "last flags",
)

BACK_PRESSURE = CoverGroup(
    "back_pressure",
    (
        Coverpoint.ranges("product_held", "cycles that a product waits for ready", 0, 1, 2, 8, 100),
        Coverpoint("product", ("not last", "last", "null")),
        Cross("products_held", ("product", "product_held")),
        Coverpoint.ranges("bypass_held", "cycles that a bypassed job waits for ready", 0, 1, 2, 8, 100),
    ),
    "outputs held off",
)

_GAP_DOC = "idle cycles before an offer"
STREAMS = CoverGroup(
    "streams",
    (
        Coverpoint.ranges("desc_gap", _GAP_DOC, 0, 1, 2, 8),
        Coverpoint.ranges("tile_gap", _GAP_DOC, 0, 1, 2, 8),
        Coverpoint("tile_beat", ("first", "later"), "beat of a tile"),
        Cross("tile_gaps", ("tile_beat", "tile_gap")),
        Coverpoint.ranges("vec_gap", _GAP_DOC, 0, 1, 2, 8),
        Coverpoint("vec_beat", ("first", "later"), "beat of a job"),
        Cross("vec_gaps", ("vec_beat", "vec_gap")),
        Coverpoint.ranges("desc_wait", "cycles that a descriptor is held off", 0, 1, 2, 8),
        Coverpoint.ranges("tile_wait", "cycles that a tile's first beat is held off", 0, 1, 2, 8),
    ),
    "pace of the inputs",
)

_CORNERS = ("most negative", "-1", "zero", "1", "most positive", "unsigned maximum")
_PEAKS = ("450", "-450", "465 (compensated)", "-465 (compensated)")
OPERANDS = CoverGroup(
    "operands",
    (
        Coverpoint("slices", SLICES),
        Coverpoint("x", _CORNERS, "corner values of broadcast operands"),
        Cross("x_corners", ("slices", "x")),
        Coverpoint("w", _CORNERS, "corner values of stationary operands"),
        Cross("w_corners", ("slices", "w")),
        Coverpoint("product", _PEAKS, "largest products, in half units"),
    ),
    "corner values",
)

_HELD = (
    "descriptor pending", "tile loading", "vector loading", "slot full", "product waiting", "bypass waiting", "at rest",
)  # fmt: skip
RESET = CoverGroup(
    "reset",
    (
        Coverpoint("state", _HELD, "what a reset in the middle of a run dropped"),
        Coverpoint("next_bank", ("0", "1"), "bank that the next tile would have had"),
        Coverpoint("reduce_factor", ("1", "> 1"), "RF before the reset"),
        Coverpoint("after", ("job done",), "work after a reset"),
    ),
    "resets in the middle of a run",
)

COUNTERS = CoverGroup(
    "counters",
    (
        Coverpoint("row", tuple(str(row) for row in range(_DEFAULT.rows))),
        Coverpoint("index", tuple(counter.name.lower() for counter in RowCounter)),
        Cross("rows", ("row", "index"), "row counters that were read and not zero"),
        Coverpoint("whole", tuple(counter.name.lower() for counter in GlobalCounter), "global counters, the same"),
    ),
    "counters read at the end",
)

GROUPS = (
    PRECISION, ISSUES, SPARSITY, SKIPS, BANKS, TRANSITIONS, DISPATCH, REDUCTION, SHAPE, DESCRIPTORS, FRAMING,
    BACK_PRESSURE, STREAMS, OPERANDS, RESET, COUNTERS,
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------- a run's view
class EpochLike(Protocol):
    """What sampling needs of `tb.ioss.scoreboard.Epoch`."""

    stim: Stimulus
    prediction: Prediction
    issue: npt.NDArray[np.void]
    prod: npt.NDArray[np.void]
    prod_data: npt.NDArray[np.int16]


def _segments(last: npt.NDArray[np.bool_]) -> tuple[I64, I64]:
    """Begins and ends (half-open) of runs closed by a last flag; a run without one is dropped."""
    stop = np.flatnonzero(last) + 1
    return np.concatenate(([0], stop[:-1])).astype(np.int64)[: len(stop)], stop


def _padded(values: npt.NDArray[Any], count: int, fill: int) -> npt.NDArray[Any]:
    """`values` cut or filled up to `count` entries."""
    out = np.full(count, fill, values.dtype)
    out[: min(count, len(values))] = values[:count]
    return out


def _sparsity(zero: npt.NDArray[Any], total: npt.ArrayLike) -> I64:
    """Index into `SPARSITIES` of `zero` of `total` slices."""
    share = np.asarray(zero) / np.asarray(total)
    return np.select([share == 0, share < 0.25, share <= 0.75, share < 1], [0, 1, 2, 3], 4)


@lru_cache(maxsize=8)
def _slice_counts(n: int, unsigned: bool) -> npt.NDArray[np.uint8]:
    """Non-zero slices of every value, by its low 4n bits."""
    values = _values(n, unsigned)
    return (split(values, n)[1] != 0).sum(axis=-1).astype(np.uint8)


def _values(n: int, unsigned: bool) -> I64:
    """Operands by their low 4n bits."""
    codes = np.arange(1 << 4 * n)
    return codes if unsigned else codes - ((codes >> 4 * n - 1) << 4 * n)


class _View:
    """Tiles, jobs and segments of one epoch as arrays."""

    def __init__(self, params: CoreParams, epoch: EpochLike) -> None:
        self.params, self.epoch, self.stim, self.want = params, epoch, epoch.stim, epoch.prediction
        want, stim = self.want, self.stim
        self.accepted = want.desc_accept >= 0
        legal = [d for d, ok in zip(stim.descs, self.accepted & (want.desc_code == RspCode.OK), strict=True) if ok]
        self.pending = len(legal) > len(want.opens)
        self.descs: list[Descriptor] = legal[: len(want.opens)]
        n_tiles = len(self.descs)

        def of(name: str) -> I64:
            return np.array([getattr(desc, name) for desc in self.descs], np.int64)

        self.n_x, self.n_w, self.rf, self.k = of("x_slices"), of("w_slices"), of("reduce_factor"), of("k_len")
        self.order, self.comp, self.n_jobs = of("min_order"), of("compensate"), of("n_jobs")
        self.x_unsigned, self.w_unsigned = of("x_unsigned"), of("w_unsigned")
        self.rf_bin = np.searchsorted(LEGAL_REDUCE, self.rf)
        self.precision = (self.n_x - 1) * 4 + self.n_w - 1
        self.beats = np.array([vec_beats(desc) for desc in self.descs], np.int64)
        self.tile_lo, self.tile_hi = (_padded(edge, n_tiles, NO_BIN) for edge in _segments(stim.tile_last))
        end = np.append(want.tile_accept, -1)[np.maximum(self.tile_hi, 0) - 1]
        self.end = np.where((self.tile_hi > 0) & (end >= 0), end, NEVER)
        declared = np.array([tile_beats(desc, params) for desc in self.descs], np.int64)
        self.framing = np.sign(self.tile_hi - self.tile_lo - declared)
        self.loaded = self.end < NEVER

        jobs = want.jobs
        count = len(jobs)
        whole = np.flatnonzero(stim.vec_last) + 1
        self.start = np.concatenate(([0], whole)).astype(np.int64)[:count]
        self.stop = _padded(whole, count, len(stim.vec_last))
        self.tile, self.kind = jobs["tile"].astype(np.int64), jobs["kind"]
        self.group, self.first, self.done = jobs["group"].astype(np.int64), jobs["first"], jobs["done"]
        self.mask = stim.vec_mask[self.start] & np.uint32((1 << params.lanes) - 1)
        self._find_segments()

    def _find_segments(self) -> None:
        """Segments, by row, then time: `seg_row`, `seg_job`, and `seg_lo`, `seg_hi` in the table of issues.

        The q-th product of a row belongs to its q-th issue, so products' last flags tell where jobs end. Behind the
        last product that left, a new job shows by its tag or by pairs that do not ascend.
        """
        issue, prod = self.epoch.issue, self.epoch.prod
        rf_of_job = self.rf[self.tile]
        rows, jobs, los, his = [], [], [], []
        for row in range(self.params.rows):
            begin, stop = np.searchsorted(issue["row"], [row, row + 1]).tolist()
            p_begin, p_stop = np.searchsorted(prod["row"], [row, row + 1]).tolist()
            ends = begin + np.flatnonzero(prod["last"][p_begin:p_stop]) + 1
            sent = begin + p_stop - p_begin
            rest = issue[max(sent - 1, begin) : stop]
            pair = (rest["k"].astype(np.int64) * 4 + rest["i"]) * 4 + rest["j"]
            new = (np.diff(rest["tag"].astype(np.int64)) != 0) | (rest["null"][:-1] != 0) | (np.diff(pair) <= 0)
            more = max(sent - 1, begin) + 1 + np.flatnonzero(new)
            ends = np.unique(np.concatenate((ends, more, [stop] if stop > begin else [])).astype(np.int64))
            mine = np.flatnonzero((self.kind == KIND_ROWS) & (row // rf_of_job == self.group))
            ends = ends[: len(mine)]
            rows.append(np.full(len(ends), row))
            jobs.append(mine[: len(ends)])
            los.append(np.concatenate(([begin], ends[:-1]))[: len(ends)])
            his.append(ends)
        self.seg_row, self.seg_job = np.concatenate(rows), np.concatenate(jobs).astype(np.int64)
        self.seg_lo, self.seg_hi = np.concatenate(los).astype(np.int64), np.concatenate(his).astype(np.int64)
        if (self.seg_hi - self.seg_lo).sum() != len(issue):
            raise CoverageError("the issues do not belong to the jobs that the rows were given")
        self.seg_tile = self.tile[self.seg_job]
        self.cycle = issue["cycle"]
        self.seg_null = issue["null"][self.seg_lo] != 0
        self.seg_first, self.seg_last = self.cycle[self.seg_lo], self.cycle[self.seg_hi - 1]

        # T_last of a job over its rows; NEVER while pairs are missing.
        pairs = np.zeros(len(self.kind), np.int64)
        members = np.zeros(len(self.kind), np.int64)
        np.add.at(pairs, self.seg_job, np.where(self.seg_null, 0, self.seg_hi - self.seg_lo))
        np.add.at(members, self.seg_job, 1)
        self.t_last = np.full(len(self.kind), -1, np.int64)
        np.maximum.at(self.t_last, self.seg_job, self.seg_last)
        missing = (pairs < self.want.jobs["n_issue"]) | (members < rf_of_job)
        self.t_last[(self.kind == KIND_ROWS) & missing] = NEVER

    @cached_property
    def counted(self) -> npt.NDArray[np.bool_]:
        """Jobs (J,) with a whole vector: on rows or bypassed."""
        return self.kind <= KIND_BYPASS

    @cached_property
    def bypass_done(self) -> I64:
        """By job, the cycle of the transfer of the latest bypassed job before it; -1 without one."""
        bypassed = np.flatnonzero(self.kind == KIND_BYPASS)
        cycles = _padded(self.want.byp["cycle"].astype(np.int64), len(bypassed), NEVER)
        before = np.searchsorted(bypassed, np.arange(len(self.kind)))
        return np.concatenate(([-1], cycles))[before]

    def later(self, values: I64, fill: int) -> I64:
        """Values of the next tile."""
        return np.append(values[1:], fill)[: len(values)]


def _gaps(offer: I64, accept: I64) -> I64:
    """Idle cycles before each offer but the first (n - 1,); -1 where the one before was not taken."""
    return np.where(accept[:-1] >= 0, offer[1:] - accept[:-1] - 1, -1)


def _arrival(offer: I64, accept: I64) -> I64:
    """Cycles (n,) from which on each item could have been taken: its offer, after the transfer of the one before."""
    return np.maximum(offer, np.concatenate(([-1], accept[:-1]))[: len(offer)] + 1)


# ------------------------------------------------------------------------------------------------------------- sampling
@dataclass
class _Values:
    """What the operands show."""

    nonzero: I64  # (J,) non-zero broadcast slices
    met: I64  # (J,) pairs of non-zero slices, on live lanes, whatever their order
    zero_tile: npt.NDArray[np.bool_]  # (tiles,) good tiles without a weight that is not zero


class _Sampler:
    """Fills a `Coverage` from epochs."""

    def __init__(self, params: CoreParams, coverage: Coverage) -> None:
        self.params = params
        self.out = coverage
        self.histograms: dict[tuple[str, int, bool], I64] = {}

    def epoch(self, epoch: EpochLike, ended_by_reset: bool, behind_reset: bool) -> None:
        """Samples one epoch."""
        view = _View(self.params, epoch)
        values = self._operands(view)
        sparsity = np.full(len(view.kind), NO_BIN)
        total = view.k[view.tile] * view.n_x[view.tile]
        sparsity[view.counted] = _sparsity((total - values.nonzero)[view.counted], total[view.counted])
        self._jobs(view, values, sparsity)
        self._issues(view, sparsity)
        self._banks(view)
        self._dispatch(view)
        self._reduction(view)
        self._tiles(view)
        self._descriptors(view)
        self._framing(view)
        self._streams(view)
        self._products(view)
        if ended_by_reset:
            self._reset(view)
        if behind_reset and view.counted.any():
            self.out.sample("reset", after=0)

    def finish(self) -> None:
        """Samples the operand corners collected over all epochs."""
        for (which, n, unsigned), counts in self.histograms.items():
            values = _values(n, unsigned)
            high = (1 << 4 * n - 1) - 1
            corners = {0: 2, 1: 3, (1 << 4 * n) - 1: 5} if unsigned else {-high - 1: 0, -1: 1, 0: 2, 1: 3, high: 4}
            for value, index in corners.items():
                hits = int(counts[values == value].sum())
                if hits:
                    self.out.sample("operands", hits, slices=n - 1, **{which: index})

    # ---- data -------------------------------------------------------------------------------------------------------
    def _histogram(self, which: str, n: int, unsigned: bool, codes: npt.NDArray[np.integer]) -> None:
        counts = np.bincount(codes.reshape(-1), minlength=1 << 4 * n)
        key = (which, n, bool(unsigned))
        self.histograms[key] = self.histograms.get(key, 0) + counts

    def _operands(self, view: _View) -> _Values:
        """Looks at the values of all good tiles and of their whole jobs."""
        count = len(view.kind)
        found = _Values(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(len(view.descs), bool))
        edges = np.searchsorted(view.tile, np.arange(len(view.descs) + 1))
        for n, desc in enumerate(view.descs):
            if not view.loaded[n] or view.framing[n]:
                continue
            beats = view.stim.tile_data[view.tile_lo[n] : view.tile_hi[n]]
            w = self._chunks(
                desc, desc.w_slices, beats, member_tile_beats(desc, self.params), self.params.lanes, "tile"
            )
            w_codes = w & (1 << 4 * desc.w_slices) - 1
            self._histogram("w", desc.w_slices, desc.w_unsigned, w_codes)
            full = int(_slice_counts(desc.w_slices, desc.w_unsigned)[w_codes].sum())
            total = w.size * desc.w_slices
            found.zero_tile[n] = full == 0
            self.out.sample("sparsity", w_slices=desc.w_slices - 1, w_zero=_sparsity(np.array(total - full), total))
            jobs = edges[n] + np.flatnonzero(view.counted[edges[n] : edges[n + 1]])
            if not jobs.size:
                continue
            w_lanes = self._w_lanes(w.reshape(desc.k_len, self.params.lanes), desc)
            step = max(1, _CHUNK // desc.k_len)
            for lo in range(0, len(jobs), step):
                self._vectors(view, desc, jobs[lo : lo + step], w_lanes, found)
        return found

    def _chunks(
        self, desc: Descriptor, n: int, beats: npt.NDArray[np.uint8], counts: list[int], width: int, what: str
    ) -> npt.NDArray[np.int32]:
        """Values (..., K * width) of all member chunks; samples whether the bits to be ignored are zero."""
        unsigned = desc.w_unsigned if what == "tile" else desc.x_unsigned
        flat = unpack(beats, n, unsigned, np.int32)
        per_beat, parts, at = values_per_beat(n), [], 0
        padding = False
        for length, count in zip(member_lengths(desc.k_len, desc.reduce_factor), counts, strict=True):
            stop = at + length * width
            parts.append(flat[..., at:stop])
            at += count * per_beat
            padding = padding or bool(flat[..., stop:at].any())
        if padding:
            self.out.sample("shape", ignored_bits=0 if what == "vector" else 1)
        if n == 3 and (beats[..., 1::2] >> 4).any():
            self.out.sample("shape", ignored_bits=2 if what == "vector" else 3)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def _w_lanes(self, w: npt.NDArray[np.int32], desc: Descriptor) -> npt.NDArray[np.uint32]:
        """Lanes (K, n_w) whose slice j is not zero, as bits."""
        lane_bit = np.uint32(1) << np.arange(self.params.lanes, dtype=np.uint32)
        return ((split(w, desc.w_slices)[1] != 0) * lane_bit[:, None]).sum(axis=1).astype(np.uint32)

    def _vectors(
        self, view: _View, desc: Descriptor, jobs: I64, w_lanes: npt.NDArray[np.uint32], found: _Values
    ) -> None:
        beats = vec_beats(desc)
        if jobs[-1] - jobs[0] + 1 == len(jobs):
            data = view.stim.vec_data[view.start[jobs[0]] : view.stop[jobs[-1]]].reshape(len(jobs), beats, 16)
        else:
            data = view.stim.vec_data[view.start[jobs][:, None] + np.arange(beats)]
        x = self._chunks(desc, desc.x_slices, data, member_vec_beats(desc), 1, "vector")
        codes = x & (1 << 4 * desc.x_slices) - 1
        self._histogram("x", desc.x_slices, desc.x_unsigned, codes)
        used = _slice_counts(desc.x_slices, desc.x_unsigned)[codes]  # (J, K)
        found.nonzero[jobs] = nonzero = used.sum(axis=1, dtype=np.int64)
        live = ~view.mask[jobs] & np.uint32((1 << self.params.lanes) - 1)
        kinds, which = np.unique(live, return_inverse=True)
        step = max(1, _CHUNK // w_lanes.size)
        w_used = np.concatenate(
            [
                ((w_lanes[None] & kinds[lo : lo + step, None, None]) != 0).sum(axis=2, dtype=np.uint8)
                for lo in range(0, len(kinds), step)
            ]
        )  # (masks, K)
        found.met[jobs] = (used * (w_used if len(kinds) == 1 else w_used[which])).sum(axis=1, dtype=np.int64)
        if desc.k_len > 1:
            filled = (used != 0).sum(axis=1)
            shape = np.select(
                [filled == 0, (filled == 1) & (used[:, 0] > 0), (filled == 1) & (used[:, -1] > 0),
                 nonzero == desc.k_len * desc.x_slices],
                [0, 1, 2, 3],
                NO_BIN,
            )  # fmt: skip
            self.out.sample("sparsity", vector=shape)

    # ---- jobs -------------------------------------------------------------------------------------------------------
    def _jobs(self, view: _View, values: _Values, sparsity: I64) -> None:
        tile = view.tile
        on_rows = tile[view.kind == KIND_ROWS]
        self.out.sample(
            "precision",
            x_slices=view.n_x[on_rows] - 1,
            w_slices=view.n_w[on_rows] - 1,
            signedness=(2 * view.x_unsigned + view.w_unsigned)[on_rows],
            min_order=view.order[on_rows],
            compensate=np.where(view.comp == 0, 0, np.where(view.order == 0, 1, 2))[on_rows],
        )
        self.out.sample("sparsity", x_slices=view.n_x[tile] - 1, x_zero=sparsity)

        counted = view.counted
        n_x, n_w, k = view.n_x[tile], view.n_w[tile], view.k[tile]
        full = (1 << self.params.lanes) - 1
        dead = view.mask == full
        pairs = k * n_x * n_w
        causes = (
            np.where(dead, pairs, 0),
            np.where(dead, 0, pairs - values.nonzero * n_w),
            np.where(dead, 0, values.nonzero * n_w - values.met),
            np.where(dead, 0, values.met - view.want.jobs["n_issue"]),
        )
        for cause, skipped in enumerate(causes):
            seen = counted & (skipped > 0)
            self.out.sample("skips", skipped[seen], cause=cause, precision=view.precision[tile[seen]])
        bypassed = view.kind == KIND_BYPASS
        reason = np.select([dead, values.nonzero == 0, values.zero_tile[tile], values.met == 0], [0, 1, 2, 3], 4)
        self.out.sample("skips", bypass=reason[bypassed], members=(view.rf[tile] > 1)[bypassed].astype(np.int64))

        masked = _popcount(view.mask)
        lanes = self.params.lanes
        amount = np.select([masked == 0, masked == lanes, masked == 1, masked == lanes - 1], [0, 4, 1, 3], 2)
        self.out.sample("shape", masked=amount[counted])
        partly = view.mask[counted & ~dead]
        lane_hits = [int((partly >> np.uint32(lane) & np.uint32(1)).sum()) for lane in range(min(lanes, 16))]
        self.out.sample("shape", lane_hits, masked_lane=np.arange(len(lane_hits)))

    # ---- issues and products ----------------------------------------------------------------------------------------
    def _issues(self, view: _View, sparsity: I64) -> None:
        """One histogram over all issues: precision, min_order, compensate, sparsity, i, j; the rest follows from it."""
        shape = (16, 7, 2, 4, 4, 4)
        head = np.ravel_multi_index(
            (view.precision[view.seg_tile], view.order[view.seg_tile], view.comp[view.seg_tile],
             np.maximum(sparsity[view.seg_job], 0)),
            shape[:4],
        ) if len(view.seg_tile) else np.zeros(0, np.int64)  # fmt: skip
        nulls = int(np.prod(shape[:4]))  # nulls get a place of their own
        head = np.where(view.seg_null, nulls, head).astype(np.uint16)
        issue = view.epoch.issue
        key = np.repeat(head << np.uint16(4), view.seg_hi - view.seg_lo)
        key |= (issue["i"] << np.uint8(2)) | issue["j"]
        counts = np.bincount(key, minlength=(nulls + 1) * 16)[: nulls * 16]
        seen = np.flatnonzero(counts)
        precision, min_order, comp, zero, i, j = np.unravel_index(seen, shape)
        self.out.sample("issues", counts[seen], precision=precision, order=i + j, sparsity=zero, x_slice=i, w_slice=j)
        compensated = (comp == 1) & (min_order > 0) & (i + j == min_order) & (j > 0)
        self.out.sample("precision", counts[seen][compensated], compensated=precision[compensated])

    def _products(self, view: _View) -> None:
        prod = view.want.prod
        held = prod["cycle"] - prod["valid_cycle"]
        what = np.where(prod["null"] != 0, 2, prod["last"])
        points = BACK_PRESSURE.points
        self.out.sample("back_pressure", product_held=points["product_held"].index(held), product=what)
        held = view.want.byp["cycle"] - view.want.byp["valid_cycle"]
        self.out.sample("back_pressure", bypass_held=points["bypass_held"].index(held))
        data = view.epoch.prod_data
        if data.size:
            low, high = int(data.min()), int(data.max())
            for peak, value in enumerate((450, -450, 465, -465)):
                # Two looks at all data; only who has reached a peak is looked at again.
                if low <= value <= high and (hits := int((data == value).sum())):
                    self.out.sample("operands", hits, product=peak)

    # ---- banks ------------------------------------------------------------------------------------------------------
    def _banks(self, view: _View) -> None:
        n_tiles = len(view.descs)
        free = np.where(view.want.bank_free >= 0, view.want.bank_free, NEVER)
        # The other bank of tile n: its old tile until `edges[0]`, then free, loading, ready, taken, with an edge each.
        first_job = np.full(n_tiles, NEVER)
        np.minimum.at(first_job, view.tile, view.first)
        edges = np.stack(
            [
                np.concatenate(([0], free))[:n_tiles],
                view.later(view.want.opens, NEVER) + 1,
                view.later(view.end, NEVER) + 1,
                view.later(first_job, NEVER) + 1,
            ]
        )
        edges = np.maximum.accumulate(edges, axis=0)
        states = np.arange(len(_OTHER))

        def other(tile: I64, cycle: I64) -> I64:
            return (cycle >= edges[:, tile]).sum(axis=0)

        where, counts = [], []
        for row in range(self.params.rows):
            mine = np.flatnonzero(view.seg_row == row)
            if not mine.size:
                continue
            lo, hi = view.seg_lo[mine], view.seg_hi[mine]
            begin = lo[0]
            cycles = view.cycle[begin : hi[-1]]
            at = begin + np.searchsorted(cycles, edges[:, view.seg_tile[mine]])
            at = np.clip(np.concatenate((lo[None], at, hi[None])), lo, hi)
            where.append(view.seg_tile[mine] % 2)
            counts.append(np.diff(at, axis=0))
        if where:
            bank, number = np.concatenate(where), np.concatenate(counts, axis=1)
            for state in states:
                self.out.sample("banks", number[state], bank=bank, other=state, activity=0)

        # Stalls. First issues of jobs: operand up to Z, RAN after it; others: RAN.
        previous = np.concatenate(([-1], view.seg_last[:-1])) if len(view.seg_row) else view.seg_last
        begins_row = np.diff(view.seg_row, prepend=-1) != 0
        previous = np.where(begins_row, -1, previous)
        z, tile = view.done[view.seg_job], view.seg_tile
        operand, ran = z > previous, view.seg_first > np.maximum(previous, z) + 1
        for activity, stalled, cycle in ((1, operand, z), (2, ran, view.seg_first - 1)):
            self.out.sample(
                "banks", bank=tile[stalled] % 2, other=other(tile[stalled], cycle[stalled]), activity=activity
            )
        inside = np.flatnonzero(np.diff(view.cycle) > 1) + 1  # issues after a gap, of the same row and job
        segment = np.searchsorted(view.seg_hi, inside, side="right")
        keep = segment < len(view.seg_lo)
        inside, segment = inside[keep], segment[keep]
        inner = inside > view.seg_lo[segment]
        inside, tile_inside = inside[inner], view.seg_tile[segment[inner]]
        self.out.sample("banks", bank=tile_inside % 2, other=other(tile_inside, view.cycle[inside] - 1), activity=2)
        change = np.where(operand, 1, np.where(ran, 2, 0))[~begins_row]
        swap = (np.diff(view.seg_tile, prepend=0) != 0)[~begins_row].astype(np.int64)
        self.out.sample("banks", job_change=change, tile_change=swap)

        opens = view.want.opens
        taken = view.want.desc_accept[view.accepted & (view.want.desc_code == RspCode.OK)][:n_tiles]
        loaded_before = np.concatenate(([-1], view.end))[:n_tiles]
        bank_free = np.concatenate(([0, 0], free))[:n_tiles]
        changes = np.diff(view.rf, prepend=1) != 0
        bound = np.maximum(loaded_before + 1, bank_free)
        waits = np.select([opens == taken + 1, changes & (opens > bound), opens == loaded_before + 1], [0, 3, 1], 2)
        self.out.sample("banks", open_waits_for=waits)

    # ---- dispatch ---------------------------------------------------------------------------------------------------
    def _dispatch(self, view: _View) -> None:
        chosen = view.group >= 0
        outcome = np.select([view.kind == kind for kind in (KIND_ROWS, KIND_BYPASS, KIND_REFUSED)], [0, 1, 2], NO_BIN)
        several = (view.beats[view.tile] > 1).astype(np.int64)
        self.out.sample("dispatch", beats=several[chosen], outcome=outcome[chosen])
        group = np.where(view.group < _DEFAULT.rows, view.group, NO_BIN)
        self.out.sample("dispatch", reduce_factor=view.rf_bin[view.tile], group=group)
        for factor in np.unique(view.rf):
            self._choices(
                view, np.flatnonzero(chosen & (view.rf[view.tile] == factor)), self.params.rows // int(factor)
            )

        # The last of several beats waits for the bypass register alone.
        jobs = np.flatnonzero(view.counted & (several > 0))
        last = view.stop[jobs] - 1
        waited = view.want.vec_accept[last] - _arrival(view.stim.vec_offer, view.want.vec_accept)[last]
        self.out.sample("dispatch", last_beat_wait=DISPATCH.points["last_beat_wait"].index(waited))

    def _choices(self, view: _View, jobs: I64, n_groups: int) -> None:
        """Which slots were free at the first beats of `jobs`, all with the same number of groups."""
        if not jobs.size:
            return
        first, at = view.first[jobs], np.arange(len(jobs))
        empty = np.zeros((n_groups, len(jobs)), bool)
        older = np.zeros((n_groups, len(jobs)), np.int64)
        for group in range(n_groups):
            mine = np.flatnonzero((view.group[jobs] == group) & (view.kind[jobs] == KIND_ROWS))
            before = np.searchsorted(mine, at)  # jobs that the group was given before each job
            t_last = np.concatenate(([-1, -1], view.t_last[jobs[mine]]))
            empty[group] = t_last[before + 1] < first
            older[group] = t_last[before]
        free = (older < first).sum(axis=0)
        if n_groups > 1:
            amount = np.select([free == n_groups, free == 1], [2, 0], 1)
            self.out.sample("dispatch", available=amount, chosen=np.where(empty[view.group[jobs], at], 0, 1))
        offer = _arrival(view.stim.vec_offer, view.want.vec_accept)[view.start[jobs]]
        bounds = np.stack(
            [
                view.end[view.tile[jobs]] + 1,
                older.min(axis=0) + 1,
                np.where(view.beats[view.tile[jobs]] == 1, view.bypass_done[jobs], -1),
            ]
        )
        cause = np.where(first == offer, 0, 1 + np.argmax(bounds, axis=0))
        wait = DISPATCH.points["first_beat_wait"].index(first - offer)
        self.out.sample("dispatch", first_beat_waits_for=cause, first_beat_wait=wait)

    # ---- tiles ------------------------------------------------------------------------------------------------------
    def _reduction(self, view: _View) -> None:
        on_rows = np.flatnonzero(view.kind == KIND_ROWS)
        tile = view.tile[on_rows]
        self.out.sample("reduction", reduce_factor=view.rf_bin[tile], x_slices=view.n_x[tile] - 1)
        null = view.seg_null
        factor = view.rf[view.seg_tile]
        self.out.sample(
            "reduction",
            reduce_factor=view.rf_bin[view.seg_tile][null],
            member=(view.seg_row % np.maximum(factor, 1))[null],
        )
        nulls = np.zeros(len(view.kind), np.int64)
        np.add.at(nulls, view.seg_job[null], 1)
        nulls = nulls[on_rows]
        amount = np.select([nulls == 0, nulls == view.rf[tile] - 1, nulls == 1], [0, 3, 1], 2)
        whole = view.t_last[on_rows] < NEVER
        self.out.sample("reduction", reduce_factor=view.rf_bin[tile][whole], nulls=amount[whole])
        for n in np.flatnonzero(view.loaded & (view.framing == 0)):
            lengths = np.array(member_lengths(int(view.k[n]), int(view.rf[n])))
            chunk = np.select([lengths == lengths[0], lengths > 0], [0, 1], 2)
            self.out.sample("reduction", reduce_factor=view.rf_bin[n], chunk=chunk)

    def _tiles(self, view: _View) -> None:
        good = view.loaded & (view.framing == 0)
        lengths = [[length for length in member_lengths(d.k_len, d.reduce_factor) if length][-1] for d in view.descs]
        last = np.array(lengths, np.int64)
        per_beat = np.array([values_per_beat(n) for n in (1, 2, 3, 4)])
        depth = self.params.depth
        part_x = last % per_beat[view.n_x - 1] != 0
        part_w = last * self.params.lanes % per_beat[view.n_w - 1] != 0
        points = SHAPE.points
        self.out.sample("shape", k=points["k"].index(view.k[good]))
        self.out.sample(
            "shape", reduce_factor=view.rf_bin[good], span=(view.k == view.rf * depth)[good].astype(np.int64)
        )
        self.out.sample("shape", x_slices=view.n_x[good] - 1, vector_end=part_x[good].astype(np.int64))
        self.out.sample("shape", tile_end=part_w[good].astype(np.int64))
        self.out.sample("shape", n_jobs=points["n_jobs"].index(view.n_jobs[good]))

        worked = np.zeros(len(view.descs), bool)
        worked[view.tile] = True
        pair = np.flatnonzero(worked[:-1] & worked[1:])
        for name, value in (("x", view.n_x - 1), ("w", view.n_w - 1), ("rf", view.rf_bin)):
            self.out.sample("transitions", **{f"{name}_from": value[pair], f"{name}_to": value[pair + 1]})

    def _descriptors(self, view: _View) -> None:
        taken = np.flatnonzero(view.accepted)
        codes = view.want.desc_code[taken].astype(np.int64)
        self.out.sample("descriptors", code=codes)
        refused = (codes != RspCode.OK).astype(np.int64)
        self.out.sample("descriptors", before=refused[:-1], this=refused[1:])
        for at in np.flatnonzero(refused):
            desc = view.stim.descs[taken[at]]
            # A bound that depends on an illegal field says nothing.
            sizes = desc.reduce_factor in LEGAL_REDUCE and desc.reduce_factor <= self.params.rows
            slices = desc.x_slices in range(1, 5) and desc.w_slices in range(1, 5)
            bound = self.params.depth * desc.reduce_factor if sizes else NEVER
            top = desc.x_slices + desc.w_slices - 2 if slices else 6
            wrong = (
                desc.x_slices == 0, desc.x_slices > 4, desc.w_slices == 0, desc.w_slices > 4, desc.reduce_factor == 0,
                desc.reduce_factor & (desc.reduce_factor - 1) != 0, desc.k_len == 0, desc.k_len == bound + 1,
                desc.k_len > bound + 1, desc.min_order == top + 1, desc.min_order > top + 1, desc.n_jobs == 0,
            )  # fmt: skip
            fields = (0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5)
            checks = {field for field, bad in zip(fields, wrong, strict=True) if bad} | ({2} if not sizes else set())
            # A single illegal field only: what the core says cannot come from another one.
            if len(checks) == 1:
                self.out.sample("descriptors", illegal=np.flatnonzero(wrong))
            else:
                self.out.sample("descriptors", first_of_several=int(codes[at]) - 1)

    def _framing(self, view: _View) -> None:
        ended = view.loaded
        kind = np.where(view.framing == 0, 0, np.where(view.framing < 0, 1, 2))[ended]
        self.out.sample("framing", tile=kind)
        refused = (kind > 0).astype(np.int64)
        self.out.sample("framing", tile_before=refused[:-1], tile_this=refused[1:])

        several = (view.beats[view.tile] > 1).astype(np.int64)
        bad = np.flatnonzero(view.kind == KIND_REFUSED)
        codes = view.want.job_err["code"].astype(np.int64)
        bad = bad[: len(codes)]
        assert [JobErr.EARLY_LAST, JobErr.LATE_LAST, JobErr.TILE] == [1, 2, 3]  # the order of _ERRORS
        self.out.sample("framing", job=0, beats=several[view.counted])
        self.out.sample("framing", job=codes[: len(bad)], beats=several[bad])
        place = bad - np.searchsorted(view.tile, view.tile[bad])
        count = view.n_jobs[view.tile[bad]]
        self.out.sample("framing", place=np.select([count == 1, place == 0, place == count - 1], [0, 1, 3], 2))

    # ---- streams ----------------------------------------------------------------------------------------------------
    def _streams(self, view: _View) -> None:
        stim, want, points = view.stim, view.want, STREAMS.points
        gaps = _gaps(stim.desc_offer, want.desc_accept)
        self.out.sample("streams", desc_gap=points["desc_gap"].index(gaps))
        wait = (want.desc_accept - _arrival(stim.desc_offer, want.desc_accept))[view.accepted]
        self.out.sample("streams", desc_wait=points["desc_wait"].index(wait))
        for name, last, offer, accept in (
            ("tile", stim.tile_last, stim.tile_offer, want.tile_accept),
            ("vec", stim.vec_last, stim.vec_offer, want.vec_accept),
        ):
            later = (~last[:-1]).astype(np.int64)
            index = points[f"{name}_gap"].index(_gaps(offer, accept))
            self.out.sample("streams", **{f"{name}_gap": index, f"{name}_beat": later})
        begin = view.tile_lo[view.loaded]
        wait = (want.tile_accept - _arrival(stim.tile_offer, want.tile_accept))[begin]
        self.out.sample("streams", tile_wait=points["tile_wait"].index(wait))

    # ---- reset and counters -----------------------------------------------------------------------------------------
    def _reset(self, view: _View) -> None:
        want, horizon = view.want, view.stim.horizon
        waiting = False
        for row in range(self.params.rows):
            issue = view.cycle[slice(*np.searchsorted(view.epoch.issue["row"], [row, row + 1]))]
            prod = view.epoch.prod["cycle"][slice(*np.searchsorted(view.epoch.prod["row"], [row, row + 1]))]
            if len(issue) > len(prod):
                valid = max(int(issue[len(prod)]) + 2, int(prod[-1]) + 1 if len(prod) else 0)
                waiting |= valid < horizon
        state = (
            view.pending,
            bool((~view.loaded).any()),
            bool((view.kind == KIND_OPEN).any()),
            bool((view.t_last == NEVER).any()),
            waiting,
            int((view.kind == KIND_BYPASS).sum()) > len(want.byp),
        )
        self.out.sample("reset", state=np.flatnonzero(state) if any(state) else len(state))
        self.out.sample("reset", next_bank=len(view.descs) % 2)
        if view.descs:
            self.out.sample("reset", reduce_factor=int(view.rf[-1] > 1))

    def counters(self, counters: tuple[I64, I64]) -> None:
        """Counters read from the device: rows (R, 8) and global ones (8,)."""
        rows, whole = counters
        row, index = np.nonzero(rows[: _DEFAULT.rows])
        self.out.sample("counters", row=row, index=index)
        self.out.sample("counters", whole=np.flatnonzero(whole))


def _popcount(values: npt.NDArray[np.uint32]) -> I64:
    return np.unpackbits(np.ascontiguousarray(values).view(np.uint8).reshape(-1, 4), axis=1).sum(axis=1)


# --------------------------------------------------------------------------------------------------------- entry points
def sample_epochs(params: CoreParams, epochs: Sequence[EpochLike], counters: tuple[I64, I64] | None = None) -> Coverage:
    """Coverage of the epochs of one run; every one but the last was ended by a reset."""
    coverage = Coverage(GROUPS)
    sampler = _Sampler(params, coverage)
    for at, epoch in enumerate(epochs):
        sampler.epoch(epoch, ended_by_reset=at < len(epochs) - 1, behind_reset=at > 0)
    sampler.finish()
    if counters is not None:
        sampler.counters(counters)
    return coverage


def sample(run_info: RunInfo, params: CoreParams, board: Any) -> Coverage:
    """Samples a run that its scoreboard `board` has judged and writes `functional.json`; one that diverged counts
    nothing."""
    passed = board.verdict.first is None
    coverage = sample_epochs(params, board.epochs, board.counters) if passed else Coverage(GROUPS)
    write_run(run_info, coverage, passed)
    return coverage


def functional_coverage(results: Sequence[Any], folder: Path = REPORTS / "ioss") -> dict[str, Any]:
    """The hook of `Block`."""
    return functional("ioss", GROUPS, results, folder)
