"""Mutants that change nothing: those are proved, no other is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from flow.commands import equivalence
from flow.commands.mutants import make_schema
from tb.lib.contract import Block
from tb.lib.errors import UserError

# A memory, an instance twice, a sum whose top bit is cut, a reset that matters, a condition that cannot be.
DEVICE = """\
module flow_half (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic [3:0] a_i,
  output logic [3:0] a_o
);
  logic [3:0] mem[4];
  always_ff @(posedge clk_i) mem[a_i[1:0]] <= a_i;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) a_o <= '0;
    else a_o <= mem[a_i[3:2]];
  end
endmodule

module flow_toy #(parameter int Width = 8) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             en_i,
  input  logic             down_i,
  output logic [Width-1:0] count_o
);
  logic [3:0] one, two;
  logic [2:0] low;
  assign low = 3'(count_o[3:0] - 4'd8);
  flow_half u_one (.clk_i, .rst_ni, .a_i({en_i, low}), .a_o(one));
  flow_half u_two (.clk_i, .rst_ni, .a_i(one), .a_o(two));
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_o <= '0;
    else if (two == 4'd3 && !(down_i && two[3])) count_o <= count_o + Width'(one);
  end
endmodule
"""


@pytest.fixture
def device(toy: Block, tmp_path: Path) -> Block:
    """The toy with `DEVICE` inside."""
    (tmp_path / "rtl" / "flow_toy.sv").write_text(DEVICE, encoding="utf-8")
    return toy


def test_what_changes_nothing_is_proved_and_nothing_else(device: Block, tmp_path: Path) -> None:
    schema = make_schema(device)
    proofs = equivalence.equivalent(schema, schema.mutants, tmp_path / "proofs")
    found = {(each.operator, each.what): proofs[each.key] for each in schema.mutants if each.key in proofs}
    assert sorted(found) == [
        ("enable", "without !(down_i && two[3])"),  # 3 has no fourth bit
        ("enable", "without down_i"),
        ("index", "off by one"),
        ("narrow", "top bit of the sum cut"),
        ("operator", "- to +"),  # 8 is its own negative
    ]
    assert len(proofs) == len(found)
    assert len(schema.mutants) > 30
    assert set(found.values()) == {"no difference in flow_toy, by induction from equal states"}


def test_what_takes_too_long_stays_open(device: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, asked = make_schema(device), []

    def slow(folder: Path, name: str, lines: list[str], timeout: float) -> tuple[str, bool]:
        begun = [line.split()[2] for line in lines if line.startswith("log @@ ")]
        asked.append(len(begun))
        return f"@@ {begun[0]}\nare proven and 0 are unproven\n@@ {begun[min(1, len(begun) - 1)]}\n", True

    monkeypatch.setattr(equivalence, "netlist_of", lambda *_: {"flow_toy": ["flow_toy"], "flow_half": []})
    monkeypatch.setattr(equivalence, "_run", slow)
    some = [each for each in schema.mutants if each.module == "flow_toy"][:5]
    proofs = equivalence.equivalent(schema, some, tmp_path)
    assert asked == [5, 3, 1]
    assert set(proofs) == {some[0].key, some[2].key, some[4].key}


def test_nothing_to_compare_runs_nothing(device: Block, tmp_path: Path) -> None:
    assert equivalence.equivalent(make_schema(device), [], tmp_path / "proofs") == {}
    assert not (tmp_path / "proofs").exists()


def test_sources_that_yosys_does_not_take_are_one_error(device: Block, tmp_path: Path) -> None:
    schema = make_schema(device)
    broken = dataclasses.replace(schema, texts={name: f"{text}\nnonsense" for name, text in schema.texts.items()})
    with pytest.raises(UserError, match=r"yosys does not compare mutants: .*\(log: "):
        equivalence.equivalent(broken, schema.mutants[:1], tmp_path / "proofs")
