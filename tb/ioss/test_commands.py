"""`make sim` with a user's own tensors, through the command line: results, report, and one clear line for bad input."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from flow.core.blocks import get_block
from flow.core.targets import run_target
from models.ioss.oracle import count_pairs, slices
from tb.ioss import operands
from tb.lib.errors import UserError

_sim = partial(run_target, "sim")


def _issues(x: np.ndarray, w: np.ndarray, n_x: int, n_w: int, lanes: int, order: int) -> int:
    """Counts issues from the definition, once more and with loops only over slices."""
    total = 0
    for n0 in range(0, w.shape[1], lanes):
        for i, xs in enumerate(slices(x, n_x)):
            for j, ws in enumerate(slices(w[:, n0 : n0 + lanes], n_w)):
                if i + j >= order:
                    total += int(((xs != 0) & (ws != 0).any(axis=1)).sum())
    return total


@pytest.mark.parametrize("sim", ["verilator", "icarus"])
def test_own_tensors(tmp_path: Path, sim: str) -> None:
    rng = np.random.default_rng(5)
    x = (rng.integers(0, 256, (6, 150)) * (rng.random((6, 150)) < 0.3)).astype(np.uint8)
    w = rng.integers(-2048, 2048, (150, 19)).astype(np.int16)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "w.npy", w)
    files = {"X": tmp_path / "x.npy", "W": tmp_path / "w.npy", "OUT": tmp_path / "y.npy", "REPORT": tmp_path / "r.json"}
    done = _sim(BLOCK="ioss", SIM=sim, X_BITS=8, X_UNSIGNED=1, W_BITS=12, SEED=3, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    y = np.load(files["OUT"])
    assert y.dtype == np.int64
    assert np.array_equal(y, x.astype(np.int64) @ w)
    report = json.loads(files["REPORT"].read_text(encoding="utf-8"))
    assert report["issues"] == _issues(x, w, 2, 3, 16, 0) == count_pairs(x, w, 2, 3, 16).issues
    assert report["issues_dense"] == 6 * 150 * 16 * 2
    assert (report["block"], report["sim"], report["seed"], report["status"]) == ("ioss", sim, 3, "pass")
    assert (report["rows"], report["lanes"], report["depth"], report["mismatches"]) == (8, 16, 128, 0)
    assert report["utilisation"] == pytest.approx(report["issues"] / (8 * report["cycles"]))
    assert min(report["checks"].values()) > 0


@pytest.mark.late
def test_options_reach_the_core(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    x, w = rng.integers(-128, 128, (5, 90)), rng.integers(-128, 128, (90, 9))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "w.npy", w)
    files = {"X": tmp_path / "x.npy", "W": tmp_path / "w.npy", "REPORT": tmp_path / "r.json", "OUT": tmp_path / "y.npy"}
    done = _sim(MIN_ORDER=1, COMPENSATE=1, REDUCE_FACTOR=4, ROWS=4, LANES=8, DEPTH=32, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(files["REPORT"].read_text(encoding="utf-8"))
    assert report["issues"] == _issues(x, w, 2, 2, 8, 1)
    error = np.abs(np.load(files["OUT"]) - x @ w)
    assert 0 < error.max() < 90 * 15 * 15


def test_bad_input_gets_one_line(tmp_path: Path) -> None:
    good = np.ones((3, 4), np.int8)
    names = {"good": good, "float": good / 2, "big": good * 127, "tall": np.ones((5, 2), int), "flat": np.ones(4, int)}
    for name, array in names.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "text.npy").write_text("no matrix", encoding="utf-8")
    path = {name: str(tmp_path / f"{name}.npy") for name in (*names, "text", "missing")}
    cases: list[tuple[dict[str, object], str]] = [
        ({"X": path["float"], "W": path["tall"]}, "X"),
        ({"X": path["big"], "W": path["tall"], "X_BITS": 4}, "does not fit 4 signed bits"),
        ({"X": path["good"], "W": path["tall"]}, "cannot be multiplied"),
        ({"X": path["flat"], "W": path["tall"]}, "X"),
        ({"X": path["text"], "W": path["tall"]}, "not a .npy file"),
        ({"X": path["missing"], "W": path["tall"]}, "cannot read"),
        ({"X": path["good"]}, "give both"),
        ({"X": path["good"], "W": path["good"], "X_BITS": 5}, "4, 8, 12, 16"),
        ({"X": path["good"], "W": path["good"].replace("good", "tall"), "MIN_ORDER": 9}, "MIN_ORDER"),
        ({"X": path["good"], "W": path["tall"], "REDUCE_FACTOR": 8, "ROWS": 4}, "at least 8 rows"),
        ({"X": path["good"], "W": path["tall"], "TEST": "smoke"}, "does not take X and W"),
        ({"TEST": "nonsense"}, "ioss has no test nonsense"),
        ({"BLOCK": "nonsense"}, "choose one of"),
        ({"SIM": "nonsense"}, "choose one of"),
        ({"TEST": "user_tensors"}, "needs X= and W="),
    ]
    for variables, words in cases:
        done = _sim(**variables)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        assert done.returncode != 0, variables
        assert len(lines) == 1, lines
        assert words in lines[0], (variables, lines)


@pytest.mark.parametrize("name", ["ioss", "gemm"])
def test_among_several_tests_one_of_a_user_s_files_plays_its_example(name: str) -> None:
    block = get_block(name)
    options = {option.name: option.default for option in block.options} | {"TEST": "user_tensors", "SEVERAL": True}
    params = {name: param.default for name, param in block.params.items()}
    assert block.sim_options is not None
    assert block.sim_options(options | {"PARAMS": params}) == ("user_tensors", {"example": True})


def test_a_run_that_would_take_too_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issues are counted before the run, with the lowest order; at the limit it runs, one beyond it does not."""
    rng = np.random.default_rng(1)
    x, w = rng.integers(-128, 128, (5, 40)), rng.integers(-128, 128, (40, 37))
    x[rng.random(x.shape) < 0.5] = 0
    for order in range(3):
        for lanes in (8, 16, 32):
            assert operands.count_issues(x, w, 2, 2, lanes, order) == count_pairs(x, w, 2, 2, lanes, order).issues
    block = get_block("ioss")
    options = {option.name: option.default for option in block.options} | {"PARAMS": block.resolve_params(None)}
    for name, matrix in (("X", x), ("W", w)):
        np.save(tmp_path / f"{name}.npy", matrix)
        options[name] = tmp_path / f"{name}.npy"
    issues = count_pairs(x, w, 2, 2, 16).issues
    monkeypatch.setattr(operands, "MOST_BYTES", operands.BYTES_AN_ISSUE * issues)
    operands.check_operands(options)
    monkeypatch.setattr(operands, "MOST_BYTES", operands.BYTES_AN_ISSUE * issues - 1)
    with pytest.raises(UserError, match=rf"X @ W takes {issues:,} issues; beyond {issues - 1:,} .* split X by rows"):
        operands.check_operands(options)
    operands.check_operands({**options, "MIN_ORDER": 1})
