"""What commands print and write at their end: verdicts, tables, the report."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from models.common.files import FileError, write_whole
from tb.lib.errors import UserError
from tb.lib.paths import shown


def wide(columns: int) -> Console:
    """A console as wide as the terminal; of `columns` where there is none, so that files hold whole tables."""
    console = Console()
    return console if console.is_terminal else Console(width=max(columns, console.width))


def verdict(text: str) -> str:
    """`text` with PASS in green and FAIL in red where it begins with them, on a terminal."""
    word = text[:4]
    colour = {"PASS": 32, "FAIL": 31}.get(word)
    if colour is None or not Console().is_terminal or os.environ.get("NO_COLOR"):
        return text
    return f"\033[1;{colour}m{word}\033[0m{text[4:]}"


def write_report(path: Path | None, content: Mapping[str, Any]) -> None:
    """Writes REPORT, if it was given. Raises `UserError`."""
    if path is not None:
        try:
            write_whole(path, json.dumps(content, indent=1, default=str) + "\n")
        except FileError as error:
            raise UserError(f"REPORT={error}") from None
        print(f"report: {shown(path)}")
