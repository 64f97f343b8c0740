"""`make train`: a training of a network on the RTL, segment by segment, with checkpoints, a live line and a
report.

Every segment is a simulation of its own (test `training` of block `top`), checked as a whole; the next one begins with
its checkpoint. What is finished is kept in build/train/<key>/: the same command resumes where an earlier one ended, and
gives the same bits as one that was never interrupted. The key covers what is trained and all sources.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from flow.core import options, progress
from flow.core.blocks import get_block
from flow.core.options import Option, command
from flow.core.output import wide, write_report
from flow.core.simulate import RunResult, run
from flow.core.values import Choice, Count, File, Flag, Folder
from host.data import DataError, files_of
from host.digits import Digits, DigitsError
from host.mapper import MapError
from host.network import NetworkError, name_of, path_of
from models.common.files import FileError, read_json, write_whole
from models.common.floats import fingerprint
from models.top.config import TopParams
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, PACKAGES, REPORTS, ROOT, shown, source_files
from tb.lib.replay import definition
from tb.top.report import capture_lines
from tb.top.training import load_checkpoint

SOURCES = ("rtl", *PACKAGES, "data/energy", "requirements.txt")
# What a simulation takes on 2 cores, all checks on: before its first iteration, and of an iteration.
START_SECONDS, MACS_A_SECOND = 5, 600_000
LONG_HOURS = 1
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


@dataclass(frozen=True)
class Where:
    """Where pieces of a sample run: on the Dask cluster at `scheduler`, or in so many processes here."""

    jobs: int = 1
    scheduler: str | None = None


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
        "checks": report["checks"], "mismatches": report["mismatches"], "peak_mib": result.result["peak_mib"],
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


def forecast(job: Job, per_epoch: int) -> float:
    """Hours that what is left of a training may take on the RTL, to within a factor of two: by multiply-accumulates."""
    network = job.plan.network
    macs = 3 * network.batch * sum(each.places * math.prod(each.shape) for each in network.lowered)
    folder = job.folder
    todo = segments(job.plan, job.epochs, per_epoch)
    left = [(first, stop) for first, stop in todo if not (folder / f"{stop}.json").is_file()]
    iterations = sum(stop - first for first, stop in left)
    return (len(left) * START_SECONDS + iterations * macs / MACS_A_SECOND) / 3600


def warn_if_long(job: Job, per_epoch: int) -> None:
    """Says so in a line if a training takes hours on the RTL, and what to type instead."""
    hours = forecast(job, per_epoch)
    if hours > LONG_HOURS:
        few = 10 * job.plan.network.batch
        print(
            f"note: {job.epochs * per_epoch:,} iterations on the RTL take some {hours:,.0f} hours; SAMPLE=60min trains "
            f"in the model and verifies what an hour allows, IMAGES={few}/{few // 4} takes fewer images",
            flush=True,
        )


ROUNDS = {"stochastic": "stochastic", "nearest": "nearest-even"}  # of errors, in host.fixed's words


@command(
    "train",
    *options.NETWORK,
    Option("EPOCHS", Count(1000), "epochs of a training on the RTL", 1),
    Option("OPT", Choice(("momentum", "adam")), "update rule", "momentum"),
    Option("LAPS", Flag(), "LAPS chooses precision (0: 8 bits)", True),
    Option("ROUND", Choice(tuple(ROUNDS)), "rounding of errors", "stochastic"),
    Option("SAMPLE", click.STRING, "train in the model, verify on the RTL: a share (1/50), all, minutes (20min)"),
    options.jobs("simulations of SAMPLE"),
    options.SCHEDULER,
    options.SEED,
    Option("CORES", Choice((1, 2, 4)), "pairs of IOSS core and RAN", 1),
    Option("ENERGY", File(), "energies and assumptions in place of data/energy/horowitz45.hjson"),
    Option("CAPTURE", Folder(), "save every GEMM of an iteration into this folder"),
    Option("CAPTURE_AT", Count(1_000_000), "the iteration that CAPTURE saves (default: the first)"),
    options.REPORT,
)
def main(
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
    SCHEDULER: str | None,
    ENERGY: Path | None,
    CAPTURE: Path | None,
    CAPTURE_AT: int | None,
    REPORT: Path | None,
) -> int:
    """Train a real network on the RTL, checked to the bit and cycle; resume where an earlier one ended."""
    from flow.commands.train_report import content, pictures, summary_lines, write_page
    from host.energy import DEFAULT, Energies, EnergyError
    from tb.top.training import Plan

    try:
        energies = Energies.load(ENERGY or DEFAULT)
    except EnergyError as error:
        raise UserError(f"ENERGY={error}" if ENERGY else str(error)) from error
    if CAPTURE_AT is not None and CAPTURE is None:
        raise UserError("CAPTURE_AT says which iteration CAPTURE= saves: give CAPTURE, the folder, too")
    if SCHEDULER and SAMPLE is None:
        raise UserError("SCHEDULER takes pieces of a sample: give SAMPLE, too (all, 1/50, 20min)")
    plan = Plan(NET, OPT, LAPS, SEED, DATA or "", IMAGES, ROUNDS[ROUND])
    data = prepared(plan, TopParams(cores=CORES))
    job = Job(plan, EPOCHS, get_block("top").resolve_params({"CORES": CORES}), CAPTURE, (CAPTURE_AT or 1) - 1)
    per_epoch = len(data.train_labels) // plan.network.batch
    check_job(job, per_epoch)
    if SAMPLE is not None:
        return _train_sampled(job, data, per_epoch, SAMPLE, Where(JOBS, SCHEDULER), REPORT)
    warn_if_long(job, per_epoch)
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
    write_report(REPORT, report)
    return 0


def _train_sampled(job: Job, data: Digits, per_epoch: int, share: str, where: Where, report: Path | None) -> int:
    from flow.commands.sample import parse_sample, sample, table_of

    if job.capture:
        raise UserError("SAMPLE takes no CAPTURE: leave one of them out")
    done = sample(job, data, per_epoch, parse_sample(share), where)
    wide(100).print(table_of(done))
    print(f"accuracy of the training ahead: {done['accuracy']:.2%} (float32 {done['float32_accuracy']:.2%})")
    checks = ", ".join(f"{count:,} {kind}" for kind, count in done["checks"].items())
    print(f"checks: {checks}; mismatches: {done['mismatches']}")
    print(f"memory of a simulation: {done['peak_mib']:,} MiB at most")
    print(f"each of {len(done['verified'])} iterations ends in the state in which the next one began ahead")
    write_report(report, done)
    return 0
