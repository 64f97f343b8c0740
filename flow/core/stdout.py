"""Standard output that a command survives: who reads it may go away, its encoding may lack a letter."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, TextIO

from tb.lib.errors import UserError


class _Tolerant:
    """Writes to a stream until nobody reads it any more; then it goes on silently, so that results are still kept."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of a text stream. Raises `UserError` where it cannot be written for another reason than a closed pipe."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """As `write`."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            raise UserError(f"standard output cannot be written ({error.strerror or error})") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_tolerant() -> None:
    """Replaces sys.stdout."""
    if sys.stdout is None:  # closed by the caller
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    with contextlib.suppress(AttributeError, ValueError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stdout = _Tolerant(sys.stdout)  # type: ignore[assignment]
