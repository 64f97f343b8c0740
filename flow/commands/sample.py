"""`make train SAMPLE=`: a training verified by pieces. The value model of the processor trains through and keeps a
checkpoint before each iteration; iterations of a sample are simulated on the RTL from their checkpoints, independently
and at the same time, each with every value, slice and cycle checked, and must end in the state in which the model began
the next one. With SAMPLE=all the pieces make up the whole training.

Pieces run on the engine of `make regress` (core/cluster.py): worker processes here, or a cluster. Whatever is finished,
of the model or of the pieces, is kept as it comes; the same command does what is missing.

This holds because nothing depends on the order in which jobs complete: draws belong to product, row, column and lane.
Figures of a sample are ratio estimates with 95 % intervals, each iteration weighted by those that it stands for.
"""

from __future__ import annotations

import json
import math
import re
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table

from flow.commands.train import Job, TrainError, Where, kept, record_of
from flow.commands.train_report import energy_counts, whole_cycles
from flow.core import progress
from flow.core.blocks import get_block
from flow.core.building import build
from flow.core.cluster import CONNECT_SECONDS, Cluster, ClusterLost, check_workers, connect, why
from flow.core.jobs import check_sources, portable, source_digest
from flow.core.simulate import run
from host.digits import Digits
from host.energy import Energies, dense_energy, processor_energy
from host.mapper import ModelBackend
from host.trainer import Driven, drive
from models.common.files import FileError, write_whole
from models.top.config import TopParams
from models.top.value import Processor
from studies.measure import share_of
from tb.lib.errors import UserError
from tb.top.training import TEST_BATCH, batch_of, load_checkpoint, same_state, save_checkpoint, segment_seed

FloatArray = npt.NDArray[np.float64]
# 97.5 % points of Student's t by degrees of freedom, the last one for all beyond.
T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A figure, and the ends of its 95 % interval (None: a sample of one iteration has none)."""

    value: float
    low: float | None
    high: float | None

    def text(self) -> str:
        """For a line."""
        ends = "" if self.low is None or self.high is None else f" [{self.low:.3g}, {self.high:.3g}]"
        return f"{self.value:.3g}{ends}"


@dataclass(frozen=True)
class Sample:
    """What is to be verified: a share of the iterations, or (`minutes`) as many as that time allows."""

    share: float = 1.0
    minutes: float | None = None

    def order(self, iterations: int, seed: int) -> list[int]:
        """Iterations (from 0 on) in the order in which they are to be verified, as far as time allows."""
        return spread(iterations, seed)[: max(1, round(self.share * iterations))]


def parse_sample(text: str) -> Sample:
    """`all`, `1/50`, `0.02`, `20min`. Raises `UserError`."""
    if text == "all":
        return Sample()
    minutes = re.fullmatch(r"([0-9.]{1,9})min", text)
    head, slash, tail = (minutes[1] if minutes else text).partition("/")
    try:
        value = float(head) / (float(tail) if slash else 1)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 0 < value <= (1e6 if minutes else 1):
        raise UserError(f"SAMPLE={text}: give all, a share of the iterations (1/50 or 0.02), or minutes (20min)")
    return Sample(minutes=value) if minutes else Sample(value)


def spread(iterations: int, seed: int) -> list[int]:
    """All iterations, so that the first ones are a sample however many they are: the first 2^k have one iteration in
    each of 2^k strata. The first strata are the shortest, as a training changes most where it begins."""
    rng, out, count = np.random.default_rng([seed, 6]), list[int](), 1
    while len(out) < iterations:
        edges = [at * at * iterations // (count * count) for at in range(count + 1)]
        taken = {bisect_right(edges, at) - 1 for at in out}
        free = [at for at in range(count) if at not in taken and edges[at] < edges[at + 1]]
        out += [int(rng.integers(edges[at], edges[at + 1])) for at in rng.permutation(free)]
        count *= 2
    return out


def weights(at: Sequence[int], iterations: int) -> FloatArray:
    """How many iterations each of a sample stands for: those that are nearest to it. `at`: from 0 on, in order."""
    middles = [(low + high + 1) / 2 for low, high in pairwise(at)]
    return np.diff([0, *middles, iterations])


def estimate(over: Sequence[float], under: Sequence[float], at: Sequence[int], iterations: int) -> Estimate:
    """Sum of `over` / sum of `under`, of all iterations, from those of a sample: `at`, from 0 on, in order."""
    y, x, w, n = np.asarray(over, float), np.asarray(under, float), weights(at, iterations), len(at)
    value = float((w * y).sum() / (w * x).sum())
    if n == iterations:
        return Estimate(value, value, value)
    if n < 2:
        return Estimate(value, None, None)
    left = w * (y - value * x)
    spread = float((left**2 * np.maximum(1 - 1 / w, 0)).sum()) * n / (n - 1)
    half = T[min(n - 1, len(T)) - 1] * math.sqrt(spread) / float((w * x).sum())
    return Estimate(value, value - half, value + half)


def run_ahead(job: Job, data: Digits, per_epoch: int, folder: Path) -> list[float]:
    """Trains on the value model, a processor from reset on for each iteration, as on the RTL; leaves <n>.ckpt after
    iteration n. Losses. Goes on where an earlier command ended."""
    plan, top, iterations = job.plan, TopParams(cores=job.params["CORES"]), job.epochs * per_epoch
    losses = _ahead(folder)[:iterations]
    if len(losses) == iterations:
        return losses
    said = folder / "losses.txt"
    write_whole(said, "".join(f"{loss!r}\n" for loss in losses))
    trainer = load_checkpoint(folder / f"{len(losses)}.ckpt") if losses else plan.trainer(top, len(data.train_labels))
    with progress.task("training ahead", iterations, "iterations") as update:
        for at in range(len(losses), iterations):
            backend = ModelBackend(Processor(top))
            seed = segment_seed(plan, at)
            drive(trainer.resume(seed) if at else trainer.start(seed), backend)
            images = batch_of(plan, at, len(data.train_labels))
            losses.append(drive(trainer.iteration(data.train_pixels[images], data.train_labels[images]), backend).loss)
            drive(trainer.suspend(), backend)
            save_checkpoint(folder / f"{at + 1}.ckpt", trainer)
            with said.open("a", encoding="utf-8") as lines:
                lines.write(f"{losses[-1]!r}\n")
            update(at + 1)
    return losses


def accuracy_of(job: Job, data: Digits, checkpoint: Path) -> float:
    """Share of the test images that the training ahead gets right at `checkpoint`, in the value model."""
    backend = ModelBackend(Processor(TopParams(cores=job.params["CORES"])))
    return share_of(Driven(load_checkpoint(checkpoint), backend, job.plan.seed, resumed=True), data, TEST_BATCH)


def _ahead(folder: Path) -> list[float]:
    """Losses of the first iterations that an earlier command trained through and whose checkpoints are whole."""
    try:
        lines = (folder / "losses.txt").read_text(encoding="utf-8").split("\n")[:-1]
        losses = [float(line) for line in lines]
    except (OSError, ValueError):
        return []
    for at in range(len(losses)):
        try:
            load_checkpoint(folder / f"{at + 1}.ckpt")
        except FileError:
            return losses[:at]
    return losses


def _verified(folder: Path, at: int) -> dict[str, Any] | None:
    """The record of a piece that has run; None if none has. Raises `TrainError` if it ended in another state."""
    after = folder / f"rtl-{at + 1}.ckpt"
    record = kept(folder / f"rtl-{at + 1}.json", after)
    if record is None:
        return None
    try:
        other = same_state(load_checkpoint(after), load_checkpoint(folder / f"{at + 1}.ckpt"))
    except FileError as error:
        raise TrainError(str(error)) from None  # one that comes back from a worker
    if other:
        raise TrainError(f"iteration {at + 1} on the RTL ends in another state than the model's: {other}")
    return record


def piece(job: Job, folder: Path, at: int, digest: str) -> dict[str, Any]:
    """One iteration on the RTL, from the model's checkpoint; its record. Raises `TrainError`; `UserError` on a worker
    that sees other sources, or another network or other data."""
    record = _verified(folder, at)
    if record is not None:  # of a worker that died before it could say so
        return record
    block = get_block("top")
    check_sources(block, "verilator", digest)
    if job.folder.name != folder.parent.name:
        raise UserError("sources, network or data changed since this command began, or a worker sees others")
    config = {
        "reduced": True, "plan": asdict(job.plan), "first": at, "stop": at + 1, "evaluate": False,
        "checkpoint_in": str(folder / f"{at}.ckpt") if at else None,
        "checkpoint_out": str(folder / f"rtl-{at + 1}.ckpt"),
    }  # fmt: skip
    result = run(block, "verilator", "training", job.plan.seed, job.params, config, label="sample")
    write_whole(folder / f"rtl-{at + 1}.json", json.dumps(record_of(result)))
    for path in result.run_dir.rglob("*.bin"):
        path.unlink()
    record = _verified(folder, at)
    assert record is not None
    return record


@dataclass
class _Pieces:
    """Pieces under way. `order`: what is still to run; `deadline`: after it none starts (time.monotonic())."""

    job: Job
    folder: Path
    order: Iterator[int]
    deadline: float | None
    records: dict[int, dict[str, Any]]

    def next(self) -> int | None:
        """The next one that has to run; those that have run are taken on the way."""
        for at in self.order:
            record = _verified(self.folder, at)
            if record is None:
                return at
            self.records[at] = record
        return None

    def on(self, cluster: Cluster, first: int, update: progress.Update) -> None:
        """Runs `first` and what follows, as many at a time as the cluster has threads, so that those that ran are the
        first ones of the order."""
        block, sent = get_block("top"), 0
        digest = source_digest(block, "verilator")
        check_workers(cluster, portable(block), "verilator", digest)

        def submit(at: int) -> tuple[int, Any]:
            key = ("piece", f"{self.folder.parent.name}-{at + 1}-{digest}")
            return at, cluster.client.submit(piece, self.job, self.folder, at, digest, key=key, pure=False)

        def more() -> tuple[int, Any] | None:
            nonlocal sent
            if self.deadline is not None and sent and time.monotonic() >= self.deadline:
                return None
            at = self.next() if sent else first
            sent += 1
            return None if at is None else submit(at)

        def done(at: int, future: Any) -> None:
            try:
                self.records[at] = future.result(timeout=CONNECT_SECONDS)
            except UserError:
                raise
            except Exception as problem:
                raise TrainError(f"iteration {at + 1}: {why(problem, 'simulation')}") from problem
            update(len(self.records))

        start = [each for each in (more() for _ in range(cluster.threads)) if each]
        try:
            cluster.drain(dict(start), done, lambda: update(len(self.records)), more)
        except ClusterLost as error:
            raise TrainError(f"{error}: the same command resumes where this one ended") from error


def verify(job: Job, folder: Path, sample: Sample, order: Sequence[int], where: Where) -> dict[int, dict[str, Any]]:
    """Records of pieces, by iteration: of all in `order`, or of the first ones that time allows. Raises `TrainError`,
    `UserError`."""
    pieces = _Pieces(job, folder, iter(order), None, {})
    first = pieces.next()
    if first is None:
        return pieces.records
    build(get_block("top"), "verilator", job.params)
    if sample.minutes is not None:
        pieces.deadline = time.monotonic() + 60 * sample.minutes
    total = None if sample.minutes else len(order)
    jobs = min(where.jobs, len(order) - len(pieces.records))
    with (
        progress.task("verifying", total, "iterations") as update,
        connect(where.scheduler, jobs, job.folder / "cluster") as cluster,
    ):
        pieces.on(cluster, first, update)
    return pieces.records


def sample(job: Job, data: Digits, per_epoch: int, sample: Sample, where: Where) -> dict[str, Any]:
    """Trains ahead, verifies the sample; the figures. Raises `TrainError`, `UserError`."""
    folder, iterations = job.folder / "ahead", job.epochs * per_epoch
    order = sample.order(iterations, job.plan.seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(folder, f"cannot be made ({error.strerror or error})") from None
    begun = time.monotonic()
    losses = run_ahead(job, data, per_epoch, folder)
    ahead = time.monotonic()
    records = verify(job, folder, sample, order, where)
    for at, record in records.items():
        if record["steps"][0]["loss"] != losses[at]:
            raise TrainError(f"iteration {at + 1}: loss {record['steps'][0]['loss']} on the RTL, {losses[at]} ahead")
    return {
        "iterations": iterations, "verified": [at + 1 for at in sorted(records)], "losses": losses,
        "accuracy": accuracy_of(job, data, folder / f"{iterations}.ckpt"),
        "float32_accuracy": job.plan.float32(data, job.epochs)[1][-1],
        "seconds": {"ahead": ahead - begun, "verifying": time.monotonic() - ahead},
        **figures(dict(sorted(records.items())), iterations, job.params),
    }  # fmt: skip


def figures(of: Mapping[int, Mapping[str, Any]], iterations: int, params: Mapping[str, int]) -> dict[str, Any]:
    """Estimates of the whole training from records of some of its iterations, in order, and what was checked."""
    at, records = list(of), list(of.values())
    top, energies = TopParams(cores=params["CORES"]), Energies.load()
    counters = [record["counters"] for record in records]
    busy = [top.rows * each["cycles"] for each in counters]
    counts = [energy_counts([record]) for record in records]
    ours = [sum(processor_energy(each, energies, top).values()) for each in counts]
    fp16 = [sum(dense_energy(each, energies, top, True).values()) for each in counts]
    dense = [sum(step["dense16"] for step in record["steps"]) for record in records]
    whole = [whole_cycles(record, top) for record in records]
    pairs = {
        "speedup": (dense, busy),
        "speedup_whole": ([theirs for theirs, _ in whole], [ours for _, ours in whole]),
        "average_bits": tuple(
            [sum(step[name] for step in record["steps"]) for record in records] for name in ("bit_macs", "macs")
        ),
        "utilisation": ([each["issues"] for each in counters], busy),
        "stall_operand": ([each["stall_operand"] for each in counters], busy),
        "stall_ran": ([each["stall_ran"] for each in counters], busy),
        "energy_below_fp16": (fp16, ours),
    }
    return {
        "figures": {name: asdict(estimate(*pair, at, iterations)) for name, pair in pairs.items()},
        "mismatches": sum(record["mismatches"] for record in records),
        "checks": {kind: sum(record["checks"][kind] for record in records) for kind in records[0]["checks"]},
        "peak_mib": max(record["peak_mib"] for record in records),
    }


def table_of(report: Mapping[str, Any]) -> Table:
    """The figures, for a terminal."""
    table = Table(title=f"{len(report['verified'])} of {report['iterations']} iterations", box=box.SIMPLE)
    for column in ("figure", "estimate, 95 % interval"):
        table.add_column(column)
    for name, each in report["figures"].items():
        table.add_row(name, Estimate(**each).text())
    return table
