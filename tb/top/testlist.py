"""The processor's one list of runs: `make test` takes all of it on both simulators."""

from __future__ import annotations

from tb.common.testlist import TestEntry

TESTS: tuple[TestEntry, ...] = (TestEntry("smoke", "every parameter set must build and work"),)
