"""`make regs`: files that follow from sources."""

from __future__ import annotations

from flow.commands import benchports, filelists, limits, wordmap
from flow.commands.regmap import make_files
from flow.core.options import command
from flow.site import figures
from models.regs.map import MapError, load_map
from tb.lib.errors import UserError
from tb.lib.paths import shown


@command("regs")
def main() -> int:
    """Make what follows from sources: register, word and width tables, lists of files and ports."""
    try:
        made = make_files(load_map())
    except MapError as error:
        raise UserError(str(error)) from error
    changed = [
        *made,
        *filelists.make_files(),
        *benchports.make_files(),
        *limits.make_page(),
        *wordmap.make_page(),
        *figures.make_page(),
    ]
    for path in changed:
        print(f"made {shown(path)}")
    print(f"PASS regs: {len(changed)} files were not up to date" if changed else "PASS regs: everything is up to date")
    return 0
