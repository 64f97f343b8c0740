"""Sampling of LAPS' functional coverage: bins known by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from models.laps.config import STEP, Entry, LapsParams, Rules, TensorStats
from models.laps.cycle import Stimulus, predict
from tb.laps.coverage import GROUPS, sample, sample_epochs
from tb.laps.program import Program
from tb.lib.coverage import FILE_NAME, Coverage
from tb.lib.runinfo import RunInfo
from tb.lib.scoreboard import Verdict

PARAMS = LapsParams(4)


def _epoch(program: Program, horizon: int = 400, steps: tuple[int, ...] = (), late: int = 0) -> SimpleNamespace:
    """Registers from cycle 0, updates and queries from `late` on, each offered as soon as the one before is taken."""
    regs, upds, ords = ([each for each, _ in stream] for stream in (program.regs, program.upds, program.ords))
    start = np.array
    offers = [start(range(len(regs))), start([late] * len(upds)), start([late] * len(ords))]
    offers = [each.astype(np.int64) for each in offers]
    stim = Stimulus(PARAMS, regs, offers[0], upds, offers[1], ords, offers[2], np.array(steps, np.int64), horizon)
    return SimpleNamespace(stim=stim, prediction=predict(stim))


def _hit(coverage: Coverage, group: str, item: str) -> dict[str, int]:
    return {label: count for label, count in coverage.bins(group, item).items() if count}


def test_nothing_is_covered_by_nothing() -> None:
    coverage = sample_epochs(PARAMS, [_epoch(Program())])
    assert not any(counts.any() for *_, counts in coverage)


def test_an_update_by_hand() -> None:
    program = Program()
    program.entry(3, 1, Entry(fl=5, n=2, dwell=9))
    program.configure(1, Rules(0, 1, 10, 8))
    # 10 live values of mean 1: signal 0, below `low` + 1 = 1; two bits too long for seven.
    program.update(3, 1, TensorStats(20, 1, 10, 9, 10))
    coverage = sample_epochs(PARAMS, [_epoch(program, late=20)])
    assert _hit(coverage, "fl", "capacity") == {"n 2, sign signed, excess 2..14, over yes": 1}
    assert _hit(coverage, "fl", "limits") == {"limit free, move down": 1}
    assert _hit(coverage, "fl", "tolerated") == {"tolerance 0, count above": 1}
    # FL fell by two, so the signal is -512: below, a slice more is wanted, and the dwell has just passed.
    assert _hit(coverage, "n", "band") == {"below": 1}
    assert _hit(coverage, "n", "changes") == {"wanted up, reason band, outcome happened": 1}
    assert _hit(coverage, "n", "transitions") == {"from 2, to 3": 1}
    assert _hit(coverage, "n", "dwell") == {"first moment": 1}
    assert _hit(coverage, "n", "smoothing") == {"smooth 0, step first": 1}
    assert _hit(coverage, "update", "events") == {"tensor weight, event fl_down": 1, "tensor weight, event n_up": 1}
    assert _hit(coverage, "update", "mean_of") == {"zeros some, nonzero yes": 1}
    assert _hit(coverage, "register", "layer") == {"last": 2}
    assert _hit(coverage, "register", "run") == {"2+": 2}


def test_steps_and_writes_by_hand() -> None:
    program = Program()
    program.write(STEP, (1 << 24) - 1)
    program.write(0xFFF, 0)
    program.query((0, 0), (0, 1), (1, 0), 65)
    coverage = sample_epochs(PARAMS, [_epoch(program, steps=(0, 5, 20), late=3)])
    assert _hit(coverage, "timing", "counter") == {"loses to a write": 1, "at its largest": 2}
    assert _hit(coverage, "timing", "phase") == {"idle": 2, "A + 2": 1}
    assert _hit(coverage, "register", "answers") == {
        "place STEP, access write, code OK": 1,
        "place none, access write, code ADDRESS": 1,
    }
    assert _hit(coverage, "query", "length") == {"just above one": 1}
    assert _hit(coverage, "query", "decides") == {"zero": 1}


def test_a_reset_in_the_middle_by_hand() -> None:
    program = Program()
    program.update(0, 0, TensorStats(1, 0, 0, 1, 1))
    program.query((0, 0), (0, 1), (1, 0), 65)
    epochs = [_epoch(program, horizon=2), _epoch(Program())]
    coverage = sample_epochs(PARAMS, epochs)
    assert _hit(coverage, "reset", "met") == {"phase A + 2, busy_with upd": 1}
    assert _hit(coverage, "reset", "waiting") == {"something": 1}
    assert _hit(coverage, "timing", "offered") == {"upd ord": 1}


def test_a_run_that_diverged_counts_nothing(tmp_path: Path) -> None:
    program = Program()
    program.update(0, 0, TensorStats(1, 0, 0, 1, 1))
    board = SimpleNamespace(epochs=[_epoch(program)], verdict=Verdict())
    info = RunInfo("laps", "verilator", "smoke", 1, run_dir=tmp_path)
    assert any(counts.any() for *_, counts in sample(info, PARAMS, board))
    board.verdict.diverge("update", 3, "x", 1, 2)
    assert not any(counts.any() for *_, counts in sample(info, PARAMS, board))
    assert json.loads((tmp_path / FILE_NAME).read_text(encoding="utf-8"))["passed"] is False
    assert [group.name for group in GROUPS]
