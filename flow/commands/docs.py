"""`make docs`: the documentation as a site."""

from __future__ import annotations

import webbrowser

from flow.core.options import Option, command
from flow.core.values import Flag
from tb.lib.errors import UserError
from tb.lib.paths import shown


@command(
    "docs",
    Option("OPEN", Flag(), "open the front page in a browser", False),
)
def main(OPEN: bool) -> int:
    """Build the documentation site, strictly, into build/site."""
    from flow.site import build, pictures

    pictures.write_pictures()
    findings = build.build_site()
    for line in findings:
        print(f"  {line}")
    if findings:
        print(f"FAIL docs: {len(findings)} findings, no site")
        return 1
    front = build.SITE / "index.html"
    print(f"PASS docs: {shown(front)}")
    if OPEN and not webbrowser.open(front.as_uri()):
        raise UserError(f"there is no browser to open here: open {front} in yours")
    return 0
