"""What is read from the traces of a gradient stream, and that each check of it can fail."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from host.fidelity import BARS, Run, play
from host.optimiser import Host, Rule
from models.common import floats
from models.optc.config import Mode
from models.optc.value import update
from tb.optc.fidelity import Observed, findings, observed
from tb.optc.scoreboard import STAT_DTYPE, lane_dtype, out_dtype

LANES = 4
STATS = STAT_DTYPE.names[2:]


def _run(mode: Mode) -> tuple[Run, np.ndarray]:
    g = floats.normal(np.random.default_rng(3), (30, 10)) * floats.power(10.0, np.linspace(-4, 0, 10))
    g[15:] *= 1e5  # passes that only rescale
    return play(Host(Rule(mode, 1e-3), np.zeros(10)), g), g


def _board(run: Run) -> SimpleNamespace:
    """A scoreboard with the traces that the model would leave."""
    u, w, stats = [], [], []
    for each in run.passes:
        done, n = update(each.config, each.state, each.g), len(each.g)
        pad = -n % LANES
        tables = ((u, done.u, lane_dtype(LANES, "u"), "u"), (w, done.state.w, out_dtype(LANES), "w"))
        for table, words, dtype, name in tables:
            part = np.zeros((n + pad) // LANES, dtype)
            part[name] = np.pad(words, (0, pad), constant_values=77).reshape(-1, LANES) & 0xFFFF_FFFF
            table.append(part)
        stats.append((0, len(stats), *(getattr(done.statistics, name) for name in STATS)))
    seen = {"update_trace": np.concatenate(u), "stat_trace": np.array(stats, STAT_DTYPE)}
    prediction = SimpleNamespace(cfg_accept=np.arange(len(stats)))
    return SimpleNamespace(seen=seen, epochs=[SimpleNamespace(base=0, result=np.concatenate(w), prediction=prediction)])


def _observed(run: Run, board: SimpleNamespace | None = None) -> Observed | None:
    return observed(board or _board(run), run.passes, 0, 0, run.w.shape, LANES)


@pytest.mark.parametrize("mode", Mode)
def test_updates_and_weights_of_the_traces(mode):
    run, _ = _run(mode)
    assert run.host.totals.rescales > 0
    seen = _observed(run)
    assert np.array_equal(seen.updates, run.updates)
    assert np.array_equal(seen.w, run.w)
    assert seen.end == len(_board(run).epochs[0].result)
    assert seen.saturated == {"sat_w": 0, "sat_m": 0, "sat_v": 0}


def test_a_pass_that_is_missing():
    run, _ = _run(Mode.ADAM)
    for name in ("update_trace", "stat_trace"):
        board = _board(run)
        board.seen[name] = board.seen[name][:-1]
        assert _observed(run, board) is None
    board = _board(run)
    board.epochs[0].result = board.epochs[0].result[:-1]
    assert _observed(run, board) is None


def test_every_finding():
    """A stream without findings; then each thing that can be wrong is made wrong."""
    run, g = _run(Mode.ADAM)
    seen = _observed(run)

    def found(changed: Observed, sat_g: int = 0) -> list[str]:
        made = findings("adam", list(BARS), changed.fidelity(g, run), changed, sat_g)
        return [what.split(" of ")[0] for what, *_ in made]

    tail = seen.updates.copy()
    tail[3] *= 1.01  # one step of 30
    assert found(seen) == []
    assert found(replace(seen, updates=seen.updates * 1.001)) == ["p50"]
    assert found(replace(seen, updates=tail)) == ["p99"]
    one = seen.w.copy()
    one[:, np.abs(one).max(axis=0).argmin()] *= 1.05  # a weight that no norm shows
    assert found(replace(seen, w=one)) == ["off_weights"]
    assert found(replace(seen, w=seen.w * 1.02)) == ["drift", "off_weights"]
    assert found(replace(seen, w=seen.w * np.nan)) == ["drift", "off_weights"]
    assert found(replace(seen, saturated={**seen.saturated, "sat_m": 1})) == ["saturations"]
    assert found(seen, 1) == ["saturations"]
