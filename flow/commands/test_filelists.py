"""A stale file list is found, and Verilator takes each as it stands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flow.commands import filelists
from flow.core.blocks import all_blocks
from flow.core.tools import verilator_root
from tb.lib.contract import Block
from tb.lib.paths import ROOT


def test_a_stale_list_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "toy.f"
    path.write_text("old\n", encoding="utf-8")
    monkeypatch.setattr(filelists, "made_files", lambda: {path: "new\n", tmp_path / "none.f": "x\n"})
    assert filelists.stale_files() == [
        f"{path}: is not what the blocks say: run `make regs`",
        f"{tmp_path}/none.f: is not what the blocks say: run `make regs`",
    ]
    assert filelists.make_files() == [path, tmp_path / "none.f"]
    assert path.read_text(encoding="utf-8") == "new\n"
    assert filelists.stale_files() == []


@pytest.mark.parametrize("block", all_blocks(), ids=lambda block: block.name)
def test_verilator_takes_the_list(block: Block) -> None:
    path = ROOT / filelists.folder_of(block) / f"{block.name}.f"
    command = [str(verilator_root() / "bin" / "verilator_bin"), "--lint-only", "--no-timing", "--top-module"]
    done = subprocess.run(
        [*command, block.rtl_top, "-f", str(path)], cwd=ROOT, capture_output=True, encoding="utf-8", check=False,
        env={"VERILATOR_ROOT": str(verilator_root()), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
