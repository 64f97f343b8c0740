"""The device's ports as a bench declares them, tb/<block>/<block>_ports.svh: the list of a block's ports exists once.

A bench top that includes the file has a variable for every port of the device under the port's name, but for those that
are its own ports too, and connects the device with `.*`. Made by `make regs` from the device's source; `make lint` says
when one is stale, and which input of a device its bench never names: nothing would drive it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyslang import SourceManager, parsing, syntax

from flow.commands.filelists import file_of
from flow.core.blocks import all_blocks
from flow.core.made import stale, write_stale
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import ROOT, shown


@dataclass(frozen=True)
class Port:
    """A port of a module: its type, and its name with what dimensions follow it, as the source has them."""

    direction: str
    kind: str
    name: str


def ports_of(path: Path, module: str) -> list[Port]:
    """The ports of a module in order. Raises `UserError` if none can be read."""
    root = syntax.SyntaxTree.fromFile(str(path)).root
    members = root.members if isinstance(root, syntax.CompilationUnitSyntax) else [root]
    found = [
        Port(port.header.direction.rawText, str(port.header.dataType).strip(), str(port.declarator).strip())
        for member in members
        if isinstance(member, syntax.ModuleDeclarationSyntax) and member.header.name.valueText == module
        for port in (member.header.ports.ports if member.header.ports else ())
        if isinstance(port, syntax.ImplicitAnsiPortSyntax)
    ]
    if not found:
        raise UserError(f"{shown(path)}: finds no ports of {module}; declare them in the module's header")
    return found


def device_ports(block: Block) -> list[Port]:
    """The ports of the device of `block` that are none of its bench top."""
    own = {port.name for port in ports_of(ROOT / file_of(block, block.tb_top), block.tb_top)}
    return [port for port in ports_of(ROOT / file_of(block, block.rtl_top), block.rtl_top) if port.name not in own]


def declarations(block: Block) -> str:
    """The text of the file for a block."""
    device = shown(ROOT / file_of(block, block.rtl_top))
    return "\n".join(
        [
            "// verilog_syntax: parse-as-module-body",
            f"// The ports of {block.rtl_top} that are none of {block.tb_top}. Made from {device} by `make regs`.",
            *(f"{port.kind} {port.name};" for port in device_ports(block)),
            "",
        ]
    )


def undriven(block: Block) -> list[str]:
    """Inputs of the device that the bench top, with its macros expanded, names nowhere but in their declaration."""
    manager = SourceManager()
    for folder in block.include_dirs:
        manager.addUserDirectories(str(ROOT / folder))
    named: Counter[str] = Counter()

    def count(each: object) -> None:
        if isinstance(each, parsing.Token) and each.kind == parsing.TokenKind.Identifier:
            named[each.valueText] += 1

    syntax.SyntaxTree.fromFile(str(ROOT / file_of(block, block.tb_top)), manager).root.visit(count)
    return [port.name for port in device_ports(block) if port.direction == "input" and named[port.name] < 2]


def _including() -> Iterator[tuple[Block, Path]]:
    """The blocks whose bench top includes its device's ports, with the file of them."""
    for block in all_blocks():
        bench, name = ROOT / file_of(block, block.tb_top), f"{block.name}_ports.svh"
        if f'`include "{name}"' in bench.read_text(encoding="utf-8"):
            yield block, bench.parent / name


def made_files() -> dict[Path, str]:
    """Content of the file of each block whose bench includes one."""
    return {path: declarations(block) for block, path in _including()}


def make_files() -> list[Path]:
    """Writes the files that are not up to date; returns them."""
    return write_stale(made_files())


def findings() -> list[str]:
    """A finding for each file that is not what the device's ports say, and for each input that a bench forgets."""
    old = [f"{shown(path)}: is not what the ports of the RTL say: run `make regs`" for path in stale(made_files())]
    return old + [
        f"tb/{block.name}/{block.tb_top}.sv: nothing drives {name} of {block.rtl_top}"
        for block, _ in _including()
        for name in undriven(block)
    ]
