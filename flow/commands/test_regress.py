"""Regressions: what fails is found, grouped and replayed; nothing is lost, counted twice, or hangs."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from distributed import LocalCluster
from junitparser import JUnitXml
from rich.console import Console

from flow.commands import regress_report, replay
from flow.commands import regress_run as regress
from flow.commands.regress_run import NOT_RUN, Request
from flow.conftest import processes, simulations, wait_for
from flow.core import blocks, cluster, codecov, jobs, server
from flow.core.blocks import get_block
from tb.lib.contract import RunSpec
from tb.lib.errors import UserError
from tb.lib.paths import ROOT
from tb.lib.testlist import TestEntry

# Beside the toy's tests: one that leaves a log of its seed and one whose length the configuration gives.
MORE_TESTS = """
def attempts():
    return Path(__file__).with_name("attempts")

@cocotb.test()
async def logged(dut):
    config = json.loads(Path(os.environ["TS_CONFIG"]).read_text())
    with attempts().open("a") as handle:
        handle.write(os.environ["TS_SEED"] + "\\n")
    with attempts().with_name("begun").open("a") as handle:
        handle.write(f"{os.getpid()}\\n")
    for second in range(int(10 * config.get("seconds", 0))):
        time.sleep(0.1)
    value = await count(dut, 5)
    draws = bytes(random.randrange(256) for _ in range(64)) if config.get("random", True) else bytes(64)
    Path(os.environ["TS_RUN_DIR"], "draws.bin").write_bytes(draws + bytes([value]))
    finish("pass", cycles=5, checks={"value": 5, "slice": 3, "cycle": 2})

def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])

@cocotb.test()
async def kills(dut):
    with attempts().open("a") as handle:
        handle.write("kills\\n")
    pid, command = os.getpid(), ""
    while "guard.py" not in command:
        pid = parent(pid)
        command = Path(f"/proc/{pid}/cmdline").read_text()
    os.kill(parent(pid), 9)
    time.sleep(60)

@cocotb.test()
async def down(dut):
    await count(dut, 1)
    dut.down.value = 1
    dut.clk.value = 1
    await Timer(1, "ns")
    Path(os.environ["TS_RUN_DIR"], "functional.json").write_text("{}")
    finish("pass") # down
"""


@pytest.fixture
def many(toy, tmp_path):
    """The toy with more tests, and a function that gives it a list of them."""
    path = tmp_path / "flow_toy_tests.py"
    path.write_text(path.read_text(encoding="utf-8") + MORE_TESTS, encoding="utf-8")
    return lambda *tests, **more: dataclasses.replace(toy, tests=tests, **more)


@pytest.fixture(autouse=True)
def _no_simulation_left():
    yield
    server.close_all()


@pytest.fixture
def go(tmp_path, threads):
    """Runs a regression of a block in a store of its own, on `workers` processes if given: (content of regress.json,
    files)."""

    def run(block, workers=None, sim="icarus", store="store", **more):
        where = {"scheduler": threads} if workers is None else {"workers": workers}
        request = Request((block,), sim, store=tmp_path / store, **{**where, **more})
        outcome = regress.regress(request, Console(file=sys.stdout))
        data, files = regress_report.write_reports(outcome, request)
        print("\n".join(regress_report.summary_lines(data, files)))
        assert json.loads(files["json"].read_text(encoding="utf-8"))["status"] == data["status"]
        return data, files

    return run


def _attempts(tmp_path):
    path = tmp_path / "attempts"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def _logs(data):
    return {job["id"]: job["logs"] for job in data["jobs"]}


# --- what is planned ----------------------------------------


def test_seeds_and_ids(many):
    block = many(
        TestEntry("logged", "any", seeds=(3, 4), params=({}, {"WIDTH": 4})),
        TestEntry("good", "fixed", directed=True),
        TestEntry("good", "fixed, longer", directed=True, config={"cycles": 9}, sims=("verilator",)),
    )
    own = jobs.plan_jobs([block], "icarus", None, False)
    assert [(job.test, job.seed, job.params["WIDTH"]) for job in own] == [
        ("logged", 3, 8), ("logged", 4, 8), ("logged", 3, 4), ("logged", 4, 4), ("good", 1, 8)
    ]  # fmt: skip
    five = jobs.plan_jobs([block], "verilator", 5, True)
    assert [job.seed for job in five] == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 1]
    assert [job.coverage for job in five] == [True] * 5 + [False] * 5 + [True] * 2
    assert len({job.id for job in five}) == 12
    assert re.fullmatch(r"flow_toy-logged-icarus-3-[0-9a-f]{8}", own[0].id)
    assert own[0].id == jobs.plan_jobs([block], "icarus", 3, False)[2].id
    key = regress.task_key("run", own[0].id, own[0], "digest", Path("here"))
    assert key == regress.task_key("run", own[0].id, own[0], "digest", Path("here"))
    assert key[0] == "run"
    assert key[1].startswith(f"{own[0].id}@")
    assert key != regress.task_key("run", own[0].id, own[0], "other", Path("here"))
    assert key != regress.task_key("run", own[0].id, own[0], "digest", Path("there"))
    with pytest.raises(UserError, match="name no run on icarus"):
        jobs.plan_jobs([many(TestEntry("good", "", sims=("verilator",)))], "icarus", 1, False)
    with pytest.raises(ValueError, match="a directed test has one seed"):
        TestEntry("good", "", seeds=(1, 2), directed=True)


def test_digest_covers_what_decides_a_result(many, tmp_path, monkeypatch):
    block = many(TestEntry("good", ""))
    first = jobs.source_digest(block, "icarus")
    assert first == jobs.source_digest(block, "icarus") != jobs.source_digest(block, "verilator")
    jobs.check_sources(block, "icarus", first)
    Path(block.rtl[0]).write_text(Path(block.rtl[0]).read_text(encoding="utf-8") + "// changed\n", encoding="utf-8")
    assert jobs.source_digest(block, "icarus") != first
    with pytest.raises(UserError, match="sees other sources"):
        jobs.check_sources(block, "icarus", first)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "check_platform", lambda: "its floating point is another")
        with pytest.raises(UserError, match=r"the worker on \S+: its floating point is another"):
            jobs.check_sources(block, "icarus", first)
    monkeypatch.setattr(jobs, "_LOADED", "older")
    with pytest.raises(UserError, match="was started with other sources"):
        jobs.check_sources(block, "icarus", first)
    names = {path.relative_to(ROOT).parts[0] for path in jobs._files(block) if path.is_relative_to(ROOT)}
    assert names == {"rtl", "tb", "flow", "host", "studies", "models", "data", "requirements.txt"}


def test_signatures():
    assert jobs.signature("b", "row 3 at cycle 17: observed 0x1f", "issue") == "b: first divergence at issue"
    assert jobs.signature("b", "no end after 4 s: killed", None) == "b: no end after # s: killed"
    assert jobs.signature("b", "count 12 is wrong\nmore", None) == "b: count # is wrong"


# --- what fails ----------------------------------------


def test_failures_are_found_grouped_and_replayed(many, go, tmp_path, monkeypatch, capsys):
    block = many(
        TestEntry("good", "passes", directed=True),
        TestEntry("wrong", "diverges", seeds=(1, 2)),
        TestEntry("unhappy", "fails"),
        TestEntry("crash", "dies"),
        TestEntry("silent", "says nothing"),
        TestEntry("hang", "does not end"),
    )
    data, files = go(block, workers=2, timeout=6)
    assert (data["status"], data["passed"], data["failed"], data["not_run"]) == ("fail", 1, 6, [])
    groups = {group["signature"]: group["jobs"] for group in data["failures"]}
    assert {name: len(group) for name, group in groups.items()} == {
        "flow_toy: first divergence at count": 2,
        "flow_toy: model differs": 1,
        "flow_toy: the simulator died of SIGABRT": 1,
        "flow_toy: the test left no result.json": 1,
        "flow_toy: no end after # s: killed": 1,
    }
    by_test = {job["test"]: job for job in data["jobs"]}
    assert by_test["wrong"]["replay"] == "make sim BLOCK=flow_toy SIM=icarus TEST=wrong SEED=2 WIDTH=8"
    assert any("last words" in line for line in by_test["crash"]["log_tail"])
    assert any("going to sleep" in line for line in by_test["hang"]["log_tail"])

    # JUnit: what failed, with its replay line.
    suite = next(iter(JUnitXml.fromfile(str(files["junit"]))))
    assert (suite.tests, suite.failures, suite.errors) == (7, 6, 0)
    text = next(case for case in suite if case.name == by_test["wrong"]["id"]).result[0].text
    assert "replay: make sim BLOCK=flow_toy" in text

    # The page: self-contained, and every failure two clicks from its top: its group, then (at most) the job.
    page = files["page"].read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!#)", page)
    links, anchors = set(re.findall(r'href="#([^"]+)"', page)), re.findall(r' id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert links <= set(anchors)
    top, details = (
        page[: page.index('class="tiles"')],
        page[page.index("Failures in detail") : page.index('id="blocks"')],
    )
    for number, group in enumerate(data["failures"], start=1):
        assert f'href="#fail-{number}"' in top
        section = details[details.index(f'id="fail-{number}"') :]
        assert all(f"make replay ID={name}" in section for name in group["jobs"])
    assert page.index("Regression FAILED") < page.index("Failures") < page.index('class="tiles"')

    # make replay finds the job, makes waves, and fails as the job did.
    monkeypatch.setattr(blocks, "get_block", lambda name: block)
    monkeypatch.setattr(jobs.find_job, "__defaults__", (tmp_path / "store",))
    capsys.readouterr()
    assert replay.main.callback(by_test["wrong"]["id"], 60) == 1
    said = capsys.readouterr().out
    assert "count is wrong" in said
    waves = re.search(r"waves: (.*)", said)[1]
    assert (ROOT / waves).stat().st_size > 0
    near = by_test["wrong"]["id"]
    with pytest.raises(UserError, match=f"is not a job of the last regression: {near}"):
        replay.main.callback(near[:-1], 60)
    with pytest.raises(UserError, match="run 'make regress' first"):
        jobs.find_job(near, tmp_path / "nowhere")


def test_sources_that_do_not_build_fail_every_job(many, go):
    block = many(TestEntry("good", "", seeds=(1, 2)))
    Path(block.rtl[0]).write_text("nonsense", encoding="utf-8")
    data, _ = go(block)
    assert (data["status"], data["failed"]) == ("fail", 2)
    assert len(data["failures"]) == 1
    assert data["failures"][0]["signature"].startswith("flow_toy: building flow_toy failed: icarus does not accept")
    assert any("syntax error" in line for line in data["jobs"][0]["log_tail"])


def test_a_job_that_kills_its_worker_is_a_failure_and_no_other(many, go, tmp_path):
    block = many(TestEntry("kills", ""), TestEntry("logged", "", seeds=(1, 2, 3)))
    data, _ = go(block, workers=1)
    assert (data["passed"], data["failed"]) == (3, 1)
    failed = next(job for job in data["jobs"] if job["status"] == "fail")
    assert failed["test"] == "kills"
    assert failed["error"].startswith("the run killed its worker every time it was tried")
    assert failed["replay"] == f"make replay ID={failed['id']}"
    assert sorted(each for each in _attempts(tmp_path) if each != "kills") == ["1", "2", "3"]


# --- what is kept ----------------------------------------


def test_resumes_only_what_is_missing(many, go, tmp_path):
    entry = TestEntry("logged", "", seeds=(1, 2))
    data, _ = go(many(entry))
    assert (data["status"], data["kept"]) == ("pass", 0)
    data, _ = go(many(dataclasses.replace(entry, seeds=(1, 2, 3)), TestEntry("wrong", "")))
    assert (data["kept"], data["passed"], data["failed"]) == (2, 3, 1)
    assert sorted(_attempts(tmp_path)) == ["1", "2", "3"]
    data, _ = go(many(entry), restart=True)
    assert data["kept"] == 0
    assert sorted(_attempts(tmp_path)) == ["1", "1", "2", "2", "3"]
    # A record that is cut short, or of other sources, does not count.
    path = jobs.folder(data["jobs"][0]["id"], tmp_path / "store") / "job.json"
    path.write_text(path.read_text(encoding="utf-8")[:50], encoding="utf-8")
    assert go(many(entry))[0]["kept"] == 1
    rtl = tmp_path / "rtl" / "flow_toy.sv"
    rtl.write_text(rtl.read_text(encoding="utf-8") + "// another\n", encoding="utf-8")
    assert go(many(entry))[0]["kept"] == 0
    history = (tmp_path / "store" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["passed"] for line in history] == [2, 3, 2, 2, 2]


def test_a_killed_simulation_is_tried_again(many, go, tmp_path):
    data, _ = go(many(TestEntry("hang", "")), timeout=4)
    assert data["failed"] == 1
    assert go(many(TestEntry("hang", "")), timeout=4)[0]["kept"] == 0


def test_an_interrupt_keeps_what_is_there(many, go, tmp_path, request):
    block = many(TestEntry("logged", "", seeds=(1,)), TestEntry("logged", "", seeds=(2, 3), config={"seconds": 20}))

    def interrupt():
        while not any((tmp_path / "store" / "jobs").glob("*/job.json")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    # Started in the background, a process may have been told to ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    # The longest begin first where times are known; here the list's order counts.
    threading.Thread(target=interrupt, daemon=True).start()
    start = time.monotonic()
    data, files = go(block, workers=1)
    assert time.monotonic() - start < 30
    assert (data["status"], data["passed"], data["interrupted"]) == ("incomplete", 1, "interrupted")
    assert len(data["not_run"]) == 2
    suite = next(iter(JUnitXml.fromfile(str(files["junit"]))))
    assert (suite.tests, suite.failures, suite.errors) == (3, 0, 2)
    assert "Regression INCOMPLETE" in files["page"].read_text(encoding="utf-8")
    assert not simulations(tmp_path, "vvp ")
    block = many(TestEntry("logged", "", seeds=(1,)), TestEntry("logged", "", seeds=(2,)))
    data, _ = go(block)
    assert (data["status"], data["kept"]) == ("pass", 1)
    assert _attempts(tmp_path).count("1") == 1


def test_time_is_over(many, go, capsys):
    data, files = go(many(TestEntry("logged", "", seeds=(1, 2))), minutes=0)
    assert (data["status"], data["passed"], len(data["not_run"])) == ("incomplete", 0, 2)
    assert {job["status"] for job in data["jobs"]} == {NOT_RUN}
    said = capsys.readouterr().out
    assert "NOT RUN: 2 of 2 jobs (TIME=0 minutes were over)" in said
    assert "INCOMPLETE 0 of 2 jobs passed" in said
    assert "did not run: TIME=0 minutes were over" in files["page"].read_text(encoding="utf-8")
    assert go(many(TestEntry("logged", "", seeds=(1, 2))))[0]["status"] == "pass"


# --- closure and coverage ----------------------------------------

PLAN = """
{testpoints: [
  {name: "enough", stage: "V1", stimulus: "s", check: "c", tests: ["logged"], checks: {value: 5, slice: 3, cycle: 2},
   reduced: {value: 5, slice: 3, cycle: 2}}
  {name: "few", stage: "V2", stimulus: "s", check: "c", tests: ["logged"], checks: {value: 6, slice: 3, cycle: 2},
   reduced: {value: 5, slice: 3, cycle: 2}}
  {name: "broken", stage: "V2", stimulus: "s", check: "c", tests: ["wrong"], checks: {value: 1, slice: 1, cycle: 1},
   reduced: {value: 1, slice: 1, cycle: 1}}
  {name: "idle", stage: "V3", stimulus: "s", check: "c", tests: ["logged", "hang"],
   checks: {value: 1, slice: 1, cycle: 1}, reduced: {value: 1, slice: 1, cycle: 1}}
  {name: "unmapped", stage: "V3", stimulus: "s", check: "c", tests: ["none"], checks: {value: 1, slice: 1, cycle: 1},
   reduced: {value: 1, slice: 1, cycle: 1}}
]}
"""


def test_closure_says_what_each_testpoint_lacks(many, go, tmp_path):
    plan = tmp_path / "plan.hjson"
    plan.write_text(PLAN, encoding="utf-8")
    tests = (TestEntry("logged", ""), TestEntry("wrong", ""), TestEntry("hang", "", sims=("verilator",)))
    data, _ = go(many(*tests, testplan=str(plan)))
    lacks = {point["name"]: point["lacks"] for point in data["testplan"]["points"]}
    assert lacks == {
        "enough": [],
        "few": ["5 of 6 value comparisons"],
        "broken": ["1 run failed"],
        "idle": ["no run of hang"],
        "unmapped": ["no run of none"],
    }
    assert data["testplan"]["stages"] == {
        "V1": {"total": 1, "mapped": 1, "run": 1, "passed": 1},
        "V2": {"total": 2, "mapped": 2, "run": 2, "passed": 0},
        "V3": {"total": 2, "mapped": 1, "run": 0, "passed": 0},
    }


def _seen(runs):
    """Functional coverage of the toy: one bin, hit by runs that left a file."""
    hit = any((run.run_dir / "functional.json").is_file() for run in runs)
    return {"percent": 100.0 * hit, "covered": int(hit), "total": 1, "uncovered": [] if hit else ["down"]}


@pytest.mark.late
def test_coverage_of_a_failing_run_does_not_count(many, go, tmp_path, monkeypatch):
    monkeypatch.setattr(regress_report.codecov, "merge", partial(codecov.merge, root=tmp_path))
    tests = tmp_path / "flow_toy_tests.py"
    rtl = tmp_path / "rtl" / "flow_toy.sv"
    rtl.write_text(
        rtl.read_text(encoding="utf-8") + f"// {tmp_path}\n", encoding="utf-8"
    )  # a build's counts name the files that it was made of
    block = many(TestEntry("good", "", directed=True), TestEntry("down", "", directed=True), functional_coverage=_seen)
    seen = []
    for status in ("pass", "fail"):
        tests.write_text(
            tests.read_text(encoding="utf-8").replace('finish("pass") # down', f'finish("{status}") # down'),
            encoding="utf-8",
        )
        data, _ = go(block, sim="verilator", coverage=True, restart=True)
        assert data["failed"] == (status == "fail")
        seen.append(data["coverage"]["flow_toy"])
    # Only `down` takes the branch that counts down.
    assert [each["code"]["kinds"]["branch"]["covered"] for each in seen] == [4, 3]
    assert [each["code_runs"] for each in seen] == [2, 1]
    assert [each["functional"] and each["functional"]["percent"] for each in seen] == [100, None]


@pytest.mark.parametrize(("runs", "percent"), [((), 10), ((RunSpec("good"), RunSpec("good", params={"WIDTH": 4})), 20)])
def test_runs_cover_with_the_parameters_of_the_coverage_runs_alone(many, tmp_path, runs, percent):
    block = many(
        TestEntry("good", ""), functional_coverage=lambda runs: {"percent": 10 * len(runs)}, coverage_runs=runs
    )
    request = Request((block,), store=tmp_path)
    records = []
    for name, params in (("a", {}), ("b", {"WIDTH": 4})):
        place = jobs.folder(name, tmp_path)
        place.mkdir(parents=True)
        (place / jobs.FUNCTIONAL).write_text("{}", encoding="utf-8")
        usual = {"test": "good", "seed": 1, "sim": "verilator", "status": "pass", "coverage": False}
        records.append({"id": name, "block": block.name, "params": block.resolve_params(params), **usual})
    assert regress_report._coverage(block, records, request)["functional"]["percent"] == percent


# --- order and placement ----------------------------------------


@pytest.mark.late
def test_same_logs_in_any_order_and_a_killed_worker_loses_nothing(many, go, tmp_path, dask_cluster):
    address, workers = dask_cluster
    block = many(TestEntry("logged", "", seeds=(1, 2, 3, 4, 5, 6), config={"seconds": 1.5}))
    serial, _ = go(block, workers=1, store="serial")
    parallel, _ = go(block, workers=2, store="parallel")
    (tmp_path / "attempts").unlink()

    killed, orphans = [], []

    def in_the_middle():
        """A simulation of the cluster that has begun, and its worker."""
        begun = (tmp_path / "begun").read_text(encoding="utf-8").split()
        running = simulations(tmp_path, "vvp ").items()
        return next(((pid, worker) for pid, worker in running if worker in workers and str(pid) in begun), None)

    def kill():
        wait_for(lambda: len(_attempts(tmp_path)) >= 3)
        pid, worker = wait_for(in_the_middle)
        os.kill(worker, signal.SIGKILL)
        killed.append(worker)
        wait_for(lambda: pid not in {each for each, *_ in processes()}, 5)
        orphans.append(pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    spread, _ = go(block, store="cluster", scheduler=address)
    thread.join(10)
    assert killed
    assert workers[killed[0]].wait(5) == -signal.SIGKILL
    assert orphans, "the killed worker's simulation lived on"
    assert (spread["status"], spread["total"], spread["passed"]) == ("pass", 6, 6)
    assert len({job["id"] for job in spread["jobs"]}) == 6
    assert len(list((tmp_path / "cluster" / "jobs").glob("*/job.json"))) == 6
    tries = sorted(_attempts(tmp_path))
    assert sorted(set(tries)) == ["1", "2", "3", "4", "5", "6"]
    assert len(tries) == 7  # the job of the killed worker ran again, nothing else did
    assert {job["worker"].split(":")[1] for job in spread["jobs"]} <= {str(pid) for pid in workers}
    assert all(len(logs) == 1 for logs in _logs(serial).values())
    assert len({json.dumps(logs) for logs in _logs(serial).values()}) == 6
    assert _logs(serial) == _logs(parallel) == _logs(spread)
    assert serial["repeated"] == []


def test_seeds_that_repeat_a_run_are_told(many, go):
    data, _ = go(many(TestEntry("logged", "", seeds=(1, 2), config={"random": False})))
    assert data["repeated"] == ["flow_toy logged"]


@pytest.mark.late
def test_real_block_plays_the_same_in_any_order(tmp_path):
    """The smallest runs of a real block: transaction logs, comparisons and testpoints are in the record."""
    laps = get_block("laps")
    few = dataclasses.replace(laps, tests=tuple(each for each in laps.tests if each.test in ("refusals", "schedules")))
    found = []
    for workers in (1, 2):
        request = Request((few,), "icarus", seeds=2, workers=workers, store=tmp_path / str(workers))
        data = regress_report.content(regress.regress(request, Console(file=sys.stdout)), request)
        assert data["status"] == "pass"
        found.append(_logs(data))
    assert found[0] == found[1]
    assert all(len(logs) > 3 for logs in found[0].values())
    points = {point["name"]: point for point in data["testplan"]["points"]}
    assert points["schedule"]["passed"]
    assert points["smoke"]["lacks"] == ["no run of smoke"]


# --- clusters that are not there ----------------------------------------


def test_a_cluster_that_is_not_there_is_one_error(many, go, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(cluster, "WORKER_SECONDS", 1.0)
    block = many(TestEntry("good", ""))
    with pytest.raises(UserError, match=r"SCHEDULER=tcp://127.0.0.1:9 cannot be reached: start 'dask scheduler'"):
        go(block, scheduler="tcp://127.0.0.1:9")
    with LocalCluster(
        n_workers=0, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as empty:
        with pytest.raises(UserError, match="has had no worker for 1 s: start 'dask worker'"):
            go(block, scheduler=empty.scheduler_address)


def test_a_cluster_that_goes_away_ends_the_regression(many, go, tmp_path, dask_cluster, monkeypatch):
    monkeypatch.setattr(cluster, "GONE_SECONDS", 2.0)
    monkeypatch.setattr(cluster, "ASK_SECONDS", 0.5)
    address, workers = dask_cluster

    def kill():
        wait_for(lambda: _attempts(tmp_path))
        for process in workers.values():
            process.kill()

    threading.Thread(target=kill, daemon=True).start()
    data, _ = go(many(TestEntry("logged", "", seeds=(1, 2, 3), config={"seconds": 20})), scheduler=address)
    assert (data["status"], len(data["not_run"]), data["interrupted"]) == ("incomplete", 3, "no worker is left")


def test_one_regression_at_a_time(tmp_path):
    with regress.alone(tmp_path), pytest.raises(UserError, match="another regression runs"), regress.alone(tmp_path):
        pass


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"BLOCK": "laps,nosuch"}, "BLOCK=laps,nosuch: there is no block 'nosuch': choose all or some of"),
        ({"SCHEDULER": "somewhere"}, "SCHEDULER=somewhere: must be a scheduler's address such as tcp://host:8786"),
        ({"SEEDS": "0"}, "SEEDS=0: "),
        ({"TIME": "-1"}, "TIME=-1: "),
        ({"SIM": "icarus", "COVERAGE": "1"}, "COVERAGE=1 needs SIM=verilator"),
        ({"SEED": "1"}, "make regress takes no variable SEED: did you mean SEEDS?"),
    ],
)
def test_mistakes_are_one_line(variables, error, as_make, monkeypatch):
    monkeypatch.delenv("TS_GOALS", raising=False)
    status, _, said = as_make("regress", **variables)
    assert status == 2
    assert said.startswith(f"error: {error}")
    assert said.count("\n") == 1
