"""Programs of a host that keeps no rules: their listings, what is expected of them, and that the checks fail when they
should, with a short program."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from flow.core.simulate import run
from models.common.commands import Engine
from models.top.config import Buffer, Code, ErrorRecord, Gemm, Load, Opt, Reg, Store, TopParams, command_of
from models.top.value import Processor
from tb.lib.paths import ROOT
from tb.optc.sequences import PLAIN
from tb.top.abuse.base import KEPT, SIZES
from tb.top.abuse.draw import MIXES, edges, programs, pushes
from tb.top.abuse.good import make_good
from tb.top.abuse.judge import AR, AW, END, LAST_FLAG, RESET, B, Finding, M, R, S, W, Watcher, outcome
from tb.top.abuse.program import (
    Breach,
    Hold,
    Item,
    ProgramError,
    Push,
    ReadFrom,
    Reset,
    Words,
    WriteTo,
    listing,
    parse,
    read_program,
    script_of,
)
from tb.top.block import BLOCK
from tb.top.testlist import SMALL

PARAMS = TopParams(rows=2, depth=32, layers=4, **SIZES)
QUIET = hypothesis.settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)
LOAD = Load(target=Buffer.X, count=2)


# ---- listings --------------------------------------------------------------------------------------------------------
@QUIET
@hypothesis.seed(1)
@hypothesis.given(st.sampled_from(sorted(MIXES)).flatmap(lambda mix: programs(MIXES[mix], PARAMS)))
def test_a_listing_says_it_all(program: list[Item]) -> None:
    assert parse(listing(program, "a remark")) == program
    assert len(script_of(program).bytes_of(64, 1000)) % 24 == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pusch words=1", "line 2: pusch is none of push, write, read, words, hold, reset, breach"),
        ("push", "line 2: push needs words"),
        ("push words=1 now", "each as name=value, not now"),
        ("push words=0x100000000", "it is a number of 32 bits"),
        ("push words=" + ",".join("1" * 17), "a command has 16 words"),
        ("read address=x", "line 2: address=x: invalid literal"),
        ("hold channel=aw", "channel is one of b, r, m"),
        ("reset after=-1", "it is a number of 32 bits"),
    ],
)
def test_a_bad_line_is_named(line: str, said: str) -> None:
    with pytest.raises(ProgramError) as failure:
        parse(f"read address=0\n{line}")
    assert said in str(failure.value)


def test_what_is_kept_can_be_read() -> None:
    for path in KEPT.glob("*.txt"):
        assert read_program(path)


def test_a_program_that_is_too_long() -> None:
    with pytest.raises(ProgramError, match="too long"):
        script_of([Words(100)] * 41).bytes_of(1, 1)


# ---- how commands may end --------------------------------------------------------------------------------------------
@hypothesis.settings(QUIET, max_examples=400)
@hypothesis.seed(1)
@hypothesis.given(pushes(PARAMS), edges(7))
def test_the_model_ends_commands_as_expected(push: Push, packet: int) -> None:
    """The value model, which knows more, never ends a command in another way; where one end is expected, in this."""
    command = command_of(push.words)
    expected = outcome(command, PARAMS, packet or 1)
    if expected.cycles > 3000:
        return
    stream = np.zeros((packet or 1, 16), np.uint8) if isinstance(command, Load) else None
    error = Processor(PARAMS).execute(command, stream_in=stream).error or ErrorRecord(Code.OK, Engine.LOAD)
    assert (int(error.code), error.detail) in expected.ends


def test_ends_that_are_certain() -> None:
    certain = {
        (Code.OK, 0): Store(target=Buffer.Y, count=64),
        (Code.RANGE, 0): Store(target=Buffer.Y, count=65),
        (Code.SIZE, 0): Gemm(m=16384),
        (Code.OPERATION, 0): Gemm(target=1),
        (Code.GEMM, 3): Gemm(reduce_factor=3),
    }
    for end, command in certain.items():
        assert outcome(command, PARAMS).ends == {(int(end[0]), end[1])}
    assert outcome(LOAD, PARAMS, 2).ends == {(0, 0)}
    assert outcome(LOAD, PARAMS, 3).ends == {(4, 0)}
    assert outcome(Gemm(m=16383, k=3), PARAMS).cycles > 16383 * 3


def test_ends_of_products_that_feed() -> None:
    kept = Opt(fed=True, config=replace(PLAIN, n=32))
    gemm = Gemm(m=2, k=5, n=16, n_x=1, n_w=1, y_bits=4, feeds=True, y_first=PARAMS.y_words)
    refused, far = replace(kept, config=replace(kept.config, copy_shift=32)), replace(kept, state=PARAMS.s_words - 7)
    for pass_, command, end in (
        (kept, gemm, (Code.OK, 0)), (None, gemm, (Code.FEED, 0)), (kept, replace(gemm, m=3), (Code.FEED, 0)),
        (refused, gemm, (Code.OPTC, 10)), (far, gemm, (Code.RANGE, 0)), (None, refused, (Code.OK, 0)),
    ):  # fmt: skip
        assert outcome(command, PARAMS, kept=pass_).ends == {(int(end[0]), end[1])}
        model = Processor(PARAMS)
        if pass_:
            model.execute(pass_)
        error = model.execute(command).error or ErrorRecord(Code.OK, Engine.COMPUTE)
        assert (error.code, error.detail) == end
    ends = outcome(replace(gemm, planned=True), PARAMS).ends
    assert (Code.FEED, 0) in ends
    assert (Code.OK, 0) not in ends


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_the_good_program_fails_nowhere(cores: int) -> None:
    params = TopParams(cores=cores, rows=2, depth=32, layers=4, **SIZES)
    model = Processor(params)
    for planned in (False, True):
        good = make_good(params, planned)
        model.run(good.actions)
        assert model.error is None
        words = np.array([[word & 0xFFFF for word in packet][:4] for packet in good.packets])
        assert (words != 0).any(axis=1).all()


# ---- what the watcher notices ----------------------------------------------------------------------------------------
def _log(*records: Sequence[int]) -> np.ndarray:
    """A script's log: records of kind and data."""
    rows = [(cycle, kind, *data, *[0] * (4 - len(data))) for cycle, (kind, *data) in enumerate(records)]
    return np.array([*rows, (len(rows), END, 0, 0, 0, 0)], np.uint32)


def _push(words: Sequence[int], identifier: int = 7, answer: int = 0) -> list[tuple[int, ...]]:
    """The log of a push."""
    writes = [(Reg.CMD + 4 * at, word) for at, word in enumerate(words)] + [(Reg.PUSH, identifier)]
    return [each for address, data in writes for each in ((AW, address), (W, data), (B, answer))]


def _watched(*records: Sequence[int]) -> Watcher:
    watcher = Watcher(PARAMS)
    watcher.follow(_log(*records))
    return watcher


TAKEN = [(S, 0), (S, 1)]
ERRORS = {
    "what is right": (TAKEN, 1, 0, 0, ""),
    "a done counter": (TAKEN, 0, 0, 0, "commands of LOAD that are done"),
    "busy at the end": (TAKEN, 1, 0, 1, "STATUS.busy"),
    "a wrong code": (TAKEN, 1, 0x01_07_00_03, 0, "code and detail of command 7 of engine 0: observed RANGE 0"),
    "an unknown code": (TAKEN, 1, 0x01_07_00_0F, 0, "observed 15 0"),
    "a wrong identifier": ([(S, 1)], 1, 0x01_08_00_04, 0, "command 8 of engine 0"),
    "an early end": ([(S, 1)], 1, 0x01_07_00_04, 0, ""),
    "an error untold": ([(S, 1)], 1, 0, 0, "ERROR.count"),
    "too many errors": ([(S, 1)], 1, 0x02_07_00_04, 0, "ERROR.count"),
    "words that nobody had to take": ([*TAKEN, (S, 1)], 1, 0, 0, "packets that no load took"),
    "words that nobody asked for": ([*TAKEN, (M | LAST_FLAG, 1)], 1, 0, 0, "words of every packet out"),
    "a command that could start": ([], 0, 0, 1 << 4, "Load of LOAD"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_the_end_of_a_command(case: str) -> None:
    words, done, error, status, said = ERRORS[case]
    watcher = _watched(*_push(LOAD.words()), *words)
    if not said:
        assert watcher.ended(done, error, status)
        return
    with pytest.raises(Finding) as failure:
        watcher.ended(done, error, status)
    assert said in str(failure.value)


def test_waiting_for_what_never_comes_is_no_fault() -> None:
    words = Load(target=Buffer.X, wait_store=1).words()
    assert not _watched(*_push(words)).ended(0, 0, 1 << 4)


def test_a_refused_push_is_no_command() -> None:
    assert _watched(*_push(LOAD.words(), answer=2)).ended(0, 0, 0)


def test_a_reset_forgets() -> None:
    assert _watched(*_push(LOAD.words()), (RESET, 0), (RESET, 1)).ended(0, 0, 0)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([(AW, 0), (B, 0)], "answers to writes"),
        ([(AW, 0), (W, 0), (B, 1)], "EXOKAY"),
        ([(R, 0)], "answers to reads"),
        ([(AR, 0), (R, 1)], "EXOKAY"),
        ([(AR, 4), (R, 4 << 2 | 3)], "data of a read of 0x4 that failed"),
        ([(8, 6)], "law: a word out"),
    ],
)
def test_an_answer_that_is_wrong(records: list[tuple[int, ...]], said: str) -> None:
    with pytest.raises(Finding) as failure:
        _watched(*records)
    assert said in str(failure.value)


@pytest.mark.parametrize("records", [[(AW, 0), (W, 0)], [(AR, 0)]])
def test_an_access_without_an_answer(records: list[tuple[int, ...]]) -> None:
    with pytest.raises(Finding, match="answers to"):
        _watched(*records).answered()


def test_half_an_access_is_ended() -> None:
    assert _watched((AW, 0)).half_access() == (0, 1)
    assert _watched((W, 0)).half_access() == (1, 0)


_ITEMS: list[Item] = [
    Push(tuple(LOAD.words())), WriteTo(4), ReadFrom(0), Words(2, 2), Hold("m", 0, 5), Reset(9),
    Breach("s", 3, 1 << 128),
]  # fmt: skip


def test_every_kind_of_item_is_played() -> None:
    script = script_of(_ITEMS)
    assert {name: len(records) for name, records in script.records.items()} == {
        "aw": 18, "w": 18, "ar": 1, "s": 3, "b": 0, "r": 0, "m": 1, "reset": 2,
    }  # fmt: skip


# ---- faults ----------------------------------------------------------------------------------------------------------
HANG = ("top_load.sv", "Swallow: if (take && s_last_i) state_q", "Swallow: if (take && s_last_i && !range_q) state_q")
CODE = ("top_store.sv", "(words == '0) ? top_pkg::CmdSize", "(words == '0) ? top_pkg::CmdRange")


@pytest.mark.late
@pytest.mark.parametrize(
    ("fault", "boundary", "items"), [(HANG, "end", {"push", "words"}), (CODE, "error", {"push"})], ids=["hang", "code"]
)
def test_a_fault_is_found_and_its_program_is_short(
    tmp_path: Path, fault: tuple[str, str, str], boundary: str, items: set[str]
) -> None:
    """A load that never ends, a code of another error: the shortest program has an item or two, and fails again."""
    name, old, new = fault
    shutil.copytree(ROOT / "rtl", tmp_path / "rtl")
    path = tmp_path / "rtl/top" / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    config = {"mix": "commands", "programs": 400, "reduced": True}
    found = run(BLOCK, "verilator", "abuse", 1, SMALL, config, src_root=tmp_path, quick=True)
    assert found.result is not None
    assert found.result["first_divergence"]["boundary"] == boundary
    program = parse("\n".join(found.result["report"]["program"]))
    assert {item.NAME for item in program} == items
    assert len(program) == len(items)
    config = {"program": str(found.run_dir / "program.txt"), "reduced": True}
    again = run(BLOCK, "verilator", "abuse", 1, SMALL, config, src_root=tmp_path, quick=True)
    assert again.error == found.error
    assert again.result is not None
    assert again.result["report"]["programs"] == 2
