"""Synthesis: what is counted, and every way it can fail."""

import json
from pathlib import Path

import pytest

from flow.commands import synth
from flow.commands.synth import MemoryKind, Multiplier, compared, read_netlist, synthesise, synthesise_all
from flow.core.blocks import get_block
from tb.lib.errors import UserError

PORTS = "input logic clk_i, input logic [Width-1:0] a_i, input logic [3:0] b_i, output logic [31:0] y_o"
LOOP = "Warning: found logic loop in module flow_toy: .*rtl/flow_toy.sv:2"


def write_rtl(toy, body):
    Path(toy.rtl[0]).write_text(
        f"module flow_toy #(parameter int Width = 8) ({PORTS});\n{body}\nendmodule\n", encoding="utf-8"
    )


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A folder of the test's own: tests may run at the same time."""
    monkeypatch.setattr(synth, "BUILD", tmp_path / "build")
    return tmp_path / "build" / "synth" / "flow_toy"


def test_multipliers_flip_flops_and_memories_are_counted(toy, build, capsys):
    write_rtl(
        toy,
        """
        logic [Width-1:0] mem [16];
        logic [Width-1:0] read_q;
        logic [Width+3:0] product_q;
        logic [15:0] unread_q;
        always_ff @(posedge clk_i) begin
          mem[b_i] <= a_i;
          read_q <= mem[a_i[3:0]];
          product_q <= 32'(a_i) * 32'(b_i);
          unread_q <= 16'(a_i) * 16'(a_i);
        end
        assign y_o = 32'(product_q) + 32'(read_q) * 32'd11;
        `ifndef SYNTHESIS
        nonsense
        `endif
        """,
    )
    for width in (8, 4):
        cost = synthesise(toy, {"WIDTH": width})
        assert cost.params == {"WIDTH": width}
        assert cost.multipliers == {Multiplier(width, 4, False, "flow_toy"): 1}
        assert cost.partial_products == 4 * width
        assert cost.constant_products == 1
        assert cost.flip_flops == {"flow_toy": 2 * width + 4}
        assert cost.memories == {MemoryKind(16, width, "flow_toy"): 1}
        assert cost.memory_bits == 16 * width
        assert (cost.gates, cost.gate_kinds) == (None, None)
    assert "synth flow_toy WIDTH=4: " in capsys.readouterr().out
    assert (build / "WIDTH4" / "yosys.log").is_file()


def test_signs_and_operand_order():
    def mul(a, b, signed, constant=False):
        widths = {"A_WIDTH": f"{a:032b}", "B_WIDTH": f"{b:032b}", "A_SIGNED": f"{signed:032b}"}
        bits = {"A": [2, 3], "B": ["0", "1"] if constant else [4, "0"]}
        return {"type": "$mul", "parameters": widths, "attributes": {"src": "rtl/x/y.sv:3.1"}, "connections": bits}

    cells = {"a": mul(4, 9, 1), "b": mul(9, 4, 1), "c": mul(9, 4, 0), "d": mul(9, 4, 0, constant=True)}
    cost = read_netlist({"modules": {"top": {"cells": cells}}}, {})
    assert cost.multipliers == {Multiplier(9, 4, True, "y"): 2, Multiplier(9, 4, False, "y"): 1}
    assert cost.constant_products == 1


def test_gates_are_counted(toy, build):
    write_rtl(toy, "assign y_o = 32'({a_i & {2{b_i}}, a_i[3:0] ^ b_i});")
    cost = synthesise(toy, {}, gates=True)
    assert cost.gate_kinds == {"AND": 8, "OR": 0, "XOR": 4, "NOT": 0, "MUX": 0}
    assert cost.gates == {"flow_toy": 12}
    assert cost.as_dict()["gates"] == 12


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("assign y_o = ;", r"rtl/flow_toy.sv:2: ERROR: expected expression"),
        ("assign y_o = 32'(missing);", r"rtl/flow_toy.sv:2: ERROR: use of undeclared identifier"),
        ("no_such u_x (.clk_i);\nassign y_o = '0;", r"rtl/flow_toy.sv:2: ERROR: unknown module"),
        ("always_comb if (b_i[0]) y_o = 32'(a_i);", LOOP),
        ("assign y_o = y_o + 32'(a_i);", LOOP),
    ],
)
def test_rtl_that_is_not_taken_is_one_line(toy, build, body, error):
    write_rtl(toy, body)
    with pytest.raises(UserError, match=f"Yosys does not take flow_toy WIDTH=8: {error}") as caught:
        synthesise(toy, {})
    assert "\n" not in str(caught.value)


def test_time_limit(toy, build):
    with pytest.raises(UserError, match=r"flow_toy WIDTH=8 did not end in 0.02 s \(it was reading\): give a larger"):
        synthesise(toy, {}, timeout=0.02)


def test_progress_is_seen(toy, build, tmp_path, monkeypatch, capsys):
    slow = tmp_path / "yosys"
    slow.write_text('#!/bin/sh\n[ "$1" = -V ] && exit\necho "TS_STEP mapping"\nsleep 60\n', encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setattr(synth, "yosys", lambda: slow)
    monkeypatch.setattr(synth, "TICK", 0.5)
    with pytest.raises(UserError, match=r"in 2 s \(it was mapping\)"):
        synthesise(toy, {}, timeout=2)
    out = capsys.readouterr().out
    assert "synth flow_toy WIDTH=8: mapping\n" in out
    assert "mapping, 1 of at most 2 s" in out


def test_yosys_that_does_not_start(toy, build, tmp_path, monkeypatch):
    broken = tmp_path / "yosys"
    broken.write_text("#!/bin/sh\necho 'no space left'\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setattr(synth, "yosys", lambda: broken)
    with pytest.raises(UserError, match="Yosys does not start: no space left"):
        synthesise(toy, {})
    broken.write_text("#!/bin/sh\nsleep 60\n", encoding="utf-8")
    monkeypatch.setattr(synth, "PREPARE_TIMEOUT", 1.0)
    with pytest.raises(UserError, match="Yosys was not ready after 1 s"):
        synthesise(toy, {})


@pytest.mark.late
def test_the_unified_optc_has_the_multipliers_of_adam_alone(build):
    unified, variants = synthesise_all(get_block("optc"), {"LANES": 1}, False, 600.0)
    momentum, adam = variants["momentum only"], variants["ADAM only"]
    assert [cost.multipliers.total() for cost in (unified, momentum, adam)] == [5, 3, 5]
    figures = compared(unified, variants)
    assert figures["multipliers"] == {
        "block": 5, "momentum only": 3, "ADAM only": 5, "sum": 8, "shared": 3, "ratio": 0.625
    }  # fmt: skip
    # Nothing of ADAM is left where it was left out, and momentum adds next to nothing to ADAM.
    assert not {"optc_root", "optc_div"} & set(momentum.flip_flops)
    assert {"optc_root", "optc_div"} < set(adam.flip_flops)
    assert max(kind.a * kind.b for kind in momentum.multipliers) < 32 * 32
    assert figures["flip_flop_bits"]["block"] < 1.01 * adam.flip_flops.total()
    assert json.dumps(unified.as_dict())
