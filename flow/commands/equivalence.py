"""Mutants that change nothing, by proof: module against module, with Yosys.

A mutant's module is compared with itself as it is: every register, wire and port of the same name must be equal after
each clock in which all were equal before (`equiv_simple`, `equiv_induct`). What is instantiated in the module counts as
the same if it gets the same inputs; so do memories. Resets are taken as synchronous. The proof is for one set of
parameters and starts from equal states: the runs of `make mutate`, which have not told the two apart, are the base of
the induction. A mutant that is not proved may still be equivalent: the module's surroundings may keep it from what
would tell.

All mutants are in one netlist, where a wire without a driver, the mutant's number, chooses.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyslang import syntax

from flow.commands import netlist
from flow.commands.mutants import PACKAGE, Mutant, Schema
from flow.commands.synth import copy_sources, read_line
from flow.core.tools import yosys
from tb.lib.errors import UserError
from tb.lib.paths import shown

NUMBER = f"{PACKAGE}_id"
TIMEOUT = 300.0  # seconds for the mutants of a module; the one that is on its way then stays open
_MEMORY = "$mem_v2"


def _ends_of_headers(text: str) -> list[int]:
    """Where the ports of each module of a file end."""
    root = syntax.SyntaxTree.fromText(text).root
    members = [root] if root.kind.name == "ModuleDeclaration" else list(getattr(root, "members", []))
    return [each.header.semi.location.offset + 1 for each in members if each.kind.name == "ModuleDeclaration"]


def by_wire(text: str) -> str:
    """A file of a schema whose modules choose the mutant by a wire of their own, on one clock; packages keep theirs."""
    ends = _ends_of_headers(text)
    if not ends:
        return re.sub(rf"({PACKAGE}::cut\d+)\(", rf"\1({PACKAGE}::id, ", text)
    places = [0, *ends, len(text)]
    parts = [text[start:end] for start, end in itertools.pairwise(places)]
    whole = f"\n  wire [31:0] {NUMBER};".join(parts)
    whole = whole.replace(f"{PACKAGE}::id", NUMBER)
    whole = re.sub(rf"({PACKAGE}::cut\d+)\(", rf"\1({NUMBER}, ", whole)
    whole = re.sub(rf"\n\s*{PACKAGE}_load u_{PACKAGE}_load \(\);", "", whole)
    return re.sub(r"@\(posedge (\w+) or negedge \w+\)", r"@(posedge \1)", whole)


def _package(text: str) -> str:
    """The schema's package without the number that a run sets: its functions get it."""
    body = text.split(f"module {PACKAGE}_load")[0]
    body = re.sub(r"`ifdef SYNTHESIS\n.*?`endif\n", "  localparam int id = 0;\n", body, flags=re.DOTALL)
    return re.sub(r"(function automatic logic [^;]*?\(\s*)input", r"\1input int id, input", body)


def _run(folder: Path, name: str, lines: Sequence[str], timeout: float) -> tuple[str, bool]:
    """(what Yosys printed, whether its time was over)."""
    (folder / f"{name}.ys").write_text("\n".join([*lines, ""]), encoding="utf-8")
    try:
        done = subprocess.run(
            [str(yosys()), "-s", f"{name}.ys"],
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return said.decode(errors="replace") if isinstance(said, bytes) else said, True
    (folder / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        line = next((line for line in done.stderr.splitlines() if "ERROR" in line), done.stderr[-200:])
        raise UserError(f"yosys does not compare mutants: {line} (log: {shown(folder / name)}.log)")
    return done.stdout, False


def boxed_memories(content: dict[str, Any]) -> dict[str, Any]:
    """A netlist whose memories are black boxes, which compare by their inputs."""
    boxes: dict[str, Any] = {}
    for module in content["modules"].values():
        for cell in module["cells"].values():
            if cell["type"] != _MEMORY:
                continue
            name = f"ts_memory_{len(boxes)}"
            ports = {
                port: {"direction": cell["port_directions"][port], "bits": list(range(2, 2 + len(bits)))}
                for port, bits in cell["connections"].items()
            }
            boxes[name] = {"attributes": {"blackbox": "1"}, "ports": ports, "cells": {}, "netnames": {}}
            cell |= {"type": name, "parameters": {}}
        module["memories"] = {}
    return {**content, "modules": {**content["modules"], **boxes}}


def netlist_of(schema: Schema, folder: Path) -> dict[str, list[str]]:
    """Writes `all.json`, the netlist with all mutants, equal modules once; its modules by the name in the source.
    `UserError` if Yosys does not read the sources."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sources, includes = copy_sources(schema.block, folder)
    (folder / f"{PACKAGE}.sv").write_text(_package(schema.package), encoding="utf-8")
    for name, text in schema.texts.items():
        place = folder / (f"rtl/{Path(name).name}" if Path(name).is_absolute() else name)
        place.write_text(by_wire(text), encoding="utf-8")
    line = read_line(schema.block, schema.params, [f"{PACKAGE}.sv", *sources], includes, "--keep-hierarchy")
    _run(folder, "read", [line, "proc", "memory -nomap", "opt_clean", "write_json read.json"], 4 * TIMEOUT)
    content = netlist.merge_equal(json.loads((folder / "read.json").read_text(encoding="utf-8")))
    (folder / "all.json").write_text(json.dumps(boxed_memories(content)), encoding="utf-8")
    known = {each.module for each in schema.mutants}
    modules: dict[str, list[str]] = defaultdict(list)
    for name in content["modules"]:
        modules[name if name in known else re.sub(r"_\d+$", "", name)].append(name)
    return dict(modules)


def _compare(module: str, mutant: Mutant) -> list[str]:
    return [
        f"log @@ {mutant.key}",
        "design -load all",
        f"copy {module} gold",
        f"copy {module} gate",
        "cd gold",
        f"connect -set {NUMBER} 32'd0",
        "cd gate",
        f"connect -set {NUMBER} 32'd{mutant.number}",
        "cd ..",
        "select gold gate",
        "opt_expr -mux_undef",
        "opt_clean",
        "select -clear",
        "equiv_make gold gate both",
        "cd both",
        "opt_merge -share_all",
        "opt_clean",
        "equiv_simple -short -ignore-unknown-cells",
        "equiv_induct -seq 2 -ignore-unknown-cells",
        "equiv_status",
        "cd ..",
    ]


def _proved(folder: Path, module: str, mutants: Sequence[Mutant], timeout: float) -> set[str]:
    """Keys of the mutants that change nothing in this module."""
    proved: set[str] = set()
    left = list(mutants)
    while left:
        lines = ["read_json all.json", "hierarchy -check", "design -save all"]
        for each in left:
            lines += _compare(module, each)
        said, late = _run(folder, "compare", lines, timeout)
        begun = re.split(r"^@@ ", said, flags=re.MULTILINE)[1:]
        for each in begun:
            if re.search(r"are proven and 0 are unproven", each):
                proved.add(each.split()[0])
        if not late:
            break
        left = left[max(1, len(begun)) :]
    return proved


def equivalent(schema: Schema, mutants: Iterable[Mutant], folder: Path, timeout: float = TIMEOUT) -> Mapping[str, str]:
    """How those of `mutants` were proved that change nothing with the schema's parameters, by key."""
    by_module: dict[str, list[Mutant]] = defaultdict(list)
    for each in mutants:
        by_module[each.module].append(each)
    if not by_module:
        return {}
    modules = netlist_of(schema, folder)
    found: dict[str, str] = {}
    for module, some in by_module.items():
        kinds = modules.get(module, [])
        if not kinds:
            continue  # a package's function, or a module that these parameters leave out
        left = {each.key for each in some}
        for kind in kinds:
            left &= _proved(folder, kind, [each for each in some if each.key in left], timeout)
        found |= dict.fromkeys(left, f"no difference in {module}, by induction from equal states")
    return found
