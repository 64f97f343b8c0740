"""Runs a command so that it does not outlive who started it: `python guard.py <pipe> <command> <arguments>`.

`<pipe>` is the reading end of a pipe whose writing end only the starter holds. When it closes, the starter is gone, by
SIGKILL too, and the whole process group is killed. Otherwise this process ends as the command does: with its status, or
by its signal. Standard library only, as it runs once a simulation.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
from typing import NoReturn


def main(pipe: int, command: list[str]) -> NoReturn:
    """Starts `command` and waits for its end or the starter's."""
    ended, woken = os.pipe()
    for end in (ended, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = os.fork()
    if child == 0:
        os.close(pipe)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        ready = select.select([pipe, ended], [], [])[0]
        if pipe in ready:
            os.killpg(0, signal.SIGKILL)
        if ended in ready:
            os.read(ended, 64)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has left its own, if any
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
