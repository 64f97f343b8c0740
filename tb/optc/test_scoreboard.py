"""The scoreboard must fail: every boundary with a fault in what was observed, and every way of comparing too little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pyuvm import uvm_root

from models.common.rounding import Round
from models.optc.config import Mode, Scalar
from models.optc.cycle import Stimulus, predict
from tb.lib.scoreboard import EV_RESET, EVENT_DTYPE, Verdict
from tb.lib.streams import SourceLog
from tb.optc.program import Program
from tb.optc.scoreboard import COUNTS, EV_RSP, OptcScoreboard, check_rate
from tb.optc.sequences import PLAIN, random_state

LANES = 4
BASE = 7
GAP = 5  # cycles in reset between two epochs
TRACES = ("moment", "denom", "update", "out", "stat")


@dataclass
class Part:
    """What is played between two resets: `horizon` cycles; offers as cycles from their beginning, 0 if not given."""

    program: Program
    horizon: int = 600
    cfg_offer: Sequence[int] | None = None
    beat_offer: Sequence[int] | None = None
    out_ready: npt.NDArray[np.bool_] | None = None
    stat_ready: npt.NDArray[np.bool_] | None = None


@dataclass
class Observed:
    """What a faultless core would have shown, from the model, as the monitors would publish it."""

    seen: dict[str, Any]
    programs: list[Program]
    cycles: int
    drained: bool = True
    traces: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    def board(self) -> OptcScoreboard:
        """A scoreboard that has judged it."""
        uvm_root().clear_hierarchy()
        board = OptcScoreboard("scoreboard", None)
        board.build_phase()
        board.params, board.programs, board.cycles, board.drained = LANES, self.programs, self.cycles, self.drained
        board.seen = {**self.seen, **{f"{name}_trace": table for name, table in self.traces.items()}}
        board.judge()
        return board


def observed(*parts: Part) -> Observed:
    """Epochs one after the other, each begun by a reset."""
    uvm_root().clear_hierarchy()
    model = OptcScoreboard("model", None)
    model.build_phase()
    model.params = LANES
    base, events = BASE, []
    logs: dict[str, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]] = {"cfg": [], "in": []}
    tables: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in TRACES}
    waves: dict[str, list[npt.NDArray[np.bool_]]] = {"out": [], "stat": []}
    begin = 0
    for part in parts:
        program, data = part.program, part.program.data()

        def offers(given: Sequence[int] | None, count: int) -> npt.NDArray[np.int64]:
            return np.zeros(count, np.int64) if given is None else np.array(given, np.int64)

        stim = Stimulus(
            LANES,
            [config for config, *_ in program.configs],
            offers(part.cfg_offer, len(program.configs)),
            np.array([wait for _, wait, _ in program.configs], bool),
            offers(part.beat_offer, len(data)),
            part.horizon,
            part.out_ready,
            part.stat_ready,
        )
        want = predict(stim)
        expected = model._expected(stim, want, data)[1]
        for name in TRACES:
            table = expected[name].copy()
            for column in {"cycle", "valid"} & set(table.dtype.names or ()):
                table[column] += base
            tables[name].append(table)
        for name, offer, accept in (
            ("cfg", stim.cfg_offer, want.cfg_accept), ("in", stim.beat_offer, want.beat_accept),
        ):  # fmt: skip
            logs[name].append((offer + base, np.where(accept >= 0, accept + base, -1)))
        events.append((base, EV_RESET << 24 | 1))
        answered = want.cfg_accept >= 0
        for cycle, code in zip(want.cfg_accept[answered], want.cfg_code[answered], strict=True):
            if cycle + 1 < part.horizon:
                events.append((base + int(cycle) + 1, EV_RSP << 24 | int(code)))
        events.append((base + part.horizon, EV_RESET << 24))
        for name, wave in (("out", part.out_ready), ("stat", part.stat_ready)):
            waves[name] += [np.ones(base - begin, bool), np.ones(part.horizon, bool) if wave is None else wave]
        begin = base + part.horizon
        base = begin + GAP
    seen: dict[str, Any] = {
        name: SourceLog(*(np.concatenate(column) for column in zip(*pairs, strict=True)))
        for name, pairs in logs.items()
    }
    seen |= {name: np.concatenate(wave)[:, None] for name, wave in waves.items()}
    traces = {name: np.concatenate(each) for name, each in tables.items()}
    traces["optc_event"] = np.array(events[:-1], EVENT_DTYPE)  # the run ends outside reset
    return Observed(seen, [part.program for part in parts], begin, traces=traces)


def _parts() -> list[Part]:
    rng = np.random.default_rng(5)
    first, second = Program(LANES), Program(LANES)
    for program in (first, second):
        for mode in (*Mode, Mode.MOMENTUM):
            config = replace(
                PLAIN,
                mode=mode,
                n=22,
                copy_round=int(Round.STOCHASTIC),
                copy_shift=24,
                copy_format=3,
                wd=Scalar(1, 3),
                draw=2**32 - 3,
            )
            program.tensor(config, random_state(rng, 22))
    second.configs.append((replace(PLAIN, n=0), True, 0))
    wave = rng.random(600) < 0.6
    # The first is cut off in its second tensor.
    return [Part(first, 120), Part(second, 600, out_ready=wave, stat_ready=wave[::-1])]


def test_faultless_passes() -> None:
    seen = observed(*_parts())
    board = seen.board()
    assert board.verdict.error({"value": 100, "slice": 70, "cycle": 150}) == ""
    assert len(board.epochs) == 2
    assert all(len(seen.traces[name]) for name in TRACES)


def _log(name: str, at: int, change: int | None) -> Callable[[Observed], None]:
    def fault(seen: Observed) -> None:
        accept = seen.seen[name].accept.copy()
        accept[at] = -1 if change is None else accept[at] + change
        seen.seen[name] = SourceLog(seen.seen[name].offer, accept)

    return fault


def _word(trace: str, name: str, at: int = -1) -> Callable[[Observed], None]:
    def fault(seen: Observed) -> None:
        column = seen.traces[trace][name]
        if column.ndim > 1:
            column[at, ..., -1] ^= 1  # an upper lane, v of a moment
        else:
            column[at] += 1

    return fault


def _drop(trace: str, at: int) -> Callable[[Observed], None]:
    def fault(seen: Observed) -> None:
        seen.traces[trace] = np.delete(seen.traces[trace], at)

    return fault


def _twice(trace: str, at: int) -> Callable[[Observed], None]:
    def fault(seen: Observed) -> None:
        seen.traces[trace] = np.insert(seen.traces[trace], at, seen.traces[trace][at])

    return fault


def _first_moment(seen: Observed) -> None:
    seen.traces["moment"]["mv"][3, 2, 0] ^= 1 << 31


def _answer(seen: Observed) -> None:
    mine = np.flatnonzero(seen.traces["optc_event"]["data"] >> 24 == EV_RSP)
    seen.traces["optc_event"]["data"][mine[-1]] ^= 1


def _late_answer(seen: Observed) -> None:
    mine = np.flatnonzero(seen.traces["optc_event"]["data"] >> 24 == EV_RSP)
    seen.traces["optc_event"]["cycle"][mine[1]] += 1


def _padding(seen: Observed) -> None:
    last = np.flatnonzero(seen.traces["out"]["last"])[0]
    assert seen.traces["out"]["w"][last, 2:].tolist() == [0, 0]
    seen.traces["out"]["w"][last, 3] = 1


def _other_draws(tensor: int) -> Callable[[Observed], None]:
    """The copies are those of other numbers."""

    def fault(seen: Observed) -> None:
        config, *rest = seen.programs[1].configs[tensor]
        seen.programs[1].configs[tensor] = (replace(config, draw=config.draw - 1), *rest)

    return fault


FAULTS: list[tuple[str, Callable[[Observed], None]]] = [
    ("configuration", _log("cfg", 1, 1)), ("configuration", _log("cfg", -1, None)), ("configuration", _answer),
    ("configuration", _late_answer), ("configuration", _drop("optc_event", -1)),
    ("input", _log("in", 2, 1)), ("input", _log("in", -1, None)),
    ("moment", _word("moment", "mv")), ("moment", _first_moment), ("moment", _word("moment", "cycle")),
    ("moment", _drop("moment", 4)), ("moment", _twice("moment", 4)),
    ("denom", _word("denom", "d")), ("denom", _word("denom", "cycle")), ("denom", _drop("denom", -1)),
    ("denom", _twice("denom", -1)),
    ("update", _word("update", "u")), ("update", _word("update", "cycle")), ("update", _drop("update", -1)),
    *[("output", _word("out", name)) for name in ("w", "m", "v", "y", "valid", "cycle", "last")],
    ("output", _drop("out", -1)), ("output", _twice("out", -1)), ("output", _padding),
    ("output", _other_draws(0)), ("output", _other_draws(1)),
    *[("statistic", _word("stat", name)) for name in ("valid", "cycle", "values", *COUNTS)],
    ("statistic", _drop("stat", -1)), ("statistic", _twice("stat", 0)),
]  # fmt: skip


@pytest.mark.parametrize(("boundary", "fault"), FAULTS)
def test_every_boundary_fails(boundary: str, fault: Callable[[Observed], None]) -> None:
    seen = observed(*_parts())
    fault(seen)
    verdict = seen.board().verdict
    assert verdict.first is not None
    assert verdict.first.boundary == boundary
    assert verdict.mismatches > 0
    assert verdict.first.observed != verdict.first.expected
    assert verdict.error({}).startswith(f"{boundary} at cycle ")


def test_every_field_of_a_record_is_compared() -> None:
    """COUNTS and the traces' fields, so that none is left out of the faults above."""
    seen = observed(*_parts())
    assert set(seen.traces["stat"].dtype.names) == {"valid", "cycle", "values", *COUNTS}
    assert set(seen.traces["out"].dtype.names) == {"valid", "cycle", "last", "w", "m", "v", "y"}


def test_work_that_is_left_fails() -> None:
    seen = observed(*_parts())
    seen.drained = False
    verdict = seen.board().verdict
    assert verdict.first is not None
    assert verdict.first.boundary == "drain"


def test_nothing_compared_fails() -> None:
    assert Verdict().error({}) == "nothing was compared"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda taken, offered, left: None, ""),
        (lambda taken, offered, left: offered.__iadd__(1), "latency of beat 0: observed 50, expected 49"),
        (lambda taken, offered, left: taken.__isub__(np.arange(9) > 5), "latency of beat 6"),
        (lambda taken, offered, left: left.__iadd__(np.arange(9) > 3), "beat 4: observed 2, expected 1"),
    ],
)
def test_rate(change: Callable[..., Any], found: str) -> None:
    taken = 20 + np.arange(9)
    offered, left = taken + 49, taken + 49
    change(taken, offered, left)
    verdict = Verdict()
    check_rate(verdict, "mode ADAM", taken, offered, left, 49)
    assert found in verdict.error({}) if found else not verdict.error({"cycle": 18})


def test_rate_of_too_few_results() -> None:
    verdict = Verdict()
    check_rate(verdict, "mode ADAM", np.arange(3), 49 + np.arange(2), 49 + np.arange(2), 49)
    assert "results: observed 2, expected 3" in verdict.error({})
