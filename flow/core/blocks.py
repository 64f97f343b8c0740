"""How the flow finds the blocks.

A block is a folder `tb/<name>/` with a `block.py` that defines `BLOCK = Block(...)` (tb/lib/contract.py); nothing else
registers it.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from tb.lib.contract import Block
from tb.lib.errors import UserError, did_you_mean
from tb.lib.paths import ROOT


def block_names(root: Path = ROOT) -> list[str]:
    """Names of all blocks: the folders of tb/ that have a block.py."""
    return sorted(path.parent.name for path in (root / "tb").glob("*/block.py"))


def get_block(name: str) -> Block:
    """The block called `name`; `UserError` that lists the known ones otherwise."""
    if name not in block_names():
        known = block_names()
        raise UserError(
            f"there is no block '{name}': choose one of {', '.join(known) or '(none yet)'}{did_you_mean(name, known)}"
        )
    block = importlib.import_module(f"tb.{name}.block").BLOCK
    if not isinstance(block, Block) or block.name != name:
        raise UserError(f"tb/{name}/block.py must define BLOCK = Block(name='{name}', ...)")
    return block


def all_blocks() -> list[Block]:
    """Every block, by name."""
    return [get_block(name) for name in block_names()]
