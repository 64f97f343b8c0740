"""Errors that a user can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class UserError(Exception):
    """A mistake or a missing tool that one line explains; the command line prints it and exits with status 2."""

    several_lines: ClassVar[bool] = False  # whether what a tool said follows


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about a name that is not one of `known`: the likeliest of them, or nothing."""
    names = {each.lower(): each for each in known}
    # A name written out (simulate for sim) is nearer than one that happens to share letters.
    close = [each for each in names if len(each) > 2 and name.lower().startswith(each)]
    close = close or difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f": did you mean {names[close[0]]}?" if close else ""
