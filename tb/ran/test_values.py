"""CHECK=value of the RAN: what a core with other cycles may do, and every fault at the outputs is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.common.formats import YBits
from models.common.rounding import Round
from models.ran.config import RanDescriptor, RanParams, Start
from models.ran.cycle import CANCEL_DTYPE, Stimulus, predict
from tb.lib.scoreboard import Verdict, answer_table
from tb.ran.program import Program
from tb.ran.trace import RanTraces
from tb.ran.values import Inputs, ValueJudge

PARAMS = RanParams(4, 8)
HORIZON = 1500


def _program() -> Program:
    rng = np.random.default_rng(5)
    program = Program(PARAMS)
    common = {"lanes": 8, "k_len": 30, "x_slices": 2, "w_slices": 2}
    for desc in (
        RanDescriptor(YBits.B4, shift=6, n_jobs=9, stat_last=True, relu=True, **common),
        RanDescriptor(YBits.B16, round=Round.STOCHASTIC, shift=5, n_jobs=12, **common),
        RanDescriptor(YBits.RAW32, start=Start.BIAS, n_jobs=3, **common),
        RanDescriptor(7, n_jobs=3, **common),
        RanDescriptor(
            YBits.B8, round=Round.STOCHASTIC, shift=4, start=Start.PSUM32, n_jobs=4, stat_last=True, **common
        ),
        RanDescriptor(YBits.RAW64, n_jobs=3, stat_last=True, **common),
    ):
        number = program.descriptor(desc)
        if desc.y_bits > YBits.RAW64:
            continue
        if desc.start == Start.BIAS:
            program.bias(number, rng.integers(-1000, 1000, 8), framing=-1)
        for job in range(number, number + desc.n_jobs):
            if desc.start == Start.PSUM32:
                program.psum(job, rng.integers(-1000, 1000, 8))
            if job % 5 == 3:
                program.bypass(job)
                continue
            data = 2 * rng.integers(-200, 200, (int(rng.integers(1, 6)), 8))
            program.job(job, job % 4, [(data, rng.integers(0, 3, len(data)))], mask=int(rng.integers(4)))
    return program


def _inputs(program: Program, ready: float = 1.0) -> Inputs:
    """What a core with the page's cycles shows, from the model; sources without gaps, found by repetition."""
    prod, data = program.products()
    rng = np.random.default_rng(7)
    size = 2  # beats of a job's partial sums
    tags = sorted(program.psum_work)
    psum = np.concatenate([program.psum_work[tag] for tag in tags])
    last = np.arange(len(psum)) % size == size - 1
    stim = Stimulus(
        program.descs, np.zeros(len(program.descs), np.int64), prod, data, program.byp, np.zeros(0, CANCEL_DTYPE),
        program.bias_data, program.bias_last,
        np.zeros(len(program.bias_data), np.int64), psum, last, np.full(len(psum), -1, np.int64), HORIZON,
        None, rng.random(HORIZON) < ready, None,
    )  # fmt: skip
    for _ in range(400):
        want = predict(PARAMS, stim)
        before = np.concatenate([[0], want.prod_accept[:-1]])
        new = np.where(np.diff(prod["row"], prepend=255) != 0, 0, np.where(before >= 0, before + 1, -1))
        # The memory answers in the order of requests.
        asked = want.psum_req["tag"].tolist()
        tags = [*asked, *(tag for tag in tags if tag not in asked)]
        offer = np.full(len(psum), -1, np.int64)
        offer[: size * len(asked)] = (want.psum_req["cycle"][:, None] + 1 + np.arange(size)).ravel()
        if np.array_equal(new, prod["offer"]) and np.array_equal(offer, stim.psum_offer):
            break
        prod["offer"], stim.psum_offer = new, offer
        stim.psum_data = np.concatenate([program.psum_work[tag] for tag in tags])
    else:
        raise AssertionError("no fixed point")
    none: np.ndarray = np.zeros(0)
    traces = RanTraces(
        shift=none, shift_data=none, tree=none, tree_data=none, swap=none, swap_acc=none, quant_z=none,
        job_stat=want.job_stat, out=want.out, out_data=want.out_data, stat=want.stat, req=want.psum_req,
        rsp=answer_table(want.desc_accept, want.desc_code, HORIZON), bias_err=want.bias_err_cycle,
        psum_err=want.psum_err_cycle, reset=[], busy=[], psum_offer=stim.psum_offer, psum_accept=want.psum_accept,
        psum_data=stim.psum_data, psum_last=last, psum_tag=np.repeat(tags, size),
    )  # fmt: skip
    return Inputs(stim, traces, want.prod_accept, {"byp": want.byp_accept})


@pytest.fixture(scope="module")
def program() -> Program:
    return _program()


@pytest.fixture(scope="module")
def faultless(program: Program) -> Inputs:
    return _inputs(program)


def _judge(program: Program, inputs: Inputs, cut: bool = False) -> ValueJudge:
    judge = ValueJudge(Verdict(), PARAMS, [program], inputs, 4, cut)
    judge.judge()
    return judge


def test_the_page_s_own_cycles_pass(program: Program, faultless: Inputs) -> None:
    judge = _judge(program, faultless)
    assert judge.verdict.divergences == []
    assert judge.verdict.checks["value"] >= judge.least == 31 * 8 + 6
    assert judge.verdict.checks["cycle"] == 0
    lines = judge.timing()
    assert len(lines) == 3
    assert all(line.yours == line.model for line in lines)


def test_other_cycles_and_other_beats_pass(program: Program, faultless: Inputs) -> None:
    """Everything later, less regularly, and jobs that shared a beat in beats of their own."""
    late = copy.deepcopy(faultless)
    out, data = late.traces.out, late.traces.out_data
    rows, words = [], []
    for entry, beat in zip(out, data, strict=True):
        if entry["jobs"] == 1:
            rows.append(entry.copy())
            words.append(beat)
            continue
        size = 16 // int(entry["jobs"])
        for place in range(int(entry["jobs"])):
            alone = entry.copy()
            alone["jobs"], alone["tag"], alone["mask"] = 1, 0, 0
            alone["tag"][0], alone["mask"][0] = entry["tag"][place], entry["mask"][place]
            rows.append(alone)
            words.append(np.concatenate([beat[4 * place : 4 * place + 4], np.zeros(12, np.uint8)]))
        assert size >= 4
    late.traces.out, late.traces.out_data = np.array(rows, out.dtype), np.array(words)
    assert len(late.traces.out) > len(out)
    late.traces.out["valid_cycle"] += 3 + np.arange(len(rows))
    late.traces.out["cycle"] += 4 + np.arange(len(rows))
    for name in ("job_stat", "stat", "req", "rsp"):
        getattr(late.traces, name)["cycle"] += 2
    judge = _judge(program, late)
    assert judge.verdict.divergences == []
    assert [line.yours - line.model for line in judge.timing()][:2] == [3, 4 + len(rows) - 1]


def test_draws_belong_to_jobs_whatever_the_cycles(program: Program) -> None:
    """Of a core whose consumer stops, so that jobs leave in another order, results are the same; and with another
    number they are not."""
    slow = _inputs(program, 0.3)
    assert _judge(program, slow).verdict.divergences == []
    other = copy.deepcopy(program)
    for entry in other.work:
        entry.desc = replace(entry.desc, draw=entry.desc.draw + 1)
    assert any(each.boundary == "output" for each in _judge(other, slow).verdict.divergences)


def _bit(name: str, field: str, at: int = 2) -> Callable[[RanTraces], None]:
    def fault(traces: RanTraces) -> None:
        getattr(traces, name)[field][at] ^= 1

    return fault


def _data(at: int, byte: int) -> Callable[[RanTraces], None]:
    def fault(traces: RanTraces) -> None:
        traces.out_data[at, byte] ^= 1

    return fault


def _lose(name: str, at: int) -> Callable[[RanTraces], None]:
    def fault(traces: RanTraces) -> None:
        setattr(traces, name, np.delete(getattr(traces, name), at, axis=0))
        if name == "out":
            traces.out_data = np.delete(traces.out_data, at, axis=0)

    return fault


def _swap_beats(traces: RanTraces) -> None:
    """Two jobs of one row in the wrong order."""
    raw = np.flatnonzero(traces.out["bits"] == YBits.B16)
    one, two = raw[0], raw[1]
    for name in ("tag", "mask"):
        traces.out[name][[one, two]] = traces.out[name][[two, one]]
    traces.out_data[[one, two]] = traces.out_data[[two, one]]


@pytest.mark.parametrize(
    ("fault", "boundary"),
    [
        (_bit("rsp", "code", 3), "descriptor"),
        (_lose("rsp", 5), "descriptor"),
        (_data(0, 1), "output"),
        (_data(12, 0), "output"),
        (_data(-1, 15), "output"),
        (_bit("out", "last", 5), "output"),
        (_bit("out", "bits", 5), "output"),
        (_bit("out", "mask", 0), "output"),
        (_lose("out", 3), "output"),
        (_lose("out", -1), "output"),
        (_swap_beats, "output"),
        (_bit("job_stat", "overflow"), "statistic"),
        (_bit("job_stat", "zeros"), "statistic"),
        (_bit("job_stat", "max_bit"), "statistic"),
        (_bit("job_stat", "sum_abs"), "statistic"),
        (_bit("job_stat", "tag"), "statistic"),
        (_lose("job_stat", 4), "statistic"),
        (_bit("stat", "values", 1), "statistic"),
        (_bit("stat", "sum_abs", 1), "statistic"),
        (_lose("stat", 0), "statistic"),
        (_bit("req", "tag", 1), "psum"),
        (_lose("req", 0), "psum"),
        (_lose("bias_err", 0), "bias"),
    ],
)
def test_a_fault_is_named(
    program: Program, faultless: Inputs, fault: Callable[[RanTraces], None], boundary: str
) -> None:
    seen = copy.deepcopy(faultless)
    fault(seen.traces)
    divergences = _judge(program, seen).verdict.divergences
    assert divergences
    assert boundary in {each.boundary for each in divergences}


def test_a_job_that_leaves_before_its_products_or_twice(program: Program, faultless: Inputs) -> None:
    early = copy.deepcopy(faultless)
    early.traces.out["valid_cycle"] -= 30
    assert "before its last product" in _judge(program, early).verdict.divergences[0].line()
    twice = copy.deepcopy(faultless)
    twice.traces.out = np.concatenate([twice.traces.out, twice.traces.out[-4:]])
    twice.traces.out_data = np.concatenate([twice.traces.out_data, twice.traces.out_data[-4:]])
    assert "left before" in _judge(program, twice).verdict.divergences[0].line()
    nothing = copy.deepcopy(faultless)
    nothing.traces.out, nothing.traces.out_data = nothing.traces.out[:0], nothing.traces.out_data[:0]
    judge = _judge(program, nothing)
    assert "31 of 31 jobs" in judge.verdict.divergences[0].line()
    judge.verdict.divergences.clear()
    assert judge.verdict.error({"value": judge.least}).startswith("only ")


def test_a_reset_cuts_what_is_due_and_excuses_nothing_else(program: Program, faultless: Inputs) -> None:
    half = copy.deepcopy(faultless)
    middle = int(half.traces.out["cycle"][len(half.traces.out) // 2])
    half.stim = replace(half.stim, horizon=middle)
    for name in ("job_stat", "out", "stat", "req", "rsp"):
        table = getattr(half.traces, name)
        keep = table["cycle"] < middle
        setattr(half.traces, name, table[keep])
        if name == "out":
            half.traces.out_data = half.traces.out_data[keep]
    assert _judge(program, half, cut=True).verdict.divergences == []
    assert _judge(program, half).verdict.divergences
    half.traces.out_data[2, 0] ^= 1
    assert _judge(program, half, cut=True).verdict.divergences
