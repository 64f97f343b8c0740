"""Parts of the line that replays a run."""

from __future__ import annotations

import shlex


def definition(name: str, value: object) -> str:
    """`NAME=value` as one types it: make expands $, then the shell takes quotes away."""
    return f"{name}={shlex.quote(str(value).replace('$', '$$'))}"
