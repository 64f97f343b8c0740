"""The table of a run: figures known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.optc.config import Mode
from tb.lib.report import print_figures
from tb.optc.program import Program
from tb.optc.report import run_report
from tb.optc.sequences import PLAIN
from tb.optc.test_scoreboard import LANES, Part, observed


def _tensor(n: int) -> Program:
    program = Program(LANES)
    zero = np.zeros(n, np.int64)
    program.tensor(replace(PLAIN, mode=Mode.ADAM, n=n), (zero, zero, zero, zero))
    return program


def test_figures_of_the_last_epoch() -> None:
    ready = np.ones(200, bool)
    ready[51:53] = False  # of six beats from 50 on the second waits two cycles
    board = observed(Part(_tensor(30), 80), Part(_tensor(22), 200, out_ready=ready)).board()
    assert run_report(LANES, board) == {
        "parameters": 22, "tensors": 1, "beats": 6, "cycles": 200, "results_per_lane_and_cycle": round(22 / 4 / 8, 3),
        "latency": 49, "longest_latency": 51, "sat_w": 0, "sat_m": 0, "sat_v": 0, "sat_copy": 0, "clipped": 0,
        "eps_used": 22,
    }  # fmt: skip


def test_nothing_done_has_no_rate(capsys: pytest.CaptureFixture[str]) -> None:
    figures = run_report(LANES, observed(Part(_tensor(22), 20)).board())
    assert figures["parameters"] == figures["beats"] == 0
    assert "latency" not in figures
    print_figures({"report": {**figures, "checks": {"value": 3}, "mismatches": 0}})
    assert "checks: 3 value; mismatches: 0" in capsys.readouterr().out
