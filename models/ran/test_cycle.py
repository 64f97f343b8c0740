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
    """Fields that differ."""
    return [
        field.name
        for field in dataclasses.fields(one)
        if not np.array_equal(np.asarray(getattr(one, field.name)), np.asarray(getattr(other, field.name)))
    ]


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
