"""Trainings compared: accuracy, average bits and predicted speed-up of float32, the dynamic rule and LAPS.

*Average bits*: mean over FP, BP and WG of (x bits + w bits) / 2, weighted by multiply-accumulates, over the whole
training. *Predicted speed-up*: slice pairs of a dense 16b x 16b array over those that the IOSS core issues
(`count_issues`; convolutions as the products they are lowered to), at equal utilisation. The host's share is in
neither.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table

from host.closed_loop import Driven, Settings, make_loop
from host.data import load_data
from host.digits import Digits
from host.fixed import (
    DynamicRule,
    FixedConfig,
    FixedNet,
    FloatArray,
    FloatNet,
    Network,
    Step,
    TrainConfig,
    accuracy,
    batches,
    init_layers,
    order_rng,
)
from host.layers import Layer
from host.network import Network as Declared
from host.network import load_network
from models.common.files import FileError, write_whole
from models.laps.config import LapsParams, TensorClass
from studies.make_tensors import count_issues

POLL = 0.2  # seconds
TEST_BATCH = 500  # images
COUNTED = 4  # the whole run's issues are those of every so many iterations; epoch 1 is counted in full
MANY = 100  # iterations of an epoch, beyond which only every so many are counted, in epoch 1 too:
SELDOM = 16
SAVED = 60.0  # seconds between two checkpoints


class TrainingError(RuntimeError):
    """Trainings ended early; the message is one line."""


@dataclass
class Tally:
    """Sums over iterations."""

    macs: int = 0
    bit_macs: float = 0.0
    issues: int = 0
    dense: int = 0

    def add(self, step: Step, count: bool = True) -> None:
        """The GEMMs of one iteration; `count`: issues, too."""
        for gemm, order in zip(step.gemms, step.min_orders, strict=True):
            m, k, n = gemm.shape
            self.macs += m * k * n
            self.bit_macs += m * k * n * (gemm.x_bits + gemm.w_bits) / 2
            if count:
                counted = count_issues(gemm, min_order=order)
                self.issues += counted.issues
                self.dense += counted.dense16

    @property
    def bits(self) -> float:
        """Average bits; 32 if nothing was counted (float32)."""
        return self.bit_macs / self.macs if self.macs else 32.0

    @property
    def speedup(self) -> float | None:
        """Predicted speed-up; None if nothing was counted."""
        return self.dense / self.issues if self.issues else None


@dataclass(frozen=True)
class Outcome:
    """One training. accuracy: share of test images, by epoch; loss: mean of every epoch; formats: n and FL of every
    entry of LAPS after every iteration, [iteration][layer][class][2]."""

    variant: str
    seed: int
    accuracy: list[float]
    loss: list[float]
    average_bits: float
    predicted_speedup: float | None
    epoch1_speedup: float | None
    formats: list[list[list[tuple[int, int]]]] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Without the history of formats."""
        return {key: value for key, value in asdict(self).items() if key != "formats"}


@dataclass(frozen=True)
class Variant:
    """A way to train: float32 (neither), the dynamic rule at `fixed`, or LAPS with `settings`."""

    name: str
    fixed: FixedConfig | None = None
    settings: Settings | None = None

    def network(self, layers: tuple[Layer, ...], config: TrainConfig) -> Network:
        """Ready to train; every variant starts with the same weights and sees the same order of images."""
        if self.settings is not None:
            return make_loop(layers, config, self.settings, self.fixed)
        start = init_layers(layers, np.random.default_rng([config.seed, 0]))
        if self.fixed is None:
            return FloatNet(layers, start, config)
        rng = np.random.default_rng([config.seed, 1])
        return FixedNet(layers, start, config, self.fixed, rng, DynamicRule(self.fixed))


@dataclass(frozen=True)
class Task:
    """What is trained: `net` as `load_network` takes it, data (empty: the network's own) and how many images of it as
    `load_data` takes them."""

    net: str
    data: str = ""
    images: Sequence[int] | None = None

    def load(self, seed: int) -> tuple[Declared, Digits]:
        """Network and data. Raises NetworkError, DataError."""
        network = load_network(self.net)
        return network, load_data(self.data or network.data, network, seed, self.images)


@dataclass
class _UnderWay:
    """A training between two iterations."""

    network: Network
    done: int = 0  # iterations
    total: Tally = field(default_factory=Tally)
    first: Tally = field(default_factory=Tally)
    shares: list[float] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    history: list[list[list[tuple[int, int]]]] = field(default_factory=list)

    def iteration(self, epoch: int, pixels: FloatArray, labels: npt.NDArray[np.integer], often: bool) -> None:
        """One iteration of epoch `epoch`; `often`: as in COUNTED, otherwise every SELDOM-th is counted."""
        if epoch > len(self.losses):
            self.losses.append([])
        step = self.network.step(pixels, labels)
        self.done += 1
        self.losses[-1].append(step.loss)
        self.total.add(step, count=len(self.losses[-1]) % (COUNTED if often else SELDOM) == 0)
        if epoch == 1:
            self.first.add(step, count=often or self.done % SELDOM == 0)
        if isinstance(self.network, Driven):
            table, count = self.network.loop.formats, len(self.network.loop.network.layers)
            self.history.append([[tuple(table[at, cls]) for cls in TensorClass] for at in range(count)])


def run(
    variant: Variant,
    task: Task,
    epochs: int,
    seed: int,
    tick: Callable[[int], None] = lambda count: None,
    every_epoch: bool = True,
    keep: Path | None = None,
) -> Outcome:
    """One training; `tick` is told of iterations done. With `keep`, a file, it goes on where it was interrupted."""
    declared, data = task.load(seed)
    layers, config = declared.lowered, declared.config(len(data.train_labels), seed, epochs)
    state = _resumed(keep) or _UnderWay(variant.network(layers, config))
    last = len(data.train_labels) // config.batch
    tick(min(state.done, last * epochs))
    saved = time.monotonic()
    for number, (epoch, iteration, chosen) in enumerate(batches(len(data.train_labels), config, order_rng(config))):
        if number < state.done:
            continue
        pixels, labels = data.train_pixels[chosen], data.train_labels[chosen]
        state.iteration(epoch, pixels, labels, last <= MANY)
        if iteration == last and (every_epoch or epoch == epochs):
            state.shares.append(share_of(state.network, data))
        if keep is not None and (iteration == last or time.monotonic() - saved > SAVED):
            try:
                write_whole(keep, pickle.dumps(state))
            except FileError as error:
                raise TrainingError(str(error)) from None
            saved = time.monotonic()
        tick(1)
    return Outcome(
        variant.name,
        seed,
        state.shares[:epochs],
        [float(np.mean(each)) for each in state.losses[:epochs]],
        state.total.bits,
        state.total.speedup,
        state.first.speedup,
        state.history[: last * epochs],
    )


def _resumed(keep: Path | None) -> _UnderWay | None:
    """What `run` left; None: nothing that can be read."""
    try:
        state = None if keep is None else pickle.loads(keep.read_bytes())
    except Exception:  # damaged bytes make pickle raise almost anything
        return None
    return state if isinstance(state, _UnderWay) else None


def share_of(network: Network, data: Digits, batch: int = TEST_BATCH) -> float:
    """Share of test images whose largest output is their label; `batch` at a time, for memory."""
    right = 0
    for at in range(0, len(data.test_labels), batch):
        labels = data.test_labels[at : at + batch]
        right += round(accuracy(network, data.test_pixels[at : at + batch], labels) * len(labels))
    return right / len(data.test_labels)


# ------------------------------------------------------------------------------------------------- several at a time

_shared: list[Any] = []  # of a worker: iterations done, stop


def _start_worker(done: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    _shared[:] = [done, stop]


def _tick(count: int) -> None:
    done, stop = _shared
    if stop.value:
        raise KeyboardInterrupt
    with done.get_lock():
        done.value += count


def _work(variant: Variant, task: Task, epochs: int, seed: int, folder: Path | None) -> Outcome:
    name = variant.name.replace("/", "-").replace(" ", "-")
    return run(variant, task, epochs, seed, _tick, keep=None if folder is None else folder / f"{name}-{seed}.pickle")


def run_all(
    task: Task,
    epochs: int,
    seeds: Sequence[int],
    jobs: int,
    variants: Sequence[Variant],
    tell: Callable[[int, int], None] = lambda done, total: None,
    folder: Path | None = None,
) -> list[Outcome]:
    """Every variant with every seed, variant by variant; `tell` is called with iterations done and to do. `folder`:
    each training is kept there, and goes on where it was interrupted.

    Trainings run in processes of their own, each on one thread, so that float32 sums have one order. Raises
    DigitsError, DataError, NetworkError, TrainingError.
    """
    network, data = task.load(seeds[0])
    if any(each.settings for each in variants) and len(network.lowered) > LapsParams().layers:
        raise TrainingError(f"{len(network.lowered)} layers: LAPS has {LapsParams().layers}")
    total = len(variants) * len(seeds) * epochs * (len(data.train_labels) // network.batch)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    done, stop = context.Value("q", 0), context.Value("b", 0)
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        with ProcessPoolExecutor(jobs, context, _start_worker, (done, stop)) as pool:
            try:
                # The widest and so the slowest come first.
                order = sorted(range(len(variants)), key=lambda at: -_width(variants[at]))
                futures = {
                    (at, seed): pool.submit(_work, variants[at], task, epochs, seed, folder)
                    for at in order
                    for seed in seeds
                }
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
        raise TrainingError("a training process was killed; if memory ran out, try JOBS=1") from None
    finally:
        if threads is None:
            del os.environ["OPENBLAS_NUM_THREADS"]
        else:
            os.environ["OPENBLAS_NUM_THREADS"] = threads


def _width(variant: Variant) -> int:
    return variant.fixed.activation_bits if variant.fixed else 0


def rows_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Means over seeds, a row a variant. `accuracy` is that after the last epoch."""
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


def table_of(net: str, epochs: int, seeds: Sequence[int], rows: Sequence[dict[str, Any]]) -> Table:
    """The comparison, for a terminal."""
    which = f"mean of seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    table = Table(title=f"{net}, {epochs} epochs, {which}", box=box.SIMPLE)
    for column in ("numbers", "accuracy", "average bits", "predicted speed-up", "in epoch 1"):
        table.add_column(column, justify="left" if column == "numbers" else "right")
    for row in rows:
        ratios = ["" if row[key] is None else f"{row[key]:.1f}" for key in ("predicted_speedup", "epoch1_speedup")]
        table.add_row(row["variant"], f"{row['accuracy']:.2%}", f"{row['average_bits']:.2f}", *ratios)
    return table
