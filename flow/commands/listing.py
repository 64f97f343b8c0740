"""`make list`: what there is to run in a block, and choosing of it by name or pattern."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flow.commands.faults import load_faults
from flow.core import blocks
from flow.core.options import Option, command
from flow.core.values import BlockName
from tb.lib.contract import Block
from tb.lib.errors import UserError, did_you_mean
from tb.lib.paths import ROOT
from tb.lib.testplan import TestplanError, Testpoint, described_tests, load_testplan


def is_pattern(text: str) -> bool:
    """Whether `text` may name several: wildcards, or commas."""
    return re.search(r"[*?\[,]", text) is not None


def choose(variable: str, text: str, known: Iterable[str], what: str, where: str) -> list[str]:
    """The names of `known`, in their order, that `text` names: names and patterns with commas between them.

    `UserError` for a part that names none of them, with the likeliest name; `what` are they, `where` are they listed.
    """
    names = list(known)
    chosen: set[str] = set()
    for part in (each.strip() for each in text.split(",")):
        found = fnmatch.filter(names, part) if part else []
        if not found:
            raise UserError(f"{variable}={text}: no {what} {part!r}{did_you_mean(part, names) or f' ({where})'}")
        chosen.update(found)
    return [name for name in names if name in chosen]


def names_of_tests(block: Block) -> list[str]:
    """The block's tests, in the order of its list."""
    return list(dict.fromkeys(entry.test for entry in block.tests))


def _plan(block: Block) -> list[Testpoint]:
    if block.testplan is None:
        return []
    try:
        return load_testplan(ROOT / block.testplan)
    except TestplanError as error:
        raise UserError(str(error)) from error


def _say(console: Console, title: str, rows: Sequence[tuple[str, str]], width: int = 0) -> None:
    """A title and two columns; the first is as wide as its longest name, at least `width`."""
    if not rows:
        return
    width = max(width, *(len(name) for name, _ in rows))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=width, no_wrap=True, style="cyan")
    table.add_column()
    for name, text in rows:
        table.add_row(name, Text(text))
    console.print(Text(title, style="bold"))
    console.print(Padding(table, (0, 0, 1, 2)))


def _tests(block: Block, seeds: bool) -> list[tuple[str, str]]:
    module = ROOT / f"{block.test_module.replace('.', '/')}.py"
    texts = described_tests(module) if module.is_file() else {}
    rows = []
    for name in names_of_tests(block):
        entries = [entry for entry in block.tests if entry.test == name]
        about = texts.get(name, "").partition(" Config: ")[0]
        if seeds:
            runs = sum(len(list(entry.runs(sim))) for entry in entries for sim in entry.sims)
            reasons = "; ".join(dict.fromkeys(entry.why for entry in entries))
            about += f" {runs} {'runs' if runs > 1 else 'run'}: {reasons}."
        rows.append((name + (" *" if name == block.default_test else ""), about.strip()))
    return rows


def list_blocks(console: Console, blocks: Sequence[Block]) -> None:
    """The tests of every block."""
    rows = {block.name: _tests(block, False) for block in blocks}
    width = max((len(name) for each in rows.values() for name, _ in each), default=1)
    for block in blocks:
        _say(console, f"{block.name}: {block.title}", rows[block.name], width)
    console.print("* the default. make list BLOCK=name adds testpoints and planted faults.", markup=False)


def list_block(console: Console, block: Block) -> None:
    """Everything there is in a block: tests, testpoints, planted faults."""
    tests = _tests(block, True)
    points = [
        (point.name, f"{point.stage}. {point.stimulus} Checked: {point.check} Tests: {', '.join(point.tests)}.")
        for point in _plan(block)
    ]
    faults = load_faults(block) if block.faults_dir else []
    broken = [(f.name, f"{f.title} (seen by {f.test} at {' or '.join(f.boundaries)})") for f in faults]
    console.print(Text(f"{block.name}: {block.title}\n", style="bold"))
    _say(console, f"tests: make sim BLOCK={block.name} TEST=name or TEST='pattern*'; * is the default", tests)
    _say(console, "testpoints: what is stimulated, what is checked", points)
    _say(console, f"planted faults: make faults BLOCK={block.name} FAULT=name or FAULT='pattern*'", broken)


@command(
    "list",
    Option("BLOCK", BlockName(), "also its testpoints and planted faults"),
)
def main(BLOCK: str | None) -> int:
    """What there is to run: tests, testpoints, planted faults."""
    console = Console(highlight=False)
    if BLOCK:
        list_block(console, blocks.get_block(BLOCK))
    else:
        list_blocks(console, blocks.all_blocks())
    return 0
