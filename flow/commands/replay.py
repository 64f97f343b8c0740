"""`make replay`: a job of the last regression again, with waves."""

from __future__ import annotations

import click

from flow.core import blocks, simulate
from flow.core.jobs import find_job
from flow.core.options import Option, command, timeout


@command(
    "replay",
    Option("ID", click.STRING, "job of the last regression"),
    timeout(simulate.DEFAULT_TIMEOUT),
)
def main(ID: str | None, TIMEOUT: float) -> int:
    """Run a job of the last regression again, with waveforms."""
    job = find_job(ID)
    block = blocks.get_block(job.block)
    result = simulate.run(
        block, job.sim, job.test, job.seed, job.params, job.config, waves=True, timeout=TIMEOUT, label="replay"
    )
    if result.result is not None and block.print_report is not None:
        block.print_report(result.result)
    print(result.summary())
    return 0 if result.passed else 1
