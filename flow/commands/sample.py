"""`make train SAMPLE=`: a training verified by pieces. The value model of the processor trains through and keeps a
checkpoint before each iteration; iterations of a sample are simulated on the RTL from their checkpoints, independently
and at the same time, each with every value, slice and cycle checked, and must end in the state in which the model began
the next one. With SAMPLE=all the pieces make up the whole training.

This holds because nothing depends on the order in which jobs complete: draws belong to product, row, column and lane.
Figures of a sample are ratio estimates with 95 % intervals, by the spread of a simple random sample.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from flow.commands.train import Job, TrainError, kept, record_of
from flow.commands.train_report import energy_counts
from flow.core import progress
from flow.core.blocks import get_block
from flow.core.simulate import run
from host.digits import Digits
from host.energy import Energies, dense_energy, processor_energy
from host.mapper import ModelBackend
from host.trainer import OnProcessor, drive
from models.common.files import FileError, write_whole
from models.top.config import TopParams
from models.top.value import Processor
from tb.lib.errors import UserError
from tb.top.training import batch_of, load_checkpoint, same_state, save_checkpoint, segment_seed

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


def parse_sample(text: str) -> float | None:
    """Share of iterations of `all` (None), `1/50` or `0.02`. Raises `UserError`."""
    if text == "all":
        return None
    head, slash, tail = text.partition("/")
    try:
        share = float(head) / (float(tail) if slash else 1)
    except (ValueError, ZeroDivisionError):
        share = math.nan
    if not 0 < share <= 1:
        raise UserError(f"SAMPLE={text}: give all, or a share of the iterations, 1/50 or 0.02")
    return share


def chosen(iterations: int, share: float | None, seed: int) -> list[int]:
    """Iterations of a sample, in order: as many strata of equal length as there are to be iterations, one of each."""
    if share is None:
        return list(range(iterations))
    count = max(1, round(share * iterations))
    edges = np.linspace(0, iterations, count + 1).round().astype(int)
    rng = np.random.default_rng([seed, 6])
    return [int(rng.integers(low, high)) for low, high in pairwise(edges.tolist())]


def estimate(over: Sequence[float], under: Sequence[float], iterations: int) -> Estimate:
    """Sum of `over` / sum of `under`, of all iterations, from those of a sample."""
    y, x = np.asarray(over, float), np.asarray(under, float)
    value, n = float(y.sum() / x.sum()), len(y)
    if n == iterations:
        return Estimate(value, value, value)
    if n < 2:
        return Estimate(value, None, None)
    spread = float(((y - value * x) ** 2).sum()) / (n - 1)
    half = T[min(n - 1, len(T)) - 1] * math.sqrt((1 - n / iterations) * spread / n) / float(x.mean())
    return Estimate(value, value - half, value + half)


def run_ahead(job: Job, data: Digits, per_epoch: int, folder: Path) -> list[float]:
    """Trains on the value model, a processor from reset on for each iteration, as on the RTL; leaves <n>.ckpt after
    iteration n. Losses."""
    plan, top, iterations = job.plan, TopParams(cores=job.params["CORES"]), job.epochs * per_epoch
    losses: list[float] = []
    trainer: OnProcessor = plan.trainer(top, len(data.train_labels))
    with progress.task("training ahead", iterations, "iterations") as update:
        for at in range(iterations):
            backend = ModelBackend(Processor(top))
            seed = segment_seed(plan, at)
            drive(trainer.resume(seed) if at else trainer.start(seed), backend)
            images = batch_of(plan, at, len(data.train_labels))
            losses.append(drive(trainer.iteration(data.train_pixels[images], data.train_labels[images]), backend).loss)
            drive(trainer.suspend(), backend)
            save_checkpoint(folder / f"{at + 1}.ckpt", trainer)
            update(at + 1)
    return losses


def _piece(job: Job, folder: Path, at: int) -> dict[str, Any]:
    """One iteration on the RTL, from the model's checkpoint; its record. Raises `TrainError`."""
    record_path, after = folder / f"rtl-{at + 1}.json", folder / f"rtl-{at + 1}.ckpt"
    record = kept(record_path, after)
    if record is None:
        config = {
            "reduced": True, "plan": asdict(job.plan), "first": at, "stop": at + 1, "evaluate": False,
            "checkpoint_in": str(folder / f"{at}.ckpt") if at else None, "checkpoint_out": str(after),
        }  # fmt: skip
        result = run(get_block("top"), "verilator", "training", job.plan.seed, job.params, config, label="sample")
        record = record_of(result)
        for path in result.run_dir.rglob("*.bin"):
            path.unlink()
    other = same_state(load_checkpoint(after), load_checkpoint(folder / f"{at + 1}.ckpt"))
    if other:
        raise TrainError(f"iteration {at + 1} on the RTL ends in another state than the model's: {other}")
    write_whole(record_path, json.dumps(record))
    return record


def sample(job: Job, data: Digits, per_epoch: int, share: float | None, jobs: int) -> dict[str, Any]:
    """Trains ahead, verifies the sample; the figures. Raises `TrainError`, `UserError`."""
    folder, iterations = job.folder / "ahead", job.epochs * per_epoch
    todo = chosen(iterations, share, job.plan.seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        losses = json.loads((folder / "losses.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        losses = []
    if len(losses) < iterations or any(not _is_there(folder / f"{at + 1}.ckpt") for at in range(iterations)):
        losses = run_ahead(job, data, per_epoch, folder)
        write_whole(folder / "losses.json", json.dumps(losses))
    records: dict[int, dict[str, Any]] = {}
    pool = ThreadPoolExecutor(jobs)
    try:
        with progress.task("verifying", len(todo), "iterations") as update:
            futures = {pool.submit(_piece, job, folder, at): at for at in todo}
            for future in as_completed(futures):
                records[futures[future]] = future.result()
                update(len(records))
    finally:
        pool.shutdown(cancel_futures=True)
    for at, record in records.items():
        if record["steps"][0]["loss"] != losses[at]:
            raise TrainError(f"iteration {at + 1}: loss {record['steps'][0]['loss']} on the RTL, {losses[at]} ahead")
    return {
        "iterations": iterations, "verified": [at + 1 for at in sorted(records)], "losses": losses,
        **figures([records[at] for at in sorted(records)], iterations, job.params),
    }  # fmt: skip


def _is_there(path: Path) -> bool:
    try:
        load_checkpoint(path)
    except FileError:
        return False
    return True


def figures(records: Sequence[Mapping[str, Any]], iterations: int, params: Mapping[str, int]) -> dict[str, Any]:
    """Estimates of the whole training from records of some of its iterations, and what was checked."""
    top, energies = TopParams(cores=params["CORES"]), Energies.load()
    counters = [record["counters"] for record in records]
    busy = [top.rows * each["cycles"] for each in counters]
    counts = [energy_counts([record]) for record in records]
    ours = [sum(processor_energy(each, energies, top).values()) for each in counts]
    fp16 = [sum(dense_energy(each, energies, top, True).values()) for each in counts]
    pairs = {
        "speedup": ([sum(step["dense16"] for step in record["steps"]) for record in records], busy),
        "utilisation": ([each["issues"] for each in counters], busy),
        "stall_operand": ([each["stall_operand"] for each in counters], busy),
        "stall_ran": ([each["stall_ran"] for each in counters], busy),
        "energy_below_fp16": (fp16, ours),
    }
    return {
        "figures": {name: asdict(estimate(*pair, iterations)) for name, pair in pairs.items()},
        "mismatches": sum(record["mismatches"] for record in records),
        "checks": {kind: sum(record["checks"][kind] for record in records) for kind in records[0]["checks"]},
    }


def table_of(report: Mapping[str, Any]) -> Table:
    """The figures, for a terminal."""
    table = Table(title=f"{len(report['verified'])} of {report['iterations']} iterations", box=box.SIMPLE)
    for column in ("figure", "estimate, 95 % interval"):
        table.add_column(column)
    for name, each in report["figures"].items():
        table.add_row(name, Estimate(**each).text())
    return table
