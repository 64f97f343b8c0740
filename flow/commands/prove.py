"""`make prove`: proofs of what a block's rules promise, with SymbiYosys, Yosys' SMT back end and Z3.

A proof is a module of assumptions, assertions and covers around a piece of RTL (`Proof` in `Block.proofs`). Two tasks:
the assertions by k-induction, and every cover reached (a proof of nothing would reach none).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rich import box
from rich.table import Table

from flow.core import blocks, options
from flow.core.options import command
from flow.core.output import wide, write_report
from flow.core.processes import locked, supervise
from tb.lib.contract import Block, Proof
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT, shown

TIMEOUT = 600.0
TASKS = ("prove", "cover")
_SBY = """\
[tasks]
prove
cover
[options]
prove: mode prove
prove: depth {depth}
cover: mode cover
cover: depth {cover_depth}
[engines]
smtbmc z3
[script]
read_slang -j 1 -I. --top {top} {names}
proc
setundef -undriven -anyseq
opt_clean
chtype -set $anyconst a:anyconst %ci1 t:$anyseq %i
prep -top {top}
[files]
{files}
"""


@dataclass(frozen=True)
class ProofResult:
    """`asserts` proved and `covers` reached of those there are; `failed` names properties; `error`: one line, empty if
    all holds; `trace`: a counterexample."""

    block: str
    name: str
    asserts: int
    covers: int
    failed: tuple[str, ...]
    error: str
    trace: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether everything was proved and reached."""
        return not self.error

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"status": "pass" if self.passed else "fail"}


def _program(name: str) -> str:
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise UserError(f"{name} is missing from the virtual environment: remove .venv and run make again")
    return str(path)


def _run(command: Sequence[str], folder: Path, timeout: float) -> str:
    """Runs SymbiYosys; an error line, or ''. Ends its children with it."""
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
    with (folder / "sby.log").open("w", encoding="utf-8") as log:
        _, late = supervise(command, folder, environment, log, timeout)
    return f"no end after {timeout:.0f} s: killed" if late else ""


def _cases(folder: Path, task: str, kind: str) -> tuple[list[str], list[str], str]:
    """(names of properties of a kind, names of those that failed, trace) of one task's report; names without their
    places in the flattened design."""
    try:
        suite = ElementTree.parse(folder / f"p_{task}" / f"p_{task}.xml").getroot()
    except (OSError, ElementTree.ParseError):
        return [], [], ""
    cases = [case for case in suite.iter("testcase") if case.get("type") == kind]
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    trace = next((case.get("tracefile", "") for case in bad), "")
    names, failed = ([case.get("id", "?").rpartition(".")[2] for case in some] for some in (cases, bad))
    return names, failed, trace


def prove(block: Block, proof: Proof, *, src_root: Path = ROOT, timeout: float = TIMEOUT) -> ProofResult:
    """Runs one proof; `src_root` is the tree that rtl/ is taken from.

    Raises `UserError` for a missing program or file.
    """
    digest = "" if src_root == ROOT else f"-{src_root.name}"
    folder = BUILD / "proofs" / block.name / f"{proof.name}{digest}"
    sources = [(src_root if Path(path).parts[0] == "rtl" else ROOT) / path for path in proof.sources]
    for path in sources:
        if not path.is_file():
            raise UserError(f"proof {proof.name}: there is no {shown(path)}")
    with locked(folder.with_suffix(".lock")):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in sources:  # a copy: names without white space
            shutil.copy(path, folder / path.name)
        names = " ".join(path.name for path in sources if path.suffix == ".sv")
        text = _SBY.format(
            depth=proof.depth, cover_depth=proof.cover_depth, names=names, top=proof.top,
            files="\n".join(path.name for path in sources),
        )  # fmt: skip
        (folder / "p.sby").write_text(text, encoding="utf-8")
        tools = [f"--{option}={_program(f'yowasp-{name}')}" for option, name in (
            ("yosys", "yosys"), ("smtbmc", "yosys-smtbmc"), ("witness", "yosys-witness"),
        )]  # fmt: skip
        _program("z3")
        start = os.times().elapsed
        error = _run([_program("yowasp-sby"), *tools, "-f", "p.sby"], folder, timeout)
        seconds = os.times().elapsed - start
        asserts, failed, trace = _cases(folder, "prove", "ASSERT")
        covers, missed, _ = _cases(folder, "cover", "COVER")
    states = {task: _status(folder / f"p_{task}" / "status") for task in TASKS}
    if not error and failed:
        error = f"does not hold: {', '.join(sorted(failed))}"
    if not error and missed:
        error = f"cannot happen: {', '.join(sorted(missed))}"
    if not error and (bad := [f"{task} ended {state}" for task, state in states.items() if state != "PASS"]):
        error = f"{'; '.join(bad)}: {_reason(folder)}"
    if not error and not (asserts and covers):
        error = f"{len(asserts)} assertions and {len(covers)} covers: a proof needs both"
    where = shown(folder / "p_prove" / trace) if trace else ""
    return ProofResult(
        block.name, proof.name, len(asserts), len(covers), (*failed, *missed), error, where, round(seconds, 1)
    )


def _status(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        return "without a result"


def _reason(folder: Path) -> str:
    lines = (folder / "sby.log").read_text(errors="replace", encoding="utf-8").splitlines()
    found = [line for line in lines if re.search(r"ERROR|error:", line)]
    return f"{(found or lines or ['no output'])[0]} (log: {shown(folder / 'sby.log')})"


@command("prove", options.BLOCK, options.REPORT)
def main(BLOCK: str, REPORT: Path | None) -> int:
    """Prove what a block's rules promise."""
    block = blocks.get_block(BLOCK)
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
    wide(120).print(table)
    for result in results:
        if result.trace:
            print(f"counterexample of {result.name}: {result.trace}")
    bad = [result for result in results if not result.passed]
    content = {"block": block.name, "status": "fail" if bad else "pass", "proofs": [r.as_dict() for r in results]}
    write_report(REPORT, content)
    print(f"{'FAIL' if bad else 'PASS'} {len(results) - len(bad)} of {len(results)} proofs hold")
    return 1 if bad else 0
