"""Where things are: everything the flow writes lies below `BUILD`."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TS_BUILD_DIR") or ROOT / "build").resolve()
REPORTS = BUILD / "reports"
# Folders that hold Python, and what may decide a result.
PACKAGES = ("models", "host", "studies", "tb", "flow")
SOURCES = ("rtl", *PACKAGES, "data", "requirements.txt")
# Kinds of files that the project consists of, beside its documentation.
SOURCE_KINDS = frozenset(
    {".cpp", ".css", ".h", ".hjson", ".j2", ".npz", ".patch", ".py", ".rules", ".sv", ".svh", ".txt", ".vlt"}
)


def shown(path: Path | str) -> str:
    """`path` as a user wants to read it: relative to the clone where it lies inside."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def source_files(places: Collection[str], kinds: Collection[str] = SOURCE_KINDS, root: Path = ROOT) -> list[Path]:
    """Files of these kinds in `places` (folders or files of the clone), sorted: what may decide a result.

    What editors, file managers and version control leave beside them is not among them: `.x.py.swp`, `.#x.py`, `x.py~`,
    `x.sv.orig`, `._x.py`, `.DS_Store`.
    """
    found: set[Path] = set()
    for place in places:
        top = root / place
        each = [top] if top.is_file() else [path for path in top.rglob("*") if path.suffix in kinds]
        hidden = (".", "#")
        found.update(path for path in each if not any(part.startswith(hidden) for part in path.relative_to(top).parts))
    return sorted(path for path in found if path.is_file())
