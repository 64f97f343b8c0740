"""The benchmark's parts do what they are said to, on a tiny program. Nothing here is timed."""

from __future__ import annotations

import numpy as np
import pytest

from flow.bench import ioss as bench
from flow.bench.common import BenchError, Timing, median_rate, run_cpp
from models.ioss.config import CoreParams
from models.ioss.cycle import predict
from tb.ioss.bench.workload import Workload, cpp_program, stimulus

TINY = Workload(sets=("late",), gemms=("bp3", "wg3", "fp3"), rows=16)
PARAMS = {"ROWS": 8, "LANES": 16, "DEPTH": 128}
CORE = CoreParams()


@pytest.fixture
def stimulus_file(tmp_path):
    path = tmp_path / "program.bin"
    path.write_bytes(cpp_program(TINY.program(CORE)))
    return path


@pytest.mark.late
def test_the_cpp_loop_does_what_the_model_predicts(stimulus_file):
    done = run_cpp(bench.cpp_loop(bench.bench_block(), PARAMS, quick=True), stimulus_file)
    want = predict(CORE, stimulus(TINY.program(CORE)))
    assert len(want.byp) > 0, "the program should have jobs that bypass"
    # The core is busy until its last bank is free and its last product and bypassed job have left.
    quiet = max(want.bank_free.max(), want.prod["cycle"].max() + 1, want.byp["cycle"].max() + 1)
    assert done["cycles"] == quiet
    assert done["issues"] == np.count_nonzero(want.issue["null"] == 0) > 100


@pytest.mark.late
def test_the_cpp_loop_reports_a_program_that_does_not_end(stimulus_file):
    program = TINY.program(CORE)
    words = np.frombuffer(cpp_program(program), "<u4").copy()
    words[3] = 20  # the bound on cycles
    stimulus_file.write_bytes(words.tobytes())
    with pytest.raises(BenchError, match="status 1"):
        run_cpp(bench.cpp_loop(bench.bench_block(), PARAMS, quick=True), stimulus_file)


@pytest.mark.late
def test_a_round_accepts_equal_work_and_nothing_else(stimulus_file, monkeypatch):
    block = bench.bench_block()
    program = bench.cpp_loop(block, PARAMS, quick=True)
    done = bench.one_round(block, program, stimulus_file, TINY, TINY)
    assert done.work == {name: run_cpp(program, stimulus_file)[name] for name in ("cycles", "issues")}
    assert set(done.environment.seconds) == {"simulate", "check"}
    for name in ("cycles", "issues"):

        def wrong(program, stimulus, name=name):
            honest = run_cpp(program, stimulus)
            return {**honest, name: honest[name] + 1}

        monkeypatch.setattr(bench, "run_cpp", wrong)
        with pytest.raises(BenchError, match=f"not the same work: .* {name}"):
            bench.one_round(block, program, stimulus_file, TINY, TINY)


@pytest.mark.late
def test_the_conventional_environment_compares():
    block = bench.bench_block()
    report = bench.simulate(block, "conventional", TINY)[0]["report"]
    issues = np.count_nonzero(predict(CORE, stimulus(TINY.program(CORE))).issue["row"] >= 0)
    assert report["compared"] == issues
    assert report["mismatches"] == 0
    with pytest.raises(BenchError, match="observed Product"):
        bench.simulate(block, "conventional", TINY, corrupt=5)


def test_rates_are_medians():
    timings = [Timing(100, {"simulate": seconds, "check": 1.0}) for seconds in (1.0, 9.0, 3.0)]
    assert median_rate(timings) == 25.0
