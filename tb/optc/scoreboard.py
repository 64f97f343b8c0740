"""Scoreboard of the OPTC: every boundary of every beat against the value and the cycle model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.common.generator import draws
from models.common.rounding import Round
from models.optc.config import BOTH_MODES, Mode, OptcConfig, RspCode
from models.optc.cycle import Prediction, Stimulus, predict
from models.optc.value import State, Statistics, update
from tb.lib.scoreboard import (
    RSP_DTYPE,
    SpannedScoreboard,
    Verdict,
    answer_table,
    bits,
    compare_tables,
    cycle_table,
    named,
    wave_or_none,
)
from tb.lib.streams import SourceLog
from tb.optc.program import Program

I64 = npt.NDArray[np.int64]
EV_RSP = 1
UNPACK = {"denom": {"d": bits(("mantissa", 16), ("exponent", 16))}}  # what packed columns hold, by trace
COUNTS = ("sat_w", "sat_m", "sat_v", "sat_copy", "clipped", "eps_used", "bits_w", "bits_m", "bits_v")
STAT_DTYPE = np.dtype([("valid", "<u4"), ("cycle", "<u4"), ("values", "<u4"), *((name, "<u4") for name in COUNTS)])


def lane_dtype(lanes: int, *names: str) -> np.dtype:
    """A record with its cycle and a word a lane for each name."""
    return np.dtype([("cycle", "<u4"), *((name, "<u4", (lanes,)) for name in names)])


def out_dtype(lanes: int) -> np.dtype:
    """A record of out.bin."""
    return np.dtype(
        [("valid", "<u4"), ("cycle", "<u4"), ("last", "<u4"), *((name, "<u4", (lanes,)) for name in "wmvy")]
    )


@dataclass
class Epoch:
    """Between two resets; cycles count from `base`. `tensors`: accepted configurations with their statistics (None
    where beats are missing); `words`: what the model gives for every beat, (B, L) each."""

    base: int
    stim: Stimulus
    prediction: Prediction
    data: I64
    tensors: list[tuple[OptcConfig, Statistics | None]]
    result: npt.NDArray[np.void]
    words: dict[str, I64]


def check_rate(verdict: Verdict, what: str, taken: I64, offered: I64, left: I64, latency: int) -> None:
    """Notes unless beats, taken at cycles (B,), were offered `latency` cycles later and left one per cycle.

    Looks at logs alone, not at the cycle model."""
    verdict.count("cycle", 2 * len(left))
    if len(taken) != len(left):
        verdict.diverge("output", int(taken[-1]), f"{what}: results", len(left), len(taken))
        return
    late = np.flatnonzero(offered - taken != latency)
    if len(late):
        at = late[0]
        verdict.diverge("output", offered[at], f"{what}: latency of beat {at}", offered[at] - taken[at], latency)
    pauses = np.flatnonzero(np.diff(left) != 1)
    if len(pauses):
        at = pauses[0] + 1
        verdict.diverge(
            "output", left[at], f"{what}: cycles from the beat before to beat {at}", left[at] - left[at - 1], 1
        )


class OptcScoreboard(SpannedScoreboard):
    """Is told `programs` and `modes`; `params` are the lanes."""

    params: int
    modes: int = BOTH_MODES
    programs: list[Program]
    BLOCK = "optc"
    epochs: list[Epoch]

    def _epoch(self, base: int, end: int) -> None:
        verdict, lanes = self.verdict, self.params
        log: dict[str, SourceLog] = {name: self.seen[name] for name in ("cfg", "in")}
        pick = {name: (entry.offer >= base) & (entry.offer < end) for name, entry in log.items()}
        every = [entry for program in self.programs for entry in program.configs]
        configs = [entry for entry, mine in zip(every, pick["cfg"], strict=True) if mine]
        data = np.concatenate([program.data() for program in self.programs])[pick["in"]]
        stim = Stimulus(
            lanes,
            [config for config, *_ in configs],
            log["cfg"].offer[pick["cfg"]] - base,
            np.array([wait for _, wait, _ in configs], bool),
            log["in"].offer[pick["in"]] - base,
            end - base,
            wave_or_none(self.seen["out"][base:end, 0]),
            wave_or_none(self.seen["stat"][base:end, 0]),
            self.modes,
        )
        want = predict(stim)
        for name, boundary, expected in (("cfg", "configuration", want.cfg_accept), ("in", "input", want.beat_accept)):
            mine = log[name].accept[pick[name]]
            mine = np.where((mine >= 0) & (mine < end), mine - base, -1)
            compare_tables(verdict, boundary, "transfer", cycle_table(mine), cycle_table(expected), base=base)
        event = self._within("optc_event", base, end)
        event = event[event["data"] >> 24 == EV_RSP]
        seen = np.zeros(len(event), RSP_DTYPE)
        seen["cycle"], seen["code"] = event["cycle"], event["data"] & 0xF
        answers = answer_table(want.cfg_accept, want.cfg_code, end - base)
        kinds, codes = ("cycle", "value"), {"code": named(RspCode)}
        compare_tables(verdict, "configuration", "answer", seen, answers, kinds=kinds, base=base, layouts=codes)

        tensors, tables, words = self._expected(stim, want, data)
        kinds = ("cycle", "value")
        for name in ("moment", "denom", "update"):
            got = self._within(name, base, end)
            compare_tables(
                verdict, name, "beat", got, tables[name], kinds=(*kinds, "slice"), base=base, layouts=UNPACK.get(name)
            )
        result = self._within("out", base, end)
        compare_tables(verdict, "output", "beat", result, tables["out"], kinds=kinds, base=base)
        record = self._within("stat", base, end)
        compare_tables(verdict, "statistic", "tensor", record, tables["stat"], kinds=kinds, base=base)
        self.epochs.append(Epoch(base, stim, want, data, tensors, result, words))

    def _expected(
        self, stim: Stimulus, want: Prediction, data: I64
    ) -> tuple[list[tuple[OptcConfig, Statistics | None]], dict[str, npt.NDArray[np.void]], dict[str, I64]]:
        lanes = self.params
        used = [config for config, code in zip(stim.configs, want.cfg_code, strict=True) if code == RspCode.OK]
        beats = len(data)
        words = {name: np.zeros((beats, lanes), np.int64) for name in ("m", "v", "denom", "u", "w", "y", "pm", "pv")}
        last = np.zeros(beats, np.int64)
        adam = np.zeros(beats, bool)
        tensors: list[tuple[OptcConfig, Statistics | None]] = []
        for number, config in enumerate(used):
            mine = np.flatnonzero(want.tensor == number)
            if len(mine) == 0:
                tensors.append((config, None))
                continue
            part = data[mine].transpose(1, 0, 2).reshape(4, -1)
            drawn = None
            if config.copy_round == Round.STOCHASTIC:
                drawn = draws(config.draw + np.arange(len(mine)), lanes).ravel()
            # What lies in padding lanes passes through the stages, but counts and leaves nowhere.
            whole = update(config, State(*part[:3]), part[3], drawn, config.n)
            shape = (len(mine), lanes)
            words["pm"][mine], words["pv"][mine] = whole.state.m.reshape(shape), whole.state.v.reshape(shape)
            words["denom"][mine] = (whole.k << 16 | whole.d).reshape(shape)
            words["u"][mine] = whole.u.reshape(shape)
            live = np.arange(len(part[0])) < config.n
            for name, value in (("w", whole.state.w), ("m", whole.state.m), ("v", whole.state.v), ("y", whole.y)):
                words[name][mine] = np.where(live, value, 0).reshape(shape)
            adam[mine] = config.mode == Mode.ADAM
            complete = len(mine) * lanes >= config.n
            last[mine[-1]] = complete
            tensors.append((config, whole.statistics if complete else None))

        def table(dtype: np.dtype, chosen: npt.NDArray[np.bool_], **columns: I64) -> npt.NDArray[np.void]:
            out = np.zeros(int(chosen.sum()), dtype)
            for name, column in columns.items():
                out[name] = column[chosen] & 0xFFFF_FFFF
            return out

        stage = want.stages
        tables = {
            "moment": table(
                np.dtype([("cycle", "<u4"), ("mv", "<u4", (lanes, 2))]), stage["moment"] >= 0, cycle=stage["moment"],
                mv=np.stack([words["pm"], words["pv"]], axis=2),
            ),
            "denom": table(
                lane_dtype(lanes, "d"), (stage["denom"] >= 0) & adam, cycle=stage["denom"], d=words["denom"]
            ),
            "update": table(lane_dtype(lanes, "u"), stage["update"] >= 0, cycle=stage["update"], u=words["u"]),
            "out": table(
                out_dtype(lanes), want.out_accept >= 0, valid=want.out_valid, cycle=want.out_accept, last=last,
                **{name: words[name] for name in "wmvy"},
            ),
        }  # fmt: skip
        done = [stats for _, stats in tensors if stats is not None]
        rows = [
            (valid, cycle, stats.values, *(getattr(stats, name) for name in COUNTS))
            for (valid, cycle), stats in zip(want.stat, done, strict=False)
            if cycle >= 0
        ]
        tables["stat"] = np.array(rows, STAT_DTYPE)
        return tensors, tables, words
