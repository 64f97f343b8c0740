"""A real training at LAPS' ports: its recorded statistics, and a trainer whose formats the RTL chooses.

Source: docs/laps/README.md, sections "Closed loop" and "Replay". Nothing here needs a simulator.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from host.closed_loop import COLUMNS, Format, Query, Request, Settings, make_loop, queries
from host.closed_loop import Update as TensorUpdate
from host.fixed import TrainConfig
from host.layers import Layer
from host.network import load_network
from models.laps.config import CLASSES, RspCode, TensorClass, TensorStats
from models.laps.cycle import BUSY_CYCLES, Update
from tb.laps.program import Program
from tb.lib.errors import UserError
from tb.lib.scoreboard import Verdict

RECORDING = Path(__file__).parents[2] / "data" / "laps" / "digits_updates.npz"
NETWORK = load_network("mlp").lowered  # of the recording
SERVED = BUSY_CYCLES + 1  # cycles a request takes


# ----------------------------------------------------------------------------------------------------------- recording


@dataclass(frozen=True)
class Recording:
    """A host's register writes (address, word), then the updates of a training and the answers (data/laps)."""

    writes: list[tuple[int, int]]
    updates: list[Update]
    answers: list[Format]

    @property
    def per_iteration(self) -> int:
        """Updates of an iteration: one of every entry of the network."""
        return CLASSES * len(NETWORK)

    @property
    def iterations(self) -> int:
        """Whole iterations."""
        return len(self.updates) // self.per_iteration

    def first(self, iterations: int) -> Recording:
        """The same training, ended early."""
        count = iterations * self.per_iteration
        return Recording(self.writes, self.updates[:count], self.answers[:count])


def load_recording(path: Path = RECORDING) -> Recording:
    """The file as `host.closed_loop.Recorder.save` wrote it. Raises OSError."""
    with np.load(path) as data:
        rows = list(zip(*(data[name].tolist() for name in COLUMNS), strict=True))
        writes = [(int(addr), int(word)) for addr, word in data["writes"]]
    updates = [Update(layer, cls, TensorStats(*stats)) for layer, cls, *stats, _, _ in rows]
    return Recording(writes, updates, [Format(*row[-2:]) for row in rows])


def chosen(config: Mapping[str, Any], key: str, default: Any, legal: Sequence[Any]) -> Any:
    """What a test's configuration says, or the default. Raises `UserError` for what is not among `legal`."""
    value = config.get(key, default)
    if isinstance(value, bool) or value not in legal:
        what = f"{legal.start} .. {legal.stop - 1}" if isinstance(legal, range) else " or ".join(legal)
        raise UserError(f"CONFIG: {key} is {value!r}; choose {what}")
    return value


def settings_program(writes: Sequence[tuple[int, int]]) -> Program:
    """The host's writes before a training."""
    program = Program()
    for addr, word in writes:
        program.write(addr, word)
    return program


def replay_program(recording: Recording) -> Program:
    """The training without a pause: of every iteration the queries, then the updates, a request every four cycles; with
    the next iteration's first query the step.

    Gaps put every request where the machine becomes idle: updates are preferred and would overtake queries.
    """
    asked = queries(NETWORK, TrainConfig().batch)
    count = recording.per_iteration
    period = SERVED * (len(asked) + count)
    program = Program()
    for at, (layer, cls, stats) in enumerate(recording.updates):
        first = SERVED * len(asked) + (SERVED - 1 if at else 0)
        program.update(layer, cls, stats, first if at % count == 0 else 0)
    for at in range(recording.iterations):
        for query in asked:
            wait = SERVED * count + SERVED - 1 if at and query is asked[0] else 0
            program.query(query.x, query.w, query.y, query.k, wait)
        program.step(period - (at > 0))
    return program


def replay_order(iterations: int, per_iteration: int) -> list[int]:
    """Stream of every request of `replay_program` in order: 0 an update, 1 a query."""
    return [*[1] * len(queries(NETWORK, 1)), *[0] * per_iteration] * iterations


def compare_recording(verdict: Verdict, answers: npt.NDArray[np.void], recording: Recording, cycles: int) -> None:
    """Answers to updates that left the core (trace `upd_rsp`) against the recording's own: boundary `result`."""
    got = [(int(each["code"]), int(each["n"]), int(each["fl"])) for each in answers]
    want = [(int(RspCode.OK), each.n, each.fl) for each in recording.answers]
    verdict.count("value", len(want))
    if len(got) != len(want):
        verdict.diverge("result", cycles, "recorded answers", len(got), len(want))
    bad = [at for at, (mine, wanted) in enumerate(zip(got, want, strict=False)) if mine != wanted]
    if bad:
        at = bad[0]
        layer, cls, _ = recording.updates[at]
        what = f"code, n and FL of update {at} (layer {layer}, {TensorClass(cls).name.lower()}) as recorded"
        verdict.diverge("result", int(answers["cycle"][at]), what, got[at], want[at], len(bad))


def final_formats(recording: Recording, answers: npt.NDArray[np.void]) -> dict[str, str]:
    """For the report: the last n and FL of every entry."""
    last = {(layer, cls): row for (layer, cls, _), row in zip(recording.updates, answers, strict=False)}
    return {
        f"final layer {layer} {TensorClass(cls).name.lower()}": f"n {row['n']}, FL {row['fl']}"
        for (layer, cls), row in sorted(last.items(), key=lambda item: item[0])
    }


# --------------------------------------------------------------------------------------------------------- closed loop

Ask = Callable[[Sequence[Request]], Awaitable[list[Any] | None]]


def batch_program(requests: Sequence[Request]) -> Program:
    """Requests that need no answer before each other."""
    program = Program()
    for request in requests:
        match request:
            case Query():
                program.query(request.x, request.w, request.y, request.k)
            case TensorUpdate():
                program.update(*request.key, request.stats)
            case _:
                program.step()
    return program


@dataclass
class LoopPair:
    """Two trainings from the same start: whoever is asked chooses the formats of `asked`, LAPS' value model those of
    `modelled`. What differs is kept, with `cycle`, which whoever answers keeps up to date; `compared` counts."""

    layers: Sequence[Layer]
    config: TrainConfig
    settings: Settings
    cycle: int = 0
    compared: int = 0
    differences: list[tuple[int, str, Any, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.asked = make_loop(self.layers, self.config, self.settings).loop
        self.modelled = make_loop(self.layers, self.config, self.settings)
        # Now: after an iteration the fraction lengths of weights could be others.
        self.writes = self.settings.writes(self.asked.network.params)

    def _compare(self, what: str, observed: Any, expected: Any) -> None:
        self.compared += 1
        if observed != expected:
            self.differences.append((self.cycle, what, observed, expected))

    async def iteration(
        self, number: int, pixels: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], ask: Ask
    ) -> bool:
        """One iteration of both; `ask` says what answers came, None if they were refused or are missing. Whether both
        chose the same."""
        work, replies = self.asked.batches(pixels, labels), None
        while True:
            try:
                requests = work.send(replies)
            except StopIteration:
                break
            replies = await ask(requests)
            if replies is None:
                self._compare(f"answers to iteration {number}", "refused or missing", f"{len(requests)} answers")
                return False
        self.modelled.step(pixels, labels)
        loop = self.modelled.loop
        for gemm, order in loop.min_orders.items():
            self._compare(f"min_order of {gemm}, iteration {number}", self.asked.min_orders[gemm], order)
        for key, chosen in loop.formats.items():
            what = f"format of layer {key.layer}, {key.cls.name.lower()} after iteration {number}"
            self._compare(what, self.asked.formats[key], chosen)
        return not self.differences

    def compare_weights(self) -> None:
        """Weights and biases of both, bit by bit."""
        mine, other = self.asked.network.params, self.modelled.loop.network.params
        for name in ("weights", "biases"):
            for layer, (got, want) in enumerate(zip(getattr(mine, name), getattr(other, name), strict=True)):
                self.compared += got.size
                bad = np.argwhere(got != want)
                if len(bad):
                    at = tuple(bad[0].tolist())
                    self.differences.append((self.cycle, f"{name} of layer {layer} at {at}", got[at], want[at]))

    def judge(self, verdict: Verdict) -> None:
        """Everything that was compared, at boundary `result`."""
        verdict.count("value", self.compared)
        for cycle, *difference in self.differences:
            verdict.diverge("result", cycle, *difference)
