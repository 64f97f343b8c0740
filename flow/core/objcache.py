"""A compiler launcher that shares the objects of Verilator's own runtime between builds.

`verilated*.cpp` take most of the time of a small build and compile to the same object for the same flags and
compiler. Called by Verilator's makefile as `python objcache.py <compiler> <arguments>`: an object of a source below
VERILATOR_ROOT/include is copied from, or kept in, the folder TS_OBJCACHE; every other call goes to the compiler
unchanged. Standard library only, as it runs once a file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def main(command: list[str]) -> int:
    """Runs or avoids `command`; the compiler's exit status."""
    cache = os.environ.get("TS_OBJCACHE")
    root = os.environ.get("VERILATOR_ROOT", "")
    sources = [arg for arg in command if arg.endswith(".cpp")]
    shared = cache and root and "-c" in command and "-o" in command and len(sources) == 1
    if not shared or not sources[0].startswith(f"{root}/include/"):
        return subprocess.run(command, check=False).returncode
    target = Path(command[command.index("-o") + 1])
    arguments = [arg for arg in command if arg != str(target)]
    # The compiler and the Verilator version are in the folder's name (TS_OBJCACHE), which the caller chooses.
    entry = Path(str(cache)) / (hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:24] + ".o")
    if not entry.is_file():
        status = subprocess.run(command, check=False).returncode
        if status == 0:
            entry.parent.mkdir(parents=True, exist_ok=True)
            scratch = entry.with_suffix(f".{os.getpid()}")
            shutil.copyfile(target, scratch)
            scratch.replace(entry)
        return status
    shutil.copyfile(entry, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
