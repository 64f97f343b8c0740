"""Captures: what is saved is what is read, bad files give one clear line, and the replay computes the product."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flow.core.targets import run_target
from models.common.formats import YBits
from models.common.rounding import Round
from models.common.tensors import TensorError
from models.ran.config import RanDescriptor
from tb.gemm.block import BLOCK, BYTES_AN_ISSUE, sim_options
from tb.gemm.capture import FINAL, OPTIONS, Capture, replay_command, save_all
from tb.gemm.program import Product, gemm_params
from tb.ioss import operands

_sim = partial(run_target, "sim", BLOCK="gemm")

PARAMS = {"ROWS": 8, "LANES": 16, "DEPTH": 128, "ACC_W": 40, "BANKS": 2}


def _capture(k: int = 20, name: str = "fp1", **more: Any) -> Capture:
    rng = np.random.default_rng(k)
    final = RanDescriptor(YBits.B12, False, True, Round.STOCHASTIC, 3, 7)
    fields: dict[str, Any] = {"mask": rng.random((5, 18)) < 0.3, "bias": rng.integers(-900, 900, 18)}
    fields |= {"min_order": 1, "reduce_factor": 2, "x_unsigned": True, "final": final} | more
    x, w = rng.integers(0, 256, (5, k)), rng.integers(-8, 8, (k, 18))
    return Capture(Product(x, w, 2, 1, name=name, **fields), 99, {"net": "mlp", "iteration": 3})


def test_what_is_saved_is_what_is_read(tmp_path: Path) -> None:
    captures = [_capture(), _capture(40, "wg1", mask=None, bias=None, compensate=True)]
    for capture, path in zip(captures, save_all(tmp_path / "new", captures), strict=True):
        back = Capture.load(path)
        assert (back.seed, back.origin, back.source) == (99, capture.origin, "net mlp, iteration 3")
        for name in (*OPTIONS, "name", "final"):
            assert getattr(back.product, name) == getattr(capture.product, name), name
        for name in ("x", "w", "mask", "bias"):
            got, want = getattr(back.product, name), getattr(capture.product, name)
            assert (got is None) == (want is None)
            assert want is None or np.array_equal(got, want)
        again = tmp_path / "again.npz"
        back.save(again)
        assert again.read_bytes() == path.read_bytes()
    assert replay_command(Path("/a b/fp1.npz"), {"ROWS": 4}) == "make sim BLOCK=gemm ROWS=4 CAPTURE='/a b/fp1.npz'"


def _meta(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def apply(arrays: dict[str, Any]) -> None:
        meta = json.loads(str(arrays["meta"]))
        change(meta)
        arrays["meta"] = np.array(json.dumps(meta))

    return apply


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("w"), "not a capture (it holds bias, mask, meta, x)"),
        (lambda a: a.update(more=np.ones(2)), "not a capture"),
        (lambda a: a.update(meta=np.array("{")), "meta is not JSON"),
        (lambda a: a.update(meta=np.array(3)), "not a capture"),
        (_meta(lambda m: m.update(format=2)), "format 2, this program reads format 1"),
        (_meta(lambda m: m.pop("shift")), "shift is None, not of type int"),
        (_meta(lambda m: m.update(relu=1)), "relu is 1, not of type bool"),
        (_meta(lambda m: m.update(n_x=5)), "n_x is 5, legal are 1..4"),
        (_meta(lambda m: m.update(y_bits=6)), "y_bits is 6, legal are 0..5"),
        (lambda a: a["x"].__setitem__((2, 3), 300), "x: value 300 at [2, 3] does not fit 8 unsigned bits"),
        (lambda a: a.update(x=a["x"][:, 1:]), "x (5, 19) and w (20, 18) cannot be multiplied"),
        (lambda a: a.update(x=a["x"].astype(float)), "x: elements are float64"),
        (lambda a: a.update(mask=a["mask"][1:]), "mask is bool (5, 18)"),
        (lambda a: a.update(bias=a["bias"][1:]), "bias is 18 integers"),
        (lambda a: a.update(bias=a["bias"] + (1 << 31)), "bias does not fit 32 signed bits"),
    ],
)
def test_bad_captures_get_one_line(tmp_path: Path, change: Callable[[dict[str, Any]], Any], words: str) -> None:
    path = tmp_path / "fp1.npz"
    _capture().save(path)
    with np.load(path) as file:
        arrays = {name: file[name].astype(np.int16) if name == "x" else file[name] for name in file.files}
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(TensorError) as caught:
        Capture.load(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_any_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    path, rng = tmp_path / "fp1.npz", np.random.default_rng(3)
    _capture().save(path)
    whole = path.read_bytes()
    for at in rng.integers(0, len(whole), 100):
        path.write_bytes(whole[:at])
        with pytest.raises(TensorError):
            Capture.load(path)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(TensorError):  # a flipped bit in an unused field does no harm
            Capture.load(path)


@pytest.mark.parametrize(
    ("change", "params", "words"),
    [
        ({"reduce_factor": 8}, {"ROWS": 4}, "needs ROWS=8 or more"),
        ({"min_order": 3}, {}, "refuses its descriptor (ORDER)"),
        ({"compensate": True}, {}, "compensation under a mask"),
        ({"reduce_factor": 3}, {}, "refuses its descriptor (REDUCE)"),
        ({"final": RanDescriptor(YBits.RAW32, relu=True)}, {}, "refuses its descriptor (RAW)"),
        ({"final": RanDescriptor(YBits.B8, shift=44)}, {}, "refuses its descriptor (SHIFT)"),
        ({"n_x": 4, "n_w": 4, "x": np.full((5, 400), 65535), "w": np.full((400, 18), 32767),
          "reduce_factor": 1}, {}, "take ACC_W=48"),
    ],
)  # fmt: skip
def test_what_a_pair_cannot_take_is_refused(change: dict[str, Any], params: dict[str, int], words: str) -> None:
    capture = _capture()
    capture.check(gemm_params(PARAMS))
    with pytest.raises(TensorError, match=words.replace("(", r"\(").replace(")", r"\)")):
        replace(capture, product=replace(capture.product, **change)).check(gemm_params({**PARAMS, **params}))


def test_a_capture_that_would_take_too_much_memory_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its issues are counted with masks and lowest order; at the limit it is one run, one beyond it is several."""
    capture = _capture()
    options = {option.name: option.default for option in BLOCK.options} | {"PARAMS": PARAMS, "TEST": None}
    options["CAPTURE"] = save_all(tmp_path, [capture])[0]
    issues = capture.product.pairs(PARAMS["LANES"]).issues
    monkeypatch.setattr(operands, "MOST_BYTES", BYTES_AN_ISSUE * issues)
    assert "pieces" not in sim_options(options)[1]
    monkeypatch.setattr(operands, "MOST_BYTES", BYTES_AN_ISSUE * issues - 1)
    test, config = sim_options(options)
    assert test == "captured"
    assert len(config["pieces"]) > 1


def test_the_command_line_replays_and_refuses(tmp_path: Path) -> None:
    final = RanDescriptor(YBits.RAW64)
    capture = _capture(300, reduce_factor=1, mask=None, min_order=0, final=final)
    path, out = save_all(tmp_path, [capture])[0], tmp_path / "y.npy"
    done = _sim(CAPTURE=path, OUT=out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "captured from: net mlp, iteration 3" in done.stdout
    product = capture.product
    assert np.array_equal(np.load(out), product.x @ product.w + product.bias)
    for variables, words in (
        ({"X_BITS": 4}, "CAPTURE already says what X_BITS would"),
        ({"TEST": "smoke"}, "TEST=smoke does not take CAPTURE"),
        ({"CAPTURE": tmp_path / "none.npz"}, "cannot read"),
    ):
        done = _sim(**{"CAPTURE": path, **variables})
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
        assert words in done.stderr
    path.write_bytes(path.read_bytes()[:-40])
    done = _sim(CAPTURE=path)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert f"CAPTURE={path}: damaged .npz" in done.stderr


def test_fields_are_those_of_the_descriptor() -> None:
    assert set(FINAL) <= set(RanDescriptor.__dataclass_fields__)
    assert set(OPTIONS) <= set(Product.__dataclass_fields__)
