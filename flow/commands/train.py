"""`make train`: a training of a network on the RTL, segment by segment, with checkpoints, a live line and a
report.

Every segment is a simulation of its own (test `training` of block `top`), checked as a whole; the next one begins with
its checkpoint. What is finished is kept in build/train/<key>/: the same command resumes where an earlier one ended, and
gives the same bits as one that was never interrupted. The key covers what is trained and all sources.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flow.core import progress
from flow.core.blocks import get_block
from flow.core.simulate import RunResult, run
from host.data import DataError, files_of
from host.digits import Digits, DigitsError
from host.mapper import MapError
from host.network import NetworkError, name_of, path_of
from models.common.files import FileError, read_json, write_whole
from models.common.floats import fingerprint
from models.top.config import TopParams
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, PACKAGES, ROOT, shown, source_files
from tb.top.report import capture_lines
from tb.top.training import load_checkpoint

SOURCES = ("rtl", *PACKAGES, "data/energy", "requirements.txt")
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
        for path in (path_of(plan.net)[0], *files_of(plan.source)):
            digest.update(path.read_bytes())
        name = f"{name_of(plan.net)}-{plan.optimiser}-{'laps' if plan.laps else '8bit'}-{plan.seed}"
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

    size = min(SEGMENT.get(plan.net, 1), per_epoch)
    out = []
    for epoch in range(epochs):
        at = epoch * per_epoch
        out += [(lo, min(lo + size, at + per_epoch)) for lo in range(at, at + per_epoch, size)]
    return out


def train(job: Job, per_epoch: int) -> list[dict[str, Any]]:
    """Runs (or takes from an earlier command) every segment; their records. Raises `TrainError`."""
    block, folder = get_block("top"), job.folder
    folder.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    todo = segments(job.plan, job.epochs, per_epoch)
    before: Path | None = None
    with progress.task("training", job.epochs * per_epoch, "iterations") as update:
        for first, stop in todo:
            record_path, checkpoint = folder / f"{stop}.json", folder / f"{stop}.ckpt"
            capture = job.capture is not None and first <= job.capture_at < stop
            epoch = f"epoch {first // per_epoch + 1} of {job.epochs}"
            record = None if capture else kept(record_path, checkpoint)
            if record is None:
                follow = _follower(folder / "progress", partial(update, what=epoch), first)
                config = {
                    "reduced": True,  # what one iteration of any network compares at least
                    "plan": asdict(job.plan), "first": first, "stop": stop, "evaluate": stop % per_epoch == 0,
                    "checkpoint_in": str(before) if before else None, "checkpoint_out": str(checkpoint),
                    "progress": str(folder / "progress"),
                }  # fmt: skip
                captured = folder / "captures"
                if capture:
                    shutil.rmtree(captured, ignore_errors=True)
                    config |= {"capture": str(captured), "capture_at": job.capture_at}
                result = run(
                    block, "verilator", "training", job.plan.seed, job.params, config, label="train", tick=follow
                )
                record = record_of(result)
                write_whole(record_path, json.dumps(record))
                # A segment's traces are large, and checked.
                for path in result.run_dir.rglob("*.bin"):
                    path.unlink()
                if capture and job.capture:
                    _hand_over(captured, job.capture)
            records.append(record)
            before = checkpoint
            update(stop, what=epoch)
            if "accuracy" in record:
                mine = [each for each in records if each["first"] // per_epoch == first // per_epoch]
                seconds = sum(sum(each["seconds"].values()) for each in mine)
                progress.say(_line(stop // per_epoch, mine, seconds))
    return records


def _hand_over(captured: Path, folder: Path) -> None:
    """Moves captures to the user's folder. Not the simulation's work: a full disk there is no divergence. Raises
    `FileError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(folder, f"cannot be made ({error.strerror or error})") from None
    for path in sorted(captured.glob("*.npz")):
        write_whole(folder / path.name, path.read_bytes())
    shutil.rmtree(captured)


def kept(record_path: Path, checkpoint: Path) -> dict[str, Any] | None:
    """The record of a segment that an earlier command finished; None if there is none, or a file of it is damaged."""
    try:
        record = read_json(record_path)
        load_checkpoint(checkpoint)
    except FileError:
        return None
    return record


def record_of(result: RunResult) -> dict[str, Any]:
    """What is kept of a segment. Raises `TrainError` if it failed."""
    if not result.passed or result.result is None:
        raise TrainError("\n".join([result.summary(), *capture_lines(result.result)]))
    report = result.result["report"]
    return {
        **report["segment"], "cycles": result.result["cycles"], "seconds": result.result["seconds"],
        "checks": report["checks"], "mismatches": report["mismatches"],
    }  # fmt: skip


def _line(epoch: int, records: Sequence[Mapping[str, Any]], seconds: float) -> str:
    """What is said of an epoch when it is over; `seconds`: what its simulations took."""
    steps = [step for record in records for step in record["steps"]]
    loss = sum(step["loss"] for step in steps) / len(steps)
    bits = sum(step["bit_macs"] for step in steps) / sum(step["macs"] for step in steps)
    return (
        f"epoch {epoch}: loss {loss:.3f}, accuracy {records[-1]['accuracy']:.2%}, {bits:.2f} bits, "
        f"{sum(record['train_cycles'] for record in records):,} cycles in {seconds:.0f} s"
    )


def _follower(path: Path, update: progress.Update, first: int) -> Callable[[float], None]:
    """Shows the iterations that a simulation has written to `path` while it runs; it begins with iteration `first`."""
    path.unlink(missing_ok=True)

    def follow(_: float) -> None:
        if path.is_file():
            update(first + len(path.read_text(encoding="utf-8").splitlines()))

    return follow


def prepared(plan: Any, params: TopParams) -> Digits:
    """The data of a training that the processor can do. Raises `UserError`: network, data, size."""
    try:
        data = plan.load()
        plan.trainer(params, len(data.train_labels))
    except (DataError, DigitsError, MapError, NetworkError) as error:
        raise UserError(str(error)) from None
    return data


def check_job(job: Job, per_epoch: int) -> None:
    """Raises `UserError` for a job that cannot be run here; an epoch has `per_epoch` iterations."""
    if job.epochs < 1:
        raise UserError("EPOCHS must be 1 or more")
    if not os.access(BUILD.parent, os.W_OK):
        raise UserError(f"cannot write {shown(BUILD)}")
    iterations = job.epochs * per_epoch
    if job.capture and job.capture_at >= iterations:
        raise UserError(f"CAPTURE_AT={job.capture_at + 1}: this training has iterations 1..{iterations}")
