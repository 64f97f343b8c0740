"""`make prove`: what holds, what does not, what proves nothing, and every block's proofs with faults in the RTL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flow.commands.faults import load_fault, plant
from flow.commands.prove import prove
from flow.core.blocks import all_blocks
from tb.lib.contract import Block, Proof
from tb.lib.errors import UserError
from tb.lib.paths import ROOT

TOY = """\
module toy (input logic clk_i);
  (* anyseq *) logic up;
  logic [3:0] count;
  initial count = 0;
  always @(posedge clk_i) if (up && count < LIMIT) count <= count + 1;
  always @(posedge clk_i) begin
    bounded: assert (count <= 9);
    reached: cover (count == 5);
  end
  BODY
endmodule
"""


def _toy(tmp_path: Path, toy: Block, text: str) -> tuple[Block, Proof]:
    path = tmp_path / "toy_proof.sv"
    path.write_text(text, encoding="utf-8")
    return toy, Proof("toy", "toy", (str(path),), depth=2, cover_depth=8)


def test_what_holds(tmp_path: Path, toy: Block) -> None:
    result = prove(*_toy(tmp_path, toy, TOY.replace("LIMIT", "9").replace("BODY", "")))
    assert result.error == ""
    assert (result.asserts, result.covers) == (1, 1)


def test_what_does_not_hold(tmp_path: Path, toy: Block) -> None:
    body = "always @(posedge clk_i) begin low: assert (count < 2); lower: assert (count < 3); end"
    text = TOY.replace("LIMIT", "15").replace("BODY", body)
    result = prove(*_toy(tmp_path, toy, text))
    assert not result.passed
    assert "low" in result.failed
    assert result.trace.endswith(".vcd")


def test_what_cannot_happen(tmp_path: Path, toy: Block) -> None:
    result = prove(*_toy(tmp_path, toy, TOY.replace("LIMIT", "3").replace("BODY", "")))
    assert result.error == "cannot happen: reached"


def test_what_asserts_nothing(tmp_path: Path, toy: Block) -> None:
    text = TOY.replace("LIMIT", "9").replace("BODY", "").replace("bounded: assert (count <= 9);", ";")
    assert "a proof needs both" in prove(*_toy(tmp_path, toy, text)).error


def test_what_does_not_build(tmp_path: Path, toy: Block) -> None:
    result = prove(*_toy(tmp_path, toy, TOY.replace("BODY", "nonsense here;")))
    assert "ERROR" in result.error
    assert "sby.log" in result.error


def test_what_takes_too_long(tmp_path: Path, toy: Block) -> None:
    block, proof = _toy(tmp_path, toy, TOY.replace("LIMIT", "9").replace("BODY", ""))
    assert prove(block, proof, timeout=0.2).error == "no end after 0 s: killed"


def test_a_file_that_is_missing(toy: Block) -> None:
    with pytest.raises(UserError, match="there is no"):
        prove(toy, Proof("toy", "toy", ("tb/none.sv",)))


LONG = {"ran_counters", "ran_round", "ran_saturate", "top_number", "ioss_counters"}  # more than ten seconds


@pytest.mark.parametrize(
    ("block", "proof"),
    [
        pytest.param(block, proof, id=f"{block.name}-{proof.name}", marks=[pytest.mark.late] * (proof.name in LONG))
        for block in all_blocks()
        for proof in block.proofs
    ],
)
def test_every_proof_holds(block: Block, proof: Proof) -> None:
    result = prove(block, proof)
    assert result.passed, result.error


@pytest.mark.parametrize(
    ("fault", "properties"),
    [
        ("dwell_off_by_one", {"no_change_within_dwell"}),
        ("overflow_is_calm", {"up_slowly", "calm_counts"}),
        ("drop_by_one_only", {"down_at_once"}),
        ("limit_of_change_ignored", {"within_limits"}),
        ("pin_ignored", {"pinned"}),
        ("fl_stays_with_n", {"full_scale_kept"}),
    ],
)
def test_faults_break_the_proof(fault: str, properties: set[str], tmp_path: Path) -> None:
    block = next(block for block in all_blocks() if block.name == "laps")
    folder = tmp_path / fault
    plant(load_fault(ROOT / "tb" / "laps" / "faults" / f"{fault}.patch"), folder)
    result = prove(block, block.proofs[0], src_root=folder)
    assert properties & set(result.failed), result.error
    shutil.rmtree(folder)
