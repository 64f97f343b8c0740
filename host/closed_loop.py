"""Training with LAPS in the loop: every number format and every `min_order` comes from a controller.

Source: docs/laps/README.md, "Update", "min_order", "Closed loop". A layer's entries: activation = its input, weight,
error = dY of its output, gradient = dW. An iteration

1. asks for the `min_order` of every GEMM: fp1 .. , bp2 .., wg1 .. (not of the last fp, whose raw sums are the logits:
   0), all before the first update, so that fraction lengths are those of the tensors that are multiplied;
2. makes every tensor in the format that the table had when the iteration began, as hardware that quantises while it
   drains must: a tensor that does not fit saturates;
3. sends one update per tensor, in the order in which they are made: weight and activation of layer 0, 1, ..., then
   error and gradient of the last layer, ..., 0;
4. moves the master weights and says that a step is done.

`ClosedLoop.iteration` is a generator of requests that is sent the answers; whoever drives it may ask a model or, with
`await`, the RTL. `ClosedLoop.batches` yields all requests at once that need no answer before. Gradients are 16 bits
wide (their n is pinned). A shift below 0 (a result finer than its sum) is an exact shift to the left here. Errors:
ValueError for what a controller refuses, OSError for files.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from host.fixed import FixedConfig, FixedNet, Params, Step, TrainConfig, dynamic_fl, init_layers
from host.layers import Layer, wires
from models.laps.config import (
    CLASS_STRIDE,
    ORDER,
    SCHEDULE_WHEN,
    SLOT_STRIDE,
    Band,
    Entry,
    LapsParams,
    Limits,
    RspCode,
    Rules,
    Slot,
    TensorClass,
    TensorStats,
    Tolerance,
)
from models.laps.value import Laps

ACTIVATION, WEIGHT, ERROR, GRADIENT = TensorClass
MOST_K = (1 << 16) - 1  # inner length that a query can have


class Key(NamedTuple):
    """Names an entry."""

    layer: int
    cls: TensorClass


class Format(NamedTuple):
    """Slices and fraction length of a tensor."""

    n: int
    fl: int


# ------------------------------------------------------------------------------------------------------------ requests


@dataclass(frozen=True)
class Query:
    """Asks for the min_order (int) of GEMM `gemm`: entries of x, w and result, inner length `k`."""

    gemm: str
    x: Key
    w: Key
    y: Key
    k: int


@dataclass(frozen=True)
class Update:
    """Statistics of one tensor; the answer is the next tensor's `Format`."""

    key: Key
    stats: TensorStats


@dataclass(frozen=True)
class StepDone:
    """A training step is done; the answer is ignored."""


Request = Query | Update | StepDone


class Controller(Protocol):
    """What chooses formats: a LAPS, or anything that behaves like one."""

    def formats(self, layer: int, cls: TensorClass) -> Format:
        """Of the next tensor."""

    def report(self, layer: int, cls: TensorClass, stats: TensorStats) -> Format:
        """Takes a tensor's statistics; the format of the next one."""

    def min_order(self, x: Key, w: Key, y: Key, k: int) -> int:
        """Lowest order that a product of x and w into y needs."""

    def step(self) -> None:
        """A training step is done."""


def answer(controller: Controller, request: Request) -> Format | int | None:
    """What the controller says to a request."""
    match request:
        case Query():
            return controller.min_order(request.x, request.w, request.y, request.k)
        case Update():
            return controller.report(*request.key, request.stats)
    return controller.step()


# ------------------------------------------------------------------------------------------------------------- the loop


def queries(layers: Sequence[Layer], batch: int) -> list[Query]:
    """What an iteration asks, in order."""
    net = wires(tuple(layers))
    count = len(layers)
    taken = [Key(net.takes[at], ACTIVATION) for at in range(count)]
    errors = [Key(net.errs[at], ERROR) for at in range(count)]
    fp = [
        Query(f"fp{at + 1}", taken[at], Key(at, WEIGHT), Key(net.gives[at], ACTIVATION), layers[at].shape[0])
        for at in range(count - 1)
    ]
    bp = [
        Query(f"bp{at + 1}", errors[at], Key(at, WEIGHT), errors[net.source[at]], layers[at].back_length)
        for at in range(count)
        if net.has_bp(at)
    ]
    wg = [
        Query(f"wg{at + 1}", errors[at], taken[at], Key(at, GRADIENT), min(batch * layers[at].places, MOST_K))
        for at in range(count)
    ]
    return [*fp, *bp, *wg]


class ClosedLoop:
    """A network whose formats a controller chooses.

    `formats` are those that its table starts with. Between iterations `formats` and `min_orders` are what the last
    answers said; `logits` (hence accuracy) uses them and asks nothing.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        params: Params,
        config: TrainConfig,
        fixed: FixedConfig,
        rng: np.random.Generator,
        formats: dict[Key, Format],
        **optimiser: Any,
    ) -> None:
        self.network = FixedNet(layers, params, config, fixed, rng, self, **optimiser)
        self.formats = dict(formats)
        self.min_orders: dict[str, int] = {}

    def choose(
        self, layer: int, cls: TensorClass, values: npt.NDArray[np.generic], fl: int = 0
    ) -> tuple[int, int] | None:
        """The table's format, whatever the values (protocol `Formats`)."""
        chosen = self.formats[Key(layer, cls)]
        return 4 * chosen.n, chosen.fl

    def min_order(self, gemm: str) -> int:
        """As the last query of this GEMM said (protocol `Formats`)."""
        return self.min_orders.get(gemm, 0)

    def iteration(
        self, pixels: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
    ) -> Generator[Request, Any, Step]:
        """One iteration on values (batch x in) >= 0 and class labels (batch): yields requests, is sent the answers."""
        work, replies = self.batches(pixels, labels), None
        while True:
            try:
                requests = work.send(replies)
            except StopIteration as end:
                return end.value
            replies = []
            for request in requests:
                replies.append((yield request))

    def batches(
        self, pixels: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]
    ) -> Generator[Sequence[Request], Sequence[Any] | None, Step]:
        """`iteration` with all requests at once that need no answer first: the queries, the updates, the step."""
        asked = queries(self.network.layers, len(labels))
        said = yield asked
        self.min_orders |= {query.gemm: order for query, order in zip(asked, said or (), strict=True)}
        done = self.network.compute(pixels, labels)
        updates = [Update(Key(each.layer, each.cls), each.stats) for each in done.made]
        said = yield updates
        after = {update.key: Format(*each) for update, each in zip(updates, said or (), strict=True)}
        self.network.optimiser.update(done.grad_w, done.grad_b)
        self.formats = self.formats | after
        yield [StepDone()]
        return done.step

    def logits(self, pixels: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Outputs (batch x classes) in the formats of the table; everything rounds to nearest."""
        return self.network.logits(pixels)


class Driven:
    """A closed loop and its controller as one network, for `train` and `accuracy`."""

    def __init__(self, loop: ClosedLoop, controller: Controller) -> None:
        self.loop, self.controller = loop, controller

    def logits(self, pixels: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Outputs (batch x classes)."""
        return self.loop.logits(pixels)

    def step(self, pixels: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Step:
        """One iteration, every request answered by the controller."""
        work = self.loop.iteration(pixels, labels)
        reply = None
        while True:
            try:
                request = work.send(reply)
            except StopIteration as end:
                return end.value
            reply = answer(self.controller, request)


# ----------------------------------------------------------------------------------------------------------------- LAPS


@dataclass(frozen=True)
class ClassSettings:
    """Registers of a class, and how its entries start (`fl` None: that of the start values)."""

    band: Band = field(default_factory=Band)
    rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)
    tolerance: Tolerance = field(default_factory=Tolerance)
    n: int = 2
    fl: int | None = 0
    pin_n: bool = False


@dataclass(frozen=True)
class Settings:
    """What a host writes before a training: registers by class, slots of the schedule, `ORDER`, and the entry of the
    pixels if it is not to be that of other activations."""

    classes: dict[TensorClass, ClassSettings]
    schedule: tuple[Slot, ...] = ()
    most: int = 3
    pixels: Entry | None = None

    def entries(self, params: Params) -> dict[Key, Entry]:
        """The table of a network with these start values."""
        out = {}
        for layer, weights in enumerate(params.weights):
            for cls, one in self.classes.items():
                fl = dynamic_fl(float(np.abs(weights).max()), 4 * one.n, False) if one.fl is None else one.fl
                out[Key(layer, cls)] = Entry(fl=fl, n=one.n, is_unsigned=cls == ACTIVATION, pin_n=one.pin_n)
        if self.pixels is not None:
            out[Key(0, ACTIVATION)] = self.pixels
        return out

    def writes(self, params: Params) -> list[tuple[int, int]]:
        """The register writes (address, word)."""
        out = []
        for key, entry in self.entries(params).items():
            out += [(2 * (4 * key.layer + key.cls) + word, data) for word, data in enumerate(entry.words)]
        for cls, one in self.classes.items():
            registers = (one.band, one.rules, one.limits, one.tolerance)
            out += [(each.address + CLASS_STRIDE * cls, each.word) for each in registers]
        for slot, what in enumerate(self.schedule):
            out += [(SCHEDULE_WHEN + SLOT_STRIDE * slot + word, data) for word, data in enumerate(what.words)]
        return [*out, (ORDER, self.most)]


class LapsController:
    """The value model of LAPS as a controller. Raises ValueError for everything that it refuses."""

    def __init__(self, writes: Iterable[tuple[int, int]] = (), params: LapsParams = LapsParams()) -> None:  # noqa: B008
        self.laps = Laps(params)
        for address, word in writes:
            code = self.laps.write(address, word)
            if code:
                raise ValueError(f"LAPS refuses {word:#x} at {address:#x}: {code.name}")

    def formats(self, layer: int, cls: TensorClass) -> Format:
        """Of the next tensor."""
        entry = self.laps.entry(layer, cls)
        return Format(entry.n, entry.fl)

    def report(self, layer: int, cls: TensorClass, stats: TensorStats) -> Format:
        """An update."""
        done = self.laps.update(layer, cls, stats)
        if done.code != RspCode.OK:
            raise ValueError(f"LAPS refuses {stats} for layer {layer}, {cls.name.lower()}: {done.code.name}")
        return Format(done.n, done.fl)

    def min_order(self, x: Key, w: Key, y: Key, k: int) -> int:
        """A query."""
        done = self.laps.order(x, w, y, k)
        if done.code != RspCode.OK:
            raise ValueError(f"LAPS refuses a query for {x}, {w}, {y}, K = {k}: {done.code.name}")
        return done.order

    def step(self) -> None:
        """`step_i`."""
        self.laps.step()


def make_loop(
    layers: Sequence[Layer], config: TrainConfig, settings: Settings, fixed: FixedConfig | None = None
) -> Driven:
    """A network and the LAPS model, ready to train; random streams as in `make_networks`."""
    start = init_layers(layers, np.random.default_rng([config.seed, 0]))
    controller = LapsController(settings.writes(start))
    formats = {key: controller.formats(*key) for key in settings.entries(start)}
    rng = np.random.default_rng([config.seed, 1])
    return Driven(ClosedLoop(layers, start, config, fixed or FixedConfig(), rng, formats), controller)


# ------------------------------------------------------------------------------------------------------------ recording


@dataclass
class Recorder:
    """A controller that also keeps every update and its answer."""

    controller: Controller
    rows: list[tuple[int, ...]] = field(default_factory=list)

    def formats(self, layer: int, cls: TensorClass) -> Format:
        """Of the next tensor."""
        return self.controller.formats(layer, cls)

    def report(self, layer: int, cls: TensorClass, stats: TensorStats) -> Format:
        """An update, kept."""
        said = self.controller.report(layer, cls, stats)
        self.rows.append((layer, cls, *(getattr(stats, name) for name in STATS), *said))
        return said

    def min_order(self, x: Key, w: Key, y: Key, k: int) -> int:
        """A query."""
        return self.controller.min_order(x, w, y, k)

    def step(self) -> None:
        """A training step is done."""
        self.controller.step()

    def save(self, path: str | Path, writes: Sequence[tuple[int, int]]) -> None:
        """Writes the stream as a compressed .npz, an element an update in order, with the register writes before it.

        `layer`, `cls`, `values`, `overflow`, `zeros`, `max_bit`, `sum_abs`, the answers `n` and `fl`; `writes` (W x 2):
        addresses and words. Raises OSError.
        """
        columns = np.array(self.rows, np.int64).T
        arrays = {name: _smallest(column) for name, column in zip(COLUMNS, columns, strict=True)}
        with open(path, "wb") as file:
            np.savez_compressed(file, writes=np.array(writes, np.uint32), **arrays)


STATS = ("values", "overflow", "zeros", "max_bit", "sum_abs")
COLUMNS = ("layer", "cls", *STATS, "n", "fl")


def _smallest(column: npt.NDArray[np.int64]) -> npt.NDArray[np.signedinteger]:
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= column.min() and column.max() <= np.iinfo(kind).max:
            return column.astype(kind)
    return column
