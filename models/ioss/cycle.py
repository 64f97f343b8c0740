"""Cycle model of the IOSS core: from what was offered and accepted at its boundary to the exact cycle of every event.

Source: docs/ioss/README.md. Event-based: one step of Python per descriptor and per job, arrays for everything else
(values per tile, cycles of issues and products per row).

**Horizon.** ``Stimulus.horizon`` cycles, 0 .. horizon - 1, were observed. An event at or after the horizon is absent
from the tables (or -1 where a table has one entry per input). Counters count events in cycles before the horizon: they
are exact once the core has drained. Skip counters take a job's pairs as a whole at its last beat Z, if Z lies before
the horizon: in the middle of a run they are only meaningful two cycles after the last Z.

**Why a job's products are consecutive ready cycles.** Let r_q be the index of A_q among a row's ready cycles and
rank(t) the number of ready cycles before t, so r_q = max(rank(T_q + 2), r_(q-1) + 1). With T_q = A_(q-2),
rank(T_q + 2) <= r_(q-2) + 2 <= r_(q-1) + 1; with T_q = T_(q-1) + 1, rank(T_q + 2) <= rank(T_(q-1) + 2) + 1 <=
r_(q-1) + 1. So only a job's first issue can move r by more than one: r_q = max(rank(S + 2), r_prev + 1) + q for a job
whose slot is reached at S = max(T_prev + 1, Z + 1), and T_q = max(S + q, A_(q-2)).

**At rest.** With nothing offered that was not taken and nothing inside, all that a core keeps are the reduce factor and
each row's bank (`Rest`). A long run may thus be predicted in parts, each with its own cycle 0: `Prediction.rest` of one
is `Stimulus.since` of the next, and counters add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.ioss.config import (
    CoreParams,
    Descriptor,
    GlobalCounter,
    JobErr,
    RowCounter,
    RspCode,
    tile_beats,
    vec_beats,
)
from models.ioss.value import (
    Pairs,
    PairTable,
    desc_pair_table,
    issued_pairs,
    live_lanes,
    signed_slice,
    unpack_tile,
    unpack_vectors,
    weight_table,
)

# A cycle that never comes; leaves room for adding beats and issues to it.
NEVER = 1 << 48
_CHUNK_ISSUES = 1 << 16

KIND_ROWS, KIND_BYPASS, KIND_REFUSED, KIND_OPEN = 0, 1, 2, 3

JOB_ERR_DTYPE = np.dtype([("cycle", "<i8"), ("code", "u1"), ("tag", "<u2")])
ISSUE_DTYPE = np.dtype(
    [
        ("row", "u1"),
        ("cycle", "<i8"),
        ("null", "u1"),
        ("k", "<u2"),
        ("i", "u1"),
        ("j", "u1"),
        ("x", "u1"),
        ("tag", "<u2"),
    ]
)
PROD_DTYPE = np.dtype(
    [
        ("row", "u1"),
        ("valid_cycle", "<i8"),
        ("cycle", "<i8"),
        ("order", "u1"),
        ("last", "u1"),
        ("null", "u1"),
        ("bank", "u1"),
        ("tag", "<u2"),
        ("mask", "<u4"),
    ]
)
BYP_DTYPE = np.dtype([("valid_cycle", "<i8"), ("cycle", "<i8"), ("tag", "<u2"), ("mask", "<u4")])
JOB_DTYPE = np.dtype(
    [
        ("tile", "<i4"),
        ("kind", "u1"),
        ("group", "<i2"),
        ("first", "<i8"),
        ("done", "<i8"),
        ("n_issue", "<i8"),
        ("tag", "<u2"),
    ]
)


@dataclass(frozen=True)
class Rest:
    """What a core at rest keeps: the reduce factor, and of each row the bank of its next job (empty: 0 of each)."""

    reduce_factor: int = 1
    banks: tuple[int, ...] = ()


AFTER_RESET = Rest()


@dataclass
class Stimulus:
    """Inputs as observed at the boundary. *Offer* is the cycle in which ``valid`` is first high for an item."""

    descs: list[Descriptor]
    desc_offer: npt.NDArray[np.int64]  # (D,)
    tile_data: npt.NDArray[np.uint8]  # (BT, 16)
    tile_last: npt.NDArray[np.bool_]  # (BT,)
    tile_offer: npt.NDArray[np.int64]  # (BT,)
    vec_data: npt.NDArray[np.uint8]  # (BV, 16)
    vec_last: npt.NDArray[np.bool_]  # (BV,)
    vec_tag: npt.NDArray[np.uint16]  # (BV,)
    vec_mask: npt.NDArray[np.uint32]  # (BV,), bit l = lane l masked
    vec_offer: npt.NDArray[np.int64]  # (BV,)
    horizon: int  # cycles observed
    prod_ready: npt.NDArray[np.bool_] | None = None  # (cycles, rows); None = always; not ready past its end
    byp_ready: npt.NDArray[np.bool_] | None = None  # (cycles,); None = always; not ready past its end
    since: Rest = AFTER_RESET  # how it begins


@dataclass
class Prediction:
    """Everything the core does before the horizon. Tables are NumPy structured arrays (see the dtypes above)."""

    desc_accept: npt.NDArray[np.int64]  # (D,), -1 = not accepted; the response pulses one cycle later
    desc_code: npt.NDArray[np.uint8]  # (D,) RspCode, also of descriptors that were not accepted
    tile_accept: npt.NDArray[np.int64]  # (BT,), -1 = not accepted
    tile_err_cycle: npt.NDArray[np.int64]  # (E,)
    vec_accept: npt.NDArray[np.int64]  # (BV,), -1 = not accepted
    job_err: npt.NDArray[np.void]  # (cycle, code, tag), by cycle
    issue: npt.NDArray[np.void]  # by row, then time; k, i, j and x of a null are 0
    prod: npt.NDArray[np.void]  # products transferred, by row, then time
    prod_data: npt.NDArray[np.int16]  # (Q, L) half units, one row per entry of prod
    byp: npt.NDArray[np.void]  # bypassed jobs transferred, by time
    row_counters: npt.NDArray[np.int64]  # (rows, 8), index RowCounter
    global_counters: npt.NDArray[np.int64]  # (8,), index GlobalCounter
    opens: npt.NDArray[np.int64]  # cycle O of each tile opened
    bank_free: npt.NDArray[np.int64]  # (opens,) first cycle in which the tile's bank is free again, -1 = not yet
    jobs: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, JOB_DTYPE))
    """Jobs whose first beat was taken, in order: kind 0 rows, 1 bypass, 2 refused, 3 last beat not taken yet (done -1);
    group -1 where none was chosen (tile refused); n_issue without nulls."""
    rest: Rest | None = None  # at the horizon; None: not at rest

    @property
    def utilisation(self) -> float:
        """Issues / (rows x active cycles); 0 without active cycles."""
        cycles = int(self.global_counters[GlobalCounter.CYCLES]) * len(self.row_counters)
        return float(self.row_counters[:, RowCounter.ISSUES].sum()) / cycles if cycles else 0.0


class _Ready:
    """A ready waveform of one output as tables: ready cycles in order, and how many lie before a cycle."""

    def __init__(self, wave: npt.NDArray[np.bool_], horizon: int) -> None:
        wave = np.ascontiguousarray(wave[:horizon])
        at = np.flatnonzero(wave)
        self.count = at.size
        self.pos = np.concatenate((at, [NEVER])).astype(np.int64)
        rank = np.zeros(wave.size + 1, dtype=np.int64)
        np.cumsum(wave, out=rank[1:])
        self.size = wave.size
        # Single elements of a memoryview are plain ints, several times faster than elements of an array.
        self._pos, self._rank = memoryview(self.pos), memoryview(rank)

    def rank(self, cycle: int) -> int:
        return self._rank[cycle if cycle < self.size else self.size]

    def nth(self, index: int) -> int:
        return self._pos[index if index < self.count else self.count]


class _Tile:
    """Issued pairs and weights of one good tile with its complete, well-framed jobs."""

    __slots__ = ("counts", "pairs", "table", "totals", "weights")

    def __init__(self, pairs: Pairs, table: PairTable, weights: npt.NDArray[np.int16]) -> None:
        self.pairs = pairs
        self.table = table
        self.weights = weights
        self.counts: list[list[int]] = pairs.counts.tolist()
        self.totals: list[int] = pairs.counts.sum(axis=1).tolist()


@dataclass(slots=True)
class _Offered:
    """Jobs of a tile as they are offered: lists by job, and for those that fit, in order, what they issue."""

    lo: int  # first job
    beats: int  # as declared
    members: int  # rows of a job
    loaded: int  # when the tile is there
    offers: list[int]
    paces: list[int]
    lengths: list[int]
    fits: list[bool]
    whole: list[bool]
    counts: Iterator[tuple[int, Sequence[int]]]  # issues of all rows, of each


@dataclass(slots=True)
class _Walk:
    """What came of a tile's jobs so far, by job; `z`: when the last one's vector was whole, `NEVER` beyond the
    horizon; `last_t`: T_last of the latest."""

    z: int
    last_t: int = -1
    firsts: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    bounds: list[int] = field(default_factory=list)
    dones: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)


def _group_at(first: int, older: Sequence[int], newer: Sequence[int]) -> int:
    """The first group that is idle in cycle ``first``, or else the first with a free slot; T_last by group."""
    for busy_until in (newer, older):
        for group, cycle in enumerate(busy_until):
            if cycle < first:
                return group
    raise AssertionError("no group has a free slot")


class _Predictor:
    """Walks through descriptors, tiles and jobs in order, then expands issues and products."""

    def __init__(self, params: CoreParams, stim: Stimulus) -> None:
        self.params = params
        self.horizon = int(stim.horizon)
        self.descs = list(stim.descs)
        self.desc_offer = np.asarray(stim.desc_offer, dtype=np.int64).tolist()
        self.tile_data = np.ascontiguousarray(stim.tile_data, dtype=np.uint8).reshape(-1, 16)
        self.tile_last = np.asarray(stim.tile_last, dtype=bool)
        self.tile_offer = np.asarray(stim.tile_offer, dtype=np.int64)
        self.vec_data = np.ascontiguousarray(stim.vec_data, dtype=np.uint8).reshape(-1, 16)
        self.vec_last = np.asarray(stim.vec_last, dtype=bool)
        self.vec_offer = np.asarray(stim.vec_offer, dtype=np.int64)
        n_vec = len(self.vec_last)
        self._check_lengths(stim)

        # Both streams are cut at their last flags, whatever a descriptor declares: tile and job end at the first one.
        self.tile_start, self.tile_stop, self.tile_whole = _segments(self.tile_last)
        self.job_start, self.job_stop, self.job_whole = _segments(self.vec_last)
        n_jobs = len(self.job_start)
        lane_mask = np.uint32((1 << params.lanes) - 1)
        self.job_tag = np.asarray(stim.vec_tag, dtype=np.uint16)[self.job_start]
        self.job_mask = np.asarray(stim.vec_mask, dtype=np.uint32)[self.job_start] & lane_mask
        self.job_offer = self.vec_offer[self.job_start]
        # Earliest Z that the offers of a job's later beats allow.
        self.job_pace = np.full(n_jobs, -1, dtype=np.int64)
        longer = np.flatnonzero(self.job_stop - self.job_start > 1)
        if longer.size:
            edges = np.stack((self.job_start[longer] + 1, self.job_stop[longer]), axis=1).reshape(-1)
            pace = np.append(self.vec_offer - np.arange(n_vec), -1)
            self.job_pace[longer] = np.maximum.reduceat(pace, edges)[::2] + self.job_stop[longer] - 1

        self.ready: list[_Ready] | None = None
        if stim.prod_ready is not None:
            wave = np.asarray(stim.prod_ready, dtype=bool)
            if wave.ndim != 2 or wave.shape[1] != params.rows:
                raise ValueError(f"prod_ready must have shape (cycles, {params.rows}), not {wave.shape}")
            self.ready = [_Ready(wave[:, row], self.horizon) for row in range(params.rows)]
        self.byp_ready = None if stim.byp_ready is None else _Ready(np.asarray(stim.byp_ready, bool), self.horizon)

        # Results by job (index into the job segments); -1 or NEVER until known.
        self.first = np.full(n_jobs, NEVER, dtype=np.int64)
        self.done = np.full(n_jobs, -1, dtype=np.int64)
        self.kind = np.full(n_jobs, KIND_OPEN, dtype=np.uint8)
        self.group = np.full(n_jobs, -1, dtype=np.int16)
        self.job_tile = np.full(n_jobs, -1, dtype=np.int32)
        self.n_issue = np.zeros(n_jobs, dtype=np.int64)
        self.byp_bound = np.zeros(n_jobs, dtype=np.int64)  # when the bypass register lets the job's last beat in
        self.declared = np.zeros(n_jobs, dtype=np.int64)  # beats; 0 = job of a refused tile
        self.job_err: list[tuple[int, int, int]] = []
        self.byp: list[tuple[int, int, int, int]] = []

        # Per row: jobs taken, their S, and the index of their first product among the ready cycles.
        self.row_job: list[list[int]] = [[] for _ in range(params.rows)]
        self.row_start: list[list[int]] = [[] for _ in range(params.rows)]
        self.row_rank: list[list[int]] = [[] for _ in range(params.rows)]
        self.row_last: list[list[int]] = [[] for _ in range(params.rows)]  # T_last
        # Jobs before each change of RF; a row whose first job here goes into bank 1 has had one more.
        self.row_epoch = [[-bank] for bank in stim.since.banks or (0,) * params.rows]
        self.t_prev = [-1] * params.rows
        self.r_prev = [-1] * params.rows
        self.a_prev = [-1] * params.rows
        self.a_prev2 = [-1] * params.rows

        # Per group: T_last (latest of its rows) of the last job but one and of the last job: two slots, so a slot is
        # free in the cycles after the former and both are in the cycles after the latter.
        self.rf = stim.since.reduce_factor
        n_groups = params.rows // self.rf
        self.older, self.newer = [-1] * n_groups, [-1] * n_groups
        self.z_prev = -1
        self.byp_done = -1  # transfer of the latest bypass
        self.tiles: list[tuple[int, int, Descriptor, _Tile | None]] = []  # (first job, jobs present, desc, values)

    def _check_lengths(self, stim: Stimulus) -> None:
        if len(self.descs) != len(self.desc_offer):
            raise ValueError("descs and desc_offer differ in length")
        if not len(self.tile_data) == len(self.tile_last) == len(self.tile_offer):
            raise ValueError("tile_data, tile_last and tile_offer differ in length")
        lengths = {len(self.vec_data), len(self.vec_last), len(self.vec_offer), len(stim.vec_tag), len(stim.vec_mask)}
        if len(lengths) != 1:
            raise ValueError("vec_data, vec_last, vec_tag, vec_mask and vec_offer differ in length")

    # -------------------------------------------------------------------------------------------------- event walk
    def run(self) -> Prediction:
        horizon, n_desc = self.horizon, len(self.descs)
        desc_accept = np.full(n_desc, -1, dtype=np.int64)
        codes = np.array([desc.check(self.params) for desc in self.descs], dtype=np.uint8)
        tile_accept = np.full(len(self.tile_last), -1, dtype=np.int64)
        tile_err: list[int] = []
        opens: list[int] = []
        free: list[int] = []
        ends: list[int] = []
        refused_tiles = 0
        pending_gone, loaded, job_at = 0, -1, 0
        for d, desc in enumerate(self.descs):
            accept = max(self.desc_offer[d], pending_gone)
            if accept >= horizon:
                break
            desc_accept[d] = accept
            pending_gone = accept + 1
            if codes[d] != RspCode.OK:
                continue
            n = len(opens)
            opened = max(accept + 1, loaded + 1)
            if n >= 2:
                opened = max(opened, free[n - 2])
            if desc.reduce_factor != self.rf:
                if n >= 1:
                    opened = max(opened, free[n - 1])
                opened = max(opened, self.byp_done + 1, max(self.a_prev) + 1)
            if opened >= horizon:
                break
            opens.append(opened)
            pending_gone = opened + 1
            if desc.reduce_factor != self.rf:
                self.rf = desc.reduce_factor
                for epoch, jobs in zip(self.row_epoch, self.row_job, strict=True):
                    epoch.append(len(jobs))
                n_groups = self.params.rows // self.rf
                self.older, self.newer = [-1] * n_groups, [-1] * n_groups
            loaded, good = self._load(n, opened, desc, tile_accept)
            ends.append(loaded)
            if loaded < horizon and not good:
                refused_tiles += 1
                if loaded + 1 < horizon:
                    tile_err.append(loaded + 1)
            free.append(self._jobs(n, desc, job_at, loaded, good))
            job_at = min(job_at + desc.n_jobs, len(self.job_start))

        row_counters = np.zeros((self.params.rows, 8), dtype=np.int64)
        global_counters = np.zeros(8, dtype=np.int64)
        vec_accept = self._vec_accept()
        active = _merge(opens, free, horizon)
        global_counters[GlobalCounter.CYCLES] = active[2][-1]
        global_counters[GlobalCounter.TILES] = sum(end < horizon for end in ends)
        global_counters[GlobalCounter.TILES_REFUSED] = refused_tiles
        global_counters[GlobalCounter.JOBS] = (self.kind == KIND_ROWS).sum()
        global_counters[GlobalCounter.JOBS_BYPASSED] = (self.kind == KIND_BYPASS).sum()
        global_counters[GlobalCounter.JOBS_REFUSED] = (self.kind == KIND_REFUSED).sum()
        global_counters[GlobalCounter.DESCS_REFUSED] = ((desc_accept >= 0) & (codes != RspCode.OK)).sum()
        global_counters[GlobalCounter.VEC_WAIT] = self._vec_wait(vec_accept, active)
        self._skip_counters(row_counters)
        issue, prod, prod_data = self._expand(row_counters, int(active[2][-1]))
        return Prediction(
            desc_accept=desc_accept,
            desc_code=codes,
            tile_accept=tile_accept,
            tile_err_cycle=np.array(tile_err, dtype=np.int64),
            vec_accept=vec_accept,
            job_err=np.array([e for e in self.job_err if e[0] < horizon], dtype=JOB_ERR_DTYPE),
            issue=issue,
            prod=prod,
            prod_data=prod_data,
            byp=np.array([b for b in self.byp if b[1] < horizon], dtype=BYP_DTYPE),
            row_counters=row_counters,
            global_counters=global_counters,
            opens=np.array(opens, dtype=np.int64),
            bank_free=np.array([f if f < horizon else -1 for f in free], dtype=np.int64),
            jobs=self._job_table(),
            rest=self._rest([pending_gone, *free], (desc_accept, tile_accept, vec_accept)),
        )

    def _rest(self, free: list[int], accepts: Iterable[npt.NDArray[np.int64]]) -> Rest | None:
        """What is kept at the horizon, if everything offered was taken and is over by then, answers included."""
        over = max(*free, self.byp_done, *self.a_prev) < self.horizon
        if not over or any((accept < 0).any() for accept in accepts):
            return None
        jobs = zip(self.row_job, self.row_epoch, strict=True)
        return Rest(self.rf, tuple((len(mine) - epoch[-1]) & 1 for mine, epoch in jobs))

    def _job_table(self) -> npt.NDArray[np.void]:
        """The jobs whose first beat was taken, in order."""
        taken = self.first < self.horizon
        jobs = np.zeros(int(taken.sum()), dtype=JOB_DTYPE)
        for name, column in (
            ("tile", self.job_tile),
            ("kind", self.kind),
            ("group", self.group),
            ("first", self.first),
            ("done", self.done),
            ("n_issue", self.n_issue),
            ("tag", self.job_tag),
        ):
            jobs[name] = column[taken]
        jobs["n_issue"][jobs["kind"] == KIND_OPEN] = 0
        return jobs

    def _load(self, n: int, opened: int, desc: Descriptor, tile_accept: npt.NDArray[np.int64]) -> tuple[int, bool]:
        """Take the beats of tile ``n``; return its end E (NEVER if not before the horizon) and whether it is good."""
        if n >= len(self.tile_start):
            return NEVER, False
        lo, hi = int(self.tile_start[n]), int(self.tile_stop[n])
        index = np.arange(hi - lo)
        bound = np.maximum(self.tile_offer[lo:hi], opened + 1) - index
        accept = np.maximum.accumulate(bound) + index
        tile_accept[lo:hi] = np.where(accept < self.horizon, accept, -1)
        end = int(accept[-1])
        if not self.tile_whole[n] or end >= self.horizon:
            return NEVER, False
        return end, hi - lo == tile_beats(desc, self.params)

    def _values(self, n: int, desc: Descriptor, good: npt.NDArray[np.int64]) -> _Tile:
        """Values of tile ``n`` and of its complete jobs ``good`` (indices of job segments)."""
        w = unpack_tile(desc, self.params, self.tile_data[self.tile_start[n] : self.tile_stop[n]])
        beats = vec_beats(desc)
        if good.size and good[-1] - good[0] + 1 == good.size:  # no refused job in between: a plain slice, no copy
            data = self.vec_data[self.job_start[good[0]] : self.job_stop[good[-1]]].reshape(good.size, beats, 16)
        else:
            data = self.vec_data[self.job_start[good][:, None] + np.arange(beats)]
        pairs = issued_pairs(desc, w, unpack_vectors(desc, data), self.job_mask[good])
        return _Tile(pairs, desc_pair_table(desc), weight_table(desc, w))

    def _jobs(self, n: int, desc: Descriptor, lo: int, loaded: int, tile_good: bool) -> int:
        """Take the jobs of tile ``n`` from segment ``lo`` on; return the first cycle in which its bank is free."""
        horizon = self.horizon
        hi = min(lo + desc.n_jobs, len(self.job_start))
        cut = hi - lo < desc.n_jobs
        self.tiles.append((lo, 0, desc, None))
        if loaded >= horizon or self.z_prev >= horizon or hi == lo:
            self.z_prev = NEVER
            return NEVER
        if not tile_good:
            return self._refuse_all(n, lo, hi, loaded, cut)

        walk = _Walk(self.z_prev)
        self._walk(self._offered(n, desc, lo, hi, loaded), walk)
        self.z_prev = walk.z
        taken, ended = len(walk.firsts), len(walk.dones)
        self.first[lo : lo + taken] = walk.firsts
        self.group[lo : lo + taken] = walk.groups
        self.byp_bound[lo : lo + taken] = walk.bounds
        self.job_tile[lo : lo + taken] = n
        self.done[lo : lo + ended] = walk.dones
        self.kind[lo : lo + ended] = walk.kinds
        return NEVER if cut or walk.z >= horizon else max(walk.z, walk.last_t) + 2

    def _offered(self, n: int, desc: Descriptor, lo: int, hi: int, loaded: int) -> _Offered:
        """The jobs ``lo`` to ``hi`` (exclusive) of tile ``n``, and what they issue."""
        beats = vec_beats(desc)
        self.declared[lo:hi] = beats
        lengths = self.job_stop[lo:hi] - self.job_start[lo:hi]
        fits = (lengths == beats) & self.job_whole[lo:hi]
        good = np.flatnonzero(fits) + lo
        tile = self._values(n, desc, good)
        self.tiles[-1] = (lo, hi - lo, desc, tile)
        self.n_issue[good] = tile.totals
        return _Offered(
            lo,
            beats,
            desc.reduce_factor,
            loaded,
            self.job_offer[lo:hi].tolist(),
            self.job_pace[lo:hi].tolist(),
            lengths.tolist(),
            fits.tolist(),
            self.job_whole[lo:hi].tolist(),
            iter(zip(tile.totals, tile.counts, strict=True)),
        )

    def _walk(self, jobs: _Offered, walk: _Walk) -> None:
        """Take the jobs of a tile one after the other, up to the horizon."""
        z, byp_done, single = walk.z, self.byp_done, jobs.beats == 1
        older, newer = self.older, self.newer
        each = zip(jobs.offers, jobs.paces, jobs.lengths, jobs.fits, jobs.whole, strict=True)
        for job, (offer, pace, length, fits, whole) in enumerate(each, jobs.lo):
            # Its first beat: after the job before it, the tile, the last bypass, and a group's older job.
            first = offer if offer > z else z + 1
            if first <= jobs.loaded:
                first = jobs.loaded + 1
            if single and first < byp_done:
                first = byp_done
            available = min(older)
            if first <= available:
                first = available + 1
            if first >= self.horizon:
                walk.z = NEVER
                return
            group = _group_at(first, older, newer)
            walk.firsts.append(first)
            walk.groups.append(group)
            walk.bounds.append(byp_done)

            # Its last beat.
            z = first + length - 1
            if pace > z:
                z = pace
            if fits:
                total, counts = next(jobs.counts)
            if not single:
                if not fits:
                    z = self._late(job, first, jobs.beats) if length >= jobs.beats else z
                elif z < byp_done:
                    z = byp_done
            if not whole or z >= self.horizon:
                walk.z = NEVER
                return
            walk.z = z
            walk.dones.append(z)

            # What becomes of it.
            if not fits:
                walk.kinds.append(KIND_REFUSED)
                code = JobErr.EARLY_LAST if length < jobs.beats else JobErr.LATE_LAST
                self.job_err.append((z + 1, int(code), int(self.job_tag[job])))
            elif total == 0:
                walk.kinds.append(KIND_BYPASS)
                byp_done = self._bypass(job, z)
            else:
                walk.kinds.append(KIND_ROWS)
                latest = self._issue(job, z, group * jobs.members, counts)
                older[group], newer[group] = newer[group], latest
                if latest > walk.last_t:
                    walk.last_t = latest

    def _bypass(self, job: int, z: int) -> int:
        """Let a job that issues nothing pass; return when it left."""
        self.byp_done = z + 1 if self.byp_ready is None else self.byp_ready.nth(self.byp_ready.rank(z + 1))
        self.byp.append((z + 1, self.byp_done, int(self.job_tag[job]), int(self.job_mask[job])))
        return self.byp_done

    def _issue(self, job: int, z: int, row: int, counts: Iterable[int]) -> int:
        """Begin a job in its rows, from ``row`` on, with so many issues each; return the latest T_last."""
        t_prev, latest = self.t_prev, -1
        for count in counts:
            count = count or 1  # a null
            start = (t_prev[row] if t_prev[row] > z else z) + 1
            t_last = start + count - 1
            self.row_job[row].append(job)
            self.row_start[row].append(start)
            if self.ready is None:
                self.a_prev[row] = t_last + 2
            else:
                t_last = self._back_pressure(row, start, count)
            self.row_last[row].append(t_last)
            t_prev[row] = t_last
            if t_last > latest:
                latest = t_last
            row += 1
        return latest

    def _back_pressure(self, row: int, start: int, count: int) -> int:
        """Place a job's products on the row's ready cycles; return T_last."""
        wave = self.ready[row]
        rank = max(wave.rank(start + 2), self.r_prev[row] + 1)
        self.row_rank[row].append(rank)
        if count > 2:
            held = wave.nth(rank + count - 3)
        else:
            held = self.a_prev[row] if count == 2 else self.a_prev2[row]
        self.a_prev2[row] = wave.nth(rank + count - 2) if count > 1 else self.a_prev[row]
        self.a_prev[row] = wave.nth(rank + count - 1)
        self.r_prev[row] = rank + count - 1
        return max(start + count - 1, held)

    def _late(self, job: int, first: int, beats: int) -> int:
        """Z of a job longer than declared: the beat at the declared length waits for the bypass register."""
        lo, hi = int(self.job_start[job]), int(self.job_stop[job])
        index = np.arange(hi - lo)
        bound = self.vec_offer[lo:hi].copy()
        bound[0] = first
        bound[beats - 1] = max(int(bound[beats - 1]), self.byp_done)
        return int((bound - index).max()) + hi - lo - 1

    def _refuse_all(self, n: int, lo: int, hi: int, loaded: int, cut: bool) -> int:
        """Swallow the jobs of a refused tile."""
        z = self.z_prev
        for job in range(lo, hi):
            first = max(int(self.job_offer[job]), z + 1, loaded + 1)
            if first >= self.horizon:
                z = NEVER
                break
            self.first[job] = first
            self.job_tile[job] = n
            z = max(first + int(self.job_stop[job] - self.job_start[job]) - 1, int(self.job_pace[job]))
            if not self.job_whole[job] or z >= self.horizon:
                z = NEVER
                break
            self.done[job] = z
            self.kind[job] = KIND_REFUSED
            self.job_err.append((z + 1, int(JobErr.TILE), int(self.job_tag[job])))
        self.z_prev = z
        return NEVER if cut or z >= self.horizon else z + 2

    # ---------------------------------------------------------------------------------------------------- expansion
    def _vec_accept(self) -> npt.NDArray[np.int64]:
        """Accept cycles of all vector beats: a running maximum over what holds each of them back."""
        bound = self.vec_offer.copy()
        if not bound.size:
            return bound
        bound[self.job_start] = self.first
        final = self.job_start + self.declared - 1
        waits = (self.declared > 0) & (final < self.job_stop)
        np.maximum.at(bound, final[waits], self.byp_bound[waits])
        index = np.arange(bound.size)
        accept = np.maximum.accumulate(bound - index) + index
        return np.where(accept < self.horizon, accept, -1)

    def _vec_wait(self, accept: npt.NDArray[np.int64], active: tuple[npt.NDArray[np.int64], ...]) -> int:
        """Active cycles in which a vector beat was offered and not taken."""
        if not accept.size:
            return 0
        stop = np.where(accept < 0, self.horizon, accept)
        begin = np.minimum(np.maximum(self.vec_offer, np.concatenate(([0], stop[:-1] + 1))), self.horizon)
        return int((_active_before(stop, active) - _active_before(begin, active)).clip(0).sum())

    def _skip_counters(self, row_counters: npt.NDArray[np.int64]) -> None:
        for lo, present, desc, tile in self.tiles:
            if tile is None:
                continue
            kinds, groups = self.kind[lo : lo + present], self.group[lo : lo + present]
            fits = (self.job_stop[lo : lo + present] - self.job_start[lo : lo + present]) == vec_beats(desc)
            fits &= self.job_whole[lo : lo + present]
            counted = kinds[fits] <= KIND_BYPASS
            rows = groups[fits][counted].astype(np.int64) * desc.reduce_factor
            skips = tile.pairs.skips[counted]
            for m in range(desc.reduce_factor):
                np.add.at(row_counters[:, RowCounter.SKIP_MASK :], rows + m, skips[:, m])

    def _sources(self) -> dict[str, npt.NDArray[np.generic]]:
        """Concatenate the values of all tiles; entry 0 is what a null issues. Per job: where its entries begin."""
        n_jobs = len(self.job_start)
        tables: dict[int, int] = {}
        codes, xs = [np.zeros(1, np.uint16)], [np.zeros(1, np.uint8)]
        weights, ks, ijs, orders, weight_rows = [], [], [], [], []
        src = np.zeros(n_jobs, dtype=np.int64)  # index into bounds/counts of (job, member 0)
        table_at, weight_at = np.zeros(n_jobs, np.int64), np.zeros(n_jobs, np.int64)
        begins, counts = [], []
        n_codes, n_weights, n_table, n_members = 1, 0, 0, 0
        for lo, present, desc, tile in self.tiles:
            if tile is None:
                continue
            span = slice(lo, lo + present)
            fits = self.job_stop[span] - self.job_start[span] == vec_beats(desc)
            good = np.flatnonzero(fits & self.job_whole[span]) + lo
            if id(tile.table) not in tables:
                tables[id(tile.table)] = n_table
                ks.append(tile.table.k)
                ijs.append(tile.table.ij)
                orders.append(tile.table.order)
                weight_rows.append(tile.table.weight_row)
                n_table += tile.table.k.size
            src[good] = n_members + np.arange(good.size) * desc.reduce_factor
            table_at[good] = tables[id(tile.table)]
            weight_at[good] = n_weights
            begins.append(tile.pairs.bounds[:-1] + n_codes)
            counts.append(tile.pairs.counts.reshape(-1))
            codes.append(tile.pairs.code)
            xs.append(tile.pairs.x)
            weights.append(tile.weights)
            n_codes += tile.pairs.code.size
            n_weights += len(tile.weights)
            n_members += good.size * desc.reduce_factor
        count = np.concatenate(counts) if counts else np.zeros(0, np.int64)
        begin = np.concatenate(begins) if begins else np.zeros(0, np.int64)
        return {
            "code": np.concatenate(codes),
            "x": np.concatenate(xs),
            "weight": np.concatenate(weights) if weights else np.zeros((1, self.params.lanes), np.int16),
            "k": np.concatenate(ks) if ks else np.zeros(1, np.uint16),
            "ij": np.concatenate(ijs) if ijs else np.zeros(1, np.uint8),
            "order": np.concatenate(orders) if orders else np.zeros(1, np.uint8),
            "weight_row": np.concatenate(weight_rows) if weight_rows else np.zeros(1, np.int32),
            "src": src,
            "table_at": table_at,
            "weight_at": weight_at,
            "begin": np.where(count > 0, begin, 0),
            "count": count,
        }

    def _expand(
        self, row_counters: npt.NDArray[np.int64], active: int
    ) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void], npt.NDArray[np.int16]]:
        """Issues and products of all rows; fills the counters of issues and stalls."""
        source = self._sources()
        job_rf = np.ones(len(self.job_start), dtype=np.int64)
        for lo, present, desc, _ in self.tiles:
            job_rf[lo : lo + present] = desc.reduce_factor
        plans = [self._row_times(row, source, job_rf) for row in range(self.params.rows)]
        issue = np.empty(sum(plan["issues"] for plan in plans), dtype=ISSUE_DTYPE)
        prod = np.empty(sum(plan["prods"] for plan in plans), dtype=PROD_DTYPE)
        data = np.empty((len(prod), self.params.lanes), dtype=np.int16)
        at_issue = at_prod = 0
        for row, plan in enumerate(plans):
            n_issue, n_prod = plan["issues"], plan["prods"]
            self._fill_row(
                row,
                plan,
                source,
                issue[at_issue : at_issue + n_issue],
                prod[at_prod : at_prod + n_prod],
                data[at_prod : at_prod + n_prod],
            )
            nulls = int(issue["null"][at_issue : at_issue + n_issue].sum())
            row_counters[row, RowCounter.ISSUES] = n_issue - nulls
            row_counters[row, RowCounter.NULLS] = nulls
            row_counters[row, RowCounter.STALL_OPERAND] = active - plan["full"]
            row_counters[row, RowCounter.STALL_RAN] = plan["full"] - n_issue
            at_issue += n_issue
            at_prod += n_prod
        return issue, prod, data

    def _row_times(
        self, row: int, source: dict[str, npt.NDArray[np.generic]], job_rf: npt.NDArray[np.int64]
    ) -> dict[str, npt.NDArray[np.int64] | int]:
        """Cycles of a row's issues (T) and products (A), and what its jobs' entries are."""
        job = np.array(self.row_job[row], dtype=np.int64)
        start = np.array(self.row_start[row], dtype=np.int64)
        last = np.array(self.row_last[row], dtype=np.int64)
        entry = source["src"][job] + row % np.maximum(job_rf[job], 1)
        count = source["count"][entry]
        null = (count == 0).astype(np.uint8)
        count = np.maximum(count, 1)
        epoch = np.array(self.row_epoch[row], dtype=np.int64)
        position = np.arange(job.size)
        bank = (position - epoch[np.searchsorted(epoch, position, side="right") - 1]) & 1
        stop = np.cumsum(count)
        begin = stop - count
        total = int(stop[-1]) if job.size else 0
        index = np.arange(total)
        t = np.repeat(start - begin, count) + index
        if self.ready is None:
            a = t + 2
        else:
            wave = self.ready[row]
            place = np.repeat(np.array(self.row_rank[row], dtype=np.int64) - begin, count) + index
            a = wave.pos[np.minimum(place, wave.count)]
            np.maximum(t[2:], a[:-2], out=t[2:])
        full = int((np.minimum(last + 1, self.horizon) - start).clip(0).sum())
        return {
            "job": job,
            "null": null,
            "bank": bank,
            "begin": begin,
            "stop": stop,
            "source": source["begin"][entry],
            "t": t,
            "a": a,
            "issues": int(np.searchsorted(t, self.horizon)),
            "prods": int(np.searchsorted(a, self.horizon)),
            "full": full,
        }

    def _fill_row(
        self,
        row: int,
        plan: dict[str, npt.NDArray[np.int64] | int],
        source: dict[str, npt.NDArray[np.generic]],
        issue: npt.NDArray[np.void],
        prod: npt.NDArray[np.void],
        data: npt.NDArray[np.int16],
    ) -> None:
        """Write the tables of one row, a few thousand jobs at a time (the temporary arrays stay in the caches)."""
        t, a = plan["t"], plan["a"]
        valid = t[: len(prod)] + 2
        if self.ready is not None:
            np.maximum(valid[1:], a[: len(prod)][:-1] + 1, out=valid[1:])
        issue["row"], prod["row"] = row, row
        issue["cycle"], prod["cycle"], prod["valid_cycle"] = t[: len(issue)], a[: len(prod)], valid
        jobs, stops = plan["job"], plan["stop"]
        seg = 0
        while seg < jobs.size and plan["begin"][seg] < len(issue):
            base = int(plan["begin"][seg])
            seg_stop = max(seg + 1, int(np.searchsorted(stops, base + _CHUNK_ISSUES, side="right")))
            top = int(stops[seg_stop - 1])
            span = slice(seg, seg_stop)
            job, count = jobs[span], stops[span] - plan["begin"][span]
            at = np.repeat(plan["source"][span] - plan["begin"][span], count)
            at += np.arange(base, top)
            code = np.repeat(source["table_at"][job], count)
            code += source["code"][at]
            x = source["x"][at]
            null = np.repeat(plan["null"][span], count)
            tag = np.repeat(self.job_tag[job], count)

            ni = min(top, len(issue)) - base
            out = issue[base : base + ni]
            ij = source["ij"][code[:ni]]
            out["null"], out["tag"], out["x"] = null[:ni], tag[:ni], x[:ni]
            out["k"] = source["k"][code[:ni]]
            out["i"], out["j"] = ij >> 2, ij & 3

            np_ = min(top, len(prod)) - base
            if np_ > 0:
                out = prod[base : base + np_]
                last = np.zeros(top - base, dtype=np.uint8)
                last[stops[span] - base - 1] = 1
                out["last"], out["null"], out["tag"] = last[:np_], null[:np_], tag[:np_]
                out["order"] = source["order"][code[:np_]]
                out["bank"] = np.repeat(plan["bank"][span], count)[:np_]
                masks = self.job_mask[job]
                out["mask"] = np.repeat(masks, count)[:np_]
                rows = np.repeat(source["weight_at"][job], count)[:np_] + source["weight_row"][code[:np_]]
                block = data[base : base + np_]
                np.take(source["weight"], rows, axis=0, out=block, mode="clip")
                block *= signed_slice(x[:np_])[:, None]
                if masks.any():
                    block *= np.repeat(live_lanes(masks, self.params.lanes), count, axis=0)[:np_]
            seg = seg_stop


def _segments(
    last: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Cut a stream after its last flags: starts, stops, and whether the segment has its last flag."""
    stop = np.flatnonzero(last) + 1
    whole = np.ones(stop.size, dtype=bool)
    if last.size and not last[-1]:
        stop, whole = np.append(stop, last.size), np.append(whole, False)
    start = np.concatenate(([0], stop[:-1])) if stop.size else np.zeros(0, np.int64)
    return start.astype(np.int64), stop.astype(np.int64), whole


def _merge(opens: list[int], free: list[int], horizon: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Active intervals [begin, end) merged over both banks, and active cycles before each (one more entry: all)."""
    begins, stops = [], []
    for opened, gone in zip(opens, free, strict=True):
        begin, stop = min(opened + 1, horizon), min(gone, horizon)
        if stops and begin <= stops[-1]:
            stops[-1] = max(stops[-1], stop)
        elif stop > begin:
            begins.append(begin)
            stops.append(stop)
    lo, hi = np.array(begins, dtype=np.int64), np.array(stops, dtype=np.int64)
    return lo, hi, np.concatenate(([0], np.cumsum(hi - lo)))


def _active_before(cycle: npt.NDArray[np.int64], active: tuple[npt.NDArray[np.int64], ...]) -> npt.NDArray[np.int64]:
    """Number of active cycles before each cycle."""
    lo, hi, before = active
    if not lo.size:
        return np.zeros(cycle.shape, dtype=np.int64)
    index = np.searchsorted(lo, cycle, side="right") - 1
    inside = np.minimum(cycle, hi[index]) - lo[index]
    return np.where(index < 0, 0, before[index] + inside)


def predict(params: CoreParams, stim: Stimulus) -> Prediction:
    """Predict everything the core does before the horizon."""
    return _Predictor(params, stim).run()
