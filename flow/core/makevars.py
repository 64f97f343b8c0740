"""The variables that were given to make on its command line, and the environment without them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, MutableMapping

from flow.core import surroundings
from tb.lib.errors import UserError, did_you_mean

# Variables of the Makefile itself.
_OWN = {"PYTHON"}
_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MAKE_TERMOUT", "MAKE_TERMERR", "TS_GOALS")


def given_variables(makeflags: str) -> list[str]:
    """Names of the variables on make's command line, from MAKEFLAGS: `<flags> -- NAME=value ...`, blanks escaped."""
    _, found, definitions = f" {makeflags}".partition(" -- ")
    if not found:
        return []
    words = re.findall(r"(?:\\.|[^\s\\])+", definitions, re.DOTALL)
    names = [re.match(r"([^\s:+?!=]+)[:+?!]*=", word) for word in words]
    return [name[1] for name in names if name]


def refuse_unknown(given: Collection[str], known: Collection[str], targets: Collection[str]) -> None:
    """`UserError` for a variable that none of `targets` takes: a typing error must not run something else."""
    for name in given:
        if name in known or name in _OWN:
            continue
        others = f" (they are: {', '.join(sorted(known))})" if known else " (it takes none)"
        raise UserError(f"make {' '.join(targets)} takes no variable {name}{did_you_mean(name, known) or others}")


def drop_exported(known: Collection[str], environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """Removes variables of ours that make was not given but found in its environment; their names.

    `export TEST=...` of a shell would else run another test than the command line says. Without make (no MAKELEVEL) the
    environment is the command line.
    """
    if "MAKELEVEL" not in environment:
        return []
    given = given_variables(environment.get("MAKEFLAGS", ""))
    dropped = sorted(name for name in known if name in environment and name not in given)
    for name in dropped:
        del environment[name]
    return dropped


def clean_environment(known: Collection[str], environment: MutableMapping[str, str] = os.environ) -> None:
    """Removes make's own and our variables, which would reach the makefiles that Verilator writes, and what else of the
    caller's surroundings is not ours to heed."""
    for name in (*_MAKE, *known):
        environment.pop(name, None)
    surroundings.clean(environment)


if __name__ == "__main__":  # the Makefile calls this for a name that is not one of its targets
    print(
        f"error: there is no target '{sys.argv[1]}'{did_you_mean(sys.argv[1], sys.argv[2:]) or ' (see make help)'}",
        file=sys.stderr,
    )
    sys.exit(2)
