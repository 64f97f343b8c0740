"""`make net`: products of your own ONNX network on the RTL; the engine is in net_run.py."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from flow.core import options
from flow.core.options import Option, command
from flow.core.output import write_report
from flow.core.values import Choice, File, Flag
from tb.lib.errors import UserError
from tb.lib.paths import REPORTS, shown


@command(
    "net",
    Option("MODEL", File(), "the network, ONNX"),
    Option("INPUT", File(), "its input, .npy; several: .npz with their names"),
    Option("LAYERS", click.STRING, "layers by name, pattern or operator, with commas (default: all)"),
    Option("SAMPLE", click.STRING, "rows of each product: a number, a share such as 0.05, or all", "64"),
    Option("X_BITS", Choice((4, 8, 12, 16)), "bits of activations that are floats", 8),
    Option("W_BITS", Choice((4, 8, 12, 16)), "bits of weights that are floats", 8),
    Option("DYNAMIC", Flag(), "take dynamic dimensions of the model's inputs from INPUT", False),
    options.SEED,
    options.jobs(),
    options.REPORT,
)
def main(
    MODEL: Path | None,
    INPUT: Path | None,
    LAYERS: str | None,
    SAMPLE: str,
    X_BITS: int,
    W_BITS: int,
    DYNAMIC: bool,
    SEED: int,
    JOBS: int,
    REPORT: Path | None,
) -> int:
    """Run the products of your own ONNX network on the RTL, sampled; resume where an earlier one ended."""
    from flow.commands.net_report import print_tables, write_page
    from flow.commands.net_run import Request, Sample, net, plan

    if MODEL is None or INPUT is None:
        raise UserError("give MODEL=, an ONNX file, and INPUT=, a .npy of its input (a .npz of several)")
    console = Console(width=max(150, Console().width))
    work = plan(Request(MODEL, INPUT, LAYERS, Sample.parse(SAMPLE), X_BITS, W_BITS, SEED, JOBS, DYNAMIC))
    data = net(work, console)
    print_tables(data, console)
    page = write_page(data, REPORTS / "net" / MODEL.stem / "net.html")
    print(f"page: {shown(page)}")
    write_report(REPORT, data)
    bad = data["mismatches"]
    counts = f"{len(data['layers'])} layers, {len(data['skipped_layers'])} skipped, {bad:,} mismatches"
    print(f"{'FAIL' if bad else 'PASS'} net {MODEL.name}: {counts}")
    return 1 if bad else 0
