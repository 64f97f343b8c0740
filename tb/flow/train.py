"""`make train`: a training of a digits network on the RTL, segment by segment, with checkpoints, a live line and a
report.

Every segment is a simulation of its own (test `training` of block `top`), checked as a whole; the next one begins with
its checkpoint. What is finished is kept in build/train/<key>/: the same command resumes where an earlier one ended, and
gives the same bits as one that was never interrupted. The key covers what is trained and all sources.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from models.common.files import FileError, read_json, write_whole
from models.common.floats import fingerprint
from tb.flow.blocks import get_block
from tb.flow.errors import UserError
from tb.flow.paths import BUILD, ROOT, shown, source_files
from tb.flow.simulate import RunResult, run
from tb.top.report import capture_lines
from tb.top.training import load_checkpoint

SOURCES = ("rtl", "models", "tb", "data/energy", "requirements.txt")
SUFFIXES = {".py", ".sv", ".svh", ".hjson", ".txt"}


@dataclass(frozen=True)
class Job:
    """A training to be run: what `tb.top.training.Plan` says, epochs, parameters of the processor, what to capture."""

    plan: Any
    epochs: int
    params: Mapping[str, int]
    capture: Path | None = None  # folder that gets the GEMMs of an iteration
    capture_at: int = 0  # that iteration, from 0 on

    @property
    def folder(self) -> Path:
        """Where it keeps what is finished; independent of the number of epochs."""
        digest = hashlib.sha256(
            json.dumps([asdict(self.plan), dict(self.params), fingerprint()], sort_keys=True).encode()
        )
        for path in _sources():
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
        plan = self.plan
        name = f"{plan.net}-{plan.optimiser}-{'laps' if plan.laps else '8bit'}-{plan.seed}"
        return BUILD / "train" / f"{name}-{digest.hexdigest()[:12]}"


def _sources() -> list[Path]:
    files = source_files(SOURCES, SUFFIXES)
    return [path for path in files if "faults" not in path.parts and not path.name.startswith("test_")]


class TrainError(UserError):
    """A segment failed; the message is what `make sim` would print."""

    several_lines = True


def segments(plan: Any, epochs: int, per_epoch: int) -> list[tuple[int, int]]:
    """(first, stop) iterations of every simulation; none goes beyond an epoch."""
    from tb.top.training import SEGMENT

    size = min(SEGMENT[plan.net], per_epoch)
    out = []
    for epoch in range(epochs):
        at = epoch * per_epoch
        out += [(lo, min(lo + size, at + per_epoch)) for lo in range(at, at + per_epoch, size)]
    return out


def train(job: Job, per_epoch: int, console: Console) -> list[dict[str, Any]]:
    """Runs (or takes from an earlier command) every segment; their records. Raises `TrainError`."""
    block, folder = get_block("top"), job.folder
    folder.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    todo = segments(job.plan, job.epochs, per_epoch)
    before: Path | None = None
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=job.epochs * per_epoch)
        for first, stop in todo:
            record_path, checkpoint = folder / f"{stop}.json", folder / f"{stop}.ckpt"
            capture = job.capture is not None and first <= job.capture_at < stop
            record = None if capture else _kept(record_path, checkpoint)
            if record is None:
                follower = _Follower(folder / "progress", progress, task, first)
                config = {
                    "reduced": True,  # what one iteration of any network compares at least
                    "plan": asdict(job.plan), "first": first, "stop": stop, "evaluate": stop % per_epoch == 0,
                    "checkpoint_in": str(before) if before else None, "checkpoint_out": str(checkpoint),
                    "progress": str(follower.path),
                }  # fmt: skip
                if capture:
                    config |= {"capture": str(job.capture), "capture_at": job.capture_at}
                with follower:
                    result = run(block, "verilator", "training", job.plan.seed, job.params, config, label="train")
                record = _record(result)
                write_whole(record_path, json.dumps(record))
                # A segment's traces are large, and checked.
                for path in result.run_dir.rglob("*.bin"):
                    path.unlink()
            records.append(record)
            before = checkpoint
            progress.update(task, completed=stop, description=_line(record, stop, per_epoch))
            if "accuracy" in record:
                progress.console.print(_line(record, stop, per_epoch))
    return records


def _kept(record_path: Path, checkpoint: Path) -> dict[str, Any] | None:
    """The record of a segment that an earlier command finished; None if there is none, or a file of it is damaged."""
    try:
        record = read_json(record_path)
        load_checkpoint(checkpoint)
    except FileError:
        return None
    return record


def _record(result: RunResult) -> dict[str, Any]:
    if not result.passed or result.result is None:
        raise TrainError("\n".join([result.summary(), *capture_lines(result.result)]))
    report = result.result["report"]
    return {
        **report["segment"], "cycles": result.result["cycles"], "seconds": result.result["seconds"],
        "checks": report["checks"], "mismatches": report["mismatches"],
    }  # fmt: skip


def figures(record: Mapping[str, Any], rows: int) -> dict[str, float]:
    """Speed-up over a dense 16b x 16b array of the same size, utilisation, average bits and loss of a segment."""
    counters, steps = record["counters"], record["steps"]
    busy = rows * counters["cycles"]
    return {
        "loss": sum(step["loss"] for step in steps) / len(steps),
        "bits": sum(step["bit_macs"] for step in steps) / sum(step["macs"] for step in steps),
        "speedup": sum(step["dense16"] for step in steps) / busy,
        "utilisation": counters["issues"] / busy,
    }


def _line(record: Mapping[str, Any], stop: int, per_epoch: int) -> str:
    got = figures(record, 8)
    seconds = sum(record["seconds"].values())
    share = f", accuracy {record['accuracy']:.2%}" if "accuracy" in record else ""
    return (
        f"epoch {-(-stop // per_epoch)}: loss {got['loss']:.3f}{share}, {got['bits']:.2f} bits, "
        f"{record['cycles']:,} cycles, speed-up {got['speedup']:.1f}, {record['cycles'] / seconds:,.0f} cycles/s"
    )


class _Follower:
    """Shows a simulation's iterations while it runs."""

    def __init__(self, path: Path, progress: Progress, task: Any, first: int) -> None:
        self.path, self.progress, self.task, self.first = path, progress, task, first
        self.path.unlink(missing_ok=True)
        self._end = threading.Event()

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._end.wait(0.3):
            if self.path.is_file():
                lines = self.path.read_text(encoding="utf-8").splitlines()
                self.progress.update(self.task, completed=self.first + len(lines))


def check_job(job: Job, per_epoch: int) -> None:
    """Raises `UserError` for a job that cannot be run here; an epoch has `per_epoch` iterations."""
    if job.epochs < 1:
        raise UserError("EPOCHS must be 1 or more")
    if not os.access(BUILD.parent, os.W_OK):
        raise UserError(f"cannot write {shown(BUILD)}")
    iterations = job.epochs * per_epoch
    if job.capture and job.capture_at >= iterations:
        raise UserError(f"CAPTURE_AT={job.capture_at + 1}: this training has iterations 1..{iterations}")
