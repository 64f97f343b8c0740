"""Imports go one way: flow.commands -> flow.core, tb -> studies -> host -> models. No block's folder imports another's,
but for those made of others.

Tests (test_*.py, conftest.py) may import what they run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.core.blocks import block_names
from tb.lib.paths import PACKAGES, ROOT

# What a block's folder may import of other blocks: what it is made of, or what feeds it.
MADE_OF = {"gemm": {"ioss", "ran"}, "top": {"gemm", "ioss", "laps", "optc", "ran", "regs"}, "ran": {"ioss"}}
SHARED = {"models": "common", "tb": "lib"}
# What a room may import beside itself; a name with a dot is that part alone.
MAY = {
    "models": (),
    "host": ("models",),
    "studies": ("host", "models"),
    "tb.lib": ("models.common",),
    "tb": ("host", "models"),
    "flow.core": ("tb", "host", "models"),
    "flow.bench": ("flow.core", "tb", "host", "models"),
    "flow.site": ("flow.core", "flow.commands", "flow.cli", "tb", "host", "models"),
    "flow.commands": ("flow.core", "flow.site", "tb", "host", "studies", "models"),
    "flow": ("flow", "tb", "host", "studies", "models"),
}


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Lines and names of what a file imports; of `from a import b` both `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{each.name}") for each in node.names)


def _under(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


def findings(root: Path, blocks: set[str]) -> list[str]:
    """A line for each import that goes the wrong way."""
    found = []
    for path in sorted(path for top in PACKAGES for path in (root / top).rglob("*.py")):
        if path.name.startswith("test_") or path.name == "conftest.py":
            continue
        place = path.relative_to(root)
        name = ".".join(place.with_suffix("").parts)
        room = next(room for room in sorted(MAY, key=len, reverse=True) if _under(name, (room,)))
        top, folder = place.parts[0], place.parts[1]
        for line, imported in _imports(path):
            if not _under(imported, PACKAGES):
                continue
            where = f"{place.as_posix()}:{line}: imports {imported}"
            if not _under(imported, (room, *MAY[room])):
                found.append(f"{where}: {room} may import {', '.join(MAY[room]) or 'nothing else'}")
            elif folder in (*blocks, SHARED.get(top)) and top in SHARED:
                other = imported.split(".")[1]
                if imported.split(".")[0] in SHARED and other in blocks - {folder, *MADE_OF.get(folder, ())}:
                    found.append(f"{where}: {folder} is not made of {other}")
    return found


def test_imports_go_one_way() -> None:
    assert findings(ROOT, set(block_names())) == []


@pytest.mark.parametrize(
    ("file", "line", "finding"),
    [
        ("models/ran/value.py", "import host.mapper", "models/ran/value.py:1: imports host.mapper: models may import"),
        ("models/ran/value.py", "from models.optc.value import x", "ran is not made of optc"),
        ("models/common/slices.py", "from models.ran import value", "common is not made of ran"),
        ("host/mapper.py", "from studies import measure", "host may import models"),
        ("tb/lib/env.py", "from models.ran import config", "tb.lib may import models.common"),
        ("tb/laps/env.py", "from tb.ran.trace import x", "laps is not made of ran"),
        ("tb/laps/env.py", "from models.ran.value import x", "laps is not made of ran"),
        (
            "tb/top/env.py",
            "def f():\n    from flow.core import jobs",
            "env.py:2: imports flow.core.jobs: tb may",
        ),
        ("flow/core/jobs.py", "from flow.commands import lint", "flow.core may import"),
        ("flow/cli.py", "import flow.commands.lint", None),
        ("tb/gemm/env.py", "from tb.ran.env import x", None),
        ("tb/laps/test_x.py", "from flow.core import jobs", None),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, line: str, finding: str | None) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(line + "\n", encoding="utf-8")
    found = findings(tmp_path, set(block_names()))
    assert len(found) == (finding is not None)
    assert finding is None or finding in found[0]
