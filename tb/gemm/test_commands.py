"""`make sim BLOCK=gemm` with own tensors, through the command line: results, report, one clear line for bad input."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from flow.core.targets import run_target
from host.net.quantise import quantise
from models.common.files import save_arrays
from tb.gemm.tensors import least_shift

_sim = partial(run_target, "sim", BLOCK="gemm")


def _operands(m: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(m + k + n)
    x = rng.integers(-128, 128, (m, k)) * (rng.random((m, k)) < 0.4)
    return x.astype(np.int16), rng.integers(-2048, 2048, (k, n)), rng.integers(-(1 << 31), 1 << 31, n)


@pytest.mark.parametrize(("sim", "shape", "factor"), [("verilator", (9, 700, 21), 2), ("icarus", (3, 140, 5), 1)])
def test_raw_sums_are_the_matrix_product(tmp_path: Path, sim: str, shape: tuple[int, int, int], factor: int) -> None:
    """K far beyond what the rows hold: partial sums come back."""
    x, w, b = _operands(*shape)
    files = save_arrays(tmp_path, X=x, W=w, BIAS=b) | {"OUT": tmp_path / "y.npy", "REPORT": tmp_path / "r.json"}
    done = _sim(SIM=sim, W_BITS=12, REDUCE_FACTOR=factor, Y_BITS=64, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    want = x.astype(np.int64) @ w + b
    assert np.array_equal(np.load(files["OUT"]), want)
    report = json.loads(files["REPORT"].read_text(encoding="utf-8"))
    assert (report["block"], report["status"], report["mismatches"]) == ("gemm", "pass", 0)
    assert report["ran"]["overflows"] == 0
    assert {"stall_out", "stall_drain", "stall_member", "operand"} <= set(report["stalls"])
    done = _sim(SIM=sim, W_BITS=12, REDUCE_FACTOR=factor, Y_BITS=32, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert np.array_equal(np.load(files["OUT"]), want.clip(-(1 << 31), (1 << 31) - 1))


def test_eight_bits_are_exactly_rounded(tmp_path: Path) -> None:
    x, w, _ = _operands(12, 60, 18)
    files = save_arrays(tmp_path, X=x, W=w) | {"OUT": tmp_path / "y.npy"}
    done = _sim(W_BITS=12, Y_BITS=8, SHIFT=12, ROUND="nearest", **files)
    assert done.returncode == 0, done.stdout + done.stderr
    exact = x.astype(np.int64) @ w
    want = [[min(127, max(-128, round(Fraction(int(each), 1 << 12)))) for each in row] for row in exact]
    assert np.load(files["OUT"]).tolist() == want
    done = _sim(W_BITS=12, Y_BITS=4, SHIFT=14, ROUND="stochastic", RAND_BITS=8, RELU=1, Y_UNSIGNED=1, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    y, low = np.load(files["OUT"]), np.maximum(exact, 0) >> 14
    assert ((y >= low.clip(0, 15)) & (y <= (low + 1).clip(0, 15))).all()


@pytest.mark.parametrize("unsigned", [False, True])
def test_the_least_shift_saturates_nothing_and_one_less_does(unsigned: bool) -> None:
    """Every largest sum about powers of two, where rounding carries."""
    for largest in (1, 127, 128, 255, 256, 509, 510, 511, 512, 1 << 20, (1 << 20) - 1, 65407, 65408):
        for bits in (4, 8, 12, 16):
            sums = np.array([largest, 0 if unsigned else 1 - largest], np.int64)
            top = (1 << (bits if unsigned else bits - 1)) - 1
            shift = least_shift(sums, bits, unsigned, False)
            assert (largest + (1 << shift) // 2) >> shift <= top
            assert shift == 0 or (largest + (1 << shift - 1) // 2) >> shift - 1 > top
    assert least_shift(np.array([-5000, 3]), 8, False, True) == 0


def test_a_shift_that_is_chosen(tmp_path: Path) -> None:
    x, w, _ = _operands(12, 60, 18)
    files = save_arrays(tmp_path, X=x, W=w) | {"OUT": tmp_path / "y.npy"}
    done = _sim(W_BITS=12, Y_BITS=8, SHIFT="auto", ROUND="nearest", **files)
    assert done.returncode == 0, done.stdout + done.stderr
    exact = x.astype(np.int64) @ w
    shift = int(re.search(r"SHIFT=(\d+): the smallest", done.stdout).group(1))
    assert np.load(files["OUT"]).tolist() == [[round(Fraction(int(each), 1 << shift)) for each in row] for row in exact]
    assert 64 <= np.abs(np.load(files["OUT"])).max() <= 127


def test_floats_are_quantised_by_the_rule_of_make_net(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    x, w = rng.random((6, 40)).astype(np.float32), rng.normal(size=(40, 9))
    files = save_arrays(tmp_path, X=x, W=w) | {"OUT": tmp_path / "y.npy"}
    done = _sim(X_BITS=8, W_BITS=12, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    q_x, q_w = quantise(x, 8), quantise(w, 12)
    assert (q_x.unsigned, q_w.unsigned) == (True, False)
    assert np.array_equal(np.load(files["OUT"]), q_x.q.astype(np.int64) @ q_w.q)
    assert f"X: floats as 8 bits, unsigned; value = integer * {q_x.scale:.9g}" in done.stdout
    assert f"W: floats as 12 bits, signed; value = integer * {q_w.scale:.9g}" in done.stdout


@pytest.mark.parametrize(
    ("x", "variables", "words"),
    [
        (np.array([[1.0, np.nan]]), {}, "holds values that are NaN or infinite"),
        (np.array([[1.0, -np.inf]]), {}, "holds values that are NaN or infinite"),
        (np.array([[1.0, -2.0]]), {"X_UNSIGNED": 1}, "X holds negative values: leave X_UNSIGNED out"),
        (np.zeros((0, 2)), {}, "elements are float64"),
        (np.ones(2), {}, "a matrix has 2 dimensions"),
    ],
)
def test_floats_that_are_no_operands(tmp_path: Path, x: np.ndarray, variables: dict[str, object], words: str) -> None:
    done = _sim(**save_arrays(tmp_path, X=x, W=np.ones((2, 3), np.int8)), **variables)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"Y_BITS": 64, "SHIFT": 3}, "gives raw sums: leave SHIFT out"),
        ({"Y_BITS": 32, "RELU": 1}, "gives raw sums: leave RELU out"),
        ({"Y_BITS": 8, "SHIFT": 40}, "SHIFT=40 is not legal: choose 0..39"),
        ({"Y_BITS": 64, "SHIFT": "auto"}, "gives raw sums: leave SHIFT out"),
        ({"Y_BITS": 8, "SHIFT": "most"}, "SHIFT=most: 'most' is not a valid integer"),
        ({"Y_BITS": 7}, "choose one of 4, 8, 12, 16, 32, 64"),
        ({"X_BITS": 16, "W_BITS": 16}, "take ACC_W=48"),
        ({"BIAS": "x"}, "BIAS must be a vector of 6 integers"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, variables: dict[str, object], words: str) -> None:
    files = save_arrays(tmp_path, X=np.ones((2, 600), np.int8), W=np.ones((600, 6), np.int8))
    given = {name: files["X"] if value == "x" else value for name, value in variables.items()}
    done = _sim(**files, **given)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
