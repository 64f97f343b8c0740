"""`make sim`: one test, several, or your own tensors, on the RTL."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from flow.commands import sim_pieces
from flow.commands.listing import choose, is_pattern, names_of_tests
from flow.core import blocks, options, simulate
from flow.core.options import Option, command
from flow.core.output import verdict, write_report
from flow.core.ownrtl import OwnRtl
from flow.core.simulate import CHECKS
from flow.core.values import Choice, File, Flag
from models.common.files import FileError, read_array, read_json, save_array
from tb.lib.contract import Block
from tb.lib.errors import UserError, did_you_mean
from tb.lib.paths import ROOT, shown
from tb.lib.runinfo import OUT_NAME
from tb.lib.testplan import uvm_tests


def sim_options(block: Block) -> list[Option]:
    """What a simulation of the block takes."""

    def tests(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in names_of_tests(block) if name.startswith(incomplete)]

    named = "test to run, or several: name[,name] or 'pattern*' (make list shows them)"
    return [
        options.BLOCK,
        options.SIM,
        Option("TEST", click.STRING, named, shell_complete=tests),
        options.SEED,
        Option("WAVES", Flag(), "record waveforms", False),
        options.timeout(simulate.DEFAULT_TIMEOUT),
        Option("CONFIG", File(), "the test's configuration as JSON, as a replay line names it"),
        Option("RTL", File(), "list of your own source files (.f), which replace the block's modules"),
        Option("CHECK", Choice(CHECKS), "cycle: everything; value: values and order at the outputs", CHECKS[0]),
        options.REPORT,
        *options.of_params(block),
        *map(options.of_option, block.options),
    ]


@command("sim", of_block=sim_options)
def main(**values: Any) -> int:
    """One test, several, or your own tensors, on the RTL."""
    block = blocks.get_block(values["BLOCK"])
    report_path = values["REPORT"]
    tests = _chosen_tests(block, values["TEST"])
    outcomes: list[Outcome] = []
    for test in tests:
        outcome = sim_one(block, test, values, show=len(tests) == 1)
        outcomes.append(outcome)
        if outcome.error is not None and len(tests) == 1:
            write_report(report_path, outcome.facts)
            raise outcome.error
    if len(tests) == 1:
        return 0 if outcomes[0].passed else 1
    bad = [test for test, outcome in zip(tests, outcomes, strict=True) if not outcome.passed]
    facts = {"block": block.name, "status": "fail" if bad else "pass", "tests": [each.facts for each in outcomes]}
    write_report(report_path, facts)
    names = f": {', '.join(map(str, bad))}" if bad else ""
    print(verdict(f"{'FAIL' if bad else 'PASS'} {len(tests) - len(bad)} of {len(tests)} tests{names}"))
    return 1 if bad else 0


def _chosen_tests(block: Block, text: str | None) -> list[str | None]:
    """The tests that TEST names; [None] for the default, or one name as it is."""
    if text is None or not is_pattern(text):
        return [text]
    chosen = choose("TEST", text, names_of_tests(block), "test", f"make list BLOCK={block.name} lists them")
    return list(chosen)


@dataclass
class Outcome:
    """What came of one simulation: its facts for a report; the run, if it was made; the user's mistake, if it was."""

    facts: dict[str, Any]
    run: Any = None
    error: UserError | None = None

    @property
    def passed(self) -> bool:
        """Whether it ran and passed."""
        return self.run is not None and self.run.passed


def _take_out(result: simulate.RunResult, path: Path | None) -> None:
    """Writes the array that a test has kept to OUT, and says so; a run that failed may have kept what left the core, or
    none. Raises `UserError`."""
    if path is None or not (result.passed or (result.run_dir / OUT_NAME).is_file()):
        return
    try:
        array = read_array(result.run_dir / OUT_NAME)
        save_array(path, array)
    except FileError as error:
        raise UserError(f"OUT={error}") from None
    print(f"wrote {shown(path)}: {' x '.join(map(str, array.shape))}, {array.dtype}")


def sim_one(
    block: Block, test: str | None, values: Mapping[str, Any], show: bool = True, waves: bool = False
) -> Outcome:
    """Runs one test as the variables say and prints its verdict, and its figures if it is to `show` them."""
    said = options.given()
    params = {name: values[name] for name in block.params}
    mine = {option.name: values[option.name] for option in block.options}
    given = {name: said[name] for name in mine if name in said}
    facts = {"block": block.name, "sim": values["SIM"], "seed": values["SEED"], "parameters": params}
    facts |= {"check": values["CHECK"]} | ({"rtl": shown(values["RTL"])} if values["RTL"] else {})
    try:
        own = OwnRtl.read(values["RTL"]) if values["RTL"] else None
        variables: dict[str, Any] = dict(given)
        if values["CONFIG"]:
            if given:
                raise UserError(f"CONFIG already says what {', '.join(given)} would")
            name, config = _known_test(block, test), _load_config(values["CONFIG"])
            variables = {"CONFIG": shown(values["CONFIG"])}
        elif block.sim_options:
            name, config = block.sim_options({**mine, "TEST": test, "PARAMS": params, "SEVERAL": not show})
            if not show and name != test:
                raise UserError(f"your own tensors are played by {name}: leave TEST out")
        else:
            name, config = test or block.default_test, {}
        for each, value in block.test_params.get(name, {}).items():
            if each not in said:
                params[each] = value
        facts["test"] = name
        result = (sim_pieces if "pieces" in config else simulate).run(
            block,
            values["SIM"],
            name,
            values["SEED"],
            params,
            config,
            waves=waves or values["WAVES"],
            rtl=own,
            check=values["CHECK"],
            timeout=values["TIMEOUT"],
            variables=variables,
        )
    except UserError as error:
        if not show:
            print(verdict(f"FAIL {block.name} {test}: {error}"))
        return Outcome(facts | {"status": "error", "error": str(error)}, error=error)
    for line in result.warnings:
        print(f"warning: {line}", file=sys.stderr)
    details = (result.result or {}).get("report")
    facts = {**(details if isinstance(details, dict) else {}), **facts}
    facts["status"] = "pass" if result.passed else "fail"
    facts |= {"error": result.error, "seconds": round(result.seconds, 3), "replay": result.replay}
    # Files first: whatever becomes of what is printed, they are there.
    problems = []
    report = values.get("REPORT") if show else None
    for write in (lambda: _take_out(result, values.get("OUT")), lambda: write_report(report, facts)):
        try:
            write()
        except UserError as error:
            problems.append(str(error))
    if show and result.result is not None:
        if values["CHECK"] == "value":
            from tb.lib.report import print_timing

            print_timing(result.result)
        elif block.print_report is not None:
            block.print_report(result.result)
    print(verdict(result.summary()))
    if problems:
        raise UserError("; ".join(problems))
    return Outcome(facts, result)


def _known_test(block: Block, test: str | None) -> str:
    """`test`, or the default. Raises `UserError` for one that the block's module does not have."""
    path = ROOT / "tb" / block.name / "tests.py"
    if test is not None and path.is_file() and test not in (known := uvm_tests(path)):
        near = did_you_mean(test, known) or f" (make list BLOCK={block.name} lists them)"
        raise UserError(f"{block.name} has no test {test}{near}")
    return test or block.default_test


def _load_config(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except FileError as error:
        raise UserError(f"CONFIG={error}") from None
