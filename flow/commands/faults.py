"""`make faults`: plants known faults in a copy of the RTL and checks that the tests catch each at the expected place.

A fault is a file tb/<block>/faults/<name>.patch: a unified diff against the root of the clone (paths a/rtl/...),
after header lines

    # title: the skip unit forgets the last slice
    # test: random_tiles
    # seed: 3
    # boundary: issue, product
    # params: ROWS=4 DEPTH=32        (optional)

It counts as *caught* if the test fails and `first_divergence.boundary` in its result.json is one of the expected
boundaries (`assertion` where only an assertion in the RTL failed). A patch that does not apply exactly, or RTL that
does not build with it, is an error of the fault, not a catch.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table

from flow.core import blocks, options
from flow.core.building import BuildError
from flow.core.options import Option, command
from flow.core.output import wide, write_report
from flow.core.processes import locked, run_all
from flow.core.simulate import RunResult, run
from flow.core.tools import require_programs
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, REPORTS, ROOT, shown, source_files
from tb.lib.testlist import block_runs

_HEADER = re.compile(r"^#\s*(\w+)\s*:\s*(.*?)\s*$")
_NAME = re.compile(r"\b[A-Za-z_]\w*")
# Comments, strings, numbers, members of records and of packages, ports that are connected, macros, system tasks.
_NO_NAME = re.compile(r"//[^\n]*|/\*.*?\*/|\"[^\"]*\"|\d*'s?[bodh]\w+|(?:\.|::|[`$])\s*\w+", re.DOTALL | re.IGNORECASE)
_say = partial(print, flush=True)


@dataclass(frozen=True)
class Fault:
    """A planted fault: its patch, the run that must catch it and the boundaries at which it may show first."""

    name: str
    path: Path
    title: str
    test: str
    seed: int
    boundaries: tuple[str, ...]
    params: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FaultResult:
    """`outcome`: `caught`, `survived`, `wrong boundary`, or `error` (the fault cannot be planted or built)."""

    name: str
    title: str
    outcome: str
    expected: tuple[str, ...]
    boundary: str | None = None
    detail: str = ""
    replay: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def load_fault(path: Path) -> Fault:
    """The fault in the file `path`; `UserError` if its header is incomplete."""
    header: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(("---", "diff ")):
            break
        entry = _HEADER.match(line)
        if entry:
            header[entry[1]] = entry[2]
    missing = [key for key in ("title", "test", "seed", "boundary") if not header.get(key)]
    if missing:
        raise UserError(f"{shown(path)}: header lacks {', '.join(missing)}")
    try:
        seed = int(header["seed"])
        words = [word.split("=", 1) for word in header.get("params", "").replace(",", " ").split()]
        params = {name: int(value) for name, value in words}
    except ValueError as error:
        raise UserError(f"{shown(path)}: seed and params must be numbers: {error}") from error
    boundaries = tuple(name.strip() for name in header["boundary"].split(",") if name.strip())
    return Fault(path.stem, path, header["title"], header["test"], seed, boundaries, params)


def load_faults(block: Block) -> list[Fault]:
    """All faults of `block`, by name; `UserError` if it has none."""
    faults = [load_fault(path) for path in source_files([block.faults_dir], {".patch"})] if block.faults_dir else []
    if not faults:
        raise UserError(f"block {block.name} has no planted faults")
    return faults


def undeclared(old: str, new: str) -> list[str]:
    """Names that stand in a changed source once, and did not before: nothing declares them.

    Simulators refuse such a name, or take it as a wire that nothing drives. Members of records do not count.
    """

    def names(text: str) -> Counter[str]:
        return Counter(_NAME.findall(_NO_NAME.sub(" ", text)))

    before = names(old)
    return [name for name, count in names(new).items() if count == 1 and name not in before]


def plant(fault: Fault, folder: Path, root: Path = ROOT) -> None:
    """Makes `folder`/rtl a copy of `root`/rtl with the fault in it. `UserError` if the patch does not apply exactly."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "rtl", folder / "rtl")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    # Outside any repository (which the ceiling makes of build/), git applies relative to the working directory and
    # without fuzz.
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent), "GIT_CONFIG_NOSYSTEM": "1"}
    environment.pop("GIT_DIR", None)
    command = ["git", "apply", "-p1", "--whitespace=nowarn", str(fault.path.resolve())]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["git apply failed"])[0]
        raise UserError(f"{shown(fault.path)} does not apply: {reason.removeprefix('error: ')}")
    changed = [path for path, text in before.items() if path.read_bytes() != text]
    if not changed:
        raise UserError(f"{shown(fault.path)} changes nothing in rtl/")
    for path in changed:
        old, new = before[path].decode("utf-8"), path.read_text(encoding="utf-8")
        for name in undeclared(old, new):
            raise UserError(
                f"{shown(fault.path)} names {name}, which {path.name} does not declare: no fault, but a wire"
            )


def runs_on(block: Block, fault: Fault, sim: str) -> bool:
    """Whether the list has the fault's test on this simulator."""
    return sim == "verilator" or any(sim in entry.sims for entry in block.tests if entry.test == fault.test)


def _run(
    block: Block, test: str, seed: int, params: dict[str, int], src_root: Path = ROOT, sim: str = "verilator"
) -> RunResult:
    """One run as `make sim` would make it with these parameters, on Icarus as short as the list has it."""
    config: dict[str, Any] = {"reduced": True} if params else {}
    if sim == "icarus":
        config |= next(spec.config for spec in block_runs(block.tests, sim) if spec.test == test)
    # A faulty build runs once.
    return run(block, sim, test, seed, params, config, src_root=src_root, quick=src_root != ROOT, variables={})


def try_fault(block: Block, fault: Fault, sim: str = "verilator") -> FaultResult:
    """Plants `fault`, runs its test and judges the outcome."""
    folder = BUILD / "faults" / block.name / fault.name
    with locked(folder.with_name(fault.name + ".lock")):
        try:
            plant(fault, folder)
            result = _run(block, fault.test, fault.seed, fault.params, folder, sim)
        except BuildError as error:
            return FaultResult(fault.name, fault.title, "error", fault.boundaries, detail=f"does not build: {error}")
        except UserError as error:
            return FaultResult(fault.name, fault.title, "error", fault.boundaries, detail=str(error))
    if result.passed:
        return FaultResult(
            fault.name, fault.title, "survived", fault.boundaries, replay=result.replay, seconds=result.seconds
        )
    divergence = (result.result or {}).get("first_divergence") or {}
    boundary = divergence.get("boundary") if isinstance(divergence, dict) else None
    if boundary is None and result.error.startswith("TS_ASSERT "):
        boundary = "assertion"
    outcome = "caught" if boundary in fault.boundaries else "wrong boundary"
    return FaultResult(
        fault.name, fault.title, outcome, fault.boundaries, boundary, result.error, result.replay, result.seconds
    )


def try_faults(
    block: Block,
    jobs: int = 2,
    names: Sequence[str] | None = None,
    say: Callable[[str], None] = _say,
    sim: str = "verilator",
) -> list[FaultResult]:
    """Every fault of `block` (or those called `names`), after their tests have been seen to pass without a fault; `say`
    gets a line for each.

    Raises `UserError` if a test fails on the RTL as it is: a catch would then mean nothing.
    """
    require_programs({"git": "git"}, "planting faults")
    faults = [fault for fault in load_faults(block) if names is None or fault.name in names]
    left = [fault.name for fault in faults if not runs_on(block, fault, sim)]
    if left:
        say(f"left out, as the list does not run their tests on {sim}: {', '.join(left)}")
    faults = [fault for fault in faults if fault.name not in left]
    clean = {(fault.test, fault.seed, tuple(sorted(fault.params.items()))) for fault in faults}

    def check(test: str, seed: int, params: Sequence[tuple[str, int]]) -> str:
        result = _run(block, test, seed, dict(params), sim=sim)
        say(f"without a fault: {result.summary().splitlines()[0]}")
        return "" if result.passed else f"{test} fails without a fault: {result.error}; {result.replay}"

    problems = list(filter(None, run_all([lambda key=key: check(*key) for key in sorted(clean)], jobs)))
    if problems:
        raise UserError(problems[0])
    done = itertools.count(1)

    def judge(fault: Fault) -> FaultResult:
        result = try_fault(block, fault, sim)
        say(f"{next(done)} of {len(faults)}: {fault.name} {result.outcome}, first at {result.boundary or '-'}")
        return result

    return run_all([lambda fault=fault: judge(fault) for fault in faults], jobs)


@command(
    "faults",
    options.BLOCK,
    options.SIM,
    Option("FAULT", click.STRING, "faults to plant: name[,name] or 'pattern*' (default: all)"),
    options.REPORT,
    options.jobs(),
    Option("RTL", click.STRING, "refused: faults are patches"),
)
def main(BLOCK: str, SIM: str, FAULT: str | None, REPORT: Path | None, JOBS: int, RTL: str | None) -> int:
    """Plant known faults, check that each is caught."""
    from flow.commands.listing import choose

    if RTL:
        raise UserError(
            f"RTL={RTL}: planted faults are patches of rtl/{BLOCK}/ and cannot apply to other sources; "
            "break your own file and let make sim RTL= catch it (docs/guide/own_rtl.md)"
        )
    block = blocks.get_block(BLOCK)
    names = None
    if FAULT is not None:
        known = [fault.name for fault in load_faults(block)]
        names = choose("FAULT", FAULT, known, "fault", f"make list BLOCK={block.name} lists them")
    results = try_faults(block, JOBS, names, sim=SIM)
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
    wide(150).print(table)
    bad = [result for result in results if result.outcome != "caught"]
    for result in bad:
        print(f"{result.name}: {result.outcome}{f': {result.detail}' if result.detail else ''}")
        if result.replay:
            print(f"  plant it: git apply {block.faults_dir}/{result.name}.patch (git apply -R takes it out)")
            print(f"  {result.replay}")
    content = {
        "block": block.name,
        "sim": SIM,
        "status": "fail" if bad else "pass",
        "caught": len(results) - len(bad),
        "faults": len(results),
    }
    content["results"] = [result.as_dict() for result in results]
    # The documentation shows the last report of all faults.
    path = REPORT or (REPORTS / block.name / "faults.json" if names is None and SIM == "verilator" else None)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_report(path, content)
    print(f"{'FAIL' if bad else 'PASS'} {content['caught']} of {len(results)} faults caught where expected")
    return 1 if bad else 0
