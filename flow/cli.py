"""The commands behind the Makefile's targets. Every option is a make variable (its `envvar`), and `help` is made from
these definitions.

Exit status: 0 passed, 1 something failed, 2 a mistake in the call or a missing tool (one line says which).
"""

from __future__ import annotations

import errno
import importlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich import box
from rich.console import Console
from rich.table import Table

from flow.commands.operators import OPERATORS
from flow.core import surroundings
from flow.core.blocks import all_blocks, block_names, get_block
from flow.core.makevars import clean_environment, drop_exported, given_variables, refuse_unknown
from flow.core.progress import speaking
from models.common.files import (
    FileError,
    check_folder,
    check_output,
    read_array,
    read_json,
    save_array,
    write_whole,
)
from tb.lib.contract import Block, Option
from tb.lib.errors import UserError, did_you_mean
from tb.lib.paths import PACKAGES, REPORTS, ROOT, shown
from tb.lib.replay import definition
from tb.lib.runinfo import OUT_NAME
from tb.lib.testplan import uvm_tests

if TYPE_CHECKING:
    from flow.core.simulate import RunResult

DEFAULT_BLOCK = "ioss"
ALL_BLOCKS = "all"
JUNIT = REPORTS / "pytest.xml"


ROUNDS = {"stochastic": "stochastic", "nearest": "nearest-even"}  # of errors, in host.fixed's words
MODEL_VARIANTS = ("float32", "16 bits", "12 bits", "8 bits", "8/8/4 bits", "LAPS")  # of train-model


class _Choice(click.ParamType):
    """One of a few values; says which in its help and its error."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = tuple(values)
        self.name = "|".join(map(str, values))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        for candidate in self.values:
            if str(candidate) == str(value):
                return candidate
        names = [str(each) for each in self.values]
        return self.fail(f"choose one of {', '.join(names)}{did_you_mean(str(value), names)}", param, ctx)


class _Flag(_Choice):
    name = "0|1"

    def __init__(self) -> None:
        super().__init__(("0", "1"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        return value if isinstance(value, bool) else super().convert(value, param, ctx) == "1"


class _Seed(click.ParamType):
    name = "1..2147483647"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[0-9]{1,10}", value) or not 1 <= int(value) < 2**31:
            self.fail("must be a number from 1 to 2147483647 (Verilator refuses seed 0)", param, ctx)
        return int(value)


class _Number(click.ParamType):
    """A finite number from `least` to `most` (None: no end); its name says so unless it has one."""

    def __init__(
        self,
        kind: type[float],
        least: float | None = None,
        most: float | None = None,
        name: str = "",
        words: Sequence[str] = (),
    ) -> None:
        self.kind, self.least, self.most, self.words = kind, least, most, tuple(words)
        ends = ["" if end is None else f"{end:.12g}" for end in (least, most)]
        self.range = "..".join(ends) if any(ends) else ""
        self.name = "|".join((*self.words, name or self.range or {int: "integer", float: "float"}[kind]))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.words:
            return value
        try:
            number = self.kind(value)
        except (ValueError, OverflowError):
            return self.fail(f"'{_short(value)}' is not a valid {self._what()}", param, ctx)
        low, high = (-math.inf if self.least is None else self.least), (math.inf if self.most is None else self.most)
        if not (low <= number <= high and abs(number) < math.inf):
            return self.fail(f"choose {self.range or 'a finite number'}", param, ctx)
        return number

    def _what(self) -> str:
        return "integer" if self.kind is int else "number"


class _Seconds(_Number):
    def __init__(self) -> None:
        super().__init__(float, 1, 1_000_000, "seconds")


class _Minutes(_Number):
    def __init__(self) -> None:
        super().__init__(float, 0, 1_000_000, "minutes")


class _Percent(_Number):
    def __init__(self) -> None:
        super().__init__(float, 0, 100, "0..100")


class _Count(_Number):
    def __init__(self, most: int = 64) -> None:
        super().__init__(int, 1, most)


class _Blocks(click.ParamType):
    """Names of blocks with commas between them, or `all`."""

    name = "all|name[,name]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        known = block_names()
        names = list(dict.fromkeys(known if value == "all" else value.split(",")))
        for name in names:
            if name not in known:
                near = did_you_mean(name, known)
                self.fail(f"there is no block '{name}': choose all or some of {', '.join(known)}{near}", param, ctx)
        return tuple(names)


class _Some(click.ParamType):
    """Some of a few names with commas between them, or `all`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.name = "all|name[,name]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        chosen = self.names if value == "all" else tuple(dict.fromkeys(value.split(",")))
        for name in chosen:
            if name not in self.names:
                self.fail(f"'{name}' is not there: choose all or some of {', '.join(self.names)}", param, ctx)
        return chosen


class _Sample(click.ParamType):
    """A number, or `all` (None)."""

    name = "n|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "all":
            return None
        if not re.fullmatch(r"\d{1,6}", str(value)) or int(value) < 1:
            self.fail("must be a number from 1 to 999999, or all", param, ctx)
        return int(value)


class _Address(click.ParamType):
    name = "tcp://host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        match = re.fullmatch(r"(?:tcp|tls|ucx|ws|wss)://[^\s/]+:([0-9]{1,5})", value)
        if not match or not 0 < int(match[1]) < 65536:
            self.fail("must be a scheduler's address such as tcp://host:8786", param, ctx)
        return value


class _File(click.ParamType):
    """A path, made absolute: an input must be a readable file, the folder of an output must exist."""

    name = "file"

    def __init__(self, output: bool = False) -> None:
        self.output = output

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = _path(value, self, param, ctx)
        if self.output:
            try:
                check_output(path)
            except FileError as error:
                self.fail(error.reason, param, ctx)
        else:
            try:
                good = path.is_file() and os.access(path, os.R_OK)
            except (OSError, ValueError):  # a name that no file can have
                good = False
            if not good:
                self.fail(f"cannot read {path}", param, ctx)
        return path


class _Net(click.ParamType):
    """A network that is shipped, or a Python file with one: its path made absolute."""

    name = "name|file.py[:NAME]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from host.network import NetworkError, path_of, shipped

        try:
            path, variable = path_of(str(value))
        except NetworkError as error:
            return self.fail(str(error) + did_you_mean(str(value), shipped()), param, ctx)
        if value in shipped():
            return str(value)
        return f"{_path(path, self, param, ctx)}{':' if variable else ''}{variable}"


class _Data(click.ParamType):
    """The name of data that is known, or a path, made absolute."""

    name = "digits|fashion-mnist|folder|file.npz"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value) if value in ("digits", "fashion-mnist") else str(_path(value, self, param, ctx))


class _Images(click.ParamType):
    """How many training images, and after a slash how many test images."""

    name = "n[/n]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"[1-9][0-9]{0,8}(/[1-9][0-9]{0,8})?", value):
            self.fail("give a number of training images, or 640/200: of training and of test images", param, ctx)
        return tuple(map(int, value.split("/")))


class _Folder(click.ParamType):
    """A folder that is written to, made absolute: it must be there and writable, or be one that can be made."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = _path(value, self, param, ctx)
        try:
            check_folder(path)
        except FileError as error:
            self.fail(error.reason, param, ctx)
        return path


def _short(value: Any) -> str:
    """A value that a line can name."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:40]}... ({len(text)} letters)"


def _path(value: Any, kind: click.ParamType, param: click.Parameter | None, ctx: click.Context | None) -> Path:
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:  # ~someone
        return kind.fail(f"there is no home folder for {value}", param, ctx)


def _variable(name: str, kind: click.ParamType, text: str, default: Any = None) -> click.Option:
    return click.Option(
        [f"--{name.lower().replace('_', '-')}", name], envvar=name, type=kind, default=default, help=text
    )


def _block_variable() -> click.Option:
    return _variable("BLOCK", _Choice(block_names()), "block under test", DEFAULT_BLOCK)


def _report_variable() -> click.Option:
    return _variable("REPORT", _File(output=True), "write the results to this JSON file")


def _timeout_variable(default: float) -> click.Option:
    return _variable("TIMEOUT", _Seconds(), "seconds after which a simulation or synthesis is killed", default)


def _network_variables() -> list[click.Option]:
    return [
        _variable("NET", _Net(), "network to train: mlp, cnn, lenet, resnet, or a file of your own", "mlp"),
        _variable("DATA", _Data(), "data to train with (default: the network's own)"),
        _variable("IMAGES", _Images(), "only the first so many training images, and test images (default: all)"),
    ]


def _jobs_variable(what: str = "simulations") -> click.Option:
    return _variable("JOBS", _Count(), f"{what} at the same time", 2)


def _option_variable(option: Option) -> click.Option:
    kinds: dict[str, click.ParamType] = {
        "int": _Number(int, option.least, option.most, words=option.words),
        "float": _Number(float, option.least, option.most, words=option.words),
        "str": click.STRING,
        "flag": _Flag(),
        "in_file": _File(),
        "out_file": _File(output=True),
    }
    kind = _Choice(option.choices) if option.choices else kinds[option.kind]
    default = bool(option.default) if option.kind == "flag" else option.default
    return _variable(option.name, kind, option.help, default)


# --- sim ----------------------------------------


def _sim_variables(block: Block) -> list[click.Parameter]:
    from flow.core.simulate import CHECKS, DEFAULT_TIMEOUT
    from flow.core.tools import SIMULATORS

    common = [
        _block_variable(),
        _variable("SIM", _Choice(SIMULATORS), "simulator", SIMULATORS[0]),
        _variable("TEST", click.STRING, "test to run, or several: name[,name] or 'pattern*' (make list shows them)"),
        _variable("SEED", _Seed(), "seed of everything that is random", 1),
        _variable("WAVES", _Flag(), "record waveforms", False),
        _timeout_variable(DEFAULT_TIMEOUT),
        _variable("CONFIG", _File(), "the test's configuration as JSON, as a replay line names it"),
        _variable("RTL", _File(), "list of your own source files (.f), which replace the block's modules"),
        _variable("CHECK", _Choice(CHECKS), "cycle: everything; value: values and order at the outputs", CHECKS[0]),
        _report_variable(),
    ]
    return [*common, *_param_variables(block), *map(_option_variable, block.options)]


def _param_variables(block: Block) -> list[click.Parameter]:
    return [
        _variable(name, _Choice(param.legal), param.help or f"parameter {param.sv_name}", param.default)
        for name, param in block.params.items()
    ]


def _wide(columns: int) -> Console:
    """A console as wide as the terminal; of `columns` where there is none, so that files hold whole tables."""
    console = Console()
    return console if console.is_terminal else Console(width=max(columns, console.width))


def verdict(text: str) -> str:
    """`text` with PASS in green and FAIL in red where it begins with them, on a terminal."""
    word = text[:4]
    colour = {"PASS": 32, "FAIL": 31}.get(word)
    if colour is None or not Console().is_terminal or os.environ.get("NO_COLOR"):
        return text
    return f"\033[1;{colour}m{word}\033[0m{text[4:]}"


def _write_report(path: Path | None, content: Mapping[str, Any]) -> None:
    if path is not None:
        try:
            write_whole(path, json.dumps(content, indent=1, default=str) + "\n")
        except FileError as error:
            raise UserError(f"REPORT={error}") from None
        print(f"report: {shown(path)}")


def _take_out(result: RunResult, path: Path | None) -> None:
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


def _sim_command(block: Block) -> click.Command:
    def sim(**values: Any) -> int:
        report_path = values["REPORT"]
        tests = _chosen_tests(block, values["TEST"])
        outcomes: list[_Outcome] = []
        for test in tests:
            outcome = _sim_one(block, test, values, show=len(tests) == 1)
            outcomes.append(outcome)
            if outcome.error is not None and len(tests) == 1:
                _write_report(report_path, outcome.facts)
                raise outcome.error
        if len(tests) == 1:
            return 0 if outcomes[0].passed else 1
        bad = [test for test, outcome in zip(tests, outcomes, strict=True) if not outcome.passed]
        facts = {"block": block.name, "status": "fail" if bad else "pass", "tests": [each.facts for each in outcomes]}
        _write_report(report_path, facts)
        names = f": {', '.join(map(str, bad))}" if bad else ""
        print(verdict(f"{'FAIL' if bad else 'PASS'} {len(tests) - len(bad)} of {len(tests)} tests{names}"))
        return 1 if bad else 0

    return click.Command(
        "sim", callback=sim, params=_sim_variables(block), help="one test, several, or your own tensors, on the RTL"
    )


def _chosen_tests(block: Block, text: str | None) -> list[str | None]:
    """The tests that TEST names; [None] for the default, or one name as it is."""
    from flow.commands.listing import choose, is_pattern, names_of_tests

    if text is None or not is_pattern(text):
        return [text]
    chosen = choose("TEST", text, names_of_tests(block), "test", f"make list BLOCK={block.name} lists them")
    return list(chosen)


@dataclass
class _Outcome:
    """What came of one simulation: its facts for a report; the run, if it was made; the user's mistake, if it was."""

    facts: dict[str, Any]
    run: Any = None
    error: UserError | None = None

    @property
    def passed(self) -> bool:
        return self.run is not None and self.run.passed


def _sim_one(
    block: Block, test: str | None, values: Mapping[str, Any], show: bool = True, waves: bool = False
) -> _Outcome:
    """Runs one test as the variables say and prints its verdict, and its figures if it is to `show` them."""
    from flow.core.ownrtl import OwnRtl
    from flow.core.simulate import run

    context = click.get_current_context()
    source = click.core.ParameterSource.ENVIRONMENT
    params = {name: values[name] for name in block.params}
    options = {option.name: values[option.name] for option in block.options}
    given = {name: context.obj[name] for name in options if context.get_parameter_source(name) is source}
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
            name, config = block.sim_options({**options, "TEST": test, "PARAMS": params, "SEVERAL": not show})
            if not show and name != test:
                raise UserError(f"your own tensors are played by {name}: leave TEST out")
        else:
            name, config = test or block.default_test, {}
        for each, value in block.test_params.get(name, {}).items():
            if context.get_parameter_source(each) is not source:
                params[each] = value
        facts["test"] = name
        result = run(
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
        return _Outcome(facts | {"status": "error", "error": str(error)}, error=error)
    for line in result.warnings:
        print(f"warning: {line}", file=sys.stderr)
    details = (result.result or {}).get("report")
    facts = {**(details if isinstance(details, dict) else {}), **facts}
    facts["status"] = "pass" if result.passed else "fail"
    facts |= {"error": result.error, "seconds": round(result.seconds, 3), "replay": result.replay}
    # Files first: whatever becomes of what is printed, they are there.
    problems = []
    report = values.get("REPORT") if show else None
    for write in (lambda: _take_out(result, values.get("OUT")), lambda: _write_report(report, facts)):
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
    return _Outcome(facts, result)


def _waves_command(block: Block) -> click.Command:
    def waves(**values: Any) -> int:
        from flow.commands.waves import view, write_lists
        from tb.lib.runinfo import CLOCK_NS

        path, run = values["FILE"], None
        if path is None:
            outcome = _sim_one(block, values["TEST"], values, waves=True)
            if outcome.error is not None:
                raise outcome.error
            run = outcome.run
            path = run.waves
            if path is None:
                raise UserError(f"the simulation left no waves; its log: {shown(run.log)}")
        divergence = (run.result or {}).get("first_divergence") if run is not None else None
        # The edge that ends cycle 0 is one period after the start.
        marker = (int(divergence["cycle"]) + 1) * CLOCK_NS * 1000 if divergence else None
        save, commands = write_lists(path, block.tb_top, marker)
        print(f"signals: {shown(save)} (GTKWave), {shown(commands)} (Surfer)")
        print(view(path, save, commands))
        return 0 if run is None or run.passed else 1

    mine = [param for param in _sim_variables(block) if param.envvar not in ("WAVES", "REPORT")]
    mine.append(_variable("FILE", _File(), "waves that are there, of this block, instead of a run"))
    return click.Command(
        "waves", callback=waves, params=mine, help="run a test with waveforms, list its signals, open a viewer"
    )


def _watch_command(block: Block) -> click.Command:
    def watch(RTL: Path | None, **_: Any) -> int:
        from flow.commands.watch import watch_sources

        return watch_sources(click.get_current_context().obj, RTL, lambda line: print(line, flush=True))

    mine = [param for param in _sim_variables(block) if param.envvar not in ("WAVES", "REPORT", "OUT")]
    return click.Command("watch", callback=watch, params=mine, help="run again whenever a source is saved; a line each")


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


# --- the other targets ----------------------------------------

# What `make test SIM=` hands to pytest. The comparison of both simulators' logs belongs to Icarus' half.
_HALVES: dict[str, tuple[str, ...]] = {"both": (), "verilator": ("-k", "not icarus"), "icarus": ("-k", "icarus")}
# What RUNS= hands to it; a test with marker `late` takes long and adds little to the others.
_RUNS = {"early": "not late", "all": "not early"}


def _test(SIM: str, RUNS: str, JOBS: int) -> int:
    from flow.core import floor
    from flow.core.tools import SIMULATORS, ensure_simulator

    for sim in SIMULATORS:
        ensure_simulator(sim)
    REPORTS.mkdir(parents=True, exist_ok=True)
    floor.clear()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        str(JOBS),
        "--dist",
        "worksteal",
        "--junitxml",
        str(JUNIT),
        "-p",
        "flow.core.left",
        "-m",
        _RUNS[RUNS],
        *_HALVES[SIM],
        *PACKAGES,
    ]
    bad = subprocess.run(command, cwd=ROOT, check=False).returncode != 0
    if SIM != "both":
        print(f"functional coverage has no floor with SIM={SIM}: that is half of the runs")
    else:
        if bad:
            print("tests failed: a run that did not pass counts nothing, so that bins may be missing for that reason")
        summaries = floor.measure(all_blocks())
        shares = ", ".join(f"{name} {summary['percent']} %" for name, summary in summaries.items())
        print(f"functional coverage of these runs: {shares} (floor {floor.FLOOR} %)")
        for line in floor.missed(summaries):
            bad = True
            print(f"FAIL {line}")
    print(f"{'FAIL' if bad else 'PASS'} make test (results: {shown(JUNIT)})")
    return 1 if bad else 0


def _coverage(BLOCK: str, REPORT: Path | None, JOBS: int) -> int:
    from flow.commands.coverage import cover, cover_all

    content = cover_all(JOBS) if BLOCK == ALL_BLOCKS else cover(get_block(BLOCK), JOBS)
    _write_report(REPORT, content)
    for line in content["missed"]:
        print(f"FAIL {line}")
    of = "all blocks" if BLOCK == ALL_BLOCKS else BLOCK
    print(f"{'FAIL' if content['missed'] else 'PASS'} coverage of {of}")
    return 1 if content["missed"] else 0


def _lint() -> int:
    from flow.commands.lint import lint

    failed = 0
    for name, findings in lint():
        print(f"{'FAIL' if findings else 'ok  '} {name}")
        for line in findings:
            print(f"  {line}")
        failed += bool(findings)
    print(f"FAIL lint: {failed} checks have findings" if failed else "PASS lint")
    return 1 if failed else 0


def _faults(BLOCK: str, FAULT: str | None, REPORT: Path | None, JOBS: int, RTL: str | None) -> int:
    from flow.commands.faults import load_faults, try_faults
    from flow.commands.listing import choose

    if RTL:
        raise UserError(
            f"RTL={RTL}: planted faults are patches of rtl/{BLOCK}/ and cannot apply to other sources; "
            "break your own file and let make sim RTL= catch it (docs/guide/own_rtl.md)"
        )
    block = get_block(BLOCK)
    names = None
    if FAULT is not None:
        known = [fault.name for fault in load_faults(block)]
        names = choose("FAULT", FAULT, known, "fault", f"make list BLOCK={block.name} lists them")
    results = try_faults(block, JOBS, names)
    table = Table(
        "fault",
        "what it breaks",
        "outcome",
        "first at",
        "expected",
        title=f"planted faults of {block.name}",
        box=box.SIMPLE,
    )
    for result in results:
        table.add_row(result.name, result.title, result.outcome, result.boundary or "-", ", ".join(result.expected))
    _wide(150).print(table)
    bad = [result for result in results if result.outcome != "caught"]
    for result in bad:
        print(f"{result.name}: {result.outcome}{f': {result.detail}' if result.detail else ''}")
        if result.replay:
            print(f"  plant it: git apply {block.faults_dir}/{result.name}.patch (git apply -R takes it out)")
            print(f"  {result.replay}")
    content = {
        "block": block.name,
        "status": "fail" if bad else "pass",
        "caught": len(results) - len(bad),
        "faults": len(results),
    }
    content["results"] = [result.as_dict() for result in results]
    # The documentation shows the last report of all faults.
    path = REPORT or (REPORTS / block.name / "faults.json" if names is None else None)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    _write_report(path, content)
    print(f"{'FAIL' if bad else 'PASS'} {content['caught']} of {len(results)} faults caught where expected")
    return 1 if bad else 0


def _mutate(
    BLOCK: tuple[str, ...],
    N: int | None,
    SEED: int,
    OPERATOR: tuple[str, ...],
    KEY: str | None,
    JOBS: int,
    SCHEDULER: str | None,
    TIME: float | None,
    EVERY: bool,
    RESTART: bool,
    GOAL: float | None,
    REPORT: Path | None,
) -> int:
    from flow.commands import mutate
    from flow.commands.mutate_report import summary_lines, write_reports

    if KEY and len(BLOCK) > 1:
        raise UserError(f"KEY={KEY} is a mutant of one block: say which with BLOCK")
    request = mutate.Request(
        tuple(get_block(name) for name in BLOCK),
        N,
        SEED,
        OPERATOR,
        keys=tuple(KEY.split(",")) if KEY else (),
        workers=JOBS,
        scheduler=SCHEDULER,
        minutes=TIME,
        every=EVERY,
        restart=RESTART,
        goal=GOAL,
    )
    data = mutate.content(mutate.mutate(request, Console()), request)
    files = write_reports(data, request.store)
    for line in summary_lines(data, files):
        print(line)
    _write_report(REPORT, data)
    print(f"{data['status'].upper()} mutate: {100 * data['score']:.2f} % of mutants noticed")
    return {"pass": 0, "fail": 1}.get(data["status"], 3)


def _bench(BLOCK: str, REPORT: Path | None) -> int:
    block = get_block(BLOCK)
    if block.bench is None:
        raise UserError(f"block {block.name} has no benchmark")
    return importlib.import_module(block.bench).bench(REPORT)


def _prove(BLOCK: str, REPORT: Path | None) -> int:
    from flow.commands.prove import prove

    block = get_block(BLOCK)
    if not block.proofs:
        raise UserError(f"block {block.name} has no proofs")
    results = []
    for proof in block.proofs:
        print(f"proving {proof.name} ...", flush=True)
        results.append(prove(block, proof))
    columns = ("proof", "assertions", "covers", "seconds", "outcome")
    table = Table(*columns, title=f"proofs of {block.name}", box=box.SIMPLE)
    for result in results:
        numbers = (str(result.asserts), str(result.covers), f"{result.seconds:.1f}")
        table.add_row(result.name, *numbers, result.error or "holds")
    _wide(120).print(table)
    for result in results:
        if result.trace:
            print(f"counterexample of {result.name}: {result.trace}")
    bad = [result for result in results if not result.passed]
    content = {"block": block.name, "status": "fail" if bad else "pass", "proofs": [r.as_dict() for r in results]}
    _write_report(REPORT, content)
    print(f"{'FAIL' if bad else 'PASS'} {len(results) - len(bad)} of {len(results)} proofs hold")
    return 1 if bad else 0


def _synth_variables(block: Block) -> list[click.Parameter]:
    from flow.commands.synth import DEFAULT_TIMEOUT

    return [
        _block_variable(),
        *_param_variables(block),
        _variable("GATES", _Flag(), "estimate gates too, which takes minutes", False),
        _variable("MAP", _Flag(), "map to standard cells instead: area, memories, longest path (minutes)", False),
        _variable("DENSE", _Flag(), "with MAP: dense 16-bit integer and FP16 arrays beside the block", False),
        _timeout_variable(DEFAULT_TIMEOUT),
        _jobs_variable("syntheses"),
        _report_variable(),
    ]


def _map(block: Block, params: dict[str, int], dense: bool, timeout: float, report: Path | None) -> int:
    from flow.commands.dense import DENSE, KINDS
    from flow.commands.mapping import area_table, map_all, module_table, path_lines

    facts: dict[str, Any] = {"block": block.name}
    shared = {
        name: value for name, value in params.items() if name in DENSE.params and value in DENSE.params[name].legal
    }
    beside = {name: (DENSE, {**shared, **kind}) for name, kind in KINDS.items()} if dense else {}
    try:
        mapped, others = map_all(block, params, beside, timeout)
    except UserError as error:
        _write_report(report, facts | {"parameters": params, "status": "error", "error": str(error)})
        raise
    console = _wide(120)
    console.print(module_table(mapped))
    console.print(area_table({block.name: mapped, **others}))
    print("\n".join(path_lines(mapped)))
    facts |= {"status": "pass", **mapped.as_dict(), **{name: each.as_dict() for name, each in others.items()}}
    _write_report(report, facts)
    print(
        f"PASS synth of {block.name}: {mapped.area / 1e6:.3f} mm2, {mapped.cells.total():,} cells, "
        f"{mapped.memory_bits:,} memory bits ({mapped.unclocked_bits:,} read without a clock), {mapped.library}"
    )
    return 0


def _synth_command(block: Block) -> click.Command:
    def synth(**values: Any) -> int:
        from flow.commands.synth import compared, comparison_table, cost_tables, shown_params, synthesise_all

        params = {name: values[name] for name in block.params}
        if values["DENSE"] and not values["MAP"]:
            raise UserError("DENSE=1 compares areas of cells: give MAP=1 too")
        if values["MAP"] and values["GATES"]:
            raise UserError("GATES=1 counts gates without a library, MAP=1 takes cells of one: give one of them")
        if values["MAP"]:
            return _map(block, params, values["DENSE"], values["TIMEOUT"], values["REPORT"])
        facts: dict[str, Any] = {"block": block.name}
        try:
            cost, variants = synthesise_all(block, params, values["GATES"], values["TIMEOUT"], values["JOBS"])
        except UserError as error:
            _write_report(values["REPORT"], facts | {"parameters": params, "status": "error", "error": str(error)})
            raise
        console = _wide(120)
        print(f"{block.name} {shown_params(params)}".strip())
        for table in cost_tables(cost):
            console.print(table)
        facts |= {"status": "pass", **cost.as_dict()}
        if variants:
            console.print(comparison_table(block, cost, variants))
            facts["variants"] = {name: each.as_dict() for name, each in variants.items()}
            facts["compared"] = compared(cost, variants)
        mapped = f"{cost.gates.total():,} gates" if cost.gates is not None else "gates not estimated (GATES=1)"
        print(
            f"PASS synth of {block.name}: {cost.multipliers.total()} multipliers, {cost.constant_products} products "
            f"with constants, {cost.flip_flops.total():,} flip-flop bits, {cost.memory_bits:,} memory bits, {mapped}"
        )
        _write_report(values["REPORT"], facts)
        return 0

    return click.Command(
        "synth",
        callback=synth,
        params=_synth_variables(block),
        help="synthesise a block: multipliers, flip-flops, memories, gates, area and time",
    )


def _regress(
    BLOCK: tuple[str, ...],
    SIM: str,
    SEEDS: int | None,
    JOBS: int,
    TIME: float | None,
    SCHEDULER: str | None,
    COVERAGE: bool,
    RESTART: bool,
    TIMEOUT: float,
    REPORT: Path | None,
) -> int:
    from flow.commands.regress import Request, alone, regress
    from flow.commands.regress_report import summary_lines, write_reports
    from flow.core.tools import ensure_simulator

    ensure_simulator(SIM)
    if COVERAGE and SIM != "verilator":
        raise UserError("COVERAGE=1 needs SIM=verilator: Icarus does not count")
    request = Request(
        blocks=tuple(get_block(name) for name in BLOCK),
        sim=SIM,
        seeds=SEEDS,
        workers=JOBS,
        minutes=TIME,
        scheduler=SCHEDULER,
        coverage=COVERAGE,
        restart=RESTART,
        timeout=TIMEOUT,
    )
    with alone(request.store):
        outcome = regress(request, _wide(100))
        data, files = write_reports(outcome, request)
    for line in summary_lines(data, files):
        print(line)
    _write_report(REPORT, data)
    return 130 if outcome.killed else {"pass": 0, "fail": 1, "incomplete": 3}[data["status"]]


def _replay(ID: str | None, TIMEOUT: float) -> int:
    from flow.core.jobs import find_job
    from flow.core.simulate import run

    job = find_job(ID)
    block = get_block(job.block)
    result = run(
        block, job.sim, job.test, job.seed, job.params, job.config, waves=True, timeout=TIMEOUT, label="replay"
    )
    if result.result is not None and block.print_report is not None:
        block.print_report(result.result)
    print(result.summary())
    return 0 if result.passed else 1


def _tensors() -> int:
    module = "studies.make_tensors"
    status = subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=False).returncode
    if status:
        raise UserError(f"{module} ended with status {status}")
    return 0


def _regs() -> int:
    from flow.commands import filelists, limits, wordmap
    from flow.commands.regmap import make_files
    from flow.site import figures
    from models.regs.map import MapError, load_map

    try:
        made = make_files(load_map())
    except MapError as error:
        raise UserError(str(error)) from error
    changed = [*made, *filelists.make_files(), *limits.make_page(), *wordmap.make_page(), *figures.make_page()]
    for path in changed:
        print(f"made {shown(path)}")
    print(f"PASS regs: {len(changed)} files were not up to date" if changed else "PASS regs: everything is up to date")
    return 0


def _docs(OPEN: bool) -> int:
    from flow.site import pictures
    from flow.site.build import SITE, build_site

    pictures.write_pictures()
    findings = build_site()
    for line in findings:
        print(f"  {line}")
    if findings:
        print(f"FAIL docs: {len(findings)} findings, no site")
        return 1
    front = SITE / "index.html"
    print(f"PASS docs: {shown(front)}")
    if OPEN and not webbrowser.open(front.as_uri()):
        raise UserError(f"there is no browser to open here: open {front} in yours")
    return 0


def _train(
    NET: str,
    DATA: str | None,
    IMAGES: tuple[int, ...] | None,
    EPOCHS: int,
    OPT: str,
    LAPS: bool,
    ROUND: str,
    SEED: int,
    CORES: int,
    SAMPLE: str | None,
    JOBS: int,
    ENERGY: Path | None,
    CAPTURE: Path | None,
    CAPTURE_AT: int | None,
    REPORT: Path | None,
) -> int:
    from flow.commands.train import Job, check_job, prepared, train
    from flow.commands.train_report import content, pictures, summary_lines, write_page
    from host.energy import DEFAULT, Energies, EnergyError
    from host.network import name_of
    from models.top.config import TopParams
    from tb.top.training import Plan

    try:
        energies = Energies.load(ENERGY or DEFAULT)
    except EnergyError as error:
        raise UserError(f"ENERGY={error}" if ENERGY else str(error)) from error
    if CAPTURE_AT is not None and CAPTURE is None:
        raise UserError("CAPTURE_AT says which iteration CAPTURE= saves: give CAPTURE, the folder, too")
    plan = Plan(NET, OPT, LAPS, SEED, DATA or "", IMAGES, ROUNDS[ROUND])
    data = prepared(plan, TopParams(cores=CORES))
    job = Job(plan, EPOCHS, get_block("top").resolve_params({"CORES": CORES}), CAPTURE, (CAPTURE_AT or 1) - 1)
    per_epoch = len(data.train_labels) // plan.network.batch
    check_job(job, per_epoch)
    if SAMPLE is not None:
        return _train_sampled(job, data, per_epoch, SAMPLE, JOBS, REPORT)
    records = train(job, per_epoch)
    report = content(records, per_epoch, plan.float32(data, EPOCHS), TopParams(cores=CORES), energies)
    short = name_of(NET)
    name = f"{short}-{OPT}-{'laps' if LAPS else '8bit'}-{SEED}" + (f"-{CORES}cores" if CORES > 1 else "")
    folder = REPORTS / "train" / name
    images = pictures(report, records)
    span = "1 epoch" if EPOCHS == 1 else f"{EPOCHS} epochs"
    title = f"{short} trained on the RTL: {span}, {OPT}, {'LAPS' if LAPS else '8 bits'}, seed {SEED}"
    page = write_page(report, title, images, folder / "train.html")
    write_whole(folder / "train.json", json.dumps(report, indent=1) + "\n")
    for line in summary_lines(report):
        print(line)
    print(f"page: {shown(page)}")
    if CAPTURE:
        first = definition("CAPTURE", shown(CAPTURE / "fp1.npz"))
        print(f"captures: {shown(CAPTURE)}; make sim BLOCK=gemm {first} replays the first")
    _write_report(REPORT, report)
    return 0


def _train_sampled(job: Any, data: Any, per_epoch: int, share: str, jobs: int, report: Path | None) -> int:
    from flow.commands.sample import parse_sample, sample, table_of

    if job.plan.rounding != ROUNDS["nearest"]:
        raise UserError(
            "SAMPLE needs ROUND=nearest: random bits are drawn in the order in which jobs complete, which no model can"
            " know ahead of the RTL"
        )
    if job.capture:
        raise UserError("SAMPLE takes no CAPTURE: leave one of them out")
    done = sample(job, data, per_epoch, parse_sample(share), jobs)
    Console(width=max(100, Console().width)).print(table_of(done))
    checks = ", ".join(f"{count:,} {kind}" for kind, count in done["checks"].items())
    print(f"checks: {checks}; mismatches: {done['mismatches']}")
    print(f"each of {len(done['verified'])} iterations ends in the state in which the next one began ahead")
    _write_report(report, done)
    return 0


def _net(
    MODEL: Path | None,
    INPUT: Path | None,
    LAYERS: str | None,
    SAMPLE: str,
    X_BITS: int,
    W_BITS: int,
    DYNAMIC: bool,
    SEED: int,
    JOBS: int,
    REPORT: Path | None,
) -> int:
    from flow.commands.net import Request, Sample, net, plan
    from flow.commands.net_report import print_tables, write_page

    if MODEL is None or INPUT is None:
        raise UserError("give MODEL=, an ONNX file, and INPUT=, a .npy of its input (a .npz of several)")
    console = Console(width=max(150, Console().width))
    work = plan(Request(MODEL, INPUT, LAYERS, Sample.parse(SAMPLE), X_BITS, W_BITS, SEED, JOBS, DYNAMIC))
    data = net(work, console)
    print_tables(data, console)
    page = write_page(data, REPORTS / "net" / MODEL.stem / "net.html")
    print(f"page: {shown(page)}")
    _write_report(REPORT, data)
    bad = data["mismatches"]
    counts = f"{len(data['layers'])} layers, {len(data['skipped_layers'])} skipped, {bad:,} mismatches"
    print(f"{'FAIL' if bad else 'PASS'} net {MODEL.name}: {counts}")
    return 1 if bad else 0


def _train_model(
    NET: str,
    DATA: str | None,
    IMAGES: tuple[int, ...] | None,
    EPOCHS: int,
    SEED: int,
    SEEDS: int,
    ONLY: tuple[str, ...],
    REPORT: Path | None,
    JOBS: int,
) -> int:
    from flow.commands.train_model import train_model
    from host.network import name_of
    from studies.measure import Task

    picture = REPORTS / "laps" / f"train_{name_of(NET)}.png"
    content = train_model(Task(NET, DATA or "", IMAGES), EPOCHS, range(SEED, SEED + SEEDS), JOBS, picture, ONLY)
    print(f"picture: {shown(picture)}")
    _write_report(REPORT, content | {"picture": str(picture)})
    return 0


def _help(BLOCK: str | None, TARGET: str | None) -> int:
    from flow.commands import helping

    terminal = Console()
    width = min(helping.WIDEST, terminal.width) if terminal.is_terminal else helping.WIDTH
    console = Console(width=width, highlight=False)
    blocks = [get_block(BLOCK)] if BLOCK else all_blocks()
    commands = _commands(blocks[0])
    if TARGET:
        helping.of_target(console, TARGET, commands, _OF_BLOCK.get(TARGET), blocks)
    elif BLOCK:
        helping.of_block(console, blocks[0], {name: make(blocks[0]) for name, make in _OF_BLOCK.items()})
    else:
        helping.overview(console, commands)
    return 0


def _list(BLOCK: str | None) -> int:
    from flow.commands.listing import list_block, list_blocks

    console = Console(highlight=False)
    if BLOCK:
        list_block(console, get_block(BLOCK))
    else:
        list_blocks(console, all_blocks())
    return 0


# The commands whose variables depend on the block.
_OF_BLOCK: Mapping[str, Callable[[Block], click.Command]] = {
    "sim": _sim_command,
    "waves": _waves_command,
    "watch": _watch_command,
    "synth": _synth_command,
}


def _commands(block: Block | None = None) -> dict[str, click.Command]:
    """All commands by name; those whose variables depend on the block take those of `block`, or of every block."""
    from flow.core.simulate import DEFAULT_TIMEOUT
    from flow.core.tools import SIMULATORS

    block_report: list[click.Parameter] = [_block_variable(), _report_variable()]
    made: list[click.Command] = []
    for make in _OF_BLOCK.values():
        one, *others = [make(each) for each in ([block] if block is not None else all_blocks())]
        for other in others:
            have = {param.envvar for param in one.params}
            one.params += [param for param in other.params if param.envvar not in have]
        made.append(one)
    made += [
        click.Command(
            "test",
            callback=_test,
            params=[
                _variable("SIM", _Choice(tuple(_HALVES)), "both, or half of the tests", "both"),
                _variable("RUNS", _Choice(tuple(_RUNS)), "what decides on a change, or every test (an hour)", "early"),
                _jobs_variable(),
            ],
            help="run the tests that decide on a change, or all",
        ),
        click.Command(
            "regress",
            callback=_regress,
            params=[
                _variable("BLOCK", _Blocks(), "blocks to run", "all"),
                _variable("SIM", _Choice(SIMULATORS), "simulator", SIMULATORS[0]),
                _variable(
                    "SEEDS", _Count(100_000), "seeds 1..SEEDS of every test that is not directed (default: the lists')"
                ),
                _jobs_variable("worker processes, each with a simulation,"),
                _variable("TIME", _Minutes(), "minutes after which no further job starts"),
                _variable("SCHEDULER", _Address(), "run on this Dask cluster instead of JOBS processes here"),
                _variable("COVERAGE", _Flag(), "count code coverage too (slower)", False),
                _variable("RESTART", _Flag(), "run jobs again that have a result for these sources", False),
                _timeout_variable(DEFAULT_TIMEOUT),
                _report_variable(),
            ],
            help="run every test of every block with many seeds and report; resume where an earlier one ended",
        ),
        click.Command(
            "replay",
            callback=_replay,
            params=[
                _variable("ID", click.STRING, "job of the last regression"),
                _timeout_variable(DEFAULT_TIMEOUT),
            ],
            help="run a job of the last regression again, with waveforms",
        ),
        click.Command(
            "coverage",
            callback=_coverage,
            params=[
                _variable("BLOCK", _Choice((*block_names(), ALL_BLOCKS)), "block under test, or all", DEFAULT_BLOCK),
                _report_variable(),
                _jobs_variable(),
            ],
            help="functional and code coverage of a block, or of all",
        ),
        click.Command("lint", callback=_lint, help="static checks of RTL, Python, testplans and pages"),
        click.Command(
            "faults",
            callback=_faults,
            params=[
                block_report[0],
                _variable("FAULT", click.STRING, "faults to plant: name[,name] or 'pattern*' (default: all)"),
                *block_report[1:],
                _jobs_variable(),
                _variable("RTL", click.STRING, "refused: faults are patches"),
            ],
            help="plant known faults, check that each is caught",
        ),
        click.Command(
            "mutate",
            callback=_mutate,
            params=[
                _variable("BLOCK", _Blocks(), "blocks whose RTL is mutated", DEFAULT_BLOCK),
                _variable("N", _Sample(), "so many mutants of a block, drawn with SEED, or all", 100),
                _variable("SEED", _Seed(), "seed of the sample", 1),
                _variable("OPERATOR", _Some(tuple(OPERATORS)), "mutation operators", ALL_BLOCKS),
                _variable("KEY", click.STRING, "only the mutants with these keys, of one block"),
                _jobs_variable("worker processes, each with a simulation,"),
                _variable("SCHEDULER", _Address(), "run on this Dask cluster instead of JOBS processes here"),
                _variable("TIME", _Minutes(), "minutes after which no further mutant starts"),
                _variable("EVERY", _Flag(), "every run for every mutant, for the whole matrix (slow)", False),
                _variable("RESTART", _Flag(), "run mutants again that have a result for these sources", False),
                _variable("GOAL", _Percent(), "per cent of the mutants of each block that must be noticed"),
                _report_variable(),
            ],
            help="mutate a block's RTL, count what its tests notice",
        ),
        click.Command("bench", callback=_bench, params=block_report, help="measure a block and check its figures"),
        click.Command("prove", callback=_prove, params=block_report, help="prove what a block's rules promise"),
        click.Command("tensors", callback=_tensors, help="remake the training tensors"),
        click.Command("regs", callback=_regs, help="make what follows from sources: register, word and width tables"),
        click.Command(
            "docs",
            callback=_docs,
            params=[_variable("OPEN", _Flag(), "open the front page in a browser", False)],
            help="build the documentation site, strictly, into build/site",
        ),
        click.Command(
            "train",
            callback=_train,
            params=[
                *_network_variables(),
                _variable("EPOCHS", _Count(1000), "epochs of a training on the RTL", 1),
                _variable("OPT", _Choice(("momentum", "adam")), "update rule", "momentum"),
                _variable("LAPS", _Flag(), "LAPS chooses precision (0: 8 bits)", True),
                _variable("ROUND", _Choice(tuple(ROUNDS)), "rounding of errors", "stochastic"),
                _variable("SAMPLE", click.STRING, "train in the model, verify a share (1/50) or all on the RTL"),
                _jobs_variable("simulations of SAMPLE"),
                _variable("SEED", _Seed(), "seed of everything that is random", 1),
                _variable("CORES", _Choice((1, 2, 4)), "pairs of IOSS core and RAN", 1),
                _variable("ENERGY", _File(), "energies and assumptions in place of data/energy/horowitz45.hjson"),
                _variable("CAPTURE", _Folder(), "save every GEMM of an iteration into this folder"),
                _variable("CAPTURE_AT", _Count(1_000_000), "the iteration that CAPTURE saves (default: the first)"),
                _report_variable(),
            ],
            help="train a real network on the RTL, checked to the bit and cycle; resume where an earlier one ended",
        ),
        click.Command(
            "net",
            callback=_net,
            params=[
                _variable("MODEL", _File(), "the network, ONNX"),
                _variable("INPUT", _File(), "its input, .npy; several: .npz with their names"),
                _variable("LAYERS", click.STRING, "layers by name, pattern or operator, with commas (default: all)"),
                _variable("SAMPLE", click.STRING, "rows of each product: a number, a share such as 0.05, or all", "64"),
                _variable("X_BITS", _Choice((4, 8, 12, 16)), "bits of activations that are floats", 8),
                _variable("W_BITS", _Choice((4, 8, 12, 16)), "bits of weights that are floats", 8),
                _variable("DYNAMIC", _Flag(), "take dynamic dimensions of the model's inputs from INPUT", False),
                _variable("SEED", _Seed(), "seed of everything that is random", 1),
                _jobs_variable(),
                _report_variable(),
            ],
            help="run the products of your own ONNX network on the RTL, sampled; resume where an earlier one ended",
        ),
        click.Command(
            "train-model",
            callback=_train_model,
            params=[
                *_network_variables(),
                _variable("EPOCHS", _Count(1000), "epochs of a training", 30),
                _variable("SEED", _Seed(), "seed of everything that is random", 1),
                _variable("SEEDS", _Count(), "average over so many seeds, SEED and those after it", 1),
                _variable("ONLY", _Some(MODEL_VARIANTS), "only these, float32 and LAPS", "all"),
                _report_variable(),
                _variable("JOBS", _Count(), "trainings at the same time", 2),
            ],
            help="train with LAPS choosing every number format, against float32 and fixed formats",
        ),
        click.Command(
            "help",
            callback=_help,
            params=[
                _variable("BLOCK", _Choice(block_names()), "what sim, waves and synth take for this block"),
                _variable("TARGET", click.STRING, "what this target does, and its variables"),
            ],
            help="this page; TARGET= or BLOCK= for details",
        ),
        click.Command(
            "list",
            callback=_list,
            params=[_variable("BLOCK", _Choice(block_names()), "also its testpoints and planted faults")],
            help="what there is to run: tests, testpoints, planted faults",
        ),
    ]
    return {str(command.name): command for command in made}


def _chosen_block(name: str) -> Block | None:
    if name not in _OF_BLOCK:
        return None
    return get_block(os.environ.get("BLOCK") or DEFAULT_BLOCK)


# What a disk or its owner may have against a file: no fault of the program.
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.EIO}
_NO_PLACE |= {errno.ENAMETOOLONG, errno.ELOOP}


_WHERE = "variables go on make's command line"


def _on_term(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Runs one target; prints a user's mistake as one line. Returns the exit status."""
    signal.signal(signal.SIGTERM, _on_term)
    try:
        name = arguments[0] if arguments else "help"
        goals = os.environ.get("TS_GOALS", "").split() or [name]
        of_block = next((goal for goal in goals if goal in _OF_BLOCK), name)
        commands = _commands(_chosen_block(of_block))
        if name not in commands:
            raise UserError(
                f"there is no target '{name}' (make help lists them){did_you_mean(name, [*commands, *_OF_BLOCK])}"
            )
        known = {str(param.envvar) for goal in (*goals, name) if goal in commands for param in commands[goal].params}
        refuse_unknown(given_variables(os.environ.get("MAKEFLAGS", "")), known, [name])
        if dropped := drop_exported(known):
            print(f"note: {', '.join(dropped)} of the environment: not used, as {_WHERE}", file=sys.stderr)
        surroundings.clean(keep=known)
        status = _invoke(commands[name], list(arguments[1:]), known)
    except (UserError, FileError) as error:
        several = isinstance(error, UserError) and error.several_lines
        print(f"error: {error if several else _joined(str(error))}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        where = f": {_short(shown(os.fsdecode(error.filename)))}" if error.filename else ""
        print(f"error: {error.strerror}{_joined(where)}", file=sys.stderr)
        return 2
    except click.ClickException as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2
    except click.exceptions.Exit as ended:  # --help
        return ended.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return 130
    return status


def _invoke(command: click.Command, arguments: list[str], known: set[str]) -> int:
    with command.make_context(f"python -m flow {command.name}", arguments) as context:
        _check_distinct(context)
        context.obj = {name: os.environ[name] for name in known if name in os.environ}  # as given, for replay lines
        clean_environment(known)
        with speaking():
            return int(context.invoke(command.callback, **context.params))


def _check_distinct(context: click.Context) -> None:
    """Raises `UserError` if an output would overwrite another one, or an input."""
    seen: dict[str, str] = {}
    params = [each for each in context.command.params if isinstance(each.type, _File) and context.params[each.name]]
    for param in sorted(params, key=lambda each: each.type.output):
        place = os.path.realpath(context.params[param.name])
        if param.type.output and place in seen and not place.startswith("/dev/"):
            raise UserError(f"{param.name} would overwrite {seen[place]}: give another name")
        seen[place] = str(param.name)


def _joined(text: str) -> str:
    """One line: a name may hold breaks."""
    return " ".join(text.splitlines())


def _one_line(error: click.ClickException) -> str:
    if isinstance(error, click.BadParameter) and error.param is not None:
        name = str(error.param.envvar)
        return _joined(f"{name}={_short(os.environ.get(name, ''))}: {error.message.strip().rstrip('.')}")
    return _joined(error.format_message())
