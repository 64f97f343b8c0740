"""Set-up of a regression's worker processes on this machine: Ctrl-C is for who started them."""

from __future__ import annotations

import signal


def dask_setup(worker: object) -> None:
    """Called by Dask in a new worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
