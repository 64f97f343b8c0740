"""Committed files that are made from sources: which are stale, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def stale(made: Mapping[Path, str]) -> list[Path]:
    """The files that do not hold what they should."""
    return [path for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def write_stale(made: Mapping[Path, str]) -> list[Path]:
    """Writes the files that are stale; returns them."""
    paths = stale(made)
    for path in paths:
        path.write_text(made[path], encoding="utf-8")
    return paths
