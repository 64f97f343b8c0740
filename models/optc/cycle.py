"""Cycle level of the OPTC: the cycle of everything, given when configurations and beats were offered and when results
could be taken.

Source: docs/optc/README.md, section "Timing". Cycles count from the end of reset;
-1: it did not happen before the horizon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.optc.config import BOTH_MODES, OptcConfig, RspCode

I64 = npt.NDArray[np.int64]
LATENCY = 49
STAGES = {"moment": 6, "denom": 24, "update": 46, "copy": 48}


@dataclass(frozen=True)
class Stimulus:
    """What was offered, in order; a configuration that waits is kept back by its host while the core is busy. Ready
    waveforms (horizon,), None if always high."""

    lanes: int
    configs: Sequence[OptcConfig]
    cfg_offer: I64
    cfg_wait: npt.NDArray[np.bool_]
    beat_offer: I64
    horizon: int
    out_ready: npt.NDArray[np.bool_] | None = None
    stat_ready: npt.NDArray[np.bool_] | None = None
    modes: int = BOTH_MODES


@dataclass
class Prediction:
    """`tensor` (B,) numbers the accepted configurations that beats belong to; `stages` the cycle in which a beat moves
    on from a stage; `stat` cycles of records (valid, transfer)."""

    cfg_accept: I64
    cfg_code: I64
    beat_accept: I64
    tensor: I64
    stages: dict[str, I64]
    out_valid: I64
    out_accept: I64
    stat: list[tuple[int, int]]


def predict(stim: Stimulus) -> Prediction:
    """Steps through the run. All stages move unless a result is offered and not taken."""
    configs, beats = len(stim.configs), len(stim.beat_offer)
    cfg_accept, code = np.full(configs, -1, np.int64), np.full(configs, -1, np.int64)
    accept, tensor = np.full(beats, -1, np.int64), np.full(beats, -1, np.int64)
    moved_in = np.full(beats, -1, np.int64)  # how often the pipeline had moved when the beat came
    out_valid, out_accept = np.full(beats, -1, np.int64), np.full(beats, -1, np.int64)
    always = np.ones(stim.horizon, bool)
    out_ready = (always if stim.out_ready is None else stim.out_ready).tolist()
    stat_ready = (always if stim.stat_ready is None else stim.stat_ready).tolist()
    cfg_offer, beat_offer = stim.cfg_offer.tolist(), stim.beat_offer.tolist()
    moves: list[int] = []
    inside: deque[int] = deque()
    stat: list[tuple[int, int]] = []
    cfg = beat = 0
    left = 0  # beats of the open tensor to come
    current = -1
    stat_since = -1
    for t in range(stim.horizon):
        offered = bool(inside) and len(moves) - moved_in[inside[0]] == LATENCY
        if offered and out_valid[inside[0]] < 0:
            out_valid[inside[0]] = t
        move = not offered or out_ready[t]
        idle = not left and not inside and stat_since < 0
        opened = 0
        if cfg < configs and 0 <= cfg_offer[cfg] <= t and (idle or (left and not stim.cfg_wait[cfg])):
            answer = stim.configs[cfg].check(left > 0, stim.modes)
            cfg_accept[cfg], code[cfg] = t, answer
            if answer == RspCode.OK:
                opened = -(-stim.configs[cfg].n // stim.lanes)
            cfg += 1
        if stat_since >= 0 and stat_ready[t]:
            stat.append((stat_since, t))
            stat_since = -1
        if move:
            if offered:
                done = inside.popleft()
                out_accept[done] = t
                if not left and not inside:
                    stat_since = t + 1
            if left and beat < beats and 0 <= beat_offer[beat] <= t:
                accept[beat], tensor[beat] = t, current
                moved_in[beat] = len(moves)
                inside.append(beat)
                beat += 1
                left -= 1
            moves.append(t)
        if opened:
            left, current = opened, current + 1
    if stat_since >= 0:
        stat.append((stat_since, -1))
    when = np.array(moves, np.int64)
    stages = {}
    for name, stage in STAGES.items():
        at = moved_in + stage
        reached = (moved_in >= 0) & (at < len(when))
        stages[name] = np.where(reached, when[np.minimum(at, max(0, len(when) - 1))], -1) if len(when) else moved_in
    return Prediction(cfg_accept, code, accept, tensor, stages, out_valid, out_accept, stat)
