"""Runs one test of a block on a simulator.

`run` executes one cocotb test in a fresh folder of its own,
build/runs/<block>/<test>-<simulator>-<seed>-<key>/.

The contract with a test: the environment variable TS_CONFIG names a JSON file with the run's configuration,
TS_RUN_DIR the run's folder (also the working directory), TS_BLOCK, TS_SIM, TS_TEST, TS_SEED, TS_PARAMS (JSON) and
TS_CHECK say what runs; the test writes result.json into the run's folder, an object with `status` ('pass' or anything
else), optionally `error` (one line) and whatever the block's reports want. Without that file a test has not passed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from flow.core import progress
from flow.core.building import TAIL_LINES, Build, FlowRunner, IcarusRunner, VerilatorRunner, build, wave_format
from flow.core.ownrtl import OwnRtl
from flow.core.processes import DEFAULT_TIMEOUT, locked
from flow.core.server import PYTHON, Ended, ServerDied, server, test_filter
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT, shown
from tb.lib.replay import definition

MAX_SEED = 2**31 - 1
LEAST_SPACE = 1 << 20  # bytes on the disk, below which a failure is no surprise
LOG, RESULTS = "sim.log", "results.xml"  # in a run's folder
SERVERS = 2  # simulations that a thread keeps for forked runs
CHECKS = ("cycle", "value")  # what CHECK= takes: everything in its cycle; values and order at the outputs alone


@dataclass(frozen=True)
class RunResult:
    """The outcome of one run.

    `exit_status` is the simulator's (negative: the signal that ended it). `error` is one line, empty if the run
    passed; `log_tail` the log's last lines where the simulation did not end by itself. `result` is the test's
    result.json, None if there is none. `waves` and `coverage` are files, where asked for and written. `check` says what
    was judged, `rtl` whose list of files was under test ('': this clone's RTL).
    """

    passed: bool
    block: str
    sim: str
    test: str
    seed: int
    params: Mapping[str, int]
    exit_status: int
    timed_out: bool
    error: str
    log_tail: tuple[str, ...]
    result: dict[str, Any] | None
    run_dir: Path
    log: Path
    seconds: float
    replay: str
    waves: Path | None = None
    coverage: Path | None = None
    warnings: tuple[str, ...] = field(default=())
    check: str = "cycle"
    rtl: str = ""

    def summary(self) -> str:
        """What to print: a line for a pass; error, log's end (if it matters) and replay line for a failure."""
        verdict = "PASS" if self.passed else "FAIL"
        head = f"{verdict} {self.block} {self.test} {self.sim} seed {self.seed} ({self.seconds:.1f} s)"
        head += f" RTL={self.rtl}" if self.rtl else ""
        head += " CHECK=value: CYCLES WERE NOT JUDGED" if self.check == "value" else ""
        lines = [head if self.passed else f"{head}: {self.error}"]
        if not self.passed:
            lines += [f"  | {line}" for line in self.log_tail]
            lines += [f"log: {shown(self.log)}", f"replay: {self.replay}"]
            if not self.waves:
                lines.append(f"next: {self.replay.replace('make sim', 'make waves', 1)}")
        if self.waves:
            lines.append(f"waves: {shown(self.waves)}")
        return "\n".join(lines)


def replay_line(
    block: Block, sim: str, test: str, seed: int, params: Mapping[str, int], variables: Mapping[str, Any] | None = None
) -> str:
    """The command that repeats a run; `variables` are further make variables (values as given)."""
    words = {"BLOCK": block.name, "SIM": sim, "TEST": test, "SEED": seed, **params, **(variables or {})}
    return "make sim " + " ".join(definition(name, value) for name, value in words.items())


def run(
    block: Block,
    sim: str,
    test: str,
    seed: int = 1,
    params: Mapping[str, int] | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    coverage: bool = False,
    waves: bool = False,
    src_root: Path = ROOT,
    quick: bool = False,
    rtl: OwnRtl | None = None,
    check: str = "cycle",
    timeout: float = DEFAULT_TIMEOUT,
    variables: Mapping[str, Any] | None = None,
    label: str = "",
    tick: Callable[[float], None] | None = None,
    forked: str = "",
) -> RunResult:
    """Builds (or finds) the simulation and runs the cocotb test `test` of the block's test module once.

    `config` reaches the test as JSON. `quick` and `rtl` are the build's, `check` (of `CHECKS`) says what the test
    judges. `timeout` bounds the run in seconds of wall-clock time.
    `variables` are the make variables that stand for `config` in the replay line; without them a non-empty `config` is
    replayed from its file (CONFIG=). The same run again, by another process too, empties the run's folder: who reads
    files of it later gives a `label` of its own, which is part of the folder's name. `tick` gets the seconds so far
    while it runs, and shows them in its own way. `forked`, a name for the present state of the Python sources: this
    thread starts the simulation once and forks a process for each run that asks for this state (server.py), which
    saves the start of Python; not with `coverage`, `waves` or `check`. Raises what `build` raises and `UserError` for a
    bad seed; everything that happens in the simulation is in the `RunResult`.
    """
    if not 1 <= seed <= MAX_SEED:
        raise UserError(f"SEED={seed} is out of range: choose 1..{MAX_SEED} (Verilator refuses seed 0)")
    values = block.resolve_params(params)
    if check not in CHECKS:
        raise UserError(f"CHECK={check} is unknown: choose one of {', '.join(CHECKS)}")
    if check == "value" and not block.value_check:
        raise UserError(f"CHECK=value is not there for {block.name}: {block.no_value_check}; use CHECK=cycle")
    built = build(block, sim, params, coverage=coverage, waves=waves, src_root=src_root, quick=quick, rtl=rtl)
    config_text = json.dumps(dict(config or {}), sort_keys=True)
    own = shown(rtl.path) if rtl else ""
    identity = json.dumps([values, config_text, coverage, str(src_root) if src_root != ROOT else ""], sort_keys=True)
    if own or check != "cycle":
        identity += json.dumps([own, check])
    name = f"{test}-{sim}-{seed}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}{label and '-' + label}"
    run_dir = BUILD / "runs" / block.name / name
    with locked(run_dir.with_name(name + ".lock")):
        shutil.rmtree(run_dir, ignore_errors=True)
        run_dir.mkdir(parents=True)
        config_path = run_dir / "config.json"
        config_path.write_text(config_text, encoding="utf-8")
        if variables is None and config:
            variables = {"CONFIG": shown(config_path)}
        said = {"RTL": own} if own else {}
        said |= {"CHECK": check} if check != "cycle" else {}
        replay = replay_line(block, sim, test, seed, values, said | dict(variables or {}))
        with progress.task(f"running {block.name} {test}") if not tick else contextlib.nullcontext() as update:
            shown_by = tick or (lambda _: update(0))
            simulate = _Simulation(block, built, test, seed, run_dir, replay, timeout)
            if forked and not (coverage or waves or check != "cycle"):
                result = simulate.judged(simulate.forked(config_path, forked))
            else:
                result = simulate.judged(simulate.started(config_path, check, shown_by))
        return replace(result, check=check, rtl=own)


def _arguments(built: Build, seed: int, waves: Path | None, check: str) -> tuple[list[str], list[str]]:
    """What the simulator is given: its own arguments, plusargs."""
    test_args: list[str] = []
    plusargs: list[str] = []
    if built.sim == "verilator":
        test_args += ["--trace-file", str(waves)] if waves else []
        test_args += ["--coverage-per-instance"] if built.coverage else []
        plusargs += [f"+verilator+seed+{seed}"]
    elif waves:
        plusargs.append(f"+dumpfile_path={waves}")
    if check == "value":
        plusargs.append("+ts_check_value=1")  # for what the bench itself checks inside
    return test_args, plusargs


@dataclass(frozen=True)
class _Simulation:
    """A run of `built` in `run_dir`."""

    block: Block
    built: Build
    test: str
    seed: int
    run_dir: Path
    replay: str
    timeout: float

    @property
    def waves(self) -> Path | None:
        return self.run_dir / f"waves.{wave_format(self.built.sim)}" if self.built.waves else None

    def _environment(self, config: Path, check: str) -> dict[str, str]:
        """What tells the test which run it is."""
        return {
            "TS_CONFIG": str(config),
            "TS_RUN_DIR": str(self.run_dir),
            "TS_BLOCK": self.block.name,
            "TS_SIM": self.built.sim,
            "TS_TEST": self.test,
            "TS_SEED": str(self.seed),
            "TS_PARAMS": json.dumps(dict(self.built.params)),
            "TS_CHECK": check,
        }

    def started(self, config: Path, check: str, tick: Callable[[float], None]) -> Ended:
        """How a simulation of its own ended."""
        runner: FlowRunner = VerilatorRunner() if self.built.sim == "verilator" else IcarusRunner()
        runner.flow_log, runner.flow_waves, runner.flow_timeout = self.run_dir / LOG, self.built.waves, self.timeout
        runner.flow_tick = tick
        test_args, plusargs = _arguments(self.built, self.seed, self.waves, check)
        start = time.monotonic()
        # Called from pytest, the runner leaves by SystemExit if the results are bad or missing; `judge` reads them.
        with contextlib.suppress(SystemExit):
            runner.test(
                test_module=self.block.test_module,
                hdl_toplevel=self.block.tb_top,
                hdl_toplevel_lang="verilog",
                build_dir=self.built.path,
                test_dir=self.run_dir,
                test_filter=test_filter(self.block, self.test),
                seed=self.seed,
                extra_env=self._environment(config, check) | PYTHON,
                test_args=test_args,
                plusargs=plusargs,
                waves=self.built.waves,
                results_xml=str(self.run_dir / RESULTS),
                timescale=None,
            )
        return Ended(runner.exit_status, runner.timed_out, 0.0, time.monotonic() - start)

    def forked(self, config: Path, state: str) -> Ended:
        """How a process ended that was forked from a simulation of this build."""
        start = time.monotonic()
        environment = self._environment(config, "cycle")
        try:
            forks = server(self.block, self.built, state, most=SERVERS)
            return forks.run(self.run_dir, self.test, self.seed, environment, None, self.timeout)
        except ServerDied:  # for want of memory, say
            return Ended(-signal.SIGKILL, False, 0.0, time.monotonic() - start)

    def judged(self, ended: Ended) -> RunResult:
        """What the run says."""
        result, error, tail = judge(ended, self.run_dir, self.test, self.timeout)
        if error and shutil.disk_usage(self.run_dir).free < LEAST_SPACE:
            error = f"the disk that holds {shown(BUILD)} is full: {error}"
        coverage, waves = self.run_dir / "coverage.dat", self.waves
        return RunResult(
            passed=not error,
            block=self.block.name,
            sim=self.built.sim,
            test=self.test,
            seed=self.seed,
            params=self.built.params,
            exit_status=ended.exit_status,
            timed_out=ended.timed_out,
            error=error,
            log_tail=tail,
            result=result,
            run_dir=self.run_dir,
            log=self.run_dir / LOG,
            seconds=ended.seconds,
            replay=self.replay,
            waves=waves if waves and waves.is_file() else None,
            coverage=coverage if self.built.coverage and coverage.is_file() else None,
            warnings=self.built.warnings,
        )


def judge(ended: Ended, run_dir: Path, test: str, timeout: float) -> tuple[dict[str, Any] | None, str, tuple[str, ...]]:
    """(result.json, error line or '', the log's end if it belongs to the message) of a run. Every doubt is a
    failure."""
    result: dict[str, Any] | None = None
    with contextlib.suppress(OSError, ValueError):
        loaded = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
        result = loaded if isinstance(loaded, dict) else None
    log = run_dir / LOG
    lines = log.read_text(errors="replace", encoding="utf-8").splitlines() if log.is_file() else []
    error, show_tail = _error(ended, result, run_dir / RESULTS, lines, test, timeout)
    return result, error, tuple(lines[-TAIL_LINES:]) if show_tail else ()


def _error(
    ended: Ended, result: Mapping[str, Any] | None, results_xml: Path, lines: list[str], test: str, timeout: float
) -> tuple[str, bool]:
    """(what is wrong or '', whether the log's end belongs to it)."""
    if ended.timed_out:
        return f"no end after {timeout:.0f} s: killed", True
    if ended.exit_status < 0:
        return f"the simulator died of {signal.Signals(-ended.exit_status).name}", True
    ran, failures = _results(results_xml)
    if failures:
        return str((result or {}).get("error") or failures[0]), False
    if ended.exit_status > 0:
        return f"the simulator ended with status {ended.exit_status}", True
    if ran == 0:
        missing = any("No tests" in line or "filtered" in line for line in lines)
        return f"no test '{test}' ran" if missing else "the simulator left no results", True
    # Assertions only print (rtl/common/ts_assert.svh), and $error does not change the exit status of Icarus.
    errors = [line for line in lines if re.match(r"TS_ASSERT |(ERROR|FATAL): ", line)]
    if errors:
        return errors[0], False
    if result is None:
        return "the test left no result.json", True
    if result.get("status") != "pass":
        return str(result.get("error") or f"the test's status is {result.get('status')!r}"), False
    return "", False


def transaction_logs(run_dir: Path) -> dict[str, str]:
    """SHA-256 of every binary log of a run, by path in its folder (parts of a block may have folders of their own)."""
    return {
        str(path.relative_to(run_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run_dir.rglob("*.bin"))
    }


def _results(results_xml: Path) -> tuple[int, list[str]]:
    """(number of tests that ran, one line for each that failed) of cocotb's results file; (0, []) if it is missing or
    broken."""
    try:
        root = ElementTree.parse(results_xml).getroot()
    except (OSError, ElementTree.ParseError):
        return 0, []
    ran, failures = 0, []
    for case in root.iter("testcase"):
        if case.find("skipped") is not None:
            continue
        ran += 1
        for bad in (*case.findall("failure"), *case.findall("error")):
            text = (bad.get("message") or bad.get("error_msg") or bad.text or "failed").strip()
            failures.append(text.splitlines()[0] if text else "failed")
    return ran, failures
