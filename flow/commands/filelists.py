"""The exported file list of each block, rtl/<block>/<block>.f: what another tool needs to compile it, in order.

Paths are relative to the root of the clone: `verilator --lint-only -f rtl/ran/ran.f`. Made by `make regs` from
`Block.rtl`; `make lint` says when one is stale.
"""

from __future__ import annotations

from pathlib import Path

from flow.core.blocks import all_blocks
from flow.core.made import stale, write_stale
from tb.lib.contract import Block
from tb.lib.paths import ROOT, shown


def file_of(block: Block, module: str) -> Path:
    """The file of `block`, bench included, that a module is in, from the root of the clone."""
    return next(path for path in map(Path, (*block.rtl, *block.tb_sources)) if path.stem == module)


def folder_of(block: Block) -> str:
    """The folder of rtl/ that holds the block's top: regs has its in rtl/top."""
    return str(file_of(block, block.rtl_top).parent)


def made_files() -> dict[Path, str]:
    """Content of every file list."""
    made = {}
    for block in all_blocks():
        folders = [folder for folder in block.include_dirs if folder.startswith("rtl/")]
        lines = [
            f"// {block.title}: top {block.rtl_top}. Made from tb/{block.name}/block.py by `make regs`.",
            *(f"+incdir+{folder}" for folder in folders),
            *block.rtl,
        ]
        made[ROOT / folder_of(block) / f"{block.name}.f"] = "\n".join(lines) + "\n"
    return made


def make_files() -> list[Path]:
    """Writes the lists that are not up to date; returns them."""
    return write_stale(made_files())


def stale_files() -> list[str]:
    """A finding for each list that is not what the blocks say."""
    return [f"{shown(path)}: is not what the blocks say: run `make regs`" for path in stale(made_files())]
