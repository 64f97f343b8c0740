"""The processor's own boundaries must fail: runs that passed, judged again with a fault in what was observed.

Actions are those that the test's body plays, which is run once more without a simulator.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pyuvm import uvm_root

from flow.core.blocks import get_block
from flow.core.simulate import run
from models.common.rounding import Round
from models.top.config import Action, Engine, Gemm, Issue, Reg, TopParams
from tb.gemm.scoreboard import EV_BUSY
from tb.lib.runinfo import RunInfo
from tb.lib.scoreboard import Verdict, event_levels
from tb.lib.streams import SourceLog, Tap, read_ready
from tb.top import pair, tests
from tb.top.env import counters_program, counters_read
from tb.top.pair import SETTLED, PairScoreboard
from tb.top.program import READ, Program
from tb.top.scoreboard import TopScoreboard
from tb.top.timing import NEVER, behind, granted, offers, one_a_cycle, starts
from tb.top.trace import EV_IRQ, tap_configs, trace_configs

PARAMS = TopParams()
Seen = dict[str, Any]
RUNS = {
    "products": ("constrained_random", 4, {"rounds": 1, "products": 5}),
    "passes": ("passes", 1, {"passes": 3}),
    "planned": ("planned", 1, {}),
    "smoke": ("smoke", 1, {}),
    "interrupts": ("in_step", 1, {"rounds": 3}),
    "resets": ("reset_in_the_middle", 1, {"resets": 1}),
    "run": ("run", 1, {"products": 1, "resets": 0}),
}


def _actions(test: str, seed: int, config: dict[str, Any]) -> tuple[list[list[Action]], list[list[Program]]]:
    """What the body of a test plays, from each reset on."""
    actions: list[list[Action]] = [[]]
    programs: list[list[Program]] = [[]]
    staged = [Program().staged]
    running = [False]

    async def play(new: list[Action], gap: int = 0, streamed: bool = False) -> None:
        await start(new, gap, streamed)
        running[0] = False

    async def start(new: list[Action], gap: int = 0, streamed: bool = False) -> None:
        programs[-1].append(Program(staged=staged[0], streamed=streamed, running=running[0]))
        running[0] = True
        programs[-1][-1].add(new, gap)
        actions[-1].extend(new)

    async def nothing(*_: Any) -> None:
        pass

    async def reset() -> None:
        actions.append([])
        programs.append([])
        staged[0], running[0] = Program().staged, False

    info = RunInfo("top", "verilator", test, seed, config=config)
    player = SimpleNamespace(
        run_info=info, params=PARAMS, play=play, start=start, cycles_pass=nothing, back_pressure=nothing, reset=reset
    )
    body = getattr(tests, test).body(player)
    with pytest.raises(StopIteration):
        body.send(None)
    return actions, programs


class Observed:
    """A run that passed: actions, programs, what was seen."""

    def __init__(self, test: str, seed: int, config: dict[str, Any], label: str) -> None:
        result = run(get_block("top"), "verilator", test, seed, {}, {**config, "reduced": True}, label=label)
        assert result.passed, result.summary()
        assert result.result is not None
        folder: Path = result.run_dir
        self.cycles: int = result.result["cycles"]
        self.checks = result.result["checks"]
        self.actions, self.programs = _actions(test, seed, config)
        self.seen: Seen = {
            each.name: np.fromfile(each.path, each.dtype) for each in trace_configs(PARAMS, folder)
        } | {
            each.name: Tap.read(each.folder, each.stream, each.words, self.cycles)
            for each in tap_configs(PARAMS, folder)
        }  # fmt: skip
        self.programs[-1].append(counters_program(PARAMS, Program().staged))
        axil = self.seen["top_axil"]
        at_end = axil["data"][(axil["op"] >> 16 == READ) & (axil["address"] >= Reg.COUNTERS)]
        self.counters = counters_read(PARAMS, at_end.tolist())
        words = sum(len(each.words) for span in self.programs for each in span)
        self.seen["s"] = SourceLog.read(folder / "s.log.bin", words)
        self.seen["m"] = read_ready(folder / "m_0.log.bin", self.cycles)[:, None]

    def judge(self, seen: Seen | None = None, drained: bool = True) -> Verdict:
        """The verdict over the run, or over what else is said to be seen."""
        uvm_root().clear_hierarchy()
        board = TopScoreboard("scoreboard", None)
        board.build_phase()
        board.params, board.cycles, board.drained = PARAMS, self.cycles, drained
        board.batches, board.programs = self.actions, self.programs
        board.seen = self.seen if seen is None else seen
        board.counters = self.counters
        self.board = board
        return board.judge()

    def whole(self, fault: Callable[[Seen], None]) -> dict[str, str]:
        """With a fault: what differs at the processor's own boundaries, the first of each."""
        seen = copy.deepcopy(self.seen)
        fault(seen)
        out: dict[str, str] = {}
        for each in self.judge(seen).divergences:
            if "." not in each.boundary:
                out.setdefault(each.boundary, each.what)
        return out


@pytest.fixture(scope="module")
def observed(worker_id: str) -> Callable[[str], Observed]:
    """Runs by name, each simulated once by each worker."""
    cache: dict[str, Observed] = {}

    def get(name: str) -> Observed:
        if name not in cache:
            cache[name] = Observed(*RUNS[name], f"judged-{worker_id}")
        return cache[name]

    return get


@pytest.mark.parametrize("name", list(RUNS))
def test_a_run_as_it_was_passes_and_counts(observed, name: str) -> None:
    each = observed(name)
    verdict = each.judge()
    assert verdict.first is None
    assert verdict.checks == each.checks


def test_the_products_run_has_every_stream(observed) -> None:
    seen = observed("products").seen
    for stream in ("desc", "tile", "vec", "bias", "psum", "req", "out"):
        assert len(seen[f"core0_{stream}"].data) > 8
    commands = [each.command for each in observed("products").actions[0] if isinstance(each, Issue)]
    gemms = [each for each in commands if isinstance(each, Gemm)]
    assert any(each.masks for each in gemms)
    assert any(len(each.chunks(PARAMS)) > 1 for each in gemms)


def _bump(trace: str, column: str, at: int, by: int = 1) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        seen[trace][column][at] = int(seen[trace][column][at]) + by

    return fault


def _drop(trace: str, at: int = 1) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        seen[trace] = np.delete(seen[trace], at)

    return fault


def _swap(trace: str, at: int = 1) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        seen[trace][[at, at + 1]] = seen[trace][[at + 1, at]]

    return fault


def _log(stream: str, column: str, at: int, by: int = 1) -> Callable[[Seen], None]:
    """Moves an offer or a transfer."""

    def fault(seen: Seen) -> None:
        log = seen[stream] if isinstance(seen[stream], SourceLog) else seen[stream].log
        getattr(log, column)[at] += by

    return fault


def _word(seen: Seen) -> None:
    seen["top_m"]["data"][5, 3] ^= 1


def _read(address: int) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        trace = seen["top_axil"]
        at = np.flatnonzero((trace["op"] >> 16 == 1) & (trace["address"] == address))[0]
        trace["data"][at] ^= 1

    return fault


def _answer(seen: Seen) -> None:
    seen["top_axil"]["op"][4] |= 2  # SLVERR


def _first_answer(seen: Seen) -> None:
    seen["top_axil"]["op"][0] |= 2


def _draw(tap: str, word: int, bit: int) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        data = seen[tap].data
        at = np.flatnonzero(data[:, 6] >> 15 & 3 == Round.STOCHASTIC)[0] if tap == "optc_cfg" else 0
        data[at, word] ^= 1 << bit

    return fault


def _refused(seen: Seen) -> None:
    seen["top_axil"]["op"][np.flatnonzero(seen["top_axil"]["op"] & 2)[0]] ^= 2  # OKAY


def _address(seen: Seen) -> None:
    seen["top_axil"]["address"][4] += 4


def _engine_start(engine: Engine, by: int = 1, at: int = -1) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        _bump("top_start", "cycle", np.flatnonzero(seen["top_start"]["head"] >> 24 == engine)[at], by)(seen)

    return fault


def _engine_end(engine: Engine, by: int = 1, at: int = -1) -> Callable[[Seen], None]:
    def fault(seen: Seen) -> None:
        _bump("top_cmd", "cycle", np.flatnonzero(seen["top_cmd"]["head"] >> 24 == engine)[at], by)(seen)

    return fault


def _pushed_late(seen: Seen) -> None:
    trace = seen["top_axil"]
    trace["cycle"][np.flatnonzero(trace["address"] == Reg.PUSH)[0]] += 9


def _run_late(seen: Seen) -> None:
    trace = seen["top_axil"]
    counts = np.where(trace["address"] == Reg.RUN, trace["data"] & 0xFFFF, 0)
    trace["cycle"][np.flatnonzero((counts > 0) & (counts < 0xFFFF))[0]] += 9  # of one whose commands come


def _irq(change: Callable[[npt.NDArray[np.void], int], npt.NDArray[np.void]]) -> Callable[[Seen], None]:
    """With the trace of events changed at the third change of irq_o."""

    def fault(seen: Seen) -> None:
        trace = seen["top_top_event"]
        seen["top_top_event"] = change(trace, int(np.flatnonzero(trace["data"] >> 24 == EV_IRQ)[2]))

    return fault


def _late(trace: npt.NDArray[np.void], at: int) -> npt.NDArray[np.void]:
    trace["cycle"][at] += 1
    return trace


def _irq_from_nowhere(seen: Seen) -> None:
    more = np.array([(seen["top_m"]["cycle"][0], EV_IRQ << 24 | 1)], seen["top_top_event"].dtype)
    seen["top_top_event"] = np.concatenate([seen["top_top_event"], more])


def _two_jobs(seen: Seen) -> None:
    seen["core0_out_trace"]["head"][2] ^= 3  # one job becomes two, two one


VALUES = [
    *(("smoke", _bump("top_cmd", "head", 1, 1 << bit), "command") for bit in (0, 8, 16)),  # identifier, detail, code
    ("smoke", _drop("top_cmd"), "command"),
    ("smoke", _word, "store"),
    ("smoke", _bump("top_m", "last", 2), "store"),
    ("smoke", _bump("top_m", "last", -1, -1), "store"),
    ("smoke", _drop("top_m"), "store"),
    ("smoke", _swap("top_m"), "store"),
    *(("smoke", _read(address), "register") for address in (Reg.ID, Reg.PARAMS, Reg.STAT, Reg.ERROR, Reg.DONE)),
    ("smoke", _answer, "register"),
    ("smoke", _address, "register"),
    ("smoke", _drop("top_axil", 3), "register"),
    ("interrupts", _irq(_late), "interrupt"),
    ("interrupts", _irq(np.delete), "interrupt"),
    ("smoke", _irq_from_nowhere, "interrupt"),
    ("planned", _read(Reg.PLAN), "register"),
    ("planned", _read(Reg.UPD_ANSWER), "register"),
    ("passes", _read(Reg.OPT_STAT), "register"),
    # Before the first of two resets: the second store's word, an answer, the first command's identifier, a draw.
    ("resets", _bump("top_cmd", "head", 1), "command"),
    ("resets", _drop("top_cmd", 0), "command"),
    ("resets", _first_answer, "register"),
    ("resets", _draw("core0_desc", 2, 8), "draw"),
    ("products", _draw("core0_desc", 3, 7), "draw"),
    ("passes", _draw("optc_cfg", 8, 31), "draw"),
    ("run", _refused, "register"),
]


@pytest.mark.parametrize(("name", "fault", "boundary"), VALUES)
def test_a_fault_is_seen_at_its_boundary(observed, name: str, fault: Callable[[Seen], None], boundary: str) -> None:
    assert boundary in observed(name).whole(fault)


TIMES = [
    *(("smoke", _engine_start(engine, by), f"start of {engine.name.lower()}") for engine in Engine for by in (-1, 1)),
    *(("smoke", _engine_end(engine), f"end of {engine.name.lower()}") for engine in Engine),
    ("smoke", _pushed_late, "start of load"),
    ("smoke", _drop("top_start", 0), "start of load"),
    ("smoke", _log("s", "accept", 4), "word loaded"),
    ("smoke", _bump("top_m", "valid", 0), "word stored"),
    ("smoke", _bump("top_m", "valid", 3, -1), "word stored"),
    *(
        ("products", _log(f"core0_{stream}", "offer", at, by), f"core 0 {what}")
        for stream, what in (
            ("desc", "desc"), ("tile", "tile"), ("vec", "vec"), ("bias", "bias"), ("psum", "partial sums"),
        )
        for at in (0, -1)
        for by in (-1, 1)
    ),
    ("products", _log("core0_desc", "accept", 0), "core 0 tile"),
    ("products", _log("core0_req", "accept", 1), "core 0 request of partial sums"),
    ("products", _log("core0_req", "accept", 1), "core 0 partial sums"),
    ("products", _log("core0_out", "accept", 1), "core 0 results"),
    ("products", _two_jobs, "core 0 results"),
    ("products", _log("core0_out", "accept", -1), "end of compute"),
    ("products", _bump("core0_stat_trace", "cycle", -1, 9), "end of compute"),
    ("resets", _engine_start(Engine.LOAD, at=0), "start of load"),
    ("resets", _engine_end(Engine.LOAD, at=0), "end of load"),
    ("resets", _drop("top_start", 1), "start of load"),
    *(("run", _log("s", "accept", at, by), "word of a command") for at in (0, 3) for by in (-1, 1)),
    ("run", _run_late, "word of a command"),
    ("run", _log("s", "accept", 3, 20), "start of load"),
    ("passes", _log("optc_cfg", "offer", 1), "configuration of the OPTC"),
    ("passes", _log("optc_in", "offer", 0), "parameters to the OPTC"),
    ("passes", _log("optc_in", "offer", -1), "parameters to the OPTC"),
    ("passes", _engine_end(Engine.COMPUTE), "end of compute"),
    ("passes", _bump("optc_stat_trace", "cycle", -1), "end of compute"),
    ("planned", _log("laps_ord", "offer", 1), "query of LAPS"),
    ("planned", _log("laps_upd", "offer", 0), "update of LAPS"),
    ("planned", _bump("laps_ord_rsp_trace", "cycle", 2), "end of compute"),
    ("planned", _bump("laps_upd_rsp_trace", "cycle", 0), "end of compute"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fault", "what"), TIMES)
def test_a_cycle_is_seen_in_the_sequence(observed, name: str, fault: Callable[[Seen], None], what: str) -> None:
    seen = copy.deepcopy(observed(name).seen)
    fault(seen)
    whats = [each.what for each in observed(name).judge(seen).divergences if each.boundary == "sequence"]
    assert any(each.rpartition(" ")[0] == what for each in whats), whats


def test_work_that_is_left_fails(observed) -> None:
    assert [each.boundary for each in observed("smoke").judge(drained=False).divergences] == ["drain"]


# ---- what the timing is made of --------------------------------------------------------------------------------------
def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_requests_come_one_a_cycle_and_with_two_words_at_most_behind_them() -> None:
    accept = _ints(6, 7, 20, 21)
    request = one_a_cycle(np.maximum(_ints(5, 5, 5, 5), behind(accept, 4, 2)))
    assert request.tolist() == [5, 6, 7, 8]
    assert offers(request, accept).tolist() == [6, 7, 8, 21]
    slow = one_a_cycle(np.maximum(_ints(5, 5, 5, 5), behind(_ints(30, 31), 4, 2)))
    assert slow.tolist() == [5, 6, 30, 31]
    assert behind(_ints(3, -1), 4, 1).tolist() == [-1, 3, NEVER, NEVER]


def test_a_port_that_others_have_is_waited_for() -> None:
    blocked = np.zeros(20, bool)
    blocked[[3, 4, 7]] = True
    asked, got = granted(_ints(3, 3, 3), _ints(6, 7, 9), blocked)
    assert (asked.tolist(), got.tolist()) == ([3, 6, 7], [5, 6, 8])
    _, outside = granted(_ints(3, 3, 3), _ints(4, 5, 6), blocked, np.ones(3, bool))
    assert outside.tolist() == [3, 4, 5]


def test_when_commands_start() -> None:
    engines = [Engine.LOAD, Engine.LOAD, Engine.COMPUTE, Engine.STORE]
    waits = [(0, 0, 0), (0, 0, 0), (2, 0, 0), (0, 1, 0)]
    got = starts(engines, waits, [10, 12, 14, 16], [[20, 30], [40], []])
    assert got == [[10, 21], [31], [41]]
    assert starts(engines, waits, [10, 12, 14, 50], [[20, 30], [40], []])[2] == [50]
    assert starts(engines, waits, [10, 12, 14, 16], [[20], [40], []])[1] == [NEVER]


def test_a_wait_that_was_reached_128_ends_ago_is_not() -> None:
    done = [list(range(1000, 1130)), [], []]
    assert starts([Engine.COMPUTE], [(0, 0, 0)], [1127], done)[1] == [1127]
    assert starts([Engine.COMPUTE], [(0, 0, 0)], [1128], done)[1] == [NEVER]


# ---- a pair, part by part --------------------------------------------------------------------------------------------
def _parts(observed: Observed, seen: Seen | None = None) -> tuple[Verdict, list[int]]:
    """The verdict, and in how many parts each pair was judged."""
    verdict = observed.judge(seen)
    return verdict, [board.parts for board in observed.board.pairs]


@pytest.mark.parametrize("name", ["products", "resets"])
def test_a_run_in_parts_is_compared_as_a_whole_one(observed, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "PART", 1)
    verdict, parts = _parts(observed(name))
    assert verdict.first is None
    assert verdict.checks == observed(name).checks
    assert min(parts) > 2


def test_parts_grow_until_the_models_are_at_rest(observed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moments that are none, in the middle of work, change nothing."""
    moments: list[int] = []
    changes = event_levels(observed("products").seen["core0_gemm_event"], EV_BUSY)

    def everywhere(_: PairScoreboard, base: int, end: int) -> list[tuple[int, int]]:
        ends = {cycle + more for cycle, busy in changes if not busy for more in range(SETTLED)}  # busy_o follows
        moments.extend(at for at in range(base + 100, end, 100) if at not in ends)
        return [(at, at) for at in moments]

    monkeypatch.setattr(PairScoreboard, "_moments", everywhere)
    monkeypatch.setattr(pair, "PART", 1)
    verdict, parts = _parts(observed("products"))
    assert verdict.first is None
    assert verdict.checks == observed("products").checks
    assert 2 < parts[0] < len(moments)


@pytest.mark.parametrize(
    ("trace", "column", "at", "boundary"),
    [
        ("core0_issue", "cycle", 0, "core0.issue"),
        ("core0_issue", "cycle", -1, "core0.issue"),
        ("core0_swap_trace", "data", -1, "core0.swap"),
        ("core0_shift_trace", "data", -1, "core0.shift"),
        ("core0_out_trace", "tag", -1, "core0.output"),
    ],
)
def test_a_fault_in_a_part_is_the_one_that_the_whole_shows(
    observed, monkeypatch: pytest.MonkeyPatch, trace: str, column: str, at: int, boundary: str
) -> None:
    seen = copy.deepcopy(observed("products").seen)
    seen[trace][column][at] += 1
    whole = observed("products").judge(seen).first
    monkeypatch.setattr(pair, "PART", 1)
    verdict, parts = _parts(observed("products"), seen)
    assert parts[0] > 2
    assert whole is not None
    assert whole.boundary == boundary
    assert verdict.first is not None
    assert (verdict.first.boundary, verdict.first.cycle) == (whole.boundary, whole.cycle)


def test_counters_are_those_of_all_parts(observed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "PART", 1)
    counters = observed("products").counters
    assert counters is not None
    rows, _ = counters[0][0]
    rows[3, 0] += 1
    try:
        verdict, _ = _parts(observed("products"))
    finally:
        rows[3, 0] -= 1
    assert [each.boundary for each in verdict.divergences] == ["core0.counter"]
