"""Sampling of the IOSS core's functional coverage: bins known by hand, and oracles that count one by one."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.ioss.config import CoreParams, Descriptor, GlobalCounter, JobErr, RowCounter
from models.ioss.cycle import KIND_BYPASS, KIND_ROWS, Stimulus, predict
from models.ioss.test_cycle import SETTINGS, SMALL, random_stimulus
from tb.ioss.coverage import _OTHER, GROUPS, functional_coverage, sample, sample_epochs
from tb.ioss.program import Program
from tb.ioss.scoreboard import Epoch, Inputs
from tb.lib.coverage import Coverage, CoverageError, Merged, read_ucis, summarise
from tb.lib.runinfo import RunInfo

CORE = CoreParams()


def observed(params: CoreParams, stim: Stimulus) -> Epoch:
    """An epoch of a device that does what the model says."""
    p = predict(params, stim)
    return Epoch(0, stim, p, p.issue, p.prod, p.prod_data, p.byp, {})


def played(program: Program, horizon: int = 3000, **more: Any) -> Epoch:
    """A program offered as fast as it is taken."""
    inputs = Inputs.of([program])
    counts = {"desc": len(inputs.descs), "tile": len(inputs.tile_last), "vec": len(inputs.vec_last)}
    offers = {f"{name}_offer": more.pop(f"{name}_offer", np.zeros(n, np.int64)) for name, n in counts.items()}
    return observed(program.params, Stimulus(**vars(inputs), **offers, horizon=horizon, **more))


def hit(coverage: Coverage, group: str, item: str) -> dict[str, int]:
    """Bins with a count."""
    return {label: n for label, n in coverage.bins(group, item).items() if n}


def random_epoch(params: CoreParams, name: str, seed: int) -> Epoch:
    return observed(params, random_stimulus(params, seed, SETTINGS[name]))


def tile(program: Program, desc: Descriptor, x: Any, masks: Any = 0) -> None:
    """A tile of ones and its jobs `x` (J, K)."""
    program.tile(desc, np.ones((desc.k_len, program.params.lanes), np.int64))
    program.vectors(desc, np.asarray(x), masks)


# -------------------------------------------------------------------------------------------------------- bins by hand
def test_nothing_is_covered_by_nothing() -> None:
    """Every item can be missed: neither no run nor an idle run hits a bin."""
    for epochs in ([], [played(Program(CORE))]):
        coverage = sample_epochs(CORE, epochs, (np.zeros((8, 8), np.int64), np.zeros(8, np.int64)))
        summary = summarise(Merged(coverage, ["idle"]))
        assert summary["percent"] == 0.0
        assert summary["covered"] == 0
        assert all(not item["covered"] for group in summary["groups"] for item in group["items"])
        assert len(summary["uncovered"]) == summary["total"] > 1000


def test_causes_of_skipping_and_bypass_reasons() -> None:
    program = Program(CORE)
    desc = Descriptor(2, 1, min_order=1, k_len=3, n_jobs=6)
    w = np.zeros((3, 16), np.int64)
    w[1, 0] = 1
    w[2] = 1
    program.tile(desc, w)
    lane_0, full = 1, 0xFFFF
    x = [[0, 1, 0x11], [0, 1, 0x11], [5, 5, 5], [0, 0, 0], [3, 0, 0], [0, 0, 2]]
    program.vectors(desc, np.array(x), [0, lane_0, full, 0, 0, 0])
    coverage = sample_epochs(CORE, [played(program)])
    # By hand, six pairs a job. Job 0: x 3, order 2, one issue; job 1: the pair of k = 1 meets a masked weight: w;
    # job 2: mask; job 3: x; job 4: slice (0, 0) meets no weight; job 5: order.
    assert hit(coverage, "skips", "cause_by_precision") == {
        "cause mask, precision 2x1": 6,
        "cause x, precision 2x1": 3 + 3 + 6 + 5 + 5,
        "cause w, precision 2x1": 0 + 1 + 0 + 0 + 1,
        "cause order, precision 2x1": 2 + 1 + 0 + 0 + 0 + 1,
    }
    assert hit(coverage, "skips", "bypass") == {
        "all masked": 1, "zero vector": 1, "no common element": 1, "below min_order": 1,
    }  # fmt: skip
    assert hit(coverage, "issues", "orders_by_precision") == {"precision 2x1, order 1": 2}
    assert hit(coverage, "shape", "masked") == {"none": 4, "one": 1, "all": 1}
    assert hit(coverage, "shape", "masked_lane") == {"0": 1}


def test_sparsity_classes() -> None:
    program = Program(CORE)
    x = np.zeros((6, 8), np.int64)
    x[1, 0] = x[2, 7] = 1
    x[3, :4] = 1
    x[4, :7] = 1
    x[5] = 1
    tile(program, Descriptor(1, 2, k_len=8, n_jobs=6), x)
    coverage = sample_epochs(CORE, [played(program)])
    assert hit(coverage, "sparsity", "x_zero_by_slices") == {
        "x_slices 1, x_zero all": 1,
        "x_slices 1, x_zero above 3/4": 2,
        "x_slices 1, x_zero 1/4 to 3/4": 1,
        "x_slices 1, x_zero below 1/4": 1,
        "x_slices 1, x_zero none": 1,
    }
    # Ones of two slices: half of the stationary slices are zero.
    assert hit(coverage, "sparsity", "w_zero_by_slices") == {"w_slices 2, w_zero 1/4 to 3/4": 1}
    assert hit(coverage, "sparsity", "vector") == {
        "zero": 1, "only the first element": 1, "only the last element": 1, "every slice full": 1,
    }  # fmt: skip
    assert hit(coverage, "issues", "orders_by_sparsity") == {
        "sparsity above 3/4, order 0": 2, "sparsity 1/4 to 3/4, order 0": 4, "sparsity below 1/4, order 0": 7,
        "sparsity none, order 0": 8,
    }  # fmt: skip


def test_precision_and_compensation() -> None:
    program = Program(CORE)
    tile(program, Descriptor(1, 2, True, False, 1, True, k_len=2, n_jobs=2), [[1, 1], [0, 1]])
    program.tile(Descriptor(3, 2, False, True, 2, False, k_len=1, n_jobs=1), np.full((1, 16), 0x11))
    program.vectors(Descriptor(3, 2, k_len=1, n_jobs=1), np.array([[0x111]]))
    coverage = sample_epochs(CORE, [played(program)])
    # A tile of ones has no slice 1, so the first tile's jobs bypass and do not count.
    assert hit(coverage, "precision", "operands") == {"x_slices 3, w_slices 2, signedness s x u": 1}
    assert hit(coverage, "precision", "min_orders") == {"x_slices 3, w_slices 2, min_order 2": 1}
    assert hit(coverage, "precision", "compensate") == {"off": 1}
    assert hit(coverage, "precision", "compensated") == {}
    assert hit(coverage, "issues", "slice_pairs") == {
        "x_slice 1, w_slice 1": 1, "x_slice 2, w_slice 0": 1, "x_slice 2, w_slice 1": 1,
    }  # fmt: skip

    program = Program(CORE)
    program.tile(Descriptor(2, 2, min_order=1, compensate=True, k_len=1, n_jobs=1), np.full((1, 16), 0x11))
    program.vectors(Descriptor(2, 2, k_len=1, n_jobs=1), np.array([[0x11]]))
    coverage = sample_epochs(CORE, [played(program)])
    assert hit(coverage, "precision", "compensate") == {"on, min_order above 0": 1}
    assert hit(coverage, "precision", "compensated") == {"2x2": 1}  # (0, 1); (1, 0) has nothing below j


def test_corners_and_peaks() -> None:
    program = Program(CORE)
    w = np.zeros((3, 16), np.int64)
    w[0], w[1, 0] = 127, -128
    program.tile(Descriptor(2, 2, k_len=3, n_jobs=2), w)
    program.vectors(Descriptor(2, 2, k_len=3, n_jobs=2), np.array([[127, -1, 1], [-127, -128, 5]]), pad_fill=0x7F)
    coverage = sample_epochs(CORE, [played(program)])
    assert hit(coverage, "operands", "x_corners") == {
        "slices 2, x most positive": 1, "slices 2, x -1": 1, "slices 2, x 1": 1, "slices 2, x most negative": 1,
    }  # fmt: skip
    assert hit(coverage, "operands", "w_corners") == {
        "slices 2, w most positive": 16, "slices 2, w most negative": 1, "slices 2, w zero": 31,
    }  # fmt: skip
    assert hit(coverage, "operands", "product") == {"450": 16, "-450": 16}
    assert hit(coverage, "shape", "ignored_bits") == {"vector padding": 1}

    program = Program(CORE)
    tile(program, Descriptor(1, 1, True, True, k_len=2, n_jobs=1), [[15, 0]])
    assert hit(sample_epochs(CORE, [played(program)]), "operands", "x_corners") == {
        "slices 1, x unsigned maximum": 1, "slices 1, x zero": 1,
    }  # fmt: skip


def test_tiles_and_transitions() -> None:
    program = Program(CORE)
    for n_x, n_w, rf, k in ((1, 4, 1, 1), (2, 4, 1, 128), (2, 1, 8, 1024), (3, 1, 8, 9)):
        tile(program, Descriptor(n_x, n_w, reduce_factor=rf, k_len=k, n_jobs=1), np.ones((1, k), np.int64))
    coverage = sample_epochs(CORE, [played(program, 20000)])
    assert hit(coverage, "transitions", "x_slices") == {
        "x_from 1, x_to 2": 1, "x_from 2, x_to 2": 1, "x_from 2, x_to 3": 1,
    }  # fmt: skip
    assert hit(coverage, "transitions", "w_slices") == {
        "w_from 4, w_to 4": 1, "w_from 4, w_to 1": 1, "w_from 1, w_to 1": 1,
    }  # fmt: skip
    assert hit(coverage, "transitions", "reduce_factor") == {
        "rf_from 1, rf_to 1": 1, "rf_from 1, rf_to 8": 1, "rf_from 8, rf_to 8": 1,
    }  # fmt: skip
    assert hit(coverage, "shape", "k") == {"1": 1, "128": 1, "129+": 1, "8-31": 1}
    assert hit(coverage, "shape", "spans") == {
        "reduce_factor 1, span K < RF * Depth": 1, "reduce_factor 1, span K = RF * Depth": 1,
        "reduce_factor 8, span K < RF * Depth": 1, "reduce_factor 8, span K = RF * Depth": 1,
    }  # fmt: skip
    # K = 9 of eight members: 2 2 2 2 1 0 0 0.
    assert hit(coverage, "reduction", "chunks") == {
        "reduce_factor 1, chunk C elements": 2, "reduce_factor 8, chunk C elements": 8 + 4,
        "reduce_factor 8, chunk fewer": 1, "reduce_factor 8, chunk none": 3,
    }  # fmt: skip
    assert hit(coverage, "reduction", "null_members") == {
        f"reduce_factor 8, member {member}": 1 for member in (5, 6, 7)
    }
    assert hit(coverage, "reduction", "null_counts") == {
        "reduce_factor 1, nulls none": 2, "reduce_factor 8, nulls none": 1, "reduce_factor 8, nulls several": 1,
    }  # fmt: skip
    assert hit(coverage, "dispatch", "groups") == {"reduce_factor 1, group 0": 2, "reduce_factor 8, group 0": 2}


def test_answers_to_descriptors() -> None:
    program = Program(CORE)
    good = Descriptor(2, 2)
    for change in (
        {}, {"x_slices": 0}, {"x_slices": 5, "n_jobs": 0}, {"reduce_factor": 3}, {"k_len": 129}, {"k_len": 0},
        {"min_order": 3}, {"min_order": 7}, {"reduce_factor": 0, "k_len": 500}, {"n_jobs": 0},
    ):  # fmt: skip
        program.descriptor(replace(good, **change))
    coverage = sample_epochs(CORE, [played(program)])
    assert hit(coverage, "descriptors", "code") == {
        "RspOk": 1, "RspXSlices": 2, "RspReduce": 2, "RspKLen": 2, "RspOrder": 2, "RspJobs": 1,
    }  # fmt: skip
    # k_len > Depth * 0 says nothing: reduce_factor 0 is a single illegal field.
    assert hit(coverage, "descriptors", "illegal") == {
        "x_slices 0": 1, "reduce_factor no power of 2": 1, "reduce_factor 0": 1, "k_len one too long": 1, "k_len 0": 1,
        "min_order one too high": 1, "min_order far too high": 1, "n_jobs 0": 1,
    }  # fmt: skip
    assert hit(coverage, "descriptors", "first_of_several") == {"RspXSlices": 1}
    assert hit(coverage, "descriptors", "sequence") == {
        "before accepted, this refused": 1, "before refused, this refused": 8,
    }  # fmt: skip


def test_gaps_and_waits_of_streams() -> None:
    program = Program(CORE)
    tile(program, Descriptor(2, 2, k_len=3, n_jobs=3), [[1, 1, 1], [2, 2, 2], [0, 0, 0]])
    tile(program, Descriptor(2, 2, k_len=3, n_jobs=1), [[1, 1, 1]])
    # Tile beats at 5, 6, 8 and then 60, 61, 62; vectors at 20, 21, 25, 90.
    epoch = played(
        program, desc_offer=np.array([0, 4]), tile_offer=np.array([5, 6, 8, 60, 61, 62]),
        vec_offer=np.array([20, 21, 25, 90]),
    )  # fmt: skip
    coverage = sample_epochs(CORE, [epoch])
    assert hit(coverage, "streams", "desc_gap") == {"2-7": 1}
    assert hit(coverage, "streams", "tile_gaps") == {
        "tile_beat later, tile_gap 0": 3, "tile_beat later, tile_gap 1": 1, "tile_beat first, tile_gap 8+": 1,
    }  # fmt: skip
    assert hit(coverage, "streams", "vec_gaps") == {
        "vec_beat first, vec_gap 0": 1, "vec_beat first, vec_gap 2-7": 1, "vec_beat first, vec_gap 8+": 1,
    }  # fmt: skip
    assert hit(coverage, "streams", "desc_wait") == {"0": 2}
    assert hit(coverage, "streams", "tile_wait") == {"0": 2}
    assert hit(coverage, "dispatch", "first_beat") == {"first_beat_waits_for nothing, first_beat_wait 0": 4}
    assert hit(coverage, "dispatch", "choice") == {"available all, chosen empty": 4}
    assert hit(coverage, "dispatch", "jobs") == {"beats single, outcome rows": 3, "beats single, outcome bypass": 1}


def test_products_and_bypass_held_off() -> None:
    program = Program(CORE)
    tile(program, Descriptor(1, 1, k_len=2, n_jobs=2), [[1, 1], [0, 0]])
    ready = np.ones((3000, 8), bool)
    byp = np.ones(3000, bool)
    free = played(program).prediction
    at = free.prod["valid_cycle"].tolist()
    ready[at[0] : at[0] + 5] = False
    byp[: free.byp["valid_cycle"][0] + 100] = False
    coverage = sample_epochs(CORE, [played(program, prod_ready=ready, byp_ready=byp)])
    # The second product enters its register when the first one leaves.
    assert hit(coverage, "back_pressure", "products_held") == {
        "product not last, product_held 2-7": 1, "product last, product_held 0": 1,
    }  # fmt: skip
    assert hit(coverage, "back_pressure", "bypass_held") == {"100+": 1}


# --------------------------------------------------------------------------------------------------------------- resets
def at_reset(epoch: Epoch) -> tuple[dict[str, int], Coverage]:
    coverage = sample_epochs(CORE, [epoch, played(Program(CORE))])
    return hit(coverage, "reset", "state"), coverage


def epoch_params(epoch: Epoch) -> CoreParams:
    return CoreParams(len(epoch.prediction.row_counters))


def test_state_at_reset() -> None:
    waiting = Program(CORE)
    waiting.descriptor(Descriptor(1, 1, k_len=4))
    waiting.descriptor(Descriptor(1, 1, k_len=4))
    state, coverage = at_reset(played(waiting, 10))
    assert state == {"descriptor pending": 1, "tile loading": 1}
    assert hit(coverage, "reset", "next_bank") == {"1": 1}
    assert hit(coverage, "reset", "after") == {}

    program = Program(CORE)
    tile(program, Descriptor(2, 1, reduce_factor=2, k_len=60, n_jobs=1), np.ones((1, 60), np.int64))
    beats = Program(CORE)
    beats.descs, beats.desc_gap, beats._tile = program.descs, program.desc_gap, program._tile
    beats.job_beats(program.vec_data[None, :2], [0], last=[[False, False]])
    state, coverage = at_reset(played(beats, 200))
    assert state == {"vector loading": 1}
    assert hit(coverage, "reset", "reduce_factor") == {"> 1": 1}

    program = Program(CORE)
    tile(program, Descriptor(2, 1, k_len=60, n_jobs=1), np.ones((1, 60), np.int64))
    whole = played(program)
    assert at_reset(whole)[0] == {"at rest": 1}
    middle = int(whole.prediction.issue["cycle"][30])
    assert at_reset(played(program, middle))[0] == {"slot full": 1}
    ends = whole.prediction.issue["cycle"][-1]
    state, _ = at_reset(played(program, int(ends) + 9, prod_ready=np.zeros((3000, 8), bool)))
    assert state == {"slot full": 1, "product waiting": 1}

    program = Program(CORE)
    tile(program, Descriptor(2, 1, k_len=5, n_jobs=1), np.zeros((1, 5), np.int64))
    assert at_reset(played(program, byp_ready=np.zeros(3000, bool)))[0] == {"bypass waiting": 1}


def test_only_a_reset_in_the_middle_counts() -> None:
    program = Program(CORE)
    tile(program, Descriptor(2, 1, k_len=5, n_jobs=1), np.ones((1, 5), np.int64))
    once, twice = (sample_epochs(CORE, [played(program)] * n) for n in (1, 2))
    assert not hit(once, "reset", "state")
    assert hit(twice, "reset", "state") == {"at rest": 1}
    assert hit(twice, "reset", "after") == {"job done": 1}


# --------------------------------------------------------------------------------------------------------- one by one
STREAMS = [(CORE, name, seed) for name in SETTINGS for seed in (17, 1017)] + [(SMALL, name, 3) for name in SETTINGS]


def segments_of(epoch: Epoch) -> dict[tuple[int, int], list[int]]:
    """Indices of issues by (row, job), one issue after the other."""
    p = epoch.prediction
    rf = [
        d.reduce_factor
        for d, a, c in zip(epoch.stim.descs, p.desc_accept, p.desc_code, strict=True)
        if a >= 0 and not c
    ]
    out: dict[tuple[int, int], list[int]] = {}
    for row in range(len(p.row_counters)):
        jobs = [at for at, j in enumerate(p.jobs) if j["kind"] == KIND_ROWS and row // rf[j["tile"]] == j["group"]]
        lasts = iter(p.prod["last"][p.prod["row"] == row])
        at = 0
        for index in np.flatnonzero(p.issue["row"] == row):
            out.setdefault((row, jobs[at]), []).append(int(index))
            at += next(lasts, 0)
    return out


def tile_ends(epoch: Epoch) -> list[int]:
    stops = np.flatnonzero(epoch.stim.tile_last)
    accept = epoch.prediction.tile_accept
    ends = [int(accept[at]) for at in stops[: len(epoch.prediction.opens)] if accept[at] >= 0]
    return ends + [1 << 40] * (len(epoch.prediction.opens) - len(ends))


@pytest.mark.parametrize(("params", "name", "seed"), STREAMS)
def test_issues_and_skips_equal_the_counters(params: CoreParams, name: str, seed: int) -> None:
    epoch = random_epoch(params, name, seed)
    coverage, p = sample_epochs(params, [epoch]), epoch.prediction
    assert coverage.counts["issues"]["order"].sum() == p.row_counters[:, RowCounter.ISSUES].sum()
    assert (
        coverage.counts["issues"]["order"].tolist()
        == np.bincount((p.issue["i"] + p.issue["j"])[p.issue["null"] == 0], minlength=7).tolist()
    )
    assert coverage.counts["reduction"]["member"].sum() == p.row_counters[:, RowCounter.NULLS].sum()
    if (p.jobs["done"] >= 0).all():
        assert (
            coverage.counts["skips"]["cause"].tolist() == p.row_counters[:, RowCounter.SKIP_MASK :].sum(axis=0).tolist()
        )
    assert coverage.counts["skips"]["bypass"].sum() == p.global_counters[GlobalCounter.JOBS_BYPASSED]
    if name not in ("cut", "hard_back_pressure"):  # drained
        stalls = coverage.counts["banks"]["activity"][2]
        assert (stalls > 0) == (p.row_counters[:, RowCounter.STALL_RAN].sum() > 0)
    errors = coverage.bins("framing", "job")
    assert {c: errors[f"Job{n}"] for c, n in ((1, "EarlyLast"), (2, "LateLast"), (3, "Tile"))} == {
        c: int((p.job_err["code"] == c).sum()) for c in JobErr
    }
    jobs = [int((p.jobs["kind"] == k).sum()) for k in (KIND_ROWS, KIND_BYPASS)]
    assert list(coverage.bins("dispatch", "outcome").values())[:2] == jobs
    assert errors["good"] == sum(jobs)
    refused = coverage.counts["framing"]["tile"][1:].sum()
    assert refused == p.global_counters[GlobalCounter.TILES_REFUSED]


@pytest.mark.parametrize(("params", "name", "seed"), STREAMS)
def test_bank_phases_one_by_one(params: CoreParams, name: str, seed: int) -> None:
    epoch = random_epoch(params, name, seed)
    p, ends = epoch.prediction, tile_ends(epoch)
    never = 1 << 40
    first = [min((int(j["first"]) for j in p.jobs if j["tile"] == n), default=never) for n in range(len(p.opens))]

    def other(n: int, t: int) -> str:
        if n > 0 and not 0 <= p.bank_free[n - 1] <= t:
            return _OTHER[0]
        if n + 1 < len(p.opens) and t > p.opens[n + 1]:
            return _OTHER[2] if t <= ends[n + 1] else _OTHER[3] if t <= first[n + 1] else _OTHER[4]
        return _OTHER[1]

    want: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    before: dict[int, tuple[int, int]] = {}
    for (row, job), indices in segments_of(epoch).items():
        n, z = int(p.jobs["tile"][job]), int(p.jobs["done"][job])
        for place, index in enumerate(indices):
            t = int(p.issue["cycle"][index])
            last, last_tile = before.get(row, (-1, n))
            ready = max(last, z) if place == 0 else last
            if place == 0 and z > last:
                want[f"bank {n % 2}, other {other(n, z)}, activity stall operand"] += 1
            if t > ready + 1:
                want[f"bank {n % 2}, other {other(n, t - 1)}, activity stall RAN"] += 1
            want[f"bank {n % 2}, other {other(n, t)}, activity issue"] += 1
            if place == 0 and row in before:
                how = "stall operand" if z > last else "stall RAN" if t > ready + 1 else "back to back"
                changes[f"job_change {how}, tile_change {'same tile' if n == last_tile else 'next tile'}"] += 1
            before[row] = (t, n)
    coverage = sample_epochs(params, [epoch])
    assert hit(coverage, "banks", "phases") == dict(want)
    assert hit(coverage, "banks", "job_changes") == dict(changes)


@pytest.mark.parametrize(("params", "name", "seed"), STREAMS)
def test_dispatch_one_by_one(params: CoreParams, name: str, seed: int) -> None:
    epoch = random_epoch(params, name, seed)
    p, stim, ends = epoch.prediction, epoch.stim, tile_ends(epoch)
    descs = [d for d, a, c in zip(stim.descs, p.desc_accept, p.desc_code, strict=True) if a >= 0 and not c]
    t_last: dict[int, int] = {}
    work: Counter[int] = Counter()
    for (_, job), indices in segments_of(epoch).items():
        t_last[job] = max(t_last.get(job, -1), int(p.issue["cycle"][indices[-1]]))
        work[job] += int((p.issue["null"][indices] == 0).sum())
    starts = np.concatenate(([0], np.flatnonzero(stim.vec_last) + 1))
    want: Counter[str] = Counter()
    waits: Counter[str] = Counter()
    occupied: list[list[int]] = []
    rf, byp_at, byp_done = 0, 0, -1
    for at, job in enumerate(p.jobs):
        desc = descs[job["tile"]]
        if desc.reduce_factor != rf:
            rf = desc.reduce_factor
            occupied = [[] for _ in range(params.rows // rf)]
        if job["group"] >= 0:
            f = int(job["first"])
            used = [sum(t >= f for t in group) for group in occupied]
            free = sum(n < 2 for n in used)
            if len(used) > 1:
                amount = "all" if free == len(used) else "one" if free == 1 else "some"
                want[f"available {amount}, chosen {'empty' if used[job['group']] == 0 else 'half full'}"] += 1
            arrival = max(int(stim.vec_offer[starts[at]]), int(p.vec_accept[starts[at] - 1]) + 1 if starts[at] else 0)
            cause = "nothing"
            if f > arrival:
                slot = min(sorted(group)[-2] if len(group) > 1 else -1 for group in occupied) + 1
                bound = {"tile": ends[job["tile"]] + 1, "slot": slot}
                cause = next((name for name, cycle in bound.items() if cycle == f), "bypass")
                assert cause != "bypass" or byp_done == f
            waits[cause] += 1
        if job["kind"] == KIND_ROWS:
            done = work[at] == job["n_issue"]
            occupied[job["group"]].append(t_last[at] if done and at in t_last else 1 << 40)
        elif job["kind"] == KIND_BYPASS:
            byp_done = int(p.byp["cycle"][byp_at]) if byp_at < len(p.byp) else 1 << 40
            byp_at += 1
    coverage = sample_epochs(params, [epoch])
    assert hit(coverage, "dispatch", "choice") == dict(want)
    assert hit(coverage, "dispatch", "first_beat_waits_for") == dict(waits)


def test_random_streams_reach_most_bins_and_no_unreachable_one() -> None:
    """Bins that no stream reaches would be useless; those declared unreachable must stay so."""
    total = Coverage(GROUPS)
    for knobs in SETTINGS.values():
        for seed in range(4):
            stims = [random_stimulus(CORE, 100 * seed + n, replace(knobs, max_k=3 * knobs.max_k)) for n in (1, 2)]
            epochs = [observed(CORE, stim) for stim in stims]
            last = epochs[-1].prediction
            total.add(sample_epochs(CORE, epochs, (last.row_counters, last.global_counters)))
    summary = summarise(Merged(total, ["all"]))
    assert summary["contradictions"] == []
    assert summary["percent"] > 90
    for group in ("banks", "dispatch", "framing", "operands", "counters"):
        part = next(entry for entry in summary["groups"] if entry["name"] == group)
        assert part["percent"] > 95, group


@pytest.mark.parametrize(
    "params", [CoreParams(1, 8, 32), CoreParams(2, 32, 64), CoreParams(16, 16, 64), CoreParams(32, 8, 32)]
)
def test_other_parameters_are_sampled_too(params: CoreParams) -> None:
    knobs = replace(SETTINGS["reduce_back_pressure"], bad_job=0.2)
    epoch = observed(params, random_stimulus(params, 5, knobs))
    p = epoch.prediction
    coverage = sample_epochs(params, [epoch], (p.row_counters, p.global_counters))
    assert coverage.counts["issues"]["order"].sum() == p.row_counters[:, RowCounter.ISSUES].sum() > 0
    assert coverage.counts["dispatch"]["group"].sum() == (p.jobs["group"] >= 0).sum() - (p.jobs["group"] >= 8).sum()


# --------------------------------------------------------------------------------------------------------------- a run
def board(epochs: list[Epoch], diverged: bool) -> Any:
    return SimpleNamespace(
        verdict=SimpleNamespace(first="somewhere" if diverged else None), epochs=epochs, counters=None
    )


def test_a_run_leaves_its_file_and_a_divergence_leaves_none(tmp_path: Path) -> None:
    epoch = random_epoch(CORE, "flowing", 17)
    results = []
    for seed, diverged in ((1, False), (2, True), (3, False)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        info = RunInfo("ioss", "verilator", "some_test", seed, run_dir=folder)
        coverage = sample(info, CORE, board([epoch], diverged))
        data = json.loads((folder / "functional.json").read_text(encoding="utf-8"))
        assert data["passed"] is not diverged
        assert data["groups"] == coverage.as_dict()
        assert any(n for _, _, counts in coverage for n in counts) is not diverged
        results.append(
            SimpleNamespace(run_dir=folder, passed=not diverged, test="some_test", seed=seed, sim="verilator")
        )
    summary = functional_coverage(results, tmp_path)
    single = sample_epochs(CORE, [epoch])
    assert summary["runs"] == ["some_test seed 1 verilator", "some_test seed 3 verilator"]
    assert summary["groups"][1]["items"][0]["bins"] == {
        label: 2 * n for label, n in single.bins("issues", "precision").items()
    }
    back = read_ucis(tmp_path / "functional.xml")
    assert back["issues"]["order"] == {label: 2 * n for label, n in single.bins("issues", "order").items()}
    assert not summary["passed"]
    assert "reset.state: slot full" in summary["uncovered"]


def test_issues_without_a_job_are_an_error() -> None:
    epoch = random_epoch(CORE, "flowing", 17)
    epoch.prediction.jobs = epoch.prediction.jobs[:3]
    with pytest.raises(CoverageError, match="do not belong"):
        sample_epochs(CORE, [epoch])
