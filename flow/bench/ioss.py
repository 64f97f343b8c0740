"""`make bench BLOCK=ioss`: the environment, the bare C++ loop and the conventional environment, in turns, in one go.

All three run the same RTL on Verilator. Environment and C++ loop run the same program, the conventional environment a
part of it: its rate does not depend on the length. Nothing is reported unless cycles and issues agree.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flow.bench.common import BenchError, Result, Timing, build_cpp, median_rate, publish, run_cpp, same_work
from flow.core.blocks import get_block
from flow.core.building import build
from flow.core.simulate import run
from models.ioss.config import CoreParams
from tb.ioss.bench.workload import Workload, cpp_program
from tb.lib.contract import Block
from tb.lib.paths import ROOT

HERE = ROOT / "tb/ioss/bench"
SIM = "verilator"
MAIN = Workload(repeat=8)
PART = Workload(sets=("early",), gemms=("fp1",))
RUNS = 3


def bench_block() -> Block:
    """The block with the benchmark's test module."""
    return replace(get_block("ioss"), test_module="tb.ioss.bench.tests")


def cpp_loop(block: Block, params: dict[str, int], folder: Path = HERE, quick: bool = False) -> Path:
    """The program of bench.cpp for `params` (by make variable)."""
    named = {block.params[name].sv_name: value for name, value in params.items()}
    return build_cpp(block, folder / "bench.cpp", named, folder / "bench.vlt", quick)


def simulate(block: Block, test: str, workload: Workload, **config: Any) -> tuple[dict[str, Any], float]:
    """One run under cocotb: its result.json and its seconds as a process; raises `BenchError` if it does not pass."""
    done = run(block, SIM, test, config={**asdict(workload), **config})
    if not done.passed or done.result is None:
        raise BenchError(f"{test}: {done.error} (log: {done.log})")
    return done.result, done.seconds


@dataclass
class Round:
    """One turn of the three."""

    environment: Timing
    with_start: Timing
    cpp: Timing
    conventional: Timing
    work: dict[str, int]


def one_round(
    block: Block, program: Path, stimulus: Path, main: Workload, part: Workload, rival: Block | None = None
) -> Round:
    """Runs all three (`rival`: the block that the conventional environment drives, if not the same); raises
    `BenchError` unless environment and C++ loop did the same work."""
    cpp = run_cpp(program, stimulus)
    ours, seconds = simulate(block, "environment", main)
    theirs = simulate(rival or block, "conventional", part)[0]["report"]
    same_work({"environment": ours["report"], "C++ loop": cpp}, ("cycles", "issues"))
    cycles = cpp["cycles"]
    return Round(
        Timing(cycles, {name: ours["seconds"][name] for name in ("simulate", "check")}),
        Timing(cycles, {"all": seconds}),
        Timing(cycles, {"loop": cpp["seconds"]}),
        Timing(theirs["cycles"], {"all": theirs["seconds"]}),
        {"cycles": cycles, "issues": cpp["issues"]},
    )


def ioss_stimulus(params: dict[str, int], workload: Workload) -> bytes:
    """The C++ loop's file for the core."""
    return cpp_program(workload.program(CoreParams(params["ROWS"], params["LANES"], params["DEPTH"])))


def measure(
    main: Workload = MAIN,
    part: Workload = PART,
    runs: int = RUNS,
    block: Block | None = None,
    folder: Path = HERE,
    stimulus_of: Callable[[dict[str, int], Workload], bytes] = ioss_stimulus,
    rival: Block | None = None,
) -> Result:
    """`runs` turns of the three; medians. Another block gives its `folder` (bench.cpp, bench.vlt) and its stimulus."""
    block = block or bench_block()
    params = block.resolve_params(None)
    program = cpp_loop(block, params, folder)
    build(block, SIM)
    if rival:
        build(rival, SIM)
    with tempfile.TemporaryDirectory(prefix="trainslice-") as scratch:
        stimulus = Path(scratch) / "program.bin"
        stimulus.write_bytes(stimulus_of(params, main))
        rounds = [one_round(block, program, stimulus, main, part, rival) for _ in range(runs)]
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
