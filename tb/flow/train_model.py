"""Trains a digits network in float32, at uniform and fixed mixed precision, and with LAPS; compares and draws them.

What `make train-model` does. Trainings run in processes of their own, each on one thread, so that float32 sums have one
order. Errors: UserError, one line.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from models.laps.config import TensorClass
from models.train.digits import DigitsError, load_digits
from models.train.fixed import FixedConfig, TrainConfig
from models.train.measure import Outcome, Variant, run
from models.train.settings import SETTINGS
from tb.flow.errors import UserError

VARIANTS = (
    Variant("float32"),
    Variant("16 bits", FixedConfig(16, 16, 16)),
    Variant("12 bits", FixedConfig(12, 12, 12)),
    Variant("8 bits", FixedConfig(8, 8, 8)),
    Variant("8/8/4 bits", FixedConfig(8, 8, 4)),
    Variant("LAPS", settings=SETTINGS),
)
POLL = 0.2  # seconds


# ------------------------------------------------------------------------------------------------------------ trainings

_shared: list[Any] = []  # of a worker: iterations done, stop


def _start_worker(done: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    _shared[:] = [done, stop]


def _tick() -> None:
    done, stop = _shared
    if stop.value:
        raise KeyboardInterrupt
    with done.get_lock():
        done.value += 1


def _work(variant: Variant, net: str, epochs: int, seed: int) -> Outcome:
    return run(variant, net, epochs, seed, _tick)


def run_all(
    net: str,
    epochs: int,
    seeds: Sequence[int],
    jobs: int,
    variants: Sequence[Variant] = VARIANTS,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Outcome]:
    """Every variant with every seed, variant by variant; `tell` is called with iterations done and to do.

    Raises UserError.
    """
    try:
        images = len(load_digits(seeds[0]).train_labels)
    except DigitsError as error:
        raise UserError(str(error)) from None
    total = len(variants) * len(seeds) * epochs * (images // TrainConfig.batch)
    context = multiprocessing.get_context("spawn")
    done, stop = context.Value("q", 0), context.Value("b", 0)
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        with ProcessPoolExecutor(jobs, context, _start_worker, (done, stop)) as pool:
            try:
                # The widest and so the slowest come first.
                order = sorted(range(len(variants)), key=lambda at: -_width(variants[at]))
                futures = {(at, seed): pool.submit(_work, variants[at], net, epochs, seed) for at in order for seed in seeds}
                waiting = set(futures.values())
                while waiting:
                    ready, waiting = wait(waiting, POLL, FIRST_COMPLETED)
                    for each in ready:
                        each.result()
                    tell(done.value, total)
                return [futures[at, seed].result() for at in range(len(variants)) for seed in seeds]
            except BaseException:
                stop.value = 1
                pool.shutdown(cancel_futures=True)
                raise
    except BrokenProcessPool:
        raise UserError("a training process was killed; if memory ran out, try JOBS=1") from None
    finally:
        if threads is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = threads


def _width(variant: Variant) -> int:
    return variant.fixed.activation_bits if variant.fixed else 0


# -------------------------------------------------------------------------------------------------------------- figures


def rows_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Means over seeds, a row a variant. `accuracy` is that behind the last epoch."""
    rows = []
    for name in dict.fromkeys(each.variant for each in outcomes):
        mine = [each for each in outcomes if each.variant == name]
        row: dict[str, Any] = {
            "variant": name,
            "accuracy": float(np.mean([each.accuracy[-1] for each in mine])),
            "accuracies": [each.accuracy[-1] for each in mine],
            "average_bits": float(np.mean([each.average_bits for each in mine])),
        }
        for key in ("predicted_speedup", "epoch1_speedup"):
            values = [getattr(each, key) for each in mine]
            row[key] = None if None in values else float(np.mean(values))
        rows.append(row)
    return rows


def report_of(net: str, epochs: int, seeds: Sequence[int], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What the JSON report holds: the figures of LAPS, then the table and every training."""
    rows = rows_of(outcomes)
    of = {row["variant"]: row for row in rows}
    figures = {key: of["LAPS"][key] for key in ("accuracy", "average_bits", "predicted_speedup", "epoch1_speedup")}
    return {
        "net": net,
        "epochs": epochs,
        "seeds": list(seeds),
        **figures,
        "float32_accuracy": of["float32"]["accuracy"],
        "table": rows,
        "trainings": [each.as_dict() for each in outcomes],
    }


def table_of(report: dict[str, Any]) -> Table:
    """The comparison, for a terminal."""
    many = len(report["seeds"]) > 1
    table = Table(
        title=f"{report['net']}, {report['epochs']} epochs, {'mean of seeds' if many else 'seed'}"
        f" {', '.join(map(str, report['seeds']))}",
        box=box.SIMPLE,
    )
    for column in ("numbers", "accuracy", "average bits", "predicted speed-up", "in epoch 1"):
        table.add_column(column, justify="left" if column == "numbers" else "right")
    for row in report["table"]:
        ratios = ["" if row[key] is None else f"{row[key]:.1f}" for key in ("predicted_speedup", "epoch1_speedup")]
        table.add_row(row["variant"], f"{row['accuracy']:.2%}", f"{row['average_bits']:.2f}", *ratios)
    return table


def draw(path: Path, net: str, outcomes: Sequence[Outcome]) -> None:
    """n and FL of every entry over the iterations of the first training with LAPS; accuracy and loss of the trainings
    with its seed. Raises OSError."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    laps = next(each for each in outcomes if each.formats)
    history = np.array(laps.formats)  # iteration, layer, class, (n, FL)
    iterations = np.arange(1, len(history) + 1)
    figure = plt.figure(figsize=(15, 11), layout="constrained")
    figure.suptitle(f"{net}, seed {laps.seed}: what LAPS chose, and what came of it", fontsize=14)
    grid = figure.add_gridspec(3, 4, height_ratios=(1, 1, 1.2))
    for cls in TensorClass:
        for row, what in enumerate(("precision n (slices)", "fraction length FL")):
            axes = figure.add_subplot(grid[row, cls])
            for layer in range(history.shape[1]):
                # Equal lines would hide each other.
                shift = (layer - (history.shape[1] - 1) / 2) * 0.06 if row == 0 else 0.0
                values = history[:, layer, cls, row] + shift
                axes.step(iterations, values, where="post", linewidth=1.6, label=f"layer {layer + 1}")
            axes.grid(alpha=0.3)
            if row == 0:
                axes.set_title(cls.name.lower())
                axes.set_ylim(0.5, 4.5)
                axes.set_yticks(range(1, 5))
            else:
                axes.set_xlabel("iteration")
                axes.yaxis.get_major_locator().set_params(integer=True)
            if cls == TensorClass.ACTIVATION:
                axes.set_ylabel(what)
            if row == 0 and cls == TensorClass.ACTIVATION:
                axes.legend(loc="upper right")
    shares, losses = figure.add_subplot(grid[2, :2]), figure.add_subplot(grid[2, 2:])
    for each in (each for each in outcomes if each.seed == laps.seed):
        style = {"linewidth": 2.6, "color": "black"} if each.formats else {"linewidth": 1.3}
        epochs = range(1, len(each.loss) + 1)
        shares.plot(epochs, 100 * np.array(each.accuracy), label=each.variant, marker=".", **style)
        losses.semilogy(epochs, each.loss, label=each.variant, marker=".", **style)
    best = max(max(each.accuracy) for each in outcomes)
    shares.set_ylim(max(0.0, 100 * best - 12), min(100.0, 100 * best + 1))
    shares.set_ylabel("accuracy on test images, %")
    losses.set_ylabel("training loss, mean of the epoch")
    for axes in (shares, losses):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    shares.legend(loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def train_model(net: str, epochs: int, seeds: Sequence[int], jobs: int, picture: Path) -> dict[str, Any]:
    """Trains, prints the table, draws the picture; the report. Raises UserError."""
    console = Console(width=None if Console().is_terminal else 110)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{len(VARIANTS) * len(seeds)} trainings", total=None)
        outcomes = run_all(
            net, epochs, seeds, jobs, tell=lambda done, total: progress.update(task, completed=done, total=total)
        )
    report = report_of(net, epochs, seeds, outcomes)
    console.print(table_of(report))
    try:
        draw(picture, net, outcomes)
    except OSError as error:
        raise UserError(f"cannot write {picture}: {error.strerror or error}") from None
    return report
