"""What the caller's environment does not decide: settings of Python, pip, plots, tests and compilers that belong to
other programs would change what is built, drawn or checked here, or keep it from starting.

The Makefile drops those of Python itself (and so does `setup_env.py`, which must not import this).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, MutableMapping

from tb.lib.paths import BUILD, ROOT

# Where plots get their settings: an rc file of the user's may ask for LaTeX or a window.
MATPLOTLIB = {
    "MPLBACKEND": "agg",
    "MATPLOTLIBRC": str(ROOT / "flow" / "core" / "matplotlibrc"),
    "MPLCONFIGDIR": str(BUILD / "matplotlib"),
}
# What is set in place of what is removed; tools.py adds what this machine's compiler needs.
OURS = dict(MATPLOTLIB)
_FOREIGN = re.compile(
    r"PYTHON(?!PYCACHEPREFIX$|UNBUFFERED$|HASHSEED$|PATH$).*"
    r"|MPL.*|MATPLOTLIB.*"
    r"|PYTEST_(?!XDIST_|CURRENT_).*|RUFF_.*|HYPOTHESIS_.*"
    # What make and Verilator's makefiles would take for their own.
    r"|MAKEFILES|GNUMAKEFLAGS|C(XX|PP)?FLAGS|LDFLAGS|LDLIBS|LOADLIBES|TARGET_ARCH|VPATH|ARFLAGS"
    r"|(USER|VM|VK|SYSTEMC|SC)_.*|OPT(_.*)?|VERILATOR_(?!ROOT$).*|OBJCACHE.*"
    # What cocotb would.
    r"|GPI_.*|PYGPI_.*|SIM_CMD_.*|LIBPYTHON_LOC|GUI"
)
# What a compiler reads by itself: it may be needed to find one's headers, so builds are told apart by it.
COMPILER = (
    "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "LD_RUN_PATH",
    "SDKROOT",
)  # fmt: skip


def clean(environment: MutableMapping[str, str] = os.environ, keep: Collection[str] = ()) -> None:
    """Removes what is not ours to heed, but what is in `keep`, and sets `OURS`."""
    for name in [name for name in environment if _FOREIGN.fullmatch(name) and name not in keep]:
        del environment[name]
    environment.update(OURS)


def compiler_settings() -> dict[str, str]:
    """What the environment tells compilers; part of a build's key."""
    return {name: os.environ[name] for name in COMPILER if os.environ.get(name)}
