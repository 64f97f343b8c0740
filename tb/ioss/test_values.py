"""CHECK=value of the IOSS core: what a core with other cycles may do, and every fault at the outputs is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tb.ioss.test_scoreboard import (
    BASE,
    PARAMS,
    Observed,
    _answer,
    _bypass,
    _job_error,
    _lane,
    _observed,
    _product_field,
)
from tb.ioss.values import ValueJudge
from tb.lib.scoreboard import Verdict


def _judge(seen: Observed, cut: bool = False) -> ValueJudge:
    judge = ValueJudge(Verdict(), PARAMS, seen.epoch.stim, BASE, cut)
    tables = {"rsp": seen.events.rsp.copy(), "job_err": seen.events.job_err.copy()}
    for table in tables.values():
        table["cycle"] -= BASE
    judge.judge(replace(seen.events, **tables, byp=seen.epoch.byp), seen.epoch.prod, seen.epoch.prod_data)
    return judge


def _later(seen: Observed) -> None:
    """Every product later, and later from product to product."""
    seen.epoch.prod["cycle"] = seen.epoch.prod["cycle"] * 2 + 5


def _other_rows(seen: Observed) -> None:
    """Rows 0 and 1 have done each other's work."""
    prod = seen.epoch.prod
    row = prod["row"].copy()
    prod["row"] = np.where(row < 2, 1 - row, row)
    order = np.argsort(prod["row"], kind="stable")
    seen.epoch.prod, seen.epoch.prod_data = prod[order], seen.epoch.prod_data[order]


@pytest.mark.parametrize("change", [lambda seen: None, _later, _other_rows])
def test_what_cycles_decide_is_free(change: Callable[[Observed], None]) -> None:
    seen = _observed()
    change(seen)
    judge = _judge(seen)
    assert judge.verdict.divergences == []
    assert judge.verdict.checks["value"] >= judge.least > 1000
    assert judge.verdict.checks["cycle"] == 0
    ours = [line.yours - line.model for line in judge.timing(seen.epoch.prod)]
    assert len(ours) == 2
    assert (ours[1] > 100) == (change is _later)


def _tile_error_lost(seen: Observed) -> None:
    seen.events = replace(seen.events, tile_err=seen.events.tile_err[:0])


def _answer_lost(seen: Observed) -> None:
    seen.events = replace(seen.events, rsp=seen.events.rsp[:-1])


def _product_lost(seen: Observed) -> None:
    _without(seen, np.arange(20, 21))


def _job_lost(seen: Observed) -> None:
    prod = seen.epoch.prod
    _without(seen, np.flatnonzero(prod["tag"] == prod["tag"][0]))


def _without(seen: Observed, which: np.ndarray) -> None:
    seen.epoch.prod = np.delete(seen.epoch.prod, which)
    seen.epoch.prod_data = np.delete(seen.epoch.prod_data, which, axis=0)


def _twice(seen: Observed) -> None:
    seen.epoch.prod = np.insert(seen.epoch.prod, 9, seen.epoch.prod[9])
    seen.epoch.prod_data = np.insert(seen.epoch.prod_data, 9, seen.epoch.prod_data[9], axis=0)


def _order_of_products(seen: Observed) -> None:
    """Two products of a job the other way round."""
    prod = seen.epoch.prod
    first = np.flatnonzero((prod["tag"] == prod["tag"][0]) & (prod["last"] == 0))[:2]
    for table in (prod, seen.epoch.prod_data):
        table[first] = table[first[::-1]]


def _order_of_jobs(seen: Observed) -> None:
    """The last job of row 0 before all others."""
    prod = seen.epoch.prod
    mine = np.flatnonzero(prod["row"] == 0)
    last = mine[prod["tag"][mine] == prod["tag"][mine[-1]]]
    order = np.concatenate([last, np.setdiff1d(np.arange(len(prod)), last)])
    seen.epoch.prod, seen.epoch.prod_data = prod[order], seen.epoch.prod_data[order]


def _bank(seen: Observed) -> None:
    seen.epoch.prod["bank"] = 0


@pytest.mark.parametrize(
    ("boundary", "fault"),
    [
        ("descriptor", _answer), ("descriptor", _answer_lost), ("tile", _tile_error_lost), ("vector", _job_error),
        ("product", _lane), ("product", _product_lost), ("product", _job_lost), ("product", _twice),
        ("product", _order_of_products), ("product", _order_of_jobs), ("product", _bank), ("bypass", _bypass),
        *[("product", _product_field(name)) for name in ("order", "last", "null", "bank", "tag", "mask")],
    ],
)  # fmt: skip
def test_every_fault_is_named(boundary: str, fault: Callable[[Observed], None]) -> None:
    seen = _observed()
    fault(seen)
    verdict = _judge(seen).verdict
    assert verdict.first is not None
    assert {each.boundary for each in verdict.divergences} == {boundary}


def test_a_reset_cuts_what_is_due_and_excuses_nothing_else() -> None:
    seen = _observed()
    middle = int(np.median(seen.epoch.prod["cycle"]))
    _without(seen, np.flatnonzero(seen.epoch.prod["cycle"] >= middle))
    seen.epoch.byp = seen.epoch.byp[seen.epoch.byp["cycle"] < middle]
    assert _judge(seen, cut=True).verdict.divergences == []
    assert _judge(seen).verdict.divergences
    seen.epoch.prod_data[3, 1] += 1
    assert _judge(seen, cut=True).verdict.divergences
