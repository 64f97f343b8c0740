"""`make tensors`: the shipped training tensors anew."""

from __future__ import annotations

import subprocess
import sys

from flow.core.options import command
from tb.lib.errors import UserError
from tb.lib.paths import ROOT


@command("tensors")
def main() -> int:
    """Remake the training tensors."""
    module = "studies.make_tensors"
    status = subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=False).returncode
    if status:
        raise UserError(f"{module} ended with status {status}")
    return 0
