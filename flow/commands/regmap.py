"""`make regs`: the files made from the register map (models/regs/map.py): the constants of the RTL
(rtl/top/top_reg_pkg.sv) and the tables for a reader (docs/top/registers.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flow.core.made import stale, write_stale
from models.regs.map import ACCESSES, ADDRESS_BITS, SOURCE, WORD_BITS, MapError, Register, RegisterMap, load_map
from tb.lib.paths import ROOT, shown

PACKAGE = ROOT / "rtl/top/top_reg_pkg.sv"
TABLE = ROOT / "docs/top/registers.md"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _struct_lines(register: Register) -> Iterator[str]:
    """A register of several fields as a packed struct, with the bits of no field as spare ones."""

    def member(name: str, width: int) -> str:
        return f"    logic{f' [{width - 1}:0]' if width > 1 else ''} {name};"

    yield "  typedef struct packed {"
    end = WORD_BITS
    for field in sorted(register.fields, key=lambda field: field.low, reverse=True):
        above = field.low + field.width
        if end > above:
            yield member(f"spare{above}", end - above)
        yield member(field.name, field.width)
        end = field.low
    if end:
        yield member("spare0", end)
    yield f"  }} {register.name.lower()}_t;"


def _package_lines(regs: RegisterMap) -> Iterator[str]:
    def constant(name: str, value: int, note: str = "", width: int = 0) -> str:
        number = str(value) if value <= WORD_BITS else f"'h{value:x}"
        kind = f"logic [{width - 1}:0]" if width else "int"
        if width:
            number = f"{width}'d{value}" if value <= WORD_BITS else f"{width}'h{value:x}"
        return f"  parameter {kind} {name} = {number};" + (f"  // {note}" if note else "")

    yield "// Registers of the processor: byte addresses, reset values, fields."
    yield f"// Made from {SOURCE.name} by `make regs`: change that file."
    yield f"package {regs.name}_reg_pkg;"
    yield "  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no module uses every entry"
    for register in regs.registers:
        name = _camel(register.name)
        yield ""
        yield f"  // {register.name}, {ACCESSES[register.access]}"
        yield constant(f"Addr{name}", register.offset, width=ADDRESS_BITS)
        if register.count > 1:
            yield constant(f"Count{name}", register.count, width=ADDRESS_BITS)
        yield constant(f"Reset{name}", register.reset, width=WORD_BITS)
        yield constant(f"Mask{name}", register.mask, "bits of fields", WORD_BITS)
        for field in register.fields:
            yield constant(f"{name}{_camel(field.name)}", field.low, field.bits)
            yield constant(f"{name}{_camel(field.name)}W", field.width)
        if len(register.fields) > 1:
            yield from _struct_lines(register)
    for window in regs.windows:
        name = _camel(window.name)
        yield ""
        yield f"  // window {window.name}, {ACCESSES[window.access]}"
        yield constant(f"Window{name}", window.offset)
        yield constant(f"Window{name}Size", window.size)
        yield constant(f"Window{name}Count", window.count)
    yield "  /* verilator lint_on UNUSEDPARAM */"
    yield from _decode_lines(regs)
    yield "endpackage"


def _decode_lines(regs: RegisterMap) -> Iterator[str]:
    """Which register a word of the map's own part is, and what the access policies and fields say of it."""
    count = len(regs.registers)

    def allowed(name: str, *accesses: str) -> str:
        bits = sum(1 << at for at, register in enumerate(regs.registers) if register.access in accesses)
        return f"  parameter logic [{count - 1}:0] {name} = {count}'h{bits:x};"

    def found(register: Register) -> str:
        first, last = register.offset // 4, register.offset // 4 + register.count
        below = f" && word < 14'h{last:x}" if register.count > 1 else ""
        return f"word {'>=' if below else '=='} 14'h{first:x}{below}"

    yield ""
    yield "  // A register, a bit each: the one that is accessed, none if there is none at the address."
    yield "  typedef struct packed {"
    yield from (f"    logic {register.name.lower()};" for register in reversed(regs.registers))
    yield "  } at_t;"
    yield "  /* verilator lint_off UNUSEDPARAM */  // by the port alone"
    yield f"  parameter int Registers = {count};"
    yield allowed("Readable", "ro", "rw", "w1c")
    yield allowed("Writable", "rw", "wo", "w1c")
    yield "  /* verilator lint_on UNUSEDPARAM */"
    yield ""
    yield "  function automatic at_t at_of(input logic [13:0] word);"
    rows = [found(register) for register in reversed(regs.registers)]
    yield "    at_of = {"
    yield from (f"      {row}{',' if at < count - 1 else ''}" for at, row in enumerate(rows))
    yield "    };"
    yield "  endfunction"
    yield ""
    yield "  // Bits that may be written as 1."
    yield "  /* verilator lint_off UNUSEDSIGNAL */  // those whose bits are all of fields"
    yield "  function automatic logic [31:0] mask_of(input at_t at);"
    partly = [
        register
        for register in regs.registers
        if register.access in ("rw", "wo", "w1c") and register.mask != (1 << WORD_BITS) - 1
    ]
    yield "    mask_of = '1;"
    yield from (f"    if (at.{each.name.lower()}) mask_of = Mask{_camel(each.name)};" for each in partly)
    yield "  endfunction"
    yield "  /* verilator lint_on UNUSEDSIGNAL */"


def _table_lines(regs: RegisterMap) -> Iterator[str]:
    yield "# Registers of the processor"
    yield ""
    yield (
        "Made from `rtl/top/registers.hjson` by `make regs`; what the registers do stands in "
        "[the processor](README.md). Addresses are in bytes. Bits of no field read 0 and must be written as 0."
    )
    yield ""
    yield "| address | register | access | reset | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for register in regs.registers:
        last = f" .. {register.addresses[-1]:#05x}" if register.count > 1 else ""
        name = f"`{register.name}`" + (f" 0..{register.count - 1}" if register.count > 1 else "")
        reset = "-" if register.access == "wo" else f"{register.reset:#x}"
        access = ACCESSES[register.access] + (", volatile" if register.volatile else "")
        yield f"| {register.offset:#05x}{last} | {name} | {access} | {reset} | {register.doc} |"
    for window in regs.windows:
        access = ACCESSES[window.access]
        yield f"| {window.offset:#05x} .. {window.end - 1:#05x} | window `{window.name}` | {access} | | {window.doc} |"
    yield ""
    yield "*Volatile*: the processor changes it; its reset value holds until then (`PARAMS`: those of the instance)."
    yield ""
    yield "## Fields"
    yield "| register | bits | field |"
    yield "| --- | --- | --- |"
    for register in regs.registers:
        for field in register.fields:
            yield f"| `{register.name}` | {field.bits} | `{field.name}` |"


def made_files(regs: RegisterMap) -> dict[Path, str]:
    """Content of every file that is made from the map. Raises `MapError` if two constants would have one name."""
    package = "\n".join(_package_lines(regs)) + "\n"
    names = re.findall(r"parameter (?:int|logic \[\d+:0\]) (\w+)", package)
    for name in names:
        if names.count(name) > 1:
            raise MapError(f"{shown(SOURCE)}: two constants are called {name}: rename a field or a register")
    return {PACKAGE: package, TABLE: "\n".join(_table_lines(regs)) + "\n"}


def make_files(regs: RegisterMap) -> list[Path]:
    """Writes the files that are not up to date; returns them."""
    return write_stale(made_files(regs))


def stale_files() -> list[str]:
    """A finding for the map if it has an error, otherwise for each made file that is not what it makes."""
    try:
        made = made_files(load_map())
    except MapError as error:
        return [str(error)]
    return [f"{shown(path)}: is not what {shown(SOURCE)} makes: run `make regs`" for path in stale(made)]
