"""cycle.py against the state machine of reference.py, cycle by cycle, and plausibility of what both say."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.common import floats
from models.common.slices import operand_range
from models.ioss.config import CoreParams, Descriptor, GlobalCounter, JobErr, RowCounter, RspCode, tile_beats, vec_beats
from models.ioss.cycle import KIND_BYPASS, KIND_OPEN, KIND_REFUSED, KIND_ROWS, Prediction, Rest, Stimulus, predict
from models.ioss.reference import simulate
from models.ioss.value import accumulate, pack_tile, pack_vector

SMALL = CoreParams(4, 8, 32)


# ---------------------------------------------------------------------------------------------------------- stimuli
@dataclass
class Knobs:
    """What a random stimulus is like; rates are probabilities a cycle or an item."""

    n_desc: int = 5
    max_k: int = 40
    max_jobs: int = 12
    gap: float = 0.0  # of a beat of either stream
    prod_ready: float | None = None
    byp_ready: float | None = None
    bad_desc: float = 0.1
    bad_tile: float = 0.1
    bad_job: float = 0.1
    zero_x: float = 0.3
    zero_job: float = 0.1
    masked: float = 0.2
    reduce: tuple[int, ...] = (1,)
    slices: tuple[int, ...] = (1, 2, 3, 4)
    cut: bool = False
    horizon: int = 2500


def operands(rng: np.random.Generator, shape: tuple[int, ...], n: int, unsigned: bool, zero: float) -> np.ndarray:
    """Values with many zeros, small values and extremes."""
    low, high = operand_range(4 * n, unsigned)
    shrink = np.where(rng.random(shape) < 0.4, rng.integers(0, 4 * n, shape), 0)
    values = rng.integers(low, high + 1, shape) >> shrink
    values = np.where(rng.random(shape) < 0.05, rng.choice([low, high], shape), values)
    return np.where(rng.random(shape) < zero, 0, values)


def random_descriptor(rng: np.random.Generator, params: CoreParams, knobs: Knobs) -> Descriptor:
    n_x, n_w = (int(v) for v in rng.choice(knobs.slices, 2))
    rf = int(rng.choice([v for v in knobs.reduce if v <= params.rows] or [1]))
    order = int(rng.integers(0, n_x + n_w - 1)) if rng.random() < 0.5 else 0
    desc = Descriptor(
        n_x,
        n_w,
        bool(rng.integers(2)),
        bool(rng.integers(2)),
        order,
        bool(rng.integers(2)),
        rf,
        int(rng.integers(1, min(knobs.max_k, params.depth * rf) + 1)),
        int(rng.integers(1, knobs.max_jobs + 1)),
    )
    if rng.random() < knobs.bad_desc:
        bad = rng.integers(6)
        changes = (
            {"x_slices": int(rng.choice([0, 5, 7]))},
            {"w_slices": int(rng.choice([0, 5, 6]))},
            {"reduce_factor": int(rng.choice([0, 3, 8, 15]))},
            {"k_len": int(rng.choice([0, params.depth * rf + 1, 65535]))},
            {"min_order": n_x + n_w - 1},
            {"n_jobs": 0},
        )
        desc = replace(desc, **changes[bad])
    return desc


def framed(rng: np.random.Generator, beats: np.ndarray, bad: float) -> tuple[np.ndarray, np.ndarray]:
    """Beats and their last flags; with probability ``bad`` some beats too few or too many."""
    if rng.random() < bad:
        if len(beats) > 1 and rng.random() < 0.5:
            beats = beats[: rng.integers(1, len(beats))]
        else:
            beats = np.concatenate((beats, rng.integers(0, 256, (int(rng.integers(1, 4)), 16)).astype(np.uint8)))
    last = np.zeros(len(beats), dtype=bool)
    last[-1] = True
    return beats, last


def offers(rng: np.random.Generator, count: int, gap: float, horizon: int) -> np.ndarray:
    """Increasing cycles with random gaps."""
    steps = floats.geometric(rng, 1 - gap, count) if gap else np.ones(count, dtype=np.int64)
    pauses = np.where(rng.random(count) < gap / 10, rng.integers(0, max(2, horizon // 12), count), 0)
    return np.cumsum(steps + pauses) - 1


def random_stimulus(params: CoreParams, seed: int, knobs: Knobs) -> Stimulus:
    rng = np.random.default_rng(seed)
    descs = [random_descriptor(rng, params, knobs) for _ in range(knobs.n_desc)]
    tiles, tile_lasts, vecs, vec_lasts, tags, masks = [], [], [], [], [], []
    for desc in descs:
        if desc.check(params) != RspCode.OK:
            continue
        w = operands(rng, (desc.k_len, params.lanes), desc.w_slices, desc.w_unsigned, rng.choice([0.1, 0.6, 0.95]))
        beats, last = framed(rng, pack_tile(desc, params, w, pad_fill=0xFFFF, container_fill=9), knobs.bad_tile)
        tiles.append(beats)
        tile_lasts.append(last)
        for _ in range(desc.n_jobs):
            zero = 1.0 if rng.random() < knobs.zero_job else knobs.zero_x
            x = operands(rng, (desc.k_len,), desc.x_slices, desc.x_unsigned, zero)
            if rng.random() < 0.2:  # some members without work
                x[: rng.integers(0, desc.k_len + 1)] = 0
            beats, last = framed(rng, pack_vector(desc, x, pad_fill=0xFFFF, container_fill=6), knobs.bad_job)
            vecs.append(beats)
            vec_lasts.append(last)
            mask = 0
            if rng.random() < knobs.masked:
                mask = int(rng.choice([0xFFFFFFFF, int(rng.integers(1 << 32))]))
            # Tag and mask count on the first beat only; the others carry noise.
            noise = rng.integers(0, 1 << 32, len(beats))
            tags.append((noise & 0xFFFF).astype(np.uint16))
            noise[0] = mask
            masks.append(noise.astype(np.uint32))

    def stacked(parts: list[np.ndarray], dtype: str) -> np.ndarray:
        return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)

    stim = Stimulus(
        descs=descs,
        desc_offer=np.sort(rng.integers(0, knobs.horizon // 2 + 1, len(descs)))
        if knobs.gap
        else np.zeros(len(descs), int),
        tile_data=stacked(tiles, "u1").reshape(-1, 16),
        tile_last=stacked(tile_lasts, "?"),
        tile_offer=np.zeros(0, int),
        vec_data=stacked(vecs, "u1").reshape(-1, 16),
        vec_last=stacked(vec_lasts, "?"),
        vec_tag=stacked(tags, "u2"),
        vec_mask=stacked(masks, "u4"),
        vec_offer=np.zeros(0, int),
        horizon=knobs.horizon,
    )
    if knobs.cut:
        keep = int(rng.integers(0, len(stim.tile_last) + 1)) if rng.random() < 0.5 else len(stim.tile_last)
        stim.tile_data, stim.tile_last = stim.tile_data[:keep], stim.tile_last[:keep]
        keep = int(rng.integers(0, len(stim.vec_last) + 1))
        for name in ("vec_data", "vec_last", "vec_tag", "vec_mask"):
            setattr(stim, name, getattr(stim, name)[:keep])
    stim.tile_offer = offers(rng, len(stim.tile_last), knobs.gap * float(rng.random()), knobs.horizon)
    stim.vec_offer = offers(rng, len(stim.vec_last), knobs.gap * float(rng.random()), knobs.horizon)
    if knobs.prod_ready is not None:
        rates = rng.choice([knobs.prod_ready, 1.0, 0.1], params.rows, p=[0.7, 0.2, 0.1])
        wave = rng.random((knobs.horizon, params.rows)) < rates
        stalls = rng.random((knobs.horizon // 16 + 1, params.rows)) < 0.15  # bursts of no ready
        stim.prod_ready = wave & ~np.repeat(stalls, 16, axis=0)[: knobs.horizon]
    if knobs.byp_ready is not None:
        stim.byp_ready = rng.random(knobs.horizon) < knobs.byp_ready
    return stim


def assert_same(got: Prediction, want: Prediction) -> None:
    for item in (each for each in fields(Prediction) if each.name != "rest"):
        left, right = getattr(got, item.name), getattr(want, item.name)
        assert left.dtype == right.dtype, item.name
        assert left.shape == right.shape, f"{item.name}: {left.shape} against {right.shape}"
        if left.dtype.names:
            for name in left.dtype.names:
                np.testing.assert_array_equal(left[name], right[name], err_msg=f"{item.name}.{name}")
        else:
            np.testing.assert_array_equal(left, right, err_msg=item.name)


def check(params: CoreParams, seed: int, knobs: Knobs) -> Prediction:
    stim = random_stimulus(params, seed, knobs)
    got = predict(params, stim)
    assert_same(got, simulate(params, stim))
    return got


# ----------------------------------------------------------------------------------------------- against the reference
SETTINGS = {
    "flowing": Knobs(bad_desc=0, bad_tile=0, bad_job=0),
    "dense": Knobs(zero_x=0.05, zero_job=0.03, slices=(3, 4), bad_tile=0, masked=0.05, max_jobs=20),
    "gaps": Knobs(gap=0.6),
    "back_pressure": Knobs(prod_ready=0.6, byp_ready=0.3, bad_tile=0),
    "hard_back_pressure": Knobs(prod_ready=0.15, byp_ready=0.04, n_desc=3),
    "reduce": Knobs(reduce=(1, 2, 4, 8), max_k=120, bad_tile=0, n_desc=6),
    "reduce_back_pressure": Knobs(reduce=(1, 2, 4), max_k=100, prod_ready=0.5, byp_ready=0.2, gap=0.3, n_desc=6),
    "short_jobs": Knobs(max_k=8, max_jobs=20, zero_job=0.5, byp_ready=0.5, prod_ready=0.8, n_desc=6, reduce=(1, 2)),
    "tiny_jobs": Knobs(max_k=2, max_jobs=20, prod_ready=0.4, slices=(1, 2), n_desc=8, zero_job=0.1, zero_x=0.1),
    "malformed": Knobs(bad_desc=0.4, bad_tile=0.5, bad_job=0.5, gap=0.3, n_desc=8, reduce=(1, 2), byp_ready=0.4),
    "cut": Knobs(cut=True, gap=0.2, prod_ready=0.6, byp_ready=0.3, bad_job=0.3, reduce=(1, 2)),
    "masks": Knobs(masked=0.9, prod_ready=0.9, max_jobs=8),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("seed", range(12))
def test_equals_reference(name: str, seed: int) -> None:
    check(SMALL, 1000 * seed + 17, SETTINGS[name])


@pytest.mark.parametrize("params", [CoreParams(1, 8, 32), CoreParams(2, 32, 32), CoreParams(8, 16, 64)])
@pytest.mark.parametrize("seed", range(4))
def test_equals_reference_other_parameters(params: CoreParams, seed: int) -> None:
    knobs = Knobs(reduce=(1, 2, 8), prod_ready=0.7, byp_ready=0.5, gap=0.2, max_k=90, n_desc=4, horizon=900)
    check(params, seed, knobs)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 1 << 20),
    gap=st.sampled_from([0.0, 0.3, 0.8]),
    prod_ready=st.sampled_from([None, 0.2, 0.5, 0.9, 0.99]),
    byp_ready=st.sampled_from([None, 0.05, 0.5]),
    reduce=st.sampled_from([(1,), (1, 2), (2, 4), (4,)]),
    bad=st.sampled_from([0.0, 0.3]),
    horizon=st.sampled_from([0, 1, 7, 30, 60, 100, 150, 250, 400, 700]),
    cut=st.booleans(),
)
def test_equals_reference_at_any_horizon(
    seed: int,
    gap: float,
    prod_ready: float | None,
    byp_ready: float | None,
    reduce: tuple[int, ...],
    bad: float,
    horizon: int,
    cut: bool,
) -> None:
    knobs = Knobs(3, 20, 5, gap, prod_ready, byp_ready, bad, bad, bad, reduce=reduce, cut=cut, horizon=horizon)
    check(SMALL, seed, knobs)


def test_settings_reach_what_they_are_for() -> None:
    """The random streams above contain every kind of event, or the comparison would say little."""
    found = {
        name: [predict(SMALL, random_stimulus(SMALL, 1000 * seed + 17, knobs)) for seed in range(12)]
        for name, knobs in SETTINGS.items()
    }

    def total(name: str, value: object) -> int:
        return sum(int(value(p)) for p in found[name])

    everything = [p for group in found.values() for p in group]
    assert {int(c) for p in everything for c in p.desc_code} == set(range(7))
    assert {int(c) for p in everything for c in p.job_err["code"]} == {1, 2, 3}
    assert {int(k) for p in everything for k in p.jobs["kind"]} == {KIND_ROWS, KIND_BYPASS, KIND_REFUSED, KIND_OPEN}
    assert total("reduce", lambda p: p.row_counters[:, RowCounter.NULLS].sum()) > 50
    assert total("malformed", lambda p: p.tile_err_cycle.size) > 5
    for counter in RowCounter:
        assert sum(int(p.row_counters[:, counter].sum()) for p in everything) > 0, counter
    for counter in GlobalCounter:
        assert sum(int(p.global_counters[counter]) for p in everything) > 0, counter


def test_later_input_does_not_change_earlier_events() -> None:
    """A prediction up to a horizon is the start of a prediction up to a later one."""
    knobs = replace(SETTINGS["reduce_back_pressure"], horizon=1500)
    stim = random_stimulus(SMALL, 5, knobs)
    whole = predict(SMALL, stim)
    for horizon in (1, 50, 333, 800):
        part = predict(SMALL, replace(stim, horizon=horizon))
        kept = whole.prod["cycle"] < horizon
        np.testing.assert_array_equal(part.prod, whole.prod[kept])
        np.testing.assert_array_equal(part.prod_data, whole.prod_data[kept])
        np.testing.assert_array_equal(part.issue, whole.issue[whole.issue["cycle"] < horizon])
        np.testing.assert_array_equal(part.vec_accept, np.where(whole.vec_accept < horizon, whole.vec_accept, -1))


# --------------------------------------------------------------------------------------------------------- in parts
def joined(one: Stimulus, two: Stimulus, at: int) -> Stimulus:
    """`one`, and `two` from cycle `at` on."""
    out = replace(one, descs=one.descs + two.descs, horizon=at + two.horizon)
    for name in ("tile_data", "tile_last", "vec_data", "vec_last", "vec_tag", "vec_mask"):
        setattr(out, name, np.concatenate([getattr(one, name), getattr(two, name)]))
    for name in ("desc_offer", "tile_offer", "vec_offer"):
        setattr(out, name, np.concatenate([getattr(one, name), getattr(two, name) + at]))
    for name in ("prod_ready", "byp_ready"):
        if getattr(one, name) is not None:
            setattr(out, name, np.concatenate([getattr(one, name), getattr(two, name)]))
    return out


def shifted(table: np.ndarray, by: int) -> np.ndarray:
    """Cycles of a table, or of a column (-1: never), `by` later."""
    if not table.dtype.names:
        return np.where(table < 0, -1, table + by)
    table = table.copy()
    for name in {"cycle", "valid_cycle"} & set(table.dtype.names):
        table[name] += by
    return table


@pytest.mark.parametrize("name", ["flowing", "gaps", "reduce", "reduce_back_pressure", "malformed", "short_jobs"])
def test_parts_between_rests_make_up_the_whole(name: str) -> None:
    """Two parts, of which the second begins with what the core kept at rest, and a prediction of both together."""
    knobs, rests, kept = replace(SETTINGS[name], horizon=4000), 0, set()
    for seed in range(12):
        one, two = (random_stimulus(SMALL, 100 * seed + part, knobs) for part in (1, 2))
        first = predict(SMALL, one)
        if first.rest is None:
            assert any((accept < 0).any() for accept in (first.desc_accept, first.tile_accept, first.vec_accept))
            continue
        rests += 1
        kept.add(first.rest)
        second = predict(SMALL, replace(two, since=first.rest))
        whole = predict(SMALL, joined(one, two, 4000))
        for field in ("desc_accept", "tile_accept", "vec_accept", "tile_err_cycle", "job_err", "byp"):
            both = np.concatenate([getattr(first, field), shifted(getattr(second, field), 4000)])
            np.testing.assert_array_equal(getattr(whole, field), both, err_msg=field)
        for field in ("issue", "prod"):
            both = np.concatenate([getattr(first, field), shifted(getattr(second, field), 4000)])
            by_row = both[np.argsort(both["row"], kind="stable")]
            np.testing.assert_array_equal(getattr(whole, field), by_row, err_msg=field)
        np.testing.assert_array_equal(whole.row_counters, first.row_counters + second.row_counters)
        np.testing.assert_array_equal(whole.global_counters, first.global_counters + second.global_counters)
        assert whole.rest == second.rest
    assert rests >= 6
    assert len(kept) > 2


def test_a_core_is_at_rest_when_its_last_answer_has_left() -> None:
    desc = Descriptor(2, 2, k_len=20, n_jobs=1)
    stim = one_tile(SMALL, desc, np.full((20, 8), 5), np.full((1, 20), 0x11), 200)
    free = int(predict(SMALL, stim).bank_free[0])
    assert predict(SMALL, replace(stim, horizon=free)).rest is None
    rest = predict(SMALL, replace(stim, horizon=free + 1)).rest
    assert rest == Rest(1, (1, 0, 0, 0))
    again = predict(SMALL, replace(stim, since=rest)).prod
    assert set(again["bank"]) == {1}  # the row's second job


# ---------------------------------------------------------------------------------------------------- from the page
def one_tile(params: CoreParams, desc: Descriptor, w: np.ndarray, x: np.ndarray, horizon: int) -> Stimulus:
    """One tile and its jobs, everything offered from cycle 0 on; tag = job number."""
    beats = np.concatenate([pack_vector(desc, row) for row in x])
    tile = pack_tile(desc, params, w)
    per_job = vec_beats(desc)
    last = np.zeros(len(beats), dtype=bool)
    last[per_job - 1 :: per_job] = True
    return Stimulus(
        descs=[desc],
        desc_offer=np.zeros(1, int),
        tile_data=tile,
        tile_last=np.arange(len(tile)) == len(tile) - 1,
        tile_offer=np.zeros(len(tile), int),
        vec_data=beats,
        vec_last=last,
        vec_tag=np.repeat(np.arange(len(x)), per_job).astype(np.uint16),
        vec_mask=np.zeros(len(beats), np.uint32),
        vec_offer=np.zeros(len(beats), int),
        horizon=horizon,
    )


def test_cycles_of_one_job_by_hand() -> None:
    """D = 0, O = 1, one tile beat a cycle from 2, first vector beat after the last tile beat, then the pipeline."""
    desc = Descriptor(2, 2, k_len=20, n_jobs=1)
    x = np.zeros((1, 20), dtype=int)
    x[0, 3], x[0, 19] = 0x12, -0x70
    w = np.full((20, 8), 5)
    beats = tile_beats(desc, SMALL)  # 20 * 8 / 16
    assert beats == 10
    got = predict(SMALL, one_tile(SMALL, desc, w, x, 200))
    assert got.desc_accept.tolist() == [0]
    assert got.opens.tolist() == [1]
    assert got.tile_accept.tolist() == list(range(2, 12))
    assert got.vec_accept.tolist() == [12, 13]
    assert got.issue["cycle"].tolist() == [14, 15, 16]
    assert [tuple(int(v) for v in e)[3:7] for e in got.issue] == [(3, 0, 0, 2), (3, 1, 0, 1), (19, 1, 0, 0x17)]
    assert got.prod["cycle"].tolist() == [16, 17, 18]
    assert got.prod["last"].tolist() == [0, 0, 1]
    assert got.prod_data[:, 0].tolist() == [20, 10, -70]
    assert got.bank_free.tolist() == [18]
    assert got.global_counters[GlobalCounter.CYCLES] == 16  # cycles 2..17
    assert got.row_counters[0].tolist() == [3, 0, 13, 0, 0, 37 * 2, 3, 0]


def test_held_product_holds_two_issues() -> None:
    """With ready low the two pipeline registers fill, then the row stalls until the cycle of the transfer."""
    desc = Descriptor(1, 1, k_len=8, n_jobs=1)
    stim = one_tile(SMALL, desc, np.full((8, 8), 1), np.full((1, 8), 1), 100)
    stim.prod_ready = np.ones((100, 4), dtype=bool)
    stim.prod_ready[:30] = False
    got = predict(SMALL, stim)
    start = int(got.jobs["done"][0]) + 1
    assert got.issue["cycle"].tolist() == [start, start + 1, 30, 31, 32, 33, 34, 35]
    assert got.prod["cycle"].tolist() == list(range(30, 38))
    assert got.prod["valid_cycle"].tolist() == [start + 2, *range(31, 38)]
    assert got.row_counters[0, RowCounter.STALL_RAN] == 30 - (start + 2)


def test_refused_descriptor_changes_nothing() -> None:
    desc = Descriptor(1, 1, k_len=8, n_jobs=1)
    stim = one_tile(SMALL, desc, np.full((8, 8), 1), np.full((1, 8), 1), 100)
    plain = predict(SMALL, stim)
    stim.descs, stim.desc_offer = [Descriptor(5, 1), desc], np.array([0, 1])
    got = predict(SMALL, stim)
    assert got.desc_accept.tolist() == [0, 1]
    assert got.desc_code.tolist() == [RspCode.X_SLICES, RspCode.OK]
    assert got.global_counters[GlobalCounter.DESCS_REFUSED] == 1
    np.testing.assert_array_equal(got.issue["cycle"], plain.issue["cycle"] + 1)


def test_job_of_refused_tile_needs_no_slot() -> None:
    desc = Descriptor(2, 2, k_len=20, n_jobs=3)
    stim = one_tile(SMALL, desc, np.ones((20, 8), int), np.ones((3, 20), int), 100)
    stim.tile_last[3] = True
    stim.tile_data, stim.tile_last, stim.tile_offer = stim.tile_data[:4], stim.tile_last[:4], stim.tile_offer[:4]
    got = predict(SMALL, stim)
    assert got.tile_err_cycle.tolist() == [6]
    assert got.job_err["code"].tolist() == [JobErr.TILE] * 3
    assert got.job_err["cycle"].tolist() == [8, 10, 12]
    assert got.bank_free.tolist() == [13]


def test_sums_of_products_are_the_matrix_product() -> None:
    """Completion order, several tiles, RF 1 and 2, back-pressure: the products of a job still add up to x @ w."""
    rng = np.random.default_rng(3)
    params = CoreParams(8, 16, 64)
    for rf in (1, 2, 8):
        desc = Descriptor(2, 3, k_len=61, n_jobs=40, reduce_factor=rf)
        w, x = operands(rng, (61, 16), 3, False, 0.3), operands(rng, (40, 61), 2, False, 0.4)
        stim = one_tile(params, desc, w, x, 6000)
        stim.prod_ready = rng.random((6000, 8)) < 0.8
        got = predict(params, stim)
        assert got.bank_free[0] > 0
        np.testing.assert_array_equal(accumulate(got.prod["tag"], got.prod["order"], got.prod_data, 40), x @ w)


# ---------------------------------------------------------------------------------------------------- plausibility
def stream_of_tiles(
    params: CoreParams, desc: Descriptor, n_tiles: int, rng: np.random.Generator, zero: float, horizon: int
) -> Stimulus:
    """Like :func:`one_tile` for many tiles of one shape."""
    parts = [
        one_tile(
            params,
            desc,
            operands(rng, (desc.k_len, params.lanes), desc.w_slices, desc.w_unsigned, 0.3),
            operands(rng, (desc.n_jobs, desc.k_len), desc.x_slices, desc.x_unsigned, zero),
            horizon,
        )
        for _ in range(n_tiles)
    ]
    stim = replace(parts[0], descs=[desc] * n_tiles, desc_offer=np.zeros(n_tiles, int))
    for name in (
        "tile_data",
        "tile_last",
        "tile_offer",
        "vec_data",
        "vec_last",
        "vec_tag",
        "vec_mask",
        "vec_offer",
    ):
        setattr(stim, name, np.concatenate([getattr(part, name) for part in parts]))
    return stim


@pytest.mark.parametrize("n", [1, 2, 4])
def test_utilisation_and_balance(n: int) -> None:
    """Long tiles, no back-pressure: the rows are busy nearly always, and a row's cycles add up."""
    rng = np.random.default_rng(n)
    params = CoreParams()
    desc = Descriptor(n, n, k_len=128, n_jobs=300)
    got = predict(params, stream_of_tiles(params, desc, 6, rng, 0.4, 400_000))
    assert got.bank_free.min() > 0
    counters = got.row_counters
    np.testing.assert_array_equal(counters[:, :4].sum(axis=1), got.global_counters[GlobalCounter.CYCLES])
    assert counters[:, RowCounter.STALL_RAN].sum() == 0
    pairs = counters[:, RowCounter.ISSUES].sum() + counters[:, RowCounter.SKIP_MASK :].sum()
    assert pairs == 6 * 300 * 128 * n * n
    assert got.utilisation > 0.9


def test_bad_shapes_are_refused() -> None:
    desc = Descriptor(1, 1, k_len=8, n_jobs=1)
    stim = one_tile(SMALL, desc, np.ones((8, 8), int), np.ones((1, 8), int), 10)
    with pytest.raises(ValueError, match="prod_ready must have shape"):
        predict(SMALL, replace(stim, prod_ready=np.ones((10, 3), bool)))
    with pytest.raises(ValueError, match="tile_data"):
        predict(SMALL, replace(stim, tile_offer=np.zeros(0, int)))
    with pytest.raises(ValueError, match="vec_data"):
        predict(SMALL, replace(stim, vec_offer=np.zeros(0, int)))
    with pytest.raises(ValueError, match="desc_offer"):
        predict(SMALL, replace(stim, descs=[]))


def test_speed(capsys: pytest.CaptureFixture[str]) -> None:
    """Not an assertion: prints how many issues a second predict() makes."""
    rng = np.random.default_rng(0)
    params = CoreParams()
    stim = stream_of_tiles(params, Descriptor(2, 2, k_len=128, n_jobs=256), 16, rng, 0.4, 10_000_000)
    lines = []
    for label, rate in (("always ready", None), ("90 % ready", 0.9)):
        if rate is not None:
            stim = replace(stim, horizon=150_000, prod_ready=rng.random((150_000, 8)) < rate)
        begin = time.perf_counter()
        got = predict(params, stim)
        spent = time.perf_counter() - begin
        cycles = int(got.global_counters[GlobalCounter.CYCLES])
        lines.append(f"predict, {label}: {len(got.issue)} issues, {cycles} cycles in {spent:.2f} s")
        assert len(got.prod) == len(got.issue)
    with capsys.disabled():
        print("\n" + "\n".join(lines))
