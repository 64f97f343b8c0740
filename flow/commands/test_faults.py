"""A sample of every block's planted faults (`make faults` runs all): each must be caught where its header says."""

from __future__ import annotations

import pytest

from flow.commands.faults import Fault, load_faults, plant, try_fault
from flow.core.blocks import all_blocks
from tb.lib.contract import Block

# Which of a block's list, by name: the processor's are built for a minute each, and a stopped RAN waits for minutes.
SAMPLE = slice(0, None, 20)
SAMPLES = {"top": slice(5, None, 40), "ran": slice(1, None, 30)}
EARLY = 1  # of each block's sample; those of the blocks with the longest builds are late
LONG = {"gemm", "top"}

# Faults that a block must have; gemm and regs have little RTL of their own.
LEAST = {"gemm": 8, "regs": 15}


def _sample() -> list:
    return [
        pytest.param(
            block,
            fault,
            id=f"{block.name}-{fault.name}",
            marks=[pytest.mark.late] * (index >= EARLY or block.name in LONG),
        )
        for block in all_blocks()
        for index, fault in enumerate(load_faults(block)[SAMPLES.get(block.name, SAMPLE)])
    ]


@pytest.mark.parametrize(("block", "fault"), _sample())
def test_fault_is_caught(block: Block, fault: Fault) -> None:
    result = try_fault(block, fault)
    assert result.outcome == "caught", (
        f"{result.outcome}: {result.detail} (first at {result.boundary}); {result.replay}"
    )


@pytest.mark.parametrize("block", all_blocks(), ids=lambda block: block.name)
def test_every_fault_applies(block: Block, tmp_path) -> None:
    faults = load_faults(block)
    assert len(faults) >= LEAST.get(block.name, 30)
    for fault in faults:
        plant(fault, tmp_path / fault.name)
