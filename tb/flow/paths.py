"""Where things are: everything the flow writes lies below `BUILD`."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TS_BUILD_DIR") or ROOT / "build").resolve()
REPORTS = BUILD / "reports"


def shown(path: Path | str) -> str:
    """`path` as a user wants to read it: relative to the clone where it lies inside."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
