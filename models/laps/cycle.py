"""Cycle level of LAPS: the cycle of everything, given when requests were offered and when training steps were done.

Source: docs/laps/README.md, section "Timing". Cycles count from the end of reset; -1: it did not happen before the
horizon. What requests do is left to the value model; between two requests nothing but `STEP` moves, so the model goes
from request to request, not from cycle to cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.laps.config import STEP, LapsParams, RegCode, RspCode, TensorStats
from models.laps.value import Laps, OrderAnswer, UpdateAnswer

I64 = npt.NDArray[np.int64]
REG_CYCLES = 1  # until the answer; the machine stays idle
BUSY_CYCLES = 3  # of updates and queries; the answer comes after them
NEVER = np.iinfo(np.int64).max


class RegAccess(NamedTuple):
    """A register access; a read's data is ignored."""

    write: bool
    addr: int
    data: int = 0


class Update(NamedTuple):
    """An update."""

    layer: int
    cls: int
    stats: TensorStats


class Query(NamedTuple):
    """A query; (layer, class) of x, w, y."""

    x: tuple[int, int]
    w: tuple[int, int]
    y: tuple[int, int]
    k: int


class RegAnswer(NamedTuple):
    """Answer to a register access."""

    code: RegCode
    data: int = 0


def _none() -> I64:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Stimulus:
    """What was offered between two resets, in order, with the cycle in which each offer began (-1: never; what follows
    it in its stream then waits for ever, too), and the cycles of `step_i`."""

    params: LapsParams = field(default_factory=LapsParams)
    regs: Sequence[RegAccess] = ()
    reg_offer: I64 = field(default_factory=_none)
    upds: Sequence[Update] = ()
    upd_offer: I64 = field(default_factory=_none)
    ords: Sequence[Query] = ()
    ord_offer: I64 = field(default_factory=_none)
    steps: I64 = field(default_factory=_none)
    horizon: int = 0

    def __post_init__(self) -> None:
        for name in ("reg", "upd", "ord"):
            requests, offers = len(getattr(self, f"{name}s")), len(getattr(self, f"{name}_offer"))
            if requests != offers:
                raise ValueError(f"{requests} requests in {name}s, but {offers} cycles in {name}_offer")


@dataclass
class Prediction:
    """Cycles of transfers and answers, (N,) of each stream, and the answers, None for those that did not come."""

    reg_accept: I64
    reg_answer: I64
    reg_answers: list[RegAnswer | None]
    upd_accept: I64
    upd_answer: I64
    upd_answers: list[UpdateAnswer | None]
    ord_accept: I64
    ord_answer: I64
    ord_answers: list[OrderAnswer | None]
    horizon: int

    @property
    def observed(self) -> list[tuple[int, UpdateAnswer]]:
        """Cycles and contents of ``obs_valid_o``: answers to accepted updates."""
        pairs = zip(self.upd_answer.tolist(), self.upd_answers, strict=True)
        return [(at, answer) for at, answer in pairs if answer is not None and answer.code == RspCode.OK]

    @property
    def busy(self) -> I64:
        """Stretches (N, 2) of ``busy_o`` in order: first cycle and the one after the last before the horizon."""
        taken = np.sort(np.concatenate([self.upd_accept, self.ord_accept]))
        first = taken[taken >= 0] + 1
        return np.minimum(np.stack([first, first + BUSY_CYCLES], axis=1), self.horizon)


class _Stream:
    """A stream's offers and what became of them."""

    def __init__(self, offers: I64, latency: int, horizon: int) -> None:
        self.offers, self.latency, self.horizon = offers.tolist(), latency, horizon
        self.accept = np.full(len(offers), -1, np.int64)
        self.answer = np.full(len(offers), -1, np.int64)
        self.answers: list = [None] * len(offers)
        self.at = 0

    @property
    def offered(self) -> int:
        """First cycle in which the next request is offered."""
        if self.at == len(self.offers) or self.offers[self.at] < 0:
            return NEVER
        return self.offers[self.at]

    def take(self, cycle: int, answer: RegAnswer | UpdateAnswer | OrderAnswer) -> None:
        """The next request is taken and will be answered."""
        self.accept[self.at] = cycle
        if cycle + self.latency < self.horizon:
            self.answer[self.at], self.answers[self.at] = cycle + self.latency, answer
        self.at += 1


def predict(stim: Stimulus) -> Prediction:
    """Goes from request to request."""
    laps = Laps(stim.params)
    latency = BUSY_CYCLES + 1
    regs = _Stream(stim.reg_offer, REG_CYCLES, stim.horizon)
    upds = _Stream(stim.upd_offer, latency, stim.horizon)
    ords = _Stream(stim.ord_offer, latency, stim.horizon)
    steps = np.unique(stim.steps).tolist()
    stepped = 0
    idle = 0  # from here on
    while True:
        now = max(idle, min(regs.offered, upds.offered, ords.offered))
        if now >= stim.horizon:
            break
        before = stepped
        while stepped < len(steps) and steps[stepped] < now:
            stepped += 1
        laps.step(stepped - before)
        idle = now + latency
        if regs.offered <= now:
            access = RegAccess(*stim.regs[regs.at])
            if access.write:
                answer = RegAnswer(laps.write(access.addr, access.data))
                if access.addr == STEP and answer.code == RegCode.OK and stepped < len(steps) and steps[stepped] == now:
                    stepped += 1  # the write wins
            else:
                answer = RegAnswer(*laps.read(access.addr))
            regs.take(now, answer)
            idle = now + 1
        elif upds.offered <= now:
            upds.take(now, laps.update(*stim.upds[upds.at]))
        else:
            ords.take(now, laps.order(*stim.ords[ords.at]))
    return Prediction(
        regs.accept, regs.answer, regs.answers, upds.accept, upds.answer, upds.answers,
        ords.accept, ords.answer, ords.answers, stim.horizon,
    )  # fmt: skip
