"""A user's RTL under the environment (RTL=): a list of source files whose modules and packages replace the block's.

The list is what tools call a .f file: source files, `+incdir+<folder>`, `+define+<name>[=<value>]`, `-f <list>`, and
comments (`//` or `#` to the end of the line). Paths count from the folder of the list that names them.

The rule: a file of the block stays out if one of the given files declares a module or package of the same name; every
other file of the block stays in. Packages are compiled first, then the given modules in their order, then what stays.
Sources of the bench cannot be replaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import ROOT, shown

_COMMENTS = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_DECLARED = re.compile(
    r"(?<!\bvirtual )\b(module|macromodule|package|interface|program)\s+(?:static\s+|automatic\s+)?([A-Za-z_]\w*)"
)
_INCLUDE = re.compile(r'^\s*`include\s+"([^"]+)"', re.MULTILINE)
_TAKES = "a list has source files, +incdir+<folder>, +define+<name>=<value>, -f <list> and comments"


def declared(path: Path) -> dict[str, str]:
    """Names that a source file declares, with what they are (`module`, `package`, ...). Code that `ifdef leaves out
    counts too. Raises `UserError` if it cannot be read."""
    return {name: kind for kind, name in _DECLARED.findall(_COMMENTS.sub(" ", _text(path)))}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot read source {shown(path)}: {error.strerror}") from error


@dataclass(frozen=True)
class OwnRtl:
    """What a list names: files in its order, folders of included files, macros as `NAME` or `NAME=value`."""

    path: Path
    files: tuple[Path, ...]
    include_dirs: tuple[Path, ...] = ()
    defines: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> OwnRtl:
        """The list in the file `path`. Raises `UserError`, one line, for whatever cannot be used."""
        files: dict[Path, None] = {}
        folders: dict[Path, None] = {}
        defines: dict[str, None] = {}
        for where, word in _words(path, ()):
            folder = where.path.parent
            if word.startswith("+incdir+"):
                for name in filter(None, word.split("+")[2:]):
                    if not (folder / name).is_dir():
                        raise UserError(f"{where}: there is no folder {name}")
                    folders[(folder / name).resolve()] = None
            elif word.startswith("+define+"):
                defines |= dict.fromkeys(filter(None, word.split("+")[2:]))
            elif word[0] in "+-":
                raise UserError(f"{where}: cannot take {word}: {_TAKES}")
            elif not (folder / word).is_file():
                raise UserError(f"{where}: cannot read {word}")
            else:
                files[(folder / word).resolve()] = None
        if not files:
            raise UserError(f"RTL={shown(path)} names no source file")
        return cls(path, tuple(files), tuple(folders), tuple(defines))

    def digest(self) -> str:
        """Over the content of every file, of what the files include as far as it is found, and the macros."""
        digest = hashlib.sha256("\0".join(self.defines).encode())
        seen: set[Path] = set()
        queue = list(self.files)
        while queue:
            path = queue.pop(0)
            if path in seen:
                continue
            seen.add(path)
            text = _text(path)
            digest.update(f"\0{path.name}\0{len(text)}\0{text}".encode())
            for name in _INCLUDE.findall(text):
                found = (folder / name for folder in (*self.include_dirs, path.parent))
                queue += [each for each in found if each.is_file()][:1]
        return digest.hexdigest()

    def replaced(self, block: Block) -> tuple[str, ...]:
        """Files of the block that stay out. Raises `UserError` if the list and the block do not go together."""
        owner: dict[str, Path] = {}
        for path in self.files:
            for name in declared(path):
                if name in owner:
                    raise UserError(f"RTL={shown(self.path)}: {name} is declared in {owner[name]} and in {path}")
                owner[name] = path
        for source in block.tb_sources:
            for name in declared(ROOT / source):
                if name in owner:
                    raise UserError(f"RTL={shown(self.path)}: {name} belongs to the bench ({source}): rename yours")
        of_block = {source: declared(ROOT / source) for source in block.rtl}
        out = tuple(source for source, names in of_block.items() if owner.keys() & names.keys())
        if not out:
            mine = ", ".join(owner) or "nothing"
            theirs = ", ".join(name for names in of_block.values() for name in names)
            what = f"replaces nothing of {block.name} ({theirs})"
            raise UserError(f"RTL={shown(self.path)} declares {mine}, which {what}")
        for source in out:
            missing = [name for name in of_block[source] if name not in owner]
            if missing:
                raise UserError(
                    f"RTL={shown(self.path)} takes the place of {source}, which also declares {', '.join(missing)}: "
                    "declare that too"
                )
        if block.rtl_top in owner:
            self._has_ports(block, owner[block.rtl_top])
        return out

    def _has_ports(self, block: Block, path: Path) -> None:
        """Raises `UserError` if the top in the file `path` lacks a port: a bench with `.*` would not say."""
        listed = ROOT / "tb" / block.name / f"{block.name}_ports.svh"
        text = re.split(rf"\bmodule\s[^;(]*?\b{block.rtl_top}\b", _COMMENTS.sub(" ", _text(path)), maxsplit=1)[-1]
        if not listed.is_file() or "`" in text.partition(");")[0]:  # what a macro or another file may declare
            return
        names = re.findall(r"(\w+);$", listed.read_text(encoding="utf-8"), re.MULTILINE)
        gone = [name for name in names if not re.search(rf"\b{name}\b", text)]
        if gone:
            raise UserError(
                f"RTL={shown(self.path)}: {block.rtl_top} has no port {', '.join(gone)} ({shown(listed)} lists them)"
            )

    def applied(self, block: Block) -> Block:
        """The block with these sources in place of its own (the rule stands in the module's docstring)."""
        out = self.replaced(block)
        kept = [source for source in block.rtl if source not in out]
        first = [path for path in self.files if _goes_first(path)]
        queue, order = list(first), []
        for source in block.rtl:
            if not _goes_first(ROOT / source):
                continue
            if source in kept:
                order.append(source)
                continue
            names = declared(ROOT / source).keys()
            while any(names & declared(path).keys() for path in queue):  # with what the list has before it
                order.append(str(queue.pop(0)))
        order += map(str, queue)
        order += [str(path) for path in self.files if path not in first]
        order += [source for source in kept if source not in order]
        macros = tuple(f"-D{define}" for define in self.defines)
        return replace(
            block,
            rtl=tuple(order),
            include_dirs=(*map(str, self.include_dirs), *block.include_dirs),
            verilator_args=(*block.verilator_args, *macros),
            icarus_args=(*block.icarus_args, *macros),
        )

    def explain(self, block: Block, sim: str, messages: Sequence[str], log: Path) -> str:
        """One line for sources that do not build, from what the tool said."""
        errors = [line.strip() for line in messages if re.search(r"error", line, re.IGNORECASE)] or list(messages)
        first = errors[0] if errors else "it does not say why"
        missing = re.search(r"(?:Cannot find file containing module: '|Unknown module type: )(\w+)", "\n".join(errors))
        if missing:
            first = f"module {missing[1]} is declared neither by the list nor by what stays of {block.name}"
        elif re.search(r"dut\.\w+|Can't find definition of '\w+' in dotted", first):
            first += f" (the bench looks into {block.rtl_top}: docs/guide/own_rtl.md says at what)"
        return f"RTL={shown(self.path)} does not build for {block.name} on {sim}: {first} (log: {shown(log)})"


def _goes_first(path: Path) -> bool:
    """Whether a file must stand before modules: it declares packages or interfaces, or nothing but macros."""
    kinds = set(declared(path).values())
    return not kinds or bool(kinds & {"package", "interface"})


@dataclass(frozen=True)
class _Where:
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{shown(self.path)}:{self.line}"


def _words(path: Path, within: tuple[Path, ...]) -> Iterator[tuple[_Where, str]]:
    """The words of a list and of those that it names, without comments."""
    path = path.resolve()
    if path in within:
        raise UserError(f"{shown(path)} lists itself with -f")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "it is not text")
        raise UserError(f"cannot read the list {shown(path)}: {reason}") from error
    for number, line in enumerate(lines, 1):
        where = _Where(path, number)
        words = iter(re.sub(r"(^|\s)(//|#).*", "", line).split())
        for word in words:
            if word not in ("-f", "-F"):
                yield where, word
                continue
            name = next(words, None)
            if name is None or not (path.parent / name).is_file():
                raise UserError(f"{where}: -f needs a list that can be read, not {name or 'nothing'}")
            yield from _words(path.parent / name, (*within, path))
