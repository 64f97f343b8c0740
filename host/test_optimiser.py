"""The host's rule: the recorded stream within its bars, streams of any scale, illegal values, and that each bar can
fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.fidelity import BARS, OFF, Fidelity, Run, measure, play
from host.optimiser import PRE_RANGE, Host, HostError, Rule
from models.common import floats
from models.optc.config import Mode, OptcConfig, RspCode, Scalar
from models.optc.value import State, round_nearest, update
from tb.lib.paths import ROOT

RULES = {"adam": Rule(Mode.ADAM, 1e-3), "momentum": Rule(Mode.MOMENTUM, 1e-2), "sgd": Rule(Mode.MOMENTUM, 0.1, 0.0)}


@pytest.fixture(scope="module")
def recorded() -> tuple[np.ndarray, np.ndarray]:
    with np.load(ROOT / "data" / "optc" / "digits_gradients.npz") as data:
        return data["g"].astype(np.float64), data["w0"].astype(np.float64)


def _nothing_saturates(run: Run) -> None:
    totals = run.host.totals
    assert (totals.sat_w, totals.sat_m, totals.sat_v, totals.sat_g) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", RULES)
def test_recorded_gradients_are_within_the_bars(name, recorded):
    g, w0 = recorded
    run = play(Host(RULES[name], w0), g)
    assert np.abs(run.start - w0).max() <= run.units_w[0] / 2
    _nothing_saturates(run)
    assert run.fidelity(g).missed() == []


def _judged(rule: Rule, g: np.ndarray) -> Fidelity:
    """A stream over weights of about .1."""
    w0 = 0.1 * floats.normal(np.random.default_rng(4), g.shape[1])
    return play(Host(rule, w0), g).fidelity(g)


def test_one_large_weight_does_not_hide_the_others():
    """Momentum on gradients with a spike of 1e6: the norm is that of the weight that moved by thousands, while the
    updates of all others lie below the grid that this weight sets."""
    g = 1e-3 * floats.normal(np.random.default_rng(5), (60, 24))
    assert _judged(Rule(Mode.MOMENTUM, 1e-2), g).missed() == []
    g[20, 3] = 1e6
    found = _judged(Rule(Mode.MOMENTUM, 1e-2), g)
    assert found.drift < BARS["drift"] / 100
    assert [name for name, *_ in found.missed()] == ["off_weights"]
    assert found.off_weights > 0.9
    assert found.apart[3] < OFF
    (cause,) = [text for text, members in found.causes.items() if members]
    assert "units of w" in cause
    assert found.causes[cause] == np.flatnonzero(found.apart > OFF).tolist()
    assert "weights 0, 1, 2, 4, 5, 6, 7, 9 and 14 more have updates below 50 units of w" in found.reasons()


def test_gradients_far_below_eps_are_told_as_such():
    """ADAM on gradients of 1e-12 with eps 1e-8: quotients of few units of u, every one of them cut."""
    g = 1e-12 * floats.normal(np.random.default_rng(6), (60, 24))
    found = _judged(Rule(Mode.ADAM, 1e-3, eps=1e-8), g)
    assert found.below_u < 0.5  # which alone would say that most updates are right
    assert found.off_weights > 0.8
    (cause,) = [text for text in found.causes if "gradients far below EPS" in text]
    assert found.causes[cause] == np.flatnonzero(found.apart > OFF).tolist()
    assert _judged(Rule(Mode.ADAM, 1e-3, eps=1e-20), g).missed() == []


def test_one_group_is_not_enough(recorded):
    """Why there are groups: bars on the tail and on the drift are missed without them."""
    g, w0 = recorded
    found = play(Host(RULES["adam"], w0, None), g).fidelity(g)
    assert [name for name, *_ in found.missed()] == ["p99", "drift", "off_weights"]
    assert found.drift > 0.03


def test_every_bar_can_be_missed(recorded):
    g, w0 = recorded[0][:60], recorded[1]

    def coarse(config: OptcConfig) -> OptcConfig:  # a step of 4 bits
        return replace(config, step=Scalar(config.step.mant & 0xF000, config.step.exp))

    found = play(Host(RULES["adam"], w0), g, coarse).fidelity(g)
    assert [name for name, *_ in found.missed()] == list(BARS)
    assert found.missed(("drift",)) == [("drift", found.drift, BARS["drift"])]


def test_what_is_not_a_number_is_missed(recorded):
    g, w0 = recorded[0][:3], recorded[1]
    run = play(Host(RULES["adam"], w0), g)
    nothing = np.full_like(run.w, np.nan)
    found = measure(RULES["adam"], g, run.start, nothing, nothing, run.units_w)
    assert [name for name, *_ in found.missed()] == list(BARS)


@st.composite
def _streams(draw, betas=((0.9, 0.999), (0.9, 0.99), (0.0, 0.9), (0.5, 0.5), (0.99, 0.9999), (0.9, 0.0))):
    """(rule, gradients, first weights): any scale, per parameter and over time."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps, size = draw(st.integers(1, 40)), draw(st.integers(1, 12))
    g = floats.normal(rng, (steps, size)) + draw(st.sampled_from([0.0, 1.0, 100.0]))
    g *= floats.power(10.0, draw(st.integers(-24, 14)))
    g *= floats.power(10.0, floats.uniform(rng, -draw(st.sampled_from([0, 3, 12])), 0, size))
    every, jump = draw(st.integers(1, 20)), draw(st.sampled_from([0, 1, 3, 6, -1, -3, -6]))
    g *= floats.power(10.0, np.clip(jump * (np.arange(steps) // every), -24, 12))[:, None]
    g *= rng.random((steps, size)) < draw(st.sampled_from([1.0, 1.0, 0.3, 0.02]))
    g[: draw(st.integers(0, 5))] = 0
    w0 = floats.normal(rng, size) * draw(st.sampled_from([0.0, 1e-6, 1.0, 1e6]))
    mode = draw(st.sampled_from(list(Mode)))
    beta1, beta2 = draw(st.sampled_from(betas))
    lr = draw(st.sampled_from([1e-8, 1e-3, 10.0, 1000.0]))
    decay = draw(st.sampled_from([0.0, 1e-4, 0.1])) if lr <= 10 else 0.0
    return Rule(mode, lr, beta1, beta2, draw(st.sampled_from([1e-8, 1e-30, 1e-3])), decay), g, w0


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_streams())
def test_any_stream_gets_legal_passes_without_saturation(stream):
    rule, g, w0 = stream
    run = play(Host(rule, w0), g)
    _nothing_saturates(run)
    for each in run.passes:
        assert each.config.check() == RspCode.OK
        for name in ("pre_w", "pre_m", "pre_v"):
            assert PRE_RANGE[0] <= getattr(each.config, name) <= PRE_RANGE[1]
    for t in range(len(g)):
        members = np.concatenate([each.members for each in run.passes if each.steps and each.step == t])
        assert np.array_equal(np.sort(members), np.arange(len(w0)))
    assert np.isfinite(run.w).all()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(_streams(((0.9, 0.999), (0.9, 0.99), (0.0, 0.9), (0.5, 0.5), (0.99, 0.9999))))
def test_updates_are_near_float64(stream):
    """Against the float64 optimiser with the core's own denominator and clip, whose definitions a host cannot change:
    the error is bounded by what the units of u, v and m leave, at any scale."""
    rule, g, w0 = stream
    rule = replace(rule, weight_decay=0.0)
    run = play(Host(rule, w0), g)
    m, v = np.zeros_like(w0), np.zeros_like(w0)
    total, most = np.zeros_like(w0), np.zeros_like(w0)
    for t, row in enumerate(g, start=1):
        if rule.mode == Mode.MOMENTUM:
            m = rule.beta1 * m + row
            total = rule.beta1 * total + np.abs(row)  # of which 16 bits of c1 lose a part
            most = np.maximum(most, total)
            bound = rule.lr * (1e-5 * np.abs(m) + 1e-5 * total / (1 - rule.beta1) + 1e-7 * most)
            want = rule.lr * m
        else:
            m = rule.beta1 * m + (1 - rule.beta1) * row
            v = rule.beta2 * v + (1 - rule.beta2) * row * row
            eps = rule.eps * np.sqrt(1 - rule.beta2**t)
            step = rule.lr * np.sqrt(1 - rule.beta2**t) / (1 - rule.beta1**t)
            u = np.clip(m / np.maximum(np.sqrt(v), eps), -8, 8)
            want, bound = step * u, step * (2e-3 * np.abs(u) + 1.1 * 2.0**-16)
        unit = max(run.units_w[t - 1], run.units_w[max(0, t - 2)])
        # A product below 2^-16 units of w may be lost where the step's exponent ends.
        assert (np.abs(run.updates[t - 1] - want) <= bound + unit * 2.0**-15).all(), (t, run.updates[t - 1], want)
        before = run.start if t == 1 else run.w[t - 2]
        # Half a unit for the step, half for pre, a quarter and less for passes that only rescale.
        assert (np.abs(before - run.updates[t - 1] - run.w[t - 1]) <= 1.3 * unit).all()


def test_rescaling_goes_through_the_core():
    """A jump needs passes that only rescale; each shifts by at most four places, and the words are the core's."""
    g = np.ones((6, 3)) * np.array([1e-3, 1e-3, 1e-3, 1e5, 1e5, 1e5])[:, None]
    run = play(Host(Rule(Mode.ADAM, 1e-3), np.ones(3)), g)
    _nothing_saturates(run)
    jump = [each for each in run.passes if each.step == 3]
    assert len(jump) > 8
    assert [each.steps for each in jump] == [False] * (len(jump) - 1) + [True]
    assert all(PRE_RANGE[0] <= each.config.pre_v <= PRE_RANGE[1] for each in jump)
    assert sum(each.config.pre_v for each in jump) <= -40
    for each in jump[:-1]:
        assert (each.config.c1.mant, each.config.c2.mant, each.config.step.mant, each.config.wd.mant) == (0, 0, 0, 0)
        assert (each.g == 0).all()


def test_who_joins_a_group_is_rounded_once_by_the_host():
    """A parameter whose gradient grows leaves its group; its words are shifted, and rounded to nearest."""
    g = np.array([[1.0, 1e-4], [1.1, 1.1e-4], [1.0, 0.9]])
    host = Host(Rule(Mode.ADAM, 1e-3), np.zeros(2))
    first = play(host, g[:2])
    assert len({each.fl_v for each in first.passes if each.step == 1}) == 2
    old_m, old_v = host.fl_m.copy(), host.fl_v.copy()
    old = State(*(x.copy() for x in host.state))
    seen = []

    def core(each):
        seen.append(each)
        return update(each.config, each.state, each.g)

    host.step(g[2], core)
    joint = seen[-1]
    assert joint.members.tolist() == [0, 1]
    assert (joint.config.pre_m, joint.config.pre_v) == (0, 0)
    # Parameter 0 was there: the core has rescaled it. Parameter 1 has joined.
    assert all(each.members.tolist() == [0] for each in seen[:-1])
    moves = ((old.m, old_m, joint.fl_m, joint.state.m), (old.v, old_v, joint.fl_v, joint.state.v))
    for x, fls, end, got in moves:
        assert int(round_nearest(x[1:], int(fls[1]) - end)[0]) == got[1]


def test_weights_without_gradients_stay():
    run = play(Host(Rule(Mode.ADAM, 1e-3), np.array([1.0, -0.3, 0.0])), np.zeros((40, 3)))
    assert (run.w == run.start).all()
    assert run.host.totals.rescales == 0


@pytest.mark.parametrize(
    "change",
    [{"lr": 0.0}, {"lr": np.nan}, {"beta1": 1.0}, {"beta2": -0.1}, {"eps": 0.0}, {"weight_decay": 1e9}],
)
def test_hyperparameters_out_of_range(change: dict[str, float]) -> None:
    with pytest.raises(HostError, match=f"{next(iter(change)).upper()}="):
        Host(Rule(**{"mode": Mode.ADAM, "lr": 1e-3, **change}), np.ones(2))


def test_a_rule_whose_first_update_clips_is_refused() -> None:
    with pytest.raises(HostError, match="the core clips at 8"):
        Rule(Mode.ADAM, 1e-3, 0.0, 0.999).check()
    Rule(Mode.MOMENTUM, 1e-3, 0.0, 0.999).check()


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(HostError, match="the weights must be finite"):
        Host(Rule(Mode.ADAM, 1e-3), np.array([1.0, np.inf]))
    host = Host(Rule(Mode.ADAM, 1e-3), np.ones(2))
    with pytest.raises(HostError, match="gradients of step 1"):
        host.step(np.array([np.nan, 0.0]), lambda each: None)
