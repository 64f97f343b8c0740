"""`make train SAMPLE=`: strata, intervals, the state that pieces must end in; a training verified by pieces."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flow.commands import sample as flow
from flow.commands import train
from flow.commands.sample import (
    Estimate,
    Sample,
    accuracy_of,
    estimate,
    parse_sample,
    run_ahead,
    sample,
    spread,
    weights,
)
from flow.commands.train import Job, TrainError, Where
from flow.conftest import simulations, wait_for
from flow.core.blocks import get_block
from host.mapper import ModelBackend
from host.trainer import drive
from models.top.config import TopParams
from models.top.value import Processor
from tb.lib.errors import UserError
from tb.top.training import Plan, load_checkpoint, same_state, save_checkpoint

PLAN = Plan(images=(128, 60))  # errors round stochastically


def test_the_first_iterations_of_an_order_are_a_sample_however_many_they_are() -> None:
    """One in each stratum, of which those at the beginning are the shortest; more of them take the first ones again."""
    for iterations in (1, 2, 7, 22, 550):
        for seed in (1, 2, 3):
            order = spread(iterations, seed)
            assert sorted(order) == list(range(iterations))
            for count in (1, 2, 4, 8, 16):
                edges = [at * at * iterations // count**2 for at in range(count + 1)]
                there = [at for at in range(count) if edges[at] < edges[at + 1]]
                got = np.histogram(np.array(order[: len(there)]) + 0.5, np.unique(edges))[0]
                assert got.tolist() == [1] * len(there)
    assert spread(550, 1) == spread(550, 1) != spread(550, 2)
    assert sum(at < 55 for at in spread(550, 1)[:16]) >= 4


def test_an_iteration_stands_for_those_that_are_nearest_to_it() -> None:
    assert weights([0, 3], 4).tolist() == [2, 2]
    assert weights([2, 4, 9], 11).tolist() == [3.5, 3.5, 4]
    assert weights([5], 11).tolist() == [11]
    assert weights(range(6), 6).tolist() == [1] * 6


@pytest.mark.parametrize("count", [8, 11, 20, 28])
def test_intervals_hold_the_value_of_the_whole_as_often_as_they_say(count: int) -> None:
    """Of a training whose figures drift, and whose first iterations have others: the CNN's do."""
    rng = np.random.default_rng(4)
    x = rng.uniform(900, 1100, 400)
    y = x * (20 + np.linspace(0, 4, 400) + rng.normal(0, 1, 400))
    y[:16] *= 1.8
    whole = y.sum() / x.sum()
    held = 0
    for seed in range(1, 401):
        at = sorted(spread(400, seed)[:count])
        got = estimate(y[at], x[at], at, 400)
        held += got.low <= whole <= got.high
        assert got.low < got.value < got.high
    assert held >= 0.95 * 400
    assert estimate(y, x, range(400), 400) == Estimate(whole, whole, whole)
    assert estimate(y[:1], x[:1], [0], 400).low is None


def test_an_interval_by_hand() -> None:
    """Ratios 1 and 3 of x = 1, each for two iterations: value 2, half = 12.706 sqrt(2 (4 + 4) (1 - 1/2)) / 4."""
    got = estimate([1, 3], [1, 1], [0, 3], 4)
    assert got.value == 2
    assert got.high - got.value == pytest.approx(12.706 * 0.5**0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "0",
        "-1/50",
        "1/0",
        "2",
        "nan",
        "1/50/2",
        "51/50",
        "min",
        "0min",
        ".min",
        "1/2min",
        "-3min",
        "9999999min",
    ],
)
def test_samples_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="give all, a share of the iterations"):
        parse_sample(text)


def test_samples() -> None:
    assert [parse_sample(text) for text in ("all", "1/50", "0.5", "1", "20min", "0.5min")] == [
        Sample(), Sample(0.02), Sample(0.5), Sample(1.0), Sample(minutes=20.0), Sample(minutes=0.5),
    ]  # fmt: skip
    assert Sample(0.5).order(9, 1) == spread(9, 1)[:4]
    assert Sample(0.01).order(9, 1) == spread(9, 1)[:1]
    assert Sample().order(9, 1) == Sample(minutes=3).order(9, 1) == spread(9, 1)


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
    done = sample(job, data, 2, Sample(), Where(1))
    assert done["verified"] == [1, 2]
    assert done["mismatches"] == 0
    assert done["checks"]["slice"] > 100_000
    each = done["figures"]["speedup"]
    assert 5 < each["value"] == each["low"] == each["high"]
    assert 1 < done["figures"]["speedup_whole"]["value"] < each["value"]
    assert 4 <= done["figures"]["average_bits"]["value"] <= 16
    half = sample(job, data, 2, Sample(0.5), Where(1))  # from what is kept
    assert len(half["verified"]) == 1
    assert half["figures"]["speedup"]["low"] is None
    folder = job.folder / "ahead"
    wrong = load_checkpoint(folder / "2.ckpt")
    wrong.kept[0][0].w[0] += 1
    save_checkpoint(folder / "2.ckpt", wrong)
    with pytest.raises(TrainError, match="iteration 2 on the RTL ends in another state than the model's: w of w1"):
        sample(job, data, 2, Sample(), Where(1))


@pytest.mark.late
def test_a_worker_that_is_killed_loses_nothing(
    job: Job, tmp_path: Path, dask_cluster: tuple[str, dict[int, subprocess.Popen[bytes]]]
) -> None:
    """On a real cluster, a worker with a simulation under way: its piece runs on the other one, and no other twice."""
    address, workers = dask_cluster
    killed, orphans = [], []

    def kill() -> None:
        program = "/tb_top"
        pid, worker = wait_for(
            lambda: next((each for each in simulations(tmp_path, program).items() if each[1] in workers), None), 300
        )
        os.kill(worker, signal.SIGKILL)
        killed.append(worker)
        wait_for(lambda: pid not in simulations(tmp_path, program))
        orphans.append(pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    done = sample(job, PLAN.load(), 2, Sample(), Where(scheduler=address))
    thread.join(10)
    assert orphans, "the killed worker's simulation lived on, or none began"
    assert workers[killed[0]].wait(5) == -signal.SIGKILL
    assert done["verified"] == [1, 2]
    assert done["mismatches"] == 0
    kept = {path.name for path in (job.folder / "ahead").glob("rtl-*")}
    assert kept == {"rtl-1.ckpt", "rtl-1.json", "rtl-2.ckpt", "rtl-2.json"}


def test_accuracy_is_that_of_the_network_trained_so_far(job: Job, tmp_path: Path) -> None:
    data = PLAN.load()
    run_ahead(job, data, 2, tmp_path)
    trainer, backend = load_checkpoint(tmp_path / "2.ckpt"), ModelBackend(Processor(TopParams()))
    drive(trainer.resume(1), backend)
    logits = [drive(trainer.logits(data.test_pixels[at : at + 1]), backend)[0] for at in range(len(data.test_labels))]
    right = [int(np.argmax(each)) == label for each, label in zip(logits, data.test_labels, strict=True)]
    assert accuracy_of(job, data, tmp_path / "2.ckpt") == sum(right) / 60
    assert accuracy_of(job, data, tmp_path / "1.ckpt") != sum(right) / 60


@pytest.fixture
def quick(job: Job, tmp_path: Path, threads: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Job, Where, Path]:
    """A job whose pieces are not simulated: each leaves the model's state and notes that it ran, in the file."""
    ran = tmp_path / "ran"
    ran.touch()

    def piece(_: Job, folder: Path, at: int, __: str) -> dict[str, object]:
        time.sleep(0.02)
        with ran.open("a", encoding="utf-8") as lines:
            lines.write(f"{at}\n")
        loss = json.loads((folder / "losses.txt").read_text(encoding="utf-8").split()[at])
        record = {"steps": [{"loss": loss}], "mismatches": 0}
        shutil.copy(folder / f"{at + 1}.ckpt", folder / f"rtl-{at + 1}.ckpt")
        (folder / f"rtl-{at + 1}.json").write_text(json.dumps(record), encoding="utf-8")
        return record

    def ahead(_: Job, __: object, ___: int, folder: Path) -> list[float]:
        run_ahead(replace(job, epochs=1), PLAN.load(), 1, folder)
        for at in range(1, 20):
            shutil.copy(folder / "1.ckpt", folder / f"{at + 1}.ckpt")
        (folder / "losses.txt").write_text("".join(f"{at}.5\n" for at in range(20)), encoding="utf-8")
        return [at + 0.5 for at in range(20)]

    monkeypatch.setattr(flow, "piece", piece)
    monkeypatch.setattr(flow, "run_ahead", ahead)
    monkeypatch.setattr(flow, "build", lambda *_: None)
    monkeypatch.setattr(flow, "figures", lambda *_: {})
    return job, Where(scheduler=threads), ran


def test_minutes_take_the_first_iterations_of_the_order(quick: tuple[Job, Where, Path]) -> None:
    """As many as time allows; more time goes on from there, and runs nothing again."""
    job, where, ran = quick
    data, order = PLAN.load(), spread(20, PLAN.seed)
    short = sample(job, data, 20, Sample(minutes=1e-9), where)["verified"]
    assert 1 <= len(short) <= 4  # each of two threads has begun one
    assert short == sorted(at + 1 for at in order[: len(short)])
    long = sample(job, data, 20, Sample(minutes=0.3 / 60), where)["verified"]
    assert len(short) < len(long) <= 20
    assert long == sorted(at + 1 for at in order[: len(long)])
    whole = sample(job, data, 20, Sample(minutes=10), where)["verified"]
    assert whole == list(range(1, 21))
    assert sorted(map(int, ran.read_text(encoding="utf-8").split())) == list(range(20))


def test_an_interrupted_sample_goes_on(quick: tuple[Job, Where, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted while pieces ran; only those that are missing run then."""
    job, where, ran = quick
    data, piece = PLAN.load(), flow.piece

    def dies(job: Job, folder: Path, at: int, digest: str) -> dict[str, object]:
        if at == 11:
            raise TrainError("enough")
        return piece(job, folder, at, digest)

    with monkeypatch.context() as patch:
        patch.setattr(flow, "piece", dies)
        with pytest.raises(TrainError, match="enough"):
            sample(job, data, 20, Sample(), where)
    before = len(ran.read_text(encoding="utf-8").split())
    assert 10 <= before < 20
    assert sample(job, data, 20, Sample(), where)["verified"] == list(range(1, 21))
    assert sorted(map(int, ran.read_text(encoding="utf-8").split())) == list(range(20))


def test_the_model_goes_on_where_it_was_interrupted(job: Job, tmp_path: Path) -> None:
    """Checkpoints and losses are those of a training that was not; damaged ones are made again."""
    data = PLAN.load()
    losses = run_ahead(job, data, 2, tmp_path)
    last = load_checkpoint(tmp_path / "2.ckpt")
    made = (tmp_path / "1.ckpt").stat().st_mtime_ns
    for damage in (
        lambda: (tmp_path / "2.ckpt").write_bytes(b"half"),
        lambda: (tmp_path / "losses.txt").write_text(f"{losses[0]!r}\n2.1", encoding="utf-8"),
    ):
        damage()
        assert run_ahead(job, data, 2, tmp_path) == losses
        assert same_state(last, load_checkpoint(tmp_path / "2.ckpt")) == ""
        assert (tmp_path / "losses.txt").read_text(encoding="utf-8") == "".join(f"{each!r}\n" for each in losses)
    assert (tmp_path / "1.ckpt").stat().st_mtime_ns == made


def test_pieces_that_do_not_fit_end_the_command(job: Job, threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another loss on the RTL; a simulation that fails; one that ends its worker with something else."""
    data, where = PLAN.load(), Where(scheduler=threads)
    record = {"steps": [{"loss": 1.0}]}
    monkeypatch.setattr(flow, "build", lambda *_: None)
    monkeypatch.setattr(flow, "piece", lambda *_: record)
    with pytest.raises(TrainError, match=r"iteration [12]: loss 1.0 on the RTL, 2\.\d+ ahead"):
        sample(job, data, 2, Sample(0.5), where)

    def fails(*_: object) -> None:
        raise TrainError("FAIL top training")

    monkeypatch.setattr(flow, "piece", fails)
    with pytest.raises(TrainError, match="FAIL top training"):
        sample(replace(job, epochs=1), data, 2, Sample(), where)

    def breaks(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(flow, "piece", breaks)
    with pytest.raises(TrainError, match=r"iteration [12]: the simulation could not be made: OSError no space"):
        sample(replace(job, epochs=1), data, 2, Sample(), where)


def test_a_worker_with_another_network_refuses(job: Job, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="or a worker sees others"):
        flow.piece(job, tmp_path / "another" / "ahead", 0, flow.source_digest(get_block("top"), "verilator"))


def test_a_cluster_is_for_samples(as_make: Callable[..., tuple[int, str, str]]) -> None:
    status, _, error = as_make("train", SCHEDULER="tcp://127.0.0.1:9")
    assert status == 2
    assert "give SAMPLE" in error
