"""A function reads like a page: none has more than 80 lines."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tb.lib.paths import PACKAGES, ROOT

LONGEST = 80


def _functions(body: list[ast.stmt], place: str) -> Iterator[tuple[str, int]]:
    """Names and lines of the functions in `body`, those of classes with the class's name."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{place}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield place + node.name, (node.end_lineno or node.lineno) - node.lineno + 1
            yield from _functions(node.body, f"{place}{node.name}.")


def too_long(root: Path) -> set[str]:
    """The functions of the project that have more lines."""
    found = set()
    for path in sorted(path for top in PACKAGES for path in (root / top).rglob("*.py")):
        place = path.relative_to(root).as_posix()
        functions = _functions(ast.parse(path.read_text(encoding="utf-8")).body, "")
        found.update(f"{place}::{name}" for name, lines in functions if lines > LONGEST)
    return found


def test_no_function_is_longer_than_a_page() -> None:
    assert not too_long(ROOT), "break these up"


def test_a_long_function_is_found(tmp_path: Path) -> None:
    for lines, name in ((LONGEST, "fits"), (LONGEST + 1, "long")):
        body = "\n".join(["    pass"] * (lines - 1))
        (tmp_path / "tb").mkdir(exist_ok=True)
        (tmp_path / "tb" / f"{name}.py").write_text(f"class A:\n  def f():\n{body}\n", encoding="utf-8")
    assert too_long(tmp_path) == {"tb/long.py::A.f"}
