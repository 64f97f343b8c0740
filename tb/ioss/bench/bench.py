"""`make bench BLOCK=ioss`: the environment, the bare C++ loop and the conventional environment, in turns, in one go.

All three run the same RTL on Verilator, environment and C++ loop on the same program, which the conventional environment
takes a part of: its rate does not depend on the length. Nothing is reported unless cycles and issues agree.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models.ioss.config import CoreParams
from tb.common.bench import BenchError, Result, Timing, build_cpp, median_rate, publish, run_cpp, same_work
from tb.flow.blocks import Block, get_block
from tb.flow.simulate import RunResult, build, run
from tb.ioss.bench.workload import Workload, cpp_program

HERE = Path(__file__).parent
SIM = "verilator"
MAIN = Workload(repeat=8)
PART = Workload(sets=("early",), gemms=("fp1",))
RUNS = 3


def bench_block() -> Block:
    """The block with the benchmark's test module."""
    return replace(get_block("ioss"), test_module="tb.ioss.bench.tests")


def cpp_loop(block: Block, params: dict[str, int]) -> Path:
    """The program of bench.cpp for `params` (by make variable)."""
    named = {block.params[name].sv_name: value for name, value in params.items()}
    return build_cpp(block, HERE / "bench.cpp", named, HERE / "bench.vlt")


def simulate(block: Block, test: str, workload: Workload, **config: Any) -> RunResult:
    """One run under cocotb; raises `BenchError` if it does not pass."""
    result = run(block, SIM, test, config={**asdict(workload), **config})
    if not result.passed or result.result is None:
        raise BenchError(f"{test}: {result.error} (log: {result.log})")
    return result


@dataclass
class Round:
    """One turn of the three."""

    environment: Timing
    with_start: Timing
    cpp: Timing
    conventional: Timing
    work: dict[str, int]


def one_round(block: Block, program: Path, stimulus: Path, main: Workload, part: Workload) -> Round:
    """Runs all three; raises `BenchError` unless environment and C++ loop did the same work."""
    cpp = run_cpp(program, stimulus)
    ours = simulate(block, "environment", main)
    conventional = simulate(block, "conventional", part)
    assert ours.result is not None and conventional.result is not None
    report, theirs = ours.result["report"], conventional.result["report"]
    same_work({"environment": report, "C++ loop": cpp}, ("cycles", "issues"))
    cycles = cpp["cycles"]
    return Round(
        Timing(cycles, {name: ours.result["seconds"][name] for name in ("simulate", "check")}),
        Timing(cycles, {"all": ours.seconds}),
        Timing(cycles, {"loop": cpp["seconds"]}),
        Timing(theirs["cycles"], {"all": theirs["seconds"]}),
        {"cycles": cycles, "issues": cpp["issues"]},
    )


def measure(main: Workload = MAIN, part: Workload = PART, runs: int = RUNS) -> Result:
    """`runs` turns of the three; medians."""
    block = bench_block()
    params = block.resolve_params(None)
    program = cpp_loop(block, params)
    build(block, SIM)
    with tempfile.TemporaryDirectory(prefix="trainslice-") as scratch:
        stimulus = Path(scratch) / "program.bin"
        stimulus.write_bytes(cpp_program(main.program(CoreParams(params["ROWS"], params["LANES"], params["DEPTH"]))))
        rounds = [one_round(block, program, stimulus, main, part) for _ in range(runs)]
    rates = {
        "environment": median_rate(entry.environment for entry in rounds),
        "cpp": median_rate(entry.cpp for entry in rounds),
        "conventional": median_rate(entry.conventional for entry in rounds),
        "environment_with_start": median_rate(entry.with_start for entry in rounds),
    }
    return Result(
        block=block.name,
        sim=SIM,
        params=params,
        **rounds[0].work,
        runs=runs,
        cycles_per_second={name: round(rate, 1) for name, rate in rates.items()},
        ratio_to_cpp=round(rates["environment"] / rates["cpp"], 3),
        ratio_to_conventional=round(rates["environment"] / rates["conventional"], 2),
        split={
            name: round(statistics.median(entry.environment.seconds[name] for entry in rounds), 3)
            for name in ("simulate", "check")
        },
        conventional_cycles=rounds[0].conventional.cycles,
    )


def bench(report: Path | None) -> int:
    """The command: measures, prints, writes the JSON to `report`."""
    publish(measure(), report)
    return 0
