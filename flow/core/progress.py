"""What a command says while it works: a line at once, then progress, as bars on a terminal and as lines elsewhere.

Silent until a command opens `speaking`: workers and tests print nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

LINE_SECONDS = 20.0  # between lines of a task where there is no terminal

Update = Callable[..., None]  # update(done, total=None, what=None)


class _Count(MofNCompleteColumn):
    """How many of how many; nothing where the end is not known."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


class Teller:
    """Prints to one console; several threads may work at once, and their bars stand below each other."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._running = 0

    def say(self, text: str) -> None:
        """A line, above the bars."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        self.console.file.flush()

    @contextlib.contextmanager
    def task(self, what: str, total: int | None = None, unit: str = "") -> Iterator[Update]:
        """Shows that `what` goes on, and how far; yields update(done, total=None, what=None)."""
        if self.console.is_terminal:
            with self._bar(what, total) as update:
                yield update
        else:
            yield self._lines(what, total, unit)

    @contextlib.contextmanager
    def _bar(self, what: str, total: int | None) -> Iterator[Update]:
        with self._lock:
            if self._bars is None:
                columns = (
                    TextColumn("{task.description}", markup=False), BarColumn(30), _Count(),
                    TimeElapsedColumn(),
                )  # fmt: skip
                self._bars = Progress(*columns, console=self.console, transient=True)
                self._bars.start()
            bars, self._running = self._bars, self._running + 1
            task: TaskID = bars.add_task(what, total=total)

        def update(done: int, total: int | None = None, what: str | None = None) -> None:
            bars.update(task, completed=done, total=total, description=what)

        try:
            yield update
        finally:
            with self._lock:
                bars.remove_task(task)
                self._running -= 1
                if self._running == 0:
                    bars.stop()
                    self._bars = None

    def _lines(self, what: str, total: int | None, unit: str) -> Update:
        start = said = time.monotonic()
        name, most = what, total

        def update(done: int, total: int | None = None, what: str | None = None) -> None:
            nonlocal said, name, most
            name, most = what or name, total or most
            now = time.monotonic()
            if now - said < LINE_SECONDS:
                return
            said = now
            how_far = f"{done} of {most} {unit}".rstrip() + ", " if most else ""
            self.say(f"{name}: {how_far}{now - start:.0f} s so far")

        return update


_teller: Teller | None = None


@contextlib.contextmanager
def speaking(console: Console | None = None) -> Iterator[Teller]:
    """What this process does meanwhile is told on `console` (standard output)."""
    global _teller
    before, _teller = _teller, Teller(console or Console())
    try:
        yield _teller
    finally:
        _teller = before


def say(text: str) -> None:
    """A line, if this process speaks."""
    if _teller is not None:
        _teller.say(text)


@contextlib.contextmanager
def task(what: str, total: int | None = None, unit: str = "") -> Iterator[Update]:
    """`Teller.task`, if this process speaks."""
    if _teller is None:
        yield lambda *_, **__: None
        return
    with _teller.task(what, total, unit) as update:
        yield update
