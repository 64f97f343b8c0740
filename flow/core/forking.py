"""Inside a simulation: forks a process a run, after everything is imported and before time 0.

cocotb imports this module after a block's tests; the import does not return before the first request. A request is a
line of JSON on the first of the two descriptors that TS_SERVE names: folder, environment, seed, seconds of processor
time (None: no limit) and of the wall clock. A forked process returns from the import and is a simulation like any
other; the server waits for it and answers on the second descriptor: status, whether its time was over, processor time.
The starter's side is server.py.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import resource
import signal
import time
from typing import Any

import cocotb
from cocotb import _shutdown, regression

GRACE_SECONDS = 2  # between the limit of processor time and SIGKILL
LARGEST_FILE = 1 << 30  # bytes, with a limit of processor time: a mutant that writes without end


def _become(request: dict[str, Any]) -> None:
    """Makes this process the run that is asked for."""
    os.chdir(request["folder"])
    log = os.open("sim.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for target in (1, 2):
        os.dup2(log, target)
    os.close(log)
    if request["cpu"] is not None:
        limit = int(request["cpu"]) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + GRACE_SECONDS))
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.update(request["environment"])
    seed = request["seed"]
    cocotb.RANDOM_SEED = seed
    regression._manager_inst._regression_seed = seed
    random.seed(seed)
    _shutdown.register(_end)


def _end() -> None:
    """Ends a run after its results: threads that the server had are not in this process, and waiting for them at the
    simulator's own end would take for ever."""
    ctypes.CDLL(None).fflush(None)
    os._exit(0)


def _wait(child: int, seconds: float) -> dict[str, Any]:
    """Waits for a run, at most `seconds`."""
    late = False

    def end(*_: Any) -> None:
        nonlocal late
        late = True
        os.kill(child, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    start = time.monotonic()
    try:
        _, status, usage = os.wait4(child, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    code = os.waitstatus_to_exitcode(status)
    late |= code in (-signal.SIGXCPU, -signal.SIGKILL)
    cpu = usage.ru_utime + usage.ru_stime
    return {"status": code, "late": late, "cpu": round(cpu, 3), "seconds": round(time.monotonic() - start, 3)}


def _serve() -> None:
    """Answers requests until the other side is gone; returns in the forked processes only."""
    asked, answered = (int(each) for each in os.environ["TS_SERVE"].split(","))
    with os.fdopen(asked) as requests, os.fdopen(answered, "w") as answers:
        print(json.dumps({"ready": os.getpid()}), file=answers, flush=True)
        for line in requests:
            request = json.loads(line)
            child = os.fork()
            if child == 0:
                _become(request)
                return
            print(json.dumps(_wait(child, request["wall"])), file=answers, flush=True)
    os._exit(0)


if "TS_SERVE" in os.environ:
    _serve()
