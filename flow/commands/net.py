"""`make net`: products of your own ONNX network, or of a recorded training, on the RTL; engines: net_run.py,
net_trace.py."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from flow.core import options
from flow.core.options import Option, command
from flow.core.output import write_report
from flow.core.values import Choice, File, Flag, Place
from tb.lib.errors import UserError
from tb.lib.paths import REPORTS, shown


@command(
    "net",
    Option("MODEL", File(), "the network, ONNX"),
    Option("INPUT", File(), "its input, .npy; several: .npz with their names"),
    Option("TRACE", Place(), "instead of MODEL and INPUT: a folder of captures"),
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
    TRACE: Path | None,
    LAYERS: str | None,
    SAMPLE: str,
    X_BITS: int,
    W_BITS: int,
    DYNAMIC: bool,
    SEED: int,
    JOBS: int,
    REPORT: Path | None,
) -> int:
    """Run your own ONNX network's products, or a recorded training's, on the RTL; resume where an earlier run ended."""
    from flow.commands.net_report import print_tables, write_page
    from flow.commands.net_run import Request, Sample, net, plan
    from flow.commands.net_trace import plan_trace

    given = {"MODEL": MODEL, "INPUT": INPUT, "LAYERS": LAYERS}
    if TRACE is not None:
        if more := [name for name, value in given.items() if value is not None]:
            raise UserError(f"TRACE already says what {more[0]} would: give one of them")
        MODEL = INPUT = TRACE
    if MODEL is None or INPUT is None:
        raise UserError("give MODEL=, an ONNX file, and INPUT=, a .npy of its input (a .npz of several), or TRACE=")
    console = Console(width=max(150, Console().width))
    request = Request(MODEL, INPUT, LAYERS, Sample.parse(SAMPLE), X_BITS, W_BITS, SEED, JOBS, DYNAMIC)
    data = net(plan_trace(request) if TRACE else plan(request), console)
    print_tables(data, console)
    page = write_page(data, REPORTS / "net" / MODEL.stem / "net.html")
    print(f"page: {shown(page)}")
    write_report(REPORT, data)
    bad = data["mismatches"]
    counts = f"{len(data['layers'])} layers, {len(data['skipped_layers'])} skipped, {bad:,} mismatches"
    print(f"{'FAIL' if bad else 'PASS'} net {MODEL.name}: {counts}")
    return 1 if bad else 0
