"""What tests of commands share: a target of make run as a user would."""

from __future__ import annotations

import os
import subprocess
import sys

from tb.lib.paths import ROOT


def run_target(target: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """`make <target> NAME=value ...` without make's own set-up; output as text. Ends after 900 s."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COCOTB", "MAKE", "MFLAGS"))}
    env |= {name: str(value) for name, value in variables.items()}
    command = [sys.executable, "-m", "flow", target]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        encoding="utf-8",
        errors="replace",
    )
