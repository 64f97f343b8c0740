"""Captures of a training: the value model's products as the pair takes them, and those of a run that failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flow.commands import train as flow
from flow.commands.train import Job, check_job
from flow.core.blocks import get_block
from flow.core.simulate import run
from flow.core.targets import run_target
from host.fixed import Step
from host.mapper import ModelBackend
from host.trainer import drive
from models.common.files import FileError
from models.common.formats import YBits
from models.common.generator import NUMBERS, PRODUCT_DRAWS
from models.common.rounding import Round
from models.top.config import TopParams
from models.top.value import Processor
from tb.gemm.capture import Capture
from tb.gemm.program import gemm_params
from tb.lib.errors import UserError
from tb.lib.runinfo import OUT_NAME
from tb.top.report import capture_lines
from tb.top.training import Plan, Span, batch_of, save_captures, span_at


def _step(plan: Plan, params: TopParams) -> Step:
    """The first iteration on the value model."""
    trainer, backend, data = plan.trainer(params, 1437), ModelBackend(Processor(params)), plan.load()
    drive(trainer.start(), backend)
    chosen = batch_of(plan, 0, len(data.train_labels))
    return drive(trainer.iteration(data.train_pixels[chosen], data.train_labels[chosen]), backend)


@pytest.mark.parametrize("net", ["mlp", "cnn"])
def test_an_iteration_is_captured_whole(tmp_path: Path, net: str) -> None:
    block, pair = get_block("top"), get_block("gemm").resolve_params(None)
    step, plan = _step(Plan(net), TopParams()), Plan(net)
    span = Span(0, 100, 900, step.products)
    saved = save_captures(tmp_path, plan, span, 5, block.resolve_params({"BANKS": 1}), "verilator")
    assert [each["name"] for each in saved] == [gemm.name for gemm in step.gemms]
    logits = max(gemm.name for gemm in step.gemms if gemm.name.startswith("fp"))
    seeds: dict[bool, list[int]] = {False: [], True: []}
    for each, gemm, order in zip(saved, step.gemms, step.min_orders, strict=True):
        assert each["replay"] == f"make sim BLOCK=gemm BANKS=1 CAPTURE={each['file']}"
        capture = Capture.load(Path(each["file"]))
        capture.check(gemm_params(pair))
        product = capture.product
        assert (capture.origin["iteration"], capture.origin["gemm"]) == (1, gemm.name)
        seeds[product.final.round == Round.STOCHASTIC].append(capture.seed)
        assert np.array_equal(product.x, gemm.x)
        assert np.array_equal(product.w, gemm.w)
        assert (4 * product.n_x, 4 * product.n_w, product.min_order) == (gemm.x_bits, gemm.w_bits, order)
        assert (product.x_unsigned, product.w_unsigned) == (gemm.x_unsigned, gemm.w_unsigned)
        assert (product.mask is None) == (gemm.mask is None)
        assert product.mask is None or np.array_equal(product.mask, gemm.mask)
        assert (product.bias is not None) == gemm.name.startswith("fp")
        assert (product.final.y_bits == YBits.RAW32) == (gemm.name.startswith("wg") or gemm.name == logits)
    # Those that draw have numbers of their own, in the order in which they were computed.
    assert len(seeds[True]) == len(step.gemms) // 3
    assert sorted(seeds[True]) == sorted((5 + PRODUCT_DRAWS * at) % NUMBERS for at in range(len(seeds[True])))
    assert set(seeds[False]) == {5}


def test_the_iteration_of_a_cycle() -> None:
    spans = [Span(4, 100, 200, ()), Span(5, 200, 300, ())]
    assert [span_at(spans, cycle) for cycle in (99, 100, 199, 200, 300)] == [None, spans[0], spans[0], spans[1], None]
    assert capture_lines({"report": {"captures": []}}) == [
        "no captures: the first divergence lies outside the iterations"
    ]
    assert capture_lines({"report": {}}) == capture_lines(None) == []


@pytest.mark.late
def test_a_failed_training_captures_and_a_capture_replays(tmp_path: Path) -> None:
    """A word of the second iteration is falsified at the output of the device: the run fails, and its captures pass."""
    result = run(get_block("top"), "verilator", "training", config={"spoil": 1}, label="captures")
    assert not result.passed
    assert result.error.startswith("store at cycle")
    assert result.result is not None
    folder = result.run_dir / "captures"
    captures = {path.stem: Capture.load(path) for path in folder.glob("*.npz")}
    assert {"fp1", "fp2", "bp2", "wg1"} <= set(captures)
    assert {each.origin["iteration"] for each in captures.values()} == {2}
    lines = capture_lines(result.result)
    assert len(lines) == len(captures)
    assert any(line.endswith("captures/wg1.npz") for line in lines)
    config = {"capture": str(folder / "wg1.npz"), "out": True, "reduced": True}
    replay = run(get_block("gemm"), "verilator", "captured", config=config)
    assert replay.passed, replay.summary()
    product = captures["wg1"].product
    assert np.array_equal(np.load(replay.run_dir / OUT_NAME), product.sums(16))


def test_a_host_that_stumbles_leaves_a_verdict_and_captures() -> None:
    """The host gets no words of a batch of the first iteration: it stops in the middle of it."""
    result = run(get_block("top"), "verilator", "training", config={"lose": 4}, label="captures")
    assert not result.passed
    assert result.error.startswith("host at cycle")
    assert "the answer has no stored words" in result.error
    names = {path.stem for path in (result.run_dir / "captures").glob("*.npz")}
    assert {"fp1", "fp2"} <= names
    assert "wg1" not in names
    assert {Capture.load(path).origin["iteration"] for path in (result.run_dir / "captures").glob("*.npz")} == {1}


def test_an_iteration_that_the_training_does_not_have() -> None:
    job = Job(Plan(), 2, {}, Path("captures"), 52)
    check_job(job, 27)
    with pytest.raises(UserError, match=r"CAPTURE_AT=53: this training has iterations 1..52"):
        check_job(job, 26)


def test_train_simulates_the_segment_of_a_capture_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments are faked: what matters is which are simulated, and what they are told to capture."""
    told: list[dict[str, Any]] = []
    steps = [{"loss": 1.0, "macs": 1, "bit_macs": 8, "dense16": 9}]
    segment = {"steps": steps, "counters": {"cycles": 10, "issues": 5}}
    report = {"segment": segment, "checks": {}, "mismatches": 0}

    def simulated(*args: Any, **_: Any) -> SimpleNamespace:
        told.append(args[5])
        Path(args[5]["checkpoint_out"]).write_text("", encoding="utf-8")
        if "capture" in args[5]:
            Path(args[5]["capture"]).mkdir()
            Path(args[5]["capture"], "fp1.npz").write_bytes(b"what was captured")
        result = {"cycles": 10, "seconds": {"simulate": 1.0}, "report": report, "peak_mib": 1}
        return SimpleNamespace(passed=True, result=result, run_dir=tmp_path / "run")

    monkeypatch.setattr(flow, "run", simulated)
    monkeypatch.setattr(flow, "BUILD", tmp_path)
    monkeypatch.setattr(flow, "load_checkpoint", lambda path: path.stat())
    job = Job(Plan(), 3, get_block("top").resolve_params(None))
    flow.train(job, 22)
    assert [(each["first"], "capture" in each) for each in told] == [(0, False), (22, False), (44, False)]
    told.clear()
    flow.train(replace(job, capture=tmp_path / "c", capture_at=30), 22)
    assert [(each["first"], each["capture_at"]) for each in told] == [(22, 30)]
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["fp1.npz"]
    assert (tmp_path / "c" / "fp1.npz").read_bytes() == b"what was captured"
    assert not Path(told[0]["capture"]).exists()
    told.clear()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "fp1.npz").symlink_to("/dev/full")
    with pytest.raises(FileError, match=r"full/fp1.npz: cannot be written \(No space left on device\)"):
        flow.train(replace(job, capture=tmp_path / "full", capture_at=30), 22)
    told.clear()
    flow.train(job, 22)
    assert told == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CAPTURE_AT": "2"}, "give CAPTURE, the folder, too"),
        ({"CAPTURE": "/none/there"}, "CAPTURE=/none/there: cannot be made or written (No such file or directory)"),
        ({"CAPTURE": "captures", "CAPTURE_AT": "23"}, "CAPTURE_AT=23: this training has iterations 1..22"),
    ],
)
def test_bad_calls_of_train_get_one_line(variables: dict[str, str], words: str) -> None:
    done = run_target("train", **variables)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert words in done.stderr
