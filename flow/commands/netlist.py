"""What happens to a hierarchical netlist in Yosys' JSON between reading and mapping.

- Modules that are the same are made one, so that the mapper sees a row once (`merge_equal`).
- Arrays large enough become black boxes (`take_macros`; flow/commands/macros.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from flow.commands.macros import Macro, Technology

Netlist = dict[str, Any]
Module = dict[str, Any]
_TIES = {"0": "0", "1": "1", "x": "0", "z": "0"}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _labels(module: Module) -> dict[int, str]:
    """Of every bit that belongs to a wire with a name of its own."""
    labels: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if not net.get("hide_name"):
            for at, bit in enumerate(net["bits"]):
                if isinstance(bit, int):
                    labels.setdefault(bit, f"{name}[{at}]")
    return labels


def _fingerprint(module: Module, same: Mapping[str, str]) -> str | None:
    """Equal for modules that are the same but for the names and numbers that Yosys made up. A wire without a name is
    called by the cell that drives it; None if that leaves a wire without one."""
    labels = _labels(module)

    def called(bits: list[int | str]) -> list[str | None]:
        return [bit if isinstance(bit, str) else labels.get(bit) for bit in bits]

    todo, cells = list(module["cells"].values()), []
    while todo:
        rest = []
        for cell in todo:
            driven = {port for port, direction in cell["port_directions"].items() if direction == "output"}
            wires = {port: called(bits) for port, bits in cell["connections"].items() if port not in driven}
            if any(wire is None for each in wires.values() for wire in each):
                rest.append(cell)
                continue
            kind = _digest([same.get(cell["type"], cell["type"]), cell["parameters"], wires])
            for port in driven:
                for at, bit in enumerate(cell["connections"][port]):
                    if isinstance(bit, int):
                        labels.setdefault(bit, f"{kind} {port}[{at}]")
            cells.append([kind, {port: called(cell["connections"][port]) for port in driven}])
        if len(rest) == len(todo):
            return None
        todo = rest
    ports = {name: [port["direction"], called(port["bits"])] for name, port in module["ports"].items()}
    memories = {
        name: [each["width"], each["size"], each["start_offset"]] for name, each in module.get("memories", {}).items()
    }
    return _digest([ports, memories, sorted(cells, key=json.dumps)])


def merge_equal(netlist: Netlist) -> Netlist:
    """Keeps one of several equal modules, under the name of its source with a number where that is not enough."""
    modules: dict[str, Module] = netlist["modules"]
    same: dict[str, str] = {}
    seen: dict[object, str] = {}
    kept: dict[str, Module] = {}
    numbers: Counter[str] = Counter()

    def visit(name: str) -> None:
        if name in same:
            return
        for cell in modules[name]["cells"].values():
            if cell["type"] in modules:
                visit(cell["type"])
        base = name.split("$")[0]
        mark = _fingerprint(modules[name], same)
        key = (base, mark) if mark else name
        if key not in seen:
            numbers[base] += 1
            seen[key] = base if numbers[base] == 1 else f"{base}_{numbers[base]}"
            kept[seen[key]] = modules[name]
        same[name] = seen[key]

    for name in modules:
        visit(name)
    for module in kept.values():
        for cell in module["cells"].values():
            cell["type"] = same.get(cell["type"], cell["type"])
    return {**netlist, "modules": kept}


def plain_cells(netlist: Netlist) -> Netlist:
    """Writes what older releases of Yosys lack in other words: `$buf`, `$bwmux`. Names of instances become plain."""
    for module in netlist["modules"].values():
        cells: dict[str, Any] = {}
        for name, cell in module["cells"].items():
            parameters, wires = cell["parameters"], cell["connections"]
            if cell["type"] == "$buf":
                width = parameters["WIDTH"]
                cell |= {"type": "$pos", "parameters": {"A_SIGNED": "0", "A_WIDTH": width, "Y_WIDTH": width}}
            elif cell["type"] == "$bwmux":
                for at, bits in enumerate(zip(*(wires[port] for port in "ABSY"), strict=True)):
                    cells[f"{name}_{at}"] = {
                        "hide_name": 1,
                        "type": "$_MUX_",
                        "parameters": {},
                        "attributes": {},
                        "port_directions": {port: "output" if port == "Y" else "input" for port in "ABSY"},
                        "connections": {port: [bit] for port, bit in zip("ABSY", bits, strict=True)},
                    }
                continue
            plain = name if cell["type"].startswith("$") else re.sub(r"\W+", "_", name).strip("_")
            cells[plain] = cell
        module["cells"] = cells
    return netlist


def fresh_names(netlist: Netlist, tag: str) -> Netlist:
    """Renames what Yosys named: another run counts from the start again and would meet its own names."""
    for module in netlist["modules"].values():
        for kind in ("cells", "netnames"):
            module[kind] = {
                f"${tag}_{kind}${at}" if name.startswith("$") else name: each
                for at, (name, each) in enumerate(module[kind].items())
            }
    return netlist


def _number(value: Any) -> int:
    """A parameter: binary digits, or a number; x counts as 0."""
    return int(re.sub("[^01]", "0", value) or "0", 2) if isinstance(value, str) else int(value)


def _macro(cell: Mapping[str, Any], technology: Technology) -> tuple[Macro, dict[str, Any]] | None:
    """(shape, connections) of a `$mem_v2` cell; None for one that is no macro: small, or without a writer."""
    values = {name: _number(value) for name, value in cell["parameters"].items() if name != "INIT"}
    words, width = values["SIZE"], values["WIDTH"]
    if not values["WR_PORTS"] or not values["RD_PORTS"] or not technology.is_macro(words, width):
        return None
    wires: dict[str, Any] = cell["connections"]
    # One enable for bits that are written together.
    masks = list(dict.fromkeys(wires["WR_EN"]))
    clocked = values["RD_CLK_ENABLE"] != 0
    shared = clocked and wires["RD_ADDR"] == wires["WR_ADDR"]  # of one port each
    macro = Macro(words, width, values["RD_PORTS"], values["WR_PORTS"], len(masks), values["ABITS"], clocked, shared)
    used = {name: wires[name] for name in ("RD_ADDR", "RD_DATA", "WR_ADDR", "WR_DATA")}
    used |= {"WR_EN": masks, "CLK": wires["WR_CLK"][:1]}
    if clocked:
        used["RD_EN"] = wires["RD_EN"]
    return macro, {
        name: [_TIES.get(bit, bit) if isinstance(bit, str) and name != "RD_DATA" else bit for bit in bits]
        for name, bits in used.items()
    }


def take_macros(netlist: Netlist, technology: Technology) -> tuple[Netlist, set[Macro]]:
    """Puts black boxes in the place of memories: (netlist, their shapes)."""
    macros: set[Macro] = set()
    for module in netlist["modules"].values():
        for cell in module["cells"].values():
            found = _macro(cell, technology) if cell["type"] == "$mem_v2" else None
            if found:
                macro, wires = found
                macros.add(macro)
                ways = {name: "output" if name == "RD_DATA" else "input" for name in wires}
                cell |= {"type": macro.name, "parameters": {}, "port_directions": ways, "connections": wires}
    return netlist, macros


def counted(netlist: Netlist, top: str) -> dict[str, tuple[int, Counter[str]]]:
    """By module: (how often it is in `top`, its own cells by type)."""
    modules = {name: module for name, module in netlist["modules"].items() if not module["attributes"].get("blackbox")}
    own = {name: Counter(cell["type"] for cell in module["cells"].values()) for name, module in modules.items()}
    times: Counter[str] = Counter()

    def visit(name: str, count: int) -> None:
        times[name] += count
        for kind, many in own[name].items():
            if kind in modules:
                visit(kind, count * many)

    visit(top, 1)
    return {
        name: (times[name], Counter({kind: many for kind, many in own[name].items() if kind not in modules}))
        for name in own
        if times[name]
    }
