"""The checks of the pages' text: nothing is found in the project, and each finds what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.site.prose import LONGEST, MOST_WORDS, findings, page_findings, section_findings


def test_the_pages_are_clean() -> None:
    assert findings() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * 121, "p.md:1: 121 characters, at most 120"),
        ("Good.\n\nDone a cycle behind the last word.", "p.md:3: 'cycle behind': better after"),
        ("It is done behind\nthe last word.", "p.md:1: 'behind the last': better after"),
        ("They were what it lived from.", "'lived from'"),
        ("Every word belongs to a load; without one nothing is taken.", "'without one nothing'"),
        ("It is done at S + 1, but for an OPT.", "'but for an': better except"),
        ("One a cycle is taken.", "'One a cycle': better per"),
        ("What a slice is worth shows a core.", "'is worth shows'"),
        ("word | \n" * (MOST_WORDS + 1), f"p.md: {MOST_WORDS + 1} words, at most {MOST_WORDS}: split it"),
    ],
)
def test_what_is_wrong_is_found(text: str, words: str) -> None:
    assert any(words in each for each in page_findings("p.md", text)), list(page_findings("p.md", text))


def test_code_and_made_lines_are_left_alone() -> None:
    fence = "```\nbehind the last\n```\n"
    assert list(page_findings("p.md", f"{fence}`behind the last` and {'x' * 10}\n")) == []
    assert list(page_findings("p.md", "# Limits\n\nMade from `a` by `b`.\n" + "word\n" * MOST_WORDS)) == []
    assert list(page_findings("p.md", "| word |\n" * MOST_WORDS)) == []
    assert list(page_findings("p.md", f"# Registers\n\nMade from `a` by `b`.\n{'x' * (LONGEST + 1)}\n")) == []


def test_a_section_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "docs/ioss/README.md"
    page.parent.mkdir(parents=True)
    page.write_text("# Core\n\n## Work: tiles\n\n**Open.** Then.\n", encoding="utf-8")
    assert list(section_findings("a.sv", "// (docs/ioss/README.md, Work; Open).", tmp_path)) == []
    found = list(section_findings("a.sv", "// (docs/ioss/README.md, Work; Play). docs/ran/README.md, Work", tmp_path))
    assert found == ["a.sv: docs/ioss/README.md has no section 'Play'", "a.sv: there is no docs/ran/README.md"]
