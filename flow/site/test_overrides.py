"""Components of a user's take the places of this environment's by UVM's factory, as docs/guide/own_rtl.md shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flow.core.blocks import get_block
from flow.core.simulate import run
from flow.site.test_guides import snippets
from tb.lib.axil import TRACE_DTYPE, Channel
from tb.lib.paths import BUILD, ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder outside the clone with the modules of the guide."""
    for name, _, text in snippets("own_rtl.md"):
        if "/" not in name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"my_tests.py", "run_mine.py"}
    return tmp_path


def _mine(folder: Path) -> tuple[int, str, Path]:
    """Exit status, what was printed, and the run's folder."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    command = [sys.executable, "run_mine.py"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600, encoding="utf-8"
    )
    made = max((BUILD / "runs" / "regs").glob("smoke-icarus-1-*-mine"), key=lambda path: path.stat().st_mtime)
    return done.returncode, done.stdout + done.stderr, made


def _holds(run_dir: Path) -> np.ndarray:
    """Cycles that each answer waited."""
    trace = np.fromfile(run_dir / "axil.bin", TRACE_DTYPE)
    answers = trace[np.isin(trace["channel"], (Channel.B, Channel.R))]
    return answers["cycle"] - answers["since"]


@pytest.mark.late
def test_a_user_s_scoreboard_and_driver_take_their_places(folder: Path) -> None:
    plain = run(get_block("regs"), "icarus", "smoke", label="plain")
    assert plain.passed, plain.summary()
    assert plain.result is not None
    status, said, run_dir = _mine(folder)
    assert status == 0, said
    result = json.loads((run_dir / "result.json").read_text(encoding="utf-8"))
    # The driver: no answer is taken before its fourth cycle.
    assert len(_holds(run_dir)) == len(_holds(plain.run_dir)) > 300
    assert _holds(run_dir).min() == 3 > _holds(plain.run_dir).min()
    assert result["cycles"] > plain.result["cycles"]
    # The scoreboard: what it compares counts, and what it finds fails the run.
    checks = plain.result["checks"]
    assert result["checks"] == {**checks, "cycle": checks["cycle"] + 1}
    path = folder / "my_tests.py"
    text = path.read_text(encoding="utf-8")
    assert "self.cycles > 5000" in text
    path.write_text(text.replace("self.cycles > 5000", "self.cycles > 50"), encoding="utf-8")
    status, said, _ = _mine(folder)
    assert status == 1
    assert re.search(r"FAIL regs smoke icarus .*: bound at cycle \d+: cycles of the run", said)
