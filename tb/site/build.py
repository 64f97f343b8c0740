"""`make docs`: builds the site from docs/, strictly, so that a broken link or a page outside the navigation fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tb.flow.paths import BUILD, ROOT

CONFIG = ROOT / "mkdocs.yml"
SITE = BUILD / "site"
_LEVEL = re.compile(r"^(WARNING|ERROR)\s+-\s+")


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
    )
    if done.returncode == 0:
        return []
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    found = [_LEVEL.sub("", line) for line in lines if _LEVEL.match(line)]
    return found or lines[-20:] or [f"mkdocs ended with status {done.returncode}"]
