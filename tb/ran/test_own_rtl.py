"""A core of somebody else's under the RAN's environment: an independently written part, right and broken."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from flow.core.blocks import all_blocks, get_block
from flow.core.ownrtl import OwnRtl
from flow.core.simulate import RunResult, run
from tb.lib.errors import UserError

EXAMPLE = Path(__file__).parent / "example_rtl"


def _broken(folder: Path, source: str, *change: str) -> Path:
    """A copy of the example in `folder` with one change in one source."""
    shutil.copytree(EXAMPLE, folder)
    path = folder / source
    text = path.read_text(encoding="utf-8")
    assert text.count(change[0]) == 1
    path.write_text(text.replace(*change), encoding="utf-8")
    return folder


def _smoke(files: Path, check: str = "cycle") -> RunResult:
    return run(get_block("ran"), "icarus", "smoke", rtl=OwnRtl.read(files), check=check, variables={})


def test_an_independent_quant_register_passes_every_check() -> None:
    result = _smoke(EXAMPLE / "quant.f")
    assert result.passed, result.summary()
    assert result.result is not None
    assert result.result["checks"]["cycle"] > 1000
    assert result.replay.endswith("RTL=tb/ran/example_rtl/quant.f")


def test_a_broken_one_fails_where_it_is_broken(tmp_path: Path) -> None:
    folder = _broken(tmp_path / "mine", "lane_quant.sv", "z_o = quotient + AccW'(up);", "z_o = quotient;")
    result = _smoke(folder / "quant.f")
    assert not result.passed
    assert result.result is not None
    first = result.result["first_divergence"]
    assert first["boundary"] == "quant"
    assert first["what"].startswith("lane ")
    assert int(first["observed"]) == int(first["expected"]) - 1
    assert f" RTL={folder / 'quant.f'}" in result.replay


def test_another_pipeline_passes_by_value_and_not_by_cycle() -> None:
    judged = _smoke(EXAMPLE / "pipeline.f")
    assert not judged.passed
    assert judged.result is not None
    assert judged.result["check"] == "cycle"
    first = judged.result["first_divergence"]
    assert first["boundary"] == "output"
    offered = [int(re.findall(r"valid_cycle=(\d+)", str(first[side]))[0]) for side in ("observed", "expected")]
    assert offered[0] - offered[1] == 1
    result = _smoke(EXAMPLE / "pipeline.f", "value")
    assert result.passed, result.summary()
    assert result.result is not None
    assert result.result["check"] == "value"
    assert result.result["checks"]["value"] >= result.result["minimum"]["value"] == (6 * 12 + 4) * 16 + 9
    assert result.result["checks"]["cycle"] == 0
    timing = {line["what"]: line["yours"] - line["model"] for line in result.result["report"]["timing"]}
    assert timing["first beat of results offered"] == 1
    assert timing["beats of results"] > 0  # of jobs that share none
    assert result.summary().startswith("PASS ran smoke icarus seed 1")
    assert result.summary().splitlines()[0].endswith("CHECK=value: CYCLES WERE NOT JUDGED")
    assert result.replay.endswith("RTL=tb/ran/example_rtl/pipeline.f CHECK=value")


def test_a_wrong_value_fails_by_value_too(tmp_path: Path) -> None:
    folder = _broken(tmp_path / "mine", "ran_pack.sv", "words <= words >> 128;", "words <= words >> 64;")
    result = _smoke(folder / "pipeline.f", "value")
    assert not result.passed
    assert result.result is not None
    assert result.result["first_divergence"]["boundary"] == "output"
    assert result.result["first_divergence"]["what"].startswith("job ")
    assert " CHECK=value" in result.replay


def test_blocks_that_cannot_be_checked_by_value_say_why() -> None:
    able = [block for block in all_blocks() if block.value_check]
    assert {"ioss", "ran"} <= {block.name for block in able}
    for block in all_blocks():
        if block not in able:
            with pytest.raises(UserError, match=f"CHECK=value is not there for {block.name}: .*CHECK=cycle"):
                run(block, "icarus", block.default_test, check="value")
