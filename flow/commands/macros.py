"""Memories of a mapped netlist: a model of their area and access time, as cells that a timing tool can read.

No generator of memories is at hand, so every figure is a formula over words, bits and ports; data/cells/osu018.hjson
holds its numbers. An array of `words` x `width` bits with p ports takes

    (cell_width x width + row_cells x cell_width x p) x (cell_height x words x p + column_cells x cell_height x p)

so a port adds a cell's height to each word and its share of the periphery. Data are there `access_base + access_step x
log2(bits)` after the clock (read port with a clock) or after the address (without one: no SRAM reads like that).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.common.files import FileError, read_hjson
from tb.lib.errors import UserError
from tb.lib.paths import ROOT

OSU018 = ROOT / "data" / "cells" / "osu018.hjson"


@dataclass(frozen=True)
class Macro:
    """A shape of memory: `masks` write enables, each of a write port; `clocked`: its read ports have a register;
    `shared`: one port reads or writes, at one address."""

    words: int
    width: int
    reads: int
    writes: int
    masks: int
    address: int
    clocked: bool
    shared: bool = False

    @property
    def ports(self) -> int:
        """Reads and writes in the same cycle."""
        return 1 if self.shared else self.reads + self.writes

    @property
    def name(self) -> str:
        """Of the cell."""
        kind = "sync" if self.clocked else "async"
        ports = "1rw" if self.shared else f"{self.reads}r{self.writes}w"
        return f"mem_{self.words}x{self.width}_{ports}_{self.masks}m_{kind}"

    @property
    def bits(self) -> int:
        """It holds."""
        return self.words * self.width


@dataclass(frozen=True)
class Technology:
    """A file like data/cells/osu018.hjson."""

    name: str
    liberty: str
    package: str
    driver: str
    load: float
    target: int
    least_words: int
    least_bits: int
    cell_width: float
    cell_height: float
    column_cells: int
    row_cells: int
    access_base: float
    access_step: float
    setup: float
    pin: float

    @classmethod
    def load_file(cls, path: Path = OSU018) -> Technology:
        """Raises `UserError`, one line, for a file that does not hold these values."""
        try:
            return cls(**read_hjson(path))
        except FileError as error:
            raise UserError(str(error)) from None
        except TypeError as error:
            raise UserError(f"{path}: {error}") from None

    def is_macro(self, words: int, width: int) -> bool:
        """Whether an array is a memory, not flip-flops."""
        return words >= self.least_words and words * width >= self.least_bits

    def area(self, macro: Macro) -> float:
        """In um2."""
        ports = macro.ports
        wide = self.cell_width * (macro.width + self.row_cells * ports)
        high = self.cell_height * ports * (macro.words + self.column_cells)
        return wide * high

    def access(self, macro: Macro) -> float:
        """Ns from the clock, or from the address, to the data."""
        return self.access_base + self.access_step * math.log2(macro.bits)


def _arc(related: str, kind: str, **values: float) -> str:
    tables = " ".join(f'{name}(scalar) {{ values("{value:.4f}"); }}' for name, value in values.items())
    return f'timing() {{ related_pin : "{related}"; timing_type : {kind}; {tables} }}'


def _bus(name: str, width: int, direction: str, body: str) -> str:
    return f"bus({name}) {{ bus_type : b{width}; direction : {direction}; {body} }}"


def _cell(macro: Macro, technology: Technology) -> tuple[str, set[int]]:
    """(text, widths of its buses)."""
    widths = {
        "RD_ADDR": macro.reads * macro.address,
        "RD_DATA": macro.reads * macro.width,
        "WR_ADDR": macro.writes * macro.address,
        "WR_DATA": macro.writes * macro.width,
        "WR_EN": macro.masks,
    }
    pin = f"capacitance : {technology.pin};"
    setup = pin + _arc("CLK", "setup_rising", rise_constraint=technology.setup, fall_constraint=technology.setup)
    access = technology.access(macro)
    delays = {"cell_rise": access, "cell_fall": access, "rise_transition": 0.1, "fall_transition": 0.1}
    if macro.clocked:
        out, address = _arc("CLK", "rising_edge", **delays), setup
        widths["RD_EN"] = macro.reads
    else:
        out, address = _arc("RD_ADDR", "combinational", **delays), pin
    bodies = {"RD_ADDR": address, "RD_EN": setup, "WR_ADDR": setup, "WR_DATA": setup, "WR_EN": setup}
    lines = [f"cell({macro.name}) {{ area : {technology.area(macro):.1f}; dont_touch : true;"]
    lines += [f"  pin(CLK) {{ direction : input; clock : true; {pin} }}"]
    for name, width in widths.items():
        direction, body = ("output", out) if name == "RD_DATA" else ("input", bodies[name])
        lines.append("  " + _bus(name, width, direction, body))
    return "\n".join([*lines, "}"]), set(widths.values())


def liberty(macros: Iterable[Macro], technology: Technology) -> str:
    """A library of these memories, in Liberty."""
    cells = [_cell(macro, technology) for macro in sorted(set(macros), key=lambda macro: macro.name)]
    types = [
        f"type(b{width}) {{ base_type : array; data_type : bit; bit_width : {width}; bit_from : {width - 1}; "
        "bit_to : 0; downto : true; }"
        for width in sorted(set().union(*(widths for _, widths in cells)))
    ]
    head = ["library(macros) {", 'time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1uA";']
    head += ['pulling_resistance_unit : "1kohm"; leakage_power_unit : "1nW"; capacitive_load_unit (1,pf);']
    head += ["delay_model : table_lookup; nom_voltage : 1.8; nom_temperature : 25; nom_process : 1;"]
    head += [f"{name}_threshold_pct_{edge} : 50;" for name in ("input", "output") for edge in ("rise", "fall")]
    head += [
        f"slew_{end}_threshold_pct_{edge} : {at};"
        for end, at in (("lower", 20), ("upper", 80))
        for edge in ("rise", "fall")
    ]
    return "\n".join([*head, *types, *(text for text, _ in cells), "}", ""])
