"""Proofs of addresses, of LAPS' update port and of counters must fail with a fault in the RTL."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flow.commands.prove import prove
from flow.core.blocks import get_block
from tb.lib.paths import ROOT

WRAPS = ("(sum >= SumW'(top_pkg::Beyond)) ? top_pkg::WordW'(top_pkg::Beyond) : ", "")
REPLACED = ("gemm_valid_i && !held_q;", "gemm_valid_i;")
NARROW_BEATS = ("top_pkg::BeatsW'(n_i[1:0] != '0)", "{1'b0, n_i[1:0] != '0 && n_i[23:2] != '1}")
NARROW_TILES = ("13'((17'(columns_i) + 17'd15) >> 4)", "13'((16'(columns_i) + 16'd15) >> 4)")
NARROW_LEFT = ("left_o - CountW'(Lanes);", "CountW'(23'(left_o - CountW'(Lanes)));")
NARROW = ("all_q[c] + CtrW'(event_i[6*c +: 6]);", "{1'b0, all_q[c][CtrW-2:0] + 31'(event_i[6*c +: 6])};")
NARROW_SKIPS = ("skip_q[c] + CtrW'(acc_q[c]);", "CtrW'(31'(skip_q[c] + CtrW'(acc_q[c])));")
NARROW_COUNTS = (
    "= counted[CountW*c +: CountW] + CountW'(add[6*l + c] && lanes[l]);",
    "= {1'b0, counted[CountW*c +: CountW-1] + (CountW-1)'(add[6*l + c] && lanes[l])};",
)

WRITE_FREE = ("write_complete && (!axil_bvalid_o || axil_bready_i);", "write_complete;")
ANSWER_LOST = ("if (answered && !req_write_o) begin", "if (answered && !req_write_o && rsp_code_i != 2'd3) begin")
TIES_UP = ("<< (shift - 6'd1)) - (AccW+1)'(!odd);", "<< (shift - 6'd1));")
AT_LIMIT = ("if (value > high) begin", "if (value >= high) begin")

SOURCE = {"top_axil": "top/top_axil"}  # where it is not of block and proof


@pytest.mark.parametrize(
    ("name", "module", "fault", "broken"),
    [
        ("top", "top_word", WRAPS, "beyond"),
        ("top", "top_update", REPLACED, "payload_stays"),
        ("optc", "optc_left", NARROW_LEFT, "together"),
        ("optc", "optc_counts", NARROW_COUNTS, "counts_all"),
        ("top", "top_beats", NARROW_BEATS, "enough"),
        ("top", "top_tiles", NARROW_TILES, "columns_fit"),
        ("ran", "ran_counters", NARROW, "counts"),
        ("regs", "top_axil", WRITE_FREE, "room"),
        ("regs", "top_axil", ANSWER_LOST, "reads"),
        ("ran", "ran_round", TIES_UP, "rounded"),
        pytest.param("ran", "ran_saturate", AT_LIMIT, "overflows", marks=pytest.mark.late),
        pytest.param("ioss", "ioss_counters", NARROW_SKIPS, "skips_high", marks=pytest.mark.late),
    ],
)
def test_a_fault_breaks_the_proof(tmp_path: Path, name: str, module: str, fault: tuple[str, str], broken: str) -> None:
    block = get_block(name)
    proof = next(each for each in block.proofs if each.name == module)
    folder = tmp_path / f"{module}_fault"
    shutil.copytree(ROOT / "rtl", folder / "rtl")
    path = folder / "rtl" / f"{SOURCE.get(module, f'{name}/{module}')}.sv"
    text = path.read_text(encoding="utf-8")
    assert text.count(fault[0]) == 1
    path.write_text(text.replace(*fault), encoding="utf-8")
    assert broken in prove(block, proof, src_root=folder).failed
