"""LAPS as a block of the flow."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from models.laps.config import LEGAL_LAYERS
from tb.laps.coverage import functional_coverage
from tb.laps.testlist import TESTS
from tb.lib.blockdef import COVERAGE_GOALS, INCLUDE_DIRS, TRANSACTORS, listed_test, plan_findings
from tb.lib.contract import Block, Param, Proof
from tb.lib.report import print_figures
from tb.lib.testlist import block_runs

HERE = Path(__file__).parent
PACKAGES = ("rtl/common/trainslice_pkg.sv", "rtl/ran/ran_pkg.sv", "rtl/laps/laps_pkg.sv")
RTL = (
    "rtl/common/draw_mix.sv",
    "rtl/common/draw_lanes.sv",
    "rtl/laps/laps_log2.sv",
    "rtl/laps/laps_limit.sv",
    "rtl/laps/laps_fl_rule.sv",
    "rtl/laps/laps_n_rule.sv",
    "rtl/laps/laps_order.sv",
    "rtl/laps/laps_table.sv",
    "rtl/laps/laps_regs.sv",
    "rtl/laps/laps_update.sv",
    "rtl/laps/laps_core.sv",
)


def sim_options(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) of `make sim`. Raises `UserError` for an unknown test."""
    return listed_test(BLOCK, HERE, options)


BLOCK = Block(
    name="laps",
    title="LAPS: layer-wise adaptive bit-precision scaling",
    rtl=(*PACKAGES, *RTL),
    tb_sources=(*TRANSACTORS, "tb/laps/tb_laps.sv"),
    include_dirs=(*INCLUDE_DIRS, "tb/laps"),
    rtl_top="laps_core",
    tb_top="tb_laps",
    test_module="tb.laps.tests",
    default_test="recorded_statistics",
    params={"LAYERS": Param(16, LEGAL_LAYERS, "Layers", "layers of the table")},
    public_vlt="tb/laps/tb_laps.vlt",
    testplan="tb/laps/testplan.hjson",
    faults_dir="tb/laps/faults",
    functional_coverage=functional_coverage,
    sim_options=sim_options,
    print_report=print_figures,
    lint_params=({"LAYERS": 4}, {"LAYERS": 64}),
    tests=TESTS,
    coverage_runs=block_runs(TESTS, "verilator", default_params_only=True),
    coverage_goals=COVERAGE_GOALS,
    proofs=(
        Proof(
            "laps_entry",
            "laps_entry_proof",
            (
                "rtl/laps/laps_pkg.sv",
                "rtl/laps/laps_limit.sv",
                "rtl/laps/laps_fl_rule.sv",
                "rtl/laps/laps_n_rule.sv",
                "tb/laps/formal/laps_entry_proof.sv",
            ),
        ),
    ),
    no_value_check="in which order its ports are served, and so what they answer, depends on cycles",
    check=partial(plan_findings, HERE, TESTS),
)
