"""`make bench`: a block's own benchmark."""

from __future__ import annotations

import importlib
from pathlib import Path

from flow.core import blocks, options
from flow.core.options import command
from tb.lib.errors import UserError


@command("bench", options.BLOCK, options.REPORT)
def main(BLOCK: str, REPORT: Path | None) -> int:
    """Measure a block and check its figures."""
    block = blocks.get_block(BLOCK)
    if block.bench is None:
        raise UserError(f"block {block.name} has no benchmark")
    return importlib.import_module(block.bench).bench(REPORT)
