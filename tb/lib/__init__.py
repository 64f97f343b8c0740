"""What the environments of all blocks share: agents, scoreboard and test base, testplan, coverage.

With models/common it is a package of its own, `trainslice-tb`, for other projects too (docs/guide/outside.md).
"""

from __future__ import annotations

from pathlib import Path


def sv_folder() -> Path:
    """The folder of the SystemVerilog: transactors, checks and their include file, wherever this package lies."""
    return Path(__file__).resolve().parent / "sv"


def sv_sources() -> list[Path]:
    """Every package in it, then every module: they may be compiled in this order."""
    return sorted(sv_folder().glob("*.sv"), key=lambda path: (not path.stem.endswith("_pkg"), path.name))
