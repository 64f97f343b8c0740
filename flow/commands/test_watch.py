"""A save starts a run, litter does not, and the verdict is a line; a failure keeps what explains it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from watchfiles import Change

from flow.commands import watch
from tb.lib.paths import ROOT


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("rtl/ran/ran_core.sv", True), ("models/ran/value.py", True), ("tb/ran/testplan.hjson", True),
        ("rtl/ran/.ran_core.sv.swp", False), ("rtl/ran/.#ran_core.sv", False), ("rtl/ran/ran_core.sv~", False),
        ("rtl/ran/4913", False), ("docs/index.md", False),
    ],
)  # fmt: skip
def test_what_counts_as_a_source(name: str, counts: bool) -> None:
    assert watch.is_source(Change.modified, str(ROOT / name)) is counts


def test_every_save_is_a_run_and_the_last_verdict_counts() -> None:
    said: list[str] = []
    verdicts = iter([(0, "PASS a"), (1, "FAIL a\nreplay: b"), (0, "PASS a")])
    files = [str(ROOT / f"rtl/{name}.sv") for name in "abcde"]
    saved = [{(Change.modified, files[0])}, set(), {(Change.modified, file) for file in files}]
    assert watch.loop(saved, lambda: next(verdicts), said.append) == 0
    assert [line.split(" ", 1)[1].split(": ")[0] for line in said] == [
        "first run", "rtl/a.sv", "rtl/a.sv, rtl/b.sv, rtl/c.sv and 2 more"
    ]  # fmt: skip
    assert said[1].endswith("s: FAIL a\nreplay: b")


def test_a_run_that_passes_is_a_line_and_a_mistake_another() -> None:
    status, said = watch.run_once({"BLOCK": "laps", "TEST": "smoke", "SIM": "icarus"})
    assert (status, said.count("\n")) == (0, 0)
    assert said.startswith("PASS")
    status, said = watch.run_once({"BLOCK": "laps", "TEST": "smok"})
    assert (status, said) == (2, "error: laps has no test smok: did you mean smoke?")


def test_the_command_runs_until_it_is_interrupted(tmp_path: Path) -> None:
    listed = tmp_path / "own.f"
    listed.write_text(f"{ROOT}/rtl/laps/laps_log2.sv\n", encoding="utf-8")
    variables = {"BLOCK": "laps", "TEST": "smoke", "SIM": "icarus", "RTL": str(listed), "PYTHONUNBUFFERED": "1"}
    out = (tmp_path / "out").open("w+", encoding="utf-8")
    # Whoever started the tests may have SIGINT ignored, which a process inherits.
    code = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('flow', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "watch"], cwd=ROOT, env={**os.environ, **variables}, stdout=out,
        stderr=subprocess.STDOUT,
    )  # fmt: skip

    def wait_for(words: str) -> None:
        deadline = time.monotonic() + 120
        while words not in (tmp_path / "out").read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, (tmp_path / "out").read_text(encoding="utf-8")
            assert process.poll() is None, (tmp_path / "out").read_text(encoding="utf-8")
            time.sleep(0.1)

    try:
        wait_for("first run: ")
        (tmp_path / "copy.sv").write_text("// saved\n", encoding="utf-8")
        wait_for(f"{tmp_path}/copy.sv: ")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        out.close()
    text = (tmp_path / "out").read_text(encoding="utf-8")
    assert text.count("PASS") == 2
    assert "Traceback" not in text
