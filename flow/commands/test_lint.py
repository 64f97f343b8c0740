"""Every check of `make lint`, so that `make test` decides on all of a change.

That each can fail is shown in flow/test_checks.py, test_regmap.py and flow/test_testplans.py.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flow.commands.lint import checks


@pytest.mark.parametrize("check", [pytest.param(check, id=name) for name, check in checks()])
def test_no_findings(check: Callable[[], list[str]]) -> None:
    assert check() == []
