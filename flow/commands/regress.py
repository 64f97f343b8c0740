"""`make regress`: every test with many seeds; the engine is in regress_run.py."""

from __future__ import annotations

from pathlib import Path

from flow.core import blocks, options
from flow.core.options import Option, command
from flow.core.output import wide, write_report
from flow.core.processes import DEFAULT_TIMEOUT
from flow.core.tools import ensure_simulator
from flow.core.values import Blocks, Count, Flag
from tb.lib.errors import UserError


@command(
    "regress",
    Option("BLOCK", Blocks(), "blocks to run", "all"),
    options.SIM,
    Option("SEEDS", Count(100_000), "seeds 1..SEEDS of every test that is not directed (default: the lists')"),
    options.jobs("worker processes, each with a simulation,"),
    options.minutes("job"),
    options.SCHEDULER,
    Option("COVERAGE", Flag(), "count code coverage too (slower)", False),
    options.restart("jobs"),
    options.timeout(DEFAULT_TIMEOUT),
    options.REPORT,
)
def main(
    BLOCK: tuple[str, ...],
    SIM: str,
    SEEDS: int | None,
    JOBS: int,
    TIME: float | None,
    SCHEDULER: str | None,
    COVERAGE: bool,
    RESTART: bool,
    TIMEOUT: float,
    REPORT: Path | None,
) -> int:
    """Run every test of every block with many seeds and report; resume where an earlier one ended."""
    from flow.commands.regress_report import summary_lines, write_reports
    from flow.commands.regress_run import Request, alone, regress

    ensure_simulator(SIM)
    if COVERAGE and SIM != "verilator":
        raise UserError("COVERAGE=1 needs SIM=verilator: Icarus does not count")
    request = Request(
        blocks=tuple(blocks.get_block(name) for name in BLOCK),
        sim=SIM,
        seeds=SEEDS,
        workers=JOBS,
        minutes=TIME,
        scheduler=SCHEDULER,
        coverage=COVERAGE,
        restart=RESTART,
        timeout=TIMEOUT,
    )
    with alone(request.store):
        outcome = regress(request, wide(100))
        data, files = write_reports(outcome, request)
    for line in summary_lines(data, files):
        print(line)
    write_report(REPORT, data)
    return 130 if outcome.killed else {"pass": 0, "fail": 1, "incomplete": 3}[data["status"]]
