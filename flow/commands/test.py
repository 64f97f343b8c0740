"""`make test`: what decides on a change, or every test."""

from __future__ import annotations

import subprocess
import sys

from flow.core import blocks, floor
from flow.core.options import Option, command, jobs
from flow.core.tools import SIMULATORS, ensure_simulator
from flow.core.values import Choice
from tb.lib.paths import PACKAGES, REPORTS, ROOT, shown

JUNIT = REPORTS / "pytest.xml"
# What SIM= hands to pytest. The comparison of both simulators' logs belongs to Icarus' half.
HALVES: dict[str, tuple[str, ...]] = {"both": (), "verilator": ("-k", "not icarus"), "icarus": ("-k", "icarus")}
# What RUNS= hands to it; a test with marker `late` takes long and adds little to the others.
RUNS_MARKS = {"early": "not late", "all": "not early"}


@command(
    "test",
    Option("SIM", Choice(tuple(HALVES)), "both, or half of the tests", "both"),
    Option("RUNS", Choice(tuple(RUNS_MARKS)), "what decides on a change, or every test (an hour)", "early"),
    jobs(),
)
def main(SIM: str, RUNS: str, JOBS: int) -> int:
    """Run the tests that decide on a change, or all."""
    for sim in SIMULATORS:
        ensure_simulator(sim)
    REPORTS.mkdir(parents=True, exist_ok=True)
    floor.clear()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        str(JOBS),
        "--dist",
        "worksteal",
        "--junitxml",
        str(JUNIT),
        "-p",
        "flow.core.left",
        "-m",
        RUNS_MARKS[RUNS],
        *HALVES[SIM],
        *PACKAGES,
    ]
    bad = subprocess.run(command, cwd=ROOT, check=False).returncode != 0
    if SIM != "both":
        print(f"functional coverage has no floor with SIM={SIM}: that is half of the runs")
    else:
        if bad:
            print("tests failed: a run that did not pass counts nothing, so that bins may be missing for that reason")
        summaries = floor.measure(blocks.all_blocks())
        shares = ", ".join(f"{name} {summary['percent']} %" for name, summary in summaries.items())
        print(f"functional coverage of these runs: {shares} (floor {floor.FLOOR} %)")
        for line in floor.missed(summaries):
            bad = True
            print(f"FAIL {line}")
    print(f"{'FAIL' if bad else 'PASS'} make test (results: {shown(JUNIT)})")
    return 1 if bad else 0
