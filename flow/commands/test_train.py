"""`make train` on the RTL, as small as it gets: epochs of one iteration, an interruption, the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flow.commands import train as flow
from flow.commands.train import Job, TrainError, train
from flow.commands.train_report import PRODUCTS, content, pictures, summary_lines, write_page
from flow.core.blocks import get_block
from host.energy import Energies
from models.top.config import TopParams
from tb.lib.errors import UserError
from tb.top.training import PHASES, Plan


@pytest.mark.late
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
    products = sum(report["cycles_by_phase"][name] for name in PRODUCTS)
    dense = report["cycles_dense16"] + report["cycles_with_host"] - products
    assert report["speedup_whole"] == pytest.approx(dense / report["cycles_with_host"])
    assert 1 < report["speedup_whole"] < report["speedup"]
    for name in ("cycles", "cycles_with_host"):
        assert report[name] == sum(each[name] for each in report["epochs"])
        assert report["epoch1"][name] == report["epochs"][0][name]
    for kind in ("read", "written"):
        by_epoch = [each["words"][kind] for each in report["epochs"]]
        assert report["words"][kind] == {name: sum(each[name] for each in by_epoch) for name in report["words"][kind]}
        assert report["epoch1"]["words"][kind] == by_epoch[0]
        assert min(report["words"][kind][name] for name in ("x", "w", "y", "sw", "sm")) > 0
    for name in ("ours", "fp16", "int16"):
        assert report["energy"][name] == pytest.approx(sum(each["energy"][name] for each in report["epochs"]))
    assert report["epoch1"]["energy"] == report["epochs"][0]["energy"]
    assert report["epoch1"]["utilisation"] == report["epochs"][0]["split"]["utilisation"]
    # Momentum leaves Sv alone; what is read to judge accuracy and to suspend belongs to no iteration.
    assert report["words"]["read"]["sv"] < report["words"]["read"]["sm"]
    assert both[0]["energy_counts"]["issues"] == both[0]["counters"]["issues"]

    images = pictures(report, both)
    page = write_page(report, "a training", images, tmp_path / "report" / "train.html").read_text(encoding="utf-8")
    assert page.count("<svg ") == len(images) == 6
    assert all(f'id="{name}"' in page for name in ("learning", "time", "precision", "energy", "words", "epochs"))
    assert "0 mismatches" in page
    assert "skip_" not in page
    assert "prefers-color-scheme: dark" in page
    one = content(both[:1], 1, reference, TopParams(), Energies.load())
    assert all(
        ">float32<" in pictures(data, records)["learning"] for data, records in ((one, both[:1]), (report, both))
    )
    lines = summary_lines(report)
    assert max(map(len, lines)) <= 80 + 12
    assert any("whole iterations" in line for line in lines)


def test_a_segment_that_diverges_ends_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "BUILD", tmp_path)
    genuine = flow.run

    def spoilt(block, sim, test, seed, params, config, label, tick):
        return genuine(block, sim, test, seed, params, {**config, "spoil": 0}, label="spoilt", tick=tick)

    monkeypatch.setattr(flow, "run", spoilt)
    with pytest.raises(TrainError, match=r"(?s)FAIL top training.*store.*replay: make sim BLOCK=top.*CAPTURE="):
        train(Job(Plan(), 1, get_block("top").resolve_params(None)), 1)
    assert not list(tmp_path.rglob("1.json"))


def test_a_training_of_hours_says_so_and_what_to_type_instead(
    as_make: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line before the first simulation; none for an epoch of the digits, a sample, or the end of a long one."""
    monkeypatch.setattr(flow, "BUILD", tmp_path)

    def stop(job: Job, *_: object) -> None:
        raise UserError(str(job.folder))

    monkeypatch.setattr(flow, "train", stop)
    long = {"NET": "cnn", "EPOCHS": 25}
    status, out, error = as_make("train", **long)
    assert (status, out.count("\n")) == (2, 1)
    assert out.startswith("note: 550 iterations on the RTL take some ")
    assert "SAMPLE=60min" in out
    assert "IMAGES=640/160" in out
    assert (
        as_make("train")[1] == as_make("train", NET="cnn")[1] == as_make("train", NET="cnn", IMAGES="640/60")[1] == ""
    )
    monkeypatch.setattr("flow.commands.train._train_sampled", lambda *_: 0)
    assert as_make("train", **long, SAMPLE="1/50")[1] == ""
    folder = Path(error.removeprefix("error: ").strip())
    folder.mkdir(parents=True)
    for iteration in range(1, 520):
        (folder / f"{iteration}.json").touch()
    assert as_make("train", **long)[1] == ""
