"""Functional coverage of the OPTC: the bins (docs/optc/README.md gives the terms) and how a run fills them.

Everything is sampled after the verdict, from what was offered and from what the scoreboard has found equal to the
model's prediction. Of the values only those count that left the core, padding lanes never. Bins are meant for the
default four lanes. `P` values, `T` tensors, `B` beats.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.generator import NUMBERS
from models.common.rounding import Round, bit_length
from models.optc.config import MAX_CLIP, SQUARE_BITS, Mode, OptcConfig, RspCode, Scalar
from models.optc.cycle import LATENCY, Prediction
from models.optc.value import S32, U32, Statistics, root
from tb.lib.coverage import NO_BIN, Coverage, CoverGroup, Coverpoint, Cross, Ignore, functional, write_run
from tb.lib.paths import REPORTS
from tb.lib.runinfo import RunInfo

I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

MODES = ("momentum", "ADAM")
NO_YES = ("no", "yes")
FORMATS = ("4", "8", "12", "16")
ROUNDS = ("nearest", "truncate", "stochastic")
SIGNS = ("negative", "0", "positive")
FRACTIONS = ("none", "below half", "tie, goes down", "tie, goes up", "above half")
SITES = ("pre_w", "pre_m", "pre_v", "align", "c1", "square", "c2", "step", "wd")
SAT_SITES = ("w rescaled", "w updated", "m rescaled", "m updated", "v rescaled", "v updated", "square")
COUNTS = ("sat_w", "sat_m", "sat_v", "sat_copy", "clipped", "eps_used")
BITS = ("bits_w", "bits_m", "bits_v")
V_CLASSES = ("0", "4^k - 1", "4^k", "4^k + 1", "other", "largest")
BLOCK_BEATS = 1 << 15  # beats that are sampled together: bounds the memory

_ADAM_ONLY = "momentum neither squares nor divides"
_EVEN = "FL_v and pre_v are even in ADAM mode (RspFl)"
_UNSIGNED = "v and the square are not negative"


def spans(name: str, doc: str, *edges: int) -> Coverpoint:
    """`Coverpoint.ranges` whose labels suit negative edges; the last bin ends where the last edge says."""
    bins = tuple(str(a) if b == a + 1 else f"{a} to {b - 1}" for a, b in itertools.pairwise(edges))
    return Coverpoint(name, bins, doc, edges=edges[:-1])


def signed(name: str, doc: str) -> Coverpoint:
    """Signs and magnitudes of a number of 32 bits."""
    bins = ("most negative", "below -2^16", "-2^16 to -1", "0", "1 to 2^16 - 1", "from 2^16", "largest")
    return Coverpoint(name, bins, doc, edges=(S32[0], S32[0] + 1, -(1 << 16), 0, 1, 1 << 16, S32[1]))


MODE = Coverpoint("mode", MODES)

CONFIGURATION = CoverGroup(
    "configuration",
    (
        MODE,
        spans("align", "places that gradients are shifted left", -31, -30, -7, 0, 1, 7, 8),
        Cross("align_by_mode", ("mode", "align")),
        spans("square_shift", "places that squares are shifted right; ADAM: even", 0, 1, 16, 32, 44, 62, 63),
        spans("step_shift", "places that updates are shifted right", 0, 1, 16, 32, 48, 63, 64),
        Cross("step_shift_by_mode", ("mode", "step_shift")),
        Coverpoint("c1", ("0", "between", "1")),
        Coverpoint("c2", ("0", "between", "1"), "ADAM"),
        Coverpoint("wd", ("0", "between", "1")),
        Coverpoint("step", ("0", "below 1", "from 1")),
        Cross("c1_by_mode", ("mode", "c1")),
        Cross("wd_by_mode", ("mode", "wd")),
        Cross("step_by_mode", ("mode", "step")),
        Cross("c1_by_c2", ("c1", "c2")),
        spans("c1_exp", "", 0, 1, 17, 47, 48),
        spans("c2_exp", "ADAM", 0, 1, 17, 47, 48),
        spans("wd_exp", "", 0, 1, 17, 47, 48),
        spans("step_exp", "", 0, 1, 32, 63, 64),
        spans("eps_exp", "ADAM", 0, 1, 15, 16),
        spans("eps_mant", "ADAM", 1 << 15, (1 << 15) + 1, (1 << 16) - 1, 1 << 16),
        spans("clip", "ADAM", 1, 2, 1 << 16, MAX_CLIP, MAX_CLIP + 1),
        *(spans(f"fl_{name}", "", -64, -63, 0, 1, 63, 64) for name in "wmvg"),
        Coverpoint("fl_v_parity", ("even", "odd")),
        Cross("parity_by_mode", ("mode", "fl_v_parity"), ignore=(
            Ignore(lambda mode, parity: mode == "ADAM" and parity == "odd", _EVEN),
        )),
        *(Coverpoint(f"pre_{name}", tuple(str(n) for n in range(-4, 4))) for name in "wmv"),
        Cross("pre_w_by_mode", ("mode", "pre_w")),
        Cross("pre_m_by_mode", ("mode", "pre_m")),
        Cross("pre_v_by_mode", ("mode", "pre_v"), ignore=(
            Ignore(lambda mode, pre: mode == "ADAM" and int(pre) % 2 == 1, _EVEN),
        )),
    ),
    "accepted configurations",
)  # fmt: skip

TENSORS = CoverGroup(
    "tensors",
    (
        MODE,
        spans("beats", "beats; the pipeline holds 49", 1, 2, LATENCY, LATENCY + 1, 200, 1 << 24),
        Coverpoint("remainder", ("0", "1", "2", "3"), "parameters modulo lanes"),
        Cross("remainder_by_mode", ("mode", "remainder")),
        Cross("remainder_by_beats", ("beats", "remainder")),
        Coverpoint("mode_from", MODES),
        Coverpoint("mode_to", MODES),
        Coverpoint("rest", ("same", "other"), "everything but the mode against the tensor before"),
        Cross("transitions", ("mode_from", "mode_to", "rest"), "consecutive tensors"),
        Coverpoint.ranges("pause", "cycles from a record's transfer to the next configuration's", 1, 2, 10, 100),
    ),
    "tensors and what follows what",
)

OPERANDS = CoverGroup(
    "operands",
    (
        MODE,
        *(signed(name, "as it came") for name in "wmg"),
        Coverpoint("v", V_CLASSES, "as it came"),
        *(Cross(f"{name}_by_mode", ("mode", name)) for name in "wmgv"),
        Cross("g_by_m", ("g", "m")),
        Cross("g_by_v", ("g", "v")),
        Cross("w_by_m", ("w", "m")),
    ),
    "state and gradients",
)

MOMENTS = CoverGroup(
    "moments",
    (
        MODE,
        signed("next_m", "m'"),
        Cross("m_by_mode", ("mode", "next_m")),
        Coverpoint("next_v", V_CLASSES, "v', ADAM"),
        Coverpoint("first", SIGNS, "aligned gradient less m, ADAM"),
        Coverpoint("second", SIGNS, "square less v, ADAM"),
        spans("square", "bit length of the square on v's grid", 0, 1, 17, 33, SQUARE_BITS + 1),
        Coverpoint("square_limited", NO_YES),
        spans("pairs", "places by which v' is left-normalised, in pairs", *range(17)),
        Coverpoint("leading", ("01", "10 or 11"), "the pair that comes first"),
        Cross("normalised", ("pairs", "leading")),
    ),
    "first and second moment",
)

ROUNDING = CoverGroup(
    "rounding",
    (
        Coverpoint("site", SITES, "where something is rounded to the nearest integer"),
        Coverpoint("fraction", FRACTIONS, "what rounding takes away"),
        Coverpoint("sign", ("not negative", "negative")),
        Cross(
            "fractions",
            ("site", "fraction", "sign"),
            ignore=(
                Ignore(lambda site, _, sign: site in ("pre_v", "square") and sign == "negative", _UNSIGNED),
                Ignore(
                    lambda site, fraction, _: site == "square" and fraction.startswith("tie"),
                    "the shift is even and a square has an even number of zeros after its last one",
                ),
            ),
        ),
    ),
    "rounding to nearest, per site",
)

SATURATION = CoverGroup(
    "saturation",
    (
        MODE,
        Coverpoint("site", SAT_SITES),
        Coverpoint("limited", ("none", "high", "low")),
        Cross(
            "sites",
            ("mode", "site", "limited"),
            ignore=(
                Ignore(
                    lambda mode, site, _: mode == "momentum" and site in ("square", "v updated"),
                    "momentum does not touch v",
                ),
                Ignore(lambda _, site, n: site in ("square", "v rescaled") and n == "low", _UNSIGNED),
                Ignore(
                    lambda _, site, n: site == "v updated" and n == "low",
                    "c2 is at most 1 and the square not negative: v' is not negative",
                ),
            ),
        ),
    ),
    "saturation, per site",
)

QUOTIENT = CoverGroup(
    "quotient",
    (
        Coverpoint(
            "denominator",
            ("root", "root, equal to eps", "eps, v' is 0", "eps, by its exponent", "eps, by its mantissa"),
            "what divides and why",
        ),
        Coverpoint("sign", SIGNS, "of m'"),
        Coverpoint("size", ("0", "below clip", "at clip", "limited"), "of the quotient"),
        Cross(
            "sizes",
            ("sign", "size"),
            ignore=(Ignore(lambda sign, size: sign == "0" and size != "0", "0 divides to 0"),),
        ),
        Cross("sizes_by_denominator", ("denominator", "size")),
        spans("shift", "places that the dividend is shifted left", -22, -7, 0, 1, 16, 35, 48, 63),
        Cross("sizes_by_shift", ("shift", "size"), ignore=(
            Ignore(
                lambda shift, size: int(shift.split()[0]) >= 35 and size in ("below clip", "at clip"),
                "2^35 divided by any denominator is above every clip",
            ),
        )),
    ),
    "division, ADAM",
)  # fmt: skip

UPDATE = CoverGroup(
    "update",
    (
        MODE,
        Coverpoint("u", SIGNS, "update"),
        Coverpoint("moved", ("down", "not", "up"), "w' against w"),
        Cross("directions", ("mode", "u", "moved")),
    ),
    "weights",
)

COPY = CoverGroup(
    "copy",
    (
        Coverpoint("format", FORMATS),
        Coverpoint("rounding", ROUNDS),
        Coverpoint("rand_bits", ("8", "12", "16", "24"), "of copies rounded stochastically"),
        spans("shift", "", 0, 1, 2, 16, 31, 32),
        Cross("rounding_by_format", ("format", "rounding")),
        Cross("rounding_by_shift", ("rounding", "shift")),
        Cross("rand_bits_by_format", ("rand_bits", "format")),
        Cross("rand_bits_by_shift", ("rand_bits", "shift")),
        Coverpoint("limited", ("none", "high", "low")),
        Cross("saturation", ("format", "limited")),
        Coverpoint("fraction", (*FRACTIONS[:2], "tie", *FRACTIONS[4:]), "what rounding takes away"),
        Coverpoint("sign", ("not negative", "negative")),
        Cross("fractions", ("rounding", "fraction", "sign")),
        Coverpoint("raised", NO_YES, "rounded up, of copies that have a fraction and are not limited"),
        Cross(
            "raised_by_rounding",
            ("rounding", "raised"),
            ignore=(Ignore(lambda r, up: r == "truncate" and up == "yes", "truncation goes down"),),
        ),
        Cross("raised_by_rand_bits", ("rand_bits", "raised")),
    ),
    "the low-precision copy",
)

MET = ("idle", "open", "draining", "record waiting")
ANSWERS = CoverGroup(
    "answers",
    (
        Coverpoint("code", tuple(code.name for code in RspCode if code != RspCode.MODE)),
        Coverpoint("next", ("accepted", "refused"), "the answer after it"),
        Cross("followed", ("code", "next")),
        Coverpoint("met", MET, "what the core does when a configuration is offered to it"),
        Coverpoint("answer", ("accepted", "refused")),
        Cross("met_by_answer", ("met", "answer"), ignore=(
            Ignore(lambda met, answer: met == "open" and answer == "accepted", "RspBusy"),
        )),
        Coverpoint.ranges("wait", "cycles until it is taken", 0, 1, 2, 10, 100),
    ),
    "configurations and their answers",
)  # fmt: skip

STREAMS = CoverGroup(
    "streams",
    (
        MODE,
        Coverpoint.ranges("out_wait", "cycles that a result waits", 0, 1, 2, 10, 1000),
        Coverpoint("last", NO_YES, "last beat of a tensor"),
        Cross("out_wait_by_mode", ("mode", "out_wait")),
        Cross("out_wait_by_last", ("out_wait", "last")),
        spans("held", "beats in the pipeline that a result holds up", 1, 2, LATENCY, LATENCY + 1),
        Cross("held_by_mode", ("mode", "held")),
        Coverpoint.ranges("stat_wait", "cycles that a record waits", 0, 1, 2, 10, 1000),
        Coverpoint("cause", ("none", "no tensor open", "pipeline held"), "why a beat waits"),
        Coverpoint.ranges("in_wait", "cycles that a beat waits", 0, 1, 2, 10, 1000),
        Cross("in_waits", ("cause", "in_wait"), ignore=(
            Ignore(lambda cause, wait: (cause == "none") != (wait == "0"), "who waits has a cause"),
        )),
        Coverpoint.ranges("gap", "idle cycles between beats of a tensor", 0, 1, 2, LATENCY),
        Cross("gap_by_mode", ("mode", "gap")),
    ),
    "beats, results and records",
)  # fmt: skip

STATISTICS = CoverGroup(
    "statistics",
    (
        MODE,
        Coverpoint("field", COUNTS),
        Coverpoint("count", ("none", "some", "all"), "of the tensor's parameters"),
        Cross("counts", ("mode", "field", "count"), ignore=(
            Ignore(lambda mode, n, c: mode == "momentum" and n in COUNTS[4:] and c != "none", _ADAM_ONLY),
        )),
        Coverpoint("state", BITS),
        spans("bits", "largest bit length", 0, 1, 16, 32, 33),
        Cross("lengths", ("mode", "state", "bits")),
    ),
    "statistics records",
)  # fmt: skip

RANDOM = CoverGroup(
    "random",
    (
        Coverpoint("number", ("below 2^32", "passes 2^32"), "numbers of a tensor's draws"),
        Coverpoint.ranges("draws", "beats of a tensor that drew", 1, 2, 100),
    ),
    "random numbers",
)

RESET_STATES = ("idle", "open, empty", "open, beats inside", "draining", "result held", "record waiting")
RESET = CoverGroup(
    "reset",
    (
        Coverpoint("state", RESET_STATES, "what a reset meets"),
        Coverpoint("mode", MODES, "of the tensor that it cuts off"),
        Coverpoint("behind", MODES, "the first tensor after it"),
        Cross("state_by_behind", ("state", "behind")),
        Cross("mode_by_behind", ("mode", "behind")),
    ),
    "resets",
)

GROUPS = (
    CONFIGURATION, TENSORS, OPERANDS, MOMENTS, ROUNDING, SATURATION, QUOTIENT, UPDATE, COPY, ANSWERS, STREAMS,
    STATISTICS, RANDOM, RESET,
)  # fmt: skip


# ---- arithmetic with a shift a value ---------------------------------------------------------------------------------
def fraction(x: I64, shift: I64) -> I64:
    """Bins of `FRACTIONS` (P,): what RN(x, shift) takes away, shift < 64; `NO_BIN` where shift <= 0."""
    places = np.clip(shift, 0, 63)
    unit = np.left_shift(np.uint64(1), places.astype(np.uint64))
    rest, half = x.astype(np.uint64) & (unit - np.uint64(1)), unit >> np.uint64(1)
    odd = (x >> places) & 1 == 1
    bins = np.select([rest == 0, rest < half, (rest == half) & ~odd, rest == half], [0, 1, 2, 3], 4)
    return np.where(shift > 0, bins, NO_BIN)


def nearest(x: I64, shift: I64) -> I64:
    """RN(x, shift) for shifts (P,) of either sign."""
    return (x << np.clip(-shift, 0, None) >> np.clip(shift, 0, 63)) + (fraction(x, shift) >= 3)


def limited(x: I64, bounds: tuple[int, int]) -> tuple[I64, I64]:
    """SAT and the bins of `limited` (P,)."""
    return np.clip(x, *bounds), np.select([x > bounds[1], x < bounds[0]], [1, 2], 0)


@dataclass(frozen=True)
class Steps:
    """What lies between operands and results, (P,) each: `rounded` gives what is rounded and by how many places, by
    site; `limit` the bins of saturation, by site."""

    w: I64
    v: I64
    aligned: I64
    square: I64
    next_m: I64
    next_v: I64
    next_w: I64
    rounded: Mapping[str, tuple[I64, I64]]
    limit: Mapping[str, I64]


def steps(column: Mapping[str, I64], w: I64, m: I64, v: I64, g: I64, u: I64) -> Steps:
    """The steps of docs/optc/README.md, Arithmetic, with a configuration a value (`column`, see `columns`); division
    is not among them: `u` (P,) is given."""
    adam = column["mode"] == Mode.ADAM
    rounded, limit = {}, {}
    scaled = {}
    for name, x, bounds in (("w", w, S32), ("m", m, S32), ("v", v, U32)):
        rounded[f"pre_{name}"] = x, -column[f"pre_{name}"]
        scaled[name], limit[f"{name} rescaled"] = limited(nearest(*rounded[f"pre_{name}"]), bounds)
    w, m, v = scaled["w"], scaled["m"], scaled["v"]
    rounded["align"] = g, -column["align"]
    aligned = nearest(*rounded["align"])
    rounded["c1"] = column["c1_mant"] * (np.where(adam, aligned, 0) - m), column["c1_exp"]
    total = m + np.where(adam, 0, aligned) + nearest(*rounded["c1"])
    next_m, limit["m updated"] = limited(total, S32)
    # Without ADAM nothing is squared: 0 everywhere, no shift.
    rounded["square"] = np.where(adam, g * g, 0), np.where(adam, column["square_shift"], 0)
    square, limit["square"] = limited(nearest(*rounded["square"]), (0, (1 << SQUARE_BITS) - 1))
    rounded["c2"] = np.where(adam, column["c2_mant"] * (square - v), 0), np.where(adam, column["c2_exp"], 0)
    next_v, limit["v updated"] = limited(v + nearest(*rounded["c2"]), U32)
    rounded["step"] = column["step_mant"] * u, column["step_shift"]
    rounded["wd"] = column["wd_mant"] * w, column["wd_exp"]
    next_w, limit["w updated"] = limited(w - nearest(*rounded["step"]) - nearest(*rounded["wd"]), S32)
    return Steps(w, v, aligned, square, next_m, next_v, next_w, rounded, limit)


def columns(configs: Sequence[OptcConfig]) -> dict[str, I64]:
    """Every field of configurations as a column (T,), a scalar's as `_mant` and `_exp`, and the three shifts."""
    out: dict[str, I64] = {}
    for entry in fields(OptcConfig):
        each = [getattr(config, entry.name) for config in configs]
        if each and isinstance(each[0], Scalar):
            out[f"{entry.name}_mant"] = np.array([scalar.mant for scalar in each], np.int64)
            out[f"{entry.name}_exp"] = np.array([scalar.exp for scalar in each], np.int64)
        else:
            out[entry.name] = np.array(each, np.int64)
    for name in ("align", "square_shift", "step_shift"):
        out[name] = np.array([getattr(config, name) for config in configs], np.int64)
    return out


def v_class(v: I64) -> I64:
    """Bins of `V_CLASSES`."""
    low = np.isin(v, np.left_shift(np.int64(1), 2 * np.arange(16)))
    above = np.isin(v - 1, np.left_shift(np.int64(1), 2 * np.arange(16)))
    below = np.isin(v + 1, np.left_shift(np.int64(1), 2 * np.arange(16)))
    return np.select([v == 0, v == U32[1], below, low, above], [0, 5, 1, 2, 3], 4)


def _sign(x: npt.NDArray[Any]) -> I64:
    return np.sign(x).astype(np.int64) + 1


@dataclass(frozen=True)
class Tensors:
    """The accepted configurations of an epoch, (T,) each: number of the first beat; cycles of the configuration, of the
    last beat in and out and of the record's transfer, -1: not before the horizon."""

    configs: list[OptcConfig]
    taken: I64
    first_beat: I64
    last_in: I64
    last_out: I64
    record: I64

    @classmethod
    def of(cls, lanes: int, configs: Sequence[OptcConfig], want: Prediction) -> Tensors:
        """From a prediction."""
        good = np.flatnonzero(want.cfg_code == RspCode.OK)
        used = [configs[at] for at in good]
        size = np.array([-(-config.n // lanes) for config in used], np.int64)
        first = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64) if len(used) else np.zeros(0, np.int64)
        last = first + size - 1

        def at_last(cycles: I64) -> I64:
            return np.append(cycles, -1)[np.minimum(last, len(cycles))]

        record = np.full(len(used), -1, np.int64)
        record[: len(want.stat)] = [left for _, left in want.stat]
        return cls(used, want.cfg_accept[good], first, at_last(want.beat_accept), at_last(want.out_accept), record)

    def met(self, cycle: int) -> int:
        """Bin of `MET`: what the core does in a cycle."""
        at = int(np.searchsorted(self.taken, cycle)) - 1
        if at < 0:
            return 0
        for state, end in ((1, self.last_in), (2, self.last_out), (3, self.record)):
            if end[at] < 0 or end[at] >= cycle:
                return state
        return 0


class Sampler:
    """Fills a `Coverage` from epochs."""

    def __init__(self, lanes: int, out: Coverage) -> None:
        self.lanes, self.out = lanes, out

    def epoch(self, epoch: Any, behind: Any | None) -> None:
        """One epoch of the scoreboard; `behind`: the one that follows the reset that ended it."""
        stim, want = epoch.stim, epoch.prediction
        tensors = Tensors.of(self.lanes, stim.configs, want)
        self._answers(stim, want, tensors)
        self._streams(stim, want, tensors)
        self._random(want, tensors)
        if tensors.configs:
            table = columns(tensors.configs)
            self._configs(tensors, table)
            self._statistics(epoch.tensors)
            left = np.flatnonzero(want.out_accept >= 0)
            for part in np.array_split(left, -(-len(left) // BLOCK_BEATS) or 1):
                self._values(epoch, want, tensors, table, part)
        if behind is not None:
            self._reset(want, tensors, stim.horizon, behind)

    # ---- configurations ----------------------------------------------------------------------------------------------
    def _configs(self, tensors: Tensors, table: Mapping[str, I64]) -> None:
        point = CONFIGURATION.points
        adam = table["mode"] == Mode.ADAM
        bins: dict[str, npt.ArrayLike] = {"mode": table["mode"], "fl_v_parity": table["fl_v"] % 2}
        for name in (
            "align", "square_shift", "step_shift", "c1_exp", "c2_exp", "wd_exp", "step_exp", "eps_exp", "eps_mant",
            "clip", "fl_w", "fl_m", "fl_v", "fl_g",
        ):  # fmt: skip
            bins[name] = point[name].index(table[name])
        for name in ("c1", "c2", "wd", "step"):
            one = np.left_shift(np.int64(1), np.clip(table[f"{name}_exp"], 0, 62))
            mant = table[f"{name}_mant"]
            bins[name] = np.select([mant == 0, mant < one], [0, 1], 2)
        for name in ("pre_w", "pre_m", "pre_v"):
            bins[name] = table[name] + 4
        for name in ("square_shift", "c2", "c2_exp", "eps_exp", "eps_mant", "clip"):
            bins[name] = np.where(adam, bins[name], NO_BIN)
        self.out.sample("configuration", **bins)

        size = -(-table["n"] // self.lanes)
        whole = tensors.last_out >= 0
        self.out.sample(
            "tensors",
            mode=table["mode"][whole],
            beats=TENSORS.points["beats"].index(size[whole]),
            remainder=np.minimum(table["n"] % self.lanes, 3)[whole],
        )
        pairs = list(itertools.pairwise(tensors.configs))
        if pairs:
            same = [replace(a, mode=b.mode) == b for a, b in pairs]
            self.out.sample(
                "tensors", mode_from=table["mode"][:-1], mode_to=table["mode"][1:], rest=1 - np.array(same, np.int64)
            )
            pause = tensors.taken[1:] - tensors.record[:-1]
            self.out.sample("tensors", pause=TENSORS.points["pause"].index(pause))

    def _answers(self, stim: Any, want: Prediction, tensors: Tensors) -> None:
        done = np.flatnonzero(want.cfg_accept >= 0)
        codes = want.cfg_code[done]
        refused = (codes != RspCode.OK).astype(int)
        # `RspMode` is no answer of a core with both rules, whose coverage this is.
        code = np.where(codes == RspCode.MODE, NO_BIN, codes)
        self.out.sample("answers", code=code, next=np.append(refused, NO_BIN)[1:])
        # One that waits is kept back by its host until the core is idle.
        waits = stim.cfg_wait[done]
        offered = np.where(waits, want.cfg_accept[done], stim.cfg_offer[done])
        met = np.array([tensors.met(int(cycle)) for cycle in offered], np.int64)
        wait = ANSWERS.points["wait"].index(want.cfg_accept[done] - offered)
        self.out.sample("answers", met=met, answer=refused, wait=wait)

    # ---- streams -----------------------------------------------------------------------------------------------------
    def _streams(self, stim: Any, want: Prediction, tensors: Tensors) -> None:
        point = STREAMS.points
        mode_of = np.array([config.mode for config in tensors.configs], np.int64)
        last_beat = tensors.first_beat + np.array([-(-c.n // self.lanes) for c in tensors.configs], np.int64) - 1
        left = np.flatnonzero(want.out_accept >= 0)
        tensor = want.tensor[left]
        wait = want.out_accept[left] - want.out_valid[left]
        if len(left):
            mode = mode_of[tensor]
            last = (left == last_beat[tensor]).astype(int)
            self.out.sample("streams", mode=mode, out_wait=point["out_wait"].index(wait), last=last)
            # What is inside when a result has to wait: taken before, not yet left.
            held = wait > 0
            taken = want.beat_accept[want.beat_accept >= 0]
            inside = np.searchsorted(taken, want.out_accept[left[held]]) - left[held]
            self.out.sample("streams", mode=mode[held], held=point["held"].index(inside))
        records = np.array([pair for pair in want.stat if pair[1] >= 0], np.int64).reshape(-1, 2)
        self.out.sample("streams", stat_wait=point["stat_wait"].index(records[:, 1] - records[:, 0]))
        came = np.flatnonzero(want.beat_accept >= 0)
        if len(came):
            wait = want.beat_accept[came] - stim.beat_offer[came]
            closed = stim.beat_offer[came] <= tensors.taken[want.tensor[came]]
            cause = np.select([wait == 0, closed], [0, 1], 2)
            self.out.sample("streams", cause=cause, in_wait=point["in_wait"].index(wait))
            inner = np.diff(want.tensor[came]) == 0
            # Of those that had not to wait: what the source left idle.
            gap = np.diff(want.beat_accept[came])[inner] - 1
            waited = (want.beat_accept[came] > stim.beat_offer[came])[1:][inner]
            gap = np.where(waited, NO_BIN, point["gap"].index(gap))
            self.out.sample("streams", mode=mode_of[want.tensor[came][1:][inner]], gap=gap)

    def _random(self, want: Prediction, tensors: Tensors) -> None:
        drew = (want.beat_accept >= 0) & (want.stages["copy"] >= 0)
        for at, config in enumerate(tensors.configs):
            beats = int((drew & (want.tensor == at)).sum())
            if config.copy_round != Round.STOCHASTIC or not beats:
                continue
            self.out.sample("random", number=[int(config.draw + beats > NUMBERS)])
            self.out.sample("random", draws=RANDOM.points["draws"].index([beats]))

    def _statistics(self, tensors: Sequence[tuple[OptcConfig, Statistics | None]]) -> None:
        done = [(config, stats) for config, stats in tensors if stats is not None]
        if not done:
            return
        mode = np.array([config.mode for config, _ in done], np.int64)
        values = np.array([stats.values for _, stats in done], np.int64)
        for at, name in enumerate(COUNTS):
            count = np.array([getattr(stats, name) for _, stats in done], np.int64)
            share = np.select([count == 0, count < values], [0, 1], 2)
            self.out.sample("statistics", mode=mode, field=np.full(len(done), at), count=share)
        for at, name in enumerate(BITS):
            bits = np.array([getattr(stats, name) for _, stats in done], np.int64)
            index = STATISTICS.points["bits"].index(bits)
            self.out.sample("statistics", mode=mode, state=np.full(len(done), at), bits=index)

    # ---- values ------------------------------------------------------------------------------------------------------
    def _values(self, epoch: Any, want: Prediction, tensors: Tensors, table: Mapping[str, I64], beats: I64) -> None:
        """Values of `beats`, which have left."""
        tensor = want.tensor[beats]
        place = (beats - tensors.first_beat[tensor])[:, None] * self.lanes + np.arange(self.lanes)
        live = place < table["n"][tensor][:, None]
        column = {name: np.broadcast_to(each[tensor][:, None], live.shape)[live] for name, each in table.items()}
        w, m, v, g = (epoch.data[beats, at][live] for at in range(4))
        word = {name: values[beats][live] for name, values in epoch.words.items()}
        mode, adam = column["mode"], column["mode"] == Mode.ADAM
        point = OPERANDS.points
        self.out.sample(
            "operands", mode=mode, v=v_class(v), **{n: point[n].index(x) for n, x in (("w", w), ("m", m), ("g", g))}
        )
        step = steps(column, w, m, v, g, word["u"])
        for at, (site, (x, shift)) in enumerate((site, step.rounded[site]) for site in SITES):
            skip = ~adam if site in ("square", "c2") else np.zeros(len(x), bool)
            bins = np.where(skip, NO_BIN, fraction(x, shift))
            there = bins >= 0
            self.out.sample("rounding", site=np.full(int(there.sum()), at), fraction=bins[there], sign=x[there] < 0)
        for at, site in enumerate(SAT_SITES):
            skip = ~adam if site in ("square", "v updated") else np.zeros(len(w), bool)
            self.out.sample("saturation", mode=mode, site=np.where(skip, NO_BIN, at), limited=step.limit[site])
        self._moments(column, step, word)
        self.out.sample("update", mode=mode, u=_sign(word["u"]), moved=_sign(word["w"] - step.w))
        self._copy(column, word)

    def _moments(self, column: Mapping[str, I64], step: Steps, word: Mapping[str, I64]) -> None:
        mode, adam = column["mode"], column["mode"] == Mode.ADAM
        point = MOMENTS.points
        self.out.sample("moments", mode=mode, next_m=point["next_m"].index(word["m"]))
        m, v, square, aligned = (x[adam] for x in (word["m"], word["v"], step.square, step.aligned))
        length = bit_length(v)
        pairs = np.where(v > 0, (32 - length) // 2, NO_BIN)
        before = step.rounded["pre_m"]
        rescaled = limited(nearest(*before), S32)[0][adam]
        self.out.sample(
            "moments",
            next_v=v_class(v),
            first=_sign(aligned - rescaled),
            second=_sign(square - step.v[adam]),
            square=point["square"].index(bit_length(square)),
            square_limited=step.limit["square"][adam],
            pairs=pairs,
            leading=(length % 2 == 0).astype(int),
        )
        d, k = word["denom"][adam] & 0xFFFF, word["denom"][adam] >> 16
        eps_mant, eps_exp = column["eps_mant"][adam], column["eps_exp"][adam]
        is_eps = (d == eps_mant) & (k == eps_exp)
        equal = is_eps & (v > 0) & (pairs == eps_exp) & (root(v)[0] == eps_mant)
        denominator = np.select([equal, ~is_eps, v == 0, pairs > eps_exp], [1, 0, 2, 3], 4)
        u, clip = word["u"][adam], column["clip"][adam]
        shift = k + 16 + column["fl_v"][adam] // 2 - column["fl_m"][adam]
        # At clip: the quotient without the limit is the clip itself, clip <= abs(m') 2^shift / d < clip + 1.
        size = np.select([u == 0, np.abs(u) < clip, _reaches(m, d, shift, clip + 1)], [0, 1, 3], 2)
        self.out.sample("quotient", denominator=denominator, sign=_sign(m), size=size,
                        shift=QUOTIENT.points["shift"].index(shift))  # fmt: skip

    def _copy(self, column: Mapping[str, I64], word: Mapping[str, I64]) -> None:
        shift, rounding = column["copy_shift"], column["copy_round"]
        index = COPY.points["shift"].index(shift)
        random = np.where(rounding == Round.STOCHASTIC, column["copy_rand_bits"], NO_BIN)
        w, y = word["w"], word["y"]
        most = np.left_shift(np.int64(8), 4 * column["copy_format"]) - 1
        floor = w >> shift
        # Next to a bound it depends on the rounding: no sample.
        side = np.select([floor > most, floor < -most - 2, (floor >= -most - 1) & (floor < most)], [1, 2, 0], NO_BIN)
        bins = fraction(w, shift)
        bins = np.where(bins >= 3, bins - 1, bins)
        free = (side == 0) & (bins > 0)
        self.out.sample(
            "copy", format=column["copy_format"], rounding=rounding, rand_bits=random, shift=index, limited=side,
            fraction=bins, sign=(w < 0).astype(int), raised=np.where(free, y > floor, NO_BIN),
        )  # fmt: skip

    # ---- resets ------------------------------------------------------------------------------------------------------
    def _reset(self, want: Prediction, tensors: Tensors, horizon: int, behind: Any) -> None:
        met = tensors.met(horizon)
        inside = bool(((want.beat_accept >= 0) & (want.out_accept < 0)).any())
        held = bool(((want.out_valid >= 0) & (want.out_accept < 0)).any())
        state = (met == 0, met == 1 and not inside, met == 1 and inside, met == 2, held, met == 3)
        follows = Tensors.of(self.lanes, behind.stim.configs, behind.prediction).configs
        after = int(follows[0].mode) if follows else NO_BIN
        cut = int(tensors.configs[-1].mode) if met else NO_BIN
        self.out.sample("reset", state=np.flatnonzero(state), behind=after)
        self.out.sample("reset", mode=cut, behind=after)


def _reaches(m: I64, d: I64, shift: I64, bound: I64) -> Bool:
    """Whether abs(m) * 2^shift >= bound * d, which is below 2^36."""
    product = bound * d
    least = np.where(shift < 0, product << np.clip(-shift, 0, 24), -(-product >> np.clip(shift, 0, 63)))
    return np.abs(m) >= least


def sample_epochs(lanes: int, epochs: Sequence[Any]) -> Coverage:
    """Coverage of the epochs of one run; every one but the last was ended by a reset."""
    coverage = Coverage(GROUPS)
    sampler = Sampler(lanes, coverage)
    for epoch, behind in itertools.zip_longest(epochs, epochs[1:]):
        sampler.epoch(epoch, behind)
    return coverage


def sample(run_info: RunInfo, board: Any) -> Coverage:
    """Samples a run that its scoreboard has judged; one that diverged counts nothing."""
    passed = board.verdict.first is None
    coverage = sample_epochs(board.params, board.epochs) if passed else Coverage(GROUPS)
    write_run(run_info, coverage, passed)
    return coverage


def functional_coverage(results: Sequence[Any], folder: Path = REPORTS / "optc") -> dict[str, Any]:
    """The hook of `Block`."""
    return functional("optc", GROUPS, results, folder)
