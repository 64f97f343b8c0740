"""The cycle model against the second reading of the page, on small work made here; and that the comparison can fail."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.common.formats import YBits
from models.common.rounding import Round
from models.ran import cycle, timing
from models.ran.config import RanDescriptor, RanParams, Start
from models.ran.cycle import (
    BYP_IN_DTYPE,
    CANCEL_DTYPE,
    PROD_IN_DTYPE,
    Prediction,
    Stimulus,
    predict,
)
from models.ran.reference import simulate
from models.ran.value import draws_of

PARAMS = RanParams(4, 8)


def work(rng: np.random.Generator, horizon: int = 900) -> Stimulus:
    """Jobs on two groups of two rows, bypasses between them, a bias, consumers that stop."""
    descs = [
        RanDescriptor(YBits.B4, lanes=8, reduce_factor=2, n_jobs=12, stat_last=True),
        RanDescriptor(YBits.B8, round=Round.STOCHASTIC, shift=4, lanes=7, reduce_factor=2, n_jobs=9, draw=2**32 - 4),
        RanDescriptor(YBits.RAW32, start=Start.BIAS, lanes=8, reduce_factor=2, n_jobs=6, stat_last=True),
    ]
    rows: list[list[tuple[int, ...]]] = [[] for _ in range(4)]
    byp, jobs = [], [0, 0]
    for tag in range(sum(desc.n_jobs for desc in descs)):
        if rng.random() < 0.4:
            byp.append((0, tag, 0))
            continue
        group = int(rng.integers(2))
        for member in (0, 1):
            for n in range(count := int(rng.integers(1, 7))):
                rows[2 * group + member].append((n == count - 1, jobs[group] % 2, tag))
        jobs[group] += 1
    prod = np.zeros(sum(map(len, rows)), PROD_IN_DTYPE)
    at = 0
    for row, mine in enumerate(rows):
        for last, bank, tag in mine:
            prod[at] = (row, 0, int(rng.integers(3)), last, 0, bank, tag, 0)
            at += 1
    # Products of a row are offered one after the other; what is offered early just waits, as at a source without gaps.
    data = 2 * rng.integers(-200, 200, (len(prod), 8)).astype(np.int16)
    stim = Stimulus(
        descs, np.zeros(3, np.int64), prod, data, np.array(byp, BYP_IN_DTYPE), np.zeros(0, CANCEL_DTYPE),
        rng.integers(0, 256, (2, 16)).astype(np.uint8),
        np.array([False, True]), np.array([0, 70]), np.zeros((0, 16), np.uint8), np.zeros(0, bool),
        np.zeros(0, np.int64), horizon,
        None, rng.random(horizon) < 0.4, rng.random(horizon) < 0.1,
    )  # fmt: skip
    return _offered(stim)


def _offered(stim: Stimulus) -> Stimulus:
    """Offers that a source without gaps makes: each in the cycle after the transfer before it, found by repetition."""
    for _ in range(len(stim.prod)):
        accept = simulate(PARAMS, stim).prod_accept
        offer = np.where(np.diff(stim.prod["row"], prepend=255) != 0, 0, np.concatenate([[0], accept[:-1] + 1]))
        if np.array_equal(offer, stim.prod["offer"]):
            break
        stim.prod["offer"] = offer
    return stim


def differences(one: Prediction, other: Prediction) -> list[str]:
    """Fields that differ; only one reading knows of `rest`."""
    names = [field.name for field in dataclasses.fields(one) if field.name != "rest"]
    both = [(name, np.asarray(getattr(one, name)), np.asarray(getattr(other, name))) for name in names]
    return [name for name, mine, theirs in both if not np.array_equal(mine, theirs)]


@pytest.mark.parametrize("seed", range(4))
def test_two_readings_agree(seed: int) -> None:
    stim = work(np.random.default_rng(seed))
    want = predict(PARAMS, stim)
    assert differences(want, simulate(PARAMS, stim)) == []
    assert len(want.jobs) == 27
    assert (want.jobs["done"] >= 0).all()
    assert len(want.stat) == 2


def _wrong_draws(desc: RanDescriptor, places: list[int], lanes: int) -> np.ndarray:
    return draws_of(dataclasses.replace(desc, draw=desc.draw + 1), places, lanes)


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [("DRAIN_DEPTH", 3, "jobs"), ("SLOTS", 2, "desc_accept"), ("draws_of", _wrong_draws, "quant_z")],
)
def test_the_comparison_can_fail(monkeypatch: pytest.MonkeyPatch, name: str, value: object, field: str) -> None:
    stim = work(np.random.default_rng(1))
    monkeypatch.setattr(cycle if name == "draws_of" else timing, name, value)
    assert field in differences(predict(PARAMS, stim), simulate(PARAMS, stim))


def test_what_lies_behind_the_horizon_is_absent() -> None:
    rng = np.random.default_rng(2)
    whole = work(rng)
    for horizon in (1, 7, 40, 111):
        cut = dataclasses.replace(whole, horizon=horizon)
        want = predict(PARAMS, cut)
        assert differences(want, simulate(PARAMS, cut)) == []
        assert (want.out["cycle"] < horizon).all()


def test_parts_between_rests_make_up_the_whole() -> None:
    """Two parts, of which the second begins with what the RAN kept at rest, and a prediction of both together."""
    for seed in range(4):
        one, two = work(np.random.default_rng(seed)), work(np.random.default_rng(seed + 10))
        first = predict(PARAMS, one)
        assert first.rest == cycle.Rest(2, 27)
        for table in (two.prod, two.byp):
            table["tag"] += 27
        second = predict(PARAMS, dataclasses.replace(two, since=first.rest))
        assert second.rest == cycle.Rest(2, 54)
        whole = predict(PARAMS, _joined(one, two, 900))
        assert whole.rest == second.rest
        for name in ("row_counters", "global_counters"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(first, name) + getattr(second, name), name)
        for name in ("desc_accept", "byp_accept", "swap", "quant", "job_stat", "out", "stat"):
            np.testing.assert_array_equal(
                getattr(whole, name), np.concatenate([getattr(first, name), _later(getattr(second, name), 900)]), name
            )
        for name in ("swap_acc", "quant_z", "out_data"):
            np.testing.assert_array_equal(
                getattr(whole, name), np.concatenate([getattr(first, name), getattr(second, name)]), name
            )
        for name, by in (("tree", "entry"), ("prod_accept", "row")):
            both = np.concatenate([getattr(first, name), _later(getattr(second, name), 900)])
            of = np.concatenate([one.prod, two.prod])[by] if by == "row" else both[by]
            np.testing.assert_array_equal(getattr(whole, name), both[np.argsort(of, kind="stable")], name)


@pytest.mark.parametrize("missing", ["desc", "prod", "byp", "tensor", "bias"])
def test_what_is_under_way_is_no_rest(missing: str) -> None:
    stim = work(np.random.default_rng(0))
    if missing == "desc":  # one that waits
        stim.descs.append(RanDescriptor(lanes=8, reduce_factor=2, n_jobs=1))
        stim.desc_offer = np.append(stim.desc_offer, 0)
    elif missing == "prod":
        keep = np.arange(len(stim.prod)) < len(stim.prod) - 1
        stim.prod, stim.prod_data = stim.prod[keep], stim.prod_data[keep]
    elif missing == "byp":
        stim.byp = stim.byp[:-1]
    elif missing == "tensor":  # its second descriptor is to come
        stim.descs[2] = dataclasses.replace(stim.descs[2], stat_last=False)
    else:
        stim.bias_offer[:] = stim.horizon
    assert predict(PARAMS, stim).rest is None


def _later(table: np.ndarray, by: int) -> np.ndarray:
    """Cycles of a table, or of a column (-1: never), `by` later."""
    if not table.dtype.names:
        return np.where(table < 0, -1, table + by)
    table = table.copy()
    for name in {"cycle", "valid_cycle"} & set(table.dtype.names):
        table[name] += by
    return table


def _joined(one: Stimulus, two: Stimulus, at: int) -> Stimulus:
    """`one`, and `two` from cycle `at` on."""
    prod, byp = two.prod.copy(), two.byp.copy()
    prod["offer"] += at
    byp["offer"] += at
    prods = np.concatenate([one.prod, prod])
    order = np.argsort(prods["row"], kind="stable")
    return dataclasses.replace(
        one,
        descs=one.descs + two.descs,
        desc_offer=np.concatenate([one.desc_offer, two.desc_offer + at]),
        prod=prods[order],
        prod_data=np.concatenate([one.prod_data, two.prod_data])[order],
        byp=np.concatenate([one.byp, byp]),
        bias_data=np.concatenate([one.bias_data, two.bias_data]),
        bias_last=np.concatenate([one.bias_last, two.bias_last]),
        bias_offer=np.concatenate([one.bias_offer, two.bias_offer + at]),
        horizon=at + two.horizon,
        out_ready=np.concatenate([one.out_ready, two.out_ready]),
        stat_ready=np.concatenate([one.stat_ready, two.stat_ready]),
    )
