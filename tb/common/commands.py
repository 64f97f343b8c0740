"""What tests of commands share: a target of make run as a user would, and files for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tb.flow.paths import ROOT


def run_target(target: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """`make <target> NAME=value ...` without make's own set-up; output as text. Ends after 900 s."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COCOTB", "MAKE", "MFLAGS"))}
    env |= {name: str(value) for name, value in variables.items()}
    command = [sys.executable, "-m", "tb.flow", target]
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


def save_arrays(folder: Path, **arrays: np.ndarray) -> dict[str, Path]:
    """Writes <folder>/<name>.npy of each; the files by name."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: folder / f"{name}.npy" for name in arrays}
