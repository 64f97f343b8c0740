"""LAPS' cycle model: each sentence of the page's "Timing" by hand, and random work against a machine that steps every
cycle."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.laps import cycle
from models.laps.config import (
    COUNTERS,
    ORDER,
    SEED,
    STEP,
    TOLERANCE,
    Counter,
    Entry,
    LapsParams,
    RegCode,
    RspCode,
    TensorStats,
    Tolerance,
    addresses,
)
from models.laps.cycle import Prediction, Query, RegAccess, RegAnswer, Stimulus, Update, predict
from models.laps.value import Laps

FOUR = LapsParams(4)
CALM = TensorStats(64, 0, 0, 7, 1024)
BAD = TensorStats(0)
UPDATE = Update(0, 1, CALM)
QUERY = Query((0, 0), (0, 1), (1, 0), 64)
READ_STEP = RegAccess(False, STEP)


def run(
    regs: list[tuple[int, RegAccess]] = [],  # noqa: B006  (read only)
    upds: list[tuple[int, Update]] = [],  # noqa: B006
    ords: list[tuple[int, Query]] = [],  # noqa: B006
    steps: tuple[int, ...] = (),
    horizon: int = 1000,
) -> Prediction:
    """Requests with their offers."""

    def column(pairs: list) -> np.ndarray:
        return np.array([at for at, _ in pairs], np.int64)

    return predict(
        Stimulus(
            FOUR, [r for _, r in regs], column(regs), [u for _, u in upds], column(upds), [q for _, q in ords],
            column(ords), np.array(steps, np.int64), horizon,
        )
    )  # fmt: skip


def test_one_of_each_alone():
    got = run(regs=[(5, READ_STEP)])
    assert (got.reg_accept.tolist(), got.reg_answer.tolist()) == ([5], [6])
    assert got.reg_answers == [RegAnswer(RegCode.OK, 0)]
    assert got.busy.tolist() == []
    got = run(upds=[(5, UPDATE)])
    assert (got.upd_accept.tolist(), got.upd_answer.tolist()) == ([5], [9])
    assert got.busy.tolist() == [[6, 9]]  # 6, 7 and 8
    assert [at for at, _ in got.observed] == [9]
    got = run(ords=[(5, QUERY)])
    assert (got.ord_accept.tolist(), got.ord_answer.tolist()) == ([5], [9])
    assert got.busy.tolist() == [[6, 9]]
    assert got.observed == []


def test_cycle_zero_is_idle():
    assert run(upds=[(0, UPDATE)]).upd_accept.tolist() == [0]


def test_registers_come_first_then_updates_then_queries():
    got = run([(3, READ_STEP)], [(3, UPDATE)], [(3, QUERY)])
    assert (got.reg_accept[0], got.upd_accept[0], got.ord_accept[0]) == (3, 4, 8)
    # Whoever came first while the machine was busy.
    got = run([(6, READ_STEP)], [(3, UPDATE), (5, UPDATE)], [(4, QUERY)])
    assert (got.reg_accept.tolist(), got.upd_accept.tolist(), got.ord_accept.tolist()) == ([7], [3, 8], [12])
    got = run(upds=[(3, UPDATE), (8, UPDATE)], ords=[(4, QUERY)])
    assert (got.upd_accept.tolist(), got.ord_accept.tolist()) == ([3, 11], [7])


def test_registers_can_keep_the_others_out():
    got = run([(at, READ_STEP) for at in range(2, 50)], [(3, UPDATE)], [(0, QUERY)])
    assert got.reg_accept.tolist() == [4, *range(5, 52)]
    assert (got.ord_accept.tolist(), got.upd_accept.tolist()) == ([0], [52])


def test_an_access_a_cycle_and_in_force_behind_it():
    got = run(
        [(0, RegAccess(True, 2, 0x105)), (0, RegAccess(False, 2)), (0, RegAccess(True, 2, 0x7)),
         (3, RegAccess(False, 2)), (3, RegAccess(False, 0xFFF, 7)), (3, RegAccess(True, 0x270, 0))]
    )  # fmt: skip
    assert got.reg_accept.tolist() == [0, 1, 2, 3, 4, 5]
    assert got.reg_answer.tolist() == [1, 2, 3, 4, 5, 6]
    assert got.reg_answers == [
        (RegCode.OK, 0), (RegCode.OK, 0x105), (RegCode.VALUE, 0), (RegCode.OK, 0x105), (RegCode.ADDRESS, 0),
        (RegCode.ADDRESS, 0),
    ]  # fmt: skip


def test_updates_and_queries_every_fourth_cycle():
    got = run(upds=[(0, UPDATE)] * 5)
    assert got.upd_accept.tolist() == [0, 4, 8, 12, 16]
    assert [answer.entry.dwell for answer in got.upd_answers] == [1, 2, 3, 4, 5]
    assert got.busy.tolist() == [[1, 4], [5, 8], [9, 12], [13, 16], [17, 20]]
    assert run(ords=[(0, QUERY)] * 3).ord_answer.tolist() == [4, 8, 12]


def test_a_write_before_an_update_counts_and_one_behind_it_does_not():
    write = RegAccess(True, 2, 0x305)  # layer 0, class 1: FL 5, n 3
    got = run([(4, write)], [(4, UPDATE)])
    assert (got.reg_accept[0], got.upd_accept[0]) == (4, 5)
    assert (got.upd_answers[0].fl, got.upd_answers[0].n) == (5, 3)
    got = run([(5, write), (5, RegAccess(False, 2))], [(4, UPDATE)])
    assert got.reg_accept.tolist() == [8, 9]  # at A + 4, onto the new entry
    assert (got.upd_answers[0].fl, got.upd_answers[0].n) == (0, 2)
    assert got.reg_answers[1] == (RegCode.OK, 0x305)


def test_the_new_entry_is_there_at_a_plus_four():
    got = run([(1, RegAccess(False, 2))], [(0, UPDATE)])
    assert got.reg_accept.tolist() == [4]
    assert got.reg_answers[0].data == got.upd_answers[0].entry.words[0] == 0x01004200
    got = run(upds=[(0, Update(0, 1, replace(CALM, overflow=1, max_bit=9)))], ords=[(1, QUERY)])
    assert got.ord_accept.tolist() == [4]
    assert got.ord_answers[0].fl == (0, -2, 0)
    got = run(upds=[(1, Update(0, 1, replace(CALM, overflow=1, max_bit=9)))], ords=[(0, QUERY)])
    assert got.ord_answers[0].fl == (0, 0, 0)


def test_counters_have_counted_at_a_plus_four():
    reads = [RegAccess(False, COUNTERS + Counter.UPDATES), RegAccess(False, COUNTERS + Counter.REFUSED)]
    got = run([(0, reads[0]), (2, reads[0]), (2, reads[1])], [(0, UPDATE)])
    assert got.reg_accept.tolist() == [0, 5, 6]
    assert [answer.data for answer in got.reg_answers] == [0, 1, 0]
    clear = RegAccess(True, COUNTERS + Counter.UPDATES, 0)
    got = run([(2, clear), (2, reads[0])], [(1, UPDATE)])
    assert got.reg_accept.tolist() == [5, 6]
    assert got.reg_answers[1].data == 0


def test_refused_ones_take_as_long():
    got = run(
        [(2, RegAccess(False, COUNTERS + Counter.REFUSED))], [(0, Update(0, 1, BAD)), (2, Update(4, 1, CALM))],
        [(0, replace_k(0))],
    )  # fmt: skip
    assert (got.upd_accept.tolist(), got.reg_accept.tolist(), got.ord_accept.tolist()) == ([0, 5], [4], [9])
    assert (got.upd_answer.tolist(), got.ord_answer.tolist()) == ([4, 9], [13])
    assert [answer.code for answer in got.upd_answers] == [RspCode.STATS, RspCode.LAYER]
    assert got.ord_answers[0].code == RspCode.LENGTH
    assert got.reg_answers[0].data == 1
    assert got.observed == []
    assert len(got.busy) == 3


def replace_k(k: int) -> Query:
    return QUERY._replace(k=k)


def test_steps_count_from_the_next_cycle():
    got = run([(at, READ_STEP) for at in range(8)], steps=(0, 2, 3, 6))
    assert [answer.data for answer in got.reg_answers] == [0, 1, 1, 2, 3, 3, 3, 4]


def test_steps_count_while_the_machine_is_busy():
    got = run([(1, READ_STEP)], [(0, UPDATE)], steps=(0, 1, 2, 3, 4))
    assert got.reg_accept.tolist() == [4]
    assert got.reg_answers[0].data == 4


def test_a_write_of_step_wins_over_a_step():
    write = RegAccess(True, STEP, 100)
    got = run([(2, write), (3, READ_STEP), (4, READ_STEP)], steps=(1, 2, 3))
    assert [answer.data for answer in got.reg_answers] == [0, 100, 101]
    # A refused write does not; nor does a read, nor a write of anything else.
    for other in (RegAccess(True, STEP, 1 << 24), READ_STEP, RegAccess(True, SEED, 5), RegAccess(True, 0xFFF, 5)):
        got = run([(2, other), (3, READ_STEP)], steps=(1, 2))
        assert got.reg_answers[1].data == 2
    # While a write waits, steps count.
    got = run([(1, write), (5, READ_STEP)], [(0, UPDATE)], steps=(2, 3, 4))
    assert got.reg_accept.tolist() == [4, 5]
    assert got.reg_answers[1].data == 100


def test_steps_stay_at_their_largest():
    top = (1 << 24) - 1
    got = run([(0, RegAccess(True, STEP, top - 1)), (1, READ_STEP), (4, READ_STEP)], steps=(1, 2, 3))
    assert [answer.data for answer in got.reg_answers[1:]] == [top - 1, top]


@pytest.mark.parametrize(("step", "n"), [(7, 3), (8, 2), (9, 2)])
def test_an_update_uses_step_as_at_a(step, n):
    schedule = [(0, RegAccess(True, 0x240, 1 << 28 | 2 << 24 | 1)), (0, RegAccess(True, 0x241, 0x43))]
    rules = [(0, RegAccess(True, 0x209, 0x080100))]  # a dwell of 1
    got = run([*schedule, *rules], [(8, UPDATE)], steps=(step,))
    assert got.upd_accept.tolist() == [8]
    assert got.upd_answers[0].n == n


def test_draws_follow_the_seed_that_was_written_before():
    random = [(0, RegAccess(True, TOLERANCE + 8, Tolerance(65535, 1).word))]
    first = run(random, [(1, UPDATE)] * 3)
    again = run([*random, (6, RegAccess(True, SEED, 1))], [(1, UPDATE)] * 3)
    assert again.reg_accept.tolist() == [0, 9]
    tolerances = [[answer.tolerance for answer in got.upd_answers] for got in (first, again)]
    assert tolerances[0][:2] == tolerances[1][:2]
    assert tolerances[1][2] == tolerances[0][0] != tolerances[0][2]


def test_most_is_in_force_from_the_next_cycle():
    entries = [(0, RegAccess(True, 0, 0x40A)), (0, RegAccess(True, 2, 0x400))]
    got = run([*entries, (3, RegAccess(True, ORDER, 1))], ords=[(2, QUERY._replace(y=(2, 0))), (2, QUERY)])
    assert got.ord_accept.tolist() == [2, 7]
    assert [answer.order for answer in got.ord_answers] == [2, 1]


def test_what_lies_behind_the_horizon_is_absent():
    for horizon, accepted, answered in ((5, 0, 0), (6, 1, 0), (9, 1, 0), (10, 1, 1)):
        got = run(upds=[(5, UPDATE)], ords=[], horizon=horizon)
        assert (got.upd_accept[0] == 5, got.upd_answer[0] == 9) == (bool(accepted), bool(answered))
        assert (got.upd_answers[0] is not None) == bool(answered)
        assert got.busy.tolist() == ([[6, min(9, horizon)]] if accepted else [])
    got = run([(5, READ_STEP)], horizon=6)
    assert (got.reg_accept.tolist(), got.reg_answer.tolist(), got.reg_answers) == ([5], [-1], [None])


def test_what_is_never_offered_holds_up_its_stream():
    got = run([(0, READ_STEP), (-1, READ_STEP), (9, READ_STEP)], [(1, UPDATE)])
    assert got.reg_accept.tolist() == [0, -1, -1]
    assert got.upd_accept.tolist() == [1]


def test_requests_without_offers_are_named():
    with pytest.raises(ValueError, match="1 requests in upds, but 0 cycles in upd_offer"):
        Stimulus(FOUR, upds=[UPDATE], horizon=5)


def test_long_quiet_runs_are_quick():
    rng = np.random.default_rng(1)
    offers = np.sort(rng.integers(0, 5_000_000, 200)).tolist()
    start = time.perf_counter()
    got = run(upds=[(at, UPDATE) for at in offers], steps=tuple(range(0, 5_000_000, 100_000)), horizon=10_000_000)
    assert (got.upd_answer > 0).all()
    assert time.perf_counter() - start < 1


# ---- second structure ------------------------------------------------------------------------------------------------
def stepping(stim: Stimulus) -> Prediction:
    """The same, cycle by cycle: ready from valid, a counter of busy cycles, answers in a pipeline."""
    laps = Laps(stim.params)
    names = ("reg", "upd", "ord")
    work = {"reg": stim.regs, "upd": stim.upds, "ord": stim.ords}
    offers = {name: deque(getattr(stim, f"{name}_offer").tolist()) for name in names}
    accept = {name: [] for name in names}
    answer = {name: [] for name in names}
    answers = {name: [] for name in names}
    pulses = set(stim.steps.tolist())
    due: deque[tuple[int, str, object]] = deque()
    left = 0
    for now in range(stim.horizon):
        while due and due[0][0] == now:
            _, name, what = due.popleft()
            answer[name].append(now)
            answers[name].append(what)
        valid = [name for name in names if offers[name] and 0 <= offers[name][0] <= now]
        written = False
        if left:
            left -= 1
        elif valid:
            name = valid[0]
            offers[name].popleft()
            request = work[name][len(accept[name])]
            accept[name].append(now)
            if name == "reg" and request.write:
                code = laps.write(request.addr, request.data)
                written = request.addr == STEP and code == RegCode.OK
                due.append((now + 1, name, RegAnswer(code)))
            elif name == "reg":
                due.append((now + 1, name, RegAnswer(*laps.read(request.addr))))
            else:
                what = laps.update(*request) if name == "upd" else laps.order(*request)
                due.append((now + 4, name, what))
                left = 3
        if now in pulses and not written:
            laps.step()

    def fill(values: list, name: str, missing: object) -> list:
        return values + [missing] * (len(work[name]) - len(values))

    columns = []
    for name in names:
        columns += [
            np.array(fill(accept[name], name, -1), np.int64), np.array(fill(answer[name], name, -1), np.int64),
            fill(answers[name], name, None),
        ]  # fmt: skip
    return Prediction(*columns, stim.horizon)


def differences(one: Prediction, other: Prediction) -> list[str]:
    return [
        name
        for name, value in vars(one).items()
        if (value.tolist() if isinstance(value, np.ndarray) else value)
        != (getattr(other, name).tolist() if isinstance(value, np.ndarray) else getattr(other, name))
    ]


def random_work(rng: np.random.Generator, size: int = 60) -> Stimulus:
    """Requests of every kind, also illegal ones, at rates from sparse to more than the machine can take."""
    known = addresses(4)

    def offers() -> np.ndarray:
        return np.cumsum(rng.integers(0, rng.choice([1, 2, 6, 12]) + 1, size)) + rng.integers(0, 8)

    def place() -> tuple[int, int]:
        return int(rng.integers(0, 4 + (rng.random() < 0.1))), int(rng.integers(4))

    regs = []
    for _ in range(size):
        addr = int(rng.choice(known)) if rng.random() < 0.7 else STEP
        data = int(rng.choice([0, 5, 0x200, 0x3C5, 0x20041, 0x1F000005, (1 << 24) - 1]))
        regs.append(RegAccess(bool(rng.random() < 0.5), addr, data))
    upds = [
        Update(*place(), TensorStats(64, int(rng.random() < 0.2), int(rng.integers(0, 60)), int(rng.integers(0, 50)),
                                     int(rng.integers(0, 5000))))
        for _ in range(size)
    ]  # fmt: skip
    ords = [Query(place(), place(), place(), int(rng.integers(0, 300))) for _ in range(size)]
    horizon = int(rng.integers(1, 900))
    steps = np.flatnonzero(rng.random(horizon) < 0.3)
    return Stimulus(FOUR, regs, offers(), upds, offers(), ords, offers(), steps, horizon)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 32))
def test_equals_a_machine_that_steps_every_cycle(seed):
    stim = random_work(np.random.default_rng(seed))
    assert differences(predict(stim), stepping(stim)) == []


def test_the_comparison_can_fail(monkeypatch):
    stim = replace(random_work(np.random.default_rng(1)), horizon=900)
    assert differences(predict(stim), stepping(stim)) == []
    got = predict(stim)
    assert set(got.reg_answers) >= {RegAnswer(RegCode.VALUE)}
    monkeypatch.setattr(cycle, "BUSY_CYCLES", 4)
    assert "upd_answer" in differences(predict(stim), stepping(stim))
    monkeypatch.undo()
    assert "reg_answers" in differences(predict(replace(stim, steps=stim.steps + 1)), stepping(stim))


def test_entries_of_observations_are_those_of_the_table():
    got = run([(40, RegAccess(False, 2)), (40, RegAccess(False, 3))], [(0, UPDATE)] * 7)
    _, answer = got.observed[-1]
    assert Entry.of((got.reg_answers[0].data, got.reg_answers[1].data)) == answer.entry
    assert answer.entry.bits == got.reg_answers[1].data << 32 | got.reg_answers[0].data
