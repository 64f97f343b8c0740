"""What every block's benchmark shares: the bare C++ loop's build, medians, table and JSON (docs/measure.md, Speed).

A benchmark compares three ways to simulate the same RTL: this project's environment, a bare C++ loop over the Verilated
design, and, where there is one, a conventional environment that works in every cycle.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flow.core.plain import plain, plain_text, temporary
from flow.core.processes import locked
from flow.core.tools import ensure_simulator, link_settings, tool_versions, verilator_root
from models.common.files import write_whole
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT, shown

# As the environment's own build (flow/core/building.py), without what only cocotb and assertions need.
_VERILATE = ("--cc", "--exe", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing")
_HEADER = Path(__file__).with_name("bench_loop.h")
_MAKE = ("CFG_CXXFLAGS_PCH_I=-include",)


class BenchError(UserError):
    """A benchmark that could not be measured, or whose parts did not do the same work."""

    several_lines = True


def build_cpp(
    block: Block, main: Path, params: Mapping[str, int], hints: Path | None = None, quick: bool = False
) -> Path:
    """The program made of `main` and the Verilated `block.rtl_top` with `params` (by SystemVerilog name), cached.

    The parameters are also macros in `main`; `hints` is a Verilator configuration file. Raises `BenchError` with the
    tools' last lines.
    """
    ensure_simulator("verilator")
    sources = [*([hints] if hints else []), *(ROOT / path for path in block.rtl)]
    headers = [path for folder in block.include_dirs for path in sorted((ROOT / folder).glob("*.svh"))]
    opt = "-O0" if quick else "-O2"
    flags = [*_MAKE, f"OPT_FAST={opt}", f"OPT_GLOBAL={opt}"]
    digest = hashlib.sha256(json.dumps([tool_versions("verilator"), dict(params), _VERILATE, flags]).encode())
    for path in (*sources, *headers, main, _HEADER):
        digest.update(path.read_bytes())
    folder = BUILD / block.name / "bench"
    program = folder / digest.hexdigest()[:20]
    with locked(program.with_suffix(".lock")):
        if not program.is_file():
            with tempfile.TemporaryDirectory(prefix="trainslice-", dir=temporary()) as scratch:
                _make(block, main, params, sources, Path(scratch), flags)
                shutil.move(Path(scratch) / "bench", program)
    return program


def _make(
    block: Block, main: Path, params: Mapping[str, int], sources: list[Path], scratch: Path, flags: list[str]
) -> None:
    # make cannot quote: everything it sees lies in `scratch`, or is reached by a plain name.
    root = plain(verilator_root())
    shutil.copy(main, scratch / "main.cpp")
    shutil.copy(_HEADER, scratch)
    verilate = [
        str(root / "bin" / "verilator_bin"), *_VERILATE, "--top-module", block.rtl_top, "--prefix", f"V{block.rtl_top}",
        "-Mdir", str(scratch), "-o", "bench",
        *(f"-G{name}={value}" for name, value in params.items()),
        *(f"-I{ROOT / path}" for path in block.include_dirs), *map(str, sources), str(scratch / "main.cpp"),
    ]  # fmt: skip
    for name, value in params.items():
        verilate += ["-CFLAGS", f"-D{name}={value}"]
    make = [
        "make",
        "-C",
        str(scratch),
        "-f",
        f"V{block.rtl_top}.mk",
        "-j",
        "2",
        *flags,
        f"PYTHON3={plain(Path(sys.executable))}",
    ]
    for command in (verilate, make):
        done = subprocess.run(
            [plain_text(word) for word in command],
            capture_output=True,
            text=True,
            check=False,
            env={"VERILATOR_ROOT": str(root), "PATH": os.environ.get("PATH", os.defpath), **link_settings()},
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).splitlines()[-20:]
            raise BenchError(
                f"building the C++ loop of {block.name} failed:\n" + "\n".join(f"  | {line}" for line in lines)
            )


def run_cpp(program: Path, stimulus: Path) -> dict[str, Any]:
    """What the C++ loop prints. Raises `BenchError` if it does not end well."""
    done = subprocess.run(
        [str(program), str(stimulus)], capture_output=True, text=True, check=False, encoding="utf-8", errors="replace"
    )
    if done.returncode != 0:
        raise BenchError(f"the C++ loop ended with status {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Timing:
    """Cycles that one run simulated and the seconds it took, by part (`total` is the sum of the parts)."""

    cycles: int
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        """All parts."""
        return sum(self.seconds.values())

    @property
    def rate(self) -> float:
        """Cycles a second."""
        return self.cycles / self.total


@dataclass(frozen=True)
class Result:
    """A benchmark's outcome; keys of the JSON. Rates are medians over the runs. Without a conventional environment its
    rate is missing, its ratio and cycles are null."""

    block: str
    sim: str
    params: dict[str, int]
    cycles: int
    issues: int
    runs: int
    cycles_per_second: dict[str, float]
    ratio_to_cpp: float
    split: dict[str, float]
    ratio_to_conventional: float | None = None
    conventional_cycles: int | None = None


def same_work(parts: Mapping[str, Mapping[str, int]], keys: Iterable[str]) -> None:
    """Checks that all `parts` (by name) report the same numbers under `keys`; `BenchError` otherwise."""
    (first, wanted), *others = parts.items()
    for key in keys:
        for name, got in others:
            if got[key] != wanted[key]:
                raise BenchError(f"not the same work: {first} counts {wanted[key]} {key}, {name} counts {got[key]}")


def median_rate(timings: Iterable[Timing]) -> float:
    """Median of the rates, cycles a second."""
    return statistics.median(timing.rate for timing in timings)


def publish(result: Result, report: Path | None) -> None:
    """Prints the table and writes the JSON."""
    rates = result.cycles_per_second
    table = Table(
        title=f"{result.block} on {result.sim}: {result.cycles} cycles, {result.issues} issues", box=box.SIMPLE
    )
    for name in ("simulation", "cycles/s", "environment is"):
        table.add_column(name, justify="left" if name == "simulation" else "right")
    table.add_row("bare C++ loop, nothing checked", f"{rates['cpp']:,.0f}", f"{result.ratio_to_cpp:.2f} x")
    table.add_row("environment, stimulus to verdict", f"{rates['environment']:,.0f}", "")
    table.add_row("environment, start of the program included", f"{rates['environment_with_start']:,.0f}", "")
    if result.ratio_to_conventional is None:
        table.add_row("conventional, every cycle in Python: none", "", "")
    else:
        table.add_row(
            f"conventional, every cycle in Python ({result.conventional_cycles} cycles)",
            f"{rates['conventional']:,.0f}",
            f"{result.ratio_to_conventional:.1f} x",
        )
    console = Console()
    console.print(table)
    parts = ", ".join(f"{name} {share:.2f} s" for name, share in result.split.items())
    console.print(f"The environment's time (median of {result.runs} runs): {parts}")
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        write_whole(report, json.dumps(asdict(result), indent=1) + "\n")
        console.print(f"report: {shown(report)}")
