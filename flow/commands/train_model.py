"""Trains a network in float32, at uniform and fixed mixed precision, and with LAPS; compares and draws them.

What `make train-model` does. Errors: UserError, one line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from flow.core import options
from flow.core.options import Option, command
from flow.core.output import write_report
from flow.core.values import Count, Some
from host.data import DataError, files_of
from host.digits import DigitsError
from host.fixed import FixedConfig
from host.network import NetworkError, load_network, name_of, path_of
from host.settings import SETTINGS
from models.common.floats import fingerprint
from models.laps.config import TensorClass
from studies.measure import Outcome, Task, TrainingError, Variant, rows_of, run_all, table_of
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, REPORTS, shown, source_files

VARIANTS = (
    Variant("float32"),
    Variant("16 bits", FixedConfig(16, 16, 16)),
    Variant("12 bits", FixedConfig(12, 12, 12)),
    Variant("8 bits", FixedConfig(8, 8, 8)),
    Variant("8/8/4 bits", FixedConfig(8, 8, 4)),
    Variant("LAPS", settings=SETTINGS),
)


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


def share_limits(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Range of the accuracies that are drawn, in per cent: the last points of all, and every point of LAPS."""
    best = 100 * max(max(each.accuracy) for each in outcomes)
    worst = 100 * min(min(each.accuracy) for each in outcomes if each.formats)
    return max(0.0, min(best - 12, worst - 1)), min(100.0, best + 1)


def draw(path: Path, net: str, outcomes: Sequence[Outcome]) -> None:
    """Precision n and FL of every entry over the iterations of the first training with LAPS, and accuracy and loss of
    all trainings with its seed. Raises OSError."""
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
                shift = (layer - (history.shape[1] - 1) / 2) * 0.06  # equal lines would hide each other
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
    shares.set_ylim(*share_limits(outcomes))
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


def folder_of(task: Task) -> Path:
    """Where trainings are kept; its name covers what decides about their bits, but for variant and seed."""
    digest = hashlib.sha256(repr((task, fingerprint())).encode())
    own = [path_of(task.net)[0], *files_of(task.data or load_network(task.net).data)]
    for path in (*source_files(("models", "host", "studies", "requirements.txt"), {".py", ".txt"}), *own):
        if not path.name.startswith("test_"):
            digest.update(path.read_bytes())
    return BUILD / "train_model" / f"{name_of(task.net)}-{digest.hexdigest()[:12]}"


def train_model(
    task: Task, epochs: int, seeds: Sequence[int], jobs: int, picture: Path, names: Sequence[str] = ()
) -> dict[str, Any]:
    """Trains what `names` names (float32 and LAPS always; nothing: all), prints the table, draws the picture; the
    report. Raises UserError."""
    try:
        settings = task.load(seeds[0])[0].settings
    except (DataError, DigitsError, NetworkError) as error:
        raise UserError(str(error)) from None
    chosen = [
        replace(each, settings=settings) if each.settings else each
        for each in VARIANTS
        if not names or each.name in {*names, "float32", "LAPS"}
    ]
    console = Console(width=None if Console().is_terminal else 110)
    percent = TextColumn("{task.percentage:.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), percent, TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"{len(chosen) * len(seeds)} trainings", total=None)

        def tell(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        try:
            outcomes = run_all(task, epochs, seeds, jobs, chosen, tell, folder_of(task))
        except (DataError, DigitsError, NetworkError, TrainingError) as error:
            raise UserError(str(error)) from None
    net = name_of(task.net)
    report = report_of(net, epochs, seeds, outcomes)
    console.print(table_of(net, epochs, seeds, report["table"]))
    try:
        draw(picture, net, outcomes)
    except OSError as error:
        raise UserError(f"cannot write {picture}: {error.strerror or error}") from None
    return report


@command(
    "train-model",
    *options.NETWORK,
    Option("EPOCHS", Count(1000), "epochs of a training", 30),
    options.SEED,
    Option("SEEDS", Count(), "average over so many seeds, SEED and those after it", 1),
    Option("ONLY", Some(tuple(each.name for each in VARIANTS)), "only these, float32 and LAPS", "all"),
    options.REPORT,
    Option("JOBS", Count(), "trainings at the same time", 2),
)
def main(
    NET: str,
    DATA: str | None,
    IMAGES: tuple[int, ...] | None,
    EPOCHS: int,
    SEED: int,
    SEEDS: int,
    ONLY: tuple[str, ...],
    REPORT: Path | None,
    JOBS: int,
) -> int:
    """Train with LAPS choosing every number format, against float32 and fixed formats."""
    picture = REPORTS / "laps" / f"train_{name_of(NET)}.png"
    content = train_model(Task(NET, DATA or "", IMAGES), EPOCHS, range(SEED, SEED + SEEDS), JOBS, picture, ONLY)
    print(f"picture: {shown(picture)}")
    write_report(REPORT, content | {"picture": str(picture)})
    return 0
