"""The RAN as a block of the flow."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from models.ran.config import LEGAL_ACC_W, LEGAL_BANKS, LEGAL_LANES, LEGAL_ROWS
from tb.lib.blockdef import COVERAGE_GOALS, INCLUDE_DIRS, TRANSACTORS, listed_test, plan_findings
from tb.lib.contract import Block, Param, Proof
from tb.lib.report import print_figures
from tb.lib.testlist import block_runs
from tb.ran.coverage import functional_coverage
from tb.ran.testlist import TESTS

HERE = Path(__file__).parent
RTL = (
    "rtl/ran/ran_desc_check.sv",
    "rtl/ran/ran_slots.sv",
    "rtl/ran/ran_words.sv",
    "rtl/ran/ran_shift.sv",
    "rtl/ran/ran_tree.sv",
    "rtl/ran/ran_banks.sv",
    "rtl/ran/ran_order.sv",
    "rtl/ran/ran_sum.sv",
    "rtl/common/draw_mix.sv",
    "rtl/common/draw_lanes.sv",
    "rtl/ran/ran_round.sv",
    "rtl/ran/ran_quant.sv",
    "rtl/ran/ran_saturate.sv",
    "rtl/ran/ran_pack.sv",
    "rtl/common/stat_join.sv",
    "rtl/ran/ran_stats.sv",
    "rtl/ran/ran_counters.sv",
    "rtl/ran/ran_core.sv",
)
STATS = ("rtl/common/trainslice_pkg.sv", "rtl/common/stat_join.sv", "rtl/ran/ran_pkg.sv", "rtl/ran/ran_stats.sv")
PARAMS = {
    "ROWS": Param(8, LEGAL_ROWS, "Rows", "rows of the array"),
    "LANES": Param(16, LEGAL_LANES, "Lanes", "outputs of a job"),
    "ACC_W": Param(40, LEGAL_ACC_W, "AccW", "bits of an accumulator"),
    "BANKS": Param(2, LEGAL_BANKS, "Banks", "accumulator banks per group"),
}


def sim_options(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) of `make sim`. Raises `UserError` for an unknown test."""
    return listed_test(BLOCK, HERE, options)


BLOCK = Block(
    name="ran",
    title="RAN: double-buffered reconfigurable accumulation network",
    rtl=("rtl/common/trainslice_pkg.sv", "rtl/ran/ran_pkg.sv", *RTL),
    tb_sources=(*TRANSACTORS, "tb/ran/ran_psum_memory.sv", "tb/ran/tb_ran.sv"),
    include_dirs=(*INCLUDE_DIRS, "tb/ran"),
    rtl_top="ran_core",
    tb_top="tb_ran",
    test_module="tb.ran.tests",
    default_test="real_tensors",
    params=PARAMS,
    public_vlt="tb/ran/tb_ran.vlt",
    testplan="tb/ran/testplan.hjson",
    faults_dir="tb/ran/faults",
    functional_coverage=functional_coverage,
    sim_options=sim_options,
    print_report=print_figures,
    lint_params=({"ROWS": 4, "LANES": 8}, {"ROWS": 2, "LANES": 32, "ACC_W": 48, "BANKS": 1}),
    tests=TESTS,
    coverage_runs=block_runs(TESTS, "verilator", default_params_only=True),
    coverage_goals=COVERAGE_GOALS,
    proofs=(
        *(
            Proof(
                name,
                f"{name}_proof",
                (*STATS[:1], "rtl/ran/ran_pkg.sv", f"rtl/ran/{name}.sv", f"tb/ran/formal/{name}_proof.sv"),
                depth=2,
                cover_depth=3,
            )
            for name in ("ran_round", "ran_saturate")
        ),
        Proof("stat_join", "stat_join_proof", (*STATS[:2], "tb/ran/formal/stat_join_proof.sv")),
        Proof("ran_stats", "ran_stats_proof", (*STATS, "tb/ran/formal/ran_stats_proof.sv"), depth=8),
        Proof(
            "ran_counters",
            "ran_counters_proof",
            (*STATS[:1], "rtl/ran/ran_pkg.sv", "rtl/ran/ran_counters.sv", "tb/ran/formal/ran_counters_proof.sv"),
            depth=8,
        ),
    ),
    value_check=True,
    check=partial(plan_findings, HERE, TESTS),
)
