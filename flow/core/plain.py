"""Names that tools can work with: make, compilers and simulators stumble over white space, quotes, $, #, ; and letters
beyond ASCII in the name of a file. What lies below such a name is reached through a symbolic link."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path

from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT

_ODD = re.compile(r"[^A-Za-z0-9_./+-]")


def is_plain(path: Path | str) -> bool:
    """Whether every tool can work with this name."""
    return not _ODD.search(str(path))


def temporary() -> Path:
    """A folder for temporary files with a plain name. `UserError` if there is none."""
    tried = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
    for name in tried:
        if is_plain(name) and os.path.isdir(name) and os.access(name, os.W_OK):
            return Path(name)
    raise UserError(f"none of {', '.join(tried)} can be written under a plain name: set TMPDIR to a folder that can")


def _linked(base: Path) -> Path:
    """A link with a plain name that leads to the folder `base`."""
    folder = temporary() / f"trainslice-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} belongs to someone else: remove it or set TMPDIR")
    link = folder / hashlib.sha256(os.fsencode(base)).hexdigest()[:16]
    with contextlib.suppress(FileExistsError):
        link.symlink_to(base)
    return link


def _bases() -> tuple[Path, ...]:
    return ROOT, BUILD, Path(sys.prefix)


def plain(path: Path) -> Path:
    """`path` by a plain name: itself, or below a link to the clone, its build or .venv, or to the folder it is in."""
    if is_plain(path):
        return path
    for base in _bases():
        if not is_plain(base) and path.is_relative_to(base):
            return plain_rest(_linked(base), path.relative_to(base))
    return plain_rest(_linked(path.parent), Path(path.name))


def plain_rest(link: Path, rest: Path) -> Path:
    """`rest` below `link`, through another link if it is not plain itself."""
    whole = link / rest
    if is_plain(whole) or len(rest.parts) < 2:
        return whole
    return _linked(whole.parent) / whole.name


def plain_text(text: str) -> str:
    """An argument or the value of a variable, with plain names for the clone, its build, .venv and, as the argument's
    whole, other files."""
    for base in _bases():
        if not is_plain(base):
            text = text.replace(str(base), str(_linked(base)))
    match = re.fullmatch(r"(-I|\+incdir\+)?(/.*)", text, re.DOTALL)
    if match and not is_plain(match[2]) and os.path.exists(match[2]):
        return (match[1] or "") + str(plain(Path(match[2])))
    return text
