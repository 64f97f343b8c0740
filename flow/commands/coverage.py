"""`make coverage`: simulates a block's coverage runs, or those of all blocks, and merges functional and code coverage.

Functional coverage is of all runs that passed, code coverage of those whose code counts
(`Block.counts_code`). Pages and JSON files lie in build/reports/<block>/, those of all blocks together in
build/reports/all/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flow.core import blocks, codecov, options
from flow.core.blocks import block_names, get_block
from flow.core.codecov import CodeCoverage, CodeReport
from flow.core.coverage_report import JSON_NAME, Report
from flow.core.options import Option, command
from flow.core.output import write_report
from flow.core.processes import run_all
from flow.core.simulate import run
from flow.core.values import BlockName
from models.common.files import write_whole
from tb.lib.blockdef import COVERAGE_GOALS
from tb.lib.contract import Block
from tb.lib.coverage import joint_summaries
from tb.lib.errors import UserError
from tb.lib.paths import REPORTS, shown

ALL = "all"


@dataclass
class _Covered:
    """What `make coverage` has measured of a block; `missed` in lines."""

    block: Block
    functional: Mapping[str, Any] | None
    counts: CodeCoverage
    code: CodeReport
    runs: int
    failed: list[str]
    missed: list[str]


def _measure(block: Block, jobs: int) -> _Covered:
    """Simulates a block's coverage runs and merges them."""
    if not block.coverage_runs:
        raise UserError(f"block {block.name} names no runs for coverage")

    def task(index: int) -> Any:
        spec = block.coverage_runs[index]
        code = block.counts_code(spec.params)
        result = run(block, "verilator", spec.test, spec.seed, spec.params, spec.config, coverage=code)
        print(result.summary(), flush=True)
        return result, code

    each = run_all([lambda index=index: task(index) for index in range(len(block.coverage_runs))], jobs)
    results = [result for result, _ in each]
    failed = [result.replay for result in results if not result.passed]
    missed = [f"{len(failed)} of {len(results)} runs failed"] if failed else []
    silent = [result for result, code in each if code and result.passed and result.coverage is None]
    if silent:
        raise UserError(f"{silent[0].test} wrote no coverage.dat: see {shown(silent[0].log)}")
    merged = codecov.merge(result.coverage for result in results if result.coverage).of(block.coverage_files)
    if not merged.counts:
        raise UserError("the runs counted no coverage point in rtl/")
    code = codecov.report(merged, codecov.load_exclusions(block.name))
    missed += [*code.idle, *_missed_goals(code, block.coverage_goals)]
    functional = None
    if block.functional_coverage is not None:
        functional = block.functional_coverage(results)
        if not functional.get("passed", True):
            missed.append("functional coverage misses its goal")
    return _Covered(block, functional, merged, code, len(results), failed, missed)


def _missed_goals(code: CodeReport, goals: Mapping[str, float]) -> list[str]:
    return [
        f"{kind} coverage is {code.kinds[kind].as_dict()['percent']} %, the goal {goal} %"
        for kind, goal in goals.items()
        if code.kinds[kind].percent < goal
    ]


def _write(report: Report, counts: CodeCoverage, missed: list[str]) -> dict[str, Any]:
    """Prints and writes a report; the content of its JSON file."""
    assert report.code is not None
    Console().print(_table(report.block, report.code))
    for line in codecov.grouped(report.code.uncovered)[:60]:
        print(f"uncovered: {line}")
    if report.functional is not None:
        print(f"functional coverage: {report.functional['percent']} %")
        for line in report.functional["uncovered"]:
            print(f"uncovered: {line}")
    lcov = codecov.write_lcov(counts, REPORTS / report.block / "lcov")
    print(f"page: {shown(report.write(REPORTS / report.block)[0])}")
    print(f"lcov: {shown(lcov[0].parent)}/<kind>.info")
    return report.as_dict() | {"status": "fail" if missed else "pass", "missed": missed}


def cover(block: Block, jobs: int) -> dict[str, Any]:
    """Measures a block, prints and writes its report; the content of its JSON file, with `missed` goals in lines."""
    each = _measure(block, jobs)
    return _write(_report(each), each.counts, each.missed)


def _report(each: _Covered) -> Report:
    block = each.block
    return Report(block.name, block.title, each.functional, each.code, each.runs, each.failed, block.coverage_goals)


def cover_all(jobs: int) -> dict[str, Any]:
    """As `cover`, of every block by its goals and of all together, on one page; `blocks` has the shares of each. A
    block that cannot be measured does not end the others."""
    done: list[_Covered] = []
    missed: list[str] = []
    for name in block_names():
        try:
            each = _measure(get_block(name), jobs)
        except UserError as error:
            missed.append(f"{name}: {error}")
            continue
        done.append(each)
        missed += [f"{name}: {line}" for line in each.missed]
        _report(each).write(REPORTS / name)
    if not done:
        raise UserError(f"no block could be measured: {missed[0]}")
    functional = joint_summaries({each.block.name: each.functional for each in done if each.functional})
    code = codecov.joint({each.block.name: (each.counts, each.code) for each in done})
    missed += [f"all: {line}" for line in _missed_goals(code, COVERAGE_GOALS)]
    if not functional["passed"]:
        missed.append("all: functional coverage misses its goal")
    failed = [line for each in done for line in each.failed]
    report = Report(
        ALL, ", ".join(each.block.name for each in done), functional, code, sum(each.runs for each in done), failed,
        COVERAGE_GOALS,
    )  # fmt: skip
    blocks = {
        each.block.name: {
            "functional": (each.functional or {}).get("percent"),
            **{kind: each.code.kinds[kind].as_dict()["percent"] for kind in codecov.KINDS},
            "runs": each.runs,
            "missed": each.missed,
        }
        for each in done
    }
    content = _write(report, codecov.joint_counts({each.block.name: each.counts for each in done}), missed)
    kinds = ("functional", *codecov.KINDS)
    table = Table("block", *kinds, title="coverage by block", box=box.SIMPLE)
    for name, row in blocks.items():
        table.add_row(name, *("-" if row[kind] is None else f"{row[kind]} %" for kind in kinds))
    Console().print(table)
    content["blocks"] = blocks
    write_whole(REPORTS / ALL / JSON_NAME, json.dumps(content, indent=1) + "\n")
    return content


def _table(name: str, code: CodeReport) -> Table:
    table = Table("file", *codecov.KINDS, title=f"code coverage of {name}", box=box.SIMPLE)

    def cells(row: Mapping[str, Any]) -> list[str]:
        return [
            f"{row[kind].covered}/{row[kind].total} {row[kind].as_dict()['percent']} %" if kind in row else "-"
            for kind in codecov.KINDS
        ]

    for file, row in code.files.items():
        table.add_row(file, *cells(row))
    table.add_section()
    table.add_row("all", *cells(code.kinds))
    return table


@command(
    "coverage",
    Option("BLOCK", BlockName(ALL), "block under test, or all", options.DEFAULT_BLOCK),
    options.REPORT,
    options.jobs(),
)
def main(BLOCK: str, REPORT: Path | None, JOBS: int) -> int:
    """Functional and code coverage of a block, or of all."""
    content = cover_all(JOBS) if BLOCK == ALL else cover(blocks.get_block(BLOCK), JOBS)
    write_report(REPORT, content)
    for line in content["missed"]:
        print(f"FAIL {line}")
    of = "all blocks" if BLOCK == ALL else BLOCK
    print(f"{'FAIL' if content['missed'] else 'PASS'} coverage of {of}")
    return 1 if content["missed"] else 0
