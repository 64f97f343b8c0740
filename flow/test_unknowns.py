"""Nothing depends on what registers, memories and undriven bits hold before they are written: the logs of runs on
Verilator from random states are those of the same runs from zero."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from flow.core import simulate
from flow.core.blocks import all_blocks, get_block
from flow.core.simulate import RunResult, run, transaction_logs
from tb.lib.contract import Block, RunSpec
from tb.lib.paths import ROOT
from tb.lib.testlist import block_runs, early_runs

RANDOM = ("--x-initial", "unique", "--x-assign", "unique")
# In state 1 the bench's own inputs clk_i and rst_ni start such that there is an edge before it drives them.
STATES = (2, 3, 4)
EARLY = ("regs", "traffic")  # the block that builds fastest, and its longest test
# Every run of the processor's tests would take hours: random start values cost three quarters of the speed.
OF_TOP = ("smoke", "constrained_random", "passes", "planned", "refusals", "reset_in_the_middle", "training")


class _RandomState(simulate.VerilatorRunner):
    """Starts everything from a random state, whatever the run's own seed is."""

    state = 1

    def _test_command(self) -> list[Sequence[str]]:
        (command,) = super()._test_command()
        kept = [word for word in command if not word.startswith("+verilator+seed+")]
        return [[*kept, "+verilator+rand+reset+2", f"+verilator+seed+{self.state}"]]


def _random(block: Block) -> Block:
    """The block, built for random states."""
    return replace(block, verilator_args=(*block.verilator_args, *RANDOM))


def from_state(monkeypatch: pytest.MonkeyPatch, block: Block, spec: RunSpec, state: int, **more: Path) -> RunResult:
    """A run from random state number `state`."""
    with monkeypatch.context() as patched:
        patched.setattr(simulate, "VerilatorRunner", type("Runner", (_RandomState,), {"state": state}))
        label = f"random{state}"
        args = (spec.sim, spec.test, spec.seed, spec.params, spec.config)
        return run(_random(block), *args, quick=True, label=label, **more)


def _cases() -> Iterator[object]:
    for block in all_blocks():
        runs = early_runs(block.tests, "verilator") if block.name != "top" else block_runs(block.tests, "verilator")
        seen = set()
        for spec in runs:
            if spec.params or spec.test in seen or (block.name == "top" and spec.test not in OF_TOP):
                continue
            seen.add(spec.test)
            late = (block.name, spec.test) != EARLY
            yield pytest.param(block, spec, id=f"{block.name}-{spec.test}", marks=[pytest.mark.late] if late else [])


@pytest.mark.parametrize(("block", "spec"), list(_cases()))
def test_a_random_state_changes_nothing(monkeypatch: pytest.MonkeyPatch, block: Block, spec: RunSpec) -> None:
    zero = run(block, spec.sim, spec.test, spec.seed, spec.params, spec.config, label="zero")
    assert zero.passed, zero.summary()
    want = transaction_logs(zero.run_dir)
    assert len(want) > 3
    for state in STATES:
        result = from_state(monkeypatch, block, spec, state)
        assert result.passed, result.summary()
        got = transaction_logs(result.run_dir)
        different = [name for name in want if want[name] != got.get(name)]
        assert not different, f"state {state}: logs differ: {', '.join(different)}"


def test_a_register_without_reset_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It starts at 0 otherwise, which is its reset value: no other run on Verilator sees it."""
    shutil.copytree(ROOT / "rtl", tmp_path / "rtl")
    path = tmp_path / "rtl/top/top_events.sv"
    text = path.read_text(encoding="utf-8")
    reset = "      irq_enable_q  <= top_reg_pkg::ResetIrqEnable[3:0];\n"
    assert text.count(reset) == 1
    path.write_text(text.replace(reset, ""), encoding="utf-8")
    block = get_block("regs")
    spec = RunSpec("smoke")
    assert any(not from_state(monkeypatch, block, spec, state, src_root=tmp_path).passed for state in STATES)
