"""Errors that a user can act on."""

from __future__ import annotations

from typing import ClassVar


class UserError(Exception):
    """A mistake or a missing tool that one line explains; the command line prints it and exits with status 2."""

    several_lines: ClassVar[bool] = False  # whether what a tool said follows
