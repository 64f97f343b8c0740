"""What a divergence says: fields by name, hexadecimal, and only those that differ."""

from __future__ import annotations

from enum import IntEnum
from types import SimpleNamespace

import numpy as np
import pytest
from pyuvm import ConfigDB, uvm_root

from models.laps.config import LAYOUTS, Entry
from tb.laps.trace import OBS_DTYPE, UNPACK
from tb.lib.scoreboard import MOST_FIELDS, Scoreboard, Verdict, bits, compare_tables, named, word_fields
from tb.lib.testbase import BlockTest

DTYPE = np.dtype([("cycle", "<i8"), ("valid", "<i8"), ("word", "<u4"), ("code", "u1"), ("lane", "<i4", (12,))])
WORD = {"word": bits(("shift", 4), ("", 4), ("k", 8))}


class Code(IntEnum):
    OK = 0
    RANGE = 3


def line(got, want, **more):
    """What is said of two tables of an entry or none each."""
    verdict = Verdict()
    tables = [np.array([each] if each else [], DTYPE) for each in (got, want)]
    assert compare_tables(verdict, "here", "entry", *tables, layouts={**WORD, "code": named(Code)}, **more) == (
        got == want
    )
    return verdict.first.line() if verdict.first else ""


LANES = tuple(range(12))


@pytest.mark.parametrize(
    ("got", "want", "said"),
    [
        ((7, 6, 0x0309, 0, LANES), (7, 6, 0x0308, 0, LANES), "here at cycle 7: entry 0: word.shift 0x9 expected 0x8"),
        ((7, 6, 0x0309, 3, LANES), (7, 6, 0x0209, 0, LANES), "word.k 0x3 expected 0x2, code RANGE expected OK"),
        ((7, 6, 0, 9, LANES), (7, 6, 0, 0, LANES), "code 0x9 expected OK"),
        ((7, 6, 0x80, 0, LANES), (7, 6, 0, 0, LANES), "word as a whole 0x80 expected 0x0"),
        ((9, 6, 0, 0, LANES), (7, 5, 0, 0, LANES), "here at cycle 7: entry 0: cycle 9 expected 7, valid 6 expected 5"),
        ((7, 6, 0, 0, (-5, *LANES[1:])), (7, 6, 0, 0, LANES), "lane[0] -0x5 expected 0x0"),
        ((7, 6, 0, 0, (99,) * 12), (7, 6, 0, 0, LANES), f"and {12 - MOST_FIELDS} more fields"),
    ],
)
def test_only_what_differs_is_said(got, want, said):
    text = line(got, want)
    assert said in text
    assert "observed" not in text
    differing = {name for name, mine, other in zip(DTYPE.names, got, want, strict=True) if mine != other}
    assert {name for name in DTYPE.names if f" {name}" in text.partition("entry 0:")[2]} == differing


def test_elements_of_a_column_have_layouts_of_their_own():
    verdict = Verdict()
    got, want = (np.array([(7, 6, 0, 0, (0, lane, *[0] * 10))], DTYPE) for lane in (0x21, 0x11))
    layouts = {"lane[1]": bits(("low", 4), ("high", 4))}
    compare_tables(verdict, "here", "entry", got, want, layouts=lambda entry: layouts if entry["lane"][1] == 17 else {})
    assert verdict.first.line().endswith("entry 0: lane[1].high 0x2 expected 0x1")


def test_an_entry_that_is_missing_is_said_whole():
    entry = (7, 6, 0x0309, 3, LANES)
    assert line(None, entry).startswith(
        "here at cycle 7: entry 0: observed nothing, expected cycle=7, valid=6, word.shift=0x9, word.k=0x3, code=RANGE"
    )
    assert ": entry 0: observed cycle=7, " in line(entry, None)
    assert line(entry, entry) == ""


def test_cycles_are_those_of_the_bench():
    text = line((9, 6, 0, 0, LANES), (7, 5, 0, 0, LANES), base=100)
    assert text == "here at cycle 107: entry 0: cycle 109 expected 107, valid 106 expected 105"


def test_a_single_word():
    assert word_fields(0x0309, 0x0209, WORD["word"]) == (("k", "0x3", "0x2"),)
    assert word_fields(0x10, 0x20, WORD["word"]) == (("word as a whole", "0x10", "0x20"),)
    assert word_fields(5, 5, WORD["word"]) == ()


def test_an_entry_of_laps_is_decoded():
    """The words that LAPS shows hold what its model's entry holds."""
    word, signal = Entry().words
    good = np.array([(4, word, signal, 0, 0, 0)], OBS_DTYPE)
    for name, field in (("word", LAYOUTS["ENTRY0"].fields[0]), ("signal", LAYOUTS["ENTRY1"].fields[0])):
        bad = good.copy()
        bad[name] ^= 1 << field.low
        verdict = Verdict()
        assert not compare_tables(verdict, "entry", "update", bad, good, layouts=UNPACK["obs"])
        assert [each[0] for each in verdict.first.fields] == [f"{name}.{field.name}"]


def test_a_test_that_would_judge_by_itself_is_refused() -> None:
    with pytest.raises(TypeError, match="Mine: a test concludes"):
        type("Mine", (BlockTest,), {"judge": lambda self: None})


def test_a_scoreboard_takes_what_it_declares() -> None:
    uvm_root().clear_hierarchy()
    board = Scoreboard("scoreboard", None)
    board.build_phase()
    board.tell({"cycles": 3})
    assert (board.cycles, board.is_told) == (3, True)
    with pytest.raises(AttributeError, match="Scoreboard declares no cylces"):
        board.tell({"cylces": 3})


@pytest.mark.parametrize("diverges", [False, True])
def test_what_diverged_before_the_judgement_fails_counts(diverges: bool) -> None:
    class Stumbles(Scoreboard):
        def judge(self) -> Verdict:
            if diverges:
                self.verdict.diverge("store", 7, "word 0", 1, 2)
            raise ValueError("shapes differ")

    uvm_root().clear_hierarchy()
    board = Stumbles("stumbles", None)
    board.build_phase()
    board.is_told = True
    ConfigDB().set(None, "*", "RUN", SimpleNamespace(check="all"))
    board.check_phase()
    assert (board.failure is None) == diverges
    assert (board.verdict.first is not None) == diverges
