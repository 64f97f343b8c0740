"""`make train` on the RTL, as small as it gets: epochs of one iteration, an interruption, the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.top.config import TopParams
from models.top.energy import Energies
from tb.flow import train as flow
from tb.flow.blocks import get_block
from tb.flow.train import Job, TrainError, train
from tb.flow.train_report import content, pictures, write_page
from tb.top.training import PHASES, Plan


def test_a_training_goes_on_to_the_same_bits_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(Plan(), 2, get_block("top").resolve_params(None))
    monkeypatch.setattr(flow, "BUILD", tmp_path / "whole")
    whole = train(job, 1)
    monkeypatch.setattr(flow, "BUILD", tmp_path / "parts")
    first = train(replace(job, epochs=1), 1)
    began = {path: path.stat().st_mtime_ns for path in job.folder.iterdir()}
    both = train(job, 1)
    assert all(path.stat().st_mtime_ns == at for path, at in began.items() if path.suffix in {".json", ".ckpt"})
    assert len(first) == 1
    assert [each["stop"] for each in both] == [1, 2]
    same = ("steps", "counters", "accuracy", "phases", "energy_counts", "cycles", "checks", "totals")
    assert [[each[name] for name in same] for each in both] == [[each[name] for name in same] for each in whole]

    reference = ([2.0, 1.9], [0.2, 0.3])
    report = content(both, 1, reference, TopParams(), Energies.load())
    assert report["mismatches"] == 0
    assert report["checks"]["slice"] > 100_000
    assert [each["epoch"] for each in report["epochs"]] == [1, 2]
    assert set(report["cycles_by_phase"]) == set(PHASES)
    assert sum(report["cycles_by_phase"].values()) <= report["cycles_with_host"]
    assert min(report["cycles_by_phase"][name] for name in ("fp", "bp", "wg", "optimiser", "plan")) > 0
    assert 4 <= report["average_bits"] <= 16
    assert report["speedup"] == pytest.approx(report["cycles_dense16"] / report["cycles"])
    images = pictures(report, both, tmp_path / "report")
    page = write_page(report, "a training", images, tmp_path / "report" / "train.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(images) == 5
    assert "0 mismatches" in page


def test_a_segment_that_diverges_ends_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "BUILD", tmp_path)
    genuine = flow.run

    def spoilt(block, sim, test, seed, params, config, label, tick):
        return genuine(block, sim, test, seed, params, {**config, "spoil": 0}, label="spoilt", tick=tick)

    monkeypatch.setattr(flow, "run", spoilt)
    with pytest.raises(TrainError, match=r"(?s)FAIL top training.*store.*replay: make sim BLOCK=top.*CAPTURE="):
        train(Job(Plan(), 1, get_block("top").resolve_params(None)), 1)
    assert not list(tmp_path.rglob("1.json"))
