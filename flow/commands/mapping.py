"""`make synth MAP=1`: a block in cells of a library, and how long its longest path takes.

1. Yosys' slang front end reads the RTL and keeps its hierarchy; equal modules become one (flow/commands/netlist.py).
2. A Yosys that has the mapper ABC (Debian's: the one under WebAssembly ends silently there) optimises at word level;
   arrays become memories of a model (flow/commands/macros.py), the rest becomes cells, module by module.
3. OpenSTA finds the longest path: clock ideal, wires without capacitance, inputs there at the clock, outputs wanted at
   the clock, reset left out.

Area is that of cells and memories, without wires and gaps. A folder build/cells/<block>/<parameters>/ holds sources,
scripts, logs and netlists of each run.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from flow.commands import macros, netlist
from flow.commands.dense import DENSE, KINDS
from flow.commands.macros import Macro, Technology
from flow.commands.synth import DEFAULT_TIMEOUT, copy_sources, prepare, read_line, reason, shown_params
from flow.core.output import wide, write_report
from flow.core.processes import locked, supervise
from flow.core.tools import require_programs, yosys
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, shown

TICK = 30.0
_BETWEEN = "TS_INSIDE"
PROGRAMS = {"yosys": "yosys", "yosys-abc": "yosys", "sta": "opensta"}
_WORD = ("opt -full", "wreduce", "peepopt", "opt_clean", "opt", "memory -nomap", "opt_clean", "check -assert")
_CELLS = ("memory_map", "alumacc", "opt", "techmap", "opt -fast")
# ABC: depth is kept while nodes are saved; then cells, buffers (a gate drives at most 16), and sizes. Its own script
# proves equal nodes first, which takes minutes in a multiplier and saves a few per cent.
_ABC = (
    "strash", "balance", "drw -l", "drf -l", "balance", "drw -l", "balance", "&get -n", "&nf", "&put",
    "buffer -c -N 16", "topo", "upsize {D}", "dnsize {D}", "stime -p",
)  # fmt: skip


@dataclass(frozen=True)
class Longest:
    """The longest path: ns that it takes, its ends, and its cells from start to end with their delays."""

    ns: float
    start: str
    end: str
    steps: tuple[tuple[float, str], ...]


@dataclass
class Mapped:
    """A block in cells. Areas in um2; `modules`: (how often, area of one without what it is made of), by name; `path`:
    the longest, `inside`: the longest between registers, None if there is none."""

    params: dict[str, int]
    library: str
    cells: Counter[str] = field(default_factory=Counter)
    cell_area: float = 0.0
    memory_area: float = 0.0
    memories: Counter[Macro] = field(default_factory=Counter)
    modules: dict[str, tuple[int, float]] = field(default_factory=dict)
    path: Longest | None = None
    inside: Longest | None = None
    seconds: float = 0.0

    @property
    def memory_bits(self) -> int:
        """Of all memories."""
        return sum(macro.bits * count for macro, count in self.memories.items())

    @property
    def unclocked_bits(self) -> int:
        """Of memories that are read without a clock."""
        return sum(macro.bits * count for macro, count in self.memories.items() if not macro.clocked)

    @property
    def area(self) -> float:
        """Of cells and memories."""
        return self.cell_area + self.memory_area

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        assert self.path
        return {
            "parameters": self.params,
            "library": self.library,
            "area_um2": round(self.area),
            "cell_area_um2": round(self.cell_area),
            "memory_area_um2": round(self.memory_area),
            "cells": self.cells.total(),
            "cell_kinds": dict(self.cells.most_common()),
            "memory_bits": self.memory_bits,
            "memory_bits_read_without_clock": self.unclocked_bits,
            "memories": [
                {**asdict(macro), "count": count}
                for macro, count in sorted(self.memories.items(), key=lambda each: each[0].name)
            ],
            "modules": {
                name: {"count": count, "cell_area_um2": round(area)} for name, (count, area) in self.modules.items()
            },
            "path_ns": round(self.path.ns, 3),
            "path_start": self.path.start,
            "path_end": self.path.end,
            "path": [[round(ns, 3), step] for ns, step in self.path.steps],
            "inside_ns": self.inside and round(self.inside.ns, 3),
            "inside_start": self.inside and self.inside.start,
            "inside_end": self.inside and self.inside.end,
            "seconds": round(self.seconds, 1),
        }


def cell_areas(liberty: str) -> dict[str, float]:
    """Area of every cell of a library."""
    parts = re.split(r"\bcell\s*\(\s*\"?(\w+)\"?\s*\)", liberty)[1:]
    areas = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        found = re.search(r"\barea\s*:\s*([\d.eE+-]+)", body)
        areas[name] = float(found[1]) if found else 0.0
    return areas


def _register(verilog: str, module: str, names: Sequence[str]) -> str | None:
    """The wire that a register drives, with its place in the hierarchy below `module`; None for a memory or a port."""
    text = re.search(rf"^module \\?{re.escape(module)} ?\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    found = text and re.search(rf"^  (\S+) \\?{re.escape(names[0])} \((.*?)\);", text[0], re.MULTILINE | re.DOTALL)
    if not found:
        return None
    if len(names) > 1:
        below = _register(verilog, found[1].removeprefix("\\"), names[1:])
        return below and f"{names[0]}.{below}"
    wire = re.search(r"\.Q\(\\?(.*?)\),?$", found[2] + "\n", re.MULTILINE)
    return wire and wire[1].replace(" ", "")


def read_path(report: str, period: float, verilog: str, top: str) -> Longest | None:
    """The path of OpenSTA's `report_checks`; a register goes by the wire that it drives. None if there is no path."""
    ends = [re.search(rf"^{name}: (\S+)", report, re.MULTILINE) for name in ("Startpoint", "Endpoint")]
    slack = re.search(r"^\s*(-?[\d.]+)\s+slack", report, re.MULTILINE)
    if not (ends[0] and ends[1] and slack):
        return None
    start, end = (_register(verilog, top, each[1].split("/")) or each[1].replace("/", ".") for each in ends if each)
    steps = re.findall(r"^\s*-?[\d.]+\s+(-?[\d.]+) [v^] (.+?)\s*$", report, re.MULTILINE)
    return Longest(period - float(slack[1]), start, end, tuple((float(at), what) for at, what in steps))


def _timing(top: str, technology: Technology, period: float) -> str:
    return f"""
read_liberty cells.lib
read_liberty macros.lib
read_verilog mapped.v
link_design {top}
create_clock -name clk -period {period} [get_ports clk_i]
set inputs {{}}
foreach port [all_inputs] {{ if {{![string match clk_i [get_property $port full_name]]}} {{ lappend inputs $port }} }}
set_input_delay 0 -clock clk $inputs
set_output_delay 0 -clock clk [all_outputs]
set_driving_cell -lib_cell {technology.driver} $inputs
set_load {technology.load} [all_outputs]
if {{[llength [get_ports -quiet rst_ni]]}} {{ set_false_path -from [get_ports rst_ni] }}
report_checks -path_delay max -digits 4
puts "{_BETWEEN}"
set_false_path -from $inputs
set_false_path -to [all_outputs]
report_checks -path_delay max -digits 4
exit
"""


class _Steps:
    """Runs the programs in `folder`, a log each; says which step is under way."""

    def __init__(self, what: str, folder: Path, timeout: float) -> None:
        self.what, self.folder, self.timeout = what, folder, timeout

    def run(self, name: str, command: Sequence[str]) -> Path:
        """The log. Raises `UserError` with the program's line, or after the time."""
        log = self.folder / f"{name}.log"
        said = 0.0

        def tick(seconds: float) -> None:
            nonlocal said
            if seconds - said >= TICK:
                said = seconds
                print(f"map {self.what}: {name}, {seconds:.0f} of at most {self.timeout:.0f} s", flush=True)

        print(f"map {self.what}: {name}", flush=True)
        with log.open("w", encoding="utf-8") as out:
            status, timed_out = supervise(command, self.folder, None, out, self.timeout, tick, 0.2)
        if timed_out:
            raise UserError(
                f"mapping of {self.what} did not end in {self.timeout:g} s (it was {name}): give a larger TIMEOUT or "
                "smaller parameters"
            )
        if status or re.search(r"^(ERROR|Error)\b", log.read_text(errors="replace", encoding="utf-8"), re.MULTILINE):
            raise UserError(f"{Path(command[0]).name} does not take {self.what}: {reason(log)} (log: {shown(log)})")
        return log

    def yosys(self, name: str, program: str, lines: Sequence[str]) -> None:
        """A script of that name."""
        (self.folder / f"{name}.ys").write_text("\n".join([*lines, ""]), encoding="utf-8")
        self.run(name, [program, "-s", f"{name}.ys"])

    def read(self, name: str) -> dict[str, Any]:
        """A netlist that a script wrote."""
        content: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return content

    def write(self, name: str, content: dict[str, Any]) -> None:
        """A netlist for a script."""
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")


def _map(block: Block, params: Mapping[str, int], steps: _Steps, technology: Technology) -> Mapped:
    """Every step, in the folder of `steps`."""
    top, folder = block.rtl_top, steps.folder
    sources, includes = copy_sources(block, folder)
    library = Path(technology.liberty).read_text(encoding="utf-8", errors="replace")
    (folder / "cells.lib").write_text(library, encoding="utf-8")
    (folder / "abc.constr").write_text(
        f"set_driving_cell {technology.driver}\nset_load {1000 * technology.load}\n", encoding="utf-8"
    )
    steps.yosys(
        "reading",
        str(yosys()),
        [read_line(block, params, sources, includes, "--keep-hierarchy"), "write_json read.json"],
    )
    steps.write(
        "merged.json", netlist.fresh_names(netlist.plain_cells(netlist.merge_equal(steps.read("read.json"))), "read")
    )
    words = ["read_json merged.json", f"hierarchy -check -top {top}", *_WORD, "write_json word.json"]
    steps.yosys("optimising", "yosys", words)
    content, shapes = netlist.take_macros(netlist.fresh_names(steps.read("word.json"), "word"), technology)
    steps.write("macros.json", content)
    (folder / "macros.lib").write_text(macros.liberty(shapes, technology), encoding="utf-8")
    lines = ["read_json macros.json", "read_liberty -lib macros.lib", f"hierarchy -check -top {top}", *_CELLS]
    abc = "+" + ";".join(command.replace(" ", ",") for command in _ABC)
    lines += ["dfflibmap -liberty cells.lib"]
    lines += [f"abc -liberty cells.lib -constr abc.constr -D {technology.target} -script {abc}"]
    lines += ["setundef -zero", "opt_clean -purge", "check -mapped"]
    steps.yosys(
        "mapping", "yosys", [*lines, "write_json mapped.json", "write_verilog -noattr -noexpr -simple-lhs mapped.v"]
    )
    found = _measured(netlist.counted(steps.read("mapped.json"), top), cell_areas(library), shapes, technology)
    (folder / "timing.tcl").write_text(_timing(top, technology, technology.target / 1000), encoding="utf-8")
    log = steps.run("timing", ["sta", "-no_splash", "-exit", "timing.tcl"])
    verilog = (folder / "mapped.v").read_text(encoding="utf-8")
    reports = log.read_text(encoding="utf-8", errors="replace").split(_BETWEEN)
    if len(reports) != 2:
        raise UserError(f"OpenSTA did not report: see {shown(log)}")
    longest, inside = (read_path(report, technology.target / 1000, verilog, top) for report in reports)
    if longest is None:
        raise UserError("OpenSTA found no path from a register or an input to a register or an output")
    found.path, found.inside, found.params = longest, inside, dict(params)
    return found


def _measured(
    counts: Mapping[str, tuple[int, Counter[str]]],
    areas: Mapping[str, float],
    shapes: set[Macro],
    technology: Technology,
) -> Mapped:
    """Areas. Raises `UserError` for a cell that is in neither library, or without an area in it."""
    named = {macro.name: macro for macro in shapes}
    mapped = Mapped({}, technology.name)
    for module, (times, kinds) in counts.items():
        own = 0.0
        for kind, count in kinds.items():
            if kind in named:
                mapped.memories[named[kind]] += times * count
                mapped.memory_area += times * count * technology.area(named[kind])
            elif areas.get(kind, 0) > 0:
                mapped.cells[kind] += times * count
                own += count * areas[kind]
            else:
                raise UserError(f"{module} has {count} cells {kind}, which have no area in {technology.name}")
        mapped.modules[module] = (times, own)
        mapped.cell_area += times * own
    return mapped


def map_block(
    block: Block, given: Mapping[str, int], technology: Technology, timeout: float = DEFAULT_TIMEOUT
) -> Mapped:
    """`block` with these parameters in cells of the library. Prints the steps as they begin.

    Raises `UserError` where a program or the library is missing, where a program does not take the RTL, with its line,
    and after `timeout` seconds of a step.
    """
    packages = dict(PROGRAMS)
    if not Path(technology.liberty).is_file():
        packages[technology.liberty] = technology.package
    require_programs(packages, "MAP=1")
    params = block.resolve_params(given)
    what = f"{block.name} {shown_params(params)}".strip()
    folder = BUILD / "cells" / block.name / ("-".join(f"{k}{v}" for k, v in params.items()) or "default")
    start = time.monotonic()
    prepare()
    with locked(folder.with_name(folder.name + ".lock")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mapped = _map(block, params, _Steps(what, folder, timeout), technology)
        mapped.seconds = time.monotonic() - start
    return mapped


def map_all(
    block: Block, given: Mapping[str, int], beside: Mapping[str, tuple[Block, Mapping[str, int]]], timeout: float
) -> tuple[Mapped, dict[str, Mapped]]:
    """(the block, what stands beside it, by name), one after the other: a mapping takes gigabytes."""
    technology = Technology.load_file()
    mapped = map_block(block, given, technology, timeout)
    return mapped, {name: map_block(each, params, technology, timeout) for name, (each, params) in beside.items()}


def area_table(designs: Mapping[str, Mapped]) -> Table:
    """Area and time of several designs."""
    columns = ["", "area, mm2", "cells, mm2", "memories, mm2", "memory bits", "without clock", "longest path", "inside"]
    table = Table(*columns, box=box.SIMPLE)
    for name, each in designs.items():
        assert each.path
        areas = [f"{area / 1e6:.3f}" for area in (each.area, each.cell_area, each.memory_area)]
        inside = f"{each.inside.ns:.2f} ns" if each.inside else "none"
        bits = [f"{each.memory_bits:,}", f"{each.unclocked_bits:,}"]
        table.add_row(name, *areas, *bits, f"{each.path.ns:.2f} ns", inside)
    return table


def path_lines(mapped: Mapped) -> list[str]:
    """Where the longest path and the longest between registers lie."""
    paths = {"longest path": mapped.path, "between registers": mapped.inside}
    return [f"{what}: {path.ns:.2f} ns from {path.start} to {path.end}" for what, path in paths.items() if path]


def module_table(mapped: Mapped) -> Table:
    """Cells by module, the largest first."""
    table = Table("module", "times", "cells of one, um2", "share", title="cells by module", box=box.SIMPLE)
    order = sorted(mapped.modules.items(), key=lambda entry: -entry[1][0] * entry[1][1])
    for name, (times, area) in order:
        table.add_row(name, str(times), f"{area:,.0f}", f"{times * area / (mapped.cell_area or 1):.1%}")
    return table


def report(block: Block, params: Mapping[str, int], dense: bool, timeout: float, path: Path | None) -> int:
    """Maps a block, prints and reports what came of it; `dense`: beside the dense arrays."""
    facts: dict[str, Any] = {"block": block.name}
    shared = {
        name: value for name, value in params.items() if name in DENSE.params and value in DENSE.params[name].legal
    }
    beside = {name: (DENSE, {**shared, **kind}) for name, kind in KINDS.items()} if dense else {}
    try:
        mapped, others = map_all(block, params, beside, timeout)
    except UserError as error:
        write_report(path, facts | {"parameters": params, "status": "error", "error": str(error)})
        raise
    console = wide(120)
    console.print(module_table(mapped))
    console.print(area_table({block.name: mapped, **others}))
    print("\n".join(path_lines(mapped)))
    facts |= {"status": "pass", **mapped.as_dict(), **{name: each.as_dict() for name, each in others.items()}}
    write_report(path, facts)
    print(
        f"PASS synth of {block.name}: {mapped.area / 1e6:.3f} mm2, {mapped.cells.total():,} cells, "
        f"{mapped.memory_bits:,} memory bits ({mapped.unclocked_bits:,} read without a clock), {mapped.library}"
    )
    return 0
