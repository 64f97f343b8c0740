"""Links of pages: in the repository they lead to any file, in the site to its pages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping

from tb.lib.paths import ROOT

_LINK = re.compile(r"(?P<whole>\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s#]+)(?P<anchor>#[^()\s]*)?\))")
_CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def for_site(markdown: str, source: str, pages: Mapping[str, str], files: Collection[str]) -> str:
    """`markdown` of the file `source` of the repository, its links turned into the site's.

    `pages`: the site's pages that lie outside docs/, by their path in the repository; `files`: what the site has. A
    link to another file that exists becomes its text and path; the rest stays (the build finds what leads nowhere).
    """
    codes = [match.span() for match in _CODE.finditer(markdown)]
    here = pages.get(source, source.removeprefix("docs/"))

    def turned(match: re.Match[str]) -> str:
        target, anchor = match["target"], match["anchor"] or ""
        if ":" in target or any(begin <= match.start() and match.end() <= end for begin, end in codes):
            return match[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        for path in (there, f"{there}/README.md"):
            page = pages.get(path, path.removeprefix("docs/") if path.startswith("docs/") else None)
            if page in files:
                return f"[{match['text']}]({posixpath.relpath(page, posixpath.dirname(here) or '.')}{anchor})"
        if not there.startswith("docs/") and (ROOT / there).exists():
            return f"{match['text']} (`{there}`)"
        return match[0]

    return _LINK.sub(turned, markdown)
