"""Testplans: reading the Hjson, the minimum of comparisons of a test, and the check against the tests that exist."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hjson

STAGES = ("V1", "V2", "V3")
CHECKS = ("value", "slice", "cycle")
_FIELDS = ("name", "stage", "stimulus", "check", "tests", "checks", "reduced")


class TestplanError(ValueError):
    """A testplan that cannot be used; one line."""

    __test__ = False


@dataclass(frozen=True)
class Testpoint:
    """One testpoint; `checks` is the least number of comparisons by kind that each of its tests must make.

    `reduced` is the same, and never more, for runs that are shorter than the full one: with a shortened configuration
    for a slow simulator, or with other than the default parameters.
    """

    __test__ = False
    name: str
    stage: str
    stimulus: str
    check: str
    tests: tuple[str, ...]
    checks: dict[str, int] = field(default_factory=dict)
    reduced: dict[str, int] = field(default_factory=dict)


def load_testplan(path: Path) -> list[Testpoint]:
    """The testpoints of a plan. Raises `TestplanError` that names the testpoint and the field that is wrong."""
    try:
        plan: Any = hjson.loads(path.read_text(encoding="utf-8"))
        entries = plan["testpoints"]
    except (OSError, KeyError, TypeError, hjson.HjsonDecodeError) as error:
        raise TestplanError(f"{path.name}: cannot be read: {str(error).splitlines()[0]}") from error
    points: list[Testpoint] = []
    for entry in entries:
        name = str(entry.get("name", "?"))
        missing = [key for key in _FIELDS if not entry.get(key)]
        unknown = [key for key in entry if key not in _FIELDS]
        if missing or unknown:
            raise TestplanError(f"{path.name}: testpoint {name}: missing {missing}, unknown {unknown}")
        if entry["stage"] not in STAGES:
            raise TestplanError(f"{path.name}: testpoint {name}: stage is one of {', '.join(STAGES)}")
        least = [dict(entry["checks"]), dict(entry["reduced"])]
        if any(set(each) != set(CHECKS) for each in least) or any(
            not isinstance(number, int) or number < 1 for each in least for number in each.values()
        ):
            raise TestplanError(
                f"{path.name}: testpoint {name}: checks and reduced give {', '.join(CHECKS)}, each at least 1"
            )
        if more := [kind for kind in CHECKS if least[1][kind] > least[0][kind]]:
            raise TestplanError(f"{path.name}: testpoint {name}: reduced asks for more {', '.join(more)} than checks")
        if any(point.name == name for point in points):
            raise TestplanError(f"{path.name}: testpoint {name} stands twice")
        points.append(Testpoint(name, entry["stage"], entry["stimulus"], entry["check"], tuple(entry["tests"]), *least))
    return points


def minimum_checks(points: list[Testpoint], test: str, reduced: bool = False) -> dict[str, int]:
    """What `test` must at least compare, in a full or a `reduced` run: the largest demand of its testpoints.

    Raises `TestplanError` for a test that has no testpoint.
    """
    mine = [point.reduced if reduced else point.checks for point in points if test in point.tests]
    if not mine:
        raise TestplanError(f"test {test} has no testpoint")
    return {kind: max(checks[kind] for checks in mine) for kind in CHECKS}


def described_tests(path: Path) -> dict[str, str]:
    """The classes under `@pyuvm.test()` in a test module by name, with what they say of themselves in one line; without
    importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any("pyuvm.test" in ast.unparse(mark) for mark in node.decorator_list)
    }


def uvm_tests(path: Path) -> list[str]:
    """Names of the tests in a test module."""
    return list(described_tests(path))


def findings(points: list[Testpoint], defined: list[str], listed: list[str]) -> list[str]:
    """What does not fit together: testpoints, tests that are `defined` in the module, tests `listed` for running."""
    planned = {test for point in points for test in point.tests}
    out = [f"test {test} has no testpoint" for test in defined if test not in planned]
    out += [
        f"testpoint {p.name} names test {t}, which does not exist" for p in points for t in p.tests if t not in defined
    ]
    out += [f"test {test} is not in the test list" for test in defined if test not in listed]
    out += [f"the test list names {test}, which does not exist" for test in listed if test not in defined]
    return out
