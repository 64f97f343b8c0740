"""The guides can be followed: what they add is added to a copy of the project, and works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tb.flow.paths import ROOT

SNIPPET = re.compile(r'^```\w+ title="([^",]+)(?:, ([^"]+))?"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
LINT = """
from tb.flow import lint
from tb.flow.blocks import all_blocks, get_block
block = get_block("gray")
print(lint.lint_rtl(block, {}) + block.check() + lint.lint_style() + lint.lint_sources(all_blocks()))
"""
ADDED = """
import sys
from pathlib import Path
from tb.flow.blocks import get_block
from tb.flow.faults import load_faults, plant
from tb.ioss.coverage import SHAPE
block = get_block("ioss")
assert block.check() == [], block.check()
assert "live_lane" in SHAPE.points
assert "one_live_lane" in [entry.test for entry in block.tests]
fault = next(fault for fault in load_faults(block) if fault.test == "one_live_lane")
plant(fault, Path(sys.argv[1]))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project's sources."""
    for folder in ("tb", "models", "rtl", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _snippets(guide: str) -> list[tuple[str, str, str]]:
    found = SNIPPET.findall((ROOT / "docs" / "guide" / guide).read_text(encoding="utf-8"))
    assert len(found) > 5
    return found


def _call(copy: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | variables | {"TS_BUILD_DIR": str(copy / "build"), "PYTHONPATH": str(copy)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        encoding="utf-8",
        errors="replace",
    )


def test_a_block_made_of_the_guide_works(copy: Path) -> None:
    for name, where, text in _snippets("block.md"):
        assert not where
        path = copy / name
        assert not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    lint = _call(copy, "-c", LINT)
    assert lint.stdout.strip() == "[]", lint.stdout + lint.stderr
    ruff = _call(copy, "-m", "ruff", "check", "--no-cache", "tb/gray", "models/gray")
    assert ruff.returncode == 0, ruff.stdout
    good = _call(copy, "-m", "tb.flow", "sim", BLOCK="gray", SIM="icarus", SEED="2")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "PASS gray all_bytes icarus seed 2" in good.stdout
    rtl = copy / "rtl/gray/gray_core.sv"
    rtl.write_text(rtl.read_text(encoding="utf-8").replace("in_data_i >> 1", "in_data_i >> 2"), encoding="utf-8")
    bad = _call(copy, "-m", "tb.flow", "sim", BLOCK="gray", SIM="icarus")
    assert bad.returncode == 1
    assert re.search(r"FAIL gray all_bytes .*: output at cycle \d+", bad.stdout)


def test_what_the_guide_adds_fits_together(copy: Path) -> None:
    for name, where, text in _snippets("adding.md"):
        path = copy / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        match where:
            case "":
                after = text
            case "at the end":
                after = f"{before.rstrip()}\n\n\n{text}"
            case "at the end of the list":
                at = before.rindex("  ]\n" if path.suffix == ".hjson" else ")\n")
                after = before[:at] + text + before[at:]
            case _:
                mark = 'Coverpoint("masked_lane"' if "after masked_lane" in where else "masked_lane=np.arange"
                at = before.index("\n", before.index(mark)) + 1
                after = before[:at] + text + before[at:]
        path.write_text(after, encoding="utf-8")
    added = _call(copy, "-c", ADDED, str(copy / "planted"))
    assert added.returncode == 0, added.stderr
    ruff = _call(copy, "-m", "ruff", "check", "--no-cache", "tb/ioss")
    assert ruff.returncode == 0, ruff.stdout
