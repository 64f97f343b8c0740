"""A part with another pipeline in the pair, by value: right as it is, and named where it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.core.blocks import get_block
from flow.core.ownrtl import OwnRtl
from flow.core.simulate import RunResult, run
from tb.lib.paths import ROOT

PIPELINE = ROOT / "tb" / "ran" / "example_rtl" / "pipeline.f"


def _run(files: Path | None, check: str, test: str = "smoke") -> RunResult:
    rtl = OwnRtl.read(files) if files else None
    return run(get_block("gemm"), "icarus", test, rtl=rtl, check=check, variables={})


def _changed(folder: Path, source: str, *change: str) -> Path:
    """A list of one file: a source of the clone with one change."""
    text = (ROOT / source).read_text(encoding="utf-8")
    assert text.count(change[0]) == 1
    name = Path(source).name
    (folder / name).write_text(text.replace(*change), encoding="utf-8")
    (folder / "mine.f").write_text(f"{name}\n", encoding="utf-8")
    return folder / "mine.f"


def test_another_pipeline_passes_by_value() -> None:
    result = _run(PIPELINE, "value")
    assert result.passed, result.summary()
    assert result.result is not None
    checks, minimum = result.result["checks"], result.result["minimum"]
    assert result.result["check"] == "value"
    # Two tiles of 20 jobs each, twice: answers, and the lanes of every result; products come on top.
    assert checks["value"] >= minimum["value"] > 4 * 20 * 16
    assert checks["cycle"] == 0
    timing = {line["what"]: line["yours"] - line["model"] for line in result.result["report"]["timing"]}
    assert timing["first product taken (model: no back-pressure)"] == 0
    assert timing["first beat of results offered"] == 1
    assert result.summary().splitlines()[0].endswith("CHECK=value: CYCLES WERE NOT JUDGED")


@pytest.mark.late
def test_it_does_not_pass_by_cycle() -> None:
    result = _run(PIPELINE, "cycle")
    assert not result.passed
    assert result.result is not None
    assert result.result["first_divergence"]["boundary"] == "output"


@pytest.mark.parametrize(
    ("source", "right", "broken", "boundary"),
    [
        ("rtl/gemm/gemm_core.sv", ".desc_relu_i(held_cfg.relu),", ".desc_relu_i(1'b0),", "statistic"),
        pytest.param("rtl/gemm/gemm_desc.sv", "<= code;", "<= code ^ 5'd16;", "joint", marks=pytest.mark.late),
        pytest.param(
            "rtl/ioss/ioss_row.sv", "? -half : half;", "? -half : half + 2;", "product", marks=pytest.mark.late
        ),
    ],
)
def test_a_broken_part_is_named(tmp_path: Path, source: str, right: str, broken: str, boundary: str) -> None:
    result = _run(_changed(tmp_path, source, right, broken), "value")
    assert not result.passed
    assert result.result is not None
    assert result.result["first_divergence"]["boundary"] == boundary


@pytest.mark.late
@pytest.mark.parametrize("test", ["refused_jobs", "reset_mid_jobs", "constrained_random"])
def test_refused_jobs_resets_and_random_numbers_are_judged_by_value(test: str) -> None:
    entry = next(entry for entry in get_block("gemm").tests if entry.test == test)
    result = run(get_block("gemm"), "icarus", test, config=entry.icarus_config, check="value", variables={})
    assert result.passed, result.summary()
    assert result.result is not None
    assert result.result["checks"]["value"] >= result.result["minimum"]["value"] > 1000
