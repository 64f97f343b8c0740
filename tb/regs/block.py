"""The processor's registers as a block of the flow: AXI4-Lite port and register file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tb.lib.blockdef import COVERAGE_GOALS, INCLUDE_DIRS, TRANSACTORS, listed_test, plan_findings
from tb.lib.contract import Block, Param, Proof
from tb.lib.report import print_figures
from tb.lib.testlist import block_runs
from tb.regs.coverage import functional_coverage
from tb.regs.testlist import TESTS

HERE = Path(__file__).parent
PACKAGES = (
    "rtl/common/trainslice_pkg.sv",
    "rtl/laps/laps_pkg.sv",
    "rtl/optc/optc_pkg.sv",
    "rtl/top/top_reg_pkg.sv",
    "rtl/top/top_pkg.sv",
)
RTL = ("rtl/top/top_axil.sv", "rtl/top/top_events.sv", "rtl/top/top_updates.sv", "rtl/top/top_regs.sv")
BENCH = ("tb/lib/sv/ts_axil_pkg.sv", "tb/lib/sv/ts_axil_trace.sv", "tb/regs/tb_regs.sv")


def sim_options(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) of `make sim`. Raises `UserError` for an unknown test."""
    return listed_test(BLOCK, HERE, options)


def check() -> list[str]:
    """Testplan against tests."""
    return plan_findings(HERE, TESTS)


BLOCK = Block(
    name="regs",
    title="registers of the processor",
    rtl=(*PACKAGES, *RTL),
    tb_sources=(*TRANSACTORS, *BENCH),
    include_dirs=(*INCLUDE_DIRS, "tb/regs"),
    rtl_top="top_regs",
    tb_top="tb_regs",
    test_module="tb.regs.tests",
    default_test="traffic",
    params={
        "CORES": Param(1, (1, 2, 4), "Cores", "pairs of IOSS core and RAN"),
        "LAYERS": Param(16, (4, 16, 64), "Layers", "layers of LAPS' table"),
    },
    public_vlt="tb/regs/tb_regs.vlt",
    testplan="tb/regs/testplan.hjson",
    faults_dir="tb/regs/faults",
    functional_coverage=functional_coverage,
    sim_options=sim_options,
    print_report=print_figures,
    lint_tops=("top_axil",),
    lint_params=({"CORES": 2}, {"CORES": 4, "LAYERS": 64}),
    tests=TESTS,
    coverage_runs=block_runs(TESTS, "verilator", default_params_only=True),
    coverage_files=RTL,
    coverage_goals=COVERAGE_GOALS,
    proofs=(
        Proof(
            "top_axil",
            "top_axil_proof",
            ("rtl/common/ts_assert.svh", "rtl/top/top_axil.sv", "tb/regs/formal/top_axil_proof.sv"),
            depth=4,
            cover_depth=16,
        ),
    ),
    no_value_check="what a read returns depends on the cycle of the events",
    check=check,
)
