"""That testplans and test lists name the same tests is a check of lint; it must be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.core.blocks import all_blocks
from tb.lib.contract import Block
from tb.lib.testplan import TestplanError, findings, load_testplan, minimum_checks, uvm_tests

POINT = """
{name: %s, stage: %s, stimulus: "s", check: "c", tests: ["%s"], checks: {value: 3, slice: 2, cycle: %s},
 reduced: {value: 1, slice: 1, cycle: 1}}
"""


def _plan(tmp_path: Path, *points: str) -> Path:
    path = tmp_path / "plan.hjson"
    path.write_text("{testpoints: [" + ",".join(points) + "]}", encoding="utf-8")
    return path


@pytest.mark.parametrize("block", all_blocks(), ids=lambda block: block.name)
def test_every_block_is_checked(block: Block) -> None:
    assert block.check is not None


def test_findings_name_what_is_missing(tmp_path: Path) -> None:
    points = load_testplan(_plan(tmp_path, POINT % ('"a"', '"V1"', "one", 1)))
    assert findings(points, ["one"], ["one"]) == []
    assert findings(points, ["one", "two"], ["one", "two"]) == ["test two has no testpoint"]
    assert findings(points, [], []) == ["testpoint a names test one, which does not exist"]
    assert findings(points, ["one"], []) == ["test one is not in the test list"]
    assert findings(points, ["one"], ["one", "gone"]) == ["the test list names gone, which does not exist"]


def test_minimum_is_the_largest_demand(tmp_path: Path) -> None:
    points = load_testplan(_plan(tmp_path, POINT % ('"a"', '"V1"', "one", 1), POINT % ('"b"', '"V2"', "one", 9)))
    assert minimum_checks(points, "one") == {"value": 3, "slice": 2, "cycle": 9}
    assert minimum_checks(points, "one", reduced=True) == {"value": 1, "slice": 1, "cycle": 1}
    with pytest.raises(TestplanError, match="test two has no testpoint"):
        minimum_checks(points, "two")


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (POINT % ('"a"', '"V9"', "one", 1), "stage"),
        (POINT % ('"a"', '"V1"', "one", 0), "at least 1"),
        ('{name: "a", stage: "V1"}', "missing"),
        (
            (POINT % ('"a"', '"V1"', "one", 9)).replace("cycle: 1}", "cycle: 10}"),
            "reduced asks for more cycle than checks",
        ),
        ((POINT % ('"a"', '"V1"', "one", 9)).replace("cycle: 1}", "cycle: 10}"), "more cycle than checks"),
        ((POINT % ('"a"', '"V1"', "one", 9)).replace("reduced: {value: 1", "reduced: {value: 4"), "more value than"),
    ],
)
def test_bad_plans_are_refused(tmp_path: Path, point: str, words: str) -> None:
    with pytest.raises(TestplanError, match=words):
        load_testplan(_plan(tmp_path, point))


def test_doubles_and_broken_files_are_refused(tmp_path: Path) -> None:
    one = POINT % ('"a"', '"V1"', "one", 1)
    with pytest.raises(TestplanError, match="stands twice"):
        load_testplan(_plan(tmp_path, one, one))
    path = tmp_path / "broken.hjson"
    path.write_text("{testpoints: [", encoding="utf-8")
    with pytest.raises(TestplanError, match="cannot be read"):
        load_testplan(path)


def test_tests_are_found_by_their_mark(tmp_path: Path) -> None:
    path = tmp_path / "tests.py"
    path.write_text("import pyuvm\n\n\n@pyuvm.test()\nclass one: ...\n\n\nclass Base: ...\n", encoding="utf-8")
    assert uvm_tests(path) == ["one"]
