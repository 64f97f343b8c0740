"""`make help`: a page of targets and the variables that most of them take; details of a target or a block on demand.

Made from the commands' definitions (flow/core/options.py): nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flow.commands import registry
from flow.core import blocks
from flow.core.options import Command, Option, command
from flow.core.values import BlockName
from tb.lib.contract import Block
from tb.lib.errors import UserError, did_you_mean

WIDTH, WIDEST = 80, 120  # of the page: without a terminal, and on any
GROUPS: Mapping[str, tuple[str, ...]] = {
    "simulate": ("sim", "waves", "watch", "replay", "list"),
    "verify": ("test", "regress", "coverage", "faults", "mutate", "prove", "lint"),
    "train": ("train", "train-model"),
    "your network": ("net",),
    "measure": ("bench", "synth"),
    "make anew": ("docs", "regs", "tensors"),
    "house": ("setup", "clean", "help"),
}
# Targets of the Makefile alone: what they do, their variables.
MAKEFILE = {"setup": "make or renew .venv (every target does)", "clean": "remove build/ (builds, runs, reports)"}
COMMON = ("BLOCK", "TEST", "SEED", "SIM", "JOBS", "REPORT")
Row = tuple[str, str, str, str, str]  # variable, values, default, meaning, blocks or targets


def _shown_default(param: click.Parameter) -> str:
    default = param.default
    if default is None or repr(default).startswith("Sentinel"):
        return ""
    number = isinstance(default, float) and default.is_integer()
    return str(int(default) if number or isinstance(default, bool) else default)


def _row(param: click.Parameter) -> tuple[str, str, str, str]:
    values = "" if isinstance(param.type, click.types.StringParamType) else param.type.name.lower().replace("|", " ")
    return str(param.envvar), values, _shown_default(param), getattr(param, "help", "") or ""


def merged(commands: Mapping[str, click.Command]) -> list[Row]:
    """The variables of several commands (of targets or, for one target, of blocks): a row for each meaning or default;
    with the names that have it, unless all have."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for name, each in commands.items():
        for param in each.params:
            rows.setdefault(_row(param), []).append(name)
    order = list(dict.fromkeys(row[0] for row in rows))  # the rows of a variable stand together
    return [
        (*row, "" if len(names) == len(commands) else ", ".join(names))
        for row, names in sorted(rows.items(), key=lambda item: order.index(item[0][0]))
    ]


def _print(console: Console, title: str, body: RenderableType | None = None) -> None:
    console.print(Text(title, style="bold"))
    if body is not None:
        console.print(Padding(body, (0, 0, 0, 2)))


def _two_columns(rows: Sequence[tuple[str, str]], first: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=first, no_wrap=True, style="cyan")
    table.add_column()
    for name, text in rows:
        table.add_row(name, Text(text))
    return table


def _values(values: str, default: str) -> str:
    return " ".join(filter(None, (values, f"({default})" if default else "")))


def _variables(rows: Sequence[Row]) -> Table:
    """Every variable with its meaning, then values, default and whose it is; nothing is cut."""
    out = []
    for name, values, default, meaning, whose in rows:
        more = "; ".join(filter(None, (_values(values, default), whose)))
        out.append((name, f"{meaning}\n{more}".rstrip()))
    return _two_columns(out, 16)


def overview(console: Console, commands: Mapping[str, click.Command]) -> None:
    """The short page."""
    _print(console, "make <target> [VARIABLE=value ...]\n")
    for group, targets in GROUPS.items():
        about = {name: str(each.help) for name, each in commands.items()} | MAKEFILE
        _print(console, group, _two_columns([(name, about[name]) for name in targets], 12))
    params = {str(param.envvar): _row(param) for param in reversed(commands["sim"].params)}
    params |= {str(param.envvar): _row(param) for param in commands["test"].params if param.envvar == "JOBS"}
    rows = []
    for name in COMMON:
        _, values, default, meaning = params[name]
        rows.append((name, ": ".join(filter(None, (meaning, _values(values, default))))))
    _print(console, "variables of many targets: values (default)", _two_columns(rows, 12))
    lines = (
        ("make help TARGET=sim", "what a target does, and all its variables"),
        ("make help BLOCK=gemm", "what sim and synth take for this block"),
        ("make list BLOCK=gemm", "its tests, testpoints and planted faults"),
    )
    _print(console, "more", _two_columns(lines, 22))
    console.print("\nPaths count from the folder that make runs in. README.md and docs/ say the rest.", markup=False)


def of_target(console: Console, target: str, commands: Mapping[str, Command], chosen: Sequence[Block]) -> None:
    """A target's variables, for each of the blocks where they depend on it."""
    known = [*commands, *MAKEFILE]
    if target not in known:
        raise UserError(f"there is no target '{target}' (make help lists them){did_you_mean(target, known)}")
    if target in MAKEFILE:
        _print(console, f"make {target}: {MAKEFILE[target]}")
        if target == "setup":
            _print(console, "", _two_columns([("PYTHON", "Python that .venv is made with (python3)")], 16))
        return
    it = commands[target]
    made = {block.name: it.for_block(block) for block in chosen} if it.of_block else {target: it}
    _print(console, f"make {target}: {it.help}\n")
    rows = merged(made)
    _print(console, "variables: values (default)" if rows else "It takes no variables.", _variables(rows))


def of_block(console: Console, block: Block, made: Mapping[str, click.Command]) -> None:
    """What the targets whose variables depend on the block (`made`) take for it."""
    _print(console, f"{block.name}: {block.title}\n")
    title = f"variables: values (default); targets, if not all of {', '.join(made)}"
    _print(console, title, _variables(merged(made)))


@command(
    "help",
    Option("BLOCK", BlockName(), "what sim, waves and synth take for this block"),
    Option("TARGET", click.STRING, "what this target does, and its variables"),
)
def main(BLOCK: str | None, TARGET: str | None) -> int:
    """This page; TARGET= or BLOCK= for details."""  # noqa: D404
    terminal = Console()
    console = Console(width=min(WIDEST, terminal.width) if terminal.is_terminal else WIDTH, highlight=False)
    chosen = [blocks.get_block(BLOCK)] if BLOCK else blocks.all_blocks()
    commands = registry.commands(chosen[0])
    if TARGET:
        of_target(console, TARGET, commands, chosen)
    elif BLOCK:
        made = {name: each for name, each in commands.items() if each.of_block is not None}
        of_block(console, chosen[0], made)
    else:
        overview(console, commands)
    return 0
