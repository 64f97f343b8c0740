"""`make watch`: runs a test again whenever a source is saved, and says how it went in a line.

What counts as a source are files of the kinds that decide a result (tb/lib/paths.py), in the folders of the project
and, with RTL=, beside the user's list. A save while a run goes on starts the next one after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from watchfiles import Change, watch

from flow.commands.sim import sim_options
from flow.core import options
from flow.core.options import Option, command
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import ROOT, SOURCE_KINDS, SOURCES, shown

NAMED = 3  # files that a line names
FIRST_MS = 500


def is_source(change: Change, path: str) -> bool:
    """Whether a change may decide a result: not what editors leave beside a file."""
    file = Path(path)
    return file.suffix in SOURCE_KINDS and not file.name.startswith((".", "#"))


def places(rtl: Path | None = None) -> list[Path]:
    """Folders and files that are watched."""
    return [*(ROOT / place for place in SOURCES), *([rtl.resolve().parent] if rtl else [])]


def run_once(arguments: Mapping[str, str]) -> tuple[int, str]:
    """`make sim` with these variables: exit status, and what it says that matters."""
    done = subprocess.run(
        [sys.executable, "-m", "flow", "sim"], cwd=ROOT, env={**os.environ, **arguments}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    start = next(
        (at for at, line in enumerate(lines) if line.startswith(("PASS", "FAIL", "error:"))), max(0, len(lines) - 1)
    )
    said = lines[start:]
    return done.returncode, "\n".join(said[:1] if done.returncode == 0 else said)


def named(changes: Iterable[tuple[Change, str]]) -> str:
    """The files of a set of changes, as a line shows them."""
    files = sorted({shown(path) for _, path in changes})
    return ", ".join(files[:NAMED]) + (f" and {len(files) - NAMED} more" if len(files) > NAMED else "")


def loop(
    saved: Iterable[Collection[tuple[Change, str]]], run: Callable[[], tuple[int, str]], tell: Callable[[str], None]
) -> int:
    """Runs once, then after every set of changes; the status of the last run."""

    def turn(why: str) -> int:
        start = time.monotonic()
        status, said = run()
        tell(f"{time.strftime('%H:%M:%S')} {why}: {time.monotonic() - start:.1f} s: {said}")
        return status

    status = turn("first run")
    for changes in saved:
        if changes:  # none: nothing was saved for a while
            status = turn(named(changes))
    return status


def watch_sources(arguments: Mapping[str, str], rtl: Path | None, tell: Callable[[str], None]) -> int:
    """The command: until Ctrl-C. Raises `UserError` where the system cannot watch files."""
    tell("watching the sources; Ctrl-C ends")
    try:
        # With time-outs, because it watches from its first one on: what is saved during the first run counts.
        saved = watch(
            *places(rtl), watch_filter=is_source, raise_interrupt=False, yield_on_timeout=True, rust_timeout=FIRST_MS
        )
        next(saved)
        return loop(saved, lambda: run_once(arguments), tell)
    except OSError as error:
        raise UserError(f"files cannot be watched: {error.strerror or error}") from error


def watch_options(block: Block) -> list[Option]:
    """Those of a simulation, but what a single run leaves."""
    return [option for option in sim_options(block) if option.envvar not in ("WAVES", "REPORT", "OUT")]


@command("watch", of_block=watch_options)
def main(RTL: Path | None, **_: Any) -> int:
    """Run again whenever a source is saved; a line each."""
    return watch_sources(options.given(), RTL, lambda line: print(line, flush=True))
