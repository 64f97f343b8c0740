"""Proofs of addresses and of LAPS' update port must fail with a fault in the RTL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flow.commands.prove import prove
from flow.core.blocks import get_block
from tb.lib.paths import ROOT

WRAPS = ("(sum >= SumW'(top_pkg::Beyond)) ? top_pkg::WordW'(top_pkg::Beyond) : ", "")
REPLACED = ("gemm_valid_i && !held_q;", "gemm_valid_i;")


@pytest.mark.parametrize(
    ("module", "fault", "broken"),
    [("top_word", WRAPS, "beyond"), ("top_update", REPLACED, "payload_stays")],
)
def test_a_fault_breaks_the_proof(tmp_path: Path, module: str, fault: tuple[str, str], broken: str) -> None:
    block = get_block("top")
    proof = next(each for each in block.proofs if each.name == module)
    folder = tmp_path / f"{module}_fault"
    shutil.copytree(ROOT / "rtl", folder / "rtl")
    path = folder / "rtl" / "top" / f"{module}.sv"
    text = path.read_text(encoding="utf-8")
    assert text.count(fault[0]) == 1
    path.write_text(text.replace(*fault), encoding="utf-8")
    assert broken in prove(block, proof, src_root=folder).failed
