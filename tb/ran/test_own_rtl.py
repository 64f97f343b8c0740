"""A core of somebody else's under the RAN's environment: an independently written part, right and broken."""

from __future__ import annotations

import shutil
from pathlib import Path

from tb.flow.blocks import get_block
from tb.flow.ownrtl import OwnRtl
from tb.flow.simulate import RunResult, run

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
