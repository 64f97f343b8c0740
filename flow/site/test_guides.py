"""The guides can be followed: what they add is added to a copy of the project, and works; every command is run.

Long runs are made on the simulator that is quicker to build for, and what other tests run anyway is named here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flow.core.targets import run_target
from tb.lib.paths import PACKAGES, ROOT

SNIPPET = re.compile(r'^```\w+ title="([^",]+)(?:, ([^"]+))?"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^((?:make|git|\.venv/bin/python) .*?)(?: +#.*)?$")
# Every command that stands in a block of its own, by guide, with the test that runs it.
RUN_BY = {
    "tour.md": {
        "make sim": "flow/site/test_guides.py::test_the_tour_can_be_followed",
        "make waves TEST=smoke": "flow/site/test_guides.py::test_the_tour_can_be_followed",
        "make sim BLOCK=gemm X=x.npy W=w.npy W_BITS=8 OUT=y.npy":
            "flow/site/test_guides.py::test_the_tour_can_be_followed",
        "make train": "flow/commands/test_train.py::test_a_training_goes_on_to_the_same_bits_and_reports",
        "git apply tb/ioss/faults/product_sign.patch": "flow/site/test_guides.py::test_the_tour_s_fault_is_caught",
        "make sim TEST=smoke": "flow/site/test_guides.py::test_the_tour_s_fault_is_caught",
        "git apply -R tb/ioss/faults/product_sign.patch": "flow/site/test_guides.py::test_the_tour_s_fault_is_caught",
    },
    "adding.md": {
        "make sim TEST=one_live_lane": "flow/site/test_guides.py::test_what_the_guide_adds_fits_together",
        "make lint": "flow/site/test_guides.py::test_what_the_guide_adds_fits_together",
    },
    "block.md": {
        "make sim BLOCK=gray": "flow/site/test_guides.py::test_a_block_made_of_the_guide_works",
        "make sim BLOCK=gray SIM=icarus SEED=2": "flow/site/test_guides.py::test_a_block_made_of_the_guide_works",
        "make lint": "flow/site/test_guides.py::test_a_block_made_of_the_guide_works",
    },
    "own_rtl.md": {
        "make sim BLOCK=ran TEST=smoke RTL=tb/ran/example_rtl/quant.f":
            "tb/ran/test_own_rtl.py::test_an_independent_quant_register_passes_every_check",
        "make sim BLOCK=ran TEST=smoke RTL=tb/ran/example_rtl/pipeline.f CHECK=value":
            "tb/ran/test_own_rtl.py::test_another_pipeline_passes_by_value_and_not_by_cycle",
        "make sim BLOCK=gemm TEST=smoke RTL=tb/ran/example_rtl/pipeline.f CHECK=value":
            "tb/gemm/test_own_rtl.py::test_another_pipeline_passes_by_value",
        "make sim BLOCK=ran TEST=smoke RTL=tb/ran/example_rtl/pipeline.f":
            "tb/ran/test_own_rtl.py::test_another_pipeline_passes_by_value_and_not_by_cycle",
    },
    "host.md": {},
    "client.md": {
        ".venv/bin/python tb/top/client/run.py icarus at_full_rate":
            "tb/top/client/test_client.py::test_the_client_on_icarus",
        ".venv/bin/python tb/top/client/run.py": "tb/top/client/test_client.py::test_a_host_that_pauses",
    },
    "pytorch.md": {
        "make sim BLOCK=gemm CAPTURE=captures/step15/2-bp.npz OUT=y.npy":
            "host/test_torch.py::test_the_script_of_the_guide_replays_on_the_rtl",
        "make net TRACE=captures": "flow/commands/test_net.py::test_the_command_takes_a_trace",
    },
    "train_yours.md": {
        "make train-model NET=my_net.py IMAGES=6400/1000 EPOCHS=3":
            "flow/commands/test_train_yours.py::test_the_guide_s_network_trains",
        "make train NET=my_net.py IMAGES=64/60":
            "flow/commands/test_train_yours.py::test_a_training_of_a_user_s_network_on_the_rtl",
    },
    "glossary.md": {},
    "outside.md": {},  # test_package.py follows it
}  # fmt: skip
LINT = """
from flow.commands import benchports, lint
from flow.core.blocks import get_block
block = get_block("gray")
print(lint.lint_rtl(block, {}) + block.check() + lint.lint_style() + lint.lint_sources(lint.designs()))
print(benchports.findings())
"""
ADDED = """
import sys
from pathlib import Path
from flow.core.blocks import get_block
from flow.commands.faults import load_faults, plant
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
    for folder in (*PACKAGES, "rtl", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def snippets(guide: str, least: int = 1) -> list[tuple[str, str, str]]:
    """(file, where in it, text) of everything that a guide shows of a file."""
    found = SNIPPET.findall((ROOT / "docs" / "guide" / guide).read_text(encoding="utf-8"))
    assert len(found) >= least
    return found


def _commands(guide: str) -> set[str]:
    found: set[str] = set()
    fence = ""
    for line in (ROOT / "docs" / "guide" / guide).read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fence = "" if fence else line
        elif fence == "```":
            found.update(COMMAND.findall(line))
    return found


def test_every_command_of_every_guide_is_run() -> None:
    guides = {path.name for path in (ROOT / "docs" / "guide").glob("*.md")}
    assert guides == set(RUN_BY)
    for guide, commands in RUN_BY.items():
        assert _commands(guide) == set(commands), guide
        for test in commands.values():
            path, name = test.split("::")
            assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), test


def test_the_tour_can_be_followed(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "guide" / "tour.md").read_text(encoding="utf-8")
    real = run_target("sim")
    assert real.returncode == 0, real.stdout + real.stderr
    assert "11.1" in real.stdout  # of early fp1, which the guide names
    waves = run_target("waves", TEST="smoke", SIM="icarus")
    assert waves.returncode == 0, waves.stdout + waves.stderr
    assert (ROOT / re.findall(r"^waves: (.*)$", waves.stdout, re.MULTILINE)[0]).stat().st_size > 1000
    (script,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    made = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)
    assert made.returncode == 0
    files = {name: tmp_path / f"{name.lower()}.npy" for name in ("X", "W")}
    gemm = run_target("sim", BLOCK="gemm", SIM="icarus", **files, W_BITS=8, OUT=tmp_path / "y.npy")
    assert gemm.returncode == 0, gemm.stdout + gemm.stderr
    x, w = (np.load(path) for path in files.values())
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), x @ w)


def test_the_tour_s_fault_is_caught(copy: Path) -> None:
    patch = "tb/ioss/faults/product_sign.patch"
    apply = ["git", "-C", str(copy), "apply"]
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(copy.parent)}
    subprocess.run([*apply, patch], check=True, env=environment)
    broken = _call(copy, "-m", "flow", "sim", TEST="smoke", SIM="icarus")
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "FAIL ioss smoke icarus seed 1" in broken.stdout
    assert "product at cycle" in broken.stdout
    assert "replay: make sim BLOCK=ioss SIM=icarus TEST=smoke SEED=1" in broken.stdout
    subprocess.run([*apply, "-R", patch], check=True, env=environment)
    assert (copy / "rtl/ioss/ioss_row.sv").read_bytes() == (ROOT / "rtl/ioss/ioss_row.sv").read_bytes()


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
        timeout=900,
        encoding="utf-8",
        errors="replace",
    )


def test_the_program_of_the_host_s_guide_works(tmp_path: Path) -> None:
    ((name, where, text),) = snippets("host.md", 1)
    assert not where
    (tmp_path / name).write_text(text, encoding="utf-8")
    done = _call(ROOT, str(tmp_path / name), PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"8 commands, 50 x 40 results from 0 to \d+\n", done.stdout)
    ruff = _call(ROOT, "-m", "ruff", "check", "--no-cache", "--ignore=INP,I001,ANN,NPY", str(tmp_path / name))
    assert ruff.returncode == 0, ruff.stdout
    (tmp_path / name).write_text(text.replace("x.q @ w.q", "x.q @ w.q + 1"), encoding="utf-8")
    assert "AssertionError" in _call(ROOT, str(tmp_path / name), PYTHONPATH=str(ROOT)).stderr


def test_a_block_made_of_the_guide_works(copy: Path) -> None:
    for name, where, text in snippets("block.md"):
        assert not where
        path = copy / name
        assert not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    lint = _call(copy, "-c", LINT)
    assert lint.stdout.split() == ["[]", "[]"], lint.stdout + lint.stderr
    ruff = _call(copy, "-m", "ruff", "check", "--no-cache", "tb/gray", "models/gray")
    assert ruff.returncode == 0, ruff.stdout
    good = _call(copy, "-m", "flow", "sim", BLOCK="gray", SIM="icarus", SEED="2")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "PASS gray all_bytes icarus seed 2" in good.stdout
    rtl = copy / "rtl/gray/gray_core.sv"
    rtl.write_text(rtl.read_text(encoding="utf-8").replace("in_data_i >> 1", "in_data_i >> 2"), encoding="utf-8")
    bad = _call(copy, "-m", "flow", "sim", BLOCK="gray", SIM="icarus")
    assert bad.returncode == 1
    assert re.search(r"FAIL gray all_bytes .*: output at cycle \d+", bad.stdout)


def test_what_the_guide_adds_fits_together(copy: Path) -> None:
    for name, where, text in snippets("adding.md"):
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
    good = _call(copy, "-m", "flow", "sim", TEST="one_live_lane", SIM="icarus")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "PASS ioss one_live_lane icarus seed 1" in good.stdout
    shutil.copytree(copy / "planted" / "rtl", copy / "rtl", dirs_exist_ok=True)
    bad = _call(copy, "-m", "flow", "sim", TEST="one_live_lane", SIM="icarus")
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert re.search(r"FAIL ioss one_live_lane .*: product at cycle", bad.stdout)
