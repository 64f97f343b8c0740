"""The scoreboard must fail: every boundary with a fault in what was observed, and every way of comparing too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from pyuvm import uvm_root

from models.ioss.config import CoreParams, Descriptor
from models.ioss.cycle import Prediction, Stimulus, predict
from tb.ioss.program import Program
from tb.ioss.scoreboard import Epoch, IossScoreboard
from tb.ioss.trace import ISSUE_TAG_BITS, TRACE_BYP_DTYPE, TRACE_PROD_DTYPE, Events
from tb.lib.scoreboard import RSP_DTYPE, Verdict, compare_counters
from tb.lib.streams import SourceLog

PARAMS = CoreParams(4, 8, 32)
HORIZON = 3000
BASE = 7


@dataclass
class Observed:
    """What a faultless core would have shown, taken from the model; faults are put into it."""

    epoch: Epoch
    events: Events
    accept: dict[str, np.ndarray]


def _stimulus() -> Stimulus:
    rng = np.random.default_rng(3)
    program = Program(PARAMS)
    program.descriptor(Descriptor(0, 2))
    for n in (2, 1):
        x = rng.integers(-8, 8, (30, 12))
        x[::7] = 0
        program.gemm(x, rng.integers(-8, 8, (12, 8)), n, n)
    bad = Descriptor(1, 1, k_len=4, n_jobs=1)
    program.descriptor(bad)
    program.tile_beats(np.zeros((3, 16), np.uint8))
    program.job_beats(np.zeros((1, 1, 16), np.uint8), [999])
    count = {"desc": len(program.descs), "tile": len(program.tile_data), "vec": len(program.vec_data)}
    offer = {name: np.arange(number, dtype=np.int64) * 2 for name, number in count.items()}
    return Stimulus(
        program.descs, offer["desc"], program.tile_data, program.tile_last, offer["tile"], program.vec_data,
        program.vec_last, program.vec_tag, program.vec_mask, offer["vec"], HORIZON,
    )  # fmt: skip


def _table(source: np.ndarray, dtype: np.dtype) -> np.ndarray:
    out = np.zeros(len(source), dtype)
    for name in dtype.names or ():
        out[name] = source[name]
    return out


def _observed() -> Observed:
    stim = _stimulus()
    want: Prediction = predict(PARAMS, stim)
    issue = want.issue.copy()
    issue["tag"] &= (1 << ISSUE_TAG_BITS) - 1
    accept = {"desc": want.desc_accept.copy(), "tile": want.tile_accept.copy(), "vec": want.vec_accept.copy()}
    rsp = np.zeros(len(want.desc_accept), RSP_DTYPE)
    rsp["cycle"], rsp["code"] = want.desc_accept + 1 + BASE, want.desc_code
    late = {"job_err": want.job_err.copy(), "byp": _table(want.byp, TRACE_BYP_DTYPE)}
    for table in late.values():
        table["cycle"] += BASE
    byp = _table(want.byp, TRACE_BYP_DTYPE)
    events = Events(rsp, want.tile_err_cycle + BASE, late["job_err"], late["byp"], [], [])
    chosen = {name: np.ones(len(cycles), bool) for name, cycles in accept.items()}
    prod = _table(want.prod, TRACE_PROD_DTYPE)
    epoch = Epoch(BASE, stim, want, issue, prod, want.prod_data.copy(), byp, chosen)
    return Observed(epoch, events, accept)


def _judge(seen: Observed, counters: tuple[np.ndarray, np.ndarray] | None = None) -> Verdict:
    uvm_root().clear_hierarchy()
    board = IossScoreboard("scoreboard", None)
    board.build_phase()
    board.params, board.cycles, board.counters = PARAMS, HORIZON + BASE, counters
    offer = {"desc": seen.epoch.stim.desc_offer, "tile": seen.epoch.stim.tile_offer, "vec": seen.epoch.stim.vec_offer}
    board.seen = {
        name: SourceLog(offer[name] + BASE, np.where(cycles >= 0, cycles + BASE, -1))
        for name, cycles in seen.accept.items()
    }
    board._compare(seen.epoch, seen.events, HORIZON + BASE)
    if counters is not None:
        want = (seen.epoch.prediction.row_counters, seen.epoch.prediction.global_counters)
        compare_counters(board.verdict, counters, want, board.cycles)
    return board.verdict


def _late_issue(seen: Observed) -> None:
    seen.epoch.issue["cycle"][5] += 1


def _drop_issue(seen: Observed) -> None:
    seen.epoch.issue = np.delete(seen.epoch.issue, 9)


def _extra_issue(seen: Observed) -> None:
    seen.epoch.issue = np.insert(seen.epoch.issue, 9, seen.epoch.issue[9])


def _field(name: str, value: int) -> Callable[[Observed], None]:
    def fault(seen: Observed) -> None:
        seen.epoch.issue[name][4] ^= value

    return fault


def _product_field(name: str) -> Callable[[Observed], None]:
    def fault(seen: Observed) -> None:
        seen.epoch.prod[name][11] ^= 1

    return fault


def _lane(seen: Observed) -> None:
    seen.epoch.prod_data[11, 3] += 1


def _drop_product(seen: Observed) -> None:
    seen.epoch.prod = np.delete(seen.epoch.prod, 20)
    seen.epoch.prod_data = np.delete(seen.epoch.prod_data, 20, axis=0)


def _other_row(seen: Observed) -> None:
    issue = seen.epoch.issue
    first = issue[issue["row"] == 0]["tag"][0]
    issue["tag"][(issue["row"] == 0) & (issue["tag"] == first)] = 77


def _accept(name: str) -> Callable[[Observed], None]:
    def fault(seen: Observed) -> None:
        seen.accept[name][1] += 1

    return fault


def _lost(seen: Observed) -> None:
    seen.accept["vec"][-1] = -1


def _answer(seen: Observed) -> None:
    seen.events.rsp["code"][0] = 2


def _tile_error(seen: Observed) -> None:
    seen.events = replace(seen.events, tile_err=seen.events.tile_err + 1)


def _job_error(seen: Observed) -> None:
    seen.events.job_err["code"][0] = 1


def _bypass(seen: Observed) -> None:
    seen.epoch.byp["tag"][0] += 1


FAULTS: list[tuple[str, Callable[[Observed], None]]] = [
    ("descriptor", _accept("desc")), ("descriptor", _answer), ("tile", _accept("tile")), ("tile", _tile_error),
    ("vector", _accept("vec")), ("vector", _lost), ("vector", _job_error), ("dispatch", _other_row),
    ("issue", _late_issue), ("issue", _drop_issue), ("issue", _extra_issue),
    *[("issue", _field(name, 1)) for name in ("k", "i", "j", "x", "null")],
    ("product", _lane), ("product", _drop_product), ("bypass", _bypass),
    *[("product", _product_field(name)) for name in ("cycle", "order", "last", "null", "bank", "tag", "mask")],
]  # fmt: skip


def test_faultless_passes() -> None:
    seen = _observed()
    assert len(seen.epoch.byp)
    assert len(seen.events.tile_err)
    assert len(seen.events.job_err)
    verdict = _judge(seen, (seen.epoch.prediction.row_counters, seen.epoch.prediction.global_counters))
    assert verdict.error({"value": 1000, "slice": 100, "cycle": 100}) == ""
    assert min(verdict.checks.values()) > 100


@pytest.mark.parametrize(("boundary", "fault"), FAULTS)
def test_every_boundary_fails(boundary: str, fault: Callable[[Observed], None]) -> None:
    seen = _observed()
    fault(seen)
    verdict = _judge(seen)
    assert verdict.first is not None
    assert verdict.first.boundary == boundary
    assert verdict.mismatches > 0
    assert verdict.first.observed != verdict.first.expected
    assert verdict.error({}).startswith(f"{boundary} at cycle ")


def test_counter_fails() -> None:
    seen = _observed()
    rows = seen.epoch.prediction.row_counters.copy()
    rows[2, 5] += 1
    verdict = _judge(seen, (rows, seen.epoch.prediction.global_counters))
    assert verdict.first is not None
    assert verdict.first.boundary == "counter"


def test_nothing_compared_fails() -> None:
    assert Verdict().error({}) == "nothing was compared"


def test_too_few_comparisons_fail() -> None:
    verdict = Verdict()
    verdict.count("value", 5)
    assert "only 5 value comparisons" in verdict.error({"value": 6})
    assert verdict.error({"value": 5}) == ""
