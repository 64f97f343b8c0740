"""Pages made from sources when the site is built: testplans, test lists, coverage, faults, parameters, targets.

Every function turns objects that the flow already has into Markdown; nothing here reads a page.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping, Sequence

import click

from flow.commands.faults import Fault, load_faults
from flow.core.options import Command
from tb.lib.contract import Block
from tb.lib.coverage import CoverGroup, Coverpoint, Cross
from tb.lib.paths import ROOT
from tb.lib.testlist import BOTH, TestEntry
from tb.lib.testplan import CHECKS, Testpoint, load_testplan

STAGES = {
    "V1": "the block works",
    "V2": "every feature is verified",
    "V3": "what is left: rare corners and long random runs",
}
MADE = "Made from `{source}` when the site is built.\n\n"


def cell(text: object) -> str:
    """Text for a cell of a table: on one line, pipes escaped."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *([cell(each) for each in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def code(text: object) -> str:
    """Text as code; nothing stays nothing."""
    return f"`{text}`" if str(text) else ""


def assignments(params: Mapping[str, object]) -> str:
    """Parameters as make takes them."""
    return " ".join(f"`{name}={value}`" for name, value in params.items()) or "default"


# ---- of a block ------------------------------------------------------------------------------------------------------
def testplan(block: Block, points: Sequence[Testpoint]) -> str:
    """A block's testplan."""
    text = f"# Testplan of {block.name}\n\n{MADE.format(source=block.testplan)}"
    text += f"{len(points)} testpoints. A test must make at least the comparisons of its testpoints, or it fails; "
    text += "*reduced*: of shortened runs and other parameters. Stages:\n\n"
    text += "".join(f"- {stage}: {meaning}\n" for stage, meaning in STAGES.items()) + "\n"
    for point in points:
        text += f"## {point.name}\n\n"
        text += table(
            ("stage", point.stage),
            [
                ("stimulus", point.stimulus),
                ("check", point.check),
                ("tests", ", ".join(f"[`{test}`](tests.md)" for test in point.tests)),
                ("least checks", ", ".join(f"{kind} {point.checks[kind]:,}" for kind in CHECKS)),
                ("least checks, reduced", ", ".join(f"{kind} {point.reduced[kind]:,}" for kind in CHECKS)),
            ],
        )
    return text


def tests(block: Block, points: Sequence[Testpoint]) -> str:
    """A block's test list."""
    entries: tuple[TestEntry, ...] = block.tests
    text = f"# Tests of {block.name}\n\n{MADE.format(source=f'tb/{block.name}/testlist.py')}"
    text += f"`make sim BLOCK={block.name} TEST=name [SEED=n] [SIM=icarus]` runs one, `make test` the list, "
    text += f"`make regress BLOCK={block.name} SEEDS=n` the list with other seeds, except *directed* tests. "
    text += "*Why*: why so many runs. *On Icarus*: what is shortened there.\n\n"
    rows = []
    for entry in entries:
        mine = [f"[{point.name}](testplan.md#{point.name})" for point in points if entry.test in point.tests]
        rows.append(
            (
                code(entry.test),
                ", ".join(mine),
                ", ".join(map(str, entry.seeds)) + (" (directed)" if entry.directed else ""),
                "both" if set(entry.sims) == set(BOTH) else ", ".join(entry.sims) or "(not by the list)",
                "; ".join(assignments(params) for params in entry.params),
                " ".join(f"`{name}: {value}`" for name, value in entry.icarus_config.items()),
                entry.why,
            )
        )
    head = ("test", "testpoints", "seeds", "simulators", "parameters", "on Icarus", "why")
    return text + table(head, rows)


def coverage(block: Block, groups: Sequence[CoverGroup]) -> str:
    """A block's functional coverage: groups, points, crosses and bins, with what cannot be reached and why."""
    total = sum(reason is None for group in groups for item in group.items for reason in group.reasons(item))
    text = f"# Functional coverage of {block.name}\n\n{MADE.format(source=f'tb/{block.name}/coverage.py')}"
    text += f"{len(groups)} groups, {total:,} bins that count. "
    text += f"`make coverage BLOCK={block.name}` says which are hit.\n\n"
    for group in groups:
        text += f"## {group.name}\n\n{group.doc}\n\n"
        rows = []
        for item in group.items:
            reasons = group.reasons(item)
            ignored = dict.fromkeys(reason for reason in reasons if reason is not None)
            rows.append(
                (
                    code(item.name),
                    _bins(item),
                    f"{sum(reason is None for reason in reasons):,}",
                    item.doc,
                    "; ".join(f"{sum(reason == each for reason in reasons)}: {each}" for each in ignored),
                )
            )
        text += table(("point or cross", "bins", "count", "meaning", "ignored bins, and why"), rows)
    return text


def _bins(item: Coverpoint | Cross) -> str:
    if isinstance(item, Cross):
        return " x ".join(item.points)
    return ", ".join(code(label) for label in item.bins)


def faults(block: Block, planted: Sequence[Fault]) -> str:
    """A block's planted faults."""
    text = f"# Planted faults of {block.name}\n\n{MADE.format(source=f'{block.faults_dir}/*.patch')}"
    text += f"{len(planted)} faults. `make faults BLOCK={block.name}` plants each in a copy of the RTL; the test must "
    text += "fail, and the first divergence must lie at one of the boundaries.\n\n"
    rows = [
        (
            code(fault.name),
            fault.title,
            code(fault.test),
            fault.seed,
            ", ".join(map(code, fault.boundaries)),
            assignments(fault.params),
        )
        for fault in planted
    ]
    return text + table(("fault", "what it breaks", "test", "seed", "boundary", "parameters"), rows)


def cover_groups(block: Block) -> tuple[CoverGroup, ...]:
    """What tb/<block>/coverage.py declares; nothing if the block has no functional coverage."""
    name = f"tb.{block.name}.coverage"
    return importlib.import_module(name).GROUPS if importlib.util.find_spec(name) else ()


def block_pages(block: Block) -> dict[str, tuple[str, str, str]]:
    """Of a block: file name to (title, Markdown, the source that it is made from)."""
    folder = f"tb/{block.name}"
    out: dict[str, tuple[str, str, str]] = {}
    if block.testplan:
        points = load_testplan(ROOT / block.testplan)
        out["testplan.md"] = ("Testplan", testplan(block, points), block.testplan)
        if block.tests:
            out["tests.md"] = ("Tests", tests(block, points), f"{folder}/testlist.py")
    if groups := cover_groups(block):
        out["coverage.md"] = ("Coverage", coverage(block, groups), f"{folder}/coverage.py")
    if block.faults_dir:
        out["faults.md"] = ("Planted faults", faults(block, load_faults(block)), block.faults_dir)
    return out


# ---- of all ----------------------------------------------------------------------------------------------------------
def parameters(blocks: Sequence[Block]) -> str:
    """Parameters of every block."""
    text = "# Parameters\n\n" + MADE.format(source="tb/<block>/block.py")
    text += "A parameter is a variable of `make sim` and `make synth`: `make sim BLOCK=ioss ROWS=4 LANES=8`.\n\n"
    for block in blocks:
        text += f"## {block.name}\n\n{block.title}. Top module `{block.rtl_top}`"
        text += f", simulated in `{block.tb_top}`; default test `{block.default_test}`.\n\n"
        rows = [
            (code(name), code(each.sv_name), each.default, ", ".join(map(str, each.legal)), each.help)
            for name, each in block.params.items()
        ]
        text += table(("variable", "in SystemVerilog", "default", "legal", "meaning"), rows)
    return text


def commands(common: Mapping[str, Command], blocks: Sequence[Block]) -> str:
    """Every target of make with its variables; those that only some of the blocks take are listed with them."""
    text = "# Targets and variables\n\n" + MADE.format(source="flow/commands")
    text += "`make <target> [VARIABLE=value ...]`. Variables go on make's command line; a variable that the target "
    text += "does not take is an error. Relative paths count from the folder that make runs in. Exit status: 0 passed, "
    text += "1 something failed, 2 a mistake in the call or a missing tool.\n\n"
    text += "The same as a command line: `python -m flow <target> [--variable value ...]`, where `X_BITS=8` is "
    text += "`--x-bits 8`, `WAVES=1` is `--waves` and `LAPS=0` is `--no-laps`; `--help` lists them.\n\n"
    for name, command in common.items():
        text += f"## {name}\n\n`make {name}`: {command.help}.\n\n"
        if command.of_block is not None:
            takers: dict[tuple[str, ...], list[str]] = {}
            for block in blocks:
                for param in command.for_block(block).params:
                    takers.setdefault(_variable(param), []).append(block.name)
            order = [param.envvar for param in command.params]
            rows = sorted(takers.items(), key=lambda each: order.index(each[0][0].strip("`")))
            text += table(
                (*_HEAD, "blocks"),
                [(*row, "all" if len(mine) == len(blocks) else ", ".join(mine)) for row, mine in rows],
            )
        elif command.params:
            text += table(_HEAD, [_variable(param) for param in command.params])
    text += "## setup\n\n`make setup`: make or renew .venv (every target does). `PYTHON=python3.x` names the Python, "
    text += "with every target.\n\n"
    return text + "## clean\n\n`make clean`: remove build/ (builds, runs, reports).\n"


_HEAD = ("variable", "value", "default", "meaning")


def _variable(param: click.Parameter) -> tuple[str, ...]:
    default = param.default
    shown = "" if default is None or repr(default).startswith("Sentinel") else default
    shown = int(shown) if isinstance(shown, bool) else shown
    return code(param.envvar), code(param.type.name.lower()), code(shown), getattr(param, "help", "") or ""
