"""The scoreboard must fail: every boundary with a fault in what was observed, and work that is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyuvm import uvm_root

from models.laps.config import ORDER, LapsParams, TensorStats
from models.laps.cycle import Stimulus, predict
from tb.laps.program import Program
from tb.laps.scoreboard import LapsScoreboard
from tb.laps.trace import DTYPES, obs_table, order_table, register_table, update_table
from tb.lib.scoreboard import EV_RESET, Verdict
from tb.lib.streams import SourceLog

PARAMS = LapsParams()
BASE, HORIZON = 7, 400
Seen = dict


def _program() -> Program:
    program = Program()
    program.write(ORDER, 2)
    program.read(ORDER, 30)
    for at in range(12):
        program.update(at % 4, at % 3, TensorStats(100, at % 2, 10, 7 + at % 2, 300 + 40 * at))
        program.query((0, 0), (0, 1), (1, at % 4), 1 + 9 * at, 5)
    program.update(99, 0, TensorStats(1, 0, 0, 1, 1))
    program.step(11)
    return program


def _observed() -> tuple[Program, Seen]:
    """What a faultless core would have shown, taken from the model."""
    program = _program()
    offers = {"reg": np.array([0, 31]), "upd": np.arange(13) * 4, "ord": np.arange(12) * 9, "step": np.array([11])}
    requests = ([each for each, _ in stream] for stream in (program.regs, program.upds, program.ords))
    regs, upds, ords = requests
    want = predict(
        Stimulus(PARAMS, regs, offers["reg"], upds, offers["upd"], ords, offers["ord"], offers["step"], HORIZON)
    )
    accept = {name: getattr(want, f"{name}_accept") for name in ("reg", "upd", "ord")} | {"step": offers["step"]}
    seen: Seen = {name: SourceLog(offers[name] + BASE, accept[name] + BASE) for name in offers}
    at = {name: (getattr(want, f"{name}_answer") + BASE).tolist() for name in ("reg", "upd", "ord")}
    seen["reg_rsp_trace"] = register_table(at["reg"], want.reg_answers)
    seen["upd_rsp_trace"] = update_table(at["upd"], want.upd_answers)
    seen["ord_rsp_trace"] = order_table(at["ord"], want.ord_answers)
    cycles, answers = zip(*want.observed, strict=True)
    seen["obs_trace"] = obs_table([cycle + BASE for cycle in cycles], answers)
    seen["laps_event_trace"] = np.array([(BASE, EV_RESET << 24 | 1)], DTYPES["laps_event"])
    return program, seen


def _judge(program: Program, seen: Seen, drained: bool = True) -> Verdict:
    uvm_root().clear_hierarchy()
    board = LapsScoreboard("scoreboard", None)
    board.build_phase()
    board.params, board.programs, board.cycles, board.drained = PARAMS, [program], HORIZON + BASE, drained
    board.seen = seen
    return board.judge()


def test_faultless_passes_and_counts() -> None:
    verdict = _judge(*_observed())
    assert verdict.first is None
    assert verdict.checks == {"value": 2 + 13 + 12 + 12 + 12, "slice": 12, "cycle": 27 + 27 + 12}


def _bump(trace: str, column: str, at: int = 3) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        seen[trace][column][at] += 1

    return fault


def _drop(trace: str) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        seen[trace] = np.delete(seen[trace], 5)

    return fault


def _late(stream: str) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        seen[stream].accept[1] += 1

    return fault


FAULTS = [
    *((_late(stream), boundary) for stream, boundary in (("reg", "register"), ("upd", "update"), ("ord", "query"))),
    *((_bump("reg_rsp_trace", column, 1), "register") for column in ("cycle", "code", "data")),
    *((_bump("upd_rsp_trace", column), "update") for column in ("cycle", "code", "fl", "n", "events")),
    *((_bump("ord_rsp_trace", column), "query") for column in ("cycle", "code", "shift", "n", "fl")),
    *((_bump("obs_trace", column), "entry") for column in ("cycle", "word", "signal", "mean", "tolerance", "over")),
    (_drop("upd_rsp_trace"), "update"),
    (_drop("ord_rsp_trace"), "query"),
    (_drop("obs_trace"), "entry"),
]


@pytest.mark.parametrize(("fault", "boundary"), FAULTS)
def test_a_fault_is_seen_at_its_boundary(fault: Callable[[Seen], None], boundary: str) -> None:
    program, seen = _observed()
    fault(seen)
    assert boundary in {each.boundary for each in _judge(program, seen).divergences}


def test_a_wrong_order_is_seen_by_the_oracle_too() -> None:
    program, seen = _observed()
    seen["ord_rsp_trace"]["order"][3] += 1
    assert {each.boundary for each in _judge(program, seen).divergences} == {"query", "result"}


def test_work_that_is_left_fails() -> None:
    program, seen = _observed()
    assert _judge(program, seen, drained=False).first.boundary == "drain"


def test_reads_of_the_traces_are_as_wide_as_the_bench_writes() -> None:
    text = (Path(__file__).parent / "laps_trace.svh").read_text(encoding="utf-8")
    for name in ("reg_rsp", "upd_rsp", "ord_rsp", "obs"):
        assert f'`TS_FILE({name}, "{name}", {DTYPES[name].itemsize // 4})' in text
