"""Checks of the pages' text: length of lines and pages, a list of words, sections that comments name.

`make lint` calls `findings`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tb.lib.paths import PACKAGES, ROOT

LONGEST = 120
MOST_WORDS = 1500  # a longer page is two pages
_MADE = re.compile(r"# .+\n\nMade from ")  # lines of a page that is made are those of its source
# What is not English, or not the field's: pattern and what to write. Ignores case.
WORDS: Mapping[str, str] = {
    r"\b(?:cycles?|moves?) behind\b": "after",
    r"\bbehind (?:the (?:last|first|one|word|transfer|verdict|end)|an? |it\b|them\b|each\b|epochs?\b|reset\b)": "after",
    r"\bbehind each other\b": "one after the other",
    r"\bone behind the other\b": "one after the other",
    r"\blived from\b": "most of ... came from",
    r"\bwithout (?:one|any) nothing\b": "while there is none, nothing",
    r"\bbut for an?\b": "except",
    r"\bis worth shows\b": "put the subject first",
    r"\bgoes on where\b": "resumes where",
    r"\bstands? (?:with|for) those\b": "is listed with",
    r"\b(?:one|once) an? (?:cycle|row|core|job|engine|lane|beat|word|parameter|tensor)\b": "per",
    r"\bof which one is\b": "one of which is",
    r"\bat will\b": "as needed",
}
_WORD = re.compile(r"\S*\w\S*")  # borders of tables are none
_CODE = re.compile(r"^(```|~~~).*?^\1$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"docs/([\w/]+\.md), ([A-Z][\w' ]*(?:; [A-Z][\w' ]*)*)")
_HEAD = re.compile(r"^#+ (.+)$|^(?:- |\d+\. )?\*\*([^*\n]+?)\.?\*\*", re.MULTILINE)
_LISTED = ("tests.py", "testlist.py")  # beside testplans, what `make list` shows
_SOURCES = ("*.py", "*.sv", "*.svh", "*.vlt", "*.h", "*.cpp", "*.hjson")


def _blank(match: re.Match[str]) -> str:
    """Code as spaces: what it quotes is no prose, and lines keep their numbers."""
    return re.sub(r"[^\n]", " ", match[0])


def page_findings(name: str, text: str) -> Iterator[str]:
    """Long lines, too many words, and words of the list in the page `name`."""
    made = _MADE.match(text)
    count = len(_WORD.findall(text))
    if count > MOST_WORDS and not made:
        yield f"{name}: {count} words, at most {MOST_WORDS}: split it"
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > LONGEST and not made:
            yield f"{name}:{number}: {len(line)} characters, at most {LONGEST}"
    yield from word_findings(name, _CODE.sub(_blank, text))


def word_findings(name: str, prose: str) -> Iterator[str]:
    """Words of the list in `prose`, with their lines."""
    for pattern, better in WORDS.items():
        words = re.sub(r" (?!\?)", r"\\s+", pattern)
        for match in re.finditer(words, prose, re.IGNORECASE):
            line = prose.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: '{' '.join(match[0].split())}': better {better}"


@functools.cache
def _heads(page: Path) -> tuple[str, ...]:
    return tuple(first or second for first, second in _HEAD.findall(page.read_text(encoding="utf-8")))


def section_findings(name: str, text: str, root: Path = ROOT) -> Iterator[str]:
    """Sections of pages that a comment in `text` names (`docs/ioss/README.md, Work`) and that are not there."""
    for match in _SECTION.finditer(text):
        page = root / "docs" / match[1]
        if not page.is_file():
            yield f"{name}: there is no docs/{match[1]}"
            continue
        for section in match[2].split("; "):
            if not any(head.startswith(section.strip()) for head in _heads(page)):
                yield f"{name}: docs/{match[1]} has no section '{section.strip()}'"


def _files(patterns: Iterable[str], folders: Iterable[str]) -> list[Path]:
    found = [path for folder in folders for pattern in patterns for path in (ROOT / folder).rglob(pattern)]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def findings() -> list[str]:
    """Of every page, of what `make list` shows, and of comments that name sections of pages."""
    out: list[str] = []
    for path in [*sorted(ROOT.glob("*.md")), *_files(["*.md"], ("docs", "data"))]:
        out += page_findings(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    for path in _files(_SOURCES, ("rtl", *PACKAGES)):
        if path.name not in ("prose.py", "test_prose.py"):
            name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
            out += section_findings(name, text)
            if path.suffix == ".hjson" or path.name in _LISTED:
                out += word_findings(name, text)
    return out
