"""Widths and their limits: what is declared is found, every kind of gap in a table is told, the tables are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.commands.limits import Table, check, declared, findings, load, page, tables, uncovered_files, width_of
from flow.core.blocks import all_blocks
from tb.lib.contract import Block
from tb.lib.errors import UserError

RTL = """\
module toy (
  input  logic [7:0] in_i,
  output logic [3:0] held_o,   // logic [99:0] in a comment
  output logic [3:0] same_o
);
  localparam logic [15:0] Most = 16'd7;
  logic [SlotW:0] count_q, next [4];
  logic signed [2*W-1:0][3:0] sum /* [1:0] */;
  logic valid;
  assign same_o = in_i[3:0];
  always_ff @(posedge clk_i) held_o <= in_i[3:0];
endmodule
"""
TABLE = """\
{
  files: ["rtl/toy/*.sv"]
  limits: [
    {signal: ["count_q", "next"], file: "rtl/toy/toy.sv", width: "SlotW+1", bound: "4", why: "slots", test: "smoke"}
    {signal: "sum", file: "rtl/toy/toy.sv", width: "2*W * 4", bound: "all", why: "of all", test: "ran:long_tensor"}
  ]
  data: [{pattern: "held_.*", why: "carried"}]
}
"""


@pytest.fixture
def blocks() -> dict[str, Block]:
    return {block.name: block for block in all_blocks()}


def _made(root: Path, rtl: str = RTL, table: str = TABLE) -> Table:
    for path, text in (("rtl/toy/toy.sv", rtl), ("tb/ran/limits.hjson", table)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return load(root / "tb/ran/limits.hjson")


def test_the_tables_of_the_project_are_whole() -> None:
    assert findings() == []
    assert {"ioss", "ran", "optc", "laps", "regs"} <= {table.block for table in tables()}


@pytest.mark.parametrize(
    ("ranges", "width"),
    [
        (["15:0"], "16"),
        (["W-1:0"], "W"),
        (["AccW-2:0"], "AccW-1"),
        (["SlotW:0"], "SlotW+1"),
        (["ran_pkg::CtrW-1:0"], "ran_pkg::CtrW"),
        (["3:0", "W-1:0"], "4 * W"),
        (["47:32"], "[47:32]"),
    ],
)
def test_width_of(ranges: list[str], width: str) -> None:
    assert width_of(ranges) == width


def test_what_is_declared(tmp_path: Path) -> None:
    _made(tmp_path)
    found = {signal.name: signal.width for signal in declared(tmp_path / "rtl/toy/toy.sv", tmp_path)}
    assert found == {"held_o": "4", "count_q": "SlotW+1", "next": "SlotW+1", "sum": "2*W * 4"}


def test_a_whole_table(tmp_path: Path, blocks: dict[str, Block]) -> None:
    table = _made(tmp_path)
    assert check(table, blocks, tmp_path) == []
    assert "| `count_q`, `next` | toy.sv | SlotW+1 | 4 | slots | `smoke` |" in page([table])


@pytest.mark.parametrize(
    ("rtl", "table", "finding"),
    [
        (("logic valid;", "logic valid; logic [2:0] more_q;"), None, "more_q, 3 bits, is neither a limit nor data"),
        (("[SlotW:0] count_q", "[SlotW-1:0] count_q"), None, "count_q has SlotW bits, not SlotW+1"),
        (None, ('"smoke"', '"nothing"'), "count_q of rtl/toy/toy.sv: there is no test nothing"),
        (None, ('"smoke"', '"proof:nothing"'), "there is no proof nothing"),
        (None, ('"smoke"', '"tb/none.py::test_none"'), "there is no tb/none.py::test_none"),
        (None, ('"sum"', '"gone_q"'), "rtl/toy/toy.sv declares no vector gone_q"),
        (None, ('"held_.*"', '"held_.*|sum"'), "sum is a limit and data"),
        (None, ("why: \"carried\"}", "why: \"carried\"}, {pattern: \"old_.*\", why: \"x\"}"), "old_.* fits no vector"),
        (None, ("rtl/toy/*.sv", "rtl/none/*.sv"), "rtl/none/*.sv fits no file"),
        (("logic valid;", "int turns;"), None, "turns, int bits, is neither"),
    ],
)  # fmt: skip
def test_every_gap_is_told(
    rtl: tuple[str, str] | None,
    table: tuple[str, str] | None,
    finding: str,
    tmp_path: Path,
    blocks: dict[str, Block],
) -> None:
    made = _made(tmp_path, RTL.replace(*rtl) if rtl else RTL, TABLE.replace(*table) if table else TABLE)
    assert any(finding in each for each in check(made, blocks, tmp_path)), check(made, blocks, tmp_path)


def test_rtl_in_no_table_and_in_two(tmp_path: Path) -> None:
    table = _made(tmp_path)
    (tmp_path / "rtl/ran").mkdir()
    (tmp_path / "rtl/ran/other.sv").write_text("module other; logic [1:0] a; endmodule\n", encoding="utf-8")
    assert uncovered_files([table], tmp_path) == ["rtl/ran/other.sv: its vectors are in no tb/*/limits.hjson"]
    assert "rtl/toy/toy.sv: in the limits of ran and ran" in uncovered_files([table, table], tmp_path)


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ("{limits: []}", "must have files, limits and data"),
        (TABLE.replace('why: "slots", ', ""), "entry 1 of limits: must have"),
        (TABLE.replace('bound: "4"', 'bound: ""'), "none of them empty"),
        (TABLE.replace("held_.*", "held_(*"), "is not a regular expression"),
        ("{files: [", "cannot read"),
    ],
)
def test_tables_that_cannot_be(table: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=error):
        _made(tmp_path, table=table)
