"""Builds and runs: what passes, what fails, and what is said about it."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flow.core import building, processes, server, simulate
from flow.core.building import BuildError, build
from flow.core.simulate import replay_line, run
from tb.lib.errors import UserError
from tb.lib.paths import ROOT

SIMS = ("verilator", "icarus")


@pytest.fixture(autouse=True)
def _no_simulation_left():
    yield
    server.close_all()


@pytest.mark.parametrize("sim", SIMS)
def test_passes_with_config_seed_and_a_clean_environment(toy, sim, monkeypatch):
    for name, value in {"MAKEFLAGS": "-j2 -- SIM=x", "COCOTB_TESTCASE": "other", "WAVES": "1"}.items():
        monkeypatch.setenv(name, value)
    first, again, other = (run(toy, sim, "good", seed, {"WIDTH": 4}, {"cycles": 18}) for seed in (7, 7, 8))
    assert first.passed
    assert first.error == ""
    assert first.result["value"] == 18 % 16
    assert first.result["config"] == {"cycles": 18}
    assert first.result["surroundings"] == []
    assert not list(first.run_dir.glob("waves.*"))
    assert first.result["random"] == again.result["random"] != other.result["random"]
    assert first.run_dir != other.run_dir
    assert (
        first.run_dir == again.run_dir != run(toy, sim, "good", 7, {"WIDTH": 4}, {"cycles": 18}, label="mine").run_dir
    )


@pytest.mark.parametrize(
    ("test", "error"),
    [
        ("wrong", "count is wrong"),
        ("unhappy", "model differs"),
        ("silent", "the test left no result.json"),
        ("crash", "the simulator died of SIGABRT"),
        ("leave", "the simulator ended with status 3"),
        ("nosuch", "no test 'nosuch' ran"),
        ("goo", "no test 'goo' ran"),
    ],
)
@pytest.mark.parametrize("forked", ["", "now"])
def test_every_doubt_is_a_failure(toy, test, error, forked):
    result = run(toy, "icarus", test, 3, forked=forked)
    assert not result.passed
    assert result.error == error
    replays = [line for line in result.summary().splitlines() if line.startswith("replay: ")]
    assert replays == [f"replay: make sim BLOCK=flow_toy SIM=icarus TEST={test} SEED=3 WIDTH=8"]


@pytest.mark.parametrize("sim", SIMS)
@pytest.mark.parametrize("forked", ["", "now"])
def test_crash_shows_the_end_of_the_log(toy, sim, forked):
    result = run(toy, sim, "crash", forked=forked)
    assert not result.passed
    assert result.exit_status < 0
    assert 0 < len(result.log_tail) <= simulate.TAIL_LINES
    assert "last words" in result.log_tail[-1]
    assert "  | last words" in result.summary()


@pytest.mark.parametrize("sim", SIMS)
@pytest.mark.parametrize("forked", ["", "now"])
def test_hang_is_killed(toy, sim, forked):
    build(toy, sim)
    start = time.monotonic()
    result = run(toy, sim, "hang", timeout=4, forked=forked)
    assert time.monotonic() - start < 30
    assert result.timed_out
    assert result.error == "no end after 4 s: killed"
    assert any("going to sleep" in line for line in result.log_tail)


@pytest.mark.parametrize("sim", SIMS)
def test_a_forked_run_is_the_run_of_a_simulation_of_its_own(toy, sim):
    own = run(toy, sim, "good", 7, {"WIDTH": 4}, {"cycles": 18})
    said = own.result
    for _ in range(2):
        forked = run(toy, sim, "good", 7, {"WIDTH": 4}, {"cycles": 18}, forked="now")
        assert forked.passed
        assert forked.result == said
        assert forked.run_dir == own.run_dir
    other = run(toy, sim, "good", 8, {"WIDTH": 4}, {"cycles": 3}, forked="now")
    assert other.result["value"] == 3
    assert other.result["random"] != said["random"]
    assert len(server._servers) == 1
    # Other sources: what has imported the old ones goes.
    tests = Path(toy.rtl[0]).parents[1] / "flow_toy_tests.py"
    text = tests.read_text(encoding="utf-8").replace('finish("pass", report', 'finish("no", report')
    tests.write_text(text, encoding="utf-8")
    assert run(toy, sim, "good", 8, {"WIDTH": 4}, forked="now").passed
    assert run(toy, sim, "good", 8, {"WIDTH": 4}, forked="later").error == "the test's status is 'no'"
    assert len(server._servers) == 1


def test_a_process_keeps_few_simulations_and_misses_none(toy):
    for width in (4, 8, 4):
        assert run(toy, "icarus", "good", 1, {"WIDTH": width}, forked="now").passed
    assert len(server._servers) == simulate.SERVERS == 2
    (first, second) = server._servers.values()
    first.process.kill()
    first.process.wait()
    assert run(toy, "icarus", "good", 1, {"WIDTH": 8}, forked="now").passed
    folder = second.folder
    server.close_all()
    assert not folder.exists()
    assert not second.alive()


def test_a_simulation_that_dies_during_a_forked_run_fails_it(toy):
    def kill():
        os.killpg(next(iter(server._servers.values())).process.pid, signal.SIGKILL)

    assert run(toy, "icarus", "good", forked="now").passed
    threading.Timer(1.0, kill).start()
    result = run(toy, "icarus", "hang", forked="now")
    assert not result.passed
    assert result.error == "the simulator died of SIGKILL"
    assert result.exit_status == -signal.SIGKILL


@pytest.mark.parametrize("sim", SIMS)
def test_assertion_in_the_design_fails_the_run(toy, sim):
    result = run(toy, sim, "poke")
    assert not result.passed
    assert "poked" in result.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("sim", SIMS)
def test_assertion_that_only_prints_fails_the_run(toy, sim):
    assert run(toy, sim, "good", config={"cycles": 99}).passed
    result = run(toy, sim, "good", config={"cycles": 100})
    assert not result.passed
    assert result.error.startswith("TS_ASSERT Below99 in flow_toy_tb at ")


def test_stale_result_does_not_count(toy):
    passed = run(toy, "icarus", "good")
    source = Path(toy.tb_sources[0]).parent / "flow_toy_tests.py"
    source.write_text(
        source.read_text(encoding="utf-8").replace('finish("pass", report', "dict(report"), encoding="utf-8"
    )
    result = run(toy, "icarus", "good")
    assert result.run_dir == passed.run_dir
    assert result.error == "the test left no result.json"


@pytest.mark.parametrize("sim", [pytest.param("verilator", marks=pytest.mark.late), "icarus"])
def test_waves(toy, sim):
    result = run(toy, sim, "good", waves=True)
    assert result.passed
    assert result.waves.stat().st_size > 0
    assert result.waves.parent == result.run_dir
    assert f"waves: {result.waves.relative_to(ROOT)}" in result.summary()


def test_build_is_cached_by_content(toy, tmp_path):
    first = build(toy, "icarus")
    assert build(toy, "icarus").path == first.path
    assert build(toy, "icarus", {"WIDTH": 4}).path != first.path
    assert build(toy, "icarus", waves=True).path != first.path
    flagged = dataclasses.replace(toy, icarus_args=("-DX",))
    assert build(flagged, "icarus").path != first.path
    (tmp_path / "inc").mkdir()
    included = dataclasses.replace(toy, include_dirs=(str(tmp_path / "inc"),))
    paths = {first.path}
    for text in ("// 1", "// 2"):
        (tmp_path / "inc" / "macros.svh").write_text(text, encoding="utf-8")
        paths.add(build(included, "icarus").path)
    assert len(paths) == 3
    rtl = Path(toy.rtl[0])
    rtl.write_text(rtl.read_text(encoding="utf-8") + "// another\n", encoding="utf-8")
    assert build(toy, "icarus").path != first.path


def test_interrupted_build_is_made_again(toy):
    first = build(toy, "icarus", {"WIDTH": 4}, waves=True)
    (first.path / "done.json").unlink()
    (first.path / "sim.vvp").write_text("half a file", encoding="utf-8")
    again = build(toy, "icarus", {"WIDTH": 4}, waves=True)
    assert again.path == first.path
    assert (again.path / "sim.vvp").stat().st_size > 100


def test_parallel_callers_build_once(toy, monkeypatch):
    shutil.rmtree(build(toy, "icarus").path)
    made = []
    make = building._make
    monkeypatch.setattr(building, "_make", lambda *args, **more: (made.append(1), time.sleep(0.2), make(*args, **more)))
    with ThreadPoolExecutor(4) as pool:
        builds = list(pool.map(lambda _: build(toy, "icarus"), range(4)))
    assert len({item.path for item in builds}) == 1
    assert len(made) == 1


@pytest.mark.parametrize("sim", SIMS)
def test_sources_that_do_not_build(toy, sim):
    rtl = Path(toy.rtl[0])
    rtl.write_text(rtl.read_text(encoding="utf-8").replace("endmodule", "nonsense endmodule"), encoding="utf-8")
    with pytest.raises(BuildError, match=r"(?s)does not accept the sources.*flow_toy.sv:\d+.*syntax error"):
        build(toy, sim)


@pytest.mark.parametrize(("status", "text", "why"), [
    (1, "toy.sv:3: syntax error", "icarus does not accept the sources"),
    (2, "g++: fatal error: Killed signal terminated program cc1plus", "it was killed"),
    (2, "cc1plus: out of memory allocating 65536 bytes", "it was killed"),
    (-9, "", "it was killed"),
])  # fmt: skip
def test_a_killed_build_is_not_blamed_on_the_sources(status, text, why):
    assert building._why_not("icarus", status, text).startswith(why)


def test_harmless_messages_of_icarus_are_dropped(toy):
    rtl = Path(toy.rtl[0])
    extra = "logic a, b; assign b = 1'b0; always_comb a = count_o[0];\nlogic [1:0] c; assign c = 4'd9;\n"
    rtl.write_text(rtl.read_text(encoding="utf-8").replace("endmodule", extra + "endmodule"), encoding="utf-8")
    result = build(dataclasses.replace(toy, icarus_args=("-Wall", "-Wno-timescale")), "icarus")
    assert "sorry: constant selects" in (result.path / "build.log").read_text(encoding="utf-8")
    assert not [line for line in result.warnings if "sorry: constant selects" in line]


@pytest.mark.parametrize("seed", [0, -1, 2**31])
def test_bad_seed(toy, seed):
    with pytest.raises(UserError, match=r"SEED=.* choose 1\.\.2147483647"):
        run(toy, "icarus", "good", seed)


def test_bad_parameters(toy):
    with pytest.raises(UserError, match="WIDTH=7 is not legal for flow_toy: choose one of 4, 8"):
        build(toy, "icarus", {"WIDTH": 7})
    with pytest.raises(UserError, match="no parameter ROWS"):
        build(toy, "icarus", {"ROWS": 7})
    with pytest.raises(UserError, match="SIM=vcs is not a simulator"):
        build(toy, "vcs")
    with pytest.raises(UserError, match="needs SIM=verilator"):
        build(toy, "icarus", coverage=True)


def test_missing_simulator_is_an_error(toy, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match="apt-get install iverilog"):
        build(toy, "icarus")
    with pytest.raises(UserError, match=r"Verilator needs g\+\+ make: install"):
        build(toy, "verilator")


def test_replay_line(toy):
    line = replay_line(toy, "icarus", "good", 3, {"WIDTH": 4}, {"X": "my file.npy"})
    assert line == "make sim BLOCK=flow_toy SIM=icarus TEST=good SEED=3 WIDTH=4 X='my file.npy'"
    result = run(toy, "icarus", "unhappy", 3, None, {"deep": [1]})
    name = result.replay.rpartition("CONFIG=")[2]
    assert json.loads((ROOT / name).read_text(encoding="utf-8")) == {"deep": [1]}


def test_run_all_keeps_order_and_ends_on_error():
    assert processes.run_all([lambda n=n: n * n for n in range(5)], 2) == [0, 1, 4, 9, 16]
    with pytest.raises(ZeroDivisionError):
        processes.run_all([lambda: 1 // 0], 2)


HOLDER = """
import sys
from pathlib import Path
from flow.core.processes import locked, supervise
folder = Path(sys.argv[1])
with locked(folder / "lock"), (folder / "log").open("w") as log:
    supervise(["sh", "-c", "sleep 300 & echo $! > child; exec sleep 300"], folder, None, log, 60)
"""


def test_a_command_ends_with_who_started_it_and_holds_its_lock(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], cwd=ROOT)
    child = tmp_path / "child"
    deadline = time.monotonic() + 20
    while not (child.is_file() and child.read_text(encoding="utf-8").strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(UserError, match=r"another process holds .*: end it"), processes.locked(tmp_path / "lock", 0.2):
        pass
    holder.kill()
    holder.wait()
    with processes.locked(tmp_path / "lock", 5):  # free once the grandchild is gone, too
        state = Path(f"/proc/{child.read_text(encoding='utf-8').strip()}/stat")
        assert not state.exists() or ") Z " in state.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -SEGV $$"], -11),
        (["sh", "-c", "kill -9 $$"], -9),
    ],
)
def test_status_and_signals_of_a_command_are_its_own(tmp_path, command, status):
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        assert processes.supervise(command, tmp_path, None, log, 20) == (status, False)


def test_a_command_that_is_not_there(tmp_path):
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        assert processes.supervise(["no-such-program"], tmp_path, None, log, 20) == (127, False)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "cannot run no-such-program: No such file or directory\n"
