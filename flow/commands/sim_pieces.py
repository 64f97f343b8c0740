"""`make sim` of a product that takes several runs: the pieces that the block's `sim_options` gives (`pieces`), one
after the other, as one simulation with one verdict.

Each piece is a run of the same test with its `part` in the configuration, checked as any run. What a piece gave, its
figures and its part of the result, is kept in build/cut/<key>/; the key covers operands, configuration and sources, and
the same command resumes where an earlier one ended. The first piece that fails ends the command: its replay line plays
that piece alone. Figures add up (the block's `add_up`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from flow.core import progress, simulate
from flow.core.jobs import read_json, source_digest, write_json
from flow.core.ownrtl import OwnRtl
from flow.core.processes import locked
from flow.core.simulate import RunResult
from models.common.files import FileError, read_array, save_array
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD
from tb.lib.runinfo import OUT_NAME

FILES = ("x", "w", "bias", "capture")  # of a configuration


def run(
    block: Block,
    sim: str,
    test: str,
    seed: int,
    params: Mapping[str, int],
    config: Mapping[str, Any],
    *,
    waves: bool = False,
    rtl: OwnRtl | None = None,
    check: str = "cycle",
    timeout: float,
    variables: Mapping[str, Any] | None = None,
) -> RunResult:
    """As `simulate.run`, piece by piece. Raises what that raises."""
    if waves:
        raise UserError("waves are those of one run, and this product takes several: replay a piece with WAVES=1")
    pieces = config["pieces"]
    common = {name: value for name, value in config.items() if name != "pieces"} | {"out": True}
    values = block.resolve_params(params)
    folder = BUILD / "cut" / _key(block, sim, test, seed, values, common, check)
    with locked(folder.with_name(folder.name + ".lock")):
        if rtl is not None:  # whose files are not in the key
            shutil.rmtree(folder, ignore_errors=True)
        records: list[dict[str, Any]] = []
        last: RunResult | None = None
        with progress.task(f"running {block.name} {test}", len(pieces), "pieces") as update:
            for number, part in enumerate(pieces):
                record = _kept(folder, number, part)
                if record is None:
                    last = simulate.run(
                        block, sim, test, seed, values, {**common, "part": part}, rtl=rtl, check=check, timeout=timeout,
                        label=f"piece{number + 1}", tick=lambda _: None,
                    )  # fmt: skip
                    if not last.passed or last.result is None:
                        return replace(last, error=f"piece {number + 1} of {len(pieces)}, {_named(part)}: {last.error}")
                    record = _keep(folder, number, part, last)
                records.append(record)
                update(number + 1)
        return _whole(block, (sim, test, seed, values), folder, pieces, records, check, last, variables)


def _key(
    block: Block, sim: str, test: str, seed: int, values: Mapping[str, int], config: Mapping[str, Any], check: str
) -> str:
    """Digest of everything that decides what the pieces give."""
    said = {name: value for name, value in config.items() if name not in FILES}
    digest = hashlib.sha256(json.dumps([source_digest(block, sim), test, seed, values, said, check]).encode())
    for name in FILES:
        if config.get(name):
            digest.update(name.encode() + Path(config[name]).read_bytes())
    return f"{block.name}-{digest.hexdigest()[:16]}"


def _named(part: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {first}..{end - 1}" for name, (first, end) in part.items())


def _kept(folder: Path, number: int, part: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an earlier command kept of a piece."""
    record = read_json(folder / f"{number}.json")
    if not isinstance(record, dict) or record.get("part") != part:
        return None
    try:
        read_array(folder / f"{number}.npy")
    except FileError:
        return None
    return record


def _keep(folder: Path, number: int, part: Mapping[str, Any], result: RunResult) -> dict[str, Any]:
    """Keeps what a piece gave, and drops its traces, which are large, and checked."""
    folder.mkdir(parents=True, exist_ok=True)
    save_array(folder / f"{number}.npy", read_array(result.run_dir / OUT_NAME))
    record = {"part": dict(part), "result": result.result, "run_seconds": result.seconds}
    write_json(folder / f"{number}.json", record)
    shutil.rmtree(result.run_dir, ignore_errors=True)
    return record


def _whole(
    block: Block, what: tuple[str, str, int, Mapping[str, int]], folder: Path, pieces: list[Mapping[str, Any]],
    records: list[dict[str, Any]], check: str, last: RunResult | None,
    variables: Mapping[str, Any] | None,
) -> RunResult:  # fmt: skip
    """One result of all pieces, which have passed, and the array that they make up."""
    sim, test, seed, values = what
    rows, columns = (max(part[name][1] for part in pieces) for name in ("rows", "columns"))
    out = np.zeros((rows, columns), np.int64)
    for number, part in enumerate(pieces):
        out[slice(*part["rows"]), slice(*part["columns"])] = read_array(folder / f"{number}.npy")
    save_array(folder / OUT_NAME, out)
    assert block.add_up is not None
    result = block.add_up([record["result"] for record in records])
    report = result["report"]
    report["pieces"] = len(pieces)
    for gemm in report.get("gemms", ()):
        gemm["shape"] = [rows, gemm["shape"][1], columns]
    return RunResult(
        passed=True, block=block.name, sim=sim, test=test, seed=seed, params=values, exit_status=0, timed_out=False,
        error="", log_tail=(), result=result, run_dir=folder, log=folder / "sim.log",
        seconds=sum(record["run_seconds"] for record in records),
        replay=simulate.replay_line(block, sim, test, seed, values, variables),
        warnings=last.warnings if last else (), check=check, rtl=last.rtl if last else "",
    )  # fmt: skip
