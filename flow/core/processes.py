"""Child processes: with a time limit, in a group of their own, several at a time; and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeVar

from flow.core import guard, progress
from tb.lib.errors import UserError
from tb.lib.paths import shown

T = TypeVar("T")
DEFAULT_TIMEOUT = 1800.0
TELL_SECONDS = 0.5  # of waiting for a lock before a line says so


def _holder(path: Path) -> str:
    """Who holds a lock, as its file says; empty if it does not."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


_held = threading.local()  # `fds`: locks of this thread, which its commands hold with it


@contextlib.contextmanager
def locked(path: Path, patience: float = 2 * DEFAULT_TIMEOUT) -> Iterator[None]:
    """Holds an exclusive lock on the file `path`, across processes and threads; says so if it has to wait.

    Commands that `supervise` starts meanwhile hold it too: it is free when the last of them has ended, even if this
    process is killed. The file names the process that holds it. `UserError` if it is not free within `patience`
    seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    start, pause, told = time.monotonic(), 0.002, False
    with path.open("a+", encoding="utf-8") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - start
                if waited > patience:
                    who = f" ({holder})" if (holder := _holder(path)) else ""
                    raise UserError(f"another process holds {shown(path)}{who}: end it, then try again") from None
                if waited > TELL_SECONDS and not told:
                    told = True
                    who = _holder(path) or "another process"
                    bound = f"{patience / 60:.0f} minutes" if patience >= 120 else f"{patience:.0f} s"
                    progress.say(f"waiting for {who}, which does the same (at most {bound}): {shown(path)}")
                time.sleep(pause)
                pause = min(2 * pause, 0.1)
        handle.truncate(0)
        command = f", make {' '.join(sys.argv[1:])}" if Path(sys.argv[0]).parent.name == "flow" else ""
        handle.write(f"process {os.getpid()}{command}"[:200])
        handle.flush()
        before = getattr(_held, "fds", ())
        _held.fds = (*before, handle.fileno())
        try:
            yield
        finally:
            _held.fds = before


_live: set[int] = set()  # process groups of this process's simulators, for `run_all` to end


def supervise(
    command: Sequence[str],
    cwd: Path | str,
    env: Mapping[str, str] | None,
    log: IO[str],
    timeout: float,
    tick: Callable[[float], None] | None = None,
    every: float = 1.0,
) -> tuple[int, bool]:
    """Runs a command in a process group of its own: (exit status, whether `timeout` seconds ended it).

    `tick` is called with the seconds so far, `every` so many seconds. The group ends with this process, however that
    ends (guard.py).
    """
    start = time.monotonic()
    alive, own_end = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(alive), *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(alive, *getattr(_held, "fds", ())),
        )
    except BaseException:
        os.close(own_end)
        raise
    finally:
        os.close(alive)
    _live.add(process.pid)
    try:
        while True:
            left = start + timeout - time.monotonic()
            try:
                return process.wait(timeout=max(0.0, min(left, every) if tick else left)), False
            except subprocess.TimeoutExpired:
                if left <= every or not tick:
                    return -signal.SIGKILL, True
                tick(time.monotonic() - start)
    finally:
        # Also on Ctrl-C, and for children that outlive the program.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(own_end)
        _live.discard(process.pid)


def run_all(tasks: Sequence[Callable[[], T]], jobs: int = 2) -> list[T]:
    """Results of `tasks` in their order, `jobs` at a time (threads: the work is in child processes). Ends all of them
    on Ctrl-C."""
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


def end_all() -> None:
    """Kills every child process that runs, whichever thread waits for it."""
    for group in list(_live):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
