"""The client of a foreign bench runs as its guide says, and notices a processor that is wrong."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flow.commands.faults import load_faults, plant
from flow.core.blocks import get_block
from flow.core.building import build
from tb.lib.paths import PACKAGES, ROOT
from tb.top.block import BLOCK

HERE = Path(__file__).parent
CLIENT = replace(
    BLOCK,
    name="client",
    tb_sources=("tb/top/client/client_top.sv",),
    tb_top="client_top",
    params={},
    public_vlt=None,
)


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs Python outside pytest's surroundings, which cocotb's runner would look at."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_it_stands_alone() -> None:
    """No module of the project, so that a reader can take it away."""
    for name in ("client.py", "run.py"):
        for node in ast.walk(ast.parse((HERE / name).read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {each.split(".")[0] for each in names} & set(PACKAGES)


@pytest.mark.early
def test_the_client_on_icarus() -> None:
    """Ten seconds, a third of them the compilation: the one early run of what the guide promises."""
    done = _command("tb/top/client/run.py", "icarus", "at_full_rate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 tests, 0 failed" in done.stdout
    assert len(re.findall(r"(ADAM|momentum): median error", done.stdout)) == 2


@pytest.mark.late
def test_a_host_that_pauses() -> None:
    done = _command("tb/top/client/run.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 tests, 0 failed" in done.stdout


def _run(built: Path, folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Runs a test of the client in a build of the flow for Icarus."""
    script = (
        f"import sys; sys.path.insert(0, {str(HERE)!r}); import run; from pathlib import Path\n"
        f"print(run.run('icarus', Path({str(built)!r}), Path({str(folder)!r}), {test!r}))"
    )
    return _command("-c", script)


@pytest.mark.late
@pytest.mark.parametrize(
    ("block", "name", "said"),
    [
        ("ran", "sign_lost_in_shift", "results differ"),
        ("optc", "decay_adds", "of the update error"),
        ("top", "copy_half", "copies differ"),
        ("regs", "push_of_last_id", "ERROR 0x"),
    ],
)
def test_a_wrong_processor_is_noticed(tmp_path: Path, block: str, name: str, said: str) -> None:
    (fault,) = (one for one in load_faults(get_block(block)) if one.name == name)
    plant(fault, tmp_path / "wrong")
    built = build(CLIENT, "icarus", src_root=tmp_path / "wrong")
    done = _run(built.path, tmp_path, "at_full_rate")
    assert "(1, 1)" in done.stdout, done.stdout + done.stderr
    assert re.search(rf"AssertionError: .*{said}", done.stdout + done.stderr)
