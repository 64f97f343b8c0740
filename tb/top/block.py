"""The processor as a block of the flow."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from models.laps.config import LEGAL_LAYERS
from models.top.config import LEGAL_CORES
from tb.gemm.block import BLOCK as GEMM
from tb.laps.block import RTL as LAPS_RTL
from tb.lib.blockdef import COVERAGE_GOALS, INCLUDE_DIRS, TRANSACTORS, listed_test, plan_findings
from tb.lib.contract import Block, Option, Param, Proof
from tb.lib.errors import UserError
from tb.lib.testlist import block_runs
from tb.optc.block import RTL as OPTC_RTL
from tb.regs.block import PACKAGES
from tb.regs.block import RTL as REGS_RTL
from tb.top.abuse.draw import MIXES
from tb.top.abuse.program import ProgramError, read_program
from tb.top.coverage import functional_coverage
from tb.top.report import print_report
from tb.top.testlist import SMALL, TESTS, UNRULY_TESTS

HERE = Path(__file__).parent
RTL = (
    *REGS_RTL,
    "rtl/top/top_mem.sv",
    "rtl/top/top_fetch.sv",
    "rtl/top/top_feed.sv",
    "rtl/top/top_geometry.sv",
    "rtl/top/top_window_piece.sv",
    "rtl/top/top_window.sv",
    "rtl/top/top_word.sv",
    "rtl/top/top_number.sv",
    "rtl/top/top_update.sv",
    "rtl/top/top_queue.sv",
    "rtl/top/top_run.sv",
    "rtl/top/top_commands.sv",
    "rtl/top/top_load.sv",
    "rtl/top/top_records.sv",
    "rtl/top/top_store.sv",
    "rtl/top/top_core_tiles.sv",
    "rtl/top/top_core_vectors.sv",
    "rtl/top/top_core_psums.sv",
    "rtl/top/top_core_results.sv",
    "rtl/top/top_core.sv",
    "rtl/top/top_tiles.sv",
    "rtl/top/top_plans.sv",
    "rtl/top/top_compute.sv",
    "rtl/top/top_beats.sv",
    "rtl/top/top_opt.sv",
    "rtl/top/top_buffers.sv",
    "rtl/top/trainslice_top.sv",
)


def _ordered(*groups: tuple[str, ...]) -> tuple[str, ...]:
    """Files of all groups, each once, packages first."""
    files = list(dict.fromkeys(path for group in groups for path in group))
    return tuple(sorted(files, key=lambda path: not path.endswith("_pkg.sv")))


def _proof(module: str, *sources: str) -> Proof:
    """Of a module, in tb/top/formal."""
    proof = f"{module}_proof"
    return Proof(module, proof, (*PACKAGES, *sources, f"tb/top/formal/{proof}.sv"))


def _abuse_options(options: dict[str, Any]) -> dict[str, Any]:
    """The configuration of tests abuse... that options give. Raises `UserError` for a program that cannot be used."""
    config = {name.lower(): options[name] for name in ("PROGRAM", "PROGRAMS", "MIX") if options[name] is not None}
    if "program" in config:
        if len(config) > 1:
            raise UserError("PROGRAM is played alone: leave PROGRAMS and MIX out")
        try:
            read_program(Path(config["program"]))
        except ProgramError as error:
            raise UserError(f"PROGRAM={error}") from error
        config["program"] = str(config["program"])
    return config


def sim_options(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) of `make sim`. Raises `UserError` for an unknown test and for options that it lacks."""
    config = _abuse_options(options)
    if config and options["TEST"] not in (None, "abuse"):
        raise UserError(f"TEST={options['TEST']} does not take {', '.join(config).upper()}: TEST=abuse does")
    if config:
        options = {**options, "TEST": "abuse"}
    test, listed = listed_test(BLOCK, HERE, options)
    if options["PARAMS"]["UNRULY"] and test not in UNRULY_TESTS:
        raise UserError(f"TEST={test} needs a host that keeps the rules: leave UNRULY out")
    return test, listed | config


BLOCK = Block(
    name="top",
    title="the processor: cores, LAPS, OPTC, buffers, sequencer, registers",
    rtl=_ordered(GEMM.rtl, PACKAGES, OPTC_RTL, LAPS_RTL, RTL),
    tb_sources=(
        *TRANSACTORS,
        "tb/lib/sv/ts_axil_pkg.sv",
        "tb/lib/sv/ts_unruly_host.sv",
        "tb/lib/sv/ts_tap.sv",
        "tb/lib/sv/ts_axil_host.sv",
        "tb/top/tb_top.sv",
    ),
    include_dirs=(*INCLUDE_DIRS, "tb/ioss", "tb/ran", "tb/gemm", "tb/laps", "tb/optc", "tb/top"),
    rtl_top="trainslice_top",
    tb_top="tb_top",
    test_module="tb.top.tests",
    default_test="smoke",
    params={
        "CORES": Param(1, LEGAL_CORES, "Cores", "pairs of IOSS core and RAN"),
        **{name: GEMM.params[name] for name in ("ROWS", "DEPTH", "ACC_W", "BANKS")},
        "LAYERS": Param(16, LEGAL_LAYERS, "Layers", "layers of LAPS' table"),
        "UNRULY": Param(
            0, (0, 1), "Unruly", "1: a host that keeps no rules, small buffers (tests abuse...)", bench=True
        ),
    },
    public_vlt="tb/top/tb_top.vlt",
    testplan="tb/top/testplan.hjson",
    faults_dir="tb/top/faults",
    options=(
        Option("PROGRAM", "program of TEST=abuse to play, as a run that fails prints and keeps it", "in_file"),
        Option("PROGRAMS", "programs that TEST=abuse tries", "int", least=1, most=10_000_000),
        Option("MIX", "what programs of TEST=abuse consist of", "str", choices=tuple(MIXES)),
    ),
    test_params=dict.fromkeys(UNRULY_TESTS, SMALL),
    sim_options=sim_options,
    print_report=print_report,
    lint_params=({"CORES": 2}, {"CORES": 4}),
    tests=TESTS,
    functional_coverage=functional_coverage,
    coverage_runs=tuple(spec for spec in block_runs(TESTS, "verilator") if spec.test not in UNRULY_TESTS),
    code_params=({"CORES": 2},),  # one core never waits for another
    coverage_files=tuple(path for path in RTL if path not in REGS_RTL),
    coverage_goals=COVERAGE_GOALS,
    bench="flow.bench.top",
    proofs=(
        _proof("top_word", "rtl/top/top_word.sv"),
        _proof("top_number", "rtl/common/ts_assert.svh", "rtl/top/top_number.sv"),
        _proof("top_update", "rtl/top/top_update.sv"),
        _proof("top_run", "rtl/top/top_run.sv"),
        _proof("top_beats", "rtl/top/top_beats.sv"),
        _proof("top_tiles", "rtl/top/top_tiles.sv"),
    ),
    no_value_check="what the host reads, and so does next, depends on cycles",
    check=partial(plan_findings, HERE, TESTS),
)
