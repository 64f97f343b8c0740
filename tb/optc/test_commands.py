"""`make sim BLOCK=optc` with gradients, through the command line: weights, report, picture, one clear line for bad
input; and that the bars fail where the host's rule is worse."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from flow import cli
from flow.core.blocks import get_block
from flow.core.simulate import run
from flow.core.targets import run_target
from models.common import floats
from models.common.files import save_arrays
from models.optc.oracle import adam, momentum
from tb.lib.paths import ROOT
from tb.optc.options import MAX_STEPS, MAX_VALUES

_sim = partial(run_target, "sim", BLOCK="optc")


def _stream(steps: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(steps + size)
    g = (floats.normal(rng, (steps, size)) + 0.3) * floats.power(10.0, floats.uniform(rng, -4, 0, size))
    return g.astype(np.float32), floats.normal(rng, size).astype(np.float32)


def _drift(w: np.ndarray, want: np.ndarray, start: np.ndarray) -> float:
    return float(np.linalg.norm(w[-1] - want[-1]) / np.linalg.norm(want[-1] - start))


@pytest.mark.parametrize(
    ("sim", "shape", "variables"),
    [
        ("verilator", (120, 37), {"MODE": "adam", "LR": "1e-3", "WEIGHT_DECAY": "0.1"}),
        pytest.param(
            "verilator",
            (60, 9),
            {"MODE": "adam", "LR": 0.02, "BETA1": 0.8, "BETA2": 0.99, "EPS": "1e-12", "LANES": 8},
            marks=pytest.mark.late,  # a build of its own
        ),
        ("verilator", (60, 10), {"MODE": "momentum", "LR": 0.1, "BETA1": 0.5, "WEIGHT_DECAY": "1e-2"}),
        ("verilator", (1, 1), {"MODE": "sgd", "LR": 10}),
        ("icarus", (4, 5), {"MODE": "adam", "LR": "1e-8"}),
    ],
)
def test_own_gradients(tmp_path: Path, sim: str, shape: tuple[int, int], variables: dict[str, object]) -> None:
    g, w0 = _stream(*shape)
    start = "WEIGHT_DECAY" in variables
    files = save_arrays(tmp_path, G=g, **({"W0": w0} if start else {}))
    files |= {"OUT": tmp_path / "w.npy", "REPORT": tmp_path / "r.json"}
    done = _sim(SIM=sim, **variables, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    given = {name: float(value) for name, value in variables.items() if name != "MODE"}
    beta1, decay = given.get("BETA1", 0.9), given.get("WEIGHT_DECAY", 0.0)
    begin, g64 = (w0.astype(np.float64) if start else np.zeros(shape[1])), g.astype(np.float64)
    if variables["MODE"] == "adam":
        eps = given.get("EPS", 1e-8)
        want, steps = adam(g64, begin, given["LR"], beta1, given.get("BETA2", 0.999), eps, decay)
    else:
        beta1 = 0.0 if variables["MODE"] == "sgd" else beta1
        want, steps = momentum(g64, begin, given["LR"], beta1, decay)
    w = np.load(files["OUT"])
    assert (w.dtype, w.shape) == (np.float64, shape)
    assert _drift(w, want, begin) <= 1e-3
    report = json.loads(files["REPORT"].read_text(encoding="utf-8"))
    assert (report["block"], report["test"], report["status"]) == ("optc", "user_gradients", "pass")
    (figures,) = report["streams"]
    assert (figures["steps"], figures["parameters"]) == shape
    assert figures["p50"] <= 1e-4
    assert figures["compared"] == np.count_nonzero(steps)
    assert figures["saturated"] == {"sat_w": 0, "sat_m": 0, "sat_v": 0, "sat_g": 0}
    assert figures["results_per_cycle"] == pytest.approx(g.size / figures["cycles"])
    assert Path(figures["picture"]).read_bytes().startswith(b"\x89PNG")
    assert "update error, p99" in done.stdout
    assert figures["picture"].rsplit("/", 1)[1] in done.stdout


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("grows a million", {"MODE": "adam", "LR": "1e-3"}),
        ("shrinks a million", {"MODE": "adam", "LR": 10, "EPS": "1e-12"}),
        ("zeros first", {"MODE": "momentum", "LR": "1e-8"}),
        ("tiny", {"MODE": "adam", "LR": "1e-3", "EPS": "1e-30"}),
        ("huge", {"MODE": "momentum", "LR": "1e-3"}),
        ("all zero", {"MODE": "adam", "LR": "1e-3"}),
    ],
)
def test_extreme_streams(tmp_path: Path, name: str, variables: dict[str, object]) -> None:
    g = _stream(24, 6)[0].astype(np.float64)
    if name == "grows a million":
        g[12:] *= 1e6
    elif name == "shrinks a million":
        g[12:] *= 1e-6
    elif name == "zeros first":
        g[:10] = 0
    else:
        g *= {"tiny": 1e-20, "huge": 1e12, "all zero": 0.0}[name]
    files = save_arrays(tmp_path, G=g) | {"OUT": tmp_path / "w.npy"}
    done = _sim(**variables, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    lr, start = float(str(variables["LR"])), np.zeros(6)
    eps = float(str(variables.get("EPS", 1e-8)))
    want = (adam(g, start, lr, 0.9, 0.999, eps) if variables["MODE"] == "adam" else momentum(g, start, lr, 0.9))[0]
    w = np.load(files["OUT"])
    assert np.linalg.norm(w - want, axis=1).max() <= 1e-3 * np.linalg.norm(want, axis=1).max()


@pytest.mark.parametrize(
    ("scale", "start", "variables", "words"),
    [
        (1e-8, 0.0, {"MODE": "adam", "LR": "1e-3"}, "have sqrt(v) near EPS"),
        (1e-20, 0.0, {"MODE": "adam", "LR": "1e-3"}, "are below the 2^-16 of the step"),
        (1e-3, 1.0, {"MODE": "sgd", "LR": "1e-9"}, "are below half a unit of w"),
        (1e-3, 1.0, {"MODE": "sgd", "LR": "1e-9"}, "weights 0, 1, 2, 3, 4, 5 have updates below 50 units of w"),
    ],
)
def test_what_the_core_cannot_follow_fails(
    tmp_path: Path, scale: float, start: float, variables: dict[str, object], words: str
) -> None:
    """Never silently wrong: where the numbers of the core do not suffice the run fails, and says why."""
    rng = np.random.default_rng(2)
    files = save_arrays(tmp_path, G=floats.normal(rng, (20, 6)) * scale, W0=np.full(6, start))
    files |= {"OUT": tmp_path / "w.npy", "REPORT": tmp_path / "r.json"}
    done = _sim(**variables, **files)
    assert done.returncode == 1, done.stdout + done.stderr
    report = json.loads(files["REPORT"].read_text(encoding="utf-8"))
    assert report["status"] == "fail"
    assert report["error"].startswith("result at cycle")
    assert f"drift of {variables['MODE']} from float64" in report["error"]
    assert words in report["error"]
    assert np.load(files["OUT"]).shape == (20, 6)


def test_recorded_gradients(tmp_path: Path) -> None:
    files = {"OUT": tmp_path / "w.npy", "REPORT": tmp_path / "r.json"}
    done = _sim(MODE="sgd", **files)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(ROOT / "data" / "optc" / "digits_gradients.npz") as data:
        g, w0 = data["g"].astype(np.float64), data["w0"].astype(np.float64)
    assert _drift(np.load(files["OUT"]), momentum(g, w0, 0.1, 0.0)[0], w0) <= 1e-4
    report = json.loads(files["REPORT"].read_text(encoding="utf-8"))
    assert report["test"] == "recorded_stream"
    assert report["streams"][0]["bars"] == {"p50": 1e-4, "p99": 2e-3, "drift": 0.01, "off_weights": 0.01}


@pytest.mark.parametrize(
    ("test", "config", "figures"),
    [
        ("recorded_stream", {"modes": ["adam"], "width": 0}, ["p99 of adam", "drift of adam"]),
        ("following", {"steps": 6, "decades": 0}, ["passes of adam, pre_v", "passes of adam, only rescaling"]),
    ],
)
def test_a_worse_rule_fails_at_the_result(test: str, config: dict[str, object], figures: list[str]) -> None:
    """One group for all parameters misses the bars through the RTL; a stream too short to follow says so."""
    result = run(get_block("optc"), "verilator", test, config={**config, "reduced": True}, label="worse")
    assert not result.passed
    divergences = result.result["divergences"]
    assert {each["boundary"] for each in divergences} == {"result"}
    missed = [each["what"] for each in divergences]
    assert all(any(what.startswith(figure) for what in missed) for figure in figures), missed


G, ADAM = {"G": "g"}, {"MODE": "adam", "LR": "1e-3"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({**G, "LR": 1}, "G needs MODE, one of adam, momentum, sgd"),
        ({**G, "MODE": "adam"}, "G needs LR"),
        ({**G, "MODE": "adamw", "LR": 1}, "choose one of adam, momentum, sgd"),
        ({**G, **ADAM, "LR": "fast"}, "LR=fast: 'fast' is not a valid number"),
        ({**G, **ADAM, "LR": 0}, "LR=0 is not legal"),
        ({**G, **ADAM, "LR": "nan"}, "LR=nan: choose a finite number"),
        ({**G, **ADAM, "BETA1": 1}, "BETA1=1 is not legal"),
        ({**G, **ADAM, "BETA2": "1.5"}, "BETA2=1.5 is not legal"),
        ({**G, **ADAM, "BETA1": 0}, "the first m / sqrt(v) is 31.6, and the core clips at 8"),
        ({**G, **ADAM, "EPS": 0}, "EPS=0 is not legal"),
        ({**G, **ADAM, "WEIGHT_DECAY": -1}, "WEIGHT_DECAY=-1 is not legal"),
        ({**G, "MODE": "momentum", "LR": 1, "BETA2": 0.9}, "BETA2 is nothing that MODE=momentum has"),
        ({**G, "MODE": "sgd", "LR": 1, "BETA1": 0.9}, "BETA1 is nothing that MODE=sgd has"),
        ({**G, **ADAM, "W0": "short"}, "W0 has 2 values, G has 3 parameters a step"),
        ({**G, **ADAM, "W0": "g"}, "W0 must be a vector"),
        ({**G, **ADAM, "W0": "inf"}, "W0 holds values that are not finite"),
        ({**ADAM, "G": "nan"}, "G holds values that are not finite"),
        ({**ADAM, "G": "flat"}, "G must be a matrix (steps x parameters) of floats; flat.npy holds 1 dimensions"),
        ({**ADAM, "G": "complex"}, "G must be a matrix (steps x parameters) of floats"),
        ({**ADAM, "G": "no_steps"}, "G is empty: no_steps.npy has the shape 0 x 3"),
        ({**ADAM, "G": "no_parameters"}, "G is empty: no_parameters.npy has the shape 3 x 0"),
        ({**ADAM, "G": "text"}, "not a .npy file"),
        ({**ADAM, "G": "archive"}, "archive"),
        ({**ADAM, "G": "long"}, f"one run takes at most {MAX_STEPS:,} steps and {MAX_VALUES:,} values"),
        ({**ADAM, "G": "missing"}, "cannot read"),
        ({"MODE": "adam", "LR": 1}, "LR belongs to gradients of your own: give G"),
        ({"W0": "g"}, "W0 belongs to gradients of your own"),
        ({"OUT": "out"}, "OUT needs MODE and G"),
        ({"TEST": "user_gradients"}, "TEST=user_gradients needs MODE and G"),
        ({"TEST": "smoke", "MODE": "adam"}, "TEST=smoke does not take MODE"),
        ({**G, **ADAM, "TEST": "smoke"}, "TEST=smoke does not take G"),
    ],
)
def test_bad_input_gets_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, object],
    words: str,
) -> None:
    good = np.ones((4, 3))
    arrays = {
        "g": good, "short": np.ones(2), "inf": np.array([1, np.inf, 0]), "nan": good * np.nan, "flat": np.ones(3),
        "complex": good * 1j, "no_steps": np.ones((0, 3)), "no_parameters": np.ones((3, 0)),
        "long": np.ones((MAX_STEPS + 1, 1), np.float16),
    }  # fmt: skip
    files = {name: tmp_path / f"{name}.npy" for name in (*arrays, "text", "missing", "archive")}
    for name, array in arrays.items():
        np.save(files[name], array)
    files["text"].write_text("0.1 0.2\n", encoding="utf-8")
    with files["archive"].open("wb") as file:
        np.savez(file, g=good)
    named = {name: files[str(value)] if name in ("G", "W0") else value for name, value in variables.items()}
    named |= {"OUT": tmp_path / "w.npy"} if "OUT" in variables else {}
    # As the Makefile calls it, but in this process.
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    for name in ("MAKEFLAGS", "TS_GOALS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"BLOCK": "optc", **named}.items():
        monkeypatch.setenv(name, str(value))
    status, error = cli.main(["sim"]), capsys.readouterr().err
    assert status == 2, error
    assert words in error
    assert len(error.strip().splitlines()) == 1
