"""The report of `make net`: a table, and one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from rich import box
from rich.console import Console
from rich.table import Table

TEMPLATE = Path(__file__).with_name("net_report.html.j2")
COLUMNS = (
    "layer", "op", "M x K x N", "bits", "zeros X", "W", "issues", "speed-up", "same bits", "util", "energy",
    "skip x", "w", "SQNR dB", "sampled",
)  # fmt: skip
LEGEND = (
    "speed-up: over dense 16b x 16b on the same array, same bits: over dense at the layer's bits, both from a "
    "product's first issue to its last; util: share of row-cycles that issue; energy: times as much in a "
    "dense FP16 array (a proxy); skip: share of slice pairs with a zero "
    "slice; SQNR: of the rounded operands' products against floats; all: every layer weighted by its whole work"
)


def cells(entry: Mapping[str, Any]) -> list[str]:
    """A layer's row of the table."""
    shape = "x".join(map(str, entry["shape"])) + (f" ({entry['products']} times)" if entry["products"] > 1 else "")
    sign = {False: "", True: "u"}
    pairs = entry["pairs"] or 1
    m = entry["shape"][0]
    sqnr = entry["sqnr_db"]
    return [
        entry["name"], entry["op"], shape,
        f"{sign[entry['x_unsigned']]}{entry['x_bits']} x {sign[entry['w_unsigned']]}{entry['w_bits']}",
        f"{entry['zeros']['x']:.0%}", f"{entry['zeros']['w']:.0%}", f"{entry['issues']:,}",
        f"{entry['speedup']:.1f}", f"{entry['speedup_same_bits']:.2f}", f"{entry['utilisation']:.3f}",
        f"{entry['energy']['over_fp16']:.1f}",
        f"{entry['skipped']['x'] / pairs:.0%}", f"{entry['skipped']['w'] / pairs:.0%}",
        "-" if sqnr is None else f"{sqnr:.1f}",
        f"{entry['sampled']} of {m}" if entry["sampled"] < m else "all",
    ]  # fmt: skip


def total_cells(data: Mapping[str, Any]) -> list[str]:
    """The last row."""
    t = data["totals"]
    layers = "1 layer" if t["layers"] == 1 else f"{t['layers']} layers"
    return [
        "all", "", layers, "", "", "", f"{t['issues']:,}", f"{t['speedup']:.1f}",
        f"{t['speedup_same_bits']:.2f}", f"{t['utilisation']:.3f}", f"{t['energy']['over_fp16']:.1f}",
        f"{t['skipped_share']['x']:.0%}", f"{t['skipped_share']['w']:.0%}", "", f"{t['sampled_share']:.1%} of work",
    ]  # fmt: skip


def print_tables(data: Mapping[str, Any], console: Console) -> None:
    """What the user reads at the end."""
    sampled = "recorded" if data["evaluator"] == "recorded" else f"SAMPLE={data['sample']}"
    title = f"{data['model']} on gemm, {data['sim']}, {sampled}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for name in COLUMNS:
        left = name in ("layer", "op", "M x K x N")
        table.add_column(name, justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for entry in data["layers"]:
        table.add_row(*cells(entry))
    table.add_section()
    table.add_row(*total_cells(data))
    console.print(table)
    console.print(LEGEND, highlight=False)
    for each in data["skipped_layers"]:
        console.print(f"skipped: {each['op']} {each['name']}: {each['why']}", highlight=False, markup=False)
    for entry in data["layers"]:
        for line in (*entry["errors"], *(f"replay: {each}" for each in entry["replay"])):
            console.print(line, highlight=False, markup=False)
    said = ", ".join(f"{count:,} {kind}" for kind, count in data["checks"].items())
    console.print(
        f"values of layers: {data['evaluator']}; runs: {data['runs']} ({data['runs_kept']} kept from earlier); "
        f"checks: {said}; {data['compared']:,} sums compared with the integer product; "
        f"mismatches: {data['mismatches']:,}",
        highlight=False,
    )


def write_page(data: Mapping[str, Any], path: Path) -> Path:
    """The page; a file that needs nothing else."""
    folders = [TEMPLATE.parent, TEMPLATE.parents[1] / "core"]  # of the page, of the reports' common style
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folders), autoescape=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = environment.get_template(TEMPLATE.name).render(
        data=data, title=f"{Path(data['model']).name} on the RTL of the pair", columns=COLUMNS, legend=LEGEND,
        rows=[cells(each) for each in data["layers"]], last=total_cells(data),
    )  # fmt: skip
    path.write_text(text, encoding="utf-8")
    return path
