"""`make synth`: what a block costs in hardware, by Yosys.

The RTL (SYNTHESIS defined, so without assertions) is read by Yosys' slang front end, flattened and optimised at word
level (`opt -full`, `wreduce`). Counted in that netlist:

- *multipliers*: `$mul` cells with the widths that are left when unused and repeated sign bits are taken off (an
  unsigned operand of a signed product keeps a sign bit). Products with a constant, which become adders or wires, are
  counted apart;
- *flip-flop bits*, and *memory bits*: arrays that are left as memories (`memory -nomap -nordff`: their read registers
  are flip-flops).

As an option the netlist is mapped to two-input gates (`alumacc`, `techmap`, `opt -fast`): AND, OR, XOR, inverters and
2:1 multiplexers, of everything but flip-flops and memories. No logic minimisation and no library: the figures compare
cores with one another, they are no area.

Modules are told by the source file of a cell, as every module has a file of its own name. Of gates, those of
multipliers, mainly, lose it in the mapping: they are counted under `other`. A folder
build/synth/<block>/<parameters>/ holds a copy of the sources, script, log and netlist of each run.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from flow.core import blocks, options
from flow.core.options import Option, command
from flow.core.output import wide, write_report
from flow.core.processes import locked, run_all, supervise
from flow.core.tools import yosys
from flow.core.values import Flag
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT, shown

DEFAULT_TIMEOUT = 1800.0
PREPARE_TIMEOUT = 600.0
TICK = 15.0  # seconds between signs of life
GATES = ("AND", "OR", "XOR", "NOT", "MUX")
_STEP = "TS_STEP "
_WORD = (
    "hierarchy -check",
    "proc",
    "opt -full",
    "wreduce",
    "peepopt",
    "opt_clean",
    "opt -full",
    "wreduce",
    "opt_clean",
    "memory -nomap -nordff",
    "opt_clean",
    "check -assert",
)
_MAP = ("alumacc", "opt", "techmap", "opt -fast")


@dataclass(frozen=True)
class Multiplier:
    """A kind of multiplier: operand widths, the wider first, and the module that it is in."""

    a: int
    b: int
    signed: bool
    module: str


@dataclass(frozen=True)
class MemoryKind:
    """A shape of memory: words and bits of a word."""

    words: int
    width: int
    module: str


@dataclass
class Cost:
    """What a netlist is made of. `constant_products`: `$mul` cells with a constant operand. `gates` by module, None if
    not asked for; `gate_kinds` by kind of gate."""

    params: dict[str, int]
    multipliers: Counter[Multiplier] = field(default_factory=Counter)
    constant_products: int = 0
    flip_flops: Counter[str] = field(default_factory=Counter)
    memories: Counter[MemoryKind] = field(default_factory=Counter)
    gates: Counter[str] | None = None
    gate_kinds: dict[str, int] | None = None
    seconds: float = 0.0

    @property
    def memory_bits(self) -> int:
        """Of all memories."""
        return sum(kind.words * kind.width * count for kind, count in self.memories.items())

    @property
    def partial_products(self) -> int:
        """Bits of the partial products of all multipliers: the sum of a x b, by which sizes are compared."""
        return sum(kind.a * kind.b * count for kind, count in self.multipliers.items())

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        out: dict[str, Any] = {
            "parameters": self.params,
            "multipliers": self.multipliers.total(),
            "partial_product_bits": self.partial_products,
            "constant_products": self.constant_products,
            "flip_flop_bits": self.flip_flops.total(),
            "memory_bits": self.memory_bits,
            "multiplier_kinds": [
                {"a": kind.a, "b": kind.b, "signed": kind.signed, "module": kind.module, "count": count}
                for kind, count in sorted(self.multipliers.items(), key=str)
            ],
            "flip_flop_bits_of_modules": dict(self.flip_flops.most_common()),
            "memory_kinds": [
                {"words": kind.words, "width": kind.width, "module": kind.module, "count": count}
                for kind, count in sorted(self.memories.items(), key=str)
            ],
            "seconds": round(self.seconds, 1),
        }
        if self.gates is not None:
            out |= {
                "gates": self.gates.total(),
                "gate_kinds": self.gate_kinds,
                "gates_of_modules": dict(self.gates.most_common()),
            }
        return out


def shown_params(params: Mapping[str, int]) -> str:
    """As on make's command line."""
    return " ".join(f"{name}={value}" for name, value in params.items())


def copy_sources(block: Block, folder: Path) -> tuple[list[str], list[str]]:
    """Copies RTL and include files into `folder`, the only place that Yosys' sandbox is sure to reach: (sources,
    include folders), relative to it."""
    sources: list[str] = []
    for name in block.rtl:
        place = f"rtl/{Path(name).name}" if Path(name).is_absolute() else name
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / place)
        sources.append(place)
    for name in block.include_dirs:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for path in (ROOT / name).glob("*.svh"):
            shutil.copyfile(path, folder / name / path.name)
    return sources, list(block.include_dirs)


def read_line(
    block: Block, params: Mapping[str, int], sources: Sequence[str], includes: Sequence[str], *flags: str
) -> str:
    """The command that reads a block with Yosys' slang front end; `flags` of its own beside those of all."""
    words = ["read_slang", "-j", "1", *flags, "-DSYNTHESIS", *(f"-I{name}" for name in includes)]
    words += ["--top", block.rtl_top]
    for name, value in block.device_params(params).items():
        words += ["-G", f"{name}={value}"]
    return " ".join([*words, *sources])


def _script(
    block: Block, params: Mapping[str, int], sources: Sequence[str], includes: Sequence[str], gates: bool
) -> str:
    """Yosys commands, a line each."""
    lines = [read_line(block, params, sources, includes), f"log {_STEP}optimising", *_WORD]
    lines += ["write_json netlist.json"]
    if gates:
        lines += [f"log {_STEP}mapping to gates", *_MAP, "tee -q -o gates.json stat -json"]
        # A gate belongs to the first module that its source names; the rest has none.
        lines += ["select -set rest " + " ".join(f"t:$_{gate}_" for gate in GATES)]
        for name in sources:
            mine = f"@rest a:src=*{name}:*"
            lines += [f"tee -q -a gates.txt select -count {mine} %i", f"select -set rest {mine} %d"]
        lines += ["tee -q -a gates.txt select -count @rest"]
    return "\n".join([*lines, ""])


def _number(value: Any) -> int:
    """A cell's parameter: JSON has it as binary digits."""
    return int(value, 2) if isinstance(value, str) else int(value)


def read_netlist(netlist: Mapping[str, Any], params: Mapping[str, int]) -> Cost:
    """Counts the cells of a flat netlist as `write_json` writes it."""
    cost = Cost(dict(params))
    (module,) = netlist["modules"].values()
    for cell in module["cells"].values():
        kind, values = cell["type"], cell["parameters"]
        source = re.search(r"([^/|]+)\.sv:", cell["attributes"].get("src", ""))
        owner = source[1] if source else "other"
        if kind == "$mul":
            if any(all(isinstance(bit, str) for bit in cell["connections"][port]) for port in "AB"):
                cost.constant_products += 1
                continue
            b, a = sorted((_number(values["A_WIDTH"]), _number(values["B_WIDTH"])))
            cost.multipliers[Multiplier(a, b, bool(_number(values["A_SIGNED"])), owner)] += 1
        elif re.fullmatch(r"\$\w*(dff|ff|latch)\w*|\$sr", kind):
            cost.flip_flops[owner] += _number(values["WIDTH"])
        elif kind == "$mem_v2":
            cost.memories[MemoryKind(_number(values["SIZE"]), _number(values["WIDTH"]), owner)] += 1
    return cost


def _read_gates(folder: Path, sources: Sequence[str]) -> tuple[Counter[str], dict[str, int]]:
    counts = [
        int(text)
        for text in re.findall(r"^(\d+) objects", (folder / "gates.txt").read_text(encoding="utf-8"), re.MULTILINE)
    ]
    owners = [*(Path(name).stem for name in sources), "other"]
    by_type = json.loads((folder / "gates.json").read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
    kinds = {gate: int(by_type.get(f"$_{gate}_", 0)) for gate in GATES}
    gates = Counter({owner: count for owner, count in zip(owners, counts, strict=True) if count})
    if gates.total() != sum(kinds.values()):
        raise UserError(f"the gates of the modules do not add up: see {shown(folder)}")
    return gates, kinds


def reason(log: Path) -> str:
    """The line of Yosys' log that says what is wrong: slang's first error, else the first finding of its `check`, else
    its own error, else the last line."""
    lines = [line.strip() for line in log.read_text(errors="replace", encoding="utf-8").splitlines() if line.strip()]
    check = r"^Warning: found logic loop|^Warning: multiple"
    for pattern in (r"^\S+:\d+: ERROR: ", check, r"^ERROR: ", r"error|exception"):
        for line, behind in zip(lines, [*lines[1:], ""], strict=True):
            if re.search(pattern, line):
                return f"{line} {behind}" if line.endswith(":") else line
    return lines[-1] if lines else "no output"


_prepared = threading.Lock()


def prepare() -> None:
    """Makes Yosys ready: its first start on a machine compiles the program, which is then cached."""
    log = BUILD / "synth" / "prepare.log"
    told = False

    def tick(_: float) -> None:
        nonlocal told
        if not told and "Preparing" in log.read_text(errors="replace", encoding="utf-8"):
            told = True
            print("preparing Yosys (once on this machine, about a minute) ...", flush=True)

    log.parent.mkdir(parents=True, exist_ok=True)
    # One lock for all that use this .venv: the cache is not written atomically.
    with _prepared, locked(Path(sys.prefix) / "yosys.lock"):
        with log.open("w", encoding="utf-8") as out:
            status, timed_out = supervise([str(yosys()), "-V"], BUILD, None, out, PREPARE_TIMEOUT, tick, 1.0)
    if timed_out:
        raise UserError(f"Yosys was not ready after {PREPARE_TIMEOUT:.0f} s: see {shown(log)}")
    if status:
        raise UserError(f"Yosys does not start: {reason(log)}")


def synthesise(block: Block, given: Mapping[str, int], gates: bool = False, timeout: float = DEFAULT_TIMEOUT) -> Cost:
    """The cost of `block` with these parameters. Prints the steps as they begin.

    Raises `UserError` where Yosys does not take the RTL, with its line, and after `timeout` seconds.
    """
    params = block.resolve_params(given)
    what = f"{block.name} {shown_params(params)}".strip()
    folder = BUILD / "synth" / block.name / ("-".join(f"{k}{v}" for k, v in params.items()) or "default")
    start = time.monotonic()
    step, said = "reading", 0.0

    def tick(seconds: float) -> None:
        nonlocal step, said
        steps = re.findall(rf"^{_STEP}(.+)$", log.read_text(errors="replace", encoding="utf-8"), re.MULTILINE)
        if steps and steps[-1] != step:
            step, said = steps[-1], seconds
            print(f"synth {what}: {step}", flush=True)
        elif seconds - said >= TICK:
            said = seconds
            print(f"synth {what}: {step}, {seconds:.0f} of at most {timeout:.0f} s", flush=True)

    prepare()
    with locked(folder.with_name(folder.name + ".lock")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        sources, includes = copy_sources(block, folder)
        (folder / "script.ys").write_text(_script(block, params, sources, includes, gates), encoding="utf-8")
        log = folder / "yosys.log"
        print(f"synth {what}: {step}", flush=True)
        with log.open("w", encoding="utf-8") as out:
            command = [str(yosys()), "-s", "script.ys"]
            status, timed_out = supervise(command, folder, None, out, timeout, tick, 0.5)
        if timed_out:
            raise UserError(
                f"synthesis of {what} did not end in {timeout:g} s (it was {step}): give a larger TIMEOUT or smaller "
                f"parameters{', or leave GATES out' if gates else ''}"
            )
        if status:
            raise UserError(f"Yosys does not take {what}: {reason(log)} (log: {shown(log)})")
        cost = read_netlist(json.loads((folder / "netlist.json").read_text(encoding="utf-8")), params)
        if gates:
            cost.gates, cost.gate_kinds = _read_gates(folder, sources)
    cost.seconds = time.monotonic() - start
    return cost


def synthesise_all(
    block: Block, given: Mapping[str, int], gates: bool, timeout: float, jobs: int = 2
) -> tuple[Cost, dict[str, Cost]]:
    """(the block with its parameters, its variants with the others as given, by name)."""
    base = block.resolve_params(given)
    sets = {name: {**base, **params} for name, params in block.synth_variants.items()}
    wanted = [base, *(params for params in sets.values() if params != base)]
    costs = run_all([lambda params=params: synthesise(block, params, gates, timeout) for params in wanted], jobs)
    return costs[0], {name: next(cost for cost in costs if cost.params == params) for name, params in sets.items()}


def cost_tables(cost: Cost) -> list[Table]:
    """For a person: multipliers, memories, and totals by module."""
    tables: list[Table] = []
    if cost.multipliers:
        table = Table("count", "operands", "module", title="multipliers", box=box.SIMPLE)
        order = sorted(cost.multipliers.items(), key=lambda entry: (-entry[0].a * entry[0].b, entry[0].module))
        for kind, count in order:
            table.add_row(str(count), f"{kind.a} x {kind.b} {'signed' if kind.signed else 'unsigned'}", kind.module)
        tables.append(table)
    if cost.memories:
        table = Table("count", "words x bits", "bits", "module", title="memories", box=box.SIMPLE)
        for kind, count in sorted(cost.memories.items(), key=lambda entry: (entry[0].module, -entry[0].words)):
            bits = count * kind.words * kind.width
            table.add_row(str(count), f"{kind.words} x {kind.width}", f"{bits:,}", kind.module)
        tables.append(table)
    columns = ["module", "flip-flop bits", *(["gates"] if cost.gates is not None else [])]
    table = Table(*columns, title="modules", box=box.SIMPLE)
    gates = cost.gates or Counter()
    for name in sorted({*cost.flip_flops, *gates}, key=lambda name: (-cost.flip_flops[name], name)):
        table.add_row(name, f"{cost.flip_flops[name]:,}", *([f"{gates[name]:,}"] if cost.gates is not None else []))
    table.add_section()
    total = [f"{gates.total():,}"] if cost.gates is not None else []
    table.add_row("all", f"{cost.flip_flops.total():,}", *total)
    tables.append(table)
    return tables


_FIGURES = ("multipliers", "partial_product_bits", "flip_flop_bits", "memory_bits", "gates")


def compared(cost: Cost, variants: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    """By figure: the block's, each variant's, the variants' sum, what the block saves of it, and what it is of it."""
    rows: dict[str, dict[str, float]] = {}
    for name in _FIGURES:
        mine, others = cost.as_dict().get(name), {label: each.as_dict().get(name) for label, each in variants.items()}
        if not mine or any(value is None for value in others.values()):
            continue
        both = sum(others.values())
        ratio = round(mine / both, 3) if both else 0.0
        rows[name] = {"block": mine, **others, "sum": both, "shared": both - mine, "ratio": ratio}
    return rows


def comparison_table(block: Block, cost: Cost, variants: Mapping[str, Cost]) -> Table:
    """The block beside its variants and their sum."""
    columns = ["", shown_params(cost.params), *variants, "sum of these", "shared", "of the sum"]
    table = Table(*columns, title=f"{block.name} beside its variants", box=box.SIMPLE)
    for name, row in compared(cost, variants).items():
        cells = [f"{row[key]:,}" for key in ("block", *variants, "sum", "shared")]
        table.add_row(name.replace("_", " "), *cells, f"{row['ratio']:.2f}")
    return table


def synth_options(block: Block) -> list[Option]:
    """What a synthesis of the block takes."""
    return [
        options.BLOCK,
        *options.of_params(block),
        Option("GATES", Flag(), "estimate gates too, which takes minutes", False),
        Option("MAP", Flag(), "map to standard cells instead: area, memories, longest path (minutes)", False),
        Option("DENSE", Flag(), "with MAP: dense 16-bit integer and FP16 arrays beside the block", False),
        options.timeout(DEFAULT_TIMEOUT),
        options.jobs("syntheses"),
        options.REPORT,
    ]


@command(
    "synth",
    of_block=synth_options,
)
def main(**values: Any) -> int:
    """Synthesise a block: multipliers, flip-flops, memories, gates, area and time."""
    block = blocks.get_block(values["BLOCK"])
    params = {name: values[name] for name in block.params}
    if values["DENSE"] and not values["MAP"]:
        raise UserError("DENSE=1 compares areas of cells: give MAP=1 too")
    if values["MAP"] and values["GATES"]:
        raise UserError("GATES=1 counts gates without a library, MAP=1 takes cells of one: give one of them")
    if values["MAP"]:
        from flow.commands.mapping import report

        return report(block, params, values["DENSE"], values["TIMEOUT"], values["REPORT"])
    facts: dict[str, Any] = {"block": block.name}
    try:
        cost, variants = synthesise_all(block, params, values["GATES"], values["TIMEOUT"], values["JOBS"])
    except UserError as error:
        write_report(values["REPORT"], facts | {"parameters": params, "status": "error", "error": str(error)})
        raise
    console = wide(120)
    print(f"{block.name} {shown_params(params)}".strip())
    for table in cost_tables(cost):
        console.print(table)
    facts |= {"status": "pass", **cost.as_dict()}
    if variants:
        console.print(comparison_table(block, cost, variants))
        facts["variants"] = {name: each.as_dict() for name, each in variants.items()}
        facts["compared"] = compared(cost, variants)
    mapped = f"{cost.gates.total():,} gates" if cost.gates is not None else "gates not estimated (GATES=1)"
    print(
        f"PASS synth of {block.name}: {cost.multipliers.total()} multipliers, {cost.constant_products} products "
        f"with constants, {cost.flip_flops.total():,} flip-flop bits, {cost.memory_bits:,} memory bits, {mapped}"
    )
    write_report(values["REPORT"], facts)
    return 0
