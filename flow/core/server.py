"""A simulation that has imported everything and forks a process a run: a run does not start Python again.

forking.py is the other side, inside the simulation. A server ends with the process that started it, however that ends
(guard.py). What a run needs to know reaches it by environment, as a run of its own would get it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow.core import guard
from flow.core.building import Build, IcarusRunner, VerilatorRunner
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD

FORKING = "flow.core.forking"
SERVERS = BUILD / "servers"  # a folder for each
# Of every simulation. Rewriting the assertions of every imported module takes longer than most tests.
PYTHON = {"PYTHONHASHSEED": "1", "COCOTB_REWRITE_ASSERTION_FILES": ""}
# A forked process has no threads but its own.
ALONE = {"OPENBLAS_NUM_THREADS": "1"}


def test_filter(block: Block, test: str) -> str:
    """What cocotb is told to run."""
    return rf"^{re.escape(block.test_module)}\.{re.escape(test)}$"


class _Command(Exception):
    """A simulator's command and environment, instead of its run."""


class _Told:
    """A runner that tells what it would start."""

    def _execute(self, cmds: Any, cwd: Any) -> None:
        raise _Command(cmds[-1], dict(self.env))  # type: ignore[attr-defined]


class _VerilatorCommand(_Told, VerilatorRunner):
    pass


class _IcarusCommand(_Told, IcarusRunner):
    pass


def _command(block: Block, built: Build, folder: Path) -> tuple[list[str], dict[str, str]]:
    """(command, environment) of a simulation that forks runs instead of running one."""
    runner = _VerilatorCommand() if built.sim == "verilator" else _IcarusCommand()
    logging.getLogger(type(runner).__name__).disabled = True
    runner.flow_log = folder / "server.log"
    try:
        runner.test(
            test_module=[block.test_module, FORKING],
            hdl_toplevel=block.tb_top,
            hdl_toplevel_lang="verilog",
            build_dir=built.path,
            test_dir=folder,
            seed=1,
            extra_env=PYTHON | ALONE,
            plusargs=["+verilator+seed+1"] if built.sim == "verilator" else [],
            results_xml=str(folder / "results.xml"),
            timescale=None,
        )
    except _Command as found:
        return found.args[0], found.args[1]
    raise AssertionError("the runner started a simulation")


@dataclass(frozen=True)
class Ended:
    """How a forked run ended: exit status (negative: the signal), whether its time was over, seconds of processor time
    and of the wall clock."""

    exit_status: int
    timed_out: bool
    cpu: float
    seconds: float


class ServerDied(RuntimeError):
    """The simulation that forks runs is gone."""


class Server:
    """The simulation of `built`, waiting in `folder` (emptied first). `UserError` if it does not start."""

    def __init__(self, block: Block, built: Build, folder: Path) -> None:
        self.block, self.built, self.folder = block, built, folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command, environment = _command(block, built, folder)
        ask, asking = os.pipe()
        answering, answer = os.pipe()
        alive, self._own = os.pipe()
        environment |= {
            "TS_SERVE": f"{ask},{answer}", "TS_BLOCK": block.name, "TS_SIM": built.sim,
            "TS_PARAMS": json.dumps(dict(built.params)), "TS_RUN_DIR": str(folder),
        }  # fmt: skip
        with (folder / "server.log").open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, str(alive), *command],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, pass_fds=(alive, ask, answer),
            )  # fmt: skip
        for end in (alive, ask, answer):
            os.close(end)
        self._requests, self._answers = os.fdopen(asking, "w"), os.fdopen(answering)
        if not self._answers.readline():
            said = (folder / "server.log").read_text(errors="replace", encoding="utf-8").splitlines()[-3:]
            self.close()
            raise UserError(f"the simulation of {block.name} does not start: {' | '.join(said)}")

    def run(
        self, run_dir: Path, test: str, seed: int, environment: Mapping[str, str], cpu: float | None, wall: float
    ) -> Ended:
        """One run of `test` in `run_dir`, whose log is sim.log there, bounded in seconds of processor time (None: not)
        and of the wall clock. Raises `ServerDied`."""
        request = {
            "folder": str(run_dir), "seed": seed, "cpu": cpu, "wall": wall,
            "environment": {
                **environment,
                "COCOTB_RANDOM_SEED": str(seed),
                "COCOTB_TEST_FILTER": test_filter(self.block, test),
                "COCOTB_RESULTS_FILE": str(run_dir / "results.xml"),
            },
        }  # fmt: skip
        line = ""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(request), file=self._requests, flush=True)
            line = self._answers.readline()
        if not line:
            raise ServerDied(f"the simulation that forks runs of {self.block.name} died")
        said = json.loads(line)
        return Ended(said["status"], said["late"], said["cpu"], said["seconds"])

    def alive(self) -> bool:
        """Whether it still waits for requests."""
        return self.process.poll() is None

    def close(self) -> None:
        """Ends the simulation and removes its folder."""
        with contextlib.suppress(OSError):
            self._requests.close()
        self._answers.close()
        os.close(self._own)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _sweep() -> None:
    """Removes the folders of processes that were killed."""
    for left in SERVERS.glob("*-*"):
        if not Path(f"/proc/{left.name.partition('-')[0]}").exists():
            shutil.rmtree(left, ignore_errors=True)


Key = tuple[int, str, Path]
_servers: dict[Key, Server] = {}  # by thread, state of the sources and build; the one used last at the end


def server(block: Block, built: Build, state: str = "", most: int = 1) -> Server:
    """The simulation of `built` that belongs to this thread, which keeps at most `most` of them.

    `state` names the Python sources that it has imported: another state, another simulation.
    """
    key = (threading.get_ident(), state, built.path)
    found = _servers.pop(key, None)
    if found is not None and not found.alive():
        found.close()
        found = None
    if found is None:
        own = [each for each in _servers if each[0] == key[0]]
        old = [each for each in own if each[1] != state]
        for each in {*old, *own[: max(0, len(own) - most + 1)]}:
            _servers.pop(each).close()
        _sweep()
        found = Server(block, built, SERVERS / f"{os.getpid()}-{key[0]}-{built.path.name}")
    _servers[key] = found
    return found


@atexit.register
def close_all() -> None:
    """Ends the simulations of this process."""
    while _servers:
        with contextlib.suppress(Exception):
            _servers.popitem()[1].close()
