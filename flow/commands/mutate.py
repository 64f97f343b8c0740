"""`make mutate`: how many mutants of a block's RTL its tests notice; the engine is in mutate_run.py."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from flow.commands.operators import OPERATORS
from flow.core import blocks, options
from flow.core.options import DEFAULT_BLOCK, Option, command
from flow.core.output import write_report
from flow.core.values import Blocks, Flag, Percent, Sample, Seed, Some
from tb.lib.errors import UserError


@command(
    "mutate",
    Option("BLOCK", Blocks(), "blocks whose RTL is mutated", DEFAULT_BLOCK),
    Option("N", Sample(), "so many mutants of a block, drawn with SEED, or all", 100),
    Option("SEED", Seed(), "seed of the sample", 1),
    Option("OPERATOR", Some(tuple(OPERATORS)), "mutation operators", "all"),
    Option("KEY", click.STRING, "only the mutants with these keys, of one block"),
    options.jobs("worker processes, each with a simulation,"),
    options.SCHEDULER,
    options.minutes("mutant"),
    Option("EVERY", Flag(), "every run for every mutant, for the whole matrix (slow)", False),
    options.restart("mutants"),
    Option("GOAL", Percent(), "per cent of the mutants of each block that must be noticed"),
    options.REPORT,
)
def main(
    BLOCK: tuple[str, ...],
    N: int | None,
    SEED: int,
    OPERATOR: tuple[str, ...],
    KEY: str | None,
    JOBS: int,
    SCHEDULER: str | None,
    TIME: float | None,
    EVERY: bool,
    RESTART: bool,
    GOAL: float | None,
    REPORT: Path | None,
) -> int:
    """Mutate a block's RTL, count what its tests notice."""
    from flow.commands import mutate_run as engine
    from flow.commands.mutate_report import summary_lines, write_reports

    if KEY and len(BLOCK) > 1:
        raise UserError(f"KEY={KEY} is a mutant of one block: say which with BLOCK")
    request = engine.Request(
        tuple(blocks.get_block(name) for name in BLOCK),
        N,
        SEED,
        OPERATOR,
        keys=tuple(KEY.split(",")) if KEY else (),
        workers=JOBS,
        scheduler=SCHEDULER,
        minutes=TIME,
        every=EVERY,
        restart=RESTART,
        goal=GOAL,
    )
    data = engine.content(engine.mutate(request, Console()), request)
    files = write_reports(data, request.store)
    for line in summary_lines(data, files):
        print(line)
    write_report(REPORT, data)
    print(f"{data['status'].upper()} mutate: {100 * data['score']:.2f} % of mutants noticed")
    return {"pass": 0, "fail": 1}.get(data["status"], 3)
