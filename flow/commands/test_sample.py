"""`make train SAMPLE=`: strata, intervals, the state that pieces must end in; a training verified by pieces."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flow.commands import sample as flow
from flow.commands import train
from flow.commands.sample import Estimate, chosen, estimate, parse_sample, run_ahead, sample
from flow.commands.train import Job, TrainError
from flow.core.blocks import get_block
from tb.lib.errors import UserError
from tb.top.training import Plan, load_checkpoint, same_state, save_checkpoint

PLAN = Plan(images=(128, 60))  # errors round stochastically


def test_a_sample_has_one_iteration_of_each_stratum() -> None:
    for seed in range(1, 20):
        got = chosen(550, 1 / 50, seed)
        assert len(got) == 11
        assert all(50 * at <= each < 50 * (at + 1) for at, each in enumerate(got))
    assert chosen(7, None, 1) == list(range(7))
    assert chosen(7, 1.0, 1) == list(range(7))
    assert len(chosen(7, 0.01, 1)) == 1
    assert chosen(550, 0.02, 1) != chosen(550, 0.02, 2)


def test_intervals_hold_the_value_of_the_whole_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    x = rng.uniform(900, 1100, 400)
    y = x * (20 + np.linspace(0, 4, 400) + rng.normal(0, 1, 400))
    whole = y.sum() / x.sum()
    held = 0
    for seed in range(1, 401):
        at = chosen(400, 1 / 20, seed)
        got = estimate(y[at], x[at], 400)
        held += got.low <= whole <= got.high
        assert got.low < got.value < got.high
    assert held >= 0.93 * 400
    assert estimate(y, x, 400) == Estimate(whole, whole, whole)
    assert estimate(y[:1], x[:1], 400).low is None


def test_an_interval_by_hand() -> None:
    """Ratios 1 and 3 of x = 1: value 2, spread 2, half = 12.706 sqrt((1 - 2/4) 2 / 2)."""
    got = estimate([1, 3], [1, 1], 4)
    assert got.value == 2
    assert got.high - got.value == pytest.approx(12.706 * 0.5**0.5)


@pytest.mark.parametrize("text", ["", "none", "0", "-1/50", "1/0", "2", "nan", "1/50/2", "51/50"])
def test_samples_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="give all, or a share"):
        parse_sample(text)


def test_samples() -> None:
    assert (parse_sample("all"), parse_sample("1/50"), parse_sample("0.5"), parse_sample("1")) == (None, 0.02, 0.5, 1)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(train, "BUILD", tmp_path)
    return Job(PLAN, 1, get_block("top").resolve_params(None))


def test_states_are_told_apart(job: Job, tmp_path: Path) -> None:
    """Each part that a checkpoint holds, changed alone."""
    run_ahead(job, PLAN.load(), 2, tmp_path)
    first, second = (load_checkpoint(tmp_path / f"{at}.ckpt") for at in (1, 2))
    assert same_state(first, copy.deepcopy(first)) == ""
    assert same_state(first, second).endswith("of w1")
    other = copy.deepcopy(first)
    other.kept[0][1].m[3] += 1
    assert same_state(first, other) == "m of w2"
    other = copy.deepcopy(first)
    other.kept[1][5] = (other.kept[1][5][0], other.kept[1][5][1] ^ 1)
    assert same_state(first, other).startswith("LAPS' register 0x")
    other = copy.deepcopy(first)
    other.biases[2][0] += 1
    assert same_state(first, other) == "biases on the host"
    other = copy.deepcopy(first)
    other.bias_tensors[0].moments.fl_w += 1
    assert same_state(first, other) == "fraction lengths of b1"
    other = copy.deepcopy(first)
    key = next(iter(other.formats))
    other.formats[key] = replace_format(other.formats[key])
    assert same_state(first, other) == "formats"


def replace_format(fmt):
    """Another one."""
    return fmt._replace(fl=fmt.fl + 1)


@pytest.mark.late
def test_a_training_verified_by_pieces(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of two iterations, each from the model's checkpoint; then one that must end in another state."""
    data = PLAN.load()
    done = sample(job, data, 2, None, 1)
    assert done["verified"] == [1, 2]
    assert done["mismatches"] == 0
    assert done["checks"]["slice"] > 100_000
    each = done["figures"]["speedup"]
    assert 5 < each["value"] == each["low"] == each["high"]
    half = sample(job, data, 2, 0.5, 1)  # from what is kept
    assert len(half["verified"]) == 1
    assert half["figures"]["speedup"]["low"] is None
    folder = job.folder / "ahead"
    wrong = load_checkpoint(folder / "2.ckpt")
    wrong.kept[0][0].w[0] += 1
    save_checkpoint(folder / "2.ckpt", wrong)
    with pytest.raises(TrainError, match="iteration 2 on the RTL ends in another state than the model's: w of w1"):
        sample(job, data, 2, None, 1)


def test_pieces_that_do_not_fit_end_the_command(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another loss on the RTL; a simulation that fails."""
    data = PLAN.load()
    record = {"steps": [{"loss": 1.0}]}
    monkeypatch.setattr(flow, "_piece", lambda *_: record)
    with pytest.raises(TrainError, match=r"iteration [12]: loss 1.0 on the RTL, 2\.\d+ ahead"):
        sample(job, data, 2, 0.5, 2)

    def fails(*_: object) -> None:
        raise TrainError("FAIL top training")

    monkeypatch.setattr(flow, "_piece", fails)
    with pytest.raises(TrainError, match="FAIL top training"):
        sample(replace(job, epochs=1), data, 2, None, 2)
