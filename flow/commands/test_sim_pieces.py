"""`make sim BLOCK=gemm` of a product that takes several runs: the result, the figures and the failures of one run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from flow.commands import sim_pieces
from flow.commands.sim import _load_config
from flow.core.blocks import get_block
from flow.core.simulate import run
from models.common.formats import YBits
from models.common.rounding import Round
from models.ran.config import RanDescriptor
from tb.gemm import block as gemm_block
from tb.gemm.capture import Capture
from tb.gemm.tests import random_product
from tb.lib.errors import UserError
from tb.lib.paths import ROOT

BLOCK = get_block("gemm")
SHAPE = (45, 150, 40)  # two chunks of K, three tiles of columns
MOST = 9000  # issues of a piece here


@pytest.fixture
def options(tmp_path: Path) -> dict[str, object]:
    """Variables of a product with a bias, ReLU and stochastic rounding."""
    rng = np.random.default_rng(3)
    m, k, n = SHAPE
    arrays = {
        "X": rng.integers(0, 256, (m, k)) * (rng.random((m, k)) < 0.4),
        "W": rng.integers(-128, 128, (k, n)) * (rng.random((k, n)) < 0.3),
        "BIAS": rng.integers(-3000, 3000, n),
    }
    out = {each.name: each.default for each in BLOCK.options} | {"TEST": None, "PARAMS": BLOCK.resolve_params(None)}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        out[name] = tmp_path / f"{name}.npy"
    return out | {
        "X_UNSIGNED": True, "Y_BITS": 8, "SHIFT": 9, "ROUND": "stochastic", "RELU": True, "STOCHASTIC_SEED": 5,
        "OUT": tmp_path / "y.npy",
    }  # fmt: skip


def _lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemm_block, "MOST_ISSUES", MOST)
    monkeypatch.setattr(gemm_block, "most_issues", lambda *_: MOST)


def _play(config: dict[str, object], test: str = "user_tensors"):
    return sim_pieces.run(BLOCK, "verilator", test, 1, {}, config, timeout=300)


@pytest.fixture
def cut(options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """The configuration of the product in pieces, whose records lie in a folder of their own."""
    _lowered(monkeypatch)
    monkeypatch.setattr(sim_pieces, "BUILD", tmp_path)
    return BLOCK.sim_options(options)[1]


def test_pieces_are_every_job_once(cut) -> None:
    met = np.zeros((SHAPE[0], SHAPE[2]), int)
    for part in cut["pieces"]:
        met[slice(*part["rows"]), slice(*part["columns"])] += 1
        assert part["columns"][0] % 16 == 0
    assert (met == 1).all()
    assert len(cut["pieces"]) > 3


@pytest.mark.late
def test_in_pieces_it_is_what_it_is_in_one_run(options, cut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {name: value for name, value in cut.items() if name != "pieces"}
    one = run(BLOCK, "verilator", "user_tensors", 1, {}, config, label="whole")
    assert one.passed, one.summary()
    both = _play(cut)
    assert both.passed
    assert np.array_equal(np.load(both.run_dir / "out.npy"), np.load(one.run_dir / "out.npy"))
    whole, parts = one.result, both.result
    for name in ("issues", "issues_dense", "skipped", "jobs", "rows", "lanes"):
        assert parts["report"][name] == whole["report"][name], name
    assert parts["report"]["gemms"][0]["shape"] == list(SHAPE)
    assert parts["report"]["pieces"] == len(cut["pieces"])
    assert parts["checks"]["slice"] == whole["checks"]["slice"]
    assert parts["mismatches"] == 0
    assert 0.5 < parts["report"]["speedup"] / whole["report"]["speedup"] < 1.1
    # Everything is kept: nothing runs again.
    monkeypatch.setattr(sim_pieces.simulate, "run", None)
    again = _play(cut)
    assert again.result == parts
    # What is damaged does.
    next(tmp_path.glob("cut/*/1.npy")).write_bytes(b"damaged")
    with pytest.raises(TypeError):
        _play(cut)


def test_a_mismatch_in_the_second_piece_is_reported_with_its_replay(cut, monkeypatch: pytest.MonkeyPatch) -> None:
    real, number = run, iter(range(9))

    def planted(block, sim, test, seed, params, config, **more):
        return real(block, sim, test, seed, params, config | ({"spoil": 0} if next(number) == 1 else {}), **more)

    monkeypatch.setattr(sim_pieces.simulate, "run", planted)
    result = _play(cut | {"final": {"y_bits": int(YBits.RAW64)}})  # whatever rounding would hide
    assert not result.passed
    part = cut["pieces"][1]
    first, end = part["rows"]
    count = len(cut["pieces"])
    assert result.error.startswith(f"piece 2 of {count}, rows {first}..{end - 1}, columns ")
    assert "result at cycle" in result.error
    file = ROOT / re.search(r"CONFIG=(\S+)", result.replay)[1]
    assert '"part": ' in file.read_text(encoding="utf-8")
    replayed = real(BLOCK, "verilator", "user_tensors", 1, {}, _load_config(file), label="replayed")
    assert replayed.error == result.error.partition(": ")[2]


@pytest.mark.late
def test_a_capture_is_cut_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With mask, bias, dropped orders and stochastic rounding."""
    rng = np.random.default_rng(4)
    final = RanDescriptor(YBits.B8, True, True, Round.STOCHASTIC, 1, 9)
    more = {"mask": rng.random((30, 35)) < 0.2, "bias": rng.integers(-900, 900, 35), "min_order": 1}
    product = random_product(rng, (30, 140, 35), 2, 2, final=final, name="it", **more)
    Capture(product, 7, {"made": "here"}).save(tmp_path / "it.npz")
    options = {each.name: each.default for each in BLOCK.options}
    options |= {"TEST": None, "PARAMS": BLOCK.resolve_params(None), "CAPTURE": tmp_path / "it.npz", "OUT": True}
    _, config = BLOCK.sim_options(options)
    assert "pieces" not in config
    one = run(BLOCK, "verilator", "captured", 1, {}, config, label="whole")
    _lowered(monkeypatch)
    monkeypatch.setattr(sim_pieces, "BUILD", tmp_path)
    _, cut_config = BLOCK.sim_options(options)
    assert len(cut_config["pieces"]) > 2
    both = _play(cut_config, "captured")
    assert both.passed, both.summary()
    assert np.array_equal(np.load(both.run_dir / "out.npy"), np.load(one.run_dir / "out.npy"))
    assert both.result["report"]["issues"] == one.result["report"]["issues"]


def test_what_cannot_be_cut_is_refused(options, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job alone that is too long; waves of several runs."""
    monkeypatch.setattr(gemm_block, "MOST_ISSUES", 50)
    monkeypatch.setattr(gemm_block, "most_issues", lambda *_: 50)
    with pytest.raises(UserError, match=r"a row of X with 16 columns of W takes .* issues, more than a run: split K"):
        BLOCK.sim_options(options)
    with pytest.raises(UserError, match="waves are those of one run"):
        sim_pieces.run(BLOCK, "verilator", "user_tensors", 1, {}, {"pieces": []}, waves=True, timeout=1)
