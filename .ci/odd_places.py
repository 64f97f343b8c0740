#!/usr/bin/env python3
"""Fresh clones in odd places with odd environments: `make sim` must set itself up, build and pass in each.

Usage: .ci/odd_places.py [--python NAME] [--cxx NAME] [--only PLACE] [--venv FOLDER] [make's arguments ...]. A clone
takes minutes: it makes its own virtual environment and its own build. Standard library alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Name of the place, and how the checkout comes there: as a clone, through a symbolic link, as a worktree.
PLACES = {
    "letters": ("Ünïcode ключ 鍵", "clone"),
    "quote": ('it\'s a "clone"', "clone"),
    "dollar": ("$HOME $(x) $$", "clone"),
    "signs": ("#(a)&;b", "clone"),
    "link": ("link", "link"),
    "worktree": ("tree", "worktree"),
}


def _shadow(folder: Path) -> dict[str, str]:
    """A PYTHONPATH whose numpy is another one."""
    (folder / "shadow").mkdir()
    (folder / "shadow" / "numpy.py").write_text("raise ImportError('the wrong numpy')\n", encoding="utf-8")
    return {"PYTHONPATH": str(folder / "shadow"), "PIP_TARGET": str(folder / "target")}


ENVIRONMENTS: dict[str, Callable[[Path], dict[str, str]]] = {
    "letters": lambda _: {"LC_ALL": "C", "PYTHONSAFEPATH": "1"},
    "quote": _shadow,
    "dollar": lambda _: {"PIP_USER": "1", "TEST": "nowhere", "SEED": "x"},
    "signs": lambda _: {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "MPLCONFIGDIR": "/nowhere"},
    "link": lambda _: {"CXXFLAGS": "-Werror -include nowhere.h", "LDFLAGS": "-lnowhere", "CPPFLAGS": "-nonsense"},
    "worktree": lambda _: {"PYTHONHOME": "/nowhere", "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error"},
}


def checkout(name: str, folder: Path) -> Path:
    """The checkout of this name below `folder`."""
    place, kind = PLACES[name]
    path = folder / place / "TrainSlice"
    clone = path if kind == "clone" else folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    if kind == "worktree":
        subprocess.run(["git", "-C", str(clone), "worktree", "add", "--quiet", "--detach", str(path)], check=True)
    elif kind == "link":
        path.parent.mkdir()
        path.symlink_to(clone)
    return path


def borrow(venv: Path, path: Path) -> None:
    """Makes .venv of links into another one, stamped as set-up would stamp it (flow/core/setup_env.py)."""
    mine = path / ".venv"
    mine.mkdir()
    for each in ("bin", "lib", "pyvenv.cfg"):
        (mine / each).symlink_to(venv / each)
    wanted = hashlib.sha256((path / "requirements.txt").read_bytes()).hexdigest()
    version = (venv / "stamp").read_text(encoding="utf-8").split()[-1]
    (mine / "stamp").write_text(f"{wanted} {version}", encoding="utf-8")


def compiler(program: str, folder: Path) -> dict[str, str]:
    """A PATH on which `c++`, which Verilator's makefiles call, is `program`: another compiler, or ccache."""
    found = shutil.which(program)
    if found is None:
        sys.exit(f"error: there is no {program} here")
    tools = folder / "tools"
    tools.mkdir()
    for each in ("c++", "g++"):
        (tools / each).symlink_to(found)
    return {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "CCACHE_DIR": str(folder / "ccache")}


def run(name: str, python: str | None, cxx: str | None, venv: Path | None, arguments: list[str]) -> bool:
    """Whether `make sim` passes in this place; a line for it, and the output if it does not."""
    with tempfile.TemporaryDirectory(prefix="odd-") as temporary:
        folder = Path(temporary)
        path = checkout(name, folder)
        if venv:
            borrow(venv.resolve(), path)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
        environment |= {**ENVIRONMENTS[name](folder), "PWD": str(path)}
        environment |= compiler(cxx, folder) if cxx else {}
        command = ["make", "sim", *([f"PYTHON={python}"] if python else []), *arguments]
        begin = time.monotonic()
        done = subprocess.run(
            command, cwd=path, env=environment, capture_output=True, check=False, umask=0o077,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
        passed = done.returncode == 0 and "\nPASS " in done.stdout and (path / "build").is_dir()
        tools = f", {python or 'python3'}, {cxx or 'c++'}"
        print(f"{'ok  ' if passed else 'FAIL'} {name}: {path}{tools}, {time.monotonic() - begin:.0f} s", flush=True)
        if not passed:
            print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", flush=True)
            kept = Path(tempfile.mkdtemp(prefix=f"odd-{name}-"))
            for log in (path / "build").rglob("*.log"):
                shutil.copy(log, kept / f"{log.parent.name}-{log.name}")
            print(f"logs: {kept}", flush=True)
        return passed


def main() -> int:
    """Runs every place; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="the Python that makes the virtual environments")
    parser.add_argument("--cxx", help="the program that is to be c++ on the path: clang++, ccache")
    parser.add_argument(
        "--venv", type=Path, help="a finished .venv of the same Python for all places: leaves out set-up"
    )
    parser.add_argument("--only", choices=PLACES, help="one place")
    options, arguments = parser.parse_known_args()
    names = [options.only] if options.only else list(PLACES)
    # All of them, whatever the first gives.
    passed = [run(name, options.python, options.cxx, options.venv, arguments) for name in names]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
