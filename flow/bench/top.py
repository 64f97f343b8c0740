"""`make bench BLOCK=top`: two iterations of the MLP's training under the environment, everything checked, against a
bare C++ loop over the same RTL that plays the same accesses of the host and the same words.

The loop's stimulus is what the environment's run left in its files. Nothing is reported unless cycles, words that left
and data of reads agree. There is no conventional environment of the processor.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flow.bench.common import BenchError, Result, Timing, build_cpp, median_rate, publish, run_cpp, same_work
from flow.core.blocks import get_block
from flow.core.building import build
from flow.core.simulate import run
from tb.lib.contract import Block
from tb.lib.paths import ROOT
from tb.lib.scoreboard import EV_RESET, event_levels
from tb.lib.streams import SourceLog
from tb.top.program import HOST_BYTES, S_BYTES, WRITE
from tb.top.trace import AXIL_DTYPE, EV_BUSY, M_DTYPE, TOP_EVENT_DTYPE

HERE = ROOT / "tb/top/bench"
SIM = "verilator"
RUNS = 3
GAP_BYTES = 2
SLACK = 1000  # cycles that the loop may take more before it gives up
U32 = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Recorded:
    """What a run left: the loop's file, cycles from reset to the end of all work, words (n, 5: data, last), reads."""

    stimulus: bytes
    cycles: int
    words: U32
    reads: U32

    @property
    def work(self) -> dict[str, int]:
        """As the loop counts it."""
        return {"cycles": self.cycles, "words": len(self.words), "reads": len(self.reads)}


def _source(run_dir: Path, name: str, size: int) -> tuple[npt.NDArray[np.uint8], SourceLog]:
    """Payloads (n, size), lowest byte first, and the log of a source."""
    data = np.fromfile(run_dir / f"{name}.in.bin", np.uint8).reshape(-1, GAP_BYTES + size)
    return data[:, : GAP_BYTES - 1 : -1], SourceLog.read(run_dir / f"{name}.log.bin", len(data))


def _first(log: SourceLog, base: int) -> npt.NDArray[np.int64]:
    """First cycle of each record, 0 where it is offered right after its predecessor."""
    behind = np.zeros(len(log.offer), bool)
    behind[1:] = log.offer[1:] == log.accept[:-1] + 1
    return np.where(behind, 0, log.offer - base)


def recorded(run_dir: Path) -> Recorded:
    """From the files of a run with one reset and a stream out that is always ready. Raises `BenchError` otherwise."""
    events = np.fromfile(run_dir / "top_event.bin", TOP_EVENT_DTYPE)
    begins = [cycle for cycle, level in event_levels(events, EV_RESET) if level]
    if len(begins) != 1:
        raise BenchError(f"a run with {len(begins)} resets cannot be replayed")
    base = begins[0]
    idle = [cycle for cycle, level in event_levels(events, EV_BUSY) if not level]
    host, host_log = _source(run_dir, "host", HOST_BYTES)
    words, word_log = _source(run_dir, "s", S_BYTES)
    for log in (host_log, word_log):
        if (log.accept < 0).any():
            raise BenchError("a run that did not take everything cannot be replayed")
    fields = np.ascontiguousarray(host).view("<u4").reshape(-1, 4)
    accesses = np.column_stack(
        [_first(host_log, base), fields[:, 0], fields[:, 1], fields[:, 2] & 0xFFFF, fields[:, 2] >> 16 & 3]
    )
    data = np.ascontiguousarray(words[:, :16]).view("<u4").reshape(-1, 4)
    offered = np.column_stack([_first(word_log, base), data, words[:, 16] & 1])
    end = max(int(host_log.accept[-1]) + 1, int(word_log.accept[-1]) + 1, idle[-1]) - base
    head = np.array([len(accesses), len(offered), end + SLACK])
    left = np.fromfile(run_dir / "m.bin", M_DTYPE)
    out = np.column_stack([np.ascontiguousarray(left["data"]).view("<u4").reshape(-1, 4), left["last"]])
    axil = np.fromfile(run_dir / "axil.bin", AXIL_DTYPE)
    reads = axil["data"][axil["op"] >> 16 != WRITE]
    stimulus = b"".join(part.astype("<u4").tobytes() for part in (head, accesses, offered))
    return Recorded(stimulus, end, out.astype(np.uint32), reads.astype(np.uint32))


def replay(program: Path, run: Recorded, scratch: Path) -> dict[str, Any]:
    """What the C++ loop says of a recorded run; raises `BenchError` unless it did the same."""
    path = scratch / "stimulus.bin"
    path.write_bytes(run.stimulus)
    cpp = run_cpp(program, path)
    same_work({"environment": run.work, "C++ loop": cpp}, ("cycles", "words", "reads"))
    for name, ours in (("words", run.words), ("reads", run.reads)):
        theirs = np.fromfile(scratch / f"stimulus.bin.{name}", "<u4").reshape(ours.shape)
        bad = np.argwhere(ours != theirs)
        if len(bad):
            at = int(bad[0][0])
            raise BenchError(f"not the same work: {name} {at} is {ours[at]} in the environment, {theirs[at]} in C++")
    return cpp


def cpp_loop(block: Block, params: dict[str, int], quick: bool = False) -> Path:
    """The program of bench.cpp for `params` (by make variable); `quick`: built for work, not for speed."""
    names = block.device_params(params)
    return build_cpp(block, HERE / "bench.cpp", names, quick=quick)


def measure(test: str = "training", runs: int = RUNS) -> Result:
    """`runs` turns of the two; medians."""
    block = get_block("top")
    params = block.resolve_params(None)
    program = cpp_loop(block, params)
    build(block, SIM)
    ours: list[Timing] = []
    start: list[Timing] = []
    cpp: list[Timing] = []
    issues = 0
    for _ in range(runs):
        done = run(block, SIM, test, label="bench")
        if not done.passed or done.result is None:
            raise BenchError(f"{test}: {done.error} (log: {done.log})")
        record = recorded(done.run_dir)
        with tempfile.TemporaryDirectory(prefix="trainslice-") as scratch:
            loop = replay(program, record, Path(scratch))
        issues = done.result["report"]["segment"]["energy_counts"]["issues"]
        seconds = done.result["seconds"]
        ours.append(Timing(record.cycles, {name: seconds[name] for name in ("simulate", "check")}))
        start.append(Timing(record.cycles, {"all": done.seconds}))
        cpp.append(Timing(record.cycles, {"loop": loop["seconds"]}))
    rates = {"environment": median_rate(ours), "cpp": median_rate(cpp), "environment_with_start": median_rate(start)}
    return Result(
        block=block.name,
        sim=SIM,
        params=params,
        cycles=record.cycles,
        issues=issues,
        runs=runs,
        cycles_per_second={name: round(rate, 1) for name, rate in rates.items()},
        ratio_to_cpp=round(rates["environment"] / rates["cpp"], 3),
        split={
            name: round(statistics.median(each.seconds[name] for each in ours), 3) for name in ("simulate", "check")
        },
    )


def bench(report: Path | None) -> int:
    """The command: measures, prints, writes the JSON to `report`."""
    publish(measure(), report)
    return 0
