"""A pytest plugin of `make test`: says how many tests it leaves to RUNS=all, by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from _pytest.terminal import TerminalReporter

_KEY = "trainslice_left"
_left: Counter[str] = Counter()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Counts what marker `late` takes out, where tests are collected."""
    _left.update(item.nodeid.split("::")[0] for item in items if item.get_closest_marker("late"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its count over."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_KEY] = dict(_left)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """Every worker collects the same tests: the largest count is that of all."""
    for name, count in getattr(node, "workeroutput", {}).get(_KEY, {}).items():
        _left[name] = max(_left[name], count)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """The line."""
    if _left:
        files = ", ".join(f"{count} of {name}" for name, count in sorted(_left.items(), key=lambda each: -each[1]))
        terminalreporter.write_line(f"left to make test RUNS=all: {sum(_left.values())} tests ({files})")
