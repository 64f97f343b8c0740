"""Sampling of the OPTC's functional coverage: bins known by hand, and the steps against the value model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.common.rounding import Round
from models.optc.config import Mode, OptcConfig, Scalar
from models.optc.value import State, round_nearest, update
from tb.lib.coverage import Coverage, Merged, summarise
from tb.lib.runinfo import RunInfo
from tb.optc.coverage import (
    FRACTIONS,
    GROUPS,
    V_CLASSES,
    columns,
    fraction,
    functional_coverage,
    nearest,
    sample,
    sample_epochs,
    steps,
    v_class,
)
from tb.optc.program import Program
from tb.optc.sequences import PLAIN, corner_config, random_config, random_state
from tb.optc.test_scoreboard import LANES, Part, observed

STILL = replace(PLAIN, c1=Scalar(0, 0), c2=Scalar(0, 0), wd=Scalar(0, 0), step=Scalar(0, 40))
TOP = (1 << 31) - 1


def played(*parts: Part) -> Coverage:
    """Coverage of what a faultless core does."""
    board = observed(*parts).board()
    assert board.verdict.first is None
    return sample_epochs(LANES, board.epochs)


def tensor(config: OptcConfig, w: Any = 0, m: Any = 0, v: Any = 0, g: Any = 0) -> Coverage:
    """Coverage of one tensor of the given parameters."""
    state = np.broadcast_arrays(*(np.atleast_1d(np.array(x, np.int64)) for x in (w, m, v, g)))
    program = Program(LANES)
    program.tensor(replace(config, n=len(state[0])), tuple(state))
    return played(Part(program))


def hit(coverage: Coverage, group: str, item: str) -> dict[str, int]:
    """Bins with a count."""
    return {label: n for label, n in coverage.bins(group, item).items() if n}


# ------------------------------------------------------------------------------------------------------- the arithmetic
def test_fractions_and_nearest_one_by_one() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([np.arange(-40, 40), rng.integers(-(1 << 62), 1 << 62, 200), [-(1 << 62), 1 << 62]])
    for shift in (-3, 0, 1, 2, 5, 31, 62, 63):
        values = x >> 3 if shift < 0 else x
        places = np.full(len(x), shift)
        assert np.array_equal(nearest(values, places), round_nearest(values, shift))
        for value, label in zip(values.tolist(), fraction(values, places).tolist(), strict=True):
            if shift <= 0:
                assert label < 0
                continue
            floor, rest = value >> shift, 2 * (value & ((1 << shift) - 1))
            tie = "tie, goes up" if floor & 1 else "tie, goes down"
            step = 1 << shift
            want = "none" if rest == 0 else tie if rest == step else "below half" if rest < step else "above half"
            assert FRACTIONS[label] == want


@pytest.mark.parametrize("make", [random_config, corner_config])
@pytest.mark.parametrize("mode", Mode)
def test_steps_equal_the_model(make: Any, mode: Mode) -> None:
    """The state after the steps, and how many parameters saturated."""
    rng = np.random.default_rng(int(mode))
    saturated = np.zeros(3, np.int64)
    for _ in range(60):
        config = make(rng, 50, mode)
        state = random_state(rng, 50)
        want = update(config, State(*state[:3]), state[3], np.zeros(50, np.int64))
        table = {name: np.broadcast_to(each, 50) for name, each in columns([config]).items()}
        got = steps(table, *state, want.u)
        assert np.array_equal(got.next_m, want.state.m)
        assert np.array_equal(got.next_v, want.state.v)
        assert np.array_equal(got.next_w, want.state.w)
        limit = {name: bins > 0 for name, bins in got.limit.items()}
        counts = [
            (limit["w rescaled"] | limit["w updated"]).sum(),
            (limit["m rescaled"] | limit["m updated"]).sum(),
            (limit["v rescaled"] | limit["square"] | limit["v updated"]).sum(),
        ]
        assert counts == [want.statistics.sat_w, want.statistics.sat_m, want.statistics.sat_v]
        saturated += counts
    assert saturated.all()


def test_classes_of_v() -> None:
    v = np.array([0, 1, 2, 3, 4, 5, 6, 15, 1 << 30, (1 << 30) - 1, (1 << 30) + 1, (1 << 32) - 2, (1 << 32) - 1])
    labels = [V_CLASSES[at] for at in v_class(v)]
    assert labels == [
        "0", "4^k", "4^k + 1", "4^k - 1", "4^k", "4^k + 1", "other", "4^k - 1", "4^k", "4^k - 1", "4^k + 1", "other",
        "largest",
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------------- bins by hand
def test_nothing_is_covered_by_nothing() -> None:
    """Every item can be missed: neither no run nor an idle run hits a bin."""
    idle = observed(Part(Program(LANES), 30)).board().epochs
    for epochs in ([], idle):
        summary = summarise(Merged(sample_epochs(LANES, epochs), ["idle"]))
        assert summary["covered"] == 0
        assert len(summary["uncovered"]) == summary["total"] > 800


def test_configuration() -> None:
    coverage = tensor(replace(PLAIN, mode=Mode.MOMENTUM, pre_v=-3, fl_v=63, c1=Scalar(1, 0), clip=0))
    assert hit(coverage, "configuration", "pre_v_by_mode") == {"mode momentum, pre_v -3": 1}
    assert hit(coverage, "configuration", "c1_by_mode") == {"mode momentum, c1 1": 1}
    assert hit(coverage, "configuration", "step") == {"below 1": 1}
    assert hit(coverage, "configuration", "align") == {"1 to 6": 1}
    assert hit(coverage, "configuration", "fl_v") == {"63": 1}
    for item in ("square_shift", "clip", "eps_exp", "eps_mant", "c2"):  # what ADAM alone has
        assert hit(coverage, "configuration", item) == {}
    coverage = tensor(replace(STILL, clip=7, step=Scalar(1, 12), fl_w=28))
    assert hit(coverage, "configuration", "step_shift_by_mode") == {"mode ADAM, step_shift 0": 1}
    assert hit(coverage, "configuration", "square_shift") == {"16 to 31": 1}
    assert hit(coverage, "configuration", "clip") == {"2 to 65535": 1}
    assert hit(coverage, "configuration", "c1_by_c2") == {"c1 0, c2 0": 1}


def test_operands_of_live_lanes_alone() -> None:
    coverage = tensor(STILL, w=[-(1 << 31), -7, 0, 7, TOP], m=1, v=[0, 4, 5, 3, 9], g=-(1 << 20))
    # Five parameters; the padding of the second beat, ones, does not count.
    assert hit(coverage, "operands", "w") == {
        "most negative": 1, "-2^16 to -1": 1, "0": 1, "1 to 2^16 - 1": 1, "largest": 1,
    }  # fmt: skip
    assert hit(coverage, "operands", "g_by_m") == {"g below -2^16, m 1 to 2^16 - 1": 5}
    assert hit(coverage, "operands", "v") == {"0": 1, "4^k - 1": 1, "4^k": 1, "4^k + 1": 1, "other": 1}
    assert hit(coverage, "tensors", "remainder_by_beats") == {"beats 2 to 48, remainder 1": 1}


def test_moments() -> None:
    coverage = tensor(replace(PLAIN, c1=Scalar(1, 0), c2=Scalar(1, 0), fl_m=29, fl_v=30), m=[0, 5], v=[9, 0], g=[0, 5])
    # g = 0: v' = 0; g = 5: 25 * 2^-28 rounds to 0, so nothing is left of v either.
    assert hit(coverage, "moments", "first") == {"0": 2}
    assert hit(coverage, "moments", "second") == {"negative": 1, "0": 1}
    assert hit(coverage, "moments", "pairs") == {}
    assert hit(coverage, "quotient", "denominator") == {"eps, v' is 0": 2}
    coverage = tensor(STILL, v=[1, 2, 3 << 28, 1 << 31])
    assert hit(coverage, "moments", "normalised") == {
        "pairs 0, leading 10 or 11": 1, "pairs 1, leading 10 or 11": 1, "pairs 15, leading 01": 1,
        "pairs 15, leading 10 or 11": 1,
    }  # fmt: skip
    assert hit(tensor(replace(STILL, mode=Mode.MOMENTUM), v=5), "moments", "next_v") == {}


def test_roundings() -> None:
    config = replace(STILL, mode=Mode.MOMENTUM, wd=Scalar(1, 2))
    coverage = tensor(config, w=[4, 5, 2, 6, 7, -1])
    assert {label: n for label, n in hit(coverage, "rounding", "fractions").items() if "wd" in label} == {
        f"site wd, fraction {fraction}, sign {sign}": 1
        for fraction, sign in (
            ("none", "not negative"), ("below half", "not negative"), ("tie, goes down", "not negative"),
            ("tie, goes up", "not negative"), ("above half", "not negative"), ("above half", "negative"),
        )
    }  # fmt: skip
    # Nothing is shifted right elsewhere but by `step`, whose mantissa is 0.
    assert set(hit(coverage, "rounding", "site")) == {"wd", "step"}
    coverage = tensor(replace(STILL, pre_v=-2, fl_v=56, c2=Scalar(1, 1)), v=[4, 6], g=[1, 3])
    assert hit(coverage, "rounding", "site") == {"pre_v": 2, "square": 2, "c2": 2, "step": 2}


def test_saturations() -> None:
    config = replace(STILL, mode=Mode.MOMENTUM, pre_w=1, pre_m=1, pre_v=1, step=Scalar(1, 0), fl_m=28, copy_format=0)
    coverage = tensor(config, w=[TOP, -TOP], m=[TOP, -TOP], v=1 << 31)
    assert {label for label in hit(coverage, "saturation", "sites") if "none" not in label} == {
        "mode momentum, site w rescaled, limited high", "mode momentum, site w rescaled, limited low",
        "mode momentum, site m rescaled, limited high", "mode momentum, site m rescaled, limited low",
        "mode momentum, site v rescaled, limited high",
    }  # fmt: skip
    assert hit(coverage, "statistics", "counts")["mode momentum, field sat_v, count all"] == 1
    coverage = tensor(
        replace(PLAIN, c1=Scalar(1, 0), c2=Scalar(1, 0), fl_v=58, fl_m=36, step=Scalar(65535, 12)),
        w=[-TOP, TOP], g=[TOP, -TOP],
    )  # fmt: skip
    sites = hit(coverage, "saturation", "sites")
    for site, limited in (("m updated", "high"), ("m updated", "low"), ("square", "high"), ("v updated", "high"),
                          ("w updated", "high"), ("w updated", "low")):  # fmt: skip
        assert f"mode ADAM, site {site}, limited {limited}" in sites


def test_quotients() -> None:
    # One to one: u = abs(m) * 2^(k + 16 + 15 - 31) / 2^15.
    config = replace(STILL, fl_v=30, fl_g=29, fl_m=31, eps_mant=1 << 15, eps_exp=0, clip=3)
    unit = 1 << 15
    coverage = tensor(config, m=[0, unit - 1, -unit, 3 * unit, 4 * unit - 1, 4 * unit])
    assert hit(coverage, "quotient", "sizes") == {
        "sign 0, size 0": 1, "sign positive, size 0": 1, "sign negative, size below clip": 1,
        "sign positive, size at clip": 2, "sign positive, size limited": 1,
    }  # fmt: skip
    assert hit(coverage, "quotient", "shift") == {"0": 6}
    assert hit(coverage, "statistics", "counts")["mode ADAM, field clipped, count some"] == 1
    # Denominators: the root of 2^30 is eps itself.
    coverage = tensor(config, m=unit, v=[0, 1 << 30, (1 << 30) - 1, 1 << 31])
    assert hit(coverage, "quotient", "denominator") == {
        "root": 1, "root, equal to eps": 1, "eps, v' is 0": 1, "eps, by its exponent": 1,
    }  # fmt: skip
    coverage = tensor(replace(config, eps_mant=40000), m=unit, v=1 << 30)
    assert hit(coverage, "quotient", "denominator") == {"eps, by its mantissa": 1}
    # A dividend that fills more than its 35 bits.
    coverage = tensor(replace(config, fl_m=0, fl_g=15, eps_exp=15), m=[0, 1])
    assert hit(coverage, "quotient", "sizes_by_shift") == {
        "shift 35 to 47, size 0": 1, "shift 35 to 47, size limited": 1,
    }  # fmt: skip


def test_weights_move() -> None:
    config = replace(STILL, mode=Mode.MOMENTUM, step=Scalar(1, 0), fl_m=28)
    coverage = tensor(config, w=10, m=[3, 0, -3])
    assert hit(coverage, "update", "directions") == {
        "mode momentum, u positive, moved down": 1, "mode momentum, u 0, moved not": 1,
        "mode momentum, u negative, moved up": 1,
    }  # fmt: skip


def test_copies() -> None:
    config = replace(STILL, copy_format=0, copy_shift=2, copy_round=int(Round.NEAREST))
    coverage = tensor(config, w=[4, 5, 6, 7, 100, -100])
    assert hit(coverage, "copy", "saturation") == {
        "format 4, limited none": 4, "format 4, limited high": 1, "format 4, limited low": 1,
    }  # fmt: skip
    # 6 / 4 is a tie that goes up, 7 / 4 goes up, 5 / 4 down; 4 has no fraction, the others are limited.
    assert hit(coverage, "copy", "raised_by_rounding") == {
        "rounding nearest, raised no": 1, "rounding nearest, raised yes": 2,
    }  # fmt: skip
    assert hit(coverage, "copy", "fraction") == {"none": 3, "below half": 1, "tie": 1, "above half": 1}
    assert hit(coverage, "copy", "rand_bits") == {}
    config = replace(config, copy_round=int(Round.STOCHASTIC), copy_rand_bits=2)
    assert hit(tensor(config, w=[4]), "copy", "rand_bits_by_format") == {"rand_bits 16, format 4": 1}


# ------------------------------------------------------------------------------------------- sequences, streams, resets
def test_answers() -> None:
    program, config = Program(LANES), replace(STILL, n=5)
    state = tuple(np.zeros((4, 5), np.int64))
    program.tensor(config, state)
    program.configs += [
        (config, False, 0),  # cycle 1: open
        (replace(config, n=0), False, 0),  # 10: draining
        (config, False, 0),  # 60: accepted
    ]
    program.load(5, state)
    program.configs.append((replace(config, clip=0), False, 0))  # while the record waits
    ready = np.ones(400, bool)
    ready[100:200] = False
    # The first tensor's record leaves at 53, that of the second waits from 113.
    coverage = played(Part(program, 400, cfg_offer=(0, 1, 10, 60, 150), stat_ready=ready))
    assert hit(coverage, "answers", "met_by_answer") == {
        "met idle, answer accepted": 2, "met open, answer refused": 1, "met draining, answer refused": 1,
        "met record waiting, answer refused": 1,
    }  # fmt: skip
    assert hit(coverage, "answers", "followed") == {
        "code OK, next refused": 2, "code BUSY, next refused": 1, "code COUNT, next accepted": 1,
    }  # fmt: skip
    assert hit(coverage, "answers", "code") == {"OK": 2, "BUSY": 1, "COUNT": 1, "CLIP": 1}
    # Taken at 53, after the first record, and at 201, after the second.
    assert hit(coverage, "answers", "wait") == {"0": 3, "10-99": 2}
    assert hit(coverage, "streams", "stat_wait") == {"0": 1, "10-999": 1}


def test_transitions() -> None:
    program = Program(LANES)
    for mode, more in ((Mode.ADAM, {}), (Mode.MOMENTUM, {}), (Mode.MOMENTUM, {"wd": Scalar(1, 4)})):
        program.tensor(replace(STILL, mode=mode, n=4, **more), tuple(np.zeros((4, 4), np.int64)))
    coverage = played(Part(program))
    assert hit(coverage, "tensors", "transitions") == {
        "mode_from momentum, mode_to momentum, rest other": 1, "mode_from ADAM, mode_to momentum, rest same": 1,
    }  # fmt: skip
    assert hit(coverage, "tensors", "pause") == {"1": 2}


def test_waits() -> None:
    program, n = Program(LANES), 60 * LANES
    program.tensor(replace(STILL, n=n), tuple(np.zeros((4, n), np.int64)))
    offer = np.arange(60) + 1
    offer[10:] += 3  # three idle cycles before beat 10; the first beat is taken at 1
    ready = np.ones(400, bool)
    ready[55] = False  # beat 5, offered at 55, waits a cycle
    coverage = played(Part(program, 400, beat_offer=offer, out_ready=ready))
    assert hit(coverage, "streams", "out_wait_by_mode") == {"mode ADAM, out_wait 0": 59, "mode ADAM, out_wait 1": 1}
    assert hit(coverage, "streams", "gap") == {"0": 49, "2-48": 1}
    # Beats 51 to 59 come a cycle late: beat 51 is offered when the pipeline is held.
    assert hit(coverage, "streams", "in_waits") == {"cause none, in_wait 0": 51, "cause pipeline held, in_wait 1": 9}
    # Taken by then: beats up to 50, of which 5 have left.
    assert hit(coverage, "streams", "held_by_mode") == {"mode ADAM, held 2 to 48": 1}
    assert hit(coverage, "streams", "out_wait_by_last") == {
        "out_wait 0, last no": 58, "out_wait 0, last yes": 1, "out_wait 1, last no": 1,
    }  # fmt: skip
    early = Program(LANES)
    early.tensor(replace(STILL, n=4), tuple(np.zeros((4, 4), np.int64)))
    coverage = played(Part(early, cfg_offer=(30,)))
    assert hit(coverage, "streams", "in_waits") == {"cause no tensor open, in_wait 10-999": 1}


def test_draws() -> None:
    program = Program(LANES)
    zero = tuple(np.zeros((4, 12), np.int64))
    config = replace(STILL, n=3 * LANES, copy_round=int(Round.STOCHASTIC))
    for first in (0, 2**32 - 3, 2**32 - 2):
        program.tensor(replace(config, draw=first), zero)
    program.tensor(replace(config, copy_round=int(Round.NEAREST)), zero)
    coverage = played(Part(program))
    assert hit(coverage, "random", "number") == {"below 2^32": 2, "passes 2^32": 1}
    assert hit(coverage, "random", "draws") == {"2-99": 3}


@pytest.mark.parametrize(
    ("moment", "out", "stat", "states"),
    [
        (1, True, True, {"open, empty"}),
        (3, True, True, {"open, beats inside"}),
        (30, True, True, {"draining"}),
        (60, False, True, {"draining", "result held"}),
        (60, True, False, {"record waiting"}),
        (60, True, True, {"idle"}),
    ],
)
def test_state_at_reset(moment: int, out: bool, stat: bool, states: set[str]) -> None:
    cut, after = Program(LANES), Program(LANES)
    for program, mode in ((cut, Mode.ADAM), (after, Mode.MOMENTUM)):
        program.tensor(replace(STILL, mode=mode, n=12), tuple(np.zeros((4, 12), np.int64)))
    ready = np.full(moment, out), np.full(moment, stat)
    coverage = played(Part(cut, moment, out_ready=ready[0], stat_ready=ready[1]), Part(after))
    assert set(hit(coverage, "reset", "state")) == states
    assert set(hit(coverage, "reset", "state_by_behind")) == {f"state {state}, behind momentum" for state in states}
    assert hit(coverage, "reset", "mode") == ({} if states == {"idle"} else {"ADAM": 1})
    # Values count when their beat has left.
    left = states & {"idle", "record waiting"}
    assert sum(hit(coverage, "operands", "w").values()) == (24 if left else 12)


def test_only_a_reset_in_the_middle_counts() -> None:
    program = Program(LANES)
    program.tensor(replace(STILL, n=4), tuple(np.zeros((4, 4), np.int64)))
    assert hit(played(Part(program)), "reset", "state") == {}


# ------------------------------------------------------------------------------------------------------------- as a run
def test_random_streams_reach_no_unreachable_bin() -> None:
    rng = np.random.default_rng(9)
    total = Coverage(GROUPS)
    for make in (random_config, corner_config):
        program = Program(LANES)
        for number in range(60):
            config = make(rng, int(rng.integers(1, 40)), Mode(number % 2))
            program.tensor(config, random_state(rng, config.n))
        total.add(played(Part(program, 6000, out_ready=rng.random(6000) < 0.9)))
    summary = summarise(Merged(total, ["random"]))
    assert summary["contradictions"] == []
    assert summary["percent"] > 60


def test_values_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    program = Program(LANES)
    config = random_config(rng, 90, Mode.ADAM)
    program.tensor(config, random_state(rng, 90))
    epochs = observed(Part(program)).board().epochs
    whole = sample_epochs(LANES, epochs).as_dict()
    monkeypatch.setattr("tb.optc.coverage.BLOCK_BEATS", 4)
    assert sample_epochs(LANES, epochs).as_dict() == whole


def test_a_run_leaves_its_file_and_a_divergence_leaves_none(tmp_path: Path) -> None:
    program = Program(LANES)
    program.tensor(replace(STILL, n=4), tuple(np.zeros((4, 4), np.int64)))
    for name, drained in (("good", True), ("bad", False)):
        folder = tmp_path / name
        folder.mkdir()
        seen = observed(Part(program))
        seen.drained = drained
        info = RunInfo("optc", "verilator", "smoke", 1, run_dir=folder)
        coverage = sample(info, seen.board())
        assert (sum(int(counts.sum()) for *_, counts in coverage) > 0) == drained
        assert json.loads((folder / "functional.json").read_text(encoding="utf-8"))["passed"] is drained
    results = [
        SimpleNamespace(run_dir=tmp_path / name, test="smoke", seed=1, sim="verilator", passed=name == "good")
        for name in ("good", "bad")
    ]
    merged = functional_coverage(results, tmp_path)
    assert not merged["passed"]
    assert 0 < merged["percent"] < 100
    assert merged["runs"] == ["smoke seed 1 verilator"]
