"""A sample of every block's planted faults (`make faults` runs all): each must be caught where its header says."""

from __future__ import annotations

import pytest

from flow.commands.faults import Fault, load_faults, plant, try_fault, undeclared
from flow.core.blocks import all_blocks
from tb.lib.contract import Block

# Which of a block's list, by name: the processor's are built for a minute each, and a stopped RAN waits for minutes.
SAMPLE = slice(0, None, 20)
SAMPLES = {"top": slice(5, None, 40), "ran": slice(1, None, 30)}
# Planted on Icarus, which builds in a second: one for as many boundaries as possible.
EARLY = {
    "gemm": ("codes_of_the_ran_first",),
    "ioss": ("beat_not_forwarded", "stall_counted_while_idle"),
    "laps": ("draw_always", "last_layer_refused", "order_rounds_up"),
    "optc": ("normalise_short", "square_off_by_one"),
    "ran": ("octet_is_a_quad", "reset_keeps_done", "swap_before_bias"),
    "regs": ("clear_loses_failure", "run_beside_run", "write_always_first"),
}

# Faults that a block must have; gemm and regs have little RTL of their own.
LEAST = {"gemm": 8, "regs": 15}


def _sample() -> list:
    found = []
    for block in all_blocks():
        faults = load_faults(block)
        early = [fault for fault in faults if fault.name in EARLY.get(block.name, ())]
        assert len(early) == len(EARLY.get(block.name, ()))
        found += [pytest.param(block, fault, "icarus", id=f"{block.name}-{fault.name}-icarus") for fault in early]
        late = faults[SAMPLES.get(block.name, SAMPLE)]
        found += [
            pytest.param(block, fault, "verilator", id=f"{block.name}-{fault.name}", marks=pytest.mark.late)
            for fault in late
        ]
    return found


@pytest.mark.parametrize(("block", "fault", "sim"), _sample())
def test_fault_is_caught(block: Block, fault: Fault, sim: str) -> None:
    result = try_fault(block, fault, sim)
    assert result.outcome == "caught", (
        f"{result.outcome}: {result.detail} (first at {result.boundary}); {result.replay}"
    )


@pytest.mark.parametrize("block", all_blocks(), ids=lambda block: block.name)
def test_every_fault_applies(block: Block, tmp_path) -> None:
    faults = load_faults(block)
    assert len(faults) >= LEAST.get(block.name, 30)
    for fault in faults:
        plant(fault, tmp_path / fault.name)


def test_a_fault_that_names_what_is_not_there_is_none() -> None:
    old = "module a (input logic b_i);\n  assign c = b_i;\nendmodule\n"
    assert undeclared(old, old.replace("= b_i", "= n_max_q")) == ["n_max_q"]
    assert undeclared(old, old.replace("= b_i", "= b_i && 4'hf == b_i.x  // nothing")) == []
    assert undeclared(old, old.replace("assign c", "logic d_q;\n  assign d_q = 1;\n  assign c")) == []
