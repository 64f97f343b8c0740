"""The widths of the RTL: what every counter, address, index and sum can hold, where that comes from, what shows it.

A block's `tb/<block>/limits.hjson` has three lists. `files`: the RTL that it speaks of (patterns). `limits`: entries
`{signal, file, width, bound, why, test}`; `signal` names one signal or several with the same entry (a list), `test` one
thing or several that stand at the bound: a test of the block's list (`long_tensor`, of another block
`gemm:long_tensor`), a proof (`proof:ran_stats`) or a pytest function (`tb/ran/test_scoreboard.py::test_...`). `data`:
what can overflow nowhere, because it only holds or carries something: `{pattern, why[, file]}`, `pattern` a regular
expression for whole names.

Of every vector that an RTL file declares inside a module, and of every output that is a register, `findings` wants an
entry of one kind, once; widths as declared; tests that there are; nothing for what is no longer there.
`make regs` makes docs/limits.md from the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hjson

from flow.core.blocks import all_blocks
from flow.core.made import stale, write_stale
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import ROOT, shown

PAGE = ROOT / "docs/limits.md"
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_TYPE = re.compile(r"\b(?:(input|output|inout)\s+)?(?:logic|reg|wire|bit)\b\s*(?:signed\b|unsigned\b)?")
_FIRST_NAME = re.compile(r"\s*([A-Za-z_]\w*)")
_INTEGER = re.compile(r"\b(?:byte|shortint|int|integer|longint)\b")
_ENTRY = ("signal", "file", "width", "bound", "why", "test")


@dataclass(frozen=True)
class Signal:
    """A vector that RTL declares: its packed width as text, its line, and whether it is a module's output."""

    name: str
    file: str
    line: int
    width: str
    output: bool = False


@dataclass(frozen=True)
class Limit:
    """An entry of a table, of one signal."""

    signal: str
    file: str
    width: str
    bound: str
    why: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    """Names of signals that need no entry, with the reason; `file` is a pattern of paths."""

    pattern: str
    why: str
    file: str

    def fits(self, signal: Signal) -> bool:
        """Whether `signal` is meant."""
        return Path(signal.file).match(self.file) and re.fullmatch(self.pattern, signal.name) is not None


@dataclass(frozen=True)
class Table:
    """The table of a block."""

    block: str
    files: tuple[str, ...]
    limits: tuple[Limit, ...]
    data: tuple[Data, ...]


def width_of(ranges: Sequence[str]) -> str:
    """Packed ranges as a width: `15:0` is 16, `SlotW:0` is SlotW+1, `W-1:0` is W; several as a product."""
    out = []
    for text in ranges:
        high, _, low = text.replace(" ", "").rpartition(":")
        minus = re.search(r"-(\d+)$", high)
        if low != "0":
            out.append(f"[{high}:{low}]")
        elif high.isdigit():
            out.append(str(int(high) + 1))
        elif minus is None:
            out.append(f"{high}+1")
        else:
            less = int(minus[1]) - 1
            out.append(high[: minus.start()] + (f"-{less}" if less else ""))
    return " * ".join(out)


def _closing(text: str, at: int) -> int:
    """Index of the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(text)):
        depth += {"[": 1, "]": -1, "(": 1, ")": -1, "{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise UserError(f"a bracket is not closed: {text[at : at + 40]!r}")


def _names(text: str, at: int, port: bool) -> Iterator[str]:
    """Names of a declaration from `at` on; of a port the first alone."""
    while True:
        found = _FIRST_NAME.match(text, at)
        if found is None:
            return
        yield found[1]
        at = found.end()
        depth = 0
        while at < len(text) and not (depth == 0 and text[at] in ",;)"):
            depth += {"[": 1, "]": -1, "(": 1, ")": -1, "{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if port or at >= len(text) or text[at] != ",":
            return
        at += 1


def declared(path: Path, root: Path = ROOT) -> list[Signal]:
    """Every vector that an RTL file declares: inside modules and functions, and outputs that are registers.

    Inputs, and outputs that are driven by an expression, are other signals under a second name. Raises `UserError` for
    a declaration that cannot be read.
    """
    name = path.relative_to(root).as_posix()
    text = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), path.read_text(encoding="utf-8"))
    out: list[Signal] = []
    for found in _TYPE.finditer(text):
        before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if re.search(r"\b(function|parameter|localparam|typedef)\b", before):
            continue
        at, ranges = found.end(), []
        while (at := at + len(text[at:]) - len(text[at:].lstrip())) < len(text) and text[at] == "[":
            end = _closing(text, at)
            ranges.append(text[at + 1 : end])
            at = end + 1
        if not ranges:
            continue
        line = text.count("\n", 0, found.start()) + 1
        names = list(_names(text, at, found[1] is not None))
        if not names:
            raise UserError(f"{name}:{line}: a declaration that cannot be read")
        for each in names:
            if found[1] == "input":
                continue
            if found[1] == "output" and not re.search(rf"\b{each}(\s*\[[^\]]*\])?\s*<=", text):
                continue
            out.append(Signal(each, name, line, width_of(ranges), found[1] == "output"))
    for found in _INTEGER.finditer(text):
        before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        # Parameters, turns of loops, and what a function is told of them, are no hardware.
        if not re.search(r"\b(parameter|localparam|input)\s+$|\bfor\s*\($", before):
            line = text.count("\n", 0, found.start()) + 1
            out += [Signal(each, name, line, "int") for each in _names(text, found.end(), False)]
    return out


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else (str(value),)


def load(path: Path) -> Table:
    """The table in a file. Raises `UserError` for one that is not as it must be."""
    try:
        given = hjson.loads(path.read_text(encoding="utf-8"))
    except (OSError, hjson.HjsonDecodeError) as error:
        raise UserError(f"cannot read {shown(path)}: {error}") from error
    if not isinstance(given, dict) or set(given) != {"files", "limits", "data"}:
        raise UserError(f"{shown(path)}: must have files, limits and data")
    limits: list[Limit] = []
    for number, entry in enumerate(given["limits"], start=1):
        where = f"{shown(path)}: entry {number} of limits"
        if set(entry) != set(_ENTRY) or any(not str(entry[key]).strip() for key in _ENTRY):
            raise UserError(f"{where}: must have {', '.join(_ENTRY)}, none of them empty")
        limits += [
            Limit(
                signal, str(entry["file"]), str(entry["width"]), str(entry["bound"]), str(entry["why"]),
                _texts(entry["test"]),
            )
            for signal in _texts(entry["signal"])
        ]  # fmt: skip
    data: list[Data] = []
    for number, entry in enumerate(given["data"], start=1):
        where = f"{shown(path)}: entry {number} of data"
        if not {"pattern", "why"} <= set(entry) <= {"pattern", "why", "file"} or not str(entry["why"]).strip():
            raise UserError(f"{where}: must have pattern and why, and may have file")
        try:
            re.compile(str(entry["pattern"]))
        except re.error as error:
            raise UserError(f"{where}: {entry['pattern']!r} is not a regular expression: {error}") from error
        data.append(Data(str(entry["pattern"]), str(entry["why"]), str(entry.get("file", "*"))))
    return Table(path.parent.name, tuple(given["files"]), tuple(limits), tuple(data))


def tables(root: Path = ROOT) -> list[Table]:
    """Every block's table, by block."""
    return [load(path) for path in sorted(root.glob("tb/*/limits.hjson"))]


def _files(table: Table, root: Path) -> list[str]:
    found = {path.relative_to(root).as_posix() for name in table.files for path in root.glob(name)}
    return sorted(found)


def missing_test(block: str, test: str, blocks: Mapping[str, Block], root: Path = ROOT) -> str:
    """What is wrong with the name of a test; empty if there is such a one."""
    if "::" in test:
        file, _, function = test.partition("::")
        path = root / file
        there = path.is_file() and re.search(rf"^def {re.escape(function)}\b", path.read_text("utf-8"), re.MULTILINE)
        return "" if there else f"there is no {test}"
    of, _, name = test.rpartition(":")
    if of == "proof":
        proofs = {proof.name for each in blocks.values() for proof in each.proofs}
        return "" if name in proofs else f"there is no proof {name}"
    each = blocks.get(of or block)
    return "" if each is not None and name in {entry.test for entry in each.tests} else f"there is no test {test}"


def check(table: Table, blocks: Mapping[str, Block], root: Path = ROOT) -> list[str]:
    """Everything that is wrong with a table."""
    where = f"tb/{table.block}/limits.hjson"
    out: list[str] = [f"{where}: {name} fits no file" for name in table.files if not list(root.glob(name))]
    files = _files(table, root)
    try:
        signals = [signal for file in files for signal in declared(root / file, root)]
    except UserError as error:
        return [*out, str(error)]
    by_place: dict[tuple[str, str], list[Limit]] = {}
    for limit in table.limits:
        by_place.setdefault((limit.file, limit.signal), []).append(limit)
        for test in limit.tests:
            if wrong := missing_test(table.block, test, blocks, root):
                out.append(f"{where}: {limit.signal} of {limit.file}: {wrong}")
    there = {(signal.file, signal.name) for signal in signals}
    out += [f"{where}: {file} declares no vector {name}" for file, name in by_place if (file, name) not in there]
    used: set[Data] = set()
    for signal in signals:
        place = f"{signal.file}:{signal.line}: {signal.name}"
        mine = by_place.get((signal.file, signal.name), [])
        kinds = [data for data in table.data if data.fits(signal)]
        used |= set(kinds)
        widths = {limit.width for limit in mine}
        if not mine and not kinds:
            out.append(f"{place}, {signal.width} bits, is neither a limit nor data of {where}")
        if mine and kinds:
            out.append(f"{place} is a limit and data ({kinds[0].pattern}) of {where}")
        if len(mine) > 1 and len(widths) < len(mine):
            out.append(f"{place} has {len(mine)} entries in {where}")
        if mine and signal.width not in widths:
            out.append(f"{place} has {signal.width} bits, not {' or '.join(sorted(widths))}")
    out += [f"{where}: pattern {data.pattern} fits no vector" for data in table.data if data not in used]
    return out


def uncovered_files(found: Sequence[Table], root: Path = ROOT) -> list[str]:
    """RTL in the folder of a block with a table, or in rtl/common, but in no table; RTL in two."""
    mine: dict[str, list[str]] = {}
    for table in found:
        for file in _files(table, root):
            mine.setdefault(file, []).append(table.block)
    folders = {"common", *(table.block for table in found)}
    out = [f"{file}: in the limits of {' and '.join(of)}" for file, of in mine.items() if len(of) > 1]
    for path in sorted(root.glob("rtl/*/*.sv")):
        file = path.relative_to(root).as_posix()
        if file not in mine and path.parent.name in folders and declared(path, root):
            out.append(f"{file}: its vectors are in no tb/*/limits.hjson")
    return out


def page(found: Sequence[Table]) -> str:
    """docs/limits.md."""
    lines = [
        "# Widths and their limits",
        "",
        "Made from `tb/<block>/limits.hjson` by `make regs`. Every counter, address, index and sum of the RTL: how",
        "wide it is, the largest value it must hold, where that comes from, and the test or proof that stands there.",
        "What is not listed only holds or carries something; the same files say why. `make lint` checks both against",
        "the RTL.",
        "",
        "Tests are those of the block's list (`make sim BLOCK=<block> TEST=<name>`), proofs those of `make prove`.",
    ]
    for table in found:
        lines += ["", f"## {table.block}", "", "| signal | file | bits | holds at most | because | shown by |"]
        lines.append("| --- | --- | --- | --- | --- | --- |")
        merged: dict[tuple[str, str, str, str, tuple[str, ...]], list[str]] = {}
        for limit in table.limits:
            key = (limit.file, limit.width, limit.bound, limit.why, limit.tests)
            merged.setdefault(key, []).append(f"`{limit.signal}`")
        for (file, width, bound, why, tests), names in merged.items():
            shown_by = ", ".join(f"`{test}`" for test in tests)
            lines.append(f"| {', '.join(names)} | {Path(file).name} | {width} | {bound} | {why} | {shown_by} |")
    return "\n".join(lines) + "\n"


def findings(root: Path = ROOT) -> list[str]:
    """Everything that is wrong with the tables, and whether docs/limits.md is what they make."""
    blocks = {block.name: block for block in all_blocks()}
    try:
        found = tables(root)
        out = [finding for table in found for finding in check(table, blocks, root)]
        out += uncovered_files(found, root)
    except UserError as error:
        return [str(error)]
    path = root / PAGE.relative_to(ROOT)
    out += [
        f"{shown(each)}: is not what tb/*/limits.hjson make: run `make regs`" for each in stale({path: page(found)})
    ]
    return out


def make_page() -> list[Path]:
    """Writes docs/limits.md if it is not up to date; what was written."""
    return write_stale({PAGE: page(tables())})
