"""The configuration's key `verbosity`."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from tb.lib.testbase import BlockTest


def _levels(config: dict[str, object]) -> list[int]:
    """Levels that a test with this configuration gives its components."""
    given: list[int] = []
    test = SimpleNamespace(run_info=SimpleNamespace(config=config), set_logging_level_hier=given.append)
    BlockTest.end_of_elaboration_phase(test)
    return given


@pytest.mark.parametrize("word", ["debug", "info", "warning", "error"])
def test_verbosity_is_that_of_every_component(word: str) -> None:
    assert _levels({"verbosity": word}) == [getattr(logging, word.upper())]


def test_without_verbosity_levels_stay() -> None:
    assert _levels({}) == []


@pytest.mark.parametrize("word", ["loud", "INFO", "", 10])
def test_another_verbosity_is_refused(word: object) -> None:
    with pytest.raises(ValueError, match="is none of debug, info, warning, error"):
        _levels({"verbosity": word})
