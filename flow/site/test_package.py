"""tb/lib as a package: its wheel verifies the guide's block in an environment that has never seen the clone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from flow.site.test_guides import snippets
from tb.lib import sv_folder, sv_sources
from tb.lib.paths import ROOT

LIB = ROOT / "tb" / "lib"
FOR_THE_FLOW = ("block.py", "testlist.py", ".vlt", ".md")  # of the block's files


def _project(path: Path) -> dict:
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"]


def test_the_package_asks_for_what_the_project_pins() -> None:
    mine, whole = _project(LIB / "pyproject.toml"), _project(ROOT / "pyproject.toml")
    assert (mine["version"], mine["requires-python"]) == (whole["version"], whole["requires-python"])
    pinned = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert set(mine["dependencies"]) <= set(pinned)


def test_the_library_knows_where_its_sources_are() -> None:
    assert sv_folder() == LIB / "sv"
    assert {path.name for path in sv_sources()} == {path.name for path in (LIB / "sv").glob("*.sv")} >= {"ts_source.sv"}


def _call(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TS_", "PIP_"))}
    return subprocess.run(
        command, cwd=cwd, env=outside, capture_output=True, text=True, check=False, timeout=600, encoding="utf-8"
    )


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of a new environment with the wheel in it, and with the packages that the wheel needs."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    built = _call(*pip, "wheel", "--no-index", "--no-deps", "--wheel-dir", tmp_path, LIB, cwd=tmp_path)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"tb/lib/sv/ts_source.sv", "tb/lib/sv/ts_trace.svh", "models/common/files.py"} <= set(names)
    assert all(name.startswith(("tb/lib/", "models/common/", "trainslice_tb-")) for name in names)
    assert not any("test_" in Path(name).name for name in names)
    made = _call(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    python = tmp_path / "venv" / "bin" / "python"
    installed = _call(*pip, "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    (packages,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    (packages / "needed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return python


@pytest.mark.late
def test_the_wheel_verifies_a_block_outside_the_clone(python: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name, _, text in snippets("block.md") + snippets("outside.md"):
        if not name.endswith(FOR_THE_FLOW):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")
    place = _call(python, "-c", "import tb.lib; print(tb.lib.sv_folder())", cwd=project)
    assert Path(place.stdout.strip()).is_relative_to(tmp_path / "venv"), place.stdout + place.stderr
    assert _call(python, "-c", "import flow", cwd=project).returncode != 0
    good = _call(python, "verify.py", cwd=project)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "pass  {'value': 256, 'slice': 256, 'cycle': 512}" in good.stdout
    rtl = project / "rtl/gray/gray_core.sv"
    rtl.write_text(rtl.read_text(encoding="utf-8").replace("in_data_i >> 1", "in_data_i >> 2"), encoding="utf-8")
    bad = _call(python, "verify.py", cwd=project)
    assert bad.returncode == 1
    result = json.loads((project / "build" / "run" / "result.json").read_text(encoding="utf-8"))
    assert re.match(r"output at cycle \d+: ", result["error"])
