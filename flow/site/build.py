"""`make docs`: builds the site from docs/, strictly, so that a broken link or a page outside the navigation fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tb.lib.paths import BUILD, ROOT

CONFIG = ROOT / "mkdocs.yml"
SITE = BUILD / "site"
_LEVEL = re.compile(r"^(WARNING|ERROR)\s+-\s+")
_OTHER = re.compile(r"^(INFO|DEBUG)\s+-\s+|^Aborted")


def build_site(site: Path = SITE, config: Path = CONFIG) -> list[str]:
    """Builds the site into the folder `site`; what is wrong, nothing if it was built."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(site)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode == 0:
        return []
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return _findings(lines) or lines[-20:] or [f"mkdocs ended with status {done.returncode}"]


def _findings(lines: list[str]) -> list[str]:
    """Warnings and errors of MkDocs' output, each with the lines that belong to it."""
    out: list[str] = []
    inside = False
    for line in lines:
        if _LEVEL.match(line):
            out.append(_LEVEL.sub("", line))
            inside = True
        elif _OTHER.match(line):
            inside = False
        elif inside:
            out[-1] += f" {line.strip()}"
    return out
